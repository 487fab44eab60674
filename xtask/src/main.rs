//! Repository chores as code: `cargo xtask sample DIR`.

mod sample;

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["sample", folder] => sample::make(&PathBuf::from(folder)),
        _ => Err("usage: cargo xtask sample DIR   (DIR: what `youhui dataset fetch complete-journey` prints)".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}
