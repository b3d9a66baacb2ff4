//! Nothing of production's people may be found in a copy: who tries to let something through is stopped.

#![allow(clippy::unwrap_used)] // A test may panic.

mod cluster;

use ambit_data::CopyReport;
use cluster::Cluster;

const DECLARED: &str = "
CREATE TABLE users (id int PRIMARY KEY, email text NOT NULL UNIQUE, name text NOT NULL, phone text, settings jsonb, labels text[], bio text);
INSERT INTO users SELECT i, 'persona' || i || '@empresa.example', 'Fulana' || i || ' Mengana' || i, '+34 6' || lpad((i * 7919)::text, 8, '0'),
  jsonb_build_object('theme', 'dark'), ARRAY['red', 'blue'], 'le gusta el campo' FROM generate_series(1, 300) i;
CREATE TABLE notes (id int PRIMARY KEY, body text);
INSERT INTO notes SELECT i, 'nota ' || i FROM generate_series(1, 50) i;
";

const MASKING: &str = r#"
[public.users]
id = "integer -> keep"
email = "text -> email"
name = "text -> name"
phone = "text -> phone"
settings = "jsonb -> keep"
labels = "text[] -> keep"
bio = "text -> keep"
[public.notes]
id = "integer -> keep"
body = "text -> keep"
"#;

fn places(report: &CopyReport) -> Vec<&str> {
    report.leaks.leaks.iter().map(|l| l.found_in.as_str()).collect()
}

async fn planted(plant: &str) -> (Cluster, CopyReport) {
    let cluster = Cluster::start();
    cluster.sql("postgres", "CREATE DATABASE prod");
    cluster.sql("prod", DECLARED);
    cluster.sql("prod", plant);
    let report = cluster.copy("prod", "copied", MASKING).await.unwrap();
    assert_eq!(cluster.has_database("copied"), report.is_clean(), "what leaks is thrown away");
    (cluster, report)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leak_is_found_wherever_it_is_planted_and_told_without_its_value() {
    let cluster = Cluster::start();
    cluster.sql("postgres", "CREATE DATABASE clean");
    cluster.sql("clean", DECLARED);
    let report = cluster.copy("clean", "copied", MASKING).await.unwrap();
    assert_eq!(places(&report), Vec::<&str>::new());
    assert!(report.leaks.texts > 900 && report.leaks.sensitive == 900, "{:?}", report.leaks);

    for (n, (place, plant)) in [
        ("public.users.settings", r#"UPDATE users SET settings = '{"a": [{"contact": "write to persona7@empresa.example!"}]}' WHERE id = 250"#),
        ("public.users.settings", r#"UPDATE users SET settings = '{"Fulana7 Mengana7": 1}' WHERE id = 250"#),
        ("public.users.bio", "UPDATE users SET bio = 'amiga de FULANA12 MENGANA12, de toda la vida' WHERE id = 1"),
        ("public.users.labels", "UPDATE users SET labels = ARRAY['red', 'persona99'] WHERE id = 3"),
        ("public.notes.body", "UPDATE notes SET body = 'llamar al 600039595' WHERE id = 3"),
        ("public.notes.body", "UPDATE notes SET body = 'llamar al 6 00-03-95-95.' WHERE id = 3"),
        ("the declarations (defaults, comments, conditions, functions)", "ALTER TABLE notes ALTER body SET DEFAULT 'persona7@empresa.example'"),
    ]
    .into_iter()
    .enumerate()
    {
        let database = format!("planted{n}");
        cluster.sql("postgres", &format!("CREATE DATABASE {database} TEMPLATE clean"));
        cluster.sql(&database, plant);
        let report = cluster.copy(&database, "leaking", MASKING).await.unwrap();
        assert_eq!(places(&report), [place], "{plant}");
        assert!(!cluster.has_database("leaking"), "what leaks is thrown away");
        let told = serde_json::to_string(&report).unwrap().to_lowercase();
        assert!(!told.contains("persona7") && !told.contains("fulana") && !told.contains("600039595"), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_that_was_added_yesterday_stops_the_copy_before_anything_is_read() {
    let cluster = Cluster::start();
    cluster.sql("postgres", "CREATE DATABASE prod");
    cluster.sql("prod", DECLARED);
    cluster.sql("prod", "ALTER TABLE users ADD birth_name text; CREATE TABLE invoices (iban text); ALTER TABLE notes ALTER body TYPE varchar(99)");
    let failure = cluster.copy("prod", "copied", MASKING).await.unwrap_err();
    let said = failure.causes.join("\n");
    for name in ["public.users.birth_name", "public.invoices.iban", "public.notes.body"] {
        assert!(said.contains(name), "{name} is not named in: {said}");
    }
    assert!(!cluster.has_database("copied"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_hundred_people_share_says_nothing_and_a_column_may_be_excused_with_a_reason() {
    let (cluster, report) = planted(
        "UPDATE users SET name = 'Cuenta De Prueba' WHERE id > 150; UPDATE notes SET body = 'una cuenta de prueba más' WHERE id = 1",
    )
    .await;
    assert_eq!(places(&report), Vec::<&str>::new());
    assert_eq!(report.leaks.common, 1);

    cluster.sql("prod", "UPDATE notes SET body = 'persona7@empresa.example' WHERE id = 2");
    let excused = format!("{MASKING}\n[leaks]\nallow = {{ \"public.notes.body\" = \"addresses of machines\" }}\n");
    let report = cluster.copy("prod", "copied", &excused).await.unwrap();
    assert!(report.is_clean());
    assert_eq!(report.leaks.excused, [("public.notes.body".to_owned(), "addresses of machines".to_owned())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn words_of_which_the_database_is_made_are_nobodys_and_other_words_may_be_somebodys() {
    let plant = "
        CREATE TABLE cross_selling (dag_id int, task_id int, run_id int, state text CHECK (state <> 'gone'));
        CREATE TABLE django_migrations (name text);
        INSERT INTO django_migrations VALUES ('0271_cross_selling'), ('Can add user account');
        UPDATE users SET email = 'cross@empresa.example', name = 'dag_id, task_id, run_id', phone = 'can add user' WHERE id = 1;
        UPDATE users SET email = 'marisol@empresa.example' WHERE id = 2;";
    let masking = format!(
        "{MASKING}\n[public.cross_selling]\ndag_id = \"integer -> keep\"\ntask_id = \"integer -> keep\"\nrun_id = \"integer -> keep\"\n\
         state = \"text -> keep\"\n[public.django_migrations]\nname = \"text -> keep\"\n"
    )
    .replace("phone = \"text -> phone\"", "phone = \"text -> text\"");
    let cluster = Cluster::start();
    cluster.sql("postgres", "CREATE DATABASE prod");
    cluster.sql("prod", &format!("{DECLARED};{plant}"));
    let report = cluster.copy("prod", "copied", &masking).await.unwrap();
    assert_eq!(places(&report), Vec::<&str>::new());
    assert!(report.leaks.common >= 2, "what is passed over is counted: {:?}", report.leaks);
    for (place, plant) in [
        ("public.django_migrations.name", "INSERT INTO django_migrations VALUES ('0272_import_marisol')"),
        ("public.cross_selling.state", "INSERT INTO cross_selling (state) VALUES ('asked marisol')"),
        (
            "the declarations (defaults, comments, conditions, functions)",
            "COMMENT ON TABLE cross_selling IS 'of marisol and dag_id, task_id'",
        ),
    ] {
        cluster.sql("postgres", "CREATE DATABASE planted TEMPLATE prod");
        cluster.sql("planted", plant);
        let report = cluster.copy("planted", "leaking", &masking).await.unwrap();
        assert_eq!(places(&report), [place], "{plant}");
        cluster.sql("postgres", "DROP DATABASE planted");
    }
}
