//! The 27 campaigns of the Complete Journey, which ran without a holdout, by every observational estimator.
//!
//! `python3 benches/peers/evaluation/journey_panel.py PARQUET DIR` makes the panel, and
//! `cargo run --release -p youhui-evaluation --example journey_campaigns DIR` prints a Markdown table: dollars a household and week.
//!
//! No figure is an unbiased effect: campaigns were sent to chosen households, often several at a time, and the data's packager
//! calls them simulated from real patterns. What can be seen is which campaigns' figures the checks take apart.

#![allow(clippy::print_stdout, reason = "it is what this program is for")]

use std::collections::BTreeSet;
use std::error::Error;
use std::path::Path;

use youhui_evaluation::experiment::{Adjust, adjust};
use youhui_evaluation::observational::{
    Aggregation, CheckKind, Controls, DidSettings, Donors, Observed, ObservedEffect, Panel, SegmentedSettings, SyntheticVariance,
    TimeSeries, Window, difference_in_differences, event_study, group_time_effects, relative_magnitudes, segmented_regression,
    structural_time_series, synthetic_control, synthetic_did, two_way_fixed_effects,
};

/// Weeks before the start that differences look at.
const BEFORE: usize = 8;
/// Groups of households not mailed, alike in spending over the weeks looked at, that are donors: alike before only, the
/// lowest would rise and the highest fall by themselves.
const DONORS: usize = 40;

struct Journey {
    households: Vec<u64>,
    /// Dollars of each household, week by week.
    spending: Vec<Vec<f64>>,
    /// Number of the first week.
    first_week: usize,
    campaigns: Vec<Campaign>,
}

struct Campaign {
    id: u32,
    kind: String,
    /// Places of the first week and the one after the last.
    weeks: std::ops::Range<usize>,
    mailed: BTreeSet<u64>,
}

fn read(folder: &Path) -> Result<Journey, Box<dyn Error>> {
    let text = std::fs::read_to_string(folder.join("spending.csv"))?;
    let mut lines = text.lines();
    let first_week: usize = lines.next().and_then(|header| header.split(',').nth(1)).ok_or("a header without weeks")?.parse()?;
    let mut journey = Journey { households: vec![], spending: vec![], first_week, campaigns: vec![] };
    for line in lines {
        let (household, weeks) = line.split_once(',').ok_or("a household without weeks")?;
        journey.households.push(household.parse()?);
        journey.spending.push(weeks.split(',').map(str::parse).collect::<Result<_, _>>()?);
    }
    let last = journey.spending.first().map_or(0, Vec::len);
    for line in std::fs::read_to_string(folder.join("campaigns.csv"))?.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let [id, kind, start, end, mailed] = cells[..] else { return Err("a campaign has five cells".into()) };
        let (start, end): (usize, usize) = (start.parse()?, end.parse()?);
        let mailed = mailed.split(' ').filter(|id| !id.is_empty()).map(str::parse).collect::<Result<_, _>>()?;
        journey.campaigns.push(Campaign {
            id: id.parse()?,
            kind: kind.to_owned(),
            weeks: start.saturating_sub(first_week)..(end + 1 - first_week).min(last),
            mailed,
        });
    }
    Ok(journey)
}

impl Journey {
    /// Households over some weeks, those chosen treated from `start` (a place among these weeks) on.
    fn panel(&self, weeks: std::ops::Range<usize>, start: impl Fn(u64) -> Option<usize>) -> Result<Panel, Box<dyn Error>> {
        let table: Vec<Vec<f64>> = self.spending.iter().map(|series| series[weeks.clone()].to_vec()).collect();
        let starts: Vec<Option<usize>> = self.households.iter().map(|&household| start(household)).collect();
        Ok(Panel::from_table(&table, &starts, &self.households)?)
    }

    /// Mean of the households mailed and of groups of others, alike in spending.
    fn groups(&self, campaign: &Campaign, weeks: std::ops::Range<usize>) -> (Vec<f64>, Vec<Vec<f64>>) {
        let (mailed, mut others): (Vec<usize>, Vec<usize>) =
            (0..self.households.len()).partition(|&at| campaign.mailed.contains(&self.households[at]));
        let all = |at: usize| self.spending[at][weeks.clone()].iter().sum::<f64>();
        others.sort_by(|&one, &two| all(one).total_cmp(&all(two)).then(one.cmp(&two)));
        let mean = |chosen: &[usize]| -> Vec<f64> {
            weeks.clone().map(|week| chosen.iter().map(|&at| self.spending[at][week]).sum::<f64>() / chosen.len() as f64).collect()
        };
        (mean(&mailed), others.chunks(others.len().div_ceil(DONORS)).map(mean).collect())
    }
}

struct Row {
    campaign: String,
    cells: String,
    found: Option<Observed>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("give the folder that journey_panel.py wrote")?;
    let journey = read(Path::new(&folder))?;
    println!(
        "| campaign | weeks | mailed / not | differences [95 %] | p | Holm p | pre-trend p | placebo in time p | breakdown M̄ | synthetic control [95 %] | synthetic DiD [95 %] | structural [95 %] | segmented [95 %] | verdict |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|---|---|");
    let rows = journey.campaigns.iter().map(|campaign| row(&journey, campaign)).collect::<Result<Vec<Row>, Box<dyn Error>>>()?;
    let p_values: Vec<f64> = rows.iter().map(|row| row.found.as_ref().map_or(f64::NAN, |found| found.effect.p_value)).collect();
    for (row, holm) in rows.iter().zip(adjust(&p_values, Adjust::Holm)) {
        println!("| {} | {} | {} |", row.campaign, row.cells.replace("HOLM", &p(holm)), verdict(row.found.as_ref(), holm));
    }
    staggered(&journey)
}

fn row(journey: &Journey, campaign: &Campaign) -> Result<Row, Box<dyn Error>> {
    let weeks = campaign.weeks.start.saturating_sub(BEFORE)..campaign.weeks.end;
    let start = campaign.weeks.start - weeks.start;
    let panel = journey.panel(weeks.clone(), |household| campaign.mailed.contains(&household).then_some(start))?;
    let name = format!("{} ({})", campaign.id, campaign.kind);
    let counts = format!(
        "{}–{} | {} / {}",
        campaign.weeks.start + journey.first_week,
        campaign.weeks.end + journey.first_week - 1,
        panel.treated(),
        panel.units() - panel.treated()
    );
    let found = match difference_in_differences(&panel, DidSettings::default()) {
        Ok(found) => found,
        // Such as a start in the first week: there is nothing to compare with.
        Err(error) => {
            let why = error.to_string();
            let why = why.split(':').next().unwrap_or_default();
            return Ok(Row { campaign: name, cells: format!("{counts} | none: {why} | | | | | | | | |"), found: None });
        }
    };
    let p_of = |kind| found.check(kind).map_or_else(|| "–".to_owned(), |check| p(check.p_value));
    let study = event_study(&panel, Some(Window { before: BEFORE, after: weeks.len() }), 0.95)?;
    let breakdown = relative_magnitudes(&study, 1.0).map_or_else(|_| "–".to_owned(), |robust| format!("{:.2}", robust.breakdown));
    let (control, synthetic) = synthetic(journey, campaign, weeks)?;
    let (structural, segmented) = series(journey, campaign)?;
    let cells = [
        counts,
        interval(&found.effect),
        p(found.effect.p_value),
        "HOLM".to_owned(),
        p_of(CheckKind::PreTrend),
        p_of(CheckKind::PlaceboInTime),
        breakdown,
        control,
        synthetic,
        structural,
        segmented,
    ];
    Ok(Row { campaign: name, cells: cells.join(" | "), found: Some(found) })
}

fn verdict(found: Option<&Observed>, holm: f64) -> &'static str {
    let Some(found) = found else { return "no figure" };
    if found.alarms() {
        return "a check alarms: don't believe it";
    }
    match found.effect.p_value {
        _ if holm < 0.05 => "found; observational, checks are quiet",
        p if p < 0.05 => "gone after Holm; checks are quiet",
        _ => "nothing found; checks are quiet",
    }
}

fn p(value: f64) -> String {
    if value < 0.001 { "< .001".to_owned() } else { format!("{value:.3}") }
}

fn interval(effect: &ObservedEffect) -> String {
    format!("{:.2} [{:.2}, {:.2}]", effect.value, effect.low, effect.high)
}

/// Synthetic control and synthetic differences from up to 26 weeks before.
fn synthetic(journey: &Journey, campaign: &Campaign, weeks: std::ops::Range<usize>) -> Result<(String, String), Box<dyn Error>> {
    let from = campaign.weeks.start.saturating_sub(26)..weeks.end;
    let start = campaign.weeks.start - from.start;
    if start < 4 {
        return Ok(("–".to_owned(), "–".to_owned()));
    }
    let (mailed, donors) = journey.groups(campaign, from);
    let control = synthetic_control(&Donors::new(mailed.clone(), donors.clone(), start)?, 0.95)?.observed;
    let mut table = vec![mailed];
    table.extend(donors);
    let starts: Vec<Option<usize>> = (0..table.len()).map(|at| (at == 0).then_some(start)).collect();
    let panel = Panel::from_table(&table, &starts, &(0..table.len() as u64).collect::<Vec<u64>>())?;
    let did = synthetic_did(&panel, SyntheticVariance::Placebo { draws: 0, seed: 0 }, 0.95)?.observed;
    Ok((marked(&control), marked(&did)))
}

/// The households mailed as one series from the first week on: with those not mailed as control, and alone.
fn series(journey: &Journey, campaign: &Campaign) -> Result<(String, String), Box<dyn Error>> {
    let weeks = 0..campaign.weeks.end;
    let mean = |mailed: bool| -> Vec<f64> {
        let chosen: Vec<usize> =
            (0..journey.households.len()).filter(|&at| campaign.mailed.contains(&journey.households[at]) == mailed).collect();
        weeks.clone().map(|week| chosen.iter().map(|&at| journey.spending[at][week]).sum::<f64>() / chosen.len() as f64).collect()
    };
    let times: Vec<i64> = (0..i64::try_from(weeks.len())?).collect();
    let start = i64::try_from(campaign.weeks.start)?;
    let none = || "–".to_owned();
    let structural =
        TimeSeries::new(&times, &mean(true), start, 0, &[mean(false)]).and_then(|series| structural_time_series(&series, 0.95));
    let segmented =
        TimeSeries::new(&times, &mean(true), start, 0, &[]).and_then(|series| segmented_regression(&series, SegmentedSettings::default()));
    Ok((
        structural.map_or_else(|_| none(), |found| marked(&found.observed)),
        segmented.map_or_else(|_| none(), |found| marked(&found.observed)),
    ))
}

/// With a star where a check alarms.
fn marked(found: &Observed) -> String {
    format!("{}{}", interval(&found.effect), if found.alarms() { " \\*" } else { "" })
}

/// All campaigns as one: households from their first campaign on.
fn staggered(journey: &Journey) -> Result<(), Box<dyn Error>> {
    let first = |household: u64| {
        journey.campaigns.iter().filter(|campaign| campaign.mailed.contains(&household)).map(|campaign| campaign.weeks.start).min()
    };
    // Households mailed before the second week have no week before.
    let kept: Vec<usize> =
        (0..journey.households.len()).filter(|&at| first(journey.households[at]).is_none_or(|start| start > 0)).collect();
    let table: Vec<Vec<f64>> = kept.iter().map(|&at| journey.spending[at].clone()).collect();
    let households: Vec<u64> = kept.iter().map(|&at| journey.households[at]).collect();
    let starts: Vec<Option<usize>> = households.iter().map(|&household| first(household)).collect();
    let panel = Panel::from_table(&table, &starts, &households)?;
    println!(
        "\nFrom a household's first campaign on ({} households mailed, {} never):\n",
        panel.treated(),
        panel.units() - panel.treated()
    );
    for controls in [Controls::NotYetTreated, Controls::NeverTreated] {
        let effects = group_time_effects(&panel, controls, &[], 0.95)?;
        for aggregation in [Aggregation::Simple, Aggregation::Group, Aggregation::Calendar] {
            let (found, _) = effects.aggregate(aggregation)?;
            let of = |kind| found.check(kind).map_or_else(|| "–".to_owned(), |check| p(check.p_value));
            println!(
                "- group-time effects, {controls:?}, {aggregation:?}: {}; pre-trend p {}, placebo in time p {}",
                interval(&found.effect),
                of(CheckKind::PreTrend),
                of(CheckKind::PlaceboInTime)
            );
        }
    }
    let two_way = two_way_fixed_effects(&panel, DidSettings { placebo_draws: 0, ..DidSettings::default() })?;
    println!(
        "- two-way fixed effects: {}; {:.1} % of weight negative",
        interval(&two_way.observed.effect),
        100.0 * two_way.negative_weights
    );
    Ok(())
}
