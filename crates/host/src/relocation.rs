//! Data carried between a server of this machine and one elsewhere, by PostgreSQL's own programs, which speak TLS to it: from one to
//! the other as a stream, without a file between. Passwords are in environments, never in arguments.

mod examine;
mod postgres;
mod redis;
mod resp;

use ambit_domain::{
    Failure, FailureKind,
    provider::{PostgresServer, RedisServer},
    relocation::Login,
};

pub use self::{examine::Extensions, postgres::Into};
use crate::postgres::installed;

/// How Ambit reaches a PostgreSQL of this machine.
#[must_use]
pub fn postgres_here(server: &PostgresServer) -> Login {
    Login {
        host: "127.0.0.1".to_owned(),
        port: server.port,
        user: "postgres".to_owned(),
        password: server.admin_password.clone(),
        database: server.database.clone(),
        tls: false,
    }
}

/// How Ambit reaches a Redis of this machine.
#[must_use]
pub fn redis_here(server: &RedisServer) -> Login {
    Login {
        host: "127.0.0.1".to_owned(),
        port: server.port,
        user: "ambit".to_owned(),
        password: server.admin_password.clone(),
        database: String::new(),
        tls: false,
    }
}

/// What PostgreSQL's programs take from the environment.
fn variables(login: &Login) -> [(&'static str, String); 7] {
    [
        ("PGHOST", login.host.clone()),
        ("PGPORT", login.port.to_string()),
        ("PGUSER", login.user.clone()),
        ("PGPASSWORD", login.password.clone()),
        ("PGDATABASE", login.database.clone()),
        ("PGSSLMODE", if login.tls { "require" } else { "prefer" }.to_owned()),
        ("PGCONNECT_TIMEOUT", "20".to_owned()),
    ]
}

/// The newest programs that there are: they speak to every earlier server.
fn newest(program: &str) -> Result<std::path::PathBuf, Failure> {
    let newest = installed().into_iter().next_back().ok_or_else(|| {
        Failure::new(FailureKind::Machine, "there is no PostgreSQL (14 to 18) on this machine")
            .hint("apt-get install postgresql")
    })?;
    Ok(newest.programs.join(program))
}
