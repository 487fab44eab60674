//! `report.html`: one file that opens anywhere, with nothing fetched and nothing run.

pub(crate) mod charts;
mod sections;

use maud::{DOCTYPE, Markup, html};

use super::plan::Shipped;
use super::{Run, summary, thousands};

/// The page.
pub(crate) fn html(run: &Run) -> String {
    page(run).into_string()
}

fn page(run: &Run) -> Markup {
    let lead = if run.plan.shipped == Shipped::Personalised { "lead" } else { "lead fallback" };
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Youhui: promotions for " (run.source_name) }
                style { (charts::STYLE) }
            }
            body {
                main {
                    h1 { "Promotions for " (run.source_name) }
                    p class="source" { (run.notice) " Data from " (day(run, run.loaded.span.first)) " to " (day(run, run.loaded.span.end - 1)) "; seed " (run.seed) "." }
                    p class=(lead) { (summary::first_paragraph(run)) }
                    (figures(run))
                    p class="muted" { (summary::profit_basis(run)) " Intervals are 95 %. " span class="tag" { "observational" } " marks what was learnt from campaigns that were targeted, not randomised: it can still be wrong in a way that no interval shows." }
                    (sections::comparison(run))
                    (sections::customers(run))
                    (crate::demo::menu::section(run))
                    (sections::offers(run))
                    (sections::response(run))
                    (sections::budget(run))
                    footer {
                        p { "Written by Youhui " (env!("CARGO_PKG_VERSION")) ". Beside this file: plan.json (everything decided), promotions.json (every candidate and every refused draft), assignments.parquet (who gets what, with propensity and reason), profiles.parquet (what was learnt of each customer)." }
                    }
                }
            }
        }
    }
}

fn figures(run: &Run) -> Markup {
    let plan = &run.plan;
    let profit = plan.forecast.profit;
    let card = |value: &str, words: &str| html! { div class="card" { b { (value) } span { (words) } } };
    html! {
        div class="cards" {
            (card(&thousands(run.customers.profiles.len() as u64), "customers profiled"))
            (card(&thousands(run.events() as u64), "events"))
            (card(&run.proposal.candidates.len().to_string(), "promotions designed and cleared"))
            (card(&run.money_minor(plan.budget), "budget for 28 days"))
            (card(&run.money(plan.forecast.spent), "spent by what is shipped"))
            (card(&run.money(profit.value), &format!("incremental profit of what is shipped, predicted ({} to {})", run.money(profit.low), run.money(profit.high))))
        }
    }
}

/// A moment as the shop's local day.
fn day(run: &Run, time: i64) -> String {
    jiff::Timestamp::from_microsecond(time)
        .map_or_else(|_| "an unknown day".to_owned(), |instant| run.loaded.shop.clock.zone().to_datetime(instant).date().to_string())
}
