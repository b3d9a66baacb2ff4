//! Giving back what starting up has brought into memory.
//!
//! A keeper is a large program of which it uses little, and there are many of them; the daemon waits most of the time. Their
//! code was read in while they worked; what they touch again comes back from the page cache.

use std::{ffi::c_void, fs, ptr};

/// Drops the pages of the program's and the libraries' code. A kernel that refuses costs nothing but memory.
pub fn give_back() {
    let Ok(maps) = fs::read_to_string("/proc/self/maps") else { return };
    maps.lines().filter_map(Mapping::parse).filter(Mapping::is_never_written).for_each(|m| drop_pages(&m));
}

#[allow(unsafe_code)]
fn drop_pages(mapping: &Mapping) {
    use rustix::mm::{Advice, madvise};
    let start = ptr::with_exposed_provenance_mut::<c_void>(mapping.start);
    // SAFETY: for a private mapping of a file, the kernel forgets the pages, and the next access reads them from the file
    // (madvise(2), MADV_DONTNEED). That is the same content, since only mappings are chosen that nobody has written to: code,
    // which is never writable, and what is read-only at offset 0, the headers and constants that an ELF file begins with. What
    // the loader relocates (.data.rel.ro, also shown as read-only) lies at other offsets and is left alone.
    let _ = unsafe { madvise(start, mapping.length, Advice::LinuxDontNeed) };
}

/// A mapping of a file.
#[derive(Debug, PartialEq, Eq)]
struct Mapping {
    start: usize,
    length: usize,
    executable: bool,
    writable: bool,
    offset: u64,
}

impl Mapping {
    /// From a line of `/proc/self/maps` (proc(5)); `None` for what maps no file, or is shared.
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split_ascii_whitespace();
        let (start, end) = fields.next()?.split_once('-')?;
        let permissions = fields.next().filter(|p| p.ends_with('p'))?;
        let offset = u64::from_str_radix(fields.next()?, 16).ok()?;
        fields.nth(2).filter(|path| path.starts_with('/'))?;
        let start = usize::from_str_radix(start, 16).ok()?;
        let length = usize::from_str_radix(end, 16).ok()?.checked_sub(start)?;
        let (executable, writable) = (permissions.contains('x'), permissions.contains('w'));
        Some(Self { start, length, executable, writable, offset })
    }

    fn is_never_written(&self) -> bool {
        !self.writable && (self.executable || self.offset == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::{Mapping, give_back};

    #[test]
    fn lines_are_read_and_what_is_relocated_is_not_chosen() {
        let chosen = |line| Mapping::parse(line).is_some_and(|m| m.is_never_written());
        let code =
            "55d0c1a00000-55d0c1e00000 r-xp 00301000 fe:00 1234                       /usr/bin/my ambit (deleted)";
        let mapping = Mapping::parse(code).unwrap();
        assert_eq!((mapping.start, mapping.length, mapping.offset), (0x55d0_c1a0_0000, 0x40_0000, 0x301000));
        assert!(chosen(code));
        assert!(chosen("55d0c1700000-55d0c1a00000 r--p 00000000 fe:00 1234                       /usr/bin/ambit"));
        for line in [
            "55d0c1e00000-55d0c1f00000 r--p 00700000 fe:00 1234                       /usr/bin/ambit",
            "55d0c1f00000-55d0c1f10000 rw-p 00800000 fe:00 1234                       /usr/bin/ambit",
            "55d0c1f00000-55d0c1f10000 rw-p 00000000 fe:00 1234                       /usr/bin/ambit",
            "55d0c1f00000-55d0c1f10000 r--s 00000000 fe:00 1234                       /usr/bin/ambit",
            "55d0c2f00000-55d0c2f21000 rw-p 00000000 00:00 0                          [heap]",
            "7ffd11d0a000-7ffd11d0c000 r-xp 00000000 00:00 0                          [vdso]",
            "7f0000000000-7f0000021000 r--p 00000000 00:00 0 ",
            "",
        ] {
            assert!(!chosen(line), "{line}");
        }
    }

    #[test]
    fn a_program_that_gave_its_code_back_goes_on() {
        let resident = || {
            let status = std::fs::read_to_string("/proc/self/status").unwrap();
            let line = status.lines().find_map(|l| l.strip_prefix("RssFile:")).unwrap();
            line.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
        };
        let before = resident();
        give_back();
        let after = resident();
        assert!(after < before, "{before} kB of files before, {after} kB after");
    }
}
