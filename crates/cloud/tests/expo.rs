//! Expo, as its published schema and its notes describe it.

#![allow(clippy::unwrap_used)] // A test may panic.

use std::io::{Read, Seek};

use ambit_cloud::{
    Carried, download,
    expo::{DOCUMENTS, Expo},
};
use ambit_domain::{
    FailureKind,
    expo::{BuildState, Variable},
};
use ambit_simulators::{Expo as Simulator, Fault, GraphQl, contract};
use serde_json::json;

const SCHEMA: &str = "expo/schema.graphql";
const PROJECT: &str = "@kaia/mobile";

async fn project() -> Option<(Simulator, Expo)> {
    let simulator = Simulator::start(PROJECT, &contract(SCHEMA)?).await.unwrap();
    let client = Expo::new(&simulator.base(), simulator.token(), PROJECT).unwrap();
    Some((simulator, client))
}

fn variable(value: &str) -> Variable {
    let environment = "test".parse().unwrap();
    Variable { name: "EXPO_PUBLIC_ENV", value: value.into(), at: "preview", environment }
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn every_document_is_one_that_the_published_schema_allows() {
    let Some(sdl) = contract(SCHEMA) else { return };
    let schema = GraphQl::read(&sdl).unwrap();
    for document in DOCUMENTS {
        assert_eq!(schema.check(document), Ok(()), "{document}");
    }
    assert!(schema.check(&DOCUMENTS[0].replace("buildProfile", "buildprofile")).is_err());
}

#[tokio::test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
async fn builds_are_read_with_their_state_their_error_and_their_file() {
    let Some((simulator, client)) = project().await else { return };
    let error = json!({ "errorCode": "EAS_BUILD_UNKNOWN_GRADLE_ERROR", "message": "Gradle failed", "docsUrl": "https://docs.expo.dev/x" });
    let failed = simulator.add_build("preview-test", &["ERRORED"], &json!({ "error": error }));
    let other = simulator.add_build("production", &["FINISHED"], &json!({ "platform": "IOS" }));
    let slow =
        simulator.add_build("preview-test", &["NEW", "IN_QUEUE", "FINISHED"], &json!({ "gitCommitHash": "abc" }));
    simulator.add_file(&slow, vec![1, 2, 3], None);
    let builds = client.builds("preview-test").await.unwrap();
    assert_eq!(builds.iter().map(|b| b.id.clone()).collect::<Vec<_>>(), [slow.clone(), failed]);
    let wrong = builds[1].error.as_ref().unwrap();
    assert_eq!(
        (wrong.code.as_str(), wrong.docs.as_deref()),
        ("EAS_BUILD_UNKNOWN_GRADLE_ERROR", Some("https://docs.expo.dev/x"))
    );
    let mut states = Vec::new();
    for _ in 0..4 {
        states.push(client.build(&slow).await.unwrap().state);
    }
    assert_eq!(states, [BuildState::New, BuildState::Queued, BuildState::Finished, BuildState::Finished]);
    assert!(!client.build(&other).await.unwrap().android);
    let elsewhere = Expo::new(&simulator.base(), simulator.token(), "@other/app").unwrap();
    assert_eq!(elsewhere.build(&slow).await.unwrap_err().kind, FailureKind::NotFound);
    let failure = elsewhere.builds("preview").await.unwrap_err();
    assert!(failure.hints.join(" ").contains("[providers.expo]"), "{failure:?}");
    assert_eq!(simulator.refused(), Vec::<String>::new());
}

#[tokio::test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
async fn variables_are_made_changed_and_taken_out_of_one_environment() {
    let Some((simulator, client)) = project().await else { return };
    simulator.add("EXPO_PUBLIC_ENV", "old", &["preview", "mine"], "PUBLIC", "PROJECT");
    simulator.add("EXPO_PUBLIC_ENV", "hidden", &["production"], "SECRET", "PROJECT");
    simulator.add("OTHER", "x", &["preview"], "PUBLIC", "PROJECT");
    let found = client.variables(&["EXPO_PUBLIC_ENV"]).await.unwrap();
    let values: Vec<_> = found.there.iter().map(|v| v.value.as_deref()).collect();
    assert_eq!(values, [Some("old"), None]);
    assert_eq!(client.take_out(&found.there[0], "preview").await.unwrap(), Carried::Done);
    for value in ["test", "test2"] {
        assert_eq!(client.create(&found.app, &variable(value)).await.unwrap(), Carried::Done);
    }
    assert_eq!(client.change(&found.there[1], &variable("production")).await.unwrap(), Carried::Done);
    assert_eq!(
        simulator.lines(),
        [
            "mine EXPO_PUBLIC_ENV=old",
            "preview EXPO_PUBLIC_ENV=test2",
            "preview OTHER=x",
            "production EXPO_PUBLIC_ENV=production"
        ]
    );
}

#[tokio::test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
async fn what_passes_is_tried_again_and_what_does_not_is_told_in_expos_words() {
    let Some((simulator, client)) = project().await else { return };
    simulator.refuse("INTERNAL", "try again", true);
    simulator.fail([Fault::Status(502), Fault::Close]);
    assert!(client.builds("preview").await.unwrap().is_empty());
    simulator.refuse("EAS_BUILD_FREE_TIER_LIMIT_EXCEEDED", "no more builds", false);
    let before = simulator.accepted().len();
    let failure = client.builds("preview").await.unwrap_err();
    assert!(failure.causes[0].contains("EAS_BUILD_FREE_TIER_LIMIT_EXCEEDED"), "{failure:?}");
    assert!(failure.hints[0].contains("free plan"), "{failure:?}");
    assert_eq!(simulator.accepted().len(), before + 1, "it is not tried again");
    simulator.fail([Fault::CloseAfter]);
    assert!(matches!(client.create("x", &variable("test")).await.unwrap(), Carried::Unknown(_)));
    let client = Expo::new(&simulator.base(), "hunter2", PROJECT).unwrap();
    let failure = client.builds("preview").await.unwrap_err();
    assert!(failure.hints[0].contains("Access tokens") && !format!("{failure:?}").contains("hunter2"), "{failure:?}");
}

#[tokio::test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
async fn a_file_is_fetched_whole_from_where_it_lies_and_from_nowhere_without_tls() {
    let Some((simulator, client)) = project().await else { return };
    let bytes: Vec<u8> = (0..200_000u32).map(|n| n.to_le_bytes()[0]).collect();
    let id = simulator.add_build("preview", &["FINISHED"], &json!({}));
    simulator.add_file(&id, bytes.clone(), None);
    let url = client.build(&id).await.unwrap().file.unwrap();
    let mut file = tempfile::tempfile().unwrap();
    simulator.fail([Fault::Status(503), Fault::Close]);
    assert_eq!(download(&url, &mut file, 1 << 20, &|_, _| {}).await.unwrap(), 200_000);
    let mut read = Vec::new();
    file.rewind().unwrap();
    file.read_to_end(&mut read).unwrap();
    assert_eq!(read, bytes);
    let mut file = tempfile::tempfile().unwrap();
    let failure = download(&url, &mut file, 1000, &|_, _| {}).await.unwrap_err();
    assert!(failure.message.contains("larger"), "{failure:?}");
    let sent_away = simulator.add_build("preview", &["FINISHED"], &json!({}));
    simulator.add_file(&sent_away, bytes, Some("http://files.example/secret-path"));
    let url = client.build(&sent_away).await.unwrap().file.unwrap();
    let failure = download(&url, &mut file, 1 << 20, &|_, _| {}).await.unwrap_err();
    assert!(failure.message.contains("no https://") && !format!("{failure:?}").contains("secret-path"), "{failure:?}");
    let failure = download("http://files.example/x", &mut file, 1, &|_, _| {}).await.unwrap_err();
    assert!(failure.message.contains("no https://"), "{failure:?}");
    let gone = format!("{}/artifacts/nobody.apk", simulator.base());
    assert_eq!(download(&gone, &mut file, 1 << 20, &|_, _| {}).await.unwrap_err().kind, FailureKind::NotFound);
}
