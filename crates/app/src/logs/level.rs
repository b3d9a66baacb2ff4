//! How grave a line says that it is.

use serde::Serialize;

/// A level, the least grave first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Fatal,
}

/// Only so much of a line is looked at: where a level stands, it stands near the beginning.
const NEAR: usize = 200;

impl Level {
    /// The level with a name, as libraries write it.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        Some(match word.to_ascii_lowercase().as_str() {
            "trace" | "silly" | "verbose" => Self::Trace,
            "debug" | "debug1" | "debug2" | "debug3" | "debug4" | "debug5" => Self::Debug,
            "info" | "information" | "notice" | "log" => Self::Info,
            "warn" | "warning" => Self::Warn,
            "error" | "err" => Self::Error,
            "fatal" | "panic" | "critical" | "crit" | "alert" | "emerg" | "emergency" => Self::Fatal,
            _ => return None,
        })
    }

    /// What a line says: by its field where it is a line of JSON, else by the first word near its beginning that stands as
    /// levels do: in capitals, in brackets, after `level=`.
    #[must_use]
    pub fn of(line: &str) -> Option<Self> {
        let line = line.trim_start();
        if line.starts_with('{')
            && let Ok(serde_json::Value::Object(fields)) = serde_json::from_str(line)
        {
            return ["level", "severity", "lvl", "levelname", "log.level"]
                .iter()
                .find_map(|name| fields.get(*name))
                .and_then(|value| match value {
                    serde_json::Value::String(word) => Self::named(word),
                    serde_json::Value::Number(number) => number.as_u64().map(Self::numbered),
                    _ => None,
                });
        }
        let near: String = line.chars().take(NEAR).collect();
        near.split(|c: char| c.is_whitespace() || c == ',').find_map(|word| {
            let marked = ["level=", "lvl=", "severity="].iter().find_map(|name| word.strip_prefix(name));
            if let Some(word) = marked {
                return Self::named(word.trim_matches('"'));
            }
            let bare = word.trim_matches(|c: char| "[]():|<>".contains(c));
            let bracketed = bare.len() < word.len() && word.starts_with(['[', '(', '<']);
            let capitals = bare.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
            if capitals || bracketed { Self::named(bare) } else { None }
        })
    }

    /// As pino and bunyan number them.
    fn numbered(number: u64) -> Self {
        match number {
            0..=10 => Self::Trace,
            11..=20 => Self::Debug,
            21..=30 => Self::Info,
            31..=40 => Self::Warn,
            41..=50 => Self::Error,
            _ => Self::Fatal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_read_as_libraries_write_them() {
        for (line, level) in [
            (r#"{"level":"warn","msg":"x"}"#, Some(Level::Warn)),
            (r#"{"level":50,"msg":"x"}"#, Some(Level::Error)),
            (r#"{"severity":"CRITICAL"}"#, Some(Level::Fatal)),
            (r#"{"msg":"ERROR"}"#, None),
            ("2026-11-27T10:00:00Z  INFO kaia: started", Some(Level::Info)),
            ("2026-11-27 10:00:00.000 UTC [12] ERROR:  relation \"x\" does not exist", Some(Level::Error)),
            ("[error] 12#0: connect() failed", Some(Level::Error)),
            ("time=10:00 level=warning msg=x", Some(Level::Warn)),
            ("an error is only told of", None),
            ("GET /error 200", None),
            ("", None),
            ("{broken", None),
        ] {
            assert_eq!(Level::of(line), level, "{line}");
        }
    }
}
