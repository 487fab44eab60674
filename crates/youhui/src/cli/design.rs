//! `youhui design`.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use serde_json::Value;
use youhui_design::Goal;
use youhui_design::law::Market;

use super::demo::{goal_help, parse_goal};
use super::{CliError, Console, Format};
use crate::demo::designed::{Request, design};

/// Design promotions for goals: candidates that pass price law and margin, and the menu worth offering.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// Your own data: a store that `youhui import` made.
    #[arg(long, value_name = "DIR")]
    store: PathBuf,
    /// What promotions are for; may be given several times.
    #[arg(long = "goal", value_name = "GOAL", value_parser = parse_goal, required = true, help = goal_help())]
    goals: Vec<Goal>,
    /// Whose price law they pass: eu, cn, uk, us-ny or us.
    #[arg(long, value_name = "MARKET", value_parser = parse_market, default_value = "us")]
    market: Market,
    /// Most promotions on the menu.
    #[arg(long, value_name = "K", default_value_t = 8)]
    menu: usize,
    /// Most to spend in 28 days, in the shop's currency; 1 % of the last 28 days' revenue if absent.
    #[arg(long)]
    budget: Option<f64>,
    /// What it costs to reach a customer once, in the shop's currency.
    #[arg(long, default_value_t = 0.10)]
    contact_cost: f64,
    /// Share of the amount that must stay as margin after a promotion, 0 to 1.
    #[arg(long, default_value_t = 0.05)]
    margin_floor: f64,
    /// How to print what was designed.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

fn parse_market(text: &str) -> Result<Market, String> {
    Market::from_name(text).ok_or_else(|| format!("no such market; write one of {}", Market::ALL.map(Market::name).join(", ")))
}

pub(crate) fn run(args: &Args, console: Console) -> Result<(), CliError> {
    if !(0.0..1.0).contains(&args.margin_floor) {
        return Err(CliError::usage(format!("--margin-floor {}: give a share from 0 to below 1, such as 0.05", args.margin_floor)));
    }
    let mut goals = args.goals.clone();
    goals.sort();
    goals.dedup();
    let found = design(&Request {
        store: args.store.clone(),
        goals,
        market: args.market,
        most: args.menu,
        budget: args.budget,
        contact_cost: args.contact_cost,
        margin_floor: args.margin_floor,
    })?;
    let text = match args.format {
        Format::Json => serde_json::to_string_pretty(&found).unwrap_or_default(),
        Format::Table => table(&found),
    };
    console.print(&text)
}

/// The menu for people, and what was refused by how many.
fn table(found: &Value) -> String {
    let none = vec![];
    let list = |value: &Value| value.as_array().unwrap_or(&none).clone();
    let mut lines = vec![found["menu"]["explanation"].as_str().unwrap_or_default().to_owned()];
    for choice in list(&found["menu"]["chosen"]) {
        lines.push(format!("  {}: {}", choice["promotion_id"].as_str().unwrap_or_default(), choice["why"].as_str().unwrap_or_default()));
    }
    let refused = list(&found["refused"]);
    lines.push(format!("{} candidates; {} drafts refused", list(&found["candidates"]).len(), refused.len()));
    lines.extend(refused.iter().take(3).map(|refused| format!("  {}", refused["why"].as_str().unwrap_or_default())));
    lines.extend(found["prices"].as_str().map(str::to_owned));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_empty_answer_is_a_table_too() {
        assert_eq!(table(&json!({})), "\n0 candidates; 0 drafts refused");
    }
}
