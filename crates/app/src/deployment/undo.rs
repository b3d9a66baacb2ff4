//! The way back from a deployment that failed before it served: everything new is stopped and the record stays as it was.

use ambit_domain::{Failure, Instance, rollout::FormWork, spec::ServiceName};
use futures_util::future::join_all;

use super::engine::Stand;

impl Stand<'_> {
    /// Stops the new instances. Repeatable: what is stopped already is left alone.
    pub(crate) async fn undo(&mut self) -> Result<(), Failure> {
        let Some(work) = &self.deployment.work else { return Ok(()) };
        let new: Vec<(ServiceName, Instance)> = work
            .services
            .iter()
            .filter_map(|one| match &one.form {
                FormWork::App(instances) => Some(instances.new.iter().map(|i| (one.service.clone(), *i))),
                FormWork::Site { .. } | FormWork::Job { .. } => None,
            })
            .flatten()
            // What serves is not touched.
            .filter(|(name, i)| self.record.instances(name).iter().all(|known| known.number != i.number))
            .collect();
        let stops = new.iter().map(|(name, instance)| self.scope.stop(name, *instance));
        join_all(stops).await.into_iter().collect::<Result<Vec<()>, _>>().map(drop)
    }
}
