//! Jobs: services that run when their schedule says so. One that still runs is not started again; times that passed while
//! the daemon was not there are not made up for.

use std::{collections::HashMap, str::FromStr, sync::Arc, time::Duration};

use ambit_domain::{
    Actor, EnvironmentId, Failure, Real, Wanted,
    audit::Note,
    spec::{EnvironmentName, ProjectName, ServiceName},
};
use croner::Cron;
use jiff::Zoned;
use serde::Serialize;

use crate::{
    ambit::{Ambit, now, store_failure},
    deployment::given_by,
    progress::Progress,
};

/// How often it is looked at which are due. A schedule's unit is a minute.
const EVERY: Duration = Duration::from_secs(1);
/// How many runs of a job stay to be looked at.
const KEPT: usize = 3;
/// What stands before the name of a job's runs.
const PREFIX: &str = "job-";

/// A job as faces show it.
#[derive(Debug, Clone, Serialize)]
pub struct Job {
    /// The environment.
    pub environment: EnvironmentName,
    /// The service.
    pub service: String,
    /// Its cron expression.
    pub schedule: String,
    /// When it runs next, RFC 3339 with the machine's offset.
    pub next: Option<String>,
    /// Whether it runs now.
    pub running: bool,
    /// Whether its last run ended well; `None` where none is remembered.
    pub well: Option<bool>,
    /// How its last run ended.
    pub exit: String,
}

/// The service whose job a task is.
pub(crate) fn service_of(task: &str) -> Option<&str> {
    let (service, at) = task.strip_prefix(PREFIX)?.rsplit_once('-')?;
    at.chars().all(|c| c.is_ascii_digit()).then_some(service)
}

/// The next time of a schedule after a moment, in that moment's time zone.
fn next(schedule: &str, after: &Zoned) -> Option<Zoned> {
    Cron::from_str(schedule).ok()?.find_next_occurrence(after, false).ok()
}

/// Whether a task is a run of a job.
pub(crate) fn is_a_run(task: &str) -> bool {
    service_of(task).is_some()
}

impl Ambit {
    /// Starts jobs when they are due, for as long as it is polled.
    pub async fn run_jobs(self: Arc<Self>) {
        let mut due: HashMap<(EnvironmentId, ServiceName, String), Zoned> = HashMap::new();
        loop {
            tokio::time::sleep(EVERY).await;
            let jobs = match self.recorded_jobs() {
                Ok(jobs) => jobs,
                Err(failure) => {
                    tracing::error!("jobs cannot be read: {failure}");
                    continue;
                }
            };
            due.retain(|key, _| jobs.contains(key));
            let moment = Zoned::now();
            for key in jobs {
                let Some(at) = due.get(&key).cloned().or_else(|| next(&key.2, &moment)) else { continue };
                if at > moment {
                    due.insert(key, at);
                    continue;
                }
                let (this, id, service) = (Arc::clone(&self), key.0.clone(), key.1.clone());
                tokio::spawn(async move { this.run_job(&id, &service).await });
                if let Some(at) = next(&key.2, &moment) {
                    due.insert(key, at);
                }
            }
        }
    }

    fn recorded_jobs(&self) -> Result<Vec<(EnvironmentId, ServiceName, String)>, Failure> {
        let environments = self.store.environments().map_err(|e| store_failure(&e))?;
        let mut all = Vec::new();
        for (id, record) in environments.into_iter().filter(|(_, r)| r.wanted == Wanted::Running) {
            for service in record.services {
                if let Real::Job { schedule, .. } = service.real {
                    all.push((id.clone(), service.made_from.service, schedule));
                }
            }
        }
        Ok(all)
    }

    /// Runs a job once, unless it still runs.
    async fn run_job(&self, id: &EnvironmentId, service: &ServiceName) {
        let mine = |name: &str| service_of(name) == Some(service.as_str());
        if let Err(failure) = self.refuse_while_moving(id) {
            return tracing::warn!("{id}: the job {service} is not started: {failure}");
        }
        if self.provider.tasks(id).iter().any(|t| t.running && mine(&t.name)) {
            return tracing::warn!("{id}: the job {service} still runs and is not started again");
        }
        let result = self.job_task(id, service).await;
        if let Err(failure) = &result {
            tracing::warn!(causes = ?failure.causes, "{id}: the job {service} failed: {failure}");
            let note = Note::new(&Actor::daemon(), &id.project, "job.failed").environment(&id.environment);
            self.note_quietly(note.about("service", service.as_str()).about("why", failure.message.as_str()));
        }
        let mut runs: Vec<String> =
            self.provider.tasks(id).into_iter().filter(|t| !t.running && mine(&t.name)).map(|t| t.name).collect();
        runs.sort();
        let old = runs.len().saturating_sub(KEPT);
        for name in runs.iter().take(old) {
            if let Err(failure) = self.provider.forget_task(id, name).await {
                tracing::warn!("{id}: {failure}");
            }
        }
    }

    async fn job_task(&self, id: &EnvironmentId, service: &ServiceName) -> Result<(), Failure> {
        let record = self.store.environment(id).map_err(|e| store_failure(&e))?;
        let Some(record) = record else { return Ok(()) };
        let Some(live) = self.live_of(&record)? else { return Ok(()) };
        let (declaration, _) = self.declaration_of(&live)?;
        let scope = self.scope(&declaration, &id.environment, &Progress::unheard())?;
        let built = scope.builds_of(&given_by(&record))?;
        let (service, app, built) = scope.app(&built, service)?;
        let Some(command) = built.recipe(service).run else { return Ok(()) };
        let task = scope.task_of(service, app, built, &command);
        self.provider.run_task(id, &format!("{PREFIX}{}-{}", service.name, now()), &task, &|_| {}).await
    }

    /// The jobs of a project and how they stand.
    pub fn jobs(&self, project: &ProjectName) -> Result<Vec<Job>, Failure> {
        let moment = Zoned::now();
        let mine = self.recorded_jobs()?.into_iter().filter(|(id, _, _)| id.project == *project);
        Ok(mine
            .map(|(id, service, schedule)| {
                let runs = self.provider.tasks(&id);
                let last = runs.iter().rfind(|t| service_of(&t.name) == Some(service.as_str()));
                Job {
                    environment: id.environment.clone(),
                    next: next(&schedule, &moment).map(|at| at.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()),
                    running: last.is_some_and(|t| t.running),
                    well: last.and_then(|t| t.well),
                    exit: last.map_or_else(String::new, |t| t.exit.clone()),
                    service: service.to_string(),
                    schedule,
                }
            })
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_goes_by_the_clock_on_the_wall() {
        let at: Zoned = "2026-03-29T01:30:00+01:00[Europe/Madrid]".parse().unwrap();
        // In the night in which the clock jumps from 2 to 3, half past two does not exist.
        let run = next("0 4 * * *", &at).unwrap();
        assert_eq!(run.to_string(), "2026-03-29T04:00:00+02:00[Europe/Madrid]");
        assert!(next("not cron", &at).is_none());
    }

    #[test]
    fn only_runs_of_jobs_are_runs_of_jobs() {
        assert_eq!(service_of("job-clean-up-1700000000000"), Some("clean-up"));
        assert_eq!(service_of("migrate-backend-41"), None);
        assert_eq!(service_of("job-x"), None);
    }
}
