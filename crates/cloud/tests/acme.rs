//! Orders from a real ACME server, whose challenges a real proxy answers.

#![allow(clippy::unwrap_used, reason = "also in what the tests share")]

mod support;

use std::{
    fs, io,
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use ambit_cloud::acme::{AcmeError, Authority, Challenges, Client};
use ambit_proxy::{
    certificates::Certificate,
    challenges,
    table::{Route, RouteState, RoutingTable, Target},
};
use support::Pebble;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::oneshot,
};

/// A proxy that serves some hosts, and its folder as the place for answers.
struct Served {
    folder: tempfile::TempDir,
    port: u16,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    fn start(hosts: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let route = Route {
            id: "kaia/prod/web".to_owned(),
            hosts: hosts.iter().map(|h| (*h).to_owned()).collect(),
            path: "/".to_owned(),
            target: Target::App { upstreams: Vec::new() },
            noindex: false,
            environment: "prod".to_owned(),
            https: Vec::new(),
            hsts: false,
            state: RouteState::Serving,
        };
        RoutingTable::new(vec![route]).store(&folder.path().join("routes.json")).unwrap();
        let mut config = ambit_proxy::Config::new(folder.path(), vec!["127.0.0.1:0".parse().unwrap()]);
        config.threads = 1;
        let prepared = ambit_proxy::Prepared::new(config).unwrap();
        let port = prepared.addresses()[0].port();
        let (stop, stopped) = oneshot::channel::<()>();
        let serve = move || {
            let stopped = async {
                let _ = stopped.await;
            };
            prepared.serve(stopped).unwrap();
        };
        Self { folder, port, stop: Some(stop), thread: Some(std::thread::spawn(serve)) }
    }

    fn left_behind(&self) -> usize {
        fs::read_dir(self.folder.path().join("challenges")).map_or(0, Iterator::count)
    }
}

impl Challenges for Served {
    fn answer(&self, token: &str, key_authorization: &str) -> io::Result<()> {
        challenges::answer(self.folder.path(), token, key_authorization)
    }

    fn forget(&self, token: &str) -> io::Result<()> {
        challenges::forget(self.folder.path(), token)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.stop.take());
        self.thread.take().unwrap().join().unwrap();
    }
}

fn authority(pebble: &Pebble) -> Authority {
    let roots = Some(fs::read_to_string(pebble.ca()).unwrap());
    Authority { directory: pebble.directory.clone(), contact: "lead@kaia.test".to_owned(), roots }
}

fn account() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("account.json");
    (folder, file)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_ordered_with_an_account_that_is_made_once() {
    let served = Served::start(&["kaia.test", "dev.kaia.test"]);
    let Some(pebble) = Pebble::start(served.port, 3600) else { return };
    let (_folder, file) = account();
    let mut orders = Vec::new();
    for host in ["kaia.test", "dev.kaia.test", "kaia.test"] {
        let client = Client::open(&authority(&pebble), &file).await.unwrap();
        let pem = client.order(host, &served).await.unwrap();
        let summary = Certificate::read(pem.as_bytes()).unwrap().summary;
        assert_eq!(summary.names, [host]);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
        assert!((3_000_000..=3_660_000).contains(&(summary.not_after - now)), "{summary:?}");
        assert!(summary.issuer.contains("Pebble"), "{summary:?}");
        assert_eq!(pem.matches("BEGIN CERTIFICATE").count(), 2, "with the chain");
        assert_eq!(served.left_behind(), 0);
        orders.push(pem);
    }
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(pebble.log().matches("accounts in memory").count(), 1, "one account: {}", pebble.log());
    assert_ne!(orders[0], orders[2], "a renewal has a key of its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_does_not_lead_here_gets_none_and_the_reason_is_told() {
    let served = Served::start(&["kaia.test"]);
    let Some(pebble) = Pebble::start(served.port, 3600) else { return };
    let (_folder, file) = account();
    let client = Client::open(&authority(&pebble), &file).await.unwrap();
    let error = client.order("stranger.test", &served).await.unwrap_err();
    let AcmeError::Unproved { host, detail } = &error else { panic!("{error}") };
    assert!(host == "stranger.test" && detail.contains("404"), "{error}");
    assert!(error.hint().unwrap().contains("port 80"));
    assert_eq!(served.left_behind(), 0, "answers are taken back after a failure too");
    let error = client.order("blocked.test", &served).await.unwrap_err();
    assert!(matches!(&error, AcmeError::Refused { detail } if detail.contains("blocked")), "{error}");
    assert!(client.order("kaia.test", &served).await.is_ok(), "and the account is still good");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_is_trusted_for_what_vouches_for_it_only() {
    let served = Served::start(&["kaia.test"]);
    let Some(pebble) = Pebble::start(served.port, 3600) else { return };
    let (_folder, file) = account();
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap().cert.pem();
    for roots in [None, Some(other)] {
        let error = Client::open(&Authority { roots, ..authority(&pebble) }, &file).await.err().unwrap();
        assert!(matches!(error, AcmeError::Unreachable { .. }), "{error}");
    }
    for roots in ["", "garbage", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let roots = Some(roots.to_owned());
        let error = Client::open(&Authority { roots, ..authority(&pebble) }, &file).await.err().unwrap();
        assert!(matches!(error, AcmeError::Roots { .. }), "{error}");
    }
    let plain = pebble.directory.replace("https:", "http:");
    let error = Client::open(&Authority { directory: plain, ..authority(&pebble) }, &file).await.err().unwrap();
    assert!(matches!(error, AcmeError::Unreachable { .. }), "never without TLS: {error}");
    assert!(!file.exists(), "no account was made");
    fs::write(&file, "{").unwrap();
    let error = Client::open(&authority(&pebble), &file).await.err().unwrap();
    assert!(matches!(error, AcmeError::File { what: "read", .. }), "{error}");
}

/// Answers HTTPS on loopback as told: the status line and headers, and the body, for a path.
async fn authority_that_says(answer: fn(&str, SocketAddr) -> (String, String)) -> Authority {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let pem = format!("{}{}", made.signing_key.serialize_pem(), made.cert.pem());
    let chain = rustls::pki_types::pem::PemObject::pem_slice_iter(pem.as_bytes()).collect::<Result<_, _>>().unwrap();
    let key = rustls::pki_types::pem::PemObject::from_pem_slice(pem.as_bytes()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        while let Ok((socket, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(socket).await else { continue };
            let mut head = Vec::new();
            while !head.windows(4).any(|w| w == b"\r\n\r\n") {
                if stream.read_buf(&mut head).await.unwrap_or(0) == 0 {
                    break;
                }
            }
            let head = String::from_utf8_lossy(&head).into_owned();
            let (head, body) = answer(head.split(' ').nth(1).unwrap_or_default(), address);
            let length = body.len();
            let text = format!(
                "HTTP/1.1 {head}Connection: close\r\nReplay-Nonce: n\r\nContent-Length: {length}\r\n\r\n{body}"
            );
            let _ = stream.write_all(text.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    let directory = format!("https://{address}/dir");
    Authority { directory, contact: "lead@kaia.test".to_owned(), roots: Some(made.cert.pem()) }
}

fn directory(address: SocketAddr) -> (String, String) {
    let at = |what: &str| format!("https://{address}/{what}");
    let body = serde_json::json!({ "newNonce": at("nonce"), "newAccount": at("account"), "newOrder": at("order") });
    ("200 OK\r\nContent-Type: application/json\r\n".to_owned(), body.to_string())
}

fn problem(status: &str, headers: &str, kind: &str, detail: &str) -> (String, String) {
    let body = serde_json::json!({ "type": format!("urn:ietf:params:acme:error:{kind}"), "detail": detail });
    (format!("{status}\r\nContent-Type: application/problem+json\r\n{headers}"), body.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_asks_for_patience_is_heard() {
    let limited = authority_that_says(|path, address| match path {
        "/dir" => directory(address),
        "/nonce" => ("200 OK\r\n".to_owned(), String::new()),
        _ => problem("429 Too Many Requests", "Retry-After: 7200\r\n", "rateLimited", "too many \u{1b}[31m orders"),
    })
    .await;
    let (_folder, file) = account();
    let error = Client::open(&limited, &file).await.err().unwrap();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7200)), "{error}");
    assert_eq!(error.to_string(), "the authority asks to wait: too many  [31m orders", "without what a terminal obeys");

    let by_date = authority_that_says(|path, address| match path {
        "/dir" => directory(address),
        "/nonce" => ("200 OK\r\n".to_owned(), String::new()),
        _ => problem("503 Busy", "Retry-After: Fri, 31 Dec 2100 23:59:59 GMT\r\n", "serverInternal", "later"),
    })
    .await;
    let error = Client::open(&by_date, &file).await.err().unwrap();
    assert!(error.retry_after().unwrap() > Duration::from_secs(86_400), "{error}");

    let down = authority_that_says(|_, _| ("502 Bad Gateway\r\n".to_owned(), "<html>".to_owned())).await;
    let error = Client::open(&down, &file).await.err().unwrap();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(matches!(error, AcmeError::Unreachable { .. }) && source.contains("502"), "{error}: {source}");
}
