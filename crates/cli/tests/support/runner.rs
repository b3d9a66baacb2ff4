//! GitHub's runner, as far as a step of a workflow needs it.

use std::{path::Path, process::Command};

use serde_json::Value;

/// A step of a workflow, by its name.
pub fn step(workflow: &str, job: &str, name: &str) -> Value {
    let workflow: Value = serde_saphyr::from_str(workflow).unwrap();
    let steps = workflow["jobs"][job]["steps"].as_array().unwrap();
    steps.iter().find(|s| s["name"] == name).unwrap_or_else(|| panic!("{job} has no step {name:?}")).clone()
}

/// Carries a step out: by bash, with what is declared for it in its environment, and with what GitHub would put in the place
/// of expressions. Its exit code, and what it said.
pub fn carry_out(step: &Value, folder: &Path, given: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut bash = Command::new("bash");
    bash.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"].as_str().unwrap()]).current_dir(folder);
    for (name, value) in step["env"].as_object().unwrap() {
        let value = value.as_str().unwrap();
        bash.env(name, if value.starts_with("${{") { "" } else { value });
    }
    let output = bash.envs(given.iter().copied()).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.code(), said)
}
