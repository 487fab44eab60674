//! The dual of the plan, smoothed, and Newton's method on it.
//!
//! With prices λ ≥ 0 for resources of limits b, no plan is worth more than
//! L(λ) = λ·b + Σ max over a customer's sets of (value − λ·taken): the Lagrangian dual, convex and
//! piecewise linear. Its maxima are smoothed to τ log Σ exp(· / τ) (Nesterov 2005): then first and second
//! derivatives are sums of what sets take and of its covariance under softmax weights, and Newton's
//! method, damped by a line search and projected on λ ≥ 0 (Bertsekas 1982), needs a few steps. The
//! temperature τ falls to where few customers are undecided. Undamped steps diverge where a
//! promotion's budget binds nobody in the start: hence the line search.
//!
//! Fails: with prices of thousands of resources the dense second derivative is too large; where
//! nothing meets the limits, L falls without end, which is how that is found out (see `conflict`).

use nalgebra::{DMatrix, DVector};

use crate::candidates::{Candidates, Settled};
use crate::demand::{Demand, demand, is_possible};
use crate::program::Program;

/// A step of the line search has to gain this share of what the slope promises (Armijo 1966).
const SUFFICIENT: f64 = 1e-4;
/// What a step may still promise when it is time to cool, as a share of what smoothing adds.
const UNSETTLED: f64 = 0.02;
/// Newton steps at one temperature.
const STEPS: usize = 12;

/// Undecided customers, in temperatures that they add to the dual, below which it isn't cooled any more: so many and
/// one in so many of those whose choice is open.
const UNDECIDED: (f64, f64) = (60.0, 400.0);
/// The last temperature of all, as a share of the one that is asked for.
const COLDEST: f64 = 1e-5;

/// What is minimised.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dual<'a> {
    pub(crate) program: &'a Program,
    pub(crate) open: &'a Candidates,
    pub(crate) settled: &'a Settled,
    /// Limits in the form Σ taken ≤ limit.
    pub(crate) limits: &'a [f64],
    /// Prices are kept below these; infinite where there is no such bound.
    pub(crate) most: &'a [f64],
}

/// The smoothed dual at one point.
#[derive(Debug)]
struct Point {
    smooth: f64,
    sharp: f64,
    gradient: Vec<f64>,
    curvature: Vec<f64>,
}

/// A Newton step: the prices that it moves, by how much, and what it is to gain.
#[derive(Debug)]
struct Way {
    free: Vec<usize>,
    direction: DVector<f64>,
    promised: f64,
}

/// The smallest dual that was found.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// Prices of the last point.
    pub(crate) prices: Vec<f64>,
    /// Prices with the smallest unsmoothed dual, and that dual.
    pub(crate) bound_prices: Vec<f64>,
    pub(crate) bound: f64,
    /// Temperature in the end.
    pub(crate) temperature: f64,
    /// Below `enough`: the search was stopped.
    pub(crate) is_enough: bool,
}

/// Temperatures to go through.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cooling {
    pub(crate) from: f64,
    pub(crate) to: f64,
    /// Stop as soon as the unsmoothed dual is below this.
    pub(crate) enough: f64,
}

impl Dual<'_> {
    fn point(&self, prices: &[f64], temperature: f64) -> Point {
        let resources = prices.len();
        let open = if is_possible(self.program) {
            demand(self.program, self.open, prices, temperature)
        } else {
            self.of_sets(prices, temperature)
        };
        let value = self.settled.value as f64;
        let mut point = Point { smooth: value, sharp: value, gradient: self.limits.to_vec(), curvature: vec![0.0; resources * resources] };
        for (place, price) in prices.iter().enumerate() {
            let left = self.limits[place] - self.settled.taken[place] as f64;
            point.gradient[place] = left;
            point.smooth += price * left;
            point.sharp += price * left;
        }
        point.smooth += open.smooth;
        point.sharp += open.sharp;
        point.gradient.iter_mut().zip(&open.taken).for_each(|(sum, taken)| *sum -= taken);
        point.curvature = open.curvature;
        point
    }

    /// The demand of customers who may get several promotions.
    fn of_sets(&self, prices: &[f64], temperature: f64) -> Demand {
        let resources = prices.len();
        let new = || Part {
            smooth: 0.0,
            sharp: 0.0,
            taken: vec![0.0; resources],
            curvature: vec![0.0; resources * resources],
            weights: vec![],
            mean: vec![],
        };
        let parts = self.open.fold(self.program, prices, new, |part: &mut Part, _, choices| part.add(choices, temperature, resources));
        let mut sum = Demand { smooth: 0.0, sharp: 0.0, taken: vec![0.0; resources], curvature: vec![0.0; resources * resources] };
        for part in parts {
            sum.smooth += part.smooth;
            sum.sharp += part.sharp;
            sum.taken.iter_mut().zip(&part.taken).for_each(|(sum, one)| *sum += one);
            sum.curvature.iter_mut().zip(&part.curvature).for_each(|(sum, one)| *sum += one);
        }
        sum
    }

    /// The second derivative of the smoothed dual.
    pub(crate) fn curvature(&self, prices: &[f64], temperature: f64) -> DMatrix<f64> {
        DMatrix::from_row_slice(prices.len(), prices.len(), &self.point(prices, temperature).curvature)
    }

    /// Minimises from `start` on.
    pub(crate) fn minimise(&self, start: &[f64], cooling: Cooling) -> Found {
        let mut prices = start.to_vec();
        let mut temperature = cooling.from.max(cooling.to);
        let mut point = self.point(&prices, temperature);
        let mut found = Found { bound_prices: prices.clone(), bound: point.sharp, temperature, prices: vec![], is_enough: false };
        loop {
            let mut ahead = None;
            for _ in 0..STEPS {
                found.is_enough = found.bound < cooling.enough;
                if found.is_enough {
                    break;
                }
                let Some(way) = self.way(&prices, &point) else { break };
                // A tenth of one customer's temperature is nothing that the next one would see; and before the last
                // temperature prices needn't be nearer than the next one moves them anyway.
                let is_last = temperature <= cooling.to;
                if way.promised < 0.1 * temperature || (!is_last && way.promised < UNSETTLED * (point.smooth - point.sharp)) {
                    ahead = Some(self.along(&prices, &way, 1.0));
                    break;
                }
                let Some((next_prices, next)) = self.step(&prices, &point, &way, temperature) else { break };
                (prices, point) = (next_prices, next);
                if point.sharp < found.bound {
                    (found.bound, found.bound_prices) = (point.sharp, prices.clone());
                }
            }
            // Where many are alike, many are undecided at once, and what smoothing adds isn't small yet.
            let few = UNDECIDED.0 + self.open.len() as f64 / UNDECIDED.1;
            let is_cold = point.smooth - point.sharp <= few * temperature || temperature <= COLDEST * cooling.to;
            prices = ahead.unwrap_or(prices);
            if found.is_enough || (temperature <= cooling.to && is_cold) {
                break;
            }
            let next = temperature * 0.2;
            temperature = if temperature > cooling.to { next.max(cooling.to) } else { next };
            point = self.point(&prices, temperature);
            if point.sharp < found.bound {
                (found.bound, found.bound_prices) = (point.sharp, prices.clone());
            }
        }
        found.temperature = temperature;
        found.prices = prices;
        found
    }

    /// Where a Newton step leads from here, over the prices that are free to move.
    fn way(&self, prices: &[f64], point: &Point) -> Option<Way> {
        let resources = prices.len();
        let is_held = |place: usize| {
            (prices[place] <= 0.0 && point.gradient[place] >= 0.0) || (prices[place] >= self.most[place] && point.gradient[place] <= 0.0)
        };
        // A floor and a cap of the same amounts: where one is priced the other isn't, for their sum would
        // bend nothing, so that steps along it had no measure.
        let is_other_priced = |place: usize| {
            self.program.opposite(place).is_some_and(|other| {
                !is_held(other) && (prices[other], -point.gradient[other], other) > (prices[place], -point.gradient[place], place)
            })
        };
        let free: Vec<usize> = (0..resources).filter(|&place| !is_held(place) && !is_other_priced(place)).collect();
        let direction = direction(point, &free, resources)?;
        let promised = free.iter().zip(direction.iter()).map(|(&place, step)| -point.gradient[place] * step).sum();
        Some(Way { free, direction, promised })
    }

    /// Prices so far along a way, projected on those that are allowed.
    fn along(&self, prices: &[f64], way: &Way, length: f64) -> Vec<f64> {
        let mut next = prices.to_vec();
        for (&place, step) in way.free.iter().zip(way.direction.iter()) {
            next[place] = (prices[place] + length * step).clamp(0.0, self.most[place]);
        }
        next
    }

    /// A damped and projected Newton step: new prices and the point there.
    fn step(&self, prices: &[f64], point: &Point, way: &Way, temperature: f64) -> Option<(Vec<f64>, Point)> {
        let mut length = 1.0;
        for _ in 0..40 {
            let next = self.along(prices, way, length);
            let slope: f64 = way.free.iter().map(|&place| point.gradient[place] * (next[place] - prices[place])).sum();
            if slope < 0.0 {
                let there = self.point(&next, temperature);
                if there.smooth <= point.smooth + SUFFICIENT * slope {
                    return Some((next, there));
                }
            }
            length *= 0.4;
        }
        None
    }
}

/// −(second derivative + a ridge)⁻¹ · gradient, over the resources that are free to move.
fn direction(point: &Point, free: &[usize], resources: usize) -> Option<DVector<f64>> {
    if free.is_empty() {
        return None;
    }
    let gradient = DVector::from_iterator(free.len(), free.iter().map(|&place| -point.gradient[place]));
    let curvature = |one: usize, two: usize| point.curvature[free[one] * resources + free[two]];
    let largest = (0..free.len()).map(|place| curvature(place, place)).fold(0.0, f64::max);
    // A resource that no undecided customer touches has no curvature: a share of the largest,
    // or of its own gradient, keeps its step finite.
    let mut ridge = 1e-9;
    loop {
        let mut matrix = DMatrix::from_fn(free.len(), free.len(), curvature);
        for place in 0..free.len() {
            let own = matrix[(place, place)];
            matrix[(place, place)] = own * (1.0 + ridge) + ridge * 1e-3 * largest + f64::MIN_POSITIVE.max(1e-12 * gradient[place].abs());
        }
        match matrix.cholesky() {
            Some(factor) => return Some(factor.solve(&gradient)).filter(|step| step.iter().all(|one| one.is_finite())),
            None if ridge > 1e3 => return None,
            None => ridge *= 100.0,
        }
    }
}

/// Sums over one chunk of customers.
#[derive(Debug)]
struct Part {
    smooth: f64,
    sharp: f64,
    taken: Vec<f64>,
    curvature: Vec<f64>,
    weights: Vec<f64>,
    mean: Vec<(u32, f64)>,
}

impl Part {
    fn add(&mut self, choices: &crate::choices::Choices, temperature: f64, resources: usize) {
        let best = choices.best();
        let most = choices.reduced[best];
        self.sharp += choices.upper;
        self.weights.clear();
        self.weights.extend(choices.reduced.iter().map(|reduced| {
            let behind = (reduced - most) / temperature;
            if behind < -30.0 { 0.0 } else { behind.exp() }
        }));
        let sum: f64 = self.weights.iter().sum();
        self.smooth += choices.upper + temperature * sum.ln();
        let undecided = sum > 1.0 + 1e-9;
        self.mean.clear();
        for set in (0..choices.len()).filter(|&set| self.weights[set] > 0.0) {
            let weight = self.weights[set] / sum;
            for &(resource, amount) in choices.taken(set) {
                let amount = amount as f64;
                self.taken[resource as usize] += weight * amount;
                if undecided {
                    match self.mean.iter_mut().find(|(other, _)| *other == resource) {
                        Some((_, mean)) => *mean += weight * amount,
                        None => self.mean.push((resource, weight * amount)),
                    }
                    for &(other, other_amount) in choices.taken(set) {
                        self.curvature[resource as usize * resources + other as usize] +=
                            weight * amount * other_amount as f64 / temperature;
                    }
                }
            }
        }
        for &(one, mean) in &self.mean {
            for &(two, other) in &self.mean {
                self.curvature[one as usize * resources + two as usize] -= mean * other / temperature;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use youhui_commerce::Draw;

    use super::*;
    use crate::constraints::{Constraints, PromotionLimit};
    use crate::offers::{Offers, Row};
    use crate::program::Terms;

    /// Customers with an offer of each of three promotions, in one segment; value follows cost.
    #[allow(clippy::cast_possible_truncation, reason = "a few hundreds")]
    fn open(customers: usize) -> Candidates {
        let (mut draw, mut offers) = (Draw::seeded(1), Offers::new(3));
        for _ in 0..customers {
            let mut row = |promotion| {
                let cost = 50.0 + 450.0 * draw.uniform();
                let value = cost * (0.4 + draw.uniform()) + 40.0 * draw.normal();
                Row { promotion, value: value as i32, cost: cost as i32 }
            };
            offers.push(0, (0..3).map(&mut row));
        }
        Candidates::whole(offers.all(), 0)
    }

    fn program(constraints: &Constraints) -> Program {
        let names = ["a", "b", "c"].map(str::to_owned);
        let terms = Terms {
            promotions: &names,
            segments: &["all".to_owned()],
            value_unit: 1.0,
            cost_unit: 1.0,
            budget: None,
            exact_values: true,
            exact_costs: true,
        };
        Program::new(constraints, terms).unwrap()
    }

    fn with_dual<T>(constraints: &Constraints, customers: usize, look: impl FnOnce(&Dual<'_>) -> T) -> T {
        let (program, open) = (program(constraints), open(customers));
        let (settled, limits) = (Settled::nothing(program.resources.len()), program.scaled(1.0));
        let most = vec![f64::INFINITY; limits.len()];
        look(&Dual { program: &program, open: &open, settled: &settled, limits: &limits, most: &most })
    }

    /// The unsmoothed dual along whole Newton steps, projected on prices from 0 up.
    fn undamped(dual: &Dual<'_>, temperature: f64, steps: usize) -> Vec<f64> {
        let mut prices = vec![0.0; dual.limits.len()];
        let mut duals = Vec::new();
        for _ in 0..steps {
            let point = dual.point(&prices, temperature);
            duals.push(point.sharp);
            let free: Vec<usize> = (0..prices.len()).filter(|&place| prices[place] > 0.0 || point.gradient[place] < 0.0).collect();
            let Some(direction) = direction(&point, &free, prices.len()) else { break };
            free.iter().zip(direction.iter()).for_each(|(&place, step)| prices[place] = f64::max(prices[place] + step, 0.0));
        }
        duals
    }

    #[test]
    fn whole_newton_steps_diverge_on_budgets_of_promotions_alone_and_damped_ones_dont() {
        let limit = |(name, budget): (&str, f64)| PromotionLimit { name: name.to_owned(), budget: Some(budget), count: None };
        let promotion = [("a", 20_000.0), ("b", 15_000.0), ("c", 10_000.0)].map(limit).to_vec();
        with_dual(&Constraints { promotion, ..Constraints::default() }, 2_000, |dual| {
            let found = dual.minimise(&[0.0; 3], Cooling { from: 100.0, to: 0.3, enough: f64::NEG_INFINITY });
            let duals = undamped(dual, 0.3, 60);
            // They go around in a circle far above the least.
            assert!(duals.iter().all(|dual| *dual > 4.0 * found.bound), "{} {duals:?}", found.bound);
            let point = dual.point(&found.prices, found.temperature);
            assert!(found.prices.iter().all(|price| (1.0..2.0).contains(price)), "{found:?}");
            assert!(point.gradient.iter().all(|left| left.abs() < 1.0), "what is taken is all but the budget: {point:?}");
        });
    }
}
