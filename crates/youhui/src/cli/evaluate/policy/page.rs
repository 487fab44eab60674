//! The page of a policy's value.

use maud::html;
use youhui_evaluation::off_policy::Interval;

use super::super::page::{charts, whole};
use super::Printed;

pub(super) fn html(printed: &Printed) -> String {
    let row = |label: &str, value: Option<f64>, interval: Option<Interval>| {
        let (value, interval) = (value?, interval?);
        Some(charts::Interval {
            label: label.to_owned(),
            value,
            low: interval.low,
            high: interval.high,
            strong: interval.low > printed.logged || interval.high < printed.logged,
        })
    };
    let values: Vec<charts::Interval> = printed.values.iter().filter_map(|one| row(&one.estimator, one.value, one.normal)).collect();
    let differences: Vec<charts::Interval> =
        printed.differences.iter().filter_map(|one| row(&one.estimator, one.difference, one.paired)).collect();
    let weights: Vec<(String, f64, String)> = printed
        .diagnostics
        .weight_quantiles
        .iter()
        .map(|(share, weight)| (format!("{:.1} % of rounds below", 100.0 * share), *weight, format!("{weight:.3}")))
        .collect();
    let body = html! {
        h1 { "What " (printed.policy) " would have earned" }
        p class="source" { (printed.log) ", " (printed.rounds) " rounds, BLAKE3 " (&printed.hash[..16.min(printed.hash.len())]) "…; intervals " (100.0 * printed.level) " %. The log itself earned " (format!("{:.6}", printed.logged)) " a round." }
        @for warning in &printed.warnings { p { span class="tag" { "warning" } " " (warning) } }
        h2 { "Value by estimator" }
        figure { (charts::intervals("Value by estimator", &values, "reward a round")) figcaption { "Filled dots: the interval leaves out what the log itself earned, as it stands. Whether the policy is better is told by comparing it (--against)." } }
        @if !differences.is_empty() {
            h2 { "Less " (printed.against.as_deref().unwrap_or_default()) }
            figure { (charts::intervals("Difference by estimator", &differences, "reward a round")) figcaption { "In the same rounds: paired intervals." } }
        }
        h2 { "Weights" }
        figure { (charts::bars("Importance weights", &weights)) figcaption { "Effective sample size " (format!("{:.0}", printed.diagnostics.effective_sample_size)) " of " (printed.rounds) " rounds: what is left of the log when some rounds stand for many." } }
        footer { p { "Written by Youhui " (env!("CARGO_PKG_VERSION")) "." } }
    };
    whole("What a policy would have earned", &body)
}
