//! A new table comes into force without anybody noticing.

#![allow(clippy::unwrap_used, reason = "also in what the tests share")]

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use ambit_proxy::{
    Config, Error, Prepared, client, lock,
    table::{RouteState, RoutingTable},
};
use http::Request;
use hyper::body::Incoming;
use support::{App, Proxy, app, text};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Clients on keep-alive connections that mix GET and POST until told to stop; how many requests were answered.
fn load(proxy: &Proxy, stop: &Arc<AtomicBool>) -> tokio::task::JoinSet<usize> {
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..8 {
        let (address, stop) = (proxy.address, Arc::clone(stop));
        clients.spawn(async move {
            let mut socket = TcpStream::connect(address).await.unwrap();
            let mut answered = 0;
            while !stop.load(Ordering::Relaxed) {
                let request: &[u8] = if (client + answered) % 2 == 0 {
                    b"GET / HTTP/1.1\r\nHost: a.localhost\r\n\r\n"
                } else {
                    b"POST / HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: 4\r\n\r\nbody"
                };
                socket.write_all(request).await.unwrap();
                let mut answer = Vec::new();
                while !answer.ends_with(b"version") {
                    let n = socket.read_buf(&mut answer).await.unwrap();
                    let told = String::from_utf8_lossy(&answer);
                    assert!(n > 0 && told.starts_with("HTTP/1.1 200"), "request {answered}: {told}");
                }
                answered += 1;
            }
            answered
        });
    }
    clients
}

async fn version() -> App {
    App::start(|request: Request<Incoming>| async move {
        use http_body_util::BodyExt;
        let _ = request.into_body().collect().await;
        text("version")
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_is_lost_while_an_app_is_replaced_again_and_again() {
    let mut now = version().await;
    let proxy = Proxy::start(vec![app("a.localhost", &[now.address])]);
    let stop = Arc::new(AtomicBool::new(false));
    let clients = load(&proxy, &stop);
    for _ in 0..15 {
        let next = version().await;
        proxy.serve(vec![app("a.localhost", &[next.address])]).await;
        let port = now.address.port();
        proxy.until("the old one is drained", |f| f.in_flight_of(port) == 0).await;
        // Ends it, with every connection that the proxy still has to it.
        drop(std::mem::replace(&mut now, next));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stop.store(true, Ordering::Relaxed);
    let answered: usize = clients.join_all().await.into_iter().sum();
    assert!(answered > 100, "{answered}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_refused_changes_nothing() {
    let one = App::named("one").await;
    let proxy = Proxy::start(vec![app("a.localhost", &[one.address])]);
    for bad in ["{", "{\"format\": 7, \"routes\": []}", "{\"format\": 1, \"routes\": [{}]}"] {
        std::fs::write(proxy.path().join("routes.json"), bad).unwrap();
        let error = client::reload(proxy.path()).await.unwrap_err();
        assert!(matches!(error, client::ClientError::Refused(_)), "{error}");
        assert_eq!(proxy.get("a.localhost", "/").await.body, "one");
    }
    let error = client::reload(proxy.path()).await.unwrap_err().to_string();
    assert!(error.contains("routes.json"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_to_a_held_route_wait_until_it_serves() {
    let one = App::named("one").await;
    let held = || {
        let mut route = app("a.localhost", &[]);
        route.state = RouteState::held_for(Duration::from_secs(60));
        vec![route]
    };
    let proxy = Proxy::start(held());
    let address = proxy.address;
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..10 {
        waiting.spawn(async move {
            let mut socket = TcpStream::connect(address).await.unwrap();
            let request = b"POST / HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbody";
            socket.write_all(request).await.unwrap();
            let mut answer = String::new();
            socket.read_to_string(&mut answer).await.unwrap();
            answer
        });
    }
    proxy.until("they wait", |f| f.routes[0].held == 10).await;
    proxy.serve(held()).await;
    proxy.until("they still wait", |f| f.routes[0].held == 10).await;
    proxy.serve(vec![app("a.localhost", &[one.address])]).await;
    for answer in waiting.join_all().await {
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("one"), "{answer}");
    }
    assert_eq!(proxy.figures().await.routes[0].held, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_forever_and_not_everybody_waits() {
    let mut route = app("a.localhost", &[]);
    route.state = RouteState::held_for(Duration::from_secs(60));
    let proxy = Proxy::with(vec![route], |limits| {
        limits.hold = Duration::from_millis(1500);
        limits.holding = 2;
    });
    let started = std::time::Instant::now();
    let answers = futures_util::future::join_all((0..12).map(|_| proxy.get("a.localhost", "/"))).await;
    assert!(answers.iter().all(|a| a.status == 503 && a.header("retry-after").is_some()));
    assert!(started.elapsed() >= Duration::from_millis(1500), "the first ones did wait");
    let figures = proxy.figures().await;
    assert_eq!(figures.routes[0].answers.server_error, 12);
    assert!(figures.routes[0].p50_ms < 1000.0, "most were told at once: {figures:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_whose_maker_died_ends_by_itself_and_its_requests_go_on() {
    let one = App::named("one").await;
    let mut route = app("a.localhost", &[one.address]);
    route.state = RouteState::held_for(Duration::from_millis(800));
    let proxy = Proxy::start(vec![route]);
    let started = std::time::Instant::now();
    let answers = futures_util::future::join_all((0..8).map(|_| proxy.get("a.localhost", "/"))).await;
    assert!(answers.iter().all(|a| a.status == 200 && a.body == "one"), "{answers:?}");
    assert!(started.elapsed() >= Duration::from_millis(300), "they waited");
    assert_eq!(proxy.get("a.localhost", "/").await.body, "one");
    assert_eq!(proxy.figures().await.routes[0].held, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_without_a_table_serves_nothing_and_learns() {
    let one = App::named("one").await;
    let folder = tempfile::tempdir().unwrap();
    let prepared = Prepared::new(Config::new(folder.path(), vec!["127.0.0.1:0".parse().unwrap()])).unwrap();
    let address = prepared.addresses()[0];
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let thread = std::thread::spawn(move || {
        prepared.serve(async {
            let _ = stopped.await;
        })
    });
    let get = || async {
        let mut socket = TcpStream::connect(address).await.unwrap();
        socket.write_all(b"GET / HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        answer
    };
    assert!(get().await.starts_with("HTTP/1.1 404"));
    RoutingTable::new(vec![app("a.localhost", &[one.address])]).store(&folder.path().join("routes.json")).unwrap();
    client::reload(folder.path()).await.unwrap();
    assert!(get().await.ends_with("one"));
    drop(stop);
    tokio::task::spawn_blocking(move || thread.join().unwrap()).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_has_one_proxy_and_an_address_too() {
    let proxy = Proxy::start(vec![]);
    let holder = lock::holder(proxy.path()).unwrap().unwrap();
    assert_eq!((holder.pid, holder.listen.as_slice()), (std::process::id(), [proxy.address].as_slice()));
    let health = client::health(proxy.path()).await.unwrap();
    assert_eq!((health.pid, health.listen.as_slice(), health.routes), (holder.pid, [proxy.address].as_slice(), 0));

    let second = Prepared::new(Config::new(proxy.path(), vec!["127.0.0.1:0".parse().unwrap()]));
    assert!(matches!(second.err().unwrap(), Error::AlreadyRuns { pid: Some(_), .. }));

    let elsewhere = tempfile::tempdir().unwrap();
    let error = Prepared::new(Config::new(elsewhere.path(), vec![proxy.address])).err().unwrap();
    assert!(matches!(error, Error::AddressInUse { address } if address == proxy.address), "{error}");
    assert!(error.to_string().contains(&proxy.address.to_string()));
    // A start that failed leaves the folder free.
    assert_eq!(lock::holder(elsewhere.path()).unwrap(), None);
    drop(Prepared::new(Config::new(elsewhere.path(), vec!["127.0.0.1:0".parse().unwrap()])).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_control_socket_is_closed_to_others_and_its_path_may_be_long() {
    use std::os::unix::fs::PermissionsExt;
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("a".repeat(120)).join("b".repeat(120));
    std::fs::create_dir_all(&folder).unwrap();
    let prepared = Prepared::new(Config::new(&folder, vec!["127.0.0.1:0".parse().unwrap()])).unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let thread = std::thread::spawn(move || {
        prepared.serve(async {
            let _ = stopped.await;
        })
    });
    client::health(&folder).await.unwrap();
    let mode = std::fs::metadata(folder.join("proxy.sock")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    drop(stop);
    tokio::task::spawn_blocking(move || thread.join().unwrap()).await.unwrap().unwrap();
    let error = client::health(&folder).await.unwrap_err();
    assert!(matches!(error, client::ClientError::NotRunning(_)), "{error}");
    assert_eq!(lock::holder(&folder).unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_flight_finishes_when_the_proxy_is_told_to_stop() {
    let (go, gate) = tokio::sync::watch::channel(false);
    let slow = App::start(move |_| {
        let mut gate = gate.clone();
        async move {
            gate.wait_for(|open| *open).await.unwrap();
            text("finished")
        }
    })
    .await;
    let mut proxy = Proxy::start(vec![app("a.localhost", &[slow.address])]);
    let idle = TcpStream::connect(proxy.address).await.unwrap();
    let address = proxy.address;
    let request = tokio::spawn(async move {
        let mut socket = TcpStream::connect(address).await.unwrap();
        socket.write_all(b"GET / HTTP/1.1\r\nHost: a.localhost\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        answer
    });
    proxy.until("the request is in flight", |f| f.in_flight_of(slow.address.port()) == 1).await;
    proxy.tell_to_stop();
    let refused = async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), refused).await.expect("it still accepts connections");
    go.send(true).unwrap();
    assert!(request.await.unwrap().ends_with("finished"));
    proxy.ended().await.unwrap();
    drop(idle);
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_tell_what_happened() {
    let seen = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&seen);
    let moody = App::start(move |_| {
        let n = counted.fetch_add(1, Ordering::SeqCst);
        async move {
            let mut response = text("0123456789");
            *response.status_mut() = [200, 301, 404, 500][n % 4].try_into().unwrap();
            response
        }
    })
    .await;
    let proxy = Proxy::start(vec![app("a.localhost", &[moody.address])]);
    for _ in 0..8 {
        proxy.send("POST", "a.localhost", "/", "", "12345").await;
    }
    let figures = proxy.until("all are finished", |f| f.routes[0].in_flight == 0).await;
    let route = figures.route("kaia/dev/a.localhost").unwrap();
    let a = route.answers;
    assert_eq!((route.requests, a.success, a.redirection, a.client_error, a.server_error), (8, 2, 2, 2, 2));
    assert_eq!((route.bytes_in, route.bytes_out), (40, 80));
    assert!(route.p50_ms > 0.0 && route.p50_ms <= route.p95_ms && route.p95_ms <= route.p99_ms, "{route:?}");
}
