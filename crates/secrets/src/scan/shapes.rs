//! Keys and tokens whose issuers gave them a shape of their own.
//!
//! A rule is a fixed text, the pattern that has to match from there, and what else has to hold. Every pattern is bounded.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

use super::plausible::{entropy, is_placeholder, looks_random};

/// What else has to hold for a match.
pub(super) type Holds = fn(&[u8]) -> bool;

/// A shape.
pub(super) struct Shape {
    /// Where one could begin.
    pub(super) begins: &'static [&'static str],
    /// Matched from there; its first group is the secret, or else the whole.
    pub(super) pattern: &'static str,
    pub(super) what: &'static str,
    pub(super) name: &'static str,
    pub(super) holds: Holds,
}

macro_rules! shape {
    ($what:literal, $name:literal, [$($begins:literal),+], $pattern:expr, $holds:expr) => {
        Shape { begins: &[$($begins),+], pattern: $pattern, what: $what, name: $name, holds: $holds }
    };
}

/// `NAME = "` with the quotes and spaces that languages put there.
macro_rules! given_as {
    ($name:literal, $value:literal) => {
        concat!("(?i-u:", $name, r#")["'\]]{0,3}\s{0,4}(?:=>|:=|=|:)\s{0,4}["'`]?(?-u:("#, $value, r"))(?-u:\b)")
    };
}

pub(super) const SHAPES: &[Shape] = &[
    shape!("an AWS access key", "AWS_ACCESS_KEY_ID", ["AKIA", "ASIA"], r"A[KS]IA[A-Z2-7]{16}\b", varied),
    shape!(
        "an AWS secret access key",
        "AWS_SECRET_ACCESS_KEY",
        ["secret_access_key", "secretaccesskey", "secret-access-key"],
        given_as!("secret[_-]?access[_-]?key", r"[A-Za-z0-9/+]{40}"),
        looks_random
    ),
    shape!(
        "a GitHub token",
        "GITHUB_TOKEN",
        ["ghp_", "gho_", "ghu_", "ghs_", "ghr_"],
        r"gh[pousr]_[A-Za-z0-9]{36,251}\b",
        varied
    ),
    shape!("a GitHub token", "GITHUB_TOKEN", ["github_pat_"], r"github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}\b", varied),
    shape!("a GitLab token", "GITLAB_TOKEN", ["glpat-"], r"glpat-[A-Za-z0-9_.-]{20,300}", varied),
    shape!(
        "a Slack token",
        "SLACK_TOKEN",
        ["xoxa-", "xoxb-", "xoxe-", "xoxo-", "xoxp-", "xoxr-", "xoxs-"],
        r"xox[abeoprs]-(?:[0-9]{1,20}-){1,4}[A-Za-z0-9-]{10,200}",
        varied
    ),
    shape!(
        "a Slack token",
        "SLACK_TOKEN",
        ["xapp-"],
        r"xapp-[0-9]-[A-Z0-9]{9,15}-[0-9]{10,15}-[a-f0-9]{32,80}\b",
        varied
    ),
    shape!(
        "a Slack webhook",
        "SLACK_WEBHOOK_URL",
        ["hooks.slack.com/services/"],
        r"hooks\.slack\.com/services/T[A-Z0-9]{8,12}/B[A-Z0-9]{8,12}/([A-Za-z0-9]{20,30})\b",
        varied
    ),
    shape!(
        "a Discord webhook",
        "DISCORD_WEBHOOK_URL",
        ["discord.com/api/webhooks/", "discordapp.com/api/webhooks/"],
        r"discord(?:app)?\.com/api/webhooks/[0-9]{17,20}/([A-Za-z0-9_-]{60,80})",
        varied
    ),
    shape!(
        "a Stripe live key",
        "STRIPE_SECRET_KEY",
        ["sk_live_", "rk_live_"],
        r"[rs]k_live_[A-Za-z0-9]{16,250}\b",
        varied
    ),
    shape!("a webhook signing secret", "WEBHOOK_SECRET", ["whsec_"], r"whsec_[A-Za-z0-9+/]{32,100}", varied),
    shape!("a SendGrid key", "SENDGRID_API_KEY", ["SG."], r"SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}", varied),
    shape!("a Twilio API key", "TWILIO_API_KEY", ["SK"], r"SK[0-9a-f]{32}\b", varied),
    shape!(
        "a Twilio auth token",
        "TWILIO_AUTH_TOKEN",
        ["twilio"],
        given_as!("twilio[a-z_-]{0,20}token", "[0-9a-f]{32}"),
        varied
    ),
    shape!("a Google API key", "GOOGLE_API_KEY", ["AIza"], r"AIza[A-Za-z0-9_-]{35}", varied),
    shape!("a Google OAuth secret", "GOOGLE_CLIENT_SECRET", ["GOCSPX-"], r"GOCSPX-[A-Za-z0-9_-]{28}", varied),
    shape!("an npm token", "NPM_TOKEN", ["npm_"], r"npm_[A-Za-z0-9]{36}\b", varied),
    shape!("a PyPI token", "PYPI_TOKEN", ["pypi-AgE"], r"pypi-AgE[A-Za-z0-9_-]{50,300}", varied),
    shape!("a crates.io token", "CARGO_REGISTRY_TOKEN", ["cio"], r"cio[A-Za-z0-9]{32}\b", looks_random),
    shape!("a Sentry token", "SENTRY_AUTH_TOKEN", ["sntrys_"], r"sntrys_[A-Za-z0-9+/=_-]{50,600}", varied),
    shape!("a Sentry token", "SENTRY_AUTH_TOKEN", ["sntryu_"], r"sntryu_[0-9a-f]{64}\b", varied),
    shape!(
        "a Railway token",
        "RAILWAY_TOKEN",
        ["railway"],
        given_as!("railway_(?:api_)?token", "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
        varied
    ),
    shape!("an Expo token", "EXPO_TOKEN", ["expo_token"], given_as!("expo_token", "[A-Za-z0-9_-]{40}"), looks_random),
    shape!(
        "a Cloudflare token",
        "CLOUDFLARE_API_TOKEN",
        ["cloudflare_", "cf_api_"],
        given_as!("(?:cloudflare|cf)_api_(?:token|key)", "[A-Za-z0-9_-]{37,40}"),
        looks_random
    ),
    shape!(
        "an age secret key",
        "AMBIT_KEY",
        ["AGE-SECRET-KEY-"],
        r"AGE-SECRET-KEY-(?:1|PQ-1)[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}",
        varied
    ),
    shape!(
        "a JSON web token",
        "TOKEN",
        ["eyJ"],
        r"eyJ[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{20,1000}",
        opens_something
    ),
    shape!(
        "an OpenAI key",
        "OPENAI_API_KEY",
        ["sk-"],
        r"sk-(?:(?:proj|svcacct|admin|None)-)?[A-Za-z0-9_-]{20,120}T3BlbkFJ[A-Za-z0-9_-]{20,120}",
        varied
    ),
    shape!(
        "an Anthropic key",
        "ANTHROPIC_API_KEY",
        ["sk-ant-"],
        r"sk-ant-[a-z]{2,10}[0-9]{2}-[A-Za-z0-9_-]{80,120}",
        varied
    ),
    shape!(
        "a DigitalOcean token",
        "DIGITALOCEAN_TOKEN",
        ["dop_v1_", "doo_v1_", "dor_v1_"],
        r"do[opr]_v1_[0-9a-f]{64}\b",
        varied
    ),
    shape!("a Mailgun key", "MAILGUN_API_KEY", ["key-"], r"key-[0-9a-f]{32}\b", varied),
    shape!("a Hugging Face token", "HF_TOKEN", ["hf_"], r"hf_[A-Za-z]{34}\b", varied),
    shape!("a Telegram bot token", "TELEGRAM_BOT_TOKEN", [":AA"], r":AA[A-Za-z0-9_-]{33}\b", looks_random),
];

/// Not a mask, not an example from documentation: what follows the last mark has many different characters.
fn varied(secret: &[u8]) -> bool {
    let hidden = &secret[secret.len() / 4..];
    let in_order = secret.windows(2).filter(|pair| pair[1] == pair[0].wrapping_add(1)).count();
    entropy(hidden) >= 2.7 && !is_placeholder(hidden) && in_order * 2 < secret.len()
}

/// Whether a JSON web token is one, and neither the one of every tutorial nor one that is made to be public.
fn opens_something(token: &[u8]) -> bool {
    let mut parts =
        token.split(|byte| *byte == b'.').map(|part| BASE64_URL_SAFE_NO_PAD.decode(part).unwrap_or_default());
    let (header, payload) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let has = |text: &[u8], part: &str| memchr::memmem::find(text, part.as_bytes()).is_some();
    has(&header, "\"alg\"") && !has(&payload, "\"1234567890\"") && !has(&payload, "\"role\":\"anon\"")
}
