//! Metrics, as they are written on the command line.

use std::collections::BTreeMap;

use youhui_evaluation::experiment::{Better, Metric, MetricPlan, Role};

use super::super::super::CliError;

/// What is measured.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    /// `revenue`: a mean over units; `orders/sessions`: a ratio of sums.
    Moments { numerator: String, denominator: Option<String> },
    /// `p90(latency)`.
    Quantile { column: String, nu: f64 },
}

/// One metric.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Spec {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) covariates: Vec<(String, Option<String>)>,
    pub(super) better: Better,
    pub(super) role: Role,
    pub(super) unit: String,
    /// Values above this quantile count as if they were it.
    pub(super) cap: Option<f64>,
    /// Also who has any, and how much those have.
    parts: bool,
}

/// After a column: 1 for whoever has more than 0 of it.
const ANY: &str = ">0";
/// After a column: how much whoever has more than 0 has of it, 0 for others.
const MUCH: &str = ">0, how much";

const SHAPE: &str = "write COLUMN, COLUMN/COLUMN, COLUMN>0 or p90(COLUMN), then, each after a comma, cuped=COLUMN (several: a+b), lower, cap=0.99, \
                     parts, unit=TEXT, name=TEXT, and of a guardrail margin=NUMBER";

impl Spec {
    /// Of a goal, a guardrail, or one that is only looked at; `per` is what a mean is of.
    pub(super) fn parse(text: &str, flag: &str, per: &str) -> Result<Self, CliError> {
        let wrong = |why: &str| CliError::usage(format!("--{flag} {text}: {why}: {SHAPE}"));
        let mut words = text.split(',').map(str::trim);
        let expression = words.next().filter(|word| !word.is_empty()).ok_or_else(|| wrong("no column"))?;
        let (mut better, mut unit, mut name, mut cap, mut margin, mut covariates) = (Better::Higher, None, None, None, None, vec![]);
        let mut parts = false;
        for word in words {
            match word.split_once('=') {
                None if word == "lower" => better = Better::Lower,
                None if word == "higher" => {}
                None if word == "parts" => parts = true,
                Some(("cuped", columns)) => covariates = columns.split('+').map(ratio).collect(),
                Some(("unit", value)) => unit = Some(value.to_owned()),
                Some(("name", value)) => name = Some(value.to_owned()),
                Some(("cap", value)) => cap = Some(share(value).ok_or_else(|| wrong("cap has to lie between 0 and 1"))?),
                Some(("margin", value)) => {
                    let number = value.parse().ok().filter(|margin: &f64| margin.is_finite() && *margin >= 0.0);
                    margin = Some(number.ok_or_else(|| wrong("a margin is a number, 0 or more"))?);
                }
                _ => return Err(wrong(&format!("{word} is no option"))),
            }
        }
        let kind = kind(expression).ok_or_else(|| wrong("not a metric"))?;
        let role = match (flag, margin) {
            ("guardrail", margin) => Role::Guardrail { margin: margin.unwrap_or(0.0) },
            (_, Some(_)) => return Err(wrong("only a guardrail has a margin")),
            ("metric", None) => Role::Goal,
            _ => Role::Secondary,
        };
        if matches!(kind, Kind::Quantile { .. }) && (!covariates.is_empty() || cap.is_some()) {
            return Err(wrong("a quantile has no CUPED and no cap"));
        }
        if parts && !matches!(&kind, Kind::Moments { numerator, denominator: None } if !numerator.ends_with(ANY)) {
            return Err(wrong("parts are of a column's mean: who has any, and how much those have"));
        }
        Ok(Self {
            name: name.unwrap_or_else(|| expression.to_owned()),
            unit: unit.unwrap_or_else(|| unit_of(&kind, per)),
            kind,
            covariates,
            better,
            role,
            cap,
            parts,
        })
    }

    /// With its parts, where they are wanted: a mean of which most is zero is the share of those who have any times what those have.
    pub(super) fn with_parts(self) -> Vec<Self> {
        let Kind::Moments { numerator, denominator: None } = &self.kind else { return vec![self] };
        if !self.parts {
            return vec![self];
        }
        let any = format!("{numerator}{ANY}");
        let positive = format!("{numerator}{MUCH}");
        let part = |name: String, unit: String, numerator: &str, denominator: Option<String>, cap: Option<f64>| Self {
            name: format!("{} {name}", self.name),
            unit,
            kind: Kind::Moments { numerator: numerator.to_owned(), denominator },
            covariates: vec![],
            role: Role::Secondary,
            cap,
            parts: false,
            ..self.clone()
        };
        let who = part("above 0".to_owned(), format!("share of units with {numerator}"), &any, None, None);
        let much = part(
            "of those above 0 (not causal: other people in each arm)".to_owned(),
            format!("{numerator} per unit with any"),
            &positive,
            Some(any.clone()),
            None,
        );
        vec![self, who, much]
    }

    /// Columns of what is measured.
    pub(super) fn measured(&self) -> Vec<&str> {
        match &self.kind {
            Kind::Moments { numerator, denominator } => std::iter::once(numerator).chain(denominator).map(String::as_str).collect(),
            Kind::Quantile { column, .. } => vec![column],
        }
    }

    /// All columns it needs.
    pub(super) fn columns(&self) -> Vec<&str> {
        let covariates = self.covariates.iter().flat_map(|(numerator, denominator)| [Some(numerator), denominator.as_ref()]);
        self.measured().into_iter().chain(covariates.flatten().map(String::as_str)).collect()
    }

    /// As the analysis wants it.
    pub(super) fn plan(&self) -> MetricPlan {
        MetricPlan { name: self.name.clone(), unit: self.unit.clone(), better: self.better, role: self.role }
    }

    /// Its metric and covariates of columns in these places, means per `per` where that is counted in a column; none, of a quantile.
    pub(super) fn metric(&self, places: &BTreeMap<&str, usize>, per: Option<usize>) -> Option<(Metric, Vec<Metric>)> {
        let Kind::Moments { numerator, denominator } = &self.kind else { return None };
        let metric = |numerator: &str, denominator: Option<&str>| match (denominator, per) {
            (Some(denominator), _) => Metric::ratio(places[numerator], places[denominator]),
            (None, Some(per)) => Metric::ratio(places[numerator], per),
            (None, None) => Metric::mean(places[numerator]),
        };
        let covariates = self.covariates.iter().map(|(numerator, denominator)| metric(numerator, denominator.as_deref()));
        Some((metric(numerator, denominator.as_deref()), covariates.collect()))
    }

    /// Whether its parts are wanted.
    pub(super) const fn has_parts(&self) -> bool {
        self.parts
    }

    /// The column of which it is a plain mean.
    pub(super) fn mean_of(&self) -> Option<&str> {
        match &self.kind {
            Kind::Moments { numerator, denominator: None } => Some(numerator),
            Kind::Moments { .. } | Kind::Quantile { .. } => None,
        }
    }
}

/// The column that another is made of: of who has any, or of how much those have.
pub(super) fn source(column: &str) -> Option<&str> {
    column.strip_suffix(ANY).or_else(|| column.strip_suffix(MUCH)).filter(|source| !source.is_empty())
}

/// A column that is made of its source's cells.
pub(super) fn made(column: &str, cells: &[f64]) -> Vec<f64> {
    if column.ends_with(ANY) {
        return cells.iter().map(|cell| f64::from(u8::from(*cell > 0.0))).collect();
    }
    cells.iter().map(|cell| cell.max(0.0)).collect()
}

fn kind(expression: &str) -> Option<Kind> {
    if let Some((nu, column)) = expression.strip_suffix(')').and_then(|rest| rest.strip_prefix('p')).and_then(|rest| rest.split_once('(')) {
        let percent: f64 = nu.parse().ok()?;
        let column = column.trim().to_owned();
        return (percent > 0.0 && percent < 100.0 && !column.is_empty()).then_some(Kind::Quantile { column, nu: percent / 100.0 });
    }
    let (numerator, denominator) = ratio(expression);
    let is_named = |name: &str| !name.is_empty() && source(name).is_none_or(|source| source.find(ANY).is_none());
    let is_named = is_named(&numerator) && denominator.as_deref().is_none_or(is_named);
    is_named.then_some(Kind::Moments { numerator, denominator })
}

fn ratio(text: &str) -> (String, Option<String>) {
    match text.split_once('/') {
        Some((numerator, denominator)) => (numerator.trim().to_owned(), Some(denominator.trim().to_owned())),
        None => (text.trim().to_owned(), None),
    }
}

fn share(text: &str) -> Option<f64> {
    text.parse().ok().filter(|share: &f64| *share > 0.0 && *share < 1.0)
}

fn unit_of(kind: &Kind, per: &str) -> String {
    match kind {
        Kind::Moments { numerator, denominator: None } => format!("{numerator} per {per}"),
        Kind::Moments { numerator, denominator: Some(denominator) } => format!("{numerator} per {denominator}"),
        Kind::Quantile { column, .. } => column.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_read_and_what_is_none_is_said() {
        let revenue = Spec::parse("revenue,cuped=before+visits,cap=0.999,unit=EUR per customer", "metric", "unit").unwrap();
        assert_eq!(revenue.columns(), ["revenue", "before", "visits"]);
        assert_eq!((revenue.role, revenue.cap, revenue.unit.as_str()), (Role::Goal, Some(0.999), "EUR per customer"));
        let ratio = Spec::parse("orders/sessions, cuped=old/old_sessions", "secondary", "unit").unwrap();
        assert_eq!(ratio.columns(), ["orders", "sessions", "old", "old_sessions"]);
        let rail = Spec::parse("p99.5(latency),lower,margin=0.1,name=slow", "guardrail", "unit").unwrap();
        assert_eq!(rail.kind, Kind::Quantile { column: "latency".to_owned(), nu: 0.995 });
        assert_eq!((rail.name.as_str(), rail.better, rail.role), ("slow", Better::Lower, Role::Guardrail { margin: 0.1 }));
        assert_eq!(Spec::parse("p90(x)", "metric", "unit").unwrap().role, Role::Goal);
        let parts = Spec::parse("revenue,cap=0.9,parts", "metric", "unit").unwrap().with_parts();
        let columns: Vec<Vec<&str>> = parts.iter().map(Spec::columns).collect();
        assert_eq!(columns, [vec!["revenue"], vec!["revenue>0"], vec!["revenue>0, how much", "revenue>0"]]);
        assert_eq!((parts[1].cap, parts[2].cap, source("revenue>0"), source(">0")), (None, None, Some("revenue"), None));
        assert_eq!((made("x>0", &[-1.0, 2.0]), made("x>0, how much", &[-1.0, 2.0])), (vec![0.0, 1.0], vec![0.0, 2.0]));
        for (text, flag, why) in [
            ("", "metric", "no column"),
            ("a/", "metric", "not a metric"),
            ("p0(x)", "secondary", "not a metric"),
            ("a/b,parts", "metric", "parts are of a column's mean"),
            ("a>0,parts", "metric", "parts are of a column's mean"),
            ("a>0>0", "metric", "not a metric"),
            ("p90(x),cap=0.9", "secondary", "no cap"),
            ("a,cap=2", "metric", "between 0 and 1"),
            ("a,margin=1", "metric", "only a guardrail"),
            ("a,margin=-1", "guardrail", "0 or more"),
            ("a,upper", "metric", "no option"),
        ] {
            let error = Spec::parse(text, flag, "unit").unwrap_err();
            assert!(error.message.contains(why), "{text}: {}", error.message);
        }
    }
}
