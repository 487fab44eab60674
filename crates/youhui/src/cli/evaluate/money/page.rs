//! The page of a campaign's money.

use maud::{Markup, html};
use youhui_evaluation::fairness::Parity;
use youhui_evaluation::money::{Attribution, Cannibalisation, Figure, Halo, IncrementalMoney};

use super::super::figures::{dip, dot, dot_of, drawn, per_customer, pulled, ratios, returned};
use super::super::page::{by_unit, charts, footer, forest, said, source, whole};
use super::{Fairness, Report};

pub(super) fn html(report: &Report) -> String {
    let body = html! {
        h1 { "What the campaign brought and cost" }
        (source(&report.data, report.rows, &report.hash, report.level))
        (lead(&report.incremental))
        (said("warning", &report.warnings))
        (said("no figure", &report.problems))
        h2 { "A customer" }
        (drawn("Effects during the campaign", per_customer(&report.incremental)))
        h2 { "Returns" }
        (returned(ratios(&report.returns)))
        @if let Some(net) = &report.net {
            h2 { "Before, during and after" }
            (dip(pulled(&net.pull_forward)))
            h2 { "With what came after" }
            (drawn("Effects during the campaign and after it", per_customer(&net.incremental)))
            (returned(ratios(&net.returns)))
        }
        @if let Some(attribution) = &report.attribution { (attributed(attribution)) }
        @if !report.cannibalisation.is_empty() || report.halo.is_some() { (parts(&report.cannibalisation, report.halo.as_ref())) }
        @if let Some(fairness) = &report.fairness { (groups(fairness)) }
        (footer())
    };
    whole("What a campaign brought and cost", &body)
}

/// Whether it paid: revenue is no answer, where profit isn't known.
fn lead(brought: &IncrementalMoney) -> Markup {
    let figure = |figure: &Figure, of: &str| {
        let Figure { value, low, high, n_treated, n_held_out, .. } = figure;
        html! { (format!("{value:.2} [{low:.2}, {high:.2}]")) " " (figure.unit) " of " (of) ", by lot: " (n_treated) " customers treated, " (n_held_out) " held out." }
    };
    let (revenue, profit) = (brought.revenue.as_ref(), brought.profit.as_ref().map(|profit| &profit.per_customer));
    html! {
        p class=(if profit.is_some_and(Figure::is_credibly_positive) { "lead" } else { "lead fallback" }) {
            @if let Some(profit) = profit {
                b { (verdict(profit)) } " " (figure(profit, "contribution profit"))
            } @else {
                b { "Whether it earned more than it cost can't be told: see below." }
                @if let Some(revenue) = revenue { " " (figure(&revenue.per_customer, "revenue, of which costs are to be paid")) }
            }
        }
    }
}

const fn verdict(profit: &Figure) -> &'static str {
    if profit.low > 0.0 {
        "It earned more than it cost."
    } else if profit.high < 0.0 {
        "It cost more than it earned."
    } else {
        "Whether it earned more than it cost isn't told yet."
    }
}

fn attributed(attribution: &Attribution) -> Markup {
    let ways = [("last touch (not causal)", &attribution.last_touch), ("redemption (not causal)", &attribution.redemption)];
    let counted = ways.into_iter().filter_map(|(name, way)| way.as_ref().map(|way| dot_of(name, &way.total)));
    let dots: Vec<charts::Interval> = std::iter::once(dot_of("by the lot (causal)", &attribution.incremental)).chain(counted).collect();
    let messages: Vec<String> = attribution.warnings.iter().map(|warning| warning.message.clone()).collect();
    html! {
        h2 { "Attribution beside what was caused" }
        (forest("Attribution beside the lot", &dots, &attribution.incremental.unit, "What is attributed counts orders that would have been placed anyway and misses others: it is no effect."))
        (said("warning", &messages))
    }
}

fn parts(cannibalisation: &[Cannibalisation], halo: Option<&Halo>) -> Markup {
    html! {
        h2 { "Parts of the assortment" }
        @for one in cannibalisation {
            @let dots = [dot_of("promoted products", &one.promoted), dot_of("products not promoted", &one.rest), dot_of("the category", &one.whole)];
            (forest(&format!("Within {}", one.category), &dots, &one.whole.unit, &format!("Within {}: what the promoted products gained and the others lost.", one.category)))
            (returned([&one.rate]))
        }
        @if let Some(halo) = halo {
            @let dots: Vec<charts::Interval> = halo.categories.iter().map(|figure| dot_of(figure.name.clone(), figure)).chain([dot_of("all of them", &halo.outside)]).collect();
            (forest("On other categories", &dots, &halo.outside.unit, "Halo: effects on categories without promoted products; p-values adjusted for how many there are are in the JSON."))
            @for (category, reason) in &halo.not_judged { p { (category) ": " (reason) } }
        }
    }
}

fn groups(fairness: &Fairness) -> Markup {
    let of_gap = |one: &Parity| (one.unit.clone(), dot(one.name.clone(), one.difference.value, one.difference.low, one.difference.high));
    html! {
        h2 { "By group" }
        @if let Some(effects) = &fairness.effects {
            @let dots: Vec<charts::Interval> = fairness.effects().map(|(group, effect, p)| charts::Interval {
                strong: p.is_some_and(|p| p < 1.0 - effect.level), ..dot(group, effect.value, effect.low, effect.high) }).collect();
            (forest("Effects by group", &dots, &effects.unit, &format!("Effect on revenue; p that all are the same {:.3}. Filled dots are told from 0 after adjustment for how many there are.", effects.breakdown.heterogeneity_p)))
        }
        @for (group, harm) in fairness.harm() { p { (group.group) ": " (harm) "." } }
        @for one in &fairness.parity {
            @let dots: Vec<charts::Interval> = one.groups.iter().map(|group| charts::Interval { strong: group.adjusted_p < 1.0 - one.level, ..dot(group.group.clone(), group.value, group.low, group.high) }).collect();
            (forest(&one.name, &dots, &one.unit, &format!("{}, by group; filled dots differ from all others together, after adjustment.", one.name)))
        }
        @for (unit, dots) in by_unit(fairness.parity.iter().map(of_gap)) {
            (forest("Gaps between groups", &dots, &unit, "The group best off less the group worst off, with intervals that hold together."))
        }
        (said("no figure", &fairness.problems))
    }
}
