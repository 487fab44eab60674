//! Effects by group: whom the campaign helps, with adjusted p-values, whether effects differ at all, and by how much.
//!
//! Each group's effect is treated less held out within the group, adjusted by the time before where asked (CUPED, θ by group), so that
//! it is by lot like the whole effect. Whether effects differ is answered by Cochran's Q (see [`crate::experiment::breakdown`]) and by the gap between
//! the best and the worst off, not by one group's effect being significant and another's not (Gelman and Stern 2006). A difference of
//! effects isn't caused by belonging to a group: groups differ in much else.

use serde::Serialize;

use super::groups::{BEFORE, BENEFIT, Kept, Suppressed};
use super::parity::{Compared, names};
use super::simultaneous::Estimated;
use super::{FairnessError, FairnessSettings, GroupLedger, Parity};
use crate::experiment::{Better, Breakdown, Effect, Frequentist, Judge, Metric, Moments, Scale, breakdown, unadjusted};
use crate::money::Causal;
use crate::money::joint::Joint;

/// Effects on the benefit by group.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GroupEffects {
    /// Unit of effects.
    pub unit: String,
    /// Group by group, with the test of whether effects differ.
    pub breakdown: Breakdown,
    /// Gaps between effects.
    pub parity: Parity,
    /// Groups left out.
    pub suppressed: Vec<Suppressed>,
    /// What an effect says about cause; a gap between two says none.
    pub causal: Causal,
}

/// Effects on the benefit by group.
///
/// # Errors
/// Where fewer than two groups are large enough and vary, or an arm is empty.
pub fn group_effects(ledger: &GroupLedger, settings: FairnessSettings) -> Result<GroupEffects, FairnessError> {
    settings.check()?;
    let (kept, mut suppressed) = ledger.comparable()?;
    let unit = format!("{} per customer", ledger.plan().benefit_unit);
    let groups = adjusted(&kept, settings)?;
    let listed = groups.iter().map(|(name, joint)| (*name, unadjusted(Metric::mean(0), &joint.control, &joint.treatment))).collect();
    let judge = Judge::Fixed(Frequentist { level: settings.level, ..Frequentist::default() });
    let breakdown = breakdown(listed, Scale::Absolute, judge, settings.adjust);
    let judged: Vec<(Kept<'_>, Effect)> =
        kept.iter().zip(&breakdown.effects).filter_map(|(group, found)| found.effect.map(|effect| (*group, effect))).collect();
    suppressed.extend(
        breakdown
            .effects
            .iter()
            .filter_map(|found| found.problem.as_ref().map(|reason| Suppressed { group: found.dimension.clone(), reason: reason.clone() })),
    );
    if judged.len() < 2 {
        let remedy = "In the others the benefit doesn't vary: wait for the first event, or merge groups";
        return Err(FairnessError::TooFewGroups { groups: judged.len(), declared: ledger.plan().groups.len(), remedy });
    }
    let kept: Vec<Kept<'_>> = judged.iter().map(|(group, _)| *group).collect();
    let estimates: Vec<Estimated> = judged.iter().map(|(_, effect)| of_effect(effect)).collect();
    let rests = (0..kept.len()).map(|place| rest(&kept, place, settings)).collect::<Result<Vec<Estimated>, FairnessError>>()?;
    let compared = Compared { name: "benefit", unit: unit.clone(), better: Better::Higher, causal: Causal::Randomised, ratio: false };
    let parity = compared.parity(&names(&kept), &estimates, &rests, suppressed.clone(), settings);
    Ok(GroupEffects { unit, breakdown, parity, suppressed, causal: Causal::Randomised })
}

fn of_effect(effect: &Effect) -> Estimated {
    Estimated { value: effect.value, variance: effect.std_error.powi(2), df: effect.df, n: effect.n_control + effect.n_treatment }
}

/// The benefit of both arms of each group, adjusted by the time before.
pub(super) fn adjusted<'a>(kept: &[Kept<'a>], settings: FairnessSettings) -> Result<Vec<(&'a str, Joint)>, FairnessError> {
    kept.iter().map(|group| Ok((group.name, joint(group.held_out, group.treated, settings)?))).collect()
}

fn joint(held_out: &Moments, treated: &Moments, settings: FairnessSettings) -> Result<Joint, FairnessError> {
    let (benefit, before) = (vec![(BENEFIT, 1.0)], vec![(BEFORE, 1.0)]);
    let covariates = if settings.cuped { std::slice::from_ref(&before) } else { &[] };
    Ok(Joint::new(&[benefit], covariates, held_out, treated)?)
}

/// The effect on all groups but one: groups' effects weighed by their customers, as lots may differ by group.
fn rest(kept: &[Kept<'_>], place: usize, settings: FairnessSettings) -> Result<Estimated, FairnessError> {
    let (mut value, mut variance, mut below, mut n) = (0.0, 0.0, 0.0, 0);
    let others = || kept.iter().enumerate().filter(|(other, _)| *other != place).map(|(_, group)| group);
    let whole: u64 = others().map(|group| group.held_out.units() + group.treated.units()).sum();
    for group in others() {
        let contrast = joint(group.held_out, group.treated, settings)?.effect(&vec![(0, 1.0)]);
        let share = contrast.units() as f64 / whole as f64;
        let (effect, own) = contrast.absolute();
        value += share * effect;
        variance += share * share * own;
        below += (share * share * own).powi(2) / contrast.df();
        n += contrast.units();
    }
    Ok(Estimated { value, variance, df: variance * variance / below, n })
}
