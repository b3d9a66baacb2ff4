//! What services are called at Railway.

use crate::spec::{Environment, Form, ServiceName};

/// What PostgreSQL and Redis are called where nothing else is said.
const POSTGRES: &str = "postgresql";
const REDIS: &str = "redis";

/// How an environment's services are called there. `service = "backend-dev"` for the app `backend` puts `-dev` behind the names of
/// all: `postgresql-dev`, `redis-dev`, and the other apps where there are several. What is put before a name works alike. A `service`
/// that has nothing of its app's name is the name of the only app, and the others keep theirs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    before: String,
    after: String,
    /// The name of the only app, where it is none of its own.
    only: Option<String>,
}

/// Why services cannot be named.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoNames {
    /// Nobody can know which app is meant.
    #[error(
        "`service = \"{service}\"` is the name of none of the {apps} apps, nor one of them with something before or behind it"
    )]
    WhichApp {
        /// As declared.
        service: String,
        /// How many there are.
        apps: usize,
    },
    /// Two would be called alike.
    #[error("two services would be called {name}")]
    Twice {
        /// That name.
        name: String,
    },
}

impl Names {
    /// Of an environment.
    pub fn of(environment: &Environment) -> Result<Self, NoNames> {
        let mut apps: Vec<&ServiceName> = apps(environment).collect();
        let service = environment.railway.as_ref().and_then(|railway| railway.service.as_deref());
        // Of `back` and `backend`, `backend-dev` is the second.
        apps.sort_by_key(|name| std::cmp::Reverse(name.as_str().len()));
        let names = match service {
            None => Self::default(),
            Some(service) => match apps.iter().find_map(|app| around(service, app.as_str())) {
                Some((before, after)) => Self { before, after, only: None },
                None if apps.len() < 2 => Self { only: Some(service.to_owned()), ..Self::default() },
                None => return Err(NoNames::WhichApp { service: service.to_owned(), apps: apps.len() }),
            },
        };
        let servers = [
            environment.postgres.as_ref().map(|_| names.postgres()),
            environment.redis.as_ref().map(|_| names.redis()),
        ];
        let mut all: Vec<String> =
            apps.into_iter().map(|app| names.app(app)).chain(servers.into_iter().flatten()).collect();
        all.sort();
        match all.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(NoNames::Twice { name: pair[0].clone() }),
            None => Ok(names),
        }
    }

    fn with(&self, name: &str) -> String {
        format!("{}{name}{}", self.before, self.after)
    }

    /// Of an app.
    #[must_use]
    pub fn app(&self, name: &ServiceName) -> String {
        self.only.clone().unwrap_or_else(|| self.with(name.as_str()))
    }

    /// Of PostgreSQL.
    #[must_use]
    pub fn postgres(&self) -> String {
        self.with(POSTGRES)
    }

    /// Of Redis.
    #[must_use]
    pub fn redis(&self) -> String {
        self.with(REDIS)
    }
}

fn apps(environment: &Environment) -> impl Iterator<Item = &ServiceName> {
    environment.services.values().filter(|s| matches!(s.form, Form::App(_))).map(|s| &s.name)
}

/// What stands before and behind an app's name in a service's; with a hyphen or the like between.
fn around(service: &str, app: &str) -> Option<(String, String)> {
    let between = ['-', '_', '.'];
    if let Some(after) = service.strip_prefix(app).filter(|rest| rest.is_empty() || rest.starts_with(between)) {
        return Some((String::new(), after.to_owned()));
    }
    let before = service.strip_suffix(app).filter(|rest| rest.ends_with(between))?;
    Some((before.to_owned(), String::new()))
}
