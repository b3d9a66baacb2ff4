//! The application with its parts put together.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use ambit_domain::{EnvironmentId, Failure, FailureKind, Home, Provider, spec::ProjectName};
use ambit_host::Host;
use ambit_proxy::table::RouteState;
use ambit_store::{AuditHeads, FormatError, Metrics, Store, StoreError};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    address::Address,
    monitor::{KeptElsewhere, Readings},
    pipeline::Pipelines,
};

/// What the application takes from the process that runs it.
#[derive(Clone)]
pub struct Surroundings {
    /// The `ambit` program, which is also daemon, proxy and keeper.
    pub program: PathBuf,
    /// Where programs are looked for, in order.
    pub path: Vec<PathBuf>,
    /// Settings of package managers and proxies that builds inherit (`npm_config_registry`, `HTTPS_PROXY`, …).
    pub build_variables: Vec<(String, String)>,
    /// Where the proxy listens when nobody said otherwise.
    pub listen: SocketAddr,
    /// The keys of a project that this process can find by itself, as text; empty where there are none.
    pub keys: fn(&ProjectName) -> String,
}

/// Everything that the use cases work with.
pub struct Ambit {
    pub(crate) home: Home,
    pub(crate) store: Store,
    pub(crate) audit_heads: AuditHeads,
    pub(crate) metrics: OnceLock<Metrics>,
    /// What the monitor read last.
    pub(crate) readings: Mutex<Readings>,
    /// Held while an alert or an incident is read and written.
    pub(crate) alerting: Mutex<()>,
    pub(crate) host: Arc<Host>,
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) surroundings: Surroundings,
    /// What is counted is how often each environment was changed.
    alone: Mutex<HashMap<EnvironmentId, Arc<tokio::sync::Mutex<u64>>>>,
    /// Keys that came with requests: they live as long as this process.
    keys: Mutex<HashMap<ProjectName, String>>,
    pub(crate) pipelines: Pipelines,
    /// Wakes whoever empties the outbox.
    pub(crate) announced: tokio::sync::Notify,
    /// One deployment is told to GitHub at a time: what is there is looked at and changed in one go.
    pub(crate) telling: tokio::sync::Mutex<()>,
    pub(crate) routing: tokio::sync::Mutex<()>,
    /// Environments whose requests wait. What a killed daemon held ends by itself.
    pub(crate) holds: Mutex<HashMap<EnvironmentId, RouteState>>,
    pub(crate) keeping_commits: tokio::sync::Mutex<()>,
    pub(crate) receiving: tokio::sync::Mutex<()>,
    pub(crate) delivered: tokio::sync::Notify,
    /// Wakes whoever looks at pull requests.
    pub(crate) proposed: tokio::sync::Notify,
    /// Environments that a masked copy is being made for.
    pub(crate) copying: Mutex<HashSet<EnvironmentId>>,
    /// One backup, drill or restore at a time: each reads a whole cluster.
    pub(crate) backing_up: tokio::sync::Mutex<()>,
    /// One backup, drill or restore elsewhere at a time.
    pub(crate) backing_up_elsewhere: tokio::sync::Mutex<()>,
    /// Environments elsewhere that the daemon backs up.
    pub(crate) kept_elsewhere: Mutex<BTreeMap<EnvironmentId, KeptElsewhere>>,
    /// What changes the builds of the mobile app, one at a time: a version code is looked at and taken in one go.
    pub(crate) publishing: tokio::sync::Mutex<()>,
    /// One rehearsal at a time.
    pub(crate) rehearsing: tokio::sync::Mutex<()>,
    pub(crate) building: tokio::sync::Semaphore,
    pub(crate) keeping: crate::certificates::Keeping,
}

impl Ambit {
    /// Opens the state folder, makes it where there is none, and refuses one that is newer than this program.
    pub fn open(home: Home, surroundings: Surroundings) -> Result<Self, Failure> {
        let host = Arc::new(Host::new(home.clone(), surroundings.program.clone()));
        let mode = if host.separates_users() { 0o711 } else { 0o700 };
        ambit_store::claim(&home, mode).map_err(|error| format_failure(&error))?;
        let store = Store::open(&home.database()).map_err(|error| store_failure(&error))?;
        Ok(Self {
            audit_heads: AuditHeads::new(home.audit_head()),
            metrics: OnceLock::new(),
            readings: Mutex::default(),
            alerting: Mutex::default(),
            home,
            store,
            provider: host.clone(),
            host,
            surroundings,
            alone: Mutex::default(),
            keys: Mutex::default(),
            pipelines: Pipelines::default(),
            announced: tokio::sync::Notify::new(),
            telling: tokio::sync::Mutex::default(),
            routing: tokio::sync::Mutex::default(),
            holds: Mutex::default(),
            keeping_commits: tokio::sync::Mutex::default(),
            receiving: tokio::sync::Mutex::default(),
            delivered: tokio::sync::Notify::new(),
            proposed: tokio::sync::Notify::new(),
            copying: Mutex::default(),
            backing_up: tokio::sync::Mutex::default(),
            backing_up_elsewhere: tokio::sync::Mutex::default(),
            kept_elsewhere: Mutex::default(),
            publishing: tokio::sync::Mutex::default(),
            rehearsing: tokio::sync::Mutex::default(),
            // One build at a time: a build uses every core by itself.
            building: tokio::sync::Semaphore::new(1),
            keeping: crate::certificates::Keeping::default(),
        })
    }

    /// The state folder.
    #[must_use]
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// One change at a time within an environment.
    pub(crate) async fn alone(&self, id: &EnvironmentId) -> tokio::sync::OwnedMutexGuard<u64> {
        let mut changes = self.changes_of(id).lock_owned().await;
        *changes = changes.wrapping_add(1);
        changes
    }

    /// How often an environment was changed since the daemon began; `None` while somebody changes it.
    pub(crate) fn left_alone(&self, id: &EnvironmentId) -> Option<u64> {
        self.changes_of(id).try_lock().ok().map(|changes| *changes)
    }

    fn changes_of(&self, id: &EnvironmentId) -> Arc<tokio::sync::Mutex<u64>> {
        let mut all = self.alone.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(id.clone()).or_default())
    }

    /// Remembers the keys that came with a request, for work that goes on after it.
    pub(crate) fn remember_keys(&self, project: &ProjectName, keys: &str) {
        if !keys.trim().is_empty() {
            let mut all = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
            all.insert(project.clone(), keys.to_owned());
        }
    }

    /// The keys of a project: those of the last request, else those that this process finds.
    pub(crate) fn keys_of(&self, project: &ProjectName) -> String {
        let known = self.keys.lock().unwrap_or_else(PoisonError::into_inner).get(project).cloned();
        known.unwrap_or_else(|| (self.surroundings.keys)(project))
    }

    /// Where the proxy listens.
    pub fn listen(&self) -> Result<SocketAddr, Failure> {
        let recorded = self.store.setting("listen").map_err(|e| store_failure(&e))?;
        Ok(recorded.and_then(|text| text.parse().ok()).unwrap_or(self.surroundings.listen))
    }

    /// How services are reached: by their public addresses where the proxy serves the world by TLS, else on this machine.
    pub(crate) fn address(&self) -> Result<Address, Failure> {
        let listen = self.listen()?;
        let world = self.listen_tls()?.is_some_and(|tls| !tls.ip().is_loopback());
        Ok(if world { Address::Server(listen) } else { Address::Here(listen) })
    }

    /// Where builds and apps find programs, as one `PATH`.
    pub(crate) fn path(&self) -> String {
        let parts: Vec<_> = self.surroundings.path.iter().map(|p| p.to_string_lossy()).collect();
        parts.join(":")
    }

    /// What is kept under the name of a setting; the default where nothing is.
    pub(crate) fn remembered<T: DeserializeOwned + Default>(&self, name: &str) -> Result<T, Failure> {
        let text = self.store.setting(name).map_err(|e| store_failure(&e))?;
        let Some(text) = text else { return Ok(T::default()) };
        serde_json::from_str(&text).map_err(|e| {
            Failure::new(FailureKind::Machine, format!("what is remembered as `{name}` cannot be read"))
                .because(e.to_string())
        })
    }

    /// Keeps something under the name of a setting.
    pub(crate) fn remember<T: Serialize>(&self, name: &str, value: &T) -> Result<(), Failure> {
        let text = serde_json::to_string(value).map_err(|e| Failure::from_error(FailureKind::Internal, &e))?;
        self.store.set_setting(name, &text).map_err(|e| store_failure(&e))
    }

    pub(crate) fn ids(&self, project: &ProjectName) -> Result<Vec<EnvironmentId>, Failure> {
        let all = self.store.environments().map_err(|e| store_failure(&e))?;
        Ok(all.into_iter().map(|(id, _)| id).filter(|id| id.project == *project).collect())
    }

    /// All projects, for work that comes again by itself: where they cannot be read there are none this time.
    pub(crate) fn projects_for_now(&self) -> Vec<ProjectName> {
        self.store.projects().unwrap_or_else(|error| {
            tracing::error!("projects cannot be read: {}", store_failure(&error));
            Vec::new()
        })
    }
}

pub(crate) fn store_failure(error: &StoreError) -> Failure {
    let failure = Failure::from_error(FailureKind::Machine, error);
    match error {
        StoreError::Newer { .. } => failure.hint("install the newer ambit that wrote it"),
        StoreError::Damaged { .. } => failure.hint("nothing was changed; keep a copy of the file before you repair it"),
        StoreError::Audit(_) => failure.hint("ambit log --verify tells where; keep a copy of the state folder"),
        StoreError::Sqlite { .. } | StoreError::Heads { .. } => {
            failure.hint("is the disk full, or the file owned by someone else?")
        }
    }
}

fn format_failure(error: &FormatError) -> Failure {
    let failure = Failure::from_error(FailureKind::Machine, error);
    match error {
        FormatError::Newer { .. } => failure.hint("install the newer ambit that wrote it"),
        FormatError::Foreign { .. } => failure.hint("set AMBIT_HOME to an empty or a new folder"),
        FormatError::Damaged { .. } => failure.hint("restore the file from a copy of the folder"),
        FormatError::Io { .. } => failure.hint("set AMBIT_HOME to a folder that you can write to"),
    }
}

pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|k| (strsim::damerau_levenshtein(word, k), k))
        .filter(|(distance, k)| *distance <= 1 + k.len() / 3)
        .min()
        .map(|(_, k)| k)
}

pub(crate) fn same_folder(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => a == b,
    }
}
