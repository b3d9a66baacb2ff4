//! pgBackRest itself: found, asked for its version, run.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use ambit_domain::{
    EnvironmentId, Failure, FailureKind,
    provider::{AppProcess, PostgresServer, Repository, Sink, Task},
    spec::BackupPlace,
};

use crate::{
    Host,
    files::{as_user, make, make_own, write_as},
    machine::{blocking, cannot, failed},
    users::User,
};

use super::settings;

/// A backup, a restore or a check that takes longer is given up.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// The first version that knows SFTP (release notes of pgBackRest 2.46).
const SFTP_SINCE: (u32, u32) = (2, 46);

/// pgBackRest on this machine.
#[derive(Debug, Clone)]
pub(crate) struct Engine {
    pub(crate) program: PathBuf,
    version: String,
}

impl Engine {
    /// Where programs are looked for.
    pub(crate) fn find() -> Result<Self, Failure> {
        let missing = || {
            Failure::new(FailureKind::Machine, "there is no pgBackRest on this machine, so there are no backups")
                .hint("apt-get install pgbackrest, then ambit up")
        };
        let path = env::var_os("PATH").unwrap_or_default();
        let program = env::split_paths(&path)
            .filter(|folder| folder.is_absolute())
            .map(|folder| folder.join("pgbackrest"))
            .find(|file| file.is_file())
            .ok_or_else(missing)?;
        let said = as_user(None, Command::new(&program).arg("version").env_clear())
            .map_err(|e| failed("pgBackRest cannot be run", &e))?;
        let said = String::from_utf8_lossy(&said);
        let version = said.trim().rsplit(' ').next().unwrap_or_default().to_owned();
        Ok(Self { program, version })
    }

    /// Refuses what this version cannot do.
    fn check(self, repository: &Repository) -> Result<Self, Failure> {
        if matches!(repository.place, Some(BackupPlace::Sftp { .. })) && number(&self.version) < Some(SFTP_SINCE) {
            return Err(Failure::new(
                FailureKind::Machine,
                format!("pgBackRest {} does not know SFTP; version 2.46 is the first that does", self.version),
            )
            .hint("install a newer one (apt.postgresql.org), or let `to` be a folder or s3://"));
        }
        Ok(self)
    }
}

/// `2.45` as numbers that compare.
fn number(version: &str) -> Option<(u32, u32)> {
    let (major, rest) = version.split_once('.')?;
    let minor: String = rest.chars().take_while(char::is_ascii_digit).collect();
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// How pgBackRest is called for one environment.
#[derive(Clone)]
pub(crate) struct Stanza {
    pub(crate) program: PathBuf,
    pub(crate) config: PathBuf,
    pub(crate) name: String,
    user: Option<User>,
}

impl Host {
    pub(crate) fn engine(&self, repository: &Repository) -> Result<String, Failure> {
        Ok(Engine::find()?.check(repository)?.version)
    }

    pub(crate) fn stanza(&self, id: &EnvironmentId) -> Result<Stanza, Failure> {
        let program = Engine::find()?.program;
        let config = self.home.backups(id).join("pgbackrest.conf");
        if !config.exists() {
            return Err(Failure::new(FailureKind::NotFound, format!("{} has no backups", id.environment))
                .hint("declare `backup` for it in ambit.toml, then ambit up"));
        }
        Ok(Stanza { program, config, name: format!("{}-{}", id.project, id.environment), user: self.user(id)? })
    }

    /// Makes the folder of an environment's backups and writes how they are made. Returns the command that archives a
    /// segment of the log.
    pub(crate) fn prepare_backups(
        &self,
        id: &EnvironmentId,
        server: &PostgresServer,
    ) -> Result<Option<String>, Failure> {
        let Some(repository) = &server.backup else { return Ok(None) };
        let Ok(engine) = Engine::find().and_then(|engine| engine.check(repository)) else { return Ok(None) };
        self.make_backups_folder(id)?;
        let (user, folder) = (self.user(id)?, self.home.backups(id));
        let own = match &repository.place {
            Some(BackupPlace::Folder(place)) => {
                // One that is not there may be a disk that is not mounted: it is not made.
                if !place.is_dir() {
                    return Err(Failure::new(
                        FailureKind::Machine,
                        format!("{}, where backups go, is not there; nothing was changed", place.display()),
                    )
                    .hint("mount it or make it, then repeat the command"));
                }
                let own = place.join(id.project.as_str()).join(id.environment.as_str());
                make(&place.join(id.project.as_str()), self.mode_above(), None)?;
                make_own(&own, 0o700, user)?;
                own
            }
            _ => folder.join("repository"),
        };
        let data = self.home.environment(id).join("postgres/data");
        let name = format!("{}-{}", id.project, id.environment);
        let config = folder.join("pgbackrest.conf");
        if let (Some(BackupPlace::Sftp { .. }), Some(key)) = (&repository.place, repository.secrets.first()) {
            write_as(user, &folder.join("sftp.key"), key)?;
        }
        let text = settings::configuration(repository, &own, &folder, &name, &data, server.port);
        if as_user(user, Command::new("cat").arg(&config)).ok().as_deref() != Some(text.as_bytes()) {
            write_as(user, &config, &text)?;
        }
        let program = quoted(&engine.program);
        let command = format!("{program} --config={} --stanza={name} archive-push", quoted(&config));
        // In the command `%` begins a placeholder (PostgreSQL manual, 20.5.3).
        Ok(Some(format!("{} \"%p\"", command.replace('%', "%%"))))
    }

    pub(super) fn make_backups_folder(&self, id: &EnvironmentId) -> Result<(), Failure> {
        let user = self.user(id)?;
        let root = self.home.root().join("backups");
        for folder in [root.clone(), root.join(id.project.as_str())] {
            make(&folder, self.mode_above(), None)?;
        }
        let folder = self.home.backups(id);
        make_own(&folder, 0o700, user)?;
        for inner in ["repository", "log", "lock", "spool", "redis"] {
            let inner = folder.join(inner);
            as_user(user, Command::new("mkdir").args(["-m", "700", "-p"]).arg(&inner))
                .map_err(cannot("make", &inner))?;
        }
        Ok(())
    }

    /// Others pass through the folders above that of an environment, and see nothing there.
    fn mode_above(&self) -> u32 {
        if self.separates_users() { 0o711 } else { 0o700 }
    }

    /// The folders that hold backups of an environment, wherever they are on this machine.
    pub(crate) fn backup_folders(&self, id: &EnvironmentId) -> Vec<PathBuf> {
        let folder = self.home.backups(id);
        // As its user, who could have put anything there.
        let user = self.user(id).ok().flatten();
        let text = as_user(user, Command::new("timeout").args(["5", "cat"]).arg(folder.join("pgbackrest.conf")));
        let text = String::from_utf8_lossy(&text.unwrap_or_default()).into_owned();
        let elsewhere = (!text.contains("\nrepo1-type="))
            .then(|| text.lines().find_map(|line| line.strip_prefix("repo1-path=")).map(PathBuf::from))
            .flatten()
            // Of what lies within, the folder itself is enough; anything but the folder of this environment is not ours.
            .filter(|path| path.ends_with(Path::new(id.project.as_str()).join(id.environment.as_str())));
        [Some(folder), elsewhere].into_iter().flatten().filter(|folder| folder.is_dir()).collect()
    }

    /// Runs a command of pgBackRest to its end, as a task that outlives this process.
    pub(crate) async fn pgbackrest(
        &self,
        id: &EnvironmentId,
        server: Option<&PostgresServer>,
        task: &str,
        arguments: &[String],
        output: Sink<'_>,
    ) -> Result<(), Failure> {
        let stanza = self.stanza(id)?;
        let mut command = format!(
            "umask 077; exec nice -n 10 {} --config={} --stanza={}",
            quoted(&stanza.program),
            quoted(&stanza.config),
            stanza.name
        );
        for argument in arguments {
            command.push(' ');
            command.push_str(&quote(argument));
        }
        let mut variables = vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned())];
        if let Some(server) = server {
            // libpq reads these where the configuration names no socket; a password belongs into no argument.
            variables.push(("PGHOST".to_owned(), "127.0.0.1".to_owned()));
            variables.push(("PGPASSWORD".to_owned(), server.admin_password.clone()));
        }
        let secrets = server.map(|server| server.admin_password.clone()).into_iter().collect();
        let process = AppProcess { command, directory: "/".into(), variables, memory: None, cpus: None, secrets };
        // What one that was interrupted left begins anew.
        self.end_task(id, task).await?;
        let ran = self.task(id, task, &Task { process, longest: LONGEST }, output).await;
        self.end_task(id, task).await?;
        ran.map_err(explained)
    }

    /// The output of a command of pgBackRest that only reads.
    pub(crate) async fn ask_pgbackrest(&self, id: &EnvironmentId, arguments: Vec<String>) -> Result<Vec<u8>, Failure> {
        let stanza = self.stanza(id)?;
        blocking(move || {
            let mut command = Command::new(&stanza.program);
            command.env_clear().arg(format!("--config={}", stanza.config.display()));
            command.arg("--log-level-stderr=error").args(arguments);
            as_user(stanza.user, &mut command).map_err(|e| failed("the repository of backups cannot be read", &e))
        })
        .await
    }
}

/// A failure of pgBackRest with its own words instead of the command line.
fn explained(failure: Failure) -> Failure {
    let said: Vec<&str> = failure.causes.iter().flat_map(|c| c.lines()).collect();
    let errors: Vec<String> = said
        .iter()
        .filter(|line| line.contains("ERROR: [") || line.contains("HINT:") || line.contains("FATAL:"))
        .map(|line| line.trim().to_owned())
        .collect();
    let full = said.iter().any(|line| line.contains("No space left"));
    let mut told = Failure::new(FailureKind::Machine, "pgBackRest failed");
    if errors.is_empty() {
        told = told.because(failure.message);
        told.causes.extend(failure.causes);
    } else {
        told = told.because(errors.join("\n"));
    }
    if full { told.hint("the disk is full: free some space (df -h) and repeat the command") } else { told }
}

fn quoted(path: &Path) -> String {
    quote(&path.to_string_lossy())
}

/// One word for the shell.
fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        assert!(number("2.45") < Some(SFTP_SINCE));
        assert!(number("2.100") > Some(SFTP_SINCE));
        assert!(number("2.54.2") > Some(SFTP_SINCE));
        assert!(number("unknown") < Some(SFTP_SINCE));
    }
}
