//! Where things lie in the state folder. Paths only; who makes and owns them is the business of the rooms above.
//!
//! ```text
//! format                              "ambit-home 1": refused when newer than the program knows
//! run/daemon.sock  run/daemon.lock    the daemon's API and the proof that it lives
//! state.db                            what the daemon remembers (SQLite)
//! metrics.db                          figures over time (SQLite)
//! audit.head                          the newest hash after each entry of the audit log, appended
//! proxy/routes.json  proxy/proxy.sock  proxy/proxy.lock
//! proxy/certificates/  proxy/challenges/
//! acme/                               accounts with certificate authorities, with their keys
//! sites/PROJECT/ENV/…                 files that the proxy serves
//! sites/PROJECT/ENV/@builds/          index.json, and ID/ for each build of the mobile app
//! builds/PROJECT/ID/                  built trees, never changed
//! cache/PROJECT/                      dependency caches of builds
//! environments/PROJECT/ENV/           0700, owned by the environment's OS user
//!     postgres/  redis/  home/        data directories; HOME of its apps
//! backups/PROJECT/ENV/                backups; stay when the environment is destroyed
//! beside/PROJECT/ENV/NAME/            keeper records of clusters that were restored beside
//! repositories/PROJECT.git            what was pushed and deployed
//! tasks/PROJECT/ENV/NAME/             records of commands that run to their end
//! keepers/PROJECT/ENV/SERVICE.N/      keeper records: spec.json, state.json, lock, log
//! old-logs/PROJECT/ENV/SERVICE.N-MS/  logs of instances that are no more
//! logs/                               daemon.log, proxy.log, builds/
//! ```

use std::path::{Path, PathBuf};

use crate::{
    ids::{DeploymentId, EnvironmentId, InstanceId},
    spec::ProjectName,
};

/// The state folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    root: PathBuf,
}

impl Home {
    /// The folder at an absolute path.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Holds the format version.
    #[must_use]
    pub fn format_file(&self) -> PathBuf {
        self.root.join("format")
    }

    /// Sockets and locks of the daemon.
    #[must_use]
    pub fn run(&self) -> PathBuf {
        self.root.join("run")
    }

    /// The daemon's API.
    #[must_use]
    pub fn daemon_socket(&self) -> PathBuf {
        self.run().join("daemon.sock")
    }

    /// Held by the living daemon.
    #[must_use]
    pub fn daemon_lock(&self) -> PathBuf {
        self.run().join("daemon.lock")
    }

    /// What the daemon remembers.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.root.join("state.db")
    }

    /// Figures over time.
    #[must_use]
    pub fn metrics(&self) -> PathBuf {
        self.root.join("metrics.db")
    }

    /// The hashes of the audit log, outside of the database.
    #[must_use]
    pub fn audit_head(&self) -> PathBuf {
        self.root.join("audit.head")
    }

    /// The proxy's own folder.
    #[must_use]
    pub fn proxy(&self) -> PathBuf {
        self.root.join("proxy")
    }

    /// Accounts with certificate authorities.
    #[must_use]
    pub fn acme(&self) -> PathBuf {
        self.root.join("acme")
    }

    /// Files that the proxy serves for one environment.
    #[must_use]
    pub fn sites(&self, id: &EnvironmentId) -> PathBuf {
        self.root.join("sites").join(id.project.as_str()).join(id.environment.as_str())
    }

    /// Builds of the mobile app of one environment, as the proxy hands them out. No service can have this name.
    #[must_use]
    pub fn mobile_builds(&self, id: &EnvironmentId) -> PathBuf {
        self.sites(id).join("@builds")
    }

    /// Built trees.
    #[must_use]
    pub fn builds(&self) -> PathBuf {
        self.root.join("builds")
    }

    /// Dependency caches of builds.
    #[must_use]
    pub fn cache(&self) -> PathBuf {
        self.root.join("cache")
    }

    /// The environment's own folder, which only its OS user (and root) can enter.
    #[must_use]
    pub fn environment(&self, id: &EnvironmentId) -> PathBuf {
        self.root.join("environments").join(id.project.as_str()).join(id.environment.as_str())
    }

    /// Keeper records of one environment.
    #[must_use]
    pub fn keepers(&self, id: &EnvironmentId) -> PathBuf {
        self.root.join("keepers").join(id.project.as_str()).join(id.environment.as_str())
    }

    /// Logs of one environment's instances that are no more.
    #[must_use]
    pub fn old_logs(&self, id: &EnvironmentId) -> PathBuf {
        self.root.join("old-logs").join(id.project.as_str()).join(id.environment.as_str())
    }

    /// The record of one instance's keeper.
    #[must_use]
    pub fn keeper(&self, id: &InstanceId) -> PathBuf {
        self.keepers(&id.environment).join(format!("{}.{}", id.service, id.number))
    }

    /// The record of a command that runs to its end in an environment.
    #[must_use]
    pub fn task(&self, id: &EnvironmentId, name: &str) -> PathBuf {
        self.tasks(id).join(name)
    }

    /// Records of commands that run to their end.
    #[must_use]
    pub fn tasks(&self, id: &EnvironmentId) -> PathBuf {
        self.root.join("tasks").join(id.project.as_str()).join(id.environment.as_str())
    }

    /// Backups of one environment, with what makes them.
    #[must_use]
    pub fn backups(&self, id: &EnvironmentId) -> PathBuf {
        self.root.join("backups").join(id.project.as_str()).join(id.environment.as_str())
    }

    /// Keeper records of the clusters that were restored beside that of one environment.
    #[must_use]
    pub fn beside(&self, id: &EnvironmentId) -> PathBuf {
        self.root.join("beside").join(id.project.as_str()).join(id.environment.as_str())
    }

    /// The repository that Ambit keeps of a project: what was pushed to it, and every commit that was deployed.
    #[must_use]
    pub fn repository(&self, project: &ProjectName) -> PathBuf {
        self.root.join("repositories").join(format!("{project}.git"))
    }

    /// What a deployment said while it went on: one JSON event a line.
    #[must_use]
    pub fn deployment_log(&self, number: DeploymentId) -> PathBuf {
        self.logs().join("deployments").join(format!("{number}.jsonl"))
    }

    /// Logs of the daemon, the proxy and builds.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }
}
