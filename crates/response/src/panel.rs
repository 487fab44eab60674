//! Campaign exposures as rows: one a customer and campaign, with what the customer did before,
//! during and after.

use std::collections::{BTreeMap, BTreeSet};

use youhui_commerce::{Campaign, EventTable, Exposure, Micros, Offer, ProductIx, SubjectId, TimeWindow};
use youhui_profile::{CategoryNorms, Features, Shop, features, orders, runner::fold_customers, runner::map_customers};

use crate::descriptor::{Descriptor, Moderators, basis};

/// Days that an outcome is measured over, from a campaign's start.
pub const OUTCOME_DAYS: i64 = 28;
/// Days of history that a campaign needs before it.
pub const HISTORY_DAYS: i64 = 42;

/// One customer and one campaign. Money in major units.
#[derive(Debug, Clone)]
pub struct PanelRow {
    /// Who.
    pub subject: SubjectId,
    /// Which campaign: a place in [`Panel::campaigns`].
    pub campaign: usize,
    /// Whether the customer received it.
    pub treated: bool,
    /// What may have decided who was chosen and what they spend: [`COVARIATES`].
    pub covariates: Vec<f64>,
    /// The values of the effect's basis.
    pub basis: Vec<f64>,
    /// Contribution in the 28 days before.
    pub before: f64,
    /// Contribution in the 28 days from the start: the outcome.
    pub outcome: f64,
    /// Contribution in the 28 days after those, where the data reach so far.
    pub after: Option<f64>,
}

/// All rows, by campaign and then by customer.
#[derive(Debug, Clone, Default)]
pub struct Panel {
    /// The campaigns in it, in order of start.
    pub campaigns: Vec<Campaign>,
    /// Its rows.
    pub rows: Vec<PanelRow>,
}

/// Names of the covariates.
pub const COVARIATES: [&str; 16] = [
    "contribution 28 d",
    "contribution 56 d",
    "contribution 84 d",
    "log contribution 28 d",
    "log contribution 84 d",
    "log amount ever",
    "orders 28 d",
    "orders 84 d",
    "log orders 84 d",
    "vendor coupon share",
    "root of vendor coupon share",
    "discount share",
    "root of scope affinity",
    "log recency",
    "campaigns received",
    "log campaigns received",
];

/// Everything a panel is made from.
#[derive(Debug)]
pub struct PanelInput<'a> {
    /// What customers did.
    pub buckets: &'a [EventTable],
    /// The shop.
    pub shop: &'a Shop,
    /// Campaigns that were run.
    pub campaigns: &'a [Campaign],
    /// Who received which.
    pub exposures: &'a [Exposure],
    /// Which coupon is good for which product.
    pub offers: &'a [Offer],
    /// End of the data: outcomes must lie before it.
    pub end: Micros,
    /// The embedding's principal coordinates as of the last of these moments that is not after a
    /// campaign's start; absent ones count as 0.
    pub embeddings: &'a BTreeMap<Micros, BTreeMap<SubjectId, [f64; 2]>>,
    /// Subjects that may be profiled; the others are left out.
    pub permitted: &'a BTreeSet<SubjectId>,
}

impl Panel {
    /// Builds the rows of all campaigns that start in `window` with enough history before and a
    /// whole outcome after.
    pub fn build(input: &PanelInput<'_>, window: TimeWindow) -> Self {
        let first = input.buckets.iter().flat_map(|table| table.time.iter().copied()).min().unwrap_or(0);
        let fits = |campaign: &&Campaign| {
            let start = campaign.window.start;
            window.contains(start) && start - first >= HISTORY_DAYS * TimeWindow::DAY && start + OUTCOME_DAYS * TimeWindow::DAY <= input.end
        };
        let mut campaigns: Vec<Campaign> = input.campaigns.iter().filter(fits).cloned().collect();
        campaigns.sort_by(|one, two| (one.window.start, &one.campaign_id).cmp(&(two.window.start, &two.campaign_id)));
        let received = received(input.exposures);
        campaigns.retain(|campaign| received.values().any(|theirs| theirs.contains(campaign.campaign_id.as_str())));
        let depth = coupon_depth(input.buckets, window.end);
        let started: BTreeMap<&str, Micros> =
            input.campaigns.iter().map(|campaign| (campaign.campaign_id.as_str(), campaign.window.start)).collect();
        let mut rows = Vec::new();
        for (place, campaign) in campaigns.iter().enumerate() {
            let scope = scope_of(input, &campaign.campaign_id);
            let start = campaign.window.start;
            let norms = CategoryNorms::of(input.buckets, input.shop, start);
            let embeddings = input.embeddings.range(..=start).next_back().map(|(_, embeddings)| embeddings);
            let made = map_customers(input.buckets, |customer| {
                if !input.permitted.contains(&customer.subject) {
                    return None;
                }
                let known = features(customer, input.shop, &norms, start);
                if known.orders == 0 {
                    return None;
                }
                let theirs = received.get(&customer.subject);
                let earlier =
                    theirs.map_or(0, |theirs| theirs.iter().filter(|id| started.get(**id).is_some_and(|&other| other < start)).count());
                let spent_on = |days: i64, from: i64| contribution(customer, input.shop, from, from + days * TimeWindow::DAY);
                let affinity = affinity(&customer.before(start), &scope);
                let minor = input.shop.currency.minor_units() as f64;
                let moderators =
                    Moderators::of(&known, minor, embeddings.and_then(|all| all.get(&customer.subject)).copied().unwrap_or_default());
                let descriptor = Descriptor { saving: depth * affinity * moderators.spending, affinity };
                let later = start + OUTCOME_DAYS * TimeWindow::DAY;
                Some(PanelRow {
                    subject: customer.subject,
                    campaign: place,
                    treated: theirs.is_some_and(|theirs| theirs.contains(campaign.campaign_id.as_str())),
                    covariates: covariates(&known, affinity, earlier, minor),
                    basis: basis(descriptor, &moderators).to_vec(),
                    before: spent_on(OUTCOME_DAYS, start - OUTCOME_DAYS * TimeWindow::DAY),
                    outcome: spent_on(OUTCOME_DAYS, start),
                    after: (later + OUTCOME_DAYS * TimeWindow::DAY <= input.end).then(|| spent_on(OUTCOME_DAYS, later)),
                })
            });
            rows.extend(made.into_iter().flatten());
        }
        Self { campaigns, rows }
    }

    /// The rows of one campaign.
    pub fn of_campaign(&self, campaign: usize) -> impl Iterator<Item = (usize, &PanelRow)> {
        self.rows.iter().enumerate().filter(move |(_, row)| row.campaign == campaign)
    }
}

fn received(exposures: &[Exposure]) -> BTreeMap<SubjectId, BTreeSet<&str>> {
    let mut received: BTreeMap<SubjectId, BTreeSet<&str>> = BTreeMap::new();
    for exposure in exposures {
        received.entry(exposure.subject).or_default().insert(&exposure.campaign_id);
    }
    received
}

/// Which products a campaign's coupons are good for; all of them where nothing is said.
fn scope_of(input: &PanelInput<'_>, campaign_id: &str) -> Vec<bool> {
    let mut scope = vec![false; input.shop.catalogue.products().len()];
    let mut any = false;
    for offer in input.offers.iter().filter(|offer| offer.campaign_id == campaign_id) {
        if let Some(cell) = scope.get_mut(offer.product as usize) {
            *cell = true;
            any = true;
        }
    }
    if any { scope } else { vec![true; scope.len()] }
}

/// Share of the amount spent on products in `scope`.
pub fn affinity(customer: &youhui_commerce::CustomerEvents<'_>, scope: &[bool]) -> f64 {
    let (mut inside, mut whole) = (0_i64, 0_i64);
    for row in customer.rows.clone() {
        if customer.table.kind[row] == youhui_commerce::EventKind::Order {
            let product: ProductIx = customer.table.product[row];
            whole += customer.table.amount[row];
            inside += if scope.get(product as usize) == Some(&true) { customer.table.amount[row] } else { 0 };
        }
    }
    if whole > 0 { inside as f64 / whole as f64 } else { 0.0 }
}

/// How deep the coupons that were used cut: what others paid on lines with a coupon, over those
/// lines' amount; 0.2 where no coupon was used.
fn coupon_depth(buckets: &[EventTable], before: Micros) -> f64 {
    let (given, amount) = fold_customers(
        buckets,
        || (0_i64, 0_i64),
        |(given, amount), customer| {
            let customer = customer.before(before);
            for row in customer.rows.clone() {
                if customer.table.vendor_discount[row] > 0 {
                    *given += customer.table.vendor_discount[row];
                    *amount += customer.table.amount[row];
                }
            }
        },
        |whole, part| {
            whole.0 += part.0;
            whole.1 += part.1;
        },
    );
    if amount > 0 { (given as f64 / amount as f64).clamp(0.01, 1.0) } else { 0.2 }
}

/// Contribution of a span in major units.
fn contribution(customer: &youhui_commerce::CustomerEvents<'_>, shop: &Shop, start: Micros, end: Micros) -> f64 {
    let span = customer.between(start, end);
    let minor: i64 = span.rows.clone().map(|row| shop.contribution(span.table, row)).sum();
    shop.currency.major(minor)
}

fn covariates(known: &Features, affinity: f64, earlier: usize, minor: f64) -> Vec<f64> {
    let log = |amount: f64| amount.signum() * amount.abs().ln_1p();
    let contribution = known.recent_contribution.map(|amount| amount as f64 / minor);
    let orders = known.recent_orders.map(f64::from);
    vec![
        contribution[0],
        contribution[1],
        contribution[2],
        log(contribution[0]),
        log(contribution[2]),
        log(known.amount as f64 / minor),
        orders[0],
        orders[2],
        orders[2].ln_1p(),
        known.vendor_share,
        known.vendor_share.sqrt(),
        known.discount_share,
        affinity.sqrt(),
        known.recency_days.max(0.0).ln_1p(),
        earlier as f64,
        (earlier as f64).ln_1p(),
    ]
}

/// The baskets of one customer's last `days` before `as_of`, for replaying promotions.
pub fn recent_orders(customer: &youhui_commerce::CustomerEvents<'_>, shop: &Shop, as_of: Micros, days: i64) -> Vec<youhui_profile::Order> {
    orders(&customer.between(as_of - days * TimeWindow::DAY, as_of), shop)
}
