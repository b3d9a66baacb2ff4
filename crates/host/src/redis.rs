//! A Redis of an environment.
//!
//! What survives a restart is changed on the running server and only then written down: a Redis that is started with
//! another way of persistence than its files were written by begins empty.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use ambit_domain::{
    EnvironmentId, Failure, FailureKind, InstanceId,
    provider::{RedisServer, Started},
    spec::Persistence,
};
use ambit_keeper::{FORMAT, Limits, Spec, StopSignal, client};
use sha2::{Digest, Sha256};

use crate::{
    Host,
    files::write_as,
    machine::{blocking, failed},
    ports::require_free,
    redis_wire::{Wire, field},
};

const STARTS_WITHIN: Duration = Duration::from_secs(60);
/// Redis's own defaults.
const SAVE: &str = "3600 1 300 100 60 10000";
/// What an application has no business with: stopping the server, loading code, moving its data elsewhere.
const FORBIDDEN: &str = "-shutdown -debug -module -replicaof -slaveof -migrate -acl -cluster -failover";

impl Host {
    pub(crate) async fn redis(&self, id: &EnvironmentId, server: &RedisServer) -> Result<Started, Failure> {
        let Some(redis) = find_program() else {
            return Err(Failure::new(FailureKind::Machine, "there is no Redis on this machine")
                .hint("apt-get install redis-server"));
        };
        let instance = InstanceId {
            environment: id.clone(),
            service: "redis".parse().map_err(crate::machine::internal)?,
            number: 1,
        };
        let record = self.home.keeper(&instance);
        let user = self.user(id)?;
        let folder = self.home.environment(id).join("redis");
        let file = folder.join("redis.conf");
        let program = self.program.clone();
        let created = !file.exists();
        let old = fs::read_to_string(&file).unwrap_or_default();
        let before = persistence_of(&old).unwrap_or(server.persist);
        let wanted = configuration(server, server.persist, &folder);
        let mut done = Vec::new();
        if created {
            done.push("Redis made".to_owned());
        }
        let mut running = client::keeper(&record).is_some();
        let basics_changed = basics(&old) != basics(&wanted);
        if running && basics_changed {
            let (record, program) = (record.clone(), program.clone());
            blocking(move || {
                client::stop(&program, &record).map_err(|e| Failure::from_error(FailureKind::Machine, &e))
            })
            .await?;
            running = false;
            done.push("port or passwords changed".to_owned());
        }
        if !running {
            let as_before = configuration(server, before, &folder);
            let (record, port, file) = (record.clone(), server.port, file.clone());
            let spec = Spec {
                format: FORMAT,
                marker: format!("{}:{instance}", self.home.root().display()),
                program: redis,
                arguments: vec![file.display().to_string()],
                variables: vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned())],
                directory: folder.clone(),
                user: user.map(|u| (u.uid, u.gid)),
                stop_signal: StopSignal::Term,
                stop_seconds: 60,
                limits: Limits::default(),
                once: None,
                secrets: vec![server.password.clone(), server.admin_password.clone()],
            };
            blocking(move || {
                require_free(port, "redis")?;
                write_as(user, &file, &as_before)?;
                client::write_spec(&record, &spec).map_err(|e| Failure::from_error(FailureKind::Machine, &e))?;
                client::ensure(&program, &record).map_err(|e| failed("Redis cannot be started", &e))
            })
            .await?;
            done.push("started".to_owned());
        }
        let mut wire = wait(&record, server).await?;
        let changed = |e: std::io::Error| failed("Redis cannot be adjusted", &e);
        if before != server.persist {
            persist(&mut wire, server.persist).await.map_err(changed)?;
            done.push(format!("persistence is {}", word(server.persist)));
        }
        if memory_of(&old) != memory_of(&wanted) && !created {
            let memory = server.memory.unwrap_or(0).to_string();
            wire.ask(&["CONFIG", "SET", "maxmemory", &memory]).await.map_err(changed)?;
            done.push("memory limit set".to_owned());
        }
        if old != wanted {
            blocking(move || write_as(user, &file, &wanted)).await?;
        }
        let detail = if done.is_empty() { "as it was".to_owned() } else { done.join(", ") };
        Ok(Started { changed: !done.is_empty(), detail, created })
    }
}

pub(crate) fn find_program() -> Option<PathBuf> {
    ["/usr/bin", "/usr/local/bin", "/usr/sbin"].iter().map(|d| Path::new(d).join("redis-server")).find(|p| p.exists())
}

fn word(persist: Persistence) -> &'static str {
    match persist {
        Persistence::None => "none",
        Persistence::Snapshot => "snapshot",
        Persistence::AppendOnly => "append-only",
    }
}

pub(crate) fn configuration(server: &RedisServer, persist: Persistence, folder: &Path) -> String {
    let (save, append) = match persist {
        Persistence::None => ("\"\"", "no"),
        Persistence::Snapshot => (SAVE, "no"),
        Persistence::AppendOnly => (SAVE, "yes"),
    };
    format!(
        "# Written by ambit.\n\
         bind 127.0.0.1\nprotected-mode yes\nport {port}\nuser default on #{password} ~* &* +@all {FORBIDDEN}\n\
         user ambit on #{admin} ~* &* +@all\n\
         dir \"{folder}\"\ndaemonize no\nlogfile \"\"\nloglevel notice\nset-proc-title no\n\
         maxmemory {memory}\nappendfsync everysec\nsave {save}\nappendonly {append}\n",
        port = server.port,
        password = digest(&server.password),
        admin = digest(&server.admin_password),
        folder = folder.display(),
        memory = server.memory.unwrap_or(0),
    )
}

fn persistence_of(configuration: &str) -> Option<Persistence> {
    let append = configuration.lines().find_map(|l| l.strip_prefix("appendonly "))?;
    let save = configuration.lines().find_map(|l| l.strip_prefix("save "))?;
    Some(match (append, save) {
        ("yes", _) => Persistence::AppendOnly,
        (_, "\"\"") => Persistence::None,
        _ => Persistence::Snapshot,
    })
}

fn memory_of(configuration: &str) -> Option<&str> {
    configuration.lines().find_map(|l| l.strip_prefix("maxmemory "))
}

/// What only a restart changes.
fn basics(configuration: &str) -> Vec<&str> {
    configuration.lines().filter(|l| ["bind ", "port ", "user ", "dir "].iter().any(|p| l.starts_with(p))).collect()
}

fn digest(password: &str) -> String {
    Sha256::digest(password.as_bytes()).iter().map(|b| format!("{b:02x}")).collect()
}

pub(crate) async fn wait(record: &Path, server: &RedisServer) -> Result<Wire, Failure> {
    let begin = Instant::now();
    let restarts = client::state(record).ok().flatten().map_or(0, |s| s.restarts);
    loop {
        let refused = match Wire::open(server.port, &server.admin_password).await {
            Ok(mut wire) => match wire.ask(&["PING"]).await {
                Ok(_) => return Ok(wire),
                Err(error) => error,
            },
            Err(error) => error,
        };
        let crashed = client::state(record).ok().flatten().is_some_and(|s| s.restarts >= restarts + 3);
        if crashed || begin.elapsed() > STARTS_WITHIN {
            let mut failure = Failure::new(FailureKind::Machine, "Redis does not start").because(refused.to_string());
            let (lines, _) = client::tail(record, 10);
            if !lines.is_empty() {
                let text: Vec<&str> = lines.iter().map(|(_, text)| text.as_str()).collect();
                failure = failure.because(text.join("\n"));
            }
            return Err(failure.hint(format!("its whole log: {}", record.join("log").display())));
        }
        tokio::time::sleep(Duration::from_millis(8)).await;
    }
}

async fn persist(wire: &mut Wire, wanted: Persistence) -> std::io::Result<()> {
    match wanted {
        Persistence::AppendOnly => {
            wire.ask(&["CONFIG", "SET", "save", SAVE]).await?;
            wire.ask(&["CONFIG", "SET", "appendonly", "yes"]).await?;
            let until = Instant::now() + Duration::from_secs(600);
            loop {
                let info = wire.ask(&["INFO", "persistence"]).await?;
                let is = |name: &str, value: &str| field(&info, name) == Some(value);
                if is("aof_rewrite_in_progress", "0") && is("aof_rewrite_scheduled", "0") {
                    return match field(&info, "aof_last_bgrewrite_status") {
                        Some("ok") => Ok(()),
                        other => Err(std::io::Error::other(format!("the append-only file was not written: {other:?}"))),
                    };
                }
                if Instant::now() > until {
                    return Err(std::io::ErrorKind::TimedOut.into());
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        Persistence::Snapshot => {
            wire.ask(&["CONFIG", "SET", "save", SAVE]).await?;
            wire.ask(&["SAVE"]).await?;
            wire.ask(&["CONFIG", "SET", "appendonly", "no"]).await.map(drop)
        }
        Persistence::None => {
            wire.ask(&["CONFIG", "SET", "save", ""]).await?;
            wire.ask(&["CONFIG", "SET", "appendonly", "no"]).await.map(drop)
        }
    }
}

/// Deletes every key.
pub(crate) async fn empty(server: &RedisServer) -> Result<(), Failure> {
    let refused = |e: std::io::Error| failed("Redis cannot be emptied", &e);
    let mut wire = Wire::open(server.port, &server.admin_password).await.map_err(refused)?;
    wire.ask(&["FLUSHALL"]).await.map(drop).map_err(refused)
}

/// Whether it holds a key. `None` where it does not answer.
pub(crate) async fn holds_keys(server: &RedisServer) -> Option<bool> {
    let mut wire = Wire::open(server.port, &server.admin_password).await.ok()?;
    let info = wire.ask(&["INFO", "keyspace"]).await.ok()?;
    Some(info.lines().any(|l| l.starts_with("db")))
}
