//! Lines and columns of places in a text, asked in ascending order so that each byte is counted once.

/// A text's lines, walked forward.
pub(super) struct Places<'a> {
    text: &'a [u8],
    line: usize,
    start: usize,
    end: usize,
    before: &'a [u8],
    counted: usize,
    column: usize,
}

impl<'a> Places<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        let end = memchr::memchr(b'\n', text).unwrap_or(text.len());
        Self { text, line: 1, start: 0, end, before: &[], counted: 0, column: 1 }
    }

    /// Line and column (both from 1) of a byte that is not before the last one asked for.
    pub(super) fn seek(&mut self, place: usize) -> (usize, usize) {
        while place > self.end && self.end < self.text.len() {
            self.before = &self.text[self.start..self.end];
            self.line += 1;
            self.start = self.end + 1;
            self.end = memchr::memchr(b'\n', &self.text[self.start..]).map_or(self.text.len(), |end| self.start + end);
            (self.counted, self.column) = (self.start, 1);
        }
        let place = place.clamp(self.counted, self.text.len());
        // Bytes that continue a character do not count.
        self.column += self.text[self.counted..place].iter().filter(|byte| **byte & 0xc0 != 0x80).count();
        self.counted = place;
        (self.line, self.column)
    }

    /// The line of the last place, and the one before it.
    pub(super) fn lines(&self) -> (&'a [u8], &'a [u8]) {
        (&self.text[self.start..self.end], self.before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_in_lines_and_characters() {
        let text = "äb\n\ncd";
        let mut places = Places::new(text.as_bytes());
        assert_eq!(places.seek(0), (1, 1));
        assert_eq!(places.seek(2), (1, 2));
        assert_eq!(places.seek(4), (2, 1));
        assert_eq!(places.seek(6), (3, 2));
        assert_eq!(places.lines(), (&b"cd"[..], &b""[..]));
        assert_eq!(places.seek(60), (3, 3));
    }
}
