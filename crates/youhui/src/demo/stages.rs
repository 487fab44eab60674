//! The stages' clock and their lines on stderr.

use std::time::Instant;

use indicatif::ProgressBar;
use serde::Serialize;

use crate::cli::{CliError, Console};

/// A stage that is done.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Stage {
    pub(crate) name: &'static str,
    pub(crate) seconds: f64,
}

/// Runs stages one after the other and keeps their times.
#[derive(Debug)]
pub(crate) struct Stages {
    console: Console,
    pub(crate) done: Vec<Stage>,
}

impl Stages {
    pub(crate) const fn new(console: Console) -> Self {
        Self { console, done: Vec::new() }
    }

    /// Runs one stage, which returns what came of it and a line about it.
    pub(crate) fn run<T>(
        &mut self,
        name: &'static str,
        doing: &str,
        work: impl FnOnce(&ProgressBar) -> Result<(T, String), CliError>,
    ) -> Result<T, CliError> {
        let bar = self.console.bar(doing);
        let start = Instant::now();
        let result = work(&bar);
        bar.finish_and_clear();
        let (value, line) = result?;
        let seconds = start.elapsed().as_secs_f64();
        self.console.say(&format!("{name:<11}{seconds:>6.2} s  {line}"));
        self.done.push(Stage { name, seconds });
        Ok(value)
    }
}
