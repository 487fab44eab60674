//! The command line: arguments in, data on stdout, messages on stderr, one exit code.

pub(crate) mod allocate;
pub(crate) mod audit;
pub(crate) mod config;
pub(crate) mod dataset;
pub(crate) mod demo;
pub(crate) mod design;
pub(crate) mod doctor;
pub(crate) mod evaluate;
pub(crate) mod import;
pub(crate) mod keys;
pub(crate) mod price;
pub(crate) mod remote;
pub(crate) mod replay;
pub(crate) mod response;
pub(crate) mod runs;
pub(crate) mod schema;
pub(crate) mod serve;

use std::io::{IsTerminal, Write};
use std::time::Duration;

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use youhui_storage::StoreError;

/// How data are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// One JSON object.
    Json,
}

/// Why a command failed: the exit code is a contract (0 done, 1 checked and negative, 2 usage or
/// error, 3 refused by policy, 4 unreachable).
#[derive(Debug)]
pub(crate) struct CliError {
    pub(crate) code: u8,
    pub(crate) message: String,
}

impl CliError {
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { code: 2, message: message.into() }
    }

    pub(crate) fn unreachable(message: impl Into<String>) -> Self {
        Self { code: 4, message: message.into() }
    }
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        Self::usage(error.to_string())
    }
}

/// Which served shop a command is about.
#[derive(Debug, clap::Args)]
pub(crate) struct Served {
    /// The shop's folder.
    #[arg(long, value_name = "DIR", default_value = "youhui-shop", global = true)]
    pub(crate) store: std::path::PathBuf,
    /// `postgres://…`, or `sqlite:PATH`; a file in the shop's folder if absent.
    #[arg(long, value_name = "URL", env = "YOUHUI_DATABASE", hide_env_values = true, global = true)]
    pub(crate) database: Option<String>,
}

impl Served {
    /// Its database.
    pub(crate) async fn open(&self) -> Result<youhui_storage::Live, CliError> {
        let url = self.database.clone().unwrap_or_else(|| crate::serve::database_of(&self.store));
        Ok(youhui_storage::Live::open(&url).await?)
    }
}

/// Where a command writes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Console {
    pub(crate) quiet: bool,
    /// What is said are lines of JSON, for machines that gather logs.
    pub(crate) as_json: bool,
}

impl Console {
    /// A message for people, on stderr.
    pub(crate) fn say(&self, message: &str) {
        if self.as_json {
            return self.log(
                &serde_json::json!({"time": jiff::Timestamp::from_microsecond(now()).unwrap_or_default().to_string(), "message": message}),
            );
        }
        if !self.quiet {
            // A closed stderr is no reason to stop the work.
            writeln!(std::io::stderr(), "{message}").ok();
        }
    }

    /// A line of a log, on stderr.
    pub(crate) fn log(&self, line: &serde_json::Value) {
        if !self.quiet {
            writeln!(std::io::stderr(), "{line}").ok();
        }
    }

    /// Data, on stdout. A reader that has gone away (`| head`) is no error.
    pub(crate) fn print(&self, text: &str) -> Result<(), CliError> {
        match writeln!(std::io::stdout(), "{text}") {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(CliError::usage(format!("stdout: {error}"))),
            _ => Ok(()),
        }
    }

    /// A spinner with a message; silent where stderr is no terminal.
    pub(crate) fn bar(&self, message: &str) -> ProgressBar {
        let bar = ProgressBar::new_spinner();
        if self.quiet || !std::io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        } else {
            bar.enable_steady_tick(Duration::from_millis(120));
        }
        bar.set_style(ProgressStyle::with_template("{spinner} {msg} {elapsed}").unwrap_or_else(|_| ProgressStyle::default_spinner()));
        bar.set_message(message.to_owned());
        bar
    }
}

/// Lines for a terminal, of names that came from files: what it would obey, or what turns the direction of writing, is shown as a box.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|letter| if letter != '\n' && is_obeyed(letter) { '□' } else { letter }).collect()
}

/// Whether a terminal does something else with it than to show it.
pub(crate) fn is_obeyed(letter: char) -> bool {
    letter.is_control() || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The moment now. The only place that asks the system's clock (invariant 1).
#[allow(clippy::disallowed_methods, reason = "this is the Clock that everything else takes as an argument")]
pub(crate) fn now() -> i64 {
    jiff::Timestamp::now().as_microsecond()
}
