//! Masking: what `masking.toml` says of each column, whether that fits the database, and the maskers themselves.
//!
//! Everything here is pure: it reads texts and values that it is given and never speaks to a database.
//!
//! A mask is a function of the value and the key alone, never of the table or the column: the same e-mail address has the same
//! pseudonym everywhere, in this copy and in the next one, so joins and foreign keys hold. Without the key nothing can be
//! computed back: pseudonyms are outputs of HMAC-SHA-256 or of a permutation keyed by it.

mod compare;
mod file;
mod fit;
mod key;
mod mask;
mod maskers;
mod merge;
mod permutation;
mod proposal;
mod render;
mod rule;
mod shapes;

pub use compare::{Difference, Finding, agreed, compare};
pub use file::{Entry, Language, MaskingFile, Problem};
pub(crate) use fit::check as fits;
pub use key::MaskKey;
pub use mask::{Leaf, Mask, MaskError, Masked};
pub(crate) use maskers::kind;
pub(crate) use maskers::names::{family_names, given_names};
pub use merge::{Merged, merge};
pub use proposal::Proposal;
pub use render::render;
pub use rule::{Decimal, Masker, Path, Rule, Segment, Template, TemplatePart};
