//! Pages of evaluations: one file that opens anywhere, with nothing fetched and nothing run.

use maud::{DOCTYPE, Markup, html};

use super::super::plain_lines;
pub(super) use crate::demo::report::charts;

/// A page around its body.
pub(super) fn whole(title: &str, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (charts::STYLE) }
            }
            body { main { (body) } }
        }
    };
    plain_lines(&page.into_string())
}

/// What was read, and how surely intervals cover.
pub(super) fn source(data: &str, rows: u64, hash: &str, level: f64) -> Markup {
    html! { p class="source" { (data) ", " (rows) " rows, BLAKE3 " (&hash[..16.min(hash.len())]) "…; intervals " (100.0 * level) " %." } }
}

/// A chart with its heading and what is to be known of it; nothing, where there is nothing to draw.
pub(super) fn forest(title: &str, rows: &[charts::Interval], unit: &str, caption: &str) -> Markup {
    html! { @if !rows.is_empty() { figure { (charts::intervals(title, rows, unit)) figcaption { (caption) } } } }
}

/// Dots that share a unit share an axis.
pub(super) fn by_unit(dots: impl Iterator<Item = (String, charts::Interval)>) -> Vec<(String, Vec<charts::Interval>)> {
    let mut groups: Vec<(String, Vec<charts::Interval>)> = vec![];
    for (unit, dot) in dots {
        match groups.iter_mut().find(|(known, _)| *known == unit) {
            Some((_, dots)) => dots.push(dot),
            None => groups.push((unit, vec![dot])),
        }
    }
    groups
}

/// What is said beside figures.
pub(super) fn said<'a>(kind: &str, messages: impl IntoIterator<Item = &'a String>) -> Markup {
    html! { @for message in messages { p { span class="tag" { (kind) } " " (message) } } }
}

pub(super) fn footer() -> Markup {
    html! { footer { p { "Written by Youhui " (env!("CARGO_PKG_VERSION")) "." } } }
}
