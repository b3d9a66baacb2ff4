//! How each table is copied: decided before anything is read.

use ambit_domain::{Failure, FailureKind};

use super::rows::Format;
use crate::{
    catalog::{Catalog, Codec, Table},
    column::ColumnFacts,
    masking::{Mask, MaskKey, Masker, MaskingFile, Rule, agreed, compare},
};

/// How one table is copied.
pub(crate) struct Plan {
    /// Its place in the catalog.
    pub(crate) table: usize,
    pub(crate) format: Format,
    /// Its columns but those that PostgreSQL computes, in order.
    pub(crate) columns: Vec<Planned>,
}

/// One column of it.
pub(crate) struct Planned {
    /// Its place in the table.
    pub(crate) column: usize,
    pub(crate) name: String,
    pub(crate) codec: Codec,
    pub(crate) mask: Option<Mask>,
    /// The place in `columns` of the one whose value says whose row it is.
    pub(crate) subject: Option<usize>,
    /// Whether its masker never makes a value of itself.
    pub(crate) differs: bool,
    /// Whether its masker may leave parts of a value as they are.
    pub(crate) in_parts: bool,
}

/// Every column has to be in the file as it is in the database, or nothing is copied.
pub(crate) fn plan(catalog: &Catalog, file: &MaskingFile, key: &MaskKey) -> Result<Vec<Plan>, Failure> {
    let facts: Vec<_> = catalog.columns().cloned().collect();
    let findings = compare(file, &facts);
    let mut agreed = agreed(&facts).into_iter();
    let stops: Vec<_> = findings.iter().filter(|f| f.stops).collect();
    if !stops.is_empty() {
        let failure = Failure::new(
            FailureKind::User,
            "masking.toml does not say what becomes of every column; nothing was copied",
        );
        let failure = stops.iter().fold(failure, |failure, f| {
            let hint = f.hint.iter().map(|hint| format!(": {hint}")).collect::<String>();
            failure.because(format!("{}{hint}", f.message))
        });
        return Err(failure.hint("ambit data classify proposes what is missing; look at it before you commit it"));
    }
    let mut wrong = Vec::new();
    let mut plans = Vec::new();
    for (n, table) in catalog.tables.iter().enumerate() {
        let facts: Vec<ColumnFacts> = agreed.by_ref().take(table.columns.len()).collect();
        plans.push(plan_table((n, table), &facts, file, key, &mut wrong));
    }
    if wrong.is_empty() {
        return Ok(plans);
    }
    let failure = Failure::new(FailureKind::User, "masking.toml cannot be carried out; nothing was copied");
    Err(wrong.into_iter().fold(failure, Failure::because))
}

fn plan_table(
    (index, table): (usize, &Table),
    facts: &[ColumnFacts],
    file: &MaskingFile,
    key: &MaskKey,
    wrong: &mut Vec<String>,
) -> Plan {
    let mut format = Format::Binary;
    let mut columns: Vec<Planned> = Vec::new();
    for (place, (column, facts)) in table.columns.iter().zip(facts).enumerate().filter(|(_, (c, _))| !c.facts.generated)
    {
        let rule = file.get(&column.facts.name).map(|e| &e.rule);
        let mask = match rule {
            Some(Rule::Mask(masker)) => match Mask::new(masker, facts, file.language(), key) {
                Ok(mask) => Some(mask),
                Err(why) => {
                    wrong.push(format!("{}.{}: {why}", table.title(), column.facts.name.column));
                    None
                }
            },
            _ => None,
        };
        if !column.portable || mask.is_some() && column.codec.is_none() {
            format = Format::Text;
        }
        columns.push(Planned {
            column: place,
            name: column.facts.name.column.clone(),
            codec: column.codec.unwrap_or(Codec::Text),
            differs: rule.is_some_and(differs),
            in_parts: rule.is_some_and(in_parts),
            mask,
            subject: None,
        });
    }
    for n in 0..columns.len() {
        let Some(subject) = columns[n].mask.as_ref().and_then(|m| m.subject().map(str::to_owned)) else { continue };
        columns[n].subject = columns.iter().position(|c| c.name == subject);
        if columns[n].subject.is_none() {
            wrong.push(format!("{}.{}: there is no column {subject} beside it", table.title(), columns[n].name));
        }
        format = Format::Text;
    }
    Plan { table: index, format, columns }
}

/// Of these no value comes out as it went in, so that one that does was not masked.
fn differs(rule: &Rule) -> bool {
    let Rule::Mask(masker) = rule else { return false };
    matches!(
        masker,
        Masker::Email
            | Masker::Phone
            | Masker::Name
            | Masker::FirstName
            | Masker::LastName
            | Masker::Company
            | Masker::Username
            | Masker::Address
            | Masker::Street
            | Masker::City
            | Masker::Text
            | Masker::Uuid
            | Masker::Id
            | Masker::Token
            | Masker::Url
            | Masker::Hash
    )
}

fn in_parts(rule: &Rule) -> bool {
    matches!(rule, Rule::Mask(Masker::Json(_) | Masker::Hstore { .. } | Masker::Composite(_)))
}
