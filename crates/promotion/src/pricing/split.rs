//! One amount over many units, to the last minor unit.
//!
//! Each part gets its share in proportion to its weight, rounded down; the minor units that are left
//! go to single units by a named policy, by default to those that lost most (Hamilton's method, the
//! largest remainder). A part never gets more than it has room for above its price floor; what it
//! can't take goes to the others. Cost: O(n log n) for n parts, whatever the number of units.

use crate::document::{AtFloor, Remainder, Split};
use crate::prelude::*;

/// Equal units.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    pub(crate) units: i64,
    /// Of one unit, not negative.
    pub(crate) weight: i64,
    /// Most that one unit can take, not negative.
    pub(crate) room: i64,
}

/// What the units of a part get: `extra` of them one minor unit more than `each`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Given {
    pub(crate) each: i64,
    pub(crate) extra: i64,
    /// Whether these are its last units; its first otherwise.
    pub(crate) from_the_end: bool,
}

impl Given {
    /// (units, what each of them gets), in their order.
    pub(crate) fn ranges(self, units: i64) -> [(i64, i64); 2] {
        let (more, less) = ((self.extra, self.each + 1), (units - self.extra, self.each));
        if self.from_the_end { [less, more] } else { [more, less] }
    }
}

/// Splits `amount`. The parts get all of it, or as much as they have room for.
pub(crate) fn split(amount: i64, parts: &[Part], policy: Split) -> Vec<Given> {
    let mut given = vec![Given::default(); parts.len()];
    let total = |of: fn(&Part) -> i64| parts.iter().map(|part| part.units * of(part)).sum::<i64>();
    let (weight, room) = (total(|part| part.weight), total(|part| part.room));
    let amount = if policy.at_floor == AtFloor::Forgo { amount } else { amount.min(room) };
    if amount <= 0 {
        return given;
    }
    if weight == 0 {
        // Nothing to go by but the room itself.
        let by_room: Vec<Part> = parts.iter().map(|part| Part { weight: part.room, ..*part }).collect();
        return if room == 0 { given } else { split(amount, &by_room, policy) };
    }
    let fits = amount <= weight && parts.iter().all(|part| part.weight <= part.room);
    if fits || policy.at_floor == AtFloor::Forgo {
        share(amount, weight, parts, policy.remainder, &mut given, |_| true);
        if !fits {
            given.iter_mut().zip(parts).for_each(|(given, part)| *given = given.at_most(part));
        }
        return given;
    }
    let full = fill(amount, weight, parts, &mut given);
    let (left, weight) = full.1;
    if left > 0 && weight > 0 {
        share(left, weight, parts, policy.remainder, &mut given, |place| !full.0[place]);
    } else if left > 0 {
        // All that has weight is full.
        let rest: Vec<Part> = parts
            .iter()
            .zip(&full.0)
            .map(|(part, full)| if *full { Part { weight: 0, room: 0, ..*part } } else { Part { weight: part.room, ..*part } })
            .collect();
        for (given, more) in given.iter_mut().zip(split(left, &rest, policy)) {
            if more != Given::default() {
                *given = more;
            }
        }
    }
    given
}

/// Fills the parts whose share is at least their room: which, and the amount and weight left.
fn fill(amount: i64, weight: i64, parts: &[Part], given: &mut [Given]) -> (Vec<bool>, (i64, i64)) {
    // Those with the least room for their weight are full first.
    let mut order: Vec<usize> = (0..parts.len()).filter(|&place| parts[place].weight > 0).collect();
    let cross = |one: usize, other: usize| i128::from(parts[one].room) * i128::from(parts[other].weight);
    order.sort_by(|&one, &other| cross(one, other).cmp(&cross(other, one)).then(one.cmp(&other)));
    let mut full = vec![false; parts.len()];
    let (mut left, mut weight) = (amount, weight);
    for place in order {
        let part = parts[place];
        if i128::from(left) * i128::from(part.weight) < i128::from(part.room) * i128::from(weight) {
            break;
        }
        full[place] = true;
        given[place] = Given { each: part.room, ..Given::default() };
        left -= part.units * part.room;
        weight -= part.units * part.weight;
    }
    (full, (left, weight))
}

/// The largest-remainder split over the parts that `open` says yes to.
fn share(amount: i64, weight: i64, parts: &[Part], remainder: Remainder, given: &mut [Given], open: impl Fn(usize) -> bool) {
    let mut left = amount;
    let mut losses: Vec<(u64, u32)> = Vec::with_capacity(parts.len());
    for (place, part) in parts.iter().enumerate() {
        if open(place) && part.units > 0 {
            let (each, loss) = divide(amount, part.weight, weight);
            given[place] = Given { each, ..Given::default() };
            left -= part.units * each;
            losses.push((loss, index(place)));
        }
    }
    if left == 0 {
        return;
    }
    let weight_of = |place: u32| parts[place as usize].weight;
    let mut from_the_end = matches!(remainder, Remainder::Last | Remainder::Dearest);
    match remainder {
        Remainder::Largest => {
            let units = |place: u32| parts[place as usize].units;
            give_to_largest(&mut losses, left, units, |place, extra| given[place as usize].extra = extra);
            return;
        }
        Remainder::First => {}
        Remainder::Last => losses.reverse(),
        Remainder::Dearest => losses.sort_by_key(|(_, place)| core::cmp::Reverse((weight_of(*place), *place))),
        Remainder::Cheapest => losses.sort_by_key(|(_, place)| weight_of(*place)),
        // Nearest parts are those that lost more than half; of all others the first are next.
        Remainder::Nearest => {
            let up = |loss: u64| loss > weight.unsigned_abs() / 2;
            let rounded_up: i64 = losses.iter().filter(|(loss, _)| up(*loss)).map(|(_, place)| parts[*place as usize].units).sum();
            // Too many: the first of them give theirs back.
            from_the_end = rounded_up > left;
            let last_first = |place: u32| if from_the_end { u32::MAX - place } else { place };
            losses.sort_by_key(|(loss, place)| (!up(*loss), last_first(*place)));
        }
    }
    for (_, place) in losses {
        let place = place as usize;
        if given[place].each < parts[place].room {
            let extra = left.min(parts[place].units);
            given[place] = Given { extra, from_the_end, ..given[place] };
            left -= extra;
        }
        if left == 0 {
            return;
        }
    }
}

/// Gives one more to `left` units of the parts that lost most, of equals to the first: calls `give` with
/// a part and how many of its units get one more. Linear in the parts (quickselect, Hoare 1961).
pub(crate) fn give_to_largest(losses: &mut [(u64, u32)], left: i64, units: impl Fn(u32) -> i64, mut give: impl FnMut(u32, i64)) {
    let before = |one: &(u64, u32), other: &(u64, u32)| other.0.cmp(&one.0).then(one.1.cmp(&other.1));
    let (mut rest, mut left) = (losses, left);
    while left > 0 && rest.len() > 16 {
        let middle = rest.len() / 2;
        rest.select_nth_unstable_by(middle, before);
        let (first, others) = rest.split_at_mut(middle);
        let enough: i64 = first.iter().map(|(_, place)| units(*place)).sum();
        if enough >= left {
            rest = first;
        } else {
            first.iter().for_each(|(_, place)| give(*place, units(*place)));
            left -= enough;
            rest = others;
        }
    }
    rest.sort_unstable_by(before);
    for (_, place) in rest {
        let extra = left.min(units(*place));
        if extra == 0 {
            return;
        }
        give(*place, extra);
        left -= extra;
    }
}

fn index(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

/// `amount · part / whole` rounded down, and the rest in units of which `whole` make one (scaled to
/// 64 bits where it is longer).
pub(crate) fn divide(amount: i64, part: i64, whole: i64) -> (i64, u64) {
    let (amount, part, whole) = (amount.unsigned_abs(), part.unsigned_abs(), whole.unsigned_abs());
    if let Some(product) = amount.checked_mul(part) {
        return (i64::try_from(product / whole).unwrap_or(i64::MAX), product % whole);
    }
    let (product, whole) = (u128::from(amount) * u128::from(part), u128::from(whole));
    (i64::try_from(product / whole).unwrap_or(i64::MAX), u64::try_from(product % whole).unwrap_or(u64::MAX))
}

impl Given {
    fn at_most(self, part: &Part) -> Self {
        if self.each >= part.room { Self { each: part.room, ..Self::default() } } else { self }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::document::SplitBy;

    fn sum(given: &[Given], parts: &[Part]) -> i64 {
        given.iter().zip(parts).map(|(given, part)| part.units * given.each + given.extra).sum()
    }

    const POLICIES: [Remainder; 6] =
        [Remainder::Nearest, Remainder::Largest, Remainder::First, Remainder::Last, Remainder::Dearest, Remainder::Cheapest];

    #[test]
    fn splits_by_hand() {
        let check = |amount: i64, parts: &[(i64, i64, i64)], remainder: Remainder, expected: &[(i64, i64)]| {
            let parts: Vec<Part> = parts.iter().map(|&(units, weight, room)| Part { units, weight, room }).collect();
            let given = split(amount, &parts, Split { remainder, ..Split::default() });
            let given: Vec<(i64, i64)> = given.iter().map(|given| (given.each, given.extra)).collect();
            assert_eq!(given, expected, "{amount} over {parts:?}");
        };
        check(100, &[(3, 10, 10)], Remainder::Largest, &[(10, 0)]);
        check(10, &[(3, 10, 10)], Remainder::Largest, &[(3, 1)]);
        check(10, &[(1, 333, 333), (1, 667, 667)], Remainder::Largest, &[(3, 0), (6, 1)]);
        // Three equal parts: the remainder goes where the policy says.
        let three = &[(1, 100, 100), (1, 100, 100), (1, 100, 100)];
        check(100, three, Remainder::First, &[(33, 1), (33, 0), (33, 0)]);
        check(100, three, Remainder::Last, &[(33, 0), (33, 0), (33, 1)]);
        // The first unit is at its floor: the second takes what it can't.
        check(100, &[(1, 500, 20), (1, 500, 500)], Remainder::Largest, &[(20, 0), (80, 0)]);
        // No room at all.
        check(100, &[(1, 500, 0)], Remainder::Largest, &[(0, 0)]);
        // Room without weight is taken last.
        check(30, &[(1, 10, 10), (2, 0, 50)], Remainder::Largest, &[(10, 0), (10, 0)]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn parts_sum_to_the_whole_and_stay_within_their_room(
            amount in 0_i64..5_000_000,
            parts in prop::collection::vec((1_i64..9, 0_i64..100_000, 0_i64..100_000), 1..12),
            remainder in prop::sample::select(&POLICIES[..]),
        ) {
            let parts: Vec<Part> = parts.into_iter().map(|(units, weight, room)| Part { units, weight, room }).collect();
            let room: i64 = parts.iter().map(|part| part.units * part.room).sum();
            let given = split(amount, &parts, Split { remainder, ..Split::default() });
            prop_assert_eq!(sum(&given, &parts), amount.min(room));
            for (given, part) in given.iter().zip(&parts) {
                prop_assert!((0..=part.units).contains(&given.extra));
                prop_assert!(given.each + i64::from(given.extra > 0) <= part.room);
            }
        }

        #[test]
        fn units_of_one_line_get_what_they_get_on_lines_of_their_own(
            amount in 0_i64..500_000,
            parts in prop::collection::vec((1_i64..9, 1_i64..100_000, 0_i64..100_000), 1..12),
            remainder in prop::sample::select(&POLICIES[..]),
        ) {
            let whole: Vec<Part> = parts.into_iter().map(|(units, weight, room)| Part { units, weight, room }).collect();
            let single: Vec<Part> = whole.iter().flat_map(|part| (0..part.units).map(|_| Part { units: 1, ..*part })).collect();
            let each = |given: &Given, part: &Part| -> Vec<i64> {
                given.ranges(part.units).iter().flat_map(|(units, each)| (0..*units).map(|_| *each)).collect()
            };
            let policy = Split { by: SplitBy::Unit, remainder, ..Split::default() };
            let one: Vec<i64> = split(amount, &whole, policy).iter().zip(&whole).flat_map(|(given, part)| each(given, part)).collect();
            let other: Vec<i64> = split(amount, &single, policy).iter().zip(&single).flat_map(|(given, part)| each(given, part)).collect();
            prop_assert_eq!(one, other);
        }
    }
}
