//! Pull-forward: what customers bought during the campaign that they would have bought afterwards (the post-promotion
//! dip; Hendel and Nevo 2003).
//!
//! The effect after the campaign, treated less held out, is the dip; the effect during and after together is what is left.
//! Share pulled forward = −Δ after ÷ Δ during, with Fieller's set. By the lot it is causal, as a dip seen in sales over time
//! is not: those fall after a campaign for other reasons too.
//!
//! Fails by saying too little where the time after is shorter than the stock lasts: the dip goes on.

use serde::Serialize;

use super::error::or_why;
use super::fieller::{Ratio, ratio};
use super::figure::{Causal, Figure, RatioFigure, adjusted};
use super::incremental::MoneySettings;
use super::{Ledger, Measure, MoneyError, Window};

/// One measure, during, after and both.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PullForward {
    /// Difference before it, not adjusted: what the lot gave by chance. `None` where nothing varies before, or isn't known.
    pub before: Option<Figure>,
    /// Effect during the campaign.
    pub during: Figure,
    /// Effect after it; its p-value is adjusted for the measures looked at.
    pub after: Figure,
    /// Effect during and after.
    pub net: Figure,
    /// Share of the effect during that is lost after.
    pub share: RatioFigure,
}

/// Revenue, contribution profit and orders; `None` where nothing can be said.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PulledForward {
    /// Revenue.
    pub revenue: Option<PullForward>,
    /// Contribution profit.
    pub profit: Option<PullForward>,
    /// Orders.
    pub orders: Option<PullForward>,
    /// Measures of which nothing can be said, with the reason.
    pub not_judged: Vec<(String, String)>,
}

/// Looks for a dip.
///
/// # Errors
/// Where an arm has fewer than 2 customers. A measure that doesn't vary during or after, or isn't known, is named.
pub fn pull_forward(ledger: &Ledger, settings: MoneySettings) -> Result<PulledForward, MoneyError> {
    settings.check()?;
    // As everywhere: an arm that is too small is an error.
    ledger.joint(&[], false)?;
    let mut not_judged = vec![];
    let mut found = |measure: Measure, name: &str, unit: String| or_why(name, of(ledger, settings, measure, name, unit), &mut not_judged);
    let mut revenue = found(Measure::Revenue, "revenue", ledger.per_customer());
    let mut profit = found(Measure::Profit, "contribution profit", ledger.per_customer());
    let mut orders = found(Measure::Orders, "orders", "orders per customer".to_owned());
    let mut dips: Vec<&mut Figure> = [&mut revenue, &mut profit, &mut orders].into_iter().flatten().map(|one| &mut one.after).collect();
    adjusted(&mut dips, settings.adjust);
    Ok(PulledForward { revenue, profit, orders, not_judged })
}

fn of(ledger: &Ledger, settings: MoneySettings, measure: Measure, name: &str, unit: String) -> Result<PullForward, MoneyError> {
    let windows = [Window::During, Window::After];
    ledger.measured(&windows, measure)?;
    let outcomes = windows.map(|window| ledger.weights(&[window], measure));
    let joint = ledger.joint(&outcomes, settings.cuped)?;
    let figure = |weights: Vec<(usize, f64)>, when: &str| -> Result<Figure, MoneyError> {
        let contrast = joint.varying(&weights, &format!("{name} {when}"))?;
        Ok(Figure::of(format!("effect on {name} {when}"), &contrast, settings.level, unit.clone(), Causal::Randomised))
    };
    let share = Ratio {
        name: &format!("share of {name} pulled forward"),
        unit: "share of the effect during the campaign".to_owned(),
        numerator: vec![(1, -1.0)],
        denominator: vec![(0, 1.0)],
        of: "during the campaign, per customer",
    };
    let by_chance = ledger.joint(&[ledger.weights(&[Window::Before], measure)], false)?;
    let is_known = ledger.measured(&[Window::Before], measure).is_ok();
    let before = by_chance.varying(&vec![(0, 1.0)], &format!("{name} before")).ok().filter(|_| is_known).map(|contrast| {
        let name = format!("difference in {name} before the campaign");
        Figure::of(name, &contrast, settings.level, unit.clone(), Causal::Randomised)
    });
    Ok(PullForward {
        before,
        during: figure(vec![(0, 1.0)], "during the campaign")?,
        after: figure(vec![(1, 1.0)], "after the campaign")?,
        net: figure(vec![(0, 1.0), (1, 1.0)], "during and after the campaign")?,
        share: ratio(&joint, share, settings.level, Causal::Randomised),
    })
}
