//! Which promotions a basket can concern at all: found by code, scope, customer group and time, not
//! by asking every promotion.

use youhui_commerce::Micros;

use super::Rule;
use super::names::{Dictionary, Facts, Numbers, UNKNOWN};
use crate::prelude::*;

/// What must be in a basket for a rule to have a chance.
pub(crate) enum Gate<'a> {
    Codes(&'a Numbers),
    Products(&'a Numbers),
    Categories(&'a Numbers),
    Brands(&'a Numbers),
    Shops(&'a Numbers),
    Groups(&'a Numbers),
    Open,
}

/// Rules by number of a name; rules with an open gate by time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Index {
    codes: Vec<Vec<u32>>,
    products: Vec<Vec<u32>>,
    categories: Vec<Vec<u32>>,
    brands: Vec<Vec<u32>>,
    shops: Vec<Vec<u32>>,
    groups: Vec<Vec<u32>>,
    open: Timeline,
}

impl Index {
    pub(crate) fn new(rules: &[Rule], names: &Dictionary) -> Self {
        let lists = |count: usize| vec![Vec::new(); count];
        let mut index = Self {
            codes: lists(names.codes.len()),
            products: lists(names.products.len()),
            categories: lists(names.categories.len()),
            brands: lists(names.brands.len()),
            shops: lists(names.shops.len()),
            groups: lists(names.groups.len()),
            open: Timeline::default(),
        };
        let mut open = Vec::new();
        for (number, rule) in (0_u32..).zip(rules) {
            let (lists, keys) = match rule.gate() {
                Gate::Codes(keys) => (&mut index.codes, keys),
                Gate::Products(keys) => (&mut index.products, keys),
                Gate::Categories(keys) => (&mut index.categories, keys),
                Gate::Brands(keys) => (&mut index.brands, keys),
                Gate::Shops(keys) => (&mut index.shops, keys),
                Gate::Groups(keys) => (&mut index.groups, keys),
                Gate::Open => {
                    open.push((rule.starts, rule.ends, number));
                    continue;
                }
            };
            keys.iter().for_each(|key| lists[key as usize].push(number));
        }
        index.open = Timeline::new(&open);
        index
    }

    /// The rules that have a chance, in their order.
    pub(crate) fn candidates(&self, facts: &Facts, at: Micros) -> Vec<u32> {
        let mut found = Vec::new();
        self.open.at(at, &mut found);
        let mut add = |lists: &[Vec<u32>], key: u32| {
            if key != UNKNOWN
                && let Some(rules) = lists.get(key as usize)
            {
                found.extend_from_slice(rules);
            }
        };
        for (line, of) in facts.lines.iter().enumerate() {
            add(&self.products, of.product);
            add(&self.brands, of.brand);
            add(&self.shops, of.shop);
            facts.categories_of(line).iter().for_each(|category| add(&self.categories, *category));
        }
        facts.codes.iter().for_each(|code| add(&self.codes, *code));
        facts.groups.iter().for_each(|group| add(&self.groups, *group));
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// Intervals of time, so that those which hold a moment are found without looking at the others: a
/// segment tree over their ends (Bentley 1977).
#[derive(Debug, Clone, Default)]
struct Timeline {
    /// Ends of intervals, sorted; node `n` of the tree covers a range of the gaps between them.
    ends: Vec<Micros>,
    nodes: Vec<Vec<u32>>,
}

impl Timeline {
    fn new(intervals: &[(Micros, Micros, u32)]) -> Self {
        let mut ends: Vec<Micros> = intervals.iter().flat_map(|(start, end, _)| [*start, *end]).collect();
        ends.sort_unstable();
        ends.dedup();
        let leaves = ends.len().next_power_of_two().max(1);
        let mut timeline = Self { nodes: vec![Vec::new(); 2 * leaves], ends };
        for (start, end, rule) in intervals {
            let place = |moment: &Micros| timeline.ends.partition_point(|other| other < moment);
            // Gap k is from end k to end k + 1.
            let (mut from, mut to) = (place(start) + leaves, place(end) + leaves);
            while from < to {
                if from % 2 == 1 {
                    timeline.nodes[from].push(*rule);
                    from += 1;
                }
                if to % 2 == 1 {
                    to -= 1;
                    timeline.nodes[to].push(*rule);
                }
                from /= 2;
                to /= 2;
            }
        }
        timeline
    }

    fn at(&self, moment: Micros, found: &mut Vec<u32>) {
        let after = self.ends.partition_point(|end| *end <= moment);
        let Some(gap) = after.checked_sub(1) else { return };
        let mut node = gap + self.nodes.len() / 2;
        while node > 0 {
            if let Some(rules) = self.nodes.get(node) {
                found.extend_from_slice(rules);
            }
            node /= 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_timeline_finds_what_a_scan_finds(
            intervals in prop::collection::vec((-50_i64..50, 1_i64..40), 0..60),
            moments in prop::collection::vec(-60_i64..100, 1..20),
        ) {
            let intervals: Vec<(i64, i64, u32)> = (0_u32..).zip(intervals).map(|(rule, (start, length))| (start, start + length, rule)).collect();
            let timeline = Timeline::new(&intervals);
            for moment in moments {
                let mut found = Vec::new();
                timeline.at(moment, &mut found);
                found.sort_unstable();
                let scanned: Vec<u32> = intervals.iter().filter(|(start, end, _)| (*start..*end).contains(&moment)).map(|(_, _, rule)| *rule).collect();
                prop_assert_eq!(found, scanned);
            }
        }
    }
}
