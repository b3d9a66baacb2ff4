//! What all maskers of single values have in common.

use super::{Generate, Transform};
use crate::masking::mask::{Leaf, MaskError, Masked};

/// How often a replacement that is the value itself is drawn again. A value without letters and digits stays what it is under some
/// maskers, whatever is drawn.
const TURNS: u32 = 8;

/// A value that is replaced as a whole. An empty one stays empty; blanks that only fill a `char(n)` are not part of the value.
pub(in crate::masking) struct Scalar {
    pub(super) generate: Box<dyn Generate>,
    /// The most characters that the column takes.
    pub(super) longest: Option<usize>,
    /// The length of a `char(n)`.
    pub(super) padded: Option<usize>,
    /// Whether the column takes upper and lower case for the same, as `citext` does: then they have the same replacement.
    pub(super) folded: bool,
}

impl Transform for Scalar {
    fn apply(&self, value: &str, subject: Option<&str>, out: &mut String) -> Result<Masked, MaskError> {
        let start = out.len();
        let value = if self.padded.is_some() { value.trim_end_matches(' ') } else { value };
        if !value.is_empty() {
            let lower = self.folded.then(|| value.to_lowercase());
            let value = lower.as_deref().unwrap_or(value);
            for turn in 0..TURNS {
                out.truncate(start);
                self.generate.generate(value, subject, turn, out)?;
                if let Some(longest) = self.longest {
                    shorten(out, start, longest);
                }
                if out.get(start..) != Some(value) {
                    break;
                }
            }
        }
        if let Some(length) = self.padded {
            let missing = length.saturating_sub(out.get(start..).map_or(0, |s| s.chars().count()));
            out.extend(std::iter::repeat_n(' ', missing));
        }
        Ok(Masked::Value)
    }

    fn visit(&self, value: &str, leaf: &mut dyn FnMut(Leaf<'_>)) {
        let text = if self.padded.is_some() { value.trim_end_matches(' ') } else { value };
        leaf(Leaf { text, masked: true });
    }
}

/// Cuts what was written since `start` to so many characters.
fn shorten(out: &mut String, start: usize, longest: usize) {
    // A character has at most four bytes, and no fewer than one: counting is seldom needed.
    if out.len() - start <= longest {
        return;
    }
    if let Some((end, _)) = out.get(start..).and_then(|s| s.char_indices().nth(longest)) {
        out.truncate(start + end);
        let kept = out.trim_end_matches(' ').len().max(start);
        out.truncate(kept);
    }
}

/// Always the same, or NULL.
pub(in crate::masking) struct Constant(pub(in crate::masking) Option<String>);

impl Transform for Constant {
    fn apply(&self, _: &str, _: Option<&str>, out: &mut String) -> Result<Masked, MaskError> {
        let Some(value) = &self.0 else { return Ok(Masked::Null) };
        out.push_str(value);
        Ok(Masked::Value)
    }

    fn visit(&self, value: &str, leaf: &mut dyn FnMut(Leaf<'_>)) {
        leaf(Leaf { text: value, masked: true });
    }
}

/// Copies the value.
pub(in crate::masking) struct Keep;

impl Transform for Keep {
    fn apply(&self, value: &str, _: Option<&str>, out: &mut String) -> Result<Masked, MaskError> {
        out.push_str(value);
        Ok(Masked::Value)
    }

    fn visit(&self, value: &str, leaf: &mut dyn FnMut(Leaf<'_>)) {
        leaf(Leaf { text: value, masked: false });
    }
}
