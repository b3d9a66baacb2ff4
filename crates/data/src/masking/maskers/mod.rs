//! The maskers, one file a kind of value.

mod ready;
mod scalar;

mod bytes;
mod dates;
mod email;
mod ids;
mod labels;
pub(crate) mod names;
mod network;
mod numbers;
mod password;
mod phone;
mod places;
mod pseudonyms;
mod text;
mod token;
mod url;

/// What maskers need of a column, for those who check it.
pub(super) mod limits {
    pub(in crate::masking) use super::email::LEAST as EMAIL;
    pub(in crate::masking) use super::names::SUFFIX;
    pub(in crate::masking) use super::numbers::bounds;
    pub(in crate::masking) use super::pseudonyms::{LEAST_HASH as HASH, USERNAME};
    pub(in crate::masking) use super::ready::longest;
    pub(in crate::masking) use super::url::LEAST as URL;
}

pub(super) mod calendar;
pub(super) mod checks;
pub(crate) mod kind;

pub(super) use ready::Maskers;
pub(super) use scalar::{Constant, Keep, Scalar};

use super::mask::{Leaf, MaskError, Masked};

/// What can be done with one value, which may contain others.
pub(super) trait Transform: Send + Sync {
    /// Appends what becomes of the value.
    fn apply(&self, value: &str, subject: Option<&str>, out: &mut String) -> Result<Masked, MaskError>;

    /// Visits the texts in the value.
    fn visit(&self, value: &str, leaf: &mut dyn FnMut(Leaf<'_>));
}

/// How one text is replaced by another.
pub(super) trait Generate: Send + Sync {
    /// Appends the replacement of a value that is not empty. `turn` counts how often the replacement was the value itself: a pseudonym is drawn again.
    fn generate(&self, value: &str, subject: Option<&str>, turn: u32, out: &mut String) -> Result<(), MaskError>;
}
