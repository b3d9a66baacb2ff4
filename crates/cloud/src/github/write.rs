//! What is changed.

use ambit_domain::{
    Failure, FailureKind,
    github::{DeployedFrom, EVENTS, Feature, Home, Name, Op, Settings, Tags},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use crypto_box::{PublicKey, aead::OsRng};
use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Github,
    answers::{Answered, carried},
    part,
    read::Secret,
};
use crate::http::Answer;

/// Tries of a secret whose key changed meanwhile.
const KEYS: usize = 2;

/// How a change ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is done. Of a secret, when, as GitHub says.
    Done(Option<String>),
    /// Nobody knows, or it may be done another time: read again what is there.
    Unknown(String),
    /// The owner's plan does not have it.
    Refused(Feature, String),
}

#[derive(Deserialize)]
struct Key {
    key_id: String,
    key: String,
}

impl Github {
    /// Carries out one change. `secret` is what a secret or the webhook's secret says.
    pub async fn carry_out(&self, op: &Op, secret: Option<&str>) -> Result<Outcome, Failure> {
        let (method, path, body, feature) = match op {
            Op::Secret { name, .. } => return self.write_secret(name, needed(secret)?).await,
            Op::Token { .. } | Op::RemoveToken { .. } | Op::AdoptSecret { .. } => {
                return Err(Failure::new(FailureKind::Internal, "this is not done at GitHub"));
            }
            Op::AdoptTags { id, mark } => {
                let body = json!({ "name": mark });
                (Method::PUT, self.path(&format!("/rulesets/{id}")), Some(body), Some(Feature::Protection))
            }
            Op::RemoveSecret { name } => (Method::DELETE, self.secret(name), None, None),
            Op::Branch { name, commit } => {
                let body = json!({ "ref": format!("refs/heads/{name}"), "sha": commit });
                (Method::POST, self.path("/git/refs"), Some(body), None)
            }
            Op::Protect { branch, protection } => {
                let body = super::protection::written(protection);
                (Method::PUT, self.protection_of(branch, ""), Some(body), Some(Feature::Protection))
            }
            Op::Open { branch } => {
                let path = self.protection_of(branch, "/required_pull_request_reviews");
                (Method::DELETE, path, None, Some(Feature::Protection))
            }
            Op::Tags { id: None, tags } => {
                (Method::POST, self.path("/rulesets"), Some(ruleset(tags)), Some(Feature::Protection))
            }
            Op::Tags { id: Some(id), tags } => {
                let path = self.path(&format!("/rulesets/{id}"));
                (Method::PUT, path, Some(ruleset(tags)), Some(Feature::Protection))
            }
            Op::RemoveTags { id } => (Method::DELETE, self.path(&format!("/rulesets/{id}")), None, None),
            Op::Environment { name, settings } => {
                let (body, feature) = environment(settings);
                (Method::PUT, self.path(&format!("/environments/{}", part(name))), Some(body), Some(feature))
            }
            Op::AddSource { environment, source } => {
                let body = json!({ "name": source.pattern(), "type": source.kind() });
                (Method::POST, self.sources_of(environment), Some(body), Some(Feature::Sources))
            }
            Op::RemoveSource { environment, id } => {
                (Method::DELETE, format!("{}/{id}", self.sources_of(environment)), None, None)
            }
            Op::Variable { name, value, exists } => {
                let path = self.variables_at(&name.home);
                let body = json!({ "name": name.name, "value": value });
                match exists {
                    false => (Method::POST, path, Some(body), None),
                    true => (Method::PATCH, format!("{path}/{}", part(&name.name)), Some(body), None),
                }
            }
            Op::Hook { id, hook } => {
                let config =
                    json!({ "url": hook.url, "content_type": "json", "insecure_ssl": "0", "secret": needed(secret)? });
                let body = json!({ "config": config, "events": EVENTS, "active": true });
                match id {
                    None => (Method::POST, self.path("/hooks"), Some(body), None),
                    Some(id) => (Method::PATCH, self.path(&format!("/hooks/{id}")), Some(body), None),
                }
            }
        };
        let body = body.map(|body: Value| body.to_string().into_bytes());
        let told = self
            .api
            .once_in_turn(method.clone(), &path, body.as_deref(), |answer| carried(&self.api, &method, answer))
            .await?;
        Ok(match told {
            Ok(Answered::There(())) => Outcome::Done(None),
            Ok(Answered::Nothing(why)) | Err(why) => Outcome::Unknown(why),
            Ok(Answered::Refused(why)) => match feature {
                Some(feature) => Outcome::Refused(feature, why),
                None => {
                    return Err(Failure::new(FailureKind::User, "GitHub refuses it for the owner's plan").because(why));
                }
            },
        })
    }

    fn protection_of(&self, branch: &str, below: &str) -> String {
        self.path(&format!("/branches/{}/protection{below}", part(branch)))
    }

    fn sources_of(&self, environment: &str) -> String {
        self.path(&format!("/environments/{}/deployment-branch-policies", part(environment)))
    }

    fn variables_at(&self, home: &Home) -> String {
        match home {
            Home::Repository => self.path("/actions/variables"),
            Home::Environment(name) => self.path(&format!("/environments/{}/variables", part(name))),
        }
    }

    fn secret(&self, name: &Name) -> String {
        format!("{}/{}", self.secrets_at(&name.home), part(&name.name))
    }

    /// Sealed anew each time, so that nobody sees whether it is the same; the key that it is sealed for may change meanwhile.
    async fn write_secret(&self, name: &Name, value: &str) -> Result<Outcome, Failure> {
        let path = self.secret(name);
        for left in (0..KEYS).rev() {
            let key: Key = self.one(&format!("{}/public-key", self.secrets_at(&name.home))).await?;
            let body = json!({ "encrypted_value": seal(&key.key, value)?, "key_id": key.key_id });
            let understand = |answer: &Answer| match answer.status {
                StatusCode::UNPROCESSABLE_ENTITY if left > 0 => Ok(None),
                _ => carried(&self.api, &Method::PUT, answer).map(Some),
            };
            let body = Some(body.to_string().into_bytes());
            match self.api.once_in_turn(Method::PUT, &path, body.as_deref(), understand).await? {
                Ok(None) => {}
                Ok(Some(Answered::There(()))) => {
                    let written: Secret = self.one(&path).await?;
                    return Ok(Outcome::Done(Some(written.updated_at)));
                }
                Ok(Some(Answered::Nothing(why) | Answered::Refused(why))) | Err(why) => {
                    return Ok(Outcome::Unknown(why));
                }
            }
        }
        Ok(Outcome::Unknown("the key that secrets are sealed for keeps changing".to_owned()))
    }
}

fn needed(secret: Option<&str>) -> Result<&str, Failure> {
    secret.ok_or_else(|| Failure::new(FailureKind::Internal, "a secret is to be written whose value nobody knows"))
}

/// A libsodium sealed box, in base64.
fn seal(key: &str, value: &str) -> Result<String, Failure> {
    let odd = || Failure::new(FailureKind::Machine, "the key that GitHub gives for secrets is none");
    let bytes: [u8; 32] = STANDARD.decode(key).ok().and_then(|bytes| bytes.try_into().ok()).ok_or_else(odd)?;
    let sealed = PublicKey::from(bytes).seal(&mut OsRng, value.as_bytes()).map_err(|_| odd())?;
    Ok(STANDARD.encode(sealed))
}

/// Whole, and without a word about what there is none of: even an empty rule is one that some plans do not have.
fn environment(settings: &Settings) -> (Value, Feature) {
    let mut body = json!({});
    if settings.wait > 0 {
        body["wait_timer"] = json!(settings.wait);
    }
    match settings.from {
        DeployedFrom::Anything => {}
        from => {
            let named = from == DeployedFrom::Named;
            body["deployment_branch_policy"] = json!({ "protected_branches": !named, "custom_branch_policies": named });
        }
    }
    if settings.reviewers.is_empty() {
        return (body, Feature::Sources);
    }
    let kind = |team: bool| if team { "Team" } else { "User" };
    let all: Vec<Value> = settings.reviewers.iter().map(|r| json!({ "type": kind(r.team), "id": r.id })).collect();
    body["reviewers"] = json!(all);
    body["prevent_self_review"] = json!(settings.no_self_review);
    (body, Feature::Reviewers)
}

fn ruleset(tags: &Tags) -> Value {
    json!({
        "name": tags.mark,
        "target": "tag",
        "enforcement": "active",
        "bypass_actors": [],
        "conditions": { "ref_name": { "include": [format!("refs/tags/{}", tags.pattern)], "exclude": [] } },
        "rules": [{ "type": "update" }, { "type": "deletion" }],
    })
}
