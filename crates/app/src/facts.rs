//! What an environment is given rather than declares: its ports, its passwords, and the addresses made of them. Chosen
//! once, recorded, and the same ever after.

use ambit_domain::{
    EnvironmentId, Failure,
    backup::kept,
    provider::{PostgresServer, RedisServer, Repository},
    spec::{Environment, Form, Kind, Reference, ServerPart, UrlPart},
};
use ambit_spec::Inputs;
use rand::distr::{Alphanumeric, SampleString};

use crate::{
    address::Address,
    ambit::{Ambit, store_failure},
    declaration::Declaration,
};

/// The servers of an environment as they should be.
#[derive(Clone)]
pub(crate) struct Servers {
    pub(crate) postgres: Option<PostgresServer>,
    pub(crate) redis: Option<RedisServer>,
}

impl Ambit {
    /// The recorded port of a key; chosen and recorded at the first call.
    pub(crate) fn port(&self, key: &str, fixed: Option<u16>) -> Result<u16, Failure> {
        let recorded = self.store.port(key).map_err(|e| store_failure(&e))?;
        match (recorded, fixed) {
            (Some(port), None) => return Ok(port),
            (Some(port), Some(fixed)) if port == fixed => return Ok(port),
            _ => {}
        }
        let port = match fixed {
            Some(port) => port,
            None => {
                let taken = self.store.ports().map_err(|e| store_failure(&e))?;
                self.provider.choose_port(key, &taken)?
            }
        };
        self.store.set_port(key, port).map_err(|e| {
            store_failure(&e).because(format!("port {port} for {key} is recorded for another service already"))
        })?;
        Ok(port)
    }

    /// How an environment's servers are reached; without the place of their backups, whose secrets not everybody opens.
    pub(crate) fn servers(&self, id: &EnvironmentId, environment: &Environment) -> Result<Servers, Failure> {
        let credential = |name: &str| {
            let make = || Alphanumeric.sample_string(&mut rand::rng(), 32);
            self.store.credential(id, name, make).map_err(|e| store_failure(&e))
        };
        let postgres = match &environment.postgres {
            Some(declared) => Some(PostgresServer {
                kind: environment.kind,
                version: declared.version,
                port: self.port(&format!("{id}/postgres"), declared.port)?,
                database: declared.database.clone(),
                role: id.project.as_str().to_owned(),
                role_password: credential("postgres")?,
                admin_password: credential("postgres-admin")?,
                memory: declared.memory,
                settings: declared.settings.clone(),
                backup: None,
            }),
            None => None,
        };
        let redis = match &environment.redis {
            Some(declared) => Some(RedisServer {
                port: self.port(&format!("{id}/redis"), declared.port)?,
                password: credential("redis")?,
                admin_password: credential("redis-admin")?,
                persist: declared.persist,
                memory: declared.memory,
            }),
            None => None,
        };
        Ok(Servers { postgres, redis })
    }

    /// The value of a generated variable: made once and kept.
    pub(crate) fn generated(&self, id: &EnvironmentId, environment: &Environment, name: &str) -> Option<String> {
        let ambit_domain::spec::Value::Generated(length) = environment.variables.get(name)?.value else {
            return None;
        };
        let make = || Alphanumeric.sample_string(&mut rand::rng(), length);
        self.store.credential(id, &format!("generated {name} {length}"), make).ok()
    }

    /// Where an environment's backups lie, with what opens it.
    pub(crate) fn repository(
        &self,
        id: &EnvironmentId,
        environment: &Environment,
        declaration: &Declaration,
    ) -> Result<Option<Repository>, Failure> {
        let Some(backup) = &environment.backup else { return Ok(None) };
        let names = backup.to.iter().flat_map(|place| place.secrets());
        // A missing one stops what needs it: bringing the environment up.
        let secrets = names.map(|name| Ok(declaration.secret(&environment.name, name)?.unwrap_or_default()));
        let make = || Alphanumeric.sample_string(&mut rand::rng(), 32);
        Ok(Some(Repository {
            place: backup.to.clone(),
            secrets: secrets.collect::<Result<_, Failure>>()?,
            passphrase: self.store.credential(id, "backup", make).map_err(|e| store_failure(&e))?,
            keep: kept(backup),
            point_in_time: backup.point_in_time,
        }))
    }
}

/// Everything that the resolution of one environment's variables asks for.
pub(crate) struct Known<'a> {
    pub(crate) ambit: &'a Ambit,
    pub(crate) id: &'a EnvironmentId,
    pub(crate) environment: &'a Environment,
    pub(crate) declaration: &'a Declaration,
    pub(crate) servers: &'a Servers,
    pub(crate) address: Address,
    /// Whether only its sites are on this machine.
    pub(crate) apps_elsewhere: bool,
}

/// Opens every secret of an environment once, so that a key that does not fit is told as such and not as a missing value.
pub(crate) fn check_secrets(declaration: &Declaration, environment: &Environment) -> Result<(), Failure> {
    for (name, variable) in &environment.variables {
        if variable.value == ambit_domain::spec::Value::Secret {
            declaration.secret(&environment.name, name)?;
        }
    }
    Ok(())
}

impl Inputs for Known<'_> {
    fn reference(&self, reference: &Reference) -> Option<String> {
        match reference {
            Reference::Postgres(part) => {
                let server = self.servers.postgres.as_ref()?;
                Some(match part {
                    ServerPart::Url => postgres_url(server),
                    ServerPart::Host => "127.0.0.1".to_owned(),
                    ServerPart::Port => server.port.to_string(),
                    ServerPart::User => server.role.clone(),
                    ServerPart::Password => server.role_password.clone(),
                    ServerPart::Database => server.database.clone(),
                })
            }
            Reference::Redis(part) => {
                let server = self.servers.redis.as_ref()?;
                Some(match part {
                    ServerPart::Url => redis_url(server),
                    ServerPart::Host => "127.0.0.1".to_owned(),
                    ServerPart::Port => server.port.to_string(),
                    ServerPart::User => "default".to_owned(),
                    ServerPart::Password => server.password.clone(),
                    ServerPart::Database => "0".to_owned(),
                })
            }
            Reference::Service(name, part) => {
                let service = self.environment.services.get(name)?;
                let url = service.urls.first()?;
                let away = self.apps_elsewhere && matches!(service.form, Form::App(_));
                let address = if away { Address::Public } else { self.address };
                Some(match part {
                    UrlPart::Url => address.url(url),
                    UrlPart::Host => address.host(url),
                })
            }
            Reference::EnvironmentName => Some(self.environment.name.to_string()),
            Reference::EnvironmentKind => Some(kind(self.environment.kind).to_owned()),
            Reference::Variable(_) => None,
        }
    }

    fn secret(&self, name: &str) -> Option<String> {
        // A key that does not fit was told by `check_secrets` already.
        self.declaration.secret(&self.environment.name, name).ok().flatten()
    }

    fn generated(&self, name: &str) -> Option<String> {
        self.ambit.generated(self.id, self.environment, name)
    }
}

/// `postgresql://kaia:…@127.0.0.1:15432/kaia-dev`. Passwords are letters and digits and names are checked, so nothing
/// in it needs escaping but the database's name, which a person may have chosen.
pub(crate) fn postgres_url(server: &PostgresServer) -> String {
    let database: String = server
        .database
        .bytes()
        .map(|b| match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(b).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect();
    format!("postgresql://{}:{}@127.0.0.1:{}/{database}", server.role, server.role_password, server.port)
}

pub(crate) fn redis_url(server: &RedisServer) -> String {
    format!("redis://default:{}@127.0.0.1:{}/0", server.password, server.port)
}

pub(crate) fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Development => "development",
        Kind::Staging => "staging",
        Kind::Production => "production",
    }
}

/// Names of the variables that a site's pages may read.
pub(crate) fn exposed(form: &Form) -> &[String] {
    match form {
        Form::Site(site) => &site.expose,
        Form::App(_) => &[],
    }
}
