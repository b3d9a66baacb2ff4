//! Colours, columns and words that screens share.

use std::{
    io::IsTerminal,
    time::{SystemTime, UNIX_EPOCH},
};

/// Colours, only on a terminal and never under NO_COLOR (no-color.org).
#[derive(Clone, Copy)]
pub(crate) struct Paint(bool);

impl Paint {
    pub(crate) fn stdout() -> Self {
        Self(std::io::stdout().is_terminal() && allowed())
    }

    pub(crate) fn stderr() -> Self {
        Self(std::io::stderr().is_terminal() && allowed())
    }

    pub(crate) fn on(self) -> bool {
        self.0
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.0 { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    pub(crate) fn good(self, text: &str) -> String {
        self.with("32", text)
    }

    pub(crate) fn bad(self, text: &str) -> String {
        self.with("1;31", text)
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    pub(crate) fn strong(self, text: &str) -> String {
        self.with("1", text)
    }

    /// One of six colours, the same for the same text.
    pub(crate) fn hashed(self, text: &str) -> String {
        let sum: u32 = text.bytes().fold(7, |sum, b| sum.wrapping_mul(31).wrapping_add(u32::from(b)));
        self.with(&(31 + sum % 6).to_string(), text)
    }
}

impl Paint {
    /// A row with its mark in the colour of how it went.
    pub(crate) fn mark(self, row: &str) -> String {
        row.replacen('✓', &self.good("✓"), 1).replacen('✗', &self.bad("✗"), 1)
    }

    /// A row with each dot in the colour of how it stands.
    pub(crate) fn dots(self, row: &str) -> String {
        row.replace('●', &self.good("●")).replace('✗', &self.bad("✗"))
    }
}

fn allowed() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()) && std::env::var_os("TERM").is_none_or(|t| t != "dumb")
}

/// Text from elsewhere on one line, with nothing in it that a terminal would obey.
pub(crate) fn plain(text: &str) -> String {
    let line = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" · ");
    line.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect()
}

/// Columns as wide as their widest cell; colours are put on afterwards.
pub(crate) fn columns(rows: &[Vec<String>], indent: &str) -> Vec<String> {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |n: usize| rows.iter().filter_map(|r| r.get(n)).map(|c| c.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..count).map(width).collect();
    rows.iter()
        .map(|row| {
            let cells: Vec<String> = row
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{cell}{}", " ".repeat(width - cell.chars().count())))
                .collect();
            format!("{indent}{}", cells.join("  ").trim_end())
        })
        .collect()
}

/// Rows below their heads.
pub(crate) fn table(heads: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    let heads = heads.iter().map(|head| (*head).to_owned()).collect();
    let all: Vec<_> = std::iter::once(heads).chain(rows).collect();
    for (n, row) in columns(&all, "").iter().enumerate() {
        println!("{}", if n == 0 { Paint::stdout().dim(row) } else { row.clone() });
    }
}

/// The time between two moments in milliseconds.
pub(crate) fn took(from: i64, to: i64) -> String {
    seconds(u64::try_from(to - from).unwrap_or(0))
}

/// A moment to the second, in universal time, the same on every screen that shows it.
pub(crate) fn moment(millis: i64) -> String {
    jiff::Timestamp::from_millisecond(millis).map_or_else(|_| "?".to_owned(), |at| format!("{at:.0}"))
}

/// `4 min ago`'s `4 min`.
pub(crate) fn ago(then: i64) -> String {
    span(now() - then)
}

/// The time to a moment that has not come yet.
pub(crate) fn until(then: i64) -> Option<String> {
    Some(then - now()).filter(|left| *left >= 1000).map(span)
}

/// Milliseconds since the Unix epoch.
pub(crate) fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(0))
}

fn span(millis: i64) -> String {
    let seconds = millis.max(0) / 1000;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

pub(crate) fn bytes(count: u64) -> String {
    match count {
        0..1024 => format!("{count} B"),
        1024..1_048_576 => format!("{} kB", count >> 10),
        1_048_576..10_737_418_240 => format!("{} MB", count >> 20),
        _ => format!("{} GB", count >> 30),
    }
}

pub(crate) fn seconds(millis: u64) -> String {
    format!("{}.{} s", millis / 1000, millis % 1000 / 100)
}
