//! What is done with texts that nobody named: each is replaced by one of its kind.

use crate::column::Shape;
use crate::masking::mask::{MaskError, Masked};
use crate::masking::maskers::kind::Kind;
use crate::masking::maskers::{Generate, Maskers, Transform};
use crate::masking::rule::Masker;
use std::sync::Arc;

/// Days by which dates without a rule move: they stay in their season.
const DAYS: u32 = 30;

pub(in crate::masking) struct ByKind {
    email: Arc<dyn Transform>,
    url: Arc<dyn Transform>,
    uuid: Arc<dyn Transform>,
    date: Arc<dyn Transform>,
    ip: Arc<dyn Transform>,
    token: Arc<dyn Transform>,
    password: Arc<dyn Transform>,
    digits: Arc<dyn Transform>,
    phone: Arc<dyn Transform>,
    text: Arc<dyn Transform>,
    number: Box<dyn Generate>,
}

impl ByKind {
    pub(in crate::masking) fn new(maskers: &mut Maskers<'_>) -> Self {
        let number = maskers.json_number();
        let mut ready = |masker| maskers.ready(&masker, &Shape::Text { longest: None }, false);
        Self {
            email: ready(Masker::Email),
            url: ready(Masker::Url),
            uuid: ready(Masker::Uuid),
            date: ready(Masker::DateShift { days: DAYS, by: None }),
            ip: ready(Masker::Ip { prefix: false }),
            token: ready(Masker::Token),
            password: ready(Masker::Password { usable: true }),
            digits: ready(Masker::Digits),
            phone: ready(Masker::Phone),
            text: ready(Masker::Text),
            number,
        }
    }

    /// Appends one of the text's kind.
    pub(super) fn apply(&self, text: &str, out: &mut String) -> Result<Masked, MaskError> {
        let transform = match Kind::of(text) {
            Kind::Email => &self.email,
            Kind::Url => &self.url,
            Kind::Uuid => &self.uuid,
            Kind::Date => &self.date,
            Kind::Ip => &self.ip,
            Kind::Jwt | Kind::Token => &self.token,
            Kind::PasswordHash => &self.password,
            Kind::Card | Kind::Iban | Kind::Nif | Kind::Number => &self.digits,
            Kind::Phone => &self.phone,
            Kind::Text => &self.text,
        };
        transform.apply(text, None, out)
    }

    /// Appends a number of as many digits, which JSON takes.
    pub(super) fn number(&self, number: &str, out: &mut String) -> Result<(), MaskError> {
        self.number.generate(number, None, 0, out)
    }

    /// Whether a key is somebody's rather than something's name: maps from addresses to anything are common.
    pub(super) fn is_personal(key: &str) -> bool {
        matches!(
            Kind::of(key),
            Kind::Email
                | Kind::Ip
                | Kind::Jwt
                | Kind::Token
                | Kind::PasswordHash
                | Kind::Card
                | Kind::Iban
                | Kind::Nif
                | Kind::Phone
        )
    }
}
