//! Databases as files in `pg_dump`'s custom format: written, read into a database, handed to a person and taken from one.
//!
//! What a person brings may be broken or hostile, and an archive is a program: whatever SQL stands in it is run. It is
//! therefore loaded by a role of its own, which owns the new database, may do nothing else and is gone afterwards, and in
//! one transaction, in which databases can be neither made nor dropped.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use ambit_domain::{
    EnvironmentId, Failure, FailureKind,
    provider::{AppProcess, PostgresServer, Task},
};

use crate::{
    Host, databases,
    files::{as_user, drop_to},
    machine::{blocking, cannot, failed},
    postgres::{identifier, installation_of, literal, query_failed},
};

/// A copy that takes longer is given up.
pub(crate) const LONGEST: Duration = Duration::from_secs(6 * 3600);
/// The role that loads what a person brings.
const IMPORTER: &str = "ambit-import";

/// By whom an archive is loaded.
pub(crate) struct Login<'a> {
    pub(crate) role: &'a str,
    pub(crate) password: &'a str,
}

impl Host {
    /// Writes the present database into a file of the environment's folder, which is complete once it is there; returns its
    /// size in bytes. `run` names the task.
    pub(crate) async fn write_archive(
        &self,
        id: &EnvironmentId,
        server: &PostgresServer,
        file: &Path,
        run: &str,
    ) -> Result<u64, Failure> {
        self.make_folder_of(id, file).await?;
        let command = "umask 077; rm -f \"$FILE.new\"; \
                       \"$PROGRAM\" --format=custom --compress=1 --file=\"$FILE.new\" && sync -d \"$FILE.new\" && \
                       mv -f \"$FILE.new\" \"$FILE\"";
        let by = Login { role: "postgres", password: &server.admin_password };
        let more = [("FILE", file.display().to_string()), ("PGDATABASE", server.database.clone())];
        let task = self.postgres_task(id, server, "pg_dump", command, &by, more)?;
        let made = self.task(id, run, &task, &|_| {}).await;
        // Forgotten either way: its record holds a password, and the next attempt begins anew.
        self.end_task(id, run).await?;
        made.map_err(|failure| {
            let full = failure.causes.iter().any(|c| c.contains("No space left"));
            let failure = Failure { kind: FailureKind::Machine, ..failure };
            if full {
                failure.hint("the disk is full: free some space (df -h) and repeat the command")
            } else {
                failure
            }
        })?;
        fs::metadata(file).map(|m| m.len()).map_err(cannot("read", file))
    }

    /// Loads a file of the environment's folder into a database.
    pub(crate) async fn read_archive(
        &self,
        id: &EnvironmentId,
        server: &PostgresServer,
        file: &Path,
        database: &str,
        by: &Login<'_>,
        options: &[&str],
    ) -> Result<(), Failure> {
        let options = options.join(" ");
        let command = format!("\"$PROGRAM\" --exit-on-error {options} --dbname=\"$DATABASE\" \"$FILE\"");
        let more = [("FILE", file.display().to_string()), ("DATABASE", database.to_owned())];
        let task = self.postgres_task(id, server, "pg_restore", &command, by, more)?;
        let run = "load-archive";
        // One that a killed daemon left loads into a database that is gone.
        self.end_task(id, run).await?;
        let loaded = self.task(id, run, &task, &|_| {}).await;
        self.end_task(id, run).await?;
        loaded.map_err(|failure| {
            Failure { kind: FailureKind::Machine, ..failure }.because("the present database was not touched")
        })
    }

    fn postgres_task(
        &self,
        id: &EnvironmentId,
        server: &PostgresServer,
        program: &str,
        command: &str,
        by: &Login<'_>,
        more: [(&str, String); 2],
    ) -> Result<Task, Failure> {
        let programs = installation_of(&self.home.environment(id).join("postgres/data"))?.programs;
        let mut variables = vec![
            ("PATH", "/usr/bin:/bin".to_owned()),
            ("PROGRAM", programs.join(program).display().to_string()),
            ("PGHOST", "127.0.0.1".to_owned()),
            ("PGPORT", server.port.to_string()),
            ("PGUSER", by.role.to_owned()),
            ("PGPASSWORD", by.password.to_owned()),
        ];
        variables.extend(more);
        let variables = variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let process = AppProcess {
            command: command.to_owned(),
            directory: "/".into(),
            variables,
            memory: None,
            cpus: None,
            secrets: vec![by.password.to_owned()],
        };
        Ok(Task { process, longest: LONGEST })
    }

    /// Writes the present database to a file of a person's: a new one, of mode 0600, complete once it is there.
    pub(crate) async fn export(
        &self,
        id: &EnvironmentId,
        server: &PostgresServer,
        into: &Path,
    ) -> Result<u64, Failure> {
        refuse_existing(into)?;
        let inner = self.home.environment(id).join("exchange/export.dump");
        self.write_archive(id, server, &inner, "export").await?;
        let (from, to) = (inner.clone(), into.to_path_buf());
        let copied = blocking(move || hand_out(&from, &to)).await;
        self.remove_file(id, &inner).await?;
        copied
    }

    /// Loads a file of a person's into a database of that name, which is made anew and belongs to the application's role.
    pub(crate) async fn import(
        &self,
        id: &EnvironmentId,
        server: &PostgresServer,
        from: &Path,
        database: &str,
    ) -> Result<(), Failure> {
        // Before it is opened: a pipe would be waited for.
        if !fs::metadata(from).map_err(cannot("read", from))?.is_file() {
            return Err(Failure::new(FailureKind::User, format!("{} is not a file", from.display())));
        }
        let source = File::open(from).map_err(cannot("read", from))?;
        let inner = self.home.environment(id).join("exchange/import.dump");
        self.make_folder_of(id, &inner).await?;
        let (user, to) = (self.user(id)?, inner.clone());
        blocking(move || {
            let mut cat = Command::new("/bin/sh");
            cat.args(["-c", "umask 077; exec cat > \"$0\""]).arg(&to).current_dir("/");
            let said = drop_to(user, &mut cat).stdin(Stdio::from(source)).output().and_then(|output| {
                let text = String::from_utf8_lossy(&output.stderr).trim().to_owned();
                if output.status.success() { Ok(()) } else { Err(io::Error::other(text)) }
            });
            said.map_err(cannot("write", &to))
        })
        .await?;
        let load = async |by: &Login<'_>| {
            let options = ["--single-transaction", "--no-owner", "--no-acl"];
            self.read_archive(id, server, &inner, database, by, &options).await
        };
        let loaded = self.as_a_stranger(server, database, load).await;
        self.remove_file(id, &inner).await?;
        loaded.map_err(|failure| {
            failure.hint(format!(
                "{} has to be what `ambit data export` or `pg_dump --format=custom` wrote",
                from.display()
            ))
        })
    }

    /// Has a database made anew and filled by a role that may do nothing else, and gives it to the application's.
    pub(crate) async fn as_a_stranger(
        &self,
        server: &PostgresServer,
        database: &str,
        fill: impl AsyncFnOnce(&Login<'_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let admin = databases::admin(server).await?;
        let run = async |sql: String| admin.batch_execute(&sql).await.map_err(|e| query_failed(&e));
        let importer = identifier(IMPORTER);
        let clear = async || {
            databases::remove(server, database).await?;
            run(format!("DROP ROLE IF EXISTS {importer}")).await
        };
        clear().await?;
        let password = random_password()?;
        run(format!(
            "CREATE ROLE {importer} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD {}",
            literal(&password)
        ))
        .await?;
        let load = async {
            databases::create(server, database, IMPORTER).await?;
            let by = Login { role: IMPORTER, password: &password };
            fill(&by).await?;
            databases::give(server, database, IMPORTER).await
        };
        let loaded = load.await;
        if loaded.is_err() {
            clear().await?;
        }
        loaded
    }

    /// Makes the folder of a file within an environment's own.
    async fn make_folder_of(&self, id: &EnvironmentId, file: &Path) -> Result<(), Failure> {
        let (folder, user) = (file.parent().map(Path::to_path_buf).unwrap_or_default(), self.user(id)?);
        blocking(move || {
            as_user(user, Command::new("mkdir").args(["-m", "700", "-p"]).arg(&folder))
                .map(drop)
                .map_err(cannot("make", &folder))
        })
        .await
    }
}

fn refuse_existing(file: &Path) -> Result<(), Failure> {
    match fs::symlink_metadata(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(cannot("write", file)(error)),
        Ok(_) => {
            Err(Failure::new(FailureKind::User, format!("{} is there already and is left as it is", file.display()))
                .hint("name another file, or move that one away"))
        }
    }
}

/// Copies a file under another name and gives it its own when it is complete.
fn hand_out(from: &Path, to: &Path) -> Result<u64, Failure> {
    let name = to.file_name().unwrap_or_default().to_string_lossy();
    let part: PathBuf = to.with_file_name(format!(".{name}.{}.part", std::process::id()));
    let copy = || -> io::Result<u64> {
        let mut source = File::open(from)?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part)?;
        let size = io::copy(&mut source, &mut file)?;
        file.sync_all()?;
        // Unlike a rename, a link never takes the place of a file that somebody put there meanwhile.
        fs::hard_link(&part, to)?;
        fs::remove_file(&part)?;
        Ok(size)
    };
    copy().map_err(|error| {
        if error.kind() != io::ErrorKind::AlreadyExists {
            let _ = fs::remove_file(&part);
        }
        failed(format!("cannot write {}", to.display()), &error)
    })
}

fn random_password() -> Result<String, Failure> {
    let mut bytes = [0_u8; 24];
    let source = Path::new("/dev/urandom");
    File::open(source).and_then(|mut file| file.read_exact(&mut bytes)).map_err(cannot("read", source))?;
    Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
}
