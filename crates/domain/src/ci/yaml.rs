//! YAML as GitHub reads workflows: written, never read. Whatever a text holds, it stays in its place: what YAML or GitHub
//! would take for its own is quoted, and an expression that somebody declared is a text.

/// What may stand in a workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Yaml {
    /// A text that GitHub looks for no expression in, because there is none: whatever looks like one is escaped.
    Text(String),
    /// An expression of GitHub's own language, or a text with some; written by Ambit alone.
    Expression(String),
    /// A text with a remark behind it.
    Noted(String, String),
    Number(u32),
    Bool(bool),
    List(Vec<Yaml>),
    /// Keys in order; empty is `{}`.
    Map(Vec<(String, Yaml)>),
}

impl Yaml {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub(super) fn expression(inside: &str) -> Self {
        Self::Expression(format!("${{{{ {inside} }}}}"))
    }

    /// The whole document; the root is a map.
    pub(super) fn document(&self) -> String {
        let mut out = String::new();
        if let Self::Map(entries) = self {
            for (key, value) in entries {
                // Jobs and the like are easier to find with a line between them.
                if !out.is_empty() {
                    out.push('\n');
                }
                entry(&mut out, key, value, 0);
            }
        }
        out
    }
}

/// A map of keys that Ambit chose.
pub(super) fn map<const N: usize>(entries: [(&str, Yaml); N]) -> Yaml {
    Yaml::Map(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

fn entry(out: &mut String, key: &str, value: &Yaml, depth: usize) {
    indent(out, depth);
    // Readers of YAML 1.1 take `on` for true; GitHub does not, and every workflow is written so.
    out.push_str(&if key == "on" { key.to_owned() } else { scalar(key) });
    out.push(':');
    value_of(out, value, depth);
}

/// What stands behind a colon, up to the end of the line or of the block.
fn value_of(out: &mut String, value: &Yaml, depth: usize) {
    match value {
        Yaml::Map(entries) if !entries.is_empty() => {
            out.push('\n');
            for (n, (key, value)) in entries.iter().enumerate() {
                if depth == 0 && n > 0 && matches!(value, Yaml::Map(inner) if inner.len() > 3) {
                    out.push('\n');
                }
                entry(out, key, value, depth + 1);
            }
        }
        Yaml::List(items) if !items.is_empty() && !items.iter().all(is_short) => {
            out.push('\n');
            for item in items {
                indent(out, depth + 1);
                out.push('-');
                match item {
                    Yaml::Map(entries) if !entries.is_empty() => {
                        for (n, (key, value)) in entries.iter().enumerate() {
                            if n == 0 {
                                out.push(' ');
                                out.push_str(&scalar(key));
                                out.push(':');
                                value_of(out, value, depth + 2);
                            } else {
                                entry(out, key, value, depth + 2);
                            }
                        }
                    }
                    other => value_of(out, other, depth + 1),
                }
            }
        }
        Yaml::Text(text) if is_block(text) => {
            out.push_str(" |\n");
            for line in escaped(text).lines() {
                if !line.is_empty() {
                    indent(out, depth + 1);
                    out.push_str(line);
                }
                out.push('\n');
            }
        }
        short => {
            out.push(' ');
            out.push_str(&inline(short));
            out.push('\n');
        }
    }
}

fn is_short(item: &Yaml) -> bool {
    matches!(item, Yaml::Text(text) if !text.contains('\n')) || matches!(item, Yaml::Number(_) | Yaml::Bool(_))
}

fn inline(value: &Yaml) -> String {
    match value {
        Yaml::Text(text) => scalar(text),
        Yaml::Expression(text) => quoted_unless_plain(text),
        Yaml::Noted(text, note) => format!("{} # {note}", scalar(text)),
        Yaml::Number(number) => number.to_string(),
        Yaml::Bool(value) => value.to_string(),
        Yaml::List(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Yaml::Map(_) => "{}".to_owned(),
    }
}

fn scalar(text: &str) -> String {
    quoted_unless_plain(&escaped(text))
}

/// GitHub evaluates `${{ … }}` wherever it finds it: one that somebody declared becomes an expression that stands for itself.
fn escaped(text: &str) -> String {
    text.replace("${{", "${{ '${{' }}")
}

fn quoted_unless_plain(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { quoted(text) }
}

/// What YAML 1.1 and 1.2 alike read as this very text without quotes.
fn is_plain(text: &str) -> bool {
    const WORDS: &[&str] = &["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let word = WORDS.contains(&text.to_ascii_lowercase().as_str());
    let expression = text.starts_with("${{ ") && text.ends_with(" }}") && !text.contains([':', '#', '"']);
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') || expression;
    let rest =
        |c: char| c.is_ascii_alphanumeric() || "_-./@ ".contains(c) || (expression && "${}'=&|!(),*".contains(c));
    begins && !word && !text.ends_with(' ') && text.chars().all(rest)
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            ' '..='~' => out.push(c),
            c if c.is_alphanumeric() && u32::from(c) <= 0xffff => out.push(c),
            c if u32::from(c) <= 0xffff => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push_str(&format!("\\U{:08x}", u32::from(c))),
        }
    }
    out.push('"');
    out
}

/// Whether a text may stand as a block of its own lines, which ends in exactly one line break.
fn is_block(text: &str) -> bool {
    let printable = |c: char| matches!(c, ' '..='~' | '\n') || (c.is_alphanumeric() && u32::from(c) <= 0xffff);
    text.ends_with('\n')
        && !text.ends_with("\n\n")
        && !text.starts_with([' ', '\n'])
        && text.chars().all(printable)
        && text.lines().all(|line| !line.ends_with(' '))
}

fn indent(out: &mut String, depth: usize) {
    out.push_str(&"  ".repeat(depth));
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> BTreeMap<String, String> {
        serde_saphyr::from_str(text).unwrap_or_else(|e| panic!("{e}\n{text}"))
    }

    #[test]
    fn what_yaml_would_take_for_something_else_is_quoted() {
        for (text, written) in [
            ("develop", "develop"),
            ("No", "\"No\""),
            ("1.10", "\"1.10\""),
            ("", "\"\""),
            ("a: b", "\"a: b\""),
            ("- a", "\"- a\""),
            ("a #b", "\"a #b\""),
            ("v*", "\"v*\""),
            ("3:25", "\"3:25\""),
            ("${{ secrets.X }}", "${{ '${{' }} secrets.X }}"),
            ("x ${{ y }}", "\"x ${{ '${{' }} y }}\""),
        ] {
            assert_eq!(scalar(text), written);
        }
        assert_eq!(inline(&Yaml::expression("secrets.X")), "${{ secrets.X }}");
    }

    #[test]
    fn lines_stand_in_a_block_of_their_own() {
        let text = map([("a", map([("run", Yaml::text("one\n\n  two\n"))]))]).document();
        assert_eq!(text, "a:\n  run: |\n    one\n\n      two\n");
    }

    proptest! {
        #[test]
        fn every_text_is_read_as_it_was_written(key in "[a-z]{1,4}", text in any::<String>(), lines in "[ -~á\n\t#:|>&*]{0,40}") {
            for text in [text, lines] {
                let written = map([(&key, Yaml::Text(text.clone()))]).document();
                let read = read(&written);
                // Carriage returns and the like are escaped, so nothing is lost on the way.
                prop_assert_eq!(read.get(&key), Some(&escaped(&text)), "{}", written);
            }
        }
    }
}
