//! The mobile app as people work with it: what Expo builds it by, builds that are handed to testers, and QA's word on them.

#![allow(clippy::unwrap_used, clippy::print_stderr)] // A test may panic, and says so where it is skipped.

#[path = "support/load.rs"]
mod load;
#[path = "support/shop.rs"]
mod shop;
mod support;

use std::{
    io::{Read, Write},
    net::TcpStream,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use ambit_simulators::apk::{self, Apk, Key};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use shop::{Shop, code, text};
use support::{Machine, until};

/// Kaia's own declaration, with a folder for the app as `create-expo-app` makes one.
fn kaia(machine: &mut Machine) -> PathBuf {
    let project = machine.project("kaia", &[]);
    let declared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../apps/kaia/ambit.toml");
    std::fs::copy(declared, project.join("ambit.toml")).unwrap();
    let assets = project.join("mobile/assets");
    std::fs::create_dir_all(&assets).unwrap();
    for icon in ["icon.png", "icon-dev.png", "icon-test.png"] {
        std::fs::write(assets.join(icon), b"png").unwrap();
    }
    project
}

fn file(project: &Path, name: &str) -> String {
    std::fs::read_to_string(project.join("mobile").join(name)).unwrap()
}

fn edit(project: &Path, name: &str, from: &str, to: &str) {
    let text = file(project, name);
    assert!(text.contains(from), "{from} is not in {name}");
    std::fs::write(project.join("mobile").join(name), text.replacen(from, to, 1)).unwrap();
}

fn have(program: &str) -> bool {
    let there = Command::new(program).arg("--version").output().is_ok();
    if !there {
        eprintln!("skipped: {program} is not here");
    }
    there
}

#[test]
fn what_is_synced_stays_and_what_was_edited_is_refused_with_what_would_be_lost() {
    let mut machine = Machine::new();
    let project = kaia(&mut machine);
    let told = machine.ambit(&project, &["mobile", "sync", "--check"]);
    assert_eq!(code(&told), Some(4), "{}", text(&told));
    assert!(text(&told).contains("mobile/eas.json: is not there"), "{}", text(&told));
    machine.ok(&project, &["mobile", "sync"]);
    let before = (file(&project, "eas.json"), file(&project, "app.config.js"));
    assert!(machine.ok(&project, &["mobile", "sync"]).matches("unchanged").count() == 2);
    assert_eq!(before, (file(&project, "eas.json"), file(&project, "app.config.js")));
    machine.ok(&project, &["mobile", "sync", "--check"]);

    // Another declaration: what was written and not touched is replaced.
    let toml = std::fs::read_to_string(project.join("ambit.toml")).unwrap();
    std::fs::write(project.join("ambit.toml"), toml.replace("Kaia (Test)", "Kaia (Prueba)")).unwrap();
    assert_eq!(code(&machine.ambit(&project, &["mobile", "sync", "--check"])), Some(4));
    machine.ok(&project, &["mobile", "sync"]);
    assert!(file(&project, "app.config.js").contains("Kaia (Prueba)"));

    edit(&project, "eas.json", "https://api-test.kaia.ai", "https://api.kaia.ai");
    let line = file(&project, "eas.json").lines().position(|l| l.contains("\"https://api.kaia.ai\"")).unwrap() + 1;
    for arguments in [&["mobile", "sync", "--check"][..], &["check"]] {
        let told = machine.ambit(&project, arguments);
        assert_eq!(code(&told), Some(4), "{}", text(&told));
        for word in [&format!("mobile/eas.json:{line}"), "https://api-test.kaia.ai", "ambit mobile sync"] {
            assert!(text(&told).contains(word), "{arguments:?}: {word} is missing in\n{}", text(&told));
        }
    }
    let refused = machine.ambit(&project, &["mobile", "sync"]);
    assert_eq!(code(&refused), Some(4));
    let shown = text(&refused);
    assert!(shown.contains("edited by hand") && shown.contains("-         \"EXPO_PUBLIC_API_URL\""), "{shown}");
    assert!(file(&project, "eas.json").contains("\"https://api.kaia.ai\",\n        \"EXPO_PUBLIC_ENV\": \"test\""));
    machine.ok(&project, &["mobile", "sync", "--force"]);
    machine.ok(&project, &["mobile", "sync", "--check"]);
    let json: Value = serde_json::from_str(&machine.ok(&project, &["mobile", "sync", "--check", "--json"])).unwrap();
    assert_eq!(json, json!([]));

    // A file that is something else is told and left alone.
    std::fs::remove_file(project.join("mobile/eas.json")).unwrap();
    std::fs::create_dir(project.join("mobile/eas.json")).unwrap();
    assert_eq!(code(&machine.ambit(&project, &["mobile", "sync"])), Some(4));
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn eas_json_is_what_the_official_schema_takes() {
    let Some(schema) = ambit_simulators::contract("expo/eas.strict.schema.json") else { return };
    let mut machine = Machine::new();
    let project = kaia(&mut machine);
    machine.ok(&project, &["mobile", "sync"]);
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    let written: Value = serde_json::from_str(&file(&project, "eas.json")).unwrap();
    let wrong: Vec<String> = validator.iter_errors(&written).map(|e| e.to_string()).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    let mut seed = written;
    seed["build"]["production"]["android"]["versionCode"] = json!("auto-increment");
    assert!(!validator.is_valid(&seed), "the schema refuses what the seed had");
}

/// What `app.config.js` comes to with some variables, or what it throws.
fn evaluate(project: &Path, variables: &[(&str, &str)]) -> Result<Value, String> {
    const PROGRAM: &str = "const f = require('./app.config.js');
        const config = { slug: 'mobile', version: '1.0.0', icon: './base.png', extra: { eas: { projectId: 'p' } }, android: { versionCode: 3 } };
        console.log(JSON.stringify(f({ config })))";
    let mut node = Command::new("node");
    node.args(["-e", PROGRAM]).current_dir(project.join("mobile"));
    node.env_remove("EXPO_PUBLIC_ENV").env_remove("EXPO_PUBLIC_API_URL").envs(variables.iter().copied());
    let output = node.output().unwrap();
    if output.status.success() {
        return Ok(serde_json::from_slice(&output.stdout).unwrap());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn app_config_js_tells_the_environments_apart_and_throws_at_another_ones_api() {
    if !have("node") {
        return;
    }
    let mut machine = Machine::new();
    let project = kaia(&mut machine);
    machine.ok(&project, &["mobile", "sync"]);
    let schema = ambit_simulators::contract("expo/app-config.sdk53.schema.json");
    let validator = schema.map(|s| jsonschema::validator_for(&serde_json::from_str(&s).unwrap()).unwrap());
    let eas: Value = serde_json::from_str(&file(&project, "eas.json")).unwrap();
    for (profile, name, icon, package, api) in [
        ("development", "Kaia (Dev)", "./assets/icon-dev.png", "com.adrianpuche.kaia", "https://api-dev.kaia.ai"),
        (
            "preview-test",
            "Kaia (Test)",
            "./assets/icon-test.png",
            "com.adrianpuche.kaia.test",
            "https://api-test.kaia.ai",
        ),
        ("preview", "Kaia", "./assets/icon.png", "com.adrianpuche.kaia", "https://api.kaia.ai"),
        ("production", "Kaia", "./assets/icon.png", "com.adrianpuche.kaia", "https://api.kaia.ai"),
    ] {
        let variables: Vec<(&str, &str)> = eas["build"][profile]["env"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_str().unwrap()))
            .collect();
        let config = evaluate(&project, &variables).unwrap();
        assert_eq!(config["name"], name, "{profile}");
        assert_eq!(config["icon"], icon, "{profile}");
        assert_eq!(config["android"], json!({ "versionCode": 3, "package": package }), "{profile}");
        assert_eq!(config["ios"]["bundleIdentifier"], package, "{profile}");
        assert_eq!(config["extra"]["apiUrl"], api, "{profile}");
        assert_eq!(config["extra"]["eas"]["projectId"], "p", "what the team keeps in app.json stays");
        assert_eq!(config["slug"], "mobile");
        if let Some(validator) = &validator {
            let wrong: Vec<String> = validator.iter_errors(&json!({ "expo": config })).map(|e| e.to_string()).collect();
            assert!(wrong.is_empty(), "{profile}: {wrong:?}");
        }
    }
    let wrong = evaluate(&project, &[("EXPO_PUBLIC_ENV", "test"), ("EXPO_PUBLIC_API_URL", "https://api.kaia.ai")]);
    assert!(wrong.unwrap_err().contains("the API of test is \"https://api-test.kaia.ai\""));
    let wrong = evaluate(&project, &[("EXPO_PUBLIC_ENV", "toString")]);
    assert!(wrong.unwrap_err().contains("one of development, test, production"));
    let own = evaluate(&project, &[("EXPO_PUBLIC_API_URL", "http://192.168.1.5:3001")]).unwrap();
    assert_eq!(own["extra"]["apiUrl"], "http://192.168.1.5:3001", "a developer's own machine");
}

/// A folder with Expo's own loaders; `None` where there is no npm.
fn expo() -> Option<PathBuf> {
    if !have("node") || !have("npm") {
        return None;
    }
    // One installation serves every test and run: two that install at once each make their own and one takes its place.
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("expo-24.8.0-11.0.8");
    if !cache.exists() {
        let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        std::fs::write(place.path().join("package.json"), "{\"private\":true}").unwrap();
        let install = Command::new("npm")
            .args(["install", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"])
            .args(["@expo/eas-json@24.8.0", "@expo/config@11.0.8"])
            .current_dir(place.path())
            .output()
            .unwrap();
        assert!(install.status.success(), "npm: {}", text(&install));
        let moved = std::fs::rename(place.path(), &cache);
        assert!(moved.is_ok() || cache.exists(), "{moved:?}");
    }
    Some(cache)
}

#[test]
fn expos_own_loader_lays_app_config_js_over_app_json() {
    let Some(expo) = expo() else { return };
    let mut machine = Machine::new();
    let project = kaia(&mut machine);
    machine.ok(&project, &["mobile", "sync"]);
    let write = |name: &str, text: &str| std::fs::write(project.join("mobile").join(name), text).unwrap();
    write("package.json", r#"{ "name": "mobile", "version": "1.0.0" }"#);
    write(
        "app.json",
        r#"{ "expo": { "slug": "mobile", "version": "1.4.0", "sdkVersion": "53.0.0", "android": { "versionCode": 3 } } }"#,
    );
    let load = |environment: &str, api: &str| -> Output {
        const PROGRAM: &str = "const { getConfig } = require('@expo/config');
            console.log(JSON.stringify(getConfig(process.argv[1], { skipSDKVersionRequirement: true }).exp))";
        let mut node = Command::new("node");
        node.args(["-e", PROGRAM]).arg(project.join("mobile")).current_dir(&expo);
        node.env("EXPO_PUBLIC_ENV", environment).env("EXPO_PUBLIC_API_URL", api).output().unwrap()
    };
    let loaded = load("test", "https://api-test.kaia.ai");
    assert!(loaded.status.success(), "{}", text(&loaded));
    let config: Value = serde_json::from_slice(&loaded.stdout).unwrap();
    assert_eq!((&config["name"], &config["version"]), (&json!("Kaia (Test)"), &json!("1.4.0")));
    assert_eq!(config["android"], json!({ "versionCode": 3, "package": "com.adrianpuche.kaia.test" }));
    assert_eq!(config["extra"], json!({ "apiUrl": "https://api-test.kaia.ai", "environment": "test" }));
    assert_eq!(config["icon"], "./assets/icon-test.png");
    let wrong = load("test", "https://api.kaia.ai");
    assert!(!wrong.status.success());
    assert!(text(&wrong).contains("the API of test is"), "{}", text(&wrong));
}

#[test]
fn expos_own_loader_takes_every_profile() {
    let Some(expo) = expo() else { return };
    let mut machine = Machine::new();
    let project = kaia(&mut machine);
    machine.ok(&project, &["mobile", "sync"]);
    let read = || -> Output {
        const PROGRAM: &str = "const { EasJsonAccessor, EasJsonUtils } = require('@expo/eas-json');
            (async () => {
              const accessor = EasJsonAccessor.fromProjectPath(process.argv[1]);
              const all = {};
              for (const name of await EasJsonUtils.getBuildProfileNamesAsync(accessor))
                all[name] = await EasJsonUtils.getBuildProfileAsync(accessor, 'android', name);
              await EasJsonUtils.getSubmitProfileAsync(accessor, 'android', 'production');
              console.log(JSON.stringify(all));
            })().catch(e => { console.error(e.message); process.exit(1) })";
        Command::new("node").args(["-e", PROGRAM]).arg(project.join("mobile")).current_dir(&expo).output().unwrap()
    };
    let output = read();
    assert!(output.status.success(), "{}", text(&output));
    let profiles: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(profiles.as_object().unwrap().len(), 4);
    assert_eq!(profiles["development"]["developmentClient"], true);
    assert_eq!(profiles["preview-test"]["distribution"], "internal");
    assert_eq!(profiles["preview-test"]["buildType"], "apk");
    assert_eq!(profiles["preview-test"]["env"]["EXPO_PUBLIC_API_URL"], "https://api-test.kaia.ai");
    assert_eq!(profiles["production"]["autoIncrement"], true);
    // The loader is one that refuses: the seed's own key.
    edit(&project, "eas.json", "\"buildType\": \"apk\"", "\"buildType\": \"apk\", \"applicationId\": \"x.y\"");
    assert!(!read().status.success());
}

/// A stand-in for Expo's command: writes down what it was called with.
fn eas(machine: &Machine, logged_in: bool) -> (String, PathBuf) {
    let folder = machine.folder.path().join(format!("bin-{logged_in}"));
    std::fs::create_dir_all(&folder).unwrap();
    let log = machine.folder.path().join("eas.log");
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = whoami ] && exit {}\nprintf '%s\\n' \"$PWD\" \"$EXPO_TOKEN\" \"$@\" > {}\n[ \"$FAIL\" = 1 ] && exit 1\nexit 0\n",
        u8::from(!logged_in),
        log.display()
    );
    std::fs::write(folder.join("eas"), script).unwrap();
    std::fs::set_permissions(folder.join("eas"), std::fs::Permissions::from_mode(0o755)).unwrap();
    (format!("{}:{}", folder.display(), std::env::var("PATH").unwrap()), log)
}

#[test]
fn a_build_is_asked_of_eas_where_it_is_logged_in_and_the_files_are_as_declared() {
    let mut machine = Machine::new();
    let project = kaia(&mut machine);
    let toml = std::fs::read_to_string(project.join("ambit.toml")).unwrap();
    let toml = toml.replace("source   = \"mobile\"", "source   = \"mobile\"\ntoken = \"EXPO_TOKEN\"");
    std::fs::write(project.join("ambit.toml"), toml.replace("SENTRY_DSN ", "EXPO_TOKEN = {}\nSENTRY_DSN ")).unwrap();
    let call = |path: &str, arguments: &[&str]| {
        let mut command = machine.command(&project, arguments);
        command.env("PATH", path).env_remove("EXPO_TOKEN").output().unwrap()
    };
    let build = ["mobile", "build", "--profile", "preview-test"];
    let told = call("/usr/bin:/bin", &build);
    assert_eq!(code(&told), Some(4), "the files are not there yet: {}", text(&told));
    machine.ok(&project, &["mobile", "sync"]);
    let told = call("/usr/bin:/bin", &build);
    assert_eq!(code(&told), Some(3), "{}", text(&told));
    assert!(text(&told).contains("npm install --global eas-cli"), "{}", text(&told));
    let (path, _) = eas(&machine, false);
    let told = call(&path, &build);
    assert_eq!(code(&told), Some(3), "{}", text(&told));
    assert!(text(&told).contains("not logged in"), "{}", text(&told));

    let (path, log) = eas(&machine, true);
    machine.ok(&project, &["secret", "key", "--add"]);
    let mut set = machine.command(&project, &["secret", "set", "EXPO_TOKEN", "-e", "test"]);
    let mut set = set.stdin(std::process::Stdio::piped()).spawn().unwrap();
    set.stdin.take().unwrap().write_all(b"the-token").unwrap();
    assert!(set.wait().unwrap().success());
    let built = call(&path, &build);
    assert!(built.status.success(), "{}", text(&built));
    assert!(!text(&built).contains("the-token"));
    let called: Vec<String> = std::fs::read_to_string(&log).unwrap().lines().map(str::to_owned).collect();
    assert!(called[0].ends_with("/kaia/mobile"), "{called:?}");
    assert_eq!(called[1], "the-token", "in the environment");
    assert_eq!(called[2..], ["build", "--platform", "android", "--profile", "preview-test", "--non-interactive"]);
    let later = call(&path, &["mobile", "build", "--profile", "preview-test", "--no-wait", "--json"]);
    assert!(later.status.success());
    assert!(std::fs::read_to_string(&log).unwrap().ends_with("--non-interactive\n--no-wait\n--json\n"));

    let near = call(&path, &["mobile", "build", "--profile", "preview-tset"]);
    assert_eq!(code(&near), Some(6));
    assert!(text(&near).contains("did you mean `preview-test`"), "{}", text(&near));
    std::fs::remove_file(&log).unwrap();
    edit(&project, "eas.json", "https://api-test.kaia.ai", "https://api.kaia.ai");
    assert_eq!(code(&call(&path, &build)), Some(4));
    assert!(!log.exists(), "nothing is built by a wrong file");
    machine.ok(&project, &["mobile", "sync", "--force"]);
    let failed = machine.command(&project, &build).env("PATH", &path).env("FAIL", "1").output().unwrap();
    assert_eq!(code(&failed), Some(5), "{}", text(&failed));
}

const MOBILE: &str = "domain = \"shop.example\"\n\
    [environments.test]\nbranch = \"main\"\n\
    [environments.prod]\nbranch = \"main\"\napprovers = [\"lead@example.org\"]\nauthor-may-approve = true\ngates = [\"qa\"]\nsoak = \"1s\"\n\
    [services.downloads]\nstatic = \"web\"\nurl = { test = \"test.@/downloads\", prod = \"downloads.@\" }\n\
    [mobile]\napi = \"app\"\nkeep = 3\npackage = { test = \"com.example.shop.test\", prod = \"com.example.shop\" }\nname = \"Shop\"\n\
    profiles = { preview-test = \"test\", production = \"prod\" }\n";

struct Phones {
    shop: Shop,
    key: Key,
}

impl Phones {
    fn new() -> Self {
        let shop = Shop::new(&["test", "prod"], MOBILE);
        shop.write("web/index.html", "downloads");
        shop.write("CHANGELOG.md", "# Changelog\n\n## 1.2.0\n\n- the agenda in dark\n- **faster**\n");
        shop.commit("one");
        Self { shop, key: Key::new() }
    }

    fn apk(&self, apk: &Apk) -> String {
        self.put("app.apk", &apk.signed(&self.key))
    }

    fn put(&self, name: &str, bytes: &[u8]) -> String {
        let file = self.shop.machine.folder.path().join(name);
        std::fs::write(&file, bytes).unwrap();
        file.display().to_string()
    }

    fn publish(&self, apk: &Apk) -> Value {
        self.shop.json(&["mobile", "publish", &self.apk(apk), "-e", "test"])
    }

    fn refused(&self, file: &str, arguments: &[&str], word: &str) {
        let told = self.shop.ambit(&[&["mobile", "publish", file], arguments].concat());
        assert!(matches!(code(&told), Some(1 | 6)), "{}", text(&told));
        assert!(text(&told).contains(word), "{word} is missing in\n{}", text(&told));
        assert!(text(&told).contains("next:"), "what to do next is missing in\n{}", text(&told));
    }

    fn get(&self, host: &str, path: &str) -> (String, Vec<u8>) {
        let port = self.shop.machine.port;
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
        (String::from_utf8_lossy(&answer[..end]).into_owned(), answer[end + 4..].to_vec())
    }

    fn index(&self) -> Value {
        let (head, body) = self.get("test.shop.localhost", "/downloads/builds/index.json");
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        serde_json::from_slice(&body).unwrap()
    }

    fn folders(&self) -> Vec<String> {
        let folder = self.shop.machine.folder.path().join("home/sites/shop/test/@builds");
        let entries = std::fs::read_dir(folder).into_iter().flatten();
        let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn told(&self, event: &str) -> Vec<Value> {
        let mut rows = Vec::new();
        let database = self.shop.database();
        let mut statement =
            database.prepare("SELECT body FROM announcement WHERE event = ?1 ORDER BY announced").unwrap();
        for body in statement.query_map([event], |r| r.get::<_, String>(0)).unwrap() {
            rows.push(serde_json::from_str(&body.unwrap()).unwrap());
        }
        rows
    }
}

/// A build that was made with some texts in its code.
fn with_api(code: &str) -> Apk {
    let code = format!("\u{1}{code}\u{2}").into_bytes();
    Apk { files: vec![("assets/index.android.bundle".into(), code), ("classes.dex".into(), vec![1])], ..test_build(6) }
}

fn test_build(version_code: u32) -> Apk {
    Apk::new("com.example.shop.test", version_code, "1.2.0")
}

#[test]
fn a_build_goes_from_a_file_to_testers_and_their_word_to_the_gate_of_production() {
    let phones = Phones::new();
    let shop = &phones.shop;
    shop.machine.ok(&shop.project, &["up", "test", "--listen", &format!("127.0.0.1:{}", shop.machine.port)]);
    let published = phones.publish(&test_build(7));
    assert_eq!(published["id"], "test-7");
    assert_eq!(published["new"], true);
    let head = shop.run("git", &["rev-parse", "HEAD"]);
    let head = String::from_utf8(head.stdout).unwrap().trim().to_owned();

    let index = phones.index();
    let build = &index["builds"][0];
    assert_eq!((index["project"].as_str(), index["environment"].as_str()), (Some("shop"), Some("test")));
    assert_eq!(build["commit"], *head);
    assert_eq!(build["changes"], json!(["one"]));
    assert_eq!(build["verdict"], Value::Null);
    assert_eq!(build["version_code"], 7);
    let bytes = std::fs::read(shop.machine.folder.path().join("app.apk")).unwrap();
    let digest: String = Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(build["sha256"], *digest);
    let at = format!("/downloads/builds/{}", build["file"].as_str().unwrap());
    let (head_of, served) = phones.get("test.shop.localhost", &at);
    assert!(head_of.contains("application/vnd.android.package-archive"), "{head_of}");
    assert!(served == bytes, "what is handed out is the file");
    assert_eq!(build["size"], bytes.len());
    let (head_of, qr) =
        phones.get("test.shop.localhost", &format!("/downloads/builds/{}", build["qr"].as_str().unwrap()));
    assert!(head_of.contains("image/svg+xml") && String::from_utf8_lossy(&qr).contains("<svg"), "{head_of}");
    assert!(published["url"].as_str().unwrap().ends_with(&at), "{published}");
    let told = phones.told("build-published");
    assert_eq!(told.len(), 1);
    let page = format!("http://test.shop.localhost:{}/downloads/#test-7", shop.machine.port);
    assert_eq!(told[0]["url"], *page);

    // Nothing is on the way to production yet; a no says why.
    let silent = shop.ambit(&["qa", "reject", "test-7"]);
    assert_eq!(code(&silent), Some(1), "{}", text(&silent));
    assert!(text(&silent).contains("needs a reason"), "{}", text(&silent));
    shop.ok(&["qa", "reject", "test-7", "--note", "login fails on Android 12"]);
    let verdict = &phones.index()["builds"][0]["verdict"];
    assert_eq!(verdict["state"], "rejected");
    assert_eq!(verdict["note"], "login fails on Android 12");
    let told = phones.told("qa-rejected");
    assert_eq!((told.len(), &told[0]["reason"]), (1, &json!("login fails on Android 12")));
    assert_eq!(told[0]["url"], *page);

    shop.machine.command(&shop.project, &["promote", "test", "prod", "--detach"]).status().unwrap();
    let number = shop.newest("prod");
    until("it waits", || shop.state(number) == "waiting");
    let gates = || text(&shop.ambit(&["gates", "prod"]));
    let shown = gates();
    assert!(shown.contains("build test-7 rejected by ana@example.org: \"login fails on Android 12\""), "{shown}");
    let approve = || {
        let mut command =
            shop.machine.command(&shop.project, &["approve", &number.to_string(), "--reason", "good", "--detach"]);
        command.env("AMBIT_USER", "lead@example.org").output().unwrap()
    };
    assert_eq!(code(&approve()), Some(1));

    // A newer build of the same release has a say of its own.
    phones.publish(&test_build(8));
    assert!(gates().contains("nobody of QA has spoken"), "{}", gates());
    shop.ok(&["qa", "approve", "test-8", "--note", "tried on three phones"]);
    assert!(gates().contains("build test-8 approved by ana@example.org"), "{}", gates());
    // A no to the release blocks though the build is good; a yes opens again.
    shop.ok(&["qa", "reject", "-e", "test", "the price is wrong"]);
    assert!(gates().contains("rejected by ana@example.org: \"the price is wrong\""), "{}", gates());
    let release = shop.show(number)["release"].as_str().unwrap().to_owned();
    shop.ok(&["qa", "approve", &release[..10], "--note", "it is right"]);
    let approved = approve();
    assert!(approved.status.success(), "{}", text(&approved));
    until("it serves", || shop.state(number) == "succeeded");

    // What users install: only by an approver, of what runs there, never debuggable.
    let users = |code: u32| Apk::new("com.example.shop", code, "1.2.0");
    let file = phones.apk(&users(1));
    phones.refused(&file, &["-e", "prod"], "ana@example.org may not publish builds in prod");
    let lead = |file: &str, arguments: &[&str]| {
        let mut command =
            shop.machine.command(&shop.project, &[&["mobile", "publish", file, "-e", "prod"], arguments].concat());
        command.env("AMBIT_USER", "lead@example.org").output().unwrap()
    };
    let debuggable = phones.apk(&Apk { debuggable: true, ..users(1) });
    assert!(text(&lead(&debuggable, &[])).contains("debuggable"));
    let file = phones.apk(&users(1));
    let other = shop.version("two");
    assert!(text(&lead(&file, &["--commit", &other])).contains("deploy that first"));
    let done = lead(&file, &["--from-changelog"]);
    assert!(done.status.success(), "{}", text(&done));
    assert!(text(&done).contains("the agenda in dark") && text(&done).contains("█"), "{}", text(&done));
    let stranger = phones.put("app.apk", &users(2).signed(&Key::new()));
    assert!(text(&lead(&stranger, &[])).contains("signed by another key than prod-1"));

    let listed = shop.ok(&["mobile", "builds", "-e", "test"]);
    assert!(listed.contains("test-8") && listed.contains("rejected by ana@example.org"), "{listed}");
    let log = shop.ok(&["log", "-e", "test"]);
    for what in ["mobile.published", "qa.rejected", "qa.approved"] {
        assert!(log.contains(what), "{what} is missing in\n{log}");
    }
    shop.ok(&["log", "--verify"]);
    shop.ok(&["destroy", "test", "--confirm", "test"]);
    assert!(phones.folders().is_empty());
    let left: i64 = shop
        .database()
        .query_row("SELECT count(*) FROM mobile_build WHERE environment = 'test'", [], |r| r.get(0))
        .unwrap();
    assert_eq!(left, 0);
}

#[test]
fn what_is_no_build_of_this_environment_is_refused_and_leaves_nothing_behind() {
    let phones = Phones::new();
    let shop = &phones.shop;
    let file = phones.apk(&test_build(5));
    phones.refused(&file, &["-e", "test"], "was not brought up yet");
    shop.machine.ok(&shop.project, &["up", "test", "--listen", &format!("127.0.0.1:{}", shop.machine.port)]);
    let first = phones.publish(&test_build(5));
    assert_eq!(first["new"], true);
    let again = phones.publish_file("app.apk");
    assert_eq!((&again["new"], &again["id"]), (&json!(false), &json!("test-5")));
    assert_eq!(phones.told("build-published").len(), 1);
    let before = (phones.folders(), phones.index());

    let whole = test_build(6).signed(&phones.key);
    let bomb = apk::archive(&test_build(6).manifest(), &[("assets/x".into(), vec![0; 64 << 20])]);
    let spoilt = {
        let mut bytes = whole.clone();
        let at = bytes.windows(11).position(|w| w == b"classes.dex").unwrap();
        bytes[at] ^= 1;
        bytes
    };
    let of = |apk: Apk| apk.signed(&phones.key);
    for (bytes, word) in [
        (b"not an apk".to_vec(), "not an APK"),
        (Vec::new(), "not an APK"),
        (whole[..whole.len() - 30].to_vec(), "not an APK"),
        (of(Apk { package: "com.example.shop".into(), ..test_build(6) }), "it was built for prod"),
        (of(Apk { package: "com.evil".into(), ..test_build(6) }), "that of test is com.example.shop.test"),
        (of(test_build(4)), "older than 5"),
        (of(Apk { version_name: "1.2.1".into(), ..test_build(5) }), "with other contents"),
        (test_build(6).unsigned(), "not signed"),
        (spoilt, "changed after it was signed"),
        (apk::sign(&bomb, &phones.key), "zip bomb"),
        (of(with_api("https://shop.example/")), "asks https://shop.example, the API of prod"),
        (of(Apk { version_name: "1\u{1b}[2J".into(), ..test_build(6) }), "not the name of a version"),
    ] {
        let file = phones.put("bad.apk", &bytes);
        phones.refused(&file, &["-e", "test"], word);
        assert_eq!(phones.folders(), before.0, "{word}: something was left behind");
    }
    phones.refused("/nowhere/app.apk", &["-e", "test"], "cannot read");
    phones.refused(&shop.project.display().to_string(), &["-e", "test"], "is not a file");
    let fifo = shop.machine.folder.path().join("pipe");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    phones.refused(&fifo.display().to_string(), &["-e", "test"], "is not a file");
    let good = phones.put("good.apk", &whole);
    phones.refused(&good, &["-e", "test", "--commit", "nowhere"], "no branch, tag or commit");
    assert_eq!((phones.folders(), phones.index()), before);
    phones.refused_qa(&["qa", "approve", "test-9", "--note", "x"], "no build and no release");

    // Another key: testers are warned, and the oldest are kept no longer.
    let other = phones.put("other.apk", &test_build(6).signed(&Key::new()));
    let told = shop.ok(&["mobile", "publish", &other, "-e", "test", "--changes", "- one\n- two"]);
    assert!(told.contains("another key than test-5"), "{told}");
    phones.publish(&Apk { version_code: 7, ..with_api("https://test.shop.example/ https://shop.example") });
    for code in 8..=10 {
        phones.publish(&test_build(code));
    }
    let ids = |index: &Value| -> Vec<String> {
        index["builds"].as_array().unwrap().iter().map(|b| b["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&phones.index()), ["test-10", "test-9", "test-8"]);
    assert_eq!(phones.folders(), ["index.json", "test-10", "test-8", "test-9"]);
}

impl Phones {
    fn publish_file(&self, name: &str) -> Value {
        let file = self.shop.machine.folder.path().join(name).display().to_string();
        self.shop.json(&["mobile", "publish", &file, "-e", "test"])
    }

    fn refused_qa(&self, arguments: &[&str], word: &str) {
        let told = self.shop.ambit(arguments);
        assert_eq!(code(&told), Some(6), "{}", text(&told));
        assert!(text(&told).contains(word), "{}", text(&told));
    }
}

#[test]
fn of_two_who_publish_at_once_one_is_first_and_a_full_disk_leaves_nothing_behind() {
    let mut phones = Phones::new();
    let disk = phones.shop.machine.mount_disk(64);
    let shop = &phones.shop;
    shop.machine.ok(&shop.project, &["up", "test", "--listen", &format!("127.0.0.1:{}", shop.machine.port)]);
    let same = phones.apk(&test_build(5));
    let rival = phones.put("rival.apk", &Apk { version_name: "1.3.0".into(), ..test_build(5) }.signed(&phones.key));
    let all: Vec<Output> = std::thread::scope(|scope| {
        let publish = |file| scope.spawn(move || shop.ambit(&["mobile", "publish", file, "-e", "test", "--json"]));
        let all = [&same, &same, &rival, &same].map(|file| publish(file.as_str()));
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let new = |output: &&Output| serde_json::from_slice::<Value>(&output.stdout).is_ok_and(|v| v["new"] == true);
    assert_eq!(all.iter().filter(new).count(), 1, "{:?}", all.iter().map(text).collect::<Vec<_>>());
    assert_eq!(phones.told("build-published").len(), 1);
    assert_eq!(phones.index()["builds"].as_array().unwrap().len(), 1);
    if !disk {
        eprintln!("skipped: only root can make a small disk");
        return;
    }
    let before = phones.folders();
    let large = Apk { files: vec![("assets/noise".into(), noise(3 << 20))], ..test_build(6) };
    let large = phones.put("large.apk", &large.signed(&phones.key));
    shop.machine.disk.as_ref().unwrap().fill();
    let full = shop.ambit(&["mobile", "publish", &large, "-e", "test"]);
    assert_eq!(code(&full), Some(3), "{}", text(&full));
    assert!(text(&full).contains("No space left"), "{}", text(&full));
    assert_eq!(phones.folders(), before);
    shop.machine.disk.as_ref().unwrap().free();
    shop.ok(&["mobile", "publish", &large, "-e", "test"]);
    assert_eq!(phones.index()["builds"][0]["id"], "test-6");
}

/// Bytes that cannot be packed, the same each time.
fn noise(count: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let step = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..count).map(step).collect()
}

#[test]
fn a_daemon_killed_while_it_publishes_leaves_a_build_or_none_and_the_same_command_completes_it() {
    let phones = Phones::new();
    let shop = &phones.shop;
    shop.machine.ok(&shop.project, &["up", "test", "--listen", &format!("127.0.0.1:{}", shop.machine.port)]);
    for (n, (point, there)) in
        [("before publish record", false), ("after publish record", true), ("after publish index", true)]
            .into_iter()
            .enumerate()
    {
        let build = test_build(20 + u32::try_from(n).unwrap());
        let file = phones.apk(&build);
        shop.machine.kill_daemon();
        let mut publish = shop.machine.command(&shop.project, &["mobile", "publish", &file, "-e", "test"]);
        let cut_off = publish.env("AMBIT_KILL_AT", point).output().unwrap();
        assert!(!cut_off.status.success(), "{point}: {}", text(&cut_off));
        until(&format!("the daemon is killed {point}"), || !shop.machine.daemon_lives());
        shop.machine.start_daemon(&shop.project);
        let id = format!("test-{}", build.version_code);
        let whole = || {
            let builds = phones.shop.json(&["mobile", "builds", "-e", "test"]);
            let known = builds.as_array().unwrap().iter().any(|b| b["id"] == *id);
            let folder = phones.folders().contains(&id);
            let path = shop.machine.folder.path().join("home/sites/shop/test/@builds/index.json");
            let listed = std::fs::read_to_string(path).is_ok_and(|text| text.contains(&id));
            (known, folder, listed)
        };
        until(&format!("{point}: {:?}", whole()), || whole() == (there, there, there));
        let completed = phones.publish_file("app.apk");
        assert_eq!(completed["new"], !there, "{point}");
        assert_eq!(phones.index()["builds"][0]["id"], *id, "{point}");
        assert_eq!(phones.told("build-published").len(), n + 1, "{point}: told once");
    }
}
