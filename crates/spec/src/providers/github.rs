//! `[providers.github]`

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{Access, One};
use crate::{diagnostic::Diagnostic, name::EnvironmentName, project::key, reader::shown};

/// The repository at GitHub, and what its workflows need to reach the machine that they hand commits to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Github {
    /// How it is reached.
    pub access: Access,
    /// OWNER/NAME
    pub repository: String,
    /// `USER@HOST` or `USER@HOST:PORT` of the machine with Ambit.
    #[serde(default)]
    pub hosts: IndexMap<EnvironmentName, String>,
    /// Its public SSH key.
    #[serde(default)]
    pub host_keys: IndexMap<EnvironmentName, String>,
    /// The secret that holds the private SSH key which Ambit knows there.
    #[serde(default)]
    pub ssh_key: Option<String>,
}

pub(super) fn read(one: &mut One<'_, '_>, access: Access, environments: &[EnvironmentName]) -> Option<Github> {
    let hosts = each(one, "host", environments, is_host, "is no place that SSH reaches: USER@HOST or USER@HOST:PORT");
    let host_keys =
        each(one, "host-key", environments, is_key, "is no public key: the line of its ssh_host_ed25519_key.pub");
    let ssh_key = one.text("ssh-key");
    let repository = one.needed("repository", "such as: repository = \"kaia/kaia\"")?;
    let parts: Vec<&str> = repository.split('/').collect();
    let fits = |part: &&str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
    if parts.len() != 2 || !parts.iter().all(fits) {
        one.wrong("repository", &format!("`{}` is no repository: OWNER/NAME", shown(&repository)));
        return None;
    }
    Some(Github { access, repository, hosts, host_keys, ssh_key })
}

fn each(
    one: &mut One<'_, '_>,
    name: &str,
    environments: &[EnvironmentName],
    fits: fn(&str) -> bool,
    otherwise: &str,
) -> IndexMap<EnvironmentName, String> {
    let mut all = IndexMap::new();
    for environment in environments {
        let Some((node, _)) = one.reader.pick(one.node, key(one.keys, name), environment.as_str()) else { continue };
        let Some(text) = one.reader.words(node, name).map(|text| text.trim().to_owned()) else { continue };
        if fits(&text) {
            all.insert(environment.clone(), text);
        } else {
            let message = format!("`{}` {otherwise}", shown(&text));
            one.reader.tell(Diagnostic::error(node.span.clone(), message));
        }
    }
    all
}

/// What stands between `ssh://` and a path without meaning anything else.
fn is_host(text: &str) -> bool {
    let plain = |text: &str, more: &str| {
        !text.is_empty()
            && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
            && !text.starts_with('-')
    };
    text.split_once('@').is_some_and(|(user, place)| plain(user, "-._") && plain(place, "-.:[]"))
}

/// A key as it stands in its file, or a line of `known_hosts`.
fn is_key(text: &str) -> bool {
    let is_kind = |word: &str| ["ssh-", "ecdsa-", "sk-"].iter().any(|kind| word.starts_with(kind));
    !text.contains(char::is_control) && text.split_whitespace().take(2).any(is_kind)
}
