//! Whether there is room for records. Where there is none, what is under way waits, and people are told by who reads.

use crate::ambit::Ambit;

/// Less room than this is none: the state database writes some pages at a time.
const ROOM: u64 = 64 << 10;

impl Ambit {
    /// How many bytes are free below the state folder, where that can be told.
    pub(crate) fn room(&self) -> Option<u64> {
        let disk = rustix::fs::statvfs(self.home.root()).ok()?;
        // Some blocks are kept for root (statvfs(3)).
        let blocks = if rustix::process::geteuid().is_root() { disk.f_bfree } else { disk.f_bavail };
        Some(blocks.saturating_mul(disk.f_frsize))
    }

    /// What a full disk below the state folder means, for people; `None` where there is room.
    pub(crate) fn full_disk(&self) -> Option<String> {
        (self.room()? < ROOM).then(|| {
            format!(
                "the disk of {} is full: nothing can be recorded, and what is under way goes on once there is room (df -h)",
                self.home.root().display()
            )
        })
    }
}
