//! Known truth: fixed-horizon intervals cover in 93 to 97 % of at least 1,000 simulated experiments.

use youhui_commerce::Draw;

use super::super::*;
use super::{assert_covers, bernoulli, fixed, moments_of, poisson, share, within};

#[test]
fn means_cover_absolute_and_relative() {
    let arms = |draw: &mut Draw| {
        let control = moments_of((0..150).map(|_| [10.0 + 3.0 * draw.normal()]));
        let treatment = moments_of((0..60).map(|_| [12.0 + 6.0 * draw.normal()]));
        unadjusted(Metric::mean(0), &control, &treatment).unwrap()
    };
    assert_covers("mean, absolute", 2000, |mut draw| Some(fixed(&arms(&mut draw), Scale::Absolute, 2.0)));
    for relative in [RelativeInterval::Delta, RelativeInterval::Log, RelativeInterval::Fieller] {
        let settings = Frequentist { relative, ..Frequentist::default() };
        assert_covers(&format!("mean, relative, {relative:?}"), 2000, |mut draw| {
            let effect = frequentist(&arms(&mut draw), Scale::Relative, settings).unwrap();
            Some(within(effect.low, effect.high, 0.2))
        });
    }
}

#[test]
fn fieller_covers_where_the_delta_method_does_not() {
    // Control's mean is 2.5 standard errors from 0 and the effect is a multiple of it.
    let covers = |relative: RelativeInterval| {
        move |mut draw: Draw| {
            let control = moments_of((0..100).map(|_| [1.0 + 4.0 * draw.normal()]));
            let treatment = moments_of((0..100).map(|_| [6.0 + 4.0 * draw.normal()]));
            let contrast = unadjusted(Metric::mean(0), &control, &treatment).unwrap();
            let settings = Frequentist { relative, ..Frequentist::default() };
            // Fieller's set where it is unbounded: all effects that the test of b − (1 + effect)a doesn't reject.
            let (control, treatment) = (&contrast.control, &contrast.treatment);
            let apart = (treatment.value - 6.0 * control.value).abs() / (treatment.variance + 36.0 * control.variance).sqrt();
            let effect = frequentist(&contrast, Scale::Relative, settings);
            Some(effect.map_or(apart < 1.97, |effect| within(effect.low, effect.high, 5.0)))
        }
    };
    assert_covers("Fieller, weak baseline", 2000, covers(RelativeInterval::Fieller));
    let delta = share(2000, covers(RelativeInterval::Delta));
    println!("delta method, weak baseline: {:.1} %", 100.0 * delta);
    assert!(delta < 0.93, "{delta}");
}

#[test]
fn proportions_cover() {
    assert_covers("proportion", 2000, |mut draw| {
        let mut arm = |chance: f64| Share::new((0..800).map(|_| bernoulli(&mut draw, chance) as u64).sum(), 800).unwrap();
        let contrast = proportion(arm(0.1), arm(0.13)).unwrap();
        Some(fixed(&contrast, Scale::Absolute, 0.03))
    });
}

/// Orders per session of one user: both rise with how keen the user is, so that sessions aren't independent.
fn sessions(draw: &mut Draw, effect: f64) -> [f64; 2] {
    let keen = draw.normal().exp().min(20.0);
    let sessions = 1.0 + poisson(draw, 2.0 * keen);
    let orders = (0..sessions as usize).map(|_| bernoulli(draw, (0.1 + 0.02 * keen + effect).min(1.0))).sum();
    [orders, sessions]
}

#[test]
fn ratios_cover_and_sessions_as_units_do_not() {
    // The truth, of many users: keenness is capped, so that there is no formula.
    let truth = |effect: f64| {
        let mut draw = Draw::seeded(1).fork("truth");
        moments_of((0..2_000_000).map(|_| {
            let keen = draw.normal().exp().min(20.0);
            let sessions = 1.0 + 2.0 * keen;
            [sessions * (0.1 + 0.02 * keen + effect).min(1.0), sessions]
        }))
    };
    let ratio = Metric::ratio(0, 1);
    let truth = ratio.value(&truth(0.02)) - ratio.value(&truth(0.0));
    let arms = |draw: &mut Draw| [0.0, 0.02].map(|effect| (0..600).map(|_| sessions(draw, effect)).collect::<Vec<[f64; 2]>>());
    assert_covers("ratio", 1500, |mut draw| {
        let [control, treatment] = arms(&mut draw).map(|rows| moments_of(rows.into_iter()));
        Some(fixed(&unadjusted(ratio, &control, &treatment).unwrap(), Scale::Absolute, truth))
    });
    let naive = share(1500, |mut draw| {
        let [control, treatment] = arms(&mut draw).map(|rows| {
            let sum = |column: usize| rows.iter().map(|row| row[column] as u64).sum();
            Share::new(sum(0), sum(1)).unwrap()
        });
        Some(fixed(&proportion(control, treatment).unwrap(), Scale::Absolute, truth))
    });
    println!("sessions as units: {:.1} %", 100.0 * naive);
    assert!(naive < 0.93, "{naive}");
}

/// Values of clusters of rows, which correlate by a half.
fn clustered(draw: &mut Draw, clusters: u64, shift: f64) -> (Vec<f64>, Vec<u64>) {
    let (mut values, mut owner) = (vec![], vec![]);
    for cluster in 0..clusters {
        let common = draw.normal();
        for _ in 0..2 + draw.below(15) {
            values.push(shift + (common + draw.normal()) / std::f64::consts::SQRT_2);
            owner.push(cluster);
        }
    }
    (values, owner)
}

#[test]
fn quantiles_cover_and_with_clusters_only_if_they_are_counted() {
    assert_covers("median", 1500, |mut draw| {
        let mut arm = |shift: f64| {
            let values: Vec<f64> = (0..400).map(|_| (shift + draw.normal()).exp()).collect();
            QuantileStats::from_rows(&values, None, 0.5).unwrap()
        };
        let contrast = quantile(&arm(0.0), &arm(0.2)).unwrap();
        Some(fixed(&contrast, Scale::Absolute, 0.2_f64.exp() - 1.0))
    });
    let covers = |counted: bool| {
        move |mut draw: Draw| {
            let mut arm = |shift: f64| {
                let (values, owner) = clustered(&mut draw, 100, shift);
                QuantileStats::from_rows(&values, counted.then_some(&owner[..]), 0.8).unwrap()
            };
            Some(fixed(&quantile(&arm(0.0), &arm(0.3)).unwrap(), Scale::Absolute, 0.3))
        }
    };
    assert_covers("80 % quantile of clusters", 1500, covers(true));
    let naive = share(1500, covers(false));
    println!("80 % quantile, clusters ignored: {:.1} %", 100.0 * naive);
    assert!(naive < 0.8, "{naive}");
}

#[test]
fn clusters_cover_and_rows_as_units_do_not() {
    let arms = |draw: &mut Draw| {
        let (mut values, mut owner) = clustered(draw, 30, 0.0);
        let rows = values.len();
        let (more, others) = clustered(draw, 30, 0.4);
        values.extend(more);
        owner.extend(others.iter().map(|owner| owner + 30));
        let arm: Vec<u32> = (0..values.len()).map(|row| u32::from(row >= rows)).collect();
        (values, owner, arm)
    };
    assert_covers("clusters", 2000, |mut draw| {
        let (values, owner, arm) = arms(&mut draw);
        let sums = cluster_sums(&[&values], &owner, &arm).unwrap();
        let moments = sums.moments(2).unwrap();
        Some(fixed(&unadjusted(sums.mean_per_row(0), &moments[0], &moments[1]).unwrap(), Scale::Absolute, 0.4))
    });
    let naive = share(2000, |mut draw| {
        let (values, _, arm) = arms(&mut draw);
        let moments = accumulate(Rows { columns: &[&values], names: &[], group: &arm }, 2).unwrap();
        Some(fixed(&unadjusted(Metric::mean(0), &moments[0], &moments[1]).unwrap(), Scale::Absolute, 0.4))
    });
    println!("rows as units: {:.1} %", 100.0 * naive);
    assert!(naive < 0.75, "{naive}");
}

/// Of ten customers nine buy nothing; the others' amounts are lognormal with a skewness of 6.
fn revenue(draw: &mut Draw, chance: f64) -> [f64; 2] {
    let buys = bernoulli(draw, chance);
    [buys * (3.0 + draw.normal()).exp(), buys]
}

#[test]
fn slow_zero_inflated_heavy_tailed_revenue_covers() {
    let arms = |draw: &mut Draw| [0.1, 0.12].map(|chance| moments_of((0..4000).map(|_| revenue(draw, chance))));
    let mean = 3.5_f64.exp();
    let of = |which: fn(&TwoPart) -> Contrast, truth: f64, scale: Scale| {
        move |mut draw: Draw| {
            let [control, treatment] = arms(&mut draw);
            Some(fixed(&which(&two_part(0, 1, &control, &treatment).unwrap()), scale, truth))
        }
    };
    assert_covers("revenue per unit", 1000, of(|parts| parts.revenue, 0.02 * mean, Scale::Absolute));
    assert_covers("revenue per unit, relative", 1000, of(|parts| parts.revenue, 0.2, Scale::Relative));
    assert_covers("conversion", 1000, of(|parts| parts.conversion, 0.02, Scale::Absolute));
    assert_covers("revenue per buyer", 1000, of(|parts| parts.per_buyer, 0.0, Scale::Absolute));
}

#[test]
fn capped_revenue_covers_with_a_smaller_standard_error() {
    let mut ratios = Vec::new();
    let arms = |draw: &mut Draw| {
        let values: Vec<f64> = (0..4000).map(|_| revenue(draw, 0.1)[0]).collect();
        let group: Vec<u32> = (0..4000).map(|row| row % 2).collect();
        let contrast = |values: &[f64]| {
            let moments = accumulate(Rows { columns: &[values], names: &[], group: &group }, 2).unwrap();
            unadjusted(Metric::mean(0), &moments[0], &moments[1]).unwrap()
        };
        let capped = winsorised(&values, 0.95, true).unwrap();
        assert!(capped.above > 0 && capped.bias > 0.0 && capped.bias < 0.3, "{} {}", capped.above, capped.bias);
        (contrast(&values), contrast(&capped.values))
    };
    for seed in 0..20 {
        let (plain, capped) = arms(&mut Draw::seeded(seed));
        ratios.push(capped.absolute().1 / plain.absolute().1);
    }
    let ratio = ratios.iter().sum::<f64>() / 20.0;
    println!("capping at the 95 % quantile of buyers leaves {:.0} % of the variance", 100.0 * ratio);
    assert!(ratio < 0.8, "{ratio}");
    // Of no effect, as the cap changes what an effect is.
    assert_covers("capped revenue", 1000, |mut draw| Some(fixed(&arms(&mut draw).1, Scale::Absolute, 0.0)));
}

/// y and what it was before, correlated by `rho`; then sessions now and before, for a ratio.
fn unit(draw: &mut Draw, rho: f64, effect: f64) -> [f64; 2] {
    let before = draw.normal();
    [10.0 + effect + 2.0 * (rho * before + (1.0 - rho * rho).sqrt() * draw.normal()), 5.0 + before]
}

#[test]
fn cuped_covers_and_takes_rho_squared_off_the_variance() {
    for rho in [0.3, 0.6, 0.9] {
        let run = |draw: &mut Draw| {
            let control = moments_of((0..300).map(|_| unit(draw, rho, 0.0)));
            let treatment = moments_of((0..300).map(|_| unit(draw, rho, 1.0)));
            (
                cuped(Metric::mean(0), &[Metric::mean(1)], &control, &treatment).unwrap(),
                unadjusted(Metric::mean(0), &control, &treatment).unwrap(),
            )
        };
        assert_covers(&format!("CUPED, rho {rho}"), 1000, |mut draw| Some(fixed(&run(&mut draw).0.contrast, Scale::Absolute, 1.0)));
        // Both as it says and as estimates really vary.
        let runs: Vec<(f64, f64, f64)> = (0..1000)
            .map(|seed| {
                let (adjusted, plain) = run(&mut Draw::seeded(seed).fork("variance"));
                (adjusted.variance_reduction, adjusted.contrast.absolute().0, plain.absolute().0)
            })
            .collect();
        let said = runs.iter().map(|run| run.0).sum::<f64>() / 1000.0;
        let spread = |of: fn(&(f64, f64, f64)) -> f64| moments_of(runs.iter().map(|run| [of(run)])).variance(0);
        let real = 1.0 - spread(|run| run.1) / spread(|run| run.2);
        println!("rho {rho}: variance reduced by {said:.3} as it says, {real:.3} over seeds, {:.3} in theory", rho * rho);
        assert!((said - rho * rho).abs() < 0.02, "{said}");
        // A ratio of variances of 1,000 estimates each has a standard error of √(4/1000)·(1 − ρ²)·√(1 − ρ_estimates²).
        assert!((real - rho * rho).abs() < 3.0 * 0.063 * (1.0 - rho * rho), "{real}");
    }
}

#[test]
fn cuped_covers_relative_to_control_where_gbstats_does_not() {
    // A large effect: what is left out of gbstats' variance matters.
    let run = |draw: &mut Draw| {
        let control = moments_of((0..300).map(|_| unit(draw, 0.95, -8.0)));
        let treatment = moments_of((0..300).map(|_| unit(draw, 0.95, 0.0)));
        cuped(Metric::mean(0), &[Metric::mean(1)], &control, &treatment).unwrap().contrast
    };
    assert_covers("CUPED, relative", 2000, |mut draw| Some(fixed(&run(&mut draw), Scale::Relative, 4.0)));
    let theirs = share(2000, |mut draw| {
        let contrast = run(&mut draw);
        let (base, other) = (contrast.control.raw, contrast.treatment.raw);
        let variance = contrast.treatment.variance / base.powi(2) + contrast.control.variance * other.powi(2) / base.powi(4);
        Some((contrast.relative().unwrap().0 - 4.0).abs() <= 1.96 * variance.sqrt())
    });
    println!("CUPED, relative, gbstats' variance: {:.1} %", 100.0 * theirs);
    assert!(theirs < 0.9, "{theirs}");
}

#[test]
fn cuped_of_ratios_covers() {
    let row = |draw: &mut Draw, effect: f64| {
        let keen = draw.uniform();
        let (sessions, before) = (1.0 + poisson(draw, 2.0 + keen), 1.0 + poisson(draw, 2.0 + keen));
        let orders = poisson(draw, sessions * (0.2 + 0.6 * keen + effect));
        [orders, sessions, poisson(draw, before * (0.2 + 0.6 * keen)), before]
    };
    // E[sessions · (0.2 + 0.6 keen + effect)] / E[sessions]; the effect is added per session.
    assert_covers("CUPED of a ratio", 1000, |mut draw| {
        let control = moments_of((0..400).map(|_| row(&mut draw, 0.0)));
        let treatment = moments_of((0..400).map(|_| row(&mut draw, 0.1)));
        let adjusted = cuped(Metric::ratio(0, 1), &[Metric::ratio(2, 3)], &control, &treatment).unwrap();
        assert!(adjusted.variance_reduction > 0.0);
        Some(fixed(&adjusted.contrast, Scale::Absolute, 0.1))
    });
}

#[test]
fn post_stratification_covers_and_is_narrower() {
    // Strata with different means and effects: 0, 1 and 2 of 50, 30 and 20 %.
    let run = |draw: &mut Draw| {
        let mut cells = vec![Moments::empty(1); 6];
        for row in 0..600 {
            let stratum = [0, 0, 0, 0, 0, 1, 1, 1, 2, 2][draw.below(10)];
            let arm = row % 2;
            let effect = [0.0, 1.0, 2.0][stratum] * arm as f64;
            cells[cell(arm as u32, stratum as u32, 3) as usize].push(&[4.0 * stratum as f64 + effect + draw.normal()]);
        }
        let arms = by_arm(&cells, 3);
        let whole = |arm: usize| arms[arm].iter().fold(Moments::empty(1), |sum, moments| sum.merged(moments));
        (post_stratified(Metric::mean(0), &arms[0], &arms[1]).unwrap(), unadjusted(Metric::mean(0), &whole(0), &whole(1)).unwrap())
    };
    assert_covers("post-stratified", 1500, |mut draw| Some(fixed(&run(&mut draw).0, Scale::Absolute, 0.7)));
    assert_covers("post-stratified, relative", 1500, |mut draw| Some(fixed(&run(&mut draw).0, Scale::Relative, 0.7 / 2.8)));
    let (adjusted, plain) = run(&mut Draw::seeded(3));
    assert!(adjusted.absolute().1 < 0.3 * plain.absolute().1);
}

#[test]
fn post_stratified_ratios_cover() {
    // Orders per session: two strata whose sessions and rates differ; the effect is on the rate of all.
    assert_covers("post-stratified ratio", 1500, |mut draw| {
        let mut cells = vec![Moments::empty(2); 4];
        for row in 0..800_u32 {
            let (stratum, arm) = (u32::from(draw.uniform() < 0.3), row % 2);
            let sessions = 1.0 + poisson(&mut draw, 1.0 + 3.0 * f64::from(stratum));
            let rate = 0.2 + 0.3 * f64::from(stratum) + 0.05 * f64::from(arm);
            cells[cell(arm, stratum, 2) as usize].push(&[poisson(&mut draw, sessions * rate), sessions]);
        }
        let arms = by_arm(&cells, 2);
        Some(fixed(&post_stratified(Metric::ratio(0, 1), &arms[0], &arms[1]).unwrap(), Scale::Absolute, 0.05))
    });
}

/// Outcome, two covariates: their slopes and the spread depend on the arm.
fn covariates(draw: &mut Draw, arm: u32) -> [f64; 3] {
    let (x, z) = (draw.normal(), draw.uniform());
    let treated = f64::from(arm);
    let noise = draw.normal() * (0.5 + x * x) * (1.0 + treated);
    [3.0 + treated + (2.0 + treated) * x - 4.0 * z + noise, x, z]
}

#[test]
fn regression_adjustment_covers_with_unequal_slopes_and_spread() {
    let run = |draw: &mut Draw, adjustment: Adjustment, robust: Robust| {
        let group: Vec<u32> = (0..400).map(|row| u32::from(row % 4 == 0)).collect();
        let rows: Vec<[f64; 3]> = group.iter().map(|&arm| covariates(draw, arm)).collect();
        let columns: Vec<Vec<f64>> = (0..3).map(|column| rows.iter().map(|row| row[column]).collect()).collect();
        let columns: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
        regression(Rows { columns: &columns, names: &[], group: &group }, adjustment, robust).unwrap()
    };
    for (adjustment, robust) in
        [(Adjustment::Interacted, Robust::Hc2), (Adjustment::Interacted, Robust::Hc3), (Adjustment::Ancova, Robust::Hc2)]
    {
        assert_covers(&format!("{adjustment:?}, {robust:?}"), 1500, |mut draw| {
            Some(fixed(&run(&mut draw, adjustment, robust), Scale::Absolute, 1.0))
        });
    }
    let classical = share(1500, |mut draw| Some(fixed(&run(&mut draw, Adjustment::Ancova, Robust::Classical), Scale::Absolute, 1.0)));
    println!("Ancova, classical, unequal spread: {:.1} %", 100.0 * classical);
    assert!(classical < 0.93, "{classical}");
}

#[test]
fn switchbacks_cover_with_burn_in_and_are_biased_without() {
    let design = SwitchbackDesign { start: 0, period: 12, burn_in: 3 };
    let run = |draw: &mut Draw, burn_in: i64| {
        let (mut time, mut place, mut arms, mut values) = (vec![], vec![], vec![], vec![]);
        for city in 0..4_u32 {
            let mut level: f64 = 0.0;
            for period in 0..30_i64 {
                let arm = u32::from(draw.uniform() < 0.5);
                let common = 0.3 * draw.normal();
                for hour in 0..12 {
                    // Half of the way to the new level every hour, and a bit left over for three.
                    level = if hour >= 3 { f64::from(arm) } else { 0.5 * level + 0.5 * f64::from(arm) };
                    time.push(12 * period + hour);
                    place.push(city);
                    arms.push(arm);
                    values.push(level + common + draw.normal());
                }
            }
        }
        let rows = SwitchbackRows { columns: &[&values], time: &time, place: &place, arm: &arms };
        let found = switchback(SwitchbackDesign { burn_in, ..design }, rows).unwrap();
        let moments = found.periods.moments(2).unwrap();
        unadjusted(found.periods.mean_per_row(0), &moments[0], &moments[1]).unwrap()
    };
    assert_covers("switchback with burn-in", 1000, |mut draw| Some(fixed(&run(&mut draw, 3), Scale::Absolute, 1.0)));
    let without = (0..200).map(|seed| run(&mut Draw::seeded(seed), 0).absolute().0).sum::<f64>() / 200.0;
    println!("switchback without burn-in: {without:.3} where 1 is true");
    assert!(without < 0.95, "{without}");
}

#[test]
fn credible_intervals_cover_effects_drawn_from_the_prior() {
    let prior = Prior { mean: 0.1, sd: 0.2, scale: Scale::Absolute };
    assert_covers("posterior", 2000, |mut draw| {
        let truth = prior.mean + prior.sd * draw.normal();
        let control = moments_of((0..100).map(|_| [5.0 + draw.normal()]));
        let treatment = moments_of((0..100).map(|_| [5.0 + truth + draw.normal()]));
        let contrast = unadjusted(Metric::mean(0), &control, &treatment).unwrap();
        let posterior = bayesian(&contrast, Scale::Absolute, Bayesian { prior: Some(prior), ..Bayesian::default() }).unwrap();
        Some(within(posterior.low, posterior.high, truth))
    });
}
