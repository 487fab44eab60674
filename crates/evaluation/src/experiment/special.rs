//! Distribution functions, to about 1e-12: tails are computed as tails, so that tiny p-values don't end at 0.

use std::f64::consts::{FRAC_1_SQRT_2, LN_2, PI};

/// ln √(2π).
const LN_SQRT_2PI: f64 = 0.918_938_533_204_672_8;
/// Steps after which a continued fraction or series is taken as it is.
const MAX_STEPS: u32 = 200_000;
const TINY: f64 = 1e-300;

/// P(Z ≤ x) of the standard normal.
pub(crate) fn normal_cdf(x: f64) -> f64 {
    0.5 * libm::erfc(-x * FRAC_1_SQRT_2)
}

/// P(Z > x).
pub(crate) fn normal_sf(x: f64) -> f64 {
    normal_cdf(-x)
}

/// Density of the standard normal.
pub(crate) fn normal_pdf(x: f64) -> f64 {
    (-0.5 * x * x - LN_SQRT_2PI).exp()
}

/// x with P(Z > x) = q (three steps of Halley on the tail, so that tiny q are exact).
pub(crate) fn normal_upper_quantile(q: f64) -> f64 {
    if q > 0.5 { normal_lower_quantile(1.0 - q) } else { -normal_lower_quantile(q) }
}

fn normal_lower_quantile(p: f64) -> f64 {
    if p == 0.0 {
        return f64::NEG_INFINITY;
    }
    let mut x = normal_start(p);
    for _ in 0..3 {
        let error = (normal_cdf(x) - p) / normal_pdf(x);
        x -= error / (1.0 + 0.5 * x * error);
    }
    x
}

/// Within .05 of the quantile for p ≤ ½ (Abramowitz and Stegun 1964, 26.2.23).
fn normal_start(p: f64) -> f64 {
    let t = (-2.0 * p.ln()).sqrt();
    let above = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let below = 1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308));
    above / below - t
}

/// ln Γ(x) − ((x − ½) ln x − x + ln √(2π)): what Stirling's formula leaves.
fn stirling_rest(x: f64) -> f64 {
    if x < 10.0 {
        return libm::lgamma(x) - ((x - 0.5) * x.ln() - x + LN_SQRT_2PI);
    }
    let square = 1.0 / (x * x);
    let terms = [1.0 / 12.0, -1.0 / 360.0, 1.0 / 1260.0, -1.0 / 1680.0, 1.0 / 1188.0, -691.0 / 360_360.0, 1.0 / 156.0];
    terms.iter().rev().fold(0.0, |sum, term| sum * square + term) / x
}

/// ln B(a, b), without the cancellation of three large logarithms.
pub(crate) fn ln_beta(a: f64, b: f64) -> f64 {
    let (small, large) = if a < b { (a, b) } else { (b, a) };
    if large < 10.0 {
        return libm::lgamma(a) + libm::lgamma(b) - libm::lgamma(a + b);
    }
    // ln Γ(large) − ln Γ(large + small) by Stirling, in terms that stay small.
    let ratio = -(large - 0.5) * (small / large).ln_1p() - small * (large + small).ln() + small + stirling_rest(large)
        - stirling_rest(large + small);
    libm::lgamma(small) + ratio
}

/// ln Γ(x), x > 0.
pub(crate) fn ln_gamma(x: f64) -> f64 {
    libm::lgamma(x)
}

/// I_x(a, b), the regularised incomplete beta function; `y` is 1 − x, given apart so that neither loses digits.
pub(crate) fn beta_inc(a: f64, b: f64, x: f64, y: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if y <= 0.0 {
        return 1.0;
    }
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - beta_inc_direct(b, a, y, x);
    }
    beta_inc_direct(a, b, x, y)
}

fn beta_inc_direct(a: f64, b: f64, x: f64, y: f64) -> f64 {
    let ln_x = if x > 0.5 { (-y).ln_1p() } else { x.ln() };
    let ln_y = if y > 0.5 { (-x).ln_1p() } else { y.ln() };
    let front = (a * ln_x + b * ln_y - ln_beta(a, b)).exp() / a;
    front * beta_fraction(a, b, x)
}

/// Lentz's evaluation of the continued fraction of the incomplete beta function.
fn beta_fraction(a: f64, b: f64, x: f64) -> f64 {
    let guarded = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / guarded(1.0 - (a + b) * x / (a + 1.0));
    let mut value = d;
    for step in 1..MAX_STEPS {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / guarded(1.0 + even * d);
        c = guarded(1.0 + even / c);
        value *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / guarded(1.0 + odd * d);
        c = guarded(1.0 + odd / c);
        value *= d * c;
        if (d * c - 1.0).abs() < 1e-15 {
            break;
        }
    }
    value
}

/// P(T > t) of Student's t with `df` degrees of freedom; normal where `df` is infinite.
pub(crate) fn t_sf(t: f64, df: f64) -> f64 {
    if df.is_infinite() {
        return normal_sf(t);
    }
    if t < 0.0 {
        return 1.0 - t_sf(-t, df);
    }
    if df > MANY {
        return normal_sf(normal_of_t(t, df));
    }
    let whole = df + t * t;
    0.5 * beta_inc(0.5 * df, 0.5, df / whole, t * t / whole)
}

/// Degrees of freedom above which the continued fraction, close to its edge, loses digits and Hill's series has them all.
const MANY: f64 = 1e5;

/// The normal deviate with the tail of t (Hill 1970, Algorithm 395).
fn normal_of_t(t: f64, df: f64) -> f64 {
    let a = df - 0.5;
    let b = 48.0 * a * a;
    let w = a * (t * t / df).ln_1p();
    let rest = (((-0.4 * w - 3.3) * w - 24.0) * w - 85.5) / (0.8 * w * w + 100.0 + b);
    w.sqrt() * ((rest + w + 3.0) / b + 1.0)
}

/// P(|T| > |t|).
pub(crate) fn t_two_sided(t: f64, df: f64) -> f64 {
    2.0 * t_sf(t.abs(), df)
}

fn t_pdf(t: f64, df: f64) -> f64 {
    (-0.5 * (df + 1.0) * (t * t / df).ln_1p() - 0.5 * df.ln() - ln_beta(0.5 * df, 0.5)).exp()
}

/// t with P(T > t) = q, q in (0, 1).
pub(crate) fn t_upper_quantile(q: f64, df: f64) -> f64 {
    if df.is_infinite() {
        return normal_upper_quantile(q);
    }
    if q > 0.5 {
        return -t_upper_quantile(1.0 - q, df);
    }
    let z = normal_upper_quantile(q);
    let start = z + (z.powi(3) + z) / (4.0 * df);
    let (mut low, mut high) = (0.0, (2.0 * start).max(1.0));
    while t_sf(high, df) > q {
        low = high;
        high *= 2.0;
    }
    safeguarded_newton(start.clamp(low, high), low, high, |t| (q - t_sf(t, df), t_pdf(t, df)))
}

/// The root of a rising function between `low` and `high`; `f` gives value and slope.
fn safeguarded_newton(start: f64, mut low: f64, mut high: f64, f: impl Fn(f64) -> (f64, f64)) -> f64 {
    let mut x = start;
    for _ in 0..200 {
        let (value, slope) = f(x);
        if value > 0.0 {
            high = x;
        } else {
            low = x;
        }
        let step = x - value / slope;
        let next = if step > low && step < high { step } else { 0.5 * (low + high) };
        if (next - x).abs() <= 1e-15 * x.abs() || next == x {
            return next;
        }
        x = next;
    }
    x
}

/// Q(a, x): the upper regularised incomplete gamma function.
fn gamma_q(a: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    let front = (a * x.ln() - x - libm::lgamma(a)).exp();
    if x < a + 1.0 {
        let (mut term, mut sum) = (1.0 / a, 1.0 / a);
        for step in 1..MAX_STEPS {
            term *= x / (a + f64::from(step));
            sum += term;
            if term < sum * 1e-16 {
                break;
            }
        }
        return 1.0 - front * sum;
    }
    let mut b = x + 1.0 - a;
    let (mut c, mut d) = (1.0 / TINY, 1.0 / b);
    let mut value = d;
    for step in 1..MAX_STEPS {
        let factor = -f64::from(step) * (f64::from(step) - a);
        b += 2.0;
        d = 1.0 / (factor * d + b);
        c = b + factor / c;
        value *= d * c;
        if (d * c - 1.0).abs() < 1e-15 {
            break;
        }
    }
    front * value
}

/// P(X > x) of χ² with `df` degrees of freedom.
pub(crate) fn chi2_sf(x: f64, df: f64) -> f64 {
    gamma_q(0.5 * df, 0.5 * x)
}

/// ψ(x), x > 0.
pub(crate) fn digamma(mut x: f64) -> f64 {
    let mut shift = 0.0;
    while x < 10.0 {
        shift -= 1.0 / x;
        x += 1.0;
    }
    let square = 1.0 / (x * x);
    let terms = [1.0 / 12.0, -1.0 / 120.0, 1.0 / 252.0, -1.0 / 240.0, 1.0 / 132.0, -691.0 / 32_760.0, 1.0 / 12.0];
    shift + x.ln() - 0.5 / x - square * terms.iter().rev().fold(0.0, |sum, term| sum * square + term)
}

/// ψ′(x), x > 0.
pub(crate) fn trigamma(mut x: f64) -> f64 {
    let mut shift = 0.0;
    while x < 10.0 {
        shift += 1.0 / (x * x);
        x += 1.0;
    }
    let square = 1.0 / (x * x);
    let terms = [1.0 / 6.0, -1.0 / 30.0, 1.0 / 42.0, -1.0 / 30.0, 5.0 / 66.0, -691.0 / 2730.0, 7.0 / 6.0];
    shift + 1.0 / x + 0.5 * square + square / x * terms.iter().rev().fold(0.0, |sum, term| sum * square + term)
}

/// P(T ≤ t) of the noncentral t with `df` degrees of freedom and noncentrality `shift`: the normal tail
/// averaged over the distribution of the estimated standard deviation.
pub(crate) fn noncentral_t_cdf(t: f64, df: f64, shift: f64) -> f64 {
    if df.is_infinite() {
        return normal_cdf(t - shift);
    }
    // s = √(χ²/df), whose log density is smooth and narrow around 1.
    let a = 0.5 * df;
    let constant = LN_2 + 0.5 * a.ln() - LN_SQRT_2PI - stirling_rest(a);
    let spread = 1.0 / (2.0 * df).sqrt();
    let low = (1.0 - 14.0 * spread).max(0.0);
    let high = 1.0 + 16.0 * spread;
    integrate(low, high, 40, |s| {
        let u = s - 1.0;
        let density = (constant - s.ln() + a * (2.0 * u.ln_1p() - u * (2.0 + u))).exp();
        density * normal_cdf(t * s - shift)
    })
}

/// ∫ f over [low, high]: Gauss and Legendre with 16 points in each of `panels`.
pub(crate) fn integrate(low: f64, high: f64, panels: u32, f: impl Fn(f64) -> f64) -> f64 {
    let nodes = legendre::<16>();
    let width = (high - low) / f64::from(panels);
    let of_panel = |panel: u32| {
        let middle = low + width * (f64::from(panel) + 0.5);
        nodes.iter().map(|(x, weight)| weight * f(middle + 0.5 * width * x)).sum::<f64>()
    };
    0.5 * width * (0..panels).map(of_panel).sum::<f64>()
}

/// Nodes and weights on [−1, 1], by Newton on the Legendre polynomial.
fn legendre<const N: usize>() -> [(f64, f64); N] {
    let n = N as f64;
    std::array::from_fn(|place| {
        let mut x = (PI * (place as f64 + 0.75) / (n + 0.5)).cos();
        let mut slope = 1.0;
        for _ in 0..100 {
            let (mut last, mut value) = (1.0, x);
            for degree in 2..=N {
                let k = degree as f64;
                (last, value) = (value, ((2.0 * k - 1.0) * x * value - (k - 1.0) * last) / k);
            }
            slope = n * (x * value - last) / (x * x - 1.0);
            let step = value / slope;
            x -= step;
            if step.abs() < 1e-16 {
                break;
            }
        }
        (x, 2.0 / ((1.0 - x * x) * slope * slope))
    })
}
