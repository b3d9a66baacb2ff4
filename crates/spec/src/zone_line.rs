//! A record as a line of a zone file (RFC 1035, 5.1): `@ TXT "v=spf1 -all"`.

use std::net::{Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

/// The types that can be declared.
const TYPES: [&str; 5] = ["A", "AAAA", "CNAME", "TXT", "CAA"];
/// Strings of a TXT record have at most so many bytes each (RFC 1035, 3.3.14); longer ones are split by whoever sends them.
const LONGEST: usize = 2048;

/// A declared record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZoneLine {
    /// The name, whole, in small letters.
    pub host: String,
    /// `A`, `AAAA`, `CNAME`, `TXT` or `CAA`.
    pub kind: String,
    /// What it says: an address, a name without a dot at its end, a text without quotes, `0 issue "letsencrypt.org"`.
    pub content: String,
}

/// Reads a line; the error is a sentence.
pub(crate) fn read(line: &str, zone: &str) -> Result<ZoneLine, String> {
    let (name, rest) = word(line);
    let (kind, rest) = word(rest);
    if rest.is_empty() {
        return Err("a record has a name, a type and what it says: `@ TXT \"v=spf1 -all\"`".to_owned());
    }
    let kind = kind.to_ascii_uppercase();
    if !TYPES.contains(&kind.as_str()) {
        return Err(format!("records of the type {kind} are not supported yet; these are: {}", TYPES.join(", ")));
    }
    let content = match kind.as_str() {
        "A" => rest.parse::<Ipv4Addr>().map_err(|_| format!("`{rest}` is no IPv4 address"))?.to_string(),
        "AAAA" => rest.parse::<Ipv6Addr>().map_err(|_| format!("`{rest}` is no IPv6 address"))?.to_string(),
        "CNAME" => whole(rest, zone)?,
        "TXT" => text(rest)?,
        _ => authority(rest)?,
    };
    Ok(ZoneLine { host: whole(name, zone)?, kind, content })
}

/// The first word, and the rest without the space around it.
fn word(text: &str) -> (&str, &str) {
    let (word, rest) = text.trim().split_once(char::is_whitespace).unwrap_or((text.trim(), ""));
    (word, rest.trim())
}

/// A name: `@` is the zone, one with a dot at its end is whole, one that ends with the zone too.
fn whole(name: &str, zone: &str) -> Result<String, String> {
    let name = name.to_ascii_lowercase();
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.*".contains(c);
    if name != "@" && (!name.chars().all(fits) || name.split('.').rev().skip(1).any(str::is_empty) || name.len() > 253)
    {
        return Err(format!("`{}` is no name", crate::reader::shown(&name)));
    }
    Ok(match name.strip_suffix('.') {
        Some(whole) => whole.to_owned(),
        None if name == "@" => zone.to_owned(),
        None if name == zone || name.ends_with(&format!(".{zone}")) => name,
        None => format!("{name}.{zone}"),
    })
}

fn text(rest: &str) -> Result<String, String> {
    let quoted = rest.strip_prefix('"').and_then(|t| t.strip_suffix('"'));
    let text = quoted.unwrap_or(rest);
    if text.is_empty() || text.len() > LONGEST || text.contains(['"', '\\']) || text.chars().any(char::is_control) {
        return Err(format!("a TXT record says a text of 1 to {LONGEST} characters without quotes and backslashes"));
    }
    Ok(text.to_owned())
}

/// RFC 8659, 4.1: flags, tag, value.
fn authority(rest: &str) -> Result<String, String> {
    let wrong = || "a CAA record says: 0 issue \"letsencrypt.org\"".to_owned();
    let (flags, rest) = word(rest);
    let (tag, value) = word(rest);
    let flags: u8 = flags.parse().map_err(|_| wrong())?;
    let tag = tag.to_ascii_lowercase();
    if !["issue", "issuewild", "iodef"].contains(&tag.as_str()) {
        return Err(format!("`{}` is no tag of a CAA record: issue, issuewild or iodef", crate::reader::shown(&tag)));
    }
    let value = text(value).map_err(|_| wrong())?;
    Ok(format!("{flags} {tag} \"{value}\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_zone_file_are_read_as_name_servers_do() {
        let read = |line: &str| read(line, "kaia.ai").map(|l| format!("{} {} {}", l.host, l.kind, l.content));
        assert_eq!(read("@ TXT \"v=spf1 -all\"").unwrap(), "kaia.ai TXT v=spf1 -all");
        assert_eq!(read("@  caa 0 issue \"letsencrypt.org\"").unwrap(), "kaia.ai CAA 0 issue \"letsencrypt.org\"");
        assert_eq!(read("em1 CNAME u1.wl.sendgrid.net.").unwrap(), "em1.kaia.ai CNAME u1.wl.sendgrid.net");
        assert_eq!(read("mail.kaia.ai AAAA 2001:db8::7").unwrap(), "mail.kaia.ai AAAA 2001:db8::7");
        for wrong in [
            "",
            "@ TXT",
            "@ MX 10 mail",
            "x A 1.2.3",
            "a..b A 1.2.3.4",
            "@ CAA 0 other \"x\"",
            "@ CAA 999 issue \"x\"",
            "x TXT \"a\"b\"",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
