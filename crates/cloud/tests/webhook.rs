//! Signed webhooks, checked by a receiver of its own.

#![allow(clippy::unwrap_used)] // A test may panic.

use std::time::Duration;

use ambit_cloud::{
    Http, SendError,
    webhook::{self, Webhook},
};
use ambit_simulators::{Fault, Webhook as Receiver};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

#[tokio::test]
async fn a_receiver_can_tell_who_called() {
    let receiver = Receiver::start(SECRET).await;
    let url = receiver.url("/ambit?x=1");
    let http = Http::new().unwrap();
    let sound = Webhook { url: &url, secret: SECRET };
    webhook::send(&http, &sound, "id-1", "{\"type\":\"deployed\"}".into()).await.unwrap();
    assert_eq!(receiver.ids(), ["id-1"]);
    let forged = Webhook { url: &url, secret: "c29tZWJvZHkgZWxzZSdzIGtleQ==" };
    let error = webhook::send(&http, &forged, "id-2", "{}".into()).await.unwrap_err();
    assert_eq!(error.to_string(), "the receiver answered 401");
    assert_eq!(receiver.refused(), ["401 wrong signature"]);
}

#[tokio::test]
async fn a_busy_or_broken_receiver_is_tried_again_and_one_that_is_gone_is_not() {
    let receiver = Receiver::start(SECRET).await;
    let url = receiver.url("/hunter2");
    let (http, webhook) = (Http::new().unwrap(), Webhook { url: &url, secret: SECRET });
    receiver.fail([
        Fault::TooMany("7".into()),
        Fault::Status(503),
        Fault::CloseAfter,
        Fault::Status(301),
        Fault::Status(410),
    ]);
    let mut seen = Vec::new();
    for _ in 0..5 {
        seen.push(webhook::send(&http, &webhook, "id", "{}".into()).await.unwrap_err());
    }
    assert!(matches!(&seen[0], SendError::Later { after: Some(after), .. } if *after == Duration::from_secs(7)));
    assert!(seen[1..4].iter().all(|e| matches!(e, SendError::Later { .. })), "{seen:?}");
    assert!(matches!(seen[4], SendError::Refused { .. }), "{seen:?}");
    assert!(seen.iter().all(|e| !e.to_string().contains("hunter2")), "{seen:?}");
    assert_eq!(receiver.ids(), ["id"], "the one that broke off had arrived");
}
