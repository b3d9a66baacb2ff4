//! The ways in: a change of branches and tags, by a push or told by GitHub, becomes the deployments that it asks for.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use ambit_domain::{
    Actor, DeploymentId, EnvironmentId, Failure, FailureKind,
    audit::Note,
    deployment::Trigger,
    intake::{self, Change, Happened, Reference, Refusal, Verdict},
    spec::{EnvironmentName, Kind, Project, ProjectName},
};
use ambit_source::{
    git::Repository,
    remote::{self, Hooks, Offered},
};
use serde::{Deserialize, Serialize};

use crate::{
    ambit::{Ambit, store_failure},
    code::{CodeAt, commit_from, source_failure},
    declaration::Declaration,
    deploy::sources_at,
};

/// Below this lie the references of the remote as they were last looked at: what differs was pushed, and nobody told.
const RECEIVED: &str = "refs/ambit/received/";
/// When the daemon looks for pushes of which nobody told, after its start; and how often from then on.
const FIRST_LOOKS: [Duration; 2] = [Duration::from_secs(5); 2];
const EVERY: Duration = Duration::from_secs(300);

/// A reference that was changed, as git tells it: whole names and hashes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefUpdate {
    /// Its name; hostile input.
    pub reference: String,
    /// What it led to; `None` where it is new.
    pub old: Option<String>,
    /// What it leads to; `None` where it was deleted.
    pub new: Option<String>,
}

/// References that were changed in the repository that Ambit keeps of a project.
#[derive(Clone, Serialize, Deserialize)]
pub struct Received {
    /// The project.
    pub project: ProjectName,
    /// Each.
    pub updates: Vec<RefUpdate>,
    /// Text of the age identities that open the project's secrets.
    pub keys: String,
    /// Who pushed.
    pub actor: Actor,
}

/// What became of a changed reference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntakeOutcome {
    /// Its name, for people.
    pub reference: String,
    /// The environment that it concerns.
    pub environment: Option<EnvironmentName>,
    /// What was queued.
    pub deployment: Option<DeploymentId>,
    /// In one sentence.
    pub text: String,
    /// Why nothing could be queued.
    pub failure: Option<Failure>,
}

/// A change whose commit is in the kept repository.
pub(crate) struct Arrived<'a> {
    pub(crate) project: &'a ProjectName,
    pub(crate) reference: &'a Reference,
    pub(crate) happened: Happened,
    /// What the reference leads to; empty where it was deleted.
    pub(crate) object: &'a str,
    /// Below which references the branches lie that a tag has to be on.
    pub(crate) branches: &'static str,
    pub(crate) trigger: Trigger,
    pub(crate) actor: &'a Actor,
    /// Environments that a higher version among the tags of the same push goes to.
    pub(crate) taken: &'a BTreeSet<EnvironmentName>,
}

impl Ambit {
    /// Queues what a push asks for. Its references are in the kept repository already.
    pub async fn received(&self, received: &Received) -> Result<Vec<IntakeOutcome>, Failure> {
        let project = &received.project;
        self.remember_keys(project, &received.keys);
        let kept = self.home.repository(project);
        let repository = Repository::at(kept.clone(), PathBuf::new());
        // One push after the other, so that the newest is the last in the queue.
        let _one_at_a_time = self.receiving.lock().await;
        let mut updates: Vec<&RefUpdate> = received.updates.iter().collect();
        // Of several tags in one push the highest version counts: whoever pushes all of them for the first time does not
        // want them deployed one after the other.
        updates.sort_by(|a, b| ambit_source::compare_versions(&b.reference, &a.reference));
        let mut outcomes = Vec::new();
        let mut taken = BTreeSet::new();
        for update in updates {
            let Ok(reference) = Reference::read(&update.reference) else {
                outcomes.push(said(
                    &update.reference.escape_debug().to_string(),
                    None,
                    "not a branch or a tag: nothing",
                ));
                continue;
            };
            let now = remote::reference(&kept, &reference.whole());
            if now != update.new {
                let text = "a later push came in between; it counts";
                outcomes.push(said(&reference.to_string(), None, text));
                continue;
            }
            let happened = happened(update, |old, new| repository.is_ancestor(old, new));
            let happened = happened.map_err(|e| source_failure(&e))?;
            let arrived = Arrived {
                project,
                reference: &reference,
                happened,
                object: update.new.as_deref().unwrap_or_default(),
                branches: "refs/heads/",
                trigger: Trigger::Push,
                actor: &received.actor,
                taken: &taken,
            };
            let of_one = self.arrived(&arrived).await;
            if matches!(reference, Reference::Tag(_)) {
                let queued = of_one.iter().filter(|o| o.deployment.is_some());
                taken.extend(queued.filter_map(|o| o.environment.clone()));
            }
            outcomes.extend(of_one);
            looked_at(&kept, &reference, update.new.as_deref())?;
        }
        Ok(outcomes)
    }

    /// Looks for pushes of which nobody told, for as long as it is polled: a hook may be killed once the references are in.
    /// What is found twice in a row is received.
    pub async fn catch_up(self: Arc<Self>) {
        let mut found: BTreeMap<ProjectName, Vec<RefUpdate>> = BTreeMap::new();
        let mut looks = FIRST_LOOKS.into_iter();
        loop {
            tokio::time::sleep(looks.next().unwrap_or(EVERY)).await;
            let projects = self.projects().unwrap_or_default();
            let missed: BTreeMap<ProjectName, _> = projects.into_iter().map(|p| (p.clone(), self.missed(&p))).collect();
            for (project, updates) in &missed {
                let again = |update: &&RefUpdate| found.get(project).is_some_and(|f| f.contains(update));
                let updates: Vec<RefUpdate> = updates.iter().filter(again).cloned().collect();
                if updates.is_empty() {
                    continue;
                }
                let received =
                    Received { project: project.clone(), updates, keys: String::new(), actor: Actor::daemon() };
                match self.received(&received).await {
                    Ok(outcomes) => outcomes.iter().for_each(|o| tracing::warn!("{}: {}", o.reference, o.text)),
                    Err(failure) => tracing::error!(causes = ?failure.causes, "a push was not received: {failure}"),
                }
            }
            found = missed;
        }
    }

    /// The references of a project's remote that were changed since they were last looked at.
    fn missed(&self, project: &ProjectName) -> Vec<RefUpdate> {
        let kept = self.home.repository(project);
        if !Hooks::are_in(&kept) {
            return Vec::new();
        }
        let mut updates = Vec::new();
        for below in ["heads/", "tags/"] {
            let now = remote::references(&kept, &format!("refs/{below}")).unwrap_or_default();
            let before = remote::references(&kept, &format!("{RECEIVED}{below}")).unwrap_or_default();
            let names: BTreeSet<&String> = now.keys().chain(before.keys()).collect();
            updates.extend(names.into_iter().filter(|name| now.get(*name) != before.get(*name)).map(|name| {
                RefUpdate {
                    reference: format!("refs/{below}{name}"),
                    old: before.get(name).cloned(),
                    new: now.get(name).cloned(),
                }
            }));
        }
        updates
    }

    /// Queues what a change asks for and notes what came of it. The caller holds the lock of the ways in.
    pub(crate) async fn arrived(&self, arrived: &Arrived<'_>) -> Vec<IntakeOutcome> {
        let outcomes = self.apply(arrived).await.unwrap_or_else(|failure| {
            let text = format!("nothing is deployed: {}", failure.message);
            vec![IntakeOutcome { failure: Some(failure), ..said(&arrived.reference.to_string(), None, &text) }]
        });
        let queued = outcomes.iter().filter_map(|o| Some(format!("{} to {}", o.deployment?, o.environment.as_ref()?)));
        let told = outcomes.iter().filter(|o| o.deployment.is_none()).map(|o| o.text.clone());
        let note = Note::new(arrived.actor, arrived.project, "push.received")
            .about("reference", arrived.reference.whole())
            .about("commit", arrived.object)
            .about("rewritten", arrived.happened == Happened::Rewritten)
            .about("queued", queued.collect::<Vec<_>>())
            .about("said", told.collect::<Vec<_>>());
        self.note_quietly(note);
        outcomes
    }

    async fn apply(&self, arrived: &Arrived<'_>) -> Result<Vec<IntakeOutcome>, Failure> {
        let Arrived { project, reference, happened, object, .. } = *arrived;
        let name = reference.to_string();
        if happened == Happened::Deleted {
            return Ok(vec![said(&name, None, &intake::Why::Deleted.to_string())]);
        }
        if let Reference::Other(_) = reference {
            return Ok(vec![said(&name, None, &intake::Why::Unfollowed.to_string())]);
        }
        let prefix = self.store.project_prefix(project).map_err(|e| store_failure(&e))?;
        let repository = Repository::at(self.home.repository(project), prefix);
        let head = repository.commit(object).map_err(|e| source_failure(&e))?;
        let message = repository.message(&head.id).map_err(|e| source_failure(&e))?;
        let sources = sources_at(&repository, &head.id)?;
        let declared =
            Declaration::read(Path::new(""), sources.declaration, sources.secrets, &self.keys_of(project))?.project;
        let is_on =
            |branch: &str| repository.is_ancestor(&head.id, &format!("{}{branch}", arrived.branches)).unwrap_or(false);
        let change = Change { reference, happened, message: &message, is_on: &is_on };
        let mut outcomes = Vec::new();
        for verdict in intake::decide(&change, &declared) {
            let (environment, hotfix) = match verdict {
                Verdict::Deploy { environment, hotfix } => (environment, hotfix),
                Verdict::Nothing { environment, why } => {
                    outcomes.push(said(&name, environment, &format!("nothing is deployed: {why}")));
                    continue;
                }
            };
            if matches!(reference, Reference::Tag(_)) && arrived.taken.contains(&environment) {
                let text = "nothing is deployed: a higher version came with the same push";
                outcomes.push(said(&name, Some(environment), text));
                continue;
            }
            let id = EnvironmentId { project: project.clone(), environment: environment.clone() };
            if !self.in_force_agrees(&change, &id)? {
                let text = format!(
                    "nothing is deployed: what serves in {environment} declares that it comes from elsewhere; \
                     ambit deploy -e {environment} changes that"
                );
                outcomes.push(said(&name, Some(environment), &text));
                continue;
            }
            let moved = happened == Happened::Rewritten && matches!(reference, Reference::Tag(_));
            if moved && self.waits_for_nobody(&id, &declared) {
                let text = format!(
                    "nothing is deployed: the tag was moved, and {environment} asks nobody for a yes; \
                     ambit deploy -e {environment} --ref {} if it is right",
                    reference.name().escape_debug()
                );
                outcomes.push(said(&name, Some(environment), &text));
                continue;
            }
            let commit = commit_from(head.clone(), reference.name().to_owned());
            let code = CodeAt::Commit { repository: repository.clone(), commit };
            let queued = self
                .queue(project, &environment, &code, hotfix, None, arrived.trigger.clone(), arrived.actor.clone(), None)
                .await;
            outcomes.push(match queued {
                Ok(deployment) => {
                    let short = head.id.get(..7).unwrap_or(&head.id);
                    let mut text = format!("deployment {} to {environment} is queued: {short}", deployment.number);
                    if hotfix {
                        text.push_str(", as a hotfix");
                    }
                    if happened == Happened::Rewritten {
                        text.push_str(match reference {
                            Reference::Tag(_) => "; the tag was moved: it named another commit before",
                            _ => "; its history was rewritten",
                        });
                    }
                    IntakeOutcome { deployment: Some(deployment.number), ..said(&name, Some(environment), &text) }
                }
                Err(failure) => {
                    let text = format!("nothing is deployed to {environment}: {}", failure.message);
                    IntakeOutcome { failure: Some(failure), ..said(&name, Some(environment), &text) }
                }
            });
        }
        Ok(outcomes)
    }

    /// Whether the declaration that serves in a production environment would deploy the change too: a commit cannot make
    /// itself production's by what it declares.
    fn in_force_agrees(&self, change: &Change<'_>, id: &EnvironmentId) -> Result<bool, Failure> {
        let record = self.store.environment(id).map_err(|e| store_failure(&e))?;
        let Some(live) = record.filter(|r| r.kind == Kind::Production).and_then(|r| r.live) else { return Ok(true) };
        let Some(sources) = self.store.sources(live).map_err(|e| store_failure(&e))? else { return Ok(true) };
        let Some(project) = ambit_domain::spec::parse(&sources.declaration).project else { return Ok(true) };
        Ok(intake::decide(change, &project)
            .iter()
            .any(|v| matches!(v, Verdict::Deploy { environment, .. } if *environment == id.environment)))
    }

    fn waits_for_nobody(&self, id: &EnvironmentId, declared: &Project) -> bool {
        let own = declared.environments.get(&id.environment).map(|e| &e.policy);
        own.is_none_or(|own| self.policy_in_force(id, own).approvers.is_empty())
    }

    /// Whether the project's own remote takes a push, asked before anything of it is taken in. All of it or nothing.
    pub fn admits(
        &self,
        project: &ProjectName,
        updates: &[RefUpdate],
        objects: Vec<(&'static str, String)>,
        actor: &Actor,
    ) -> Result<(), Failure> {
        let prefix = self.store.project_prefix(project).map_err(|e| store_failure(&e))?;
        let offered = Offered { repository: self.home.repository(project), objects, prefix };
        let refused = |name: &str, why: &str| {
            self.note_quietly(
                Note::new(actor, project, "push.refused")
                    .about("reference", name.chars().take(200).collect::<String>())
                    .about("why", why),
            );
            Failure::new(FailureKind::User, format!("{name} is refused: {why}"))
        };
        for update in updates {
            let reference = Reference::read(&update.reference).map_err(|_| {
                refused(&format!("`{}`", update.reference.escape_debug()), "it is no name for a branch or a tag")
            })?;
            if let Some(refusal) = self.refusal(project, &offered, update, &reference)? {
                return Err(refused(&reference.to_string(), &refusal.to_string()));
            }
        }
        Ok(())
    }

    fn refusal(
        &self,
        project: &ProjectName,
        offered: &Offered,
        update: &RefUpdate,
        reference: &Reference,
    ) -> Result<Option<Refusal>, Failure> {
        let failed = |e: ambit_source::Error| source_failure(&e);
        let happened = happened(update, |old, new| offered.is_ancestor(old, new)).map_err(failed)?;
        let mut texts = Vec::new();
        for commit in [&update.old, &update.new].into_iter().flatten() {
            texts.extend(offered.declaration(commit).map_err(failed)?);
        }
        texts.extend(self.serving_declarations(project)?);
        let projects: Vec<Project> = texts.iter().filter_map(|t| ambit_domain::spec::parse(t).project).collect();
        let deployed = match (reference, happened, &update.new) {
            (Reference::Tag(tag), Happened::Made, Some(new)) => {
                let commit = offered.commit(new).map_err(failed)?;
                self.deployed_as(project, tag, commit.as_deref())?
            }
            _ => None,
        };
        Ok(intake::refuse(reference, happened, &projects.iter().collect::<Vec<_>>(), deployed.as_deref()))
    }

    /// The declarations that serve in the project's environments.
    fn serving_declarations(&self, project: &ProjectName) -> Result<Vec<String>, Failure> {
        let mut texts = Vec::new();
        for id in self.ids(project)? {
            let live = self.store.environment(&id).map_err(|e| store_failure(&e))?.and_then(|r| r.live);
            let Some(live) = live else { continue };
            texts.extend(self.store.sources(live).map_err(|e| store_failure(&e))?.map(|s| s.declaration));
        }
        Ok(texts)
    }

    /// Another commit that was deployed under a tag's name, in short.
    pub(crate) fn deployed_as(
        &self,
        project: &ProjectName,
        tag: &str,
        commit: Option<&str>,
    ) -> Result<Option<String>, Failure> {
        let all = self.store.deployments(project, None, 10_000).map_err(|e| store_failure(&e))?;
        let mut commits = all.iter().filter_map(|d| d.commit.as_ref());
        let other = commits.find(|c| c.from == tag && Some(c.id.as_str()) != commit);
        Ok(other.map(|c| c.short().to_owned()))
    }
}

/// Remembers that a reference was looked at.
fn looked_at(kept: &Path, reference: &Reference, object: Option<&str>) -> Result<(), Failure> {
    let whole = reference.whole();
    let Some(within) = whole.strip_prefix("refs/") else { return Ok(()) };
    let name = format!("{RECEIVED}{within}");
    let done = match object {
        Some(object) => remote::set_reference(kept, &name, object),
        None => remote::forget_reference(kept, &name),
    };
    done.map_err(|e| source_failure(&e))
}

fn happened(
    update: &RefUpdate,
    is_ancestor: impl Fn(&str, &str) -> Result<bool, ambit_source::Error>,
) -> Result<Happened, ambit_source::Error> {
    Ok(match (&update.old, &update.new) {
        (_, None) => Happened::Deleted,
        (None, _) => Happened::Made,
        (Some(old), Some(new)) if is_ancestor(old, new)? => Happened::Advanced,
        _ => Happened::Rewritten,
    })
}

fn said(reference: &str, environment: Option<EnvironmentName>, text: &str) -> IntakeOutcome {
    IntakeOutcome {
        reference: reference.to_owned(),
        environment,
        deployment: None,
        text: text.to_owned(),
        failure: None,
    }
}
