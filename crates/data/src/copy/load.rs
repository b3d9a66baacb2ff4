//! Carries rows from one database to the other, two tables at a time, each in the order in which it lies there: two copies of
//! the same data are the same to the byte.

use std::{
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use ambit_domain::{Failure, FailureKind};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use roaring::RoaringTreemap;
use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;

use super::{
    mask_rows::{MaskRows, Tally},
    plan::Plan,
    rows::Reader,
    schema::interrupted,
};
use crate::{
    catalog::Catalog,
    database::{Database, failed, identifier, literal},
    leak::Sensitive,
};

/// How much is gathered before it is sent on, in bytes.
const PIECE: usize = 128 << 10;
/// Two tables at a time: production's server and the other one have work enough with them.
const WORKERS: usize = 2;

/// Everything that carrying takes.
pub(crate) struct Carriage {
    pub(crate) catalog: Catalog,
    pub(crate) plans: Vec<Plan>,
    pub(crate) source: Database,
    pub(crate) snapshot: String,
    pub(crate) target: Database,
    pub(crate) known: Sensitive,
    /// Which rows of which relation are wanted, by its object id; all of those that are not there.
    pub(crate) wanted: std::collections::HashMap<u32, RoaringTreemap>,
    pub(crate) pace: Pace,
    pub(crate) cancel: CancellationToken,
    pub(crate) carried: AtomicU64,
}

/// One relation to carry: the plan's place, the part's place in its table.
#[derive(Clone, Copy)]
struct Load {
    plan: usize,
    part: usize,
}

/// Bounds how fast production is read.
pub(crate) struct Pace {
    bytes_a_second: Option<u64>,
    free_at: Mutex<Instant>,
}

impl Pace {
    pub(crate) fn new(bytes_a_second: Option<u64>) -> Self {
        Self { bytes_a_second, free_at: Mutex::new(Instant::now()) }
    }

    async fn took(&self, bytes: usize) {
        let Some(rate) = self.bytes_a_second.filter(|r| *r > 0) else { return };
        let until = {
            let mut free = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
            #[expect(clippy::cast_precision_loss, reason = "a duration; a hair more or less does not matter")]
            let costs = Duration::from_secs_f64(bytes as f64 / rate as f64);
            *free = (*free).max(Instant::now()) + costs;
            *free
        };
        tokio::time::sleep_until(until.into()).await;
    }
}

/// Runs `work` for every item on threads of their own, each with its own sessions; the first failure ends the others.
pub(crate) async fn side_by_side<T, W, F>(items: Vec<T>, cancel: &CancellationToken, work: W) -> Result<(), Failure>
where
    T: Send + Sync + 'static,
    W: Fn(Arc<Vec<T>>, Arc<AtomicUsize>, CancellationToken) -> F + Clone + Send + 'static,
    F: Future<Output = Result<(), Failure>>,
{
    let (items, next) = (Arc::new(items), Arc::new(AtomicUsize::new(0)));
    let stop = cancel.child_token();
    let mut threads = tokio::task::JoinSet::new();
    for _ in 0..WORKERS {
        let (items, next, stop, work) = (Arc::clone(&items), Arc::clone(&next), stop.clone(), work.clone());
        threads.spawn_blocking(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(|e| Failure::from_error(FailureKind::Machine, &e))?;
            runtime.block_on(work(items, next, stop))
        });
    }
    let mut first = None;
    while let Some(ended) = threads.join_next().await {
        let ended = ended.unwrap_or_else(|e| Err(Failure::from_error(FailureKind::Internal, &e)));
        if let Err(failure) = ended {
            stop.cancel();
            // What the others say after that is that they were stopped.
            first.get_or_insert(failure);
        }
    }
    if cancel.is_cancelled() {
        return Err(interrupted());
    }
    first.map_or(Ok(()), Err)
}

/// A session of production that sees one snapshot, only reads, and gives up a statement that takes hours.
pub(crate) async fn reading(source: &Database, snapshot: &str) -> Result<Client, Failure> {
    let client = source.connect().await?;
    client
        .batch_execute(&format!(
            "SET statement_timeout = '6h'; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT {}",
            literal(snapshot)
        ))
        .await
        .map_err(|e| failed(&e))?;
    Ok(client)
}

/// Carries everything; what each table came to, by its place in the plans.
pub(crate) async fn carry(carriage: Arc<Carriage>) -> Result<(Arc<Carriage>, Vec<Tally>), Failure> {
    let mut loads: Vec<(u64, Load)> = Vec::new();
    for (n, plan) in carriage.plans.iter().enumerate() {
        let parts = &carriage.catalog.tables[plan.table].parts;
        loads.extend(parts.iter().enumerate().map(|(part, relation)| (relation.bytes, Load { plan: n, part })));
    }
    // The biggest first, so that none is left alone at the end.
    loads.sort_by_key(|(bytes, load)| (std::cmp::Reverse(*bytes), load.plan, load.part));
    let loads: Vec<Load> = loads.into_iter().map(|(_, load)| load).collect();
    let tallies = Arc::new(Mutex::new(vec![Tally::default(); carriage.plans.len()]));
    let (shared, sums) = (Arc::clone(&carriage), Arc::clone(&tallies));
    side_by_side(loads, &carriage.cancel, move |loads, next, stop| {
        let (carriage, sums) = (Arc::clone(&shared), Arc::clone(&sums));
        async move {
            let source = reading(&carriage.source, &carriage.snapshot).await?;
            let target = carriage.target.connect().await?;
            // The copy counts only once it is complete and was made durable: single commits need not wait for the disk.
            target
                .batch_execute("SET synchronous_commit = off; SET session_replication_role = replica")
                .await
                .map_err(|e| failed(&e))?;
            while let Some(load) = loads.get(next.fetch_add(1, Ordering::Relaxed)) {
                let tally = tokio::select! {
                    tally = carry_one(&carriage, *load, &source, &target) => tally?,
                    () = stop.cancelled() => {
                        for token in [source.cancel_token(), target.cancel_token()] {
                            let _ = token.cancel_query(tokio_postgres::NoTls).await;
                        }
                        return Err(interrupted());
                    }
                };
                let mut sums = sums.lock().unwrap_or_else(PoisonError::into_inner);
                let sum = &mut sums[load.plan];
                sum.read += tally.read;
                sum.rows += tally.rows;
                sum.unchanged.resize(tally.unchanged.len(), 0);
                sum.unchanged.iter_mut().zip(&tally.unchanged).for_each(|(a, b)| *a += b);
            }
            Ok(())
        }
    })
    .await?;
    let tallies = tallies.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok((carriage, tallies))
}

async fn carry_one(carriage: &Carriage, load: Load, source: &Client, target: &Client) -> Result<Tally, Failure> {
    let plan = &carriage.plans[load.plan];
    let table = &carriage.catalog.tables[plan.table];
    let relation = &table.parts[load.part];
    let (title, name) = (table.title(), relation.qualified());
    let at = |failure: Failure| failure.because(format!("in {title}"));
    let wanted = carriage.wanted.get(&relation.oid);
    let columns = plan.columns.iter().map(|c| identifier(&c.name)).collect::<Vec<_>>().join(", ");
    let selected = match (wanted.is_some(), columns.is_empty()) {
        (true, true) => "ctid".to_owned(),
        (true, false) => format!("ctid, {columns}"),
        (false, _) => columns.clone(),
    };
    let option = plan.format.option();
    let statement = format!("COPY (SELECT {selected} FROM ONLY {name}) TO STDOUT {option}");
    let mut rows = pin!(source.copy_out(&statement).await.map_err(|e| at(failed(&e)))?);
    // A table without columns takes no list of them.
    let list = if columns.is_empty() { String::new() } else { format!(" ({columns})") };
    let emptied = format!("BEGIN; TRUNCATE ONLY {name}");
    target.batch_execute(&emptied).await.map_err(|e| at(failed(&e)))?;
    let statement = format!("COPY {name}{list} FROM STDIN {}", plan.format.loading());
    let mut sink = pin!(target.copy_in::<_, Bytes>(&statement).await.map_err(|e| at(failed(&e)))?);

    let mut reader = Reader::new(plan.format);
    let mut masking = MaskRows::new(plan, &title, &carriage.known, wanted);
    let mut out = Vec::with_capacity(PIECE + (16 << 10));
    out.extend_from_slice(Reader::opening(plan.format));
    let mut taken = 0;
    while let Some(piece) = rows.next().await {
        let piece = piece.map_err(|e| at(failed(&e)))?;
        taken += piece.len();
        reader.push(&piece, &mut masking, &mut out)?;
        if out.len() >= PIECE || taken >= PIECE {
            carriage.pace.took(taken).await;
            carriage.carried.fetch_add(taken as u64, Ordering::Relaxed);
            taken = 0;
        }
        if out.len() >= PIECE {
            let full = std::mem::replace(&mut out, Vec::with_capacity(PIECE + (16 << 10)));
            if let Err(error) = sink.send(Bytes::from(full)).await {
                return Err(at(failed(&error)));
            }
        }
    }
    carriage.carried.fetch_add(taken as u64, Ordering::Relaxed);
    reader.finish()?;
    out.extend_from_slice(Reader::closing(plan.format));
    sink.send(Bytes::from(out)).await.map_err(|e| at(failed(&e)))?;
    let loaded = sink.finish().await.map_err(|e| at(failed(&e)))?;
    target.batch_execute("COMMIT").await.map_err(|e| at(failed(&e)))?;
    let tally = masking.tally;
    if loaded != tally.rows {
        return Err(Failure::new(
            FailureKind::Internal,
            format!("{title} holds {loaded} rows in the copy, {} were sent", tally.rows),
        ));
    }
    Ok(tally)
}
