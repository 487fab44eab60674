//! A world whose truth is known.

use youhui_commerce::Draw;

use super::super::*;

pub(super) const ACTIONS: usize = 5;
pub(super) const CONTEXTS: usize = 8;

pub(super) type Table = [[f64; ACTIONS]; CONTEXTS];

/// Contexts are equally likely; a round's reward is its mean plus noise, or a coin with that chance.
pub(super) struct World {
    pub(super) logging: Table,
    pub(super) target: Table,
    pub(super) mean: Table,
    pub(super) is_coin: bool,
}

pub(super) fn softmax(scores: [f64; ACTIONS], sharpness: f64) -> [f64; ACTIONS] {
    let exp = scores.map(|score| (sharpness * score).exp());
    let sum: f64 = exp.iter().sum();
    exp.map(|value| value / sum)
}

impl World {
    /// `overlap` is how little the logging policy cares: 0 is uniform.
    pub(super) fn new(sharpness: f64, is_coin: bool) -> Self {
        let mut draw = Draw::seeded(99);
        let mut table = || -> Table { std::array::from_fn(|_| std::array::from_fn(|_| draw.uniform())) };
        let (mean, habit) = (table(), table());
        let logging = habit.map(|scores| softmax(scores, sharpness));
        let target = mean.map(|scores| softmax(scores, 4.0));
        let mean = mean.map(|row| row.map(|value| if is_coin { 0.1 + 0.5 * value } else { 2.0 * value }));
        Self { logging, target, mean, is_coin }
    }

    pub(super) fn value(&self, policy: &Table) -> f64 {
        let of = |(policy, mean): (&[f64; ACTIONS], &[f64; ACTIONS])| policy.iter().zip(mean).map(|(p, q)| p * q).sum::<f64>();
        policy.iter().zip(&self.mean).map(of).sum::<f64>() / CONTEXTS as f64
    }

    /// `each` rounds a customer, who has a context and, where rewards are no coins, a mood of his own.
    pub(super) fn draw(&self, rounds: usize, each: usize, seed: u64) -> Drawn {
        let mut draw = Draw::seeded(seed).fork("world");
        let mut drawn = Drawn::default();
        for customer in 0..rounds / each {
            let (context, mood) = (draw.below(CONTEXTS), if each > 1 { draw.normal() } else { 0.0 });
            for _ in 0..each {
                let (mut rest, mut action) = (draw.uniform(), 0);
                while action + 1 < ACTIONS && rest >= self.logging[context][action] {
                    rest -= self.logging[context][action];
                    action += 1;
                }
                let mean = self.mean[context][action];
                let reward = if self.is_coin { f64::from(u8::from(draw.uniform() < mean)) } else { mean + mood + 0.5 * draw.normal() };
                drawn.context.push(context);
                drawn.customer.push(customer as u64);
                drawn.action.push(u32::try_from(action).unwrap());
                drawn.reward.push(reward);
                drawn.propensity.push(self.logging[context][action]);
            }
        }
        drawn
    }
}

#[derive(Default)]
pub(super) struct Drawn {
    pub(super) context: Vec<usize>,
    pub(super) customer: Vec<u64>,
    pub(super) action: Vec<u32>,
    pub(super) reward: Vec<f64>,
    pub(super) propensity: Vec<f64>,
    pub(super) first_row: u64,
}

impl Drawn {
    pub(super) fn log(&self, by_customer: bool) -> Log<'_> {
        let customer = by_customer.then_some(self.customer.as_slice());
        Log {
            action: &self.action,
            position: None,
            reward: &self.reward,
            propensity: &self.propensity,
            customer,
            first_row: self.first_row,
        }
    }

    /// A table's row for each round.
    pub(super) fn dense(&self, table: &Table) -> Vec<f64> {
        self.context.iter().flat_map(|&context| table[context]).collect()
    }

    pub(super) fn weigh(&self, by_customer: bool, policy: &Table, model: &Table) -> Weighed {
        let (target, expected) = (self.dense(policy), self.dense(model));
        weigh(SHAPE, &self.log(by_customer), Target::Dense(&target), Expected::Dense(&expected)).unwrap()
    }

    /// Coarser than the truth: one number a context, so that the model is decent and not right.
    pub(super) fn features(&self) -> Vec<f64> {
        self.context.iter().map(|&context| context as f64 / CONTEXTS as f64 - 0.5).collect()
    }
}

pub(super) const SHAPE: Shape = Shape::of_actions(ACTIONS);

/// A model that is wrong everywhere.
pub(super) const WRONG: Table = [[0.3, 0.1, 0.2, 0.4, 0.0]; CONTEXTS];

pub(super) fn assert_coverage(covered: usize, seeds: u64, what: &str) {
    let share = covered as f64 / seeds as f64;
    println!("{what}: {:.1} % of {seeds} intervals cover", 100.0 * share);
    assert!((0.93..=0.97).contains(&share), "{what}: {:.1} % of {seeds} intervals cover", 100.0 * share);
}

pub(super) fn root_mean_square(errors: &[f64]) -> f64 {
    (errors.iter().map(|error| error * error).sum::<f64>() / errors.len() as f64).sqrt()
}
