//! Templates of messages: text with `{placeholder}`s; `{{` and `}}` stand for the braces themselves.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// What a message may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)] // Each is what its name says.
pub enum Placeholder {
    Project,
    Environment,
    Version,
    Commit,
    Subject,
    Author,
    Reason,
    Url,
    Deployment,
    Approvers,
    Next,
}

impl Placeholder {
    /// Every placeholder, in the order in which people read them.
    pub const ALL: [Self; 11] = [
        Self::Project,
        Self::Environment,
        Self::Version,
        Self::Commit,
        Self::Subject,
        Self::Author,
        Self::Reason,
        Self::Url,
        Self::Deployment,
        Self::Approvers,
        Self::Next,
    ];

    /// Its name between the braces.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Project => "project",
            Self::Environment => "environment",
            Self::Version => "version",
            Self::Commit => "commit",
            Self::Subject => "subject",
            Self::Author => "author",
            Self::Reason => "reason",
            Self::Url => "url",
            Self::Deployment => "deployment",
            Self::Approvers => "approvers",
            Self::Next => "next",
        }
    }
}

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TemplatePiece {
    /// The team's words.
    Words(String),
    /// What is put in its place.
    Placeholder(Placeholder),
}

/// A message with places to be filled, line by line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    /// Its lines.
    pub lines: Vec<Vec<TemplatePiece>>,
}

/// What is wrong with a template, and where in its text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct InvalidTemplate {
    /// The bytes of the text that are wrong.
    pub at: Range<usize>,
    /// What is wrong with them.
    pub why: String,
    /// The placeholder that is not known, where that is what is wrong.
    pub unknown: Option<String>,
}

impl std::str::FromStr for Template {
    type Err = InvalidTemplate;

    fn from_str(text: &str) -> Result<Self, InvalidTemplate> {
        let mut lines = vec![Vec::new()];
        let mut words = String::new();
        let mut rest = text.char_indices().peekable();
        let wrong = |at: Range<usize>, why: &str| InvalidTemplate { at, why: why.to_owned(), unknown: None };
        while let Some((at, c)) = rest.next() {
            match c {
                '{' | '}' if rest.next_if(|(_, next)| *next == c).is_some() => words.push(c),
                '{' => {
                    let end = text.get(at..).and_then(|t| t.find('}')).map(|n| at + n);
                    let end =
                        end.ok_or_else(|| wrong(at..text.len(), "`{` is never closed; `{{` writes it as it is"))?;
                    let name = text.get(at + 1..end).unwrap_or_default().trim();
                    let known = Placeholder::ALL.into_iter().find(|p| p.name() == name);
                    let placeholder = known.ok_or_else(|| InvalidTemplate {
                        at: at..end + 1,
                        why: format!("unknown placeholder `{}`", crate::reader::shown(name)),
                        unknown: Some(name.to_owned()),
                    })?;
                    push(&mut lines, &mut words, Some(TemplatePiece::Placeholder(placeholder)));
                    while rest.next_if(|(n, _)| *n <= end).is_some() {}
                }
                '}' => return Err(wrong(at..at + 1, "`}` closes nothing; `}}` writes it as it is")),
                '\n' => {
                    push(&mut lines, &mut words, None);
                    lines.push(Vec::new());
                }
                '\r' if rest.peek().is_some_and(|(_, next)| *next == '\n') => {}
                '\t' => words.push(' '),
                // A terminal, a mail header or a chat would obey it.
                c if c.is_control() => return Err(wrong(at..at + c.len_utf8(), "a control character")),
                c => words.push(c),
            }
        }
        push(&mut lines, &mut words, None);
        Ok(Self { lines })
    }
}

fn push(lines: &mut [Vec<TemplatePiece>], words: &mut String, then: Option<TemplatePiece>) {
    let Some(line) = lines.last_mut() else { return };
    if !words.is_empty() {
        line.push(TemplatePiece::Words(std::mem::take(words)));
    }
    line.extend(then);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> TemplatePiece {
        TemplatePiece::Words(text.to_owned())
    }

    #[test]
    fn text_and_placeholders_come_apart_line_by_line() {
        let template: Template = "{{x}} {environment}: ñ{ url }\n\nend".parse().unwrap();
        assert_eq!(
            template.lines,
            [
                vec![
                    words("{x} "),
                    TemplatePiece::Placeholder(Placeholder::Environment),
                    words(": ñ"),
                    TemplatePiece::Placeholder(Placeholder::Url)
                ],
                vec![],
                vec![words("end")],
            ]
        );
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (text, at) in
            [("é {enviroment}", 3..15), ("a {x", 2..4), ("a } b", 2..3), ("a\u{1b}[2J", 1..2), ("{}", 0..2)]
        {
            assert_eq!(text.parse::<Template>().unwrap_err().at, at, "{text:?}");
        }
    }
}
