//! Expo: one project that remembers its variables and builds. Documents and variables are checked against the published schema; what
//! that does not say (one variable of a name in an environment, builds that take their time, files that lie elsewhere) by rules of
//! its own.

use std::{
    collections::VecDeque,
    io,
    ops::Deref,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use serde_json::{Value, json};

use crate::{
    graphql::{Field, GraphQl, Refused, Resolver},
    http::{HttpServer, Reply, Request, Service},
};

const TOKEN: &str = "expo-token-of-the-simulator";
const APP: &str = "0c5a4e1e-5c1b-4d6e-9a55-000000000001";

/// A file of a build, and where whoever asks for it is sent first.
struct Stored {
    path: String,
    bytes: Bytes,
    /// Where else than to the file itself.
    to: Option<String>,
}

#[derive(Default)]
struct State {
    /// `@owner/slug`; the first one that is asked for where nobody said.
    project: String,
    variables: Vec<Value>,
    builds: Vec<Value>,
    files: Vec<Stored>,
    refusals: VecDeque<Refused>,
    made: u64,
}

/// What Expo answers of one project.
pub struct ExpoService {
    schema: GraphQl,
    state: Arc<Mutex<State>>,
}

impl ExpoService {
    /// A project without variables and builds; without a name it is the first one that is asked for. `sdl` is the text of the published
    /// schema.
    pub fn new(project: &str, sdl: &str) -> Result<Self, String> {
        let state = State { project: project.to_owned(), ..State::default() };
        Ok(Self { schema: GraphQl::read(sdl)?, state: Arc::new(Mutex::new(state)) })
    }
}

impl Service for ExpoService {
    fn name(&self) -> &'static str {
        "expo"
    }

    fn token(&self) -> &'static str {
        TOKEN
    }

    fn reply(&self, request: &Request) -> Reply {
        if let Some(reply) = file(&lock(&self.state), &request.path) {
            return reply;
        }
        if (request.method.as_str(), request.path.as_str()) != ("POST", "/graphql") {
            return Reply::json(404, &json!({ "errors": [{ "message": "Not found" }] }));
        }
        if request.headers.get("authorization").is_none_or(|v| v != format!("Bearer {TOKEN}").as_str()) {
            let error =
                json!({ "message": "The bearer token is invalid.", "extensions": { "errorCode": "UNAUTHORIZED" } });
            return Reply::json(401, &json!({ "errors": [error] }));
        }
        let (status, answer) = self.schema.answer(&request.body, &Account(&self.state));
        Reply::json(status, &answer)
    }
}

/// A project at Expo, on a port of its own.
pub struct Expo {
    server: HttpServer,
    state: Arc<Mutex<State>>,
}

impl Deref for Expo {
    type Target = HttpServer;

    fn deref(&self) -> &HttpServer {
        &self.server
    }
}

impl Expo {
    /// Starts. `sdl` is the text of the published schema.
    pub async fn start(project: &str, sdl: &str) -> io::Result<Self> {
        let service = ExpoService::new(project, sdl).map_err(io::Error::other)?;
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

    /// Refuses the next field that somebody asks for with these words; with `transient` it says that it passes.
    pub fn refuse(&self, code: &str, message: &str, transient: bool) {
        let extensions = json!({ "errorCode": code, "isTransient": transient });
        lock(&self.state).refusals.push_back(Refused { message: message.to_owned(), extensions });
    }

    /// Adds a build that takes so many looks at it until it is in the last of these states, and gives its id back. `more` is laid over
    /// what a build has.
    pub fn add_build(&self, profile: &str, states: &[&str], more: &Value) -> String {
        let mut state = lock(&self.state);
        state.made += 1;
        let id = format!("b{:07}-0000-4000-8000-000000000000", state.made);
        let mut build = json!({
            "id": id, "status": states.first(), "platform": "ANDROID", "buildProfile": profile, "appVersion": "1.2.0",
            "appBuildVersion": "42", "gitCommitHash": null, "isGitWorkingTreeDirty": false,
            "createdAt": format!("2026-03-01T10:{:02}:00.000Z", state.made % 60), "expirationDate": null, "queuePosition": 1, "error": null,
            "artifacts": null, "states": states,
        });
        for (key, value) in more.as_object().into_iter().flatten() {
            build[key] = value.clone();
        }
        state.builds.push(build);
        id
    }

    /// Gives a finished build a file. Whoever asks for it is sent to where it lies, or to `elsewhere`.
    pub fn add_file(&self, build: &str, bytes: Vec<u8>, elsewhere: Option<&str>) {
        let mut state = lock(&self.state);
        let path = format!("/artifacts/{build}.apk");
        let artifacts = json!({ "applicationArchiveUrl": self.server.url(&path), "buildUrl": null });
        if let Some(known) = state.builds.iter_mut().find(|b| b["id"] == build) {
            known["artifacts"] = artifacts;
        }
        state.files.push(Stored { path, bytes: bytes.into(), to: elsewhere.map(str::to_owned) });
    }

    /// The variables, as the API would list them.
    #[must_use]
    pub fn variables(&self) -> Vec<Value> {
        lock(&self.state).variables.clone()
    }

    /// `preview EXPO_PUBLIC_ENV=test`, in order.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for variable in self.variables() {
            let text = |key: &str| variable[key].as_str().unwrap_or_default().to_owned();
            for environment in variable["environments"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                lines.push(format!("{environment} {}={}", text("name"), text("value")));
            }
        }
        lines.sort();
        lines
    }

    /// Does by hand what a person would do in the web pages.
    pub fn by_hand(&self, change: impl FnOnce(&mut Vec<Value>)) {
        change(&mut lock(&self.state).variables);
    }

    /// Adds a variable by hand.
    pub fn add(&self, name: &str, value: &str, environments: &[&str], visibility: &str, scope: &str) {
        let mut state = lock(&self.state);
        let given = json!({ "name": name, "value": value, "environments": environments, "visibility": visibility });
        let made = state.variable(&given, scope);
        state.variables.push(made);
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A file of a build: first a way to where it lies, as the service has it.
fn file(state: &State, path: &str) -> Option<Reply> {
    let lies_at = |stored: &Stored| stored.path.replace("/artifacts/", "/storage/");
    let plain = |status, body: Bytes| Reply { status, headers: Vec::new(), body };
    if let Some(stored) = state.files.iter().find(|stored| stored.path == path) {
        let to = stored.to.clone().unwrap_or_else(|| lies_at(stored));
        return Some(plain(302, Bytes::new()).header("location", to));
    }
    let stored = state.files.iter().find(|stored| lies_at(stored) == path)?;
    Some(plain(200, stored.bytes.clone()))
}

struct Account<'a>(&'a Mutex<State>);

impl Resolver for Account<'_> {
    fn resolve(&self, field: &Field<'_>) -> Option<Result<Value, Refused>> {
        let mut state = lock(self.0);
        let given = &field.arguments;
        let nothing = Ok(json!({}));
        Some(match (field.of, field.name) {
            ("RootQuery", "app" | "builds") | ("RootMutation", "environmentVariable") => {
                match state.refusals.pop_front() {
                    Some(refused) => Err(refused),
                    None => nothing,
                }
            }
            ("AppQuery", "byFullName") => state.app(given["fullName"].as_str().unwrap_or_default()),
            ("App", "builds") => Ok(state.builds_by(given)),
            ("App", "environmentVariables") => Ok(state.variables_of(given)),
            ("BuildQuery", "byId") => state.look_at_build(given["buildId"].as_str().unwrap_or_default()),
            ("EnvironmentVariableMutation", "createBulkEnvironmentVariablesForApp") => state.create(given),
            ("EnvironmentVariableMutation", "updateEnvironmentVariable") => {
                state.update(&given["environmentVariableData"])
            }
            ("EnvironmentVariable", "value") if field.object["visibility"] == "SECRET" => Ok(Value::Null),
            _ => return None,
        })
    }
}

impl State {
    fn app(&mut self, name: &str) -> Result<Value, Refused> {
        if self.project.is_empty() {
            self.project = name.to_owned();
        }
        if !name.eq_ignore_ascii_case(&self.project) {
            return Err(Refused::new(format!("Entity not authorized: App[{name}]")));
        }
        Ok(json!({ "id": APP, "fullName": self.project }))
    }

    /// From the latest to the oldest.
    fn builds_by(&self, given: &Value) -> Value {
        let whole = |name: &str| given[name].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or_default();
        let fits = |build: &&Value| {
            let by = &given["filter"]["buildProfile"];
            by.is_null() || build["buildProfile"] == *by
        };
        let all = self.builds.iter().rev().filter(fits).skip(whole("offset")).take(whole("limit"));
        all.cloned().collect::<Vec<_>>().into()
    }

    /// Each look at a build brings it on.
    fn look_at_build(&mut self, id: &str) -> Result<Value, Refused> {
        let app = json!({ "id": APP, "fullName": self.project });
        let Some(build) = self.builds.iter_mut().find(|b| b["id"] == id) else {
            return Err(Refused::new(format!("Build with id {id} does not exist.")));
        };
        let mut shown = build.clone();
        shown["app"] = app;
        if let Some(states) = build["states"].as_array_mut().filter(|states| states.len() > 1) {
            states.remove(0);
            build["status"] = build["states"][0].clone();
        }
        Ok(shown)
    }

    fn variables_of(&self, given: &Value) -> Value {
        let names = given["filterNames"].as_array();
        let fits = |v: &&Value| names.is_none_or(|names| names.contains(&v["name"]));
        self.variables.iter().filter(fits).cloned().collect::<Vec<_>>().into()
    }

    fn variable(&mut self, given: &Value, scope: &str) -> Value {
        self.made += 1;
        let mut made = json!({ "id": format!("v{}", self.made), "scope": scope, "type": "STRING", "environments": [] });
        for (key, value) in given.as_object().into_iter().flatten().filter(|(key, _)| *key != "overwrite") {
            made[key] = value.clone();
        }
        made
    }

    /// The project's own variable of a name in an environment.
    fn of(&mut self, name: &Value, environment: &Value) -> Option<&mut Value> {
        self.variables.iter_mut().find(|v| {
            v["scope"] == "PROJECT"
                && v["name"] == *name
                && v["environments"].as_array().is_some_and(|all| all.contains(environment))
        })
    }

    fn create(&mut self, given: &Value) -> Result<Value, Refused> {
        if given["appId"] != APP {
            return Err(Refused::new("Entity not authorized: App"));
        }
        let mut made = Vec::new();
        for data in given["environmentVariablesData"].as_array().into_iter().flatten() {
            for environment in data["environments"].as_array().into_iter().flatten() {
                let Some(there) = self.of(&data["name"], environment) else { continue };
                if data["overwrite"] != true {
                    let extensions = json!({ "errorCode": "ENV_VAR_ALREADY_EXISTS", "isTransient": false });
                    let message = format!("Environment variable {} already exists.", data["name"]);
                    return Err(Refused { message, extensions });
                }
                if let Some(all) = there["environments"].as_array_mut() {
                    all.retain(|name| name != environment);
                }
            }
            self.variables.retain(|v| v["environments"].as_array().is_none_or(|all| !all.is_empty()));
            let variable = self.variable(data, "PROJECT");
            made.push(variable.clone());
            self.variables.push(variable);
        }
        Ok(made.into())
    }

    fn update(&mut self, given: &Value) -> Result<Value, Refused> {
        let found = self.variables.iter_mut().find(|v| v["id"] == given["id"] && v["scope"] == "PROJECT");
        let Some(variable) = found else { return Err(Refused::new("Environment variable not found")) };
        for (key, value) in given.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
            variable[key] = value.clone();
        }
        Ok(variable.clone())
    }
}
