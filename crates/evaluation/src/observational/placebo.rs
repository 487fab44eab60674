//! Placebos of difference in differences: effects of starts that never were, and on units that weren't treated.
//!
//! In time: the periods before the start alone, with a start halfway. An effect there means that trends weren't parallel.
//! In space: untreated clusters are dealt into 'treated' and 'untreated' in the actual proportion, again and again. Half
//! of such effects lie above 0 whatever happens; what they show is whether the test rejects as seldom as it says, and how
//! rare an effect like the real one is among them. They can't show selection: dealing by lot is what the campaign didn't do.

use rayon::prelude::*;
use youhui_commerce::Draw;

use super::result::{ALARM, Check, CheckKind, ObservedEffect};
use super::two_by_two::DidSettings;
use super::{ObservationalError, Panel};

type Estimate = Result<ObservedEffect, ObservationalError>;

/// A start halfway through the periods before; `None` with fewer than two periods before.
pub(super) fn earlier_start(panel: &Panel, estimate: impl Fn(&Panel) -> Estimate) -> Result<Option<Check>, ObservationalError> {
    let start = panel.common_start(2)?;
    if start < 2 {
        return Ok(None);
    }
    let fake = start / 2;
    let units: Vec<usize> = (0..panel.units()).collect();
    let starts = panel.starts().iter().map(|start| start.map(|_| fake)).collect();
    let effect = match estimate(&panel.part(0..start, &units, starts)) {
        // Nothing moved: no sign of an effect.
        Err(ObservationalError::Constant { .. }) => return Ok(None),
        other => other?,
    };
    let reads = format!(
        "effect of a start at time {} that never was (standard error {:.4}); one that differs from 0 says that treated and untreated units were moving apart before",
        panel.times()[fake],
        effect.std_error
    );
    Ok(Some(Check::new(CheckKind::PlaceboInTime, effect.value, effect.p_value, reads)))
}

/// Untreated clusters as if treated; `None` with fewer than four untreated clusters.
pub(super) fn dealt_among_untreated(
    panel: &Panel,
    actual: &ObservedEffect,
    settings: DidSettings,
    estimate: impl Fn(&Panel) -> Estimate + Sync,
) -> Option<Check> {
    let untreated: Vec<usize> = (0..panel.units()).filter(|&unit| panel.starts()[unit].is_none()).collect();
    let mut clusters: Vec<usize> = untreated.iter().map(|&unit| panel.clusters()[unit]).collect();
    clusters.sort_unstable();
    clusters.dedup();
    let start = panel.starts().iter().flatten().min().copied()?;
    if clusters.len() < 4 || settings.placebo_draws == 0 {
        return None;
    }
    let of_treated = panel.clusters_of(|unit| panel.starts()[unit].is_some());
    let chosen = (of_treated * clusters.len()).div_ceil(panel.cluster_count()).clamp(2, clusters.len() - 2);
    let chance = Draw::seeded(settings.seed);
    let fakes: Vec<ObservedEffect> = (0..settings.placebo_draws)
        .into_par_iter()
        .filter_map(|draw| {
            let mut order = clusters.clone();
            chance.fork(&format!("placebo {draw}")).shuffle(&mut order);
            let mut is = vec![false; panel.cluster_count()];
            order[..chosen].iter().for_each(|&cluster| is[cluster] = true);
            let starts = untreated.iter().map(|&unit| is[panel.clusters()[unit]].then_some(start)).collect();
            estimate(&panel.part(0..panel.periods(), &untreated, starts)).ok()
        })
        .collect();
    (!fakes.is_empty()).then(|| judged(&fakes, actual))
}

fn judged(fakes: &[ObservedEffect], actual: &ObservedEffect) -> Check {
    let draws = fakes.len();
    let rejected = fakes.iter().filter(|fake| fake.p_value < ALARM).count();
    let statistic = |effect: &ObservedEffect| (effect.value / effect.std_error).abs();
    let reached = fakes.iter().filter(|fake| statistic(fake) >= statistic(actual)).count();
    let share = rejected as f64 / draws as f64;
    // Deals of the same units aren't independent, so that this bound is rough.
    let alarm = share > ALARM + 3.0 * (ALARM * (1.0 - ALARM) / draws as f64).sqrt();
    let reads = format!(
        "share of {draws} deals of untreated units in which the test at level {ALARM} finds an effect that isn't there; much above the level says that intervals are too narrow. The p-value is the share of deals with an effect as many standard errors from 0 as the real one"
    );
    let p_value = (1.0 + reached as f64) / (1.0 + draws as f64);
    Check { kind: CheckKind::PlaceboInSpace, value: share, p_value, alarm, reads }
}
