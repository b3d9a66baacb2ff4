//! Reads the copy back and looks every text up that no mask has made.

use std::{
    hash::{DefaultHasher, Hasher},
    sync::{Arc, Mutex, PoisonError},
};

use ambit_domain::{Failure, FailureKind};

use super::{
    Recent, Words,
    check::{Excused, number},
    filter::Sensitive,
    fingerprint::{Fingerprint, occurrences},
    suspicions::{Round, Suspicions},
};
use crate::{
    catalog::Table,
    column::Shape,
    copy::{Carriage, Fields, Format, Part, Plan, Rows, read_rows, side_by_side},
    database::identifier,
    masking::{Leaf, Mask},
};

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

/// Columns that hold texts which no mask has made, by their places in the table.
fn looked_at<'a>(table: &'a Table, plan: &'a Plan, excused: &Excused) -> Vec<(usize, Look<'a>)> {
    let masked: Vec<&str> = plan.columns.iter().filter(|c| c.mask.is_some()).map(|c| c.name.as_str()).collect();
    let mut all = Vec::new();
    for (place, column) in table.columns.iter().enumerate() {
        if excused.contains_key(&table.title_of(&column.facts.name.column)) {
            continue;
        }
        let planned = plan.columns.iter().find(|c| c.column == place);
        match planned.and_then(|p| Some((p.in_parts, p.mask.as_ref()?))) {
            Some((true, mask)) => all.push((place, Look::Masked(mask))),
            Some((false, _)) => {}
            // What is computed from masked columns is made of masked values.
            None if column.computed_from.iter().any(|c| masked.contains(&c.as_str())) => {}
            None if has_text(&column.facts.shape) => all.push((place, Look::Kept(Mask::kept(&column.facts.shape)))),
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
    columns: Vec<(u32, &'a Mask)>,
    known: &'a Sensitive,
    words: Words,
    /// Values that have nothing in them, seen a moment ago.
    clean: Recent,
    room: Vec<u8>,
    hits: Vec<Fingerprint>,
    found: Suspicions,
}

impl Rows for LookUp<'_> {
    fn enough(&self) -> bool {
        self.found.full
    }

    fn row(&mut self, fields: &Fields<'_>, _: &mut Vec<u8>) -> Result<(), Failure> {
        for (n, (column, mask)) in self.columns.iter().enumerate() {
            let Some(raw) = fields.text(n, &mut self.room) else { continue };
            let mut hasher = DefaultHasher::new();
            hasher.write_u32(*column);
            hasher.write(raw);
            let value_hash = hasher.finish();
            if self.clean.has(value_hash) {
                self.found.texts += 1;
                continue;
            }
            let Ok(value) = std::str::from_utf8(raw) else {
                let what =
                    format!("{} holds text that is not UTF-8; it cannot be looked through for leaks", self.title);
                return Err(Failure::new(FailureKind::User, what));
            };
            let (words, known, hits, found) = (&mut self.words, self.known, &mut self.hits, &mut self.found);
            mask.visit(value, &mut |leaf: Leaf<'_>| {
                if !leaf.masked {
                    found.texts += 1;
                    occurrences(words, leaf.text, |f| {
                        if known.may_contain(f) {
                            hits.push(f);
                        }
                    });
                }
            });
            if self.hits.is_empty() {
                self.clean.saw(value_hash);
            }
            for hit in self.hits.drain(..) {
                self.found.add(hit, *column, 1);
            }
        }
        Ok(())
    }
}

/// Reads the copy, two tables at a time.
pub(super) async fn scan(carriage: &Arc<Carriage>, excused: &Excused, round: Round) -> Result<Suspicions, Failure> {
    let all = Arc::new(Mutex::new(Suspicions::new(round)));
    let (shared, sum, excused) = (Arc::clone(carriage), Arc::clone(&all), Arc::clone(excused));
    side_by_side(carriage.parts(), &carriage.cancel, move |queue| {
        let (carriage, sum, excused) = (Arc::clone(&shared), Arc::clone(&sum), Arc::clone(&excused));
        async move {
            let client = carriage.target.connect().await?;
            while let Some(part) = queue.next() {
                let found = queue.unless_stopped(scan_one(&carriage, part, &excused, round, &client)).await?;
                let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
                sum.merge(found);
                if sum.full {
                    break;
                }
            }
            Ok(())
        }
    })
    .await?;
    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(std::mem::replace(&mut *all, Suspicions::new(round)))
}

async fn scan_one(
    carriage: &Carriage,
    part: Part,
    excused: &Excused,
    round: Round,
    client: &tokio_postgres::Client,
) -> Result<Suspicions, Failure> {
    let (plan, table) = (carriage.plan(part), carriage.table(part));
    let looks = looked_at(table, plan, excused);
    if looks.is_empty() {
        return Ok(Suspicions::new(round));
    }
    let names: Vec<_> = looks.iter().map(|(place, _)| identifier(&table.columns[*place].facts.name.column)).collect();
    let title = table.title();
    let mut look = LookUp {
        title: &title,
        columns: looks.iter().map(|(place, look)| (number(plan.table, *place), look.mask())).collect(),
        known: &carriage.known,
        words: Words::default(),
        clean: Recent::default(),
        room: Vec::new(),
        hits: Vec::new(),
        found: Suspicions::new(round),
    };
    let query = format!("SELECT {} FROM ONLY {}", names.join(", "), carriage.relation(part).qualified());
    read_rows(client, &query, Format::Text, &mut look).await?;
    Ok(look.found)
}
