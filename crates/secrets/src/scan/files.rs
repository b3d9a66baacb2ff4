//! Files that are secrets as a whole, by their names, and committed `.env` files.

use super::{finding::Candidate, plausible::is_unset};

/// Names that say that a `.env` file shows the form and not the values.
const EXAMPLES: &[&str] = &["example", "sample", "template", "dist", "defaults", "schema", "tmpl", "tpl"];

/// Parts of variables' names that say that the value is a secret.
const SECRET_PARTS: &[&str] = &[
    "SECRET",
    "TOKEN",
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "PRIVATE_KEY",
    "API_KEY",
    "APIKEY",
    "ACCESS_KEY",
    "AUTH_KEY",
    "ENCRYPTION_KEY",
    "SIGNING_KEY",
    "CREDENTIAL",
    "ACCOUNT_SID",
];

/// Ends of variables' names that say that it is only something about a secret.
const ABOUT: &[&str] = &[
    "_EXPIRES_IN",
    "_EXPIRES",
    "_EXPIRY",
    "_TTL",
    "_LENGTH",
    "_URL",
    "_URI",
    "_PATH",
    "_FILE",
    "_NAME",
    "_HEADER",
    "_ISSUER",
    "_ALGORITHM",
    "_ENABLED",
    "_LIMIT",
    "_AGE",
    "_TYPE",
    "_SECONDS",
    "_MINUTES",
    "_HOURS",
    "_DAYS",
];

/// What a key store is called, when the file is one.
pub(super) fn key_store(path: &str) -> Option<&'static str> {
    let file = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    // The Android SDK's debugging key is the same everywhere, password and all.
    if file == "debug.keystore" {
        return None;
    }
    match file.rsplit_once('.').map(|(_, extension)| extension) {
        Some("p8") => Some("an Apple private key (.p8)"),
        Some("p12" | "pfx") => Some("a certificate with its private key"),
        Some("jks" | "keystore" | "bks") => Some("a key store"),
        Some("ppk") => Some("an SSH private key"),
        _ if ["id_rsa", "id_dsa", "id_ecdsa", "id_ed25519"].contains(&file.as_str()) => Some("an SSH private key"),
        _ => None,
    }
}

/// Whether the file holds an environment's variables: `.env`, `.env.production`, but not `.env.example`.
pub(super) fn is_env_file(path: &str) -> bool {
    let file = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    let Some(suffixes) = file.strip_prefix(".env") else { return false };
    (suffixes.is_empty() || suffixes.starts_with('.')) && !suffixes.split('.').any(|part| EXAMPLES.contains(&part))
}

/// Files that tools write and that are full of hashes: only shaped tokens are looked for there.
pub(super) fn is_machine_written(path: &str) -> bool {
    const NAMES: [&str; 11] = [
        "cargo.lock",
        "package-lock.json",
        "npm-shrinkwrap.json",
        "yarn.lock",
        "pnpm-lock.yaml",
        "composer.lock",
        "poetry.lock",
        "uv.lock",
        "go.sum",
        "gemfile.lock",
        "podfile.lock",
    ];
    let file = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    NAMES.contains(&file.as_str())
        || [".min.js", ".min.css", ".map", ".svg", ".snap"].iter().any(|end| file.ends_with(end))
}

/// The secret-looking variables of an `.env` file that have values.
pub(super) fn env_values(text: &[u8]) -> Vec<Candidate> {
    let mut found = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let line_start = start;
        start += line.len();
        let Some(equals) = memchr::memchr(b'=', &line[..line.len().min(200)]) else { continue };
        let name = String::from_utf8_lossy(&line[..equals]);
        let name = name.trim().trim_start_matches("export ").trim();
        let plain = name.to_ascii_uppercase();
        let secret =
            SECRET_PARTS.iter().any(|part| plain.contains(part)) && !ABOUT.iter().any(|end| plain.ends_with(end));
        if !secret || crate::name::check_name(name).is_err() {
            continue;
        }
        let value = &line[equals + 1..];
        let is_quote = |byte: &u8| byte.is_ascii_whitespace() || b"\"'`".contains(byte);
        let Some(first) = value.iter().position(|byte| !is_quote(byte)) else { continue };
        let length = value[first..].iter().position(is_quote).unwrap_or(value.len() - first);
        let secret = &value[first..first + length];
        if !secret.starts_with(b"#") && !is_unset(secret) {
            let start = line_start + equals + 1 + first;
            found.push(Candidate {
                start,
                end: start + length,
                what: "a secret in a committed .env file",
                name: name.to_owned(),
            });
        }
    }
    found
}
