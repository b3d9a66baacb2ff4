//! The pass over the files.

use std::{
    borrow::Cow,
    path::{Path, PathBuf},
    sync::{LazyLock, OnceLock},
};

use aho_corasick::{AhoCorasick, MatchKind};
use regex::bytes::{Regex, RegexBuilder};

use super::{
    allow::{self, Verdict},
    assignment, files,
    finding::{Candidate, Finding, how_to_move, redact},
    pem,
    place::Places,
    shapes::{SHAPES, Shape},
    url,
};

/// Larger files are not looked at; callers need not read them.
pub const LARGEST_FILE: u64 = 64 * 1024 * 1024;

/// Findings reported of one file; a file with more of them is a matter of its own.
const MOST_FINDINGS: usize = 100;

/// Bytes that a shape's pattern may look at.
const WINDOW: usize = 8 * 1024;

/// Looks for secrets in a project's tracked files, given as paths relative to the project with `/` and their content.
/// What `ambit.secrets` holds is encrypted and passed over; binary files are judged by their name alone.
///
/// Findings come sorted by file and place.
pub fn scan<P, B>(tracked: impl IntoIterator<Item = (P, B)>) -> Vec<Finding>
where
    P: AsRef<Path>,
    B: AsRef<[u8]>,
{
    let mut findings = Vec::new();
    let mut allowed = Vec::new();
    let mut complaints = Vec::new();
    for (path, bytes) in tracked {
        let (path, bytes) = (path.as_ref(), bytes.as_ref());
        if path == Path::new(allow::FILE) {
            (allowed, complaints) = allow::parse(path, &String::from_utf8_lossy(bytes));
        } else {
            scan_file(path, bytes, &mut findings);
        }
    }
    findings.retain(|finding: &Finding| !allowed.iter().any(|glob| glob.is_match(&finding.path)));
    findings.extend(complaints);
    findings.sort();
    findings
}

fn scan_file(path: &Path, bytes: &[u8], findings: &mut Vec<Finding>) {
    let name = path.to_string_lossy();
    if path.file_name().is_some_and(|file| file == "ambit.secrets") {
        return;
    }
    if let Some(what) = files::key_store(&name) {
        findings.push(of_whole_file(path, what));
        return;
    }
    if bytes.len() as u64 > LARGEST_FILE {
        return;
    }
    let Some(text) = as_text(bytes) else { return };

    let mut candidates = candidates(&text, !files::is_machine_written(&name));
    if files::is_env_file(&name) {
        candidates.extend(files::env_values(&text));
    }
    // One secret may be found as what it is and as what it is assigned to: the first rule in the list of its place wins,
    // and shapes are found at or before the place of an assignment's value.
    candidates.sort_by_key(|candidate| (candidate.start, candidate.what == ASSIGNED));
    let mut places = Places::new(&text);
    let mut reported = 0;
    let mut last_end = 0;
    for candidate in candidates {
        if candidate.start < last_end || reported == MOST_FINDINGS {
            continue;
        }
        last_end = candidate.end;
        let (line, column) = places.seek(candidate.start);
        let (this, before) = places.lines();
        let help = match allow::verdict(this, before) {
            Verdict::Allowed => continue,
            Verdict::WithoutReason => "say why it may stay: `ambit:allow REASON`".to_owned(),
            Verdict::Silent => how_to_move(&candidate.name),
        };
        reported += 1;
        findings.push(Finding {
            path: path.to_path_buf(),
            line,
            column,
            what: candidate.what.to_owned(),
            excerpt: redact(&text[candidate.start..candidate.end]),
            help,
        });
    }
}

fn of_whole_file(path: &Path, what: &str) -> Finding {
    Finding {
        path: PathBuf::from(path),
        line: 1,
        column: 1,
        what: what.to_owned(),
        excerpt: "…".to_owned(),
        help: "keep it outside git, or encoded in Base64 in ambit.secrets (`ambit secret set NAME -e ENV`); git's \
               history keeps it, so have its issuer replace it as well"
            .to_owned(),
    }
}

/// The text of a file; `None` where it is binary by git's own measure. What Windows wrote as UTF-16 is text.
fn as_text(bytes: &[u8]) -> Option<Cow<'_, [u8]>> {
    let decode = |unit: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes[2..].chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
        Some(Cow::Owned(String::from_utf16_lossy(&units).into_bytes()))
    };
    match bytes {
        [0xff, 0xfe, ..] => decode(u16::from_le_bytes),
        [0xfe, 0xff, ..] => decode(u16::from_be_bytes),
        _ if memchr::memchr(0, &bytes[..bytes.len().min(8000)]).is_some() => None,
        _ => Some(Cow::Borrowed(bytes)),
    }
}

/// What a fixed text begins.
#[derive(Clone, Copy)]
enum Beginning {
    Shape(usize),
    Pem,
    Url,
    Keyword,
}

struct Rules {
    beginnings: AhoCorasick,
    meanings: Vec<Beginning>,
    patterns: Vec<OnceLock<Regex>>,
}

static RULES: LazyLock<Rules> = LazyLock::new(|| {
    let mut texts: Vec<&str> = Vec::new();
    let mut meanings = Vec::new();
    for (index, shape) in SHAPES.iter().enumerate() {
        texts.extend(shape.begins);
        meanings.resize(texts.len(), Beginning::Shape(index));
    }
    texts.push(pem::BEGIN);
    meanings.push(Beginning::Pem);
    texts.push(url::MARK);
    meanings.push(Beginning::Url);
    texts.extend(assignment::KEYWORDS);
    meanings.resize(texts.len(), Beginning::Keyword);
    let beginnings = AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .match_kind(MatchKind::Standard)
        .build(&texts)
        .expect("a hundred short texts make an automaton");
    Rules { beginnings, meanings, patterns: SHAPES.iter().map(|_| OnceLock::new()).collect() }
});

/// What the weakest rule calls its findings.
const ASSIGNED: &str = "a secret in the code";

fn candidates(text: &[u8], with_assignments: bool) -> Vec<Candidate> {
    let rules = &*RULES;
    let mut found = Vec::new();
    for hit in rules.beginnings.find_overlapping_iter(text) {
        match rules.meanings[hit.pattern().as_usize()] {
            Beginning::Shape(index) => found.extend(rules.shape(index, text, hit.start())),
            Beginning::Pem => found.extend(pem::private_key(&text[hit.start()..]).map(|length| Candidate {
                start: hit.start(),
                end: hit.start() + length,
                what: "a private key",
                name: "PRIVATE_KEY".to_owned(),
            })),
            Beginning::Url => found.extend(url::password(text, hit.start()).map(|password| Candidate {
                start: password.start,
                end: password.end,
                what: "a password in an address",
                name: "DATABASE_URL".to_owned(),
            })),
            Beginning::Keyword if with_assignments => {
                found.extend(assignment::literal(text, hit.range()).map(|(value, name)| Candidate {
                    start: value.start,
                    end: value.end,
                    what: ASSIGNED,
                    name,
                }));
            }
            Beginning::Keyword => {}
        }
    }
    found
}

impl Rules {
    fn shape(&self, index: usize, text: &[u8], start: usize) -> Option<Candidate> {
        let Shape { pattern, what, name, holds, .. } = &SHAPES[index];
        // In the middle of a longer word it is part of something else: `risk-` begins no `sk-`.
        // The `n` of an escaped line end is no part of a word.
        let inside = match &text[start.saturating_sub(2)..start] {
            [b'\\', b'n' | b'r' | b't'] | [] => false,
            [.., before] => before.is_ascii_alphanumeric(),
        };
        if inside && !pattern.starts_with("(?i") && !pattern.starts_with(':') {
            return None;
        }
        let regex = self.patterns[index].get_or_init(|| {
            RegexBuilder::new(&format!("^(?:{pattern})"))
                .unicode(false)
                .build()
                .expect("the patterns of shapes are valid regular expressions")
        });
        let found = regex.captures(&text[start..text.len().min(start + WINDOW)])?;
        let secret = found.get(1).or_else(|| found.get(0))?;
        holds(secret.as_bytes()).then(|| Candidate {
            start: start + secret.start(),
            end: start + secret.end(),
            what,
            name: (*name).to_owned(),
        })
    }
}
