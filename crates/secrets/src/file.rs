//! `ambit.secrets`: every secret of every environment, encrypted, in a text that is safe to commit.
//!
//! ```text
//! # comment
//! format = 1
//!
//! [dev]
//! JWT_SECRET = "age1qy352euf40x7 age1zvkyg2lqzraa YWdlLWVuY3J5cHRpb24…"
//! ```
//!
//! One line a secret, sorted, so that changing one changes one line and git merges the rest. A line holds the beginnings
//! of the public keys that it was encrypted to, which tells whether it has to be rotated and whom to ask, and an age file
//! in Base64. Inside that, the environment and the name stand before the value: a line that was moved or renamed is
//! refused. age does not sign: whoever has the public keys can write a *new* value, as whoever can commit could anyway.
//!
//! Storing: temporary file beside it, sync, rename, sync the folder. A crash before the rename leaves the old file and a
//! stray temporary one, a crash after it the new file.

mod seal;
mod syntax;

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use ambit_spec::EnvironmentName;

use crate::{keys::Identities, name::InvalidSecretName, recipients::Recipients, secret::Secret};

/// The format that this program writes.
pub const FORMAT: u32 = 1;

/// The longest value, in bytes; operating systems refuse environment variables not much longer than this.
pub const LONGEST_VALUE: usize = 64 * 1024;

const LARGEST_FILE: u64 = 64 * 1024 * 1024;

/// Why the secrets cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// A line of the file is not what Ambit writes.
    #[error("ambit.secrets, line {line}: {problem}")]
    Malformed {
        /// Its number, from 1.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// Two branches were merged and git left its marks.
    #[error("ambit.secrets, line {line}: the marks of an unfinished git merge")]
    Conflict {
        /// The first mark's line, from 1.
        line: usize,
    },
    /// A later program wrote it.
    #[error("ambit.secrets has format {found}, this program knows formats up to {FORMAT}; nothing was touched")]
    Newer {
        /// Its format.
        found: u64,
    },
    /// None of the keys at hand opens a value.
    #[error("no key at hand opens {name} of {environment}; it is encrypted to {}", recipients.join(", "))]
    NoMatchingKey {
        /// The environment.
        environment: EnvironmentName,
        /// The secret.
        name: String,
        /// The beginnings of the public keys that can open it.
        recipients: Vec<String>,
        /// The public keys at hand.
        own: Vec<String>,
    },
    /// A value was cut, changed or garbled.
    #[error("{name} of {environment} is damaged or was tampered with")]
    Damaged {
        /// The environment.
        environment: EnvironmentName,
        /// The secret.
        name: String,
    },
    /// A value was made for another place.
    #[error("{name} of {environment} holds a value that was encrypted as {true_name} of {true_environment}")]
    Moved {
        /// Where it stands.
        environment: EnvironmentName,
        /// As what it stands there.
        name: String,
        /// What it was made for.
        true_environment: String,
        /// What it was made as.
        true_name: String,
    },
    /// A name that no environment variable can have.
    #[error(transparent)]
    Name(#[from] InvalidSecretName),
    /// A value that no environment variable can have.
    #[error("the value of {name} {problem}")]
    Value {
        /// The secret.
        name: String,
        /// `is too long …`, …
        problem: String,
    },
    /// The file was changed since it was read.
    #[error("{} was changed by somebody else in the meantime; nothing was written", path.display())]
    ChangedMeanwhile {
        /// The file.
        path: PathBuf,
    },
    /// The encryption itself failed.
    #[error("cannot encrypt {name}: {reason}")]
    Encryption {
        /// The secret.
        name: String,
        /// What the library says.
        reason: String,
    },
    /// The file system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// `read` or `write`.
        action: &'static str,
        /// What.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl SecretsError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Malformed { .. } => {
                "restore the line from git (`git log -p ambit.secrets`), or delete it and set the \
                                       secret again"
                    .to_owned()
            }
            Self::Conflict { .. } => "keep the lines of both sides and delete the marks; where both changed the same \
                                      secret keep one line of the two, or set it again afterwards. \
                                      `git checkout --ours ambit.secrets` keeps your side of everything"
                .to_owned(),
            Self::Newer { .. } => "a teammate uses a later version of Ambit: update yours".to_owned(),
            Self::NoMatchingKey { own, .. } => format!(
                "ask one of them to add your public key {} to `recipients` in ambit.toml and to run \
                 `ambit secret rotate`",
                own.join(" or ")
            ),
            Self::Damaged { environment, name } => {
                format!("restore its line from git, or set it again: `ambit secret set {name} -e {environment}`")
            }
            Self::Moved { environment, name, .. } => format!(
                "values cannot be copied between names or environments by hand: `ambit secret set {name} -e {environment}`"
            ),
            Self::ChangedMeanwhile { .. } => "run the command again".to_owned(),
            Self::Value { .. } => {
                "secrets are short texts; keep files elsewhere and their key or address here".to_owned()
            }
            Self::Name(_) | Self::Encryption { .. } | Self::Io { .. } => return None,
        })
    }
}

/// One encrypted value.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sealed {
    recipients: Vec<String>,
    ciphertext: Vec<u8>,
}

/// The file in memory. Values stay encrypted until they are asked for.
#[derive(Debug, Clone, Default)]
pub struct SecretsFile {
    environments: BTreeMap<EnvironmentName, BTreeMap<String, Sealed>>,
    /// The text on disk that this was read from or last stored as.
    on_disk: Option<String>,
}

impl SecretsFile {
    /// Reads the file; `None` where there is none.
    pub fn load(path: &Path) -> Result<Option<Self>, SecretsError> {
        match read(path)? {
            None => Ok(None),
            Some(text) => Ok(Some(Self { on_disk: Some(text.clone()), ..Self::parse(&text)? })),
        }
    }

    /// Reads the text of a file, such as an earlier version in git.
    pub fn parse(text: &str) -> Result<Self, SecretsError> {
        Ok(Self { environments: syntax::parse(text)?, on_disk: None })
    }

    /// The text as it is stored.
    #[must_use]
    pub fn to_text(&self) -> String {
        syntax::render(&self.environments)
    }

    /// Decrypts one value; `None` where the environment does not have it.
    pub fn get(
        &self,
        environment: &EnvironmentName,
        name: &str,
        identities: &Identities,
    ) -> Result<Option<Secret>, SecretsError> {
        self.sealed(environment, name).map(|sealed| seal::open(sealed, environment, name, identities)).transpose()
    }

    /// Encrypts one value to the recipients of its environment, in the place of an earlier one.
    pub fn set(
        &mut self,
        environment: &EnvironmentName,
        name: &str,
        value: &Secret,
        recipients: &Recipients,
    ) -> Result<(), SecretsError> {
        let sealed = seal::close(environment, name, value, recipients)?;
        self.environments.entry(environment.clone()).or_default().insert(name.to_owned(), sealed);
        Ok(())
    }

    /// Takes one value away; says whether it was there.
    pub fn remove(&mut self, environment: &EnvironmentName, name: &str) -> bool {
        let Some(values) = self.environments.get_mut(environment) else { return false };
        let was_there = values.remove(name).is_some();
        if values.is_empty() {
            self.environments.remove(environment);
        }
        was_there
    }

    /// The environments that have at least one secret.
    pub fn environments(&self) -> impl Iterator<Item = &EnvironmentName> {
        self.environments.keys()
    }

    /// The secrets of an environment by name, sorted. No key is needed.
    pub fn names(&self, environment: &EnvironmentName) -> impl Iterator<Item = &str> {
        self.environments.get(environment).into_iter().flatten().map(|(name, _)| name.as_str())
    }

    /// Whether the environment has this secret. No key is needed.
    #[must_use]
    pub fn contains(&self, environment: &EnvironmentName, name: &str) -> bool {
        self.sealed(environment, name).is_some()
    }

    /// The secrets of an environment that are not encrypted to exactly these recipients, sorted. No key is needed.
    #[must_use]
    pub fn outdated(&self, environment: &EnvironmentName, recipients: &Recipients) -> Vec<&str> {
        let present = recipients.abbreviated();
        let values = self.environments.get(environment).into_iter().flatten();
        values.filter(|(_, sealed)| sealed.recipients != present).map(|(name, _)| name.as_str()).collect()
    }

    /// Whether the recipients changed since one of the environment's secrets was encrypted.
    #[must_use]
    pub fn needs_rotation(&self, environment: &EnvironmentName, recipients: &Recipients) -> bool {
        !self.outdated(environment, recipients).is_empty()
    }

    /// Encrypts every value of an environment anew, to the present recipients; says how many. Either all or, after an
    /// error, none.
    ///
    /// Whoever was removed can still open the versions in git: their values have to be replaced as well.
    pub fn rotate(
        &mut self,
        environment: &EnvironmentName,
        identities: &Identities,
        recipients: &Recipients,
    ) -> Result<usize, SecretsError> {
        let Some(values) = self.environments.get(environment) else { return Ok(0) };
        let rotated = values
            .iter()
            .map(|(name, sealed)| {
                let value = seal::open(sealed, environment, name, identities)?;
                Ok((name.clone(), seal::close(environment, name, &value, recipients)?))
            })
            .collect::<Result<BTreeMap<_, _>, SecretsError>>()?;
        let count = rotated.len();
        self.environments.insert(environment.clone(), rotated);
        Ok(count)
    }

    /// Writes the file (mode 0644) as a whole or not at all. Refuses when it is no longer what was read; two commands
    /// at the very same moment are not told apart by this.
    pub fn store(&mut self, path: &Path) -> Result<(), SecretsError> {
        if read(path)? != self.on_disk {
            return Err(SecretsError::ChangedMeanwhile { path: path.to_path_buf() });
        }
        let text = self.to_text();
        write(path, &text).map_err(|source| SecretsError::Io { action: "write", path: path.to_path_buf(), source })?;
        self.on_disk = Some(text);
        Ok(())
    }

    fn sealed(&self, environment: &EnvironmentName, name: &str) -> Option<&Sealed> {
        self.environments.get(environment)?.get(name)
    }
}

fn read(path: &Path) -> Result<Option<String>, SecretsError> {
    let failed = |source| SecretsError::Io { action: "read", path: path.to_path_buf(), source };
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut bytes = Vec::new();
    file.take(LARGEST_FILE + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(failed(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 64 MiB")));
    }
    String::from_utf8(bytes).map(Some).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        SecretsError::Malformed {
            line: 1 + memchr::memchr_iter(b'\n', before).count(),
            problem: "it is not text (UTF-8)".to_owned(),
        }
    })
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut temporary = tempfile::Builder::new().prefix(".ambit.secrets-").tempfile_in(folder)?;
    temporary.write_all(text.as_bytes())?;
    temporary.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
    temporary.as_file().sync_all()?;
    temporary.persist(path).map_err(|error| error.error)?;
    fs::File::open(folder)?.sync_all()
}
