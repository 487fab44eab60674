//! A figure of money with everything that says how far to trust it.

use serde::{Deserialize, Serialize};

use super::fieller::FiellerSet;
use super::joint::judged;
use crate::experiment::Contrast;

/// What a figure says about cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Causal {
    /// The difference of arms drawn by lot.
    Randomised,
    /// Arms drawn by lot, carried on to what wasn't observed by an assumption that the figure names.
    Extrapolated,
    /// No lot; causal under assumptions that the estimator names.
    Observational,
    /// A count of what happened together, which says nothing about what was caused.
    NotCausal,
}

/// A value with its interval, standard error, sample sizes, unit and what it says about cause.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    /// What it is.
    pub name: String,
    /// The estimate.
    pub value: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Chance with which intervals made like this one cover.
    pub level: f64,
    /// Standard error of `value`.
    pub std_error: f64,
    /// Two-sided p-value of "it is 0"; 0 or 1 where there is no standard error.
    pub p_value: f64,
    /// The p-value adjusted for how many figures were asked for together, where there are several.
    pub adjusted_p: Option<f64>,
    /// Unit of `value`, `low`, `high` and `std_error`.
    pub unit: String,
    /// Customers held out.
    pub n_held_out: u64,
    /// Customers treated.
    pub n_treated: u64,
    /// What it says about cause.
    pub causal: Causal,
}

impl Figure {
    /// Treated less held out.
    pub(super) fn of(name: impl Into<String>, contrast: &Contrast, level: f64, unit: impl Into<String>, causal: Causal) -> Self {
        let (value, variance) = contrast.absolute();
        Self::with(name, (value, variance.sqrt(), contrast.df()), level, unit, (contrast.control.units, contrast.treatment.units), causal)
    }

    /// From value, standard error and degrees of freedom; `n` are those held out and treated.
    pub(super) fn with(
        name: impl Into<String>,
        (value, std_error, df): (f64, f64, f64),
        level: f64,
        unit: impl Into<String>,
        n: (u64, u64),
        causal: Causal,
    ) -> Self {
        let (low, high, p_value) = judged(value, std_error, df, level);
        let (n_held_out, n_treated) = n;
        let (name, unit) = (name.into(), unit.into());
        Self { name, value, low, high, level, std_error, p_value, adjusted_p: None, unit, n_held_out, n_treated, causal }
    }

    /// The same per another number of customers.
    #[must_use]
    pub(super) fn times(&self, factor: f64, name: impl Into<String>, unit: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            unit: unit.into(),
            value: self.value * factor,
            low: self.low * factor,
            high: self.high * factor,
            std_error: self.std_error * factor,
            ..self.clone()
        }
    }

    /// Whether the whole interval lies above 0.
    pub fn is_credibly_positive(&self) -> bool {
        self.low > 0.0
    }

    /// Whether the whole interval lies below 0.
    pub fn is_credibly_negative(&self) -> bool {
        self.high < 0.0
    }
}

/// A ratio of two effects with Fieller's set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RatioFigure {
    /// What it is.
    pub name: String,
    /// The estimate; `None` where the denominator's effect is exactly 0.
    pub value: Option<f64>,
    /// All ratios that the data don't reject.
    pub set: FiellerSet,
    /// What is to be said where the set isn't an interval.
    pub note: Option<String>,
    /// Chance with which sets made like this one cover.
    pub level: f64,
    /// Unit of the ratio.
    pub unit: String,
    /// Customers held out.
    pub n_held_out: u64,
    /// Customers treated.
    pub n_treated: u64,
    /// What it says about cause.
    pub causal: Causal,
}

pub(super) fn adjusted(figures: &mut [&mut Figure], method: crate::experiment::Adjust) {
    let p_values: Vec<f64> = figures.iter().map(|figure| figure.p_value).collect();
    for (figure, p) in figures.iter_mut().zip(crate::experiment::adjust(&p_values, method)) {
        figure.adjusted_p = Some(p);
    }
}
