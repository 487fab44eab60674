//! So many units for one price (组合价, N件X元).

use serde::{Deserialize, Serialize};

use super::Mechanic;
use crate::answer::Reason;
use crate::document::{Off, Pick, Problems, Rounding, Scope, Split, is_default};
use crate::prelude::*;
use crate::pricing::{Cut, Outcome, Portion, View, ordered, take};
use crate::set::LineSet;

/// Units that are bought together for one price, or for less: so many of one scope, or so many of
/// each of several.
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

/// Most bundles that are made of different units one by one.
const MOST_BUNDLES: i64 = 100_000;

impl Bundle {
    /// A bundle of parts.
    pub fn new(parts: impl IntoIterator<Item = BundlePart>, off: Off) -> Self {
        let parts = parts.into_iter().collect();
        Self { parts, off, pick: Pick::Dearest, rounding: Rounding::default(), split: Split::default(), most_times: None }
    }

    fn size(&self) -> i64 {
        self.parts.iter().map(|part| part.quantity).sum()
    }

    /// How many bundles the units make.
    fn times(&self, view: &View<'_>, pools: &[Vec<Portion>]) -> Result<i64, Reason> {
        let mut times = self.most_times.unwrap_or(MOST_BUNDLES).min(MOST_BUNDLES);
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
        let mut left = self.times(view, &pools)?;
        pools.iter_mut().for_each(|pool| view.sort(pool, self.pick));
        let mut cuts = Vec::new();
        let mut made = 0;
        while left > 0 {
            let times = self.alike(&pools).min(left);
            let Some(bundle) = self.take_bundle(&mut pools, times) else { break };
            cuts.extend(self.cut_bundles(view, bundle, times));
            left -= times;
            made += times;
        }
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
    /// How many of the next bundles are all alike: of one part, as many as its first run makes.
    fn alike(&self, pools: &[Vec<Portion>]) -> i64 {
        match (self.parts.as_slice(), pools) {
            ([part], [pool]) => pool.first().map_or(1, |portion| (portion.units / part.quantity).max(1)),
            _ => 1,
        }
    }

    /// Takes the units of `times` bundles out of the pools; nothing if they don't make so many. A
    /// unit is in one bundle only, whichever parts it would fit; parts with the fewest units to
    /// choose from choose first.
    fn take_bundle(&self, pools: &mut [Vec<Portion>], times: i64) -> Option<Vec<Portion>> {
        let units = |pool: &[Portion]| pool.iter().map(|portion| portion.units).sum::<i64>();
        let mut order: Vec<usize> = (0..self.parts.len()).collect();
        order.sort_by_key(|place| units(&pools[*place]));
        let mut bundle: Vec<Portion> = Vec::new();
        for place in order {
            let needed = self.parts[place].quantity * times;
            let (taken, rest) = take(&pools[place], needed);
            if units(&taken) < needed {
                return None;
            }
            pools[place] = rest;
            for portion in taken {
                let others = pools.iter_mut().enumerate().filter(|(other, _)| *other != place).map(|(_, pool)| pool);
                others.for_each(|pool| leave_out(pool, portion));
                match bundle.iter_mut().find(|other| other.run == portion.run) {
                    Some(other) => other.units += portion.units,
                    None => bundle.push(portion),
                }
            }
        }
        Some(bundle)
    }

    fn cut_bundles(&self, view: &View<'_>, mut bundle: Vec<Portion>, times: i64) -> Vec<Cut> {
        // The split goes by the order of the basket.
        bundle.sort_by_key(|portion| portion.run);
        if times > 1
            && let [portion] = bundle.as_slice()
        {
            // Equal bundles of equal units: each is split alike.
            let one = portion.split_at(self.size()).0;
            let cuts = self.cut_bundles(view, vec![one], 1);
            if let [cut] = cuts.as_slice() {
                return vec![Cut { units: cut.units * times, ..*cut }];
            }
            let at = |bundle: i64| cuts.iter().map(move |cut| Cut { first: cut.first + bundle * self.size(), ..*cut });
            return (0..times).flat_map(at).collect();
        }
        view.off(&bundle, self.off, self.rounding, self.split).0
    }
}

fn leave_out(pool: &mut Vec<Portion>, taken: Portion) {
    if let Some(place) = pool.iter().position(|portion| portion.run == taken.run) {
        pool[place] = pool[place].split_at(taken.units).1;
        if pool[place].units == 0 {
            pool.remove(place);
        }
    }
}
