//! The page of a campaign's money.

use maud::{Markup, html};
use youhui_evaluation::fairness::Parity;
use youhui_evaluation::money::{Attribution, Cannibalisation, Figure, Halo};

use super::super::figures::{dip, dot, dot_of, drawn, per_customer, ratios, returned};
use super::super::page::{by_unit, charts, footer, forest, said, source, whole};
use super::{Fairness, Report};

pub(super) fn html(report: &Report) -> String {
    let profit = &report.incremental.profit.per_customer;
    let (held_out, treated) = (profit.n_held_out, profit.n_treated);
    let body = html! {
        h1 { "What the campaign brought and cost" }
        (source(&report.data, report.rows, &report.hash, report.level))
        p class=(if profit.is_credibly_positive() { "lead" } else { "lead fallback" }) {
            b { (verdict(profit)) } " " (format!("{:.2} [{:.2}, {:.2}]", profit.value, profit.low, profit.high)) " " (profit.unit)
            " of contribution profit, by lot: " (treated) " customers treated, " (held_out) " held out."
        }
        (said("warning", &report.warnings))
        h2 { "A customer" }
        (drawn("Effects during the campaign", per_customer(&report.incremental)))
        h2 { "Returns" }
        (returned(ratios(&report.returns)))
        @if let Some(net) = &report.net {
            h2 { "Before, during and after" }
            (dip([&net.pull_forward.revenue, &net.pull_forward.profit, &net.pull_forward.orders]))
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
    let dots = [
        dot_of("by the lot (causal)", &attribution.incremental),
        dot_of("last touch (not causal)", &attribution.last_touch.total),
        dot_of("redemption (not causal)", &attribution.redemption.total),
    ];
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
            @let dots: Vec<charts::Interval> = effects.breakdown.effects.iter().filter_map(|one| one.effect.as_ref().map(|effect| charts::Interval {
                strong: one.adjusted_p.is_some_and(|p| p < 1.0 - effect.level), ..dot(one.dimension.clone(), effect.value, effect.low, effect.high) })).collect();
            (forest("Effects by group", &dots, &effects.unit, &format!("Effect on revenue; p that all are the same {:.3}. Filled dots are told from 0 after adjustment for how many there are.", effects.breakdown.heterogeneity_p)))
        }
        @for one in &fairness.parity {
            @let dots: Vec<charts::Interval> = one.groups.iter().map(|group| charts::Interval { strong: group.adjusted_p < 0.05, ..dot(group.group.clone(), group.value, group.low, group.high) }).collect();
            (forest(&one.name, &dots, &one.unit, &format!("{}, by group; filled dots differ from all others together, after adjustment.", one.name)))
        }
        @for (unit, dots) in by_unit(fairness.parity.iter().map(of_gap)) {
            (forest("Gaps between groups", &dots, &unit, "The group best off less the group worst off, with intervals that hold together."))
        }
        (said("no figure", &fairness.problems))
    }
}
