//! BG/NBD: how many orders to expect of a customer, and whether the customer is still one.
//!
//! Fader, Hardie & Lee 2005, "Counting Your Customers the Easy Way", Marketing Science 24(2):
//! orders of an active customer are Poisson with a rate λ ~ Gamma(r, α); after each order the
//! customer leaves for good with probability p ~ Beta(a, b).

use std::collections::BTreeMap;

use super::minimize::minimize;
use super::special::{digamma, hyp2f1, ln_gamma};
use super::{LifetimeError, PurchaseSummary};

/// A fitted BG/NBD model. `alpha` has the unit of the summaries' times; the other parameters have
/// none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BgNbd {
    /// Shape of the order rate over customers.
    pub r: f64,
    /// Rate of the order rate over customers, in units of time.
    pub alpha: f64,
    /// First parameter of the drop-out probability.
    pub a: f64,
    /// Second parameter of the drop-out probability.
    pub b: f64,
    /// Log-likelihood of all customers at the parameters, with times in units of the oldest age,
    /// without the penalty.
    pub log_likelihood: f64,
    /// The penalty that was used: the caller's, or the fallback's where the caller's had no
    /// finite optimum.
    pub penalizer: f64,
}

/// Customers with the same history, and how many they are.
struct Group {
    frequency: f64,
    recency: f64,
    age: f64,
    weight: f64,
    /// Which entry of the table of gamma functions: those depend on the frequency only.
    slot: usize,
}

impl BgNbd {
    /// Used where the likelihood has no finite maximum, as when nobody ever leaves.
    pub const FALLBACK_PENALIZER: f64 = 1e-3;

    /// Maximises the mean log-likelihood less `penalizer` × Σ parameter², with times divided by
    /// the oldest age, as `lifetimes` 0.11 does; 0 is plain maximum likelihood. Where that has no
    /// finite maximum, `FALLBACK_PENALIZER` is used instead and reported in the result.
    pub fn fit(customers: &[PurchaseSummary], penalizer: f64) -> Result<Self, LifetimeError> {
        super::check(customers)?;
        if !(penalizer.is_finite() && penalizer >= 0.0) {
            return Err(LifetimeError::Penalizer(penalizer));
        }
        if customers.iter().all(|customer| customer.frequency == 0.0) {
            return Err(LifetimeError::NobodyRepeats { customers: customers.len() });
        }
        let oldest = customers.iter().fold(0.0, |oldest: f64, customer| oldest.max(customer.age));
        if oldest <= 0.0 {
            return Err(LifetimeError::NoTime);
        }
        let (groups, frequencies) = group(customers, oldest);
        let total = customers.len() as f64;
        for penalty in [penalizer, penalizer.max(Self::FALLBACK_PENALIZER)] {
            // The peer's start; where that fails, one with rates and drop-out nearer to retail's.
            let best = [[0.1; 4], [-1.0, -2.0, 0.0, 1.0]]
                .into_iter()
                .map(|start| minimize(start, BOUND, |log| objective(log, &groups, &frequencies, total, penalty)))
                .find(|found| found.converged);
            if let Some(found) = best {
                let [r, alpha, a, b] = found.at.map(f64::exp);
                let (loss, _) = objective(&found.at, &groups, &frequencies, total, 0.0);
                let log_likelihood = -loss * total;
                return Ok(Self { r, alpha: alpha * oldest, a, b, log_likelihood, penalizer: penalty });
            }
        }
        Err(LifetimeError::NotConverged { model: "BG/NBD" })
    }

    /// The chance that the customer will order again at all (Hardie's note 021): 1 without a
    /// repeat order, else
    /// 1 / (1 + a/(b + x − 1) · ((α + T)/(α + tₓ))^(r + x)).
    pub fn probability_alive(&self, customer: &PurchaseSummary) -> f64 {
        let x = customer.frequency;
        if x <= 0.0 {
            return 1.0;
        }
        1.0 / (1.0 + self.log_odds_gone(customer).exp())
    }

    /// Expected number of orders in the next `horizon` units of time (equation 10 of the paper).
    pub fn expected_purchases(&self, customer: &PurchaseSummary, horizon: f64) -> f64 {
        if horizon.is_nan() || horizon <= 0.0 {
            return 0.0;
        }
        let x = customer.frequency;
        // The formula has removable poles at a = 1 and a + b + x = 1; a millionth beside them its
        // value is right to 1e-6.
        let away = |value: f64, pole: f64| if (value - pole).abs() < 1e-6 { pole + 1e-6 } else { value };
        let a = away(self.a, 1.0);
        let c = away(a + self.b + x - 1.0, 0.0);
        let z = horizon / (self.alpha + customer.age + horizon);
        // Equation 10 has (1 − z)^(r+x) ₂F₁(r+x, b+x; c; z), whose parts overflow for frequent
        // buyers; Euler's transformation makes it (1 − z)^(a−1) ₂F₁(a+b−1−r, a−1; c; z).
        let kept = ((a - 1.0) * (1.0 - z).ln()).exp() * hyp2f1(c - self.r - x, a - 1.0, c, z);
        let active = c / (a - 1.0) * (1.0 - kept);
        let gone = if x > 0.0 { self.log_odds_gone(customer).exp() } else { 0.0 };
        (active / (1.0 + gone)).max(0.0)
    }

    /// ln of the odds that a customer with a repeat order has left.
    fn log_odds_gone(&self, customer: &PurchaseSummary) -> f64 {
        let x = customer.frequency;
        (self.r + x) * ((self.alpha + customer.age) / (self.alpha + customer.recency)).ln() + (self.a / (self.b + x.max(1.0) - 1.0)).ln()
    }
}

/// |ln parameter| beyond which a parameter counts as run away: e^±12.
const BOUND: f64 = 12.0;

/// Same histories together, in order, and the distinct frequencies.
fn group(customers: &[PurchaseSummary], oldest: f64) -> (Vec<Group>, Vec<f64>) {
    let mut counts: BTreeMap<[u64; 3], f64> = BTreeMap::new();
    for customer in customers {
        // Bits of floats ≥ 0 sort as the floats do.
        let recency = if customer.frequency > 0.0 { customer.recency } else { 0.0 };
        let key = [customer.frequency, recency, customer.age].map(|value| (value + 0.0).to_bits());
        *counts.entry(key).or_insert(0.0) += 1.0;
    }
    let mut frequencies: Vec<f64> = Vec::new();
    let groups = counts
        .into_iter()
        .map(|(key, weight)| {
            let [frequency, recency, age] = key.map(f64::from_bits);
            if frequencies.last() != Some(&frequency) {
                frequencies.push(frequency);
            }
            Group { frequency, recency: recency / oldest, age: age / oldest, weight, slot: frequencies.len() - 1 }
        })
        .collect();
    (groups, frequencies)
}

/// Mean negative log-likelihood plus penalty, and its gradient, at ln(r, α, a, b). Section 7 of
/// the paper: ln L = A₁ + A₂ + ln(e^A₃ + \[x > 0\] e^A₄).
fn objective(log: &[f64; 4], groups: &[Group], frequencies: &[f64], total: f64, penalizer: f64) -> (f64, [f64; 4]) {
    let [r, alpha, a, b] = log.map(f64::exp);
    let (psi_r, psi_ab, psi_b) = (digamma(r), digamma(a + b), digamma(b));
    let constant = ln_gamma(a + b) - ln_gamma(b) - ln_gamma(r) + r * log[1];
    // Per frequency: A₁ + A₂, and their derivatives by r, a, b.
    let table: Vec<[f64; 4]> = frequencies
        .iter()
        .map(|&x| {
            let psi_abx = digamma(a + b + x);
            [
                constant + ln_gamma(r + x) + ln_gamma(b + x) - ln_gamma(a + b + x),
                digamma(r + x) - psi_r + log[1],
                psi_ab - psi_abx,
                psi_ab + digamma(b + x) - psi_b - psi_abx,
            ]
        })
        .collect();
    let mut sum = 0.0;
    let mut slope = [0.0; 4];
    for group in groups {
        let (x, weight) = (group.frequency, group.weight);
        let [start, by_r, by_a, by_b] = table[group.slot];
        let (ln_age, ln_recency) = ((alpha + group.age).ln(), (alpha + group.recency).ln());
        let active = -(r + x) * ln_age;
        // `left`: the share of the likelihood from having left after the last order.
        let (value, left) = if x > 0.0 {
            let gone = log[2] - (b + x.max(1.0) - 1.0).ln() - (r + x) * ln_recency;
            let larger = active.max(gone);
            let both = (active - larger).exp() + (gone - larger).exp();
            (larger + both.ln(), (gone - larger).exp() / both)
        } else {
            (active, 0.0)
        };
        sum += weight * (start + value);
        slope[0] += weight * (by_r - (1.0 - left) * ln_age - left * ln_recency);
        slope[1] += weight * (r / alpha - (r + x) * ((1.0 - left) / (alpha + group.age) + left / (alpha + group.recency)));
        slope[2] += weight * (by_a + left / a);
        // With x = 1 the term is ln b, like the formula's b + x − 1.
        slope[3] += weight * (by_b - left / (b + x.max(1.0) - 1.0));
    }
    let parameters = [r, alpha, a, b];
    let penalty = penalizer * parameters.iter().map(|value| value * value).sum::<f64>();
    let gradient = std::array::from_fn(|i| parameters[i] * (-slope[i] / total + 2.0 * penalizer * parameters[i]));
    (-sum / total + penalty, gradient)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gradient_is_the_functions() {
        let customers: Vec<PurchaseSummary> = (0..40_u32)
            .map(|i| {
                let (frequency, age) = (f64::from(i % 5), 50.0 + f64::from(i));
                PurchaseSummary { frequency, recency: frequency * 8.0, age, monetary: 0.0 }
            })
            .collect();
        let (groups, frequencies) = group(&customers, 90.0);
        let at = [-0.3, 0.4, -0.8, 0.9];
        let function = |log: &[f64; 4]| objective(log, &groups, &frequencies, 40.0, 0.01);
        let (_, gradient) = function(&at);
        for i in 0..4 {
            let (mut up, mut down) = (at, at);
            up[i] += 1e-6;
            down[i] -= 1e-6;
            let numeric = (function(&up).0 - function(&down).0) / 2e-6;
            assert!((numeric - gradient[i]).abs() < 1e-8, "{i}: {numeric} {}", gradient[i]);
        }
    }
}
