//! Signing in by a link, signing out, and the choice of a language.

use std::{collections::BTreeMap, sync::Arc};

use ambit_domain::{Failure, FailureKind};
use axum::{
    Form,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, Uri, header},
    response::{AppendHeaders, IntoResponse, Redirect, Response},
};
use maud::html;

use super::{
    Face,
    guard::{client, is_from_here, is_secure, set_session},
    lang::{COOKIE, Lang},
    page::{Page, Refusal},
    passkeys,
};

type Fields = BTreeMap<String, String>;

/// `GET /sign-in?code=…` shows whom a link signs in. It does not use it up: mail programs open links, too.
pub(super) async fn page(
    State(face): State<Arc<Face>>,
    Query(query): Query<Fields>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    let page = Page::open(face, &headers, &uri);
    let title = page.lang.t("Sign in", "Entrar");
    let Some(code) = query.get("code") else {
        return page.show(title, html! {
            h1 { (title) }
            p { (page.lang.t("On the machine that runs Ambit, type", "En la máquina donde corre Ambit, escribe")) }
            pre { "ambit login" }
            p { (page.lang.t("and open the link that it prints. It works once, for ten minutes.", "y abre el enlace que imprime. Sirve una vez, durante diez minutos.")) }
            (passkeys::offer(&page))
        });
    };
    let user = match checked(&page.face, &headers, code, |code| page.face.ambit.signs_in(code)) {
        Ok(Some(user)) => user,
        Ok(None) => return page.failed(&used()),
        Err(refusal) => return refusal.into_response(),
    };
    page.show(title, html! {
        h1 { (title) }
        form.operation method="post" action="/sign-in" {
            input type="hidden" name="code" value=(code);
            p { (page.lang.t("This link signs in", "Este enlace es de")) " " strong { (user.name) } " (" (user.role) ")." }
            button { (page.lang.t("Sign in as", "Entrar como")) " " (user.name) }
        }
    })
}

/// `POST /sign-in`
pub(super) async fn sign_in(
    State(face): State<Arc<Face>>,
    headers: HeaderMap,
    uri: Uri,
    Form(fields): Form<Fields>,
) -> Response {
    let page = Page::open(face, &headers, &uri);
    if !is_from_here(&headers) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let code = fields.get("code").map_or("", String::as_str);
    match checked(&page.face, &headers, code, |code| page.face.ambit.sign_in(code).map(Some)) {
        Ok(Some(secret)) => {
            let cookie = [(header::SET_COOKIE, set_session(&headers, Some(&secret)))];
            (AppendHeaders(cookie), Redirect::to("/")).into_response()
        }
        Ok(None) => page.failed(&used()),
        Err(refusal) => refusal.into_response(),
    }
}

/// Looks at a link, unless its client was wrong too often.
fn checked<T>(
    face: &Face,
    headers: &HeaderMap,
    code: &str,
    look: impl FnOnce(&str) -> Result<Option<T>, Failure>,
) -> Result<Option<T>, Refusal> {
    let client = client(headers);
    if !face.limit.may_try(&client) {
        let wait = [(header::RETRY_AFTER, "60")];
        let why = "too many links that are not good; wait a minute\n";
        return Err((StatusCode::TOO_MANY_REQUESTS, wait, why).into_response().into());
    }
    let found = look(code).unwrap_or_else(|failure| {
        if failure.kind != FailureKind::User {
            tracing::error!(causes = ?failure.causes, "nobody can sign in: {failure}");
        }
        None
    });
    if found.is_none() {
        face.limit.failed(&client);
    }
    Ok(found)
}

fn used() -> Failure {
    Failure::new(FailureKind::User, "this link was used already, or is out of date").hint("ambit login makes another")
}

/// `POST /sign-out`
pub(super) async fn sign_out(
    State(face): State<Arc<Face>>,
    headers: HeaderMap,
    uri: Uri,
    Form(fields): Form<Fields>,
) -> Response {
    let page = Page::open(face, &headers, &uri);
    if let Some(session) = &page.session {
        if !is_from_here(&headers) || !session.made(fields.get("form")) {
            return StatusCode::FORBIDDEN.into_response();
        }
        if let Err(failure) = page.face.ambit.sign_out(&session.secret) {
            return page.failed(&failure);
        }
    }
    (AppendHeaders([(header::SET_COOKIE, set_session(&headers, None))]), Redirect::to("/sign-in")).into_response()
}

/// `POST /language`
pub(super) async fn choose_language(headers: HeaderMap, Form(fields): Form<Fields>) -> Response {
    let back = Redirect::to(here(fields.get("back").map_or("", String::as_str)));
    let Some(lang) = fields.get("language").and_then(|code| Lang::coded(code)).filter(|_| is_from_here(&headers))
    else {
        return back.into_response();
    };
    let secure = if is_secure(&headers) { "; Secure" } else { "" };
    let cookie = format!("{COOKIE}={}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Strict{secure}", lang.code());
    (AppendHeaders([(header::SET_COOKIE, cookie)]), back).into_response()
}

/// A page of this server; the first one where something else was given.
fn here(path: &str) -> &str {
    let below = path.strip_prefix('/').is_some_and(|rest| !rest.starts_with(['/', '\\']));
    let plain = path.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    if below && plain { path } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_away_from_here() {
        for good in ["/", "/projects/kaia", "/projects/kaia/audit?limit=5"] {
            assert_eq!(here(good), good);
        }
        for bad in
            ["", "//evil.example", "/\\evil.example", "https://evil.example", "/a\r\nx: y", "/\t/evil", "evil", "/é"]
        {
            assert_eq!(here(bad), "/", "{bad}");
        }
    }
}
