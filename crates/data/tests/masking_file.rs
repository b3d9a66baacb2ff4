//! `masking.toml`: read, compared with the database, written, added to.

mod support;

use ambit_data::column::{ColumnFacts, Shape};
use ambit_data::masking::{Difference, Language, Masker, MaskingFile, Proposal, Rule, agreed, compare, merge, render};
use support::{TEXT, column, masker, name};

fn parsed(text: &str) -> MaskingFile {
    MaskingFile::parse(text).unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// Each problem as `line:column message (help)`.
fn problems(text: &str) -> Vec<String> {
    let shown = MaskingFile::parse(text).expect_err("problems").into_iter().map(|p| {
        let before = &text[..p.span.start];
        let line = before.matches('\n').count() + 1;
        let column = before.len() - before.rfind('\n').map_or(0, |i| i + 1) + 1;
        let help = p.help.map(|h| format!(" ({h})")).unwrap_or_default();
        format!("{line}:{column} `{}` {}{help}", &text[p.span], p.message)
    });
    shown.collect()
}

#[test]
fn a_line_says_type_and_masker() {
    let file = parsed(
        r#"
language = "es"
[public.users]
id = "uuid -> keep"
birth = "date -> date-shift(180, by=id)"
"e mail.x" = "character varying(80) -> email"
kind = '"odd -> type" -> keep'
[leaks]
allow = { "public.users.timezone" = "names of time zones" }
"#,
    );
    assert_eq!(file.language(), Language::Spanish);
    let columns: Vec<&str> = file.entries().map(|e| e.name.column.as_str()).collect();
    assert_eq!(columns, ["id", "birth", "e mail.x", "kind"]);
    let birth = file.get(&name("public.users.birth")).unwrap();
    assert_eq!(birth.data_type, "date");
    assert_eq!(birth.rule, Rule::Mask(Masker::DateShift { days: 180, by: Some("id".into()) }));
    assert_eq!(file.entries().last().unwrap().data_type, "\"odd -> type\"");
    assert_eq!(file.excused(&name("public.users.timezone")), Some("names of time zones"));
    assert_eq!(file.excused(&name("public.users.id")), None);
}

#[test]
fn all_problems_are_told_at_once_and_where() {
    let text = r#"language = "fr"
users = "text -> email"
[public.users]
a = "text"
b = "text -> emial"
c = 3
d = "text -> date-shift(0)"
e = "text -> email keep"
f = 'text -> fixed("x'
g = "jsonb -> json(a: email, a: keep)"
h.i = "text -> keep"
j = "text -> number(5..2)"
[leaks]
allow = { "users.a" = "no schema", "public.users.a" = "" }
"#;
    insta::assert_debug_snapshot!(problems(text));
    assert!(problems("[a\n")[0].starts_with("1:"), "{:?}", problems("[a\n"));
}

#[test]
fn every_rule_is_written_as_it_is_read() {
    for rule in [
        "email",
        "phone",
        "name",
        "first-name",
        "last-name",
        "company",
        "username",
        "address",
        "street",
        "city",
        "postcode",
        "text",
        "number(-1.50..20)",
        "noise(10%)",
        "date-shift(30)",
        "date-shift(30, by=\"user id\")",
        "ip",
        "ip(prefix)",
        "uuid",
        "id",
        "digits",
        "token",
        "url",
        "password",
        "password(unusable)",
        "json",
        "json([*].a: email, b.*: keep, \"c.d\".@keys: id, *: text)",
        "hstore(a: email, *: keep)",
        "composite(\"a b\": keep, c: id)",
        "bytes",
        "enum",
        "null",
        "fixed(\"a\\\"b\\\\\\n\")",
        "template(\"{{x}}-{hash:12}{digits:3}{first-name}{last-name}\")",
        "hash",
        "coordinates",
    ] {
        assert_eq!(masker(rule).to_string(), rule);
    }
}

fn users() -> Vec<ColumnFacts> {
    let mut email = column("public.users.email", "text", TEXT);
    email.unique = true;
    let mut login = column("public.logins.email", "character varying(40)", Shape::Text { longest: Some(40) });
    login.references = Some(name("public.users.email"));
    vec![email, column("public.users.bio", "text", TEXT), login]
}

fn found(text: &str, columns: &[ColumnFacts]) -> Vec<(String, Difference, bool)> {
    let findings = compare(&parsed(text), columns);
    findings.into_iter().map(|f| (format!("{}.{}", f.name.table, f.name.column), f.what, f.stops)).collect()
}

#[test]
fn a_copy_stops_at_what_nobody_classified_and_at_what_changed() {
    let right = "[public.users]\nemail = 'text -> email'\nbio = 'text -> text'\n[public.logins]\nemail = 'character varying(40) -> email'\n";
    assert_eq!(found(right, &users()), []);
    use Difference::*;
    assert_eq!(
        found("[public.users]\nemail = 'text -> email'\nbio = 'jsonb -> text'\nold = 'text -> keep'\n", &users()),
        [
            ("users.bio".to_owned(), TypeChanged, true),
            ("logins.email".to_owned(), Unclassified, true),
            ("users.old".to_owned(), Vanished, false)
        ]
    );
    let wrong = "[public.users]\nemail = 'text -> text'\nbio = 'text -> date-shift(3, by=nobody)'\n[public.logins]\nemail = 'character varying(40) -> email'\n";
    assert_eq!(
        found(wrong, &users()),
        [
            ("users.email".to_owned(), Unfit, true),
            ("users.bio".to_owned(), SubjectMissing, true),
            ("logins.email".to_owned(), ReferenceBroken, true)
        ]
    );
}

#[test]
fn messages_say_what_and_what_next() {
    let findings = compare(&parsed("[public.users]\nemail = 'text -> text'\n"), &users());
    let shown: Vec<String> =
        findings.iter().map(|f| format!("{} ({})", f.message, f.hint.as_deref().unwrap_or_default())).collect();
    insta::assert_debug_snapshot!(shown);
}

#[test]
fn both_sides_of_a_foreign_key_make_the_same_pseudonym() {
    let agreed = agreed(&users());
    let value = "somebody@empresa.es";
    for rule in ["email", "name", "username", "hash"] {
        let (one, other) = (support::ready(rule, &agreed[0]).unwrap(), support::ready(rule, &agreed[2]).unwrap());
        assert_eq!(support::made(&one, value), support::made(&other, value), "{rule}");
    }
    assert!(agreed[2].unique && agreed[0].shape == Shape::Text { longest: Some(40) });
    assert_eq!(agreed[1], users()[1], "who references nobody stays");
}

fn proposal(dotted: &str, rule: &str) -> Proposal {
    let rule = if rule == "keep" { Rule::Keep } else { Rule::Mask(masker(rule)) };
    let reason = "named so, and\n98 % of 200 values look it".to_owned();
    Proposal { name: name(dotted), data_type: "text".into(), rule, confidence: 0.95, reason }
}

#[test]
fn proposals_are_written_as_a_file_to_review() {
    let mut hostile = proposal("public.users.x", "fixed(\"a'b\\\"\")");
    hostile.name.column = "we\"ird]\n= 'naïve'.col".to_owned();
    hostile.name.table = "a.b".to_owned();
    hostile.data_type = "\"ty->pe\"".to_owned();
    let proposals = [
        proposal("public.users.id", "keep"),
        proposal("public.users.email", "email"),
        proposal("audit.log.who", "name"),
        hostile,
    ];
    let text = render(Language::Spanish, &proposals);
    insta::assert_snapshot!(text);
    let file = parsed(&text);
    for p in &proposals {
        let entry = file.get(&p.name).unwrap();
        assert_eq!((&entry.data_type, &entry.rule), (&p.data_type, &p.rule));
    }
}

#[test]
fn what_is_new_is_added_and_the_rest_is_left_byte_for_byte() {
    let text = "# ours\r\nlanguage='es'\r\n\r\n[public.users] # people\r\n  id='uuid -> keep'   # decided\r\nold = \"text -> keep\"\r\n\r\n[leaks]\r\nallow = {}";
    let proposals = [
        proposal("public.users.id", "email"),
        proposal("public.users.email", "email"),
        proposal("public.orders.note", "text"),
    ];
    let merged = merge(text, &proposals).unwrap();
    assert_eq!(merged.added, [name("public.users.email"), name("public.orders.note")]);
    assert_eq!(merged.vanished, [name("public.users.old")]);
    insta::assert_snapshot!(merged.text.replace('\r', "␍"));
    // Without what was added, every byte is there.
    let added: Vec<&str> = merged.text.split_inclusive('\n').filter(|l| l.contains("0.95:")).collect();
    let left = added.iter().fold(merged.text.clone(), |text, line| text.replace(line, ""));
    assert_eq!(left.replace("\r\n\r\n[public.orders]\r\n", ""), text);
    // A second time there is nothing to add.
    assert_eq!(merge(&merged.text, &proposals).unwrap().text, merged.text);
}

#[test]
fn a_table_that_has_no_header_gets_no_lines_but_a_problem() {
    for text in ["[public]\nusers = { id = 'uuid -> keep' }\n", "[public]\nusers.id = 'uuid -> keep'\n"] {
        let problems = merge(text, &[proposal("public.users.email", "email")]).unwrap_err();
        assert!(problems[0].help.as_deref().unwrap().contains("[public.users]"), "{problems:?}");
    }
    let empty = merge("", &[proposal("public.users.email", "email")]).unwrap();
    assert_eq!(parsed(&empty.text).entries().count(), 1);
    let header = merge("[public.users]", &[proposal("public.users.email", "email")]).unwrap();
    assert_eq!(parsed(&header.text).entries().count(), 1);
}

#[test]
fn kaia_s_own_file_names_every_column_of_its_migrations() {
    let file = parsed(include_str!("../../../apps/kaia/masking.toml"));
    let declared = |table: &str, column: &str| file.get(&name(&format!("public.{table}.{column}"))).is_some();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../apps/kaia/backend/migrations");
    let mut columns = 0;
    let mut migrations: Vec<_> = std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).collect();
    migrations.sort();
    for path in migrations {
        let text = std::fs::read_to_string(&path).unwrap();
        let mut table = "";
        for line in text.lines().map(str::trim) {
            let words: Vec<_> = line.split([' ', '(']).collect();
            match words[..] {
                ["CREATE", "TABLE", of, ..] | ["ALTER", "TABLE", of, ..] => table = of,
                ["ADD", "COLUMN", column, ..] => {
                    assert!(declared(table, column), "{}: {table}.{column}", path.display());
                    columns += 1;
                }
                [column, "bigint" | "text" | "bytea" | "boolean" | "integer" | "timestamptz", ..] => {
                    assert!(declared(table, column.trim()), "{}: {table}.{column}", path.display());
                    columns += 1;
                }
                _ => {}
            }
        }
    }
    assert!(columns > 40, "{columns} columns were found");
}
