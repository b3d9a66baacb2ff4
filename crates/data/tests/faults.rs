//! Whatever goes wrong, the source is unharmed, nothing is left beside, and the failure says what to do.

#![allow(clippy::unwrap_used)] // A test may panic.

mod cluster;

use std::time::{Duration, Instant};

use ambit_data::{CopyOrder, CopyStep};
use cluster::Cluster;
use tokio_util::sync::CancellationToken;

const DECLARED: &str = "
CREATE TABLE users (id int PRIMARY KEY, email text NOT NULL UNIQUE, nick varchar(6) UNIQUE, note text);
INSERT INTO users SELECT i, 'persona' || i || '@empresa.example', 'n' || i, repeat('palabra ', 20) FROM generate_series(1, 60000) i;
";

const MASKING: &str = r#"
[public.users]
id = "integer -> keep"
email = "text -> email"
nick = "character varying(6) -> id"
note = "text -> text"
"#;

fn prod() -> Cluster {
    let cluster = Cluster::start();
    cluster.sql("postgres", "CREATE DATABASE prod");
    cluster.sql("prod", DECLARED);
    cluster
}

/// So slow that there is time to do something to it.
fn slowly(cluster: &Cluster) -> CopyOrder {
    CopyOrder { rate: Some(2 << 20), ..cluster.order("prod", "copied", MASKING) }
}

async fn until(mut happened: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !happened() {
        assert!(begin.elapsed() < Duration::from_secs(60), "it never happened");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_interrupted_or_loses_a_server_leaves_nothing() {
    let cluster = prod();
    let before = cluster.dump("prod", &[]);

    let cancel = CancellationToken::new();
    let (stop, begin) = (cancel.clone(), Instant::now());
    let seen = move |step: CopyStep| {
        if matches!(step, CopyStep::Rows { done, .. } if done > 0) {
            stop.cancel();
        }
    };
    let failure = ambit_data::copy(slowly(&cluster), cancel, &seen).await.unwrap_err();
    assert_eq!(failure.kind, ambit_domain::FailureKind::Interrupted, "{failure:?}");
    assert!(begin.elapsed() < Duration::from_secs(6), "it ended {:?} after it began", begin.elapsed());
    assert!(!cluster.has_database("copied"));

    for whose in ["prod", "copied"] {
        let copying = tokio::spawn(ambit_data::copy(slowly(&cluster), CancellationToken::new(), &|_| {}));
        let ended = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{whose}' AND application_name = 'ambit data' AND query LIKE 'COPY%'"
        );
        until(|| cluster.sql("postgres", &ended).contains('t')).await;
        let failure = copying.await.unwrap().unwrap_err();
        assert!(!failure.message.is_empty());
        assert!(!cluster.has_database("copied"), "after {whose} went away: {failure:?}");
    }
    assert_eq!(cluster.dump("prod", &[]), before);
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'ambit data'";
    until(|| cluster.sql("postgres", sessions) == "0").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn production_is_read_as_of_one_moment_and_not_kept_from_its_work() {
    let cluster = prod();
    let copying = tokio::spawn(ambit_data::copy(slowly(&cluster), CancellationToken::new(), &|_| {}));
    until(|| cluster.sql("postgres", "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY (SELECT%'") != "0")
        .await;
    cluster.sql(
        "prod",
        "UPDATE users SET note = 'later'; INSERT INTO users VALUES (0, 'new@empresa.example', 'new', 'later')",
    );
    let changed = cluster.try_sql("prod", "SET lock_timeout = '200ms'; ALTER TABLE users ADD added text").unwrap_err();
    assert!(changed.contains("lock timeout"), "a table cannot change while it is read: {changed}");
    let report = copying.await.unwrap().unwrap();
    assert_eq!(report.rows(), 60_000);
    assert_eq!(cluster.sql("copied", "SELECT count(*) FROM users WHERE note = 'later'"), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_masked_or_loaded_is_told_with_its_place_and_without_its_value() {
    let cluster = prod();
    cluster.sql("prod", "CREATE TABLE checked (mail text CHECK (mail LIKE '%@empresa.example')); INSERT INTO checked VALUES ('secreta@empresa.example')");
    let masking = format!("{MASKING}[public.checked]\nmail = \"text -> email\"\n");
    let failure = cluster.copy("prod", "copied", &masking).await.unwrap_err();
    let said = format!("{failure:?}");
    assert!(said.contains("checked_mail_check") && said.contains("public.checked"), "{said}");
    assert!(!said.contains("secreta"), "{said}");
    assert!(!cluster.has_database("copied"));

    cluster
        .sql("postgres", "CREATE DATABASE bytes TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'");
    cluster.sql("bytes", r"CREATE TABLE old (name text); INSERT INTO old VALUES (E'Mu\xf1oz')");
    let failure = cluster.copy("bytes", "copied", "[public.old]\nname = \"text -> name\"\n").await.unwrap_err();
    let said = format!("{failure:?}");
    assert!(said.contains("public.old") && said.contains("UTF-8"), "{said}");
    assert!(!cluster.has_database("copied"));
}
