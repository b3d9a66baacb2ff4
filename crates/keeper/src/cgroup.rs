//! Limits by control groups: version 2 where its memory and cpu controllers can be used, version 1 where those hierarchies
//! are mounted instead. Where neither can be used, the caller is told why. See cgroups(7).

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Command,
};

use crate::record::Limits;

/// The groups of one instance: one folder in version 2, one for each controller in version 1.
pub(crate) struct Cgroup {
    folders: Vec<PathBuf>,
}

const PERIOD: u64 = 100_000;

impl Cgroup {
    /// Makes the groups and sets the limits.
    pub(crate) fn make(marker: &str, limits: Limits) -> Result<Self, String> {
        let name: String =
            marker.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' || c == '.' { c } else { '_' }).collect();
        let v2 = Path::new("/sys/fs/cgroup/cgroup.controllers");
        let made = if v2.exists() { Self::version_2(&name, limits) } else { Self::version_1(&name, limits) };
        made.map_err(|(path, error)| format!("control groups cannot be used ({}: {error})", path.display()))
    }

    fn version_2(name: &str, limits: Limits) -> Result<Self, (PathBuf, io::Error)> {
        let root = Path::new("/sys/fs/cgroup");
        let parent = root.join("ambit");
        make(&parent)?;
        put(&root.join("cgroup.subtree_control"), "+memory +cpu")?;
        put(&parent.join("cgroup.subtree_control"), "+memory +cpu")?;
        let folder = parent.join(name);
        make(&folder)?;
        put(&folder.join("memory.max"), &limits.memory.map_or("max".to_owned(), |m| m.to_string()))?;
        put(
            &folder.join("cpu.max"),
            &format!("{} {PERIOD}", limits.cpus.map_or("max".to_owned(), |c| quota(c).to_string())),
        )?;
        Ok(Self { folders: vec![folder] })
    }

    fn version_1(name: &str, limits: Limits) -> Result<Self, (PathBuf, io::Error)> {
        let mut folders = Vec::new();
        if let Some(memory) = limits.memory {
            let folder = Path::new("/sys/fs/cgroup/memory/ambit").join(name);
            make(&folder)?;
            put(&folder.join("memory.limit_in_bytes"), &memory.to_string())?;
            folders.push(folder);
        }
        if let Some(cpus) = limits.cpus {
            let folder = Path::new("/sys/fs/cgroup/cpu/ambit").join(name);
            make(&folder)?;
            put(&folder.join("cpu.cfs_period_us"), &PERIOD.to_string())?;
            put(&folder.join("cpu.cfs_quota_us"), &quota(cpus).to_string())?;
            folders.push(folder);
        }
        Ok(Self { folders })
    }

    /// Files that a process writes `0` to in order to join.
    pub(crate) fn doors(&self) -> io::Result<Vec<fs::File>> {
        self.folders.iter().map(|f| OpenOptions::new().write(true).open(f.join("cgroup.procs"))).collect()
    }

    /// Every process within.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let read = |f: &PathBuf| fs::read_to_string(f.join("cgroup.procs")).unwrap_or_default();
        self.folders
            .iter()
            .map(read)
            .flat_map(|t| t.lines().filter_map(|l| l.parse().ok()).collect::<Vec<_>>())
            .collect()
    }

    /// How many processes the kernel has killed for memory.
    pub(crate) fn killed_for_memory(&self) -> u64 {
        let count = |f: &PathBuf| {
            ["memory.events", "memory.oom_control"].iter().find_map(|name| {
                let text = fs::read_to_string(f.join(name)).ok()?;
                text.lines().find_map(|l| l.strip_prefix("oom_kill ")?.trim().parse::<u64>().ok())
            })
        };
        self.folders.iter().filter_map(count).sum()
    }

    /// The most memory that its processes had at one time, in bytes.
    pub(crate) fn peak_memory(&self) -> Option<u64> {
        let read = |f: &PathBuf| {
            ["memory.peak", "memory.max_usage_in_bytes"]
                .iter()
                .find_map(|name| fs::read_to_string(f.join(name)).ok()?.trim().parse().ok())
        };
        self.folders.iter().find_map(read)
    }

    /// Removes the groups; one that still holds a process stays.
    pub(crate) fn remove(&self) {
        for folder in &self.folders {
            let _ = fs::remove_dir(folder);
        }
    }
}

/// The process that the command starts joins by these doors before it becomes its program.
#[allow(unsafe_code)]
pub(crate) fn enter(command: &mut Command, mut doors: Vec<fs::File>) {
    let join = move || doors.iter_mut().try_for_each(|door| door.write_all(b"0"));
    // SAFETY: between fork and exec the closure makes only the system call write, which is async-signal-safe; it allocates
    // nothing.
    unsafe { command.pre_exec(join) };
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn quota(cpus: f64) -> u64 {
    // The kernel refuses quotas under a millisecond.
    ((cpus * PERIOD as f64) as u64).max(1000)
}

fn make(folder: &Path) -> Result<(), (PathBuf, io::Error)> {
    fs::create_dir_all(folder).map_err(|e| (folder.to_path_buf(), e))
}

fn put(file: &Path, value: &str) -> Result<(), (PathBuf, io::Error)> {
    fs::write(file, value).map_err(|e| (file.to_path_buf(), e))
}
