//! How a Redis stands.

use std::io;

use ambit_domain::{monitoring::RedisFigures, provider::RedisServer};

use crate::{
    Host,
    measure::in_time,
    redis_wire::{Wire, field},
};

impl Host {
    /// Whether the Redis answers.
    pub async fn redis_answers(&self, server: &RedisServer) -> Result<(), String> {
        let ping = async { Wire::open(server.port, &server.admin_password).await?.ask(&["PING"]).await };
        in_time(async { ping.await.map(drop).map_err(|e| e.to_string()) }).await
    }

    /// How the Redis stands.
    pub async fn redis_figures(&self, server: &RedisServer) -> Result<RedisFigures, String> {
        in_time(async { figures(server).await.map_err(|e| e.to_string()) }).await
    }
}

async fn figures(server: &RedisServer) -> io::Result<RedisFigures> {
    let mut wire = Wire::open(server.port, &server.admin_password).await?;
    let info = wire.ask(&["INFO"]).await?;
    let number = |name: &str| field(&info, name).and_then(|text| text.parse().ok()).unwrap_or(0);
    // Lines such as `db0:keys=12,expires=0,avg_ttl=0`.
    let keys = info.lines().filter_map(|line| {
        let (database, rest) = line.split_once(":keys=")?;
        database.starts_with("db").then(|| rest.split(',').next()?.parse::<u64>().ok())?
    });
    Ok(RedisFigures {
        memory: number("used_memory"),
        max_memory: number("maxmemory"),
        connections: number("connected_clients"),
        max_connections: number("maxclients"),
        keys: keys.sum(),
        commands: number("total_commands_processed"),
    })
}
