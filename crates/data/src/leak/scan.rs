//! Reads the copy back and looks every text up that no mask has made.

use std::{
    collections::{BTreeMap, HashMap},
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use ambit_domain::{Failure, FailureKind};
use futures_util::StreamExt;

use super::{
    Leak, LeakReport, Words,
    filter::Sensitive,
    fingerprint::{Fingerprint, is_phrase, occurrences, sensitive},
};
use crate::{
    catalog::Table,
    column::Shape,
    copy::{Carriage, Fields, Format, Plan, Reader, Rows, interrupted, reading, side_by_side},
    database::{failed, identifier},
    masking::{Leaf, Mask},
};

/// More suspicions than this are no coincidences, and no use to anybody.
const MOST: usize = 200_000;
/// A phrase that so many rows of production share speaks of nobody.
const COMMON: u64 = 100;

/// Where something was found that may be a value of production: fingerprints, the columns, and how often.
#[derive(Default)]
pub(crate) struct Suspicions {
    found: HashMap<Fingerprint, BTreeMap<String, u64>>,
    texts: u64,
    full: bool,
}

impl Suspicions {
    fn add(&mut self, column: &str, fingerprint: Fingerprint) {
        if let Some(places) = self.found.get_mut(&fingerprint) {
            match places.get_mut(column) {
                Some(times) => *times += 1,
                None => drop(places.insert(column.to_owned(), 1)),
            }
        } else if self.found.len() < MOST {
            self.found.insert(fingerprint, BTreeMap::from([(column.to_owned(), 1)]));
        } else {
            self.full = true;
        }
    }

    fn merge(&mut self, other: Self) {
        self.texts += other.texts;
        self.full |= other.full;
        for (fingerprint, places) in other.found {
            let all = self.found.entry(fingerprint).or_default();
            for (column, times) in places {
                *all.entry(column).or_default() += times;
            }
        }
    }

    /// Looks one text up that is not in a table: the declarations, for example.
    pub(crate) fn look(&mut self, known: &Sensitive, words: &mut Words, column: &str, text: &str) {
        self.texts += 1;
        let mut found = Vec::new();
        occurrences(words, text, |f| {
            if known.may_contain(f) {
                found.push(f);
            }
        });
        found.into_iter().for_each(|f| self.add(column, f));
    }
}

/// How the texts of one column are reached.
enum Look<'a> {
    Kept(Mask),
    Masked(&'a Mask),
}

impl Look<'_> {
    fn mask(&self) -> &Mask {
        match self {
            Self::Kept(mask) => mask,
            Self::Masked(mask) => mask,
        }
    }
}

/// Columns that hold texts which no mask has made.
fn looked_at<'a>(table: &'a Table, plan: &'a Plan, excused: &dyn Fn(&str) -> bool) -> Vec<(&'a str, Look<'a>)> {
    let masked: Vec<&str> = plan.columns.iter().filter(|c| c.mask.is_some()).map(|c| c.name.as_str()).collect();
    let mut all = Vec::new();
    for column in &table.columns {
        let name = column.facts.name.column.as_str();
        if excused(name) {
            continue;
        }
        let planned = plan.columns.iter().find(|c| c.name == name);
        match planned.and_then(|p| Some((p.in_parts, p.mask.as_ref()?))) {
            Some((true, mask)) => all.push((name, Look::Masked(mask))),
            Some((false, _)) => {}
            // What is computed from masked columns is made of masked values.
            None if column.computed_from.iter().any(|c| masked.contains(&c.as_str())) => {}
            None if has_text(&column.facts.shape) => all.push((name, Look::Kept(Mask::kept(&column.facts.shape)))),
            None => {}
        }
    }
    all
}

fn has_text(shape: &Shape) -> bool {
    match shape {
        Shape::Text { .. } | Shape::Padded { .. } | Shape::Json | Shape::Hstore | Shape::Network | Shape::Other => true,
        Shape::Array(element) => has_text(element),
        Shape::Composite { fields } => fields.iter().any(|(_, s)| has_text(s)),
        Shape::Uuid
        | Shape::Integer { .. }
        | Shape::Numeric { .. }
        | Shape::Float
        | Shape::Boolean
        | Shape::Date
        | Shape::Timestamp { .. }
        | Shape::Bytes
        | Shape::Enum { .. } => false,
    }
}

struct LookUp<'a> {
    title: &'a str,
    columns: Vec<(String, &'a Look<'a>)>,
    known: &'a Sensitive,
    words: Words,
    room: Vec<u8>,
    hits: Vec<Fingerprint>,
    found: Suspicions,
}

impl Rows for LookUp<'_> {
    fn row(&mut self, fields: &Fields<'_>, _: &mut Vec<u8>) -> Result<(), Failure> {
        for (n, (name, look)) in self.columns.iter().enumerate() {
            let Some(raw) = fields.text(n, &mut self.room) else { continue };
            let Ok(value) = std::str::from_utf8(raw) else {
                return Err(Failure::new(
                    FailureKind::User,
                    format!("{}: {name} holds text that is not UTF-8", self.title),
                ));
            };
            let (words, known, hits, found) = (&mut self.words, self.known, &mut self.hits, &mut self.found);
            let mut leaf = |leaf: Leaf<'_>| {
                if !leaf.masked {
                    found.texts += 1;
                    occurrences(words, leaf.text, |f| {
                        if known.may_contain(f) {
                            hits.push(f);
                        }
                    });
                }
            };
            look.mask().visit(value, &mut leaf);
            for hit in self.hits.drain(..) {
                self.found.add(name, hit);
            }
        }
        Ok(())
    }
}

/// Reads the copy, two tables at a time.
pub(crate) async fn scan(
    carriage: Arc<Carriage>,
    excused: Arc<dyn Fn(&Table, &str) -> bool + Send + Sync>,
    read: Arc<AtomicU64>,
) -> Result<Suspicions, Failure> {
    let mut parts: Vec<(u64, usize, usize)> = Vec::new();
    for (n, plan) in carriage.plans.iter().enumerate() {
        for (part, relation) in carriage.catalog.tables[plan.table].parts.iter().enumerate() {
            parts.push((relation.bytes, n, part));
        }
    }
    parts.sort_by_key(|(bytes, n, part)| (std::cmp::Reverse(*bytes), *n, *part));
    let all = Arc::new(Mutex::new(Suspicions::default()));
    let (cancel, sum) = (carriage.cancel.clone(), Arc::clone(&all));
    side_by_side(parts, &cancel, move |parts, next, stop| {
        let (carriage, all, excused, read) =
            (Arc::clone(&carriage), Arc::clone(&sum), Arc::clone(&excused), Arc::clone(&read));
        async move {
            let client = carriage.target.connect().await?;
            while let Some((_, n, part)) = parts.get(next.fetch_add(1, Ordering::Relaxed)) {
                let plan = &carriage.plans[*n];
                let table = &carriage.catalog.tables[plan.table];
                let found = tokio::select! {
                    found = scan_one(&carriage, table, plan, *part, &*excused, &client, &read) => found?,
                    () = stop.cancelled() => return Err(interrupted()),
                };
                all.lock().unwrap_or_else(PoisonError::into_inner).merge(found);
            }
            Ok(())
        }
    })
    .await?;
    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(std::mem::take(&mut *all))
}

async fn scan_one(
    carriage: &Carriage,
    table: &Table,
    plan: &Plan,
    part: usize,
    excused: &(dyn Fn(&Table, &str) -> bool + Send + Sync),
    client: &tokio_postgres::Client,
    read: &AtomicU64,
) -> Result<Suspicions, Failure> {
    let looks = looked_at(table, plan, &|column| excused(table, column));
    if looks.is_empty() {
        return Ok(Suspicions::default());
    }
    let title = table.title();
    let columns = looks.iter().map(|(name, _)| identifier(name)).collect::<Vec<_>>().join(", ");
    let format = Format::Text;
    let statement =
        format!("COPY (SELECT {columns} FROM ONLY {}) TO STDOUT {}", table.parts[part].qualified(), format.option());
    let mut rows = pin!(client.copy_out(&statement).await.map_err(|e| failed(&e))?);
    let mut reader = Reader::new(format);
    let mut look = LookUp {
        title: &title,
        columns: looks.iter().map(|(name, look)| (format!("{title}.{name}"), look)).collect(),
        known: &carriage.known,
        words: Words::default(),
        room: Vec::new(),
        hits: Vec::new(),
        found: Suspicions::default(),
    };
    let mut nothing = Vec::new();
    let mut bytes = 0;
    while let Some(piece) = rows.next().await {
        let piece = piece.map_err(|e| failed(&e))?;
        reader.push(&piece, &mut look, &mut nothing)?;
        bytes += piece.len();
        if bytes > 1 << 17 {
            read.fetch_add(bytes as u64, Ordering::Relaxed);
            bytes = 0;
            // The thread serves its connection as well.
            tokio::task::yield_now().await;
        }
    }
    reader.finish()?;
    Ok(look.found)
}

/// Asks production's own values whether what was found is one of them. Cheap where nothing was found.
pub(crate) async fn confirm(carriage: Arc<Carriage>, found: Suspicions) -> Result<LeakReport, Failure> {
    let mut report = LeakReport { texts: found.texts, sensitive: carriage.known.values(), ..LeakReport::default() };
    if found.found.is_empty() {
        return Ok(report);
    }
    let found = Arc::new(found);
    let confirmed: Arc<Mutex<HashMap<Fingerprint, BTreeMap<String, u64>>>> = Arc::default();
    let mut parts = Vec::new();
    for (n, plan) in carriage.plans.iter().enumerate() {
        if plan.columns.iter().any(|c| c.mask.is_some()) {
            parts.extend((0..carriage.catalog.tables[plan.table].parts.len()).map(|part| (n, part)));
        }
    }
    let (cancel, shared, sum, suspects) =
        (carriage.cancel.clone(), Arc::clone(&carriage), Arc::clone(&confirmed), Arc::clone(&found));
    side_by_side(parts, &cancel, move |parts, next, stop| {
        let (carriage, sum, suspects) = (Arc::clone(&shared), Arc::clone(&sum), Arc::clone(&suspects));
        async move {
            let client = reading(&carriage.source, &carriage.snapshot).await?;
            while let Some((n, part)) = parts.get(next.fetch_add(1, Ordering::Relaxed)) {
                let (plan, part) = (&carriage.plans[*n], *part);
                let table = &carriage.catalog.tables[plan.table];
                let asked = tokio::select! {
                    asked = ask(table, plan, part, &suspects, &client) => asked?,
                    () = stop.cancelled() => return Err(interrupted()),
                };
                let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
                for (fingerprint, columns) in asked {
                    let all = sum.entry(fingerprint).or_default();
                    for (column, times) in columns {
                        *all.entry(column).or_default() += times;
                    }
                }
            }
            Ok(())
        }
    })
    .await?;

    let confirmed = std::mem::take(&mut *confirmed.lock().unwrap_or_else(PoisonError::into_inner));
    let mut leaks: BTreeMap<String, Leak> = BTreeMap::new();
    for (fingerprint, sources) in &confirmed {
        if is_phrase(*fingerprint) && sources.values().sum::<u64>() >= COMMON {
            report.common += 1;
            continue;
        }
        for (place, times) in found.found.get(fingerprint).into_iter().flatten() {
            let leak = leaks.entry(place.clone()).or_insert_with(|| Leak {
                found_in: place.clone(),
                comes_from: Vec::new(),
                times: 0,
            });
            leak.times += times;
            for source in sources.keys() {
                if !leak.comes_from.contains(source) {
                    leak.comes_from.push(source.clone());
                }
            }
        }
    }
    report.leaks = leaks.into_values().collect();
    report.leaks.iter_mut().for_each(|l| l.comes_from.sort());
    if report.leaks.is_empty() && found.full {
        return Err(Failure::new(
            FailureKind::Internal,
            "the leak check could not be completed: too much looks like a leak",
        )
        .hint("mask more columns, or excuse those of `[leaks] allow` in masking.toml that hold no personal data"));
    }
    Ok(report)
}

struct Ask<'a> {
    columns: Vec<(String, &'a Mask)>,
    suspects: &'a Suspicions,
    words: Words,
    room: Vec<u8>,
    row: Vec<Fingerprint>,
    answers: HashMap<Fingerprint, BTreeMap<String, u64>>,
}

impl Rows for Ask<'_> {
    fn row(&mut self, fields: &Fields<'_>, _: &mut Vec<u8>) -> Result<(), Failure> {
        for (n, (name, mask)) in self.columns.iter().enumerate() {
            let Some(raw) = fields.text(n, &mut self.room) else { continue };
            let Ok(value) = std::str::from_utf8(raw) else { continue };
            let (words, suspects, row) = (&mut self.words, self.suspects, &mut self.row);
            mask.visit(value, &mut |leaf: Leaf<'_>| {
                if leaf.masked {
                    sensitive(words, leaf.text, |f| {
                        if suspects.found.contains_key(&f) {
                            row.push(f);
                        }
                    });
                }
            });
            // A phrase that one row repeats is still one row's.
            self.row.sort_unstable();
            self.row.dedup();
            for fingerprint in self.row.drain(..) {
                *self.answers.entry(fingerprint).or_default().entry(name.clone()).or_default() += 1;
            }
        }
        Ok(())
    }
}

async fn ask(
    table: &Table,
    plan: &Plan,
    part: usize,
    suspects: &Suspicions,
    client: &tokio_postgres::Client,
) -> Result<HashMap<Fingerprint, BTreeMap<String, u64>>, Failure> {
    let title = table.title();
    let masked: Vec<_> = plan.columns.iter().filter_map(|c| Some((c, c.mask.as_ref()?))).collect();
    let columns = masked.iter().map(|(c, _)| identifier(&c.name)).collect::<Vec<_>>().join(", ");
    let format = Format::Text;
    let statement =
        format!("COPY (SELECT {columns} FROM ONLY {}) TO STDOUT {}", table.parts[part].qualified(), format.option());
    let mut rows = pin!(client.copy_out(&statement).await.map_err(|e| failed(&e))?);
    let mut reader = Reader::new(format);
    let mut ask = Ask {
        columns: masked.iter().map(|(c, mask)| (format!("{title}.{}", c.name), *mask)).collect(),
        suspects,
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
