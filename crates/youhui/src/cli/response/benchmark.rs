//! `youhui response benchmark`: learners on data whose truth is known, made here.

use clap::{Args as ClapArgs, ValueEnum};
use serde::Serialize;
use serde_json::json;
use youhui_response::benchmark::{Setup, Simulated, nie_wager};
use youhui_response::{Experiment, Feature, FeatureValues, Objective, Settings, fit};

use super::{CliError, Console};
use crate::cli::Format;

/// Measure learners on simulated experiments whose true effects are known.
///
/// Peers on the same set-ups: benches/peers/uplift.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// Which simulations.
    #[arg(long, value_enum, default_value = "nie-wager")]
    suite: Suite,
    /// Learners, by name.
    #[arg(long, value_name = "NAME,NAME", value_delimiter = ',', default_value = "auto,constant,t-trees,causal-forest")]
    learners: Vec<String>,
    /// Data sets of each set-up.
    #[arg(long, default_value_t = 3)]
    seeds: u64,
    /// Rows to learn from, and as many to predict.
    #[arg(long, default_value_t = 5000)]
    rows: usize,
    /// How to print.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Suite {
    /// The four set-ups of Nie and Wager (2021): 10 features, noise of spread 1.
    NieWager,
}

/// One learner on one set-up.
#[derive(Debug, Serialize)]
struct Line {
    setup: String,
    learner: String,
    seeds: u64,
    /// Root of the mean squared error of the predicted effects, mean over data sets.
    sqrt_pehe: f64,
    /// Its standard error over data sets.
    std_error: f64,
    /// Share of true effects inside the 95 % intervals.
    coverage: f64,
    seconds: f64,
}

pub(crate) fn run(args: &Args, console: Console) -> Result<(), CliError> {
    if args.seeds == 0 || args.rows < 200 {
        return Err(CliError::usage("--seeds has to be at least 1 and --rows at least 200"));
    }
    let Suite::NieWager = args.suite;
    let mut lines = Vec::new();
    for setup in [Setup::A, Setup::B, Setup::C, Setup::D] {
        for learner in &args.learners {
            let bar = console.bar(&format!("{setup:?} {learner}"));
            lines.push(measure(args, setup, learner)?);
            bar.finish_and_clear();
        }
    }
    match args.format {
        Format::Json => console.print(&json!({"suite": "nie-wager", "simulated": true, "results": lines}).to_string()),
        Format::Table => {
            let mut text = vec![format!("{:<8}{:<16}{:>10}{:>10}{:>10}{:>10}", "set-up", "learner", "√PEHE", "± s.e.", "coverage", "s")];
            text.extend(lines.iter().map(|line| {
                format!(
                    "{:<8}{:<16}{:>10.3}{:>10.3}{:>10.3}{:>10.2}",
                    line.setup, line.learner, line.sqrt_pehe, line.std_error, line.coverage, line.seconds
                )
            }));
            console.print(&text.join("\n"))
        }
    }
}

fn measure(args: &Args, setup: Setup, learner: &str) -> Result<Line, CliError> {
    let start = std::time::Instant::now();
    let (mut errors, mut covered) = (Vec::new(), 0.0);
    for seed in 0..args.seeds {
        let (train, test) = (nie_wager(setup, args.rows, 2 * seed), nie_wager(setup, args.rows, 2 * seed + 1));
        let (effects, std_errors) = effects(&train, &test, learner, seed)?;
        let missed = effects.iter().zip(&test.effect).map(|(effect, truth)| effect - truth);
        let size = test.effect.len() as f64;
        covered += missed.clone().zip(&std_errors).filter(|(missed, error)| missed.abs() <= 1.96 * *error).count() as f64 / size;
        errors.push((missed.map(|missed| missed * missed).sum::<f64>() / size).sqrt());
    }
    let count = errors.len() as f64;
    let mean = errors.iter().sum::<f64>() / count;
    let spread = errors.iter().map(|error| (error - mean).powi(2)).sum::<f64>() / (count - 1.0).max(1.0);
    Ok(Line {
        setup: format!("{setup:?}"),
        learner: learner.to_owned(),
        seeds: args.seeds,
        sqrt_pehe: mean,
        std_error: (spread / count).sqrt(),
        coverage: covered / count,
        seconds: start.elapsed().as_secs_f64() / count,
    })
}

fn effects(train: &Simulated, test: &Simulated, learner: &str, seed: u64) -> Result<(Vec<f64>, Vec<f64>), CliError> {
    let names: Vec<String> = (0..train.matrix.columns()).map(|column| format!("x{column}")).collect();
    let columns = |of: &Simulated| -> Vec<Vec<f64>> {
        (0..names.len()).map(|column| (0..of.matrix.rows()).map(|row| f64::from(of.matrix.row(row)[column])).collect()).collect()
    };
    let (of_train, of_test) = (columns(train), columns(test));
    let arm: Vec<u32> = train.treated.iter().map(|treated| u32::from(*treated)).collect();
    let experiment = Experiment {
        features: &features(&names, &of_train),
        arm: &arm,
        arms: &["control".to_owned(), "treated".to_owned()],
        control: "control",
        outcome: &train.outcome,
        cost: None,
        propensity: None,
        placebo: None,
        objective: Objective::Continuous,
        promotions: None,
    };
    let model = fit(&experiment, &Settings::new(learner, seed))?;
    let mut found = model.predict(&features(&names, &of_test), &mut Vec::new())?;
    Ok((found.effects.swap_remove(0), found.std_errors.swap_remove(0)))
}

fn features<'a>(names: &'a [String], columns: &'a [Vec<f64>]) -> Vec<Feature<'a>> {
    names.iter().zip(columns).map(|(name, column)| Feature { name, values: FeatureValues::Number(column) }).collect()
}
