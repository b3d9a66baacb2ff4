//! The notes of a release: what the changelog says of it, and the commits since the one before. Commits are written by whoever may push:
//! their words stay words. Nobody is called by them, and they are neither markup nor links.

use crate::notification::one_line;

/// So many commits are named; of more their number is.
const COMMITS: usize = 200;
/// So much of a changelog is taken, in characters: a release holds 125,000.
const CHANGELOG: usize = 60_000;
/// A name is broken by this, which nobody sees, where it would call somebody.
const BREAK: char = '\u{200b}';
/// What means something in Markdown.
const MARKUP: &str = "\\`*_{}[]()~|!#+-.=^$:";

/// A commit that is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Its hash.
    pub id: String,
    /// The first line of its message; hostile.
    pub subject: String,
    /// Who wrote it; hostile.
    pub author: String,
}

/// What a release is made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notes {
    /// The environment's mark.
    pub mark: String,
    /// What the changelog says below the heading of the version.
    pub changelog: Vec<String>,
    /// What served before, where something did.
    pub since: Option<String>,
    /// The commits since, the newest first.
    pub commits: Vec<Named>,
}

impl Notes {
    /// Between two marks that nobody sees.
    #[must_use]
    pub fn text(&self) -> String {
        let mut parts = Vec::new();
        let changelog: String = self.changelog.join("\n").chars().take(CHANGELOG).collect();
        if !changelog.trim().is_empty() {
            parts.push(quiet(changelog.trim()));
        }
        if let Some(since) = &self.since {
            let lines: Vec<String> = self.commits.iter().take(COMMITS).map(line).collect();
            let more = self.commits.len().saturating_sub(COMMITS);
            let more = if more > 0 { format!("\n- … and {more} more") } else { String::new() };
            let lines = if lines.is_empty() { "No commits.".to_owned() } else { lines.join("\n") };
            parts.push(format!("## Changes since {}\n\n{lines}{more}", plain(since)));
        }
        let (begin, end) = self.marks();
        format!("{begin}\n{}\n{end}", parts.join("\n\n"))
    }

    /// What a release that is there says when these are its notes: what a person wrote around them stays. `None` where it has the notes
    /// of somebody else, a workflow's for one: then they stay.
    #[must_use]
    pub fn within(&self, body: &str) -> Option<String> {
        let (begin, end) = self.marks();
        let from = body.find(&begin)?;
        let to = from + body[from..].find(&end)? + end.len();
        Some(format!("{}{}{}", &body[..from], self.text(), &body[to..]))
    }

    fn marks(&self) -> (String, String) {
        (format!("<!-- {} -->", self.mark), format!("<!-- /{} -->", self.mark))
    }
}

fn line(commit: &Named) -> String {
    let id: String = commit.id.chars().filter(char::is_ascii_hexdigit).take(7).collect();
    format!("- {} ({id}, {})", plain(&commit.subject), plain(&commit.author))
}

/// Words as they are, on one line.
fn plain(text: &str) -> String {
    let mut all = String::new();
    for c in one_line(text).chars() {
        match c {
            '&' => all.push_str("&amp;"),
            '<' => all.push_str("&lt;"),
            '>' => all.push_str("&gt;"),
            '@' | '/' => all.extend([c, BREAK]),
            c if MARKUP.contains(c) => all.extend(['\\', c]),
            c => all.push(c),
        }
    }
    // An address without a scheme is a link by how it begins.
    let www = all.to_ascii_lowercase().match_indices("www").map(|(at, _)| at + 3).collect::<Vec<_>>();
    www.into_iter().rev().for_each(|at| all.insert(at, BREAK));
    all
}

/// Markdown as it is, that calls nobody and holds no markup but its own: neither the end of ours, nor HTML.
fn quiet(text: &str) -> String {
    let shown = text.chars().filter(|c| *c == '\n' || *c == '\t' || !c.is_control());
    let quiet: String = shown.flat_map(|c| std::iter::once(c).chain((c == '@').then_some(BREAK))).collect();
    quiet.replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(subject: &str) -> Named {
        Named { id: "a1f4c02d9e".into(), subject: subject.into(), author: "Ana".into() }
    }

    fn notes(subjects: &[&str]) -> Notes {
        Notes {
            mark: "ambit:kaia/prod".into(),
            changelog: vec!["- **chat** by @ana".into()],
            since: Some("v1.1.0".into()),
            commits: subjects.iter().copied().map(named).collect(),
        }
    }

    #[test]
    fn the_changelog_comes_first_and_then_the_commits_since_the_release_before() {
        let text = notes(&["chat", "a fix"]).text();
        assert_eq!(
            text,
            "<!-- ambit:kaia/prod -->\n- **chat** by @\u{200b}ana\n\n## Changes since v1\\.1\\.0\n\n- chat (a1f4c02, Ana)\n\
             - a fix (a1f4c02, Ana)\n<!-- /ambit:kaia/prod -->"
        );
        assert!(Notes { since: None, ..notes(&["chat"]) }.text().contains("chat"), "the changelog alone");
        let many = Notes { commits: vec![named("x"); 203], ..notes(&[]) }.text();
        assert!(many.contains("… and 3 more") && many.matches("(a1f4c02").count() == 200);
    }

    #[test]
    fn a_hostile_commit_calls_nobody_and_is_neither_markup_nor_a_link_nor_the_end_of_the_notes() {
        let hostile = "@everyone [x](https://evil.example) www.evil.example <img src=x onerror=y> `a` **b** <!-- /ambit:kaia/prod -->\r\n# c";
        let mut notes = notes(&[hostile, "# title", "1. one"]);
        notes.changelog = vec!["<script>x</script> <!-- /ambit:kaia/prod --> @team".into()];
        let text = notes.text();
        for absent in ["@everyone", "@team", "](h", "https://evil", "www.evil", "<img", "<script", "**b**", "`a`"] {
            assert!(!text.contains(absent), "{absent} is in {text}");
        }
        assert_eq!(text.matches("<!-- /ambit:kaia/prod -->").count(), 1);
        assert!(text.lines().all(|line| !line.trim_start().starts_with("# ")), "{text}");
    }

    #[test]
    fn what_a_person_wrote_around_them_stays_and_somebody_elses_notes_are_left() {
        let (old, new) = (notes(&["old"]), notes(&["new"]));
        let body = format!("Hello.\n{}\nThanks!", old.text());
        assert_eq!(new.within(&body).unwrap(), format!("Hello.\n{}\nThanks!", new.text()));
        assert_eq!(new.within(&new.text()).unwrap(), new.text());
        assert_eq!(new.within("## What's changed"), None);
    }
}
