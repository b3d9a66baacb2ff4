//! Old releases, restore points and logs are deleted; never what serves or may be needed to go back.

use std::collections::BTreeSet;

use ambit_domain::{
    EnvironmentId, Failure,
    ids::BuildId,
    spec::{Policy, ProjectName},
};

use crate::ambit::{Ambit, store_failure};

/// Restore points that are kept for each environment.
const RESTORE_POINTS: usize = 5;

impl Ambit {
    /// Deletes what nobody needs any more. What cannot be deleted now is left for the next time.
    pub(crate) fn prune(&self, id: &EnvironmentId, policy: &Policy) {
        if let Err(failure) = self.prune_builds(&id.project, policy.keep_releases) {
            tracing::warn!(causes = ?failure.causes, "old builds were not deleted: {failure}");
        }
    }

    fn prune_builds(&self, project: &ProjectName, keep: usize) -> Result<(), Failure> {
        let mut needed: BTreeSet<BuildId> = BTreeSet::new();
        let environments = self.store.environments().map_err(|e| store_failure(&e))?;
        for (id, record) in environments.iter().filter(|(id, _)| id.project == *project) {
            needed.extend(record.services.iter().filter_map(|s| s.real.build()).map(|(build, _)| build.clone()));
            let deployments = self.store.deployments(project, Some(id), 1000).map_err(|e| store_failure(&e))?;
            let mut releases = Vec::new();
            for deployment in &deployments {
                let Some(release) = &deployment.release else { continue };
                let served = deployment.has_served() && deployment.state.serves();
                if !deployment.state.is_final() || (served && releases.len() < keep && !releases.contains(release)) {
                    releases.push(release.clone());
                }
            }
            for release in &releases {
                let found = self.store.release(project, release).map_err(|e| store_failure(&e))?;
                needed.extend(found.into_iter().flat_map(|r| r.builds.into_values()));
            }
        }
        let folder = self.builds(project);
        for build in ambit_source::builds::all(&folder).into_iter().filter(|b| !needed.contains(b)) {
            // A young one may belong to a deployment that is just being made.
            let young = std::fs::metadata(folder.join(&build.0))
                .and_then(|m| m.modified())
                .is_ok_and(|at| at.elapsed().is_ok_and(|age| age.as_secs() < 3600));
            if !young {
                ambit_source::builds::remove(&folder, &build).map_err(|e| crate::code::source_failure(&e))?;
            }
        }
        Ok(())
    }

    /// Deletes restore points beyond those that are kept.
    pub(crate) async fn prune_restore_points(&self, id: &EnvironmentId) -> Result<(), Failure> {
        let points = self.store.restore_points(id).map_err(|e| store_failure(&e))?;
        for point in points.iter().skip(RESTORE_POINTS) {
            self.provider.remove_restore_point(id, &point.name).await?;
            self.store.forget_restore_point(point).map_err(|e| store_failure(&e))?;
        }
        Ok(())
    }
}
