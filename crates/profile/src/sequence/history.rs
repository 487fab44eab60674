//! The repeat channel's inputs: what a customer bought, how often and how lately.

use youhui_commerce::{Micros, TimeWindow};

use super::{BasketStep, Sequence};

/// Planes of inputs that the repeat channel has per category.
pub(super) const PLANES: usize = 7;

/// Weight of the shop's popularity against the customer's own counts, in baskets. Below 1, so
/// that a category once bought always ranks before one never bought, as in the plain baseline.
const PRIOR: f32 = 0.5;

/// Half-lives of decayed counts: in baskets, in baskets, in days.
const HALF_LIFE_BASKETS: [f32; 2] = [2.0, 8.0];
const HALF_LIFE_DAYS: f32 = 30.0;

/// The smallest purchase rate that ratios tell from none.
const RATE_FLOOR: f32 = 0.02;

/// How common each category is in the baskets that were trained on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Popularity {
    /// Share of the category in all category occurrences, smoothed by half an occurrence.
    pub(super) share: Vec<f32>,
    /// ln(`PRIOR` × share): the first plane of a category never bought.
    base: Vec<f32>,
}

impl Popularity {
    /// Counts baskets per category.
    pub(super) fn of<'a>(steps: impl Iterator<Item = &'a BasketStep>, categories: usize) -> Self {
        let mut counts = vec![0.5_f64; categories];
        for step in steps {
            for &(category, _) in &step.items {
                if let Some(count) = counts.get_mut(category as usize) {
                    *count += 1.0;
                }
            }
        }
        let total: f64 = counts.iter().sum();
        let share: Vec<f32> = counts.iter().map(|count| (count / total) as f32).collect();
        let base = share.iter().map(|share| (PRIOR * share).ln()).collect();
        Self { share, base }
    }

    /// Number of categories.
    pub(super) fn len(&self) -> usize {
        self.share.len()
    }
}

/// One category of one customer.
#[derive(Debug, Clone, Copy)]
struct Bought {
    category: u32,
    /// Baskets with it, all alike and decayed by each half-life.
    count: f32,
    decayed: [f32; 3],
    first: Micros,
    last: Micros,
}

/// What one customer bought so far.
#[derive(Debug, Default)]
pub(super) struct History {
    bought: Vec<Bought>,
    /// Baskets, all alike and decayed like the counts.
    all: f32,
    baskets: [f32; 3],
    last: Option<Micros>,
}

impl History {
    /// The history of the first `steps` baskets.
    pub(super) fn of(sequence: &Sequence, steps: usize, categories: usize) -> Self {
        let mut history = Self::default();
        for step in sequence.steps.iter().take(steps) {
            history.add(step, categories);
        }
        history
    }

    /// Adds the next basket. Categories that the encoder doesn't know are passed over.
    pub(super) fn add(&mut self, step: &BasketStep, categories: usize) {
        let decay = self.decay_until(step.time, 1.0);
        for (baskets, decay) in self.baskets.iter_mut().zip(decay) {
            *baskets = *baskets * decay + 1.0;
        }
        self.all += 1.0;
        for bought in &mut self.bought {
            for (decayed, decay) in bought.decayed.iter_mut().zip(decay) {
                *decayed *= decay;
            }
        }
        for &(category, _) in &step.items {
            if category as usize >= categories {
                continue;
            }
            let place = self.bought.binary_search_by_key(&category, |bought| bought.category);
            let place = place.unwrap_or_else(|place| {
                let new = Bought { category, count: 0.0, decayed: [0.0; 3], first: step.time, last: step.time };
                self.bought.insert(place, new);
                place
            });
            let bought = &mut self.bought[place];
            bought.count += 1.0;
            bought.decayed.iter_mut().for_each(|decayed| *decayed += 1.0);
            bought.last = step.time;
        }
        self.last = Some(step.time);
    }

    /// Factors by which decayed counts shrink from the last basket to `time`, `baskets` later.
    fn decay_until(&self, time: Micros, baskets: f32) -> [f32; 3] {
        let days = self.last.map_or(0.0, |last| days_between(last, time));
        [(-baskets / HALF_LIFE_BASKETS[0]).exp2(), (-baskets / HALF_LIFE_BASKETS[1]).exp2(), (-days / HALF_LIFE_DAYS).exp2()]
    }

    /// Writes the planes of every category as of `time` at `row` of `planes`, each a matrix of
    /// rows × categories:
    ///
    /// 0. ln(count + prior × popularity): by itself the customer's own frequency, filled up by
    ///    popularity;
    /// 1. to 3. ln of the rate of each half-life over the rate of all time;
    /// 4. 1 where ever bought;
    /// 5. ln of the time since the last purchase over the mean time between purchases: above 0
    ///    when due;
    /// 6. ln(1 + days since the last purchase).
    pub(super) fn write(&self, time: Micros, popularity: &Popularity, planes: &mut [Vec<f32>; PLANES], row: usize) {
        let categories = popularity.len();
        let start = row * categories;
        planes[0][start..start + categories].copy_from_slice(&popularity.base);
        for bought in &self.bought {
            let category = bought.category as usize;
            let at = start + category;
            planes[0][at] = (bought.count + PRIOR * popularity.share[category]).ln();
            let rate = bought.count / self.all + RATE_FLOOR;
            for (plane, (decayed, all)) in planes[1..4].iter_mut().zip(bought.decayed.iter().zip(self.baskets)) {
                plane[at] = ((decayed / all.max(1e-6) + RATE_FLOOR) / rate).ln();
            }
            planes[4][at] = 1.0;
            let since = days_between(bought.last, time);
            if bought.count > 1.0 {
                let interval = days_between(bought.first, bought.last) / (bought.count - 1.0);
                planes[5][at] = ((since + 1.0) / (interval + 1.0)).ln().clamp(-3.0, 3.0);
            }
            planes[6][at] = since.ln_1p();
        }
    }

    /// When the last basket was.
    pub(super) const fn last(&self) -> Option<Micros> {
        self.last
    }

    /// Baskets per category, by category.
    pub(super) fn counts(&self) -> impl Iterator<Item = (u32, f32)> + '_ {
        self.bought.iter().map(|bought| (bought.category, bought.count))
    }
}

/// Days from `from` to `to`, 0 if that is earlier, for any two times.
pub(super) fn days_between(from: Micros, to: Micros) -> f32 {
    (to.saturating_sub(from).max(0) as f64 / TimeWindow::DAY as f64) as f32
}
