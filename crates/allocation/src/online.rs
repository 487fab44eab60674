//! One arriving customer at a time: dual prices, a pacing controller, and budgets that always hold.
//!
//! A customer gets the offer of the largest reduced value
//! `value − (price of the budget + price of the promotion's money) × cost − price of the promotion's count`,
//! if it is above 0, among the offers that fit into what is left of *every* budget. The second half of
//! the sentence makes overspending impossible, whatever comes and in what order; the first makes the
//! sum of values large (bid prices: Talluri and van Ryzin 1998). Which prices, [`Settings`] and the module `pacing` say.
//!
//! It costs O(offers) a decision, for the re-optimisation of prices too: each decision looks at a fixed
//! number of earlier customers again, and no decision waits for a solve.
//!
//! On stationary arrivals the sum of values is within O(log n) of the offline optimum, as with all methods
//! that solve anew with what is left (Jasin and Kumar 2012; Li and Ye 2022): more than 99.7 % from 20,000
//! customers on, measured by `examples/online_quality.rs`. It fails, in value and never in money, where
//! the past says nothing about the future: in the worst order no method gets more than a part
//! 1/(1 + ln(U/L)) of the optimum, U and L being the highest and lowest value for money (Zhou,
//! Chakrabarty and Lukose 2008); where few customers take a large part of the budget each, so that prices
//! don't describe it; and where neither a clock nor the number of customers tells how much is still to come.
//!
//! With a clock the number to come is forecast; arrivals at other than an even rate should be given a
//! clock of their own, in which they are even (elapsed = the part of the usual day's customers by now).

mod ledger;
mod pacing;
pub mod simulate;

pub use ledger::{Budgets, Ledger, Limit};
use pacing::{Forecast, Pacing};
pub use pacing::{Horizon, Prices, Settings, upper_bound};

/// One offer that an arriving customer could get.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OnlineOffer {
    /// Which promotion, by its place in [`Budgets::promotions`].
    pub promotion: usize,
    /// What it is worth, in any unit. What is not finite is never chosen.
    pub value: f64,
    /// What it costs, in minor units. Below 0 it saves money, which others can then have.
    pub cost: i64,
}

/// Decides customers in the order in which they come.
///
/// ```
/// use youhui_allocation::online::{Budgets, Horizon, Online, OnlineOffer, Settings};
///
/// let offers = [OnlineOffer { promotion: 0, value: 9.0, cost: 80 }, OnlineOffer { promotion: 1, value: 6.0, cost: 40 }];
/// let before = vec![offers.as_slice(); 20];
/// let online = Online::new(Budgets::of_money(80, 2), Horizon::Arrivals(2.0), Settings::default());
/// let mut online = online.with_history(before, 2.0);
/// // Half of the money should last for the second customer.
/// assert_eq!(online.decide(0.5, &offers), Some(1));
/// assert_eq!(online.decide(1.0, &offers), Some(1));
/// assert_eq!(online.ledger().spent(), 80);
/// ```
#[derive(Debug, Clone)]
pub struct Online {
    ledger: Ledger,
    forecast: Forecast,
    pacing: Pacing,
}

impl Online {
    /// Starts without knowing anything of who will come.
    pub fn new(budgets: Budgets, horizon: Horizon, settings: Settings) -> Self {
        Self { pacing: Pacing::new(&budgets, settings), ledger: Ledger::new(budgets), forecast: Forecast::new(horizon) }
    }

    /// Starts with the prices of an earlier solve, by which it decides until it has seen enough
    /// customers of its own ([`Settings::warm_up`]). Prices below 0 or not finite count as 0.
    #[must_use]
    pub fn with_prices(mut self, prices: &Prices) -> Self {
        self.pacing.start_from(prices);
        self
    }

    /// Starts from customers of the same process: their best prices for these budgets, and they are the
    /// first sample. `expected` is how many customers are to come. Customers whose offers are all
    /// unusable are part of the process too: keep them.
    #[must_use]
    pub fn with_history<'a>(mut self, history: impl IntoIterator<Item = &'a [OnlineOffer]>, expected: f64) -> Self {
        self.pacing.learn(history, &self.ledger, expected);
        self
    }

    /// The place of the offer that this customer gets; `None` for nothing.
    ///
    /// `elapsed` is the part of the campaign that has passed, from 0 to 1; going backwards or not a
    /// number, it is as it was. With [`Horizon::Arrivals`] it isn't looked at. O(offers).
    pub fn decide(&mut self, elapsed: f64, offers: &[OnlineOffer]) -> Option<usize> {
        self.forecast.arrival(elapsed);
        self.pacing.see(offers, &self.ledger, self.forecast.to_come());
        let choice = self.choose(offers)?;
        self.ledger.take(&offers[choice]).then_some(choice)
    }

    /// The best that fits; of equals the cheaper, then the first.
    fn choose(&self, offers: &[OnlineOffer]) -> Option<usize> {
        let mut best: Option<(usize, f64, i64)> = None;
        for (place, offer) in offers.iter().enumerate() {
            if !self.ledger.fits(offer) {
                continue;
            }
            let score = self.pacing.prices().reduced(offer);
            let better = best.is_none_or(|(_, other, cost)| score > other || (score == other && offer.cost < cost));
            if score > 0.0 && better {
                best = Some((place, score, offer.cost));
            }
        }
        best.map(|(place, ..)| place)
    }

    /// What is spent and left.
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The prices of now.
    pub const fn prices(&self) -> &Prices {
        self.pacing.prices()
    }
}

#[cfg(test)]
mod tests;
