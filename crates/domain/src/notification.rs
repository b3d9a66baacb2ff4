//! What is told of a deployment, and in which words. The words of commits and errors come from elsewhere: they stay on
//! one line, are bounded, and hold nothing that a terminal, a mail or a chat would obey.

use serde::{Deserialize, Serialize};

use crate::{
    ids::{DeploymentId, EnvironmentId},
    monitoring::Notice,
    spec::{Language, Occasion, Placeholder, Template, TemplatePiece},
};

/// Longest value of a placeholder, in characters.
const LONGEST: usize = 1000;

/// Something to be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// What happened.
    pub event: Occasion,
    /// The deployment that it happened to, where it is one.
    pub deployment: Option<DeploymentId>,
    /// What people call the release: a tag, or the first digits of the commit. Of a backup its name, of an alert what is wrong.
    pub version: String,
    /// The whole hash of the commit.
    pub commit: Option<String>,
    /// The first line of its message.
    pub subject: Option<String>,
    /// Who wrote it.
    pub author: Option<String>,
    /// Why it happened. Never a secret.
    pub reason: Option<String>,
    /// What to do next, often a command.
    pub next: Option<String>,
    /// Where it is looked at, if that is not the environment's own address.
    #[serde(default)]
    pub url: Option<String>,
    /// The alert that it is about, where it is about one.
    #[serde(default)]
    pub alert: Option<Notice>,
}

impl Announcement {
    /// Something that happened to a deployment of a version.
    pub fn new(event: Occasion, deployment: impl Into<Option<DeploymentId>>, version: impl Into<String>) -> Self {
        Self {
            event,
            deployment: deployment.into(),
            version: version.into(),
            commit: None,
            subject: None,
            author: None,
            reason: None,
            next: None,
            url: None,
            alert: None,
        }
    }
}

/// An announcement with what its environment adds to it.
#[derive(Debug, Clone)]
pub struct Message {
    /// The environment.
    pub environment: EnvironmentId,
    /// What is told.
    pub announcement: Announcement,
    /// Where the environment is reached.
    pub url: Option<String>,
    /// Who may approve.
    pub approvers: Vec<String>,
}

/// What values are made harmless for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Markup {
    /// Text as it is.
    Plain,
    /// Slack's `mrkdwn`, where `&`, `<` and `>` mean something: a commit must not call a whole channel.
    Slack,
}

impl Message {
    /// The text of the message. A line in which every placeholder is empty is left out.
    #[must_use]
    pub fn text(&self, template: &Template, markup: Markup) -> String {
        let lines = template.lines.iter().filter_map(|line| self.line(line, markup));
        lines.collect::<Vec<_>>().join("\n").trim().to_owned()
    }

    fn line(&self, pieces: &[TemplatePiece], markup: Markup) -> Option<String> {
        let mut line = String::new();
        let (mut named, mut said) = (false, false);
        for piece in pieces {
            match piece {
                TemplatePiece::Words(words) => line.push_str(words),
                TemplatePiece::Placeholder(placeholder) => {
                    let value = harmless(&self.value(*placeholder), markup);
                    named = true;
                    said |= !value.is_empty();
                    line.push_str(&value);
                }
            }
        }
        (said || !named).then(|| line.trim_end().to_owned())
    }

    fn value(&self, placeholder: Placeholder) -> String {
        let Announcement { version, commit, subject, author, reason, next, deployment, .. } = &self.announcement;
        let given = |text: &Option<String>| text.clone().unwrap_or_default();
        match placeholder {
            Placeholder::Project => self.environment.project.to_string(),
            Placeholder::Environment => self.environment.environment.to_string(),
            Placeholder::Version => version.clone(),
            Placeholder::Commit => given(commit).chars().take(7).collect(),
            Placeholder::Subject => given(subject),
            Placeholder::Author => given(author),
            Placeholder::Reason => given(reason),
            Placeholder::Url => given(&self.url),
            Placeholder::Deployment => deployment.map(|d| d.to_string()).unwrap_or_default(),
            Placeholder::Approvers => self.approvers.join(", "),
            Placeholder::Next => given(next),
        }
    }
}

/// A value on one line, bounded, without control characters and without those that turn the order of text around.
pub(crate) fn one_line(value: &str) -> String {
    let turns = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    let plain: String = value.chars().filter(|c| !turns(*c)).map(|c| if breaks(c) { ' ' } else { c }).collect();
    let mut short: String = plain.trim().chars().take(LONGEST).collect();
    if short.len() < plain.trim().len() {
        short.push('…');
    }
    short
}

/// The same, which means nothing in that markup.
fn harmless(value: &str, markup: Markup) -> String {
    let short = one_line(value);
    match markup {
        Markup::Plain => short,
        // https://docs.slack.dev/messaging/formatting-message-text: these three and no others.
        Markup::Slack => short.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"),
    }
}

/// The text for an occasion where the team gave none.
#[must_use]
pub fn default_template(occasion: Occasion, language: Language) -> Template {
    let text = match (language, occasion) {
        (Language::English, Occasion::Deployed) => {
            "{project} {environment}: {version} is live\n{commit} {subject}\nby {author}\n{url}"
        }
        (Language::English, Occasion::Failed) => {
            "{project} {environment}: the deployment of {version} failed\n{reason}\n{commit} {subject}\nby {author}\nnext: {next}"
        }
        (Language::English, Occasion::Waiting) => {
            "{project} {environment}: {version} waits for approval\n{commit} {subject}\nby {author}\n{reason}\n\
             may approve: {approvers}\nnext: {next}"
        }
        (Language::English, Occasion::RolledBack) => {
            "{project} {environment}: went back to {version}\n{reason}\n{commit} {subject}\n{url}\nnext: {next}"
        }
        (Language::English, Occasion::TestBuild) => {
            "{project} {environment}: {version} is ready to be tested\n{commit} {subject}\nby {author}\n{url}\nnext: {next}"
        }
        (Language::English, Occasion::BackupFailed) => {
            "{project} {environment}: the backup {version} failed\n{reason}\nnext: {next}"
        }
        (Language::English, Occasion::BuildPublished) => {
            "{project} {environment}: build {version} can be installed\n{commit} {subject}\nby {author}\n{url}\nnext: {next}"
        }
        (Language::English, Occasion::QaRejected) => {
            "{project} {environment}: QA rejected {version}\n{reason}\nby {author}\n{commit} {subject}\n{url}"
        }
        (Language::English, Occasion::Drift) => {
            "{project} {environment}: {version} are not as declared\n{reason}\nnext: {next}"
        }
        (Language::English, Occasion::Alert) => {
            "{project} {environment}: alert: {version}\n{reason}\n{url}\nnext: {next}"
        }
        (Language::English, Occasion::Resolved) => "{project} {environment}: resolved: {version}\n{reason}\n{url}",
        (Language::Spanish, Occasion::Alert) => {
            "{project} {environment}: alerta: {version}\n{reason}\n{url}\nsiguiente paso: {next}"
        }
        (Language::Spanish, Occasion::Resolved) => "{project} {environment}: resuelto: {version}\n{reason}\n{url}",
        (Language::English, Occasion::OverBudget) => {
            "{project}: the environments cost more than the budget\n{reason}\nnext: {next}\nbudget: {version}"
        }
        (Language::Spanish, Occasion::OverBudget) => {
            "{project}: los ambientes cuestan más que el presupuesto\n{reason}\nsiguiente paso: {next}\npresupuesto: {version}"
        }
        (Language::Spanish, Occasion::Drift) => {
            "{project} {environment}: {version} no están como se declaró\n{reason}\nsiguiente paso: {next}"
        }
        (_, Occasion::Began | Occasion::Ended | Occasion::Checked) => "{project} {environment}: {version}",
        (Language::Spanish, Occasion::BuildPublished) => {
            "{project} {environment}: ya se puede instalar la build {version}\n{commit} {subject}\npor {author}\n{url}\n\
             siguiente paso: {next}"
        }
        (Language::Spanish, Occasion::QaRejected) => {
            "{project} {environment}: QA rechazó {version}\n{reason}\npor {author}\n{commit} {subject}\n{url}"
        }
        (Language::Spanish, Occasion::BackupFailed) => {
            "{project} {environment}: falló la copia de seguridad {version}\n{reason}\nsiguiente paso: {next}"
        }
        (Language::Spanish, Occasion::Deployed) => {
            "{project} {environment}: {version} ya está en funcionamiento\n{commit} {subject}\npor {author}\n{url}"
        }
        (Language::Spanish, Occasion::Failed) => {
            "{project} {environment}: falló el despliegue de {version}\n{reason}\n{commit} {subject}\npor {author}\n\
             siguiente paso: {next}"
        }
        (Language::Spanish, Occasion::Waiting) => {
            "{project} {environment}: {version} espera aprobación\n{commit} {subject}\npor {author}\n{reason}\n\
             pueden aprobar: {approvers}\nsiguiente paso: {next}"
        }
        (Language::Spanish, Occasion::RolledBack) => {
            "{project} {environment}: se volvió a {version}\n{reason}\n{commit} {subject}\n{url}\nsiguiente paso: {next}"
        }
        (Language::Spanish, Occasion::TestBuild) => {
            "{project} {environment}: {version} está lista para probar\n{commit} {subject}\npor {author}\n{url}\n\
             siguiente paso: {next}"
        }
    };
    text.parse().expect("each text above is a template: a test reads them all")
}

/// What a channel is tried out with.
#[must_use]
pub fn trial_text(environment: &EnvironmentId, language: Language) -> String {
    match language {
        Language::English => format!("{environment}: notifications of Ambit arrive here"),
        Language::Spanish => format!("{environment}: aquí llegan las notificaciones de Ambit"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(subject: &str) -> Message {
        Message {
            environment: EnvironmentId { project: "kaia".parse().unwrap(), environment: "prod".parse().unwrap() },
            announcement: Announcement {
                commit: Some("0123456789abcdef".into()),
                subject: Some(subject.into()),
                ..Announcement::new(Occasion::Waiting, DeploymentId(7), "v1.2.0")
            },
            url: Some("https://kaia.ai".into()),
            approvers: vec!["lead@kaia.ai".into(), "cto@kaia.ai".into()],
        }
    }

    #[test]
    fn every_occasion_has_a_text_in_each_language() {
        for occasion in Occasion::ALL {
            let texts = [Language::English, Language::Spanish]
                .map(|language| message("x").text(&default_template(occasion, language), Markup::Plain));
            for text in &texts {
                assert!(text.starts_with("kaia") && text.contains("v1.2.0"), "{text}");
            }
            assert_ne!(texts[0], texts[1]);
        }
    }

    #[test]
    fn a_line_with_nothing_to_say_is_left_out() {
        let text = message("Add events").text(&default_template(Occasion::Waiting, Language::English), Markup::Plain);
        assert_eq!(
            text,
            "kaia prod: v1.2.0 waits for approval\n0123456 Add events\nmay approve: lead@kaia.ai, cto@kaia.ai"
        );
    }

    #[test]
    fn the_teams_words_stay_as_they_are() {
        let template: Template = "<!here> {environment} #{deployment}\nR&D {{x}}".parse().unwrap();
        assert_eq!(message("x").text(&template, Markup::Slack), "<!here> prod #7\nR&D {x}");
    }

    #[test]
    fn a_commit_cannot_call_a_channel_or_steer_a_terminal() {
        let template: Template = "{subject}".parse().unwrap();
        let hostile = "<!channel> & \u{1b}[2J\r\nBcc: eve@example.org \u{202e}txt";
        assert_eq!(
            message(hostile).text(&template, Markup::Slack),
            "&lt;!channel&gt; &amp;  [2J  Bcc: eve@example.org txt"
        );
    }

    proptest! {
        #[test]
        fn no_value_leaves_its_line(subject in any::<String>(), slack in any::<bool>()) {
            let template: Template = "a {subject} b".parse().unwrap();
            let markup = if slack { Markup::Slack } else { Markup::Plain };
            let text = message(&subject).text(&template, markup);
            prop_assert!(!text.contains(char::is_control));
            prop_assert!(text.chars().count() <= LONGEST * 5 + 5);
            prop_assert!(!slack || !text.contains(['<', '>']));
        }
    }
}
