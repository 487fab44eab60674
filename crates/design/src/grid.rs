//! Depths to try, from what the margin can carry and what demand answers.

/// Nothing deeper is designed, whatever the margin: half off is a sale of another kind.
const DEEPEST: f64 = 0.5;

/// The deepest cut that leaves `floor` of the amount as margin: (m − d)/(1 − d) ≥ f.
pub(crate) fn deepest(margin: f64, floor: f64) -> f64 {
    let deepest = (margin - floor) / (1.0 - floor);
    if deepest.is_finite() { deepest.clamp(0.0, DEEPEST) } else { 0.0 }
}

/// The cut that earns most where demand has a constant elasticity ε: the price c ε/(ε − 1) for a cost c of
/// 1 − m (Lerner 1934); `None` where no cut earns more than none, that is ε m ≤ 1.
pub(crate) fn best_cut(margin: f64, elasticity: f64) -> Option<f64> {
    let cut = 1.0 - (1.0 - margin) * elasticity / (elasticity - 1.0);
    (elasticity > 1.0 && cut > 0.0 && cut.is_finite()).then_some(cut)
}

/// Up to four depths in basis points, ascending: around the cut that earns most where the elasticity
/// is known, the shallow half where it says that no cut pays by itself, spread evenly where nothing is known.
/// Where the margin carries nothing it is one per cent, which the gate refuses in words.
pub(crate) fn depths(margin: f64, floor: f64, elasticity: Option<f64>) -> Vec<u32> {
    let deepest = deepest(margin, floor);
    let tries = match elasticity.filter(|elasticity| elasticity.is_finite()).map(|elasticity| best_cut(margin, elasticity)) {
        Some(Some(best)) if best < deepest => [0.5 * best, best, 0.5 * (best + deepest), deepest],
        Some(None) => [0.125, 0.25, 0.375, 0.5].map(|share| share * deepest),
        _ => [0.25, 0.5, 0.75, 1.0].map(|share| share * deepest),
    };
    let mut depths: Vec<u32> = tries.into_iter().map(round_down).filter(|depth| *depth >= 100).collect();
    depths.dedup();
    if depths.is_empty() { vec![100] } else { depths }
}

/// Whole per cents from 5 % on, halves below: never deeper than asked for.
pub(crate) fn round_down(depth: f64) -> u32 {
    let step = if depth < 0.05 { 50.0 } else { 100.0 };
    // A hair, so that 15 % of a binary fraction is 15 %.
    let steps = youhui_profile::shop::to_minor((depth * 10_000.0 / step + 1e-9).floor());
    u32::try_from(steps).unwrap_or(0) * if depth < 0.05 { 50 } else { 100 }
}

/// A price less a share of it, half a unit up for the customer, as the engine rounds.
pub(crate) fn reduced(price: i64, basis_points: u32) -> i64 {
    let off = (i128::from(price) * i128::from(basis_points) + 5_000) / 10_000;
    price - i64::try_from(off).unwrap_or(price)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn depths_follow_margin_and_elasticity() {
        assert_eq!(depths(0.28, 0.05, None), [600, 1200, 1800, 2400]);
        // At a margin of 40 % and an elasticity of 3 the best cut is 1 − 0.6 × 1.5 = 10 %.
        assert_eq!(depths(0.4, 0.05, Some(3.0)), [500, 1000, 2300, 3600]);
        assert_eq!(depths(0.28, 0.05, Some(0.8)), [300, 600, 900, 1200], "no cut pays by itself");
        assert_eq!(depths(0.05, 0.05, None), [100], "which the gate refuses");
        for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, 0.0] {
            assert_eq!(depths(odd, 0.05, None), [100], "{odd}");
            assert!(deepest(0.5, if odd == 0.0 { 1.0 } else { odd }) <= 0.5);
            assert!(!depths(0.3, 0.0, Some(odd)).is_empty());
        }
    }

    proptest! {
        #[test]
        fn no_depth_takes_the_floor(margin in 0.0_f64..1.0, floor in 0.0_f64..0.9, elasticity in prop::option::of(-1.0_f64..9.0)) {
            let depths = depths(margin, floor, elasticity);
            prop_assert!(depths.windows(2).all(|pair| pair[0] < pair[1]));
            for depth in depths.into_iter().filter(|depth| *depth > 100) {
                let depth = f64::from(depth) / 10_000.0;
                prop_assert!((margin - depth) / (1.0 - depth) >= floor - 1e-9);
            }
        }

        #[test]
        fn the_best_cut_earns_more_than_its_neighbours(margin in 0.05_f64..0.95, elasticity in 1.05_f64..8.0) {
            let profit = |cut: f64| (margin - cut) * (1.0 - cut).powf(-elasticity);
            let best = best_cut(margin, elasticity).unwrap_or(0.0);
            prop_assert!(profit(best) >= profit(best + 0.01) - 1e-12);
            prop_assert!(best < 0.01 || profit(best) >= profit(best - 0.01) - 1e-12);
        }
    }
}
