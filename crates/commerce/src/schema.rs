//! The Arrow schemas of the tables between the stages, as `youhui schema <table>` prints them.
//!
//! Identifiers of customers are 16 random bytes, times are UTC microseconds, money is minor units
//! of the table's one currency (named in `currency` or in the store's `store.json`).

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};

/// A table with a published schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// What customers did.
    Events,
    /// What is sold.
    Products,
    /// What the shop knows of customers, beside what they did.
    Customers,
    /// Campaigns that were run.
    Campaigns,
    /// Who received which campaign.
    Exposures,
    /// Which coupon of which campaign is good for which product.
    Offers,
    /// What was learnt of each customer.
    Profiles,
    /// Who gets what.
    Assignments,
}

impl Table {
    /// Every table.
    pub const ALL: [Self; 8] =
        [Self::Events, Self::Products, Self::Customers, Self::Campaigns, Self::Exposures, Self::Offers, Self::Profiles, Self::Assignments];

    /// Its name on the command line and in a store.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Products => "products",
            Self::Customers => "customers",
            Self::Campaigns => "campaigns",
            Self::Exposures => "exposures",
            Self::Offers => "offers",
            Self::Profiles => "profiles",
            Self::Assignments => "assignments",
        }
    }

    /// The table with that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.name() == name)
    }

    /// Its columns. Those of `Profiles` that are learnt (`embedding_0` …) are not listed: their
    /// number is a setting.
    pub fn schema(self) -> SchemaRef {
        let fields = match self {
            Self::Events => vec![
                Field::new("event_id", id(), false),
                Field::new("subject", id(), false),
                Field::new("time", time(), false),
                Field::new("kind", text(), false),
                Field::new("product", text(), true),
                Field::new("order_id", text(), true),
                Field::new("quantity", DataType::Int64, false),
                Field::new("amount", DataType::Int64, false),
                Field::new("discount", DataType::Int64, false),
                Field::new("vendor_discount", DataType::Int64, false),
                Field::new("cost", DataType::Int64, true),
                Field::new("promotion_id", text(), true),
            ],
            Self::Products => vec![
                Field::new("product_id", DataType::Utf8, false),
                Field::new("name", DataType::Utf8, false),
                Field::new("category", DataType::new_list(DataType::Utf8, false), false),
                Field::new("brand", DataType::Utf8, false),
                Field::new("price", DataType::Int64, true),
                Field::new("cost", DataType::Int64, true),
                Field::new("stock", DataType::Int64, true),
            ],
            Self::Customers => {
                vec![Field::new("subject", id(), false), Field::new("attribute", text(), false), Field::new("value", DataType::Utf8, false)]
            }
            Self::Campaigns => vec![
                Field::new("campaign_id", DataType::Utf8, false),
                Field::new("kind", DataType::Utf8, false),
                Field::new("start", time(), false),
                Field::new("end", time(), false),
            ],
            Self::Exposures => vec![Field::new("subject", id(), false), Field::new("campaign_id", text(), false)],
            Self::Offers => {
                vec![Field::new("campaign_id", text(), false), Field::new("coupon", text(), false), Field::new("product", text(), false)]
            }
            Self::Profiles => vec![
                Field::new("subject", id(), false),
                Field::new("as_of", time(), false),
                Field::new("orders", DataType::Int64, false),
                Field::new("amount", DataType::Int64, false),
                Field::new("recency_days", DataType::Float64, false),
                Field::new("tenure_days", DataType::Float64, false),
                Field::new("mean_gap_days", DataType::Float64, true),
                Field::new("gap_variation", DataType::Float64, true),
                Field::new("basket_median", DataType::Int64, false),
                Field::new("basket_p90", DataType::Int64, false),
                Field::new("discount_share", DataType::Float64, false),
                Field::new("price_sensitivity", DataType::Float64, false),
                Field::new("refund_share", DataType::Float64, false),
                Field::new("margin_share", DataType::Float64, true),
                Field::new("probability_alive", DataType::Float64, true),
                Field::new("expected_orders_90d", DataType::Float64, true),
                Field::new("lifetime_value_1y", DataType::Float64, true),
                Field::new("top_category", text(), true),
                Field::new("top_brand", text(), true),
                Field::new("favourite_hour", DataType::Int64, true),
                Field::new("favourite_weekday", DataType::Int64, true),
            ],
            Self::Assignments => vec![
                Field::new("subject", id(), false),
                Field::new("promotion_id", text(), true),
                Field::new("propensity", DataType::Float64, false),
                Field::new("expected_profit", DataType::Float64, false),
                Field::new("std_error", DataType::Float64, false),
                Field::new("expected_cost", DataType::Float64, false),
                Field::new("budget_price", DataType::Float64, false),
                Field::new("mode", text(), false),
                Field::new("reason", DataType::Utf8, false),
            ],
        };
        Arc::new(Schema::new(fields))
    }
}

fn id() -> DataType {
    DataType::FixedSizeBinary(16)
}

fn time() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// Text of which few values repeat: dictionary-encoded, so that a value costs four bytes a row.
fn text() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}
