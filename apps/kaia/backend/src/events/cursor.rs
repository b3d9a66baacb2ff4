//! Where a page ended, so that the next one begins there. Opaque to clients.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};

use crate::http::problem::Problem;

/// The start and the id of the last item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    pub time: DateTime<Utc>,
    pub id: i64,
}

impl Cursor {
    pub fn write(self) -> String {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.time.timestamp_micros().to_be_bytes());
        bytes[8..].copy_from_slice(&self.id.to_be_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    pub fn read(text: &str) -> Result<Self, Problem> {
        Self::parse(text).ok_or_else(|| Problem::field("cursor", "is a next_cursor as it was answered"))
    }

    fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; 16] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let (time, id) = bytes.split_at(8);
        let time = DateTime::from_timestamp_micros(i64::from_be_bytes(time.try_into().ok()?))?;
        // What PostgreSQL can hold.
        let sane = (-2_208_988_800..7_258_118_400).contains(&time.timestamp());
        sane.then_some(Self { time, id: i64::from_be_bytes(id.try_into().ok()?) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_went() {
        let cursor = Cursor { time: "2026-01-05T10:00:00.000123Z".parse().unwrap(), id: -7 };
        assert_eq!(Cursor::read(&cursor.write()).unwrap(), cursor);
        for wrong in ["", "x", "AAAA", "////////////////////////", &"f".repeat(22)] {
            assert!(Cursor::read(wrong).is_err(), "{wrong}");
        }
    }
}
