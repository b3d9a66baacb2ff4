//! The place that an environment leaves: nothing is written there any more, and it starts again where the move fails.

use ambit_domain::{EnvironmentId, Failure, Placement, Real, Wanted};
use ambit_proxy::table::RouteState;

use super::Moving;
use crate::{
    ambit::{Ambit, store_failure},
    jobs::is_a_run,
    set_aside::{DRAIN, HOLD},
};

impl Moving<'_> {
    /// May be done again: what does not run is stopped.
    pub(super) async fn stop_source(&mut self) -> Result<(), Failure> {
        let progress = self.progress.clone();
        let work = async {
            match self.relocation.to {
                Placement::Railway => self.ambit.stop_apps(self.id).await?,
                Placement::Host => self.stop_what_runs_there().await?,
            }
            Ok(((), "nothing is written there any more".to_owned(), true))
        };
        progress.step("stop", work).await
    }

    async fn stop_what_runs_there(&mut self) -> Result<(), Failure> {
        if self.relocation.stopped.is_none() {
            let running = self.hosted()?.running().await?;
            self.relocation.stopped = Some(running);
            self.save()?;
        }
        self.stop_there().await
    }

    /// As it was before.
    pub(super) async fn start_source(&self) -> Result<(), Failure> {
        match self.relocation.to {
            Placement::Railway => self.ambit.start_apps(self.id).await,
            Placement::Host => {
                let Some(stopped) = &self.relocation.stopped else { return Ok(()) };
                self.hosted()?.start_again(stopped, self.relocation.started).await.map(drop)
            }
        }
    }
}

impl Ambit {
    /// Stops the apps of an environment and its jobs; requests wait a while, then they are refused.
    async fn stop_apps(&self, id: &EnvironmentId) -> Result<(), Failure> {
        let (apps, ports) = self.apps_to_set_aside(id)?;
        self.hold(id, RouteState::held_for(HOLD)).await?;
        self.drain(&ports, DRAIN).await;
        for job in self.provider.tasks(id).iter().filter(|task| task.running && is_a_run(&task.name)) {
            self.provider.forget_task(id, &job.name).await?;
        }
        self.stop_again(&apps).await
    }

    async fn start_apps(&self, id: &EnvironmentId) -> Result<(), Failure> {
        let (apps, _) = self.apps_to_set_aside(id)?;
        let started = self.start_again(&apps).await;
        self.hold(id, RouteState::Serving).await?;
        started
    }

    /// Stops everything of an environment but its sites, which stay on this machine wherever its apps are.
    pub(super) async fn stop_but_sites(&self, id: &EnvironmentId) -> Result<(), Failure> {
        let Some(mut record) = self.store.environment(id).map_err(|e| store_failure(&e))? else { return Ok(()) };
        let is_site = |real: &Real| matches!(real, Real::Site { .. });
        record.services.retain(|service| is_site(&service.real));
        if record.services.is_empty() {
            record.wanted = Wanted::Stopped;
            record.up_since = None;
        }
        // There is nothing here any more that is backed up.
        record.backup = None;
        record.live = None;
        // First the record: after a crash nothing of it is started again.
        self.store.set_environment(id, &record).map_err(|e| store_failure(&e))?;
        self.hold(id, RouteState::Serving).await?;
        self.provider.stop_environment(id).await
    }
}
