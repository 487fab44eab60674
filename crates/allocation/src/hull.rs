//! One budget: the exact price of money by the upper hull and selection.
//!
//! Of a customer's offers only those on the upper hull of (cost, value) are ever best at some price of
//! money. The steps up the hulls, by falling value per cost, use up the budget; the step that doesn't
//! fit whole sets the price, and is the one fraction of a customer in the optimal fractional plan
//! (Sinha and Zoltners 1979; Dyer 1984 and Zemel 1984 for selection in place of sorting). Linear time.

use crate::candidates::Candidates;
use crate::moves::Current;
use crate::offers::Row;

/// A step from one offer of a customer to the next dearer one on its hull.
#[derive(Debug, Clone, Copy)]
struct Step {
    /// Value per cost.
    rate: f64,
    cost: i64,
    at: u32,
    /// Place of the offer that it leads to.
    to: u32,
}

/// The price of money, and the choices just below the budget.
#[derive(Debug)]
pub(crate) struct Priced {
    pub(crate) price: f64,
    pub(crate) current: Current,
}

/// The optimal price of money for a budget that is left for these customers.
pub(crate) fn price(open: &Candidates, budget: i64) -> Priced {
    let mut steps = Vec::new();
    let mut current = Current { places: Vec::with_capacity(open.len()) };
    let mut left = budget;
    for at in 0..open.len() {
        let hull = upper_hull(open.rows(at));
        let (first, row) = hull[0];
        current.places.push(first.into_iter().collect());
        left -= i64::from(row.cost);
        for pair in hull.windows(2) {
            let ((_, from), (to, row)) = (pair[0], pair[1]);
            let cost = i64::from(row.cost) - i64::from(from.cost);
            let value = i64::from(row.value) - i64::from(from.value);
            steps.push(Step { rate: value as f64 / cost as f64, cost, at: index(at), to: to.unwrap_or(NONE) });
        }
    }
    let taken = select(&mut steps, left);
    let price = steps.get(taken).map_or(0.0, |step| step.rate.max(0.0));
    // A customer's steps stand in the order of its hull: the dearest one taken counts.
    let mut dearest: Vec<Option<(f64, u32)>> = vec![None; open.len()];
    for step in &steps[..taken] {
        let held = &mut dearest[step.at as usize];
        if held.is_none_or(|(rate, _)| step.rate < rate) {
            *held = Some((step.rate, step.to));
        }
    }
    for (places, step) in current.places.iter_mut().zip(dearest) {
        if let Some((_, to)) = step {
            *places = if to == NONE { Vec::new() } else { vec![to] };
        }
    }
    Priced { price, current }
}

/// The place of "nothing" on a hull.
const NONE: u32 = u32::MAX;

/// Partly sorts the steps so that the best ones that fit stand first, and says how many they are.
/// Quickselect by sums of costs.
fn select(steps: &mut [Step], budget: i64) -> usize {
    let order = |one: &Step, two: &Step| two.rate.total_cmp(&one.rate).then(one.at.cmp(&two.at)).then(one.cost.cmp(&two.cost));
    // Steps that cost money and bring nothing are never taken.
    let mut end = partition(steps, |step| step.rate > 0.0);
    let (mut from, mut left) = (0, budget);
    while from < end {
        let middle = from + (end - from) / 2;
        if end - from <= 32 {
            steps[from..end].sort_unstable_by(order);
            while from < end && steps[from].cost <= left {
                left -= steps[from].cost;
                from += 1;
            }
            return from;
        }
        steps[from..end].select_nth_unstable_by(middle - from, order);
        let cost: i64 = steps[from..middle].iter().map(|step| step.cost).sum();
        if cost <= left {
            (left, from) = (left - cost, middle);
        } else {
            end = middle;
        }
    }
    from
}

fn partition(steps: &mut [Step], first: impl Fn(&Step) -> bool) -> usize {
    let mut end = 0;
    for place in 0..steps.len() {
        if first(&steps[place]) {
            steps.swap(place, end);
            end += 1;
        }
    }
    end
}

/// The offers, and nothing, that are best at some price of money from infinite down: cheapest first.
pub(crate) fn upper_hull(rows: &[Row]) -> Vec<(Option<u32>, Row)> {
    let nothing = (None, Row { promotion: NONE, value: 0, cost: 0 });
    let mut points: Vec<(Option<u32>, Row)> = (0..).zip(rows).map(|(place, row)| (Some(place), *row)).chain([nothing]).collect();
    points.sort_unstable_by(|one, two| one.1.cost.cmp(&two.1.cost).then(two.1.value.cmp(&one.1.value)).then(one.0.cmp(&two.0)));
    let mut hull: Vec<(Option<u32>, Row)> = Vec::with_capacity(points.len());
    for point in points {
        if hull.last().is_some_and(|last| point.1.value <= last.1.value) {
            continue;
        }
        while hull.len() >= 2 && !bends_down(hull[hull.len() - 2].1, hull[hull.len() - 1].1, point.1) {
            hull.pop();
        }
        hull.push(point);
    }
    hull
}

/// Whether the way a → b → c bends down at b.
fn bends_down(a: Row, b: Row, c: Row) -> bool {
    let difference = |to: i32, from: i32| i128::from(i64::from(to) - i64::from(from));
    difference(b.value, a.value) * difference(c.cost, b.cost) > difference(c.value, b.value) * difference(b.cost, a.cost)
}

fn index(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}
