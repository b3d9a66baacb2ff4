//! Cloudflare's DNS: one zone that remembers. Requests are checked against the published document; what that does not say (a free
//! plan's limits, which records bear one another) by rules of its own.

use std::{
    ops::Deref,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::{Value, json};

use crate::{
    http::{Answered, HttpServer, Reply, Request, Service},
    openapi::OpenApi,
};

const TOKEN: &str = "cf-token-of-the-simulator";
const ZONE: &str = "023e105f4ecef8ad9ca31a8372d0c353";
/// Of a free zone.
const BATCH: usize = 200;
const COMMENT: usize = 100;

/// The zone's records, as the service keeps them.
#[derive(Default)]
pub struct Zone {
    name: String,
    records: Vec<Value>,
    made: u64,
}

/// What a Cloudflare account with one free zone answers.
pub struct CloudflareService {
    api: OpenApi,
    zone: Mutex<Zone>,
}

impl CloudflareService {
    /// An empty zone; without a name it is the first one that is asked for. `document` is the text of the published OpenAPI document.
    #[must_use]
    pub fn new(zone: &str, document: &str) -> Self {
        let zone = Mutex::new(Zone { name: zone.to_owned(), ..Zone::default() });
        Self { api: OpenApi::read(document), zone }
    }

    /// The records, as the API would list them.
    #[must_use]
    pub fn records(&self) -> Vec<Value> {
        self.zone.lock().unwrap_or_else(PoisonError::into_inner).records.clone()
    }

    /// `A kaia.ai 203.0.113.7`, in order.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let text = |r: &Value, key: &str| r[key].as_str().unwrap().to_owned();
        let mut lines: Vec<String> = self
            .records()
            .iter()
            .map(|r| format!("{} {} {}", text(r, "type"), text(r, "name"), text(r, "content")))
            .collect();
        lines.sort();
        lines
    }

    /// Does by hand what a person would do in the web pages.
    pub fn by_hand(&self, change: impl FnOnce(&mut Vec<Value>)) {
        change(&mut self.zone.lock().unwrap_or_else(PoisonError::into_inner).records);
    }

    /// Adds a record by hand.
    pub fn add(&self, kind: &str, name: &str, content: &str) {
        let mut zone = self.zone.lock().unwrap_or_else(PoisonError::into_inner);
        let record = json!({ "type": kind, "name": name, "content": content, "ttl": 1, "proxied": false });
        zone.create(&record).unwrap();
    }
}

impl Service for CloudflareService {
    fn name(&self) -> &'static str {
        "cloudflare"
    }

    fn token(&self) -> &'static str {
        TOKEN
    }

    fn reply(&self, request: &Request) -> Reply {
        let mut zone = self.zone.lock().unwrap_or_else(PoisonError::into_inner);
        answer(&self.api, &mut zone, request).into()
    }
}

/// A Cloudflare account with one free zone, on a port of its own.
pub struct Cloudflare {
    /// What listens.
    pub server: HttpServer,
    account: Arc<CloudflareService>,
}

impl Deref for Cloudflare {
    type Target = CloudflareService;

    fn deref(&self) -> &CloudflareService {
        &self.account
    }
}

impl Cloudflare {
    /// Starts with an empty zone. `document` is the text of the published OpenAPI document.
    pub async fn start(zone: &str, document: &str) -> Self {
        let account = Arc::new(CloudflareService::new(zone, document));
        let shared = Arc::clone(&account);
        let server = HttpServer::on(0, None, move |request| shared.reply(request)).await.unwrap();
        Self { server, account }
    }

    /// Where the API is.
    #[must_use]
    pub fn base(&self) -> String {
        self.server.url("")
    }

    /// The token that it takes.
    #[must_use]
    pub fn token(&self) -> &'static str {
        TOKEN
    }
}

/// What a record says as the service tells it: of CAA the parts in one line, of TXT in quotes.
fn said(kind: &str, given: &Value, content: &str) -> String {
    let data = &given["data"];
    match kind {
        "CAA" if data.is_object() => {
            let text = |key: &str| data[key].as_str().unwrap_or_default().to_owned();
            format!("{} {} \"{}\"", data["flags"].as_u64().unwrap_or_default(), text("tag"), text("value"))
        }
        "TXT" => format!("\"{}\"", given["content"].as_str().unwrap_or_default().trim_matches('"')),
        _ => content.to_owned(),
    }
}

type Wrong = (u16, u64, String);

impl Zone {
    fn create(&mut self, record: &Value) -> Result<Value, Wrong> {
        let record = self.sound(record, None)?;
        self.records.push(record.clone());
        Ok(record)
    }

    fn change(&mut self, id: &str, patch: &Value) -> Result<Value, Wrong> {
        let place = self.place(id)?;
        let mut whole = self.records[place].clone();
        for (key, value) in patch.as_object().into_iter().flatten() {
            whole[key] = value.clone();
        }
        let record = self.sound(&whole, Some(id))?;
        self.records[place] = record.clone();
        Ok(record)
    }

    fn delete(&mut self, id: &str) -> Result<Value, Wrong> {
        let place = self.place(id)?;
        Ok(self.records.remove(place))
    }

    fn place(&self, id: &str) -> Result<usize, Wrong> {
        self.records.iter().position(|r| r["id"] == id).ok_or((404, 81044, "Record does not exist.".to_owned()))
    }

    /// The record as it is kept, if it may be.
    fn sound(&mut self, given: &Value, of: Option<&str>) -> Result<Value, Wrong> {
        let text = |key: &str| given[key].as_str().unwrap_or_default().trim_end_matches('.').to_ascii_lowercase();
        let kind = given["type"].as_str().unwrap_or_default().to_owned();
        let (mut name, content) = (text("name"), said(&kind, given, &text("content")));
        if name == "@" {
            name.clone_from(&self.name);
        } else if name != self.name && !name.ends_with(&format!(".{}", self.name)) {
            name = format!("{name}.{}", self.name);
        }
        let proxied = given["proxied"] == true;
        if proxied && !["A", "AAAA", "CNAME"].contains(&kind.as_str()) {
            return Err((400, 9004, "This record type cannot be proxied.".to_owned()));
        }
        let ttl = given["ttl"].as_u64().unwrap_or(1);
        if ttl != 1 && !(60..=86_400).contains(&ttl) {
            return Err((400, 9021, "Invalid TTL.".to_owned()));
        }
        let comment = given["comment"].as_str().unwrap_or_default();
        if comment.chars().count() > COMMENT || comment.contains('\n') {
            return Err((400, 9313, "DNS record has an invalid comment.".to_owned()));
        }
        if given["tags"].as_array().is_some_and(|tags| !tags.is_empty()) {
            return Err((400, 9300, "DNS record has 1 tags, exceeding the quota of 0.".to_owned()));
        }
        let others = || self.records.iter().filter(|r| r["name"] == name.as_str() && of.is_none_or(|id| r["id"] != id));
        if others().any(|r| r["type"] == kind.as_str() && r["content"] == content.as_str()) {
            return Err((400, 81058, "An identical record already exists.".to_owned()));
        }
        let addresses = ["A", "AAAA", "CNAME"];
        if kind == "CNAME" && others().any(|r| addresses.iter().any(|a| r["type"] == *a)) {
            return Err((400, 81053, "An A, AAAA, or CNAME record with that host already exists.".to_owned()));
        }
        if addresses.contains(&kind.as_str()) && others().any(|r| r["type"] == "CNAME") {
            return Err((400, 81054, "A CNAME record with that host already exists.".to_owned()));
        }
        let id = of.map_or_else(
            || {
                self.made += 1;
                format!("{:032x}", self.made)
            },
            str::to_owned,
        );
        Ok(json!({ "id": id, "type": kind, "name": name, "content": content, "proxied": proxied, "proxiable": true,
            "ttl": if proxied { 1 } else { ttl }, "comment": if comment.is_empty() { Value::Null } else { comment.into() }, "tags": [] }))
    }

    /// In the order that is documented, all or nothing.
    fn batch(&mut self, body: &Value) -> Result<Value, Wrong> {
        let all = |key: &str| body[key].as_array().cloned().unwrap_or_default();
        if ["deletes", "patches", "puts", "posts"].iter().map(|key| all(key).len()).sum::<usize>() > BATCH {
            return Err((400, 9207, "Too many changes in one batch.".to_owned()));
        }
        let before = self.records.clone();
        let done = self.carry_out(&all);
        if done.is_err() {
            self.records = before;
        }
        done
    }

    fn carry_out(&mut self, all: &dyn Fn(&str) -> Vec<Value>) -> Result<Value, Wrong> {
        let id = |r: &Value| r["id"].as_str().unwrap_or_default().to_owned();
        let deletes = all("deletes").iter().map(|r| self.delete(&id(r))).collect::<Result<Vec<_>, _>>()?;
        let patches = all("patches").iter().map(|r| self.change(&id(r), r)).collect::<Result<Vec<_>, _>>()?;
        let puts = all("puts").iter().map(|r| self.change(&id(r), r)).collect::<Result<Vec<_>, _>>()?;
        let posts = all("posts").iter().map(|r| self.create(r)).collect::<Result<Vec<_>, _>>()?;
        Ok(json!({ "deletes": deletes, "patches": patches, "puts": puts, "posts": posts }))
    }
}

fn refused((status, code, message): Wrong) -> Answered {
    let outer = if code == 9300 { (1004, "DNS Validation Error".to_owned()) } else { (code, message.clone()) };
    let chain = if code == 9300 { json!([{ "code": code, "message": message }]) } else { json!([]) };
    let error = json!({ "code": outer.0, "message": outer.1, "error_chain": chain });
    let body = json!({ "success": false, "errors": [error], "messages": [], "result": null });
    Err((status, body.to_string().into()))
}

fn done(result: &Value, info: Option<Value>) -> Answered {
    let mut body = json!({ "success": true, "errors": [], "messages": [], "result": result });
    if let Some(info) = info {
        body["result_info"] = info;
    }
    Ok(body.to_string().into())
}

fn answer(api: &OpenApi, zone: &mut Zone, request: &Request) -> Answered {
    let path = request.path.as_str();
    let body = if request.body.is_empty() { None } else { serde_json::from_slice(&request.body).ok() };
    if let Err(why) = api.check(request.method.as_str(), path, &request.query, body.as_ref()) {
        return refused((400, 10_000, format!("not in the published document: {why}")));
    }
    if request.headers.get("authorization").is_none_or(|v| v != format!("Bearer {TOKEN}").as_str()) {
        return refused((403, 9109, "Invalid access token".into()));
    }
    let value = |name: &str| request.query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    let records = format!("/zones/{ZONE}/dns_records");
    match (request.method.as_str(), path) {
        ("GET", "/zones") => {
            if zone.name.is_empty() {
                zone.name = value("name").unwrap_or_default().to_owned();
            }
            let there = value("name").is_none_or(|name| name == zone.name);
            let found = json!({ "id": ZONE, "name": zone.name, "status": "active", "plan": { "legacy_id": "free" }, "name_servers": ["ada.ns.example", "bob.ns.example"] });
            done(&if there { json!([found]) } else { json!([]) }, None)
        }
        ("GET", path) if path == records => {
            let number = |name: &str, or: usize| value(name).and_then(|v| v.parse().ok()).unwrap_or(or);
            let (page, per_page) = (number("page", 1).max(1), number("per_page", 100).clamp(1, 5_000_000));
            let all = &zone.records;
            let shown: Vec<&Value> = all.iter().skip((page - 1) * per_page).take(per_page).collect();
            let info = json!({ "page": page, "per_page": per_page, "count": shown.len(), "total_count": all.len(), "total_pages": all.len().div_ceil(per_page) });
            done(&json!(shown), Some(info))
        }
        ("POST", path) if path == format!("{records}/batch") => match zone.batch(&body.unwrap_or_default()) {
            Ok(result) => done(&result, None),
            Err(wrong) => refused(wrong),
        },
        _ => refused((404, 7003, "Could not route to that, perhaps your object identifier is invalid?".into())),
    }
}
