//! Which instances start, serve and stop in which round, so that a service never has fewer instances serving than before
//! or than it needs.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{
    ids::BuildId,
    plan::Component,
    record::{Commit, Instance},
    spec::{ServiceName, Url},
};

/// What a deployment does to one service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceWork {
    /// The service.
    pub service: ServiceName,
    /// The facts that it is made from.
    pub made_from: Component,
    /// Its build.
    pub build: BuildId,
    /// The commit of its build.
    pub commit: Option<Commit>,
    /// Where it is reached.
    pub urls: Vec<Url>,
    /// Whether its code is other than what it ran.
    pub new_code: bool,
    /// What changed, for people.
    pub because: Vec<String>,
    /// What is done.
    pub form: FormWork,
}

/// What is done to a service by its form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FormWork {
    /// Instances come and go.
    App(Instances),
    /// Files are rendered and served.
    Site {
        /// The rendered folder, once it is there.
        folder: Option<PathBuf>,
        /// Whether unknown paths answer `index.html`.
        single_page: bool,
    },
    /// A job waits for its times.
    Job {
        /// When it runs: a cron expression.
        schedule: String,
    },
}

/// The instances of one app.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instances {
    /// Those that stay.
    pub keep: Vec<Instance>,
    /// Those that come, in order.
    pub new: Vec<Instance>,
    /// Those that go, in order.
    pub old: Vec<Instance>,
}

impl Instances {
    /// Plans the change. `present` serve now, `standing` of them are alive, `wanted` shall serve. Where the service is
    /// `replaced`, every present one goes. New numbers are free ones.
    #[must_use]
    pub fn plan(present: &[Instance], standing: &[Instance], wanted: usize, replaced: bool) -> Self {
        let keep: Vec<Instance> = if replaced { Vec::new() } else { standing.iter().copied().take(wanted).collect() };
        let old: Vec<Instance> = present.iter().copied().filter(|i| !keep.contains(i)).collect();
        let new = (1u32..)
            .filter(|n| present.iter().all(|i| i.number != *n))
            .take(wanted - keep.len())
            .map(|number| Instance { number, port: None })
            .collect();
        Self { keep, new, old }
    }

    /// How many rounds it takes: one where nothing serves yet, otherwise one for each new instance.
    #[must_use]
    pub fn rounds(&self) -> u32 {
        if self.old.is_empty() { 1 } else { u32::try_from(self.new.len()).unwrap_or(u32::MAX).max(1) }
    }

    /// The indices of `new` that start in a round.
    #[must_use]
    pub fn starting(&self, round: u32) -> std::ops::Range<usize> {
        let round = usize::try_from(round).unwrap_or(usize::MAX);
        match (self.rounds(), round) {
            (1, 0) => 0..self.new.len(),
            (rounds, round) if u32::try_from(round).is_ok_and(|r| r < rounds) => round..round + 1,
            _ => self.new.len()..self.new.len(),
        }
    }

    /// Those that go in a round: one, and in the last round all that are left.
    #[must_use]
    pub fn going(&self, round: u32) -> &[Instance] {
        let rounds = self.rounds();
        let start = usize::try_from(round).unwrap_or(usize::MAX).min(self.old.len());
        let end = match round + 1 {
            next if next < rounds => (start + 1).min(self.old.len()),
            next if next == rounds => self.old.len(),
            _ => start,
        };
        if round >= rounds { &[] } else { &self.old[start..end] }
    }

    /// Those that serve after the switch of a round.
    #[must_use]
    pub fn serving(&self, round: u32) -> Vec<Instance> {
        let started = self.starting(round.min(self.rounds() - 1)).end;
        let gone: usize = (0..=round).map(|r| self.going(r).len()).sum();
        let left = self.old.iter().skip(gone);
        self.keep.iter().chain(left).chain(self.new.iter().take(started)).copied().collect()
    }
}

impl ServiceWork {
    /// How many rounds the service takes.
    #[must_use]
    pub fn rounds(&self) -> u32 {
        match &self.form {
            FormWork::App(instances) => instances.rounds(),
            FormWork::Site { .. } | FormWork::Job { .. } => 1,
        }
    }
}

/// How many rounds a deployment takes.
#[must_use]
pub fn rounds(services: &[ServiceWork]) -> u32 {
    services.iter().map(ServiceWork::rounds).max().unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn nobody_waits_for_an_instance_and_everything_old_goes_once(
            present in proptest::collection::btree_set(1u32..9, 0..6),
            dead in proptest::collection::btree_set(1u32..9, 0..3),
            wanted in 1usize..6,
            replaced: bool,
        ) {
            let present: Vec<Instance> = present.into_iter().map(|number| Instance { number, port: Some(1) }).collect();
            let standing: Vec<Instance> = present.iter().copied().filter(|i| !dead.contains(&i.number)).collect();
            let plan = Instances::plan(&present, &standing, wanted, replaced);
            let mut went = Vec::new();
            let mut came = 0;
            for round in 0..plan.rounds() {
                let starting = plan.starting(round);
                prop_assert_eq!(starting.start, came);
                came = starting.end;
                went.extend(plan.going(round).iter().copied());
                let serving = plan.serving(round);
                prop_assert!(serving.len() >= wanted.min(present.len()), "round {} of {:?}", round, plan);
                let mut numbers: Vec<u32> = serving.iter().map(|i| i.number).collect();
                numbers.sort_unstable();
                numbers.dedup();
                prop_assert_eq!(numbers.len(), serving.len());
                prop_assert!(went.iter().all(|gone| !serving.contains(gone)));
            }
            prop_assert_eq!(came, plan.new.len());
            prop_assert_eq!(&went, &plan.old);
            let last = plan.serving(plan.rounds() - 1);
            prop_assert_eq!(last.len(), wanted);
            prop_assert!(!replaced || last.iter().all(|i| !present.contains(i)));
            prop_assert!(plan.going(plan.rounds()).is_empty() && plan.starting(plan.rounds()).is_empty());
            prop_assert_eq!(plan.serving(plan.rounds() + 3), last);
        }
    }
}
