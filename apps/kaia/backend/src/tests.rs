//! What people can do, tried against the database and the Redis that DATABASE_URL and REDIS_URL name. They have to be
//! empty and for nothing else: `ambit deploy` gives the tests their own.

use axum::{Router, body::Body, http::{Request, StatusCode, header}};
use serde_json::{Value, json};
use sqlx::postgres::PgPoolOptions;
use tower::ServiceExt;

use crate::{Kaia, MIGRATIONS, config::Config, routes, seed};

/// Nothing where no database is named: then there is nothing to try it against.
async fn kaia() -> Option<Router> {
    if std::env::var("DATABASE_URL").is_err() || std::env::var("REDIS_URL").is_err() {
        eprintln!("skipped: DATABASE_URL and REDIS_URL are not set");
        return None;
    }
    let mut config = Config::from_environment().expect("the variables are given");
    config.rate_limit = true;
    let database = PgPoolOptions::new().max_connections(4).connect(&config.database_url).await.expect("a database");
    // Tests run side by side: migrations take a lock of their own.
    MIGRATIONS.run(&database).await.expect("the migrations run");
    let client = redis::Client::open(config.redis_url.as_str()).expect("an address");
    let cache = client.get_connection_manager().await.expect("a Redis");
    Some(routes(Kaia { config, database, cache, hashing: tokio::sync::Semaphore::new(2) }))
}

async fn ask(kaia: &Router, method: &str, path: &str, token: &str, body: Value) -> (StatusCode, Value) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .body(if body.is_null() { Body::empty() } else { Body::from(body.to_string()) })
        .expect("a request");
    let response = kaia.clone().oneshot(request).await.expect("an answer");
    let status = response.status();
    let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.expect("a body");
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

async fn register(kaia: &Router, email: &str) -> String {
    let new = json!({ "email": email, "name": "Ana", "password": "a long password" });
    let (status, answer) = ask(kaia, "POST", "/auth/register", "", new).await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    answer["token"].as_str().expect("a token").to_owned()
}

#[tokio::test]
async fn ready_means_that_database_and_cache_were_asked() {
    let Some(kaia) = kaia().await else { return };
    let (status, answer) = ask(&kaia, "GET", "/ready", "", Value::Null).await;
    assert_eq!((status, &answer["database"], &answer["redis"]), (StatusCode::OK, &json!(true), &json!(true)));
}

#[tokio::test]
async fn an_account_is_made_once_and_opened_with_its_password_only() {
    let Some(kaia) = kaia().await else { return };
    register(&kaia, "once@kaia.test").await;
    let again = json!({ "email": "ONCE@kaia.test", "name": "Ana", "password": "a long password" });
    assert_eq!(ask(&kaia, "POST", "/auth/register", "", again).await.0, StatusCode::CONFLICT);
    let login = |password: &str| json!({ "email": "once@kaia.test", "password": password });
    assert_eq!(ask(&kaia, "POST", "/auth/login", "", login("a wrong one")).await.0, StatusCode::UNAUTHORIZED);
    let (status, answer) = ask(&kaia, "POST", "/auth/login", "", login("a long password")).await;
    assert_eq!(status, StatusCode::OK);
    let token = answer["token"].as_str().expect("a token");
    assert_eq!(ask(&kaia, "GET", "/me", token, Value::Null).await.1["email"], "once@kaia.test");
    assert_eq!(ask(&kaia, "GET", "/me", "forged", Value::Null).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn guessing_passwords_is_slowed_down() {
    let Some(kaia) = kaia().await else { return };
    let mut last = StatusCode::OK;
    for _ in 0..7 {
        let guess = json!({ "email": "guess@kaia.test", "password": "a guess of mine" });
        last = ask(&kaia, "POST", "/auth/login", "", guess).await.0;
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn events_belong_to_who_made_them() {
    let Some(kaia) = kaia().await else { return };
    let (ana, eva) = (register(&kaia, "ana@kaia.test").await, register(&kaia, "eva@kaia.test").await);
    let event = json!({
        "title": "Reunión", "start_time": "2026-10-20T10:00:00Z", "end_time": "2026-10-20T10:30:00Z"
    });
    let (status, made) = ask(&kaia, "POST", "/events", &ana, event.clone()).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let path = format!("/events/{}", made["id"]);
    assert_eq!(ask(&kaia, "GET", &path, &ana, Value::Null).await.1["title"], "Reunión");
    for method in ["GET", "DELETE"] {
        assert_eq!(ask(&kaia, method, &path, &eva, Value::Null).await.0, StatusCode::NOT_FOUND);
    }
    assert_eq!(ask(&kaia, "GET", "/events", &eva, Value::Null).await.1, json!([]));
    let changed = ask(&kaia, "PATCH", &path, &ana, json!({ "title": "Daily" })).await.1;
    assert_eq!(changed["title"], "Daily");
    let backwards = json!({ "end_time": "2026-10-19T10:00:00Z" });
    assert_eq!(ask(&kaia, "PATCH", &path, &ana, backwards).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(ask(&kaia, "DELETE", &path, &ana, Value::Null).await.0.is_success());
    assert_eq!(ask(&kaia, "GET", &path, &ana, Value::Null).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_seed_may_run_again_and_again() {
    let Some(_) = kaia().await else { return };
    let url = std::env::var("DATABASE_URL").expect("it is set");
    let database = PgPoolOptions::new().connect(&url).await.expect("a database");
    for _ in 0..2 {
        seed::run(&database).await.expect("the seed runs");
    }
    let users: i64 = sqlx::query_scalar("SELECT count(*) FROM users WHERE email LIKE '%@kaia.ai'")
        .fetch_one(&database)
        .await
        .expect("a count");
    assert_eq!(users, 3);
}
