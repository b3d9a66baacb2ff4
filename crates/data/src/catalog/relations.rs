//! Tables and their columns.

use std::collections::HashMap;

use ambit_domain::Failure;
use tokio_postgres::Client;

use super::types::{Codec, Types};
use crate::{
    column::{ColumnFacts, ColumnName},
    database::{failed, qualified},
};

/// A table as people know it.
#[derive(Debug)]
pub(crate) struct Table {
    /// Its object id.
    pub(crate) oid: u32,
    /// Its schema.
    pub(crate) schema: String,
    /// Its name.
    pub(crate) name: String,
    /// Its columns, in order.
    pub(crate) columns: Vec<Column>,
    /// Where its rows lie: itself, or its partitions.
    pub(crate) parts: Vec<Relation>,
}

/// A column with what a copy has to know of it.
#[derive(Debug)]
pub(crate) struct Column {
    /// What is declared.
    pub(crate) facts: ColumnFacts,
    /// Whether its binary form may go from one database to another.
    pub(crate) portable: bool,
    pub(crate) codec: Option<Codec>,
    /// The columns that it is computed from, where it is.
    pub(crate) computed_from: Vec<String>,
}

/// What holds rows.
#[derive(Debug)]
pub(crate) struct Relation {
    /// Its object id.
    pub(crate) oid: u32,
    /// Its schema.
    pub(crate) schema: String,
    /// Its name.
    pub(crate) name: String,
    /// Its size with everything that belongs to it but its indexes, in bytes.
    pub(crate) bytes: u64,
    /// How many rows it had when that was last estimated.
    pub(crate) rows: u64,
}

impl Table {
    /// Its name as SQL text.
    #[must_use]
    pub(crate) fn qualified(&self) -> String {
        qualified(&self.schema, &self.name)
    }

    /// What stands behind FROM for all of its rows and no others: not those of tables that inherit from it.
    pub(crate) fn from(&self) -> String {
        let ordinary = self.parts.first().is_some_and(|p| p.oid == self.oid);
        format!("{}{}", if ordinary { "ONLY " } else { "" }, self.qualified())
    }

    /// Its name for people.
    #[must_use]
    pub(crate) fn title(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }

    /// The name of one of its columns, for people.
    pub(crate) fn title_of(&self, column: &str) -> String {
        self.column_name(column).to_string()
    }

    pub(crate) fn column_name(&self, column: &str) -> ColumnName {
        ColumnName { schema: self.schema.clone(), table: self.name.clone(), column: column.to_owned() }
    }

    /// Its size, in bytes.
    #[must_use]
    pub(crate) fn bytes(&self) -> u64 {
        self.parts.iter().map(|p| p.bytes).sum()
    }

    /// Its rows, as last estimated.
    #[must_use]
    pub(crate) fn rows(&self) -> u64 {
        self.parts.iter().map(|p| p.rows).sum()
    }
}

impl Relation {
    /// Its name as SQL text.
    #[must_use]
    pub(crate) fn qualified(&self) -> String {
        qualified(&self.schema, &self.name)
    }
}

/// Tables of the database's users. What an extension brings along comes with the extension.
const TABLES: &str = "
    SELECT c.oid, n.nspname::text, c.relname::text, c.relkind::text, c.relispartition,
           CASE WHEN c.relkind = 'r' THEN pg_table_size(c.oid) ELSE 0 END,
           greatest(c.reltuples, 0)::float8,
           CASE WHEN c.relispartition THEN pg_partition_root(c.oid)::oid ELSE c.oid END
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
      AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_toast%'
      AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
    ORDER BY n.nspname, c.relname";

const COLUMNS: &str = "
    SELECT a.attrelid, a.attnum, a.attname::text, a.atttypid, a.atttypmod, format_type(a.atttypid, a.atttypmod),
           a.attnotnull, a.attgenerated <> '', col_description(a.attrelid, a.attnum),
           CASE WHEN a.attgenerated = '' THEN '{}' ELSE ARRAY(
             SELECT s.attname::text FROM pg_attrdef f
             JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid
               AND d.refclassid = 'pg_class'::regclass AND d.refobjid = a.attrelid AND d.refobjsubid <> a.attnum
             JOIN pg_attribute s ON s.attrelid = a.attrelid AND s.attnum = d.refobjsubid
             WHERE f.adrelid = a.attrelid AND f.adnum = a.attnum) END
    FROM pg_attribute a
    WHERE a.attrelid = ANY($1) AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY a.attrelid, a.attnum";

pub(crate) async fn read(client: &Client, types: &Types) -> Result<Vec<Table>, Failure> {
    let rows = client.query(TABLES, &[]).await.map_err(|e| failed(&e))?;
    let mut tables = Vec::new();
    let mut parts: HashMap<u32, Vec<Relation>> = HashMap::new();
    for row in &rows {
        let (oid, schema, name): (u32, String, String) = (row.get(0), row.get(1), row.get(2));
        if row.get::<_, String>(3) == "r" {
            parts.entry(row.get(7)).or_default().push(Relation {
                oid,
                schema: schema.clone(),
                name: name.clone(),
                bytes: u64::try_from(row.get::<_, i64>(5)).unwrap_or(0),
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "an estimate, never negative"
                )]
                rows: row.get::<_, f64>(6) as u64,
            });
        }
        if !row.get::<_, bool>(4) {
            tables.push(Table { oid, schema, name, columns: Vec::new(), parts: Vec::new() });
        }
    }
    let oids: Vec<u32> = tables.iter().map(|t| t.oid).collect();
    let rows = client.query(COLUMNS, &[&oids]).await.map_err(|e| failed(&e))?;
    let mut columns: HashMap<u32, Vec<Column>> = HashMap::new();
    for table in &mut tables {
        table.parts = parts.remove(&table.oid).unwrap_or_default();
    }
    let names: HashMap<u32, (String, String)> =
        tables.iter().map(|t| (t.oid, (t.schema.clone(), t.name.clone()))).collect();
    for row in &rows {
        let table: u32 = row.get(0);
        let Some((schema, name)) = names.get(&table).cloned() else { continue };
        let type_id: u32 = row.get(3);
        columns.entry(table).or_default().push(Column {
            facts: ColumnFacts {
                name: ColumnName { schema, table: name, column: row.get(2) },
                data_type: row.get(5),
                shape: types.shape(type_id, row.get(4)),
                not_null: row.get(6),
                unique: false,
                generated: row.get(7),
                comment: row.get(8),
                references: None,
            },
            portable: types.portable(type_id),
            codec: types.codec(type_id),
            computed_from: row.get(9),
        });
    }
    for table in &mut tables {
        table.columns = columns.remove(&table.oid).unwrap_or_default();
    }
    Ok(tables)
}
