//! Addresses of databases and queues with a password in them.

use std::ops::Range;

use super::plausible::{is_placeholder, looks_random};

/// What divides the scheme from the rest.
pub(super) const MARK: &str = "://";

const SCHEMES: &[&str] = &[
    "postgres",
    "postgresql",
    "mysql",
    "mysql2",
    "mariadb",
    "redis",
    "rediss",
    "valkey",
    "amqp",
    "amqps",
    "mongodb",
    "mongodb+srv",
    "mssql",
    "sqlserver",
    "clickhouse",
    "cockroachdb",
    "nats",
    "smtp",
    "smtps",
    "ftp",
    "ftps",
    "sftp",
];

/// The password within `text` when an address with a real one has its `://` at `mark`.
pub(super) fn password(text: &[u8], mark: usize) -> Option<Range<usize>> {
    let scheme_start = text[mark.saturating_sub(24)..mark]
        .iter()
        .rposition(|byte| !byte.is_ascii_alphanumeric() && *byte != b'+')
        .map_or(mark.saturating_sub(24), |place| mark.saturating_sub(24) + place + 1);
    // SQLAlchemy writes `postgresql+psycopg2`, JDBC `jdbc:postgresql`.
    let scheme = std::str::from_utf8(&text[scheme_start..mark]).ok()?.to_ascii_lowercase();
    let known = |scheme: &str| SCHEMES.contains(&scheme);
    if !known(&scheme) && !scheme.split_once('+').is_some_and(|(base, _)| known(base)) {
        return None;
    }

    let start = mark + MARK.len();
    let rest = &text[start..text.len().min(start + 400)];
    let end = rest.iter().position(|byte| byte.is_ascii_whitespace() || b"\"'`/?#<>()\\,".contains(byte));
    // A password may hold a slash where somebody forgot to encode it; then this is no address that works.
    let authority = &rest[..end.unwrap_or(rest.len())];
    let at = authority.iter().rposition(|byte| *byte == b'@')?;
    let colon = authority[..at].iter().position(|byte| *byte == b':')?;
    let (user, password, host) = (&authority[..colon], &authority[colon + 1..at], &authority[at + 1..]);

    let host = host.split(|byte| *byte == b':').next().unwrap_or_default().to_ascii_lowercase();
    let nearby = !host.contains(&b'.')
        || [&b".local"[..], b".localhost", b".test", b".invalid", b".example"].iter().any(|end| host.ends_with(end))
        || memchr::memmem::find(&host, b"example.").is_some()
        || host == b"127.0.0.1"
        || host == b"0.0.0.0";
    let real = if nearby {
        looks_random(password)
    } else {
        password.len() >= 4 && password != user && !host.contains(&b'{') && !host.contains(&b'$')
    };
    (real && !is_placeholder(password)).then(|| start + colon + 1..start + at)
}
