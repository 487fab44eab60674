//! The one source of chance: a seeded generator that is passed as an argument, so that runs replay.

/// SplitMix64's finaliser (Steele, Lea, Flood 2014): spreads a counter over all 64 bits.
pub(crate) const fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A seeded stream of numbers (SplitMix64): the same seed gives the same stream on every machine.
///
/// For simulation, folds and tie-breaks. Not for secrets: keys and identifiers of a real shop come
/// from the operating system.
#[derive(Debug, Clone)]
pub struct Draw {
    state: u64,
}

impl Draw {
    /// Starts the stream of `seed`.
    pub const fn seeded(seed: u64) -> Self {
        Self { state: seed }
    }

    /// An independent stream for a named part of the work, so that adding a draw in one stage
    /// leaves the other stages' numbers as they were.
    pub fn fork(&self, name: &str) -> Self {
        let state = name.bytes().fold(mix(self.state), |state, byte| mix(state ^ u64::from(byte)));
        Self { state }
    }

    /// The next 64 bits.
    pub const fn bits(&mut self) -> u64 {
        let bits = mix(self.state);
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        bits
    }

    /// Uniform in [0, 1).
    pub const fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform in 0..`bound`; 0 where `bound` is 0. Lemire's multiply-shift: its bias is below
    /// `bound`/2⁶⁴.
    #[allow(clippy::cast_possible_truncation, reason = "the result is below `bound`")]
    pub const fn below(&mut self, bound: usize) -> usize {
        ((self.bits() as u128 * bound as u128) >> 64) as usize
    }

    /// Standard normal (Box and Muller 1958).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Fisher and Yates' shuffle.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }

    /// 16 bytes of the stream.
    pub fn bytes16(&mut self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.bits().to_le_bytes());
        bytes[8..].copy_from_slice(&self.bits().to_le_bytes());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_stream() {
        let (mut one, mut two) = (Draw::seeded(7), Draw::seeded(7));
        assert!((0..100).all(|_| one.bits() == two.bits()));
        assert_ne!(Draw::seeded(7).fork("a").bits(), Draw::seeded(7).fork("b").bits());
    }

    #[test]
    fn normal_has_mean_zero_and_variance_one() {
        let mut draw = Draw::seeded(1);
        let sample: Vec<f64> = (0..100_000).map(|_| draw.normal()).collect();
        let mean = sample.iter().sum::<f64>() / 1e5;
        let variance = sample.iter().map(|x| x * x).sum::<f64>() / 1e5;
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.03, "{mean} {variance}");
    }
}
