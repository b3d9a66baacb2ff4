//! Numbers as people write them, without the roundings of floating point.

use std::fmt;
use std::str::FromStr;

/// The most digits of a [`Decimal`]; products of two that are this long still fit 128 bits when one is a percentage.
const DIGITS: usize = 30;

/// A decimal number: `mantissa` times ten to the power of `-scale`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decimal {
    /// All its digits, with the sign.
    pub mantissa: i128,
    /// How many of them stand behind the point; at most 30.
    pub scale: u32,
}

impl FromStr for Decimal {
    type Err = ();

    /// Reads `-12.50`; neither exponents nor more than 30 digits.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all = whole.len() + fraction.len();
        if all == 0 || all > DIGITS || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
            return Err(());
        }
        let mantissa = whole.bytes().chain(fraction.bytes()).fold(0i128, |sum, b| sum * 10 + i128::from(b - b'0'));
        Ok(Self { mantissa: if negative { -mantissa } else { mantissa }, scale: fraction.len() as u32 })
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.mantissa < 0 {
            f.write_str("-")?;
        }
        let digits = self.mantissa.unsigned_abs();
        if self.scale == 0 {
            return write!(f, "{digits}");
        }
        let one = 10u128.pow(self.scale.min(38));
        write!(f, "{}.{:0width$}", digits / one, digits % one, width = self.scale as usize)
    }
}

impl Decimal {
    /// The mantissa at another scale, rounded towards zero; `None` if it does not fit.
    pub(in crate::masking) fn at_scale(self, scale: u32) -> Option<i128> {
        if scale >= self.scale {
            self.mantissa.checked_mul(10i128.checked_pow(scale - self.scale)?)
        } else {
            Some(self.mantissa / 10i128.checked_pow(self.scale - scale)?)
        }
    }

    /// Whether this is less than the other; numbers that are too far apart to be compared exactly are compared roughly.
    pub(in crate::masking) fn less_than(self, other: Self) -> bool {
        let scale = self.scale.max(other.scale);
        match (self.at_scale(scale), other.at_scale(scale)) {
            (Some(a), Some(b)) => a < b,
            _ => self.roughly() < other.roughly(),
        }
    }

    fn roughly(self) -> f64 {
        self.mantissa as f64 / 10f64.powi(self.scale as i32)
    }
}
