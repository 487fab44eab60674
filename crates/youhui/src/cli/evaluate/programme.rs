//! `youhui evaluate programme`.

use clap::Args as ClapArgs;
use jiff::Timestamp;
use maud::html;
use serde::Serialize;
use serde_json::{Map, Value, json};
use youhui_commerce::Currency;
use youhui_evaluation::money::{Arm, Figure, Lot, MoneySettings, Participant, Programme, ProgrammeEffects};
use youhui_storage::{MISSING, Table, columns_of, hash_of, read_table_in_blocks};

use super::super::{CliError, Console};
use super::customers::{LotArgs, located, minor, whole};
use super::figures::{dot_of, drawn, figure_entries, line};
use super::kept::{Kept, Snapshot};
use super::page::{charts, footer, forest, said, source, whole as page_of};

/// Say what many campaigns brought together and each, from customers who got none at all by lot, and each campaign's own lot.
///
/// A row a customer: the column of the global holdout (--assignment), the outcome over the whole programme in whole minor units, and a column a campaign of what its lot
/// said: held out, not eligible (whom it couldn't reach), or the one other value for who got it. A column with before_ in front of the outcome's name makes figures more precise.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    #[command(flatten)]
    lot: LotArgs,
    /// Columns of campaigns: what each campaign's lot said.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',', required = true)]
    campaigns: Vec<String>,
    /// What stands there for those whom a campaign couldn't reach.
    #[arg(long, value_name = "VALUE", default_value = "not_eligible")]
    not_eligible: String,
    /// Columns of what is judged, such as revenue and profit.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',', default_value = "revenue")]
    outcome: Vec<String>,
    /// Currency of amounts.
    #[arg(long, value_name = "CODE")]
    currency: Currency,
    /// Don't adjust by the time before.
    #[arg(long)]
    no_cuped: bool,
    #[command(flatten)]
    kept: Kept,
}

/// What is printed.
#[derive(Debug, Serialize)]
struct Report {
    data: String,
    hash: String,
    rows: u64,
    level: f64,
    run: Option<String>,
    outcomes: Vec<Outcome>,
    warnings: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Outcome {
    outcome: String,
    #[serde(flatten)]
    effects: ProgrammeEffects,
}

pub(crate) fn run(args: &Args, console: Console) -> Result<(), CliError> {
    let started = Timestamp::now();
    args.lot.check()?;
    let bar = console.bar("reading");
    let read = Read::of(args)?;
    bar.set_message("judging");
    let mut report = judge(args, read)?;
    bar.finish_and_clear();
    let configuration = args.lot.configured(json!({
        "campaigns": args.campaigns, "not_eligible": args.not_eligible,
        "outcome": args.outcome, "currency": args.currency.code(), "cuped": !args.no_cuped,
    }));
    let snapshot = Snapshot {
        command: "evaluate programme",
        configuration,
        data: (report.data.clone(), report.hash.clone()),
        figures: figures(&report),
        files: &[&args.lot.data],
    };
    report.run = Some(args.kept.keep(snapshot, started, || page(&report))?);
    args.kept.print(console, &report, table)
}

/// Customers, summed by outcome.
struct Read {
    programmes: Vec<Programme>,
    rows: u64,
}

impl Read {
    fn of(args: &Args) -> Result<Self, CliError> {
        let present = columns_of(&args.lot.data)?;
        let befores: Vec<Option<String>> =
            args.outcome.iter().map(|outcome| Some(format!("before_{outcome}")).filter(|name| present.contains(name))).collect();
        let mut wanted: Vec<String> = vec![];
        for name in std::iter::once(&args.lot.assignment).chain(&args.campaigns).chain(&args.outcome) {
            if wanted.contains(name) {
                return Err(CliError::usage(format!(
                    "column {name} is named twice: a campaign, an outcome and the programme's lot are different columns"
                )));
            }
            wanted.push(name.clone());
        }
        let is_missing = |before: &&String| !wanted.contains(before);
        let more: Vec<String> = befores.iter().flatten().filter(is_missing).cloned().collect();
        wanted.extend(more);
        let one = Programme::new(args.currency, args.campaigns.clone(), 1.0 - args.lot.holdout_share)?;
        let mut read = Self { programmes: vec![one; args.outcome.len()], rows: 0 };
        let mut arms = args.lot.arms();
        let mut lots = Lots { args, treated: vec![None; args.campaigns.len()] };
        read_table_in_blocks(&args.lot.data, &wanted, &[], |mut table| -> Result<(), CliError> {
            let arms = arms.read(table.take(&args.lot.assignment)?.values, read.rows)?;
            let in_programme: Vec<bool> = arms.into_iter().map(|arm| arm == Arm::Treated).collect();
            let lots = lots.read(&mut table, &in_programme, read.rows)?;
            let width = args.campaigns.len();
            for ((programme, outcome), before) in read.programmes.iter_mut().zip(&args.outcome).zip(&befores) {
                let outcome = whole(&args.lot.data, table.column(outcome)?, read.rows)?;
                let before = before.as_ref().map(|name| whole(&args.lot.data, table.column(name)?, read.rows)).transpose()?;
                let participant = |row: usize| Participant {
                    in_programme: in_programme[row],
                    before: before.map_or(0, |before| minor(before[row])),
                    outcome: minor(outcome[row]),
                    lots: &lots[row * width..(row + 1) * width],
                };
                let participants: Vec<Participant<'_>> = (0..in_programme.len()).map(participant).collect();
                programme
                    .add(&participants)
                    .map_err(|error| located(&error, |row| format!("{}: row {}", args.lot.data.display(), row + 1)))?;
            }
            read.rows += in_programme.len() as u64;
            Ok(())
        })?;
        Ok(read)
    }
}

/// What campaigns' lots said.
struct Lots<'a> {
    args: &'a Args,
    /// By campaign: what stands there for who got it, over all blocks.
    treated: Vec<Option<String>>,
}

impl Lots<'_> {
    /// Customer by customer, campaign by campaign.
    fn read(&mut self, table: &mut Table, in_programme: &[bool], first: u64) -> Result<Vec<Lot>, CliError> {
        let width = self.args.campaigns.len();
        let mut lots = vec![Lot::NotEligible; in_programme.len() * width];
        for place in 0..width {
            let campaign = &self.args.campaigns[place];
            let (codes, texts) = table.take(campaign)?.values.categories();
            let known = texts.iter().map(|text| self.lot(place, text)).collect::<Result<Vec<Lot>, CliError>>()?;
            for (row, code) in codes.into_iter().enumerate() {
                if code != MISSING {
                    lots[row * width + place] = known[code as usize];
                } else if in_programme[row] {
                    return Err(CliError::usage(format!(
                        "{}: row {}: column {campaign} is empty: a customer of the programme without a lot is in neither arm, and left out those who are left are no longer whom the lot drew: write {}, {} where the campaign couldn't reach the customer, or what stands there for who got it",
                        self.args.lot.data.display(),
                        first + row as u64 + 1,
                        self.args.lot.held_out,
                        self.args.not_eligible
                    )));
                }
            }
        }
        Ok(lots)
    }

    fn lot(&mut self, place: usize, text: &str) -> Result<Lot, CliError> {
        if text == self.args.lot.held_out {
            return Ok(Lot::HeldOut);
        }
        if text == self.args.not_eligible {
            return Ok(Lot::NotEligible);
        }
        let treated = self.treated[place].get_or_insert_with(|| text.to_owned());
        if treated == text {
            return Ok(Lot::Treated);
        }
        Err(CliError::usage(format!(
            "{}: column {}: both {treated} and {text} stand there beside {} and {}: one value says who got it; give each arm of a campaign with several a column of its own",
            self.args.lot.data.display(),
            self.args.campaigns[place],
            self.args.lot.held_out,
            self.args.not_eligible
        )))
    }
}

fn judge(args: &Args, read: Read) -> Result<Report, CliError> {
    let settings = MoneySettings { level: args.lot.level, cuped: !args.no_cuped, ..MoneySettings::default() };
    let mut outcomes = vec![];
    for (programme, outcome) in read.programmes.iter().zip(&args.outcome) {
        outcomes.push(Outcome { outcome: outcome.clone(), effects: programme.effects(settings)? });
    }
    // The lot is the same whatever is judged.
    let mut warnings: Vec<String> =
        outcomes.first().into_iter().flat_map(|one| &one.effects.warnings).map(|warning| warning.message.clone()).collect();
    warnings.push(INTERACTION.to_owned());
    Ok(Report {
        data: args.lot.data.display().to_string(),
        hash: hash_of(&args.lot.data)?,
        rows: read.rows,
        level: args.lot.level,
        run: None,
        outcomes,
        warnings,
    })
}

const INTERACTION: &str = "each row counts as one customer. What is left over the sum of campaigns is interaction only if whom a campaign may reach \
                           doesn't depend on earlier campaigns; each campaign's own effect is right either way";

impl Outcome {
    fn whole(&self) -> impl Iterator<Item = &Figure> {
        [Some(&self.effects.programme), self.effects.sum_of_campaigns.as_ref(), self.effects.interaction.as_ref()].into_iter().flatten()
    }
}

fn figures(report: &Report) -> Map<String, Value> {
    let mut figures = Map::new();
    for one in &report.outcomes {
        let prefix = format!("{}: ", one.outcome);
        one.whole().chain([&one.effects.total]).for_each(|figure| figures.extend(figure_entries(&prefix, figure)));
        for campaign in &one.effects.campaigns {
            figures.extend(figure_entries(&prefix, &campaign.effect));
            figures.insert(format!("{prefix}share treated by {}", campaign.campaign), json!(campaign.share_treated));
        }
    }
    figures
}

fn table(report: &Report) -> String {
    let mut lines = vec![];
    for one in &report.outcomes {
        lines.push(one.outcome.clone());
        lines.extend(one.whole().chain([&one.effects.total]).map(line));
        for campaign in &one.effects.campaigns {
            let p = campaign.effect.adjusted_p.unwrap_or(campaign.effect.p_value);
            let n = campaign.effect.n_treated;
            lines.push(format!(
                "{}, p {p:.4} (adjusted), {n} treated, {:.1} % of the programme",
                line(&campaign.effect),
                100.0 * campaign.share_treated
            ));
        }
        lines.extend(one.effects.not_judged.iter().map(|(campaign, reason)| format!("  no figure: {campaign}: {reason}")));
    }
    lines.extend(report.warnings.iter().map(|warning| format!("warning: {warning}")));
    if let Some(run) = &report.run {
        lines.push(format!("kept as run {run}"));
    }
    lines.join("\n")
}

fn page(report: &Report) -> String {
    let body = html! {
        h1 { "What the programme of campaigns brought" }
        (source(&report.data, report.rows, &report.hash, report.level))
        (said("warning", &report.warnings))
        @for one in &report.outcomes {
            @let programme = &one.effects.programme;
            @let dots: Vec<charts::Interval> = one.effects.campaigns.iter().map(|campaign| charts::Interval {
                strong: campaign.effect.adjusted_p.is_some_and(|p| p < 1.0 - report.level), ..dot_of(campaign.campaign.clone(), &campaign.effect) }).collect();
            h2 { (one.outcome) }
            p class="source" { (programme.n_treated) " customers of the programme, " (programme.n_held_out) " in the global holdout." }
            (drawn(&format!("The programme: {}", one.outcome), one.whole()))
            (forest(&format!("Campaigns: {}", one.outcome), &dots, &one.effects.campaigns.first().map_or_else(String::new, |first| first.effect.unit.clone()),
                "Each campaign's effect on whom it treated, added to the others as they ran, by its own lot; filled dots are told from 0 after adjustment for how many there are."))
            @for (campaign, reason) in &one.effects.not_judged { p { span class="tag" { "no figure" } " " (campaign) ": " (reason) } }
        }
        (footer())
    };
    page_of("What a programme of campaigns brought", &body)
}
