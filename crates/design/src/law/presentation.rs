//! How an offer is shown and run: total price, true countdowns, enough of the goods (UK Digital
//! Markets, Competition and Consumers Act 2024; a false timer is a lie in every market).

use youhui_commerce::{Micros, TimeWindow};

use super::{Market, PrizeDraw, Violation};

/// What is known of how a promotion is shown; by default it is shown by its document alone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Presentation {
    /// The moment at which a timer beside the offer reaches zero, in UTC microseconds.
    pub countdown: Option<Micros>,
    /// When the same offer ran before.
    pub earlier: Vec<TimeWindow>,
    /// Units set aside for the offer, and the least that demand to be expected asks for.
    pub stock: Option<Stock>,
    /// The price shown in an invitation to buy.
    pub shown: Option<Shown>,
    /// The draw, where chance decides what is given.
    pub draw: Option<PrizeDraw>,
}

/// Units for an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stock {
    /// Set aside.
    pub units: u64,
    /// Needed so that the offer can be had by those whom it invites.
    pub least: u64,
}

/// A price as it is shown, in minor units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The figure that people read first.
    pub price: i64,
    /// The goods after the promotion.
    pub goods: i64,
    /// Charges that can't be avoided, such as a booking fee.
    pub unavoidable: Vec<i64>,
}

/// Days in which an offer whose timer ran out may not start again.
pub const COOL_DOWN_DAYS: i64 = 28;

/// Goods and every charge that can't be avoided; `None` beyond 64 bits.
pub fn total_price(goods: i64, unavoidable: &[i64]) -> Option<i64> {
    unavoidable.iter().try_fold(goods, |sum, charge| sum.checked_add(*charge))
}

impl Presentation {
    /// Checks what is shown of a promotion that runs in `window`.
    pub(super) fn check(&self, market: Market, starts: Option<Micros>, ends: Option<Micros>) -> Result<(), Violation> {
        if let Some(countdown) = self.countdown {
            if ends != Some(countdown) {
                return Err(Violation::Countdown { rule: "the timer does not end when the promotion ends: set both to one moment" });
            }
            let rest = COOL_DOWN_DAYS * TimeWindow::DAY;
            let starts = starts.unwrap_or(Micros::MIN);
            if self.earlier.iter().any(|run| starts < run.end.saturating_add(rest)) {
                return Err(Violation::Countdown {
                    rule: "the same offer's timer ran out less than 28 days before: a timer that restarts is false",
                });
            }
        }
        if let Some(draw) = &self.draw {
            draw.check(market, starts.unwrap_or(Micros::MIN))?;
        }
        if market == Market::Uk {
            if let Some(Stock { units, least }) = self.stock.filter(|stock| stock.units < stock.least.max(1)) {
                return Err(Violation::Stock { units, least });
            }
            if let Some(Shown { price, goods, unavoidable }) = &self.shown {
                let total = total_price(*goods, unavoidable);
                if total != Some(*price) {
                    return Err(Violation::TotalPrice { shown: *price, total });
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use youhui_commerce::Draw;
    use youhui_promotion::{Basket, Context, Line, PercentOff, Promotion, Promotions, Shipment};

    use super::*;

    const DAY: i64 = TimeWindow::DAY;

    fn check(presentation: &Presentation) -> Result<(), Violation> {
        presentation.check(Market::Uk, Some(100 * DAY), Some(107 * DAY))
    }

    #[test]
    fn timers_end_with_the_campaign_and_do_not_restart() {
        let timer = |countdown: i64, ended: &[i64]| Presentation {
            countdown: Some(countdown),
            earlier: ended.iter().map(|&end| TimeWindow { start: end.saturating_sub(7 * DAY), end }).collect(),
            ..Presentation::default()
        };
        assert_eq!(check(&timer(107 * DAY, &[])), Ok(()));
        assert_eq!(check(&timer(107 * DAY, &[72 * DAY])), Ok(()), "28 days have passed");
        for wrong in
            [timer(107 * DAY - 1, &[]), timer(Micros::MAX, &[]), timer(107 * DAY, &[72 * DAY + 1]), timer(107 * DAY, &[Micros::MAX])]
        {
            assert!(matches!(check(&wrong), Err(Violation::Countdown { .. })), "{wrong:?}");
        }
        let endless = timer(107 * DAY, &[]).check(Market::Uk, None, None);
        assert!(endless.is_err(), "a promotion without an end has no countdown");
    }

    #[test]
    fn there_is_enough_for_those_who_are_invited() {
        let stock = |units, least| Presentation { stock: Some(Stock { units, least }), ..Presentation::default() };
        assert_eq!(check(&stock(10, 10)), Ok(()));
        assert_eq!(check(&stock(9, 10)), Err(Violation::Stock { units: 9, least: 10 }));
        assert!(check(&stock(0, 0)).is_err(), "nothing at all can't be offered");
    }

    #[test]
    fn the_price_shown_is_that_of_the_checkout() {
        let pounds = "GBP".parse().unwrap();
        let mut draw = Draw::seeded(39);
        let mut minor = |most: usize| i64::try_from(draw.below(most)).unwrap();
        for _ in 0..10_000 {
            let sale = Promotion::new("sale", pounds, PercentOff { basis_points: 100, ..PercentOff::default() }.into());
            let lines = [Line::new("1", 1 + minor(4), minor(10_000)), Line::new("2", 1 + minor(4), minor(10_000))];
            let fee = minor(2_000);
            let basket = Basket { shipping: Some(Shipment { amount: fee, ..Shipment::default() }), ..Basket::new(pounds, lines) };
            let priced = Promotions::new([sale]).unwrap().price(&basket, &Context::default()).unwrap();
            let goods = priced.subtotal - priced.discount;
            assert_eq!(total_price(goods, &[fee]), Some(priced.total));
            let shown = |price| Presentation { shown: Some(Shown { price, goods, unavoidable: vec![fee] }), ..Presentation::default() };
            assert_eq!(check(&shown(priced.total)), Ok(()));
            assert!(fee == 0 || check(&shown(goods)).is_err(), "a price without the fee is dripped");
        }
        assert_eq!(total_price(i64::MAX, &[1]), None);
    }
}
