//! Element-wise work on slices, compiled for the widest instructions the processor has.

use super::matmul::arch;

/// e^x to about 2·10⁻⁷ of its value, without a branch: Cephes' `expf` (Moshier 1992). 0 far below,
/// finite far above.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    /// Adding it leaves the nearest whole number in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 88.0);
    let whole = x * std::f32::consts::LOG2_E + ROUND;
    let scale = f32::from_bits((whole.to_bits() << 23).wrapping_add(1.0_f32.to_bits()));
    let whole = whole - ROUND;
    let rest = (x - whole * 0.693_359_4) + whole * 2.121_944_4e-4;
    let series = 1.987_569_1e-4;
    let series = series * rest + 1.398_199_9e-3;
    let series = series * rest + 8.333_452e-3;
    let series = series * rest + 4.166_579_6e-2;
    let series = series * rest + 0.166_666_65;
    let series = series * rest + 0.5;
    (series * rest * rest + rest + 1.0) * scale
}

/// Partial sums that one register holds.
const PARTS: usize = 16;

/// Sum of `term` over pairs of numbers, in sixteen partial sums.
#[inline(always)]
pub(super) fn sum_by(one: &[f32], two: &[f32], term: impl Fn(f32, f32) -> f32) -> f32 {
    let mut sums = [0.0_f32; PARTS];
    let (ones, one_rest) = one.as_chunks::<PARTS>();
    let (twos, two_rest) = two.as_chunks::<PARTS>();
    for (one, two) in ones.iter().zip(twos) {
        for part in 0..PARTS {
            sums[part] += term(one[part], two[part]);
        }
    }
    let rest: f32 = one_rest.iter().zip(two_rest).map(|(&one, &two)| term(one, two)).sum();
    sums.iter().sum::<f32>() + rest
}

/// The largest number; negative infinity without one.
#[inline(always)]
pub(super) fn max(values: &[f32]) -> f32 {
    let mut most = [f32::NEG_INFINITY; PARTS];
    let (chunks, rest) = values.as_chunks::<PARTS>();
    for chunk in chunks {
        for part in 0..PARTS {
            most[part] = if chunk[part] > most[part] { chunk[part] } else { most[part] };
        }
    }
    most.iter().chain(rest).fold(f32::NEG_INFINITY, |most, &value| most.max(value))
}

/// Inner product.
pub(super) fn dot(one: &[f32], two: &[f32]) -> f32 {
    arch().dispatch(
        #[inline(always)]
        || sum_by(one, two, |one, two| one * two),
    )
}

/// `sum` += `factor` × `values`.
pub(super) fn add_scaled(sum: &mut [f32], factor: f32, values: &[f32]) {
    arch().dispatch(
        #[inline(always)]
        || {
            for (sum, value) in sum.iter_mut().zip(values) {
                *sum += factor * value;
            }
        },
    );
}

/// `bias` += the sum of the rows of `values`.
pub(super) fn add_columns(bias: &mut [f32], values: &[f32]) {
    let width = bias.len();
    arch().dispatch(
        #[inline(always)]
        || {
            for line in values.chunks_exact(width) {
                for (sum, value) in bias.iter_mut().zip(line) {
                    *sum += value;
                }
            }
        },
    );
}

/// Multiplies by 0 with probability `rate` and by 1/(1 − `rate`) otherwise (Srivastava et al.
/// 2014). The same key gives the same zeros, so that the way back needs no mask.
pub(super) fn dropout(values: &mut [f32], rate: f32, key: u64) {
    if rate <= 0.0 {
        return;
    }
    let limit = (f64::from(rate) * f64::from(u32::MAX)) as u32;
    let keep = 1.0 / (1.0 - rate);
    let (low, high) = (key as u32, (key >> 32) as u32);
    arch().dispatch(
        #[inline(always)]
        || {
            for (place, value) in values.iter_mut().enumerate() {
                // A 32-bit mixer of the kind that Wellons' hash-prospector (2018) finds, of a counter.
                let mut hash = (place as u32).wrapping_mul(0x9e37_79b9) ^ low;
                hash = (hash ^ (hash >> 16)).wrapping_mul(0x21f0_aaad);
                hash = (hash ^ (hash >> 15) ^ high).wrapping_mul(0x735a_2d97);
                hash ^= hash >> 15;
                *value *= if hash < limit { 0.0 } else { keep };
            }
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_exact_to_a_few_units_in_the_last_place() {
        for step in -8_700..8_800_i16 {
            let x = f32::from(step) / 100.0;
            let (found, expected) = (f64::from(exp(x)), f64::from(x).exp());
            assert!((found / expected - 1.0).abs() < 3e-7, "{x}: {found} {expected}");
        }
        assert!(exp(f32::NEG_INFINITY) < 1e-37 && exp(1e9).is_finite());
    }

    #[test]
    fn dropout_keeps_the_mean_and_repeats() {
        let mut values = vec![1.0_f32; 100_000];
        dropout(&mut values, 0.3, 77);
        let zeros = values.iter().filter(|&&value| value == 0.0).count() as f64 / 1e5;
        assert!((zeros - 0.3).abs() < 0.01, "{zeros}");
        let mean = values.iter().map(|&value| f64::from(value)).sum::<f64>() / 1e5;
        assert!((mean - 1.0).abs() < 0.01, "{mean}");
        let (mut again, mut other) = (vec![1.0; 100_000], vec![1.0; 100_000]);
        dropout(&mut again, 0.3, 77);
        dropout(&mut other, 0.3, 78);
        assert_eq!(values, again);
        let same = values.iter().zip(&other).filter(|(one, two)| one == two).count() as f64 / 1e5;
        assert!((same - 0.58).abs() < 0.02, "{same}");
    }

    #[test]
    fn sums_and_maxima_count_every_number() {
        let values: Vec<f32> = (0..37_u8).map(f32::from).collect();
        assert_eq!(dot(&values, &values), (0..37_u16).map(|x| f32::from(x * x)).sum::<f32>());
        assert_eq!(max(&values), 36.0);
        assert_eq!(max(&[]), f32::NEG_INFINITY);
    }
}
