//! What an experiment caused, as people read it.

use youhui_evaluation::experiment::{Guarded, Role, Verdict, Warning};

use super::judge::Report;

pub(super) const fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ship => "ship",
        Verdict::KeepRunning => "keep running",
        Verdict::RollBack => "roll back",
    }
}

pub(super) fn table(report: &Report) -> String {
    let mut lines = vec![];
    for arm in &report.analysis.arms {
        lines.push(format!("{} against {}: {}", arm.arm, report.control, verdict(arm.decision.verdict)));
        lines.extend(arm.decision.reasons.iter().map(|reason| format!("  {reason}")));
        lines.push(format!(
            "  {:<28} {:>12} {:>12} {:>12}  {:>26} {:>9} {:>10}  unit",
            "metric", "control", "arm", "effect", "interval", "p", "n"
        ));
        for metric in &arm.metrics {
            let interval = format!("[{:.5}, {:.5}]", metric.low, metric.high);
            let p = metric.adjusted_p.or(metric.p_value).map_or_else(
                || metric.chance_to_beat_control.map_or_else(String::new, |chance| format!("{:.1} %", 100.0 * chance)),
                |p| format!("{p:.4}"),
            );
            let role = match (metric.role, metric.guarded) {
                (Role::Guardrail { .. }, Some(guarded)) => format!(" (guardrail: {})", words(guarded)),
                _ => String::new(),
            };
            lines.push(format!(
                "  {:<28} {:>12.5} {:>12.5} {:>12.5}  {interval:>26} {p:>9} {:>10}  {}{role}",
                metric.metric, metric.control.value, metric.treatment.value, metric.effect, metric.n, metric.unit
            ));
        }
        lines.extend(arm.problems.iter().map(|problem| format!("  no figure: {problem}")));
    }
    for (arm, found) in &report.breakdowns {
        lines.push(format!("{arm}, by value (p that all effects are the same: {:.4})", found.heterogeneity_p));
        for one in &found.effects {
            lines.push(match &one.effect {
                Some(effect) => format!(
                    "  {:<28} {:>12.5}  [{:.5}, {:.5}]  p {:.4} (adjusted)",
                    one.dimension,
                    effect.value,
                    effect.low,
                    effect.high,
                    one.adjusted_p.unwrap_or(1.0)
                ),
                None => format!("  {:<28} no figure: {}", one.dimension, one.problem.as_deref().unwrap_or_default()),
            });
        }
    }
    for (arm, looks) in &report.over_time {
        let told = looks.iter().find(|look| look.low > 0.0 || look.high < 0.0);
        let since = told.map_or_else(|| "not told from 0 at any".to_owned(), |look| format!("told from 0 first at {}", look.date));
        lines.extend(looks.last().map(|last| {
            format!(
                "{arm}, over {} dates up to {}: {:.5} [{:.5}, {:.5}] whenever looked at; {since}",
                looks.len(),
                last.date,
                last.effect,
                last.low,
                last.high
            )
        }));
    }
    for (arm, found) in &report.since_exposure {
        let (first, last) = (found.days.first(), found.days.last());
        let ends = first
            .zip(last)
            .map_or_else(String::new, |(first, last)| format!(", {:.5} on the first and {:.5} on the last", first.value, last.value));
        lines.push(format!(
            "{arm}, by day since first exposure: changes by {:.5} a day [{:.5}, {:.5}], p {:.4}, {} units followed {} days{ends}; {} followed for less",
            found.slope,
            found.slope_low,
            found.slope_high,
            found.p_value,
            found.n,
            found.days.len(),
            found.left_out
        ));
    }
    for one in &report.design_effects {
        lines.push(format!(
            "{}: variance is {:.2} times that of independent rows ({:.1} rows in each of {} {})",
            one.metric, one.effect.design_effect, one.effect.rows_per_cluster, one.effect.n, report.draws
        ));
    }
    if let Some(switches) = report.switchback {
        lines.push(format!("{} changes of arm; {} rows after one are left out", switches.changes, switches.rows_in_burn_in));
    }
    lines.extend(report.analysis.warnings.iter().map(|Warning { message, .. }| format!("warning: {message}")));
    if let Some(run) = &report.run {
        lines.push(format!("kept as run {run}"));
    }
    lines.join("\n")
}

const fn words(guarded: Guarded) -> &'static str {
    match guarded {
        Guarded::Holds => "holds",
        Guarded::Broken => "broken",
        Guarded::NotYetKnown => "not yet known",
    }
}
