//! What a policy would do, as it was given.

use std::path::Path;

use youhui_evaluation::off_policy::{Shape, Target};
use youhui_storage::{MISSING, columns_of, read_table_as};

use super::super::super::CliError;
use super::rounds::Rounds;
use super::source::{Cells, Source, numbers};

/// A policy.
pub(super) enum Policy {
    /// The same in every round, `[action][position]`.
    Constant(Vec<f64>),
    /// A row a round: a column for each of these actions.
    Dense(Source, Vec<usize>),
    /// A row a round: the probability of the action that was logged.
    Logged(Source),
}

impl Policy {
    /// Of its name or file; `rounds` know its actions.
    pub(super) fn read(policy: &str, rounds: &Rounds) -> Result<Self, CliError> {
        if let Some(constant) = constant(policy, rounds)? {
            return Ok(Self::Constant(constant));
        }
        let path = Path::new(policy);
        let present = columns_of(path)?;
        let columns: Vec<String> = present.iter().filter(|name| name.starts_with("p_")).cloned().collect();
        if columns.is_empty() {
            if !present.iter().any(|name| name == "probability") {
                let columns = present.join(", ");
                return Err(CliError::usage(format!(
                    "--policy {policy}: it has neither probability nor p_ACTION: its columns are {columns}"
                )));
            }
            return Ok(Self::Logged(Source::open(path, &["probability".to_owned()], &[])?));
        }
        if rounds.shape.positions > 1 {
            return Err(CliError::usage(format!(
                "--policy {policy}: columns p_ACTION are of one position: give action, position, probability"
            )));
        }
        let places = columns.iter().map(|name| rounds.places[&name["p_".len()..]] as usize).collect();
        Ok(Self::Dense(Source::open(path, &columns, &[])?, places))
    }

    /// Whether only probabilities of logged actions are known.
    pub(super) const fn is_of_logged(&self) -> bool {
        matches!(self, Self::Logged(_))
    }
}

/// Actions that a policy names.
pub(super) fn actions_of(policy: &str) -> Result<Vec<String>, CliError> {
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
    if is_of_actions(&present) {
        let (_, names) = read_table_as(path, Some(&["action".to_owned()]), &["action"])?.take("action")?.values.categories();
        return Ok(names);
    }
    Ok(present.iter().filter_map(|name| name.strip_prefix("p_")).map(str::to_owned).collect())
}

/// Whether a table has a row an action, and not a row a round.
fn is_of_actions(present: &[String]) -> bool {
    present.iter().any(|name| name == "action")
}

/// A policy that is the same in every round, `[action][position]`.
fn constant(policy: &str, rounds: &Rounds) -> Result<Option<Vec<f64>>, CliError> {
    let Shape { actions, positions } = rounds.shape;
    if policy == "uniform" {
        return Ok(Some(vec![1.0 / actions as f64; actions * positions]));
    }
    let mut values = vec![0.0; actions * positions];
    if let Some(action) = policy.strip_prefix("always:") {
        let place = rounds.places[action] as usize;
        values[place * positions..(place + 1) * positions].fill(1.0);
        return Ok(Some(values));
    }
    let path = Path::new(policy);
    if !is_of_actions(&columns_of(path)?) {
        return Ok(None);
    }
    let mut table = read_table_as(path, None, &["action", "position"])?;
    let (codes, names) = table.take("action")?.values.categories();
    let position = match positions {
        1 => vec![0; codes.len()],
        _ => {
            let (codes, names) = table.take("position")?.values.categories();
            let place = |code: &u32| {
                let name = names.get(*code as usize)?;
                rounds.positions.iter().position(|known| known == name)
            };
            let places: Option<Vec<usize>> = codes.iter().map(place).collect();
            places.ok_or_else(|| {
                CliError::usage(format!("--policy {policy}: a position is not one of the log's: {}", rounds.positions.join(", ")))
            })?
        }
    };
    let probability = numbers(path, &table, "probability")?;
    for (row, ((&code, position), &probability)) in codes.iter().zip(position).zip(probability).enumerate() {
        if code == MISSING {
            return Err(CliError::usage(format!("--policy {policy}: row {}: the action is empty", row + 1)));
        }
        if !(0.0..=1.0).contains(&probability) {
            return Err(CliError::usage(format!(
                "--policy {policy}: row {}: probability is {probability}, but has to be within 0 and 1: weights would be wrong",
                row + 1
            )));
        }
        values[rounds.places[&names[code as usize]] as usize * positions + position] += probability;
    }
    Ok(Some(values))
}

/// A policy in the rounds that come next.
pub(super) enum Coming<'a> {
    Constant(&'a [f64]),
    Dense(Cells<'a>, &'a [usize], Vec<f64>),
    Logged(Cells<'a>, Vec<f64>),
}

impl<'a> Coming<'a> {
    pub(super) fn of(policy: &'a Policy) -> Self {
        match policy {
            Policy::Constant(values) => Self::Constant(values),
            Policy::Dense(source, places) => Self::Dense(Cells::of(source), places, vec![]),
            Policy::Logged(source) => Self::Logged(Cells::of(source), vec![]),
        }
    }

    /// Reads the next rounds; whether there were as many.
    pub(super) fn advance(&mut self, rounds: usize, shape: Shape) -> Result<bool, CliError> {
        match self {
            Self::Constant(_) => Ok(true),
            Self::Dense(cells, places, values) => {
                values.clear();
                values.resize(rounds * shape.actions, 0.0);
                cells.take(rounds, |place, columns| {
                    for (column, action) in columns.iter().zip(places.iter()) {
                        let of_action = values[place * shape.actions..].iter_mut().skip(*action).step_by(shape.actions);
                        of_action.zip(*column).for_each(|(value, probability)| *value = *probability);
                    }
                })
            }
            Self::Logged(cells, values) => {
                values.clear();
                cells.take(rounds, |_, columns| values.extend_from_slice(columns[0]))
            }
        }
    }

    /// Whether no row is left over.
    pub(super) fn is_done(&mut self) -> Result<bool, CliError> {
        match self {
            Self::Constant(_) => Ok(true),
            Self::Dense(cells, ..) | Self::Logged(cells, _) => cells.is_done(),
        }
    }

    pub(super) fn target(&self) -> Target<'_> {
        match self {
            Self::Constant(values) => Target::Constant(values),
            Self::Dense(_, _, values) => Target::Dense(values),
            Self::Logged(_, values) => Target::Logged(values),
        }
    }
}
