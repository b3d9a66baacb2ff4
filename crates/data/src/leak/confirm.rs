//! Reads what masks replace in production: to know it, or to ask whether what was found is one of it.

use std::{
    collections::{HashMap, HashSet},
    pin::pin,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
};

use ambit_domain::Failure;
use futures_util::StreamExt;

use super::{
    Words,
    check::number,
    filter::Sensitive,
    fingerprint::{Fingerprint, sensitive},
};
use crate::{
    copy::{Carriage, Fields, Format, Plan, Reader, Rows, interrupted, reading, side_by_side},
    database::{failed, identifier},
    masking::{Leaf, Mask},
};

/// In how many rows of which columns of production each fingerprint is.
type Answers = HashMap<(Fingerprint, u32), u64>;

/// Reads every masked column of production again, in the snapshot that was copied.
pub(super) async fn confirm(carriage: Arc<Carriage>, suspects: Arc<HashSet<Fingerprint>>) -> Result<Answers, Failure> {
    let all: Arc<Mutex<Answers>> = Arc::default();
    let sum = Arc::clone(&all);
    let heard = move |answers: Answers| {
        let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, rows) in answers {
            *sum.entry(key).or_default() += rows;
        }
    };
    each_masked(carriage, Some(suspects), heard).await?;
    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(std::mem::take(&mut *all))
}

/// Fills the filter with what the masks of a plan would replace.
pub(crate) async fn collect(carriage: Arc<Carriage>) -> Result<(), Failure> {
    each_masked(carriage, None, |_| {}).await
}

async fn each_masked(
    carriage: Arc<Carriage>,
    suspects: Option<Arc<HashSet<Fingerprint>>>,
    heard: impl Fn(Answers) + Clone + Send + 'static,
) -> Result<(), Failure> {
    let mut parts = Vec::new();
    for (n, plan) in carriage.plans.iter().enumerate() {
        if plan.columns.iter().any(|c| c.mask.is_some()) {
            parts.extend((0..carriage.catalog.tables[plan.table].parts.len()).map(|part| (n, part)));
        }
    }
    let cancel = carriage.cancel.clone();
    side_by_side(parts, &cancel, move |parts, next, stop| {
        let (carriage, heard, suspects) = (Arc::clone(&carriage), heard.clone(), suspects.clone());
        async move {
            let client = reading(&carriage.source, &carriage.snapshot).await?;
            while let Some((n, part)) = parts.get(next.fetch_add(1, Ordering::Relaxed)) {
                let asked = tokio::select! {
                    asked = ask(&carriage, &carriage.plans[*n], *part, suspects.as_deref(), &client) => asked?,
                    () = stop.cancelled() => return Err(interrupted()),
                };
                heard(asked);
            }
            Ok(())
        }
    })
    .await
}

struct Ask<'a> {
    columns: Vec<(u32, &'a Mask)>,
    /// What is asked for; `None` notes everything.
    suspects: Option<&'a HashSet<Fingerprint>>,
    known: &'a Sensitive,
    words: Words,
    room: Vec<u8>,
    row: Vec<Fingerprint>,
    answers: Answers,
}

impl Rows for Ask<'_> {
    fn row(&mut self, fields: &Fields<'_>, _: &mut Vec<u8>) -> Result<(), Failure> {
        for (n, (column, mask)) in self.columns.iter().enumerate() {
            let Some(raw) = fields.text(n, &mut self.room) else { continue };
            let Ok(value) = std::str::from_utf8(raw) else { continue };
            let (words, suspects, row) = (&mut self.words, self.suspects, &mut self.row);
            mask.visit(value, &mut |leaf: Leaf<'_>| {
                if leaf.masked {
                    sensitive(words, leaf.text, |f| {
                        if suspects.is_none_or(|suspects| suspects.contains(&f)) {
                            row.push(f);
                        }
                    });
                }
            });
            if suspects.is_none() {
                self.known.add_all(&mut self.row);
                continue;
            }
            // A phrase that one row repeats is still one row's.
            self.row.sort_unstable();
            self.row.dedup();
            for fingerprint in self.row.drain(..) {
                *self.answers.entry((fingerprint, *column)).or_default() += 1;
            }
        }
        Ok(())
    }
}

async fn ask(
    carriage: &Carriage,
    plan: &Plan,
    part: usize,
    suspects: Option<&HashSet<Fingerprint>>,
    client: &tokio_postgres::Client,
) -> Result<Answers, Failure> {
    let table = &carriage.catalog.tables[plan.table];
    let masked: Vec<_> = plan.columns.iter().filter_map(|c| Some((c, c.mask.as_ref()?))).collect();
    let columns = masked.iter().map(|(c, _)| identifier(&c.name)).collect::<Vec<_>>().join(", ");
    let format = Format::Text;
    let statement =
        format!("COPY (SELECT {columns} FROM ONLY {}) TO STDOUT {}", table.parts[part].qualified(), format.option());
    let mut rows = pin!(client.copy_out(&statement).await.map_err(|e| failed(&e))?);
    let mut reader = Reader::new(format);
    let mut ask = Ask {
        columns: masked.iter().map(|(c, mask)| (number(plan.table, c.column), *mask)).collect(),
        suspects,
        known: &carriage.known,
        words: Words::default(),
        room: Vec::new(),
        row: Vec::new(),
        answers: HashMap::new(),
    };
    let mut nothing = Vec::new();
    while let Some(piece) = rows.next().await {
        reader.push(&piece.map_err(|e| failed(&e))?, &mut ask, &mut nothing)?;
    }
    reader.finish()?;
    Ok(ask.answers)
}
