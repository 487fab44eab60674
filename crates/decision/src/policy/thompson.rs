//! Thompson sampling's probabilities (Thompson 1933), computed and not sampled.
//!
//! With independent normal posteriors option a is the best with probability
//!
//! ```text
//! p_a = ∫ Π_{b≠a} F_b(x) dF_a(x)
//! ```
//!
//! which is summed over cells of a grid. Usual Thompson sampling draws once from each posterior and can't say how likely its
//! choice was; this draws from p, and p is the propensity whatever the grid's error (below 0.01: the tests compare).

use std::sync::LazyLock;

use super::Estimate;

/// Even cells of the grid; each contender adds points of its own.
const EVEN: u32 = 24;
/// Posteriors are cut off at so many standard errors.
const REACH: f64 = 3.5;

pub(super) fn probabilities(options: &[Estimate]) -> Vec<f64> {
    // Nobody is the best below the highest of all lower ends.
    let low = options.iter().map(|option| option.mean - REACH * option.std_error).fold(f64::NEG_INFINITY, f64::max);
    let contends = |place: &usize| options[*place].mean + REACH * options[*place].std_error >= low;
    let contenders: Vec<usize> = (0..options.len()).filter(contends).collect();
    let mut probabilities = vec![0.0; options.len()];
    let points = points(options, &contenders, low);
    // All that contend are known exactly: they are equals.
    if points.len() < 2 {
        contenders.iter().for_each(|&place| probabilities[place] = 1.0 / contenders.len() as f64);
        return probabilities;
    }
    let normal = &*NORMAL;
    let mut below: Vec<f64> = contenders.iter().map(|&place| distribution(&options[place], low, normal)).collect();
    // What is known exactly and contends lies at the low end: it wins where all others are below.
    let exact: Vec<usize> = contenders.iter().copied().filter(|&place| options[place].std_error <= 0.0).collect();
    let all_below: f64 = below.iter().product();
    exact.iter().for_each(|&place| probabilities[place] = all_below / exact.len() as f64);
    let mut above = below.clone();
    let mut middle = below.clone();
    for &to in &points[1..] {
        for (slot, &place) in contenders.iter().enumerate() {
            above[slot] = distribution(&options[place], to, normal);
            middle[slot] = 0.5 * (above[slot] + below[slot]);
        }
        let all: f64 = middle.iter().product();
        if all > 0.0 {
            for (slot, &place) in contenders.iter().enumerate() {
                probabilities[place] += (above[slot] - below[slot]) * all / middle[slot];
            }
        }
        std::mem::swap(&mut below, &mut above);
    }
    let sum: f64 = probabilities.iter().sum();
    probabilities.iter_mut().for_each(|probability| *probability /= sum);
    probabilities
}

/// Where cells meet: evenly from `low` to the highest upper end, and where the mass is of contenders that are known better
/// than a cell is wide, so that a narrow posterior is not lost in one.
fn points(options: &[Estimate], contenders: &[usize], low: f64) -> Vec<f64> {
    let high = contenders.iter().map(|&place| options[place].mean + REACH * options[place].std_error).fold(low, f64::max);
    let width = (high - low) / f64::from(EVEN);
    let even = (0..=EVEN).map(|step| low + width * f64::from(step));
    let narrow = contenders.iter().filter(|&&place| options[place].std_error < width);
    let own = |&place: &usize| [-2.0, -1.0, -0.3, 0.3, 1.0, 2.0].map(|z| options[place].mean + z * options[place].std_error);
    let mut points: Vec<f64> = even.chain(narrow.flat_map(own)).filter(|point| (low..=high).contains(point)).collect();
    points.sort_unstable_by(f64::total_cmp);
    points.dedup();
    points
}

/// The posterior's distribution function.
fn distribution(option: &Estimate, x: f64, normal: &Normal) -> f64 {
    if option.std_error > 0.0 { normal.at((x - option.mean) / option.std_error) } else { f64::from(u8::from(x >= option.mean)) }
}

/// Steps of the table in a standard error.
const FINE: f64 = 256.0;

/// Φ between −[`REACH`] and [`REACH`], from a table: linear between its steps, where it is off by less than 1e-6.
struct Normal {
    steps: Vec<f64>,
}

impl Normal {
    fn new() -> Self {
        let mut steps = vec![];
        let mut z = -REACH;
        while z <= REACH + 2.0 / FINE {
            steps.push(normal(z));
            z += 1.0 / FINE;
        }
        Self { steps }
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the place is within the table")]
    fn at(&self, z: f64) -> f64 {
        let place = ((z + REACH) * FINE).clamp(0.0, 2.0 * REACH * FINE);
        let below = place as usize;
        let (low, high) = (self.steps[below], self.steps[below + 1]);
        low + (high - low) * (place - below as f64)
    }
}

/// Made once.
static NORMAL: LazyLock<Normal> = LazyLock::new(Normal::new);

/// Φ (Abramowitz and Stegun 1964, 7.1.26: error below 1.5e-7), exact at the ends of the reach.
fn normal(z: f64) -> f64 {
    if z.abs() >= REACH {
        return if z > 0.0 { 1.0 } else { 0.0 };
    }
    let x = z.abs() * std::f64::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let polynomial = t * (0.254_829_592 + t * (-0.284_496_736 + t * (1.421_413_741 + t * (-1.453_152_027 + t * 1.061_405_429))));
    let upper = 0.5 * polynomial * (-x * x).exp();
    if z > 0.0 { 1.0 - upper } else { upper }
}

#[cfg(test)]
mod tests {
    use youhui_commerce::Draw;

    use super::*;

    fn sampled(options: &[Estimate], draws: u32) -> Vec<f64> {
        let mut draw = Draw::seeded(3);
        let mut wins = vec![0.0; options.len()];
        for _ in 0..draws {
            let drawn: Vec<f64> = options.iter().map(|option| option.mean + option.std_error * draw.normal()).collect();
            let best = (1..drawn.len()).fold(0, |best, place| if drawn[place] > drawn[best] { place } else { best });
            wins[best] += 1.0 / f64::from(draws);
        }
        wins
    }

    #[test]
    fn agrees_with_sampling() {
        let cases: [&[(f64, f64)]; 6] = [
            &[(0.0, 0.0), (1.0, 1.0)],
            &[(0.0, 0.0), (-0.5, 1.0), (0.2, 0.3), (0.1, 2.0)],
            &[(3.0, 0.001), (2.0, 5.0), (2.9, 0.2)],
            &[(0.0, 1.0); 10],
            &[(0.0, 0.0), (-50.0, 1.0), (0.01, 0.02)],
            &[(100.0, 30.0), (90.0, 10.0), (95.0, 20.0), (0.0, 0.0), (60.0, 45.0)],
        ];
        for case in cases {
            let options: Vec<Estimate> = case.iter().map(|&(mean, std_error)| Estimate { mean, std_error }).collect();
            for (computed, sampled) in probabilities(&options).iter().zip(sampled(&options, 400_000)) {
                assert!((computed - sampled).abs() < 0.01, "{case:?}: {computed} {sampled}");
            }
        }
    }

    #[test]
    fn equals_share_what_is_known_exactly() {
        let options = [5.0, 5.0, 1.0].map(|mean| Estimate { mean, std_error: 0.0 });
        assert_eq!(probabilities(&options), [0.5, 0.5, 0.0]);
    }
}
