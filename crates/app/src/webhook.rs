//! What GitHub tells: who may tell it and where, and what is done with it. A delivery is written down when it comes in and
//! worked off afterwards, also by a daemon that was started since. Commits come from where the project says, never from
//! where a delivery says.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use ambit_domain::{
    Actor, DeploymentState, EnvironmentId, Failure, FailureKind,
    audit::Note,
    deployment::Trigger,
    github::PullRequest,
    intake::{Happened, Reference},
    spec::{Code, EnvironmentName, ProjectName},
};
use ambit_proxy::table::{Route, RouteState, Target};
use ambit_source::{
    git::{Repository, make_kept},
    remote,
};
use ambit_store::{PendingDelivery, Webhook};
use futures_util::future::join_all;
use rand::distr::{Alphanumeric, SampleString};
use serde::{Deserialize, Serialize};

use crate::{
    address::Address,
    ambit::{Ambit, now, store_failure},
    approve::{Decide, Decision},
    certificates::Secured,
    code::source_failure,
    declaration::Declaration,
    deploy::sources_at,
    intake::Arrived,
    progress::Progress,
    pull_requests::proposed,
};

/// The key under which the listener's port is recorded.
const PORT: &str = "webhooks";
/// Where below its host it is told.
const PATH: &str = "/github";
/// Below this, references of the origin lie as they were last deployed from.
const KNOWN: &str = "refs/ambit/github/";
/// Below this, they lie as they were last fetched.
const FETCHED: &str = "refs/ambit/fetched/";
const FETCHED_BRANCHES: &str = "refs/ambit/fetched/heads/";
/// How long a fetch may take.
const FETCH: Duration = Duration::from_secs(120);
/// How long to wait before a failed fetch is tried again.
const RETRIES: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(10)];

/// A webhook to be added.
#[derive(Clone, Serialize, Deserialize)]
pub struct AddWebhook {
    /// The folder that holds `ambit.toml`.
    pub folder: PathBuf,
    /// Where commits are fetched from; GitHub where nothing is said.
    pub fetch: Option<String>,
    /// Text of the age identities that open the project's secrets.
    pub keys: String,
    /// Who asks.
    pub actor: Actor,
}

/// A change of a project's webhook.
#[derive(Clone, Serialize, Deserialize)]
pub struct ChangeWebhook {
    /// The project.
    pub project: ProjectName,
    /// Who asks.
    pub actor: Actor,
}

/// A webhook as it was added or changed.
#[derive(Clone, Serialize, Deserialize)]
pub struct AddedWebhook {
    /// What can be seen of it.
    pub view: WebhookView,
    /// The new secret, shown this once; `None` where the one that was known goes on.
    pub secret: Option<String>,
}

/// What can be seen of a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookView {
    /// The project.
    pub project: ProjectName,
    /// Where it is told.
    pub urls: Vec<String>,
    /// OWNER/NAME of the repository.
    pub repository: String,
    /// Where commits are fetched from.
    pub origin: String,
}

/// What a delivery says, after its signature was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "told")]
pub enum Told {
    /// A branch or a tag was changed.
    Changed {
        /// Which.
        reference: Reference,
        /// What it leads to, where it was said.
        object: Option<String>,
        /// Whether it was deleted.
        deleted: bool,
        /// The login of who did it.
        who: String,
    },
    /// A pull request was opened, or has another commit.
    Proposed(PullRequest),
    /// A reviewer decided on a deployment.
    Reviewed {
        /// The environment.
        environment: EnvironmentName,
        /// The commit.
        commit: String,
        /// Yes or no.
        yes: bool,
        /// The reviewer's login.
        who: String,
        /// Why.
        comment: String,
        /// The login of who started what was reviewed.
        started_by: Option<String>,
    },
}

/// A delivery whose signature was checked.
pub struct Delivery {
    /// The id that GitHub gave it.
    pub id: String,
    /// The digest of its content.
    pub digest: String,
    /// What it says, where that is something to be done.
    pub told: Option<Told>,
}

impl Ambit {
    /// Makes a project's webhook, or brings the one that it has up to date.
    pub async fn add_webhook(&self, request: &AddWebhook, progress: &Progress) -> Result<AddedWebhook, Failure> {
        let declaration = Declaration::load(&request.folder, &request.keys).map_err(Failure::from)?;
        let project = &declaration.project.name;
        let repository = declaration.project.repository().map(str::to_owned);
        let origin = match (&request.fetch, &repository) {
            (Some(fetch), _) => fetch.clone(),
            (None, Some(repository)) => format!("https://github.com/{repository}.git"),
            (None, None) => String::new(),
        };
        let repository = repository.or_else(|| at_github(&origin)).filter(|r| is_repository(r)).ok_or_else(|| {
            Failure::new(FailureKind::Declaration, "it is not known which repository at GitHub is meant")
                .hint("add to ambit.toml: [providers.github] repository = \"OWNER/NAME\"")
        })?;
        remote::check_place(&origin).map_err(|e| source_failure(&e))?;
        self.check_machine(&declaration)?;
        let mut hosts = vec![format!("hooks.{project}.localhost")];
        hosts.extend(declaration.project.domain.as_ref().map(|domain| format!("hooks.{domain}")));
        let all = self.store.webhooks().map_err(|e| store_failure(&e))?;
        if let Some(other) = all.iter().find(|w| w.project != *project && w.hosts.iter().any(|h| hosts.contains(h))) {
            return Err(Failure::new(
                FailureKind::User,
                format!("{} is told at {} already", other.project, other.hosts.join(" and ")),
            )
            .hint("two projects of one domain cannot both have a webhook on this machine"));
        }
        let known = all.into_iter().find(|w| w.project == *project);
        let new = known.is_none().then(new_secret);
        let secret = new.clone().or(known.map(|w| w.secret)).unwrap_or_default();
        let webhook = Webhook { project: project.clone(), secret, origin, repository, hosts };
        make_kept(&self.home.repository(project)).map_err(|e| source_failure(&e))?;
        let found = Repository::find(&request.folder).map_err(|e| source_failure(&e))?;
        let prefix = found.map(|r| r.prefix().to_path_buf()).unwrap_or_default();
        self.store.set_project_folder(project, &declaration.folder).map_err(|e| store_failure(&e))?;
        self.store.set_project_prefix(project, &prefix).map_err(|e| store_failure(&e))?;
        self.store.put_webhook(&webhook).map_err(|e| store_failure(&e))?;
        self.remember_keys(project, &request.keys);
        self.note(
            Note::new(&request.actor, project, "webhook.added")
                .about("repository", webhook.repository.as_str())
                .about("fetched from", webhook.origin.as_str()),
        )?;
        self.webhook_port()?;
        self.ensure_proxy(progress).await?;
        self.publish_routes().await?;
        Ok(AddedWebhook { view: self.webhook_view(&webhook)?, secret: new })
    }

    /// Gives a project's webhook another secret; what is signed with the one before is refused from then on.
    pub fn rotate_webhook(&self, request: &ChangeWebhook) -> Result<AddedWebhook, Failure> {
        let webhook = Webhook { secret: new_secret(), ..self.webhook(&request.project)? };
        self.store.put_webhook(&webhook).map_err(|e| store_failure(&e))?;
        self.note(Note::new(&request.actor, &request.project, "webhook.rotated"))?;
        Ok(AddedWebhook { view: self.webhook_view(&webhook)?, secret: Some(webhook.secret) })
    }

    /// Removes a project's webhook.
    pub async fn remove_webhook(&self, request: &ChangeWebhook) -> Result<(), Failure> {
        self.webhook(&request.project)?;
        self.store.remove_webhook(&request.project).map_err(|e| store_failure(&e))?;
        self.note(Note::new(&request.actor, &request.project, "webhook.removed"))?;
        self.publish_routes_if_served().await
    }

    /// The webhooks of the machine, without their secrets.
    pub fn webhooks(&self) -> Result<Vec<WebhookView>, Failure> {
        let all = self.store.webhooks().map_err(|e| store_failure(&e))?;
        all.iter().map(|webhook| self.webhook_view(webhook)).collect()
    }

    fn webhook(&self, project: &ProjectName) -> Result<Webhook, Failure> {
        let all = self.store.webhooks().map_err(|e| store_failure(&e))?;
        all.into_iter().find(|w| w.project == *project).ok_or_else(|| {
            Failure::new(FailureKind::NotFound, format!("{project} has no webhook")).hint("ambit webhook add github")
        })
    }

    /// Where the world tells a project's webhook, where it can, and what deliveries are signed by; `None` where it has none.
    pub(crate) fn webhook_of(&self, project: &ProjectName) -> Result<Option<(Option<String>, String)>, Failure> {
        let all = self.store.webhooks().map_err(|e| store_failure(&e))?;
        let Some(webhook) = all.into_iter().find(|w| w.project == *project) else { return Ok(None) };
        let view = self.webhook_view(&webhook)?;
        let public = webhook.hosts.iter().any(|host| !host.ends_with(".localhost"));
        Ok(Some((view.urls.into_iter().next().filter(|_| public), webhook.secret)))
    }

    fn webhook_view(&self, webhook: &Webhook) -> Result<WebhookView, Failure> {
        let here = Address::Here(self.listen()?);
        let url = |host: &String| {
            let url = ambit_domain::spec::Url { host: host.clone(), local_host: host.clone(), path: PATH.to_owned() };
            if host.ends_with(".localhost") { here.url(&url) } else { Address::Public.url(&url) }
        };
        Ok(WebhookView {
            project: webhook.project.clone(),
            urls: webhook.hosts.iter().rev().map(url).collect(),
            repository: webhook.repository.clone(),
            origin: webhook.origin.clone(),
        })
    }

    /// Where the daemon listens for webhooks, on loopback; `None` where no project has one.
    pub fn webhook_port(&self) -> Result<Option<u16>, Failure> {
        if self.store.webhooks().map_err(|e| store_failure(&e))?.is_empty() {
            return Ok(None);
        }
        self.port(PORT, None).map(Some)
    }

    /// Another port, where somebody else listens on the recorded one.
    pub async fn move_webhook_port(&self) -> Result<Option<u16>, Failure> {
        self.store.release_port(PORT).map_err(|e| store_failure(&e))?;
        let port = self.webhook_port()?;
        self.publish_routes_if_served().await?;
        Ok(port)
    }

    pub(crate) fn webhook_routes(&self, secured: &Secured) -> Result<Vec<Route>, Failure> {
        let Some(port) = self.webhook_port()? else { return Ok(Vec::new()) };
        let all = self.store.webhooks().map_err(|e| store_failure(&e))?;
        let route = |webhook: Webhook| Route {
            id: format!("{}/hooks", webhook.project),
            https: secured.hosts(&webhook.hosts.iter().cloned().collect()),
            hosts: webhook.hosts,
            path: PATH.to_owned(),
            target: Target::App { upstreams: vec![([127, 0, 0, 1], port).into()] },
            noindex: true,
            environment: "hooks".to_owned(),
            hsts: false,
            state: RouteState::Serving,
        };
        Ok(all.into_iter().map(route).collect())
    }

    /// The webhook that is told at a host name: its project, its repository, and the secret of its signatures.
    pub fn webhook_at(&self, host: &str) -> Result<Option<(ProjectName, String, String)>, Failure> {
        let all = self.store.webhooks().map_err(|e| store_failure(&e))?;
        let found = all.into_iter().find(|w| w.hosts.iter().any(|h| h.eq_ignore_ascii_case(host)));
        Ok(found.map(|w| (w.project, w.repository, w.secret)))
    }

    /// Writes a delivery down; `false` where it was known. What it says is done afterwards.
    pub fn take_delivery(&self, project: &ProjectName, delivery: &Delivery) -> Result<bool, Failure> {
        let work = delivery.told.as_ref().map(serde_json::to_string).transpose();
        let work = work.map_err(|e| Failure::from_error(FailureKind::Internal, &e))?;
        let new = self
            .store
            .add_delivery(project, &delivery.id, &delivery.digest, now(), work.as_deref())
            .map_err(|e| store_failure(&e))?;
        if new && work.is_some() {
            self.delivered.notify_one();
            self.proposed.notify_one();
        }
        Ok(new)
    }

    /// Works off what was delivered, for as long as it is polled.
    pub async fn run_deliveries(self: Arc<Self>) {
        loop {
            match self.store.pending_deliveries() {
                Ok(pending) => self.work_off(pending).await,
                Err(error) => tracing::error!("deliveries cannot be read: {}", store_failure(&error)),
            }
            tokio::select! {
                () = self.delivered.notified() => {}
                () = tokio::time::sleep(Duration::from_secs(60)) => {}
            }
        }
    }

    /// Side by side for several projects, one after the other for each.
    async fn work_off(&self, pending: Vec<PendingDelivery>) {
        let mut projects: Vec<(ProjectName, Vec<PendingDelivery>)> = Vec::new();
        for delivery in pending.into_iter().filter(|delivery| proposed(delivery).is_none()) {
            match projects.iter_mut().find(|(project, _)| *project == delivery.project) {
                Some((_, all)) => all.push(delivery),
                None => projects.push((delivery.project.clone(), vec![delivery])),
            }
        }
        let one = |all: Vec<PendingDelivery>| async move {
            for delivery in all {
                self.work_off_one(&delivery).await;
            }
        };
        join_all(projects.into_iter().map(|(_, all)| one(all))).await;
    }

    async fn work_off_one(&self, delivery: &PendingDelivery) {
        let work = async {
            let told: Told =
                serde_json::from_str(&delivery.work).map_err(|e| Failure::from_error(FailureKind::Internal, &e))?;
            match told {
                Told::Changed { reference, object, deleted, who } => {
                    self.changed_at_github(&delivery.project, &reference, object.as_deref(), deleted, &who).await
                }
                // They have a worker of their own.
                Told::Proposed(_) => Ok(()),
                Told::Reviewed { environment, commit, yes, who, comment, started_by } => {
                    let id = EnvironmentId { project: delivery.project.clone(), environment };
                    self.reviewed_at_github(&id, &commit, yes, &who, &comment, started_by.as_deref()).await
                }
            }
        };
        if let Err(failure) = work.await {
            self.came_to_nothing(delivery, failure);
        }
        if let Err(error) = self.store.finish_delivery(delivery.sequence) {
            tracing::error!("delivery {}: {}", delivery.id, store_failure(&error));
        }
    }

    pub(crate) fn came_to_nothing(&self, delivery: &PendingDelivery, failure: Failure) {
        tracing::warn!(causes = ?failure.causes, "delivery {} came to nothing: {failure}", delivery.id);
        let note = Note::new(&Actor::new("github", "github"), &delivery.project, "webhook.failed")
            .about("delivery", delivery.id.as_str())
            .about("why", failure.message.as_str())
            .about("because", failure.causes);
        self.note_quietly(note);
    }

    async fn changed_at_github(
        &self,
        project: &ProjectName,
        reference: &Reference,
        object: Option<&str>,
        deleted: bool,
        who: &str,
    ) -> Result<(), Failure> {
        let actor = Actor::new(who, "github");
        let kept = self.home.repository(project);
        let taken = BTreeSet::new();
        let arrived = |happened, object| Arrived {
            project,
            reference,
            happened,
            object,
            branches: FETCHED_BRANCHES,
            trigger: Trigger::Github,
            actor: &actor,
            taken: &taken,
        };
        if deleted {
            let _one_at_a_time = self.receiving.lock().await;
            self.arrived(&arrived(Happened::Deleted, "")).await;
            return Ok(());
        }
        let whole = reference.whole();
        let within = whole.strip_prefix("refs/").unwrap_or(&whole);
        let (known_as, fetched_as) = (format!("{KNOWN}{within}"), format!("{FETCHED}{within}"));
        let new = self.fetch(project, &whole, &fetched_as).await?;
        let repository = Repository::at(kept.clone(), PathBuf::new());
        let failed = |e: ambit_source::Error| source_failure(&e);
        let told = object.unwrap_or(&new);
        if told != new && !repository.is_ancestor(told, &new).map_err(failed)? {
            return Err(Failure::new(
                FailureKind::NotFound,
                format!("what it tells of is no longer what {reference} leads to"),
            ));
        }
        let old = remote::reference(&kept, &known_as);
        if old.as_ref() == Some(&new) {
            return Ok(());
        }
        if let Reference::Tag(tag) = reference {
            self.fetch_branches_of(project, tag, &new).await?;
        }
        let happened = match (&old, reference) {
            (Some(old), _) if repository.is_ancestor(old, &new).map_err(failed)? && !is_tag(reference) => {
                Happened::Advanced
            }
            (Some(_), _) => Happened::Rewritten,
            (None, Reference::Tag(tag)) if self.named_another(project, tag, &repository, &new)? => Happened::Rewritten,
            (None, _) => Happened::Made,
        };
        let _one_at_a_time = self.receiving.lock().await;
        let outcomes = self.arrived(&arrived(happened, &new)).await;
        // What could not be queued is not known yet: it may be told again.
        if outcomes.iter().all(|o| o.failure.is_none()) {
            remote::set_reference(&kept, &known_as, &new).map_err(failed)?;
        }
        Ok(())
    }

    /// Whether a tag named another commit when it was deployed before.
    fn named_another(
        &self,
        project: &ProjectName,
        tag: &str,
        repository: &Repository,
        object: &str,
    ) -> Result<bool, Failure> {
        let commit = repository.commit(object).map_err(|e| source_failure(&e))?.id;
        Ok(self.deployed_as(project, tag, Some(&commit))?.is_some())
    }

    pub(crate) async fn fetch(&self, project: &ProjectName, reference: &str, into: &str) -> Result<String, Failure> {
        let origin = self.webhook(project)?.origin;
        let kept = self.home.repository(project);
        make_kept(&kept).map_err(|e| source_failure(&e))?;
        let mut retries = RETRIES.iter();
        loop {
            match (remote::fetch(&kept, &origin, reference, into, FETCH).await, retries.next()) {
                (Ok(id), _) => return Ok(id),
                (Err(error), None) => return Err(source_failure(&error)),
                (Err(_), Some(pause)) => tokio::time::sleep(*pause).await,
            }
        }
    }

    /// The branches that a tag has to be on, by what its own commit declares.
    async fn fetch_branches_of(&self, project: &ProjectName, tag: &str, commit: &str) -> Result<(), Failure> {
        let prefix = self.store.project_prefix(project).map_err(|e| store_failure(&e))?;
        let repository = Repository::at(self.home.repository(project), prefix);
        let sources = sources_at(&repository, commit)?;
        let declared =
            Declaration::read(Path::new(""), sources.declaration, sources.secrets, &self.keys_of(project))?.project;
        for environment in declared.environments.values() {
            let Code::Tag { pattern, branch } = &environment.code else { continue };
            let whole = format!("refs/heads/{branch}");
            if ambit_source::matches(pattern, tag) && Reference::read(&whole).is_ok() {
                self.fetch(project, &whole, &format!("{FETCHED_BRANCHES}{branch}")).await?;
            }
        }
        Ok(())
    }

    async fn reviewed_at_github(
        &self,
        id: &EnvironmentId,
        commit: &str,
        yes: bool,
        who: &str,
        comment: &str,
        started_by: Option<&str>,
    ) -> Result<(), Failure> {
        let actor = Actor::new(who, "github");
        let unfinished = self.store.unfinished_deployments().map_err(|e| store_failure(&e))?;
        let found = unfinished.into_iter().rev().find(|d| {
            d.environment == *id
                && d.state == DeploymentState::Waiting
                && d.commit.as_ref().is_some_and(|c| c.id == commit)
        });
        let decided = async {
            let deployment = found.ok_or_else(|| {
                let short = commit.get(..7).unwrap_or(commit);
                Failure::new(FailureKind::NotFound, format!("no deployment of {short} to {} waits", id.environment))
            })?;
            let strict = self.recorded_policy(id).is_none_or(|p| !p.author_may_approve);
            if yes && strict && started_by.is_some_and(|by| by.eq_ignore_ascii_case(who)) {
                return Err(Failure::new(FailureKind::User, format!("{who} started it and may not approve it")));
            }
            let reason = if comment.trim().is_empty() {
                "in a deployment review at GitHub".to_owned()
            } else {
                comment.to_owned()
            };
            self.decide(&Decide {
                number: deployment.number,
                decision: if yes { Decision::Approve } else { Decision::Reject },
                reason,
                keys: String::new(),
                actor: actor.clone(),
            })
            .await
        };
        if let Err(failure) = decided.await {
            let note = Note::new(&actor, &id.project, "review.refused")
                .environment(&id.environment)
                .about("commit", commit)
                .about("said", if yes { "yes" } else { "no" })
                .about("why", failure.message.as_str());
            self.note_quietly(note.about("because", failure.causes));
        }
        Ok(())
    }
}

fn is_tag(reference: &Reference) -> bool {
    matches!(reference, Reference::Tag(_))
}

fn new_secret() -> String {
    Alphanumeric.sample_string(&mut rand::rng(), 40)
}

/// OWNER/NAME of an address at GitHub.
fn at_github(origin: &str) -> Option<String> {
    let rest = ["https://github.com/", "ssh://git@github.com/", "git@github.com:"]
        .iter()
        .find_map(|begin| origin.strip_prefix(begin))?;
    Some(rest.trim_end_matches('/').trim_end_matches(".git").to_owned())
}

/// Whether a text is OWNER/NAME and harmless in an address.
fn is_repository(text: &str) -> bool {
    let part = |part: &str| {
        (1..=100).contains(&part.len())
            && !part.starts_with(['-', '.'])
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    text.split_once('/').is_some_and(|(owner, name)| part(owner) && part(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_found_in_its_address_and_has_two_harmless_parts() {
        for address in
            ["https://github.com/kaia/app.git", "git@github.com:kaia/app", "ssh://git@github.com/kaia/app.git"]
        {
            assert_eq!(at_github(address).as_deref(), Some("kaia/app"), "{address}");
        }
        assert_eq!(at_github("https://github.com.evil.example/kaia/app"), None);
        assert!(is_repository("Codertocat/Hello-World"));
        for bad in ["", "kaia", "kaia/", "/app", "kaia/../app", "-x/app", "kaia/a b", "a/b/c"] {
            assert!(!is_repository(bad), "{bad}");
        }
    }
}
