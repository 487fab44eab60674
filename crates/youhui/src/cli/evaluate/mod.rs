//! `youhui evaluate`.

mod log;
mod uplift;

use clap::{Args as ClapArgs, Subcommand};

use super::{CliError, Console};

/// Judge predictions by what came of them.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Uplift(uplift::Args),
}

pub(crate) fn run(args: &Args, console: Console) -> Result<(), CliError> {
    match &args.what {
        What::Uplift(args) => uplift::run(args, console),
    }
}
