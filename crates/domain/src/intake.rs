//! What a change of a branch or a tag means: which environments deploy it, and what the daemon's own remote refuses.
//!
//! Whatever the way in (a push, GitHub), the same rules decide.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    glob::matches,
    spec::{Code, Environment, EnvironmentName, Kind, Project},
};

/// In the message of the newest commit: this change is not deployed.
pub const SKIP: &str = "[skip deploy]";

/// Longer names than this are nobody's.
const LONGEST: usize = 500;

/// A reference in a repository, by what it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Reference {
    /// `refs/heads/NAME`
    Branch(String),
    /// `refs/tags/NAME`
    Tag(String),
    /// Any other, whole.
    Other(String),
}

/// A text that names no reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not the name of a reference", .text.escape_debug())]
pub struct InvalidReference {
    /// The text; hostile input.
    pub text: String,
}

impl Reference {
    /// Reads a whole name such as `refs/heads/develop`, by the rules of git-check-ref-format(1). Beyond them, a name does
    /// not begin with a hyphen, so that no program takes it for an option, and holds no control character.
    pub fn read(text: &str) -> Result<Self, InvalidReference> {
        let invalid = || InvalidReference { text: text.chars().take(LONGEST).collect() };
        if text.len() > LONGEST || !is_well_formed(text) {
            return Err(invalid());
        }
        let (make, name): (fn(String) -> Self, &str) = if let Some(name) = text.strip_prefix("refs/heads/") {
            (Self::Branch, name)
        } else if let Some(name) = text.strip_prefix("refs/tags/") {
            (Self::Tag, name)
        } else if text.strip_prefix("refs/").is_some_and(|rest| rest.contains('/')) {
            (Self::Other, text)
        } else {
            return Err(invalid());
        };
        if name.starts_with('-') { Err(invalid()) } else { Ok(make(name.to_owned())) }
    }

    /// Its whole name.
    #[must_use]
    pub fn whole(&self) -> String {
        match self {
            Self::Branch(name) => format!("refs/heads/{name}"),
            Self::Tag(name) => format!("refs/tags/{name}"),
            Self::Other(whole) => whole.clone(),
        }
    }

    /// What people call it: the name of the branch or tag.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Branch(name) | Self::Tag(name) | Self::Other(name) => name,
        }
    }
}

impl TryFrom<String> for Reference {
    type Error = InvalidReference;

    fn try_from(text: String) -> Result<Self, InvalidReference> {
        Self::read(&text)
    }
}

impl From<Reference> for String {
    fn from(reference: Reference) -> Self {
        reference.whole()
    }
}

/// For people, with nothing in it that a terminal would obey or that turns a line around.
impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Branch(name) => write!(f, "the branch `{}`", name.escape_debug()),
            Self::Tag(name) => write!(f, "the tag `{}`", name.escape_debug()),
            Self::Other(whole) => write!(f, "`{}`", whole.escape_debug()),
        }
    }
}

fn is_well_formed(text: &str) -> bool {
    let forbidden = |c: char| c.is_control() || c == ' ' || "~^:?*[\\".contains(c);
    let component = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock");
    !text.contains(forbidden)
        && !text.contains("..")
        && !text.contains("@{")
        && !text.ends_with('.')
        && text.split('/').all(component)
}

/// What happened to a reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Happened {
    /// It was not there before.
    Made,
    /// It leads to what it led to before, and to more.
    Advanced,
    /// It no longer leads to what it led to before: a forced push, or a tag that was moved.
    Rewritten,
    /// It is gone.
    Deleted,
}

/// A change of a reference.
pub struct Change<'a> {
    /// Which.
    pub reference: &'a Reference,
    /// What happened to it.
    pub happened: Happened,
    /// The message of its newest commit; empty where it was deleted.
    pub message: &'a str,
    /// Whether its newest commit is on a branch.
    pub is_on: &'a (dyn Fn(&str) -> bool + Sync),
}

/// What becomes of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is deployed to an environment.
    Deploy {
        /// The environment.
        environment: EnvironmentName,
        /// Whether it goes by the shorter list of gates.
        hotfix: bool,
    },
    /// Nothing.
    Nothing {
        /// The environment that it was looked at for; `None` where it concerns none.
        environment: Option<EnvironmentName>,
        /// Why.
        why: Why,
    },
}

/// Why nothing is deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// The reference is gone.
    Deleted,
    /// The newest commit asks for it.
    SkipAsked,
    /// The environment is deployed by hand.
    ByHand {
        /// The environment.
        environment: EnvironmentName,
    },
    /// The tag is not on the branch that the environment is deployed from.
    NotOnBranch {
        /// The branch.
        branch: String,
    },
    /// No environment follows it.
    Unfollowed,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deleted => f.write_str("it was deleted; what runs goes on"),
            Self::SkipAsked => write!(f, "the newest commit says {SKIP}"),
            Self::ByHand { environment } => {
                write!(f, "{environment} is deployed by hand: ambit deploy -e {environment}")
            }
            Self::NotOnBranch { branch } => write!(f, "it is not on `{}`", branch.escape_debug()),
            Self::Unfollowed => f.write_str("no environment follows it"),
        }
    }
}

/// What becomes of a change, by the project as its newest commit declares it. At least one verdict, at most one for each
/// environment.
#[must_use]
pub fn decide(change: &Change<'_>, project: &Project) -> Vec<Verdict> {
    let nothing = |why| vec![Verdict::Nothing { environment: None, why }];
    if change.happened == Happened::Deleted {
        return nothing(Why::Deleted);
    }
    let verdicts: Vec<Verdict> = project.environments.values().filter_map(|e| of_environment(change, e)).collect();
    if verdicts.is_empty() {
        return nothing(Why::Unfollowed);
    }
    if change.message.contains(SKIP) {
        return nothing(Why::SkipAsked);
    }
    verdicts
}

/// `None` where the environment does not follow the reference.
fn of_environment(change: &Change<'_>, environment: &Environment) -> Option<Verdict> {
    let name = || environment.name.clone();
    let deploy = |hotfix| Some(Verdict::Deploy { environment: name(), hotfix });
    let nothing = |why| Some(Verdict::Nothing { environment: Some(name()), why });
    match (change.reference, &environment.code) {
        (Reference::Branch(pushed), Code::Branch(branch)) if pushed == branch => {
            if environment.auto_deploy {
                deploy(false)
            } else {
                nothing(Why::ByHand { environment: name() })
            }
        }
        (Reference::Branch(pushed), _) => {
            let hotfix = environment.policy.hotfix.as_ref().is_some_and(|glob| matches(glob, pushed));
            if hotfix { deploy(true) } else { None }
        }
        (Reference::Tag(tag), Code::Tag { pattern, branch }) if matches(pattern, tag) => {
            if (change.is_on)(branch) {
                deploy(false)
            } else {
                nothing(Why::NotOnBranch { branch: branch.clone() })
            }
        }
        _ => None,
    }
}

/// Why the daemon's own remote does not take a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// A tag names one commit for ever: what was tested and approved under its name must not become something else.
    TagMoved,
    /// The same, by way of deleting it first.
    TagReused {
        /// What was deployed under its name, in short.
        deployed: String,
    },
    /// The history of a production branch is kept.
    Rewrites {
        /// The environment that follows it.
        environment: EnvironmentName,
    },
    /// A production branch stays.
    Deletes {
        /// The environment that follows it.
        environment: EnvironmentName,
    },
    /// Ambit keeps its own references there.
    Reserved,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TagMoved => f.write_str("a tag is not moved; make a new one"),
            Self::TagReused { deployed } => {
                write!(f, "it was deployed as {deployed}, and a tag is not moved; make a new one")
            }
            Self::Rewrites { environment } => {
                write!(f, "{environment} is deployed from it, and its history is not rewritten; revert instead")
            }
            Self::Deletes { environment } => write!(f, "{environment} is deployed from it; it cannot be deleted"),
            Self::Reserved => f.write_str("such references are ambit's own"),
        }
    }
}

/// Whether the daemon's own remote takes a change. `projects` are the declarations before and after it, where there are
/// any: neither can loosen what the other protects. `deployed` is another commit, in short, that was deployed under the
/// tag's name.
#[must_use]
pub fn refuse(
    reference: &Reference,
    happened: Happened,
    projects: &[&Project],
    deployed: Option<&str>,
) -> Option<Refusal> {
    match (reference, happened) {
        (Reference::Tag(_), Happened::Advanced | Happened::Rewritten) => Some(Refusal::TagMoved),
        (Reference::Tag(_), Happened::Made) => {
            deployed.map(|deployed| Refusal::TagReused { deployed: deployed.to_owned() })
        }
        (Reference::Branch(branch), Happened::Rewritten) => {
            production(projects, branch).map(|environment| Refusal::Rewrites { environment })
        }
        (Reference::Branch(branch), Happened::Deleted) => {
            production(projects, branch).map(|environment| Refusal::Deletes { environment })
        }
        (Reference::Other(whole), _) if whole.starts_with("refs/ambit/") => Some(Refusal::Reserved),
        _ => None,
    }
}

/// The production environment that is deployed from a branch.
fn production(projects: &[&Project], name: &str) -> Option<EnvironmentName> {
    let follows = |environment: &&Environment| match &environment.code {
        Code::Branch(branch) | Code::Tag { branch, .. } => environment.kind == Kind::Production && branch == name,
        Code::WorkingTree => false,
    };
    projects.iter().flat_map(|p| p.environments.values()).find(follows).map(|e| e.name.clone())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn project() -> Project {
        let text = "project = \"kaia\"\n[environments.dev]\nbranch = \"develop\"\n[environments.test]\nbranch = \"staging\"\n\
                    [environments.demo]\nkind = \"development\"\nbranch = \"develop\"\ndeploy = \"manual\"\n\
                    [environments.prod]\ntag = \"v*\"\nhotfix = \"hotfix/*\"\napprovers = [\"lead\"]\n\
                    [services.web]\nstatic = \"web\"\n";
        let parsed = crate::spec::parse(text);
        parsed.project.unwrap_or_else(|| panic!("{:?}", parsed.diagnostics))
    }

    fn verdicts(reference: &str, happened: Happened, message: &str, on: &[&str]) -> Vec<String> {
        let reference = Reference::read(reference).unwrap();
        let is_on = |branch: &str| on.contains(&branch);
        decide(&Change { reference: &reference, happened, message, is_on: &is_on }, &project())
            .into_iter()
            .map(|verdict| match verdict {
                Verdict::Deploy { environment, hotfix: false } => environment.to_string(),
                Verdict::Deploy { environment, hotfix: true } => format!("{environment} hotfix"),
                Verdict::Nothing { environment: Some(environment), why } => format!("not {environment}: {why}"),
                Verdict::Nothing { environment: None, why } => format!("nothing: {why}"),
            })
            .collect()
    }

    #[test]
    fn branches_tags_and_hotfixes_go_where_the_file_says() {
        use Happened::*;
        let by_hand = "not demo: demo is deployed by hand: ambit deploy -e demo";
        assert_eq!(verdicts("refs/heads/develop", Advanced, "x", &[]), ["dev", by_hand]);
        assert_eq!(verdicts("refs/heads/staging", Rewritten, "x", &[]), ["test"]);
        assert_eq!(verdicts("refs/tags/v1.2", Made, "x", &["main"]), ["prod"]);
        assert_eq!(verdicts("refs/tags/v1.2", Made, "x", &["develop"]), ["not prod: it is not on `main`"]);
        assert_eq!(verdicts("refs/heads/hotfix/login", Made, "x", &[]), ["prod hotfix"]);
        let unfollowed = ["nothing: no environment follows it"];
        for other in ["refs/heads/main", "refs/heads/feature/x", "refs/tags/nightly", "refs/notes/commits"] {
            assert_eq!(verdicts(other, Made, "x", &["main"]), unfollowed, "{other}");
        }
    }

    #[test]
    fn a_deletion_and_a_commit_that_says_so_deploy_nothing() {
        let skipped = ["nothing: the newest commit says [skip deploy]"];
        assert_eq!(verdicts("refs/heads/develop", Happened::Advanced, "docs\n\n[skip deploy]", &[]), skipped);
        assert_eq!(verdicts("refs/tags/v1", Happened::Made, "[skip deploy]", &["main"]), skipped);
        assert_eq!(verdicts("refs/heads/develop", Happened::Advanced, "[skip ci]", &[]).len(), 2);
        let deleted = ["nothing: it was deleted; what runs goes on"];
        assert_eq!(verdicts("refs/heads/develop", Happened::Deleted, "", &[]), deleted);
    }

    #[test]
    fn the_remote_keeps_tags_and_the_history_of_production() {
        let project = project();
        let refused = |name: &str, happened, deployed| {
            refuse(&Reference::read(name).unwrap(), happened, &[&project], deployed).map(|r| r.to_string())
        };
        assert!(refused("refs/tags/v1", Happened::Rewritten, None).is_some());
        assert!(refused("refs/tags/v1", Happened::Advanced, None).is_some());
        assert!(refused("refs/tags/v1", Happened::Made, Some("a1b2c3d")).is_some_and(|r| r.contains("a1b2c3d")));
        assert_eq!(refused("refs/tags/v1", Happened::Made, None), None);
        assert_eq!(refused("refs/tags/v1", Happened::Deleted, None), None);
        assert!(refused("refs/heads/main", Happened::Rewritten, None).is_some_and(|r| r.contains("prod")));
        assert!(refused("refs/heads/main", Happened::Deleted, None).is_some());
        assert_eq!(refused("refs/heads/main", Happened::Advanced, None), None);
        assert_eq!(refused("refs/heads/develop", Happened::Rewritten, None), None);
        assert!(refused("refs/ambit/commits/x", Happened::Made, None).is_some());
    }

    #[test]
    fn names_that_git_or_a_shell_would_trip_over_are_no_references() {
        for bad in [
            "",
            "develop",
            "refs/heads/",
            "refs/heads/-x",
            "refs/tags/--upload-pack=x",
            "refs/heads/a..b",
            "refs/heads/a b",
            "refs/heads/a\nb",
            "refs/heads/a\u{9b}b",
            "refs/heads/.a",
            "refs/heads/a.lock",
            "refs/heads/a/",
            "/refs/heads/a",
            "refs//heads/a",
            "refs/heads/a~1",
            "refs/heads/a^",
            "refs/heads/a:b",
            "refs/heads/a?",
            "refs/heads/*",
            "refs/heads/[a]",
            "refs/heads/a\\b",
            "refs/heads/@{u}",
            "refs/heads/a.",
            "refs/heads/../../etc",
            "HEAD",
            "refs/x",
        ] {
            assert!(Reference::read(bad).is_err(), "{bad:?}");
        }
        assert!(Reference::read(&format!("refs/heads/{}", "a".repeat(600))).is_err());
        // Legal for git, and harmless where no shell reads them; turned around on a screen they must not be.
        for odd in [
            "refs/heads/$(touch x)".replace(' ', "_"),
            "refs/heads/a;b|c&d'e\"f`g".into(),
            "refs/tags/v1\u{202e}".into(),
        ] {
            let reference = Reference::read(&odd).unwrap();
            assert_eq!(reference.whole(), odd);
            assert!(!reference.to_string().contains('\u{202e}'));
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_the_same_and_nothing_else_is_accepted(text in "(refs/(heads|tags|notes)/)?\\PC{0,30}|.{0,30}") {
            if let Ok(reference) = Reference::read(&text) {
                prop_assert_eq!(reference.whole(), text.clone());
                prop_assert!(!reference.name().starts_with('-'));
                prop_assert!(!text.contains(|c: char| c.is_control() || c == ' '));
            }
        }

        #[test]
        fn no_change_goes_to_an_environment_that_does_not_follow_it(
            name in "(develop|staging|main|hotfix/[a-z]{1,4}|v[0-9.a-z]{1,5}|[a-z/-]{1,12})",
            tag in any::<bool>(),
            happened in prop_oneof![
                Just(Happened::Made), Just(Happened::Advanced), Just(Happened::Rewritten), Just(Happened::Deleted)
            ],
            message in "(\\[skip deploy\\])?.{0,20}",
            on_main in any::<bool>(),
        ) {
            let whole = format!("refs/{}/{name}", if tag { "tags" } else { "heads" });
            let Ok(reference) = Reference::read(&whole) else { return Ok(()) };
            let is_on = |branch: &str| on_main && branch == "main";
            let change = Change { reference: &reference, happened, message: &message, is_on: &is_on };
            let verdicts = decide(&change, &project());
            prop_assert!(!verdicts.is_empty());
            for verdict in verdicts {
                let Verdict::Deploy { environment, hotfix } = verdict else { continue };
                prop_assert!(happened != Happened::Deleted && !message.contains(SKIP));
                let right = match (environment.as_str(), hotfix) {
                    ("dev", false) => !tag && name == "develop",
                    ("test", false) => !tag && name == "staging",
                    ("prod", false) => tag && on_main && name.starts_with('v'),
                    ("prod", true) => !tag && name.starts_with("hotfix/"),
                    _ => false,
                };
                prop_assert!(right, "{} {}", environment, whole);
            }
        }
    }
}
