//! How the servers of an environment answer right now, for whoever looks for what is wrong. Nothing is changed, and every question is
//! bounded in time.

use std::time::Duration;

use ambit_domain::provider::{PostgresServer, RedisServer};
use tokio::{net::TcpStream, time::timeout};
use tokio_postgres::{Client, error::SqlState};

use crate::{
    Host, ports,
    postgres::connect,
    redis_wire::{Wire, field},
};

const PATIENCE: Duration = Duration::from_secs(8);

/// How a PostgreSQL answers the application's role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PostgresAnswer {
    /// As it should.
    Well {
        /// Connections that are taken, of those that applications may have.
        connections: (u64, u64),
    },
    /// Nothing listens.
    NotListening,
    /// It listens and says nothing.
    Silent,
    /// Every connection that applications may have is taken.
    Full {
        /// By whom: user, state and how many, the most first.
        holders: Vec<(String, String, u64)>,
        /// How many there may be.
        limit: u64,
    },
    /// It refuses.
    Refuses(String),
}

/// How a Redis answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedisAnswer {
    /// As it should.
    Well,
    /// Nothing listens.
    NotListening,
    /// It listens and says nothing.
    Silent,
    /// Its memory is full and it refuses to write.
    Full {
        /// Bytes that it may use.
        limit: u64,
    },
    /// It refuses.
    Refuses(String),
}

impl Host {
    /// Asks a PostgreSQL as the application does.
    pub async fn probe_postgres(&self, server: &PostgresServer) -> PostgresAnswer {
        if !listens(server.port).await {
            return PostgresAnswer::NotListening;
        }
        match timeout(PATIENCE, ask_postgres(server)).await {
            Ok(answer) => answer,
            Err(_) => PostgresAnswer::Silent,
        }
    }

    /// Asks a Redis.
    pub async fn probe_redis(&self, server: &RedisServer) -> RedisAnswer {
        if !listens(server.port).await {
            return RedisAnswer::NotListening;
        }
        match timeout(PATIENCE, ask_redis(server)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::TimedOut => RedisAnswer::Silent,
            Ok(Err(error)) => RedisAnswer::Refuses(error.to_string()),
            Err(_) => RedisAnswer::Silent,
        }
    }

    /// Who listens on a port, for people: program and process id, where that can be seen.
    #[must_use]
    pub fn listener(&self, port: u16) -> String {
        ports::holder(port)
    }

    /// Whether the machine has Redis.
    #[must_use]
    pub fn has_redis(&self) -> bool {
        crate::redis::find_program().is_some()
    }
}

async fn listens(port: u16) -> bool {
    timeout(PATIENCE, TcpStream::connect(("127.0.0.1", port))).await.is_ok_and(|connected| connected.is_ok())
}

async fn ask_postgres(server: &PostgresServer) -> PostgresAnswer {
    let refused = match connect(server, &server.role, &server.role_password, &server.database).await {
        Ok(client) => match connections(&client).await {
            Ok(connections) => return PostgresAnswer::Well { connections },
            Err(error) => error,
        },
        Err(error) => error,
    };
    if refused.code() == Some(&SqlState::TOO_MANY_CONNECTIONS) {
        return full(server).await;
    }
    PostgresAnswer::Refuses(refused.as_db_error().map_or_else(|| refused.to_string(), |e| e.message().to_owned()))
}

async fn connections(client: &Client) -> Result<(u64, u64), tokio_postgres::Error> {
    let sql = "SELECT (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'), \
               current_setting('max_connections')::bigint - current_setting('superuser_reserved_connections')::bigint";
    let row = client.query_one(sql, &[]).await?;
    let number = |column: usize| u64::try_from(row.get::<_, i64>(column)).unwrap_or(0);
    Ok((number(0), number(1)))
}

/// The superuser has connections of its own left.
async fn full(server: &PostgresServer) -> PostgresAnswer {
    let looked = async {
        let admin = connect(server, "postgres", &server.admin_password, "postgres").await?;
        let sql = "SELECT coalesce(usename, '')::text, coalesce(state, 'starting'), count(*) FROM pg_stat_activity \
                   WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 5";
        let holders = admin.query(sql, &[]).await?;
        let holders = holders.iter().map(|r| (r.get(0), r.get(1), u64::try_from(r.get::<_, i64>(2)).unwrap_or(0)));
        let holders: Vec<_> = holders.collect();
        Ok::<_, tokio_postgres::Error>((holders, connections(&admin).await?.1))
    };
    match looked.await {
        Ok((holders, limit)) => PostgresAnswer::Full { holders, limit },
        Err(_) => PostgresAnswer::Full { holders: Vec::new(), limit: 0 },
    }
}

async fn ask_redis(server: &RedisServer) -> std::io::Result<RedisAnswer> {
    let mut wire = Wire::open(server.port, &server.admin_password).await?;
    wire.ask(&["PING"]).await?;
    let info = wire.ask(&["INFO", "memory"]).await?;
    let number = |name: &str| field(&info, name).and_then(|value| value.parse::<u64>().ok()).unwrap_or(0);
    let (used, limit) = (number("used_memory"), number("maxmemory"));
    let keeps_all = field(&info, "maxmemory_policy") == Some("noeviction");
    Ok(if limit > 0 && keeps_all && used >= limit { RedisAnswer::Full { limit } } else { RedisAnswer::Well })
}
