//! A look at each table's values, for the classification: a few hundred rows, which stay in memory.

use ambit_domain::Failure;

use crate::{
    catalog::{Catalog, Table},
    classify::TableSample,
    database::{Database, failed, identifier},
};

/// Rows of a table that are looked at.
const ROWS: usize = 500;
/// Tables with more rows than this are looked at here and there, rather than at their beginning.
const MANY: u64 = 20_000;
/// Longest piece of a value that is looked at, in characters.
const PIECE: usize = 4000;

/// Reads what is declared and some values of every table.
pub(crate) async fn sample(database: &Database) -> Result<Vec<TableSample>, Failure> {
    let client = database.connect().await?;
    client
        .batch_execute("SET statement_timeout = '60s'; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        .await
        .map_err(|e| failed(&e))?;
    let catalog = Catalog::read(&client).await?;
    let mut all = Vec::new();
    for table in &catalog.tables {
        let columns: Vec<_> = table.columns.iter().map(|c| c.facts.clone()).collect();
        let mut samples = vec![Vec::new(); columns.len()];
        if !columns.is_empty() {
            let here_and_there = table.rows() > MANY;
            let mut rows = client.query(&query(table, here_and_there), &[]).await.map_err(|e| failed(&e))?;
            if rows.is_empty() && here_and_there {
                rows = client.query(&query(table, false), &[]).await.map_err(|e| failed(&e))?;
            }
            for row in &rows {
                for (n, values) in samples.iter_mut().enumerate() {
                    values.push(row.get(n));
                }
            }
        }
        all.push(TableSample { columns, samples });
    }
    Ok(all)
}

fn query(table: &Table, here_and_there: bool) -> String {
    // The text form goes through the type's output function for every type there is.
    let columns: Vec<String> =
        table.columns.iter().map(|c| format!("left({}::text, {PIECE})", identifier(&c.facts.name.column))).collect();
    let sampled = if here_and_there {
        #[expect(clippy::cast_precision_loss, reason = "a share of rows; a hair more or less does not matter")]
        let percent = (4.0 * ROWS as f64 * 100.0 / table.rows() as f64).max(0.001);
        format!(" TABLESAMPLE SYSTEM ({percent:.4})")
    } else {
        String::new()
    };
    format!("SELECT {} FROM {}{sampled} LIMIT {ROWS}", columns.join(", "), table.from())
}
