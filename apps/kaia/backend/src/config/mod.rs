//! Configuration, from the environment alone. Everything that is wrong is told at once: by name and with what was
//! expected, never with the value.

mod cors;
mod kind;
mod reader;
mod services;
mod span;

use std::env;

use axum::http::HeaderValue;
use sqlx::postgres::PgConnectOptions;
use tracing::level_filters::LevelFilter;

pub use kind::Kind;
use reader::Reader;
pub use reader::Wrong;
pub use services::{Apm, Google, SendGrid, Sentry, Twilio};

use crate::limits::{Limits, Rate};

/// Everything that an instance is told.
pub struct Config {
    pub host: String,
    pub port: u16,
    pub kind: Kind,
    /// The environment's name, as shown.
    pub environment: String,
    pub release: String,
    pub database: PgConnectOptions,
    pub redis: redis::Client,
    pub access: TokenSettings,
    pub refresh: TokenSettings,
    pub frontend_url: String,
    pub api_url: String,
    pub cors_origins: Vec<HeaderValue>,
    /// `None` where limits are off.
    pub limits: Option<Limits>,
    pub log_level: LevelFilter,
    pub sendgrid: Option<SendGrid>,
    pub twilio: Option<Twilio>,
    pub google: Option<Google>,
    pub sentry: Option<Sentry>,
    pub apm: Option<Apm>,
    /// What is odd but no reason not to start.
    pub warnings: Vec<String>,
}

/// How tokens of one kind are signed, and for how many seconds they hold.
pub struct TokenSettings {
    pub secret: String,
    pub seconds: i64,
}

/// Production's secrets have at least so many characters.
const SECRET_LENGTH: usize = 32;

impl Config {
    /// From this process's environment.
    pub fn from_environment() -> Result<Self, Wrong> {
        Self::read(|name| env::var(name).ok())
    }

    /// From any source of variables.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, Wrong> {
        let mut reader = Reader::new(&get);
        let kind = kind::read(&mut reader);
        let (access, refresh) = tokens(&mut reader, kind);
        let url = |reader: &mut Reader, name, default| match kind {
            Kind::Development => reader.url(name, Some(default)),
            _ => reader.url(name, None),
        };
        let config = Self {
            host: reader.text("HOST", "127.0.0.1"),
            port: reader.parsed("PORT", "3001", "a port from 0 to 65535", |v| v.parse().ok()).unwrap_or_default(),
            kind,
            environment: reader.text("AMBIT_ENVIRONMENT", kind.name()),
            release: reader.text("AMBIT_RELEASE", "unknown"),
            database: database(&mut reader).unwrap_or_default(),
            redis: reader
                .needed("REDIS_URL", "redis://[:PASSWORD@]HOST:PORT[/NUMBER]", |v| redis::Client::open(v).ok())
                .map_or_else(|| redis::Client::open("redis://127.0.0.1").map_err(|_| Wrong::default()), Ok)?,
            access,
            refresh,
            frontend_url: url(&mut reader, "FRONTEND_URL", "http://localhost:3000"),
            api_url: url(&mut reader, "API_URL", "http://localhost:3001"),
            cors_origins: cors::read(&mut reader),
            limits: limits(&mut reader),
            log_level: reader
                .parsed("LOG_LEVEL", kind.log_level(), "error, warn, info, debug or trace", level)
                .unwrap_or(LevelFilter::INFO),
            sendgrid: services::sendgrid(&mut reader, kind),
            twilio: services::twilio(&mut reader, kind),
            google: services::google(&mut reader, kind),
            sentry: services::sentry(&mut reader, kind),
            apm: services::apm(&mut reader),
            warnings: Vec::new(),
        };
        let (warnings, wrong) = reader.finish();
        wrong.map_or(Ok(Self { warnings, ..config }), Err)
    }
}

/// What the commands beside serving need: the database, and what kind of environment it belongs to.
pub fn database_alone() -> Result<(PgConnectOptions, Kind), Wrong> {
    let get = |name: &str| env::var(name).ok();
    let mut reader = Reader::new(&get);
    let found = (database(&mut reader).unwrap_or_default(), kind::read(&mut reader));
    reader.finish().1.map_or(Ok(found), Err)
}

fn database(reader: &mut Reader) -> Option<PgConnectOptions> {
    reader.needed("DATABASE_URL", "postgresql://USER:PASSWORD@HOST:PORT/DATABASE", |v| {
        let scheme = v.starts_with("postgres://") || v.starts_with("postgresql://");
        scheme.then(|| v.parse().ok())?
    })
}

fn tokens(reader: &mut Reader, kind: Kind) -> (TokenSettings, TokenSettings) {
    let expected = "a secret; in production of 32 characters or more";
    let long_enough = |v: &str| kind != Kind::Production || v.chars().count() >= SECRET_LENGTH;
    let mut one = |secret: &str, span: &str, default: &str| TokenSettings {
        secret: reader.needed(secret, expected, |v| long_enough(v).then(|| v.to_owned())).unwrap_or_default(),
        seconds: reader
            .parsed(span, default, "a time such as 15m, 24h or 7d, at most 366d", span::seconds)
            .unwrap_or_default(),
    };
    let access = one("JWT_SECRET", "JWT_EXPIRES_IN", "24h");
    let refresh = one("JWT_REFRESH_SECRET", "JWT_REFRESH_EXPIRES_IN", "7d");
    if kind == Kind::Production && !access.secret.is_empty() && access.secret == refresh.secret {
        reader.wrong("JWT_REFRESH_SECRET", "another secret than JWT_SECRET");
    }
    (access, refresh)
}

fn limits(reader: &mut Reader) -> Option<Limits> {
    let on = reader.boolean("RATE_LIMIT_ENABLED", true);
    let mut rate =
        |name, default| reader.parsed(name, default, "requests and a time such as 600/m, 10/s or 1000/h", Rate::parse);
    let (everybody, caller, route) =
        (rate("RATE_LIMIT_GLOBAL", "60000/m"), rate("RATE_LIMIT_USER", "600/m"), rate("RATE_LIMIT_ROUTE", "300/m"));
    on.then_some(Limits { everybody: everybody?, caller: caller?, route: route? })
}

fn level(text: &str) -> Option<LevelFilter> {
    match text {
        "error" => Some(LevelFilter::ERROR),
        "warn" => Some(LevelFilter::WARN),
        "info" => Some(LevelFilter::INFO),
        "debug" => Some(LevelFilter::DEBUG),
        "trace" => Some(LevelFilter::TRACE),
        _ => None,
    }
}
