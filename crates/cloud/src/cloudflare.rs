//! DNS at Cloudflare (developers.cloudflare.com/api/resources/dns). Reads may be repeated; a batch is one transaction there, so that
//! whoever does not know whether it was carried out reads the zone again.

use std::time::Duration;

use ambit_domain::{
    Failure, FailureKind,
    dns::{Change, Present, Record, plain},
};
use hyper::{HeaderMap, Method, StatusCode, Uri, header};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::http::{Answer, Http, HttpError, private};

/// Where the API is.
pub const BASE: &str = "https://api.cloudflare.com/client/v4";
/// A zone of ten thousand records takes two.
const PAGE: usize = 5_000;
/// How many changes a free zone takes at once.
pub const BATCH: usize = 200;
/// Errors that say that a record exists.
const ALREADY: [u64; 2] = [81_057, 81_058];
/// Tries of a request that may be repeated.
const TRIES: u32 = 5;
/// The first pause; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(500);
/// What asks for a longer one is given up on.
const LONGEST_PAUSE: Duration = Duration::from_secs(90);

/// An account, by its token.
pub struct Cloudflare {
    http: Http,
    base: String,
    authorization: header::HeaderValue,
}

/// A zone.
#[derive(Debug, Clone, Deserialize)]
pub struct Zone {
    /// By what the API knows it.
    pub id: String,
    /// `kaia.ai`
    pub name: String,
    /// `active` once its name servers are Cloudflare's.
    pub status: String,
    /// Those name servers.
    #[serde(default)]
    pub name_servers: Vec<String>,
}

#[derive(Deserialize)]
struct Envelope<T> {
    success: bool,
    #[serde(default)]
    errors: Vec<Told>,
    result: Option<T>,
    result_info: Option<Pages>,
}

#[derive(Deserialize)]
struct Told {
    #[serde(default)]
    code: u64,
    #[serde(default)]
    message: String,
    #[serde(default)]
    error_chain: Vec<Told>,
}

#[derive(Deserialize)]
struct Pages {
    total_pages: Option<usize>,
}

#[derive(Deserialize)]
struct Entry {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    name: String,
    #[serde(default)]
    content: String,
    #[serde(default)]
    proxied: Option<bool>,
    #[serde(default)]
    comment: Option<String>,
}

/// How a batch ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Carried {
    /// It is done.
    Done,
    /// Nobody knows whether it was, or it may be done another time: read the zone again.
    Unknown(String),
}

/// How a request ended that was not answered as hoped.
enum Trouble {
    /// Another time it may go through; nobody knows whether it did.
    Passing(String, Option<Duration>),
    Final(Failure),
}

impl Cloudflare {
    /// `base` is [`BASE`], or a server of the same API over TLS or on this machine.
    pub fn new(base: &str, token: &str) -> Result<Self, Failure> {
        let wrong = |what: &str| Failure::new(FailureKind::User, what.to_owned());
        if private(base).is_none() {
            return Err(wrong("the address of Cloudflare's API is no https:// URL"));
        }
        let mut authorization: header::HeaderValue = format!("Bearer {}", token.trim())
            .parse()
            .map_err(|_| wrong("the token for Cloudflare holds a character that no token has"))?;
        authorization.set_sensitive(true);
        let http = Http::new().map_err(|e| Failure::from_error(FailureKind::Machine, &e))?;
        Ok(Self { http, base: base.trim_end_matches('/').to_owned(), authorization })
    }

    /// The zone of that name.
    pub async fn zone(&self, name: &str) -> Result<Zone, Failure> {
        let zones: Vec<Zone> = self.read(&format!("/zones?name={name}")).await?.0;
        zones.into_iter().find(|z| plain(&z.name) == plain(name)).ok_or_else(|| {
            Failure::new(FailureKind::NotFound, format!("Cloudflare shows this token no zone {name}"))
                .hint("the token needs Zone → Zone → Read and Zone → DNS → Edit for that zone")
        })
    }

    /// All its records.
    pub async fn records(&self, zone: &Zone) -> Result<Vec<Present>, Failure> {
        let mut all = Vec::new();
        for page in 1.. {
            let path = format!("/zones/{}/dns_records?per_page={PAGE}&page={page}", zone.id);
            let (entries, pages) = self.read::<Vec<Entry>>(&path).await?;
            all.extend(entries.into_iter().map(present));
            if page >= pages.unwrap_or(1) {
                break;
            }
        }
        // A token for another zone would make `api.kaia.ai.other.example`.
        let suffix = format!(".{}", plain(&zone.name));
        if all.iter().any(|r| r.host != plain(&zone.name) && !r.host.ends_with(&suffix)) {
            return Err(Failure::new(
                FailureKind::Machine,
                format!("Cloudflare lists records that are not of {}", zone.name),
            ));
        }
        Ok(all)
    }

    /// Carries out at most [`BATCH`] changes, all or none.
    pub async fn carry_out(&self, zone: &Zone, changes: &[Change]) -> Result<Carried, Failure> {
        let (mut deletes, mut patches, mut posts) = (Vec::new(), Vec::new(), Vec::new());
        for change in changes {
            match change {
                Change::Delete { present } => deletes.push(json!({ "id": present.id })),
                Change::Change { present, record } => {
                    let mut body = written(record);
                    body["id"] = json!(present.id);
                    patches.push(body);
                }
                Change::Create { record } => posts.push(written(record)),
            }
        }
        let body = json!({ "deletes": deletes, "patches": patches, "posts": posts });
        let path = format!("/zones/{}/dns_records/batch", zone.id);
        match self.call::<Value>(Method::POST, &path, Some(&body)).await {
            Ok(_) => Ok(Carried::Done),
            Err(Trouble::Final(failure)) => Err(failure),
            Err(Trouble::Passing(why, after)) => {
                tokio::time::sleep(after.unwrap_or(PAUSE)).await;
                Ok(Carried::Unknown(why))
            }
        }
    }

    async fn read<T: DeserializeOwned>(&self, path: &str) -> Result<(T, Option<usize>), Failure> {
        let mut pause = PAUSE;
        let mut last = String::new();
        for _ in 0..TRIES {
            match self.call(Method::GET, path, None).await {
                Ok(found) => return Ok(found),
                Err(Trouble::Final(failure)) => return Err(failure),
                Err(Trouble::Passing(why, after)) => {
                    last = why;
                    tokio::time::sleep(after.unwrap_or(pause)).await;
                    pause *= 2;
                }
            }
        }
        Err(Failure::new(FailureKind::Machine, "Cloudflare does not answer")
            .because(last)
            .hint("repeat the command later; nothing is half done"))
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(T, Option<usize>), Trouble> {
        let internal = |what: String| Trouble::Final(Failure::new(FailureKind::Internal, what));
        let to: Uri = format!("{}{path}", self.base).parse().map_err(|_| internal(format!("{path} is no path")))?;
        let headers = HeaderMap::from_iter([(header::AUTHORIZATION, self.authorization.clone())]);
        let answer = match self.http.call(method, &to, headers, body.map(|b| b.to_string().into_bytes())).await {
            Ok(answer) => answer,
            Err(error @ HttpError::NoRoots) => {
                return Err(Trouble::Final(Failure::from_error(FailureKind::Machine, &error)));
            }
            Err(error) => return Err(Trouble::Passing(error.to_string(), None)),
        };
        let said = format!("Cloudflare answered {}", answer.status.as_u16());
        if answer.status == StatusCode::TOO_MANY_REQUESTS || answer.status.is_server_error() {
            return match answer.retry_after {
                Some(after) if after > LONGEST_PAUSE => Err(Trouble::Final(
                    Failure::new(FailureKind::Machine, format!("{said} and asks for a pause of {} s", after.as_secs()))
                        .hint("repeat the command then; nothing is half done"),
                )),
                after => Err(Trouble::Passing(said, after)),
            };
        }
        understood(&answer, said)
    }
}

fn understood<T: DeserializeOwned>(answer: &Answer, said: String) -> Result<(T, Option<usize>), Trouble> {
    let refused = |errors: &[Told]| {
        let mut failure = Failure::new(FailureKind::User, said.clone());
        for told in errors.iter().flat_map(|e| std::iter::once(e).chain(&e.error_chain)) {
            failure = failure.because(format!("{} ({})", told.message, told.code));
        }
        if matches!(answer.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            failure = failure
                .hint("the token is wrong, expired, or lacks Zone → Zone → Read or Zone → DNS → Edit for this zone");
        }
        Trouble::Final(failure)
    };
    match serde_json::from_str::<Envelope<T>>(&answer.body) {
        // 200 says that it was heard, `success` that it was done.
        Ok(Envelope { success: true, result: Some(result), result_info, .. }) if answer.status.is_success() => {
            Ok((result, result_info.and_then(|i| i.total_pages)))
        }
        // It is there already: an earlier try was carried out though it was not answered.
        Ok(envelope) if envelope.errors.iter().any(|e| ALREADY.contains(&e.code)) => Err(Trouble::Passing(
            envelope.errors.iter().map(|e| e.message.as_str()).collect::<Vec<_>>().join("; "),
            None,
        )),
        Ok(envelope) => Err(refused(&envelope.errors)),
        Err(_) if answer.status.is_success() => {
            Err(Trouble::Passing(format!("{said} with something that is no answer"), None))
        }
        Err(_) => Err(refused(&[])),
    }
}

fn present(entry: Entry) -> Present {
    Present {
        id: entry.id,
        host: plain(&entry.name),
        kind: entry.kind,
        content: entry.content,
        proxied: entry.proxied.unwrap_or(false),
        comment: entry.comment.unwrap_or_default(),
    }
}

fn written(record: &Record) -> Value {
    // 1 leaves the time to live to Cloudflare, which knows no other one where it stands between.
    json!({ "type": record.content.kind(), "name": record.host, "content": record.content.text(), "proxied": record.proxied, "ttl": 1, "comment": record.mark })
}
