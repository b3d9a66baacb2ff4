//! A database's columns beside what `masking.toml` says of them, for people who review it. Values are looked at and never told.

use std::collections::HashMap;

use ambit_domain::Failure;
use serde::{Deserialize, Serialize};

use crate::{
    classify::propose,
    column::ColumnFacts,
    database::Database,
    masking::{Finding, MaskingFile, Problem, compare},
    sampling::sample,
};

/// A column as the file and the database have it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReviewedColumn {
    /// `public.users.email`.
    pub column: String,
    /// Its type; `None` of one that the database does not have.
    pub data_type: Option<String>,
    /// What becomes of its values, as the file says.
    pub rule: Option<String>,
    /// Why, as the file says beside it.
    pub why: Option<String>,
    /// What the classification would propose.
    pub proposal: Option<Suggestion>,
    /// What is wrong with it.
    pub trouble: Option<String>,
    /// Whether no copy is made because of that.
    pub stops: bool,
}

/// What the classification would propose for a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Suggestion {
    /// The rule.
    pub rule: String,
    /// How sure it is, between 0 and 1.
    pub confidence: f32,
    /// Why.
    pub reason: String,
}

/// Why a review could not be made.
#[derive(Debug)]
pub enum NotReviewed {
    /// The file is wrong.
    File(Vec<Problem>),
    /// The database could not be looked at.
    Database(Failure),
}

/// Compares a file with a database: the columns in the database's order, then those that it no longer has.
pub async fn review(database: &Database, file: &str) -> Result<Vec<ReviewedColumn>, NotReviewed> {
    let masking = MaskingFile::parse(file).map_err(NotReviewed::File)?;
    let samples = sample(database).await.map_err(NotReviewed::Database)?;
    let facts: Vec<ColumnFacts> = samples.iter().flat_map(|table| table.columns.clone()).collect();
    let mut findings: HashMap<String, Finding> =
        compare(&masking, &facts).into_iter().map(|finding| (finding.name.to_string(), finding)).collect();
    let mut all: Vec<ReviewedColumn> = propose(&samples)
        .into_iter()
        .map(|proposal| {
            let (column, entry) = (proposal.name.to_string(), masking.get(&proposal.name));
            let finding = findings.remove(&column);
            ReviewedColumn {
                column,
                data_type: Some(proposal.data_type),
                rule: entry.map(|entry| entry.rule.to_string()),
                why: entry.and_then(|entry| entry.why.clone()),
                proposal: Some(Suggestion {
                    rule: proposal.rule.to_string(),
                    confidence: proposal.confidence,
                    reason: proposal.reason,
                }),
                stops: finding.as_ref().is_some_and(|finding| finding.stops),
                trouble: finding.map(|finding| finding.message),
            }
        })
        .collect();
    let gone = masking.entries().filter_map(|entry| {
        let finding = findings.remove(&entry.name.to_string())?;
        Some(ReviewedColumn {
            column: entry.name.to_string(),
            data_type: None,
            rule: Some(entry.rule.to_string()),
            why: entry.why.clone(),
            proposal: None,
            stops: finding.stops,
            trouble: Some(finding.message),
        })
    });
    all.extend(gone);
    Ok(all)
}
