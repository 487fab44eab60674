//! The menu: the few of the candidates that are offered at all, before anybody gets anything.

use maud::{Markup, html};
use serde_json::{Value, json};
use youhui_commerce::{Currency, Money};
use youhui_design::Proposal;
use youhui_design::menu::{Menu, MenuItem, MenuTerms, Worth, choose_menu};
use youhui_promotion::Promotion;

use super::Run;
use super::plan::Offering;

/// Chooses the menu by what customers outside the holdout would bring, and takes every other
/// candidate off the offerings. Amounts in major units.
pub(crate) fn choose(offerings: &mut [Vec<Offering>], held_out: &[bool], proposal: &Proposal, budget: f64, most: usize) -> Menu {
    let kind =
        |candidate: &youhui_design::Candidate| candidate.promotion.get().effects.first().map_or("", |effect| effect.name()).to_owned();
    let mut items: Vec<MenuItem> =
        proposal.candidates.iter().map(|candidate| MenuItem { mechanic: kind(candidate), worth: vec![] }).collect();
    for (customer, (theirs, _)) in offerings.iter().zip(held_out).enumerate().filter(|(_, (_, held_out))| !**held_out) {
        for offering in theirs {
            items[offering.candidate].worth.push(Worth { customer, value: offering.profit(), cost: offering.cost });
        }
    }
    let menu = choose_menu(&items, offerings.len(), &MenuTerms { most, budget: Some(budget), ..MenuTerms::default() });
    offerings.iter_mut().for_each(|theirs| theirs.retain(|offering| menu.has(offering.candidate)));
    menu
}

/// A menu and what has to be said with it.
pub(crate) struct Shown<'a> {
    pub(crate) menu: &'a Menu,
    pub(crate) proposal: &'a Proposal,
    pub(crate) most: usize,
    pub(crate) currency: Currency,
    /// What its figures rest on.
    pub(crate) basis: String,
}

impl<'a> Shown<'a> {
    /// The menu of a run.
    pub(crate) fn of(run: &'a Run) -> Self {
        let basis = format!("predicted, {}", super::summary::rests_on(run));
        let currency = run.loaded.shop.currency;
        Self { menu: &run.plan.menu, proposal: &run.proposal, most: MenuTerms::default().most, currency, basis }
    }

    fn promotion(&self, candidate: usize) -> &Promotion {
        self.proposal.candidates[candidate].promotion.get()
    }

    fn money(&self, major: f64) -> String {
        Money::new(youhui_profile::shop::to_minor(major * self.currency.minor_units() as f64), self.currency).to_string()
    }

    /// `menu` in `plan.json`.
    pub(crate) fn json(&self) -> Value {
        let menu = self.menu;
        let chosen = menu.chosen.iter().map(|choice| {
            json!({
                "promotion_id": self.promotion(choice.candidate).promotion_id,
                "adds": choice.adds,
                "customers": choice.customers,
                "only": choice.only,
                "stands_for": choice.stands_for.iter().map(|&other| &self.promotion(other).promotion_id).collect::<Vec<_>>(),
                "why": choice.explain(|amount| self.money(amount)),
            })
        });
        json!({
            "chosen": chosen.collect::<Vec<_>>(),
            "candidates": self.proposal.candidates.len(),
            "most": self.most,
            "value": menu.value,
            "cost": menu.cost,
            "bound": menu.upper_bound,
            "reaches": menu.reaches(),
            "price_of_money": menu.price_of_money,
            "basis": self.basis,
            "explanation": self.explanation(),
        })
    }

    /// The menu as a whole, in words.
    fn explanation(&self) -> String {
        let (menu, candidates) = (self.menu, self.proposal.candidates.len());
        if menu.chosen.is_empty() {
            return format!("None of {candidates} candidates is expected to bring more than it costs: the menu is empty.");
        }
        format!(
            "{} of {candidates} candidates are offered at all. Within the budget they are expected to bring {}; no menu of at most {} could bring more than {}, so this one reaches {:.1} % of the best for certain.",
            menu.chosen.len(),
            self.money(menu.value),
            self.most,
            self.money(menu.upper_bound),
            100.0 * menu.reaches()
        )
    }
}

/// The section of the report.
pub(crate) fn section(run: &Run) -> Markup {
    let shown = Shown::of(run);
    html! {
        h2 { "Menu" }
        p { (shown.explanation()) " " span class="tag" { "predicted" } }
        @if !shown.menu.chosen.is_empty() {
            div class="scroll" { table {
                thead { tr { th { "promotion" } th { "adds" } th { "customers" } th { "why" } } }
                tbody {
                    @for choice in &shown.menu.chosen {
                        @let promotion = shown.promotion(choice.candidate);
                        tr {
                            td { b { (promotion.title()) } " " span class="muted" { (promotion.promotion_id) } }
                            td { (shown.money(choice.adds)) }
                            td { (choice.customers) }
                            td { "It " (choice.explain(|amount| shown.money(amount))) "." }
                        }
                    }
                }
            } }
        }
    }
}
