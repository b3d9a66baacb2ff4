//! Pebble, a real ACME server, with a DNS of its own in which every name leads to 127.0.0.1.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]

use std::{
    fs::{self, File},
    io::Write,
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// Ends with the test, however the test ends.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An authority that looks for challenges on a port of this machine.
pub struct Pebble {
    folder: tempfile::TempDir,
    pub directory: String,
    management: u16,
    _processes: [Process; 2],
}

impl Pebble {
    /// `None`, said aloud, where it is not installed. Certificates hold for `seconds`.
    pub fn start(http_port: u16, seconds: u64) -> Option<Self> {
        Self::with(http_port, seconds, ("PEBBLE_VA_NOSLEEP", "1"))
    }

    /// The same, but it takes its time before it looks for the answer to a challenge.
    pub fn slow(http_port: u16) -> Option<Self> {
        Self::with(http_port, 3600, ("PEBBLE_VA_SLEEPTIME", "3"))
    }

    fn with(http_port: u16, seconds: u64, patience: (&str, &str)) -> Option<Self> {
        if which("pebble").is_none() || which("pebble-challtestsrv").is_none() {
            let note = b"\nSKIPPED: pebble is not installed; script/install-needs --tests installs it\n";
            // Not by a macro: what those print is shown for failed tests only.
            std::io::stderr().write_all(note).unwrap();
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        fs::write(folder.path().join("ca.pem"), made.cert.pem()).unwrap();
        fs::write(folder.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
        // Somebody may take a port between its choice and its use.
        let started = (0..5).find_map(|_| Self::try_start(folder.path(), http_port, seconds, patience));
        let (processes, port, management) = started.expect("pebble starts");
        let directory = format!("https://localhost:{port}/dir");
        Some(Self { folder, directory, management, _processes: processes })
    }

    fn try_start(
        folder: &Path,
        http_port: u16,
        seconds: u64,
        patience: (&str, &str),
    ) -> Option<([Process; 2], u16, u16)> {
        let [port, management, dns, dns_management] = free_ports();
        let config = serde_json::json!({ "pebble": {
            "listenAddress": format!("127.0.0.1:{port}"),
            "managementListenAddress": format!("127.0.0.1:{management}"),
            "certificate": folder.join("ca.pem"),
            "privateKey": folder.join("key.pem"),
            "httpPort": http_port,
            "tlsPort": 5001,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": false,
            "domainBlocklist": ["blocked.test"],
            "certificateValidityPeriod": seconds,
        } });
        fs::write(folder.join("config.json"), config.to_string()).unwrap();
        let log = |name: &str| Stdio::from(File::create(folder.join(name)).unwrap());
        let names = Command::new("pebble-challtestsrv")
            .args(["-dns01", &format!("127.0.0.1:{dns}"), "-management", &format!("127.0.0.1:{dns_management}")])
            .args(["-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv6", ""])
            .stdout(log("names.log"))
            .stderr(log("names.err"))
            .spawn();
        let pebble = Command::new("pebble")
            .args(["-strict", "-dnsserver", &format!("127.0.0.1:{dns}"), "-config"])
            .arg(folder.join("config.json"))
            // One in twenty good nonces is refused, so that clients show that they try again.
            .envs([patience, ("PEBBLE_WFE_NONCEREJECT", "5"), ("PEBBLE_AUTHZREUSE", "0")])
            .stdout(log("pebble.log"))
            .stderr(log("pebble.err"))
            .spawn();
        let mut processes = [Process(names.unwrap()), Process(pebble.unwrap())];
        let until = Instant::now() + Duration::from_secs(20);
        for port in [dns_management, port, management] {
            while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
                if processes.iter_mut().any(|p| p.0.try_wait().unwrap().is_some()) {
                    return None;
                }
                assert!(Instant::now() < until, "{}", fs::read_to_string(folder.join("pebble.log")).unwrap());
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        Some((processes, port, management))
    }

    /// What vouches for the server itself.
    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// The root of what it makes out, in PEM.
    pub fn root(&self) -> String {
        let output = Command::new("curl")
            .args(["--silent", "--show-error", "--fail", "--noproxy", "*", "--cacert"])
            .arg(self.ca())
            .arg(format!("https://localhost:{}/roots/0", self.management))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// What it did.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("pebble.log")).unwrap()
    }
}

fn which(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

fn free_ports<const N: usize>() -> [u16; N] {
    let listeners: [TcpListener; N] = std::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.each_ref().map(|l| l.local_addr().unwrap().port())
}
