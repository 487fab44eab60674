//! Repository chores as code.

mod check;
mod nats;
mod postgres;
mod sample;

use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "usage:
  cargo xtask test [--slow]   every check of a change; --slow: also what needs minutes or a package index
  cargo xtask sample DIR      make the bundled sample (DIR: what `youhui dataset fetch complete-journey` prints)";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["test"] => check::test(false),
        ["test", "--slow"] => check::test(true),
        ["sample", folder] => sample::make(&PathBuf::from(folder)),
        _ => Err(USAGE.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}
