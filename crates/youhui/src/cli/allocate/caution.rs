//! How a plan that takes uncertainty into account differs from one that doesn't.

use serde_json::json;
use youhui_allocation::{Caution, Plan};

/// Sums over the offers that a plan gives.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Given {
    /// Values as predicted.
    predicted: f64,
    /// Values as they were compared.
    compared: f64,
    variance: f64,
}

/// An offer as it is compared.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weighed {
    pub(super) value: f64,
    pub(super) std_error: f64,
    pub(super) compared: f64,
}

/// The cautious plan and the plain one, customer by customer.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Change {
    cautious: Given,
    plain: Given,
    /// Customers that get something else.
    changed: usize,
}

impl Given {
    fn add(&mut self, offer: Weighed) {
        self.predicted += offer.value;
        self.compared += offer.compared;
        self.variance += offer.std_error.powi(2);
    }

    fn merge(&mut self, other: Self) {
        self.predicted += other.predicted;
        self.compared += other.compared;
        self.variance += other.variance;
    }

    fn report(self, cost: f64) -> serde_json::Value {
        json!({"predicted_value": self.predicted, "std_error": self.variance.sqrt(), "cautious_value": self.compared, "cost": cost})
    }
}

impl Change {
    /// Adds one customer: places that the cautious and the plain plan give, and each place's offer.
    pub(super) fn add(&mut self, cautious: &[u32], plain: &[u32], offer: impl Fn(u32) -> Weighed) {
        cautious.iter().for_each(|&place| self.cautious.add(offer(place)));
        plain.iter().for_each(|&place| self.plain.add(offer(place)));
        let is_same = cautious.len() == plain.len() && cautious.iter().all(|place| plain.contains(place));
        self.changed += usize::from(!is_same);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.cautious.merge(other.cautious);
        self.plain.merge(other.plain);
        self.changed += other.changed;
    }

    /// For the summary.
    pub(super) fn report(&self, caution: Caution, cautious: &Plan, plain: &Plan, customers: usize) -> serde_json::Value {
        json!({
            "by": words(caution),
            "changed_customers": self.changed,
            "changed_share": self.changed as f64 / customers.max(1) as f64,
            "plan": self.cautious.report(cautious.cost),
            "plan_by_prediction": self.plain.report(plain.cost),
        })
    }

    /// For people.
    pub(super) fn line(&self, caution: Caution, customers: usize) -> String {
        format!(
            "by {}: {} of {customers} customers get something else than by prediction alone; predicted value {:.2} ± {:.2} instead of {:.2} ± {:.2}, cautious value {:.2} instead of {:.2}",
            words(caution),
            self.changed,
            self.cautious.predicted,
            self.cautious.variance.sqrt(),
            self.plain.predicted,
            self.plain.variance.sqrt(),
            self.cautious.compared,
            self.plain.compared,
        )
    }
}

fn words(caution: Caution) -> String {
    match caution {
        Caution::None => "prediction".to_owned(),
        Caution::LowerBound(errors) => format!("a lower bound of {errors} standard errors"),
        Caution::Draw(seed) => format!("a draw of the posterior with seed {seed}"),
    }
}
