//! The menu: the few of the candidates that are offered at all, before anybody gets anything.

use maud::{Markup, html};
use serde_json::{Value, json};
use youhui_design::Proposal;
use youhui_design::menu::{Menu, MenuItem, MenuTerms, Worth, choose_menu};

use super::Run;
use super::plan::Offering;

/// Chooses the menu by what customers outside the holdout would bring, and takes every other
/// candidate off the offerings. Amounts in major units.
pub(crate) fn choose(offerings: &mut [Vec<Offering>], held_out: &[bool], proposal: &Proposal, budget: f64) -> Menu {
    let kind =
        |candidate: &youhui_design::Candidate| candidate.promotion.get().effects.first().map_or("", |effect| effect.name()).to_owned();
    let mut items: Vec<MenuItem> =
        proposal.candidates.iter().map(|candidate| MenuItem { mechanic: kind(candidate), worth: vec![] }).collect();
    for (customer, (theirs, _)) in offerings.iter().zip(held_out).enumerate().filter(|(_, (_, held_out))| !**held_out) {
        for offering in theirs {
            items[offering.candidate].worth.push(Worth { customer, value: offering.profit(), cost: offering.cost });
        }
    }
    let menu = choose_menu(&items, offerings.len(), &MenuTerms { budget: Some(budget), ..MenuTerms::default() });
    offerings.iter_mut().for_each(|theirs| theirs.retain(|offering| menu.has(offering.candidate)));
    menu
}

fn promotion_id(run: &Run, candidate: usize) -> &str {
    &run.proposal.candidates[candidate].promotion.get().promotion_id
}

/// `menu` in `plan.json`.
pub(crate) fn json(run: &Run) -> Value {
    let menu = &run.plan.menu;
    let chosen = menu.chosen.iter().map(|choice| {
        json!({
            "promotion_id": promotion_id(run, choice.candidate),
            "adds": choice.adds,
            "customers": choice.customers,
            "only": choice.only,
            "stands_for": choice.stands_for.iter().map(|&other| promotion_id(run, other)).collect::<Vec<_>>(),
            "why": choice.explain(|amount| run.money(amount)),
        })
    });
    json!({
        "chosen": chosen.collect::<Vec<_>>(),
        "candidates": run.proposal.candidates.len(),
        "most": MenuTerms::default().most,
        "value": menu.value,
        "cost": menu.cost,
        "bound": menu.upper_bound,
        "reaches": menu.reaches(),
        "price_of_money": menu.price_of_money,
        "basis": format!("predicted, {}", super::summary::rests_on(run)),
        "explanation": explanation(run),
    })
}

/// The menu as a whole, in words.
fn explanation(run: &Run) -> String {
    let menu = &run.plan.menu;
    let candidates = run.proposal.candidates.len();
    if menu.chosen.is_empty() {
        return format!("None of {candidates} candidates is expected to bring more than it costs: the menu is empty.");
    }
    format!(
        "{} of {candidates} candidates are offered at all. Within the budget they are expected to bring {}; no menu of at most {} could bring more than {}, so this one reaches {:.1} % of the best for certain.",
        menu.chosen.len(),
        run.money(menu.value),
        MenuTerms::default().most,
        run.money(menu.upper_bound),
        100.0 * menu.reaches()
    )
}

/// The section of the report.
pub(crate) fn section(run: &Run) -> Markup {
    html! {
        h2 { "Menu" }
        p { (explanation(run)) " " span class="tag" { "predicted" } }
        @if !run.plan.menu.chosen.is_empty() {
            div class="scroll" { table {
                thead { tr { th { "promotion" } th { "adds" } th { "customers" } th { "why" } } }
                tbody {
                    @for choice in &run.plan.menu.chosen {
                        @let promotion = run.proposal.candidates[choice.candidate].promotion.get();
                        tr {
                            td { b { (promotion.title()) } " " span class="muted" { (promotion.promotion_id) } }
                            td { (run.money(choice.adds)) }
                            td { (choice.customers) }
                            td { "It " (choice.explain(|amount| run.money(amount))) "." }
                        }
                    }
                }
            } }
        }
    }
}
