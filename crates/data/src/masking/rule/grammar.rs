//! The grammar of rules: `keep`, `email`, `date-shift(180, by=id)`, `json(email: email, notes[*].body: text)`.

use std::ops::Range;

use super::{Decimal, Masker, Path, Rule, Segment, Template, TemplatePart};

/// Every word that may begin a rule.
const MASKERS: &[&str] = &[
    "address",
    "bytes",
    "city",
    "company",
    "composite",
    "coordinates",
    "date-shift",
    "digits",
    "email",
    "enum",
    "first-name",
    "fixed",
    "hash",
    "hstore",
    "id",
    "ip",
    "json",
    "keep",
    "last-name",
    "name",
    "noise",
    "null",
    "number",
    "password",
    "phone",
    "postcode",
    "street",
    "template",
    "text",
    "token",
    "url",
    "username",
    "uuid",
];

/// How deep rules may be inside rules.
const DEPTH: usize = 8;

/// Why a text is no rule, and where in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::masking) struct RuleError {
    pub(in crate::masking) at: Range<usize>,
    pub(in crate::masking) message: String,
    pub(in crate::masking) help: Option<String>,
}

impl RuleError {
    fn new(at: Range<usize>, message: impl Into<String>) -> Self {
        Self { at, message: message.into(), help: None }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Reads a whole rule. `start` is where in `text` it begins; places in errors are of `text`.
pub(in crate::masking) fn parse_rule(text: &str, start: usize) -> Result<Rule, RuleError> {
    let mut reader = Reader { text, at: start };
    let rule = reader.rule(0)?;
    reader.blanks();
    if reader.at < text.len() {
        return Err(RuleError::new(reader.at..text.len(), format!("nothing may follow `{rule}`")));
    }
    Ok(rule)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn eat(&mut self, expected: char) -> bool {
        self.blanks();
        let found = self.peek() == Some(expected);
        if found {
            self.at += expected.len_utf8();
        }
        found
    }

    fn here(&self) -> Range<usize> {
        self.at..self.at + self.peek().map_or(0, char::len_utf8)
    }

    fn expect(&mut self, expected: char) -> Result<(), RuleError> {
        if self.eat(expected) {
            return Ok(());
        }
        let found = self.peek().map_or("nothing more".to_owned(), |c| format!("`{}`", c.escape_debug()));
        Err(RuleError::new(self.here(), format!("expected `{expected}`, found {found}")))
    }

    fn word(&mut self) -> (Range<usize>, &'a str) {
        self.blanks();
        let rest = self.rest();
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-')).unwrap_or(rest.len());
        let at = self.at..self.at + end;
        self.at += end;
        (at, &rest[..end])
    }

    fn quoted(&mut self) -> Result<String, RuleError> {
        self.blanks();
        let start = self.at;
        if self.peek() != Some('"') {
            return Err(RuleError::new(self.here(), "expected a text in quotes"));
        }
        let mut out = String::new();
        let mut chars = self.rest().char_indices().skip(1);
        while let Some((i, c)) = chars.next() {
            match c {
                '"' => {
                    self.at = start + i + 1;
                    return Ok(out);
                }
                '\\' => match chars.next() {
                    Some((_, 'n')) => out.push('\n'),
                    Some((_, 'r')) => out.push('\r'),
                    Some((_, 't')) => out.push('\t'),
                    Some((_, c @ ('"' | '\\'))) => out.push(c),
                    _ => {
                        let at = start + i..start + i + 1;
                        return Err(RuleError::new(at, "only \\\", \\\\, \\n, \\r and \\t may follow a backslash"));
                    }
                },
                c => out.push(c),
            }
        }
        Err(RuleError::new(start..self.text.len(), "the quote is never closed"))
    }

    /// A key, a field or a column: bare or in quotes.
    fn name(&mut self) -> Result<String, RuleError> {
        self.blanks();
        if self.peek() == Some('"') {
            return self.quoted();
        }
        match self.word() {
            (at, "") => Err(RuleError::new(at.start..self.here().end, "expected a name")
                .help("a name with other characters than letters, digits, - and _ stands in quotes")),
            (_, word) => Ok(word.to_owned()),
        }
    }

    fn rule(&mut self, depth: usize) -> Result<Rule, RuleError> {
        let (at, word) = self.word();
        if depth > DEPTH {
            return Err(RuleError::new(at, format!("rules are at most {DEPTH} deep")));
        }
        let masker = match word {
            "keep" => return Ok(Rule::Keep),
            "email" => Masker::Email,
            "phone" => Masker::Phone,
            "name" => Masker::Name,
            "first-name" => Masker::FirstName,
            "last-name" => Masker::LastName,
            "company" => Masker::Company,
            "username" => Masker::Username,
            "address" => Masker::Address,
            "street" => Masker::Street,
            "city" => Masker::City,
            "postcode" => Masker::Postcode,
            "text" => Masker::Text,
            "number" => self.number()?,
            "noise" => self.noise()?,
            "date-shift" => self.date_shift()?,
            "ip" => Masker::Ip { prefix: self.option("prefix")? },
            "uuid" => Masker::Uuid,
            "id" => Masker::Id,
            "digits" => Masker::Digits,
            "token" => Masker::Token,
            "url" => Masker::Url,
            "password" => Masker::Password { usable: !self.option("unusable")? },
            "json" => Masker::Json(self.json(depth)?),
            "hstore" => self.hstore(depth)?,
            "composite" => Masker::Composite(self.fields(depth)?),
            "bytes" => Masker::Bytes,
            "enum" => Masker::Enum,
            "null" => Masker::Null,
            "fixed" => {
                self.expect('(')?;
                let value = self.quoted()?;
                self.expect(')')?;
                Masker::Fixed(value)
            }
            "template" => Masker::Template(self.template()?),
            "hash" => Masker::Hash,
            "coordinates" => Masker::Coordinates,
            "" => return Err(RuleError::new(self.here(), "expected `keep` or a masker")),
            _ => {
                let error = RuleError::new(at, format!("there is no masker `{word}`"));
                return Err(match near(word) {
                    Some(near) => error.help(format!("did you mean `{near}`?")),
                    None => error.help(format!("it is one of {}", MASKERS.join(", "))),
                });
            }
        };
        if self.peek() == Some('(') {
            return Err(RuleError::new(self.here(), format!("`{word}` takes no arguments here")));
        }
        Ok(Rule::Mask(masker))
    }

    fn option(&mut self, option: &str) -> Result<bool, RuleError> {
        if !self.eat('(') {
            return Ok(false);
        }
        let (at, word) = self.word();
        if word != option {
            return Err(RuleError::new(at, format!("expected `{option}`")));
        }
        self.expect(')')?;
        Ok(true)
    }

    fn decimal(&mut self) -> Result<Decimal, RuleError> {
        self.blanks();
        let rest = self.rest();
        let mut end = usize::from(rest.starts_with('-'));
        let bytes = rest.as_bytes();
        while end < bytes.len() {
            let fraction = bytes[end] == b'.' && bytes.get(end + 1).is_some_and(u8::is_ascii_digit);
            if !bytes[end].is_ascii_digit() && !fraction {
                break;
            }
            end += 1;
        }
        let at = self.at..self.at + end;
        self.at += end;
        rest[..end].parse().map_err(|()| RuleError::new(at, "expected a number of at most 30 digits"))
    }

    fn number(&mut self) -> Result<Masker, RuleError> {
        let start = self.at;
        if self.peek() != Some('(') {
            return Err(RuleError::new(self.here(), "a number needs its range: `number(1..100)`"));
        }
        self.expect('(')?;
        let least = self.decimal()?;
        self.expect('.')?;
        self.expect('.')?;
        let most = self.decimal()?;
        self.expect(')')?;
        if !least.less_than(most) {
            let error = RuleError::new(start..self.at, format!("{least} is not less than {most}"));
            return Err(error.help("for one value there is `fixed(\"…\")`"));
        }
        Ok(Masker::Number { least, most })
    }

    fn whole(&mut self, least: u32, most: u32, unit: &str) -> Result<u32, RuleError> {
        let (at, word) = self.word();
        word.parse()
            .ok()
            .filter(|n| (least..=most).contains(n))
            .ok_or_else(|| RuleError::new(at, format!("expected a number of {unit} between {least} and {most}")))
    }

    fn noise(&mut self) -> Result<Masker, RuleError> {
        if self.peek() != Some('(') {
            return Err(RuleError::new(self.here(), "noise needs its measure: `noise(10%)`"));
        }
        self.expect('(')?;
        let percent = self.whole(1, 100, "percent")?;
        self.expect('%')?;
        self.expect(')')?;
        Ok(Masker::Noise { percent: percent as u8 })
    }

    fn date_shift(&mut self) -> Result<Masker, RuleError> {
        if self.peek() != Some('(') {
            let help =
                "`by` names the column of the same row that says whose date it is: `date-shift(180, by=user_id)`";
            return Err(RuleError::new(self.here(), "a date shift needs its most days: `date-shift(180)`").help(help));
        }
        self.expect('(')?;
        let days = self.whole(1, 36_500, "days")?;
        let mut by = None;
        if self.eat(',') {
            let (at, word) = self.word();
            if word != "by" {
                return Err(RuleError::new(at, "expected `by=COLUMN`"));
            }
            self.expect('=')?;
            by = Some(self.name()?);
        }
        self.expect(')')?;
        Ok(Masker::DateShift { days, by })
    }

    /// `what: rule, …` in parentheses, which may be missing.
    fn pairs<T>(
        &mut self,
        depth: usize,
        what: impl Fn(&mut Self) -> Result<T, RuleError>,
    ) -> Result<Vec<(Range<usize>, T, Rule)>, RuleError> {
        let mut pairs = Vec::new();
        if !self.eat('(') {
            return Ok(pairs);
        }
        while !self.eat(')') {
            if !pairs.is_empty() {
                self.expect(',')?;
                if self.eat(')') {
                    break;
                }
            }
            self.blanks();
            let start = self.at;
            let left = what(self)?;
            let at = start..self.at;
            self.expect(':')?;
            pairs.push((at, left, self.rule(depth + 1)?));
        }
        Ok(pairs)
    }

    fn json(&mut self, depth: usize) -> Result<Vec<(Path, Rule)>, RuleError> {
        let mut paths: Vec<(Path, Rule)> = Vec::new();
        for (at, path, rule) in self.pairs(depth, Self::path)? {
            if paths.iter().any(|(p, _)| *p == path) {
                return Err(RuleError::new(at, format!("`{path}` is named twice")));
            }
            paths.push((path, rule));
        }
        Ok(paths)
    }

    fn path(&mut self) -> Result<Path, RuleError> {
        let mut segments = Vec::new();
        if self.eat('.') {
            return Ok(Path(segments));
        }
        loop {
            if segments.is_empty() && self.rest().starts_with('[') {
                // A path may begin with the elements of an outermost array.
            } else if self.eat('*') {
                segments.push(Segment::Any);
            } else if self.eat('@') {
                let (at, word) = self.word();
                if word != "keys" {
                    return Err(RuleError::new(at, "expected `@keys`").help("a key with an @ stands in quotes"));
                }
                segments.push(Segment::Keys);
                return Ok(Path(segments));
            } else {
                segments.push(Segment::Key(self.name()?));
            }
            while self.rest().starts_with('[') {
                let at = self.at..self.at + 3;
                if !self.rest().starts_with("[*]") {
                    return Err(RuleError::new(self.here(), "expected `[*]`: all elements of an array are one"));
                }
                self.at = at.end;
                segments.push(Segment::Items);
            }
            if !self.rest().starts_with('.') {
                return Ok(Path(segments));
            }
            self.at += 1;
        }
    }

    fn hstore(&mut self, depth: usize) -> Result<Masker, RuleError> {
        let (mut keys, mut rest) = (Vec::<(String, Rule)>::new(), None);
        let key = |reader: &mut Self| Ok(if reader.eat('*') { None } else { Some(reader.name()?) });
        for (at, key, rule) in self.pairs(depth, key)? {
            let twice = match &key {
                Some(key) => keys.iter().any(|(k, _)| k == key),
                None => rest.is_some(),
            };
            if twice {
                return Err(RuleError::new(at, "this key is named twice"));
            }
            match key {
                Some(key) => keys.push((key, rule)),
                None => rest = Some(Box::new(rule)),
            }
        }
        Ok(Masker::Hstore { keys, rest })
    }

    fn fields(&mut self, depth: usize) -> Result<Vec<(String, Rule)>, RuleError> {
        let mut fields: Vec<(String, Rule)> = Vec::new();
        for (at, name, rule) in self.pairs(depth, Self::name)? {
            if fields.iter().any(|(f, _)| *f == name) {
                return Err(RuleError::new(at, "this field is named twice"));
            }
            fields.push((name, rule));
        }
        Ok(fields)
    }

    fn template(&mut self) -> Result<Template, RuleError> {
        self.expect('(')?;
        self.blanks();
        let start = self.at;
        let text = self.quoted()?;
        let at = start..self.at;
        self.expect(')')?;
        parse_template(&text).map_err(|message| {
            RuleError::new(at, message).help(
                "placeholders are {hash:8}, {digits:6}, {first-name} and {last-name}; a brace is written {{ or }}",
            )
        })
    }
}

fn parse_template(text: &str) -> Result<Template, String> {
    let mut parts = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("{{").or_else(|| rest.strip_prefix("}}")) {
            plain.push(c);
            rest = after;
        } else if c == '}' {
            return Err("a brace is closed that was not opened".to_owned());
        } else if c == '{' {
            let Some((name, after)) = rest[1..].split_once('}') else {
                return Err("a brace is never closed".to_owned());
            };
            if !plain.is_empty() {
                parts.push(TemplatePart::Text(std::mem::take(&mut plain)));
            }
            let count = |n: &str| n.parse().ok().filter(|n| (1..=32).contains(n));
            let part = match name.split_once(':') {
                None if name == "first-name" => Some(TemplatePart::FirstName),
                None if name == "last-name" => Some(TemplatePart::LastName),
                Some(("hash", n)) => count(n).map(TemplatePart::Hash),
                Some(("digits", n)) => count(n).map(TemplatePart::Digits),
                _ => None,
            };
            parts.push(part.ok_or_else(|| format!("there is no placeholder `{{{name}}}`"))?);
            rest = after;
        } else {
            plain.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    if !plain.is_empty() {
        parts.push(TemplatePart::Text(plain));
    }
    if !parts.iter().any(|p| !matches!(p, TemplatePart::Text(_))) {
        return Err("the template has no placeholder: every value would be the same".to_owned());
    }
    Ok(Template(parts))
}

/// The masker that somebody probably meant.
fn near(word: &str) -> Option<&'static str> {
    let word = word.to_lowercase().replace('_', "-");
    MASKERS
        .iter()
        .map(|m| (strsim::damerau_levenshtein(&word, m), *m))
        .filter(|(distance, m)| *distance <= 2.min(m.len() / 2))
        .min()
        .map(|(_, m)| m)
}
