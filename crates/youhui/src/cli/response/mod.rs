//! `youhui response`: what a treatment changes for each customer.

mod benchmark;
mod fit;
mod predict;

use clap::{Args as ClapArgs, Subcommand};
use youhui_response::{Feature, FeatureValues, ResponseError};
use youhui_storage::{Column, Values};

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
    Fit(fit::Args),
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

/// Where a model's card lies: beside it.
fn card_path(model: &std::path::Path) -> std::path::PathBuf {
    let mut name = model.as_os_str().to_owned();
    name.push(".json");
    name.into()
}
