//! `.env` texts.
#![allow(clippy::unwrap_used)]

use ambit_secrets::dotenv::parse;
use proptest::prelude::*;

fn values(text: &str) -> Vec<(String, String)> {
    parse(text).unwrap().into_iter().map(|entry| (entry.name, entry.value.expose().to_owned())).collect()
}

fn errors(text: &str) -> Vec<String> {
    parse(text).unwrap_err().iter().map(ToString::to_string).collect()
}

#[test]
fn the_usual_forms_are_read() {
    let text = "\u{feff}# comment\n\nA=1\r\n B = two words # comment\nexport C='it # is'\nD=\"a\\nb \\\"c\\\" \\\\ \\$x C:\\dir\"\n\
                E=\nF=a#b\nG=`x`  # y\nH=${A}=b\nexport=word\nI=#nothing\n";
    let expected = [
        ("A", "1"),
        ("B", "two words"),
        ("C", "it # is"),
        ("D", "a\nb \"c\" \\ $x C:\\dir"),
        ("E", ""),
        ("F", "a#b"),
        ("G", "x"),
        ("H", "${A}=b"),
        ("export", "word"),
        ("I", ""),
    ];
    assert_eq!(values(text), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[test]
fn a_quoted_value_may_go_over_several_lines_and_lines_are_still_counted() {
    let entries = parse("A=\"one\ntwo\"\nB='x\n\ny'\nC=3").unwrap();
    assert_eq!(entries[0].value.expose(), "one\ntwo");
    assert_eq!(entries.iter().map(|entry| entry.line).collect::<Vec<_>>(), [1, 3, 6]);
}

#[test]
fn every_mistake_is_told_with_its_line_and_without_the_value() {
    let text = "A=1\nnonsense\nB-C=2\nA=3\nD=\"x\" hunter2\nE='open\nF=1\n";
    assert_eq!(
        errors(text),
        [
            "line 2: expected NAME=value",
            "line 3: `B-C` cannot be the name of a secret: use 1 to 128 letters, digits and underscores, not beginning with a digit",
            "line 4: A was given on line 1 already",
            "line 5: something stands after the closing \" of D",
            "line 6: the value of E has no closing '",
        ]
    );
}

proptest! {
    #[test]
    fn a_double_quoted_value_comes_back_as_it_was(names in proptest::collection::btree_set("[A-Z_][A-Z0-9_]{0,8}", 1..5), value in "\\PC{0,40}(\n\\PC{0,10}){0,2}") {
        let quoted: String = value.chars().flat_map(|c| match c {
            '"' | '\\' | '$' => vec!['\\', c],
            c => vec![c],
        }).collect();
        let text: String = names.iter().map(|name| format!("{name}=\"{quoted}\"\n")).collect();
        prop_assert_eq!(values(&text), names.into_iter().map(|name| (name, value.clone())).collect::<Vec<_>>());
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "([A-Z]{0,2}[=\"'`# \\\\\n\r]|\\PC){0,60}") {
        let lines = text.split('\n').count();
        match parse(&text) {
            Ok(entries) => prop_assert!(entries.iter().all(|entry| (1..=lines).contains(&entry.line))),
            Err(errors) => prop_assert!(errors.iter().all(|error| (1..=lines).contains(&error.line))),
        }
    }
}
