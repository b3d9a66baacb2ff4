//! Whether a request is let in at all, and to whom it goes.

use std::time::{Duration, Instant};

use bytes::Bytes;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::{
    activity, branches, environments, hooks, rules, secrets,
    state::{Repository, TOKEN},
};
use crate::{
    http::{Reply, Request},
    openapi::{OpenApi, Route},
};

/// Requests that make something, in a minute.
const WRITES: usize = 80;
/// Requests in an hour.
const REQUESTS: u64 = 5000;
const REPOSITORY: &str = "/repos/{owner}/{repo}";

/// A request that was let in.
pub(super) struct Asked<'a> {
    pub(super) api: &'a OpenApi,
    pub(super) method: &'a str,
    pub(super) route: Route,
    query: &'a str,
    pub(super) body: Value,
}

impl Asked<'_> {
    /// What follows the repository in the path of the document.
    fn below(&self) -> &str {
        self.route.template.strip_prefix(REPOSITORY).unwrap_or(&self.route.template)
    }

    /// What stands for a parameter of the path.
    pub(super) fn value(&self, name: &str) -> String {
        let text = self.route.values.get(name).map_or("", String::as_str);
        percent_decode_str(text).decode_utf8_lossy().into_owned()
    }

    pub(super) fn queried(&self, name: &str) -> Option<String> {
        let found = self.query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
        Some(percent_decode_str(found).decode_utf8_lossy().into_owned())
    }

    pub(super) fn text(&self, key: &str) -> String {
        self.body[key].as_str().unwrap_or_default().to_owned()
    }

    /// The example of the document for this answer, with other values.
    pub(super) fn like(&self, status: u16, values: Value) -> Value {
        with(self.api.example(self.method, &self.route.template, status), values)
    }

    /// A list, a page at a time; `wrapped` puts it beside its count under that key.
    pub(super) fn list(&self, all: Vec<Value>, wrapped: Option<&str>) -> Reply {
        let number = |name: &str, or: usize| self.queried(name).and_then(|v| v.parse().ok()).unwrap_or(or);
        let (page, per_page) = (number("page", 1).max(1), number("per_page", 30).clamp(1, 100));
        let count = all.len();
        let shown: Vec<Value> = all.into_iter().skip((page - 1).saturating_mul(per_page)).take(per_page).collect();
        let mut reply = Reply::json(
            200,
            &match wrapped {
                Some(key) => json!({ "total_count": count, key: shown }),
                None => Value::Array(shown),
            },
        );
        if page.saturating_mul(per_page) < count {
            let last = count.div_ceil(per_page);
            let next = format!("<https://api.github.com/repositories/1?page={}>; rel=\"next\"", page + 1);
            reply
                .headers
                .push(("link", format!("{next}, <https://api.github.com/repositories/1?page={last}>; rel=\"last\"")));
        }
        reply
    }
}

/// One value over another: objects are mixed, all else is replaced.
pub(super) fn with(mut base: Value, over: Value) -> Value {
    match (&mut base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                base.insert(key, value);
            }
        }
        (base, over) => *base = over,
    }
    base
}

pub(super) fn empty(status: u16) -> Reply {
    Reply { status, headers: Vec::new(), body: Bytes::new() }
}

pub(super) fn wrong(status: u16, message: &str) -> Reply {
    Reply::json(
        status,
        &json!({ "message": message, "documentation_url": "https://docs.github.com/rest", "status": status.to_string() }),
    )
}

/// For a private repository whose owner pays nothing.
pub(super) fn upgrade() -> Reply {
    wrong(403, "Upgrade to GitHub Pro or make this repository public to enable this feature.")
}

pub(super) fn answer(api: &OpenApi, state: &mut Repository, request: &Request) -> Reply {
    let body = if request.body.is_empty() { None } else { serde_json::from_slice::<Value>(&request.body).ok() };
    let method = request.method.as_str().to_ascii_lowercase();
    let route = match let_in(api, state, request, body.as_ref()) {
        Ok(route) => route,
        Err(reply) => return reply,
    };
    let asked = Asked { api, method: &method, route, query: &request.query, body: body.unwrap_or_default() };
    let mut reply = led(state, &asked);
    let told = serde_json::from_slice::<Value>(&reply.body).ok();
    if reply.status < 400
        && let Err(why) = api.check_answer(&method, &asked.route, reply.status, told.as_ref())
    {
        state.odd_answers.push(why);
    }
    let left = REQUESTS.saturating_sub(state.requests);
    reply.headers.push(("x-ratelimit-limit", REQUESTS.to_string()));
    reply.headers.push(("x-ratelimit-remaining", left.to_string()));
    reply
}

fn let_in(api: &OpenApi, state: &mut Repository, request: &Request, body: Option<&Value>) -> Result<Route, Reply> {
    let header = |name: &str| request.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if header("user-agent").is_empty() {
        return Err(wrong(
            403,
            "Request forbidden by administrative rules. Please make sure your request has a User-Agent header",
        ));
    }
    if let Some(pause) = state.slow.pop_front() {
        let mut reply =
            wrong(403, "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.");
        reply.headers.extend(pause.map(|pause| ("retry-after", pause)));
        return Err(reply);
    }
    let method = request.method.as_str();
    let checked = api.check(method, &request.path, &request.query, body);
    let route = checked.map_err(|why| wrong(422, &format!("not in the published document: {why}")))?;
    if let Some(key) = body.and_then(|body| api.unknown_key(method, &route, body)) {
        return Err(wrong(
            422,
            &format!("not in the published document: {method} {} knows no `{key}`", route.template),
        ));
    }
    for (name, wanted) in [("accept", "application/vnd.github+json"), ("x-github-api-version", "2022-11-28")] {
        if header(name) != wanted {
            return Err(wrong(415, &format!("the header {name} should be {wanted}")));
        }
    }
    state.requests += 1;
    let token = header("authorization").strip_prefix("Bearer ").unwrap_or_default();
    if token != TOKEN && !state.tokens.contains_key(token) {
        return Err(wrong(401, "Bad credentials"));
    }
    let of_repository = route.template.starts_with(REPOSITORY);
    if of_repository && state.name.is_empty() {
        state.name = named(&route);
    }
    if of_repository && !named(&route).eq_ignore_ascii_case(&state.name) {
        return Err(wrong(404, "Not Found"));
    }
    if of_repository && state.moved {
        return Err(Reply::json(
            301,
            &json!({ "message": "Moved Permanently", "url": "https://api.github.com/repositories/1" }),
        ));
    }
    if let Some(needed) = needed(method, &route.template)
        && let Some(has) = state.tokens.get(token)
        && !(has.contains(&needed) || has.contains(&needed.replace("=read", "=write")))
    {
        let mut reply = wrong(403, "Resource not accessible by personal access token");
        reply.headers.push(("x-accepted-github-permissions", needed));
        return Err(reply);
    }
    // Of those that make something, since GitHub tells its users more of it.
    if method == "POST" || method == "PUT" {
        let (now, minute) = (Instant::now(), Duration::from_secs(60));
        state.writes.retain(|at| now.duration_since(*at) < minute);
        if state.writes.len() >= WRITES {
            let mut reply = wrong(
                403,
                "You have exceeded a secondary rate limit and have been temporarily blocked from content creation.",
            );
            reply.headers.push(("retry-after", "60".to_owned()));
            return Err(reply);
        }
        state.writes.push_back(now);
    }
    Ok(route)
}

/// OWNER/NAME
fn named(route: &Route) -> String {
    let part = |key: &str| route.values.get(key).map_or("", String::as_str);
    format!("{}/{}", part("owner"), part("repo"))
}

/// The permission that a fine-grained token needs.
fn needed(method: &str, template: &str) -> Option<String> {
    let below = template.strip_prefix(REPOSITORY)?;
    let reads = method == "GET";
    let in_environment = below.contains("/secrets") || below.contains("/variables");
    let (name, level) = match below.split('/').nth(1).unwrap_or_default() {
        "branches" if below.contains("/protection") => ("administration", reads),
        "rulesets" if !reads => ("administration", false),
        "environments" if in_environment => ("environments", reads),
        "environments" if reads => ("actions", true),
        "environments" => ("administration", false),
        "actions" if below.contains("/secrets") => ("secrets", reads),
        "actions" if below.contains("/variables") => ("variables", reads),
        "git" | "releases" | "branches" => ("contents", reads),
        "hooks" => ("repository_hooks", reads),
        "deployments" => ("deployments", reads),
        "statuses" | "commits" => ("statuses", reads),
        "issues" => ("issues", reads),
        _ => ("metadata", true),
    };
    Some(format!("{name}={}", if level { "read" } else { "write" }))
}

fn led(state: &mut Repository, asked: &Asked<'_>) -> Reply {
    let below = asked.below().to_owned();
    let found = match below.split('/').nth(1).unwrap_or_default() {
        "" | "git" | "branches" | "users" | "orgs" | "collaborators" => branches::answer(state, asked, &below),
        "rules" | "rulesets" => rules::answer(state, asked, &below),
        "environments" | "actions" if below.contains("/secrets") || below.contains("/variables") => {
            secrets::answer(state, asked, &below)
        }
        "environments" => environments::answer(state, asked, &below),
        "hooks" => hooks::answer(state, asked, &below),
        _ => activity::answer(state, asked, &below),
    };
    found.unwrap_or_else(|| wrong(501, &format!("not supported yet: {} {}", asked.method, asked.route.template)))
}
