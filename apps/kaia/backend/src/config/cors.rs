//! Which origins a browser may ask from.

use axum::http::{HeaderValue, Uri};

use super::reader::Reader;

/// `CORS_ORIGIN` is a list; the admin site is one more, since it is useless without its API.
pub(super) fn read(reader: &mut Reader) -> Vec<HeaderValue> {
    let mut origins = Vec::new();
    let list = reader.text("CORS_ORIGIN", "");
    for one in list.split(',').map(str::trim).filter(|o| !o.is_empty()) {
        match origin(one, false) {
            Some(found) => origins.push(found),
            None => {
                reader.wrong(
                    "CORS_ORIGIN",
                    "origins such as https://kaia.ai, with commas between them and without paths",
                );
                break;
            }
        }
    }
    if let Some(admin) = reader.optional("ADMIN_URL") {
        match origin(&admin, true) {
            Some(found) => origins.push(found),
            None => reader.wrong("ADMIN_URL", "a URL such as https://admin.kaia.ai"),
        }
    }
    origins
}

fn origin(text: &str, any_path: bool) -> Option<HeaderValue> {
    let uri: Uri = text.parse().ok()?;
    let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
    let plain = matches!(scheme, "http" | "https") && !authority.as_str().contains('@');
    let path = any_path || (uri.path() == "/" && uri.query().is_none());
    (plain && path).then(|| format!("{scheme}://{authority}").to_lowercase().parse().ok())?
}
