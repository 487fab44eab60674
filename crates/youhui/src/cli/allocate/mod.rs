//! `youhui allocate`: predictions and limits to who gets what.

mod offers;

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args as ClapArgs;
use serde_json::json;
use youhui_allocation::{AllocationError, Constraints, Curve, Plan, Terms, allocate, curve};
use youhui_storage::{Column, Values, write_table};

use super::{CliError, Console, Format};
use offers::{Book, Rows};

/// Give each customer the offer that earns most within a budget and other limits.
///
/// Maximises the sum of values; says how far from the best possible plan the answer can be at most, what each
/// limit costs, and what one more unit of it would bring.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// One row an offer: Parquet, CSV or JSON Lines, with the columns customer, promotion, value and cost, and
    /// std_error and segment where they are needed; in any order.
    #[arg(long, value_name = "FILE")]
    offers: PathBuf,
    /// Spend at most this, in the unit of the column cost.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    budget: Option<f64>,
    /// Further limits, in TOML: docs/allocation.md has them all.
    #[arg(long, value_name = "FILE")]
    constraints: Option<PathBuf>,
    /// Add what each of fifty budgets would be worth, from nothing to everything worthwhile.
    #[arg(long)]
    curve: bool,
    /// Who gets what goes here, with the columns customer and promotion: Parquet, or .csv or .jsonl.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// How the summary is printed.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// Budgets of a curve.
const BUDGETS: usize = 50;

pub(crate) fn run(args: &Args, console: Console) -> Result<(), CliError> {
    if let Some(budget) = args.budget.filter(|budget| !budget.is_finite() || *budget <= 0.0) {
        let message =
            format!("--budget {budget}: nothing can be bought with it: give an amount above 0, or leave --budget out for no limit");
        return Err(CliError::usage(message));
    }
    let constraints = args.constraints.as_deref().map_or_else(|| Ok(Constraints::default()), read_constraints)?;
    let started = Instant::now();
    let rows = Rows::read(&args.offers, false)?;
    let book = rows.book()?;
    let reading = started.elapsed().as_secs_f64();
    let started = Instant::now();
    let plan = allocate(&book.offers, &constraints, book.terms(args.budget)).map_err(|error| refused(&error, args))?;
    let seconds = started.elapsed().as_secs_f64();
    write_table(&args.out, &assignments(&book, &plan))?;
    let started = Instant::now();
    let curve = if args.curve {
        Some(curve(&book.offers, &constraints, book.terms(args.budget), &plan, BUDGETS).map_err(|error| refused(&error, args))?)
    } else {
        None
    };
    let times = Seconds { reading, solving: seconds, curve: started.elapsed().as_secs_f64() };
    match args.format {
        Format::Json => console.print(&summary(&book, &plan, curve.as_ref(), times).to_string()),
        Format::Table => console.print(&table(&book, &plan, curve.as_ref())),
    }
}

/// How long the parts took.
#[derive(Clone, Copy)]
struct Seconds {
    reading: f64,
    solving: f64,
    curve: f64,
}

fn refused(error: &AllocationError, args: &Args) -> CliError {
    match (&args.constraints, error) {
        (Some(path), AllocationError::Constraint(error)) => CliError::usage(format!("{}: {error}", path.display())),
        _ => CliError::usage(error.to_string()),
    }
}

fn read_constraints(path: &Path) -> Result<Constraints, CliError> {
    let wrong = |what: String| CliError::usage(format!("{}: {what}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    toml::from_str(&text).map_err(|error| wrong(error.to_string()))
}

impl Book {
    fn terms(&self, budget: Option<f64>) -> Terms<'_> {
        Terms {
            promotions: &self.promotions,
            segments: &self.segments,
            value_unit: self.value.size,
            cost_unit: self.cost.size,
            budget,
            exact_values: self.value.exact,
            exact_costs: self.cost.exact,
        }
    }
}

/// A row for each promotion given.
fn assignments(book: &Book, plan: &Plan) -> Vec<Column> {
    let (mut customers, mut promotions) = (Vec::new(), Vec::new());
    for (customer, number) in (0..book.offers.customers()).zip(0_u32..) {
        for place in plan.of(customer) {
            customers.push(number);
            promotions.push(book.offers.row(customer, place).promotion);
        }
    }
    let text = |name: &str, codes: Vec<u32>, names: &[String]| Column {
        name: name.to_owned(),
        values: Values::Text { codes, names: names.to_vec() },
    };
    vec![text("customer", customers, &book.customers), text("promotion", promotions, &book.promotions)]
}

fn summary(book: &Book, plan: &Plan, curve: Option<&Curve>, times: Seconds) -> serde_json::Value {
    let duals: Vec<_> = plan.constraints.iter().map(|one| json!({"name": one.name, "price": one.price, "meaning": one.meaning})).collect();
    let mut summary = json!({
        "value": plan.value,
        "cost": plan.cost,
        "upper_bound": plan.upper_bound,
        "gap": plan.gap(),
        "customers": book.offers.customers(),
        "assigned": plan.reached,
        "duals": duals,
        "constraints": plan.constraints,
        "passes": plan.passes,
        "seconds": times.solving,
        "seconds_reading": times.reading,
    });
    if let Some(curve) = curve {
        summary["curve"] = json!(curve.points);
        summary["curve_basis"] = json!(curve.basis);
        summary["worth_spending"] = json!(curve.worth_spending);
        summary["seconds_curve"] = json!(times.curve);
    }
    summary
}

fn table(book: &Book, plan: &Plan, curve: Option<&Curve>) -> String {
    let mut lines = vec![format!(
        "{} of {} customers get something: value {:.2} for {:.2}, at most {:.2e} below the best possible",
        plan.reached,
        book.offers.customers(),
        plan.value,
        plan.cost,
        plan.gap()
    )];
    for one in &plan.constraints {
        lines.push(format!("{}: {:.2} used, {} {:.2}; {}", one.name, one.used, one.sense, one.limit, one.meaning));
    }
    if let Some(Curve { points, worth_spending, basis }) = curve {
        lines.push(format!(
            "beyond a budget of {:.2} (value {:.2}) the next unit of money earns less than one of value",
            worth_spending.budget, worth_spending.value
        ));
        lines.push(format!("{:>16} {:>16} {:>16}   from {basis}", "budget", "value", "next unit earns"));
        lines.extend(points.iter().map(|point| format!("{:>16.2} {:>16.2} {:>16.4}", point.budget, point.value, point.price)));
    }
    lines.join("\n")
}
