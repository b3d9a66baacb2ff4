//! The services around: `plan`, `apply`, `import`.
//!
//! What is there is read each time and compared with what is declared, so that whatever was interrupted, and wherever, is finished by
//! doing it again. One service is one file here that implements [`Outside`]; what it says and understands is in `ambit-cloud`, what is
//! compared in `ambit-domain`.

mod apply;
mod digests;
mod dns;
mod drift;
mod expo;
mod github;
mod railway;
mod side;
mod uptimerobot;
mod workflows;

use std::{collections::BTreeMap, path::PathBuf};

use ambit_domain::{
    Actor, Failure, FailureKind,
    outside::{Known, Part, Place, Plan, Remark},
    spec::{Access, EnvironmentName, Kind},
};
use serde::{Deserialize, Serialize};

pub use self::drift::OutsideDrift;
use self::side::{AnySide, Side};
use crate::{ambit::Ambit, declaration::Declaration};

/// What whoever asks has in the environment.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Tokens {
    /// Tokens by the names of their secrets: for what the project has no secret of.
    pub by_name: BTreeMap<String, String>,
    /// Where simulated services are asked instead of the real ones (`ambit simulate`). No real token goes there.
    pub simulator: Option<String>,
}

/// The token that simulated services take.
const SIMULATED: &str = "simulated";

/// Where a service is, and what opens it.
pub(crate) struct Door {
    pub(crate) base: String,
    pub(crate) token: String,
}

/// A request to make the services around as they are declared.
#[derive(Clone, Serialize, Deserialize)]
pub struct Apply {
    /// The folder that holds `ambit.toml`.
    pub folder: PathBuf,
    /// Text of the age identities that open the project's secrets.
    pub keys: String,
    /// Tokens that the project does not have.
    pub tokens: Tokens,
    /// What was looked at: nothing else is done.
    pub plan: Plan,
    /// Names of what may be deleted.
    pub confirm: Vec<String>,
    /// Who asks.
    pub actor: Actor,
}

/// A request to make what is there already the project's own.
#[derive(Clone, Serialize, Deserialize)]
pub struct Import {
    /// The folder that holds `ambit.toml`.
    pub folder: PathBuf,
    /// Text of the age identities that open the project's secrets.
    pub keys: String,
    /// Tokens that the project does not have.
    pub tokens: Tokens,
    /// What was looked at: nothing else is done.
    pub plan: Plan,
    /// Who asks.
    pub actor: Actor,
}

/// What was done.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Applied {
    /// How many changes each service saw.
    pub changes: BTreeMap<Place, usize>,
    /// What a service will not do, and why.
    #[serde(default)]
    pub refused: Vec<(Place, Remark)>,
}

impl Applied {
    /// All of them.
    #[must_use]
    pub fn all(&self) -> usize {
        self.changes.values().sum()
    }
}

/// What of the services around is looked at.
#[derive(Debug, Clone, Default)]
pub struct Of {
    /// These; all where none is named.
    pub places: Vec<Place>,
    /// What is of these environments; all of it where none is named.
    pub environments: Vec<EnvironmentName>,
}

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ask {
    /// What is declared.
    Declared,
    /// What could be taken over.
    Adoptable,
}

type Sides<'a> = Vec<Box<dyn AnySide + 'a>>;

impl Declaration {
    /// Where a service is, and its token. `key` is its name in `[providers.NAME]`, `usual` where its own API is.
    pub(crate) fn door(
        &self,
        (key, service): (&str, &str),
        access: &Access,
        usual: &str,
        tokens: &Tokens,
    ) -> Result<Door, Failure> {
        if let Some(simulator) = &tokens.simulator {
            let base = format!("{}/{key}", simulator.trim_end_matches('/'));
            return Ok(Door { base, token: SIMULATED.to_owned() });
        }
        let base = access.endpoint.clone().unwrap_or_else(|| usual.to_owned());
        Ok(Door { base, token: self.token(service, access, tokens)? })
    }

    /// Production's secret first, since a service around is everybody's.
    pub(crate) fn token(&self, service: &str, access: &Access, tokens: &Tokens) -> Result<String, Failure> {
        let mut environments: Vec<_> = self.project.environments.values().collect();
        environments.sort_by_key(|e| e.kind != Kind::Production);
        for environment in environments {
            if let Some(token) = self.secret(&environment.name, &access.token)? {
                return Ok(token);
            }
        }
        let name = &access.token;
        tokens.by_name.get(name).cloned().ok_or_else(|| {
            let environment = self.project.environments.keys().last().map_or("prod", |name| name.as_str());
            Failure::new(FailureKind::NotFound, format!("there is no token for {service}: the secret {name} is not set"))
                .hint(format!("declare it, [secrets] {name} = {{ only = [\"{environment}\"] }}, and: ambit secret set {name} -e {environment}"))
                .hint(format!("or have it in the environment of this command: {name}=…"))
        })
    }

    /// The parts of a plan that the project declares anything of.
    #[must_use]
    pub fn places(&self) -> Vec<Place> {
        let providers = &self.project.providers;
        Place::ALL
            .into_iter()
            .filter(|place| match place {
                Place::Dns => providers.cloudflare.is_some(),
                Place::Github | Place::Workflows => providers.github.is_some(),
                Place::Uptimerobot => providers.uptimerobot.is_some(),
                Place::Expo => providers.expo.is_some(),
                Place::Railway => self.project.environments.values().any(|e| e.railway_project().is_some()),
            })
            .collect()
    }
}

impl Ambit {
    fn open_side<'a>(
        &'a self,
        declaration: &'a Declaration,
        tokens: &Tokens,
        place: Place,
    ) -> Result<Box<dyn AnySide + 'a>, Failure> {
        Ok(match place {
            Place::Dns => Box::new(Side::new(dns::Dns::open(declaration, tokens)?)),
            Place::Workflows => Box::new(Side::new(workflows::Files::new(declaration))),
            Place::Uptimerobot => Box::new(Side::new(uptimerobot::Uptimerobot::open(declaration, tokens)?)),
            Place::Expo => Box::new(Side::new(expo::Expo::open(declaration, tokens)?)),
            Place::Railway => Box::new(Side::new(railway::Projects::open(self, declaration, tokens)?)),
            Place::Github => Box::new(Side::new(github::Repository::open(self, declaration, tokens)?)),
        })
    }

    /// Reads the services around and compares them with the declaration. Changes nothing. What was not named and cannot be looked at
    /// is a remark.
    pub async fn plan_outside(&self, declaration: &Declaration, of: &Of, tokens: &Tokens) -> Result<Plan, Failure> {
        self.look(declaration, of, tokens, Ask::Declared).await
    }

    /// What could be taken over of what is there.
    pub async fn plan_import(&self, declaration: &Declaration, of: &Of, tokens: &Tokens) -> Result<Plan, Failure> {
        self.look(declaration, of, tokens, Ask::Adoptable).await
    }

    async fn look(&self, declaration: &Declaration, of: &Of, tokens: &Tokens, ask: Ask) -> Result<Plan, Failure> {
        let (declared, only) = (declaration.places(), &of.places);
        if let Some(place) = only.iter().find(|place| !declared.contains(place)) {
            return Err(undeclared(declaration, *place));
        }
        let mut known = Known::default();
        let mut parts = Vec::new();
        for place in declared {
            let asked = only.contains(&place);
            // What a later part has to know is read without being shown.
            let needed = place == Place::Railway && only.contains(&Place::Dns);
            if !(only.is_empty() || asked || needed) {
                continue;
            }
            let looked = match self.open_side(declaration, tokens, place) {
                Ok(mut side) => side.look(&mut known, ask).await,
                Err(failure) => Err(failure),
            };
            match looked {
                Ok(mut part) if only.is_empty() || asked => {
                    part.changes.retain(|change| change.is_of(&of.environments));
                    parts.push(part);
                }
                Ok(_) => {}
                Err(failure) if asked => return Err(failure),
                Err(failure) => {
                    let remark = Remark::new("not looked at", spoken(&failure));
                    if only.is_empty() {
                        parts.push(Part { unread: true, remarks: vec![remark], ..Part::empty(place) });
                    }
                }
            }
        }
        let (project, environments) = (declaration.project.name.to_string(), of.environments.clone());
        Ok(Plan { version: Plan::VERSION, project, environments, parts })
    }
}

fn undeclared(declaration: &Declaration, place: Place) -> Failure {
    let what = format!("{} declares nothing of {place}", declaration.project.name);
    let hint = match place {
        Place::Dns => "add to ambit.toml: [providers.cloudflare] zone = \"example.org\"",
        Place::Expo => "add to ambit.toml: [providers.expo] project = \"@owner/slug\"",
        Place::Uptimerobot => "add to ambit.toml: [providers.uptimerobot]",
        Place::Github => "add to ambit.toml: [providers.github] repository = \"OWNER/NAME\"",
        _ => "what can be declared: docs/ambit-toml.md, [providers.NAME]",
    };
    Failure::new(FailureKind::NotFound, what).hint(hint)
}

/// A failure in one line, for where the rest of the plan goes on.
fn spoken(failure: &Failure) -> String {
    let causes = failure.causes.iter().map(String::as_str);
    let hints = failure.hints.iter().map(String::as_str);
    std::iter::once(failure.to_string().as_str()).chain(causes).chain(hints).collect::<Vec<_>>().join("; ")
}
