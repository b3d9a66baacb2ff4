//! Configuration, from the environment alone. Everything that is wrong is told at once, by name and never by value.

use std::{env, fmt};

pub struct Config {
    pub host: String,
    pub port: u16,
    pub database_url: String,
    pub redis_url: String,
    pub jwt_secret: String,
    pub jwt_seconds: u64,
    pub cors_origins: Vec<String>,
    pub rate_limit: bool,
    pub environment: String,
    pub release: String,
}

#[derive(Debug)]
pub struct Wrong(Vec<String>);

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the configuration is wrong: {}", self.0.join("; "))
    }
}

impl std::error::Error for Wrong {}

impl Config {
    pub fn from_environment() -> Result<Self, Wrong> {
        let mut wrong = Vec::new();
        let mut need = |name: &str| {
            let value = env::var(name).unwrap_or_default();
            if value.is_empty() {
                wrong.push(format!("{name} is not set"));
            }
            value
        };
        let (database_url, redis_url, jwt_secret) = (need("DATABASE_URL"), need("REDIS_URL"), need("JWT_SECRET"));
        let or = |name: &str, default: &str| env::var(name).unwrap_or_else(|_| default.to_owned());
        let port = or("PORT", "3001").parse().unwrap_or_else(|_| {
            wrong.push("PORT is not a port".into());
            0
        });
        let jwt_seconds = seconds(&or("JWT_EXPIRES_IN", "24h")).unwrap_or_else(|| {
            wrong.push("JWT_EXPIRES_IN is not a time such as 24h".into());
            0
        });
        if !wrong.is_empty() {
            return Err(Wrong(wrong));
        }
        Ok(Self {
            host: or("HOST", "127.0.0.1"),
            port,
            database_url,
            redis_url,
            jwt_secret,
            jwt_seconds,
            cors_origins: or("CORS_ORIGIN", "").split(',').map(|o| o.trim().to_owned()).filter(|o| !o.is_empty()).collect(),
            rate_limit: or("RATE_LIMIT_ENABLED", "true") == "true",
            environment: env::var("AMBIT_ENVIRONMENT").unwrap_or_else(|_| or("NODE_ENV", "development")),
            release: or("AMBIT_RELEASE", "unknown"),
        })
    }
}

fn seconds(text: &str) -> Option<u64> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let factor = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}
