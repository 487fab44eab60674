//! Gamma-Gamma: what a customer's orders are worth on average.
//!
//! Fader & Hardie 2013, "The Gamma-Gamma Model of Monetary Value" (note 025): order values of a
//! customer are Gamma(p, ν) with ν ~ Gamma(q, v) over customers, independent of how often they
//! order.

use super::minimize::minimize;
use super::special::{digamma, ln_gamma};
use super::{LifetimeError, PurchaseSummary};

/// A fitted Gamma-Gamma model. `v` has the unit of the money values; `p` and `q` have none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GammaGamma {
    /// Shape of one order's value.
    pub p: f64,
    /// Shape of its rate over customers.
    pub q: f64,
    /// Rate of its rate over customers.
    pub v: f64,
    /// Log-likelihood of the customers it was fitted on.
    pub log_likelihood: f64,
    /// Mean over those customers of their mean order value: the answer where q ≤ 1 leaves the
    /// model without a mean of its own.
    pub pooled_mean: f64,
}

impl GammaGamma {
    /// Maximum likelihood (equation 1a of the note) on the customers with a repeat order and a
    /// mean value above 0; the others say nothing of it and are left out.
    pub fn fit(customers: &[PurchaseSummary]) -> Result<Self, LifetimeError> {
        super::check(customers)?;
        let mut known: Vec<(f64, f64)> = customers
            .iter()
            .filter(|customer| customer.frequency > 0.0 && customer.monetary > 0.0)
            .map(|customer| (customer.frequency, customer.monetary))
            .collect();
        if known.len() < 2 {
            return Err(LifetimeError::NobodyRepeats { customers: customers.len() });
        }
        // In one order whatever the customers' order, so that sums have the same last digits.
        known.sort_by(|one, two| one.0.total_cmp(&two.0).then(one.1.total_cmp(&two.1)));
        let total = known.len() as f64;
        let pooled_mean = known.iter().map(|(_, value)| value).sum::<f64>() / total;
        // Values around 1 keep the search well-conditioned in any currency.
        let scaled: Vec<(f64, f64)> = known.iter().map(|&(x, value)| (x, value / pooled_mean)).collect();
        let found = [[0.1; 3], [1.5, 1.2, 1.0]]
            .into_iter()
            .map(|start| minimize(start, 12.0, |log| objective(log, &scaled)))
            .find(|found| found.converged)
            .ok_or(LifetimeError::NotConverged { model: "Gamma-Gamma" })?;
        let [p, q, v] = found.at.map(f64::exp);
        // A density per unit of money: rescaling the unit divides it.
        let log_likelihood = -found.value * total - total * pooled_mean.ln();
        Ok(Self { p, q, v: v * pooled_mean, log_likelihood, pooled_mean })
    }

    /// The value to expect of the customer's next orders, each (equation 5 of the note): the
    /// population's mean v·p/(q − 1) and the customer's own, weighted q − 1 to p·x.
    ///
    /// With q ≤ 1 the population has no finite mean; then the answer is the customer's own mean,
    /// or `pooled_mean` without one.
    pub fn expected_value(&self, customer: &PurchaseSummary) -> f64 {
        let known = customer.frequency > 0.0 && customer.monetary > 0.0;
        let (x, own) = if known { (customer.frequency, customer.monetary) } else { (0.0, 0.0) };
        if self.q <= 1.0 {
            return if known { own } else { self.pooled_mean };
        }
        (self.p * self.v + self.p * x * own) / (self.p * x + self.q - 1.0)
    }
}

/// Mean negative log-likelihood and its gradient at ln(p, q, v).
fn objective(log: &[f64; 3], known: &[(f64, f64)]) -> (f64, [f64; 3]) {
    let [p, q, v] = log.map(f64::exp);
    let (ln_gamma_q, psi_q) = (ln_gamma(q), digamma(q));
    let mut sum = 0.0;
    let mut slope = [0.0; 3];
    // Customers are sorted by frequency: what depends on it alone is computed once.
    let mut of_frequency = [f64::NAN; 5];
    for &(x, value) in known {
        if of_frequency[0].total_cmp(&x).is_ne() {
            of_frequency = [x, ln_gamma(p * x + q) - ln_gamma(p * x), digamma(p * x + q), digamma(p * x), x.ln()];
        }
        let [_, ratio, psi_all, psi_own, ln_x] = of_frequency;
        let (ln_value, ln_all) = (value.ln(), (x * value + v).ln());
        sum += ratio - ln_gamma_q + q * log[2] + (p * x - 1.0) * ln_value + p * x * ln_x - (p * x + q) * ln_all;
        slope[0] += x * (psi_all - psi_own + ln_value + ln_x - ln_all);
        slope[1] += psi_all - psi_q + log[2] - ln_all;
        slope[2] += q / v - (p * x + q) / (x * value + v);
    }
    let total = known.len() as f64;
    let parameters = [p, q, v];
    (-sum / total, std::array::from_fn(|i| -parameters[i] * slope[i] / total))
}
