//! `[costs]`: what the environments cost each month, as line items in US dollars, and what somebody wrote down as their totals.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::{
    diagnostic::Diagnostic,
    format,
    name::EnvironmentName,
    project::section,
    reader::{Reader, shown},
    syntax::{Entry, Item, Node},
};

/// More than this a month is a slip of the keyboard; and no sum of such items overflows.
const MOST: f64 = 1e9;

/// Where an environment lives, as far as its price depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Placement {
    /// On this machine.
    Host,
    /// At Railway.
    Railway,
}

impl Placement {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Host, Self::Railway];

    /// Its name in the file and on screens.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Railway => "railway",
        }
    }

    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Host => Self::Railway,
            Self::Railway => Self::Host,
        }
    }
}

/// The price of a line item, in cents a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// The least that it can be had for.
    pub minimum: u64,
    /// What it should be.
    pub recommended: u64,
    /// What it is once its free tier does not suffice any more, where it has one.
    pub paid: Option<u64>,
}

/// Line items by name.
pub type Prices = IndexMap<String, Price>;

/// A total that somebody wrote down, in cents; one amount is a range from itself to itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stated {
    /// What it is called.
    pub name: String,
    /// The environments and shared items that it sums up; everything where it names none.
    pub of: Vec<String>,
    /// Of the least prices.
    pub minimum: Option<(u64, u64)>,
    /// Of the recommended prices.
    pub recommended: Option<(u64, u64)>,
    /// Of the recommended prices, with every paid plan.
    pub paid: Option<(u64, u64)>,
}

/// Everything that is declared of costs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Costs {
    /// What may be paid, in cents a month.
    pub budget: Option<u64>,
    /// What all environments share.
    pub shared: Prices,
    /// What an environment costs wherever it lives.
    pub environments: IndexMap<EnvironmentName, Prices>,
    /// What it costs besides where it lives on this machine.
    pub host: IndexMap<EnvironmentName, Prices>,
    /// What it costs besides where it lives at Railway.
    pub railway: IndexMap<EnvironmentName, Prices>,
    /// Totals that somebody wrote down.
    pub stated: Vec<Stated>,
}

impl Costs {
    /// What environments cost because of where they live.
    #[must_use]
    pub fn at(&self, placement: Placement) -> &IndexMap<EnvironmentName, Prices> {
        match placement {
            Placement::Host => &self.host,
            Placement::Railway => &self.railway,
        }
    }
}

pub(crate) fn read(reader: &mut Reader, root: &Node) -> Costs {
    let Some(node) = root.get("costs") else { return Costs::default() };
    let Some(entries) = node.table() else { return Costs::default() };
    let known = |name: &str| format::COSTS.iter().any(|key| key.name == name);
    let of_environments: Vec<Entry> = entries.iter().filter(|e| !known(&e.key)).cloned().collect();
    let placed = |reader: &mut Reader, name: &str| match node.get(name) {
        Some(node) => each(reader, node, name),
        None => IndexMap::new(),
    };
    let budget = node.get("budget").and_then(|n| amount(reader, n, "budget"));
    let shared = node.get("shared").map(|n| prices(reader, n, "[costs.shared]")).unwrap_or_default();
    let host = placed(reader, Placement::Host.name());
    let railway = placed(reader, Placement::Railway.name());
    let environments = by_environment(reader, &of_environments, "costs");
    let stated = node.get("stated").map(|n| all_stated(reader, n, &shared)).unwrap_or_default();
    Costs { budget, shared, environments, host, railway, stated }
}

fn each(reader: &mut Reader, node: &Node, name: &str) -> IndexMap<EnvironmentName, Prices> {
    let Some(entries) = node.table() else {
        reader.error(&node.span, format!("[costs.{name}] takes a table for each environment, not {}", node.kind()));
        return IndexMap::new();
    };
    by_environment(reader, entries, &format!("costs.{name}"))
}

fn by_environment(reader: &mut Reader, entries: &[Entry], above: &str) -> IndexMap<EnvironmentName, Prices> {
    reader.environment_keys(entries);
    let known = reader.environments.clone();
    let declared = entries.iter().filter(|e| known.contains(&e.key));
    declared
        .filter_map(|entry| {
            let all = prices(reader, &entry.node, &format!("[{above}.{}]", entry.key));
            Some((entry.key.parse().ok()?, all))
        })
        .collect()
}

fn prices(reader: &mut Reader, node: &Node, title: &str) -> Prices {
    let Some(items) = node.table() else {
        reader.error(&node.span, format!("{title} takes line items, not {}", node.kind()));
        return Prices::new();
    };
    items.iter().filter_map(|item| Some((item.key.clone(), price(reader, &item.node, &item.key)?))).collect()
}

fn price(reader: &mut Reader, node: &Node, name: &str) -> Option<Price> {
    let yearly = node.get("yearly").filter(|_| node.table().is_some_and(|entries| entries.len() == 1));
    let (value, months) = yearly.map_or((node, 1.0), |yearly| (yearly, 12.0));
    let numbers: Vec<f64> = match &value.item {
        Item::List(list) => list.iter().map_while(number).collect(),
        _ => number(value).into_iter().collect(),
    };
    let whole = match &value.item {
        Item::List(list) => list.len() == numbers.len(),
        _ => true,
    };
    let sound = whole && numbers.iter().all(|n| (0.0..=MOST).contains(n)) && numbers.is_sorted();
    let of = |n: f64| cents(n / months);
    match numbers.as_slice() {
        [one] if sound => Some(Price { minimum: of(*one), recommended: of(*one), paid: None }),
        [low, high] if sound => Some(Price { minimum: of(*low), recommended: of(*high), paid: None }),
        [low, high, paid] if sound => Some(Price { minimum: of(*low), recommended: of(*high), paid: Some(of(*paid)) }),
        _ => {
            let message = format!("`{}` takes [minimum, recommended]", shown(name));
            reader.tell(Diagnostic::error(node.span.clone(), message).help(
                "US dollars a month, each at least the one before: 5, [5, 10], [0, 0, 29] with a paid plan; \
                 { yearly = 25 } for a year",
            ));
            None
        }
    }
}

fn all_stated(reader: &mut Reader, node: &Node, shared: &Prices) -> Vec<Stated> {
    let Some(entries) = node.table() else {
        reader.error(&node.span, format!("[costs.stated] takes a table, not {}", node.kind()));
        return Vec::new();
    };
    entries.iter().filter_map(|entry| stated(reader, entry, shared)).collect()
}

fn stated(reader: &mut Reader, entry: &Entry, shared: &Prices) -> Option<Stated> {
    let title = format!("[costs.stated.{}]", shown(&entry.key));
    if !section(reader, &entry.node, format::STATED, &title) {
        return None;
    }
    let of = match entry.node.get("of") {
        None => Vec::new(),
        Some(node) => {
            let names = match &node.item {
                Item::List(_) => reader.texts(node, "of")?,
                _ => vec![reader.words(node, "of")?],
            };
            let known = [reader.environments.clone(), shared.keys().cloned().collect()].concat();
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            for name in names.iter().filter(|name| !known.contains(&name.as_str())) {
                let message = format!("`{}` is neither an environment nor a shared item", shown(name));
                reader.unknown(&node.span, &message, name, &known);
            }
            names
        }
    };
    let mut amounts = |key: &str| entry.node.get(key).and_then(|node| range(reader, node, key));
    let (minimum, recommended, paid) = (amounts("minimum"), amounts("recommended"), amounts("paid"));
    Some(Stated { name: entry.key.clone(), of, minimum, recommended, paid })
}

/// An amount, or the range that it lies in.
fn range(reader: &mut Reader, node: &Node, key: &str) -> Option<(u64, u64)> {
    let ends = match &node.item {
        Item::List(list) => match list.as_slice() {
            [low, high] => number(low).zip(number(high)),
            _ => None,
        },
        _ => number(node).map(|one| (one, one)),
    };
    match ends {
        Some((low, high)) if 0.0 <= low && low <= high && high <= MOST => Some((cents(low), cents(high))),
        _ => {
            reader.error(&node.span, format!("`{key}` takes US dollars: an amount, or [from, to]"));
            None
        }
    }
}

fn amount(reader: &mut Reader, node: &Node, key: &str) -> Option<u64> {
    let number = reader.number(node, key)?;
    if !(0.0..=MOST).contains(&number) {
        reader.error(&node.span, format!("`{key}` takes US dollars a month"));
        return None;
    }
    Some(cents(number))
}

#[allow(clippy::cast_precision_loss)]
fn number(node: &Node) -> Option<f64> {
    match node.item {
        Item::Integer(number) => Some(number as f64),
        Item::Float(number) if number.is_finite() => Some(number),
        _ => None,
    }
}

/// Each item is rounded by itself, so that what is shown adds up to the total that is shown.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to MOST")]
fn cents(dollars: f64) -> u64 {
    (dollars * 100.0).round() as u64
}
