//! What could be taken over: things that do what is declared and that somebody else made. What GitHub has a name for (a branch, its
//! protection, an environment, a variable, the webhook's address) is the project's by that name; here is what has another owner all the
//! same: a ruleset by its own name, a secret by who wrote it.

use std::collections::BTreeSet;

use super::{Found, Given, Memory, Name, Op, Present, Wanted};
use crate::{
    outside::{Change, Detail, Remark, Said, Step},
    spec::ProjectName,
};

/// Every mark begins so, whosever it is.
const MARK: &str = "ambit:";

/// Steps that make it the project's and change nothing of what it does.
#[must_use]
pub fn adoptable(project: &ProjectName, wanted: &Wanted, there: &Present, memory: &Memory) -> Found {
    let mut found = Found::default();
    for tags in wanted.tags.iter().filter(|tags| there.tags.iter().all(|t| t.mark != tags.mark)) {
        let include = BTreeSet::from([format!("refs/tags/{}", tags.pattern)]);
        let same: Vec<_> = there.tags.iter().filter(|t| t.include == include && !t.mark.starts_with(MARK)).collect();
        match same.as_slice() {
            [] => {}
            [only] => {
                let detail = Detail::of_texts("name", Some(&only.mark), Some(&tags.mark));
                let change = Change::replace(format!("ruleset {}", only.mark), detail.into_iter().collect());
                let op = Op::AdoptTags { id: only.id, mark: tags.mark.clone() };
                found.steps.push(Step { change: change.of(&tags.environment), op });
            }
            several => {
                let text = format!("{} rulesets are for these tags: rename one of them {}", several.len(), tags.mark);
                found.remarks.push(Remark::new(format!("tags {}", tags.pattern), text));
            }
        }
    }
    for (name, given) in wanted.values.iter().filter(|(name, _)| name.secret) {
        // What nobody declares would be deleted as soon as it is the project's.
        if !matches!(given, Given::Digest(_) | Given::Made(_)) {
            continue;
        }
        let Some(at) = there.secret(name) else { continue };
        if memory.written.get(&name.key()).is_some_and(|written| written.updated_at == *at) {
            found.kept += 1;
            continue;
        }
        let (old, new) = (Said::text(format!("somebody else, {at}")), Said::text(format!("{MARK}{project}")));
        let change = Change::replace(name.title(), vec![Detail::new("owner", Some(old), Some(new))]);
        let change = Change { environment: name.home.environment(), ..change };
        found.steps.push(Step { change, op: Op::AdoptSecret { name: name.clone(), updated_at: at.clone() } });
    }
    found.kept += by_name(wanted, there);
    found
}

/// How many things are the project's by what they are called.
fn by_name(wanted: &Wanted, there: &Present) -> usize {
    let branches = wanted.branches.iter().filter(|b| there.branches.get(&b.name).is_some_and(|t| t.exists));
    let hook = wanted.hook.iter().filter(|hook| there.hooks.iter().any(|t| t.url == hook.url));
    branches.count() + wanted.names().filter(|name| there.environments.contains_key(*name)).count() + hook.count()
}

impl Present {
    /// When a secret was written last, where it is there.
    #[must_use]
    pub fn secret(&self, name: &Name) -> Option<&String> {
        match &name.home {
            super::Home::Repository => self.secrets.get(&name.name),
            super::Home::Environment(of) => self.environments.get(of)?.secrets.get(&name.name),
        }
    }
}
