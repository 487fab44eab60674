//! What to know before a result is believed.

use std::fmt;

use serde::Serialize;

/// Something about log and target policy that doesn't stop estimation, but bends it. Its text names the
/// statistical consequence.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "warning", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Warning {
    /// Weights leave few rounds' worth of information.
    FewEffectiveRounds {
        /// Effective sample size.
        effective: f64,
        /// Rounds.
        rounds: u64,
    },
    /// Weights don't average to one.
    MeanWeight {
        /// Mean weight.
        mean: f64,
        /// Standard error.
        std_error: f64,
    },
    /// The target policy wants actions where they were never logged.
    NeverLogged {
        /// Names of up to ten, the most wanted first.
        actions: Vec<String>,
        /// How many more.
        more: usize,
        /// Share of the target policy's choices.
        share: f64,
    },
    /// One round carries much of all weight.
    DominantRound {
        /// Its share.
        share: f64,
    },
    /// Few rounds have both weight and a reward.
    FewRewards {
        /// How many.
        rounds: u64,
    },
    /// Few independent customers.
    FewCustomers {
        /// How many.
        customers: u64,
    },
    /// An estimator is undefined on this log.
    Undefined {
        /// Estimator.
        estimator: String,
    },
    /// A λ was chosen at the end of the grid.
    EdgeOfGrid {
        /// Estimator.
        estimator: String,
        /// λ.
        lambda: f64,
    },
    /// Bounds for independent rounds were asked for rounds of customers.
    NoBoundsByCustomer,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FewEffectiveRounds { effective, rounds } => write!(
                f,
                "the {rounds} rounds are worth {effective:.1} of the target policy's own: normal and bootstrap intervals are too narrow and \
                 values may be far off; compare a policy nearer to the log, or run an experiment"
            ),
            Self::MeanWeight { mean, std_error } => write!(
                f,
                "weights average {mean:.4} (standard error {std_error:.4}) and not 1: logged propensities or target probabilities are wrong, \
                 or wanted actions can't be logged; IPW is biased, by about that factor"
            ),
            Self::NeverLogged { actions, more, share } => {
                write!(f, "{:.2} % of the target policy's choices were never logged (", 100.0 * share)?;
                write!(f, "{}", actions.join(", "))?;
                if *more > 0 {
                    write!(f, " and {more} more")?;
                }
                write!(
                    f,
                    "): weighing counts them as worth 0 and direct and doubly robust estimates rest on the reward model alone there; no \
                     interval contains that error"
                )
            }
            Self::DominantRound { share } => write!(
                f,
                "one round carries {:.1} % of all weight: the estimate is that round's luck; clip or shrink weights (a tuned λ)",
                100.0 * share
            ),
            Self::FewRewards { rounds } => write!(
                f,
                "only {rounds} rounds have weight and a reward: the estimate's distribution is skewed and its normal interval covers less \
                 than it says"
            ),
            Self::FewCustomers { customers } => {
                write!(f, "only {customers} customers: variances by customer are estimated from so few, intervals are too narrow")
            }
            Self::Undefined { estimator } => {
                write!(f, "{estimator} is undefined: no round has weight under the target policy, so it has no value rather than 0")
            }
            Self::EdgeOfGrid { estimator, lambda } => {
                write!(f, "{estimator}: the chosen λ = {lambda} is the last of those tried; a better one may lie beyond")
            }
            Self::NoBoundsByCustomer => write!(
                f,
                "Hoeffding's and Bernstein's intervals are left out: they hold for independent rounds, and rounds of one customer are not"
            ),
        }
    }
}
