//! What a repository at GitHub is.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use crypto_box::{PublicKey, SecretKey, aead::OsRng};
use serde_json::{Value, json};

/// The token that may do everything.
pub(super) const TOKEN: &str = "github_pat_of_the_simulator";

/// What the owner pays for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// Nothing: a private repository has neither protection nor rules of deployment.
    Free,
    /// Team: a private repository has protection, and no required reviewers.
    Team,
    /// Enterprise Cloud.
    Enterprise,
}

/// A secret as it was written and opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// What was in the sealed box; not readable where a person wrote it.
    pub value: String,
    /// When it was made.
    pub created_at: String,
    /// When it was last written.
    pub updated_at: String,
}

/// GitHub's environment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Environment {
    /// Its number.
    pub id: u64,
    /// Minutes that a job waits.
    pub wait_timer: u64,
    /// `(User, 1)`, …
    pub reviewers: Vec<(String, u64)>,
    /// Whether who started a job may not approve it.
    pub prevent_self_review: bool,
    /// `protected_branches`, `custom_branch_policies`; `None` where every branch may deploy.
    pub policy: Option<(bool, bool)>,
    /// Number, `branch` or `tag`, pattern.
    pub patterns: Vec<(u64, String, String)>,
    /// By name.
    pub secrets: BTreeMap<String, Secret>,
    /// By name.
    pub variables: BTreeMap<String, String>,
}

/// A repository and what is around it.
pub struct Repository {
    /// OWNER/NAME
    pub name: String,
    /// Whether it is private.
    pub private: bool,
    /// What its owner pays for.
    pub plan: Plan,
    /// Whether the token may see that.
    pub plan_is_told: bool,
    /// Where it is now, where it was renamed.
    pub moved: bool,
    /// `heads/main` and what it leads to; empty before the first push.
    pub refs: BTreeMap<String, String>,
    /// Protection by branch, as it is read.
    pub protection: BTreeMap<String, Value>,
    /// Rulesets, as they are read.
    pub rulesets: Vec<Value>,
    /// Environments by name.
    pub environments: BTreeMap<String, Environment>,
    /// Its own secrets.
    pub secrets: BTreeMap<String, Secret>,
    /// Its own variables.
    pub variables: BTreeMap<String, String>,
    /// Webhooks, as they are read, each with the secret that it has.
    pub hooks: Vec<(Value, String)>,
    /// Deployments, as they are read, each with its statuses, the newest first.
    pub deployments: Vec<(Value, Vec<Value>)>,
    /// Statuses of commits, the newest first.
    pub statuses: Vec<(String, Value)>,
    /// Issues and pull requests, as they are read.
    pub issues: Vec<Value>,
    /// Releases, as they are read.
    pub releases: Vec<Value>,
    /// Accounts by name, with their numbers.
    pub users: BTreeMap<String, u64>,
    /// Those who do not belong to the repository.
    pub strangers: BTreeSet<u64>,
    /// Teams of the organisation by name, with their numbers.
    pub teams: BTreeMap<String, u64>,
    /// Answers that were not as the document says.
    pub odd_answers: Vec<String>,
    /// Tokens with less than all permissions: `administration=write`, …
    pub(super) tokens: HashMap<String, BTreeSet<String>>,
    pub(super) slow: VecDeque<Option<String>>,
    pub(super) requests: u64,
    pub(super) writes: VecDeque<Instant>,
    key: SecretKey,
    key_number: u64,
    made: u64,
    clock: i64,
}

impl Repository {
    /// A public repository of an organisation with one commit on `main`.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            private: false,
            plan: Plan::Free,
            plan_is_told: true,
            moved: false,
            refs: BTreeMap::from([("heads/main".to_owned(), "aa218f56b14c9653891f9e74264a383fa43fefbd".to_owned())]),
            protection: BTreeMap::new(),
            rulesets: Vec::new(),
            environments: BTreeMap::new(),
            secrets: BTreeMap::new(),
            variables: BTreeMap::new(),
            hooks: Vec::new(),
            deployments: Vec::new(),
            statuses: Vec::new(),
            issues: Vec::new(),
            releases: Vec::new(),
            users: BTreeMap::from([("lead".to_owned(), 101), ("qa".to_owned(), 102), ("eve".to_owned(), 666)]),
            strangers: BTreeSet::from([666]),
            teams: BTreeMap::from([("leads".to_owned(), 201)]),
            odd_answers: Vec::new(),
            tokens: HashMap::new(),
            slow: VecDeque::new(),
            requests: 0,
            writes: VecDeque::new(),
            key: SecretKey::generate(&mut OsRng),
            key_number: 1,
            made: 1000,
            clock: 0,
        }
    }

    /// A token that has these permissions alone, such as `contents=read`.
    pub fn add_token(&mut self, token: &str, permissions: &[&str]) {
        self.tokens.insert(token.to_owned(), permissions.iter().map(|p| (*p).to_owned()).collect());
    }

    /// How many requests came with any token.
    #[must_use]
    pub fn requests(&self) -> usize {
        usize::try_from(self.requests).unwrap_or(usize::MAX)
    }

    /// Answers one request to come as to somebody who asks too often, with such a pause or without a word of it.
    pub fn slow_down(&mut self, pause: Option<&str>) {
        self.slow.push_back(pause.map(str::to_owned));
    }

    /// Gives the repository another key: a box that was sealed for the one before is refused.
    pub fn change_key(&mut self) {
        self.key = SecretKey::generate(&mut OsRng);
        self.key_number += 1;
    }

    /// An issue with labels; one of them may be a pull request.
    pub fn add_issue(&mut self, title: &str, labels: &[&str], pull_request: bool) {
        let number = self.issues.len() + 1;
        let labels: Vec<Value> = labels.iter().map(|name| json!({ "name": name })).collect();
        let mut issue = json!({ "number": number, "title": title, "labels": labels, "state": "open" });
        if pull_request {
            issue["pull_request"] = json!({});
        }
        self.issues.push(issue);
    }

    /// Writes a secret of an environment as a person would.
    pub fn write_secret(&mut self, environment: &str, name: &str, value: &str) {
        let at = self.moment();
        if let Some(environment) = self.environments.get_mut(environment) {
            let created_at = environment.secrets.get(name).map_or_else(|| at.clone(), |s| s.created_at.clone());
            let secret = Secret { value: value.to_owned(), created_at, updated_at: at };
            environment.secrets.insert(name.to_owned(), secret);
        }
    }

    /// The next number of anything.
    pub(super) fn number(&mut self) -> u64 {
        self.made += 1;
        self.made
    }

    /// Now; no moment is given twice, since times are what tells one writing from another.
    pub(super) fn moment(&mut self) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        self.clock = i64::try_from(now).unwrap_or_default().max(self.clock + 1);
        jiff::Timestamp::from_second(self.clock).map(|at| at.to_string()).unwrap_or_default()
    }

    pub(super) fn public_key(&self) -> (String, PublicKey) {
        (format!("56825016724254974{}", self.key_number), self.key.public_key())
    }

    pub(super) fn open(&self, sealed: &[u8]) -> Option<String> {
        String::from_utf8(self.key.unseal(sealed).ok()?).ok()
    }

    /// Whether this private repository has what only paid plans give it.
    pub(super) fn has_protection(&self) -> bool {
        !self.private || self.plan != Plan::Free
    }

    pub(super) fn has_reviewers(&self) -> bool {
        !self.private || self.plan == Plan::Enterprise
    }

    pub(super) fn branch(&self, name: &str) -> Option<&String> {
        self.refs.get(&format!("heads/{name}"))
    }
}
