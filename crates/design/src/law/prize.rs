//! Prize draws: odds and prizes are published before the start, and what is drawn follows them.
//!
//! China caps a prize at ¥50,000 (反不正当竞争法 Art. 11; 规范促销行为暂行规定: odds and prizes published before
//! the start).

use serde::Serialize;
use youhui_commerce::{Draw, Micros};

use super::{Market, Violation};

/// Odds are in millionths.
pub const MILLION: u32 = 1_000_000;
/// The highest value of a prize in China, in fen.
pub const CHINA_MOST: i64 = 5_000_000;

/// One prize of a draw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Prize {
    /// What people read.
    pub name: String,
    /// What one is worth, in minor units.
    pub value: i64,
    /// How many there are.
    pub quantity: u64,
    /// Chance of one entry, in millionths.
    pub odds: u32,
}

/// A draw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PrizeDraw {
    /// Its prizes; the chance that is left is that of nothing.
    pub prizes: Vec<Prize>,
    /// When odds and prizes were published, in UTC microseconds.
    pub published: Option<Micros>,
}

impl PrizeDraw {
    /// Checks the rules of a draw that starts at `start`.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn check(&self, market: Market, start: Micros) -> Result<(), Violation> {
        let wrong = |rule: String| Err(Violation::Draw { rule });
        if self.published.is_none_or(|published| published >= start) {
            return wrong("odds and prizes are not published before the start: publish them".to_owned());
        }
        if self.prizes.is_empty() {
            return wrong("it has no prizes: name them".to_owned());
        }
        for prize in &self.prizes {
            if prize.name.trim().is_empty() || prize.quantity == 0 || prize.odds == 0 || prize.value < 0 {
                return wrong(format!("{:?} is no prize that can be won: give it a name, a value, a quantity and odds", prize.name));
            }
            if market == Market::China && prize.value > CHINA_MOST {
                return wrong(format!("{:?} is worth more than ¥50,000, the most that a draw may give", prize.name));
            }
        }
        let whole: u64 = self.prizes.iter().map(|prize| u64::from(prize.odds)).sum();
        if whole > u64::from(MILLION) {
            return wrong(format!("the odds add up to {whole} millionths: more than certain"));
        }
        Ok(())
    }

    /// Draws for one entry: the place of a prize, or nothing, at the published odds exactly.
    pub fn draw(&self, draw: &mut Draw) -> Option<usize> {
        let mut left = draw.below(MILLION as usize) as u64;
        self.prizes.iter().position(|prize| {
            let won = left < u64::from(prize.odds);
            left = left.saturating_sub(u64::from(prize.odds));
            won
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prize(value: i64, odds: u32) -> Prize {
        Prize { name: "phone".into(), value, quantity: 1, odds }
    }

    fn lot(prizes: Vec<Prize>) -> PrizeDraw {
        PrizeDraw { prizes, published: Some(-1) }
    }

    #[test]
    fn the_rules_of_a_draw() {
        assert_eq!(lot(vec![prize(CHINA_MOST, 1), prize(0, MILLION - 1)]).check(Market::China, 0), Ok(()));
        assert_eq!(lot(vec![prize(CHINA_MOST + 1, 1)]).check(Market::Eu, 0), Ok(()), "the cap is China's");
        let unpublished = PrizeDraw { published: None, ..lot(vec![prize(1, 1)]) };
        let late = PrizeDraw { published: Some(0), ..lot(vec![prize(1, 1)]) };
        let wrong = [
            unpublished,
            late,
            lot(vec![]),
            lot(vec![prize(CHINA_MOST + 1, 1)]),
            lot(vec![prize(i64::MAX, 1)]),
            lot(vec![prize(-1, 1)]),
            lot(vec![prize(1, 0)]),
            lot(vec![prize(1, u32::MAX), prize(1, u32::MAX)]),
        ];
        for draw in wrong {
            assert!(matches!(draw.check(Market::China, 0), Err(Violation::Draw { .. })), "{draw:?}");
        }
    }

    #[test]
    fn what_is_drawn_follows_the_odds() {
        let lot = lot(vec![prize(1, 10_000), prize(1, 200_000), prize(1, 300_000)]);
        let mut draw = Draw::seeded(41);
        let mut seen = [0_u32; 4];
        (0..100_000).for_each(|_| seen[lot.draw(&mut draw).unwrap_or(3)] += 1);
        let expected = [1_000.0, 20_000.0, 30_000.0, 49_000.0];
        let chi_square: f64 = seen.iter().zip(expected).map(|(seen, expected)| (f64::from(*seen) - expected).powi(2) / expected).sum();
        assert!(chi_square < 16.27, "{chi_square:.1}: above the 99.9th percentile of χ² with 3 degrees");
    }
}
