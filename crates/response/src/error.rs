//! Why an effect could not be learnt or predicted.

/// What is wrong, where, and what helps.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ResponseError {
    /// A learner of no name.
    #[error("no learner is called {name:?}: name auto, or one of {}", crate::LEARNERS.join(", "))]
    Learner {
        /// What was asked for.
        name: String,
    },
    /// A learner without hyper-parameters.
    #[error("{name} has no hyper-parameters to search: name auto, or one on trees or dense, such as r-trees")]
    Search {
        /// What was asked for.
        name: String,
    },
    /// No column to learn from.
    #[error("no feature tells customers apart: every column named is empty or the same in every row; name others with --features")]
    NoFeature,
    /// A column that the model needs is absent.
    #[error("feature {name:?} is absent: the model was fitted with it; give the file its column")]
    FeatureAbsent {
        /// The column.
        name: String,
    },
    /// A column has another type than in training.
    #[error("feature {name:?} has {is} here and had {was} when the model was fitted: write it the same way in both files")]
    FeatureKind {
        /// The column.
        name: String,
        /// In training.
        was: &'static str,
        /// Here.
        is: &'static str,
    },
    /// A feature's value has no place on the number line.
    #[error("row {row}: feature {name:?} is {value}: has to be a number of usual size, or empty where it is not known")]
    InfiniteFeature {
        /// The column.
        name: String,
        /// Counted from 1.
        row: usize,
        /// What stands there.
        value: f64,
    },
    /// A cell that must not be empty or out of range.
    #[error("row {row}: {column} is {value}: {rule}")]
    Cell {
        /// Counted from 1.
        row: usize,
        /// The column.
        column: String,
        /// What stands there.
        value: String,
        /// What is asked for, and what helps.
        rule: &'static str,
    },
    /// No row of the control.
    #[error("no row has the control {control:?} (the treatments are {there}): name one of them with --control")]
    NoControl {
        /// What was named.
        control: String,
        /// The arms that there are.
        there: String,
    },
    /// Nothing to compare with.
    #[error("only one arm, {arm:?}: an effect is a difference between arms, so give rows of customers who did not get it, too")]
    OneArm {
        /// The only one.
        arm: String,
    },
    /// An arm too small to learn from.
    #[error("arm {arm:?} has {rows} rows: at least {least} are needed; leave it out or gather more")]
    FewRows {
        /// The arm.
        arm: String,
        /// Its rows.
        rows: usize,
        /// What is needed.
        least: usize,
    },
    /// The table of promotions does not fit.
    #[error("promotion {name:?} {problem}")]
    Promotion {
        /// The promotion, or the table's column.
        name: String,
        /// What is wrong with it, and what helps.
        problem: String,
    },
    /// A model file that does not hold what it should.
    #[error("model: {0}; fit it again")]
    Model(String),
}
