//! Passkeys: signing in by one, and the page on which those who are signed in add and remove theirs.

use std::{collections::BTreeMap, sync::Arc};

use ambit_app::{Ceremony, MadePasskey, UsedPasskey};
use ambit_domain::{Failure, FailureKind, access::Passkey};
use axum::{
    Form,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{AppendHeaders, IntoResponse, Redirect, Response},
};
use maud::{Markup, html};
use sha2::{Digest, Sha256};

use super::{
    Face,
    assets::PASSKEY,
    guard::{Session, client, header_text, is_from_here, is_secure, set_session},
    page::{Page, Visit, form_token},
    parts::ago,
};

type Fields = BTreeMap<String, String>;

/// What challenges of the sign-in page are for.
const SIGN_IN: &str = "sign-in";

/// The button of the sign-in page. It needs a script: browsers offer no passkeys without one.
pub(super) fn offer(page: &Page) -> Markup {
    let challenge = page.face.challenges.give(SIGN_IN);
    html! {
        form.operation method="post" action="/sign-in/passkey" data-passkey="use" hidden {
            input type="hidden" name="challenge" value=(challenge);
            (answers(&["id", "client", "authenticator", "signature"]))
            button { (page.lang.t("Sign in with a passkey", "Entrar con una clave de acceso")) }
        }
        p role="alert" data-passkey-failed hidden { (page.lang.t("The passkey could not be used.", "No se pudo usar la clave de acceso.")) }
        script src=(PASSKEY) defer {}
    }
}

/// Fields that the browser's answer is put into.
fn answers(names: &[&str]) -> Markup {
    html! { @for name in names { input type="hidden" name=(name); } }
}

/// `POST /sign-in/passkey`
pub(super) async fn sign_in(
    State(face): State<Arc<Face>>,
    visit: Visit,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Response {
    let page = visit.open();
    if !is_from_here(&headers) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let client = client(&headers);
    if !face.limit.may_try(&client) {
        let wait = [(header::RETRY_AFTER, "60")];
        return (StatusCode::TOO_MANY_REQUESTS, wait, "too many passkeys that are not good; wait a minute\n")
            .into_response();
    }
    let of = |name: &str| fields.get(name).cloned().unwrap_or_default();
    let used = UsedPasskey {
        id: of("id"),
        client: of("client"),
        authenticator: of("authenticator"),
        signature: of("signature"),
    };
    let signed =
        ceremony(&face, &headers, SIGN_IN, &of("challenge"), |ceremony| face.ambit.sign_in_by_passkey(&used, ceremony));
    match signed {
        Ok(secret) => {
            let cookie = [(header::SET_COOKIE, set_session(&headers, Some(&secret)))];
            (AppendHeaders(cookie), Redirect::to("/")).into_response()
        }
        Err(failure) => {
            face.limit.failed(&client);
            page.failed(&failure)
        }
    }
}

/// Does something with a challenge that was given for a purpose, at the page's own address.
fn ceremony<T>(
    face: &Face,
    headers: &HeaderMap,
    purpose: &str,
    challenge: &str,
    work: impl FnOnce(&Ceremony<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    if !face.challenges.take(purpose, challenge) {
        return Err(Failure::new(FailureKind::User, "this page is out of date").hint("open it again"));
    }
    let host = header_text(headers, &header::HOST).unwrap_or_default().to_ascii_lowercase();
    let scheme = if is_secure(headers) { "https" } else { "http" };
    let origin = format!("{scheme}://{host}");
    let name = host.rsplit_once(':').map_or(host.as_str(), |(name, _)| name);
    work(&Ceremony { challenge, origin: &origin, host: name })
}

/// `GET /passkeys`
pub(super) async fn page(visit: Visit) -> Response {
    let page = visit.open();
    let Some(session) = page.session.clone() else { return Redirect::to("/sign-in").into_response() };
    let all = match page.face.ambit.passkeys(&session.caller.user.name) {
        Ok(all) => all,
        Err(failure) => return page.failed(&failure),
    };
    let title = page.lang.t("Passkeys", "Claves de acceso");
    page.show(title, html! {
        h1 { (title) }
        p { (page.lang.t("A passkey lies on your device or in your password manager and signs you in without a link.", "Una clave de acceso está en tu dispositivo o en tu gestor de contraseñas y te deja entrar sin enlace.")) }
        div data-part="passkeys" {
            @if all.is_empty() { p { (page.lang.t("You have none yet.", "Aún no tienes ninguna.")) } }
            ul.services { @for passkey in &all { (one(&page, &session, passkey)) } }
        }
        (add(&page, &session, &all))
    })
}

fn one(page: &Page, session: &Session, passkey: &Passkey) -> Markup {
    let t = |english, spanish| page.lang.t(english, spanish);
    html! {
        li {
            strong { (passkey.name) } " · " (passkey.host) " · " (t("added", "añadida")) " " (ago(page.lang, passkey.added)) " · "
            @match passkey.used {
                Some(at) => { (t("last used", "usada por última vez")) " " (ago(page.lang, at)) }
                None => { (t("not used yet", "aún sin usar")) }
            }
            form.operation method="post" action="/passkeys/remove" {
                (form_token(session))
                input type="hidden" name="id" value=(passkey.id);
                button.danger aria-label={ (t("Remove", "Quitar")) " " (passkey.name) } { (t("Remove", "Quitar")) }
            }
        }
    }
}

fn add(page: &Page, session: &Session, all: &[Passkey]) -> Markup {
    let t = |english, spanish| page.lang.t(english, spanish);
    let name = session.caller.user.name.as_str();
    let known: Vec<&str> = all.iter().map(|passkey| passkey.id.as_str()).collect();
    // The same for each passkey of somebody, so that a device keeps one.
    let handle: String = Sha256::digest(format!("ambit {name}")).iter().map(|byte| format!("{byte:02x}")).collect();
    html! {
        noscript { p.note { (t("Adding one needs a script.", "Añadir una requiere un script.")) } }
        form.operation method="post" action="/passkeys/add" data-passkey="make" data-user=(name) data-handle=(handle) data-known=(known.join(" ")) hidden {
            (form_token(session))
            input type="hidden" name="challenge" value=(page.face.challenges.give(&purpose(session)));
            (answers(&["id", "client", "authenticator", "key"]))
            label { (t("What it is called", "Cómo se llama")) " " input name="name" required maxlength="60" autocomplete="off"; }
            button { (t("Add a passkey", "Añadir una clave de acceso")) }
        }
        p role="alert" data-passkey-failed hidden { (t("The passkey could not be made.", "No se pudo crear la clave de acceso.")) }
        script src=(PASSKEY) defer {}
    }
}

/// What challenges are for that a session's page gives.
fn purpose(session: &Session) -> String {
    format!("make {}", session.form_token())
}

/// `POST /passkeys/add`
pub(super) async fn added(
    State(face): State<Arc<Face>>,
    visit: Visit,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Response {
    changed(visit, &headers, &fields, |session, of| {
        let made =
            MadePasskey { id: of("id"), client: of("client"), authenticator: of("authenticator"), key: of("key") };
        let user = &session.caller.user.name;
        ceremony(&face, &headers, &purpose(session), &of("challenge"), |ceremony| {
            face.ambit.add_passkey(user, &of("name"), &made, ceremony, &session.caller.actor()).map(drop)
        })
    })
}

/// `POST /passkeys/remove`
pub(super) async fn removed(
    State(face): State<Arc<Face>>,
    visit: Visit,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Response {
    changed(visit, &headers, &fields, |session, of| {
        face.ambit.remove_passkey(&session.caller.user.name, &of("id"), &session.caller.actor())
    })
}

/// A form of the page of passkeys, of somebody who is signed in.
fn changed(
    visit: Visit,
    headers: &HeaderMap,
    fields: &Fields,
    work: impl FnOnce(&Session, &dyn Fn(&str) -> String) -> Result<(), Failure>,
) -> Response {
    let page = visit.open();
    let Some(session) = page.session.clone() else { return Redirect::to("/sign-in").into_response() };
    if !is_from_here(headers) || !session.made(fields.get("form")) {
        return (StatusCode::FORBIDDEN, "this form is not from a page of yours; open the page again\n").into_response();
    }
    let of = |name: &str| fields.get(name).cloned().unwrap_or_default();
    match work(&session, &of) {
        Ok(()) => Redirect::to("/passkeys").into_response(),
        Err(failure) => page.failed(&failure),
    }
}
