//! The files of a run. Nothing in `plan.json` and the tables depends on time or place: two runs
//! with one seed write the same bytes.

use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{FixedSizeBinaryBuilder, StringDictionaryBuilder};
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, Float32Array, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_schema::{ArrowError, DataType, Field, Schema};
use serde_json::json;
use youhui_commerce::schema::Table;
use youhui_commerce::{Money, SubjectId};
use youhui_storage::{write_atomic, write_parquet};

use super::customers::Profile;
use super::plan::{Assignment, Mode, Offering, Shipped};
use super::{Run, summary};
use crate::cli::CliError;

/// Makes the folder, or says why it can't be written.
pub(crate) fn make_folder(folder: &Path) -> Result<(), CliError> {
    let refused =
        |error: std::io::Error| CliError::usage(format!("--out {}: {error}. Give a folder that can be written", folder.display()));
    std::fs::create_dir_all(folder).map_err(refused)
}

/// Writes everything but the report into `folder`.
pub(crate) fn write(run: &Run, folder: &Path) -> Result<(), CliError> {
    let pretty = |value: &serde_json::Value| serde_json::to_string_pretty(value).unwrap_or_default() + "\n";
    write_atomic(&folder.join("plan.json"), pretty(&summary::plan(run)).as_bytes())?;
    write_atomic(&folder.join("promotions.json"), pretty(&promotions(run)).as_bytes())?;
    let table = |error: ArrowError| CliError::usage(format!("a table could not be built ({error}): report this as a bug"));
    write_parquet(&folder.join("assignments.parquet"), &assignments(run).map_err(table)?)?;
    Ok(write_parquet(&folder.join("profiles.parquet"), &profiles(run).map_err(table)?)?)
}

/// Every candidate with its reason and figures, and every refused draft with the rule it broke.
fn promotions(run: &Run) -> serde_json::Value {
    let given = |number: usize| {
        let is =
            |(place, choice): (usize, &Option<usize>)| choice.is_some_and(|choice| run.plan.offerings[place][choice].candidate == number);
        run.plan.solution.choices.iter().enumerate().filter(|pair| is(*pair)).count()
    };
    let candidates: Vec<_> = run
        .proposal
        .candidates
        .iter()
        .enumerate()
        .map(|(number, candidate)| {
            json!({
                "promotion": candidate.promotion,
                "reason": candidate.reason,
                "figures": candidate.figures,
                "proposed_for": given(number),
            })
        })
        .collect();
    let refused: Vec<_> = run.proposal.refused.iter().map(|(what, why)| json!({"what": what, "why": why})).collect();
    json!({"schema_version": 1, "candidates": candidates, "refused": refused})
}

fn assignments(run: &Run) -> Result<RecordBatch, ArrowError> {
    let plan = &run.plan;
    let rows = || run.customers.profiles.iter().zip(&plan.offerings).zip(&plan.assignments);
    let chosen = || rows().map(|((_, theirs), assignment)| assignment.offering.map(|place| &theirs[place]));
    let number = |of: fn(&Offering) -> f64| -> ArrayRef {
        Arc::new(Float64Array::from_iter_values(chosen().map(|offering| offering.map_or(0.0, of))))
    };
    let id = |offering: Option<&Offering>| offering.map(|offering| promotion_id(run, offering));
    let reasons = rows().zip(&plan.solution.choices).map(|(((_, theirs), assignment), proposed)| {
        reason(run, *assignment, assignment.offering.map(|place| &theirs[place]), proposed.map(|place| &theirs[place]))
    });
    let columns: Vec<ArrayRef> = vec![
        subjects(rows().map(|((profile, _), _)| profile.subject()))?,
        words(chosen().map(id)),
        Arc::new(Float64Array::from_iter_values(rows().map(|(_, assignment)| assignment.propensity))),
        number(Offering::profit),
        number(|offering| offering.effect.std_error),
        number(|offering| offering.cost),
        Arc::new(Float64Array::from_iter_values(rows().map(|_| plan.solution.budget_price))),
        words(rows().map(|(_, assignment)| Some(assignment.mode.name()))),
        Arc::new(StringArray::from_iter_values(reasons)),
    ];
    RecordBatch::try_new(Table::Assignments.schema(), columns)
}

fn promotion_id<'a>(run: &'a Run, offering: &Offering) -> &'a str {
    &run.proposal.candidates[offering.candidate].promotion.get().promotion_id
}

/// Why this customer gets this, in one sentence.
fn reason(run: &Run, assignment: Assignment, given: Option<&Offering>, proposed: Option<&Offering>) -> String {
    let currency = run.loaded.shop.currency;
    let money = |major: f64| Money::new(youhui_profile::shop::to_minor(major * currency.minor_units() as f64), currency).to_string();
    let expects = |offering: &Offering| {
        format!("expected profit {} ± {}, cost {}", money(offering.profit()), money(1.96 * offering.effect.std_error), money(offering.cost))
    };
    match (assignment.mode, given, proposed) {
        (Mode::Holdout, ..) => "drawn by lot to get nothing, so that the effect can be measured".to_owned(),
        (Mode::Personalised, Some(offering), _) => format!("most profit for the budget: {}", expects(offering)),
        (Mode::Personalised, None, _) => "no promotion is worth its cost and the budget's price here".to_owned(),
        (Mode::Fallback, Some(offering), _) => format!("best single promotion, drawn by lot: {}", expects(offering)),
        (Mode::Fallback, None, Some(offering)) if run.plan.shipped == Shipped::Nobody => {
            format!("nothing is shipped: {} was proposed, {}, and is not proven", promotion_id(run, offering), expects(offering))
        }
        (Mode::Fallback, None, _) => "nothing is shipped to this customer".to_owned(),
    }
}

fn profiles(run: &Run) -> Result<RecordBatch, ArrowError> {
    let all = || run.customers.profiles.iter().map(|profile| profile.profile());
    let whole = |of: fn(&Profile) -> i64| -> ArrayRef { Arc::new(Int64Array::from_iter_values(all().map(of))) };
    let real = |of: fn(&Profile) -> f64| -> ArrayRef { Arc::new(Float64Array::from_iter_values(all().map(of))) };
    let maybe = |of: fn(&Profile) -> Option<f64>| -> ArrayRef { Arc::new(Float64Array::from_iter(all().map(of))) };
    let most = |counts: &[u32]| {
        let best = counts.iter().enumerate().filter(|(_, count)| **count > 0).max_by(|one, two| one.1.cmp(two.1).then(two.0.cmp(&one.0)));
        best.and_then(|(place, _)| i64::try_from(place).ok())
    };
    let catalogue = &run.loaded.shop.catalogue;
    let top = |best: Option<&(u32, f64)>, names: &'_ [String]| best.and_then(|(number, _)| names.get(*number as usize)).cloned();
    let categories: Vec<Option<String>> = all().map(|profile| top(profile.features.categories.first(), catalogue.categories())).collect();
    let brands: Vec<Option<String>> = all().map(|profile| top(profile.features.brands.first(), catalogue.brands())).collect();
    let mut columns: Vec<ArrayRef> = vec![
        subjects(run.customers.profiles.iter().map(youhui_privacy::PermittedProfile::subject))?,
        Arc::new(TimestampMicrosecondArray::from_iter_values(all().map(|profile| profile.features.as_of)).with_timezone("UTC")),
        whole(|profile| i64::from(profile.features.orders)),
        whole(|profile| profile.features.amount),
        real(|profile| profile.features.recency_days),
        real(|profile| profile.features.tenure_days),
        maybe(|profile| profile.features.mean_gap_days),
        maybe(|profile| profile.features.gap_variation),
        whole(|profile| profile.features.basket_median()),
        whole(|profile| profile.features.basket_quantiles[4]),
        real(|profile| profile.features.discount_share),
        real(|profile| profile.features.price_sensitivity),
        real(|profile| if profile.features.amount > 0 { profile.features.refunded as f64 / profile.features.amount as f64 } else { 0.0 }),
        maybe(|profile| profile.features.margin_share()),
        maybe(|profile| profile.lifetime.map(|lifetime| lifetime.probability_alive)),
        maybe(|profile| profile.lifetime.map(|lifetime| lifetime.expected_orders_90d)),
        maybe(|profile| profile.lifetime.map(|lifetime| lifetime.value_1y)),
        words(categories.iter().map(Option::as_deref)),
        words(brands.iter().map(Option::as_deref)),
        // The middle of the favourite part of the day.
        Arc::new(Int64Array::from_iter(all().map(|profile| most(&profile.features.dayparts).map(|part| part * 4 + 2)))),
        Arc::new(Int64Array::from_iter(all().map(|profile| most(&profile.features.weekdays)))),
    ];
    let mut fields: Vec<Field> = Table::Profiles.schema().fields().iter().map(|field| field.as_ref().clone()).collect();
    let width = all().map(|profile| profile.embedding.len()).max().unwrap_or(0);
    for place in 0..width {
        fields.push(Field::new(format!("embedding_{place}"), DataType::Float32, true));
        columns.push(Arc::new(Float32Array::from_iter(all().map(|profile| profile.embedding.get(place).copied()))));
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

fn subjects(subjects: impl Iterator<Item = SubjectId>) -> Result<ArrayRef, ArrowError> {
    let mut column = FixedSizeBinaryBuilder::new(16);
    for subject in subjects {
        column.append_value(subject.as_bytes())?;
    }
    Ok(Arc::new(column.finish()))
}

fn words<'a>(words: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    let mut column = StringDictionaryBuilder::<Int32Type>::new();
    words.for_each(|word| column.append_option(word));
    Arc::new(column.finish())
}
