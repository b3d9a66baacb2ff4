//! What each phase looks at.

use ambit_domain::{
    Deployment, DeploymentState, Failure,
    deployment::Trigger,
    outside::Place,
    spec::{Code, Environment, Kind},
};

use super::{Item, Seen, Standing};
use crate::{ci::file_states, mobile::drift_of};

impl Seen<'_> {
    /// Each environment runs where it is declared to live.
    pub(super) fn infrastructure(&self) -> Vec<Item> {
        self.environments()
            .filter_map(|environment| {
                let name = &environment.name;
                match environment.railway_project() {
                    Some(project) => self.as_declared(Place::Railway, format!("{name} at Railway ({project})"), |c| {
                        c.environment.as_ref() == Some(name)
                    }),
                    None => Some(self.here(environment)),
                }
            })
            .collect()
    }

    fn here(&self, environment: &Environment) -> Item {
        let name = &environment.name;
        let what = format!("{name} on this machine");
        let up = format!("ambit up {name}");
        match self.status.environments.iter().find(|e| e.environment == *name) {
            None => Item::open(what, "it was never up", up),
            Some(status) if status.healthy() && !status.services.is_empty() => {
                Item::done(what, format!("{} services, all healthy", status.services.len()))
            }
            Some(status) => {
                let bad: Vec<&str> =
                    status.services.iter().filter(|s| !s.healthy).map(|s| s.service.as_str()).collect();
                Item::open(what, format!("not healthy: {}", bad.join(", ")), up)
            }
        }
    }

    /// The branches that environments follow, and what protects them.
    pub(super) fn branches(&self) -> Vec<Item> {
        let follows = self.environments().filter(|e| e.code != Code::WorkingTree).count();
        if follows == 0 {
            return vec![Item::open(
                "branches",
                "every environment runs the files as they stand",
                "give environments a `branch` or a `tag` in ambit.toml",
            )];
        }
        let branches = self.as_declared(Place::Github, "branches and their protection", |c| is_of_branches(&c.key));
        branches.into_iter().collect()
    }

    pub(super) fn names(&self) -> Vec<Item> {
        self.as_declared(Place::Dns, "records of every URL", |_| true).into_iter().collect()
    }

    /// Values for everything that is declared, and an answer from each environment.
    pub(super) fn backend(&self) -> Vec<Item> {
        let secrets = match self.declaration.check_secrets() {
            Err(failure) => {
                Item { what: "secrets".into(), standing: Standing::Unknown, found: failure.message, next: None }
            }
            Ok(mut wrong) => {
                let value = |environment: &_, name: &str| self.declaration.secret(environment, name).ok().flatten();
                wrong.extend(ambit_spec::unset_secrets(&self.declaration.project, &value));
                match wrong.first() {
                    None => Item::done("secrets", "all are set, and strong enough"),
                    Some(first) => {
                        Item::open("secrets", format!("{} findings: {}", wrong.len(), first.message), "ambit check")
                    }
                }
            }
        };
        // What lives at Railway answers from there.
        let here = self.environments().filter(|e| {
            e.railway_project().is_none() || self.status.environments.iter().any(|s| s.environment == e.name)
        });
        let answers = here.map(|environment| {
            let what = format!("{} answers", environment.name);
            match self.status.environments.iter().find(|e| e.environment == environment.name) {
                Some(status) if status.healthy() => {
                    Item::done(what, "its health checks passed when it was deployed, and its instances run")
                }
                _ => Item::open(what, "nothing of it runs on this machine", format!("ambit up {}", environment.name)),
            }
        });
        std::iter::once(secrets).chain(answers).collect()
    }

    pub(super) fn mobile(&self) -> Result<Vec<Item>, Failure> {
        if self.environments().all(|e| e.mobile.is_none()) {
            return Ok(Vec::new());
        }
        let drift = drift_of(self.declaration)?;
        let mut items = vec![match drift.first() {
            None => Item::done("eas.json and app.config.js", "as declared"),
            Some(first) => Item::open(
                "eas.json and app.config.js",
                format!("{}: {}", first.file, first.message),
                "ambit mobile sync",
            ),
        }];
        items.extend(self.as_declared(Place::Expo, "variables of builds at Expo", |_| true));
        for environment in self.environments().filter(|e| e.kind == Kind::Staging && e.mobile.is_some()) {
            let what = format!("a build for {}", environment.name);
            let builds = self.ambit.mobile_builds(&self.declaration.project.name, Some(&self.id(environment)))?;
            items.push(match builds.first() {
                Some(build) => Item::done(what, format!("{} can be installed", build.build.id)),
                None => Item::open(what, "none was published", format!("ambit mobile build -e {}", environment.name)),
            });
        }
        Ok(items)
    }

    pub(super) fn pipeline(&self) -> Result<Vec<Item>, Failure> {
        let states = file_states(self.declaration)?;
        let wrong = states.iter().find(|s| s.there != s.wanted);
        let mut items = Vec::new();
        if !states.is_empty() {
            items.push(match wrong {
                None => Item::done("workflows", format!("{} files, as declared", states.len())),
                Some(state) => {
                    Item::open("workflows", format!("{} is not as declared", state.file.display()), "ambit ci github")
                }
            });
        }
        items.extend(self.as_declared(Place::Github, "environments, secrets and the webhook at GitHub", |c| {
            !is_of_branches(&c.key)
        }));
        for environment in self.environments().filter(|e| e.auto_deploy && e.code != Code::WorkingTree) {
            items.push(
                self.deployed(environment, "deploys by a push", |d| {
                    matches!(d.trigger, Trigger::Push | Trigger::Github)
                }),
            );
        }
        Ok(items)
    }

    pub(super) fn whole_way(&self) -> Vec<Item> {
        let mut items: Vec<Item> = self
            .environments()
            .map(|environment| match environment.kind {
                Kind::Production => self.deployed(environment, "serves a release that was approved", |d| {
                    environment.policy.approvers.is_empty() || d.approvals.iter().any(|a| a.yes)
                }),
                _ => self.deployed(environment, "serves", |_| true),
            })
            .collect();
        items.extend(self.as_declared(Place::Uptimerobot, "watched from outside", |_| true));
        let readme =
            ["README.md", "README", "readme.md"].iter().any(|name| self.declaration.folder.join(name).is_file());
        items.push(if readme {
            Item::done("documentation", "README.md is there; docs/ of Ambit has a guide for each role")
        } else {
            Item::open("documentation", "the folder has no README.md", "write README.md: how to work on it")
        });
        items
    }

    /// Whether a deployment of some kind succeeded. What runs at Railway by itself is not known here.
    fn deployed(&self, environment: &Environment, what: &str, fits: impl Fn(&Deployment) -> bool) -> Item {
        let name = &environment.name;
        let what = format!("{name} {what}");
        let done = self
            .deployments
            .iter()
            .find(|d| d.environment.environment == *name && d.state == DeploymentState::Succeeded && fits(d));
        match done {
            Some(deployment) => Item::done(what, format!("{} (deployment {})", deployment.version, deployment.number)),
            None => Item::open(what, "not yet", how(environment)),
        }
    }
}

/// What makes a deployment begin.
fn how(environment: &Environment) -> String {
    match &environment.code {
        Code::WorkingTree => format!("ambit up {}", environment.name),
        Code::Branch(branch) => format!("git push ambit {branch}"),
        Code::Tag { pattern, branch } => format!("git push ambit {branch} and a tag {pattern}, then ambit approve"),
    }
}

fn is_of_branches(key: &str) -> bool {
    ["branch", "protection", "tags"].iter().any(|word| key.starts_with(word))
}
