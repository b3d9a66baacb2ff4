//! From an announcement to the places that are told, with test servers that check what they get.

mod github;

use std::{
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use ambit_domain::{
    Announcement, Channel, Delivery, DeliveryState, DeploymentId, EnvironmentId, Home, Outgoing,
    spec::{EnvironmentName, Occasion},
};
use ambit_secrets::{Recipients, Secret, SecretsFile, keys};
use ambit_simulators::{Fault, Security, Sentry, Slack, Smtp, Webhook, contract};

use crate::{Ambit, Surroundings, TryNotifications, ambit::now};

const SIGNING: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A project with a daemon's insides that run until they are dropped.
struct Team {
    folder: tempfile::TempDir,
    keys: String,
    ambit: Arc<Ambit>,
    at_work: tokio::task::AbortHandle,
}

impl Drop for Team {
    fn drop(&mut self) {
        self.at_work.abort();
    }
}

fn prod() -> EnvironmentId {
    EnvironmentId { project: "shop".parse().unwrap(), environment: "prod".parse().unwrap() }
}

fn open(folder: &Path) -> Arc<Ambit> {
    let surroundings = Surroundings {
        program: "/nonexistent".into(),
        path: Vec::new(),
        build_variables: Vec::new(),
        listen: ([127, 0, 0, 1], 8080).into(),
        keys: |_| String::new(),
    };
    Arc::new(Ambit::open(Home::new(folder.join("home")), surroundings).unwrap())
}

fn start(ambit: &Arc<Ambit>) -> tokio::task::AbortHandle {
    tokio::spawn(Arc::clone(ambit).deliver()).abort_handle()
}

impl Team {
    /// `secrets` are declared and set; `toml` is the section of notifications.
    fn new(toml: &str, secrets: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let identity = keys::generate();
        let recipient = keys::recipient_of(&identity);
        let declared: String = secrets.iter().map(|(name, _)| format!("{name} = {{}}\n")).collect();
        let text = format!(
            "project = \"shop\"\nrecipients = [\"{recipient}\"]\n[environments.prod]\napprovers = [\"lead@shop.example\"]\n\
             [services.web]\nstatic = \"web\"\nurl = \"@\"\n{toml}\n[secrets]\n{declared}"
        );
        std::fs::write(folder.path().join("ambit.toml"), text).unwrap();
        let key_file = folder.path().join("key.txt");
        keys::store(&key_file, &identity).unwrap();
        let ambit = open(folder.path());
        ambit.store.set_project_folder(&prod().project, folder.path()).unwrap();
        let keys = std::fs::read_to_string(key_file).unwrap();
        ambit.remember_keys(&prod().project, &keys);
        let at_work = start(&ambit);
        let team = Self { folder, keys, ambit, at_work };
        for (name, value) in secrets.iter().filter(|(_, value)| !value.is_empty()) {
            team.set(name, value);
        }
        team
    }

    fn set(&self, name: &str, value: &str) {
        let path = self.folder.path().join("ambit.secrets");
        let recipient = ambit_secrets::Identities::parse(&self.keys).unwrap().public_keys().next().unwrap();
        let recipients = Recipients::parse(&[recipient]).unwrap();
        let mut file = SecretsFile::load(&path).unwrap().unwrap_or_default();
        file.set(&prod().environment, name, &Secret::from(value.to_owned()), &recipients).unwrap();
        file.store(&path).unwrap();
    }

    fn announce(&self, deployment: u64, change: impl FnOnce(&mut Announcement)) {
        let mut announcement = Announcement::new(Occasion::Deployed, DeploymentId(deployment), "v1.2.0");
        change(&mut announcement);
        self.ambit.announce(&prod(), announcement);
    }

    fn listed(&self) -> Vec<(Outgoing, Delivery)> {
        self.ambit.notifications(&prod().project, None::<&EnvironmentName>, 100).unwrap()
    }

    /// Waits for a delivery to be as it should, and makes pauses pass at once meanwhile.
    async fn until(&self, channel: Channel, hurry: bool, wanted: impl Fn(&Delivery) -> bool) -> Delivery {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            let listed = self.listed();
            if let Some((_, delivery)) = listed.iter().find(|(_, d)| d.channel == Some(channel) && wanted(d)) {
                return delivery.clone();
            }
            assert!(Instant::now() < end, "{channel:?} does not get there: {listed:#?}");
            // Those that pause are not at work.
            let pausing =
                |d: &Delivery| d.state == DeliveryState::Waiting && d.attempts > 0 && d.due > now() + 100 && hurry;
            for (_, delivery) in listed.into_iter().filter(|(_, d)| pausing(d)) {
                self.ambit.store.set_delivery(&Delivery { due: now(), ..delivery }).unwrap();
                self.ambit.announced.notify_one();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn sent(delivery: &Delivery) -> bool {
    delivery.state == DeliveryState::Sent
}

#[tokio::test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
async fn everybody_is_told_in_the_teams_words() {
    let schema = contract("slack/incoming-webhook.schema.json");
    let slack = Slack::start(schema.as_deref(), None).await;
    let mail = Smtp::start(Security::Plain, Some(("ana", "hunter2"))).await;
    let receiver = Webhook::start(SIGNING).await;
    let team = Team::new(
        &format!(
            "[notifications]\nslack = \"SLACK\"\nemail = [\"lead@shop.example\", \"qa@shop.example\"]\n\
             from = \"ambit@shop.example\"\nsmtp = \"SMTP\"\nwebhook = \"{}\"\nwebhook-secret = \"SIGNING\"\n\
             [notifications.templates]\ndeployed = \"\"\"\n*{{project}}* {{version}} en {{environment}}\n{{subject}}\n{{url}}\"\"\"",
            receiver.url("/ambit")
        ),
        &[
            ("SLACK", &slack.webhook()),
            ("SMTP", &format!("smtp://ana:hunter2@127.0.0.1:{}", mail.port())),
            ("SIGNING", SIGNING),
        ],
    );
    team.announce(7, |a| a.subject = Some("Fix <!channel> & co\r\nBcc: eve@example.org".to_owned()));
    slack.wait_for(1).await;
    assert_eq!(
        slack.texts(),
        ["*shop* v1.2.0 en prod\nFix &lt;!channel&gt; &amp; co  Bcc: eve@example.org\nhttp://shop.localhost:8080"]
    );
    let mut letters = mail.wait_for(2).await;
    letters.sort_by_key(|letter| letter.to.clone());
    assert_eq!([&letters[0].to[..], &letters[1].to[..]], [["lead@shop.example"], ["qa@shop.example"]]);
    assert_eq!(letters[0].header("Subject"), Some("*shop* v1.2.0 en prod"));
    assert_eq!(letters[0].header("Bcc"), None);
    let called = receiver.wait_for(1).await[0].json();
    assert_eq!(called["type"], "deployed");
    assert_eq!(called["data"]["deployment"], 7);
    assert_eq!(called["data"]["approvers"], serde_json::json!(["lead@shop.example"]));
    for channel in [Channel::Slack, Channel::Email, Channel::Webhook] {
        team.until(channel, false, sent).await;
    }
    assert!(mail.complaints().is_empty() && slack.refused().is_empty(), "{:?}", mail.complaints());
}

#[tokio::test]
async fn a_place_that_fails_is_told_again_and_holds_up_no_other() {
    let slack = Slack::start(None, None).await;
    let receiver = Webhook::start(SIGNING).await;
    slack.fail([Fault::Status(500), Fault::TooMany("1".into()), Fault::Close]);
    receiver.fail([Fault::Hang]);
    let team = Team::new(
        &format!(
            "[notifications]\nslack = \"SLACK\"\nwebhook = \"{}\"\nwebhook-secret = \"SIGNING\"",
            receiver.url("/")
        ),
        &[("SLACK", &slack.webhook()), ("SIGNING", SIGNING)],
    );
    let start = Instant::now();
    team.announce(1, |_| {});
    assert!(start.elapsed() < Duration::from_secs(2), "to announce is to write a row");
    let delivery = team.until(Channel::Slack, true, sent).await;
    assert_eq!((delivery.attempts, delivery.error), (4, None));
    assert_eq!(slack.texts().len(), 1);
    let webhook = team.until(Channel::Webhook, false, |_| true).await;
    assert_eq!(webhook.state, DeliveryState::Waiting, "it hangs while Slack was told");
}

#[tokio::test]
async fn a_pause_that_is_asked_for_is_kept() {
    let slack = Slack::start(None, None).await;
    slack.fail([Fault::TooMany("300".into())]);
    let team = Team::new("[notifications]\nslack = \"SLACK\"", &[("SLACK", &slack.webhook())]);
    let before = now();
    team.announce(1, |_| {});
    let delivery = team.until(Channel::Slack, false, |d| d.attempts == 1).await;
    assert!(delivery.due >= before + 300_000, "{delivery:?}");
    assert_eq!(delivery.error.as_deref(), Some("Slack answered 429"));
}

#[tokio::test]
async fn what_is_refused_is_given_up_in_the_open_and_no_secret_is_written_down() {
    let slack = Slack::start(None, None).await;
    let mail = Smtp::start(Security::Plain, Some(("ana", "swordfish"))).await;
    let team = Team::new(
        "[notifications]\nslack = \"SLACK\"\nemail = [\"lead@shop.example\"]\nfrom = \"a@shop.example\"\nsmtp = \"SMTP\"",
        &[
            ("SLACK", &slack.url("/services/T/B/hunter2")),
            ("SMTP", &format!("smtp://ana:correct-horse@127.0.0.1:{}", mail.port())),
        ],
    );
    team.announce(1, |_| {});
    let given_up = |d: &Delivery| d.state == DeliveryState::GivenUp;
    let delivery = team.until(Channel::Slack, false, given_up).await;
    assert_eq!(delivery.error.as_deref(), Some("Slack answered 404 no_service"));
    let delivery = team.until(Channel::Email, false, given_up).await;
    assert!(delivery.error.as_ref().is_some_and(|e| e.contains("535")), "{delivery:?}");
    for file in ["state.db", "state.db-wal"] {
        let bytes = std::fs::read(team.folder.path().join("home").join(file)).unwrap();
        for secret in ["hunter2", "correct-horse"] {
            assert!(!bytes.windows(secret.len()).any(|w| w == secret.as_bytes()), "{file} holds {secret}");
        }
    }
}

#[tokio::test]
async fn a_secret_that_is_set_late_is_in_time() {
    let slack = Slack::start(None, None).await;
    let team = Team::new("[notifications]\nslack = \"SLACK\"", &[("SLACK", "")]);
    team.announce(1, |_| {});
    let delivery = team.until(Channel::Slack, false, |d| d.attempts == 1).await;
    let why = "the secret SLACK is not set in prod: ambit secret set SLACK -e prod";
    assert_eq!(delivery.error.as_deref(), Some(why));
    team.set("SLACK", &slack.webhook());
    team.until(Channel::Slack, true, sent).await;
}

#[tokio::test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
async fn a_release_is_recorded_at_sentry_whoever_else_is_told() {
    let Some(document) = contract("sentry/openapi.json") else { return };
    let server = Sentry::start("shop", "app", &document).await.unwrap();
    let toml = format!(
        "[notifications]\nevents = [\"failed\"]\n\
         [providers.sentry]\norganization = \"shop\"\nproject = \"app\"\nendpoint = \"{}\"\n",
        server.base()
    );
    let team = Team::new(&toml, &[("SENTRY_AUTH_TOKEN", "")]);
    team.announce(7, |a| a.commit = Some("0123456789abcdef0123456789abcdef01234567".to_owned()));
    let delivery = team.until(Channel::Sentry, false, |d| d.attempts == 1).await;
    let error = delivery.error.unwrap();
    assert!(error.contains("ambit secret set SENTRY_AUTH_TOKEN"), "{error}");
    team.set("SENTRY_AUTH_TOKEN", server.weak_token());
    let weak = |d: &Delivery| d.error.as_ref().is_some_and(|e| e.contains("project:releases"));
    team.until(Channel::Sentry, true, weak).await;
    // The answer to the last request is never heard: it is looked up before it is asked again.
    server.fail_after(2, Fault::CloseAfter);
    team.set("SENTRY_AUTH_TOKEN", server.token());
    team.until(Channel::Sentry, true, sent).await;
    assert_eq!(server.deploys(), ["v1.2.0 production prod 7"]);
    assert!(server.releases()[0]["deploys"][0].get("url").is_none(), "nobody else reaches a .localhost");
    team.announce(8, |a| a.event = Occasion::Failed);
    team.announce(9, |a| a.version = "../x".to_owned());
    let refused = team.until(Channel::Sentry, true, |d| d.state == DeliveryState::GivenUp).await;
    assert!(refused.error.unwrap().contains("neither the version nor the commit"));
    assert_eq!(server.deploys().len(), 1);
}

#[tokio::test]
async fn nobody_is_told_of_what_nobody_asked_for() {
    let slack = Slack::start(None, None).await;
    let toml = "[notifications]\nslack = \"SLACK\"\nevents = [\"failed\"]";
    let team = Team::new(toml, &[("SLACK", &slack.webhook())]);
    team.announce(1, |_| {});
    team.announce(2, |a| a.event = Occasion::Failed);
    team.announce(2, |a| a.event = Occasion::Failed);
    team.until(Channel::Slack, false, sent).await;
    let told = team.listed();
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!(told[0].0.announcement.deployment, Some(DeploymentId(2)));
}

#[tokio::test]
async fn a_trial_tells_what_came_of_each_place() {
    let slack = Slack::start(None, None).await;
    let receiver = Webhook::start(SIGNING).await;
    receiver.fail([Fault::Status(500)]);
    let team = Team::new(
        &format!(
            "[notifications]\nslack = \"SLACK\"\nlanguage = \"es\"\nwebhook = \"{}\"\nwebhook-secret = \"SIGNING\"",
            receiver.url("/")
        ),
        &[("SLACK", &slack.webhook()), ("SIGNING", SIGNING)],
    );
    let request = |environment: &str| TryNotifications {
        folder: team.folder.path().to_path_buf(),
        environment: environment.to_owned(),
        keys: team.keys.clone(),
    };
    let tried = team.ambit.try_notifications(&request("prod")).await.unwrap();
    let outcomes: Vec<_> = tried.iter().map(|t| (t.channel, t.error.as_deref())).collect();
    assert_eq!(outcomes, [(Channel::Slack, None), (Channel::Webhook, Some("the receiver answered 500"))]);
    assert_eq!(slack.texts(), ["shop/prod: aquí llegan las notificaciones de Ambit"]);
    assert!(team.ambit.try_notifications(&request("pord")).await.unwrap_err().hints[0].contains("prod"));
}

/// The test runs itself again as the daemon that is killed.
#[tokio::test]
async fn what_was_announced_survives_the_death_of_the_daemon() {
    const FOLDER: &str = "AMBIT_TEST_FOLDER";
    if let Ok(folder) = std::env::var(FOLDER) {
        let folder = Path::new(&folder);
        let ambit = open(folder);
        ambit.remember_keys(&prod().project, &std::fs::read_to_string(folder.join("key.txt")).unwrap());
        let _at_work = start(&ambit);
        ambit.announce(&prod(), Announcement::new(Occasion::Deployed, DeploymentId(1), "v1"));
        return std::future::pending().await;
    }
    let receiver = Webhook::start(SIGNING).await;
    // It arrives, and the daemon dies before it hears of that.
    receiver.fail([Fault::CloseAfter]);
    let toml = format!("[notifications]\nwebhook = \"{}\"\nwebhook-secret = \"SIGNING\"", receiver.url("/"));
    let team = Team::new(&toml, &[("SIGNING", SIGNING)]);
    team.at_work.abort();
    let mut daemon = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "deliver::tests::what_was_announced_survives_the_death_of_the_daemon"])
        .env(FOLDER, team.folder.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    receiver.wait_for(1).await;
    daemon.kill().unwrap();
    assert_eq!(daemon.wait().unwrap().signal(), Some(9));
    let _at_work = start(&team.ambit);
    team.until(Channel::Webhook, true, sent).await;
    let ids = receiver.ids();
    assert_eq!(ids.len(), 2, "at least once: the first answer was never heard");
    assert_eq!(ids[0], ids[1], "the receiver can tell that it is the same");
}
