//! What tests find in their environment: a database and a Redis of their own, emptied before each run, and the declared
//! variables with made-up secrets. Nothing of any environment can be reached from there.

use ambit_domain::{
    EnvironmentId, Failure,
    provider::{PostgresServer, RedisServer},
    spec::{Environment, Kind, Persistence, Reference, ServerPart, UrlPart, Value},
};
use ambit_spec::Inputs;
use rand::distr::{Alphanumeric, SampleString};

use crate::{
    ambit::store_failure,
    facts::{postgres_url, redis_url},
    scope::Scope,
};

/// The name of the database that tests use.
const DATABASE: &str = "tests";

/// Servers that tests have to themselves.
pub(crate) struct TestBed {
    id: EnvironmentId,
    postgres: Option<PostgresServer>,
    redis: Option<RedisServer>,
}

impl Scope<'_> {
    /// Starts the test servers, empty.
    pub(crate) async fn test_bed(&self) -> Result<TestBed, Failure> {
        let id = EnvironmentId::of_tests(&self.id.project);
        let credential = |name: &str| {
            let make = || Alphanumeric.sample_string(&mut rand::rng(), 32);
            self.ambit.store.credential(&id, name, make).map_err(|e| store_failure(&e))
        };
        let postgres = match &self.servers.postgres {
            Some(server) => Some(PostgresServer {
                kind: Kind::Development,
                port: self.ambit.port(&format!("{id}/postgres"), None)?,
                database: DATABASE.to_owned(),
                role_password: credential("postgres")?,
                admin_password: credential("postgres-admin")?,
                memory: None,
                backup: None,
                // The version of the environment may differ from that of the test servers' data.
                version: None,
                ..server.clone()
            }),
            None => None,
        };
        let redis = match &self.servers.redis {
            Some(_) => Some(RedisServer {
                port: self.ambit.port(&format!("{id}/redis"), None)?,
                password: credential("redis")?,
                admin_password: credential("redis-admin")?,
                persist: Persistence::None,
                memory: None,
            }),
            None => None,
        };
        let bed = TestBed { id, postgres, redis };
        let provider = &self.ambit.provider;
        provider.prepare(&bed.id).await?;
        if let Some(server) = &bed.postgres {
            provider.start_postgres(&bed.id, server).await?;
        }
        if let Some(server) = &bed.redis {
            provider.start_redis(&bed.id, server).await?;
        }
        provider.reset(&bed.id, bed.postgres.as_ref(), bed.redis.as_ref()).await?;
        Ok(bed)
    }

    /// The variables of a test run.
    pub(crate) fn test_variables(&self, bed: &TestBed) -> Vec<(String, String)> {
        let inputs = TestInputs { bed, environment: self.environment };
        // What cannot be made up is left out: the tests themselves say what they miss.
        let declared = ambit_spec::resolve(self.environment, &inputs).unwrap_or_default();
        let mut all: Vec<(String, String)> = declared.into_iter().map(|v| (v.name, v.value)).collect();
        let mut set = |name: &str, value: String| {
            all.retain(|(n, _)| n != name);
            all.push((name.to_owned(), value));
        };
        if let Some(server) = &bed.postgres {
            set("DATABASE_URL", postgres_url(server));
        }
        if let Some(server) = &bed.redis {
            set("REDIS_URL", redis_url(server));
        }
        set("NODE_ENV", "test".to_owned());
        all
    }
}

impl TestBed {
    /// Stops the servers; their data is emptied before it is used again.
    pub(crate) async fn stop(&self, scope: &Scope<'_>) -> Result<(), Failure> {
        scope.ambit.provider.stop_environment(&self.id).await
    }
}

struct TestInputs<'a> {
    bed: &'a TestBed,
    environment: &'a Environment,
}

impl Inputs for TestInputs<'_> {
    fn reference(&self, reference: &Reference) -> Option<String> {
        let part = |part: &ServerPart, port: u16, user: &str, password: &str, database: &str| match part {
            ServerPart::Url => None,
            ServerPart::Host => Some("127.0.0.1".to_owned()),
            ServerPart::Port => Some(port.to_string()),
            ServerPart::User => Some(user.to_owned()),
            ServerPart::Password => Some(password.to_owned()),
            ServerPart::Database => Some(database.to_owned()),
        };
        match reference {
            Reference::Postgres(wanted) => {
                let s = self.bed.postgres.as_ref()?;
                part(wanted, s.port, &s.role, &s.role_password, &s.database).or_else(|| Some(postgres_url(s)))
            }
            Reference::Redis(wanted) => {
                let s = self.bed.redis.as_ref()?;
                part(wanted, s.port, "default", &s.password, "0").or_else(|| Some(redis_url(s)))
            }
            Reference::Service(name, UrlPart::Url) => Some(format!("http://{name}.test.localhost")),
            Reference::Service(name, UrlPart::Host) => Some(format!("{name}.test.localhost")),
            Reference::EnvironmentName => Some("test".to_owned()),
            Reference::EnvironmentKind => Some("development".to_owned()),
            Reference::Variable(_) => None,
        }
    }

    fn secret(&self, name: &str) -> Option<String> {
        let rules = &self.environment.variables.get(name)?.rules;
        if let Some(first) = rules.one_of.first() {
            return Some(first.clone());
        }
        let random = || Alphanumeric.sample_string(&mut rand::rng(), rules.min_length.unwrap_or(0).max(40));
        Some(if rules.url { format!("https://{}.test.localhost", random().to_lowercase()) } else { random() })
    }

    fn generated(&self, name: &str) -> Option<String> {
        match self.environment.variables.get(name)?.value {
            Value::Generated(length) => Some(Alphanumeric.sample_string(&mut rand::rng(), length)),
            _ => None,
        }
    }
}
