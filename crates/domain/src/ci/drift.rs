//! What in the folder of workflows is not as `ambit.toml` has it.

use serde::Serialize;

use super::Header;

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CiState {
    /// It is new or was replaced.
    Written,
    /// It was so already.
    Unchanged,
    /// It was an environment's that is no more.
    Removed,
}

/// A file that is not as declared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CiDrift {
    /// The file, from the top of the repository.
    pub file: String,
    /// The line, from 1, where there is one.
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What is expected there.
    pub expected: String,
    /// Whether somebody edited it, or took it away. Otherwise it is what an earlier declaration, or an earlier Ambit, was
    /// made into.
    pub by_hand: bool,
}

impl CiDrift {
    /// Compares a file with what would be written; `None` where they are the same.
    #[must_use]
    pub fn of(file: &str, there: Option<&str>, wanted: &str) -> Option<Self> {
        let Some(there) = there else {
            return Some(Self {
                file: file.to_owned(),
                line: None,
                message: "is not there".to_owned(),
                expected: "what `ambit ci github` writes".to_owned(),
                by_hand: true,
            });
        };
        if there == wanted {
            return None;
        }
        let by_hand = !Header::read(there).is_some_and(|header| header.untouched);
        // The first line is a digest of the others, and tells nobody anything.
        let (mut said, mut expected) = (there.lines().skip(1), wanted.lines().skip(1));
        let mut line = 1;
        let differ = loop {
            line += 1;
            match (said.next(), expected.next()) {
                (None, None) => break None,
                (a, b) if a != b => break Some((a, b)),
                _ => {}
            }
        };
        let (line, said, expected) = match differ {
            Some((said, expected)) => (line, said, expected),
            None => (1, there.lines().next(), wanted.lines().next()),
        };
        let said = said.map_or_else(|| "ends".to_owned(), |line| format!("says {:?}", line.trim()));
        let expected = expected.map_or_else(|| "the end of the file".to_owned(), |line| format!("{:?}", line.trim()));
        let message = format!("{said}, which ambit.toml does not");
        Some(Self { file: file.to_owned(), line: Some(line), message, expected, by_hand })
    }

    /// A workflow of an environment that is no more.
    #[must_use]
    pub fn stale(file: &str, untouched: bool) -> Self {
        Self {
            file: file.to_owned(),
            line: None,
            message: "deploys an environment that ambit.toml does not have".to_owned(),
            expected: "no such file".to_owned(),
            by_hand: !untouched,
        }
    }
}
