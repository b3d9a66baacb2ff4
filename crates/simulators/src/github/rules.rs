//! Rulesets, and the rules that are in force for a branch.

use serde_json::{Value, json};

use super::{
    door::{Asked, empty, upgrade, with, wrong},
    state::Repository,
};
use crate::http::Reply;

pub(super) fn answer(state: &mut Repository, asked: &Asked<'_>, below: &str) -> Option<Reply> {
    if !state.has_protection() {
        return Some(upgrade());
    }
    let id = asked.value("ruleset_id").parse::<u64>().unwrap_or_default();
    let place = state.rulesets.iter().position(|r| r["id"] == id);
    Some(match (asked.method, below, place) {
        ("get", "/rules/branches/{branch}", _) => asked.list(in_force(state, &asked.value("branch")), None),
        ("get", "/rulesets", _) => {
            let targets = asked.queried("targets");
            let of = |r: &&Value| targets.as_deref().is_none_or(|t| t.split(',').any(|t| r["target"] == t));
            // A list tells of no ruleset what it says.
            let short = |r: &Value| match r.clone() {
                Value::Object(mut r) => {
                    ["rules", "conditions", "bypass_actors"].iter().for_each(|key| drop(r.remove(*key)));
                    Value::Object(r)
                }
                other => other,
            };
            asked.list(state.rulesets.iter().filter(of).map(short).collect(), None)
        }
        ("post", "/rulesets", _) => {
            if state.rulesets.iter().any(|r| r["name"] == asked.body["name"]) {
                return Some(wrong(422, "Validation Failed: Name must be unique"));
            }
            let (id, at) = (state.number(), state.moment());
            let made = json!({ "id": id, "source": state.name, "source_type": "Repository", "target": "branch",
                "bypass_actors": [], "created_at": at, "updated_at": at, "rules": [] });
            let made = with(made, asked.body.clone());
            state.rulesets.push(made.clone());
            Reply::json(201, &made)
        }
        ("get", "/rulesets/{ruleset_id}", Some(place)) => Reply::json(200, &state.rulesets[place]),
        ("put", "/rulesets/{ruleset_id}", Some(place)) => {
            state.rulesets[place] = with(state.rulesets[place].clone(), asked.body.clone());
            Reply::json(200, &state.rulesets[place])
        }
        ("delete", "/rulesets/{ruleset_id}", Some(place)) => {
            state.rulesets.remove(place);
            empty(204)
        }
        (_, "/rulesets/{ruleset_id}", None) => wrong(404, "Not Found"),
        _ => return None,
    })
}

fn in_force(state: &Repository, branch: &str) -> Vec<Value> {
    let whole = format!("refs/heads/{branch}");
    let active = state.rulesets.iter().filter(|r| r["target"] == "branch" && r["enforcement"] == "active");
    let of = active.filter(|r| {
        r["conditions"]["ref_name"]["include"].as_array().into_iter().flatten().any(|name| *name == whole.as_str())
    });
    let rules = of.flat_map(|r| {
        let source =
            json!({ "ruleset_source_type": "Repository", "ruleset_source": state.name, "ruleset_id": r["id"] });
        let rules = r["rules"].as_array().cloned().unwrap_or_default();
        rules.into_iter().map(move |rule| with(source.clone(), rule))
    });
    rules.collect()
}
