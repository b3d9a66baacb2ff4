//! TLS as a person sets it up: with certificates of one's own, and with those of a real authority.

#![allow(clippy::unwrap_used)] // A test may panic.

#[path = "../../cloud/tests/support/mod.rs"]
mod authority;
mod support;

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use authority::Pebble;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use support::{Machine, free_port, until};

/// A project of files with a public domain.
fn shop(machine: &mut Machine, tls: &str) -> PathBuf {
    let project = machine.project("shop", &["dev", "prod"]);
    fs::create_dir(project.join("web")).unwrap();
    fs::write(project.join("web/index.html"), "<p>%AMBIT_ENVIRONMENT%</p>").unwrap();
    let text = format!(
        "project = \"shop\"\ndomain = \"shop.test\"\n[environments.dev]\n[environments.prod]\n\
         [services.web]\nstatic = \"web\"\nurl = {{ dev = \"dev.@\", prod = [\"@\", \"blocked.test\"] }}\n{tls}"
    );
    fs::write(project.join("ambit.toml"), text).unwrap();
    project
}

fn up(machine: &Machine, project: &Path) -> String {
    let (plain, tls) = (format!("127.0.0.1:{}", machine.port), format!("127.0.0.1:{}", machine.tls));
    machine.ok(project, &["up", "--listen", &plain, "--listen-tls", &tls])
}

/// Head and body of an answer over TLS, or why there is none.
fn https(machine: &Machine, root: &Path, host: &str) -> Result<String, String> {
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--include", "--noproxy", "*", "--cacert"])
        .arg(root)
        .args(["--resolve", &format!("{host}:{}:127.0.0.1", machine.tls)])
        .arg(format!("https://{host}:{}/", machine.tls))
        .output()
        .unwrap();
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).to_lowercase());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}

/// What a client is shown.
fn serial(machine: &Machine, host: &str) -> Option<String> {
    let shown = Command::new("openssl")
        .args(["s_client", "-connect", &format!("127.0.0.1:{}", machine.tls), "-servername", host])
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    let certificate = format!("-----BEGIN{}", text.split_once("-----BEGIN")?.1);
    let file = machine.folder.path().join("shown.pem");
    fs::write(&file, certificate).unwrap();
    let serial = Command::new("openssl").args(["x509", "-noout", "-serial", "-in"]).arg(&file).output().unwrap();
    Some(String::from_utf8_lossy(&serial.stdout).trim().to_owned())
}

fn list(machine: &Machine, project: &Path) -> serde_json::Value {
    serde_json::from_str(&machine.ok(project, &["certificate", "list", "--json"])).unwrap()
}

fn of<'a>(list: &'a serde_json::Value, host: &str) -> &'a serde_json::Value {
    list["certificates"].as_array().unwrap().iter().find(|c| c["host"] == host).unwrap_or(&serde_json::Value::Null)
}

struct Made {
    folder: tempfile::TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Made {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.distinguished_name.push(DnType::CommonName, "test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        fs::write(folder.path().join("root.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        Self { folder, issuer: Issuer::new(params, key) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes NAME.pem and NAME.key.
    fn make(&self, name: &str, hosts: &[&str], change: impl FnOnce(&mut CertificateParams)) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(hosts.iter().map(|h| (*h).to_owned()).collect::<Vec<_>>()).unwrap();
        change(&mut params);
        fs::write(self.path(&format!("{name}.pem")), params.signed_by(&key, &self.issuer).unwrap().pem()).unwrap();
        fs::write(self.path(&format!("{name}.key")), key.serialize_pem()).unwrap();
    }

    fn add(&self, machine: &Machine, project: &Path, host: &str, cert: &str, key: &str) -> (Option<i32>, String) {
        let (cert, key) = (self.path(cert).display().to_string(), self.path(key).display().to_string());
        let output = machine.ambit(project, &["certificate", "add", host, "--cert", &cert, "--key", &key]);
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

#[test]
fn certificates_of_ones_own_are_looked_at_served_and_taken_back() {
    let mut machine = Machine::new();
    let project = shop(&mut machine, "");
    let made = Made::new();
    let root = made.path("root.pem");
    made.make("early", &["early.test"], |_| {});
    assert_eq!(made.add(&machine, &project, "early.test", "early.pem", "early.key").0, Some(0), "before anything runs");
    up(&machine, &project);
    assert!(https(&machine, &root, "early.test").unwrap().starts_with("http/1.1 404"));

    // The proxy takes TLS elsewhere, and nobody is refused meanwhile.
    machine.tls = free_port();
    std::thread::scope(|scope| {
        let moving = scope.spawn(|| up(&machine, &project));
        while !moving.is_finished() {
            assert!(machine.get("shop.test", "/").starts_with("HTTP/1.1 200"));
        }
    });
    assert!(https(&machine, &root, "early.test").unwrap().starts_with("http/1.1 404"));
    assert!(https(&machine, &root, "shop.test").is_err(), "there is no certificate yet");
    let missing = list(&machine, &project);
    assert_eq!(
        (&of(&missing, "shop.test")["source"], &of(&missing, "shop.test")["certificate"]),
        (&serde_json::json!("none"), &serde_json::Value::Null)
    );
    assert!(machine.get("shop.test", "/").starts_with("HTTP/1.1 200"), "plain as before");

    made.make("good", &["shop.test", "shop.localhost"], |_| {});
    made.make("other", &["other.test"], |_| {});
    made.make("expired", &["shop.test"], |p| {
        p.not_before = rcgen::date_time_ymd(2020, 1, 1);
        p.not_after = rcgen::date_time_ymd(2021, 1, 1);
    });
    fs::write(made.path("garbage.pem"), [0xff, 0xfe, 0]).unwrap();
    for (cert, key, why) in [
        ("good.pem", "other.key", "the private key does not belong to the certificate"),
        ("other.pem", "other.key", "it is made out to other.test"),
        ("expired.pem", "expired.key", "it has expired"),
        ("garbage.pem", "good.key", "it has to be PEM"),
        ("missing.pem", "good.key", "cannot read"),
    ] {
        let (code, said) = made.add(&machine, &project, "shop.test", cert, key);
        assert!(code == Some(1) && said.contains(why), "{cert} {key}: {code:?} {said}");
    }
    assert_eq!(made.add(&machine, &project, "shop.test", "good.pem", "good.key").0, Some(0));

    let page = https(&machine, &root, "shop.test").unwrap();
    assert!(page.contains("<p>prod</p>") && page.contains("strict-transport-security: max-age=31536000"), "{page}");
    let plain = machine.get("shop.test", "/x?y=1");
    assert!(plain.starts_with("HTTP/1.1 308"), "{plain}");
    assert!(plain.contains(&format!("location: https://shop.test:{}/x?y=1", machine.tls)), "{plain}");
    for host in ["dev.shop.test", "shop.localhost", "blocked.test"] {
        assert!(machine.get(host, "/").starts_with("HTTP/1.1 200"), "{host} has no certificate, or is of this machine");
    }
    assert!(https(&machine, &root, "dev.shop.test").is_err());
    assert!(!https(&machine, &root, "shop.localhost").unwrap().contains("strict-transport"));
    made.make("dev", &["*.shop.test"], |_| {});
    assert_eq!(made.add(&machine, &project, "*.shop.test", "dev.pem", "dev.key").0, Some(0));
    let page = https(&machine, &root, "dev.shop.test").unwrap();
    assert!(page.contains("<p>dev</p>") && !page.contains("strict-transport"), "{page}");

    let listed = list(&machine, &project);
    assert_eq!(of(&listed, "shop.test")["source"], "file");
    assert_eq!(of(&listed, "*.shop.test")["trouble"], serde_json::Value::Null);
    assert!(of(&listed, "dev.shop.test").is_null(), "the wildcard is for it");
    let screen = machine.ok(&project, &["certificate", "list"]);
    assert!(screen.contains("*.shop.test") && screen.contains("blocked.test"), "{screen}");
    let log = machine.ok(&project, &["log"]);
    assert!(log.contains("certificate.added"), "{log}");

    machine.ok(&project, &["certificate", "remove", "shop.test"]);
    assert!(machine.get("shop.test", "/").starts_with("HTTP/1.1 200"), "not sent to where nothing is");
    assert!(https(&machine, &root, "shop.test").is_err());
    let gone = machine.ambit(&project, &["certificate", "remove", "shop.test"]);
    assert_eq!(gone.status.code(), Some(6));
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let moved = machine.ambit(&project, &["up", "--listen-tls", &address]);
    assert_eq!(moved.status.code(), Some(3), "{}", String::from_utf8_lossy(&moved.stderr));
    assert!(https(&machine, &root, "dev.shop.test").is_ok(), "it stays where it was");
    machine.ok(&project, &["up", "--listen-tls", "off"]);
    assert!(machine.get("dev.shop.test", "/").starts_with("HTTP/1.1 200"));
    assert!(std::net::TcpStream::connect(("127.0.0.1", machine.tls)).is_err());
}

#[test]
fn an_authoritys_certificates_are_ordered_served_and_renewed_by_themselves() {
    let mut machine = Machine::new();
    // Certificates that hold for so short a time are due again while the test looks.
    let Some(pebble) = Pebble::start(machine.port, 18) else { return };
    let tls = format!("[tls]\nacme = \"lead@shop.test\"\ndirectory = \"{}\"\nca = \"ca.pem\"\n", pebble.directory);
    let project = shop(&mut machine, &tls);
    let missing = machine.ambit(&project, &["up"]);
    assert_eq!(missing.status.code(), Some(4), "ca.pem is not there yet");
    fs::copy(pebble.ca(), project.join("ca.pem")).unwrap();
    up(&machine, &project);
    let root = machine.folder.path().join("root.pem");
    fs::write(&root, pebble.root()).unwrap();

    for (host, page) in [("shop.test", "<p>prod</p>"), ("dev.shop.test", "<p>dev</p>")] {
        until("a certificate is made out", || https(&machine, &root, host).is_ok_and(|p| p.contains(page)));
    }
    until("and plain requests are sent there", || machine.get("shop.test", "/").starts_with("HTTP/1.1 308"));
    until("the one that is refused is told", || !of(&list(&machine, &project), "blocked.test")["trouble"].is_null());
    let listed = list(&machine, &project);
    let blocked = of(&listed, "blocked.test");
    assert!(blocked["trouble"].as_str().unwrap().contains("blocked.test"), "{blocked}");
    assert!(machine.ok(&project, &["status"]).contains("the certificate of blocked.test is in trouble"));
    assert_eq!((&blocked["failures"], &blocked["certificate"]), (&serde_json::json!(1), &serde_json::Value::Null));
    let good = of(&listed, "shop.test");
    assert_eq!((&good["source"], &good["trouble"]), (&serde_json::json!("acme"), &serde_json::Value::Null));
    assert!(machine.get("blocked.test", "/").starts_with("HTTP/1.1 200"));

    // Renewed, and never a moment without.
    let (first, end) = (serial(&machine, "shop.test").unwrap(), Instant::now() + Duration::from_secs(60));
    while serial(&machine, "shop.test").unwrap() == first {
        assert!(Instant::now() < end, "not renewed within a minute\n{}", pebble.log());
        https(&machine, &root, "shop.test").unwrap();
    }

    // A certificate of one's own goes before the authority's, and the authority's comes back after it.
    let made = Made::new();
    made.make("own", &["shop.test"], |_| {});
    assert_eq!(made.add(&machine, &project, "shop.test", "own.pem", "own.key").0, Some(0));
    let own = serial(&machine, "shop.test").unwrap();
    https(&machine, &made.path("root.pem"), "shop.test").unwrap();
    assert_eq!(of(&list(&machine, &project), "shop.test")["source"], "file");
    machine.ok(&project, &["certificate", "remove", "shop.test"]);
    until("another one is made out", || https(&machine, &root, "shop.test").is_ok());
    assert_ne!(serial(&machine, "shop.test").unwrap(), own);

    // The daemon decides, the proxy serves.
    let daemon = machine.daemon().unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(daemon), nix::sys::signal::Signal::SIGKILL).unwrap();
    https(&machine, &root, "shop.test").unwrap();
    let before = serial(&machine, "shop.test").unwrap();
    up(&machine, &project);
    until("the next daemon renews", || serial(&machine, "shop.test").is_some_and(|now| now != before));
    assert_eq!(pebble.log().matches("accounts in memory").count(), 1, "one account for all of it");

    let home = machine.folder.path().join("home");
    for folder in [home.join("acme"), home.join("proxy/certificates")] {
        for file in fs::read_dir(&folder).unwrap().map(|e| e.unwrap()) {
            let mode = std::os::unix::fs::PermissionsExt::mode(&file.metadata().unwrap().permissions());
            assert_eq!(mode & 0o007, 0, "{}", file.path().display());
        }
    }
    assert_eq!(fs::read_dir(home.join("proxy/challenges")).unwrap().count(), 0, "no answer stays behind");
    machine.ok(&project, &["down"]);
    until("every process ends", || machine.processes() == 0);
}

#[test]
fn a_daemon_that_dies_in_the_middle_of_an_order_leaves_nothing_that_matters() {
    let mut machine = Machine::new();
    let Some(pebble) = Pebble::slow(machine.port) else { return };
    let tls = format!("[tls]\nacme = \"lead@shop.test\"\ndirectory = \"{}\"\nca = \"ca.pem\"\n", pebble.directory);
    let project = shop(&mut machine, &tls);
    fs::copy(pebble.ca(), project.join("ca.pem")).unwrap();
    up(&machine, &project);
    let answers = machine.folder.path().join("home/proxy/challenges");
    let waiting = || fs::read_dir(&answers).map_or(0, Iterator::count) > 0;
    until("an order waits for its proof", waiting);
    let daemon = nix::unistd::Pid::from_raw(machine.daemon().unwrap());
    nix::sys::signal::kill(daemon, nix::sys::signal::Signal::SIGKILL).unwrap();
    assert!(waiting(), "killed in the middle");
    let listed = list(&machine, &project);
    let under_way = |c: &&serde_json::Value| c["failures"] == 1 && c["trouble"].is_null();
    let begun = listed["certificates"].as_array().unwrap().iter().find(under_way).unwrap();
    let host = begun["host"].as_str().unwrap();
    let minutes = (begun["next_order"].as_i64().unwrap() / 1000 - now()) / 60;
    assert!((3..=5).contains(&minutes), "it counts as failed: {begun}");

    up(&machine, &project);
    machine.ok(&project, &["certificate", "remove", host]);
    let root = machine.folder.path().join("root.pem");
    fs::write(&root, pebble.root()).unwrap();
    until("it is ordered again", || https(&machine, &root, host).is_ok());
    let others = || ["shop.test", "dev.shop.test"].iter().all(|host| https(&machine, &root, host).is_ok());
    until("and so are the others", others);
    until("no answer stays behind", || !waiting());
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}
