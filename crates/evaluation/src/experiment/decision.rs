//! What to do, with reasons: ship, keep running or roll back.
//!
//! The rules, the first that applies: (1) a fault of the experiment — no figure of it can be trusted, roll
//! back, find the cause, start again; (2) a fault of the analysis — keep running and do it again; (3) a fixed
//! horizon not reached — keep running, whatever it looks like; (4) a guardrail broken, or a goal made worse —
//! roll back; (5) a goal made better and all guardrails hold — ship, unless the effect changes with time;
//! (6) no goal better, though the planned effect would have been found with a chance of .8 — roll back, it
//! doesn't do what it was made for; (7) else keep running.

use serde::Serialize;

use super::{Better, Guarded, Interval, Warning};

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Give it to everybody.
    Ship,
    /// Not known yet.
    KeepRunning,
    /// Give it to nobody.
    RollBack,
}

/// A goal as it stands; the interval is adjusted for the number of goals.
#[derive(Debug, Clone, PartialEq)]
pub struct GoalResult {
    /// The metric.
    pub metric: String,
    /// Its effect.
    pub interval: Interval,
    /// Which way is better.
    pub better: Better,
}

/// A guardrail as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct GuardrailResult {
    /// The metric.
    pub metric: String,
    /// What it says.
    pub guarded: Guarded,
}

/// How far the experiment is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Whether intervals hold at every look.
    pub sequential: bool,
    /// Units so far.
    pub units: u64,
    /// Units that were planned, where they were.
    pub planned: Option<u64>,
    /// Power reached for the planned effect, where there is one.
    pub power: Option<f64>,
}

/// A decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// What to do.
    pub verdict: Verdict,
    /// Why, most important first.
    pub reasons: Vec<String>,
}

/// Codes of warnings after which no effect of the experiment can be trusted.
const FAULTS: [&str; 2] = ["sample_ratio_mismatch", "covariate_imbalance"];
/// Of warnings after which this analysis says nothing, and another may.
const WRONG_ANALYSIS: [&str; 1] = [super::cluster::FINER];
/// Of warnings that an effect now isn't the effect later.
const NOT_LASTING: [&str; 1] = ["novelty"];
/// Power that is taken as enough to give up on an effect.
const ENOUGH_POWER: f64 = 0.8;

/// Decides.
pub fn decide(goals: &[GoalResult], guardrails: &[GuardrailResult], warnings: &[Warning], progress: Progress) -> Decision {
    let of = |codes: &[&str]| -> Vec<String> {
        warnings.iter().filter(|warning| codes.contains(&warning.code)).map(|warning| warning.message.clone()).collect()
    };
    for (codes, verdict) in [(&FAULTS[..], Verdict::RollBack), (&WRONG_ANALYSIS[..], Verdict::KeepRunning)] {
        let reasons = of(codes);
        if !reasons.is_empty() {
            return Decision { verdict, reasons };
        }
    }
    let towards = |goal: &GoalResult| goal.interval.towards(goal.better);
    let says = |goal: &GoalResult, what: &str| {
        let Interval { value, low, high, n } = goal.interval;
        format!("{}: {what} (effect {value:.4} [{low:.4}, {high:.4}], {n} units)", goal.metric)
    };
    let worse = goals.iter().filter(|goal| towards(goal).high < 0.0).map(|goal| says(goal, "made worse"));
    let broken = guardrails.iter().filter(|rail| rail.guarded == Guarded::Broken);
    let broken = broken.map(|rail| format!("{}: worse by more than its margin", rail.metric));
    let harm: Vec<String> = broken.chain(worse).collect();
    let early = !progress.sequential && progress.planned.is_some_and(|planned| progress.units < planned);
    if !harm.is_empty() && !early {
        return Decision { verdict: Verdict::RollBack, reasons: harm };
    }
    if early {
        return Decision { verdict: Verdict::KeepRunning, reasons: too_early(progress, harm) };
    }
    let better: Vec<String> = goals.iter().filter(|goal| towards(goal).low > 0.0).map(|goal| says(goal, "made better")).collect();
    let open: Vec<String> = guardrails
        .iter()
        .filter(|rail| rail.guarded == Guarded::NotYetKnown)
        .map(|rail| format!("{}: not yet shown to stay within its margin", rail.metric))
        .collect();
    if !better.is_empty() {
        let against: Vec<String> = open.into_iter().chain(of(&NOT_LASTING)).collect();
        let verdict = if against.is_empty() { Verdict::Ship } else { Verdict::KeepRunning };
        return Decision { verdict, reasons: against.into_iter().chain(better).collect() };
    }
    if let Some(power) = progress.power.filter(|&power| power >= ENOUGH_POWER) {
        let reason = format!(
            "no goal made better at {} units, though the planned effect would have been found with a chance of {power:.2}",
            progress.units
        );
        return Decision { verdict: Verdict::RollBack, reasons: std::iter::once(reason).chain(open).collect() };
    }
    let reason = progress.power.map_or_else(
        || format!("no goal told from 0 at {} units, and no planned effect to say whether that is enough", progress.units),
        |power| {
            format!("no goal told from 0 at {} units; the planned effect would be found with a chance of {power:.2} only", progress.units)
        },
    );
    Decision { verdict: Verdict::KeepRunning, reasons: std::iter::once(reason).chain(open).collect() }
}

fn too_early(progress: Progress, harm: Vec<String>) -> Vec<String> {
    let planned = progress.planned.unwrap_or_default();
    let reason = format!(
        "{} of {planned} planned units: a test for a fixed horizon rejects far too often when it is looked at before. Wait, or analyse sequentially",
        progress.units
    );
    let seen = harm.into_iter().map(|harm| format!("looks like harm, which only a sequential analysis can say at this point: {harm}"));
    std::iter::once(reason).chain(seen).collect()
}
