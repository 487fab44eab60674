//! Designs personalised promotions for online shops: the command line.

mod cli;
mod dataset;
mod demo;
mod runs;
mod serve;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use cli::{CliError, Console};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Youhui (优惠) designs personalised promotions: from a shop's events to who gets what, and what
/// that is worth.
#[derive(Debug, Parser)]
#[command(version, infer_subcommands = true, arg_required_else_help = true)]
struct Cli {
    /// Say nothing on stderr but errors.
    #[arg(long, short, global = true)]
    quiet: bool,
    /// A file of settings: [serve] and the like, with the names of flags. `youhui.toml` in this folder, if there is one.
    #[arg(long, value_name = "FILE", global = true, env = "YOUHUI_CONFIG")]
    config: Option<std::path::PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(Box<cli::demo::Args>),
    Import(cli::import::Args),
    Dataset(cli::dataset::Args),
    Price(cli::price::Args),
    Design(cli::design::Args),
    Response(cli::response::Args),
    Allocate(cli::allocate::Args),
    Serve(cli::serve::Args),
    Replay(cli::replay::Args),
    Audit(cli::audit::Args),
    Campaign(cli::remote::CampaignArgs),
    Privacy(cli::remote::PrivacyArgs),
    Keys(cli::keys::Args),
    Config(cli::config::Args),
    Doctor(cli::doctor::Args),
    Evaluate(cli::evaluate::Args),
    Runs(cli::runs::Args),
    Schema(cli::schema::Args),
}

fn main() -> ExitCode {
    let done = cli::config::with_file(&Cli::command(), std::env::args_os().collect()).and_then(|arguments| {
        let cli = Cli::parse_from(arguments);
        run(&cli, Console { quiet: cli.quiet, as_json: false })
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(CliError { code, message }) => {
            Console { quiet: false, as_json: false }.say(&cli::printable(&format!("error: {message}")));
            ExitCode::from(code)
        }
    }
}

fn run(cli: &Cli, console: Console) -> Result<(), CliError> {
    match &cli.command {
        Command::Demo(args) => cli::demo::run(args, console),
        Command::Import(args) => cli::import::run(args, console),
        Command::Dataset(args) => cli::dataset::run(args, console),
        Command::Price(args) => cli::price::run(args, console),
        Command::Design(args) => cli::design::run(args, console),
        Command::Response(args) => cli::response::run(args, console),
        Command::Allocate(args) => cli::allocate::run(args, console),
        Command::Serve(args) => cli::serve::run(args, console),
        Command::Audit(args) => cli::audit::run(args, console),
        Command::Campaign(args) => cli::remote::campaign(args, console),
        Command::Privacy(args) => cli::remote::privacy(args, console),
        Command::Keys(args) => cli::keys::run(args, console),
        Command::Replay(args) => cli::replay::run(args, console),
        Command::Evaluate(args) => cli::evaluate::run(args, console),
        Command::Config(args) => cli::config::run(args, &Cli::command(), cli.config.as_deref(), console),
        Command::Doctor(args) => cli::doctor::run(args, console),
        Command::Runs(args) => cli::runs::run(args, console),
        Command::Schema(args) => cli::schema::run(args, console),
    }
}
