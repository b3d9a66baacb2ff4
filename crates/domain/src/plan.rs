//! The difference between what is declared and what is. `ambit plan` shows it and `ambit up` makes it so, from the same
//! value, so that the two can never disagree.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::spec::ServiceName;

/// Facts of one service of an environment, by name. Values are texts that can be compared; those of variables are
/// digests, so that a plan holds no secret.
///
/// Names: `tree`, `command.run`, `variable.LOG_LEVEL`, `instances`, `url`, `server.port`, …
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Component {
    /// The service.
    pub service: ServiceName,
    /// Its facts.
    pub facts: BTreeMap<String, String>,
}

/// What has to be done to one service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "action")]
pub enum Action {
    /// It is not there yet.
    Create,
    /// New instances replace the present ones, because of these facts.
    Replace {
        /// What changed, for people: `variable LOG_LEVEL`, `code`.
        because: Vec<String>,
    },
    /// The running instances stay; only their number or where they are reached changes.
    Adjust {
        /// What changed, for people.
        because: Vec<String>,
    },
    /// It is no longer declared.
    Remove,
    /// As it should be.
    Keep,
}

/// One line of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The service.
    pub service: ServiceName,
    /// What has to be done to it.
    #[serde(flatten)]
    pub action: Action,
}

/// Facts whose change touches no running process.
const ADJUSTABLE: [&str; 4] = ["instances", "url", "health", "expose"];

/// Compares the declared components with the recorded ones; declared order first, then what has to go.
#[must_use]
pub fn plan(declared: &[Component], recorded: &[Component]) -> Vec<Step> {
    let mut steps: Vec<Step> = declared
        .iter()
        .map(|component| Step {
            service: component.service.clone(),
            action: recorded
                .iter()
                .find(|r| r.service == component.service)
                .map_or(Action::Create, |r| compare(&component.facts, &r.facts)),
        })
        .collect();
    steps.extend(
        recorded
            .iter()
            .filter(|r| declared.iter().all(|d| d.service != r.service))
            .map(|r| Step { service: r.service.clone(), action: Action::Remove }),
    );
    steps
}

fn compare(declared: &BTreeMap<String, String>, recorded: &BTreeMap<String, String>) -> Action {
    let mut names: Vec<&String> =
        declared.keys().chain(recorded.keys()).filter(|name| declared.get(*name) != recorded.get(*name)).collect();
    names.sort();
    names.dedup();
    if names.is_empty() {
        return Action::Keep;
    }
    let because = names.iter().map(|name| describe(name)).collect();
    if names.iter().all(|name| ADJUSTABLE.contains(&name.as_str())) {
        Action::Adjust { because }
    } else {
        Action::Replace { because }
    }
}

fn describe(fact: &str) -> String {
    match fact.split_once('.') {
        Some((group, name)) => format!("{group} {name}"),
        None if fact == "tree" => "code".to_owned(),
        None => fact.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn component(service: &str, facts: &[(&str, &str)]) -> Component {
        Component {
            service: service.parse().unwrap(),
            facts: facts.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        }
    }

    #[test]
    fn what_is_as_declared_is_kept() {
        let backend = component("backend", &[("tree", "a"), ("instances", "1")]);
        assert_eq!(plan(std::slice::from_ref(&backend), std::slice::from_ref(&backend))[0].action, Action::Keep);
    }

    #[test]
    fn a_changed_variable_replaces_only_the_services_that_read_it() {
        let before = [component("backend", &[("variable.LOG_LEVEL", "1")]), component("worker", &[("tree", "a")])];
        let after = [component("backend", &[("variable.LOG_LEVEL", "2")]), component("worker", &[("tree", "a")])];
        let steps = plan(&after, &before);
        assert_eq!(steps[0].action, Action::Replace { because: vec!["variable LOG_LEVEL".into()] });
        assert_eq!(steps[1].action, Action::Keep);
    }

    #[test]
    fn another_number_of_instances_or_another_url_restarts_nothing() {
        let before = [component("backend", &[("instances", "1"), ("url", "a")])];
        let after = [component("backend", &[("instances", "2"), ("url", "b")])];
        assert_eq!(plan(&after, &before)[0].action, Action::Adjust { because: vec!["instances".into(), "url".into()] });
    }

    #[test]
    fn what_is_no_longer_declared_is_removed_last() {
        let steps = plan(&[component("web", &[])], &[component("old", &[]), component("web", &[])]);
        assert_eq!(steps.iter().map(|s| s.service.as_str()).collect::<Vec<_>>(), ["web", "old"]);
        assert_eq!(steps[1].action, Action::Remove);
    }

    fn components() -> impl Strategy<Value = Vec<Component>> {
        let facts = proptest::collection::btree_map("[a-d]", "[0-2]", 0..4);
        proptest::collection::btree_map("[a-e]", facts, 0..5).prop_map(|map| {
            map.into_iter().map(|(name, facts)| Component { service: name.parse().unwrap(), facts }).collect()
        })
    }

    proptest! {
        #[test]
        fn carrying_out_a_plan_leaves_nothing_to_do(declared in components(), recorded in components()) {
            let mut now = recorded.clone();
            for step in plan(&declared, &recorded) {
                now.retain(|c| c.service != step.service);
                if step.action != Action::Remove {
                    now.push(declared.iter().find(|c| c.service == step.service).unwrap().clone());
                }
            }
            prop_assert!(plan(&declared, &now).iter().all(|s| s.action == Action::Keep));
        }
    }
}
