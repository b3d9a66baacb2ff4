//! The types of a database, and what their values look like.

use std::collections::HashMap;

use ambit_domain::Failure;
use tokio_postgres::Client;

use crate::{column::Shape, database::failed};

/// Object ids below this one are PostgreSQL's own and the same in every database (`FirstNormalObjectId`,
/// src/include/access/transam.h).
const FIRST_NORMAL: u32 = 16_384;

/// How a value's binary form is made of its text form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Codec {
    /// They are the same.
    Text,
    /// A version byte stands before the text (`jsonb_send`, src/backend/utils/adt/jsonb.c).
    Jsonb,
    /// Sixteen bytes.
    Uuid,
    /// So many bytes, the most significant first.
    Integer(usize),
}

struct Type {
    name: String,
    /// `b`, `c`, `d`, `e`, `p`, `r`, `m` (manual, 53.64).
    kind: char,
    base: u32,
    base_modifier: i32,
    element: u32,
    is_array: bool,
    has_binary: bool,
    labels: Vec<String>,
    fields: Vec<(String, u32, i32)>,
}

pub(crate) struct Types(HashMap<u32, Type>);

impl Types {
    pub(crate) async fn read(client: &Client) -> Result<Self, Failure> {
        let rows = client
            .query(
                "SELECT t.oid, t.typname::text, t.typtype::text, t.typbasetype, t.typtypmod, t.typelem,
                        t.typcategory = 'A' AND t.typelem <> 0 AND t.typlen = -1,
                        t.typsend <> 0 AND t.typreceive <> 0,
                        ARRAY(SELECT e.enumlabel::text FROM pg_enum e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder)
                 FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid
                 WHERE t.typtype <> 'p' AND (t.typrelid = 0 OR c.relkind = 'c' OR t.oid >= 16384)",
                &[],
            )
            .await
            .map_err(|e| failed(&e))?;
        let mut all: HashMap<u32, Type> = rows
            .iter()
            .map(|row| {
                let kind: String = row.get(2);
                let one = Type {
                    name: row.get(1),
                    kind: kind.chars().next().unwrap_or('b'),
                    base: row.get(3),
                    base_modifier: row.get(4),
                    element: row.get(5),
                    is_array: row.get(6),
                    has_binary: row.get(7),
                    labels: row.get(8),
                    fields: Vec::new(),
                };
                (row.get(0), one)
            })
            .collect();
        let fields = client
            .query(
                "SELECT t.oid, a.attname::text, a.atttypid, a.atttypmod FROM pg_type t
                 JOIN pg_attribute a ON a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
                 WHERE t.typtype = 'c' AND t.oid >= 16384 ORDER BY t.oid, a.attnum",
                &[],
            )
            .await
            .map_err(|e| failed(&e))?;
        for row in &fields {
            if let Some(one) = all.get_mut(&row.get::<_, u32>(0)) {
                one.fields.push((row.get(1), row.get(2), row.get(3)));
            }
        }
        Ok(Self(all))
    }

    /// What values of a type look like; for a domain, those of the type beneath.
    pub(crate) fn shape(&self, oid: u32, modifier: i32) -> Shape {
        self.shape_within(oid, modifier, 16)
    }

    /// Types may contain one another only so deep; one that goes deeper is not looked into.
    fn shape_within(&self, oid: u32, modifier: i32, depth: u8) -> Shape {
        let (Some(one), Some(depth)) = (self.0.get(&oid), depth.checked_sub(1)) else { return Shape::Other };
        let declared = usize::try_from(modifier - 4).ok().filter(|_| modifier >= 4);
        match oid {
            16 => return Shape::Boolean,
            17 => return Shape::Bytes,
            20 => return Shape::Integer { bytes: 8 },
            21 => return Shape::Integer { bytes: 2 },
            23 => return Shape::Integer { bytes: 4 },
            19 => return Shape::Text { longest: Some(63) },
            25 | 142 => return Shape::Text { longest: None },
            1043 => return Shape::Text { longest: declared },
            1042 => return declared.map_or(Shape::Text { longest: None }, |length| Shape::Padded { length }),
            114 | 3802 => return Shape::Json,
            700 | 701 => return Shape::Float,
            869 | 650 => return Shape::Network,
            1082 => return Shape::Date,
            1114 => return Shape::Timestamp { zone: false },
            1184 => return Shape::Timestamp { zone: true },
            1700 => {
                // numeric_typmod_precision and numeric_typmod_scale, src/backend/utils/adt/numeric.c.
                let (precision, scale) = if modifier >= 4 {
                    let packed = modifier - 4;
                    let scale = ((packed & 0x7ff) ^ 1024) - 1024;
                    (u16::try_from((packed >> 16) & 0xffff).ok(), i16::try_from(scale).ok())
                } else {
                    (None, None)
                };
                return Shape::Numeric { precision, scale };
            }
            2950 => return Shape::Uuid,
            _ => {}
        }
        match one.kind {
            'd' => {
                let modifier = if one.base_modifier == -1 { modifier } else { one.base_modifier };
                self.shape_within(one.base, modifier, depth)
            }
            'e' => Shape::Enum { labels: one.labels.clone() },
            'c' => Shape::Composite {
                fields: one.fields.iter().map(|(n, t, m)| (n.clone(), self.shape_within(*t, *m, depth))).collect(),
            },
            _ if one.is_array => Shape::Array(Box::new(self.shape_within(one.element, modifier, depth))),
            'b' if oid >= FIRST_NORMAL && one.name == "citext" => Shape::Text { longest: None },
            'b' if oid >= FIRST_NORMAL && one.name == "hstore" => Shape::Hstore,
            _ => Shape::Other,
        }
    }

    /// How values of a type are read from their binary form, where this room can do that.
    pub(crate) fn codec(&self, oid: u32) -> Option<Codec> {
        match oid {
            19 | 25 | 114 | 142 | 1042 | 1043 => Some(Codec::Text),
            3802 => Some(Codec::Jsonb),
            2950 => Some(Codec::Uuid),
            20 => Some(Codec::Integer(8)),
            21 => Some(Codec::Integer(2)),
            23 => Some(Codec::Integer(4)),
            _ => match self.0.get(&oid)? {
                one if one.kind == 'd' => self.codec(one.base),
                one if one.kind == 'e' => Some(Codec::Text),
                _ => None,
            },
        }
    }

    /// Whether a value's binary form means the same in another database: types of PostgreSQL's own that do not speak of
    /// objects by their ids, arrays of them, domains over them, and enums, whose binary form is their label.
    pub(crate) fn portable(&self, oid: u32) -> bool {
        let Some(one) = self.0.get(&oid) else { return false };
        match one.kind {
            'd' => self.portable(one.base),
            'e' => true,
            // The binary form of an array names the id of its element's type.
            _ if oid < FIRST_NORMAL && one.is_array => one.element < FIRST_NORMAL && self.portable(one.element),
            'b' | 'r' | 'm' if oid < FIRST_NORMAL => {
                one.has_binary
                    && !one.name.starts_with("reg")
                    && !matches!(&*one.name, "xid" | "cid" | "tid" | "oid" | "aclitem")
            }
            _ => false,
        }
    }
}
