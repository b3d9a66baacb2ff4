//! JSON in a column of texts.

use super::json::{Json, is_json};
use crate::masking::mask::{Leaf, MaskError, Masked};
use crate::masking::maskers::{Scalar, Transform};

pub(in crate::masking) struct JsonText {
    json: Json,
    otherwise: Scalar,
    longest: Option<usize>,
}

impl JsonText {
    pub(in crate::masking) fn new(json: Json, otherwise: Scalar, longest: Option<usize>) -> Self {
        Self { json, otherwise, longest }
    }
}

impl Transform for JsonText {
    /// What is not JSON is masked as free text; so is what has no room for its pseudonyms.
    fn apply(&self, value: &str, subject: Option<&str>, out: &mut String) -> Result<Masked, MaskError> {
        let start = out.len();
        let masked = self.json.apply(value, subject, out);
        let fits = |out: &str| self.longest.is_none_or(|longest| out[start..].chars().count() <= longest);
        match masked {
            Ok(masked) if fits(out) => Ok(masked),
            _ => {
                out.truncate(start);
                self.otherwise.apply(value, subject, out)
            }
        }
    }

    fn visit(&self, value: &str, leaf: &mut dyn FnMut(Leaf<'_>)) {
        if is_json(value) { self.json.visit(value, leaf) } else { self.otherwise.visit(value, leaf) }
    }
}
