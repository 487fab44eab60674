//! A markdown schedule: how deep to cut from week to week, so that a stock is sold through by a date.

/// Days until the date, in steps of a week.
pub(crate) const DAYS: i64 = 28;
/// Steps until the date.
const STEPS: u32 = 4;
/// Share of the stock that is to be sold by then.
pub(crate) const SELL_THROUGH: f64 = 0.9;

/// What is to be cleared.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stock {
    /// On hand.
    pub(crate) units: i64,
    /// Sold a day at today's price.
    pub(crate) daily: f64,
    /// Since the last replenishment, or the first sale where that is what is known.
    pub(crate) age_days: Option<f64>,
}

impl Stock {
    /// Units that would be left of the target by the date at today's price; 0 where it sells by itself.
    pub(crate) fn excess(&self) -> f64 {
        let excess = SELL_THROUGH * self.units.max(0) as f64 - self.daily.max(0.0) * DAYS as f64;
        if excess.is_finite() { excess.max(0.0) } else { 0.0 }
    }
}

/// Depths by week, and what they should sell.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Markdown {
    /// In basis points, never falling.
    pub(crate) depths: Vec<u32>,
    /// Share of the stock sold by the date; `None` where the elasticity is unknown.
    pub(crate) sold: Option<f64>,
}

/// The shallowest schedule that sells the target with demand growing as (1 − d)^−ε, its depth rising
/// evenly from week to week; where none does, or the elasticity is unknown, the deepest that the margin
/// carries (`deepest`, a share).
pub(crate) fn markdown(stock: &Stock, deepest: f64, elasticity: Option<f64>) -> Markdown {
    let most = crate::grid::round_down(deepest).max(100);
    let ladder = |last: u32| -> Vec<u32> { (1..=STEPS).map(|step| (last * step / STEPS).max(100) / 50 * 50).collect() };
    let Some(elasticity) = elasticity.filter(|elasticity| elasticity.is_finite() && *elasticity > 0.0) else {
        return Markdown { depths: ladder(most), sold: None };
    };
    let sold = |depths: &[u32]| {
        let grown = |depth: &u32| (1.0 - f64::from(*depth) / 10_000.0).powf(-elasticity);
        let units: f64 = depths.iter().map(grown).sum::<f64>() * stock.daily.max(0.0) * DAYS as f64 / f64::from(STEPS);
        let share = units / stock.units.max(1) as f64;
        if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 }
    };
    let depths = (1..=most / 100).map(|percent| ladder(percent * 100)).find(|depths| sold(depths) >= SELL_THROUGH);
    let depths = depths.unwrap_or_else(|| ladder(most));
    Markdown { sold: Some(sold(&depths)), depths }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stock(units: i64, daily: f64) -> Stock {
        Stock { units, daily, age_days: None }
    }

    #[test]
    fn the_depth_rises_as_the_date_nears() {
        // 100 units, two a day: 56 by themselves, 90 wanted.
        let found = markdown(&stock(100, 2.0), 0.4, Some(2.5));
        assert_eq!(found.depths, [650, 1300, 1950, 2600]);
        assert!(found.sold.unwrap() >= 0.9);
        assert_eq!(markdown(&stock(100, 2.0), 0.4, None), Markdown { depths: vec![1000, 2000, 3000, 4000], sold: None });
        let hopeless = markdown(&stock(1_000_000, 0.1), 0.4, Some(2.5));
        assert_eq!(hopeless.depths, [1000, 2000, 3000, 4000]);
        assert!(hopeless.sold.unwrap() < 0.01);
    }

    #[test]
    fn hostile_stocks_have_a_schedule_too() {
        for units in [i64::MIN, 0, i64::MAX] {
            for daily in [f64::NAN, f64::INFINITY, -1.0, 0.0, 1e300] {
                for deepest in [f64::NAN, 0.0, -1.0, 0.5] {
                    let found = markdown(&stock(units, daily), deepest, Some(2.0));
                    assert!(found.depths.iter().all(|depth| (100..=5000).contains(depth)) && found.sold.unwrap().is_finite());
                    assert!(stock(units, daily).excess() >= 0.0);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn no_shallower_schedule_would_do(units in 1_i64..1000, daily in 0.0_f64..30.0, deepest in 0.02_f64..0.5, elasticity in 0.1_f64..6.0) {
            let found = markdown(&stock(units, daily), deepest, Some(elasticity));
            prop_assert!(found.depths.windows(2).all(|pair| pair[0] <= pair[1]));
            prop_assert!(f64::from(found.depths[3]) <= (deepest * 10_000.0).max(100.0) + 1e-6);
            let last = found.depths[3];
            if found.sold.unwrap() >= SELL_THROUGH && last > 200 {
                let shallower = markdown(&stock(units, daily), f64::from(last - 100) / 10_000.0, Some(elasticity));
                prop_assert!(shallower.sold.unwrap() < SELL_THROUGH);
            }
        }
    }
}
