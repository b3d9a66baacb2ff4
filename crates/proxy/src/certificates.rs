//! Certificates as they lie on disk: one file each in `certificates`, with the private key and the chain in PEM. One file
//! and not two, so that replacing both is one rename and no crash leaves a key beside a chain of another one.
//!
//! A certificate serves the names that it is made out to; its file's name only tells people which one it is.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
    sign::CertifiedKey,
};
use serde::{Deserialize, Serialize};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use crate::folder::Folder;

const FOLDER: &str = "certificates";
const EXTENSION: &str = ".pem";
/// A key and a chain of any algorithm and reasonable length.
const MOST: u64 = 256 << 10;

/// Why something cannot be served as a certificate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// The file could not be read, written or found.
    #[error("cannot {what} {}", .path.display())]
    Io {
        /// `read` or `write`.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Not PEM.
    #[error("it is not PEM: {0}")]
    Pem(String),
    /// PEM without a certificate.
    #[error("it holds no certificate")]
    NoCertificate,
    /// PEM without a private key that can be used as it is.
    #[error("it holds no private key, or one that is encrypted")]
    NoKey,
    /// The certificate's bytes are not one.
    #[error("the certificate cannot be read: {0}")]
    Malformed(String),
    /// The key is of a kind that is not known here.
    #[error("the private key cannot be used: {0}")]
    Key(String),
    /// Key and certificate are of different pairs.
    #[error("the private key does not belong to the certificate")]
    Mismatch,
    /// It is made out to no host name.
    #[error("it names no host (subject alternative names are what counts, not the common name)")]
    NoNames,
    /// Not the name of a host.
    #[error("`{0}` is neither a host name nor a wildcard such as `*.example.org`")]
    Name(String),
}

impl CertificateError {
    /// What a person can do.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoKey => Some("decrypt it: openssl pkey -in KEY -out PLAIN-KEY"),
            Self::Mismatch => Some("the first certificate of the file has to be the host's own, not its issuer's"),
            Self::Key(_) => Some("use RSA of 2048 bits or more, ECDSA P-256 or P-384, or Ed25519"),
            _ => None,
        }
    }
}

/// What a certificate says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// The host names that it is made out to, lower-case, wildcards as `*.example.org`.
    pub names: Vec<String>,
    /// Who made it out.
    pub issuer: String,
    /// From when it holds, in milliseconds since the Unix epoch.
    pub not_before: i64,
    /// Until when.
    pub not_after: i64,
}

impl Summary {
    /// Whether it is made out to a host, by name or by a wildcard (RFC 6125, section 6.4.3: for one label).
    #[must_use]
    pub fn covers(&self, host: &str) -> bool {
        let wildcard = host.split_once('.').map(|(_, rest)| rest);
        self.names.iter().any(|n| n == host || n.strip_prefix("*.").is_some_and(|rest| Some(rest) == wildcard))
    }
}

/// A certificate that can be served.
#[derive(Debug)]
pub struct Certificate {
    /// What it says of itself.
    pub summary: Summary,
    /// As the handshake needs it.
    pub(crate) key: Arc<CertifiedKey>,
}

impl Certificate {
    /// Reads a private key and a chain, the host's own certificate first, and checks that they belong together.
    pub fn read(pem: &[u8]) -> Result<Self, CertificateError> {
        let broken = |error: pem::Error| CertificateError::Pem(format!("{error:?}"));
        let chain: Vec<_> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(broken)?;
        let first = chain.first().ok_or(CertificateError::NoCertificate)?;
        let summary = summary(first)?;
        let key = PrivateKeyDer::from_pem_slice(pem).map_err(|error| match error {
            pem::Error::NoItemsFound => CertificateError::NoKey,
            other => broken(other),
        })?;
        Ok(Self { summary, key: Self::certified(chain, &key)? })
    }

    fn certified(
        chain: Vec<CertificateDer<'static>>,
        key: &PrivateKeyDer<'static>,
    ) -> Result<Arc<CertifiedKey>, CertificateError> {
        let key = rustls::crypto::ring::sign::any_supported_type(key)
            .map_err(|error| CertificateError::Key(error.to_string()))?;
        let certified = CertifiedKey::new(chain, key);
        match certified.keys_match() {
            Ok(()) => Ok(Arc::new(certified)),
            Err(rustls::Error::InconsistentKeys(_)) => Err(CertificateError::Mismatch),
            Err(error) => Err(CertificateError::Malformed(error.to_string())),
        }
    }
}

fn summary(der: &CertificateDer<'_>) -> Result<Summary, CertificateError> {
    let malformed = |error: &dyn std::fmt::Display| CertificateError::Malformed(error.to_string());
    let (_, certificate) = X509Certificate::from_der(der).map_err(|e| malformed(&e))?;
    let alternatives = certificate.subject_alternative_name().map_err(|e| malformed(&e))?;
    let names: Vec<String> = alternatives
        .iter()
        .flat_map(|extension| &extension.value.general_names)
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
            _ => None,
        })
        .collect();
    if names.is_empty() {
        return Err(CertificateError::NoNames);
    }
    let issuer = certificate.issuer();
    let organisation = issuer.iter_organization().find_map(|o| o.as_str().ok()).map(str::to_owned);
    let common = issuer.iter_common_name().find_map(|c| c.as_str().ok()).map(str::to_owned);
    let issuer = match (organisation, common) {
        (Some(organisation), Some(common)) => format!("{organisation}, {common}"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => issuer.to_string(),
    };
    let validity = certificate.validity();
    let millis = |time: x509_parser::time::ASN1Time| time.timestamp().saturating_mul(1000);
    Ok(Summary { names, issuer, not_before: millis(validity.not_before), not_after: millis(validity.not_after) })
}

/// A file of the folder.
#[derive(Debug)]
pub struct Listed {
    /// Under which it was stored.
    pub name: String,
    /// What it is, or why it cannot be served.
    pub certificate: Result<Certificate, CertificateError>,
}

/// Every certificate that lies in the folder of a proxy, in alphabetical order.
pub fn list(folder: &Path) -> Result<Vec<Listed>, CertificateError> {
    let opened = Folder::open(folder).map_err(|source| read_failed(folder, source))?;
    list_in(&opened)
}

pub(crate) fn list_in(folder: &Folder) -> Result<Vec<Listed>, CertificateError> {
    let path = folder.path(FOLDER);
    let within = match folder.below(FOLDER) {
        Ok(within) => within,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(read_failed(&path, source)),
    };
    let files = within.files().map_err(|source| read_failed(&path, source))?;
    Ok(files
        .iter()
        .filter(|file| !file.starts_with('.'))
        .filter_map(|file| file.strip_suffix(EXTENSION))
        .map(|name| {
            let file = format!("{name}{EXTENSION}");
            let bytes = within.bytes(&file, MOST).map_err(|source| read_failed(&within.path(&file), source));
            Listed { name: stored_as(name), certificate: bytes.and_then(|pem| Certificate::read(&pem)) }
        })
        .collect())
}

/// Puts a certificate into the folder of a proxy under a host's name, in the place of the one before. It is served from
/// the next reload on.
pub fn store(folder: &Path, name: &str, pem: &[u8]) -> Result<Certificate, CertificateError> {
    let file = file_of(name)?;
    let certificate = Certificate::read(pem)?;
    let failed = |source| CertificateError::Io { what: "write", path: folder.join(FOLDER).join(&file), source };
    let within = Folder::open(folder).and_then(|f| f.make_below(FOLDER)).map_err(failed)?;
    within.write_private(&file, pem).map_err(failed)?;
    Ok(certificate)
}

/// Takes a certificate out of the folder of a proxy, if it is there. It is served until the next reload.
pub fn remove(folder: &Path, name: &str) -> Result<(), CertificateError> {
    let file = file_of(name)?;
    let removed = Folder::open(folder).and_then(|f| f.below(FOLDER)).and_then(|f| f.remove(&file));
    removed.or_else(|source| match source.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(CertificateError::Io { what: "remove", path: folder.join(FOLDER).join(&file), source }),
    })
}

fn read_failed(path: &Path, source: io::Error) -> CertificateError {
    CertificateError::Io { what: "read", path: path.to_owned(), source }
}

/// An asterisk means something to a shell; an underscore never begins the name of a host.
fn file_of(name: &str) -> Result<String, CertificateError> {
    let host = name.strip_prefix("*.").unwrap_or(name);
    let label = |l: &str| {
        (1..=63).contains(&l.len())
            && l.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !l.starts_with('-')
            && !l.ends_with('-')
    };
    if host.len() > 240 || !host.split('.').all(label) {
        return Err(CertificateError::Name(name.to_owned()));
    }
    let wildcard = if host.len() == name.len() { "" } else { "_." };
    Ok(format!("{wildcard}{host}{EXTENSION}"))
}

fn stored_as(file: &str) -> String {
    file.strip_prefix("_.").map_or_else(|| file.to_owned(), |host| format!("*.{host}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_to_one_file_of_the_folder_and_back() {
        for (name, file) in [("kaia.ai", "kaia.ai.pem"), ("*.kaia.ai", "_.kaia.ai.pem"), ("a", "a.pem")] {
            assert_eq!(file_of(name).unwrap(), file);
            assert_eq!(stored_as(file.strip_suffix(EXTENSION).unwrap()), name);
        }
        for bad in ["", "*", "*.", "..", "a/b", "../a", "A.b", "a b", ".a", "a.", "*.*.a", "_.a", "a\0", "-a.b"] {
            assert!(file_of(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_wildcard_stands_for_exactly_one_label() {
        let summary = Summary { names: vec!["*.kaia.ai".into()], issuer: String::new(), not_before: 0, not_after: 0 };
        assert!(summary.covers("dev.kaia.ai"));
        for host in ["kaia.ai", "a.dev.kaia.ai", "ai", "xkaia.ai"] {
            assert!(!summary.covers(host), "{host}");
        }
    }
}
