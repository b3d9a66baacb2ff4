//! Secrets, which can be written and not read, and variables. A sealed box is really opened.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{
    door::{Asked, empty, wrong},
    state::{Repository, Secret},
};
use crate::http::Reply;

pub(super) fn answer(state: &mut Repository, asked: &Asked<'_>, below: &str) -> Option<Reply> {
    let place = below.starts_with("/environments").then(|| asked.value("environment_name"));
    if place.as_ref().is_some_and(|name| !state.environments.contains_key(name)) {
        return Some(wrong(404, "Not Found"));
    }
    let last: Vec<&str> = below.rsplit('/').take(2).collect();
    let last = format!("{}/{}", last.get(1).unwrap_or(&""), last.first().unwrap_or(&""));
    match last.as_str() {
        "secrets/public-key" => Some(key(state)),
        _ if below.contains("/secrets") => secret(state, asked, place.as_deref()),
        _ => variable(state, asked, place.as_deref()),
    }
}

fn key(state: &Repository) -> Reply {
    let (id, key) = state.public_key();
    Reply::json(200, &json!({ "key_id": id, "key": STANDARD.encode(key.as_bytes()) }))
}

fn sound(name: &str) -> bool {
    !name.to_ascii_uppercase().starts_with("GITHUB_")
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn secret(state: &mut Repository, asked: &Asked<'_>, place: Option<&str>) -> Option<Reply> {
    let at = state.moment();
    let name = asked.value("secret_name").to_ascii_uppercase();
    if asked.method == "put" {
        if !sound(&name) {
            return Some(wrong(
                422,
                "Secret names can only contain alphanumeric characters or underscores and must not start with GITHUB_ or a number.",
            ));
        }
        if asked.text("key_id") != state.public_key().0 {
            return Some(wrong(422, "The key_id is not that of the current public key"));
        }
        let sealed = STANDARD.decode(asked.text("encrypted_value")).ok();
        let Some(value) = sealed.and_then(|sealed| state.open(&sealed)) else {
            return Some(wrong(422, "The value is not sealed for the public key"));
        };
        let all = all_secrets(state, place)?;
        let known = all.get(&name).map(|s| s.created_at.clone());
        let status = if known.is_some() { 204 } else { 201 };
        all.insert(name, Secret { value, created_at: known.unwrap_or_else(|| at.clone()), updated_at: at });
        return Some(if status == 201 { Reply::json(201, &json!({})) } else { empty(204) });
    }
    let all = all_secrets(state, place)?;
    let read = |name: &str, secret: &Secret| json!({ "name": name, "created_at": secret.created_at, "updated_at": secret.updated_at });
    Some(match (asked.method, name.is_empty()) {
        ("get", true) => {
            let listed: Vec<Value> = all.iter().map(|(name, secret)| read(name, secret)).collect();
            asked.list(listed, Some("secrets"))
        }
        ("get", false) => match all.get(&name) {
            Some(secret) => Reply::json(200, &read(&name, secret)),
            None => wrong(404, "Not Found"),
        },
        ("delete", false) => match all.remove(&name) {
            Some(_) => empty(204),
            None => wrong(404, "Not Found"),
        },
        _ => return None,
    })
}

fn all_secrets<'a>(
    state: &'a mut Repository,
    place: Option<&str>,
) -> Option<&'a mut std::collections::BTreeMap<String, Secret>> {
    match place {
        Some(name) => state.environments.get_mut(name).map(|e| &mut e.secrets),
        None => Some(&mut state.secrets),
    }
}

fn variable(state: &mut Repository, asked: &Asked<'_>, place: Option<&str>) -> Option<Reply> {
    let all = match place {
        Some(name) => &mut state.environments.get_mut(name)?.variables,
        None => &mut state.variables,
    };
    let name = asked.value("name").to_ascii_uppercase();
    let there = all.contains_key(&name);
    let at = "2026-01-01T00:00:00Z";
    let read =
        |(name, value): (&String, &String)| json!({ "name": name, "value": value, "created_at": at, "updated_at": at });
    Some(match (asked.method, name.is_empty()) {
        ("get", true) => asked.list(all.iter().map(read).collect(), Some("variables")),
        ("post", true) => {
            let name = asked.text("name").to_ascii_uppercase();
            if !sound(&name) {
                return Some(wrong(422, "Variable names can only contain alphanumeric characters or underscores."));
            }
            if all.contains_key(&name) {
                return Some(wrong(409, "Already exists - Variable already exists"));
            }
            all.insert(name, asked.text("value"));
            Reply::json(201, &json!({}))
        }
        (_, false) if !there => wrong(404, "Not Found"),
        ("patch", false) => {
            all.insert(name, asked.text("value"));
            empty(204)
        }
        ("delete", false) => {
            all.remove(&name);
            empty(204)
        }
        _ => return None,
    })
}
