//! What is priced: lines, codes, the customer and the moment.

use serde::{Deserialize, Serialize};
use youhui_commerce::{Currency, Micros};

use crate::document::{MOST_AMOUNT, MOST_UNITS, Name, Problem, Problems, is_default};
use crate::prelude::*;

/// Most lines of one basket.
pub const MOST_LINES: usize = 100_000;
/// Most that a whole basket is worth, in minor units: sums of shares of it fit 64 bits.
const MOST_TOTAL: i64 = 100_000_000_000_000;
/// Most codes of one basket.
const MOST_CODES: usize = 100;

/// What a customer is about to buy. Money is in minor units of `currency`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Basket {
    /// Currency of every amount below.
    #[cfg_attr(feature = "schema", schemars(with = "crate::document::CurrencyText"))]
    pub currency: Currency,
    /// Its lines.
    pub lines: Vec<Line>,
    /// Codes that the customer entered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub codes: Vec<String>,
    /// Who buys.
    #[serde(default, skip_serializing_if = "is_default")]
    pub customer: Customer,
    /// Where, such as `web`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// How it is sent, and what that costs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shipping: Option<Shipment>,
    /// What else is known, such as `payment` or `country`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    /// Whether prices contain their tax; otherwise it is added to the total.
    #[serde(default = "yes")]
    pub prices_include_tax: bool,
}

const fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_yes(value: &bool) -> bool {
    *value
}

/// One line of a basket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Unique within the basket.
    pub line_id: Name,
    /// Which product (SKU).
    pub product_id: Name,
    /// Its category path, from wide to narrow.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
    /// Its brand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brand: Option<String>,
    /// Who sells it, where several shops share a basket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shop: Option<Name>,
    /// What else is known of it, such as `colour`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    /// Units.
    pub quantity: i64,
    /// Price of a unit before any promotion.
    pub unit_price: i64,
    /// No promotion brings a unit below this price.
    #[serde(default, skip_serializing_if = "is_default")]
    pub unit_price_floor: i64,
    /// Tax in basis points.
    #[serde(default, skip_serializing_if = "is_default")]
    pub tax_basis_points: u32,
    /// Whether promotions may work on it at all; gift cards, for example, not. Then it counts towards no
    /// threshold either; conditions on what a basket contains still see it.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub discountable: bool,
}

impl Line {
    /// A line of `quantity` units at `unit_price` minor units; its product gives it its name.
    pub fn new(product_id: impl Into<Name>, quantity: i64, unit_price: i64) -> Self {
        let product_id = product_id.into();
        Self {
            line_id: product_id.clone(),
            product_id,
            categories: vec![],
            brand: None,
            shop: None,
            attributes: BTreeMap::new(),
            quantity,
            unit_price,
            unit_price_floor: 0,
            tax_basis_points: 0,
            discountable: true,
        }
    }
}

/// How a basket is sent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Shipment {
    /// What it costs.
    pub amount: i64,
    /// By which method, such as `express`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Tax in basis points.
    #[serde(default, skip_serializing_if = "is_default")]
    pub tax_basis_points: u32,
}

/// Who buys.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Customer {
    /// Groups such as `gold`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// Orders before this one; unknown if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_orders: Option<i64>,
    /// What else is known of them, such as `birth_month`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
}

/// The moment of pricing, what is used up by then, and how much the answer should say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// In UTC microseconds.
    pub at: Micros,
    /// What is used up of each promotion.
    pub usage: BTreeMap<Name, Usage>,
    /// How much the answer says.
    pub detail: Detail,
    /// Most work that the search for the best deal may do, in promotions tried on a basket of up to 64
    /// lines (on a longer one each counts for more); past it the answer says that it stopped, and the
    /// gap.
    pub most_trials: u64,
}

impl Default for Context {
    fn default() -> Self {
        Self { at: 0, usage: BTreeMap::new(), detail: Detail::default(), most_trials: 20_000 }
    }
}

impl Context {
    /// At a moment in UTC microseconds, with nothing used up.
    pub fn at(at: Micros) -> Self {
        Self { at, ..Self::default() }
    }
}

/// How much the answer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Detail {
    /// `rejected` lists promotions that the basket touches: by a code, a product, a category.
    Near,
    /// `rejected` lists every promotion that did not apply.
    #[default]
    Every,
    /// And a trace says step by step what was done.
    Trace,
}

/// What is used up of a promotion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Usage {
    /// Baskets of this customer.
    pub by_customer: u64,
    /// Baskets of all customers.
    pub total: u64,
    /// Money over all customers.
    pub spent: i64,
    /// Units over all customers.
    pub units: u64,
    /// Units of this customer.
    pub units_by_customer: u64,
    /// Baskets of this customer today.
    pub by_customer_today: u64,
    /// Baskets of all customers today.
    pub total_today: u64,
    /// Money over all customers today.
    pub spent_today: i64,
    /// Units over all customers today.
    pub units_today: u64,
}

impl Basket {
    /// A basket of lines without codes, taxes or shipping.
    pub fn new(currency: Currency, lines: impl IntoIterator<Item = Line>) -> Self {
        Self {
            currency,
            lines: lines.into_iter().collect(),
            codes: vec![],
            customer: Customer::default(),
            channel: None,
            shipping: None,
            attributes: BTreeMap::new(),
            prices_include_tax: true,
        }
    }

    /// Everything that is wrong with the basket, at once; empty for a good one.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Problems::default();
        let many = self.lines.len() > MOST_LINES;
        problems.say(many, "/lines", &format!("{} lines: a basket has at most {MOST_LINES}", self.lines.len()));
        if many {
            return problems.into_vec();
        }
        let mut total = Some(self.shipping.as_ref().map_or(0, |shipment| shipment.amount.max(0)));
        for (place, line) in self.lines.iter().enumerate() {
            // A good line costs no text.
            if !line.is_good() {
                line.say_problems(place, &mut problems);
            }
            let amount = line.quantity.checked_mul(line.unit_price);
            total = total.and_then(|total| total.checked_add(amount?)).filter(|total| *total <= MOST_TOTAL);
        }
        self.say_twice(&mut problems);
        if let Some(shipment) = &self.shipping {
            problems.amount(shipment.amount, 0, "/shipping/amount");
            problems.say(shipment.tax_basis_points > 100_000, "/shipping/tax_basis_points", "write at most 100000 (1000 %)");
        }
        problems.say(self.codes.len() > MOST_CODES, "/codes", "enter at most 100 codes");
        for (place, code) in self.codes.iter().enumerate() {
            problems.say(code.trim().is_empty(), format!("/codes/{place}"), "is blank: leave it out");
        }
        problems.say(self.customer.completed_orders.is_some_and(|orders| orders < 0), "/customer/completed_orders", "write 0 or more");
        if problems.is_empty() {
            problems.say(total.is_none(), "/lines", &format!("are worth more than {MOST_TOTAL} minor units: split the basket"));
        }
        problems.into_vec()
    }

    /// What is wrong with the readable lines of a basket whose shape is wrong elsewhere.
    #[cfg(feature = "read")]
    pub(crate) fn problems_of_lines(document: &serde_json::Value) -> Vec<Problem> {
        let mut problems = Problems::default();
        let lines = document["lines"].as_array().map_or(&[][..], Vec::as_slice);
        for (place, line) in lines.iter().enumerate().take(1000) {
            if let Ok(line) = <Line as Deserialize>::deserialize(line)
                && !line.is_good()
            {
                line.say_problems(place, &mut problems);
            }
        }
        problems.into_vec()
    }

    /// Lines with the identifier of an earlier one.
    fn say_twice(&self, problems: &mut Problems) {
        let twice = |place: usize| (format!("/lines/{place}/line_id"), "stands twice: give each line an identifier of its own");
        if self.lines.len() <= 16 {
            for (place, line) in self.lines.iter().enumerate() {
                if self.lines[..place].iter().any(|other| other.line_id == line.line_id) {
                    let (pointer, message) = twice(place);
                    problems.say(true, pointer, message);
                }
            }
            return;
        }
        let mut seen = hashbrown::HashSet::with_capacity_and_hasher(self.lines.len(), rustc_hash::FxBuildHasher);
        for (place, line) in self.lines.iter().enumerate() {
            if !seen.insert(&*line.line_id) {
                let (pointer, message) = twice(place);
                problems.say(true, pointer, message);
            }
        }
    }
}

impl Line {
    fn is_good(&self) -> bool {
        (1..=MOST_UNITS).contains(&self.quantity)
            && (0..=MOST_AMOUNT).contains(&self.unit_price)
            && (0..=MOST_AMOUNT).contains(&self.unit_price_floor)
            && self.tax_basis_points <= 100_000
            && !self.line_id.is_empty()
            && !self.product_id.is_empty()
    }

    fn say_problems(&self, place: usize, problems: &mut Problems) {
        let field = |name: &str| format!("/lines/{place}/{name}");
        problems.say(self.line_id.is_empty(), field("line_id"), "give the line an identifier");
        problems.say(self.product_id.is_empty(), field("product_id"), "name the product");
        problems.units(self.quantity, 1, field("quantity"));
        problems.amount(self.unit_price, 0, field("unit_price"));
        problems.amount(self.unit_price_floor, 0, field("unit_price_floor"));
        problems.say(self.tax_basis_points > 100_000, field("tax_basis_points"), "write at most 100000 (1000 %)");
    }
}
