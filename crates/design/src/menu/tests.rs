use proptest::prelude::*;

use super::*;

fn item(mechanic: &str, worth: &[(usize, f64, f64)]) -> MenuItem {
    let worth = worth.iter().map(|&(customer, value, cost)| Worth { customer, value, cost }).collect();
    MenuItem { mechanic: mechanic.to_owned(), worth }
}

/// Every set of at most `most` items.
fn menus(items: usize, most: usize) -> impl Iterator<Item = Vec<usize>> {
    (0..1_u32 << items)
        .filter(move |set| set.count_ones() as usize <= most)
        .map(move |set| (0..items).filter(|item| set >> item & 1 == 1).collect())
}

/// The most that a set's customers can bring within a budget, by trying everything.
fn optimum(items: &[MenuItem], set: &[usize], customers: usize, budget: f64) -> f64 {
    let options = |customer: usize| -> Vec<(f64, f64)> {
        let of = |item: &usize| items[*item].worth.iter().find(|worth| worth.customer == customer).map(|worth| (worth.value, worth.cost));
        set.iter().filter_map(of).chain([(0.0, 0.0)]).collect()
    };
    let mut plans = vec![(0.0, 0.0)];
    for customer in 0..customers {
        plans =
            plans.iter().flat_map(|plan| options(customer).into_iter().map(move |(value, cost)| (plan.0 + value, plan.1 + cost))).collect();
    }
    plans.into_iter().filter(|(_, cost)| *cost <= budget + 1e-9).map(|(value, _)| value).fold(0.0, f64::max)
}

/// Up to seven items for up to five customers.
fn instance() -> impl Strategy<Value = (Vec<MenuItem>, usize)> {
    let worth = prop::collection::vec((0_usize..5, -4.0_f64..8.0, -0.5_f64..3.0), 0..6);
    (prop::collection::vec((0_usize..2, worth), 1..7), 1_usize..4).prop_map(|(items, most)| {
        let mechanics = ["percent_off", "gift"];
        (items.iter().map(|(mechanic, worth)| item(mechanics[*mechanic], worth)).collect(), most)
    })
}

const FREE: f64 = f64::INFINITY;

proptest! {
    #[test]
    fn greedy_reaches_its_share_and_no_menu_beats_the_bound((items, most) in instance(), alike in prop::sample::select(vec![0.0, 0.3])) {
        let menu = choose_menu(&items, 5, &MenuTerms { most, budget: None, alike });
        let (items, _) = cleaned(&items, 5);
        let best = menus(items.len(), most).map(|set| optimum(&items, &set, 5, FREE)).fold(0.0, f64::max);
        prop_assert!(menu.upper_bound >= best - 1e-9, "{} {best}", menu.upper_bound);
        prop_assert!(menu.value <= best + 1e-9);
        prop_assert!(menu.chosen.len() <= most);
        if alike == 0.0 {
            prop_assert!(menu.value >= A_PRIORI * best - 1e-9);
            prop_assert!(menu.reaches() >= A_PRIORI - 1e-9);
        }
        let set: Vec<usize> = menu.chosen.iter().map(|choice| choice.candidate).collect();
        prop_assert!((optimum(&items, &set, 5, FREE) - menu.value).abs() < 1e-9, "the value is that of the best plan");
        for choice in &menu.chosen {
            let others: Vec<usize> = set.iter().copied().filter(|item| *item != choice.candidate).collect();
            prop_assert!((menu.value - optimum(&items, &others, 5, FREE) - choice.adds).abs() < 1e-9, "what it adds is what is lost without it");
        }
    }

    #[test]
    fn the_budget_is_kept_and_no_menu_beats_the_bound((items, most) in instance(), budget in 0.0_f64..8.0) {
        let menu = choose_menu(&items, 5, &MenuTerms { most, budget: Some(budget), alike: 0.0 });
        let (items, _) = cleaned(&items, 5);
        let best = menus(items.len(), most).map(|set| optimum(&items, &set, 5, budget)).fold(0.0, f64::max);
        prop_assert!(menu.cost <= budget);
        prop_assert!(menu.value <= best + 1e-9);
        prop_assert!(menu.upper_bound >= best - 1e-9, "{} {best}", menu.upper_bound);
    }

    #[test]
    fn the_same_input_gives_the_same_menu((items, most) in instance()) {
        let terms = MenuTerms { most, budget: Some(3.0), alike: 0.1 };
        let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap().install(|| choose_menu(&items, 5, &terms));
        prop_assert_eq!(one, choose_menu(&items, 5, &terms));
    }
}

#[test]
fn what_complements_is_chosen_before_what_repeats() {
    // The second is worth most after the first by itself, and nothing beside it.
    let items = [
        item("percent_off", &[(0, 9.0, 1.0), (1, 9.0, 1.0)]),
        item("gift", &[(0, 8.0, 1.0), (1, 8.0, 1.0)]),
        item("coupon", &[(2, 1.0, 1.0)]),
    ];
    let menu = choose_menu(&items, 3, &MenuTerms { most: 2, ..MenuTerms::default() });
    assert_eq!(menu.chosen.iter().map(|choice| choice.candidate).collect::<Vec<_>>(), [0, 2]);
    assert_eq!((menu.value, menu.upper_bound, menu.reaches()), (19.0, 19.0, 1.0));
    let words = menu.chosen[0].explain(|amount| format!("${amount:.2}"));
    assert_eq!(
        words,
        "adds $18.00 to what the others are worth: it is the best for 2 customers, for 2 of whom nothing else on the menu is worth giving"
    );
}

#[test]
fn what_is_alike_is_one() {
    let wide: Vec<(usize, f64, f64)> = (0..100).map(|customer| (customer, 1.0 + customer as f64 / 100.0, 0.5)).collect();
    let near: Vec<(usize, f64, f64)> = wide.iter().map(|&(customer, value, cost)| (customer, value * 1.01, cost)).collect();
    let items = [item("percent_off", &wide), item("percent_off", &near), item("gift", &wide)];
    let menu = choose_menu(&items, 100, &MenuTerms::default());
    assert_eq!((menu.chosen[0].candidate, menu.chosen[0].stands_for.as_slice()), (1, &[0][..]), "the one that is worth more");
    assert_eq!(menu.chosen.len(), 1, "the gift adds nothing");
}

#[test]
fn hostile_rows_are_left_out_and_counted() {
    let nothing = choose_menu(&[], 0, &MenuTerms::default());
    assert_eq!((nothing.value, nothing.upper_bound, nothing.chosen.len(), nothing.reaches()), (0.0, 0.0, 0, 1.0));
    let bad =
        [(0, f64::NAN, 1.0), (0, f64::INFINITY, 1.0), (0, 1.0, f64::NEG_INFINITY), (usize::MAX, 5.0, 1.0), (0, 2.0, 1.0), (0, 1.0, 0.0)];
    let menu = choose_menu(&[item("gift", &bad)], 1, &MenuTerms::default());
    assert_eq!((menu.value, menu.dropped), (2.0, 5));
    for budget in [f64::NAN, -1.0, 0.0, f64::NEG_INFINITY] {
        let menu = choose_menu(&[item("gift", &[(0, 2.0, 1.0)])], 1, &MenuTerms { budget: Some(budget), ..MenuTerms::default() });
        assert_eq!((menu.value, menu.cost), (0.0, 0.0), "{budget}");
    }
    let huge = choose_menu(&[item("gift", &[(0, 1e300, 1e300)])], 1, &MenuTerms { budget: Some(1.0), ..MenuTerms::default() });
    assert_eq!(huge.cost, 0.0);
    assert!(huge.upper_bound.is_finite());
    let none = choose_menu(&[item("gift", &[(0, 2.0, 1.0)])], 1, &MenuTerms { most: 0, ..MenuTerms::default() });
    assert!(none.chosen.is_empty());
}

#[test]
fn a_hundred_candidates_on_a_thousand_customers() {
    let mut draw = youhui_commerce::Draw::seeded(8);
    let items: Vec<MenuItem> = (0..100)
        .map(|_| {
            let taste = draw.uniform();
            let worth = (0..1000).map(|customer| (customer, 3.0 * draw.uniform() * (taste - draw.uniform()).abs() - 0.5, draw.uniform()));
            item("percent_off", &worth.collect::<Vec<_>>())
        })
        .collect();
    let menu = choose_menu(&items, 1000, &MenuTerms { budget: Some(150.0), ..MenuTerms::default() });
    assert_eq!(menu.chosen.len(), 8);
    assert!(menu.cost <= 150.0 && menu.cost > 145.0, "{}", menu.cost);
    assert!(menu.reaches() > 0.7, "{}", menu.reaches());
}
