//! Beside fairlearn, statsmodels and scipy: what `benches/peers/evaluation/fairness_cases.py` wrote.

use serde_json::Value;

use super::super::*;
use crate::experiment::Adjust;
use crate::money::Arm;

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn ledger(case: &Value) -> GroupLedger {
    let groups = case["groups"].as_array().unwrap();
    let names = (0..groups.len()).map(|group| group.to_string()).collect();
    let plan = GroupPlan {
        currency: "EUR".parse().unwrap(),
        groups: names,
        benefit_unit: "points".to_owned(),
        bought: "unit".to_owned(),
        share_treated: 0.5,
        minimum: 30,
    };
    let mut ledger = GroupLedger::new(plan).unwrap();
    for (place, group) in groups.iter().enumerate() {
        let person = |arm, offered, discount, benefit| Person {
            group: u32::try_from(place).ok(),
            arm,
            offered,
            list: 1_000,
            discount,
            units: 1,
            cost: 0,
            benefit,
            before: 0.0,
        };
        let (offered, discount) = (numbers(&group["offered"]), numbers(&group["discount"]));
        let treated = numbers(&group["benefit"])
            .into_iter()
            .enumerate()
            .map(|(row, benefit)| person(Arm::Treated, offered[row] > 0.5, discount[row] as i64, benefit));
        let held_out = numbers(&group["held_out"]).into_iter().map(|benefit| person(Arm::HeldOut, false, 0, benefit));
        ledger.add(&treated.chain(held_out).collect::<Vec<Person>>()).unwrap();
    }
    ledger
}

#[test]
fn parity_and_effects_are_the_peers() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("peers.json")).unwrap();
    let (mut figures, mut ratios, mut worst) = (0, 0, 0.0_f64);
    let mut same = |what: &str, ours: f64, theirs: f64| {
        let apart = (ours - theirs).abs() / theirs.abs().max(1e-9);
        assert!(apart < 1e-6, "{what}: {ours} beside {theirs}");
        (figures, worst) = (figures + 1, worst.max(apart));
    };
    for case in &cases {
        let ledger = ledger(case);
        let settings = FairnessSettings { cuped: false, ..FairnessSettings::default() };
        let peer = |name: &str| case[name].as_f64().unwrap();
        let offered = parity(&ledger, ParityMetric::Offered, settings).unwrap();
        same("difference", offered.difference.value, peer("difference"));
        if let Some(ratio) = offered.ratio {
            same("ratio", ratio.value, peer("ratio"));
            ratios += 1;
        }
        let discount = parity(&ledger, ParityMetric::DiscountPerCustomer, settings).unwrap();
        same("equality", discount.equality_p.unwrap(), peer("equality_p"));
        let found = group_effects(&ledger, settings).unwrap().breakdown;
        same("Q", found.heterogeneity, peer("q"));
        same("Q's p", found.heterogeneity_p, peer("q_p"));
        for (effect, peer) in found.effects.iter().zip(case["effects"].as_array().unwrap()) {
            let (effect, peer) = (effect.effect.unwrap(), numbers(peer));
            [effect.value, effect.low, effect.high].into_iter().zip(peer).for_each(|(ours, theirs)| same("effect", ours, theirs));
        }
        for (adjust, name) in [(Adjust::Holm, "holm"), (Adjust::BenjaminiHochberg, "bh")] {
            let found = group_effects(&ledger, FairnessSettings { adjust, ..settings }).unwrap().breakdown;
            found.effects.iter().zip(numbers(&case[name])).for_each(|(effect, theirs)| same(name, effect.adjusted_p.unwrap(), theirs));
        }
    }
    println!("{} inputs, {figures} figures, {ratios} ratios: largest relative difference {worst:.1e}", cases.len());
    assert!(cases.len() == 50 && ratios > 45);
}
