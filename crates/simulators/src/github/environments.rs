//! Environments and who may deploy to them.

use serde_json::{Value, json};

use super::{
    door::{Asked, empty, wrong},
    state::{Environment, Repository},
};
use crate::http::Reply;

const BILLING: &str = "Failed to create the environment protection rule. Please ensure the billing plan supports the required reviewers protection rule.";

pub(super) fn answer(state: &mut Repository, asked: &Asked<'_>, below: &str) -> Option<Reply> {
    let name = asked.value("environment_name");
    Some(match (asked.method, below) {
        ("get", "/environments") => asked
            .list(state.environments.iter().map(|(name, e)| as_read(state, name, e)).collect(), Some("environments")),
        ("get", "/environments/{environment_name}") => match state.environments.get(&name) {
            Some(environment) => Reply::json(200, &as_read(state, &name, environment)),
            None => wrong(404, "Not Found"),
        },
        ("put", "/environments/{environment_name}") => put(state, asked, &name),
        ("delete", "/environments/{environment_name}") => match state.environments.remove(&name) {
            Some(_) => empty(204),
            None => wrong(404, "Not Found"),
        },
        (_, below) if below.contains("/deployment-branch-policies") => patterns(state, asked, below, &name)?,
        _ => return None,
    })
}

/// Whole: what is not said is none any more.
fn put(state: &mut Repository, asked: &Asked<'_>, name: &str) -> Reply {
    let body = &asked.body;
    let reviewers = body["reviewers"].as_array().cloned().unwrap_or_default();
    let billed = !reviewers.is_empty() && !state.has_reviewers();
    // Even what is null asks for a rule there.
    let said_of = |key: &str| body.get(key).is_some();
    if billed || !state.has_protection() && (said_of("wait_timer") || said_of("deployment_branch_policy")) {
        return wrong(422, BILLING);
    }
    let policy = body["deployment_branch_policy"].as_object().map(|policy| {
        let flag = |key: &str| policy.get(key) == Some(&Value::Bool(true));
        (flag("protected_branches"), flag("custom_branch_policies"))
    });
    if policy.is_some_and(|(protected, custom)| protected == custom) {
        return wrong(422, "protected_branches and custom_branch_policies cannot have the same value");
    }
    let of = |r: &Value| Some((r["type"].as_str()?.to_owned(), r["id"].as_u64()?));
    let reviewers: Vec<(String, u64)> = reviewers.iter().filter_map(of).collect();
    if reviewers.len() > 6 {
        return wrong(422, "Validation Failed: at most six reviewers");
    }
    if let Some((_, id)) = reviewers.iter().find(|(kind, id)| login(state, kind, *id).is_none()) {
        return wrong(422, &format!("Validation Failed: there is no reviewer {id}"));
    }
    let number = state.number();
    let environment =
        state.environments.entry(name.to_owned()).or_insert(Environment { id: number, ..Environment::default() });
    environment.wait_timer = body["wait_timer"].as_u64().unwrap_or(0);
    environment.prevent_self_review = body["prevent_self_review"] == true && !reviewers.is_empty();
    environment.reviewers = reviewers;
    environment.policy = policy;
    if !policy.is_some_and(|(_, custom)| custom) {
        environment.patterns.clear();
    }
    let environment = environment.clone();
    Reply::json(200, &as_read(state, name, &environment))
}

fn login<'a>(state: &'a Repository, kind: &str, id: u64) -> Option<&'a String> {
    let all = if kind == "Team" { &state.teams } else { &state.users };
    all.iter().find(|(_, known)| **known == id).map(|(name, _)| name)
}

fn as_read(state: &Repository, name: &str, environment: &Environment) -> Value {
    let node = |n: u64| format!("GA_{n}");
    let (id, mut rules) = (environment.id, Vec::new());
    if environment.wait_timer > 0 {
        rules.push(json!({ "id": id + 1, "node_id": node(id + 1), "type": "wait_timer", "wait_timer": environment.wait_timer }));
    }
    if !environment.reviewers.is_empty() {
        let reviewer = |(kind, id): &(String, u64)| {
            let name = login(state, kind, *id).map_or("", String::as_str);
            json!({ "type": kind, "reviewer": if kind == "Team" { team(name, *id) } else { account(name, *id) } })
        };
        let all: Vec<Value> = environment.reviewers.iter().map(reviewer).collect();
        rules.push(json!({ "id": id + 2, "node_id": node(id + 2), "type": "required_reviewers",
            "prevent_self_review": environment.prevent_self_review, "reviewers": all }));
    }
    let policy = environment.policy.map(|(protected, custom)| {
        rules.push(json!({ "id": id + 3, "node_id": node(id + 3), "type": "branch_policy" }));
        json!({ "protected_branches": protected, "custom_branch_policies": custom })
    });
    let url = format!("https://api.github.com/repos/{}/environments/{name}", state.name);
    json!({ "id": id, "node_id": node(id), "name": name, "url": url, "html_url": url, "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z", "protection_rules": rules, "deployment_branch_policy": policy })
}

/// An account with all that is told of one.
pub(super) fn account(login: &str, id: u64) -> Value {
    let url = format!("https://api.github.com/users/{login}");
    let mut account = json!({ "login": login, "id": id, "node_id": "U_1", "avatar_url": url, "gravatar_id": "", "url": url,
        "html_url": url, "type": "User", "site_admin": false });
    for key in [
        "followers_url",
        "following_url",
        "gists_url",
        "starred_url",
        "subscriptions_url",
        "organizations_url",
        "repos_url",
        "events_url",
        "received_events_url",
    ] {
        account[key] = json!(url);
    }
    account
}

fn team(slug: &str, id: u64) -> Value {
    let url = format!("https://api.github.com/teams/{id}");
    json!({ "id": id, "node_id": "T_1", "url": url, "members_url": url, "name": slug, "description": null, "permission": "push",
        "html_url": url, "repositories_url": url, "slug": slug, "parent": null, "type": "organization" })
}

fn patterns(state: &mut Repository, asked: &Asked<'_>, below: &str, name: &str) -> Option<Reply> {
    let number = state.number();
    let Some(environment) = state.environments.get_mut(name) else { return Some(wrong(404, "Not Found")) };
    let read =
        |(id, kind, name): &(u64, String, String)| json!({ "id": id, "node_id": "GA_1", "name": name, "type": kind });
    let id = asked.value("branch_policy_id").parse::<u64>().unwrap_or_default();
    let place = environment.patterns.iter().position(|(known, ..)| *known == id);
    let last = below.rsplit('/').next().unwrap_or_default();
    Some(match (asked.method, last, place) {
        ("get", "deployment-branch-policies", _) => {
            asked.list(environment.patterns.iter().map(read).collect(), Some("branch_policies"))
        }
        ("post", "deployment-branch-policies", _) => {
            if !environment.policy.is_some_and(|(_, custom)| custom) {
                return Some(wrong(404, "Not Found"));
            }
            let kind = asked.body["type"].as_str().unwrap_or("branch").to_owned();
            let pattern = (number, kind, asked.text("name"));
            if environment.patterns.iter().any(|(_, kind, name)| (kind, name) == (&pattern.1, &pattern.2)) {
                return Some(empty(303));
            }
            environment.patterns.push(pattern.clone());
            Reply::json(200, &read(&pattern))
        }
        ("delete", "{branch_policy_id}", Some(place)) => {
            environment.patterns.remove(place);
            empty(204)
        }
        (_, "{branch_policy_id}", None) => wrong(404, "Not Found"),
        _ => return None,
    })
}
