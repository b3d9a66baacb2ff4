//! `backup` of an environment: how often, for how long, and where to.

use std::path::{Component, Path};

use crate::{
    diagnostic::Diagnostic,
    format,
    model::{Backup, BackupPlace, Environment},
    project::section,
    reader::{Reader, shown},
    syntax::{Item, Node},
    variables::undeclared_secret,
};

/// Where SFTP listens.
const SFTP: u16 = 22;

pub(crate) fn read(reader: &mut Reader, node: &Node) -> Option<Backup> {
    if !section(reader, node, format::BACKUP, "`backup`") {
        return None;
    }
    let keep = node.get("keep").and_then(|n| reader.duration(n, "keep"));
    let point_in_time = node.get("point-in-time").and_then(|n| reader.bool(n, "point-in-time")).unwrap_or(false);
    let smoke = node.get("smoke").and_then(|n| reader.words(n, "smoke"));
    let to = node.get("to").and_then(|to| place(reader, node, to));
    let Some(every) = node.get("every") else {
        reader.error(&node.span, "`backup` does not say `every` how often");
        return None;
    };
    Some(Backup { every: reader.duration(every, "every")?, keep, point_in_time, to, smoke })
}

fn place(reader: &mut Reader, node: &Node, to: &Node) -> Option<BackupPlace> {
    let text = reader.words(to, "to")?;
    if let Some(rest) = text.strip_prefix("s3://") {
        return s3(reader, node, to, rest);
    }
    if let Some(rest) = text.strip_prefix("sftp://") {
        return sftp(reader, node, to, rest);
    }
    unused(reader, node, &["endpoint", "region", "key", "key-secret", "host-key"], "a folder");
    let path = Path::new(&text);
    let climbs = path.components().any(|c| matches!(c, Component::ParentDir));
    if !path.is_absolute() || climbs || path.parent().is_none() || !plain(&text) || text.contains("://") {
        reader.tell(
            Diagnostic::error(to.span.clone(), format!("backups cannot go to `{}`", shown(&text)))
                .help("an absolute path, s3://bucket/path or sftp://user@host/path"),
        );
        return None;
    }
    Some(BackupPlace::Folder(path.to_path_buf()))
}

fn s3(reader: &mut Reader, node: &Node, to: &Node, rest: &str) -> Option<BackupPlace> {
    unused(reader, node, &["host-key"], "S3");
    let (bucket, path) = rest.split_once('/').unwrap_or((rest, ""));
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
    if bucket.is_empty() || !bucket.chars().all(letters) || !plain(path) {
        reader.tell(
            Diagnostic::error(to.span.clone(), format!("`s3://{}` is no bucket with a path", shown(rest)))
                .help("write s3://bucket/path"),
        );
        return None;
    }
    let region = needed(reader, node, to, "region", "eu-west-1");
    let key = needed(reader, node, to, "key", "BACKUP_KEY");
    let key_secret = needed(reader, node, to, "key-secret", "BACKUP_KEY_SECRET");
    let region = region?;
    let endpoint = match node.get("endpoint") {
        Some(endpoint) => host(reader, endpoint, "endpoint")?,
        None => format!("s3.{region}.amazonaws.com"),
    };
    let path = format!("/{}", path.trim_matches('/'));
    Some(BackupPlace::S3 { bucket: bucket.to_owned(), path, endpoint, region, key: key?, key_secret: key_secret? })
}

fn sftp(reader: &mut Reader, node: &Node, to: &Node, rest: &str) -> Option<BackupPlace> {
    unused(reader, node, &["endpoint", "region", "key-secret"], "SFTP");
    let sound = || {
        let (who, path) = rest.split_once('/')?;
        let (user, place) = who.split_once('@')?;
        let (host, port) = match place.split_once(':') {
            Some((host, port)) => (host, port.parse().ok().filter(|port| *port != 0)?),
            None => (place, SFTP),
        };
        let names = [user, host].iter().all(|name| !name.is_empty() && name.chars().all(of_a_host));
        (names && plain(path)).then(|| (user.to_owned(), host.to_owned(), port, format!("/{}", path.trim_matches('/'))))
    };
    let Some((user, host, port, path)) = sound() else {
        reader.tell(
            Diagnostic::error(to.span.clone(), format!("`sftp://{}` is no place of SFTP", shown(rest)))
                .help("write sftp://user@host/path; the key is a secret, named by `key`"),
        );
        return None;
    };
    let key = needed(reader, node, to, "key", "BACKUP_KEY");
    let host_key = needed(reader, node, to, "host-key", "the 64 digits that `ssh-keygen -l` prints in another form");
    let host_key = host_key?.to_ascii_lowercase();
    if host_key.len() != 64 || !host_key.chars().all(|c| c.is_ascii_hexdigit()) {
        let span = node.get("host-key").map_or(&to.span, |n| &n.span).clone();
        reader.error(&span, "`host-key` takes the 64 hexadecimal digits of a SHA-256 fingerprint");
        return None;
    }
    Some(BackupPlace::Sftp { user, host, port, path, key: key?, host_key })
}

/// A value that the place cannot be opened without.
fn needed(reader: &mut Reader, node: &Node, to: &Node, name: &str, example: &str) -> Option<String> {
    let Some(value) = node.get(name) else {
        reader.tell(
            Diagnostic::error(to.span.clone(), format!("`to` needs `{name}` in `backup`"))
                .help(format!("such as {name} = \"{example}\"")),
        );
        return None;
    };
    host(reader, value, name)
}

/// A word of letters, digits and what host names, regions and names of secrets hold besides.
fn host(reader: &mut Reader, node: &Node, name: &str) -> Option<String> {
    let text = reader.words(node, name)?;
    if text.chars().all(|c| of_a_host(c) || c == ':') {
        return Some(text);
    }
    reader.error(&node.span, format!("`{name}` holds a character that it cannot hold"));
    None
}

fn of_a_host(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._".contains(c)
}

/// Of a path: it becomes a line of a configuration file.
fn plain(text: &str) -> bool {
    !text.chars().any(|c| c.is_control())
}

/// Keys that another sort of place takes.
fn unused(reader: &mut Reader, node: &Node, names: &[&str], place: &str) {
    for name in names {
        if let Some(value) = node.get(name) {
            reader.error(&value.span, format!("`{name}` says nothing to {place}"));
        }
    }
}

/// Every secret that is named has to be declared for the environment.
pub(crate) fn check(reader: &mut Reader, root: &Node, environment: &Environment) {
    let Some(place) = environment.backup.as_ref().and_then(|b| b.to.as_ref()) else { return };
    let node = root.get("environments").and_then(|n| n.get(environment.name.as_str())).and_then(|n| n.get("backup"));
    let Some(node) = node else { return };
    for name in place.secrets().filter(|name| !environment.has_secret(name)) {
        let said = ["key", "key-secret"].iter().filter_map(|key| node.get(key));
        let span = said.into_iter().find(|n| matches!(&n.item, Item::Text(text) if text == name));
        let span = span.map_or(0..0, |n| n.span.clone());
        reader.tell(undeclared_secret("backup", name, span, environment));
    }
}
