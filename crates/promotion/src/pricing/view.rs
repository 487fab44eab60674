//! What one promotion sees of the basket, and the operations that mechanics are made of.

use core::cell::RefCell;

use super::runs::{Cut, Run};
use super::split::{Part, divide, give_to_largest, split};
use crate::answer::Reason;
use crate::document::{Basis, Most, Off, Pick, Remainder, Rounding, RoundingAt, Split, SplitBy};
use crate::document::{round, share_of};
use crate::prelude::*;
use crate::set::LineSet;
use crate::{Basket, Name};

/// Some units of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Portion {
    pub(crate) run: usize,
    /// The first of them, counted from 0 within the run.
    pub(crate) first: i64,
    pub(crate) units: i64,
}

/// What one effect does.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// In the order of runs.
    pub(crate) cuts: Vec<Cut>,
    /// Off shipping.
    pub(crate) shipping: i64,
    /// (product, how many, what one costs elsewhere).
    pub(crate) gift: Option<(Name, i64, i64)>,
    /// (product, how many more, at what price) that could be added.
    pub(crate) add_on: Option<(Name, i64, i64)>,
    pub(crate) points: i64,
    pub(crate) cashback: i64,
    /// Every unit was cut by itself; otherwise an amount was split.
    pub(crate) each: bool,
    /// What more would have given more.
    pub(crate) next: Option<NextStep>,
}

impl Outcome {
    /// How many units become cheaper or are given.
    pub(crate) fn units(&self) -> i64 {
        let cheaper = self.cuts.iter().filter(|cut| cut.each > 0).map(|cut| cut.units);
        cheaper.sum::<i64>() + self.gift.as_ref().map_or(0, |(_, quantity, _)| *quantity)
    }

    /// Takes in what was found for another part of the basket. What has no place in one outcome, a gift
    /// or an offer of each part, comes back.
    pub(crate) fn join(&mut self, mut other: Self) -> Option<Self> {
        self.cuts.append(&mut other.cuts);
        self.shipping = self.shipping.max(other.shipping);
        self.points = self.points.saturating_add(other.points);
        self.cashback = self.cashback.saturating_add(other.cashback);
        self.each &= other.each;
        self.next = self.next.or(other.next);
        let has_more = other.gift.is_some() || other.add_on.is_some();
        has_more.then_some(Self { shipping: 0, points: 0, cashback: 0, next: None, ..other })
    }
}

/// The next step of a promotion that applied: so much more for such a reduction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NextStep {
    pub(crate) missing: Missing,
    pub(crate) saves: i64,
}

/// What is missing to a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    Spend(i64),
    Units(i64),
}

impl Missing {
    pub(crate) const fn to(basis: Basis, missing: i64) -> Self {
        if matches!(basis, Basis::Quantity) { Self::Units(missing) } else { Self::Spend(missing) }
    }

    pub(crate) const fn reason(self) -> Reason {
        match self {
            Self::Spend(missing) => Reason::SpendMissing { missing },
            Self::Units(missing) => Reason::UnitsMissing { missing },
        }
    }
}

/// The units that a promotion may see.
pub(crate) struct View<'a> {
    pub(crate) basket: &'a Basket,
    pub(crate) runs: &'a [Run],
    pub(crate) skips_discounted: bool,
    /// Of a promotion that looks at parts of the basket separately: the runs of this one.
    pub(crate) part: Option<&'a [usize]>,
    /// Of a group that excludes by line: the lines that are this promotion's.
    pub(crate) only: Option<&'a LineSet>,
    /// Whether any unit of the basket has a price floor.
    pub(crate) floors: bool,
    /// What is left to pay for shipping.
    pub(crate) shipping: i64,
    /// Most units that limits leave to it.
    pub(crate) units_left: i64,
    /// Room for work.
    pub(crate) scratch: &'a RefCell<Vec<(u64, u32)>>,
}

impl View<'_> {
    pub(crate) fn run(&self, portion: &Portion) -> &Run {
        &self.runs[portion.run]
    }

    /// Everything of these lines that the promotion may see, in the order of the basket.
    pub(crate) fn whole(&self, lines: &LineSet) -> Vec<Portion> {
        let visible = |run: &Run| {
            lines.contains(run.line)
                && !run.consumed
                // Discounted before this promotion, not by an earlier effect of it.
                && !(self.skips_discounted && run.before < run.original)
                && self.only.is_none_or(|only| only.contains(run.line))
        };
        let capacity = if *lines == LineSet::All { self.part.map_or(self.runs.len(), <[usize]>::len) } else { 8 };
        let mut found = Vec::with_capacity(capacity);
        let mut add = |place: usize, run: &Run| {
            if visible(run) {
                found.push(Portion { run: place, first: 0, units: run.units });
            }
        };
        match self.part {
            None => self.runs.iter().enumerate().for_each(|(place, run)| add(place, run)),
            Some(part) => part.iter().for_each(|place| add(*place, &self.runs[*place])),
        }
        found
    }

    /// Whether something holds for every line, also for those that promotions may not work on.
    pub(crate) fn all_lines(&self, holds: impl Fn(u32) -> bool) -> bool {
        match self.part {
            None => self.runs.iter().all(|run| holds(run.line)),
            Some(part) => part.iter().all(|place| holds(self.runs[*place].line)),
        }
    }

    /// The same, if there is anything.
    pub(crate) fn some(&self, lines: &LineSet) -> Result<Vec<Portion>, Reason> {
        let portions = self.whole(lines);
        if portions.is_empty() { Err(Reason::NothingInScope) } else { Ok(portions) }
    }

    /// At most so many of them, in the order of the basket.
    pub(crate) fn at_most(&self, lines: &LineSet, most: Most) -> Result<Vec<Portion>, Reason> {
        self.some(lines).map(|portions| self.limited(portions, most))
    }

    /// Of these at most so many, in the order of the basket.
    pub(crate) fn limited(&self, mut portions: Vec<Portion>, most: Most) -> Vec<Portion> {
        let units = most.units.unwrap_or(i64::MAX).min(self.units_left);
        if units == i64::MAX && most.units_per_line.is_none() && most.step_per_line.is_none() {
            return portions;
        }
        self.sort(&mut portions, most.pick);
        if most.units_per_line.is_some() || most.step_per_line.is_some() {
            let step = most.step_per_line.unwrap_or(1);
            // Units that each line may yet give.
            let mut left: BTreeMap<u32, i64> = BTreeMap::new();
            portions.iter().for_each(|portion| *left.entry(self.run(portion).line).or_default() += portion.units);
            left.values_mut().for_each(|units| *units = (*units).min(most.units_per_line.unwrap_or(i64::MAX)) / step * step);
            for portion in &mut portions {
                let left = left.entry(self.run(portion).line).or_default();
                portion.units = portion.units.min(*left);
                *left -= portion.units;
            }
        }
        let mut taken = take(&portions, units).0;
        taken.sort_by_key(|portion| (portion.run, portion.first));
        taken
    }

    /// By price; ties in the order of the basket.
    pub(crate) fn sort(&self, portions: &mut [Portion], pick: Pick) {
        match pick {
            Pick::BasketOrder => portions.sort_unstable_by_key(|portion| (portion.run, portion.first)),
            Pick::LargestLine => {
                let mut units: BTreeMap<u32, i64> = BTreeMap::new();
                portions.iter().for_each(|portion| *units.entry(self.run(portion).line).or_default() += portion.units);
                portions
                    .sort_unstable_by_key(|portion| (units.get(&self.run(portion).line).map(|units| -units), portion.run, portion.first));
            }
            Pick::Cheapest => portions.sort_unstable_by_key(|portion| (self.run(portion).price, portion.run, portion.first)),
            Pick::Dearest => portions.sort_unstable_by_key(|portion| (-self.run(portion).price, portion.run, portion.first)),
        }
    }

    /// What a unit counts. Shares and thresholds count prices before the promotion, whatever its
    /// earlier effects took off.
    pub(crate) const fn worth(run: &Run, basis: Basis) -> i64 {
        match basis {
            Basis::Remaining => run.before,
            Basis::Catalogue => run.catalogue,
            Basis::Original => run.original,
            Basis::Quantity => 1,
        }
    }

    pub(crate) fn count(&self, portions: &[Portion], basis: Basis) -> i64 {
        portions.iter().map(|portion| portion.units * Self::worth(self.run(portion), basis)).sum()
    }

    /// What the portions cost now.
    pub(crate) fn cost(&self, portions: &[Portion]) -> i64 {
        portions.iter().map(|portion| portion.units * self.run(portion).price).sum()
    }

    /// How much less the portions can cost yet.
    pub(crate) fn room(&self, portions: &[Portion]) -> i64 {
        portions.iter().map(|portion| portion.units * self.run(portion).room()).sum()
    }

    /// Every unit of the portion `each` cheaper, as far as there is room.
    pub(crate) fn cut(&self, portion: &Portion, each: i64) -> Cut {
        Cut { run: portion.run, first: portion.first, units: portion.units, each: each.clamp(0, self.run(portion).room()) }
    }

    /// Splits an amount over portions, in proportion to what they cost now.
    pub(crate) fn split(&self, portions: &[Portion], amount: i64, policy: Split) -> Vec<Cut> {
        self.split_by(portions, amount, policy, |run| run.price)
    }

    /// Splits an amount over portions in proportion to `weight`.
    pub(crate) fn split_by(&self, portions: &[Portion], amount: i64, policy: Split, weight: impl Fn(&Run) -> i64) -> Vec<Cut> {
        if policy.by == SplitBy::Unit && policy.remainder == Remainder::Largest {
            let total = portions.iter().map(|portion| portion.units * weight(self.run(portion))).sum();
            if (1..=total).contains(&amount)
                && let Some(cuts) = self.split_freely(portions, amount, total, &weight)
            {
                return cuts;
            }
        }
        let part = |portion: &Portion| {
            let run = self.run(portion);
            Part { units: portion.units, weight: weight(run), room: run.room() }
        };
        let parts: Vec<Part> = portions.iter().map(part).collect();
        let mut cuts = Vec::with_capacity(portions.len() + 2);
        let key = |portion: &Portion| {
            let line = self.run(portion).line;
            if policy.by == SplitBy::Shop { (self.basket.lines[line as usize].shop.as_ref(), 0) } else { (None, line) }
        };
        let mut add = |portion: &Portion, given: super::split::Given| {
            let mut first = portion.first;
            for (units, each) in given.ranges(portion.units) {
                if units > 0 {
                    cuts.push(Cut { run: portion.run, first, units, each });
                    first += units;
                }
            }
        };
        if policy.by == SplitBy::Unit {
            portions.iter().zip(split(amount, &parts, policy)).for_each(|(portion, given)| add(portion, given));
            return cuts;
        }
        // Over the larger things first, each of which is one unit then.
        let mut places: BTreeMap<(Option<&Name>, u32), Vec<usize>> = BTreeMap::new();
        portions.iter().enumerate().for_each(|(place, portion)| places.entry(key(portion)).or_default().push(place));
        let sum = |places: &[usize], of: fn(&Part) -> i64| places.iter().map(|place| parts[*place].units * of(&parts[*place])).sum();
        let wholes: Vec<Part> = places
            .values()
            .map(|places| Part { units: 1, weight: sum(places, |part| part.weight), room: sum(places, |part| part.room) })
            .collect();
        let outer = Split { by: SplitBy::Unit, ..policy };
        // Within a line the nearest of equal parts says nothing.
        let remainder = if policy.remainder == Remainder::Nearest { Remainder::Largest } else { policy.remainder };
        let inner = Split { remainder, ..outer };
        for (places, whole) in places.values().zip(split(amount, &wholes, outer)) {
            let parts: Vec<Part> = places.iter().map(|place| parts[*place]).collect();
            for (place, given) in places.iter().zip(split(whole.each + whole.extra, &parts, inner)) {
                add(&portions[*place], given);
            }
        }
        cuts.sort_by_key(|cut| (cut.run, cut.first));
        cuts
    }

    /// The largest-remainder split in one go, if every unit has room for its share: [`split()`] without
    /// floors.
    fn split_freely(&self, portions: &[Portion], amount: i64, total: i64, weight: impl Fn(&Run) -> i64) -> Option<Vec<Cut>> {
        let mut losses = self.scratch.borrow_mut();
        losses.clear();
        let mut cuts: Vec<Cut> = Vec::with_capacity(portions.len() + 1);
        let mut left = amount;
        for (place, portion) in (0_u32..).zip(portions) {
            let run = self.run(portion);
            let (each, loss) = divide(amount, weight(run), total);
            if each + i64::from(loss > 0) > run.room() {
                return None;
            }
            left -= portion.units * each;
            losses.push((loss, place));
            cuts.push(Cut { run: portion.run, first: portion.first, units: portion.units, each });
        }
        // All units of a part get one more, but for one part of which only some do.
        let mut partly = None;
        give_to_largest(
            &mut losses,
            left,
            |place| portions[place as usize].units,
            |place, extra| {
                if extra == portions[place as usize].units {
                    cuts[place as usize].each += 1;
                } else {
                    partly = Some((place as usize, extra));
                }
            },
        );
        if let Some((place, extra)) = partly {
            let cut = cuts[place];
            cuts[place] = Cut { first: cut.first + extra, units: cut.units - extra, ..cut };
            cuts.insert(place, Cut { units: extra, each: cut.each + 1, ..cut });
        }
        Some(cuts)
    }

    /// A share off the portions, rounded where `rounding` says.
    pub(crate) fn percent(&self, portions: &[Portion], share: u32, basis: Basis, rounding: Rounding, policy: Split) -> Vec<Cut> {
        let of = |run: &Run| Self::worth(run, basis);
        let exact = |portions: &[Portion]| i128::from(self.count(portions, basis)) * i128::from(share);
        let rounded = |portions: &[Portion]| self.split_by(portions, round(exact(portions), 10_000, rounding), policy, of);
        match rounding.at {
            RoundingAt::Promotion => rounded(portions),
            RoundingAt::Line => portions.chunk_by(|one, other| self.run(one).line == self.run(other).line).flat_map(rounded).collect(),
            RoundingAt::Unit => {
                let unit = |portion: &Portion| share_of(of(self.run(portion)), share, rounding);
                portions.iter().map(|portion| self.cut(portion, unit(portion))).collect()
            }
        }
    }

    /// What `off` takes off the portions as one thing, and whether unit by unit.
    pub(crate) fn off(&self, portions: &[Portion], off: Off, rounding: Rounding, policy: Split) -> (Vec<Cut>, bool) {
        match off {
            Off::Amount(amount) => (self.split(portions, amount, policy), false),
            Off::BasisPoints(share) => (self.percent(portions, share, Basis::Remaining, rounding, policy), false),
            Off::Price(price) => (self.split(portions, (self.cost(portions) - price).max(0), policy), false),
            Off::UnitPrice(_) => (portions.iter().map(|portion| self.unit_off(portion, off, rounding)).collect(), true),
        }
    }

    /// What `off` takes off each unit of a portion.
    pub(crate) fn unit_off(&self, portion: &Portion, off: Off, rounding: Rounding) -> Cut {
        let run = self.run(portion);
        let each = match off {
            Off::Amount(amount) => amount,
            Off::BasisPoints(share) => share_of(run.before, share, rounding),
            Off::Price(price) | Off::UnitPrice(price) => run.price - price,
        };
        self.cut(portion, each)
    }

    /// What `off` takes off all units of these lines together, in ten-thousandths.
    pub(crate) fn units_off(&self, lines: &LineSet, off: Off, rounding: Rounding) -> i128 {
        let cut = |portion: &Portion| self.unit_off(portion, off, rounding);
        self.whole(lines).iter().map(cut).map(|cut| scaled(cut.units) * i128::from(cut.each)).sum()
    }

    /// How many full groups of `size` there are, at most `most_times`.
    pub(crate) fn groups(&self, portions: &[Portion], size: i64, most_times: Option<i64>) -> Result<i64, Reason> {
        let units = self.count(portions, Basis::Quantity);
        match units / size {
            0 => Err(Reason::UnitsMissing { missing: size - units }),
            groups => Ok(groups.min(most_times.unwrap_or(i64::MAX))),
        }
    }

    /// The most that `units` of the portions can become cheaper, in ten-thousandths.
    pub(crate) fn dearest(&self, portions: &[Portion], units: i64) -> i128 {
        let mut portions = portions.to_vec();
        // Not by price: a dear unit may have its floor near.
        portions.sort_unstable_by_key(|portion| core::cmp::Reverse(self.run(portion).room()));
        scaled(self.room(&take(&portions, units).0))
    }
}

/// In ten-thousandths of a minor unit, as upper bounds are counted.
pub(crate) fn scaled(amount: i64) -> i128 {
    i128::from(amount) * 10_000
}

impl Portion {
    /// The first so many of its units, and the others.
    pub(crate) fn split_at(self, units: i64) -> (Self, Self) {
        let units = units.clamp(0, self.units);
        (Self { units, ..self }, Self { first: self.first + units, units: self.units - units, ..self })
    }
}

/// The first so many units, and the others.
pub(crate) fn take(portions: &[Portion], mut units: i64) -> (Vec<Portion>, Vec<Portion>) {
    let (mut taken, mut rest) = (Vec::new(), Vec::new());
    for portion in portions {
        let (now, later) = portion.split_at(units);
        units -= now.units;
        if now.units > 0 {
            taken.push(now);
        }
        if later.units > 0 {
            rest.push(later);
        }
    }
    (taken, rest)
}

/// Cuts in the order of units, as they are applied.
pub(crate) fn ordered(mut cuts: Vec<Cut>) -> Vec<Cut> {
    cuts.retain(|cut| cut.units > 0);
    // Stable: what is cut comes before what is only counted, where both name one unit.
    cuts.sort_by_key(|cut| (cut.run, cut.first));
    cuts
}
