//! The post: nobody who asks something waits until a mail is sent, or learns from the time it takes whether one is. A message
//! that a service does not take is tried three times. What waits when the process is killed is lost; people ask again.

use std::{sync::Arc, time::Duration};

use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::{
    client::Client,
    message::{Message, Written},
    sendgrid, twilio,
};
use crate::config::{Config, Kind};

/// So many may wait. More are given up: somebody floods us.
const WAITING: usize = 1000;
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(5)];

#[derive(Clone)]
pub struct Post(Sender<Message>);

/// Who carries it.
pub struct Postman {
    waiting: Receiver<Message>,
    config: Arc<Config>,
    client: Arc<Client>,
}

impl Post {
    pub fn new(config: Arc<Config>, client: Arc<Client>) -> (Self, Postman) {
        let (sender, waiting) = channel(WAITING);
        (Self(sender), Postman { waiting, config, client })
    }

    pub fn send(&self, message: Message) {
        let kind = message.kind();
        if self.0.try_send(message).is_err() {
            tracing::error!(kind, "too many messages wait: one is given up");
        }
    }
}

impl Postman {
    /// Until every sender is gone and nothing waits.
    pub async fn run(mut self) {
        while let Some(message) = self.waiting.recv().await {
            let kind = message.kind();
            let written = message.write(&self.config.frontend_url);
            self.deliver(kind, &written).await;
        }
    }

    async fn deliver(&self, kind: &str, written: &Written) {
        let mut pauses = PAUSES.iter();
        loop {
            let sent = match (written, &self.config.sendgrid, &self.config.twilio) {
                (Written::Mail { to, name, subject, text }, Some(sendgrid), _) => {
                    sendgrid::send(&self.client, sendgrid, &sendgrid::Mail { to, name, subject, text }).await
                }
                (Written::Sms { to, text }, _, Some(twilio)) => twilio::send(&self.client, twilio, to, text).await,
                _ => return self.print(kind, written),
            };
            match (sent, pauses.next()) {
                (Ok(()), _) => return tracing::debug!(kind, "sent"),
                (Err(Refused::ForNow(why)), Some(pause)) => {
                    tracing::warn!(kind, why, "not sent yet");
                    tokio::time::sleep(*pause).await;
                }
                (Err(Refused::ForNow(why) | Refused::ForGood(why)), _) => {
                    return tracing::error!(kind, why, "not sent");
                }
            }
        }
    }

    /// Without a key: development's log is its letter box. Elsewhere a log is no place for what people are told.
    fn print(&self, kind: &str, written: &Written) {
        if self.config.kind != Kind::Development {
            return tracing::error!(kind, "not sent: the service has no key");
        }
        match written {
            Written::Mail { to, subject, text, .. } => {
                tracing::info!(kind, to, subject, "not sent but printed, since SENDGRID_API_KEY is not set:\n{text}");
            }
            Written::Sms { to, text } => {
                tracing::info!(kind, to, "not sent but printed, since TWILIO_ACCOUNT_SID is not set:\n{text}");
            }
        }
    }
}

/// Why a service did not take a message.
pub(super) enum Refused {
    ForNow(String),
    ForGood(String),
}

/// What an answer means. Bodies are not told: services repeat there what they were sent.
pub(super) fn taken(answer: Result<(axum::http::StatusCode, axum::body::Bytes), String>) -> Result<(), Refused> {
    match answer {
        Ok((status, _)) if status.is_success() => Ok(()),
        Ok((status, _)) if status.is_server_error() || status.as_u16() == 429 => {
            Err(Refused::ForNow(format!("the service answered {status}")))
        }
        Ok((status, _)) => Err(Refused::ForGood(format!("the service answered {status}"))),
        Err(why) => Err(Refused::ForNow(why)),
    }
}
