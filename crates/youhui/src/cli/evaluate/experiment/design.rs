//! What was assigned by lot: each row, a unit of several rows, a cluster of units, or a period of time.

use clap::Args as ClapArgs;
use jiff::{Span, SpanRelativeTo, Unit};
use serde::Serialize;

use super::super::super::CliError;

/// How the lot was drawn.
#[derive(Debug, Clone, ClapArgs, Serialize)]
pub(super) struct DesignArgs {
    /// The column of whom was assigned: rows of one are summed, whoever was in two arms is left out and said.
    #[arg(long, value_name = "COLUMN")]
    unit: Option<String>,
    /// Take each row for a draw of its own all the same: with a warning of what that does to intervals.
    #[arg(long, requires = "unit", conflicts_with = "cluster")]
    per_row: bool,
    /// The column of what was assigned together (shop, city, household): means are per row, or per --unit, and intervals are of clusters.
    #[arg(long, value_name = "COLUMN")]
    cluster: Option<String>,
    /// Everybody in a place had one arm for such a period, then perhaps another: 6h, 1d, or a number in the unit of --time.
    #[arg(long, value_name = "PERIOD", requires = "time", conflicts_with_all = ["unit", "cluster", "dimension", "date", "strata"])]
    switchback: Option<String>,
    /// The column of when a row happened.
    #[arg(long, value_name = "COLUMN", requires = "switchback")]
    time: Option<String>,
    /// The column of where; one place if absent.
    #[arg(long, value_name = "COLUMN", requires = "switchback")]
    place: Option<String>,
    /// When the first period began; with the first row, if absent.
    #[arg(long, value_name = "TIME", requires = "switchback", allow_hyphen_values = true)]
    start: Option<String>,
    /// How long after a change of arm what was done before still works: rows in it are left out.
    #[arg(long, value_name = "PERIOD", requires = "switchback", default_value = "0")]
    burn_in: String,
}

/// What a draw of the lot was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Design {
    /// Each row.
    Rows,
    /// Whoever stands in this column.
    Unit { column: String, per_row: bool },
    /// Whatever stands in this column: of rows, or of units.
    Cluster { column: String, unit: Option<String> },
    /// A place's period.
    Switchback { time: String, place: Option<String>, period: Length, burn_in: Length, start: Option<String> },
}

/// A length of time, as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    /// In the unit of a column of numbers.
    Number(i64),
    /// Of a column of dates or times.
    Seconds(i64),
}

impl DesignArgs {
    pub(super) fn design(&self) -> Result<Design, CliError> {
        if let (Some(period), Some(time)) = (&self.switchback, &self.time) {
            let (period, burn_in) = (length("--switchback", period)?, length("--burn-in", &self.burn_in)?);
            if matches!(period, Length::Number(number) if number <= 0) {
                return Err(CliError::usage("--switchback: give a length of time above 0"));
            }
            return Ok(Design::Switchback { time: time.clone(), place: self.place.clone(), period, burn_in, start: self.start.clone() });
        }
        Ok(match (&self.cluster, &self.unit) {
            (Some(cluster), unit) => Design::Cluster { column: cluster.clone(), unit: unit.clone() },
            (None, Some(unit)) => Design::Unit { column: unit.clone(), per_row: self.per_row },
            (None, None) => Design::Rows,
        })
    }
}

impl Design {
    /// Columns that it is read from.
    pub(super) fn columns(&self) -> Vec<&str> {
        match self {
            Self::Rows => vec![],
            Self::Unit { column, .. } => vec![column],
            Self::Cluster { column, unit } => std::iter::once(column.as_str()).chain(unit.as_deref()).collect(),
            Self::Switchback { time, place, .. } => std::iter::once(time.as_str()).chain(place.as_deref()).collect(),
        }
    }

    /// The column of units that rows are summed by, or were to be.
    pub(super) fn unit(&self) -> Option<&str> {
        match self {
            Self::Unit { column, .. } => Some(column),
            Self::Cluster { unit, .. } => unit.as_deref(),
            Self::Rows | Self::Switchback { .. } => None,
        }
    }

    /// Whether means are per row or unit while draws are of many: then a mean is the ratio of a sum to the number summed.
    pub(super) const fn is_of_groups(&self) -> bool {
        matches!(self, Self::Cluster { .. } | Self::Switchback { .. })
    }

    /// What a mean is per.
    pub(super) const fn per(&self) -> &'static str {
        match self {
            Self::Rows | Self::Unit { per_row: false, .. } | Self::Cluster { unit: Some(_), .. } => "unit",
            Self::Unit { .. } | Self::Cluster { .. } | Self::Switchback { .. } => "row",
        }
    }

    /// What a figure's n counts.
    pub(super) const fn draws(&self) -> &'static str {
        match self {
            Self::Rows | Self::Unit { per_row: true, .. } => "rows",
            Self::Unit { .. } => "units",
            Self::Cluster { .. } => "clusters",
            Self::Switchback { .. } => "periods of places",
        }
    }

    /// What is taken on trust.
    pub(super) const fn basis(&self) -> &'static str {
        match self {
            Self::Rows => {
                "by lot, as you say, and each row a unit of its own (no --unit): whoever stands there twice, or in two arms, is not found"
            }
            Self::Unit { .. } => "by lot, as you say: nothing here can show it but the checks",
            Self::Cluster { .. } => "clusters by lot, as you say: nothing here can show it but the checks",
            Self::Switchback { .. } => {
                "periods by lot, as you say, and effects that last no longer than --burn-in: nothing here can show it but the checks"
            }
        }
    }
}

fn length(flag: &str, text: &str) -> Result<Length, CliError> {
    if let Ok(number) = text.parse::<i64>() {
        return Ok(Length::Number(number));
    }
    let days_are_24_hours = SpanRelativeTo::days_are_24_hours();
    let seconds = text.parse::<Span>().and_then(|span| span.total((Unit::Second, days_are_24_hours)));
    #[allow(clippy::cast_possible_truncation, reason = "whole seconds, and a span has limits")]
    seconds.ok().filter(|seconds| *seconds >= 1.0 && seconds.fract() == 0.0).map(|seconds| Length::Seconds(seconds as i64)).ok_or_else(
        || CliError::usage(format!("{flag} {text}: write a length of time in whole seconds or more (30m, 6h, 1d, P1D), or a whole number")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read() {
        for (text, known) in [
            ("6h", Some(21_600)),
            ("1d", Some(86_400)),
            ("P1DT1H", Some(90_000)),
            ("90 minutes", Some(5_400)),
            ("1 month", None),
            ("", None),
            ("-3h", None),
        ] {
            assert_eq!(length("--switchback", text).ok(), known.map(Length::Seconds), "{text}");
        }
        assert_eq!(length("--switchback", "12").unwrap(), Length::Number(12));
        assert!(length("--burn-in", "soon").unwrap_err().message.contains("--burn-in soon: write a length of time"));
    }
}
