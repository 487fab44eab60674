//! The log, and what policies would have done in its rounds.

use std::path::Path;

use rustc_hash::FxHashMap;
use youhui_evaluation::off_policy::{
    Expected, Fitting, FittingWeights, Log, OffPolicyError, Regression, RewardModel, Shape, Target, Weighed, weigh,
};
use youhui_storage::{MISSING, Table, columns_of, read_table_as, read_table_in_blocks};

use super::super::super::CliError;
use super::{Args, Model};

/// The log.
pub(super) struct Rounds {
    pub(super) hash: String,
    shape: Shape,
    pub(super) actions: Vec<String>,
    places: FxHashMap<String, u32>,
    positions: Vec<String>,
    pub(super) action: Vec<u32>,
    position: Option<Vec<u32>>,
    pub(super) reward: Vec<f64>,
    pub(super) propensity: Vec<f64>,
    customer: Option<Vec<u64>>,
    /// `[round][feature]`.
    context: Vec<f64>,
    width: usize,
}

impl Rounds {
    pub(super) fn read(args: &Args) -> Result<Self, CliError> {
        let mut wanted: Vec<String> = vec![args.action.clone(), args.reward.clone(), args.propensity.clone()];
        wanted.extend(args.position.iter().chain(&args.customer).cloned());
        wanted.extend(args.features.iter().filter(|name| !wanted.contains(name)).cloned().collect::<Vec<_>>());
        let texts: Vec<&str> =
            [Some(&args.action), args.customer.as_ref(), args.position.as_ref()].into_iter().flatten().map(String::as_str).collect();
        let mut table = read_table_as(&args.log, Some(&wanted), &texts)?;
        let features = args.features.iter().map(|name| numbers(&args.log, &table, name)).collect::<Result<Vec<_>, _>>()?;
        let (rounds, width) = (table.rows(), features.len());
        let mut context = Vec::with_capacity(rounds * width);
        (0..rounds).for_each(|row| context.extend(features.iter().map(|column| column[row])));
        let (action, actions) = names(args, &mut table, &args.action)?;
        // Every action of the policy counts, also those that were never logged.
        let mut all = actions;
        for policy in std::iter::once(&args.policy).chain(&args.against) {
            for name in actions_of(policy)? {
                if !all.contains(&name) {
                    all.push(name);
                }
            }
        }
        let (position, positions) = match &args.position {
            Some(column) => {
                let (codes, names) = names(args, &mut table, column)?;
                (Some(codes), names)
            }
            None => (None, vec!["1".to_owned()]),
        };
        let customer = match &args.customer {
            Some(column) => Some(names(args, &mut table, column)?.0.into_iter().map(u64::from).collect()),
            None => None,
        };
        Ok(Self {
            hash: table.hash.clone(),
            shape: Shape { actions: all.len(), positions: positions.len() },
            places: all.iter().cloned().zip(0..).collect(),
            actions: all,
            positions,
            action,
            position,
            reward: numbers(&args.log, &table, &args.reward)?.to_vec(),
            propensity: numbers(&args.log, &table, &args.propensity)?.to_vec(),
            customer,
            context,
            width,
        })
    }

    fn log(&self, rows: std::ops::Range<usize>) -> Log<'_> {
        Log {
            action: &self.action[rows.clone()],
            position: self.position.as_ref().map(|position| &position[rows.clone()]),
            reward: &self.reward[rows.clone()],
            propensity: &self.propensity[rows.clone()],
            customer: self.customer.as_ref().map(|customer| &customer[rows.clone()]),
            first_row: rows.start as u64,
        }
    }

    fn whole(&self) -> Log<'_> {
        self.log(0..self.action.len())
    }

    pub(super) fn model(&self, args: &Args) -> Result<Option<RewardModel>, CliError> {
        let regression = match args.reward_model {
            Model::None => return Ok(None),
            Model::Ridge => Regression::Ridge { penalty: 1.0 },
            Model::Logistic => Regression::Logistic { penalty: 1.0 },
        };
        let fitting = Fitting { regression, weights: FittingWeights::Equal, folds: 5, seed: args.seed };
        Ok(Some(RewardModel::fit(self.shape, &self.whole(), &self.context, self.width, None, fitting)?))
    }

    /// The log weighed for the policy, and for the other one if there is one, in the same blocks.
    pub(super) fn weighed(&self, args: &Args, model: Option<&RewardModel>) -> Result<(Vec<Weighed>, Option<Vec<Weighed>>), CliError> {
        let in_blocks = |policy: &str| match self.constant(policy)? {
            Some(_) => Ok(None),
            None => self.in_blocks(args, policy, model).map(Some),
        };
        let first = in_blocks(&args.policy)?;
        let second = args.against.as_ref().map(|other| in_blocks(other)).transpose()?.flatten();
        // A policy that is the same in every round takes the other's blocks.
        let lengths = |blocks: &Vec<Weighed>| blocks.iter().map(Weighed::len).collect::<Vec<usize>>();
        let blocks = first.as_ref().or(second.as_ref()).map_or_else(|| vec![self.action.len()], lengths);
        let whole = |policy: &str, found: Option<Vec<Weighed>>| match found {
            Some(found) => Ok(found),
            None => self.constantly(policy, &blocks, model),
        };
        let second = match &args.against {
            Some(other) => Some(whole(other, second)?),
            None => None,
        };
        Ok((whole(&args.policy, first)?, second))
    }

    /// Weighed for a policy that is the same in every round.
    fn constantly(&self, policy: &str, blocks: &[usize], model: Option<&RewardModel>) -> Result<Vec<Weighed>, CliError> {
        let constant = self.constant(policy)?.unwrap_or_default();
        let mut row = 0;
        let of = |rounds: &usize| {
            let rows = row..row + rounds;
            row = rows.end;
            Ok(self.weigh(rows, Target::Constant(&constant), model)?)
        };
        blocks.iter().map(of).collect()
    }

    /// Weighed for a policy that has a row a round.
    fn in_blocks(&self, args: &Args, policy: &str, model: Option<&RewardModel>) -> Result<Vec<Weighed>, CliError> {
        let path = Path::new(policy);
        let present = columns_of(path)?;
        let columns: Vec<String> = present.iter().filter(|name| name.starts_with("p_")).cloned().collect();
        let is_dense = !columns.is_empty();
        if !is_dense && !present.iter().any(|name| name == "probability") {
            return Err(CliError::usage(format!(
                "--policy {policy}: it has neither probability nor p_ACTION: its columns are {}",
                present.join(", ")
            )));
        }
        if is_dense && self.shape.positions > 1 {
            return Err(CliError::usage(format!(
                "--policy {policy}: columns p_ACTION are of one position: give action, position, probability"
            )));
        }
        let wanted = if is_dense { columns.clone() } else { vec!["probability".to_owned()] };
        let places: Vec<usize> = columns.iter().map(|name| self.places[&name["p_".len()..]] as usize).collect();
        let (mut blocks, mut row) = (vec![], 0);
        read_table_in_blocks(path, &wanted, &[], |table| -> Result<(), CliError> {
            let rows = row..row + table.rows();
            if rows.end > self.action.len() {
                return Err(self.unequal(policy));
            }
            let cells = wanted.iter().map(|name| numbers(path, &table, name)).collect::<Result<Vec<_>, _>>()?;
            if is_dense {
                let mut dense = vec![0.0; table.rows() * self.shape.actions];
                for (round, values) in dense.chunks_mut(self.shape.actions).enumerate() {
                    cells.iter().zip(&places).for_each(|(column, &place)| values[place] = column[round]);
                }
                blocks.push(self.weigh(rows, Target::Dense(&dense), model)?);
            } else {
                blocks.push(self.weigh(rows, Target::Logged(cells[0]), None)?);
            }
            row += table.rows();
            Ok(())
        })?;
        if row != self.action.len() {
            return Err(self.unequal(policy));
        }
        if !is_dense
            && model.is_some()
            && args.reward_model != Model::None
            && args.estimator.iter().any(|name| ["dm", "dr", "sndr"].contains(&name.as_str()))
        {
            return Err(CliError::usage(format!(
                "--policy {policy}: a reward model needs the policy's whole distribution: columns p_ACTION, or a table of action and probability"
            )));
        }
        Ok(blocks)
    }

    fn unequal(&self, policy: &str) -> CliError {
        CliError::usage(format!(
            "--policy {policy}: it has not as many rows as the log, {}: probabilities would be of other rounds than their own",
            self.action.len()
        ))
    }

    fn weigh(&self, rows: std::ops::Range<usize>, target: Target<'_>, model: Option<&RewardModel>) -> Result<Weighed, OffPolicyError> {
        let log = self.log(rows.clone());
        let Some(model) = model else { return weigh(self.shape, &log, target, Expected::None) };
        let context = &self.context[rows.start * self.width..rows.end * self.width];
        let (logged, of_target) = model.summed(&log, context, target)?;
        weigh(self.shape, &log, target, Expected::Summed { logged: &logged, target: &of_target })
    }

    /// A policy that is the same in every round, `[action][position]`.
    fn constant(&self, policy: &str) -> Result<Option<Vec<f64>>, CliError> {
        let (actions, positions) = (self.shape.actions, self.shape.positions);
        if policy == "uniform" {
            return Ok(Some(vec![1.0 / actions as f64; actions * positions]));
        }
        let mut values = vec![0.0; actions * positions];
        if let Some(action) = policy.strip_prefix("always:") {
            let place = self.places[action] as usize;
            values[place * positions..(place + 1) * positions].fill(1.0);
            return Ok(Some(values));
        }
        let path = Path::new(policy);
        if !columns_of(path)?.iter().any(|name| name == "action") {
            return Ok(None);
        }
        let mut table = read_table_as(path, None, &["action", "position"])?;
        let (codes, names) = table.take("action")?.values.categories();
        let position = match self.positions.len() {
            1 => vec![0; codes.len()],
            _ => {
                let (codes, names) = table.take("position")?.values.categories();
                let place = |code: &u32| {
                    let name = names.get(*code as usize)?;
                    self.positions.iter().position(|known| known == name)
                };
                let places: Option<Vec<usize>> = codes.iter().map(place).collect();
                places.ok_or_else(|| {
                    CliError::usage(format!("--policy {policy}: a position is not one of the log's: {}", self.positions.join(", ")))
                })?
            }
        };
        let probability = numbers(path, &table, "probability")?;
        for ((code, position), probability) in codes.iter().zip(position).zip(probability) {
            let name = names.get(*code as usize).ok_or_else(|| CliError::usage(format!("--policy {policy}: an action is empty")))?;
            values[self.places[name] as usize * positions + position] += probability;
        }
        Ok(Some(values))
    }
}

/// Actions that a policy names.
fn actions_of(policy: &str) -> Result<Vec<String>, CliError> {
    if policy == "uniform" {
        return Ok(vec![]);
    }
    if let Some(action) = policy.strip_prefix("always:") {
        return Ok(vec![action.to_owned()]);
    }
    let path = Path::new(policy);
    if !path.exists() {
        return Err(CliError::usage(format!("--policy {policy}: neither a file nor a name: uniform, always:ACTION")));
    }
    let present = columns_of(path)?;
    if present.iter().any(|name| name == "action") {
        let (_, names) = read_table_as(path, Some(&["action".to_owned()]), &["action"])?.take("action")?.values.categories();
        return Ok(names);
    }
    Ok(present.iter().filter_map(|name| name.strip_prefix("p_")).map(str::to_owned).collect())
}

fn numbers<'a>(path: &Path, table: &'a Table, column: &str) -> Result<&'a [f64], CliError> {
    let numbers = table.column(column)?.values.numbers();
    numbers.ok_or_else(|| CliError::usage(format!("{}: column {column} holds texts: give numbers", path.display())))
}

fn names(args: &Args, table: &mut Table, column: &str) -> Result<(Vec<u32>, Vec<String>), CliError> {
    let (codes, names) = table.take(column)?.values.categories();
    match codes.iter().position(|code| *code == MISSING) {
        Some(row) => Err(CliError::usage(format!(
            "{}: row {}: column {column} is empty: without it the round's weight is unknown, and leaving it out biases the value: fill it",
            args.log.display(),
            row + 1
        ))),
        None => Ok((codes, names)),
    }
}
