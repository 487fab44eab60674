//! What customers of a randomised holdout spent and cost, before, during and after a campaign.
//!
//! Amounts are whole minor units; all that is kept is one [`Moments`] an arm, so that memory doesn't follow the number
//! of customers, and ledgers of disjoint customers merge. Figures come out in major units of the currency.

use youhui_commerce::Currency;

use super::MoneyError;
use super::joint::{Joint, Weights};
use crate::experiment::{ALARM, ExperimentError, Moments, Rows, Warning, accumulate, balance, sample_ratio};

/// What the lot said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arm {
    /// Gets nothing of the campaign.
    HeldOut,
    /// Gets it.
    Treated,
}

/// A customer's sums of one time, in minor units. Returns are subtracted where they are booked, so that all but contact
/// may be negative.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amounts {
    /// What goods were sold for before the promotion's discount.
    pub revenue: i64,
    /// What these goods cost.
    pub goods: i64,
    /// What the promotion cost: discounts, gifts, points at their cost. If `revenue` is net of discounts, what it cost beside.
    pub promotion: i64,
    /// What telling the customer cost.
    pub contact: i64,
    /// Orders.
    pub orders: u32,
}

/// One customer. Customers, not orders, are the units: they were drawn by lot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Customer {
    /// What the lot said.
    pub arm: Arm,
    /// Before the campaign: a time of any length, the same for all. What it helps is precision.
    pub before: Amounts,
    /// During the campaign.
    pub during: Amounts,
    /// After it, as long as bought-ahead goods last; zeros where it isn't known yet.
    pub after: Amounts,
    /// Revenue during the campaign that last touch gives to it (see [`super::last_touch`]).
    pub last_touched: i64,
    /// Revenue of orders during the campaign that redeemed it.
    pub redeemed: i64,
}

/// What may not be known of customers: zeros stand there, and whatever takes it has no figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lacking {
    /// Revenue of a time.
    Revenue(Window),
    /// What goods of a time cost.
    Goods(Window),
    /// Orders of a time.
    Orders(Window),
    /// Revenue that last touch gives to the campaign.
    LastTouched,
    /// Revenue of orders that redeemed it.
    Redeemed,
}

/// A part of the assortment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its category.
    pub category: String,
    /// Whether these are the promoted products of the category, or the rest.
    pub promoted: bool,
}

/// A time that figures are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// Before the campaign.
    Before,
    /// During it.
    During,
    /// After it.
    After,
}

/// What figures are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Revenue.
    Revenue,
    /// Contribution profit: revenue less goods, promotion and contact.
    Profit,
    /// Revenue less goods and contact.
    ProfitBeforePromotion,
    /// Cost of the promotion.
    PromotionCost,
    /// Cost of promotion and contact.
    Spend,
    /// Orders.
    Orders,
}

const FIELDS: usize = 5;
const FIELD_NAMES: [&str; FIELDS] = ["revenue", "cost of goods", "promotion cost", "contact cost", "orders"];
const WINDOWS: [(Window, &str); 3] = [(Window::Before, "before"), (Window::During, "during"), (Window::After, "after")];
const PROMOTION: usize = 2;
pub(super) const LAST_TOUCHED: usize = 15;
pub(super) const REDEEMED: usize = 16;
const FIRST_PART: usize = 17;
/// Whole numbers up to here are doubles.
const EXACT: i64 = 1 << 53;

/// Statistics of customers by arm.
#[derive(Debug, Clone, PartialEq)]
pub struct Ledger {
    currency: Currency,
    parts: Vec<Part>,
    share_treated: f64,
    arms: [Moments; 2],
    rows: u64,
    lacking: Vec<Lacking>,
}

impl Ledger {
    /// For a campaign to which a customer was assigned with a chance of `share_treated`. `parts` may be empty; else every
    /// sale during the campaign belongs to exactly one.
    ///
    /// # Errors
    /// Where the share isn't inside (0, 1).
    pub fn new(currency: Currency, share_treated: f64, parts: Vec<Part>) -> Result<Self, MoneyError> {
        if !(share_treated > 0.0 && share_treated < 1.0) {
            return Err(MoneyError::Setting {
                name: "share treated",
                value: share_treated,
                needed: "a number above 0 and below 1 is needed",
                consequence: "with one arm only there is nobody to compare with, and sizes of arms can't be checked against the lot",
            });
        }
        let arms = [Moments::empty(FIRST_PART + parts.len()), Moments::empty(FIRST_PART + parts.len())];
        Ok(Self { currency, parts, share_treated, arms, rows: 0, lacking: vec![] })
    }

    /// Says what isn't known of customers.
    #[must_use]
    pub fn lacking(mut self, lacking: Vec<Lacking>) -> Self {
        self.lacking = lacking;
        self
    }

    /// Adds customers; `parts` has their revenue during the campaign by part, customer by customer. The same batches in the same
    /// order give the same bytes with any number of threads; other batches the same figures up to rounding.
    ///
    /// # Errors
    /// Where an amount is beyond 2⁵³, contact cost is negative, or parts don't sum to revenue; nothing of the batch is added then.
    pub fn add(&mut self, customers: &[Customer], parts: &[i64]) -> Result<(), MoneyError> {
        let width = self.parts.len();
        if parts.len() != customers.len() * width {
            return Err(MoneyError::Length { field: "parts".to_owned(), found: parts.len(), expected: customers.len() * width });
        }
        let mut columns = (0..FIRST_PART + width).map(|_| Vec::with_capacity(customers.len())).collect::<Vec<Vec<f64>>>();
        for (place, customer) in customers.iter().enumerate() {
            self.write(&mut columns, self.rows + place as u64, customer, &parts[place * width..(place + 1) * width])?;
        }
        let group: Vec<u32> = customers.iter().map(|customer| u32::from(customer.arm == Arm::Treated)).collect();
        let columns: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
        let batch = accumulate(Rows { columns: &columns, names: &[], group: &group }, 2)?;
        self.arms.iter_mut().zip(&batch).for_each(|(arm, batch)| arm.merge(batch));
        self.rows += customers.len() as u64;
        Ok(())
    }

    fn write(&self, columns: &mut [Vec<f64>], row: u64, customer: &Customer, parts: &[i64]) -> Result<(), MoneyError> {
        let windows = [customer.before, customer.during, customer.after];
        for ((_, window), (at, amounts)) in WINDOWS.iter().zip(windows.iter().enumerate()) {
            if amounts.contact < 0 {
                return Err(MoneyError::NegativeCost { row, field: "contact cost", value: amounts.contact });
            }
            let values = [amounts.revenue, amounts.goods, amounts.promotion, amounts.contact, i64::from(amounts.orders)];
            for (field, value) in values.into_iter().enumerate() {
                columns[at * FIELDS + field].push(exact(value, row, || format!("{} {window}", FIELD_NAMES[field]))?);
            }
        }
        columns[LAST_TOUCHED].push(exact(customer.last_touched, row, || "last-touched revenue".to_owned())?);
        columns[REDEEMED].push(exact(customer.redeemed, row, || "redeemed revenue".to_owned())?);
        for (place, &value) in parts.iter().enumerate() {
            columns[FIRST_PART + place].push(exact(value, row, || format!("part {place}"))?);
        }
        let sum: i128 = parts.iter().copied().map(i128::from).sum();
        if !parts.is_empty() && sum != i128::from(customer.during.revenue) {
            return Err(MoneyError::Parts { row, parts: sum, revenue: customer.during.revenue });
        }
        Ok(())
    }

    /// Adds the customers of another ledger of the same campaign.
    ///
    /// # Errors
    /// Where currency, share or parts differ.
    pub fn merge(&mut self, other: &Self) -> Result<(), MoneyError> {
        let different = [
            (self.currency != other.currency, "currency"),
            (self.share_treated.to_bits() != other.share_treated.to_bits(), "shares treated"),
            (self.parts != other.parts, "parts"),
            (self.lacking != other.lacking, "columns"),
        ];
        if let Some((_, what)) = different.into_iter().find(|(differs, _)| *differs) {
            return Err(MoneyError::Mismatch { what });
        }
        self.arms.iter_mut().zip(&other.arms).for_each(|(arm, other)| arm.merge(other));
        self.rows += other.rows;
        Ok(())
    }

    /// The currency.
    pub const fn currency(&self) -> Currency {
        self.currency
    }

    /// The parts.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Customers of an arm.
    pub const fn customers(&self, arm: Arm) -> u64 {
        self.arms[arm as usize].units()
    }

    /// What is to be said of the arms: whether their sizes are those of the lot, whether they were alike before the campaign, in
    /// revenue and orders, at 1 in 1,000 each, and whether the promotion cost less than nothing.
    ///
    /// # Errors
    /// As [`sample_ratio()`] and [`balance()`], where an arm has fewer than 2 customers.
    pub fn warnings(&self) -> Result<Vec<Warning>, ExperimentError> {
        let sizes = [self.customers(Arm::HeldOut), self.customers(Arm::Treated)];
        let sizes = sample_ratio(&sizes, &[1.0 - self.share_treated, self.share_treated])?.warning(ALARM);
        let before = [(0, "revenue before"), (FIELDS - 1, "orders before")];
        let alike = match balance(&before, &self.arms[0], &self.arms[1]) {
            // Orders that are a multiple of revenue say nothing more.
            Err(ExperimentError::Dependent { .. }) => balance(&before[..1], &self.arms[0], &self.arms[1])?,
            found => found?,
        };
        Ok(sizes.into_iter().chain(alike.warning(ALARM)).chain(self.negative_cost()).collect())
    }

    /// Returns may take a customer's promotion cost below 0, but not that of all.
    fn negative_cost(&self) -> Option<Warning> {
        let treated = &self.arms[Arm::Treated as usize];
        let mean = treated.mean(Window::During as usize * FIELDS + PROMOTION) / self.currency.minor_units() as f64;
        (treated.units() > 0 && mean < 0.0).then(|| {
            let message = format!(
                "the promotion cost treated customers {mean:.4} {} each, less than nothing: profit counts it as earned and returns have the wrong sign. Discounts seem to be written below 0: give costs as positive amounts",
                self.currency
            );
            Warning { code: "negative_promotion_cost", message }
        })
    }

    /// Refuses what isn't known: revenue less goods that stand there as 0 would pass for profit.
    pub(super) fn known(&self, lacking: Lacking) -> Result<(), MoneyError> {
        if self.lacking.contains(&lacking) { Err(MoneyError::Lacking { lacking }) } else { Ok(()) }
    }

    /// The same of all that a measure takes.
    pub(super) fn measured(&self, windows: &[Window], measure: Measure) -> Result<(), MoneyError> {
        let taken: &[fn(Window) -> Lacking] = match measure {
            Measure::Revenue => &[Lacking::Revenue],
            Measure::Profit | Measure::ProfitBeforePromotion => &[Lacking::Revenue, Lacking::Goods],
            Measure::Orders => &[Lacking::Orders],
            Measure::PromotionCost | Measure::Spend => &[],
        };
        windows.iter().flat_map(|&window| taken.iter().map(move |of| of(window))).try_for_each(|lacking| self.known(lacking))
    }

    /// A measure as weights of columns, in major units or orders.
    pub(super) fn weights(&self, windows: &[Window], measure: Measure) -> Weights {
        let minor = self.currency.minor_units() as f64;
        let fields: &[(usize, f64)] = match measure {
            Measure::Revenue => &[(0, 1.0)],
            Measure::Profit => &[(0, 1.0), (1, -1.0), (2, -1.0), (3, -1.0)],
            Measure::ProfitBeforePromotion => &[(0, 1.0), (1, -1.0), (3, -1.0)],
            Measure::PromotionCost => &[(2, 1.0)],
            Measure::Spend => &[(2, 1.0), (3, 1.0)],
            Measure::Orders => &[(4, minor)],
        };
        let of = |window: Window| fields.iter().map(move |&(field, weight)| (window as usize * FIELDS + field, weight / minor));
        windows.iter().copied().flat_map(of).collect()
    }

    /// A column of minor units in major units.
    pub(super) fn column(&self, column: usize) -> Weights {
        vec![(column, 1.0 / self.currency.minor_units() as f64)]
    }

    /// Revenue of a part.
    pub(super) fn part(&self, place: usize) -> Weights {
        self.column(FIRST_PART + place)
    }

    /// Effects on outcomes, adjusted by what customers did before where asked: revenue, orders and profit.
    pub(super) fn joint(&self, outcomes: &[Weights], cuped: bool) -> Result<Joint, ExperimentError> {
        self.partly(outcomes, if cuped { outcomes.len() } else { 0 })
    }

    /// The same, with the first so many outcomes adjusted.
    pub(super) fn partly(&self, outcomes: &[Weights], adjusted: usize) -> Result<Joint, ExperimentError> {
        let before = [Measure::Revenue, Measure::Orders, Measure::Profit].map(|measure| self.weights(&[Window::Before], measure));
        Joint::partly(outcomes, adjusted, &before, &self.arms[0], &self.arms[1])
    }

    /// "EUR per customer".
    pub(super) fn per_customer(&self) -> String {
        format!("{} per customer", self.currency)
    }
}

pub(super) fn exact(value: i64, row: u64, field: impl Fn() -> String) -> Result<f64, MoneyError> {
    if (-EXACT..=EXACT).contains(&value) {
        return Ok(value as f64);
    }
    Err(MoneyError::TooLarge { row, field: field(), value })
}
