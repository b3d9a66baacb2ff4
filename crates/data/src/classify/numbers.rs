//! Columns of numbers.

use super::judge::Place;
use super::lexicon::Meaning;
use super::sampled::Sampled;
use super::verdict::{Verdict, share};
use crate::column::Shape;
use crate::masking::kind::Kind;
use crate::masking::{Decimal, Masker};

pub(super) fn judge(place: &Place<'_>, sampled: &Sampled) -> Verdict {
    let whole = matches!(place.shape, Shape::Integer { .. });
    let float = *place.shape == Shape::Float;
    let between = |least, most| {
        let number = |mantissa| Decimal { mantissa, scale: 0 };
        Masker::Number { least: number(least), most: number(most) }
    };
    let masker = match place.meaning {
        Some(Meaning::Latitude | Meaning::Longitude | Meaning::Place) if !whole => Some(Masker::Coordinates),
        Some(Meaning::Income) => Some(Masker::Noise { percent: 20 }),
        Some(Meaning::Age) => Some(between(18, 90)),
        Some(Meaning::Birth) => Some(between(1940, 2005)),
        Some(Meaning::Sensitive) if place.table.owned => Some(Masker::Noise { percent: 20 }),
        _ if float => None,
        Some(Meaning::Phone) => Some(Masker::Phone),
        Some(Meaning::Postcode) => Some(Masker::Postcode),
        Some(Meaning::NationalId | Meaning::Account | Meaning::Card | Meaning::Pin) => Some(Masker::Digits),
        Some(Meaning::ForeignId | Meaning::Token | Meaning::Password) => Some(Masker::Id),
        _ => None,
    };
    if let Some(masker) = masker {
        return Verdict::mask(masker, 0.85, place.said.clone());
    }
    let cards = sampled.kind(Kind::Card);
    if sampled.values >= 10 && cards >= 0.8 {
        return Verdict::mask(Masker::Digits, 0.9, format!("{} are card numbers", share(cards, sampled.values)));
    }
    match place.meaning {
        _ if place.personal => {
            Verdict::mask(Masker::Noise { percent: 20 }, 0.5, "its comment says that it is personal")
        }
        Some(Meaning::Id | Meaning::Who) => Verdict::keep(0.95, "a key"),
        _ => Verdict::keep(0.9, "a number that says nothing of a person alone"),
    }
}
