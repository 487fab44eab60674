//! Pages of evaluations: one file that opens anywhere, with nothing fetched and nothing run.

use maud::{DOCTYPE, Markup, html};

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
    page.into_string()
}
