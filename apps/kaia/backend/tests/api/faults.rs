//! What it works with goes away and comes back.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::support::{Kaia, Servers, until};

#[test]
fn postgresql_goes_and_comes_back() {
    let Some(servers) = Servers::start() else { return };
    let kaia = Kaia::start(Arc::new(servers), &[]);
    let ana = kaia.account("ana@kaia.test").access;
    kaia.event(&ana, "Uno", "2030-01-01T10:00:00Z", "2030-01-01T11:00:00Z");
    kaia.servers.kill_postgres();
    let start = Instant::now();
    let down =
        until("an answer that says so", || Some(kaia.get("/events").bearer(&ana).send()).filter(|a| a.status != 200));
    assert_eq!(down.expect(503).kind(), "unavailable");
    assert!(start.elapsed() < Duration::from_secs(10));
    let ready = kaia.get("/ready").send();
    assert_eq!(
        (ready.status, ready.json()["database"].as_bool(), ready.json()["redis"].as_bool()),
        (503, Some(false), Some(true))
    );
    kaia.get("/health").send().expect(200);
    kaia.servers.start_postgres();
    until("it serves again", || (kaia.get("/events").bearer(&ana).send().status == 200).then_some(()));
    // And stays so: no broken connection is left behind.
    until("twenty good answers in a row", || {
        (0..20).all(|_| kaia.get("/events").bearer(&ana).send().status == 200).then_some(())
    });
    kaia.get("/ready").send().expect(200);
}

#[test]
fn without_redis_limits_are_counted_in_memory() {
    let Some(servers) = Servers::start() else { return };
    let variables = [("RATE_LIMIT_ENABLED", "true"), ("RATE_LIMIT_ROUTE", "10/m")];
    let kaia = Kaia::start(Arc::new(servers), &variables);
    let ana = kaia.account("ana@kaia.test").access;
    let list = || kaia.get("/events").bearer(&ana).send();
    assert_eq!(list().expect(200).header("ratelimit-remaining"), Some("9"));
    kaia.servers.kill_redis();
    let ready = until("that it is noticed", || Some(kaia.get("/ready").send()).filter(|r| r.json()["redis"] == false));
    assert_eq!((ready.status, &ready.json()["limits"]), (200, &json!("memory")));
    let start = Instant::now();
    let answers: Vec<_> = (0..15).map(|_| list().status).collect();
    assert_eq!(answers, [vec![200; 10], vec![429; 5]].concat());
    assert!(start.elapsed() < Duration::from_secs(5), "nobody waits for Redis: {:?}", start.elapsed());
    kaia.servers.start_redis();
    let ready = until("that it is back", || Some(kaia.get("/ready").send()).filter(|r| r.json()["redis"] == true));
    assert_eq!(ready.json()["limits"], "redis");
    until("a count in Redis", || (list().status == 200).then_some(()));
}

#[test]
fn limits_hold_under_concurrency_and_across_instances() {
    let Some(kaia) = crate::support::kaia(&[("RATE_LIMIT_ENABLED", "true"), ("RATE_LIMIT_ROUTE", "50/h")]) else {
        return;
    };
    let ana = kaia.account("ana@kaia.test").access;
    let list = kaia.get("/events").bearer(&ana);
    let good: usize = std::thread::scope(|scope| {
        let all: Vec<_> =
            (0..16).map(|_| scope.spawn(|| (0..10).filter(|_| list.send().status == 200).count())).collect();
        all.into_iter().map(|t| t.join().expect("it ends")).sum()
    });
    assert_eq!(good, 50);
}

#[test]
fn told_to_end_it_finishes_what_is_under_way() {
    let Some(mut kaia) = crate::support::kaia(&[]) else { return };
    let ana = kaia.account("ana@kaia.test").access;
    kaia.event(&ana, "Uno", "2030-01-01T10:00:00Z", "2030-01-01T11:00:00Z");
    let path = format!("/events/{}", kaia.sql("SELECT min(id) FROM events"));
    let change = kaia.ask("PATCH", &path, &json!({ "title": "Dos" })).bearer(&ana);
    // Somebody holds the row: the request waits in the middle.
    let (database, servers) = (kaia.database.clone(), Arc::clone(&kaia.servers));
    let answer = std::thread::scope(|scope| {
        let holding = scope
            .spawn(|| servers.sql(&database, "BEGIN; SELECT 1 FROM events FOR UPDATE; SELECT pg_sleep(2); COMMIT"));
        until("the row is held", || {
            (kaia
                .sql("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()")
                == "1")
                .then_some(())
        });
        let asking = scope.spawn(|| change.send());
        until("the request waits", || {
            (kaia.sql("SELECT count(*) FROM pg_locks WHERE NOT granted") != "0").then_some(())
        });
        kaia.signal("-TERM");
        holding.join().expect("it ends");
        asking.join().expect("it ends")
    });
    assert_eq!(answer.expect(200).json()["title"], "Dos");
    let status = until("it ends", || kaia.process.try_wait().ok().flatten());
    assert!(status.success(), "{status}");
}
