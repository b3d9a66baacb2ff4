//! Processes as `/proc` shows them (proc(5)).

use std::{
    collections::{HashMap, HashSet},
    fs,
};

/// The variable that marks every process of an instance.
pub(crate) const MARKER: &str = "AMBIT_INSTANCE";

/// Parent, session and start time of a process; `None` once it is gone or a zombie.
pub(crate) struct Process {
    pub(crate) parent: u32,
    pub(crate) session: u32,
    pub(crate) start_time: u64,
    /// Processor time of it and of those of its children that have ended, in clock ticks.
    ticks: u64,
}

pub(crate) fn process(pid: u32) -> Option<Process> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold anything; what follows its last parenthesis is numbers.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    if *fields.first()? == "Z" {
        return None;
    }
    Some(Process {
        parent: fields.get(1)?.parse().ok()?,
        session: fields.get(3)?.parse().ok()?,
        start_time: fields.get(19)?.parse().ok()?,
        ticks: fields.get(11..15)?.iter().filter_map(|ticks| ticks.parse::<u64>().ok()).sum(),
    })
}

fn all() -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries.filter_map(|e| e.ok()?.file_name().to_str()?.parse().ok()).collect()
}

/// Every process that carries the marker, the caller excepted.
pub(crate) fn marked(marker: &str) -> Vec<u32> {
    let wanted = format!("{MARKER}={marker}");
    with_variable(|variable| variable == wanted.as_bytes())
}

/// Every process that has a variable which begins so (`NAME=…`) in its first environment, the caller excepted.
#[must_use]
pub fn carrying(beginning: &str) -> Vec<u32> {
    with_variable(|variable| variable.starts_with(beginning.as_bytes()))
}

fn with_variable(wanted: impl Fn(&[u8]) -> bool) -> Vec<u32> {
    let me = std::process::id();
    all()
        .into_iter()
        .filter(|pid| *pid != me)
        .filter(|pid| {
            fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environ| environ.split(|b| *b == 0).any(&wanted))
        })
        .collect()
}

/// Every descendant of a process.
#[must_use]
pub fn descendants(root: u32) -> Vec<u32> {
    let parents: Vec<(u32, u32)> = all().into_iter().filter_map(|pid| Some((pid, process(pid)?.parent))).collect();
    let mut found = HashSet::from([root]);
    loop {
        let before = found.len();
        found.extend(
            parents.iter().filter(|(_, parent)| found.contains(parent)).map(|(pid, _)| *pid).collect::<Vec<_>>(),
        );
        if found.len() == before {
            found.remove(&root);
            return found.into_iter().collect();
        }
    }
}

/// What a process takes with everything that it started.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Use {
    /// Processor time since it began, in seconds. What ended without its parent having asked is not in it.
    pub cpu_seconds: f64,
    /// Resident memory in bytes.
    pub memory: u64,
}

/// What some processes take, each with its descendants; those that are gone are left out. One look at all processes for all
/// of them.
#[must_use]
pub fn uses(roots: &[u32]) -> HashMap<u32, Use> {
    let all: HashMap<u32, Process> = all().into_iter().filter_map(|pid| Some((pid, process(pid)?))).collect();
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for (pid, process) in &all {
        children.entry(process.parent).or_default().push(*pid);
    }
    let mut used = HashMap::new();
    for root in roots.iter().filter(|root| all.contains_key(root)) {
        // Processes come and go while they are looked at: nobody is counted twice.
        let mut tree = HashSet::from([*root]);
        let mut pending = vec![*root];
        while let Some(pid) = pending.pop() {
            pending.extend(children.get(&pid).into_iter().flatten().filter(|child| tree.insert(**child)));
        }
        let ticks: u64 = tree.iter().filter_map(|pid| all.get(pid)).map(|process| process.ticks).sum();
        #[allow(clippy::cast_precision_loss)]
        let cpu_seconds = ticks as f64 / rustix::param::clock_ticks_per_second() as f64;
        used.insert(*root, Use { cpu_seconds, memory: resident(&tree.into_iter().collect::<Vec<_>>()) });
    }
    used
}

/// Resident memory of a process and its descendants, in bytes.
pub(crate) fn memory(root: u32) -> u64 {
    resident(&[&[root], descendants(root).as_slice()].concat())
}

/// Resident memory of processes, in bytes. What several share is divided among them (`Pss` of proc(5)).
pub(crate) fn resident(processes: &[u32]) -> u64 {
    let of = |pid: &u32| {
        let proportional = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok();
        let line = proportional.as_deref().and_then(|t| t.lines().find_map(|l| l.strip_prefix("Pss:")));
        line.and_then(|l| l.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()).unwrap_or(0) * 1024
    };
    processes.iter().map(of).sum()
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_process_is_measured_with_what_it_started() {
        let script = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo; sleep 60 & wait";
        let mut shell = Command::new("sh").args(["-c", script]).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut out = std::io::BufReader::new(shell.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut out, &mut line).unwrap();
        let used = uses(&[shell.id(), u32::MAX]);
        let below = descendants(shell.id());
        for pid in below.iter().chain([&shell.id()]) {
            let _ = nix::sys::signal::kill(
                nix::unistd::Pid::from_raw(i32::try_from(*pid).unwrap()),
                nix::sys::signal::SIGKILL,
            );
        }
        shell.wait().unwrap();
        assert_eq!(used.len(), 1, "one that is not there is left out");
        let used = used[&shell.id()];
        assert!(used.cpu_seconds > 0.0 && used.cpu_seconds < 60.0 && used.memory > 0, "{used:?}");
    }
}
