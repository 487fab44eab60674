//! `youhui price`: baskets in, prices out, one a line, in order, as they come.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;
use jiff::Timestamp;
use rayon::prelude::*;
use serde_json::json;
use youhui_commerce::{Money, format_minor};
use youhui_promotion::{
    Context, CustomerFile, Detail, Hint, MOST_LINES, Priced, Problem, Promotions, Wrong, read_basket, read_customer, read_promotions,
};

use super::{CliError, Console, now};

/// Price baskets under promotions.
///
/// Baskets are JSON, one a line; answers come one a line in the same order. Blank lines are left out. A basket that is wrong gets
/// an answer too ({"line": 3, "problems": [...]}), and the command ends with exit code 2.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// Promotion documents: a JSON list, one document, or one a line.
    #[arg(long, value_name = "FILE")]
    promotions: PathBuf,
    /// Baskets, one a line; - for standard input.
    #[arg(long, value_name = "FILE|-")]
    basket: PathBuf,
    /// The moment of pricing (RFC 3339); now if absent.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    at: Option<i64>,
    /// Who buys, and what they have used of which promotion (JSON).
    #[arg(long, value_name = "FILE")]
    customer: Option<PathBuf>,
    /// Say step by step what was done.
    #[arg(long)]
    explain: bool,
    /// List only those rejected promotions that the basket touches.
    #[arg(long)]
    near: bool,
    /// How to print.
    #[arg(long, value_enum, default_value = "json")]
    format: Format,
}

/// How answers are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// One JSON object a line.
    Json,
    /// For people.
    Table,
}

/// Most bytes of one basket's line.
const MOST_BYTES: usize = 64 << 20;
/// Most baskets that are priced at once.
const BATCH: usize = 512;

fn moment(text: &str) -> Result<i64, String> {
    let remedy = |error: jiff::Error| format!("{error}; write a moment such as 2026-11-11T00:00:00+08:00");
    text.parse::<Timestamp>().map(Timestamp::as_microsecond).map_err(remedy)
}

pub(crate) fn run(args: &Args, console: Console) -> Result<(), CliError> {
    let promotions = read_promotions(&read(&args.promotions)?).map_err(|wrong| in_file(&args.promotions, &wrong))?;
    let set = Promotions::new(promotions).map_err(|wrong| in_file(&args.promotions, &wrong))?;
    let customer = match &args.customer {
        None => CustomerFile::default(),
        Some(path) => read_customer(&read(path)?).map_err(|wrong| in_file(path, &wrong))?,
    };
    let detail = if args.explain {
        Detail::Trace
    } else if args.near {
        Detail::Near
    } else {
        Detail::Every
    };
    let context = Context { at: args.at.unwrap_or_else(now), usage: customer.usage.clone(), detail, ..Context::default() };
    let desk = Desk { set, customer, context, format: args.format };
    let wrong = if args.basket.as_os_str() == "-" {
        desk.serve(BufReader::with_capacity(1 << 20, std::io::stdin().lock()), Path::new("standard input"), console)?
    } else {
        let file = File::open(&args.basket).map_err(|error| unreadable(&args.basket, &error))?;
        desk.serve(BufReader::with_capacity(1 << 20, file), &args.basket, console)?
    };
    if wrong == 0 { Ok(()) } else { Err(CliError::usage(format!("{wrong} baskets could not be priced: see above"))) }
}

fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    std::fs::read(path).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &std::io::Error) -> CliError {
    CliError::usage(format!("{}: {error}. Check the path", path.display()))
}

fn in_file(path: &Path, wrong: &Wrong) -> CliError {
    let problems: Vec<String> = wrong.0.iter().map(|problem| format!("{}: {problem}", path.display())).collect();
    CliError::usage(problems.join("\n"))
}

/// Where baskets are priced.
struct Desk {
    set: Promotions,
    customer: CustomerFile,
    context: Context,
    format: Format,
}

/// One answer, and what is wrong where it is none.
struct Answer {
    text: String,
    wrong: Option<Wrong>,
}

impl Desk {
    /// Prices every line; how many could not be.
    fn serve(&self, mut input: BufReader<impl Read>, path: &Path, console: Console) -> Result<u64, CliError> {
        let mut output = std::io::BufWriter::with_capacity(1 << 20, std::io::stdout().lock());
        let (mut number, mut wrong) = (0_u64, 0_u64);
        loop {
            let lines = batch(&mut input).map_err(|error| unreadable(path, &error))?;
            if lines.is_empty() {
                return Ok(wrong);
            }
            let answers: Vec<Answer> =
                lines.par_iter().enumerate().map(|(place, line)| self.answer(number + place as u64 + 1, line)).collect();
            number += lines.len() as u64;
            for (line, answer) in (number - lines.len() as u64 + 1..).zip(answers) {
                if let Some(Wrong(problems)) = &answer.wrong {
                    wrong += 1;
                    problems.iter().for_each(|problem| console.say(&format!("error: {} line {line}: {problem}", path.display())));
                }
                if !write(&mut output, &answer.text)? {
                    return Ok(wrong);
                }
            }
            // Whoever waits for an answer gets it before the next basket.
            match output.flush() {
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(wrong),
                other => other.map_err(|error| CliError::usage(format!("stdout: {error}")))?,
            }
        }
    }

    fn answer(&self, number: u64, line: &[u8]) -> Answer {
        if line.trim_ascii().is_empty() {
            return Answer { text: String::new(), wrong: None };
        }
        let read = if line.len() > MOST_BYTES { Err(too_long()) } else { read_basket(line) };
        let priced = read.and_then(|mut basket| {
            if let Some(customer) = &self.customer.customer {
                basket.customer.clone_from(customer);
            }
            self.set.price(&basket, &self.context)
        });
        match priced {
            Ok(priced) => Answer { text: self.print(number, &priced), wrong: None },
            Err(mut wrong) => {
                for problem in wrong.0.iter_mut().filter(|problem| problem.message.contains("EOF while parsing")) {
                    problem.message.push_str("; write one basket a line (jq -c . makes them so)");
                }
                let text = match self.format {
                    Format::Json => json!({"line": number, "problems": wrong.0}).to_string(),
                    Format::Table => format!("basket {number}\n  could not be priced"),
                };
                Answer { text, wrong: Some(wrong) }
            }
        }
    }

    fn print(&self, number: u64, priced: &Priced) -> String {
        match self.format {
            Format::Json => serde_json::to_string(priced).unwrap_or_default(),
            Format::Table => table(number, priced),
        }
    }
}

/// Writes a line; whether anybody reads.
fn write(output: &mut impl Write, text: &str) -> Result<bool, CliError> {
    if text.is_empty() {
        return Ok(true);
    }
    match writeln!(output, "{text}") {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(CliError::usage(format!("stdout: {error}"))),
        Ok(()) => Ok(true),
    }
}

/// The next line, and those that have come in with it. Of a line that is too long, only so much is kept
/// that it is seen to be.
fn batch(input: &mut BufReader<impl Read>) -> std::io::Result<Vec<Vec<u8>>> {
    let mut lines = Vec::new();
    loop {
        let mut line = Vec::new();
        let read = input.by_ref().take(MOST_BYTES as u64 + 1).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(lines);
        }
        if line.len() > MOST_BYTES && line.last() != Some(&b'\n') {
            skip_line(input)?;
        }
        lines.push(line);
        // What is not here yet is not waited for.
        if lines.len() == BATCH || !input.buffer().contains(&b'\n') {
            return Ok(lines);
        }
    }
}

fn skip_line(input: &mut impl BufRead) -> std::io::Result<()> {
    loop {
        let buffer = input.fill_buf()?;
        if buffer.is_empty() {
            return Ok(());
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let used = end.map_or(buffer.len(), |place| place + 1);
        input.consume(used);
        if end.is_some() {
            return Ok(());
        }
    }
}

/// Why a line that is too long is no basket.
fn too_long() -> Wrong {
    let message = format!("is longer than {MOST_BYTES} bytes: write one basket a line, of at most {MOST_LINES} lines");
    Wrong(vec![Problem { pointer: String::new(), message }])
}

/// A receipt.
fn table(number: u64, priced: &Priced) -> String {
    let decimals = priced.currency.decimals();
    let amount = |amount: i64| format_minor(amount, decimals);
    let less = |amount: i64| if amount == 0 { String::new() } else { format!("-{}", format_minor(amount, decimals)) };
    let mut rows = vec![format!("basket {number}   {}", priced.currency)];
    let mut row = |name: &str, units: &str, before: &str, off: &str, after: &str| {
        rows.push(format!("  {name:<32}{units:>8}{before:>14}{off:>14}{after:>14}"));
    };
    row("line", "units", "before", "off", "to pay");
    for line in &priced.lines {
        row(&short(&line.line_id, 31), &line.quantity.to_string(), &amount(line.subtotal), &less(line.discount), &amount(line.total));
    }
    for gift in &priced.gifts {
        row(&short(&gift.product_id, 31), &gift.quantity.to_string(), "gift", "", &amount(0));
    }
    if priced.shipping > 0 {
        let left = priced.shipping - priced.shipping_discount;
        row("shipping", "", &amount(priced.shipping), &less(priced.shipping_discount), &amount(left));
    }
    if priced.tax > 0 {
        row("tax", "", "", "", &amount(priced.tax));
    }
    row("total", "", "", &less(priced.discount + priced.shipping_discount), &amount(priced.total));
    if priced.points > 0 {
        rows.push(format!("  {} points", priced.points));
    }
    if priced.cashback > 0 {
        rows.push(format!("  {} back later", Money::new(priced.cashback, priced.currency)));
    }
    for applied in &priced.applied {
        let code = applied.code.as_ref().map_or(String::new(), |code| format!(" (code {code})"));
        rows.push(format!("  + {}{code}: {}", applied.title, Money::new(applied.amount, priced.currency)));
    }
    for rejected in &priced.rejected {
        let name = rejected.promotion_id.as_deref().or(rejected.code.as_deref()).unwrap_or_default();
        rows.push(format!("  - {name}: {}", rejected.reason.in_words(priced.currency)));
    }
    for add_on in &priced.add_ons {
        rows.push(format!("  ? {} more {} at {}", add_on.quantity, add_on.product_id, Money::new(add_on.unit_price, priced.currency)));
    }
    rows.extend(priced.hints.iter().map(|hint: &Hint| format!("  ? {hint}: {}", hint.promotion_id)));
    if let Some(deal) = priced.best_deal {
        let proof =
            if deal.proven { "proved best".to_owned() } else { format!("at most {} better exists", Money::new(deal.gap, priced.currency)) };
        rows.push(format!("  best deal of {} trials: {proof}", deal.trials));
    }
    for step in &priced.trace {
        rows.push(format!("  . {}: {}; {} left", step.promotion_id, step.did, amount(step.goods + step.shipping)));
    }
    rows.join("\n")
}

fn short(text: &str, most: usize) -> String {
    if text.chars().count() <= most { text.to_owned() } else { text.chars().take(most - 1).chain(['…']).collect() }
}
