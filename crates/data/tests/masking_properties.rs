//! What holds for every value, whatever it is.

mod support;

use std::collections::HashSet;

use ambit_data::classify::{TableSample, propose};
use ambit_data::column::{ColumnName, Shape};
use ambit_data::masking::{Language, Leaf, Mask, Masked, MaskingFile, Proposal, Rule, merge, render};
use proptest::prelude::*;
use support::{TEXT, column, mask, ready, text_mask};

/// Maskers of texts that generate their values.
const GENERATING: &[&str] = &[
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
    "date-shift(40)",
    "ip",
    "ip(prefix)",
    "uuid",
    "id",
    "digits",
    "token",
    "url",
    "hash",
    "coordinates",
    "template(\"{first-name}.{last-name}-{hash:14}\")",
];

/// Those of which a unique column may have any.
const INJECTIVE: &[&str] = &[
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
    "ip(prefix)",
    "uuid",
    "id",
    "digits",
    "token",
    "url",
    "hash",
    "template(\"{hash:14}\")",
];

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// Texts as columns have them, and texts as nobody expects them.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[A-Za-zÁÉñü]{1,12}( [A-Za-zÁÉñü]{1,12}){0,3}",
        "[a-z]{1,8}@[a-z]{1,8}\\.(es|com)",
        "\\+?[0-9]{1,15}",
        "(\\+(34|1|52|54|57|44|33|49|351|39|358) ?)?\\(?[0-9]{2,4}\\)?[ -]?[0-9]{3}[ -]?[0-9]{2,4}",
        "[0-9]{13,16}",
        "[A-Z]{2}[0-9]{2}[A-Z0-9]{11,20}",
        "[0-9XYZ][0-9]{7}[A-Z]",
        "[0-9a-f]{16,40}",
        "[0-9A-F]{8}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{12}",
        "[A-Za-z0-9_-]{1,60}",
        "https?://[a-z]{1,8}\\.[a-z]{2,3}/[a-z0-9/.?=]{0,20}",
        "(19|20)[0-9]{2}-[01][0-9]-[0-3][0-9]( [0-2][0-9]:[0-5][0-9]:00)?",
        "[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}(/[0-9]{1,2})?",
        "-?[0-9]{1,3}\\.[0-9]{1,8},-?[0-9]{1,3}\\.[0-9]{1,8}",
    ]
}

fn apply(mask: &Mask, value: &str) -> Option<String> {
    let mut out = String::from("before");
    match mask.apply(value, Some("7"), &mut out) {
        Ok(Masked::Value) => Some(out.strip_prefix("before").expect("what was there stays").to_owned()),
        Ok(Masked::Null) | Err(_) => {
            assert_eq!(out, "before");
            None
        }
    }
}

proptest! {
    #![proptest_config(config(64))]

    #[test]
    fn a_text_becomes_another_one_that_fits_and_always_the_same(value in value(), longest in 1usize..40) {
        for rule in GENERATING {
            let facts = column("public.t.c", "character varying", Shape::Text { longest: Some(longest) });
            let short: String = value.chars().take(longest).collect();
            let fitted = ready(rule, &facts).unwrap();
            let one = apply(&fitted, &short).expect(rule);
            let again = apply(&ready(rule, &facts).unwrap(), &short);
            prop_assert_eq!(Some(&one), again.as_ref());
            prop_assert!(one.chars().count() <= longest, "{}: {:?} became {:?}", rule, short, one);
            let whole = apply(&text_mask(rule), &value).expect(rule);
            prop_assert_eq!(value.is_empty(), whole.is_empty());
            if value.chars().any(|c| c.is_ascii_alphanumeric()) {
                prop_assert!(whole != value, "{}: {:?} stayed", rule, value);
            }
        }
    }

    #[test]
    fn where_values_are_unique_no_two_become_one(values in prop::collection::hash_set(value(), 2..60)) {
        for rule in INJECTIVE {
            let mut facts = column("public.t.c", "text", TEXT);
            facts.unique = true;
            let mask = ready(rule, &facts).unwrap();
            let masked: HashSet<String> = values.iter().map(|v| apply(&mask, v).expect(rule)).collect();
            prop_assert_eq!(masked.len(), values.len(), "{}", rule);
        }
    }

    #[test]
    fn neighbours_never_become_one(digits in 1usize..5, rule in prop::sample::select(&["id", "digits", "phone", "token", "postcode"][..])) {
        let mask = text_mask(rule);
        let all: HashSet<String> =
            (0..10usize.pow(digits as u32).min(2000)).map(|i| apply(&mask, &format!("{i:0digits$}")).unwrap()).collect();
        prop_assert_eq!(all.len(), 10usize.pow(digits as u32).min(2000));
    }

    #[test]
    fn integers_stay_integers_and_apart(values in prop::collection::hash_set(any::<i32>(), 1..100)) {
        for rule in ["id", "digits", "phone"] {
            let mask = mask(rule, Shape::Integer { bytes: 4 });
            let masked: HashSet<i32> = values.iter().map(|v| apply(&mask, &v.to_string()).unwrap().parse().unwrap()).collect();
            prop_assert_eq!(masked.len(), values.len());
        }
    }

    #[test]
    fn numerics_fit_their_type(value in -9_999_999i64..9_999_999, percent in 1u8..100) {
        let shape = Shape::Numeric { precision: Some(7), scale: Some(2) };
        let value = format!("{}{}.{:02}", if value < 0 { "-" } else { "" }, value.abs() / 100, value.abs() % 100);
        for rule in ["id".to_owned(), "digits".to_owned(), format!("noise({percent}%)"), "number(-5.55..99999.99)".to_owned()] {
            let masked = apply(&mask(&rule, shape.clone()), &value).unwrap();
            let (whole, fraction) = masked.trim_start_matches('-').split_once('.').unwrap();
            prop_assert!(whole.len() <= 5 && fraction.len() == 2, "{} {} became {}", rule, value, masked);
        }
    }

    #[test]
    fn addresses_stay_addresses(bits in any::<u32>(), wide in any::<u128>(), length in 0u8..=32) {
        let values = [
            std::net::Ipv4Addr::from(bits).to_string(), std::net::Ipv6Addr::from(wide).to_string(),
            format!("{}/{length}", std::net::Ipv4Addr::from(bits)),
        ];
        for rule in ["ip", "ip(prefix)"] {
            let mask = mask(rule, Shape::Network);
            for value in &values {
                let masked = apply(&mask, value).unwrap();
                prop_assert!(masked.split('/').next().unwrap().parse::<std::net::IpAddr>().is_ok());
                prop_assert_ne!(&masked, value);
            }
        }
    }

    #[test]
    fn bytes_stay_as_many_and_apart(values in prop::collection::hash_set(prop::collection::vec(any::<u8>(), 1..30), 2..40)) {
        let mask = mask("bytes", Shape::Bytes);
        let hex = |v: &Vec<u8>| format!("\\x{}", v.iter().map(|b| format!("{b:02x}")).collect::<String>());
        let masked: HashSet<String> = values.iter().map(|v| apply(&mask, &hex(v)).unwrap()).collect();
        prop_assert_eq!(masked.len(), values.len());
        prop_assert!(values.iter().all(|v| apply(&mask, &hex(v)).unwrap().len() == hex(v).len()));
    }

    #[test]
    fn nothing_panics_on_values_that_are_malformed(value in "[\\[\\]{}()\",:\\\\=>NULnul0-9eE.+a-z\u{e9}\\- \\n]{0,60}") {
        let fields = vec![("a".to_owned(), TEXT), ("b".to_owned(), Shape::Integer { bytes: 4 })];
        for (rule, shape) in [
            ("json(a: email, b[*].c: id, *: keep)", Shape::Json), ("json", Shape::Json), ("hstore(a: email)", Shape::Hstore),
            ("composite(a: email, b: id)", Shape::Composite { fields }), ("name", Shape::Array(Box::new(TEXT))),
            ("json(a: json)", TEXT), ("date-shift(3)", Shape::Date), ("bytes", Shape::Bytes), ("ip", Shape::Network),
            ("noise(10%)", Shape::Float), ("id", Shape::Integer { bytes: 2 }), ("number(1..9)", Shape::Numeric { precision: None, scale: None }),
            ("uuid", Shape::Uuid), ("coordinates", Shape::Float),
        ] {
            let mask = mask(rule, shape.clone());
            apply(&mask, &value);
            mask.visit(&value, &mut |_| {});
            Mask::kept(&shape).visit(&value, &mut |leaf| assert!(!leaf.masked));
        }
    }
}

/// JSON of any form, with few different keys so that rules meet them.
fn json() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::Value;
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9..1e9).prop_map(Value::from),
        value().prop_map(Value::from),
    ];
    scalar.prop_recursive(4, 24, 5, |inner| {
        let key = prop_oneof!["[a-d]", "[a-z]{1,4}@x\\.es", any::<String>()];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..4).prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

fn texts_of(visit: impl Fn(&mut dyn FnMut(Leaf<'_>))) -> Vec<(String, bool)> {
    let mut texts = Vec::new();
    visit(&mut |leaf| texts.push((leaf.text.to_owned(), leaf.masked)));
    texts
}

proptest! {
    #![proptest_config(config(96))]

    #[test]
    fn json_stays_json_and_changes_where_it_is_said_to(json in json()) {
        let text = json.to_string();
        for rule in ["json", "json(a: email, b.c: id, d[*]: text, *.a: name)", "json(*: keep, a: text, b.*: phone)", "json(*: keep)"] {
            let mask = mask(rule, Shape::Json);
            let masked = apply(&mask, &text).expect("JSON");
            serde_json::from_str::<serde_json::Value>(&masked).expect("JSON still");
            let before = texts_of(|leaf| mask.visit(&text, leaf));
            let after = texts_of(|leaf| Mask::kept(&Shape::Json).visit(&masked, leaf));
            prop_assert_eq!(before.len(), after.len());
            for ((old, replaced), (new, _)) in before.iter().zip(&after) {
                if *replaced {
                    prop_assert!(old != new || !old.chars().any(|c| c.is_ascii_alphanumeric()), "{}: {:?} stayed", rule, old);
                } else {
                    prop_assert_eq!(old, new);
                }
            }
        }
        // Whatever is visited is in the value: a leak check sees all strings there are.
        let mut strings = Vec::new();
        collect(&json, &mut strings);
        let visited: Vec<String> = texts_of(|leaf| Mask::kept(&Shape::Json).visit(&text, leaf)).into_iter().map(|(t, _)| t).collect();
        prop_assert!(strings.iter().all(|s| visited.contains(s)));
    }

    #[test]
    fn arrays_stay_arrays(elements in prop::collection::vec(prop::option::of(value()), 0..6)) {
        let written: Vec<String> = elements
            .iter()
            .map(|e| e.as_ref().map_or("NULL".into(), |e| format!("\"{}\"", e.replace('\\', "\\\\").replace('"', "\\\""))))
            .collect();
        let text = format!("{{{}}}", written.join(","));
        let shape = Shape::Array(Box::new(TEXT));
        let mask = mask("id", shape.clone());
        let masked = apply(&mask, &text).expect("an array");
        let after = texts_of(|leaf| Mask::kept(&shape).visit(&masked, leaf));
        let expected: Vec<String> = elements.iter().flatten().map(|e| apply(&text_mask("id"), e).unwrap()).collect();
        prop_assert_eq!(after.into_iter().map(|(t, _)| t).collect::<Vec<_>>(), expected);
        prop_assert_eq!(masked.matches("NULL").count() >= elements.iter().filter(|e| e.is_none()).count(), true);
    }

    #[test]
    fn the_file_is_read_without_panicking_and_problems_are_in_it(
        text in prop_oneof![
            any::<String>(),
            "(language = \"es\"\n)?\\[[a-z\".]{1,6}\\.[a-z\"]{1,4}\\]\n([a-z\"]{1,3} = ['\"][a-z ]{0,4}->? ?(keep|email|json|fixed|number|noise|template|date-shift|hstore)?[(a-z:,*.\\[\\]{}0-9\"\\\\%)\u{f1} ]{0,20}['\"]\n){0,4}",
        ],
    ) {
        if let Err(problems) = MaskingFile::parse(&text) {
            prop_assert!(!problems.is_empty());
            for problem in problems {
                prop_assert!(text.get(problem.span.clone()).is_some(), "{:?}", problem);
            }
        }
    }

    #[test]
    fn any_name_and_type_survives_the_file(names in prop::collection::hash_set((any::<String>(), any::<String>(), any::<String>()), 1..6), fixed in any::<String>()) {
        let proposals: Vec<Proposal> = names
            .into_iter()
            .filter(|(s, t, _)| !matches!(s.as_str(), "language") && (s.as_str(), t.as_str()) != ("leaks", "allow"))
            .map(|(schema, table, column)| Proposal {
                data_type: format!("\"{}\"", column.replace('"', "\"\"")),
                name: ColumnName { schema, table, column },
                rule: Rule::Mask(ambit_data::masking::Masker::Fixed(fixed.clone())),
                confidence: 0.5,
                reason: fixed.clone(),
            })
            .collect();
        let text = render(Language::English, &proposals);
        let file = MaskingFile::parse(&text).unwrap_or_else(|p| panic!("{p:?}\n{text}"));
        for proposal in &proposals {
            let entry = file.get(&proposal.name).expect("every column");
            prop_assert_eq!((&entry.data_type, &entry.rule), (&proposal.data_type, &proposal.rule));
        }
        // The same file comes about if columns come one after the other.
        let grown = proposals.iter().fold(String::new(), |text, p| merge(&text, std::slice::from_ref(p)).unwrap().text);
        let grown = MaskingFile::parse(&grown).unwrap();
        prop_assert!(proposals.iter().all(|p| grown.get(&p.name).is_some()));
    }

    #[test]
    fn a_proposal_is_made_for_whatever_there_is(
        table in prop_oneof![any::<String>(), "[a-z_]{1,9}"].prop_filter("a setting", |t| t != "language"), name in prop_oneof![any::<String>(), "[a-zA-Z_]{1,12}"], comment in prop::option::of(any::<String>()),
        values in prop::collection::vec(prop::option::of(value()), 0..40), unique in any::<bool>(), longest in prop::option::of(1usize..60),
    ) {
        for shape in [Shape::Text { longest }, Shape::Json, Shape::Array(Box::new(TEXT)), Shape::Integer { bytes: 8 }] {
            let mut facts = column("public.t.c", "t", shape);
            facts.name = ColumnName { schema: "public".into(), table: table.clone(), column: name.clone() };
            (facts.unique, facts.comment) = (unique, comment.clone());
            let proposals = propose(&[TableSample { columns: vec![facts], samples: vec![values.clone()] }]);
            prop_assert_eq!(proposals.len(), 1);
            prop_assert!((0.0..=1.0).contains(&proposals[0].confidence) && !proposals[0].reason.is_empty());
            let file = MaskingFile::parse(&render(Language::English, &proposals)).unwrap();
            prop_assert_eq!(&file.get(&proposals[0].name).expect("its line").rule, &proposals[0].rule);
        }
    }
}

fn collect(json: &serde_json::Value, into: &mut Vec<String>) {
    match json {
        serde_json::Value::String(text) => into.push(text.clone()),
        serde_json::Value::Array(items) => items.iter().for_each(|i| collect(i, into)),
        serde_json::Value::Object(members) => members.iter().for_each(|(key, value)| {
            into.push(key.clone());
            collect(value, into);
        }),
        _ => {}
    }
}
