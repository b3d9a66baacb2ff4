//! JSON (RFC 8259), rewritten as it is read: no tree is made of it, and what is between its strings and numbers stays as it was.

use std::sync::Arc;

use super::by_kind::ByKind;
use super::json_rules::{Leafs, Node};
use crate::masking::mask::{Leaf, MaskError, Masked};
use crate::masking::maskers::{Maskers, Transform};
use crate::masking::rule::{Path, Rule};

const MALFORMED: MaskError = MaskError("not JSON");

/// How deep arrays and objects may be. PostgreSQL's own bound is its stack.
const DEPTH: usize = 256;

pub(in crate::masking) struct Json {
    root: Node,
    /// For what no path names; `None` where everything is kept.
    by_kind: Option<Arc<ByKind>>,
}

impl Json {
    pub(in crate::masking) fn new(maskers: &mut Maskers<'_>, paths: &[(Path, Rule)]) -> Self {
        Self { root: Node::new(maskers, paths), by_kind: Some(maskers.by_kind()) }
    }

    pub(in crate::masking) fn kept() -> Self {
        Self { root: Node::kept(), by_kind: None }
    }
}

impl Transform for Json {
    fn apply(&self, value: &str, subject: Option<&str>, out: &mut String) -> Result<Masked, MaskError> {
        let Some(by_kind) = self.by_kind.as_deref() else {
            out.push_str(value);
            return Ok(Masked::Value);
        };
        read(value, &self.root, &mut Writer { by_kind, subject, out, muted: 0, masked: String::new() })?;
        Ok(Masked::Value)
    }

    fn visit(&self, value: &str, leaf: &mut dyn FnMut(Leaf<'_>)) {
        let kept = self.by_kind.is_none();
        if read(value, &self.root, &mut Visitor { leaf, kept, gone: 0 }).is_err() {
            leaf(Leaf { text: value, masked: !kept });
        }
    }
}

/// Whether a text is JSON.
pub(in crate::masking) fn is_json(value: &str) -> bool {
    read(value, &Node::default(), &mut Check).is_ok()
}

/// What is done with the parts of a value, in their order.
trait Sink {
    /// What stands between strings and numbers, and `true`, `false`, `null`.
    fn between(&mut self, raw: &str);
    /// A string, raw and as it reads.
    fn string(&mut self, raw: &str, text: &str, rule: Option<&Leafs>) -> Result<(), MaskError>;
    /// An object's key. `rule` is what is said of keys; a key is `named` if a path names it, or all that is here is kept.
    fn key(&mut self, raw: &str, text: &str, rule: Option<&Leafs>, named: bool) -> Result<(), MaskError>;
    /// A number.
    fn number(&mut self, raw: &str, rule: Option<&Leafs>) -> Result<(), MaskError>;
    /// What follows becomes this, up to [`Sink::became`].
    fn becomes(&mut self, json: &str);
    /// What became something else ends here.
    fn became(&mut self);
}

fn read(value: &str, root: &Node, sink: &mut dyn Sink) -> Result<(), MaskError> {
    let mut reader = Reader { text: value, at: 0, sink, unescaped: String::new() };
    reader.blanks();
    reader.value(Some(root), None, 0)?;
    reader.blanks();
    if reader.at == value.len() { Ok(()) } else { Err(MALFORMED) }
}

struct Reader<'a, 's> {
    text: &'a str,
    at: usize,
    sink: &'s mut dyn Sink,
    unescaped: String,
}

impl<'a> Reader<'a, '_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blanks(&mut self) {
        let start = self.at;
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        if self.at > start {
            self.sink.between(&self.text[start..self.at]);
        }
    }

    /// Takes one character of the structure.
    fn take(&mut self, expected: u8) -> Result<(), MaskError> {
        if self.peek() != Some(expected) {
            return Err(MALFORMED);
        }
        self.sink.between(&self.text[self.at..=self.at]);
        self.at += 1;
        Ok(())
    }

    fn value(&mut self, node: Option<&Node>, inherited: Option<&Leafs>, depth: usize) -> Result<(), MaskError> {
        let rule = node.and_then(|n| n.here.as_ref());
        if let Some(Leafs::Become(json)) = rule.or(inherited) {
            // NULL stays NULL, as in a column.
            if self.text[self.at..].starts_with("null") {
                return self.literal();
            }
            self.sink.becomes(json);
            let inner = self.inner(node, rule.or(inherited), rule, depth);
            self.sink.became();
            return inner;
        }
        self.inner(node, inherited, rule, depth)
    }

    fn inner(
        &mut self,
        node: Option<&Node>,
        inherited: Option<&Leafs>,
        rule: Option<&Leafs>,
        depth: usize,
    ) -> Result<(), MaskError> {
        match self.peek() {
            Some(open @ (b'{' | b'[')) => {
                if depth >= DEPTH {
                    return Err(MaskError("JSON that is nested too deeply"));
                }
                // A nested `json(…)` is about strings; its paths are in the tree already, and what they leave out is by kind.
                // `a: keep` keeps a string, a number at `a`. Should an object be there, nobody has seen what is in it.
                let inherited = match rule {
                    Some(Leafs::Nested(_)) => None,
                    Some(Leafs::Keep) => inherited,
                    rule => rule.or(inherited),
                };
                let inherited = node.and_then(|n| n.rest.as_ref()).or(inherited);
                if open == b'{' { self.object(node, inherited, depth) } else { self.array(node, inherited, depth) }
            }
            Some(b'"') => {
                let (raw, text) = self.string()?;
                let result = self.sink.string(raw, text.unwrap_or(&self.unescaped), rule.or(inherited));
                self.at += raw.len();
                result
            }
            Some(b'-' | b'0'..=b'9') => {
                let raw = self.number()?;
                self.sink.number(raw, rule.or(inherited))?;
                self.at += raw.len();
                Ok(())
            }
            _ => self.literal(),
        }
    }

    fn literal(&mut self) -> Result<(), MaskError> {
        let rest = &self.text[self.at..];
        let literal = ["true", "false", "null"].into_iter().find(|l| rest.starts_with(l)).ok_or(MALFORMED)?;
        self.at += literal.len();
        self.sink.between(literal);
        Ok(())
    }

    fn object(&mut self, node: Option<&Node>, inherited: Option<&Leafs>, depth: usize) -> Result<(), MaskError> {
        self.take(b'{')?;
        self.blanks();
        if self.peek() == Some(b'}') {
            return self.take(b'}');
        }
        loop {
            let (raw, text) = self.string()?;
            let key = text.unwrap_or(&self.unescaped);
            let member = node.and_then(|n| n.members.get(key));
            let named = member.is_some() || matches!(inherited, Some(Leafs::Keep));
            self.sink.key(raw, key, node.and_then(|n| n.keys.as_ref()), named)?;
            let member = member.or_else(|| node.and_then(|n| n.other.as_deref()));
            self.at += raw.len();
            self.blanks();
            self.take(b':')?;
            self.blanks();
            self.value(member, inherited, depth + 1)?;
            self.blanks();
            if self.peek() == Some(b'}') {
                return self.take(b'}');
            }
            self.take(b',')?;
            self.blanks();
        }
    }

    fn array(&mut self, node: Option<&Node>, inherited: Option<&Leafs>, depth: usize) -> Result<(), MaskError> {
        self.take(b'[')?;
        self.blanks();
        if self.peek() == Some(b']') {
            return self.take(b']');
        }
        let items = node.and_then(|n| n.items.as_deref());
        loop {
            self.value(items, inherited, depth + 1)?;
            self.blanks();
            if self.peek() == Some(b']') {
                return self.take(b']');
            }
            self.take(b',')?;
            self.blanks();
        }
    }

    /// The string here with its quotes, and as it reads: `None` where that is in `unescaped`.
    fn string(&mut self) -> Result<(&'a str, Option<&'a str>), MaskError> {
        let text = self.text;
        let bytes = text.as_bytes();
        if self.peek() != Some(b'"') {
            return Err(MALFORMED);
        }
        let start = self.at + 1;
        let mut end = start;
        let mut escapes = false;
        loop {
            match bytes.get(end) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escapes = true;
                    end += 2;
                }
                Some(0x20..) => end += 1,
                _ => return Err(MALFORMED),
            }
        }
        let raw = text.get(start - 1..=end).ok_or(MALFORMED)?;
        let inner = &text[start..end];
        if escapes {
            self.unescaped.clear();
            unescape(inner, &mut self.unescaped)?;
        }
        Ok((raw, (!escapes).then_some(inner)))
    }

    fn number(&self) -> Result<&'a str, MaskError> {
        let bytes = &self.text.as_bytes()[self.at..];
        let digits = |from: usize| bytes.iter().skip(from).take_while(|b| b.is_ascii_digit()).count();
        let mut end = usize::from(bytes[0] == b'-');
        let whole = digits(end);
        if whole == 0 || whole > 1 && bytes[end] == b'0' {
            return Err(MALFORMED);
        }
        end += whole;
        if bytes.get(end) == Some(&b'.') {
            let fraction = digits(end + 1);
            if fraction == 0 {
                return Err(MALFORMED);
            }
            end += 1 + fraction;
        }
        if let Some(b'e' | b'E') = bytes.get(end) {
            end += 1 + usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            let exponent = digits(end);
            if exponent == 0 {
                return Err(MALFORMED);
            }
            end += exponent;
        }
        Ok(&self.text[self.at..self.at + end])
    }
}

/// Reads escapes. Half a surrogate pair, which `json` takes and `jsonb` does not, reads as the replacement character.
fn unescape(inner: &str, out: &mut String) -> Result<(), MaskError> {
    let mut rest = inner;
    while let Some(i) = rest.find('\\') {
        out.push_str(&rest[..i]);
        let escape = *rest.as_bytes().get(i + 1).ok_or(MALFORMED)?;
        rest = rest.get(i + 2..).ok_or(MALFORMED)?;
        out.push(match escape {
            b'"' | b'\\' | b'/' => char::from(escape),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = four(rest)?;
                rest = &rest[4..];
                let second = rest.strip_prefix("\\u").map(four).transpose()?;
                match (first, second) {
                    (0xd800..0xdc00, Some(second @ 0xdc00..0xe000)) => {
                        rest = &rest[6..];
                        char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + second - 0xdc00).unwrap_or('\u{fffd}')
                    }
                    (first, _) => char::from_u32(first).unwrap_or('\u{fffd}'),
                }
            }
            _ => return Err(MALFORMED),
        });
    }
    out.push_str(rest);
    Ok(())
}

fn four(text: &str) -> Result<u32, MaskError> {
    let digits = text.get(..4).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit())).ok_or(MALFORMED)?;
    u32::from_str_radix(digits, 16).map_err(|_| MALFORMED)
}

/// Writes the masked value.
struct Writer<'a> {
    by_kind: &'a ByKind,
    subject: Option<&'a str>,
    out: &'a mut String,
    /// In how many values we are that became something else.
    muted: usize,
    masked: String,
}

impl Writer<'_> {
    fn push(&mut self, raw: &str) {
        if self.muted == 0 {
            self.out.push_str(raw);
        }
    }

    fn push_masked(&mut self, masked: Masked) {
        match masked {
            Masked::Null => self.out.push_str("null"),
            Masked::Value => push_string(&self.masked, self.out),
        }
    }

    fn replace(&mut self, text: &str, rule: Option<&Leafs>) -> Result<(), MaskError> {
        self.masked.clear();
        let masked = match rule {
            Some(Leafs::Replace { text: mask, .. } | Leafs::Nested(mask)) => {
                mask.apply(text, self.subject, &mut self.masked)?
            }
            _ => self.by_kind.apply(text, &mut self.masked)?,
        };
        self.push_masked(masked);
        Ok(())
    }
}

impl Sink for Writer<'_> {
    fn between(&mut self, raw: &str) {
        self.push(raw);
    }

    fn string(&mut self, raw: &str, text: &str, rule: Option<&Leafs>) -> Result<(), MaskError> {
        match rule {
            _ if self.muted > 0 => Ok(()),
            Some(Leafs::Keep) => {
                self.push(raw);
                Ok(())
            }
            rule => self.replace(text, rule),
        }
    }

    fn key(&mut self, raw: &str, text: &str, rule: Option<&Leafs>, named: bool) -> Result<(), MaskError> {
        if self.muted > 0 {
            return Ok(());
        }
        if replaces_key(rule, text, named) {
            self.replace(text, rule)
        } else {
            self.push(raw);
            Ok(())
        }
    }

    fn number(&mut self, raw: &str, rule: Option<&Leafs>) -> Result<(), MaskError> {
        match rule {
            _ if self.muted > 0 => {}
            Some(Leafs::Keep) => self.push(raw),
            Some(Leafs::Replace { number: Some(number), .. }) => {
                number.apply(raw, self.subject, self.out)?;
            }
            _ => self.by_kind.number(raw, self.out)?,
        }
        Ok(())
    }

    fn becomes(&mut self, json: &str) {
        self.push(json);
        self.muted += 1;
    }

    fn became(&mut self) {
        self.muted -= 1;
    }
}

/// A key is replaced where a rule says so, or where nobody named it and it is somebody's.
fn replaces_key(rule: Option<&Leafs>, key: &str, named: bool) -> bool {
    match rule {
        Some(Leafs::Keep) => false,
        Some(_) => true,
        None => !named && ByKind::is_personal(key),
    }
}

/// Tells the texts.
struct Visitor<'a> {
    leaf: &'a mut dyn FnMut(Leaf<'_>),
    kept: bool,
    /// In how many values we are that become something else.
    gone: usize,
}

impl Visitor<'_> {
    fn tell(&mut self, text: &str, masked: bool) {
        (self.leaf)(Leaf { text, masked: masked || self.gone > 0 });
    }
}

impl Sink for Visitor<'_> {
    fn between(&mut self, _: &str) {}

    fn string(&mut self, _: &str, text: &str, rule: Option<&Leafs>) -> Result<(), MaskError> {
        match rule {
            Some(Leafs::Nested(nested)) if self.gone == 0 => nested.visit(text, self.leaf),
            rule => self.tell(text, !matches!(rule, Some(Leafs::Keep))),
        }
        Ok(())
    }

    fn key(&mut self, _: &str, text: &str, rule: Option<&Leafs>, named: bool) -> Result<(), MaskError> {
        self.tell(text, !self.kept && replaces_key(rule, text, named));
        Ok(())
    }

    fn number(&mut self, raw: &str, rule: Option<&Leafs>) -> Result<(), MaskError> {
        self.tell(raw, !matches!(rule, Some(Leafs::Keep)));
        Ok(())
    }

    fn becomes(&mut self, _: &str) {
        self.gone += 1;
    }

    fn became(&mut self) {
        self.gone -= 1;
    }
}

/// Says nothing: whether a text is JSON is all that is asked.
struct Check;

impl Sink for Check {
    fn between(&mut self, _: &str) {}

    fn string(&mut self, _: &str, _: &str, _: Option<&Leafs>) -> Result<(), MaskError> {
        Ok(())
    }

    fn key(&mut self, _: &str, _: &str, _: Option<&Leafs>, _: bool) -> Result<(), MaskError> {
        Ok(())
    }

    fn number(&mut self, _: &str, _: Option<&Leafs>) -> Result<(), MaskError> {
        Ok(())
    }

    fn becomes(&mut self, _: &str) {}

    fn became(&mut self) {}
}

/// Writes a string with its quotes and the escapes that it needs.
fn push_string(text: &str, out: &mut String) {
    use std::fmt::Write;
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if (c as u32) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}
