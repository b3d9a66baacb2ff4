//! What a database holds: tables, their columns, keys, sequences and what depends on what.

mod keys;
mod relations;
mod types;

use std::collections::BTreeMap;

use ambit_domain::{Failure, FailureKind};
use tokio_postgres::Client;

pub(crate) use keys::ForeignKey;
pub(crate) use relations::{Relation, Table};
pub(crate) use types::Codec;

use crate::{
    column::{ColumnFacts, ColumnName},
    database::failed,
};

/// A database as it is declared.
#[derive(Debug)]
pub(crate) struct Catalog {
    /// Tables as people know them: partitions are part of the table that they divide. By name.
    pub(crate) tables: Vec<Table>,
    /// Foreign keys between them.
    pub(crate) foreign_keys: Vec<ForeignKey>,
    /// What cannot be copied, with the reason; a copy refuses these.
    pub(crate) refused: Vec<String>,
}

impl Catalog {
    /// Reads it in the session's present transaction.
    pub(crate) async fn read(client: &Client) -> Result<Self, Failure> {
        let types = types::Types::read(client).await?;
        let mut tables = relations::read(client, &types).await?;
        let foreign_keys = keys::foreign_keys(client, &tables).await?;
        let unique = keys::unique_columns(client).await?;
        let mut references: BTreeMap<ColumnName, ColumnName> = BTreeMap::new();
        for key in &foreign_keys {
            let (Some(child), Some(parent)) = (tables.get(key.child), tables.get(key.parent)) else { continue };
            for (a, b) in key.child_columns.iter().zip(&key.parent_columns) {
                references.entry(child.column_name(a)).or_insert_with(|| parent.column_name(b));
            }
        }
        for table in &mut tables {
            let oids: Vec<u32> = table.parts.iter().map(|p| p.oid).chain([table.oid]).collect();
            for column in &mut table.columns {
                column.facts.references = references.get(&column.facts.name).cloned();
                column.facts.unique = oids.iter().any(|oid| unique.contains(&(*oid, column.facts.name.column.clone())));
            }
        }
        let refused = refused(client).await?;
        Ok(Self { tables, foreign_keys, refused })
    }

    /// What is to be known of every column.
    pub(crate) fn columns(&self) -> impl Iterator<Item = &ColumnFacts> {
        self.tables.iter().flat_map(|t| t.columns.iter().map(|c| &c.facts))
    }

    /// All of them together, in bytes.
    #[must_use]
    pub(crate) fn bytes(&self) -> u64 {
        self.tables.iter().map(Table::bytes).sum()
    }
}

async fn refused(client: &Client) -> Result<Vec<String>, Failure> {
    let rows = client.query_one("SELECT count(*) FROM pg_largeobject_metadata", &[]).await.map_err(|e| failed(&e))?;
    let objects: i64 = rows.get(0);
    let mut all = Vec::new();
    if objects > 0 {
        all.push(format!(
            "the database holds {objects} large objects (lo_create): nobody can say what is in them, so they cannot be \
             classified; keep files in bytea columns or outside the database"
        ));
    }
    Ok(all)
}

/// A failure that names what cannot be copied.
pub(crate) fn require_copyable(catalog: &Catalog) -> Result<(), Failure> {
    if catalog.refused.is_empty() {
        return Ok(());
    }
    let failure = Failure::new(FailureKind::User, "this database cannot be copied masked; nothing was changed");
    Err(catalog.refused.iter().fold(failure, |failure, why| failure.because(why.clone())))
}
