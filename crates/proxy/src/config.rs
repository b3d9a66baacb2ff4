use std::{net::SocketAddr, path::PathBuf, time::Duration};

/// How a proxy is started.
#[derive(Debug, Clone)]
pub struct Config {
    /// The addresses to listen on. Port 0 takes a free one, which [`crate::client::health`] tells.
    pub listen: Vec<SocketAddr>,
    /// The addresses to listen on for TLS.
    pub listen_tls: Vec<SocketAddr>,
    /// Holds `routes.json`, `certificates`, `challenges`, `proxy.sock` and `proxy.lock`.
    pub folder: PathBuf,
    /// Worker threads, each with its own listeners, connections and counters.
    pub threads: usize,
    /// The user and group to become once everything is bound, when started as root. The folder is handed to that user.
    pub user: Option<(u32, u32)>,
    /// Whether to take over from a proxy that serves on the folder, instead of refusing to start beside it.
    pub take_over: bool,
    /// How long and how much.
    pub limits: Limits,
}

impl Config {
    /// A proxy with one worker a core and the default limits, that keeps its user.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>, listen: Vec<SocketAddr>) -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            listen,
            listen_tls: Vec::new(),
            folder: folder.into(),
            threads,
            user: None,
            take_over: false,
            limits: Limits::default(),
        }
    }
}

/// Bounds that keep one client, or one app, from using up the proxy. Checked about once a second.
#[derive(Debug, Clone)]
pub struct Limits {
    /// From a TLS connection's first moment to its last word of the handshake.
    pub handshake: Duration,
    /// Handshakes under way at the same time, per worker; one more ends the oldest.
    pub handshakes: usize,
    /// From the first byte of a request's head to its last.
    pub head: Duration,
    /// A connection between two requests.
    pub idle: Duration,
    /// A client that neither takes what it is sent nor sends what it announced.
    pub stalled: Duration,
    /// From a request to the head of the app's answer.
    pub answer: Duration,
    /// A request that waits on a held route.
    pub hold: Duration,
    /// Requests that wait on one held route, per worker.
    pub holding: u64,
    /// To reach an app's port.
    pub connect: Duration,
    /// What is in flight when the proxy is told to stop.
    pub drain: Duration,
    /// What is open when another proxy has taken over: slow requests and websockets.
    pub retire: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            handshakes: 1024,
            head: Duration::from_secs(20),
            idle: Duration::from_secs(75),
            stalled: Duration::from_secs(60),
            answer: Duration::from_secs(300),
            hold: Duration::from_secs(30),
            holding: 1024,
            connect: Duration::from_secs(3),
            drain: Duration::from_secs(30),
            retire: Duration::from_secs(3600),
        }
    }
}
