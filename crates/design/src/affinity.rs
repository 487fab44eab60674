//! Which category a customer may come to buy: what those who buy the same things buy.

use crate::brief::{Brief, Sales};

/// Categories that are looked at, those that earn most: a customer's fit one word.
const MOST: usize = 64;
/// Customers of both categories from which on a pair counts.
const SUPPORT: u32 = 10;

/// A category that part of the audience doesn't buy yet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Affine {
    pub(crate) category: u32,
    pub(crate) sales: Sales,
    /// Customers whose baskets were looked at; those of them who buy it are in `sales`.
    pub(crate) looked_at: u32,
    /// The category whose customers are drawn to it most.
    pub(crate) near: Option<Near>,
}

/// Why it should suit them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Near {
    pub(crate) category: u32,
    /// Those of its customers who don't buy the other yet.
    pub(crate) customers: u32,
    /// Share of its customers who buy the other, over the same share of everybody else.
    pub(crate) lift: f64,
}

/// Categories that fewer than three in five of the audience buy, by falling contribution that affinity promises:
/// customers of a near one who don't buy it yet, times how much likelier they are to buy it than
/// everybody else (leverage, Piatetsky-Shapiro 1991), times what a buyer of it brings. Those without a near one come last.
pub(crate) fn affine_categories(brief: &Brief<'_>) -> Vec<Affine> {
    let looked_at: Vec<(u32, Sales)> = brief.earning_categories().into_iter().take(MOST).collect();
    let counts = Counts::of(brief, &looked_at);
    let mut found: Vec<(f64, Affine)> = Vec::new();
    for (place, &(category, sales)) in looked_at.iter().enumerate() {
        if f64::from(sales.customers) >= 0.6 * f64::from(counts.customers) {
            continue;
        }
        let mut best = (0.0, None);
        for (other, &(near, _)) in looked_at.iter().enumerate() {
            let Some((surplus, lift, customers)) = counts.pull(other, place) else { continue };
            if surplus > best.0 {
                best = (surplus, Some(Near { category: near, customers, lift }));
            }
        }
        let brought = sales.contribution as f64 / f64::from(sales.customers.max(1));
        found.push((best.0 * brought.max(0.0), Affine { category, sales, looked_at: counts.customers, near: best.1 }));
    }
    // Stable: of equal ones, those that earn more come first.
    found.sort_by(|one, two| two.0.total_cmp(&one.0));
    found.into_iter().map(|(_, affine)| affine).collect()
}

/// How many customers buy each category, and each two.
struct Counts {
    customers: u32,
    both: Vec<[u32; MOST]>,
}

impl Counts {
    fn of(brief: &Brief<'_>, looked_at: &[(u32, Sales)]) -> Self {
        let mut both = vec![[0; MOST]; looked_at.len()];
        for bought in &brief.bought {
            let of = |&(category, _): &(u32, Sales)| u64::from(bought.binary_search(&category).is_ok());
            let mask = looked_at.iter().enumerate().fold(0_u64, |mask, (place, known)| mask | of(known) << place);
            for place in ones(mask) {
                for other in ones(mask) {
                    both[place][other] += 1;
                }
            }
        }
        Self { customers: u32::try_from(brief.bought.len()).unwrap_or(u32::MAX), both }
    }

    /// (surplus of buyers, lift, customers of `near` who don't buy `wanted` yet); `None` where customers
    /// of `near` are too few or no likelier to buy it.
    fn pull(&self, near: usize, wanted: usize) -> Option<(f64, f64, u32)> {
        let (both, holders, buyers) = (self.both[near][wanted], self.both[near][near], self.both[wanted][wanted]);
        let others = self.customers - holders;
        if near == wanted || both < SUPPORT || others == 0 {
            return None;
        }
        let rate = f64::from(both) / f64::from(holders);
        // One more, so that a lift is a number where nobody else buys it.
        let elsewhere = f64::from(buyers - both + 1) / f64::from(others + 1);
        let customers = holders - both;
        (rate > elsewhere && customers > 0).then(|| (f64::from(customers) * (rate - elsewhere), rate / elsewhere, customers))
    }
}

/// Places of the ones of a word.
fn ones(mut word: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let place = (word != 0).then(|| word.trailing_zeros() as usize)?;
        word &= word - 1;
        Some(place)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pull_is_leverage_of_customers_who_lack_it() {
        // 100 customers: 40 of tea, 30 of cups, 25 of both.
        let counts = Counts { customers: 100, both: vec![[0; MOST]; 2] };
        assert_eq!(counts.pull(0, 1), None, "nobody buys both");
        let mut counts = counts;
        (counts.both[0][0], counts.both[1][1], counts.both[0][1], counts.both[1][0]) = (40, 30, 25, 25);
        let (surplus, lift, customers) = counts.pull(0, 1).unwrap();
        assert_eq!(customers, 15);
        assert!((surplus - 15.0 * (25.0 / 40.0 - 6.0 / 61.0)).abs() < 1e-12 && (lift - 25.0 / 40.0 / (6.0 / 61.0)).abs() < 1e-12);
        assert_eq!(counts.pull(1, 1), None);
        counts.both[0][0] = 100;
        assert_eq!(counts.pull(0, 1), None, "everybody buys tea: it says nothing");
    }

    #[test]
    fn ones_are_all_of_them() {
        assert_eq!(ones(0b1010_0001 | 1 << 63).collect::<Vec<_>>(), [0, 5, 7, 63]);
        assert_eq!(ones(0).count(), 0);
    }
}
