//! The proxy as a process of its own: what it takes, how it is stopped, and what its death leaves behind.

#![allow(clippy::unwrap_used, reason = "also in what the tests share")]

mod support;

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use ambit_proxy::{client, lock, table::RoutingTable};
use support::{App, app};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Ends with the test, however the test ends.
struct Process(Child);

impl Process {
    fn start(folder: &Path) -> Self {
        Self::with(folder, &["2", "127.0.0.1:0"])
    }

    fn with(folder: &Path, arguments: &[&str]) -> Self {
        let mut binary: PathBuf = std::env::current_exe().unwrap();
        binary.pop();
        binary.pop();
        binary.push("examples/proxy");
        let child = Command::new(&binary)
            .arg(folder)
            .args(arguments)
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|e| panic!("{}: {e}", binary.display()));
        Self(child)
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    async fn ended(&mut self) -> std::process::ExitStatus {
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn health(folder: &Path) -> client::Health {
    for _ in 0..1000 {
        if let Ok(health) = client::health(folder).await {
            return health;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the proxy never answered");
}

async fn get(address: std::net::SocketAddr) -> String {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(b"GET / HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn it_serves_from_its_table_alone_is_small_and_ends_on_sigterm() {
    let one = App::named("one").await;
    let folder = tempfile::tempdir().unwrap();
    RoutingTable::new(vec![app("a.localhost", &[one.address])]).store(&folder.path().join("routes.json")).unwrap();
    let mut proxy = Process::start(folder.path());
    let health = health(folder.path()).await;
    assert!(get(health.listen[0]).await.ends_with("one"));
    let status = std::fs::read_to_string(format!("/proc/{}/status", proxy.0.id())).unwrap();
    let resident = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap();
    let resident: u64 = resident.trim().trim_end_matches(" kB").parse().unwrap();
    // Without optimisation it is larger than what is delivered.
    assert!(resident < 16 << 10, "{resident} kB");
    proxy.signal(rustix::process::Signal::TERM);
    assert!(proxy.ended().await.success());
    assert!(!folder.path().join("proxy.sock").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_sudden_death_the_next_one_takes_over_what_lies_there() {
    let one = App::named("one").await;
    let folder = tempfile::tempdir().unwrap();
    RoutingTable::new(vec![app("a.localhost", &[one.address])]).store(&folder.path().join("routes.json")).unwrap();
    let mut first = Process::start(folder.path());
    let before = health(folder.path()).await;
    assert_eq!(lock::holder(folder.path()).unwrap().unwrap().pid, before.pid);
    first.signal(rustix::process::Signal::KILL);
    first.ended().await;
    assert_eq!(lock::holder(folder.path()).unwrap(), None, "its death shows");
    assert!(folder.path().join("proxy.sock").exists(), "it left its socket behind");
    let _second = Process::start(folder.path());
    let after = health(folder.path()).await;
    assert_ne!(after.pid, before.pid);
    assert!(get(after.listen[0]).await.ends_with("one"));
}

#[tokio::test(flavor = "multi_thread")]
async fn started_as_root_it_becomes_the_user_it_is_told_and_still_reloads() {
    let one = App::named("one").await;
    let folder = tempfile::tempdir().unwrap();
    let routes = folder.path().join("routes.json");
    RoutingTable::new(vec![]).store(&routes).unwrap();
    let proxy = Process::with(folder.path(), &["1", "65534:65534", "127.0.0.1:0"]);
    let health = health(folder.path()).await;
    let status = std::fs::read_to_string(format!("/proc/{}/status", proxy.0.id())).unwrap();
    let uids = status.lines().find_map(|l| l.strip_prefix("Uid:")).unwrap().split_whitespace().collect::<Vec<_>>();
    // Any other user has no right to become someone else, and stays.
    let own = rustix::process::getuid();
    let expected = if own.is_root() { "65534".to_owned() } else { own.as_raw().to_string() };
    assert_eq!(uids, vec![expected; 4]);
    RoutingTable::new(vec![app("a.localhost", &[one.address])]).store(&routes).unwrap();
    client::reload(folder.path()).await.unwrap();
    assert!(get(health.listen[0]).await.ends_with("one"));
}

#[tokio::test(flavor = "multi_thread")]
async fn as_another_user_it_reads_certificates_that_are_closed_to_all_but_its_group() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
    let folder = tempfile::tempdir().unwrap();
    let root = rustix::process::getuid().is_root();
    if root {
        // As the host makes it.
        chown(folder.path(), None, Some(65_534)).unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o2750)).unwrap();
    }
    let store = |name: &str| {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        let pem = format!("{}{}", made.signing_key.serialize_pem(), made.cert.pem());
        ambit_proxy::certificates::store(folder.path(), name, pem.as_bytes()).unwrap();
        let file = folder.path().join(format!("certificates/{name}.pem")).metadata().unwrap();
        let (mode, group) = if root { (0o640, 65_534) } else { (0o600, file.gid()) };
        assert_eq!((file.mode() & 0o777, file.gid()), (mode, group), "{name}");
    };
    store("a.test");
    let _proxy = Process::with(folder.path(), &["1", "65534:65534", "tls:127.0.0.1:0"]);
    assert_eq!(health(folder.path()).await.certificates[0].problem, None);
    // Now that the folder belongs to the proxy's user.
    store("b.test");
    ambit_proxy::challenges::answer(folder.path(), "token", "token.key").unwrap();
    client::reload(folder.path()).await.unwrap();
    let served = health(folder.path()).await.certificates;
    assert_eq!(
        served.iter().map(|c| (&*c.name, c.problem.is_some())).collect::<Vec<_>>(),
        [("a.test", false), ("b.test", false)]
    );
}
