//! One message to one place: which places an environment has, what opens them, and what is said there.

use ambit_cloud::{
    Http, SendError,
    email::{self, Letter},
    slack,
    webhook::{self, Webhook},
};
use ambit_domain::{
    Announcement, Channel, EnvironmentId, Outgoing,
    monitoring::{headline, over},
    notification::{Markup, Message, default_template},
    sentry::{self, Deploy},
    spec::{Environment, EnvironmentName, Form, Language, Notifications, WebhookUrl},
};
use serde_json::json;

use crate::{address::Address, declaration::Declaration, outside::Tokens, releases_elsewhere::record_release};

/// Everywhere that notifications of an environment go.
pub(crate) fn places(notifications: &Notifications) -> Vec<(Channel, String)> {
    let slack = notifications.slack.iter().map(|_| (Channel::Slack, String::new()));
    let email = notifications.email.iter().flat_map(|e| e.to.iter().map(|to| (Channel::Email, to.clone())));
    let webhook = notifications.webhook.iter().map(|_| (Channel::Webhook, String::new()));
    slack.chain(email).chain(webhook).collect()
}

/// Everywhere that something announced goes: alerts where `[monitoring]` says, everything else to everybody. Where nobody took
/// an alert on, it goes to further people by e-mail.
pub(crate) fn places_of(announcement: &Announcement, environment: &Environment) -> Vec<(Channel, String)> {
    let notifications = &environment.notifications;
    if !notifications.events.contains(&announcement.event) {
        return Vec::new();
    }
    let Some(notice) = &announcement.alert else { return places(notifications) };
    let monitoring = &environment.monitoring;
    let declared = |channel: Channel| monitoring.alert.iter().any(|name| name == channel.name());
    let mut all: Vec<_> = places(notifications).into_iter().filter(|(channel, _)| declared(*channel)).collect();
    if notice.again && notifications.email.is_some() {
        let further = monitoring.escalate.iter().flat_map(|escalate| &escalate.to);
        all.extend(further.map(|to| (Channel::Email, to.clone())));
        all.sort_by(|a, b| (a.0.name(), &a.1).cmp(&(b.0.name(), &b.1)));
        all.dedup();
    }
    all
}

/// What is said, in the form that each channel takes.
pub(crate) struct Words {
    id: String,
    plain: String,
    slack: String,
    webhook: String,
    release: Option<Deploy>,
}

impl Words {
    /// The message of an announcement. `address` is where the environment is reached.
    pub(crate) fn new(outgoing: &Outgoing, environment: &Environment, address: Address) -> Self {
        let Outgoing { id, announced, environment: of, announcement } = outgoing;
        let message = Message {
            environment: of.clone(),
            announcement: in_language(announcement, environment.notifications.language),
            url: announcement.url.clone().or_else(|| url(environment, address)),
            approvers: environment.policy.approvers.clone(),
        };
        let event = announcement.event;
        let notifications = &environment.notifications;
        let own = notifications.templates.get(&event).cloned();
        let template = own.unwrap_or_else(|| default_template(event, notifications.language));
        let plain = message.text(&template, Markup::Plain);
        let webhook = json!({
            "type": event.name(),
            "timestamp": moment(*announced),
            "data": {
                "project": of.project,
                "environment": of.environment,
                "kind": environment.kind,
                "deployment": announcement.deployment,
                "version": announcement.version,
                "commit": announcement.commit,
                "subject": announcement.subject,
                "author": announcement.author,
                "reason": announcement.reason,
                "next": announcement.next,
                "url": message.url,
                "approvers": message.approvers,
                "alert": announcement.alert,
                "text": plain,
            },
        });
        // A machine's own address leads nobody else anywhere.
        let public =
            Some(Address::Public).filter(|_| has_public_names(environment)).and_then(|at| url(environment, at));
        let release = sentry::deploy(environment, outgoing, public);
        let slack = message.text(&template, Markup::Slack);
        Self { id: id.clone(), slack, plain, webhook: webhook.to_string(), release }
    }

    /// A message that only shows that it arrives.
    pub(crate) fn trial(id: &str, at: i64, of: &EnvironmentId, text: String) -> Self {
        let data = json!({ "project": of.project, "environment": of.environment, "text": text });
        let webhook = json!({ "type": "trial", "timestamp": moment(at), "data": data });
        Self { id: id.to_owned(), slack: text.clone(), plain: text, webhook: webhook.to_string(), release: None }
    }
}

/// An alert in a language: what is wrong, or how long it was.
fn in_language(announcement: &Announcement, language: Language) -> Announcement {
    let Some(notice) = &announcement.alert else { return announcement.clone() };
    Announcement {
        version: headline(&notice.check, language),
        reason: notice.lasted.map(|lasted| over(lasted, language)).or_else(|| announcement.reason.clone()),
        ..announcement.clone()
    }
}

pub(crate) fn moment(millis: i64) -> String {
    jiff::Timestamp::from_millisecond(millis).map_or_else(|_| String::new(), |at| format!("{at:.3}"))
}

/// Where people look at an environment: its first site, else its first app.
pub(crate) fn url(environment: &Environment, address: Address) -> Option<String> {
    let with_url = || environment.services.values().filter(|s| !s.urls.is_empty());
    let service = with_url().find(|s| matches!(s.form, Form::Site(_))).or_else(|| with_url().next())?;
    service.urls.first().map(|url| address.url(url))
}

fn has_public_names(environment: &Environment) -> bool {
    environment.services.values().flat_map(|s| &s.urls).all(|url| !url.host.ends_with(".localhost"))
}

/// Who is told, and what opens the services around.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) channel: Channel,
    /// The address, for e-mail.
    pub(crate) recipient: &'a str,
    pub(crate) tokens: &'a Tokens,
}

/// Says it in one place.
pub(crate) async fn tell(
    declaration: &Declaration,
    environment: &Environment,
    place: Place<'_>,
    words: &Words,
) -> Result<(), SendError> {
    let Place { channel, recipient, tokens } = place;
    let notifications = &environment.notifications;
    let secret = |name: &str| secret(declaration, &environment.name, name);
    let http = || Http::new().map_err(|e| later(e.to_string()));
    match channel {
        Channel::Slack => {
            let name = notifications.slack.as_ref().ok_or_else(undeclared)?;
            slack::send(&http()?, &secret(name)?, &words.slack).await
        }
        Channel::Email => {
            let further = environment.monitoring.escalate.iter().flat_map(|escalate| &escalate.to);
            let declared = notifications.email.as_ref();
            let declared = declared.filter(|e| e.to.iter().chain(further).any(|to| to == recipient));
            let declared = declared.ok_or_else(undeclared)?;
            let letter = Letter {
                from: &declared.from,
                to: recipient,
                subject: words.plain.lines().next().unwrap_or_default(),
                text: &words.plain,
                id: &words.id,
            };
            email::send(&secret(&declared.smtp)?, &letter).await
        }
        Channel::Github => Err(SendError::Refused { why: "GitHub is told of deployments alone".to_owned() }),
        Channel::Webhook => {
            let declared = notifications.webhook.as_ref().ok_or_else(undeclared)?;
            let url = match &declared.url {
                WebhookUrl::Plain(url) => url.clone(),
                WebhookUrl::Secret(name) => secret(name)?,
            };
            let webhook = Webhook { url: &url, secret: &secret(&declared.secret)? };
            webhook::send(&http()?, &webhook, &words.id, words.webhook.clone()).await
        }
        Channel::Sentry => record_release(declaration, words.release.as_ref(), tokens).await,
    }
}

/// Without what it needs a message waits: somebody may set it.
fn secret(declaration: &Declaration, environment: &EnvironmentName, name: &str) -> Result<String, SendError> {
    match declaration.secret(environment, name) {
        Ok(Some(value)) => Ok(value),
        Ok(None) => Err(later(format!(
            "the secret {name} is not set in {environment}: ambit secret set {name} -e {environment}"
        ))),
        Err(failure) => Err(later(failure.message)),
    }
}

pub(crate) fn later(why: String) -> SendError {
    SendError::Later { why, after: None }
}

fn undeclared() -> SendError {
    SendError::Refused { why: "it is no longer declared in [notifications]".to_owned() }
}
