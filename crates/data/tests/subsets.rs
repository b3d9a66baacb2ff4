//! Smaller copies: everything that a row points to comes with it, however tables point to one another.

#![allow(clippy::unwrap_used)] // A test may panic.

mod cluster;

use ambit_data::Choice;
use cluster::Cluster;

const DECLARED: &str = "
CREATE TABLE country (code text PRIMARY KEY);
CREATE TABLE account (id int PRIMARY KEY, country text REFERENCES country, parent_id int REFERENCES account, owner_id int);
CREATE TABLE member (id int PRIMARY KEY, account_id int NOT NULL REFERENCES account, buddy_id int REFERENCES member, mentor_id int REFERENCES member);
ALTER TABLE account ADD FOREIGN KEY (owner_id) REFERENCES member;
CREATE TABLE product (sku text, region int, PRIMARY KEY (sku, region));
CREATE TABLE purchase (id int, at date, member_id int NOT NULL REFERENCES member, sku text, region int,
  PRIMARY KEY (id, at), FOREIGN KEY (sku, region) REFERENCES product) PARTITION BY RANGE (at);
CREATE TABLE purchase_old PARTITION OF purchase FOR VALUES FROM ('2000-01-01') TO ('2025-01-01');
CREATE TABLE purchase_new PARTITION OF purchase FOR VALUES FROM ('2025-01-01') TO ('2030-01-01');
CREATE TABLE line (purchase_id int, purchase_at date, n int, FOREIGN KEY (purchase_id, purchase_at) REFERENCES purchase);
CREATE TABLE chain (id int PRIMARY KEY, next_id int REFERENCES chain DEFERRABLE INITIALLY DEFERRED);
BEGIN;
INSERT INTO country SELECT 'c' || i FROM generate_series(1, 20) i;
ALTER TABLE account DISABLE TRIGGER ALL; ALTER TABLE member DISABLE TRIGGER ALL;
INSERT INTO account SELECT i, 'c' || (1 + i % 20), nullif(i / 3, 0), CASE WHEN i % 50 = 0 THEN 1 + (i * 7) % 4000 END FROM generate_series(1, 1000) i;
INSERT INTO member SELECT i, 1 + i % 1000, CASE WHEN i % 50 = 0 THEN 1 + (i * 13) % 4000 END, nullif(i / 2, 0) FROM generate_series(1, 4000) i;
ALTER TABLE account ENABLE TRIGGER ALL; ALTER TABLE member ENABLE TRIGGER ALL;
INSERT INTO product SELECT 's' || i, i % 5 FROM generate_series(1, 500) i;
INSERT INTO purchase SELECT i, date '2024-01-01' + i % 700, 1 + i % 4000, CASE WHEN i % 3 > 0 THEN 's' || (1 + i % 500) END, (1 + i % 500) % 5 FROM generate_series(1, 20000) i;
INSERT INTO line SELECT id, at, n FROM purchase, generate_series(1, 2) n;
INSERT INTO chain SELECT i, nullif(i + 1, 3001) FROM generate_series(1, 3000) i;
COMMIT; ANALYZE;
";

const MASKING: &str = r#"
[public.country]
code = "text -> keep"
[public.account]
id = "integer -> keep"
country = "text -> keep"
parent_id = "integer -> keep"
owner_id = "integer -> keep"
[public.member]
id = "integer -> keep"
account_id = "integer -> keep"
buddy_id = "integer -> keep"
mentor_id = "integer -> keep"
[public.product]
sku = "text -> keep"
region = "integer -> keep"
[public.purchase]
id = "integer -> keep"
at = "date -> keep"
member_id = "integer -> keep"
sku = "text -> keep"
region = "integer -> keep"
[public.line]
purchase_id = "integer -> keep"
purchase_at = "date -> keep"
n = "integer -> keep"
[public.chain]
id = "integer -> keep"
next_id = "integer -> keep"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_sample_is_smaller_and_no_row_is_an_orphan() {
    let cluster = Cluster::start();
    cluster.sql("postgres", "CREATE DATABASE prod");
    cluster.sql("prod", DECLARED);
    let choice = Choice { percent: Some(2.0), conditions: Vec::new() };
    let report = cluster.copy_some("prod", "copied", MASKING, choice.clone()).await.unwrap();
    // Every foreign key was checked when the copy was built: an orphan would have failed it.
    let keys = "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND convalidated";
    assert_eq!(cluster.sql("copied", keys), cluster.sql("prod", keys));
    let rows = |table: &str| report.tables.iter().find(|t| t.table == table).map(|t| (t.rows, t.of)).unwrap();
    assert_eq!(rows("public.country"), (20, 20), "a list is taken whole");
    assert!(rows("public.member").0 < 3_000, "{:?}", report.tables);
    let (purchases, of) = rows("public.purchase");
    assert_eq!(of, 20_000);
    assert!(purchases > 0 && purchases < 4_000, "{purchases} purchases");
    let lines = cluster.sql("copied", "SELECT count(*) FROM line");
    assert!(lines.parse::<u64>().unwrap() > 0);

    cluster.copy_some("prod", "again", MASKING, choice).await.unwrap();
    assert_eq!(cluster.dump("copied", &[]), cluster.dump("again", &[]), "the same rows every time");
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_choose_rows_and_what_belongs_to_them() {
    let cluster = Cluster::start();
    cluster.sql("postgres", "CREATE DATABASE prod");
    cluster.sql("prod", DECLARED);
    let condition = |table: &str, sql: &str| Choice { percent: None, conditions: vec![(table.into(), sql.into())] };
    cluster.copy_some("prod", "copied", MASKING, condition("chain", "id >= 2990")).await.unwrap();
    assert_eq!(cluster.sql("copied", "SELECT count(*) FROM chain"), "11");
    assert_eq!(
        cluster.sql("copied", "SELECT count(*) FROM purchase"),
        "20000",
        "what has nothing to do with it is whole"
    );
    // The other end: everything that it points to, three thousand steps away.
    cluster.copy_some("prod", "copied", MASKING, condition("public.chain", "id = 1")).await.unwrap();
    assert_eq!(cluster.sql("copied", "SELECT count(*) FROM chain"), "3000");

    cluster.copy_some("prod", "copied", MASKING, condition("purchase", "member_id = 17")).await.unwrap();
    let belongs = "SELECT count(*), count(*) FILTER (WHERE member_id = 17) FROM purchase";
    assert_eq!(cluster.sql("copied", belongs), "5|5");
    assert_eq!(cluster.sql("copied", "SELECT count(*) FROM line"), "10");

    let wrong = cluster.copy_some("prod", "wrong", MASKING, condition("purchases", "true")).await.unwrap_err();
    assert!(wrong.message.contains("no table purchases"), "{wrong:?}");
    let wrong = cluster.copy_some("prod", "wrong", MASKING, condition("purchase", "membr_id = 17")).await.unwrap_err();
    assert!(wrong.message.contains("membr_id"), "{wrong:?}");
    let wrong = cluster
        .copy_some("prod", "wrong", MASKING, condition("purchase", "true); DROP TABLE line; --"))
        .await
        .unwrap_err();
    assert!(wrong.message.contains("syntax error"), "{wrong:?}");
    assert!(!cluster.has_database("wrong"));
}
