//! The mapping file: which columns of a foreign file are which fields of ours.
//!
//! TOML; the built-in mappings are the documentation by example. Unknown keys are errors.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use youhui_commerce::{Currency, EventKind, parse_minor};

use crate::error::StoreError;

/// A mapping file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// What is true of the whole shop; needed when an import creates a store.
    pub shop: Option<ShopMapping>,
    /// What holds for customers who said nothing.
    pub consent: Option<ConsentMapping>,
    /// How event rows are read.
    pub events: Option<EventsMapping>,
    /// How coupon redemptions or other rows are read as events, by a name of your own: chosen with
    /// `--as events:NAME`.
    #[serde(default)]
    pub more_events: BTreeMap<String, EventsMapping>,
    /// How products are read.
    pub products: Option<ProductsMapping>,
    /// How customers' attributes are read.
    pub customers: Option<CustomersMapping>,
    /// How campaigns are read.
    pub campaigns: Option<CampaignsMapping>,
    /// Who received which campaign.
    pub exposures: Option<ExposuresMapping>,
    /// Which coupon is good for which product.
    pub offers: Option<OffersMapping>,
}

/// The shop.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShopMapping {
    /// ISO 4217.
    pub currency: Currency,
    /// IANA time zone that habits are counted in.
    pub time_zone: String,
    /// Gross margin assumed where a line's cost is unknown, between 0 and 1.
    pub assumed_margin: Option<f64>,
    /// Categories that no promotion may touch, such as tobacco.
    #[serde(default)]
    pub never_promote: Vec<String>,
}

/// Consent by default.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsentMapping {
    /// `granted` or `denied`.
    pub default: String,
    /// Why, in the shop's words.
    pub basis: String,
}

/// Where a field comes from.
#[derive(Debug, Clone, Deserialize)]
#[serde(
    untagged,
    deny_unknown_fields,
    expecting = "write a column's name, or one of { sum = [\"A\", \"B\"] }, { product = [\"COUNT\", \"PRICE\"] }, { join = [\"A\", \"B\"] }, { constant = \"VALUE\" }"
)]
pub enum Source {
    /// A column.
    Column(String),
    /// The sum of columns.
    Sum {
        /// Columns.
        sum: Vec<String>,
    },
    /// A count times an amount: `product = ["Quantity", "UnitPrice"]`.
    Product {
        /// The column of the count, then that of the amount.
        product: [String; 2],
    },
    /// Texts joined with a space, empty ones left out.
    Join {
        /// Columns.
        join: Vec<String>,
    },
    /// The same for every row.
    Constant {
        /// The value.
        constant: String,
    },
}

/// Where a time comes from.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "write a column's name, or { column = \"A\" } with format, zone or plus_days")]
pub enum TimeSource {
    /// A column: a timestamp (UTC where it has no zone), or text in RFC 3339.
    Column(String),
    /// A column with its format or zone.
    Detailed(TimeDetails),
}

/// A time that needs explaining.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeDetails {
    /// The column.
    pub column: String,
    /// strptime format of text, such as `%m/%d/%Y`; a date alone is its midnight.
    pub format: Option<String>,
    /// IANA zone of times without one; UTC if left out.
    pub zone: Option<String>,
    /// Added to the time: an end that names its last day needs 1.
    #[serde(default)]
    pub plus_days: i64,
}

/// Rows to pass over.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exclude {
    /// The column.
    pub column: String,
    /// Its values that are no goods, such as postage.
    pub values: BTreeSet<String>,
}

/// Events.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventsMapping {
    /// One of our kinds for every row (`order` if left out), or a column of kinds.
    pub kind: Option<Source>,
    /// Who.
    pub customer: String,
    /// When.
    pub time: TimeSource,
    /// Which product.
    pub product: Option<String>,
    /// Which order.
    pub order: Option<Source>,
    /// How many units; 1 if left out.
    pub quantity: Option<String>,
    /// What the shop received for the line.
    pub amount: Option<Source>,
    /// What the shop gave away of the line's list amount.
    pub discount: Option<Source>,
    /// What others paid for the customer; inside `amount`.
    pub vendor_discount: Option<Source>,
    /// Cost of goods of the line.
    pub cost: Option<Source>,
    /// Code of the coupon or promotion.
    pub promotion: Option<String>,
    /// A column of currencies, where the file has one: rows in another than the store's are bad.
    pub currency: Option<String>,
    /// Columns that name the event. Without them an event is known by its content, and the k-th
    /// of equal rows in one file is the k-th such event.
    pub event_id: Option<Vec<String>>,
    /// `true`: a negative quantity is a return of that many units.
    #[serde(default)]
    pub negative_is_refund: bool,
    /// `true`: amounts are already in minor units.
    #[serde(default)]
    pub minor_units: bool,
    /// Rows that are no events of customers.
    pub exclude: Option<Exclude>,
}

/// Products.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProductsMapping {
    /// Identifier.
    pub product: String,
    /// What shoppers read; the identifier if left out.
    pub name: Option<Source>,
    /// Category path, wide to narrow; empty cells are left out.
    #[serde(default)]
    pub category: Vec<String>,
    /// Brand.
    pub brand: Option<Source>,
    /// List price.
    pub price: Option<String>,
    /// Cost of one unit.
    pub cost: Option<String>,
    /// Units on hand.
    pub stock: Option<String>,
    /// Rows that are no products.
    pub exclude: Option<Exclude>,
}

/// Customers.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomersMapping {
    /// Identifier.
    pub customer: String,
    /// Columns to keep as attributes. `consent_personalisation` (`granted` or `denied`) is read as
    /// consent.
    pub attributes: Vec<String>,
}

/// Campaigns.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CampaignsMapping {
    /// Identifier.
    pub campaign: String,
    /// The shop's word for its kind.
    pub kind: String,
    /// First moment.
    pub start: TimeSource,
    /// First moment after.
    pub end: TimeSource,
}

/// Exposures.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExposuresMapping {
    /// Who.
    pub customer: String,
    /// Which campaign.
    pub campaign: String,
}

/// Offers.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OffersMapping {
    /// Which campaign.
    pub campaign: String,
    /// Which coupon.
    pub coupon: String,
    /// Which product.
    pub product: String,
}

impl Mapping {
    /// Reads a mapping; `name` is for messages.
    ///
    /// # Errors
    /// `Mapping` with the line and key that is wrong.
    pub fn parse(name: &str, text: &str) -> Result<Self, StoreError> {
        let error = |message: String| StoreError::Mapping { name: name.to_owned(), message };
        let mapping: Self = toml::from_str(text).map_err(|problem| error(problem.to_string()))?;
        if let Some(shop) = &mapping.shop {
            if jiff::tz::TimeZone::get(&shop.time_zone).is_err() {
                return Err(error(format!("shop.time_zone {:?} is not an IANA time zone such as Asia/Shanghai", shop.time_zone)));
            }
            if shop.assumed_margin.is_some_and(|margin| !(0.0..1.0).contains(&margin)) {
                return Err(error("shop.assumed_margin must be from 0 up to, not including, 1".into()));
            }
        }
        if let Some(consent) = &mapping.consent
            && !matches!(consent.default.as_str(), "granted" | "denied")
        {
            return Err(error(format!("consent.default is {:?}: write \"granted\" or \"denied\"", consent.default)));
        }
        mapping.check_sources().map_err(error)?;
        Ok(mapping)
    }

    /// What can be known to be wrong before a file is read, where the message can name the key.
    fn check_sources(&self) -> Result<(), String> {
        let decimals = self.shop.as_ref().map_or(2, |shop| shop.currency.decimals());
        let variants = self.more_events.iter().map(|(name, events)| (format!("more_events.{name}"), events));
        for (section, events) in self.events.iter().map(|events| ("events".to_owned(), events)).chain(variants) {
            let at = |key: &str| format!("{section}.{key}");
            events.time.check(&at("time"))?;
            for (key, source) in [("kind", &events.kind), ("order", &events.order)] {
                source.iter().try_for_each(|source| source.check(&at(key)))?;
            }
            if let Some(Source::Constant { constant }) = &events.kind
                && EventKind::from_name(constant).is_none()
            {
                return Err(format!("{} {constant:?} is no kind of event: write one that `youhui schema events` lists", at("kind")));
            }
            let money = [&events.amount, &events.discount, &events.vendor_discount, &events.cost];
            for (key, source) in ["amount", "discount", "vendor_discount", "cost"].into_iter().zip(money) {
                source.iter().try_for_each(|source| source.check(&at(key)))?;
                if let Some(Source::Constant { constant }) = source {
                    let decimals = if events.minor_units { 0 } else { decimals };
                    parse_minor(constant, decimals).map_err(|error| format!("{}: {error}", at(key)))?;
                }
            }
            if events.event_id.as_ref().is_some_and(Vec::is_empty) {
                return Err(format!("{} names no column: leave it out to know events by their content", at("event_id")));
            }
        }
        if let Some(campaigns) = &self.campaigns {
            campaigns.start.check("campaigns.start")?;
            campaigns.end.check("campaigns.end")?;
        }
        let products = self.products.iter().flat_map(|products| [("products.name", &products.name), ("products.brand", &products.brand)]);
        products.filter_map(|(key, source)| Some((key, source.as_ref()?))).try_for_each(|(key, source)| source.check(key))
    }

    /// The mapping of files that use our own column names, with amounts in major units.
    pub fn own_names() -> Self {
        let column = |name: &str| Some(Source::Column(name.into()));
        Self {
            shop: None,
            consent: None,
            events: Some(EventsMapping {
                kind: column("kind"),
                customer: "customer".into(),
                time: TimeSource::Column("time".into()),
                product: Some("product".into()),
                order: column("order_id"),
                quantity: Some("quantity".into()),
                amount: column("amount"),
                discount: column("discount"),
                vendor_discount: None,
                cost: None,
                promotion: None,
                currency: None,
                event_id: Some(vec!["event_id".into()]),
                negative_is_refund: false,
                minor_units: false,
                exclude: None,
            }),
            more_events: BTreeMap::new(),
            products: Some(ProductsMapping {
                product: "product_id".into(),
                name: column("name"),
                category: vec!["category".into()],
                brand: column("brand"),
                price: Some("price".into()),
                cost: None,
                stock: None,
                exclude: None,
            }),
            customers: None,
            campaigns: Some(CampaignsMapping {
                campaign: "campaign_id".into(),
                kind: "kind".into(),
                start: TimeSource::Column("start".into()),
                end: TimeSource::Column("end".into()),
            }),
            exposures: Some(ExposuresMapping { customer: "customer".into(), campaign: "campaign_id".into() }),
            offers: Some(OffersMapping { campaign: "campaign_id".into(), coupon: "coupon".into(), product: "product".into() }),
        }
    }
}

impl Source {
    /// The columns it reads.
    pub(crate) fn columns(&self) -> Vec<String> {
        match self {
            Self::Column(column) => vec![column.clone()],
            Self::Sum { sum } => sum.clone(),
            Self::Product { product } => product.to_vec(),
            Self::Join { join } => join.clone(),
            Self::Constant { .. } => vec![],
        }
    }

    fn check(&self, key: &str) -> Result<(), String> {
        match self {
            Self::Sum { sum: columns } | Self::Join { join: columns } if columns.is_empty() => Err(format!("{key} names no column")),
            _ => Ok(()),
        }
    }
}

impl TimeSource {
    pub(crate) fn details(&self) -> TimeDetails {
        match self {
            Self::Column(column) => TimeDetails { column: column.clone(), format: None, zone: None, plus_days: 0 },
            Self::Detailed(details) => details.clone(),
        }
    }

    fn check(&self, key: &str) -> Result<(), String> {
        /// A hundred years.
        const MOST_DAYS: u64 = 36_525;
        let Self::Detailed(details) = self else { return Ok(()) };
        if let Some(zone) = details.zone.as_ref().filter(|zone| jiff::tz::TimeZone::get(zone).is_err()) {
            return Err(format!("{key}.zone {zone:?} is not an IANA time zone such as Asia/Shanghai"));
        }
        if details.plus_days.unsigned_abs() > MOST_DAYS {
            return Err(format!("{key}.plus_days is {}: it must be within {MOST_DAYS} days", details.plus_days));
        }
        Ok(())
    }
}
