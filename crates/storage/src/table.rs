//! Any file of rows as columns of numbers and names: what is learned from and judged by.

mod build;
mod columnar;
mod text;
mod write;

use std::path::Path;

use crate::error::StoreError;
use crate::source::{Form, open, open_csv, printable};
pub(crate) use build::Names;
pub(crate) use columnar::to_numbers;
pub use write::{TableWriter, write_table};

/// The code of a cell that holds nothing.
pub const MISSING: u32 = u32::MAX;

/// A file's columns, all of one length.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// In the order they were asked for, or in the file's.
    pub columns: Vec<Column>,
    /// blake3 of the file's bytes, in hexadecimal.
    pub hash: String,
    rows: usize,
    path: std::path::PathBuf,
}

/// One column.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its name in the file.
    pub name: String,
    /// Its cells.
    pub values: Values,
}

/// Cells, one a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// NaN where the cell holds nothing. Booleans are 0 and 1; dates and times are counted in the
    /// file's unit from 1970.
    Number(Vec<f64>),
    /// Each distinct text once, in the order of its first row.
    Text {
        /// Places in `names`; [`MISSING`] where the cell holds nothing.
        codes: Vec<u32>,
        /// The distinct texts.
        names: Vec<String>,
    },
}

impl Values {
    /// Numbers, if these are numbers.
    pub fn numbers(&self) -> Option<&[f64]> {
        match self {
            Self::Number(values) => Some(values),
            Self::Text { .. } => None,
        }
    }

    /// As names: a column of numbers, such as an arm written 0 and 1, has a name per distinct number,
    /// written as short as can be (`1`, not `1.0`).
    pub fn categories(self) -> (Vec<u32>, Vec<String>) {
        match self {
            Self::Text { codes, names } => (codes, names),
            Self::Number(values) => build::name_numbers(&values),
        }
    }
}

impl Table {
    /// How many rows each column has.
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// The column of this name.
    ///
    /// # Errors
    /// `Format` that names the columns there are.
    pub fn column(&self, name: &str) -> Result<&Column, StoreError> {
        self.columns.iter().find(|column| column.name == name).ok_or_else(|| {
            let present: Vec<String> = self.columns.iter().map(|column| column.name.clone()).collect();
            no_column(&self.path, name, &present)
        })
    }

    /// Takes the column of this name out of the table: nothing is copied.
    ///
    /// # Errors
    /// `Format` that names the columns there are.
    pub fn take(&mut self, name: &str) -> Result<Column, StoreError> {
        self.column(name)?;
        let place = self.columns.iter().position(|column| column.name == name).unwrap_or_default();
        Ok(self.columns.remove(place))
    }
}

/// Reads a Parquet, CSV or JSON Lines file, told by its name or its first bytes; all columns, or those
/// named, in that order.
///
/// A column of a text file is of numbers if every cell that holds something is one.
///
/// # Errors
/// `Io`; `Format` for a file that is empty, cut, of another form or encoding, a column that is missing
/// or stands there twice, a cell that is neither number nor text, a row with too many or too few cells
/// (with its number).
pub fn read_table(path: &Path, columns: Option<&[String]>) -> Result<Table, StoreError> {
    read_table_as(path, columns, &[])
}

/// As [`read_table`]; of a text file the columns named in `texts` are text, though each cell looks like a
/// number: an identifier `007` is not 7. Of Parquet whole numbers, dates and times are.
///
/// # Errors
/// As [`read_table`].
pub fn read_table_as(path: &Path, columns: Option<&[String]>, texts: &[&str]) -> Result<Table, StoreError> {
    let (file, form) = open(path)?;
    let read = || match form {
        Form::Parquet => columnar::read(path, file, columns, texts),
        Form::Csv => text::read_csv(path, file, columns, texts),
        Form::JsonLines => text::read_json_lines(path, file, columns, texts),
    };
    let (columns, hash) = rayon::join(read, || hash(path));
    let columns: Vec<Column> = columns?;
    let rows = columns.first().map_or(0, |column| match &column.values {
        Values::Number(values) => values.len(),
        Values::Text { codes, .. } => codes.len(),
    });
    Ok(Table { columns, hash: hash?, rows, path: path.to_owned() })
}

/// Reads columns of a file a block of rows at a time, of Parquet without ever holding more than a block; other files are one block. Text columns
/// have codes of their own in each block. The tables have no hash.
///
/// # Errors
/// As [`read_table`], or what `each` gives.
pub fn read_table_in_blocks<E: From<StoreError>>(
    path: &Path,
    columns: &[String],
    texts: &[&str],
    mut each: impl FnMut(Table) -> Result<(), E>,
) -> Result<(), E> {
    let (file, form) = open(path)?;
    match form {
        Form::Parquet => columnar::read_in_blocks(path, &file, columns, texts, |columns, rows| {
            each(Table { path: path.to_owned(), hash: String::new(), rows, columns })
        }),
        Form::Csv | Form::JsonLines => each(Table { hash: String::new(), ..read_table_as(path, Some(columns), texts)? }),
    }
}

/// blake3 of a file's bytes, as a table has it.
///
/// # Errors
/// `Io`.
pub fn hash_of(path: &Path) -> Result<String, StoreError> {
    hash(path)
}

/// The names of a file's columns: of lines of JSON, those of the first one.
///
/// # Errors
/// `Io`; `Format` for a file that is empty or of another form.
pub fn columns_of(path: &Path) -> Result<Vec<String>, StoreError> {
    let (file, form) = open(path)?;
    match form {
        Form::Parquet => columnar::names(path, &file),
        Form::Csv => Ok(open_csv(path, file)?.present),
        Form::JsonLines => text::first_names(path, file),
    }
}

fn hash(path: &Path) -> Result<String, StoreError> {
    let mut hasher = blake3::Hasher::new();
    let file = std::fs::File::open(path).map_err(StoreError::io(path))?;
    hasher.update_reader(file).map_err(StoreError::io(path))?;
    Ok(hasher.finalize().to_hex().to_string())
}

/// The columns to read, out of those present.
pub(crate) fn choose(path: &Path, present: &[String], columns: Option<&[String]>) -> Result<Vec<String>, StoreError> {
    let wanted: Vec<String> = columns.map_or_else(|| present.to_vec(), <[String]>::to_vec);
    for name in &wanted {
        match present.iter().filter(|other| *other == name).count() {
            0 => return Err(no_column(path, name, present)),
            1 => {}
            _ => return Err(StoreError::format(path, format!("has two columns named {}: rename one of them", printable(name)))),
        }
    }
    match wanted.iter().enumerate().find(|(place, name)| wanted[..*place].contains(name)) {
        Some((_, twice)) => Err(StoreError::format(path, format!("column {} is asked for twice: name it once", printable(twice)))),
        None => Ok(wanted),
    }
}

fn no_column(path: &Path, name: &str, present: &[String]) -> StoreError {
    let message = format!("has no column {}; it has {}: name one of these", printable(name), printable(&present.join(", ")));
    StoreError::format(path, message)
}

#[cfg(test)]
mod tests;
