//! Slack incoming webhooks (docs.slack.dev/messaging/sending-messages-using-incoming-webhooks). The URL is the secret.

use hyper::{HeaderMap, StatusCode};
use serde_json::json;

use crate::{
    http::{Http, private},
    outcome::SendError,
};

/// Slack cuts what is longer.
const LONGEST: usize = 40_000;

/// Posts a text, in which `&`, `<` and `>` are Slack's. `url` is the incoming webhook's.
pub async fn send(http: &Http, url: &str, text: &str) -> Result<(), SendError> {
    let Some(to) = private(url) else {
        return Err(SendError::later("the secret does not hold the https:// URL of an incoming webhook"));
    };
    let text: String = text.chars().take(LONGEST).collect();
    let body = json!({ "text": text, "unfurl_links": false, "unfurl_media": false });
    let answer = http.post(&to, HeaderMap::new(), body.to_string().into_bytes()).await;
    let answer = answer.map_err(|e| SendError::later(format!("Slack cannot be reached: {e}")))?;
    // Errors are one word: invalid_payload, channel_not_found, channel_is_archived, …
    let word = answer.body.trim();
    let known = !word.is_empty() && word.len() <= 40 && word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    let word = if known { format!(" {word}") } else { String::new() };
    let said = format!("Slack answered {}{word}", answer.status.as_u16());
    match answer.status {
        StatusCode::OK => Ok(()),
        StatusCode::TOO_MANY_REQUESTS => Err(SendError::Later { why: said, after: answer.retry_after }),
        status if status.is_server_error() => Err(SendError::Later { why: said, after: answer.retry_after }),
        _ => Err(SendError::refused(said)),
    }
}
