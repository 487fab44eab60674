//! The menu: which few of many candidates to offer at all, so that the allocated value is largest.
//!
//! Every customer gets the best of what is chosen, or nothing: a set S is worth
//! f(S) = Σ_i max(0, max_{j ∈ S} v_ij − λ c_ij), a facility location function, which is monotone and
//! submodular. Greedy choice reaches 1 − 1/e of the best menu (Nemhauser, Wolsey and Fisher 1978),
//! lazily (Minoux 1978); how near it came on the data at hand is bounded by f(S) and the largest
//! gains that are left. λ is the price of money at which the plan keeps the budget.

mod alike;
mod greedy;

use serde::Serialize;

use greedy::Greedy;

/// What a candidate would be to one customer, in major units.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Worth {
    /// The customer's place, below the number of customers.
    pub customer: usize,
    /// Expected incremental profit.
    pub value: f64,
    /// What it takes of the budget.
    pub cost: f64,
}

/// A candidate.
#[derive(Debug, Clone, PartialEq)]
pub struct MenuItem {
    /// Only candidates of one mechanic can be alike.
    pub mechanic: String,
    /// Its audience.
    pub worth: Vec<Worth>,
}

/// How a menu is chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MenuTerms {
    /// At most so many promotions.
    pub most: usize,
    /// At most so much money in the plan; without limit if `None`.
    pub budget: Option<f64>,
    /// Two candidates of one mechanic are one if their values and costs differ by at most this share,
    /// summed over customers.
    pub alike: f64,
}

impl Default for MenuTerms {
    fn default() -> Self {
        Self { most: 8, budget: None, alike: 0.02 }
    }
}

/// What greedy choice reaches of the best menu, whatever the data: 1 − 1/e.
pub const A_PRIORI: f64 = 0.632_120_558_828_557_7;

/// A chosen promotion.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Choice {
    /// Place of the candidate.
    pub candidate: usize,
    /// So much less the menu would be worth without it, at the price of money.
    pub adds: f64,
    /// Customers to whom it is the best of the menu.
    pub customers: usize,
    /// Those of them to whom nothing else on the menu is worth anything.
    pub only: usize,
    /// Places of candidates that are nearly the same and were left out for it.
    pub stands_for: Vec<usize>,
}

impl Choice {
    /// Why it is on the menu, in words.
    pub fn explain(&self, money: impl Fn(f64) -> String) -> String {
        let adds = money(self.adds);
        let alike = match self.stands_for.len() {
            0 => String::new(),
            1 => "; it stands for one more that is nearly the same".to_owned(),
            more => format!("; it stands for {more} more that are nearly the same"),
        };
        let only = match self.only {
            0 => "for all of whom something else on the menu would be worth giving too".to_owned(),
            only => format!("for {only} of whom nothing else on the menu is worth giving"),
        };
        let whom = if self.customers == 1 { "customer" } else { "customers" };
        format!("adds {adds} to what the others are worth: it is the best for {} {whom}, {only}{alike}", self.customers)
    }
}

/// The menu, and how near to the best one it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Menu {
    /// In the order in which they were chosen.
    pub chosen: Vec<Choice>,
    /// What the menu's plan is worth within the budget.
    pub value: f64,
    /// What that plan costs.
    pub cost: f64,
    /// No menu of so many promotions is worth more within the budget, merged candidates included.
    pub upper_bound: f64,
    /// The price of money, in value per unit of cost, at which the plan keeps the budget.
    pub price_of_money: f64,
    /// Rows that were left out: no number, or nobody's.
    pub dropped: usize,
}

impl Menu {
    /// Value over bound: so much of the best menu is reached for certain; 1 where nothing is worth anything.
    pub fn reaches(&self) -> f64 {
        if self.upper_bound > 0.0 { (self.value / self.upper_bound).min(1.0) } else { 1.0 }
    }

    /// Whether a candidate is on it.
    pub fn has(&self, candidate: usize) -> bool {
        self.chosen.iter().any(|choice| choice.candidate == candidate)
    }
}

/// Chooses a menu for `customers` customers. The same input gives the same menu; of two that are
/// worth the same, the one that stands first is chosen.
pub fn choose_menu(items: &[MenuItem], customers: usize, terms: &MenuTerms) -> Menu {
    let (items, dropped) = cleaned(items, customers);
    let stands_for = alike::merged(&items, terms.alike);
    let greedy = Greedy { items: &items, merged: &stands_for, customers, most: terms.most };
    // A budget that is no number buys nothing.
    let budget = terms.budget.map(|budget| if budget.is_nan() { 0.0 } else { budget.max(0.0) });
    let within = |cost: f64| budget.is_none_or(|budget| cost <= budget);
    let mut best = greedy.at(0.0);
    let bound = |price: f64, bound: f64| bound + budget.map_or(0.0, |budget| if price > 0.0 { price * budget } else { 0.0 });
    let mut upper_bound = bound(0.0, best.upper_bound);
    if !within(best.cost) {
        let (mut low, mut high) = (0.0, 1.0);
        let mut found = None;
        for _ in 0..60 {
            // First up to a price at which the plan keeps the budget, then halving towards it.
            let price = if found.is_none() { high } else { 0.5 * (low + high) };
            let tried = greedy.at(price);
            upper_bound = upper_bound.min(bound(price, tried.upper_bound));
            if within(tried.cost) {
                high = price;
                if found.as_ref().is_none_or(|found: &greedy::Found| tried.value > found.value) {
                    found = Some(tried);
                }
            } else {
                low = price;
                high = if found.is_none() { 2.0 * price } else { high };
            }
            if found.is_some() && high - low <= 1e-6 * high {
                break;
            }
        }
        best = found.unwrap_or_else(|| greedy.nothing());
    }
    let chosen = greedy.explained(&best, &stands_for);
    let upper_bound = upper_bound.max(best.value);
    Menu { chosen, value: best.value, cost: best.cost, upper_bound, price_of_money: best.price, dropped }
}

/// Rows in the order of customers, one a customer (the one worth most), without what is no number;
/// and how many were left out.
fn cleaned(items: &[MenuItem], customers: usize) -> (Vec<MenuItem>, usize) {
    let mut dropped = 0;
    let clean = |item: &MenuItem| {
        let good = |worth: &&Worth| worth.customer < customers && worth.value.is_finite() && worth.cost.is_finite();
        let mut worth: Vec<Worth> = item.worth.iter().filter(good).copied().collect();
        worth.sort_by(|one, two| one.customer.cmp(&two.customer).then(two.value.total_cmp(&one.value)).then(one.cost.total_cmp(&two.cost)));
        worth.dedup_by_key(|worth| worth.customer);
        dropped += item.worth.len() - worth.len();
        MenuItem { mechanic: item.mechanic.clone(), worth }
    };
    let items = items.iter().map(clean).collect();
    (items, dropped)
}

#[cfg(test)]
mod tests;
