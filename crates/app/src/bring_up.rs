//! One environment made as it is declared: its servers at once, its services by a deployment.

use ambit_domain::{
    Actor, Deployment, EnvironmentRecord, Failure, Wanted,
    deployment::Trigger,
    plan::{Action, Component, plan},
    spec::Kind,
};
use futures_util::future::join;

use crate::{
    ambit::{now, store_failure},
    code::CodeAt,
    components::components,
    deployment::{Planned, given_by},
    release::Given,
    scope::Scope,
};

impl Scope<'_> {
    /// Makes it so; tells whether anything changed.
    pub(crate) async fn bring_up(&self, actor: &Actor) -> Result<bool, Failure> {
        self.bring_up_at(CodeAt::find(&self.declaration.folder, self.environment)?, actor).await
    }

    /// The same with some code.
    pub(crate) async fn bring_up_at(&self, code: CodeAt, actor: &Actor) -> Result<bool, Failure> {
        self.progress.go_on()?;
        let mut record = self.recorded()?;
        let mut declared = components(self.environment, &code, &self.variables, &self.servers)?;
        if self.environment.kind == Kind::Production {
            self.hold_code(&mut declared, &record, &code);
        }
        let was_down = record.wanted == Wanted::Stopped || record.up_since.is_none();

        self.ambit.provider.prepare(&self.id).await?;
        let swept = self.sweep(&mut record).await?;
        record.wanted = Wanted::Running;
        self.save(&record)?;

        // Servers and builds take the longest and do not need each other.
        let given = unchanged(&declared, &record);
        let (servers, release) = join(self.start_servers(&declared, &mut record), self.release(&code, &given)).await;
        let servers = servers?;
        let (release, built) = release?;
        record.policy = Some(self.environment.policy.clone());
        record.backup = self.environment.backup.clone();
        record.monitoring = self.environment.monitoring.clone();
        self.save(&record)?;

        let commit = code.commit().cloned();
        let commit = match &commit {
            // What was deployed stays readable, whatever becomes of the folder.
            Some(_) => self.ambit.keep_commit(&self.id.project, &code).await?.or(commit),
            None => None,
        };
        let version = code.version(self.environment);
        let mut deployment = self.new_deployment(commit, version, Trigger::Up, actor);
        let planned = self.plan_deployment(&mut deployment, &record, &declared, &release, &built, servers.new_database);
        if matches!(planned, Planned::Nothing) {
            record.up_since.get_or_insert_with(now);
            self.save(&record)?;
            if was_down {
                self.ambit.publish_routes().await?;
            }
            return Ok(was_down || swept || servers.changed);
        }
        let mut sources = self.declaration.sources();
        if let CodeAt::Commit { repository, .. } = &code {
            repository.prefix().clone_into(&mut sources.folder);
        }
        let deployment = self
            .ambit
            .store
            .add_deployment(&sources, |number| Deployment { number, ..deployment })
            .map_err(|e| store_failure(&e))?;
        self.ambit.run_deployment(self, deployment, record, &built).await?;
        Ok(true)
    }

    /// Production keeps the code that it runs until it is deployed.
    fn hold_code(&self, declared: &mut [Component], record: &EnvironmentRecord, code: &CodeAt) {
        let mut held = false;
        for component in declared {
            let Some(old) = record.service(&component.service) else { continue };
            let Some(tree) = old.made_from.facts.get("tree") else { continue };
            if component.facts.get("tree").is_some_and(|new| new != tree) {
                component.facts.insert("tree".to_owned(), tree.clone());
                held = true;
            }
        }
        if held {
            let name = &self.environment.name;
            self.progress.notice(
                "code",
                format!("{} is newer than what {name} runs; `ambit deploy -e {name}` puts it there", code.describe()),
            );
        }
    }
}

/// The builds of services whose code did not change.
fn unchanged(declared: &[Component], record: &EnvironmentRecord) -> Given {
    let recorded: Vec<Component> = record.services.iter().map(|s| s.made_from.clone()).collect();
    let mut given = given_by(record);
    for step in plan(declared, &recorded) {
        let same = match &step.action {
            Action::Keep | Action::Adjust { .. } => true,
            Action::Replace { because } => {
                !because.iter().any(|b| b == "code" || b == "command build" || b == "folder")
            }
            Action::Create | Action::Remove => false,
        };
        if !same {
            given.remove(&step.service);
        }
    }
    given
}
