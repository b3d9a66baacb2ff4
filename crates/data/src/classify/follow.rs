//! What columns say about each other: foreign keys follow what they reference, and maskers have to fit.

use std::collections::{HashMap, HashSet};

use super::verdict::Verdict;
use crate::column::{ColumnFacts, ColumnName};
use crate::masking::{Masker, Rule, agreed, fits};

type Verdicts<'a> = [(&'a ColumnFacts, Verdict)];

/// Both sides of a foreign key have the rule of the one that is referenced.
pub(super) fn references(verdicts: &mut Verdicts<'_>) {
    let places: HashMap<&ColumnName, usize> =
        verdicts.iter().enumerate().map(|(i, (facts, _))| (&facts.name, i)).collect();
    for i in 0..verdicts.len() {
        let mut seen = HashSet::from([i]);
        let mut at = i;
        // A foreign key may reference another one. Circles end where they began.
        while let Some(next) =
            verdicts[at].0.references.as_ref().and_then(|to| places.get(to)).filter(|n| seen.insert(**n))
        {
            at = *next;
        }
        if at != i {
            let (target, found) = (&verdicts[at].0.name, verdicts[at].1.clone());
            let reason = format!("references {}.{}.{}", target.schema, target.table, target.column);
            verdicts[i].1 = Verdict { reason, ..found };
        } else if verdicts[i].0.references.is_some() && seen.len() == 1 {
            verdicts[i].1 = Verdict::keep(0.6, "a foreign key to a table that was not looked at");
        }
    }
}

/// A masker that does not fit is replaced by the nearest one that does. Columns that foreign keys join change together.
pub(super) fn fit(verdicts: &mut Verdicts<'_>) {
    let columns: Vec<ColumnFacts> = verdicts.iter().map(|(facts, _)| (*facts).clone()).collect();
    let columns = agreed(&columns);
    let mut changed = Vec::new();
    for (facts, (_, verdict)) in columns.iter().zip(verdicts.iter_mut()) {
        let Rule::Mask(masker) = &verdict.rule else { continue };
        let Err(why) = fits(masker, facts) else { continue };
        // Nothing fits some columns (JSON whose values are unique): the proposal stays, and stops the copy until somebody decides.
        if let Some(other) = instead(masker).into_iter().find(|other| fits(other, facts).is_ok()) {
            verdict.reason = format!("{}; no `{masker}`: {why}", verdict.reason);
            verdict.confidence = verdict.confidence.min(0.7);
            verdict.rule = Rule::Mask(other);
            changed.push(facts.name.clone());
        }
    }
    if !changed.is_empty() {
        references(verdicts);
    }
}

fn instead(masker: &Masker) -> Vec<Masker> {
    match masker {
        Masker::Ip { .. } => vec![Masker::Ip { prefix: true }, Masker::Id],
        Masker::Password { .. } => vec![Masker::Token, Masker::Null],
        Masker::Number { .. } | Masker::Noise { .. } => vec![Masker::Noise { percent: 20 }, Masker::Id, Masker::Null],
        _ => vec![Masker::Id, Masker::Token, Masker::Null],
    }
}
