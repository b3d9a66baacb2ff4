//! Proposals for a whole database: each column by itself first, then against one another. A column that would be kept and holds
//! what is masked elsewhere would stop the copy, so that it is masked too.

use std::collections::HashMap;

use ambit_domain::{Failure, FailureKind};

use crate::{
    classify::{is_machinery, propose},
    column::{ColumnFacts, Shape},
    copy::contradictions,
    database::Database,
    masking::{Masker, MaskingFile, Problem, Proposal, Rule, compare, fits, merge},
    sampling::sample,
};

/// Masking one column may bring another into contradiction; so often at most.
const ROUNDS: usize = 6;

/// What is proposed for a database, beside the lines that a file has already (`existing`, empty where there is none).
pub async fn proposals(database: &Database, existing: &str) -> Result<Vec<Proposal>, Failure> {
    let samples = sample(database).await?;
    let facts: Vec<ColumnFacts> = samples.iter().flat_map(|t| t.columns.clone()).collect();
    let mut all = propose(&samples);
    let settled = MaskingFile::parse(existing).map_err(wrong)?;
    for _ in 0..ROUNDS {
        let file = MaskingFile::parse(&merge(existing, &all).map_err(wrong)?.text).map_err(wrong)?;
        // What stops a copy for another reason is the team's to settle first.
        if compare(&file, &facts).iter().any(|f| f.stops) {
            break;
        }
        let found: HashMap<String, Vec<String>> =
            contradictions(database, &file).await?.into_iter().map(|l| (l.found_in, l.comes_from)).collect();
        let mut changed = false;
        for n in 0..all.len() {
            let name = all[n].name.clone();
            let Some(sources) = found.get(&name.to_string()).filter(|_| settled.get(&name).is_none()) else { continue };
            let tied =
                facts.iter().any(|f| f.name == name && f.references.is_some() || f.references.as_ref() == Some(&name));
            // An app cannot start on a masked record of its migrations.
            if is_machinery(&name.table) {
                continue;
            }
            let Some(column) = facts.iter().find(|f| f.name == name && !f.generated && !tied) else { continue };
            let like = sources.iter().find_map(|source| rule_of(&all, source));
            let Some(rule) = instead(column, like).filter(|rule| *rule != all[n].rule) else { continue };
            all[n].rule = rule;
            all[n].confidence = all[n].confidence.min(0.5);
            all[n].reason = format!("it holds values of {}", sources.join(", "));
            changed = true;
        }
        if !changed {
            break;
        }
    }
    Ok(all)
}

fn rule_of<'a>(all: &'a [Proposal], title: &str) -> Option<&'a Rule> {
    all.iter().find(|p| p.name.to_string() == title).map(|p| &p.rule)
}

/// A masker for a column that cannot be kept: the one of what it holds where that fits, else one for anything.
fn instead(column: &ColumnFacts, like: Option<&Rule>) -> Option<Rule> {
    let whole = match like {
        Some(Rule::Mask(
            masker @ (Masker::Name | Masker::Email | Masker::Phone | Masker::Username | Masker::Token),
        )) => Some(masker.clone()),
        _ => None,
    };
    let anything = match &column.shape {
        Shape::Json => vec![Masker::Json(Vec::new())],
        Shape::Hstore => vec![Masker::Hstore { keys: Vec::new(), rest: None }],
        _ => vec![Masker::Text, Masker::Id, Masker::Null, Masker::Fixed(String::new())],
    };
    whole.into_iter().chain(anything).find(|masker| fits(masker, column).is_ok()).map(Rule::Mask)
}

fn wrong(problems: Vec<Problem>) -> Failure {
    let failure = Failure::new(FailureKind::Declaration, "masking.toml is wrong; nothing was changed");
    problems.into_iter().fold(failure, |failure, problem| failure.because(problem.message))
}
