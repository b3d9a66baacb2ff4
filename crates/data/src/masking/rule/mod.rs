//! What may stand behind a column in `masking.toml`.

mod decimal;
mod grammar;
mod written;

pub use decimal::Decimal;
pub(super) use grammar::parse_rule;

/// What becomes of a column's values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// They are copied as they are.
    Keep,
    /// They are replaced.
    Mask(Masker),
}

/// How values are replaced. Each is described in `docs/masking.md`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Masker {
    /// An address at a reserved domain (RFC 2606), the same for each spelling of the original in upper and lower case.
    Email,
    /// A number of the same country, length and form.
    Phone,
    /// A person's whole name.
    Name,
    /// A given name.
    FirstName,
    /// A family name.
    LastName,
    /// An invented company.
    Company,
    /// A login name.
    Username,
    /// Street, number and city.
    Address,
    /// Street and number.
    Street,
    /// An invented city.
    City,
    /// A postcode of the same form.
    Postcode,
    /// Invented words, as many and as long as the original's.
    Text,
    /// A number in a range, both ends included.
    Number {
        /// The least.
        least: Decimal,
        /// The most.
        most: Decimal,
    },
    /// The number, more or less so many percent.
    Noise {
        /// Between 1 and 100.
        percent: u8,
    },
    /// The date, earlier or later by at most so many days, by the same number for each date of a subject.
    DateShift {
        /// The most days.
        days: u32,
        /// The column of the same row that says whose date it is.
        by: Option<String>,
    },
    /// An IP address.
    Ip {
        /// Whether addresses that share a prefix still do (and no two become one), rather than all being of reserved ranges.
        prefix: bool,
    },
    /// A UUID of the same version.
    Uuid,
    /// Digits for digits and letters for letters, no two alike.
    Id,
    /// Digits for digits; check digits of cards, IBANs, NIF, NIE and CIF stay right.
    Digits,
    /// A secret of the same form.
    Token,
    /// A URL at a reserved domain.
    Url,
    /// The hash of a known password, or one that no password has.
    Password {
        /// Whether one can log in with the known test password.
        usable: bool,
    },
    /// JSON, by path. What no path names is replaced by its kind.
    Json(Vec<(Path, Rule)>),
    /// `hstore`, by key. What is not named is replaced by its kind.
    Hstore {
        /// The keys that are named.
        keys: Vec<(String, Rule)>,
        /// What is done with the others, where `*` says so.
        rest: Option<Box<Rule>>,
    },
    /// A composite type, by field; every field is named.
    Composite(Vec<(String, Rule)>),
    /// As many pseudo-random bytes.
    Bytes,
    /// Another label of the enum.
    Enum,
    /// NULL.
    Null,
    /// Always the same value.
    Fixed(String),
    /// A text with pseudonyms in it.
    Template(Template),
    /// A hexadecimal pseudonym.
    Hash,
    /// A place at most half a degree away.
    Coordinates,
}

/// Where in a JSON value something is; `.` is the value itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(pub Vec<Segment>);

/// A step of a [`Path`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// The member of an object.
    Key(String),
    /// `*`: any member; at a path's end, everything beneath that no other path names.
    Any,
    /// `[*]`: each element of an array.
    Items,
    /// `@keys`: the names of an object's members, at a path's end.
    Keys,
}

/// What `template("…")` writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(pub Vec<TemplatePart>);

/// A part of a [`Template`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplatePart {
    /// Text, as it stands.
    Text(String),
    /// `{hash:N}`: so many letters and digits of a pseudonym, at most 32.
    Hash(usize),
    /// `{digits:N}`: so many digits of a pseudonym, at most 32.
    Digits(usize),
    /// `{first-name}`.
    FirstName,
    /// `{last-name}`.
    LastName,
}
