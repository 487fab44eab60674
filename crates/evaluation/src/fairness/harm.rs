//! Harm: groups that the campaign makes worse off by more than a margin, judged like guardrails.
//!
//! Each group's effect gets an interval at 1 − α/groups (Bonferroni), so that all hold at once: a group is harmed where its interval
//! lies below −margin, safe where it lies above, and not yet known else. Then, with the chance of the level, the number of groups that are
//! harmed lies between those shown to be and those not shown to be safe. The chance of calling any group harmed that isn't is at
//! most α/2. "No group is significantly worse" isn't "no group is worse": see the upper end.

use serde::Serialize;

use super::effects::adjusted;
use super::groups::Suppressed;
use super::{FairnessError, FairnessSettings, GroupLedger};
use crate::experiment::{Better, Frequentist, Guarded, Interval, Metric, Scale, Warning, frequentist, guardrail, unadjusted};
use crate::money::Causal;

/// One group.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GroupHarm {
    /// The group.
    pub group: String,
    /// Its effect, with an interval that holds together with the others'.
    pub effect: Interval,
    /// `Broken` where it is harmed, `Holds` where it is safe.
    pub guarded: Guarded,
}

/// All groups.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Harm {
    /// Group by group.
    pub groups: Vec<GroupHarm>,
    /// Share of groups that are credibly harmed; with `share_at_most` an interval of the share that is.
    pub share_harmed: f64,
    /// Share of groups not shown to be safe.
    pub share_at_most: f64,
    /// Share of customers in groups that are credibly harmed.
    pub share_of_customers: f64,
    /// How much worse a group may get.
    pub margin: f64,
    /// Chance that all intervals cover.
    pub level: f64,
    /// Unit of effects and margin.
    pub unit: String,
    /// Customers of all groups judged.
    pub n: u64,
    /// Groups left out.
    pub suppressed: Vec<Suppressed>,
    /// A warning where any group is harmed.
    pub warning: Option<Warning>,
    /// What effects say about cause.
    pub causal: Causal,
}

/// Looks for harmed groups. `margin` (≥ 0) is how much worse a group may get, in the benefit's unit per customer.
///
/// # Errors
/// Where the margin isn't a number of at least 0, fewer than two groups are large enough, or an arm is empty.
pub fn harm(ledger: &GroupLedger, margin: f64, settings: FairnessSettings) -> Result<Harm, FairnessError> {
    settings.check()?;
    if !(margin.is_finite() && margin >= 0.0) {
        let consequence = "below 0 a group that is helped a little would count as harmed";
        return Err(FairnessError::Setting { name: "margin", value: margin, needed: "a number of at least 0 is needed", consequence });
    }
    let (kept, mut suppressed) = ledger.comparable()?;
    let level = 1.0 - (1.0 - settings.level) / kept.len() as f64;
    let mut groups = vec![];
    for (name, joint) in adjusted(&kept, settings)? {
        let contrast = unadjusted(Metric::mean(0), &joint.control, &joint.treatment);
        match contrast.and_then(|contrast| frequentist(&contrast, Scale::Absolute, Frequentist { level, ..Frequentist::default() })) {
            Ok(effect) => {
                let effect = Interval::from(&effect);
                groups.push(GroupHarm { group: name.to_owned(), effect, guarded: guardrail(effect, Better::Higher, margin) });
            }
            Err(error) => suppressed.push(Suppressed { group: name.to_owned(), reason: error.to_string() }),
        }
    }
    if groups.is_empty() {
        let remedy = "The benefit varies in none: wait for the first event";
        return Err(FairnessError::TooFewGroups { groups: 0, declared: ledger.plan().groups.len(), remedy });
    }
    let n: u64 = groups.iter().map(|group| group.effect.n).sum();
    let share = |of: &dyn Fn(&GroupHarm) -> bool| groups.iter().filter(|group| of(group)).count() as f64 / groups.len() as f64;
    let harmed: u64 = groups.iter().filter(|group| group.guarded == Guarded::Broken).map(|group| group.effect.n).sum();
    let unit = format!("{} per customer", ledger.plan().benefit_unit);
    Ok(Harm {
        share_harmed: share(&|group| group.guarded == Guarded::Broken),
        share_at_most: share(&|group| group.guarded != Guarded::Holds),
        share_of_customers: harmed as f64 / n as f64,
        warning: warning(&groups, margin, &unit),
        groups,
        margin,
        level: settings.level,
        unit,
        n,
        suppressed,
        causal: Causal::Randomised,
    })
}

fn warning(groups: &[GroupHarm], margin: f64, unit: &str) -> Option<Warning> {
    let harmed: Vec<String> = groups
        .iter()
        .filter(|group| group.guarded == Guarded::Broken)
        .map(|GroupHarm { group, effect, .. }| format!("{group} ({:.4} [{:.4}, {:.4}])", effect.value, effect.low, effect.high))
        .collect();
    (!harmed.is_empty()).then(|| {
        let message = format!(
            "the campaign makes {} worse off by more than {margin} {unit}: the average over all customers hides it. Leave these groups out of the campaign, or change it for them",
            harmed.join(", ")
        );
        Warning { code: "group_harmed", message }
    })
}
