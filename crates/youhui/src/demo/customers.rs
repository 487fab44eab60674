//! The profile stage: from a store to permitted profiles.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use youhui_commerce::{Campaign, EventKind, EventTable, Exposure, Micros, Offer, ProductIx, ShopClock, SubjectId, TimeWindow};
use youhui_privacy::{ConsentLedger, PermittedProfile, Purpose};
use youhui_profile::lifetime::{BgNbd, GammaGamma, LifetimeError, lifetime_value};
use youhui_profile::sequence::{Encoder, EncoderConfig, EpochReport, Sequence, SequenceQuality, evaluate};
use youhui_profile::{CategoryNorms, Features, Shop, features, map_customers, principal_coordinates, purchase_sequence};
use youhui_storage::Store;

use crate::cli::CliError;

/// Categories (or products) that the encoder knows, the most bought ones.
const MOST_CLASSES: usize = 500;
/// Share of the data's span that is learnt from; the rest judges.
const TRAIN_SHARE: f64 = 0.75;
/// Days that lie at least between two moments at which customers are embedded.
const ANCHOR_DAYS: i64 = 28;
/// What a year's delay costs a future profit.
const YEARLY_DISCOUNT: f64 = 0.10;

/// Everything that was loaded.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) shop: Shop,
    pub(crate) buckets: Vec<EventTable>,
    pub(crate) campaigns: Vec<Campaign>,
    pub(crate) exposures: Vec<Exposure>,
    pub(crate) offers: Vec<Offer>,
    pub(crate) consent: ConsentLedger,
    pub(crate) span: Span,
}

/// The data's time: learnt from `first` to `split`, judged from `split` to `end`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    pub(crate) first: Micros,
    pub(crate) split: Micros,
    /// First moment after the data.
    pub(crate) end: Micros,
}

/// What is known of one customer as of the data's end.
#[derive(Debug, Clone)]
pub(crate) struct Profile {
    pub(crate) features: Features,
    pub(crate) lifetime: Option<Lifetime>,
    /// Empty where no encoder could be trained.
    pub(crate) embedding: Vec<f32>,
    /// The embedding's principal coordinates.
    pub(crate) coordinates: [f64; 2],
}

/// What BG/NBD and Gamma-Gamma say of one customer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lifetime {
    pub(crate) probability_alive: f64,
    pub(crate) expected_orders_90d: f64,
    /// Contribution of the next year in major units, discounted.
    pub(crate) value_1y: f64,
}

/// The lifetime models, and how well they foretell the judged time.
#[derive(Debug, Clone)]
pub(crate) struct LifetimeModels {
    pub(crate) orders: BgNbd,
    pub(crate) values: GammaGamma,
}

/// The learned encoder and its worth.
#[derive(Debug)]
pub(crate) struct Learned {
    pub(crate) quality: SequenceQuality,
    /// What is foreseen: "categories" or "products".
    pub(crate) word: &'static str,
    pub(crate) classes: usize,
    pub(crate) best_epoch: usize,
    pub(crate) epochs: usize,
}

/// Everything that the profile stage makes.
#[derive(Debug)]
pub(crate) struct Customers {
    /// Permitted profiles in order of subject.
    pub(crate) profiles: Vec<PermittedProfile<Profile>>,
    /// Customers without permission: counted, not profiled.
    pub(crate) withheld: usize,
    pub(crate) permitted: BTreeSet<SubjectId>,
    /// Why there are no lifetime models, if there are none.
    pub(crate) lifetime: Result<LifetimeModels, String>,
    /// Why there is no encoder, if there is none.
    pub(crate) learned: Result<Learned, String>,
    /// Principal coordinates of the embeddings by moment.
    pub(crate) coordinates: BTreeMap<Micros, BTreeMap<SubjectId, [f64; 2]>>,
}

/// Reads a store into memory.
pub(crate) fn load(store: &Store) -> Result<Loaded, CliError> {
    let settings = &store.manifest().shop;
    let zone = jiff::tz::TimeZone::get(&settings.time_zone)
        .map_err(|error| CliError::usage(format!("time zone {}: {error}", settings.time_zone)))?;
    let catalogue = store.load_catalogue()?;
    let buckets = store.load_events(&catalogue)?;
    let times = || buckets.iter().flat_map(|table| table.time.iter().copied());
    let (Some(first), Some(last)) = (times().min(), times().max()) else {
        return Err(CliError::usage("the store has no events: import some with `youhui import FILE --as events`"));
    };
    let end = last + 1;
    let split = first + youhui_profile::shop::to_minor((end - first) as f64 * TRAIN_SHARE);
    let offers = store.load_offers(&catalogue)?;
    let clock = ShopClock::new(zone, TimeWindow { start: first, end });
    Ok(Loaded {
        shop: Shop {
            catalogue,
            clock,
            currency: settings.currency,
            assumed_margin: settings.assumed_margin,
            never_promote: settings.never_promote.clone(),
        },
        buckets,
        campaigns: store.load_campaigns()?,
        exposures: store.load_exposures()?,
        offers,
        consent: store.load_consent()?,
        span: Span { first, split, end },
    })
}

/// Named features of every permitted customer as of the data's end; the second number counts
/// those without permission.
pub(crate) fn permitted_features(loaded: &Loaded) -> (Vec<PermittedProfile<Features>>, usize) {
    let end = loaded.span.end;
    let norms = CategoryNorms::of(&loaded.buckets, &loaded.shop, end);
    let all = map_customers(&loaded.buckets, |customer| {
        // Consent is asked before the customer's rows are looked at.
        let permit = loaded.consent.permit(customer.subject, Purpose::Personalisation, ());
        permit.and_then(|_| {
            let features = features(customer, &loaded.shop, &norms, end);
            loaded.consent.permit(customer.subject, Purpose::Personalisation, features)
        })
    });
    let customers = all.len();
    let permitted: Vec<_> = all.into_iter().flatten().collect();
    let withheld = customers - permitted.len();
    (permitted, withheld)
}

/// Lifetime models and each customer's values from them.
pub(crate) fn lifetimes(known: &[PermittedProfile<Features>]) -> (Result<LifetimeModels, String>, Vec<Option<Lifetime>>) {
    let summaries: Vec<_> =
        known.iter().map(|permitted| permitted.profile()).filter(|known| known.orders > 0).map(|known| known.purchases).collect();
    // A little penalty where the plain likelihood has no maximum, as `lifetimes` advises.
    let fit = || -> Result<LifetimeModels, LifetimeError> {
        let orders = BgNbd::fit(&summaries, 0.0).or_else(|_| BgNbd::fit(&summaries, 0.01))?;
        Ok(LifetimeModels { orders, values: GammaGamma::fit(&summaries)? })
    };
    let models = match fit() {
        Ok(models) => models,
        Err(error) => return (Err(error.to_string()), vec![None; known.len()]),
    };
    let (amount, contribution) = known
        .iter()
        .fold((0, 0), |(amount, contribution), known| (amount + known.profile().amount, contribution + known.profile().contribution));
    let margin = if amount > 0 { contribution as f64 / amount as f64 } else { 0.0 };
    let daily = (1.0 + YEARLY_DISCOUNT).powf(1.0 / 365.0) - 1.0;
    let of = |features: &Features| {
        (features.orders > 0).then(|| Lifetime {
            probability_alive: models.orders.probability_alive(&features.purchases),
            expected_orders_90d: models.orders.expected_purchases(&features.purchases, 90.0),
            value_1y: lifetime_value(&models.orders, &models.values, &features.purchases, 365.0, daily, margin),
        })
    };
    let values = known.par_iter().map(|known| of(known.profile())).collect();
    (Ok(models), values)
}

/// Trains the encoder on what lies before the split, measures it there, and embeds every
/// permitted customer at the moments that later stages ask for.
pub(crate) fn learn(
    loaded: &Loaded,
    permitted: &BTreeSet<SubjectId>,
    seed: u64,
    progress: &mut dyn FnMut(EpochReport),
) -> Result<(Learned, Embedded), String> {
    let span = loaded.span;
    let classes = Classes::of(loaded);
    let whole: Vec<Sequence> = map_customers(&loaded.buckets, |customer| {
        permitted
            .contains(&customer.subject)
            .then(|| purchase_sequence(customer, &loaded.shop, |product| classes.of_product.get(product as usize).copied().flatten()))
    })
    .into_iter()
    .flatten()
    .collect();
    let until = |at: Micros| -> Vec<Sequence> {
        let cut = |sequence: &Sequence| Sequence {
            subject: sequence.subject,
            steps: sequence.steps.iter().filter(|step| step.time < at).cloned().collect(),
        };
        whole.iter().map(cut).collect()
    };
    let before = until(span.split);
    let baskets = before.iter().map(|sequence| sequence.steps.len()).sum();
    let config = EncoderConfig { seed, ..EncoderConfig::for_size(before.len(), baskets) };
    let found = evaluate(&before, classes.count, &config, progress).map_err(|error| error.to_string())?;
    let embedded = Embedded::of(&found.encoder, &before, span, &anchors(loaded), &until);
    let learned = Learned {
        quality: found.quality,
        word: classes.word,
        classes: classes.count,
        best_epoch: found.training.best_epoch,
        epochs: found.training.epochs.len(),
    };
    Ok((learned, embedded))
}

/// Embeddings as of the data's end, and principal coordinates at every anchor.
#[derive(Debug, Default)]
pub(crate) struct Embedded {
    pub(crate) at_end: BTreeMap<SubjectId, Vec<f32>>,
    pub(crate) coordinates: BTreeMap<Micros, BTreeMap<SubjectId, [f64; 2]>>,
}

impl Embedded {
    fn of(encoder: &Encoder, before: &[Sequence], span: Span, anchors: &[Micros], until: &dyn Fn(Micros) -> Vec<Sequence>) -> Self {
        // The axes come from the split, so that coordinates of different moments compare.
        let axes: Vec<Vec<f32>> = encoder
            .embed(before, span.split)
            .into_iter()
            .zip(before)
            .filter(|(_, sequence)| !sequence.steps.is_empty())
            .map(|(embedding, _)| embedding)
            .collect();
        let mut embedded = Self::default();
        for &anchor in anchors.iter().chain([&span.end]) {
            let sequences = until(anchor);
            let embeddings = encoder.embed(&sequences, anchor);
            let places = principal_coordinates(&axes, &embeddings);
            let subjects = sequences.iter().map(|sequence| sequence.subject);
            embedded.coordinates.insert(anchor, subjects.clone().zip(places).collect());
            if anchor == span.end {
                embedded.at_end = subjects.zip(embeddings).collect();
            }
        }
        embedded
    }
}

/// Campaign starts, four weeks apart at least: a customer's taste changes slowly.
fn anchors(loaded: &Loaded) -> Vec<Micros> {
    let starts: BTreeSet<Micros> = loaded.campaigns.iter().map(|campaign| campaign.window.start).collect();
    let mut anchors: Vec<Micros> = Vec::new();
    for start in starts {
        let far = anchors.last().is_none_or(|last| start - last >= ANCHOR_DAYS * TimeWindow::DAY);
        if far && start > loaded.span.first && start < loaded.span.end {
            anchors.push(start);
        }
    }
    anchors
}

/// What the encoder tells apart.
struct Classes {
    /// "categories", or "products" for a shop without categories.
    word: &'static str,
    of_product: Vec<Option<u32>>,
    count: usize,
}

impl Classes {
    /// The most bought before the split, numbered by falling number of lines; the empty category
    /// teaches nothing and is left out.
    fn of(loaded: &Loaded) -> Self {
        let catalogue = &loaded.shop.catalogue;
        let products = 0..u32::try_from(catalogue.products().len()).unwrap_or(u32::MAX);
        let mut lines = CategoryNorms::of(&loaded.buckets, &loaded.shop, loaded.span.split).lines;
        lines.iter_mut().take(1).for_each(|none| *none = 0);
        let (categories, count) = most_bought(&lines);
        if count >= 2 {
            let of_product = products.map(|product| categories[catalogue.category_of(product) as usize]).collect();
            return Self { word: "categories", of_product, count };
        }
        let (of_product, count) = most_bought(&lines_by_product(loaded));
        Self { word: "products", of_product, count }
    }
}

fn most_bought(lines: &[u64]) -> (Vec<Option<u32>>, usize) {
    let mut order: Vec<usize> = (0..lines.len()).filter(|&place| lines[place] > 0).collect();
    order.sort_by(|&one, &two| lines[two].cmp(&lines[one]).then(one.cmp(&two)));
    order.truncate(MOST_CLASSES);
    let mut classes = vec![None; lines.len()];
    for (class, &place) in (0_u32..).zip(&order) {
        classes[place] = Some(class);
    }
    (classes, order.len())
}

fn lines_by_product(loaded: &Loaded) -> Vec<u64> {
    let mut lines = vec![0; loaded.shop.catalogue.products().len()];
    for table in &loaded.buckets {
        for ((product, kind), time) in table.product.iter().zip(&table.kind).zip(&table.time) {
            if *kind == EventKind::Order
                && *time < loaded.span.split
                && let Some(count) = lines.get_mut(*product as usize)
            {
                *count += 1;
            }
        }
    }
    lines
}

/// Puts a customer's parts together.
pub(crate) fn assemble(
    loaded: &Loaded,
    known: Vec<PermittedProfile<Features>>,
    withheld: usize,
    lifetimes: (Result<LifetimeModels, String>, Vec<Option<Lifetime>>),
    learned: Result<(Learned, Embedded), String>,
) -> Customers {
    let permitted = known.iter().map(PermittedProfile::subject).collect();
    let (learned, embedded) = match learned {
        Ok((learned, embedded)) => (Ok(learned), embedded),
        Err(why) => (Err(why), Embedded::default()),
    };
    let last = embedded.coordinates.get(&loaded.span.end);
    let profiles = known
        .into_iter()
        .zip(lifetimes.1)
        .map(|(known, lifetime)| {
            let subject = known.subject();
            known.map(|features| Profile {
                features,
                lifetime,
                embedding: embedded.at_end.get(&subject).cloned().unwrap_or_default(),
                coordinates: last.and_then(|places| places.get(&subject)).copied().unwrap_or_default(),
            })
        })
        .collect();
    Customers { profiles, withheld, permitted, lifetime: lifetimes.0, learned, coordinates: embedded.coordinates }
}

/// When each product was first sold: how old its stock is at most, as no replenishment is on record.
pub(crate) fn first_sales(loaded: &Loaded) -> BTreeMap<ProductIx, Micros> {
    let mut first = BTreeMap::new();
    for table in &loaded.buckets {
        for row in (0..table.len()).filter(|&row| table.kind[row] == EventKind::Order && table.product[row] != EventTable::NO_PRODUCT) {
            let time = first.entry(table.product[row]).or_insert(Micros::MAX);
            *time = table.time[row].min(*time);
        }
    }
    first
}
