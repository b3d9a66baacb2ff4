//! Texts with references: `${postgres.url}`, `${backend.url}`, `${OTHER}`; `$${` stands for `${` itself.

use std::ops::Range;

use crate::{
    model::{Piece, Reference, ServerPart, UrlPart},
    name::ServiceName,
};

/// A reference that names nothing, and where it stands in the text.
pub(crate) struct Unknown {
    pub(crate) at: Range<usize>,
    pub(crate) why: String,
}

/// Splits a text into its pieces.
pub(crate) fn pieces(text: &str) -> Result<Vec<(Piece, Range<usize>)>, Unknown> {
    let mut all = Vec::new();
    let mut literal = String::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|r| !r.is_empty()) {
        if rest.starts_with("$${") {
            literal.push_str("${");
            at += 3;
        } else if rest.starts_with("${") {
            let Some(end) = rest.find('}') else {
                return Err(Unknown {
                    at: at..text.len(),
                    why: "`${` is never closed; `$${` writes it as it is".into(),
                });
            };
            let span = at..at + end + 1;
            let name = rest.get(2..end).unwrap_or_default().trim();
            let reference = reference(name).map_err(|why| Unknown { at: span.clone(), why })?;
            if !literal.is_empty() {
                all.push((Piece::Literal(std::mem::take(&mut literal)), 0..0));
            }
            all.push((Piece::Reference(reference), span.clone()));
            at = span.end;
        } else {
            let next = rest.char_indices().nth(1).map_or(rest.len(), |(n, _)| n);
            literal.push_str(rest.get(..next).unwrap_or_default());
            at += next;
        }
    }
    if !literal.is_empty() || all.is_empty() {
        all.push((Piece::Literal(literal), 0..0));
    }
    Ok(all)
}

fn reference(name: &str) -> Result<Reference, String> {
    let parts: Vec<&str> = name.split('.').collect();
    match parts.as_slice() {
        [variable] if is_variable(variable) => Ok(Reference::Variable((*variable).to_owned())),
        ["environment", "name"] => Ok(Reference::EnvironmentName),
        ["environment", "kind"] => Ok(Reference::EnvironmentKind),
        ["services", rest @ ..] | rest => match rest {
            ["postgres", part] => server_part(part).map(Reference::Postgres),
            ["redis", part] => server_part(part).map(Reference::Redis),
            [service, part] => {
                let service: ServiceName = service.parse().map_err(|_| format!("`{name}` names nothing"))?;
                let part = match *part {
                    "url" => UrlPart::Url,
                    "host" => UrlPart::Host,
                    other => return Err(format!("a service has no `{other}`: it has url and host")),
                };
                Ok(Reference::Service(service, part))
            }
            _ => Err(format!("`{name}` names nothing: use `${{SERVICE.url}}`, `${{postgres.url}}` or `${{VARIABLE}}`")),
        },
    }
}

fn server_part(part: &str) -> Result<ServerPart, String> {
    Ok(match part {
        "url" => ServerPart::Url,
        "host" => ServerPart::Host,
        "port" => ServerPart::Port,
        "user" => ServerPart::User,
        "password" => ServerPart::Password,
        "database" => ServerPart::Database,
        other => return Err(format!("a server has no `{other}`: it has url, host, port, user, password and database")),
    })
}

/// Names that every shell takes (POSIX, 8.1).
pub(crate) fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
