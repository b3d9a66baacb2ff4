//! `logs`: what services printed, merged by time.

mod level;
mod search;

pub use level::Level;
pub use search::{LogFilter, LogQuery, LogSearch};

use std::{
    collections::{BTreeSet, HashMap},
    path::{Path, PathBuf},
};

use ambit_domain::{
    EnvironmentId, Failure, FailureKind, InstanceId,
    provider::RELEASE_VARIABLE,
    spec::{EnvironmentName, ProjectName},
};
use serde::Serialize;

use crate::ambit::{Ambit, nearest};

/// One line of a service's output.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct LogLine {
    /// When it was read, RFC 3339 in UTC: sorts as text.
    pub at: String,
    /// The environment.
    pub environment: EnvironmentName,
    /// Service and instance: `backend.1`.
    pub instance: String,
    /// The line as the process wrote it; hostile input.
    pub text: String,
    /// How grave it says that it is.
    pub level: Option<Level>,
    /// The release that printed it, by the first digits of its build.
    pub release: Option<String>,
}

/// Reads the logs of some instances, from where it stopped the last time.
pub struct LogReader {
    environments: Vec<EnvironmentId>,
    services: Vec<String>,
    positions: HashMap<PathBuf, ambit_keeper::client::LogPosition>,
}

/// A moment as people write it: so long before `now`, such as `15m`, `1h`, `2d`, or as in RFC 3339.
#[must_use]
pub fn log_moment(text: &str, now: i64) -> Option<i64> {
    let ago = || {
        let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 86_400,
            _ => return None,
        };
        let number: i64 = number.parse().ok().filter(|n| *n >= 0)?;
        now.checked_sub(number.checked_mul(seconds * 1000)?)
    };
    ago().or_else(|| text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond))
}

impl Ambit {
    /// A reader of the logs of a project: of some environments and services, or of all.
    pub fn logs(
        &self,
        project: &ProjectName,
        environments: &[String],
        services: &[String],
    ) -> Result<LogReader, Failure> {
        let environments = self.known(project, environments)?;
        let there: BTreeSet<String> =
            environments.iter().flat_map(|id| self.provider.instances(id)).map(|status| status.service).collect();
        if let Some(unknown) = services.iter().find(|s| !there.contains(*s)) {
            let what = format!("no service `{}` has printed anything on this machine", unknown.escape_debug());
            let failure = Failure::new(FailureKind::NotFound, what);
            return Err(match nearest(unknown, there.iter().map(String::as_str)) {
                Some(near) => failure.hint(format!("did you mean `{near}`?")),
                None if environments.iter().any(|id| id.environment.as_str() == unknown) => {
                    failure.hint(format!("an environment is given as: ambit logs -e {unknown}"))
                }
                None => failure.hint(format!("there are: {}", there.iter().cloned().collect::<Vec<_>>().join(", "))),
            });
        }
        Ok(LogReader { environments, services: services.to_vec(), positions: HashMap::new() })
    }

    /// What was written since the last call; at the first, the last `lines` lines of each instance.
    pub fn read_logs(&self, reader: &mut LogReader, lines: usize) -> Vec<LogLine> {
        let mut all = Vec::new();
        for Logged { environment, instance, folder, release } in self.logged(reader) {
            let (read, position) = match reader.positions.get(&folder) {
                None => ambit_keeper::client::tail(&folder, lines),
                Some(position) => ambit_keeper::client::follow(&folder, position),
            };
            reader.positions.insert(folder, position);
            all.extend(read.into_iter().map(|(at, text)| LogLine {
                level: Level::of(&text),
                release: release.clone(),
                at,
                environment: environment.clone(),
                instance: instance.clone(),
                text,
            }));
        }
        all.sort();
        all
    }

    /// Everything of the reader's services that is logged.
    fn logged(&self, reader: &LogReader) -> Vec<Logged> {
        let mut all = Vec::new();
        for id in &reader.environments {
            let mut add = |instance: String, folder: PathBuf| {
                let (environment, release) = (id.environment.clone(), release_of(&folder));
                all.push(Logged { environment, instance, folder, release });
            };
            for status in self.provider.instances(id).into_iter().filter(|status| reader.wants(&status.service)) {
                let Ok(service) = status.service.parse() else { continue };
                let instance = InstanceId { environment: id.clone(), service, number: status.number };
                add(format!("{}.{}", status.service, status.number), self.home.keeper(&instance));
            }
            for task in self.provider.tasks(id) {
                let Some(service) = crate::jobs::service_of(&task.name).filter(|service| reader.wants(service)) else {
                    continue;
                };
                add(format!("{service}.job"), self.home.task(id, &task.name));
            }
        }
        all
    }
}

impl LogReader {
    /// Whether it reads the logs of a service.
    fn wants(&self, service: &str) -> bool {
        self.services.is_empty() || self.services.iter().any(|name| name == service)
    }
}

/// A log, with what each of its lines is of.
struct Logged {
    environment: EnvironmentName,
    /// Service and instance, as in [`LogLine`].
    instance: String,
    folder: PathBuf,
    release: Option<String>,
}

/// The release that a process is of, as it is told so itself.
fn release_of(folder: &Path) -> Option<String> {
    let spec = ambit_keeper::client::read_spec(folder).ok()??;
    spec.variables.into_iter().find_map(|(name, value)| (name == RELEASE_VARIABLE).then_some(value))
}
