//! Signed tokens (HS256 and nothing else). They hold in the environment that made them: issuer and audience name it.

use chrono::Utc;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};

use super::secret;
use crate::{
    config::{Config, TokenSettings},
    http::problem::Problem,
};

/// How far clocks may differ, in seconds.
const LEEWAY: u64 = 10;

/// What a token says.
#[derive(Debug, Clone, Copy)]
pub struct Claims {
    pub user: i64,
    pub session: i64,
}

#[derive(Serialize, Deserialize)]
struct Written {
    iss: String,
    aud: String,
    sub: String,
    sid: i64,
    iat: i64,
    exp: i64,
    jti: String,
}

/// Signs and reads the tokens of this environment.
pub struct Tokens {
    access: Kind,
    refresh: Kind,
}

struct Kind {
    issuer: String,
    audience: String,
    signing: EncodingKey,
    checking: DecodingKey,
    validation: Validation,
    seconds: i64,
}

impl Tokens {
    pub fn new(config: &Config) -> Self {
        Self {
            access: Kind::new(config, &config.access, "access"),
            refresh: Kind::new(config, &config.refresh, "refresh"),
        }
    }

    pub fn issue_access(&self, claims: Claims) -> Result<String, Problem> {
        self.access.issue(claims)
    }

    pub fn issue_refresh(&self, claims: Claims) -> Result<String, Problem> {
        self.refresh.issue(claims)
    }

    pub fn access(&self, token: &str) -> Option<Claims> {
        self.access.read(token)
    }

    pub fn refresh(&self, token: &str) -> Option<Claims> {
        self.refresh.read(token)
    }

    pub fn access_seconds(&self) -> i64 {
        self.access.seconds
    }

    pub fn refresh_seconds(&self) -> i64 {
        self.refresh.seconds
    }
}

impl Kind {
    fn new(config: &Config, settings: &TokenSettings, name: &str) -> Self {
        let issuer = format!("kaia/{}", config.environment);
        let audience = format!("kaia/{}/{name}", config.environment);
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = LEEWAY;
        validation.set_issuer(&[&issuer]);
        validation.set_audience(&[&audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        let secret = settings.secret.as_bytes();
        Self {
            issuer,
            audience,
            signing: EncodingKey::from_secret(secret),
            checking: DecodingKey::from_secret(secret),
            validation,
            seconds: settings.seconds,
        }
    }

    fn issue(&self, claims: Claims) -> Result<String, Problem> {
        let now = Utc::now().timestamp();
        let written = Written {
            iss: self.issuer.clone(),
            aud: self.audience.clone(),
            sub: claims.user.to_string(),
            sid: claims.session,
            iat: now,
            exp: now + self.seconds,
            jti: secret::new(),
        };
        encode(&Header::new(Algorithm::HS256), &written, &self.signing).map_err(Problem::internal)
    }

    fn read(&self, token: &str) -> Option<Claims> {
        let written = decode::<Written>(token, &self.checking, &self.validation).ok()?.claims;
        // One from the future was made by a clock that is wrong, or by somebody else.
        let late = i64::try_from(LEEWAY).unwrap_or_default();
        if written.iat > Utc::now().timestamp() + late {
            return None;
        }
        Some(Claims { user: written.sub.parse().ok()?, session: written.sid })
    }
}
