//! The report's sections, in the order one asks: is it worth it, who are they, what is offered,
//! what does it change, what does money buy.

use maud::{Markup, html};
use youhui_evaluation::{Comparison, Estimate};
use youhui_profile::sequence::Ranking;
use youhui_response::effect::RestsOn;

use super::charts::{self, Interval, Series, short};
use crate::demo::judge::Judged;
use crate::demo::{Run, summary};

/// Customers drawn on the map at most: more dots hide each other.
const MOST_DOTS: usize = 2_500;
/// Offers shown as cards.
const MOST_OFFERS: usize = 9;

fn judged(run: &Run) -> Option<&Judged> {
    run.response.as_ref().and_then(|response| response.judged.as_ref())
}

fn figure(title: &str, chart: &Markup, caption: &str) -> Markup {
    html! { figure { h3 { (title) } (chart) figcaption { (caption) } } }
}

fn policy_name(policy: &str) -> &str {
    match policy {
        "best_single" => "best single",
        "twin" => "twin, by lot",
        "shop_did" => "what the shop did",
        other => other,
    }
}

pub(super) fn comparison(run: &Run) -> Markup {
    let chart = |title: &str, rows: &[Comparison]| {
        let points: Vec<Interval> = rows
            .iter()
            // What the shop did was another budget, and its interval would squeeze the others.
            .filter(|row| row.policy != "shop_did")
            .map(|row| Interval {
                label: policy_name(&row.policy).to_owned(),
                value: row.estimate.value,
                low: row.estimate.low,
                high: row.estimate.high,
                strong: row.policy == "personalised",
            })
            .collect();
        charts::intervals(title, &points, run.loaded.shop.currency.code())
    };
    html! {
        h2 { "Is choosing for each customer worth it?" }
        p { "Five ways to spend the same budget. “Twin” hands the personalised plan's own promotions to as many customers drawn by lot: the difference to it is what choosing adds." }
        div class="grid" {
            @if let Some(judged) = judged(run) {
                figure {
                    h3 { "Measured on campaigns not seen in learning " span class="tag" { "observational" } }
                    (chart("Policies compared, doubly robust", &judged.comparisons))
                    figcaption {
                        "Profit against giving nobody anything, " (judged.customers) " customers, " (judged.contacts) " contacts each, 28 days. Doubly robust estimate (Dudík, Langford and Li 2011), clustered by customer. "
                        "Personalised less best single: " (run.money(judged.over_best_single.value)) " (" (run.money(judged.over_best_single.low)) " to " (run.money(judged.over_best_single.high)) "); less twin: "
                        (run.money(judged.over_twin.value)) " (" (run.money(judged.over_twin.low)) " to " (run.money(judged.over_twin.high)) ")."
                    }
                }
            }
            figure {
                h3 { "Predicted for the coming 28 days" }
                (chart("Policies compared, predicted", &run.plan.predicted))
                figcaption { "By the response model, " (summary::rests_on(run)) ". A prediction flatters the plan that was chosen by it; the measured comparison decides what is shipped." }
            }
        }
        details {
            summary { "The same as a table" }
            div class="scroll" { (comparison_table(run)) }
        }
    }
}

fn comparison_table(run: &Run) -> Markup {
    let measured = judged(run).map(|judged| ("measured", &judged.comparisons));
    html! {
        table {
            thead { tr { th { "policy" } th { "basis" } th { "value" } th { "low" } th { "high" } th { "spent" } th { "given" } } }
            tbody {
                @for (basis, rows) in measured.into_iter().chain([("predicted", &run.plan.predicted)]) {
                    @for row in rows {
                        tr {
                            td { (policy_name(&row.policy)) }
                            td { (basis) }
                            td { (run.money(row.estimate.value)) }
                            td { (run.money(row.estimate.low)) }
                            td { (run.money(row.estimate.high)) }
                            td { (run.money(row.spent)) }
                            td { (format!("{:.0}", row.given)) }
                        }
                    }
                }
            }
        }
    }
}

pub(super) fn customers(run: &Run) -> Markup {
    html! {
        h2 { "Who the customers are" }
        div class="grid" {
            figure class="wide" {
                h3 { "A map of taste" }
                (map(run))
                figcaption { "Each dot is a customer, placed by the two main directions of the learned embedding: near ones buy alike. Larger: more lifetime value." }
            }
            (figure("When they order", &habits(run), "Share of orders by local weekday and hour."))
            (figure("How long since the last order", &recency(run), "Customers by days since their last order."))
            (figure("Lifetime value is unequal", &lifetime(run), &lifetime_caption(run)))
            (figure("What they spend on", &categories(run), "Share of the amount by category, mean over customers."))
            figure class="wide" {
                h3 { "What the encoder knows that a list of favourites does not" }
                (encoder(run))
                figcaption { (encoder_caption(run)) }
            }
        }
    }
}

fn map(run: &Run) -> Markup {
    let profiles = &run.customers.profiles;
    let every = profiles.len().div_ceil(MOST_DOTS).max(1);
    let mut values: Vec<f64> = profiles.iter().filter_map(|profile| profile.profile().lifetime).map(|lifetime| lifetime.value_1y).collect();
    values.sort_by(f64::total_cmp);
    let top = values.get(values.len() * 9 / 10).copied().unwrap_or(f64::INFINITY);
    let dots: Vec<_> = profiles
        .iter()
        .step_by(every)
        .map(|profile| {
            let profile = profile.profile();
            let value = profile.lifetime.map_or(0.0, |lifetime| lifetime.value_1y);
            let late = profile.features.lateness().is_none_or(|late| late > 2.5);
            let class = if late {
                "late"
            } else if value >= top {
                "high"
            } else {
                ""
            };
            let size = 2.0 + 5.0 * (value.max(0.0) / top.max(1e-9)).clamp(0.0, 1.5).sqrt();
            (profile.coordinates[0], profile.coordinates[1], size, class)
        })
        .collect();
    let legend = [("high", "top tenth by value".to_owned()), ("late", "overdue by far".to_owned()), ("", "the others".to_owned())];
    charts::scatter("Customers by taste", &dots, &legend)
}

fn habits(run: &Run) -> Markup {
    // Weekday and hour are kept apart in the profile: the cells are products of the two shares of
    // each customer, summed.
    let mut cells = vec![vec![0.0; 6]; 7];
    let mut whole = 0.0;
    for profile in &run.customers.profiles {
        let features = &profile.profile().features;
        let orders = f64::from(features.orders.max(1));
        for (row, weekday) in cells.iter_mut().zip(features.weekdays) {
            for (cell, part) in row.iter_mut().zip(features.dayparts) {
                *cell += f64::from(weekday) * f64::from(part) / orders;
                whole += f64::from(weekday) * f64::from(part) / orders;
            }
        }
    }
    cells.iter_mut().flatten().for_each(|cell| *cell /= f64::max(whole, 1e-12));
    charts::heat(
        "Orders by weekday and hour",
        &["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"],
        &["0–4", "4–8", "8–12", "12–16", "16–20", "20–24"],
        &cells,
    )
}

fn recency(run: &Run) -> Markup {
    const EDGES: [(f64, &str); 7] =
        [(3.0, "≤3"), (7.0, "≤7"), (14.0, "≤14"), (28.0, "≤28"), (56.0, "≤56"), (112.0, "≤112"), (f64::INFINITY, "more")];
    let mut counts = EDGES.map(|(_, name)| (name.to_owned(), 0.0));
    for profile in &run.customers.profiles {
        let days = profile.profile().features.recency_days;
        if let Some(place) = EDGES.iter().position(|(edge, _)| days <= *edge) {
            counts[place].1 += 1.0;
        }
    }
    charts::columns("Customers by recency", &counts, "customers, by days since the last order")
}

fn lifetime(run: &Run) -> Markup {
    let mut values: Vec<f64> =
        run.customers.profiles.iter().filter_map(|profile| profile.profile().lifetime).map(|lifetime| lifetime.value_1y).collect();
    values.sort_by(|one, two| two.total_cmp(one));
    let size = values.len().div_ceil(10).max(1);
    let tenths: Vec<(String, f64)> = values
        .chunks(size)
        .enumerate()
        .map(|(place, tenth)| (format!("{}", place + 1), tenth.iter().sum::<f64>() / tenth.len() as f64))
        .collect();
    charts::columns(
        "Lifetime value by tenth of customers",
        &tenths,
        &format!("{} a customer and year, by tenth of customers", run.loaded.shop.currency.code()),
    )
}

fn lifetime_caption(run: &Run) -> String {
    match &run.customers.lifetime {
        Ok(_) => "Contribution expected in the next year, discounted: BG/NBD with Gamma-Gamma (Fader, Hardie and Lee 2005).".to_owned(),
        Err(why) => format!("No lifetime model: {why}."),
    }
}

fn categories(run: &Run) -> Markup {
    let names = run.loaded.shop.catalogue.categories();
    let mut sums = vec![0.0; names.len()];
    for profile in &run.customers.profiles {
        profile.profile().features.categories.iter().for_each(|(category, share)| sums[*category as usize] += share);
    }
    let whole = run.customers.profiles.len().max(1) as f64;
    let mut order: Vec<usize> = (0..names.len()).collect();
    order.sort_by(|&one, &two| sums[two].total_cmp(&sums[one]).then(one.cmp(&two)));
    let rows: Vec<_> = order
        .into_iter()
        .take(9)
        .filter(|&category| sums[category] > 0.0)
        .map(|category| {
            let name = if names[category].is_empty() { "no category" } else { &names[category] };
            let share = sums[category] / whole;
            (clipped(name, 26), share, format!("{:.1} %", 100.0 * share))
        })
        .collect();
    charts::bars("Spending by category", &rows)
}

fn clipped(text: &str, most: usize) -> String {
    if text.chars().count() <= most { text.to_owned() } else { text.chars().take(most - 1).chain(['…']).collect() }
}

fn encoder(run: &Run) -> Markup {
    let Ok(learned) = &run.customers.learned else { return html! {} };
    if learned.quality.customers < 2 {
        return html! {};
    }
    let row = |label: &str, ranking: &Ranking, strong| {
        let Ranking { ndcg_10: ndcg, .. } = ranking;
        let reach = 1.96 * ndcg.std_error;
        Interval { label: label.to_owned(), value: ndcg.mean, low: ndcg.mean - reach, high: ndcg.mean + reach, strong }
    };
    let quality = &learned.quality;
    charts::intervals(
        "NDCG@10 of the next basket",
        &[
            row("encoder", &quality.encoder, true),
            row("own favourites", &quality.own_frequency, false),
            row("best sellers", &quality.popularity, false),
        ],
        "NDCG@10",
    )
}

fn encoder_caption(run: &Run) -> String {
    match &run.customers.learned {
        Err(why) => format!("No encoder was trained: {why}."),
        Ok(learned) if learned.quality.customers < 2 => {
            "Too few customers have three baskets: an encoder was trained, and not measured.".to_owned()
        }
        Ok(learned) => {
            let quality = &learned.quality;
            let gain = quality.gain_over_own_frequency;
            format!(
                "How well the {} of each customer's held-out last basket are foreseen among {}, {} customers. Hit rate in ten: encoder {:.1} %, own favourites {:.1} %, best sellers {:.1} %. NDCG gained over own favourites: {:.4} ± {:.4} on the same customers.{}",
                learned.word,
                learned.classes,
                quality.customers,
                100.0 * quality.encoder.hit_rate_10.mean,
                100.0 * quality.own_frequency.hit_rate_10.mean,
                100.0 * quality.popularity.hit_rate_10.mean,
                gain.mean,
                1.96 * gain.std_error,
                embedding_worth(run)
            )
        }
    }
}

/// What the ablation says.
fn embedding_worth(run: &Run) -> String {
    judged(run).map_or_else(String::new, |judged| {
        let share = |estimate: &Estimate| format!("{:.2} % ({:.2} to {:.2})", 100.0 * estimate.value, 100.0 * estimate.low, 100.0 * estimate.high);
        format!(
            " On campaigns not seen in learning, the embedding takes away {} of the loss of what a campaign changes, and {} of the squared error of what a customer spends: where an interval holds 0, it was not shown to help there.",
            share(&judged.embedding.effect),
            share(&judged.embedding.outcome)
        )
    })
}

pub(super) fn offers(run: &Run) -> Markup {
    let mut given = vec![0_usize; run.proposal.candidates.len()];
    for (theirs, choice) in run.plan.offerings.iter().zip(&run.plan.solution.choices) {
        if let Some(choice) = choice {
            given[theirs[*choice].candidate] += 1;
        }
    }
    let mut order: Vec<usize> = (0..given.len()).collect();
    order.sort_by(|&one, &two| given[two].cmp(&given[one]).then(one.cmp(&two)));
    html! {
        h2 { "What could be offered" }
        p { (run.proposal.candidates.len()) " promotions were cleared for " (run.goals.iter().map(|goal| goal.name()).collect::<Vec<_>>().join(", ")) "; " (run.proposal.refused.len()) " drafts were refused. Those proposed to most customers come first." }
        div class="offers" {
            @for &number in order.iter().take(MOST_OFFERS) {
                @let candidate = &run.proposal.candidates[number];
                @let promotion = candidate.promotion.get();
                article class="offer" {
                    header {
                        b { (promotion.texts.get("en").map_or("", |text| &*text.title)) }
                        span lang="zh-CN" { (promotion.texts.get("zh-CN").map_or("", |text| &*text.title)) }
                    }
                    div {
                        p { b { (promotion.audience.goal) } ": " (promotion.texts.get("en").map_or("", |text| text.condition.as_str())) }
                        p class="muted" { (candidate.reason) }
                        p { "Proposed to " b { (given[number]) } " of " (candidate.figures.customers) " customers." }
                    }
                }
            }
        }
        @if !run.proposal.refused.is_empty() {
            details {
                summary { "Drafts that were refused, and why" }
                div class="scroll" { table { tbody {
                    @for (what, why) in &run.proposal.refused { tr { td { (what) } td { (why) } } }
                } } }
            }
        }
    }
}

pub(super) fn response(run: &Run) -> Markup {
    html! {
        h2 { "What a promotion changes" }
        @match (judged(run), run.model.as_ref().map(|model| model.rests_on)) {
            (Some(judged), _) => (campaigns(run, judged)),
            (None, Some(RestsOn::Prices(found))) => {
                p { "No campaign was recorded. What is known is how sales of " (found.products) " products followed their prices over " (found.weeks) " product-weeks: one per cent lower price went with "
                    b { (format!("{:.2} % ", found.elasticity)) } (format!("(± {:.2}) ", 1.96 * found.std_error)) "more units. " span class="tag" { "observational" } }
                p { "A cut pays only where elasticity × margin exceeds 1: here above " (format!("{:.0} %", 100.0 / found.elasticity.max(1e-9))) " margin. That is why so few promotions are proposed." }
            }
            (None, Some(RestsOn::Campaigns { campaigns, treated })) => { p { "Learnt from " (campaigns) " campaigns and " (treated) " exposures; too few came later to judge it by." } }
            (None, None) => { p { "No campaign was recorded and too few prices moved: there is nothing to learn an effect from. Run a randomised trial first." } }
        }
    }
}

fn campaigns(run: &Run, judged: &Judged) -> Markup {
    let currency = run.loaded.shop.currency.code();
    let effects: Vec<Interval> = judged
        .mean_effects
        .iter()
        .flat_map(|kind| {
            let naive = kind.effect.naive;
            [
                Interval { label: format!("{}, naive", kind.kind), value: naive, low: naive, high: naive, strong: false },
                Interval {
                    label: format!("{}, adjusted", kind.kind),
                    value: kind.effect.adjusted,
                    low: kind.effect.low,
                    high: kind.effect.high,
                    strong: true,
                },
            ]
        })
        .collect();
    let groups: Vec<_> =
        judged.calibration.iter().map(|group| (group.predicted, group.measured.value, group.measured.low, group.measured.high)).collect();
    let balance: Vec<_> = judged.balance.iter().map(|row| (row.name.to_owned(), row.raw, row.weighted)).collect();
    let overlap = &judged.overlap;
    html! {
        p { "Campaigns went to customers who spend more anyway. A dashboard would call the whole difference an effect; adjusting for who was chosen leaves this. " span class="tag" { "observational" } }
        div class="grid" {
            (figure("Naive and adjusted effects", &charts::intervals("Effects by kind of campaign", &effects, &format!("{currency} a customer in 28 days")),
                "Mean effect of each kind of campaign that was judged, on all customers. Observational: doubly robust, cross-fitted, clustered by customer."))
            (figure("Calibration", &charts::calibration("Predicted against measured effects", &groups, &format!("predicted {currency}"), &format!("measured {currency} a customer and campaign")),
                "Judged customers in five groups by predicted effect. Observational. Points on the dashed line are right; a flat cloud means that the model can't tell customers apart."))
            (figure("Overlap", &charts::mirrored("Propensities", &overlap.treated, &overlap.control, [&format!("received ({})", overlap.n_treated), &format!("did not ({})", overlap.n_control)], "propensity"),
                &format!("Who could have been chosen: estimated probability of receiving the campaign (heights are square roots). {:.1} % were clipped at the ends; the received weigh as much as {:.0} customers.", 100.0 * overlap.clipped, overlap.effective_treated)))
            (figure("Balance", &charts::love("Standardised differences", &balance),
                "Difference between received and not, in standard deviations: as it was (hollow) and after weighting (full). Inside the band is called balanced."))
        }
    }
}

pub(super) fn budget(run: &Run) -> Markup {
    let plan = &run.plan;
    let currency = run.loaded.shop.currency.code();
    let points = plan.curve.points.iter().map(|point| (point.budget, point.profit)).collect();
    let worth = plan.curve.worth_spending;
    let series = [Series { name: "expected profit of the best plan", class: "main", points }];
    html! {
        h2 { "What the budget buys" }
        div class="grid" {
            figure class="wide" {
                h3 { "Expected profit by budget " span class="tag" { "predicted" } }
                (charts::lines("Budget curve", &series, &format!("budget, {currency}"), &format!("{currency} in 28 days")))
                figcaption {
                    "The plan at " (run.money_minor(plan.budget)) " is within " (format!("{:.4} %", 100.0 * plan.solution.gap())) " of the linear-programming bound. One more unit of budget would bring "
                    (short(plan.solution.budget_price * run.loaded.shop.currency.minor_units() as f64))  " units of profit. Beyond a budget of " (run.money(worth.budget)) " (profit " (run.money(worth.profit)) ") each further unit brings less than one unit of profit. Predicted, " (summary::rests_on(run)) "."
                }
            }
        }
        @if let Some(trial) = plan.trial {
            p { "A randomised trial that can see the expected " (run.money(trial.effect)) " a customer needs " b { (format!("{:.0}", trial.customers_per_arm)) } " customers in each of two arms (80 % power, 5 % level; a customer's 28 days vary by " (run.money(trial.deviation)) " around what is foreseen)." }
        }
    }
}
