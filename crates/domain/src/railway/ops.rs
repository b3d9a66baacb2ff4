//! What is done at Railway, with the ids that it takes.

use std::collections::BTreeMap;

use super::{mark::Owner, settings::Setting};
use crate::spec::{EnvironmentName, Persistence};

/// Where a service is. What is not made yet has no ids.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The project.
    pub project: String,
    /// The environment.
    pub environment: String,
    /// The service.
    pub service: String,
}

/// A template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Database {
    /// PostgreSQL.
    Postgres,
    /// Redis.
    Redis,
}

impl Database {
    /// By what Railway knows the template.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Redis => "redis",
        }
    }
}

/// What is another than in the template.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edits {
    /// The major version of the image.
    pub version: Option<u32>,
    /// The name of the database.
    pub database: Option<String>,
    /// What survives a restart.
    pub persist: Option<Persistence>,
}

/// One thing that is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// A project with one environment.
    CreateProject {
        /// Its name.
        name: String,
        /// What is written beside it.
        description: String,
        /// The environment's name.
        environment: String,
    },
    /// Another name or description.
    ChangeProject {
        /// The project.
        id: String,
        /// Its name.
        name: Option<String>,
        /// What is written beside it.
        description: Option<String>,
    },
    /// With everything in it.
    DeleteProject {
        /// The project.
        id: String,
    },
    /// A service that is nothing yet.
    CreateService {
        /// The project.
        project: String,
        /// The environment.
        environment: String,
        /// Its name.
        name: String,
        /// Whose it is.
        owner: Owner,
    },
    /// A service of a template.
    CreateDatabase {
        /// The project.
        project: String,
        /// The environment.
        environment: String,
        /// Its name.
        name: String,
        /// Whose it is.
        owner: Owner,
        /// The template.
        template: Database,
        /// What is changed in it.
        edits: Edits,
    },
    /// Another name.
    RenameService {
        /// The service.
        service: String,
        /// Its name.
        name: String,
    },
    /// The mark alone.
    AdoptService {
        /// Which.
        at: Place,
        /// Whose it is.
        owner: Owner,
    },
    /// With its volumes.
    DeleteService {
        /// Which.
        at: Place,
        /// Its volumes.
        volumes: Vec<String>,
    },
    /// A variable.
    Variable {
        /// Of which.
        at: Place,
        /// Its name.
        name: String,
        /// Its value; nothing where it goes.
        value: Option<String>,
        /// Whether nobody may see it.
        secret: bool,
        /// What the service's mark says when this is done.
        owner: Owner,
    },
    /// Settings; nothing where one goes.
    Settings {
        /// Of which.
        at: Place,
        /// As they should be.
        settings: BTreeMap<Setting, Option<String>>,
        /// What the service's mark has to say before.
        owner: Owner,
    },
    /// The repository that it is made of. The first deployment follows.
    Connect {
        /// Which.
        at: Place,
        /// OWNER/NAME
        repository: String,
        /// The branch.
        branch: String,
        /// Whether each push is deployed.
        at_each_push: bool,
    },
    /// Each push is deployed.
    DeployAtPush {
        /// Which.
        at: Place,
        /// What does so already, for another branch.
        trigger: Option<String>,
        /// OWNER/NAME
        repository: String,
        /// The branch.
        branch: String,
    },
    /// No push is deployed.
    DeployByHand {
        /// What deploys now.
        trigger: String,
    },
    /// A host leads to it.
    CreateHost {
        /// To which.
        at: Place,
        /// The host.
        host: String,
        /// The port.
        port: Option<u16>,
        /// What the service's mark has to say before.
        owner: Owner,
    },
    /// A host leads to another port.
    MoveHost {
        /// The host.
        id: String,
        /// The environment.
        environment: String,
        /// The port.
        port: Option<u16>,
    },
    /// A host does not lead there any more.
    DeleteHost {
        /// The host.
        id: String,
    },
    /// A PostgreSQL's log is archived from now on. It is deployed anew for it.
    Archive {
        /// Which.
        at: Place,
        /// Of which environment.
        environment: EnvironmentName,
    },
    /// How often a volume is backed up.
    Schedule {
        /// The volume in its environment.
        volume: String,
        /// `DAILY`, …
        kinds: Vec<&'static str>,
    },
}

impl Op {
    /// Whether something is made that later ones need.
    #[must_use]
    pub fn makes(&self) -> bool {
        matches!(self, Self::CreateProject { .. } | Self::CreateService { .. } | Self::CreateDatabase { .. })
    }

    /// What has a smaller number is done first, in all environments: what is made, what needs that, hosts, what goes.
    #[must_use]
    pub fn stage(&self) -> u8 {
        match self {
            Self::CreateProject { .. } | Self::ChangeProject { .. } => 0,
            Self::CreateService { .. } | Self::CreateDatabase { .. } | Self::RenameService { .. } => 1,
            Self::CreateHost { .. } => 3,
            Self::DeleteService { .. } | Self::DeleteProject { .. } => 4,
            _ => 2,
        }
    }

    /// Whether everything that it needs is there.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        match self {
            Self::CreateService { environment, .. } | Self::CreateDatabase { environment, .. } => {
                !environment.is_empty()
            }
            Self::Variable { at, .. }
            | Self::Settings { at, .. }
            | Self::Connect { at, .. }
            | Self::Archive { at, .. }
            | Self::CreateHost { at, .. } => !at.service.is_empty(),
            Self::Schedule { volume, .. } => !volume.is_empty(),
            _ => true,
        }
    }

    /// The service whose variable it sets or deletes: those of one are written together.
    #[must_use]
    pub fn variable_of(&self) -> Option<&Place> {
        match self {
            Self::Variable { at, .. } => Some(at),
            _ => None,
        }
    }

    /// The requests that it takes by itself.
    fn requests(&self) -> u32 {
        match self {
            Self::Variable { .. } => 0,
            // Asked for, waited for.
            Self::CreateDatabase { .. } => 3,
            // What others staged, the template, what it stages, waited for, committed.
            Self::Archive { .. } => 6,
            Self::Connect { at_each_push: false, .. } => 3,
            Self::DeleteService { volumes, .. } => 1 + u32::try_from(volumes.len()).unwrap_or(u32::MAX),
            _ => 1,
        }
    }
}

/// The requests that these take, in this order; a look takes `look` of them.
#[must_use]
pub fn cost(ops: &[&Op], look: u32) -> u32 {
    let mut calls = 0u32;
    let mut written: Option<(&Place, bool)> = None;
    for op in ops {
        calls = calls.saturating_add(op.requests());
        let Op::Variable { at, value, .. } = op else {
            written = None;
            continue;
        };
        // Those of one service are written at once. Where one goes, it is staged first, beside nothing else.
        let (begun, staged) = match written {
            Some((place, staged)) if place == at => (true, staged),
            _ => (false, false),
        };
        calls = calls.saturating_add(u32::from(!begun) + if value.is_none() && !staged { 2 } else { 0 });
        written = Some((at, staged || value.is_none()));
    }
    let any = |is: fn(&Op) -> bool| u32::from(ops.iter().any(|op| is(op)));
    let looks = 1
        + any(|op| matches!(op, Op::CreateProject { .. }))
        + any(|op| matches!(op, Op::CreateService { .. } | Op::CreateDatabase { .. }))
        + any(|op| matches!(op, Op::CreateHost { .. }));
    calls.saturating_add(looks.saturating_mul(look))
}
