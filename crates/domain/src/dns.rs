//! The DNS records that a project's URLs need, and how they differ from those of a zone. Pure; who holds the zone is said above.
//!
//! A record is the project's own by its comment (`ambit:kaia/prod/web`): no other one is ever changed or deleted.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::{
    outside::{self, Detail, Known, Said},
    spec::{Cloudflare, EnvironmentName, Form, Project, ProjectName, ServiceName},
};

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "type", content = "content")]
pub enum Content {
    /// An IPv4 address.
    A(Ipv4Addr),
    /// An IPv6 address.
    #[serde(rename = "AAAA")]
    Aaaa(Ipv6Addr),
    /// Another name, in small letters and without a dot at its end.
    #[serde(rename = "CNAME")]
    Cname(String),
    /// A text, without quotes.
    #[serde(rename = "TXT")]
    Txt(String),
    /// Who may certify the name: `0 issue "letsencrypt.org"`.
    #[serde(rename = "CAA")]
    Caa(String),
}

impl Content {
    /// Reads what a server of names answers; `None` for every other type.
    #[must_use]
    pub fn read(kind: &str, content: &str) -> Option<Self> {
        match kind {
            "A" => content.parse().ok().map(Self::A),
            "AAAA" => content.parse().ok().map(Self::Aaaa),
            "CNAME" => Some(Self::Cname(plain(content))),
            "TXT" => Some(Self::Txt(unquoted(content))),
            "CAA" => Some(Self::Caa(content.split_whitespace().collect::<Vec<_>>().join(" "))),
            _ => None,
        }
    }

    /// `A`, `AAAA`, `CNAME`, `TXT` or `CAA`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::A(_) => "A",
            Self::Aaaa(_) => "AAAA",
            Self::Cname(_) => "CNAME",
            Self::Txt(_) => "TXT",
            Self::Caa(_) => "CAA",
        }
    }

    /// The address or name as text.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::A(address) => address.to_string(),
            Self::Aaaa(address) => address.to_string(),
            Self::Cname(text) | Self::Txt(text) | Self::Caa(text) => text.clone(),
        }
    }

    /// Whether a service may stand between its visitors and what it says.
    #[must_use]
    pub fn is_address(&self) -> bool {
        matches!(self, Self::A(_) | Self::Aaaa(_) | Self::Cname(_))
    }
}

/// The strings of a TXT record as one text: servers of names answer them in quotes and in parts of 255 bytes.
fn unquoted(content: &str) -> String {
    match content.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(text) => text.split("\" \"").collect(),
        None => content.to_owned(),
    }
}

/// A name as it is compared.
#[must_use]
pub fn plain(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

/// A record as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The whole name: `api.kaia.ai`.
    pub host: String,
    /// What it says.
    #[serde(flatten)]
    pub content: Content,
    /// Whether the service stands between its visitors and the address.
    pub proxied: bool,
    /// Time to live in seconds; `None` leaves it to the service.
    #[serde(default)]
    pub ttl: Option<u32>,
    /// Whose it is.
    pub mark: String,
    /// The host that it proves the right to, where that is what it is for.
    #[serde(default)]
    pub proves: Option<String>,
}

impl Record {
    /// The time to live as a service says it: 1 is its own, and there is no other where it stands between.
    #[must_use]
    pub fn lives(&self) -> u32 {
        self.ttl.filter(|_| !self.proxied).unwrap_or(1)
    }
}

/// A record as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Present {
    /// By what the service knows it.
    pub id: String,
    /// The whole name.
    pub host: String,
    /// Its type: `A`, `MX`, …
    pub kind: String,
    /// What it says, as the service writes it.
    pub content: String,
    /// Whether the service stands between.
    pub proxied: bool,
    /// Time to live in seconds; 1 where it is the service's.
    #[serde(default)]
    pub ttl: u32,
    /// What is written beside it.
    pub comment: String,
}

/// What the records cannot be made for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unmet {
    /// The host.
    pub host: String,
    /// Why, and what would help.
    pub why: String,
}

/// A record whose content is known later: what people call it, and from where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// The whole name; of a TXT record the host that it is for.
    pub host: String,
    /// Whether it is the proof of the right to the host; else it is the CNAME.
    pub proof: bool,
    /// Time to live.
    pub ttl: Option<u32>,
    /// Whose it will be.
    pub mark: String,
    /// From where.
    pub from: String,
}

impl Waiting {
    /// The record with a content that is none.
    fn record(&self) -> Record {
        let content = if self.proof { Content::Txt(String::new()) } else { Content::Cname(String::new()) };
        let proves = self.proof.then(|| self.host.clone());
        let (host, mark) = (self.host.clone(), self.mark.clone());
        Record { host, content, proxied: false, ttl: self.ttl, mark, proves }
    }
}

/// The records of a zone that a project needs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Wanted {
    /// In the order of the file.
    pub records: Vec<Record>,
    /// What none can be made for.
    pub unmet: Vec<Unmet>,
    /// What is made when Railway has the host.
    pub waiting: Vec<Waiting>,
}

impl Wanted {
    fn has(&self, host: &str) -> bool {
        self.records.iter().any(|r| r.host == host)
            || self.unmet.iter().any(|u| u.host == host)
            || self.waiting.iter().any(|w| w.host == host)
    }
}

/// The records of a zone that a project's URLs need, in the order of the file. In each environment the first host of the first site
/// has the addresses; the other sites are names for it, so that a move changes one record. Apps have the addresses themselves, since
/// they are not proxied: what they answer is not for a cache. An app that lives at Railway is a name for what Railway gives it, beside
/// the text that proves that it may have the host.
#[must_use]
pub fn wanted(project: &Project, declared: &Cloudflare, known: &Known) -> Wanted {
    let zone = declared.zone.as_str();
    let mut found = Wanted::default();
    for (name, environment) in &project.environments {
        let sites = || environment.services.values().filter(|s| matches!(s.form, Form::Site(_)));
        let first = sites().flat_map(|s| &s.urls).map(|u| u.host.as_str()).find(|host| is_in(host, zone));
        for service in environment.services.values() {
            let site = matches!(service.form, Form::Site(_));
            for url in &service.urls {
                let host = plain(&url.host);
                if found.has(&host) {
                    continue;
                }
                let mut cannot = |why: String| found.unmet.push(Unmet { host: host.clone(), why });
                if !is_in(&host, zone) {
                    cannot(format!("it is not in the zone {zone}"));
                    continue;
                }
                let mark = mark(&project.name, name, &service.name);
                let ttl = declared.ttl.filter(|_| !site);
                let record = |host: &str, content| Record {
                    host: host.to_owned(),
                    content,
                    proxied: site,
                    ttl,
                    mark: mark.clone(),
                    proves: None,
                };
                if let Some(there) = environment.railway_project().filter(|_| !site) {
                    match known.railway_hosts.get(&host) {
                        Some(given) => {
                            let proof = record(&plain(&given.proof), Content::Txt(given.token.clone()));
                            found.records.push(record(&host, Content::Cname(plain(&given.target))));
                            found.records.push(Record { proves: Some(host.clone()), ..proof });
                        }
                        None => found.waiting.extend([false, true].map(|proof| Waiting {
                            host: host.clone(),
                            proof,
                            ttl,
                            mark: mark.clone(),
                            from: format!("what Railway asks for when {there} has it"),
                        })),
                    }
                    continue;
                }
                match first.filter(|first| site && *first != host) {
                    Some(first) => found.records.push(record(&host, Content::Cname(first.to_owned()))),
                    None => match declared.addresses.get(name).filter(|a| !a.is_empty()) {
                        Some(addresses) => found.records.extend(addresses.iter().map(|address| match address {
                            IpAddr::V4(address) => record(&host, Content::A(*address)),
                            IpAddr::V6(address) => record(&host, Content::Aaaa(*address)),
                        })),
                        None => cannot(format!(
                            "nobody declared where {name} is: [providers.cloudflare] address = \"203.0.113.7\""
                        )),
                    },
                }
            }
        }
    }
    let more = declared.records.iter().filter_map(|line| {
        let content = Content::read(&line.kind, &line.content)?;
        let mark = format!("ambit:{}//records", project.name);
        Some(Record { host: line.host.clone(), content, proxied: false, ttl: declared.ttl, mark, proves: None })
    });
    found.records.extend(more);
    found
}

fn is_in(host: &str, zone: &str) -> bool {
    let (host, zone) = (plain(host), plain(zone));
    host == zone || host.strip_suffix(&zone).is_some_and(|rest| rest.ends_with('.'))
}

/// What is written beside a record that is the project's. A free zone takes 100 characters; three names have fewer.
#[must_use]
pub fn mark(project: &ProjectName, environment: &EnvironmentName, service: &ServiceName) -> String {
    format!("ambit:{project}/{environment}/{service}")
}

fn is_owned(project: &ProjectName, comment: &str) -> bool {
    comment
        .strip_prefix("ambit:")
        .and_then(|rest| rest.split_once('/'))
        .is_some_and(|(name, _)| name == project.as_str())
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "kebab-case")]
pub enum Change {
    /// A record that is not there.
    Create {
        /// As it should be.
        record: Record,
    },
    /// A record of the project that says something else.
    Change {
        /// As it is.
        present: Present,
        /// As it should be.
        record: Record,
    },
    /// A record of the project that nothing declares any more.
    Delete {
        /// As it is.
        present: Present,
    },
}

/// A zone beside what is declared.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// What would have to be done, deletions first: a name that changes its type is free before it is taken.
    pub changes: Vec<Change>,
    /// What would have to be done when something is known.
    pub later: Vec<outside::Change>,
    /// Records that somebody else holds where the project needs one.
    pub taken: Vec<Taken>,
    /// How many records are as they should be.
    pub kept: usize,
    /// How many records of the zone are not the project's.
    pub unmanaged: usize,
}

/// A record in the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Taken {
    /// What is there.
    pub present: Present,
    /// What should be there.
    pub record: Record,
}

impl Change {
    /// As it is shown.
    #[must_use]
    pub fn shown(&self) -> outside::Change {
        let (change, mark) = match self {
            Self::Create { record } => (shown(None, record, Said::text(record.content.text())), &record.mark),
            Self::Change { present, record } => {
                (shown(Some(present), record, Said::text(record.content.text())), &record.mark)
            }
            Self::Delete { present } => {
                let old = vec![Detail::new("", Some(Said::text(&*present.content)), None)];
                (outside::Change::delete(format!("{} {}", present.kind, present.host), old), &present.comment)
            }
        };
        of_mark(change, mark)
    }

    /// The host whose records it changes.
    #[must_use]
    pub fn host(&self) -> &str {
        match self {
            Self::Create { record } | Self::Change { record, .. } => &record.host,
            Self::Delete { present } => &present.host,
        }
    }
}

/// The change, of the environment that a mark names.
fn of_mark(change: outside::Change, mark: &str) -> outside::Change {
    match mark.split('/').nth(1).and_then(|name| name.parse().ok()) {
        Some(environment) => change.of(&environment),
        None => change,
    }
}

fn shown(present: Option<&Present>, record: &Record, content: Said) -> outside::Change {
    let key = match &record.proves {
        Some(host) => format!("{} that proves {host}", record.content.kind()),
        None => format!("{} {}", record.content.kind(), record.host),
    };
    let word = |proxied: bool| if proxied { "proxied" } else { "DNS only" };
    let Some(present) = present else {
        let mut details = vec![Detail::new("", None, Some(content))];
        if record.content.is_address() {
            details.push(Detail::new("", None, Some(Said::text(word(record.proxied)))));
        }
        return outside::Change::create(key, details);
    };
    let (there, ttl) = (Said::text(&*present.content), record.lives().to_string());
    let content = (!says(record, present)).then(|| Detail::new("", Some(there), Some(content)));
    let others = [
        Detail::of_texts("", Some(word(present.proxied)), Some(word(record.proxied))),
        Detail::of_texts("ttl", Some(&present.ttl.to_string()), Some(&ttl)),
        Detail::of_texts("comment", Some(&present.comment), Some(&record.mark)),
    ];
    outside::Change::replace(key, content.into_iter().chain(others.into_iter().flatten()).collect())
}

fn says(record: &Record, present: &Present) -> bool {
    Content::read(&present.kind, &present.content).as_ref() == Some(&record.content)
}

/// Changes in parts of at most `most`. Those of one host are in one part, so that its name is never gone in between.
#[must_use]
pub fn batches(changes: &[Change], most: usize) -> Vec<Vec<Change>> {
    let mut hosts: IndexMap<&str, Vec<Change>> = IndexMap::new();
    for change in changes {
        hosts.entry(change.host()).or_default().push(change.clone());
    }
    let mut all: Vec<Vec<Change>> = Vec::new();
    for host in hosts.into_values() {
        match all.last_mut().filter(|part| part.len() + host.len() <= most) {
            Some(part) => part.extend(host),
            None => all.push(host),
        }
    }
    all
}

/// Compares a zone with what is declared.
#[must_use]
pub fn compare(project: &ProjectName, wanted: &Wanted, zone: &[Present]) -> Comparison {
    let mut owned: BTreeMap<(&str, &str), Vec<&Present>> = BTreeMap::new();
    let mut others: BTreeMap<&str, Vec<&Present>> = BTreeMap::new();
    let mut found = Comparison::default();
    for present in zone {
        if is_owned(project, &present.comment) {
            owned.entry((&present.host, &present.kind)).or_default().push(present);
        } else {
            found.unmanaged += 1;
            others.entry(&present.host).or_default().push(present);
        }
    }
    for waiting in &wanted.waiting {
        let record = waiting.record();
        // What is there of an earlier proof goes when the new one is known.
        let of_proof = |p: &&&Present| p.kind == "TXT" && p.comment == waiting.mark;
        let present = match waiting.proof {
            true => owned.values().flatten().find(of_proof).copied(),
            false => owned.get_mut(&(waiting.host.as_str(), "CNAME")).and_then(Vec::pop),
        };
        if let Some(present) = present.filter(|_| waiting.proof) {
            owned.entry((&present.host, "TXT")).or_default().retain(|p| p.id != present.id);
        }
        let taken = others.get(waiting.host.as_str()).into_iter().flatten().find(|p| collides(&record, p));
        match taken.filter(|_| !waiting.proof) {
            Some(there) => found.taken.push(Taken { present: (*there).clone(), record }),
            None => {
                let later = shown(present, &record, Said::Later(waiting.from.clone()));
                found.later.push(of_mark(later, &waiting.mark));
            }
        }
    }
    let (mut changed, mut missing) = (Vec::new(), Vec::new());
    for record in &wanted.records {
        let there = || others.get(record.host.as_str()).into_iter().flatten();
        if matches!(record.content, Content::Txt(_) | Content::Caa(_)) && there().any(|p| says(record, p)) {
            found.kept += 1;
            continue;
        }
        match there().find(|p| collides(record, p)) {
            Some(present) => found.taken.push(Taken { present: (*present).clone(), record: record.clone() }),
            None => missing.push(record),
        }
    }
    // First those that say it already, so that of a host's two addresses one can change and the other stay.
    for exact in [true, false] {
        missing.retain(|record| {
            let Some(mine) = owned.get_mut(&(record.host.as_str(), record.content.kind())) else { return true };
            let Some(place) = mine.iter().position(|p| !exact || says(record, p)) else { return true };
            let present = mine.swap_remove(place);
            let same = says(record, present)
                && present.proxied == record.proxied
                && present.ttl == record.lives()
                && present.comment == record.mark;
            if same {
                found.kept += 1;
            } else {
                changed.push(Change::Change { present: present.clone(), record: (*record).clone() });
            }
            false
        });
    }
    let create = missing.into_iter().map(|record| Change::Create { record: record.clone() });
    let left = owned.into_values().flatten().map(|present| Change::Delete { present: present.clone() });
    found.changes = left.chain(changed).chain(create).collect();
    found
}

/// RFC 1034, 3.6.2: beside a CNAME nothing else may be. Other addresses of one host would share its visitors.
fn collides(record: &Record, present: &Present) -> bool {
    let addresses = ["A", "AAAA"].contains(&present.kind.as_str());
    present.kind == "CNAME"
        || addresses && record.content.is_address()
        || matches!(record.content, Content::Cname(_))
            && !["NS", "SOA"].contains(&present.kind.as_str())
            && !apex_flattened(record, present)
}

/// Mail and proofs of ownership may stand beside a CNAME at the top of a zone, which is answered as addresses.
fn apex_flattened(record: &Record, present: &Present) -> bool {
    record.host.matches('.').count() == 1 && ["MX", "TXT", "CAA"].contains(&present.kind.as_str())
}

/// The records as a zone file (RFC 1035, 5.1), for whoever holds the zone elsewhere.
#[must_use]
pub fn zone_file(zone: &str, records: &[Record]) -> String {
    let mut text = format!("$ORIGIN {zone}.\n$TTL 300\n");
    for record in records {
        let content = match &record.content {
            Content::Cname(name) => format!("{name}."),
            // RFC 1035, 3.3.14: strings of at most 255 bytes.
            Content::Txt(text) => strings(text),
            other => other.text(),
        };
        text.push_str(&format!("{}.\tIN\t{}\t{content}\t; {}\n", record.host, record.content.kind(), record.mark));
    }
    text
}

fn strings(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let parts = characters.chunks(63).map(|part| format!("\"{}\"", part.iter().collect::<String>()));
    parts.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KAIA: &str = r#"
        project = "kaia"
        domain = "kaia.ai"
        [environments.test]
        branch = "staging"
        [environments.prod]
        tag = "v*"
        [services.backend]
        run = "x"
        url = { test = "api-test.@", prod = "api.@" }
        [services.web]
        static = "web"
        url = { test = "test.@", prod = ["@", "www.@"] }
        [services.docs]
        static = "docs"
        url = { test = "test.@/docs", prod = "docs.@" }
        [services.elsewhere]
        static = "docs"
        url = { prod = "kaia.org" }
    "#;

    fn kaia() -> Project {
        crate::spec::parse(KAIA).project.unwrap()
    }

    const CLOUDFLARE: &str = "[providers.cloudflare]\nzone = \"kaia.ai\"\n";
    const ADDRESSES: &str = "address = { test = \"203.0.113.7\", prod = \"203.0.113.7, 2001:db8::7\" }\n";

    fn of(more: &str, known: &Known) -> Wanted {
        let project = crate::spec::parse(&format!("{KAIA}{CLOUDFLARE}{more}")).project.unwrap();
        wanted(&project, project.providers.cloudflare.as_ref().unwrap(), known)
    }

    fn kaias() -> Wanted {
        of(ADDRESSES, &Known::default())
    }

    fn present(record: &Record) -> Present {
        Present {
            id: format!("{}-{}-{}", record.host, record.content.kind(), record.content.text()),
            host: record.host.clone(),
            kind: record.content.kind().to_owned(),
            content: record.content.text(),
            proxied: record.proxied,
            ttl: record.lives(),
            comment: record.mark.clone(),
        }
    }

    fn lines(records: &[Record]) -> Vec<String> {
        let proxied = |r: &Record| if r.proxied { " proxied" } else { "" };
        records.iter().map(|r| format!("{} {} {}{}", r.content.kind(), r.host, r.content.text(), proxied(r))).collect()
    }

    #[test]
    fn every_host_of_the_zone_has_its_records() {
        let Wanted { records, unmet, .. } = kaias();
        assert_eq!(
            lines(&records),
            [
                "A api-test.kaia.ai 203.0.113.7",
                "A test.kaia.ai 203.0.113.7 proxied",
                "A api.kaia.ai 203.0.113.7",
                "AAAA api.kaia.ai 2001:db8::7",
                "A kaia.ai 203.0.113.7 proxied",
                "AAAA kaia.ai 2001:db8::7 proxied",
                "CNAME www.kaia.ai kaia.ai proxied",
                "CNAME docs.kaia.ai kaia.ai proxied",
            ]
        );
        assert_eq!(records[0].mark, "ambit:kaia/test/backend");
        assert_eq!(unmet.iter().map(|u| u.host.as_str()).collect::<Vec<_>>(), ["kaia.org"]);
        let Wanted { records, unmet, .. } = of("", &Known::default());
        assert_eq!(lines(&records), ["CNAME www.kaia.ai kaia.ai proxied", "CNAME docs.kaia.ai kaia.ai proxied"]);
        assert!(unmet.iter().any(|u| u.why.contains("where test is")));
    }

    #[test]
    fn only_what_is_the_projects_own_is_changed_and_what_stands_in_the_way_is_told() {
        let wanted = kaias();
        let records = &wanted.records;
        let mut zone: Vec<Present> = records.iter().map(present).collect();
        let foreign = |host: &str, kind: &str, content: &str| Present {
            id: "1".into(),
            host: host.into(),
            kind: kind.into(),
            content: content.into(),
            proxied: false,
            ttl: 1,
            comment: String::new(),
        };
        zone.extend([foreign("kaia.ai", "MX", "mail.kaia.ai"), foreign("old.kaia.ai", "A", "198.51.100.1")]);
        let found = compare(&kaia().name, &wanted, &zone);
        assert_eq!((found.changes.len(), found.kept, found.unmanaged, found.taken.len()), (0, 8, 2, 0));

        zone[0].content = "198.51.100.9".into();
        zone[6].comment = "somebody's".into();
        zone.push(Present { comment: "ambit:kaia/test/gone".into(), ..foreign("gone.kaia.ai", "A", "198.51.100.1") });
        zone.push(Present { comment: "ambit:kaia2/test/gone".into(), ..foreign("other.kaia.ai", "A", "198.51.100.1") });
        let found = compare(&kaia().name, &wanted, &zone);
        let [Change::Delete { present: gone }, Change::Change { present: old, record }] = &found.changes[..] else {
            panic!("{found:?}")
        };
        assert_eq!(
            (gone.host.as_str(), old.content.as_str(), record.content.text().as_str()),
            ("gone.kaia.ai", "198.51.100.9", "203.0.113.7")
        );
        assert_eq!(found.taken.iter().map(|t| t.record.host.as_str()).collect::<Vec<_>>(), ["www.kaia.ai"]);
    }

    #[test]
    fn an_app_at_railway_is_a_name_for_what_railway_gives_it_and_waits_until_that_is_known() {
        let there = format!("{ADDRESSES}[providers.railway]\nproject = {{ prod = \"kaia\" }}\n");
        let unknown = of(&there, &Known::default());
        assert!(!lines(&unknown.records).iter().any(|l| l.contains("api.kaia.ai ")), "{unknown:?}");
        let was = present(&kaias().records[2]);
        let before = compare(&kaia().name, &unknown, std::slice::from_ref(&was));
        assert_eq!(
            before.later.iter().map(|c| c.key.as_str()).collect::<Vec<_>>(),
            ["CNAME api.kaia.ai", "TXT that proves api.kaia.ai"]
        );

        let given = outside::RailwayHost {
            target: "x1.up.railway.app".into(),
            proof: "_railway-verify.api.kaia.ai".into(),
            token: "railway-verify=1".into(),
        };
        let known =
            of(&there, &Known { railway_hosts: [("api.kaia.ai".to_owned(), given)].into(), ..Known::default() });
        let after = compare(&kaia().name, &known, &[was]);
        assert!(after.later.is_empty());
        let planned: Vec<outside::Change> = before.changes.iter().map(Change::shown).chain(before.later).collect();
        let allowed = outside::Allowed::new(&planned);
        assert!(after.changes.iter().all(|c| allowed.covers(&c.shown())), "{:#?}\n{planned:#?}", after.changes);
        assert!(after.changes.iter().any(|c| matches!(c, Change::Delete { present } if present.kind == "A")));
    }

    #[test]
    fn declared_records_stand_beside_those_of_the_urls_and_beside_somebody_elses() {
        let wanted = of(
            &format!(
                "ttl = 300\nrecords = ['@ CAA 0 issue \"letsencrypt.org\"', '@ TXT \"v=spf1 -all\"']\n{ADDRESSES}"
            ),
            &Known::default(),
        );
        let theirs = Present {
            content: "\"google=1\"".into(),
            comment: String::new(),
            kind: "TXT".into(),
            ..present(wanted.records.last().unwrap())
        };
        let same = Present { content: "\"v=spf1 -all\"".into(), ..theirs.clone() };
        let found = compare(&kaia().name, &wanted, &[theirs, same]);
        assert_eq!((found.taken.len(), found.kept, found.unmanaged), (0, 1, 2));
        assert_eq!(found.changes.len(), wanted.records.len() - 1);
        assert!(wanted.records.iter().all(|r| r.lives() == if r.proxied { 1 } else { 300 }));
    }

    #[test]
    fn a_zone_file_names_everything_whole() {
        let text = zone_file("kaia.ai", &kaias().records);
        assert!(text.starts_with("$ORIGIN kaia.ai.\n$TTL 300\n"));
        assert!(text.contains("www.kaia.ai.\tIN\tCNAME\tkaia.ai.\t; ambit:kaia/prod/web\n"), "{text}");
        assert!(text.contains("kaia.ai.\tIN\tAAAA\t2001:db8::7\t"));
    }

    /// What a zone is after a plan was carried out.
    fn after(zone: &[Present], changes: &[Change]) -> Vec<Present> {
        let mut zone = zone.to_vec();
        for change in changes {
            match change {
                Change::Create { record } => zone.push(present(record)),
                Change::Change { present: old, record } => {
                    let place = zone.iter().position(|p| p.id == old.id).unwrap();
                    zone[place] = Present { id: old.id.clone(), ..present(record) };
                }
                Change::Delete { present: old } => zone.retain(|p| p.id != old.id),
            }
        }
        zone
    }

    proptest! {
        #[test]
        fn what_was_carried_out_leaves_nothing_to_do_and_touches_nobody_elses(
            records in prop::collection::vec((0..5_u8, 0..3_u8, 0..4_u8, any::<bool>(), 0..3_u8), 0..20),
        ) {
            let wanted = kaias();
            let zone: Vec<Present> = records.iter().enumerate().map(|(n, (host, kind, content, proxied, owner))| Present {
                id: n.to_string(),
                host: ["kaia.ai", "www.kaia.ai", "api.kaia.ai", "test.kaia.ai", "x.kaia.ai"][usize::from(*host)].into(),
                kind: ["A", "AAAA", "CNAME"][usize::from(*kind)].into(),
                content: match kind { 0 => format!("203.0.113.{content}"), 1 => format!("2001:db8::{content}"), _ => format!("n{content}.kaia.ai") },
                proxied: *proxied,
                ttl: 1,
                comment: ["ambit:kaia/prod/web", "", "ambit:other/prod/web"][usize::from(*owner)].into(),
            }).collect();
            let first = compare(&kaia().name, &wanted, &zone);
            let zone_after = after(&zone, &first.changes);
            let second = compare(&kaia().name, &wanted, &zone_after);
            let parts = batches(&first.changes, 3);
            prop_assert_eq!(parts.iter().map(Vec::len).sum::<usize>(), first.changes.len());
            for (n, part) in parts.iter().enumerate() {
                prop_assert!(parts[n + 1..].iter().flatten().all(|later| part.iter().all(|c| c.host() != later.host())));
            }
            prop_assert_eq!(second.changes, vec![]);
            prop_assert_eq!(&second.taken, &first.taken);
            for foreign in zone.iter().filter(|p| !p.comment.starts_with("ambit:kaia/")) {
                prop_assert!(zone_after.contains(foreign));
            }
        }
    }
}
