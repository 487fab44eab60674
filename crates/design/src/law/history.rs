//! What a product was offered and sold for, in memory: where it comes from is the caller's.
//!
//! The offered price (EU: the price applied by the trader) and the transacted price (China: 成交价)
//! are two histories; neither can be had from the other.

use std::collections::BTreeMap;

use youhui_commerce::Micros;

use super::Market;

/// Where a price stands: another market or channel is another price.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shelf {
    /// The shop's own identifier (SKU).
    pub product_id: String,
    /// Under which law.
    pub market: Market,
    /// Such as `web`; `""` where the shop has one only.
    pub channel: String,
}

impl Shelf {
    /// A product in a market's channel.
    pub fn new(product_id: impl Into<String>, market: Market, channel: impl Into<String>) -> Self {
        Self { product_id: product_id.into(), market, channel: channel.into() }
    }
}

/// From a moment on a product was offered at a price, or not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offered {
    /// From here on, until the next entry.
    pub from: Micros,
    /// In minor units; `None`: not on sale.
    pub price: Option<i64>,
    /// Whether it was announced as a reduction.
    pub reduced: bool,
}

/// A unit that somebody bought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transacted {
    /// When.
    pub at: Micros,
    /// What was paid for the unit, in minor units.
    pub price: i64,
}

/// A price that can't be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a price of {0} minor units is below 0: give what the product was offered or sold for")]
pub struct NotAPrice(pub i64);

/// Prices by shelf, in order of time whatever the order they were told in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PriceHistory {
    offered: BTreeMap<Shelf, Vec<Offered>>,
    transacted: BTreeMap<Shelf, Vec<Transacted>>,
}

impl PriceHistory {
    /// Records what was offered from a moment on; of two at one moment the later told stands.
    ///
    /// # Errors
    /// A price below 0.
    pub fn offer(&mut self, shelf: &Shelf, offered: Offered) -> Result<(), NotAPrice> {
        if let Some(price) = offered.price.filter(|price| *price < 0) {
            return Err(NotAPrice(price));
        }
        let entries = self.offered.entry(shelf.clone()).or_default();
        match entries.binary_search_by_key(&offered.from, |entry| entry.from) {
            Ok(place) => entries[place] = offered,
            Err(place) => entries.insert(place, offered),
        }
        Ok(())
    }

    /// Records a unit sold.
    ///
    /// # Errors
    /// A price below 0.
    pub fn transact(&mut self, shelf: &Shelf, sold: Transacted) -> Result<(), NotAPrice> {
        if sold.price < 0 {
            return Err(NotAPrice(sold.price));
        }
        let entries = self.transacted.entry(shelf.clone()).or_default();
        let place = entries.partition_point(|entry| entry.at <= sold.at);
        entries.insert(place, sold);
        Ok(())
    }

    /// The same with nothing but one shelf, to add what is planned for it.
    pub fn only(&self, shelf: &Shelf) -> Self {
        let of = |offered: &Vec<Offered>| BTreeMap::from([(shelf.clone(), offered.clone())]);
        let sold = |sold: &Vec<Transacted>| BTreeMap::from([(shelf.clone(), sold.clone())]);
        Self {
            offered: self.offered.get(shelf).map(of).unwrap_or_default(),
            transacted: self.transacted.get(shelf).map(sold).unwrap_or_default(),
        }
    }

    /// What was offered on a shelf, in order of time.
    pub fn offered(&self, shelf: &Shelf) -> &[Offered] {
        self.offered.get(shelf).map_or(&[], Vec::as_slice)
    }

    /// What was sold on a shelf, in order of time.
    pub fn transacted(&self, shelf: &Shelf) -> &[Transacted] {
        self.transacted.get(shelf).map_or(&[], Vec::as_slice)
    }

    /// What stands on the shelf the moment before `at`; `None` where it is not on sale.
    pub fn price_before(&self, shelf: &Shelf, at: Micros) -> Option<i64> {
        let entries = self.offered(shelf);
        entries[..entries.partition_point(|entry| entry.from < at)].last().and_then(|entry| entry.price)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_in_order_of_time_and_negative_prices_are_refused() {
        let shelf = Shelf::new("tea", Market::Eu, "web");
        let mut history = PriceHistory::default();
        for (from, price) in [(20, 9), (10, 8), (20, 7), (i64::MIN, 6)] {
            history.offer(&shelf, Offered { from, price: Some(price), reduced: false }).unwrap();
        }
        assert_eq!(
            history.offered(&shelf).iter().map(|entry| (entry.from, entry.price)).collect::<Vec<_>>(),
            [(i64::MIN, Some(6)), (10, Some(8)), (20, Some(7))]
        );
        assert_eq!(history.price_before(&shelf, 20), Some(8), "the moment before");
        assert_eq!(history.price_before(&shelf, i64::MIN), None);
        assert_eq!(history.offer(&shelf, Offered { from: 0, price: Some(-1), reduced: false }), Err(NotAPrice(-1)));
        assert_eq!(history.transact(&shelf, Transacted { at: 0, price: i64::MIN }), Err(NotAPrice(i64::MIN)));
        assert!(history.offered(&Shelf::new("tea", Market::Eu, "shop")).is_empty(), "another channel is another shelf");
    }
}
