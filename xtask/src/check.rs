//! `cargo xtask test`: every check that a change has to pass, the same here and in CI.

use std::error::Error;
use std::process::{Command, Stdio};

use crate::postgres::Postgres;

type Done<T> = Result<T, Box<dyn Error>>;

/// Formatting, lints, the engine without features, licences, documentation, then the tests; with `slow` also those that need
/// minutes or a package index.
pub(crate) fn test(slow: bool) -> Done<()> {
    cargo(&["fmt", "--all", "--check"], &[])?;
    cargo(&["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"], &[])?;
    // What other programs build: the engine without `std`.
    cargo(&["clippy", "--package", "youhui-promotion", "--no-default-features", "--quiet", "--", "-D", "warnings"], &[])?;
    if slow {
        // The graphics card's code: built everywhere, run where there is a card.
        cargo(&["clippy", "--package", "youhui-profile", "--features", "gpu", "--quiet", "--", "-D", "warnings"], &[])?;
    }
    if has("deny") {
        cargo(&["deny", "--log-level", "error", "check", "bans", "licenses", "sources"], &[])?;
        // Advisories come from a server that not every machine reaches: said, not failed.
        if cargo(&["deny", "--log-level", "error", "check", "advisories"], &[]).is_err() {
            eprintln!("WARNING: advisories were not checked, or there are some: see above");
        }
    } else {
        eprintln!("skipped: licences and advisories (cargo install --locked cargo-deny)");
    }
    cargo(&["doc", "--workspace", "--no-deps", "--quiet"], &[("RUSTDOCFLAGS", "-D warnings")])?;
    cargo(&["test", "--workspace", "--doc", "--quiet"], &[])?;
    let postgres = postgres(slow)?;
    let environment: Vec<(&str, &str)> = postgres.iter().map(|server| (POSTGRES, server.url.as_str())).collect();
    match (has("nextest"), slow) {
        (true, false) => cargo(&["nextest", "run", "--workspace"], &environment),
        (true, true) => cargo(&["nextest", "run", "--workspace", "--ignore-default-filter"], &environment),
        (false, false) => cargo(&["test", "--workspace", "--lib", "--bins", "--tests", "--", "--skip", "slow_"], &environment),
        (false, true) => cargo(&["test", "--workspace", "--lib", "--bins", "--tests"], &environment),
    }
}

/// Tells tests where a PostgreSQL server is.
const POSTGRES: &str = "YOUHUI_TEST_POSTGRES";

/// A server for the tests, unless there is one. With `slow` there has to be; without, its absence is said.
fn postgres(slow: bool) -> Done<Option<Postgres>> {
    if std::env::var_os(POSTGRES).is_some() {
        return Ok(None);
    }
    match Postgres::start() {
        Ok(server) => Ok(Some(server)),
        Err(error) if slow => Err(error),
        Err(error) => {
            eprintln!("WARNING: tests run on SQLite only: {error}");
            Ok(None)
        }
    }
}

fn has(tool: &str) -> bool {
    let quiet = Command::new("cargo").args([tool, "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    quiet.is_ok_and(|status| status.success())
}

fn cargo(arguments: &[&str], environment: &[(&str, &str)]) -> Done<()> {
    eprintln!("+ cargo {}", arguments.join(" "));
    let status = Command::new("cargo").args(arguments).envs(environment.iter().copied()).status()?;
    if status.success() { Ok(()) } else { Err(format!("cargo {} failed", arguments.join(" ")).into()) }
}
