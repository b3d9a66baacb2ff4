//! Which masker is made ready how, by the shape of the column.

use std::sync::Arc;

use super::bytes::Bytes;
use super::dates::DateShift;
use super::email::Email;
use super::ids::{Cards, Ids, NumberIds};
use super::labels::Labels;
use super::names::{Dictionary, Named, What};
use super::network::Ip;
use super::numbers::{Noise, Number, Range};
use super::password::Password;
use super::phone::Phone;
use super::places::{Coordinates, Postcode};
use super::pseudonyms::{HASH, Hash, Templated, Username, Uuid};
use super::text::Text;
use super::token::Token;
use super::url::Url;
use super::{Constant, Generate, Scalar, Transform};
use crate::column::Shape;
use crate::masking::file::Language;
use crate::masking::key::{MaskKey, Prf};
use crate::masking::permutation::Permutation;
use crate::masking::rule::{Masker, Rule};
use crate::masking::shapes;

/// What is needed to make maskers ready.
pub(in crate::masking) struct Maskers<'a> {
    key: &'a MaskKey,
    language: Language,
    data_type: &'a str,
    by_kind: Option<Arc<shapes::ByKind>>,
}

impl<'a> Maskers<'a> {
    pub(in crate::masking) fn new(key: &'a MaskKey, language: Language, data_type: &'a str) -> Self {
        Self { key, language, data_type, by_kind: None }
    }

    /// A rule made ready for values of a shape.
    pub(in crate::masking) fn rule(&mut self, rule: &Rule, shape: &Shape) -> Arc<dyn Transform> {
        match rule {
            Rule::Keep => shapes::kept(shape),
            Rule::Mask(masker) => self.ready(masker, shape, false),
        }
    }

    /// What is done with texts that no rule names.
    pub(in crate::masking) fn by_kind(&mut self) -> Arc<shapes::ByKind> {
        if let Some(ready) = &self.by_kind {
            return Arc::clone(ready);
        }
        let ready = Arc::new(shapes::ByKind::new(self));
        self.by_kind = Some(Arc::clone(&ready));
        ready
    }

    /// A masker that fits made ready for values of a shape.
    pub(in crate::masking) fn ready(&mut self, masker: &Masker, shape: &Shape, unique: bool) -> Arc<dyn Transform> {
        match (masker, shape) {
            (Masker::Null, _) => Arc::new(Constant(None)),
            (Masker::Fixed(value), _) => Arc::new(Constant(Some(value.clone()))),
            (Masker::Json(paths), _) if !matches!(shape, Shape::Array(_)) => self.json(paths, shape),
            (Masker::Hstore { keys, rest }, Shape::Hstore) => {
                Arc::new(shapes::Hstore::new(self, keys, rest.as_deref()))
            }
            (Masker::Composite(rules), Shape::Composite { fields }) => {
                Arc::new(shapes::Composite::new(self, rules, fields))
            }
            (masker, Shape::Array(element)) => Arc::new(shapes::Array::new(self.ready(masker, element, unique))),
            (masker, shape) => Arc::new(self.scalar(masker, shape, unique)),
        }
    }

    fn json(&mut self, paths: &[(crate::masking::rule::Path, Rule)], shape: &Shape) -> Arc<dyn Transform> {
        let json = shapes::Json::new(self, paths);
        match shape {
            Shape::Json => Arc::new(json),
            shape => Arc::new(shapes::JsonText::new(json, self.scalar(&Masker::Text, shape, false), longest(shape))),
        }
    }

    fn scalar(&self, masker: &Masker, shape: &Shape, unique: bool) -> Scalar {
        let padded = match shape {
            Shape::Padded { length } => Some(*length),
            _ => None,
        };
        Scalar {
            generate: self.generate(masker, shape, unique),
            longest: longest(shape),
            padded,
            folded: self.data_type.contains("citext"),
        }
    }

    fn generate(&self, masker: &Masker, shape: &Shape, unique: bool) -> Box<dyn Generate> {
        let texts = matches!(shape, Shape::Text { .. } | Shape::Padded { .. });
        let otherwise = || texts.then(|| self.ids("id"));
        let longest = longest(shape);
        let named =
            |what, purpose| Named { prf: self.prf(purpose), what, dictionary: self.dictionary(), unique, longest };
        match masker {
            Masker::Email => Box::new(Email::new(self.prf("email"), longest)),
            Masker::Phone if texts => Box::new(Phone { ids: self.ids("phone"), language: self.language }),
            Masker::Name => Box::new(named(What::Person, "name")),
            Masker::FirstName => Box::new(named(What::First, "first-name")),
            Masker::LastName => Box::new(named(What::Last, "last-name")),
            Masker::Company => Box::new(named(What::Company, "company")),
            Masker::Street => Box::new(named(What::Street, "street")),
            Masker::City => Box::new(named(What::City, "city")),
            Masker::Address => Box::new(named(What::Address, "address")),
            Masker::Username => Box::new(Username { prf: self.prf("username"), longest }),
            Masker::Postcode if texts => Box::new(Postcode { ids: self.ids("postcode") }),
            Masker::Number { least, most } => {
                Box::new(Number { prf: self.prf("number"), least: *least, most: *most, range: range(shape) })
            }
            Masker::Noise { percent } => {
                Box::new(Noise { prf: self.prf("noise"), percent: *percent, range: range(shape) })
            }
            Masker::DateShift { days, .. } => {
                Box::new(DateShift { prf: self.prf("date-shift"), days: *days, otherwise: otherwise() })
            }
            Masker::Ip { prefix } => Box::new(Ip {
                prf: self.prf(if *prefix { "ip-prefix" } else { "ip" }),
                prefix: *prefix,
                cidr: self.data_type.starts_with("cidr"),
                otherwise: otherwise(),
            }),
            Masker::Uuid => self.uuid(),
            Masker::Id | Masker::Digits if *shape == Shape::Uuid => self.uuid(),
            Masker::Id if texts => Box::new(self.ids("id")),
            Masker::Digits if texts => Box::new(Cards { ids: self.ids("digits") }),
            Masker::Token => Box::new(Token { prf: self.prf("token"), ids: self.ids("token") }),
            Masker::Url => Box::new(Url { prf: self.prf("url") }),
            Masker::Password { usable } => Box::new(Password { usable: *usable, longest }),
            Masker::Bytes => {
                Box::new(Bytes { prf: self.prf("bytes"), permutation: Permutation::new(self.key, "bytes") })
            }
            Masker::Enum => {
                let labels = match shape {
                    Shape::Enum { labels } => labels.as_slice(),
                    _ => &[],
                };
                Box::new(Labels::new(&self.prf("enum"), labels))
            }
            Masker::Template(template) => Box::new(Templated {
                prf: self.prf("template"),
                template: template.clone(),
                dictionary: self.dictionary(),
            }),
            Masker::Hash => Box::new(Hash { prf: self.prf("hash"), length: longest.unwrap_or(HASH).min(HASH) }),
            Masker::Coordinates => Box::new(Coordinates {
                prf: self.prf("coordinates"),
                scale: range(shape).scale,
                otherwise: otherwise(),
            }),
            Masker::Id | Masker::Digits | Masker::Phone | Masker::Postcode => Box::new(self.number_ids(masker, shape)),
            // Containers and constants are no scalars; the rest are masked as text by whoever comes here.
            Masker::Text
            | Masker::Json(_)
            | Masker::Hstore { .. }
            | Masker::Composite(_)
            | Masker::Null
            | Masker::Fixed(_) => Box::new(Text { prf: self.prf("text"), language: self.language }),
        }
    }

    fn number_ids(&self, masker: &Masker, shape: &Shape) -> NumberIds {
        let most = match shape {
            Shape::Integer { .. } => Some(range(shape).most as u64),
            _ => None,
        };
        let purpose = if *masker == Masker::Digits { "digits-number" } else { "id-number" };
        let cards = (*masker == Masker::Digits).then(|| Cards { ids: self.ids("digits") });
        NumberIds { permutation: Arc::new(Permutation::new(self.key, purpose)), most, cards }
    }

    /// `id` for numbers in JSON.
    pub(in crate::masking) fn json_number(&self) -> Box<dyn Generate> {
        Box::new(self.number_ids(&Masker::Id, &Shape::Numeric { precision: None, scale: None }))
    }

    fn uuid(&self) -> Box<dyn Generate> {
        Box::new(Uuid { prf: self.prf("uuid"), otherwise: self.ids("id") })
    }

    fn dictionary(&self) -> &'static Dictionary {
        Dictionary::of(self.language)
    }

    fn prf(&self, purpose: &str) -> Prf {
        Prf::new(self.key, purpose)
    }

    fn ids(&self, purpose: &str) -> Ids {
        Ids { permutation: Arc::new(Permutation::new(self.key, purpose)) }
    }
}

/// The most characters of a shape's values.
pub(in crate::masking) fn longest(shape: &Shape) -> Option<usize> {
    match shape {
        Shape::Text { longest } => *longest,
        Shape::Padded { length } => Some(*length),
        _ => None,
    }
}

/// What numbers a shape takes.
fn range(shape: &Shape) -> Range {
    match shape {
        Shape::Integer { bytes } => Range { most: (1i128 << (8 * u32::from(*bytes) - 1)) - 1, scale: Some(0) },
        Shape::Numeric { precision: Some(precision), scale } => {
            let most = 10i128.checked_pow(u32::from(*precision)).unwrap_or(i128::MAX) - 1;
            Range { most, scale: Some(u32::try_from(scale.unwrap_or(0)).unwrap_or(0).min(30)) }
        }
        _ => Range { most: i128::MAX, scale: None },
    }
}
