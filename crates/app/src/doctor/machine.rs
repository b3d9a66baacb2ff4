//! What the machine lacks: room, memory, programs, the right time, a state folder that is closed to others.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    time::{Duration, SystemTime},
};

use ambit_domain::{
    Home,
    diagnosis::{Check, Trouble},
};

use super::Seen;

/// Less than this share of the disk is little; nobody needs more than [`ENOUGH`] free.
const SHARE: u64 = 20;
/// Bytes of a disk that are enough, however large it is.
const ENOUGH: u64 = 2 << 30;
/// Free files of which fewer than this share are few.
const FILES_SHARE: u64 = 50;
/// Memory that the machine needs for itself.
const MEMORY: u64 = 64 << 20;
/// Clocks are set a little now and then.
const AHEAD: Duration = Duration::from_secs(300);

pub(super) fn look(home: &Home) -> Vec<Check> {
    vec![
        Check::new("disk", "the disk of the state folder has room", disk(home.root())),
        Check::new("memory", "memory is left", memory()),
        Check::new("clock", "the clock is right", clock(home)),
    ]
}

fn disk(folder: &Path) -> Result<(), Trouble> {
    // Where it is not there yet, its disk is that of the folder above it.
    let there = folder.ancestors().find(|f| f.exists()).unwrap_or(folder);
    let Ok(disk) = rustix::fs::statvfs(there) else { return Ok(()) };
    let show = format!("du -xh -d 3 {} | sort -h | tail -20", folder.display());
    let (free, all) = (disk.f_bavail.saturating_mul(disk.f_frsize), disk.f_blocks.saturating_mul(disk.f_frsize));
    if free < (all / SHARE).min(ENOUGH) {
        let wrong =
            format!("the disk of {} is almost full: {} MB of {} MB are free", folder.display(), free >> 20, all >> 20);
        return Err(
            Trouble::new(wrong, "statvfs", show).and("delete what is not needed, or give the machine a larger disk")
        );
    }
    if disk.f_files > 0 && disk.f_favail < disk.f_files / FILES_SHARE {
        let wrong =
            format!("the disk of {} can hold hardly any more files: {} are left", folder.display(), disk.f_favail);
        let count = format!("du --inodes -x -d 3 {} | sort -n | tail -20", folder.display());
        return Err(Trouble::new(wrong, "statvfs", count));
    }
    Ok(())
}

fn memory() -> Result<(), Trouble> {
    let Ok(text) = fs::read_to_string("/proc/meminfo") else { return Ok(()) };
    let available =
        text.lines().find_map(|line| line.strip_prefix("MemAvailable:")?.trim().strip_suffix(" kB")?.parse().ok());
    let available: u64 = available.unwrap_or(u64::MAX >> 10) << 10;
    if available >= MEMORY {
        return Ok(());
    }
    let wrong = format!("memory is almost used up: {} MB are left", available >> 20);
    Err(Trouble::new(wrong, "/proc/meminfo", "ps -eo rss,pid,user,args --sort=-rss | head")
        .and("give apps a `memory` limit in ambit.toml, or the machine more memory"))
}

/// What was written lies in the past, or the clock was set back since.
fn clock(home: &Home) -> Result<(), Trouble> {
    let now = SystemTime::now();
    for file in [home.database(), home.audit_head()] {
        let Ok(written) = fs::metadata(&file).and_then(|m| m.modified()) else { continue };
        if let Ok(ahead) = written.duration_since(now)
            && ahead > AHEAD
        {
            let wrong = format!("the clock is behind: it was {} min later once", ahead.as_secs() / 60);
            let seen = format!("{} was changed in the future", file.display());
            return Err(Trouble::new(wrong, seen, "timedatectl set-ntp true"));
        }
    }
    Ok(())
}

/// Whether others can write to the state folder, or read what is secret in it.
pub(super) fn folder(home: &Home) -> Vec<Check> {
    let root = rustix::process::geteuid().is_root();
    let own = rustix::process::geteuid().as_raw();
    // Where each environment has a user of its own, those pass through.
    let closed = if root { 0o711 } else { 0o700 };
    let folders = [(home.root().to_path_buf(), closed), (home.run(), 0o700), (home.logs(), 0o700)];
    let files = [home.database(), home.audit_head()].map(|file| (file, 0o600));
    let wrong = folders.into_iter().chain(files).find_map(|(path, allowed)| {
        let metadata = fs::symlink_metadata(&path).ok()?;
        let mode = metadata.permissions().mode() & 0o777;
        let shown = path.display();
        if metadata.uid() != own {
            let wrong = format!("{shown} belongs to another user");
            return Some(Trouble::new(
                wrong,
                format!("its owner is the user {}", metadata.uid()),
                format!("chown {own} {shown}"),
            ));
        }
        let more = mode & !allowed & 0o077;
        let less = allowed & !mode & 0o700;
        if more | less == 0 {
            return None;
        }
        let wrong = if more == 0 {
            format!("{shown} is closed to its own owner")
        } else {
            format!("{shown} is open to other users")
        };
        Some(Trouble::new(
            wrong,
            format!("its mode is {mode:o}, {allowed:o} is enough"),
            format!("chmod {allowed:o} {shown}"),
        ))
    });
    vec![Check::new("folder", "the state folder is closed to others", wrong.map_or(Ok(()), Err))]
}

impl Seen<'_> {
    /// Programs that declared environments need.
    pub(super) fn programs(&self) -> Vec<Check> {
        let environments = || self.declaration.iter().flat_map(|d| d.project.environments.values());
        let here = || environments().filter(|e| self.environments.iter().any(|(id, _)| id.environment == e.name));
        let mut missing = Vec::new();
        if here().any(|e| e.postgres.is_some()) && ambit_host::installed().is_empty() {
            missing.push(("PostgreSQL", "postgresql"));
        }
        if here().any(|e| e.redis.is_some()) && !self.ambit.host.has_redis() {
            missing.push(("Redis", "redis-server"));
        }
        let on_path = |name: &str| self.patient.surroundings.path.iter().any(|folder| folder.join(name).is_file());
        if here().any(|e| e.backup.is_some() && e.postgres.is_some()) && !on_path("pgbackrest") {
            missing.push(("pgBackRest", "pgbackrest"));
        }
        if !on_path("git") {
            missing.push(("git", "git"));
        }
        let wrong = (!missing.is_empty()).then(|| {
            let (names, packages): (Vec<_>, Vec<_>) = missing.into_iter().unzip();
            let wrong = format!("the machine lacks {}", names.join(", "));
            Trouble::new(
                wrong,
                "they were looked for where programs are",
                format!("apt-get install {}", packages.join(" ")),
            )
        });
        vec![Check::new("programs", "the programs that environments need are there", wrong.map_or(Ok(()), Err))]
    }
}
