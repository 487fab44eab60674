//! `youhui schema`.

use clap::Args as ClapArgs;
use serde_json::json;
use youhui_commerce::schema::Table;
use youhui_promotion::{basket_schema, priced_schema, promotion_schema};

use super::{CliError, Console, Format};

/// Print the columns of a table between the stages, or the JSON Schema of a document.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// The table, or one of promotion, basket, priced; all tables where none is named.
    #[arg(value_name = "TABLE|DOCUMENT")]
    table: Option<String>,
    /// How to print.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

type Schema = fn() -> serde_json::Value;

/// Documents with a JSON Schema.
const DOCUMENTS: [(&str, Schema); 3] = [("promotion", promotion_schema), ("basket", basket_schema), ("priced", priced_schema)];

pub(crate) fn run(args: &Args, console: Console) -> Result<(), CliError> {
    if let Some((_, schema)) = DOCUMENTS.iter().find(|(name, _)| args.table.as_deref() == Some(*name)) {
        // A schema is JSON whatever the format.
        return console.print(&serde_json::to_string_pretty(&schema()).unwrap_or_default());
    }
    let tables = match &args.table {
        None => Table::ALL.to_vec(),
        Some(name) => {
            let unknown = || {
                let documents = DOCUMENTS.map(|(name, _)| name).join(", ");
                CliError::usage(format!("{name}: no such table; write one of {}, {documents}", Table::ALL.map(Table::name).join(", ")))
            };
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
