//! The database and the Redis of an environment, as its apps find them.

use std::{path::PathBuf, time::Duration};

use ambit_domain::{
    Actor, Failure,
    diagnosis::{Check, Trouble},
    provider::{InstanceHealth, PostgresServer},
};
use ambit_host::{PostgresAnswer, RedisAnswer};
use tokio::time::timeout;

use super::Examined;
use crate::{migrate::Migrate, progress::Progress};

/// Of a hundred connections that apps may have, this many are nearly all.
const NEARLY_ALL: u64 = 90;
/// How long looking at the migrations may take.
const PATIENCE: Duration = Duration::from_secs(10);

impl Examined<'_> {
    pub(super) async fn data(&self) -> Result<Vec<Check>, Failure> {
        let mut checks = Vec::new();
        let Some(servers) = &self.servers else { return Ok(checks) };
        if let Some(server) = &servers.postgres
            && self.recorded("postgres")
        {
            let answer = self.seen.ambit.host.probe_postgres(server).await;
            let answers = self.postgres(server, &answer);
            let what = format!("PostgreSQL of {} answers", self.id.environment);
            // A server that does not answer leaves nothing to compare the migrations with.
            if matches!(answer, PostgresAnswer::Well { .. }) {
                checks.push(self.migrations().await.needs([self.name("postgres"), "secrets".to_owned()]));
            }
            checks.push(Check::new(self.name("postgres"), what, answers).needs(["disk", "memory"]));
        }
        if let Some(server) = &servers.redis
            && self.recorded("redis")
        {
            let answers = match self.seen.ambit.host.probe_redis(server).await {
                RedisAnswer::Well => Ok(()),
                RedisAnswer::NotListening => Err(self.not_listening("redis", "Redis", server.port)),
                RedisAnswer::Silent => Err(self.silent("redis", "Redis")),
                RedisAnswer::Full { limit } => Err(Trouble::new(
                    format!("Redis of {} is full and takes no more: {} MB", self.id.environment, limit >> 20),
                    "used_memory has reached maxmemory",
                    format!("give [services.redis] more `memory` in ambit.toml, then {}", self.up()),
                )),
                RedisAnswer::Refuses(why) => {
                    Err(Trouble::new(format!("Redis of {} refuses", self.id.environment), why, self.restart()))
                }
            };
            let what = format!("Redis of {} answers", self.id.environment);
            checks.push(Check::new(self.name("redis"), what, answers).needs(["disk", "memory"]));
        }
        Ok(checks)
    }

    fn postgres(&self, server: &PostgresServer, answer: &PostgresAnswer) -> Result<(), Trouble> {
        let environment = &self.id.environment;
        match answer {
            PostgresAnswer::Well { connections: (used, limit) } if *used * 100 >= *limit * NEARLY_ALL => {
                Err(self.many(*used, *limit, ""))
            }
            PostgresAnswer::Well { .. } => Ok(()),
            PostgresAnswer::NotListening => Err(self.not_listening("postgres", "PostgreSQL", server.port)),
            PostgresAnswer::Silent => Err(self.silent("postgres", "PostgreSQL")),
            PostgresAnswer::Full { holders, limit } => {
                let holders = holders.iter().map(|(user, state, count)| format!("{user} {state}: {count}"));
                Err(self.many(*limit, *limit, &holders.collect::<Vec<_>>().join(", ")))
            }
            PostgresAnswer::Refuses(why) => {
                Err(Trouble::new(format!("PostgreSQL of {environment} refuses the app's role"), why, self.up()))
            }
        }
    }

    fn many(&self, used: u64, limit: u64, holders: &str) -> Trouble {
        let environment = &self.id.environment;
        let seen =
            if holders.is_empty() { "pg_stat_activity".to_owned() } else { format!("pg_stat_activity: {holders}") };
        Trouble::new(
            format!("PostgreSQL of {environment} has no connections left: {used} of {limit} are taken"),
            seen,
            self.restart(),
        )
        .and(format!(
            "let the app's pool hold fewer, or raise settings.max_connections of [services.postgres], then {}",
            self.up()
        ))
    }

    /// Why nothing listens: its keeper is told to rest, it does not stay up, or somebody else has its port.
    fn not_listening(&self, service: &str, name: &str, port: u16) -> Trouble {
        let environment = &self.id.environment;
        let wrong = format!("{name} of {environment} does not run");
        let status = self.seen.ambit.provider.instances(self.id).into_iter().find(|i| i.service == service);
        let seen = match status.map(|status| status.health) {
            Some(InstanceHealth::Restarting { exit }) => {
                format!("nothing listens on port {port}; it {exit}, and is started again and again")
            }
            Some(InstanceHealth::Stopped) => format!("nothing listens on port {port}; it was stopped"),
            Some(InstanceHealth::Running) => format!("nothing listens on port {port}, though its process is there"),
            None => format!("nothing listens on port {port}, and it has no keeper"),
        };
        Trouble::new(wrong, seen, self.up()).and(format!("ambit logs {service} -e {environment}"))
    }

    fn silent(&self, service: &str, name: &str) -> Trouble {
        let environment = &self.id.environment;
        let seen = "its port takes connections, and nothing is said there";
        Trouble::new(format!("{name} of {environment} hangs"), seen, self.restart())
            .and(format!("ambit logs {service} -e {environment}"))
    }

    /// Stops and starts everything of the environment; data stays.
    pub(super) fn restart(&self) -> String {
        let environment = &self.id.environment;
        format!("ambit down {environment} && ambit up {environment}")
    }

    fn recorded(&self, service: &str) -> bool {
        self.record.services.iter().any(|s| s.made_from.service.as_str() == service)
    }

    /// Whether everything ran that the release that serves comes with.
    async fn migrations(&self) -> Check {
        let environment = &self.id.environment;
        let (id, what) = (self.name("migrations"), format!("the migrations of {environment} ran"));
        let folder = self.seen.patient.folder.map(PathBuf::from).unwrap_or_default();
        let keys = self.seen.patient.keys.clone().unwrap_or_default();
        let request = Migrate { folder, environment: environment.clone(), keys, actor: Actor::daemon() };
        let progress = Progress::unheard();
        let status = match timeout(PATIENCE, self.seen.ambit.migration_status(&request, &progress)).await {
            Ok(Ok(status)) => status,
            Ok(Err(failure)) => return Check::unseen(id, what, failure.message),
            Err(_) => return Check::unseen(id, what, format!("no answer within {} s", PATIENCE.as_secs())),
        };
        let files = || status.iter().flat_map(|service| &service.files);
        let pending: Vec<&str> = files().filter(|file| !file.ran).map(|file| file.name.as_str()).collect();
        let changed: Vec<&str> =
            files().filter(|file| file.ran && file.changed).map(|file| file.name.as_str()).collect();
        let found = if let [first, ..] = pending.as_slice() {
            let wrong = format!("{} migrations of {environment} have not run, the first is {first}", pending.len());
            Err(Trouble::new(
                wrong,
                "the files of the release were compared with the database",
                format!("ambit migrate -e {environment}"),
            ))
        } else if let [first, ..] = changed.as_slice() {
            let wrong = format!("the migration {first} is another one than the one that ran in {environment}");
            Err(Trouble::new(
                wrong,
                "the files of the release were compared with the database",
                "put the file back as it was, and write a new migration",
            ))
        } else {
            Ok(())
        };
        Check::new(id, what, found)
    }
}
