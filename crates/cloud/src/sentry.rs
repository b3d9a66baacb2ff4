//! Releases and deploys at Sentry (docs.sentry.io/api/releases). A release may be made again; a deploy may not, so that those that are
//! there are looked at first.

use ambit_domain::{Failure, sentry::Deploy};
use hyper::{Method, StatusCode, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::json;

use crate::{
    api::{Api, Trouble},
    http::Answer,
    outcome::SendError,
};

/// Where the API is, for organisations in the United States; others say `endpoint`.
pub const BASE: &str = "https://sentry.io/api/0";

/// What of a path needs no encoding (RFC 3986, 2.3).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A project of an organisation, by a token.
pub struct Sentry {
    api: Api,
    organization: String,
    project: String,
}

#[derive(Deserialize)]
struct Present {
    name: Option<String>,
    environment: String,
}

#[derive(Deserialize)]
struct Refusal {
    /// A sentence, where it is one.
    detail: Option<String>,
}

impl Sentry {
    /// `base` is [`BASE`], or a server of the same API over TLS or on this machine.
    pub fn new(base: &str, token: &str, organization: &str, project: &str) -> Result<Self, Failure> {
        let api = Api::new("Sentry", base, (header::AUTHORIZATION, "Bearer ", token), &[])?;
        Ok(Self { api, organization: organization.to_owned(), project: project.to_owned() })
    }

    /// Records that a release runs in an environment, once however often it is told. `moment` writes a time down.
    pub async fn record(&self, deploy: &Deploy, moment: impl Fn(i64) -> String) -> Result<(), SendError> {
        let releases = format!("/organizations/{}/releases/", encoded(&self.organization));
        let at = moment(deploy.at);
        let mut release = json!({ "version": deploy.version, "projects": [self.project], "ref": deploy.commit });
        if deploy.released {
            release["dateReleased"] = json!(at);
        }
        let made = self.send(Method::POST, &releases, Some(&release)).await?;
        let one = format!("{releases}{}/", encoded(&deploy.version));
        if deploy.released && made.status == StatusCode::ALREADY_REPORTED {
            // Another environment had it first.
            self.send(Method::PUT, &one, Some(&json!({ "dateReleased": at }))).await?;
        }
        let deploys = format!("{one}deploys/");
        let there = self.send(Method::GET, &deploys, None).await?;
        let there: Vec<Present> = serde_json::from_str(&there.body)
            .map_err(|_| SendError::later("Sentry answered 200 with something that is no list"))?;
        let is_there = |p: &Present| p.name.as_ref() == Some(&deploy.name) && p.environment == deploy.environment;
        if there.iter().any(is_there) {
            return Ok(());
        }
        let mut new = json!({
            "environment": deploy.environment, "name": deploy.name, "dateFinished": at, "projects": [self.project],
        });
        if let Some(url) = &deploy.url {
            new["url"] = json!(url);
        }
        self.send(Method::POST, &deploys, Some(&new)).await.map(drop)
    }

    async fn send(&self, method: Method, path: &str, body: Option<&serde_json::Value>) -> Result<Answer, SendError> {
        let answer = self.api.answer(method, path, body.map(|body| body.to_string().into_bytes())).await;
        let answer = answer.map_err(|trouble| match trouble {
            Trouble::Passing(why, after) => SendError::Later { why: format!("Sentry cannot be reached: {why}"), after },
            Trouble::Final(failure) => SendError::later(failure.message),
        })?;
        if answer.status.is_success() {
            return Ok(answer);
        }
        let detail = serde_json::from_str::<Refusal>(&answer.body).ok().and_then(|refusal| refusal.detail);
        let said = format!("{}{}", self.api.said(&answer), detail.map(|d| format!(": {d}")).unwrap_or_default());
        Err(match answer.status {
            // Somebody may mend the token or the names, and then it gets there.
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => SendError::later(format!(
                "{said}; the token is wrong or lacks project:releases (or org:ci) for {}",
                self.organization
            )),
            StatusCode::NOT_FOUND => SendError::later(format!(
                "{said}; is there an organisation {} with a project {}, and is its region the one of `endpoint`?",
                self.organization, self.project
            )),
            StatusCode::TOO_MANY_REQUESTS => SendError::Later { why: said, after: answer.retry_after },
            status if status.is_server_error() => SendError::Later { why: said, after: answer.retry_after },
            _ => SendError::refused(said),
        })
    }
}

fn encoded(part: &str) -> String {
    utf8_percent_encode(part, ENCODED).to_string()
}
