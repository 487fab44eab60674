//! What is spent and what is left, in whole minor units. Nothing here can overspend.

use super::OnlineOffer;

/// Limits of one promotion; `None` is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limit {
    /// Money, in minor units.
    pub money: Option<i64>,
    /// How many customers.
    pub count: Option<u64>,
}

/// What there is to give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budgets {
    /// Money for all promotions together, in minor units.
    pub money: i64,
    /// One a promotion. Offers of other promotions are never chosen.
    pub promotions: Vec<Limit>,
}

impl Budgets {
    /// One budget for so many promotions.
    pub fn of_money(money: i64, promotions: usize) -> Self {
        Self { money, promotions: vec![Limit::default(); promotions] }
    }
}

/// Books what is given.
///
/// At any time what was spent of a budget is at most the budget, or at most 0 where the budget is
/// negative. Sums are of 128 bits: no number of arrivals, each of any 64-bit cost, makes them overflow.
#[derive(Debug, Clone)]
pub struct Ledger {
    budgets: Budgets,
    spent: i128,
    of_promotion: Vec<Spent>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Spent {
    money: i128,
    count: u64,
}

impl Ledger {
    /// Nothing is spent yet.
    pub fn new(budgets: Budgets) -> Self {
        let of_promotion = vec![Spent::default(); budgets.promotions.len()];
        Self { budgets, spent: 0, of_promotion }
    }

    /// Whether the offer can be given. What saves money or is free fits any amount of money, so that a
    /// negative budget, which is overspent before it starts, can be saved up.
    pub fn fits(&self, offer: &OnlineOffer) -> bool {
        let Some((limit, spent)) = self.budgets.promotions.get(offer.promotion).zip(self.of_promotion.get(offer.promotion)) else {
            return false;
        };
        let money = |spent: i128, limit: i64| offer.cost <= 0 || spent + i128::from(offer.cost) <= i128::from(limit);
        offer.value.is_finite()
            && money(self.spent, self.budgets.money)
            && limit.money.is_none_or(|limit| money(spent.money, limit))
            && limit.count.is_none_or(|limit| spent.count < limit)
    }

    /// Books the offer if it fits; whether it did.
    pub fn take(&mut self, offer: &OnlineOffer) -> bool {
        if !self.fits(offer) {
            return false;
        }
        self.spent += i128::from(offer.cost);
        if let Some(spent) = self.of_promotion.get_mut(offer.promotion) {
            spent.money += i128::from(offer.cost);
            spent.count = spent.count.saturating_add(1);
        }
        true
    }

    /// Money spent, less what was saved.
    pub const fn spent(&self) -> i128 {
        self.spent
    }

    /// Money spent by a promotion, and customers who got it.
    pub fn spent_by(&self, promotion: usize) -> (i128, u64) {
        self.of_promotion.get(promotion).map_or((0, 0), |spent| (spent.money, spent.count))
    }

    /// Minor units and customers above a budget, over all of them. Always 0; here so that reports count
    /// it and don't take it on trust.
    pub fn overspend(&self) -> i128 {
        let over = |spent: i128, limit: i64| (spent - i128::from(limit.max(0))).max(0);
        let promotions = self.budgets.promotions.iter().zip(&self.of_promotion);
        let of_promotions = promotions.map(|(limit, spent)| {
            let money = limit.money.map_or(0, |limit| over(spent.money, limit));
            money + limit.count.map_or(0, |limit| i128::from(spent.count.saturating_sub(limit)))
        });
        over(self.spent, self.budgets.money) + of_promotions.sum::<i128>()
    }

    /// The budgets as they were at first.
    pub const fn budgets(&self) -> &Budgets {
        &self.budgets
    }

    /// What is left of the budget, of each promotion's money and of each promotion's count; infinite
    /// where there is no limit.
    pub(crate) fn left(&self, promotion: Option<usize>) -> Left {
        let Some(promotion) = promotion else {
            return Left { money: (i128::from(self.budgets.money) - self.spent) as f64, count: f64::INFINITY };
        };
        let (limit, spent) = (self.budgets.promotions[promotion], self.of_promotion[promotion]);
        Left {
            money: limit.money.map_or(f64::INFINITY, |limit| (i128::from(limit) - spent.money) as f64),
            count: limit.count.map_or(f64::INFINITY, |limit| limit.saturating_sub(spent.count) as f64),
        }
    }
}

/// For prices, which are of floating point anyway.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Left {
    pub(crate) money: f64,
    pub(crate) count: f64,
}
