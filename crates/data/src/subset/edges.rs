//! How rows point to one another, as the database joins them.

use std::{
    fs::File,
    io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write},
    path::Path,
};

use ambit_domain::{Failure, FailureKind};
use roaring::RoaringTreemap;
use tokio_postgres::Client;

use crate::{
    catalog::{Catalog, ForeignKey, Table},
    copy::{Fields, Format, Rows, place, read_rows},
    database::identifier,
};

/// A row's place in its table: the partition's number above 48 bits of `ctid`.
fn at(table: &Table, relation: Option<&[u8]>, ctid: Option<&[u8]>) -> Option<u64> {
    let oid = u32::from_be_bytes(relation?.try_into().ok()?);
    let part = table.parts.iter().position(|p| p.oid == oid)?;
    Some((part as u64) << 48 | place(Format::Binary, ctid)?)
}

struct Each<F>(F);

impl<F: FnMut(&Fields<'_>) -> Result<(), Failure>> Rows for Each<F> {
    fn row(&mut self, fields: &Fields<'_>, _: &mut Vec<u8>) -> Result<(), Failure> {
        self.0(fields)
    }
}

async fn each(
    client: &Client,
    query: &str,
    row: impl FnMut(&Fields<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    read_rows(client, query, Format::Binary, &mut Each(row)).await
}

/// The rows of a table that meet a condition.
pub(crate) async fn places(client: &Client, table: &Table, condition: &str) -> Result<RoaringTreemap, Failure> {
    let mut rows = RoaringTreemap::new();
    let query = format!("SELECT tableoid, ctid FROM {} WHERE {condition}", table.from());
    let read = each(client, &query, |fields| {
        rows.extend(at(table, fields.raw(0), fields.raw(1)));
        Ok(())
    });
    read.await.map_err(|failure| failure.because(format!("in a condition on {}", table.title())))?;
    Ok(rows)
}

/// Every pair of a row and the row that it points to.
pub(crate) async fn edges(
    client: &Client,
    catalog: &Catalog,
    key: &ForeignKey,
    mut edge: impl FnMut(u64, u64) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let (child, parent) = (&catalog.tables[key.child], &catalog.tables[key.parent]);
    let pairs: Vec<String> = key
        .parent_columns
        .iter()
        .zip(&key.equals)
        .zip(&key.child_columns)
        .map(|((p, equals), c)| format!("p.{} {equals} c.{}", identifier(p), identifier(c)))
        .collect();
    let query = format!(
        "SELECT c.tableoid, c.ctid, p.tableoid, p.ctid FROM {} c JOIN {} p ON {}",
        child.from(),
        parent.from(),
        pairs.join(" AND ")
    );
    each(client, &query, |fields| {
        match (at(child, fields.raw(0), fields.raw(1)), at(parent, fields.raw(2), fields.raw(3))) {
            (Some(c), Some(p)) => edge(c, p),
            _ => Ok(()),
        }
    })
    .await
}

/// Edges in a file without a name: places only, nothing of anybody.
pub(crate) struct Scratch {
    file: BufWriter<File>,
    count: u64,
}

const EDGE: usize = 20;
const BLOCK: u64 = 4096;

impl Scratch {
    pub(crate) fn new(folder: &Path) -> Result<Self, Failure> {
        let file = tempfile::tempfile_in(folder).map_err(|e| crate::copy::file_failed(folder, &e))?;
        Ok(Self { file: BufWriter::new(file), count: 0 })
    }

    pub(crate) fn push(
        &mut self,
        child_table: usize,
        child: u64,
        parent_table: usize,
        parent: u64,
    ) -> Result<(), Failure> {
        let number = |table: usize| {
            u16::try_from(table)
                .map_err(|_| Failure::new(FailureKind::User, "not supported yet: more than 65,536 tables"))
        };
        let mut edge = [0; EDGE];
        edge[..2].copy_from_slice(&number(child_table)?.to_be_bytes());
        edge[2..10].copy_from_slice(&child.to_be_bytes());
        edge[10..12].copy_from_slice(&number(parent_table)?.to_be_bytes());
        edge[12..].copy_from_slice(&parent.to_be_bytes());
        self.file.write_all(&edge).map_err(|e| broken(&e))?;
        self.count += 1;
        Ok(())
    }

    /// Every edge, in the order in which they came or the other way round.
    pub(crate) fn each(
        &mut self,
        backwards: bool,
        mut edge: impl FnMut(usize, u64, usize, u64),
    ) -> Result<(), Failure> {
        self.file.flush().map_err(|e| broken(&e))?;
        let blocks = self.count.div_ceil(BLOCK);
        let mut reader = BufReader::new(self.file.get_ref());
        let mut bytes = Vec::new();
        for n in 0..blocks {
            let n = if backwards { blocks - 1 - n } else { n };
            let edges = BLOCK.min(self.count - n * BLOCK);
            bytes.resize(usize::try_from(edges).unwrap_or(0) * EDGE, 0);
            reader.seek(SeekFrom::Start(n * BLOCK * EDGE as u64)).map_err(|e| broken(&e))?;
            reader.read_exact(&mut bytes).map_err(|e| broken(&e))?;
            let mut one = |raw: &[u8]| {
                let (Some(a), Some(b)) = (half(raw), raw.get(10..).and_then(half)) else { return };
                edge(a.0, a.1, b.0, b.1);
            };
            if backwards {
                bytes.rchunks_exact(EDGE).for_each(&mut one);
            } else {
                bytes.chunks_exact(EDGE).for_each(&mut one);
            }
        }
        Ok(())
    }
}

fn half(raw: &[u8]) -> Option<(usize, u64)> {
    let table = u16::from_be_bytes(raw.get(..2)?.try_into().ok()?);
    Some((usize::from(table), u64::from_be_bytes(raw.get(2..10)?.try_into().ok()?)))
}

fn broken(error: &std::io::Error) -> Failure {
    Failure::new(FailureKind::Machine, "the scratch file of the smaller copy cannot be used").because(error.to_string())
}
