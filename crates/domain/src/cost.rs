//! What the environments cost each month: line items, their totals, and what somebody wrote down beside them. Money is counted in
//! cents, so that what is shown adds up.

use ambit_spec::{EnvironmentName, Placement, Price, Prices, Project, Stated};
use serde::{Deserialize, Serialize};

/// Amounts in cents a month.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amounts {
    /// With the least prices.
    pub minimum: u64,
    /// With the recommended prices.
    pub recommended: u64,
    /// With the recommended prices, and a paid plan wherever there is one.
    pub paid: u64,
}

impl Amounts {
    fn plus(self, other: Self) -> Self {
        Self {
            minimum: self.minimum.saturating_add(other.minimum),
            recommended: self.recommended.saturating_add(other.recommended),
            paid: self.paid.saturating_add(other.paid),
        }
    }

    fn sum(all: impl IntoIterator<Item = Self>) -> Self {
        all.into_iter().fold(Self::default(), Self::plus)
    }
}

impl From<&Price> for Amounts {
    fn from(price: &Price) -> Self {
        let Price { minimum, recommended, paid } = *price;
        Self { minimum, recommended, paid: paid.unwrap_or(recommended) }
    }
}

/// Something that is paid for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Its name.
    pub name: String,
    /// Its price.
    pub amounts: Amounts,
}

/// What one environment costs, or what all share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// The environment; `None` of what all share.
    pub environment: Option<EnvironmentName>,
    /// Where it lives.
    pub at: Option<Placement>,
    /// Its line items.
    pub lines: Vec<Line>,
    /// Their sum.
    pub total: Amounts,
}

/// What an environment would cost elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// The environment.
    pub environment: EnvironmentName,
    /// On this machine; `None` where no price is declared for that.
    pub host: Option<Amounts>,
    /// At Railway.
    pub railway: Option<Amounts>,
    /// Where it lives.
    pub lives: Placement,
}

/// How a total that somebody wrote down stands to its line items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It is their sum, or the range holds it.
    Agrees,
    /// It is their sum in whole dollars.
    Rounded,
    /// It is not.
    Disagrees,
}

/// One amount of a total that somebody wrote down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compared {
    /// What the total is called.
    pub name: String,
    /// What it sums up; everything where that is empty.
    pub of: Vec<String>,
    /// Which of the amounts: `minimum`, `recommended`, `paid`.
    pub which: String,
    /// What is stated, as the ends of a range.
    pub stated: (u64, u64),
    /// What the line items come to.
    pub sum: u64,
    /// What follows.
    pub verdict: Verdict,
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bill {
    /// Environments in the order of the file, then what all share.
    pub groups: Vec<Group>,
    /// The sum of everything.
    pub total: Amounts,
    /// The items that have a paid plan.
    pub plans: Vec<String>,
    /// What may be paid.
    pub budget: Option<u64>,
    /// Where a price is declared for both places, or for the one where it does not live.
    pub comparisons: Vec<Comparison>,
    /// Totals that somebody wrote down.
    pub stated: Vec<Compared>,
}

impl Bill {
    /// What a project declares.
    #[must_use]
    pub fn of(project: &Project) -> Self {
        let costs = &project.costs;
        let environments = project.environments.values().map(|environment| {
            let at = lives(environment);
            let own = [costs.environments.get(&environment.name), costs.at(at).get(&environment.name)];
            group(Some(environment.name.clone()), Some(at), own.into_iter().flatten())
        });
        let shared = group(None, None, [&costs.shared]);
        let groups: Vec<Group> = environments.chain([shared]).filter(|group| !group.lines.is_empty()).collect();
        let total = Amounts::sum(groups.iter().map(|group| group.total));
        let every = costs.environments.values().chain(costs.host.values()).chain(costs.railway.values());
        let mut plans: Vec<String> = every
            .chain([&costs.shared])
            .flat_map(|prices| prices.iter().filter(|(_, price)| price.paid.is_some()).map(|(name, _)| name.clone()))
            .collect();
        plans.sort();
        plans.dedup();
        let stated = costs.stated.iter().flat_map(|stated| compared(stated, &groups, total)).collect();
        Self { total, plans, budget: costs.budget, comparisons: comparisons(project), stated, groups }
    }

    /// By how much the recommended total is over the budget, in cents.
    #[must_use]
    pub fn over_budget(&self) -> Option<u64> {
        let over = self.total.recommended.saturating_sub(self.budget?);
        (over > 0).then_some(over)
    }
}

fn lives(environment: &ambit_spec::Environment) -> Placement {
    environment.lives()
}

fn group<'a>(
    environment: Option<EnvironmentName>,
    at: Option<Placement>,
    prices: impl IntoIterator<Item = &'a Prices>,
) -> Group {
    let items = prices.into_iter().flatten();
    let lines: Vec<Line> =
        items.map(|(name, price)| Line { name: name.clone(), amounts: Amounts::from(price) }).collect();
    let total = Amounts::sum(lines.iter().map(|line| line.amounts));
    Group { environment, at, lines, total }
}

fn comparisons(project: &Project) -> Vec<Comparison> {
    let costs = &project.costs;
    let compared = project.environments.values().filter_map(|environment| {
        let name = &environment.name;
        let lives = lives(environment);
        costs.at(lives.other()).get(name)?;
        let anywhere = costs.environments.get(name);
        let at = |placement: Placement| {
            let own = costs.at(placement).get(name);
            own.map(|own| group(None, None, anywhere.into_iter().chain([own])).total)
        };
        Some(Comparison {
            environment: name.clone(),
            host: at(Placement::Host),
            railway: at(Placement::Railway),
            lives,
        })
    });
    compared.collect()
}

fn compared(stated: &Stated, groups: &[Group], total: Amounts) -> Vec<Compared> {
    let named = |name: &String| {
        let environment = groups.iter().find(|g| g.environment.as_ref().is_some_and(|e| e.as_str() == name));
        let shared = || groups.iter().filter(|g| g.environment.is_none()).flat_map(|g| &g.lines);
        environment.map(|g| g.total).or_else(|| shared().find(|line| line.name == *name).map(|line| line.amounts))
    };
    let sum = match stated.of.as_slice() {
        [] => total,
        names => Amounts::sum(names.iter().filter_map(named)),
    };
    let amounts = [
        ("minimum", stated.minimum, sum.minimum),
        ("recommended", stated.recommended, sum.recommended),
        ("paid", stated.paid, sum.paid),
    ];
    let told = amounts.into_iter().filter_map(|(which, said, sum)| {
        let said = said?;
        Some(Compared {
            name: stated.name.clone(),
            of: stated.of.clone(),
            which: which.to_owned(),
            stated: said,
            sum,
            verdict: verdict(said, sum),
        })
    });
    told.collect()
}

fn verdict((low, high): (u64, u64), sum: u64) -> Verdict {
    let whole = (sum + 50) / 100 * 100;
    match sum {
        _ if (low..=high).contains(&sum) => Verdict::Agrees,
        _ if (low..=high).contains(&whole) => Verdict::Rounded,
        _ => Verdict::Disagrees,
    }
}

/// `5`, `2.08`: dollars, with cents where there are some.
#[must_use]
pub fn dollars(cents: u64) -> String {
    match cents % 100 {
        0 => (cents / 100).to_string(),
        rest => format!("{}.{rest:02}", cents / 100),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bill(costs: &str) -> Bill {
        let text = format!(
            "project = \"shop\"\n[environments.dev]\n[environments.prod]\n[services.api]\n\
             [providers.railway]\nproject = {{ prod = \"shop\" }}\n{costs}"
        );
        let parsed = ambit_spec::parse(&text);
        Bill::of(&parsed.project.unwrap_or_else(|| panic!("{:?}", parsed.diagnostics)))
    }

    fn amounts(minimum: u64, recommended: u64, paid: u64) -> Amounts {
        Amounts { minimum, recommended, paid }
    }

    #[test]
    fn every_total_is_the_sum_of_what_is_shown_above_it() {
        let bill = bill(
            "[costs.shared]\ndomain = { yearly = 25 }\nname = { yearly = [25, 25] }\nexpo = [0, 0, 29]\n\
             [costs.dev]\napi = 1\n[costs.prod]\napi = [5, 10]\n[costs.railway.prod]\npostgres = [10.5, 20]",
        );
        let [dev, prod, shared] = bill.groups.as_slice() else { panic!("{:?}", bill.groups) };
        assert_eq!(dev.total, amounts(100, 100, 100));
        assert_eq!(prod.total, amounts(1550, 3000, 3000));
        assert_eq!(shared.total, amounts(416, 416, 3316));
        assert_eq!(bill.total, amounts(2066, 3516, 6416));
        assert_eq!(bill.plans, ["expo"]);
    }

    #[test]
    fn an_environment_costs_what_it_costs_where_it_lives_and_is_compared_with_the_other_place() {
        let bill = bill(
            "[costs.prod]\nmail = 1\n[costs.railway.prod]\napi = [5, 10]\n[costs.host.prod]\nserver = [4, 6]\n\
             [costs.railway.dev]\napi = 5\n[costs.host.dev]\nserver = 0",
        );
        assert_eq!(bill.total, amounts(600, 1100, 1100), "dev lives on the machine, prod at Railway");
        let compared: Vec<_> = bill.comparisons.iter().map(|c| (c.environment.as_str(), c.host, c.railway)).collect();
        assert_eq!(
            compared,
            [
                ("dev", Some(amounts(0, 0, 0)), Some(amounts(500, 500, 500))),
                ("prod", Some(amounts(500, 700, 700)), Some(amounts(600, 1100, 1100))),
            ]
        );
    }

    #[test]
    fn more_than_the_budget_is_told_by_how_much() {
        assert_eq!(bill("[costs]\nbudget = 10\n[costs.dev]\napi = [5, 10]").over_budget(), None);
        assert_eq!(bill("[costs]\nbudget = 9.5\n[costs.dev]\napi = [5, 10]").over_budget(), Some(50));
        assert_eq!(bill("[costs.dev]\napi = [5, 10]").over_budget(), None);
    }

    #[test]
    fn what_somebody_wrote_down_agrees_is_rounded_or_disagrees() {
        let bill = bill(
            "[costs.shared]\ndomain = { yearly = 25 }\n[costs.dev]\napi = [5, 10]\n\
             [costs.stated]\na = { minimum = 7, recommended = [12, 13] }\nb = { of = [\"dev\", \"domain\"], minimum = 5 }\n\
             c = { of = \"domain\", paid = 2.08 }",
        );
        let verdicts: Vec<_> = bill.stated.iter().map(|c| (c.name.as_str(), c.sum, c.verdict)).collect();
        assert_eq!(
            verdicts,
            [
                ("a", 708, Verdict::Rounded),
                ("a", 1208, Verdict::Agrees),
                ("b", 708, Verdict::Disagrees),
                ("c", 208, Verdict::Agrees),
            ]
        );
    }

    #[test]
    fn dollars_show_cents_where_there_are_some() {
        assert_eq!([0, 5, 208, 2900].map(dollars), ["0", "0.05", "2.08", "29"]);
    }
}
