//! A tree is built once, whoever asks first and whatever an earlier attempt left behind.

#![allow(clippy::unwrap_used)] // A test may panic.

use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use ambit_source::{
    Error,
    build::{BuildRequest, Tree, prepare},
    builds::Build,
};
use ambit_spec::Service;

const PROCFILE: &str = "web: exec ./web\nworker: exec ./worker\nrelease: ./migrate\n";
const TOML: &str = "project = \"shop\"\n[environments.dev]\n[services.app]\nbuild = \"touch made\"\n\
    [services.worker]\nkind = \"worker\"\nbuild = \"touch made\"\nrun = \"exec ./worker\"\n";

fn service(toml: &str, name: &str) -> Service {
    let parsed = ambit_spec::parse(toml);
    let project = parsed.project.unwrap_or_else(|| panic!("{:?}", parsed.diagnostics));
    let environment = project.environments.values().next().unwrap();
    environment.services.values().find(|s| s.name.as_str() == name).unwrap().clone()
}

async fn build(home: &Path, name: &str) -> Build {
    try_build(home, service(TOML, name)).await.unwrap()
}

async fn try_build(home: &Path, service: Service) -> Result<Build, Error> {
    let code = home.join("code");
    fs::create_dir_all(&code).unwrap();
    fs::write(code.join("Procfile"), PROCFILE).unwrap();
    let request = BuildRequest {
        service,
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
    prepare(request).await?.finish(None).await
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

fn with_build(command: &str, limits: &str) -> Service {
    let toml = format!(
        "project = \"shop\"\n[environments.dev]\n[services.app]\nbuild = '''{command}'''\nrun = \"exec ./web\"\n{limits}\n"
    );
    service(&toml, "app")
}

/// Processes of the builds in a folder.
fn running(home: &Path) -> usize {
    let builds = format!("AMBIT_BUILD={}/", home.join("builds").display());
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|e| Some(e.ok()?.path()))
        .filter(|process| {
            let environ = fs::read(process.join("environ")).unwrap_or_default();
            String::from_utf8_lossy(&environ).contains(&builds)
        })
        .count()
}

#[tokio::test]
async fn a_build_over_its_memory_or_its_time_is_ended_with_everything_that_it_started() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let hog = "python3 -c 'x = bytearray(300 << 20); import time; time.sleep(60)'";
    let service = with_build(&format!("setsid {hog} & (sleep 60 & sleep 60)"), "build-memory = \"100MB\"");
    let begun = Instant::now();
    let error = try_build(home, service).await.unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    let Error::TooMuchMemory { used, limit, .. } = &error else { panic!("{error:?}") };
    assert!(*limit == 100 << 20 && (90 << 20..400 << 20).contains(used), "{used} of {limit}");
    assert!(error.to_string().contains("100 MB is its limit"), "{error}");
    assert!(error.hint().unwrap().contains("`build-memory = \"200MB\"` in [services.app]"), "{:?}", error.hint());
    assert_eq!(running(home), 0);

    let error = try_build(home, with_build("setsid sleep 60 & sleep 60", "build-time = \"1s\"")).await.unwrap_err();
    assert!(error.to_string().contains("took longer than 1 s"), "{error}");
    assert!(error.hint().unwrap().contains("build-time"), "{:?}", error.hint());
    assert_eq!(running(home), 0);

    let modest = with_build("python3 -c 'x = bytearray(50 << 20)'", "build-memory = \"100MB\"");
    assert!(try_build(home, modest).await.is_ok(), "a build within its bounds is none of this");
}
