//! What `doctor` found, and what of it is a cause. A check names the checks that it depends on; where one of those found trouble, its own
//! trouble follows from it and is not told as a cause.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// Something that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Names it among the others: `prod/postgres`.
    pub id: String,
    /// What should be so, for people.
    pub what: String,
    /// The checks whose trouble explains trouble here.
    pub needs: Vec<String>,
    /// What was found.
    pub found: Found,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "standing")]
pub enum Found {
    /// It is so.
    Passed,
    /// It is not.
    Wrong(Trouble),
    /// Nobody could look.
    Unseen {
        /// Why.
        why: String,
    },
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// In one sentence.
    pub wrong: String,
    /// How it was seen.
    pub seen: String,
    /// The commands that mend it, or what a person does, in their order.
    pub mend: Vec<String>,
}

impl Trouble {
    /// Trouble that one command mends.
    pub fn new(wrong: impl Into<String>, seen: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { wrong: wrong.into(), seen: seen.into(), mend: vec![mend.into()] }
    }

    /// One more thing to do.
    #[must_use]
    pub fn and(mut self, mend: impl Into<String>) -> Self {
        self.mend.push(mend.into());
        self
    }
}

impl Check {
    /// A check and what it found.
    pub fn new(id: impl Into<String>, what: impl Into<String>, found: Result<(), Trouble>) -> Self {
        let found = found.map_or_else(Found::Wrong, |()| Found::Passed);
        Self { id: id.into(), what: what.into(), needs: Vec::new(), found }
    }

    /// A check that nobody could make.
    pub fn unseen(id: impl Into<String>, what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { id: id.into(), what: what.into(), needs: Vec::new(), found: Found::Unseen { why: why.into() } }
    }

    /// Adds checks whose trouble explains trouble here.
    #[must_use]
    pub fn needs<T: Into<String>>(mut self, others: impl IntoIterator<Item = T>) -> Self {
        self.needs.extend(others.into_iter().map(Into::into));
        self
    }
}

/// All of it, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// How many checks passed.
    pub passed: usize,
    /// What is wrong by itself.
    pub causes: Vec<Check>,
    /// What is wrong because of it.
    pub follows: Vec<Check>,
    /// What could not be looked at, though nothing explains why.
    pub unseen: Vec<Check>,
}

impl Diagnosis {
    /// Sorts checks by what they found.
    #[must_use]
    pub fn of(checks: Vec<Check>) -> Self {
        let troubled = |check: &Check| !matches!(check.found, Found::Passed);
        let wrong: BTreeSet<String> =
            checks.iter().filter(|c| matches!(c.found, Found::Wrong(_))).map(|c| c.id.clone()).collect();
        // Through what could not be looked at, trouble explains what lies behind it.
        let mut explains = wrong;
        loop {
            let before = explains.len();
            let explained = |check: &&Check| troubled(check) && check.needs.iter().any(|need| explains.contains(need));
            let more: Vec<String> = checks.iter().filter(explained).map(|c| c.id.clone()).collect();
            explains.extend(more);
            if explains.len() == before {
                break;
            }
        }
        let mut diagnosis = Self::default();
        for check in checks {
            let follows = check.needs.iter().any(|need| explains.contains(need) && *need != check.id);
            match &check.found {
                Found::Passed => diagnosis.passed += 1,
                Found::Wrong(_) if follows => diagnosis.follows.push(check),
                Found::Wrong(_) => diagnosis.causes.push(check),
                Found::Unseen { .. } if follows => {}
                Found::Unseen { .. } => diagnosis.unseen.push(check),
            }
        }
        diagnosis
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.causes.is_empty() && self.follows.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(id: &str, needs: &[&str]) -> Check {
        Check::new(id, "", Err(Trouble::new("", "", ""))).needs(needs.iter().copied())
    }

    fn ids(checks: &[Check]) -> Vec<&str> {
        checks.iter().map(|check| check.id.as_str()).collect()
    }

    #[test]
    fn the_first_broken_link_is_the_cause_and_the_others_follow() {
        let diagnosis = Diagnosis::of(vec![
            wrong("route", &["app", "proxy"]),
            wrong("app", &["postgres", "redis"]),
            wrong("postgres", &[]),
            Check::new("redis", "", Ok(())),
            Check::new("proxy", "", Ok(())),
            wrong("certificate", &["proxy"]),
        ]);
        assert_eq!(ids(&diagnosis.causes), ["postgres", "certificate"]);
        assert_eq!(ids(&diagnosis.follows), ["route", "app"]);
        assert_eq!(diagnosis.passed, 2);
        assert!(!diagnosis.is_sound());
    }

    #[test]
    fn what_could_not_be_looked_at_is_told_only_where_nothing_explains_it() {
        let explained = Check::unseen("migrations", "", "no answer").needs(["postgres"]);
        let behind = wrong("app", &["migrations"]);
        let diagnosis = Diagnosis::of(vec![wrong("postgres", &[]), explained.clone(), behind]);
        assert_eq!(ids(&diagnosis.causes), ["postgres"]);
        assert_eq!(ids(&diagnosis.follows), ["app"]);
        assert!(diagnosis.unseen.is_empty());

        let diagnosis = Diagnosis::of(vec![Check::new("postgres", "", Ok(())), explained]);
        assert_eq!(ids(&diagnosis.unseen), ["migrations"]);
        assert!(diagnosis.is_sound());
    }

    #[test]
    fn checks_that_depend_on_each_other_do_not_hide_each_other_for_ever() {
        let diagnosis = Diagnosis::of(vec![wrong("a", &["a"]), wrong("b", &["nobody"])]);
        assert_eq!(ids(&diagnosis.causes), ["a", "b"]);
    }
}
