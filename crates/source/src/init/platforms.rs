//! What the files of other platforms say: `railway.toml`, `railway.json`, `nixpacks.toml` and `docker-compose.yml`.

use std::{fs, path::Path};

use serde_json::Value;

use crate::detect::Recipe;

/// Commands and the health check that another platform was told.
#[derive(Default)]
pub(super) struct Told {
    pub(super) build: Option<String>,
    pub(super) run: Option<String>,
    pub(super) migrate: Option<String>,
    pub(super) health: Option<String>,
    /// The file that says so.
    pub(super) file: Option<&'static str>,
}

/// What Railway and Nixpacks were told about a folder.
pub(super) fn told(folder: &Path, recipe: &Recipe) -> Told {
    let read = |name: &str| fs::read_to_string(folder.join(name)).ok();
    let json = || Some(("railway.json", serde_json::from_str(&read("railway.json")?).ok()?));
    let toml = || Some(("railway.toml", toml::from_str::<Value>(&read("railway.toml")?).ok()?));
    let mut told = Told::default();
    // Both run their build command after they have installed what the code depends on.
    let installs = recipe.build.get(..recipe.installs).unwrap_or_default().to_vec();
    if let Some((file, value)) = json().or_else(toml) {
        told.file = Some(file);
        let commands = |key: &Value| commands(key).join(" && ");
        let some = |text: String| Some(text).filter(|t| !t.is_empty());
        told.build = some(commands(&value["build"]["buildCommand"])).map(|command| after(&installs, &[command]));
        told.run = some(commands(&value["deploy"]["startCommand"]));
        told.migrate = some(commands(&value["deploy"]["preDeployCommand"]));
        told.health = value["deploy"]["healthcheckPath"].as_str().map(str::to_owned);
    }
    if let Some(value) = read("nixpacks.toml").and_then(|t| toml::from_str::<Value>(&t).ok()) {
        told.file = told.file.or(Some("nixpacks.toml"));
        let phase = |name: &str| commands(&value["phases"][name]["cmds"]);
        let (install, build) = (phase("install"), phase("build"));
        if told.build.is_none() && !(install.is_empty() && build.is_empty()) {
            let installs = if install.is_empty() { installs } else { install };
            told.build = Some(after(&installs, &build));
        }
        told.run = told.run.or_else(|| value["start"]["cmd"].as_str().map(str::to_owned));
    }
    told
}

fn after(installs: &[String], build: &[String]) -> String {
    installs.iter().chain(build).map(String::as_str).collect::<Vec<_>>().join(" && ")
}

/// A command or a list of them; `...` stands for those that the platform finds by itself.
fn commands(value: &Value) -> Vec<String> {
    let list = value.as_array().map_or_else(|| vec![value], |list| list.iter().collect());
    list.into_iter()
        .filter_map(Value::as_str)
        .filter(|c| *c != "..." && !c.trim().is_empty())
        .map(str::to_owned)
        .collect()
}

/// The databases that a compose file starts: whether PostgreSQL, whether Redis.
pub(super) fn composed(tree: &Path) -> (bool, bool) {
    let files = ["docker-compose.yml", "docker-compose.yaml", "compose.yml", "compose.yaml"];
    let text = files.iter().find_map(|f| fs::read_to_string(tree.join(f)).ok()).unwrap_or_default();
    let images: Vec<String> = text
        .lines()
        .filter_map(|l| l.trim().strip_prefix("image:"))
        .map(|image| image.trim().trim_matches(['"', '\'']).to_lowercase())
        .map(|image| {
            image.rsplit('/').next().unwrap_or_default().split([':', '@']).next().unwrap_or_default().to_owned()
        })
        .collect();
    let any = |names: &[&str]| images.iter().any(|image| names.contains(&image.as_str()));
    (any(&["postgres", "postgresql", "postgis", "pgvector", "timescaledb"]), any(&["redis", "valkey", "redis-stack"]))
}
