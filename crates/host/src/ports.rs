//! Loopback ports: chosen below the range that the kernel hands out for outgoing connections, so that nothing takes them
//! by chance.

use std::{
    collections::HashMap,
    fs, io,
    net::{Ipv4Addr, Ipv6Addr, TcpListener},
};

use ambit_domain::{Failure, FailureKind};
use sha2::{Digest, Sha256};

const FIRST: u16 = 15_000;
const COUNT: u16 = 17_000;

/// A port for a key: the same one for the same key as long as it is free.
pub(crate) fn choose(key: &str, taken: &[u16]) -> Result<u16, Failure> {
    let hash = Sha256::digest(key.as_bytes());
    let start = u16::from_be_bytes([hash[0], hash[1]]) % COUNT;
    (0..COUNT)
        .map(|n| FIRST + (start + n) % COUNT)
        .find(|port| !taken.contains(port) && is_free(*port))
        .ok_or_else(|| Failure::new(FailureKind::Machine, "no port between 15000 and 31999 is free"))
}

/// Whether nobody listens there.
pub(crate) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Fails where somebody else listens on a port, and says who.
pub(crate) fn require_free(port: u16, who: &str) -> Result<(), Failure> {
    if is_free(port) {
        return Ok(());
    }
    Err(Failure::new(FailureKind::Machine, format!("port {port} of {who} is taken"))
        .because(format!("{} listens on it", holder(port)))
        .hint(format!("stop it, or give {who} another `port` in ambit.toml")))
}

/// Who listens on a port: program and process id, where that can be seen.
pub(crate) fn holder(port: u16) -> String {
    visible_holder(port).unwrap_or_else(|| "a process of another user".to_owned())
}

fn visible_holder(port: u16) -> Option<String> {
    let sockets = listening();
    let inode = sockets.iter().find(|(_, p)| **p == port).map(|(inode, _)| *inode)?;
    let processes = fs::read_dir("/proc").ok()?;
    let pid =
        processes.filter_map(|e| e.ok()?.file_name().to_str()?.parse::<u32>().ok()).find(|pid| holds(*pid, inode))?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    Some(format!("{} (process {pid})", name.trim()))
}

/// The ports that a process group listens on.
pub(crate) fn of_session(session: u32) -> Vec<u16> {
    let sockets = listening();
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let mut found: Vec<u16> = processes
        .filter_map(|e| e.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .filter(|pid| session_of(*pid) == Some(session))
        .flat_map(|pid| {
            sockets.iter().filter(move |(inode, _)| holds(pid, **inode)).map(|(_, port)| *port).collect::<Vec<_>>()
        })
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// Whether somebody listens on a port of the loopback address of IPv6 and nobody on that of IPv4.
pub(crate) fn on_ipv6_alone(port: u16) -> bool {
    is_free(port) && TcpListener::bind((Ipv6Addr::LOCALHOST, port)).is_err_and(|e| e.kind() == io::ErrorKind::AddrInUse)
}

fn session_of(pid: u32) -> Option<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    text.rsplit_once(')')?.1.split_ascii_whitespace().nth(3)?.parse().ok()
}

fn holds(pid: u32, inode: u64) -> bool {
    let wanted = format!("socket:[{inode}]");
    let Ok(files) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    files.filter_map(Result::ok).any(|f| fs::read_link(f.path()).is_ok_and(|l| l.as_os_str() == wanted.as_str()))
}

/// Inode and port of every listening TCP socket (proc_net(5): state 0A is LISTEN).
fn listening() -> HashMap<u64, u16> {
    let line = |line: &str| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        if *fields.get(3)? != "0A" {
            return None;
        }
        let port = u16::from_str_radix(fields.get(1)?.rsplit_once(':')?.1, 16).ok()?;
        Some((fields.get(9)?.parse().ok()?, port))
    };
    ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|f| fs::read_to_string(f).ok())
        .flat_map(|text| text.lines().filter_map(line).collect::<Vec<_>>())
        .collect()
}
