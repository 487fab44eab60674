//! Programmes of known truth.

use youhui_commerce::Draw;

use super::super::*;
use super::{assert_covers, covers, eur, settings, shares};
use crate::experiment::{Frequentist, Metric, Moments, Scale, frequentist, unadjusted};

/// Three campaigns with effects of 2.00, 1.00 and 0; those that reach a customer together lose `saturates` (a share) of the smaller ones.
#[derive(Clone, Copy)]
struct Years {
    customers: usize,
    saturates: f64,
    effects: [f64; 3],
}

const YEARS: Years = Years { customers: 2_400, saturates: 0.0, effects: [2.0, 1.0, 0.0] };
const TREATED: [f64; 3] = [0.8, 0.5, 0.7];
const ELIGIBLE: [f64; 3] = [1.0, 0.6, 1.0];

impl Years {
    /// What campaigns that reach a customer bring together.
    fn together(self, treated: [bool; 3]) -> f64 {
        let mut effects: Vec<f64> = self.effects.iter().zip(treated).filter(|(_, treated)| *treated).map(|(effect, _)| *effect).collect();
        effects.sort_by(|one, two| two.total_cmp(one));
        effects.iter().enumerate().map(|(place, effect)| if place == 0 { *effect } else { effect * (1.0 - self.saturates) }).sum()
    }

    /// Programme's effect and campaigns' effects.
    fn truth(self) -> (f64, [f64; 3]) {
        let chance = |campaign: usize| ELIGIBLE[campaign] * TREATED[campaign];
        let over = |fixed: Option<(usize, bool)>| -> f64 {
            (0..8_usize)
                .map(|set| {
                    let treated = [0, 1, 2].map(|campaign| set >> campaign & 1 == 1);
                    let weight: f64 = (0..3)
                        .map(|campaign| match fixed {
                            Some((which, value)) if which == campaign => f64::from(u8::from(treated[campaign] == value)),
                            _ => {
                                if treated[campaign] {
                                    chance(campaign)
                                } else {
                                    1.0 - chance(campaign)
                                }
                            }
                        })
                        .product();
                    weight * self.together(treated)
                })
                .sum()
        };
        (over(None), [0, 1, 2].map(|campaign| over(Some((campaign, true))) - over(Some((campaign, false)))))
    }

    fn interaction(self) -> f64 {
        let (whole, effects) = self.truth();
        whole - effects.iter().enumerate().map(|(campaign, effect)| ELIGIBLE[campaign] * TREATED[campaign] * effect).sum::<f64>()
    }

    fn rows(self, draw: &mut Draw) -> Vec<(bool, i64, i64, [Lot; 3])> {
        (0..self.customers)
            .map(|_| {
                let keen = draw.normal();
                let in_programme = draw.uniform() < 0.75;
                let lots = [0, 1, 2].map(|campaign: usize| {
                    let (eligible, treated) = (draw.uniform() < ELIGIBLE[campaign], draw.uniform() < TREATED[campaign]);
                    match (in_programme && eligible, treated) {
                        (false, _) => Lot::NotEligible,
                        (true, true) => Lot::Treated,
                        (true, false) => Lot::HeldOut,
                    }
                });
                let effect = self.together(lots.map(|lot| lot == Lot::Treated));
                let minor = |value: f64| (100.0 * value).round() as i64;
                (
                    in_programme,
                    minor(30.0 + 8.0 * keen + 3.0 * draw.normal()),
                    minor(40.0 + 8.0 * keen + 4.0 * draw.normal() + effect),
                    lots,
                )
            })
            .collect()
    }

    fn programme(self, draw: &mut Draw) -> Programme {
        of_rows(&self.rows(draw))
    }
}

fn of_rows(rows: &[(bool, i64, i64, [Lot; 3])]) -> Programme {
    let mut programme = Programme::new(eur(), ["spring", "summer", "autumn"].map(str::to_owned).to_vec(), 0.75).unwrap();
    let participants: Vec<Participant<'_>> = rows
        .iter()
        .map(|(in_programme, before, outcome, lots)| Participant { in_programme: *in_programme, before: *before, outcome: *outcome, lots })
        .collect();
    programme.add(&participants).unwrap();
    programme
}

#[test]
fn programme_campaigns_and_interaction_cover() {
    for (saturates, cuped) in [(0.0, false), (0.0, true), (0.7, true)] {
        let years = Years { saturates, ..YEARS };
        let ((whole, effects), interaction) = (years.truth(), years.interaction());
        println!("saturation {saturates}: programme {whole:.3}, campaigns {effects:.3?}, interaction {interaction:.3}");
        assert!(if saturates > 0.0 { interaction.abs() > 0.1 } else { interaction.abs() < 1e-12 });
        let covered = shares(800, |mut draw| {
            let found = years.programme(&mut draw).effects(settings(cuped)).unwrap();
            [
                covers(&found.programme, whole),
                covers(&found.campaigns[0].effect, effects[0]),
                covers(&found.campaigns[1].effect, effects[1]),
                covers(&found.campaigns[2].effect, effects[2]),
                covers(&found.sum_of_campaigns.unwrap(), whole - interaction),
                covers(&found.interaction.unwrap(), interaction),
            ]
        });
        let names = ["programme", "spring", "summer", "autumn", "sum", "interaction"];
        names
            .iter()
            .zip(covered)
            .for_each(|(name, covered)| assert_covers(&format!("{name}, saturation {saturates}, CUPED {cuped}"), covered));
    }
}

#[test]
fn interaction_is_found_where_it_is_and_effects_seldom_where_there_are_none() {
    let found = shares(300, |mut draw| {
        let years = Years { saturates: 0.9, customers: 12_000, effects: [4.0, 3.0, 3.0] };
        [years.programme(&mut draw).effects(settings(true)).unwrap().interaction.unwrap().is_credibly_positive()]
    });
    println!("interaction found: {:.1} %", 100.0 * found[0]);
    assert!(found[0] > 0.8, "{}", found[0]);
    let nothing = shares(1_000, |mut draw| {
        let none = Years { effects: [0.0; 3], customers: 900, ..YEARS }.programme(&mut draw).effects(settings(true)).unwrap();
        let any = none.campaigns.iter().any(|campaign| campaign.effect.adjusted_p.unwrap() < 0.05);
        [any, none.programme.p_value < 0.05, none.interaction.unwrap().p_value < 0.05]
    });
    println!(
        "where there is nothing: a campaign {:.1} %, programme {:.1} %, interaction {:.1} %",
        100.0 * nothing[0],
        100.0 * nothing[1],
        100.0 * nothing[2]
    );
    assert!(nothing[0] < 0.065 && (0.03..0.07).contains(&nothing[1]) && (0.03..0.07).contains(&nothing[2]), "{nothing:?}");
}

#[test]
fn a_campaigns_figures_are_those_of_its_arms() {
    let rows = YEARS.rows(&mut Draw::seeded(5));
    let found = of_rows(&rows).effects(settings(false)).unwrap();
    for campaign in 0..3 {
        let arm = |lot: Lot| {
            let mut moments = Moments::empty(1);
            rows.iter().filter(|row| row.0 && row.3[campaign] == lot).for_each(|row| moments.push(&[row.2 as f64 / 100.0]));
            moments
        };
        let contrast = unadjusted(Metric::mean(0), &arm(Lot::HeldOut), &arm(Lot::Treated)).unwrap();
        let effect = &found.campaigns[campaign].effect;
        let (value, variance) = contrast.absolute();
        assert!((effect.value - value).abs() < 1e-9, "{} {value}", effect.value);
        assert!((effect.std_error / variance.sqrt() - 1.0).abs() < 1e-9);
        let welch = frequentist(&contrast, Scale::Absolute, Frequentist::default()).unwrap();
        assert!((effect.low - welch.low).abs() < 1e-9 && (effect.high - welch.high).abs() < 1e-9, "{effect:?} {welch:?}");
        assert_eq!((effect.n_held_out, effect.n_treated), (contrast.control.units, contrast.treatment.units));
    }
}

#[test]
fn few_held_out_by_a_campaign_cover() {
    let covered = shares(2_000, |mut draw| {
        let mut programme = Programme::new(eur(), vec!["spring".to_owned()], 0.5).unwrap();
        for customer in 0..400 {
            // 5 are held out, 195 treated, and 200 in the global holdout.
            let (in_programme, lot) = match customer {
                0..5 => (true, Lot::HeldOut),
                5..200 => (true, Lot::Treated),
                _ => (false, Lot::NotEligible),
            };
            let effect = if lot == Lot::Treated { 2.0 } else { 0.0 };
            let outcome = (1000.0 * (20.0 + 5.0 * draw.normal() + effect)).round() as i64;
            programme.add(&[Participant { in_programme, before: 0, outcome, lots: &[lot] }]).unwrap();
        }
        let found = programme.effects(settings(true)).unwrap();
        [covers(&found.campaigns[0].effect, 20.0), covers(&found.sum_of_campaigns.unwrap(), 0.975 * 20.0)]
    });
    assert_covers("campaign of which 5 are held out", covered[0]);
    assert_covers("sum of campaigns of which 5 are held out", covered[1]);
}

#[test]
fn a_campaign_without_variance_is_named_and_in_no_sum() {
    let mut programme = Programme::new(eur(), ["spring", "summer"].map(str::to_owned).to_vec(), 0.5).unwrap();
    let mut draw = Draw::seeded(1);
    for customer in 0..400 {
        let in_programme = customer % 2 == 0;
        let mut lot = |share: f64| if draw.uniform() < share { Lot::Treated } else { Lot::HeldOut };
        let lots = [if customer < 40 { lot(0.5) } else { Lot::NotEligible }, lot(0.5)];
        // Whom spring may reach spends what its lot says.
        let outcome = match lots[0] {
            Lot::Treated => 1_017,
            Lot::HeldOut => 1_013,
            Lot::NotEligible => 2_000 + (customer * 37 % 101),
        };
        let lots = if in_programme { lots } else { [Lot::NotEligible; 2] };
        programme.add(&[Participant { in_programme, before: 0, outcome, lots: &lots }]).unwrap();
    }
    let found = programme.effects(settings(true)).unwrap();
    assert!(found.campaigns.len() == 1 && found.sum_of_campaigns.is_none() && found.interaction.is_none(), "{found:?}");
    assert!(found.not_judged[0].0 == "spring" && found.not_judged[0].1.contains("the same value for every unit of spring, treated"));
    let summer = &found.campaigns[0].effect;
    assert_eq!(summer.adjusted_p, Some(summer.p_value), "one p-value is adjusted for one");
}

#[test]
fn parts_of_the_customers_merge_and_a_campaign_for_all_is_named() {
    let rows = YEARS.rows(&mut Draw::seeded(6));
    let mut merged = of_rows(&rows[..700]);
    merged.merge(&of_rows(&rows[700..])).unwrap();
    let (one, two) = (of_rows(&rows).effects(settings(true)).unwrap(), merged.effects(settings(true)).unwrap());
    let (one, two) = (one.interaction.unwrap(), two.interaction.unwrap());
    assert!((one.value - two.value).abs() < 1e-9 && (one.low - two.low).abs() < 1e-9);

    let all: Vec<(bool, i64, i64, [Lot; 3])> =
        rows.iter().map(|row| (row.0, row.1, row.2, [row.3[0], row.3[1], if row.0 { Lot::Treated } else { Lot::NotEligible }])).collect();
    let found = of_rows(&all).effects(settings(true)).unwrap();
    assert!(found.interaction.is_none() && found.sum_of_campaigns.is_none() && found.campaigns.len() == 2);
    assert!(found.not_judged[0].0 == "autumn" && found.not_judged[0].1.contains("held out: 0 unit(s)"), "{:?}", found.not_judged);
}
