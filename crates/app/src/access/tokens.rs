//! Tokens for programs: less than a person, for some time.

use std::time::Duration;

use ambit_domain::{
    Actor, Failure, FailureKind,
    access::{Caller, Entrance, Role, Token},
    audit::Note,
    spec::ProjectName,
};
use serde::{Deserialize, Serialize};

use super::{digest, secret, user_name};
use crate::ambit::{Ambit, nearest, now, store_failure};

/// By this a token is known for one, also by whoever looks for lost secrets.
const PREFIX: &str = "ambit_";
/// No token is good for longer.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);
/// How exactly it is known when a token was used.
const USED: i64 = 60_000;

/// A token to be made.
#[derive(Clone, Serialize, Deserialize)]
pub struct CreateToken {
    /// What it is for.
    pub label: String,
    /// In whose name it acts; the one who asks where nobody is named.
    pub user: Option<String>,
    /// What it may.
    pub role: Role,
    /// The only project that it is good for.
    pub project: Option<ProjectName>,
    /// How long it is good for.
    pub lasts: Duration,
    /// Who asks.
    pub actor: Actor,
}

/// A token as it was made.
#[derive(Clone, Serialize, Deserialize)]
pub struct CreatedToken {
    /// What can be seen of it.
    #[serde(flatten)]
    pub token: Token,
    /// The token itself, shown this once.
    pub secret: String,
}

/// A token to be ended.
#[derive(Clone, Serialize, Deserialize)]
pub struct RevokeToken {
    /// What it is called.
    pub label: String,
    /// Who asks.
    pub actor: Actor,
}

impl Ambit {
    /// Makes a token.
    pub fn create_token(&self, request: &CreateToken) -> Result<CreatedToken, Failure> {
        let user = self.known_user(&user_name(request.user.as_deref().unwrap_or(&request.actor.who))?)?;
        let label = &request.label;
        let good = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if !(1..=60).contains(&label.len()) || !label.chars().all(good) {
            return Err(Failure::new(FailureKind::User, format!("`{}` is no name for a token", label.escape_debug()))
                .hint("use letters, digits, dots, hyphens and underscores"));
        }
        if !user.role.includes(request.role) {
            return Err(Failure::new(
                FailureKind::User,
                format!("{} is {} and cannot have a token of {}", user.name, user.role, request.role),
            ));
        }
        if request.lasts.is_zero() || request.lasts > LONGEST {
            return Err(Failure::new(FailureKind::User, "a token lasts for a year at most"));
        }
        if let Some(project) = &request.project {
            self.project_folder(project)?;
        }
        let now = now();
        let token = Token {
            label: label.clone(),
            user: user.name,
            role: request.role,
            project: request.project.clone(),
            made: now,
            until: now + i64::try_from(request.lasts.as_millis()).unwrap_or(0),
            used: None,
        };
        let secret = format!("{PREFIX}{}", secret());
        if !self.store.add_token(&token, &digest(&secret)).map_err(|e| store_failure(&e))? {
            return Err(Failure::new(FailureKind::User, format!("there is a token `{label}` already"))
                .hint(format!("ambit token revoke {label}")));
        }
        let note = noted(&request.actor, &token.project, "token.created")
            .about("label", label.as_str())
            .about("user", token.user.as_str())
            .about("role", token.role.name());
        self.note(note)?;
        Ok(CreatedToken { token, secret })
    }

    /// Every token, by its label.
    pub fn tokens(&self) -> Result<Vec<Token>, Failure> {
        self.store.tokens().map_err(|e| store_failure(&e))
    }

    /// Ends a token.
    pub fn revoke_token(&self, request: &RevokeToken) -> Result<(), Failure> {
        let label = &request.label;
        if !self.store.remove_token(label).map_err(|e| store_failure(&e))? {
            let all = self.tokens()?;
            let near = nearest(label, all.iter().map(|token| token.label.as_str()));
            let what = format!("there is no token `{}`", label.escape_debug());
            return Err(Failure::new(FailureKind::NotFound, what)
                .hint_if(near.map(|near| format!("did you mean `{near}`?")))
                .hint("ambit token list"));
        }
        self.note(noted(&request.actor, &None, "token.revoked").about("label", label.as_str())).map(drop)
    }

    /// Who comes with a token, while it is good.
    pub fn token(&self, secret: &str) -> Result<Option<Caller>, Failure> {
        if !secret.starts_with(PREFIX) {
            return Ok(None);
        }
        let now = now();
        let Some((token, user)) = self.store.token(&digest(secret)).map_err(|e| store_failure(&e))? else {
            return Ok(None);
        };
        if token.until <= now {
            return Ok(None);
        }
        if token.used.is_none_or(|used| now - used > USED) {
            self.store.touch_token(&token.label, now).map_err(|e| store_failure(&e))?;
        }
        let entrance = Entrance::Token { label: token.label, role: token.role, project: token.project };
        Ok(Some(Caller { user, entrance }))
    }
}

fn noted(actor: &Actor, project: &Option<ProjectName>, what: &str) -> Note {
    match project {
        Some(project) => Note::new(actor, project, what),
        None => Note::of_machine(actor, what),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SetUser, access::opened};

    fn request(role: Role) -> CreateToken {
        CreateToken {
            label: "ci".into(),
            user: Some("ana".into()),
            role,
            project: None,
            lasts: Duration::from_secs(60),
            actor: Actor::cli("lead", 0),
        }
    }

    #[test]
    fn a_token_acts_for_its_person_until_it_is_revoked() {
        let (_folder, ambit) = opened();
        let actor = Actor::cli("lead", 0);
        ambit
            .set_user(&SetUser { name: "ana".into(), role: Role::Developer, known: false, actor: actor.clone() })
            .unwrap();
        assert!(ambit.create_token(&request(Role::Approver)).is_err(), "more than its person may");
        let made = ambit.create_token(&request(Role::Developer)).unwrap();
        assert!(ambit.create_token(&request(Role::Developer)).is_err(), "the same name");
        let caller = ambit.token(&made.secret).unwrap().unwrap();
        assert_eq!(caller.actor(), Actor { who: "ana".into(), from: "token ci".into() });
        assert!(ambit.tokens().unwrap()[0].used.is_some());
        for forged in ["", "ambit_", &made.secret[..made.secret.len() - 1], &digest(&made.secret)] {
            assert_eq!(ambit.token(forged).unwrap(), None, "{forged}");
        }
        ambit.revoke_token(&RevokeToken { label: "ci".into(), actor: actor.clone() }).unwrap();
        assert_eq!(ambit.token(&made.secret).unwrap(), None);
        assert!(ambit.revoke_token(&RevokeToken { label: "ci".into(), actor }).is_err());
    }

    #[test]
    fn a_token_that_is_out_of_date_is_nobodys() {
        let (_folder, ambit) = opened();
        let actor = Actor::cli("lead", 0);
        ambit.set_user(&SetUser { name: "ana".into(), role: Role::Viewer, known: false, actor }).unwrap();
        let until = |until| Token {
            label: format!("until-{until}"),
            user: "ana".parse().unwrap(),
            role: Role::Viewer,
            project: None,
            made: 0,
            until,
            used: None,
        };
        ambit.store.add_token(&until(now() + 60_000), &digest("ambit_now")).unwrap();
        ambit.store.add_token(&until(now()), &digest("ambit_then")).unwrap();
        assert!(ambit.token("ambit_now").unwrap().is_some());
        assert_eq!(ambit.token("ambit_then").unwrap(), None);
    }
}
