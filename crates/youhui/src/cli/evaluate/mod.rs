//! `youhui evaluate`.

mod campaign;
mod experiment;
mod log;
mod money;
mod observational;
mod page;
mod policy;
mod power;
mod uplift;

use std::path::Path;

use clap::{Args as ClapArgs, Subcommand};
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{CliError, Console};
use crate::runs::{Artefact, Run, VERSION};

/// Judge what promotions caused, and predictions by what came of them.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Campaign(campaign::Args),
    Experiment(Box<experiment::Args>),
    Money(money::Args),
    Observational(observational::Args),
    Policy(Box<policy::Args>),
    Power(power::Args),
    Uplift(uplift::Args),
}

pub(crate) fn run(args: &Args, console: Console) -> Result<(), CliError> {
    match &args.what {
        What::Campaign(args) => campaign::run(args, console),
        What::Experiment(args) => experiment::run(args, console),
        What::Money(args) => money::run(args, console),
        What::Observational(args) => observational::run(args, console),
        What::Policy(args) => policy::run(args, console),
        What::Power(args) => power::run(args, console),
        What::Uplift(args) => uplift::run(args, console),
    }
}

/// Keeps a snapshot of an evaluation, to be compared with others; its name.
fn keep(
    folder: &Path,
    command: &str,
    configuration: Value,
    data: Artefact,
    metrics: Map<String, Value>,
    artefacts: Vec<Artefact>,
    started: Timestamp,
) -> Result<String, CliError> {
    let run = Run {
        schema_version: VERSION,
        id: String::new(),
        started: String::new(),
        seconds: 0.0,
        command: command.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        configuration: configuration.as_object().cloned().unwrap_or_default(),
        data: vec![data],
        metrics,
        epochs: Map::new(),
        artefacts,
    };
    Ok(run.record(folder, started)?.id)
}
