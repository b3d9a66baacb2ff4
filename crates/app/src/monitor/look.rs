//! One look at an environment.

use std::collections::HashMap;

use ambit_domain::{
    EnvironmentId, EnvironmentRecord, Failure,
    monitoring::{Check, Finding, Judge, ProcessState, What, bounds},
    spec::Health,
};
use ambit_host::Answer;
use futures_util::future::join_all;

use super::{
    Watched,
    deep::Pace,
    targets::{Expected, Probe, Target, targets},
};
use crate::ambit::{Ambit, now};

/// How long an answer may take where no `max-latency` is declared, in milliseconds.
const SLOW: f64 = 2000.0;

impl Ambit {
    /// Looks at what is due in an environment, and takes down what was found.
    pub(super) async fn look_at(
        &self,
        id: &EnvironmentId,
        record: &EnvironmentRecord,
        watched: &mut Watched,
        number: u64,
    ) -> Result<(), Failure> {
        let Some(changes) = self.left_alone(id) else {
            watched.changes = None;
            return Ok(());
        };
        if watched.changes != Some(changes) {
            // What was found before says nothing about what it has been made since.
            watched.judges.values_mut().for_each(Judge::begin_anew);
            watched.changes = Some(changes);
        }
        self.refresh_declared(record, id, &mut watched.declared);
        let mut found = vec![(Pace::Look, self.quick_look(id, record, watched).await?)];
        for pace in Pace::DEEP.into_iter().filter(|pace| pace.is_due(number)) {
            found.push((pace, self.deep_look(id, record, pace).await?));
        }
        if self.left_alone(id) != Some(changes) {
            watched.changes = None;
            return Ok(());
        }
        for (pace, findings) in found {
            let findings: Vec<_> =
                findings.into_iter().filter(|(check, _)| check.what.is_of(record.monitoring.level)).collect();
            self.with_readings(|readings| {
                let checks = &mut readings.environments.entry(id.clone()).or_default().checks;
                checks.retain(|check, _| Pace::of(check.what) != pace);
                checks.extend(findings.iter().map(|(check, finding)| (check.clone(), *finding == Finding::Well)));
            });
            self.settle_findings(id, pace, watched.judges.entry(pace).or_default(), &findings)?;
        }
        Ok(())
    }

    async fn quick_look(
        &self,
        id: &EnvironmentId,
        record: &EnvironmentRecord,
        watched: &mut Watched,
    ) -> Result<Vec<(Check, Finding)>, Failure> {
        let targets = targets(record, &watched.declared.health, self.address()?);
        let processes = self.host.process_states(id);
        let proxy = targets.iter().any(|t| t.probe == Probe::Proxy).then(|| self.host.proxy_state()).flatten();
        let mut findings: Vec<_> =
            proxy.map(|state| self.of_process("proxy", "", &state, watched)).into_iter().collect();
        for Target { check, probe } in &targets {
            let Probe::Process(number) = probe else { continue };
            findings.push(match processes.iter().find(|p| p.service == check.service && p.number == *number) {
                Some(state) => self.of_process(&check.service, &check.target, state, watched),
                None => (check.clone(), Finding::Failing("nothing holds its process".to_owned())),
            });
        }
        let bound =
            record.policy.as_ref().and_then(|p| p.max_latency).map_or(SLOW, |bound| bound.as_secs_f64() * 1000.0);
        let probes = targets.iter().filter(|t| !matches!(t.probe, Probe::Process(_)));
        for (target, seen) in join_all(probes.map(async |target| (target, self.probe(id, target).await))).await {
            let Seen { finding, millis } = seen;
            if let Some(millis) = millis {
                let check = Check { what: What::Latency, ..target.check.clone() };
                let slow = millis > bound;
                let why = format!("it took {millis:.0} ms, the bound is {bound:.0} ms");
                findings.push((check, if slow { Finding::Failing(why) } else { Finding::Well }));
            }
            if target.check.what == What::Http {
                self.read_url(id, &target.check, finding == Finding::Well, millis);
            }
            findings.push((target.check.clone(), finding));
        }
        Ok(findings)
    }

    fn of_process(&self, service: &str, target: &str, state: &ProcessState, watched: &mut Watched) -> (Check, Finding) {
        let known = watched.restarts.entry((service.to_owned(), state.number)).or_insert(state.restarts);
        // A new record of the same number counts from nothing.
        *known = (*known).min(state.restarts);
        let finding = bounds::process(state, *known, now());
        if finding == Finding::Well {
            *known = state.restarts;
        }
        (Check::at(What::Process, service, target), finding)
    }

    fn read_url(&self, id: &EnvironmentId, check: &Check, up: bool, millis: Option<f64>) {
        self.with_readings(|readings| {
            let urls = &mut readings.environments.entry(id.clone()).or_default().urls;
            let url = urls.entry((check.service.clone(), check.target.clone())).or_default();
            url.up = up;
            url.millis = millis;
            url.looks += 1;
            url.well += u32::from(up);
        });
    }

    /// Looks at everything that answers once, for who wants to know now; whoever changes the environment meanwhile is told what
    /// is found in the middle of it.
    pub(crate) async fn look_now(
        &self,
        id: &EnvironmentId,
        record: &EnvironmentRecord,
        health: &HashMap<String, Health>,
    ) -> Result<Vec<(Check, Finding)>, Failure> {
        let targets = targets(record, health, self.address()?);
        let probes = targets.iter().filter(|t| !matches!(t.probe, Probe::Process(_)));
        let looks = probes.map(async |target| (target.check.clone(), self.probe(id, target).await.finding));
        Ok(join_all(looks).await)
    }

    async fn probe(&self, id: &EnvironmentId, target: &Target) -> Seen {
        let answered = |result: Result<(), String>| Seen::from(result);
        match &target.probe {
            Probe::Http { host, path, expected } => {
                let Ok(proxy) = self.listen() else { return Seen::from(Err("its address is not known".to_owned())) };
                let whole = *expected != Expected::NoServerError;
                match self.host.ask_proxy(proxy, host, path, whole).await {
                    Ok(answer) => Seen { finding: judge(answer, path, *expected), millis: Some(answer.millis) },
                    Err(why) => Seen::from(Err(format!("GET {path}: {why}"))),
                }
            }
            Probe::Proxy => match self.listen() {
                Ok(listen) => answered(self.host.proxy_answers(listen).await),
                Err(failure) => answered(Err(failure.message)),
            },
            Probe::Tcp(port) => answered(self.host.takes_connections(*port).await),
            Probe::Postgres => match self.postgres_of(id) {
                Ok(Some(server)) => answered(self.host.postgres_answers(&server).await),
                Ok(None) => answered(Err("its address is not known".to_owned())),
                Err(failure) => answered(Err(failure.message)),
            },
            Probe::Redis => match self.redis_of(id) {
                Ok(Some(server)) => answered(self.host.redis_answers(&server).await),
                Ok(None) => answered(Err("its address is not known".to_owned())),
                Err(failure) => answered(Err(failure.message)),
            },
            Probe::Process(_) => Seen { finding: Finding::Well, millis: None },
        }
    }
}

/// What a probe has seen.
struct Seen {
    finding: Finding,
    /// How long the answer took, where it is one that is timed.
    millis: Option<f64>,
}

impl From<Result<(), String>> for Seen {
    fn from(result: Result<(), String>) -> Self {
        Self { finding: result.map_or_else(Finding::Failing, |()| Finding::Well), millis: None }
    }
}

fn judge(answer: Answer, path: &str, expected: Expected) -> Finding {
    let status = answer.status;
    match expected {
        Expected::Status(wanted) if status == wanted => Finding::Well,
        Expected::Status(wanted) => Finding::Failing(format!("GET {path} answered {status} instead of {wanted}")),
        Expected::Page if status < 400 => Finding::Well,
        Expected::NoServerError if status < 500 => Finding::Well,
        Expected::Page | Expected::NoServerError => Finding::Failing(format!("GET {path} answered {status}")),
    }
}
