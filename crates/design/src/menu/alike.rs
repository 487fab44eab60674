//! Candidates that are nearly the same to the same customers are one.

use super::{MenuItem, Worth};

/// For each item the items that it stands for; those stand for nothing, and are marked by `None`.
/// Of what is alike, the one that is worth most stands for the others.
pub(super) fn merged(items: &[MenuItem], alike: f64) -> Vec<Option<Vec<usize>>> {
    let total = |item: &MenuItem| item.worth.iter().map(|worth| worth.value.max(0.0)).sum::<f64>();
    let mut order: Vec<(usize, f64)> = items.iter().enumerate().map(|(place, item)| (place, total(item))).collect();
    order.sort_by(|one, two| two.1.total_cmp(&one.1).then(one.0.cmp(&two.0)));
    let mut merged: Vec<Option<Vec<usize>>> = vec![None; items.len()];
    for (place, _) in order {
        let same = |other: &usize| items[*other].mechanic == items[place].mechanic && are_alike(&items[*other], &items[place], alike);
        let standing = (0..items.len()).filter(|other| merged[*other].is_some()).find(same);
        match standing.and_then(|standing| merged[standing].as_mut()) {
            Some(stands_for) => stands_for.push(place),
            None => merged[place] = Some(vec![]),
        }
    }
    merged.iter_mut().flatten().for_each(|stands_for| stands_for.sort_unstable());
    merged
}

/// Whether values and costs differ by at most a share of their size, summed over both audiences.
fn are_alike(one: &MenuItem, two: &MenuItem, share: f64) -> bool {
    // The sums alone tell most pairs apart, without looking at customers.
    let sums = |item: &MenuItem| item.worth.iter().fold([0.0; 2], |sum, worth| [sum[0] + worth.value, sum[1] + size(worth)]);
    let ([value, size_one], [other, size_two]) = (sums(one), sums(two));
    if (value - other).abs() > share * (size_one + size_two) {
        return false;
    }
    let (mut left, mut right) = (one.worth.iter().peekable(), two.worth.iter().peekable());
    let (mut apart, mut whole) = (0.0, 0.0);
    loop {
        let (a, b) = match (left.peek(), right.peek()) {
            (None, None) => break,
            (Some(a), Some(b)) if a.customer == b.customer => (left.next(), right.next()),
            (Some(a), Some(b)) if a.customer < b.customer => (left.next(), None),
            (Some(_), None) => (left.next(), None),
            (_, Some(_)) => (None, right.next()),
        };
        let (a, b) = (a.map_or((0.0, 0.0), pair), b.map_or((0.0, 0.0), pair));
        apart += (a.0 - b.0).abs() + (a.1 - b.1).abs();
        whole += a.0.abs().max(b.0.abs()) + a.1.abs().max(b.1.abs());
    }
    apart <= share * whole
}

fn pair(worth: &Worth) -> (f64, f64) {
    (worth.value, worth.cost)
}

fn size(worth: &Worth) -> f64 {
    worth.value.abs() + worth.cost.abs()
}
