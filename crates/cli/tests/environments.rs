//! The program as a person uses it, with real servers and real git.

#![allow(clippy::unwrap_used)] // A test may panic.

mod support;

use std::path::PathBuf;

use support::{Machine, git, until};

#[test]
fn five_different_mistakes_are_told_in_one_go_with_their_places() {
    let mut machine = Machine::new();
    let project = machine.project("shop", &[]);
    let text = "project = \"shop\"\n[environments.dev]\nbrnch = \"develop\"\n[environments.prod]\nseed = true\n\
                [services.web]\nstatic = \"web\"\nurl = { production = \"@\" }\n[services.api]\ninstances = \"two\"\n\
                [variables]\nA = \"${missing.url}\"\n";
    std::fs::write(project.join("ambit.toml"), text).unwrap();
    let output = machine.ambit(&project, &["check"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{said}");
    for place in ["ambit.toml:3:1", "ambit.toml:5:8", "ambit.toml:8:9", "ambit.toml:10:13", "ambit.toml:12:6"] {
        assert!(said.contains(place), "{place} is missing in:\n{said}");
    }
}

#[test]
fn mistakes_in_endless_lines_and_between_control_characters_are_told_as_any_other() {
    let mut machine = Machine::new();
    let project = machine.project("odd", &[]);
    let text = format!("project = \"odd\"\n[environments.dev]\nx = 1 # \u{1b}[31mred\na = {}\n", "[".repeat(100_000));
    std::fs::write(project.join("ambit.toml"), text).unwrap();
    let output = machine.ambit(&project, &["check"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{}", said.get(..2000).unwrap_or(&said));
    assert!(said.contains("ambit.toml:3:1") && said.contains("ambit.toml:4:"));
    assert!(!said.contains('\u{1b}'));
}

#[test]
fn a_weak_or_shared_secret_is_refused_when_it_is_set() {
    let mut machine = Machine::new();
    let project = machine.project("vault", &[]);
    let toml = "project = \"vault\"\n[environments.dev]\n[environments.prod]\n[secrets]\nJWT_SECRET = {}\n";
    std::fs::write(project.join("ambit.toml"), toml).unwrap();
    machine.ok(&project, &["secret", "key", "--add"]);
    let warned = || {
        let checked = machine.ambit(&project, &["check"]);
        assert_eq!(checked.status.code(), Some(0), "a warning is no error");
        let said = String::from_utf8_lossy(&checked.stderr).into_owned();
        ["dev", "prod"].map(|environment| {
            let unset = said.contains(&format!("{environment} cannot come up: the secret JWT_SECRET is not set"));
            assert_eq!(unset, said.contains(&format!("ambit secret set JWT_SECRET -e {environment}")), "{said}");
            unset
        })
    };
    assert_eq!(warned(), [true, true]);
    let set = |environment: &str, value: &str| {
        std::fs::write(project.join("value"), value).unwrap();
        let mut command = machine.command(&project, &["secret", "set", "JWT_SECRET", "-e", environment]);
        command.stdin(std::fs::File::open(project.join("value")).unwrap()).output().unwrap().status.code()
    };
    assert_eq!(set("prod", "short"), Some(4));
    assert_eq!(set("prod", "changeme-changeme-changeme-changeme"), Some(4));
    assert_eq!(set("dev", "q9w8e7r6t5y4u3i2o1p0a9s8d7f6g5h4j3k2"), Some(0));
    assert_eq!(warned(), [false, true]);
    assert_eq!(set("prod", "q9w8e7r6t5y4u3i2o1p0a9s8d7f6g5h4j3k2"), Some(4), "shared with dev");
    assert!(!machine.ok(&project, &["secret", "list", "--json"]).contains("prod\": true"));
    assert_eq!(set("prod", "m1n2b3v4c5x6z7l8k9j0h1g2f3d4s5a6p7o8"), Some(0));
    assert_eq!(warned(), [false, false]);
}

#[test]
fn a_folder_of_files_is_served_and_nothing_is_left_when_it_is_down() {
    let mut machine = Machine::new();
    let project = machine.project("pages", &["dev"]);
    std::fs::write(project.join("index.html"), "<p>%AMBIT_ENVIRONMENT%</p>").unwrap();
    machine.ok(&project, &["init"]);
    machine.up(&project);
    let page = machine.get("dev.pages.localhost", "/");
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("<p>dev</p>"), "{page}");
    assert!(page.to_lowercase().contains("x-robots-tag: noindex"), "{page}");
    let stranger = machine.get("other.localhost", "/");
    assert!(stranger.starts_with("HTTP/1.1 404") && !stranger.contains("pages"), "{stranger}");
    assert!(machine.up(&project).contains("nothing was changed"));
    for mistaken in [["status", "tset"], ["logs", "dev"], ["up", "tset"]] {
        assert_eq!(machine.ambit(&project, &mistaken).status.code(), Some(6), "{mistaken:?}");
    }

    let daemon = machine.daemon().unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(daemon), nix::sys::signal::Signal::SIGKILL).unwrap();
    assert!(machine.get("dev.pages.localhost", "/").contains("<p>dev</p>"), "served without the daemon");
    machine.up(&project);
    assert_ne!(machine.daemon(), Some(daemon));

    machine.ok(&project, &["down"]);
    until("every process ends", || machine.processes() == 0);
    for _ in 0..5 {
        machine.up(&project);
        machine.ok(&project, &["down"]);
    }
}

#[test]
fn an_app_that_listens_and_ends_without_an_answer_is_not_ready() {
    let mut machine = Machine::new();
    let project = machine.project("mute", &["dev"]);
    let server = "import os, socket, time\n\
        s = socket.create_server(('127.0.0.1', int(os.environ['PORT'])))\n\
        time.sleep(0.5)\nraise SystemExit('cannot load the code')\n";
    std::fs::write(project.join("server.py"), server).unwrap();
    std::fs::write(
        project.join("ambit.toml"),
        "project = \"mute\"\n[environments.dev]\n[services.app]\nbuild = \"true\"\n\
         run = \"exec /usr/bin/python3 server.py\"\nurl = { dev = \"dev.@\" }\n",
    )
    .unwrap();
    let failed = machine.ambit(&project, &["up", "--listen", &format!("127.0.0.1:{}", machine.port)]);
    assert_eq!(failed.status.code(), Some(5));
    assert!(String::from_utf8_lossy(&failed.stderr).contains("cannot load the code"));
}

#[test]
fn a_command_ends_quietly_when_its_reader_does_and_says_so_when_the_disk_is_full() {
    let mut machine = Machine::new();
    let project = machine.project("pipe", &[]);
    let run = |stdout: std::process::Stdio| {
        let output = machine.command(&project, &["schema"]).stdout(stdout).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    assert_eq!(run(writer.into()), (Some(141), String::new()));
    let (code, said) = run(std::fs::File::create("/dev/full").unwrap().into());
    assert!(code == Some(1) && said.contains("No space left"), "{said}");
}

#[test]
fn environments_run_their_own_branches_with_data_of_their_own() {
    let mut machine = Machine::new();
    let project = machine.project("count", &["dev", "test"]);
    let server = "import os, http.server, subprocess\n\
        class H(http.server.BaseHTTPRequestHandler):\n\
        \x20   def do_GET(self):\n\
        \x20       self.send_response(200); self.end_headers()\n\
        \x20       self.wfile.write(('VERSION ' + os.environ['AMBIT_ENVIRONMENT'] + ' ' + os.environ['GREETING']).encode())\n\
        http.server.ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])), H).serve_forever()\n";
    let toml = |greeting: &str| {
        format!(
            "project = \"count\"\n[environments.dev]\nbranch = \"develop\"\n[environments.test]\nbranch = \"staging\"\n\
             [services.app]\nrun = \"exec /usr/bin/python3 server.py\"\nbuild = \"true\"\nhealth = \"/\"\n\
             url = {{ dev = \"dev.@\", test = \"test.@\" }}\n[services.postgres]\n[variables]\n\
             GREETING = {{ dev = \"{greeting}\", test = \"hi\" }}\n"
        )
    };
    std::fs::write(project.join("ambit.toml"), toml("hello")).unwrap();
    std::fs::write(project.join("server.py"), server.replace("VERSION", "one")).unwrap();
    git(&project, &["init", "-q"]);
    git(&project, &["add", "-A"]);
    git(&project, &["commit", "-q", "-m", "one"]);
    git(&project, &["branch", "staging"]);
    git(&project, &["checkout", "-q", "-b", "develop"]);
    std::fs::write(project.join("server.py"), server.replace("VERSION", "two")).unwrap();
    git(&project, &["commit", "-q", "-am", "two"]);
    machine.up(&project);
    let says = |host: &str, wanted: &str| {
        let answer = machine.get(host, "/");
        assert!(answer.contains(wanted), "{host} does not say {wanted}: {answer}");
    };
    says("dev.count.localhost", "two dev hello");
    says("test.count.localhost", "one test hi");

    let sql = |environment: &str, statement: &str| {
        machine.ambit(&project, &["psql", "-e", environment, "--", "-Atc", statement])
    };
    assert!(sql("dev", "CREATE TABLE t AS SELECT 7 AS n").status.success());
    assert_eq!(String::from_utf8_lossy(&sql("dev", "SELECT n FROM t").stdout), "7\n");
    assert!(!sql("test", "SELECT n FROM t").status.success(), "test sees dev's table");

    let pid = |environment: &str, service: &str| {
        let folder = machine.folder.path().join("home/keepers/count").join(environment);
        let mut records: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
        records.retain(|r| r.file_name().unwrap().to_string_lossy().starts_with(service));
        std::fs::read_to_string(records[0].join("state.json")).unwrap()
    };
    let before = (pid("test", "app"), pid("dev", "postgres"));
    std::fs::write(project.join("ambit.toml"), toml("good day")).unwrap();
    let planned = machine.ambit(&project, &["plan"]);
    let plan = String::from_utf8_lossy(&planned.stdout);
    assert!(plan.contains("replaced: variable GREETING"), "{plan}");
    assert_eq!(planned.status.code(), Some(2), "there is something to do");
    machine.up(&project);
    machine.ok(&project, &["plan"]);
    says("dev.count.localhost", "two dev good day");
    assert_eq!((pid("test", "app"), pid("dev", "postgres")), before, "only what the change touches is restarted");

    std::fs::write(
        project.join("ambit.toml"),
        toml("x").replace("exec /usr/bin/python3 server.py", "echo broken; exit 1"),
    )
    .unwrap();
    let failed = machine.ambit(&project, &["up", "dev"]);
    assert_eq!(failed.status.code(), Some(5), "{}", String::from_utf8_lossy(&failed.stderr));
    assert!(String::from_utf8_lossy(&failed.stderr).contains("broken"));
    says("dev.count.localhost", "two dev good day");
}

#[test]
fn the_log_tells_who_did_what_and_shows_when_it_was_tampered_with() {
    let mut machine = Machine::new();
    let project = machine.project("noted", &["dev"]);
    std::fs::write(project.join("index.html"), "<p>hello</p>").unwrap();
    git(&project, &["init", "-q"]);
    git(&project, &["config", "user.email", "ana@example.org"]);
    machine.ok(&project, &["init"]);
    let toml = std::fs::read_to_string(project.join("ambit.toml")).unwrap();
    std::fs::write(project.join("ambit.toml"), format!("{toml}\n[secrets]\nKEY = {{}}\n")).unwrap();
    machine.ok(&project, &["secret", "key", "--add"]);
    machine.ok(&project, &["secret", "set", "KEY", "-e", "dev", "--generate"]);
    let secret = machine.ok(&project, &["secret", "get", "KEY", "-e", "dev"]);
    machine.up(&project);
    machine.up(&project);
    machine.ok(&project, &["down"]);
    let entries: serde_json::Value = serde_json::from_str(&machine.ok(&project, &["log", "--json"])).unwrap();
    let told: Vec<_> = entries.as_array().unwrap().iter().map(|e| (e["what"].as_str(), e["who"].as_str())).collect();
    let ana = Some("ana@example.org");
    let expected =
        ["secret.set", "deployment.live", "environment.up", "environment.down"].map(|what| (Some(what), ana));
    assert_eq!(told, expected, "an `up` that changed nothing leaves nothing");
    let uid = nix::unistd::geteuid();
    assert_eq!(entries[1]["from"], format!("cli uid {uid}"));
    assert_eq!(entries[0]["about"], serde_json::json!({ "names": ["KEY"] }));
    assert!(!entries.to_string().contains(secret.trim()), "a value is in the log");
    let screen = machine.ok(&project, &["log", "-n", "1"]);
    assert!(screen.contains("environment.down") && !screen.contains("environment.up"), "{screen}");

    let verified = machine.ok(&project, &["log", "--verify"]);
    assert!(verified.contains("4 entries"), "{verified}");
    let broken_at = || {
        let output = machine.ambit(&project, &["log", "--verify", "--json"]);
        assert_eq!(output.status.code(), Some(1));
        let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        said["broken"]["sequence"].as_u64()
    };
    let database = rusqlite::Connection::open(machine.folder.path().join("home/state.db")).unwrap();
    database.execute_batch("DROP TRIGGER audit_is_never_changed; DROP TRIGGER audit_is_never_removed").unwrap();
    database.execute("UPDATE audit SET who = 'eve' WHERE sequence = 2", []).unwrap();
    assert_eq!(broken_at(), Some(2));
    database.execute("UPDATE audit SET who = 'ana@example.org' WHERE sequence = 2", []).unwrap();
    machine.ok(&project, &["log", "--verify"]);
    database.execute("DELETE FROM audit WHERE sequence = 4", []).unwrap();
    assert_eq!(broken_at(), Some(4), "the hash kept outside of the table shows that the end was cut off");
}

#[test]
fn notifications_can_be_tried_out_and_tell_of_a_deployment() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let slack = runtime.block_on(ambit_simulators::Slack::start(None, None));
    let mut machine = Machine::new();
    let project = machine.project("told", &["prod"]);
    std::fs::create_dir(project.join("web")).unwrap();
    std::fs::write(project.join("web/index.html"), "<p>hello</p>").unwrap();
    let toml = "project = \"told\"\n[environments.prod]\n[services.web]\nstatic = \"web\"\nurl = \"@\"\n[notifications]\nslack = \"SLACK\"\nwebhook = \"http://127.0.0.1:1/x\"\n\
                webhook-secret = \"SIGNING\"\n[secrets]\nSLACK = {}\nSIGNING = {}\n";
    std::fs::write(project.join("ambit.toml"), toml).unwrap();
    machine.ok(&project, &["secret", "key", "--add"]);
    std::fs::write(project.join("slack.env"), format!("SLACK={}\n", slack.webhook())).unwrap();
    machine.ok(&project, &["secret", "set", "--from", "slack.env", "-e", "prod"]);
    machine.ok(&project, &["secret", "set", "SIGNING", "-e", "prod", "--generate"]);
    let output = machine.ambit(&project, &["notifications", "test", "-e", "prod", "--json"]);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let tried: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&tried[0]["channel"], &tried[0]["error"]), (&"slack".into(), &serde_json::Value::Null));
    assert!(tried[1]["error"].as_str().unwrap().contains("Connection refused"), "{tried}");
    assert_eq!(slack.texts(), ["told/prod: notifications of Ambit arrive here"]);
    assert!(machine.ok(&project, &["notifications"]).contains("nothing was announced yet"));

    machine.up(&project);
    let texts = || slack.texts().iter().skip(1).cloned().collect::<Vec<_>>();
    until("Slack is told", || !texts().is_empty());
    assert!(texts()[0].starts_with("told prod: ") && texts()[0].contains(" is live"), "{:?}", texts());
    assert!(machine.up(&project).contains("nothing was changed"));
    let listed = || machine.ok(&project, &["notifications", "-e", "prod"]);
    until("the result is listed", || listed().contains("sent") && listed().contains("Connection refused"));
    assert_eq!(texts().len(), 1, "{:?}", texts());
}

#[test]
fn the_daemon_ends_when_the_last_environment_is_destroyed() {
    let mut machine = Machine::new();
    let pages = machine.project("pages", &["dev", "test"]);
    std::fs::write(pages.join("index.html"), "<p>pages</p>").unwrap();
    let toml = "project = \"pages\"\n[environments.dev]\n[environments.test]\n[services.web]\nstatic = \".\"\n\
                url = { dev = \"dev.@\", test = \"test.@\" }\n";
    std::fs::write(pages.join("ambit.toml"), toml).unwrap();
    machine.up(&pages);
    machine.ok(&pages, &["destroy", "dev", "--confirm", "dev"]);
    assert!(machine.daemon_lives() && machine.get("test.pages.localhost", "/").contains("pages"), "test still runs");
    machine.ok(&pages, &["down"]);
    until("everything ends", || machine.processes() == 0);
    let said = machine.ok(&pages, &["destroy", "test", "--confirm", "test"]);
    assert!(said.contains("Nothing of ambit runs any more"), "{said}");
    until("everything ends", || machine.processes() == 0 && !machine.daemon_lives());
}

#[test]
fn an_umask_that_hides_everything_keeps_no_environment_from_its_own_folders() {
    let mut machine = Machine::new();
    let project = machine.project("hidden", &["dev"]);
    std::fs::create_dir(project.join("web")).unwrap();
    std::fs::write(project.join("web/index.html"), "<p>seen</p>").unwrap();
    let toml = "project = \"hidden\"\n[environments.dev]\nbackup = { every = \"24h\" }\n[services.postgres]\n[services.web]\nstatic = \"web\"\nurl = \"@\"\n";
    std::fs::write(project.join("ambit.toml"), toml).unwrap();
    let ambit = env!("CARGO_BIN_EXE_ambit");
    let up = machine.command(&project, &["up", "--listen", &format!("127.0.0.1:{}", machine.port)]);
    let mut hidden = std::process::Command::new("/bin/sh");
    hidden.args(["-c", "umask 077; exec \"$0\" \"$@\"", ambit]).args(up.get_args()).current_dir(&project);
    for (name, value) in up.get_envs() {
        match value {
            Some(value) => hidden.env(name, value),
            None => hidden.env_remove(name),
        };
    }
    let output = hidden.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(machine.get("hidden.localhost", "/").contains("seen"));
}
