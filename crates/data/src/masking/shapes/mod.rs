//! Values that contain others: arrays, composites, `hstore`, JSON. Each is read in PostgreSQL's text form, and written in it again.

mod array;
mod by_kind;
mod composite;
mod hstore;
mod json;
mod json_rules;
mod json_text;

use std::sync::Arc;

pub(super) use array::Array;
pub(super) use by_kind::ByKind;
pub(super) use composite::Composite;
pub(super) use hstore::Hstore;
pub(super) use json::{Json, is_json};
pub(super) use json_text::JsonText;

use super::maskers::{Keep, Transform};
use crate::column::Shape;

/// Values that are kept, but whose texts can be visited.
pub(super) fn kept(shape: &Shape) -> Arc<dyn Transform> {
    match shape {
        Shape::Array(element) => Arc::new(Array::kept(kept(element))),
        Shape::Composite { fields } => Arc::new(Composite::kept(fields)),
        Shape::Hstore => Arc::new(Hstore::kept()),
        Shape::Json => Arc::new(Json::kept()),
        _ => Arc::new(Keep),
    }
}
