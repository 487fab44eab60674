//! Files of rows, read again as often as is needed, a block at a time.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use rustc_hash::FxHashMap;
use youhui_storage::{StoreError, Table, Values, read_table_in_blocks};

use super::super::super::CliError;

/// Columns of a file. What comes as one block (a text file, a small Parquet file) is held; what doesn't is read anew each time.
pub(super) struct Source {
    pub(super) path: PathBuf,
    columns: Vec<String>,
    texts: Vec<String>,
    held: Option<Arc<Table>>,
}

/// Its blocks, one after the other.
pub(super) enum Blocks {
    Held(Option<Arc<Table>>),
    Read(Receiver<Result<Table, StoreError>>),
}

impl Source {
    /// Of a text file the columns in `texts` are text.
    ///
    /// # Errors
    /// The file can't be read, or lacks a column.
    pub(super) fn open(path: &Path, columns: &[String], texts: &[String]) -> Result<Self, CliError> {
        let mut source = Self { path: path.to_owned(), columns: once(columns), texts: texts.to_vec(), held: None };
        let mut blocks = source.blocks();
        let first = blocks.next()?;
        if blocks.next()?.is_none() {
            source.held = first;
        }
        Ok(source)
    }

    /// From the first one on. A thread of its own reads ahead, so that several files can be read side by side.
    pub(super) fn blocks(&self) -> Blocks {
        if let Some(held) = &self.held {
            return Blocks::Held(Some(Arc::clone(held)));
        }
        let (send, receive) = sync_channel(0);
        let (path, columns, texts) = (self.path.clone(), self.columns.clone(), self.texts.clone());
        std::thread::spawn(move || {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let done = read_table_in_blocks(&path, &columns, &texts, |table| send.send(Ok(table)).map_err(|_| Stopped::NobodyReads));
            if let Err(Stopped::Failed(error)) = done {
                // Whoever has gone away wants to know nothing.
                send.send(Err(error)).ok();
            }
        });
        Blocks::Read(receive)
    }
}

/// Why reading ended before the file did.
enum Stopped {
    NobodyReads,
    Failed(StoreError),
}

impl From<StoreError> for Stopped {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

impl Blocks {
    pub(super) fn next(&mut self) -> Result<Option<Arc<Table>>, CliError> {
        match self {
            Self::Held(table) => Ok(table.take()),
            Self::Read(receive) => match receive.recv() {
                Ok(table) => Ok(Some(Arc::new(table?))),
                Err(_) => Ok(None),
            },
        }
    }
}

/// Rows of columns of numbers, as many at a time as are wanted, whatever the blocks.
pub(super) struct Cells<'a> {
    source: &'a Source,
    blocks: Blocks,
    table: Option<Arc<Table>>,
    at: usize,
}

impl<'a> Cells<'a> {
    pub(super) fn of(source: &'a Source) -> Self {
        Self { source, blocks: source.blocks(), table: None, at: 0 }
    }

    /// Gives `each` the place among those wanted, and runs of the columns; whether there were as many.
    pub(super) fn take(&mut self, rows: usize, mut each: impl FnMut(usize, &[&[f64]])) -> Result<bool, CliError> {
        let mut taken = 0;
        while taken < rows {
            let Some(table) = self.filled()? else { return Ok(false) };
            let run = (rows - taken).min(table.rows() - self.at);
            let columns = self.source.columns.iter().map(|name| Ok(&numbers(&self.source.path, &table, name)?[self.at..self.at + run]));
            each(taken, &columns.collect::<Result<Vec<_>, CliError>>()?);
            (taken, self.at) = (taken + run, self.at + run);
        }
        Ok(true)
    }

    /// Whether no row is left.
    pub(super) fn is_done(&mut self) -> Result<bool, CliError> {
        Ok(self.filled()?.is_none())
    }

    /// The block that has the next row.
    fn filled(&mut self) -> Result<Option<Arc<Table>>, CliError> {
        while self.table.as_ref().is_none_or(|table| self.at == table.rows()) {
            let Some(next) = self.blocks.next()? else { return Ok(None) };
            (self.table, self.at) = (Some(next), 0);
        }
        Ok(self.table.clone())
    }
}

/// Each name once: a column may have several parts to play.
pub(super) fn once(names: &[String]) -> Vec<String> {
    let mut once: Vec<String> = vec![];
    for name in names {
        if !once.contains(name) {
            once.push(name.clone());
        }
    }
    once
}

/// A column's numbers.
pub(super) fn numbers<'a>(path: &Path, table: &'a Table, column: &str) -> Result<&'a [f64], CliError> {
    let numbers = table.column(column)?.values.numbers();
    numbers.ok_or_else(|| CliError::usage(format!("{}: column {column} holds texts: give numbers", path.display())))
}

/// Codes of a column's distinct values over all blocks, in the order of their first rows.
#[derive(Default)]
pub(super) struct Codes {
    texts: FxHashMap<String, u32>,
    numbers: FxHashMap<u64, u32>,
}

impl Codes {
    pub(super) fn len(&self) -> usize {
        self.texts.len() + self.numbers.len()
    }

    /// What the codes stand for.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names = vec![String::new(); self.len()];
        self.texts.iter().for_each(|(name, &code)| names[code as usize].clone_from(name));
        self.numbers.iter().for_each(|(&bits, &code)| names[code as usize] = f64::from_bits(bits).to_string());
        names
    }

    /// Codes of a block's rows.
    ///
    /// # Errors
    /// The first empty cell; its row is counted from 1 over all blocks, of which `before` rows are.
    pub(super) fn of(&mut self, path: &Path, table: &Table, column: &str, before: u64) -> Result<Vec<u32>, CliError> {
        let is_empty = |row: usize| {
            CliError::usage(format!(
                "{}: row {}: column {column} is empty: without it the round's weight is unknown, and leaving it out biases the value: fill it",
                path.display(),
                before + row as u64 + 1
            ))
        };
        match &table.column(column)?.values {
            Values::Text { codes, names } => {
                let places: Vec<u32> = names.iter().map(|name| self.of_text(name)).collect();
                codes.iter().enumerate().map(|(row, &code)| places.get(code as usize).copied().ok_or_else(|| is_empty(row))).collect()
            }
            Values::Number(values) => {
                let code = |(row, &value): (usize, &f64)| if value.is_nan() { Err(is_empty(row)) } else { Ok(self.of_number(value)) };
                values.iter().enumerate().map(code).collect()
            }
        }
    }

    fn of_text(&mut self, name: &str) -> u32 {
        if let Some(code) = self.texts.get(name) {
            return *code;
        }
        let code = self.next();
        self.texts.insert(name.to_owned(), code);
        code
    }

    fn of_number(&mut self, value: f64) -> u32 {
        let next = self.next();
        // -0 and 0 are one number.
        *self.numbers.entry((value + 0.0).to_bits()).or_insert(next)
    }

    fn next(&self) -> u32 {
        // 2^32 distinct values don't fit into memory.
        u32::try_from(self.len()).unwrap_or(u32::MAX)
    }
}
