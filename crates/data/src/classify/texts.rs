//! Columns of texts, and strings in JSON.

use super::json;
use super::judge::{Place, birth};
use super::lexicon::{Meaning, Subject};
use super::sampled::Sampled;
use super::verdict::{Verdict, share};
use crate::masking::Masker;
use crate::masking::kind::Kind;

/// From this share on, values are what most of them are.
const MOST: f32 = 0.8;

/// From so many values on, they count.
const SOME: usize = 3;

pub(super) fn judge(place: &Place<'_>, sampled: &Sampled, values: &[&str]) -> Verdict {
    by_values(place, sampled)
        .or_else(|| (sampled.values >= SOME && sampled.json() >= MOST).then(|| json::judge(place.table, values)))
        .or_else(|| place.meaning.and_then(|meaning| by_name(meaning, place, sampled)))
        .unwrap_or_else(|| by_look(place, sampled))
}

/// What values are beyond doubt, whatever the column is called.
fn by_values(place: &Place<'_>, sampled: &Sampled) -> Option<Verdict> {
    if sampled.values < SOME {
        return None;
    }
    use Meaning as M;
    let told: [(Kind, Masker, &[M], &str); 10] = [
        (Kind::Email, Masker::Email, &[M::Email], "e-mail addresses"),
        (Kind::PasswordHash, Masker::Password { usable: true }, &[M::Password], "hashes of passwords"),
        (Kind::Jwt, Masker::Token, &[M::Token], "JSON Web Tokens"),
        (Kind::Iban, Masker::Digits, &[M::Account], "IBANs with right check digits"),
        (Kind::Card, Masker::Digits, &[M::Card], "card numbers with right check digits"),
        (Kind::Nif, Masker::Digits, &[M::NationalId], "NIF, NIE or CIF with right letters"),
        (Kind::Ip, Masker::Ip { prefix: false }, &[M::Ip], "IP addresses"),
        (Kind::Phone, Masker::Phone, &[M::Phone], "phone numbers"),
        (Kind::Url, Masker::Url, &[M::Url, M::Picture], "URLs"),
        (Kind::Token, Masker::Token, &[M::Token], "random texts"),
    ];
    for (kind, masker, meanings, what) in told {
        let found = sampled.kind(kind);
        if found < MOST {
            continue;
        }
        let named = place.meaning.is_some_and(|m| meanings.contains(&m));
        let shown = share(found, sampled.values);
        match (kind, place.meaning) {
            // Checksums and the row's own number are random, and nobody's.
            (Kind::Token, Some(M::Plain | M::Id)) if !place.table.secrets => {
                return Some(Verdict::keep(0.6, format!("{shown} are {what}, and {}", place.said)));
            }
            // What is longer than a word and random enough may also be a password, or somebody's number elsewhere.
            (Kind::Token, Some(M::Password | M::ForeignId)) => return None,
            (Kind::Url, _) if place.table.is_catalog() && sampled.urls_with_data() == 0.0 => {
                return Some(Verdict::keep(0.6, format!("{shown} are {what} of things that are offered")));
            }
            // Numbers in groups may be other numbers than phones'.
            (Kind::Phone, Some(M::NationalId | M::Account | M::Card | M::Pin | M::ForeignId)) => return None,
            _ => {}
        }
        let data = sampled.urls_with_data();
        let confidence = if named {
            0.98
        } else if matches!(kind, Kind::Phone | Kind::Token | Kind::Url) {
            0.8
        } else {
            0.95
        };
        let reason = match (named, kind) {
            (true, _) => format!("name and {shown} look like {what}"),
            (_, Kind::Url) if data > 0.0 => {
                format!("{shown} are {what}, {:.0} % with addresses or tokens in them", data * 100.0)
            }
            _ => format!("{shown} look like {what}"),
        };
        return Some(Verdict::mask(masker, confidence, reason));
    }
    let uuids = sampled.kind(Kind::Uuid);
    if uuids >= MOST {
        let shown = share(uuids, sampled.values);
        return Some(match place.meaning {
            Some(M::Token | M::ForeignId | M::Password) => {
                Verdict::mask(Masker::Uuid, 0.9, format!("{shown} are UUIDs, and {}", place.said))
            }
            _ => Verdict::keep(0.85, format!("{shown} are UUIDs")),
        });
    }
    let dates = sampled.kind(Kind::Date);
    (dates >= MOST).then(|| match place.meaning {
        Some(M::Birth) => Verdict::mask(birth(place.table), 0.95, format!("a date, and {}", place.said)),
        _ => Verdict::keep(0.75, format!("{} are dates", share(dates, sampled.values))),
    })
}

/// What the name says, where values do not contradict it.
fn by_name(meaning: Meaning, place: &Place<'_>, sampled: &Sampled) -> Option<Verdict> {
    use Meaning as M;
    let said = || place.said.clone();
    let mask = |masker, confidence| Some(Verdict::mask(masker, confidence, said()));
    let catalog = place.table.is_catalog();
    match meaning {
        M::Email => mask(Masker::Email, 0.85),
        M::Phone => mask(Masker::Phone, 0.9),
        M::FullName => mask(Masker::Name, 0.9),
        M::FirstName => mask(Masker::FirstName, 0.95),
        M::LastName => mask(Masker::LastName, 0.95),
        M::Company => mask(Masker::Company, 0.9),
        M::Username => mask(Masker::Username, 0.9),
        M::Address => mask(Masker::Address, 0.9),
        M::Street => mask(Masker::Street, 0.9),
        M::City if catalog => Some(Verdict::keep(0.7, "the name of a place, in a list of places")),
        M::City => mask(Masker::City, 0.8),
        M::Postcode => mask(Masker::Postcode, 0.9),
        M::Birth => mask(birth(place.table), 0.9),
        M::Age | M::Pin | M::Income => mask(Masker::Digits, 0.7),
        M::NationalId | M::Account | M::Card => mask(Masker::Digits, 0.9),
        M::Token => mask(Masker::Token, 0.9),
        M::Password => mask(Masker::Password { usable: true }, 0.95),
        M::Ip => mask(Masker::Ip { prefix: false }, 0.9),
        M::UserAgent => mask(Masker::Text, 0.7),
        M::Url if catalog => Some(Verdict::keep(0.5, format!("{}, of something that is offered", place.said))),
        M::Url | M::Picture => mask(Masker::Url, 0.8),
        M::ForeignId => mask(Masker::Id, 0.8),
        M::File if catalog => None,
        M::File => mask(Masker::Text, 0.6),
        M::Latitude | M::Longitude => mask(Masker::Coordinates, 0.9),
        M::Place if sampled.pairs() >= 0.5 => mask(Masker::Coordinates, 0.9),
        M::Place => mask(Masker::Address, 0.5),
        M::Sensitive => mask(Masker::Text, 0.7),
        M::Who if sampled.people() >= 0.5 => mask(Masker::Name, 0.85),
        M::Who => mask(Masker::Username, 0.6),
        M::Prose if sampled.few() && sampled.prose() == 0.0 && !place.personal => {
            Some(Verdict::keep(0.6, format!("{} different values among {}", sampled.distinct, sampled.values)))
        }
        M::Prose => mask(Masker::Text, if catalog { 0.5 } else { 0.9 }),
        M::Id if suspicious(sampled) => None,
        M::Id => Some(Verdict::keep(0.8, "a key")),
        M::Plain if place.table.secrets && place.said.contains("\"key\"") => mask(Masker::Token, 0.7),
        M::Plain if suspicious(sampled) || place.personal => None,
        M::Plain => Some(Verdict::keep(if sampled.few() { 0.9 } else { 0.75 }, said())),
        M::Title => title(place, sampled),
        // What it is the name of is for the values to say.
        M::Name => None,
    }
}

/// Whether values are more than a kind, a state or a key would be.
fn suspicious(sampled: &Sampled) -> bool {
    sampled.prose() >= 0.2 || sampled.mixed() > 0.02 || sampled.people() >= 0.3 || sampled.kind(Kind::Email) > 0.05
}

fn title(place: &Place<'_>, sampled: &Sampled) -> Option<Verdict> {
    if sampled.few() && !suspicious(sampled) && !place.personal {
        return Some(Verdict::keep(0.75, format!("{} different values among {}", sampled.distinct, sampled.values)));
    }
    if place.table.is_catalog() && sampled.prose() < 0.5 && sampled.mixed() == 0.0 && !place.personal {
        return Some(Verdict::keep(0.7, "what something is called that is offered"));
    }
    match place.table.subject {
        Subject::Person | Subject::Company
            if sampled.prose() < 0.2 && !suspicious(sampled) && place.said.contains("tit") =>
        {
            Some(Verdict::keep(0.6, "somebody's title"))
        }
        Subject::Content => Some(Verdict::mask(Masker::Text, 0.85, "what people write")),
        _ if place.table.owned => Some(Verdict::mask(Masker::Text, 0.8, "what somebody called it")),
        _ => None,
    }
}

/// What values look like, where the name says nothing.
fn by_look(place: &Place<'_>, sampled: &Sampled) -> Verdict {
    let of = |found: f32, what: &str| format!("{} look like {what}", share(found, sampled.values));
    let people = sampled.people().max(sampled.given()).max(sampled.family());
    if sampled.values >= SOME {
        let named = sampled.people() + sampled.given() + sampled.family();
        if sampled.people() >= 0.4 || named >= 0.6 && sampled.people() > 0.1 {
            return Verdict::mask(Masker::Name, 0.75, of(named, "names of people"));
        }
        if sampled.given() >= 0.6 {
            return Verdict::mask(Masker::FirstName, 0.65, of(sampled.given(), "given names"));
        }
        if sampled.family() >= 0.6 {
            return Verdict::mask(Masker::LastName, 0.65, of(sampled.family(), "family names"));
        }
    }
    if sampled.mixed() > 0.02 || sampled.prose() >= 0.2 {
        let what = if sampled.prose() >= 0.2 { "prose" } else { "texts with addresses or numbers of people" };
        return Verdict::mask(Masker::Text, 0.75, of(sampled.prose().max(sampled.mixed()), what));
    }
    if sampled.few() && people < 0.3 && sampled.kind(Kind::Email) == 0.0 && !place.personal {
        return Verdict::keep(0.75, format!("{} different values among {}", sampled.distinct, sampled.values));
    }
    if sampled.pairs() >= MOST && sampled.values >= SOME {
        return Verdict::mask(Masker::Coordinates, 0.75, of(sampled.pairs(), "places"));
    }
    if sampled.values >= SOME && sampled.kind(Kind::Token) >= 0.5 {
        return Verdict::mask(Masker::Token, 0.7, of(sampled.kind(Kind::Token), "random texts"));
    }
    let numbers = sampled.kind(Kind::Number) + sampled.kind(Kind::Phone) + sampled.kind(Kind::Card);
    if place.table.is_catalog() && sampled.phrases() < 0.9 && !place.personal {
        return Verdict::keep(0.5, "a short text of something that is offered");
    }
    if sampled.values >= SOME && numbers >= MOST {
        return Verdict::mask(Masker::Digits, 0.4, of(numbers, "numbers of some kind"));
    }
    let reason = if place.personal { "its comment says that it is personal" } else { "nothing says what it is" };
    Verdict::mask(Masker::Text, if place.personal { 0.7 } else { 0.3 }, reason)
}
