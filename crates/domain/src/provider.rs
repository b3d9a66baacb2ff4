//! What realises an environment. The application layer speaks to this trait; `host` is the first to implement it.
//!
//! Every method may be called again after a crash at any point: it finds what is there and does the rest.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use async_trait::async_trait;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::{
    Failure,
    backup::{Count, Form, Listed, RedisCopy, Segment, TableCount},
    ids::{EnvironmentId, InstanceId},
    spec::{BackupPlace, Health, Kind, Persistence},
};

/// The variable that tells an app which release it is, by the first digits of its build.
pub const RELEASE_VARIABLE: &str = "AMBIT_RELEASE";

/// A PostgreSQL as it should be.
#[derive(Clone)]
pub struct PostgresServer {
    /// Decides durability and tuning.
    pub kind: Kind,
    /// Major version; `None` keeps the cluster's own, or takes the newest for a new one.
    pub version: Option<u32>,
    /// Loopback port.
    pub port: u16,
    /// The application's database.
    pub database: String,
    /// The application's role, owner of the database.
    pub role: String,
    /// Its password.
    pub role_password: String,
    /// Password of the superuser `postgres`, for Ambit alone.
    pub admin_password: String,
    /// Memory limit in bytes.
    pub memory: Option<u64>,
    /// Settings that override Ambit's.
    pub settings: IndexMap<String, String>,
    /// How it is backed up, where it is.
    pub backup: Option<Repository>,
}

/// Where the backups of an environment lie, opened.
#[derive(Clone)]
pub struct Repository {
    /// Where; `None` is the provider's own place.
    pub place: Option<BackupPlace>,
    /// The values of the secrets that [`BackupPlace::secrets`] names, in their order.
    pub secrets: Vec<String>,
    /// What everything in it is encrypted by.
    pub passphrase: String,
    /// How long backups stay.
    pub keep: Duration,
    /// Whether the log between two backups stays as long.
    pub point_in_time: bool,
}

/// What a cluster is restored to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// As the backup left it: the first moment at which it is consistent.
    Backup,
    /// The named point in the log.
    Point(String),
    /// A moment, in milliseconds since the Unix epoch: everything that was committed until then.
    Moment(i64),
    /// The end of the archived log.
    End,
}

/// Which backup is restored to what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restore {
    /// Names the restored cluster among those of its environment.
    pub name: String,
    /// The backup that it begins with.
    pub backup: String,
    /// Where it ends.
    pub target: Target,
    /// What becomes of it.
    pub purpose: Purpose,
    /// The loopback port that it listens on.
    pub port: u16,
}

/// What becomes of a restored cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// Looked at by a drill and thrown away.
    Drill,
    /// Kept beside for somebody to look at.
    Beside,
    /// Put into the place of the environment's own.
    Replace,
}

/// A cluster beside the one that serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beside {
    /// Its name.
    pub name: String,
    /// What it is.
    pub state: BesideState,
    /// The loopback port that it listens on, while it runs.
    pub port: Option<u16>,
}

/// What a cluster beside the one that serves is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BesideState {
    /// Work goes on there, or was interrupted.
    Unfinished,
    /// Restored for somebody to look at.
    Restored,
    /// It served until a restore took its place.
    Replaced,
}

/// A Redis as it should be.
#[derive(Clone)]
pub struct RedisServer {
    /// Loopback port.
    pub port: u16,
    /// Password of the user `default`.
    pub password: String,
    /// Password of the user `ambit`, for Ambit alone.
    pub admin_password: String,
    /// What survives a restart.
    pub persist: Persistence,
    /// `maxmemory` in bytes.
    pub memory: Option<u64>,
}

/// A process as it should be.
#[derive(Clone)]
pub struct AppProcess {
    /// Shell command line.
    pub command: String,
    /// Where it runs.
    pub directory: PathBuf,
    /// Its whole environment, `PATH` included.
    pub variables: Vec<(String, String)>,
    /// Memory limit in bytes.
    pub memory: Option<u64>,
    /// Processor limit in cores.
    pub cpus: Option<f64>,
    /// Values that never get into its log.
    pub secrets: Vec<String>,
}

/// A process that runs to its end.
#[derive(Clone)]
pub struct Task {
    /// The process.
    pub process: AppProcess,
    /// How long it may take; it is ended then.
    pub longest: Duration,
}

/// How a task stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskStatus {
    /// Its name.
    pub name: String,
    /// Whether it runs.
    pub running: bool,
    /// Whether it ended well; `None` while it runs.
    pub well: Option<bool>,
    /// How it ended, for people.
    pub exit: String,
}

/// When a started process counts as ready.
#[derive(Clone)]
pub struct Readiness {
    /// The port that it has to listen on; `None` for workers, which have to stay up for a moment.
    pub port: Option<u16>,
    /// What to ask it.
    pub health: Option<Health>,
    /// The `Host` header to ask with.
    pub host: String,
    /// How long it has.
    pub deadline: Duration,
}

/// What starting a server came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// Whether anything is different now.
    pub changed: bool,
    /// What was done, for people: `made`, `started`, `restarted: shared_buffers`.
    pub detail: String,
    /// Whether its data is new.
    pub created: bool,
}

/// How a migration file stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MigrationStatus {
    /// Number and name.
    pub name: String,
    /// Whether it ran.
    pub ran: bool,
    /// Whether the file is another than the one that ran.
    pub changed: bool,
}

/// A database of an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseStatus {
    /// Its name.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it was made, in milliseconds since the Unix epoch.
    pub made: i64,
}

/// How an instance stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InstanceStatus {
    /// Which one.
    pub service: String,
    /// Its number.
    pub number: u32,
    /// How it stands.
    pub health: InstanceHealth,
    /// Process id.
    pub pid: Option<u32>,
    /// Start, in milliseconds since the Unix epoch.
    pub since: Option<i64>,
    /// Resident memory of the whole process tree, in bytes.
    pub memory: u64,
    /// Restarts since it was put there.
    pub restarts: u32,
    /// Why its limits are not enforced, where some are declared and are not.
    pub limits_note: Option<String>,
}

/// How an instance stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum InstanceHealth {
    /// Its process is there.
    Running,
    /// It ended and is started again after a pause.
    Restarting {
        /// How it ended.
        exit: String,
    },
    /// It should not run.
    Stopped,
}

/// Takes the lines that a task prints.
pub type Sink<'a> = &'a (dyn Fn(&str) + Send + Sync);

/// Realises environments somewhere.
#[async_trait]
pub trait Provider: Send + Sync {
    /// Makes the environment's own place: its folders and its OS user.
    async fn prepare(&self, id: &EnvironmentId) -> Result<(), Failure>;

    /// Makes, starts or adjusts the PostgreSQL; returns when it answers.
    async fn start_postgres(&self, id: &EnvironmentId, server: &PostgresServer) -> Result<Started, Failure>;

    /// Makes, starts or adjusts the Redis; returns when it answers.
    async fn start_redis(&self, id: &EnvironmentId, server: &RedisServer) -> Result<Started, Failure>;

    /// Runs a command to its end (a migration, a seed, a job) as the environment's user, under a name. It outlives
    /// whoever asked for it: a second call with the same name waits for the same run and tells how it ended.
    async fn run_task(&self, id: &EnvironmentId, name: &str, task: &Task, output: Sink<'_>) -> Result<(), Failure>;

    /// Runs the SQL files of a folder that have not run yet, under a lock; returns the names of what ran.
    async fn migrate(&self, id: &EnvironmentId, server: &PostgresServer, folder: &Path)
    -> Result<Vec<String>, Failure>;

    /// Which SQL files of a folder have run.
    async fn migration_status(
        &self,
        id: &EnvironmentId,
        server: &PostgresServer,
        folder: &Path,
    ) -> Result<Vec<MigrationStatus>, Failure>;

    /// The SQL files of a folder that have not run yet, as names and texts, in the order in which they would run.
    async fn pending_migrations(
        &self,
        id: &EnvironmentId,
        server: &PostgresServer,
        folder: &Path,
    ) -> Result<Vec<(String, String)>, Failure>;

    /// Stops a task where it runs, with everything that it started, and forgets it.
    async fn forget_task(&self, id: &EnvironmentId, name: &str) -> Result<(), Failure>;

    /// The tasks of an environment that are remembered, by name.
    fn tasks(&self, id: &EnvironmentId) -> Vec<TaskStatus>;

    /// Empties the servers of an environment that is not production.
    async fn reset(
        &self,
        id: &EnvironmentId,
        postgres: Option<&PostgresServer>,
        redis: Option<&RedisServer>,
    ) -> Result<(), Failure>;

    /// Copies the database into a restore point of this name; returns its size in bytes. Repeated after a crash, it
    /// begins anew.
    async fn make_restore_point(&self, id: &EnvironmentId, server: &PostgresServer, name: &str)
    -> Result<u64, Failure>;

    /// Loads a restore point into a database beside the present one, made anew; where that fails, it is dropped.
    async fn load_restore_point(
        &self,
        id: &EnvironmentId,
        server: &PostgresServer,
        name: &str,
        beside: &str,
    ) -> Result<(), Failure>;

    /// Deletes a restore point.
    async fn remove_restore_point(&self, id: &EnvironmentId, name: &str) -> Result<(), Failure>;

    /// Makes an empty database beside the present one; one of that name is dropped.
    async fn create_database(&self, id: &EnvironmentId, server: &PostgresServer, name: &str) -> Result<(), Failure>;

    /// Copies a database as the server itself does; one of the new name is dropped. Whoever is connected to the original is
    /// cut off.
    async fn copy_database(
        &self,
        id: &EnvironmentId,
        server: &PostgresServer,
        from: &str,
        to: &str,
    ) -> Result<(), Failure>;

    /// Puts the database `beside` in the place of the present one, which is called `kept` from then on: both at once, so that
    /// a crash leaves the one or the other. One that was called `kept` is dropped. Whoever is connected is cut off. Where there
    /// is no `beside`, nothing is changed.
    async fn swap_database(
        &self,
        id: &EnvironmentId,
        server: &PostgresServer,
        beside: &str,
        kept: &str,
    ) -> Result<(), Failure>;

    /// Drops a database, never the present one.
    async fn drop_database(&self, id: &EnvironmentId, server: &PostgresServer, name: &str) -> Result<(), Failure>;

    /// The databases whose names begin with a prefix.
    async fn databases(
        &self,
        id: &EnvironmentId,
        server: &PostgresServer,
        prefix: &str,
    ) -> Result<Vec<DatabaseStatus>, Failure>;

    /// Writes the present database to a file that is not there yet, for its owner alone; returns its size in bytes.
    async fn export_database(&self, id: &EnvironmentId, server: &PostgresServer, into: &Path) -> Result<u64, Failure>;

    /// Loads such a file, which may be broken or hostile, into a database beside the present one, made anew; where that fails,
    /// it is dropped. Never of a production environment.
    async fn import_database(
        &self,
        id: &EnvironmentId,
        server: &PostgresServer,
        from: &Path,
        beside: &str,
    ) -> Result<(), Failure>;

    /// Runs a file of SQL in one transaction, as the application's role.
    async fn run_sql(&self, id: &EnvironmentId, server: &PostgresServer, file: &Path) -> Result<(), Failure>;

    /// Deletes every key of a Redis.
    async fn empty_redis(&self, id: &EnvironmentId, server: &RedisServer) -> Result<(), Failure>;

    /// The version of what makes backups, or why there can be none here.
    fn backup_engine(&self, repository: &Repository) -> Result<String, Failure>;

    /// Copies the PostgreSQL into its repository, with the log that it needs, and throws away what is kept no longer. What an
    /// interrupted one left is used or thrown away by the next.
    async fn back_up_postgres(
        &self,
        id: &EnvironmentId,
        server: &PostgresServer,
        form: Form,
        output: Sink<'_>,
    ) -> Result<Listed, Failure>;

    /// Counts the rows of every table at a point of the log that it names, and waits until the log is archived up to there.
    async fn count_rows(&self, id: &EnvironmentId, server: &PostgresServer, point: &str) -> Result<Count, Failure>;

    /// Has everything that was committed until now archived.
    async fn archive_now(&self, id: &EnvironmentId, server: &PostgresServer) -> Result<(), Failure>;

    /// The backups and the segments of the log that the repository holds.
    async fn list_backups(&self, id: &EnvironmentId) -> Result<(Vec<Listed>, Vec<Segment>), Failure>;

    /// Reads everything in the repository and compares it with its checksums.
    async fn verify_backups(&self, id: &EnvironmentId, output: Sink<'_>) -> Result<(), Failure>;

    /// Restores a cluster beside the one that serves and starts it; returns when it answers and is not recovering any more.
    async fn restore_postgres(
        &self,
        id: &EnvironmentId,
        server: &PostgresServer,
        restore: &Restore,
        output: Sink<'_>,
    ) -> Result<(), Failure>;

    /// Counts the rows of a restored cluster.
    async fn restored_rows(&self, server: &PostgresServer, restore: &Restore) -> Result<Vec<TableCount>, Failure>;

    /// Examines a restored cluster: its indexes and tables, the smoke query, the checksums of its pages. Returns what was
    /// checked. It does not run afterwards.
    async fn examine(
        &self,
        id: &EnvironmentId,
        server: &PostgresServer,
        restore: &Restore,
        smoke: Option<&str>,
    ) -> Result<Vec<String>, Failure>;

    /// Puts a restored cluster into the place of the one that serves, which is kept beside under the restore's name.
    /// The environment's apps do not run meanwhile. Where the restored one does not start, the other serves again.
    async fn put_in_place(&self, id: &EnvironmentId, server: &PostgresServer, name: &str) -> Result<(), Failure>;

    /// The clusters beside the one that serves.
    fn beside(&self, id: &EnvironmentId) -> Vec<Beside>;

    /// Ends and deletes a cluster beside the one that serves.
    async fn remove_beside(&self, id: &EnvironmentId, name: &str) -> Result<(), Failure>;

    /// After a crash: finishes or takes back what was to be put in place, and deletes what nobody asked to keep.
    async fn settle_restores(&self, id: &EnvironmentId) -> Result<(), Failure>;

    /// Copies the files of the Redis, consistent with each other, under a name.
    async fn back_up_redis(&self, id: &EnvironmentId, server: &RedisServer, name: &str) -> Result<RedisCopy, Failure>;

    /// Starts a Redis with such a copy on a port, beside; returns how many keys it holds, and ends it again.
    async fn examine_redis(
        &self,
        id: &EnvironmentId,
        server: &RedisServer,
        name: &str,
        copy: &RedisCopy,
        port: u16,
    ) -> Result<u64, Failure>;

    /// Puts such a copy into the place of the files of the Redis that serves; those are kept beside, under the name that is
    /// returned.
    async fn restore_redis(
        &self,
        id: &EnvironmentId,
        server: &RedisServer,
        name: &str,
        copy: &RedisCopy,
    ) -> Result<String, Failure>;

    /// Deletes such a copy.
    async fn remove_redis_backup(&self, id: &EnvironmentId, name: &str) -> Result<(), Failure>;

    /// Starts an instance; does not wait for it.
    async fn start_app(&self, id: &InstanceId, app: &AppProcess) -> Result<(), Failure>;

    /// Waits until an instance is ready, or says why it never will be.
    async fn wait_ready(&self, id: &InstanceId, readiness: &Readiness) -> Result<(), Failure>;

    /// Stops an instance with everything that it started, and remembers how it is started.
    async fn pause_app(&self, id: &InstanceId) -> Result<(), Failure>;

    /// Starts an instance that was paused, as it was; one that runs is left alone. Does not wait for it.
    async fn start_again(&self, id: &InstanceId) -> Result<(), Failure>;

    /// Stops an instance with everything that it started, and forgets it.
    async fn stop_instance(&self, id: &InstanceId) -> Result<(), Failure>;

    /// Stops everything of an environment, apps before servers. Data stays.
    async fn stop_environment(&self, id: &EnvironmentId) -> Result<(), Failure>;

    /// Deletes a stopped environment with its data.
    async fn remove_environment(&self, id: &EnvironmentId) -> Result<(), Failure>;

    /// How the instances of an environment stand. Cheap.
    fn instances(&self, id: &EnvironmentId) -> Vec<InstanceStatus>;

    /// Whether the environment's databases hold anything; `None` where that cannot be found out.
    async fn holds_data(
        &self,
        id: &EnvironmentId,
        postgres: Option<&PostgresServer>,
        redis: Option<&RedisServer>,
    ) -> Option<bool>;

    /// Puts back every supervisor that died while its instance should run. Called twice a second.
    fn revive(&self) -> Vec<String>;

    /// A free port for a key, the same one again where possible, never one in `taken`.
    fn choose_port(&self, key: &str, taken: &[u16]) -> Result<u16, Failure>;
}
