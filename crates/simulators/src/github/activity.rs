//! What happens in a repository: deployments, statuses of commits, issues, releases.

use serde_json::{Value, json};

use super::{
    door::{Asked, with, wrong},
    environments::account,
    state::{Environment, Repository},
};
use crate::http::Reply;

pub(super) fn answer(state: &mut Repository, asked: &Asked<'_>, below: &str) -> Option<Reply> {
    Some(match (asked.method, below) {
        ("get", "/deployments") => {
            let fits = |d: &Value, key: &str| asked.queried(key).is_none_or(|wanted| d[key] == wanted.as_str());
            let all = state.deployments.iter().map(|(d, _)| d).filter(|d| fits(d, "sha") && fits(d, "environment"));
            asked.list(all.rev().cloned().collect(), None)
        }
        ("post", "/deployments") => deploy(state, asked),
        (method, "/deployments/{deployment_id}/statuses") => {
            let id = asked.value("deployment_id").parse::<u64>().unwrap_or_default();
            let Some(place) = state.deployments.iter().position(|(d, _)| d["id"] == id) else {
                return Some(wrong(404, "Not Found"));
            };
            match method {
                "get" => asked.list(state.deployments[place].1.clone(), None),
                _ => tell(state, asked, place),
            }
        }
        ("post", "/statuses/{sha}") => status(state, asked),
        ("get", "/commits/{ref}/statuses") => {
            let all = state.statuses.iter().filter(|(sha, _)| *sha == asked.value("ref"));
            asked.list(all.map(|(_, status)| status.clone()).collect(), None)
        }
        ("get", "/issues") => issues(state, asked),
        ("get", "/releases") => asked.list(state.releases.iter().rev().cloned().collect(), None),
        ("post", "/releases") => release(state, asked),
        ("patch", "/releases/{release_id}") => {
            let id = asked.value("release_id").parse::<u64>().unwrap_or_default();
            match state.releases.iter_mut().find(|r| r["id"] == id) {
                Some(release) => {
                    *release = with(release.clone(), asked.body.clone());
                    Reply::json(200, release)
                }
                None => wrong(404, "Not Found"),
            }
        }
        ("get", "/releases/tags/{tag}") => {
            match state.releases.iter().find(|r| r["tag_name"] == asked.value("tag").as_str() && r["draft"] != true) {
                Some(release) => Reply::json(200, release),
                None => wrong(404, "Not Found"),
            }
        }
        _ => return None,
    })
}

fn commit(state: &Repository, name: &str) -> Option<String> {
    let of_ref = ["heads/", "tags/"].iter().find_map(|kind| state.refs.get(&format!("{kind}{name}")));
    of_ref.or_else(|| state.refs.values().find(|sha| *sha == name)).cloned()
}

fn deploy(state: &mut Repository, asked: &Asked<'_>) -> Reply {
    let name = asked.text("ref");
    let Some(sha) = commit(state, &name) else { return wrong(422, &format!("No ref found for: {name}")) };
    // The statuses of a commit stop a deployment where nobody says otherwise.
    let checked = asked.body["required_contexts"].as_array().is_none_or(|contexts| !contexts.is_empty());
    if checked && state.statuses.iter().any(|(of, status)| *of == sha && status["state"] != "success") {
        return wrong(409, "Conflict: Commit status checks failed");
    }
    let environment = asked.body["environment"].as_str().unwrap_or("production").to_owned();
    let (id, number, at) = (state.number(), state.number(), state.moment());
    let made = Environment { id: number, ..Environment::default() };
    state.environments.entry(environment.clone()).or_insert(made);
    let mut deployment = asked.like(
        201,
        json!({ "id": id, "sha": sha, "ref": name, "environment": environment,
        "original_environment": environment, "payload": asked.body["payload"], "description": asked.body["description"],
        "created_at": at, "updated_at": at, "production_environment": asked.body["production_environment"] == true,
        "task": asked.body["task"].as_str().unwrap_or("deploy") }),
    );
    deployment["creator"] = account("lead", 101);
    if deployment["payload"].is_null() {
        deployment["payload"] = json!("");
    }
    state.deployments.push((deployment.clone(), Vec::new()));
    Reply::json(201, &deployment)
}

fn tell(state: &mut Repository, asked: &Asked<'_>, place: usize) -> Reply {
    if asked.text("description").chars().count() > 140 {
        return wrong(422, "Validation Failed: description is too long (maximum is 140 characters)");
    }
    let (id, at) = (state.number(), state.moment());
    let status = |state: &str, environment: &Value| {
        let mut status = json!({ "id": id, "state": state, "created_at": at, "updated_at": at,
            "environment": environment, "description": asked.text("description") });
        for key in ["environment_url", "log_url"].into_iter().filter(|key| !asked.text(key).is_empty()) {
            status[key] = json!(asked.text(key));
        }
        status
    };
    let environment = state.deployments[place].0["environment"].clone();
    let new = asked.like(201, status(&asked.text("state"), &environment));
    state.deployments[place].1.insert(0, new.clone());
    if asked.text("state") == "success" && asked.body["auto_inactive"] != false {
        for (deployment, statuses) in &mut state.deployments[..place] {
            let serves = statuses.first().is_some_and(|s| s["state"] == "success");
            if serves && deployment["environment"] == environment && deployment["production_environment"] != true {
                statuses.insert(0, asked.like(201, status("inactive", &environment)));
            }
        }
    }
    Reply::json(201, &new)
}

fn status(state: &mut Repository, asked: &Asked<'_>) -> Reply {
    let Some(sha) = commit(state, &asked.value("sha")) else {
        return wrong(422, &format!("No commit found for SHA: {}", asked.value("sha")));
    };
    let (id, at) = (state.number(), state.moment());
    let made = json!({ "id": id, "created_at": at, "updated_at": at, "context": asked.body["context"].as_str().unwrap_or("default") });
    let made = with(asked.like(201, made), asked.body.clone());
    state.statuses.insert(0, (sha, made.clone()));
    Reply::json(201, &made)
}

/// Pull requests are issues, too.
fn issues(state: &Repository, asked: &Asked<'_>) -> Reply {
    let example = asked.api.example("get", &asked.route.template, 200)[0].clone();
    let wanted = asked.queried("labels").unwrap_or_default();
    let shown = state.issues.iter().filter(|issue| {
        let has = |label: &str| issue["labels"].as_array().into_iter().flatten().any(|l| l["name"] == label);
        let open = asked.queried("state").unwrap_or_else(|| "open".to_owned());
        (open == "all" || issue["state"] == open.as_str()) && wanted.split(',').filter(|l| !l.is_empty()).all(has)
    });
    let whole = |issue: &Value| {
        let mut whole = with(example.clone(), issue.clone());
        let url = format!("https://github.com/{}/issues/{}", state.name, issue["number"]);
        if issue.get("pull_request").is_some() {
            whole["pull_request"] = json!({ "url": url, "html_url": url, "diff_url": url, "patch_url": url });
        } else if let Value::Object(whole) = &mut whole {
            whole.remove("pull_request");
        }
        whole["html_url"] = json!(url);
        whole
    };
    asked.list(shown.map(whole).collect(), None)
}

fn release(state: &mut Repository, asked: &Asked<'_>) -> Reply {
    if state.releases.iter().any(|r| r["tag_name"] == asked.body["tag_name"]) {
        return wrong(422, "Validation Failed: tag_name already_exists");
    }
    let (id, at) = (state.number(), state.moment());
    let made = with(asked.like(201, json!({ "id": id, "created_at": at, "published_at": at })), asked.body.clone());
    state.releases.push(made.clone());
    Reply::json(201, &made)
}
