//! `[tls]`: where the certificates of public hosts come from.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{
    diagnostic::Diagnostic,
    format, project,
    reader::{Reader, shown},
    syntax::Node,
    urls,
};

/// An account with an authority that makes certificates out by ACME.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acme {
    /// The account's e-mail address.
    pub contact: String,
    /// The URL of the authority's directory; `None` is Let's Encrypt's.
    pub directory: Option<String>,
    /// A file with certificates that vouch for the directory, relative to `ambit.toml`; `None` are the system's.
    pub ca: Option<PathBuf>,
}

pub(crate) fn read(reader: &mut Reader, root: &Node) -> Option<Acme> {
    let node = root.get("tls")?;
    if !project::section(reader, node, format::TLS, "[tls]") {
        return None;
    }
    let directory = node.get("directory").map(|n| read_directory(reader, n));
    let ca = node.get("ca").map(|n| project::path(reader, n, "ca"));
    let Some(acme) = node.get("acme") else {
        for name in ["directory", "ca"] {
            if let Some(node) = node.get(name) {
                reader.tell(
                    Diagnostic::error(node.span.clone(), format!("`{name}` is of no use without `acme`"))
                        .help("add: acme = \"you@example.org\""),
                );
            }
        }
        return None;
    };
    let contact = read_contact(reader, acme)?;
    Some(Acme { contact, directory: directory.flatten(), ca: ca.flatten() })
}

/// As much of RFC 5321, 4.1.2, as authorities accept: one address, without a comment or a quoted part.
fn read_contact(reader: &mut Reader, node: &Node) -> Option<String> {
    let text = reader.words(node, "acme")?;
    let address = text.strip_prefix("mailto:").unwrap_or(&text);
    let good = address.split_once('@').is_some_and(|(name, host)| {
        let of_name = |c: char| c.is_ascii_alphanumeric() || "!#$&'*+-/=^_`{|}~.".contains(c);
        !name.is_empty() && name.chars().all(of_name) && host.contains('.') && urls::check_host(host).is_ok()
    });
    if !good {
        reader.tell(
            Diagnostic::error(node.span.clone(), format!("`{}` is not an e-mail address", shown(&text)))
                .help("the authority writes to it about certificates that are about to expire"),
        );
        return None;
    }
    Some(address.to_owned())
}

fn read_directory(reader: &mut Reader, node: &Node) -> Option<String> {
    let text = reader.words(node, "directory")?;
    let host = text.strip_prefix("https://").and_then(|rest| rest.split('/').next());
    let good = host.is_some_and(|host| {
        let (name, port) = host.split_once(':').unwrap_or((host, "443"));
        urls::check_host(name).is_ok() && port.parse::<u16>().is_ok()
    });
    if !good || text.chars().any(|c| c.is_control() || c == ' ') {
        reader.tell(
            Diagnostic::error(node.span.clone(), format!("`{}` is not the URL of an ACME directory", shown(&text)))
                .help("it begins with https://, as in https://acme-v02.api.letsencrypt.org/directory"),
        );
        return None;
    }
    Some(text)
}
