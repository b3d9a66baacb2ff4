//! Services elsewhere. Each has a base URL of its own variable, so that a simulator can stand in for it.

use super::{kind::Kind, reader::Reader};

pub struct SendGrid {
    pub url: String,
    pub key: String,
    pub from: String,
}

pub struct Twilio {
    pub url: String,
    pub account: String,
    pub token: String,
    pub from: String,
}

pub struct Google {
    pub url: String,
    pub key: String,
}

pub struct Sentry {
    pub dsn: sentry::types::Dsn,
    pub environment: String,
    pub sample_rate: f32,
}

pub struct Apm {
    pub endpoint: String,
}

/// The plan's own examples (`SG.dev-key`) are names for keys. With one of those development prints what it would have
/// sent, as it does without a key; elsewhere they are tried, and the service's refusal is logged.
fn usable(reader: &mut Reader, kind: Kind, name: &str, real: bool, instead: &str) -> bool {
    if real {
        return true;
    }
    if kind == Kind::Development {
        reader.warn(format!("{name} has not the form of a real key: {instead}"));
        return false;
    }
    reader.warn(format!("{name} has not the form of a real key: the service will refuse it"));
    true
}

pub(super) fn sendgrid(reader: &mut Reader, kind: Kind) -> Option<SendGrid> {
    let url = reader.url("SENDGRID_API_URL", Some("https://api.sendgrid.com"));
    let from = reader
        .parsed("SENDGRID_FROM", "no-reply@kaia.ai", "an e-mail address", |v| v.contains('@').then(|| v.to_owned()));
    let Some(key) = reader.optional("SENDGRID_API_KEY") else {
        reader.warn("SENDGRID_API_KEY is not set: no mail is sent".into());
        return None;
    };
    if !key.starts_with("SG.") || !key.bytes().all(|b| b.is_ascii_graphic()) {
        reader.wrong("SENDGRID_API_KEY", "a key of SendGrid, which begins with SG.");
        return None;
    }
    let real = key.split('.').count() == 3;
    usable(reader, kind, "SENDGRID_API_KEY", real, "mail goes to the log").then_some(SendGrid { url, key, from: from? })
}

pub(super) fn twilio(reader: &mut Reader, kind: Kind) -> Option<Twilio> {
    let url = reader.url("TWILIO_API_URL", Some("https://api.twilio.com"));
    let from =
        reader.parsed("TWILIO_FROM", "+15005550006", "a number such as +15005550006, or a service (MG…)", |v| {
            let number = v.strip_prefix('+').is_some_and(|n| n.len() > 6 && n.bytes().all(|b| b.is_ascii_digit()));
            (number || v.starts_with("MG")).then(|| v.to_owned())
        });
    match (reader.optional("TWILIO_ACCOUNT_SID"), reader.optional("TWILIO_AUTH_TOKEN")) {
        (Some(account), Some(token)) => {
            if !account.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
                reader.wrong("TWILIO_ACCOUNT_SID", "an account of Twilio: AC and 32 hexadecimal digits");
                return None;
            }
            let digits = account.strip_prefix("AC").unwrap_or_default();
            let real = digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit());
            usable(reader, kind, "TWILIO_ACCOUNT_SID", real, "SMS go to the log").then_some(Twilio {
                url,
                account,
                token,
                from: from?,
            })
        }
        (None, None) => {
            reader.warn("TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN are not set: no SMS is sent".into());
            None
        }
        (None, Some(_)) => {
            reader.wrong("TWILIO_ACCOUNT_SID", "to be set together with TWILIO_AUTH_TOKEN");
            None
        }
        (Some(_), None) => {
            reader.wrong("TWILIO_AUTH_TOKEN", "to be set together with TWILIO_ACCOUNT_SID");
            None
        }
    }
}

pub(super) fn google(reader: &mut Reader, kind: Kind) -> Option<Google> {
    let url = reader.url("GOOGLE_MAPS_API_URL", Some("https://places.googleapis.com"));
    let Some(key) = reader.optional("GOOGLE_MAPS_API_KEY") else {
        reader.warn("GOOGLE_MAPS_API_KEY is not set: places cannot be looked up".into());
        return None;
    };
    if !key.bytes().all(|b| b.is_ascii_graphic()) {
        reader.wrong("GOOGLE_MAPS_API_KEY", "a key of Google, without spaces");
        return None;
    }
    let real = key.starts_with("AIza");
    usable(reader, kind, "GOOGLE_MAPS_API_KEY", real, "places cannot be looked up").then_some(Google { url, key })
}

pub(super) fn sentry(reader: &mut Reader, kind: Kind) -> Option<Sentry> {
    let environment = reader.text("SENTRY_ENV", kind.name());
    let form = "a DSN of Sentry: https://KEY@HOST/PROJECT";
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if environment.len() > 64 || !environment.chars().all(allowed) {
        reader.wrong("SENTRY_ENV", "a name of at most 64 letters, digits, `-`, `_` and `.`");
    }
    let text = reader.optional("SENTRY_DSN")?;
    let Ok(dsn) = text.parse() else {
        reader.wrong("SENTRY_DSN", form);
        return None;
    };
    // Off in development, whatever is set.
    (kind != Kind::Development).then(|| Sentry { dsn, environment, sample_rate: kind.sample_rate() })
}

pub(super) fn apm(reader: &mut Reader) -> Option<Apm> {
    let endpoint = reader.url("OTEL_EXPORTER_OTLP_ENDPOINT", Some("http://127.0.0.1:4318"));
    reader.boolean("APM_ENABLED", false).then_some(Apm { endpoint })
}
