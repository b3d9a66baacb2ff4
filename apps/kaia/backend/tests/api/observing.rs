//! What those who run it are told.

use serde_json::{Value, json};

use crate::support::{kaia, until};

fn items(envelope: &str) -> Vec<(String, Value)> {
    let lines: Vec<Value> = envelope.lines().filter_map(|l| serde_json::from_str(l).ok()).collect();
    lines[1..].chunks(2).map(|c| (c[0]["type"].as_str().unwrap_or_default().to_owned(), c[1].clone())).collect()
}

#[test]
fn sentry_gets_every_failure_and_a_sample_of_traces() {
    for (kind, rate) in [("development", 0.0), ("staging", 1.0), ("production", 0.1)] {
        let variables =
            [("NODE_ENV", kind), ("SENTRY_DSN", "{dsn}"), ("SENTRY_ENV", "named"), ("AMBIT_RELEASE", "abc")];
        let Some(mut kaia) = kaia(&variables) else { return };
        let ana = kaia.account("ana@kaia.test").access;
        for _ in 0..400 {
            kaia.get("/me").bearer(&ana).send().expect(200);
        }
        kaia.simulator.fail("/v1/places", 1);
        kaia.get("/places?query=x").bearer(&ana).send().expect(503);
        // What waits is sent before the end.
        kaia.signal("-TERM");
        until("it ends", || kaia.process.try_wait().ok().flatten());
        let all: Vec<_> = kaia.simulator.requests("/api/42/envelope/").iter().flat_map(|r| items(&r.body)).collect();
        if rate == 0.0 {
            assert!(all.is_empty(), "{all:?}");
            continue;
        }
        let traces = all.iter().filter(|(kind, _)| kind == "transaction").count();
        let expected = 400.0 * rate;
        assert!((f64::from(u32::try_from(traces).unwrap()) - expected).abs() < 35.0, "{kind}: {traces} of {expected}");
        let (_, event) = all.iter().find(|(kind, _)| kind == "event").expect("it is there");
        assert_eq!((&event["environment"], &event["server_name"]), (&json!("named"), &json!(kind)));
        assert_eq!(event["transaction"], "GET /api/v1/places");
        assert!(event["release"].as_str().is_some_and(|r| r.ends_with("+abc")), "{event}");
        assert!(!json!(all.iter().map(|a| &a.1).collect::<Vec<_>>()).to_string().contains("ana@kaia.test"));
        let sent = kaia.simulator.requests("/api/42/envelope/").pop().expect("it is there");
        let key = "sentry_key=0123456789abcdef0123456789abcdef";
        assert!(sent.headers.get("x-sentry-auth").is_some_and(|v| v.contains(key)), "{sent:?}");
    }
}

#[test]
fn traces_go_to_the_collector_where_apm_is_on() {
    let Some(kaia) = kaia(&[("APM_ENABLED", "true"), ("RATE_LIMIT_ENABLED", "true")]) else { return };
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    kaia.get("/events").header("traceparent", parent).send().expect(401);
    let span = until("a span", || {
        let sent = kaia.simulator.requests("/v1/traces").into_iter().map(|r| r.json());
        let spans =
            sent.flat_map(|s| s["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().cloned().unwrap_or_default());
        spans.into_iter().find(|s| s["name"] == "GET /api/v1/events")
    });
    assert_eq!(
        (&span["traceId"], &span["parentSpanId"]),
        (&json!("4bf92f3577b34da6a3ce929d0e0e4736"), &json!("00f067aa0ba902b7"))
    );
    assert!(
        span["attributes"].to_string().contains(r#"{"key":"http.response.status_code","value":{"intValue":"401"}}"#),
        "{span}"
    );
    let Some(mut kaia) = crate::support::kaia(&[("APM_ENABLED", "false")]) else { return };
    kaia.get("/events").send().expect(401);
    kaia.signal("-TERM");
    until("it ends", || kaia.process.try_wait().ok().flatten());
    assert!(kaia.simulator.requests("/v1/traces").is_empty());
}

#[test]
fn a_failure_is_in_the_log_under_the_id_that_the_client_got() {
    let Some(kaia) = kaia(&[("LOG_LEVEL", "error"), ("GOOGLE_MAPS_API_KEY", "")]) else { return };
    let ana = kaia.account("ana@kaia.test").access;
    let answer = kaia.get("/places?query=secreto").bearer(&ana).send().expect(503);
    let id = answer.header("x-request-id").unwrap_or_default().to_owned();
    let log = kaia.log();
    let line: Value = log
        .lines()
        .filter_map(|l| serde_json::from_str(l).ok())
        .find(|l: &Value| l["request_id"] == id.as_str())
        .expect("a line");
    assert_eq!((&line["level"], &line["route"]), (&json!("ERROR"), &json!("/api/v1/places")));
    assert!(!log.contains("secreto"), "{log}");
}
