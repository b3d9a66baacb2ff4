//! A repository at GitHub (docs.github.com/rest). Reads may be repeated; a write is one try, after which whoever asked for it reads
//! again where nobody knows what became of it.

mod activity;
mod answers;
mod present;
mod protection;
mod read;
mod release;
mod write;

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use ambit_domain::{Failure, FailureKind};
use hyper::{Method, StatusCode, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;

use self::answers::Answered;
pub use self::{
    activity::{Issue, Told},
    present::Asked,
    read::{About, Readable},
    write::Outcome,
};
use crate::{
    api::{Api, Trouble},
    http::Answer,
};

/// Where the API is.
pub const BASE: &str = "https://api.github.com";
/// The version of the API that is spoken here.
const VERSION: &str = "2022-11-28";
/// The most that a page holds.
const PAGE: usize = 100;
/// Pages of a list, before it is taken for endless.
const PAGES: usize = 100;
/// GitHub asks for a minute where it does not say how long to wait.
const MINUTE: Duration = Duration::from_secs(60);
/// Stands for a number of requests that nobody told.
const UNTOLD: u32 = u32::MAX;
/// What a part of a path holds as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A repository, by a token that may see it.
pub struct Github {
    api: Api,
    repository: String,
    /// Requests that are left in this hour, as the last answer said.
    left: AtomicU32,
    /// Requests that were made to read.
    made: AtomicU32,
}

impl Github {
    /// `base` is [`BASE`], or a server of the same API over TLS or on this machine; `repository` is `OWNER/NAME`.
    pub fn new(base: &str, token: &str, repository: &str) -> Result<Self, Failure> {
        let more = [
            (header::ACCEPT, "application/vnd.github+json"),
            (header::HeaderName::from_static("x-github-api-version"), VERSION),
        ];
        let api = Api::new("GitHub", base, (header::AUTHORIZATION, "Bearer ", token), &more)?.patient(MINUTE);
        Ok(Self { api, repository: repository.to_owned(), left: AtomicU32::new(UNTOLD), made: AtomicU32::new(0) })
    }

    /// How many requests are left in this hour, where an answer said so.
    #[must_use]
    pub fn left(&self) -> Option<u32> {
        Some(self.left.load(Ordering::Relaxed)).filter(|left| *left != UNTOLD)
    }

    /// How many requests reading took so far.
    #[must_use]
    pub fn made(&self) -> u32 {
        self.made.load(Ordering::Relaxed)
    }

    fn understood<T: DeserializeOwned>(&self, answer: &Answer) -> Result<Answered<T>, Trouble> {
        let left = answer.headers.get("x-ratelimit-remaining").and_then(|v| v.to_str().ok()?.parse().ok());
        if let Some(left) = left {
            self.left.store(left, Ordering::Relaxed);
        }
        self.made.fetch_add(1, Ordering::Relaxed);
        answers::understood(&self.api, answer)
    }

    /// The path of something of the repository's.
    fn path(&self, below: &str) -> String {
        format!("/repos/{}{below}", self.repository)
    }

    /// Reads one thing.
    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Answered<T>, Failure> {
        self.api.repeat(Method::GET, path, None, |answer| self.understood(answer)).await
    }

    /// Whether something is there that nothing more is said of.
    async fn is_there(&self, path: &str) -> Result<bool, Failure> {
        let understand = |answer: &Answer| match answer.status {
            status if status.is_success() => Ok(true),
            StatusCode::NOT_FOUND => Ok(false),
            _ => Err(answers::trouble(&self.api, answer)),
        };
        self.api.repeat(Method::GET, path, None, understand).await
    }

    /// Reads one thing that has to be there.
    async fn one<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        match self.get(path).await? {
            Answered::There(found) => Ok(found),
            Answered::Nothing(why) | Answered::Refused(why) => Err(self.gone(&why)),
        }
    }

    /// Reads all pages of a list; `items` takes them out of what is around them.
    async fn list<T: DeserializeOwned, I>(
        &self,
        path: &str,
        items: impl Fn(T) -> Vec<I>,
    ) -> Result<Answered<Vec<I>>, Failure> {
        let mut all = Vec::new();
        let joint = if path.contains('?') { '&' } else { '?' };
        for page in 1..=PAGES {
            let path = format!("{path}{joint}per_page={PAGE}&page={page}");
            let understand = |answer: &Answer| Ok((self.understood::<T>(answer)?, answers::has_next(&answer.headers)));
            match self.api.repeat(Method::GET, &path, None, understand).await? {
                (Answered::There(found), more) => {
                    all.extend(items(found));
                    if !more {
                        break;
                    }
                }
                (Answered::Nothing(why), _) => return Ok(Answered::Nothing(why)),
                (Answered::Refused(why), _) => return Ok(Answered::Refused(why)),
            }
        }
        Ok(Answered::There(all))
    }

    /// A list that has to be there.
    async fn all<T: DeserializeOwned, I>(&self, path: &str, items: impl Fn(T) -> Vec<I>) -> Result<Vec<I>, Failure> {
        match self.list(path, items).await? {
            Answered::There(all) => Ok(all),
            Answered::Nothing(why) | Answered::Refused(why) => Err(self.gone(&why)),
        }
    }

    /// What was there when the repository was looked at, and is not now.
    fn gone(&self, why: &str) -> Failure {
        Failure::new(FailureKind::Machine, format!("something of {} is not there any more", self.repository))
            .because(why)
            .hint("look again: ambit plan")
    }
}

/// A name as one part of a path.
fn part(name: &str) -> String {
    utf8_percent_encode(name, PLAIN).to_string()
}
