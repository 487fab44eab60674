//! Bootstrap intervals of ratios of sums, in one pass over the rounds.
//!
//! The Poisson bootstrap (Chamandy, Muralidharan, Najmi and Naidu 2012): in each draw a unit counts N times, where
//! N is Poisson with mean 1, independent of all other units, so that blocks can be drawn one after the other and
//! merged. The N of a unit come from a stream of its own, so that a customer's rounds count together wherever they
//! stand in the log, and neither blocks nor threads change a bit.
//!
//! N is read from 16 bits: probabilities are multiples of 2⁻¹⁶, chosen so that mean and variance are exactly 1, and no
//! N is above 8 (Poisson's chance of that is 10⁻⁶).

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;
use youhui_commerce::Draw;

/// Draws that one thread takes at a time.
const LANES: usize = 64;
/// Units whose sums are added at once.
const STEP: usize = 4;
/// How many of 65,536 are at most 0, 1, …, 7: of Poisson(1), with mean and variance exactly 1.
const AT_MOST: [u16; 8] = [24_106, 48_222, 60_274, 64_292, 65_296, 65_497, 65_530, 65_535];

/// How many draws, and from which stream of chance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bootstrap {
    /// Draws; at least 100.
    pub draws: usize,
    /// Seed: the same one gives the same interval with any number of threads.
    pub seed: u64,
}

/// Sums over units of `columns` variables, for each draw.
#[derive(Debug, Clone)]
pub(super) struct Drawn {
    bootstrap: Bootstrap,
    columns: usize,
    /// Of each `LANES` draws, `[column][lane]`.
    sums: Vec<Vec<f64>>,
}

impl Drawn {
    pub(super) fn new(bootstrap: Bootstrap, columns: usize) -> Self {
        Self { bootstrap, columns, sums: vec![vec![0.0; columns * LANES]; bootstrap.draws.div_ceil(LANES)] }
    }

    /// Adds rounds: `values` is `[round][column]`.
    pub(super) fn add(&mut self, units: &[u64], values: &[f64]) {
        let (columns, seed, arch) = (self.columns, self.bootstrap.seed, Arch::new());
        self.sums.par_iter_mut().enumerate().for_each(|(chunk, sums)| {
            arch.dispatch(AddRounds { sums, units, values, columns, seed, chunk: chunk as u64 });
        });
    }

    pub(super) const fn bootstrap(&self) -> Bootstrap {
        self.bootstrap
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (sums, parts) in self.sums.iter_mut().zip(&other.sums) {
            sums.iter_mut().zip(parts).for_each(|(sum, part)| *sum += part);
        }
    }

    /// What `value` makes of each draw's sums; draws in which it is undefined are left out.
    pub(super) fn values(&self, value: impl Fn(&[f64]) -> Option<f64>) -> Vec<f64> {
        let mut of_draw = vec![0.0; self.columns];
        (0..self.bootstrap.draws)
            .filter_map(|draw| {
                let (sums, lane) = (&self.sums[draw / LANES], draw % LANES);
                of_draw.iter_mut().enumerate().for_each(|(column, sum)| *sum = sums[column * LANES + lane]);
                value(&of_draw).filter(|value| value.is_finite())
            })
            .collect()
    }

    /// The percentile interval (Efron 1979); `None` where more than a tenth of the draws are undefined.
    pub(super) fn interval(&self, alpha: f64, value: impl Fn(&[f64]) -> Option<f64>) -> Option<(f64, f64)> {
        let mut values = self.values(value);
        if values.len() * 10 < self.bootstrap.draws * 9 {
            return None;
        }
        values.sort_by(f64::total_cmp);
        Some((quantile(&values, alpha / 2.0), quantile(&values, 1.0 - alpha / 2.0)))
    }
}

/// Adds rounds to the sums of one chunk of draws, compiled for the widest instructions there are. No sum is reordered, so
/// that all processors give the same bits.
struct AddRounds<'a> {
    sums: &'a mut [f64],
    units: &'a [u64],
    values: &'a [f64],
    columns: usize,
    seed: u64,
    chunk: u64,
}

impl WithSimd for AddRounds<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { sums, units, values, columns, seed, chunk } = self;
        let mut counts = [[0.0; LANES]; STEP];
        for (units, values) in units.chunks(STEP).zip(values.chunks(STEP * columns)) {
            for (counts, &unit) in counts.iter_mut().zip(units) {
                poisson(counts, seed, unit, chunk);
            }
            if units.len() == STEP {
                for (column, sums) in sums.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
                    let of: [f64; STEP] = std::array::from_fn(|step| values[step * columns + column]);
                    for (lane, sum) in sums.iter_mut().enumerate() {
                        *sum += (of[0] * counts[0][lane] + of[1] * counts[1][lane]) + (of[2] * counts[2][lane] + of[3] * counts[3][lane]);
                    }
                }
            } else {
                for (values, counts) in values.chunks(columns).zip(&counts) {
                    for (sums, value) in sums.chunks_mut(LANES).zip(values) {
                        sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += value * count);
                    }
                }
            }
        }
    }
}

/// How often a unit counts in the draws of a chunk.
#[allow(clippy::cast_possible_truncation, reason = "16 bits are taken at a time")]
#[inline(always)]
fn poisson(counts: &mut [f64; LANES], seed: u64, unit: u64, chunk: u64) {
    // One stream a unit; a chunk begins where the one before ends.
    const STRIDE: u64 = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(LANES as u64 / 4);
    let start = Draw::seeded(seed ^ Draw::seeded(unit).bits()).bits();
    let mut stream = Draw::seeded(start.wrapping_add(STRIDE.wrapping_mul(chunk)));
    let mut bits = [0_u16; LANES];
    for four in bits.as_chunks_mut::<4>().0 {
        let random = stream.bits();
        *four = [random as u16, (random >> 16) as u16, (random >> 32) as u16, (random >> 48) as u16];
    }
    let mut times = [0_u16; LANES];
    for limit in AT_MOST {
        times.iter_mut().zip(&bits).for_each(|(times, &bits)| *times += u16::from(bits >= limit));
    }
    counts.iter_mut().zip(&times).for_each(|(count, &times)| *count = f64::from(times));
}

/// Linear between the two values beside it, as numpy's default.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in a list")]
pub(super) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let (below, part) = (place.floor() as usize, place.fract());
    let above = sorted[(below + 1).min(sorted.len() - 1)];
    sorted[below] + part * (above - sorted[below])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_poissons_chances_with_mean_and_variance_one() {
        let mut of: Vec<u32> = AT_MOST.windows(2).map(|pair| u32::from(pair[1] - pair[0])).collect();
        of.insert(0, u32::from(AT_MOST[0]));
        of.push(65_536 - u32::from(AT_MOST[7]));
        let moment = |power: u32| of.iter().zip(0_u32..).map(|(chance, times)| chance * times.pow(power)).sum::<u32>();
        assert_eq!((of.iter().sum::<u32>(), moment(1), moment(2)), (65_536, 65_536, 131_072));
        let mut poisson = (-1.0_f64).exp();
        for (times, &chance) in of.iter().enumerate() {
            assert!((f64::from(chance) / 65_536.0 - poisson).abs() < 2e-4, "{times}");
            poisson /= (times + 1) as f64;
        }
    }

    #[test]
    fn blocks_and_merges_draw_the_same() {
        let units: Vec<u64> = (0..103).collect();
        let values: Vec<f64> = units.iter().flat_map(|&unit| [1.0, unit as f64]).collect();
        let bootstrap = Bootstrap { draws: 130, seed: 3 };
        let mut whole = Drawn::new(bootstrap, 2);
        whole.add(&units, &values);
        let mut parts = Drawn::new(bootstrap, 2);
        parts.add(&units[..50], &values[..100]);
        let mut rest = Drawn::new(bootstrap, 2);
        rest.add(&units[50..], &values[100..]);
        parts.merge(&rest);
        // Whole numbers: sums are exact in any order.
        assert_eq!(whole.values(|sums| Some(sums[1] / sums[0])), parts.values(|sums| Some(sums[1] / sums[0])));
        // Draws differ, and their spread is the standard error of a mean.
        let means = whole.values(|sums| Some(sums[1] / sums[0]));
        let mean = means.iter().sum::<f64>() / 130.0;
        let spread = (means.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 129.0).sqrt();
        let expected = (units.iter().map(|&unit| (unit as f64 - 51.0).powi(2)).sum::<f64>() / 103.0 / 103.0).sqrt();
        assert!((mean - 51.0).abs() < 1.0 && (spread / expected - 1.0).abs() < 0.2, "{mean} {spread} {expected}");
    }
}
