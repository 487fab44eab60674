//! So many units for one price (组合价, N件X元).

use serde::{Deserialize, Serialize};

use super::Mechanic;
use crate::answer::Reason;
use crate::document::{Off, Pick, Problems, Rounding, Scope, Split, is_default};
use crate::prelude::*;
use crate::pricing::{Cut, Outcome, Portion, View, ordered, take};
use crate::set::LineSet;

/// Units that are bought together for one price, or for less: so many of one scope, or so many of
/// each of several. Where a unit would fit several parts, at most 10,000 bundles are put together.
///
/// Any three for ¥50, on four cups at ¥20: one bundle saves ¥10, the fourth cup costs ¥20.
///
/// ```
/// # use youhui_promotion::*;
/// # let yuan = "CNY".parse().unwrap();
/// let rule = Bundle::new([BundlePart { quantity: 3, scope: Scope::products(["cup"]) }], Off::Price(5000));
/// let basket = Basket::new(yuan, [Line::new("cup", 4, 2000)]);
/// let set = Promotions::new([Promotion::new("three", yuan, rule.into())]).unwrap();
/// assert_eq!(set.price(&basket, &Context::default()).unwrap().total, 7000);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// What a bundle is made of.
    pub parts: Vec<BundlePart>,
    /// What one bundle costs, or how much less.
    pub off: Off,
    /// Which units first.
    #[serde(default = "dearest", skip_serializing_if = "is_dearest")]
    pub pick: Pick,
    /// Where the part of a minor unit of a share goes.
    #[serde(default, skip_serializing_if = "is_default")]
    pub rounding: Rounding,
    /// How the amount is split.
    #[serde(default, skip_serializing_if = "is_default")]
    pub split: Split,
    /// Most bundles; as many as there are if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most_times: Option<i64>,
}

/// So many units of a scope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct BundlePart {
    /// How many.
    pub quantity: i64,
    /// Of which units.
    #[serde(default, skip_serializing_if = "is_default")]
    pub scope: Scope,
}

const fn dearest() -> Pick {
    Pick::Dearest
}

fn is_dearest(pick: &Pick) -> bool {
    *pick == Pick::Dearest
}

/// Most bundles that are put together of units which would fit several parts.
const MOST_FITTED: i64 = 10_000;

impl Bundle {
    /// A bundle of parts.
    pub fn new(parts: impl IntoIterator<Item = BundlePart>, off: Off) -> Self {
        let parts = parts.into_iter().collect();
        Self { parts, off, pick: Pick::Dearest, rounding: Rounding::default(), split: Split::default(), most_times: None }
    }

    /// How many bundles the units make at most.
    fn times(&self, view: &View<'_>, pools: &[Vec<Portion>]) -> Result<i64, Reason> {
        let mut times = self.most_times.unwrap_or(i64::MAX);
        for (part, pool) in self.parts.iter().zip(pools) {
            times = times.min(view.groups(pool, part.quantity, None)?);
        }
        Ok(times)
    }
}

impl Mechanic for Bundle {
    fn scopes(&self, visit: &mut dyn FnMut(&Scope)) {
        self.parts.iter().for_each(|part| visit(&part.scope));
    }

    fn problems(&self, at: &str, problems: &mut Problems) {
        problems.say(self.parts.is_empty(), format!("{at}/parts"), "say what a bundle is made of");
        problems.say(self.parts.len() > 16, format!("{at}/parts"), "give at most 16 parts");
        for (place, part) in self.parts.iter().enumerate().take(16) {
            problems.units(part.quantity, 1, format!("{at}/parts/{place}/quantity"));
            problems.scope(&part.scope, &format!("{at}/parts/{place}/scope"));
        }
        problems.off(self.off, false, &format!("{at}/off"));
        problems.rounding(self.rounding, &format!("{at}/rounding"));
        problems.units(self.most_times.unwrap_or(1), 1, format!("{at}/most_times"));
    }

    fn apply(&self, view: &View<'_>, lines: &[LineSet]) -> Result<Outcome, Reason> {
        let mut pools: Vec<Vec<Portion>> = lines.iter().map(|lines| view.some(lines)).collect::<Result<_, _>>()?;
        let most = self.times(view, &pools)?;
        pools.iter_mut().for_each(|pool| view.sort(pool, self.pick));
        let mut cuts = Vec::new();
        let made = if overlap(&pools) {
            self.fitted(view, &pools, most.min(MOST_FITTED), &mut cuts)
        } else {
            self.in_order(view, &pools, most, &mut cuts)
        };
        if made == 0 {
            return Err(Reason::UnitsMissing { missing: 1 });
        }
        Ok(Outcome { cuts: ordered(cuts), ..Outcome::default() })
    }

    fn counts_units(&self) -> bool {
        false
    }

    fn ceiling(&self, view: &View<'_>, lines: &[LineSet]) -> i128 {
        let pools: Vec<Vec<Portion>> = lines.iter().map(|lines| view.whole(lines)).collect();
        let times = self.times(view, &pools).unwrap_or(0);
        let pooled = self.parts.iter().zip(&pools);
        pooled.map(|(part, pool)| view.dearest(pool, times.saturating_mul(part.quantity))).sum()
    }
}

impl Bundle {
    /// Bundles of the next units of each pool, those that are all alike together. How many were made.
    fn in_order(&self, view: &View<'_>, pools: &[Vec<Portion>], most: i64, cuts: &mut Vec<Cut>) -> i64 {
        let mut queues: Vec<Queue<'_>> = pools.iter().map(|pool| Queue::new(view, pool)).collect();
        let mut left = most;
        while left > 0 {
            let each = self.parts.iter().zip(&queues).map(|(part, queue)| queue.alike() / part.quantity).min().unwrap_or(0);
            let times = each.clamp(1, left);
            let taken: Vec<Vec<Portion>> =
                self.parts.iter().zip(&mut queues).map(|(part, queue)| queue.take(part.quantity * times)).collect();
            self.cut_alike(view, &taken, times, cuts);
            left -= times;
        }
        most
    }

    /// Cuts `times` bundles that are all alike; `taken` has the units of each part.
    fn cut_alike(&self, view: &View<'_>, taken: &[Vec<Portion>], times: i64, cuts: &mut Vec<Cut>) {
        let first = |(part, units): (&BundlePart, &Vec<Portion>)| take(units, part.quantity).0;
        let one: Vec<Vec<Portion>> = self.parts.iter().zip(taken).map(first).collect();
        let mut bundle: Vec<Portion> = one.iter().flatten().copied().collect();
        // The split goes by the order of the basket.
        bundle.sort_unstable_by_key(|portion| (portion.run, portion.first));
        let of_one = view.off(&bundle, self.off, self.rounding, self.split).0;
        if times == 1 {
            cuts.extend(of_one);
            return;
        }
        // As in the first, so in all: so many units of a part get each amount.
        for (units, first) in taken.iter().zip(&one) {
            let is_of = |cut: &&Cut| {
                first.iter().any(|portion| portion.run == cut.run && (portion.first..portion.first + portion.units).contains(&cut.first))
            };
            let mut rest = units.clone();
            for cut in of_one.iter().filter(is_of) {
                let (now, later) = take(&rest, cut.units * times);
                cuts.extend(now.iter().map(|portion| view.cut(portion, cut.each)));
                rest = later;
            }
        }
    }

    /// Bundles of units that would fit several parts: each is put together so that no part goes without
    /// if another can spare its unit (augmenting paths, Ford and Fulkerson 1956).
    fn fitted(&self, view: &View<'_>, pools: &[Vec<Portion>], most: i64, cuts: &mut Vec<Cut>) -> i64 {
        let mut units: BTreeMap<usize, Portion> = pools.iter().flatten().map(|portion| (portion.run, *portion)).collect();
        for made in 0..most {
            let Some(chosen) = self.fit(pools, &units) else { return made };
            let mut bundle = Vec::with_capacity(chosen.len());
            for (run, count) in chosen {
                if let Some(portion) = units.get_mut(&run) {
                    let (now, later) = portion.split_at(count);
                    bundle.push(now);
                    *portion = later;
                }
            }
            cuts.extend(view.off(&bundle, self.off, self.rounding, self.split).0);
        }
        most
    }

    /// How many units of which runs make one bundle of what is left; nothing if they don't.
    fn fit(&self, pools: &[Vec<Portion>], units: &BTreeMap<usize, Portion>) -> Option<BTreeMap<usize, i64>> {
        let left = |run: usize| units.get(&run).map_or(0, |portion| portion.units);
        // By part, what it has of each run.
        let mut given: Vec<BTreeMap<usize, i64>> = vec![BTreeMap::new(); self.parts.len()];
        for (part, of) in self.parts.iter().enumerate() {
            let mut missing = of.quantity;
            while missing > 0 {
                let used = |run: usize| given.iter().map(|of| of.get(&run).copied().unwrap_or(0)).sum::<i64>();
                // From the part that wants units, over parts that could take others instead.
                let mut from: Vec<Option<(usize, usize)>> = vec![None; self.parts.len()];
                let (mut queue, mut seen) = (vec![part], vec![false; self.parts.len()]);
                seen[part] = true;
                let mut found = None;
                let mut next = 0;
                while found.is_none() && next < queue.len() {
                    let wants = queue[next];
                    next += 1;
                    found = pools[wants].iter().map(|portion| portion.run).find(|run| used(*run) < left(*run)).map(|run| (wants, run));
                    for portion in &pools[wants] {
                        for (other, has) in given.iter().enumerate() {
                            if !seen[other] && has.get(&portion.run).is_some_and(|count| *count > 0) {
                                seen[other] = true;
                                from[other] = Some((wants, portion.run));
                                queue.push(other);
                            }
                        }
                    }
                }
                let (last, run) = found?;
                // As many at once as the whole way allows.
                let mut count = missing.min(left(run) - used(run));
                let mut at = last;
                while let Some((before, run)) = from[at].filter(|_| at != part) {
                    count = count.min(given[at].get(&run).copied().unwrap_or(0));
                    at = before;
                }
                *given[last].entry(run).or_default() += count;
                let mut at = last;
                while let Some((before, run)) = from[at].filter(|_| at != part) {
                    *given[at].entry(run).or_default() -= count;
                    *given[before].entry(run).or_default() += count;
                    at = before;
                }
                missing -= count;
            }
        }
        let mut chosen: BTreeMap<usize, i64> = BTreeMap::new();
        given.iter().flatten().for_each(|(run, count)| *chosen.entry(*run).or_default() += count);
        chosen.retain(|_, count| *count > 0);
        Some(chosen)
    }
}

fn overlap(pools: &[Vec<Portion>]) -> bool {
    let mut runs: Vec<usize> = pools.iter().flatten().map(|portion| portion.run).collect();
    runs.sort_unstable();
    runs.windows(2).any(|pair| pair[0] == pair[1])
}

/// Units in an order, taken from its front.
struct Queue<'q> {
    /// Portions whose units are alike, together.
    classes: Vec<&'q [Portion]>,
    class: usize,
    /// Units of the class that are gone.
    gone: i64,
    portion: usize,
    /// Units of the portion that are gone.
    of_portion: i64,
}

impl<'q> Queue<'q> {
    fn new(view: &View<'_>, pool: &'q [Portion]) -> Self {
        let alike = |one: &Portion, other: &Portion| {
            let (one, other) = (view.run(one), view.run(other));
            (one.price, one.before, one.room()) == (other.price, other.before, other.room())
        };
        Self { classes: pool.chunk_by(alike).collect(), class: 0, gone: 0, portion: 0, of_portion: 0 }
    }

    /// How many units that are alike come next.
    fn alike(&self) -> i64 {
        let units = |class: &&[Portion]| class.iter().map(|portion| portion.units).sum::<i64>();
        self.classes.get(self.class).map_or(0, |class| units(class) - self.gone)
    }

    fn take(&mut self, units: i64) -> Vec<Portion> {
        let (mut taken, mut missing) = (Vec::with_capacity(2), units);
        while missing > 0
            && let Some(class) = self.classes.get(self.class)
        {
            let Some(portion) = class.get(self.portion) else {
                (self.class, self.gone, self.portion, self.of_portion) = (self.class + 1, 0, 0, 0);
                continue;
            };
            let now = portion.split_at(self.of_portion).1.split_at(missing).0;
            missing -= now.units;
            self.gone += now.units;
            self.of_portion += now.units;
            if now.units > 0 {
                taken.push(now);
            }
            if self.of_portion == portion.units {
                (self.portion, self.of_portion) = (self.portion + 1, 0);
            }
        }
        if self.classes.get(self.class).is_some_and(|class| self.portion == class.len()) {
            (self.class, self.gone, self.portion, self.of_portion) = (self.class + 1, 0, 0, 0);
        }
        taken
    }
}
