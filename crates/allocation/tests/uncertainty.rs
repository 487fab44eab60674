//! The optimiser's curse on known truth, and what caution does about it.
//!
//! Each offer is worth something that only the test knows; the plan sees it with noise of a known
//! standard error, another one for each offer. Whole campaigns are drawn anew for each seed.

#![allow(clippy::expect_used, reason = "tests")]

use youhui_allocation::{Caution, Constraints, Offers, Row, Terms, allocate};
use youhui_commerce::Draw;

const SEEDS: u64 = 24;
const PROMOTIONS: u32 = 5;
/// Units of value and of cost to one of money.
const UNITS: f64 = 1000.0;

/// An offer as it is and as it is known.
#[derive(Clone, Copy)]
struct Known {
    truth: f64,
    predicted: f64,
    std_error: f64,
    cost: f64,
}

struct Campaign {
    offers: Vec<Vec<Known>>,
    budget: f64,
}

/// What a plan promised and what it brought.
struct Outcome {
    promised: f64,
    brought: f64,
}

impl Campaign {
    /// 400 customers with five offers, a budget of a fifth of what everybody's first would cost. Half of the
    /// offers are known ten times as well as the others.
    fn draw(seed: u64) -> Self {
        let mut draw = Draw::seeded(seed);
        let mut offer = |_| {
            let cost = 1.0 + 4.0 * draw.uniform();
            let truth = cost * (0.5 + draw.uniform());
            let std_error = if draw.uniform() < 0.5 { 0.2 } else { 2.0 };
            Known { truth, predicted: truth + std_error * draw.normal(), std_error, cost }
        };
        let offers: Vec<Vec<Known>> = (0..400).map(|_| (0..PROMOTIONS).map(&mut offer).collect()).collect();
        let budget = 0.2 * offers.iter().map(|offers| offers[0].cost).sum::<f64>();
        Self { offers, budget }
    }

    /// The plan by so many standard errors less than predicted.
    fn plan(&self, errors: f64) -> Outcome {
        let given = choose(&self.offers, Some(self.budget), Caution::LowerBound(errors));
        let sum = |what: &dyn Fn(&Known) -> f64| given.iter().map(|&(customer, promotion)| what(&self.offers[customer][promotion])).sum();
        Outcome { promised: sum(&|offer| offer.predicted - errors * offer.std_error), brought: sum(&|offer| offer.truth) }
    }
}

/// Who gets which promotion.
fn choose(offers: &[Vec<Known>], budget: Option<f64>, caution: Caution) -> Vec<(usize, usize)> {
    let mut known = Offers::new(PROMOTIONS as usize);
    for (customer, offers) in offers.iter().enumerate() {
        let rows = (0..PROMOTIONS).zip(offers).map(|(promotion, offer)| {
            let value = caution.value(offer.predicted, offer.std_error, &customer.to_string(), &promotion.to_string());
            Row { promotion, value: whole(value), cost: whole(offer.cost) }
        });
        known.push(0, rows);
    }
    let (names, segments): (Vec<String>, _) = ((0..PROMOTIONS).map(|number| format!("p{number}")).collect(), ["all".to_owned()]);
    let unit = 1.0 / UNITS;
    let terms =
        Terms { promotions: &names, segments: &segments, value_unit: unit, cost_unit: unit, budget, exact_values: true, exact_costs: true };
    let plan = allocate(&known, &Constraints::default(), terms).expect("a plan");
    let of = |customer| plan.of(customer).into_iter().map(move |place| (customer, place as usize));
    (0..offers.len()).flat_map(of).collect()
}

#[allow(clippy::cast_possible_truncation, reason = "a few thousand")]
fn whole(amount: f64) -> i32 {
    (UNITS * amount).round() as i32
}

/// The mean and its standard error.
fn mean(of: impl Iterator<Item = f64>) -> (f64, f64) {
    let of: Vec<f64> = of.collect();
    let count = of.len() as f64;
    let mean = of.iter().sum::<f64>() / count;
    let variance = of.iter().map(|one| (one - mean).powi(2)).sum::<f64>() / (count - 1.0);
    (mean, (variance / count).sqrt())
}

fn outcomes(errors: f64) -> Vec<Outcome> {
    (0..SEEDS).map(|seed| Campaign::draw(seed).plan(errors)).collect()
}

/// Share of what was brought that was promised and not brought.
fn excess(outcomes: &[Outcome]) -> (f64, f64) {
    mean(outcomes.iter().map(|one| one.promised / one.brought - 1.0))
}

#[test]
fn a_plan_by_prediction_promises_more_than_it_brings() {
    let (excess, error) = excess(&outcomes(0.0));
    assert!(excess - 2.0 * error > 1.0, "the curse should be there, and is more than double: {excess} ± {error}");
}

#[test]
fn a_lower_bound_keeps_its_promise_and_brings_more() {
    let (curse, caution) = (outcomes(0.0), outcomes(2.0));
    let (excess, error) = excess(&caution);
    assert!(excess + 2.0 * error < 0.0, "promised and not brought: {excess} ± {error}");
    let (gain, error) = mean(caution.iter().zip(&curse).map(|(careful, other)| careful.brought / other.brought - 1.0));
    assert!(gain - 2.0 * error > 0.15, "paired by seed: {gain} ± {error}");
}

#[test]
fn the_table_of_the_documentation() {
    let document = include_str!("../../../docs/allocation.md");
    for errors in [0.0, 1.0, 2.0, 3.0] {
        let outcomes = outcomes(errors);
        let ((excess, error), (brought, _)) = (excess(&outcomes), mean(outcomes.iter().map(|one| one.brought)));
        let row = format!("| {errors} | {:+.1} % ± {:.1} % | {brought:.1} |\n", 100.0 * excess, 100.0 * error);
        assert!(document.contains(&row), "docs/allocation.md doesn't have {row}");
    }
}

#[test]
fn draws_give_an_offer_as_often_as_it_is_the_best() {
    let offer = |predicted| Known { truth: predicted, predicted, std_error: 2.0, cost: 1.0 };
    // P(a is larger than b) of normal draws is Φ((a − b) / (√2 · standard error)).
    for (ahead, likely) in [(0.0, 0.5), (2.0, 0.7602), (4.0, 0.9214)] {
        let offers = vec![vec![offer(50.0 + ahead), offer(50.0)]; 200];
        let firsts =
            (0..SEEDS).map(|seed| choose(&offers, None, Caution::Draw(seed)).iter().filter(|(_, promotion)| *promotion == 0).count());
        let trials = 200.0 * SEEDS as f64;
        let share = firsts.sum::<usize>() as f64 / trials;
        let error = f64::sqrt(likely * (1.0 - likely) / trials);
        assert!((share - likely).abs() < 4.0 * error, "{ahead}: {share}, not {likely} ± {error}");
    }
}
