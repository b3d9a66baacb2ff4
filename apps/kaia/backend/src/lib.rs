//! Kaia's backend: accounts, events, places, an area for administrators.
//!
//! `config` reads the environment. `http` is what every request passes, `routes` says which function answers it, `openapi`
//! describes that. `accounts`, `events`, `places`, `admin` and `health` answer. `limits` counts requests, `outbound` talks to
//! services elsewhere, `observe` tells those who run Kaia. `migrate`, `seed` and `grant` are commands of their own.

pub mod accounts;
pub mod admin;
mod cleaning;
pub mod config;
pub mod events;
pub mod grant;
pub mod health;
pub mod http;
pub mod limits;
pub mod migrate;
pub mod observe;
pub mod openapi;
pub mod outbound;
pub mod places;
mod readers;
pub mod routes;
pub mod seed;
pub mod serve;

use std::{fmt::Write, sync::Arc, time::Duration};

use accounts::{password::Passwords, sessions::Sessions, tokens::Tokens};
use argon2::password_hash::rand_core::{OsRng, RngCore};
use config::Config;
use limits::{Cache, Limiter};
use observe::Observe;
use outbound::{Post, Postman, client::Client};
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

/// What every request works with.
pub struct Kaia {
    pub config: Arc<Config>,
    pub database: PgPool,
    pub readers: readers::Readers,
    pub cache: Arc<Cache>,
    pub limiter: Limiter,
    pub passwords: Passwords,
    pub tokens: Tokens,
    pub sessions: Sessions,
    pub client: Arc<Client>,
    pub post: Post,
    pub observe: Arc<Observe>,
}

impl Kaia {
    /// Connects to nothing yet: that is done, and done again, when it is needed.
    pub fn new(config: Config) -> (Arc<Self>, Postman) {
        let config = Arc::new(config);
        let client = Arc::new(Client::default());
        let cache = Arc::new(Cache::new(config.redis.clone()));
        let (post, postman) = Post::new(Arc::clone(&config), Arc::clone(&client));
        let database = pool(&config.database);
        let kaia = Self {
            readers: readers::Readers::new(database.clone()),
            database,
            limiter: Limiter::new(Arc::clone(&cache)),
            cache,
            passwords: Passwords::default(),
            tokens: Tokens::new(&config),
            sessions: Sessions::default(),
            observe: Arc::new(Observe::new(&config, &client)),
            client,
            post,
            config,
        };
        (Arc::new(kaia), postman)
    }
}

/// Connections for requests: none waits for long, none runs for long.
pub fn pool(options: &PgConnectOptions) -> PgPool {
    let options =
        sqlx::ConnectOptions::disable_statement_logging(options.clone()).application_name("kaia-backend").options([
            ("statement_timeout", "10000"),
            ("lock_timeout", "5000"),
            ("idle_in_transaction_session_timeout", "30000"),
        ]);
    PgPoolOptions::new()
        .max_connections(10)
        .acquire_timeout(Duration::from_secs(3))
        // A connection that broke shows when it is used, and is thrown away; asking before costs every request a round trip.
        .test_before_acquire(false)
        .connect_lazy_with(options)
}

/// Bytes that nobody can guess.
fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    OsRng.fill_bytes(&mut bytes);
    bytes
}

/// The same, as text.
fn random_hex<const N: usize>() -> String {
    hex(&random::<N>())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut hex, byte| {
        // Writing into a text cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
