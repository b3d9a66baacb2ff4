//! UptimeRobot's monitors, as the published document and its notes describe them.

#![allow(clippy::unwrap_used)] // A test may panic.

use std::time::{Duration, Instant};

use ambit_cloud::{
    Carried,
    uptimerobot::{UptimeRobot, Written},
};
use ambit_domain::{
    FailureKind,
    monitors::{Alert, Contact, Monitor, Present, Told},
};
use ambit_simulators::{Fault, UptimeRobot as Simulator, contract};

const DOCUMENT: &str = "uptimerobot/openapi.v3.json";

async fn account() -> Option<(Simulator, UptimeRobot)> {
    let simulator = Simulator::start(&contract(DOCUMENT)?).await.unwrap();
    let client = UptimeRobot::new(&simulator.base(), simulator.token()).unwrap();
    Some((simulator, client))
}

fn monitor(name: &str) -> Monitor {
    Monitor {
        name: format!("kaia prod: {name}"),
        url: format!("https://{name}.kaia.ai"),
        tag: "ambit-kaia_prod".into(),
        environment: "prod".parse().unwrap(),
        alerts: Vec::new(),
    }
}

fn done(written: Written) -> Present {
    match written {
        Written::Done(present) => present,
        Written::Unknown(why) => panic!("{why}"),
    }
}

#[tokio::test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
async fn monitors_are_made_changed_started_and_deleted_as_the_published_document_asks_for() {
    let Some((simulator, client)) = account().await else { return };
    simulator.add_contact("Email", "lead");
    simulator.add_contact("Slack", "#alerts");
    simulator.add_contact("Telegram", "nobody of ours");
    let (people, channels) = (client.contacts().await.unwrap(), client.integrations().await.unwrap());
    let kinds = |all: &[Contact]| all.iter().map(|c| (c.kind, c.name.clone())).collect::<Vec<_>>();
    assert_eq!(kinds(&people), [(Alert::Email, "lead".to_owned())]);
    assert_eq!(kinds(&channels), [(Alert::Slack, "#alerts".to_owned())]);

    let made = done(client.create(&monitor("api"), &people).await.unwrap());
    assert_eq!((made.http, made.interval, &*made.told), (true, 300, &[Told::at_once(people[0].id)][..]));
    assert_eq!(client.monitors().await.unwrap(), std::slice::from_ref(&made));
    let other = Monitor { name: "kaia prod: R&D".into(), ..monitor("app") };
    let changed = done(client.change(&made, &other, &channels).await.unwrap());
    assert_eq!((changed.name.as_str(), changed.url.as_str()), ("kaia prod: R&D", "https://app.kaia.ai"));
    assert_eq!(changed.told.len(), 2, "who was told is told still");
    simulator.by_hand(|monitors| monitors[0]["status"] = "PAUSED".into());
    assert!(client.monitors().await.unwrap()[0].paused);
    assert!(!done(client.start(made.id).await.unwrap()).paused);
    let marked = done(client.mark(&changed, "mine").await.unwrap());
    assert_eq!(marked.tags, ["ambit-kaia_prod", "mine"]);
    for _ in 0..2 {
        assert_eq!(client.delete(made.id).await.unwrap(), Carried::Done);
    }
    assert_eq!(simulator.lines(), Vec::<String>::new());
    assert_eq!(simulator.refused().len(), 1, "the second time it was gone: {:?}", simulator.refused());
}

#[tokio::test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
async fn a_change_that_came_too_soon_is_sent_again_and_of_any_other_that_failed_nobody_knows() {
    let Some((simulator, client)) = account().await else { return };
    simulator.fail([Fault::TooMany("0".to_owned())]);
    done(client.create(&monitor("api"), &[]).await.unwrap());
    for (fault, there) in [(Fault::Status(503), 1), (Fault::Close, 1), (Fault::CloseAfter, 2)] {
        simulator.fail([fault]);
        assert!(matches!(client.create(&monitor("web"), &[]).await.unwrap(), Written::Unknown(_)));
        assert_eq!(simulator.monitors().len(), there);
    }
}

#[tokio::test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
async fn what_a_free_account_takes_in_a_minute_is_waited_for() {
    let Some((simulator, client)) = account().await else { return };
    simulator.limit(3, Duration::from_millis(900));
    let started = Instant::now();
    for _ in 0..4 {
        done(client.create(&monitor("api"), &[]).await.unwrap());
    }
    assert!(started.elapsed() >= Duration::from_millis(900));
    assert_eq!((simulator.monitors().len(), simulator.refused().len()), (4, 1));
    let quota = client.quota();
    assert_eq!((quota.calls, quota.left), (3, Some(2)));
}

#[tokio::test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
async fn long_lists_come_in_pages_and_reads_are_repeated() {
    let Some((simulator, client)) = account().await else { return };
    simulator.add("one", "https://one.example", &[]);
    simulator.by_hand(|monitors| {
        let one = monitors.remove(0);
        monitors.extend((1..=401).map(|id| {
            let mut monitor = one.clone();
            monitor["id"] = id.into();
            monitor
        }));
    });
    simulator.fail([Fault::Status(500), Fault::Close, Fault::TooMany("0".to_owned())]);
    let ids: Vec<u64> = client.monitors().await.unwrap().iter().map(|m| m.id).collect();
    assert_eq!(ids, (1..=401).collect::<Vec<_>>());
}

#[tokio::test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
async fn what_a_free_account_may_not_is_told_in_the_services_own_words() {
    let Some((simulator, client)) = account().await else { return };
    for n in 0..50 {
        simulator.add(&format!("m{n}"), "https://x.example", &[]);
    }
    let failure = client.create(&monitor("api"), &[]).await.unwrap_err();
    assert!(failure.causes[0].contains("monitor limit"), "{failure:?}");
    let nobody = Contact { id: 7, name: "nobody".into(), kind: Alert::Slack };
    simulator.by_hand(Vec::clear);
    let failure = client.create(&monitor("api"), &[nobody]).await.unwrap_err();
    assert!(failure.causes[0].contains("contact"), "{failure:?}");
}

#[tokio::test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
async fn a_key_that_is_refused_is_told_with_what_it_lacks_and_never_shown() {
    let Some((simulator, _)) = account().await else { return };
    let client = UptimeRobot::new(&simulator.base(), "hunter2").unwrap();
    let failure = client.monitors().await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::User);
    assert!(failure.hints.join(" ").contains("Main API key"), "{failure:?}");
    assert!(!format!("{failure:?}").contains("hunter2"));
    let client = UptimeRobot::new(&simulator.base(), simulator.read_only_token()).unwrap();
    assert!(client.monitors().await.unwrap().is_empty());
    let failure = client.create(&monitor("api"), &[]).await.unwrap_err();
    assert!(failure.hints.join(" ").contains("may only read"), "{failure:?}");
}
