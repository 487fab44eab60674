//! What is wrong with a log, a target policy or a setting, and what it would do to the estimate.

/// Why nothing was estimated. Rows count from 0 over all blocks.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OffPolicyError {
    /// A propensity outside (0, 1].
    #[error(
        "row {row}: propensity is {value}, but has to be above 0 and at most 1: every estimator that weighs by target/propensity \
         would be infinite or biased; log the probability with which the logged action was drawn"
    )]
    Propensity {
        /// Row of the log.
        row: u64,
        /// What stands there.
        value: f64,
    },
    /// A reward that is no finite number.
    #[error(
        "row {row}: reward is {value}, but has to be finite: one such round makes mean, variance and interval infinite or undefined; \
         drop or cap it and say so beside the result"
    )]
    Reward {
        /// Row of the log.
        row: u64,
        /// What stands there.
        value: f64,
    },
    /// An action that doesn't exist.
    #[error("row {row}: action is {action}, but there are {actions} (0 to {}): its target probability is unknown", actions.saturating_sub(1))]
    Action {
        /// Row of the log.
        row: u64,
        /// What stands there.
        action: u32,
        /// Number of actions.
        actions: usize,
    },
    /// A position that doesn't exist.
    #[error("row {row}: position is {position}, but there are {positions} (0 to {})", positions.saturating_sub(1))]
    Position {
        /// Row of the log.
        row: u64,
        /// What stands there.
        position: u32,
        /// Number of positions.
        positions: usize,
    },
    /// Positions are not given although there are several.
    #[error("positions are not given although there are {positions}: probabilities of another position would be taken for this one's")]
    NoPosition {
        /// Number of positions.
        positions: usize,
    },
    /// A probability of the target policy outside [0, 1].
    #[error(
        "row {row}: the target policy's probability of action {action} is {value}, but has to be within 0 and 1: weights would be wrong"
    )]
    TargetProbability {
        /// Row of the log.
        row: u64,
        /// Action.
        action: u32,
        /// What stands there.
        value: f64,
    },
    /// A probability of the target policy for what was logged at a place of a page, outside [0, 1].
    #[error("row {row}: the target policy's probability is {value}, but has to be within 0 and 1: the page's weight would be wrong")]
    PageProbability {
        /// Page × positions + position.
        row: u64,
        /// What stands there.
        value: f64,
    },
    /// A distribution of the target policy that doesn't sum to one.
    #[error(
        "row {row}: the target policy's probabilities at position {position} sum to {sum}, not 1: the value of every estimator would be \
         that of another policy, off by about that factor; normalise over the actions that are allowed"
    )]
    TargetSum {
        /// Row of the log.
        row: u64,
        /// Position.
        position: u32,
        /// What they sum to.
        sum: f64,
    },
    /// A reward model's value that is no finite number.
    #[error("row {row}: the reward model expects {value}: direct and doubly robust estimates would be undefined; give a finite value")]
    Expected {
        /// Row of the log.
        row: u64,
        /// What stands there.
        value: f64,
    },
    /// An estimated importance weight that is negative or not finite.
    #[error("row {row}: the balanced importance weight is {value}, but has to be finite and at least 0")]
    BalancedWeight {
        /// Row of the log.
        row: u64,
        /// What stands there.
        value: f64,
    },
    /// A context that is no finite number.
    #[error("row {row}: a context value is {value}: one such row makes every coefficient of the reward model undefined")]
    Context {
        /// Row of the log.
        row: u64,
        /// What stands there.
        value: f64,
    },
    /// A reward outside 0 and 1 for a logistic regression.
    #[error("row {row}: reward is {value}, but a logistic reward model needs rewards within 0 and 1; use a ridge regression for amounts")]
    NotAShare {
        /// Row of the log.
        row: u64,
        /// What stands there.
        value: f64,
    },
    /// Sums beyond what a double holds.
    #[error(
        "{estimator}: its sums are beyond what a 64-bit number holds, so that value and interval are undefined; rewards or importance weights \
         are far too large: rescale rewards, and look for propensities near 0"
    )]
    Overflow {
        /// Estimator.
        estimator: String,
    },
    /// Columns of different lengths.
    #[error("{field} has {found} values where {expected} are needed: rows would be paired with the wrong rounds")]
    Length {
        /// Column.
        field: &'static str,
        /// Its length.
        found: usize,
        /// Length it has to have.
        expected: usize,
    },
    /// Fewer than two independent units.
    #[error("{units} {unit}(s) with data: without two independent ones there is no variance and no interval")]
    TooFew {
        /// How many.
        units: usize,
        /// Of what.
        unit: &'static str,
    },
    /// An estimator needs what was not given.
    #[error("{estimator} needs {needed}, which was not given")]
    Needs {
        /// Estimator.
        estimator: String,
        /// What is missing.
        needed: &'static str,
    },
    /// A setting outside its range.
    #[error("{name} is {value}, but has to be {rule}")]
    Setting {
        /// Its name.
        name: &'static str,
        /// What was given.
        value: f64,
        /// What is allowed.
        rule: &'static str,
    },
    /// A value outside the bound that was promised.
    #[error(
        "{what} reaches {value}, beyond the promised bound of {bound}: intervals of Hoeffding and Bernstein would not hold their level; \
         give a bound that holds for every possible round"
    )]
    Bound {
        /// Of what.
        what: &'static str,
        /// What was seen.
        value: f64,
        /// What was promised.
        bound: f64,
    },
    /// A row that was already taken in.
    #[error(
        "row {row} was already taken in: rounds that count twice bias the value and make every interval too narrow; give each block the row \
         it starts at (Log::first_row), and each block once"
    )]
    RowTwice {
        /// Row of the log.
        row: u64,
    },
    /// Parts that don't belong together.
    #[error("parts with different {what} can't be put together")]
    Mismatch {
        /// In what they differ.
        what: &'static str,
    },
    /// A logger whose rounds all contribute the same.
    #[error(
        "logger {logger}: its {rounds} round(s) show no variance, so that weighting by precision would rest the whole estimate on them; \
         weigh every round by its own propensity instead (Evaluation), or pool loggers"
    )]
    NoVariance {
        /// Logger.
        logger: u32,
        /// Its rounds.
        rounds: f64,
    },
    /// A regression that has no unique solution.
    #[error("the reward model at position {position} has no solution: {why}")]
    Model {
        /// Position.
        position: usize,
        /// Why.
        why: &'static str,
    },
}
