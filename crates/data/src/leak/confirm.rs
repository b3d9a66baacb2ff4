//! Reads what masks replace in production: to know it, or to ask whether what was found is one of it.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

use ambit_domain::Failure;

use super::{
    Words,
    check::number,
    filter::Sensitive,
    fingerprint::{Fingerprint, sensitive},
};
use crate::{
    copy::{Carriage, Fields, Format, Part, Rows, read_rows, reading, side_by_side},
    database::identifier,
    masking::{Leaf, Mask},
};

/// In how many rows of which columns of production each fingerprint is.
type Answers = HashMap<(Fingerprint, u32), u64>;

/// Reads every masked column of production again, in the snapshot that was copied.
pub(super) async fn confirm(carriage: &Arc<Carriage>, suspects: HashSet<Fingerprint>) -> Result<Answers, Failure> {
    each_masked(carriage, Some(Arc::new(suspects))).await
}

/// Fills the filter with what the masks of a plan would replace.
pub(crate) async fn collect(carriage: &Arc<Carriage>) -> Result<(), Failure> {
    each_masked(carriage, None).await.map(drop)
}

async fn each_masked(
    carriage: &Arc<Carriage>,
    suspects: Option<Arc<HashSet<Fingerprint>>>,
) -> Result<Answers, Failure> {
    let masked = |part: &Part| carriage.plan(*part).columns.iter().any(|c| c.mask.is_some());
    let parts = carriage.parts().into_iter().filter(masked).collect();
    let all: Arc<Mutex<Answers>> = Arc::default();
    let (shared, sum) = (Arc::clone(carriage), Arc::clone(&all));
    side_by_side(parts, &carriage.cancel, move |queue| {
        let (carriage, sum, suspects) = (Arc::clone(&shared), Arc::clone(&sum), suspects.clone());
        async move {
            let client = reading(&carriage.source, &carriage.snapshot).await?;
            while let Some(part) = queue.next() {
                let asked = queue.unless_stopped(ask(&carriage, part, suspects.as_deref(), &client)).await?;
                let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
                for (key, rows) in asked {
                    *sum.entry(key).or_default() += rows;
                }
            }
            Ok(())
        }
    })
    .await?;
    Ok(std::mem::take(&mut *all.lock().unwrap_or_else(PoisonError::into_inner)))
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
    part: Part,
    suspects: Option<&HashSet<Fingerprint>>,
    client: &tokio_postgres::Client,
) -> Result<Answers, Failure> {
    let plan = carriage.plan(part);
    let masked: Vec<_> = plan.columns.iter().filter_map(|c| Some((c, c.mask.as_ref()?))).collect();
    let columns = masked.iter().map(|(c, _)| identifier(&c.name)).collect::<Vec<_>>().join(", ");
    let mut ask = Ask {
        columns: masked.iter().map(|(c, mask)| (number(plan.table, c.column), *mask)).collect(),
        suspects,
        known: &carriage.known,
        words: Words::default(),
        room: Vec::new(),
        row: Vec::new(),
        answers: HashMap::new(),
    };
    let query = format!("SELECT {columns} FROM ONLY {}", carriage.relation(part).qualified());
    read_rows(client, &query, Format::Text, &mut ask).await?;
    Ok(ask.answers)
}
