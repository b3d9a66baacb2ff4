//! What is there.

use std::collections::{BTreeMap, BTreeSet};

use ambit_domain::{
    Failure, FailureKind,
    github::{
        DeployedFrom, Home, PresentEnvironment, PresentHook, PresentTags, Protection, Reviewer, Rules, Settings, Source,
    },
};
use serde::Deserialize;
use serde_json::Value;

use super::{Github, answers::Answered, part, protection};

/// What is known of a repository as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// Whether only its team sees it.
    pub private: bool,
    /// The branch that new ones are made from.
    pub default_branch: String,
    /// Whose it is.
    pub owner: String,
    /// Whether that is an organisation.
    pub of_organization: bool,
}

/// What may not be there for the owner's plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readable<T> {
    /// It.
    Found(T),
    /// The plan does not have it.
    Refused,
}

#[derive(Deserialize)]
struct Repository {
    private: bool,
    default_branch: String,
    owner: Owner,
}

#[derive(Deserialize)]
struct Owner {
    login: String,
    #[serde(rename = "type", default)]
    kind: String,
}

#[derive(Deserialize)]
struct Organization {
    plan: Option<OrganizationPlan>,
}

#[derive(Deserialize)]
struct OrganizationPlan {
    name: String,
}

#[derive(Deserialize)]
struct Reference {
    object: Object,
}

#[derive(Deserialize)]
struct Object {
    sha: String,
}

#[derive(Deserialize)]
struct Environments {
    environments: Vec<Environment>,
}

#[derive(Deserialize)]
struct Environment {
    name: String,
    #[serde(default)]
    protection_rules: Vec<Value>,
    deployment_branch_policy: Option<Policy>,
}

#[derive(Deserialize)]
struct Policy {
    protected_branches: bool,
}

#[derive(Deserialize)]
struct Patterns {
    branch_policies: Vec<Pattern>,
}

#[derive(Deserialize)]
struct Pattern {
    id: u64,
    name: String,
    #[serde(rename = "type", default)]
    kind: String,
}

#[derive(Deserialize)]
struct Secrets {
    secrets: Vec<Secret>,
}

#[derive(Deserialize)]
pub(super) struct Secret {
    name: String,
    pub(super) updated_at: String,
}

#[derive(Deserialize)]
struct Variables {
    variables: Vec<Variable>,
}

#[derive(Deserialize)]
struct Variable {
    name: String,
    value: String,
}

#[derive(Deserialize)]
struct Ruleset {
    id: u64,
    name: String,
    #[serde(default)]
    enforcement: String,
    #[serde(default)]
    bypass_actors: Vec<Value>,
    #[serde(default)]
    conditions: Option<Value>,
    #[serde(default)]
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    parameters: Value,
}

#[derive(Deserialize)]
struct Hook {
    id: u64,
    #[serde(default)]
    active: bool,
    #[serde(default)]
    events: BTreeSet<String>,
    config: HookConfig,
    #[serde(default)]
    last_response: Option<LastResponse>,
}

#[derive(Deserialize)]
struct HookConfig {
    #[serde(default)]
    url: String,
    #[serde(default)]
    content_type: String,
    /// `"0"` or `0`.
    #[serde(default)]
    insecure_ssl: Value,
}

#[derive(Deserialize)]
struct LastResponse {
    code: Option<u16>,
}

#[derive(Deserialize)]
struct Account {
    id: u64,
}

impl Github {
    /// The repository as a whole.
    pub async fn about(&self) -> Result<About, Failure> {
        match self.get::<Repository>(&self.path("")).await? {
            Answered::There(found) => Ok(About {
                private: found.private,
                default_branch: found.default_branch,
                of_organization: found.owner.kind == "Organization",
                owner: found.owner.login,
            }),
            Answered::Nothing(_) | Answered::Refused(_) => Err(Failure::new(
                FailureKind::NotFound,
                format!("GitHub shows this token no repository {}", self.repository),
            )
            .hint(format!("make it: gh repo create {} --private", self.repository))
            .hint("or give the token access to it at GitHub: Settings, Developer settings, Fine-grained tokens")),
        }
    }

    /// What an organisation pays for (`free`, `team`, `enterprise`), where the token may see that.
    pub async fn plan_of(&self, organization: &str) -> Result<Option<String>, Failure> {
        Ok(match self.get::<Organization>(&format!("/orgs/{}", part(organization))).await? {
            Answered::There(found) => found.plan.map(|plan| plan.name),
            Answered::Nothing(_) | Answered::Refused(_) => None,
        })
    }

    /// The commit that a branch leads to.
    pub async fn head(&self, branch: &str) -> Result<Option<String>, Failure> {
        let name = branch.split('/').map(part).collect::<Vec<_>>().join("/");
        Ok(match self.get::<Reference>(&self.path(&format!("/git/ref/heads/{name}"))).await? {
            Answered::There(found) => Some(found.object.sha),
            Answered::Nothing(_) | Answered::Refused(_) => None,
        })
    }

    /// The protection of a branch that is there.
    pub async fn protection(&self, branch: &str) -> Result<Readable<Option<Protection>>, Failure> {
        Ok(match self.get::<Value>(&self.path(&format!("/branches/{}/protection", part(branch)))).await? {
            Answered::There(found) => Readable::Found(Some(protection::read(&found))),
            Answered::Nothing(_) => Readable::Found(None),
            Answered::Refused(_) => Readable::Refused,
        })
    }

    /// What rulesets ask of a branch, whether it is there or not.
    pub async fn rules(&self, branch: &str) -> Result<Readable<Rules>, Failure> {
        let path = self.path(&format!("/rules/branches/{}", part(branch)));
        let found = match self.list(&path, |rules: Vec<Rule>| rules).await? {
            Answered::There(found) => found,
            Answered::Nothing(_) => Vec::new(),
            Answered::Refused(_) => return Ok(Readable::Refused),
        };
        let mut rules = Rules::default();
        for rule in found {
            match rule.kind.as_str() {
                "pull_request" => {
                    let count = rule.parameters["required_approving_review_count"].as_u64();
                    let count = count.and_then(|c| u32::try_from(c).ok()).unwrap_or(0);
                    rules.reviews = rules.reviews.max(Some(count));
                }
                "non_fast_forward" => rules.no_force_pushes = true,
                "deletion" => rules.no_deletion = true,
                _ => {}
            }
        }
        Ok(Readable::Found(rules))
    }

    /// Rulesets whose name is asked for, and how many others there are.
    pub async fn tag_rulesets(
        &self,
        is_ours: impl Fn(&str) -> bool,
    ) -> Result<Readable<(Vec<PresentTags>, usize)>, Failure> {
        let path = self.path("/rulesets?includes_parents=false");
        let listed = match self.list(&path, |all: Vec<Ruleset>| all).await? {
            Answered::There(listed) => listed,
            Answered::Nothing(_) => Vec::new(),
            Answered::Refused(_) => return Ok(Readable::Refused),
        };
        let (ours, others): (Vec<_>, Vec<_>) = listed.into_iter().partition(|r| is_ours(&r.name));
        let mut all = Vec::new();
        for Ruleset { id, .. } in ours {
            let found: Ruleset = self.one(&self.path(&format!("/rulesets/{id}"))).await?;
            let names = |key: &str| {
                let list = found.conditions.as_ref().and_then(|c| c["ref_name"][key].as_array());
                list.into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect()
            };
            all.push(PresentTags {
                id,
                active: found.enforcement == "active",
                include: names("include"),
                exclude: names("exclude"),
                refuses: found.rules.into_iter().map(|r| r.kind).collect(),
                exempt: found.bypass_actors.len(),
                mark: found.name,
            });
        }
        Ok(Readable::Found((all, others.len())))
    }

    /// All environments with their rules; what is in them is read apart.
    pub async fn environments(&self) -> Result<BTreeMap<String, PresentEnvironment>, Failure> {
        let all = self.all(&self.path("/environments"), |found: Environments| found.environments).await?;
        Ok(all
            .into_iter()
            .map(|e| {
                let settings = settings(&e);
                (e.name, PresentEnvironment { settings, ..PresentEnvironment::default() })
            })
            .collect())
    }

    /// What may be deployed to an environment that names it.
    pub async fn sources(&self, environment: &str) -> Result<BTreeMap<Source, u64>, Failure> {
        let path = self.path(&format!("/environments/{}/deployment-branch-policies", part(environment)));
        let all = self.all(&path, |found: Patterns| found.branch_policies).await?;
        Ok(all.into_iter().map(|p| (Source::of(&p.kind, p.name), p.id)).collect())
    }

    /// The variables of an environment.
    pub async fn variables(&self, environment: &str) -> Result<BTreeMap<String, String>, Failure> {
        let path = self.path(&format!("/environments/{}/variables", part(environment)));
        let all = self.all(&path, |found: Variables| found.variables).await?;
        Ok(all.into_iter().map(|v| (v.name, v.value)).collect())
    }

    /// The names of secrets, with the moment of the last writing.
    pub async fn secrets(&self, home: &Home) -> Result<BTreeMap<String, String>, Failure> {
        let all = self.all(&self.secrets_at(home), |found: Secrets| found.secrets).await?;
        Ok(all.into_iter().map(|s| (s.name, s.updated_at)).collect())
    }

    /// Where secrets are.
    pub(super) fn secrets_at(&self, home: &Home) -> String {
        match home {
            Home::Repository => self.path("/actions/secrets"),
            Home::Environment(name) => self.path(&format!("/environments/{}/secrets", part(name))),
        }
    }

    /// All webhooks.
    pub async fn hooks(&self) -> Result<Vec<PresentHook>, Failure> {
        let all = self.all(&self.path("/hooks"), |hooks: Vec<Hook>| hooks).await?;
        let read = |hook: Hook| PresentHook {
            id: hook.id,
            active: hook.active,
            events: hook.events,
            verifies: !matches!(hook.config.insecure_ssl.as_str(), Some("1")) && hook.config.insecure_ssl != 1,
            url: hook.config.url,
            content_type: hook.config.content_type,
            answered: hook.last_response.and_then(|r| r.code),
        };
        Ok(all.into_iter().map(read).collect())
    }

    /// The account `name`, or the team `organisation/name`. An account that does not belong to the repository is nobody: a stranger may be
    /// called so.
    pub async fn reviewer(&self, name: &str) -> Result<Option<Reviewer>, Failure> {
        let (path, team) = match name.split_once('/') {
            Some((organization, team)) => (format!("/orgs/{}/teams/{}", part(organization), part(team)), true),
            None if !self.is_there(&self.path(&format!("/collaborators/{}", part(name)))).await? => return Ok(None),
            None => (format!("/users/{}", part(name)), false),
        };
        let name = name.rsplit('/').next().unwrap_or(name).to_owned();
        Ok(match self.get::<Account>(&path).await? {
            Answered::There(Account { id }) => Some(Reviewer { name, team, id }),
            Answered::Nothing(_) | Answered::Refused(_) => None,
        })
    }
}

/// What of an environment's rules is known here; rules of apps stay with whoever made them.
fn settings(environment: &Environment) -> Settings {
    let mut settings = Settings {
        from: match &environment.deployment_branch_policy {
            None => DeployedFrom::Anything,
            Some(policy) if policy.protected_branches => DeployedFrom::Protected,
            Some(_) => DeployedFrom::Named,
        },
        ..Settings::default()
    };
    for rule in &environment.protection_rules {
        match rule["type"].as_str().unwrap_or_default() {
            "wait_timer" => {
                settings.wait = rule["wait_timer"].as_u64().and_then(|w| u32::try_from(w).ok()).unwrap_or(0);
            }
            "required_reviewers" => {
                settings.no_self_review = rule["prevent_self_review"] == true;
                let all = rule["reviewers"].as_array().into_iter().flatten();
                settings.reviewers = all.filter_map(reviewer).collect();
            }
            _ => {}
        }
    }
    settings
}

fn reviewer(told: &Value) -> Option<Reviewer> {
    let (team, who) = (told["type"] == "Team", &told["reviewer"]);
    let name = who[if team { "slug" } else { "login" }].as_str()?.to_owned();
    Some(Reviewer { name, team, id: who["id"].as_u64()? })
}
