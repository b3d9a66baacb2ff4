//! `[providers.NAME]`: the same picture at services elsewhere.

mod github;

use std::net::IpAddr;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::{
    diagnostic::Diagnostic,
    format,
    name::EnvironmentName,
    project::{key, section},
    reader::{Reader, shown},
    syntax::Node,
    urls,
    zone_line::{self, ZoneLine},
};

pub use self::github::Github;

/// How a service's API is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// The secret that holds the token.
    pub token: String,
    /// Where the API is; `None` is the service's own.
    pub endpoint: Option<String>,
}

/// The services around that are declared.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Providers {
    /// The account at Railway. What of an environment is there stands in the environment.
    pub railway: Option<RailwayAccount>,
    /// The zone of its names.
    pub cloudflare: Option<Cloudflare>,
    /// Its repository.
    pub github: Option<Github>,
    /// Where its mobile app is built.
    pub expo: Option<Expo>,
    /// Who watches it from outside.
    pub uptimerobot: Option<Access>,
    /// Where its errors go.
    pub sentry: Option<Sentry>,
}

impl Providers {
    /// Their accesses, by name.
    #[must_use]
    pub fn accesses(&self) -> Vec<(&'static str, &Access)> {
        [
            ("railway", self.railway.as_ref().map(|p| &p.access)),
            ("cloudflare", self.cloudflare.as_ref().map(|p| &p.access)),
            ("github", self.github.as_ref().map(|p| &p.access)),
            ("expo", self.expo.as_ref().map(|p| &p.access)),
            ("uptimerobot", self.uptimerobot.as_ref()),
            ("sentry", self.sentry.as_ref().map(|p| &p.access)),
        ]
        .into_iter()
        .filter_map(|(name, access)| Some((name, access?)))
        .collect()
    }

    /// Secrets that are for Ambit and the services around, and for no app.
    #[must_use]
    pub fn secrets(&self) -> Vec<String> {
        let tokens = self.accesses().into_iter().map(|(_, access)| access.token.clone());
        let ssh = self.github.as_ref().and_then(|github| github.ssh_key.clone());
        let railway = self.railway.as_ref().map(|_| RAILWAY_PROJECT_TOKEN.to_owned());
        tokens.chain(ssh).chain(railway).collect()
    }
}

/// The secret that holds a project token of Railway, one for each environment: GitHub's workflows deploy by it. Not the account's token, which
/// no workflow gets.
pub const RAILWAY_PROJECT_TOKEN: &str = "RAILWAY_PROJECT_TOKEN";

/// The account at Railway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RailwayAccount {
    /// How it is reached.
    pub access: Access,
    /// The workspace that new projects are made in, by name or id; the token's own where nothing is said.
    pub workspace: Option<String>,
}

/// The DNS zone at Cloudflare.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cloudflare {
    /// How it is reached.
    pub access: Access,
    /// `kaia.ai`
    pub zone: String,
    /// Where the sites and apps of each environment are, where it is declared.
    pub addresses: IndexMap<EnvironmentName, Vec<IpAddr>>,
    /// Time to live in seconds of what is not proxied; `None` leaves it to Cloudflare.
    pub ttl: Option<u32>,
    /// Records beside those of the URLs.
    pub records: Vec<ZoneLine>,
}

/// The account at Expo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expo {
    /// How it is reached.
    pub access: Access,
    /// `@OWNER/SLUG`
    pub project: String,
}

/// The organisation at Sentry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sentry {
    /// How it is reached.
    pub access: Access,
    /// Its name in URLs.
    pub organization: String,
    /// The project there, by its name in URLs.
    pub project: String,
}

/// An environment at Railway.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Railway {
    /// The project there, by name or id.
    pub project: Option<String>,
    /// The service of the app there, by name or id.
    pub service: Option<String>,
}

/// Checks all of them, and reads those that something is done with.
pub(crate) fn read(reader: &mut Reader, root: &Node, environments: &[EnvironmentName]) -> Providers {
    let mut all = Providers::default();
    for provider in root.get("providers").and_then(Node::table).unwrap_or_default() {
        let name = provider.key.as_str();
        let Some((_, keys)) = format::PROVIDERS.iter().find(|(known, _)| *known == name) else {
            let known: Vec<&str> = format::PROVIDERS.iter().map(|(name, _)| *name).collect();
            let message = format!("`[providers.{}]` is not supported", shown(name));
            reader.unknown(&provider.key_span, &message, name, &known);
            continue;
        };
        if !section(reader, &provider.node, keys, &format!("[providers.{name}]")) {
            continue;
        }
        let mut one = One { reader, node: &provider.node, keys, name };
        let access = one.access();
        match name {
            "railway" => {
                one.each("project", environments);
                one.each("service", environments);
                all.railway = Some(RailwayAccount { access, workspace: one.text("workspace") });
            }
            "cloudflare" => all.cloudflare = one.cloudflare(access, environments),
            "github" => all.github = github::read(&mut one, access, environments),
            "expo" => {
                all.expo = one.needed("project", "such as: project = \"@kaia/mobile\"").and_then(|text| {
                    if text
                        .strip_prefix('@')
                        .and_then(|t| t.split_once('/'))
                        .is_some_and(|(o, s)| !o.is_empty() && !s.is_empty())
                    {
                        return Some(Expo { access, project: text });
                    }
                    one.wrong("project", &format!("`{}` is no project of Expo: @OWNER/SLUG", shown(&text)));
                    None
                })
            }
            "uptimerobot" => all.uptimerobot = Some(access),
            _ => {
                let organization = one.needed("organization", "its name in URLs");
                let project = one.needed("project", "its name in URLs");
                all.sentry =
                    organization.zip(project).map(|(organization, project)| Sentry { access, organization, project });
            }
        }
    }
    all
}

/// One section.
struct One<'r, 'n> {
    reader: &'r mut Reader,
    node: &'n Node,
    keys: &'static [format::Key],
    name: &'r str,
}

impl One<'_, '_> {
    fn text(&mut self, name: &str) -> Option<String> {
        let node = self.node.get(name)?;
        self.reader.words(node, name).map(|text| text.trim().to_owned())
    }

    fn needed(&mut self, name: &str, help: &str) -> Option<String> {
        if self.node.get(name).is_none() {
            let message = format!("`{name}` is missing in [providers.{}]", self.name);
            self.reader.tell(Diagnostic::error(self.node.span.clone(), message).help(help));
        }
        self.text(name)
    }

    fn wrong(&mut self, name: &str, message: &str) {
        if let Some(node) = self.node.get(name) {
            self.reader.error(&node.span, message);
        }
    }

    fn access(&mut self) -> Access {
        let usual = match self.name {
            "railway" => "RAILWAY_TOKEN",
            "cloudflare" => "CLOUDFLARE_API_TOKEN",
            "github" => "GITHUB_TOKEN",
            "expo" => "EXPO_TOKEN",
            "uptimerobot" => "UPTIMEROBOT_API_KEY",
            _ => "SENTRY_AUTH_TOKEN",
        };
        Access { token: self.text("token").unwrap_or_else(|| usual.to_owned()), endpoint: self.text("endpoint") }
    }

    /// Checks a value of each environment.
    fn each(&mut self, name: &str, environments: &[EnvironmentName]) {
        for environment in environments {
            if let Some((node, _)) = self.reader.pick(self.node, key(self.keys, name), environment.as_str()) {
                self.reader.words(node, name);
            }
        }
    }

    fn cloudflare(&mut self, access: Access, environments: &[EnvironmentName]) -> Option<Cloudflare> {
        let mut addresses = IndexMap::new();
        for environment in environments {
            let picked = self.reader.pick(self.node, key(self.keys, "address"), environment.as_str());
            let Some((value, _)) = picked else { continue };
            let Some(text) = self.reader.words(value, "address") else { continue };
            match text.split(',').map(|one| one.trim().parse()).collect::<Result<Vec<IpAddr>, _>>() {
                Ok(read) => drop(addresses.insert(environment.clone(), read)),
                Err(_) => self.reader.tell(
                    Diagnostic::error(value.span.clone(), format!("`{}` is no IP address", shown(&text)))
                        .help("one address or several: address = \"203.0.113.7, 2001:db8::7\""),
                ),
            }
        }
        let ttl = self.node.get("ttl").and_then(|node| self.reader.whole(node, "ttl", 60..=86_400));
        let zone = self.needed("zone", "such as: zone = \"kaia.ai\"")?.trim_end_matches('.').to_ascii_lowercase();
        if let Err(error) = urls::check_host(&zone) {
            self.wrong("zone", &error);
            return None;
        }
        let records = self.records(&zone);
        Some(Cloudflare { access, zone, addresses, ttl: ttl.and_then(|ttl| u32::try_from(ttl).ok()), records })
    }

    fn records(&mut self, zone: &str) -> Vec<ZoneLine> {
        let Some(node) = self.node.get("records") else { return Vec::new() };
        let mut read = Vec::new();
        for line in self.reader.texts(node, "records").unwrap_or_default() {
            match zone_line::read(&line, zone) {
                Ok(line) => read.push(line),
                Err(error) => self.reader.error(&node.span, format!("`{}`: {error}", shown(&line))),
            }
        }
        read
    }
}

/// What of an environment is at Railway; what is wrong in the section is told by [`read`].
pub(crate) fn railway(reader: &mut Reader, root: &Node, environment: &str) -> Option<Railway> {
    let node = root.get("providers")?.get("railway").filter(|n| n.table().is_some())?;
    let mut text = |name: &str| {
        let (node, _) = reader.pick(node, key(format::RAILWAY, name), environment)?;
        node.scalar().filter(|text| !text.trim().is_empty())
    };
    Some(Railway { project: text("project"), service: text("service") })
}
