//! UptimeRobot (v3): a free account that remembers its monitors. Requests are checked against the published document; what that does not
//! say (what a free account may, how many requests it may send, reads that come behind writes) by rules of its own.

mod account;

use std::{
    collections::VecDeque,
    io,
    ops::Deref,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use self::account::Account;
use crate::{
    http::{HttpServer, Reply, Request, Service},
    openapi::OpenApi,
};

const TOKEN: &str = "u0000000-key-of-the-simulator";
const READ_ONLY: &str = "ur000000-read-only-key-of-the-simulator";

/// How many requests are taken.
#[derive(Debug, Clone, Copy)]
struct Limit {
    calls: usize,
    window: Duration,
}

struct State {
    account: Account,
    limit: Option<Limit>,
    sent: VecDeque<Instant>,
    /// For how many reads a write is not seen.
    lag: usize,
    /// What those reads see, and how many of them are to come.
    behind: Option<(Vec<Value>, usize)>,
}

/// What a free UptimeRobot account answers.
pub struct UptimeRobotService {
    api: OpenApi,
    state: Arc<Mutex<State>>,
}

impl UptimeRobotService {
    /// An account without a monitor that takes any number of requests. `document` is the text of the published document.
    #[must_use]
    pub fn new(document: &str) -> Self {
        let state = State { account: Account::default(), limit: None, sent: VecDeque::new(), lag: 0, behind: None };
        Self { api: OpenApi::read(document), state: Arc::new(Mutex::new(state)) }
    }

    /// Takes so many requests in so long a time; a free account takes 10 in a minute.
    pub fn limit(&self, calls: usize, window: Duration) {
        lock(&self.state).limit = Some(Limit { calls, window });
    }
}

impl Service for UptimeRobotService {
    fn name(&self) -> &'static str {
        "uptimerobot"
    }

    fn token(&self) -> &'static str {
        TOKEN
    }

    fn reply(&self, request: &Request) -> Reply {
        answer(&self.api, &mut lock(&self.state), request)
    }
}

/// An UptimeRobot account, on a port of its own.
pub struct UptimeRobot {
    server: HttpServer,
    state: Arc<Mutex<State>>,
}

impl Deref for UptimeRobot {
    type Target = HttpServer;

    fn deref(&self) -> &HttpServer {
        &self.server
    }
}

impl UptimeRobot {
    /// Starts with no monitor. `document` is the text of the published document.
    pub async fn start(document: &str) -> io::Result<Self> {
        let service = UptimeRobotService::new(document);
        let state = Arc::clone(&service.state);
        let server = HttpServer::on(0, None, move |request| service.reply(request)).await?;
        Ok(Self { server, state })
    }

    /// Where the API is.
    #[must_use]
    pub fn base(&self) -> String {
        self.server.url("")
    }

    /// The key that it takes.
    #[must_use]
    pub fn token(&self) -> &'static str {
        TOKEN
    }

    /// A key that may only read.
    #[must_use]
    pub fn read_only_token(&self) -> &'static str {
        READ_ONLY
    }

    /// Takes so many requests in so long a time; a free account takes 10 in a minute.
    pub fn limit(&self, calls: usize, window: Duration) {
        lock(&self.state).limit = Some(Limit { calls, window });
    }

    /// Does not show a write to so many reads after it.
    pub fn lag(&self, reads: usize) {
        lock(&self.state).lag = reads;
    }

    /// Adds somebody who can be told, at the number that is given back: `Email` or a team's `Slack`, `Webhook`, …
    pub fn add_contact(&self, kind: &str, name: &str) -> u64 {
        lock(&self.state).account.add_contact(kind, name)
    }

    /// Adds a monitor by hand.
    pub fn add(&self, name: &str, url: &str, tags: &[&str]) {
        let body = json!({ "type": "HTTP", "friendlyName": name, "url": url, "interval": 300, "timeout": 30, "tagNames": tags });
        // What a test asks for is in order.
        let _ = lock(&self.state).account.create(&body);
    }

    /// Does by hand what a person would do in the web pages.
    pub fn by_hand(&self, change: impl FnOnce(&mut Vec<Value>)) {
        change(&mut lock(&self.state).account.monitors);
    }

    /// The monitors, as the API would list them.
    #[must_use]
    pub fn monitors(&self) -> Vec<Value> {
        lock(&self.state).account.monitors.clone()
    }

    /// `kaia prod: backend https://api.kaia.ai/ready`, in order.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let text = |m: &Value, key: &str| m[key].as_str().unwrap_or_default().to_owned();
        let mut lines: Vec<String> =
            self.monitors().iter().map(|m| format!("{} {}", text(m, "friendlyName"), text(m, "url"))).collect();
        lines.sort();
        lines
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wrong(status: u16, message: &str) -> Reply {
    Reply::json(status, &json!({ "statusCode": status, "message": message }))
}

fn answer(api: &OpenApi, state: &mut State, request: &Request) -> Reply {
    let reply = match state.take_turn() {
        Err(after) => wrong(429, "ThrottlerException: Too Many Requests").header("Retry-After", after.to_string()),
        Ok(()) => understood(api, state, request),
    };
    match state.limit {
        None => reply,
        Some(Limit { calls, .. }) => reply
            .header("X-RateLimit-Limit", calls.to_string())
            .header("X-RateLimit-Remaining", calls.saturating_sub(state.sent.len()).to_string()),
    }
}

fn understood(api: &OpenApi, state: &mut State, request: &Request) -> Reply {
    let path = request.path.as_str();
    let bearer = request.headers.get("authorization").and_then(|v| v.to_str().ok()?.strip_prefix("Bearer "));
    let writes = request.method != hyper::Method::GET;
    match bearer {
        Some(TOKEN) => {}
        Some(READ_ONLY) if !writes => {}
        Some(READ_ONLY) => return wrong(403, "This key may only read"),
        _ => return wrong(401, "Unauthorized"),
    }
    let body: Option<Value> = match request.body.is_empty() {
        true => None,
        false => match serde_json::from_slice(&request.body) {
            Ok(body) => Some(body),
            Err(_) => return wrong(400, "Unexpected token in JSON"),
        },
    };
    let method = request.method.as_str();
    if let Err(why) = api.check(method, path, &request.query, body.as_ref()) {
        return wrong(400, &format!("not in the published document: {why}"));
    }
    let body = body.unwrap_or_default();
    let schema = match (method, path) {
        ("POST", "/monitors") => "CreateHttpMonitorDto",
        ("PATCH", _) => "UpdateMonitorDto",
        _ => "",
    };
    if let Some(key) = api.unknown_key_of(schema, &body).filter(|_| !schema.is_empty()) {
        return wrong(400, &format!("property {key} should not exist"));
    }
    let before = writes.then(|| state.account.monitors.clone());
    let (id, action) = monitor_path(path);
    let account = &mut state.account;
    let done = match (method, path, id, action) {
        ("GET", "/monitors", ..) => Ok(state.page(&request.query)),
        ("GET", "/user/alert-contacts", ..) => Ok(Reply::json(200, &json!(account.contacts(false)))),
        ("GET", "/integrations", ..) => {
            Ok(Reply::json(200, &json!({ "nextLink": null, "data": account.contacts(true) })))
        }
        ("POST", "/monitors", ..) => account.create(&body).map(|made| Reply::json(201, &made)),
        ("GET", _, Some(id), "") => {
            let seen = state.seen();
            let found = seen.into_iter().find(|m| m["id"] == id);
            found.map(|found| Reply::json(200, &found)).ok_or((404, "Monitor not found".to_owned()))
        }
        ("PATCH", _, Some(id), "") => account.change(id, &body).map(|changed| Reply::json(200, &changed)),
        ("DELETE", _, Some(id), "") => account.delete(id).map(|()| Reply::json(200, &json!({}))),
        ("POST", _, Some(id), "start") => account.set_status(id, "STARTED").map(|m| Reply::json(201, &m)),
        ("POST", _, Some(id), "pause") => account.set_status(id, "PAUSED").map(|m| Reply::json(201, &m)),
        _ => Err((501, "the simulator does not know this operation".to_owned())),
    };
    match done {
        Ok(reply) => {
            if let Some(before) = before.filter(|_| state.lag > 0) {
                // What is behind stays behind: the oldest of what was not seen yet is what is shown.
                let shown = state.behind.take().map_or(before, |(shown, _)| shown);
                state.behind = Some((shown, state.lag));
            }
            reply
        }
        Err((status, message)) => wrong(status, &message),
    }
}

/// The number and what follows it in `/monitors/7/start`.
fn monitor_path(path: &str) -> (Option<u64>, &str) {
    let Some(rest) = path.strip_prefix("/monitors/") else { return (None, "") };
    let (id, action) = rest.split_once('/').unwrap_or((rest, ""));
    (id.parse().ok(), action)
}

impl State {
    /// Takes one of the requests that are left, or says for how many seconds there is none.
    fn take_turn(&mut self) -> Result<(), u64> {
        let Some(Limit { calls, window }) = self.limit else { return Ok(()) };
        let now = Instant::now();
        self.sent.retain(|at| now.duration_since(*at) < window);
        if self.sent.len() < calls {
            self.sent.push_back(now);
            return Ok(());
        }
        let wait = self.sent.front().map_or(window, |first| window.saturating_sub(now.duration_since(*first)));
        Err(wait.as_secs() + 1)
    }

    /// What a read sees.
    fn seen(&mut self) -> Vec<Value> {
        match self.behind.take() {
            Some((shown, to_come)) if to_come > 0 => {
                self.behind = Some((shown.clone(), to_come - 1));
                shown
            }
            _ => self.account.monitors.clone(),
        }
    }

    fn page(&mut self, query: &str) -> Reply {
        let value = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        let limit: usize = value("limit").and_then(|v| v.parse().ok()).unwrap_or(50);
        if !(1..=200).contains(&limit) {
            return wrong(400, "limit must not be less than 1 or greater than 200");
        }
        let after: u64 = value("cursor").and_then(|v| v.parse().ok()).unwrap_or(0);
        let number = |m: &Value| m["id"].as_u64().unwrap_or_default();
        let seen = self.seen();
        let mut rest = seen.iter().filter(|m| number(m) > after);
        let shown: Vec<&Value> = rest.by_ref().take(limit).collect();
        let more = rest.next().is_some();
        let last = shown.last().map_or(0, |m| number(m));
        let next = more.then(|| format!("https://api.uptimerobot.com/v3/monitors?limit={limit}&cursor={last}"));
        Reply::json(200, &json!({ "nextLink": next, "data": shown }))
    }
}
