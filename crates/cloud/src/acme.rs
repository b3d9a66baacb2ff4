//! Certificates from an authority that speaks ACME (RFC 8555), proved by HTTP-01 challenges.
//!
//! The account's key lies in a file, written before anything is ordered with it. An order that breaks off leaves nothing
//! to clean up but what the authority forgets by itself.

mod https;

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use instant_acme::{
    Account, AccountCredentials, AuthorizationStatus, ChallengeType, Identifier, NewAccount, NewOrder, Order,
    OrderStatus, Problem, RetryPolicy,
};

use https::{Https, RetryAfter};

/// The directory of Let's Encrypt.
pub const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// An authority looks from several places and may take its time.
const POLLING: RetryPolicy =
    RetryPolicy::new().initial_delay(Duration::from_millis(250)).backoff(1.5).timeout(Duration::from_secs(120));

/// Who makes certificates out, and for whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// The URL of its directory.
    pub directory: String,
    /// The e-mail address of the account, for what the authority has to say about its certificates.
    pub contact: String,
    /// Certificates in PEM that vouch for the directory; the system's where there are none.
    pub roots: Option<String>,
}

/// Where the answers to an authority's challenges are put, so that it finds them on port 80 of the host.
pub trait Challenges: Send + Sync {
    /// Answers a token until told to forget it.
    fn answer(&self, token: &str, key_authorization: &str) -> io::Result<()>;
    /// The token is no longer asked for.
    fn forget(&self, token: &str) -> io::Result<()>;
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AcmeError {
    /// The authority could not be asked, or answered nothing that can be understood.
    #[error("{directory} cannot be asked")]
    Unreachable {
        /// Its directory.
        directory: String,
        /// Why.
        source: instant_acme::Error,
    },
    /// It asks for patience: too many orders, or too much to do.
    #[error("the authority asks to wait: {detail}")]
    Wait {
        /// In its words.
        detail: String,
        /// How long, if it says so.
        after: Option<Duration>,
    },
    /// It will not make the certificate out.
    #[error("the authority refuses: {detail}")]
    Refused {
        /// In its words.
        detail: String,
    },
    /// It looked for the answer to its challenge and did not find it.
    #[error("the authority could not see that {host} is served here: {detail}")]
    Unproved {
        /// The host.
        host: String,
        /// In its words.
        detail: String,
    },
    /// It offers other challenges only.
    #[error("the authority does not offer the HTTP-01 challenge for {host}")]
    NoChallenge {
        /// The host.
        host: String,
    },
    /// Its answer took longer than is waited for.
    #[error("the authority did not come to a result within {} s", .within.as_secs())]
    TooLate {
        /// How long was waited.
        within: Duration,
    },
    /// The certificates that should vouch for it.
    #[error("the certificates that vouch for {directory} cannot be used: {problem}")]
    Roots {
        /// Its directory.
        directory: String,
        /// What is wrong.
        problem: String,
    },
    /// The account's file.
    #[error("cannot {what} {}", .path.display())]
    File {
        /// `read` or `write`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The answer to a challenge could not be put where it is looked for.
    #[error("the answer to the authority's challenge cannot be written")]
    Answer(#[source] io::Error),
}

impl AcmeError {
    /// How long the authority asks to be left alone.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Wait { after, .. } => *after,
            _ => None,
        }
    }

    /// What a person can do.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unproved { host, .. } => Some(format!(
                "{host} has to lead to this machine, and its port 80 to the proxy: ambit up --listen 0.0.0.0:80"
            )),
            Self::Unreachable { .. } => Some("is this machine online, and `directory` in [tls] right?".into()),
            Self::Roots { .. } => Some("`ca` in [tls] names a file with certificates in PEM".into()),
            Self::File { what: "read", .. } => Some("move the file away, and a new account is made".into()),
            _ => None,
        }
    }
}

/// An account with an authority.
pub struct Client {
    account: Account,
    directory: String,
    retry_after: RetryAfter,
}

impl Client {
    /// The account in a file, made with the authority and written there if there is none. Making it agrees to the
    /// authority's terms.
    pub async fn open(authority: &Authority, file: &Path) -> Result<Self, AcmeError> {
        let directory = authority.directory.clone();
        let failed = |what, source| AcmeError::File { what, path: file.to_path_buf(), source };
        let https = Https::new(authority.roots.as_deref())
            .map_err(|problem| AcmeError::Roots { directory: directory.clone(), problem })?;
        let retry_after = https.retry_after();
        let broken = |error| explain(error, &directory, &retry_after);
        let builder = Account::builder_with_http(Box::new(https));
        let account = match fs::read(file) {
            Ok(bytes) => {
                let credentials: AccountCredentials =
                    serde_json::from_slice(&bytes).map_err(|error| failed("read", error.into()))?;
                builder.from_credentials(credentials).await.map_err(broken)?
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let contact = [&*format!("mailto:{}", authority.contact)];
                let new = NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
                let (account, credentials) = builder.create(&new, directory.clone(), None).await.map_err(broken)?;
                let text = serde_json::to_vec(&credentials).map_err(|error| failed("write", error.into()))?;
                keep(file, &text).map_err(|error| failed("write", error))?;
                account
            }
            Err(error) => return Err(failed("read", error)),
        };
        Ok(Self { account, directory, retry_after })
    }

    /// Orders a certificate for a host and returns it in PEM: a new private key, then the chain.
    pub async fn order(&self, host: &str, challenges: &dyn Challenges) -> Result<String, AcmeError> {
        let broken = |error| explain(error, &self.directory, &self.retry_after);
        let identifiers = [Identifier::Dns(host.to_owned())];
        let mut order = self.account.new_order(&NewOrder::new(&identifiers)).await.map_err(broken)?;
        let mut answers = Answers { challenges, tokens: Vec::new() };
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization.map_err(broken)?;
            // Proved lately: some authorities remember.
            if authorization.status == AuthorizationStatus::Valid {
                continue;
            }
            let mut challenge = authorization
                .challenge(ChallengeType::Http01)
                .ok_or_else(|| AcmeError::NoChallenge { host: host.to_owned() })?;
            let key_authorization = challenge.key_authorization();
            answers.give(&challenge.token, key_authorization.as_str()).map_err(AcmeError::Answer)?;
            challenge.set_ready().await.map_err(broken)?;
        }
        match order.poll_ready(&POLLING).await {
            Ok(OrderStatus::Ready) => {}
            Ok(_) => return Err(unproved(&mut order, host, None).await),
            Err(instant_acme::Error::Api(problem)) => return Err(unproved(&mut order, host, Some(problem)).await),
            Err(error) => return Err(broken(error)),
        }
        drop(answers);
        let key = order.finalize().await.map_err(broken)?;
        let chain = order.poll_certificate(&POLLING).await.map_err(broken)?;
        Ok(format!("{key}{chain}"))
    }
}

/// The answers that an order has out; taken back however it ends.
struct Answers<'a> {
    challenges: &'a dyn Challenges,
    tokens: Vec<String>,
}

impl Answers<'_> {
    fn give(&mut self, token: &str, key_authorization: &str) -> io::Result<()> {
        self.challenges.answer(token, key_authorization)?;
        self.tokens.push(token.to_owned());
        Ok(())
    }
}

impl Drop for Answers<'_> {
    fn drop(&mut self) {
        for token in &self.tokens {
            if let Err(error) = self.challenges.forget(token) {
                tracing::warn!(%error, "the answer to a challenge stays behind");
            }
        }
    }
}

/// What the authority saw instead of the answer. It says so at the authorization, not at the order.
async fn unproved(order: &mut Order, host: &str, of_order: Option<Problem>) -> AcmeError {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let Ok(mut authorization) = authorization else { continue };
        let Ok(state) = authorization.refresh().await else { continue };
        let seen = state.challenges.iter().find_map(|challenge| challenge.error.as_ref());
        if let Some(problem) = seen {
            return AcmeError::Unproved { host: host.to_owned(), detail: words(problem) };
        }
    }
    match of_order {
        Some(problem) => AcmeError::Refused { detail: words(&problem) },
        None => AcmeError::Unproved { host: host.to_owned(), detail: "it does not say why".into() },
    }
}

fn words(problem: &Problem) -> String {
    let subproblems = problem.subproblems.iter().filter_map(|p| p.detail.as_deref());
    let told: Vec<&str> = problem.detail.as_deref().into_iter().chain(subproblems).collect();
    let text = match (told.is_empty(), problem.r#type.as_deref()) {
        (false, _) => told.join("; "),
        (true, Some(kind)) => kind.to_owned(),
        (true, None) => "it does not say why".to_owned(),
    };
    // What comes from elsewhere is shown on terminals.
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(500).collect()
}

fn explain(error: instant_acme::Error, directory: &str, retry_after: &RetryAfter) -> AcmeError {
    match error {
        instant_acme::Error::Api(problem) => {
            let limited = problem.r#type.as_deref() == Some("urn:ietf:params:acme:error:rateLimited");
            let after = retry_after.take();
            if limited || after.is_some() || problem.status.is_some_and(|s| s == 429 || s >= 500) {
                AcmeError::Wait { detail: words(&problem), after }
            } else {
                AcmeError::Refused { detail: words(&problem) }
            }
        }
        instant_acme::Error::Timeout(next) => match next {
            Some(next) => AcmeError::Wait {
                detail: "it needs more time".into(),
                after: Some(next.saturating_duration_since(std::time::Instant::now())),
            },
            None => AcmeError::TooLate { within: Duration::from_secs(120) },
        },
        source => match retry_after.take() {
            Some(after) => AcmeError::Wait { detail: source.to_string(), after: Some(after) },
            None => AcmeError::Unreachable { directory: directory.to_owned(), source },
        },
    }
}

/// Writes a file that only its owner reads; a crash leaves it whole or not there.
fn keep(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = file.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let temporary = file.with_extension("new");
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    written.write_all(bytes)?;
    written.sync_all()?;
    fs::rename(&temporary, file)?;
    fs::File::open(folder)?.sync_all()
}
