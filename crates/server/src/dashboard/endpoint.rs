//! How an operation is asked for over HTTP: method, path and fields.

use ambit_domain::access::Operation;
use axum::http::Method;

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Number,
    Flag,
}

/// A field of a request: in the path where the path names it, else in the query of a GET, else in the body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) required: bool,
    pub(crate) about: &'static str,
}

impl Field {
    pub(super) const fn text(name: &'static str, about: &'static str) -> Self {
        Self { name, kind: Kind::Text, required: false, about }
    }

    pub(super) const fn number(name: &'static str, about: &'static str) -> Self {
        Self { name, kind: Kind::Number, required: false, about }
    }

    pub(super) const fn flag(name: &'static str, about: &'static str) -> Self {
        Self { name, kind: Kind::Flag, required: false, about }
    }

    pub(super) const fn needed(self) -> Self {
        Self { required: true, ..self }
    }
}

/// How an operation is asked for.
pub(crate) struct Endpoint {
    pub(crate) method: Method,
    /// Below `/api/v1`.
    pub(crate) path: &'static str,
    pub(crate) about: &'static str,
    /// What is answered.
    pub(crate) answer: &'static str,
    /// Those that the path does not name by itself.
    pub(crate) fields: &'static [Field],
}

impl Endpoint {
    pub(super) fn get(path: &'static str, about: &'static str, answer: &'static str, fields: &'static [Field]) -> Self {
        Self { method: Method::GET, path, about, answer, fields }
    }

    pub(super) fn post(
        path: &'static str,
        about: &'static str,
        answer: &'static str,
        fields: &'static [Field],
    ) -> Self {
        Self { method: Method::POST, path, about, answer, fields }
    }

    /// Whether the path names a field.
    pub(crate) fn in_path(&self, field: &str) -> bool {
        self.path.split('/').any(|part| part.strip_prefix('{').and_then(|p| p.strip_suffix('}')) == Some(field))
    }

    /// Whether it goes on after it was answered.
    pub(crate) fn is_long(operation: Operation) -> bool {
        matches!(operation, Operation::BackUp | Operation::Restore | Operation::PutInPlace)
    }
}
