//! What a deployment has to satisfy: the rules in force in its environment, and not those that it brings along.

use ambit_domain::{
    Deployment, EnvironmentId,
    spec::{Freeze, Gate, Policy},
};

use crate::{
    ambit::{Ambit, store_failure},
    scope::Scope,
};

impl Ambit {
    /// The rules in force: those of the last `up` or of the release that serves; of the deployment itself only where
    /// nothing ever ran.
    pub(crate) fn policy_in_force(&self, id: &EnvironmentId, own: &Policy) -> Policy {
        self.recorded_policy(id).unwrap_or_else(|| own.clone())
    }

    pub(crate) fn recorded_policy(&self, id: &EnvironmentId) -> Option<Policy> {
        let recorded = self.store.environment(id).inspect_err(|e| tracing::error!("{}", store_failure(e)));
        recorded.ok().flatten().and_then(|r| r.policy)
    }
}

impl Scope<'_> {
    pub(crate) fn policy_in_force(&self) -> Policy {
        self.ambit.policy_in_force(&self.id, &self.environment.policy)
    }

    /// The gates of a deployment.
    pub(crate) fn gates_of(&self, deployment: &Deployment) -> Vec<Gate> {
        let policy = self.policy_in_force();
        if deployment.hotfix { policy.hotfix_gates } else { policy.gates }
    }
}

/// The freeze that is in force at a moment, in the machine's time zone.
pub(crate) fn frozen(policy: &Policy, at: &jiff::Zoned) -> Option<Freeze> {
    let day = u16::try_from(at.weekday().to_monday_zero_offset()).unwrap_or(0);
    let minute = day * 1440 + u16::try_from(at.hour()).unwrap_or(0) * 60 + u16::try_from(at.minute()).unwrap_or(0);
    policy.freeze.iter().copied().find(|freeze| freeze.contains(minute))
}
