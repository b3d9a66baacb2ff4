//! Bodies and tunnels: nothing is gathered, nothing is cut.

#![allow(clippy::unwrap_used, reason = "also in what the tests share")]

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use support::{App, Body, Proxy, app, text, websockets};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_tungstenite::tungstenite::Message;

async fn websocket(proxy: &Proxy) -> tokio_tungstenite::WebSocketStream<TcpStream> {
    let socket = TcpStream::connect(proxy.address).await.unwrap();
    tokio_tungstenite::client_async("ws://a.localhost/chat", socket).await.unwrap().0
}

#[tokio::test(flavor = "multi_thread")]
async fn websockets_pass_in_both_directions_and_are_counted() {
    let chat = websockets().await;
    let proxy = Proxy::start(vec![app("a.localhost", &[chat.address])]);
    let mut socket = websocket(&proxy).await;
    for message in [Message::text("hello"), Message::binary(vec![7; 300_000]), Message::text("again")] {
        socket.send(message.clone()).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), message);
    }
    let figures = proxy.figures().await;
    let route = figures.route("kaia/dev/a.localhost").unwrap();
    assert_eq!((route.websockets, route.answers.informational), (1, 1));
    assert!(route.bytes_in > 300_000 && route.bytes_out > 300_000);
    assert_eq!(figures.in_flight_of(chat.address.port()), 1);
    socket.close(None).await.unwrap();
    drop(socket);
    proxy
        .until("the tunnel is gone", |f| f.routes[0].websockets == 0 && f.in_flight_of(chat.address.port()) == 0)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_outlives_the_removal_of_its_app_from_the_table() {
    let (old, new) = (websockets().await, App::named("new").await);
    let proxy = Proxy::start(vec![app("a.localhost", &[old.address])]);
    let mut socket = websocket(&proxy).await;
    proxy.serve(vec![app("a.localhost", &[new.address])]).await;
    assert_eq!(proxy.get("a.localhost", "/").await.body, "new");
    let figures = proxy.figures().await;
    assert_eq!(figures.in_flight_of(old.address.port()), 1, "{figures:#?}");
    assert!(figures.upstreams.iter().any(|u| u.address == old.address && !u.serving));
    socket.send(Message::text("still here")).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("still here"));
    drop(socket);
    proxy.until("the old app is drained", |f| f.upstreams.iter().all(|u| u.address != old.address)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tunnel_of_any_protocol_keeps_one_direction_open_when_the_other_ends() {
    let server = App::start(|mut request: Request<Incoming>| async move {
        tokio::spawn(async move {
            let mut io = TokioIo::new(hyper::upgrade::on(&mut request).await.unwrap());
            let mut all = Vec::new();
            io.read_to_end(&mut all).await.unwrap();
            all.reverse();
            io.write_all(&all).await.unwrap();
            io.shutdown().await.unwrap();
        });
        let mut response: Response<Body> = Response::new(Empty::new().boxed_unsync());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        response.headers_mut().insert("upgrade", "backwards".parse().unwrap());
        response.headers_mut().insert("connection", "upgrade".parse().unwrap());
        response
    })
    .await;
    let proxy = Proxy::start(vec![app("a.localhost", &[server.address])]);
    let mut socket = TcpStream::connect(proxy.address).await.unwrap();
    let head = "GET / HTTP/1.1\r\nHost: a.localhost\r\nConnection: keep-alive, Upgrade\r\nUpgrade: backwards\r\n\r\n";
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        assert_ne!(socket.read_buf(&mut answer).await.unwrap(), 0);
    }
    assert!(answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer));
    socket.write_all(b"stressed").await.unwrap();
    socket.shutdown().await.unwrap();
    let mut rest = String::new();
    socket.read_to_string(&mut rest).await.unwrap();
    assert_eq!(rest, "desserts");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_that_the_app_declines_is_an_ordinary_answer() {
    let plain = App::named("no").await;
    let proxy = Proxy::start(vec![app("a.localhost", &[plain.address])]);
    let head = "Connection: upgrade\r\nUpgrade: websocket\r\n";
    let told = proxy.send("GET", "a.localhost", "/", head, "").await;
    assert_eq!((told.status.as_u16(), told.body.as_str()), (200, "no"));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_event_arrives_when_it_happens() {
    let (happen, events) = tokio::sync::mpsc::unbounded_channel::<&'static str>();
    let events = Arc::new(std::sync::Mutex::new(Some(events)));
    let source = App::start(move |_| {
        let events = events.lock().unwrap().take().unwrap();
        async move {
            let stream = futures_util::stream::unfold(events, |mut events| async move {
                let event = events.recv().await?;
                Some((Ok(http_body::Frame::data(Bytes::from_static(event.as_bytes()))), events))
            });
            let mut response: Response<Body> = Response::new(StreamBody::new(stream).boxed_unsync());
            response.headers_mut().insert("content-type", "text/event-stream".parse().unwrap());
            response
        }
    })
    .await;
    let proxy = Proxy::start(vec![app("a.localhost", &[source.address])]);
    let mut socket = TcpStream::connect(proxy.address).await.unwrap();
    socket.write_all(b"GET / HTTP/1.1\r\nHost: a.localhost\r\n\r\n").await.unwrap();
    let mut seen = Vec::new();
    for event in ["data: one\n\n", "data: two\n\n", "data: three\n\n"] {
        happen.send(event).unwrap();
        // The next event happens only after this one was seen.
        tokio::time::timeout(Duration::from_secs(5), async {
            while !String::from_utf8_lossy(&seen).contains(event) {
                assert_ne!(socket.read_buf(&mut seen).await.unwrap(), 0);
            }
        })
        .await
        .expect("the event is held back");
    }
    drop(happen);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_is_as_fast_as_the_app_takes_it_and_no_faster() {
    const SIZE: u64 = 200 << 20;
    let (go, gate) = tokio::sync::watch::channel(false);
    let received = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&received);
    let sink = App::start(move |request: Request<Incoming>| {
        let (counted, mut gate) = (Arc::clone(&counted), gate.clone());
        async move {
            gate.wait_for(|open| *open).await.unwrap();
            let mut body = request.into_body();
            while let Some(frame) = body.frame().await {
                counted.fetch_add(frame.unwrap().into_data().map_or(0, |d| d.len() as u64), Ordering::SeqCst);
            }
            text("thanks")
        }
    })
    .await;
    let proxy = Proxy::start(vec![app("a.localhost", &[sink.address])]);
    let mut socket = TcpStream::connect(proxy.address).await.unwrap();
    let head = format!("POST / HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\nContent-Length: {SIZE}\r\n\r\n");
    socket.write_all(head.as_bytes()).await.unwrap();
    let chunk = vec![b'x'; 1 << 20];
    let sent = Arc::new(AtomicU64::new(0));
    let (mut reading, mut writing) = socket.into_split();
    let counting = Arc::clone(&sent);
    let sender = tokio::spawn(async move {
        let mut left = SIZE;
        while left > 0 {
            let n = writing.write(&chunk[..chunk.len().min(left as usize)]).await.unwrap() as u64;
            counting.fetch_add(n, Ordering::SeqCst);
            left -= n;
        }
        writing
    });
    // The app takes nothing yet: what is sent comes to rest at what sockets and buffers hold.
    let mut before = u64::MAX;
    loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let now = sent.load(Ordering::SeqCst);
        if now == before {
            break;
        }
        before = now;
    }
    assert!(before < 40 << 20, "{before} bytes were taken for an app that reads nothing");
    go.send(true).unwrap();
    let _writing = sender.await.unwrap();
    let mut answer = String::new();
    reading.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("thanks"), "{answer}");
    assert_eq!(received.load(Ordering::SeqCst), SIZE);
    assert_eq!(proxy.figures().await.routes[0].bytes_in, SIZE);
    assert!(peak_memory() < 150 << 20, "{} bytes at the peak", peak_memory());
}

/// Of this whole process: test, app and proxy.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_in_many_pieces_arrives_whole_and_its_connection_serves_again() {
    let pieces = App::start(|_| async {
        let parts = (0..500).map(|n| Ok(http_body::Frame::data(Bytes::from(vec![b'a' + (n % 26) as u8; 10_000]))));
        Response::new(StreamBody::new(futures_util::stream::iter(parts)).boxed_unsync())
    })
    .await;
    let proxy = Proxy::start(vec![app("a.localhost", &[pieces.address])]);
    let mut socket = TcpStream::connect(proxy.address).await.unwrap();
    for _ in 0..20 {
        socket.write_all(b"GET / HTTP/1.1\r\nHost: a.localhost\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n0\r\n\r\n") {
            assert_ne!(socket.read_buf(&mut answer).await.unwrap(), 0);
        }
        let letters = answer.windows(1).skip(200).filter(|w| w[0].is_ascii_lowercase()).count();
        assert!(letters >= 5_000_000 - 200, "{letters}");
    }
    assert_eq!(pieces.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_breaks_off_is_not_passed_on_as_whole() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let served = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&served);
    let (close, closed) = tokio::sync::watch::channel(false);
    let broken = tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            counted.fetch_add(1, Ordering::SeqCst);
            let mut head = [0; 1024];
            let _ = socket.read(&mut head).await;
            let _ = socket.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n").await;
            closed.clone().wait_for(|close| *close).await.unwrap();
        }
    });
    let proxy = Proxy::start(vec![app("a.localhost", &[address])]);
    let mut socket = TcpStream::connect(proxy.address).await.unwrap();
    socket.write_all(b"GET / HTTP/1.1\r\nHost: a.localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    while !String::from_utf8_lossy(&answer).contains("hello") {
        assert_ne!(socket.read_buf(&mut answer).await.unwrap(), 0);
    }
    close.send(true).unwrap();
    let _ = socket.read_to_end(&mut answer).await;
    broken.abort();
    assert!(!answer.ends_with(b"0\r\n\r\n"), "{}", String::from_utf8_lossy(&answer));
    assert_eq!(served.load(Ordering::SeqCst), 1, "an answer that has begun is not asked for again");
}
