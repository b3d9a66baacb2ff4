//! A tree is built once, whoever asks first and whatever an earlier attempt left behind.

#![allow(clippy::unwrap_used)] // A test may panic.

use std::{fs, path::Path, process::Command};

use ambit_source::{
    build::{BuildRequest, Tree, prepare},
    builds::Build,
};
use ambit_spec::Service;

const PROCFILE: &str = "web: exec ./web\nworker: exec ./worker\nrelease: ./migrate\n";
const TOML: &str = "project = \"shop\"\n[environments.dev]\n[services.app]\nbuild = \"touch made\"\n\
    [services.worker]\nkind = \"worker\"\nbuild = \"touch made\"\nrun = \"exec ./worker\"\n";

fn service(name: &str) -> Service {
    let parsed = ambit_spec::parse(TOML);
    let project = parsed.project.unwrap_or_else(|| panic!("{:?}", parsed.diagnostics));
    let environment = project.environments.values().next().unwrap();
    environment.services.values().find(|s| s.name.as_str() == name).unwrap().clone()
}

async fn build(home: &Path, name: &str) -> Build {
    let code = home.join("code");
    fs::create_dir_all(&code).unwrap();
    fs::write(code.join("Procfile"), PROCFILE).unwrap();
    let request = BuildRequest {
        service: service(name),
        tree: Tree::WorkingTree(code),
        builds: home.join("builds"),
        cache: home.join("cache"),
        logs: home.join("logs"),
        user: None,
        path: vec!["/usr/bin".into(), "/bin".into()],
        variables: Vec::new(),
        output: Box::new(|_| {}),
        cancel: tokio_util::sync::CancellationToken::new(),
    };
    prepare(request).await.unwrap().finish(None).await.unwrap()
}

#[tokio::test]
async fn a_build_that_two_services_share_keeps_what_each_of_them_needs() {
    let home = tempfile::tempdir().unwrap();
    let worker = build(home.path(), "worker").await;
    let app = build(home.path(), "app").await;
    assert_eq!(worker.id, app.id);
    assert_eq!(app.recipe.run.as_deref(), Some("exec ./web"));
    assert_eq!(app.recipe.migrate.as_deref(), Some("./migrate"));
}

#[tokio::test]
async fn commands_of_an_attempt_that_was_killed_are_ended_before_the_next() {
    let home = tempfile::tempdir().unwrap();
    let first = build(home.path(), "app").await;
    fs::remove_file(first.folder().parent().unwrap().join("build.json")).unwrap();
    let mark = format!("{}/{}-1", home.path().join("builds").display(), first.id);
    let mut left = Command::new("/bin/sh").args(["-c", "sleep 60"]).env("AMBIT_BUILD", mark).spawn().unwrap();
    let second = build(home.path(), "app").await;
    assert_eq!(second.id, first.id);
    assert!(!left.wait().unwrap().success());
}
