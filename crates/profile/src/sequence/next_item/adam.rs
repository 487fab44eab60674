//! Adam (Kingma & Ba 2015), and its lazy kind for rows that few steps touch.

use super::matmul::arch;

/// First and second moments of one list of numbers.
#[derive(Debug, Clone)]
pub(super) struct Moments {
    pub(super) first: Vec<f32>,
    pub(super) second: Vec<f32>,
}

impl Moments {
    pub(super) fn new(count: usize) -> Self {
        Self { first: vec![0.0; count], second: vec![0.0; count] }
    }
}

/// One step's constants.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    rate: f32,
    /// One over the square root of the second moment's bias.
    unbias: f32,
}

const FIRST: f32 = 0.9;
const SECOND: f32 = 0.999;
const FLOOR: f32 = 1e-8;

impl Step {
    /// Step `number`, from 1. Rows untouched for some steps count those as well, as PyTorch's
    /// `SparseAdam` does.
    pub(super) fn new(number: u64, rate: f64) -> Self {
        let power = i32::try_from(number).unwrap_or(i32::MAX);
        let first = 1.0 - f64::from(FIRST).powi(power);
        let second = 1.0 - f64::from(SECOND).powi(power);
        Self { rate: (rate / first) as f32, unbias: (1.0 / second.sqrt()) as f32 }
    }

    /// Moves `values` against `gradient`.
    pub(super) fn apply(self, values: &mut [f32], first: &mut [f32], second: &mut [f32], gradient: &[f32]) {
        arch().dispatch(
            #[inline(always)]
            || {
                for (((value, first), second), gradient) in values.iter_mut().zip(first).zip(second).zip(gradient) {
                    *first = FIRST * *first + (1.0 - FIRST) * gradient;
                    *second = SECOND * *second + (1.0 - SECOND) * gradient * gradient;
                    *value -= self.rate * *first / (second.sqrt() * self.unbias + FLOOR);
                }
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_definition() {
        let (mut value, mut m, mut v) = ([1.0_f32], [0.0_f32], [0.0_f32]);
        let (mut expected, mut first, mut second) = (1.0_f64, 0.0_f64, 0.0_f64);
        for (number, gradient) in [(1, 0.5_f32), (2, -2.0), (3, 0.01)] {
            Step::new(number, 0.1).apply(&mut value, &mut m, &mut v, &[gradient]);
            let gradient = f64::from(gradient);
            first = 0.9 * first + 0.1 * gradient;
            second = 0.999 * second + 0.001 * gradient * gradient;
            let power = i32::try_from(number).unwrap();
            let (one, two) = (first / (1.0 - 0.9_f64.powi(power)), second / (1.0 - 0.999_f64.powi(power)));
            expected -= 0.1 * one / (two.sqrt() + 1e-8);
            assert!((f64::from(value[0]) - expected).abs() < 1e-5, "{} {expected}", value[0]);
        }
    }
}
