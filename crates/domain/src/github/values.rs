//! Secrets, variables and the webhook.

use std::collections::BTreeSet;

use super::{EVENTS, Given, Home, Hook, Made, Name, Op, Present, PresentHook, Wanted, compare::Comparison};
use crate::{
    outside::{Change, Detail, Remark, Said},
    railway::ProjectToken,
};

pub(super) fn compare(wanted: &Wanted, there: &Present, found: &mut Comparison<'_>) {
    for (name, given) in &wanted.values {
        found.of = name.home.environment();
        if name.secret {
            secret(name, given, there.secret(name).map(String::as_str), found);
        } else {
            let environment = match &name.home {
                Home::Environment(environment) => there.environments.get(environment),
                Home::Repository => None,
            };
            let value = environment.and_then(|e| e.variables.get(&name.name));
            variable(name, given, value.map(String::as_str), found);
        }
    }
}

fn variable(name: &Name, given: &Given, there: Option<&str>, found: &mut Comparison<'_>) {
    match (given, there) {
        (Given::Text(value), there) if there != Some(value) => {
            let detail = Detail::new("", there.map(Said::text), Some(Said::text(value)));
            let op = Op::Variable { name: name.clone(), value: value.clone(), exists: there.is_some() };
            found.change(name.title(), there.is_some(), vec![detail], op);
        }
        (Given::Nothing(help), None) => found.remarks.push(missing(name, help)),
        _ => found.kept += 1,
    }
}

/// Nobody can read it: whether it is the declared one is known by who wrote it last.
fn secret(name: &Name, given: &Given, updated: Option<&str>, found: &mut Comparison<'_>) {
    let digest = match (given, updated) {
        (Given::Digest(digest), _) => digest,
        (Given::Made(made), _) => return token(name, made, updated, found),
        (Given::Nothing(help), None) => return found.remarks.push(missing(name, help)),
        _ => return found.kept += 1,
    };
    let written = found.memory.written.get(&name.key());
    let op = Op::Secret { name: name.clone(), digest: digest.clone() };
    let new = Some(Said::Secret(digest.clone()));
    match (updated, written) {
        (None, _) => found.change(name.title(), false, vec![Detail::new("", None, new)], op),
        (Some(at), Some(written)) if written.updated_at == at && written.digest == *digest => found.kept += 1,
        (Some(at), Some(written)) if written.updated_at == at => {
            let old = Some(Said::Secret(written.digest.clone()));
            found.change(name.title(), true, vec![Detail::new("", old, new)], op);
        }
        (Some(at), _) => {
            let details = vec![
                Detail::new("", Some(Said::Secret(String::new())), new),
                Detail::new("written by", Some(Said::text(format!("somebody else, {at}"))), Some(Said::text("Ambit"))),
            ];
            found.change(name.title(), true, details, op);
        }
    }
}

/// One that Ambit never wrote is a person's, and stays. Of its own it has to know both that GitHub has it and that Railway still does.
fn token(name: &Name, made: &Made, updated: Option<&str>, found: &mut Comparison<'_>) {
    let written = found.memory.written.get(&name.key());
    let new = || Some(Said::text(format!("a new project token of {} at Railway", made.project)));
    let details = match (updated, written) {
        (Some(_), None) => return found.kept += 1,
        (None, _) => vec![Detail::new("", None, new())],
        (Some(at), Some(written)) => {
            let old = Some(Said::Secret(written.digest.clone()));
            if !written.updated_at.is_empty() && written.updated_at != at {
                let by = Some(Said::text(format!("somebody else, {at}")));
                vec![Detail::new("", old, new()), Detail::new("written by", by, Some(Said::text("Ambit")))]
            } else if written.updated_at.is_empty() || made.live.as_ref() != Some(&written.digest) {
                vec![Detail::new("", old, new())]
            } else {
                found.kept += 1;
                return made.stray.iter().for_each(|token| remove(token, found));
            }
        }
    };
    found.change(name.title(), updated.is_some(), details, Op::Token { name: name.clone() });
}

pub(super) fn remove(token: &ProjectToken, found: &mut Comparison<'_>) {
    let change = Change::delete(format!("token {} at Railway", token.name), Vec::new());
    found.step(change, Op::RemoveToken { token: token.clone() });
}

fn missing(name: &Name, help: &str) -> Remark {
    Remark::new(name.title(), format!("the workflow needs it and nobody set it: {help}"))
}

/// Secrets that Ambit wrote and that nothing asks for any more, as long as nobody else wrote them since.
pub(super) fn forgotten(wanted: &Wanted, there: &Present, found: &mut Comparison<'_>) {
    let memory = found.memory;
    for (key, written) in &memory.written {
        let Some(name) = Name::secret_of(key).filter(|name| !key.contains("://") && !wanted.values.contains_key(name))
        else {
            continue;
        };
        if there.secret(&name) == Some(&written.updated_at) {
            found.of = name.home.environment();
            let detail = Detail::new("", Some(Said::Secret(written.digest.clone())), None);
            found.step(Change::delete(name.title(), vec![detail]), Op::RemoveSecret { name });
        }
    }
}

pub(super) fn hook(wanted: &Hook, there: &[PresentHook], found: &mut Comparison<'_>) {
    let key = format!("webhook {}", wanted.url);
    let Some(there) = there.iter().find(|hook| hook.url == wanted.url) else {
        let details = vec![
            Detail::new("events", None, Some(Said::text(EVENTS.join(", ")))),
            Detail::new("secret", None, Some(Said::Secret(wanted.digest.clone()))),
        ];
        return found.step(Change::create(key, details), Op::Hook { id: None, hook: wanted.clone() });
    };
    let word = |yes: bool| Some(if yes { "yes" } else { "no" });
    // It may tell of more than Ambit listens to.
    let told: BTreeSet<&str> = there.events.iter().map(String::as_str).collect();
    let all = told.contains("*") || EVENTS.iter().all(|event| told.contains(event));
    let events = (!all).then(|| {
        let old = told.iter().copied().collect::<Vec<_>>().join(", ");
        Detail::new("events", Some(Said::text(old)), Some(Said::text(EVENTS.join(", "))))
    });
    let known = found.memory.written.get(&wanted.url).map(|written| written.digest.as_str());
    let secret = (known != Some(&wanted.digest)).then(|| {
        let old = Said::Secret(known.unwrap_or_default().to_owned());
        Detail::new("secret", Some(old), Some(Said::Secret(wanted.digest.clone())))
    });
    let details: Vec<Detail> = [
        events,
        Detail::of_texts("content type", Some(&there.content_type), Some("json")),
        Detail::of_texts("active", word(there.active), word(true)),
        Detail::of_texts("certificate is checked", word(there.verifies), word(true)),
        secret,
    ]
    .into_iter()
    .flatten()
    .collect();
    if !details.is_empty() {
        return found.step(Change::replace(key, details), Op::Hook { id: Some(there.id), hook: wanted.clone() });
    }
    if let Some(status) = there.answered.filter(|status| *status >= 400) {
        let text = format!(
            "what GitHub told last was answered {status}: Settings, Webhooks, Recent Deliveries at GitHub say more"
        );
        found.remarks.push(Remark::new(key, text));
    }
    found.kept += 1;
}
