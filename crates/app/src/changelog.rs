//! A changelog: where it lies, and what it says of a version.

use std::path::Path;

use ambit_domain::Failure;
use ambit_source::git::Repository;

use crate::code::source_failure;

/// Where people put it.
pub(crate) const FILES: &[&str] = &["CHANGELOG.md", "CHANGELOG", "CHANGELOG.txt", "HISTORY.md", "docs/CHANGELOG.md"];

/// The file of a commit, and what it says.
pub(crate) fn find(repository: &Repository, commit: &str) -> Result<Option<(&'static str, String)>, Failure> {
    for file in FILES {
        if let Some(bytes) = repository.file(commit, Path::new(file)).map_err(|e| source_failure(&e))? {
            return Ok(Some((file, String::from_utf8_lossy(&bytes).into_owned())));
        }
    }
    Ok(None)
}

/// `1.2.0` of `v1.2.0`; `None` for what is no version.
pub(crate) fn version_of(version: &str) -> Option<&str> {
    let plain = version.strip_prefix('v').unwrap_or(version);
    let digits = plain.split(['.', '-', '+']).next()?;
    (plain.contains('.') && !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit())).then_some(plain)
}

/// What stands below the heading that names a version; `None` where there is no such heading, or nothing below it.
pub(crate) fn entry<'a>(text: &'a str, version: &str) -> Option<Vec<&'a str>> {
    let version = version.to_lowercase();
    let names = |line: &str| {
        let line = line.to_lowercase();
        line.match_indices(&version).any(|(at, _)| {
            let before = &line[..at];
            let after = &line[at + version.len()..];
            let stuck = before.ends_with(|c: char| c.is_ascii_alphanumeric() && c != 'v') || before.ends_with('.');
            let digit = |c: char| c.is_ascii_digit();
            let longer = after.starts_with(|c: char| c.is_ascii_alphanumeric())
                || after.strip_prefix('.').is_some_and(|rest| rest.starts_with(digit));
            !stuck && !longer
        })
    };
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let heading = line.starts_with('#') || line.starts_with('[') || lines.clone().next().is_some_and(is_underline);
        if heading && names(line) {
            let level = line.chars().take_while(|c| *c == '#').count();
            let below = lines.take_while(|l| {
                let other = l.chars().take_while(|c| *c == '#').count();
                other == 0 || (level > 0 && other > level)
            });
            let below: Vec<&str> = below.filter(|l| !is_underline(l) && !l.trim().is_empty()).collect();
            return Some(below).filter(|lines| !lines.is_empty());
        }
    }
    None
}

fn is_underline(line: &str) -> bool {
    line.len() >= 3 && (line.chars().all(|c| c == '-') || line.chars().all(|c| c == '='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_a_heading_with_the_version_and_something_below_it() {
        let text = "# Changelog\n\n## Unreleased\n\n## [1.2.0] - 2026-01-02\n\n- chat\n\n## v1.1.10\n- fix\n";
        for found in ["1.2.0", "1.1.10"] {
            assert!(entry(text, found).is_some(), "{found}");
        }
        for missing in ["1.1.1", "1.2", "2.0", "1.1.1", "unreleased", "11.2.0"] {
            assert!(entry(text, missing).is_none(), "{missing}");
        }
        assert_eq!(entry("1.0.0\n-----\n\nfirst\n", "1.0.0").unwrap(), ["first"]);
    }

    #[test]
    fn only_versions_are_versions() {
        assert_eq!(version_of("v1.2.0-rc.1"), Some("1.2.0-rc.1"));
        assert_eq!(version_of("9be17d0"), None);
        assert_eq!(version_of("develop"), None);
    }
}
