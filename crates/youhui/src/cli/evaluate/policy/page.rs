//! The page of a policy's value.

use maud::html;
use youhui_evaluation::off_policy::Interval;

use super::super::page::{charts, whole};
use super::slates::PrintedSlates;
use super::{Found, Printed};

pub(super) fn html(printed: &Printed) -> String {
    let row = |label: &str, value, interval| dot(label, value, interval, printed.logged.value);
    let values: Vec<charts::Interval> = printed.values.iter().filter_map(|one| row(&one.estimator, one.value, one.normal)).collect();
    let differences: Vec<charts::Interval> =
        printed.differences.iter().filter_map(|one| row(&one.estimator, one.difference, one.paired)).collect();
    let loggers: Vec<charts::Interval> =
        printed.loggers.iter().flat_map(of_loggers).filter_map(|(label, value, interval)| row(&label, value, interval)).collect();
    let weights: Vec<(String, f64, String)> = printed
        .diagnostics
        .weight_quantiles
        .iter()
        .map(|(share, weight)| (format!("{:.1} % of rounds below", 100.0 * share), *weight, format!("{weight:.3}")))
        .collect();
    let body = html! {
        h1 { "What " (printed.policy) " would have earned" }
        p class="source" { (printed.log) ", " (printed.rounds) " rounds, BLAKE3 " (&printed.hash[..16.min(printed.hash.len())]) "…; intervals " (100.0 * printed.level) " %. The log itself earned " (earned(printed.logged.value, printed.logged.normal)) ", " (printed.logged.unit) ", n " (printed.logged.n) "." }
        @for warning in &printed.warnings { p { span class="tag" { "warning" } " " (warning) } }
        h2 { "Value by estimator" }
        figure { (charts::intervals("Value by estimator", &values, &printed.logged.unit)) figcaption { "Filled dots: the interval leaves out what the log itself earned, as it stands. Whether the policy is better is told by comparing it (--against)." } }
        @if !differences.is_empty() {
            h2 { "Less " (printed.against.as_deref().unwrap_or_default()) }
            figure { (charts::intervals("Difference by estimator", &differences, &printed.logged.unit)) figcaption { "In the same rounds: paired intervals." } }
        }
        @if !loggers.is_empty() {
            h2 { "Loggers" }
            figure { (charts::intervals("Value by logger", &loggers, &printed.logged.unit)) figcaption { "Each logger by its own rounds alone, then all of them together." } }
        }
        h2 { "Weights" }
        figure { (charts::bars("Importance weights", &weights)) figcaption { "Effective sample size " (format!("{:.0}", printed.diagnostics.effective_sample_size)) " of " (printed.rounds) " rounds: what is left of the log when some rounds stand for many." } }
        footer { p { "Written by Youhui " (env!("CARGO_PKG_VERSION")) "." } }
    };
    whole("What a policy would have earned", &body)
}

pub(super) fn of_slates(printed: &PrintedSlates) -> String {
    let logged = &printed.logged;
    let values: Vec<charts::Interval> =
        printed.values.iter().filter_map(|one| dot(&one.estimator, one.value, one.normal, logged.value)).collect();
    let body = html! {
        h1 { "What slates of " (printed.policy) " would have earned" }
        p class="source" { (printed.log) ", " (printed.slates) " slates, BLAKE3 " (&printed.hash[..16.min(printed.hash.len())]) "…; intervals " (100.0 * printed.level) " %. The log itself earned " (earned(logged.value, logged.normal)) ", " (logged.unit) ", n " (logged.n) "." }
        @for warning in &printed.warnings { p { span class="tag" { "warning" } " " (warning) } }
        h2 { "Value by estimator" }
        figure { (charts::intervals("Value by estimator", &values, &logged.unit)) figcaption { "Filled dots: the interval leaves out what the log itself earned." } }
        footer { p { "Written by Youhui " (env!("CARGO_PKG_VERSION")) "." } }
    };
    whole("What a policy's slates would have earned", &body)
}

/// Strong where the interval leaves out what the log itself earned.
fn dot(label: &str, value: Option<f64>, interval: Option<Interval>, logged: Option<f64>) -> Option<charts::Interval> {
    let (value, interval) = (value?, interval?);
    let strong = logged.is_some_and(|logged| !interval.contains(logged));
    Some(charts::Interval { label: label.to_owned(), value, low: interval.low, high: interval.high, strong })
}

fn earned(value: Option<f64>, interval: Option<Interval>) -> String {
    let number = value.map_or_else(|| "nothing known".to_owned(), |value| format!("{value:.6}"));
    interval.map_or(number.clone(), |interval| format!("{number} [{:.6}, {:.6}]", interval.low, interval.high))
}

fn of_loggers(found: &Found) -> Vec<(String, Option<f64>, Option<Interval>)> {
    let alone = found
        .loggers
        .iter()
        .flat_map(|one| one.values.iter().map(move |value| (format!("{}: {}", one.logger, value.estimator), value.value, value.normal)));
    let together = found.together.iter().map(|one| (format!("{} {}", one.way.replace('_', " "), one.estimator), one.value, one.normal));
    alone.chain(together).collect()
}
