//! Environments that leave this machine for Railway and come back, with their data: a real PostgreSQL and a real Redis on both sides.

#![allow(clippy::unwrap_used)] // A test may panic.

#[path = "support/railway.rs"]
mod railway;
mod support;

use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

use ambit_simulators::{Everything, Fault, Gateway, Railway};
use serde_json::Value;
use support::{Machine, git, until};

/// Takes an order by each request for `/order`, and answers when it is in the database.
const APP: &str = r#"import http.server, os, subprocess
def sql(text):
    return subprocess.run(['psql', '-XAtq', os.environ['DATABASE_URL'], '-c', text], capture_output=True, text=True)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        status, body = 200, 'ok'
        if self.path == '/order':
            done = sql("insert into orders (what) values ('book') returning id")
            status, body = (200, done.stdout) if done.returncode == 0 else (500, done.stderr)
        if self.path == '/count':
            body = sql('select count(*) from orders').stdout
        self.send_response(status)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer((os.environ['HOST'], int(os.environ['PORT'])), Handler).serve_forever()
"#;

const MIGRATE: &str = r#"psql -XAtq "$DATABASE_URL" -c "create table if not exists orders (id bigserial primary key, what text not null)""#;

struct Team {
    machine: Machine,
    project: PathBuf,
    railway: Railway,
    name: &'static str,
    /// Where simulated services are asked instead.
    simulate: Option<String>,
    runtime: tokio::runtime::Runtime,
}

impl Team {
    /// A shop that lives on this machine, with a project at Railway declared, which is not there yet.
    fn new(name: &'static str, more: &str) -> Option<Self> {
        let (railway, runtime) = railway::start()?;
        let mut machine = Machine::new();
        let project = machine.project("shop", &[name]);
        let team = Self { machine, project, railway, name, simulate: None, runtime };
        std::fs::create_dir(team.project.join("api")).unwrap();
        std::fs::write(team.project.join("api/app.py"), APP).unwrap();
        let text = format!(
            "# The shop.\nproject = \"shop\"\ndomain = \"shop.example\"\n\
             [environments.{name}]\nbranch = \"develop\"   # what we try\non = \"host\"\n{more}\
             [services.api]\nsource = \"api\"\nbuild = \"true\"\nrun = \"exec /usr/bin/python3 -IS app.py\"\nmigrate = '''{MIGRATE}'''\n\
             health = {{ path = \"/\", successes = 1, deadline = \"20s\" }}\nurl = \"api.@\"\n\
             [services.postgres]\n[services.redis]\n\
             [variables]\nDATABASE_URL = \"${{postgres.url}}\"\nSESSION_KEY = {{ generate = 32 }}\n[secrets]\nRAILWAY_TOKEN = {{}}\n\
             [providers.railway]\nproject = \"shop-{name}\"\nservice = \"api-{name}\"\nendpoint = \"{}\"\n\
             [providers.github]\nrepository = \"shop/shop\"\n",
            team.railway.base()
        );
        std::fs::write(team.project.join("ambit.toml"), text).unwrap();
        git(&team.project, &["init", "-q", "-b", "develop"]);
        git(&team.project, &["config", "user.email", "ana@example.org"]);
        git(&team.project, &["config", "user.name", "Ana"]);
        team.ok(&["secret", "key", "--add"]);
        let token = format!("RAILWAY_TOKEN={}\n", team.railway.token());
        std::fs::write(team.machine.folder.path().join("token.env"), token).unwrap();
        team.ok(&["secret", "set", "--from", "../token.env", "-e", name]);
        std::fs::remove_file(team.machine.folder.path().join("token.env")).unwrap();
        team.commit("first");
        team.machine.up(&team.project);
        Some(team)
    }

    fn commit(&self, what: &str) {
        git(&self.project, &["add", "-A"]);
        git(&self.project, &["commit", "-q", "--allow-empty", "-m", what]);
    }

    fn ok(&self, arguments: &[&str]) -> String {
        let (code, said) = self.run(arguments);
        assert_eq!(code, 0, "ambit {arguments:?}: {said}");
        said
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.machine.command(&self.project, arguments);
        command.envs(self.simulate.iter().map(|at| ("AMBIT_SIMULATE", at)));
        command
    }

    fn run(&self, arguments: &[&str]) -> (i32, String) {
        told(&self.command(arguments).output().unwrap())
    }

    fn move_to(&self, to: &str) -> (i32, String) {
        self.run(&["move", "-e", self.name, "--to", to])
    }

    /// What the database on this machine answers.
    fn here(&self, sql: &str) -> String {
        self.ok(&["psql", "-e", self.name, "--", "-qAt", "-v", "ON_ERROR_STOP=1", "-c", sql]).trim().to_owned()
    }

    fn redis_here(&self, words: &[&str]) -> String {
        self.ok(&[&["redis", "-e", self.name, "--"], words].concat()).trim().to_owned()
    }

    fn there_at(&self, service: &str, variable: &str) -> String {
        let variables = self.railway.account().variables(&format!("{service}-{}", self.name)).unwrap();
        variables[variable].as_str().unwrap().to_owned()
    }

    /// What the database at Railway answers.
    fn there(&self, sql: &str) -> String {
        let url = self.there_at("postgresql", "DATABASE_PUBLIC_URL");
        let output = Command::new("psql").args(["-XAtq", "-c", sql, &url]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn redis_there(&self, words: &[&str]) -> String {
        let url = self.there_at("redis", "REDIS_PUBLIC_URL");
        let output = Command::new("redis-cli").args(["--no-auth-warning", "-u", &url]).args(words).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn host(&self) -> String {
        let url = self.ok(&["url", "api", "-e", self.name]).trim().to_owned();
        url.trim_start_matches("http://").split([':', '/']).next().unwrap().to_owned()
    }

    /// The body of an answer of 200; `None` of another one.
    fn get(&self, host: &str, path: &str) -> Option<String> {
        let answer = self.machine.get(host, path);
        let (head, body) = answer.split_once("\r\n\r\n")?;
        head.starts_with("HTTP/1.1 200").then(|| body.trim().to_owned())
    }

    /// Whether the app serves at Railway.
    fn serves_there(&self) -> bool {
        let status = self.machine.ok(&self.project, &["status", "--json"]);
        let status: Value = serde_json::from_str(&status).unwrap();
        let services = status["hosted"][0]["services"].as_array().cloned().unwrap_or_default();
        services.iter().any(|s| s["name"] == format!("api-{}", self.name) && s["healthy"] == true)
    }

    fn deployments_there(&self, state: &str) -> usize {
        self.railway.account().by_hand(|world| {
            let project = &world.projects[0];
            let id = &project.services.iter().find(|s| s.name == format!("api-{}", self.name)).unwrap().id;
            project.environments[0].instances[id].deployments.iter().filter(|d| d.status == state).count()
        })
    }

    /// How many TCP proxies there are.
    fn proxies(&self) -> usize {
        self.railway.account().by_hand(|world| {
            let instances = world.projects.iter().flat_map(|p| &p.environments).flat_map(|e| e.instances.values());
            instances.map(|i| i.proxies.len()).sum()
        })
    }

    fn declared(&self) -> String {
        std::fs::read_to_string(self.project.join("ambit.toml")).unwrap()
    }

    /// Everything that an environment holds, in one text.
    fn all_of(&self, there: bool) -> String {
        let ask = |sql: &str| if there { self.there(sql) } else { self.here(sql) };
        let redis = |words: &[&str]| if there { self.redis_there(words) } else { self.redis_here(words) };
        let rows = ask("select string_agg(id || what, ',' order by id) from orders");
        let at = ask("select last_value || ' ' || is_called from orders_id_seq");
        format!("{rows}\n{at}\n{} {}", redis(&["get", "cart"]), redis(&["dbsize"]))
    }
}

fn told(output: &Output) -> (i32, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout) + &text(&output.stderr))
}

/// Files below a folder that hold a text and can be read by others than their owner.
fn readable_with(folder: &Path, secret: &[u8], found: &mut Vec<PathBuf>) {
    use std::os::unix::fs::PermissionsExt;
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        if kind.is_dir() {
            readable_with(&path, secret, found);
        } else if kind.is_file() {
            let open = entry.metadata().is_ok_and(|m| m.permissions().mode() & 0o077 != 0);
            let holds = || std::fs::read(&path).is_ok_and(|b| b.windows(secret.len()).any(|w| w == secret));
            if open && holds() {
                found.push(path);
            }
        }
    }
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn data_goes_to_railway_and_comes_back_and_nothing_that_was_answered_is_lost() {
    let Some(team) = Team::new("dev", "") else { return };
    let host = team.host();
    for _ in 0..3 {
        team.get(&host, "/order").unwrap();
    }
    team.redis_here(&["set", "cart", "3 books"]);
    team.redis_here(&["set", "session", "ana", "EX", "5000"]);
    // A name may hold whatever it likes, and counts.
    let (code, said) = team.run(&["psql", "-e", "dev", "--", "-qc", "create table \"two\nlines\" as select 1 as n"]);
    assert_eq!(code, 0, "{said}");
    let (code, plan) = team.run(&["move", "-e", "dev", "--to", "railway", "--plan"]);
    assert!(code == 0 && plan.contains("4 rows in 2 tables") && plan.contains("2 keys"), "{plan}");
    assert_eq!(team.proxies(), 0, "a plan changes nothing");
    team.railway.account().limit(1000);

    let (over, answered) = (AtomicBool::new(false), AtomicU64::new(3));
    let seen = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                if team.get(&host, "/order").is_some() {
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        let arguments = scope.spawn(|| {
            let mut all = String::new();
            while !over.load(Ordering::Relaxed) {
                for entry in std::fs::read_dir("/proc").unwrap().flatten() {
                    let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
                    let line = String::from_utf8_lossy(&line).replace('\0', " ");
                    if line.contains("pg_dump") || line.contains("pg_restore") || line.contains("psql -XAtq0 ") {
                        all.push_str(&line);
                    }
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            all
        });
        let (code, said) = team.move_to("railway");
        over.store(true, Ordering::Relaxed);
        assert_eq!(code, 0, "{said}");
        assert!(said.contains("dev lives at Railway now"), "{said}");
        assert!(said.contains("CNAME") && said.contains("ambit destroy dev"), "{said}");
        said + &arguments.join().unwrap()
    });
    let answered = answered.load(Ordering::Relaxed);
    let calls = team.railway.account().calls();
    assert!(calls < 90, "{calls} requests, of 100 that a free account has in an hour");
    assert!(answered > 3, "the app served while the target was made ready");
    let rows: u64 = team.there("select count(*) from orders").parse().unwrap();
    assert!(rows >= answered, "{answered} orders were answered and {rows} are there");
    assert_eq!(
        team.there("insert into orders (what) values ('pen') returning id > (select count(*) from orders)"),
        "t"
    );
    assert_eq!(team.redis_there(&["get", "cart"]), "3 books");
    let left: u64 = team.redis_there(&["ttl", "session"]).parse().unwrap();
    assert!((4000..=5000).contains(&left), "{left}");
    assert!(team.serves_there());
    assert_eq!(team.get(&host, "/"), None, "the source is stopped");
    assert!(
        team.declared().contains("branch = \"develop\"   # what we try\non = \"railway\"\n"),
        "{}",
        team.declared()
    );
    assert!(team.ok(&["log"]).contains("environment.moved"));

    // What is secret is in nothing that others could read, and in no argument.
    let passwords = [team.there_at("postgresql", "PGPASSWORD"), team.railway.token().to_owned()];
    for secret in &passwords {
        assert!(!seen.contains(secret.as_str()), "{seen}");
        let mut found = Vec::new();
        readable_with(team.machine.folder.path(), secret.as_bytes(), &mut found);
        assert!(found.is_empty(), "{secret} is in {found:?}");
    }

    // And back. What is reached from outside for it is so no longer than that.
    team.commit("lives at Railway");
    team.railway.account().by_hand(|world| {
        let environments = world.projects.iter_mut().flat_map(|p| &mut p.environments);
        environments.flat_map(|e| e.instances.values_mut()).for_each(|i| i.proxies.clear());
    });
    team.railway.account().limit(1000);
    let (code, said) = team.move_to("host");
    assert_eq!(code, 0, "{said}");
    let back = team.railway.account().calls();
    assert!(back < 60, "{back} requests");
    assert_eq!(team.proxies(), 0);
    assert_eq!(team.here("select count(*) from orders").parse::<u64>().unwrap(), rows + 1);
    assert_eq!(team.redis_here(&["get", "cart"]), "3 books");
    let count = team.get(&host, "/count").unwrap();
    assert_eq!(count.parse::<u64>().unwrap(), rows + 1, "the app answers from here");
    team.get(&host, "/order").unwrap();
    assert_eq!(team.deployments_there("SUCCESS"), 0, "what was at Railway is stopped");
    assert!(team.declared().contains("on = \"host\"\n"));
    let (code, said) = team.run(&["plan", "--only", "railway"]);
    assert!(code == 1 || !said.contains("- project"), "the source is kept: {said}");
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn a_move_that_is_killed_anywhere_comes_to_its_end_with_nothing_doubled() {
    let Some(team) = Team::new("dev", "") else { return };
    let host = team.host();
    team.get(&host, "/order").unwrap();
    team.redis_here(&["set", "cart", "1 book"]);
    let points = [
        "the target of a move is ready",
        "the source of a move is stopped",
        "data of a move is carried",
        "the target of a move serves",
        "names of a move lead to the target",
    ];
    let mut there = false;
    for point in points {
        // Each on the way there, and each on the way back.
        for to in ["railway", "host"] {
            let before = team.all_of(there);
            team.machine.kill_daemon();
            let mut command = team.machine.command(&team.project, &["move", "-e", "dev", "--to", to]);
            let (code, said) = told(&command.env("AMBIT_KILL_AT", point).output().unwrap());
            assert_ne!(code, 0, "{to}, killed when {point}: {said}");
            until(&format!("the daemon is killed when {point}"), || !team.machine.daemon_lives());
            let status = team.ok(&["status"]);
            assert!(status.contains("dev is being moved to"), "{to}, killed when {point}: {status}");
            team.goes_on_to(to, &format!("killed when {point}"));
            there = to == "railway";
            assert_eq!(before, team.all_of(there), "{to}, killed when {point}");
            assert_eq!(team.serves_there_once(), there, "{to}, killed when {point}");
            assert_eq!(team.get(&host, "/").is_some(), !there, "{to}, killed when {point}");
        }
    }
}

impl Team {
    /// The daemon is killed where it still runs, and started: it comes to the end of its move by itself.
    fn goes_on_to(&self, to: &str, how: &str) {
        let log = || self.ok(&["log", "-n", "1000"]);
        let count = |what: &str| log().split_whitespace().filter(|word| *word == what).count();
        let (begun, ended) = (count("environment.move"), count("environment.moved"));
        self.machine.kill_daemon();
        self.machine.start_daemon(&self.project);
        // One that was not written down yet did nothing, and is asked for again.
        if begun > ended {
            until(&format!("it goes on to {to}, {how}"), || count("environment.moved") > ended);
        }
        until(&format!("{to} is done, {how}"), || self.move_to(to).1.contains("already"));
    }

    /// Whether exactly one deployment serves there.
    fn serves_there_once(&self) -> bool {
        let serving = self.deployments_there("SUCCESS");
        assert!(serving < 2);
        serving == 1
    }
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn what_fails_before_the_target_serves_leaves_the_source_serving() {
    let Some(team) = Team::new("dev", "") else { return };
    let host = team.host();
    team.get(&host, "/order").unwrap();
    // It does not build there.
    let declared = team.declared();
    std::fs::write(team.project.join("ambit.toml"), declared.replace("on = \"host\"", "on = \"railway\"")).unwrap();
    team.ok(&["apply", "--only", "railway", "--yes"]);
    std::fs::write(team.project.join("ambit.toml"), &declared).unwrap();
    team.railway.account().by_hand(|world| world.fails_in = Some("BUILDING".to_owned()));
    let (code, said) = team.move_to("railway");
    assert!(code != 0 && said.contains("serves at this machine as before"), "{said}");
    assert_eq!(team.get(&host, "/count").as_deref(), Some("1"));
    // It does not start there with the data: the daemon is held in between.
    team.machine.kill_daemon();
    let mut command = team.machine.command(&team.project, &["move", "-e", "dev", "--to", "railway"]);
    let held = command.env("AMBIT_HOLD_AT", "data of a move is carried").stdout(Stdio::piped());
    let child = held.stderr(Stdio::piped()).spawn().unwrap();
    let stopped = || {
        let daemon = team.machine.daemon()?;
        let state = std::fs::read_to_string(format!("/proc/{daemon}/stat")).ok()?;
        Some(state.rsplit(") ").next()?.starts_with('T'))
    };
    until("the daemon is held", || stopped() == Some(true));
    assert_eq!(team.there("select count(*) from orders"), "1");
    team.railway.account().by_hand(|world| world.fails_in = Some("DEPLOYING".to_owned()));
    let daemon = nix::unistd::Pid::from_raw(team.machine.daemon().unwrap());
    nix::sys::signal::kill(daemon, nix::sys::signal::Signal::SIGCONT).unwrap();
    let (code, said) = told(&child.wait_with_output().unwrap());
    assert!(code != 0 && said.contains("serves at this machine as before"), "{said}");
    team.get(&host, "/order").unwrap();
    assert_eq!(team.get(&host, "/count").as_deref(), Some("2"));
    assert!(team.declared().contains("on = \"host\""));
    assert_eq!(team.deployments_there("SUCCESS"), 0);
    // What was left there is the move's own, and is written over.
    let (code, said) = team.move_to("railway");
    assert_eq!(code, 0, "{said}");
    assert_eq!(team.there("select count(*) from orders"), "2");
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn what_cannot_be_meant_is_refused_before_anything_changes() {
    let Some(team) = Team::new("prod", "deploy = \"auto\"\ngates = []\n") else { return };
    let host = team.host();
    team.get(&host, "/order").unwrap();
    let refused = |arguments: &[&str], word: &str| {
        let (code, said) = team.run(arguments);
        assert!(code != 0 && said.contains(word), "{arguments:?}: {said}");
        assert!(team.railway.account().by_hand(|world| world.projects.is_empty()), "{arguments:?}");
        assert_eq!(team.get(&host, "/count").as_deref(), Some("1"));
    };
    refused(&["move", "-e", "porod", "--to", "railway"], "did you mean `prod`");
    refused(&["move", "-e", "prod", "--to", "host"], "already");
    refused(&["move", "-e", "prod", "--to", "railway"], "--confirm prod");
    refused(&["move", "-e", "prod", "--to", "railway", "--confirm", "dev"], "--confirm prod");
    let declared = team.declared();
    std::fs::write(team.project.join("ambit.toml"), declared.replace("project = \"shop-prod\"\n", "")).unwrap();
    refused(&["move", "-e", "prod", "--to", "railway", "--confirm", "prod"], "has no project at Railway");
    std::fs::write(team.project.join("ambit.toml"), declared.replace("on = \"host\"", "on = \"moon\"")).unwrap();
    refused(&["check"], "railway");
    std::fs::write(team.project.join("ambit.toml"), &declared).unwrap();

    // A database at Railway that is somebody's.
    std::fs::write(team.project.join("ambit.toml"), declared.replace("on = \"host\"", "on = \"railway\"")).unwrap();
    team.ok(&["apply", "--only", "railway", "--yes"]);
    std::fs::write(team.project.join("ambit.toml"), &declared).unwrap();
    team.there("create table theirs as select 1 as n");
    let (code, said) = team.run(&["move", "-e", "prod", "--to", "railway", "--confirm", "prod"]);
    assert!(code != 0 && said.contains("not empty"), "{said}");
    assert_eq!(team.there("select n from theirs"), "1");
    assert_eq!(team.get(&host, "/count").as_deref(), Some("1"));

    // Emptied by its owner, it is taken; production goes there and comes back.
    team.there("drop table theirs");
    for to in ["railway", "host"] {
        let (code, said) = team.run(&["move", "-e", "prod", "--to", to, "--confirm", "prod"]);
        assert_eq!(code, 0, "{said}");
        assert_eq!(team.get(&host, "/count").is_some(), to == "host", "{said}");
    }
    assert_eq!(team.get(&host, "/count").as_deref(), Some("1"));
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn a_daemon_that_is_killed_within_a_request_or_a_copy_goes_on() {
    let Some(team) = Team::new("dev", "") else { return };
    let host = team.host();
    team.here("insert into orders (what) select md5(n::text) from generate_series(1, 300000) n");
    team.redis_here(&["set", "cart", "1 book"]);
    let mut there = false;
    // So many requests are answered; the next one is carried out, and nobody hears of it.
    for answered in [2, 14, 30, 45] {
        for to in ["railway", "host"] {
            let before = team.all_of(there);
            team.railway.fail_after(answered, Fault::HangAfter);
            let hung = team.railway.hung();
            let moving = team.command(&["move", "-e", "dev", "--to", to]).stderr(Stdio::null()).spawn().unwrap();
            let moving = std::cell::RefCell::new(moving);
            until("a request is not answered, or it is over", || {
                moving.borrow_mut().try_wait().unwrap().is_some() || team.railway.hung() > hung
            });
            team.railway.forget_faults();
            team.goes_on_to(to, &format!("killed after {answered} requests"));
            let _ = moving.borrow_mut().wait();
            there = to == "railway";
            assert_eq!(before, team.all_of(there), "{to}, killed after {answered} requests");
            assert_eq!(team.serves_there_once(), there, "{to}, killed after {answered} requests");
            assert_eq!(team.get(&host, "/").is_some(), !there, "{to}, killed after {answered} requests");
        }
    }
    // While rows are streamed.
    for to in ["railway", "host"] {
        let before = team.all_of(there);
        let mut moving = team.command(&["move", "-e", "dev", "--to", to]).stderr(Stdio::null()).spawn().unwrap();
        let home = team.machine.folder.path().join("home").display().to_string();
        until("rows are streamed", || {
            let all = std::fs::read_dir("/proc").unwrap().flatten();
            all.filter_map(|p| std::fs::read(p.path().join("environ")).ok()).any(|environment| {
                let text = String::from_utf8_lossy(&environment);
                text.contains("FROM_PGHOST=") && text.contains(&home)
            })
        });
        team.goes_on_to(to, "killed while rows are streamed");
        let _ = moving.wait();
        there = to == "railway";
        assert_eq!(before, team.all_of(there), "{to}, killed while rows are streamed");
    }
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn names_follow_where_the_zone_is_declared() {
    let everything = Everything::new();
    let (Some(_), Some(zone)) = (&everything.railway, everything.cloudflare.clone()) else { return };
    let more = "[providers.cloudflare]\nzone = \"shop.example\"\naddress = \"203.0.113.7\"\n";
    let Some(mut team) = Team::new("dev", more) else { return };
    let gateway = team.runtime.block_on(Gateway::start(0, everything.services())).unwrap();
    team.simulate = Some(gateway.base());
    let host = team.host();
    team.get(&host, "/order").unwrap();
    team.ok(&["apply", "--only", "dns", "--yes"]);
    let of_the_host = || {
        let records = zone.records();
        let of = |r: &&Value| r["name"] == "api.shop.example";
        let found = records.iter().find(of).unwrap();
        (found["type"].as_str().unwrap().to_owned(), found["content"].as_str().unwrap().to_owned())
    };
    assert_eq!(of_the_host(), ("A".to_owned(), "203.0.113.7".to_owned()));
    let (code, said) = team.move_to("railway");
    assert_eq!(code, 0, "{said}");
    assert!(of_the_host().1.ends_with(".up.railway.app"), "{:?}", of_the_host());
    assert!(zone.records().iter().any(|r| r["type"] == "TXT" && r["name"] == "_railway-verify.api.shop.example"));
    let (code, said) = team.run(&["plan", "--only", "dns", "--only", "railway"]);
    assert_eq!(code, 0, "what was moved is as declared: {said}");
    let (code, said) = team.move_to("host");
    assert_eq!(code, 0, "{said}");
    assert_eq!(of_the_host(), ("A".to_owned(), "203.0.113.7".to_owned()));
    assert!(!zone.records().iter().any(|r| r["type"] == "TXT" && r["name"] == "_railway-verify.api.shop.example"));
}
