//! `ambit cost`

use std::{path::Path, process::ExitCode};

use ambit_app::{Cost, Measured};
use ambit_domain::{
    Failure,
    cost::{Amounts, Bill, Compared, Comparison, Verdict, dollars},
    spec::Placement,
};

use super::print_json;
use crate::{
    context,
    screen::{Paint, bytes, columns, plain},
};

/// Exit code where it is more than the budget.
const OVER_BUDGET: u8 = 1;

pub(crate) fn run(folder: &Path, json: bool) -> Result<ExitCode, Failure> {
    let cost = context::ambit()?.cost(&context::declaration(folder)?)?;
    if json {
        print_json(&cost);
    } else {
        show(&cost);
    }
    Ok(if cost.bill.over_budget().is_some() { ExitCode::from(OVER_BUDGET) } else { ExitCode::SUCCESS })
}

fn show(cost: &Cost) {
    let bill = &cost.bill;
    if bill.groups.is_empty() {
        println!("ambit.toml declares no costs: [costs.ENVIRONMENT] lists what is paid each month");
    } else {
        prices(bill);
        budget(bill);
    }
    section("where it could live instead", "", bill.comparisons.iter().map(comparison));
    section("totals as stated, and as the items add up", "", bill.stated.iter().map(compared));
    let heads = ["environment", "service", "CPUs", "memory", "disk"].map(str::to_owned).to_vec();
    let measured = cost.measured.iter().map(measured);
    section(
        "measured on this machine",
        "CPUs on average since each started",
        std::iter::once(heads).filter(|_| !cost.measured.is_empty()).chain(measured),
    );
}

fn prices(bill: &Bill) {
    let with_plans = !bill.plans.is_empty();
    let row = |first: &str, second: &str, amounts: Amounts| {
        let mut row = vec![first.to_owned(), plain(second)];
        row.extend([amounts.minimum, amounts.recommended].map(money));
        if with_plans {
            row.push(money(amounts.paid));
        }
        row
    };
    let mut heads: Vec<String> = ["", "", "minimum", "recommended"].map(str::to_owned).to_vec();
    if with_plans {
        heads.push(format!("with paid {}", plain(&bill.plans.join(", "))));
    }
    let mut rows = vec![heads];
    for group in &bill.groups {
        let name = group.environment.as_ref().map_or("all share", |e| e.as_str());
        for (n, line) in group.lines.iter().enumerate() {
            rows.push(row(if n == 0 { name } else { "" }, &line.name, line.amounts));
        }
        rows.push(row("", group.at.map_or("total", total_of), group.total));
    }
    rows.push(row("total", "", bill.total));
    let paint = Paint::stdout();
    println!("{}", paint.strong("US dollars a month"));
    for (n, line) in columns(&rows, "  ").iter().enumerate() {
        let whole = n + 1 == rows.len();
        println!(
            "{}",
            if n == 0 {
                paint.dim(line)
            } else if whole {
                paint.strong(line)
            } else {
                line.clone()
            }
        );
    }
}

fn total_of(placement: Placement) -> &'static str {
    match placement {
        Placement::Host => "total here",
        Placement::Railway => "total at Railway",
    }
}

fn budget(bill: &Bill) {
    let Some(budget) = bill.budget else { return };
    let total = dollars(bill.total.recommended);
    match bill.over_budget() {
        Some(over) => println!(
            "\n{} the recommended total of ${total} is ${} over the budget of ${}",
            Paint::stdout().bad("✗"),
            dollars(over),
            dollars(budget)
        ),
        None => println!("\n{} ${total} of a budget of ${}", Paint::stdout().good("✓"), dollars(budget)),
    }
}

fn section(title: &str, note: &str, rows: impl Iterator<Item = Vec<String>>) {
    let rows: Vec<Vec<String>> = rows.collect();
    if rows.is_empty() {
        return;
    }
    let paint = Paint::stdout();
    let note = if note.is_empty() { String::new() } else { paint.dim(&format!(" · {note}")) };
    println!("\n{}{note}", paint.strong(title));
    for row in columns(&rows, "  ") {
        println!("{}", paint.mark(&row));
    }
}

fn comparison(comparison: &Comparison) -> Vec<String> {
    let range = |amounts: Option<Amounts>| match amounts {
        Some(Amounts { minimum, recommended, .. }) if minimum == recommended => money(minimum),
        Some(Amounts { minimum, recommended, .. }) => format!("{}–{}", money(minimum), dollars(recommended)),
        None => "not declared".to_owned(),
    };
    vec![
        comparison.environment.to_string(),
        format!("here {}", range(comparison.host)),
        format!("Railway {}", range(comparison.railway)),
        match comparison.lives {
            Placement::Host => "lives here".to_owned(),
            Placement::Railway => "lives at Railway".to_owned(),
        },
    ]
}

fn compared(compared: &Compared) -> Vec<String> {
    let (low, high) = compared.stated;
    let stated = if low == high { money(low) } else { format!("{}–{}", money(low), dollars(high)) };
    let (mark, said) = match compared.verdict {
        Verdict::Agrees => ("✓", "agrees".to_owned()),
        Verdict::Rounded => ("✓", "agrees in whole dollars".to_owned()),
        Verdict::Disagrees if compared.sum > high => {
            ("✗", format!("disagrees: the items are ${} more", dollars(compared.sum - high)))
        }
        Verdict::Disagrees => {
            ("✗", format!("disagrees: the items are ${} less", dollars(low.saturating_sub(compared.sum))))
        }
    };
    let of = if compared.of.is_empty() { "everything".to_owned() } else { plain(&compared.of.join(" + ")) };
    vec![
        mark.to_owned(),
        plain(&compared.name),
        of,
        compared.which.clone(),
        format!("stated {stated}"),
        format!("items {}", money(compared.sum)),
        said,
    ]
}

fn measured(measured: &Measured) -> Vec<String> {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
    vec![
        measured.environment.to_string(),
        measured.service.clone(),
        or_dash(measured.cpus.map(|cpus| format!("{cpus:.3}"))),
        or_dash(measured.memory.map(bytes)),
        or_dash(measured.disk.map(bytes)),
    ]
}

fn money(cents: u64) -> String {
    format!("${}", dollars(cents))
}
