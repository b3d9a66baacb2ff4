//! E-mail, to a mail server that minds the rules.

#![allow(clippy::unwrap_used)] // A test may panic.

use std::{process::Command, sync::Arc};

use ambit_cloud::{
    Http, SendError,
    email::{self, Letter},
    slack,
};
use ambit_simulators::{Fault, Security, Slack, Smtp};
use base64::Engine;

fn letter(text: &str) -> Letter<'_> {
    Letter { from: "ambit@kaia.ai", to: "lead@kaia.ai", subject: "kaia prod: año v1", text, id: "0a1b" }
}

#[tokio::test]
async fn a_letter_arrives_with_its_headers_and_its_words() {
    let server = Smtp::start(Security::Plain, Some(("ana@kaia.ai", "p/w"))).await;
    let url = format!("smtp://ana%40kaia.ai:p%2Fw@127.0.0.1:{}", server.port());
    email::send(&url, &letter("first\n.\n.dots")).await.unwrap();
    email::send(&url, &letter("ñandú")).await.unwrap();
    let mails = server.mails();
    let mail = &mails[0];
    assert_eq!((mail.from.as_str(), mail.to.as_slice()), ("ambit@kaia.ai", ["lead@kaia.ai".to_owned()].as_slice()));
    assert_eq!(mail.header("Message-ID"), Some("<0a1b@kaia.ai>"));
    assert_eq!(mail.header("Auto-Submitted"), Some("auto-generated"));
    // RFC 2047: the word with the tilde, in base64.
    assert_eq!(mail.header("Subject"), Some("kaia prod: =?utf-8?b?YcOxbw==?= v1"));
    assert!(mail.data.contains("first\r\n.\r\n.dots\r\n"), "{}", mail.data);
    let (_, body) = mails[1].data.split_once("\r\n\r\n").unwrap();
    let text = base64::engine::general_purpose::STANDARD.decode(body.trim()).unwrap();
    assert_eq!(String::from_utf8(text).unwrap().trim(), "ñandú");
    assert!(server.complaints().is_empty(), "{:?}", server.complaints());
}

#[tokio::test]
async fn what_may_pass_is_told_apart_from_what_will_not() {
    let server = Smtp::start(Security::Plain, Some(("ana", "hunter2"))).await;
    let url = format!("smtp://ana:hunter2@127.0.0.1:{}", server.port());
    server.fail([Fault::Status(451), Fault::Close, Fault::Status(550)]);
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(email::send(&url, &letter("x")).await.unwrap_err());
    }
    assert!(matches!(seen[..2], [SendError::Later { .. }, SendError::Later { .. }]), "{seen:?}");
    assert!(matches!(seen[2], SendError::Refused { .. }), "{seen:?}");
    let wrong = format!("smtp://ana:swordfish@127.0.0.1:{}", server.port());
    let refused = email::send(&wrong, &letter("x")).await.unwrap_err();
    assert!(matches!(&refused, SendError::Refused { why } if !why.contains("swordfish")), "{refused:?}");
    assert!(server.mails().is_empty());
}

/// Trust is the process's: the test runs itself again with a root of its own.
#[test]
fn over_tls_only_a_trusted_server_is_spoken_to() {
    const ROOT: &str = "AMBIT_TEST_ROOT";
    if let Ok(folder) = std::env::var(ROOT) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        return runtime.block_on(trusted_and_not(std::path::Path::new(&folder)));
    }
    let folder = tempfile::tempdir().unwrap();
    for name in ["trusted", "stranger"] {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(folder.path().join(format!("{name}.pem")), made.cert.pem()).unwrap();
        std::fs::write(folder.path().join(format!("{name}.key")), made.signing_key.serialize_pem()).unwrap();
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "over_tls_only_a_trusted_server_is_spoken_to", "--nocapture"])
        .env(ROOT, folder.path())
        .env("SSL_CERT_FILE", folder.path().join("trusted.pem"))
        .env_remove("SSL_CERT_DIR")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn config(folder: &std::path::Path, name: &str) -> Arc<rustls::ServerConfig> {
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
    let certificate = CertificateDer::from_pem_file(folder.join(format!("{name}.pem"))).unwrap();
    let key = PrivateKeyDer::from_pem_file(folder.join(format!("{name}.key"))).unwrap();
    let builder = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    Arc::new(builder.with_single_cert(vec![certificate], key).unwrap())
}

async fn trusted_and_not(folder: &std::path::Path) {
    let (trusted, stranger) = (config(folder, "trusted"), config(folder, "stranger"));
    for (security, scheme) in
        [(Security::Tls(Arc::clone(&trusted)), "smtps"), (Security::StartTls(Arc::clone(&trusted)), "smtp")]
    {
        let server = Smtp::start(security, Some(("ana", "pw"))).await;
        email::send(&format!("{scheme}://ana:pw@localhost:{}", server.port()), &letter("x")).await.unwrap();
        assert!(server.mails()[0].encrypted, "{scheme}");
    }
    for (security, scheme) in
        [(Security::Tls(Arc::clone(&stranger)), "smtps"), (Security::StartTls(Arc::clone(&stranger)), "smtp")]
    {
        let server = Smtp::start(security, Some(("ana", "hunter2"))).await;
        let error = email::send(&format!("{scheme}://ana:hunter2@localhost:{}", server.port()), &letter("x")).await;
        assert!(matches!(error, Err(SendError::Later { .. })), "{error:?}");
        assert!(server.mails().is_empty());
    }
    let http = Http::new().unwrap();
    let workspace = Slack::start(None, Some(trusted)).await;
    slack::send(&http, &workspace.webhook(), "x").await.unwrap();
    assert_eq!(workspace.texts().len(), 1);
    let impostor = Slack::start(None, Some(stranger)).await;
    assert!(slack::send(&http, &impostor.webhook(), "x").await.is_err());
    assert!(impostor.texts().is_empty());
}
