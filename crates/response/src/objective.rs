//! What is predicted, and the loss that it is judged by.

/// The kind of an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Objective {
    /// Any number: squared error.
    Continuous,
    /// 0 or 1: logistic loss.
    Binary,
    /// 0, 1, 2 …: Poisson deviance.
    Count,
    /// Mostly zero, else positive: Tweedie deviance of power 1.5 (Jørgensen 1987).
    Spend,
}

const POWER: f64 = 1.5;
/// Margins beyond it would overflow.
const MOST: f64 = 30.0;

impl Objective {
    /// The margin of a mean.
    pub(crate) fn link(self, mean: f64) -> f64 {
        match self {
            Self::Continuous => mean,
            Self::Binary => {
                let mean = mean.clamp(1e-6, 1.0 - 1e-6);
                (mean / (1.0 - mean)).ln()
            }
            Self::Count | Self::Spend => mean.max(1e-9).ln(),
        }
    }

    /// The mean of a margin.
    pub(crate) fn mean(self, margin: f64) -> f64 {
        match self {
            Self::Continuous => margin,
            Self::Binary => crate::linear::sigmoid(margin),
            Self::Count | Self::Spend => margin.clamp(-MOST, MOST).exp(),
        }
    }

    /// The loss of a margin, up to a constant.
    pub(crate) fn loss(self, margin: f64, target: f64) -> f64 {
        match self {
            Self::Continuous => (margin - target).powi(2) / 2.0,
            // ln(1 + e^m) − y·m without overflow.
            Self::Binary => margin.max(0.0) + (-margin.abs()).exp().ln_1p() - target * margin,
            Self::Count => self.mean(margin) - target * margin,
            Self::Spend => {
                let margin = margin.clamp(-MOST, MOST);
                -target * ((1.0 - POWER) * margin).exp() / (1.0 - POWER) + ((2.0 - POWER) * margin).exp() / (2.0 - POWER)
            }
        }
    }

    /// First and second derivative of the loss, times a weight.
    #[allow(clippy::cast_possible_truncation, reason = "derivatives are kept in 32 bits")]
    pub(crate) fn derivative(self, margin: f64, target: f64, weight: f64) -> [f32; 2] {
        let (first, second) = match self {
            Self::Continuous => (margin - target, 1.0),
            Self::Binary => {
                let mean = self.mean(margin);
                (mean - target, (mean * (1.0 - mean)).max(1e-6))
            }
            Self::Count => {
                let mean = self.mean(margin);
                (mean - target, mean.max(1e-6))
            }
            Self::Spend => {
                let margin = margin.clamp(-MOST, MOST);
                let (less, more) = (((1.0 - POWER) * margin).exp(), ((2.0 - POWER) * margin).exp());
                (more - target * less, ((2.0 - POWER) * more - (1.0 - POWER) * target * less).max(1e-6))
            }
        };
        [(weight * first) as f32, (weight * second) as f32]
    }
}
