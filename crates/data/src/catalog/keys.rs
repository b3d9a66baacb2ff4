//! Foreign keys, and which columns are unique.

use std::collections::HashSet;

use ambit_domain::Failure;
use tokio_postgres::Client;

use super::relations::Table;
use crate::database::failed;

/// A foreign key between two tables, by their places in the catalog.
#[derive(Debug)]
pub(crate) struct ForeignKey {
    /// The table that points.
    pub(crate) child: usize,
    /// The columns that point.
    pub(crate) child_columns: Vec<String>,
    /// Whether each of them has to be there.
    pub(crate) required: bool,
    /// The table that is pointed to.
    pub(crate) parent: usize,
    /// The columns that are pointed to.
    pub(crate) parent_columns: Vec<String>,
    /// By which operator each is compared, as SQL text; the parent's column stands on its left.
    pub(crate) equals: Vec<String>,
}

/// Those of partitions are part of the table's own.
const FOREIGN_KEYS: &str = "
    SELECT k.conrelid, k.confrelid,
           ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY u(n, i)
                 JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.n ORDER BY u.i),
           ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY u(n, i)
                 JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.n ORDER BY u.i),
           NOT EXISTS (SELECT 1 FROM unnest(k.conkey) u(n)
                 JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.n WHERE NOT a.attnotnull),
           ARRAY(SELECT format('OPERATOR(%I.%s)', n.nspname, o.oprname) FROM unnest(k.conpfeqop) WITH ORDINALITY u(o, i)
                 JOIN pg_operator o ON o.oid = u.o JOIN pg_namespace n ON n.oid = o.oprnamespace ORDER BY u.i)
    FROM pg_constraint k WHERE k.contype = 'f' AND k.conparentid = 0
    ORDER BY k.conrelid, k.conname";

pub(crate) async fn foreign_keys(client: &Client, tables: &[Table]) -> Result<Vec<ForeignKey>, Failure> {
    let rows = client.query(FOREIGN_KEYS, &[]).await.map_err(|e| failed(&e))?;
    let place = |oid: u32| tables.iter().position(|t| t.oid == oid || t.parts.iter().any(|p| p.oid == oid));
    Ok(rows
        .iter()
        .filter_map(|row| {
            Some(ForeignKey {
                child: place(row.get(0))?,
                child_columns: row.get(2),
                required: row.get(4),
                parent: place(row.get(1))?,
                parent_columns: row.get(3),
                equals: row.get(5),
            })
        })
        .collect())
}

/// The key columns of unique indexes and exclusion constraints; of indexes on expressions, every column that the index
/// depends on.
const UNIQUE: &str = "
    SELECT i.indrelid, a.attname::text
    FROM pg_index i
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum > 0
    WHERE (i.indisunique OR i.indisexclusion) AND (
      a.attnum = ANY ((i.indkey::int2[])[0 : i.indnkeyatts - 1])
      OR 0 = ANY ((i.indkey::int2[])[0 : i.indnkeyatts - 1]) AND EXISTS (
        SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
          AND d.refclassid = 'pg_class'::regclass AND d.refobjid = i.indrelid AND d.refobjsubid = a.attnum))";

pub(crate) async fn unique_columns(client: &Client) -> Result<HashSet<(u32, String)>, Failure> {
    let rows = client.query(UNIQUE, &[]).await.map_err(|e| failed(&e))?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}
