//! What is there beside what is wanted.

use std::collections::BTreeSet;

use super::{Alert, Contact, INTERVAL, Monitor, Present, Wanted, is_owned, read};
use crate::{
    outside::{self, Detail, Said},
    spec::ProjectName,
};

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A monitor that is not there.
    Create {
        /// As it should be.
        monitor: Monitor,
        /// Who is told.
        contacts: Vec<Contact>,
    },
    /// A monitor of the project that is otherwise.
    Change {
        /// As it is.
        present: Present,
        /// As it should be.
        monitor: Monitor,
        /// Who is to be told beside those who are.
        contacts: Vec<Contact>,
    },
    /// A monitor of the project that nothing declares any more, or that is there twice.
    Delete {
        /// As it is.
        present: Present,
    },
}

/// A monitor that is nobody's of the project and asks what one of the project would.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// As it is.
    pub present: Present,
    /// As it should be.
    pub monitor: Monitor,
}

/// What there is beside what is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// What would be done, in order.
    pub changes: Vec<Change>,
    /// What somebody else watches already.
    pub taken: Vec<Taken>,
    /// Ways to tell somebody that are declared and that the account does not have.
    pub untold: BTreeSet<Alert>,
    /// How many monitors are as they should be.
    pub kept: usize,
    /// How many are nobody's of the project.
    pub unmanaged: usize,
}

/// Compares the monitors of an account with those that are wanted.
#[must_use]
pub fn compare(project: &ProjectName, wanted: &Wanted, there: &[Present], contacts: &[Contact]) -> Comparison {
    let is_ours = |p: &&Present| p.http && p.tags.iter().any(|tag| is_owned(project, tag));
    let (mut ours, others): (Vec<&Present>, Vec<&Present>) = there.iter().partition(is_ours);
    // Of two that are alike the older one stays: it knows more.
    ours.sort_unstable_by_key(|p| p.id);
    let mut found = Comparison { unmanaged: others.len(), ..Comparison::default() };
    let mut matched: Vec<Option<&Present>> = vec![None; wanted.monitors.len()];
    let alike: [fn(&Monitor, &Present) -> bool; 3] =
        [|m, p| p.name == m.name && is_url(m, p), |m, p| p.name == m.name, |m, p| is_url(m, p)];
    for is_alike in alike {
        for (monitor, place) in wanted.monitors.iter().zip(&mut matched).filter(|(_, place)| place.is_none()) {
            let at = ours.iter().position(|p| p.tags.contains(&monitor.tag) && is_alike(monitor, p));
            *place = at.map(|at| ours.remove(at));
        }
    }
    let (mut changed, mut made) = (Vec::new(), Vec::new());
    for (monitor, present) in wanted.monitors.iter().zip(matched) {
        let of = |alert: &Alert| contacts.iter().filter(|c| c.kind == *alert).collect::<Vec<_>>();
        found.untold.extend(monitor.alerts.iter().filter(|alert| of(alert).is_empty()));
        let told = monitor.alerts.iter().flat_map(of).cloned();
        match present {
            Some(present) => {
                let missing: Vec<Contact> = told.filter(|c| !present.tells(c.id)).collect();
                if missing.is_empty() && is_as_wanted(monitor, present) {
                    found.kept += 1;
                } else {
                    let (present, monitor) = (present.clone(), monitor.clone());
                    changed.push(Change::Change { present, monitor, contacts: missing });
                }
            }
            None => match others.iter().find(|p| is_url(monitor, p)) {
                Some(other) => found.taken.push(Taken { present: (*other).clone(), monitor: monitor.clone() }),
                None => made.push(Change::Create { monitor: monitor.clone(), contacts: told.collect() }),
            },
        }
    }
    let gone = ours.into_iter().map(|present| Change::Delete { present: present.clone() });
    found.changes = gone.chain(changed).chain(made).collect();
    found
}

impl Present {
    fn tells(&self, contact: u64) -> bool {
        self.told.iter().any(|told| told.contact == contact)
    }
}

fn is_url(monitor: &Monitor, present: &Present) -> bool {
    present.url.trim_end_matches('/') == monitor.url
}

/// One that asks more often than a free account may is somebody's who pays for it.
fn is_as_wanted(monitor: &Monitor, present: &Present) -> bool {
    present.name == monitor.name && is_url(monitor, present) && present.interval <= INTERVAL && !present.paused
}

impl Change {
    /// As it is shown.
    #[must_use]
    pub fn shown(&self, contacts: &[Contact]) -> outside::Change {
        let names = |ids: &[u64]| {
            let named =
                |id: &u64| contacts.iter().find(|c| c.id == *id).map_or("somebody", |c| c.name.as_str()).to_owned();
            ids.iter().map(named).collect::<Vec<_>>().join(", ")
        };
        let text = |name: &str, new: String| Detail::new(name, None, Some(Said::text(new)));
        let every = |seconds: u32| format!("every {seconds} s");
        match self {
            Self::Create { monitor, contacts: told } => {
                let mut details = vec![text("", monitor.url.clone()), text("interval", every(INTERVAL))];
                if !told.is_empty() {
                    details.push(text("alerts", names(&told.iter().map(|c| c.id).collect::<Vec<_>>())));
                }
                outside::Change::create(&monitor.name, details).of(&monitor.environment)
            }
            Self::Change { present, monitor, contacts: missing } => {
                let url = Detail::of_texts("", Some(present.url.trim_end_matches('/')), Some(&monitor.url));
                let interval = present.interval.min(INTERVAL);
                let state = |paused: bool| if paused { "paused" } else { "running" };
                let there: Vec<u64> = present.told.iter().map(|t| t.contact).collect();
                let all: Vec<u64> = there.iter().copied().chain(missing.iter().map(|c| c.id)).collect();
                let details = [
                    url,
                    Detail::of_texts("name", Some(&present.name), Some(&monitor.name)),
                    Detail::of_texts("interval", Some(&every(present.interval)), Some(&every(interval))),
                    Detail::of_texts("state", Some(state(present.paused)), Some(state(false))),
                    Detail::of_texts("alerts", Some(&names(&there)), Some(&names(&all))),
                ];
                outside::Change::replace(&monitor.name, details.into_iter().flatten().collect())
                    .of(&monitor.environment)
            }
            Self::Delete { present } => {
                let url = Detail::new("", Some(Said::text(&*present.url)), None);
                let change = outside::Change::delete(&present.name, vec![url]);
                let environment = present.tags.iter().find_map(|tag| read(tag)?.1.parse().ok());
                outside::Change { environment, ..change }
            }
        }
    }
}

/// What makes somebody's monitor the project's, as it is shown.
#[must_use]
pub fn adopted(taken: &Taken) -> outside::Change {
    let tag = Detail::new("tag", None, Some(Said::text(&*taken.monitor.tag)));
    outside::Change::replace(&taken.present.name, vec![tag]).of(&taken.monitor.environment)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::monitors::{Told, tests::kaia, wanted};

    fn present(id: u64, monitor: &Monitor) -> Present {
        Present {
            id,
            name: monitor.name.clone(),
            url: monitor.url.clone(),
            http: true,
            interval: INTERVAL,
            paused: false,
            tags: vec![monitor.tag.clone()],
            told: told(&[1, 2]),
        }
    }

    fn told(contacts: &[u64]) -> Vec<Told> {
        contacts.iter().copied().map(Told::at_once).collect()
    }

    fn team() -> Vec<Contact> {
        let contact = |id, kind, name: &str| Contact { id, kind, name: name.into() };
        vec![contact(1, Alert::Email, "lead"), contact(2, Alert::Slack, "#alerts"), contact(3, Alert::Webhook, "hook")]
    }

    fn all_there() -> Vec<Present> {
        (10..).zip(&wanted(&kaia()).monitors).map(|(id, m)| present(id, m)).collect()
    }

    fn compared(there: &[Present]) -> Comparison {
        compare(&kaia().name, &wanted(&kaia()), there, &team())
    }

    fn shown(there: &[Present]) -> Vec<String> {
        let line = |c: &Change| {
            let outside::Change { key, action, details, .. } = c.shown(&team());
            let side = |said: &Option<Said>| said.as_ref().map_or_else(|| "–".to_owned(), Said::to_string);
            let details = details.iter().map(|d| format!("{} {} → {}", d.name, side(&d.old), side(&d.new)));
            format!("{action:?} {key}: {}", details.map(|d| d.trim().to_owned()).collect::<Vec<_>>().join("; "))
        };
        compared(there).changes.iter().map(line).collect()
    }

    #[test]
    fn what_is_not_there_is_made_and_then_nothing_is_left_to_do() {
        assert_eq!(
            shown(&[])[0],
            "Create kaia prod: backend: – → https://api.kaia.ai/ready; interval – → every 300 s; alerts – → #alerts, lead"
        );
        assert_eq!(compared(&[]).changes.len(), 3);
        let found = compared(&all_there());
        assert_eq!((found.changes, found.kept, found.unmanaged), (vec![], 3, 0));
    }

    #[test]
    fn what_was_changed_by_hand_is_shown_with_old_and_new_and_what_people_added_stays() {
        let mut there = all_there();
        there[0].url = "https://api.kaia.ai/other".into();
        there[0].told = told(&[1, 9]);
        (there[1].interval, there[1].paused) = (900, true);
        there[2].name = "Docs!".into();
        assert_eq!(
            shown(&there),
            [
                "Change kaia prod: backend: https://api.kaia.ai/other → https://api.kaia.ai/ready; \
                 alerts lead, somebody → lead, somebody, #alerts",
                "Change kaia prod: web: interval every 900 s → every 300 s; state paused → running",
                "Change kaia prod: docs: name Docs! → kaia prod: docs",
            ]
        );
        let mut there = all_there();
        (there[0].interval, there[1].url) = (60, "https://kaia.ai/".into());
        there[2].told.push(Told { contact: 3, after: 5, every: 30 });
        assert_eq!(compared(&there).kept, 3, "what somebody pays for, a slash, one who is told beside");
    }

    #[test]
    fn only_what_has_the_mark_is_deleted() {
        let mut there = all_there();
        let mut gone = present(20, &wanted(&kaia()).monitors[0]);
        (gone.name, gone.url) = ("kaia old: api".into(), "https://old.kaia.ai".into());
        gone.tags = vec!["ambit-kaia_old".into()];
        let foreign = Present { id: 21, tags: vec!["ambit-other_prod".into()], ..gone.clone() };
        let of_another_kind = Present { id: 22, http: false, ..gone.clone() };
        there.extend([gone, foreign, of_another_kind]);
        assert_eq!(shown(&there), ["Delete kaia old: api: https://old.kaia.ai → –"]);
        assert_eq!(compared(&there).unmanaged, 2);
    }

    #[test]
    fn one_that_was_made_twice_is_there_once_again() {
        let mut there = all_there();
        there.insert(0, Present { id: 99, ..there[0].clone() });
        assert_eq!(shown(&there), ["Delete kaia prod: backend: https://api.kaia.ai/ready → –"]);
        let Change::Delete { present } = &compared(&there).changes[0] else { panic!("not deleted") };
        assert_eq!(present.id, 99, "the older one stays");
    }

    #[test]
    fn what_somebody_watches_already_is_told_and_not_watched_twice() {
        let mut there = all_there();
        (there[0].tags, there[0].name) = (vec!["mine".into()], "API of ours".into());
        let found = compared(&there);
        assert_eq!((found.changes.len(), found.taken.len(), found.unmanaged), (0, 1, 1));
        assert_eq!(adopted(&found.taken[0]).key, "API of ours");
    }

    #[test]
    fn a_way_to_tell_somebody_that_the_account_does_not_have_is_told() {
        let only_mail = &team()[..1];
        let found = compare(&kaia().name, &wanted(&kaia()), &[], only_mail);
        assert_eq!(found.untold.into_iter().collect::<Vec<_>>(), [Alert::Slack]);
    }

    proptest! {
        #[test]
        fn carrying_it_out_leaves_nothing_to_do_and_touches_nobody_elses(
            there in proptest::collection::vec((0usize..5, 0usize..3, 0usize..3, any::<bool>(), 0usize..3), 0..9)
        ) {
            let monitors = wanted(&kaia()).monitors;
            let tags = ["ambit-kaia_prod", "ambit-kaia_gone", "mine"];
            let there: Vec<Present> = (50..).zip(there).map(|(id, (name, url, tag, http, contacts))| Present {
                id,
                name: monitors.get(name).map_or_else(|| format!("other {name}"), |m| m.name.clone()),
                url: monitors[url].url.clone(),
                http,
                interval: 300,
                paused: false,
                tags: vec![tags[tag].into()],
                told: told(&(0..contacts as u64).collect::<Vec<_>>()),
            }).collect();
            let mut after = there.clone();
            for (id, change) in (1000..).zip(compared(&there).changes) {
                match change {
                    Change::Create { monitor, .. } => after.push(present(id, &monitor)),
                    Change::Change { present: old, monitor, contacts } => {
                        let place = after.iter().position(|p| p.id == old.id).unwrap();
                        prop_assert!(old.http && old.tags[0].starts_with("ambit-kaia_"));
                        let more = contacts.iter().map(|c| Told::at_once(c.id));
                        let told = old.told.iter().copied().chain(more).collect();
                        after[place] = Present { told, tags: old.tags, ..present(old.id, &monitor) };
                    }
                    Change::Delete { present: old } => {
                        prop_assert!(old.http && old.tags[0].starts_with("ambit-kaia_"));
                        after.retain(|p| p.id != old.id);
                    }
                }
            }
            let found = compared(&after);
            prop_assert_eq!(found.changes, vec![]);
            prop_assert_eq!(found.kept + found.taken.len(), monitors.len());
        }
    }
}
