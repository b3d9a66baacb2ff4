//! Releases and deploys at Sentry, as the published document and its notes describe them.

#![allow(clippy::unwrap_used)] // A test may panic.

use std::time::Duration;

use ambit_cloud::{SendError, sentry::Sentry};
use ambit_domain::sentry::Deploy;
use ambit_simulators::{Fault, Sentry as Simulator, contract};

const DOCUMENT: &str = "sentry/openapi.json";

async fn organization() -> Option<(Simulator, Sentry)> {
    let simulator = Simulator::start("shop", "app", &contract(DOCUMENT)?).await.unwrap();
    let client = Sentry::new(&simulator.base(), simulator.token(), "shop", "app").unwrap();
    Some((simulator, client))
}

fn deploy(version: &str, environment: &str, name: &str) -> Deploy {
    Deploy {
        version: version.into(),
        commit: Some("0123456789abcdef0123456789abcdef01234567".into()),
        environment: environment.into(),
        name: name.into(),
        url: Some("https://shop.example".into()),
        at: 0,
        released: environment == "production",
    }
}

fn moment(_: i64) -> String {
    "2026-03-01T10:00:00.000Z".to_owned()
}

#[tokio::test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
async fn a_release_is_made_once_and_deployed_to_one_environment_after_the_other() {
    let Some((simulator, client)) = organization().await else { return };
    for (environment, name) in [("staging", "test 6"), ("production", "prod 7"), ("production", "prod 7")] {
        client.record(&deploy("v1.2.0", environment, name), moment).await.unwrap();
    }
    client.record(&deploy("kaia@1.0 (β) %2F?#", "production", "prod 8"), moment).await.unwrap();
    assert_eq!(
        simulator.deploys(),
        ["v1.2.0 staging test 6", "v1.2.0 production prod 7", "kaia@1.0 (β) %2F?# production prod 8"]
    );
    let releases = simulator.releases();
    assert_eq!(releases.len(), 2);
    assert_eq!(releases[0]["dateReleased"], "2026-03-01T10:00:00.000Z", "it went live with production");
    assert_eq!(releases[0]["deploys"][0]["url"], "https://shop.example");
    assert_eq!(simulator.refused(), Vec::<String>::new());
}

#[tokio::test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
async fn what_failed_at_whichever_request_is_recorded_once_by_the_next_try() {
    let Some((simulator, client)) = organization().await else { return };
    for requests_before in 0..3 {
        for fault in [Fault::Status(502), Fault::TooMany("300".to_owned()), Fault::Close, Fault::CloseAfter] {
            let wanted = deploy(&format!("v{}", simulator.releases().len()), "production", "prod 7");
            simulator.fail_after(requests_before, fault.clone());
            let error = client.record(&wanted, moment).await.unwrap_err();
            let SendError::Later { after, .. } = &error else { panic!("{error:?}") };
            assert_eq!(after.is_some(), matches!(fault, Fault::TooMany(_)), "{error:?}");
            assert!(after.is_none_or(|after| after == Duration::from_secs(300)));
            client.record(&wanted, moment).await.unwrap();
            let of_it = simulator.deploys().into_iter().filter(|d| d.starts_with(&format!("{} ", wanted.version)));
            assert_eq!(of_it.count(), 1, "{fault:?} after {requests_before}");
        }
    }
}

#[tokio::test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
async fn a_token_that_lacks_something_waits_for_a_better_one_and_a_bad_version_is_refused() {
    let Some((simulator, client)) = organization().await else { return };
    let error = client.record(&deploy("..", "production", "prod 1"), moment).await.unwrap_err();
    assert!(matches!(error, SendError::Refused { .. }), "{error:?}");
    for (token, project, word) in
        [(simulator.weak_token(), "app", "project:releases"), ("hunter2", "app", "Invalid token")]
    {
        let client = Sentry::new(&simulator.base(), token, "shop", project).unwrap();
        let error = client.record(&deploy("v1", "production", "prod 1"), moment).await.unwrap_err();
        assert!(matches!(error, SendError::Later { .. }), "{error:?}");
        assert!(error.to_string().contains(word) && !error.to_string().contains("hunter2"), "{error}");
    }
    let elsewhere = Sentry::new(&simulator.base(), simulator.token(), "nobody", "app").unwrap();
    let error = elsewhere.record(&deploy("v1", "production", "prod 1"), moment).await.unwrap_err();
    assert!(error.to_string().contains("is there an organisation nobody"), "{error}");
}
