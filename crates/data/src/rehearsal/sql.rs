//! SQL read just far enough: where one statement ends, and what it changes about a table. What is not understood is no
//! error; what the server does is observed besides.

use crate::sql_tokens::{Reader, Token};

/// A statement of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Statement {
    /// As it stands there.
    pub(crate) text: String,
    /// The line that it begins in, from 1.
    pub(crate) line: usize,
}

/// What a statement does to something that is there already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// `CREATE INDEX`.
    CreateIndex { table: String, concurrently: bool },
    /// `REINDEX`, `CLUSTER`, `VACUUM FULL`, not concurrently.
    WritesAnew { command: &'static str },
    /// `ADD CONSTRAINT … FOREIGN KEY` or `REFERENCES` of an existing table.
    AddForeignKey { table: String, validated: bool },
    /// `ADD CONSTRAINT … CHECK`.
    AddCheck { table: String, validated: bool },
    /// `ADD … UNIQUE` or `PRIMARY KEY` that builds its own index.
    AddUnique { table: String },
    /// `ALTER COLUMN … SET NOT NULL`.
    SetNotNull { table: String, column: String },
    /// `ALTER COLUMN … TYPE`.
    AlterType { table: String, column: String },
    /// `DROP COLUMN`.
    DropColumn { table: String, column: String },
    /// `DROP TABLE`.
    DropTable { table: String },
    /// `RENAME COLUMN`.
    RenameColumn { table: String, column: String },
    /// `RENAME TO`.
    RenameTable { table: String },
}

impl Action {
    /// The table that it is done to, where it names one.
    pub(crate) fn table(&self) -> Option<&str> {
        match self {
            Self::WritesAnew { .. } => None,
            Self::CreateIndex { table, .. }
            | Self::AddForeignKey { table, .. }
            | Self::AddCheck { table, .. }
            | Self::AddUnique { table }
            | Self::SetNotNull { table, .. }
            | Self::AlterType { table, .. }
            | Self::DropColumn { table, .. }
            | Self::DropTable { table }
            | Self::RenameColumn { table, .. }
            | Self::RenameTable { table } => Some(table),
        }
    }
}

/// The statements of a text, as `psql` would tell them apart.
pub(crate) fn split(text: &str) -> Vec<Statement> {
    let mut all = Vec::new();
    let mut begin = 0;
    let mut reader = Reader { text, at: 0 };
    let mut anything = false;
    let mut nesting = Nesting::default();
    loop {
        let before = reader.at;
        let token = reader.next();
        let end = token.is_none();
        if let Some(token) = &token {
            nesting.see(token);
        }
        if (matches!(token, Some(Token::Symbol(';'))) && nesting.is_closed()) || end {
            let piece = text.get(begin..if end { text.len() } else { before_symbol(text, reader.at) });
            let piece = piece.unwrap_or_default();
            if anything {
                let blank = piece.len() - piece.trim_start().len();
                let line = text.get(..begin + blank).unwrap_or_default().matches('\n').count() + 1;
                all.push(Statement { text: piece.trim().to_owned(), line });
            }
            begin = reader.at;
            anything = false;
            nesting = Nesting::default();
        } else if reader.at > before {
            anything = true;
        }
        if end {
            return all;
        }
    }
}

/// What keeps a semicolon from ending a statement, as psql has it (PostgreSQL's `src/fe_utils/psqlscan.l`): parentheses,
/// as around the actions of a rule, and the body of a routine in standard SQL, from `BEGIN ATOMIC` to its `END`.
#[derive(Default)]
struct Nesting {
    parentheses: usize,
    blocks: usize,
    /// The words that it begins with, as many as tell whether it makes a routine.
    first: Vec<String>,
}

impl Nesting {
    fn see(&mut self, token: &Token) {
        match token {
            Token::Symbol('(') => self.parentheses += 1,
            Token::Symbol(')') => self.parentheses = self.parentheses.saturating_sub(1),
            Token::Word(word) => {
                if self.first.len() < 4 {
                    self.first.push(word.clone());
                }
                if self.parentheses == 0 && self.makes_a_routine() {
                    match word.as_str() {
                        "begin" => self.blocks += 1,
                        "case" if self.blocks > 0 => self.blocks += 1,
                        "end" => self.blocks = self.blocks.saturating_sub(1),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }

    fn makes_a_routine(&self) -> bool {
        let words: Vec<&str> = self.first.iter().map(String::as_str).collect();
        matches!(
            words[..],
            ["create", "function" | "procedure", ..] | ["create", "or", "replace", "function" | "procedure"]
        )
    }

    fn is_closed(&self) -> bool {
        self.parentheses == 0 && self.blocks == 0
    }
}

fn before_symbol(text: &str, at: usize) -> usize {
    text.get(..at).and_then(|t| t.char_indices().next_back()).map_or(0, |(n, _)| n)
}

/// What is left of a statement.
struct Words {
    tokens: Vec<Token>,
    at: usize,
}

impl Words {
    fn of(text: &str) -> Self {
        let mut reader = Reader { text, at: 0 };
        Self { tokens: std::iter::from_fn(|| reader.next()).collect(), at: 0 }
    }

    /// Takes these words where they come next.
    fn take(&mut self, words: &[&str]) -> bool {
        let next = self.tokens.get(self.at..self.at + words.len());
        let same = next.is_some_and(|next| next.iter().zip(words).all(|(t, w)| *t == Token::Word((*w).to_owned())));
        if same {
            self.at += words.len();
        }
        same
    }

    /// Takes a name, without its schema.
    fn name(&mut self) -> Option<String> {
        loop {
            let name = match self.tokens.get(self.at)? {
                Token::Word(word) => word.clone(),
                Token::Quoted(name) => name.clone(),
                Token::Constant | Token::Symbol(_) => return None,
            };
            self.at += 1;
            if self.tokens.get(self.at) != Some(&Token::Symbol('.')) {
                return Some(name);
            }
            self.at += 1;
        }
    }

    /// Whether these words come somewhere, next to each other.
    fn has(&self, words: &[&str]) -> bool {
        self.tokens
            .windows(words.len())
            .any(|window| window.iter().zip(words).all(|(t, w)| *t == Token::Word((*w).to_owned())))
    }
}

/// What a statement does to what is there already.
pub(crate) fn actions(statement: &str) -> Vec<Action> {
    let mut words = Words::of(statement);
    if words.take(&["alter", "table"]) {
        return alter_table(words);
    }
    if words.take(&["drop", "table"]) {
        let _ = words.take(&["if", "exists"]);
        let mut all = Vec::new();
        while let Some(table) = words.name() {
            all.push(Action::DropTable { table });
            if words.tokens.get(words.at) != Some(&Token::Symbol(',')) {
                break;
            }
            words.at += 1;
        }
        return all;
    }
    if words.take(&["create", "index"]) || words.take(&["create", "unique", "index"]) {
        let concurrently = words.take(&["concurrently"]);
        while words.at < words.tokens.len() && !words.take(&["on"]) {
            words.at += 1;
        }
        let _ = words.take(&["only"]);
        return words.name().map(|table| Action::CreateIndex { table, concurrently }).into_iter().collect();
    }
    let written_anew = match &words {
        w if w.has(&["reindex"]) && !w.has(&["concurrently"]) && w.tokens.first() == Some(&word("reindex")) => {
            "REINDEX"
        }
        w if w.tokens.first() == Some(&word("cluster")) => "CLUSTER",
        w if w.tokens.first() == Some(&word("vacuum")) && w.has(&["full"]) => "VACUUM FULL",
        _ => return Vec::new(),
    };
    vec![Action::WritesAnew { command: written_anew }]
}

fn word(text: &str) -> Token {
    Token::Word(text.to_owned())
}

fn alter_table(mut words: Words) -> Vec<Action> {
    let _ = words.take(&["if", "exists"]);
    let _ = words.take(&["only"]);
    let Some(table) = words.name() else { return Vec::new() };
    let mut parts: Vec<Vec<Token>> = vec![Vec::new()];
    let mut depth = 0_usize;
    for token in words.tokens.into_iter().skip(words.at) {
        match token {
            Token::Symbol('(') => depth += 1,
            Token::Symbol(')') => depth = depth.saturating_sub(1),
            Token::Symbol(',') if depth == 0 => {
                parts.push(Vec::new());
                continue;
            }
            _ => {}
        }
        if let Some(last) = parts.last_mut() {
            last.push(token);
        }
    }
    parts.into_iter().filter_map(|tokens| alteration(&table, Words { tokens, at: 0 })).collect()
}

fn alteration(table: &str, mut words: Words) -> Option<Action> {
    let table = table.to_owned();
    let validated = !words.has(&["not", "valid"]);
    if words.take(&["add"]) {
        let constraint = words.has(&["constraint"]) || !words.take(&["column"]);
        if words.has(&["foreign", "key"]) {
            return Some(Action::AddForeignKey { table, validated });
        }
        if words.has(&["using", "index"]) {
            return None;
        }
        if words.has(&["unique"]) || words.has(&["primary", "key"]) {
            return Some(Action::AddUnique { table });
        }
        if constraint && words.has(&["check"]) {
            return Some(Action::AddCheck { table, validated });
        }
        return None;
    }
    if words.take(&["drop"]) {
        if ["constraint"].iter().any(|w| words.take(&[w])) {
            return None;
        }
        let _ = words.take(&["column"]);
        let _ = words.take(&["if", "exists"]);
        return words.name().map(|column| Action::DropColumn { table, column });
    }
    if words.take(&["rename", "to"]) {
        return Some(Action::RenameTable { table });
    }
    if words.take(&["rename"]) {
        if words.take(&["constraint"]) {
            return None;
        }
        let _ = words.take(&["column"]);
        return words.name().map(|column| Action::RenameColumn { table, column });
    }
    if words.take(&["alter"]) {
        let _ = words.take(&["column"]);
        let column = words.name()?;
        if words.take(&["set", "not", "null"]) {
            return Some(Action::SetNotNull { table, column });
        }
        if words.take(&["type"]) || words.take(&["set", "data", "type"]) {
            return Some(Action::AlterType { table, column });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(sql: &str) -> Vec<String> {
        split(sql).into_iter().map(|s| s.text).collect()
    }

    #[test]
    fn statements_end_at_semicolons_that_are_neither_quoted_nor_commented() {
        let sql = "-- first; not one\nSELECT ';' AS \"a;b\"; /* ; /* nested; */ ; */\nDO $f$ BEGIN PERFORM 1; END $f$;\n\
                   SELECT E'it\\'s; ' || 'o''clock;';;\n  SELECT $1 + 2";
        let all = split(sql);
        assert_eq!(all.len(), 4, "{all:?}");
        assert!(all[0].text.ends_with("AS \"a;b\""), "{all:?}");
        assert!(all[1].text.ends_with("END $f$"));
        assert_eq!(all[3], Statement { text: "SELECT $1 + 2".to_owned(), line: 5 });
        assert!(texts("-- nothing\n/* at all */ ; ;").is_empty());
    }

    #[test]
    fn what_has_statements_inside_is_one() {
        let function = "CREATE OR REPLACE FUNCTION f(a int) RETURNS int BEGIN ATOMIC\n  UPDATE t SET n = CASE WHEN n > a \
                        THEN 1 ELSE 2 END;\n  SELECT 1;\nEND";
        let rule = "CREATE RULE r AS ON DELETE TO t DO INSTEAD (UPDATE t SET gone = true; NOTIFY t)";
        assert_eq!(
            texts(&format!("{function};\n{rule};\nBEGIN; SELECT 1; END;")),
            [function, rule, "BEGIN", "SELECT 1", "END"]
        );
    }

    #[test]
    fn what_a_statement_does_is_found_in_the_forms_in_which_people_write_it() {
        let one = |sql: &str| actions(sql);
        let table = || "users".to_owned();
        let column = || "email".to_owned();
        for sql in
            ["CREATE INDEX ON users (email)", "create unique index if not exists i on only public.\"users\" (email)"]
        {
            assert_eq!(one(sql), [Action::CreateIndex { table: table(), concurrently: false }], "{sql}");
        }
        assert_eq!(
            one("CREATE INDEX CONCURRENTLY i ON users (a)"),
            [Action::CreateIndex { table: table(), concurrently: true }]
        );
        assert_eq!(
            one(
                "ALTER TABLE IF EXISTS ONLY users DROP COLUMN IF EXISTS email, ALTER email SET NOT NULL,\n ADD COLUMN n numeric(3, 2) CHECK (n > 0)"
            ),
            [
                Action::DropColumn { table: table(), column: column() },
                Action::SetNotNull { table: table(), column: column() },
            ]
        );
        assert_eq!(
            one("alter table users alter column email set data type text using email::text"),
            [Action::AlterType { table: table(), column: column() }]
        );
        assert_eq!(
            one("ALTER TABLE users ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES b (id) NOT VALID"),
            [Action::AddForeignKey { table: table(), validated: false }]
        );
        assert_eq!(
            one("ALTER TABLE users ADD CONSTRAINT c CHECK (email IN ('a, b', 'c'))"),
            [Action::AddCheck { table: table(), validated: true }]
        );
        assert_eq!(one("ALTER TABLE users ADD UNIQUE (email)"), [Action::AddUnique { table: table() }]);
        for harmless in [
            "ALTER TABLE users ADD COLUMN email text",
            "ALTER TABLE users ADD CONSTRAINT u UNIQUE USING INDEX i",
            "ALTER TABLE users DROP CONSTRAINT c",
            "ALTER TABLE users VALIDATE CONSTRAINT c",
            "INSERT INTO a VALUES ('ALTER TABLE users DROP COLUMN email')",
            "CREATE TABLE users (email text UNIQUE)",
            "REINDEX TABLE CONCURRENTLY users",
        ] {
            assert_eq!(one(harmless), [], "{harmless}");
        }
        assert_eq!(
            one("ALTER TABLE users RENAME email TO mail"),
            [Action::RenameColumn { table: table(), column: column() }]
        );
        assert_eq!(one("ALTER TABLE users RENAME TO people"), [Action::RenameTable { table: table() }]);
        assert_eq!(
            one("DROP TABLE IF EXISTS users, a.b CASCADE"),
            [Action::DropTable { table: table() }, Action::DropTable { table: "b".to_owned() }]
        );
        assert_eq!(one("VACUUM FULL users"), [Action::WritesAnew { command: "VACUUM FULL" }]);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic_and_nothing_of_it_is_lost(sql in "(\\PC|['\"$;/*\\n -]){0,80}") {
            let all = split(&sql);
            for statement in &all {
                prop_assert!(sql.contains(&statement.text));
                let _ = actions(&statement.text);
            }
        }

        #[test]
        fn plain_statements_come_back_as_they_were(parts in proptest::collection::vec("[a-z]{1,8}( [a-z]{1,8}){0,3}", 0..6)) {
            prop_assert_eq!(texts(&parts.join(";\n")), parts);
        }
    }
}
