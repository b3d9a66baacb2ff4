//! How the machine stands, as `/proc` shows it (proc(5)).

use std::fs;

use ambit_domain::monitoring::MachineFigures;

use crate::Host;

impl Host {
    /// How the machine stands. What cannot be read is zero.
    #[must_use]
    pub fn machine_figures(&self) -> MachineFigures {
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let kilobytes = |name: &str| {
            let line = memory.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(':'));
            line.and_then(|l| l.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()).unwrap_or(0) * 1024
        };
        let (disk_size, disk_free) = self.disk().unwrap_or_default();
        MachineFigures {
            disk_size,
            disk_free,
            memory_size: kilobytes("MemTotal"),
            memory_available: kilobytes("MemAvailable"),
            cpu_seconds: busy_seconds(&fs::read_to_string("/proc/stat").unwrap_or_default()),
            load: fs::read_to_string("/proc/loadavg")
                .ok()
                .and_then(|text| text.split(' ').next()?.parse().ok())
                .unwrap_or(0.0),
        }
    }

    fn disk(&self) -> Option<(u64, u64)> {
        let disk = rustix::fs::statvfs(self.home.root()).ok()?;
        // Some blocks are kept for root (statvfs(3)).
        let free = if self.root { disk.f_bfree } else { disk.f_bavail };
        Some((disk.f_blocks.saturating_mul(disk.f_frsize), free.saturating_mul(disk.f_frsize)))
    }
}

/// The time that processors were not idle.
fn busy_seconds(stat: &str) -> f64 {
    let Some(line) = stat.lines().find_map(|l| l.strip_prefix("cpu ")) else { return 0.0 };
    let ticks: Vec<u64> = line.split_ascii_whitespace().filter_map(|t| t.parse().ok()).collect();
    // user, nice, system, idle, iowait, irq, softirq, steal; guests are counted in the first two already.
    let busy: u64 = ticks.iter().take(8).enumerate().filter(|(n, _)| !matches!(n, 3 | 4)).map(|(_, t)| t).sum();
    #[allow(clippy::cast_precision_loss)]
    let seconds = busy as f64 / rustix::param::clock_ticks_per_second() as f64;
    seconds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_time_is_not_counted() {
        let seconds = busy_seconds("cpu  100 0 100 5000 700 0 0 0 0 0\ncpu0 1 2 3\n");
        #[allow(clippy::cast_precision_loss)]
        let tick = 1.0 / rustix::param::clock_ticks_per_second() as f64;
        assert!((seconds - 200.0 * tick).abs() < 1e-9, "{seconds}");
        assert!(busy_seconds("").abs() < f64::EPSILON);
    }
}
