//! On which line of a JSON text a value stands. Only for texts that were parsed before: it finds places and judges nothing.

/// The line, from 1, of the value that a path of keys leads to.
pub(super) fn line_of(text: &str, path: &[&str]) -> Option<usize> {
    let mut at = Walk { bytes: text.as_bytes(), position: 0 };
    let found = at.find(path)?;
    Some(text.as_bytes().get(..found)?.iter().filter(|b| **b == b'\n').count() + 1)
}

struct Walk<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl Walk<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.position).copied()
    }

    fn space(&mut self) {
        while self.peek().is_some_and(|b| b.is_ascii_whitespace() || b == b',' || b == b':') {
            self.position += 1;
        }
    }

    /// The text of a string; the position is then behind it.
    fn string(&mut self) -> Option<String> {
        let start = self.position;
        self.position += 1;
        loop {
            match self.peek()? {
                b'\\' => self.position += 2,
                b'"' => break,
                _ => self.position += 1,
            }
        }
        self.position += 1;
        serde_json::from_slice(self.bytes.get(start..self.position)?).ok()
    }

    /// Goes on behind a value.
    fn skip(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            self.space();
            match self.peek()? {
                b'"' => drop(self.string()?),
                b'{' | b'[' => {
                    depth += 1;
                    self.position += 1;
                }
                b'}' | b']' => {
                    depth = depth.checked_sub(1)?;
                    self.position += 1;
                }
                _ => {
                    while self.peek().is_some_and(|b| !b" \t\r\n,:]}".contains(&b)) {
                        self.position += 1;
                    }
                }
            }
            if depth == 0 {
                return Some(());
            }
        }
    }

    fn find(&mut self, path: &[&str]) -> Option<usize> {
        self.space();
        let Some((wanted, rest)) = path.split_first() else { return Some(self.position) };
        if self.peek()? != b'{' {
            return None;
        }
        self.position += 1;
        loop {
            self.space();
            if self.peek()? != b'"' {
                return None;
            }
            if self.string()? == *wanted {
                return self.find(rest);
            }
            self.skip()?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_by_its_keys_and_not_by_its_text() {
        let text = "{\n \"a\": { \"x\": \"b\", \"n\": [1, {\"b\": 2}], \"e\": \"\\\"b\" },\n \"b\": {\n  \"c\\u0064\": 1\n }\n}";
        assert_eq!(line_of(text, &["b"]), Some(3));
        assert_eq!(line_of(text, &["b", "cd"]), Some(4));
        assert_eq!(line_of(text, &["a", "e"]), Some(2));
        assert_eq!(line_of(text, &["a", "b"]), None);
        assert_eq!(line_of(text, &[]), Some(1));
        for broken in ["", "{", "{\"", "{\"a", "{\"a\":", "[", "{\"a\":\\", "nul"] {
            assert_eq!(line_of(broken, &["a", "b"]), None, "{broken}");
        }
    }
}
