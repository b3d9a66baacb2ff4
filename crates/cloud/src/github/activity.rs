//! What happens: deployments and statuses of commits are told, issues are asked for.

use ambit_domain::{
    Failure,
    github::{CHECK, Check, State},
};
use hyper::Method;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Value, json};

use super::{
    Github,
    answers::{Answered, carried, understood},
    part,
};

/// GitHub cuts what is longer.
const DESCRIPTION: usize = 140;

/// An open issue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// Its number.
    pub number: u64,
    /// Its title, on one line.
    pub title: String,
}

/// What GitHub is told of a deployment on a machine with Ambit.
#[derive(Debug, Clone)]
pub struct Told<'a> {
    /// `kaia/17`: by that it is found again.
    pub id: &'a str,
    /// The environment.
    pub environment: &'a str,
    /// Whether people use that.
    pub production: bool,
    /// The commit.
    pub commit: &'a str,
    /// What people call it.
    pub version: &'a str,
    /// How it stands.
    pub state: State,
    /// In words.
    pub words: &'a str,
    /// Where the environment is reached.
    pub url: Option<&'a str>,
    /// When it was asked for, in milliseconds since the Unix epoch.
    pub created: i64,
    /// Whether no later one deploys the same commit there: only then the commit's status is its.
    pub newest: bool,
}

#[derive(Deserialize)]
struct Deployment {
    id: u64,
    #[serde(default)]
    payload: Value,
}

#[derive(Deserialize)]
struct Status {
    state: String,
    #[serde(default)]
    created_at: String,
}

#[derive(Deserialize)]
struct Listed {
    number: u64,
    title: String,
    pull_request: Option<IgnoredAny>,
}

impl Github {
    /// Open issues with a label; pull requests are none.
    pub async fn issues(&self, label: &str) -> Result<Vec<Issue>, Failure> {
        let path = self.path(&format!("/issues?labels={}&state=open", part(label)));
        let all = self.all(&path, |issues: Vec<Listed>| issues).await?;
        let plain = |title: String| title.chars().map(|c| if c.is_control() { ' ' } else { c }).take(100).collect();
        let issues = all.into_iter().filter(|i| i.pull_request.is_none());
        Ok(issues.map(|i| Issue { number: i.number, title: plain(i.title) }).collect())
    }

    /// Tells how a deployment stands, as a deployment and as a status of its commit. May be repeated: what GitHub knows already is
    /// not said again.
    pub async fn tell(&self, told: &Told<'_>) -> Result<(), Failure> {
        if let Some((deployment, before)) = self.deployment(told).await? {
            if before.as_deref() == Some(told.state.name()) {
                return Ok(());
            }
            // First, so that a crash in between leaves what is told again.
            self.tell_commit(told).await?;
            let mut body = json!({ "state": told.state.name(), "description": cut(told.words) });
            if let Some(url) = told.url {
                body["environment_url"] = json!(url);
            }
            return self.write(&format!("/deployments/{deployment}/statuses"), &body).await.map(drop);
        }
        self.tell_commit(told).await
    }

    /// Tells of a pull request's commit whether it would be deployed. May be repeated: the newest counts.
    pub async fn tell_check(&self, commit: &str, check: &Check) -> Result<(), Failure> {
        let body = json!({
            "state": check.verdict.of_commit(),
            "context": CHECK,
            "description": cut(&check.words),
        });
        self.write(&format!("/statuses/{}", part(commit)), &body).await.map(drop)
    }

    async fn tell_commit(&self, told: &Told<'_>) -> Result<(), Failure> {
        if !told.newest {
            return Ok(());
        }
        let mut body = json!({
            "state": told.state.of_commit(),
            "context": format!("ambit/{}", told.environment),
            "description": cut(told.words),
        });
        if let Some(url) = told.url {
            body["target_url"] = json!(url);
        }
        self.write(&format!("/statuses/{}", part(told.commit)), &body).await.map(drop)
    }

    /// The deployment at GitHub, made where it is not there, and what was said of it last. `None` where there is nothing to say: nothing
    /// came of it and GitHub never heard of it, or a workflow hands it over and GitHub tells of that itself.
    async fn deployment(&self, told: &Told<'_>) -> Result<Option<(u64, Option<String>)>, Failure> {
        let path = self.path(&format!("/deployments?sha={}&environment={}", part(told.commit), part(told.environment)));
        let all: Vec<Deployment> = self.all(&path, |all: Vec<Deployment>| all).await?;
        if let Some(ours) = all.iter().find(|d| mark(&d.payload).as_deref() == Some(told.id)) {
            return Ok(Some((ours.id, self.last_status(ours.id).await?.map(|s| s.state))));
        }
        if told.state == State::Inactive {
            return Ok(None);
        }
        for other in all.iter().filter(|d| mark(&d.payload).is_none()) {
            if self.last_status(other.id).await?.is_some_and(|status| is_of(&status, told.created)) {
                return Ok(None);
            }
        }
        let body = json!({
            "ref": told.commit,
            "environment": told.environment,
            "production_environment": told.production,
            "description": cut(told.version),
            "payload": { "ambit": told.id },
            // What Ambit deploys is decided already.
            "auto_merge": false,
            "required_contexts": [],
        });
        let made: Deployment = serde_json::from_value(self.write("/deployments", &body).await?)
            .map_err(|e| Failure::from_error(ambit_domain::FailureKind::Machine, &e))?;
        Ok(Some((made.id, None)))
    }

    /// The newest comes first.
    async fn last_status(&self, deployment: u64) -> Result<Option<Status>, Failure> {
        let path = self.path(&format!("/deployments/{deployment}/statuses?per_page=1"));
        Ok(match self.get::<Vec<Status>>(&path).await? {
            Answered::There(statuses) => statuses.into_iter().next(),
            Answered::Nothing(_) | Answered::Refused(_) => None,
        })
    }

    /// One try of something new, with what is answered. Whoever asked tries again later.
    async fn write(&self, below: &str, body: &Value) -> Result<Value, Failure> {
        self.told(Method::POST, below, body).await?.map_err(|why| {
            Failure::new(ambit_domain::FailureKind::Machine, "GitHub did not take what it was told").because(why)
        })
    }

    /// One try, with what is answered, or why it is not known to be done.
    pub(super) async fn told(
        &self,
        method: Method,
        below: &str,
        body: &Value,
    ) -> Result<Result<Value, String>, Failure> {
        let understand = |answer: &crate::http::Answer| {
            carried(&self.api, &method, answer)?;
            understood::<Value>(&self.api, answer)
        };
        let body = Some(body.to_string().into_bytes());
        let told = self.api.once_in_turn(method.clone(), &self.path(below), body.as_deref(), understand).await?;
        Ok(match told {
            Ok(Answered::There(value)) => Ok(value),
            Ok(Answered::Nothing(why) | Answered::Refused(why)) | Err(why) => Err(why),
        })
    }
}

/// Ambit's own name of a deployment. A payload comes back as what it was, or as text of that.
fn mark(payload: &Value) -> Option<String> {
    let read = |value: &Value| value["ambit"].as_str().map(str::to_owned);
    read(payload).or_else(|| read(&serde_json::from_str(payload.as_str()?).ok()?))
}

/// Whether a deployment that is not Ambit's is that of the workflow which handed this one over: it is under way, or ended since.
fn is_of(status: &Status, created: i64) -> bool {
    if ["in_progress", "queued", "pending", "waiting"].contains(&status.state.as_str()) {
        return true;
    }
    let at = status.created_at.parse::<jiff::Timestamp>().map(jiff::Timestamp::as_millisecond);
    at.is_ok_and(|at| at >= created)
}

fn cut(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(DESCRIPTION).collect()
}
