//! Cloudflare's DNS, as the published document and its notes describe it.

#![allow(clippy::unwrap_used)] // A test may panic.

use std::net::Ipv4Addr;

use ambit_cloud::{Carried, cloudflare::Cloudflare};
use ambit_domain::{
    FailureKind,
    dns::{Change, Content, Record},
};
use ambit_simulators::{Cloudflare as Simulator, Fault, contract};

const DOCUMENT: &str = "cloudflare/openapi.json";

async fn account() -> Option<(Simulator, Cloudflare)> {
    let simulator = Simulator::start("kaia.ai", &contract(DOCUMENT)?).await;
    let client = Cloudflare::new(&simulator.base(), simulator.token()).unwrap();
    Some((simulator, client))
}

fn record(host: &str, last: u8) -> Record {
    Record {
        host: host.to_owned(),
        content: Content::A(Ipv4Addr::new(203, 0, 113, last)),
        proxied: true,
        mark: "ambit:kaia/prod/web".to_owned(),
        ttl: None,
        proves: None,
    }
}

#[tokio::test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
async fn records_are_made_changed_and_deleted_as_the_published_document_asks_for() {
    let Some((simulator, client)) = account().await else { return };
    simulator.add("MX", "kaia.ai", "mail.kaia.ai");
    let zone = client.zone("kaia.ai").await.unwrap();
    let made = [record("kaia.ai", 7), record("www.kaia.ai", 7)].map(|record| Change::Create { record });
    assert_eq!(client.carry_out(&zone, &made).await.unwrap(), Carried::Done);
    let there = client.records(&zone).await.unwrap();
    let of = |host: &str| there.iter().find(|r| r.host == host && r.kind == "A").unwrap().clone();
    assert_eq!((of("kaia.ai").comment.as_str(), of("kaia.ai").proxied), ("ambit:kaia/prod/web", true));
    let changes = [
        Change::Delete { present: of("www.kaia.ai") },
        Change::Change { present: of("kaia.ai"), record: record("kaia.ai", 8) },
    ];
    assert_eq!(client.carry_out(&zone, &changes).await.unwrap(), Carried::Done);
    assert_eq!(simulator.lines(), ["A kaia.ai 203.0.113.8", "MX kaia.ai mail.kaia.ai"]);
    assert_eq!(simulator.server.refused(), Vec::<String>::new());
}

#[tokio::test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
async fn a_batch_is_done_whole_or_not_and_who_does_not_know_is_told_so() {
    let Some((simulator, client)) = account().await else { return };
    let zone = client.zone("kaia.ai").await.unwrap();
    let twice = [record("kaia.ai", 7), record("kaia.ai", 7)].map(|record| Change::Create { record });
    let Carried::Unknown(why) = client.carry_out(&zone, &twice).await.unwrap() else { panic!("it was done") };
    assert!(why.contains("identical record already exists"), "{why}");
    let cname = Record { content: Content::Cname("kaia.ai".into()), ..record("kaia.ai", 7) };
    let both = [record("kaia.ai", 7), cname].map(|record| Change::Create { record });
    let failure = client.carry_out(&zone, &both).await.unwrap_err();
    assert!(failure.causes[0].contains("already exists"), "{failure:?}");
    assert!(simulator.records().is_empty());
    for (fault, there) in
        [(Fault::Status(503), 0), (Fault::TooMany("0".to_owned()), 0), (Fault::Close, 0), (Fault::CloseAfter, 1)]
    {
        // One that lost an answer may read once before its next change: the fault is for the change.
        let client = Cloudflare::new(&simulator.base(), simulator.token()).unwrap();
        simulator.server.fail([fault]);
        let made = [Change::Create { record: record("kaia.ai", 7) }];
        assert!(matches!(client.carry_out(&zone, &made).await.unwrap(), Carried::Unknown(_)));
        assert_eq!(simulator.records().len(), there);
    }
}

#[tokio::test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
async fn reads_are_repeated_and_ten_thousand_records_are_read_in_pages() {
    let Some((simulator, client)) = account().await else { return };
    simulator.by_hand(|records| {
        records.extend((0..10_001).map(|n| {
            serde_json::json!({ "id": format!("{n:032x}"), "type": "A", "name": format!("n{n}.kaia.ai"), "content": "203.0.113.7", "proxied": false, "ttl": 1, "comment": null })
        }));
    });
    simulator.server.fail([Fault::Status(500), Fault::Close, Fault::TooMany("0".to_owned())]);
    let zone = client.zone("kaia.ai").await.unwrap();
    assert_eq!(client.records(&zone).await.unwrap().len(), 10_001);
}

#[tokio::test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
async fn a_token_that_is_refused_is_told_with_what_it_lacks_and_never_shown() {
    let Some((simulator, _)) = account().await else { return };
    let client = Cloudflare::new(&simulator.base(), "hunter2").unwrap();
    let failure = client.zone("kaia.ai").await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::User);
    assert!(failure.hints.join(" ").contains("DNS → Edit"), "{failure:?}");
    assert!(!format!("{failure:?}").contains("hunter2"));
    let client = Cloudflare::new(&simulator.base(), simulator.token()).unwrap();
    let failure = client.zone("kaia.org").await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::NotFound);
    for bad in ["http://example.org", "ftp://x", ""] {
        assert!(Cloudflare::new(bad, "x").is_err());
    }
}
