//! The payloads of GitHub's events, as far as they matter here ("Webhook events and payloads"). Every field may be missing:
//! the published examples are older than the schemas, and newer events will know more.

use ambit_app::Told;
use ambit_domain::{github::PullRequest, intake::Reference};
use serde::Deserialize;
use serde_json::Value;

/// What is read of any event.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Payload {
    action: Option<String>,
    #[serde(rename = "ref")]
    reference: Option<String>,
    ref_type: Option<String>,
    after: Option<String>,
    deleted: Option<bool>,
    repository: Option<Repository>,
    pusher: Option<Pusher>,
    sender: Option<User>,
    approver: Option<User>,
    // Objects in other events.
    comment: Option<Value>,
    environment: Option<Value>,
    workflow_run: Option<WorkflowRun>,
    workflow_job_run: Option<JobRun>,
    workflow_job_runs: Option<Vec<JobRun>>,
    // An object in the event of that name, and a list or a number in others.
    pull_request: Option<Value>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Repository {
    full_name: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct User {
    login: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Pusher {
    name: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WorkflowRun {
    head_sha: Option<String>,
    actor: Option<User>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct JobRun {
    environment: Option<String>,
}

/// What an event comes to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// Something to be done.
    Told(Told),
    /// Nothing, and why.
    Ignored(&'static str),
}

impl Read {
    pub(crate) fn told(&self) -> Option<&Told> {
        match self {
            Self::Told(told) => Some(told),
            Self::Ignored(_) => None,
        }
    }
}

impl Payload {
    /// OWNER/NAME of the repository that it tells of.
    pub(crate) fn repository(&self) -> Option<&str> {
        self.repository.as_ref()?.full_name.as_deref()
    }

    fn sender(&self) -> Option<String> {
        self.sender.as_ref()?.login.clone()
    }

    /// The only environment that it names.
    fn environment(&self) -> Option<&str> {
        let jobs = self.workflow_job_runs.iter().flatten().chain(&self.workflow_job_run);
        let mut named: Vec<&str> = jobs
            .filter_map(|job| job.environment.as_deref())
            .chain(self.environment.as_ref().and_then(Value::as_str))
            .collect();
        named.sort_unstable();
        named.dedup();
        if let [one] = named.as_slice() { Some(one) } else { None }
    }
}

/// What an event says. Its name is not signed, so that what is done follows from the signed fields.
pub(crate) fn read(event: &str, payload: &Payload) -> Read {
    let told = match event {
        "push" => pushed(payload),
        "create" | "delete" => made_or_deleted(payload, event == "delete"),
        "deployment_review" => reviewed(payload),
        "pull_request" => proposed(payload),
        "ping" => Err("hello"),
        _ => Err("ignored: nothing follows this event"),
    };
    told.map_or_else(Read::Ignored, Read::Told)
}

fn pushed(payload: &Payload) -> Result<Told, &'static str> {
    let name = payload.reference.as_deref().ok_or("ignored: it names no reference")?;
    let reference = Reference::read(name).map_err(|_| "ignored: it names no branch or tag")?;
    let object = payload.after.clone().filter(|id| is_hash(id));
    let zeros = object.as_deref().is_some_and(|id| id.chars().all(|c| c == '0'));
    if payload.ref_type.is_some() || (object.is_none() && payload.after.is_some()) {
        return Err("ignored: it is no push");
    }
    let who = payload.pusher.as_ref().and_then(|p| p.name.clone()).or_else(|| payload.sender());
    let deleted = zeros || payload.deleted == Some(true);
    Ok(Told::Changed {
        reference,
        object: object.filter(|_| !deleted),
        deleted,
        who: who.unwrap_or_else(|| "github".to_owned()),
    })
}

fn made_or_deleted(payload: &Payload, deleted: bool) -> Result<Told, &'static str> {
    let name = payload.reference.as_deref().ok_or("ignored: it names no reference")?;
    match payload.ref_type.as_deref() {
        Some("tag") => {}
        // A branch is told of by a push as well.
        _ => return Err("ignored: only tags are followed by this event"),
    }
    let reference = Reference::read(&format!("refs/tags/{name}")).map_err(|_| "ignored: it names no tag")?;
    let who = payload.sender().unwrap_or_else(|| "github".to_owned());
    Ok(Told::Changed { reference, object: None, deleted, who })
}

fn reviewed(payload: &Payload) -> Result<Told, &'static str> {
    let yes = match payload.action.as_deref() {
        Some("approved") => true,
        Some("rejected") => false,
        _ => return Err("ignored: nothing was decided"),
    };
    let environment = payload.environment().and_then(|name| name.parse().ok());
    let run = payload.workflow_run.as_ref();
    let commit = run.and_then(|r| r.head_sha.clone()).filter(|id| is_hash(id));
    let approver = payload.approver.as_ref().and_then(|u| u.login.clone()).or_else(|| payload.sender());
    match (environment, commit, approver) {
        (Some(environment), Some(commit), Some(who)) => Ok(Told::Reviewed {
            environment,
            commit,
            yes,
            who,
            comment: payload.comment.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned(),
            started_by: run.and_then(|r| r.actor.as_ref()).and_then(|u| u.login.clone()),
        }),
        _ => Err("ignored: it does not say who decided on which commit for which environment"),
    }
}

fn proposed(payload: &Payload) -> Result<Told, &'static str> {
    if !matches!(payload.action.as_deref(), Some("opened" | "synchronize" | "reopened")) {
        return Err("ignored: it brings no other commit");
    }
    let unknown = "ignored: it does not say which commit is to come to which branch";
    let request = payload.pull_request.as_ref().ok_or(unknown)?;
    let (head, base) = (&request["head"], &request["base"]);
    let branch = head["ref"].as_str().and_then(|name| Reference::read(&format!("refs/heads/{name}")).ok());
    let commit = head["sha"].as_str().filter(|id| is_hash(id));
    let (Some(number), Some(branch), Some(commit), Some(base)) =
        (request["number"].as_u64(), branch, commit, base["ref"].as_str())
    else {
        return Err(unknown);
    };
    // Of a fork that is deleted nobody says where it was.
    let own = head["repo"]["full_name"].as_str().zip(payload.repository());
    let fork = own.is_none_or(|(head, own)| !head.eq_ignore_ascii_case(own));
    let (commit, base) = (commit.to_owned(), base.to_owned());
    Ok(Told::Proposed(PullRequest { number, commit, branch, base, fork }))
}

fn is_hash(text: &str) -> bool {
    (text.len() == 40 || text.len() == 64) && text.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(event: &str, json: serde_json::Value) -> Read {
        read(event, &serde_json::from_value(json).unwrap())
    }

    const HASH: &str = "6113728f27ae82c7b1a177c8d03f9e96e0adf246";

    #[test]
    fn pushes_tags_and_reviews_are_understood() {
        let pushed =
            of("push", serde_json::json!({ "ref": "refs/heads/main", "after": HASH, "pusher": { "name": "ana" } }));
        let reference = Reference::Branch("main".into());
        let changed = Told::Changed { reference, object: Some(HASH.into()), deleted: false, who: "ana".into() };
        assert_eq!(pushed, Read::Told(changed));
        let zeros = "0".repeat(40);
        let gone = of("push", serde_json::json!({ "ref": "refs/tags/v1", "after": zeros, "deleted": true }));
        assert!(matches!(gone, Read::Told(Told::Changed { deleted: true, object: None, .. })), "{gone:?}");
        let made = of("create", serde_json::json!({ "ref": "v1", "ref_type": "tag", "sender": { "login": "ana" } }));
        assert!(matches!(made, Read::Told(Told::Changed { deleted: false, object: None, .. })), "{made:?}");
        let review = of(
            "deployment_review",
            serde_json::json!({ "action": "approved", "approver": { "login": "lead" }, "comment": "good",
                "workflow_job_runs": [{ "environment": "prod" }], "workflow_run": { "head_sha": HASH } }),
        );
        assert!(matches!(review, Read::Told(Told::Reviewed { yes: true, .. })), "{review:?}");
    }

    fn proposal(sha: &str, branch: &str) -> serde_json::Value {
        serde_json::json!({ "number": 7, "head": { "sha": sha, "ref": branch, "repo": { "full_name": "Shop/shop" } },
            "base": { "ref": "develop" } })
    }

    #[test]
    fn a_pull_request_is_of_a_fork_unless_it_says_that_it_is_not() {
        let told = |repository: &str| {
            let json = serde_json::json!({ "action": "opened", "pull_request": proposal(HASH, "topic"),
                "repository": { "full_name": repository } });
            match of("pull_request", json) {
                Read::Told(Told::Proposed(request)) => request,
                other => panic!("{other:?}"),
            }
        };
        let request = told("shop/shop");
        assert_eq!((request.number, request.base.as_str(), request.fork), (7, "develop", false));
        assert!(told("other/shop").fork);
        let mut deleted = proposal(HASH, "topic");
        deleted["head"]["repo"] = serde_json::Value::Null;
        let json =
            serde_json::json!({ "action": "reopened", "pull_request": deleted, "repository": { "full_name": "a/b" } });
        assert!(matches!(of("pull_request", json), Read::Told(Told::Proposed(PullRequest { fork: true, .. }))));
    }

    #[test]
    fn what_is_missing_hostile_or_of_another_event_is_ignored() {
        for (event, json) in [
            ("push", serde_json::json!({})),
            ("push", serde_json::json!({ "ref": "main", "after": HASH })),
            ("push", serde_json::json!({ "ref": "refs/heads/--upload-pack=x", "after": HASH })),
            ("push", serde_json::json!({ "ref": "refs/heads/a..b", "after": HASH })),
            ("push", serde_json::json!({ "ref": "refs/heads/main", "after": "--output=x" })),
            ("push", serde_json::json!({ "ref": "simple-tag", "ref_type": "tag" })),
            ("create", serde_json::json!({ "ref": "main", "ref_type": "branch" })),
            ("create", serde_json::json!({ "ref": "../x", "ref_type": "tag" })),
            ("create", serde_json::json!({ "ref": "refs/heads/main", "after": HASH })),
            ("deployment_review", serde_json::json!({ "action": "requested", "environment": "prod" })),
            ("deployment_review", serde_json::json!({ "action": "approved", "environment": "prod" })),
            (
                "deployment_review",
                serde_json::json!({ "action": "approved", "sender": { "login": "lead" }, "workflow_run": { "head_sha": HASH },
                    "workflow_job_runs": [{ "environment": "prod" }, { "environment": "test" }] }),
            ),
            ("pull_request", serde_json::json!({ "action": "closed", "pull_request": proposal(HASH, "x") })),
            ("pull_request", serde_json::json!({ "action": "opened", "pull_request": 7 })),
            ("pull_request", serde_json::json!({ "action": "opened", "pull_request": proposal("--output=x", "x") })),
            (
                "pull_request",
                serde_json::json!({ "action": "opened", "pull_request": proposal(HASH, "--upload-pack=x") }),
            ),
            ("ping", serde_json::json!({ "zen": "x" })),
            ("workflow_run", serde_json::json!({ "action": "completed" })),
        ] {
            let read = of(event, json.clone());
            assert!(matches!(read, Read::Ignored(_)), "{event} {json}: {read:?}");
        }
    }
}
