//! Minimises a smooth function of a few variables.

/// Where a search ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Minimum<const N: usize> {
    pub(super) at: [f64; N],
    pub(super) value: f64,
    /// Whether the gradient vanished there.
    pub(super) converged: bool,
}

/// BFGS with a backtracking line search (Nocedal & Wright 2006, algorithms 6.1 and 3.1) inside the
/// box |x| ≤ `bound`: a variable that runs away stops there, and the search counts as not
/// converged. `function` gives the value and its gradient; a value that is not finite is refused
/// by the line search.
pub(super) fn minimize<const N: usize>(start: [f64; N], bound: f64, function: impl Fn(&[f64; N]) -> (f64, [f64; N])) -> Minimum<N> {
    const STEPS: usize = 500;
    const FLAT: f64 = 1e-9;
    /// Steps in a row that lower the value by no more than its rounding before the search ends.
    const STILL: usize = 3;
    let mut at = start;
    let (mut value, mut gradient) = function(&at);
    let mut inverse = identity::<N>();
    let mut fresh = true;
    let mut still = 0;
    for _ in 0..STEPS {
        if norm(&gradient) < FLAT {
            break;
        }
        let mut direction: [f64; N] = std::array::from_fn(|row| -dot(&inverse[row], &gradient));
        let mut slope = dot(&direction, &gradient);
        if slope.is_nan() || slope >= 0.0 {
            inverse = identity();
            direction = gradient.map(|g| -g);
            slope = -dot(&gradient, &gradient);
            fresh = true;
        }
        // No step is longer than e² in a parameter: far out the likelihood is flat.
        let mut length = (2.0 / norm(&direction)).min(1.0);
        let next = loop {
            let trial: [f64; N] = std::array::from_fn(|i| (at[i] + length * direction[i]).clamp(-bound, bound));
            let (trial_value, trial_gradient) = function(&trial);
            if trial_value.is_finite() && trial_value <= value + 1e-4 * length * slope {
                break Some((trial, trial_value, trial_gradient));
            }
            length *= 0.5;
            if length < 1e-9 {
                break None;
            }
        };
        let Some((trial, trial_value, trial_gradient)) = next else {
            // The last digits of the value hide the descent: try once more along the gradient.
            if fresh {
                break;
            }
            inverse = identity();
            fresh = true;
            continue;
        };
        let step: [f64; N] = std::array::from_fn(|i| trial[i] - at[i]);
        let change: [f64; N] = std::array::from_fn(|i| trial_gradient[i] - gradient[i]);
        update(&mut inverse, &step, &change);
        fresh = false;
        still = if value - trial_value <= 4.0 * f64::EPSILON * value.abs() { still + 1 } else { 0 };
        (at, value, gradient) = (trial, trial_value, trial_gradient);
        if still >= STILL {
            break;
        }
    }
    let inside = at.iter().all(|x| x.abs() < bound);
    Minimum { at, value, converged: inside && value.is_finite() && norm(&gradient) < 1e-5 }
}

/// The BFGS update of the inverse Hessian (Nocedal & Wright 2006, 6.17), left out where the
/// curvature is not positive.
fn update<const N: usize>(inverse: &mut [[f64; N]; N], step: &[f64; N], change: &[f64; N]) {
    let curvature = dot(step, change);
    if curvature.is_nan() || curvature <= 1e-14 * norm(step) * norm(change) {
        return;
    }
    let scaled: [f64; N] = std::array::from_fn(|row| dot(&inverse[row], change));
    let factor = (curvature + dot(change, &scaled)) / (curvature * curvature);
    for (row, line) in inverse.iter_mut().enumerate() {
        for (column, cell) in line.iter_mut().enumerate() {
            *cell += factor * step[row] * step[column] - (scaled[row] * step[column] + step[row] * scaled[column]) / curvature;
        }
    }
}

fn identity<const N: usize>() -> [[f64; N]; N] {
    std::array::from_fn(|row| std::array::from_fn(|column| if row == column { 1.0 } else { 0.0 }))
}

fn dot<const N: usize>(one: &[f64; N], two: &[f64; N]) -> f64 {
    one.iter().zip(two).map(|(x, y)| x * y).sum()
}

fn norm<const N: usize>(vector: &[f64; N]) -> f64 {
    dot(vector, vector).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_bottom_of_rosenbrocks_valley() {
        let found = minimize([-1.2, 1.0], 20.0, |&[x, y]| {
            let (one, two) = (1.0 - x, y - x * x);
            (one * one + 100.0 * two * two, [-2.0 * one - 400.0 * x * two, 200.0 * two])
        });
        assert!(found.converged && found.at.iter().all(|x| (x - 1.0).abs() < 1e-7), "{found:?}");
    }

    #[test]
    fn a_runaway_is_not_called_converged() {
        let found = minimize([0.0], 5.0, |&[x]| (-x, [-1.0]));
        assert!(!found.converged && (found.at[0] - 5.0).abs() < 1e-12, "{found:?}");
    }
}
