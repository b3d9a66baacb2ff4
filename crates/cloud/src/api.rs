//! A service's HTTP API: where it is, how one shows who one is, what is tried again and what is not.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use ambit_domain::{Failure, FailureKind};
use hyper::{HeaderMap, Method, StatusCode, Uri, header};
use rand::Rng;

use crate::http::{Answer, Http, HttpError, private};

/// Tries of a request that may be repeated.
const TRIES: u32 = 5;
/// The first pause; each further one is twice as long.
pub(crate) const PAUSE: Duration = Duration::from_millis(250);
/// What asks for a longer one is given up on.
const LONGEST_PAUSE: Duration = Duration::from_secs(90);

/// How a change ended that was asked for.
#[derive(Debug, PartialEq, Eq)]
pub enum Carried {
    /// It is done.
    Done,
    /// Nobody knows whether it was, or it may be done another time: read again what is there.
    Unknown(String),
}

/// How a request ended that was not answered as hoped.
pub(crate) enum Trouble {
    /// Another time it may go through; nobody knows whether it did. The pause that was asked for.
    Passing(String, Option<Duration>),
    /// It will not.
    Final(Failure),
}

impl Trouble {
    /// A way that only a mistake of ours leads to.
    pub(crate) fn internal(what: impl Into<String>) -> Self {
        Self::Final(Failure::new(FailureKind::Internal, what.into()))
    }
}

/// An account at a service, by its token.
pub(crate) struct Api {
    http: Http,
    service: &'static str,
    base: String,
    headers: HeaderMap,
    /// The pause after an answer that asks for patience and does not say how much.
    patience: Option<Duration>,
    /// The last read that went through.
    read: Mutex<Option<Read>>,
    /// Whether nobody knows how the last change ended.
    lost: AtomicBool,
}

/// A request that changes nothing: its method, path and body.
type Read = (Method, String, Option<Vec<u8>>);

impl Api {
    /// `base` is the service's own, or that of a server of the same API over TLS or on this machine. `token` is what follows
    /// `prefix` in a header of that name.
    pub(crate) fn new(
        service: &'static str,
        base: &str,
        (name, prefix, token): (header::HeaderName, &str, &str),
        more: &[(header::HeaderName, &'static str)],
    ) -> Result<Self, Failure> {
        let wrong = |what: String| Failure::new(FailureKind::User, what);
        if private(base).is_none() {
            return Err(wrong(format!("the address of {service}'s API is no https:// URL")));
        }
        let mut value: header::HeaderValue = format!("{prefix}{}", token.trim())
            .parse()
            .map_err(|_| wrong(format!("the token for {service} holds a character that no token has")))?;
        value.set_sensitive(true);
        let mut headers = HeaderMap::from_iter([(name, value)]);
        headers.extend(more.iter().map(|(name, value)| (name.clone(), header::HeaderValue::from_static(value))));
        let http = Http::new().map_err(|e| Failure::from_error(FailureKind::Machine, &e))?;
        let base = base.trim_end_matches('/').to_owned();
        Ok(Self { http, service, base, headers, patience: None, read: Mutex::default(), lost: AtomicBool::new(false) })
    }

    /// The same, with a pause of its own after too many requests where the service does not say how long.
    pub(crate) fn patient(self, pause: Duration) -> Self {
        Self { patience: Some(pause), ..self }
    }

    /// One request. What is busy or broken is passing; every other answer is the caller's to understand.
    pub(crate) async fn send(&self, method: Method, path: &str, json: Option<Vec<u8>>) -> Result<Answer, Trouble> {
        let answer = self.answer(method, path, json).await?;
        if answer.status == StatusCode::TOO_MANY_REQUESTS || answer.status.is_server_error() {
            return Err(self.busy(&answer));
        }
        Ok(answer)
    }

    /// Whatever is answered.
    pub(crate) async fn answer(&self, method: Method, path: &str, json: Option<Vec<u8>>) -> Result<Answer, Trouble> {
        let to: Uri = format!("{}{path}", self.base)
            .parse()
            .map_err(|_| Trouble::internal(format!("{path} is no path at {}", self.service)))?;
        self.http.call(method, &to, self.headers.clone(), json).await.map_err(|error| match error {
            HttpError::NoRoots => Trouble::Final(Failure::from_error(FailureKind::Machine, &error)),
            error => Trouble::Passing(error.to_string(), None),
        })
    }

    /// An answer that asks for another try.
    pub(crate) fn busy(&self, answer: &Answer) -> Trouble {
        let said = self.said(answer);
        match answer.retry_after.or(self.patience.filter(|_| !answer.status.is_server_error())) {
            Some(after) if after > LONGEST_PAUSE => Trouble::Final(
                Failure::new(FailureKind::Machine, format!("{said} and asks for a pause of {} s", after.as_secs()))
                    .hint("repeat the command then; nothing is half done"),
            ),
            after => Trouble::Passing(said, after),
        }
    }

    /// `Cloudflare answered 403`
    pub(crate) fn said(&self, answer: &Answer) -> String {
        format!("{} answered {}", self.service, answer.status.as_u16())
    }

    /// A request that may be repeated, for as long as its answer is passing.
    pub(crate) async fn repeat<T>(
        &self,
        method: Method,
        path: &str,
        json: Option<&[u8]>,
        understand: impl Fn(&Answer) -> Result<T, Trouble>,
    ) -> Result<T, Failure> {
        let mut pause = PAUSE;
        let mut last = String::new();
        for attempt in 1..=TRIES {
            let answer = self.send(method.clone(), path, json.map(<[u8]>::to_vec)).await;
            match answer.and_then(|answer| understand(&answer)) {
                Ok(found) => {
                    let read = (method, path.to_owned(), json.map(<[u8]>::to_vec));
                    *self.read.lock().unwrap_or_else(PoisonError::into_inner) = Some(read);
                    return Ok(found);
                }
                Err(Trouble::Final(failure)) => return Err(failure),
                Err(Trouble::Passing(why, after)) => {
                    last = why;
                    if attempt == TRIES {
                        break;
                    }
                    tokio::time::sleep(after.unwrap_or_else(|| jittered(pause))).await;
                    pause *= 2;
                }
            }
        }
        Err(Failure::new(FailureKind::Machine, format!("{} does not answer", self.service))
            .because(last)
            .hint("repeat the command later; nothing is half done"))
    }

    /// One try of a change, which is not repeated blindly: whoever asked looks at what is there first.
    pub(crate) async fn once(
        &self,
        method: Method,
        path: &str,
        json: Option<Vec<u8>>,
        understand: impl Fn(&Answer) -> Result<(), Trouble>,
    ) -> Result<Carried, Failure> {
        self.knock().await;
        match self.send(method, path, json).await.and_then(|answer| understand(&answer)) {
            Ok(()) => Ok(Carried::Done),
            Err(Trouble::Final(failure)) => Err(failure),
            Err(Trouble::Passing(why, after)) => {
                self.lost.store(true, Ordering::Relaxed);
                tokio::time::sleep(after.unwrap_or_else(|| jittered(PAUSE))).await;
                Ok(Carried::Unknown(why))
            }
        }
    }

    /// One try of a change that has an answer, as [`Api::once`]: an error says that nobody knows whether it was carried out. What was
    /// refused for coming too soon was not, and is sent again.
    pub(crate) async fn once_in_turn<T>(
        &self,
        method: Method,
        path: &str,
        json: Option<&[u8]>,
        understand: impl Fn(&Answer) -> Result<T, Trouble>,
    ) -> Result<Result<T, String>, Failure> {
        let mut pause = PAUSE;
        self.knock().await;
        for _ in 0..TRIES {
            let answer = self.answer(method.clone(), path, json.map(<[u8]>::to_vec)).await;
            let too_soon = answer.as_ref().is_ok_and(|answer| answer.status == StatusCode::TOO_MANY_REQUESTS);
            let understood = answer.and_then(|answer| {
                if too_soon || answer.status.is_server_error() { Err(self.busy(&answer)) } else { understand(&answer) }
            });
            match understood {
                Ok(found) => return Ok(Ok(found)),
                Err(Trouble::Final(failure)) => return Err(failure),
                Err(Trouble::Passing(why, after)) => {
                    tokio::time::sleep(after.unwrap_or_else(|| jittered(pause))).await;
                    if !too_soon {
                        self.lost.store(true, Ordering::Relaxed);
                        return Ok(Err(why));
                    }
                    pause *= 2;
                }
            }
        }
        Err(Failure::new(FailureKind::Machine, format!("{} takes no more requests", self.service))
            .hint("repeat the command later; nothing is half done"))
    }

    /// After a change whose answer was lost, every second time on average: a read, once, and a pause where it fails.
    ///
    /// What comes between two tries of a change is always the same number of reads. Where a service fails in a rhythm, such as one
    /// server of two behind a balancer, the change would meet the one that fails each time.
    async fn knock(&self) {
        if !self.lost.swap(false, Ordering::Relaxed) || rand::rng().random() {
            return;
        }
        let read = self.read.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some((method, path, json)) = read else { return };
        if self.send(method, &path, json).await.is_err() {
            tokio::time::sleep(jittered(PAUSE)).await;
        }
    }
}

/// Between half a pause and a whole one, so that those who were refused together do not come back together.
fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(rand::rng().random_range(0.5..1.0))
}
