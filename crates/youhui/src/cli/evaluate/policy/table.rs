//! A policy's value for people.

use youhui_evaluation::off_policy::{Interval, PolicyValue};

use super::slates::PrintedSlates;
use super::{Found, Printed};

pub(super) fn of_rounds(printed: &Printed) -> String {
    let logged = &printed.logged;
    let mut lines = vec![format!(
        "{} in {} rounds; the log itself earned {} {} ({}, n {})",
        printed.policy,
        printed.rounds,
        number(logged.value),
        interval(logged.normal),
        logged.unit,
        logged.n
    )];
    lines.extend(of_values(&printed.values));
    if let Some(other) = &printed.other {
        lines.push(format!("{} in the same rounds", other.policy));
        lines.extend(of_values(&other.values));
        lines.push(format!("less {}, in the same rounds", other.policy));
        lines.extend(printed.differences.iter().map(|one| row(&one.estimator, one.difference, &[one.paired, one.bootstrap])));
    }
    if let Some(found) = &printed.loggers {
        lines.extend(of_loggers(found));
    }
    finished(lines, &printed.warnings, printed.run.as_deref())
}

pub(super) fn of_slates(printed: &PrintedSlates) -> String {
    let logged = &printed.logged;
    let mut lines = vec![format!(
        "{} in {} slates of {} positions; the log itself earned {} {} ({}, n {})",
        printed.policy,
        printed.slates,
        printed.positions,
        number(logged.value),
        interval(logged.normal),
        logged.unit,
        logged.n
    )];
    lines.push(row_of(["estimator", "value", "normal", "bootstrap"]));
    lines.extend(printed.values.iter().map(|value| row(&value.estimator, value.value, &[value.normal, value.bootstrap])));
    finished(lines, &printed.warnings, printed.run.as_deref())
}

fn of_values(values: &[PolicyValue]) -> Vec<String> {
    let head = row_of(["estimator", "value", "normal", "bootstrap"]) + &format!(" {:>24}", "Bernstein");
    let of = |value: &PolicyValue| row(&value.estimator, value.value, &[value.normal, value.bootstrap, value.empirical_bernstein]);
    std::iter::once(head).chain(values.iter().map(of)).collect()
}

fn of_loggers(found: &Found) -> Vec<String> {
    let mut lines = vec![row_of(["by one logger alone", "value", "normal", "rounds, effective"])];
    for one in &found.loggers {
        let effective = one.diagnostics.as_ref().map_or(0.0, |of| of.effective_sample_size);
        let rounds = format!("{} ({:.1} %), {effective:.1}", one.rounds, 100.0 * one.share_of_rounds);
        lines.push(
            row(
                &format!("{}: logged", one.logger),
                one.logged.as_ref().and_then(|of| of.value),
                &[one.logged.as_ref().and_then(|of| of.normal)],
            ) + &format!(" {rounds:>24}"),
        );
        lines.extend(one.values.iter().map(|value| row(&format!("{}: {}", one.logger, value.estimator), value.value, &[value.normal])));
    }
    lines.push(row_of(["by all of them", "value", "normal", "bootstrap"]));
    for one in &found.together {
        lines.push(row(&format!("{} {}", one.way.replace('_', " "), one.estimator), one.value, &[one.normal, one.bootstrap]));
        lines.extend(one.shares.iter().map(|share| format!("    {} counts for {:.1} %", share.logger, 100.0 * share.share)));
    }
    lines
}

/// Names come from files: none of them ends a line.
fn finished(mut lines: Vec<String>, warnings: &[String], run: Option<&str>) -> String {
    lines.extend(warnings.iter().map(|warning| format!("warning: {warning}")));
    lines.extend(run.map(|run| format!("kept as run {run}")));
    lines.iter().map(|line| line.replace(['\n', '\r'], " ")).collect::<Vec<_>>().join("\n")
}

fn row(name: &str, value: Option<f64>, intervals: &[Option<Interval>]) -> String {
    let intervals: Vec<String> = intervals.iter().map(|of| format!("{:>24}", interval(*of))).collect();
    format!("{name:<34} {:>12}  {}", number(value), intervals.join(" "))
}

fn row_of([name, value, first, second]: [&str; 4]) -> String {
    format!("{name:<34} {value:>12}  {first:>24} {second:>24}")
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "none".to_owned(), |value| format!("{value:.6}"))
}

fn interval(interval: Option<Interval>) -> String {
    interval.map_or_else(|| "-".to_owned(), |interval| format!("[{:.6}, {:.6}]", interval.low, interval.high))
}
