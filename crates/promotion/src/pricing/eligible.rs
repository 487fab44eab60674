//! What decides whether a promotion may apply that doesn't depend on what other promotions do:
//! currency, time, channel, code, audience, limits.

use core::cell::OnceCell;

use super::Pricing;
use crate::answer::Reason;
use crate::document::Local;
use crate::prelude::*;
use crate::set::Rule;
use crate::{Basket, Usage};

/// What the clocks of the set's zones show now, each looked up when it is first asked for.
#[derive(Debug)]
pub(crate) struct Clocks(Vec<OnceCell<Local>>);

impl Clocks {
    pub(crate) fn new(zones: usize) -> Self {
        Self((0..zones).map(|_| OnceCell::new()).collect())
    }
}

impl Pricing<'_> {
    /// Whether the rule may apply, as far as that doesn't depend on others.
    pub(crate) fn eligible(&self, rule: &Rule, used: Usage) -> Result<(), Reason> {
        let (promotion, basket) = (&*rule.promotion, self.basket);
        if promotion.currency != basket.currency {
            return Err(Reason::OtherCurrency);
        }
        self.scheduled(rule)?;
        let channels = &promotion.channels;
        if !channels.is_empty() && !basket.channel.as_ref().is_some_and(|channel| channels.contains(channel)) {
            return Err(Reason::OtherChannel);
        }
        if !rule.codes.is_empty() && !self.facts.codes.iter().any(|code| rule.codes.contains(*code)) {
            return Err(Reason::CodeMissing);
        }
        if !rule.audience.is_empty() && !self.facts.groups.iter().any(|group| rule.audience.contains(*group)) {
            return Err(Reason::CustomerNotEligible);
        }
        within_limits(rule, used)
    }

    fn scheduled(&self, rule: &Rule) -> Result<(), Reason> {
        let at = self.context.at;
        if at < rule.starts {
            return Err(Reason::NotStarted);
        }
        if at >= rule.ends {
            return Err(Reason::Ended);
        }
        let schedule = &rule.promotion.schedule;
        if schedule.recurring.is_empty() && schedule.except_dates.is_empty() {
            return Ok(());
        }
        let local = self.clocks.0[rule.zone].get_or_init(|| Local::new(at, &self.set.zones[rule.zone]));
        if schedule.recurs(*local) { Ok(()) } else { Err(Reason::NotNow) }
    }
}

fn within_limits(rule: &Rule, used: Usage) -> Result<(), Reason> {
    let limits = &rule.promotion.limits;
    let reached = |most: Option<u64>, used: u64| most.is_some_and(|most| used >= most);
    let daily = &limits.daily;
    if reached(limits.per_customer, used.by_customer) || reached(daily.per_customer, used.by_customer_today) {
        return Err(Reason::CustomerLimit);
    }
    if reached(limits.total, used.total) || reached(daily.total, used.total_today) {
        return Err(Reason::TotalLimit);
    }
    if budget_left(rule, used) <= 0 {
        return Err(Reason::BudgetSpent);
    }
    if reached(limits.units_per_customer, used.units_by_customer) {
        return Err(Reason::CustomerLimit);
    }
    if units_left(rule, used) == 0 { Err(Reason::StockGone) } else { Ok(()) }
}

/// Money that limits leave to one more basket.
pub(crate) fn budget_left(rule: &Rule, used: Usage) -> i64 {
    let limits = &rule.promotion.limits;
    let left = |budget: Option<i64>, spent: i64| budget.map_or(i64::MAX, |budget| budget.saturating_sub(spent));
    left(limits.budget, used.spent).min(left(limits.daily.budget, used.spent_today))
}

/// Units that limits leave to one more basket.
pub(crate) fn units_left(rule: &Rule, used: Usage) -> i64 {
    let limits = &rule.promotion.limits;
    let left = |most: Option<u64>, used: u64| most.map_or(i64::MAX, |most| i64::try_from(most.saturating_sub(used)).unwrap_or(i64::MAX));
    left(limits.stock, used.units)
        .min(left(limits.daily.stock, used.units_today))
        .min(left(limits.units_per_customer, used.units_by_customer))
}

/// The code that was entered for a rule, as the customer wrote it.
pub(crate) fn entered_code<'b>(pricing: &Pricing<'b>, basket: &'b Basket, rule: &Rule) -> Option<&'b str> {
    if rule.codes.is_empty() {
        return None;
    }
    let place = pricing.facts.codes.iter().position(|code| rule.codes.contains(*code))?;
    basket.codes.get(place).map(|code| code.trim())
}
