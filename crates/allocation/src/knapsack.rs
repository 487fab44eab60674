//! One budget, offers as they come: the short way to a plan.

use crate::constraints::Constraints;
use crate::curve::{CurvePoint, curve};
use crate::offers::{Offers, Row};
use crate::plan::{Plan, allocate};
use crate::program::Terms;
use crate::units::UnitFinder;

/// One offer that one customer could get.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Offer {
    /// What it is worth, in any unit; only differences matter.
    pub value: f64,
    /// What it costs, in minor units.
    pub cost: i64,
}

/// Which of its offers a customer gets; `None` for nothing.
pub type Choice = Option<usize>;

/// A plan, and how good any plan could be.
#[derive(Debug, Clone, PartialEq)]
pub struct Solution {
    /// One a customer, in the order given.
    pub choices: Vec<Choice>,
    /// Sum of the chosen values.
    pub value: f64,
    /// Sum of the chosen costs: never above the budget.
    pub cost: i64,
    /// No plan is worth more.
    pub upper_bound: f64,
    /// Value that one more minor unit of budget would bring: the budget's dual price.
    pub budget_price: f64,
    /// The price in words.
    pub meaning: String,
}

impl Solution {
    /// (upper bound − value) / upper bound; 0 where nothing is worth anything.
    pub fn gap(&self) -> f64 {
        if self.upper_bound > 0.0 { (self.upper_bound - self.value).max(0.0) / self.upper_bound } else { 0.0 }
    }
}

/// Solves for one budget. Offers whose value is not a finite number are never chosen.
pub fn solve(customers: &[Vec<Offer>], budget: i64) -> Solution {
    let problem = Problem::of(customers);
    let plan = problem.plan(Some(budget.max(0)));
    let choices: Vec<Choice> = (0..customers.len()).map(|customer| problem.choice(&plan, customer)).collect();
    let chosen = || choices.iter().zip(customers).filter_map(|(choice, offers)| choice.map(|place| offers[place]));
    let value = chosen().map(|offer| offer.value).sum::<f64>();
    let used = plan.constraints.first();
    Solution {
        value,
        cost: chosen().map(|offer| offer.cost).sum(),
        upper_bound: plan.upper_bound.max(value),
        budget_price: used.map_or(0.0, |used| used.price),
        meaning: used.map_or_else(String::new, |used| used.meaning.clone()),
        choices,
    }
}

/// What budgets at even distances are worth, from 0 to everything worthwhile, and from which on the next
/// minor unit earns less than `worth` of value.
pub fn budget_curve(customers: &[Vec<Offer>], points: usize, worth: f64) -> (Vec<CurvePoint>, CurvePoint) {
    let problem = Problem::of(customers);
    let plan = problem.plan(None);
    let terms = problem.terms(None);
    // In units of `worth` the next unit earns 1.
    let worthy = Terms { value_unit: terms.value_unit / worth, ..terms };
    let nothing = CurvePoint { budget: 0.0, value: 0.0, price: 0.0, std_error: None };
    let of = |terms: Terms<'_>| curve(&problem.offers, &Constraints::default(), terms, &plan, points);
    let points = of(terms).map_or_else(|_| vec![], |curve| curve.points);
    let from = of(worthy).map_or(nothing, |curve| curve.worth_spending);
    (points, CurvePoint { value: from.value * worth, price: from.price * worth, ..from })
}

/// Offers in units.
struct Problem {
    offers: Offers,
    names: Vec<String>,
    /// Each customer's offers that have a value.
    places: Vec<Vec<usize>>,
    value_unit: f64,
    is_exact: bool,
}

impl Problem {
    fn of(customers: &[Vec<Offer>]) -> Self {
        let places: Vec<Vec<usize>> = customers
            .iter()
            .map(|offers| {
                (0..offers.len()).filter(|&place| offers[place].value.is_finite() && i32::try_from(offers[place].cost).is_ok()).collect()
            })
            .collect();
        let mut finder = UnitFinder::default();
        for (offers, places) in customers.iter().zip(&places) {
            places.iter().for_each(|&place| finder.see(offers[place].value));
        }
        let unit = finder.unit(true);
        let most = places.iter().map(Vec::len).max().unwrap_or(0);
        let mut offers = Offers::new(most);
        for (theirs, places) in customers.iter().zip(&places) {
            let row = |(number, &place): (u32, &usize)| Row {
                promotion: number,
                value: unit.nearest(theirs[place].value),
                cost: i32::try_from(theirs[place].cost).unwrap_or(i32::MAX),
            };
            offers.push(0, (0..).zip(places).map(row));
        }
        Self { offers, names: (0..most).map(|number| number.to_string()).collect(), places, value_unit: unit.size, is_exact: unit.exact }
    }

    fn terms(&self, budget: Option<i64>) -> Terms<'_> {
        Terms {
            promotions: &self.names,
            segments: &[],
            value_unit: self.value_unit,
            cost_unit: 1.0,
            budget: budget.map(|budget| budget as f64),
            exact_values: self.is_exact,
            exact_costs: true,
        }
    }

    fn plan(&self, budget: Option<i64>) -> Plan {
        // To give nothing meets a budget from 0 up: there is a plan.
        allocate(&self.offers, &Constraints::default(), self.terms(budget)).unwrap_or_else(|_| Plan::nothing(self.offers.customers()))
    }

    fn choice(&self, plan: &Plan, customer: usize) -> Choice {
        plan.of(customer).first().map(|&place| self.places[customer][place as usize])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use youhui_commerce::Draw;

    use super::*;

    fn instance(customers: usize, promotions: usize, seed: u64) -> Vec<Vec<Offer>> {
        let mut draw = Draw::seeded(seed);
        (0..customers)
            .map(|_| {
                (0..promotions)
                    .map(|_| {
                        let cost = 50 + i64::try_from(draw.below(450)).unwrap();
                        // Value and cost are correlated, as they are in shops.
                        Offer { value: cost as f64 * (0.4 + draw.uniform()) + 40.0 * draw.normal(), cost }
                    })
                    .collect()
            })
            .collect()
    }

    fn brute_force(customers: &[Vec<Offer>], budget: i64) -> f64 {
        let Some((first, rest)) = customers.split_first() else { return 0.0 };
        let mut best = brute_force(rest, budget);
        for offer in first.iter().filter(|offer| offer.cost <= budget) {
            best = best.max(offer.value + brute_force(rest, budget - offer.cost));
        }
        best
    }

    #[test]
    fn within_a_tenth_of_a_percent_of_the_bound() {
        for seed in 0..20 {
            for share in [0.05, 0.3, 0.8] {
                let customers = instance(300, 5, seed);
                let all: i64 = customers.iter().map(|offers| offers.iter().map(|offer| offer.cost).max().unwrap()).sum();
                #[allow(clippy::cast_possible_truncation)]
                let budget = (all as f64 * share) as i64;
                let solution = solve(&customers, budget);
                assert!(solution.gap() <= 0.001, "seed {seed}, share {share}: gap {}", solution.gap());
                assert!(solution.cost <= budget);
            }
        }
    }

    #[test]
    fn edges() {
        assert_eq!(solve(&[], 100).value, 0.0);
        assert_eq!(solve(&[vec![]], 100).choices, [None]);
        let nan = vec![vec![Offer { value: f64::NAN, cost: 1 }, Offer { value: 3.0, cost: 7 }]];
        assert_eq!(solve(&nan, 10).choices, [Some(1)]);
        assert_eq!(solve(&nan, 0).choices, [None]);
        assert_eq!(solve(&nan, -5).choices, [None]);
        let saving = vec![vec![Offer { value: 2.0, cost: -5 }], vec![Offer { value: 1.0, cost: 5 }]];
        let solution = solve(&saving, 0);
        assert_eq!((solution.choices, solution.cost), (vec![Some(0), Some(0)], 0));
    }

    proptest! {
        // The table of the exact step makes each case cost milliseconds.
        #![proptest_config(ProptestConfig::with_cases(60))]

        #[test]
        fn feasible_bounded_and_near_the_optimum(seed in 0_u64..10_000, size in 1_usize..7, budget in 0_i64..2_000) {
            let customers = instance(size, 3, seed);
            let solution = solve(&customers, budget);
            let optimum = brute_force(&customers, budget);
            let cost: i64 = solution.choices.iter().zip(&customers).filter_map(|(choice, offers)| choice.map(|o| offers[o].cost)).sum();
            prop_assert_eq!(cost, solution.cost);
            prop_assert!(cost <= budget);
            prop_assert!(solution.upper_bound >= optimum - 1e-6);
            // The core covers so few customers whole: the plan is the optimum itself.
            prop_assert!((solution.value - optimum).abs() <= 1e-6 * optimum.max(1.0), "{} < {optimum}", solution.value);
        }

        #[test]
        fn more_budget_is_never_worth_less(seed in 0_u64..1_000) {
            let customers = instance(60, 4, seed);
            let (points, worth) = budget_curve(&customers, 20, 1.0);
            for pair in points.windows(2) {
                prop_assert!(pair[1].value >= pair[0].value - 1e-9 && pair[1].budget > pair[0].budget);
            }
            prop_assert!(worth.budget <= points[19].budget && worth.price <= 1.01);
        }
    }
}
