//! A cluster restored beside the one that serves.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use ambit_domain::{
    EnvironmentId, Failure, FailureKind,
    backup::TableCount,
    provider::{Beside, BesideState, PostgresServer, Purpose, Restore, Sink, Target},
};
use ambit_keeper::{FORMAT, Limits, Once, Spec, StopSignal, client};
use tokio_postgres::error::SqlState;

use crate::{
    Host,
    files::{as_user, write_as},
    machine::{blocking, cannot, failed, record_failure},
    ports::require_free,
    postgres::{connect, installation_of, query_failed},
    users::User,
};

const BETWEEN: Duration = Duration::from_millis(50);

/// The folder of a restore, and who owns it.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) folder: PathBuf,
    pub(super) record: PathBuf,
    pub(super) user: Option<User>,
}

impl Place {
    pub(super) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    pub(super) fn has(&self, mark: &str) -> bool {
        fs::symlink_metadata(self.folder.join(mark)).is_ok()
    }

    pub(super) fn mark(&self, mark: &str) -> Result<(), Failure> {
        write_as(self.user, &self.folder.join(mark), "")
    }

    /// Whether the cluster in `data` is the one that was restored here.
    pub(super) fn holds_restored(&self, name: &str) -> bool {
        restored_as(self.user, &self.data()).as_deref() == Some(name)
    }
}

/// The name of the restore that a data directory came from.
pub(super) fn restored_as(user: Option<User>, data: &Path) -> Option<String> {
    // As its user: an app could have put a link there.
    let text = as_user(user, Command::new("cat").arg(data.join("ambit.restored"))).ok()?;
    Some(String::from_utf8_lossy(&text).trim().to_owned())
}

impl Host {
    fn restores(&self, id: &EnvironmentId) -> PathBuf {
        self.home.environment(id).join("restores")
    }

    pub(super) fn place_beside(&self, id: &EnvironmentId, name: &str) -> Result<Place, Failure> {
        // It becomes a folder and the name of a cluster.
        let sound = !name.is_empty()
            && name.len() <= 40
            && !name.starts_with('-')
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        if !sound {
            return Err(Failure::new(FailureKind::User, format!("`{}` cannot be a name", name.escape_debug()))
                .hint("take up to 40 small letters, digits and dashes"));
        }
        Ok(Place {
            folder: self.restores(id).join(name),
            record: self.home.beside(id).join(name),
            user: self.user(id)?,
        })
    }

    pub(crate) async fn restore_beside(
        &self,
        id: &EnvironmentId,
        server: &PostgresServer,
        restore: &Restore,
        output: Sink<'_>,
    ) -> Result<(), Failure> {
        let place = self.place_beside(id, &restore.name)?;
        if place.has("keep") || place.has("replaced") || place.has("replacing") {
            return Err(Failure::new(FailureKind::User, format!("there is a cluster `{}` already", restore.name))
                .hint(format!("take another name, or ambit restore remove {} -e {}", restore.name, id.environment)));
        }
        self.remove_beside_now(id, &restore.name).await?;
        let made = self.restore_into(id, server, restore, &place, output).await;
        if made.is_err() {
            // Nothing of it is of use; the failure that is told is the first one.
            if let Err(failure) = self.remove_beside_now(id, &restore.name).await {
                tracing::warn!("{id}: {failure}");
            }
        }
        made
    }

    async fn restore_into(
        &self,
        id: &EnvironmentId,
        server: &PostgresServer,
        restore: &Restore,
        place: &Place,
        output: Sink<'_>,
    ) -> Result<(), Failure> {
        let settings = self.home.environment(id).join("postgres/ambit.conf");
        {
            let (place, port) = (place.clone(), restore.port);
            let settings = settings.clone();
            let (name, purpose) = (restore.name.clone(), restore.purpose);
            blocking(move || {
                require_free(port, &name)?;
                as_user(place.user, Command::new("mkdir").args(["-m", "700", "-p"]).arg(place.data()))
                    .map_err(cannot("make", &place.folder))?;
                let base =
                    as_user(place.user, Command::new("cat").arg(&settings)).map_err(cannot("read", &settings))?;
                let text = String::from_utf8_lossy(&base).into_owned() + &beside_settings(&name, port, purpose);
                write_as(place.user, &place.folder.join("ambit.conf"), &text)
            })
            .await?;
        }
        let mut arguments = vec![format!("--pg1-path={}", place.data().display()), format!("--set={}", restore.backup)];
        match &restore.target {
            Target::Backup => arguments.push("--type=immediate".to_owned()),
            Target::Point(point) => arguments.extend(["--type=name".to_owned(), format!("--target={point}")]),
            Target::Moment(at) => arguments.extend(["--type=time".to_owned(), format!("--target={}", moment(*at))]),
            Target::End => arguments.push("--type=default".to_owned()),
        }
        if restore.target != Target::End {
            arguments.push("--target-action=promote".to_owned());
        }
        arguments.push("restore".to_owned());
        self.pgbackrest(id, None, &format!("restore-{}", restore.name), &arguments, output).await?;
        {
            let (place, name) = (place.clone(), restore.name.clone());
            let marker = format!("{}:{id}/beside/{name}", self.home.root().display());
            let program = self.program.clone();
            blocking(move || {
                write_as(place.user, &place.data().join("ambit.restored"), &name)?;
                start(&place, &program, marker)
            })
            .await?;
        }
        self.wait_recovered(place, server, restore).await?;
        if restore.purpose == Purpose::Beside {
            let place = place.clone();
            blocking(move || place.mark("keep")).await?;
        }
        Ok(())
    }

    /// Waits until the restored server answers and writes: the target was reached.
    async fn wait_recovered(&self, place: &Place, server: &PostgresServer, restore: &Restore) -> Result<(), Failure> {
        let beside = at(server, restore.port);
        loop {
            let answer = connect(&beside, "postgres", &server.admin_password, "postgres").await;
            if let Err(error) = &answer
                && error.as_db_error().is_some_and(|e| e.code() == &SqlState::INVALID_PASSWORD)
            {
                return Err(Failure::new(
                    FailureKind::Machine,
                    "the restored PostgreSQL does not know ambit's password",
                )
                .because("it was made by another state folder, or its password was changed since"));
            }
            if let Ok(client) = answer {
                let recovering =
                    client.query_one("SELECT pg_is_in_recovery()", &[]).await.map_err(|e| query_failed(&e))?;
                if !recovering.get::<_, bool>(0) {
                    return forget_recovery(&client).await;
                }
            }
            let record = place.record.clone();
            if let Some(exit) = blocking(move || client::ended(&record).map_err(record_failure)).await? {
                return Err(not_recovered(&place.record, &exit.to_string()));
            }
            tokio::time::sleep(BETWEEN).await;
        }
    }

    pub(crate) async fn count_restored(
        &self,
        server: &PostgresServer,
        restore: &Restore,
    ) -> Result<Vec<TableCount>, Failure> {
        super::count::all_rows(&at(server, restore.port)).await
    }

    pub(crate) fn besides(&self, id: &EnvironmentId) -> Vec<Beside> {
        let entries = fs::read_dir(self.restores(id)).into_iter().flatten();
        let mut all: Vec<Beside> = entries
            .filter_map(|entry| {
                let name = entry.ok()?.file_name().into_string().ok()?;
                let place = self.place_beside(id, &name).ok()?;
                let state = if place.has("replaced") {
                    BesideState::Replaced
                } else if place.has("keep") {
                    BesideState::Restored
                } else {
                    BesideState::Unfinished
                };
                let running = client::keeper(&place.record).is_some();
                let port = running.then(|| port_of(&place.record)).flatten();
                Some(Beside { name, state, port })
            })
            .collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    pub(super) async fn stop_beside(&self, place: &Place) -> Result<(), Failure> {
        let (program, record) = (self.program.clone(), place.record.clone());
        blocking(move || {
            client::stop(&program, &record).map_err(record_failure)?;
            match fs::remove_dir_all(&record) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(cannot("delete", &record)(error)),
                _ => Ok(()),
            }
        })
        .await
    }

    /// Ends whatever works there and deletes it.
    pub(crate) async fn remove_beside_now(&self, id: &EnvironmentId, name: &str) -> Result<(), Failure> {
        let place = self.place_beside(id, name)?;
        self.end_task(id, &format!("restore-{name}")).await?;
        self.stop_beside(&place).await?;
        blocking(move || {
            as_user(place.user, Command::new("rm").arg("-rf").arg(&place.folder))
                .map(drop)
                .map_err(cannot("delete", &place.folder))
        })
        .await
    }

    pub(crate) async fn stop_besides(&self, id: &EnvironmentId) -> Result<(), Failure> {
        for beside in self.besides(id) {
            self.stop_beside(&self.place_beside(id, &beside.name)?).await?;
        }
        Ok(())
    }
}

/// The server that answers on another port.
pub(super) fn at(server: &PostgresServer, port: u16) -> PostgresServer {
    PostgresServer { port, ..server.clone() }
}

/// What a cluster beside has of its own; the last line of a name counts (PostgreSQL manual, 20.1.2).
fn beside_settings(name: &str, port: u16, purpose: Purpose) -> String {
    let mut text = format!(
        "# Of this copy alone.\nport = '{port}'\ncluster_name = '{name}'\nshared_buffers = '64MB'\n\
         hot_standby = 'off'\narchive_timeout = '0'\n"
    );
    match purpose {
        // What it writes is archived once it serves: until then its segments wait, the history of its timeline with them.
        Purpose::Replace => text.push_str("archive_mode = 'on'\narchive_command = ''\n"),
        Purpose::Beside => text.push_str("archive_mode = 'off'\n"),
        // Thrown away within minutes.
        Purpose::Drill => {
            text.push_str("archive_mode = 'off'\nfsync = 'off'\nfull_page_writes = 'off'\nautovacuum = 'off'\n");
        }
    }
    text
}

/// As `recovery_target_time` takes it, with an offset.
fn moment(millis: i64) -> String {
    let seconds = millis.div_euclid(1000);
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}.{:03}+00",
        rest / 3600,
        rest / 60 % 60,
        rest % 60,
        millis.rem_euclid(1000)
    )
}

/// Year, month and day of a number of days since 1970 (H. Hinnant, chrono-Compatible Low-Level Date Algorithms).
fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let of_era = z.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

fn start(place: &Place, program: &Path, marker: String) -> Result<(), Failure> {
    let installation = installation_of(&place.data())?;
    let spec = Spec {
        format: FORMAT,
        marker,
        program: installation.programs.join("postgres"),
        arguments: vec![
            "-D".to_owned(),
            place.data().display().to_string(),
            "-c".to_owned(),
            format!("config_file={}", place.folder.join("ambit.conf").display()),
        ],
        variables: vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned()), ("LC_ALL".to_owned(), "C.UTF-8".to_owned())],
        directory: place.folder.clone(),
        user: place.user.map(|u| (u.uid, u.gid)),
        stop_signal: StopSignal::Int,
        stop_seconds: 120,
        limits: Limits::default(),
        // One that cannot be recovered is not started again and again.
        once: Some(Once { seconds: None }),
        secrets: Vec::new(),
    };
    client::write_spec(&place.record, &spec).map_err(record_failure)?;
    client::ensure(program, &place.record).map_err(|e| failed("the restored PostgreSQL cannot be started", &e))
}

fn port_of(record: &Path) -> Option<u16> {
    let spec = client::read_spec(record).ok()??;
    let file = spec.arguments.last()?.strip_prefix("config_file=")?.to_owned();
    let user = spec.user.map(|(uid, gid)| User { uid, gid });
    let text = as_user(user, Command::new("cat").arg(file)).ok()?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let line = text.lines().rev().find_map(|l| l.strip_prefix("port = '"))?;
    line.trim_end_matches('\'').parse().ok()
}

/// What pgBackRest wrote for the recovery has no meaning afterwards, and would be in the way of the next one.
async fn forget_recovery(client: &tokio_postgres::Client) -> Result<(), Failure> {
    let names = ["restore_command", "recovery_target", "recovery_target_name", "recovery_target_time"];
    let more = ["recovery_target_lsn", "recovery_target_xid", "recovery_target_action", "recovery_target_inclusive"];
    for name in names.iter().chain(&more).chain(&["recovery_target_timeline"]) {
        client.batch_execute(&format!("ALTER SYSTEM RESET {name}")).await.map_err(|e| query_failed(&e))?;
    }
    Ok(())
}

/// Why the recovery ended, in the words of PostgreSQL's own log.
fn not_recovered(record: &Path, exit: &str) -> Failure {
    let (lines, _) = client::tail(record, 2000);
    // Those who asked too early are told so in the log.
    let ours = |text: &str| text.starts_with("[ambit]") || text.contains("the database system is ");
    let said: Vec<&str> = lines.iter().map(|(_, text)| text.as_str()).filter(|text| !ours(text)).collect();
    let telling = ["FATAL", "ERROR:", "PANIC", "last completed transaction", "HINT:", "unable to find"];
    let words: Vec<&str> = said.iter().copied().filter(|line| telling.iter().any(|t| line.contains(t))).collect();
    let failure = Failure::new(FailureKind::Machine, "the restored PostgreSQL did not reach its target");
    let words = if words.is_empty() { said } else { words };
    let failure = failure.because(if words.is_empty() { format!("it {exit}") } else { words.join("\n") });
    if words.iter().any(|line| line.contains("recovery ended before configured recovery target")) {
        return failure
            .because("the log ends before it: a segment is missing or damaged, or nothing was archived since")
            .hint("ambit backup list shows which moments can be restored");
    }
    failure
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_with_their_date_and_offset() {
        assert_eq!(moment(0), "1970-01-01 00:00:00.000+00");
        assert_eq!(moment(1_795_514_701_042), "2026-11-24 10:05:01.042+00");
        assert_eq!(moment(951_782_400_000), "2000-02-29 00:00:00.000+00");
        assert_eq!(moment(-1), "1969-12-31 23:59:59.999+00");
    }
}
