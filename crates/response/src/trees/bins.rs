//! Values in at most 255 bins a column, so that a tree looks for splits in counts and not in values.

use rayon::prelude::*;

use crate::matrix::Matrix;

/// Most values that the cuts of a column are taken from.
const SAMPLE: usize = 100_000;
/// Most bins of a column, without the one for missing values.
pub(crate) const MOST_BINS: usize = 255;

/// The bins of a matrix, row by row. Bin 0 is missing; bin `b` holds values up to `cuts[b − 1]`, the
/// last all above.
#[derive(Debug, Clone)]
pub(crate) struct Bins {
    pub(crate) columns: usize,
    pub(crate) cuts: Vec<Vec<f32>>,
    codes: Vec<u8>,
    /// Whether a column has missing values.
    pub(crate) missing: Vec<bool>,
}

impl Bins {
    pub(crate) fn new(matrix: &Matrix, most: usize) -> Self {
        let columns = matrix.columns();
        let cuts: Vec<Vec<f32>> = (0..columns).into_par_iter().map(|column| cuts(matrix, column, most)).collect();
        let mut codes = vec![0_u8; matrix.values().len()];
        codes.par_chunks_mut(columns * 4096).zip(matrix.values().par_chunks(columns * 4096)).for_each(|(codes, values)| {
            // A column at a time, so that its cuts stay near.
            for (column, cuts) in cuts.iter().enumerate() {
                let of_column = codes.iter_mut().skip(column).step_by(columns);
                of_column.zip(values.iter().skip(column).step_by(columns)).for_each(|(code, value)| *code = bin(cuts, *value));
            }
        });
        let missing = (0..columns).map(|column| codes.iter().skip(column).step_by(columns).any(|code| *code == 0)).collect();
        Self { columns, cuts, codes, missing }
    }

    /// The rows in the order of `places`.
    pub(crate) fn pick(&self, places: &[u32]) -> Self {
        let codes = places.iter().flat_map(|&row| self.row(row)).copied().collect();
        Self { columns: self.columns, cuts: self.cuts.clone(), codes, missing: self.missing.clone() }
    }

    pub(crate) fn row(&self, row: u32) -> &[u8] {
        let start = row as usize * self.columns;
        &self.codes[start..start + self.columns]
    }

    pub(crate) fn code(&self, row: u32, column: usize) -> u8 {
        self.codes[row as usize * self.columns + column]
    }

    /// The codes column by column.
    pub(crate) fn by_column(&self) -> Vec<Vec<u8>> {
        (0..self.columns).map(|column| self.codes.iter().skip(column).step_by(self.columns).copied().collect()).collect()
    }
}

/// The bin of a value, by halves without a branch to mispredict.
#[allow(clippy::cast_possible_truncation, reason = "at most 254 cuts")]
fn bin(cuts: &[f32], value: f32) -> u8 {
    if value.is_nan() {
        return 0;
    }
    let (mut base, mut size) = (0, cuts.len());
    while size > 1 {
        let half = size / 2;
        base += usize::from(cuts[base + half - 1] < value) * half;
        size -= half;
    }
    1 + (base + usize::from(cuts.get(base).is_some_and(|cut| *cut < value))) as u8
}

/// Where a column is cut: between neighbours where it has few values, else at quantiles.
fn cuts(matrix: &Matrix, column: usize, most: usize) -> Vec<f32> {
    let step = matrix.rows().div_ceil(SAMPLE).max(1);
    let mut sample: Vec<f32> =
        (0..matrix.rows()).step_by(step).map(|row| matrix.row(row)[column]).filter(|value| !value.is_nan()).collect();
    sample.sort_unstable_by(f32::total_cmp);
    let mut distinct = sample.clone();
    distinct.dedup();
    let mut cuts: Vec<f32> = if distinct.len() <= most {
        distinct.windows(2).map(|pair| between(pair[0], pair[1])).collect()
    } else {
        let at = |place: usize| sample[place * (sample.len() - 1) / most];
        (1..most).map(at).collect()
    };
    cuts.dedup();
    cuts
}

/// A value that is not below `low` and below `high`.
fn between(low: f32, high: f32) -> f32 {
    let middle = low + (high - low) / 2.0;
    if middle.is_finite() && middle < high { middle } else { low }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_bin_holds_values_up_to_its_cut(mut cuts in prop::collection::vec(-9.0_f32..9.0, 0..254), value in -10.0_f32..10.0) {
            cuts.sort_unstable_by(f32::total_cmp);
            let at = bin(&cuts, value);
            prop_assert_eq!(usize::from(at), 1 + cuts.partition_point(|cut| *cut < value));
        }
    }
}
