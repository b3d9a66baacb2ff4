//! `[providers.NAME]`: the same picture at services elsewhere.

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
};

/// The DNS zone at Cloudflare.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cloudflare {
    /// `kaia.ai`
    pub zone: String,
    /// Where the sites and apps of each environment are, where it is declared.
    pub addresses: IndexMap<EnvironmentName, Vec<IpAddr>>,
    /// The secret that holds the token.
    pub token: String,
    /// Where the API is; `None` is Cloudflare's own.
    pub endpoint: Option<String>,
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
pub(crate) fn read(reader: &mut Reader, root: &Node, environments: &[EnvironmentName]) -> Option<Cloudflare> {
    let providers = root.get("providers").and_then(Node::table)?;
    let mut cloudflare = None;
    for provider in providers {
        if !section(reader, &provider.node, format::PROVIDER, &format!("[providers.{}]", shown(&provider.key))) {
            continue;
        }
        for key in format::PROVIDER {
            for environment in environments {
                if let Some((node, _)) = reader.pick(&provider.node, key, environment.as_str()) {
                    reader.words(node, key.name);
                }
            }
        }
        if provider.key == "cloudflare" {
            cloudflare = read_cloudflare(reader, &provider.node, environments);
        }
    }
    cloudflare
}

fn read_cloudflare(reader: &mut Reader, node: &Node, environments: &[EnvironmentName]) -> Option<Cloudflare> {
    let mut addresses = IndexMap::new();
    for environment in environments {
        let Some((value, _)) = reader.pick(node, key(format::PROVIDER, "address"), environment.as_str()) else {
            continue;
        };
        let Some(text) = reader.words(value, "address") else { continue };
        match text.split(',').map(|one| one.trim().parse()).collect::<Result<Vec<IpAddr>, _>>() {
            Ok(read) => drop(addresses.insert(environment.clone(), read)),
            Err(_) => reader.tell(
                Diagnostic::error(value.span.clone(), format!("`{}` is no IP address", shown(&text)))
                    .help("one address or several: address = \"203.0.113.7, 2001:db8::7\""),
            ),
        }
    }
    let mut text = |name: &str| node.get(name).filter(|n| n.table().is_none()).and_then(|n| reader.words(n, name));
    let (token, endpoint, zone) = (text("token"), text("endpoint"), text("zone"));
    let Some(zone) = zone else {
        if node.get("zone").is_none() {
            reader.tell(Diagnostic::error(node.span.clone(), "`zone` is missing").help("such as: zone = \"kaia.ai\""));
        }
        return None;
    };
    let zone = zone.trim_end_matches('.').to_ascii_lowercase();
    if let (Err(error), Some(node)) = (urls::check_host(&zone), node.get("zone")) {
        reader.error(&node.span, error);
        return None;
    }
    Some(Cloudflare { zone, addresses, token: token.unwrap_or_else(|| "CLOUDFLARE_API_TOKEN".to_owned()), endpoint })
}

/// What of an environment is at Railway; what is wrong in the section is told by [`read`].
pub(crate) fn railway(reader: &mut Reader, root: &Node, environment: &str) -> Option<Railway> {
    let node = root.get("providers")?.get("railway").filter(|n| n.table().is_some())?;
    let mut text = |name: &str| {
        let (node, _) = reader.pick(node, key(format::PROVIDER, name), environment)?;
        node.scalar().filter(|text| !text.trim().is_empty())
    };
    Some(Railway { project: text("project"), service: text("service") })
}
