//! Recovery of a PostgreSQL to a moment, by its own means (PostgreSQL manual, 26.3): each archives its log in its folder, and one that is
//! restored begins with a base backup and that log.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use super::{HOST, STARTS_WITHIN, Server, as_owner, checked, owner, postgres_programs};

fn archive(folder: &Path) -> PathBuf {
    folder.join("archive")
}

/// What a server does with a segment of its log.
pub(super) fn command(folder: &Path) -> String {
    let archive = archive(folder).display().to_string();
    format!("mkdir -p {archive} && cp %p {archive}/.%f && mv {archive}/.%f {archive}/%f")
}

impl Server {
    fn program(&self, name: &str) -> io::Result<Command> {
        let programs = postgres_programs(self.version).ok_or_else(|| io::Error::other("no PostgreSQL"))?;
        let mut command = Command::new(programs.join(name));
        command.args(["-h", HOST, "-p", &self.port.to_string(), "-U", &self.user]);
        command.env("PGPASSWORD", &self.password).current_dir(&self.folder);
        Ok(command)
    }

    fn ask(&self, sql: &str) -> io::Result<String> {
        let mut psql = self.program("psql")?;
        psql.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-d", "postgres", "-c", sql]);
        let output = as_owner(&mut psql, owner()).output()?;
        if !output.status.success() {
            return Err(io::Error::other(String::from_utf8_lossy(&output.stderr)));
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// What a recovery begins with.
    pub(super) fn back_up(&self) -> io::Result<()> {
        let mut backup = self.program("pg_basebackup")?;
        backup.args(["--checkpoint=fast", "--no-sync", "-D"]).arg(self.folder.join("base"));
        checked(as_owner(&mut backup, owner()))
    }

    /// Waits until all of the log is archived, with something in it that is later than everything that may be asked for.
    pub(super) fn archive_all(&self) -> io::Result<()> {
        self.ask("SELECT pg_current_xact_id()")?;
        let segment = self.ask("SELECT pg_walfile_name(pg_switch_wal())")?;
        within("its log is archived", || Ok(archive(&self.folder).join(&segment).exists()))
    }

    /// Waits until it has replayed the log up to its target.
    pub(super) fn has_recovered(&self) -> io::Result<()> {
        within("it has recovered", || Ok(self.ask("SELECT pg_is_in_recovery()").is_ok_and(|answer| answer == "f")))
    }
}

fn within(what: &str, is_so: impl Fn() -> io::Result<bool>) -> io::Result<()> {
    let end = Instant::now() + STARTS_WITHIN;
    while !is_so()? {
        if Instant::now() > end {
            return Err(io::Error::other(format!("waited for long until {what}")));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Puts the data of a source's backup in place, to be recovered to a moment at the first start.
pub(super) fn recover(source: &Path, target: &str, data: &Path, owner: Option<(u32, u32)>) -> io::Result<()> {
    let mut copy = Command::new("cp");
    copy.arg("-a").arg(source.join("base")).arg(data);
    checked(as_owner(&mut copy, owner))?;
    // PostgreSQL's own form of a moment; that of the API is none of its.
    let target = target.parse::<jiff::Timestamp>().map_err(io::Error::other)?.strftime("%Y-%m-%d %H:%M:%S.%6f+00");
    let settings = format!(
        "restore_command = 'cp {}/%f %p'\nrecovery_target_time = '{target}'\nrecovery_target_action = 'promote'\n",
        archive(source).display()
    );
    let file = data.join("postgresql.auto.conf");
    let before = fs::read_to_string(&file).unwrap_or_default();
    fs::write(&file, before + &settings)?;
    fs::write(data.join("recovery.signal"), "")?;
    if let Some((user, group)) = owner {
        std::os::unix::fs::chown(data.join("recovery.signal"), Some(user), Some(group))?;
    }
    Ok(())
}
