//! `ambit qa`

use std::{path::Path, process::ExitCode};

use ambit_app::{QaSaid, QaSay};
use ambit_domain::{Failure, FailureKind, spec::EnvironmentName};

use super::{decide::ask, print_json};
use crate::{context, screen::plain};

pub(crate) async fn run(
    folder: &Path,
    yes: bool,
    words: [Option<String>; 2],
    note: Option<String>,
    environment: Option<String>,
    json: bool,
) -> Result<ExitCode, Failure> {
    let (about, note) = told_apart(words, note)?;
    let note = match note {
        Some(note) => note,
        None if yes => String::new(),
        None => ask("What is wrong? ")?,
    };
    if !yes && note.trim().is_empty() {
        return Err(Failure::new(FailureKind::User, "a rejection needs a reason").hint("--note \"what is wrong\""));
    }
    let environment: Option<EnvironmentName> =
        environment.map(|name| name.parse().map_err(|e| Failure::from_error(FailureKind::User, &e))).transpose()?;
    let request = QaSay {
        project: context::project(folder)?,
        environment,
        about,
        yes,
        comment: note.trim().to_owned(),
        actor: context::actor(folder),
    };
    let said: QaSaid = context::daemon().await?.work("/v1/qa", &request, |_| {}).await?;
    if json {
        print_json(&said);
        return Ok(ExitCode::SUCCESS);
    }
    let word = if yes { "approved" } else { "rejected" };
    match said {
        QaSaid::Release(verdict) => {
            println!("✓ release {} is {word} by {}", verdict.release.short(), plain(&verdict.actor.who));
        }
        QaSaid::Build(build) => {
            let who = build.verdict.map(|v| v.actor.who).unwrap_or_default();
            println!("✓ build {} ({}) is {word} by {}", build.id, plain(&build.version), plain(&who));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What it is about, and what is said of it: `test-42 --note "…"`, `test-42 "…"`, and `"…"` of what the environment runs.
fn told_apart(
    [first, second]: [Option<String>; 2],
    note: Option<String>,
) -> Result<(Option<String>, Option<String>), Failure> {
    match (first, second, note) {
        (Some(about), Some(said), None) => Ok((Some(about), Some(said))),
        (Some(_), Some(_), Some(_)) => {
            Err(Failure::new(FailureKind::User, "what was tried is said twice").hint("say it once, after --note"))
        }
        (Some(word), None, None) if !is_id(&word) => Ok((None, Some(word))),
        (about, _, note) => Ok((about, note)),
    }
}

/// Whether a word has the form of a build's id, `test-42`, or of a release's, hex digits.
fn is_id(word: &str) -> bool {
    let build = word.rsplit_once('-').is_some_and(|(environment, code)| {
        let digits = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
        environment.parse::<EnvironmentName>().is_ok() && digits(code)
    });
    build || (word.len() >= 6 && word.len() <= 40 && word.chars().all(|c| c.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_told_from_what_it_is_about() {
        let apart = |words: &[&str], note: Option<&str>| {
            told_apart([0, 1].map(|n| words.get(n).map(|w| (*w).to_owned())), note.map(str::to_owned)).ok()
        };
        let pair = |about: Option<&str>, note: Option<&str>| Some((about.map(str::to_owned), note.map(str::to_owned)));
        assert_eq!(apart(&["tried on three phones"], None), pair(None, Some("tried on three phones")));
        assert_eq!(apart(&["good"], None), pair(None, Some("good")));
        assert_eq!(apart(&["test-42"], None), pair(Some("test-42"), None));
        assert_eq!(apart(&["3f2a91c"], None), pair(Some("3f2a91c"), None));
        assert_eq!(apart(&["test-42", "slow"], None), pair(Some("test-42"), Some("slow")));
        assert_eq!(apart(&["test-42"], Some("slow")), pair(Some("test-42"), Some("slow")));
        assert_eq!(apart(&[], Some("slow")), pair(None, Some("slow")));
        assert_eq!(apart(&["a", "b"], Some("c")), None);
    }
}
