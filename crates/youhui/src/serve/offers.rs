//! What is offered: read from a file, made ready to be priced.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Deserialize;
use serde_json::Value;
use youhui_commerce::{Currency, Micros};
use youhui_decision::{Belief, Exploration, Offer, Snapshot};
use youhui_design::law::{Disclosure, Feature, Market, disclosures};
use youhui_profile::live::CONTEXT_WIDTH;
use youhui_promotion::{Promotion, Promotions, read_promotion};

/// A file of offers.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema_version: u32,
    campaign_id: String,
    #[serde(default = "one")]
    campaign_version: u32,
    market: String,
    #[serde(default = "tenth")]
    holdout_share: f64,
    #[serde(default)]
    exploration: Exploration,
    /// A decision stands for so long, and its outcome is what happens within.
    #[serde(default = "fortnight")]
    window_days: f64,
    /// Profit as a share of list prices, before discounts.
    #[serde(default = "third")]
    margin: f64,
    /// What is seen counts half after so many days.
    #[serde(default = "quarter")]
    half_life_days: f64,
    offers: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    promotion: Value,
    #[serde(default)]
    placements: Vec<String>,
    #[serde(default)]
    twin: bool,
    /// What it is expected to bring a customer, in minor units of profit, and how well that is known.
    #[serde(default)]
    predicted: f64,
    std_error: f64,
}

const fn one() -> u32 {
    1
}

const fn tenth() -> f64 {
    0.1
}

const fn fortnight() -> f64 {
    14.0
}

const fn third() -> f64 {
    0.3
}

const fn quarter() -> f64 {
    90.0
}

/// What decisions are made with, and what they show. The first changes with what is learnt.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    pub(crate) snapshot: Snapshot,
    pub(crate) offered: Arc<Offered>,
}

/// What is shown, and how it is learnt from.
#[derive(Debug)]
pub(crate) struct Offered {
    /// One an offer, in its order.
    pub(crate) ready: Vec<Ready>,
    /// Every placement that an offer names.
    pub(crate) placements: Vec<String>,
    pub(crate) window: Micros,
    /// What has to be said of what is personal.
    pub(crate) disclosures: Vec<Disclosure>,
    pub(crate) currency: Currency,
    pub(crate) margin: f64,
    pub(crate) half_life: Micros,
    /// Standard errors of the response model, one an offer.
    pub(crate) std_errors: Vec<f64>,
}

/// A promotion, ready.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) promotion: Promotion,
    /// It alone, to price a basket with.
    pub(crate) set: Promotions,
    pub(crate) texts: BTreeMap<String, Value>,
    /// Nothing is left of one of its limits.
    pub(crate) exhausted: AtomicBool,
}

impl Ready {
    /// Whether its time has come and there is something left.
    pub(crate) fn can_be_shown(&self, time: Micros) -> bool {
        !self.exhausted.load(Ordering::Relaxed) && self.promotion.schedule.runs(time)
    }
}

/// What decisions depend on: contexts, and what was learnt of customers like this one.
const PERSONAL: [Feature; 4] = [Feature::Orders, Feature::Spend, Feature::Recency, Feature::PredictedResponse];

/// Reads a file of offers, or what `youhui design --format json` printed.
///
/// # Errors
/// What is wrong with it, as a JSON pointer and a remedy.
pub(crate) fn read(text: &str, version: u64) -> Result<Live, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
    let value = if value.get("menu").is_some() { of_design(&value)? } else { value };
    let file: File = serde_json::from_value(value).map_err(|error| {
        format!("{error}. Give schema_version 1, campaign_id, market, and offers, each with a promotion and a std_error")
    })?;
    if file.schema_version != 1 {
        return Err(format!("/schema_version: {}: this program reads version 1", file.schema_version));
    }
    let within = |pointer: &str, number: f64, from: f64, to: f64| {
        if (from..=to).contains(&number) { Ok(()) } else { Err(format!("{pointer}: {number}: give a number from {from} to {to}")) }
    };
    within("/holdout_share", file.holdout_share, 0.0, 0.5)?;
    within("/exploration/floor", file.exploration.floor, 0.0, 1.0)?;
    within("/window_days", file.window_days, 1e-6, 366.0)?;
    within("/margin", file.margin, 0.0, 1.0)?;
    within("/half_life_days", file.half_life_days, 1e-3, 36_600.0)?;
    let market =
        Market::from_name(&file.market).ok_or_else(|| format!("/market: write one of {}", Market::ALL.map(Market::name).join(", ")))?;
    if market == Market::China {
        return Err("/market: what a person gets may not depend on spending in China (价格行为规则): this server learns from it. Serve another market".to_owned());
    }
    let (mut offers, mut ready, mut std_errors, mut currency) = (vec![], vec![], vec![], None);
    for (place, entry) in file.offers.into_iter().enumerate() {
        let pointer = format!("/offers/{place}");
        within(&format!("{pointer}/std_error"), entry.std_error, 1e-3, 1e12)?;
        within(&format!("{pointer}/predicted"), entry.predicted, -1e12, 1e12)?;
        let text = serde_json::to_vec(&entry.promotion).unwrap_or_default();
        let problems = |wrong: youhui_promotion::Wrong| {
            wrong.0.iter().map(|problem| format!("{pointer}/promotion{problem}")).collect::<Vec<_>>().join("\n")
        };
        let promotion = read_promotion(&text).map_err(problems)?;
        let currency = *currency.get_or_insert(promotion.currency);
        if promotion.currency != currency {
            return Err(format!("{pointer}/promotion/currency: {}: the others are in {}", promotion.currency.code(), currency.code()));
        }
        if offers.iter().any(|offer: &Offer| *offer.promotion_id == *promotion.promotion_id) {
            return Err(format!("{pointer}/promotion/promotion_id: {} is offered twice", promotion.promotion_id));
        }
        std_errors.push(entry.std_error);
        offers.push(Offer {
            promotion_id: promotion.promotion_id.to_string(),
            campaign_id: file.campaign_id.clone(),
            campaign_version: file.campaign_version,
            placements: entry.placements,
            channels: promotion.channels.iter().map(ToString::to_string).collect(),
            twin: entry.twin,
            predicted: entry.predicted,
            belief: Belief::prior(CONTEXT_WIDTH, entry.std_error),
        });
        let texts = promotion.texts.iter().map(|(locale, text)| (locale.clone(), serde_json::to_value(text).unwrap_or_default())).collect();
        let set = Promotions::new(vec![promotion.clone()]).map_err(problems)?;
        ready.push(Ready { promotion, set, texts, exhausted: AtomicBool::new(false) });
    }
    let Some(currency) = currency else { return Err("/offers: there is nothing to offer".to_owned()) };
    let mut placements: Vec<String> = offers.iter().flat_map(|offer| offer.placements.iter().cloned()).collect();
    placements.sort_unstable();
    placements.dedup();
    let snapshot = Snapshot {
        version,
        width: CONTEXT_WIDTH,
        holdout_share: file.holdout_share,
        salt: 0x596f_7568_7569,
        exploration: file.exploration,
        offers,
    };
    #[allow(clippy::cast_possible_truncation, reason = "at most a century")]
    let days = |days: f64| (days * youhui_commerce::TimeWindow::DAY as f64) as Micros;
    let offered = Offered {
        ready,
        placements,
        window: days(file.window_days),
        disclosures: disclosures(market, &PERSONAL),
        currency,
        margin: file.margin,
        half_life: days(file.half_life_days),
        std_errors,
    };
    Ok(Live { snapshot, offered: Arc::new(offered) })
}

/// The menu that was designed, as offers: what each adds per customer is what it is expected to bring, give or take as much.
fn of_design(design: &Value) -> Result<Value, String> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let candidates = list(&design["candidates"]);
    let mut offers = vec![];
    for choice in list(&design["menu"]["chosen"]) {
        let promotion = candidates.iter().map(|candidate| &candidate["promotion"]);
        let Some(promotion) = promotion.clone().find(|promotion| promotion["promotion_id"] == choice["promotion_id"]) else {
            return Err(format!("/menu/chosen: {} is no candidate", choice["promotion_id"]));
        };
        let minor = promotion["currency"].as_str().and_then(|code| code.parse::<Currency>().ok()).map_or(100, Currency::minor_units);
        let number = |name: &str| choice[name].as_f64().unwrap_or(0.0);
        let predicted = number("adds") / number("customers").max(1.0) * minor as f64;
        let std_error = predicted.abs().max(1.0);
        offers.push(serde_json::json!({
            "promotion": promotion, "predicted": predicted, "std_error": std_error, "twin": offers.is_empty(),
        }));
    }
    Ok(serde_json::json!({ "schema_version": 1, "campaign_id": "design", "market": design["market"], "offers": offers }))
}
