//! What a promotion would have given on the customer's own recent baskets: the saving that it is
//! to the customer, and the money that it costs even if it changes nothing.

use youhui_commerce::{Catalogue, Micros, TimeWindow};
use youhui_promotion::{Basket, Condition, Context, Effect, Line, Name, Promotion, Promotions, Schedule, Scope};

use crate::brief::Shopper;
use crate::goal::Goal;

/// Days of one use of a promotion that may be used once.
const PERIOD: i64 = 28 * TimeWindow::DAY;

/// A scope as a set of products.
#[derive(Debug, Clone)]
pub struct CompiledScope {
    inside: Option<Vec<bool>>,
}

impl CompiledScope {
    /// Looks the scope's names up once.
    pub fn new(scope: &Scope, catalogue: &Catalogue) -> Self {
        let covers = |product: &youhui_commerce::Product| {
            (scope.products.is_empty() || scope.products.contains(&product.product_id))
                && (scope.categories.is_empty() || product.category.iter().any(|category| scope.categories.contains(category)))
        };
        let excepted = |product: &youhui_commerce::Product| {
            scope.except.as_ref().is_some_and(|except| product.category.iter().any(|category| except.categories.contains(category)))
        };
        let inside =
            (!scope.is_everything()).then(|| catalogue.products().iter().map(|product| covers(product) && !excepted(product)).collect());
        Self { inside }
    }

    /// Whether a product is in scope.
    pub fn covers(&self, product: u32) -> bool {
        self.inside.as_ref().is_none_or(|inside| inside.get(product as usize) == Some(&true))
    }
}

/// What a promotion would have been, per 28 days. Money in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Replayed {
    /// What the customer would have saved.
    pub saving: f64,
    /// What it would have cost the shop: the saving, or the cost of a gift.
    pub cost: f64,
    /// Share of the customer's spending in scope.
    pub affinity: f64,
    /// Share of the baskets that it would have applied to.
    pub reach: f64,
}

/// A promotion made ready to be replayed.
#[derive(Debug)]
pub struct Replay {
    set: Promotions,
    scope: CompiledScope,
    gift_cost: i64,
    /// Whether it works on single units, whose number then matters.
    by_unit: bool,
    currency: youhui_commerce::Currency,
    names: Vec<Name>,
    context: Context,
}

impl Replay {
    /// Makes a cleared promotion ready. What decides is its effect: when it runs, and for whom, is
    /// left aside, and its scope is `scope`.
    pub fn new(promotion: &Promotion, scope: CompiledScope, gift_cost: i64) -> Self {
        let everything = |effect: &Effect| match effect.clone() {
            Effect::PercentOff(off) => youhui_promotion::PercentOff { scope: Scope::everything(), ..off }.into(),
            Effect::SpendAndSave(save) => youhui_promotion::SpendAndSave { scope: Scope::everything(), ..save }.into(),
            Effect::AmountOff(off) => youhui_promotion::AmountOff { scope: Scope::everything(), ..off }.into(),
            Effect::ItemPrice(item) => youhui_promotion::ItemPrice { scope: Scope::everything(), ..item }.into(),
            Effect::Gift(gift) => youhui_promotion::Gift { scope: Scope::everything(), ..gift }.into(),
            other => other,
        };
        let threshold = |condition: &Condition| match condition {
            Condition::SpendAtLeast { amount, basis, .. } => {
                Some(Condition::SpendAtLeast { amount: *amount, basis: *basis, scope: Scope::everything() })
            }
            _ => None,
        };
        let replayed = Promotion {
            effects: promotion.effects.iter().map(everything).collect(),
            conditions: promotion.conditions.iter().filter_map(threshold).collect(),
            schedule: Schedule::default(),
            ..promotion.clone()
        };
        Self {
            // What was cleared is valid; were it not, it would save nothing.
            set: Promotions::new([replayed]).unwrap_or_default(),
            scope,
            gift_cost,
            by_unit: matches!(promotion.effects.as_slice(), [Effect::ItemPrice(_)]),
            currency: promotion.currency,
            names: (0..1000).map(|line: u32| line.to_string().into()).collect(),
            context: Context { detail: youhui_promotion::Detail::Near, ..Context::default() },
        }
    }

    /// Prices the shopper's baskets of the 84 days before `as_of` under a promotion that can be used
    /// once in 28 days: of each such period the first basket that it applies to counts.
    pub fn of(&self, shopper: &Shopper<'_>, as_of: Micros) -> Replayed {
        let (mut saving, mut cost, mut applied) = (0, 0, 0_u32);
        let (mut inside, mut whole) = (0_i64, 0_i64);
        let mut used = [false; 3];
        for basket in &shopper.baskets {
            whole += basket.amount();
            let covered = basket.lines.iter().filter(|line| self.scope.covers(line.product));
            inside += covered.clone().map(|line| line.amount).sum::<i64>();
            let lines: Vec<Line> = covered.zip(&self.names).map(|(line, name)| self.line(line, name)).collect();
            if lines.is_empty() {
                continue;
            }
            let Ok(priced) = self.set.price(&Basket::new(self.currency, lines), &self.context) else { continue };
            if priced.applied.is_empty() {
                continue;
            }
            applied += 1;
            let period = usize::try_from(as_of.saturating_sub(basket.time) / PERIOD).unwrap_or(3);
            if let Some(first) = used.get_mut(period).filter(|used| !**used) {
                *first = true;
                let value: i64 = priced.gifts.iter().map(|gift| gift.quantity * gift.value).sum();
                saving += priced.discount + value;
                cost += priced.discount + if priced.gifts.is_empty() { 0 } else { self.gift_cost };
            }
        }
        Replayed {
            saving: saving as f64 / 3.0,
            cost: cost as f64 / 3.0,
            affinity: if whole > 0 { inside as f64 / whole as f64 } else { 0.0 },
            reach: if shopper.baskets.is_empty() { 0.0 } else { f64::from(applied) / shopper.baskets.len() as f64 },
        }
    }

    /// What it would have been on average to the shoppers that a goal is for; to all where it is for none.
    pub(crate) fn mean_of(&self, shoppers: &[Shopper<'_>], goal: Goal, as_of: Micros) -> Replayed {
        let mut them: Vec<&Shopper<'_>> = shoppers.iter().filter(|shopper| goal.is_for(shopper.features)).collect();
        if them.is_empty() {
            them = shoppers.iter().collect();
        }
        let size = them.len().max(1) as f64;
        them.into_iter().map(|shopper| self.of(shopper, as_of)).fold(Replayed::default(), |mean, one| Replayed {
            saving: mean.saving + one.saving / size,
            cost: mean.cost + one.cost / size,
            affinity: mean.affinity + one.affinity / size,
            reach: mean.reach + one.reach / size,
        })
    }

    /// A line of the past: what was paid for it is known, and a unit's price only on average.
    fn line(&self, line: &crate::brief::ReplayLine, name: &Name) -> Line {
        let (quantity, amount) = (line.quantity.max(1), line.amount.max(0));
        if self.by_unit { Line::new(name.clone(), quantity, amount / quantity) } else { Line::new(name.clone(), 1, amount) }
    }
}
