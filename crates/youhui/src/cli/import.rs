//! `youhui import`.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use youhui_commerce::schema::Table;
use youhui_storage::{ImportOptions, ImportSummary, Mapping, import};

use super::{CliError, Console, Format, now};
use crate::dataset;

/// Import files into a store: bad rows go to quarantine, the same file twice changes nothing.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// Parquet, CSV or JSON Lines files.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Which table: events, events:NAME (a [more_events.NAME] of the mapping), products,
    /// customers, campaigns, exposures or offers.
    #[arg(long = "as", value_name = "TABLE")]
    table: String,
    /// The store's folder; made where there is none.
    #[arg(long)]
    store: PathBuf,
    /// A mapping file, or the name of a built-in one (complete-journey, ta-feng, online-retail).
    /// Without it the files must have our own column names.
    #[arg(long)]
    mapping: Option<String>,
    /// Where bad rows go; by default into the store's `quarantine` folder.
    #[arg(long)]
    quarantine: Option<PathBuf>,
    /// Keep the good rows even if more than half are bad.
    #[arg(long)]
    allow_bad: bool,
    /// Say what would happen and write nothing to the store.
    #[arg(long)]
    dry_run: bool,
    /// Draw identifiers from a seed instead of the operating system. For demos and tests only:
    /// such identifiers can be foretold.
    #[arg(long)]
    seed: Option<u64>,
    /// How to print the summary.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

pub(crate) fn run(args: &Args, console: Console) -> Result<(), CliError> {
    let (table, variant) = table_and_variant(&args.table)?;
    if args.seed.is_some() {
        console.say("warning: --seed makes customer identifiers that can be foretold: not for a real shop");
    }
    let mapping = read_mapping(args.mapping.as_deref())?;
    let options = ImportOptions {
        table,
        variant,
        mapping_name: args.mapping.clone().unwrap_or_else(|| "our own column names".into()),
        quarantine: args.quarantine.clone(),
        allow_bad: args.allow_bad,
        dry_run: args.dry_run,
        now: now(),
        seed: args.seed,
    };
    let bar = console.bar("importing");
    let summary = import(&args.store, &args.files, &mapping, &options, &|rows| bar.set_message(format!("importing: {rows} rows")))?;
    bar.finish_and_clear();
    match args.format {
        Format::Json => console.print(&serde_json::to_string(&summary).unwrap_or_default()),
        Format::Table => console.show(&table_of(&summary, args.dry_run)),
    }
}

/// `events:redemptions` is the table of events in the mapping's variant `redemptions`.
pub(crate) fn table_and_variant(text: &str) -> Result<(Table, Option<String>), CliError> {
    let (name, variant) = match text.split_once(':') {
        Some((name, variant)) => (name, Some(variant.to_owned())),
        None => (text, None),
    };
    let importable = [Table::Events, Table::Products, Table::Customers, Table::Campaigns, Table::Exposures, Table::Offers];
    let table = Table::from_name(name).filter(|table| importable.contains(table)).ok_or_else(|| {
        let names: Vec<&str> = importable.iter().map(|table| table.name()).collect();
        CliError::usage(format!("--as {name}: no such table; write one of {}", names.join(", ")))
    })?;
    if variant.is_some() && table != Table::Events {
        return Err(CliError::usage("only events have variants: write --as events:NAME"));
    }
    Ok((table, variant))
}

pub(crate) fn read_mapping(name: Option<&str>) -> Result<Mapping, CliError> {
    let Some(name) = name else { return Ok(Mapping::own_names()) };
    let text = match dataset::built_in_mapping(name) {
        Some(text) => text.to_owned(),
        None => std::fs::read_to_string(name).map_err(|error| {
            CliError::usage(format!(
                "--mapping {name}: {error}. Give a path, or one of {}",
                dataset::MAPPINGS.map(|(name, _)| name).join(", ")
            ))
        })?,
    };
    Ok(Mapping::parse(name, &text)?)
}

fn table_of(summary: &ImportSummary, dry_run: bool) -> String {
    let would = if dry_run { " (dry run: nothing was written)" } else { "" };
    let mut lines = vec![
        format!("{}: {} rows read{would}", summary.table, summary.rows),
        format!("  added     {:>10}", summary.added),
        format!("  known     {:>10}   there already", summary.known),
        format!("  passed    {:>10}   excluded by the mapping", summary.excluded),
        format!("  bad       {:>10}", summary.bad_rows()),
    ];
    lines.extend(summary.bad.iter().map(|(rule, count)| format!("    {rule:<24}{count:>10}")));
    if let Some(path) = &summary.quarantine {
        lines.push(format!("  bad rows are in {}: row, field, rule and remedy", path.display()));
    }
    lines.join("\n")
}
