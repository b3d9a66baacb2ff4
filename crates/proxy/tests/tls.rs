//! What clients get over TLS: the right certificate or none, and the same HTTP behind it.

#![allow(clippy::unwrap_used, reason = "also in what the tests share")]

mod support;

use std::{
    io,
    path::Path,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use ambit_proxy::{
    certificates::{self, Certificate, CertificateError},
    challenges, client,
    table::Route,
};
use futures_util::{SinkExt, StreamExt};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use support::{App, Proxy, Told, app, websockets};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, HandshakeKind, ProtocolVersion, RootCertStore, SupportedProtocolVersion,
        crypto::ring,
        pki_types::ServerName,
        version::{TLS12, TLS13},
    },
};
use tokio_tungstenite::tungstenite::Message;

/// An authority of the test's own.
struct Authority {
    root: rcgen::Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "test authority");
        Self { root: params.self_signed(&key).unwrap(), issuer: Issuer::new(params, key) }
    }

    /// Key and certificate.
    fn issue(&self, names: &[&str]) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>()).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (key.serialize_pem(), certificate.pem())
    }

    fn pem(&self, names: &[&str]) -> Vec<u8> {
        let (key, certificate) = self.issue(names);
        format!("{key}{certificate}").into_bytes()
    }

    fn client(&self, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.der().clone()).unwrap();
        ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth()
    }

    fn connector(&self) -> TlsConnector {
        TlsConnector::from(Arc::new(self.client(&[&TLS12, &TLS13])))
    }
}

async fn connect(proxy: &Proxy, connector: &TlsConnector, host: &str) -> io::Result<TlsStream<TcpStream>> {
    let socket = TcpStream::connect(proxy.secure).await?;
    connector.connect(ServerName::try_from(host.to_owned()).unwrap(), socket).await
}

async fn ask(stream: &mut TlsStream<TcpStream>, host: &str, path: &str) -> Told {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    Told::read(&String::from_utf8_lossy(&answer))
}

/// The names in the certificate that a client is shown.
fn shown(stream: &TlsStream<TcpStream>) -> Vec<String> {
    let chain = stream.get_ref().1.peer_certificates().unwrap();
    let pem = openssl(&["x509", "-inform", "der", "-noout", "-ext", "subjectAltName"], &chain[0]);
    pem.split("DNS:").skip(1).map(|n| n.trim().trim_end_matches(',').to_owned()).collect()
}

fn openssl(arguments: &[&str], input: &[u8]) -> String {
    use std::io::Write;
    let mut child = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn store(folder: &Path, name: &str, pem: &[u8]) {
    certificates::store(folder, name, pem).unwrap();
}

/// A proxy with these certificates.
fn proxy(routes: Vec<Route>, files: &[(&str, Vec<u8>)]) -> Proxy {
    let folder = tempfile::tempdir().unwrap();
    for (name, pem) in files {
        store(folder.path(), name, pem);
    }
    Proxy::on(folder, routes, |_| {})
}

#[tokio::test(flavor = "multi_thread")]
async fn each_host_gets_the_certificate_made_out_to_it_and_the_app_learns_of_https() {
    let (authority, echo) = (Authority::new(), App::echo().await);
    let proxy = proxy(
        vec![app("kaia.test", &[echo.address]), app("dev.kaia.test", &[echo.address])],
        &[
            ("kaia.test", authority.pem(&["kaia.test", "www.kaia.test"])),
            ("*.kaia.test", authority.pem(&["*.kaia.test"])),
            ("other.test", authority.pem(&["other.test"])),
        ],
    );
    let connector = authority.connector();
    for (host, names) in [
        ("kaia.test", vec!["kaia.test", "www.kaia.test"]),
        ("www.kaia.test", vec!["kaia.test", "www.kaia.test"]),
        ("dev.kaia.test", vec!["*.kaia.test"]),
        ("other.test", vec!["other.test"]),
    ] {
        assert_eq!(shown(&connect(&proxy, &connector, host).await.unwrap()), names, "{host}");
    }
    let told = ask(&mut connect(&proxy, &connector, "kaia.test").await.unwrap(), "kaia.test", "/a?b").await;
    assert!(told.body.starts_with("GET /a?b\n"), "{}", told.body);
    assert!(told.body.contains("x-forwarded-proto: https\n"), "{}", told.body);
    assert!(proxy.get("kaia.test", "/").await.body.contains("x-forwarded-proto: http\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_a_name_without_a_certificate_or_for_none_is_refused_and_learns_nothing() {
    let authority = Authority::new();
    let proxy = proxy(Vec::new(), &[("kaia.test", authority.pem(&["kaia.test"]))]);
    let connector = authority.connector();
    for host in ["stranger.test", "a.kaia.test", "kaia.tes", "127.0.0.1"] {
        let refused = connect(&proxy, &connector, host).await.map(drop).unwrap_err().to_string();
        assert!(!refused.contains("kaia.test"), "{refused}");
        assert!(refused.contains("received fatal alert"), "{host}: {refused}");
    }
    assert!(connect(&proxy, &connector, "KAIA.test").await.is_ok(), "in any case of letters");
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_1_2_and_1_3_are_spoken_sessions_resume_and_http_2_is_not_offered() {
    let authority = Authority::new();
    let proxy = proxy(Vec::new(), &[("kaia.test", authority.pem(&["kaia.test"]))]);
    for (version, number) in [(&TLS12, ProtocolVersion::TLSv1_2), (&TLS13, ProtocolVersion::TLSv1_3)] {
        let mut config = authority.client(&[version]);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let connector = TlsConnector::from(Arc::new(config));
        let mut kinds = Vec::new();
        // Enough for each worker to be met: a session that began with one resumes with any.
        for _ in 0..8 {
            let mut stream = connect(&proxy, &connector, "kaia.test").await.unwrap();
            assert_eq!(ask(&mut stream, "kaia.test", "/").await.status, 404);
            let session = stream.get_ref().1;
            assert_eq!(session.protocol_version(), Some(number));
            assert_eq!(session.alpn_protocol(), Some(&b"http/1.1"[..]));
            kinds.push(session.handshake_kind().unwrap());
        }
        assert_eq!(kinds[0], HandshakeKind::Full);
        assert!(kinds[1..].iter().all(|k| *k == HandshakeKind::Resumed), "{kinds:?}");
    }
    let old = Command::new("openssl")
        .args(["s_client", "-connect", &proxy.secure.to_string(), "-servername", "kaia.test", "-tls1_1"])
        .args(["-cipher", "ALL:@SECLEVEL=0"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&old.stdout), String::from_utf8_lossy(&old.stderr));
    assert!(!old.status.success() && said.contains("SSL alert number"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_and_openssl_agree_that_it_is_tls() {
    let (authority, one) = (Authority::new(), App::named("one").await);
    let proxy = proxy(vec![app("kaia.test", &[one.address])], &[("kaia.test", authority.pem(&["kaia.test"]))]);
    let root = proxy.path().join("root.pem");
    std::fs::write(&root, authority.root.pem()).unwrap();
    let (port, url) = (proxy.secure.port(), format!("https://kaia.test:{}/", proxy.secure.port()));
    let curl = tokio::process::Command::new("curl")
        .args(["--silent", "--show-error", "--fail", "--noproxy", "*", "--cacert", root.to_str().unwrap()])
        .args(["--resolve", &format!("kaia.test:{port}:127.0.0.1"), &url])
        .output()
        .await
        .unwrap();
    assert!(curl.status.success(), "{}", String::from_utf8_lossy(&curl.stderr));
    assert_eq!(curl.stdout, b"one");
    let verified = tokio::process::Command::new("openssl")
        .args(["s_client", "-connect", &proxy.secure.to_string(), "-servername", "kaia.test"])
        .args(["-verify_return_error", "-verify_hostname", "kaia.test", "-CAfile", root.to_str().unwrap()])
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    assert!(String::from_utf8_lossy(&verified.stdout).contains("Verify return code: 0 (ok)"));
}

#[tokio::test(flavor = "multi_thread")]
async fn websockets_and_large_bodies_pass_and_are_counted() {
    let (authority, chat) = (Authority::new(), websockets().await);
    let upload = App::start(|request| async move {
        use http_body_util::BodyExt;
        support::text(request.into_body().collect().await.unwrap().to_bytes().len().to_string())
    })
    .await;
    let proxy = proxy(
        vec![app("a.test", &[chat.address]), app("b.test", &[upload.address])],
        &[("a.test", authority.pem(&["a.test", "b.test"]))],
    );
    let stream = connect(&proxy, &authority.connector(), "a.test").await.unwrap();
    let (mut socket, _) = tokio_tungstenite::client_async("ws://a.test/chat", stream).await.unwrap();
    for message in [Message::text("hello"), Message::binary(vec![7; 300_000])] {
        socket.send(message.clone()).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), message);
    }
    let figures = proxy.figures().await;
    assert!(figures.route("kaia/dev/a.test").unwrap().bytes_in > 300_000);
    socket.close(None).await.unwrap();
    drop(socket);
    proxy.until("the tunnel is gone", |f| f.routes[0].websockets == 0 && f.connections == 0).await;

    let mut stream = connect(&proxy, &authority.connector(), "b.test").await.unwrap();
    let head = "POST / HTTP/1.1\r\nHost: b.test\r\nConnection: close\r\nContent-Length: 30000000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    for _ in 0..30 {
        stream.write_all(&vec![b'x'; 1_000_000]).await.unwrap();
    }
    stream.flush().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("30000000"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_and_tables_change_under_load_without_a_failed_request() {
    let authority = Authority::new();
    let one = App::named("version").await;
    let proxy = proxy(vec![app("a.test", &[one.address])], &[("a.test", authority.pem(&["a.test"]))]);
    let stop = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicUsize::new(0));
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..6 {
        let (connector, address) = (authority.connector(), proxy.secure);
        let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
        clients.spawn(async move {
            let connect = || async {
                let socket = TcpStream::connect(address).await.unwrap();
                connector.connect(ServerName::try_from("a.test").unwrap(), socket).await.unwrap()
            };
            let mut stream = connect().await;
            while !stop.load(Ordering::Relaxed) {
                if client % 2 == 0 {
                    stream = connect().await;
                }
                stream.write_all(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").await.unwrap();
                let mut answer = Vec::new();
                while !answer.ends_with(b"version") {
                    let n = stream.read_buf(&mut answer).await.unwrap();
                    let told = String::from_utf8_lossy(&answer);
                    assert!(n > 0 && told.starts_with("HTTP/1.1 200"), "{told}");
                }
                answered.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let mut last = Vec::new();
    for round in 0..20 {
        last = authority.pem(&["a.test", &format!("round-{round}.test")]);
        store(proxy.path(), "a.test", &last);
        proxy.serve(vec![app("a.test", &[one.address])]).await;
        let so_far = answered.load(Ordering::Relaxed);
        while answered.load(Ordering::Relaxed) < so_far + 20 {
            assert!(clients.try_join_next().is_none(), "a client failed");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    stop.store(true, Ordering::Relaxed);
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
    let stream = connect(&proxy, &authority.connector(), "a.test").await.unwrap();
    assert_eq!(shown(&stream), Certificate::read(&last).unwrap().summary.names);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_file_leaves_the_one_before_in_force_and_the_others_alone() {
    let authority = Authority::new();
    let (first, second) = (authority.pem(&["a.test"]), authority.pem(&["b.test"]));
    let proxy = proxy(Vec::new(), &[("a.test", first), ("b.test", second)]);
    let file = proxy.path().join("certificates/a.test.pem");
    let (key, _) = authority.issue(&["a.test"]);
    let (_, certificate) = authority.issue(&["a.test"]);
    for broken in [String::new(), "garbage".to_owned(), format!("{key}{certificate}"), certificate] {
        std::fs::write(&file, &broken).unwrap();
        store(proxy.path(), "c.test", &authority.pem(&["c.test"]));
        client::reload(proxy.path()).await.unwrap();
        for host in ["a.test", "b.test", "c.test"] {
            assert!(connect(&proxy, &authority.connector(), host).await.is_ok(), "{host} with {broken:?}");
        }
        let served = client::health(proxy.path()).await.unwrap().certificates;
        assert_eq!(served.iter().filter(|c| c.problem.is_some()).map(|c| &*c.name).collect::<Vec<_>>(), ["a.test"]);
        assert!(served.iter().all(|c| c.certificate.is_some()));
    }
    certificates::remove(proxy.path(), "a.test").unwrap();
    client::reload(proxy.path()).await.unwrap();
    assert!(connect(&proxy, &authority.connector(), "a.test").await.is_err(), "what is gone is no longer served");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_starts_with_a_broken_certificate_and_serves_the_rest() {
    let authority = Authority::new();
    let folder = tempfile::tempdir().unwrap();
    store(folder.path(), "a.test", &authority.pem(&["a.test"]));
    std::fs::write(folder.path().join("certificates/b.test.pem"), "-----BEGIN CERTIFICATE-----\n!").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", folder.path().join("certificates/c.test.pem")).unwrap();
    let proxy = Proxy::on(folder, Vec::new(), |_| {});
    assert!(connect(&proxy, &authority.connector(), "a.test").await.is_ok());
    let served = client::health(proxy.path()).await.unwrap().certificates;
    assert_eq!(
        served.iter().map(|c| (&*c.name, c.problem.is_some())).collect::<Vec<_>>(),
        [("a.test", false), ("b.test", true)]
    );
}

#[test]
fn what_cannot_be_served_is_not_taken() {
    let authority = Authority::new();
    let folder = tempfile::tempdir().unwrap();
    let (key, certificate) = authority.issue(&["a.test"]);
    let (other, _) = authority.issue(&["a.test"]);
    let taken = |pem: String| certificates::store(folder.path(), "a.test", pem.as_bytes());
    assert!(matches!(taken(certificate.clone()), Err(CertificateError::NoKey)));
    assert!(matches!(taken(key.clone()), Err(CertificateError::NoCertificate)));
    assert!(matches!(taken(format!("{other}{certificate}")), Err(CertificateError::Mismatch)));
    assert!(matches!(taken(String::new()), Err(CertificateError::NoCertificate)));
    // The issuer's certificate first, as some people concatenate.
    assert!(taken(format!("{key}{}{certificate}", authority.root.pem())).is_err());
    let nameless = CertificateParams::new([]).unwrap();
    let own = KeyPair::generate().unwrap();
    let nameless = nameless.signed_by(&own, &authority.issuer).unwrap();
    assert!(matches!(taken(format!("{}{}", own.serialize_pem(), nameless.pem())), Err(CertificateError::NoNames)));
    let encrypted = openssl(&["pkcs8", "-topk8", "-passout", "pass:x"], key.as_bytes());
    assert!(matches!(taken(format!("{encrypted}{certificate}")), Err(CertificateError::NoKey)));
    assert!(certificates::list(folder.path()).unwrap().is_empty());
    certificates::remove(folder.path(), "a.test").unwrap();
    assert!(matches!(
        certificates::store(folder.path(), "../a", format!("{key}{certificate}").as_bytes()),
        Err(CertificateError::Name(_))
    ));
    let summary = taken(format!("{certificate}{}{key}", authority.root.pem())).unwrap().summary;
    assert_eq!((summary.names, summary.issuer), (vec!["a.test".to_owned()], "test authority".to_owned()));
    let listed = certificates::list(folder.path()).unwrap();
    assert_eq!(listed.iter().map(|l| &*l.name).collect::<Vec<_>>(), ["a.test"]);
    let file = folder.path().join("certificates/a.test.pem");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn the_usual_kinds_of_keys_are_understood() {
    let folder = tempfile::tempdir().unwrap();
    for kind in [
        &["rsa:2048"][..],
        &["ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
        &["ec", "-pkeyopt", "ec_paramgen_curve:P-384"],
        &["ed25519"],
    ] {
        let at = |name: &str| folder.path().join(name).display().to_string();
        let made = Command::new("openssl")
            .args(["req", "-x509", "-nodes", "-subj", "/CN=x", "-addext", "subjectAltName=DNS:A.test"])
            .args(["-days", "10", "-keyout", &at("key"), "-out", &at("certificate"), "-newkey"])
            .args(kind)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mut pem = std::fs::read(at("key")).unwrap();
        pem.extend(std::fs::read(at("certificate")).unwrap());
        let summary = Certificate::read(&pem).unwrap().summary;
        assert_eq!(summary.names, ["a.test"], "{kind:?}");
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as i64;
        assert!((9 * 86_400_000..=10 * 86_400_000).contains(&(summary.not_after - now)), "{summary:?}");
    }
    // The older forms, "RSA PRIVATE KEY" and "EC PRIVATE KEY".
    let rsa = openssl(&["genrsa", "-traditional", "2048"], b"");
    assert!(rsa.contains("RSA PRIVATE KEY"));
    assert!(matches!(Certificate::read(rsa.as_bytes()), Err(CertificateError::NoCertificate)));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_shake_hands_is_cut_and_keeps_nobody_out() {
    let authority = Authority::new();
    let folder = tempfile::tempdir().unwrap();
    store(folder.path(), "a.test", &authority.pem(&["a.test"]));
    let proxy = Proxy::on(folder, Vec::new(), |limits| {
        limits.handshake = Duration::from_secs(3);
        limits.handshakes = 4;
    });
    // More than the bound of both workers together: the oldest have to go at once.
    let mut silent = Vec::new();
    for _ in 0..40 {
        silent.push(TcpStream::connect(proxy.secure).await.unwrap());
    }
    proxy.until("the oldest are cut", |f| f.connections == 8).await;
    let start = std::time::Instant::now();
    assert!(connect(&proxy, &authority.connector(), "a.test").await.is_ok());
    assert!(start.elapsed() < Duration::from_secs(3), "an honest client does not wait for them");
    proxy.until("the rest have run out of time", |f| f.connections == 0).await;
    // Not TLS at all.
    let mut plain = TcpStream::connect(proxy.secure).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_nothing_is_given_up() {
    let authority = Authority::new();
    let endless = App::start(|_| async {
        use http_body_util::{BodyExt, StreamBody};
        let chunk = || Ok(http_body::Frame::data(bytes::Bytes::from(vec![b'x'; 64 << 10])));
        http::Response::new(StreamBody::new(futures_util::stream::repeat_with(chunk)).boxed_unsync())
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    store(folder.path(), "a.test", &authority.pem(&["a.test"]));
    let proxy = Proxy::on(folder, vec![app("a.test", &[endless.address])], |limits| {
        limits.stalled = Duration::from_secs(1);
    });
    let mut stream = connect(&proxy, &authority.connector(), "a.test").await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").await.unwrap();
    proxy.until("it is being served", |f| f.routes[0].in_flight == 1 && f.routes[0].bytes_out > 0).await;
    proxy.until("it was given up", |f| f.routes[0].in_flight == 0 && f.connections == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_flight_finishes_before_a_stop() {
    let authority = Authority::new();
    let slow = App::start(|_| async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        support::text("finished")
    })
    .await;
    let mut proxy = proxy(vec![app("a.test", &[slow.address])], &[("a.test", authority.pem(&["a.test"]))]);
    let mut stream = connect(&proxy, &authority.connector(), "a.test").await.unwrap();
    let _silent = TcpStream::connect(proxy.secure).await.unwrap();
    let asked = tokio::spawn(async move { ask(&mut stream, "a.test", "/").await });
    proxy.until("it is in flight", |f| f.routes[0].in_flight == 1 && f.connections == 2).await;
    proxy.tell_to_stop();
    assert_eq!(asked.await.unwrap().body, "finished");
    proxy.ended().await.unwrap();
}

fn secured(host: &str, local: &str, one: &App) -> Route {
    let mut route = app(host, &[one.address]);
    route.hosts.push(local.to_owned());
    route.https = vec![host.to_owned()];
    route.hsts = true;
    route
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_requests_are_sent_on_with_path_and_query_where_the_table_says_so() {
    let (authority, one) = (Authority::new(), App::named("one").await);
    let proxy = proxy(
        vec![secured("a.test", "a.localhost", &one), app("b.test", &[one.address])],
        &[("a.test", authority.pem(&["a.test", "a.localhost", "b.test"]))],
    );
    let port = proxy.secure.port();
    for (method, host) in [("GET", "a.test"), ("POST", "A.Test.:8080"), ("DELETE", "a.test:80")] {
        let told = proxy.send(method, host, "/x/../y?z=%20&a=//b", "", "").await;
        assert_eq!(told.status, 308, "{method} {host}");
        assert_eq!(told.header("location"), Some(&*format!("https://a.test:{port}/x/../y?z=%20&a=//b")));
        assert_eq!(told.header("strict-transport-security"), None, "never over a plain connection");
    }
    for host in ["a.localhost", "b.test"] {
        let told = proxy.get(host, "/").await;
        assert_eq!((told.status.as_u16(), &*told.body), (200, "one"), "{host}");
    }
    for (host, hsts) in [("a.test", Some("max-age=31536000")), ("a.localhost", None), ("b.test", None)] {
        let told = ask(&mut connect(&proxy, &authority.connector(), host).await.unwrap(), host, "/").await;
        assert_eq!((told.status.as_u16(), told.header("strict-transport-security")), (200, hsts), "{host}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn challenges_are_answered_on_plain_connections_for_hosts_of_the_table() {
    let (authority, one) = (Authority::new(), App::named("one").await);
    let mut below = app("c.test", &[one.address]);
    below.path = "/docs".to_owned();
    let proxy = proxy(vec![secured("a.test", "a.localhost", &one), below], &[("a.test", authority.pem(&["a.test"]))]);
    challenges::answer(proxy.path(), "to-ken_1", "to-ken_1.thumbprint").unwrap();
    let path = "/.well-known/acme-challenge/to-ken_1";
    for host in ["a.test", "A.TEST:80", "a.localhost", "c.test"] {
        let told = proxy.get(host, path).await;
        assert_eq!((told.status.as_u16(), &*told.body), (200, "to-ken_1.thumbprint"), "{host}");
        assert_eq!(told.header("content-type"), Some("application/octet-stream"));
    }
    assert_eq!(proxy.get("stranger.test", path).await.status, 404);
    let over_tls = ask(&mut connect(&proxy, &authority.connector(), "a.test").await.unwrap(), "a.test", path).await;
    assert_eq!(over_tls.body, "one", "the app may do as it likes there");
    // Neither an answer nor a way out of the folder; and never sent on to HTTPS.
    for token in
        ["other", "", "..", "../routes.json", "..%2froutes.json", "%2e%2e%2froutes.json", ".to-ken_1.new", "a/b"]
    {
        let told = proxy.get("a.test", &format!("/.well-known/acme-challenge/{token}")).await;
        assert_eq!((told.status.as_u16(), &*told.body), (200, "one"), "{token}");
    }
    for bad in ["", "..", "a/b", "a.b", "a b", &"x".repeat(300)] {
        assert!(challenges::answer(proxy.path(), bad, "x").is_err(), "{bad}");
    }
    challenges::forget(proxy.path(), "to-ken_1").unwrap();
    challenges::forget(proxy.path(), "to-ken_1").unwrap();
    assert_eq!(proxy.get("a.test", path).await.body, "one");
    challenges::answer(proxy.path(), "to-ken_1", "again").unwrap();
    assert_eq!(proxy.get("a.test", path).await.body, "again");
    challenges::forget_all(proxy.path()).unwrap();
    assert_eq!(proxy.get("a.test", path).await.body, "one");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_smuggled_length_is_refused_over_tls_too() {
    let (authority, one) = (Authority::new(), App::named("one").await);
    let proxy = proxy(vec![app("a.test", &[one.address])], &[("a.test", authority.pem(&["a.test"]))]);
    let mut stream = connect(&proxy, &authority.connector(), "a.test").await.unwrap();
    let both = b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    stream.write_all(both).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
}
