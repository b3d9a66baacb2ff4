//! The repository itself, its branches and their protection, and who is at GitHub.

use serde_json::{Value, json};

use super::{
    door::{Asked, empty, upgrade, with, wrong},
    state::{Plan, Repository},
};
use crate::http::Reply;

pub(super) fn answer(state: &mut Repository, asked: &Asked<'_>, below: &str) -> Option<Reply> {
    Some(match (asked.method, below) {
        ("get", "") => repository(state, asked),
        ("get", "/git/ref/{ref}") => reference(state, asked),
        ("post", "/git/refs") => make(state, asked),
        ("get", "/branches/{branch}/protection") => protection(state, asked),
        ("put", "/branches/{branch}/protection") => protect(state, asked),
        ("delete", "/branches/{branch}/protection/required_pull_request_reviews") => open(state, asked),
        ("get", "/users/{username}") => match state.users.get(&asked.value("username")) {
            Some(id) => Reply::json(200, &asked.like(200, json!({ "login": asked.value("username"), "id": id }))),
            None => wrong(404, "Not Found"),
        },
        ("get", "/collaborators/{username}") => match state.users.get(&asked.value("username")) {
            Some(id) if !state.strangers.contains(id) => empty(204),
            _ => wrong(404, "Not Found"),
        },
        ("get", "/orgs/{org}") => organization(state, asked),
        ("get", "/orgs/{org}/teams/{team_slug}") => match state.teams.get(&asked.value("team_slug")) {
            Some(id) => Reply::json(200, &team(asked, *id)),
            None => wrong(404, "Not Found"),
        },
        _ => return None,
    })
}

/// The example lacks what the schema asks for.
fn team(asked: &Asked<'_>, id: u64) -> Value {
    let values = json!({ "slug": asked.value("team_slug"), "id": id, "type": "organization" });
    let mut team = asked.like(200, values);
    team["organization"] = with(team["organization"].clone(), json!({ "archived_at": null }));
    team
}

fn repository(state: &Repository, asked: &Asked<'_>) -> Reply {
    let (owner, name) = state.name.split_once('/').unwrap_or_default();
    let mut body = asked.like(
        200,
        json!({
            "name": name, "full_name": state.name, "private": state.private, "default_branch": "main", "language": null,
            "visibility": if state.private { "private" } else { "public" },
        }),
    );
    body["owner"] = with(body["owner"].clone(), json!({ "login": owner, "type": "Organization" }));
    // Whatever it was forked from is no matter here.
    if let Value::Object(body) = &mut body {
        ["source", "parent", "template_repository"].iter().for_each(|key| drop(body.remove(*key)));
    }
    Reply::json(200, &body)
}

fn organization(state: &Repository, asked: &Asked<'_>) -> Reply {
    let mut body = asked.like(200, json!({ "login": asked.value("org") }));
    let plan = match state.plan {
        Plan::Free => "free",
        Plan::Team => "team",
        Plan::Enterprise => "enterprise",
    };
    if let (Value::Object(body), false) = (&mut body, state.plan_is_told) {
        body.remove("plan");
    } else {
        body["plan"] = with(body["plan"].clone(), json!({ "name": plan }));
    }
    Reply::json(200, &body)
}

fn reference(state: &Repository, asked: &Asked<'_>) -> Reply {
    if state.refs.is_empty() {
        return wrong(409, "Git Repository is empty.");
    }
    match state.refs.get(&asked.value("ref")) {
        Some(sha) => Reply::json(200, &as_read(asked, 200, &asked.value("ref"), sha)),
        None => wrong(404, "Not Found"),
    }
}

fn as_read(asked: &Asked<'_>, status: u16, name: &str, sha: &str) -> Value {
    let object = json!({ "type": "commit", "sha": sha, "url": format!("https://api.github.com/commits/{sha}") });
    asked.like(status, json!({ "ref": format!("refs/{name}"), "object": object }))
}

fn make(state: &mut Repository, asked: &Asked<'_>) -> Reply {
    let (name, sha) = (asked.text("ref"), asked.text("sha"));
    let Some(short) = name.strip_prefix("refs/").filter(|short| short.contains('/')) else {
        return wrong(422, "Reference name must start with 'refs/' and contain at least two slashes.");
    };
    if state.refs.is_empty() {
        return wrong(409, "Git Repository is empty.");
    }
    if !state.refs.values().any(|known| *known == sha) {
        return wrong(422, "Object does not exist");
    }
    if state.refs.contains_key(short) {
        return wrong(422, "Reference already exists");
    }
    state.refs.insert(short.to_owned(), sha.clone());
    Reply::json(201, &as_read(asked, 201, short, &sha))
}

fn protection(state: &Repository, asked: &Asked<'_>) -> Reply {
    let branch = asked.value("branch");
    match (state.has_protection(), state.branch(&branch), state.protection.get(&branch)) {
        (false, ..) => upgrade(),
        (_, None, _) => wrong(404, "Branch not found"),
        (_, _, None) => wrong(404, "Branch not protected"),
        (_, _, Some(there)) => Reply::json(200, there),
    }
}

fn url(branch: &str, what: &str) -> String {
    format!("https://api.github.com/repos/o/r/branches/{branch}/protection{what}")
}

/// What was written, as it is read: booleans in objects of their own, names as whole accounts, addresses everywhere.
fn protect(state: &mut Repository, asked: &Asked<'_>) -> Reply {
    let branch = asked.value("branch");
    if !state.has_protection() {
        return upgrade();
    }
    if state.branch(&branch).is_none() {
        return wrong(404, "Branch not found");
    }
    let given = &asked.body;
    let enabled = |key: &str| json!({ "enabled": given[key] == true });
    let mut read = json!({
        "url": url(&branch, ""),
        "enforce_admins": { "url": url(&branch, "/enforce_admins"), "enabled": given["enforce_admins"] == true },
        "required_signatures": { "url": url(&branch, "/required_signatures"), "enabled": false },
    });
    for key in [
        "required_linear_history",
        "allow_force_pushes",
        "allow_deletions",
        "block_creations",
        "required_conversation_resolution",
        "lock_branch",
        "allow_fork_syncing",
    ] {
        read[key] = enabled(key);
    }
    if let Some(reviews) = given["required_pull_request_reviews"].as_object() {
        let count = reviews.get("required_approving_review_count").and_then(Value::as_u64).unwrap_or(1);
        if count > 6 {
            return wrong(422, "Validation Failed: required_approving_review_count must be between 0 and 6");
        }
        let flag = |key: &str| reviews.get(key) == Some(&Value::Bool(true));
        read["required_pull_request_reviews"] = json!({
            "url": url(&branch, "/required_pull_request_reviews"), "required_approving_review_count": count,
            "dismiss_stale_reviews": flag("dismiss_stale_reviews"), "require_code_owner_reviews": flag("require_code_owner_reviews"),
            "require_last_push_approval": flag("require_last_push_approval"),
        });
    }
    if let Some(checks) = given["required_status_checks"].as_object() {
        let contexts: Vec<Value> = checks.get("contexts").and_then(Value::as_array).cloned().unwrap_or_default();
        let bound = checks.get("checks").and_then(Value::as_array).cloned().unwrap_or_default();
        if !contexts.is_empty() && !bound.is_empty() {
            return wrong(422, "Validation Failed: contexts and checks cannot both be given");
        }
        let all: Vec<Value> =
            contexts.iter().map(|name| json!({ "context": name, "app_id": null })).chain(bound).collect();
        let names: Vec<&Value> = all.iter().map(|check| &check["context"]).collect();
        read["required_status_checks"] = json!({
            "url": url(&branch, "/required_status_checks"), "strict": checks.get("strict") == Some(&Value::Bool(true)),
            "contexts": names, "contexts_url": url(&branch, "/required_status_checks/contexts"), "checks": all,
        });
    }
    state.protection.insert(branch, read);
    Reply::json(200, &asked.api.example("put", &asked.route.template, 200))
}

/// Takes the pull requests out of a protection and leaves the rest.
fn open(state: &mut Repository, asked: &Asked<'_>) -> Reply {
    if !state.has_protection() {
        return upgrade();
    }
    let there = state.protection.get_mut(&asked.value("branch")).and_then(Value::as_object_mut);
    match there.and_then(|there| there.remove("required_pull_request_reviews")) {
        Some(_) => empty(204),
        None => wrong(404, "Not Found"),
    }
}
