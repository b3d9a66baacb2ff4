//! What Sentry is told of deployments: that a release exists, and where it runs since when. Pure.

use crate::{
    delivery::Outgoing,
    notification::Announcement,
    spec::{Environment, Kind, Occasion, Piece, Project, Value},
};

/// Longest version and environment that Sentry takes.
const LONGEST_VERSION: usize = 200;
const LONGEST_ENVIRONMENT: usize = 64;
/// Variables by which apps say what they call their environment, in this order.
const NAMES: [&str; 2] = ["SENTRY_ENVIRONMENT", "SENTRY_ENV"];

/// A release that serves in an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deploy {
    /// The release: its tag, else its commit.
    pub version: String,
    /// The whole hash of its commit.
    pub commit: Option<String>,
    /// What the environment is called there.
    pub environment: String,
    /// What tells this deployment from all others of the environment.
    pub name: String,
    /// Where the environment is reached.
    pub url: Option<String>,
    /// Since when, in milliseconds since the Unix epoch.
    pub at: i64,
    /// Whether people have it now.
    pub released: bool,
}

/// Whether Sentry is told of it: of what serves now, in environments other than those for development, whose errors stay at home.
#[must_use]
pub fn is_told(project: &Project, environment: &Environment, announcement: &Announcement) -> bool {
    let serves = matches!(announcement.event, Occasion::Deployed | Occasion::TestBuild | Occasion::RolledBack);
    let declared = project.providers.sentry.is_some() && environment.kind != Kind::Development;
    serves && declared && announcement.deployment.is_some()
}

/// What is told of it; `None` where neither its version nor its commit is one that Sentry takes.
#[must_use]
pub fn deploy(environment: &Environment, outgoing: &Outgoing, url: Option<String>) -> Option<Deploy> {
    let Announcement { version, commit, deployment, .. } = &outgoing.announcement;
    let of_commit = commit.as_ref().is_some_and(|commit| commit.starts_with(version.as_str()));
    let version = Some(version).filter(|version| !of_commit && is_version(version));
    let version = version.or_else(|| commit.as_ref().filter(|commit| is_version(commit)))?;
    let number = deployment.map(|number| number.to_string()).unwrap_or_default();
    Some(Deploy {
        version: version.clone(),
        commit: commit.clone(),
        environment: called(environment),
        name: format!("{} {number}", outgoing.environment.environment),
        url,
        at: outgoing.announced,
        released: environment.kind == Kind::Production,
    })
}

/// Whether Sentry takes it for the version of a release (docs.sentry.io/product/releases/naming-releases).
fn is_version(text: &str) -> bool {
    let odd = |c: char| c.is_control() || matches!(c, '/' | '\\');
    let reserved = [".", "..", "latest"].iter().any(|word| text.eq_ignore_ascii_case(word));
    !text.is_empty() && text.trim() == text && text.len() <= LONGEST_VERSION && !text.contains(odd) && !reserved
}

/// What the apps call their environment, else its kind.
fn called(environment: &Environment) -> String {
    let said = NAMES.iter().find_map(|name| match &environment.variables.get(*name)?.value {
        Value::Text(pieces) => match &pieces[..] {
            [Piece::Literal(text)] => Some(text.trim()).filter(|text| is_environment(text)),
            _ => None,
        },
        _ => None,
    });
    let kind = match environment.kind {
        Kind::Development => "development",
        Kind::Staging => "staging",
        Kind::Production => "production",
    };
    said.unwrap_or(kind).to_owned()
}

fn is_environment(text: &str) -> bool {
    let plain = |c: char| !c.is_control() && !c.is_whitespace() && c != '/';
    (1..=LONGEST_ENVIRONMENT).contains(&text.chars().count())
        && text.chars().all(plain)
        && !text.eq_ignore_ascii_case("none")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ids::{DeploymentId, EnvironmentId};

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    fn shop() -> Project {
        let text = "project = \"shop\"\n[environments.dev]\n[environments.test]\n[environments.prod]\n\
                    [services.app]\nrun = \"true\"\n[variables]\nSENTRY_ENV = { test = \"qa\" }\n\
                    [providers.sentry]\norganization = \"shop\"\nproject = \"app\"\n";
        crate::spec::parse(text).project.unwrap()
    }

    fn of<'a>(project: &'a Project, name: &str) -> &'a Environment {
        project.environments.values().find(|e| e.name.as_str() == name).unwrap()
    }

    fn told(name: &str, version: &str, commit: Option<&str>) -> Option<Deploy> {
        let announcement = Announcement {
            commit: commit.map(str::to_owned),
            ..Announcement::new(Occasion::Deployed, DeploymentId(7), version)
        };
        let environment = EnvironmentId { project: "shop".parse().unwrap(), environment: name.parse().unwrap() };
        let outgoing = Outgoing { id: "a".into(), announced: 5, environment, announcement };
        deploy(of(&shop(), name), &outgoing, None)
    }

    #[test]
    fn a_release_is_called_by_its_tag_and_else_by_its_whole_commit() {
        let version = |version: &str, commit: Option<&str>| told("prod", version, commit).map(|d| d.version);
        assert_eq!(version("v1.2.0", Some(COMMIT)).as_deref(), Some("v1.2.0"));
        assert_eq!(version("0123456", Some(COMMIT)).as_deref(), Some(COMMIT));
        assert_eq!(version("release/1.2", Some(COMMIT)).as_deref(), Some(COMMIT));
        assert_eq!(version("working tree", None).as_deref(), Some("working tree"));
        for bad in ["", ".", "..", "Latest", "a/b", "a\\b", " a", "a\n", &"x".repeat(201)] {
            assert_eq!(version(bad, None), None, "{bad:?}");
        }
    }

    #[test]
    fn an_environment_is_called_as_its_apps_call_it_and_else_by_its_kind() {
        let called = |name: &str| told(name, "v1", None).map(|d| (d.environment, d.name, d.released)).unwrap();
        assert_eq!(called("test"), ("qa".into(), "test 7".into(), false));
        assert_eq!(called("prod"), ("production".into(), "prod 7".into(), true));
    }

    #[test]
    fn only_what_serves_outside_of_development_is_told() {
        let shop = shop();
        let told = |name: &str, event, deployment: Option<DeploymentId>| {
            is_told(&shop, of(&shop, name), &Announcement::new(event, deployment, "v1"))
        };
        for event in [Occasion::Deployed, Occasion::TestBuild, Occasion::RolledBack] {
            assert!(told("prod", event, Some(DeploymentId(1))), "{event:?}");
        }
        assert!(!told("dev", Occasion::Deployed, Some(DeploymentId(1))));
        assert!(!told("prod", Occasion::Failed, Some(DeploymentId(1))));
        assert!(!told("prod", Occasion::Deployed, None));
    }

    proptest! {
        #[test]
        fn what_is_told_is_always_what_sentry_takes(version in any::<String>(), commit in proptest::option::of("[0-9a-f]{40}")) {
            if let Some(deploy) = told("prod", &version, commit.as_deref()) {
                prop_assert!(is_version(&deploy.version));
            } else {
                prop_assert!(commit.is_none() && !is_version(&version));
            }
        }
    }
}
