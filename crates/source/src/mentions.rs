//! Whether the source of a build names something: a column that is about to go, for instance.

use std::{
    fs,
    path::{Path, PathBuf},
};

use regex::bytes::RegexBuilder;

/// Folders that name what was and not what is read.
const LEFT_OUT: &[&str] = &["node_modules", ".venv", "venv", "target", ".git", "migrations", "migrate"];
/// A larger file is no source.
const LARGEST: u64 = 4 << 20;
/// Deeper folders are not looked into.
const DEEPEST: usize = 12;

/// Whether some text file of a tree, migrations excepted, names a word in any case; `user_id` also by `userId`.
#[must_use]
pub fn names(tree: &Path, word: &str) -> bool {
    let mut camel = String::new();
    for (n, part) in word.split('_').enumerate() {
        let mut letters = part.chars();
        match letters.next().filter(|_| n > 0) {
            Some(first) => camel.extend(first.to_uppercase().chain(letters)),
            None => camel.push_str(part),
        }
    }
    let pattern = format!(r"\b(?:{}|{})\b", regex::escape(word), regex::escape(&camel));
    // A name that makes no pattern is longer than any source has: the careful answer.
    let Ok(pattern) = RegexBuilder::new(&pattern).case_insensitive(true).build() else { return true };
    let mut left = vec![(tree.to_path_buf(), 0)];
    while let Some((folder, depth)) = left.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() && depth < DEEPEST && !LEFT_OUT.iter().any(|name| entry.file_name() == *name) {
                left.push((entry.path(), depth + 1));
            } else if kind.is_file() && text(&entry.path()).is_some_and(|text| pattern.is_match(&text)) {
                return true;
            }
        }
    }
    false
}

/// The content of a file that is no binary.
fn text(path: &PathBuf) -> Option<Vec<u8>> {
    let small = fs::metadata(path).ok().filter(|m| m.len() <= LARGEST);
    let content = small.and_then(|_| fs::read(path).ok())?;
    (!content.iter().take(8192).any(|b| *b == 0)).then_some(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_names_a_column_and_a_migration_or_a_binary_does_not() {
        let tree = tempfile::tempdir().unwrap();
        for (file, text) in [
            ("src/a.rs", "SELECT user_id FROM orders"),
            ("app/b.ts", "order.createdAt"),
            ("migrations/1.sql", "ADD COLUMN nickname text"),
            ("node_modules/x/y.js", "nickname"),
            ("bin/app", "\0 nickname"),
        ] {
            let path = tree.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        for named in ["user_id", "created_at", "ORDERS"] {
            assert!(names(tree.path(), named), "{named}");
        }
        for not in ["nickname", "user", "order_id", "created"] {
            assert!(!names(tree.path(), not), "{not}");
        }
    }
}
