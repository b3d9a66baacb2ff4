//! `[notifications]` of one environment: who is told of what, in which words. Targets that open something (an incoming
//! webhook, a mail server with its password) are named by the secret that holds them.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::{
    diagnostic::Diagnostic,
    format::{NOTIFICATIONS, Takes},
    model::Environment,
    project::{key, section},
    reader::{Reader, shown},
    syntax::{Item, Node},
    template::{Placeholder, Template},
    variables::{undeclared_secret, within},
};

/// What is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Occasion {
    /// A release serves.
    Deployed,
    /// A deployment failed.
    Failed,
    /// A deployment waits for an approval.
    Waiting,
    /// The environment went back to an earlier release.
    RolledBack,
    /// QA has something new to test.
    TestBuild,
    /// A backup could not be made, or a drill could not restore it.
    BackupFailed,
    /// A build of the mobile app can be installed.
    BuildPublished,
    /// QA rejected a release or a build of the mobile app.
    QaRejected,
    /// A service around is not as declared any more.
    Drift,
    /// The environments cost more than they may.
    OverBudget,
    /// Monitoring found something wrong.
    Alert,
    /// What an alert told of is over.
    Resolved,
    /// A deployment is carried out. Only services are told, no people.
    Began,
    /// It came to nothing, or changed nothing. Only services are told, no people.
    Ended,
    /// A pull request was looked at. Only services are told, no people.
    Checked,
}

impl Occasion {
    /// Every occasion that people are told of, in the order in which they read them.
    pub const ALL: [Self; 12] = [
        Self::Deployed,
        Self::Failed,
        Self::Waiting,
        Self::RolledBack,
        Self::TestBuild,
        Self::BackupFailed,
        Self::BuildPublished,
        Self::QaRejected,
        Self::Drift,
        Self::Alert,
        Self::Resolved,
        Self::OverBudget,
    ];

    /// Its name in the file, on screens and in webhooks.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Deployed => "deployed",
            Self::Failed => "failed",
            Self::Waiting => "waiting",
            Self::RolledBack => "rolled-back",
            Self::TestBuild => "test-build",
            Self::BackupFailed => "backup-failed",
            Self::BuildPublished => "build-published",
            Self::QaRejected => "qa-rejected",
            Self::Drift => "drift",
            Self::Began => "began",
            Self::Ended => "ended",
            Self::Checked => "checked",
            Self::Alert => "alert",
            Self::Resolved => "resolved",
            Self::OverBudget => "over-budget",
        }
    }

    /// The occasion with a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|occasion| occasion.name() == name)
    }
}

/// The language of the texts that the team did not write itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Language {
    /// `en`
    #[default]
    English,
    /// `es`
    Spanish,
}

/// Who is told of deployments into an environment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notifications {
    /// The secret that holds the URL of a Slack incoming webhook.
    pub slack: Option<String>,
    /// E-mail.
    pub email: Option<Email>,
    /// A URL that is called.
    pub webhook: Option<Webhook>,
    /// What is told.
    pub events: Vec<Occasion>,
    /// The language of the texts that the team did not write.
    pub language: Language,
    /// The team's own texts.
    pub templates: IndexMap<Occasion, Template>,
}

/// E-mail to some addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Email {
    /// Who is written to.
    pub to: Vec<String>,
    /// The sender.
    pub from: String,
    /// The secret that holds the mail server, its user and password as a URL.
    pub smtp: String,
}

/// A URL that is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// Where it is.
    pub url: WebhookUrl,
    /// The secret that calls are signed by.
    pub secret: String,
}

/// Where a webhook is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WebhookUrl {
    /// Said in the file.
    Plain(String),
    /// Held by a secret, where knowing it is enough to call it.
    Secret(String),
}

impl Notifications {
    /// The secrets that only sending needs.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        let email = self.email.as_ref().map(|e| e.smtp.as_str());
        let url = self.webhook.as_ref().and_then(|w| match &w.url {
            WebhookUrl::Secret(name) => Some(name.as_str()),
            WebhookUrl::Plain(_) => None,
        });
        let signing = self.webhook.as_ref().map(|w| w.secret.as_str());
        [self.slack.as_deref(), email, url, signing].into_iter().flatten()
    }
}

pub(crate) fn read(reader: &mut Reader, root: &Node, environment: &str) -> Notifications {
    let Some(node) = root.get("notifications") else { return Notifications::default() };
    if !section(reader, node, NOTIFICATIONS, "[notifications]") {
        return Notifications::default();
    }
    let language = node.get("language").and_then(|n| reader.one_of(n, "language", &["en", "es"]));
    Notifications {
        slack: words(reader, node, "slack", environment),
        email: email(reader, node, environment),
        webhook: webhook(reader, node, environment),
        events: events(reader, node, environment),
        language: if language == Some("es") { Language::Spanish } else { Language::English },
        templates: templates(reader, node),
    }
}

fn words(reader: &mut Reader, node: &Node, name: &str, environment: &str) -> Option<String> {
    let (node, _) = reader.pick(node, key(NOTIFICATIONS, name), environment)?;
    reader.words(node, name)
}

fn email(reader: &mut Reader, node: &Node, environment: &str) -> Option<Email> {
    let from = words(reader, node, "from", environment);
    let smtp = words(reader, node, "smtp", environment);
    if let Some(from) = &from {
        address(reader, node.get("from")?, from);
    }
    let (list, _) = reader.pick(node, key(NOTIFICATIONS, "email"), environment)?;
    let to = reader.texts(list, "email")?;
    if let Item::List(list) = &list.item {
        for (one, text) in list.iter().filter_map(|n| Some((n, n.scalar()?))) {
            address(reader, one, &text);
        }
    }
    if to.is_empty() {
        return None;
    }
    for (name, missing) in [("from", from.is_none()), ("smtp", smtp.is_none())] {
        if missing {
            let help = match name {
                "from" => "add the sender's address: from = \"ambit@example.org\"",
                _ => "add the name of the secret that holds the mail server: smtp = \"SMTP_URL\"",
            };
            reader.tell(
                Diagnostic::error(list.span.clone(), format!("`email` needs `{name}` in [notifications]")).help(help),
            );
        }
    }
    Some(Email { to, from: from?, smtp: smtp? })
}

/// RFC 5321 in outline: what is wrong in detail, the mail server tells.
pub(crate) fn address(reader: &mut Reader, node: &Node, text: &str) {
    let sound = text.split_once('@').is_some_and(|(local, domain)| {
        let plain = |c: char| !c.is_control() && !c.is_whitespace() && !"<>,;:\"()[]\\@".contains(c);
        !local.is_empty() && !domain.is_empty() && local.chars().all(plain) && domain.chars().all(plain)
    });
    if !sound {
        reader.error(&node.span, format!("`{}` is not an e-mail address", shown(text)));
    }
}

fn webhook(reader: &mut Reader, node: &Node, environment: &str) -> Option<Webhook> {
    let secret = words(reader, node, "webhook-secret", environment);
    let (place, _) = reader.pick(node, key(NOTIFICATIONS, "webhook"), environment)?;
    let text = reader.words(place, "webhook")?;
    let url = if text.contains("://") {
        if !is_url(&text) {
            reader.error(&place.span, format!("`{}` is not a URL that can be called", shown(&text)));
        }
        WebhookUrl::Plain(text)
    } else {
        WebhookUrl::Secret(text)
    };
    if secret.is_none() {
        reader.tell(
            Diagnostic::error(place.span.clone(), "`webhook` needs `webhook-secret` in [notifications]")
                .help("add the name of the secret that calls are signed by: webhook-secret = \"WEBHOOK_SECRET\""),
        );
    }
    Some(Webhook { url, secret: secret? })
}

fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| {
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        !host.is_empty() && !host.contains('@') && rest.chars().all(|c| c.is_ascii_graphic())
    })
}

fn events(reader: &mut Reader, node: &Node, environment: &str) -> Vec<Occasion> {
    let Some((list, _)) = reader.pick(node, key(NOTIFICATIONS, "events"), environment) else {
        return Occasion::ALL.to_vec();
    };
    let Item::List(entries) = &list.item else {
        reader.texts(list, "events");
        return Vec::new();
    };
    let known = Occasion::ALL.map(Occasion::name);
    let mut all = Vec::new();
    for one in entries {
        let Some(text) = reader.words(one, "events") else { continue };
        match Occasion::named(&text) {
            Some(occasion) if all.contains(&occasion) => {}
            Some(occasion) => all.push(occasion),
            None => reader.unknown(&one.span, &format!("unknown event `{}`", shown(&text)), &text, &known),
        }
    }
    all
}

fn templates(reader: &mut Reader, node: &Node) -> IndexMap<Occasion, Template> {
    let mut all = IndexMap::new();
    let Some(table) = node.get("templates") else { return all };
    let (Some(entries), Takes::Table(keys)) = (table.table(), key(NOTIFICATIONS, "templates").takes) else {
        reader.error(&table.span, format!("`templates` takes a table, not {}", table.kind()));
        return all;
    };
    reader.known_keys(entries, keys, "[notifications.templates]");
    for entry in entries {
        let Some(occasion) = Occasion::named(&entry.key) else { continue };
        let Some(text) = reader.words(&entry.node, &entry.key) else { continue };
        match text.parse::<Template>() {
            Ok(template) => drop(all.insert(occasion, template)),
            Err(error) => {
                let span = within(&entry.node, &text, &error.at);
                match &error.unknown {
                    Some(name) => {
                        reader.unknown(&span, &error.why, name, &Placeholder::ALL.map(Placeholder::name));
                    }
                    None => reader.error(&span, format!("`{}`: {}", entry.key, error.why)),
                }
            }
        }
    }
    all
}

/// Every secret that is named has to be declared for the environment.
pub(crate) fn check(reader: &mut Reader, root: &Node, environment: &Environment) {
    let Some(node) = root.get("notifications") else { return };
    let names: Vec<&str> = environment.notifications.secrets().collect();
    for name in ["slack", "smtp", "webhook", "webhook-secret"] {
        let Some((place, _)) = reader.pick(node, key(NOTIFICATIONS, name), environment.name.as_str()) else { continue };
        let Item::Text(secret) = &place.item else { continue };
        if !names.contains(&secret.as_str()) || environment.has_secret(secret) {
            continue;
        }
        reader.tell(undeclared_secret(name, secret, place.span.clone(), environment));
    }
}
