//! Migrations that went well in staging, rehearsed on production's data before they reach it.

#![allow(clippy::unwrap_used)] // A test may panic.

#[path = "support/load.rs"]
mod load;
#[path = "support/shop.rs"]
mod shop;
mod support;

use shop::{Shop, code, text};

/// Staging and production with a table, up.
fn lots() -> Shop {
    let toml = "[environments.test]\nbranch = \"main\"\nkind = \"staging\"\n\
                [environments.prod]\nbranch = \"main\"\ngates = [\"migrations\"]\nsoak = \"1s\"\n[services.postgres]\n";
    let shop = Shop::new(&["test", "prod"], toml);
    shop.with_service_keys("migrations = \"migrations\"\n");
    shop.write("migrations/0001_lots.sql", "CREATE TABLE lots (id int PRIMARY KEY, number int NOT NULL, price int)");
    shop.version("one");
    shop.up();
    shop
}

/// The rehearsal of the newest release.
fn rehearsal(shop: &Shop) -> (Option<i32>, serde_json::Value) {
    let output = shop.ambit(&["rehearse", "-e", "prod", "--json"]);
    let said = text(&output);
    let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {said}"));
    (code(&output), report)
}

#[test]
fn what_only_productions_data_breaks_and_what_locks_its_large_tables_is_found_before_it_gets_there() {
    let shop = lots();
    let fill =
        "INSERT INTO lots SELECT n, n, 5 FROM generate_series(1, 120000) n; INSERT INTO lots VALUES (0, 1, NULL)";
    shop.ok(&["psql", "-e", "prod", "--", "-Xqc", fill, "-c", "ANALYZE lots"]);
    shop.write(
        "masking.toml",
        "language = \"en\"\n\
         [public.lots]\nid = \"integer -> keep\"\nnumber = \"integer -> keep\"\nprice = \"integer -> keep\"\n\
         [public.refinery_schema_history]\nversion = \"bigint -> keep\"\n\
         name = \"character varying(255) -> keep\"\napplied_on = \"character varying(255) -> keep\"\n\
         checksum = \"character varying(255) -> keep\"\n",
    );

    // Staging, which has no such rows, takes it.
    shop.write("migrations/0002_unique.sql", "ALTER TABLE lots ADD CONSTRAINT one UNIQUE (number)");
    shop.version("two");
    shop.ok(&["deploy", "-e", "test"]);
    let (exit, found) = rehearsal(&shop);
    let failed = &found["report"]["failed"];
    assert_eq!((exit, failed["migration"].as_str()), (Some(1), Some("2 unique")), "{found}");
    assert!(failed["error"].as_str().unwrap().contains("23505"), "{found}");

    // Corrected, it still keeps everybody waiting.
    shop.write(
        "migrations/0002_unique.sql",
        "CREATE INDEX by_number ON lots (number);\nALTER TABLE lots ALTER id TYPE bigint",
    );
    shop.version("three");
    shop.ok(&[
        "psql",
        "-e",
        "test",
        "--",
        "-Xqc",
        "ALTER TABLE lots DROP CONSTRAINT one; DELETE FROM refinery_schema_history WHERE version = 2",
    ]);
    shop.ok(&["deploy", "-e", "test"]);
    let (exit, found) = rehearsal(&shop);
    assert!(found["report"]["failed"].is_null(), "{found}");
    let dangers: Vec<&str> =
        found["report"]["dangers"].as_array().unwrap().iter().map(|d| d["what"].as_str().unwrap()).collect();
    assert_eq!(exit, Some(1));
    assert!(dangers.len() == 2 && dangers[0].contains("index") && dangers[1].contains("anew"), "{dangers:?}");
    let said = text(&shop.ambit(&["rehearse", "-e", "prod"]));
    assert!(said.contains("CONCURRENTLY") && said.contains("AccessExclusiveLock"), "{said}");

    // The gate shows it and stays closed.
    let number = shop.queue(&["deploy", "-e", "prod"]);
    let _ = shop.ambit(&["deployment", "log", &number.to_string(), "-f"]);
    let gates = text(&shop.ambit(&["deployment", "show", &number.to_string()]));
    assert!(shop.show(number)["gates"].to_string().contains("builds an index"), "{gates}");
    assert_eq!(shop.body("shop.localhost"), "one");

    // What is harmless passes, and leaves nothing behind.
    shop.write("migrations/0002_unique.sql", "ALTER TABLE lots ADD COLUMN note text");
    shop.version("four");
    shop.ok(&[
        "psql",
        "-e",
        "test",
        "--",
        "-Xqc",
        "DROP INDEX by_number; DELETE FROM refinery_schema_history WHERE version = 2",
    ]);
    shop.ok(&["deploy", "-e", "test"]);
    let (exit, found) = rehearsal(&shop);
    assert_eq!((exit, found["report"]["dangers"].as_array().unwrap().len()), (Some(0), 0), "{found}");
    assert_eq!(found["report"]["statements"][0]["locks"][0]["table"], "lots", "{found}");
    let databases = "SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database WHERE datname LIKE 'shop%'";
    for environment in ["test", "prod"] {
        let there = shop.ok(&["psql", "-e", environment, "--", "-XqAtc", databases]);
        assert_eq!(there.trim(), format!("shop-{environment}"));
    }
    let rows = shop.ok(&["psql", "-e", "prod", "--", "-XqAtc", "SELECT count(*) FROM lots"]);
    assert_eq!(rows.trim(), "120001", "production was only read");
    shop.ok(&["deploy", "-e", "prod", "--reason", "harmless"]);
    assert_eq!(shop.body("shop.localhost"), "four");
}

#[test]
fn a_migration_that_was_not_rehearsed_does_not_reach_production() {
    let shop = lots();
    shop.write("migrations/0002_note.sql", "ALTER TABLE lots ADD COLUMN note text");
    shop.version("two");
    shop.ok(&["deploy", "-e", "test"]);
    let number = shop.queue(&["deploy", "-e", "prod"]);
    let told = text(&shop.ambit(&["deployment", "log", &number.to_string(), "-f"]));
    assert!(told.contains("not rehearsed"), "there is no masking.toml: {told}");
    assert!(shop.show(number)["gates"].to_string().contains("was not rehearsed"), "{told}");
    assert_eq!(shop.body("shop.localhost"), "one");

    // With one it rehearses by itself, and the gate opens.
    shop.ok(&["data", "classify"]);
    shop.version("three");
    shop.ok(&["deploy", "-e", "test"]);
    shop.ok(&["deploy", "-e", "prod", "--reason", "rehearsed"]);
    assert_eq!(shop.body("shop.localhost"), "three");
}
