//! A coupon of a fixed amount: simple to tell, and its cost is known before it is used.

use youhui_commerce::Money;
use youhui_promotion::AmountOff;

use super::Draft;
use crate::brief::{Brief, round_amount};
use crate::goal::Goal;

pub(super) fn drafts(brief: &Brief<'_>) -> Vec<Draft> {
    let minor = brief.currency().minor_units();
    let money = |amount: i64| Money::new(amount, brief.currency()).to_string();
    // Whoever has to come back gets it from a usual basket on; whoever comes anyway must stretch.
    let percentiles: [usize; 3] = match brief.goal {
        Goal::WinBack | Goal::Activate | Goal::Acquisition => [30, 40, 50],
        _ => [55, 65, 80],
    };
    let shares = brief.depths(brief.total.margin()).into_iter().map(|depth| f64::from(depth) / 10_000.0);
    shares
        .flat_map(|share| percentiles.map(|percent| (percent, share)))
        .filter(|_| brief.basket(50) > 0)
        .map(|(percent, share)| {
            let minimum_spend = round_amount(brief.basket(percent) as f64, minor);
            let half = (minor / 2).max(1);
            let amount = (youhui_profile::shop::to_minor((minimum_spend as f64 * share / half as f64 + 1e-9).floor()) * half).max(half);
            let why = format!("from {} on, the {percent}th percentile of the audience's baskets", money(minimum_spend));
            Draft::on_everything(brief, AmountOff { amount, ..AmountOff::default() }, why).above_spend(minimum_spend)
        })
        .collect()
}
