//! The special functions of lifetime models: ln Γ, ψ and Gauss' hypergeometric function.

/// ln |Γ(x)|.
pub(super) fn ln_gamma(x: f64) -> f64 {
    libm::lgamma(x)
}

/// ψ(x) = d ln Γ(x) / dx for x > 0: the recurrence ψ(x) = ψ(x + 1) − 1/x up to 10, then the
/// asymptotic series (Abramowitz & Stegun 1964, 6.3.5 and 6.3.18); error below 1e-14.
pub(super) fn digamma(mut x: f64) -> f64 {
    let mut shift = 0.0;
    while x < 10.0 {
        shift -= 1.0 / x;
        x += 1.0;
    }
    let square = 1.0 / (x * x);
    let tail = square
        * (1.0 / 12.0
            - square * (1.0 / 120.0 - square * (1.0 / 252.0 - square * (1.0 / 240.0 - square * (1.0 / 132.0 - square * 691.0 / 32760.0)))));
    shift + x.ln() - 0.5 / x - tail
}

/// ₂F₁(a, b; c; z) for 0 ≤ z < 1 and c not zero or a negative integer.
///
/// The defining series for small z; near 1, where it needs thousands of terms, the linear
/// transformation to 1 − z (Abramowitz & Stegun 1964, 15.3.6), unless c − a − b is so near to an
/// integer that its two halves would cancel.
pub(super) fn hyp2f1(a: f64, b: f64, c: f64, z: f64) -> f64 {
    let excess = c - a - b;
    if z > 0.9 && (excess - excess.round()).abs() > 0.05 {
        let near = gamma_ratio([c, excess], [c - a, c - b]) * series(a, b, 1.0 - excess, 1.0 - z);
        let far = gamma_ratio([c, -excess], [a, b]) * (excess * (1.0 - z).ln()).exp() * series(c - a, c - b, 1.0 + excess, 1.0 - z);
        let sum = near + far;
        // Where the halves nearly cancel, the slow series is the exact one.
        if sum.is_finite() && sum.abs() > 1e-6 * near.abs().max(far.abs()) {
            return sum;
        }
    }
    series(a, b, c, z)
}

/// Γ(over₀) Γ(over₁) / (Γ(under₀) Γ(under₁)); 0 where a denominator has a pole.
fn gamma_ratio(over: [f64; 2], under: [f64; 2]) -> f64 {
    if under.iter().any(|&x| x <= 0.0 && x.fract() == 0.0) {
        return 0.0;
    }
    let (mut logarithm, mut sign) = (0.0, 1.0);
    for (x, power) in [(over[0], 1.0), (over[1], 1.0), (under[0], -1.0), (under[1], -1.0)] {
        let (value, negative) = libm::lgamma_r(x);
        logarithm += power * value;
        sign *= f64::from(negative);
    }
    sign * logarithm.exp()
}

/// Σₙ (a)ₙ (b)ₙ / (c)ₙ · zⁿ / n!.
fn series(a: f64, b: f64, c: f64, z: f64) -> f64 {
    /// Enough for 1 − z = 1e-4 at full precision, and a bound on the time where it isn't.
    const TERMS: u32 = 500_000;
    let (mut term, mut sum) = (1.0, 1.0);
    for n in 0..TERMS {
        let n = f64::from(n);
        let ratio = (a + n) * (b + n) / ((c + n) * (n + 1.0)) * z;
        term *= ratio;
        sum += term;
        // What is left is about term · ratio / (1 − ratio).
        if term.abs() * ratio.abs() <= 1e-16 * sum.abs() * (1.0 - ratio.abs()).max(0.0) || term == 0.0 {
            break;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(one: f64, two: f64, tolerance: f64) {
        assert!((one - two).abs() <= tolerance * two.abs().max(1.0), "{one} {two}");
    }

    #[test]
    fn digamma_is_the_derivative_of_ln_gamma() {
        close(digamma(1.0), -0.577_215_664_901_532_9, 1e-14);
        close(digamma(0.25), -4.227_453_533_376_265, 1e-14);
        for x in [0.01, 0.5, 3.3, 40.0, 1e4] {
            let step = 1e-5 * x;
            close(digamma(x), (ln_gamma(x + step) - ln_gamma(x - step)) / (2.0 * step), 1e-6);
        }
    }

    #[test]
    fn hyp2f1_has_its_closed_forms() {
        for z in [0.0, 0.2, 0.7, 0.91, 0.99, 0.999_9] {
            // ₂F₁(a, b; b; z) = (1 − z)^−a and ₂F₁(1, 1; 2; z) = −ln(1 − z)/z.
            close(hyp2f1(0.3, 2.7, 2.7, z), (1.0 - z).powf(-0.3), 1e-10);
            if z > 0.0 {
                close(hyp2f1(1.0, 1.0, 2.0, z), -(1.0 - z).ln() / z, 1e-10);
            }
        }
        // scipy.special.hyp2f1 1.11.
        for (a, b, c, z, value) in HYP2F1 {
            close(hyp2f1(a, b, c, z), value, 1e-9);
        }
    }

    const HYP2F1: [(f64, f64, f64, f64, f64); 6] = [
        (0.5, 1.2, 3.4, 0.3, 1.059_967_712_024_288),
        (-0.7, -0.4, 2.2, 0.95, 1.124_882_948_312_259_8),
        (5.2, -0.3, 8.1, 0.99, 0.722_518_167_814_426_5),
        (0.4, 1.6, 0.3, 0.97, 529.079_992_327_172),
        (-1.5, 0.8, -0.4, 0.6, 1.767_061_422_466_575_3),
        (2.0, -0.21, 12.5, 0.999, 0.962_852_041_801_097_8),
    ];
}
