//! SMS: `POST /2010-04-01/Accounts/{Sid}/Messages.json`.

use axum::{
    body::Bytes,
    http::{Request, header},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use http_body_util::Full;

use super::{
    client::Client,
    post::{Refused, taken},
};
use crate::config::Twilio;

pub(super) async fn send(client: &Client, settings: &Twilio, to: &str, text: &str) -> Result<(), Refused> {
    let sender = if settings.from.starts_with("MG") { "MessagingServiceSid" } else { "From" };
    let body = format!("To={}&{sender}={}&Body={}", escaped(to), escaped(&settings.from), escaped(text));
    let basic = STANDARD.encode(format!("{}:{}", settings.account, settings.token));
    let request = Request::post(format!("{}/2010-04-01/Accounts/{}/Messages.json", settings.url, settings.account))
        .header(header::AUTHORIZATION, format!("Basic {basic}"))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Full::new(Bytes::from(body)))
        .map_err(|e| Refused::ForGood(e.to_string()))?;
    taken(client.send(request).await)
}

/// As forms are written.
fn escaped(text: &str) -> String {
    use std::fmt::Write;
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._*".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn forms_hold_any_text() {
        assert_eq!(super::escaped("+34 ñ&=\r\n"), "%2B34%20%C3%B1%26%3D%0D%0A");
    }
}
