//! The page of an experiment: one file that opens anywhere.

use maud::{Markup, html};

use super::super::page::{by_unit, charts, source, whole};
use super::judge::{Look, Report};
use super::table::verdict;

pub(super) fn html(report: &Report) -> String {
    let body = html! {
        h1 { "What the experiment caused" }
        (source(&report.data, report.rows, &report.hash, report.level))
        @for arm in &report.analysis.arms {
            p class=(if verdict(arm.decision.verdict) == "ship" { "lead" } else { "lead fallback" }) {
                b { (arm.arm) ": " (verdict(arm.decision.verdict)) ". " }
                (arm.decision.reasons.join(" "))
            }
        }
        (warnings(report))
        h2 { "Effects" }
        @for (unit, rows) in effects(report) { figure { (charts::intervals("Effects with their intervals", &rows, &unit)) figcaption { "Each dot an effect against " (report.control) ", with its interval; " (unit) "." } } }
        @if !report.over_time.is_empty() {
            h2 { "Over time" }
            @for (arm, looks) in &report.over_time { (over_time(arm, looks, report)) }
        }
        @if !report.breakdowns.is_empty() {
            h2 { "By value" }
            @for (arm, found) in &report.breakdowns {
                @let rows: Vec<charts::Interval> = found.effects.iter().filter_map(|one| one.effect.as_ref().map(|effect| charts::Interval {
                    label: one.dimension.clone(), value: effect.value, low: effect.low, high: effect.high, strong: one.adjusted_p.is_some_and(|p| p < 1.0 - report.level) })).collect();
                figure { (charts::intervals("Effects by value", &rows, "the first goal")) figcaption { (arm) ": p that all effects are the same " (format!("{:.3}", found.heterogeneity_p)) ". Filled dots are told from 0 after adjustment for how many there are." } }
            }
        }
        @if !report.since_exposure.is_empty() {
            h2 { "Since first exposure" }
            @for (arm, found) in &report.since_exposure {
                @let rows: Vec<charts::Interval> = found.days.iter().enumerate().map(|(day, effect)| charts::Interval {
                    label: format!("day {}", day + 1), value: effect.value, low: effect.low, high: effect.high, strong: effect.low > 0.0 || effect.high < 0.0 }).collect();
                figure { (charts::intervals("Effects by day since first exposure", &rows, "the first goal")) figcaption { (arm) ": changes by " (format!("{:.4}", found.slope)) " a day (p " (format!("{:.3}", found.p_value)) "); " (found.n) " units that were followed so long." } }
            }
        }
        h2 { "Who was in it" }
        @let sizes: Vec<(String, f64, String)> = arms(report);
        figure { (charts::bars("Sizes of arms", &sizes)) figcaption { (report.draws) " by arm; p that the lot gave these: " (format!("{:.4}", report.analysis.sample_ratio.p_value)) "." } }
        footer { p { "Written by Youhui " (env!("CARGO_PKG_VERSION")) ". Assignment: " (report.assignment) "." } }
    };
    whole("What the experiment caused", &body)
}

fn warnings(report: &Report) -> Markup {
    html! { @for warning in &report.analysis.warnings { p { span class="tag" { (warning.code) } " " (warning.message) } } }
}

fn arms(report: &Report) -> Vec<(String, f64, String)> {
    let units = &report.analysis.sample_ratio.units;
    report.arm_names.iter().zip(units).map(|(name, units)| (name.clone(), *units as f64, units.to_string())).collect()
}

/// Effects that share a unit share an axis.
fn effects(report: &Report) -> Vec<(String, Vec<charts::Interval>)> {
    let several = report.analysis.arms.len() > 1;
    let label = |arm: &str, metric: &str| if several { format!("{metric} ({arm})") } else { metric.to_owned() };
    let metrics = report.analysis.arms.iter().flat_map(|arm| arm.metrics.iter().map(move |metric| (arm, metric))).map(|(arm, metric)| {
        let strong = metric.low > 0.0 || metric.high < 0.0;
        (
            metric.unit.clone(),
            charts::Interval { label: label(&arm.arm, &metric.metric), value: metric.effect, low: metric.low, high: metric.high, strong },
        )
    });
    by_unit(metrics)
}

fn over_time(arm: &str, looks: &[Look], report: &Report) -> Markup {
    let line = |name, class, of: &dyn Fn(&Look) -> f64| charts::Series {
        name,
        class,
        points: looks.iter().enumerate().map(|(place, look)| (place as f64 + 1.0, of(look))).collect(),
    };
    // The first looks are endless: they would flatten all others.
    let most = looks.iter().skip(looks.len() / 4).flat_map(|look| [look.low.abs(), look.high.abs()]).fold(0.0_f64, f64::max);
    let cut = |value: f64| value.clamp(-most, most);
    let series = [
        line("effect", "main", &|look| look.effect),
        line("holds whenever looked at", "bound", &|look| cut(look.high)),
        line("", "bound", &|look| cut(look.low)),
        line("one look only", "spent", &|look| cut(look.fixed_high)),
        line("", "spent", &|look| cut(look.fixed_low)),
    ];
    let (first, last) = (looks.first().map_or("", |look| look.date.as_str()), looks.last().map_or("", |look| look.date.as_str()));
    html! {
        figure {
            (charts::lines("The effect over time", &series, "looks", &format!("effect on {}", report.analysis.arms[0].metrics.first().map_or("the first goal", |metric| metric.metric.as_str()))))
            figcaption { (arm) ": what was known of the first goal after each date, " (first) " to " (last) ". The outer lines may be looked at every day; the inner ones once, at a date chosen beforehand." }
        }
    }
}
