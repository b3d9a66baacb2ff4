//! What GitHub's answers mean.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ambit_domain::{Failure, FailureKind};
use hyper::{HeaderMap, Method, StatusCode, header};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::MINUTE;
use crate::{
    api::{Api, Trouble},
    http::Answer,
};

/// What was answered that can be worked with.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answered<T> {
    /// It.
    There(T),
    /// That it is not there: GitHub says the same of what a token may not see.
    Nothing(String),
    /// That the plan of the owner does not have it.
    Refused(String),
}

#[derive(Deserialize, Default)]
struct Message {
    #[serde(default)]
    message: String,
    #[serde(default)]
    errors: Vec<Value>,
}

/// What an answer says in words, on one line.
fn words(answer: &Answer) -> String {
    let said: Message = serde_json::from_str(&answer.body).unwrap_or_default();
    let of = |error: &Value| match error {
        Value::String(text) => Some(text.clone()),
        other => {
            let text = |key: &str| other[key].as_str().map(str::to_owned);
            text("message").or_else(|| Some(format!("{} {}", text("field")?, text("code")?)))
        }
    };
    let all = std::iter::once(said.message).chain(said.errors.iter().filter_map(of)).filter(|text| !text.is_empty());
    let text = all.collect::<Vec<_>>().join("; ");
    // What comes from elsewhere is shown on terminals.
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(500).collect()
}

/// The answer to a read.
pub(super) fn understood<T: DeserializeOwned>(api: &Api, answer: &Answer) -> Result<Answered<T>, Trouble> {
    if answer.status.is_success() {
        return match serde_json::from_str(&answer.body) {
            Ok(found) => Ok(Answered::There(found)),
            Err(_) => Err(Trouble::Passing(format!("{} with something that is no answer", api.said(answer)), None)),
        };
    }
    let words = words(answer);
    match answer.status {
        StatusCode::NOT_FOUND | StatusCode::CONFLICT => Ok(Answered::Nothing(words)),
        _ if is_of_the_plan(&words) => Ok(Answered::Refused(words)),
        _ => Err(trouble(api, answer)),
    }
}

/// The answer to a write.
pub(super) fn carried(api: &Api, method: &Method, answer: &Answer) -> Result<Answered<()>, Trouble> {
    let words = words(answer);
    match answer.status {
        StatusCode::NOT_FOUND if method == Method::DELETE => Ok(Answered::There(())),
        StatusCode::NOT_FOUND => {
            let said = api.said(answer);
            Err(Trouble::Passing(format!("{said}, which it also says of what a token may not write: {words}"), None))
        }
        // 303: the same pattern is there already.
        status if status.is_success() || status == StatusCode::SEE_OTHER => Ok(Answered::There(())),
        _ if is_of_the_plan(&words) => Ok(Answered::Refused(words)),
        // An earlier try was carried out though it was not answered, or somebody was faster.
        StatusCode::CONFLICT => Err(Trouble::Passing(words, None)),
        StatusCode::UNPROCESSABLE_ENTITY if is_already(&words) => Err(Trouble::Passing(words, None)),
        _ => Err(trouble(api, answer)),
    }
}

fn is_already(words: &str) -> bool {
    let words = words.to_ascii_lowercase();
    ["already exists", "already_exists", "must be unique"].iter().any(|said| words.contains(said))
}

fn is_of_the_plan(words: &str) -> bool {
    ["Upgrade to GitHub", "billing plan"].iter().any(|said| words.contains(said))
}

/// An answer that helps nobody.
pub(super) fn trouble(api: &Api, answer: &Answer) -> Trouble {
    let words = words(answer);
    let failure = || {
        let failure = Failure::new(FailureKind::User, api.said(answer));
        if words.is_empty() { failure } else { failure.because(words.as_str()) }
    };
    if let Some(pause) = limit(answer, &words) {
        return api.busy(&Answer {
            retry_after: Some(pause),
            headers: HeaderMap::new(),
            body: String::new(),
            ..*answer
        });
    }
    let text = |name: &str| answer.headers.get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
    Trouble::Final(match answer.status {
        StatusCode::UNAUTHORIZED => failure().hint("the token is wrong or expired: make another one at GitHub, Settings, Developer settings"),
        StatusCode::FORBIDDEN => match text("x-accepted-github-permissions") {
            Some(needed) => failure()
                .because(format!("the token lacks {}", permissions(&needed)))
                .hint("add it to the token at GitHub: Settings, Developer settings, Fine-grained tokens, Repository permissions"),
            None => failure().hint("what the token needs: docs/github.md"),
        },
        StatusCode::MOVED_PERMANENTLY | StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => {
            Failure::new(FailureKind::User, "the repository was renamed or moved at GitHub")
                .hint("say its new name in ambit.toml: [providers.github] repository = \"OWNER/NAME\"")
        }
        _ => failure(),
    })
}

/// `administration=write,metadata=read` for people: `administration (write) and metadata (read)`.
fn permissions(needed: &str) -> String {
    // Semicolons stand between sets of which one is enough; the first is as good as any.
    let first = needed.split(';').next().unwrap_or_default();
    let all = first.split(',').map(|one| match one.trim().split_once('=') {
        Some((name, level)) => format!("{name} ({level})"),
        None => one.trim().to_owned(),
    });
    all.collect::<Vec<_>>().join(" and ")
}

/// How long GitHub asks to be left alone, where that is what an answer says.
fn limit(answer: &Answer, words: &str) -> Option<Duration> {
    let number = |name: &str| answer.headers.get(name)?.to_str().ok()?.parse::<u64>().ok();
    let limited = words.to_ascii_lowercase().contains("rate limit");
    let exhausted = number("x-ratelimit-remaining") == Some(0);
    if answer.status != StatusCode::FORBIDDEN || !(limited || exhausted || answer.retry_after.is_some()) {
        return None;
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let until_reset =
        number("x-ratelimit-reset").filter(|_| exhausted).map(|at| Duration::from_secs(at.saturating_sub(now)));
    Some(answer.retry_after.or(until_reset).unwrap_or(MINUTE))
}

/// Whether another page follows. Only that is read of the link: the address in it may be anybody's.
pub(super) fn has_next(headers: &HeaderMap) -> bool {
    let all = headers.get_all(header::LINK).iter().filter_map(|v| v.to_str().ok());
    all.flat_map(|links| links.split(',')).any(|link| link.contains("rel=\"next\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, message: &str, headers: &[(&'static str, &str)]) -> Answer {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (header::HeaderName::from_static(name), value.parse().unwrap()))
            .collect();
        let retry_after =
            headers.get("retry-after").and_then(|v| v.to_str().ok()?.parse().ok()).map(Duration::from_secs);
        let body = serde_json::json!({ "message": message }).to_string();
        Answer { status: StatusCode::from_u16(status).unwrap(), retry_after, headers, body }
    }

    fn pause(answer: &Answer) -> Option<Duration> {
        limit(answer, &words(answer))
    }

    #[test]
    fn who_asks_too_often_waits_as_long_as_it_says_or_a_minute() {
        let secondary = "You have exceeded a secondary rate limit.";
        assert_eq!(pause(&answer(403, secondary, &[("retry-after", "7")])), Some(Duration::from_secs(7)));
        assert_eq!(pause(&answer(403, secondary, &[])), Some(MINUTE));
        let reset = (SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + 30).to_string();
        let primary =
            answer(403, "API rate limit exceeded", &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", &reset)]);
        assert!(pause(&primary).is_some_and(|p| (25..=30).contains(&p.as_secs())));
        let forbidden =
            answer(403, "Resource not accessible by personal access token", &[("x-ratelimit-remaining", "9")]);
        assert_eq!(pause(&forbidden), None);
    }

    #[test]
    fn missing_permissions_are_named() {
        assert_eq!(permissions("administration=write"), "administration (write)");
        assert_eq!(
            permissions("contents=write,workflows=write; administration=write"),
            "contents (write) and workflows (write)"
        );
    }

    #[test]
    fn the_errors_of_an_answer_are_a_part_of_what_it_says() {
        let body = r#"{"message":"Validation Failed","errors":[{"resource":"Hook","code":"custom","message":"Hook already exists"},"too \u001b many"]}"#;
        let answer = Answer { body: body.to_owned(), ..answer(422, "", &[]) };
        assert_eq!(words(&answer), "Validation Failed; Hook already exists; too   many");
        assert!(is_already(&words(&answer)));
    }
}
