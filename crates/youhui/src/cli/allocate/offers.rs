//! A file of offers as numbers: every row checked, customers put together.

use std::path::Path;

use youhui_allocation::{Caution, Offers, Row, Unit, UnitFinder};
use youhui_storage::{MISSING, Table, Values, columns_of, read_table_as};

use super::CliError;
use super::caution::Weighed;
use super::check::{CheckedRow, Checker};

/// Offers, and what their numbers stand for.
pub(super) struct Book {
    pub(super) offers: Offers,
    pub(super) customers: Vec<String>,
    pub(super) promotions: Vec<String>,
    /// Empty where the file has no such column.
    pub(super) segments: Vec<String>,
    pub(super) value: Unit,
    pub(super) cost: Unit,
}

/// The columns of a file.
pub(super) struct Rows {
    path: std::path::PathBuf,
    customer: (Vec<u32>, Vec<String>),
    promotion: (Vec<u32>, Vec<String>),
    segment: Option<(Vec<u32>, Vec<String>)>,
    value: Vec<f64>,
    cost: Vec<f64>,
    std_error: Option<Vec<f64>>,
}

impl Rows {
    /// Reads and checks a file.
    pub(super) fn read(path: &Path, with_errors: bool) -> Result<Self, CliError> {
        let texts = ["customer", "promotion", "segment"];
        let has_segment = columns_of(path)?.iter().any(|name| name == "segment");
        let mut wanted = vec!["customer", "promotion", "value", "cost"];
        wanted.extend(has_segment.then_some("segment"));
        wanted.extend(with_errors.then_some("std_error"));
        let wanted: Vec<String> = wanted.into_iter().map(str::to_owned).collect();
        let mut table = read_table_as(path, Some(&wanted), &texts)?;
        let rows = Self {
            path: path.to_owned(),
            customer: names(path, &mut table, "customer")?,
            promotion: names(path, &mut table, "promotion")?,
            segment: if has_segment { Some(names(path, &mut table, "segment")?) } else { None },
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

    /// Puts each customer's rows together, with values as they are compared.
    pub(super) fn book(&self, order: &[u32], caution: Caution) -> Result<Book, CliError> {
        let (mut of_value, mut of_cost) = (UnitFinder::default(), UnitFinder::default());
        self.value.iter().for_each(|&value| of_value.see(value));
        self.cost.iter().for_each(|&cost| of_cost.see(cost));
        if caution != Caution::None {
            let most = (0..self.value.len()).map(|row| caution.most(self.value[row], self.error(row))).fold(0.0, f64::max);
            of_value.reach(most);
        }
        let (value, cost) = (of_value.unit(true), of_cost.unit(false));
        let promotions = &self.promotion.1;
        let segments = self.segment.as_ref().map_or(&[][..], |(_, names)| names);
        let mut offers = Offers::new(promotions.len());
        let mut checker = Checker::new(&self.path, promotions, segments);
        let segment = |row: u32| self.segment.as_ref().map_or(0, |(codes, _)| codes[row as usize]);
        let mut from = 0;
        for customer in 0..self.customer.1.len() {
            let to = from + order[from..].iter().take_while(|&&row| self.customer.0[row as usize] as usize == customer).count();
            let theirs = &order[from..to];
            let checked =
                |&row: &u32| CheckedRow { number: row as usize + 1, promotion: self.promotion.0[row as usize], segment: segment(row) };
            checker.check(|| self.customer.1[customer].clone(), theirs.iter().map(checked))?;
            let of_row = |&row: &u32| Row {
                promotion: self.promotion.0[row as usize],
                value: value.nearest(self.weighed(row, caution).compared),
                cost: cost.up(self.cost[row as usize]),
            };
            offers.push(theirs.first().map_or(0, |&row| segment(row)), theirs.iter().map(of_row));
            from = to;
        }
        Ok(Book { offers, customers: self.customer.1.clone(), promotions: promotions.clone(), segments: segments.to_vec(), value, cost })
    }

    fn error(&self, row: usize) -> f64 {
        self.std_error.as_ref().map_or(0.0, |errors| errors[row])
    }

    /// A row as it is compared.
    pub(super) fn weighed(&self, row: u32, caution: Caution) -> Weighed {
        let row = row as usize;
        let (value, std_error) = (self.value[row], self.error(row));
        let customer = &self.customer.1[self.customer.0[row] as usize];
        let promotion = &self.promotion.1[self.promotion.0[row] as usize];
        Weighed { value, std_error, compared: caution.value(value, std_error, customer, promotion) }
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
