//! Who comes in by the dashboard and the HTTP API: people and their roles, and how each of them is known again.

mod passkeys;
mod sessions;
mod tokens;
mod webauthn;

use ambit_domain::{
    Actor, Failure, FailureKind,
    access::{Role, User, UserName},
    audit::Note,
};
use rand::distr::{Alphanumeric, SampleString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use self::{
    sessions::{SignIn, SignInLink},
    tokens::{CreateToken, CreatedToken, RevokeToken},
    webauthn::{Ceremony, Made, Used},
};
use crate::ambit::{Ambit, nearest, now, store_failure};

/// Characters of [A-Za-z0-9] that make 256 bits.
const LENGTH: usize = 43;

/// A person to be added, or to be given another role.
#[derive(Clone, Serialize, Deserialize)]
pub struct SetUser {
    /// Their name.
    pub name: String,
    /// Their role.
    pub role: Role,
    /// Whether they have to be there already.
    pub known: bool,
    /// Who asks.
    pub actor: Actor,
}

/// A person to be removed.
#[derive(Clone, Serialize, Deserialize)]
pub struct RemoveUser {
    /// Their name.
    pub name: String,
    /// Who asks.
    pub actor: Actor,
}

impl Ambit {
    /// Adds a person, or gives one another role.
    pub fn set_user(&self, request: &SetUser) -> Result<User, Failure> {
        let name = user_name(&request.name)?;
        let there = self.store.user(&name).map_err(|e| store_failure(&e))?;
        let user = match (there, request.known) {
            (Some(user), true) => User { role: request.role, ..user },
            (None, false) => User { name, role: request.role, added: now() },
            (Some(user), false) => {
                return Err(Failure::new(FailureKind::User, format!("{name} is there already, as {}", user.role))
                    .hint(format!("another role: ambit user role {name} {}", request.role)));
            }
            (None, true) => return Err(self.unknown_user(&name)),
        };
        self.store.put_user(&user).map_err(|e| store_failure(&e))?;
        let what = if request.known { "user.role" } else { "user.added" };
        self.note(about(&request.actor, what, &user.name).about("role", user.role.name()))?;
        Ok(user)
    }

    /// Removes a person; every session, link and token of theirs ends at once.
    pub fn remove_user(&self, request: &RemoveUser) -> Result<(), Failure> {
        let name = user_name(&request.name)?;
        if !self.store.remove_user(&name).map_err(|e| store_failure(&e))? {
            return Err(self.unknown_user(&name));
        }
        self.note(about(&request.actor, "user.removed", &name)).map(drop)
    }

    /// Everybody, by name.
    pub fn users(&self) -> Result<Vec<User>, Failure> {
        self.store.users().map_err(|e| store_failure(&e))
    }

    fn known_user(&self, name: &UserName) -> Result<User, Failure> {
        self.store.user(name).map_err(|e| store_failure(&e))?.ok_or_else(|| self.unknown_user(name))
    }

    fn unknown_user(&self, name: &UserName) -> Failure {
        let all = self.store.users().unwrap_or_default();
        let near = nearest(name.as_str(), all.iter().map(|user| user.name.as_str()));
        Failure::new(FailureKind::NotFound, format!("there is no user {name}"))
            .hint_if(near.map(|near| format!("did you mean {near}?")))
            .hint(format!("ambit user add {name} --role viewer"))
    }
}

fn user_name(text: &str) -> Result<UserName, Failure> {
    text.parse().map_err(|error| {
        Failure::from_error(FailureKind::User, &error).because(format!("given: {}", text.escape_debug()))
    })
}

fn about(actor: &Actor, what: &str, user: &UserName) -> Note {
    Note::of_machine(actor, what).about("user", user.as_str())
}

/// A secret that cannot be guessed.
fn secret() -> String {
    Alphanumeric.sample_string(&mut rand::rng(), LENGTH)
}

/// What is kept of a secret. One of 256 random bits needs no slow hash: there is nothing to try.
fn digest(secret: &str) -> String {
    Sha256::digest(secret).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
pub(crate) fn opened() -> (tempfile::TempDir, Ambit) {
    let folder = tempfile::tempdir().unwrap();
    let surroundings = crate::Surroundings {
        program: "/nonexistent".into(),
        path: Vec::new(),
        build_variables: Vec::new(),
        listen: ([127, 0, 0, 1], 8080).into(),
        keys: |_| String::new(),
    };
    let ambit = Ambit::open(ambit_domain::Home::new(folder.path().join("home")), surroundings).unwrap();
    (folder, ambit)
}
