//! A project as its file declares it. Overrides per environment are already applied: an [`Environment`] is complete in
//! itself, and nobody downstream asks which value came from where, except through [`Origin`].

use std::{
    ops::Range,
    path::{Component, Path, PathBuf},
    time::Duration,
};

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::{
    costs::{Costs, Placement},
    monitoring::Monitoring,
    name::{EnvironmentName, ProjectName, ServiceName},
    notifications::Notifications,
    policy::Policy,
    providers::{Providers, Railway},
    tls::Acme,
};

/// What one `ambit.toml` declares.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Project {
    /// Its name.
    pub name: ProjectName,
    /// The public domain that `@` stands for, where there is one.
    pub domain: Option<String>,
    /// The environments, in the order of the file, each complete.
    pub environments: IndexMap<EnvironmentName, Environment>,
    /// Where the certificates of its public hosts come from, where it says so.
    pub acme: Option<Acme>,
    /// The services around.
    pub providers: Providers,
    /// What is paid each month.
    pub costs: Costs,
}

/// What an environment is for; decides defaults and what is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// May break; speed over durability.
    Development,
    /// Like production, without its people.
    Staging,
    /// Real people's data: never reset, never seeded, never written to from elsewhere.
    Production,
}

/// One environment with everything that it runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// Its name.
    pub name: EnvironmentName,
    /// Its kind.
    pub kind: Kind,
    /// Where its code comes from.
    pub code: Code,
    /// Whether a push deploys by itself.
    pub auto_deploy: bool,
    /// What a deployment has to satisfy.
    pub policy: Policy,
    /// Whether the seed runs once after the first migration of a new database.
    pub seed: bool,
    /// How often it is reset, where it is.
    pub clean: Option<Duration>,
    /// Where its data is copied from.
    pub data: Option<DataSource>,
    /// How it is backed up.
    pub backup: Option<Backup>,
    /// age recipients (`age1…`, `ssh-ed25519 …`) that its secrets are encrypted to.
    pub recipients: Vec<String>,
    /// Apps and sites, in the order of the file.
    pub services: IndexMap<ServiceName, Service>,
    /// Its PostgreSQL, where it has one.
    pub postgres: Option<Postgres>,
    /// Its Redis, where it has one.
    pub redis: Option<Redis>,
    /// Its variables and secrets, in the order of the file. Those that this environment does not have are absent.
    pub variables: IndexMap<String, Variable>,
    /// Monitoring level and where alerts go.
    pub monitoring: Monitoring,
    /// Who is told of deployments.
    pub notifications: Notifications,
    /// The mobile app as built for it.
    pub mobile: Option<Mobile>,
    /// Secrets by which Ambit opens services elsewhere; for no app, unless `services` says so.
    #[serde(default)]
    pub provider_tokens: Vec<String>,
    /// Where it is said to live; decided by whether it has a project at Railway where nothing is said.
    #[serde(default)]
    pub on: Option<Placement>,
    /// What of it is at Railway, where `[providers.railway]` declares that.
    #[serde(default)]
    pub railway: Option<Railway>,
}

impl Project {
    /// OWNER/NAME of its repository at GitHub, where one is declared.
    #[must_use]
    pub fn repository(&self) -> Option<&str> {
        self.providers.github.as_ref().map(|github| github.repository.as_str())
    }
}

impl Environment {
    /// The project at Railway that it lives in; `None` where it lives on this machine.
    #[must_use]
    pub fn railway_project(&self) -> Option<&str> {
        self.declared_railway_project().filter(|_| self.lives() == Placement::Railway)
    }

    /// The project at Railway that is declared for it, whether it lives there or not.
    #[must_use]
    pub fn declared_railway_project(&self) -> Option<&str> {
        self.railway.as_ref()?.project.as_deref()
    }

    /// What of it stays on the team's own machine when it lives elsewhere: its sites, without servers.
    #[must_use]
    pub fn sites_alone(&self) -> Self {
        let mut alone = Self { postgres: None, redis: None, backup: None, seed: false, ..self.clone() };
        alone.services.retain(|_, service| matches!(service.form, Form::Site(_)));
        alone
    }

    /// Where it lives.
    #[must_use]
    pub fn lives(&self) -> Placement {
        let there = self.declared_railway_project().is_some();
        self.on.unwrap_or(if there { Placement::Railway } else { Placement::Host })
    }

    /// The names of the secrets that are declared for it.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().filter(|(_, v)| v.value == Value::Secret).map(|(name, _)| name.as_str())
    }

    /// Whether a secret of this name is declared for it.
    pub(crate) fn has_secret(&self, name: &str) -> bool {
        self.secrets().any(|known| known == name)
    }
}

/// Which code an environment runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// The files as they stand beside `ambit.toml`, committed or not.
    WorkingTree,
    /// The head of a branch.
    Branch(String),
    /// The newest tag (by version) that matches the glob and is on the branch.
    Tag {
        /// Glob such as `v*`.
        pattern: String,
        /// The branch that the tag has to be on.
        branch: String,
    },
}

/// Where a masked copy comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataSource {
    /// The environment that is read.
    pub from: EnvironmentName,
    /// Whether personal values are replaced; production's data is never copied otherwise.
    pub masked: bool,
}

/// How data is backed up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    /// Time between two backups.
    pub every: Duration,
    /// How long one is kept.
    pub keep: Option<Duration>,
    /// Whether any moment within `keep` can be restored.
    pub point_in_time: bool,
    /// Where backups go; `None` is Ambit's own folder.
    #[serde(default)]
    pub to: Option<BackupPlace>,
    /// A query that a restored copy has to answer.
    #[serde(default)]
    pub smoke: Option<String>,
}

/// Where backups go. What opens it is named by the secret that holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BackupPlace {
    /// A folder of this machine, by its absolute path.
    Folder(PathBuf),
    /// A bucket of S3 or a store that speaks like it.
    S3 {
        /// The bucket.
        bucket: String,
        /// The path in it, with a leading `/`.
        path: String,
        /// The host that serves it.
        endpoint: String,
        /// Its region.
        region: String,
        /// The secret that holds the access key.
        key: String,
        /// The secret that holds the secret access key.
        key_secret: String,
    },
    /// A folder of another machine.
    Sftp {
        /// Who logs in.
        user: String,
        /// The machine.
        host: String,
        /// Its port.
        port: u16,
        /// The path on it, with a leading `/`.
        path: String,
        /// The secret that holds the private key.
        key: String,
        /// SHA-256 fingerprint of the machine's key, in hexadecimal digits.
        host_key: String,
    },
}

impl BackupPlace {
    /// The secrets that opening it needs.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        let names = match self {
            Self::Folder(_) => [None, None],
            Self::S3 { key, key_secret, .. } => [Some(key), Some(key_secret)],
            Self::Sftp { key, .. } => [Some(key), None],
        };
        names.into_iter().flatten().map(String::as_str)
    }
}

/// An app or a site.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// Its name.
    pub name: ServiceName,
    /// How it runs.
    pub form: Form,
    /// Where people reach it, first the one that `${name.url}` stands for. Empty where it has no URL.
    pub urls: Vec<Url>,
}

/// How a service runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// A process of its own.
    App(App),
    /// Files served by the proxy.
    Site(Site),
}

impl Form {
    /// What its build may take.
    #[must_use]
    pub fn build_limits(&self) -> BuildLimits {
        match self {
            Self::App(app) => app.build_limits,
            Self::Site(site) => site.build_limits,
        }
    }

    /// The folder of its code, relative to `ambit.toml`.
    #[must_use]
    pub fn source(&self) -> &Path {
        match self {
            Self::App(app) => &app.source,
            Self::Site(site) => &site.source,
        }
    }
}

/// What each command of a build, the tests included, may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildLimits {
    /// Time.
    pub time: Duration,
    /// Memory in bytes; `None` is three quarters of the machine's.
    pub memory: Option<u64>,
}

/// A process: what is `None` is detected from its tree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct App {
    /// What it does.
    pub role: Role,
    /// Its folder, relative to `ambit.toml`; never outside it.
    pub source: PathBuf,
    /// Shell command that builds it.
    pub build: Option<String>,
    /// What its build may take.
    pub build_limits: BuildLimits,
    /// Shell command that starts it.
    pub run: Option<String>,
    /// Shell command that brings the database up to date.
    pub migrate: Option<String>,
    /// Shell command that fills a new database, or a file of SQL (see [`seed_file`]).
    pub seed: Option<String>,
    /// Shell command that tests it.
    pub test: Option<String>,
    /// A folder of SQL files within `source` that Ambit itself runs, each once, in the order of their numbers.
    pub migrations: Option<PathBuf>,
    /// How long requests in flight may take to finish on an instance that is replaced.
    pub drain: Duration,
    /// How its health is asked; `None` where listening is enough.
    pub health: Option<Health>,
    /// How many run side by side.
    pub instances: u32,
    /// A fixed port for the first instance; otherwise one is chosen.
    pub port: Option<u16>,
    /// Memory limit in bytes.
    pub memory: Option<u64>,
    /// Processor limit in cores.
    pub cpus: Option<f64>,
}

/// What an app does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Answers HTTP on `PORT`.
    Web,
    /// Runs and answers nobody.
    Worker,
    /// Runs when its cron expression says so.
    Scheduled(String),
}

/// How health is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Path of a GET.
    pub path: String,
    /// Status that counts as healthy.
    pub status: u16,
    /// How many answers in a row have to be healthy.
    pub successes: u32,
    /// Time that a new instance has to become healthy.
    pub deadline: Duration,
}

/// Files served by the proxy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// The folder that is served (after `build`, where there is one), relative to `ambit.toml`.
    pub folder: PathBuf,
    /// Shell command that makes the folder, run in `source`.
    pub build: Option<String>,
    /// What its build may take.
    pub build_limits: BuildLimits,
    /// The folder that `build` runs in and that the release is made from; equals `folder` where nothing is built.
    pub source: PathBuf,
    /// Variables that its pages may read, by name. Never secrets.
    pub expose: Vec<String>,
    /// Whether unknown paths answer `index.html` (single-page apps).
    pub single_page: bool,
}

/// A place where people reach a service.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Url {
    /// Public host name: `dev.kaia.ai`. Where the project has no domain, a name under `.localhost`.
    pub host: String,
    /// The same place on this machine: `dev.kaia.localhost`.
    pub local_host: String,
    /// Path prefix: `/` or `/downloads` (no slash at the end).
    pub path: String,
}

/// A PostgreSQL cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Postgres {
    /// Major version; `None` is the newest on the machine when the cluster is made.
    pub version: Option<u32>,
    /// Name of the database: `kaia-dev`.
    pub database: String,
    /// A fixed port; otherwise one is chosen.
    pub port: Option<u16>,
    /// Memory limit in bytes.
    pub memory: Option<u64>,
    /// Extra server settings, checked by PostgreSQL itself.
    pub settings: IndexMap<String, String>,
}

/// A Redis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redis {
    /// What survives a restart.
    pub persist: Persistence,
    /// A fixed port; otherwise one is chosen.
    pub port: Option<u16>,
    /// Memory limit in bytes (`maxmemory`).
    pub memory: Option<u64>,
}

/// What of Redis survives a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Persistence {
    /// Nothing.
    None,
    /// The last RDB snapshot.
    Snapshot,
    /// Everything but the last second (AOF).
    AppendOnly,
}

/// A variable or secret as one environment has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Variable {
    /// Where its value comes from.
    pub value: Value,
    /// Whether the environment has a value of its own or shares the one for all.
    pub origin: Origin,
    /// Rules that its resolved value keeps.
    pub rules: Rules,
    /// The services that get it; empty is all.
    pub services: Vec<ServiceName>,
    /// The bytes of the file that declare it.
    pub span: Range<usize>,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Value {
    /// Text with references: `https://${web.host}/x`. Without any, a literal.
    Text(Vec<Piece>),
    /// In `ambit.secrets`.
    Secret,
    /// Made once by Ambit for this environment and kept with it: that many characters of [A-Za-z0-9].
    Generated(usize),
}

/// A piece of a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Piece {
    /// As it is.
    Literal(String),
    /// `${…}`
    Reference(Reference),
}

/// What `${…}` may name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reference {
    /// `${postgres.url}` and its parts.
    Postgres(ServerPart),
    /// `${redis.url}` and its parts.
    Redis(ServerPart),
    /// `${backend.url}`, `${services.backend.url}` and its parts.
    Service(ServiceName, UrlPart),
    /// `${environment.name}`.
    EnvironmentName,
    /// `${environment.kind}`.
    EnvironmentKind,
    /// `${NAME}`: another variable.
    Variable(String),
}

/// A part of a database's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum ServerPart {
    Url,
    Host,
    Port,
    User,
    Password,
    Database,
}

/// A part of a service's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UrlPart {
    /// `https://dev.kaia.ai`, without a slash at the end.
    Url,
    /// `dev.kaia.ai`, with the port where it is not the scheme's own.
    Host,
}

/// Whether a value is the environment's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// One value for all environments.
    Shared,
    /// The environment's own.
    Own,
    /// Ambit's own default, not in the file.
    Implied,
}

/// Rules for a resolved value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// Whether an empty or absent value is refused.
    pub required: bool,
    /// Fewest characters.
    pub min_length: Option<usize>,
    /// The only values allowed.
    pub one_of: Vec<String>,
    /// Whether it has to be a URL with a scheme and a host.
    pub url: bool,
}

/// The mobile app as built for one environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mobile {
    /// Its folder.
    pub source: PathBuf,
    /// Android package and iOS bundle identifier.
    pub package: String,
    /// Name under the icon.
    pub name: String,
    /// EAS build profiles that are built against this environment.
    pub profiles: Vec<String>,
    /// The app that it asks, where the file says which.
    pub api: Option<ServiceName>,
    /// The site that hands its builds out.
    pub downloads: ServiceName,
    /// How many builds are kept.
    pub keep: usize,
    /// The secret that holds the token of Expo's account.
    pub token: Option<String>,
}

/// The file of SQL that a seed names, relative to its app's folder and never outside it: one word that ends in `.sql`.
/// `None` where the seed is a command.
#[must_use]
pub fn seed_file(seed: &str) -> Option<&Path> {
    let path = Path::new(seed);
    let one_word = !seed.contains(|c: char| c.is_whitespace() || c.is_control());
    let inside = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    (seed.ends_with(".sql") && one_word && inside).then_some(path)
}
