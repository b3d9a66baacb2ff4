//! The text of `ambit.secrets`: a strict subset of TOML, read line by line so that every mistake has its place.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use ambit_spec::EnvironmentName;
use base64::{Engine, prelude::BASE64_STANDARD};

use super::{FORMAT, Sealed, SecretsError};
use crate::name::check_name;

type Environments = BTreeMap<EnvironmentName, BTreeMap<String, Sealed>>;

const HEADER: &str = "\
# Secrets, encrypted with age (https://age-encryption.org) to the recipients in ambit.toml. Safe to commit.
# Written by `ambit secret set NAME -e ENV`; comments of your own are not kept. In a merge keep the lines of both sides.
";

const CONFLICT_MARKS: [&str; 4] = ["<<<<<<<", "=======", ">>>>>>>", "|||||||"];

pub(super) fn render(environments: &Environments) -> String {
    let mut text = format!("{HEADER}format = {FORMAT}\n");
    for (environment, values) in environments {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n[{environment}]\n");
        for (name, sealed) in values {
            let _ = writeln!(
                text,
                "{name} = \"{} {}\"",
                sealed.recipients.join(" "),
                BASE64_STANDARD.encode(&sealed.ciphertext)
            );
        }
    }
    text
}

pub(super) fn parse(text: &str) -> Result<Environments, SecretsError> {
    let lines = || {
        let text = text.trim_start_matches('\u{feff}');
        (1..).zip(text.lines().map(str::trim)).filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
    };
    if let Some((line, _)) = lines().find(|(_, line)| CONFLICT_MARKS.iter().any(|mark| line.starts_with(mark))) {
        return Err(SecretsError::Conflict { line });
    }
    let mut lines = lines();
    check_format(lines.next())?;

    let mut environments = Environments::new();
    let mut present: Option<EnvironmentName> = None;
    for (line, content) in lines {
        let malformed = |problem: String| SecretsError::Malformed { line, problem };
        if let Some(header) = content.strip_prefix('[') {
            let name = header.strip_suffix(']').ok_or_else(|| malformed("a table header without `]`".to_owned()))?;
            let name: EnvironmentName =
                name.trim().parse().map_err(|_| malformed("not the name of an environment".to_owned()))?;
            if environments.contains_key(&name) {
                return Err(malformed(format!("[{name}] stands here a second time; join the two")));
            }
            environments.insert(name.clone(), BTreeMap::new());
            present = Some(name);
            continue;
        }
        let values = present
            .as_ref()
            .and_then(|name| environments.get_mut(name))
            .ok_or_else(|| malformed("a value before the first [environment]".to_owned()))?;
        let (name, sealed) = parse_value(content).map_err(malformed)?;
        if values.insert(name.to_owned(), sealed).is_some() {
            return Err(malformed(format!("{name} stands here a second time; keep one of the two lines")));
        }
    }
    environments.retain(|_, values| !values.is_empty());
    Ok(environments)
}

fn check_format(first: Option<(usize, &str)>) -> Result<(), SecretsError> {
    let (line, content) = first.unwrap_or((1, ""));
    let found = content
        .strip_prefix("format")
        .and_then(|rest| rest.trim_start().strip_prefix('='))
        .and_then(|number| number.trim().parse::<u64>().ok());
    match found {
        Some(found) if found == u64::from(FORMAT) => Ok(()),
        Some(found) if found > u64::from(FORMAT) => Err(SecretsError::Newer { found }),
        _ => Err(SecretsError::Malformed { line, problem: format!("it should begin with `format = {FORMAT}`") }),
    }
}

fn parse_value(content: &str) -> Result<(&str, Sealed), String> {
    let (name, value) = content.split_once('=').ok_or("expected NAME = \"…\"")?;
    let name = name.trim();
    check_name(name).map_err(|error| error.to_string())?;
    let value = value
        .trim()
        .strip_prefix('"')
        .and_then(|value| value.strip_suffix('"'))
        .ok_or_else(|| format!("the value of {name} is not in double quotes"))?;
    let mut recipients: Vec<String> = value.split(' ').map(str::to_owned).collect();
    let ciphertext = recipients.pop().unwrap_or_default();
    let are_keys = recipients
        .iter()
        .all(|key| key.starts_with("age1") && key.len() <= 80 && key.bytes().all(|b| b.is_ascii_alphanumeric()));
    if recipients.is_empty() || !are_keys {
        return Err(format!("the value of {name} does not begin with the keys that it is encrypted to (age1…)"));
    }
    let ciphertext =
        BASE64_STANDARD.decode(&ciphertext).map_err(|_| format!("the value of {name} is cut or garbled"))?;
    Ok((name, Sealed { recipients, ciphertext }))
}
