//! A file of offers as numbers: every row checked, customers put together.

use std::path::Path;

use youhui_allocation::{Offers, Row, Unit, UnitFinder};
use youhui_storage::{MISSING, Table, Values, read_table};

use super::CliError;

/// Offers of one customer beyond which the column is taken for something else.
const MOST_OFFERS: usize = 65_535;

/// Offers, and what their numbers stand for.
pub(super) struct Book {
    pub(super) offers: Offers,
    pub(super) customers: Vec<String>,
    pub(super) promotions: Vec<String>,
    /// Empty where the file has no such column.
    pub(super) segments: Vec<String>,
    /// The promotion of each customer's offers, by place.
    pub(super) value: Unit,
    pub(super) cost: Unit,
}

/// The columns of a file.
pub(super) struct Rows {
    path: std::path::PathBuf,
    customer: (Vec<u32>, Vec<String>),
    promotion: (Vec<u32>, Vec<String>),
    segment: Option<(Vec<u32>, Vec<String>)>,
    pub(super) value: Vec<f64>,
    cost: Vec<f64>,
    pub(super) std_error: Option<Vec<f64>>,
}

impl Rows {
    /// Reads and checks a file.
    pub(super) fn read(path: &Path, with_errors: bool) -> Result<Self, CliError> {
        let mut wanted: Vec<String> = ["customer", "promotion", "value", "cost"].map(str::to_owned).to_vec();
        let present = read_table(path, None)?;
        let has = |name: &str| present.columns.iter().any(|column| column.name == name);
        if has("segment") {
            wanted.push("segment".to_owned());
        }
        if with_errors {
            wanted.push("std_error".to_owned());
        }
        let mut table = present;
        for name in &wanted {
            table.column(name)?;
        }
        let rows = Self {
            path: path.to_owned(),
            customer: names(path, &mut table, "customer")?,
            promotion: names(path, &mut table, "promotion")?,
            segment: if wanted.iter().any(|name| name == "segment") { Some(names(path, &mut table, "segment")?) } else { None },
            value: numbers(path, &mut table, "value")?,
            cost: numbers(path, &mut table, "cost")?,
            std_error: if with_errors { Some(numbers(path, &mut table, "std_error")?) } else { None },
        };
        if let Some((row, error)) = rows.std_error.iter().flatten().enumerate().find(|(_, error)| **error < 0.0) {
            let message = format!("{}: row {}, std_error is {error}: give 0 or more", path.display(), row + 1);
            return Err(CliError::usage(message));
        }
        Ok(rows)
    }

    /// Puts each customer's rows together.
    pub(super) fn book(&self) -> Result<Book, CliError> {
        let (mut of_value, mut of_cost) = (UnitFinder::default(), UnitFinder::default());
        self.value.iter().for_each(|&value| of_value.see(value));
        self.cost.iter().for_each(|&cost| of_cost.see(cost));
        let (value, cost) = (of_value.unit(true), of_cost.unit(false));
        let order = self.by_customer();
        let mut offers = Offers::new(self.promotion.1.len());
        let mut from = 0;
        let mut seen = vec![usize::MAX; self.promotion.1.len()];
        for customer in 0..self.customer.1.len() {
            let to = from + order[from..].iter().take_while(|&&row| self.customer.0[row as usize] as usize == customer).count();
            let theirs = &order[from..to];
            self.check(customer, theirs, &mut seen, from)?;
            let segment = self.segment.as_ref().map_or(0, |(codes, _)| theirs.first().map_or(0, |&row| codes[row as usize]));
            offers.push(
                segment,
                theirs.iter().map(|&row| {
                    let row = row as usize;
                    Row { promotion: self.promotion.0[row], value: value.nearest(self.value[row]), cost: cost.up(self.cost[row]) }
                }),
            );
            from = to;
        }
        let segments = self.segment.as_ref().map_or_else(Vec::new, |(_, names)| names.clone());
        Ok(Book { offers, customers: self.customer.1.clone(), promotions: self.promotion.1.clone(), segments, value, cost })
    }

    /// Numbers of rows, each customer's together, in the file's order.
    pub(super) fn by_customer(&self) -> Vec<u32> {
        let codes = &self.customer.0;
        let mut next = vec![0_u32; self.customer.1.len() + 1];
        codes.iter().for_each(|&code| next[code as usize + 1] += 1);
        for place in 1..next.len() {
            next[place] += next[place - 1];
        }
        let mut order = vec![0_u32; codes.len()];
        for (row, &code) in (0_u32..).zip(codes) {
            let place = &mut next[code as usize];
            order[*place as usize] = row;
            *place += 1;
        }
        order
    }

    /// One customer's rows: each promotion once, one segment, not too many. `seen` has the last place
    /// of each promotion; places of this customer start at `from`.
    fn check(&self, customer: usize, rows: &[u32], seen: &mut [usize], from: usize) -> Result<(), CliError> {
        let wrong =
            |what: String| Err(CliError::usage(format!("{}: customer {:?} {what}", self.path.display(), self.customer.1[customer])));
        if rows.len() > MOST_OFFERS {
            return wrong(format!("has {} offers, {MOST_OFFERS} at most: is that column the customer's identifier?", rows.len()));
        }
        for (place, &row) in rows.iter().enumerate() {
            let promotion = self.promotion.0[row as usize] as usize;
            if seen[promotion] >= from && seen[promotion] != usize::MAX {
                let before = rows[seen[promotion] - from] + 1;
                let name = &self.promotion.1[promotion];
                return wrong(format!("is offered {name:?} in row {before} and in row {}: keep one of them", row + 1));
            }
            seen[promotion] = from + place;
            if let Some((codes, names)) = &self.segment {
                let (one, two) = (codes[rows[0] as usize], codes[row as usize]);
                if one != two {
                    let (one, two) = (&names[one as usize], &names[two as usize]);
                    return wrong(format!("is in segment {one:?} in row {} and in {two:?} in row {}: give it one", rows[0] + 1, row + 1));
                }
            }
        }
        Ok(())
    }
}

fn names(path: &Path, table: &mut Table, name: &str) -> Result<(Vec<u32>, Vec<String>), CliError> {
    let column = table.take(name)?;
    if let Values::Number(numbers) = &column.values
        && let Some(row) = numbers.iter().position(|number| number.abs() > 9_007_199_254_740_992.0)
    {
        let message =
            format!("{}: row {}, {name} is a number above 2^53, which is not read exactly: write it as text", path.display(), row + 1);
        return Err(CliError::usage(message));
    }
    let (codes, names) = column.values.categories();
    match codes.iter().position(|&code| code == MISSING) {
        Some(row) => {
            Err(CliError::usage(format!("{}: row {}, {name} is missing: fill it in or leave the row out", path.display(), row + 1)))
        }
        None => Ok((codes, names)),
    }
}

fn numbers(path: &Path, table: &mut Table, name: &str) -> Result<Vec<f64>, CliError> {
    let column = table.take(name)?;
    let wrong = |row: usize, what: &str| {
        CliError::usage(format!("{}: row {}, {name} is {what}: give a finite number, or leave the row out", path.display(), row + 1))
    };
    match column.values {
        Values::Number(numbers) => match numbers.iter().position(|number| !number.is_finite()) {
            Some(row) if numbers[row].is_nan() => Err(wrong(row, "missing or not a number")),
            Some(row) => Err(wrong(row, "infinite")),
            None => Ok(numbers),
        },
        Values::Text { codes, names } => {
            let is_number = |code: &u32| names.get(*code as usize).is_some_and(|name| name.parse::<f64>().is_ok_and(f64::is_finite));
            let row = codes.iter().position(|code| !is_number(code)).unwrap_or(0);
            let told = names.get(codes[row] as usize).map_or("missing".to_owned(), |text| format!("{text:?}"));
            Err(wrong(row, &told))
        }
    }
}
