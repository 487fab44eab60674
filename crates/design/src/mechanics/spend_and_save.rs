//! Spend and save (满减): thresholds from the customers' own baskets, so that most must stretch a
//! little and few get it for what they buy anyway.

use youhui_commerce::Money;
use youhui_promotion::{Off, SpendAndSave, Tier};

use super::Draft;
use crate::brief::{Brief, round_amount};

/// (percentile of the first tier, of the second, share given back).
const SHAPES: [(usize, usize, f64); 3] = [(60, 85, 0.06), (75, 90, 0.08), (75, 90, 0.12)];

pub(super) fn drafts(brief: &Brief<'_>) -> Vec<Draft> {
    let money = |amount: i64| Money::new(amount, brief.currency()).to_string();
    let minor = brief.currency().minor_units();
    SHAPES
        .iter()
        .filter_map(|&(first, second, share)| {
            let spend = [first, second].map(|percent| round_amount(brief.basket(percent) as f64, minor));
            let save = [spend[0] as f64 * share, spend[1] as f64 * share * 1.1].map(|amount| whole(amount, minor));
            let mut tiers = vec![Tier { from: spend[0], off: Off::Amount(save[0]) }];
            if spend[1] > spend[0] && save[1] > save[0] {
                tiers.push(Tier { from: spend[1], off: Off::Amount(save[1]) });
            }
            let why = format!(
                "{} is near the {first}th and {} near the {second}th percentile of the audience's baskets (median {})",
                money(spend[0]),
                money(spend[1]),
                money(brief.basket(50))
            );
            (save[0] > 0).then(|| Draft::on_everything(brief, SpendAndSave { tiers, ..SpendAndSave::default() }, why))
        })
        .collect()
}

/// The nearest half of a major unit, or the nearest minor unit where that is the smallest.
fn whole(amount: f64, minor_units: i64) -> i64 {
    let step = (minor_units / 2).max(1);
    youhui_profile::shop::to_minor(amount / step as f64).max(1) * step
}
