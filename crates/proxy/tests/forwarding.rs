//! What an app gets, what a client gets back, and what neither should ever see.

#![allow(clippy::unwrap_used, reason = "also in what the tests share")]

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::{HeaderValue, Request};
use hyper::body::Incoming;
use support::{App, Proxy, Told, app, text};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

#[tokio::test(flavor = "multi_thread")]
async fn an_app_is_told_about_the_client_and_not_by_the_client() {
    let echo = App::echo().await;
    let proxy = Proxy::start(vec![app("a.localhost", &[echo.address])]);
    let told = proxy
        .send(
            "GET",
            "a.localhost:8080",
            "/",
            "X-Forwarded-For: 6.6.6.6\r\nX-FORWARDED-FOR: 7.7.7.7\r\nForwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\n\
             X-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Prefix: /evil\r\n\
             X-Forwarded-Anything: evil\r\nProxy: evil\r\nX-Request-Id: abc-1\r\n",
            "",
        )
        .await;
    let mut lines: Vec<&str> = told.body.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "",
            "GET /",
            "host: a.localhost:8080",
            "x-forwarded-for: 127.0.0.1",
            "x-forwarded-host: a.localhost:8080",
            "x-forwarded-proto: http",
            "x-request-id: abc-1",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn each_request_has_an_id_of_its_own() {
    let echo = App::echo().await;
    let proxy = Proxy::start(vec![app("a.localhost", &[echo.address])]);
    let mut ids = std::collections::HashSet::new();
    for headers in ["", "", "X-Request-Id: \x01\r\n", "X-Request-Id: a\r\nX-Request-Id: b\r\n"] {
        let told = proxy.send("GET", "a.localhost", "/", headers, "").await;
        if told.status == 400 {
            continue; // not a header at all
        }
        let id = told.body.lines().find_map(|l| l.strip_prefix("x-request-id: ")).unwrap().to_owned();
        assert!(id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{id}");
        assert!(ids.insert(id));
        assert_eq!(told.body.matches("x-request-id").count(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_of_one_hop_end_here_in_both_directions() {
    let echo = App::echo().await;
    let talkative = App::start(|_| async {
        let mut response = text("x");
        let headers = response.headers_mut();
        headers.insert("keep-alive", HeaderValue::from_static("timeout=5"));
        headers.insert("proxy-connection", HeaderValue::from_static("keep-alive"));
        headers.insert("connection", HeaderValue::from_static("x-inner, keep-alive"));
        headers.insert("x-inner", HeaderValue::from_static("secret"));
        headers.insert("x-outer", HeaderValue::from_static("open"));
        response
    })
    .await;
    let proxy = Proxy::start(vec![app("a.localhost", &[echo.address]), app("b.localhost", &[talkative.address])]);
    let answer = proxy
        .raw(
            "GET / HTTP/1.1\r\nHost: a.localhost\r\nConnection: close, X-Inner, Host\r\nConnection: te\r\nX-Inner: 1\r\n\
             TE: trailers\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\nProxy-Authorization: x\r\nUpgrade: h2c\r\n\
             HTTP2-Settings: AAA\r\nX-Outer: 1\r\n\r\n",
        )
        .await;
    let told = Told::read(&answer);
    let mut names: Vec<&str> = told.body.lines().skip(1).filter_map(|l| l.split_once(": ")).map(|(n, _)| n).collect();
    names.sort_unstable();
    let expected = ["host", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-outer", "x-request-id"];
    assert_eq!(names, expected);

    let told = proxy.get("b.localhost", "/").await;
    assert_eq!(told.header("x-outer"), Some("open"));
    for name in ["keep-alive", "proxy-connection", "x-inner"] {
        assert_eq!(told.header(name), None, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_can_be_understood_in_two_ways_is_refused() {
    let seen = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&seen);
    let one = App::start(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        async { text("smuggled") }
    })
    .await;
    let proxy = Proxy::start(vec![app("a.localhost", &[one.address])]);
    let chunked = "5\r\nhello\r\n0\r\n\r\n";
    for head in [
        "POST / HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: 15\r\nTransfer-Encoding: chunked\r\n",
        "POST / HTTP/1.1\r\nHost: a.localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 15\r\n",
        "POST / HTTP/1.1\r\nHost: a.localhost\r\ntransfer-encoding:chunked\r\ncontent-length:15\r\n",
        "POST / HTTP/1.1\r\nHost: a.localhost\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "POST / HTTP/1.1\r\nHost: a.localhost\r\nTransfer-Encoding: gzip, chunked\r\n",
        "POST / HTTP/1.1\r\nHost: a.localhost\r\nTransfer-Encoding: identity\r\n",
        "POST / HTTP/1.1\r\nHost: a.localhost\r\nTransfer-Encoding : chunked\r\n",
        "POST / HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n",
        "POST / HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: +5\r\n",
        "GET / HTTP/1.1\r\nHost: a.localhost\r\nHost: b.localhost\r\n",
        "GET / HTTP/1.1\r\n",
        "GET / HTTP/1.1\r\nHost: a.localhost\r\n X-Folded: x\r\n",
        "POST / HTTP/1.0\r\nHost: a.localhost\r\nTransfer-Encoding: chunked\r\n",
    ] {
        let answer = proxy.raw(format!("{head}\r\n{chunked}GET /second HTTP/1.1\r\nHost: a.localhost\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 400") || answer.is_empty(), "{head}: {answer}");
        assert_eq!(answer.matches("HTTP/1").count(), usize::from(!answer.is_empty()), "{answer}");
    }
    for (request, status) in [
        ("CONNECT a.localhost:80 HTTP/1.1\r\nHost: a.localhost\r\n\r\n", "405"),
        ("TRACE / HTTP/1.1\r\nHost: a.localhost\r\n\r\n", "405"),
        ("GET / HTTP/1.1\r\nHost: a.localhost\r\nExpect: miracles\r\n\r\n", "417"),
    ] {
        assert!(proxy.raw(request).await.starts_with(&format!("HTTP/1.1 {status}")), "{request}");
    }
    assert_eq!(seen.load(Ordering::SeqCst), 0, "nothing of it reached the app");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunked_body_that_speaks_of_lengths_is_no_smuggling() {
    let echo = App::echo().await;
    let proxy = Proxy::start(vec![app("a.localhost", &[echo.address])]);
    let part = "\r\nContent-Length: 5\r\n\r\nhello";
    let request = |close: &str| {
        format!(
            "POST /x HTTP/1.1\r\nHost: a.localhost\r\n{close}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{part}\r\n0\r\n\r\n",
            part.len()
        )
    };
    // One after the other on one connection, so that the second is looked at like the first.
    let mut socket = TcpStream::connect(proxy.address).await.unwrap();
    socket.write_all(request("").as_bytes()).await.unwrap();
    let mut first = Vec::new();
    while !String::from_utf8_lossy(&first).contains("hello") {
        assert_ne!(socket.read_buf(&mut first).await.unwrap(), 0, "{}", String::from_utf8_lossy(&first));
    }
    socket.write_all(request("Connection: close\r\n").as_bytes()).await.unwrap();
    let mut second = String::new();
    socket.read_to_string(&mut second).await.unwrap();
    assert!(second.starts_with("HTTP/1.1 200") && second.ends_with(part), "{second}");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_sent_ahead_are_answered_in_order() {
    let echo = App::echo().await;
    let proxy = Proxy::start(vec![app("a.localhost", &[echo.address])]);
    let many: String = (0..50)
        .map(|n| {
            let close = if n == 49 { "Connection: close\r\n" } else { "" };
            format!("POST /{n} HTTP/1.1\r\nHost: a.localhost\r\n{close}Content-Length: 4\r\n\r\nbody")
        })
        .collect();
    let answer = proxy.raw(many).await;
    let order: Vec<u32> =
        answer.lines().filter_map(|l| l.rsplit_once("POST /").and_then(|(_, n)| n.parse().ok())).collect();
    assert_eq!(order, (0..50).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_may_answer_before_it_has_read_everything() {
    let early = App::start(|_| async {
        let mut response = text("too large");
        *response.status_mut() = http::StatusCode::PAYLOAD_TOO_LARGE;
        response.headers_mut().insert("connection", HeaderValue::from_static("close"));
        response
    })
    .await;
    let proxy = Proxy::start(vec![app("a.localhost", &[early.address])]);
    let mut socket = TcpStream::connect(proxy.address).await.unwrap();
    socket.write_all(b"POST / HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: 1000000\r\n\r\nbegin").await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"too large") {
        let told = String::from_utf8_lossy(&answer).into_owned();
        assert_ne!(socket.read_buf(&mut answer).await.unwrap(), 0, "{told}");
    }
    assert!(answer.starts_with(b"HTTP/1.1 413"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_to_head_has_the_length_and_not_the_body() {
    let one = App::named("twelve bytes").await;
    let proxy = Proxy::start(vec![app("a.localhost", &[one.address])]);
    let told = proxy.send("HEAD", "a.localhost", "/", "", "").await;
    assert_eq!((told.status.as_u16(), told.header("content-length"), told.body.as_str()), (200, Some("12"), ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_http_1_0_gets_an_answer_it_understands() {
    let one = App::start(|_| async {
        use http_body_util::{BodyExt, StreamBody};
        let parts = ["a", "b"].map(|p| Ok(http_body::Frame::data(bytes::Bytes::from_static(p.as_bytes()))));
        http::Response::new(StreamBody::new(futures_util::stream::iter(parts)).boxed_unsync())
    })
    .await;
    let proxy = Proxy::start(vec![app("a.localhost", &[one.address])]);
    let told = Told::read(&proxy.raw("GET / HTTP/1.0\r\nHost: a.localhost\r\n\r\n").await);
    assert_eq!((told.header("transfer-encoding"), told.body.as_str()), (None, "ab"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_sent_only_after_it_was_asked_for() {
    let echo = App::echo().await;
    let proxy = Proxy::start(vec![app("a.localhost", &[echo.address])]);
    let mut socket = TcpStream::connect(proxy.address).await.unwrap();
    let head = "POST / HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n";
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut go = [0; 25];
    socket.read_exact(&mut go).await.unwrap();
    assert_eq!(&go, b"HTTP/1.1 100 Continue\r\n\r\n");
    socket.write_all(b"body").await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("\n\nbody"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_refuses_is_passed_over() {
    let one = App::named("alive").await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let proxy = Proxy::start(vec![app("a.localhost", &[free, one.address, free])]);
    for _ in 0..20 {
        assert_eq!(proxy.send("POST", "a.localhost", "/", "", "body").await.body, "alive");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_all_instances_are_down_the_client_is_told_to_come_back() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let proxy = Proxy::start(vec![app("a.localhost", &[free]), app("b.localhost", &[])]);
    for host in ["a.localhost", "b.localhost"] {
        let told = proxy.get(host, "/").await;
        assert_eq!(told.status, 503);
        assert_eq!(told.header("retry-after"), Some("2"));
        assert!(!told.body.contains("127.0.0.1") && !told.body.contains(&free.port().to_string()), "{}", told.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_instances_share_the_requests() {
    let (one, two) = (App::named("one").await, App::named("two").await);
    let proxy = Proxy::start(vec![app("a.localhost", &[one.address, two.address])]);
    let mut of_one = 0;
    for _ in 0..40 {
        of_one += usize::from(proxy.get("a.localhost", "/").await.body == "one");
    }
    assert!((10..=30).contains(&of_one), "{of_one} of 40 went to the first");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_talks_nonsense_is_a_bad_gateway() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let nonsense = tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut head = [0; 1024];
            let _ = socket.read(&mut head).await;
            let _ = socket.write_all(b"220 mail.internal.example ESMTP\r\n\r\n").await;
        }
    });
    let proxy = Proxy::start(vec![app("a.localhost", &[address])]);
    let told = proxy.get("a.localhost", "/").await;
    nonsense.abort();
    assert_eq!(told.status, 502);
    assert!(!told.body.contains("mail"), "{}", told.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_gives_its_length_in_two_ways_is_framed_anew() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let double = tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut head = [0; 1024];
            let _ = socket.read(&mut head).await;
            let answer =
                b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
            let _ = socket.write_all(answer).await;
        }
    });
    let proxy = Proxy::start(vec![app("a.localhost", &[address])]);
    let told = proxy.get("a.localhost", "/").await;
    double.abort();
    assert_eq!((told.header("content-length"), told.header("transfer-encoding")), (None, Some("chunked")));
    assert_eq!(told.body, "5\r\nhello\r\n0\r\n\r\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_fails_because_an_app_closes_its_idle_connections() {
    // Closes each connection after its first answer without saying so, as one does that is stopped between two requests.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let served = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&served);
    let rude = tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let counted = Arc::clone(&counted);
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.windows(4).any(|w| w == b"\r\n\r\n") {
                    if socket.read_buf(&mut head).await.unwrap_or(0) == 0 {
                        return;
                    }
                }
                counted.fetch_add(1, Ordering::SeqCst);
                let _ = socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
            });
        }
    });
    let proxy = Proxy::start(vec![app("a.localhost", &[address])]);
    let mut clients = Vec::new();
    for _ in 0..8 {
        let address = proxy.address;
        clients.push(tokio::spawn(async move {
            let mut socket = TcpStream::connect(address).await.unwrap();
            for n in 0..200 {
                socket.write_all(b"GET / HTTP/1.1\r\nHost: a.localhost\r\n\r\n").await.unwrap();
                let mut answer = Vec::new();
                while !answer.ends_with(b"\r\n\r\nok") {
                    let read = socket.read_buf(&mut answer).await.unwrap();
                    let told = String::from_utf8_lossy(&answer);
                    assert!(read > 0 && told.starts_with("HTTP/1.1 200"), "request {n}: {told}");
                }
            }
        }));
    }
    for client in clients {
        client.await.unwrap();
    }
    rude.abort();
    assert_eq!(served.load(Ordering::SeqCst), 1600, "and none was answered twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_with_a_body_is_never_sent_twice() {
    // Reads the request and closes without an answer: nobody knows whether it was done.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&seen);
    let app_task = tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let counted = Arc::clone(&counted);
            tokio::spawn(async move {
                let mut head = Vec::new();
                while socket.read_buf(&mut head).await.unwrap_or(0) > 0 {
                    if head.ends_with(b"pay") {
                        counted.fetch_add(1, Ordering::SeqCst);
                        return;
                    }
                    if head.starts_with(b"GET") && head.ends_with(b"\r\n\r\n") {
                        head.clear();
                        let _ = socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
                    }
                }
            });
        }
    });
    let proxy = Proxy::with(vec![app("a.localhost", &[address])], |_| {});
    for _ in 0..10 {
        // Leaves a connection behind that the next request uses again.
        assert_eq!(proxy.get("a.localhost", "/").await.status, 200);
        assert_eq!(proxy.send("POST", "a.localhost", "/", "", "pay").await.status, 502);
    }
    app_task.abort();
    assert_eq!(seen.load(Ordering::SeqCst), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_takes_its_request_along() {
    let (gone, is_gone) = tokio::sync::mpsc::unbounded_channel();
    let slow = App::start(move |_: Request<Incoming>| {
        struct Gone(tokio::sync::mpsc::UnboundedSender<()>);
        impl Drop for Gone {
            fn drop(&mut self) {
                let _ = self.0.send(());
            }
        }
        let gone = Gone(gone.clone());
        async move {
            let _gone = gone;
            std::future::pending::<()>().await;
            text("never")
        }
    })
    .await;
    // The fixture's app does not notice half-closed clients; ours closes entirely.
    let proxy = Proxy::start(vec![app("a.localhost", &[slow.address])]);
    let mut socket = TcpStream::connect(proxy.address).await.unwrap();
    socket.write_all(b"GET / HTTP/1.1\r\nHost: a.localhost\r\n\r\n").await.unwrap();
    proxy.until("the request is in flight", |f| f.in_flight_of(slow.address.port()) == 1).await;
    drop(socket);
    proxy.until("it is not any more", |f| f.in_flight_of(slow.address.port()) == 0).await;
    drop(slow);
    let mut is_gone = is_gone;
    tokio::time::timeout(Duration::from_secs(5), is_gone.recv()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_never_finishes_its_head_is_shown_the_door() {
    let one = App::named("one").await;
    let proxy = Proxy::with(vec![app("a.localhost", &[one.address])], |limits| limits.head = Duration::from_secs(1));
    let mut socket = TcpStream::connect(proxy.address).await.unwrap();
    socket.write_all(b"GET / HTTP/1.1\r\nHost: a.local").await.unwrap();
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(Duration::from_secs(10), socket.read_to_end(&mut rest)).await;
    assert!(closed.is_ok(), "the connection is still open");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_takes_too_long_is_a_gateway_timeout() {
    let slow = App::start(|_| async {
        std::future::pending::<()>().await;
        text("never")
    })
    .await;
    let proxy = Proxy::with(vec![app("a.localhost", &[slow.address])], |limits| limits.answer = Duration::from_secs(1));
    assert_eq!(proxy.get("a.localhost", "/").await.status, 504);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_is_too_large_is_refused() {
    let one = App::named("one").await;
    let proxy = Proxy::start(vec![app("a.localhost", &[one.address])]);
    let told = proxy.send("GET", "a.localhost", "/", &format!("X-Large: {}\r\n", "x".repeat(40 << 10)), "").await;
    assert_eq!(told.status, 431);
}
