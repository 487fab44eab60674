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

impl Described {
    /// The number; an empty cell is 0, a name is none.
    fn number(&self) -> Option<f64> {
        match self {
            Self::Number(value) => Some(*value),
            Self::Name(name) => name.is_empty().then_some(0.0),
        }
    }

    /// The name; a number as it is written.
    fn name(&self) -> String {
        match self {
            Self::Number(value) => value.to_string(),
            Self::Name(name) => name.clone(),
        }
    }
}

/// Beyond so many times the largest of training nothing can be said.
const MOST_BEYOND: f64 = 1000.0;
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
                    Described::Name(text) if !text.is_empty() && (column.dose || column.relative_to.is_some()) => {
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
    /// 1 where a column holds this name …
    Name { column: usize, name: String },
    /// … or one that training had not, so that it lies far from all and not where nothing is offered.
    Unseen { column: usize },
    /// 1 for every promotion: what kinds have in common.
    Any,
}

impl Space {
    /// Spanned by a table; `feature` finds the place of a numeric feature.
    ///
    /// # Errors
    /// `Promotion`: a column of names and numbers, or relative to what is no number.
    pub(crate) fn new(table: &Promotions, feature: &dyn Fn(&str) -> Option<usize>) -> Result<Self, ResponseError> {
        table.check()?;
        let mut space = Self::default();
        let mut named = false;
        for (column, of) in table.columns.iter().enumerate() {
            let cells = || table.rows.iter().map(|row| &row.cells[column]);
            let numbers: Vec<f64> = cells().filter_map(Described::number).collect();
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
                let mut names: Vec<String> = cells().map(Described::name).filter(|name| !name.is_empty()).collect();
                names.sort();
                names.dedup();
                space.axes.extend(names.into_iter().map(|name| Axis::Name { column, name }));
                space.axes.push(Axis::Unseen { column });
                named = true;
            }
        }
        if named {
            space.axes.push(Axis::Any);
        }
        Ok(space)
    }

    /// Refuses a promotion that has no place in the space; the names that training had not.
    ///
    /// # Errors
    /// `Promotion`.
    pub(crate) fn admit<'a>(&self, promotion: &'a Promotion, columns: &[Describes]) -> Result<Vec<&'a str>, ResponseError> {
        let mut unseen = Vec::new();
        for axis in &self.axes {
            match axis {
                Axis::Number { column, scale, .. } => {
                    let called = columns.get(*column).map_or("", |column| column.name.as_str());
                    let wrong = |what: String| ResponseError::Promotion {
                        name: promotion.name.clone(),
                        problem: format!("has {what} as {called:?}: correct the cell, or fit a model with the like of it"),
                    };
                    match promotion.cells.get(*column) {
                        Some(cell) => match cell.number() {
                            Some(value) if value.abs() <= MOST_BEYOND * scale => {}
                            Some(value) => {
                                return Err(wrong(format!("{value}, more than {MOST_BEYOND} times {scale}, the largest that was run,")));
                            }
                            None => return Err(wrong(format!("{:?}, where the model knows numbers,", cell.name()))),
                        },
                        None => return Err(wrong("nothing".to_owned())),
                    }
                }
                Axis::Unseen { column } if self.unseen(*column, promotion) => {
                    if let Some(Described::Name(name)) = promotion.cells.get(*column) {
                        unseen.push(name.as_str());
                    }
                }
                _ => {}
            }
        }
        Ok(unseen)
    }

    fn unseen(&self, of: usize, promotion: &Promotion) -> bool {
        let Some(cell) = promotion.cells.get(of) else { return false };
        let found = cell.name();
        let known = |axis: &Axis| matches!(axis, Axis::Name { column, name } if *column == of && *name == found);
        !found.is_empty() && !self.axes.iter().any(known)
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
                let Some(value) = promotion.cells.get(*column).and_then(Described::number) else { return 0.0 };
                match relative_to.and_then(|feature| customer.get(feature)) {
                    None => value / scale,
                    Some(of) if f64::from(*of) > value.abs() / MOST_RELATIVE => value / f64::from(*of),
                    // Zero or unknown too.
                    Some(_) => MOST_RELATIVE * value.signum() * f64::from(u8::from(value != 0.0)),
                }
            }
            Axis::Name { column, name } => f64::from(u8::from(promotion.cells.get(*column).is_some_and(|cell| cell.name() == *name))),
            Axis::Unseen { column } => f64::from(u8::from(self.unseen(*column, promotion))),
            Axis::Any => 1.0,
        };
        self.axes.iter().map(at).collect()
    }
}
