//! The check from end to end: look, confirm, report; in as many rounds as memory asks for.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use ambit_domain::{Failure, FailureKind};

use super::{
    Leak, LeakReport, Words,
    confirm::confirm,
    fingerprint::{Fingerprint, is_phrase, occurrences},
    scan::scan,
    suspicions::{Round, Suspicions},
    vocabulary::vocabulary,
};
use crate::{catalog::Table, classify::is_machinery, copy::Carriage, sql_tokens::constants};

/// Into so many rounds, one after the other, until each is small enough.
const ROUNDS: [u64; 4] = [1, 8, 64, 512];
/// A phrase that so many rows of production share speaks of nobody.
const COMMON: u64 = 100;
/// Where declarations are spoken of among the columns.
const DECLARATIONS: u32 = u32::MAX;

/// The columns of a copy, by number.
pub(super) fn number(table: usize, column: usize) -> u32 {
    // PostgreSQL has at most 1,600 columns a table (manual, appendix K).
    u32::try_from(table * 1664 + column).unwrap_or(DECLARATIONS - 1)
}

fn title(tables: &[Table], number: u32) -> String {
    if number == DECLARATIONS {
        return "the declarations (defaults, comments, conditions, functions)".to_owned();
    }
    let (table, column) = (number as usize / 1664, number as usize % 1664);
    let table = tables.get(table);
    let column = table.and_then(|t| t.columns.get(column));
    match (table, column) {
        (Some(table), Some(column)) => table.title_of(&column.facts.name.column),
        _ => "a column".to_owned(),
    }
}

/// Whether a column is of a table that a framework keeps for itself: its phrases are code's (`Can add user`), and an app cannot
/// start without them as they are.
fn is_frameworks(tables: &[Table], number: u32) -> bool {
    number != DECLARATIONS
        && tables
            .get(number as usize / 1664)
            .and_then(|t| t.columns.first())
            .is_some_and(|c| is_machinery(&c.facts.name.table))
}

/// Columns that are not looked through, by their titles.
pub(super) type Excused = Arc<BTreeMap<String, String>>;

/// Looks the whole copy through, its declarations included.
pub(crate) async fn check(carriage: &Arc<Carriage>, excused: &Excused, declared: &str) -> Result<LeakReport, Failure> {
    let vocabulary = vocabulary(carriage).await?;
    'rounds: for of in ROUNDS {
        let mut report = LeakReport { sensitive: carriage.known.values(), ..LeakReport::default() };
        let mut leaks: BTreeMap<u32, Leak> = BTreeMap::new();
        for number in 0..of {
            let round = Round { number, of };
            let mut found = scan(carriage, excused, round).await?;
            look_at_declarations(carriage, declared, &mut found);
            if found.full {
                continue 'rounds;
            }
            report.texts = found.texts;
            judge(carriage, &found, &vocabulary, &mut report, &mut leaks).await?;
        }
        report.leaks = leaks.into_values().collect();
        report.leaks.iter_mut().for_each(|l| l.comes_from.sort());
        return Ok(report);
    }
    Err(Failure::new(FailureKind::User, "the leak check could not be completed: too much looks like a leak")
        .hint("mask more columns, or excuse those of `[leaks] allow` in masking.toml that hold no personal data"))
}

fn look_at_declarations(carriage: &Carriage, declared: &str, found: &mut Suspicions) {
    let mut words = Words::default();
    // Names have to be those of production: a copy is declared as its source.
    constants(declared, |constant| {
        found.texts += 1;
        occurrences(&mut words, constant, |f| {
            if carriage.known.may_contain(f) {
                found.add(f, DECLARATIONS, 1);
            }
        });
    });
}

async fn judge(
    carriage: &Arc<Carriage>,
    found: &Suspicions,
    vocabulary: &HashSet<Fingerprint>,
    report: &mut LeakReport,
    leaks: &mut BTreeMap<u32, Leak>,
) -> Result<(), Failure> {
    let suspects = found.fingerprints();
    if suspects.is_empty() {
        return Ok(());
    }
    let mut confirmed: HashMap<u64, Vec<(u32, u64)>> = HashMap::new();
    for ((fingerprint, column), rows) in confirm(carriage, suspects).await? {
        confirmed.entry(fingerprint).or_default().push((column, rows));
    }
    confirmed.retain(|fingerprint, sources| {
        let shared = is_phrase(*fingerprint) && sources.iter().map(|(_, rows)| rows).sum::<u64>() >= COMMON;
        let common = shared || vocabulary.contains(fingerprint);
        report.common += u64::from(common);
        !common
    });
    let tables = &carriage.catalog.tables;
    for (fingerprint, column, times) in found.each() {
        let Some(sources) = confirmed.get(&fingerprint) else { continue };
        if is_phrase(fingerprint) && is_frameworks(tables, column) {
            report.common += 1;
            continue;
        }
        let leak = leaks.entry(column).or_insert_with(|| Leak {
            found_in: title(tables, column),
            comes_from: Vec::new(),
            times: 0,
        });
        leak.times += u64::from(times);
        for (source, _) in sources {
            let source = title(tables, *source);
            if !leak.comes_from.contains(&source) {
                leak.comes_from.push(source);
            }
        }
    }
    Ok(())
}
