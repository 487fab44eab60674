//! The log, read in pieces, each with what policies would have done in its rounds.

use rustc_hash::FxHashMap;
use youhui_evaluation::off_policy::{Log, Shape, Target};
use youhui_storage::{Table, hash_of};

use super::super::super::CliError;
use super::Args;
use super::given::{Coming, Policy, actions_of};
use super::source::{Codes, Source, numbers};

/// Rounds of a piece at most, and its rounds × actions where a policy has a probability for each. Multiples of the rounds that are added
/// up at a time, as far as there are that many, so that pieces don't show in the last digit.
const PIECE: usize = 65_536;
const PIECE_VALUES: usize = 1 << 22;
const PART: usize = 4_096;
/// Actions × positions at most.
const MOST_VALUES: usize = 100_000;
/// Loggers at most.
const MOST_LOGGERS: usize = 1_000;

/// The log: what holds of all of its rounds. They themselves are read as often as is needed.
pub(super) struct Rounds {
    pub(super) hash: String,
    source: Source,
    columns: Columns,
    codes: FourCodes,
    pub(super) shape: Shape,
    pub(super) actions: Vec<String>,
    pub(super) places: FxHashMap<String, u32>,
    pub(super) positions: Vec<String>,
    pub(super) loggers: Vec<String>,
    /// Rounds of each logger.
    pub(super) of_logger: Vec<u64>,
    pub(super) count: u64,
    pub(super) least_propensity: f64,
}

/// Names of the log's columns.
struct Columns {
    action: String,
    reward: String,
    propensity: String,
    mean_propensity: Option<String>,
    position: Option<String>,
    customer: Option<String>,
    logger: Option<String>,
    features: Vec<String>,
}

#[derive(Default)]
struct FourCodes {
    action: Codes,
    position: Codes,
    customer: Codes,
    logger: Codes,
}

/// Some rounds.
pub(super) struct Piece {
    /// Of the first one, counted from 1.
    first_row: u64,
    action: Vec<u32>,
    position: Option<Vec<u32>>,
    pub(super) reward: Vec<f64>,
    pub(super) propensity: Vec<f64>,
    pub(super) mean_propensity: Option<Vec<f64>>,
    customer: Option<Vec<u64>>,
    pub(super) logger: Option<Vec<u32>>,
    /// `[round][feature]`.
    pub(super) context: Vec<f64>,
}

impl Piece {
    pub(super) fn log(&self) -> Log<'_> {
        Log {
            action: &self.action,
            position: self.position.as_deref(),
            reward: &self.reward,
            propensity: &self.propensity,
            customer: self.customer.as_deref(),
            first_row: self.first_row,
        }
    }

    /// Some of its rounds; the first counts as this row.
    pub(super) fn some(&self, places: &[usize], first_row: u64) -> Self {
        let width = self.context.len().checked_div(self.action.len()).unwrap_or(0);
        Self {
            first_row,
            action: of(&self.action, places),
            position: self.position.as_ref().map(|column| of(column, places)),
            reward: of(&self.reward, places),
            propensity: of(&self.propensity, places),
            mean_propensity: self.mean_propensity.as_ref().map(|column| of(column, places)),
            customer: self.customer.as_ref().map(|column| of(column, places)),
            logger: self.logger.as_ref().map(|column| of(column, places)),
            context: places.iter().flat_map(|place| self.context[place * width..][..width].iter().copied()).collect(),
        }
    }
}

/// Some rows of a column.
pub(super) fn of<T: Copy>(column: &[T], places: &[usize]) -> Vec<T> {
    places.iter().map(|&place| column[place]).collect()
}

impl Rounds {
    /// Reads the log once, to know actions, positions and loggers.
    pub(super) fn read(args: &Args) -> Result<Self, CliError> {
        let columns = Columns::of(args);
        let source = Source::open(&args.log, &columns.all(), &columns.texts())?;
        let mut rounds = Self {
            hash: hash_of(&args.log)?,
            source,
            columns,
            codes: FourCodes::default(),
            shape: Shape::of_actions(0),
            actions: vec![],
            places: FxHashMap::default(),
            positions: vec![],
            loggers: vec![],
            of_logger: vec![],
            count: 0,
            least_propensity: f64::INFINITY,
        };
        rounds.survey()?;
        rounds.name(args)?;
        Ok(rounds)
    }

    fn survey(&mut self) -> Result<(), CliError> {
        let Self { source, columns, codes, count, least_propensity, of_logger, .. } = self;
        let mut blocks = source.blocks();
        while let Some(table) = blocks.next()? {
            codes.action.of(&source.path, &table, &columns.action, *count)?;
            if let Some(position) = &columns.position {
                codes.position.of(&source.path, &table, position, *count)?;
            }
            if let Some(logger) = &columns.logger {
                for code in codes.logger.of(&source.path, &table, logger, *count)? {
                    of_logger.resize(of_logger.len().max(code as usize + 1), 0);
                    of_logger[code as usize] += 1;
                }
            }
            *least_propensity = numbers(&source.path, &table, &columns.propensity)?.iter().copied().fold(*least_propensity, f64::min);
            let values = codes.action.len() * codes.position.len().max(1);
            if values > MOST_VALUES {
                return Err(too_many(source, &columns.action, "actions at positions", values, MOST_VALUES));
            }
            if codes.logger.len() > MOST_LOGGERS {
                let column = columns.logger.as_deref().unwrap_or_default();
                return Err(too_many(source, column, "loggers", codes.logger.len(), MOST_LOGGERS));
            }
            *count += table.rows() as u64;
        }
        Ok(())
    }

    fn name(&mut self, args: &Args) -> Result<(), CliError> {
        self.actions = self.codes.action.names();
        self.places = self.actions.iter().cloned().zip(0..).collect();
        // Every action of the policy counts, also those that were never logged.
        for policy in args.policies() {
            for name in actions_of(policy)? {
                let next = u32::try_from(self.actions.len()).unwrap_or(u32::MAX);
                if !self.places.contains_key(&name) {
                    self.places.insert(name.clone(), next);
                    self.actions.push(name);
                }
            }
        }
        self.positions = if self.columns.position.is_some() { self.codes.position.names() } else { vec!["1".to_owned()] };
        self.loggers = self.codes.logger.names();
        self.shape = Shape { actions: self.actions.len(), positions: self.positions.len() };
        if self.shape.values() > MOST_VALUES {
            return Err(too_many(&self.source, &self.columns.action, "actions at positions", self.shape.values(), MOST_VALUES));
        }
        Ok(())
    }

    /// All rounds in pieces, in the log's order, each with what the policies would have done.
    pub(super) fn each(
        &mut self,
        args: &Args,
        policies: &[&Policy],
        mut each: impl FnMut(&Piece, &[Target<'_>]) -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        let mut coming: Vec<Coming<'_>> = policies.iter().map(|policy| Coming::of(policy)).collect();
        let is_dense = policies.iter().any(|policy| matches!(policy, Policy::Dense(..)));
        let most = if is_dense { piece_of(self.shape.values()) } else { PIECE };
        let (mut before, mut blocks) = (0, self.source.blocks());
        while let Some(table) = blocks.next()? {
            let block = self.block(&table, before)?;
            for start in (0..table.rows()).step_by(most) {
                let places: Vec<usize> = (start..(start + most).min(table.rows())).collect();
                let piece = block.some(&places, block.first_row + start as u64);
                for (policy, name) in coming.iter_mut().zip(args.policies()) {
                    if !policy.advance(piece.action.len(), self.shape)? {
                        return Err(self.unequal(name));
                    }
                }
                let targets: Vec<Target<'_>> = coming.iter().map(Coming::target).collect();
                each(&piece, &targets)?;
            }
            before += table.rows() as u64;
        }
        for (policy, name) in coming.iter_mut().zip(args.policies()) {
            if !policy.is_done()? {
                return Err(self.unequal(name));
            }
        }
        Ok(())
    }

    /// A block, before which there were so many rows.
    fn block(&mut self, table: &Table, before: u64) -> Result<Piece, CliError> {
        let Self { source, columns, codes, .. } = self;
        let path = &source.path;
        let column = |name: &String| Ok::<_, CliError>(numbers(path, table, name)?.to_vec());
        let features = columns.features.iter().map(|name| numbers(path, table, name)).collect::<Result<Vec<_>, _>>()?;
        let context = (0..table.rows()).flat_map(|row| features.iter().map(move |column| column[row])).collect();
        let coded = |name: &Option<String>, codes: &mut Codes| name.as_ref().map(|name| codes.of(path, table, name, before)).transpose();
        Ok(Piece {
            first_row: before + 1,
            position: coded(&columns.position, &mut codes.position)?,
            customer: coded(&columns.customer, &mut codes.customer)?.map(|codes| codes.into_iter().map(u64::from).collect()),
            logger: coded(&columns.logger, &mut codes.logger)?,
            action: codes.action.of(path, table, &columns.action, before)?,
            reward: column(&columns.reward)?,
            propensity: column(&columns.propensity)?,
            mean_propensity: columns.mean_propensity.as_ref().map(column).transpose()?,
            context,
        })
    }

    fn unequal(&self, policy: &str) -> CliError {
        CliError::usage(format!(
            "--policy {policy}: it has not as many rows as the log, {}: probabilities would be of other rounds than their own",
            self.count
        ))
    }
}

/// Rounds of a piece, of which each has so many probabilities.
fn piece_of(values: usize) -> usize {
    match PIECE_VALUES / values.max(1) {
        few if few < PART => few.max(1),
        many => (many / PART * PART).min(PIECE),
    }
}

fn too_many(source: &Source, column: &str, what: &str, found: usize, most: usize) -> CliError {
    let path = source.path.display();
    CliError::usage(format!(
        "{path}: column {column}: {found} or more {what}, of which {most} can be told apart: name another column, or group its values"
    ))
}

impl Columns {
    fn of(args: &Args) -> Self {
        Self {
            action: args.action.clone(),
            reward: args.reward.clone(),
            propensity: args.propensity.clone().unwrap_or_else(|| "propensity".to_owned()),
            mean_propensity: args.mean_propensity.clone(),
            position: args.position.clone(),
            customer: args.customer.clone(),
            logger: args.logger.clone(),
            features: args.features.clone(),
        }
    }

    fn all(&self) -> Vec<String> {
        let mut all = self.texts();
        all.extend([self.reward.clone(), self.propensity.clone()]);
        all.extend(self.mean_propensity.clone());
        all.extend(self.features.iter().cloned());
        all
    }

    fn texts(&self) -> Vec<String> {
        [Some(&self.action), self.position.as_ref(), self.customer.as_ref(), self.logger.as_ref()].into_iter().flatten().cloned().collect()
    }
}
