//! What a classification and a mask have to know of a column. Values are spoken of in PostgreSQL's text form
//! (manual, chapter 8), without the escapes of COPY.

use serde::{Deserialize, Serialize};

/// Where a column is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ColumnName {
    /// Its schema.
    pub schema: String,
    /// Its table.
    pub table: String,
    /// Its own name.
    pub column: String,
}

impl std::fmt::Display for ColumnName {
    /// `public.users.email`; parts with other characters than letters, digits and `_` stand in quotes.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let part = |part: &str| {
            if part.chars().all(|c| c.is_alphanumeric() || c == '_') {
                part.to_owned()
            } else {
                format!("\"{}\"", part.replace('"', "\"\"").escape_debug().to_string().replace("\\\"", "\""))
            }
        };
        write!(f, "{}.{}.{}", part(&self.schema), part(&self.table), part(&self.column))
    }
}

/// What a type's values look like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// `text`, `varchar`, `citext`, `name`, `xml`: anything, of at most so many characters.
    Text {
        /// The most characters that the declaration allows.
        longest: Option<usize>,
    },
    /// `char(n)`: padded with blanks.
    Padded {
        /// Its length.
        length: usize,
    },
    /// `json` or `jsonb`.
    Json,
    /// `uuid`.
    Uuid,
    /// `smallint`, `integer`, `bigint`, by their bytes.
    Integer {
        /// 2, 4 or 8.
        bytes: u8,
    },
    /// `numeric(precision, scale)`.
    Numeric {
        /// Digits in all, where declared.
        precision: Option<u16>,
        /// Digits behind the point, where declared.
        scale: Option<i16>,
    },
    /// `real`, `double precision`.
    Float,
    /// `boolean`: `t` or `f`.
    Boolean,
    /// `date`.
    Date,
    /// `timestamp`, with or without time zone.
    Timestamp {
        /// Whether it has a zone.
        zone: bool,
    },
    /// `inet` or `cidr`.
    Network,
    /// `bytea`, in hex form.
    Bytes,
    /// An enum.
    Enum {
        /// Its labels.
        labels: Vec<String>,
    },
    /// An array; its text form is `{…}` (manual, 8.15.6).
    Array(Box<Shape>),
    /// `hstore`; its text form is `"key"=>"value", …`.
    Hstore,
    /// A composite type; its text form is `(…)` (manual, 8.16.6).
    Composite {
        /// Its fields.
        fields: Vec<(String, Shape)>,
    },
    /// Anything else (`time`, `interval`, `money`, ranges, `point`, `tsvector`, `macaddr`, …): kept, null, fixed or hashed as
    /// the type allows.
    Other,
}

/// A column as it is declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnFacts {
    /// Where it is.
    pub name: ColumnName,
    /// Its type as `format_type` writes it: `character varying(40)`.
    pub data_type: String,
    /// What its values look like; for a domain, those of the type beneath.
    pub shape: Shape,
    /// Whether NULL is refused.
    pub not_null: bool,
    /// Whether it is part of a unique index, a primary key or an exclusion constraint.
    pub unique: bool,
    /// Whether PostgreSQL computes it (`GENERATED ALWAYS AS … STORED`).
    pub generated: bool,
    /// What somebody wrote about it.
    pub comment: Option<String>,
    /// The column that a foreign key makes it point to.
    pub references: Option<ColumnName>,
}
