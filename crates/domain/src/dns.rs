//! The DNS records that a project's URLs need, and how they differ from those of a zone. Pure; who holds the zone is said above.
//!
//! A record is the project's own by its comment (`ambit:kaia/prod/web`): no other one is ever changed or deleted.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::spec::{EnvironmentName, Form, Project, ProjectName, ServiceName};

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
}

impl Content {
    /// Reads what a server of names answers; `None` for every other type.
    #[must_use]
    pub fn read(kind: &str, content: &str) -> Option<Self> {
        match kind {
            "A" => content.parse().ok().map(Self::A),
            "AAAA" => content.parse().ok().map(Self::Aaaa),
            "CNAME" => Some(Self::Cname(plain(content))),
            _ => None,
        }
    }

    /// `A`, `AAAA` or `CNAME`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::A(_) => "A",
            Self::Aaaa(_) => "AAAA",
            Self::Cname(_) => "CNAME",
        }
    }

    /// The address or name as text.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::A(address) => address.to_string(),
            Self::Aaaa(address) => address.to_string(),
            Self::Cname(name) => name.clone(),
        }
    }
}

/// A name as it is compared.
#[must_use]
pub fn plain(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

/// A record as it should be. Its time to live is left to the service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The whole name: `api.kaia.ai`.
    pub host: String,
    /// What it says.
    #[serde(flatten)]
    pub content: Content,
    /// Whether the service stands between its visitors and the address.
    pub proxied: bool,
    /// Whose it is.
    pub mark: String,
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

/// Where the sites and apps of an environment are reached.
pub type Addresses = BTreeMap<EnvironmentName, Vec<IpAddr>>;

/// The records of a zone that a project's URLs need, in the order of the file. In each environment the first host of the first site
/// has the addresses; the other sites are names for it, so that a move changes one record. Apps have the addresses themselves, since
/// they are not proxied: what they answer is not for a cache.
#[must_use]
pub fn wanted(project: &Project, zone: &str, addresses: &Addresses) -> (Vec<Record>, Vec<Unmet>) {
    let (mut records, mut unmet): (Vec<Record>, Vec<Unmet>) = (Vec::new(), Vec::new());
    for (name, environment) in &project.environments {
        let sites = || environment.services.values().filter(|s| matches!(s.form, Form::Site(_)));
        let first = sites().flat_map(|s| &s.urls).map(|u| u.host.as_str()).find(|host| is_in(host, zone));
        for service in environment.services.values() {
            let site = matches!(service.form, Form::Site(_));
            for url in &service.urls {
                let host = plain(&url.host);
                if records.iter().any(|r| r.host == host) || unmet.iter().any(|u| u.host == host) {
                    continue;
                }
                let mut cannot = |why: String| unmet.push(Unmet { host: host.clone(), why });
                if !is_in(&host, zone) {
                    cannot(format!("it is not in the zone {zone}"));
                    continue;
                }
                let mark = mark(&project.name, name, &service.name);
                let mut add =
                    |content| records.push(Record { host: host.clone(), content, proxied: site, mark: mark.clone() });
                match first.filter(|first| site && *first != host) {
                    Some(first) => add(Content::Cname(first.to_owned())),
                    None => match addresses.get(name).filter(|a| !a.is_empty()) {
                        Some(addresses) => addresses.iter().for_each(|address| match address {
                            IpAddr::V4(address) => add(Content::A(*address)),
                            IpAddr::V6(address) => add(Content::Aaaa(*address)),
                        }),
                        None => cannot(format!(
                            "nobody declared where {name} is: [providers.cloudflare] address = \"203.0.113.7\""
                        )),
                    },
                }
            }
        }
    }
    (records, unmet)
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
    /// The host whose records it changes.
    #[must_use]
    pub fn host(&self) -> &str {
        match self {
            Self::Create { record } | Self::Change { record, .. } => &record.host,
            Self::Delete { present } => &present.host,
        }
    }
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
pub fn compare(project: &ProjectName, wanted: &[Record], zone: &[Present]) -> Comparison {
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
    let (mut changed, mut missing) = (Vec::new(), Vec::new());
    for record in wanted {
        match others.get(record.host.as_str()).into_iter().flatten().find(|p| collides(record, p)) {
            Some(present) => found.taken.push(Taken { present: (*present).clone(), record: record.clone() }),
            None => missing.push(record),
        }
    }
    // First those that say it already, so that of a host's two addresses one can change and the other stay.
    let says = |record: &Record, p: &Present| Content::read(&p.kind, &p.content).as_ref() == Some(&record.content);
    for exact in [true, false] {
        missing.retain(|record| {
            let Some(mine) = owned.get_mut(&(record.host.as_str(), record.content.kind())) else { return true };
            let Some(place) = mine.iter().position(|p| !exact || says(record, p)) else { return true };
            let present = mine.swap_remove(place);
            if says(record, present) && present.proxied == record.proxied && present.comment == record.mark {
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
        || addresses
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
            other => other.text(),
        };
        text.push_str(&format!("{}.\tIN\t{}\t{content}\t; {}\n", record.host, record.content.kind(), record.mark));
    }
    text
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

    fn addresses() -> Addresses {
        let ips = |texts: &[&str]| texts.iter().map(|t| t.parse().unwrap()).collect();
        [("test", ips(&["203.0.113.7"])), ("prod", ips(&["203.0.113.7", "2001:db8::7"]))]
            .into_iter()
            .map(|(n, a)| (n.parse().unwrap(), a))
            .collect()
    }

    fn present(record: &Record) -> Present {
        Present {
            id: format!("{}-{}-{}", record.host, record.content.kind(), record.content.text()),
            host: record.host.clone(),
            kind: record.content.kind().to_owned(),
            content: record.content.text(),
            proxied: record.proxied,
            comment: record.mark.clone(),
        }
    }

    fn lines(records: &[Record]) -> Vec<String> {
        let proxied = |r: &Record| if r.proxied { " proxied" } else { "" };
        records.iter().map(|r| format!("{} {} {}{}", r.content.kind(), r.host, r.content.text(), proxied(r))).collect()
    }

    #[test]
    fn every_host_of_the_zone_has_its_records() {
        let (records, unmet) = wanted(&kaia(), "kaia.ai", &addresses());
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
        let (records, unmet) = wanted(&kaia(), "kaia.ai", &Addresses::new());
        assert_eq!(lines(&records), ["CNAME www.kaia.ai kaia.ai proxied", "CNAME docs.kaia.ai kaia.ai proxied"]);
        assert!(unmet.iter().any(|u| u.why.contains("where test is")));
    }

    #[test]
    fn only_what_is_the_projects_own_is_changed_and_what_stands_in_the_way_is_told() {
        let (records, _) = wanted(&kaia(), "kaia.ai", &addresses());
        let mut zone: Vec<Present> = records.iter().map(present).collect();
        let foreign = |host: &str, kind: &str, content: &str| Present {
            id: "1".into(),
            host: host.into(),
            kind: kind.into(),
            content: content.into(),
            proxied: false,
            comment: String::new(),
        };
        zone.extend([foreign("kaia.ai", "MX", "mail.kaia.ai"), foreign("old.kaia.ai", "A", "198.51.100.1")]);
        let found = compare(&kaia().name, &records, &zone);
        assert_eq!((found.changes.len(), found.kept, found.unmanaged, found.taken.len()), (0, 8, 2, 0));

        zone[0].content = "198.51.100.9".into();
        zone[6].comment = "somebody's".into();
        zone.push(Present { comment: "ambit:kaia/test/gone".into(), ..foreign("gone.kaia.ai", "A", "198.51.100.1") });
        zone.push(Present { comment: "ambit:kaia2/test/gone".into(), ..foreign("other.kaia.ai", "A", "198.51.100.1") });
        let found = compare(&kaia().name, &records, &zone);
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
    fn a_zone_file_names_everything_whole() {
        let (records, _) = wanted(&kaia(), "kaia.ai", &addresses());
        let text = zone_file("kaia.ai", &records);
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
            let (wanted, _) = wanted(&kaia(), "kaia.ai", &addresses());
            let zone: Vec<Present> = records.iter().enumerate().map(|(n, (host, kind, content, proxied, owner))| Present {
                id: n.to_string(),
                host: ["kaia.ai", "www.kaia.ai", "api.kaia.ai", "test.kaia.ai", "x.kaia.ai"][usize::from(*host)].into(),
                kind: ["A", "AAAA", "CNAME"][usize::from(*kind)].into(),
                content: match kind { 0 => format!("203.0.113.{content}"), 1 => format!("2001:db8::{content}"), _ => format!("n{content}.kaia.ai") },
                proxied: *proxied,
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
