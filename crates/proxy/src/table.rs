//! The routing table: what the proxy knows, as it lies on disk.
//!
//! Written as one file: a temporary file beside it is written and synced, renamed over it, and the folder synced. A crash
//! at any point leaves the old table or the new one, never half of one.

use std::{
    collections::HashSet,
    fs, io,
    io::{Read, Write},
    net::SocketAddr,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

/// The newest format of `routes.json` that this program reads and the one that it writes.
pub const FORMAT: u32 = 1;

/// A table larger than this is not one of ours.
const MAX_BYTES: u64 = 64 << 20;

/// Every route that the proxy serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoutingTable {
    /// The format of the file.
    pub format: u32,
    /// In any order: the host and the longest path prefix decide.
    pub routes: Vec<Route>,
}

/// Where the requests to some hosts below some path go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Under which figures are kept, as in `kaia/dev/backend`. Routes may share one.
    pub id: String,
    /// Exact host names, lower-case, without a port.
    pub hosts: Vec<String>,
    /// `/`, or a prefix such as `/downloads`, which is stripped before the request goes on.
    pub path: String,
    /// What answers.
    pub target: Target,
    /// Whether answers tell search engines to stay away and name the environment.
    #[serde(default)]
    pub noindex: bool,
    /// The environment's name.
    #[serde(default)]
    pub environment: String,
    /// Those of `hosts` whose plain requests are sent on to HTTPS (308), challenges excepted. Without effect where the
    /// proxy does not listen for TLS.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub https: Vec<String>,
    /// Whether answers over HTTPS on those hosts tell browsers to come back by HTTPS only (RFC 6797).
    #[serde(default)]
    pub hsts: bool,
    /// Whether requests go on at once.
    #[serde(default)]
    pub state: RouteState,
}

/// What answers a route's requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// Instances of an app.
    App {
        /// Where they listen. None: every request is told that the service is unavailable.
        upstreams: Vec<SocketAddr>,
    },
    /// A folder of files.
    Site {
        /// Absolute.
        root: PathBuf,
        /// Whether paths without a file get `index.html`.
        #[serde(default)]
        single_page: bool,
    },
}

/// Whether a route's requests go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RouteState {
    /// They do.
    #[default]
    Serving,
    /// They wait until a later table says [`RouteState::Serving`], each for a bounded time.
    Held {
        /// When the hold ends by itself, whatever became of whoever asked for it: milliseconds since the Unix epoch.
        until: u64,
    },
}

impl RouteState {
    /// A hold that ends by itself after some time, counted from now.
    #[must_use]
    pub fn held_for(time: Duration) -> Self {
        let until = since_epoch().saturating_add(time);
        Self::Held { until: u64::try_from(until.as_millis()).unwrap_or(u64::MAX) }
    }

    /// What is left of a hold; `None` where requests go on.
    pub(crate) fn held(self) -> Option<Duration> {
        let Self::Held { until } = self else { return None };
        Duration::from_millis(until).checked_sub(since_epoch()).filter(|left| !left.is_zero())
    }
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Why a table is not used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// The file could not be read or written.
    #[error("cannot {what} {}", .path.display())]
    Io {
        /// `read` or `write`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Not JSON, or not a table.
    #[error("{} is not a routing table", .path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
    /// Written by a later version.
    #[error("the routing table has format {found}, newer than {FORMAT}, the newest that this version knows")]
    Newer {
        /// The file's format.
        found: u32,
    },
    /// Two routes claim the same requests.
    #[error("`{host}{path}` is routed twice, to `{first}` and to `{second}`")]
    Duplicate {
        /// The host.
        host: String,
        /// The path prefix.
        path: String,
        /// The route that comes first.
        first: String,
        /// The route that comes later.
        second: String,
    },
    /// A route that cannot be served as it is written.
    #[error("route `{id}`: {problem}")]
    Invalid {
        /// Its name.
        id: String,
        /// What is wrong.
        problem: String,
    },
}

impl TableError {
    /// What a person can do.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Newer { .. } => Some("use the version of ambit that wrote it, or a later one".into()),
            Self::Syntax { .. } => Some("the file is written by the daemon: `ambit up` writes it anew".into()),
            _ => None,
        }
    }
}

impl RoutingTable {
    /// A table of these routes.
    #[must_use]
    pub fn new(routes: Vec<Route>) -> Self {
        Self { format: FORMAT, routes }
    }

    /// Reads and validates a table.
    pub fn load(path: &Path) -> Result<Self, TableError> {
        let io = |source| TableError::Io { what: "read", path: path.to_owned(), source };
        let file = fs::File::open(path).map_err(io)?;
        Self::read(file, path).map_err(|error| match error {
            ReadError::Io(source) => io(source),
            ReadError::Table(error) => error,
        })
    }

    pub(crate) fn read(file: fs::File, path: &Path) -> Result<Self, ReadError> {
        /// Read first, so that a newer format is refused for what it is and not for a field that is not known here.
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let mut bytes = Vec::new();
        file.take(MAX_BYTES).read_to_end(&mut bytes).map_err(ReadError::Io)?;
        let syntax = |source| ReadError::Table(TableError::Syntax { path: path.to_owned(), source });
        let Format { format } = serde_json::from_slice(&bytes).map_err(syntax)?;
        if format > FORMAT {
            return Err(ReadError::Table(TableError::Newer { found: format }));
        }
        let table: Self = serde_json::from_slice(&bytes).map_err(syntax)?;
        table.validate().map_err(ReadError::Table)?;
        Ok(table)
    }

    /// Validates and writes the table, so that a crash leaves the old one or this one.
    pub fn store(&self, path: &Path) -> Result<(), TableError> {
        self.validate()?;
        let io = |source| TableError::Io { what: "write", path: path.to_owned(), source };
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let name = path.file_name().ok_or_else(|| io(io::ErrorKind::InvalidInput.into()))?;
        let temporary = folder.join(format!(".{}.{}.new", name.to_string_lossy(), std::process::id()));
        let text = serde_json::to_vec_pretty(self).map_err(|e| io(e.into()))?;
        let write = || -> io::Result<()> {
            // Readable for the user that the proxy becomes; it holds no secrets, and the folder is closed to others.
            // Left by a crash, or put there by the proxy's user, whose links a root that writes here must not follow.
            match fs::remove_file(&temporary) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o644).open(&temporary)?;
            file.set_permissions(fs::Permissions::from_mode(0o644))?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&temporary, path)?;
            fs::File::open(folder)?.sync_all()
        };
        write().map_err(|error| {
            let _ = fs::remove_file(&temporary);
            io(error)
        })
    }

    /// Whether every route can be served and none is claimed twice.
    pub fn validate(&self) -> Result<(), TableError> {
        if self.format > FORMAT {
            return Err(TableError::Newer { found: self.format });
        }
        let mut seen: std::collections::HashMap<(&str, &str), &str> = std::collections::HashMap::new();
        for route in &self.routes {
            let invalid = |problem: String| Err(TableError::Invalid { id: route.id.clone(), problem });
            if let Some(problem) = path_problem(&route.path) {
                return invalid(problem);
            }
            if http::HeaderValue::from_str(&route.environment).is_err() {
                return invalid("the name of its environment cannot stand in a header".into());
            }
            if let Target::Site { root, .. } = &route.target
                && !root.is_absolute()
            {
                return invalid(format!("the site's folder `{}` is not absolute", root.display()));
            }
            if let Some(stranger) = route.https.iter().find(|host| !route.hosts.contains(host)) {
                return invalid(format!("`{stranger}` is to be sent on to HTTPS, but is none of its hosts"));
            }
            let mut own = HashSet::new();
            for host in &route.hosts {
                if let Some(problem) = host_problem(host) {
                    return invalid(problem);
                }
                if !own.insert(host) {
                    continue;
                }
                if let Some(first) = seen.insert((host, &route.path), &route.id) {
                    return Err(TableError::Duplicate {
                        host: host.clone(),
                        path: route.path.clone(),
                        first: first.to_owned(),
                        second: route.id.clone(),
                    });
                }
            }
        }
        Ok(())
    }
}

pub(crate) enum ReadError {
    Io(io::Error),
    Table(TableError),
}

fn path_problem(path: &str) -> Option<String> {
    let good = path.strip_prefix('/').is_some_and(|rest| {
        rest.is_empty()
            || rest.split('/').all(|segment| {
                !matches!(segment, "" | "." | "..")
                    && segment.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&b))
            })
    });
    (!good).then(|| format!("the path `{path}` is neither `/` nor of the form `/a/b`"))
}

fn host_problem(host: &str) -> Option<String> {
    let good = !host.is_empty()
        && host.len() <= 253
        && !host.ends_with('.')
        && host.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-._:[]".contains(&b))
        && (host.starts_with('[') || !host.contains(':'));
    (!good).then(|| format!("`{host}` is not a lower-case host name without a port"))
}
