//! Sentry: an organisation that remembers releases and deploys. Requests are checked against the published document; what that does not
//! say (which versions are none, what a token may) by rules of its own.

use std::{
    io,
    ops::Deref,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::{Value, json};

use crate::{
    http::{HttpServer, Reply, Request, Service},
    openapi::OpenApi,
};

const TOKEN: &str = "sntrys-token-of-the-simulator";
const WEAK: &str = "sntrys-weak-token-of-the-simulator";

#[derive(Default)]
struct State {
    organization: String,
    projects: Vec<String>,
    releases: Vec<Value>,
    made: u64,
}

/// What an organisation at Sentry answers.
pub struct SentryService {
    api: OpenApi,
    state: Arc<Mutex<State>>,
}

impl SentryService {
    /// An organisation with one project; without a name every name is one. `document` is the text of the published document.
    #[must_use]
    pub fn new(organization: &str, project: &str, document: &str) -> Self {
        let projects = if project.is_empty() { Vec::new() } else { vec![project.to_owned()] };
        let state = State { organization: organization.to_owned(), projects, ..State::default() };
        Self { api: OpenApi::read(document), state: Arc::new(Mutex::new(state)) }
    }
}

impl Service for SentryService {
    fn name(&self) -> &'static str {
        "sentry"
    }

    fn token(&self) -> &'static str {
        TOKEN
    }

    fn reply(&self, request: &Request) -> Reply {
        answer(&self.api, &mut lock(&self.state), request)
    }
}

/// An organisation at Sentry, on a port of its own.
pub struct Sentry {
    server: HttpServer,
    state: Arc<Mutex<State>>,
}

impl Deref for Sentry {
    type Target = HttpServer;

    fn deref(&self) -> &HttpServer {
        &self.server
    }
}

impl Sentry {
    /// Starts without a release. `document` is the text of the published document.
    pub async fn start(organization: &str, project: &str, document: &str) -> io::Result<Self> {
        let service = SentryService::new(organization, project, document);
        let state = Arc::clone(&service.state);
        let server = HttpServer::on(0, None, move |request| service.reply(request)).await?;
        Ok(Self { server, state })
    }

    /// Where the API is.
    #[must_use]
    pub fn base(&self) -> String {
        self.server.url("")
    }

    /// The token that it takes.
    #[must_use]
    pub fn token(&self) -> &'static str {
        TOKEN
    }

    /// A token that may not write releases.
    #[must_use]
    pub fn weak_token(&self) -> &'static str {
        WEAK
    }

    /// The releases, with their deploys.
    #[must_use]
    pub fn releases(&self) -> Vec<Value> {
        lock(&self.state).releases.clone()
    }

    /// `v1.2.0 production prod 7`, in the order in which they came.
    #[must_use]
    pub fn deploys(&self) -> Vec<String> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let of = |release: &Value| {
            let deploys = release["deploys"].as_array().cloned().unwrap_or_default();
            let line =
                |d: &Value| format!("{} {} {}", text(&release["version"]), text(&d["environment"]), text(&d["name"]));
            deploys.iter().map(line).collect::<Vec<_>>()
        };
        self.releases().iter().flat_map(of).collect()
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wrong(status: u16, detail: &str) -> Reply {
    Reply::json(status, &json!({ "detail": detail }))
}

fn answer(api: &OpenApi, state: &mut State, request: &Request) -> Reply {
    let body: Option<Value> = match request.body.is_empty() {
        true => None,
        false => match serde_json::from_slice(&request.body) {
            Ok(body) => Some(body),
            Err(_) => return wrong(400, "JSON parse error"),
        },
    };
    let (method, path) = (request.method.as_str(), request.path.as_str());
    if let Err(why) = api.check(method, &format!("/api/0{path}"), &request.query, body.as_ref()) {
        return wrong(400, &format!("not in the published document: {why}"));
    }
    match request.headers.get("authorization").and_then(|v| v.to_str().ok()?.strip_prefix("Bearer ")) {
        Some(TOKEN) => {}
        Some(WEAK) => return wrong(403, "You do not have permission to perform this action."),
        _ => return wrong(401, "Invalid token"),
    }
    let parts: Vec<String> = path.trim_matches('/').split('/').map(decoded).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let body = body.unwrap_or_default();
    let ["organizations", organization, "releases", rest @ ..] = &parts[..] else {
        return wrong(501, "the simulator does not know this operation");
    };
    if !state.organization.is_empty() && *organization != state.organization {
        return wrong(404, "The requested resource does not exist");
    }
    match (method, rest) {
        ("POST", []) => state.create(&body),
        ("PUT", [version]) => state.change(version, |release| {
            for (key, value) in body.as_object().into_iter().flatten() {
                release[key] = value.clone();
            }
            Reply::json(200, release)
        }),
        ("GET", [version]) => state.change(version, |release| Reply::json(200, release)),
        ("GET", [version, "deploys"]) => state.change(version, |release| Reply::json(200, &release["deploys"])),
        ("POST", [version, "deploys"]) => {
            state.made += 1;
            let id = state.made.to_string();
            state.change(version, |release| {
                let mut deploy = body.clone();
                deploy["id"] = id.into();
                if let Some(all) = release["deploys"].as_array_mut() {
                    all.push(deploy.clone());
                }
                Reply::json(201, &deploy)
            })
        }
        _ => wrong(501, "the simulator does not know this operation"),
    }
}

impl State {
    fn create(&mut self, body: &Value) -> Reply {
        let version = body["version"].as_str().unwrap_or_default();
        if !is_version(version) {
            return Reply::json(400, &json!({ "version": ["Invalid release version"] }));
        }
        let is_known = |name: &Value| self.projects.is_empty() || self.projects.iter().any(|p| *name == p.as_str());
        if !body["projects"].as_array().is_some_and(|all| !all.is_empty() && all.iter().all(is_known)) {
            return Reply::json(400, &json!({ "projects": ["Invalid project ids or slugs"] }));
        }
        if let Some(known) = self.releases.iter().find(|r| r["version"] == version) {
            return Reply::json(208, known);
        }
        let mut release = body.clone();
        release["deploys"] = json!([]);
        self.releases.push(release.clone());
        Reply::json(201, &release)
    }

    fn change(&mut self, version: &str, change: impl FnOnce(&mut Value) -> Reply) -> Reply {
        match self.releases.iter_mut().find(|r| r["version"] == version) {
            Some(release) => change(release),
            None => wrong(404, "The requested resource does not exist"),
        }
    }
}

fn is_version(text: &str) -> bool {
    let odd = |c: char| matches!(c, '\r' | '\n' | '\t' | '\x0c' | '/' | '\\');
    !text.trim().is_empty()
        && !text.contains(odd)
        && ![".", ".."].contains(&text)
        && !text.eq_ignore_ascii_case("latest")
}

fn decoded(part: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = part.bytes();
    while let Some(byte) = rest.next() {
        let hex = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        match (byte, rest.clone().take(2).collect::<Vec<_>>()) {
            (b'%', pair) if pair.len() == 2 && hex(&pair).is_some() => {
                bytes.extend(hex(&pair));
                rest.nth(1);
            }
            _ => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
