//! Offers larger than memory: read in blocks of whole customers, pass after pass.

use std::path::Path;

use rayon::prelude::*;
use youhui_allocation::{
    AllocationError, Caution, Constraints, Curve, Offers, Plan, Row, Source, Streamed, Terms, Unit, UnitFinder, allocate_stream,
    curve_stream,
};
use youhui_storage::{Column, KeyedBlock, KeyedColumns, KeyedFile, Room, TableWriter, Values};

use super::caution::{Change, Weighed};
use super::check::{CheckedRow, Checker};
use super::{BUDGETS, CliError};

/// Customers that prices are learnt on, and their rows.
const SAMPLE: usize = 1_600_000;
const SAMPLE_ROWS: usize = 16_000_000;
/// Blocks that the sample comes from at most, and customers next to one another in it.
const SAMPLE_BLOCKS: usize = 96;
const RUN: usize = 64;
/// Blocks that are written at once.
const AT_ONCE: usize = 4;
/// Bytes of an offer where a customer may get several promotions: all are held.
const HELD: usize = 40;

/// A file of offers, looked at once.
pub(super) struct Big {
    file: KeyedFile,
    has_errors: bool,
    has_segments: bool,
    value: UnitFinder,
    cost: UnitFinder,
}

/// Units of values and costs, as far as a part of the file shows.
#[derive(Default)]
struct Finders {
    value: UnitFinder,
    cost: UnitFinder,
}

/// The offers by one measure of value.
struct Compared<'a> {
    big: &'a Big,
    caution: Caution,
    value: Unit,
    cost: Unit,
}

/// A plan and what goes with it.
pub(super) struct Solved {
    pub(super) plan: Plan,
    pub(super) curve: Option<Curve>,
    pub(super) change: Option<(Change, Plan)>,
    pub(super) customers: usize,
}

/// What is asked for.
#[derive(Clone, Copy)]
pub(super) struct Wish<'a> {
    pub(super) constraints: &'a Constraints,
    pub(super) budget: Option<f64>,
    pub(super) caution: Caution,
    pub(super) with_curve: bool,
    pub(super) memory: usize,
}

impl Big {
    /// Opens a file; a sorted copy, if one is needed, lies in `folder`.
    pub(super) fn open(path: &Path, present: &[String], caution: Caution, memory: usize, folder: &Path) -> Result<Self, CliError> {
        let has_segments = present.iter().any(|name| name == "segment");
        let has_errors = caution != Caution::None;
        let texts: &[&str] = if has_segments { &["promotion", "segment"] } else { &["promotion"] };
        let numbers: &[&str] = if has_errors { &["value", "cost", "std_error"] } else { &["value", "cost"] };
        let see = |finders: &mut Finders, numbers: &[Vec<f64>]| {
            numbers[0].iter().for_each(|&value| finders.value.see(value));
            numbers[1].iter().for_each(|&cost| finders.cost.see(cost));
            if let Some(errors) = numbers.get(2) {
                if let Some(row) = errors.iter().position(|error| *error < 0.0) {
                    return Err((row, format!("std_error is {}: give 0 or more", errors[row])));
                }
                let most = numbers[0].iter().zip(errors).map(|(&value, &error)| caution.most(value, error)).fold(0.0, f64::max);
                finders.value.reach(most);
            }
            Ok(())
        };
        let (file, found) = KeyedFile::open(path, KeyedColumns { key: "customer", texts, numbers }, Room { memory, folder }, see)?;
        let all = found
            .into_iter()
            .fold(Finders::default(), |sum, one| Finders { value: sum.value.merge(one.value), cost: sum.cost.merge(one.cost) });
        Ok(Self { file, has_errors, has_segments, value: all.value, cost: all.cost })
    }

    /// How the file was read, for the summary.
    pub(super) fn read_as(&self) -> String {
        let copied = if self.file.is_copied() { " of a sorted copy" } else { "" };
        format!("in {} blocks{copied}", self.file.blocks())
    }

    fn segments(&self) -> &[String] {
        if self.has_segments { &self.file.names()[1] } else { &[] }
    }

    /// The plan, written to `out`.
    pub(super) fn solve(&self, wish: Wish<'_>, out: &Path, refused: impl Fn(&AllocationError) -> CliError) -> Result<Solved, CliError> {
        let several = wish.constraints.per_customer.unwrap_or(1) > 1 || wish.constraints.contact.iter().any(|limit| limit.most == 0);
        let needed = self.file.rows() * HELD;
        if several && needed > wish.memory {
            let (rows, needed, given) = (self.file.rows(), needed >> 20, wish.memory >> 20);
            let message = format!(
                "{}: {rows} offers, of which a customer may get several: that takes about {needed} MB, --memory is {given}: raise it, or allow one a customer",
                self.file.path().display()
            );
            return Err(CliError::usage(message));
        }
        let compared = self.compared(wish.caution);
        let sample = compared.sample()?;
        let terms = compared.terms(wish.budget);
        let solved = allocate_stream(&compared, &sample, wish.constraints, terms)?.map_err(|error| refused(&error))?;
        let curve = if wish.with_curve {
            let curve = curve_stream(&compared, &sample, wish.constraints, terms, &solved.plan, BUDGETS)?;
            Some(curve.map_err(|error| refused(&error))?)
        } else {
            None
        };
        let plain = if self.has_errors {
            let plain = self.compared(Caution::None);
            let sample = plain.sample()?;
            let solved = allocate_stream(&plain, &sample, wish.constraints, plain.terms(wish.budget))?.map_err(|error| refused(&error))?;
            Some((plain, solved))
        } else {
            None
        };
        let change = compared.write(&solved, plain.as_ref(), out)?;
        let change = plain.map(|(_, plain)| (change, plain.plan));
        Ok(Solved { plan: solved.plan, curve, change, customers: self.file.keys() })
    }

    fn compared(&self, caution: Caution) -> Compared<'_> {
        Compared { big: self, caution, value: self.value.unit(true), cost: self.cost.unit(false) }
    }
}

impl Compared<'_> {
    fn terms(&self, budget: Option<f64>) -> Terms<'_> {
        Terms {
            promotions: &self.big.file.names()[0],
            segments: self.big.segments(),
            value_unit: self.value.size,
            cost_unit: self.cost.size,
            budget,
            exact_values: self.value.exact,
            exact_costs: self.cost.exact,
        }
    }

    /// An offer by its row.
    fn weighed(&self, block: &KeyedBlock, row: usize, customer: &str) -> Weighed {
        let value = block.numbers[0][row];
        let std_error = block.numbers.get(2).map_or(0.0, |errors| errors[row]);
        let promotion = if matches!(self.caution, Caution::Draw(_)) { &self.big.file.names()[0][block.texts[0][row] as usize] } else { "" };
        Weighed { value, std_error, compared: self.caution.value(value, std_error, customer, promotion) }
    }

    /// The customer's name, where it is needed for more than writing.
    fn name(&self, block: &KeyedBlock, key: usize) -> String {
        if matches!(self.caution, Caution::Draw(_)) { block.name(key) } else { String::new() }
    }

    /// A block's offers, checked; of those customers that are wanted.
    fn offers(&self, block: &KeyedBlock, is_wanted: impl Fn(usize) -> bool) -> Result<Offers, CliError> {
        let promotions = &self.big.file.names()[0];
        let mut checker = Checker::new(self.big.file.path(), promotions, self.big.segments());
        let mut offers = Offers::new(promotions.len());
        let segment = |row: usize| if self.big.has_segments { block.texts[1][row] } else { 0 };
        for key in (0..block.len()).filter(|&key| is_wanted(key)) {
            let rows = block.rows(key);
            let checked = |row: usize| CheckedRow { number: block.number(row), promotion: block.texts[0][row], segment: segment(row) };
            checker.check(|| block.name(key), rows.clone().map(checked))?;
            let name = self.name(block, key);
            let of_row = |row: usize| Row {
                promotion: block.texts[0][row],
                value: self.value.nearest(self.weighed(block, row, &name).compared),
                cost: self.cost.up(block.numbers[1][row]),
            };
            offers.push(segment(rows.start), rows.map(of_row));
        }
        Ok(offers)
    }

    /// Customers from all over the file, in short runs.
    fn sample(&self) -> Result<Offers, CliError> {
        let file = &self.big.file;
        let blocks = file.blocks();
        let taken = blocks.min(SAMPLE_BLOCKS);
        let share = (SAMPLE as f64 / file.keys() as f64).min(SAMPLE_ROWS as f64 / file.rows() as f64) * blocks as f64 / taken as f64;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 1 up")]
        let every = (1.0 / share).ceil().max(1.0) as usize;
        let of_block = |number: usize| {
            let block = file.read(number * blocks / taken)?;
            self.offers(&block, |key| (key / RUN).is_multiple_of(every))
        };
        let parts = (0..taken).into_par_iter().map(of_block).collect::<Result<Vec<Offers>, CliError>>()?;
        let mut sample = Offers::new(file.names()[0].len());
        for part in &parts {
            let view = part.all();
            (0..part.customers()).for_each(|customer| sample.push(view.segment_of(customer), view.rows(customer)));
        }
        Ok(sample)
    }

    /// Writes who gets what, block by block; what changes against the plain plan.
    fn write(&self, solved: &Streamed, plain: Option<&(Compared<'_>, Streamed)>, out: &Path) -> Result<Change, CliError> {
        let file = &self.big.file;
        let mut writer = TableWriter::create(out)?;
        let mut change = Change::default();
        for from in (0..file.blocks()).step_by(AT_ONCE) {
            let of_block = |number: usize| self.choose(number, solved, plain);
            let blocks = from..(from + AT_ONCE).min(file.blocks());
            for (columns, changed) in blocks.into_par_iter().map(of_block).collect::<Result<Vec<_>, CliError>>()? {
                writer.write(&columns)?;
                change.merge(&changed);
            }
        }
        writer.finish()?;
        Ok(change)
    }

    fn choose(
        &self,
        number: usize,
        solved: &Streamed,
        plain: Option<&(Compared<'_>, Streamed)>,
    ) -> Result<([Column; 2], Change), CliError> {
        let file = &self.big.file;
        let block = file.read(number)?;
        let first = file.first_key(number);
        let choices = solved.choices(self.offers(&block, |_| true)?.all(), first);
        let mut change = Change::default();
        if let Some((compared, plain)) = plain {
            let others = plain.choices(compared.offers(&block, |_| true)?.all(), first);
            self.compare(&block, &choices, &others, &mut change);
        }
        let (mut codes, mut names, mut promotions) = (Vec::new(), Vec::new(), Vec::new());
        let mut last = None;
        for &(customer, place) in &choices {
            if last != Some(customer) {
                names.push(block.name(customer));
                last = Some(customer);
            }
            codes.push(u32::try_from(names.len() - 1).unwrap_or(u32::MAX));
            promotions.push(block.texts[0][block.rows(customer).start + place as usize]);
        }
        let text =
            |name: &str, codes: Vec<u32>, names: Vec<String>| Column { name: name.to_owned(), values: Values::Text { codes, names } };
        Ok(([text("customer", codes, names), text("promotion", promotions, file.names()[0].clone())], change))
    }

    fn compare(&self, block: &KeyedBlock, ours: &[(usize, u32)], others: &[(usize, u32)], change: &mut Change) {
        let (mut ours, mut others) = (ours.iter().peekable(), others.iter().peekable());
        for key in 0..block.len() {
            let of_key = |choices: &mut std::iter::Peekable<std::slice::Iter<'_, (usize, u32)>>| {
                let mut places = Vec::new();
                while let Some((_, place)) = choices.next_if(|(customer, _)| *customer == key) {
                    places.push(*place);
                }
                places
            };
            let (cautious, plain) = (of_key(&mut ours), of_key(&mut others));
            let name = self.name(block, key);
            change.add(&cautious, &plain, |place| self.weighed(block, block.rows(key).start + place as usize, &name));
        }
    }
}

impl Source for Compared<'_> {
    type Error = CliError;

    fn blocks(&self) -> usize {
        self.big.file.blocks()
    }

    fn first(&self, block: usize) -> usize {
        self.big.file.first_key(block)
    }

    fn customers(&self) -> usize {
        self.big.file.keys()
    }

    fn read<T>(&self, block: usize, look: impl FnOnce(youhui_allocation::View<'_>) -> T) -> Result<T, CliError> {
        let block = self.big.file.read(block)?;
        Ok(look(self.offers(&block, |_| true)?.all()))
    }
}
