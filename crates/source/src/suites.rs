//! What a workflow at GitHub has to know of a project's code: how each service is tested, and on what.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use ambit_domain::ci::{MobileSource, Sources, Suite, Tools, Version};
use ambit_spec::{App, Environment, Form};
use serde_json::Value;

use crate::{
    detect::{Recipe, detect},
    error::Error,
};

/// Changelogs whose entries are found by their headings.
const CHANGELOGS: &[&str] = &["CHANGELOG.md", "docs/CHANGELOG.md"];

/// Looks at the code beside an `ambit.toml`. `within` is its folder, from the top of its repository.
pub fn suites(folder: &Path, within: PathBuf, environment: &Environment) -> Result<Sources, Error> {
    let mut sources = Sources { folder: within, ..Sources::default() };
    let mut known = BTreeSet::new();
    for service in environment.services.values() {
        let Form::App(app) = &service.form else { continue };
        let recipe = recipe(&folder.join(&app.source), app)?;
        let Some(test) = recipe.test.clone() else { continue };
        let install = installs(&recipe);
        // Services of one tree are built once, and tested once.
        if !known.insert((app.source.clone(), install.clone(), test.clone())) {
            continue;
        }
        let minutes = app.build_limits.time.as_secs().div_ceil(60);
        sources.suites.push(Suite {
            service: service.name.clone(),
            folder: app.source.clone(),
            tools: tools(&folder.join(&app.source), &recipe),
            install,
            test,
            variables: recipe.variables,
            // GitHub ends a job after six hours.
            minutes: u32::try_from(minutes).unwrap_or(360).clamp(1, 360),
        });
    }
    if let Some(mobile) = &environment.mobile
        && folder.join(&mobile.source).join("package.json").is_file()
        && let Some(recipe) = detect(&folder.join(&mobile.source))?
    {
        sources.mobile = Some(MobileSource {
            folder: mobile.source.clone(),
            tools: tools(&folder.join(&mobile.source), &recipe),
            install: installs(&recipe),
            test: recipe.test,
        });
    }
    sources.changelog = CHANGELOGS.iter().map(PathBuf::from).find(|file| folder.join(file).is_file());
    Ok(sources)
}

fn recipe(tree: &Path, app: &App) -> Result<Recipe, Error> {
    let detected = match detect(tree) {
        Ok(found) => found.unwrap_or_else(Recipe::declared),
        // What is declared needs no detection; the tests may be.
        Err(_) if app.test.is_some() || (app.run.is_some() && app.build.is_some()) => Recipe::declared(),
        Err(error) => return Err(error),
    };
    Ok(detected.overridden_by(app))
}

fn installs(recipe: &Recipe) -> Vec<String> {
    // The package manager is one of the tools.
    recipe.build.iter().take(recipe.installs).skip(usize::from(recipe.manager.is_some())).cloned().collect()
}

fn tools(tree: &Path, recipe: &Recipe) -> Tools {
    let needs = |program: &str| recipe.needs.iter().any(|n| n == program);
    let file = |found: Option<&str>| found.map_or(Version::Usual, |name| Version::File(name.to_owned()));
    let there = |names: &[&'static str]| names.iter().copied().find(|name| tree.join(name).is_file());
    let read = |name: &str| fs::read_to_string(tree.join(name)).unwrap_or_default();
    let node = || {
        let manifest: Value =
            serde_json::from_str(read("package.json").trim_start_matches('\u{feff}')).unwrap_or_default();
        let said = manifest["engines"]["node"].is_string() || manifest["volta"]["node"].is_string();
        file(there(&[".nvmrc", ".node-version"]).or(said.then_some("package.json")))
    };
    let python = || {
        let manifest: toml::Table = read("pyproject.toml").parse().unwrap_or_default();
        let said = manifest.get("project").and_then(|p| p.get("requires-python")).is_some();
        file(there(&[".python-version"]).or(said.then_some("pyproject.toml")))
    };
    Tools { node: needs("node").then(node), python: needs("python3").then(python), manager: recipe.manager.clone() }
}
