//! Migration files of a built tree, and what in them no code can take back.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use ambit_domain::release::Migration;
use ambit_spec::ServiceName;
use regex::Regex;
use sha2::{Digest, Sha256};

use crate::files;

/// Folders that hold no migrations of the app itself.
const LEFT_OUT: &[&str] = &["node_modules", ".venv", "venv", "target", ".git", "dist", "build"];
/// Deeper folders are not looked into.
const DEEPEST: usize = 8;
/// A larger file is not read for what it does.
const LARGEST: u64 = 4 << 20;

/// The migrations in a tree, by path: files of SQL, Python or JavaScript below a folder called `migrations` or `migrate`.
#[must_use]
pub fn find(tree: &Path, service: &ServiceName) -> Vec<Migration> {
    let mut found = Vec::new();
    let mut left = vec![(PathBuf::new(), 0, false)];
    while let Some((folder, depth, inside)) = left.pop() {
        let Ok(entries) = fs::read_dir(tree.join(&folder)) else { continue };
        for entry in entries.filter_map(Result::ok) {
            let Ok(name) = entry.file_name().into_string() else { continue };
            let Ok(kind) = entry.file_type() else { continue };
            let path = folder.join(&name);
            if kind.is_dir() && depth < DEEPEST && !LEFT_OUT.contains(&name.as_str()) {
                left.push((path, depth + 1, inside || matches!(name.as_str(), "migrations" | "migrate")));
            } else if kind.is_file() && inside && is_migration(&name) {
                let content = entry.metadata().ok().filter(|m| m.len() <= LARGEST);
                let content = content.and_then(|_| fs::read(tree.join(&path)).ok()).unwrap_or_default();
                found.push(Migration {
                    service: service.clone(),
                    path: path.to_string_lossy().into_owned(),
                    digest: files::hex(&Sha256::digest(&content)).chars().take(16).collect(),
                    irreversible: irreversible(&String::from_utf8_lossy(&content)),
                });
            }
        }
    }
    found.sort();
    found
}

fn is_migration(name: &str) -> bool {
    let code = [".sql", ".py", ".js", ".ts", ".rb"].iter().any(|e| name.ends_with(e));
    let down = [".down.sql", "_down.sql", ".d.ts"].iter().any(|e| name.ends_with(e)) || name == "down.sql";
    code && !down && name != "__init__.py"
}

/// What in the text of a migration cannot be undone by going back to the code before it. Comments do not count.
#[must_use]
pub fn irreversible(text: &str) -> Vec<String> {
    let text = COMMENTS.replace_all(text, " ");
    let mut found = Vec::new();
    for (form, what) in &*FORMS {
        for captures in form.captures_iter(&text) {
            // `DROP CONSTRAINT` and `DROP DEFAULT` lose no data.
            if *what == "drops a column of" && captures.get(2).is_some_and(|name| name.as_str().is_empty()) {
                continue;
            }
            let name = captures.get(1).map_or("", |m| m.as_str()).replace('"', "");
            let told = format!("{what} {name}");
            if !found.contains(&told) {
                found.push(told);
            }
        }
    }
    found
}

static COMMENTS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?s)/\*.*?\*/|--[^\n]*").expect("the pattern is valid"));

/// What loses data or breaks the code before it, and how that is said.
static FORMS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let forms = [
        (r#"(?i)\bdrop\s+table\s+(?:if\s+exists\s+)?([\w."]+)"#, "drops the table"),
        (
            r#"(?i)\balter\s+table\s+(?:if\s+exists\s+)?(?:only\s+)?([\w."]+)[^;]*?\bdrop\s+(?:column\s+)?(?:if\s+exists\s+)?(?:(?:constraint|default|not|expression|identity)\b)?([\w."]*)"#,
            "drops a column of",
        ),
        (r#"(?i)\btruncate\s+(?:table\s+)?([\w."]+)"#, "empties the table"),
        (r#"(?i)\bdelete\s+from\s+([\w."]+)"#, "deletes rows of"),
        (
            r#"(?i)\balter\s+table\s+(?:if\s+exists\s+)?(?:only\s+)?([\w."]+)[^;]*?\balter\s+(?:column\s+)?[\w."]+\s+(?:set\s+data\s+)?type\b"#,
            "changes a column's type in",
        ),
        (r#"(?i)\balter\s+table\s+(?:if\s+exists\s+)?(?:only\s+)?([\w."]+)[^;]*?\brename\b"#, "renames something in"),
        (r#"(?i)\bdrop\s+(?:schema|type|database)\s+(?:if\s+exists\s+)?([\w."]+)"#, "drops"),
        (r"migrations\.DeleteModel\(\s*(?:name\s*=\s*)?['\x22](\w+)", "drops the table of"),
        (r"migrations\.RemoveField\(\s*(?:model_name\s*=\s*)?['\x22](\w+)", "drops a column of"),
        (r"migrations\.Rename(?:Field|Model)\(\s*(?:\w+\s*=\s*)?['\x22](\w+)", "renames something in"),
    ];
    forms.map(|(pattern, what)| (Regex::new(pattern).expect("the pattern is valid"), what)).into()
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_loses_data_is_named_and_what_adds_is_not() {
        let told = |sql: &str| irreversible(sql).join(", ");
        assert_eq!(told("CREATE TABLE a (id int); ALTER TABLE a ADD COLUMN b text; CREATE INDEX c ON a (b);"), "");
        assert_eq!(told("ALTER TABLE a DROP CONSTRAINT b; ALTER TABLE a ALTER COLUMN c DROP DEFAULT;"), "");
        assert_eq!(told("drop table if exists \"Users\" cascade"), "drops the table Users");
        assert_eq!(told("ALTER TABLE users\n  DROP COLUMN email"), "drops a column of users");
        assert_eq!(told("ALTER TABLE users DROP email"), "drops a column of users");
        assert_eq!(told("ALTER TABLE users ALTER COLUMN age TYPE bigint"), "changes a column's type in users");
        assert_eq!(told("ALTER TABLE users RENAME COLUMN a TO b"), "renames something in users");
        assert_eq!(
            told("TRUNCATE events; DELETE FROM logs WHERE old"),
            "empties the table events, deletes rows of logs"
        );
        assert_eq!(told("-- DROP TABLE users\n/* TRUNCATE x */ SELECT 1"), "");
        assert_eq!(told("migrations.RemoveField(\n            model_name='user',"), "drops a column of user");
    }

    #[test]
    fn migrations_are_found_where_tools_put_them() {
        let tree = tempfile::tempdir().unwrap();
        for file in [
            "migrations/0001_users.sql",
            "prisma/migrations/20250101_init/migration.sql",
            "shop/migrations/0001_initial.py",
            "shop/migrations/__init__.py",
            "node_modules/x/migrations/1.sql",
            "migrations/0001_users.down.sql",
            "src/query.sql",
        ] {
            let path = tree.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "SELECT 1").unwrap();
        }
        let service = "backend".parse().unwrap();
        let found: Vec<String> = find(tree.path(), &service).into_iter().map(|m| m.path).collect();
        assert_eq!(
            found,
            [
                "migrations/0001_users.sql",
                "prisma/migrations/20250101_init/migration.sql",
                "shop/migrations/0001_initial.py"
            ]
        );
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,200}") {
            let _ = irreversible(&text);
        }
    }
}
