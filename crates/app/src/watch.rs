//! A new release is watched for its soak time; where it breaks a bound, the release before serves again by itself.

use std::time::Duration;

use ambit_domain::{
    Deployment, DeploymentState, Failure, FailureKind, Outcome, Wanted,
    deployment::{StepName, StepState},
    provider::InstanceHealth,
    rollout::FormWork,
    spec::Policy,
};
use ambit_proxy::figures::{Figures, RouteFigures};

use crate::{
    ambit::{Ambit, now, store_failure},
    pipeline::about,
    progress::Progress,
};

/// How often it is looked at.
const EVERY: Duration = Duration::from_millis(500);
/// Fewer requests than these say nothing about a share of them.
const ENOUGH: u64 = 20;
/// An instance that ended this often since it was put there does not stay up.
const RESTARTS: u32 = 3;

/// Why a deployment is not watched on now.
enum Other {
    /// There is nothing left to watch.
    Ends(String),
    /// Another deployment of the environment has its turn.
    ComesFirst,
}

impl Ambit {
    /// Watches a deployment until its time is over, something else is done to the environment, or a bound is broken.
    pub(crate) async fn watch_stage(&self, mut deployment: Deployment) -> Result<(), Failure> {
        let id = deployment.environment.clone();
        let progress = self.progress_of(&deployment).environment(&id.environment);
        // By the rules that were in force before it: a change does not choose how it is judged.
        let before = deployment.work.as_ref().and_then(|w| w.before.policy.clone());
        let policy = before.or_else(|| self.recorded_policy(&id));
        let Some(policy) = policy else { return self.watched(deployment, &progress, "not watched".to_owned()) };
        let changed = self.pipelines.changed(&id);
        let since = deployment.switched.unwrap_or_else(now);
        let soak = i64::try_from(policy.soak.as_millis()).unwrap_or(i64::MAX);
        mark(&mut deployment, StepState::Running, String::new());
        self.save(&deployment)?;
        let begin = self.figures().await;
        loop {
            // Enabled before looking, so that nothing that happens meanwhile is missed.
            let notified = changed.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            match self.other_work(&deployment)? {
                Some(Other::Ends(why)) => return self.watched(deployment, &progress, why),
                // It is watched on afterwards, unless the other one serves then.
                Some(Other::ComesFirst) => return Ok(()),
                None => {}
            }
            let over = now().saturating_sub(since) >= soak;
            let seen = self.figures().await;
            let last = match self.judge(&deployment, &policy, begin.as_ref(), seen.as_ref()) {
                Ok(detail) => detail,
                Err(failure) => return self.break_off(deployment, failure, &progress).await,
            };
            if over {
                return self.watched(deployment, &progress, last);
            }
            tokio::select! {
                () = &mut notified => {}
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    async fn figures(&self) -> Option<Figures> {
        ambit_proxy::client::figures(&self.home.proxy()).await.ok()
    }

    /// What is to be done instead of watching.
    fn other_work(&self, deployment: &Deployment) -> Result<Option<Other>, Failure> {
        let ends = |why: &str| Ok(Some(Other::Ends(why.to_owned())));
        let id = &deployment.environment;
        let record = self.store.environment(id).map_err(|e| store_failure(&e))?;
        let Some(record) = record.filter(|r| r.wanted == Wanted::Running) else {
            return ends("the environment was stopped");
        };
        if record.live != Some(deployment.number) {
            return ends("another release serves");
        }
        let queued = self.store.unfinished_deployments().map_err(|e| store_failure(&e))?;
        let next = queued.iter().find(|d| {
            d.environment == *id
                && d.number > deployment.number
                && (matches!(d.state, DeploymentState::Queued | DeploymentState::Building | DeploymentState::Running)
                    || (d.state == DeploymentState::Approved && self.freeze_of(d).is_none()))
        });
        Ok(next.map(|_| Other::ComesFirst))
    }

    /// What the figures say; an error where a bound is broken.
    fn judge(
        &self,
        deployment: &Deployment,
        policy: &Policy,
        begin: Option<&Figures>,
        seen: Option<&Figures>,
    ) -> Result<String, Failure> {
        let id = &deployment.environment;
        let services = deployment.work.as_ref().map(|w| w.services.as_slice()).unwrap_or_default();
        let running = self.provider.instances(id);
        let mut told = Vec::new();
        for one in services {
            let FormWork::App(instances) = &one.form else { continue };
            for status in running
                .iter()
                .filter(|s| s.service == one.service.as_str() && instances.new.iter().any(|i| i.number == s.number))
            {
                if status.restarts >= RESTARTS {
                    let how = match &status.health {
                        InstanceHealth::Restarting { exit } => format!("it {exit}"),
                        _ => "see its log".to_owned(),
                    };
                    return Err(Failure::new(
                        FailureKind::App,
                        format!("{} ended {} times since it was deployed: {how}", one.service, status.restarts),
                    ));
                }
            }
            let route = format!("{id}/{}", one.service);
            let empty = RouteFigures::default();
            let Some(after) = seen.and_then(|f| f.route(&route)) else { continue };
            let before = begin.and_then(|f| f.route(&route)).unwrap_or(&empty);
            // A proxy that was started since counts from nothing.
            let before = if before.requests > after.requests { &empty } else { before };
            let requests = after.requests - before.requests;
            let failed = after.answers.server_error.saturating_sub(before.answers.server_error);
            #[allow(clippy::cast_precision_loss)]
            let rate = if requests == 0 { 0.0 } else { failed as f64 * 100.0 / requests as f64 };
            let p95 = after.percentile_since(before, 0.95);
            told.push(format!("{}: {requests} requests, {rate:.1} % failed, p95 {p95:.0} ms", one.service));
            if requests >= ENOUGH && rate > policy.max_error_rate {
                return Err(Failure::new(
                    FailureKind::App,
                    format!(
                        "{rate:.1} % of the requests to {} failed; the bound is {} %",
                        one.service, policy.max_error_rate
                    ),
                ));
            }
            #[allow(clippy::cast_precision_loss)]
            if let Some(bound) = policy.max_latency.filter(|b| requests >= ENOUGH && p95 > b.as_millis() as f64) {
                return Err(Failure::new(
                    FailureKind::App,
                    format!(
                        "95 % of the answers of {} took up to {p95:.0} ms; the bound is {} ms",
                        one.service,
                        bound.as_millis()
                    ),
                ));
            }
        }
        Ok(if told.is_empty() { "nothing was asked of it".to_owned() } else { told.join(" · ") })
    }

    /// Records that a deployment was watched for its time, or needs it no more.
    pub(crate) fn watched(
        &self,
        mut deployment: Deployment,
        progress: &Progress,
        detail: String,
    ) -> Result<(), Failure> {
        mark(&mut deployment, StepState::Done, detail.clone());
        let millis = u64::try_from(now() - deployment.switched.unwrap_or_else(now)).unwrap_or(0);
        progress.say(StepName::Watch.name(), Outcome::Done { detail, changed: true, millis });
        self.finish(&mut deployment, DeploymentState::Succeeded)?;
        self.note_quietly(about(&deployment, "deployment.succeeded"));
        Ok(())
    }

    async fn break_off(
        &self,
        mut deployment: Deployment,
        failure: Failure,
        progress: &Progress,
    ) -> Result<(), Failure> {
        progress.say(StepName::Watch.name(), Outcome::Failed { failure: failure.clone() });
        mark(&mut deployment, StepState::Failed, failure.message.clone());
        self.note_quietly(self.fail(&mut deployment, &failure)?);
        crate::fault::point("between failure and recovery");
        match self.recover(&deployment) {
            Ok(back) => {
                progress.notice("watch", format!("going back to {} by deployment {}", back.version, back.number))
            }
            Err(failure) => progress.notice("watch", format!("there is no way back: {}", failure.message)),
        }
        Ok(())
    }
}

/// Writes into the journal how watching stands.
pub(crate) fn mark(deployment: &mut Deployment, state: StepState, detail: String) {
    if let Some(step) = deployment.steps.iter_mut().find(|s| s.name == StepName::Watch) {
        step.started.get_or_insert_with(now);
        if state != StepState::Running {
            step.finished = Some(now());
        }
        step.state = state;
        step.detail = detail;
    }
}
