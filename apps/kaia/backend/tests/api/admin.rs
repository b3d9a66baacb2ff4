//! The area of administrators, and the commands.

use serde_json::json;

use crate::support::{PASSWORD, PROGRAM, Servers, Tokens, kaia};

#[test]
fn administrators_see_everybody_and_nobody_else_does() {
    let Some(kaia) = kaia(&[]) else { return };
    let (ana, eva) = (kaia.account("ana@kaia.test"), kaia.account("eva_x@kaia.test"));
    kaia.event(&eva.access, "De Eva", "2030-01-01T10:00:00Z", "2030-01-01T11:00:00Z");
    for path in ["/admin/users", "/admin/events", "/admin/counts"] {
        kaia.get(path).send().expect(401);
        kaia.get(path).bearer(&ana.access).send().expect(403);
    }
    assert!(!kaia.run(&["grant-admin", "nobody@kaia.test"]).status.success());
    assert!(kaia.run(&["grant-admin", "ana@kaia.test"]).status.success());
    let admin = |path: &str| kaia.get(path).bearer(&ana.access).send().expect(200).json();
    let counts = admin("/admin/counts");
    assert_eq!((&counts["users"], &counts["events"], &counts["upcoming_events"]), (&json!(2), &json!(1), &json!(1)));
    let page = admin("/admin/users?limit=1");
    assert_eq!(page["items"][0]["email"], "eva_x@kaia.test");
    let next = admin(&format!("/admin/users?limit=1&cursor={}", page["next_cursor"].as_str().unwrap_or_default()));
    assert_eq!((&next["items"][0]["email"], &next["next_cursor"]), (&json!("ana@kaia.test"), &json!(null)));
    // `_` and `%` are what people type, not patterns.
    assert_eq!(admin("/admin/users?search=A_X@")["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(admin("/admin/users?search=n_a@")["items"].as_array().map(Vec::len), Some(0));
    assert_eq!(admin("/admin/users?search=%25")["items"].as_array().map(Vec::len), Some(0));
    assert_eq!(admin("/admin/events")["items"][0]["user_email"], "eva_x@kaia.test");
    assert!(!admin("/admin/users").to_string().contains("argon2"));
}

#[test]
fn the_seed_may_run_again_and_again_but_never_in_production() {
    let Some(kaia) = kaia(&[]) else { return };
    for _ in 0..2 {
        let out = kaia.run(&["seed"]);
        assert!(out.status.success(), "{out:?}");
    }
    assert_eq!(kaia.sql("SELECT count(*) FROM users"), "4");
    assert_eq!(kaia.sql("SELECT count(*) FROM events"), "2");
    let tokens = Tokens::of(&kaia.login("admin@kaia.ai", "kaia-dev-2025").expect(200));
    kaia.get("/admin/counts").bearer(&tokens.access).send().expect(200);
    let mut command = std::process::Command::new(PROGRAM);
    command.arg("seed").env_clear().envs(kaia.variables.iter().map(|(n, v)| (n, v))).env("NODE_ENV", "production");
    assert!(!command.output().expect("it runs").status.success());
}

#[test]
fn migrations_run_side_by_side_and_over_what_the_first_release_left() {
    let Some(servers) = Servers::shared() else { return };
    let (database, _) = servers.database();
    let first = include_str!("../../migrations/0001_users_and_events.sql");
    servers.sql(&database, first);
    servers.sql(&database, "INSERT INTO users (email, name, password_hash) VALUES ('old@kaia.test', 'Old', 'x')");
    servers.sql(&database, "CREATE TABLE _sqlx_migrations (version bigint PRIMARY KEY, description text NOT NULL, installed_on timestamptz NOT NULL DEFAULT now(), success boolean NOT NULL, checksum bytea NOT NULL, execution_time bigint NOT NULL)");
    let checksum = kaia_backend::migrate::checksum(1).expect("it is there");
    servers.sql(
        &database,
        &format!("INSERT INTO _sqlx_migrations VALUES (1, 'users and events', now(), true, '\\x{checksum}', 1)"),
    );
    let url = format!("postgresql://kaia@127.0.0.1:{}/{database}", servers.postgres_port);
    let ends: Vec<_> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    std::process::Command::new(PROGRAM).arg("migrate").env_clear().env("DATABASE_URL", &url).output()
                })
            })
            .collect();
        all.into_iter().map(|t| t.join().expect("it ends").expect("it runs")).collect()
    });
    assert!(ends.iter().all(|e| e.status.success()), "{ends:?}");
    assert_eq!(servers.sql(&database, "SELECT role, time_zone FROM users"), "user|UTC");
    assert_eq!(servers.sql(&database, "SELECT count(*) FROM pg_index WHERE NOT indisvalid"), "0");
}

#[test]
fn a_migration_while_it_serves_is_noticed_by_nobody() {
    let Some(kaia) = kaia(&[]) else { return };
    let tokens = kaia.account("ana@kaia.test");
    kaia.event(&tokens.access, "Uno", "2030-01-01T10:00:00Z", "2030-01-01T11:00:00Z");
    let list = kaia.get("/events").bearer(&tokens.access);
    list.send().expect(200);
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut asked = 0;
            while !done.load(std::sync::atomic::Ordering::Relaxed) || asked == 0 {
                list.send().expect(200);
                asked += 1;
            }
        });
        // As the next release would: prepared statements live on beside it.
        kaia.sql("ALTER TABLE events ADD COLUMN colour text; ALTER TABLE users ADD COLUMN avatar text");
        assert!(kaia.run(&["migrate"]).status.success());
        kaia.sql("CREATE INDEX CONCURRENTLY events_title ON events (title)");
        kaia.sql("ALTER TABLE events DROP COLUMN colour");
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        asking.join().expect("every answer was good");
    });
    kaia.login("ana@kaia.test", PASSWORD).expect(200);
}
