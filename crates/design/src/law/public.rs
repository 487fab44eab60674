//! The price path of a market where price may not depend on the person: there is nothing of the
//! person in its argument.

use youhui_commerce::{Currency, Micros};
use youhui_promotion::{Basket, Context, Customer, Line, Priced, Promotions, Wrong};

/// Everything that a price may depend on: what is bought, where, when, and the published conditions
/// that are met. It has no place for a profile, so no price computed from it can depend on one:
///
/// ```compile_fail
/// # fn price(features: &youhui_profile::Features) {
/// let context = youhui_design::law::PublicContext { features, ..Default::default() };
/// # }
/// ```
///
/// Two people who meet the same published conditions have the same context, and so the same price
/// and entitlement (PIPL Art. 24; 互联网平台价格行为规则 2026).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PublicContext {
    /// What is bought.
    pub lines: Vec<Line>,
    /// Codes that were published and entered.
    pub codes: Vec<String>,
    /// Where, such as `web`.
    pub channel: Option<String>,
    /// When, in UTC microseconds.
    pub at: Micros,
    /// Memberships whose rules are published.
    pub memberships: Vec<String>,
    /// Orders before this one, for conditions on the number of orders.
    pub completed_orders: Option<i64>,
}

impl PublicContext {
    /// What is to pay, and what is given.
    ///
    /// # Errors
    /// A basket that can't be priced.
    pub fn price(&self, promotions: &Promotions, currency: Currency) -> Result<Priced, Wrong> {
        let customer =
            Customer { groups: self.memberships.clone(), completed_orders: self.completed_orders, attributes: Default::default() };
        let basket = Basket {
            codes: self.codes.clone(),
            channel: self.channel.clone(),
            customer,
            ..Basket::new(currency, self.lines.iter().cloned())
        };
        promotions.price(&basket, &Context::at(self.at))
    }
}
