//! What workflows read at GitHub, and where in the project its value is.

use std::collections::BTreeMap;

use ambit_domain::{
    Failure,
    github::{Given, Home, Name, known_hosts},
    spec::{Environment, EnvironmentName, Kind, RAILWAY_PROJECT_TOKEN},
};

use super::{Repository, Workflows};

/// The secret that a workflow deploys to Railway by.
pub(super) const RAILWAY_TOKEN: &str = "RAILWAY_TOKEN";
/// What stands for each secret at a simulated service.
const SIMULATED: &str = "simulated";

/// A secret's value, or what would help.
type Found = Result<String, String>;

impl Repository<'_> {
    /// Everything that the workflows read.
    pub(super) fn values(&self, workflows: &Workflows) -> Result<BTreeMap<Name, Given>, Failure> {
        let mut all = BTreeMap::new();
        for (environment, needs) in workflows {
            for name in &needs.variables {
                let at = Name { home: environment.into(), name: name.clone(), secret: false };
                all.insert(at, self.variable(environment, name));
            }
            let inside = needs.secrets.iter().map(|name| (Home::from(environment), name));
            let outside = needs.repository_secrets.iter().map(|name| (Home::Repository, name));
            for (home, name) in inside.chain(outside) {
                let name = Name { home, name: name.clone(), secret: true };
                let given = match self.found(&name)? {
                    Ok(value) => Given::Digest(self.digest(&name.key(), &value)),
                    // Without it nobody is told in Slack, which is nobody's mistake.
                    Err(_) if name.home == Home::Repository => continue,
                    Err(help) => Given::Nothing(help),
                };
                all.insert(name, given);
            }
        }
        Ok(all)
    }

    /// What a secret says.
    pub(super) fn secret(&self, name: &Name) -> Result<Option<String>, Failure> {
        Ok(self.found(name)?.ok())
    }

    fn variable(&self, environment: &EnvironmentName, name: &str) -> Given {
        let host = self.declared.hosts.get(environment);
        let by_hand = |body: &str| format!("gh variable set {name} --env {environment} {body}");
        match name {
            "AMBIT_HOST" => host.map(|host| Given::Text(host.clone())).unwrap_or_else(|| {
                Given::Nothing(format!(
                    "[providers.github] host = \"USER@HOST\" in ambit.toml, or {}; without a machine that workflows reach: ambit webhook add github",
                    by_hand("--body USER@HOST")
                ))
            }),
            "AMBIT_HOST_KEY" => match (host, self.declared.host_keys.get(environment)) {
                (Some(host), Some(key)) => Given::Text(known_hosts(host, key)),
                _ => Given::Nothing(format!(
                    "[providers.github] host and host-key in ambit.toml, or {}",
                    by_hand("< known_hosts")
                )),
            },
            _ => Given::Nothing(by_hand("--body …")),
        }
    }

    fn found(&self, name: &Name) -> Result<Found, Failure> {
        let environments = &self.declaration.project.environments;
        let environment = name.home.environment().and_then(|of| environments.get(&of));
        let by_hand = || match &name.home {
            Home::Repository => format!("gh secret set {}", name.name),
            Home::Environment(of) => format!("gh secret set {} --env {of}", name.name),
        };
        let found = match (name.name.as_str(), environment) {
            ("AMBIT_SSH_KEY", Some(of)) => match &self.declared.ssh_key {
                Some(secret) => self.declared_secret(of, secret)?,
                None => Err(format!("[providers.github] ssh-key names the secret that holds it, or {}", by_hand())),
            },
            (RAILWAY_TOKEN, Some(of)) => self.railway_token(of)?,
            ("EXPO_TOKEN", Some(of)) => {
                let expo = self.declaration.project.providers.expo.as_ref().map(|expo| expo.access.token.as_str());
                let mobile = of.mobile.as_ref().and_then(|mobile| mobile.token.as_deref());
                self.everybodys(of, mobile.or(expo).unwrap_or("EXPO_TOKEN"))?
            }
            ("SLACK_WEBHOOK_URL", None) => self.slack()?,
            _ => Err(by_hand()),
        };
        Ok(found.map(|value| if self.simulated { SIMULATED.to_owned() } else { value }))
    }

    /// A project token of Railway that a person made. Where nobody did, Ambit makes one ([`Repository::tokens`]).
    fn railway_token(&self, environment: &Environment) -> Result<Found, Failure> {
        let there = environment.railway_project().unwrap_or("the project");
        let found = self.declared_secret(environment, RAILWAY_PROJECT_TOKEN)?;
        Ok(found.map_err(|help| format!("make a project token at Railway ({there}, Settings, Tokens); then {help}")))
    }

    /// The incoming webhook that the team is told by, production's first.
    fn slack(&self) -> Result<Found, Failure> {
        let mut all: Vec<&Environment> = self.declaration.project.environments.values().collect();
        all.sort_by_key(|e| e.kind != Kind::Production);
        for environment in all {
            let Some(secret) = &environment.notifications.slack else { continue };
            if let Some(value) = self.declaration.secret(&environment.name, secret)? {
                return Ok(Ok(value));
            }
        }
        Ok(Err("[notifications] slack in ambit.toml".to_owned()))
    }

    /// A secret that is one for all environments: the environment's own, else production's, else any other's.
    fn everybodys(&self, environment: &Environment, secret: &str) -> Result<Found, Failure> {
        let own = self.declared_secret(environment, secret)?;
        if own.is_ok() {
            return Ok(own);
        }
        let mut others: Vec<&Environment> = self.declaration.project.environments.values().collect();
        others.sort_by_key(|e| e.kind != Kind::Production);
        for other in others {
            if let Some(value) = self.declaration.secret(&other.name, secret)? {
                return Ok(Ok(value));
            }
        }
        Ok(own)
    }

    fn declared_secret(&self, environment: &Environment, secret: &str) -> Result<Found, Failure> {
        let name = &environment.name;
        let help = || {
            format!("declare the secret {secret} for {name} in ambit.toml, and: ambit secret set {secret} -e {name}")
        };
        Ok(self.declaration.secret(name, secret)?.ok_or_else(help))
    }
}
