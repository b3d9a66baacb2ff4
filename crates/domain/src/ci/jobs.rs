//! The jobs of a workflow, one file each sort.

mod deploy;
mod mobile;
mod release;
mod tell;
mod test;

use std::path::Path;

use ambit_spec::Form;

use super::{
    CiError, Pipeline, pins,
    source::{PackageManager, Tools, Version},
    yaml::{Yaml, map},
};

/// A job with its id.
pub(super) type Job = (String, Yaml);

/// In the order in which they run.
pub(super) fn jobs(pipeline: &Pipeline<'_>) -> Result<Vec<Job>, CiError> {
    let mut jobs = test::jobs(pipeline);
    let tested: Vec<String> = jobs.iter().map(|(id, _)| id.clone()).collect();
    jobs.push(deploy::job(pipeline, &tested)?);
    jobs.extend(mobile::job(pipeline, &tested));
    jobs.extend(release::job(pipeline));
    let all: Vec<String> = jobs.iter().map(|(id, _)| id.clone()).collect();
    jobs.push(tell::job(pipeline, &all));
    Ok(jobs)
}

/// A job of some steps on a machine of GitHub's.
fn job(name: String, minutes: u32, needs: &[String], condition: Option<String>, rest: Vec<(&str, Yaml)>) -> Yaml {
    let mut entries = vec![("name".to_owned(), Yaml::Text(name))];
    if !needs.is_empty() {
        entries.push(("needs".to_owned(), Yaml::List(needs.iter().map(Yaml::text).collect())));
    }
    if let Some(condition) = condition {
        entries.push(("if".to_owned(), Yaml::expression(&condition)));
    }
    entries.push(("runs-on".to_owned(), Yaml::text(pins::RUNNER)));
    entries.push(("timeout-minutes".to_owned(), Yaml::Number(minutes)));
    entries.extend(rest.into_iter().map(|(key, value)| (key.to_owned(), value)));
    Yaml::Map(entries)
}

/// Permission to read the code, and nothing else.
fn reads() -> (&'static str, Yaml) {
    ("permissions", map([("contents", Yaml::text("read"))]))
}

/// GitHub's environment: its reviewers are asked before the job, and its secrets are known to it alone.
fn environment(pipeline: &Pipeline<'_>) -> (&'static str, Yaml) {
    let environment = pipeline.environment;
    let name = ("name", Yaml::text(environment.name.as_str()));
    // What people look at: a site before an app.
    let site = environment.services.values().filter(|s| matches!(s.form, Form::Site(_)));
    let public = site.chain(environment.services.values()).find_map(|s| s.urls.first());
    let public = public.filter(|_| pipeline.project.domain.is_some());
    let value = match public {
        Some(url) => {
            let path = if url.path == "/" { "" } else { url.path.as_str() };
            map([name, ("url", Yaml::Text(format!("https://{}{path}", url.host)))])
        }
        None => map([name]),
    };
    ("environment", value)
}

/// The code, without a credential left in its folder.
fn checkout(whole: bool) -> Yaml {
    let keep = ("persist-credentials", Yaml::Bool(false));
    let with = if whole { map([("fetch-depth", Yaml::Number(0)), keep]) } else { map([keep]) };
    map([("uses", pins::CHECKOUT.uses()), ("with", with)])
}

/// Steps that put tools on the machine. `folder` is the code's, from the top of the repository.
fn tools(tools: &Tools, folder: &Path) -> Vec<Yaml> {
    let which = |tool: &str, version: &Version, usual: &str| match version {
        Version::Usual => (format!("{tool}-version"), Yaml::text(usual)),
        Version::File(file) => (format!("{tool}-version-file"), Yaml::Text(folder.join(file).display().to_string())),
    };
    let node = tools.node.as_ref().map(|version| {
        // A cache that other branches fill has no place before a deployment.
        let cache = ("package-manager-cache".to_owned(), Yaml::Bool(false));
        map([("uses", pins::SETUP_NODE.uses()), ("with", Yaml::Map(vec![which("node", version, pins::NODE), cache]))])
    });
    let python = tools.python.as_ref().map(|version| {
        map([("uses", pins::SETUP_PYTHON.uses()), ("with", Yaml::Map(vec![which("python", version, pins::PYTHON)]))])
    });
    let manager = tools.manager.as_ref().map(|PackageManager { program, package }| {
        let needed = vec![("PROGRAM", Yaml::text(program)), ("PACKAGE", Yaml::text(package))];
        within(folder, script(program, needed, include_str!("scripts/package-manager.sh")))
    });
    node.into_iter().chain(python).chain(manager).collect()
}

/// A step that is carried out in a folder of the repository.
fn within(folder: &Path, mut step: Yaml) -> Yaml {
    if let (Yaml::Map(entries), false) = (&mut step, folder.as_os_str().is_empty()) {
        entries.push(("working-directory".to_owned(), Yaml::Text(folder.display().to_string())));
    }
    step
}

/// A script of Ambit's own, with what it needs in its environment.
fn script(name: &str, environment: Vec<(&str, Yaml)>, script: &str) -> Yaml {
    let mut entries = vec![("name", Yaml::text(name))];
    if !environment.is_empty() {
        entries.push(("env", Yaml::Map(environment.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())));
    }
    // With `shell` said, GitHub lets a script fail by each of its commands and each part of a pipe.
    entries.push(("shell", Yaml::text("bash")));
    let script = if script.lines().count() > 1 { script } else { script.trim_end() };
    entries.push(("run", Yaml::text(script)));
    Yaml::Map(entries.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())
}

/// A program of npm, brought before any step that knows a secret; `npx` finds it again.
fn program(name: &str, package: &str, with_scripts: bool) -> Yaml {
    let mut entries = vec![("name".to_owned(), Yaml::text(name))];
    if !with_scripts {
        entries.push(("env".to_owned(), map([("npm_config_ignore_scripts", Yaml::text("true"))])));
    }
    entries.push(("run".to_owned(), Yaml::Text(format!("npx --yes {package} --version"))));
    Yaml::Map(entries)
}

/// Commands of the team's own, each as Ambit would run it: by `sh`, in the folder of the code.
fn commands(name: &str, tools: &Tools, commands: &[String]) -> Yaml {
    let own = if tools.manager.is_some() { "PATH=\"$PWD/.ambit/bin:$PATH\"\n" } else { "" };
    let text: String = commands.iter().map(|c| format!("{}\n", c.trim_end())).collect();
    map([("name", Yaml::text(name)), ("run", Yaml::Text(format!("{own}{text}")))])
}
