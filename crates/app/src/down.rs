//! `down`: environments stop, apps before databases; data stays.

use ambit_domain::{Actor, EnvironmentId, Failure, FailureKind, Wanted, audit::Note, spec::ProjectName};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};

use crate::{
    ambit::{Ambit, nearest, store_failure},
    progress::Progress,
};

/// What to stop.
#[derive(Clone, Serialize, Deserialize)]
pub struct Down {
    /// The project.
    pub project: ProjectName,
    /// Environments by name; empty is all.
    pub environments: Vec<String>,
    /// Who asks.
    pub actor: Actor,
}

impl Ambit {
    /// Stops environments. Tells whether nothing of any project is left running on the machine.
    pub async fn down(&self, request: &Down, progress: &Progress) -> Result<bool, Failure> {
        let ids = self.known(&request.project, &request.environments)?;
        join_all(ids.iter().map(|id| self.down_one(id, &request.actor, progress)))
            .await
            .into_iter()
            .collect::<Result<Vec<_>, _>>()?;
        self.end_proxy_when_idle(progress).await
    }

    /// Ends the proxy when nothing of any project should run any more; whether that is so.
    pub(crate) async fn end_proxy_when_idle(&self, progress: &Progress) -> Result<bool, Failure> {
        let environments = self.store.environments().map_err(|e| store_failure(&e))?;
        let idle = environments.iter().all(|(_, record)| record.wanted == Wanted::Stopped);
        if idle {
            self.stop_proxy(progress).await?;
        }
        Ok(idle)
    }

    async fn down_one(&self, id: &EnvironmentId, actor: &Actor, progress: &Progress) -> Result<(), Failure> {
        let _alone = self.alone(id).await;
        let stop = async {
            let Some(mut record) = self.store.environment(id).map_err(|e| store_failure(&e))? else {
                return Ok(((), "nothing was there".to_owned(), false));
            };
            let was = record.wanted;
            record.wanted = Wanted::Stopped;
            record.up_since = None;
            // First the record: after a crash the daemon does not start it again.
            self.store.set_environment(id, &record).map_err(|e| store_failure(&e))?;
            if was == Wanted::Running {
                self.publish_routes_if_served().await?;
            }
            self.provider.stop_environment(id).await?;
            let changed = was == Wanted::Running;
            if changed {
                self.note_done(
                    Note::new(actor, &id.project, "environment.down").environment(&id.environment),
                    progress,
                );
            }
            Ok(((), if changed { "stopped; data is kept" } else { "was down already" }.to_owned(), changed))
        };
        progress.environment(&id.environment).step("down", stop).await
    }

    /// The environments of a project that exist on this machine: all, or those named.
    pub fn known(&self, project: &ProjectName, names: &[String]) -> Result<Vec<EnvironmentId>, Failure> {
        let ids = self.ids(project)?;
        if names.is_empty() {
            return Ok(ids);
        }
        names
            .iter()
            .map(|name| {
                ids.iter().find(|id| id.environment.as_str() == name).cloned().ok_or_else(|| {
                    let known: Vec<&str> = ids.iter().map(|id| id.environment.as_str()).collect();
                    let failure = Failure::new(
                        FailureKind::NotFound,
                        format!("{project} has no environment `{}` on this machine", name.escape_debug()),
                    );
                    match nearest(name, known.iter().copied()) {
                        Some(near) => failure.hint(format!("did you mean `{near}`?")),
                        None if known.is_empty() => failure.hint("ambit up brings it up"),
                        None => failure.hint(format!("there are: {}", known.join(", "))),
                    }
                })
            })
            .collect()
    }
}
