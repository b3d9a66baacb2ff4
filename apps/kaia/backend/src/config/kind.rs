//! What kind of environment this is.

use super::reader::Reader;

/// What the seed's `NODE_ENV` says. `APP_ENV` is the same by a name that is not Node's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Development,
    Staging,
    Production,
}

impl Kind {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Staging => "staging",
            Self::Production => "production",
        }
    }

    pub(super) fn log_level(self) -> &'static str {
        match self {
            Self::Development => "debug",
            Self::Staging => "info",
            Self::Production => "warn",
        }
    }

    /// Of how many requests Sentry gets a trace.
    pub(super) fn sample_rate(self) -> f32 {
        if self == Self::Production { 0.1 } else { 1.0 }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Development, Self::Staging, Self::Production].into_iter().find(|k| k.name() == text)
    }
}

pub(super) fn read(reader: &mut Reader) -> Kind {
    let expected = "development, staging or production";
    let app = reader.optional("APP_ENV").is_some();
    let mut named = None;
    for name in ["NODE_ENV", "APP_ENV"] {
        if (name == "APP_ENV" || app) && reader.optional(name).is_none() {
            continue;
        }
        let Some(kind) = reader.parsed(name, "development", expected, Kind::parse) else { continue };
        if named.is_some_and(|other| other != kind) {
            reader.wrong("APP_ENV", "the same as NODE_ENV, or only one of them");
        }
        named = Some(kind);
    }
    named.unwrap_or(Kind::Development)
}
