//! A plan, how good it is, and what its prices mean.

use serde::Serialize;

use crate::candidates::Candidates;
use crate::conflict::conflict;
use crate::constraints::Constraints;
use crate::offers::{Offers, View};
use crate::program::{ConstraintError, Measure, Of, Program, Terms, in_file_units};
use crate::screen::{NOTHING, OPEN, Prices, screen};
use crate::solve::{Chosen, Outcome, Source, solve};

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AllocationError {
    /// Constraints that can't be used.
    #[error(transparent)]
    Constraint(#[from] ConstraintError),
    /// Limits that contradict one another.
    #[error("no plan meets these limits together, and any of them could be met without the others: {}: loosen one of them", .0.join("; "))]
    Conflict(Vec<String>),
    /// Fractions of customers could meet the limits; no plan of whole ones was found that does.
    #[error("no plan in whole customers was found that meets every limit; the nearest one misses {}: loosen it", .0.join("; "))]
    NotFound(Vec<String>),
}

/// A plan in the file's units.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Sum of values.
    pub value: f64,
    /// Sum of costs.
    pub cost: f64,
    /// No plan is worth more.
    pub upper_bound: f64,
    /// Each limit, what is used of it, and its dual price.
    pub constraints: Vec<Use>,
    /// Passes over all offers that were needed.
    pub passes: usize,
    /// Customers that get something.
    pub reached: usize,
    chosen: Chosen,
}

/// One limit in a plan. Amounts in the file's units; counts in customers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Use {
    /// `budget`, `promotion a: count` …
    pub name: String,
    /// `money`, `count` or `return`.
    pub measure: &'static str,
    /// `at most` or `at least`.
    pub sense: &'static str,
    /// The limit. Of a return on spend 0: Σ value − ratio × Σ cost is at least that.
    pub limit: f64,
    /// What the plan uses.
    pub used: f64,
    /// What is left to the limit; never negative.
    pub slack: f64,
    /// What one more unit of the limit would be worth: its dual price.
    pub price: f64,
    /// The price in words.
    pub meaning: String,
}

impl Plan {
    /// Nobody gets anything.
    pub(crate) fn nothing(customers: usize) -> Self {
        let chosen = Chosen::One(vec![NOTHING; customers]);
        Self { value: 0.0, cost: 0.0, upper_bound: f64::INFINITY, constraints: Vec::new(), passes: 0, reached: 0, chosen }
    }

    /// (upper bound − value) / |upper bound|; 0 where nothing is worth anything.
    pub fn gap(&self) -> f64 {
        if self.upper_bound == 0.0 { 0.0 } else { ((self.upper_bound - self.value) / self.upper_bound.abs()).max(0.0) }
    }

    /// Places of a customer's offers, among its own.
    pub fn of(&self, customer: usize) -> Vec<u32> {
        match &self.chosen {
            Chosen::One(places) => places.get(customer).copied().filter(|&place| place != NOTHING).into_iter().collect(),
            Chosen::Many(places) => places.get(customer).cloned().unwrap_or_default(),
        }
    }
}

/// Solves a problem in memory.
///
/// # Errors
/// Constraints that name what isn't there, or that no plan can meet.
pub fn allocate(offers: &Offers, constraints: &Constraints, terms: Terms<'_>) -> Result<Plan, AllocationError> {
    offers.check(terms)?;
    let program = Program::new(constraints, terms)?;
    let mut places = if program.is_one_each() { vec![0; offers.customers()] } else { Vec::new() };
    let slice = program.is_one_each().then_some(&mut places[..]);
    let Ok((outcome, _)) = solve(&program, offers, offers, slice);
    if !outcome.is_feasible {
        return Err(unmet(&program, &outcome, terms, &Candidates::whole(offers.all(), 0)));
    }
    let chosen = if program.is_one_each() { Chosen::One(places) } else { Chosen::Many(outcome.current.places.clone()) };
    Ok(plan(&program, &outcome, terms, offers.customers(), chosen))
}

/// A plan of offers that stay where they are: prices, and the choices that they leave open.
#[derive(Debug)]
pub struct Streamed {
    /// The plan without its choices.
    pub plan: Plan,
    program: Program,
    outcome: Outcome,
    used: Option<Prices>,
}

/// Solves a problem that is read block by block. `sample` are some of its customers, evenly spread.
///
/// # Errors
/// As [`allocate`], and what kept a block from being read.
pub fn allocate_stream<S: Source>(
    source: &S,
    sample: &Offers,
    constraints: &Constraints,
    terms: Terms<'_>,
) -> Result<Result<Streamed, AllocationError>, S::Error> {
    let program = match Program::new(constraints, terms) {
        Ok(program) => program,
        Err(error) => return Ok(Err(error.into())),
    };
    let (outcome, used) = solve(&program, source, sample, None)?;
    if !outcome.is_feasible {
        return Ok(Err(unmet(&program, &outcome, terms, &Candidates::whole(sample.all(), 0))));
    }
    let plan = plan(&program, &outcome, terms, source.customers(), Chosen::Many(Vec::new()));
    Ok(Ok(Streamed { plan, program, outcome, used }))
}

impl Streamed {
    /// The choices of some customers next to one another, the first of whom has this number: (customer
    /// within the view, place among the customer's offers), in order.
    pub fn choices(&self, view: View<'_>, first: usize) -> Vec<(usize, u32)> {
        let mut places = vec![OPEN; view.customers()];
        if let Some(used) = &self.used {
            screen(&self.program, used, view, first, Some(&mut places));
        }
        let (open, current) = (&self.outcome.open, &self.outcome.current);
        let mut at = open.customer.partition_point(|&customer| (customer as usize) < first);
        let mut choices = Vec::with_capacity(view.customers());
        for (customer, &place) in places.iter().enumerate() {
            if open.customer.get(at).is_some_and(|&other| other as usize == first + customer) {
                choices.extend(current.places[at].iter().map(|&chosen| (customer, open.places(at)[chosen as usize])));
                at += 1;
            } else if place < OPEN {
                choices.push((customer, place));
            }
        }
        choices
    }
}

fn plan(program: &Program, outcome: &Outcome, terms: Terms<'_>, customers: usize, chosen: Chosen) -> Plan {
    let constraints = (0..program.resources.len()).map(|place| use_of(program, outcome, terms, place)).collect();
    // Values rounded to the nearest unit, costs up to the next: what rounding can have hidden.
    let pricing = program.pricing(&outcome.prices);
    let dearest = pricing.price.iter().fold(0.0, |most: f64, price| most.max(price.abs()));
    let each =
        if terms.exact_values { 0.0 } else { 0.5 * pricing.scale } + if terms.exact_costs { 0.0 } else { dearest } + (pricing.scale - 1.0);
    let hidden = each * (customers * program.per_customer.min(program.promotions)) as f64;
    // Sums of many 64-bit numbers are off by far less than this.
    let upper = outcome.bound + 1e-13 * outcome.bound.abs();
    // Sums of whole values are whole.
    let upper = upper.floor() + hidden;
    Plan {
        value: in_file_units(outcome.value as f64, terms.value_unit),
        cost: in_file_units(outcome.cost as f64, terms.cost_unit),
        upper_bound: in_file_units(upper.max(outcome.value as f64), terms.value_unit),
        constraints,
        passes: outcome.passes,
        reached: outcome.reached,
        chosen,
    }
}

fn use_of(program: &Program, outcome: &Outcome, terms: Terms<'_>, place: usize) -> Use {
    let resource = &program.resources[place];
    let measure = match resource.measure {
        Measure::Money => "money",
        Measure::Count => "count",
        Measure::Return => "return",
    };
    let unit = resource.unit(terms);
    let sign = if resource.floor || resource.measure == Measure::Return { -1 } else { 1 };
    let taken = outcome.taken[place];
    let slack = (if resource.floor { -resource.limit } else { resource.limit }) - taken;
    let price = outcome.prices[place] * terms.value_unit / unit;
    Use {
        name: resource.name.clone(),
        measure,
        sense: if sign < 0 { "at least" } else { "at most" },
        limit: in_file_units(resource.limit as f64, unit),
        used: in_file_units((sign * taken) as f64, unit),
        slack: in_file_units(slack as f64, unit),
        price,
        meaning: meaning(resource.measure, resource.floor, resource.of, price, &resource.name),
    }
}

/// What a dual price says.
fn meaning(measure: Measure, floor: bool, of: Of, price: f64, name: &str) -> String {
    let what = match (measure, of) {
        (Measure::Money, Of::Everything) => "one more unit of budget".to_owned(),
        (Measure::Return, _) => {
            return if price > 0.0 {
                format!("each unit of value that the return on spend asks for less would bring {price:.4} more")
            } else {
                "the return on spend is reached without giving anything up".to_owned()
            };
        }
        (Measure::Money, _) => format!("one more unit of money for \"{name}\""),
        (Measure::Count, _) => format!("one more customer for \"{name}\""),
    };
    match (price > 0.0, floor) {
        (true, false) => format!("{what} would bring {price:.4} more value"),
        (true, true) => format!("\"{name}\" costs {price:.4} of value for each unit that it asks for"),
        (false, false) => format!("{what} would bring nothing: it isn't used up, or nothing more is worth it"),
        (false, true) => format!("\"{name}\" is reached without giving anything up"),
    }
}

fn unmet(program: &Program, outcome: &Outcome, terms: Terms<'_>, open: &Candidates) -> AllocationError {
    let resource = |place: usize| &program.resources[place];
    if let Some(places) = conflict(program, open) {
        let told = |place: usize| {
            let (one, unit) = (resource(place), resource(place).unit(terms));
            let sense = if one.floor || one.measure == Measure::Return { "at least" } else { "at most" };
            let limit = if one.measure == Measure::Return { program.return_on_spend(terms) } else { one.limit as f64 * unit };
            format!("{} ({sense} {})", one.name, amount(limit))
        };
        return AllocationError::Conflict(places.into_iter().map(told).collect());
    }
    let limits = program.limits();
    let missed = (0..limits.len()).filter(|&place| outcome.taken[place] > limits[place]);
    let told = |place: usize| {
        let by = (outcome.taken[place] - limits[place]) as f64 * resource(place).unit(terms);
        format!("{} by {}", resource(place).name, amount(by))
    };
    AllocationError::NotFound(missed.map(told).collect())
}

/// Without the last digits, which whole units × the size of a unit leave.
fn amount(exact: f64) -> String {
    let text = format!("{exact:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
