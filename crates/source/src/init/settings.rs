//! What `.env` files say, without what they keep secret.
//!
//! A draft is committed. A value goes into it only where it is plainly harmless: a word, a number, an address. Whatever else
//! a file holds is taken for a secret and only its name is kept.

use std::{collections::BTreeMap, fs, path::Path};

/// Which environment a file is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum For {
    /// None in particular.
    All,
    /// dev.
    Dev,
    /// test.
    Test,
    /// prod.
    Prod,
}

/// Files in the order in which a later one overrides an earlier one.
const FILES: &[(&str, For)] = &[
    (".env.example", For::All),
    (".env.sample", For::All),
    (".env.template", For::All),
    (".env", For::All),
    (".env.production", For::Prod),
    (".env.prod", For::Prod),
    (".env.test", For::Test),
    (".env.staging", For::Test),
    (".env.development", For::Dev),
    (".env.dev", For::Dev),
    (".env.local", For::Dev),
];

/// One variable: its values by what they are for.
pub(super) type Values = BTreeMap<For, String>;

/// Names and values of the `.env` files in a folder of the tree.
pub(super) fn read(tree: &Path, folder: &Path, notes: &mut Vec<String>) -> BTreeMap<String, Values> {
    let mut all: BTreeMap<String, Values> = BTreeMap::new();
    for (file, about) in FILES {
        let Ok(text) = fs::read_to_string(tree.join(folder).join(file)) else { continue };
        let found = parse(&text);
        if found.is_empty() {
            continue;
        }
        let shown = folder.join(file);
        notes.push(format!(
            "{}: names and harmless values are taken over, secrets without their values",
            shown.display()
        ));
        for (name, value) in found {
            all.entry(name).or_default().insert(*about, value);
        }
    }
    all
}

fn parse(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let line = line.trim();
        let line = line.strip_prefix("export ").unwrap_or(line);
        let Some((name, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) else { continue };
        let name = name.trim();
        let plain = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !plain {
            continue;
        }
        let value = value.trim();
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
        let value = match quote {
            Some(quote) => {
                let mut rest = value.get(1..).unwrap_or_default().to_owned();
                // A quoted value may go over several lines, as a private key does.
                while !rest.contains(quote) {
                    let Some(next) = lines.next() else { break };
                    rest.push('\n');
                    rest.push_str(next);
                }
                rest.split(quote).next().unwrap_or_default().to_owned()
            }
            None => value.split(" #").next().unwrap_or_default().trim_end().to_owned(),
        };
        found.push((name.to_owned(), value));
    }
    found
}

/// Whether a variable has to be kept secret.
pub(super) fn is_secret(name: &str, values: &Values) -> bool {
    let name = name.to_uppercase();
    let words = ["KEY", "DSN", "AUTH", "SALT", "SID", "CERT"];
    let parts =
        ["SECRET", "TOKEN", "PASS", "PWD", "APIKEY", "CREDENTIAL", "PRIVATE", "WEBHOOK", "SIGNING", "ACCESS_KEY"];
    name.split('_').any(|w| words.contains(&w))
        || parts.iter().any(|p| name.contains(p))
        || !values.values().all(|v| is_harmless(v))
}

/// Words, numbers, addresses and lists of them.
fn is_harmless(value: &str) -> bool {
    value.len() <= 200
        && value.split([',', ';', ' ']).all(|part| {
            let rest = part.split_once("://").map_or(part, |(_, rest)| rest);
            // A user, a query or a fragment in an address may carry what opens it.
            let address = rest.split('/').next().unwrap_or_default();
            let bare = rest.len() == part.len() || !(address.contains('@') || rest.contains(['?', '#']));
            bare && rest.split(|c: char| !c.is_ascii_alphanumeric()).all(is_word) && !rest.contains(char::is_control)
        })
}

/// Short, or long without looking random.
fn is_word(run: &str) -> bool {
    let mixed = run.contains(|c: char| c.is_ascii_digit()) && run.contains(|c: char| c.is_ascii_alphabetic());
    run.len() < if mixed { 12 } else { 20 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(name: &str, value: &str) -> bool {
        is_secret(name, &Values::from([(For::All, value.to_owned())]))
    }

    #[test]
    fn what_looks_like_a_secret_keeps_its_value_to_itself() {
        for (name, value) in [
            ("GITHUB", "ghp_abcdefghijklmnopqrstuvwxyz0123456789"),
            ("AWS_ACCESS", "AKIAIOSFODNN7EXAMPLE"),
            ("APIKEY", "x"),
            ("SMTP_PWD", "hunter2"),
            ("STRIPE_PASSWORD", ""),
            ("SENTRY", "https://abc@o1.ingest.example/1"),
            ("MONGO", "mongodb+srv://u:p@cluster/db"),
            ("HOOK", "https://hooks.example.com/services/T000/B000/abcdefghij0123456789"),
            ("LINK", "https://example.com/?sig=1"),
            ("PEM", "-----BEGIN\nabc"),
            ("UUID", "9f8e7d6c5b4a39281706f5e4d3c2b1a0"),
        ] {
            assert!(secret(name, value), "{name}={value}");
        }
        for (name, value) in [
            ("NODE_ENV", "production"),
            ("LOG_LEVEL", "debug"),
            ("CORS_ORIGIN", "https://dev.kaia.ai,http://localhost:8081"),
            ("JWT_EXPIRES_IN", "7d"),
            ("DEBUG", ""),
            ("MODEL", "gpt-4o-2024-08-06"),
            ("TITLE", "Mi Tienda ñandú"),
            ("MAIL_FROM", "hola@kaia.ai"),
        ] {
            assert!(!secret(name, value), "{name}={value}");
        }
    }

    #[test]
    fn quoted_values_go_over_several_lines_and_comments_are_left_out() {
        let found = parse("# a\nexport A=1 # one\nB=\"x\ny\"\nC='q # q'\nnot a line\n1X=2\n");
        let found: Vec<_> = found.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(found, [("A", "1"), ("B", "x\ny"), ("C", "q # q")]);
    }
}
