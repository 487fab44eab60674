//! The page of what was run without a holdout.

use maud::{Markup, html};
use youhui_evaluation::observational::Observed;

use super::super::figures::dot;
use super::super::page::{by_unit, charts, footer, forest, said, source, whole};
use super::{Around, Path, Placebos, Point, Report};

pub(super) fn html(report: &Report) -> String {
    let estimates =
        report.found.iter().map(|one| (one.effect.unit.to_owned(), dot(one.method, one.effect.value, one.effect.low, one.effect.high)));
    let body = html! {
        h1 { "What the campaign seems to have done" }
        (source(&report.data, report.rows as u64, &report.hash, report.level))
        p class="lead fallback" {
            b { "Observational. " } "Nobody was held out by lot: each figure is the effect on " (report.outcome) " only if its assumption holds, which no data can show. "
            (alarms(&report.found))
        }
        h2 { "Estimates beside each other" }
        @for (unit, dots) in by_unit(estimates) {
            (forest("Estimates", &dots, &unit, "One campaign, each estimator under its own assumption; an interval that goes on beyond the axis is endless. Filled dots leave out 0."))
        }
        @if !report.pictures.around_start.is_empty() { h2 { "Around the start" } }
        @for (method, around) in &report.pictures.around_start { (event_study(method, around)) }
        @if !report.pictures.paths.is_empty() { h2 { "What happened, and what would have" } }
        @for path in &report.pictures.paths { (over_time(path, &report.outcome)) }
        @if let Some(placebos) = &report.pictures.placebos { h2 { "Placebos" } (distribution(placebos)) }
        h2 { "Assumptions and checks" }
        @for one in &report.found { (checks(one)) }
        (said("note", &report.notes))
        (said("no figure", &report.problems))
        (footer())
    };
    whole("What a campaign without a holdout seems to have done", &body)
}

fn alarms(found: &[Observed]) -> String {
    let alarmed: Vec<&str> = found.iter().filter(|one| one.alarms()).map(|one| one.method).collect();
    if alarmed.is_empty() {
        "No check alarms, which proves nothing.".to_owned()
    } else {
        format!("Checks alarm for {}: don't believe these.", alarmed.join(", "))
    }
}

fn event_study(method: &str, around: &[Around]) -> Markup {
    let line = |name, class, of: &dyn Fn(&Around) -> f64| charts::Series {
        name,
        class,
        points: around.iter().map(|one| (one.relative as f64, of(one))).filter(|(_, value)| value.is_finite()).collect(),
    };
    let series = [line("effect", "main", &|one| one.value), line("interval", "bound", &|one| one.low), line("", "bound", &|one| one.high)];
    html! {
        figure {
            (charts::lines(&format!("Effects around the start: {method}"), &series, "periods since the start", "effect"))
            figcaption { (method) ": effects before 0 should be 0 if the assumption holds; each interval is for its period alone." }
        }
    }
}

fn over_time(path: &Path, outcome: &str) -> Markup {
    let first = path.points.iter().position(|point| point.treated).unwrap_or(0) as f64;
    let line = |name, class, of: &dyn Fn(&Point) -> Option<f64>| charts::Series {
        name,
        class,
        // The start is 0: periods may be numbered by any calendar.
        points: path
            .points
            .iter()
            .enumerate()
            .filter_map(|(place, point)| of(point).filter(|value| value.is_finite()).map(|value| (place as f64 - first, value)))
            .collect(),
    };
    let series = [
        line("what happened", "main", &|point| Some(point.actual)),
        line("without the campaign", "spent", &|point| point.expected),
        line("its interval", "bound", &|point| point.low),
        line("", "bound", &|point| point.high),
    ];
    let series: Vec<charts::Series> = series.into_iter().filter(|series| !series.points.is_empty()).collect();
    let start = path.points.iter().find(|point| point.treated).map_or_else(String::new, |point| format!(" (period {})", point.period));
    html! {
        figure {
            (charts::levels(&format!("{}: {}", path.method, path.of), &series, "periods since the start", outcome))
            figcaption { (path.method) ": " (path.of) "; the campaign starts at 0" (start) ". The upright axis needn't begin at 0." }
        }
    }
}

/// Bins of a histogram.
const BINS: usize = 12;

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of the bins, at least 0")]
fn distribution(placebos: &Placebos) -> Markup {
    let all = || placebos.donors.iter().copied().filter(|ratio| ratio.is_finite());
    let most = all().chain(Some(placebos.treated).filter(|ratio| ratio.is_finite())).fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    let bin = |ratio: f64| ((ratio / most * BINS as f64) as usize).min(BINS - 1);
    let mut counts = [0.0; BINS];
    all().for_each(|ratio| counts[bin(ratio)] += 1.0);
    let own = bin(placebos.treated);
    let bars: Vec<(String, f64)> = counts
        .iter()
        .enumerate()
        .map(|(place, count)| {
            let from = charts::short(most * place as f64 / BINS as f64);
            (if place == own { format!("▲{from}") } else { from }, *count)
        })
        .collect();
    html! {
        figure {
            (charts::columns("Ratios of errors after and before", &bars, "donors, by their ratio of errors after and before"))
            figcaption {
                "Each of " (placebos.donors.len()) " donors as if it had been treated; the treated series stands at ▲ ("
                (format!("{:.3}", placebos.treated)) "), p " (format!("{:.3}", placebos.p_value)) ". Where it stands among donors, chance does as much."
            }
        }
    }
}

fn checks(one: &Observed) -> Markup {
    html! {
        h3 { (one.method) }
        p { "Assumes: " (one.assumption) "." }
        table {
            tr { th { "check" } th { "value" } th { "p" } th { "" } }
            @for check in &one.checks {
                tr { td { (check.reads) } td { (format!("{:.4}", check.value)) } td { (format!("{:.4}", check.p_value)) } td { (if check.alarm { "ALARM" } else { "no alarm" }) } }
            }
        }
        @for warning in &one.warnings { p { span class="tag" { (warning.code) } " " (warning.message) } }
    }
}
