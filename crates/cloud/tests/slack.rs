//! Slack, as the published schema and its notes describe it.

#![allow(clippy::unwrap_used)] // A test may panic.

use std::time::Duration;

use ambit_cloud::{Http, SendError, slack};
use ambit_simulators::{Fault, Slack, contract};

const SCHEMA: &str = "slack/incoming-webhook.schema.json";

#[tokio::test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
async fn a_message_is_what_the_published_schema_asks_for() {
    let Some(schema) = contract(SCHEMA) else { return };
    let workspace = Slack::start(Some(&schema), None).await;
    slack::send(&Http::new().unwrap(), &workspace.webhook(), "kaia prod: v1 &lt;3\nsecond line").await.unwrap();
    assert_eq!(workspace.texts(), ["kaia prod: v1 &lt;3\nsecond line"]);
}

#[tokio::test]
async fn what_may_pass_is_told_apart_from_what_will_not() {
    let workspace = Slack::start(None, None).await;
    let http = Http::new().unwrap();
    workspace.fail([
        Fault::TooMany("30".to_owned()),
        Fault::Status(500),
        Fault::Close,
        Fault::Status(410),
        Fault::Status(403),
    ]);
    let mut seen = Vec::new();
    for _ in 0..5 {
        seen.push(slack::send(&http, &workspace.webhook(), "x").await.unwrap_err());
    }
    assert!(matches!(&seen[0], SendError::Later { after: Some(after), .. } if *after == Duration::from_secs(30)));
    assert!(matches!(seen[1..3], [SendError::Later { after: None, .. }, SendError::Later { after: None, .. }]));
    assert!(matches!(seen[3..], [SendError::Refused { .. }, SendError::Refused { .. }]), "{seen:?}");
    assert!(workspace.texts().is_empty());
    let wrong = workspace.webhook().replace("XXXX", "hunter2");
    let refused = slack::send(&http, &wrong, "x").await.unwrap_err();
    assert_eq!(refused, SendError::Refused { why: "Slack answered 404 no_service".to_owned() });
}

#[tokio::test]
async fn no_error_holds_the_url() {
    let http = Http::new().unwrap();
    for url in [
        "http://127.0.0.1:1/services/hunter2",
        "https://nowhere.invalid/services/hunter2",
        "http://example.org/hunter2",
        "hunter2",
    ] {
        let error = slack::send(&http, url, "x").await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        assert!(matches!(error, SendError::Later { .. }), "{error:?}");
    }
}
