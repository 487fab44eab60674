//! Parity: whether groups are offered, given, charged and helped alike, each gap with an interval.
//!
//! - demographic parity: difference best − worst and ratio worst ÷ best of the share offered something (Calders and Verwer 2009; the
//!   ratio is what the "four-fifths rule" is about);
//! - discount depth: discount ÷ list price, a ratio of sums with customers as units (delta method), and discount per customer;
//! - price paid per unit; what is bought differs too, so that this isn't the price of the same thing;
//! - cost per customer.
//!
//! All are of treated customers, for whom the policy decides. Intervals of gaps are simultaneous (see the module `simultaneous`); each group is
//! also compared with all others together, with adjusted p-values. Equality of all is tested by Welch's F (1951). Nothing here is caused by
//! belonging to a group: gaps say what is, not why.
//!
//! Shares' variances count one success and one failure more (Agresti and Caffo 2000), so that a group of which nobody was offered
//! anything has an interval. A ratio needs all values above 0 by two standard errors.

use serde::Serialize;

use super::groups::{COST, DISCOUNT, Kept, LIST, OFFERED, PAID, Suppressed, UNITS};
use super::simultaneous::{Bounds, Estimated, Pairs};
use super::{FairnessError, GroupLedger};
use crate::experiment::special::{beta_inc, t_two_sided, t_upper_quantile};
use crate::experiment::{Adjust, Better, ExperimentError, Metric, Moments, adjust};
use crate::money::Causal;

/// Settings of all figures of groups.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FairnessSettings {
    /// Chance of covering, such as .95.
    pub level: f64,
    /// How p-values are adjusted for the number of groups.
    pub adjust: Adjust,
    /// Whether to adjust effects by the time before.
    pub cuped: bool,
    /// Seed of the draws behind simultaneous intervals.
    pub seed: u64,
}

impl Default for FairnessSettings {
    fn default() -> Self {
        Self { level: 0.95, adjust: Adjust::Holm, cuped: true, seed: 1 }
    }
}

impl FairnessSettings {
    pub(super) fn check(&self) -> Result<(), FairnessError> {
        if self.level > 0.0 && self.level < 1.0 {
            return Ok(());
        }
        let consequence = "a chance of covering of 0 or 1 gives an empty or an endless interval";
        Err(FairnessError::Setting { name: "level", value: self.level, needed: "a number above 0 and below 1 is needed", consequence })
    }
}

/// What groups may differ in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ParityMetric {
    /// Share of customers who were offered something.
    Offered,
    /// Discount as a share of list price.
    DiscountDepth,
    /// Discount per customer.
    DiscountPerCustomer,
    /// Price paid per unit.
    PricePaid,
    /// Cost per customer.
    Cost,
}

impl ParityMetric {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Offered, Self::DiscountDepth, Self::DiscountPerCustomer, Self::PricePaid, Self::Cost];

    const fn metric(self) -> Metric {
        match self {
            Self::Offered => Metric::mean(OFFERED),
            Self::DiscountDepth => Metric::ratio(DISCOUNT, LIST),
            Self::DiscountPerCustomer => Metric::mean(DISCOUNT),
            Self::PricePaid => Metric::ratio(PAID, UNITS),
            Self::Cost => Metric::mean(COST),
        }
    }

    /// Amounts that may not be below 0.
    const fn takes(self) -> &'static [&'static str] {
        match self {
            Self::Offered => &[],
            Self::DiscountDepth => &["list price", "discount"],
            Self::DiscountPerCustomer => &["discount"],
            Self::PricePaid => &["list price", "price paid"],
            Self::Cost => &["cost"],
        }
    }

    /// Which way is better for the customer.
    pub const fn better(self) -> Better {
        match self {
            Self::PricePaid => Better::Lower,
            Self::Offered | Self::DiscountDepth | Self::DiscountPerCustomer | Self::Cost => Better::Higher,
        }
    }

    /// What it is called.
    pub fn name(self) -> &'static str {
        self.named("", "").0
    }

    fn named(self, currency: &str, bought: &str) -> (&'static str, String) {
        match self {
            Self::Offered => ("share offered something", "share of treated customers".to_owned()),
            Self::DiscountDepth => ("discount depth", "share of list price".to_owned()),
            Self::DiscountPerCustomer => ("discount per customer", format!("{currency} per treated customer")),
            Self::PricePaid => ("price paid", format!("{currency} per {bought}")),
            Self::Cost => ("cost", format!("{currency} per treated customer")),
        }
    }
}

/// One group.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GroupFigure {
    /// The group.
    pub group: String,
    /// Its value.
    pub value: f64,
    /// Lower end of its own interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Standard error.
    pub std_error: f64,
    /// Customers.
    pub n: u64,
    /// How much better off the best group is; at least 0.
    pub to_best: Gap,
    /// The group less all others together.
    pub less_rest: f64,
    /// P-value of "the same as all others".
    pub p_value: f64,
    /// That, adjusted for the number of groups.
    pub adjusted_p: f64,
}

/// A gap with an interval that holds together with all others of the same list.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Gap {
    /// The gap between estimates: larger than the true one in the mean, as the extremes are picked.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl From<Bounds> for Gap {
    fn from(Bounds { value, low, high }: Bounds) -> Self {
        Self { value, low, high }
    }
}

/// Groups in one respect.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Parity {
    /// What is compared.
    pub name: String,
    /// Unit of values and differences.
    pub unit: String,
    /// Which way is better for the customer.
    pub better: Better,
    /// Group by group, in the order declared.
    pub groups: Vec<GroupFigure>,
    /// The group that is best off by its estimate.
    pub best: String,
    /// The group that is worst off.
    pub worst: String,
    /// Best less worst (worst less best where lower is better).
    pub difference: Gap,
    /// Lowest value over highest, at most 1; `None` where that says nothing.
    pub ratio: Option<Gap>,
    /// Why there is no ratio.
    pub ratio_note: Option<String>,
    /// Welch's F: chance of such differences were all groups the same; `None` where a group doesn't vary.
    pub equality_p: Option<f64>,
    /// Chance of covering.
    pub level: f64,
    /// Customers of all groups compared.
    pub n: u64,
    /// Groups left out.
    pub suppressed: Vec<Suppressed>,
    /// What the groups' values say about cause.
    pub causal: Causal,
}

/// Compares groups in one respect.
///
/// # Errors
/// Where fewer than two groups are large enough, an arm is empty, a denominator (list price, units) is 0 in a group, or somebody's
/// amount is below 0.
pub fn parity(ledger: &GroupLedger, metric: ParityMetric, settings: FairnessSettings) -> Result<Parity, FairnessError> {
    settings.check()?;
    ledger.at_least_0(metric.takes())?;
    let (kept, suppressed) = ledger.comparable()?;
    let estimates = kept.iter().map(|group| estimated(metric, group.treated, group.name)).collect::<Result<Vec<_>, _>>()?;
    let rests =
        (0..kept.len()).map(|place| estimated(metric, &all_but(&kept, place), "all other groups")).collect::<Result<Vec<_>, _>>()?;
    let (name, unit) = metric.named(ledger.plan().currency.code(), &ledger.plan().bought);
    let compared = Compared { name, unit, better: metric.better(), causal: Causal::NotCausal, ratio: true };
    Ok(compared.parity(&names(&kept), &estimates, &rests, suppressed, settings))
}

pub(super) fn names<'a>(kept: &[Kept<'a>]) -> Vec<&'a str> {
    kept.iter().map(|group| group.name).collect()
}

fn all_but(kept: &[Kept<'_>], place: usize) -> Moments {
    let mut all = Moments::empty(kept[place].treated.columns());
    kept.iter().enumerate().filter(|(other, _)| *other != place).for_each(|(_, group)| all.merge(group.treated));
    all
}

fn estimated(metric: ParityMetric, moments: &Moments, group: &str) -> Result<Estimated, FairnessError> {
    let of = metric.metric();
    if let Some(mean) = of.denominator.map(|column| moments.mean(column)).filter(|&mean| mean == 0.0) {
        let (metric, arm) = (metric.name().to_owned(), format!("treated customers of {group}"));
        return Err(ExperimentError::ZeroDenominator { metric, arm, mean }.into());
    }
    let n = moments.units() as f64;
    let value = of.value(moments);
    let variance = if metric == ParityMetric::Offered {
        let share = (value * n + 1.0) / (n + 2.0);
        share * (1.0 - share) / n
    } else {
        of.covariance(of, moments).max(0.0) / n
    };
    Ok(Estimated { value, variance, df: n - 1.0, n: moments.units() })
}

/// What is compared.
pub(super) struct Compared {
    pub(super) name: &'static str,
    pub(super) unit: String,
    pub(super) better: Better,
    pub(super) causal: Causal,
    /// Whether a ratio of two groups' values means anything.
    pub(super) ratio: bool,
}

impl Compared {
    /// `rests[i]` is of all groups but the i-th.
    pub(super) fn parity(
        self,
        names: &[&str],
        estimates: &[Estimated],
        rests: &[Estimated],
        suppressed: Vec<Suppressed>,
        settings: FairnessSettings,
    ) -> Parity {
        let towards =
            |group: &Estimated| Estimated { value: if self.better == Better::Lower { -group.value } else { group.value }, ..*group };
        let directed: Vec<Estimated> = estimates.iter().map(towards).collect();
        let pairs = Pairs::new(&directed, settings.level, settings.seed);
        let p_values: Vec<f64> = estimates.iter().zip(rests).map(|(group, rest)| against(group, rest).1).collect();
        let adjusted = adjust(&p_values, settings.adjust);
        let groups = (0..names.len()).map(|place| {
            let group = estimates[place];
            let half = group.variance.sqrt() * t_upper_quantile((1.0 - settings.level) / 2.0, group.df);
            GroupFigure {
                group: names[place].to_owned(),
                value: group.value,
                low: group.value - half,
                high: group.value + half,
                std_error: group.variance.sqrt(),
                n: group.n,
                to_best: pairs.to_best(place).into(),
                less_rest: against(&group, &rests[place]).0,
                p_value: p_values[place],
                adjusted_p: adjusted[place],
            }
        });
        let order = |one: &usize, two: &usize| directed[*one].value.total_cmp(&directed[*two].value).then(two.cmp(one));
        let of = |place: Option<usize>| place.map_or_else(String::new, |place| names[place].to_owned());
        let (ratio, ratio_note) = match self.ratio.then(|| ratio(estimates, settings)) {
            Some(Ok(gap)) => (Some(gap), None),
            Some(Err(note)) => (None, Some(note)),
            None => (None, Some("effects may be of either sign: a ratio of two says nothing".to_owned())),
        };
        Parity {
            groups: groups.collect(),
            best: of((0..names.len()).max_by(order)),
            worst: of((0..names.len()).min_by(order)),
            difference: pairs.range().into(),
            ratio,
            ratio_note,
            equality_p: equality(estimates),
            level: settings.level,
            n: estimates.iter().map(|group| group.n).sum(),
            suppressed,
            causal: self.causal,
            name: self.name.to_owned(),
            unit: self.unit,
            better: self.better,
        }
    }
}

/// A difference of two independent estimates and its p-value (Welch).
fn against(group: &Estimated, rest: &Estimated) -> (f64, f64) {
    let (value, variance) = (group.value - rest.value, group.variance + rest.variance);
    if variance <= 0.0 {
        return (value, if value == 0.0 { 1.0 } else { 0.0 });
    }
    let df = variance * variance / (group.variance.powi(2) / group.df + rest.variance.powi(2) / rest.df);
    (value, t_two_sided(value / variance.sqrt(), df))
}

/// Lowest over highest: e to the minus range of logarithms.
fn ratio(estimates: &[Estimated], settings: FairnessSettings) -> Result<Gap, String> {
    if estimates.iter().any(|group| group.value <= 2.0 * group.variance.sqrt() || group.value <= 0.0) {
        return Err(
            "a group's value is not distinguishable from 0, or below it: no ratio to it has an interval; see the difference".to_owned()
        );
    }
    let logs: Vec<Estimated> = estimates
        .iter()
        .map(|group| Estimated { value: group.value.ln(), variance: group.variance / group.value.powi(2), ..*group })
        .collect();
    let range = Pairs::new(&logs, settings.level, settings.seed).range();
    Ok(Gap { value: (-range.value).exp(), low: (-range.high).exp(), high: (-range.low).exp() })
}

/// Welch's F.
fn equality(estimates: &[Estimated]) -> Option<f64> {
    if estimates.len() < 2 || estimates.iter().any(|group| group.variance <= 0.0) {
        return None;
    }
    let k = estimates.len() as f64;
    let whole: f64 = estimates.iter().map(|group| 1.0 / group.variance).sum();
    let centre = estimates.iter().map(|group| group.value / group.variance).sum::<f64>() / whole;
    let q: f64 = estimates.iter().map(|group| (group.value - centre).powi(2) / group.variance).sum();
    let spare: f64 = estimates.iter().map(|group| (1.0 - 1.0 / (group.variance * whole)).powi(2) / group.df).sum();
    let f = q / (k - 1.0) / (1.0 + 2.0 * (k - 2.0) / (k * k - 1.0) * spare);
    let (above, below) = (k - 1.0, (k * k - 1.0) / (3.0 * spare));
    let all = below + above * f;
    Some(beta_inc(below / 2.0, above / 2.0, below / all, above * f / all))
}
