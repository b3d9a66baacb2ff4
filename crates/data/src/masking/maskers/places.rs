//! `postcode` and `coordinates`.

use super::Generate;
use super::ids::Ids;
use crate::masking::key::{Draw, Prf};
use crate::masking::mask::MaskError;
use crate::masking::permutation::Symbols;
use crate::masking::rule::Decimal;

pub(super) struct Postcode {
    pub(super) ids: Ids,
}

impl Generate for Postcode {
    /// Of five digits the first two stay: a Spanish province, a German region, three states of the USA at most.
    fn generate(&self, value: &str, subject: Option<&str>, turn: u32, out: &mut String) -> Result<(), MaskError> {
        if value.len() != 5 || !value.bytes().all(|b| b.is_ascii_digit()) {
            return self.ids.generate(value, subject, turn, out);
        }
        let (region, rest) = value.split_at(2);
        let mut symbols = Symbols::default();
        rest.bytes().for_each(|b| symbols.push(b - b'0', 10));
        self.ids.permutation.exchange(&mut symbols, region.as_bytes());
        out.push_str(region);
        out.extend(symbols.values().iter().map(|v| char::from(b'0' + v)));
        Ok(())
    }
}

pub(super) struct Coordinates {
    pub(super) prf: Prf,
    /// Digits behind the point, where the column declares them.
    pub(super) scale: Option<u32>,
    /// For texts that are no places, where the column is one of texts.
    pub(super) otherwise: Option<Ids>,
}

impl Generate for Coordinates {
    /// Moves each number of the value by at most half a degree (some 55 km of latitude). What is between numbers stays.
    fn generate(&self, value: &str, subject: Option<&str>, turn: u32, out: &mut String) -> Result<(), MaskError> {
        let start = out.len();
        // Floating point writes what is close to zero with an exponent.
        if let (true, Ok(number)) = (value.contains('e'), value.parse::<f64>()) {
            return self.generate(&format!("{number:.6}"), subject, turn, out);
        }
        if value == "NaN" {
            out.push_str(value);
            return Ok(());
        }
        match (self.numbers(value, turn, out), &self.otherwise) {
            (Some(()), _) => Ok(()),
            (None, None) => Err(MaskError("not a place")),
            (None, Some(ids)) => {
                out.truncate(start);
                ids.generate(value, subject, turn, out)
            }
        }
    }
}

impl Coordinates {
    /// `None` if there are none, or things that are more than numbers and what stands between them.
    fn numbers(&self, value: &str, turn: u32, out: &mut String) -> Option<()> {
        let mut draw = self.prf.draw(value.as_bytes(), turn);
        let mut rest = value;
        let mut any = None;
        while let Some(start) = rest.find(|c: char| c.is_ascii_digit() || c == '-') {
            let (before, number) = rest.split_at(start);
            out.push_str(before);
            let end = number[1..].find(|c: char| !c.is_ascii_digit() && c != '.').map_or(number.len(), |i| 1 + i);
            let (number, after) = number.split_at(end);
            any = Some(self.moved(number.parse().ok()?, &mut draw, out)?);
            rest = after;
        }
        out.push_str(rest);
        any.filter(|()| !value.contains(char::is_alphabetic))
    }

    fn moved(&self, number: Decimal, draw: &mut Draw, out: &mut String) -> Option<()> {
        use std::fmt::Write;
        // Whole degrees move by tenths where the type has them.
        let scale = self.scale.unwrap_or(number.scale.max(1)).min(15);
        let at = number.at_scale(scale)?;
        let degree = 10i128.pow(scale);
        let half = (degree / 2).max(1);
        let drawn = draw.below(2 * half as usize) as i128;
        let by = if drawn < half { drawn - half } else { drawn - half + 1 };
        // A latitude stays one.
        let most = if at.abs() <= 90 * degree { 90 } else { 180 } * degree;
        let moved = if (at + by).abs() <= most { at + by } else { at - by };
        write!(out, "{}", Decimal { mantissa: moved, scale }).ok()
    }
}
