//! `youhui design`.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use serde_json::Value;
use youhui_design::Goal;
use youhui_design::law::Market;

use super::demo::{goal_help, parse_goal};
use super::{CliError, Console, Format, is_obeyed};
use crate::demo::Source;
use crate::demo::designed::{Request, design};

/// Design promotions for goals: candidates that pass price law and margin, and the menu worth offering.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// Your own data: a store that `youhui import` made; the bundled sample if absent.
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// What promotions are for; may be given several times.
    #[arg(long = "goal", value_name = "GOAL", value_parser = parse_goal, required = true, help = goal_help())]
    goals: Vec<Goal>,
    /// Whose price law they pass: eu, cn, uk, us-ny or us.
    #[arg(long, value_name = "MARKET", value_parser = parse_market, default_value = "us")]
    market: Market,
    /// Most promotions on the menu, 1 to 1000.
    #[arg(long, value_name = "K", value_parser = parse_most, default_value = "8")]
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
    /// Language of the conditions in the table, en or zh-CN; JSON has both.
    #[arg(long, value_name = "LOCALE", value_parser = parse_locale, default_value = "en")]
    locale: &'static str,
    /// How to print what was designed.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

fn parse_market(text: &str) -> Result<Market, String> {
    Market::from_name(text).ok_or_else(|| format!("no such market; write one of {}", Market::ALL.map(Market::name).join(", ")))
}

/// Nobody reads a longer menu, and no budget reaches its end.
const MOST: usize = 1000;

fn parse_most(text: &str) -> Result<usize, String> {
    let most = text.parse().ok().filter(|most| (1..=MOST).contains(most));
    most.ok_or_else(|| format!("give a whole number from 1 to {MOST}, such as 8"))
}

fn parse_locale(text: &str) -> Result<&'static str, String> {
    let found = LOCALES.into_iter().find(|locale| *locale == text);
    found.ok_or_else(|| format!("no texts in that language; write one of {}", LOCALES.join(", ")))
}

/// What texts are in.
const LOCALES: [&str; 2] = ["en", "zh-CN"];

pub(crate) fn run(args: &Args, console: Console) -> Result<(), CliError> {
    if !(0.0..1.0).contains(&args.margin_floor) {
        return Err(CliError::usage(format!("--margin-floor {}: give a share from 0 to below 1, such as 0.05", args.margin_floor)));
    }
    let mut goals = args.goals.clone();
    goals.sort();
    goals.dedup();
    let found = design(
        &Request {
            source: args.store.clone().map_or(Source::Sample, Source::Store),
            goals,
            market: args.market,
            most: args.menu,
            budget: args.budget,
            contact_cost: args.contact_cost,
            margin_floor: args.margin_floor,
        },
        console,
    )?;
    let text = match args.format {
        Format::Json => serde_json::to_string_pretty(&found).unwrap_or_default(),
        Format::Table => table(&found, args.locale),
    };
    console.print(&text)
}

/// The menu for people, and the first few of what was refused.
fn table(found: &Value, locale: &str) -> String {
    let none = vec![];
    let list = |value: &Value| value.as_array().unwrap_or(&none).clone();
    let words = |value: &Value| plain(value.as_str().unwrap_or_default());
    let candidates = list(&found["candidates"]);
    let mut lines = vec![words(&found["menu"]["explanation"])];
    for choice in list(&found["menu"]["chosen"]) {
        let promotion = candidates.iter().map(|candidate| &candidate["promotion"]);
        let promotion = promotion.clone().find(|promotion| promotion["promotion_id"] == choice["promotion_id"]).unwrap_or(&Value::Null);
        lines.push(format!("  {}: {}", words(&choice["promotion_id"]), words(&promotion["texts"][locale]["condition"])));
        lines.push(format!("    {}", words(&choice["why"])));
        lines.extend(list(&promotion["disclosures"]).iter().map(|disclosure| format!("    {}", words(disclosure))));
    }
    let refused = list(&found["refused"]);
    lines.push(format!("{} candidates; {} drafts refused", candidates.len(), refused.len()));
    lines.extend(refused.iter().take(3).map(|refused| format!("  {}: {}", words(&refused["what"]), words(&refused["why"]))));
    lines.extend(found["prices"].as_str().map(str::to_owned));
    lines.join("\n")
}

/// A name may hold what a terminal would obey, or what turns the direction of writing: shown as a box.
fn plain(text: &str) -> String {
    text.chars().map(|letter| if is_obeyed(letter) { '□' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_empty_answer_is_a_table_too() {
        assert_eq!(table(&json!({}), "en"), "\n0 candidates; 0 drafts refused");
    }
}
