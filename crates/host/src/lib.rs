//! Environments on this machine. Each has its own PostgreSQL cluster, its own Redis, its own folder that nobody else can
//! enter, its own passwords and ports and, where Ambit runs as root, its own OS user. Every process is held by a keeper.
//!
//! It never decides in which order an environment changes; that is the application's.

pub mod afar;
mod apps;
mod archives;
mod backups;
pub mod database_names;
mod databases;
mod files;
mod instances;
mod leftovers;
mod machine;
mod measure;
mod migrations;
mod ports;
mod postgres;
mod postgres_settings;
mod probe;
mod provider;
mod proxy;
mod proxy_records;
mod psql;
mod ready;
mod redis;
mod redis_wire;
pub mod relocation;
mod renew;
mod restore_points;
mod systemd;
mod tasks;
mod users;

use std::path::PathBuf;

use ambit_domain::Home;

pub use machine::addresses;
pub use measure::Answer;
pub use postgres::{Installation, installed};
pub use probe::{PostgresAnswer, RedisAnswer};
pub use renew::Renewed;
pub use systemd::Service;

/// This machine as a provider.
pub struct Host {
    home: Home,
    program: PathBuf,
    root: bool,
    /// One change of the proxy at a time.
    proxy: tokio::sync::Mutex<()>,
}

impl Host {
    /// This machine with a state folder; `program` is the `ambit` that keepers and the proxy are started from.
    #[must_use]
    pub fn new(home: Home, program: PathBuf) -> Self {
        Self { home, program, root: nix::unistd::geteuid().is_root(), proxy: tokio::sync::Mutex::default() }
    }

    /// Whether each environment gets an OS user of its own: where Ambit runs as root.
    #[must_use]
    pub fn separates_users(&self) -> bool {
        self.root
    }
}
