//! Values that contain others: JSON, arrays, hstore, composites.

mod support;

use ambit_data::column::Shape;
use ambit_data::masking::{Leaf, Mask};
use support::{TEXT, column, leaves, made, mask, masked, ready, text_mask};

#[test]
fn json_is_masked_by_path_and_what_no_path_names_by_its_kind() {
    let mask = mask(
        "json(email: email, address.street: street, notes[*].body: text, theme: keep, age: number(18..90), gone: null)",
        Shape::Json,
    );
    let value = r#"{"email": "ana@x.es", "theme": "dark", "age": 41, "gone": {"a": ["secret"]}, "vip": true, "none": null,
 "address": {"street": "Calle Mayor 3", "zip": "28013"}, "notes": [{"body": "Llamar a Ana", "at": "2024-05-06"}],
 "other": "ana2@x.es", "score": 12.75, "ip": "83.44.12.9"}"#;
    let masked = made(&mask, value);
    let json: serde_json::Value = serde_json::from_str(&masked).unwrap();
    assert_eq!(json["email"], made(&text_mask("email"), "ana@x.es"));
    assert_eq!(json["theme"], "dark");
    assert!((18..=90).contains(&json["age"].as_i64().unwrap()));
    assert_eq!(
        (&json["gone"], &json["vip"], &json["none"]),
        (&serde_json::Value::Null, &true.into(), &serde_json::Value::Null)
    );
    assert_eq!(json["address"]["street"], made(&text_mask("street"), "Calle Mayor 3"));
    assert_eq!(json["address"]["zip"].as_str().unwrap().len(), 5);
    assert_eq!(json["notes"][0]["body"], made(&text_mask("text"), "Llamar a Ana"));
    assert_ne!(json["notes"][0]["at"], "2024-05-06");
    assert!(json["other"].as_str().unwrap().ends_with("@example.com"));
    assert_ne!(json["score"], 12.75);
    assert_eq!(json["score"].to_string().len(), 5);
    assert!(json["ip"].as_str().unwrap().starts_with("198.1"));
    for secret in ["ana", "Mayor", "28013", "Llamar", "secret", "12.75", "2024-05-06"] {
        assert!(!masked.contains(secret), "{secret} is in {masked}");
    }
    assert!(masked.contains("\n \"address\""), "what stands between stays");
}

#[test]
fn the_rest_of_json_is_kept_only_where_that_is_said() {
    let all = r#"{"a": "Ana", "b": {"c": "Pérez", "d": 12}, "e": ["x@y.es"]}"#;
    assert_eq!(made(&mask("json(*: keep)", Shape::Json), all), all);
    let some = made(&mask("json(b.*: keep)", Shape::Json), all);
    assert!(some.contains(r#""b": {"c": "Pérez", "d": 12}"#) && !some.contains("Ana") && !some.contains("x@y.es"));
    let deeper = made(&mask("json(*: keep, b.c: last-name)", Shape::Json), all);
    assert!(deeper.contains("Ana") && !deeper.contains("Pérez") && deeper.contains("12"));
    let any = made(&mask("json(*: keep, *.c: last-name)", Shape::Json), all);
    assert!(any.contains("Ana") && !any.contains("Pérez"));
    // A rule for a whole branch is one for all that it holds.
    let branch = made(&mask("json(*: keep, e: email)", Shape::Json), all);
    assert!(branch.contains("@example.com") && branch.contains("Pérez"));
    // What is said of a path is not said of an object that somebody puts there one day.
    let later = made(&mask("json(a: keep)", Shape::Json), r#"{"a": {"b": "Ana"}}"#);
    assert!(!later.contains("Ana"));
    assert_eq!(made(&mask("json(.: keep)", Shape::Json), "\"Ana\""), "\"Ana\"");
    // An outermost array.
    let array = made(&mask("json([*].n: first-name, *: keep)", Shape::Json), r#"[{"n": "Ana", "m": "Ana"}]"#);
    assert!(array.contains(r#""m": "Ana""#) && !array.contains(r#""n": "Ana""#));
}

#[test]
fn keys_of_json_that_are_somebodys_are_replaced() {
    let value = r#"{"ana@x.es": 1, "theme": "dark"}"#;
    let mask = mask("json(theme: keep)", Shape::Json);
    let masked = made(&mask, value);
    assert!(!masked.contains("ana@x.es") && masked.contains("@example.com") && masked.contains("theme"));
    assert_eq!(leaves(&mask, value), (vec!["ana@x.es".into(), "1".into()], vec!["theme".into(), "dark".into()]));
    // Where the rest is masked, so are such keys; where it is kept, they are.
    assert!(!made(&support::mask("json(*: text)", Shape::Json), value).contains("ana@x.es"));
    assert!(made(&support::mask("json(*: keep)", Shape::Json), value).contains("ana@x.es"));
    let keys = support::mask("json(by_name.@keys: first-name, *: keep)", Shape::Json);
    let masked = made(&keys, r#"{"by_name": {"Ana": 1}, "x": "Ana"}"#);
    assert!(!masked.contains(r#""Ana":"#) && masked.contains(r#""x": "Ana""#), "{masked}");
}

#[test]
fn escapes_are_read_and_written() {
    let mask = mask("json(a: id, *: keep)", Shape::Json);
    let masked = made(&mask, r#"{"a": "q\"\\\n\u00e9\ud83d\ude00/", "b": "\u0041\/"}"#);
    let json: serde_json::Value = serde_json::from_str(&masked).unwrap();
    assert_eq!(json["b"], "A/");
    assert!(masked.ends_with(r#""b": "\u0041\/"}"#), "what is kept is kept as it was written: {masked}");
    assert_eq!(json["a"].as_str().unwrap().chars().nth(1), Some('"'));
    // Half a surrogate pair, which the type `json` takes.
    assert!(serde_json::from_str::<String>(&made(&mask, r#""\ud800x""#)).is_ok());
}

#[test]
fn malformed_json_is_an_error_without_the_value_and_free_text_in_a_column_of_texts() {
    let json = mask("json(a: email)", Shape::Json);
    for bad in [
        "",
        "{",
        "{\"a\": 01}",
        "[1,]",
        "{\"secreto\" 1}",
        "\"\\x\"",
        "nul",
        "{\"a\":1} x",
        "\"tab\there\"",
        "-",
        "1.",
        "1e",
    ] {
        let mut out = String::from("x");
        let error = json.apply(bad, None, &mut out).expect_err(bad).to_string();
        assert_eq!((out.as_str(), error.contains("secreto")), ("x", false));
    }
    let deep = "[".repeat(100_000);
    assert!(json.apply(&deep, None, &mut String::new()).is_err());
    let text = text_mask("json(a: email)");
    assert!(made(&text, r#"{"a": "ana@x.es"}"#).contains("@example.com"));
    let free = made(&text, "Llamar a Ana {");
    assert!(!free.contains("Ana") && free.ends_with('{') && free.len() == 14);
    // Where pseudonyms have no room the text stays as long as it was.
    let short = ready("json(a: email)", &column("a.b.c", "varchar(18)", Shape::Text { longest: Some(18) })).unwrap();
    assert_eq!(made(&short, r#"{"a": "an@x.es"}"#).len(), 16);
}

#[test]
fn a_nested_json_text_is_masked_by_its_own_paths() {
    let mask = mask("json(raw: json(mail: email, *: keep), *: keep)", Shape::Json);
    let masked = made(&mask, r#"{"raw": "{\"mail\": \"ana@x.es\", \"n\": \"Ana\"}"}"#);
    let json: serde_json::Value = serde_json::from_str(&masked).unwrap();
    let inner: serde_json::Value = serde_json::from_str(json["raw"].as_str().unwrap()).unwrap();
    assert_eq!((&inner["mail"], &inner["n"]), (&made(&text_mask("email"), "ana@x.es").into(), &"Ana".into()));
    let object = made(&mask, r#"{"raw": {"mail": "ana@x.es"}}"#);
    assert!(object.contains("@example.com"));
}

#[test]
fn elements_of_arrays_are_masked_one_by_one() {
    let emails = mask("email", Shape::Array(Box::new(TEXT)));
    let one = made(&text_mask("email"), "a@x.es");
    assert_eq!(made(&emails, r#"{a@x.es,NULL,"a@x.es"}"#), format!("{{{one},NULL,{one}}}"));
    assert_eq!(made(&emails, "{{a@x.es},{a@x.es}}"), format!("{{{{{one}}},{{{one}}}}}"));
    assert_eq!(made(&emails, "[0:0]={a@x.es}"), format!("[0:0]={{{one}}}"));
    assert_eq!(made(&emails, "{}"), "{}");
    let names = mask("name", Shape::Array(Box::new(TEXT)));
    assert!(made(&names, r#"{"Ana \"la\" López"}"#).starts_with("{\""));
    assert_eq!(leaves(&names, r#"{"a \"b\"",c,NULL,""}"#).0, ["a \"b\"", "c", ""]);
    let gone = mask("null", Shape::Array(Box::new(TEXT)));
    assert_eq!(masked(&gone, "{a}"), None);
    for bad in ["", "a", "{", "{a", "{a}}", "{\"a}", "x={a}", "{a}b"] {
        assert!(emails.apply(bad, None, &mut String::new()).is_err(), "{bad}");
    }
}

#[test]
fn hstore_is_masked_by_key() {
    let mask = mask("hstore(mail: email, lang: keep)", Shape::Hstore);
    let one = made(&text_mask("email"), "a@x.es");
    let masked = made(&mask, r#""mail"=>"a@x.es", "lang"=>"es", "n"=>NULL, "note"=>"Ana \"la\" jefa""#);
    assert!(masked.starts_with(&format!(r#""mail"=>"{one}", "lang"=>"es", "n"=>NULL, "note"=>""#)), "{masked}");
    assert!(!masked.contains("Ana"));
    let (replaced, kept) = leaves(&mask, r#""mail"=>"a@x.es", "lang"=>"es""#);
    assert_eq!((replaced, kept), (vec!["a@x.es".to_owned()], vec!["mail".into(), "lang".into(), "es".into()]));
    assert_eq!(made(&support::mask("hstore(*: keep)", Shape::Hstore), r#""a"=>"b""#), r#""a"=>"b""#);
    for bad in ["a", "\"a\"=>", "\"a\"=>\"b", "a=>b c", "=>"] {
        assert!(mask.apply(bad, None, &mut String::new()).is_err(), "{bad}");
    }
}

#[test]
fn every_field_of_a_composite_is_named() {
    let fields =
        vec![("street".to_owned(), TEXT), ("zip".to_owned(), TEXT), ("n".to_owned(), Shape::Integer { bytes: 4 })];
    let shape = Shape::Composite { fields };
    let facts = column("public.t.c", "address", shape.clone());
    assert!(ready("composite(street: street)", &facts).err().unwrap().contains("`zip` is not named"));
    assert!(
        ready("composite(street: street, zip: keep, n: keep, x: keep)", &facts).err().unwrap().contains("no field `x`")
    );
    let mask = ready("composite(street: street, zip: keep, n: id)", &facts).unwrap();
    let masked = made(&mask, r#"("C/ Mayor, 3","28 013",)"#);
    assert!(masked.ends_with(r#","28 013",)"#) && !masked.contains("Mayor"), "{masked}");
    assert_eq!(leaves(&mask, r#"("a ""b""",c\,d,7)"#), (vec!["a \"b\"".into(), "7".into()], vec!["c,d".into()]));
    for bad in ["", "(a,b)", "(a,b,c,d)", "(\"a,b,1)", "a,b,1"] {
        assert!(mask.apply(bad, None, &mut String::new()).is_err(), "{bad}");
    }
    let people = Shape::Array(Box::new(shape));
    let mask = support::mask("composite(street: street, zip: keep, n: keep)", people.clone());
    let masked = made(&mask, r#"{"(\"C/ Mayor, 3\",\"28 013\",1)"}"#);
    assert!(masked.contains(r#"\"28 013\",1)"#) && !masked.contains("Mayor"), "{masked}");
    let mut kept = Vec::new();
    Mask::kept(&people)
        .visit(r#"{"(\"C/ Mayor, 3\",28,1)"}"#, &mut |leaf: Leaf<'_>| kept.push((leaf.text.to_owned(), leaf.masked)));
    assert_eq!(kept, [("C/ Mayor, 3".to_owned(), false), ("28".to_owned(), false), ("1".to_owned(), false)]);
}
