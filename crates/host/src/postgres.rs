//! A PostgreSQL cluster of an environment.
//!
//! A new cluster is made in a folder beside its place and renamed when it is complete: a crash before leaves a folder that
//! the next start throws away, a crash after leaves a cluster without role and database, which every start makes sure of.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use ambit_domain::{
    EnvironmentId, Failure, FailureKind, InstanceId,
    provider::{PostgresServer, Started},
    spec::Kind,
};
use ambit_keeper::{FORMAT, Limits, Spec, StopSignal, client};
use tokio_postgres::{Client, Config, NoTls};

use crate::{
    Host,
    files::{as_user, write_as},
    leftovers::end_those_at,
    machine::{blocking, cannot, failed},
    ports::require_free,
    postgres_settings::configuration,
    users::User,
};

const STARTS_WITHIN: Duration = Duration::from_secs(60);
/// Crash recovery of a big cluster takes its time; a server that says so is waited for.
const RECOVERS_WITHIN: Duration = Duration::from_secs(600);

/// A PostgreSQL on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    /// Its major version.
    pub major: u32,
    /// The folder of its programs.
    pub programs: PathBuf,
}

/// The versions 14 to 18 that are installed where Debian, the PostgreSQL project and Red Hat put them, by major version.
#[must_use]
pub fn installed() -> Vec<Installation> {
    let mut found = BTreeMap::new();
    for major in 14..=18 {
        for folder in [format!("/usr/lib/postgresql/{major}/bin"), format!("/usr/pgsql-{major}/bin")] {
            let programs = PathBuf::from(folder);
            if programs.join("postgres").exists() && programs.join("initdb").exists() {
                found.entry(major).or_insert(Installation { major, programs });
            }
        }
    }
    found.into_values().collect()
}

impl Host {
    pub(crate) async fn postgres(&self, id: &EnvironmentId, server: &PostgresServer) -> Result<Started, Failure> {
        let instance = InstanceId {
            environment: id.clone(),
            service: "postgres".parse().map_err(crate::machine::internal)?,
            number: 1,
        };
        let record = self.home.keeper(&instance);
        let user = self.user(id)?;
        let place = Place { folder: self.home.environment(id).join("postgres"), user };
        let program = self.program.clone();

        let archive = self.prepare_backups(id, server)?;
        let archives = archive.is_some();
        let prepared = {
            let (place, server, name) = (place.clone(), server.clone(), id.to_string());
            blocking(move || prepare(&place, &server, &name, archive.as_deref())).await?
        };
        let mut done = Vec::new();
        if prepared.created {
            done.push(format!("PostgreSQL {} made", prepared.installation.major));
        }
        let running = client::keeper(&record).is_some();
        if !running {
            let (place, record, program, installation) =
                (place.clone(), record.clone(), program.clone(), prepared.installation.clone());
            let marker = format!("{}:{instance}", self.home.root().display());
            let port = server.port;
            let secrets = vec![server.role_password.clone(), server.admin_password.clone()];
            blocking(move || {
                require_free(port, "postgres")?;
                start(&place, &record, &program, &installation, marker, secrets)
            })
            .await?;
            done.push("started".to_owned());
        }
        let admin = self.wait_for_postgres(&record, server).await?;
        if running && prepared.settings_changed {
            reload(&admin).await?;
            let pending = pending_restart(&admin).await?;
            if pending.is_empty() {
                done.push("settings reloaded".to_owned());
            } else {
                drop(admin);
                let keeper = record.clone();
                blocking(move || restart(&keeper, &program)).await?;
                done.push(format!("restarted for {}", pending.join(", ")));
                let admin = self.wait_for_postgres(&record, server).await?;
                provision(&admin, server).await?;
                self.begin_archiving(id, server, archives, &prepared, &mut done).await;
                return Ok(started(prepared.created, &done));
            }
        }
        provision(&admin, server).await?;
        self.begin_archiving(id, server, archives, &prepared, &mut done).await;
        Ok(started(prepared.created, &done))
    }

    /// Makes the repository of backups know the cluster, so that its log is archived from the beginning. Where that cannot be
    /// done now, the server serves all the same: it keeps its log until it is archived, and each backup tries again.
    async fn begin_archiving(
        &self,
        id: &EnvironmentId,
        server: &PostgresServer,
        archives: bool,
        prepared: &Prepared,
        done: &mut Vec<String>,
    ) {
        if !archives || !(prepared.created || prepared.settings_changed) {
            return;
        }
        match self.make_stanza(id, server).await {
            Ok(()) => done.push("its log is archived".to_owned()),
            Err(failure) => {
                tracing::warn!(causes = ?failure.causes, "{id}: the log is not archived: {failure}");
                done.push(format!("its log is not archived: {}", failure.causes.join("; ")));
            }
        }
    }

    /// Waits until it answers Ambit's own user.
    pub(crate) async fn wait_for_postgres(&self, record: &Path, server: &PostgresServer) -> Result<Client, Failure> {
        let begin = Instant::now();
        let restarts = client::state(record).ok().flatten().map_or(0, |s| s.restarts);
        loop {
            let refused = match connect(server, "postgres", &server.admin_password, "postgres").await {
                Ok(client) => return Ok(client),
                Err(error) => error,
            };
            let state = client::state(record).ok().flatten();
            let crashed = state.as_ref().is_some_and(|s| s.restarts >= restarts + 3);
            let recovering = refused.as_db_error().is_some_and(|e| e.code().code() == "57P03");
            let patience = if recovering { RECOVERS_WITHIN } else { STARTS_WITHIN };
            let wrong_password = refused.as_db_error().is_some_and(|e| e.code().code() == "28P01");
            if crashed || wrong_password || begin.elapsed() > patience {
                let mut failure = Failure::new(FailureKind::Machine, "PostgreSQL does not start")
                    .because(refused.as_db_error().map_or_else(|| refused.to_string(), |e| e.message().to_owned()));
                let (lines, _) = client::tail(record, 15);
                if !lines.is_empty() {
                    let text: Vec<&str> = lines.iter().map(|(_, text)| text.as_str()).collect();
                    failure = failure.because(text.join("\n"));
                }
                return Err(failure.hint(format!("its whole log: {}", record.join("log").display())));
            }
            tokio::time::sleep(Duration::from_millis(8)).await;
        }
    }
}

fn started(created: bool, done: &[String]) -> Started {
    let detail = if done.is_empty() { "as it was".to_owned() } else { done.join(", ") };
    Started { changed: !done.is_empty(), detail, created }
}

/// Where a cluster lies and who owns it.
#[derive(Clone)]
struct Place {
    folder: PathBuf,
    user: Option<User>,
}

impl Place {
    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn settings(&self) -> PathBuf {
        self.folder.join("ambit.conf")
    }
}

struct Prepared {
    installation: Installation,
    created: bool,
    settings_changed: bool,
}

/// Everything that can be wrong is found before the running server is touched.
fn prepare(place: &Place, server: &PostgresServer, name: &str, archive: Option<&str>) -> Result<Prepared, Failure> {
    let data = place.data();
    let version_file = data.join("PG_VERSION");
    let version = match fs::read_to_string(&version_file) {
        Ok(text) => Some(text.trim().parse::<u32>().map_err(|_| {
            Failure::new(FailureKind::Machine, format!("{} is damaged", version_file.display()))
                .hint("restore the data directory from a backup")
        })?),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(cannot("read", &version_file)(error)),
    };
    let installation = choose(version, server.version)?;
    let created = version.is_none();
    if created {
        make(place, server, &installation)?;
    }
    let text = configuration(server, name, archive);
    let settings = place.settings();
    let old = fs::read_to_string(&settings).unwrap_or_default();
    let settings_changed = old != text;
    if settings_changed {
        let new = place.folder.join("ambit.conf.proposed");
        write_as(place.user, &new, &text)?;
        // The server itself says whether it understands every setting.
        let check = as_user(
            place.user,
            Command::new(installation.programs.join("postgres"))
                .arg("-D")
                .arg(&data)
                .arg("-c")
                .arg(format!("config_file={}", new.display()))
                .args(["-C", "port"]),
        );
        if let Err(error) = check {
            let said = error.to_string().replace(&*new.to_string_lossy(), "ambit.conf");
            return Err(Failure::new(FailureKind::Declaration, "PostgreSQL refuses its settings; nothing was changed")
                .because(said)
                .hint("correct `settings` in [services.postgres] of ambit.toml"));
        }
        as_user(place.user, Command::new("mv").arg("-f").arg(&new).arg(&settings))
            .map_err(cannot("write", &settings))?;
    }
    Ok(Prepared { installation, created, settings_changed })
}

fn choose(data: Option<u32>, declared: Option<u32>) -> Result<Installation, Failure> {
    let all = installed();
    let list = all.iter().map(|i| i.major.to_string()).collect::<Vec<_>>().join(", ");
    if all.is_empty() {
        return Err(Failure::new(FailureKind::Machine, "there is no PostgreSQL (14 to 18) on this machine")
            .hint("apt-get install postgresql"));
    }
    if let (Some(data), Some(declared)) = (data, declared)
        && data != declared
    {
        return Err(Failure::new(
            FailureKind::Declaration,
            format!("the data directory belongs to PostgreSQL {data}, ambit.toml declares {declared}; nothing was changed"),
        )
        .because("one major version cannot open the data of another")
        .hint(format!("set version = {data} again, dump the data (ambit run -- pg_dump), destroy the environment, bring it up with {declared} and load the dump")));
    }
    let wanted = data.or(declared);
    let Some(major) = wanted else {
        return all.into_iter().next_back().ok_or_else(|| crate::machine::internal("no installation"));
    };
    all.into_iter().find(|i| i.major == major).ok_or_else(|| {
        let whose = if data.is_some() { "the data directory belongs to" } else { "ambit.toml declares" };
        Failure::new(
            FailureKind::Machine,
            format!("{whose} PostgreSQL {major}, which is not on this machine; nothing was changed"),
        )
        .because(format!("installed: {list}"))
        .hint(format!("apt-get install postgresql-{major} (see apt.postgresql.org for versions that Debian lacks)"))
    })
}

fn make(place: &Place, server: &PostgresServer, installation: &Installation) -> Result<(), Failure> {
    let making = place.folder.join("making");
    let password = place.folder.join("password");
    // The initdb of a daemon that was killed goes on by itself.
    end_those_at(&making);
    as_user(place.user, Command::new("rm").arg("-rf").arg(&making)).map_err(cannot("clear", &making))?;
    write_as(place.user, &password, &server.admin_password)?;
    let mut initdb = Command::new(installation.programs.join("initdb"));
    initdb
        .args(["--username=postgres", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8"])
        .arg(format!("--pwfile={}", password.display()))
        .arg("-D")
        .arg(&making);
    match server.kind {
        Kind::Development => initdb.arg("--no-sync"),
        Kind::Staging | Kind::Production => initdb.arg("--data-checksums"),
    };
    let made = as_user(place.user, &mut initdb);
    as_user(place.user, Command::new("rm").arg("-f").arg(&password)).map_err(cannot("delete", &password))?;
    if let Err(error) = made {
        as_user(place.user, Command::new("rm").arg("-rf").arg(&making)).map_err(cannot("clear", &making))?;
        return Err(failed("a PostgreSQL cluster cannot be made", &error));
    }
    let data = place.data();
    as_user(place.user, Command::new("mv").arg("-T").arg(&making).arg(&data)).map_err(cannot("make", &data))?;
    Ok(())
}

fn start(
    place: &Place,
    record: &Path,
    program: &Path,
    installation: &Installation,
    marker: String,
    secrets: Vec<String>,
) -> Result<(), Failure> {
    let spec = Spec {
        format: FORMAT,
        marker,
        program: installation.programs.join("postgres"),
        arguments: vec![
            "-D".to_owned(),
            place.data().display().to_string(),
            "-c".to_owned(),
            format!("config_file={}", place.settings().display()),
        ],
        variables: vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned()), ("LC_ALL".to_owned(), "C.UTF-8".to_owned())],
        directory: place.folder.clone(),
        user: place.user.map(|u| (u.uid, u.gid)),
        stop_signal: StopSignal::Int,
        stop_seconds: 120,
        // Its memory is bounded by its settings; killed for memory it would lose every connection at once.
        limits: Limits::default(),
        once: None,
        secrets,
    };
    client::write_spec(record, &spec).map_err(|e| Failure::from_error(FailureKind::Machine, &e))?;
    client::ensure(program, record).map_err(|e| failed("PostgreSQL cannot be started", &e))
}

fn restart(record: &Path, program: &Path) -> Result<(), Failure> {
    let failure = |e: ambit_keeper::RecordError| Failure::from_error(FailureKind::Machine, &e);
    client::stop(program, record).map_err(failure)?;
    if let Some(spec) = client::read_spec(record).map_err(failure)? {
        client::write_spec(record, &spec).map_err(failure)?;
    }
    client::ensure(program, record).map_err(|e| failed("PostgreSQL cannot be started", &e))
}

pub(crate) async fn connect(
    server: &PostgresServer,
    user: &str,
    password: &str,
    database: &str,
) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = Config::new()
        .host("127.0.0.1")
        .port(server.port)
        .user(user)
        .password(password)
        .dbname(database)
        .application_name("ambit")
        .connect_timeout(Duration::from_secs(5))
        .connect(NoTls)
        .await?;
    // Ends when the client is dropped.
    tokio::spawn(connection);
    Ok(client)
}

pub(crate) fn query_failed(error: &tokio_postgres::Error) -> Failure {
    Failure::from_error(FailureKind::Machine, error)
}

async fn reload(admin: &Client) -> Result<(), Failure> {
    admin.simple_query("SELECT pg_reload_conf()").await.map_err(|e| query_failed(&e))?;
    // The postmaster reads the file when it gets the signal; this session sees it at its next command after that.
    tokio::time::sleep(Duration::from_millis(100)).await;
    Ok(())
}

async fn pending_restart(admin: &Client) -> Result<Vec<String>, Failure> {
    let rows = admin
        .query("SELECT name FROM pg_settings WHERE pending_restart ORDER BY name", &[])
        .await
        .map_err(|e| query_failed(&e))?;
    Ok(rows.iter().map(|r| r.get(0)).collect())
}

/// Makes sure of the application's role and database. Cheap where they are there: one connection of the role.
async fn provision(admin: &Client, server: &PostgresServer) -> Result<(), Failure> {
    if connect(server, &server.role, &server.role_password, &server.database).await.is_ok() {
        return Ok(());
    }
    let role = identifier(&server.role);
    let database = identifier(&server.database);
    let password = literal(&server.role_password);
    let run = async |sql: String| admin.batch_execute(&sql).await.map_err(|e| query_failed(&e));
    let exists = |sql: &'static str, name: String| async move {
        admin.query_opt(sql, &[&name]).await.map(|r| r.is_some()).map_err(|e| query_failed(&e))
    };
    // Development may make databases of its own: test runners and migration tools do.
    let may = if server.kind == Kind::Development { "CREATEDB" } else { "NOCREATEDB" };
    let verb = if exists("SELECT 1 FROM pg_roles WHERE rolname = $1", server.role.clone()).await? {
        "ALTER"
    } else {
        "CREATE"
    };
    run(format!("{verb} ROLE {role} LOGIN NOSUPERUSER NOCREATEROLE {may} PASSWORD {password}")).await?;
    if !exists("SELECT 1 FROM pg_database WHERE datname = $1", server.database.clone()).await? {
        run(format!("CREATE DATABASE {database} OWNER {role}")).await?;
    }
    run(format!("REVOKE CONNECT ON DATABASE {database} FROM PUBLIC; REVOKE CONNECT ON DATABASE postgres FROM PUBLIC"))
        .await
}

/// The programs of the version that a data directory belongs to.
pub(crate) fn installation_of(data: &Path) -> Result<Installation, Failure> {
    let file = data.join("PG_VERSION");
    let text = fs::read_to_string(&file).map_err(cannot("read", &file))?;
    let major = text.trim().parse().ok();
    choose(major, None)
}

/// Drops the application's database and makes it anew.
pub(crate) async fn empty(server: &PostgresServer) -> Result<(), Failure> {
    let admin = connect(server, "postgres", &server.admin_password, "postgres").await.map_err(|e| query_failed(&e))?;
    let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", identifier(&server.database));
    admin.batch_execute(&drop).await.map_err(|e| query_failed(&e))?;
    provision(&admin, server).await
}

/// Whether any table of the database of a role holds a row. `None` where it does not answer.
pub(crate) async fn holds_rows(server: &PostgresServer) -> Option<bool> {
    let admin = connect(server, "postgres", &server.admin_password, "postgres").await.ok()?;
    let databases =
        admin.query("SELECT datname FROM pg_database WHERE NOT datistemplate AND datallowconn", &[]).await.ok()?;
    for database in databases {
        let name: String = database.get(0);
        let client = connect(server, "postgres", &server.admin_password, &name).await.ok()?;
        let tables = client
            .query(
                "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                 WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
                   AND n.nspname NOT LIKE 'pg\\_toast%'",
                &[],
            )
            .await
            .ok()?;
        for table in tables {
            let table: String = table.get(0);
            if client.query_opt(&format!("SELECT 1 FROM {table} LIMIT 1"), &[]).await.ok()?.is_some() {
                return Some(true);
            }
        }
        let objects = client.query_opt("SELECT 1 FROM pg_largeobject_metadata LIMIT 1", &[]).await.ok()?;
        if objects.is_some() {
            return Some(true);
        }
    }
    Some(false)
}

pub(crate) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
