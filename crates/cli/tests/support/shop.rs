//! A project whose app says its version, and what a test asks about it.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::{collections::BTreeSet, path::PathBuf, process::Output};

use serde_json::Value;

use crate::{
    load,
    support::{Machine, git, until},
};

/// A project whose app says its version.
pub(crate) struct Shop {
    pub(crate) machine: Machine,
    pub(crate) project: PathBuf,
}

/// An app in Python: what it does before it listens, and with each request; the version is the body of its answers.
pub(crate) fn app(version: &str, begin: &str, answer: &str) -> String {
    format!(
        "import http.server, os, sys, time, threading\n\
         VERSION = '{version}'\n\
         {begin}\n\
         class Handler(http.server.BaseHTTPRequestHandler):\n\
         \x20   protocol_version = 'HTTP/1.1'\n\
         \x20   disable_nagle_algorithm = True\n\
         \x20   def do_GET(self):\n\
         \x20       status = 200\n\
         \x20       {answer}\n\
         \x20       self.send_response(status)\n\
         \x20       self.send_header('Content-Length', str(len(VERSION)))\n\
         \x20       self.end_headers()\n\
         \x20       self.wfile.write(VERSION.encode())\n\
         \x20   def log_message(self, *_): pass\n\
         class Server(http.server.ThreadingHTTPServer):\n\
         \x20   daemon_threads = True\n\
         \x20   request_queue_size = 128\n\
         Server(('127.0.0.1', int(os.environ['PORT'])), Handler).serve_forever()\n"
    )
}

pub(crate) fn services(environments: &[&str]) -> String {
    let url = |name: &&str| if *name == "prod" { "prod = \"@\"".to_owned() } else { format!("{name} = \"{name}.@\"") };
    let urls: Vec<String> = environments.iter().map(url).collect();
    format!(
        "[services.app]\nbuild = \"true\"\nrun = \"exec /usr/bin/python3 -IS app.py\"\n\
         health = {{ path = \"/\", successes = 1, deadline = \"20s\" }}\nurl = {{ {} }}\n",
        urls.join(", ")
    )
}

impl Shop {
    /// A project with a repository; `toml` is put before [`services`].
    pub(crate) fn new(environments: &[&'static str], toml: &str) -> Self {
        let mut machine = Machine::new();
        let project = machine.project("shop", environments);
        git(&project, &["init", "-q"]);
        git(&project, &["config", "user.email", "ana@example.org"]);
        let services = services(environments);
        std::fs::write(project.join("ambit.toml"), format!("project = \"shop\"\n{toml}{services}")).unwrap();
        let shop = Self { machine, project };
        shop.write("app.py", &app("one", "", ""));
        shop
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.project.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Keys after those of [`services`].
    pub(crate) fn with_service_keys(&self, keys: &str) {
        let file = std::fs::read_to_string(self.project.join("ambit.toml")).unwrap();
        self.write("ambit.toml", &format!("{file}{keys}"));
    }

    pub(crate) fn commit(&self, message: &str) -> String {
        git(&self.project, &["add", "-A"]);
        git(&self.project, &["commit", "-q", "--allow-empty", "-m", message]);
        let head = self.run("git", &["rev-parse", "HEAD"]);
        String::from_utf8(head.stdout).unwrap().trim().to_owned()
    }

    /// A commit with another app.
    pub(crate) fn version(&self, version: &str) -> String {
        self.write("app.py", &app(version, "", ""));
        self.commit(version)
    }

    /// What is answered at a host's root.
    pub(crate) fn body(&self, host: &str) -> String {
        load::ask(&mut None, self.machine.port, host, false).map_or_else(|e| e.to_string(), |(_, body)| body)
    }

    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> Output {
        std::process::Command::new(program).args(arguments).current_dir(&self.project).output().unwrap()
    }

    pub(crate) fn ambit(&self, arguments: &[&str]) -> Output {
        self.machine.ambit(&self.project, arguments)
    }

    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        self.machine.ok(&self.project, arguments)
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let text = self.ok(&[arguments, &["--json"]].concat());
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("ambit {arguments:?}: {e}: {text}"))
    }

    pub(crate) fn up(&self) {
        self.machine.up(&self.project);
    }

    pub(crate) fn show(&self, number: u64) -> Value {
        self.json(&["deployment", "show", &number.to_string()])
    }

    pub(crate) fn state(&self, number: u64) -> String {
        self.show(number)["state"].as_str().unwrap().to_owned()
    }

    /// Queues something and returns its number.
    pub(crate) fn queue(&self, arguments: &[&str]) -> u64 {
        self.json(&[arguments, &["--detach"]].concat())["number"].as_u64().unwrap()
    }

    /// Queues something, the daemon killed at a point of it: after the next start it is completed and nothing is left over.
    pub(crate) fn completed_though_killed(&self, arguments: &[&str], point: &str, version: &str) -> u64 {
        self.machine.kill_daemon();
        let mut command = self.machine.command(&self.project, &[arguments, &["--detach"]].concat());
        let queued = command.env("AMBIT_KILL_AT", point).output().unwrap();
        until(&format!("the daemon is killed {point}: {}", text(&queued)), || !self.machine.daemon_lives());
        let number = self.newest("prod");
        self.machine.start_daemon(&self.project);
        until(&format!("it goes on, killed {point}"), || {
            let state = self.state(number);
            assert!(["running", "watching", "succeeded"].contains(&state.as_str()), "killed {point}: {state}");
            state != "running"
        });
        let log = text(&self.ambit(&["deployment", "log", &number.to_string()]));
        assert!(log.contains("was interrupted and is resumed"), "killed {point}: {log}");
        assert_eq!(self.body("shop.localhost"), version, "killed {point}");
        self.nothing_is_left_over("prod");
        number
    }

    /// The number of the newest deployment.
    pub(crate) fn newest(&self, environment: &str) -> u64 {
        self.json(&["deployments", "-e", environment, "-n", "1"])[0]["number"].as_u64().unwrap()
    }

    pub(crate) fn database(&self) -> rusqlite::Connection {
        let database = rusqlite::Connection::open(self.machine.folder.path().join("home/state.db")).unwrap();
        database.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
        database
    }

    pub(crate) fn record(&self, environment: &str) -> Value {
        let read = |row: &rusqlite::Row<'_>| row.get::<_, String>(0);
        let sql = "SELECT record FROM environment WHERE project = 'shop' AND name = ?1";
        serde_json::from_str(&self.database().query_row(sql, [environment], read).unwrap()).unwrap()
    }

    /// The instances of an environment's apps that are recorded as serving, by the names that their keepers mark them with.
    pub(crate) fn serving(&self, environment: &str) -> BTreeSet<String> {
        let record = self.record(environment);
        let services = record["services"].as_array().unwrap().iter();
        services
            .flat_map(|s| {
                let name = s["made_from"]["service"].as_str().unwrap();
                let app = &s["real"]["app"];
                assert!(app["retiring"].as_array().is_none_or(Vec::is_empty), "something retires still: {record}");
                let serving = app["serving"].as_array().cloned().unwrap_or_default();
                serving.into_iter().map(move |i| format!("shop/{environment}/{name}.{}", i["number"]))
            })
            .collect()
    }

    /// Nothing runs that no record names, nothing that one names is missing, and every other port was given back.
    pub(crate) fn nothing_is_left_over(&self, environment: &str) {
        let serving = self.serving(environment);
        let of_apps = |all: BTreeSet<String>| -> BTreeSet<String> {
            let ours = format!("shop/{environment}/");
            all.into_iter().filter(|i| i.starts_with(&ours) && !i.contains("/postgres.")).collect()
        };
        assert_eq!(of_apps(self.machine.instances()), serving);
        let database = self.database();
        let mut keys = database.prepare("SELECT key FROM port").unwrap();
        let keys: BTreeSet<String> =
            keys.query_map([], |r| r.get::<_, String>(0)).unwrap().map(Result::unwrap).collect();
        let keys: BTreeSet<String> = keys
            .into_iter()
            .filter(|k| k.starts_with(&format!("shop/{environment}/")) && !k.ends_with("/postgres"))
            .collect();
        let with_ports: BTreeSet<String> = serving.into_iter().filter(|i| i.contains("/app.")).collect();
        assert_eq!(keys, with_ports, "ports");
        let keepers = self.machine.folder.path().join("home/keepers/shop").join(environment);
        let records = std::fs::read_dir(keepers).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
        let records: BTreeSet<String> =
            records.filter(|r| !r.starts_with("postgres")).map(|r| format!("shop/{environment}/{r}")).collect();
        assert_eq!(records, self.serving(environment), "keepers' records");
    }
}

pub(crate) fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

pub(crate) fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Every point at which the journal of a deployment lets a daemon be killed.
pub(crate) fn points(deployment: &Value) -> Vec<String> {
    let steps = deployment["steps"].as_array().unwrap().iter();
    steps
        .map(|s| (s["name"].as_str().unwrap().replace('-', " "), s["round"].as_u64().unwrap()))
        .filter(|(name, _)| name != "watch")
        .flat_map(|(name, round)| {
            let mut points: Vec<String> =
                ["before", "in", "after"].map(|when| format!("{when} {name} {round}")).to_vec();
            if name == "switch" {
                points.push(format!("between record and routes {round}"));
            }
            points
        })
        .collect()
}

/// Shell commands that say that they began and go on once they may, by files in a folder.
pub(crate) struct Signals(pub(crate) PathBuf);

impl Signals {
    pub(crate) fn new(machine: &Machine) -> Self {
        let folder = machine.folder.path().join("signals");
        std::fs::create_dir(&folder).unwrap();
        std::fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
        Self(folder)
    }

    /// A command that waits.
    pub(crate) fn waits(&self, name: &str) -> String {
        let folder = self.0.display();
        format!("touch {folder}/{name}; while ! test -e {folder}/go-{name}; do sleep 0.05; done")
    }

    pub(crate) fn until_waiting(&self, name: &str) {
        until(&format!("{name} begins"), || self.0.join(name).exists());
    }

    pub(crate) fn forget(&self, name: &str) {
        std::fs::remove_file(self.0.join(name)).unwrap();
    }

    pub(crate) fn go(&self, name: &str) {
        std::fs::write(self.0.join(format!("go-{name}")), "").unwrap();
    }

    /// How many shells run a command that waits.
    pub(crate) fn shells(&self) -> usize {
        let mark = format!("{}/go-", self.0.display());
        std::fs::read_dir("/proc")
            .unwrap()
            .filter_map(|e| std::fs::read(e.ok()?.path().join("cmdline")).ok())
            .filter(|c| String::from_utf8_lossy(c).contains(&mark))
            .count()
    }
}
