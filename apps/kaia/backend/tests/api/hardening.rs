//! Bad input, and people who mean harm.

use std::{
    sync::atomic::{AtomicI32, Ordering},
    thread,
    time::{Duration, Instant},
};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use crate::support::{Request, kaia};

const SECRET: &str = "a secret of the tests, long enough for production";

#[test]
fn a_token_that_is_not_quite_right_opens_nothing() {
    let Some(kaia) = kaia(&[]) else { return };
    let tokens = kaia.account("ana@kaia.test");
    kaia.get("/me").bearer(&tokens.access).send().expect(200);
    let session: i64 = kaia.sql("SELECT max(id) FROM sessions").parse().unwrap();
    let now = chrono::Utc::now().timestamp();
    let right = json!({ "iss": "kaia/staging", "aud": "kaia/staging/access", "sub": "1", "sid": session, "iat": now, "exp": now + 600, "jti": "x" });
    let signed = |claims: &Value, algorithm, secret: &str| {
        encode(&Header::new(algorithm), claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
    };
    kaia.get("/me").bearer(&signed(&right, Algorithm::HS256, SECRET)).send().expect(200);
    let with = |name: &str, value: Value| {
        let mut claims = right.clone();
        claims[name] = value;
        signed(&claims, Algorithm::HS256, SECRET)
    };
    let none = {
        use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as B64};
        format!("{}.{}.", B64.encode(r#"{"alg":"none","typ":"JWT"}"#), B64.encode(right.to_string()))
    };
    let half = &tokens.access[..tokens.access.len() - 2];
    let wrong = [
        ("alg none", none),
        ("another algorithm", signed(&right, Algorithm::HS512, SECRET)),
        ("another secret", signed(&right, Algorithm::HS256, "guessed")),
        ("no secret", signed(&right, Algorithm::HS256, "")),
        ("expired", with("exp", json!(now - 60))),
        ("from the future", with("iat", json!(now + 600))),
        ("another environment", with("iss", json!("kaia/production"))),
        ("a refresh token's audience", with("aud", json!("kaia/staging/refresh"))),
        ("somebody else's session", with("sub", json!("2"))),
        ("another session", with("sid", json!(session + 1))),
        ("an injected subject", with("sub", json!("1 OR 1=1"))),
        ("a refresh token", tokens.refresh.clone()),
        ("cut off", half.to_owned()),
        ("nothing", String::new()),
        ("long", "a".repeat(6000)),
    ];
    for (what, token) in wrong {
        let answer = kaia.get("/me").bearer(&token).send();
        assert_eq!(answer.status, 401, "{what}: {answer:?}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    }
    // A clock that is a little off does no harm.
    kaia.get("/me").bearer(&with("iat", json!(now + 5))).send().expect(200);
    kaia.get("/me").bearer(&with("exp", json!(now - 5))).send().expect(200);
    kaia.get("/me").header("authorization", "Basic YTpi").send().expect(401);
}

#[test]
fn ten_thousand_wrong_logins_starve_nobody() {
    let Some(kaia) = kaia(&[]) else { return };
    let tokens = kaia.account("ana@kaia.test");
    let list = kaia.get("/events").bearer(&tokens.access);
    list.send().expect(200);
    let memory = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", kaia.process.id())).unwrap_or_default();
        let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap_or_default();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or_default() / 1024
    };
    let guess = kaia.ask("POST", "/auth/login", &json!({ "email": "ana@kaia.test", "password": "a guess" }));
    let left = AtomicI32::new(10_000);
    let (answers, slowest, most) = thread::scope(|scope| {
        let mut flood = Vec::new();
        for _ in 0..200 {
            flood.push(scope.spawn(|| {
                let another = || (left.fetch_sub(1, Ordering::Relaxed) > 0).then(|| guess.send().status);
                std::iter::from_fn(another).collect::<Vec<_>>()
            }));
        }
        let (mut slowest, mut most) = (Duration::ZERO, 0);
        while !flood.iter().all(thread::ScopedJoinHandle::is_finished) {
            let start = Instant::now();
            list.send().expect(200);
            slowest = slowest.max(start.elapsed());
            most = most.max(memory());
        }
        let answers: Vec<u16> = flood.into_iter().flat_map(|t| t.join().expect("it ends")).collect();
        (answers, slowest, most)
    });
    let count = |status| answers.iter().filter(|s| **s == status).count();
    assert_eq!((answers.len(), count(401) + count(503)), (10_000, 10_000));
    assert!(count(401) > 0 && count(503) > 0, "{} {}", count(401), count(503));
    assert!(slowest < Duration::from_secs(5), "{slowest:?}");
    assert!(most < 150, "{most} MB");
}

#[test]
fn with_limits_a_guesser_is_slowed_down_and_the_others_are_not() {
    let Some(kaia) = kaia(&[("RATE_LIMIT_ENABLED", "true")]) else { return };
    kaia.account("ana@kaia.test");
    let guess = |from: &str| {
        let body = json!({ "email": "ana@kaia.test", "password": "a guess" });
        kaia.ask("POST", "/auth/login", &body).header("x-forwarded-for", from).send()
    };
    let answers: Vec<_> = (0..8).map(|_| guess("203.0.113.7").status).collect();
    assert_eq!(answers, [401, 401, 401, 401, 401, 429, 429, 429]);
    let refused = guess("203.0.113.7").expect(429);
    assert!(
        refused.header("retry-after").and_then(|v| v.parse::<u64>().ok()).is_some_and(|s| (1..=12).contains(&s)),
        "{refused:?}"
    );
    // What a client writes before the proxy's word changes nothing.
    assert_eq!(guess("198.51.100.1, 203.0.113.7").status, 429);
    guess("203.0.113.8").expect(401);
}

#[test]
fn every_answer_says_what_it_is_and_every_error_is_a_problem() {
    let Some(kaia) = kaia(&[]) else { return };
    let ana = kaia.account("ana@kaia.test").access;
    let answer = kaia.get("/me").bearer(&ana).header("x-request-id", "from-a-client-1").send().expect(200);
    for (name, value) in [
        ("x-request-id", "from-a-client-1"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
    // An id that is none is not taken over.
    let odd = kaia.get("/me").bearer(&ana).header("x-request-id", "a b{}").send();
    assert_eq!(odd.header("x-request-id").map(str::len), Some(32));
    let post = |body: &str| {
        Request::new(kaia.port, "POST", "/api/v1/auth/login").header("content-type", "application/json").body(body)
    };
    assert_eq!(kaia.get("/nowhere").send().expect(404).kind(), "not-found");
    assert_eq!(Request::new(kaia.port, "GET", "/nowhere").send().expect(404).kind(), "not-found");
    let not_allowed = kaia.ask("DELETE", "/me", &json!({})).send().expect(405);
    assert!(not_allowed.header("allow").is_some_and(|v| v.contains("GET")), "{not_allowed:?}");
    kaia.ask("POST", "/health", &json!({})).send();
    assert_eq!(post("{").send().expect(400).kind(), "malformed");
    assert_eq!(post("").send().expect(400).kind(), "malformed");
    assert_eq!(post(r#"{"email":1,"password":"x"}"#).send().expect(422).kind(), "invalid");
    assert_eq!(post(r#"{"email":"a@b.c","password":"x","x":1}"#).send().expect(422).kind(), "invalid");
    assert_eq!(post(&"[".repeat(60_000)).send().expect(422).kind(), "invalid");
    assert_eq!(post(&" ".repeat(70_000)).send().expect(413).kind(), "too-large");
    let form = Request::new(kaia.port, "POST", "/api/v1/auth/login").header("content-type", "text/plain").body("{}");
    assert_eq!(form.send().expect(415).kind(), "unsupported-media-type");
    assert_eq!(kaia.get("/me").send().expect(401).kind(), "unauthorized");
}

#[test]
fn odd_texts_are_kept_as_they_are_or_refused_and_never_run() {
    let Some(kaia) = kaia(&[]) else { return };
    let ana = kaia.account("ana@kaia.test").access;
    let make = |title: &str| {
        let event = json!({ "title": title, "start_time": "2030-01-01T10:00:00Z", "end_time": "2030-01-01T11:00:00Z" });
        kaia.ask("POST", "/events", &event).bearer(&ana).send()
    };
    for odd in [
        "'; DROP TABLE events; --",
        "🎉 ñ 漢字 \u{202e}txet",
        "<script>alert(1)</script>",
        "a\u{301}\u{200d}",
        "%s${x}{{y}}",
        "\u{1}\u{7f}",
        &"ñ".repeat(500),
    ] {
        assert_eq!(make(odd).expect(201).json()["title"], *odd);
    }
    for wrong in ["", "   ", "a\0b", &"ñ".repeat(501)] {
        make(wrong).expect(422);
    }
    assert_eq!(kaia.sql("SELECT count(*) FROM events"), "7");
    let register = |email: &str, name: &str| {
        kaia.post("/auth/register", &json!({ "email": email, "name": name, "password": "una contraseña larga" })).status
    };
    for email in ["a@b.c\r\nBcc: x@y.z", "a@b.c\0", "a@b", "x", "", "a b@c.d", &format!("{}@b.c", "a".repeat(300))] {
        assert_eq!(register(email, "Ana"), 422, "{email:?}");
    }
    assert_eq!(register("a@b.cd", "Ana\r\nBcc: x@y.z"), 422);
    for email in ["' OR 1=1 --", "\0", "%", &"a".repeat(5000)] {
        assert_eq!(kaia.login(email, "x").status, 401, "{email:?}");
    }
    for year in ["0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "+262142-01-01T00:00:00Z", "2030-02-30T00:00:00Z"] {
        let event = json!({ "title": "x", "start_time": year, "end_time": year });
        kaia.ask("POST", "/events", &event).bearer(&ana).send().expect(422);
        assert!(kaia.get(&format!("/events?from={}", year.replace('+', "%2B"))).bearer(&ana).send().status < 500);
    }
    // Nothing of this in the log.
    let log = kaia.log();
    assert!(!log.contains("contraseña") && !log.contains("ana@kaia.test") && !log.contains(&ana), "{log}");
}
