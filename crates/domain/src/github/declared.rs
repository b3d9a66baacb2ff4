//! What a project's declaration asks of its repository.

use std::collections::{BTreeMap, BTreeSet};

use super::{Branch, Environment, Guard, Source, Tags, Wanted, mark};
use crate::{
    ci::has_workflow,
    spec::{Code, EnvironmentName, Kind, Project},
};

/// Branches, tags and environments; values, approvers and the webhook are filled in by whoever can look them up.
#[must_use]
pub fn wanted(project: &Project) -> Wanted {
    let mut branches: Vec<Branch> = Vec::new();
    let (mut tags, mut environments) = (Vec::new(), Vec::new());
    for (name, environment) in project.environments.iter().filter(|(_, e)| has_workflow(e)) {
        let guard = match environment.kind {
            Kind::Development => Guard::Open,
            Kind::Staging => Guard::PullRequest,
            Kind::Production => Guard::Reviewed,
        };
        let mut sources = BTreeSet::new();
        let branch = match &environment.code {
            Code::Branch(branch) => {
                sources.insert(Source::Branch(branch.clone()));
                branch
            }
            Code::Tag { pattern, branch } => {
                sources.insert(Source::Tag(pattern.clone()));
                let mark = mark(&project.name, name.as_str());
                tags.push(Tags { mark, pattern: pattern.clone(), environment: name.clone() });
                branch
            }
            Code::WorkingTree => continue,
        };
        let follows = Branch { name: branch.clone(), guard, environment: name.clone() };
        match branches.iter_mut().find(|b| b.name == *branch) {
            None => branches.push(follows),
            Some(known) if known.guard < guard => *known = follows,
            Some(_) => {}
        }
        sources.extend(environment.policy.hotfix.as_deref().map(|glob| Source::Branch(deep(glob))));
        environments.push(Environment {
            name: name.clone(),
            sources,
            approvers: environment.policy.approvers.clone(),
            self_review: environment.policy.author_may_approve,
        });
    }
    Wanted {
        branches,
        tags,
        environments,
        values: BTreeMap::new(),
        hook: None,
        approvers: BTreeMap::new(),
        retired: Vec::new(),
    }
}

/// A star matches no slash at GitHub; in Ambit's patterns it does.
fn deep(glob: &str) -> String {
    match glob.strip_suffix("/*") {
        Some(folder) if !folder.contains('*') => format!("{folder}/**/*"),
        _ => glob.to_owned(),
    }
}

/// What SSH knows a host by (`known_hosts`), of a public key such as `ssh-ed25519 AAAA…`; what is in that form already stays.
/// `host` is `USER@HOST` or `USER@HOST:PORT`.
#[must_use]
pub fn known_hosts(host: &str, key: &str) -> String {
    let is_bare = ["ssh-", "ecdsa-", "sk-"].iter().any(|kind| key.trim_start().starts_with(kind));
    if !is_bare {
        return key.to_owned();
    }
    let place = host.rsplit_once('@').map_or(host, |(_, place)| place);
    let place = match place.rsplit_once(':') {
        Some((name, port)) if port != "22" => format!("[{}]:{port}", name.trim_matches(['[', ']'])),
        Some((name, _)) => name.to_owned(),
        None => place.to_owned(),
    };
    format!("{place} {}", key.trim())
}

impl Wanted {
    /// The name of every environment that has a workflow.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.environments.iter().map(|e| e.name.as_str())
    }

    /// Every approver who is declared, once.
    #[must_use]
    pub fn declared_approvers(&self) -> BTreeSet<&str> {
        self.environments.iter().flat_map(|e| &e.approvers).map(String::as_str).collect()
    }
}

/// An environment's own name at GitHub.
impl From<&EnvironmentName> for super::Home {
    fn from(name: &EnvironmentName) -> Self {
        Self::Environment(name.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KAIA: &str = "project = \"kaia\"\n[environments.dev]\nbranch = \"develop\"\n[environments.test]\nbranch = \"staging\"\n\
        [environments.prod]\ntag = \"v*\"\nhotfix = \"hotfix/*\"\napprovers = [\"lead\"]\n[services.api]\nrun = \"x\"\n";

    fn wanted_of(toml: &str) -> Wanted {
        wanted(&ambit_spec::parse(toml).project.unwrap())
    }

    #[test]
    fn each_branch_is_guarded_as_what_follows_it_is_worth() {
        let wanted = wanted_of(KAIA);
        let guards: Vec<_> = wanted.branches.iter().map(|b| (b.name.as_str(), b.guard)).collect();
        assert_eq!(guards, [("develop", Guard::Open), ("staging", Guard::PullRequest), ("main", Guard::Reviewed)]);
        let prod = "prod".parse().unwrap();
        assert_eq!(wanted.tags, [Tags { mark: "ambit:kaia/prod".into(), pattern: "v*".into(), environment: prod }]);
        let prod: Vec<_> = wanted.environments[2].sources.iter().map(ToString::to_string).collect();
        assert_eq!(prod, ["branch hotfix/**/*", "tag v*"]);

        let shared = "project = \"x\"\n[environments.prod]\nbranch = \"main\"\n[environments.dev]\nbranch = \"main\"\n[environments.test]\n";
        let wanted = wanted_of(shared);
        let prod = "prod".parse().unwrap();
        assert_eq!(wanted.branches, [Branch { name: "main".into(), guard: Guard::Reviewed, environment: prod }]);
        assert_eq!(wanted.names().collect::<Vec<_>>(), ["prod", "dev"], "files as they stand have no workflow");
    }

    #[test]
    fn a_hosts_key_is_said_as_ssh_reads_it() {
        assert_eq!(known_hosts("a@kaia.ai", "ssh-ed25519 AAAA x\n"), "kaia.ai ssh-ed25519 AAAA x");
        assert_eq!(known_hosts("a@kaia.ai:22", "ssh-ed25519 AAAA"), "kaia.ai ssh-ed25519 AAAA");
        assert_eq!(
            known_hosts("a@kaia.ai:2222", "ecdsa-sha2-nistp256 AAAA"),
            "[kaia.ai]:2222 ecdsa-sha2-nistp256 AAAA"
        );
        assert_eq!(known_hosts("a@[2001:db8::1]:2222", "ssh-ed25519 A"), "[2001:db8::1]:2222 ssh-ed25519 A");
        assert_eq!(known_hosts("a@kaia.ai", "kaia.ai ssh-ed25519 AAAA"), "kaia.ai ssh-ed25519 AAAA");
    }
}
