//! What people read: the exact condition, in English and Chinese, from templates.

use std::collections::BTreeMap;

use youhui_commerce::{Currency, Money};

use youhui_promotion::{Effect, Off, Scope, Text};

/// Texts in `en` and `zh-CN` of what [`crate::mechanics`] makes. `product_name` names the product of an
/// item price or a gift; `minimum_spend` is asked for first where there is one.
pub(crate) fn texts(
    effect: &Effect,
    scope: &Scope,
    minimum_spend: Option<i64>,
    currency: Currency,
    product_name: &str,
) -> BTreeMap<String, Text> {
    let money = |amount: i64| Money::new(amount, currency).to_string();
    let percent = |basis_points: u32| {
        let value = f64::from(basis_points) / 100.0;
        format!("{value}")
    };
    let except = scope.except.as_deref().map_or(&[][..], |except| &except.categories);
    let (en_scope, zh_scope) = match (scope.categories.as_slice(), except) {
        ([], []) if scope.products.is_empty() => ("everything".to_owned(), "全场".to_owned()),
        ([], []) => ("selected products".to_owned(), "指定商品".to_owned()),
        ([], names) => (format!("everything but {}", names.join(", ")), format!("全场（{}除外）", names.join("、"))),
        (names, _) => (names.join(", "), names.join("、")),
    };
    let minimum = money(minimum_spend.unwrap_or(0));
    let (en_title, en, zh_title, zh) = match effect {
        Effect::PercentOff(off) => {
            let (basis_points, cap) = (off.basis_points, off.cap);
            let rate = percent(basis_points);
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
        Effect::SpendAndSave(save) => {
            let tiers =
                save.tiers.iter().filter_map(|tier| if let Off::Amount(amount) = tier.off { Some((tier.from, amount)) } else { None });
            let en = tiers.clone().map(|(from, save)| format!("spend {} save {}", money(from), money(save)));
            let zh = tiers.map(|(from, save)| format!("满{}减{}", money(from), money(save)));
            let (en, zh) = (en.collect::<Vec<_>>().join(", "), zh.collect::<Vec<_>>().join("，"));
            (
                capitalised(&en),
                format!("On {en_scope}: {en}. The highest tier reached applies, once per order."),
                zh.clone(),
                format!("{zh_scope}{zh}，每单按达到的最高档减一次。"),
            )
        }
        Effect::AmountOff(off) => {
            let amount = money(off.amount);
            (
                format!("{amount} coupon"),
                format!("{amount} off orders of {minimum} or more on {en_scope}, once."),
                format!("{amount}优惠券"),
                format!("{zh_scope}满{minimum}可用，限用一次。"),
            )
        }
        Effect::ItemPrice(item) => {
            let (price, most_units) = (money(item.unit_price), item.most.units.unwrap_or(1));
            (
                format!("{product_name} for {price}"),
                format!("{product_name} at {price} each, at most {most_units} per order, while this offer runs."),
                format!("{product_name}限时价{price}"),
                format!("活动期间{product_name}每件{price}，每单限{most_units}件。"),
            )
        }
        Effect::Gift(gift) => {
            let value = money(gift.value);
            (
                format!("Free {product_name}"),
                format!("One {product_name} (worth {value}) with orders of {minimum} or more on {en_scope}."),
                format!("满{minimum}赠{product_name}"),
                format!("{zh_scope}满{minimum}赠{product_name}一件（价值{value}）。"),
            )
        }
        other => {
            let name = other.name().replace('_', " ");
            (capitalised(&name), format!("{} on {en_scope}.", capitalised(&name)), name.clone(), format!("{zh_scope}{name}。"))
        }
    };
    BTreeMap::from([
        ("en".to_owned(), Text { title: en_title.into(), condition: en }),
        ("zh-CN".to_owned(), Text { title: zh_title.into(), condition: zh }),
    ])
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use youhui_promotion::{SpendAndSave, Tier};

    use super::*;

    #[test]
    fn texts_say_the_exact_condition() {
        let save = SpendAndSave { tiers: vec![Tier { from: 5000, off: Off::Amount(500) }], ..SpendAndSave::default() };
        let texts = texts(&save.into(), &Scope::everything(), None, "CNY".parse().unwrap(), "");
        assert_eq!(&*texts["zh-CN"].title, "满¥50.00减¥5.00");
        assert_eq!(texts["en"].condition, "On everything: spend ¥50.00 save ¥5.00. The highest tier reached applies, once per order.");
    }
}
