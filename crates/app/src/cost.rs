//! `cost`: what is declared to be paid, with what the environments on this machine take beside it; and the message where it is more than
//! the budget.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use ambit_domain::{
    Announcement, EnvironmentId, Failure,
    cost::{Bill, dollars},
    spec::{EnvironmentName, Occasion, ProjectName},
};
use serde::Serialize;

use crate::{
    ambit::{Ambit, now, store_failure},
    declaration::Declaration,
};

/// How often budgets are looked at. Prices change with the file alone.
const EVERY: Duration = Duration::from_secs(3600);
/// How soon after the daemon began.
const FIRST: Duration = Duration::from_secs(2);
/// More files than this of one folder are not counted: looking must end.
const FILES: usize = 500_000;

/// What is paid and what is taken.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cost {
    /// What is declared.
    pub bill: Bill,
    /// What the services of the environments on this machine take.
    pub measured: Vec<Measured>,
}

/// What one service takes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Measured {
    /// Its environment.
    pub environment: EnvironmentName,
    /// The service; `backups` for what is kept of its data.
    pub service: String,
    /// Processors, on average since it started; `None` for what is no process.
    pub cpus: Option<f64>,
    /// Resident memory in bytes.
    pub memory: Option<u64>,
    /// Its files in bytes; `None` where it has none, or nobody could look.
    pub disk: Option<u64>,
}

impl Ambit {
    /// What a project costs.
    pub fn cost(&self, declaration: &Declaration) -> Result<Cost, Failure> {
        let mut measured = Vec::new();
        for id in self.ids(&declaration.project.name)? {
            measured.extend(self.measure(&id));
        }
        Ok(Cost { bill: Bill::of(&declaration.project), measured })
    }

    fn measure(&self, id: &EnvironmentId) -> Vec<Measured> {
        let mut services: BTreeMap<String, (f64, u64)> = BTreeMap::new();
        let instances = self.provider.instances(id);
        let used = ambit_keeper::uses(&instances.iter().filter_map(|instance| instance.pid).collect::<Vec<_>>());
        for instance in instances {
            let since = instance.since.map_or(0, |since| now() - since);
            let seconds = instance.pid.and_then(|pid| used.get(&pid)).map_or(0.0, |used| used.cpu_seconds);
            let lived = Duration::from_millis(u64::try_from(since).unwrap_or(0).max(1000));
            let of = services.entry(instance.service).or_default();
            *of = (of.0 + seconds / lived.as_secs_f64(), of.1 + instance.memory);
        }
        let folder = self.home.environment(id);
        let mut all: Vec<Measured> = services
            .into_iter()
            .map(|(service, (cpus, memory))| Measured {
                environment: id.environment.clone(),
                disk: matches!(service.as_str(), "postgres" | "redis").then(|| size(&folder.join(&service))).flatten(),
                service,
                cpus: Some(cpus),
                memory: Some(memory),
            })
            .collect();
        let others = [("sites", self.home.sites(id)), ("backups", self.home.backups(id))];
        all.extend(others.into_iter().filter_map(|(service, folder)| {
            let disk = Some(size(&folder).filter(|bytes| *bytes > 0)?);
            Some(Measured {
                environment: id.environment.clone(),
                service: service.to_owned(),
                cpus: None,
                memory: None,
                disk,
            })
        }));
        all
    }

    /// Looks now and then whether what is declared costs more than it may, and tells once a month, for as long as it is polled.
    pub async fn watch_budgets(self: Arc<Self>) {
        let mut pause = FIRST;
        loop {
            tokio::time::sleep(pause).await;
            pause = EVERY;
            for project in self.projects_for_now() {
                if let Err(failure) = self.look_at_budget(&project) {
                    tracing::debug!(causes = ?failure.causes, "the budget of {project} was not looked at: {failure}");
                }
            }
        }
    }

    fn look_at_budget(&self, project: &ProjectName) -> Result<(), Failure> {
        let Some(folder) = self.store.project_folder(project).map_err(|e| store_failure(&e))? else { return Ok(()) };
        let declaration = Declaration::open(&folder, "")?;
        let bill = Bill::of(&declaration.project);
        let (Some(over), Some(budget)) = (bill.over_budget(), bill.budget) else { return Ok(()) };
        let month = jiff::Timestamp::from_millisecond(now()).map(|at| at.strftime("%Y-%m").to_string());
        let month = month.unwrap_or_default();
        let setting = format!("over budget {project}");
        if self.remembered::<String>(&setting)? == month {
            return Ok(());
        }
        let Some(environment) = declaration.foremost() else { return Ok(()) };
        let total = dollars(bill.total.recommended);
        let announcement = Announcement {
            reason: Some(format!("${total} a month, ${} more than ${}", dollars(over), dollars(budget))),
            next: Some("ambit cost".to_owned()),
            ..Announcement::new(Occasion::OverBudget, None, format!("${}", dollars(budget)))
        };
        self.announce(&environment, announcement);
        self.remember(&setting, &month)
    }
}

/// The bytes of a folder's files on the disk. Links are not followed.
fn size(folder: &Path) -> Option<u64> {
    use std::os::unix::fs::MetadataExt;
    let mut folders = vec![folder.to_path_buf()];
    let (mut bytes, mut files) = (0, 0);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).ok()? {
            // Files come and go while it is counted.
            let Some(entry) = entry.ok() else { continue };
            let Ok(metadata) = entry.metadata() else { continue };
            files += 1;
            if files > FILES {
                return None;
            }
            if metadata.is_dir() {
                folders.push(entry.path());
            } else {
                bytes += metadata.blocks() * 512;
            }
        }
    }
    Some(bytes)
}
