//! What holds for every basket under every promotion.

use proptest::prelude::*;
use youhui_promotion::{
    Basket, Choice, Combine, Condition, Context, Detail, Each, Effect, Line, Priced, Promotion, Promotions, Reason, Target, Within,
    read_promotion,
};

use crate::arbitrary::{Shown, basket, promotions};

fn price(promotions: &[Promotion], basket: &Basket) -> Priced {
    Promotions::new(promotions.to_vec()).unwrap().price(basket, &Context::default()).unwrap()
}

/// What the customer gains.
fn benefit(priced: &Priced) -> i64 {
    let gifts: i64 = priced.gifts.iter().map(|gift| gift.quantity * gift.value).sum();
    priced.discount + priced.shipping_discount + priced.cashback + gifts
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(3_000), max_shrink_iters: 4_000, max_global_rejects: 1_000_000, ..ProptestConfig::default() })]

    #[test]
    fn parts_sum_to_the_whole(Shown(promotions) in promotions(0..7), Shown(basket) in basket(1..7)) {
        let priced = price(&promotions, &basket);
        prop_assert_eq!(priced.lines.iter().map(|line| line.subtotal).sum::<i64>(), priced.subtotal);
        prop_assert_eq!(priced.lines.iter().map(|line| line.discount).sum::<i64>(), priced.discount);
        let goods: i64 = priced.lines.iter().map(|line| line.total).sum();
        let added = if basket.prices_include_tax { 0 } else { priced.tax };
        prop_assert_eq!(goods + priced.shipping - priced.shipping_discount + added, priced.total);
        for line in &priced.lines {
            prop_assert_eq!(line.units.iter().map(|units| units.quantity).sum::<i64>(), line.quantity);
            prop_assert_eq!(line.units.iter().map(|units| units.quantity * units.unit_price).sum::<i64>(), line.total);
            prop_assert_eq!(line.subtotal - line.discount, line.total);
        }
        let mut taken = vec![0; priced.lines.len()];
        let mut off_shipping = 0;
        for applied in &priced.applied {
            prop_assert_eq!(applied.allocations.iter().map(|allocation| allocation.amount).sum::<i64>(), applied.amount);
            for allocation in &applied.allocations {
                let Target::Line(line) = allocation.path else { off_shipping += allocation.amount; continue };
                taken[line as usize] += allocation.amount;
                let units = applied.units.iter().filter(|share| share.line == line);
                prop_assert_eq!(units.map(|share| share.quantity * share.amount).sum::<i64>(), allocation.amount);
            }
            if !applied.shops.is_empty() {
                let goods: i64 = applied.allocations.iter().filter(|part| part.path != Target::Shipping).map(|part| part.amount).sum();
                prop_assert_eq!(applied.shops.iter().map(|share| share.amount).sum::<i64>(), goods);
            }
        }
        prop_assert_eq!(off_shipping, priced.shipping_discount);
        prop_assert_eq!(taken, priced.lines.iter().map(|line| line.discount).collect::<Vec<_>>());
    }

    #[test]
    fn no_unit_is_below_its_floor_and_no_total_below_zero(Shown(promotions) in promotions(0..7), Shown(basket) in basket(1..7)) {
        let priced = price(&promotions, &basket);
        prop_assert!(priced.total >= 0 && priced.discount >= 0 && (0..=priced.shipping).contains(&priced.shipping_discount));
        for (line, of) in priced.lines.iter().zip(&basket.lines) {
            for units in &line.units {
                prop_assert!((of.unit_price_floor..=of.unit_price).contains(&units.unit_price), "{:?}", line);
            }
        }
    }

    #[test]
    fn every_promotion_is_answered_for_once(Shown(promotions) in promotions(0..7), Shown(basket) in basket(1..5)) {
        let priced = price(&promotions, &basket);
        let mut said: Vec<&str> = priced.applied.iter().map(|applied| &*applied.promotion_id).collect();
        said.extend(priced.rejected.iter().filter_map(|rejected| rejected.promotion_id.as_deref()));
        said.sort_unstable();
        let mut all: Vec<&str> = promotions.iter().map(|promotion| &*promotion.promotion_id).collect();
        all.sort_unstable();
        prop_assert_eq!(said, all);
    }

    #[test]
    fn the_order_of_the_file_changes_nothing(Shown(promotions) in promotions(0..6), Shown(basket) in basket(1..5), turn in 0_usize..6) {
        let mut turned = promotions.clone();
        turned.rotate_left(turn % promotions.len().max(1));
        turned.reverse();
        prop_assert_eq!(price(&promotions, &basket), price(&turned, &basket));
    }

    #[test]
    fn what_does_not_apply_changes_nothing(Shown(promotions) in promotions(1..6), Shown(basket) in basket(1..5)) {
        let all = price(&promotions, &basket);
        let applies = |promotion: &&Promotion| all.applied.iter().any(|applied| applied.promotion_id == promotion.promotion_id);
        // One of a group, or one that excludes others, is not independent of them: to leave it out is another choice.
        let chooses = |promotion: &Promotion| {
            let stacking = &promotion.stacking;
            stacking.group.is_some() || !stacking.excludes.is_empty() || stacking.category.is_some() || stacking.combine != Combine::All
        };
        // What applies by itself may have been what another choice was worse for.
        let alone = |promotion: &Promotion| !price(&[promotion.clone()], &basket).applied.is_empty();
        let stays = |promotion: &&Promotion| applies(promotion) || chooses(promotion) || alone(promotion);
        let without: Vec<Promotion> = promotions.iter().filter(stays).cloned().collect();
        let fewer = price(&without, &basket);
        prop_assert_eq!(&all.lines, &fewer.lines);
        prop_assert_eq!(&all.applied, &fewer.applied);
        prop_assert_eq!(all.total, fewer.total);
    }

    #[test]
    fn splitting_a_line_into_units_changes_no_total(Shown(promotions) in promotions(0..6), Shown(basket) in basket(1..5)) {
        // What is said of lines is said of lines.
        let of_lines = |promotion: &Promotion| {
            let group = promotion.stacking.group.as_ref();
            group.is_some_and(|group| group.within == Within::Line) || promotion.each == Some(Each::Line)
        };
        prop_assume!(!promotions.iter().any(of_lines));
        let units = |line: &Line| (0..line.quantity).map(|unit| Line { line_id: format!("{}.{unit}", line.line_id).into(), quantity: 1, ..line.clone() }).collect::<Vec<_>>();
        let single = Basket { lines: basket.lines.iter().flat_map(units).collect(), ..basket.clone() };
        let (one, other) = (price(&promotions, &basket), price(&promotions, &single));
        prop_assert_eq!((one.total, one.discount, one.points, one.cashback), (other.total, other.discount, other.points, other.cashback));
        let amounts = |priced: &Priced| priced.applied.iter().map(|applied| (applied.promotion_id.clone(), applied.amount)).collect::<Vec<_>>();
        prop_assert_eq!(amounts(&one), amounts(&other));
    }

    #[test]
    fn what_is_printed_reads_as_the_same(Shown(promotions) in promotions(1..3), Shown(basket) in basket(1..4)) {
        for promotion in &promotions {
            let printed = serde_json::to_string(promotion).unwrap();
            prop_assert_eq!(&read_promotion(printed.as_bytes()).unwrap(), promotion);
        }
        let printed = serde_json::to_vec(&basket).unwrap();
        prop_assert_eq!(&youhui_promotion::read_basket(&printed).unwrap(), &basket);
        let priced = price(&promotions, &basket);
        let printed = serde_json::to_vec(&priced).unwrap();
        prop_assert_eq!(youhui_promotion::read_priced(&printed).unwrap(), priced);
    }

    #[test]
    fn the_best_deal_is_at_least_every_combination(Shown(promotions) in promotions(2..7), Shown(basket) in basket(1..4)) {
        let set = Promotions::new(promotions.clone()).unwrap();
        let best = set.price(&basket, &Context { most_trials: u64::MAX, ..Context::default() }).unwrap();
        prop_assert!(best.best_deal.is_none_or(|deal| deal.proven && deal.gap == 0 && deal.benefit == benefit(&best)));
        // Alone promotions come first whatever they are worth; of the rest every choice is tried.
        prop_assume!(promotions.iter().all(|promotion| matches!(promotion.stacking.combine, Combine::All | Combine::StopAfter)));
        // A promotion that may not apply, or finds nothing, excludes nobody.
        let is_active = |promotion: &Promotion| {
            let set = Promotions::new([promotion.clone()]).unwrap();
            let alone = set.price(&basket, &Context { detail: Detail::Near, ..Context::default() }).unwrap();
            !alone.applied.is_empty() || alone.rejected.iter().any(|rejected| rejected.promotion_id.is_some() && rejected.reason != Reason::CodeMissing)
        };
        let chooses = |promotion: &Promotion| {
            let rival = |other: &&Promotion| other.promotion_id != promotion.promotion_id && rivals(promotion, other) && is_active(other);
            promotions.iter().any(|other| rival(&other))
        };
        let named = |(place, line): (usize, &Line)| Line { attributes: [("line".to_owned(), format!("l{place}"))].into(), ..line.clone() };
        let basket_by_line = Basket { lines: basket.lines.iter().enumerate().map(named).collect(), ..basket.clone() };
        let contested: Vec<usize> = (0..promotions.len()).filter(|place| chooses(&promotions[*place])).collect();
        for taken in 0..1_u32 << contested.len() {
            let is_taken = |place: usize| contested.iter().position(|other| *other == place).is_none_or(|bit| taken >> bit & 1 == 1);
            let chosen: Vec<&Promotion> = promotions.iter().enumerate().filter(|(place, _)| is_taken(*place)).map(|(_, promotion)| promotion).collect();
            for combination in without_rivals(&chosen, &basket) {
                let priced = price(&combination, &basket_by_line);
                prop_assert!(benefit(&best) >= benefit(&priced), "{} < {}", benefit(&best), benefit(&priced));
            }
        }
    }

    #[test]
    fn a_search_that_stops_says_so(Shown(promotions) in promotions(4..9), Shown(basket) in basket(3..6), most_trials in 0_u64..30) {
        // Which of the alone ones is the first that applies is not a matter of the best.
        prop_assume!(promotions.iter().all(|promotion| promotion.stacking.combine != Combine::Alone));
        let set = Promotions::new(promotions).unwrap();
        let best = set.price(&basket, &Context { most_trials: u64::MAX, ..Context::default() }).unwrap();
        let stopped = set.price(&basket, &Context { most_trials, detail: Detail::Near, ..Context::default() }).unwrap();
        let gap = stopped.best_deal.map_or(0, |deal| deal.gap);
        prop_assert!(benefit(&stopped) <= benefit(&best));
        prop_assert!(benefit(&best) <= benefit(&stopped) + gap, "{} > {} + {gap}", benefit(&best), benefit(&stopped));
    }
}

/// Whether of two promotions only one may apply to a basket.
fn rivals(one: &Promotion, other: &Promotion) -> bool {
    let group = |promotion: &Promotion| {
        let within_basket = |group: &youhui_promotion::Group| group.policy == Choice::Largest && group.within == Within::Basket;
        promotion.stacking.group.clone().filter(within_basket)
    };
    let excludes = |one: &Promotion, other: &Promotion| {
        other.stacking.category.as_ref().is_some_and(|category| one.stacking.excludes.contains(category))
    };
    group(one).is_some_and(|of| group(other) == Some(of)) || excludes(one, other) || excludes(other, one)
}

/// The promotions as they are where none of them excludes another: nothing if two of them do. A group
/// that shares lines out becomes, for every way to do that, promotions that only see their lines.
fn without_rivals(chosen: &[&Promotion], basket: &Basket) -> Vec<Vec<Promotion>> {
    let group = |promotion: &Promotion| promotion.stacking.group.clone().filter(|group| group.policy == Choice::Largest);
    for (place, one) in chosen.iter().enumerate() {
        if chosen[place + 1..].iter().any(|other| rivals(one, other)) {
            return vec![];
        }
    }
    let free = |promotion: &Promotion| {
        let mut free = promotion.clone();
        if group(promotion).is_some() {
            free.stacking.group = None;
        }
        free.stacking.excludes.clear();
        free
    };
    let sharing: Vec<usize> =
        (0..chosen.len()).filter(|place| group(chosen[*place]).is_some_and(|group| group.within == Within::Line)).collect();
    // One that names other things than lines of goods can't be told to see only some lines.
    let named = |promotion: &Promotion| {
        promotion.each.is_some()
            || promotion.conditions.iter().any(|condition| matches!(condition, Condition::Not { .. }))
            || promotion.effects.iter().any(|effect| matches!(effect, Effect::AddOnPrice(_)))
    };
    if sharing.iter().any(|place| named(chosen[*place])) || (sharing.len() as u32 + 1).pow(basket.lines.len() as u32) > 64 {
        return vec![];
    }
    if sharing.is_empty() {
        return vec![chosen.iter().map(|promotion| free(promotion)).collect()];
    }
    let ways = (sharing.len() + 1).pow(basket.lines.len() as u32);
    (0..ways)
        .map(|way| {
            let owner = |line: usize| way / (sharing.len() + 1).pow(line as u32) % (sharing.len() + 1);
            let one = |(place, promotion): (usize, &&Promotion)| match sharing.iter().position(|other| *other == place) {
                None => free(promotion),
                Some(member) => {
                    let lines: Vec<usize> = (0..basket.lines.len()).filter(|line| owner(*line) == member).collect();
                    seeing(&free(promotion), &lines)
                }
            };
            chosen.iter().enumerate().map(one).collect()
        })
        .collect()
}

/// The promotion, seeing only these lines: they are told apart by an attribute.
fn seeing(promotion: &Promotion, lines: &[usize]) -> Promotion {
    let mut document = serde_json::to_value(promotion).unwrap();
    let names: Vec<String> = lines.iter().map(|line| format!("l{line}")).chain(["none".to_owned()]).collect();
    narrow(&mut document["effects"], &names);
    serde_json::from_value(document).unwrap()
}

/// Gives every scope, also one that is everything and not printed, the attribute.
fn narrow(value: &mut serde_json::Value, names: &[String]) {
    use serde_json::{Value, json};
    let of_line = |scope: &mut Value| scope["attributes"] = json!({"line": names});
    let Value::Array(items) = value else { return };
    for item in items {
        match item["kind"].as_str().unwrap() {
            "buy_get" => {
                of_line(&mut item["buy"]);
                of_line(&mut item["get"]["scope"]);
            }
            "bundle" => item["parts"].as_array_mut().unwrap().iter_mut().for_each(|part| of_line(&mut part["scope"])),
            "customer_in" | "shipping" => {}
            _ => of_line(&mut item["scope"]),
        }
    }
}
