//! The log, what the target policy would have done, and what a reward model expects: blocks of columns.

use super::error::OffPolicyError;

/// How far the probabilities of one distribution may be from summing to one (`numpy.allclose`'s default).
const SUM_TOLERANCE: f64 = 1e-5;

/// How many actions there are, and at how many positions of a page they can stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Actions.
    pub actions: usize,
    /// Positions, at least 1.
    pub positions: usize,
}

impl Shape {
    /// Actions at one position.
    pub const fn of_actions(actions: usize) -> Self {
        Self { actions, positions: 1 }
    }

    /// Values of one round: actions × positions.
    pub const fn values(self) -> usize {
        self.actions * self.positions
    }
}

/// A block of rounds: one context, one action drawn by the logging policy, one reward each.
#[derive(Debug, Clone, Copy)]
pub struct Log<'a> {
    /// Actions taken, 0..actions.
    pub action: &'a [u32],
    /// Positions, 0..positions; may be `None` where there is one.
    pub position: Option<&'a [u32]>,
    /// What came of it, in the unit of the result.
    pub reward: &'a [f64],
    /// Probability with which the logging policy drew that action (at that position), in (0, 1].
    pub propensity: &'a [f64],
    /// Whose rounds they are: several rounds of one customer are not independent. `None`: every round
    /// is a customer of its own.
    pub customer: Option<&'a [u64]>,
    /// Row of the block's first round in the whole log: no row may come twice.
    pub first_row: u64,
}

impl Log<'_> {
    /// Rounds in the block.
    pub const fn rounds(&self) -> usize {
        self.action.len()
    }

    pub(super) fn position_of(&self, place: usize) -> usize {
        self.position.map_or(0, |position| position[place] as usize)
    }

    pub(super) fn row(&self, place: usize) -> u64 {
        self.first_row + place as u64
    }

    pub(super) fn check_lengths(&self, shape: Shape) -> Result<(), OffPolicyError> {
        let rounds = self.rounds();
        check_length("reward", self.reward.len(), rounds)?;
        check_length("propensity", self.propensity.len(), rounds)?;
        if let Some(customer) = self.customer {
            check_length("customer", customer.len(), rounds)?;
        }
        match self.position {
            Some(position) => check_length("position", position.len(), rounds),
            None if shape.positions == 1 => Ok(()),
            None => Err(OffPolicyError::NoPosition { positions: shape.positions }),
        }
    }

    pub(super) fn check_round(&self, place: usize, shape: Shape) -> Result<(), OffPolicyError> {
        let row = self.row(place);
        let (reward, propensity, action) = (self.reward[place], self.propensity[place], self.action[place]);
        if !(propensity > 0.0 && propensity <= 1.0) {
            return Err(OffPolicyError::Propensity { row, value: propensity });
        }
        if !reward.is_finite() {
            return Err(OffPolicyError::Reward { row, value: reward });
        }
        if action as usize >= shape.actions {
            return Err(OffPolicyError::Action { row, action, actions: shape.actions });
        }
        match self.position {
            Some(position) if position[place] as usize >= shape.positions => {
                Err(OffPolicyError::Position { row, position: position[place], positions: shape.positions })
            }
            _ => Ok(()),
        }
    }
}

pub(super) fn check_length(field: &'static str, found: usize, expected: usize) -> Result<(), OffPolicyError> {
    if found == expected { Ok(()) } else { Err(OffPolicyError::Length { field, found, expected }) }
}

/// What the target policy would do in the rounds of a block.
#[derive(Debug, Clone, Copy)]
pub enum Target<'a> {
    /// One distribution for all rounds: `[action][position]`, each position sums to one.
    Constant(&'a [f64]),
    /// A distribution for each round: `[round][action][position]`.
    Dense(&'a [f64]),
    /// Only the probability of the action that was logged, one value a round. Whether the target
    /// policy wants actions that were never logged can't be seen then.
    Logged(&'a [f64]),
}

/// What a reward model expects in the rounds of a block (q̂).
#[derive(Debug, Clone, Copy)]
pub enum Expected<'a> {
    /// No model: direct and doubly robust estimators can't be had.
    None,
    /// The same values in all rounds: `[action][position]`.
    Constant(&'a [f64]),
    /// Values for each round: `[round][action][position]`.
    Dense(&'a [f64]),
    /// For each round the value of the logged action, and the mean over the target policy's actions.
    Summed {
        /// q̂(x, logged action).
        logged: &'a [f64],
        /// Σₐ π(a | x) q̂(x, a).
        target: &'a [f64],
    },
}

/// One value for each action, at one position: entries `action × positions + position`.
#[derive(Clone, Copy)]
pub(super) struct Column<'a> {
    values: &'a [f64],
    positions: usize,
    position: usize,
}

impl<'a> Column<'a> {
    pub(super) const fn new(values: &'a [f64], shape: Shape, position: usize) -> Self {
        Self { values, positions: shape.positions, position }
    }

    pub(super) fn at(self, action: usize) -> f64 {
        self.values[action * self.positions + self.position]
    }

    pub(super) fn iter(self) -> impl Iterator<Item = f64> + 'a {
        self.values[self.position..].iter().step_by(self.positions).copied()
    }

    /// The sum, when every value is a probability and they sum to one.
    pub(super) fn check_distribution(self, row: u64) -> Result<f64, OffPolicyError> {
        let (mut sum, mut is_within) = (0.0, true);
        if self.positions == 1 {
            // Four sums at once: the compiler may not reorder one.
            let mut lanes = [0.0; 4];
            let (fours, rest) = self.values.as_chunks::<4>();
            for four in fours {
                for (lane, value) in lanes.iter_mut().zip(four) {
                    *lane += value;
                    is_within &= (0.0..=1.0 + SUM_TOLERANCE).contains(value);
                }
            }
            for value in rest {
                sum += value;
                is_within &= (0.0..=1.0 + SUM_TOLERANCE).contains(value);
            }
            sum += (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]);
        } else {
            for value in self.iter() {
                sum += value;
                is_within &= (0.0..=1.0 + SUM_TOLERANCE).contains(&value);
            }
        }
        if !is_within {
            let outside = self.iter().enumerate().find(|(_, value)| !(0.0..=1.0 + SUM_TOLERANCE).contains(value));
            let (action, value) = outside.unwrap_or((0, f64::NAN));
            return Err(OffPolicyError::TargetProbability { row, action: u32::try_from(action).unwrap_or(u32::MAX), value });
        }
        if (sum - 1.0).abs() > SUM_TOLERANCE {
            return Err(OffPolicyError::TargetSum { row, position: u32::try_from(self.position).unwrap_or(u32::MAX), sum });
        }
        Ok(sum)
    }

    /// Σ probability × value.
    pub(super) fn dot(self, values: Column<'_>) -> f64 {
        if self.positions == 1 {
            let mut lanes = [0.0; 4];
            let (fours, rest) = self.values.as_chunks::<4>();
            let (others, other_rest) = values.values.as_chunks::<4>();
            for (four, other) in fours.iter().zip(others) {
                lanes.iter_mut().zip(four.iter().zip(other)).for_each(|(lane, (probability, value))| *lane += probability * value);
            }
            let tail: f64 = rest.iter().zip(other_rest).map(|(probability, value)| probability * value).sum();
            return (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]) + tail;
        }
        self.iter().zip(values.iter()).map(|(probability, value)| probability * value).sum()
    }
}
