//! What is known of a customer while the shop is open: kept up to date by each event in constant time and space.
//!
//! Events may come late and in any order: sums, earliest and latest are the same whatever the order.

use serde::{Deserialize, Serialize};
use youhui_commerce::{EventKind, Micros, TimeWindow};

/// Days whose views are counted.
const DAYS: usize = 7;

/// Fast features of one customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveProfile {
    /// Orders.
    pub orders: u32,
    /// What the shop received for them, in minor units, less refunds.
    pub amount: i64,
    /// The first event.
    pub first: Micros,
    /// The last order; [`LiveProfile::NEVER`] where there is none.
    pub last_order: Micros,
    /// Something was last put in the basket.
    pub last_cart: Micros,
    /// Views of each of the seven days up to `newest_day`.
    views: [u16; DAYS],
    /// Days since 1970 in UTC.
    newest_day: i32,
}

/// How many numbers are in a context.
pub const CONTEXT_WIDTH: usize = 6;

impl Default for LiveProfile {
    fn default() -> Self {
        Self {
            orders: 0,
            amount: 0,
            first: Micros::MAX,
            last_order: Self::NEVER,
            last_cart: Self::NEVER,
            views: [0; DAYS],
            newest_day: i32::MIN,
        }
    }
}

impl LiveProfile {
    /// Before everything.
    pub const NEVER: Micros = Micros::MIN;

    /// Takes in one event. Of an order `amount` is what the shop received for the line, and `begins_order` is said once an order.
    pub fn see(&mut self, kind: EventKind, time: Micros, amount: i64, begins_order: bool) {
        self.first = self.first.min(time);
        match kind {
            EventKind::Order => {
                self.orders = self.orders.saturating_add(u32::from(begins_order));
                self.amount = self.amount.saturating_add(amount);
                self.last_order = self.last_order.max(time);
            }
            EventKind::Refund => self.amount = self.amount.saturating_sub(amount),
            EventKind::Cart => self.last_cart = self.last_cart.max(time),
            EventKind::View => self.view(time),
            _ => {}
        }
    }

    /// Puts another identity's events to this one's: whoever was anonymous has said who they are.
    pub fn merge(&mut self, other: &Self) {
        self.orders = self.orders.saturating_add(other.orders);
        self.amount = self.amount.saturating_add(other.amount);
        self.first = self.first.min(other.first);
        self.last_order = self.last_order.max(other.last_order);
        self.last_cart = self.last_cart.max(other.last_cart);
        for (back, views) in (0..).zip(other.views) {
            self.add_views(other.newest_day.saturating_sub(back), views);
        }
    }

    fn view(&mut self, time: Micros) {
        self.add_views(day(time), 1);
    }

    fn add_views(&mut self, day: i32, views: u16) {
        if views == 0 {
            return;
        }
        if day > self.newest_day {
            let days = usize::try_from(i64::from(day) - i64::from(self.newest_day)).unwrap_or(DAYS).min(DAYS);
            self.views.copy_within(..DAYS - days, days);
            self.views[..days].fill(0);
            self.newest_day = day;
        }
        let back = usize::try_from(i64::from(self.newest_day) - i64::from(day)).unwrap_or(DAYS);
        if let Some(count) = self.views.get_mut(back) {
            *count = count.saturating_add(views);
        }
    }

    /// Views of the seven days up to `now`.
    pub fn views(&self, now: Micros) -> u32 {
        let late = i64::from(day(now)) - i64::from(self.newest_day);
        let kept = DAYS.saturating_sub(usize::try_from(late.max(0)).unwrap_or(DAYS));
        self.views[..kept].iter().map(|&views| u32::from(views)).sum()
    }

    /// Whether the basket holds something that was not ordered yet.
    pub const fn has_cart(&self) -> bool {
        self.last_cart > self.last_order
    }

    /// The numbers that decisions are made with, each about one in size: 1, orders, mean order, recency, basket, views.
    pub fn context(&self, now: Micros) -> [f64; CONTEXT_WIDTH] {
        let orders = f64::from(self.orders);
        let mean_order = if self.orders > 0 { self.amount as f64 / orders } else { 0.0 };
        let days = (now.saturating_sub(self.last_order)) as f64 / TimeWindow::DAY as f64;
        let recency = if self.last_order == Self::NEVER { 0.0 } else { (-days.max(0.0) / 30.0).exp() };
        [
            1.0,
            orders.ln_1p() / 2.0,
            (mean_order.max(0.0) / 100.0).ln_1p() / 5.0,
            recency,
            f64::from(u8::from(self.has_cart())),
            f64::from(self.views(now)).ln_1p() / 2.0,
        ]
    }
}

fn day(time: Micros) -> i32 {
    i32::try_from(time.div_euclid(TimeWindow::DAY)).unwrap_or(if time > 0 { i32::MAX } else { i32::MIN })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Micros = 20_000 * TimeWindow::DAY;

    fn events() -> impl Strategy<Value = Vec<(EventKind, Micros, i64, bool)>> {
        let kind = prop::sample::select(EventKind::ALL.to_vec());
        prop::collection::vec((kind, NOW - 20 * TimeWindow::DAY..NOW, 0..100_000_i64, any::<bool>()), 0..40)
    }

    fn profile(events: &[(EventKind, Micros, i64, bool)]) -> LiveProfile {
        let mut profile = LiveProfile::default();
        events.iter().for_each(|&(kind, time, amount, begins)| profile.see(kind, time, amount, begins));
        profile
    }

    proptest! {
        #[test]
        fn the_order_of_arrival_does_not_matter((events, shuffled) in events().prop_flat_map(|events| (Just(events.clone()), Just(events).prop_shuffle()))) {
            prop_assert_eq!(profile(&events), profile(&shuffled));
        }

        #[test]
        fn two_identities_merged_are_one_that_saw_everything(events in events(), cut: prop::sample::Index) {
            let at = cut.index(events.len() + 1);
            let mut one = profile(&events[..at]);
            one.merge(&profile(&events[at..]));
            prop_assert_eq!(one, profile(&events));
        }

        #[test]
        fn contexts_are_of_a_usable_size(events in events(), later in 0..400_i64) {
            let context = profile(&events).context(NOW + later * TimeWindow::DAY);
            prop_assert!(context.iter().all(|number| number.is_finite() && number.abs() < 10.0), "{:?}", context);
        }
    }

    #[test]
    fn views_are_those_of_the_last_seven_days() {
        let mut profile = LiveProfile::default();
        for back in 0..10 {
            profile.see(EventKind::View, NOW - back * TimeWindow::DAY, 0, false);
        }
        assert_eq!(profile.views(NOW), 7);
        assert_eq!(profile.views(NOW + 5 * TimeWindow::DAY), 2);
        assert_eq!(profile.views(NOW + 50 * TimeWindow::DAY), 0);
    }
}
