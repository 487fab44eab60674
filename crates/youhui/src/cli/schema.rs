//! `youhui schema`.

use clap::Args as ClapArgs;
use serde_json::json;
use youhui_commerce::schema::Table;

use super::{CliError, Console, Format};

/// Print the columns of a table between the stages.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// The table; all of them where none is named.
    table: Option<String>,
    /// How to print.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

pub(crate) fn run(args: &Args, console: Console) -> Result<(), CliError> {
    let tables = match &args.table {
        None => Table::ALL.to_vec(),
        Some(name) => {
            let unknown = || CliError::usage(format!("{name}: no such table; write one of {}", Table::ALL.map(Table::name).join(", ")));
            vec![Table::from_name(name).ok_or_else(unknown)?]
        }
    };
    for table in tables {
        let schema = table.schema();
        let columns = schema.fields().iter().map(|field| (field.name(), field.data_type().to_string(), field.is_nullable()));
        match args.format {
            Format::Json => {
                let columns: Vec<_> =
                    columns.map(|(name, kind, nullable)| json!({"name": name, "type": kind, "nullable": nullable})).collect();
                console.print(&json!({"table": table.name(), "columns": columns}).to_string())?;
            }
            Format::Table => {
                console.print(table.name())?;
                for (name, kind, nullable) in columns {
                    console.print(&format!("  {name:<22}{kind}{}", if nullable { "  may be empty" } else { "" }))?;
                }
            }
        }
    }
    Ok(())
}
