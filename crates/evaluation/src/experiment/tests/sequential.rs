//! Always-valid intervals cover at all looks together; a fixed-horizon interval looked at 50 times does not.

use youhui_commerce::Draw;

use super::super::*;
use super::{bernoulli, share, within};

const LOOKS: usize = 50;

/// Whether `holds` of each look, at 100, 200 … 5,000 units an arm.
fn at_all_looks(mut unit: impl FnMut(u32) -> f64, holds: impl Fn(&Contrast) -> bool) -> bool {
    let mut arms = [Moments::empty(1), Moments::empty(1)];
    (0..LOOKS).all(|_| {
        for _ in 0..100 {
            arms[0].push(&[unit(0)]);
            arms[1].push(&[unit(1)]);
        }
        holds(&unadjusted(Metric::mean(0), &arms[0], &arms[1]).unwrap())
    })
}

fn normal_units(mut draw: Draw) -> impl FnMut(u32) -> f64 {
    move |arm| 10.0 + 0.3 * f64::from(arm) + 2.0 * draw.normal()
}

#[test]
fn slow_confidence_sequences_cover_at_all_looks_and_a_peeked_t_test_does_not() {
    let covered = share(1000, |draw| {
        Some(at_all_looks(normal_units(draw), |contrast| {
            let look = confidence_sequence(contrast, Scale::Absolute, Sequential::default()).unwrap();
            within(look.low, look.high, 0.3)
        }))
    });
    let relative = share(1000, |draw| {
        Some(at_all_looks(normal_units(draw), |contrast| {
            let look = confidence_sequence(contrast, Scale::Relative, Sequential { level: 0.95, tuning: 2000.0 }).unwrap();
            within(look.low, look.high, 0.03)
        }))
    });
    let mixture = share(1000, |draw| {
        Some(at_all_looks(normal_units(draw), |contrast| {
            let look = mixture_sprt(contrast, Scale::Absolute, MixtureSprt { level: 0.95, tau: 0.1 }).unwrap();
            within(look.low, look.high, 0.3)
        }))
    });
    let naive = share(1000, |draw| {
        Some(at_all_looks(normal_units(draw), |contrast| {
            let effect = frequentist(contrast, Scale::Absolute, Frequentist::default()).unwrap();
            within(effect.low, effect.high, 0.3)
        }))
    });
    println!("at all of {LOOKS} looks: confidence sequence {covered}, relative {relative}, mixture SPRT {mixture}, t-test {naive}");
    assert!(covered >= 0.95 && relative >= 0.95 && mixture >= 0.95);
    assert!(naive < 0.8, "{naive}");
}

#[test]
fn slow_confidence_sequences_cover_at_all_looks_of_zero_inflated_revenue() {
    let covered = share(1000, |mut draw| {
        let unit = move |_: u32| bernoulli(&mut draw, 0.3) * (1.0 + 0.8 * draw.normal()).exp();
        Some(at_all_looks(unit, |contrast| {
            let look = confidence_sequence(contrast, Scale::Absolute, Sequential::default()).unwrap();
            within(look.low, look.high, 0.0)
        }))
    });
    println!("revenue, at all looks: {covered}");
    assert!(covered >= 0.95, "{covered}");
}

#[test]
fn always_valid_p_values_agree_with_their_intervals() {
    let mut draw = Draw::seeded(5);
    let mut unit = move |arm: u32| 10.0 + 0.2 * f64::from(arm) + 2.0 * draw.normal();
    let agrees = at_all_looks(&mut unit, |contrast| {
        [Scale::Absolute, Scale::Relative].into_iter().all(|scale| {
            let sequence = confidence_sequence(contrast, scale, Sequential::default()).unwrap();
            let mixture = mixture_sprt(contrast, scale, MixtureSprt { level: 0.95, tau: 0.1 }).unwrap();
            [sequence, mixture].iter().all(|look| (look.p_value < 0.05) != within(look.low, look.high, 0.0))
        })
    });
    assert!(agrees);
}

#[test]
fn the_sequence_is_the_mixture_test_of_its_tau() {
    let arm = |mean: f64| Moments::from_covariances(1000, &[mean], &[4.0]).unwrap();
    let contrast = unadjusted(Metric::mean(0), &arm(10.0), &arm(10.2)).unwrap();
    let look = confidence_sequence(&contrast, Scale::Absolute, Sequential::default()).unwrap();
    let twice = -2.0 * 0.05_f64.ln();
    let rho_square = (twice + (twice + 1.0).ln()) / 5000.0;
    let tau = (rho_square * contrast.absolute().1 * 2000.0).sqrt();
    let mixture = mixture_sprt(&contrast, Scale::Absolute, MixtureSprt { level: 0.95, tau }).unwrap();
    assert!((look.low - mixture.low).abs() < 1e-12 && (look.p_value - mixture.p_value).abs() < 1e-12);
}

#[test]
fn looks_together_are_narrower_and_cannot_go_back() {
    let look = |units: u64, mean: f64| {
        let arm = |mean: f64| Moments::from_covariances(units, &[mean], &[4.0]).unwrap();
        let contrast = unadjusted(Metric::mean(0), &arm(10.0), &arm(10.0 + mean)).unwrap();
        confidence_sequence(&contrast, Scale::Absolute, Sequential::default()).unwrap()
    };
    let mut looks = Looks::new();
    assert!(looks.running().is_none());
    looks.add(look(1000, 0.5)).unwrap();
    looks.add(look(2000, 0.1)).unwrap();
    let running = looks.running().unwrap();
    let all = looks.all();
    assert_eq!((running.low, running.high, running.value), (all[0].low.max(all[1].low), all[1].high.min(all[0].high), all[1].value));
    assert_eq!(running.p_value, all[0].p_value.min(all[1].p_value));
    let error = looks.add(look(500, 0.1)).unwrap_err().to_string();
    assert!(error.contains("data that only grow"), "{error}");
}

#[test]
fn the_sequential_sample_ratio_keeps_its_level_over_all_looks() {
    let alarmed = |chance: f64| {
        share(2000, move |mut draw| {
            let mut units = [0_u64; 2];
            Some((0..LOOKS).any(|_| {
                (0..100).for_each(|_| units[usize::from(draw.uniform() < chance)] += 1);
                sequential_sample_ratio(&units, &[0.5, 0.5], 100.0).unwrap() < 0.05
            }))
        })
    };
    let (false_alarms, found) = (alarmed(0.5), alarmed(0.53));
    println!("sequential sample ratio: {false_alarms} false alarms, {found} of mismatches found");
    assert!(false_alarms <= 0.05 && found > 0.8);
}
