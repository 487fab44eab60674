//! Who could get what: values and costs in fixed point, by customer or by promotion.
//!
//! Values and costs are 32-bit whole numbers of a unit, sums are 64-bit: sums are exact, whatever the
//! order they are taken in, so that the answer doesn't depend on threads.

use std::ops::Range;

use crate::program::{ConstraintError, Terms};

/// Offers of customers, numbered from 0.
#[derive(Debug, Clone)]
pub struct Offers {
    customers: usize,
    promotions: usize,
    layout: Layout,
    /// The segment of each customer; empty where there is one segment.
    segment: Vec<u32>,
}

#[derive(Debug, Clone)]
enum Layout {
    /// A customer's offers stand one after the other; `first` has one place more than customers.
    Rows { first: Vec<u32>, promotion: Vec<u32>, value: Vec<i32>, cost: Vec<i32> },
    /// Every customer has an offer of every promotion; a promotion's offers stand one after the other.
    Columns { value: Vec<i32>, cost: Vec<i32> },
}

/// An offer of one customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Which promotion.
    pub promotion: u32,
    /// Value, in units of value.
    pub value: i32,
    /// Cost, in units of cost.
    pub cost: i32,
}

impl Offers {
    /// No customers yet, of so many promotions: see [`Offers::push`].
    pub const fn new(promotions: usize) -> Self {
        let layout = Layout::Rows { first: Vec::new(), promotion: Vec::new(), value: Vec::new(), cost: Vec::new() };
        Self { customers: 0, promotions, layout, segment: Vec::new() }
    }

    /// Every customer can have every promotion: `value[p * customers + i]` and `cost[…]` are customer
    /// i's of promotion p. `None` where lengths don't fit.
    pub fn columns(customers: usize, promotions: usize, value: Vec<i32>, cost: Vec<i32>) -> Option<Self> {
        let fits = customers.checked_mul(promotions) == Some(value.len()) && value.len() == cost.len();
        fits.then_some(Self { customers, promotions, layout: Layout::Columns { value, cost }, segment: Vec::new() })
    }

    /// Appends a customer of a segment (numbered from 0). A promotion should stand there once.
    pub fn push(&mut self, segment: u32, rows: impl IntoIterator<Item = Row>) {
        let Layout::Rows { first, promotion, value, cost } = &mut self.layout else { return };
        if first.is_empty() {
            first.push(0);
        }
        for row in rows {
            promotion.push(row.promotion);
            value.push(row.value);
            cost.push(row.cost);
        }
        first.push(u32::try_from(promotion.len()).unwrap_or(u32::MAX));
        if segment > 0 || !self.segment.is_empty() {
            self.segment.resize(self.customers, 0);
            self.segment.push(segment);
        }
        self.customers += 1;
    }

    /// How many customers.
    pub const fn customers(&self) -> usize {
        self.customers
    }

    /// How many promotions.
    pub const fn promotions(&self) -> usize {
        self.promotions
    }

    /// Whether numbers of promotions and segments have names.
    pub(crate) fn check(&self, terms: Terms<'_>) -> Result<(), ConstraintError> {
        let most = self.segment.iter().copied().max().unwrap_or(0) as usize;
        if self.promotions > terms.promotions.len() || (most > 0 && most >= terms.segments.len()) {
            let (promotions, segments) = (terms.promotions.len(), terms.segments.len());
            let message = format!(
                "offers of {} promotions and {} segments, names of {promotions} and {segments}: give each a name",
                self.promotions,
                most + 1
            );
            return Err(ConstraintError(message));
        }
        Ok(())
    }

    /// Bytes that the offers take.
    pub fn bytes(&self) -> usize {
        let of_layout = match &self.layout {
            Layout::Rows { first, promotion, .. } => 4 * first.len() + 12 * promotion.len(),
            Layout::Columns { value, .. } => 8 * value.len(),
        };
        of_layout + 4 * self.segment.len()
    }

    /// A customer's offer by its place.
    pub fn row(&self, customer: usize, place: u32) -> Row {
        self.view(customer..customer + 1).row(0, place as usize)
    }

    /// All customers.
    pub fn all(&self) -> View<'_> {
        self.view(0..self.customers)
    }

    /// Some customers, one after the other.
    pub fn view(&self, customers: Range<usize>) -> View<'_> {
        let segment = self.segment.get(customers.clone()).unwrap_or(&[]);
        let layout = match &self.layout {
            Layout::Rows { promotion, value, cost, .. } if customers.is_empty() => {
                Slice::Rows { first: &[0], promotion: &promotion[..0], value: &value[..0], cost: &cost[..0] }
            }
            Layout::Rows { first, promotion, value, cost } => {
                Slice::Rows { first: &first[customers.start..=customers.end], promotion, value, cost }
            }
            Layout::Columns { value, cost } => Slice::Columns { value, cost, stride: self.customers, from: customers.start },
        };
        View { customers: customers.len(), promotions: self.promotions, layout, segment }
    }
}

/// Customers next to one another, numbered from 0 within the view.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// How many.
    pub(crate) customers: usize,
    pub(crate) promotions: usize,
    pub(crate) layout: Slice<'a>,
    segment: &'a [u32],
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Slice<'a> {
    /// `first` is cut, the others are whole.
    Rows { first: &'a [u32], promotion: &'a [u32], value: &'a [i32], cost: &'a [i32] },
    /// Customer i's offer of promotion p stands at p * stride + from + i.
    Columns { value: &'a [i32], cost: &'a [i32], stride: usize, from: usize },
}

impl<'a> View<'a> {
    /// How many customers.
    pub const fn customers(&self) -> usize {
        self.customers
    }

    /// A customer's segment.
    pub fn segment_of(&self, customer: usize) -> u32 {
        self.segment.get(customer).copied().unwrap_or(0)
    }

    /// How many offers a customer has.
    pub(crate) fn count(&self, customer: usize) -> usize {
        match self.layout {
            Slice::Rows { first, .. } => (first[customer + 1] - first[customer]) as usize,
            Slice::Columns { .. } => self.promotions,
        }
    }

    /// A customer's offer by its place.
    pub(crate) fn row(&self, customer: usize, place: usize) -> Row {
        match self.layout {
            Slice::Rows { first, promotion, value, cost } => {
                let at = first[customer] as usize + place;
                Row { promotion: promotion[at], value: value[at], cost: cost[at] }
            }
            Slice::Columns { value, cost, stride, from } => {
                let at = place * stride + from + customer;
                #[allow(clippy::cast_possible_truncation, reason = "promotions are numbered in 32 bits")]
                Row { promotion: place as u32, value: value[at], cost: cost[at] }
            }
        }
    }

    /// (values, costs) of some customers' offers at a place, where they stand next to one another.
    pub(crate) fn column(&self, place: usize, customers: Range<usize>) -> Option<(&'a [i32], &'a [i32])> {
        let Slice::Columns { value, cost, stride, from } = self.layout else { return None };
        let at = place * stride + from;
        let range = at + customers.start..at + customers.end;
        Some((&value[range.clone()], &cost[range]))
    }

    /// A customer's offers.
    pub fn rows(&self, customer: usize) -> impl Iterator<Item = Row> + use<'a> {
        let view = *self;
        (0..view.count(customer)).map(move |place| view.row(customer, place))
    }
}
