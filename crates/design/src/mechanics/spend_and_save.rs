//! Spend and save (满减): thresholds from the customers' own baskets, so that most must stretch a
//! little and few get it for what they buy anyway.

use youhui_commerce::Money;
use youhui_promotion::{Off, SpendAndSave, Tier};

use super::Draft;
use crate::brief::{Brief, round_amount};

/// (percentile of the first tier, of the second).
const SHAPES: [(usize, usize); 4] = [(60, 85), (70, 90), (75, 90), (80, 95)];

pub(super) fn drafts(brief: &Brief<'_>) -> Vec<Draft> {
    let money = |amount: i64| Money::new(amount, brief.currency()).to_string();
    let minor = brief.currency().minor_units();
    // The deepest is given at the second tier, just at its threshold.
    let shares = brief.depths(brief.total.margin()).into_iter().map(|depth| f64::from(depth) / 11_000.0);
    shares
        .flat_map(|share| SHAPES.map(|(first, second)| (first, second, share)))
        .filter(|_| brief.basket(50) > 0)
        .filter_map(|(first, second, share)| {
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

/// Down to half a major unit, or to a minor unit where that is the smallest: no deeper than asked for.
fn whole(amount: f64, minor_units: i64) -> i64 {
    let step = (minor_units / 2).max(1);
    youhui_profile::shop::to_minor((amount / step as f64 + 1e-9).floor()) * step
}
