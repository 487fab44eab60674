//! Figures of money as they are printed, drawn and kept.

use maud::{Markup, html};
use serde_json::{Value, json};
use youhui_evaluation::money::{FiellerSet, Figure, Incremental, IncrementalMoney, PullForward, PulledForward, RatioFigure, Returns};

use super::page::{by_unit, charts, forest};

/// A line for people.
pub(super) fn line(figure: &Figure) -> String {
    format!("  {:<44} {:>14.2}  [{:.2}, {:.2}] {} ({:?})", figure.name, figure.value, figure.low, figure.high, figure.unit, figure.causal)
}

/// The same of a ratio; where there is no interval it says so.
pub(super) fn ratio_line(ratio: &RatioFigure) -> String {
    let value = ratio.value.map_or_else(|| "none".to_owned(), |value| format!("{value:.3}"));
    let set = match (&ratio.note, ratio.set.interval()) {
        (Some(note), _) => note.clone(),
        (None, Some((low, high))) => format!("[{low:.3}, {high:.3}]"),
        (None, None) => String::new(),
    };
    format!("  {:<44} {value:>14}  {set} {}", ratio.name, ratio.unit)
}

/// What a snapshot remembers of a value with its interval: the same names for every command, so that runs can be compared.
pub(super) fn entries(name: &str, effect: Option<f64>, interval: Option<(f64, f64)>, n: u64) -> [(String, Value); 4] {
    let (low, high) = interval.unzip();
    [("effect", json!(effect)), ("low", json!(low)), ("high", json!(high)), ("n", json!(n))]
        .map(|(what, value)| (format!("{name}.{what}"), value))
}

pub(super) fn figure_entries(prefix: &str, figure: &Figure) -> [(String, Value); 4] {
    let name = format!("{prefix}{}", figure.name);
    entries(&name, Some(figure.value), Some((figure.low, figure.high)), figure.n_held_out + figure.n_treated)
}

/// A set that is no interval has no ends, and its kind says so.
pub(super) fn ratio_entries(prefix: &str, ratio: &RatioFigure) -> impl Iterator<Item = (String, Value)> {
    let name = format!("{prefix}{}", ratio.name);
    let set = match ratio.set {
        FiellerSet::Interval { .. } => "interval",
        FiellerSet::Outside { .. } => "outside",
        FiellerSet::Everything => "everything",
    };
    let figures = entries(&name, ratio.value, ratio.set.interval(), ratio.n_held_out + ratio.n_treated);
    figures.into_iter().chain(std::iter::once((format!("{name}.set"), json!(set))))
}

/// A dot with its interval, filled where the interval leaves out 0.
pub(super) fn dot(label: impl Into<String>, value: f64, low: f64, high: f64) -> charts::Interval {
    charts::Interval { label: label.into(), value, low, high, strong: low > 0.0 || high < 0.0 }
}

pub(super) fn dot_of(label: impl Into<String>, figure: &Figure) -> charts::Interval {
    dot(label, figure.value, figure.low, figure.high)
}

/// A ratio with its set, which may reach beyond any axis.
pub(super) fn dot_of_ratio(ratio: &RatioFigure) -> charts::Interval {
    let (low, high) = match ratio.set {
        FiellerSet::Interval { low, high } => (low, high),
        // All up to one end and from the other on: ends change places.
        FiellerSet::Outside { below, above } => (above, below),
        FiellerSet::Everything => (f64::NEG_INFINITY, f64::INFINITY),
    };
    let strong = ratio.set.interval().is_some() && !ratio.set.contains(0.0);
    charts::Interval { label: ratio.name.clone(), value: ratio.value.unwrap_or(f64::NAN), low, high, strong }
}

/// What can be judged of what a campaign brought.
fn brought(of: &IncrementalMoney) -> impl Iterator<Item = &Incremental> {
    [of.revenue.as_ref(), of.profit.as_ref(), of.orders.as_ref(), Some(&of.spend)].into_iter().flatten()
}

pub(super) fn per_customer(of: &IncrementalMoney) -> impl Iterator<Item = &Figure> {
    brought(of).map(|one| &one.per_customer)
}

pub(super) fn totals(of: &IncrementalMoney) -> impl Iterator<Item = &Figure> {
    brought(of).map(|one| &one.total)
}

pub(super) fn ratios(of: &Returns) -> impl Iterator<Item = &RatioFigure> {
    [&of.cost_per_incremental_order, &of.return_on_promotion_spend, &of.return_on_investment].into_iter().flatten()
}

pub(super) fn pulled(of: &PulledForward) -> impl Iterator<Item = &PullForward> {
    [&of.revenue, &of.profit, &of.orders].into_iter().flatten()
}

/// Effects and returns as charts: what shares a unit shares an axis.
pub(super) fn drawn<'a>(title: &str, figures: impl IntoIterator<Item = &'a Figure>) -> Markup {
    let dots = figures.into_iter().map(|figure| (figure.unit.clone(), dot_of(figure.name.clone(), figure)));
    html! {
        @for (unit, dots) in by_unit(dots) { (forest(title, &dots, &unit, "Treated less held out, each with its interval; filled dots are told from 0.")) }
    }
}

/// Each ratio on an axis of its own: one that has no interval would flatten the others.
pub(super) fn returned<'a>(ratios: impl IntoIterator<Item = &'a RatioFigure>) -> Markup {
    html! {
        @for ratio in ratios {
            @let caption = ratio.note.clone().unwrap_or_else(|| "Fieller's set: all ratios that the data don't reject.".to_owned());
            (forest(&ratio.name, &[dot_of_ratio(ratio)], &ratio.unit, &caption))
        }
    }
}

/// Before, during and after: what was only bought ahead is missing after.
pub(super) fn dip<'a>(of: impl IntoIterator<Item = &'a PullForward>) -> Markup {
    html! {
        @for one in of {
            @let named = [("before", one.before.as_ref()), ("during", Some(&one.during)), ("after", Some(&one.after)), ("during and after", Some(&one.net))];
            @let dots: Vec<charts::Interval> = named.into_iter().filter_map(|(when, figure)| figure.map(|figure| dot_of(when, figure))).collect();
            (forest(&one.during.name, &dots, &one.during.unit, &format!(
                "{}, treated less held out: before it is what the lot gave by chance, after it a dip is what was bought ahead. {}.", one.during.name, share(&one.share))))
        }
    }
}

fn share(ratio: &RatioFigure) -> String {
    let value = ratio.value.map_or_else(|| "none".to_owned(), |value| format!("{value:.3}"));
    match (ratio.set.interval(), &ratio.note) {
        (Some((low, high)), _) => format!("{}: {value} [{low:.3}, {high:.3}]", ratio.name),
        (None, note) => format!("{}: {value}; {}", ratio.name, note.as_deref().unwrap_or("no interval")),
    }
}
