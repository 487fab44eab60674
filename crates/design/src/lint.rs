//! Checks what people read: no absolute claims (广告法 Art. 9), no missing terms.
//!
//! A promotion with such a text is not cleared ([`crate::clear()`]) for the claims; missing terms are
//! for whoever writes templates: all of ours pass.

use serde::Serialize;
use youhui_promotion::{Condition, Effect, Most, Off, Promotion, Scope, Text};

/// What is wrong with a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Finding {
    /// Something that nobody can prove.
    #[error("{locale}: {word:?} is an absolute claim: say what is given, not that nothing is better")]
    Absolute {
        /// In which text.
        locale: String,
        /// Which word.
        word: String,
    },
    /// Something that decides what is given, and isn't said.
    #[error("{locale}: the text does not say {term} ({expected})")]
    Missing {
        /// In which text.
        locale: String,
        /// What.
        term: &'static str,
        /// How it could be said.
        expected: String,
    },
}

/// Absolute claims in Chinese: anywhere in a text. 最 is looked at by itself.
const ZH: [&str; 17] = [
    "第一",
    "国家级",
    "世界级",
    "全网",
    "极致",
    "顶级",
    "顶尖",
    "独一无二",
    "史上",
    "绝对",
    "唯一",
    "首选",
    "百分之百",
    "万能",
    "永久",
    "冠军",
    "绝无仅有",
];
/// 最 in terms that bound something and claim nothing: 最多 (at most), 最低消费 (minimum spend) …
const ZH_BOUNDS: [&str; 5] = ["最多", "最少", "最高减", "最低消费", "最后"];
/// In English: whole words.
const EN: [&str; 18] = [
    "best",
    "cheapest",
    "guaranteed",
    "guarantee",
    "lowest",
    "greatest",
    "ultimate",
    "unbeatable",
    "perfect",
    "never",
    "always",
    "world's",
    "leading",
    "unique",
    "risk-free",
    "no.1",
    "#1",
    "number one",
];

/// Absolute claims of a text in a locale. `names` are left out of sight: what a product is called is its maker's claim.
pub fn absolutes(locale: &str, text: &str, names: &[&str]) -> Vec<Finding> {
    let mut text = text.to_owned();
    for name in names.iter().filter(|name| !name.trim().is_empty()) {
        text = text.replace(name, "■");
    }
    let mut words: Vec<&str> = Vec::new();
    if locale.starts_with("zh") {
        let bounded = ZH_BOUNDS.iter().fold(text.clone(), |text, bound| text.replace(bound, ""));
        words.extend(ZH.iter().filter(|word| bounded.contains(**word)));
        words.extend(bounded.contains('最').then_some("最"));
    }
    let lower = text.to_lowercase();
    words.extend(EN.iter().filter(|word| has_word(&lower, word)));
    words.extend(has_word(&lower, "100%").then_some("100%"));
    words.into_iter().map(|word| Finding::Absolute { locale: locale.to_owned(), word: word.to_owned() }).collect()
}

/// Whether a word stands by itself: not within `bestow`, `2100%` or `always-on`'s letters.
fn has_word(text: &str, word: &str) -> bool {
    let apart = |letter: Option<char>| letter.is_none_or(|letter| !letter.is_ascii_alphanumeric() && letter != '.');
    let after = |letter: Option<char>| letter.is_none_or(|letter| !letter.is_ascii_alphanumeric());
    text.match_indices(word).any(|(at, _)| apart(text[..at].chars().next_back()) && after(text[at + word.len()..].chars().next()))
}

/// Everything wrong with the texts of a promotion. `product_name` is that of its product, where it has one.
pub fn lint(promotion: &Promotion, product_name: &str) -> Vec<Finding> {
    let scopes = scopes(promotion);
    let names: Vec<&str> =
        [product_name].into_iter().chain(scopes.iter().flat_map(|scope| scope.categories.iter().map(String::as_str))).collect();
    let mut found = Vec::new();
    for locale in ["en", "zh-CN"] {
        let Some(text) = promotion.texts.get(locale) else {
            found.push(missing(locale, "anything", "a text in this language".to_owned()));
            continue;
        };
        found.extend(absolutes(locale, &format!("{}\n{}", text.title, text.condition), &names));
        found.extend(terms(promotion, locale, text, &scopes, product_name));
    }
    found
}

/// What the condition has to say: figures as they are written, the scope, the days, the uses.
fn terms(promotion: &Promotion, locale: &str, text: &Text, scopes: &[&Scope], product_name: &str) -> Vec<Finding> {
    let money = |amount: i64| youhui_commerce::Money::new(amount, promotion.currency).to_string();
    let mut needed: Vec<(&'static str, String)> = Vec::new();
    for condition in &promotion.conditions {
        match condition {
            Condition::SpendAtLeast { amount, .. } => needed.push(("the threshold", money(*amount))),
            Condition::NthOrder { n: 1 } => {
                needed.push(("that it is for a first order", if locale == "en" { "first order" } else { "首单" }.to_owned()))
            }
            _ => {}
        }
    }
    for effect in &promotion.effects {
        match effect {
            Effect::PercentOff(off) => needed.extend(off.cap.map(|cap| ("the cap", money(cap)))),
            Effect::SpendAndSave(save) => needed.extend(save.tiers.iter().flat_map(|tier| {
                let off = if let Off::Amount(amount) = tier.off { Some(("the saving", money(amount))) } else { None };
                [Some(("the threshold", money(tier.from))), off].into_iter().flatten()
            })),
            Effect::AmountOff(off) => needed.push(("the amount", money(off.amount))),
            Effect::ItemPrice(item) => {
                needed.push(("the price", money(item.unit_price)));
                needed.extend(item.most.units.map(|units| ("the most units", units.to_string())));
            }
            _ => {}
        }
        if let Effect::PercentOff(youhui_promotion::PercentOff { most: Most { units: Some(units), .. }, .. }) = effect {
            needed.push(("the most units", units.to_string()));
        }
    }
    for scope in scopes {
        needed.extend(scope.categories.iter().map(|name| ("the scope", name.clone())));
        let except = scope.except.iter().flat_map(|except| &except.categories);
        needed.extend(except.map(|name| ("what is left out", name.clone())));
        if scope.is_everything() {
            needed.push(("the scope", if locale == "en" { "everything" } else { "全场" }.to_owned()));
        } else if !scope.products.is_empty() && !product_name.is_empty() {
            needed.push(("the scope", product_name.to_owned()));
        }
    }
    let said = |needed: &str| text.condition.contains(needed);
    let mut found: Vec<Finding> =
        needed.into_iter().filter(|(_, words)| !said(words)).map(|(term, words)| missing(locale, term, words)).collect();
    // A date is four digits, and two times two behind them.
    let dates = text
        .condition
        .split(|letter: char| !letter.is_ascii_digit() && letter != '-')
        .filter(|word| word.len() >= 10 && word.matches('-').count() == 2)
        .count();
    let bounds = usize::from(promotion.schedule.starts.is_some()) + usize::from(promotion.schedule.ends.is_some());
    if dates < bounds {
        found.push(missing(locale, "when it runs", "its first and last day".to_owned()));
    }
    if let Some(uses) = promotion.limits.per_customer {
        let words = match (locale, uses) {
            ("en", 1) => "nce per customer".to_owned(),
            ("en", uses) => format!("{uses} times per customer"),
            (_, uses) => format!("每位顾客限用{uses}次"),
        };
        if !said(&words) {
            found.push(missing(locale, "how often a customer may use it", words));
        }
    }
    found
}

fn missing(locale: &str, term: &'static str, expected: String) -> Finding {
    Finding::Missing { locale: locale.to_owned(), term, expected }
}

/// The scopes that decide what a promotion is on.
fn scopes(promotion: &Promotion) -> Vec<&Scope> {
    fn of(effect: &Effect) -> Option<&Scope> {
        match effect {
            Effect::PercentOff(off) => Some(&off.scope),
            Effect::SpendAndSave(save) => Some(&save.scope),
            Effect::AmountOff(off) => Some(&off.scope),
            Effect::ItemPrice(item) => Some(&item.scope),
            Effect::Gift(gift) => Some(&gift.scope),
            _ => None,
        }
    }
    promotion.effects.iter().filter_map(of).collect()
}

#[cfg(test)]
#[path = "lint_tests.rs"]
mod tests;
