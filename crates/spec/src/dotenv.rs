//! Variables as text that other programs read.

use std::fmt::Write;

/// How variables are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `NAME=value`, quoted where it has to be, as dotenv libraries read it.
    Dotenv,
    /// One JSON object.
    Json,
    /// `export NAME='value'`, for a POSIX shell's `eval`.
    Shell,
}

/// Writes variables in their order.
#[must_use]
pub fn write(format: Format, variables: &[(String, String)]) -> String {
    let mut out = String::new();
    match format {
        Format::Json => {
            let map: serde_json::Map<String, serde_json::Value> =
                variables.iter().map(|(k, v)| (k.clone(), v.clone().into())).collect();
            out = serde_json::to_string_pretty(&map).unwrap_or_default();
            out.push('\n');
        }
        Format::Dotenv => {
            for (name, value) in variables {
                // Writing to a String cannot fail.
                let _ = writeln!(out, "{name}={}", dotenv(value));
            }
        }
        Format::Shell => {
            for (name, value) in variables {
                let _ = writeln!(out, "export {name}='{}'", value.replace('\'', r"'\''"));
            }
        }
    }
    out
}

/// Plain where every reader takes it so; in single quotes, which nothing is replaced in, where it has none itself and no
/// backslash that one reader or another would take for an escape; else in double quotes with escapes.
fn dotenv(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@,+=%?&~*!;()[]{}|<>^".contains(c);
    if value.chars().all(plain) {
        return value.to_owned();
    }
    if !value.contains(['\'', '\n', '\r']) && !value.contains(r"\\") && !value.ends_with('\\') {
        return format!("'{value}'");
    }
    let mut quoted = String::from("\"");
    for c in value.chars() {
        match c {
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '"' | '\\' | '$' | '`' => {
                quoted.push('\\');
                quoted.push(c);
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_values_stay_plain() {
        let text = write(Format::Dotenv, &[("URL".into(), "https://dev.kaia.ai,http://localhost:8081".into())]);
        assert_eq!(text, "URL=https://dev.kaia.ai,http://localhost:8081\n");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_shell_reads_back_what_was_written(value in "[^\0]{0,40}") {
            let script = format!("{}printf %s \"$NAME\"", write(Format::Shell, &[("NAME".into(), value.clone())]));
            let output = std::process::Command::new("/bin/sh").arg("-c").arg(script).output().unwrap();
            prop_assert_eq!(String::from_utf8(output.stdout).unwrap(), value);
        }

        #[test]
        fn json_reads_back_what_was_written(value in any::<String>()) {
            let text = write(Format::Json, &[("NAME".into(), value.clone())]);
            let read: serde_json::Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(read["NAME"].as_str(), Some(value.as_str()));
        }
    }
}
