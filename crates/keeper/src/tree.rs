//! Processes as `/proc` shows them (proc(5)).

use std::{collections::HashSet, fs};

/// The variable that marks every process of an instance.
pub(crate) const MARKER: &str = "AMBIT_INSTANCE";

/// Parent, session and start time of a process; `None` once it is gone or a zombie.
pub(crate) struct Process {
    pub(crate) parent: u32,
    pub(crate) session: u32,
    pub(crate) start_time: u64,
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
