//! What every budget is worth: value by budget, from nothing to everything worthwhile.

mod steps;

use serde::Serialize;

use crate::candidates::{Candidates, Settled};
use crate::constraints::Constraints;
use crate::offers::Offers;
use crate::plan::{AllocationError, Plan, Use};
use crate::program::{Program, Terms, in_file_units};
use crate::solve::{Runs, Source, all_open, coldest, newton};
use steps::{Steps, Sum, steps};

/// Customers that prices are learnt on where other limits hold beside the budget: a share, within these.
const SHARE: usize = 256;
const FEWEST: usize = 1_024;
const MOST: usize = 8_192;
/// Of so many budgets one is solved for; prices of those between are taken from both sides.
const STRIDE: usize = 4;

/// What a budget is worth. Amounts in the file's units.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CurvePoint {
    /// Money.
    pub budget: f64,
    /// What the best plan with it is worth, up to a fraction of one customer.
    pub value: f64,
    /// What one more unit of money would bring: the dual price of the budget.
    pub price: f64,
    /// Standard error of `value`, where it was estimated from a sample.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub std_error: Option<f64>,
}

/// Value by budget.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Curve {
    /// Budgets at even distances, from 0 to where no more money is worth while. With limits beside the
    /// budget those are missing that no plan can keep to.
    pub points: Vec<CurvePoint>,
    /// From here on the next unit of money earns less than one unit of value.
    pub worth_spending: CurvePoint,
    /// What the values come from.
    pub basis: String,
}

/// The curve of offers in memory at `points` budgets; `plan` is a solution with the same constraints.
///
/// # Errors
/// Constraints that name what isn't there.
pub fn curve(offers: &Offers, constraints: &Constraints, terms: Terms<'_>, plan: &Plan, points: usize) -> Result<Curve, AllocationError> {
    offers.check(terms)?;
    let Ok(curve) = curve_stream(offers, offers, constraints, terms, plan, points);
    curve
}

/// The curve of offers that are read block by block. `sample` are some of their customers, evenly spread.
///
/// # Errors
/// As [`curve`], and what kept a block from being read.
pub fn curve_stream<S: Source>(
    source: &S,
    sample: &Offers,
    constraints: &Constraints,
    terms: Terms<'_>,
    plan: &Plan,
    points: usize,
) -> Result<Result<Curve, AllocationError>, S::Error> {
    let terms = Terms { budget: Some(terms.budget.unwrap_or(0.0)), ..terms };
    let program = match Program::new(constraints, terms) {
        Ok(program) => program,
        Err(error) => return Ok(Err(error.into())),
    };
    // A unit of value for a unit of cost, in the offers' units.
    let worth = terms.cost_unit / terms.value_unit;
    if program.is_one_budget() {
        return Ok(Ok(of_steps(&steps(source, worth)?, terms, points)));
    }
    Ok(Ok(Sampled::new(&program, sample, source.customers(), terms, plan).curve(worth, points)))
}

/// With one budget the curve is what the steps add up to.
fn of_steps(steps: &Steps, terms: Terms<'_>, points: usize) -> Curve {
    let mut corners = vec![steps.start];
    for bin in &steps.bins {
        let mut next = corners[corners.len() - 1];
        next.add(bin.value, bin.cost);
        corners.push(next);
    }
    let end = corners[corners.len() - 1].cost.max(0);
    let budgets = (0..points).map(|number| share(end, number, points.saturating_sub(1)));
    Curve {
        points: budgets.map(|budget| between(&corners, budget, terms)).collect(),
        worth_spending: point(steps.worthy.cost as f64, steps.worthy.value as f64, price_at(&corners, steps.worthy.cost), terms),
        basis: "every customer".to_owned(),
    }
}

fn share(end: i64, number: usize, of: usize) -> i64 {
    let share = i128::from(end) * number as i128 / of.max(1) as i128;
    i64::try_from(share).unwrap_or(end)
}

/// The curve at a budget between two corners.
fn between(corners: &[Sum], budget: i64, terms: Terms<'_>) -> CurvePoint {
    let before = corners[corners.partition_point(|corner| corner.cost <= budget).saturating_sub(1)];
    let price = price_at(corners, budget);
    point(budget as f64, before.value as f64 + price * (budget - before.cost) as f64, price, terms)
}

/// Value per cost beyond a budget.
fn price_at(corners: &[Sum], budget: i64) -> f64 {
    let after = corners.partition_point(|corner| corner.cost <= budget);
    match (after.checked_sub(1).and_then(|place| corners.get(place)), corners.get(after)) {
        (Some(one), Some(two)) => (two.value - one.value) as f64 / (two.cost - one.cost) as f64,
        _ => 0.0,
    }
}

fn point(budget: f64, value: f64, price: f64, terms: Terms<'_>) -> CurvePoint {
    CurvePoint {
        budget: in_file_units(budget, terms.cost_unit),
        value: in_file_units(value, terms.value_unit),
        price: price * terms.value_unit / terms.cost_unit,
        std_error: None,
    }
}

/// With limits beside the budget: prices on a sample, and by how much its customers are worth more or less
/// at them than at the plan's prices, whose bound is known of all customers.
struct Sampled<'a> {
    program: &'a Program,
    terms: Terms<'a>,
    open: Candidates,
    customers: usize,
    limits: Vec<f64>,
    /// The plan's prices, each sampled customer's worth at them, and what all are worth.
    prices: Vec<f64>,
    worths: Vec<f64>,
    worth: f64,
}

/// A budget and its prices.
#[derive(Clone)]
struct Priced {
    budget: f64,
    prices: Vec<f64>,
    /// What the sampled customers' best choices cost.
    cost: f64,
}

impl<'a> Sampled<'a> {
    fn new(program: &'a Program, sample: &Offers, customers: usize, terms: Terms<'a>, plan: &Plan) -> Self {
        let size = (customers / SHARE).clamp(FEWEST, MOST).min(sample.customers());
        let some = if size == customers { all_open(sample) } else { all_open(&Runs::new(sample, size)) };
        let open = some.unwrap_or_else(|never| match never {});
        let of_plan = |place: usize| plan.constraints.iter().find(|used| used.name == program.resources[place].name);
        let price = |place: usize| of_plan(place).map_or(0.0, |used| used.price * program.resources[place].unit(terms) / terms.value_unit);
        let prices: Vec<f64> = (0..program.resources.len()).map(price).collect();
        // The plan's bound less what its limits are worth is what its customers are.
        let worth_of = |used: &Use| if used.sense == "at least" { -used.price * used.limit } else { used.price * used.limit };
        let limited: f64 = plan.constraints.iter().map(worth_of).sum();
        let worth = (plan.upper_bound - limited) / terms.value_unit;
        let mut sampled = Self { program, terms, open, customers, limits: program.scaled(1.0), worths: vec![], worth, prices };
        sampled.worths = sampled.look(&sampled.prices).0;
        if sampled.open.len() == customers {
            sampled.worth = sampled.worths.iter().sum();
        }
        sampled
    }

    /// (what each sampled customer is worth at these prices, what their choices cost).
    fn look(&self, prices: &[f64]) -> (Vec<f64>, f64) {
        let parts = self.open.fold(
            self.program,
            prices,
            || (Vec::new(), 0.0),
            |(worths, cost), at, choices| {
                worths.push(choices.upper);
                let rows = self.open.rows(at);
                *cost += choices.places(choices.best()).iter().map(|&place| f64::from(rows[place as usize].cost)).sum::<f64>();
            },
        );
        let cost = parts.iter().map(|(_, cost)| cost).sum();
        (parts.into_iter().flat_map(|(worths, _)| worths).collect(), cost)
    }

    /// Prices at a budget, warm from others; `None` where no plan keeps to the limits.
    fn at(&self, budget: f64, start: Option<&[f64]>) -> Option<Priced> {
        let share = self.open.len() as f64 / self.customers as f64;
        let mut limits = self.program.scaled(share);
        limits[0] = budget * share;
        let found = newton(self.program, &self.open, &Settled::nothing(limits.len()), &limits, start, coldest(self.open.len()));
        if found.is_enough {
            return None;
        }
        let cost = self.look(&found.prices).1 / share;
        Some(Priced { budget, prices: found.prices, cost })
    }

    /// Value of a budget at its prices.
    fn point(&self, priced: &Priced) -> CurvePoint {
        let (worths, _) = self.look(&priced.prices);
        let size = worths.len() as f64;
        let more: Vec<f64> = worths.iter().zip(&self.worths).map(|(one, other)| one - other).collect();
        let mean = more.iter().sum::<f64>() / size;
        let limited: f64 = priced.prices.iter().zip(&self.limits).skip(1).map(|(price, limit)| price * limit).sum();
        let value = priced.prices[0] * priced.budget + limited + self.worth + mean * self.customers as f64;
        let variance = more.iter().map(|one| (one - mean).powi(2)).sum::<f64>() / (size - 1.0).max(1.0);
        let unseen = 1.0 - size / self.customers as f64;
        let std_error = self.customers as f64 * (variance / size * unseen).sqrt();
        let std_error = (unseen > 0.0).then_some(std_error * self.terms.value_unit);
        CurvePoint { std_error, ..point(priced.budget, value, priced.prices[0], self.terms) }
    }

    fn curve(&self, worth: f64, points: usize) -> Curve {
        // With more money than there is, what is worth while is what the choices cost.
        let endless = 4.0 * self.open_cost() + 1.0;
        let end = self.at(endless, Some(&self.prices)).map_or(0.0, |priced| priced.cost.max(0.0));
        let budget = |number: usize| (end * number as f64 / points.saturating_sub(1).max(1) as f64).floor();
        // From much money to little: prices of each budget from those of the last one.
        let mut solved: Vec<Priced> = Vec::new();
        let mut stride = STRIDE;
        let mut next = points.checked_sub(1);
        while let Some(number) = next {
            let start = solved.last().map_or(&self.prices, |priced| &priced.prices);
            match self.at(budget(number), Some(start)) {
                Some(priced) => {
                    solved.push(priced);
                    next = if number == 0 { None } else { Some(number.saturating_sub(stride)) };
                }
                // No plan keeps to the limits with so little: one by one to where there is one still.
                None if stride > 1 && number + stride <= points => {
                    stride = 1;
                    next = Some((number + STRIDE).min(points - 1).saturating_sub(1));
                }
                None => break,
            }
        }
        solved.reverse();
        let least = solved.first().map_or(f64::INFINITY, |priced| priced.budget);
        let budgets = (0..points).map(budget).filter(|budget| *budget >= least);
        let basis = if self.open.len() == self.customers {
            "the dual bound of every customer, which no plan exceeds".to_owned()
        } else {
            format!("the plan's bound, and prices and differences of a sample of {} of {} customers", self.open.len(), self.customers)
        };
        Curve {
            points: budgets.filter_map(|budget| between_solved(&solved, budget)).map(|priced| self.point(&priced)).collect(),
            worth_spending: self.worth_spending(&solved, worth),
            basis,
        }
    }

    /// What all customers' dearest offers would cost.
    fn open_cost(&self) -> f64 {
        let dearest = |at: usize| self.open.rows(at).iter().map(|row| f64::from(row.cost.max(0))).sum::<f64>();
        (0..self.open.len()).map(dearest).sum::<f64>() * self.customers as f64 / self.open.len().max(1) as f64
    }

    /// The budget at which the price of money falls below `worth`.
    fn worth_spending(&self, solved: &[Priced], worth: f64) -> CurvePoint {
        let after = solved.partition_point(|priced| priced.prices[0] >= worth);
        let budget = match (after.checked_sub(1).and_then(|place| solved.get(place)), solved.get(after)) {
            (Some(one), Some(two)) => {
                let share = (one.prices[0] - worth) / (one.prices[0] - two.prices[0]).max(f64::MIN_POSITIVE);
                one.budget + share.clamp(0.0, 1.0) * (two.budget - one.budget)
            }
            (Some(end), None) | (None, Some(end)) => end.budget,
            (None, None) => 0.0,
        };
        between_solved(solved, budget).map_or_else(|| point(0.0, 0.0, 0.0, self.terms), |priced| self.point(&priced))
    }
}

/// Prices of a budget between two others: a bound at prices that are all but the best is all but the best
/// bound, for there its slope is 0.
fn between_solved(solved: &[Priced], budget: f64) -> Option<Priced> {
    let after = solved.partition_point(|priced| priced.budget < budget).min(solved.len().checked_sub(1)?);
    let (one, two) = (&solved[after.saturating_sub(1)], &solved[after]);
    let share = ((budget - one.budget) / (two.budget - one.budget).max(f64::MIN_POSITIVE)).clamp(0.0, 1.0);
    let mix = |one: f64, two: f64| one + share * (two - one);
    let prices = one.prices.iter().zip(&two.prices).map(|(&one, &two)| mix(one, two)).collect();
    Some(Priced { budget, prices, cost: mix(one.cost, two.cost) })
}
