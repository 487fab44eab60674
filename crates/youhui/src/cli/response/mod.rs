//! `youhui response`: what a treatment changes for each customer.

mod benchmark;
mod fit;
mod predict;

use clap::{Args as ClapArgs, Subcommand};
use youhui_response::{Described, Describes, Feature, FeatureValues, Promotion, Promotions, ResponseError};
use youhui_storage::{Column, Values, read_table};

use super::{CliError, Console};

/// Learn and predict what a promotion changes for each customer.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Benchmark(benchmark::Args),
    Fit(Box<fit::Args>),
    Predict(predict::Args),
}

pub(crate) fn run(args: &Args, console: Console) -> Result<(), CliError> {
    match &args.command {
        Command::Benchmark(args) => benchmark::run(args, console),
        Command::Fit(args) => fit::run(args, console),
        Command::Predict(args) => predict::run(args, console),
    }
}

impl From<ResponseError> for CliError {
    fn from(error: ResponseError) -> Self {
        Self::usage(error.to_string())
    }
}

/// A column as a feature.
fn feature(column: &Column) -> Feature<'_> {
    let values = match &column.values {
        Values::Number(values) => FeatureValues::Number(values),
        Values::Text { codes, names } => FeatureValues::Category { codes, names },
    };
    Feature { name: &column.name, values }
}

/// A table of promotions, named in the column `treatment`.
fn read_promotions(path: &std::path::Path, treatment: &str) -> Result<Promotions, CliError> {
    let mut table = read_table(path, None)?;
    let (codes, names) = table.take(treatment)?.values.categories();
    let columns = table.columns.iter().map(|column| Describes { name: column.name.clone(), relative_to: None, dose: false }).collect();
    let cell = |column: &Column, row: usize| match &column.values {
        // An empty cell is none of it.
        Values::Number(values) if values[row].is_nan() => Described::Name(String::new()),
        Values::Number(values) => Described::Number(values[row]),
        Values::Text { codes, names } => Described::Name(names.get(codes[row] as usize).cloned().unwrap_or_default()),
    };
    let mut rows = Vec::new();
    for (row, code) in codes.iter().enumerate() {
        let Some(name) = names.get(*code as usize) else {
            return Err(CliError::usage(format!("{}: row {}: {treatment:?} is empty: name the promotion", path.display(), row + 1)));
        };
        rows.push(Promotion { name: name.clone(), cells: table.columns.iter().map(|column| cell(column, row)).collect() });
    }
    if rows.is_empty() {
        return Err(CliError::usage(format!("{}: has no row", path.display())));
    }
    Ok(Promotions { columns, rows })
}

/// Where a model's card lies: beside it.
fn card_path(model: &std::path::Path) -> std::path::PathBuf {
    let mut name = model.as_os_str().to_owned();
    name.push(".json");
    name.into()
}
