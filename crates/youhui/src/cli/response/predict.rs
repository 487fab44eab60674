//! `youhui response predict`: what a fitted model says of customers.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use youhui_response::{Feature, Model, Predictions};
use youhui_storage::{Column, Values, read_table_as, write_table};

use super::{CliError, Console, card_path, feature, read_promotions};
use crate::serve::PREDICTION_ID;

/// Predict each treatment's effect on each customer.
///
/// For each treatment T the columns effect_T and std_error_T in units of the outcome, and the column
/// recommended: whom to give what, or the same to all where choosing does not pay. With --promotions the effects are
/// of its rows, and nothing is recommended, as nobody knows what one that was not run would cost.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// What `youhui response fit` wrote.
    #[arg(long, value_name = "MODEL")]
    model: PathBuf,
    /// One row a customer: Parquet, CSV or JSON Lines, with the model's features.
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// A table of promotions with the columns of fit's --promotions: predict these, whether they were run or not.
    #[arg(long, value_name = "FILE")]
    promotions: Option<PathBuf>,
    /// A column of --data that says whose row it is: it stands first in --out, as `customer`. `youhui serve --predictions` needs it.
    #[arg(long, value_name = "COLUMN")]
    id: Option<String>,
    /// Where predictions go, in the order of the rows: Parquet, or .csv or .jsonl.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub(crate) fn run(args: &Args, console: Console) -> Result<(), CliError> {
    let model = read(&args.model, console)?;
    let mut wanted: Vec<String> = model.card.encoder.columns().map(str::to_owned).collect();
    let is_feature = args.id.as_ref().is_some_and(|id| wanted.contains(id));
    if let Some(id) = args.id.as_ref().filter(|_| !is_feature) {
        wanted.push(id.clone());
    }
    let texts: Vec<&str> = args.id.iter().map(String::as_str).filter(|_| !is_feature).collect();
    let mut table = read_table_as(&args.data, Some(&wanted), &texts)?;
    let rows = table.rows();
    let id = match &args.id {
        Some(id) if is_feature => Some(table.column(id)?.clone()),
        Some(id) => Some(table.take(id)?),
        None => None,
    };
    let features: Vec<Feature<'_>> = table.columns.iter().map(feature).collect();
    let mut warnings = Vec::new();
    let promotions = args.promotions.as_ref().map(|path| read_promotions(path, &model.card.columns.treatment)).transpose()?;
    let found = match &promotions {
        None => model.predict(&features, &mut warnings)?,
        Some(table) => model.foresee(&features, table, &mut warnings)?,
    };
    let names = promotions.map_or_else(|| model.card.treatments.clone(), |table| table.rows.into_iter().map(|row| row.name).collect());
    warnings.iter().for_each(|warning| console.say(&format!("warning: {warning}")));
    let id = id.map(|column| {
        let (codes, names) = column.values.categories();
        Column { name: PREDICTION_ID.to_owned(), values: Values::Text { codes, names } }
    });
    let columns: Vec<Column> = id.into_iter().chain(columns(&model, &names, found)).collect();
    write_table(&args.out, &columns)?;
    console.say(&format!("{rows} rows: {}", model.card.policy.verdict));
    Ok(())
}

/// Reads a model and its card, which have to belong together.
fn read(path: &std::path::Path, console: Console) -> Result<Model, CliError> {
    let unreadable = |error: std::io::Error| CliError::usage(format!("{}: {error}", path.display()));
    let bytes = std::fs::read(path).map_err(unreadable)?;
    let model = Model::from_bytes(&bytes).map_err(|error| CliError::usage(format!("{}: {error}", path.display())))?;
    let card = card_path(path);
    match std::fs::read_to_string(&card) {
        Ok(text) if serde_json::from_str::<youhui_response::Card>(&text).ok().as_ref() != Some(&model.card) => {
            return Err(CliError::usage(format!("{}: is not the card of {}: fit it again", card.display(), path.display())));
        }
        Ok(_) => {}
        Err(_) => console.say(&format!("warning: {} is absent: going by the card inside the model", card.display())),
    }
    Ok(model)
}

fn columns(model: &Model, predicted: &[String], found: Predictions) -> Vec<Column> {
    let card = &model.card;
    let number =
        |prefix: &str, treatment: &String, values| Column { name: format!("{prefix}_{treatment}"), values: Values::Number(values) };
    let mut columns = Vec::new();
    for ((treatment, effects), errors) in predicted.iter().zip(found.effects).zip(found.std_errors) {
        columns.push(number("effect", treatment, effects));
        columns.push(number("std_error", treatment, errors));
    }
    if found.recommended.is_empty() {
        return columns;
    }
    let names = std::iter::once(&card.control).chain(&card.treatments).cloned().collect();
    let codes = found.recommended.into_iter().map(|place| u32::try_from(place).unwrap_or(0)).collect();
    columns.push(Column { name: "recommended".to_owned(), values: Values::Text { codes, names } });
    columns
}
