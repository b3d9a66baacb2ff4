//! DNS at Cloudflare (developers.cloudflare.com/api/resources/dns). Reads may be repeated; a batch is one transaction there, so that
//! whoever does not know whether it was carried out reads the zone again.

use ambit_domain::{
    Failure, FailureKind,
    dns::{Change, Content, Present, Record, plain},
};
use hyper::{Method, StatusCode, header};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    api::{Api, Carried, Trouble},
    http::Answer,
};

/// Where the API is.
pub const BASE: &str = "https://api.cloudflare.com/client/v4";
/// A zone of ten thousand records takes two.
const PAGE: usize = 5_000;
/// How many changes a free zone takes at once.
pub const BATCH: usize = 200;
/// Errors that say that a record exists.
const ALREADY: [u64; 2] = [81_057, 81_058];
/// An account, by its token.
pub struct Cloudflare(Api);

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
    ttl: f64,
    #[serde(default)]
    comment: Option<String>,
}

impl Cloudflare {
    /// `base` is [`BASE`], or a server of the same API over TLS or on this machine.
    pub fn new(base: &str, token: &str) -> Result<Self, Failure> {
        Ok(Self(Api::new("Cloudflare", base, (header::AUTHORIZATION, "Bearer ", token), &[])?))
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
        let understand = |answer: &Answer| understood::<Value>(answer, self.0.said(answer)).map(drop);
        self.0.once(Method::POST, &path, Some(body.to_string().into_bytes()), understand).await
    }

    async fn read<T: DeserializeOwned>(&self, path: &str) -> Result<(T, Option<usize>), Failure> {
        self.0.repeat(Method::GET, path, None, |answer| understood(answer, self.0.said(answer))).await
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

/// The published document has numbers where only whole ones make sense.
fn whole(number: f64) -> u32 {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Saturates, and no record lives that long.
    let whole = number as u32;
    whole
}

fn present(entry: Entry) -> Present {
    Present {
        id: entry.id,
        host: plain(&entry.name),
        kind: entry.kind,
        content: entry.content,
        proxied: entry.proxied.unwrap_or(false),
        ttl: whole(entry.ttl),
        comment: entry.comment.unwrap_or_default(),
    }
}

fn written(record: &Record) -> Value {
    let mut body =
        json!({ "type": record.content.kind(), "name": record.host, "ttl": record.lives(), "comment": record.mark });
    match &record.content {
        Content::Caa(text) => {
            let mut words = text.splitn(3, ' ');
            let (flags, tag) = (words.next().and_then(|f| f.parse::<u8>().ok()), words.next());
            body["data"] = json!({ "flags": flags, "tag": tag, "value": words.next().map(|v| v.trim_matches('"')) });
        }
        content => body["content"] = json!(content.text()),
    }
    if record.content.is_address() {
        body["proxied"] = json!(record.proxied);
    }
    body
}
