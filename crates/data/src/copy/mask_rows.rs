//! Masks the rows of one table as they pass.

use ambit_domain::{Failure, FailureKind};
use roaring::RoaringTreemap;

use super::{
    plan::Plan,
    rows::{Fields, Format, Rows, Writer},
};
use crate::{
    catalog::Codec,
    leak::{Recent, Sensitive, Words, sensitive},
    masking::{Leaf, Mask, Masked},
};

/// What one table came to.
#[derive(Debug, Default, Clone)]
pub(crate) struct Tally {
    pub(crate) read: u64,
    pub(crate) rows: u64,
    /// Values that came out of their mask as they had gone in, by column.
    pub(crate) unchanged: Vec<u64>,
}

pub(crate) struct MaskRows<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) title: &'a str,
    pub(crate) known: &'a Sensitive,
    /// Which rows are wanted, by their places; `None` for all. Then the first field is the place.
    pub(crate) wanted: Option<&'a RoaringTreemap>,
    pub(crate) tally: Tally,
    room: Room,
}

#[derive(Default)]
struct Room {
    raw: Vec<u8>,
    text: String,
    subject_raw: Vec<u8>,
    masked: String,
    bytes: Vec<u8>,
    notes: Notes,
}

impl<'a> MaskRows<'a> {
    pub(crate) fn new(
        plan: &'a Plan,
        title: &'a str,
        known: &'a Sensitive,
        wanted: Option<&'a RoaringTreemap>,
    ) -> Self {
        let tally = Tally { unchanged: vec![0; plan.columns.len()], ..Tally::default() };
        Self { plan, title, known, wanted, tally, room: Room::default() }
    }

    fn at(&self, column: usize, what: impl std::fmt::Display) -> Failure {
        let name = &self.plan.columns[column].name;
        Failure::new(FailureKind::User, format!("{}.{name} cannot be masked: {what}", self.title))
    }
}

impl Rows for MaskRows<'_> {
    fn row(&mut self, fields: &Fields<'_>, out: &mut Vec<u8>) -> Result<(), Failure> {
        self.tally.read += 1;
        let first = usize::from(self.wanted.is_some());
        let wanted = match self.wanted {
            Some(wanted) => place(self.plan.format, fields.raw(0)).is_some_and(|p| wanted.contains(p)),
            None => true,
        };
        let mut writer = wanted.then(|| {
            self.tally.rows += 1;
            Writer::begin(self.plan.format, self.plan.columns.len(), out)
        });
        for (n, column) in self.plan.columns.iter().enumerate() {
            let Some(mask) = &column.mask else {
                if let Some(writer) = &mut writer {
                    writer.raw(fields.raw(n + first));
                }
                continue;
            };
            let room = &mut self.room;
            let Some(raw) = fields.text(n + first, &mut room.raw) else {
                if let Some(writer) = &mut writer {
                    writer.raw(None);
                }
                continue;
            };
            let Some(text) = decode(column.codec, self.plan.format, raw, &mut room.text) else {
                return Err(self.at(n, "a value is not UTF-8 text"));
            };
            note(mask, text, self.known, &mut room.notes);
            let Some(writer) = &mut writer else { continue };
            let subject = match column.subject.and_then(|s| fields.text(s + first, &mut room.subject_raw)) {
                Some(bytes) => std::str::from_utf8(bytes).ok(),
                None => None,
            };
            room.masked.clear();
            match mask.apply(text, subject, &mut room.masked) {
                Ok(Masked::Null) => writer.raw(None),
                Ok(Masked::Value) => {
                    if column.differs && room.masked == text && says_something(text) {
                        self.tally.unchanged[n] += 1;
                    }
                    match encode(column.codec, self.plan.format, &room.masked, &mut room.bytes) {
                        Some(bytes) => writer.value(bytes),
                        None => return Err(self.at(n, "its masker made a value that the type does not know")),
                    }
                }
                Err(why) => return Err(self.at(n, why)),
            }
        }
        if let Some(writer) = writer {
            writer.end();
        }
        Ok(())
    }
}

/// A dash or a dot is nobody's.
fn says_something(text: &str) -> bool {
    text.chars().filter(|c| c.is_alphanumeric()).take(4).count() == 4
}

/// What it takes to note what is replaced.
#[derive(Default)]
struct Notes {
    words: Words,
    recent: Recent,
    new: Vec<u64>,
}

/// Notes what a mask replaces.
fn note(mask: &Mask, text: &str, known: &Sensitive, notes: &mut Notes) {
    let Notes { words, recent, new } = notes;
    let mut count = 0;
    mask.visit(text, &mut |leaf: Leaf<'_>| {
        if leaf.masked {
            count += 1;
            sensitive(words, leaf.text, |f| {
                if !recent.saw(f) {
                    new.push(f);
                }
            });
        }
    });
    known.add_all(new);
    known.count(count);
}

/// The place of a row in its relation as one number: its block and its number there (`ctid`, manual 5.5).
pub(crate) fn place(format: Format, raw: Option<&[u8]>) -> Option<u64> {
    let raw = raw?;
    match format {
        Format::Binary => {
            let block = u32::from_be_bytes(raw.get(..4)?.try_into().ok()?);
            let number = u16::from_be_bytes(raw.get(4..6)?.try_into().ok()?);
            Some(u64::from(block) << 16 | u64::from(number))
        }
        Format::Text => {
            let text = std::str::from_utf8(raw).ok()?;
            let (block, number) = text.strip_prefix('(')?.strip_suffix(')')?.split_once(',')?;
            Some(block.parse::<u64>().ok()? << 16 | number.parse::<u64>().ok()?)
        }
    }
}

fn decode<'r>(codec: Codec, format: Format, raw: &'r [u8], room: &'r mut String) -> Option<&'r str> {
    if format == Format::Text {
        return std::str::from_utf8(raw).ok();
    }
    match codec {
        Codec::Text => return std::str::from_utf8(raw).ok(),
        Codec::Jsonb => return std::str::from_utf8(raw.strip_prefix(&[1])?).ok(),
        Codec::Uuid => {
            room.clear();
            const DIGITS: &[u8; 16] = b"0123456789abcdef";
            for (n, byte) in raw.iter().enumerate() {
                if matches!(n, 4 | 6 | 8 | 10) {
                    room.push('-');
                }
                room.push(char::from(DIGITS[usize::from(byte >> 4)]));
                room.push(char::from(DIGITS[usize::from(byte & 15)]));
            }
        }
        Codec::Integer(bytes) => {
            let value = match bytes {
                2 => i64::from(i16::from_be_bytes(raw.try_into().ok()?)),
                4 => i64::from(i32::from_be_bytes(raw.try_into().ok()?)),
                _ => i64::from_be_bytes(raw.try_into().ok()?),
            };
            room.clear();
            use std::fmt::Write as _;
            write!(room, "{value}").ok()?;
        }
    }
    Some(room)
}

fn encode<'r>(codec: Codec, format: Format, text: &'r str, room: &'r mut Vec<u8>) -> Option<&'r [u8]> {
    if format == Format::Text || codec == Codec::Text {
        return Some(text.as_bytes());
    }
    room.clear();
    match codec {
        Codec::Text => {}
        Codec::Jsonb => {
            room.push(1);
            room.extend_from_slice(text.as_bytes());
        }
        Codec::Uuid => {
            let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
            let mut digits = text.bytes().filter(|b| *b != b'-').map(digit);
            while let Some(high) = digits.next() {
                room.push(high? << 4 | digits.next()??);
            }
            if room.len() != 16 {
                return None;
            }
        }
        Codec::Integer(2) => room.extend_from_slice(&text.parse::<i16>().ok()?.to_be_bytes()),
        Codec::Integer(4) => room.extend_from_slice(&text.parse::<i32>().ok()?.to_be_bytes()),
        Codec::Integer(_) => room.extend_from_slice(&text.parse::<i64>().ok()?.to_be_bytes()),
    }
    Some(room)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binary_values_are_read_and_written_as_postgresql_does() {
        let (mut text, mut bytes) = (String::new(), Vec::new());
        for (codec, raw, written) in [
            (Codec::Integer(4), &[0xff, 0xff, 0xff, 0xfe][..], "-2"),
            (Codec::Integer(2), &[1, 0], "256"),
            (Codec::Jsonb, b"\x01{\"a\": 1}", "{\"a\": 1}"),
            (
                Codec::Uuid,
                &[0xa0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
                "a0010203-0405-0607-0809-0a0b0c0d0e0f",
            ),
        ] {
            assert_eq!(decode(codec, Format::Binary, raw, &mut text), Some(written));
            assert_eq!(encode(codec, Format::Binary, written, &mut bytes), Some(raw));
        }
        assert_eq!(decode(Codec::Jsonb, Format::Binary, b"\x02{}", &mut text), None);
        assert_eq!(encode(Codec::Integer(2), Format::Binary, "70000", &mut bytes), None);
    }

    #[test]
    fn a_rows_place_is_the_same_in_both_forms() {
        assert_eq!(place(Format::Binary, Some(&[0, 0, 1, 0, 0, 7])), Some(256 << 16 | 7));
        assert_eq!(place(Format::Text, Some(b"(256,7)")), Some(256 << 16 | 7));
    }
}
