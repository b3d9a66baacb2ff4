//! Monitoring with real servers: what is killed, stopped or hangs is told, and nothing else is.

#![allow(clippy::unwrap_used)] // A test may panic.

#[path = "support/load.rs"]
mod load;
#[path = "support/shop.rs"]
mod shop;
mod support;

use std::time::{Duration, Instant};

use ambit_simulators::{Security, Slack, Smtp, Webhook};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use shop::{Shop, app, code, text};
use support::until;

/// A shop whose environments are watched, and where their alerts go.
struct Watched {
    shop: Shop,
    slack: Slack,
    _runtime: tokio::runtime::Runtime,
}

/// Said of an environment, without the lines after the first.
fn said(environment: &str, what: &str) -> String {
    format!("shop {environment}: {what}")
}

impl Watched {
    /// `environments` of a kind that is deployed without questions, each watched by a level.
    fn new(environments: &[(&'static str, &str)]) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let slack = runtime.block_on(Slack::start(None, None));
        let names: Vec<&'static str> = environments.iter().map(|(name, _)| *name).collect();
        let sections: Vec<String> = names
            .iter()
            .map(|name| format!("[environments.{name}]\nkind = \"staging\"\nbranch = \"main\"\nsoak = \"1s\"\n"))
            .collect();
        let levels: Vec<String> = environments.iter().map(|(name, level)| format!("{name} = \"{level}\"")).collect();
        let toml = format!(
            "{}[services.postgres]\n[services.redis]\n[secrets]\nSLACK = {{}}\n\
             [notifications]\nslack = \"SLACK\"\nevents = [\"alert\", \"resolved\"]\n\
             [monitoring]\nlevel = {{ {} }}\nalert = [\"slack\"]\n",
            sections.concat(),
            levels.join(", ")
        );
        let shop = Shop::new(&names, &toml);
        shop.ok(&["secret", "key", "--add"]);
        shop.write("slack.env", &format!("SLACK={}\n", slack.webhook()));
        for name in names {
            shop.ok(&["secret", "set", "--from", "slack.env", "-e", name]);
        }
        std::fs::remove_file(shop.project.join("slack.env")).unwrap();
        Self { shop, slack, _runtime: runtime }
    }

    /// Brings everything up, and waits until all of it was looked at once.
    fn up(&self, environments: &[&str]) {
        self.shop.commit("one");
        self.shop.up();
        self.is_looked_at(environments);
    }

    fn is_looked_at(&self, environments: &[&str]) {
        until("everything was looked at", || {
            let metrics = text(&self.shop.ambit(&["metrics"]));
            let well = |e: &&str| {
                let of = format!("environment=\"{e}\",check=\"process\"");
                metrics.lines().filter(|l| l.starts_with("ambit_check_well") && l.contains(&of)).count() >= 3
            };
            environments.iter().all(well)
        });
    }

    /// What was told: the first lines of it.
    fn told(&self) -> Vec<String> {
        self.slack.texts().iter().map(|t| t.lines().next().unwrap_or_default().to_owned()).collect()
    }

    fn until_told(&self, expected: &[String], within: Duration, since: Instant) {
        until(&format!("{expected:?} is told"), || expected.iter().all(|line| self.told().contains(line)));
        let took = since.elapsed();
        assert!(took <= within, "it was told after {took:?}: {:?}", self.told());
    }

    /// The process of a record below the state folder.
    fn process(&self, record: &str) -> Pid {
        let file = self.shop.machine.folder.path().join("home").join(record).join("state.json");
        let state: serde_json::Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        Pid::from_raw(i32::try_from(state["held"]["pid"].as_i64().unwrap()).unwrap())
    }

    fn alerts(&self, arguments: &[&str]) -> Vec<serde_json::Value> {
        self.shop.json(&[&["alerts"], arguments].concat()).as_array().unwrap().clone()
    }
}

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn what_is_killed_or_hangs_is_told_within_a_minute_and_so_is_its_end_and_nothing_else_is() {
    let environments = ["appdies", "dbdies", "redisdies", "hangs"];
    let watched = Watched::new(&[("appdies", "full"), ("dbdies", "basic"), ("redisdies", "basic"), ("hangs", "full")]);
    let shop = &watched.shop;
    let signals = shop.machine.folder.path().join("hang");
    // It says that it is well only while its servers answer, and hangs when it is told to.
    let answer = format!(
        "if os.path.exists('{}') and os.environ['AMBIT_ENVIRONMENT'] == 'hangs': time.sleep(3600)",
        signals.display()
    );
    shop.write("app.py", &app("one", "", &answer));
    watched.up(&environments);
    assert!(watched.alerts(&["--all"]).is_empty());

    let begin = Instant::now();
    std::fs::write(&signals, "").unwrap();
    for record in ["appdies/app.1", "dbdies/postgres.1", "redisdies/redis.1"] {
        kill(watched.process(&format!("keepers/shop/{record}")), Signal::SIGKILL).unwrap();
    }
    let url = format!("http://hangs.shop.localhost:{}", shop.machine.port);
    let wrong = [
        ("appdies", "app (app.1) does not stay up".to_owned()),
        ("dbdies", "postgres does not stay up".to_owned()),
        ("redisdies", "redis does not stay up".to_owned()),
        ("hangs", format!("app ({url}) does not answer as it should")),
    ];
    let alerts: Vec<String> = wrong.iter().map(|(e, what)| said(e, &format!("alert: {what}"))).collect();
    watched.until_told(&alerts, MINUTE, begin);
    let whole = watched.slack.texts().join("\n");
    assert!(whole.contains("it ended by SIGKILL, and was started again"), "{whole}");
    assert!(whole.contains("GET /: no answer within 5 s") && whole.contains("next: ambit alerts ack "), "{whole}");

    // Somebody takes one on.
    let hanging = watched.alerts(&["-e", "hangs"]);
    let number = hanging[0]["id"].as_i64().unwrap().to_string();
    assert!(shop.ok(&["status", "hangs"]).contains(&format!("✗ alert {number}: app ({url}) does not answer")));
    shop.ok(&["alerts", "ack", &number, "--reason", "looking at it"]);
    assert!(shop.ok(&["alerts"]).contains("taken on by ana@example.org: looking at it"));
    assert_eq!(code(&shop.ambit(&["alerts", "ack", &number])), Some(1));
    assert_eq!(code(&shop.ambit(&["alerts", "ack", "99"])), Some(6));
    assert!(shop.ok(&["log", "-n", "3"]).contains("alert.acknowledged"));

    // A daemon that goes on after another one knows what was told.
    shop.machine.kill_daemon();
    shop.machine.start_daemon(&shop.project);
    watched.is_looked_at(&environments);
    std::fs::remove_file(&signals).unwrap();
    let over: Vec<String> = wrong.iter().map(|(e, what)| said(e, &format!("resolved: {what}"))).collect();
    watched.until_told(&over, 3 * MINUTE, begin);

    // A proxy that stops takes every URL along, and is the only thing that is told.
    let begin = Instant::now();
    let proxy = watched.process("run/proxy");
    kill(proxy, Signal::SIGSTOP).unwrap();
    let stopped = environments.map(|e| said(e, "alert: the proxy does not answer"));
    watched.until_told(&stopped, MINUTE, begin);
    kill(proxy, Signal::SIGCONT).unwrap();
    let goes_on = environments.map(|e| said(e, "resolved: the proxy does not answer"));
    watched.until_told(&goes_on, 3 * MINUTE, begin);

    let mut told = watched.told();
    let mut expected = [alerts, over, stopped.to_vec(), goes_on.to_vec()].concat();
    told.sort();
    expected.sort();
    assert_eq!(told, expected, "each thing is told once, and its end once");
    assert!(watched.alerts(&[]).is_empty() && watched.alerts(&["--all"]).len() == 8);

    let metrics = shop.ok(&["metrics"]);
    for family in
        ["ambit_url_up{", "ambit_postgres_connections{", "ambit_requests_total{", "ambit_machine_disk_free_bytes "]
    {
        assert!(metrics.lines().any(|line| line.starts_with(family)), "{family}: {metrics}");
    }
    let kept = rusqlite::Connection::open(shop.machine.folder.path().join("home/metrics.db")).unwrap();
    let share: f64 = kept
        .query_row(
            "SELECT min(value) FROM minute JOIN series ON number = series WHERE environment = 'hangs' AND name LIKE 'uptime/app %'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert!(share < 1.0, "the time that it hung is in its uptime");
}

#[test]
fn what_people_do_to_an_environment_alerts_nobody() {
    let watched = Watched::new(&[("test", "full"), ("other", "none")]);
    let shop = &watched.shop;
    watched.up(&["test"]);

    // One whose new instances take their time, with a migration that does so too.
    shop.with_service_keys("migrate = \"sleep 12\"\n");
    shop.write("app.py", &app("two", "time.sleep(8)", ""));
    shop.commit("two");
    shop.ok(&["deploy", "-e", "test"]);
    assert_eq!(shop.body("test.shop.localhost"), "two");
    shop.ok(&["rollback", "test", "--yes"]);
    shop.ok(&["restore-point", "make", "-e", "test"]);
    shop.ok(&["reset", "-e", "test", "--confirm", "test"]);
    shop.ok(&["upgrade", "--force"]);
    shop.ok(&["down"]);
    // Longer than a fault may last before it is told.
    std::thread::sleep(Duration::from_secs(35));
    shop.up();
    watched.is_looked_at(&["test"]);
    shop.machine.kill_daemon();
    shop.machine.start_daemon(&shop.project);
    watched.is_looked_at(&["test"]);
    std::thread::sleep(Duration::from_secs(35));
    assert!(watched.alerts(&["--all"]).is_empty(), "{:?}", watched.alerts(&["--all"]));
    assert!(watched.told().is_empty());

    // What is brought down while something is wrong is not wrong any more.
    kill(watched.process("keepers/shop/test/redis.1"), Signal::SIGKILL).unwrap();
    until("it is found", || watched.alerts(&[]).len() == 1);
    shop.ok(&["down", "test"]);
    until("it is over", || watched.alerts(&[]).is_empty());
}

#[test]
fn alerts_go_by_mail_and_signed_webhook_again_where_nobody_takes_them_on_and_to_nobody_in_quiet_hours() {
    const SIGNS: &str = "whsec_bm90IGEgc2VjcmV0IGF0IGFsbCwgYSB0ZXN0";
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let mail = runtime.block_on(Smtp::start(Security::Plain, Some(("ambit", "hunter2"))));
    let hook = runtime.block_on(Webhook::start(SIGNS));
    let now = jiff::Zoned::now();
    // Over before this test began tomorrow, and not within its minutes.
    let quiet =
        format!("{} - {}", now.strftime("%H:%M"), now.saturating_sub(jiff::Span::new().minutes(5)).strftime("%H:%M"));
    let shop = Shop::new(
        &["calm", "loud"],
        &format!(
            "[environments.calm]\nkind = \"staging\"\nbranch = \"main\"\n[environments.loud]\nkind = \"staging\"\nbranch = \"main\"\n\
             [services.redis]\n[secrets]\nSMTP = {{}}\nSIGNS = {{}}\n\
             [notifications]\nemail = [\"ops@example.org\"]\nfrom = \"ambit@example.org\"\nsmtp = \"SMTP\"\n\
             webhook = \"{}\"\nwebhook-secret = \"SIGNS\"\nevents = [\"alert\", \"resolved\"]\nlanguage = \"es\"\n\
             [monitoring]\nlevel = \"basic\"\nalert = [\"email\", \"webhook\"]\nquiet = {{ calm = \"{quiet}\" }}\n\
             escalate = {{ loud = {{ after = \"5s\", to = [\"lead@example.org\"] }} }}\n",
            hook.url("/ambit").replace("localhost", "127.0.0.1"),
        ),
    );
    shop.ok(&["secret", "key", "--add"]);
    let secrets = format!("SMTP=smtp://ambit:hunter2@127.0.0.1:{}\nSIGNS={SIGNS}\n", mail.port());
    shop.write("values.env", &secrets);
    for name in ["calm", "loud"] {
        shop.ok(&["secret", "set", "--from", "values.env", "-e", name]);
    }
    std::fs::remove_file(shop.project.join("values.env")).unwrap();
    shop.commit("one");
    shop.up();
    let process = |environment: &str| {
        let file = shop.machine.folder.path().join(format!("home/keepers/shop/{environment}/redis.1/state.json"));
        let state: serde_json::Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        Pid::from_raw(i32::try_from(state["held"]["pid"].as_i64().unwrap()).unwrap())
    };
    let stopped = ["calm", "loud"].map(process);
    stopped.iter().for_each(|pid| kill(*pid, Signal::SIGSTOP).unwrap());

    let open = || shop.json(&["alerts"]).as_array().unwrap().clone();
    until("both are found", || open().len() == 2);
    let told = |who: &str| mail.mails().iter().filter(|m| m.to == [who]).count();
    let (ops, lead) = ("ops@example.org", "lead@example.org");
    until("nobody takes it on, and the lead is told too", || told(lead) >= 1);
    let first = mail.mails()[0].clone();
    assert_eq!(first.to, [ops]);
    assert!(first.data.contains("loud: alerta: Redis no responde"), "{}", first.data);
    let found = open();
    let loud = found.iter().find(|alert| alert["environment"]["environment"] == "loud");
    let loud = loud.unwrap_or_else(|| panic!("{found:?}"))["id"].to_string();
    shop.ok(&["alerts", "ack", &loud, "--reason", "on it"]);
    stopped.iter().for_each(|pid| kill(*pid, Signal::SIGCONT).unwrap());
    until("both are over", || open().is_empty());
    // In which order is not promised.
    let ended = |who: &str| mail.mails().iter().any(|m| m.to == [who] && m.data.contains("loud: resuelto"));
    until("its end is told to both, and to the webhook", || ended(ops) && ended(lead) && hook.accepted().len() >= 3);

    let documents: Vec<serde_json::Value> =
        hook.accepted().iter().map(|request| serde_json::from_slice(&request.body).unwrap()).collect();
    for document in &documents {
        assert!(document.to_string().contains("\"loud\""), "of the calm one nobody is told: {document}");
    }
    assert!(documents.len() >= 3, "alert, again, resolved: {documents:?}");
    assert!(mail.mails().iter().all(|m| !m.data.contains("calm")));
    assert_eq!((hook.refused(), mail.complaints()), (vec![], vec![]));
    assert_eq!(shop.json(&["alerts", "--all"]).as_array().unwrap().len(), 2, "it is in the list of what was");
}
