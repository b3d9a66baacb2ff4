//! Findings that somebody answered for: `ambit:allow REASON` in the line or the one before, and `.ambit-allow`.

use std::path::Path;

use globset::{GlobBuilder, GlobMatcher};

use super::finding::Finding;

/// The file of allowed files, beside `ambit.toml`.
pub(super) const FILE: &str = ".ambit-allow";

const MARK: &[u8] = b"ambit:allow";

/// How far a line is searched for the mark; nobody writes one behind that.
const FAR: usize = 4096;

/// What the lines around a finding say.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is allowed, with a reason.
    Allowed,
    /// Somebody meant to allow it and gave no reason.
    WithoutReason,
    /// Nothing.
    Silent,
}

/// Reads the finding's line and the one before. The mark counts in its own line anywhere, in the line before only when
/// that line is nothing but a comment.
pub(super) fn verdict(line: &[u8], before: &[u8]) -> Verdict {
    let before = if is_comment(before) { before } else { &[] };
    match [line, before].into_iter().find_map(reason) {
        None => Verdict::Silent,
        Some(true) => Verdict::Allowed,
        Some(false) => Verdict::WithoutReason,
    }
}

fn is_comment(line: &[u8]) -> bool {
    let line = line.trim_ascii_start();
    [&b"//"[..], b"#", b"/*", b"*", b"--", b"<!--", b";", b"%"].iter().any(|start| line.starts_with(start))
}

/// Whether a reason follows the mark; `None` where there is no mark.
fn reason(line: &[u8]) -> Option<bool> {
    let near = &line[..line.len().min(FAR)];
    let far = &line[line.len().saturating_sub(FAR)..];
    let after = |text| memchr::memmem::find(text, MARK).map(|place| &text[place + MARK.len()..]);
    let rest = after(near).or_else(|| after(far))?;
    let divided = rest.first().is_some_and(|byte| byte.is_ascii_whitespace() || *byte == b':');
    Some(divided && rest.iter().filter(|byte| byte.is_ascii_alphanumeric() || **byte >= 0x80).count() >= 3)
}

/// The globs of `.ambit-allow`, and what is wrong with the file.
pub(super) fn parse(path: &Path, text: &str) -> (Vec<GlobMatcher>, Vec<Finding>) {
    let mut globs = Vec::new();
    let mut findings = Vec::new();
    for (line, content) in (1..).zip(text.lines().map(str::trim)) {
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let place = content.match_indices('#').map(|(place, _)| place).find(|&p| content[..p].ends_with([' ', '\t']));
        let (pattern, reason) = place.map_or((content, ""), |place| (content[..place].trim(), &content[place + 1..]));
        let mut report = |what: &str, help: String| {
            findings.push(Finding {
                path: path.to_path_buf(),
                line,
                column: 1,
                what: what.to_owned(),
                excerpt: pattern.to_owned(),
                help,
            });
        };
        if reason.trim().is_empty() {
            report("an allowed file without a reason", format!("say why: `{pattern}  # REASON`"));
            continue;
        }
        // As in .gitignore: `*` stays within a folder, `**` does not, a pattern without a slash fits in every folder.
        let anchored = if pattern.trim_end_matches('/').contains('/') {
            pattern.trim_start_matches('/').to_owned()
        } else {
            format!("**/{pattern}")
        };
        let anchored = if anchored.ends_with('/') { format!("{anchored}**") } else { anchored };
        match GlobBuilder::new(&anchored).literal_separator(true).build() {
            Ok(glob) => globs.push(glob.compile_matcher()),
            Err(_) => report("a pattern that cannot be read", "write a path with `*`, `**` or `?`".to_owned()),
        }
    }
    (globs, findings)
}
