//! Adam (Kingma and Ba 2015) with decoupled weight decay (Loshchilov and Hutter 2019).

use crate::simd::arch;

/// Moments of every weight.
#[derive(Debug)]
pub(crate) struct Adam {
    first: Vec<f32>,
    second: Vec<f32>,
    steps: i32,
}

const DECAYS: [f32; 2] = [0.9, 0.999];
const EPSILON: f32 = 1e-8;

impl Adam {
    pub(crate) fn new(weights: usize) -> Self {
        Self { first: vec![0.0; weights], second: vec![0.0; weights], steps: 0 }
    }

    /// Moves the weights against their gradient.
    pub(crate) fn step(&mut self, weights: &mut [f32], gradient: &[f32], rate: f32, decay: f32) {
        self.steps += 1;
        let [one, two] = DECAYS.map(|decay| 1.0 - decay.powi(self.steps));
        // The correction of both moments' beginning at zero, in the rate (section 2 of the paper).
        let corrected = rate * two.sqrt() / one;
        let epsilon = EPSILON * two.sqrt();
        arch().dispatch(
            #[inline(always)]
            || {
                let moments = self.first.iter_mut().zip(&mut self.second);
                for ((weight, gradient), (first, second)) in weights.iter_mut().zip(gradient).zip(moments) {
                    *first += (1.0 - DECAYS[0]) * (gradient - *first);
                    *second += (1.0 - DECAYS[1]) * (gradient * gradient - *second);
                    *weight -= corrected * *first / (second.sqrt() + epsilon) + rate * decay * *weight;
                }
            },
        );
    }
}
