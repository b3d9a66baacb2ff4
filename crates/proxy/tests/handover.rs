//! Proxies that take over from each other: what clients notice of it (nothing), and what is left when one of them dies in
//! the middle.

#![allow(clippy::unwrap_used, reason = "also in what the tests share")]

mod support;

use std::{
    io::{Read, Write},
    net::SocketAddr,
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use ambit_proxy::{
    client, lock,
    table::{Route, RoutingTable},
};
use futures_util::{SinkExt, StreamExt};
use hyper::{Request, body::Incoming};
use support::{App, app, text, websockets};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::{Instant, sleep},
};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::ServerName},
};

/// A proxy's process; killed with the test, however the test ends.
struct Process(Child);

impl Process {
    fn start(folder: &Path, arguments: &[&str]) -> Self {
        let mut binary: PathBuf = std::env::current_exe().unwrap();
        binary.pop();
        binary.pop();
        binary.push("examples/proxy");
        let child = Command::new(&binary).arg(folder).args(arguments).stderr(Stdio::null()).spawn().unwrap();
        Self(child)
    }

    fn id(&self) -> u32 {
        self.0.id()
    }

    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    fn has_ended(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().unwrap()
    }

    /// Ends by itself, and well.
    async fn ends(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(status) = self.has_ended() {
                return assert!(status.success(), "{status}");
            }
            assert!(Instant::now() < deadline, "it does not end");
            sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A folder with its proxies.
struct Machine {
    folder: tempfile::TempDir,
    address: SocketAddr,
}

impl Machine {
    async fn new(routes: Vec<Route>) -> (Self, Process) {
        let folder = tempfile::tempdir().unwrap();
        RoutingTable::new(routes).store(&folder.path().join("routes.json")).unwrap();
        let first = Process::start(folder.path(), &["2", "127.0.0.1:0"]);
        let health = serving(folder.path(), first.id()).await;
        (Self { folder, address: health.listen[0] }, first)
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn next(&self, threads: &str) -> Process {
        Process::start(self.path(), &[threads, "--take-over", &self.address.to_string()])
    }

    /// The next proxy, once it serves.
    async fn take_over(&self, threads: &str) -> Process {
        let next = self.next(threads);
        let health = serving(self.path(), next.id()).await;
        assert_eq!(health.listen, [self.address]);
        next
    }

    async fn is_served_by(&self, process: &Process) -> bool {
        client::health(self.path()).await.is_ok_and(|health| health.pid == process.id())
    }

    async fn serve(&self, routes: Vec<Route>) {
        RoutingTable::new(routes).store(&self.path().join("routes.json")).unwrap();
        client::reload(self.path()).await.unwrap();
    }

    /// What is on the wire for one request on a connection of its own.
    async fn get(&self, host: &str) -> String {
        let mut connection = Connection::new(self.address).await;
        let answer = connection.get(host, "/").await;
        answer.1
    }

    fn sockets(&self) -> Vec<String> {
        let names = std::fs::read_dir(self.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|n| n.contains(".sock")).collect();
        names.sort();
        names
    }
}

async fn serving(folder: &Path, pid: u32) -> client::Health {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let health = client::health(folder).await;
        match health {
            Ok(health) if health.pid == pid => return health,
            _ => assert!(Instant::now() < deadline, "{pid} never served: {health:?}"),
        }
        sleep(Duration::from_millis(2)).await;
    }
}

/// A client that takes every irregularity for a failure.
struct Connection(TcpStream);

impl Connection {
    async fn new(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).await.unwrap();
        socket.set_nodelay(true).unwrap();
        Self(socket)
    }

    /// The head in lower case and the body, whose length the head tells.
    async fn get(&mut self, host: &str, path: &str) -> (String, String) {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        self.0.write_all(request.as_bytes()).await.unwrap();
        let mut read = Vec::new();
        loop {
            let n = self.0.read_buf(&mut read).await.unwrap();
            let told = String::from_utf8_lossy(&read);
            assert!(n > 0, "closed instead of answered, after {told:?}");
            if let Some((head, body)) = told.split_once("\r\n\r\n") {
                let head = head.to_lowercase();
                let length = head.lines().find_map(|l| l.strip_prefix("content-length: ")).unwrap();
                if body.len() == length.parse::<usize>().unwrap() {
                    assert!(head.starts_with("http/1.1 200"), "{told}");
                    return (head, body.to_owned());
                }
            }
        }
    }
}

fn is_last(head: &str) -> bool {
    head.lines().any(|l| l == "connection: close")
}

/// Answers at once, or after as many milliseconds as the query says.
async fn slow() -> App {
    App::start(|request: Request<Incoming>| async move {
        if let Some(wait) = request.uri().query().and_then(|q| q.parse().ok()) {
            sleep(Duration::from_millis(wait)).await;
        }
        text("done")
    })
    .await
}

/// Clients that go on until they are told to stop; each tells how many requests were answered.
fn load(address: SocketAddr, stop: &Arc<AtomicBool>) -> JoinSet<usize> {
    let mut clients = JoinSet::new();
    for n in 0..10 {
        let stop = Arc::clone(stop);
        clients.spawn(async move {
            // Some keep their connection, some take a new one each time, some wait long for each answer.
            let (keeps, path) = match n {
                0..5 => (true, "/"),
                5..8 => (false, "/"),
                _ => (true, "/?700"),
            };
            let mut connection = Connection::new(address).await;
            let mut answered = 0;
            while !stop.load(Ordering::Relaxed) {
                let (head, body) = connection.get("a.localhost", path).await;
                assert_eq!(body, "done");
                answered += 1;
                if !keeps || is_last(&head) {
                    connection = Connection::new(address).await;
                }
            }
            answered
        });
    }
    clients
}

/// How many requests were answered; a client that saw a failure has panicked.
async fn answered(clients: JoinSet<usize>, stop: &AtomicBool) -> usize {
    stop.store(true, Ordering::Relaxed);
    clients.join_all().await.into_iter().sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_fails_while_one_proxy_after_the_other_takes_over() {
    let (plain, sockets) = (slow().await, websockets().await);
    let routes = || vec![app("a.localhost", &[plain.address]), app("w.localhost", &[sockets.address])];
    let (machine, mut first) = Machine::new(routes()).await;
    let stream = TcpStream::connect(machine.address).await.unwrap();
    let (mut socket, _) = tokio_tungstenite::client_async("ws://w.localhost/", stream).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let clients = load(machine.address, &stop);

    // Also with more and with fewer workers than before.
    let mut others = Vec::new();
    for threads in ["2", "1", "3", "3", "2", "1", "1", "2"] {
        others.push(machine.take_over(threads).await);
        machine.serve(routes()).await;
        socket.send("still there?".into()).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap().to_text().unwrap(), "still there?");
        sleep(Duration::from_millis(150)).await;
    }
    let mut last = others.pop().unwrap();
    for other in &mut others {
        other.ends().await;
    }
    let answered = answered(clients, &stop).await;
    assert!(answered > 300, "{answered}");

    assert_eq!(first.has_ended(), None, "its websocket is open");
    let figures = client::figures(machine.path()).await.unwrap();
    assert_eq!(figures.route("kaia/dev/w.localhost").unwrap().websockets, 1);
    socket.close(None).await.unwrap();
    drop(socket);
    first.ends().await;
    assert_eq!(last.has_ended(), None);
    assert_eq!(machine.sockets(), [format!("proxy.{}.sock", last.id()), "proxy.sock".to_owned()]);
    assert_eq!(lock::holder(machine.path()).unwrap().unwrap().pid, last.id());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_fails_over_tls_either() {
    let one = App::named("done").await;
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["a.test".to_owned()]).unwrap();
    let pem = format!("{}{}", made.signing_key.serialize_pem(), made.cert.pem());
    ambit_proxy::certificates::store(folder.path(), "a.test", pem.as_bytes()).unwrap();
    RoutingTable::new(vec![app("a.test", &[one.address])]).store(&folder.path().join("routes.json")).unwrap();
    let mut first = Process::start(folder.path(), &["2", "127.0.0.1:0", "tls:127.0.0.1:0"]);
    let health = serving(folder.path(), first.id()).await;
    let (plain, tls) = (health.listen[0], health.listen_tls[0]);

    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    let (stop, so_far) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut clients = JoinSet::new();
    for n in 0..6 {
        let (stop, so_far, connector) = (Arc::clone(&stop), Arc::clone(&so_far), connector.clone());
        clients.spawn(async move {
            let connect = || async {
                let socket = TcpStream::connect(tls).await.unwrap();
                connector.connect(ServerName::try_from("a.test").unwrap(), socket).await.unwrap()
            };
            let mut stream = connect().await;
            let mut answered = 0;
            while !stop.load(Ordering::Relaxed) {
                stream.write_all(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").await.unwrap();
                let mut answer = Vec::new();
                while !answer.ends_with(b"done") {
                    let read = stream.read_buf(&mut answer).await.unwrap();
                    let told = String::from_utf8_lossy(&answer);
                    assert!(read > 0 && told.starts_with("HTTP/1.1 200"), "{told:?} after {answered}");
                }
                answered += 1;
                so_far.fetch_add(1, Ordering::Relaxed);
                let head = String::from_utf8_lossy(&answer).to_lowercase();
                if n % 2 == 0 || is_last(&head) {
                    stream = connect().await;
                }
            }
            answered
        });
    }
    let (plain, tls) = (plain.to_string(), format!("tls:{tls}"));
    let mut others = Vec::new();
    for threads in ["2", "1", "3", "2"] {
        let next = Process::start(folder.path(), &[threads, "--take-over", &plain, &tls]);
        serving(folder.path(), next.id()).await;
        others.push(next);
        let before = so_far.load(Ordering::Relaxed);
        while so_far.load(Ordering::Relaxed) < before + 60 {
            assert!(clients.try_join_next().is_none(), "a client failed");
            sleep(Duration::from_millis(2)).await;
        }
    }
    let _last = others.pop();
    first.ends().await;
    for other in &mut others {
        other.ends().await;
    }
    assert!(answered(clients, &stop).await >= 240);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_finishes_follows_the_table_counts_and_closes_connections_with_a_word() {
    let (old, new) = (slow().await, App::named("new").await);
    let (machine, mut first) = Machine::new(vec![app("a.localhost", &[old.address])]).await;
    let mut idle = Connection::new(machine.address).await;
    assert!(!is_last(&idle.get("a.localhost", "/").await.0));
    let address = machine.address;
    let waiting = tokio::spawn(async move { Connection::new(address).await.get("a.localhost", "/?1500").await });
    let in_flight = || async { client::figures(machine.path()).await.unwrap().in_flight_of(old.address.port()) };
    while in_flight().await == 0 {
        sleep(Duration::from_millis(2)).await;
    }

    let _second = machine.take_over("2").await;
    machine.serve(vec![app("a.localhost", &[new.address])]).await;
    assert_eq!(in_flight().await, 1, "who deploys waits for the request that the first proxy still passes on");
    let (head, body) = idle.get("a.localhost", "/").await;
    assert!(body == "new" && is_last(&head), "the first proxy serves by the new table: {head} {body}");
    assert_eq!(machine.get("a.localhost").await, "new");

    let (head, body) = waiting.await.unwrap();
    assert!(body == "done" && is_last(&head), "{head}");
    assert_eq!(in_flight().await, 0);
    first.ends().await;
    let figures = client::figures(machine.path()).await.unwrap();
    assert_eq!(figures.route("kaia/dev/a.localhost").unwrap().requests, 1, "the first one's went with it");
}

/// The beginning of a conversation, as a new proxy has it; nothing if it is refused.
fn ask(folder: &Path) -> Option<UnixStream> {
    let mut socket = UnixStream::connect(folder.join("proxy.sock")).unwrap();
    let request = "POST /hand-over HTTP/1.1\r\nHost: proxy\r\nConnection: upgrade\r\nUpgrade: ambit-hand-over\r\n\r\n";
    socket.write_all(request.as_bytes()).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    head.starts_with(b"HTTP/1.1 101").then_some(socket)
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_new_one_dies_before_it_serves_the_old_one_goes_on() {
    let one = App::named("one").await;
    let (machine, first) = Machine::new(vec![app("a.localhost", &[one.address])]).await;
    for takes_the_name in [false, true] {
        let conversation = ask(machine.path()).unwrap();
        assert!(ask(machine.path()).is_none(), "one at a time");
        let listener = takes_the_name.then(|| {
            let listener = UnixListener::bind(machine.path().join("other")).unwrap();
            std::fs::rename(machine.path().join("other"), machine.path().join("proxy.sock")).unwrap();
            listener
        });
        // It dies.
        drop((listener, conversation));
        serving(machine.path(), first.id()).await;
        assert_eq!(lock::holder(machine.path()).unwrap().unwrap().pid, first.id());
        assert_eq!(machine.get("a.localhost").await, "one");
    }
    // And can be replaced by one that lives.
    let second = machine.take_over("2").await;
    assert_eq!(machine.get("a.localhost").await, "one");
    drop(first);
    assert_eq!(lock::holder(machine.path()).unwrap().unwrap().pid, second.id());
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_killed_at_whatever_moment_one_proxy_serves_in_the_end() {
    let plain = slow().await;
    let (machine, mut old) = Machine::new(vec![app("a.localhost", &[plain.address])]).await;
    for n in 0..30 {
        let mut new = machine.next("2");
        let deadline = Instant::now() + Duration::from_secs(20);
        // Within the time that it takes until it serves.
        sleep(Duration::from_micros(n / 2 * 2500)).await;
        if n % 2 == 0 {
            new.kill();
            // The old one serves, unless the new one had taken over: then it has retired, and nobody has the lock.
            while lock::holder(machine.path()).unwrap().is_some() && !machine.is_served_by(&old).await {
                assert!(Instant::now() < deadline, "somebody has the lock and does not serve");
                sleep(Duration::from_millis(2)).await;
            }
            if lock::holder(machine.path()).unwrap().is_some() {
                assert_eq!(machine.get("a.localhost").await, "done");
            }
            new = machine.next("2");
        } else {
            old.kill();
        }
        while !machine.is_served_by(&new).await {
            assert!(Instant::now() < deadline, "nobody serves");
            if new.has_ended().is_some() {
                // As its keeper does.
                new = machine.next("2");
            }
            sleep(Duration::from_millis(2)).await;
        }
        assert_eq!(machine.get("a.localhost").await, "done");
        let holder = lock::holder(machine.path()).unwrap().unwrap();
        assert_eq!((holder.pid, holder.listen), (new.id(), vec![machine.address]));
        // Whatever was left behind is gone, and what is there lives.
        machine.serve(vec![app("a.localhost", &[plain.address])]).await;
        old = new;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn under_load_no_request_fails_when_a_new_one_is_killed_before_it_serves() {
    let plain = slow().await;
    let (machine, first) = Machine::new(vec![app("a.localhost", &[plain.address])]).await;
    let stop = Arc::new(AtomicBool::new(false));
    let clients = load(machine.address, &stop);
    for _ in 0..5 {
        let conversation = ask(machine.path()).unwrap();
        sleep(Duration::from_millis(50)).await;
        drop(conversation);
        serving(machine.path(), first.id()).await;
    }
    let _second = machine.take_over("1").await;
    sleep(Duration::from_millis(200)).await;
    assert!(answered(clients, &stop).await > 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn as_root_the_rights_are_given_up_by_each_in_turn_and_other_addresses_can_be_taken() {
    let one = App::named("one").await;
    let folder = tempfile::tempdir().unwrap();
    RoutingTable::new(vec![app("a.localhost", &[one.address])]).store(&folder.path().join("routes.json")).unwrap();
    let first = Process::start(folder.path(), &["2", "65534:65534", "127.0.0.1:0"]);
    let before = serving(folder.path(), first.id()).await.listen[0];
    let arguments = ["3", "65534:65534", "--take-over", &before.to_string(), "127.0.0.1:0", "tls:127.0.0.1:0"];
    let second = Process::start(folder.path(), &arguments);
    let health = serving(folder.path(), second.id()).await;
    assert_eq!((health.listen.len(), health.listen[0], health.listen_tls.len()), (2, before, 1));
    for address in [health.listen[0], health.listen[1]] {
        assert_eq!(Connection::new(address).await.get("a.localhost", "/").await.1, "one");
    }
    // The third leaves one address alone.
    let arguments =
        ["1", "65534:65534", "--take-over", &health.listen[1].to_string(), &format!("tls:{}", health.listen_tls[0])];
    let third = Process::start(folder.path(), &arguments);
    let now = serving(folder.path(), third.id()).await;
    assert_eq!((now.listen, now.listen_tls), (vec![health.listen[1]], health.listen_tls));
    let left = async {
        while TcpStream::connect(before).await.is_ok() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), left).await.expect("nobody accepts there any more");
    client::reload(folder.path()).await.unwrap();
}
