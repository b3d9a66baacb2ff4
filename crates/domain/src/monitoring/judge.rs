//! From findings to alerts, without flapping: something has to fail several times in a row before it is an alert, and to be
//! well as often before that is over.

use std::collections::{HashMap, HashSet};

use super::check::Check;

/// Failures in a row that make an alert. With a look every ten seconds and an answer within five, a lasting fault is told
/// within 35 seconds.
pub const FAILURES: u32 = 3;
/// Times in a row that something has to be well before its alert is over.
pub const SUCCESSES: u32 = 3;

/// What a look at a check has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// It is as it should be.
    Well,
    /// It is not, which may be by chance: why.
    Failing(String),
    /// It is not, beyond doubt: a process has ended.
    Broken(String),
}

/// What becomes of a check's alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// There is something to tell.
    Opens {
        /// The check.
        check: Check,
        /// What was found.
        why: String,
    },
    /// It is over.
    Resolves {
        /// The check.
        check: Check,
    },
}

#[derive(Debug, Clone, Copy, Default)]
struct Streak {
    failures: u32,
    successes: u32,
    /// Whether the row of failures is beyond doubt.
    broken: bool,
}

/// Remembers how often in a row each check of an environment was found well or failing.
#[derive(Debug, Default)]
pub struct Judge {
    streaks: HashMap<Check, Streak>,
}

impl Judge {
    /// Takes the findings of one look; `open` are the checks that have an alert now.
    ///
    /// A check that another failing one explains opens no alert. Where it still fails once the other one is well, it does.
    pub fn look(&mut self, findings: &[(Check, Finding)], open: &HashSet<Check>) -> Vec<Change> {
        let seen: HashSet<&Check> = findings.iter().map(|(check, _)| check).collect();
        self.streaks.retain(|check, _| seen.contains(check));
        for (check, finding) in findings {
            let streak = self.streaks.entry(check.clone()).or_default();
            *streak = match finding {
                Finding::Well => Streak { failures: 0, successes: streak.successes.saturating_add(1), broken: false },
                Finding::Failing(_) => {
                    Streak { failures: streak.failures.saturating_add(1), successes: 0, broken: streak.broken }
                }
                Finding::Broken(_) => {
                    Streak { failures: streak.failures.saturating_add(1), successes: 0, broken: true }
                }
            };
        }
        let causes: Vec<&Check> = findings
            .iter()
            .filter(|(check, finding)| *finding != Finding::Well || open.contains(check))
            .map(|(check, _)| check)
            .collect();
        let explained = |check: &Check| causes.iter().any(|cause| check.is_explained_by(cause));
        findings
            .iter()
            .filter_map(|(check, finding)| {
                let streak = self.streaks.get(check).copied().unwrap_or_default();
                match finding {
                    Finding::Well => (open.contains(check) && streak.successes >= SUCCESSES)
                        .then(|| Change::Resolves { check: check.clone() }),
                    Finding::Failing(why) | Finding::Broken(why) => {
                        let lasting = streak.broken || streak.failures >= FAILURES;
                        (lasting && !open.contains(check) && !explained(check))
                            .then(|| Change::Opens { check: check.clone(), why: why.clone() })
                    }
                }
            })
            .collect()
    }

    /// Forgets what was found before: it says nothing about what comes, since somebody has changed the environment.
    pub fn begin_anew(&mut self) {
        self.streaks.clear();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::monitoring::What;

    fn http() -> Check {
        Check::at(What::Http, "backend", "https://api.kaia.ai")
    }

    fn finding(kind: u8) -> Finding {
        match kind {
            0 => Finding::Well,
            1 => Finding::Failing("503".into()),
            _ => Finding::Broken("it ended".into()),
        }
    }

    /// Lets findings come one after the other; tells what each led to.
    fn run(kinds: &[u8]) -> Vec<Vec<Change>> {
        let (mut judge, mut open) = (Judge::default(), HashSet::new());
        kinds
            .iter()
            .map(|kind| {
                let changes = judge.look(&[(http(), finding(*kind))], &open);
                for change in &changes {
                    match change {
                        Change::Opens { check, .. } => open.insert(check.clone()),
                        Change::Resolves { check } => open.remove(check),
                    };
                }
                changes
            })
            .collect()
    }

    fn opens(changes: &[Change]) -> bool {
        changes.iter().any(|c| matches!(c, Change::Opens { .. }))
    }

    #[test]
    fn a_lasting_fault_is_told_once_and_its_end_once() {
        let changes = run(&[0, 1, 1, 1, 1, 1, 0, 0, 0, 0]);
        let at = |f: fn(&Change) -> bool| changes.iter().position(|c| c.iter().any(f));
        assert_eq!(at(|c| matches!(c, Change::Opens { .. })), Some(3));
        assert_eq!(at(|c| matches!(c, Change::Resolves { .. })), Some(8));
        assert_eq!(changes.iter().flatten().count(), 2);
    }

    #[test]
    fn a_process_that_ended_needs_no_second_look() {
        assert!(opens(&run(&[0, 2])[1]));
    }

    #[test]
    fn what_explains_another_failure_is_told_alone_and_the_other_if_it_stays() {
        let database = Check::of(What::Postgres, "postgres");
        let (mut judge, mut open) = (Judge::default(), HashSet::new());
        let fails = || Finding::Failing("no answer".into());
        for look in 1..=FAILURES {
            let changes = judge.look(&[(http(), fails()), (database.clone(), fails())], &open);
            assert_eq!(opens(&changes), look == FAILURES);
            for change in changes {
                let Change::Opens { check, .. } = change else { panic!("{change:?}") };
                assert_eq!(check, database);
                open.insert(check);
            }
        }
        // As long as the database's alert is open, the app may still be finding it again.
        assert!(judge.look(&[(http(), fails()), (database.clone(), Finding::Well)], &open).is_empty());
        open.clear();
        assert!(opens(&judge.look(&[(http(), fails()), (database, Finding::Well)], &open)));
    }

    #[test]
    fn after_a_change_by_somebody_it_is_counted_from_nothing() {
        let (mut judge, open) = (Judge::default(), HashSet::new());
        for _ in 1..FAILURES {
            assert!(judge.look(&[(http(), finding(1))], &open).is_empty());
        }
        judge.begin_anew();
        assert!(judge.look(&[(http(), finding(1))], &open).is_empty());
    }

    proptest! {
        #[test]
        fn it_opens_and_resolves_in_turn_and_never_in_a_hurry(kinds in prop::collection::vec(0u8..2, 0..60)) {
            let changes = run(&kinds);
            let mut open = false;
            for (n, change) in changes.iter().enumerate() {
                prop_assert!(change.len() <= 1);
                match change.first() {
                    Some(Change::Opens { .. }) => {
                        prop_assert!(!open);
                        let row = usize::try_from(FAILURES).unwrap();
                        prop_assert!(n + 1 >= row && kinds[n + 1 - row..=n].iter().all(|k| *k == 1));
                        open = true;
                    }
                    Some(Change::Resolves { .. }) => {
                        prop_assert!(open);
                        let row = usize::try_from(SUCCESSES).unwrap();
                        prop_assert!(kinds[n + 1 - row..=n].iter().all(|k| *k == 0));
                        open = false;
                    }
                    None => {}
                }
            }
        }

        #[test]
        fn a_fault_that_lasts_is_always_told_and_so_is_its_end(before in prop::collection::vec(0u8..3, 0..20)) {
            let row = usize::try_from(FAILURES.max(SUCCESSES)).unwrap();
            let lasting = [before.clone(), vec![1; row], vec![0; row]].concat();
            let told = run(&lasting);
            let count = |f: fn(&Change) -> bool| told.iter().flatten().filter(|c| f(c)).count();
            let (opened, over) = (count(|c| matches!(c, Change::Opens { .. })), count(|c| matches!(c, Change::Resolves { .. })));
            prop_assert!(opened >= 1 && opened == over);
        }

        #[test]
        fn what_comes_and_goes_faster_than_it_is_counted_is_never_told(rounds in 0usize..30, failing in 1u32..FAILURES) {
            let one: Vec<u8> = std::iter::repeat_n(1, usize::try_from(failing).unwrap()).chain([0]).collect();
            prop_assert!(run(&one.repeat(rounds)).iter().flatten().count() == 0);
        }
    }
}
