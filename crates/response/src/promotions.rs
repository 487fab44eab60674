//! What promotions are like: a table with a row for each and a column for what may matter (kind, depth, threshold,
//! days it lasts …). It places promotions in a space, in which one that was never run lies near or far from those
//! that were.

use serde::{Deserialize, Serialize};

use crate::error::ResponseError;

/// A table of promotions.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Promotions {
    /// Its columns.
    pub columns: Vec<Describes>,
    /// Its rows.
    pub rows: Vec<Promotion>,
}

/// A column of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Describes {
    /// Its name.
    pub name: String,
    /// The feature of customers that its numbers are divided by: a threshold by the usual basket, say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relative_to: Option<String>,
    /// Whether more of it never does less: a dose.
    #[serde(default)]
    pub dose: bool,
}

/// One promotion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Promotion {
    /// Its name, as in the treatment's column.
    pub name: String,
    /// A cell for each column.
    pub cells: Vec<Described>,
}

/// A cell of the table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Described {
    /// How much; an empty cell is 0.
    Number(f64),
    /// What of several.
    Name(String),
}

/// Most that a number is of the feature that it is relative to: past it a threshold is just far away.
const MOST_RELATIVE: f64 = 4.0;

impl Promotions {
    /// The row of a promotion.
    ///
    /// # Errors
    /// `Promotion` where there is none.
    pub fn row(&self, name: &str) -> Result<&Promotion, ResponseError> {
        self.rows.iter().find(|row| row.name == name).ok_or_else(|| ResponseError::Promotion {
            name: name.to_owned(),
            problem: "has no row in the table of promotions: give it one".to_owned(),
        })
    }

    /// Refuses a table that describes nothing, or a promotion twice.
    ///
    /// # Errors
    /// `Promotion`.
    pub fn check(&self) -> Result<(), ResponseError> {
        let wrong = |name: &str, problem: &str| Err(ResponseError::Promotion { name: name.to_owned(), problem: problem.to_owned() });
        for (place, row) in self.rows.iter().enumerate() {
            if self.rows[..place].iter().any(|other| other.name == row.name) {
                return wrong(&row.name, "stands in the table of promotions twice: keep one row");
            }
            if row.cells.len() != self.columns.len() || self.columns.is_empty() {
                return wrong(&row.name, "has no descriptor, or not one for each column: add columns to the table of promotions");
            }
            for (cell, column) in row.cells.iter().zip(&self.columns) {
                match cell {
                    Described::Number(value) if !value.is_finite() => {
                        return wrong(&row.name, &format!("has {value} as {:?}: has to be a finite number", column.name));
                    }
                    Described::Number(value) if column.dose && *value < 0.0 => {
                        return wrong(&row.name, &format!("has {value} as the dose {:?}: has to be 0 or more", column.name));
                    }
                    Described::Name(text) if column.dose || column.relative_to.is_some() => {
                        return wrong(&row.name, &format!("has {text:?} as {:?}: has to be a number", column.name));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

/// The space that the promotions of training span.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Space {
    axes: Vec<Axis>,
    /// The columns that are doses, by place in the table.
    doses: Vec<usize>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
enum Axis {
    /// A column of numbers, divided by the largest of training; or by a feature, given by its place among the numbers
    /// that learners read.
    Number { column: usize, scale: f64, relative_to: Option<usize> },
    /// 1 where a column holds this name.
    Name { column: usize, name: String },
}

impl Space {
    /// Spanned by a table; `feature` finds the place of a numeric feature.
    ///
    /// # Errors
    /// `Promotion`: a column of names and numbers, or relative to what is no number.
    pub(crate) fn new(table: &Promotions, feature: &dyn Fn(&str) -> Option<usize>) -> Result<Self, ResponseError> {
        table.check()?;
        let mut space = Self::default();
        for (column, of) in table.columns.iter().enumerate() {
            let cells = || table.rows.iter().map(|row| &row.cells[column]);
            let numbers: Vec<f64> =
                cells().filter_map(|cell| if let Described::Number(value) = cell { Some(*value) } else { None }).collect();
            if numbers.len() == table.rows.len() {
                let most = numbers.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
                let relative_to = match &of.relative_to {
                    None => None,
                    Some(name) => Some(feature(name).ok_or_else(|| ResponseError::Promotion {
                        name: of.name.clone(),
                        problem: format!("is to be relative to {name:?}, which is no numeric feature of the model: name one that is"),
                    })?),
                };
                let scale = if most > 0.0 { most } else { 1.0 };
                space.axes.push(Axis::Number { column, scale, relative_to });
                if of.dose {
                    space.doses.push(space.axes.len() - 1);
                }
            } else {
                let mut names: Vec<String> =
                    cells().map(|cell| if let Described::Name(name) = cell { name.clone() } else { String::new() }).collect();
                names.sort();
                names.dedup();
                space.axes.extend(names.into_iter().map(|name| Axis::Name { column, name }));
            }
        }
        Ok(space)
    }

    /// Whether a promotion's place depends on the customer.
    pub(crate) fn by_customer(&self) -> bool {
        self.axes.iter().any(|axis| matches!(axis, Axis::Number { relative_to: Some(_), .. }))
    }

    /// How many axes.
    pub(crate) const fn width(&self) -> usize {
        self.axes.len()
    }

    /// Which of the axes are doses.
    pub(crate) fn doses(&self) -> &[usize] {
        &self.doses
    }

    /// Where a promotion lies for a customer; no promotion lies at zero.
    pub(crate) fn place(&self, promotion: &Promotion, customer: &[f32]) -> Vec<f64> {
        let at = |axis: &Axis| match axis {
            Axis::Number { column, scale, relative_to } => {
                let Some(Described::Number(value)) = promotion.cells.get(*column) else { return 0.0 };
                match relative_to.and_then(|feature| customer.get(feature)) {
                    None => value / scale,
                    Some(of) if f64::from(*of) > value.abs() / MOST_RELATIVE => value / f64::from(*of),
                    // Zero or unknown too.
                    Some(_) => MOST_RELATIVE * value.signum() * f64::from(u8::from(*value != 0.0)),
                }
            }
            Axis::Name { column, name } => match promotion.cells.get(*column) {
                Some(Described::Name(other)) => f64::from(u8::from(other == name)),
                Some(Described::Number(_)) => f64::from(u8::from(name.is_empty())),
                None => 0.0,
            },
        };
        self.axes.iter().map(at).collect()
    }
}
