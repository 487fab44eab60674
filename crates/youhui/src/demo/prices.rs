//! A history of prices from order lines, where a store has no other: what was sold is taken as
//! offered, from the moment of the sale to the next. It is an inference, and whoever uses it says so.

use youhui_commerce::{Catalogue, EventKind, EventTable};
use youhui_design::law::{Market, Offered, PriceHistory, Shelf, Transacted};

use super::customers::Loaded;

/// What is said of it.
pub(crate) const INFERRED: &str = "Prices are inferred from order lines: a sale's price is taken as the shelf's until the next sale. Import what was really offered before you rely on a claim.";

/// Every sale of a unit that cost something, in one market and channel.
pub(crate) fn from_sales(loaded: &Loaded, market: Market, channel: &str) -> PriceHistory {
    of_sales(&loaded.buckets, &loaded.shop.catalogue, market, channel)
}

/// The same, of tables of events.
pub(crate) fn of_sales(tables: &[EventTable], catalogue: &Catalogue, market: Market, channel: &str) -> PriceHistory {
    let mut sales: Vec<(u32, i64, i64)> = Vec::new();
    for table in tables {
        for row in 0..table.len() {
            let sold = table.kind[row] == EventKind::Order && table.product[row] != EventTable::NO_PRODUCT && table.quantity[row] > 0;
            if sold && table.amount[row] > 0 {
                sales.push((table.product[row], table.time[row], table.amount[row] / table.quantity[row]));
            }
        }
    }
    // In order, so that every entry goes to the end of its shelf; of several at one moment the dearest
    // is told first and the cheapest stands.
    sales.sort_unstable_by(|one, two| (one.0, one.1).cmp(&(two.0, two.1)).then(two.2.cmp(&one.2)));
    let mut history = PriceHistory::default();
    for (product, time, price) in sales {
        let Some(product) = catalogue.get(product) else { continue };
        let shelf = Shelf::new(product.product_id.as_str(), market, channel);
        let offered = Offered { from: time, price: Some(price), reduced: false };
        // Only prices below 0 are refused, and these are not.
        let told = history.offer(&shelf, offered).and_then(|()| history.transact(&shelf, Transacted { at: time, price }));
        if told.is_err() {
            continue;
        }
    }
    history
}
