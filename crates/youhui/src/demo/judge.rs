//! What the ways of choosing are worth on campaigns that the model never saw: learnt before the
//! split, judged after it by a doubly robust estimate. Observational throughout.

use std::collections::BTreeMap;

use serde::Serialize;
use youhui_allocation::solve;
use youhui_commerce::{SubjectId, TimeWindow};
use youhui_evaluation::{Comparison, Estimate, Scored, clustered_mean, compare, difference};
use youhui_response::diagnostics::{MeanEffect, balance, mean_effect, overlap};
use youhui_response::panel::PanelInput;
use youhui_response::{Balance, EffectModel, Nuisance, Overlap, Panel, cross_fit};

use super::customers::{Customers, Loaded};

/// Share of the customers whom the judged budget can reach.
const CONTACT_SHARE: f64 = 1.0 / 3.0;
/// Groups of the calibration chart.
const CALIBRATION_GROUPS: usize = 5;

/// Where the embedding stands in a row's basis.
const EMBEDDING: std::ops::Range<usize> = youhui_response::BASIS.len() - 2..youhui_response::BASIS.len();

/// The verdict on choosing by prediction.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Judged {
    /// Campaigns that were judged, and those that were learnt from.
    pub(crate) campaigns: usize,
    pub(crate) trained_on: usize,
    /// Customers who could be reached.
    pub(crate) customers: usize,
    /// Contacts that every policy may spend.
    pub(crate) contacts: usize,
    pub(crate) comparisons: Vec<Comparison>,
    /// What personalised is worth more than the best single promotion.
    pub(crate) over_best_single: Estimate,
    /// And more than the same promotions handed out by chance.
    pub(crate) over_twin: Estimate,
    pub(crate) calibration: Vec<CalibrationGroup>,
    /// Mean effects by the shop's word for the kind of campaign.
    pub(crate) mean_effects: Vec<KindEffect>,
    pub(crate) overlap: Overlap,
    pub(crate) balance: Vec<Balance>,
    /// Standard deviation of one customer's outcome beyond what was foreseen: what sizes a trial.
    pub(crate) residual_deviation: f64,
    /// What the learned embedding adds to the response models.
    pub(crate) embedding: EmbeddingWorth,
}

/// An ablation: the same models with the embedding's coordinates and without them, on campaigns neither saw. Shares of the loss
/// that the embedding takes away; below 0 it adds loss.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct EmbeddingWorth {
    /// Of the R-loss of what a campaign changes (Nie and Wager 2021).
    pub(crate) effect: Estimate,
    /// Of the squared error of what a customer spends, cross-fitted by customer.
    pub(crate) outcome: Estimate,
}

/// A group of like predictions and what was measured there.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct CalibrationGroup {
    pub(crate) predicted: f64,
    pub(crate) measured: Estimate,
}

/// The mean effect of one kind of campaign on everybody.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct KindEffect {
    pub(crate) kind: String,
    #[serde(flatten)]
    pub(crate) effect: MeanEffect,
}

/// What was learnt from campaigns.
#[derive(Debug)]
pub(crate) struct Response {
    /// From all campaigns: for the plan.
    pub(crate) model: EffectModel,
    /// Learnt before the split and judged after it; `None` where too few campaigns are left.
    pub(crate) judged: Option<Judged>,
    pub(crate) rows: usize,
    pub(crate) treated: usize,
}

/// Learns from campaigns and judges; `None` where the shop has none to learn from.
pub(crate) fn learn_from_campaigns(loaded: &Loaded, customers: &Customers, contact_cost: f64) -> Option<Response> {
    let span = loaded.span;
    let panel = |start, split, end| {
        let input = PanelInput {
            buckets: &loaded.buckets,
            shop: &loaded.shop,
            campaigns: &loaded.campaigns,
            exposures: &loaded.exposures,
            offers: &loaded.offers,
            end,
            embeddings: &customers.coordinates,
            permitted: &customers.permitted,
        };
        Panel::build(&input, TimeWindow { start, end: split })
    };
    let whole = panel(span.first, span.end, span.end);
    let whole_nuisance = cross_fit(&whole);
    let model = EffectModel::fit(&whole, &whole_nuisance)?;
    // No outcome after the split reaches the model that is judged.
    let train = panel(span.first, span.split, span.split);
    let test = panel(span.split, span.end, span.end);
    let judged = judge(&train, &test, loaded, contact_cost);
    let treated = whole.rows.iter().filter(|row| row.treated).count();
    Some(Response { model, judged, rows: whole.rows.len(), treated })
}

fn judge(train: &Panel, test: &Panel, loaded: &Loaded, contact_cost: f64) -> Option<Judged> {
    let train_nuisance = cross_fit(train);
    let model = EffectModel::fit(train, &train_nuisance)?;
    let nuisance = cross_fit(test);
    let treated = test.rows.iter().filter(|row| row.treated).count();
    if treated == 0 || treated == test.rows.len() {
        return None;
    }
    let predicted: Vec<f64> = test.rows.iter().map(|row| model.predict(&row.basis).mean).collect();
    let policies = Policies::of(test, &predicted, contact_cost, loaded.shop.currency.minor_units() as f64);
    let scored: Vec<Scored> = test
        .rows
        .iter()
        .zip(&nuisance)
        .map(|(row, nuisance)| Scored { subject: row.subject, score: nuisance.score, cost: contact_cost })
        .collect();
    let unit =
        format!("{} of contribution in 28 days, {} customers together, observational", loaded.shop.currency.code(), policies.customers);
    let row = |name: &str, probability: &[f64]| compare(name, &scored, probability, policies.customers, &unit);
    let comparisons = vec![
        row("nobody", &vec![0.0; scored.len()]),
        row("best_single", &policies.best_single),
        row("random", &policies.random),
        row("twin", &policies.twin),
        row("personalised", &policies.personalised),
        row("shop_did", &policies.shop_did),
    ];
    let paired = |other: &[f64]| difference(&scored, &policies.personalised, other, policies.customers);
    Some(Judged {
        campaigns: test.campaigns.len(),
        trained_on: train.campaigns.len(),
        customers: policies.customers,
        contacts: policies.contacts,
        over_best_single: paired(&policies.best_single),
        over_twin: paired(&policies.twin),
        comparisons,
        calibration: calibration(test, &nuisance, &predicted),
        mean_effects: kind_effects(test, &nuisance),
        overlap: overlap(test, &nuisance),
        balance: balance(test, &nuisance),
        residual_deviation: residual_deviation(test, &nuisance),
        embedding: embedding_worth((train, &train_nuisance), (test, &nuisance), &predicted)?,
    })
}

/// Fits the effect without the embedding, and the outcome with it, beside what was fitted already.
fn embedding_worth(train: (&Panel, &[Nuisance]), test: (&Panel, &[Nuisance]), predicted: &[f64]) -> Option<EmbeddingWorth> {
    let without = |panel: &Panel| {
        let mut panel = panel.clone();
        panel.rows.iter_mut().for_each(|row| row.basis[EMBEDDING].fill(0.0));
        panel
    };
    let (panel, nuisance) = test;
    let blind = EffectModel::fit(&without(train.0), train.1)?;
    let unaided: Vec<f64> = without(panel).rows.iter().map(|row| blind.predict(&row.basis).mean).collect();
    // Nuisances are the same for both, so that only the effect differs.
    let loss = |place: usize, effect: f64| {
        let (row, nuisance) = (&panel.rows[place], &nuisance[place]);
        let expected = nuisance.propensity * nuisance.treated + (1.0 - nuisance.propensity) * nuisance.control;
        let left = f64::from(u8::from(row.treated)) - nuisance.propensity;
        (row.outcome - expected - left * effect).powi(2)
    };
    let effect = |place: usize| (loss(place, unaided[place]), loss(place, predicted[place]));
    let mut aided = panel.clone();
    aided.rows.iter_mut().for_each(|row| row.covariates.extend_from_slice(&row.basis[EMBEDDING]));
    let knowing = cross_fit(&aided);
    let missed = |place: usize, nuisance: &Nuisance| {
        let row = &panel.rows[place];
        (row.outcome - if row.treated { nuisance.treated } else { nuisance.control }).powi(2)
    };
    let outcome = |place: usize| (missed(place, &nuisance[place]), missed(place, &knowing[place]));
    Some(EmbeddingWorth { effect: share_taken(panel, effect), outcome: share_taken(panel, outcome) })
}

/// The share of the first loss that the second does without; customers are the unit of sampling.
fn share_taken(panel: &Panel, losses: impl Fn(usize) -> (f64, f64)) -> Estimate {
    let rows = panel.rows.len().max(1) as f64;
    let scale = (0..panel.rows.len()).map(|place| losses(place).0).sum::<f64>() / rows;
    clustered_mean(panel.rows.iter().enumerate().map(|(place, row)| {
        let (one, other) = losses(place);
        (row.subject, (one - other) / scale.max(f64::MIN_POSITIVE))
    }))
}

/// The compared policies, each as a probability for every row of the judged panel. All spend at
/// most the same number of contacts, except `shop_did`, which shows what the shop itself did.
struct Policies {
    customers: usize,
    contacts: usize,
    best_single: Vec<f64>,
    random: Vec<f64>,
    twin: Vec<f64>,
    personalised: Vec<f64>,
    shop_did: Vec<f64>,
}

impl Policies {
    fn of(panel: &Panel, predicted: &[f64], contact_cost: f64, minor: f64) -> Self {
        let mut rows_of: BTreeMap<SubjectId, Vec<usize>> = BTreeMap::new();
        for (place, row) in panel.rows.iter().enumerate() {
            rows_of.entry(row.subject).or_default().push(place);
        }
        let customers = rows_of.len();
        let contacts = whole(customers as f64 * CONTACT_SHARE);
        let of_campaign: Vec<Vec<usize>> =
            (0..panel.campaigns.len()).map(|campaign| panel.of_campaign(campaign).map(|(place, _)| place).collect()).collect();
        let mean = |places: &[usize]| places.iter().map(|&place| predicted[place]).sum::<f64>() / places.len().max(1) as f64;
        let mut best_single = vec![0.0; predicted.len()];
        if let Some(best) = of_campaign.iter().max_by(|one, two| mean(one).total_cmp(&mean(two))) {
            let share = (contacts as f64 / best.len().max(1) as f64).min(1.0);
            best.iter().for_each(|&place| best_single[place] = share);
        }
        let mut random = vec![0.0; predicted.len()];
        for places in rows_of.values() {
            let share = contacts as f64 / customers.max(1) as f64 / places.len() as f64;
            places.iter().for_each(|&place| random[place] = share);
        }
        let cost = youhui_profile::shop::to_minor(contact_cost * minor).max(1);
        let offers: Vec<Vec<youhui_allocation::Offer>> = rows_of
            .values()
            .map(|places| places.iter().map(|&place| youhui_allocation::Offer { value: predicted[place] - contact_cost, cost }).collect())
            .collect();
        let solution = solve(&offers, cost.saturating_mul(i64::try_from(contacts).unwrap_or(i64::MAX)));
        let mut personalised = vec![0.0; predicted.len()];
        for (places, choice) in rows_of.values().zip(&solution.choices) {
            if let Some(choice) = choice {
                personalised[places[*choice]] = 1.0;
            }
        }
        // The twin gives the same promotions to as many customers, drawn by lot.
        let mut twin = vec![0.0; predicted.len()];
        for places in &of_campaign {
            let given: f64 = places.iter().map(|&place| personalised[place]).sum();
            places.iter().for_each(|&place| twin[place] = given / places.len() as f64);
        }
        let shop_did = panel.rows.iter().map(|row| f64::from(u8::from(row.treated))).collect();
        Self { customers, contacts, best_single, random, twin, personalised, shop_did }
    }
}

/// A count from a share of one; never negative.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a count")]
fn whole(share: f64) -> usize {
    share.max(0.0) as usize
}

fn calibration(panel: &Panel, nuisance: &[Nuisance], predicted: &[f64]) -> Vec<CalibrationGroup> {
    let mut order: Vec<usize> = (0..predicted.len()).collect();
    order.sort_by(|&one, &two| predicted[one].total_cmp(&predicted[two]).then(one.cmp(&two)));
    let size = order.len().div_ceil(CALIBRATION_GROUPS).max(1);
    order
        .chunks(size)
        .map(|group| {
            let rows = group.len() as f64;
            let measured = clustered_mean(group.iter().map(|&place| (panel.rows[place].subject, nuisance[place].score)));
            CalibrationGroup { predicted: group.iter().map(|&place| predicted[place]).sum::<f64>() / rows, measured }
        })
        .collect()
}

fn kind_effects(panel: &Panel, nuisance: &[Nuisance]) -> Vec<KindEffect> {
    let kinds: std::collections::BTreeSet<&str> = panel.campaigns.iter().map(|campaign| campaign.kind.as_str()).collect();
    kinds
        .into_iter()
        .filter_map(|kind| {
            let effect = mean_effect(panel, nuisance, |campaign| panel.campaigns[campaign].kind == kind)?;
            Some(KindEffect { kind: kind.to_owned(), effect })
        })
        .collect()
}

fn residual_deviation(panel: &Panel, nuisance: &[Nuisance]) -> f64 {
    let squares: f64 = panel
        .rows
        .iter()
        .zip(nuisance)
        .map(|(row, nuisance)| (row.outcome - if row.treated { nuisance.treated } else { nuisance.control }).powi(2))
        .sum();
    (squares / panel.rows.len().max(1) as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use youhui_commerce::{Campaign, Draw};
    use youhui_response::PanelRow;
    use youhui_response::panel::COVARIATES;

    /// Randomised campaigns of known truth: the embedding's first coordinate moves the effect by `effect`, the second what is
    /// spent by `outcome`.
    fn panel(seed: u64, effect: f64, outcome: f64) -> Panel {
        let campaign = |number: usize| Campaign {
            campaign_id: number.to_string(),
            kind: "mail".to_owned(),
            window: TimeWindow { start: 0, end: TimeWindow::DAY },
        };
        let mut draw = Draw::seeded(seed);
        let subjects: Vec<SubjectId> = (0..600).map(|_| SubjectId::from_bytes(draw.bytes16())).collect();
        let mut rows = Vec::new();
        for number in 0..4 {
            for &subject in &subjects {
                let mut basis: Vec<f64> = youhui_response::BASIS.iter().map(|_| draw.normal()).collect();
                basis[0] = 1.0;
                let covariates: Vec<f64> = COVARIATES.iter().map(|_| draw.normal()).collect();
                let treated = draw.uniform() < 0.5;
                let changed = if treated { 1.0 + effect * basis[EMBEDDING][0] } else { 0.0 };
                let spent = covariates[0] + outcome * basis[EMBEDDING][1] + changed + draw.normal();
                rows.push(PanelRow { subject, campaign: number, treated, covariates, basis, before: 0.0, outcome: spent, after: None });
            }
        }
        Panel { campaigns: (0..4).map(campaign).collect(), rows }
    }

    fn worth(effect: f64, outcome: f64) -> EmbeddingWorth {
        let (train, test) = (panel(1, effect, outcome), panel(2, effect, outcome));
        let (of_train, of_test) = (cross_fit(&train), cross_fit(&test));
        let model = EffectModel::fit(&train, &of_train).unwrap();
        let predicted: Vec<f64> = test.rows.iter().map(|row| model.predict(&row.basis).mean).collect();
        embedding_worth((&train, &of_train), (&test, &of_test), &predicted).unwrap()
    }

    #[test]
    fn an_embedding_that_says_something_is_worth_something_and_another_nothing() {
        let both = worth(1.0, 1.0);
        assert!(both.effect.low > 0.02 && both.outcome.low > 0.2, "{both:?}");
        let neither = worth(0.0, 0.0);
        for estimate in [neither.effect, neither.outcome] {
            assert!(estimate.low < 0.0 && estimate.high.abs() < 0.01, "{neither:?}");
        }
    }
}
