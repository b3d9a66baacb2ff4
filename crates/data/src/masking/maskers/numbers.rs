//! `number` and `noise`.

use super::Generate;
use crate::masking::key::Prf;
use crate::masking::mask::MaskError;
use crate::masking::rule::Decimal;

/// What the column's type takes.
#[derive(Clone, Copy)]
pub(super) struct Range {
    /// The most, as a magnitude at `scale`.
    pub(super) most: i128,
    /// Digits behind the point; `None` where they are those of the value.
    pub(super) scale: Option<u32>,
}

impl Range {
    /// The most digits behind the point that are written.
    const DEEPEST: u32 = 15;

    fn scale_of(self, value: &str) -> u32 {
        let digits = || value.parse::<Decimal>().map_or(0, |d| d.scale);
        self.scale.unwrap_or_else(digits).min(Self::DEEPEST)
    }
}

/// A number between two, both included.
pub(super) struct Number {
    pub(super) prf: Prf,
    pub(super) least: Decimal,
    pub(super) most: Decimal,
    pub(super) range: Range,
}

/// The least and the most at a scale: never outside of what was asked for.
pub(in crate::masking) fn bounds(least: Decimal, most: Decimal, scale: u32) -> Option<(i128, i128)> {
    let (low, high) = (least.at_scale(scale)?, most.at_scale(scale)?);
    let inside = |n: i128| Decimal { mantissa: n, scale };
    let low = if inside(low).less_than(least) { low + 1 } else { low };
    let high = if most.less_than(inside(high)) { high - 1 } else { high };
    (low < high).then_some((low, high))
}

impl Generate for Number {
    fn generate(&self, value: &str, _: Option<&str>, turn: u32, out: &mut String) -> Result<(), MaskError> {
        use std::fmt::Write;
        let least_scale = self.least.scale.max(self.most.scale);
        // Where the type says nothing, the value's own digits are as many as are needed to be within the range.
        let scale = self.range.scale_of(value);
        let scales = [Some(scale), self.range.scale.is_none().then_some(scale.max(least_scale))];
        let (scale, (low, high)) = scales
            .into_iter()
            .flatten()
            .find_map(|scale| Some((scale, bounds(self.least, self.most, scale)?)))
            .ok_or(MaskError("no number of the column's type is in the range"))?;
        let drawn = self.prf.draw(value.as_bytes(), turn).below_wide((high - low) as u128 + 1);
        let _ = write!(out, "{}", Decimal { mantissa: low + drawn as i128, scale });
        Ok(())
    }
}

/// The number, more or less a part of itself.
pub(super) struct Noise {
    pub(super) prf: Prf,
    pub(super) percent: u8,
    pub(super) range: Range,
}

impl Generate for Noise {
    /// `NaN` and the infinities stay.
    fn generate(&self, value: &str, _: Option<&str>, turn: u32, out: &mut String) -> Result<(), MaskError> {
        use std::fmt::Write;
        let mut draw = self.prf.draw(value.as_bytes(), turn);
        let Ok(number) = value.parse::<Decimal>() else {
            return self.rough(value, draw.next(), out);
        };
        let scale = self.range.scale.unwrap_or(number.scale).min(38);
        let mantissa = number.at_scale(scale).unwrap_or(number.mantissa);
        let scale = if number.at_scale(scale).is_some() { scale } else { number.scale };
        // At least one unit, or small numbers would stay.
        let most = (mantissa.unsigned_abs() / 100 * u128::from(self.percent)
            + mantissa.unsigned_abs() % 100 * u128::from(self.percent) / 100)
            .max(1) as i128;
        let drawn = draw.below_wide(2 * most as u128) as i128;
        let by = if drawn < most { drawn - most } else { drawn - most + 1 };
        let within = |n: i128| n.unsigned_abs() <= self.range.most.unsigned_abs();
        let moved = [mantissa + by, mantissa - by].into_iter().find(|n| within(*n)).unwrap_or(mantissa / 2);
        let _ = write!(out, "{}", Decimal { mantissa: moved, scale });
        Ok(())
    }
}

impl Noise {
    /// For numbers with exponents, and those of too many digits.
    fn rough(&self, value: &str, drawn: u64, out: &mut String) -> Result<(), MaskError> {
        use std::fmt::Write;
        let number: f64 = value.parse().map_err(|_| MaskError("not a number"))?;
        if !number.is_finite() || number == 0.0 {
            out.push_str(value);
            return Ok(());
        }
        let part = f64::from(self.percent) / 100.0 * ((drawn >> 11) as f64 / (1u64 << 52) as f64 - 1.0);
        let _ = match number * (1.0 + part) {
            moved if moved.is_finite() => write!(out, "{moved:e}"),
            _ => write!(out, "{:e}", number / 2.0),
        };
        Ok(())
    }
}
