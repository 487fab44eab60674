//! A shop whose customers answer as those of Hillstrom's e-mail trial (Kevin Hillstrom 2008, 64,000 customers, two e-mails and none) did:
//! printed by `benches/peers/closed_loop/fit.py`.

use youhui_commerce::Draw;

/// 1, bought men's things, bought women's, new within a year, months since the last order by ten, ln of what was spent.
pub(crate) const WIDTH: usize = 6;
/// Nothing, the men's promotion, the women's.
pub(crate) const ARMS: usize = 3;

/// Weights of the log odds of a visit, one row an arm.
const VISITS: [[f64; WIDTH]; ARMS] = [
    [-2.2587, 0.5882, 0.5591, -0.6995, -0.7307, 0.3837],
    [-1.9452, 0.7029, 0.7258, -0.4549, -0.5481, 0.3321],
    [-2.1468, 0.4103, 0.9064, -0.4403, -0.4323, 0.1877],
];

/// Men's, women's, new, months since the last order, dollars spent; and how many customers are so.
const CELLS: [(u8, u8, u8, u8, u16, u32); 48] = [
    (0, 1, 0, 2, 50, 1060),
    (0, 1, 0, 2, 200, 1677),
    (0, 1, 0, 2, 600, 566),
    (0, 1, 0, 5, 50, 1170),
    (0, 1, 0, 5, 200, 1403),
    (0, 1, 0, 5, 600, 411),
    (0, 1, 0, 10, 50, 1769),
    (0, 1, 0, 10, 200, 1827),
    (0, 1, 0, 10, 600, 378),
    (0, 1, 1, 2, 50, 1046),
    (0, 1, 1, 2, 200, 1179),
    (0, 1, 1, 2, 600, 1227),
    (0, 1, 1, 5, 50, 1131),
    (0, 1, 1, 5, 200, 1035),
    (0, 1, 1, 5, 600, 597),
    (0, 1, 1, 10, 50, 1784),
    (0, 1, 1, 10, 200, 1377),
    (0, 1, 1, 10, 600, 479),
    (1, 0, 0, 2, 50, 1052),
    (1, 0, 0, 2, 200, 1645),
    (1, 0, 0, 2, 600, 596),
    (1, 0, 0, 5, 50, 1181),
    (1, 0, 0, 5, 200, 1441),
    (1, 0, 0, 5, 600, 411),
    (1, 0, 0, 10, 50, 1810),
    (1, 0, 0, 10, 200, 1832),
    (1, 0, 0, 10, 600, 398),
    (1, 0, 1, 2, 50, 1079),
    (1, 0, 1, 2, 200, 1136),
    (1, 0, 1, 2, 600, 1243),
    (1, 0, 1, 5, 50, 1174),
    (1, 0, 1, 5, 200, 1011),
    (1, 0, 1, 5, 600, 601),
    (1, 0, 1, 10, 50, 1836),
    (1, 0, 1, 10, 200, 1319),
    (1, 0, 1, 10, 600, 454),
    (1, 1, 0, 2, 200, 414),
    (1, 1, 0, 2, 600, 288),
    (1, 1, 0, 5, 200, 317),
    (1, 1, 0, 5, 600, 205),
    (1, 1, 0, 10, 200, 359),
    (1, 1, 0, 10, 600, 181),
    (1, 1, 1, 2, 200, 229),
    (1, 1, 1, 2, 600, 1215),
    (1, 1, 1, 5, 200, 177),
    (1, 1, 1, 5, 600, 556),
    (1, 1, 1, 10, 200, 228),
    (1, 1, 1, 10, 600, 350),
];

/// What a visit brings the shop, in cents: 30 % of the 7.10 dollars that the trial's visitors spent on average.
pub(crate) const VISIT: f64 = 213.0;
/// What each promotion costs it for a visitor, in cents.
pub(crate) const COST: [i64; ARMS] = [0, 60, 40];

/// One customer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Customer {
    pub(crate) context: [f64; WIDTH],
}

impl Customer {
    /// Drawn as often as there are such customers.
    pub(crate) fn draw(draw: &mut Draw) -> Self {
        let all: u32 = CELLS.iter().map(|cell| cell.5).sum();
        let mut left = draw.uniform() * f64::from(all);
        let cell = CELLS.iter().find(|cell| {
            left -= f64::from(cell.5);
            left < 0.0
        });
        let (mens, womens, new, months, spent, _) = *cell.unwrap_or(&CELLS[0]);
        let spent = (f64::from(spent) / 50.0).ln() / 2.5;
        Self { context: [1.0, f64::from(mens), f64::from(womens), f64::from(new), f64::from(months) / 10.0, spent] }
    }

    /// How likely a visit is.
    pub(crate) fn visits(&self, arm: usize) -> f64 {
        let odds: f64 = VISITS[arm].iter().zip(self.context).map(|(weight, number)| weight * number).sum();
        1.0 / (1.0 + (-odds).exp())
    }

    /// The expected profit of showing this.
    pub(crate) fn worth(&self, arm: usize) -> f64 {
        self.visits(arm) * (VISIT - COST[arm] as f64)
    }

    /// What happened: whether they came.
    pub(crate) fn comes(&self, arm: usize, draw: &mut Draw) -> bool {
        draw.uniform() < self.visits(arm)
    }

    /// The best of those that there are.
    pub(crate) fn best(&self, is_open: impl Fn(usize) -> bool) -> f64 {
        (0..ARMS).filter(|&arm| is_open(arm)).map(|arm| self.worth(arm)).fold(f64::MIN, f64::max)
    }
}
