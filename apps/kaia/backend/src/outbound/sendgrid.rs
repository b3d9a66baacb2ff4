//! Mail: `POST /v3/mail/send`.

use axum::{
    body::Bytes,
    http::{Request, header},
};
use http_body_util::Full;
use serde_json::json;

use super::{
    client::Client,
    post::{Refused, taken},
};
use crate::config::SendGrid;

pub(super) struct Mail<'a> {
    pub to: &'a str,
    pub name: &'a str,
    pub subject: &'a str,
    pub text: &'a str,
}

pub(super) async fn send(client: &Client, settings: &SendGrid, mail: &Mail<'_>) -> Result<(), Refused> {
    let body = json!({
        "personalizations": [{ "to": [{ "email": mail.to, "name": mail.name }] }],
        "from": { "email": settings.from, "name": "Kaia" },
        "subject": mail.subject,
        "content": [{ "type": "text/plain", "value": mail.text }],
        // A link with a secret in it is not to pass through a counter of clicks.
        "tracking_settings": { "click_tracking": { "enable": false, "enable_text": false } },
    });
    let request = Request::post(format!("{}/v3/mail/send", settings.url))
        .header(header::AUTHORIZATION, format!("Bearer {}", settings.key))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body.to_string())))
        .map_err(|e| Refused::ForGood(e.to_string()))?;
    taken(client.send(request).await)
}
