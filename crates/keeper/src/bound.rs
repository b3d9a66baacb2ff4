//! A bound on the memory of commands that no keeper holds: those of a build. The kernel keeps it by a control group where
//! that can be used; elsewhere whoever runs the commands asks again and again and ends them.

use std::{io, process::Command};

use crate::{
    cgroup::{Cgroup, enter},
    record::Limits,
    tree,
};

/// The bound. Removes its control group when it goes out of scope; the processes in it have to have ended by then.
pub struct MemoryBound {
    bytes: u64,
    group: Option<Group>,
}

struct Group {
    cgroup: Cgroup,
    /// How many processes had been killed in it before; a group may be left by somebody who was killed.
    killed_before: u64,
}

impl MemoryBound {
    /// A bound in bytes on what is admitted; `name` is of the machine's only such commands.
    #[must_use]
    pub fn new(name: &str, bytes: u64) -> Self {
        let group = Cgroup::make(name, Limits { memory: Some(bytes), cpus: None }).ok();
        let group = group.map(|cgroup| Group { killed_before: cgroup.killed_for_memory(), cgroup });
        Self { bytes, group }
    }

    /// What the command starts is under the bound from its first instruction.
    pub fn admit(&self, command: &mut Command) -> io::Result<()> {
        let Some(group) = &self.group else { return Ok(()) };
        enter(command, group.cgroup.doors()?);
        Ok(())
    }

    /// Bytes that are or were used, once the bound is passed. `processes` are those to be looked at where the kernel does not
    /// count.
    #[must_use]
    pub fn passed(&self, processes: impl FnOnce() -> Vec<u32>) -> Option<u64> {
        match &self.group {
            Some(group) => (group.cgroup.killed_for_memory() > group.killed_before)
                .then(|| group.cgroup.peak_memory().unwrap_or(self.bytes)),
            None => Some(tree::resident(&processes())).filter(|used| *used > self.bytes),
        }
    }

    /// What is known to be under the bound, whatever it did to its environment and its parents.
    #[must_use]
    pub fn processes(&self) -> Vec<u32> {
        self.group.as_ref().map(|group| group.cgroup.processes()).unwrap_or_default()
    }
}

impl Drop for MemoryBound {
    fn drop(&mut self) {
        if let Some(group) = &self.group {
            group.cgroup.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        process::Command,
        time::{Duration, Instant},
    };

    use super::MemoryBound;

    #[test]
    fn where_the_kernel_does_not_count_the_memory_of_all_processes_together_is_looked_at() {
        let mark = format!("test of {}", std::process::id());
        let hold = || {
            let mut python = Command::new("python3");
            python.args(["-c", "x = bytearray(60 << 20); import time; time.sleep(60)"]).env("AMBIT_BUILD", &mark);
            python.spawn().unwrap()
        };
        let look = || crate::carrying(&format!("AMBIT_BUILD={mark}"));
        let bound = |bytes| MemoryBound { bytes, group: None };
        let mut held = [hold(), hold()];
        let end = Instant::now() + Duration::from_secs(30);
        let passed = loop {
            let passed = bound(100 << 20).passed(look);
            if passed.is_some() || Instant::now() > end {
                break passed;
            }
        };
        let all = bound(1 << 30).passed(look);
        held.iter_mut().for_each(|process| process.kill().and_then(|()| process.wait().map(drop)).unwrap());
        assert!(passed.is_some_and(|used| used > 100 << 20), "{passed:?}");
        assert_eq!(all, None, "two of 60 MB are under a gigabyte");
        assert_eq!(bound(1).passed(look), None, "nothing is left");
    }
}
