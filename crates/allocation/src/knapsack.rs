//! The multiple-choice knapsack with one budget, by the upper hull.
//!
//! maximise Σ value subject to Σ cost ≤ budget and at most one offer a customer. Of each
//! customer's offers only those on the upper hull of (cost, value) can be in an optimal fractional
//! plan; the hull's increments, taken by falling value per cost over all customers until the
//! budget is used up, solve the linear relaxation exactly (Sinha and Zoltners 1979). The one
//! increment that doesn't fit whole is the only fractional choice: the bound is the value with it,
//! and the integer plan repairs it with an exact step on the nearest ties (a core, Pisinger 1995).
//!
//! Cost: O(n log n) in the number of offers. Free and negative costs are allowed: an offer that
//! saves money and earns value is always taken.

use std::cmp::Ordering;

/// Customers around the break that the exact step looks at: first few, then more while the gap
/// stays wide, as it does where a small budget buys many cheap offers.
const CORES: [usize; 3] = [32, 96, 288];
/// A gap that ends the search.
const GOOD_GAP: f64 = 2e-4;
/// Cells of the exact step's table at most; a wider budget is stepped through in coarser units.
const CELLS: i64 = 30_000;

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
    /// Optimum of the linear relaxation: no plan is worth more.
    pub upper_bound: f64,
    /// Value that one more minor unit of budget would bring: the budget's dual price.
    pub budget_price: f64,
}

impl Solution {
    /// (upper bound − value) / upper bound; 0 where nothing is worth anything.
    pub fn gap(&self) -> f64 {
        if self.upper_bound > 0.0 { (self.upper_bound - self.value).max(0.0) / self.upper_bound } else { 0.0 }
    }
}

/// A step up a customer's hull.
#[derive(Debug, Clone, Copy)]
struct Increment {
    customer: usize,
    offer: usize,
    value: f64,
    cost: i64,
}

impl Increment {
    fn rate(&self) -> f64 {
        self.value / self.cost as f64
    }
}

/// Solves for one budget. Offers whose value is not a number are never chosen.
pub fn solve(customers: &[Vec<Offer>], budget: i64) -> Solution {
    let relaxed = Relaxed::of(customers);
    relaxed.solve(customers, budget)
}

/// (budget, value, cost, budget price) for each of `budgets`, for the price of sorting once.
pub fn budget_curve(customers: &[Vec<Offer>], budgets: &[i64]) -> Vec<Solution> {
    let relaxed = Relaxed::of(customers);
    budgets.iter().map(|&budget| relaxed.solve(customers, budget)).collect()
}

/// What doesn't depend on the budget: the free choices and the increments in order.
struct Relaxed {
    base: Vec<Choice>,
    base_value: f64,
    base_cost: i64,
    increments: Vec<Increment>,
}

impl Relaxed {
    fn of(customers: &[Vec<Offer>]) -> Self {
        let mut relaxed = Self { base: Vec::with_capacity(customers.len()), base_value: 0.0, base_cost: 0, increments: Vec::new() };
        for (customer, offers) in customers.iter().enumerate() {
            let hull = upper_hull(offers);
            // The hull starts at what is best without spending: nothing, or an offer that is free
            // or saves money.
            let (first, rest) = (hull[0], &hull[1..]);
            relaxed.base.push(first.0);
            relaxed.base_value += first.1.value;
            relaxed.base_cost += first.1.cost;
            let mut from = first.1;
            for &(choice, to) in rest {
                let Some(offer) = choice else { continue };
                relaxed.increments.push(Increment { customer, offer, value: to.value - from.value, cost: to.cost - from.cost });
                from = to;
            }
        }
        // Falling rate; ties by customer, so that the plan doesn't depend on the sort.
        relaxed
            .increments
            .sort_by(|one, two| two.rate().total_cmp(&one.rate()).then(one.customer.cmp(&two.customer)).then(one.cost.cmp(&two.cost)));
        relaxed
    }

    fn solve(&self, customers: &[Vec<Offer>], budget: i64) -> Solution {
        let mut choices = self.base.clone();
        let mut value = self.base_value;
        let mut left = budget - self.base_cost;
        if left < 0 {
            // Only a negative budget, or money-saving offers that are not enough for one.
            return self.nothing(budget);
        }
        let mut upper_bound = None;
        let mut budget_price = 0.0;
        let mut blocked = vec![false; choices.len()];
        let mut break_at = self.increments.len();
        for (place, step) in self.increments.iter().enumerate() {
            if step.cost <= left && !blocked[step.customer] {
                choices[step.customer] = Some(step.offer);
                value += step.value;
                left -= step.cost;
            } else {
                if upper_bound.is_none() {
                    upper_bound = Some(value + step.rate() * left as f64);
                    budget_price = step.rate();
                    break_at = place;
                }
                // A later step of this customer stands on the one that was left out.
                blocked[step.customer] = true;
            }
        }
        let mut solution = Solution { upper_bound: upper_bound.unwrap_or(value), value, cost: budget - left, choices, budget_price };
        for core in CORES {
            if solution.gap() > GOOD_GAP {
                self.improve(customers, budget, break_at, core, &mut solution);
            }
        }
        solution
    }

    /// The exact step: the customers whose increments stand nearest the break choose anew, all
    /// others keep what they have.
    fn improve(&self, customers: &[Vec<Offer>], budget: i64, break_at: usize, size: usize, solution: &mut Solution) {
        let mut core: Vec<usize> = Vec::new();
        let below = self.increments[..break_at].iter().rev();
        let above = self.increments[break_at..].iter();
        let mut sides = [below.take(4 * size).collect::<Vec<_>>().into_iter(), above.take(4 * size).collect::<Vec<_>>().into_iter()];
        while core.len() < size {
            let taken: Vec<usize> = sides.iter_mut().filter_map(|side| side.next().map(|step| step.customer)).collect();
            if taken.is_empty() {
                break;
            }
            for customer in taken {
                if !core.contains(&customer) {
                    core.push(customer);
                }
            }
        }
        let held = |customer: usize| solution.choices[customer].map_or(Offer { value: 0.0, cost: 0 }, |offer| customers[customer][offer]);
        let (core_value, core_cost) =
            core.iter().fold((0.0, 0), |(value, cost), &customer| (value + held(customer).value, cost + held(customer).cost));
        let room = budget - solution.cost + core_cost;
        let Some((better, choices)) = exact(customers, &core, room) else { return };
        if better > core_value + 1e-12 * core_value.abs() {
            for (&customer, choice) in core.iter().zip(choices) {
                solution.choices[customer] = choice;
            }
            let chosen = || solution.choices.iter().zip(customers).filter_map(|(choice, offers)| choice.map(|offer| offers[offer]));
            solution.value = chosen().map(|offer| offer.value).sum();
            solution.cost = chosen().map(|offer| offer.cost).sum();
        }
    }

    fn nothing(&self, budget: i64) -> Solution {
        Solution {
            choices: vec![None; self.base.len()],
            value: 0.0,
            cost: 0,
            upper_bound: 0.0,
            budget_price: if budget < 0 { f64::INFINITY } else { 0.0 },
        }
    }
}

/// The best choice of each core customer within `room`, by dynamic programming over the money
/// spent. Costs are rounded up to the table's unit, so that the answer always fits.
fn exact(customers: &[Vec<Offer>], core: &[usize], room: i64) -> Option<(f64, Vec<Choice>)> {
    let unfit = |offers: &Vec<Offer>| offers.len() >= usize::from(u16::MAX) || offers.iter().any(|offer| offer.cost < 0);
    if room < 0 || core.iter().any(|&customer| unfit(&customers[customer])) {
        return None;
    }
    let most: i64 = core.iter().map(|&customer| customers[customer].iter().map(|offer| offer.cost).max().unwrap_or(0)).sum();
    let unit = (room.min(most) / CELLS) + 1;
    let size = usize::try_from(room.min(most) / unit).ok()? + 1;
    let mut best = vec![0.0_f64; size];
    let mut picks: Vec<Vec<u16>> = Vec::with_capacity(core.len());
    for &customer in core {
        let mut next = best.clone();
        let mut pick = vec![0_u16; size];
        for (number, offer) in (1_u16..).zip(&customers[customer]) {
            let cells = usize::try_from(offer.cost.div_euclid(unit) + i64::from(offer.cost.rem_euclid(unit) > 0)).ok()?;
            if offer.value.is_nan() || offer.value <= 0.0 {
                continue;
            }
            for spent in cells..size {
                let value = best[spent - cells] + offer.value;
                if value > next[spent] {
                    next[spent] = value;
                    pick[spent] = number;
                }
            }
        }
        best = next;
        picks.push(pick);
    }
    let mut spent = size - 1;
    let value = best[spent];
    let mut choices = vec![None; core.len()];
    for (place, (&customer, pick)) in core.iter().zip(&picks).enumerate().rev() {
        let Some(offer) = usize::from(pick[spent]).checked_sub(1) else { continue };
        choices[place] = Some(offer);
        let cost = customers[customer][offer].cost;
        spent -= usize::try_from(cost.div_euclid(unit) + i64::from(cost.rem_euclid(unit) > 0)).ok()?;
    }
    Some((value, choices))
}

/// The offers, and "nothing", that stand on the upper hull of (cost, value), cheapest first: the
/// first is the most valuable of those that cost least, and value rises ever more slowly with cost.
fn upper_hull(offers: &[Offer]) -> Vec<(Choice, Offer)> {
    let nothing = (None, Offer { value: 0.0, cost: 0 });
    let mut points: Vec<(Choice, Offer)> = offers
        .iter()
        .enumerate()
        .filter(|(_, offer)| offer.value.is_finite() && (offer.value > 0.0 || offer.cost < 0))
        .map(|(number, offer)| (Some(number), *offer))
        .chain([nothing])
        .collect();
    points.sort_by(|one, two| one.1.cost.cmp(&two.1.cost).then(two.1.value.total_cmp(&one.1.value)).then(one.0.cmp(&two.0)));
    let mut hull: Vec<(Choice, Offer)> = Vec::new();
    for point in points {
        // Dominated: as dear as a better one, or no better than a cheaper one.
        if hull.last().is_some_and(|last| point.1.value <= last.1.value) {
            continue;
        }
        while hull.len() >= 2 && !turns_right(hull[hull.len() - 2].1, hull[hull.len() - 1].1, point.1) {
            hull.pop();
        }
        hull.push(point);
    }
    // Below "nothing" only what saves money without costing value may stay.
    while hull.len() > 1 && hull[0].1.cost < 0 && hull[0].1.value < 0.0 {
        hull.remove(0);
    }
    hull
}

/// Whether the way a → b → c bends down at b.
fn turns_right(a: Offer, b: Offer, c: Offer) -> bool {
    let first = (b.value - a.value) * (c.cost - b.cost) as f64;
    let second = (c.value - b.value) * (b.cost - a.cost) as f64;
    first.total_cmp(&second) == Ordering::Greater
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
            let budgets: Vec<i64> = (0..6).map(|step| step * 2_000).collect();
            let curve = budget_curve(&customers, &budgets);
            for pair in curve.windows(2) {
                prop_assert!(pair[1].upper_bound >= pair[0].upper_bound - 1e-9);
            }
        }
    }
}
