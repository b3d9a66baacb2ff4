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
    rows::{Format, Reader, Rows},
    schema::interrupted,
};
use crate::{
    catalog::{Catalog, Relation, Table},
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

/// One relation: the place of its plan, and its own among the parts of its table.
#[derive(Clone, Copy)]
pub(crate) struct Part {
    pub(crate) plan: usize,
    part: usize,
}

impl Carriage {
    /// Every relation, the biggest first, so that none is left alone at the end.
    pub(crate) fn parts(&self) -> Vec<Part> {
        let of = |(plan, planned): (usize, &Plan)| {
            (0..self.catalog.tables[planned.table].parts.len()).map(move |part| Part { plan, part })
        };
        let mut all: Vec<Part> = self.plans.iter().enumerate().flat_map(of).collect();
        all.sort_by_key(|part| (std::cmp::Reverse(self.relation(*part).bytes), part.plan, part.part));
        all
    }

    pub(crate) fn plan(&self, part: Part) -> &Plan {
        &self.plans[part.plan]
    }

    pub(crate) fn table(&self, part: Part) -> &Table {
        &self.catalog.tables[self.plan(part).table]
    }

    pub(crate) fn relation(&self, part: Part) -> &Relation {
        &self.table(part).parts[part.part]
    }
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

/// Relations that several threads take one after the other.
#[derive(Clone)]
pub(crate) struct Queue {
    parts: Arc<Vec<Part>>,
    next: Arc<AtomicUsize>,
    stop: CancellationToken,
}

impl Queue {
    pub(crate) fn next(&self) -> Option<Part> {
        self.parts.get(self.next.fetch_add(1, Ordering::Relaxed)).copied()
    }

    /// The work, unless another thread failed or somebody took the request back.
    pub(crate) async fn unless_stopped<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        tokio::select! {
            done = work => done,
            () = self.stop.cancelled() => Err(interrupted()),
        }
    }
}

/// Runs `work` on threads of their own, each with its own sessions; the first failure ends the others.
pub(crate) async fn side_by_side<W, F>(parts: Vec<Part>, cancel: &CancellationToken, work: W) -> Result<(), Failure>
where
    W: Fn(Queue) -> F + Clone + Send + 'static,
    F: Future<Output = Result<(), Failure>>,
{
    let queue = Queue { parts: Arc::new(parts), next: Arc::default(), stop: cancel.child_token() };
    let mut threads = tokio::task::JoinSet::new();
    for _ in 0..WORKERS {
        let (queue, work) = (queue.clone(), work.clone());
        threads.spawn_blocking(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(|e| Failure::from_error(FailureKind::Machine, &e))?;
            runtime.block_on(work(queue))
        });
    }
    let mut first = None;
    while let Some(ended) = threads.join_next().await {
        let ended = ended.unwrap_or_else(|e| Err(Failure::from_error(FailureKind::Internal, &e)));
        if let Err(failure) = ended {
            queue.stop.cancel();
            // What the others say after that is that they were stopped.
            first.get_or_insert(failure);
        }
    }
    if cancel.is_cancelled() {
        return Err(interrupted());
    }
    first.map_or(Ok(()), Err)
}

/// Begins a transaction of production that only reads, and gives up a statement that takes hours; the name of its snapshot.
pub(crate) async fn snapshot(client: &Client) -> Result<String, Failure> {
    client.batch_execute(READS).await.map_err(|e| failed(&e))?;
    Ok(client.query_one("SELECT pg_export_snapshot()", &[]).await.map_err(|e| failed(&e))?.get(0))
}

const READS: &str = "SET statement_timeout = '6h'; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// A session that sees such a snapshot.
pub(crate) async fn reading(source: &Database, snapshot: &str) -> Result<Client, Failure> {
    let client = source.connect().await?;
    client
        .batch_execute(&format!("{READS}; SET TRANSACTION SNAPSHOT {}", literal(snapshot)))
        .await
        .map_err(|e| failed(&e))?;
    Ok(client)
}

/// Hands every row of a query on, until there is enough.
pub(crate) async fn read_rows(
    client: &Client,
    query: &str,
    format: Format,
    rows: &mut impl Rows,
) -> Result<(), Failure> {
    let statement = format!("COPY ({query}) TO STDOUT {}", format.option());
    let mut stream = pin!(client.copy_out(&statement).await.map_err(|e| failed(&e))?);
    let (mut reader, mut nothing) = (Reader::new(format), Vec::new());
    while let Some(piece) = stream.next().await {
        reader.push(&piece.map_err(|e| failed(&e))?, rows, &mut nothing)?;
        if rows.enough() {
            return Ok(());
        }
    }
    reader.finish()
}

/// Carries everything; what each table came to, by its place in the plans.
pub(crate) async fn carry(carriage: &Arc<Carriage>) -> Result<Vec<Tally>, Failure> {
    let tallies = Arc::new(Mutex::new(vec![Tally::default(); carriage.plans.len()]));
    let (shared, sums) = (Arc::clone(carriage), Arc::clone(&tallies));
    side_by_side(carriage.parts(), &carriage.cancel, move |queue| {
        let (carriage, sums) = (Arc::clone(&shared), Arc::clone(&sums));
        async move {
            let source = reading(&carriage.source, &carriage.snapshot).await?;
            let target = carriage.target.connect().await?;
            // The copy counts only once it is complete and was made durable: single commits need not wait for the disk.
            target
                .batch_execute("SET synchronous_commit = off; SET session_replication_role = replica")
                .await
                .map_err(|e| failed(&e))?;
            while let Some(part) = queue.next() {
                let carried = queue.unless_stopped(carry_one(&carriage, part, &source, &target)).await;
                if carried.is_err() {
                    for token in [source.cancel_token(), target.cancel_token()] {
                        let _ = token.cancel_query(tokio_postgres::NoTls).await;
                    }
                }
                let tally = carried?;
                let mut sums = sums.lock().unwrap_or_else(PoisonError::into_inner);
                let sum = &mut sums[part.plan];
                sum.read += tally.read;
                sum.rows += tally.rows;
                sum.unchanged.resize(tally.unchanged.len(), 0);
                sum.unchanged.iter_mut().zip(&tally.unchanged).for_each(|(a, b)| *a += b);
            }
            Ok(())
        }
    })
    .await?;
    Ok(std::mem::take(&mut *tallies.lock().unwrap_or_else(PoisonError::into_inner)))
}

async fn carry_one(carriage: &Carriage, part: Part, source: &Client, target: &Client) -> Result<Tally, Failure> {
    let (plan, relation) = (carriage.plan(part), carriage.relation(part));
    let (title, name) = (carriage.table(part).title(), relation.qualified());
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
