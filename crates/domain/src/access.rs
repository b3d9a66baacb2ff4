//! Who may do what: people with roles, tokens that may do less than their people, and what each operation asks for.
//!
//! Whoever can open the daemon's socket owns the state folder and is asked for no role. Everybody else comes by the
//! dashboard or the HTTP API, and there this table alone says what they may.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{actor::Actor, spec::ProjectName};

/// Longer names are refused: they end up in one line of a log.
const LONGEST: usize = 200;

/// What a person does in the team.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Looks.
    Viewer,
    /// Deploys, promotes, goes back.
    Developer,
    /// Says whether what runs and what was built is good.
    Qa,
    /// Says yes or no to what waits; may do what developers and QA may.
    Approver,
    /// Replaces data; may do everything.
    Admin,
}

/// A word that names no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a role: one of viewer, developer, qa, approver, admin")]
pub struct InvalidRole;

impl Role {
    /// Each.
    pub const ALL: [Self; 5] = [Self::Viewer, Self::Developer, Self::Qa, Self::Approver, Self::Admin];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Developer => "developer",
            Self::Qa => "qa",
            Self::Approver => "approver",
            Self::Admin => "admin",
        }
    }

    /// Whether it may do what another may. Developers and QA do not include each other: who wrote something does not pass it.
    #[must_use]
    pub fn includes(self, other: Self) -> bool {
        match other {
            Self::Viewer => true,
            Self::Developer | Self::Qa => self == other || matches!(self, Self::Approver | Self::Admin),
            Self::Approver => matches!(self, Self::Approver | Self::Admin),
            Self::Admin => self == Self::Admin,
        }
    }
}

impl FromStr for Role {
    type Err = InvalidRole;

    fn from_str(word: &str) -> Result<Self, InvalidRole> {
        Self::ALL.into_iter().find(|role| role.name() == word).ok_or(InvalidRole)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What a person is called: an e-mail address or a handle, in lower case, so that nobody is there twice.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserName(String);

/// A text that is no user's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a user's name: an e-mail address or a handle, without spaces")]
pub struct InvalidUserName;

impl FromStr for UserName {
    type Err = InvalidUserName;

    fn from_str(text: &str) -> Result<Self, InvalidUserName> {
        let text = text.trim().to_lowercase();
        let good = |c: char| !c.is_whitespace() && !c.is_control() && !"<>\"'`\\,;".contains(c);
        if text.is_empty() || text.starts_with('-') || text.len() > LONGEST || !text.chars().all(good) {
            return Err(InvalidUserName);
        }
        Ok(Self(text))
    }
}

impl TryFrom<String> for UserName {
    type Error = InvalidUserName;

    fn try_from(text: String) -> Result<Self, InvalidUserName> {
        text.parse()
    }
}

impl From<UserName> for String {
    fn from(name: UserName) -> Self {
        name.0
    }
}

impl UserName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A person of the team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Its name.
    pub name: UserName,
    /// Its role.
    pub role: Role,
    /// When it was added, in milliseconds since the Unix epoch.
    pub added: i64,
}

/// A key on a person's device that signs them in, without the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passkey {
    /// Its id, in base64url.
    pub id: String,
    /// Whom it signs in.
    pub user: UserName,
    /// What they call it.
    pub name: String,
    /// The host of the dashboard that it is bound to.
    pub host: String,
    /// When it was added, in milliseconds since the Unix epoch.
    pub added: i64,
    /// When it was last used.
    pub used: Option<i64>,
}

/// A token for programs, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// What it is for, in its maker's word; no two are called the same.
    pub label: String,
    /// In whose name it acts.
    pub user: UserName,
    /// What it may; never more than its user.
    pub role: Role,
    /// The only project that it is good for; all where there is none.
    pub project: Option<ProjectName>,
    /// When it was made, in milliseconds since the Unix epoch.
    pub made: i64,
    /// When it ends.
    pub until: i64,
    /// When it was last used, to the minute.
    pub used: Option<i64>,
}

/// How somebody came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entrance {
    /// By a session of the dashboard.
    Dashboard,
    /// By a token.
    Token {
        /// What it is called.
        label: String,
        /// What it may.
        role: Role,
        /// The only project that it is good for.
        project: Option<ProjectName>,
    },
}

/// Somebody who is known, with what they may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The person.
    pub user: User,
    /// How they came in.
    pub entrance: Entrance,
}

impl Caller {
    /// Whether an operation on a project, or on the machine, is theirs.
    #[must_use]
    pub fn may(&self, operation: Operation, project: Option<&ProjectName>) -> bool {
        let least = operation.least();
        self.user.role.includes(least)
            && match &self.entrance {
                Entrance::Dashboard => true,
                Entrance::Token { role, project: only, .. } => {
                    role.includes(least) && (project.is_none() || only.is_none() || only.as_ref() == project)
                }
            }
    }

    /// Whether they see anything of a project.
    #[must_use]
    pub fn sees(&self, project: &ProjectName) -> bool {
        self.may(Operation::Status, Some(project))
    }

    /// Whether they see something of every project.
    #[must_use]
    pub fn sees_all(&self) -> bool {
        let limited = matches!(&self.entrance, Entrance::Token { project: Some(_), .. });
        !limited && self.may(Operation::Status, None)
    }

    /// As whom the audit log knows them.
    #[must_use]
    pub fn actor(&self) -> Actor {
        match &self.entrance {
            Entrance::Dashboard => Actor::new(self.user.name.as_str(), "dashboard"),
            Entrance::Token { label, .. } => Actor::new(self.user.name.as_str(), &format!("token {label}")),
        }
    }
}

macro_rules! operations {
    ($($(#[$doc:meta])* $operation:ident $name:literal $least:ident,)*) => {
        /// What can be asked for by the dashboard and the HTTP API.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Operation { $($(#[$doc])* $operation,)* }

        impl Operation {
            /// Each.
            pub const ALL: &[Self] = &[$(Self::$operation,)*];

            /// Its name in addresses.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$operation => $name,)* }
            }

            /// The least role that it asks for.
            #[must_use]
            pub fn least(self) -> Role {
                match self { $(Self::$operation => Role::$least,)* }
            }
        }
    };
}

operations! {
    /// The projects of the machine.
    Projects "projects" Viewer,
    /// What runs.
    Status "status" Viewer,
    /// What was deployed.
    Deployments "deployments" Viewer,
    /// One deployment.
    Deployment "deployment" Viewer,
    /// What a deployment said.
    DeploymentLog "deployment-log" Viewer,
    /// The checklist of what waits.
    Gates "gates" Viewer,
    /// What two environments do not have in common.
    Diff "diff" Viewer,
    /// What a rollback would do.
    RollbackPreview "rollback-preview" Viewer,
    /// What services printed.
    Logs "logs" Viewer,
    /// The names of what is measured.
    Series "series" Viewer,
    /// What was measured.
    Metrics "metrics" Viewer,
    /// Variables, and whether secrets are set.
    Variables "variables" Viewer,
    /// Backups and the moments that can be restored.
    Backups "backups" Viewer,
    /// Masked copies with their leak checks.
    Copies "copies" Viewer,
    /// Columns beside what becomes of them in masked copies.
    Classification "classification" Viewer,
    /// Rehearsals of migrations.
    Rehearsals "rehearsals" Viewer,
    /// How a backup or a restore goes.
    Work "work" Viewer,
    /// What the status page tells, and of every environment.
    StatusPage "status-page" Viewer,
    /// Incidents, and what alerts propose.
    Incidents "incidents" Viewer,
    /// Builds of the mobile app.
    Builds "builds" Viewer,
    /// What the environments cost.
    Cost "cost" Viewer,
    /// Who did what.
    Audit "audit" Viewer,
    /// A commit is queued.
    Deploy "deploy" Developer,
    /// The release of another environment is queued.
    Promote "promote" Developer,
    /// The release before serves again.
    Rollback "rollback" Developer,
    /// What has not begun to serve is taken back.
    Cancel "cancel" Developer,
    /// A gate that the machine cannot know is signed.
    Sign "sign" Developer,
    /// A backup is made and drilled.
    BackUp "back-up" Developer,
    /// QA's word.
    Verdict "verdict" Qa,
    /// Yes to what waits.
    Approve "approve" Approver,
    /// No to what waits.
    Reject "reject" Approver,
    /// A closed gate is answered for.
    Waive "waive" Approver,
    /// Something that is wrong is told to the world.
    OpenIncident "open-incident" Approver,
    /// More of it is told.
    UpdateIncident "update-incident" Approver,
    /// That it is over is told.
    ResolveIncident "resolve-incident" Approver,
    /// A database is restored beside the one that serves.
    Restore "restore" Admin,
    /// What was restored takes the place of what serves.
    PutInPlace "put-in-place" Admin,
    /// A copy beside what serves is deleted.
    RemoveCopy "remove-copy" Admin,
}

impl Operation {
    /// The operation of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|operation| operation.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by_token(user: Role, token: Role, project: Option<&str>) -> Caller {
        Caller {
            user: User { name: "ana".parse().unwrap(), role: user, added: 0 },
            entrance: Entrance::Token {
                label: "ci".into(),
                role: token,
                project: project.map(|name| name.parse().unwrap()),
            },
        }
    }

    #[test]
    fn developers_and_qa_do_not_speak_for_each_other_and_approvers_for_both() {
        assert!(!Role::Developer.includes(Role::Qa) && !Role::Qa.includes(Role::Developer));
        assert!(Role::Approver.includes(Role::Qa) && Role::Approver.includes(Role::Developer));
        assert!(!Role::Approver.includes(Role::Admin));
        for role in Role::ALL {
            assert!(role.includes(Role::Viewer) && role.includes(role) && Role::Admin.includes(role));
            assert_eq!(role.name().parse(), Ok(role));
        }
    }

    #[test]
    fn a_token_may_no_more_than_its_person_and_nothing_of_another_project() {
        let kaia = "kaia".parse().unwrap();
        assert!(by_token(Role::Admin, Role::Developer, None).may(Operation::Deploy, Some(&kaia)));
        assert!(!by_token(Role::Admin, Role::Developer, None).may(Operation::Approve, Some(&kaia)));
        assert!(!by_token(Role::Viewer, Role::Admin, None).may(Operation::Deploy, Some(&kaia)));
        assert!(by_token(Role::Admin, Role::Admin, Some("kaia")).may(Operation::Restore, Some(&kaia)));
        assert!(!by_token(Role::Admin, Role::Admin, Some("other")).sees(&kaia));
    }

    #[test]
    fn names_are_one_word_that_is_safe_in_a_log() {
        assert_eq!("Ana@Kaia.ai".parse::<UserName>().unwrap().as_str(), "ana@kaia.ai");
        for bad in ["", " ", "a b", "a\nb", "<script>", "-x", &"x".repeat(201)] {
            assert!(bad.parse::<UserName>().is_err(), "{bad:?}");
        }
    }
}
