//! Each variable means something: a test for each, over HTTP where it shows there. Those of the services elsewhere are in
//! `observing`.

use std::process::Command;

use serde_json::json;

use crate::support::{Kaia, PASSWORD, PROGRAM, Request, Tokens, kaia};

/// What the program says when it is started with these variables alone.
fn refusal(variables: &[(&str, &str)]) -> String {
    let out = Command::new(PROGRAM).env_clear().envs(variables.iter().copied()).output().expect("it runs");
    assert!(!out.status.success(), "it ended well");
    String::from_utf8_lossy(&out.stderr).into_owned()
}

#[test]
fn all_that_is_wrong_is_told_at_once_with_what_was_expected_and_no_value() {
    let wrong = [
        ("NODE_ENV", "prod-SECRET"),
        ("PORT", "SECRET"),
        ("DATABASE_URL", "mysql://SECRET"),
        ("REDIS_URL", "SECRET"),
        ("JWT_EXPIRES_IN", "SECRET"),
        ("JWT_REFRESH_EXPIRES_IN", "7 SECRET"),
        ("FRONTEND_URL", "SECRET"),
        ("API_URL", "ftp://SECRET"),
        ("CORS_ORIGIN", "https://a.b/SECRET,*"),
        ("ADMIN_URL", "SECRET"),
        ("RATE_LIMIT_ENABLED", "SECRET"),
        ("RATE_LIMIT_GLOBAL", "SECRET"),
        ("RATE_LIMIT_USER", "0/m"),
        ("RATE_LIMIT_ROUTE", "1/SECRET"),
        ("LOG_LEVEL", "SECRET"),
        ("SENDGRID_API_KEY", "SECRET"),
        ("SENDGRID_FROM", "SECRET"),
        ("SENDGRID_API_URL", "SECRET"),
        ("TWILIO_ACCOUNT_SID", "SECRET"),
        ("TWILIO_FROM", "SECRET"),
        ("GOOGLE_MAPS_API_KEY", "SECRET KEY"),
        ("SENTRY_DSN", "https://sentry.io/SECRET"),
        ("SENTRY_ENV", "a/b SECRET"),
        ("APM_ENABLED", "SECRET"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "SECRET"),
    ];
    let said = refusal(&wrong);
    for (name, _) in wrong {
        let name = if name == "TWILIO_ACCOUNT_SID" { "TWILIO_AUTH_TOKEN" } else { name };
        assert!(
            said.lines().any(|l| l.trim().starts_with(&format!("{name}: expected "))
                || l.trim().starts_with(&format!("{name} is not set: expected "))),
            "{name}: {said}"
        );
    }
    assert!(said.contains("JWT_SECRET is not set") && said.contains("JWT_REFRESH_SECRET is not set"), "{said}");
    assert!(!said.contains("SECRET\"") && !said.replace("_SECRET", "").contains("SECRET"), "{said}");
}

#[test]
fn production_takes_no_weak_secret() {
    let long = "x".repeat(32);
    let with = |access: &str, refresh: &str| {
        refusal(&[("APP_ENV", "production"), ("JWT_SECRET", access), ("JWT_REFRESH_SECRET", refresh)])
    };
    let said = with("short", "short as well");
    assert!(said.contains("JWT_SECRET: expected") && said.contains("JWT_REFRESH_SECRET: expected"), "{said}");
    assert!(with(&long, &long).contains("another secret than JWT_SECRET"));
    assert!(!with(&long, &"y".repeat(32)).contains("JWT_"));
    assert!(refusal(&[("APP_ENV", "production"), ("NODE_ENV", "staging")]).contains("the same as NODE_ENV"));
}

/// The seed's own files: what they say holds, in each of the three.
#[test]
fn the_three_environments_behave_as_the_seed_says() {
    let dev = [
        ("NODE_ENV", "development"),
        ("JWT_SECRET", "dev-secret-not-secure-ok"),
        ("JWT_REFRESH_SECRET", "dev-refresh-secret"),
        ("JWT_EXPIRES_IN", "7d"),
        ("JWT_REFRESH_EXPIRES_IN", "30d"),
        ("FRONTEND_URL", "https://dev.kaia.ai"),
        ("CORS_ORIGIN", "https://dev.kaia.ai,http://localhost:8081"),
        ("RATE_LIMIT_ENABLED", "false"),
        ("LOG_LEVEL", "debug"),
        ("SENDGRID_API_KEY", "SG.dev-key"),
        ("TWILIO_ACCOUNT_SID", "dev-account"),
        ("TWILIO_AUTH_TOKEN", "dev-token"),
        ("GOOGLE_MAPS_API_KEY", "dev-maps-key"),
    ];
    let test = [
        ("NODE_ENV", "staging"),
        ("JWT_SECRET", "test-secret-more-secure"),
        ("JWT_REFRESH_SECRET", "test-refresh-secret"),
        ("JWT_EXPIRES_IN", "7d"),
        ("JWT_REFRESH_EXPIRES_IN", "30d"),
        ("CORS_ORIGIN", "https://test.kaia.ai"),
        ("RATE_LIMIT_ENABLED", "true"),
        ("LOG_LEVEL", "info"),
        ("SENDGRID_API_KEY", "SG.test-key"),
        ("TWILIO_ACCOUNT_SID", "test-account"),
        ("GOOGLE_MAPS_API_KEY", "test-maps-key"),
    ];
    let prod = [
        ("NODE_ENV", "production"),
        ("JWT_SECRET", "ultra-secure-production-secret-min-32-chars"),
        ("JWT_REFRESH_SECRET", "ultra-secure-refresh-secret-min-32-chars"),
        ("JWT_EXPIRES_IN", "24h"),
        ("JWT_REFRESH_EXPIRES_IN", "7d"),
        ("CORS_ORIGIN", "https://kaia.ai,https://admin.kaia.ai"),
        ("RATE_LIMIT_ENABLED", "true"),
        ("LOG_LEVEL", "warn"),
        ("SENDGRID_API_KEY", "SG.production-key"),
        ("TWILIO_ACCOUNT_SID", "production-account"),
        ("GOOGLE_MAPS_API_KEY", "production-maps-key"),
    ];
    let hour = 3600;
    for (variables, limited, access, refresh, origins, strangers) in [
        (
            &dev[..],
            false,
            7 * 24 * hour,
            30,
            &["https://dev.kaia.ai", "http://localhost:8081"][..],
            "https://test.kaia.ai",
        ),
        (&test[..], true, 7 * 24 * hour, 30, &["https://test.kaia.ai"][..], "http://localhost:8081"),
        (
            &prod[..],
            true,
            24 * hour,
            7,
            &["https://kaia.ai", "https://admin.kaia.ai"][..],
            "https://admin-test.kaia.ai",
        ),
    ] {
        let Some(kaia) = kaia(variables) else { return };
        let tokens = account(&kaia);
        assert_eq!(tokens["expires_in"], access);
        let days =
            kaia.sql("SELECT extract(day FROM expires_at - created_at + interval '1 minute')::int FROM refresh_tokens");
        assert_eq!(days, refresh.to_string());
        let token = tokens["access_token"].as_str().unwrap_or_default();
        let listed = kaia.get("/events").bearer(token).send().expect(200);
        assert_eq!(listed.header("ratelimit-limit").is_some(), limited, "{listed:?}");
        for origin in origins {
            let answer = kaia.get("/events").bearer(token).header("origin", origin).send().expect(200);
            assert_eq!(answer.header("access-control-allow-origin"), Some(*origin));
            let preflight = Request::new(kaia.port, "OPTIONS", "/api/v1/events")
                .header("origin", origin)
                .header("access-control-request-method", "POST")
                .header("access-control-request-headers", "authorization,content-type,idempotency-key");
            assert_eq!(preflight.send().expect(200).header("access-control-allow-origin"), Some(*origin));
        }
        let stranger = kaia.get("/events").bearer(token).header("origin", strangers).send();
        assert_eq!(stranger.header("access-control-allow-origin"), None);
        let log = kaia.log();
        match variables[0].1 {
            "development" => assert!(log.contains("INFO answered") && !log.starts_with('{'), "{log}"),
            "staging" => assert!(log.contains(r#""message":"answered""#), "{log}"),
            _ => assert!(!log.contains("answered"), "{log}"),
        }
        assert!(log.lines().all(|l| variables[0].1 == "development" || l.starts_with('{')), "{log}");
    }
}

/// An account without the mail, since the seed's keys are none.
fn account(kaia: &Kaia) -> serde_json::Value {
    let new = json!({ "email": "ana@kaia.test", "name": "Ana", "password": PASSWORD });
    kaia.post("/auth/register", &new).expect(202);
    kaia.sql("INSERT INTO users (email, name, password_hash) SELECT email, name, password_hash FROM registrations");
    kaia.login("ana@kaia.test", PASSWORD).expect(200).json()
}

#[test]
fn without_a_key_development_prints_the_mail_and_says_so() {
    let variables = [("NODE_ENV", "development"), ("SENDGRID_API_KEY", ""), ("FRONTEND_URL", "https://dev.kaia.ai")];
    let Some(kaia) = kaia(&variables) else { return };
    let new = json!({ "email": "ana@kaia.test", "name": "Ana", "password": PASSWORD });
    kaia.post("/auth/register", &new).expect(202);
    let link = crate::support::until("the mail in the log", || {
        let log = kaia.log();
        assert!(log.contains("SENDGRID_API_KEY is not set: no mail is sent"), "{log}");
        log.split_once("https://dev.kaia.ai/#verify=")
            .and_then(|(_, rest)| Some(rest.split_whitespace().next()?.to_owned()))
    });
    Tokens::of(&kaia.post("/auth/verify", &json!({ "token": link })).expect(200));
    assert!(kaia.simulator.requests("/v3/mail/send").is_empty());
    // Nowhere else: a log is no place for what people are told.
    let Some(kaia) = crate::support::kaia(&[("SENDGRID_API_KEY", "")]) else { return };
    kaia.post("/auth/register", &new).expect(202);
    let log = crate::support::until("the error in the log", || {
        Some(kaia.log()).filter(|l| l.contains("the service has no key"))
    });
    assert!(!log.contains("#verify=") && !log.contains("ana@kaia.test"), "{log}");
}

#[test]
fn the_admin_site_may_ask_its_api() {
    let Some(kaia) = kaia(&[("ADMIN_URL", "https://admin-test.kaia.ai/")]) else { return };
    let answer = kaia.get("/me").header("origin", "https://admin-test.kaia.ai").send();
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://admin-test.kaia.ai"));
    for path in ["/health", "/ready", "/openapi.json"] {
        let answer = kaia.get(path).header("origin", "https://anywhere.example").send().expect(200);
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{path}");
    }
}

#[test]
fn each_rate_is_its_own() {
    for (name, key) in [("RATE_LIMIT_GLOBAL", "all"), ("RATE_LIMIT_USER", "user"), ("RATE_LIMIT_ROUTE", "route")] {
        let Some(kaia) = kaia(&[("RATE_LIMIT_ENABLED", "true"), (name, "12/h")]) else { return };
        let (ana, eva) = (kaia.account("ana@kaia.test").access, kaia.account("eva@kaia.test").access);
        let ask = |path: &str, token: &str| kaia.get(path).bearer(token).send().status;
        let refused = (0..13).any(|_| ask("/me", &ana) == 429);
        assert!(refused, "{name}");
        assert_eq!(ask("/events", &ana) == 429, key != "route", "{name}");
        assert_eq!(ask("/me", &eva) == 429, key == "all", "{name}");
        kaia.get("/health").send().expect(200);
    }
}

#[test]
fn it_tells_who_it_is() {
    let Some(kaia) = kaia(&[("AMBIT_ENVIRONMENT", "test"), ("AMBIT_RELEASE", "abc123")]) else { return };
    for path in ["/", "/health"] {
        let about = kaia.get(path).send().expect(200).json();
        assert_eq!((&about["environment"], &about["release"]), (&json!("test"), &json!("abc123")));
    }
    let ready = kaia.get("/ready").send().expect(200).json();
    assert_eq!(ready, json!({ "environment": "test", "database": true, "redis": true, "limits": "off" }));
}

#[test]
fn links_in_mails_lead_to_the_frontend() {
    let Some(kaia) = kaia(&[("FRONTEND_URL", "https://somewhere.example/"), ("SENDGRID_FROM", "hola@kaia.test")])
    else {
        return;
    };
    kaia.account("ana@kaia.test");
    let mail = kaia.simulator.mail("ana@kaia.test", 1);
    assert!(mail.to_string().contains("https://somewhere.example/#verify="), "{mail}");
    assert_eq!(mail["from"]["email"], "hola@kaia.test");
    let sent = kaia.simulator.requests("/v3/mail/send").pop().expect("a mail");
    assert_eq!(sent.headers.get("authorization").map(String::as_str), Some("Bearer SG.test.key"));
}

#[test]
fn the_document_names_where_the_api_is() {
    let Some(kaia) = kaia(&[("API_URL", "https://api-test.kaia.ai")]) else { return };
    let document = kaia.get("/openapi.json").send().expect(200).json();
    assert_eq!(document["servers"][0]["url"], "https://api-test.kaia.ai");
    assert!(document["paths"]["/api/v1/events"]["post"].is_object());
}
