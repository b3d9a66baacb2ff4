//! `ambit --remote URL …`: what can be asked of a daemon on another machine, with a token.

use std::{collections::BTreeMap, path::Path, process::ExitCode, time::Duration};

use ambit_app::Status;
use ambit_domain::{
    Deployment, DeploymentState, Event, Failure, FailureKind,
    gates::{GateResult, Verdict},
};
use ambit_server::Remote;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{deployments, gates, print_json, status};
use crate::{
    arguments::{Command, DeploymentCommand, Following, LogSearchArguments},
    context,
    follow::told,
    progress::Lines,
    screen::plain,
};

/// How often it is asked how a deployment goes.
const EVERY: Duration = Duration::from_millis(500);

struct Elsewhere {
    remote: Remote,
    /// The project as a part of addresses.
    project: String,
    json: bool,
}

#[derive(Deserialize)]
struct Part {
    events: Vec<Event>,
    next: u64,
}

#[derive(Deserialize)]
struct Checklist {
    deployment: u64,
    gates: Vec<GateResult>,
    approvers: Vec<String>,
}

#[derive(Deserialize)]
struct Line {
    at: String,
    instance: String,
    text: String,
}

pub(crate) async fn run(address: &str, folder: &Path, command: Command, json: bool) -> Result<ExitCode, Failure> {
    let token = std::env::var("AMBIT_TOKEN").ok().filter(|token| !token.trim().is_empty()).ok_or_else(|| {
        Failure::new(FailureKind::User, "there is no token in AMBIT_TOKEN")
            .hint("on the other machine: ambit token create")
    })?;
    let project = format!("/projects/{}", context::project(folder)?);
    let there = Elsewhere { remote: Remote::new(address, &token)?, project, json };
    match command {
        Command::Status { environments } => there.status(&environments).await,
        Command::Deployments { environment, lines } => {
            let of = environment.map_or(String::new(), |name| format!("&environment={}", encoded(&name)));
            let all: Vec<Deployment> = there.get(&format!("/deployments?limit={lines}{of}")).await?;
            deployments::print(&all, json);
            Ok(ExitCode::SUCCESS)
        }
        Command::Deployment(DeploymentCommand::Show { number }) => {
            print_json(&there.get::<Value>(&format!("/deployments/{number}")).await?);
            Ok(ExitCode::SUCCESS)
        }
        Command::Deployment(DeploymentCommand::Log { number, .. }) => there.follow(number, Until::Finished).await,
        Command::Deployment(DeploymentCommand::Cancel { number, reason }) => {
            there.decide(number, "cancel", &reason).await
        }
        Command::Deploy { environment, reference, to: None, following } => {
            let body = json!({ "reference": reference, "reason": following.reason });
            there.queue(&format!("/environments/{}/deploy", encoded(&environment)), &body, &following).await
        }
        Command::Promote { from, to, following } => {
            let body = json!({ "from": from, "reason": following.reason });
            there.queue(&format!("/environments/{}/promote", encoded(&to)), &body, &following).await
        }
        Command::Rollback { environment, to, restore: false, following, .. } => {
            let body = json!({ "to": to, "reason": following.reason });
            there.queue(&format!("/environments/{}/rollback", encoded(&environment)), &body, &following).await
        }
        Command::Approve { deployment, following } => {
            let body = json!({ "reason": following.reason });
            there.queue(&format!("/deployments/{deployment}/approve"), &body, &following).await
        }
        Command::Reject { deployment, reason } => there.decide(deployment, "reject", &reason).await,
        Command::Gates { environment, waive: None, sign: None } => there.gates(&environment).await,
        Command::Logs {
            services,
            environment,
            follow: false,
            lines,
            at: None,
            search: search @ LogSearchArguments { grep: None, .. },
        } => there.logs(&services, &environment, lines.unwrap_or(LINES), &search).await,
        _ => Err(Failure::new(FailureKind::User, "not supported yet: this with --remote").hint(
            "there are: status, deployments, deployment, deploy, promote, rollback without --restore, approve, reject, \
             gates, logs without --follow and --grep",
        )),
    }
}

/// How many lines of a log are shown where nobody says.
const LINES: usize = 50;

/// Until when somebody waits for a deployment.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    Live,
    Finished,
}

impl Elsewhere {
    async fn get<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.remote.get(&format!("{}{path}", self.project)).await
    }

    async fn status(&self, environments: &[String]) -> Result<ExitCode, Failure> {
        let mut status: Status = self.get("/status").await?;
        if !environments.is_empty() {
            status.environments.retain(|e| environments.iter().any(|name| name == e.environment.as_str()));
        }
        if self.json {
            print_json(&json!({ "status": status }));
        } else {
            status::print(&status, &format!("at {}", self.remote.address()));
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn queue(&self, path: &str, body: &Value, following: &Following) -> Result<ExitCode, Failure> {
        let queued: Deployment = self.remote.post(&format!("{}{path}", self.project), body).await?;
        if following.detach {
            if self.json {
                print_json(&queued);
            } else {
                println!(
                    "{} to {} · deployment {}",
                    plain(&queued.version),
                    queued.environment.environment,
                    queued.number
                );
            }
            return Ok(ExitCode::SUCCESS);
        }
        self.follow(queued.number.0, if following.wait { Until::Finished } else { Until::Live }).await
    }

    async fn decide(&self, number: u64, what: &str, reason: &str) -> Result<ExitCode, Failure> {
        let path = format!("{}/deployments/{number}/{what}", self.project);
        let decided: Deployment = self.remote.post(&path, &json!({ "reason": reason })).await?;
        if self.json {
            print_json(&decided);
        } else {
            println!("✓ deployment {number} of {} is {}", plain(&decided.version), decided.state.name());
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn follow(&self, number: u64, until: Until) -> Result<ExitCode, Failure> {
        let (lines, mut position) = (Lines::new(self.json), 0);
        loop {
            // First its state: what is said after a look at a final state was said before it became final.
            let deployment: Deployment = self.get(&format!("/deployments/{number}")).await?;
            let part: Part = self.get(&format!("/deployments/{number}/log?from={position}")).await?;
            part.events.iter().for_each(|event| lines.show(event));
            let (state, moved) = (deployment.state, part.next != position);
            position = part.next;
            let waits = state == DeploymentState::Waiting;
            let enough = state.is_final() || waits || (until == Until::Live && state.serves());
            if enough && !moved {
                return Ok(told(&deployment, None, self.json));
            }
            if !moved {
                tokio::time::sleep(EVERY).await;
            }
        }
    }

    async fn gates(&self, environment: &str) -> Result<ExitCode, Failure> {
        let answer: Value = self.get(&format!("/environments/{}/gates", encoded(environment))).await?;
        let strange = |e| Failure::from_error(FailureKind::Machine, &e);
        let list: Checklist = serde_json::from_value(answer.clone()).map_err(strange)?;
        if self.json {
            print_json(&answer);
        } else {
            let deployment: Deployment = self.get(&format!("/deployments/{}", list.deployment)).await?;
            gates::show(&deployment, &list.gates, &list.approvers);
        }
        let open = list.gates.iter().any(|gate| matches!(gate.verdict, Verdict::Failed | Verdict::Waiting));
        Ok(if open { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    async fn logs(
        &self,
        services: &[String],
        environments: &[String],
        lines: usize,
        search: &LogSearchArguments,
    ) -> Result<ExitCode, Failure> {
        let moment = |at: i64| jiff::Timestamp::from_millisecond(at).map(|at| at.to_string()).unwrap_or_default();
        let level = search.level.and_then(|level| serde_json::to_value(level).ok()?.as_str().map(str::to_owned));
        let sought: String = [
            ("since", search.since.map(moment)),
            ("until", search.until.map(moment)),
            ("level", level),
            ("release", search.release.clone()),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some(format!("&{name}={}", encoded(&value?))))
        .collect();
        let environments = if environments.is_empty() {
            let status: Status = self.get("/status").await?;
            status.environments.iter().map(|e| e.environment.to_string()).collect()
        } else {
            environments.to_vec()
        };
        let services: Vec<Option<&String>> =
            if services.is_empty() { vec![None] } else { services.iter().map(Some).collect() };
        let mut all: BTreeMap<(String, String, usize), String> = BTreeMap::new();
        for environment in &environments {
            for service in &services {
                let of = service.map_or(String::new(), |service| format!("&service={}", encoded(service)));
                let path = format!("/environments/{}/logs?lines={lines}{of}{sought}", encoded(environment));
                for (n, line) in self.get::<Vec<Line>>(&path).await?.into_iter().enumerate() {
                    all.insert((line.at, format!("{environment}/{}", line.instance), n), line.text);
                }
            }
        }
        for ((at, who, _), text) in all {
            if self.json {
                println!("{}", json!({ "at": at, "instance": who, "text": text }));
            } else {
                println!("{at} {who:<16} {}", plain(&text));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// As a part of an address.
fn encoded(text: &str) -> String {
    let byte = |b: u8| {
        if b.is_ascii_alphanumeric() || b"-._~".contains(&b) { char::from(b).to_string() } else { format!("%{b:02X}") }
    };
    text.bytes().map(byte).collect()
}
