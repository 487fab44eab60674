mod peers;

use rayon::prelude::*;
use youhui_commerce::Draw;

use super::*;
use crate::experiment::{Adjust, Better, Guarded};
use crate::money::{Arm, Causal};

/// Groups of known truth: effect on the benefit, share offered, discount depth, price of a unit.
#[derive(Clone)]
struct Town {
    effects: Vec<f64>,
    offered: Vec<f64>,
    depth: Vec<f64>,
    price: Vec<f64>,
    sizes: Vec<usize>,
}

fn alike(groups: usize, size: usize) -> Town {
    Town {
        effects: vec![1.0; groups],
        offered: vec![0.5; groups],
        depth: vec![0.2; groups],
        price: vec![8.0; groups],
        sizes: vec![size; groups],
    }
}

fn unlike() -> Town {
    Town {
        effects: vec![1.5, 0.5, -0.5, 1.0],
        offered: vec![0.6, 0.4, 0.5, 0.3],
        depth: vec![0.2, 0.25, 0.15, 0.2],
        price: vec![8.0, 7.5, 9.0, 8.0],
        sizes: vec![600, 500, 300, 400],
    }
}

impl Town {
    fn plan(&self) -> GroupPlan {
        let groups = (0..self.effects.len()).map(|group| format!("region {group}")).collect();
        GroupPlan {
            currency: "EUR".parse().unwrap(),
            groups,
            benefit_unit: "visits".to_owned(),
            bought: "unit".to_owned(),
            share_treated: 0.5,
            minimum: 30,
        }
    }

    fn people(&self, draw: &mut Draw) -> Vec<Person> {
        let groups = self.sizes.iter().enumerate().flat_map(|(group, &size)| vec![group; size]);
        groups.map(|group| self.person(draw, group)).collect()
    }

    fn person(&self, draw: &mut Draw, group: usize) -> Person {
        let treated = draw.uniform() < 0.5;
        let offered = treated && draw.uniform() < self.offered[group];
        let keen = draw.normal();
        let units = 1 + draw.below(4);
        // Listed at 10.00 on the mean; depth and price vary by customer around the group's.
        let list = (100.0 * units as f64 * self.price[group] / (1.0 - self.depth[group]) * (0.8 + 0.4 * draw.uniform())).round();
        let discount = (list * self.depth[group] * (0.5 + draw.uniform())).round();
        let effect = if treated { self.effects[group] } else { 0.0 };
        Person {
            group: Some(u32::try_from(group).unwrap()),
            arm: if treated { Arm::Treated } else { Arm::HeldOut },
            offered,
            list: list as i64,
            discount: discount as i64,
            units: u32::try_from(units).unwrap(),
            cost: i64::from(treated) * (5 + 200 * i64::from(offered)),
            benefit: 4.0 + group as f64 + 2.0 * keen + 1.5 * draw.normal() + effect,
            before: 3.0 + 2.0 * keen + draw.normal(),
        }
    }

    fn ledger(&self, draw: &mut Draw) -> GroupLedger {
        let mut ledger = GroupLedger::new(self.plan()).unwrap();
        ledger.add(&self.people(draw)).unwrap();
        ledger
    }
}

fn shares<const K: usize>(seeds: u64, holds: impl Fn(Draw) -> [bool; K] + Sync) -> [f64; K] {
    let all: Vec<[bool; K]> = (0..seeds).into_par_iter().map(|seed| holds(Draw::seeded(seed).fork("fairness"))).collect();
    std::array::from_fn(|place| all.iter().filter(|one| one[place]).count() as f64 / seeds as f64)
}

fn contains(gap: Gap, truth: f64) -> bool {
    (gap.low..=gap.high).contains(&truth)
}

fn usual() -> FairnessSettings {
    FairnessSettings::default()
}

#[test]
fn gaps_between_two_groups_cover_at_their_level() {
    let town =
        Town { offered: vec![0.6, 0.45], depth: vec![0.2, 0.26], price: vec![8.0, 7.0], effects: vec![1.5, 0.5], sizes: vec![700, 500] };
    let covered = shares(400, |mut draw| {
        let ledger = town.ledger(&mut draw);
        let of = |metric| parity(&ledger, metric, usual()).unwrap();
        let (offered, price) = (of(ParityMetric::Offered), of(ParityMetric::PricePaid));
        [
            contains(offered.difference, 0.15),
            contains(offered.ratio.unwrap(), 0.75),
            contains(of(ParityMetric::DiscountDepth).difference, 0.06),
            contains(price.difference, 1.0),
            contains(of(ParityMetric::Cost).difference, 0.3),
            contains(group_effects(&ledger, usual()).unwrap().parity.difference, 1.0),
            (offered.groups[0].low..=offered.groups[0].high).contains(&0.6),
            price.best == "region 1" && price.worst == "region 0",
        ]
    });
    let names = ["share offered", "its ratio", "discount depth", "price paid", "cost", "benefit", "a group's share"];
    for (name, covered) in names.iter().zip(covered) {
        println!("two groups, {name}: {:.1} % cover", 100.0 * covered);
        assert!((0.925..=0.98).contains(&covered), "{name}: {covered}");
    }
    assert!(covered[7] > 0.99, "{}", covered[7]);
}

#[test]
fn slow_gaps_between_four_groups_cover_whichever_is_picked() {
    let town = unlike();
    let covered = shares(400, |mut draw| {
        let ledger = town.ledger(&mut draw);
        let offered = parity(&ledger, ParityMetric::Offered, usual()).unwrap();
        let benefit = group_effects(&ledger, usual()).unwrap().parity;
        let to_best =
            |parity: &Parity, truth: &[f64]| parity.groups.iter().zip(truth).all(|(group, truth)| contains(group.to_best, *truth));
        [
            contains(offered.difference, 0.3),
            contains(offered.ratio.unwrap(), 0.5),
            to_best(&offered, &[0.0, 0.2, 0.1, 0.3]),
            contains(benefit.difference, 2.0),
            to_best(&benefit, &[0.0, 1.0, 2.0, 0.5]),
            benefit.worst == "region 2",
        ]
    });
    println!("four groups: {covered:.3?}");
    assert!(covered[..5].iter().all(|&covered| covered >= 0.94), "{covered:?}");
}

#[test]
fn slow_equal_groups_have_a_gap_whose_interval_starts_at_0_and_equality_is_rejected_at_its_level() {
    let town = alike(5, 300);
    let found = shares(2_000, |mut draw| {
        let ledger = town.ledger(&mut draw);
        let offered = parity(&ledger, ParityMetric::Offered, usual()).unwrap();
        let effects = group_effects(&ledger, usual()).unwrap();
        let naive = {
            let (best, worst) = (&offered.groups, offered.difference.value);
            let spread = best.iter().map(|group| group.std_error).fold(0.0, f64::max) * std::f64::consts::SQRT_2;
            worst > 1.96 * spread
        };
        [
            offered.difference.low > 0.0,
            effects.parity.difference.low > 0.0,
            offered.equality_p.unwrap() < 0.05,
            effects.breakdown.heterogeneity_p < 0.05,
            offered.groups.iter().any(|group| group.adjusted_p < 0.05),
            effects.parity.groups.iter().any(|group| group.adjusted_p < 0.05),
            naive,
        ]
    });
    println!("five equal groups, false alarms: {found:.3?}");
    assert!(found[0] < 0.065 && found[1] < 0.065 && found[4] < 0.065 && found[5] < 0.065, "{found:?}");
    assert!((0.03..=0.075).contains(&found[2]) && (0.03..=0.075).contains(&found[3]), "{found:?}");
    assert!(found[6] > 0.1, "the largest of ten gaps tested as if it were one: {}", found[6]);
}

#[test]
fn slow_effects_of_no_group_are_seldom_found_and_those_that_are_there_mostly() {
    let none = Town { effects: vec![0.0; 6], ..alike(6, 200) };
    let any = |mut draw: Draw, adjust: Adjust| {
        let found = group_effects(&none.ledger(&mut draw), FairnessSettings { adjust, ..usual() }).unwrap().breakdown;
        found.effects.iter().any(|effect| effect.adjusted_p.unwrap() < 0.05)
    };
    let found = shares(1_000, |draw| [any(draw.clone(), Adjust::Holm), any(draw, Adjust::BenjaminiHochberg)]);
    println!("six groups without an effect, any found: Holm {:.1} %, Benjamini–Hochberg {:.1} %", 100.0 * found[0], 100.0 * found[1]);
    assert!(found[0] < 0.065 && found[1] < 0.065, "{found:?}");
    let there = shares(200, |mut draw| {
        let found = group_effects(&unlike().ledger(&mut draw), usual()).unwrap();
        [found.breakdown.heterogeneity_p < 0.05, found.breakdown.effects[0].adjusted_p.unwrap() < 0.05]
    });
    println!("effects that differ: found {:.1} %, of the first group {:.1} %", 100.0 * there[0], 100.0 * there[1]);
    assert!(there[0] > 0.9 && there[1] > 0.9, "{there:?}");
}

#[test]
fn cuped_narrows_effects_by_group() {
    let ledger = unlike().ledger(&mut Draw::seeded(3));
    let of = |cuped| group_effects(&ledger, FairnessSettings { cuped, ..usual() }).unwrap().parity.groups[0].std_error;
    // ρ² of benefit and before: (4/√(6.25·5))² = .512.
    let reduction = 1.0 - (of(true) / of(false)).powi(2);
    assert!((reduction - 0.512).abs() < 0.12, "{reduction}");
}

#[test]
fn harm_is_called_where_it_is_and_seldom_where_it_is_not() {
    let harmed = Town { effects: vec![1.0, 1.0, -1.2, 0.0], sizes: vec![800; 4], ..unlike() };
    let found = shares(400, |mut draw| {
        let found = harm(&harmed.ledger(&mut draw), 0.0, usual()).unwrap();
        // One group of four is harmed.
        [
            found.groups[2].guarded == Guarded::Broken && found.warning.is_some(),
            found.groups[..2].iter().chain(&found.groups[3..]).any(|group| group.guarded == Guarded::Broken),
            (found.share_harmed..=found.share_at_most).contains(&0.25),
        ]
    });
    println!("harm: found {:.1} %, called wrongly {:.1} %, share covered {:.1} %", 100.0 * found[0], 100.0 * found[1], 100.0 * found[2]);
    assert!(found[0] > 0.95 && found[1] < 0.04 && found[2] > 0.94, "{found:?}");
    let none = Town { effects: vec![0.0; 6], ..alike(6, 200) };
    let alarms = shares(1_000, |mut draw| [harm(&none.ledger(&mut draw), 0.0, usual()).unwrap().warning.is_some()]);
    println!("harm of any of six groups where there is none: {:.1} %", 100.0 * alarms[0]);
    assert!(alarms[0] < 0.04, "{}", alarms[0]);
    let one = harm(&harmed.ledger(&mut Draw::seeded(4)), 0.0, usual()).unwrap();
    let text = &one.warning.as_ref().unwrap().message;
    assert!(text.contains("region 2 (-") && text.contains("hides it") && one.causal == Causal::Randomised, "{text}");
    // With a wide margin nobody is harmed.
    let wide = harm(&harmed.ledger(&mut Draw::seeded(4)), 5.0, usual()).unwrap();
    assert!(wide.share_at_most == 0.0 && wide.warning.is_none());
}

#[test]
fn small_groups_are_suppressed_and_named() {
    let town = Town { sizes: vec![600, 500, 20, 400], ..unlike() };
    let ledger = town.ledger(&mut Draw::seeded(2));
    for metric in ParityMetric::ALL {
        let found = parity(&ledger, metric, usual()).unwrap();
        assert!(found.groups.len() == 3 && found.suppressed.len() == 1 && found.suppressed[0].group == "region 2");
        assert!(found.suppressed[0].reason.contains("fewer than 30 customers") && found.best != "region 2" && found.worst != "region 2");
    }
    assert_eq!(group_effects(&ledger, usual()).unwrap().suppressed.len(), 1);
    assert_eq!(harm(&ledger, 0.0, usual()).unwrap().suppressed.len(), 1);
    // A group in which nothing happens is named too.
    let mut people = unlike().people(&mut Draw::seeded(2));
    people.iter_mut().filter(|person| person.group == Some(1)).for_each(|person| person.benefit = 0.0);
    let mut ledger = GroupLedger::new(unlike().plan()).unwrap();
    ledger.add(&people).unwrap();
    let found = group_effects(&ledger, usual()).unwrap();
    assert!(found.parity.groups.len() == 3 && found.suppressed[0].reason.contains("same value for every unit"), "{:?}", found.suppressed);
    assert_eq!(harm(&ledger, 0.0, usual()).unwrap().suppressed[0].group, "region 1");
}

#[test]
fn a_group_that_is_offered_nothing_has_an_interval_and_no_ratio() {
    let town = Town { offered: vec![0.5, 0.0], ..alike(2, 200) };
    let found = parity(&town.ledger(&mut Draw::seeded(1)), ParityMetric::Offered, usual()).unwrap();
    assert!(found.groups[1].value == 0.0 && found.groups[1].std_error > 0.0 && found.difference.low > 0.3);
    assert!(found.ratio.is_none() && found.ratio_note.unwrap().contains("not distinguishable from 0"));
    assert!(found.causal == Causal::NotCausal && found.better == Better::Higher && found.unit == "share of treated customers");
}

#[test]
fn batches_merge_and_threads_change_no_bit() {
    let people = unlike().people(&mut Draw::seeded(7));
    // Batches end at each cut.
    let ledger = |cuts: &[usize]| {
        let mut ledger = GroupLedger::new(unlike().plan()).unwrap();
        cuts.windows(2).for_each(|cut| ledger.add(&people[cut[0]..cut[1]]).unwrap());
        ledger
    };
    let mut merged = ledger(&[0, 100, 900]);
    merged.merge(&ledger(&[900, people.len()])).unwrap();
    let whole = ledger(&[0, people.len()]);
    let of = |ledger: &GroupLedger| group_effects(ledger, usual()).unwrap().parity.difference;
    let (one, two) = (of(&whole), of(&merged));
    assert!((one.low - two.low).abs() < 1e-9 && (one.high - two.high).abs() < 1e-9, "{one:?} {two:?}");
    let in_threads = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| serde_json::to_string(&group_effects(&whole, usual()).unwrap()).unwrap())
    };
    assert_eq!(in_threads(1), in_threads(3));
}

#[test]
fn a_lot_that_goes_wrong_in_one_group_is_said() {
    let alarms = shares(2_000, |mut draw| [!alike(4, 200).ledger(&mut draw).warnings().unwrap().is_empty()]);
    println!("sample-ratio alarms without a fault: {:.2} %", 100.0 * alarms[0]);
    assert!(alarms[0] < 0.006, "{}", alarms[0]);
    let mut people = alike(4, 400).people(&mut Draw::seeded(1));
    let mut seen = 0;
    people.retain(|person| {
        let lost = person.group == Some(2) && person.arm == Arm::Treated && seen < 90;
        seen += usize::from(lost);
        !lost
    });
    let mut ledger = GroupLedger::new(alike(4, 400).plan()).unwrap();
    ledger.add(&people).unwrap();
    let warnings = ledger.warnings().unwrap();
    assert!(warnings.iter().any(|warning| warning.message.starts_with("region 2: units by arm")), "{warnings:?}");
}

#[test]
fn bad_input_is_refused_with_its_consequence() {
    let says = |error: FairnessError, what: &[&str]| {
        let text = error.to_string();
        what.iter().for_each(|what| assert!(text.contains(what), "{text}"));
    };
    let plan = alike(2, 1).plan();
    let with = |change: &dyn Fn(&mut GroupPlan)| {
        let mut plan = plan.clone();
        change(&mut plan);
        GroupLedger::new(plan).unwrap_err()
    };
    says(with(&|plan| plan.groups.truncate(1)), &["1 group(s)", "a gap needs two"]);
    says(with(&|plan| plan.groups[1] = plan.groups[0].clone()), &["declared twice"]);
    says(with(&|plan| plan.share_treated = -0.5), &["share treated: -0.5"]);
    says(with(&|plan| plan.minimum = 1), &["a group of one has no variance"]);
    let mut ledger = GroupLedger::new(plan).unwrap();
    let mut people = alike(2, 3).people(&mut Draw::seeded(1));
    ledger.add(&people).unwrap();
    let before = ledger.clone();
    let sound = people[2];
    let mut broken = |change: &dyn Fn(&mut Person)| {
        people[2] = sound;
        change(&mut people[2]);
        let error = ledger.add(&people).unwrap_err();
        assert_eq!(ledger, before);
        error
    };
    says(broken(&|person| person.group = None), &["row 8: no group", "\"unknown\" as a group"]);
    says(broken(&|person| person.group = Some(2)), &["row 8: group 2 is not below the 2 declared"]);
    says(broken(&|person| person.benefit = f64::NAN), &["row 8, benefit: NaN", "every gap"]);
    says(broken(&|person| person.before = f64::INFINITY), &["row 8, before: inf"]);
    says(broken(&|person| person.cost = i64::MAX), &["row 8, cost", "beyond 2⁵³"]);
    says(broken(&|person| (person.list, person.discount) = (i64::MIN, 1)), &["row 8, list price"]);
    // A return takes away what it would offset, and nothing else.
    let mut returned = alike(2, 300).people(&mut Draw::seeded(1));
    returned[7].discount = returned[7].list + 1;
    let mut with_return = GroupLedger::new(alike(2, 300).plan()).unwrap();
    with_return.add(&returned).unwrap();
    says(parity(&with_return, ParityMetric::PricePaid, usual()).unwrap_err(), &["row 7, price paid: -1", "hide a gap"]);
    assert!(parity(&with_return, ParityMetric::Cost, usual()).is_ok() && group_effects(&with_return, usual()).is_ok());

    says(parity(&ledger, ParityMetric::Offered, usual()).unwrap_err(), &["0 group(s) of which something can be said, of 2 declared"]);
    let mut held = alike(2, 200).people(&mut Draw::seeded(1));
    held.iter_mut().for_each(|person| person.arm = Arm::HeldOut);
    let mut ledger = GroupLedger::new(alike(2, 1).plan()).unwrap();
    ledger.add(&held).unwrap();
    says(group_effects(&ledger, usual()).unwrap_err(), &["treated: 0 unit(s)"]);
    let ledger = alike(2, 300).ledger(&mut Draw::seeded(1));
    says(parity(&ledger, ParityMetric::Offered, FairnessSettings { level: 0.0, ..usual() }).unwrap_err(), &["level: 0"]);
    says(harm(&ledger, -1.0, usual()).unwrap_err(), &["margin: -1", "count as harmed"]);
    let mut other = alike(3, 300).ledger(&mut Draw::seeded(1));
    says(other.merge(&ledger).unwrap_err(), &["different plans"]);
    // Nobody of a group bought anything: no price.
    let mut people = alike(2, 300).people(&mut Draw::seeded(1));
    people.iter_mut().filter(|person| person.group == Some(1)).for_each(|person| (person.list, person.discount, person.units) = (0, 0, 0));
    let mut ledger = GroupLedger::new(alike(2, 1).plan()).unwrap();
    ledger.add(&people).unwrap();
    says(
        parity(&ledger, ParityMetric::PricePaid, usual()).unwrap_err(),
        &["price paid: the denominator's mean is 0 in treated customers of region 1"],
    );
}
