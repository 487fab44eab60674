//! What a run found, as the JSON that scripts read and as text for people.

use serde_json::{Map, Value, json};
use youhui_evaluation::{Comparison, Estimate};
use youhui_profile::sequence::Ranking;
use youhui_response::EffectModel;
use youhui_response::effect::RestsOn;

use super::Run;
use super::plan::{Forecast, Shipped};

/// The object that `--format json` prints: the plan, and the stages' times.
pub(crate) fn json(run: &Run, stages: &[super::stages::Stage], files: Option<&std::path::Path>) -> Value {
    let mut all = plan(run);
    if let Value::Object(fields) = &mut all {
        fields.insert("stages".into(), json!(stages));
        fields.insert("out".into(), json!(files));
    }
    all
}

/// `plan.json`: everything that was decided and why; the same bytes for the same seed.
pub(crate) fn plan(run: &Run) -> Value {
    let plan = &run.plan;
    let major = |minor: i64| run.loaded.shop.currency.major(minor);
    let judged = run.response.as_ref().and_then(|response| response.judged.as_ref());
    let comparisons = judged.map_or(&plan.predicted, |judged| &judged.comparisons);
    let basis = if judged.is_some() { "observational" } else { "predicted" };
    json!({
        "schema_version": 1,
        "data": run.source_name,
        "notice": run.notice,
        "seed": run.seed,
        "currency": run.loaded.shop.currency.code(),
        "customers": run.customers.profiles.len(),
        "customers_withheld": run.customers.withheld,
        "events": run.events(),
        "candidates": run.proposal.candidates.len(),
        "menu": super::menu::Shown::of(run).json(),
        "refused_drafts": run.proposal.refused.len(),
        "goals": run.goals.iter().map(|goal| goal.name()).collect::<Vec<_>>(),
        "budget": major(plan.budget),
        "spent": plan.forecast.spent,
        "incremental_profit": profit(&plan.forecast, run),
        "decision": {"shipped": plan.shipped, "why": plan.why},
        "proposed": {
            "spent": plan.proposed.spent,
            "customers": plan.proposed.customers,
            "incremental_profit": profit(&plan.proposed, run),
            "lp_gap": plan.solution.gap(),
            "budget_price": plan.solution.budget_price * run.loaded.shop.currency.minor_units() as f64,
        },
        "comparisons": rows(comparisons, basis),
        "predicted_comparisons": rows(&plan.predicted, "predicted"),
        "sequence": sequence(run),
        "lifetime": lifetime(run),
        "response": response(run),
        "profit_basis": profit_basis(run),
        "trial": plan.trial,
        "budget_curve": plan.curve.points,
        "worth_spending": plan.curve.worth_spending,
    })
}

fn profit(forecast: &Forecast, run: &Run) -> Value {
    let Estimate { value, low, high, n } = forecast.profit;
    json!({
        "estimate": value,
        "low": low,
        "high": high,
        "n": n,
        "unit": format!("{} of contribution in 28 days", run.loaded.shop.currency.code()),
        "basis": format!("predicted, {}", rests_on(run)),
    })
}

/// What predictions rest on, in a few words.
pub(crate) fn rests_on(run: &Run) -> String {
    rests_on_model(run.model.as_ref())
}

/// The same of a model.
pub(crate) fn rests_on_model(model: Option<&EffectModel>) -> String {
    match model.map(|model| model.rests_on) {
        None => "from nothing: every effect is taken as 0".to_owned(),
        Some(RestsOn::Campaigns { campaigns, treated }) => format!("from {campaigns} campaigns and {treated} exposures, observational"),
        Some(RestsOn::Prices(found)) => {
            format!("from how sales of {} products followed prices over {} product-weeks, observational", found.products, found.weeks)
        }
    }
}

/// What "profit" is here.
pub(crate) fn profit_basis(run: &Run) -> String {
    let shop = &run.loaded.shop;
    match shop.assumed_margin {
        _ if run.costs_recorded => "Profit is revenue less recorded cost of goods, promotion cost and contact cost.".to_owned(),
        Some(margin) => format!(
            "Profit is revenue less cost of goods, promotion cost and contact cost. The data have no cost of goods: a margin of {:.0} % of list value is assumed, in the mapping file.",
            100.0 * margin
        ),
        None => "The data have no cost of goods and the mapping assumes no margin: profit means revenue here, and is too high.".to_owned(),
    }
}

fn rows(comparisons: &[Comparison], basis: &str) -> Value {
    let row = |row: &Comparison| {
        let mut value = json!(row);
        if let Value::Object(fields) = &mut value {
            fields.insert("basis".into(), json!(basis));
        }
        value
    };
    comparisons.iter().map(row).collect()
}

fn sequence(run: &Run) -> Value {
    let learned = match &run.customers.learned {
        Ok(learned) => learned,
        Err(why) => return json!({"hit_rate_10": null, "ndcg_10": null, "why": why}),
    };
    let ranking = |ranking: &Ranking| -> Map<String, Value> {
        let Ranking { hit_rate_10, recall_10, ndcg_10 } = ranking;
        let mut fields = Map::new();
        for (name, mean) in [("hit_rate_10", hit_rate_10), ("recall_10", recall_10), ("ndcg_10", ndcg_10)] {
            fields.insert(name.into(), json!(mean.mean));
            fields.insert(format!("{name}_std_error"), json!(mean.std_error));
        }
        fields
    };
    let quality = &learned.quality;
    let mut fields = ranking(&quality.encoder);
    fields.insert("popularity".into(), Value::Object(ranking(&quality.popularity)));
    fields.insert("own_frequency".into(), Value::Object(ranking(&quality.own_frequency)));
    let gain = |gain: &youhui_profile::sequence::Gain| json!({"ndcg_10": gain.mean, "std_error": gain.std_error});
    fields.insert("gain_over_popularity".into(), gain(&quality.gain_over_popularity));
    fields.insert("gain_over_own_frequency".into(), gain(&quality.gain_over_own_frequency));
    fields.insert("customers".into(), json!(quality.customers));
    fields.insert("foresees".into(), json!(learned.word));
    fields.insert("classes".into(), json!(learned.classes));
    fields.insert("epochs".into(), json!(learned.epochs));
    fields.insert("best_epoch".into(), json!(learned.best_epoch));
    Value::Object(fields)
}

fn lifetime(run: &Run) -> Value {
    match &run.customers.lifetime {
        Err(why) => json!({"why": why}),
        Ok(models) => json!({
            "bg_nbd": {"r": models.orders.r, "alpha": models.orders.alpha, "a": models.orders.a, "b": models.orders.b, "penalizer": models.orders.penalizer},
            "gamma_gamma": {"p": models.values.p, "q": models.values.q, "v": models.values.v},
            "value_1y": run.customers.profiles.iter().filter_map(|profile| profile.profile().lifetime).map(|lifetime| lifetime.value_1y).sum::<f64>(),
        }),
    }
}

fn response(run: &Run) -> Value {
    let weights = run.model.as_ref().map(|model| {
        let names: &[&str] = if model.weights().len() == 1 { &["elasticity"] } else { &youhui_response::BASIS };
        model
            .weights()
            .iter()
            .zip(names)
            .map(|((weight, error), name)| json!({"name": name, "weight": weight, "std_error": error}))
            .collect::<Vec<_>>()
    });
    json!({
        "rests_on": rests_on(run),
        "weights": weights,
        "panel_rows": run.response.as_ref().map(|response| response.rows),
        "exposures": run.response.as_ref().map(|response| response.treated),
        "judged": run.response.as_ref().and_then(|response| response.judged.as_ref()),
    })
}

/// The first paragraph: what was found, said as plainly as it is known.
pub(crate) fn first_paragraph(run: &Run) -> String {
    let plan = &run.plan;
    let money = |major: f64| run.money(major);
    let range = |estimate: &Estimate| format!("{} ({} to {})", money(estimate.value), money(estimate.low), money(estimate.high));
    let judged = run.response.as_ref().and_then(|response| response.judged.as_ref());
    let evidence = judged.map_or_else(String::new, |judged| {
        format!(
            " Learnt from {} campaigns and judged on {} later ones it had not seen, at {} contacts each, choosing for each customer earned {} more than the best single promotion in 28 days (95 % interval, doubly robust, observational).",
            judged.trained_on,
            judged.campaigns,
            judged.contacts,
            range(&judged.over_best_single)
        )
    });
    let shipped = match plan.shipped {
        Shipped::Nobody if plan.proposed.customers == 0 => match run.model.as_ref().map(|model| model.rests_on) {
            Some(RestsOn::Prices(found)) => format!(
                " No promotion is even proposed: one per cent lower price went with {:.2} % more units, so a cut pays only on goods with a margin above {:.0} %.",
                found.elasticity,
                100.0 / found.elasticity.max(1e-9)
            ),
            _ => " No promotion is even proposed: none is expected to earn more than it costs.".to_owned(),
        },
        Shipped::Nobody => format!(
            " Proposed but not shipped: {} promotions for {}, expected to bring {} (predicted, {}).",
            plan.proposed.customers,
            money(plan.proposed.spent),
            range(&plan.proposed.profit),
            rests_on(run)
        ),
        Shipped::BestSingle | Shipped::Personalised => format!(
            " Shipped: {} promotions for {} of a budget of {}, expected to bring {} (predicted, {}).",
            plan.forecast.customers,
            money(plan.forecast.spent),
            run.money_minor(plan.budget),
            range(&plan.forecast.profit),
            rests_on(run)
        ),
    };
    let trial = plan.trial.filter(|_| plan.shipped == Shipped::Nobody).map_or_else(String::new, |trial| {
        let have = plan.proposed.customers;
        let enough = if trial.customers_per_arm * 2.0 <= have as f64 {
            "and there are enough"
        } else {
            "which is more than the plan reaches: run it over several periods or larger"
        };
        format!(
            " A randomised trial would settle it: {} customers an arm see {} a customer with 80 % power, {enough}.",
            trial.customers_per_arm,
            money(trial.effect)
        )
    });
    format!("{}.{evidence}{shipped}{trial}", plan.why)
}

/// The summary for people.
pub(crate) fn text(run: &Run) -> String {
    let judged = run.response.as_ref().and_then(|response| response.judged.as_ref());
    let comparisons = judged.map_or(&run.plan.predicted, |judged| &judged.comparisons);
    let mut rows = vec![["policy", "value", "low", "high", "spent", "given"].map(str::to_owned)];
    rows.extend(comparisons.iter().map(|row| {
        let Estimate { value, low, high, .. } = row.estimate;
        [row.policy.clone(), run.money(value), run.money(low), run.money(high), run.money(row.spent), format!("{:.0}", row.given)]
    }));
    let mut lines = vec![first_paragraph(run), String::new()];
    lines.extend(aligned(&rows));
    if let Some(row) = comparisons.first() {
        lines.push(format!("value: {}; 95 % intervals", row.unit));
    }
    lines.push(profit_basis(run));
    lines.join("\n")
}

/// Rows under each other: the first column to the left, figures to the right.
fn aligned(rows: &[[String; 6]]) -> Vec<String> {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..6).map(width).collect();
    let line = |row: &[String; 6]| {
        let cells = row.iter().zip(&widths).enumerate();
        cells
            .map(|(column, (cell, &width))| if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") })
            .collect::<Vec<_>>()
    };
    rows.iter().map(|row| line(row).join("  ")).collect()
}
