//! The proxy as its keepers hold it, replaced while clients use it.

#![allow(clippy::unwrap_used)] // A test may panic.

use std::{
    net::SocketAddr,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use ambit_domain::{Home, Provider};
use ambit_host::Host;
use ambit_keeper::client;
use ambit_proxy::table::{Route, RouteState, RoutingTable, Target};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{Instant, sleep},
};

/// A host of its own with a proxy and an app behind it; everything is ended and removed with the test.
struct Machine {
    host: Host,
    home: Home,
    address: SocketAddr,
    _app: JoinSet<()>,
    _folder: tempfile::TempDir,
}

fn program() -> PathBuf {
    let mut program = std::env::current_exe().unwrap();
    program.pop();
    program.pop();
    program.join("examples/holder")
}

impl Machine {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path().to_path_buf(), folder.path().join("home"), folder.path().join("home/run")] {
            std::fs::create_dir_all(&path).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o711)).unwrap();
        }
        let home = Home::new(folder.path().join("home"));
        let host = Host::new(home.clone(), program());
        let port = host.choose_port(&folder.path().display().to_string(), &[]).unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let route = Route {
            id: "kaia/dev/a".to_owned(),
            hosts: vec!["a.localhost".to_owned()],
            path: "/".to_owned(),
            target: Target::App { upstreams: vec![listener.local_addr().unwrap()] },
            noindex: false,
            environment: "dev".to_owned(),
            https: Vec::new(),
            hsts: false,
            state: RouteState::Serving,
        };
        let mut app = JoinSet::new();
        app.spawn(answer(listener));
        let machine = Self { host, home, address, _app: app, _folder: folder };
        machine.host.start_proxy(address, None).await.unwrap();
        RoutingTable::new(vec![route]).store(&machine.home.proxy().join("routes.json")).unwrap();
        ambit_proxy::client::reload(&machine.home.proxy()).await.unwrap();
        machine
    }

    async fn serving(&self) -> u32 {
        ambit_proxy::client::health(&self.home.proxy()).await.unwrap().pid
    }

    /// The records that have a keeper, by name.
    fn held(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.home.run()).unwrap().map(|e| e.unwrap().path());
        let mut held: Vec<_> = entries.filter(|path| client::keeper(path).is_some()).collect();
        held.sort();
        held.iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
    }

    fn record(&self, name: &str) -> PathBuf {
        self.home.run().join(name)
    }

    async fn get(&self) -> String {
        let mut socket = TcpStream::connect(self.address).await.unwrap();
        get(&mut socket).await
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                tokio::runtime::Runtime::new().unwrap().block_on(self.host.stop_proxy()).unwrap();
            });
        });
        let uid = std::fs::metadata(self.home.proxy()).unwrap().uid();
        let passwd = std::fs::read_to_string("/etc/passwd").unwrap();
        let of_proxy = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>());
        for user in of_proxy.filter(|fields| fields[0].starts_with("ambit-") && fields[2] == uid.to_string()) {
            Command::new("userdel").arg(user[0]).output().unwrap();
        }
        let home = self.home.root().display().to_string();
        let left = processes().into_iter().filter(|line| line.contains(&home)).collect::<Vec<_>>();
        assert!(left.is_empty() || std::thread::panicking(), "{left:?}");
    }
}

fn processes() -> Vec<String> {
    let entries = std::fs::read_dir("/proc").unwrap();
    let lines = entries.filter_map(|e| std::fs::read(e.ok()?.path().join("cmdline")).ok());
    lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " ")).collect()
}

/// Answers every request with two letters, on connections that are kept.
async fn answer(listener: TcpListener) {
    let mut open = JoinSet::new();
    loop {
        let (mut socket, _) = listener.accept().await.unwrap();
        open.spawn(async move {
            let mut read = Vec::new();
            while socket.read_buf(&mut read).await.is_ok_and(|n| n > 0) {
                if read.ends_with(b"\r\n\r\n") {
                    read.clear();
                    socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
                }
            }
        });
    }
}

/// The head of the answer.
async fn get(socket: &mut TcpStream) -> String {
    socket.write_all(b"GET / HTTP/1.1\r\nHost: a.localhost\r\n\r\n").await.unwrap();
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\nok") {
        let n = socket.read_buf(&mut read).await.unwrap();
        assert!(n > 0, "closed instead of answered: {}", String::from_utf8_lossy(&read));
    }
    let head = String::from_utf8(read).unwrap().to_lowercase();
    assert!(head.starts_with("http/1.1 200"), "{head}");
    head
}

/// Clients that keep their connection while they may, until they are told to stop; how many requests each had answered.
fn load(address: SocketAddr, stop: &Arc<AtomicBool>) -> JoinSet<usize> {
    (0..6)
        .map(|n| {
            let stop = Arc::clone(stop);
            async move {
                let mut answered = 0;
                let mut socket = TcpStream::connect(address).await.unwrap();
                while !stop.load(Ordering::Relaxed) {
                    let last = get(&mut socket).await.contains("connection: close");
                    answered += 1;
                    if last || n % 2 == 0 {
                        socket = TcpStream::connect(address).await.unwrap();
                    }
                }
                answered
            }
        })
        .collect()
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !condition() {
        assert!(Instant::now() < end, "{what}: waited for 30 s");
        sleep(Duration::from_millis(5)).await;
    }
}

fn kill(pid: u32) {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid.cast_signed()), nix::sys::signal::Signal::SIGKILL).unwrap();
}

fn pid_of(record: &Path) -> Option<u32> {
    client::state(record).ok().flatten()?.held.map(|held| held.pid)
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_replaced_again_and_again_and_no_request_fails() {
    let machine = Machine::start().await;
    let stop = Arc::new(AtomicBool::new(false));
    let clients = load(machine.address, &stop);
    // Stays with the first proxy.
    let mut idle = TcpStream::connect(machine.address).await.unwrap();
    get(&mut idle).await;
    let first = machine.serving().await;
    let mut before = first;
    for n in 2..=5 {
        machine.host.upgrade_proxy(machine.address, None).await.unwrap();
        let now = machine.serving().await;
        assert!(now != before && pid_of(&machine.record(&format!("proxy.{n}"))) == Some(now));
        before = now;
        sleep(Duration::from_millis(100)).await;
    }
    // Looking after them changes nothing: the first one still finishes, those between are over.
    until("those between are over", || machine.held() == ["proxy", "proxy.5"]).await;
    assert!(machine.host.revive().is_empty());
    assert!(get(&mut idle).await.contains("connection: close"));
    until("the first is over", || machine.held() == ["proxy.5"]).await;
    assert!(machine.host.revive().is_empty());
    stop.store(true, Ordering::Relaxed);
    let answered: usize = clients.join_all().await.into_iter().sum();
    assert!(answered > 500, "{answered}");

    // What is over is forgotten at the next change, and the same proxy is the present one.
    machine.host.start_proxy(machine.address, None).await.unwrap();
    assert_eq!(machine.serving().await, before);
    assert!(!machine.record("proxy").exists() && machine.host.proxy_log().starts_with(machine.record("proxy.5")));
    assert_eq!(machine.host.proxy_is_current(), Some(true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_does_not_start_leaves_the_proxy_that_there_is() {
    let machine = Machine::start().await;
    let before = machine.serving().await;
    // Keepers of it start, but no proxy does.
    let broken = machine.home.root().join("broken");
    let line =
        format!("#!/bin/sh\n[ \"$1\" = keeper ] && exec {} \"$@\"\necho no such thing; exit 1\n", program().display());
    std::fs::write(&broken, line).unwrap();
    std::fs::set_permissions(&broken, std::fs::Permissions::from_mode(0o755)).unwrap();
    let host = Host::new(machine.home.clone(), broken);
    let failure = host.upgrade_proxy(machine.address, None).await.unwrap_err();
    assert!(failure.causes.iter().any(|cause| cause.contains("no such thing")), "{failure:?}");
    assert_eq!((machine.serving().await, machine.held()), (before, vec!["proxy".to_owned()]));
    machine.get().await;
    // It is looked after as before.
    kill(before);
    until("it is started again", || pid_of(&machine.record("proxy")).is_some_and(|pid| pid != before)).await;
    until("it answers", || std::net::TcpStream::connect(machine.address).is_ok()).await;
    machine.get().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keepers_that_are_killed_and_changes_that_are_cut_short_come_right_again() {
    let machine = Machine::start().await;
    let mut idle = TcpStream::connect(machine.address).await.unwrap();
    get(&mut idle).await;
    let first = machine.serving().await;
    // Cut short after the old one was let go.
    client::let_end(&machine.record("proxy")).unwrap();
    machine.host.start_proxy(machine.address, None).await.unwrap();
    assert_eq!(
        (machine.serving().await, client::wanted(&machine.record("proxy"))),
        (first, ambit_keeper::Wanted::Running)
    );

    machine.host.upgrade_proxy(machine.address, None).await.unwrap();
    let second = machine.serving().await;
    for record in ["proxy", "proxy.2"] {
        kill(client::keeper(&machine.record(record)).unwrap());
        until("the keeper is gone", || client::keeper(&machine.record(record)).is_none()).await;
    }
    machine.get().await;
    assert_eq!(machine.host.revive().len(), 2);
    until("both have keepers", || machine.held() == ["proxy", "proxy.2"]).await;
    until("each found its own", || {
        pid_of(&machine.record("proxy")) == Some(first) && pid_of(&machine.record("proxy.2")) == Some(second)
    })
    .await;
    // The one that finishes dies: it is not missed. The one that serves dies: it comes back.
    kill(first);
    until("it is over", || machine.held() == ["proxy.2"]).await;
    assert_eq!(machine.serving().await, second);
    kill(second);
    until("it is started again", || pid_of(&machine.record("proxy.2")).is_some_and(|pid| pid != second)).await;
    until("it answers", || std::net::TcpStream::connect(machine.address).is_ok()).await;
    machine.get().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keepers_take_on_the_program_and_keep_what_they_hold() {
    let machine = Machine::start().await;
    let (serving, keeper) = (machine.serving().await, client::keeper(&machine.record("proxy")));
    assert_eq!(machine.host.renew_keepers(false).await.unwrap().unchanged, 1);
    let newer = machine.home.root().join("newer");
    // By another process, so that nothing that this one starts has it open for writing meanwhile.
    assert!(Command::new("cp").args([&program(), &newer]).status().unwrap().success());
    let host = Host::new(machine.home.clone(), newer);
    assert_eq!(host.proxy_is_current(), Some(false));
    let renewed = host.renew_keepers(false).await.unwrap();
    assert_eq!((renewed.renewed, renewed.unchanged, renewed.failed), (1, 0, vec![]));
    assert_eq!((machine.serving().await, client::keeper(&machine.record("proxy"))), (serving, keeper));
    assert_eq!(host.proxy_is_current(), Some(false), "the proxy is another matter");
    host.upgrade_proxy(machine.address, None).await.unwrap();
    assert_eq!(host.proxy_is_current(), Some(true));
    assert_eq!(host.renew_keepers(true).await.unwrap().unchanged, 0);
}
