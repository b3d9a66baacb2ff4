//! Monitors at UptimeRobot (uptimerobot.com/api/v3). It knows no idempotency: who does not know whether a monitor was made looks before
//! making it. What is written may not be read for some seconds.

use std::sync::{Mutex, PoisonError};

use ambit_domain::{
    Failure, FailureKind,
    monitors::{Alert, Contact, INTERVAL, Monitor, Present, Told},
    outside::Quota,
};
use hyper::{Method, StatusCode, header};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    api::{Api, Carried, Trouble},
    http::Answer,
};

/// Where the API is.
pub const BASE: &str = "https://api.uptimerobot.com/v3";
/// The most that is taken.
const PAGE: usize = 200;
/// No account has so many monitors.
const PAGES: usize = 100;
/// Of a free account.
const FREE: Quota = Quota { calls: 10, seconds: 60, left: None };
/// How long a monitor waits for an answer, in seconds.
const TIMEOUT: u32 = 30;

/// An account, by its key.
pub struct UptimeRobot {
    api: Api,
    quota: Mutex<Quota>,
}

/// How the making or changing of a monitor ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// As it is now.
    Done(Present),
    /// Nobody knows: read again what is there.
    Unknown(String),
}

#[derive(Deserialize)]
struct Page<T> {
    data: Vec<T>,
    #[serde(rename = "nextLink")]
    next: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    id: u64,
    friendly_name: String,
    url: String,
    /// A word, or a number in accounts of old.
    #[serde(rename = "type")]
    kind: Value,
    #[serde(default)]
    interval: f64,
    #[serde(default)]
    status: Value,
    #[serde(default)]
    tags: Vec<Tag>,
    #[serde(default)]
    assigned_alert_contacts: Vec<Assigned>,
}

#[derive(Deserialize)]
struct Tag {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Assigned {
    /// A number, or one in quotes.
    alert_contact_id: Value,
    #[serde(default)]
    threshold: u32,
    #[serde(default)]
    recurrence: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Person {
    id: u64,
    friendly_name: Option<String>,
    #[serde(rename = "type")]
    kind: Value,
    #[serde(default)]
    status: Value,
}

#[derive(Deserialize)]
struct Refusal {
    /// A sentence or several.
    message: Value,
}

impl UptimeRobot {
    /// `base` is [`BASE`], or a server of the same API over TLS or on this machine.
    pub fn new(base: &str, token: &str) -> Result<Self, Failure> {
        let api = Api::new("UptimeRobot", base, (header::AUTHORIZATION, "Bearer ", token), &[])?;
        Ok(Self { api, quota: Mutex::new(FREE) })
    }

    /// How many requests the account takes, as it said last.
    #[must_use]
    pub fn quota(&self) -> Quota {
        *self.quota.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All monitors of the account.
    pub async fn monitors(&self) -> Result<Vec<Present>, Failure> {
        Ok(self.pages::<Entry>("/monitors", &format!("limit={PAGE}")).await?.into_iter().map(present).collect())
    }

    /// The people who can be told.
    pub async fn contacts(&self) -> Result<Vec<Contact>, Failure> {
        let all: Vec<Person> = self.read("/user/alert-contacts").await?;
        Ok(all.into_iter().filter_map(contact).collect())
    }

    /// What can be told beside people: channels, URLs.
    pub async fn integrations(&self) -> Result<Vec<Contact>, Failure> {
        Ok(self.pages("/integrations", "").await?.into_iter().filter_map(contact).collect())
    }

    /// Makes a monitor.
    pub async fn create(&self, monitor: &Monitor, contacts: &[Contact]) -> Result<Written, Failure> {
        let told: Vec<Told> = contacts.iter().map(|c| Told::at_once(c.id)).collect();
        let mut body = written(monitor, INTERVAL, std::slice::from_ref(&monitor.tag), &told);
        body["type"] = json!("HTTP");
        body["timeout"] = json!(TIMEOUT);
        self.write(Method::POST, "/monitors", &body).await
    }

    /// Makes a monitor what it should be. Who is told already and what other tags it has stays.
    pub async fn change(&self, present: &Present, monitor: &Monitor, more: &[Contact]) -> Result<Written, Failure> {
        let mut tags = present.tags.clone();
        if !tags.contains(&monitor.tag) {
            tags.push(monitor.tag.clone());
        }
        let more = more.iter().map(|c| Told::at_once(c.id));
        let told: Vec<Told> = present.told.iter().copied().chain(more).collect();
        let body = written(monitor, present.interval.min(INTERVAL), &tags, &told);
        self.write(Method::PATCH, &format!("/monitors/{}", present.id), &body).await
    }

    /// Adds a tag to a monitor and changes nothing else.
    pub async fn mark(&self, present: &Present, tag: &str) -> Result<Written, Failure> {
        let tags: Vec<&str> = present.tags.iter().map(String::as_str).chain([tag]).collect();
        self.write(Method::PATCH, &format!("/monitors/{}", present.id), &json!({ "tagNames": tags })).await
    }

    /// Lets a monitor run that somebody stopped.
    pub async fn start(&self, id: u64) -> Result<Written, Failure> {
        self.write(Method::POST, &format!("/monitors/{id}/start"), &json!({})).await
    }

    /// Deletes a monitor. One that is gone is deleted.
    pub async fn delete(&self, id: u64) -> Result<Carried, Failure> {
        let understand = |answer: &Answer| match answer.status {
            StatusCode::NOT_FOUND | StatusCode::GONE => Ok(()),
            status if status.is_success() => Ok(()),
            _ => Err(self.refused(answer)),
        };
        let tried = self.api.once_in_turn(Method::DELETE, &format!("/monitors/{id}"), None, understand).await?;
        Ok(tried.map_or_else(Carried::Unknown, |()| Carried::Done))
    }

    async fn write(&self, method: Method, path: &str, body: &Value) -> Result<Written, Failure> {
        let body = body.to_string();
        let understand = |answer: &Answer| self.understood::<Entry>(answer).map(present);
        let tried = self.api.once_in_turn(method, path, Some(body.as_bytes()), understand).await?;
        Ok(tried.map_or_else(Written::Unknown, Written::Done))
    }

    async fn read<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.api.repeat(Method::GET, path, None, |answer| self.understood(answer)).await
    }

    async fn pages<T: DeserializeOwned>(&self, path: &str, query: &str) -> Result<Vec<T>, Failure> {
        let mut all = Vec::new();
        let mut cursor: Option<String> = None;
        for _ in 0..PAGES {
            let at = cursor.as_ref().map(|cursor| format!("cursor={cursor}"));
            let query: Vec<&str> = [query].into_iter().chain(at.as_deref()).filter(|part| !part.is_empty()).collect();
            let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
            let page: Page<T> = self.read(&format!("{path}{query}")).await?;
            all.extend(page.data);
            let next = page.next.as_deref().and_then(cursor_of);
            if next.is_none() || next == cursor {
                return Ok(all);
            }
            cursor = next;
        }
        Err(Failure::new(FailureKind::Machine, "the list that UptimeRobot gives has no end"))
    }

    fn understood<T: DeserializeOwned>(&self, answer: &Answer) -> Result<T, Trouble> {
        self.note_quota(answer);
        if !answer.status.is_success() {
            return Err(self.refused(answer));
        }
        serde_json::from_str(&answer.body)
            .map_err(|_| Trouble::Passing(format!("{} with something that is no answer", self.api.said(answer)), None))
    }

    fn note_quota(&self, answer: &Answer) {
        let number = |name: &str| answer.headers.get(name)?.to_str().ok()?.trim().parse::<u32>().ok();
        if let Some(calls) = number("x-ratelimit-limit").filter(|calls| *calls > 0) {
            let quota = Quota { calls, left: number("x-ratelimit-remaining"), ..FREE };
            *self.quota.lock().unwrap_or_else(PoisonError::into_inner) = quota;
        }
    }

    fn refused(&self, answer: &Answer) -> Trouble {
        let mut failure = Failure::new(FailureKind::User, self.api.said(answer));
        let said = serde_json::from_str::<Refusal>(&answer.body).map(|r| r.message);
        match said {
            Ok(Value::String(why)) => failure = failure.because(why),
            Ok(Value::Array(all)) => {
                failure = all.iter().filter_map(Value::as_str).fold(failure, |failure, why| failure.because(why));
            }
            _ => {}
        }
        Trouble::Final(match answer.status {
            StatusCode::UNAUTHORIZED => {
                failure.hint("the key is wrong or was deleted: UptimeRobot → Integrations & API → API, Main API key")
            }
            StatusCode::FORBIDDEN => {
                failure.hint("the key may only read, or the account may not have more: it has to be the Main API key")
            }
            _ => failure,
        })
    }
}

/// The number in `https://…?limit=200&cursor=7`. Nothing else of the address is followed.
fn cursor_of(link: &str) -> Option<String> {
    let (_, query) = link.split_once('?')?;
    let cursor = query.split('&').find_map(|pair| pair.strip_prefix("cursor="))?;
    (!cursor.is_empty() && cursor.chars().all(|c| c.is_ascii_digit())).then(|| cursor.to_owned())
}

fn written(monitor: &Monitor, interval: u32, tags: &[String], told: &[Told]) -> Value {
    let told = told.iter().map(|t| json!({ "alertContactId": t.contact, "threshold": t.after, "recurrence": t.every }));
    json!({
        "friendlyName": monitor.name,
        "url": monitor.url,
        "interval": interval,
        "tagNames": tags,
        "assignedAlertContacts": told.collect::<Vec<_>>(),
    })
}

fn present(entry: Entry) -> Present {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Saturates, and nobody waits that long.
    let interval = entry.interval as u32;
    Present {
        id: entry.id,
        name: plain(&entry.friendly_name),
        url: plain(&entry.url),
        http: is(&entry.kind, "HTTP", 1),
        interval,
        paused: is(&entry.status, "PAUSED", 0),
        tags: entry.tags.into_iter().map(|tag| tag.name).collect(),
        told: entry.assigned_alert_contacts.iter().filter_map(told).collect(),
    }
}

fn told(assigned: &Assigned) -> Option<Told> {
    let contact = number(&assigned.alert_contact_id)?;
    Some(Told { contact, after: assigned.threshold, every: assigned.recurrence })
}

fn contact(told: Person) -> Option<Contact> {
    let kinds = [(Alert::Email, "Email", 2), (Alert::Webhook, "Webhook", 5), (Alert::Slack, "Slack", 11)];
    let (kind, word, _) = kinds.into_iter().find(|(_, word, number)| is(&told.kind, word, *number))?;
    let name = told.friendly_name.filter(|name| !name.trim().is_empty());
    let name = name.map_or_else(|| format!("{word} {}", told.id), |name| plain(&name));
    (told.status.is_null() || is(&told.status, "Active", 2)).then_some(Contact { id: told.id, name, kind })
}

fn is(value: &Value, word: &str, number: u64) -> bool {
    value.as_str().is_some_and(|text| text.eq_ignore_ascii_case(word)) || value.as_u64() == Some(number)
}

fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// Names and addresses are answered as a page would show them.
fn plain(text: &str) -> String {
    let pairs = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&#039;", "'"), ("&amp;", "&")];
    pairs.into_iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_number_of_the_next_page_is_taken_from_an_answer() {
        assert_eq!(cursor_of("https://api.uptimerobot.com/v3/monitors?limit=200&cursor=71"), Some("71".into()));
        for odd in ["https://evil.example/", "?cursor=", "?cursor=7/../x", "?limit=1", ""] {
            assert_eq!(cursor_of(odd), None, "{odd}");
        }
    }

    #[test]
    fn kinds_and_states_are_words_or_numbers() {
        let told = |kind: Value, status: Value| contact(Person { id: 7, friendly_name: None, kind, status });
        assert_eq!(told(json!(11), json!(2)).map(|c| (c.kind, c.name)), Some((Alert::Slack, "Slack 7".into())));
        assert_eq!(told(json!("Email"), json!("Active")).map(|c| c.kind), Some(Alert::Email));
        assert_eq!(told(json!("Email"), json!("Paused")), None);
        assert_eq!(told(json!("Voice"), json!("Active")), None);
    }
}
