//! Which request goes where.

#![allow(clippy::unwrap_used, reason = "also in what the tests share")]

mod support;

use ambit_proxy::table::{RoutingTable, TableError, Target};
use support::{App, Proxy, app, route, site};

#[tokio::test(flavor = "multi_thread")]
async fn a_request_goes_to_its_host_and_longest_path() {
    let (one, two, below) = (App::named("one").await, App::named("two").await, App::echo().await);
    let proxy = Proxy::start(vec![
        app("one.localhost", &[one.address]),
        app("two.localhost", &[two.address]),
        route("x/dev/below", "two.localhost", "/api/v1", Target::App { upstreams: vec![below.address] }),
    ]);
    assert_eq!(proxy.get("one.localhost", "/").await.body, "one");
    assert_eq!(proxy.get("ONE.localhost.:8080", "/x?y").await.body, "one");
    assert_eq!(proxy.get("two.localhost", "/api").await.body, "two");
    assert_eq!(proxy.get("two.localhost", "/api/v12").await.body, "two");
    let told = proxy.get("two.localhost", "/api/v1/users?a=%20b").await;
    assert!(told.body.starts_with("GET /users?a=%20b\n"), "{}", told.body);
    assert!(told.body.contains("x-forwarded-prefix: /api/v1\n"), "{}", told.body);
    assert!(proxy.get("two.localhost", "/api/v1?q").await.body.starts_with("GET /?q\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_host_or_path_gets_a_page_that_tells_nothing() {
    let (one, below) = (App::named("one").await, App::named("below").await);
    let proxy = Proxy::start(vec![
        app("secret-name.localhost", &[one.address]),
        route("x/dev/below", "paths.localhost", "/here", Target::App { upstreams: vec![below.address] }),
    ]);
    for (host, path) in [("other.localhost", "/"), ("paths.localhost", "/"), ("paths.localhost", "/hereafter")] {
        let told = proxy.get(host, path).await;
        assert_eq!(told.status, 404);
        assert_eq!(told.body, "404 Not Found\n");
        assert!(!told.head.contains("ambit") && !told.head.contains("server"), "{}", told.head);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_absolute_form_overrules_the_host_header() {
    let (one, two) = (App::named("one").await, App::echo().await);
    let proxy = Proxy::start(vec![app("one.localhost", &[one.address]), app("two.localhost", &[two.address])]);
    let answer =
        proxy.raw("GET http://two.localhost:81/a?b HTTP/1.1\r\nHost: one.localhost\r\nConnection: close\r\n\r\n").await;
    assert!(answer.contains("GET /a?b\n") && answer.contains("host: two.localhost:81\n"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_can_be_read_in_two_ways_is_refused_where_paths_lead_apart() {
    let (one, two) = (App::named("public").await, App::named("admin").await);
    let proxy = Proxy::start(vec![
        app("a.localhost", &[one.address]),
        route("x/dev/admin", "a.localhost", "/admin", Target::App { upstreams: vec![two.address] }),
        app("b.localhost", &[one.address]),
    ]);
    for path in ["/x/../admin", "/x/%2e%2e/admin", "/x/..%2fadmin", "/./admin"] {
        assert_eq!(proxy.get("a.localhost", path).await.status, 400, "{path}");
    }
    assert_eq!(proxy.get("b.localhost", "/x/../y").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_outside_production_say_so_and_keep_robots_away() {
    let one = App::named("one").await;
    let files = tempfile::tempdir().unwrap();
    std::fs::write(files.path().join("index.html"), "hello").unwrap();
    let hidden = |mut route: ambit_proxy::table::Route| {
        route.noindex = true;
        route
    };
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let proxy = Proxy::start(vec![
        hidden(app("app.localhost", &[one.address])),
        hidden(app("down.localhost", &[free])),
        hidden(site("site.localhost", "/", files.path(), false)),
        app("prod.localhost", &[one.address]),
    ]);
    for (host, path, status) in [
        ("app.localhost", "/", 200),
        ("down.localhost", "/", 503),
        ("site.localhost", "/", 200),
        ("site.localhost", "/nothing", 404),
    ] {
        let told = proxy.get(host, path).await;
        assert_eq!(told.status, status, "{host}{path}");
        assert_eq!(told.header("x-robots-tag"), Some("noindex"), "{host}{path}");
        assert_eq!(told.header("x-ambit-environment"), Some("dev"), "{host}{path}");
    }
    let told = proxy.get("prod.localhost", "/").await;
    assert_eq!((told.header("x-robots-tag"), told.header("x-ambit-environment")), (None, None));
}

#[test]
fn a_table_survives_being_stored_and_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("routes.json");
    let table = RoutingTable::new(vec![
        app("a.localhost", &["127.0.0.1:3000".parse().unwrap()]),
        site("b.localhost", "/downloads", folder.path(), true),
    ]);
    table.store(&path).unwrap();
    assert_eq!(RoutingTable::load(&path).unwrap(), table);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file stays behind");
}

#[test]
fn a_newer_table_is_refused_for_what_it_is_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("routes.json");
    let newer = r#"{"format": 2, "routes": "something else altogether"}"#;
    std::fs::write(&path, newer).unwrap();
    assert!(matches!(RoutingTable::load(&path), Err(TableError::Newer { found: 2 })));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), newer);
}

#[test]
fn a_table_that_cannot_be_served_as_written_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("routes.json");
    let twice = RoutingTable::new(vec![app("a.localhost", &[]), app("a.localhost", &[])]);
    assert!(matches!(twice.store(&path), Err(TableError::Duplicate { .. })));
    for (host, at) in [
        ("UPPER.localhost", "/"),
        ("a.localhost:80", "/"),
        ("", "/"),
        ("a.localhost", "downloads"),
        ("a.localhost", "/downloads/"),
        ("a.localhost", "/a//b"),
        ("a.localhost", "/../b"),
        ("a.localhost", "/a\r\nb"),
    ] {
        let table = RoutingTable::new(vec![route("x", host, at, Target::App { upstreams: vec![] })]);
        assert!(matches!(table.store(&path), Err(TableError::Invalid { .. })), "{host}{at}");
    }
    assert!(!path.exists());
}
