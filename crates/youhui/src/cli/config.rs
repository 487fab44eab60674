//! Settings from `youhui.toml`, below flags and environment and above defaults; and `youhui config show`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args as ClapArgs, Command, Subcommand};
use serde_json::json;
use toml::{Table, Value};

use super::{CliError, Console};

/// The file, where no other is named.
const FILE: &str = "youhui.toml";

/// Settings, and where they come from.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Print what a command would go by, as lines of JSON.
    Show {
        /// Which command's.
        #[arg(default_value = "serve")]
        command: String,
        /// Say of each whether it is a flag's, the environment's, the file's or the default.
        #[arg(long)]
        origin: bool,
        /// Flags that would be given to the command, after `--`.
        #[arg(last = true)]
        flags: Vec<OsString>,
    },
}

pub(crate) fn run(args: &Args, command: &Command, file: Option<&Path>, console: Console) -> Result<(), CliError> {
    let What::Show { command: name, origin, flags } = &args.what;
    let file = File::read(file)?;
    let known =
        command.find_subcommand(name).ok_or_else(|| CliError::usage(format!("{name}: there is no such command: see youhui --help")))?;
    let given = [vec![OsString::from("youhui"), OsString::from(name)], flags.clone()].concat();
    let before = command.clone().ignore_errors(true).get_matches_from(given.clone());
    let all = file.put(command, given)?;
    let after = command.clone().ignore_errors(true).get_matches_from(all);
    let (Some((_, before)), Some((_, after))) = (before.subcommand(), after.subcommand()) else { return Ok(()) };
    for argument in known.get_arguments().filter(|argument| argument.get_long().is_some()) {
        let id = argument.get_id().as_str();
        let from = match (before.value_source(id), after.value_source(id)) {
            (Some(ValueSource::CommandLine), _) => "flag",
            (Some(ValueSource::EnvVariable), _) => "environment",
            (_, Some(ValueSource::CommandLine)) => "file",
            (_, Some(_)) => "default",
            (_, None) => "not set",
        };
        let mut line = json!({"name": argument.get_long(), "value": value(argument, after)});
        if *origin {
            line["origin"] = json!(from);
        }
        console.print(&line.to_string())?;
    }
    Ok(())
}

/// The value as it would be written; of a secret only that it is set.
fn value(argument: &Arg, matches: &ArgMatches) -> serde_json::Value {
    let id = argument.get_id().as_str();
    let raw = matches.try_get_raw(id).ok().flatten();
    let values: Vec<String> = raw.into_iter().flatten().map(|value| value.to_string_lossy().into_owned()).collect();
    match values.as_slice() {
        [] => serde_json::Value::Null,
        _ if argument.is_hide_env_values_set() => json!("(hidden)"),
        [one] => json!(one),
        more => json!(more),
    }
}

/// The arguments with what the file says put behind them, where neither a flag nor the environment says anything.
///
/// # Errors
/// Where the file can't be read or names a setting that there is not.
pub(crate) fn with_file(command: &Command, arguments: Vec<OsString>) -> Result<Vec<OsString>, CliError> {
    let seen = command.clone().ignore_errors(true).get_matches_from(arguments.clone());
    let named = seen.try_get_one::<PathBuf>("config").ok().flatten();
    File::read(named.map(PathBuf::as_path))?.put(command, arguments)
}

struct File {
    path: PathBuf,
    table: Table,
}

impl File {
    fn read(named: Option<&Path>) -> Result<Self, CliError> {
        let path = named.map_or_else(|| PathBuf::from(FILE), Path::to_owned);
        if named.is_none() && !path.exists() {
            return Ok(Self { path, table: Table::new() });
        }
        let wrong = |error: String| CliError::usage(format!("{}: {error}", path.display()));
        let text = std::fs::read_to_string(&path).map_err(|error| wrong(format!("{error}. Check the path")))?;
        let table = text.parse::<Table>().map_err(|error| wrong(error.to_string()))?;
        Ok(Self { path, table })
    }

    fn put(&self, command: &Command, mut arguments: Vec<OsString>) -> Result<Vec<OsString>, CliError> {
        self.check(command)?;
        let seen = command.clone().ignore_errors(true).get_matches_from(arguments.clone());
        let Some((name, given)) = seen.subcommand() else { return Ok(arguments) };
        let (Some(known), Some(table)) = (command.find_subcommand(name), self.table.get(name).and_then(Value::as_table)) else {
            return Ok(arguments);
        };
        let mut more: Vec<OsString> = vec![];
        for argument in known.get_arguments() {
            let Some((long, value)) = argument.get_long().and_then(|long| Some((long, table.get(long)?))) else { continue };
            let is_said =
                matches!(given.value_source(argument.get_id().as_str()), Some(ValueSource::CommandLine | ValueSource::EnvVariable));
            if !is_said {
                more.extend(self.words(name, argument, long, value)?);
            }
        }
        // Right behind the command's name: what follows `--` stays behind it.
        let place = arguments.iter().position(|word| word.to_str() == Some(name)).map_or(arguments.len(), |place| place + 1);
        arguments.splice(place..place, more);
        Ok(arguments)
    }

    fn words(&self, command: &str, argument: &Arg, long: &str, value: &Value) -> Result<Vec<OsString>, CliError> {
        let flag = format!("--{long}");
        let takes_value = argument.get_action().takes_values();
        let text = |value: &Value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Integer(number) => Some(number.to_string()),
            Value::Float(number) => Some(number.to_string()),
            _ => None,
        };
        let wrong = |what: &str| CliError::usage(format!("{}: [{command}] {long}: {what}", self.path.display()));
        match value {
            Value::Boolean(is_on) if !takes_value => Ok(if *is_on { vec![flag.into()] } else { vec![] }),
            _ if !takes_value => Err(wrong("write true or false")),
            Value::Array(values) if matches!(argument.get_action(), ArgAction::Append) => {
                let texts: Option<Vec<String>> = values.iter().map(text).collect();
                let texts = texts.ok_or_else(|| wrong("write a list of texts or numbers"))?;
                Ok(texts.into_iter().map(|text| format!("{flag}={text}").into()).collect())
            }
            value => text(value).map(|text| vec![format!("{flag}={text}").into()]).ok_or_else(|| wrong("write a text or a number")),
        }
    }

    /// Every name in the file is one of ours: a setting that is misspelt does not go unseen.
    fn check(&self, command: &Command) -> Result<(), CliError> {
        let wrong = |what: String| CliError::usage(format!("{}: {what}", self.path.display()));
        for (name, table) in &self.table {
            let known = command.find_subcommand(name).ok_or_else(|| wrong(format!("[{name}]: there is no such command")))?;
            let table =
                table.as_table().ok_or_else(|| wrong(format!("{name}: write settings under the name of a command, such as [serve]")))?;
            let settings: Vec<&str> = known.get_arguments().filter_map(Arg::get_long).collect();
            if let Some(setting) = table.keys().find(|setting| !settings.contains(&setting.as_str())) {
                return Err(wrong(format!("[{name}] {setting}: there is no such setting; there are {}", settings.join(", "))));
            }
        }
        Ok(())
    }
}
