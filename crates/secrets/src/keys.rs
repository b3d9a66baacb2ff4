//! The keys that open `ambit.secrets`. One file a project, in the format of `age-keygen`, readable by its owner alone.
//!
//! Writing a key: temporary file (0600) beside it, sync, link under its name unless that exists, sync the folder. A crash
//! before the link leaves a stray temporary file, a crash after it the whole key; never half a key, never another's place.

use std::{
    fmt, fs,
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

use age::{
    secrecy::{ExposeSecret, SecretString},
    x25519,
};
use zeroize::Zeroizing;

/// One secret key. Its `Debug` shows the public half only.
#[derive(Clone)]
pub struct Identity(x25519::Identity);

/// The secret keys of a person or a machine: at least one.
#[derive(Clone, Debug)]
pub struct Identities(Vec<Identity>);

/// Why a key cannot be used or kept.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// There is no key file.
    #[error("there is no key at {}", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// Others can read the key.
    #[error("{} can be read or changed by others (mode {mode:03o})", path.display())]
    Exposed {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The text holds no key at all.
    #[error("{origin} holds no key (a line that begins with AGE-SECRET-KEY-1)")]
    Empty {
        /// The file, or `the key` for a text.
        origin: String,
    },
    /// A line is no key. The line itself is not repeated: it may be a damaged secret.
    #[error("line {line} of {origin} is not an age secret key{}", if *ssh { " (SSH keys are not supported yet)" } else { "" })]
    Malformed {
        /// The file, or `the key` for a text.
        origin: String,
        /// Its number, from 1.
        line: usize,
        /// Whether it looks like an SSH key.
        ssh: bool,
    },
    /// A key is already there.
    #[error("{} exists already; a key is never overwritten", path.display())]
    Exists {
        /// The key file.
        path: PathBuf,
    },
    /// The file system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// `read`, `write`, …
        action: &'static str,
        /// What.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl KeyError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { .. } => {
                Some("make one with `ambit secret key`, or set AMBIT_KEY to the text of a key".to_owned())
            }
            Self::Exposed { path, .. } => Some(format!(
                "run `chmod 600 {}`; if somebody else may have read it, make a new key and rotate",
                path.display()
            )),
            Self::Empty { .. } | Self::Malformed { .. } => {
                Some("a key looks like AGE-SECRET-KEY-1… and may stand among comments that begin with #".to_owned())
            }
            Self::Exists { .. } => {
                Some("its public key is in the file's first lines; move the file away to make another".to_owned())
            }
            Self::Io { .. } => None,
        }
    }
}

/// A new key from the operating system's randomness.
#[must_use]
pub fn generate() -> Identity {
    Identity(x25519::Identity::generate())
}

/// The public key (`age1…`) of a secret key: what others add to `recipients`.
#[must_use]
pub fn recipient_of(identity: &Identity) -> String {
    identity.0.to_public().to_string()
}

/// Reads a key file; refuses one that others can read or change.
pub fn load(path: &Path) -> Result<Identities, KeyError> {
    let failed = |source| KeyError::Io { action: "read", path: path.to_path_buf(), source };
    let file = fs::File::open(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => KeyError::Missing { path: path.to_path_buf() },
        _ => failed(source),
    })?;
    // The opened file is asked, not the path: what is checked is what is read.
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyError::Exposed { path: path.to_path_buf(), mode });
    }
    let mut text = Zeroizing::new(String::new());
    file.take(1 << 20).read_to_string(&mut text).map_err(failed)?;
    parse(&text, &path.display().to_string())
}

/// Keeps a key, in a folder that is made (0700) where it is missing. A key that is there already stays.
pub fn store(path: &Path, identity: &Identity) -> Result<(), KeyError> {
    let failed = |action| move |source| KeyError::Io { action, path: path.to_path_buf(), source };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed("make the folder of"))?;
    let text = Zeroizing::new(format!(
        "# A key of Ambit. Keep it to yourself: teammates make their own.\n# public key: {}\n{}\n",
        recipient_of(identity),
        identity.secret_text().expose_secret(),
    ));
    let mut temporary = tempfile::Builder::new()
        .prefix(".key-")
        .permissions(fs::Permissions::from_mode(0o600))
        .tempfile_in(folder)
        .map_err(failed("write"))?;
    temporary.write_all(text.as_bytes()).map_err(failed("write"))?;
    temporary.as_file().sync_all().map_err(failed("write"))?;
    temporary.persist_noclobber(path).map_err(|error| match error.error.kind() {
        io::ErrorKind::AlreadyExists => KeyError::Exists { path: path.to_path_buf() },
        _ => failed("write")(error.error),
    })?;
    fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed("write"))
}

impl Identity {
    /// The key as text (`AGE-SECRET-KEY-1…`), for a person who takes it to another machine or into CI.
    #[must_use]
    pub fn secret_text(&self) -> SecretString {
        self.0.to_string()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", recipient_of(self))
    }
}

impl Identities {
    /// Reads the text of one or more keys, such as the content of `AMBIT_KEY`: keys divided by white space, and
    /// comment lines that begin with `#`.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        parse(text, "the key")
    }

    /// Their public keys.
    pub fn public_keys(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(recipient_of)
    }

    /// Joins the keys of two places.
    pub fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    pub(crate) fn decryption_keys(&self) -> impl Iterator<Item = &dyn age::Identity> {
        self.0.iter().map(|identity| &identity.0 as &dyn age::Identity)
    }
}

impl From<Identity> for Identities {
    fn from(identity: Identity) -> Self {
        Self(vec![identity])
    }
}

fn parse(text: &str, origin: &str) -> Result<Identities, KeyError> {
    let mut found = Vec::new();
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        if line.trim_start().starts_with('#') {
            continue;
        }
        for word in line.split_whitespace() {
            let key = word.trim_matches(['"', '\'']).parse().map_err(|_| KeyError::Malformed {
                origin: origin.to_owned(),
                line: index + 1,
                ssh: line.contains("PRIVATE KEY") || word.starts_with("ssh-"),
            })?;
            found.push(Identity(key));
        }
    }
    if found.is_empty() { Err(KeyError::Empty { origin: origin.to_owned() }) } else { Ok(Identities(found)) }
}
