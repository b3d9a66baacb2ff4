//! The declared repository beside the one that is there.

use std::collections::BTreeSet;

use super::{
    Feature, Hook, Memory, Name, Present, PresentTags, Protection, Settings, Source, Tags, Wanted, environments,
    is_owned, protection, values,
};
use crate::{
    outside::{Change, Detail, Remark, Said, Step},
    railway::ProjectToken,
    spec::{EnvironmentName, ProjectName},
};

/// What is done at GitHub: one request each, a secret's aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Makes a branch.
    Branch {
        /// Its name.
        name: String,
        /// The commit that it begins at.
        commit: String,
    },
    /// Writes the protection of a branch.
    Protect {
        /// The branch.
        branch: String,
        /// All of it.
        protection: Box<Protection>,
    },
    /// Takes the pull requests out of a branch's protection and leaves the rest.
    Open {
        /// The branch.
        branch: String,
    },
    /// Writes a ruleset.
    Tags {
        /// By what GitHub knows it, where it is there.
        id: Option<u64>,
        /// What it says.
        tags: Tags,
    },
    /// Gives a ruleset that does what is declared the project's mark.
    AdoptTags {
        /// By what GitHub knows it.
        id: u64,
        /// The name that it gets.
        mark: String,
    },
    /// Remembers a secret that somebody else wrote as the project's.
    AdoptSecret {
        /// Which.
        name: Name,
        /// When it was written.
        updated_at: String,
    },
    /// Deletes a ruleset of the project.
    RemoveTags {
        /// By what GitHub knows it.
        id: u64,
    },
    /// Writes the rules of an environment, which is made where it is not there.
    Environment {
        /// Its name.
        name: String,
        /// All of them.
        settings: Box<Settings>,
    },
    /// Lets an environment be deployed from something.
    AddSource {
        /// The environment.
        environment: String,
        /// From what.
        source: Source,
    },
    /// Lets it be deployed from that no more.
    RemoveSource {
        /// The environment.
        environment: String,
        /// By what GitHub knows it.
        id: u64,
    },
    /// Writes a variable.
    Variable {
        /// Which.
        name: Name,
        /// What it says.
        value: String,
        /// Whether it is there.
        exists: bool,
    },
    /// Writes a secret.
    Secret {
        /// Which.
        name: Name,
        /// The keyed digest of what it says.
        digest: String,
    },
    /// Has Railway make a token, writes it as a secret, and deletes those that Ambit had made before.
    Token {
        /// The secret.
        name: Name,
    },
    /// Deletes a token of Railway's that Ambit had made.
    RemoveToken {
        /// Which.
        token: ProjectToken,
    },
    /// Deletes a secret that Ambit wrote.
    RemoveSecret {
        /// Which.
        name: Name,
    },
    /// Writes the webhook.
    Hook {
        /// By what GitHub knows it, where it is there.
        id: Option<u64>,
        /// What it says.
        hook: Hook,
    },
}

/// A repository beside what is declared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// What would have to be done, in order.
    pub steps: Vec<Step<Op>>,
    /// What is told beside.
    pub remarks: Vec<Remark>,
    /// How many things are as declared.
    pub kept: usize,
    /// How many things there are nobody's of the project.
    pub unmanaged: usize,
}

/// A comparison under way.
pub(super) struct Comparison<'a> {
    pub(super) memory: &'a Memory,
    refused: &'a BTreeSet<Feature>,
    /// The environment that is looked at, where what is looked at is of one.
    pub(super) of: Option<EnvironmentName>,
    steps: Vec<Step<Op>>,
    pub(super) remarks: Vec<Remark>,
    pub(super) kept: usize,
}

impl Comparison<'_> {
    pub(super) fn step(&mut self, change: Change, op: Op) {
        let environment = self.of.clone();
        self.steps.push(Step { change: Change { environment, ..change }, op });
    }

    pub(super) fn change(&mut self, key: String, exists: bool, details: Vec<Detail>, op: Op) {
        let change = if exists { Change::replace(key, details) } else { Change::create(key, details) };
        self.step(change, op);
    }

    pub(super) fn refused(&self, feature: Feature) -> bool {
        self.refused.contains(&feature)
    }
}

/// What would have to be done so that the repository is as declared.
#[must_use]
pub fn compare(project: &ProjectName, wanted: &Wanted, there: &Present, memory: &Memory) -> Found {
    let mut found =
        Comparison { memory, refused: &there.refused, of: None, steps: Vec::new(), remarks: Vec::new(), kept: 0 };
    branches(wanted, there, &mut found);
    if !found.refused(Feature::Protection) {
        tags(project, wanted, &there.tags, &mut found);
    }
    for environment in &wanted.environments {
        found.of = Some(environment.name.clone());
        environments::compare(environment, there.environments.get(environment.name.as_str()), wanted, &mut found);
    }
    values::compare(wanted, there, &mut found);
    found.of = None;
    if let Some(hook) = &wanted.hook {
        values::hook(hook, &there.hooks, &mut found);
    }
    values::forgotten(wanted, there, &mut found);
    for (environment, token) in &wanted.retired {
        found.of = Some(environment.clone());
        values::remove(token, &mut found);
    }
    let Comparison { steps, remarks, kept, .. } = found;
    Found { steps, remarks, kept, unmanaged: unmanaged(wanted, there) }
}

fn branches(wanted: &Wanted, there: &Present, found: &mut Comparison<'_>) {
    if !wanted.branches.is_empty() && found.refused(Feature::Protection) {
        let names: Vec<&str> = wanted.branches.iter().map(|b| b.name.as_str()).collect();
        let text = format!(
            "GitHub protects neither branches ({}) nor tags in a private repository of this plan: whoever may push may push there; \
             the gate is Ambit's own approval (ambit approve)",
            names.join(", ")
        );
        found.remarks.push(Remark::new("protection", text));
    }
    for branch in &wanted.branches {
        found.of = Some(branch.environment.clone());
        let absent = Default::default();
        let present = there.branches.get(&branch.name).unwrap_or(&absent);
        match (&there.head, present.exists) {
            (_, true) => found.kept += 1,
            (Some(head), false) => {
                let from = Detail::new("from", None, Some(Said::text(&there.default_branch)));
                let op = Op::Branch { name: branch.name.clone(), commit: head.clone() };
                found.step(Change::create(format!("branch {}", branch.name), vec![from]), op);
            }
            (None, false) => {
                let text = "the repository has no commit yet; it is made and protected after the first push";
                found.remarks.push(Remark::new(format!("branch {}", branch.name), text));
                continue;
            }
        }
        if !found.refused(Feature::Protection) {
            protection::compare(branch, present, found);
        }
    }
}

fn tags(project: &ProjectName, wanted: &Wanted, there: &[PresentTags], found: &mut Comparison<'_>) {
    for tags in &wanted.tags {
        found.of = Some(tags.environment.clone());
        let present = there.iter().find(|t| t.mark == tags.mark);
        let word = |refused: bool| Some(if refused { "refused" } else { "allowed" });
        let fixed = |rule: &str| present.is_some_and(|t| t.active && t.refuses.contains(rule));
        let include = present.map(|t| t.include.iter().map(String::as_str).collect::<Vec<_>>().join(", "));
        let exclude = present.map(|t| t.exclude.iter().map(String::as_str).collect::<Vec<_>>().join(", "));
        let exempt = present.map_or(0, |t| t.exempt).to_string();
        let details: Vec<Detail> = [
            Detail::of_texts("tags", include.as_deref(), Some(&format!("refs/tags/{}", tags.pattern))),
            Detail::of_texts("without", exclude.as_deref().filter(|e| !e.is_empty()), None),
            Detail::of_texts("moving one", word(fixed("update")), word(true)),
            Detail::of_texts("deleting one", word(fixed("deletion")), word(true)),
            Detail::of_texts("exempt from it", Some(&exempt), Some("0")),
        ]
        .into_iter()
        .flatten()
        .collect();
        if details.is_empty() {
            found.kept += 1;
            continue;
        }
        let op = Op::Tags { id: present.map(|t| t.id), tags: tags.clone() };
        found.change(format!("tags {} of {}", tags.pattern, tags.environment), present.is_some(), details, op);
    }
    found.of = None;
    let stale = there.iter().filter(|t| is_owned(project, &t.mark) && wanted.tags.iter().all(|w| w.mark != t.mark));
    for tags in stale {
        found.step(Change::delete(format!("tags by {}", tags.mark), Vec::new()), Op::RemoveTags { id: tags.id });
    }
}

fn unmanaged(wanted: &Wanted, there: &Present) -> usize {
    let names: BTreeSet<&str> = wanted.names().collect();
    let url = wanted.hook.as_ref().map(|hook| hook.url.as_str());
    let of = |environment: &str, name: &str, secret: bool| {
        let home = super::Home::Environment(environment.to_owned());
        wanted.values.contains_key(&Name { home, name: name.to_owned(), secret })
    };
    let inside = there.environments.iter().filter(|(name, _)| names.contains(name.as_str())).map(|(name, e)| {
        e.secrets.keys().filter(|key| !of(name, key, true)).count()
            + e.variables.keys().filter(|key| !of(name, key, false)).count()
    });
    there.environments.keys().filter(|name| !names.contains(name.as_str())).count()
        + inside.sum::<usize>()
        + there.hooks.iter().filter(|hook| Some(hook.url.as_str()) != url).count()
        + there.other_rulesets
}
