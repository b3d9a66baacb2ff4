//! Copies of a Redis: its snapshot, or its append-only files with their manifest (redis.io, persistence, "backing up").

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use ambit_domain::{
    EnvironmentId, Failure, FailureKind,
    backup::{RedisCopy, RedisForm},
    provider::RedisServer,
    spec::Persistence,
};
use ambit_keeper::{FORMAT, Limits, Once, Spec, StopSignal, client};

use crate::{
    Host,
    files::{as_user, write_as},
    machine::{blocking, cannot, failed, record_failure},
    ports::require_free,
    redis::{configuration, find_program, wait},
    redis_wire::{Wire, field},
    users::User,
};

/// How long writing a snapshot or a rewrite of the append-only file may take.
const WRITTEN_WITHIN: Duration = Duration::from_secs(3600);
const BETWEEN: Duration = Duration::from_millis(25);
/// Redis's own default, which nothing in an environment's configuration changes.
const REWRITE_AT: &str = "100";
/// Names the Redis that a drill starts.
const DRILL: &str = "redis-drill";

impl Host {
    fn redis_copy(&self, id: &EnvironmentId, name: &str) -> PathBuf {
        self.home.backups(id).join("redis").join(name)
    }

    pub(crate) async fn copy_redis(
        &self,
        id: &EnvironmentId,
        server: &RedisServer,
        name: &str,
    ) -> Result<RedisCopy, Failure> {
        self.make_backups_folder(id)?;
        let refused = |e: std::io::Error| failed("Redis cannot be copied", &e);
        let mut wire = Wire::open(server.port, &server.admin_password).await.map_err(refused)?;
        let from = self.home.environment(id).join("redis");
        let to = self.redis_copy(id, name);
        let user = self.user(id)?;
        let form = match server.persist {
            Persistence::AppendOnly => RedisForm::AppendOnly,
            Persistence::Snapshot | Persistence::None => RedisForm::Snapshot,
        };
        match form {
            RedisForm::Snapshot => {
                save(&mut wire).await.map_err(refused)?;
                // Without persistence the file would be read at the next start.
                let take = if server.persist == Persistence::None { "mv" } else { "cp" };
                let command = format!("{take} \"$FROM/dump.rdb\" \"$TO.new/dump.rdb\"");
                self.fill(user, &from, &to, &command).await?;
            }
            RedisForm::AppendOnly => {
                let held = hold_rewrites(&mut wire).await;
                let copied = match held {
                    // Links are made at once; what is appended meanwhile is the end of the last file.
                    Ok(()) => {
                        let command = "cp -rl \"$FROM/appendonlydir\" \"$TO.new/linked\"";
                        self.fill_first(user, &from, &to, command).await
                    }
                    Err(error) => Err(refused(error)),
                };
                wire.ask(&["CONFIG", "SET", "auto-aof-rewrite-percentage", REWRITE_AT]).await.map_err(refused)?;
                copied?;
                let command = "cp -r \"$TO.new/linked\" \"$TO.new/appendonlydir\" && rm -r \"$TO.new/linked\"";
                self.fill_last(user, &from, &to, command).await?;
            }
        }
        let keys = keys(&mut wire).await.map_err(refused)?;
        let digest = self.digest(user, &to).await?;
        let size = {
            let to = to.clone();
            blocking(move || {
                let said = as_user(user, Command::new("du").arg("-sb").arg(&to)).map_err(cannot("read", &to))?;
                let text = String::from_utf8_lossy(&said).into_owned();
                Ok(text.split_ascii_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or_default())
            })
            .await?
        };
        Ok(RedisCopy { form, size, digest, keys })
    }

    /// Makes the folder beside its name, fills it, and gives it its name when it is complete.
    async fn fill(&self, user: Option<User>, from: &Path, to: &Path, command: &str) -> Result<(), Failure> {
        self.fill_first(user, from, to, command).await?;
        self.fill_last(user, from, to, "true").await
    }

    async fn fill_first(&self, user: Option<User>, from: &Path, to: &Path, command: &str) -> Result<(), Failure> {
        let script = format!("umask 077; rm -rf \"$TO.new\" && mkdir \"$TO.new\" && {command}");
        shell(user, from, to, script).await
    }

    async fn fill_last(&self, user: Option<User>, from: &Path, to: &Path, command: &str) -> Result<(), Failure> {
        let script = format!("umask 077; {command} && sync \"$TO.new\" && rm -rf \"$TO\" && mv -T \"$TO.new\" \"$TO\"");
        shell(user, from, to, script).await
    }

    async fn digest(&self, user: Option<User>, folder: &Path) -> Result<String, Failure> {
        let folder = folder.to_path_buf();
        blocking(move || {
            let script = "cd \"$0\" && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum";
            let said = as_user(user, Command::new("/bin/sh").args(["-c", script]).arg(&folder))
                .map_err(cannot("read", &folder))?;
            Ok(String::from_utf8_lossy(&said).split_ascii_whitespace().next().unwrap_or_default().to_owned())
        })
        .await
    }

    async fn check_digest(&self, id: &EnvironmentId, name: &str, copy: &RedisCopy) -> Result<(), Failure> {
        let folder = self.redis_copy(id, name);
        if !folder.is_dir() {
            return Err(Failure::new(FailureKind::NotFound, format!("the copy of Redis of {name} is gone")));
        }
        if self.digest(self.user(id)?, &folder).await? != copy.digest {
            return Err(Failure::new(FailureKind::Machine, "the copy of Redis is damaged")
                .because(format!("the files in {} are not those that were stored", folder.display())));
        }
        Ok(())
    }

    pub(crate) async fn try_redis(
        &self,
        id: &EnvironmentId,
        server: &RedisServer,
        name: &str,
        copy: &RedisCopy,
        port: u16,
    ) -> Result<u64, Failure> {
        self.check_digest(id, name, copy).await?;
        self.remove_beside_now(id, DRILL).await?;
        let found = self.read_redis(id, server, name, copy, port).await;
        self.remove_beside_now(id, DRILL).await?;
        found
    }

    async fn read_redis(
        &self,
        id: &EnvironmentId,
        server: &RedisServer,
        name: &str,
        copy: &RedisCopy,
        port: u16,
    ) -> Result<u64, Failure> {
        let Some(program) = find_program() else {
            return Err(Failure::new(FailureKind::Machine, "there is no Redis on this machine"));
        };
        let place = self.place_beside(id, DRILL)?;
        let beside = RedisServer { port, ..server.clone() };
        self.lay_out(id, &beside, name, copy, &place.data(), &place.data()).await?;
        let spec = Spec {
            format: FORMAT,
            marker: format!("{}:{id}/beside/{DRILL}", self.home.root().display()),
            program,
            arguments: vec![place.data().join("redis.conf").display().to_string()],
            variables: vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned())],
            directory: place.data(),
            user: place.user.map(|u| (u.uid, u.gid)),
            stop_signal: StopSignal::Term,
            stop_seconds: 60,
            limits: Limits::default(),
            once: Some(Once { seconds: None }),
            secrets: Vec::new(),
        };
        let (record, keeper) = (place.record.clone(), self.program.clone());
        blocking(move || {
            require_free(port, "redis")?;
            client::write_spec(&record, &spec).map_err(record_failure)?;
            client::ensure(&keeper, &record).map_err(|e| failed("the restored Redis cannot be started", &e))
        })
        .await?;
        let mut wire = wait(&place.record, &beside).await?;
        keys(&mut wire).await.map_err(|e| failed("the restored Redis does not answer", &e))
    }

    /// Makes a folder that a Redis can be started with: the files of a copy, and the configuration that they were written by.
    async fn lay_out(
        &self,
        id: &EnvironmentId,
        server: &RedisServer,
        name: &str,
        copy: &RedisCopy,
        folder: &Path,
        as_folder: &Path,
    ) -> Result<(), Failure> {
        let persist = match copy.form {
            RedisForm::Snapshot => Persistence::Snapshot,
            RedisForm::AppendOnly => Persistence::AppendOnly,
        };
        let (user, from, to) = (self.user(id)?, self.redis_copy(id, name), folder.to_path_buf());
        let text = configuration(server, persist, as_folder);
        let script = "umask 077; mkdir -p \"$TO\" && cp -r \"$FROM/.\" \"$TO/\"".to_owned();
        shell(user, &from, &to, script).await?;
        blocking(move || write_as(user, &to.join("redis.conf"), &text)).await
    }

    pub(crate) async fn put_redis_back(
        &self,
        id: &EnvironmentId,
        server: &RedisServer,
        name: &str,
        copy: &RedisCopy,
    ) -> Result<String, Failure> {
        self.check_digest(id, name, copy).await?;
        let restore = format!("redis-{}", name.to_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "-"));
        let place = self.place_beside(id, &restore)?;
        if place.has("replaced") || place.has("replacing") {
            return Err(Failure::new(FailureKind::User, format!("what `{restore}` replaced is still kept"))
                .hint(format!("ambit restore remove {restore} -e {}", id.environment)));
        }
        self.remove_beside_now(id, &restore).await?;
        let serving = self.home.environment(id).join("redis");
        self.lay_out(id, server, name, copy, &place.data(), &serving).await?;
        {
            let (place, restore) = (place.clone(), restore.clone());
            blocking(move || write_as(place.user, &place.data().join("ambit.restored"), &restore)).await?;
        }
        self.put_redis_in_place(id, server, &restore).await?;
        Ok(restore)
    }

    pub(crate) async fn forget_redis_copy(&self, id: &EnvironmentId, name: &str) -> Result<(), Failure> {
        let (folder, user) = (self.redis_copy(id, name), self.user(id)?);
        blocking(move || {
            as_user(user, Command::new("rm").arg("-rf").arg(&folder)).map(drop).map_err(cannot("delete", &folder))
        })
        .await
    }
}

async fn shell(user: Option<User>, from: &Path, to: &Path, script: String) -> Result<(), Failure> {
    let (from, to) = (from.to_path_buf(), to.to_path_buf());
    blocking(move || {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &script]).env("FROM", &from).env("TO", &to);
        as_user(user, &mut command).map(drop).map_err(|e| failed("the files of Redis cannot be copied", &e))
    })
    .await
}

/// Has a snapshot written, and waits for it.
async fn save(wire: &mut Wire) -> std::io::Result<()> {
    let until = Instant::now() + WRITTEN_WITHIN;
    let idle = async |wire: &mut Wire| -> std::io::Result<String> {
        loop {
            let info = wire.ask(&["INFO", "persistence"]).await?;
            if field(&info, "rdb_bgsave_in_progress") == Some("0")
                && field(&info, "aof_rewrite_in_progress") == Some("0")
            {
                return Ok(info);
            }
            if Instant::now() > until {
                return Err(std::io::ErrorKind::TimedOut.into());
            }
            tokio::time::sleep(BETWEEN).await;
        }
    };
    idle(wire).await?;
    wire.ask(&["BGSAVE"]).await?;
    match field(&idle(wire).await?, "rdb_last_bgsave_status") {
        Some("ok") => Ok(()),
        other => Err(std::io::Error::other(format!("the snapshot was not written: {other:?}"))),
    }
}

/// No rewrite begins from now on, and none is under way.
async fn hold_rewrites(wire: &mut Wire) -> std::io::Result<()> {
    wire.ask(&["CONFIG", "SET", "auto-aof-rewrite-percentage", "0"]).await?;
    let until = Instant::now() + WRITTEN_WITHIN;
    loop {
        let info = wire.ask(&["INFO", "persistence"]).await?;
        let is = |name: &str| field(&info, name) == Some("0");
        if is("aof_rewrite_in_progress") && is("aof_rewrite_scheduled") {
            return Ok(());
        }
        if Instant::now() > until {
            return Err(std::io::ErrorKind::TimedOut.into());
        }
        tokio::time::sleep(BETWEEN).await;
    }
}

/// The keys of all its databases: `db0:keys=3,expires=0,avg_ttl=0`.
async fn keys(wire: &mut Wire) -> std::io::Result<u64> {
    let info = wire.ask(&["INFO", "keyspace"]).await?;
    let of = |line: &str| line.split_once(":keys=")?.1.split(',').next()?.parse::<u64>().ok();
    Ok(info.lines().filter_map(of).sum())
}
