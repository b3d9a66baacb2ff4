//! SQL in pieces (PostgreSQL manual, 4.1): words, quoted names, constants, symbols.

/// A piece of a statement; comments are left out, and so is what stands in a text constant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token {
    /// A word that is not quoted, in small letters.
    Word(String),
    /// A quoted identifier.
    Quoted(String),
    /// A constant: quoted text, a body between dollars, a number.
    Constant,
    /// Anything else.
    Symbol(char),
}

/// Reads one piece after the other.
pub(crate) struct Reader<'a> {
    pub(crate) text: &'a str,
    pub(crate) at: usize,
}

impl Reader<'_> {
    pub(crate) fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip(&mut self, bytes: usize) {
        self.at = (self.at + bytes).min(self.text.len());
        while !self.text.is_char_boundary(self.at) {
            self.at += 1;
        }
    }

    fn skip_to(&mut self, end: &str) {
        let next = self.rest().find(end).map_or(self.rest().len(), |n| n + end.len());
        self.skip(next);
    }

    /// The next piece, and `at` behind it.
    pub(crate) fn next(&mut self) -> Option<Token> {
        loop {
            let first = self.rest().chars().next()?;
            if first.is_whitespace() {
                self.skip(first.len_utf8());
            } else if self.rest().starts_with("--") {
                self.skip_to("\n");
            } else if self.rest().starts_with("/*") {
                self.skip_comment();
            } else {
                return Some(self.token(first));
            }
        }
    }

    /// They may be nested (PostgreSQL manual, 4.1.5).
    fn skip_comment(&mut self) {
        let mut depth = 0_usize;
        loop {
            if self.rest().starts_with("/*") {
                depth += 1;
                self.skip(2);
            } else if self.rest().starts_with("*/") {
                depth -= 1;
                self.skip(2);
            } else if let Some(c) = self.rest().chars().next() {
                self.skip(c.len_utf8());
            } else {
                return;
            }
            if depth == 0 {
                return;
            }
        }
    }

    fn token(&mut self, first: char) -> Token {
        match first {
            '\'' => self.text_constant(false),
            '"' => Token::Quoted(self.quoted()),
            '$' => match self.dollar_tag() {
                Some(tag) => {
                    self.skip(tag.len());
                    self.skip_to(&tag);
                    Token::Constant
                }
                None => self.symbol(first),
            },
            c if c.is_alphabetic() || c == '_' => {
                let length = self.rest().find(|c: char| !c.is_alphanumeric() && c != '_' && c != '$');
                let word = self.rest().get(..length.unwrap_or(self.rest().len())).unwrap_or_default().to_owned();
                self.skip(word.len());
                if word.eq_ignore_ascii_case("e") && self.rest().starts_with('\'') {
                    return self.text_constant(true);
                }
                Token::Word(word.to_lowercase())
            }
            c if c.is_ascii_digit() => {
                let length = self.rest().find(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '_');
                self.skip(length.unwrap_or(self.rest().len()));
                Token::Constant
            }
            c => self.symbol(c),
        }
    }

    fn symbol(&mut self, c: char) -> Token {
        self.skip(c.len_utf8());
        Token::Symbol(c)
    }

    /// `$$` or `$tag$`.
    fn dollar_tag(&self) -> Option<String> {
        let inner = self.rest().get(1..)?;
        let end = inner.find('$')?;
        let tag = inner.get(..end)?;
        let word =
            tag.chars().all(|c| c.is_alphanumeric() || c == '_') && !tag.starts_with(|c: char| c.is_ascii_digit());
        word.then(|| format!("${tag}$"))
    }

    fn text_constant(&mut self, escapes: bool) -> Token {
        self.skip(1);
        loop {
            if self.rest().starts_with("''") || (escapes && self.rest().starts_with('\\')) {
                self.skip(2);
            } else if let Some(c) = self.rest().chars().next() {
                self.skip(c.len_utf8());
                if c == '\'' {
                    return Token::Constant;
                }
            } else {
                return Token::Constant;
            }
        }
    }

    fn quoted(&mut self) -> String {
        self.skip(1);
        let mut name = String::new();
        loop {
            if self.rest().starts_with("\"\"") {
                name.push('"');
                self.skip(2);
            } else if let Some(c) = self.rest().chars().next() {
                self.skip(c.len_utf8());
                if c == '"' {
                    return name;
                }
                name.push(c);
            } else {
                return name;
            }
        }
    }
}

/// What stands in a text besides names, key words and comments: each quoted text, body between dollars and number, as written.
pub(crate) fn constants(text: &str, mut each: impl FnMut(&str)) {
    let mut reader = Reader { text, at: 0 };
    loop {
        let before = reader.at;
        match reader.next() {
            Some(Token::Constant) => each(text.get(before..reader.at).unwrap_or_default()),
            Some(_) => {}
            None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_what_is_neither_name_nor_key_word() {
        let sql = "-- Name: ana; Type: TABLE\nCREATE TABLE \"Ana's\" (a text DEFAULT 'it''s /*'::text CHECK (b > 612345678));\n\
                   COMMENT ON TABLE t IS E'ask \\' ana'; CREATE FUNCTION f() AS $x$ SELECT 'ana' $x$";
        let mut found = Vec::new();
        constants(sql, |c| found.push(c.trim().to_owned()));
        assert_eq!(found, ["'it''s /*'", "612345678", "E'ask \\' ana'", "$x$ SELECT 'ana' $x$"]);
    }
}
