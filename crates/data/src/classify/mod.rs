//! The classification: what `masking.toml` should say of each column, proposed from names, types, comments, foreign keys and
//! sampled values, for somebody to review.
//!
//! It errs towards masking. What is kept is what cannot say anything about a person: keys, times, states, amounts, settings, the
//! catalogue. A text that nobody understands is masked, with a confidence that says so.

mod follow;
mod json;
mod judge;
mod lexicon;
mod numbers;
mod sampled;
mod table;
mod texts;
mod verdict;
mod words;

pub(crate) use lexicon::is_machinery;

pub use crate::masking::Proposal;

use crate::column::ColumnFacts;

/// A table's columns with some of its values.
#[derive(Debug, Clone, Default)]
pub struct TableSample {
    /// Its columns, in its order.
    pub columns: Vec<ColumnFacts>,
    /// Values for each column, in text form, where there are any; some hundreds are enough.
    pub samples: Vec<Vec<Option<String>>>,
}

/// A proposal for each column, in the order that they are given in.
pub fn propose(tables: &[TableSample]) -> Vec<Proposal> {
    let mut verdicts = Vec::new();
    for sample in tables {
        let table = table::Table::new(&sample.columns, tables);
        for (i, facts) in sample.columns.iter().enumerate() {
            let values = sample.samples.get(i).map(Vec::as_slice).unwrap_or_default();
            verdicts.push((facts, judge::judge(facts, values, &table)));
        }
    }
    follow::references(&mut verdicts);
    follow::fit(&mut verdicts);
    verdicts
        .into_iter()
        .map(|(facts, verdict)| Proposal {
            name: facts.name.clone(),
            data_type: facts.data_type.clone(),
            rule: verdict.rule,
            confidence: verdict.confidence,
            reason: verdict.reason,
        })
        .collect()
}
