//! Columns of a file as the numbers that learners read, the same way in training and in prediction.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::ResponseError;
use crate::matrix::Matrix;

/// One column of customers' features.
#[derive(Debug, Clone, Copy)]
pub struct Feature<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its cells.
    pub values: FeatureValues<'a>,
}

/// Cells of a feature, one a row.
#[derive(Debug, Clone, Copy)]
pub enum FeatureValues<'a> {
    /// Numbers; NaN is missing.
    Number(&'a [f64]),
    /// Names; a code beyond `names` is missing.
    Category {
        /// Places in `names`.
        codes: &'a [u32],
        /// The distinct names.
        names: &'a [String],
    },
}

impl FeatureValues<'_> {
    const fn len(&self) -> usize {
        match self {
            Self::Number(values) => values.len(),
            Self::Category { codes, .. } => codes.len(),
        }
    }
}

/// Most names of a category that get a column of their own.
const MOST_NAMES: usize = 16;
/// Least rows of such a name.
const LEAST_ROWS: usize = 10;

/// How one column becomes numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Encoding {
    /// The number; where some were missing in training, a column that says so beside it.
    Number {
        /// The column.
        name: String,
        /// Whether there is such a column.
        missing: bool,
    },
    /// A column for each of these names, and one for all others.
    Category {
        /// The column.
        name: String,
        /// Its names that stood in training often enough, the most frequent first.
        names: Vec<String>,
    },
}

/// How a file's columns become numbers.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Encoder {
    /// Column by column.
    pub encodings: Vec<Encoding>,
}

impl Encoder {
    /// Learns from the columns of training; what is left out, and why, is pushed to `warnings`.
    ///
    /// # Errors
    /// `InfiniteFeature`; `NoFeature` where no column says anything.
    pub fn learn(features: &[Feature<'_>], warnings: &mut Vec<String>) -> Result<Self, ResponseError> {
        let mut encodings = Vec::new();
        for feature in features {
            match feature.values {
                FeatureValues::Number(values) => {
                    finite(feature.name, values)?;
                    let mut known = values.iter().filter(|value| !value.is_nan());
                    let Some(first) = known.next() else {
                        warnings.push(format!("feature {:?} has no value at all: left out", feature.name));
                        continue;
                    };
                    let missing = values.iter().any(|value| value.is_nan());
                    if !missing && known.all(|value| value == first) {
                        warnings.push(format!("feature {:?} is {first} in every row: left out", feature.name));
                        continue;
                    }
                    encodings.push(Encoding::Number { name: feature.name.to_owned(), missing });
                }
                FeatureValues::Category { codes, names } => {
                    let names = frequent(codes, names);
                    if names.is_empty() {
                        warnings.push(format!(
                            "feature {:?} has no name that stands in {LEAST_ROWS} rows, or only one name: left out",
                            feature.name
                        ));
                        continue;
                    }
                    encodings.push(Encoding::Category { name: feature.name.to_owned(), names });
                }
            }
        }
        if encodings.is_empty() {
            return Err(ResponseError::NoFeature);
        }
        Ok(Self { encodings })
    }

    /// The columns that rows to predict need.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.encodings.iter().map(|encoding| match encoding {
            Encoding::Number { name, .. } | Encoding::Category { name, .. } => name.as_str(),
        })
    }

    /// The place of a numeric feature among the columns of numbers.
    pub(crate) fn number(&self, wanted: &str) -> Option<usize> {
        let mut place = 0;
        for encoding in &self.encodings {
            match encoding {
                Encoding::Number { name, .. } if name == wanted => return Some(place),
                Encoding::Number { missing, .. } => place += 1 + usize::from(*missing),
                Encoding::Category { names, .. } => place += names.len() + 1,
            }
        }
        None
    }

    /// What each column of numbers is.
    pub(crate) fn labels(&self) -> Vec<String> {
        let of = |encoding: &Encoding| match encoding {
            Encoding::Number { name, missing: false } => vec![name.clone()],
            Encoding::Number { name, missing: true } => vec![name.clone(), format!("{name} is missing")],
            Encoding::Category { name, names } => {
                names.iter().map(String::as_str).chain(["other"]).map(|value| format!("{name} = {value}")).collect()
            }
        };
        self.encodings.iter().flat_map(of).collect()
    }

    /// How many columns of numbers there are.
    pub fn width(&self) -> usize {
        let of = |encoding: &Encoding| match encoding {
            Encoding::Number { missing, .. } => 1 + usize::from(*missing),
            Encoding::Category { names, .. } => names.len() + 1,
        };
        self.encodings.iter().map(of).sum()
    }

    /// Turns columns into rows of numbers. What training had not seen is pushed to `warnings`.
    ///
    /// # Errors
    /// `FeatureAbsent`, `FeatureKind`, `InfiniteFeature`.
    #[allow(clippy::cast_possible_truncation, reason = "features are kept in 32 bits")]
    pub fn encode(&self, features: &[Feature<'_>], warnings: &mut Vec<String>) -> Result<Matrix, ResponseError> {
        let rows = features.first().map_or(0, |feature| feature.values.len());
        let mut columns: Vec<Vec<f32>> = Vec::new();
        for (encoding, name) in self.encodings.iter().zip(self.columns()) {
            let feature = features
                .iter()
                .find(|feature| feature.name == name)
                .ok_or_else(|| ResponseError::FeatureAbsent { name: name.to_owned() })?;
            match (encoding, feature.values) {
                (Encoding::Number { missing, .. }, FeatureValues::Number(values)) => {
                    finite(name, values)?;
                    columns.push(values.iter().map(|value| *value as f32).collect());
                    if *missing {
                        columns.push(values.iter().map(|value| f32::from(u8::from(value.is_nan()))).collect());
                    }
                }
                (Encoding::Category { names: known, .. }, FeatureValues::Category { codes, names }) => {
                    let place: BTreeMap<&str, usize> = known.iter().enumerate().map(|(place, name)| (name.as_str(), place)).collect();
                    let places: Vec<usize> = names.iter().map(|name| place.get(name.as_str()).copied().unwrap_or(known.len())).collect();
                    let at = columns.len();
                    columns.resize(at + known.len() + 1, vec![0.0; rows]);
                    let mut others = 0_usize;
                    for (row, code) in codes.iter().enumerate() {
                        let place = places.get(*code as usize).copied().unwrap_or(known.len());
                        others += usize::from(place == known.len());
                        columns[at + place][row] = 1.0;
                    }
                    if others > 0 {
                        warnings.push(format!(
                            "feature {name:?}: {others} rows have a name that training had not, or rarely: taken as \"other\""
                        ));
                    }
                }
                (Encoding::Number { .. }, FeatureValues::Category { .. }) => {
                    return Err(ResponseError::FeatureKind { name: name.to_owned(), was: "numbers", is: "names" });
                }
                (Encoding::Category { .. }, FeatureValues::Number(_)) => {
                    return Err(ResponseError::FeatureKind { name: name.to_owned(), was: "names", is: "numbers" });
                }
            }
        }
        let mut values = vec![0.0; rows * columns.len()];
        for (place, column) in columns.iter().enumerate() {
            values.iter_mut().skip(place).step_by(columns.len()).zip(column).for_each(|(to, from)| *to = *from);
        }
        Ok(Matrix::new(columns.len().max(1), values))
    }
}

fn finite(name: &str, values: &[f64]) -> Result<(), ResponseError> {
    // Beyond 32 bits' range too, as that is what learners read.
    let wrong = |value: &f64| !value.is_nan() && value.abs() > f64::from(f32::MAX);
    match values.iter().position(wrong) {
        Some(row) => Err(ResponseError::InfiniteFeature { name: name.to_owned(), row: row + 1, value: values[row] }),
        None => Ok(()),
    }
}

/// Names that stand in enough rows, the most frequent first; none where they say nothing.
fn frequent(codes: &[u32], names: &[String]) -> Vec<String> {
    let mut counts = vec![0_usize; names.len()];
    codes.iter().filter_map(|code| usize::try_from(*code).ok()).for_each(|code| {
        if let Some(count) = counts.get_mut(code) {
            *count += 1;
        }
    });
    let mut order: Vec<usize> = (0..names.len()).filter(|&name| counts[name] >= LEAST_ROWS && counts[name] < codes.len()).collect();
    order.sort_by(|&one, &other| counts[other].cmp(&counts[one]).then(names[one].cmp(&names[other])));
    order.truncate(MOST_NAMES);
    order.into_iter().map(|name| names[name].clone()).collect()
}
