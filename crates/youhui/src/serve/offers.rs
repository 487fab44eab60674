//! What is offered: documents → cleared promotions, ready to be priced → what the server decides with.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use serde::Deserialize;
use serde_json::Value;
use youhui_commerce::{Catalogue, Currency, Micros};
use youhui_decision::{Belief, Exploration, Offer, Snapshot};
use youhui_design::law::{Case, Disclosure, Feature, Market, MemberState, Presentation, PriceHistory, announces_reduction, disclosures};
use youhui_design::{Cleared, Economics, clear};
use youhui_profile::live::CONTEXT_WIDTH;
use youhui_promotion::{Promotion, Promotions, read_promotion};
use youhui_storage::Store;

use crate::demo::prices;

/// A file of offers, or a campaign's document: of the second the settings of the whole shop are left out.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema_version: u32,
    campaign_id: String,
    #[serde(default = "one")]
    campaign_version: u32,
    market: String,
    /// Needed where nothing is offered yet.
    currency: Option<Currency>,
    holdout_share: Option<f64>,
    exploration: Option<Exploration>,
    /// A decision stands for so long, and its outcome is what happens within.
    window_days: Option<f64>,
    /// Profit as a share of list prices, before discounts.
    margin: Option<f64>,
    /// Share of what is paid that has to stay as profit, at a promotion's deepest.
    margin_floor: Option<f64>,
    /// What is seen counts half after so many days.
    half_life_days: Option<f64>,
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
    /// Of one unit on average, for prices of units; and what a gift costs the shop. Minor units.
    #[serde(default)]
    unit_price: i64,
    #[serde(default)]
    gift_cost: i64,
    /// The largest share of an order's amount that it takes off, where that hangs on what the document doesn't know.
    deepest: Option<f64>,
}

const fn one() -> u32 {
    1
}

/// What the whole shop goes by.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) market: Market,
    pub(crate) currency: Currency,
    pub(crate) holdout_share: f64,
    pub(crate) exploration: Exploration,
    pub(crate) window: Micros,
    pub(crate) margin: f64,
    pub(crate) margin_floor: f64,
    pub(crate) half_life: Micros,
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
    pub(crate) ready: Vec<Arc<Ready>>,
    /// Every placement that an offer names.
    pub(crate) placements: Vec<String>,
    /// Which offers may stand in each of these, and which in any other.
    by_placement: Vec<Vec<u32>>,
    elsewhere: Vec<u32>,
    /// What has to be said of what is personal.
    pub(crate) disclosures: Vec<Disclosure>,
    pub(crate) settings: Settings,
    /// One of them has a budget that is to last until an end.
    pub(crate) is_paced: bool,
    /// Standard errors of the response model, one an offer.
    pub(crate) std_errors: Vec<f64>,
}

/// A promotion, ready.
#[derive(Debug)]
pub(crate) struct Ready {
    promotion: Cleared<Promotion>,
    /// It alone, to price a basket with.
    pub(crate) set: Promotions,
    pub(crate) texts: BTreeMap<String, Value>,
    /// Nothing is left of one of its limits.
    pub(crate) exhausted: AtomicBool,
    /// Its campaign is paused or over.
    pub(crate) withdrawn: AtomicBool,
    /// From when until when its campaign is live.
    pub(crate) live: (Micros, Micros),
    /// It has no schedule of its own.
    is_always: bool,
    /// What a showing takes of its budget at the budget's price of the moment, in minor units: the bits of an `f32`.
    price: AtomicU32,
}

impl Offered {
    /// Numbers of the offers that may stand there.
    pub(crate) fn of_placement(&self, placement: &str) -> &[u32] {
        self.placements.binary_search_by(|one| one.as_str().cmp(placement)).map_or(&self.elsewhere, |place| &self.by_placement[place])
    }
}

impl Ready {
    pub(crate) const fn promotion(&self) -> &Promotion {
        self.promotion.get()
    }

    /// Whether its time has come and nobody stopped it.
    pub(crate) fn is_on(&self, time: Micros) -> bool {
        !self.withdrawn.load(Ordering::Relaxed)
            && (self.live.0..self.live.1).contains(&time)
            && (self.is_always || self.promotion().schedule.runs(time))
    }

    /// What a showing takes of its budget, in minor units of worth.
    pub(crate) fn price(&self) -> f32 {
        f32::from_bits(self.price.load(Ordering::Relaxed))
    }

    #[allow(clippy::cast_possible_truncation, reason = "a price, of which seven digits are more than is known")]
    pub(crate) fn set_price(&self, price: f64) {
        self.price.store((price as f32).to_bits(), Ordering::Relaxed);
    }

    /// Whether it is on and there is something left.
    pub(crate) fn can_be_shown(&self, time: Micros) -> bool {
        !self.exhausted.load(Ordering::Relaxed) && self.is_on(time)
    }
}

/// Offers of one file or campaign.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) campaign_id: String,
    pub(crate) offers: Vec<Offer>,
    pub(crate) ready: Vec<Arc<Ready>>,
    pub(crate) std_errors: Vec<f64>,
}

/// What prices a reduction is measured from: of the shop's store, read when the first promotion needs them.
#[derive(Debug)]
pub(crate) struct Shelves<'a> {
    folder: &'a Path,
    read: std::cell::OnceCell<Result<(Catalogue, PriceHistory), String>>,
}

impl<'a> Shelves<'a> {
    pub(crate) const fn of(folder: &'a Path) -> Self {
        Self { folder, read: std::cell::OnceCell::new() }
    }

    /// Products, and what they were sold for. Without an import nothing is known of either.
    fn prices(&self, market: Market) -> Result<&(Catalogue, PriceHistory), String> {
        let read = || -> Result<_, youhui_storage::StoreError> {
            if !self.folder.join("store.json").exists() {
                return Ok(<(Catalogue, PriceHistory)>::default());
            }
            let store = Store::open(self.folder)?;
            let catalogue = store.load_catalogue()?;
            let events = store.load_events(&catalogue)?;
            let history = prices::of_sales(&events, &catalogue, market, CHANNEL);
            Ok((catalogue, history))
        };
        self.read.get_or_init(|| read().map_err(|error| error.to_string())).as_ref().map_err(Clone::clone)
    }
}

/// The channel of prices on record.
const CHANNEL: &str = "online";

/// What decisions depend on: contexts, and what was learnt of customers like this one.
const PERSONAL: [Feature; 4] = [Feature::Orders, Feature::Spend, Feature::Recency, Feature::PredictedResponse];

/// A file of offers, or what `youhui design --format json` printed: the shop's settings, and its first offers.
///
/// # Errors
/// What is wrong with it, as a JSON pointer and a remedy.
pub(crate) fn read(text: &str, shelves: &Shelves<'_>) -> Result<(Settings, Part), String> {
    let file = parse(text)?;
    let within = |pointer: &str, number: f64, from: f64, to: f64| {
        if (from..=to).contains(&number) { Ok(number) } else { Err(format!("{pointer}: {number}: give a number from {from} to {to}")) }
    };
    let market = market(&file.market)?;
    if market == Market::China {
        return Err("/market: what a person gets may not depend on spending in China (价格行为规则): this server learns from it. Serve another market".to_owned());
    }
    let exploration = file.exploration.unwrap_or_default();
    within("/exploration/floor", exploration.floor, 0.0, 1.0)?;
    let first = file.offers.first().and_then(|entry| entry.promotion.get("currency")?.as_str()?.parse().ok());
    let Some(currency) = file.currency.or(first) else {
        return Err("/offers: there is nothing to offer. Give an offer, or a currency and offer campaigns later".to_owned());
    };
    let settings = Settings {
        market,
        currency,
        exploration,
        holdout_share: within("/holdout_share", file.holdout_share.unwrap_or(0.1), 0.0, 0.5)?,
        window: days(within("/window_days", file.window_days.unwrap_or(14.0), 1e-6, 366.0)?),
        margin: within("/margin", file.margin.unwrap_or(0.3), 0.0, 1.0)?,
        margin_floor: within("/margin_floor", file.margin_floor.unwrap_or(0.0), 0.0, 1.0)?,
        half_life: days(within("/half_life_days", file.half_life_days.unwrap_or(90.0), 1e-3, 36_600.0)?),
    };
    let part = part(file, &settings, (Micros::MIN, Micros::MAX), shelves)?;
    Ok((settings, part))
}

/// A campaign's document.
///
/// # Errors
/// What is wrong with it, as a JSON pointer and a remedy.
pub(crate) fn read_campaign(
    text: &str,
    id: &str,
    settings: &Settings,
    live: (Micros, Micros),
    shelves: &Shelves<'_>,
) -> Result<Part, String> {
    // A campaign is what it is called, whatever its document says.
    let file = File { campaign_id: id.to_owned(), ..parse(text)? };
    let of_the_shop = [
        ("holdout_share", file.holdout_share.is_some()),
        ("exploration", file.exploration.is_some()),
        ("window_days", file.window_days.is_some()),
        ("margin", file.margin.is_some()),
        ("margin_floor", file.margin_floor.is_some()),
        ("half_life_days", file.half_life_days.is_some()),
    ];
    if let Some((name, _)) = of_the_shop.iter().find(|(_, is_given)| *is_given) {
        return Err(format!("/{name}: the whole shop has one: leave it out here, and set it in the file of --offers"));
    }
    if market(&file.market)? != settings.market {
        return Err(format!("/market: {}: this shop is served for {}", file.market, settings.market.name()));
    }
    if file.offers.is_empty() {
        return Err("/offers: there is nothing to offer".to_owned());
    }
    part(file, settings, live, shelves)
}

fn parse(text: &str) -> Result<File, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
    let value = if value.get("menu").is_some() { of_design(&value)? } else { value };
    let file: File = serde_json::from_value(value).map_err(|error| {
        format!("{error}. Give schema_version 1, campaign_id, market, and offers, each with a promotion and a std_error")
    })?;
    if file.schema_version != 1 {
        return Err(format!("/schema_version: {}: this program reads version 1", file.schema_version));
    }
    Ok(file)
}

fn market(name: &str) -> Result<Market, String> {
    Market::from_name(name).ok_or_else(|| format!("/market: write one of {}", Market::ALL.map(Market::name).join(", ")))
}

#[allow(clippy::cast_possible_truncation, reason = "at most a century")]
fn days(days: f64) -> Micros {
    (days * youhui_commerce::TimeWindow::DAY as f64) as Micros
}

fn part(file: File, settings: &Settings, live: (Micros, Micros), shelves: &Shelves<'_>) -> Result<Part, String> {
    let mut part = Part { campaign_id: file.campaign_id, offers: vec![], ready: vec![], std_errors: vec![] };
    for (place, entry) in file.offers.into_iter().enumerate() {
        let pointer = format!("/offers/{place}");
        let within = |name: &str, number: f64, from: f64, to: f64| {
            if (from..=to).contains(&number) {
                Ok(())
            } else {
                Err(format!("{pointer}/{name}: {number}: give a number from {from} to {to}"))
            }
        };
        within("std_error", entry.std_error, 1e-3, 1e12)?;
        within("predicted", entry.predicted, -1e12, 1e12)?;
        within("deepest", entry.deepest.unwrap_or(0.0), 0.0, 1.0)?;
        let text = serde_json::to_vec(&entry.promotion).unwrap_or_default();
        let problems = |wrong: youhui_promotion::Wrong| {
            wrong.0.iter().map(|problem| format!("{pointer}/promotion{problem}")).collect::<Vec<_>>().join("\n")
        };
        let promotion = read_promotion(&text).map_err(problems)?;
        if promotion.currency != settings.currency {
            return Err(format!(
                "{pointer}/promotion/currency: {}: the shop is in {}",
                promotion.currency.code(),
                settings.currency.code()
            ));
        }
        if part.offers.iter().any(|offer| *offer.promotion_id == *promotion.promotion_id) {
            return Err(format!("{pointer}/promotion/promotion_id: {} is offered twice", promotion.promotion_id));
        }
        part.offers.push(Offer {
            promotion_id: promotion.promotion_id.to_string(),
            campaign_id: part.campaign_id.clone(),
            campaign_version: file.campaign_version,
            placements: entry.placements.clone(),
            channels: promotion.channels.iter().map(ToString::to_string).collect(),
            twin: entry.twin,
            predicted: entry.predicted,
            belief: Belief::prior(CONTEXT_WIDTH, entry.std_error),
        });
        part.std_errors.push(entry.std_error);
        let promotion = cleared(promotion, &entry, settings, shelves).map_err(|why| format!("{pointer}/promotion: {why}"))?;
        let texts = promotion.get().texts.iter();
        let texts = texts.map(|(locale, text)| (locale.clone(), serde_json::to_value(text).unwrap_or_default())).collect();
        let set = Promotions::new(vec![promotion.get().clone()]).map_err(problems)?;
        let (exhausted, withdrawn) = (AtomicBool::new(false), AtomicBool::new(false));
        let is_always = promotion.get().schedule == youhui_promotion::Schedule::default();
        part.ready.push(Arc::new(Ready { promotion, set, texts, exhausted, withdrawn, live, is_always, price: AtomicU32::new(0) }));
    }
    Ok(part)
}

/// Price law, margin and copy: nothing else is ever shown.
fn cleared(promotion: Promotion, entry: &Entry, settings: &Settings, shelves: &Shelves<'_>) -> Result<Cleared<Promotion>, String> {
    let nothing = (Catalogue::default(), PriceHistory::default());
    let measures = settings.market.measures_reductions() && announces_reduction(&promotion);
    let (catalogue, history) = if measures { shelves.prices(settings.market)? } else { &nothing };
    let economics = Economics {
        margin: settings.margin,
        unit_price: entry.unit_price,
        gift_cost: entry.gift_cost,
        floor: settings.margin_floor,
        stated: entry.deepest,
    };
    let case = Case {
        market: settings.market,
        state: MemberState::default(),
        history,
        catalogue,
        channel: CHANNEL,
        personal: &PERSONAL,
        published: &[],
        presentation: &Presentation::default(),
    };
    clear(promotion, &economics, &case).map_err(|refusal| refusal.to_string())
}

impl Live {
    /// Nothing but what the shop was started with.
    pub(crate) fn new(settings: Settings, version: u64) -> Self {
        let snapshot = Snapshot {
            version,
            width: CONTEXT_WIDTH,
            holdout_share: settings.holdout_share,
            salt: 0x596f_7568_7569,
            exploration: settings.exploration,
            offers: vec![],
        };
        let disclosures = disclosures(settings.market, &PERSONAL);
        let offered = Offered {
            ready: vec![],
            placements: vec![],
            by_placement: vec![],
            elsewhere: vec![],
            disclosures,
            settings,
            is_paced: false,
            std_errors: vec![],
        };
        Self { snapshot, offered: Arc::new(offered) }
    }

    /// With these parts from now on. Offers keep their numbers, which decisions that stand are known by: one that is not among the
    /// parts any more stays, withdrawn.
    pub(crate) fn with(&self, parts: &[Part]) -> Self {
        let (live, on) = self.joined(parts);
        live.offered.ready.iter().zip(on).for_each(|(ready, on)| ready.withdrawn.store(!on, Ordering::Relaxed));
        live
    }

    /// With a part beside everything else, to try it out.
    pub(crate) fn with_trial(&self, part: &Part) -> Self {
        self.joined(std::slice::from_ref(part)).0
    }

    /// With these parts; and which offers are of one of them.
    fn joined(&self, parts: &[Part]) -> (Self, Vec<bool>) {
        let mut snapshot = self.snapshot.clone();
        let (mut ready, mut std_errors) = (self.offered.ready.clone(), self.offered.std_errors.clone());
        let all = parts.iter().flat_map(|part| part.offers.iter().zip(&part.ready).zip(&part.std_errors));
        let mut on = vec![false; ready.len()];
        for ((offer, new), std_error) in all {
            match snapshot.find(&offer.promotion_id) {
                Some(number) => {
                    new.set_price(f64::from(ready[number].price()));
                    new.exhausted.store(ready[number].exhausted.load(Ordering::Relaxed), Ordering::Relaxed);
                    snapshot.offers[number] = Offer { belief: snapshot.offers[number].belief.clone(), ..offer.clone() };
                    (ready[number], std_errors[number], on[number]) = (Arc::clone(new), *std_error, true);
                }
                None => {
                    snapshot.offers.push(offer.clone());
                    ready.push(Arc::clone(new));
                    std_errors.push(*std_error);
                    on.push(true);
                }
            }
        }
        let mut placements: Vec<String> = snapshot.offers.iter().flat_map(|offer| offer.placements.iter().cloned()).collect();
        placements.sort_unstable();
        placements.dedup();
        let those = |stands: &dyn Fn(&Offer) -> bool| -> Vec<u32> {
            (0..)
                .zip(&snapshot.offers)
                .filter(|(_, offer)| offer.placements.is_empty() || stands(offer))
                .map(|(number, _)| number)
                .collect()
        };
        let by_placement = placements.iter().map(|placement| those(&|offer| offer.placements.contains(placement))).collect();
        let elsewhere = those(&|_| false);
        let Offered { disclosures, settings, .. } = &*self.offered;
        let offered = Offered {
            is_paced: ready.iter().any(|ready| super::pacing::ends(ready).is_some()),
            ready,
            placements,
            by_placement,
            elsewhere,
            disclosures: disclosures.clone(),
            settings: settings.clone(),
            std_errors,
        };
        (Self { snapshot, offered: Arc::new(offered) }, on)
    }
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
