//! New requests go to the new instances.
//!
//! The record is written first and the routes are made from it: after a crash between the two the daemon writes the routes
//! at its next start, and the repeated step writes the same record.

use ambit_domain::{
    EnvironmentRecord, Failure, Real, ServiceRecord,
    deployment::Work,
    rollout::{FormWork, ServiceWork, rounds},
};
use async_trait::async_trait;

use super::{super::engine::Stand, Step};
use crate::ambit::now;

pub(super) struct Switch;

#[async_trait]
impl Step for Switch {
    async fn run(&self, stand: &mut Stand<'_>, round: u32) -> Result<String, Failure> {
        let at = stand.deployment.switched.unwrap_or_else(now);
        let work = stand.work()?;
        let last = round + 1 == rounds(&work.services);
        let mut record = stand.record.clone();
        for one in &work.services {
            put(&mut record, work, one, round, last, at);
        }
        if last {
            record.services.retain(|s| !work.removed.contains(&s.made_from.service));
            // Where the apps are elsewhere it is there that a release serves.
            record.live = (!stand.scope.apps_elsewhere).then_some(stand.deployment.number);
        }
        stand.record = record;
        stand.save_record()?;
        stand.deployment.switched = Some(at);
        stand.save_deployment()?;
        crate::fault::point(&format!("between record and routes {round}"));
        stand.scope.ambit.publish_routes().await?;
        Ok(format!("new requests go to {}", stand.deployment.version))
    }
}

/// Puts one service into the record as it is after the switch of a round.
fn put(record: &mut EnvironmentRecord, work: &Work, one: &ServiceWork, round: u32, last: bool, at: i64) {
    let before = work.before.service(&one.service);
    let whole = |real: Real, since: i64| ServiceRecord {
        made_from: one.made_from.clone(),
        real,
        urls: one.urls.clone(),
        since,
    };
    match &one.form {
        FormWork::App(instances) => {
            if round >= instances.rounds() {
                return;
            }
            let serving = instances.serving(round);
            let retiring = instances.going(round).to_vec();
            let replaced = !instances.new.is_empty() && instances.keep.is_empty();
            let since = before.filter(|_| !replaced).map_or(at, |b| b.since);
            if round + 1 == instances.rounds() {
                let (build, commit) = (one.build.clone(), one.commit.clone());
                record.put(whole(Real::App { build, commit, serving, retiring }, since));
            } else if let Some(mut present) = before.cloned() {
                // In between it counts as what it was: most of its instances still are.
                if let Real::App { serving: s, retiring: r, .. } = &mut present.real {
                    *s = serving;
                    *r = retiring;
                }
                record.put(present);
            }
        }
        FormWork::Site { folder, single_page } if last => {
            let Some(folder) = folder.clone() else { return };
            let (build, commit) = (one.build.clone(), one.commit.clone());
            let same = before.is_some_and(|b| matches!(&b.real, Real::Site { build, .. } if *build == one.build));
            let since = before.filter(|_| same).map_or(at, |b| b.since);
            record.put(whole(Real::Site { build, commit, folder, single_page: *single_page }, since));
        }
        FormWork::Job { schedule } if last => {
            let (build, commit) = (one.build.clone(), one.commit.clone());
            record.put(whole(Real::Job { build, commit, schedule: schedule.clone() }, at));
        }
        FormWork::Site { .. } | FormWork::Job { .. } => {}
    }
}
