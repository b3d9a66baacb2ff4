//! The frame around every page, and the forms in it.

use std::{convert::Infallible, sync::Arc};

use ambit_domain::{
    Failure,
    access::{Caller, Operation},
    spec::ProjectName,
};
use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, StatusCode, Uri, header, request::Parts},
    response::{Html, IntoResponse, Redirect, Response},
};
use maud::{DOCTYPE, Markup, html};

use super::{
    Face,
    api::status,
    assets::{ICON, SCRIPT, STYLE},
    guard::Session,
    lang::Lang,
    parts,
};

/// An answer that is not what was asked for: somebody has to sign in, may not, or there is nothing.
pub(super) struct Refusal(Box<Response>);

impl From<Response> for Refusal {
    fn from(answer: Response) -> Self {
        Self(Box::new(answer))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        *self.0
    }
}

/// Who looks at what, and how.
pub(super) struct Page {
    pub(super) face: Arc<Face>,
    pub(super) lang: Lang,
    pub(super) session: Option<Session>,
    pub(super) project: Option<ProjectName>,
    /// The address of the page itself.
    path: String,
}

/// A request for a page, before it is known whose it is.
pub(super) struct Visit {
    face: Arc<Face>,
    headers: HeaderMap,
    uri: Uri,
}

impl FromRequestParts<Arc<Face>> for Visit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, face: &Arc<Face>) -> Result<Self, Infallible> {
        Ok(Self { face: Arc::clone(face), headers: parts.headers.clone(), uri: parts.uri.clone() })
    }
}

impl Visit {
    /// A page for whoever comes.
    pub(super) fn open(self) -> Page {
        Page::open(self.face, &self.headers, &self.uri)
    }

    /// A page for somebody who may do an operation on a project, or what is said to everybody else.
    pub(super) fn signed(self, operation: Operation, project: Option<&str>) -> Result<Signed, Refusal> {
        let mut page = self.open();
        let Some(session) = &page.session else { return Err(Redirect::to("/sign-in").into_response().into()) };
        let caller = session.caller.clone();
        if let Some(name) = project {
            let known = name.parse::<ProjectName>().ok().filter(|name| page.face.ambit.project_folder(name).is_ok());
            let Some(known) = known else { return Err(page.not_found().into()) };
            page.project = Some(known);
        }
        if !caller.may(operation, page.project.as_ref()) {
            return Err(page.forbidden(operation).into());
        }
        Ok(Signed { page, caller })
    }
}

/// Somebody who is signed in, before a page of a project.
pub(super) struct Signed {
    pub(super) page: Page,
    pub(super) caller: Caller,
}

impl Page {
    /// A page for whoever comes.
    pub(super) fn open(face: Arc<Face>, headers: &HeaderMap, uri: &Uri) -> Self {
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Self { lang: Lang::of(headers), session: Session::of(&face, headers), project: None, path, face }
    }

    pub(super) fn not_found(&self) -> Response {
        let title = self.lang.t("There is no such page", "No existe esa página");
        self.answer(
            StatusCode::NOT_FOUND,
            title,
            html! { h1 { (title) } p { a href="/" { (self.lang.t("To the beginning", "Al inicio")) } } },
        )
    }

    pub(super) fn forbidden(&self, operation: Operation) -> Response {
        let title = self.lang.t("This is not yours to do", "No te corresponde hacerlo");
        let needs = operation.least();
        self.answer(
            StatusCode::FORBIDDEN,
            title,
            html! {
                h1 { (title) }
                p { (self.lang.t("It needs the role", "Requiere el rol")) " " strong { (needs) } "." }
            },
        )
    }

    /// A page that tells a failure.
    pub(super) fn failed(&self, failure: &Failure) -> Response {
        let title = self.lang.t("That did not work", "No funcionó");
        self.answer(status(failure.kind), title, html! { h1 { (title) } (parts::failure(failure)) })
    }

    pub(super) fn show(&self, title: &str, main: Markup) -> Response {
        self.answer(StatusCode::OK, title, main)
    }

    fn answer(&self, status: StatusCode, title: &str, main: Markup) -> Response {
        let lang = self.lang.code();
        (
            status,
            [(header::CONTENT_LANGUAGE, lang), (header::VARY, "Accept-Language, Cookie")],
            Html(self.frame(title, &main).into_string()),
        )
            .into_response()
    }

    fn frame(&self, title: &str, main: &Markup) -> Markup {
        let t = |english, spanish| self.lang.t(english, spanish);
        let live = self.project.as_ref().filter(|_| self.session.is_some()).map(|p| format!("/projects/{p}/live"));
        html! {
            (DOCTYPE)
            html lang=(self.lang.code()) {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (title) " · Ambit" }
                    link rel="icon" href=(ICON) type="image/svg+xml";
                    link rel="stylesheet" href=(STYLE);
                    script src=(SCRIPT) defer {}
                }
                body data-live=[live] {
                    a.skip href="#main" { (t("To the content", "Al contenido")) }
                    header {
                        a.brand href="/" { "Ambit" }
                        @if let (Some(project), true) = (&self.project, self.session.is_some()) { (self.navigation(project)) }
                        div.who {
                            (self.language_form())
                            @if let Some(session) = &self.session {
                                form method="post" action="/sign-out" {
                                    (form_token(session))
                                    span { a href="/passkeys" { (session.caller.user.name) } " · " (session.caller.user.role) }
                                    button { (t("Sign out", "Salir")) }
                                }
                            }
                        }
                    }
                    main id="main" tabindex="-1" { (main) }
                    p.offline hidden role="status" data-offline { (t("Not connected; what is shown may be old.", "Sin conexión; lo que se ve puede ser antiguo.")) }
                }
            }
        }
    }

    fn navigation(&self, project: &ProjectName) -> Markup {
        let t = |english, spanish| self.lang.t(english, spanish);
        let base = format!("/projects/{project}");
        let pages = [
            (base.clone(), t("Pipeline", "Recorrido")),
            (format!("{base}/deployments"), t("Deployments", "Despliegues")),
            (format!("{base}/variables"), "Variables"),
            (format!("{base}/data"), t("Data", "Datos")),
            (format!("{base}/builds"), t("Builds", "Compilaciones")),
            (format!("{base}/incidents"), t("Incidents", "Incidencias")),
            (format!("{base}/costs"), t("Costs", "Costes")),
            (format!("{base}/audit"), t("Audit", "Auditoría")),
            (format!("/status/{project}"), t("Status page", "Página de estado")),
        ];
        let here = self.path.split('?').next().unwrap_or_default();
        html! {
            nav aria-label=(t("Pages of the project", "Páginas del proyecto")) {
                strong { (project) }
                @for (path, name) in pages {
                    @let current = (path == here).then_some("page");
                    a href=(path) aria-current=[current] { (name) }
                }
            }
        }
    }

    fn language_form(&self) -> Markup {
        let (code, name) = match self.lang {
            Lang::En => ("es", "Español"),
            Lang::Es => ("en", "English"),
        };
        html! {
            form method="post" action="/language" {
                input type="hidden" name="language" value=(code);
                input type="hidden" name="back" value=(self.path);
                button lang=(code) { (name) }
            }
        }
    }
}

impl Signed {
    pub(super) fn t<'a>(&self, english: &'a str, spanish: &'a str) -> &'a str {
        self.page.lang.t(english, spanish)
    }

    pub(super) fn lang(&self) -> Lang {
        self.page.lang
    }

    /// The project of the page.
    pub(super) fn project(&self) -> Result<&ProjectName, Refusal> {
        self.page.project.as_ref().ok_or_else(|| self.page.not_found().into())
    }

    /// What the application answered, or the page that tells why it did not.
    pub(super) fn told<T>(&self, answer: Result<T, Failure>) -> Result<T, Refusal> {
        answer.map_err(|failure| self.page.failed(&failure).into())
    }

    /// The page with its title as its heading.
    pub(super) fn titled(&self, title: &str, content: &Markup) -> Response {
        self.page.show(title, html! { h1 { (title) } (content) })
    }

    pub(super) fn may(&self, operation: Operation) -> bool {
        self.caller.may(operation, self.page.project.as_ref())
    }

    /// A form for an operation: nothing where it is not the caller's to do.
    pub(super) fn form(
        &self,
        operation: Operation,
        hidden: &[(&str, &str)],
        fields: &Markup,
        button: &str,
        danger: bool,
    ) -> Markup {
        let Some(session) = self.page.session.as_ref().filter(|_| self.may(operation)) else { return html! {} };
        let project = self.page.project.as_ref().map(ProjectName::as_str);
        html! {
            form.operation method="post" action={ "/do/" (operation.name()) } {
                (form_token(session))
                @if let Some(project) = project { input type="hidden" name="project" value=(project); }
                @for (name, value) in hidden { input type="hidden" name=(name) value=(value); }
                (fields)
                button.danger[danger] { (button) }
            }
        }
    }

    /// A field for a line of text.
    pub(super) fn field(&self, name: &str, label: &str, required: bool) -> Markup {
        html! { label { (label) " " input name=(name) required[required] maxlength="500" autocomplete="off"; } }
    }
}

/// A field for several lines of text.
pub(super) fn lines(name: &str, label: &str) -> Markup {
    html! { label.wide { (label) " " textarea name=(name) rows="3" required maxlength="4000" {} } }
}

pub(super) fn form_token(session: &Session) -> Markup {
    html! { input type="hidden" name="form" value=(session.form_token()); }
}
