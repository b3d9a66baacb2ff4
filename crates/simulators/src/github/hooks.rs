//! Webhooks. Their secrets are never told again.

use serde_json::{Value, json};

use super::{
    door::{Asked, empty, with, wrong},
    state::Repository,
};
use crate::http::Reply;

pub(super) fn answer(state: &mut Repository, asked: &Asked<'_>, below: &str) -> Option<Reply> {
    let id = asked.value("hook_id").parse::<u64>().unwrap_or_default();
    let place = state.hooks.iter().position(|(hook, _)| hook["id"] == id);
    Some(match (asked.method, below, place) {
        ("get", "/hooks", _) => asked.list(state.hooks.iter().map(|(hook, _)| hook.clone()).collect(), None),
        ("post", "/hooks", _) => {
            let config = asked.body["config"].clone();
            if config["url"].as_str().is_none_or(|url| !url.starts_with("https://") && !url.starts_with("http://")) {
                return Some(wrong(422, "Validation Failed: url is missing a scheme"));
            }
            if state.hooks.iter().any(|(hook, _)| hook["config"]["url"] == config["url"]) {
                return Some(wrong(422, "Validation Failed: Hook already exists on this repository"));
            }
            let (id, at) = (state.number(), state.moment());
            let url = format!("https://api.github.com/repos/{}/hooks/{id}", state.name);
            let events = asked.body["events"].as_array().cloned().unwrap_or_else(|| vec![json!("push")]);
            let hook = json!({ "type": "Repository", "id": id, "name": "web", "active": asked.body["active"] != false, "events": events,
                "config": hidden(&config), "created_at": at, "updated_at": at, "url": url, "test_url": url, "ping_url": url,
                "last_response": { "code": null, "status": "unused", "message": null } });
            state.hooks.push((hook.clone(), config["secret"].as_str().unwrap_or_default().to_owned()));
            Reply::json(201, &hook)
        }
        ("patch", "/hooks/{hook_id}", Some(place)) => {
            let at = state.moment();
            let (hook, secret) = &mut state.hooks[place];
            // A config that is given takes the place of the one before, its secret included.
            if let Some(config) = asked.body.get("config") {
                *secret = config["secret"].as_str().unwrap_or_default().to_owned();
                hook["config"] = hidden(config);
            }
            for key in ["events", "active"] {
                if let Some(value) = asked.body.get(key) {
                    hook[key] = value.clone();
                }
            }
            hook["updated_at"] = json!(at);
            Reply::json(200, hook)
        }
        ("delete", "/hooks/{hook_id}", Some(place)) => {
            state.hooks.remove(place);
            empty(204)
        }
        (_, "/hooks/{hook_id}", None) => wrong(404, "Not Found"),
        _ => return None,
    })
}

fn hidden(config: &Value) -> Value {
    let usual = json!({ "content_type": "form", "insecure_ssl": "0" });
    let mut config = with(usual, config.clone());
    if config.get("secret").is_some() {
        config["secret"] = json!("********");
    }
    config
}
