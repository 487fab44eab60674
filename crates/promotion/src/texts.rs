//! What people read: the exact condition, in English and Chinese, from templates.

use std::collections::BTreeMap;

use youhui_commerce::{Currency, Money};

use crate::{Kind, Scope, Text};

/// Texts in `en` and `zh-CN`. `product_name` names the product of an item price or a gift.
pub fn texts(kind: &Kind, scope: &Scope, currency: Currency, product_name: &str) -> BTreeMap<String, Text> {
    let money = |amount: i64| Money::new(amount, currency).to_string();
    let percent = |basis_points: u32| {
        let value = f64::from(basis_points) / 100.0;
        format!("{value}")
    };
    let (en_scope, zh_scope) = match scope {
        Scope::All => ("everything".to_owned(), "全场".to_owned()),
        Scope::AllExcept { names } => (format!("everything but {}", names.join(", ")), format!("全场（{}除外）", names.join("、"))),
        Scope::Categories { names } => (names.join(", "), names.join("、")),
        Scope::Products { .. } => ("selected products".to_owned(), "指定商品".to_owned()),
    };
    let (en_title, en, zh_title, zh) = match kind {
        Kind::PercentOff { basis_points, cap } => {
            let rate = percent(*basis_points);
            let en_cap = cap.map_or(String::new(), |cap| format!(", at most {} per order", money(cap)));
            let zh_cap = cap.map_or(String::new(), |cap| format!("，每单最多减{}", money(cap)));
            let pay = percent(10_000 - basis_points);
            (
                format!("{rate}% off"),
                format!("{rate}% off {en_scope}{en_cap}."),
                format!("{zh_scope}{rate}%优惠"),
                format!("{zh_scope}按原价的{pay}%结算{zh_cap}。"),
            )
        }
        Kind::SpendAndSave { tiers } => {
            let en = tiers.iter().map(|tier| format!("spend {} save {}", money(tier.spend), money(tier.save)));
            let zh = tiers.iter().map(|tier| format!("满{}减{}", money(tier.spend), money(tier.save)));
            let (en, zh) = (en.collect::<Vec<_>>().join(", "), zh.collect::<Vec<_>>().join("，"));
            (
                capitalised(&en),
                format!("On {en_scope}: {en}. The highest tier reached applies, once per order."),
                zh.clone(),
                format!("{zh_scope}{zh}，每单按达到的最高档减一次。"),
            )
        }
        Kind::FixedCoupon { amount, minimum_spend } => {
            let (amount, minimum) = (money(*amount), money(*minimum_spend));
            (
                format!("{amount} coupon"),
                format!("{amount} off orders of {minimum} or more on {en_scope}, once."),
                format!("{amount}优惠券"),
                format!("{zh_scope}满{minimum}可用，限用一次。"),
            )
        }
        Kind::ItemPrice { unit_price, most_units, .. } => {
            let price = money(*unit_price);
            (
                format!("{product_name} for {price}"),
                format!("{product_name} at {price} each, at most {most_units} per order, while this offer runs."),
                format!("{product_name}限时价{price}"),
                format!("活动期间{product_name}每件{price}，每单限{most_units}件。"),
            )
        }
        Kind::Gift { value, minimum_spend, .. } => {
            let (value, minimum) = (money(*value), money(*minimum_spend));
            (
                format!("Free {product_name}"),
                format!("One {product_name} (worth {value}) with orders of {minimum} or more on {en_scope}."),
                format!("满{minimum}赠{product_name}"),
                format!("{zh_scope}满{minimum}赠{product_name}一件（价值{value}）。"),
            )
        }
    };
    BTreeMap::from([
        ("en".to_owned(), Text { title: en_title, condition: en }),
        ("zh-CN".to_owned(), Text { title: zh_title, condition: zh }),
    ])
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tier;

    #[test]
    fn texts_say_the_exact_condition() {
        let kind = Kind::SpendAndSave { tiers: vec![Tier { spend: 5000, save: 500 }] };
        let texts = texts(&kind, &Scope::All, "CNY".parse().unwrap(), "");
        assert_eq!(texts["zh-CN"].title, "满¥50.00减¥5.00");
        assert_eq!(texts["en"].condition, "On everything: spend ¥50.00 save ¥5.00. The highest tier reached applies, once per order.");
    }
}
