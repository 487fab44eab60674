//! Quantiles and tails of the normal and Student's distribution.

/// Lower tail's quantile of the standard normal distribution, 0 < p < 1: Newton steps on the tail from
/// Abramowitz and Stegun's 26.2.23.
pub(super) fn normal_quantile(p: f64) -> f64 {
    if p > 0.5 {
        return -normal_quantile(1.0 - p);
    }
    let t = (-2.0 * p.ln()).sqrt();
    let rough = (2.515_517 + t * (0.802_853 + t * 0.010_328)) / (1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308)));
    let mut z = rough - t;
    for _ in 0..4 {
        let density = (-0.5 * z * z).exp() / std::f64::consts::TAU.sqrt();
        let step = (normal_upper_tail(-z) - p) / density;
        // Halley's correction: the second derivative is −z times the density.
        z -= step / (1.0 + 0.5 * z * step);
    }
    z
}

/// P(Z > z) of a standard normal, with a small relative error in both tails.
pub(super) fn normal_upper_tail(z: f64) -> f64 {
    if z < 0.0 {
        return 1.0 - normal_upper_tail(-z);
    }
    let x = z * z / 2.0;
    if x < 1.5 {
        // erf by its series.
        let (mut term, mut sum, mut n) = (z / std::f64::consts::TAU.sqrt(), 0.0, 0.0);
        while f64::abs(term) > 1e-18 {
            sum += term / (2.0 * n + 1.0);
            n += 1.0;
            term *= -x / n;
        }
        return 0.5 - sum;
    }
    // Incomplete gamma's continued fraction at 1/2, by Lentz's method.
    let tiny = 1e-300;
    let (mut b, mut c) = (x + 0.5, 1.0 / tiny);
    let mut d = 1.0 / b;
    let mut h = d;
    for i in 1..500 {
        let i = f64::from(i);
        let a = -i * (i - 0.5);
        b += 2.0;
        d = 1.0 / (a * d + b);
        c = b + a / c;
        h *= d * c;
        if (d * c - 1.0).abs() < 1e-16 {
            break;
        }
    }
    0.5 * (-x).exp() * x.sqrt() * h / std::f64::consts::PI.sqrt()
}

/// Two-sided p value of a standard normal.
pub(super) fn normal_p(z: f64) -> f64 {
    2.0 * normal_upper_tail(z.abs())
}

/// Lower tail's quantile of Student's distribution, 0.5 ≤ p < 1.
pub(super) fn student_quantile(p: f64, degrees: f64) -> f64 {
    let tail = 1.0 - p;
    if tail >= 0.5 {
        return 0.0;
    }
    let (mut low, mut high) = (0.0, normal_quantile(p).max(1.0));
    while student_upper_tail(high, degrees) > tail {
        (low, high) = (high, 2.0 * high);
    }
    // The tail falls from `low` to `high`; halving ends when neighbours are reached.
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            break;
        }
        if student_upper_tail(middle, degrees) > tail { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

/// P(T > t) for t ≥ 0.
fn student_upper_tail(t: f64, degrees: f64) -> f64 {
    let x = degrees / (degrees + t * t);
    let half = 0.5 * degrees;
    let front = (half * x.ln() + 0.5 * (t * t / (degrees + t * t)).ln() - ln_beta(half)).exp();
    // The fraction converges fast on one side of the mean.
    if x < (half + 1.0) / (half + 2.5) {
        0.5 * front * beta_fraction(half, 0.5, x) / half
    } else if t == 0.0 {
        0.5
    } else {
        0.5 - front * beta_fraction(0.5, half, 1.0 - x)
    }
}

/// ln B(a, 1/2).
fn ln_beta(a: f64) -> f64 {
    // ln Γ(a) − ln Γ(a + 1/2) without cancelling: by Γ's recurrence up to 30, then its series.
    let (mut shifted, mut sum) = (a, 0.5 * std::f64::consts::PI.ln());
    while shifted < 30.0 {
        sum += ((shifted + 0.5) / shifted).ln();
        shifted += 1.0;
    }
    // Γ(x + 1/2) / Γ(x) = √x (1 − 1/8x + 1/128x² + 5/1024x³ − 21/32768x⁴ − 399/262144x⁵ + 869/4194304x⁶ …).
    let y = 1.0 / shifted;
    let series = 1.0
        + y * (-1.0 / 8.0
            + y * (1.0 / 128.0 + y * (5.0 / 1_024.0 + y * (-21.0 / 32_768.0 + y * (-399.0 / 262_144.0 + y * (869.0 / 4_194_304.0))))));
    sum - (shifted.sqrt() * series).ln()
}

/// Continued fraction of the incomplete beta function, by Lentz's method.
fn beta_fraction(a: f64, b: f64, x: f64) -> f64 {
    let tiny = 1e-300;
    let kept = |value: f64| if value.abs() < tiny { tiny } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / kept(1.0 - (a + b) * x / (a + 1.0));
    let mut h = d;
    for m in 1..10_000 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / kept(1.0 + even * d);
        c = kept(1.0 + even / c);
        h *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / kept(1.0 + odd * d);
        c = kept(1.0 + odd / c);
        h *= d * c;
        if (d * c - 1.0).abs() < 1e-16 {
            break;
        }
    }
    h
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_scipy() {
        // scipy.stats.norm.ppf, norm.sf and t.ppf.
        for (p, z) in SCIPY_NORMAL {
            assert!((normal_quantile(p) / z - 1.0).abs() < 1e-12, "{p}: {} {z}", normal_quantile(p));
        }
        for (z, tail) in SCIPY_TAILS {
            assert!((normal_upper_tail(z) / tail - 1.0).abs() < 1e-12, "{z}: {} {tail}", normal_upper_tail(z));
        }
        for (p, degrees, t) in SCIPY_STUDENT {
            assert!((student_quantile(p, degrees) / t - 1.0).abs() < 1e-10, "{p}, {degrees}: {} {t}", student_quantile(p, degrees));
        }
    }

    const SCIPY_NORMAL: [(f64, f64); 9] = [
        (1e-12, -7.034483825301131),
        (1e-05, -4.264890793922825),
        (0.001, -3.090232306167813),
        (0.025, -1.9599639845400545),
        (0.1, -1.2815515655446004),
        (0.3, -0.5244005127080409),
        (0.6, 0.2533471031357997),
        (0.975, 1.959963984540054),
        (0.995, 2.5758293035489004),
    ];
    const SCIPY_TAILS: [(f64, f64); 12] = [
        (-3.0, 0.9986501019683699),
        (-0.5, 0.6914624612740131),
        (0.0, 0.5),
        (0.3, 0.3820885778110474),
        (1.0, 0.15865525393145707),
        (1.7, 0.04456546275854304),
        (1.8, 0.03593031911292579),
        (1.96, 0.024997895148220435),
        (2.5, 0.006209665325776132),
        (4.0, 3.167124183311986e-05),
        (8.0, 6.22096057427174e-16),
        (20.0, 2.7536241186061556e-89),
    ];
    const SCIPY_STUDENT: [(f64, f64, f64); 35] = [
        (0.6, 1.0, 0.32491969623290634),
        (0.6, 2.0, 0.2886751345948128),
        (0.6, 7.0, 0.2631668613520229),
        (0.6, 30.0, 0.2556053649519128),
        (0.6, 200.0, 0.25368437919014747),
        (0.6, 9999.0, 0.2533538441198359),
        (0.6, 999999.0, 0.25334717053790906),
        (0.9, 1.0, 3.0776835371752544),
        (0.9, 2.0, 1.8856180831641272),
        (0.9, 7.0, 1.4149239276505086),
        (0.9, 30.0, 1.3104150253913955),
        (0.9, 200.0, 1.2857987939948012),
        (0.9, 9999.0, 1.281636238198314),
        (0.9, 999999.0, 1.2815524121307853),
        (0.95, 1.0, 6.313751514675037),
        (0.95, 2.0, 2.9199855803537242),
        (0.95, 7.0, 1.8945786050900062),
        (0.95, 30.0, 1.697260886593957),
        (0.95, 200.0, 1.6525081009108769),
        (0.95, 9999.0, 1.6450060333112988),
        (0.95, 999999.0, 1.6448551507235638),
        (0.975, 1.0, 12.706204736174694),
        (0.975, 2.0, 4.302652729749462),
        (0.975, 7.0, 2.364624251592784),
        (0.975, 30.0, 2.0422724563012378),
        (0.975, 200.0, 1.9718962236339088),
        (0.975, 9999.0, 1.960201263621357),
        (0.975, 999999.0, 1.9599663568164791),
        (0.9999, 1.0, 3183.098757118502),
        (0.9999, 2.0, 70.70007107496818),
        (0.9999, 7.0, 7.063432828157639),
        (0.9999, 30.0, 4.23398595727206),
        (0.9999, 200.0, 3.789120788747759),
        (0.9999, 9999.0, 3.7203960071156055),
        (0.9999, 999999.0, 3.7190302747763604),
    ];
}
