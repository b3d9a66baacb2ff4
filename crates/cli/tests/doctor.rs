//! Faults planted one by one on a machine that was healthy: doctor names the true cause alone, with the command that mends it, and that
//! command does.

#![allow(clippy::unwrap_used)] // A test may panic.

mod support;

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::{Duration, SystemTime},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use support::{Machine, git, until};

/// An API with a database, a Redis, migrations, a secret, a site that asks it from another origin, and a mobile app.
struct Clinic {
    machine: Machine,
    project: PathBuf,
}

/// It answers its health check while its database can be reached, and lets in the origins of CORS_ORIGIN.
const API: &str = r#"
import http.server, os, socket, urllib.parse
database = urllib.parse.urlparse(os.environ['DATABASE_URL'])
class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self):
        status = 200
        try:
            socket.create_connection((database.hostname, database.port), 1).close()
        except OSError:
            status = 503
        self.send_response(status)
        origin = self.headers.get('Origin')
        if origin in os.environ.get('CORS_ORIGIN', '').split(','):
            self.send_header('Access-Control-Allow-Origin', origin)
        self.send_header('Content-Length', '0')
        self.end_headers()
    do_GET = do_OPTIONS = answer
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])), Handler).serve_forever()
"#;

const TOML: &str = r#"project = "clinic"
domain  = "clinic.invalid"
[environments.dev]
branch = "main"
[services.api]
source     = "api"
build      = "true"
run        = "exec /usr/bin/python3 -IS app.py"
migrations = "migrations"
health     = { path = "/health", successes = 1, deadline = "20s" }
url        = "api.@"
[services.web]
static = "web"
expose = ["API_URL"]
url    = "@"
[services.downloads]
static = "web"
url    = "downloads.@"
[services.postgres]
settings = { max_connections = "20" }
[services.redis]
[variables]
DATABASE_URL = "${postgres.url}"
API_URL     = "${api.url}"
CORS_ORIGIN = "${web.url},http://localhost:8081"
[secrets]
TOKEN = {}
[mobile]
source   = "mobile"
package  = "org.example.clinic"
name     = "Clinic"
profiles = { development = "dev" }
"#;

impl Clinic {
    fn new() -> Self {
        let mut machine = Machine::new();
        let project = machine.project("clinic", &["dev"]);
        Self::written(machine, project)
    }

    fn written(machine: Machine, project: PathBuf) -> Self {
        let clinic = Self { machine, project };
        clinic.write("ambit.toml", TOML);
        clinic.write("api/app.py", API);
        clinic.write("api/migrations/0001_patients.sql", "CREATE TABLE patient (id bigint PRIMARY KEY);\n");
        clinic.write("web/index.html", "<title>Clinic</title>");
        clinic.write("mobile/package.json", r#"{"name": "clinic", "dependencies": {"expo": "~54.0.0"}}"#);
        clinic.write("mobile/app.json", r#"{"expo": {"name": "Clinic", "slug": "clinic"}}"#);
        git(&clinic.project, &["init", "-q"]);
        git(&clinic.project, &["config", "user.email", "ana@example.org"]);
        clinic.runs("ambit secret key --add");
        clinic.runs("ambit secret set TOKEN -e dev --generate");
        clinic.runs("ambit mobile sync");
        clinic.commit("Clinic");
        clinic
    }

    /// Up and healthy.
    fn healthy() -> Self {
        let clinic = Self::new();
        clinic.up();
        clinic.is_healthy("at the beginning");
        clinic
    }

    fn up(&self) {
        self.runs(&format!("ambit up --listen 127.0.0.1:{}", self.machine.port));
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.project.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Puts one text in the place of another that is there.
    fn replace(&self, path: &str, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.project.join(path)).unwrap();
        assert!(text.contains(from), "{path} has no {from}: {text}");
        self.write(path, &text.replacen(from, to, 1));
    }

    fn commit(&self, message: &str) {
        git(&self.project, &["add", "-A"]);
        git(&self.project, &["commit", "-q", "-m", message]);
    }

    /// A command as a person types it.
    fn sh(&self, line: &str) -> Output {
        let programs = Path::new(env!("CARGO_BIN_EXE_ambit")).parent().unwrap();
        let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
        let with = self.machine.command(&self.project, &[]);
        let mut command = Command::new("sh");
        command.args(["-c", line]).current_dir(&self.project).env("PATH", path).env_remove("AMBIT_KEY");
        command.envs(with.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.output().unwrap()
    }

    fn runs(&self, line: &str) {
        let output = self.sh(line);
        assert!(output.status.success(), "{line}: {}", text(&output));
    }

    fn is_healthy(&self, when: &str) {
        let output = self.sh("ambit doctor");
        assert_eq!(output.status.code(), Some(0), "{when}: {}", text(&output));
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.starts_with("✓ everything passed, ") && said.lines().count() == 1, "{when}: {said}");
    }

    fn diagnosis(&self) -> Value {
        let output = self.sh("ambit doctor --json");
        assert_eq!(output.status.code(), Some(1), "{}", text(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The only cause, and what mends it.
    fn cause(&self) -> Cause {
        let diagnosis = self.diagnosis();
        let [cause] = diagnosis["causes"].as_array().unwrap().as_slice() else { panic!("one cause: {diagnosis:#}") };
        let text = |name: &str| cause["found"][name].as_str().unwrap().to_owned();
        let mend = cause["found"]["mend"].as_array().unwrap().iter().map(|m| m.as_str().unwrap().to_owned());
        let follows = diagnosis["follows"].as_array().unwrap().iter().map(|c| c["id"].as_str().unwrap().to_owned());
        Cause { wrong: text("wrong"), seen: text("seen"), mend: mend.collect(), follows: follows.collect() }
    }

    /// Asserts the cause, does what is said to mend it, and asserts that it did.
    fn is_told_and_mended(&self, wrong: &str, mend: &str) -> Cause {
        let cause = self.cause();
        assert!(cause.wrong.contains(wrong), "{cause:?}");
        assert_eq!(cause.mend.first().map(String::as_str), Some(mend), "{cause:?}");
        self.runs(mend);
        self.is_healthy(&format!("after {mend}"));
        cause
    }

    fn home(&self) -> PathBuf {
        self.machine.folder.path().join("home")
    }

    fn record(&self, service: &str) -> PathBuf {
        let numbers = std::fs::read_dir(self.home().join("keepers/clinic/dev")).unwrap().map(|e| e.unwrap().path());
        let held = |path: &Path| -> Option<Value> {
            serde_json::from_slice(&std::fs::read(path.join("state.json")).ok()?).ok()
        };
        let of = |path: &PathBuf| {
            let name = path.file_name().unwrap().to_str().unwrap();
            name.starts_with(&format!("{service}.")) && held(path).is_some_and(|state| !state["held"].is_null())
        };
        numbers.into_iter().find(of).unwrap()
    }

    /// The process that a keeper holds.
    fn process(&self, service: &str) -> Pid {
        let state: Value =
            serde_json::from_slice(&std::fs::read(self.record(service).join("state.json")).unwrap()).unwrap();
        Pid::from_raw(i32::try_from(state["held"]["pid"].as_i64().unwrap()).unwrap())
    }

    /// Stops a service as `ambit down` stops it, behind the daemon's back.
    fn stop(&self, service: &str) {
        let program = Path::new(env!("CARGO_BIN_EXE_ambit"));
        ambit_keeper::client::stop(program, &self.record(service)).unwrap();
    }

    fn sql(&self, sql: &str) {
        self.runs(&format!("ambit psql -e dev -- -qc \"{sql}\""));
    }
}

#[derive(Debug)]
struct Cause {
    wrong: String,
    seen: String,
    mend: Vec<String>,
    follows: Vec<String>,
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn a_broken_server_is_the_cause_and_what_fails_behind_it_only_follows() {
    let clinic = Clinic::healthy();

    clinic.stop("postgres");
    let cause = clinic.is_told_and_mended("PostgreSQL of dev does not run", "ambit up dev");
    assert!(cause.seen.contains("it was stopped"), "{cause:?}");
    assert!(cause.follows.contains(&"dev/api".to_owned()), "{cause:?}");

    clinic.stop("redis");
    clinic.is_told_and_mended("Redis of dev does not run", "ambit up dev");

    let database = clinic.process("postgres");
    kill(database, Signal::SIGSTOP).unwrap();
    let cause = clinic.cause();
    assert!(cause.wrong.contains("PostgreSQL of dev hangs"), "{cause:?}");
    assert_eq!(cause.mend[0], "ambit down dev && ambit up dev");
    kill(database, Signal::SIGCONT).unwrap();
    clinic.is_healthy("once it goes on");
}

#[test]
fn exhausted_connections_are_told_with_who_holds_them() {
    let clinic = Clinic::healthy();
    let url = String::from_utf8(clinic.sh("ambit run -e dev -- printenv DATABASE_URL").stdout).unwrap();
    let url = url.trim().to_owned();
    let hold = || {
        Command::new("psql")
            .args([&url, "-qc", "SELECT pg_sleep(600)"])
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap()
    };
    let mut holders: Vec<_> = (0..20).map(|_| hold()).collect();
    until("every connection is taken", || !clinic.sh("ambit psql -e dev -- -qc 'SELECT 1'").status.success());
    let cause = clinic.cause();
    assert!(cause.wrong.contains("PostgreSQL of dev has no connections left: 17 of 17"), "{cause:?}");
    assert!(cause.seen.contains("clinic active: 17"), "{cause:?}");
    clinic.runs(&cause.mend[0]);
    clinic.is_healthy("after the restart");
    for holder in &mut holders {
        let _ = holder.kill();
        let _ = holder.wait();
    }
}

#[test]
fn an_app_that_stopped_hangs_or_does_not_stay_up_is_told_apart() {
    let clinic = Clinic::healthy();

    clinic.stop("api");
    clinic.is_told_and_mended("api of dev does not run", "ambit up dev");

    kill(clinic.process("api"), Signal::SIGSTOP).unwrap();
    let cause = clinic.is_told_and_mended("api of dev hangs", "ambit down dev && ambit up dev");
    assert!(cause.seen.contains("was not answered within 5 s"), "{cause:?}");

    // Its program goes away under it, and its next start fails.
    let spec: Value = serde_json::from_slice(&std::fs::read(clinic.record("api").join("spec.json")).unwrap()).unwrap();
    let program = Path::new(spec["directory"].as_str().unwrap()).join("app.py");
    let kept = std::fs::read(&program).unwrap();
    std::fs::write(&program, "raise SystemExit('no patients')").unwrap();
    kill(clinic.process("api"), Signal::SIGKILL).unwrap();
    until("it was tried again", || clinic.sh("ambit logs api -e dev").stdout.windows(11).any(|w| w == b"no patients"));
    let cause = clinic.cause();
    assert!(cause.wrong.contains("api of dev does not stay up"), "{cause:?}");
    assert!(cause.seen.contains("no patients"), "{cause:?}");
    assert_eq!(cause.mend[0], "ambit logs api -e dev");
    std::fs::write(&program, kept).unwrap();
    clinic.runs("ambit down dev && ambit up dev");
    clinic.is_healthy("once it starts again");
}

#[test]
fn ambits_own_processes_are_looked_at_and_who_has_taken_their_port_is_named() {
    let clinic = Clinic::healthy();

    clinic.machine.kill_daemon();
    clinic.is_told_and_mended("the daemon does not run", "ambit upgrade");

    let proxy = std::fs::read_dir(clinic.home().join("run")).unwrap().map(|e| e.unwrap().path());
    let proxy = proxy
        .into_iter()
        .find(|p| p.file_name().unwrap().to_str().unwrap().starts_with("proxy") && p.join("spec.json").exists())
        .unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_ambit"));
    ambit_keeper::client::stop(program, &proxy).unwrap();
    let cause = clinic.is_told_and_mended("the proxy does not run", "ambit up dev");
    assert!(cause.follows.contains(&"dev/web/route".to_owned()), "{cause:?}");

    ambit_keeper::client::stop(program, &proxy).unwrap();
    let squatter = std::net::TcpListener::bind(("127.0.0.1", clinic.machine.port)).unwrap();
    let cause = clinic.cause();
    assert!(
        cause.wrong.contains(&format!("the proxy cannot listen on 127.0.0.1:{}", clinic.machine.port)),
        "{cause:?}"
    );
    assert!(cause.seen.contains(&std::process::id().to_string()), "the squatter is named: {cause:?}");
    let another = cause.mend.iter().find(|m| m.starts_with("ambit up --listen")).unwrap();
    clinic.runs(another);
    clinic.is_healthy("at another port");
    drop(squatter);
}

#[test]
fn files_of_the_project_that_are_wrong_are_told_with_their_place() {
    let clinic = Clinic::healthy();

    clinic.replace("ambit.toml", "branch = \"main\"", "brnach = \"main\"");
    let cause = clinic.cause();
    assert!(cause.wrong.contains("unknown key `brnach`"), "{cause:?}");
    assert!(cause.seen.contains("ambit.toml:5:1") && cause.seen.contains("did you mean `branch`?"), "{cause:?}");
    clinic.replace("ambit.toml", "brnach = \"main\"", "branch = \"main\"");

    let eas = std::fs::read_to_string(clinic.project.join("mobile/eas.json")).unwrap();
    let right = "https://api.clinic.invalid";
    assert!(eas.contains(right), "{eas}");
    clinic.replace("mobile/eas.json", right, "https://api.kaia.ai");
    let cause = clinic.cause();
    assert!(cause.wrong.contains("EXPO_PUBLIC_API_URL"), "{cause:?}");
    assert!(cause.mend.iter().any(|m| m.starts_with("ambit mobile sync")), "{cause:?}");
    clinic.runs("ambit mobile sync --force");
    clinic.is_healthy("after the sync");

    clinic.replace("ambit.toml", "branch = \"main\"", "branch = \"develop\"");
    let cause = clinic.cause();
    assert!(cause.wrong.contains("dev should run the branch `develop`, which cannot be found"), "{cause:?}");
    assert_eq!(cause.mend[0], "git branch develop");
    clinic.runs(&cause.mend[0]);
    clinic.is_healthy("since the branch has what runs");

    git(&clinic.project, &["checkout", "-q", "-b", "feature"]);
    clinic.write("api/app.py", &format!("# A feature.\n{API}"));
    clinic.commit("a feature");
    clinic.runs("ambit deploy -e dev --ref feature");
    clinic.is_told_and_mended("dev runs `feature`, and the branch `develop` is declared", "ambit deploy -e dev");
}

#[test]
fn secrets_that_are_unset_and_keys_that_are_open_or_gone_are_told() {
    let clinic = Clinic::healthy();
    let key = clinic.machine.folder.path().join("config/ambit/keys/clinic.txt");

    clinic.replace("ambit.toml", "TOKEN = {}", "TOKEN = {}\nCODE = {}");
    let cause = clinic.cause();
    assert!(cause.wrong.contains("dev cannot come up: the secret CODE is not set"), "{cause:?}");
    assert_eq!(cause.mend, ["ambit secret set CODE -e dev"]);
    clinic.runs("ambit secret set CODE -e dev --generate");
    clinic.is_healthy("once it is set");

    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    clinic.is_told_and_mended("can be read by others", &format!("chmod 600 {}", key.display()));

    let kept = key.with_extension("kept");
    std::fs::rename(&key, &kept).unwrap();
    let cause = clinic.cause();
    assert!(cause.wrong.contains("there is no key that opens the secrets of clinic"), "{cause:?}");
    assert!(cause.mend[0].contains("ambit secret key"), "{cause:?}");
    std::fs::rename(&kept, &key).unwrap();
    clinic.is_healthy("once the key is back");
}

#[test]
fn an_origin_that_is_not_let_in_is_told_with_the_variable_that_lacks_it() {
    let clinic = Clinic::healthy();
    clinic.replace("ambit.toml", "CORS_ORIGIN = \"${web.url},", "CORS_ORIGIN = \"");
    clinic.runs("ambit up dev");
    let cause = clinic.cause();
    let origin = format!("http://clinic.localhost:{}", clinic.machine.port);
    assert!(cause.wrong.contains(&format!("api of dev does not let {origin} in")), "{cause:?}");
    assert_eq!(cause.mend[0], "add ${web.url} to CORS_ORIGIN in ambit.toml, then ambit up dev");
    clinic.replace("ambit.toml", "CORS_ORIGIN = \"", "CORS_ORIGIN = \"${web.url},");
    let cause = clinic.is_told_and_mended(&format!("api of dev does not let {origin} in"), "ambit up dev");
    assert!(cause.seen.contains("though CORS_ORIGIN lists it"), "{cause:?}");
}

#[test]
fn a_failed_deployment_and_pending_migrations_are_told_with_their_reason() {
    let clinic = Clinic::healthy();

    clinic.write("api/migrations/0002_visits.sql", "CREATE TABLE visit (id bigint PRIMARY KEY;\n");
    clinic.commit("visits");
    assert!(!clinic.sh("ambit deploy -e dev").status.success());
    let cause = clinic.cause();
    assert!(cause.wrong.contains("to dev failed"), "{cause:?}");
    assert!(cause.seen.contains("syntax error"), "{cause:?}");
    assert!(cause.mend[0].starts_with("ambit deployment log "), "{cause:?}");
    clinic.write("api/migrations/0002_visits.sql", "CREATE TABLE visit (id bigint PRIMARY KEY);\n");
    clinic.commit("visits, mended");
    let again = cause.mend.iter().find(|m| m.starts_with("ambit deploy -e dev")).unwrap();
    clinic.runs(again);
    clinic.is_healthy("after the next deployment");

    clinic.sql("DROP TABLE visit; DELETE FROM refinery_schema_history WHERE version = 2");
    clinic.is_told_and_mended("1 migrations of dev have not run, the first is 2 visits", "ambit migrate -e dev");
}

#[test]
fn a_state_folder_that_is_open_a_clock_that_went_back_and_an_environment_that_is_missing_are_told() {
    let clinic = Clinic::healthy();
    let home = clinic.home();

    let allowed = if nix::unistd::geteuid().is_root() { "711" } else { "700" };
    std::fs::set_permissions(&home, std::fs::Permissions::from_mode(0o777)).unwrap();
    clinic.is_told_and_mended("is open to other users", &format!("chmod {allowed} {}", home.display()));

    let database = home.join("state.db");
    std::fs::set_permissions(&database, std::fs::Permissions::from_mode(0o644)).unwrap();
    clinic.is_told_and_mended("is open to other users", &format!("chmod 600 {}", database.display()));

    let heads = std::fs::File::options().append(true).open(home.join("audit.head")).unwrap();
    heads.set_modified(SystemTime::now() + Duration::from_secs(7200)).unwrap();
    let cause = clinic.cause();
    assert!(cause.wrong.contains("the clock is behind: it was 119 min later once"), "{cause:?}");
    assert_eq!(cause.mend, ["timedatectl set-ntp true"]);
    heads.set_modified(SystemTime::now()).unwrap();

    let output = clinic.sh("ambit doctor production");
    assert_eq!(output.status.code(), Some(6), "an environment that is not declared: {}", text(&output));
}

#[test]
fn a_disk_that_is_almost_full_is_the_cause() {
    let mut machine = Machine::new();
    let project = machine.project("clinic", &["dev"]);
    if !machine.mount_disk(600) {
        eprintln!("skipped: only root mounts disks");
        return;
    }
    let clinic = Clinic::written(machine, project);
    clinic.up();
    clinic.is_healthy("at the beginning");
    clinic.machine.disk.as_ref().unwrap().fill();
    let cause = clinic.cause();
    assert!(cause.wrong.contains("is almost full"), "{cause:?}");
    assert!(cause.mend[0].starts_with("du -xh"), "{cause:?}");
    clinic.machine.disk.as_ref().unwrap().free();
    clinic.is_healthy("once there is room");
}

#[test]
fn names_that_lead_nowhere_and_certificates_that_expire_are_told() {
    let clinic = Clinic::healthy();
    let certificate = |days: i64| {
        let mut parameters =
            rcgen::CertificateParams::new(["*.clinic.invalid".to_owned(), "clinic.invalid".to_owned()]).unwrap();
        let now = SystemTime::now();
        parameters.not_before = (now - Duration::from_secs(30 * 86_400)).into();
        parameters.not_after = (now + Duration::from_secs(u64::try_from(days).unwrap() * 86_400)).into();
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = parameters.self_signed(&key).unwrap();
        for (file, text) in [("cert.pem", certificate.pem()), ("key.pem", key.serialize_pem())] {
            std::fs::write(clinic.machine.folder.path().join(file), text).unwrap();
        }
        for host in ["clinic.invalid", "'*.clinic.invalid'"] {
            clinic.runs(&format!("ambit certificate add {host} --cert ../cert.pem --key ../key.pem"));
        }
    };
    certificate(90);
    clinic.runs(&format!("ambit up --listen-tls 127.0.0.1:{}", clinic.machine.tls));
    clinic.is_healthy("with certificates");

    certificate(5);
    let diagnosis = clinic.diagnosis();
    let causes = diagnosis["causes"].as_array().unwrap();
    assert_eq!(causes.len(), 2, "{diagnosis:#}");
    let found = &causes[0]["found"];
    assert!(found["wrong"].as_str().unwrap().contains("expires in 4 days"), "{diagnosis:#}");
    assert!(found["mend"][0].as_str().unwrap().starts_with("ambit certificate add "), "{diagnosis:#}");
    certificate(90);
    clinic.is_healthy("with certificates that last");

    // A machine that serves the world is found by names that have to lead there: `.invalid` never does (RFC 6761).
    clinic.runs(&format!("ambit up --listen-tls 0.0.0.0:{}", support::free_port()));
    let diagnosis = clinic.diagnosis();
    let ids: Vec<&str> = diagnosis["causes"].as_array().unwrap().iter().map(|c| c["id"].as_str().unwrap()).collect();
    let names = ["dev/name/api.clinic.invalid", "dev/name/clinic.invalid", "dev/name/downloads.clinic.invalid"];
    assert!(names.iter().all(|name| ids.contains(name)) && ids.iter().all(|id| id.contains("name/")), "{diagnosis:#}");
    let mend = diagnosis["causes"][0]["found"]["mend"][0].as_str().unwrap();
    assert!(mend.starts_with("ambit dns --zone-file"), "{mend}");
}

#[test]
fn a_backup_that_is_too_old_is_told_and_made() {
    let mut machine = Machine::new();
    let project = machine.project("clinic", &["dev"]);
    let clinic = Clinic { machine, project };
    clinic.write(
        "ambit.toml",
        "project = \"clinic\"\n[environments.dev]\nbackup = { every = \"24h\" }\n[services.redis]\n",
    );
    clinic.up();
    clinic.runs("ambit backup now -e dev");
    clinic.is_healthy("with a backup");

    // The daemon would make another one before anybody looks.
    clinic.machine.kill_daemon();
    let database = rusqlite::Connection::open(clinic.home().join("state.db")).unwrap();
    let days_ago = i64::try_from(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis())
        .unwrap()
        - 3 * 86_400_000;
    let changed = database.execute("UPDATE backup SET record = json_set(record, '$.started', ?1)", [days_ago]).unwrap();
    assert_eq!(changed, 1);
    drop(database);
    let diagnosis = clinic.diagnosis();
    let ids = |which: &str| -> Vec<String> {
        diagnosis[which].as_array().unwrap().iter().map(|c| c["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!((ids("causes"), ids("follows")), (vec!["daemon".to_owned()], vec!["dev/backup".to_owned()]));
    let backup = &diagnosis["follows"][0]["found"];
    assert!(backup["wrong"].as_str().unwrap().contains("too old: 72 h, one is due every 24 h"), "{diagnosis:#}");
    clinic.runs(backup["mend"][0].as_str().unwrap());
    clinic.is_healthy("after the backup");
}

#[test]
fn a_machine_without_a_project_is_looked_at_too() {
    let machine = Machine::new();
    let nowhere = machine.folder.path().join("nowhere");
    std::fs::create_dir(&nowhere).unwrap();
    let said = machine.ok(&nowhere, &["doctor"]);
    assert!(said.starts_with("✓ everything passed"), "{said}");
}
