//! E-mail over SMTP. The mail server is a URL: `smtps://USER:PASSWORD@HOST:465` for TLS from the beginning,
//! `smtp://USER:PASSWORD@HOST:587` for STARTTLS, without which nothing is sent; only on this machine a server may do without.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{
        Mailbox,
        header::{ContentType, HeaderName, HeaderValue},
    },
    transport::smtp::{
        authentication::Credentials,
        client::{Tls, TlsParameters},
        extension::ClientId,
    },
};
use percent_encoding::percent_decode_str;
use url::Url;

use crate::{http::is_loopback, outcome::SendError};

/// How long one exchange with the server may take.
const STEP: Duration = Duration::from_secs(20);
/// How long all of it may take.
const LIMIT: Duration = Duration::from_secs(60);

/// One letter to one address.
pub struct Letter<'a> {
    /// The sender's address.
    pub from: &'a str,
    /// The address that it goes to.
    pub to: &'a str,
    /// Its subject, on one line.
    pub subject: &'a str,
    /// Its text.
    pub text: &'a str,
    /// The same in every attempt, so that mail programs show it once.
    pub id: &'a str,
}

/// Hands a letter to a mail server.
pub async fn send(server: &str, letter: &Letter<'_>) -> Result<(), SendError> {
    let message = message(letter)?;
    let server = Server::read(server)?;
    let sent = match tokio::time::timeout(LIMIT, server.transport(letter.from)?.send(message)).await {
        Ok(sent) => sent,
        Err(_) => return Err(SendError::later(format!("the mail server took longer than {} s", LIMIT.as_secs()))),
    };
    match sent {
        Ok(_) => Ok(()),
        Err(error) => {
            let why = server.without_secrets(&told(&error));
            Err(if error.is_permanent() { SendError::refused(why) } else { SendError::later(why) })
        }
    }
}

fn told(error: &lettre::transport::smtp::Error) -> String {
    let mut causes = vec![error.to_string()];
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        // An error that repeats its cause says it once.
        let text = cause.to_string();
        if !causes.iter().any(|known| known.contains(&text)) {
            causes.push(text);
        }
        source = cause.source();
    }
    let line: String = causes.join(": ").chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect();
    format!("the mail server: {line}")
}

fn message(letter: &Letter<'_>) -> Result<Message, SendError> {
    let mailbox = |text: &str| {
        text.parse::<Mailbox>()
            .map_err(|_| SendError::refused(format!("`{}` is not an e-mail address", text.escape_debug())))
    };
    let subject: String = letter.subject.chars().filter(|c| !c.is_control()).take(200).collect();
    let (_, domain) = letter.from.rsplit_once('@').unwrap_or(("", "localhost"));
    let mut message = Message::builder()
        .from(mailbox(letter.from)?)
        .to(mailbox(letter.to)?)
        .subject(subject)
        .message_id(Some(format!("<{}@{domain}>", letter.id)))
        .header(ContentType::TEXT_PLAIN)
        .body(format!("{}\n", letter.text))
        .map_err(|_| SendError::refused("this cannot be written as an e-mail"))?;
    // RFC 3834: nobody on holiday answers it.
    let name = HeaderName::new_from_ascii_str("Auto-Submitted");
    message.headers_mut().insert_raw(HeaderValue::new(name, "auto-generated".to_owned()));
    Ok(message)
}

/// A mail server with what opens it.
struct Server {
    host: String,
    port: u16,
    /// TLS from the beginning, not by STARTTLS.
    implicit: bool,
    user: String,
    password: String,
}

impl Server {
    fn read(text: &str) -> Result<Self, SendError> {
        let wrong = || {
            SendError::later("the secret does not hold a mail server as smtps://USER:PASSWORD@HOST:465 or smtp://…:587")
        };
        let url = Url::parse(text.trim()).map_err(|_| wrong())?;
        let implicit = match url.scheme() {
            "smtps" => true,
            "smtp" => false,
            _ => return Err(wrong()),
        };
        let decoded = |text: &str| percent_decode_str(text).decode_utf8().map(String::from).map_err(|_| wrong());
        let host = url.host_str().filter(|h| !h.is_empty()).ok_or_else(wrong)?.to_owned();
        Ok(Self {
            port: url.port().unwrap_or(if implicit { 465 } else { 587 }),
            implicit,
            user: decoded(url.username())?,
            password: decoded(url.password().unwrap_or_default())?,
            host,
        })
    }

    fn transport(&self, from: &str) -> Result<AsyncSmtpTransport<Tokio1Executor>, SendError> {
        let bare = self.host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let parameters = TlsParameters::new(bare.clone()).map_err(|e| SendError::later(told(&e)))?;
        let tls = match (self.implicit, is_loopback(&bare)) {
            (true, _) => Tls::Wrapper(parameters),
            (false, false) => Tls::Required(parameters),
            (false, true) => Tls::Opportunistic(parameters),
        };
        let (_, domain) = from.rsplit_once('@').unwrap_or(("", "localhost"));
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(bare)
            .port(self.port)
            .tls(tls)
            .hello_name(ClientId::Domain(domain.to_owned()))
            .timeout(Some(STEP));
        if !self.user.is_empty() {
            transport = transport.credentials(Credentials::new(self.user.clone(), self.password.clone()));
        }
        Ok(transport.build())
    }

    /// A server may repeat what it was told.
    fn without_secrets(&self, text: &str) -> String {
        if self.password.is_empty() {
            return text.to_owned();
        }
        let plain = STANDARD.encode(format!("\0{}\0{}", self.user, self.password));
        let login = STANDARD.encode(&self.password);
        [plain, login, self.password.clone()].iter().fold(text.to_owned(), |text, secret| text.replace(secret, "…"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_read_from_its_url() {
        let server = Server::read("smtps://ana%40kaia.ai:p%2Fw@mail.kaia.ai").unwrap();
        assert_eq!(
            (server.host.as_str(), server.port, server.implicit, server.user.as_str(), server.password.as_str()),
            ("mail.kaia.ai", 465, true, "ana@kaia.ai", "p/w")
        );
        assert_eq!(Server::read("smtp://mail.kaia.ai:2525").unwrap().port, 2525);
    }

    #[test]
    fn what_is_no_server_is_told_without_repeating_it() {
        for bad in ["", "https://u:hunter2@mail.kaia.ai", "smtp://", "hunter2", "smtps:hunter2"] {
            let error = Server::read(bad).map(|_| ()).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{bad}: {error}");
        }
    }

    #[test]
    fn an_error_that_repeats_the_password_is_told_without_it() {
        let server = Server::read("smtp://ana:hunter2@127.0.0.1").unwrap();
        let said = "535 cannot decode AGFuYQBodW50ZXIy or aHVudGVyMg== or hunter2";
        assert_eq!(server.without_secrets(said), "535 cannot decode … or … or …");
    }

    #[test]
    fn a_subject_cannot_add_a_header() {
        let letter = Letter {
            from: "ambit@kaia.ai",
            to: "lead@kaia.ai",
            subject: "v1\r\nBcc: eve@example.org",
            text: "hello\n.\nworld",
            id: "7",
        };
        let text = String::from_utf8(message(&letter).unwrap().formatted()).unwrap();
        let (head, _) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.lines().all(|line| !line.starts_with("Bcc")), "{head}");
        assert!(head.contains("Message-ID: <7@kaia.ai>"), "{head}");
        let hostile = Letter { to: "lead@kaia.ai\r\nRCPT TO:<eve@example.org>", ..letter };
        assert!(matches!(message(&hostile), Err(SendError::Refused { .. })));
    }
}
