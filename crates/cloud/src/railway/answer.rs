//! What an answer means. One of 200 may hold errors, and `Not Authorized` stands for what is not there too.

use ambit_domain::{Failure, FailureKind};
use hyper::StatusCode;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{api::Trouble, http::Answer};

/// Errors that may be over the next time.
const PASSING: [&str; 4] = ["problem processing request", "internal server error", "timeout", "rate limit"];
const UNAUTHORIZED: &str = "Railway does not authorize that";
const TOKENS: &str = "https://railway.com/account/tokens";
/// Shorter values are no secrets, and are found in every sentence.
const LEAST: usize = 4;

/// How errors are told.
pub(super) struct Errors<'a> {
    secrets: &'a [&'a str],
}

#[derive(Deserialize)]
struct Envelope {
    data: Option<Value>,
    #[serde(default)]
    errors: Vec<Told>,
}

#[derive(Deserialize)]
struct Told {
    #[serde(default)]
    message: String,
    #[serde(default)]
    extensions: Value,
}

impl<'a> Errors<'a> {
    /// Without these texts, which errors of GraphQL may repeat.
    pub(super) fn new(secrets: &'a [&'a str]) -> Self {
        Self { secrets }
    }

    fn words(&self, told: &Told) -> String {
        let mut message = told.message.clone();
        for secret in self.secrets.iter().filter(|secret| secret.len() >= LEAST) {
            message = message.replace(secret, "(secret)");
        }
        message
    }
}

pub(super) fn understood<T: DeserializeOwned>(answer: &Answer, errors: &Errors<'_>) -> Result<T, Trouble> {
    let said = format!("Railway answered {}", answer.status.as_u16());
    let unauthorized = matches!(answer.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
    let Ok(envelope) = serde_json::from_str::<Envelope>(&answer.body) else {
        return Err(match answer.status.is_success() {
            true => Trouble::Passing(format!("{said} with something that is no answer"), None),
            false if unauthorized => Trouble::Final(refused()),
            false => Trouble::Final(Failure::new(FailureKind::User, said)),
        });
    };
    if let Some(first) = envelope.errors.first() {
        return Err(trouble(first, &envelope.errors, unauthorized, errors));
    }
    if !answer.status.is_success() {
        return Err(Trouble::Final(if unauthorized { refused() } else { Failure::new(FailureKind::User, said) }));
    }
    let data = envelope.data.unwrap_or_default();
    serde_json::from_value(data).map_err(|error| {
        // The values that were read may be secrets: the place is told, and not what stands there.
        let place = format!("line {}, column {}", error.line(), error.column());
        Trouble::Passing(format!("{said} with something that was not asked for ({place})"), None)
    })
}

fn trouble(first: &Told, all: &[Told], unauthorized: bool, errors: &Errors<'_>) -> Trouble {
    let message = first.message.to_ascii_lowercase();
    if unauthorized || message.contains("not authorized") || message.contains("unauthorized") {
        return Trouble::Final(refused());
    }
    let internal = first.extensions["code"] == "INTERNAL_SERVER_ERROR";
    if internal || PASSING.iter().any(|passing| message.contains(passing)) {
        return Trouble::Passing(format!("Railway answered: {}", errors.words(first)), None);
    }
    let failure = Failure::new(FailureKind::User, "Railway refused that");
    let failure = all.iter().fold(failure, |failure, told| failure.because(errors.words(told)));
    if message.contains("two-factor") || message.contains("2fa") {
        return Trouble::Final(failure.hint("delete it in Railway's pages, where a second factor can be given"));
    }
    Trouble::Final(failure)
}

fn refused() -> Failure {
    Failure::new(FailureKind::User, UNAUTHORIZED)
        .because(
            "the token is wrong or expired, it is not of this workspace, or what was asked for is not there any more",
        )
        .hint(format!("make a token of the account or of the workspace: {TOKENS}"))
}

pub(super) fn is_unauthorized(failure: &Failure) -> bool {
    failure.message == UNAUTHORIZED
}

/// A project's token cannot see projects, nor make them.
pub(super) fn needs_account(failure: Failure) -> Failure {
    let causes = vec![
        "this is a token of one project; projects are listed and made by one of an account or a workspace".to_owned(),
    ];
    Failure { causes, ..failure }
}
