use youhui_commerce::TimeWindow;
use youhui_promotion::{AmountOff, Gift, ItemPrice, Limits, PercentOff, Schedule, SpendAndSave, Tier, When};

use super::*;
use crate::calendar::holidays;
use crate::law::Market;
use crate::texts::{Wording, texts};

const WINDOW: TimeWindow = TimeWindow { start: 1_737_993_600_000_000, end: 1_738_598_400_000_000 };

fn template(effect: impl Into<Effect>, minimum_spend: Option<i64>, product_name: &str, first_order: bool) -> Promotion {
    let effect = effect.into();
    let mut promotion = Promotion::new("p", "CNY".parse().unwrap(), effect.clone());
    let scope = scopes(&promotion)[0].clone();
    let wording = Wording {
        effect: &effect,
        scope: &scope,
        minimum_spend,
        currency: promotion.currency,
        product_name,
        window: WINDOW,
        time_zone: "Asia/Shanghai",
        per_customer: 1,
        first_order,
        holiday: holidays(Market::China, 2025).into_iter().nth(1),
    };
    promotion.texts = texts(&wording);
    promotion.limits = Limits { per_customer: Some(1), ..Limits::default() };
    promotion.schedule =
        Schedule { starts: Some(When::from_micros(WINDOW.start)), ends: Some(When::from_micros(WINDOW.end)), ..Schedule::default() };
    let enough = minimum_spend.map(|amount| Condition::SpendAtLeast { amount, basis: Default::default(), scope });
    promotion.conditions = enough.into_iter().chain(first_order.then_some(Condition::NthOrder { n: 1 })).collect();
    promotion
}

fn shipped() -> Vec<(Promotion, &'static str)> {
    let tiers = vec![Tier { from: 5000, off: Off::Amount(500) }, Tier { from: 9000, off: Off::Amount(1000) }];
    let most = Most { units: Some(2), ..Most::default() };
    vec![
        (template(PercentOff { basis_points: 1000, cap: Some(2000), ..PercentOff::default() }, None, "", false), ""),
        (
            template(PercentOff { basis_points: 950, scope: Scope::categories(["Tea", "Cups"]), ..PercentOff::default() }, None, "", true),
            "",
        ),
        (
            template(PercentOff { basis_points: 500, scope: Scope::products(["1"]), ..PercentOff::default() }, None, "Oolong", false),
            "Oolong",
        ),
        (
            template(
                PercentOff { basis_points: 500, scope: Scope::all_but_categories(["Tobacco"]), ..PercentOff::default() },
                None,
                "",
                false,
            ),
            "",
        ),
        (template(SpendAndSave { tiers, ..SpendAndSave::default() }, None, "", false), ""),
        (template(AmountOff { amount: 800, ..AmountOff::default() }, Some(8000), "", true), ""),
        (template(ItemPrice { unit_price: 1990, most, scope: Scope::products(["1"]) }, None, "Best Oolong", false), "Best Oolong"),
        (template(Gift { product_id: "1".into(), value: 900, ..Gift::default() }, Some(10_000), "Towel", false), "Towel"),
    ]
}

#[test]
fn all_shipped_templates_pass() {
    for (promotion, product_name) in shipped() {
        assert_eq!(lint(&promotion, product_name), vec![], "{:?}", promotion.texts);
    }
}

#[test]
fn every_absolute_claim_is_found_in_either_language() {
    for word in ZH {
        assert!(
            absolutes("zh-CN", &format!("本店{word}好茶"), &[])
                .iter()
                .any(|found| matches!(found, Finding::Absolute { word: w, .. } if w == word)),
            "{word}"
        );
    }
    for word in EN.into_iter().chain(["100%"]) {
        let text = format!("Our {}: tea.", word.to_uppercase());
        assert_eq!(absolutes("en", &text, &[]).len(), 1, "{text}");
    }
    for text in ["全网最低价", "最好的茶", "国家级"] {
        assert!(!absolutes("zh-CN", text, &[]).is_empty(), "{text}");
    }
    for fine in ["每单最多减¥5", "最高减¥10，最低消费¥50", "Bestow a gift", "up to 2100% cotton"] {
        assert_eq!(absolutes("zh-CN", fine, &[]), vec![], "{fine}");
    }
    assert_eq!(absolutes("en", "Best Oolong for ¥20", &["Best Oolong", ""]), vec![], "a name is a name");
    assert_eq!(absolutes("en", "", &[]), vec![]);
}

/// The same text without a term.
fn without(promotion: &Promotion, locale: &str, term: &str) -> Promotion {
    let mut cut = promotion.clone();
    let text = cut.texts.get_mut(locale).unwrap();
    assert!(text.condition.contains(term), "{term} in {}", text.condition);
    text.condition = text.condition.replace(term, "…");
    cut
}

#[test]
fn every_missing_term_is_found_in_either_language() {
    let all = shipped();
    let cases = [
        (0, "en", "¥20.00", "the cap"),
        (0, "zh-CN", "¥20.00", "the cap"),
        (0, "en", "everything", "the scope"),
        (0, "zh-CN", "全场", "the scope"),
        (0, "en", "2025-02-03", "when it runs"),
        (0, "zh-CN", "2025-01-28", "when it runs"),
        (0, "en", "per customer", "how often a customer may use it"),
        (0, "zh-CN", "每位顾客", "how often a customer may use it"),
        (1, "en", "Cups", "the scope"),
        (1, "en", "first order", "that it is for a first order"),
        (1, "zh-CN", "首单", "that it is for a first order"),
        (2, "zh-CN", "Oolong", "the scope"),
        (3, "en", "Tobacco", "what is left out"),
        (4, "zh-CN", "¥90.00", "the threshold"),
        (4, "en", "¥10.00", "the saving"),
        (5, "zh-CN", "¥80.00", "the threshold"),
        (5, "en", "¥8.00", "the amount"),
        (6, "en", "¥19.90", "the price"),
        (7, "en", "¥100.00", "the threshold"),
    ];
    for (place, locale, words, term) in cases {
        let found = lint(&without(&all[place].0, locale, words), all[place].1);
        assert!(found.iter().any(|found| matches!(found, Finding::Missing { term: t, .. } if *t == term)), "{place} {words}: {found:?}");
    }
    let silent = Promotion { texts: Default::default(), ..all[0].0.clone() };
    assert_eq!(lint(&silent, "").len(), 2);
    let often = Promotion { limits: Limits { per_customer: Some(3), ..Limits::default() }, ..all[1].0.clone() };
    assert!(!lint(&often, "").is_empty(), "once is not three times");
}
