//! Weighted ridge and logistic regression on an intercept, a context and one indicator an action.
//!
//! Indicators make the normal equations diagonal in the actions, so that these are eliminated first and only a
//! system as wide as the context is solved: cost follows rows × context², whatever the number of actions.

/// Newton steps at most.
const STEPS: usize = 100;
/// A step that changes no coefficient by more, relative to 1 plus its size, is the last.
const CONVERGED: f64 = 1e-10;

/// Coefficients: of the intercept, of the context, then of each action.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Additive {
    pub(super) shared: Vec<f64>,
    pub(super) of_action: Vec<f64>,
}

impl Additive {
    fn zero(width: usize, actions: usize) -> Self {
        Self { shared: vec![0.0; width + 1], of_action: vec![0.0; actions] }
    }

    /// Intercept and context's part of the score.
    pub(super) fn of_context(&self, context: &[f64]) -> f64 {
        self.shared[0] + self.shared[1..].iter().zip(context).map(|(slope, value)| slope * value).sum::<f64>()
    }

    fn score(&self, context: &[f64], action: usize) -> f64 {
        self.of_context(context) + self.of_action[action]
    }
}

/// One row: context, action, weight ≥ 0, outcome.
pub(super) type Row<'a> = (&'a [f64], usize, f64, f64);

/// Normal equations: Σ w x xᵀ and Σ w x y.
#[derive(Debug, Clone)]
pub(super) struct Equations {
    width: usize,
    /// Intercept and context, lower triangle.
    shared: Vec<f64>,
    /// Of intercept and context with each action, `[action][column]`.
    between: Vec<f64>,
    of_action: Vec<f64>,
    right_shared: Vec<f64>,
    right_action: Vec<f64>,
    pub(super) rows: u64,
}

impl Equations {
    pub(super) fn new(width: usize, actions: usize) -> Self {
        let columns = width + 1;
        Self {
            width,
            shared: vec![0.0; columns * columns],
            between: vec![0.0; actions * columns],
            of_action: vec![0.0; actions],
            right_shared: vec![0.0; columns],
            right_action: vec![0.0; actions],
            rows: 0,
        }
    }

    /// Adds a row of `weight`, whose right-hand side is `right` (weight × outcome).
    pub(super) fn add(&mut self, context: &[f64], action: usize, weight: f64, right: f64) {
        let columns = self.width + 1;
        let at = |column: usize| if column == 0 { 1.0 } else { context[column - 1] };
        let between = &mut self.between[action * columns..][..columns];
        for (row, cross) in between.iter_mut().enumerate() {
            let weighted = weight * at(row);
            *cross += weighted;
            self.right_shared[row] += right * at(row);
            for (column, cell) in self.shared[row * columns..][..=row].iter_mut().enumerate() {
                *cell += weighted * at(column);
            }
        }
        self.of_action[action] += weight;
        self.right_action[action] += right;
        self.rows += 1;
    }

    pub(super) fn merge(&mut self, other: &Self) {
        let pairs = [
            (&mut self.shared, &other.shared),
            (&mut self.between, &other.between),
            (&mut self.of_action, &other.of_action),
            (&mut self.right_shared, &other.right_shared),
            (&mut self.right_action, &other.right_action),
        ];
        for (sums, parts) in pairs {
            sums.iter_mut().zip(parts).for_each(|(sum, part)| *sum += part);
        }
        self.rows += other.rows;
    }

    /// The solution with a penalty on every coefficient but the intercept's; `None` where there is none.
    pub(super) fn solve(&self, penalty: f64) -> Option<Additive> {
        let columns = self.width + 1;
        let (mut left, mut right) = (self.shared.clone(), self.right_shared.clone());
        (1..columns).for_each(|column| left[column * columns + column] += penalty);
        // Schur's complement of the actions.
        for (action, (&own, &of)) in self.of_action.iter().zip(&self.right_action).enumerate() {
            let between = &self.between[action * columns..][..columns];
            let scale = 1.0 / (own + penalty);
            for (row, &one) in between.iter().enumerate() {
                right[row] -= one * of * scale;
                left[row * columns..][..=row].iter_mut().zip(between).for_each(|(cell, other)| *cell -= one * other * scale);
            }
        }
        let shared = cholesky_solve(left, right, columns)?;
        let of_action = self.of_action.iter().zip(&self.right_action).enumerate().map(|(action, (own, of))| {
            let known: f64 = self.between[action * columns..][..columns].iter().zip(&shared).map(|(cross, value)| cross * value).sum();
            (of - known) / (own + penalty)
        });
        let of_action: Vec<f64> = of_action.collect();
        shared.iter().chain(&of_action).all(|value| value.is_finite()).then_some(Additive { shared, of_action })
    }
}

/// Solves a symmetric positive definite system given by its lower triangle.
fn cholesky_solve(mut left: Vec<f64>, mut right: Vec<f64>, size: usize) -> Option<Vec<f64>> {
    for row in 0..size {
        for column in 0..=row {
            let known: f64 = (0..column).map(|k| left[row * size + k] * left[column * size + k]).sum();
            let rest = left[row * size + column] - known;
            if row > column {
                left[row * size + column] = rest / left[column * size + column];
            } else if rest > 0.0 {
                left[row * size + row] = rest.sqrt();
            } else {
                return None;
            }
        }
    }
    for row in 0..size {
        let known: f64 = (0..row).map(|k| left[row * size + k] * right[k]).sum();
        right[row] = (right[row] - known) / left[row * size + row];
    }
    for row in (0..size).rev() {
        let known: f64 = (row + 1..size).map(|k| left[k * size + row] * right[k]).sum();
        right[row] = (right[row] - known) / left[row * size + row];
    }
    Some(right)
}

pub(super) fn logistic(score: f64) -> f64 {
    1.0 / (1.0 + (-score).exp())
}

/// Weighted logistic regression by Newton's method: least Σ w (ln(1 + eˢ) − y s) + penalty/2 × |β|², the intercept
/// unpenalised. `visit` gives every row, the same each time. `None` where it doesn't converge.
pub(super) fn fit_logistic(width: usize, actions: usize, penalty: f64, visit: impl Fn(&mut dyn FnMut(Row<'_>))) -> Option<Additive> {
    let loss = |model: &Additive| {
        let mut sum = 0.5 * penalty * model.shared[1..].iter().chain(&model.of_action).map(|slope| slope * slope).sum::<f64>();
        visit(&mut |(context, action, weight, outcome)| {
            let score = model.score(context, action);
            // ln(1 + eˢ) without overflow.
            sum += weight * (score.max(0.0) + (-score.abs()).exp().ln_1p() - outcome * score);
        });
        sum
    };
    let mut model = Additive::zero(width, actions);
    let mut current = loss(&model);
    for _ in 0..STEPS {
        // The next coefficients solve the equations of a weighted regression on the working response.
        let mut equations = Equations::new(width, actions);
        visit(&mut |(context, action, weight, outcome)| {
            let score = model.score(context, action);
            let chance = logistic(score);
            let spread = (chance * (1.0 - chance)).max(1e-12);
            equations.add(context, action, weight * spread, weight * (spread * score + outcome - chance));
        });
        let next = equations.solve(penalty)?;
        let (mut share, mut candidate, mut at) = (1.0, next.clone(), loss(&next));
        // Shorter steps where a whole one overshoots.
        while at > current + 1e-12 * current.abs() && share > 1e-6 {
            share *= 0.5;
            candidate = between(&model, &next, share);
            at = loss(&candidate);
        }
        let change = change(&model, &candidate);
        (model, current) = (candidate, at);
        if change < CONVERGED {
            return Some(model);
        }
    }
    None
}

fn between(from: &Additive, to: &Additive, share: f64) -> Additive {
    let mix = |from: &[f64], to: &[f64]| from.iter().zip(to).map(|(from, to)| from + share * (to - from)).collect();
    Additive { shared: mix(&from.shared, &to.shared), of_action: mix(&from.of_action, &to.of_action) }
}

fn change(from: &Additive, to: &Additive) -> f64 {
    let both = from.shared.iter().zip(&to.shared).chain(from.of_action.iter().zip(&to.of_action));
    both.map(|(from, to)| (to - from).abs() / (1.0 + to.abs())).fold(0.0, f64::max)
}
