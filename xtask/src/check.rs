//! `cargo xtask test`: every check that a change has to pass, the same here and in CI.

use std::error::Error;
use std::process::{Command, Stdio};

use crate::nats::Nats;
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
    let postgres = server("PostgreSQL", POSTGRES, slow, Postgres::start)?;
    let nats = server("NATS", NATS, slow, || Nats::start(slow))?;
    let mut environment: Vec<(&str, String)> = vec![];
    environment.extend(postgres.iter().map(|server| (POSTGRES, server.url.clone())));
    if let Some(server) = &nats {
        environment.push((NATS, server.url.clone()));
        environment.push(("YOUHUI_TEST_NATS_STREAMS", server.folder.display().to_string()));
        environment.push(("YOUHUI_TEST_NATS_SERVER", server.program.display().to_string()));
    }
    let environment: Vec<(&str, &str)> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
    // The tests of a running shop a second time, on the other column: PostgreSQL and NATS in place of what needs no server.
    if slow && has("nextest") {
        let servers = [environment.as_slice(), &[("YOUHUI_TEST_COLUMN", "servers")]].concat();
        let tests = "binary(serve) + binary(worth) + binary(campaigns) + binary(privacy) + binary(replicas) + (binary(operations) - test(a_doctor_says))";
        cargo(&["nextest", "run", "--package", "youhui", "--ignore-default-filter", "--filterset", tests], &servers)?;
    }
    match (has("nextest"), slow) {
        (true, false) => cargo(&["nextest", "run", "--workspace"], &environment),
        (true, true) => cargo(&["nextest", "run", "--workspace", "--ignore-default-filter"], &environment),
        (false, false) => cargo(&["test", "--workspace", "--lib", "--bins", "--tests", "--", "--skip", "slow_"], &environment),
        (false, true) => cargo(&["test", "--workspace", "--lib", "--bins", "--tests"], &environment),
    }
}

/// Tells tests where a PostgreSQL server is.
const POSTGRES: &str = "YOUHUI_TEST_POSTGRES";

/// Tells them where a NATS server is.
const NATS: &str = "YOUHUI_TEST_NATS";

/// A server for the tests, unless there is one. With `slow` there has to be; without, its absence is said.
fn server<T>(what: &str, variable: &str, slow: bool, start: impl FnOnce() -> Done<T>) -> Done<Option<T>> {
    if std::env::var_os(variable).is_some() {
        return Ok(None);
    }
    match start() {
        Ok(server) => Ok(Some(server)),
        Err(error) if slow => Err(error),
        Err(error) => {
            eprintln!("WARNING: tests run without {what}: {error}");
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
