//! Layer normalisation.

use super::matmul::arch;
use super::parameters::{Parameters, Slot};
use super::vector::sum_by;

/// y = (x − mean) / deviation × scale + shift, each token by itself (Ba, Kiros & Hinton 2016).
#[derive(Debug, Clone)]
pub(super) struct Norm {
    scale: Slot,
    shift: Slot,
}

/// Added to the variance.
const FLOOR: f32 = 1e-5;

impl Norm {
    pub(super) fn new(width: usize, parameters: &mut Parameters) -> Self {
        Self { scale: parameters.constant(1, width, 1.0), shift: parameters.constant(1, width, 0.0) }
    }

    /// `y` from `x`, both \[tokens, width\].
    pub(super) fn forward(&self, parameters: &Parameters, x: &[f32], y: &mut [f32]) {
        let (scale, shift) = (self.scale.of(&parameters.values), self.shift.of(&parameters.values));
        let width = scale.len();
        arch().dispatch(
            #[inline(always)]
            || {
                for (x, y) in x.chunks_exact(width).zip(y.chunks_exact_mut(width)) {
                    let (mean, inverse) = moments(x);
                    for (((x, y), scale), shift) in x.iter().zip(y).zip(scale).zip(shift) {
                        *y = (x - mean) * inverse * scale + shift;
                    }
                }
            },
        );
    }

    /// Adds to `dx` and to `gradient`.
    pub(super) fn backward(&self, parameters: &Parameters, x: &[f32], dy: &[f32], dx: &mut [f32], gradient: &mut [f32]) {
        let scale = self.scale.of(&parameters.values);
        let width = scale.len();
        let mut sums = vec![0.0_f32; 3 * width];
        arch().dispatch(
            #[inline(always)]
            || {
                let (scaled, sums) = sums.split_at_mut(width);
                let (scales, shifts) = sums.split_at_mut(width);
                for ((x, dy), dx) in x.chunks_exact(width).zip(dy.chunks_exact(width)).zip(dx.chunks_exact_mut(width)) {
                    let (mean, inverse) = moments(x);
                    for ((((scales, shifts), scaled), (x, dy)), scale) in
                        scales.iter_mut().zip(&mut *shifts).zip(&mut *scaled).zip(x.iter().zip(dy)).zip(scale)
                    {
                        *scales += dy * (x - mean) * inverse;
                        *shifts += dy;
                        *scaled = dy * scale;
                    }
                    let share = 1.0 / width as f32;
                    let along = sum_by(scaled, x, |scaled, _| scaled) * share;
                    let across = sum_by(scaled, x, |scaled, x| scaled * (x - mean)) * inverse * inverse * share;
                    for ((dx, x), scaled) in dx.iter_mut().zip(x).zip(&*scaled) {
                        *dx += inverse * (scaled - along - (x - mean) * across);
                    }
                }
            },
        );
        for (slot, sums) in [self.scale, self.shift].iter().zip(sums[width..].chunks_exact(width)) {
            for (gradient, sum) in slot.of_mut(gradient).iter_mut().zip(sums) {
                *gradient += sum;
            }
        }
    }
}

/// The mean, and one over the standard deviation.
#[inline(always)]
fn moments(x: &[f32]) -> (f32, f32) {
    let share = 1.0 / x.len() as f32;
    let mean = sum_by(x, x, |x, _| x) * share;
    let variance = sum_by(x, x, |x, _| (x - mean) * (x - mean)) * share;
    (mean, 1.0 / (variance + FLOOR).sqrt())
}
