//! `youhui evaluate`.

mod campaign;
mod customers;
mod experiment;
mod figures;
mod kept;
mod log;
mod long_term;
mod money;
mod observational;
mod page;
mod policy;
mod power;
mod programme;
mod units;
mod uplift;

use clap::{Args as ClapArgs, Subcommand};

use super::{CliError, Console};

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
    LongTerm(long_term::Args),
    Money(Box<money::Args>),
    Observational(observational::Args),
    Policy(Box<policy::Args>),
    Power(power::Args),
    Programme(programme::Args),
    Uplift(uplift::Args),
}

pub(crate) fn run(args: &Args, console: Console) -> Result<(), CliError> {
    match &args.what {
        What::Campaign(args) => campaign::run(args, console),
        What::Experiment(args) => experiment::run(args, console),
        What::LongTerm(args) => long_term::run(args, console),
        What::Money(args) => money::run(args, console),
        What::Observational(args) => observational::run(args, console),
        What::Policy(args) => policy::run(args, console),
        What::Power(args) => power::run(args, console),
        What::Programme(args) => programme::run(args, console),
        What::Uplift(args) => uplift::run(args, console),
    }
}
