//! A masked copy: one snapshot of a database, masked on the way into a new database beside another, built, and looked through
//! for leaks. Nothing unmasked touches a disk on the way. Whoever asked swaps it in, or throws it away.

mod load;
mod mask_rows;
mod plan;
mod rows;
mod schema;

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::{Arc, atomic::AtomicU64},
    time::{Duration, Instant},
};

use ambit_domain::{Failure, FailureKind};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

pub(crate) use load::{Carriage, Part, read_rows, reading, side_by_side};
pub(crate) use mask_rows::place;
pub(crate) use plan::Plan;
pub(crate) use rows::{Fields, Format, Rows};
pub(crate) use schema::{file_failed, interrupted};

use crate::{
    catalog::{Catalog, Table, require_copyable},
    column::Shape,
    database::{Database, failed, identifier},
    leak::{self, Leak, LeakReport, Sensitive},
    masking::{MaskKey, MaskingFile},
    subset::{self, Choice},
};
use load::Pace;
use schema::{Schema, Section};

/// What is copied where.
pub struct CopyOrder {
    /// The database that is read, by a user who may read everything.
    pub source: Database,
    /// The other server, by its superuser, connected to its maintenance database.
    pub server: Database,
    /// Name of the new database there. One of this name is replaced.
    pub beside: String,
    /// Who shall own it.
    pub owner: String,
    /// What becomes of each column.
    pub masking: MaskingFile,
    /// The key of the pseudonyms.
    pub key: MaskKey,
    /// Folder of `pg_dump` and `pg_restore`, no older than either server.
    pub programs: PathBuf,
    /// An empty folder for what is needed meanwhile; nothing of anybody is written there.
    pub folder: PathBuf,
    /// Which rows; `None` for all.
    pub choice: Option<Choice>,
    /// At most so many bytes of the source a second.
    pub rate: Option<u64>,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyStep {
    /// So many bytes of about so many.
    Rows {
        /// Carried so far.
        done: u64,
        /// As the tables are on disk.
        of: u64,
    },
    /// The copy is looked through.
    LeakCheck,
    /// Indexes and constraints are built.
    Indexes,
}

/// What a copy came to. Holds no value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyReport {
    /// Each table.
    pub tables: Vec<CopiedTable>,
    /// What the leak check came to.
    pub leaks: LeakReport,
    /// Milliseconds for the rows, the leak check, and the indexes with what is built over them.
    pub millis: [u64; 3],
}

/// A table of a copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopiedTable {
    /// `public.users`.
    pub table: String,
    /// Rows in the copy.
    pub rows: u64,
    /// Rows in the source.
    pub of: u64,
    /// How many of its columns are masked.
    pub masked: usize,
}

impl CopyReport {
    /// Whether nothing of the source was found in the copy.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.leaks.leaks.is_empty()
    }

    /// Rows in the copy.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|t| t.rows).sum()
    }
}

/// Makes the copy. On a failure, or where the check finds a leak, there is no new database; a report that is not clean tells why.
pub async fn copy(
    order: CopyOrder,
    cancel: CancellationToken,
    told: &(dyn Fn(CopyStep) + Send + Sync),
) -> Result<CopyReport, Failure> {
    if order.source.port == order.server.port && order.source.name == order.beside {
        return Err(Failure::new(FailureKind::User, "a database cannot be copied onto itself"));
    }
    let (server, beside) = (order.server.clone(), order.beside.clone());
    let made = tokio::select! {
        made = make(order, &cancel, told) => made,
        () = cancelled_long_ago(&cancel) => Err(interrupted()),
    };
    if !made.as_ref().is_ok_and(CopyReport::is_clean) {
        // What cannot be dropped now is dropped when the next copy begins, or at the next start.
        let _ = drop_database(&server, &beside).await;
    }
    made
}

/// Whatever does not look at the token by itself is given up a moment later.
async fn cancelled_long_ago(cancel: &CancellationToken) {
    cancel.cancelled().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
}

/// Drops a database of a server, whoever is connected to it.
async fn drop_database(server: &Database, name: &str) -> Result<(), Failure> {
    let admin = server.connect().await?;
    let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", identifier(name));
    admin.batch_execute(&sql).await.map_err(|e| failed(&e))
}

async fn make(
    order: CopyOrder,
    cancel: &CancellationToken,
    told: &(dyn Fn(CopyStep) + Send + Sync),
) -> Result<CopyReport, Failure> {
    let source = order.source.connect().await?;
    let snapshot = load::snapshot(&source).await?;
    let catalog = Catalog::read(&source).await?;
    require_copyable(&catalog)?;
    let plans = plan::plan(&catalog, &order.masking, &order.key)?;
    lock(&source, &catalog).await?;

    let begin = Instant::now();
    let schema = Schema::dump(&order.source, &snapshot, &order.programs, &order.folder, cancel).await?;
    let wanted = match &order.choice {
        Some(choice) => subset::choose(&source, &catalog, choice, &order.folder).await?,
        None => HashMap::new(),
    };
    drop_database(&order.server, &order.beside).await?;
    let admin = order.server.connect().await?;
    schema::make_roles(&admin, &source).await?;
    schema::create_like(&admin, &source, &order.beside, &order.owner).await?;
    let target = order.server.named(&order.beside);
    schema.make(&target, Section::Before, 1, cancel).await?;

    let of = catalog.bytes();
    let known = Sensitive::for_about(fingerprints(&catalog, &plans));
    let carriage = Arc::new(Carriage {
        catalog,
        plans,
        source: order.source.clone(),
        snapshot,
        target: target.clone(),
        known,
        wanted,
        pace: Pace::new(order.rate),
        cancel: cancel.clone(),
        carried: AtomicU64::new(0),
    });
    let tallies = while_telling(load::carry(&carriage), || {
        let done = carriage.carried.load(std::sync::atomic::Ordering::Relaxed).min(of);
        told(CopyStep::Rows { done, of });
    })
    .await?;
    let rows_took = begin.elapsed();

    let begin = Instant::now();
    told(CopyStep::LeakCheck);
    let mut leaks = check(&carriage, &order.masking, &schema).await?;
    for (plan, tally) in carriage.plans.iter().zip(&tallies) {
        for (column, times) in plan.columns.iter().zip(&tally.unchanged).filter(|(_, times)| **times > 0) {
            let name = carriage.catalog.tables[plan.table].title_of(&column.name);
            leaks.leaks.push(Leak { found_in: name.clone(), comes_from: vec![name], times: *times });
        }
    }
    let check_took = begin.elapsed();
    let tables = carriage
        .plans
        .iter()
        .zip(&tallies)
        .map(|(plan, tally)| CopiedTable {
            table: carriage.catalog.tables[plan.table].title(),
            rows: tally.rows,
            of: tally.read,
            masked: plan.columns.iter().filter(|c| c.mask.is_some()).count(),
        })
        .collect();
    let mut report = CopyReport {
        tables,
        leaks,
        millis: [rows_took, check_took, Duration::ZERO].map(|d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX)),
    };
    if !report.is_clean() {
        return Ok(report);
    }

    let begin = Instant::now();
    told(CopyStep::Indexes);
    schema.make(&target, Section::After, 2, cancel).await?;
    let client = target.connect().await?;
    schema::set_sequences(&source, &client).await?;
    schema::refresh_views(&source, &client).await?;
    report.millis[2] = u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(report)
}

/// As `pg_dump` does: nobody may change or drop a table while it is read. Reading and writing go on.
async fn lock(source: &tokio_postgres::Client, catalog: &Catalog) -> Result<(), Failure> {
    let names: Vec<String> = catalog.tables.iter().map(Table::qualified).collect();
    for some in names.chunks(200) {
        let sql = format!("LOCK TABLE {} IN ACCESS SHARE MODE", some.join(", "));
        source.batch_execute(&sql).await.map_err(|e| {
            failed(&e)
                .because("somebody is changing a table")
                .hint("wait until the migration is through and repeat the command")
        })?;
    }
    Ok(())
}

/// About how many fingerprints the masked values will leave.
fn fingerprints(catalog: &Catalog, plans: &[Plan]) -> u64 {
    let mut sum = 0_u64;
    for plan in plans {
        let table = &catalog.tables[plan.table];
        // Where it was never analysed, a row is taken for a hundred bytes.
        let rows = table.rows().max(table.bytes() / 400);
        let masked = plan.columns.iter().filter(|c| c.mask.is_some());
        let each: u64 = masked
            .map(|c| match table.columns[c.column].facts.shape {
                Shape::Text { .. } | Shape::Padded { .. } | Shape::Json | Shape::Hstore | Shape::Array(_) => 3,
                _ => 1,
            })
            .sum();
        sum = sum.saturating_add(rows.saturating_mul(each));
    }
    sum
}

async fn while_telling<T>(work: impl Future<Output = T>, tell: impl Fn()) -> T {
    let mut work = std::pin::pin!(work);
    let mut tick = tokio::time::interval(Duration::from_millis(250));
    loop {
        tokio::select! {
            done = &mut work => return done,
            _ = tick.tick() => tell(),
        }
    }
}

/// The columns that the team excused, by their titles, with their reasons.
fn excused(catalog: &Catalog, masking: &MaskingFile) -> Arc<BTreeMap<String, String>> {
    let columns =
        catalog.tables.iter().flat_map(|table| table.columns.iter().map(move |column| (table, &column.facts.name)));
    let all =
        columns.filter_map(|(table, name)| Some((table.title_of(&name.column), masking.excused(name)?.to_owned())));
    Arc::new(all.collect())
}

async fn check(carriage: &Arc<Carriage>, masking: &MaskingFile, schema: &Schema) -> Result<LeakReport, Failure> {
    // Defaults, comments, conditions and lists of values may quote somebody as well.
    if !schema.whole {
        return Err(Failure::new(FailureKind::User, "not supported yet: declarations of more than 32 MB"));
    }
    let excused = excused(&carriage.catalog, masking);
    let mut report = leak::check(carriage, &excused, &schema.text).await?;
    report.excused = excused.iter().map(|(column, reason)| (column.clone(), reason.clone())).collect();
    Ok(report)
}

/// Which columns that a file keeps hold values that it masks elsewhere: what a copy by it would be stopped for.
pub(crate) async fn contradictions(source: &Database, masking: &MaskingFile) -> Result<Vec<Leak>, Failure> {
    let client = source.connect().await?;
    let snapshot = load::snapshot(&client).await?;
    let catalog = Catalog::read(&client).await?;
    // No mask is applied, so that any key does.
    let plans = plan::plan(&catalog, masking, &MaskKey::new([0; 32]))?;
    let known = Sensitive::for_about(fingerprints(&catalog, &plans));
    let carriage = Arc::new(Carriage {
        catalog,
        plans,
        source: source.clone(),
        snapshot,
        target: source.clone(),
        known,
        wanted: HashMap::new(),
        pace: Pace::new(None),
        cancel: CancellationToken::new(),
        carried: AtomicU64::new(0),
    });
    leak::collect(&carriage).await?;
    Ok(leak::check(&carriage, &excused(&carriage.catalog, masking), "").await?.leaks)
}
