//! `youhui allocate`: predictions and limits to who gets what.

mod caution;
mod check;
mod offers;
mod stream;

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args as ClapArgs;
use serde_json::json;
use youhui_allocation::{AllocationError, Caution, Constraints, Curve, Plan, Terms, allocate, curve};
use youhui_storage::{Column, Values, columns_of, rows_hint, write_table};

use super::{CliError, Console, Format};
use caution::Change;
use offers::{Book, Rows};
use stream::{Big, Wish};

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
    /// Take so many standard errors (column std_error) off each value before values are compared.
    #[arg(long, value_name = "K", conflicts_with = "posterior_draw", allow_negative_numbers = true)]
    lower_bound: Option<f64>,
    /// Compare values drawn around the predictions, with the column std_error: exploration. The same seed
    /// draws the same.
    #[arg(long, value_name = "SEED")]
    posterior_draw: Option<u64>,
    /// Megabytes to use: a file that needs more is read in blocks, and sorted on disk beside --out if it has to be.
    #[arg(long, value_name = "MB", default_value_t = 2048)]
    memory: usize,
    /// Who gets what goes here, with the columns customer and promotion: Parquet, or .csv or .jsonl.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// How the summary is printed.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// Budgets of a curve.
const BUDGETS: usize = 50;
/// Bytes of a row in memory, with what is made of it.
const ROW_BYTES: usize = 72;
/// Bytes of the shortest lines of text.
const LINE: u64 = 16;

/// What is printed.
struct Answer {
    plan: Plan,
    curve: Option<Curve>,
    /// The change against the plan by prediction alone, and that plan.
    change: Option<(Change, Plan)>,
    customers: usize,
    read: String,
    times: Seconds,
}

/// How long the parts took.
#[derive(Clone, Copy)]
struct Seconds {
    reading: f64,
    solving: f64,
}

pub(crate) fn run(args: &Args, console: Console) -> Result<(), CliError> {
    if let Some(budget) = args.budget.filter(|budget| !budget.is_finite() || *budget <= 0.0) {
        let message =
            format!("--budget {budget}: nothing can be bought with it: give an amount above 0, or leave --budget out for no limit");
        return Err(CliError::usage(message));
    }
    let caution = args.caution()?;
    let constraints = args.constraints.as_deref().map_or_else(|| Ok(Constraints::default()), read_constraints)?;
    let memory = args.memory.max(1) << 20;
    let answer = if rows_hint(&args.offers, LINE).saturating_mul(ROW_BYTES) > memory {
        in_blocks(args, &constraints, caution, memory)?
    } else {
        in_memory(args, &constraints, caution)?
    };
    match args.format {
        Format::Json => console.print(&answer.summary(caution).to_string()),
        Format::Table => console.print(&answer.table(caution)),
    }
}

impl Args {
    fn caution(&self) -> Result<Caution, CliError> {
        match (self.lower_bound, self.posterior_draw) {
            (Some(errors), _) if !errors.is_finite() || errors < 0.0 => {
                Err(CliError::usage(format!("--lower-bound {errors}: give a number of standard errors from 0 up, as 1.64")))
            }
            (Some(errors), _) => Ok(Caution::LowerBound(errors)),
            (None, Some(seed)) => Ok(Caution::Draw(seed)),
            (None, None) => Ok(Caution::None),
        }
    }
}

fn in_memory(args: &Args, constraints: &Constraints, caution: Caution) -> Result<Answer, CliError> {
    let started = Instant::now();
    let rows = Rows::read(&args.offers, caution != Caution::None)?;
    let order = rows.by_customer();
    let book = rows.book(&order, caution)?;
    let reading = started.elapsed().as_secs_f64();
    let solve = |book: &Book| allocate(&book.offers, constraints, book.terms(args.budget)).map_err(|error| refused(&error, args));
    let started = Instant::now();
    let plan = solve(&book)?;
    let solving = started.elapsed().as_secs_f64();
    let curve = if args.curve {
        Some(curve(&book.offers, constraints, book.terms(args.budget), &plan, BUDGETS).map_err(|error| refused(&error, args))?)
    } else {
        None
    };
    let change = if caution == Caution::None {
        None
    } else {
        let plain = solve(&rows.book(&order, Caution::None)?)?;
        let mut change = Change::default();
        let mut from = 0;
        for customer in 0..book.offers.customers() {
            let offer = |place: u32| rows.weighed(order[from + place as usize], caution);
            change.add(&plan.of(customer), &plain.of(customer), offer);
            from += book.offers.view(customer..customer + 1).rows(0).count();
        }
        Some((change, plain))
    };
    write_table(&args.out, &assignments(&book, &plan))?;
    let times = Seconds { reading, solving };
    Ok(Answer { plan, curve, change, customers: book.offers.customers(), read: "in memory".to_owned(), times })
}

fn in_blocks(args: &Args, constraints: &Constraints, caution: Caution, memory: usize) -> Result<Answer, CliError> {
    let started = Instant::now();
    let folder = args.out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let present = columns_of(&args.offers)?;
    let big = Big::open(&args.offers, &present, caution, memory, folder)?;
    let reading = started.elapsed().as_secs_f64();
    let started = Instant::now();
    let wish = Wish { constraints, budget: args.budget, caution, with_curve: args.curve, memory };
    let solved = big.solve(wish, &args.out, |error| refused(error, args))?;
    let times = Seconds { reading, solving: started.elapsed().as_secs_f64() };
    Ok(Answer { plan: solved.plan, curve: solved.curve, change: solved.change, customers: solved.customers, read: big.read_as(), times })
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

impl Answer {
    fn summary(&self, caution: Caution) -> serde_json::Value {
        let plan = &self.plan;
        let duals: Vec<_> =
            plan.constraints.iter().map(|one| json!({"name": one.name, "price": one.price, "meaning": one.meaning})).collect();
        let mut summary = json!({
            "value": plan.value,
            "cost": plan.cost,
            "upper_bound": plan.upper_bound,
            "gap": plan.gap(),
            "customers": self.customers,
            "assigned": plan.reached,
            "duals": duals,
            "constraints": plan.constraints,
            "passes": plan.passes,
            "read": self.read,
            "seconds": self.times.solving,
            "seconds_reading": self.times.reading,
        });
        if let Some(curve) = &self.curve {
            summary["curve"] = json!(curve.points);
            summary["curve_basis"] = json!(curve.basis);
            summary["worth_spending"] = json!(curve.worth_spending);
        }
        if let Some((change, plain)) = &self.change {
            summary["uncertainty"] = change.report(caution, plan, plain, self.customers);
        }
        summary
    }

    fn table(&self, caution: Caution) -> String {
        let plan = &self.plan;
        let mut lines = vec![format!(
            "{} of {} customers get something: value {:.2} for {:.2}, at most {:.2e} below the best possible",
            plan.reached,
            self.customers,
            plan.value,
            plan.cost,
            plan.gap()
        )];
        for one in &plan.constraints {
            lines.push(format!("{}: {:.2} used, {} {:.2}; {}", one.name, one.used, one.sense, one.limit, one.meaning));
        }
        if let Some((change, _)) = &self.change {
            lines.push(change.line(caution, self.customers));
        }
        if let Some(Curve { points, worth_spending, basis }) = &self.curve {
            lines.push(format!(
                "beyond a budget of {:.2} (value {:.2}) the next unit of money earns less than one of value",
                worth_spending.budget, worth_spending.value
            ));
            lines.push(format!("{:>16} {:>16} {:>16}   from {basis}", "budget", "value", "next unit earns"));
            lines.extend(points.iter().map(|point| format!("{:>16.2} {:>16.2} {:>16.4}", point.budget, point.value, point.price)));
        }
        lines.join("\n")
    }
}
