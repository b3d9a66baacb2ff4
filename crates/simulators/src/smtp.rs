//! A mail server (RFC 5321) that keeps what it takes. It minds the order of commands and the ends of lines, offers STARTTLS
//! or TLS from the beginning, and takes mail only from who has logged in, where a password is set.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
    task::AbortHandle,
};
use tokio_rustls::TlsAcceptor;

use crate::faults::{Fault, Faults};

/// A letter as it was taken.
#[derive(Debug, Clone)]
pub struct Mail {
    /// The sender of the envelope.
    pub from: String,
    /// The recipients of the envelope.
    pub to: Vec<String>,
    /// Headers and text, dots removed.
    pub data: String,
    /// Whether it came over TLS.
    pub encrypted: bool,
}

impl Mail {
    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let (head, _) = self.data.split_once("\r\n\r\n")?;
        head.split("\r\n").find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// How the server is reached.
#[derive(Clone)]
pub enum Security {
    /// Not encrypted.
    Plain,
    /// Encrypted once the client asks for it.
    StartTls(Arc<rustls::ServerConfig>),
    /// Encrypted from the beginning.
    Tls(Arc<rustls::ServerConfig>),
}

/// A mail server on a free port of this machine, until it is dropped.
pub struct Smtp {
    port: u16,
    mails: Arc<Mutex<Vec<Mail>>>,
    complaints: Arc<Mutex<Vec<String>>>,
    faults: Faults,
    running: AbortHandle,
}

impl Drop for Smtp {
    fn drop(&mut self) {
        self.running.abort();
    }
}

impl Smtp {
    /// Starts on the caller's runtime. `login` is the user and password that it asks for.
    pub async fn start(security: Security, login: Option<(&str, &str)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let faults = Faults::default();
        let server = Server {
            security,
            login: login.map(|(user, password)| (user.to_owned(), password.to_owned())),
            mails: Arc::default(),
            complaints: Arc::default(),
            faults: faults.clone(),
        };
        let (mails, complaints) = (Arc::clone(&server.mails), Arc::clone(&server.complaints));
        let running = tokio::spawn(server.accept(listener)).abort_handle();
        Self { port, mails, complaints, faults, running }
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Fails that many letters to come, in this order: a status is answered to `RCPT`.
    pub fn fail(&self, faults: impl IntoIterator<Item = Fault>) {
        self.faults.add(faults.into_iter().map(Some));
    }

    /// What it took.
    #[must_use]
    pub fn mails(&self) -> Vec<Mail> {
        self.mails.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What clients did against the rules.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        self.complaints.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until it took so many letters.
    pub async fn wait_for(&self, count: usize) -> Vec<Mail> {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            let mails = self.mails();
            if mails.len() >= count {
                return mails;
            }
            assert!(Instant::now() < end, "{} of {count} letters came: {:?}", mails.len(), self.complaints());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[derive(Clone)]
struct Server {
    security: Security,
    login: Option<(String, String)>,
    mails: Arc<Mutex<Vec<Mail>>>,
    complaints: Arc<Mutex<Vec<String>>>,
    faults: Faults,
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// One conversation.
struct Talk {
    stream: Box<dyn Stream>,
    encrypted: bool,
    logged_in: bool,
    greeted: bool,
    from: Option<String>,
    to: Vec<String>,
    fault: Option<Fault>,
}

impl Server {
    async fn accept(self, listener: TcpListener) {
        let mut talks = tokio::task::JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let server = self.clone();
            talks.spawn(async move {
                let (stream, encrypted): (Box<dyn Stream>, bool) = match &server.security {
                    Security::Tls(config) => match TlsAcceptor::from(Arc::clone(config)).accept(stream).await {
                        Ok(stream) => (Box::new(stream), true),
                        Err(error) => return server.complain(&format!("TLS: {error}")),
                    },
                    _ => (Box::new(stream), false),
                };
                let talk = Talk {
                    stream,
                    encrypted,
                    logged_in: server.login.is_none(),
                    greeted: false,
                    from: None,
                    to: Vec::new(),
                    fault: server.faults.next(),
                };
                // A client that goes away has its reasons.
                let _ = server.talk(talk).await;
            });
        }
    }

    fn complain(&self, what: &str) {
        self.complaints.lock().unwrap_or_else(PoisonError::into_inner).push(what.to_owned());
    }

    async fn talk(&self, mut talk: Talk) -> io::Result<()> {
        match talk.fault {
            Some(Fault::Hang) => std::future::pending::<()>().await,
            Some(Fault::Close) => return Ok(()),
            _ => {}
        }
        talk.say("220 simulator ESMTP").await?;
        loop {
            let line = talk.line().await?;
            let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
            match verb.to_ascii_uppercase().as_str() {
                "EHLO" if !rest.is_empty() => {
                    talk.greeted = true;
                    let mut offers = vec!["simulator".to_owned(), "8BITMIME".to_owned()];
                    if matches!(self.security, Security::StartTls(_)) && !talk.encrypted {
                        offers.push("STARTTLS".to_owned());
                    }
                    if self.login.is_some() {
                        offers.push("AUTH PLAIN LOGIN".to_owned());
                    }
                    let last = offers.len() - 1;
                    for (n, offer) in offers.iter().enumerate() {
                        talk.say(&format!("250{}{offer}", if n == last { ' ' } else { '-' })).await?;
                    }
                }
                "STARTTLS" if !talk.encrypted => {
                    let Security::StartTls(config) = &self.security else {
                        talk.say("502 not offered").await?;
                        continue;
                    };
                    talk.say("220 go on").await?;
                    match TlsAcceptor::from(Arc::clone(config)).accept(talk.stream).await {
                        Ok(stream) => talk.stream = Box::new(stream),
                        Err(error) => {
                            self.complain(&format!("TLS: {error}"));
                            return Ok(());
                        }
                    }
                    // RFC 3207, 4.2: everything said before is forgotten.
                    (talk.encrypted, talk.greeted) = (true, false);
                }
                "AUTH" if talk.greeted => {
                    let given = match rest.split_once(' ') {
                        Some(("PLAIN", answer)) => plain(answer),
                        _ => None,
                    };
                    talk.logged_in = given.is_some() && given == self.login;
                    let answer = if talk.logged_in { "235 welcome" } else { "535 authentication failed" };
                    talk.say(answer).await?;
                }
                "MAIL" if talk.greeted && talk.logged_in && talk.from.is_none() => {
                    talk.from = address(rest, "FROM:");
                    talk.say(if talk.from.is_some() { "250 ok" } else { "501 no address" }).await?;
                }
                "MAIL" if !talk.logged_in => talk.say("530 log in first").await?,
                "RCPT" if talk.from.is_some() => match (&talk.fault, address(rest, "TO:")) {
                    (Some(Fault::Status(status)), _) => {
                        let status = *status;
                        talk.say(&format!("{status} told to refuse")).await?;
                    }
                    (_, Some(to)) => {
                        talk.to.push(to);
                        talk.say("250 ok").await?;
                    }
                    (_, None) => talk.say("501 no address").await?,
                },
                "DATA" if !talk.to.is_empty() => {
                    talk.say("354 go on").await?;
                    let mail = Mail {
                        data: talk.data().await?,
                        from: talk.from.take().unwrap_or_default(),
                        to: std::mem::take(&mut talk.to),
                        encrypted: talk.encrypted,
                    };
                    for header in ["From", "To", "Date", "Message-ID", "Subject"] {
                        if mail.header(header).is_none() {
                            self.complain(&format!("no {header}"));
                        }
                    }
                    self.mails.lock().unwrap_or_else(PoisonError::into_inner).push(mail);
                    if matches!(talk.fault, Some(Fault::CloseAfter)) {
                        return Ok(());
                    }
                    talk.say("250 taken").await?;
                }
                "RSET" | "NOOP" => talk.say("250 ok").await?,
                "QUIT" => return talk.say("221 bye").await,
                _ => {
                    self.complain(&format!("out of order: {verb}"));
                    talk.say("503 out of order").await?;
                }
            }
        }
    }
}

impl Talk {
    async fn say(&mut self, line: &str) -> io::Result<()> {
        self.stream.write_all(format!("{line}\r\n").as_bytes()).await?;
        self.stream.flush().await
    }

    /// One line without its end, which has to be CR LF.
    async fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            line.push(self.stream.read_u8().await?);
            // RFC 5321, 4.5.3.1.6, and 2.3.8.
            let bare = line.ends_with(b"\n") && !line.ends_with(b"\r\n");
            if line.len() > 1000 || bare {
                return Err(io::Error::other("a line too long or without CR"));
            }
        }
        line.truncate(line.len() - 2);
        String::from_utf8(line).map_err(io::Error::other)
    }

    async fn data(&mut self) -> io::Result<String> {
        let mut data = String::new();
        loop {
            let line = self.line().await?;
            if line == "." {
                return Ok(data);
            }
            data.push_str(line.strip_prefix('.').unwrap_or(&line));
            data.push_str("\r\n");
        }
    }
}

/// RFC 4616.
fn plain(answer: &str) -> Option<(String, String)> {
    let decoded = String::from_utf8(STANDARD.decode(answer).ok()?).ok()?;
    let mut parts = decoded.split('\0').skip(1);
    Some((parts.next()?.to_owned(), parts.next()?.to_owned()))
}

fn address(rest: &str, word: &str) -> Option<String> {
    let rest = rest.get(..word.len()).filter(|w| w.eq_ignore_ascii_case(word)).and_then(|_| rest.get(word.len()..))?;
    let inner = rest.trim().strip_prefix('<')?.split_once('>')?.0;
    inner.contains('@').then(|| inner.to_owned())
}
