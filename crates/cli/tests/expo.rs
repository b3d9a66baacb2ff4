//! Expo's variables as they are declared, and its builds on their way to testers and to the store, at a server that checks every document
//! against the published schema.

#![allow(clippy::unwrap_used)] // A test may panic.

#[path = "support/load.rs"]
mod load;
#[path = "support/shop.rs"]
mod shop;
mod support;

use std::{os::unix::fs::PermissionsExt, process::Output};

use ambit_simulators::{
    Expo, Fault,
    apk::{Apk, Key},
    contract,
};
use serde_json::{Value, json};
use shop::{Shop, code, text};

struct Team {
    shop: Shop,
    expo: Expo,
    _runtime: tokio::runtime::Runtime,
}

const PROJECT: &str = "@shop/mobile";

const WANTED: [&str; 4] = [
    "preview EXPO_PUBLIC_API_URL=https://test.shop.example",
    "preview EXPO_PUBLIC_ENV=test",
    "production EXPO_PUBLIC_API_URL=https://shop.example",
    "production EXPO_PUBLIC_ENV=production",
];

impl Team {
    fn new() -> Option<Self> {
        let sdl = contract("expo/schema.graphql")?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let expo = runtime.block_on(Expo::start(PROJECT, &sdl)).unwrap();
        let toml = format!(
            "domain = \"shop.example\"\n[environments.test]\nbranch = \"main\"\n\
             [environments.prod]\nbranch = \"main\"\napprovers = [\"lead@example.org\"]\n\
             [services.downloads]\nstatic = \"web\"\nurl = {{ test = \"test.@/downloads\", prod = \"downloads.@\" }}\n\
             [mobile]\napi = \"app\"\npackage = {{ test = \"com.example.shop.test\", prod = \"com.example.shop\" }}\nname = \"Shop\"\n\
             profiles = {{ preview-test = \"test\", preview = \"prod\", production = \"prod\" }}\n\
             [providers.expo]\nproject = \"{PROJECT}\"\nendpoint = \"{}\"\n",
            expo.base()
        );
        let shop = Shop::new(&["test", "prod"], &toml);
        shop.write("web/index.html", "downloads");
        shop.commit("one");
        Some(Self { shop, expo, _runtime: runtime })
    }

    fn runs(&self, arguments: &[&str]) -> Output {
        let mut command = self.shop.machine.command(&self.shop.project, arguments);
        command.env("EXPO_TOKEN", self.expo.token()).output().unwrap()
    }

    fn ok(&self, arguments: &[&str]) -> String {
        let output = self.runs(arguments);
        assert!(output.status.success(), "ambit {arguments:?}\n{}", text(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    fn apply(&self) -> String {
        self.ok(&["apply", "--only", "expo", "--yes"])
    }

    fn plan(&self) -> (i32, Value) {
        let output = self.runs(&["plan", "--only", "expo", "--json"]);
        let plan = serde_json::from_slice::<Value>(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output)));
        (output.status.code().unwrap(), plan["parts"][0].clone())
    }

    fn up(&self) {
        let listen = format!("127.0.0.1:{}", self.shop.machine.port);
        self.ok(&["up", "test", "--listen", &listen]);
    }

    /// A build of the test environment that takes some looks until it is there.
    fn build(&self, states: &[&str], version_code: u32) -> String {
        let commit = self.shop.run("git", &["rev-parse", "HEAD"]);
        let commit = String::from_utf8(commit.stdout).unwrap().trim().to_owned();
        let id = self.expo.add_build("preview-test", states, &json!({ "gitCommitHash": commit }));
        let apk = Apk::new("com.example.shop.test", version_code, "1.2.0").signed(&Key::new());
        self.expo.add_file(&id, apk, None);
        id
    }
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn from_nothing_to_the_declared_variables_and_then_nothing_is_left_to_do() {
    let Some(team) = Team::new() else { return };
    team.expo.add("SENTRY_DSN", "x", &["preview"], "SENSITIVE", "PROJECT");
    let (code, plan) = team.plan();
    assert_eq!(
        (code, plan["changes"].as_array().unwrap().len(), plan["title"].as_str()),
        (2, 4, Some(PROJECT)),
        "{plan}"
    );
    assert!(team.apply().contains("expo: 4 changed"));
    let lines = team.expo.lines();
    assert_eq!(
        lines.iter().filter(|line| line.contains("EXPO_PUBLIC")).collect::<Vec<_>>(),
        WANTED.iter().collect::<Vec<_>>()
    );
    assert!(lines.contains(&"preview SENTRY_DSN=x".to_owned()), "what is nobody's of ours stays");
    let (code, plan) = team.plan();
    assert_eq!((code, plan["kept"].as_u64()), (0, Some(4)), "{plan}");
    assert_eq!(team.expo.refused(), Vec::<String>::new());
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn what_was_changed_by_hand_is_shown_and_mended_after_a_yes_and_other_environments_stay_as_they_are() {
    let Some(team) = Team::new() else { return };
    team.expo.add("EXPO_PUBLIC_ENV", "hand", &["preview", "production", "mine"], "PUBLIC", "PROJECT");
    team.expo.add("EXPO_PUBLIC_API_URL", "https://hidden.example", &["preview"], "SECRET", "PROJECT");
    team.expo.add("EXPO_PUBLIC_API_URL", "https://all.example", &["production"], "PUBLIC", "SHARED");
    let output = team.runs(&["plan", "--only", "expo"]);
    let shown = text(&output);
    assert!(shown.contains("hand → test") && shown.contains("(secret) → https://test.shop.example"), "{shown}");
    assert!(shown.contains("the whole account has it") && !shown.contains("hidden"), "{shown}");
    team.apply();
    let mut wanted: Vec<&str> = vec!["mine EXPO_PUBLIC_ENV=hand", WANTED[0], WANTED[1], WANTED[3]];
    wanted.push("production EXPO_PUBLIC_API_URL=https://all.example");
    wanted.sort_unstable();
    assert_eq!(team.expo.lines(), wanted);
    assert_eq!(team.plan().0, 0);
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn whatever_fails_at_whichever_request_the_next_apply_does_the_rest_and_nothing_twice() {
    let Some(team) = Team::new() else { return };
    // A read of the plan, one of the daemon, and what splitting, reading again, creating twice more and changing take.
    for requests_before in 0..9 {
        for fault in [Fault::Status(502), Fault::TooMany("0".to_owned()), Fault::Close, Fault::CloseAfter] {
            let which = format!("{fault:?} after {requests_before}");
            team.expo.by_hand(Vec::clear);
            team.expo.add("EXPO_PUBLIC_ENV", "hand", &["preview", "production"], "PUBLIC", "PROJECT");
            team.expo.fail_after(requests_before, fault);
            team.runs(&["apply", "--only", "expo", "--yes"]);
            team.apply();
            assert_eq!(team.expo.lines(), WANTED, "{which}");
        }
    }
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn a_build_is_waited_for_fetched_and_handed_out_with_every_check_of_any_other_file() {
    let Some(team) = Team::new() else { return };
    team.up();
    let id = team.build(&["NEW", "IN_QUEUE", "IN_PROGRESS", "FINISHED"], 7);
    let listed: Value =
        serde_json::from_str(&team.ok(&["mobile", "builds", "--expo", "-e", "test", "--json"])).unwrap();
    assert_eq!((listed[0]["id"].as_str(), listed[0]["state"].as_str()), (Some(id.as_str()), Some("new")), "{listed}");
    assert!(!listed.to_string().contains("/artifacts/"), "whoever knows the address can get the file");
    let fetched = team.runs(&["mobile", "fetch", "--latest", "-e", "test", "--json"]);
    assert!(fetched.status.success(), "{}", text(&fetched));
    let published: Value = serde_json::from_slice(&fetched.stdout).unwrap();
    assert_eq!((published["id"].as_str(), published["new"].as_bool()), (Some("test-7"), Some(true)), "{published}");
    assert_eq!(published["changes"], json!(["one"]), "the commit is the one that Expo names");
    let said = String::from_utf8_lossy(&fetched.stderr).into_owned();
    assert!(said.contains("queued, number 1 in the queue") && said.contains("running"), "{said}");
    let again = team.ok(&["mobile", "fetch", &id, "-e", "test"]);
    assert!(again.contains("was published before"), "{again}");

    // An app of another package, whatever Expo says of it.
    let id = team.expo.add_build("preview-test", &["FINISHED"], &json!({}));
    team.expo.add_file(&id, Apk::new("com.example.other", 8, "1.2.0").signed(&Key::new()), None);
    let refused = team.runs(&["mobile", "fetch", &id, "-e", "test"]);
    assert!(text(&refused).contains("com.example.other"), "{}", text(&refused));
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn what_cannot_be_handed_out_is_told_with_why() {
    let Some(team) = Team::new() else { return };
    team.up();
    let told = |arguments: &[&str], exit: i32, words: &[&str]| {
        let output = team.runs(arguments);
        assert_eq!(code(&output), Some(exit), "{}", text(&output));
        for word in words {
            assert!(text(&output).contains(word), "{word} is missing in\n{}", text(&output));
        }
    };
    told(&["mobile", "fetch", "--latest", "-e", "test"], 6, &["no build for Android", "ambit mobile build"]);
    let error = json!({ "errorCode": "EAS_BUILD_UNKNOWN_GRADLE_ERROR", "message": "Gradle failed", "docsUrl": "https://docs.expo.dev/x" });
    let failed = team.expo.add_build("preview-test", &["IN_PROGRESS", "ERRORED"], &json!({ "error": error }));
    let words = ["Gradle failed (EAS_BUILD_UNKNOWN_GRADLE_ERROR)", "https://docs.expo.dev/x"];
    told(&["mobile", "fetch", &failed, "-e", "test"], 5, &words);
    let other = team.expo.add_build("production", &["FINISHED"], &json!({}));
    told(&["mobile", "fetch", &other, "-e", "test"], 1, &["not one for test", "preview-test"]);
    let phone = team.expo.add_build("preview-test", &["FINISHED"], &json!({ "platform": "IOS" }));
    told(&["mobile", "fetch", &phone, "-e", "test"], 1, &["not for Android"]);
    let gone = team.expo.add_build("preview-test", &["FINISHED"], &json!({ "expirationDate": "2026-04-01T00:00:00Z" }));
    told(&["mobile", "fetch", &gone, "-e", "test"], 6, &["has no file", "2026-04-01"]);
    let away = team.expo.add_build("preview-test", &["FINISHED"], &json!({}));
    team.expo.add_file(&away, vec![0; 10], Some("http://files.example/app.apk"));
    told(&["mobile", "fetch", &away, "-e", "test"], 3, &["no https:// URL"]);
    told(&["mobile", "fetch", "-e", "test"], 2, &["--latest"]);
    let without = team.shop.machine.command(&team.shop.project, &["mobile", "builds", "--expo"]);
    let mut without = without;
    let without = without.env_remove("EXPO_TOKEN").output().unwrap();
    assert!(text(&without).contains("ambit secret set EXPO_TOKEN"), "{}", text(&without));
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn a_build_of_production_goes_to_the_store_by_eas_after_an_approver_asked() {
    let Some(team) = Team::new() else { return };
    let folder = team.shop.machine.folder.path().join("bin");
    std::fs::create_dir_all(&folder).unwrap();
    let log = team.shop.machine.folder.path().join("eas.log");
    std::fs::create_dir_all(team.shop.project.join("mobile")).unwrap();
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = whoami ] && exit 0\nprintf '%s\\n' \"$EXPO_TOKEN\" \"$@\" > {}\n",
        log.display()
    );
    std::fs::write(folder.join("eas"), script).unwrap();
    std::fs::set_permissions(folder.join("eas"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let submit = |who: &str, build: &str, environment: &str| {
        let mut command =
            team.shop.machine.command(&team.shop.project, &["mobile", "submit", build, "-e", environment]);
        command.env("PATH", &path).env("EXPO_TOKEN", team.expo.token()).env("AMBIT_USER", who).output().unwrap()
    };
    let id = team.expo.add_build("production", &["FINISHED"], &json!({}));
    let preview = team.expo.add_build("preview", &["FINISHED"], &json!({}));
    let running = team.expo.add_build("production", &["IN_PROGRESS"], &json!({}));
    for (who, build, environment, word) in [
        ("ana@example.org", &id, "prod", "may not send"),
        ("lead@example.org", &id, "test", "not production"),
        ("lead@example.org", &preview, "prod", "not for the store"),
        ("lead@example.org", &running, "prod", "is running"),
    ] {
        let output = submit(who, build, environment);
        assert!(!output.status.success() && text(&output).contains(word), "{word}: {}", text(&output));
    }
    assert!(!log.exists());
    let output = submit("lead@example.org", &id, "prod");
    assert!(output.status.success(), "{}", text(&output));
    let called: Vec<String> = std::fs::read_to_string(&log).unwrap().lines().map(str::to_owned).collect();
    assert_eq!(called[0], team.expo.token(), "in the environment");
    let arguments = ["submit", "--platform", "android", "--id", &id, "--profile", "production", "--non-interactive"];
    assert_eq!(called[1..], arguments);
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn the_token_is_in_no_output_and_no_file() {
    let Some(team) = Team::new() else { return };
    team.up();
    team.apply();
    team.build(&["FINISHED"], 7);
    team.ok(&["mobile", "fetch", "--latest", "-e", "test"]);
    let mut command = team.shop.machine.command(&team.shop.project, &["plan", "--only", "expo"]);
    let output = command.env("EXPO_TOKEN", "hunter2-of-nobody").output().unwrap();
    assert!(text(&output).contains("Access tokens") && !text(&output).contains("hunter2"), "{}", text(&output));
    let home = team.shop.machine.folder.path().join("home");
    let found = std::process::Command::new("grep").args(["-rlaF", team.expo.token()]).arg(&home).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&found.stdout), "", "no file holds the token");
}
