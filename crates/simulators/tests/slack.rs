//! The test server itself: what Slack would refuse, it refuses.

#![allow(clippy::unwrap_used)] // A test may panic.

use ambit_simulators::{Slack, contract};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

async fn post(url: &str, body: &str) -> String {
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).await.unwrap();
    let head = format!(
        "POST /{path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.split_whitespace().nth(1).unwrap().to_owned() + " " + answer.rsplit("\r\n").next().unwrap()
}

#[tokio::test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
async fn a_body_that_breaks_the_published_schema_is_refused() {
    let Some(schema) = contract("slack/incoming-webhook.schema.json") else { return };
    let workspace = Slack::start(Some(&schema), None).await;
    let hook = workspace.webhook();
    assert_eq!(post(&hook, "{\"text\":\"x\"}").await, "200 ok");
    assert_eq!(
        post(&hook, "{\"text\":\"x\",\"blocks\":[{\"type\":\"header\",\"words\":1}]}").await,
        "400 invalid_blocks"
    );
    assert_eq!(post(&hook, "{\"text\":\"x\",\"unfurl_links\":\"yes\"}").await, "400 invalid_blocks");
    assert_eq!(post(&hook, "{\"text\":\"\"}").await, "400 no_text");
    assert_eq!(post(&hook, "{").await, "400 invalid_payload");
    assert_eq!(workspace.texts(), ["x"]);
}
