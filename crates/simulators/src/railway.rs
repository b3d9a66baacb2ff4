//! Railway: an account that remembers. Documents and variables are checked against the published schema, patches of settings against
//! the schema of theirs; what those do not say (names that are not unique, who may ask what, what takes its time) by rules of its own.

mod backups;
mod config;
mod deployments;
mod domains;
mod mutations;
mod proxies;
mod queries;
mod restores;
mod servers;
mod services;
mod shown;
mod templates;
mod variables;
mod world;

use std::{
    cell::RefCell,
    collections::VecDeque,
    ops::Deref,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jsonschema::Validator;
use serde_json::{Value, json};

pub use self::backups::Backup;
pub use self::world::{
    Deployment, Domain, Environment, Instance, Project, Proxy, Service, Trigger, Variable, Volume, World,
};
use self::{
    domains::Names,
    world::{Done, not_authorized},
};
use crate::{
    graphql::{Field, GraphQl, Refused, Resolver},
    http::{HttpServer, Reply, Request, Service as Simulated},
};

const TOKEN: &str = "railway-token-of-the-simulator";
/// Of the plan that costs a little.
const CALLS: u32 = 1000;
const WORKSPACE: (&str, &str) = ("0b5e6a5c-5a1e-4000-8000-00000000beef", "Kaia");

/// An account of Railway's, without a server.
#[derive(Clone)]
pub struct RailwayAccount {
    schema: Arc<GraphQl>,
    config: Arc<Validator>,
    state: Arc<Mutex<State>>,
}

struct State {
    world: World,
    names: Box<Names>,
    calls: u32,
    limit: u32,
    /// For changes to come: whether it is done all the same, and what is said instead of an answer.
    complaints: VecDeque<Option<(bool, String)>>,
}

impl RailwayAccount {
    /// An account with one workspace and nothing in it. The texts are the published schemas, of the API and of `EnvironmentConfig`.
    pub fn new(schema: &str, config: &str) -> Result<Self, String> {
        let config: Value = serde_json::from_str(config).map_err(|e| e.to_string())?;
        let config = jsonschema::validator_for(&config).map_err(|e| e.to_string())?;
        let world = World { workspaces: vec![(WORKSPACE.0.into(), WORKSPACE.1.into())], ..World::default() };
        let state = State { world, names: Box::new(|_, _| None), calls: 0, limit: CALLS, complaints: VecDeque::new() };
        let schema = Arc::new(GraphQl::read(schema)?);
        Ok(Self { schema, config: Arc::new(config), state: Arc::new(Mutex::new(state)) })
    }

    /// Does by hand what a person would do in the web pages, or looks.
    pub fn by_hand<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        change(&mut self.state().world)
    }

    /// The variables of the first service of that name, as it is given them, with what is behind its proxies started.
    #[must_use]
    pub fn variables(&self, service: &str) -> Option<Value> {
        let world = &mut self.state().world;
        let project = world.projects.iter().find(|p| p.services.iter().any(|s| s.name == service))?;
        let id = project.services.iter().find(|s| s.name == service)?.id.clone();
        let environment = project.environments.iter().find(|e| e.instances.contains_key(&id))?.id.clone();
        world.reach(&environment, &id).ok()?;
        world.variables(&environment, Some(&id), false).ok()
    }

    /// Where it looks for records of hosts: a function of `CNAME` or `TXT` and a name. Nobody has any until then.
    pub fn names(&self, names: impl Fn(&str, &str) -> Option<String> + Send + Sync + 'static) {
        self.state().names = Box::new(names);
    }

    /// So many requests an hour from now on, none of them used up.
    pub fn limit(&self, calls: u32) {
        let mut state = self.state();
        (state.limit, state.calls) = (calls, 0);
    }

    /// How many requests came since the limit was set.
    #[must_use]
    pub fn calls(&self) -> u32 {
        self.state().calls
    }

    /// One change to come, when so many more were carried out, is answered by an error; it is carried out all the same where `done`.
    pub fn complain_after(&self, carried_out: usize, done: bool, message: &str) {
        let complaint = Some((done, message.to_owned()));
        self.state().complaints.extend(std::iter::repeat_n(None, carried_out).chain([complaint]));
    }

    fn answer(&self, request: &Request) -> Reply {
        let mut state = self.state();
        let left = state.limit.saturating_sub(state.calls);
        let limits = |reply: Reply, left: u32, limit: u32| {
            let reply = reply.header("x-ratelimit-limit", limit.to_string());
            reply.header("x-ratelimit-remaining", left.to_string()).header("x-ratelimit-reset", "3600")
        };
        if left == 0 {
            let reply = Reply::json(429, &json!({ "errors": [{ "message": "Rate limit exceeded" }] }));
            return limits(reply, 0, state.limit).header("retry-after", "3600");
        }
        state.calls += 1;
        if request.method != hyper::Method::POST {
            return Reply::json(405, &json!({ "errors": [{ "message": "POST alone is answered" }] }));
        }
        let who = state.who(request);
        state.world.tick();
        let State { world, names, .. } = &mut *state;
        world.verify(names);
        let limit = state.limit;
        let session = Session { state: RefCell::new(state), who, config: &self.config };
        let (status, answer) = self.schema.answer(&request.body, &session);
        limits(Reply::json(status, &answer), left - 1, limit)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Simulated for RailwayAccount {
    fn name(&self) -> &'static str {
        "railway"
    }

    fn token(&self) -> &'static str {
        TOKEN
    }

    fn reply(&self, request: &Request) -> Reply {
        self.answer(request)
    }
}

enum Who {
    Nobody,
    Account,
    /// One environment of one project.
    Project(String, String),
}

impl State {
    fn who(&self, request: &Request) -> Who {
        let header = |name: &str| request.headers.get(name).and_then(|v| v.to_str().ok());
        if header("authorization").and_then(|v| v.strip_prefix("Bearer ")) == Some(TOKEN) {
            return Who::Account;
        }
        let token = header("project-access-token");
        let of = |p: &Project| {
            let found = p.tokens.iter().find(|t| token == Some(&t[3]))?;
            Some(Who::Project(p.id.clone(), found[2].clone()))
        };
        self.world.projects.iter().find_map(of).unwrap_or(Who::Nobody)
    }
}

struct Session<'a> {
    state: RefCell<MutexGuard<'a, State>>,
    who: Who,
    config: &'a Validator,
}

impl Resolver for Session<'_> {
    fn resolve(&self, field: &Field<'_>) -> Option<Result<Value, Refused>> {
        match field.of {
            "Query" => Some(self.query(field)),
            "Mutation" => Some(self.mutation(field)),
            _ => None,
        }
    }
}

impl Session<'_> {
    fn query(&self, field: &Field<'_>) -> Done<Value> {
        let mut state = self.state.borrow_mut();
        match (&self.who, field.name) {
            (Who::Project(project, environment), "projectToken") => {
                return Ok(
                    json!({ "projectId": project, "environmentId": environment, "id": "token", "name": "token" }),
                );
            }
            (Who::Account, "apiToken") => {
                let all = state.world.workspaces.iter().map(|(id, name)| json!({ "id": id, "name": name }));
                return Ok(json!({ "workspaces": all.collect::<Vec<_>>() }));
            }
            (_, "projectToken" | "apiToken") => return Err(not_authorized()),
            _ => self.may(field)?,
        }
        state.world.query(field.name, &field.arguments)
    }

    fn mutation(&self, field: &Field<'_>) -> Done<Value> {
        self.may(field)?;
        let patch = match field.name {
            "environmentPatchCommit" => Some(&field.arguments["patch"]),
            "environmentStageChanges" => Some(&field.arguments["input"]),
            _ => None,
        };
        if let Some(wrong) = patch.and_then(|patch| self.config.iter_errors(patch).next()) {
            return Err(Refused::new(format!("Invalid environment config: {wrong} at {}", wrong.instance_path())));
        }
        let mut state = self.state.borrow_mut();
        let complaint = state.complaints.pop_front().flatten();
        if let Some((false, message)) = complaint {
            return Err(Refused::new(message));
        }
        let done = state.world.mutation(field.name, &field.arguments);
        match complaint {
            Some((_, message)) => Err(Refused::new(message)),
            None => done,
        }
    }

    /// A token of a project asks for what is in its environment, and for nothing that is of the account.
    fn may(&self, field: &Field<'_>) -> Done<()> {
        let Who::Project(project, environment) = &self.who else {
            return if matches!(self.who, Who::Account) { Ok(()) } else { Err(not_authorized()) };
        };
        let (arguments, input) = (&field.arguments, &field.arguments["input"]);
        let names = |value: &Value| {
            value["environmentId"] == environment.as_str()
                || value["projectId"] == project.as_str() && value["environmentId"].is_null()
        };
        let itself = ["project", "environment"].contains(&field.name)
            && [project, environment].iter().any(|id| arguments["id"] == id.as_str());
        let follows =
            field.name.starts_with("deployment") || field.name == "buildLogs" || field.name == "workflowStatus";
        let of_account = field.name.starts_with("projectToken");
        if (itself || follows || names(arguments) || names(input)) && !of_account {
            Ok(())
        } else {
            Err(not_authorized())
        }
    }
}

/// Railway's API at a port of this machine.
pub struct Railway {
    server: HttpServer,
    account: RailwayAccount,
}

impl Deref for Railway {
    type Target = HttpServer;

    fn deref(&self) -> &HttpServer {
        &self.server
    }
}

impl Railway {
    /// Starts with an empty account. The texts are the published schemas, of the API and of `EnvironmentConfig`.
    pub async fn start(schema: &str, config: &str) -> Self {
        let account = RailwayAccount::new(schema, config).unwrap();
        let asked = account.clone();
        let server = HttpServer::on(0, None, move |request| asked.reply(request)).await.unwrap();
        Self { server, account }
    }

    /// Where the API is.
    #[must_use]
    pub fn base(&self) -> String {
        self.server.url("/graphql/v2")
    }

    /// The account's token.
    #[must_use]
    pub fn token(&self) -> &'static str {
        TOKEN
    }

    /// The account.
    #[must_use]
    pub fn account(&self) -> &RailwayAccount {
        &self.account
    }
}
