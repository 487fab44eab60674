//! The loop up to the menu: what `youhui design` does.

use serde_json::{Value, json};
use youhui_design::Goal;
use youhui_design::law::Market;
use youhui_profile::price_response::price_response;
use youhui_response::EffectModel;

use super::menu::Shown;
use super::{Amounts, Brief, Source, customers, judge, menu, nobody, plan, prices, source, summary};
use crate::cli::{CliError, Console};

/// What is to be designed.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) source: Source,
    pub(crate) goals: Vec<Goal>,
    pub(crate) market: Market,
    /// Most promotions on the menu.
    pub(crate) most: usize,
    /// Major units; `None`: 1 % of the last 28 days' revenue.
    pub(crate) budget: Option<f64>,
    /// Major units.
    pub(crate) contact_cost: f64,
    pub(crate) margin_floor: f64,
}

/// Of the identifiers that the bundled sample's customers get; nothing else is drawn.
const SEED: u64 = 1;

/// Candidates, refused drafts and the menu. Effects are learnt as in the demo, without the sequence
/// encoder.
pub(crate) fn design(request: &Request, console: Console) -> Result<Value, CliError> {
    let fetched = source::fetch(&request.source, console)?;
    let opened = source::open(&request.source, fetched.as_deref(), SEED, &|_| {})?;
    let loaded = customers::load(&opened.store)?;
    let (known, withheld) = customers::permitted_features(&loaded);
    if known.is_empty() {
        return Err(nobody(&opened.name));
    }
    let money = Amounts::of(request.budget, request.contact_cost, &loaded.shop)?;
    let lifetimes = customers::lifetimes(&known);
    let customers = customers::assemble(&loaded, known, withheld, lifetimes, Err("not needed to design".to_owned()));
    let brief = Brief { goals: &request.goals, margin_floor: request.margin_floor, market: request.market };
    let proposal = super::design(&brief, &loaded, &customers);
    let learnt = judge::learn_from_campaigns(&loaded, &customers, request.contact_cost).map(|response| response.model);
    let model = learnt.or_else(|| price_response(&loaded.buckets, &loaded.shop, loaded.span.end).map(EffectModel::from_prices));
    let mut offerings = plan::predict(&loaded, &customers, &proposal, model.as_ref(), money.contact_cost);
    let budget = loaded.shop.currency.major(plan::budget_of(&customers, money.budget));
    let chosen = menu::choose(&mut offerings, &vec![false; customers.profiles.len()], &proposal, budget, request.most);
    let basis = format!("predicted, {}", summary::rests_on_model(model.as_ref()));
    let shown = Shown { menu: &chosen, proposal: &proposal, most: request.most, currency: loaded.shop.currency, basis };
    let candidate = |candidate: &youhui_design::Candidate| {
        json!({
            "promotion": candidate.promotion,
            "claims": candidate.promotion.claims(),
            "disclosures": candidate.promotion.disclosures(),
            "reason": candidate.reason,
            "figures": candidate.figures,
        })
    };
    Ok(json!({
        "schema_version": 1,
        "source": opened.name,
        "market": request.market.name(),
        "goals": request.goals.iter().map(|goal| goal.name()).collect::<Vec<_>>(),
        "budget": budget,
        "candidates": proposal.candidates.iter().map(candidate).collect::<Vec<_>>(),
        "refused": proposal.refused.iter().map(|(what, why)| json!({"what": what, "why": why})).collect::<Vec<_>>(),
        "menu": shown.json(),
        "prices": brief.needs_prices().then_some(prices::INFERRED),
    }))
}
