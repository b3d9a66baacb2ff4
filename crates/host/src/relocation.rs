//! Data carried between a server of this machine and one elsewhere, by PostgreSQL's own programs, which speak TLS to it: from one to
//! the other as a stream, without a file between. Passwords are in environments, never in arguments.

mod examine;
mod postgres;
mod redis;
mod resp;

use ambit_domain::{
    provider::{PostgresServer, RedisServer},
    relocation::Login,
};

pub use self::{examine::Extensions, postgres::Into};

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
