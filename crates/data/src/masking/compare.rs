//! What `masking.toml` says against what the database has. A copy is made only if nothing that stops is found.

use std::collections::{HashMap, HashSet};

use super::file::MaskingFile;
use super::fit;
use super::rule::{Masker, Rule};
use crate::column::{ColumnFacts, ColumnName, Shape};

/// How file and database differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Difference {
    /// The database has a column that the file does not name.
    Unclassified,
    /// The column's type is another than when it was classified.
    TypeChanged,
    /// The file names a column that the database does not have.
    Vanished,
    /// The masker does not fit the column.
    Unfit,
    /// A foreign key would point to nothing: its column is masked otherwise than what it references.
    ReferenceBroken,
    /// `by` names a column that the table does not have.
    SubjectMissing,
}

/// Something that [`compare`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The column.
    pub name: ColumnName,
    /// How it differs.
    pub what: Difference,
    /// That in words.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Whether a copy must not be made.
    pub stops: bool,
}

/// Compares the file with the database; everything at once, in the database's order, what has vanished last.
pub fn compare(file: &MaskingFile, columns: &[ColumnFacts]) -> Vec<Finding> {
    let known: HashSet<&ColumnName> = columns.iter().map(|c| &c.name).collect();
    let mut findings = Vec::new();
    for facts in agreed(columns) {
        let name = &facts.name;
        let shown = name.to_string();
        let mut find = |what, message: String, hint: Option<&str>| {
            let hint = hint.map(str::to_owned);
            findings.push(Finding { name: name.clone(), what, message, hint, stops: true });
        };
        let Some(entry) = file.get(name) else {
            find(
                Difference::Unclassified,
                format!("{shown} ({}) is not in masking.toml", facts.data_type),
                Some("`ambit data classify` proposes a line; a copy is made once every column has one"),
            );
            continue;
        };
        if entry.data_type != facts.data_type {
            find(
                Difference::TypeChanged,
                format!("{shown} was {} when it was classified, and is {}", entry.data_type, facts.data_type),
                Some("look at the column again, and write its new type into masking.toml"),
            );
            continue;
        }
        if let Some(target) = facts.references.as_ref().and_then(|target| file.get(target))
            && target.rule != entry.rule
            && entry.rule != Rule::Mask(Masker::Null)
        {
            find(
                Difference::ReferenceBroken,
                format!(
                    "{shown} is `{}`, and {}, which it references, is `{}`: the foreign key would point to nothing",
                    entry.rule, target.name, target.rule
                ),
                Some("both sides of a foreign key need the same masker"),
            );
        }
        let Rule::Mask(masker) = &entry.rule else { continue };
        match fit::check(masker, &facts).and_then(|()| fit::subject(masker)) {
            Err(why) => find(Difference::Unfit, format!("{shown}: {why}"), None),
            Ok(Some(by)) => {
                let subject = ColumnName { column: by.to_owned(), ..name.clone() };
                if !known.contains(&subject) {
                    let message = format!("{shown} is shifted by `{by}`, which its table does not have");
                    find(Difference::SubjectMissing, message, Some("`by` names a column of the same table"));
                }
            }
            Ok(None) => {}
        }
    }
    let named = file.entries().map(|entry| &entry.name).chain(file.excuses());
    let mut told = HashSet::new();
    findings.extend(named.filter(|name| !known.contains(name) && told.insert(*name)).map(|name| Finding {
        name: name.clone(),
        what: Difference::Vanished,
        message: format!("masking.toml names {}, which the database does not have", name),
        hint: Some("remove the line".to_owned()),
        stops: false,
    }));
    findings
}

/// The same columns, with both sides of each foreign key having the same facts where they decide about pseudonyms: unique if one is,
/// and as short as the shortest. Masks have to be made from these.
pub fn agreed(columns: &[ColumnFacts]) -> Vec<ColumnFacts> {
    let places: HashMap<&ColumnName, usize> = columns.iter().enumerate().map(|(i, c)| (&c.name, i)).collect();
    let mut groups: Vec<usize> = (0..columns.len()).collect();
    for (i, column) in columns.iter().enumerate() {
        if let Some(j) = column.references.as_ref().and_then(|r| places.get(r)) {
            let (a, b) = (root(&mut groups, i), root(&mut groups, *j));
            groups[a] = b;
        }
    }
    let mut together: HashMap<usize, (bool, Option<usize>, usize)> = HashMap::new();
    for (i, column) in columns.iter().enumerate() {
        let (unique, shortest, size) = together.entry(root(&mut groups, i)).or_default();
        *unique |= column.unique;
        *shortest = [*shortest, length(&column.shape)].into_iter().flatten().min();
        *size += 1;
    }
    let mut agreed = columns.to_vec();
    for (i, column) in agreed.iter_mut().enumerate() {
        let (unique, shortest, size) = together[&root(&mut groups, i)];
        if size > 1 {
            column.unique = unique;
            shorten(&mut column.shape, shortest);
        }
    }
    agreed
}

/// The representative of a column's group, in a disjoint-set forest.
fn root(groups: &mut [usize], mut i: usize) -> usize {
    while groups[i] != i {
        groups[i] = groups[groups[i]];
        i = groups[i];
    }
    i
}

fn length(shape: &Shape) -> Option<usize> {
    match shape {
        Shape::Text { longest } => *longest,
        Shape::Padded { length } => Some(*length),
        Shape::Array(element) => length(element),
        _ => None,
    }
}

fn shorten(shape: &mut Shape, shortest: Option<usize>) {
    match (shape, shortest) {
        (Shape::Text { longest }, shortest) => *longest = shortest,
        (Shape::Padded { length }, Some(shortest)) => *length = shortest,
        (Shape::Array(element), shortest) => shorten(element, shortest),
        _ => {}
    }
}
