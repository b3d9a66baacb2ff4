//! Which rows a smaller copy holds: those that were chosen, those that belong to them, and every row that one of these points to.
//!
//! Rows are spoken of by their places (`ctid`), which stand still within a snapshot: a set of rows is a compressed bitmap, and
//! how rows point to one another is joined by the database itself. No value leaves it.
//!
//! 1. *Down*, parents before children: a table with a predicate has the rows that meet it; one that points to a table of
//!    which only a part is taken has the rows that belong to that part; others are sampled.
//! 2. *Up*, children before parents: whatever a taken row points to is taken too. Tables that point to one another in a
//!    circle are gone through until nothing is added; their edges are read once and kept in a scratch file.

mod edges;
mod order;

use std::{collections::HashMap, path::Path};

use ambit_domain::{Failure, FailureKind};
use roaring::RoaringTreemap;
use tokio_postgres::Client;

use crate::{
    catalog::{Catalog, ForeignKey, Table},
    database::identifier,
};
use edges::{Scratch, edges, places};

/// What is taken of a database.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Choice {
    /// So many of a hundred rows.
    pub percent: Option<f64>,
    /// Tables (`public.users` or `users`) and the condition that their rows have to meet.
    pub conditions: Vec<(String, String)>,
}

/// Tables of at most so many bytes that point to nothing are lists of kinds and countries: they are taken whole.
const SMALL: u64 = 64 << 10;

/// The rows of one table that are taken.
enum Taken {
    Whole,
    Some(RoaringTreemap),
}

impl Taken {
    fn contains(&self, place: u64) -> bool {
        match self {
            Self::Whole => true,
            Self::Some(rows) => rows.contains(place),
        }
    }

    /// Whether that was news.
    fn add(&mut self, place: u64) -> bool {
        match self {
            Self::Whole => false,
            Self::Some(rows) => rows.insert(place),
        }
    }

    fn is_whole(&self) -> bool {
        matches!(self, Self::Whole)
    }
}

/// The rows that are taken of each relation, by its object id; relations that are not there are taken whole.
pub(crate) async fn choose(
    client: &Client,
    catalog: &Catalog,
    choice: &Choice,
    folder: &Path,
) -> Result<HashMap<u32, RoaringTreemap>, Failure> {
    let conditions = named(catalog, choice)?;
    let fraction = match choice.percent {
        Some(percent) if percent > 0.0 && percent <= 100.0 => Some(percent / 100.0),
        Some(percent) => {
            return Err(Failure::new(FailureKind::User, format!("a sample of {percent} % cannot be taken"))
                .hint("more than 0 % and at most 100 %: --sample 5%"));
        }
        None => None,
    };
    let groups = order::parents_first(catalog);
    let mut taken = down(client, catalog, &groups, &conditions, fraction).await?;
    up(client, catalog, &groups, &mut taken, folder).await?;

    let mut all = HashMap::new();
    for (table, taken) in catalog.tables.iter().zip(taken) {
        let Taken::Some(rows) = taken else { continue };
        let mut parts: Vec<RoaringTreemap> = table.parts.iter().map(|_| RoaringTreemap::new()).collect();
        for row in rows {
            let (part, place) = (row >> 48, row & ((1 << 48) - 1));
            if let Some(part) = usize::try_from(part).ok().and_then(|p| parts.get_mut(p)) {
                part.insert(place);
            }
        }
        all.extend(table.parts.iter().map(|p| p.oid).zip(parts));
    }
    Ok(all)
}

fn named<'a>(catalog: &Catalog, choice: &'a Choice) -> Result<HashMap<usize, &'a str>, Failure> {
    let mut all = HashMap::new();
    for (name, condition) in &choice.conditions {
        let mut matches = catalog.tables.iter().enumerate().filter(|(_, t)| t.title() == *name || t.name == *name);
        let found = matches.next().map(|(n, _)| n);
        let Some(found) = found else {
            return Err(Failure::new(FailureKind::User, format!("there is no table {}", name.escape_debug()))
                .hint("name it with its schema: --where 'public.users: created_at > now() - interval ''30 days'''"));
        };
        if matches.next().is_some() {
            return Err(Failure::new(
                FailureKind::User,
                format!("several schemas have a table {}", name.escape_debug()),
            )
            .hint("name it with its schema"));
        }
        all.insert(found, condition.as_str());
    }
    Ok(all)
}

async fn down(
    client: &Client,
    catalog: &Catalog,
    groups: &[Vec<usize>],
    conditions: &HashMap<usize, &str>,
    fraction: Option<f64>,
) -> Result<Vec<Taken>, Failure> {
    let weights = order::weights(catalog);
    let mut taken: Vec<Taken> = catalog.tables.iter().map(|_| Taken::Whole).collect();
    for group in groups {
        for &n in group {
            let table = &catalog.tables[n];
            if let Some(condition) = conditions.get(&n) {
                taken[n] = Taken::Some(places(client, table, &format!("({condition}\n)")).await?);
                continue;
            }
            let owner = catalog
                .foreign_keys
                .iter()
                .filter(|k| k.child == n && !group.contains(&k.parent) && !taken[k.parent].is_whole())
                .max_by_key(|k| (k.required, weights[k.parent]));
            let sampled = fraction.map(|f| sample(table, f));
            taken[n] = match (owner, sampled) {
                (Some(key), sampled) => {
                    let mut rows = RoaringTreemap::new();
                    edges(client, catalog, key, |child, parent| {
                        if taken[key.parent].contains(parent) {
                            rows.insert(child);
                        }
                        Ok(())
                    })
                    .await?;
                    if !key.required {
                        let mut nobodys = nobodys(key);
                        if let Some(sampled) = sampled {
                            nobodys.push_str(&format!(" AND {sampled}"));
                        }
                        rows |= places(client, table, &nobodys).await?;
                    }
                    Taken::Some(rows)
                }
                (None, Some(sampled)) if !is_list(catalog, n) => Taken::Some(places(client, table, &sampled).await?),
                (None, _) => Taken::Whole,
            };
        }
    }
    Ok(taken)
}

fn is_list(catalog: &Catalog, table: usize) -> bool {
    catalog.tables[table].bytes() <= SMALL && catalog.foreign_keys.iter().all(|k| k.child != table)
}

/// Rows that belong to nobody.
fn nobodys(key: &ForeignKey) -> String {
    let missing: Vec<String> = key.child_columns.iter().map(|c| format!("{} IS NULL", identifier(c))).collect();
    format!("({})", missing.join(" OR "))
}

/// The same rows in every copy: by a hash of what identifies them.
fn sample(table: &Table, fraction: f64) -> String {
    let key: Vec<String> = table
        .columns
        .iter()
        .filter(|c| c.facts.unique && c.facts.not_null)
        .map(|c| identifier(&c.facts.name.column))
        .collect();
    let identity = if key.is_empty() { "ctid::text".to_owned() } else { format!("concat_ws('/', {})", key.join(", ")) };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 2^30")]
    let bound = (fraction * f64::from(1 << 30)).ceil() as u64;
    format!("(hashtextextended({identity}, 0) & {}) < {bound}", (1_u64 << 30) - 1)
}

async fn up(
    client: &Client,
    catalog: &Catalog,
    groups: &[Vec<usize>],
    taken: &mut [Taken],
    folder: &Path,
) -> Result<(), Failure> {
    for group in groups.iter().rev() {
        let within = |k: &&ForeignKey| group.contains(&k.child) && group.contains(&k.parent);
        let inner: Vec<&ForeignKey> = catalog.foreign_keys.iter().filter(within).collect();
        if inner.iter().any(|k| !taken[k.parent].is_whole()) {
            let mut scratch = Scratch::new(folder)?;
            for key in &inner {
                edges(client, catalog, key, |child, parent| scratch.push(key.child, child, key.parent, parent)).await?;
            }
            // Rows are mostly made after what they point to, so that going backwards settles long chains at once.
            let mut backwards = true;
            loop {
                let mut news = false;
                scratch.each(backwards, |child_table, child, parent_table, parent| {
                    if taken[child_table].contains(child) {
                        news |= taken[parent_table].add(parent);
                    }
                })?;
                if !news {
                    break;
                }
                backwards = !backwards;
            }
        }
        for key in catalog.foreign_keys.iter().filter(|k| group.contains(&k.child) && !group.contains(&k.parent)) {
            if taken[key.parent].is_whole() {
                continue;
            }
            let mut found = Vec::new();
            {
                let child_rows = &taken[key.child];
                let mut rows = RoaringTreemap::new();
                edges(client, catalog, key, |child, parent| {
                    if child_rows.contains(child) {
                        rows.insert(parent);
                    }
                    Ok(())
                })
                .await?;
                found.push(rows);
            }
            if let Taken::Some(rows) = &mut taken[key.parent] {
                found.into_iter().for_each(|more| *rows |= more);
            }
        }
    }
    Ok(())
}
