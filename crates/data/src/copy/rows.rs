//! The rows of COPY, taken apart and put together again (PostgreSQL manual, COPY: File Formats). Fields that nobody asks for go
//! through as they are.

use ambit_domain::{Failure, FailureKind};

/// How rows travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Quicker, but only for types whose binary form means the same everywhere.
    Binary,
    /// For every type.
    Text,
}

impl Format {
    /// What COPY has to be told to load rows as frozen: they belong to a table that is emptied in the same transaction, and nobody
    /// sees them before it is complete. No later reader has to mark them as committed, page by page.
    pub(crate) fn loading(self) -> &'static str {
        match self {
            Self::Binary => "(FORMAT binary, FREEZE)",
            Self::Text => "(FORMAT text, FREEZE)",
        }
    }

    /// What COPY has to be told.
    pub(crate) fn option(self) -> &'static str {
        match self {
            Self::Binary => "(FORMAT binary)",
            Self::Text => "(FORMAT text)",
        }
    }
}

/// What is done with a row: its fields come as they travel, `None` for NULL, without the form's own escapes where
/// [`Fields::text`] takes them.
pub(crate) trait Rows {
    /// Appends the row that shall come out, if any.
    fn row(&mut self, fields: &Fields<'_>, out: &mut Vec<u8>) -> Result<(), Failure>;

    /// Whether no more rows are of use.
    fn enough(&self) -> bool {
        false
    }
}

/// The fields of one row.
pub(crate) struct Fields<'a> {
    format: Format,
    fields: &'a [Option<(usize, usize)>],
    bytes: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(crate) fn raw(&self, index: usize) -> Option<&'a [u8]> {
        let (from, to) = (*self.fields.get(index)?)?;
        self.bytes.get(from..to)
    }

    /// A field of the text form without its escapes.
    pub(crate) fn text<'r>(&self, index: usize, room: &'r mut Vec<u8>) -> Option<&'r [u8]>
    where
        'a: 'r,
    {
        let raw = self.raw(index)?;
        if self.format == Format::Binary || memchr::memchr(b'\\', raw).is_none() {
            return Some(raw);
        }
        unescape(raw, room);
        Some(room)
    }
}

/// Writes one row.
pub(crate) struct Writer<'a> {
    format: Format,
    out: &'a mut Vec<u8>,
    first: bool,
}

impl<'a> Writer<'a> {
    pub(crate) fn begin(format: Format, fields: usize, out: &'a mut Vec<u8>) -> Self {
        if format == Format::Binary {
            out.extend_from_slice(&i16::try_from(fields).unwrap_or(i16::MAX).to_be_bytes());
        }
        Self { format, out, first: true }
    }

    fn separate(&mut self) {
        if self.format == Format::Text && !std::mem::take(&mut self.first) {
            self.out.push(b'\t');
        }
    }

    /// A field as it came.
    pub(crate) fn raw(&mut self, field: Option<&[u8]>) {
        self.separate();
        match (self.format, field) {
            (Format::Binary, None) => self.out.extend_from_slice(&(-1_i32).to_be_bytes()),
            (Format::Binary, Some(bytes)) => {
                self.out.extend_from_slice(&i32::try_from(bytes.len()).unwrap_or(i32::MAX).to_be_bytes());
                self.out.extend_from_slice(bytes);
            }
            (Format::Text, None) => self.out.extend_from_slice(b"\\N"),
            (Format::Text, Some(bytes)) => self.out.extend_from_slice(bytes),
        }
    }

    /// A value; it is escaped where the form asks for that.
    pub(crate) fn value(&mut self, value: &[u8]) {
        match self.format {
            Format::Binary => self.raw(Some(value)),
            Format::Text => {
                self.separate();
                escape(value, self.out);
            }
        }
    }

    pub(crate) fn end(self) {
        if self.format == Format::Text {
            self.out.push(b'\n');
        }
    }
}

/// `PGCOPY\n\377\r\n\0`, no flags, no extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const TRAILER: &[u8] = &(-1_i16).to_be_bytes();

/// Takes a stream of COPY apart into rows.
pub(crate) struct Reader {
    format: Format,
    carry: Vec<u8>,
    fields: Vec<Option<(usize, usize)>>,
    header: bool,
    ended: bool,
}

impl Reader {
    pub(crate) fn new(format: Format) -> Self {
        Self { format, carry: Vec::new(), fields: Vec::new(), header: format == Format::Binary, ended: false }
    }

    /// What a stream of the format begins with.
    pub(crate) fn opening(format: Format) -> &'static [u8] {
        if format == Format::Binary { HEADER } else { b"" }
    }

    /// What a stream of the format ends with.
    pub(crate) fn closing(format: Format) -> &'static [u8] {
        if format == Format::Binary { TRAILER } else { b"" }
    }

    /// Hands every row of the next piece on.
    pub(crate) fn push(&mut self, piece: &[u8], rows: &mut impl Rows, out: &mut Vec<u8>) -> Result<(), Failure> {
        if self.carry.is_empty() {
            let used = self.take(piece, rows, out)?;
            self.carry.extend_from_slice(piece.get(used..).unwrap_or_default());
            return Ok(());
        }
        let mut whole = std::mem::take(&mut self.carry);
        whole.extend_from_slice(piece);
        let used = self.take(&whole, rows, out)?;
        whole.drain(..used);
        self.carry = whole;
        Ok(())
    }

    /// Whether the stream ended where a row does.
    pub(crate) fn finish(&self) -> Result<(), Failure> {
        if self.carry.is_empty() && !self.header && (self.ended || self.format == Format::Text) {
            Ok(())
        } else {
            Err(torn())
        }
    }

    fn take(&mut self, bytes: &[u8], rows: &mut impl Rows, out: &mut Vec<u8>) -> Result<usize, Failure> {
        let mut at = 0;
        if self.header {
            if bytes.len() < HEADER.len() {
                return Ok(0);
            }
            let extension = bytes.get(15..19).and_then(|b| b.try_into().ok()).map_or(0, i32::from_be_bytes);
            let whole = HEADER.len() + usize::try_from(extension).map_err(|_| torn())?;
            if bytes.get(..11) != HEADER.get(..11) {
                return Err(torn());
            }
            if bytes.len() < whole {
                return Ok(0);
            }
            self.header = false;
            at = whole;
        }
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            if rest.is_empty() || self.ended {
                return Ok(at);
            }
            let used = match self.format {
                Format::Binary => self.binary_row(rest)?,
                Format::Text => self.text_row(rest),
            };
            let Some(used) = used else { return Ok(at) };
            if !self.ended {
                rows.row(&Fields { format: self.format, fields: &self.fields, bytes: rest }, out)?;
            }
            at += used;
        }
    }

    fn binary_row(&mut self, bytes: &[u8]) -> Result<Option<usize>, Failure> {
        let Some(count) = bytes.get(..2).and_then(|b| b.try_into().ok()).map(i16::from_be_bytes) else {
            return Ok(None);
        };
        if count == -1 {
            self.ended = true;
            return Ok(Some(2));
        }
        self.fields.clear();
        let mut at = 2;
        for _ in 0..count {
            let Some(length) = bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map(i32::from_be_bytes) else {
                return Ok(None);
            };
            at += 4;
            if length < 0 {
                self.fields.push(None);
                continue;
            }
            let end = at + usize::try_from(length).map_err(|_| torn())?;
            if end > bytes.len() {
                return Ok(None);
            }
            self.fields.push(Some((at, end)));
            at = end;
        }
        Ok(Some(at))
    }

    fn text_row(&mut self, bytes: &[u8]) -> Option<usize> {
        let end = memchr::memchr(b'\n', bytes)?;
        self.fields.clear();
        let mut from = 0;
        for to in memchr::memchr_iter(b'\t', &bytes[..end]).chain([end]) {
            self.fields.push((&bytes[from..to] != b"\\N").then_some((from, to)));
            from = to + 1;
        }
        Some(end + 1)
    }
}

fn torn() -> Failure {
    Failure::new(FailureKind::Internal, "the database sent rows in a form that is not understood")
}

fn unescape(raw: &[u8], room: &mut Vec<u8>) {
    room.clear();
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        room.extend_from_slice(&rest[..at]);
        let escaped = rest.get(at + 1).copied().unwrap_or(b'\\');
        room.push(match escaped {
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 11,
            other => other,
        });
        rest = rest.get(at + 2..).unwrap_or_default();
    }
    room.extend_from_slice(rest);
}

fn escape(value: &[u8], out: &mut Vec<u8>) {
    let special = |b: &u8| matches!(b, b'\\' | b'\n' | b'\r' | b'\t' | 8 | 11 | 12);
    let mut rest = value;
    while let Some(at) = rest.iter().position(special) {
        out.extend_from_slice(&rest[..at]);
        out.push(b'\\');
        out.push(match rest[at] {
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            8 => b'b',
            11 => b'v',
            12 => b'f',
            other => other,
        });
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Collect(Vec<Vec<Option<Vec<u8>>>>);

    impl Rows for Collect {
        fn row(&mut self, fields: &Fields<'_>, _: &mut Vec<u8>) -> Result<(), Failure> {
            let mut room = Vec::new();
            let row = (0..fields.fields.len()).map(|i| fields.text(i, &mut room).map(<[u8]>::to_vec)).collect();
            self.0.push(row);
            Ok(())
        }
    }

    proptest! {
        #[test]
        fn rows_come_out_as_they_went_in_however_the_stream_is_cut(
            rows in prop::collection::vec(prop::collection::vec(prop::option::of(prop::collection::vec(any::<u8>(), 0..12)), 1..5), 0..6),
            binary in any::<bool>(), cut in 1_usize..40,
        ) {
            let format = if binary { Format::Binary } else { Format::Text };
            let mut stream = Reader::opening(format).to_vec();
            for row in &rows {
                let mut writer = Writer::begin(format, row.len(), &mut stream);
                for field in row {
                    match field {
                        Some(value) => writer.value(value),
                        None => writer.raw(None),
                    }
                }
                writer.end();
            }
            stream.extend_from_slice(Reader::closing(format));
            let (mut reader, mut collect) = (Reader::new(format), Collect(Vec::new()));
            for piece in stream.chunks(cut) {
                reader.push(piece, &mut collect, &mut Vec::new()).unwrap();
            }
            reader.finish().unwrap();
            prop_assert_eq!(collect.0, rows);
        }

        #[test]
        fn nothing_that_a_server_sends_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), binary in any::<bool>()) {
            let format = if binary { Format::Binary } else { Format::Text };
            let mut stream = Reader::opening(format).to_vec();
            stream.extend_from_slice(&bytes);
            let _ = Reader::new(format).push(&stream, &mut Collect(Vec::new()), &mut Vec::new());
        }
    }
}
