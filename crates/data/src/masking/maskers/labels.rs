//! `enum`: another label.

use super::Generate;
use crate::masking::key::Prf;
use crate::masking::mask::MaskError;

pub(super) struct Labels {
    /// In an order that the key decides. Each becomes the next one, so no two become one and none stays.
    order: Vec<String>,
}

impl Labels {
    pub(super) fn new(prf: &Prf, labels: &[String]) -> Self {
        let mut order = labels.to_vec();
        order.sort_by_cached_key(|label| prf.draw(label.as_bytes(), 0).bits());
        Self { order }
    }
}

impl Generate for Labels {
    fn generate(&self, value: &str, _: Option<&str>, _: u32, out: &mut String) -> Result<(), MaskError> {
        let at = self.order.iter().position(|l| l == value).ok_or(MaskError("not a label of the enum"))?;
        out.push_str(&self.order[(at + 1) % self.order.len()]);
        Ok(())
    }
}
