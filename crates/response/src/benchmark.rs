//! Known-truth data to measure learners on.

use std::sync::Arc;

use youhui_commerce::Draw;

use crate::dense::{Epoch, Training};
use crate::inputs::Inputs;
use crate::learner::{Arms, network};
use crate::matrix::Matrix;
use crate::objective::Objective;
use crate::promotions::{Described, Describes, Promotion, Promotions, Space};

/// Simulated rows with their truth.
#[derive(Debug, Clone)]
pub struct Simulated {
    /// Features.
    pub matrix: Matrix,
    /// Whether a row was treated.
    pub treated: Vec<bool>,
    /// The outcome seen.
    pub outcome: Vec<f64>,
    /// The true effect.
    pub effect: Vec<f64>,
    /// The true probability of treatment.
    pub propensity: Vec<f64>,
}

/// Set-ups of Nie and Wager (2021), section 5.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setup {
    /// Hard nuisances, easy effect.
    A,
    /// A randomised trial.
    B,
    /// Easy propensity, hard baseline, constant effect.
    C,
    /// Arms that have nothing in common.
    D,
}

/// `rows` of a set-up in 10 columns, noise of spread 1.
#[allow(clippy::cast_possible_truncation, reason = "features are kept in 32 bits")]
pub fn nie_wager(setup: Setup, rows: usize, seed: u64) -> Simulated {
    const COLUMNS: usize = 10;
    let mut draw = Draw::seeded(seed).fork("nie-wager");
    let softplus = |x: f64| x.max(0.0) + (-x.abs()).exp().ln_1p();
    let mut values = Vec::with_capacity(rows * COLUMNS);
    let mut made = Simulated { matrix: Matrix::default(), treated: vec![], outcome: vec![], effect: vec![], propensity: vec![] };
    for _ in 0..rows {
        let x: [f64; COLUMNS] = std::array::from_fn(|_| if setup == Setup::A { draw.uniform() } else { draw.normal() });
        let (base, propensity, effect) = match setup {
            Setup::A => {
                let wave = (std::f64::consts::PI * x[0] * x[1]).sin();
                (wave + 2.0 * (x[2] - 0.5).powi(2) + x[3] + 0.5 * x[4], wave.clamp(0.1, 0.9), (x[0] + x[1]) / 2.0)
            }
            Setup::B => ((x[0] + x[1]).max(x[2]).max(0.0) + (x[3] + x[4]).max(0.0), 0.5, x[0] + softplus(x[1])),
            Setup::C => (2.0 * softplus(x[0] + x[1] + x[2]), 1.0 / (1.0 + (x[1] + x[2]).exp()), 1.0),
            Setup::D => {
                let (one, two) = ((x[0] + x[1] + x[2]).max(0.0), (x[3] + x[4]).max(0.0));
                ((one + two) / 2.0, 1.0 / (1.0 + (-x[0]).exp() + (-x[1]).exp()), one - two)
            }
        };
        let treated = draw.uniform() < propensity;
        values.extend(x.iter().map(|x| *x as f32));
        made.outcome.push(base + (f64::from(u8::from(treated)) - 0.5) * effect + draw.normal());
        made.treated.push(treated);
        made.effect.push(effect);
        made.propensity.push(propensity);
    }
    made.matrix = Matrix::new(COLUMNS, values);
    made
}

/// Trains the learner `network` with other layers and batches, to time it: `arms` are 0 for the control, 1 for the first
/// treatment … Without early stopping.
///
/// # Panics
/// Where lengths differ.
#[allow(clippy::too_many_arguments, reason = "what is timed is set one by one")]
pub fn train_network(
    matrix: &Matrix,
    arms: &[u32],
    outcome: &[f64],
    treatments: usize,
    hidden: &[usize],
    batch: usize,
    epochs: usize,
    seed: u64,
) -> Vec<Epoch> {
    assert!(matrix.rows() == arms.len() && arms.len() == outcome.len(), "an arm and an outcome for each row");
    let names = (0..treatments).map(|treatment| format!("treatment {treatment}"));
    let rows = names.map(|name| Promotion { cells: vec![Described::Name(name.clone())], name }).collect();
    let table = Promotions { columns: vec![Describes { name: "promotion".to_owned(), relative_to: None, dose: false }], rows };
    let Ok(space) = Space::new(&table, &|_| None) else { return vec![] };
    let inputs = Inputs::learn(matrix.clone());
    let of_all = Arms {
        inputs: &inputs,
        outcome,
        objective: Objective::Continuous,
        place: arms.to_vec(),
        treatments,
        promotions: table.rows.iter().collect(),
        space: Arc::new(space),
    };
    let settings = Training { hidden: hidden.to_vec(), batch, epochs, patience: 0, ..network::training() };
    let all: Vec<u32> = (0..crate::trial::index(arms.len())).collect();
    network::fit(&of_all, &all, &settings, seed).epochs
}
