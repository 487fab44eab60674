//! What must be true of one customer's rows.

use std::path::Path;

use super::CliError;

/// Offers of one customer beyond which the column is taken for something else.
const MOST_OFFERS: usize = 65_535;

/// A row as it is checked.
#[derive(Debug, Clone, Copy)]
pub(super) struct CheckedRow {
    /// Its number in the file.
    pub(super) number: usize,
    pub(super) promotion: u32,
    pub(super) segment: u32,
}

/// Checks customers one after the other.
pub(super) struct Checker<'a> {
    pub(super) path: &'a Path,
    pub(super) promotions: &'a [String],
    pub(super) segments: &'a [String],
    /// Of each promotion: the customer that had it last, from 1, and in which row.
    seen: Vec<(usize, usize)>,
    customer: usize,
}

impl<'a> Checker<'a> {
    pub(super) fn new(path: &'a Path, promotions: &'a [String], segments: &'a [String]) -> Self {
        Self { path, promotions, segments, seen: vec![(0, 0); promotions.len()], customer: 0 }
    }

    /// One customer's rows: each promotion once, one segment, not too many.
    pub(super) fn check(&mut self, name: impl Fn() -> String, rows: impl ExactSizeIterator<Item = CheckedRow>) -> Result<(), CliError> {
        let wrong = |what: String| Err(CliError::usage(format!("{}: customer {:?} {what}", self.path.display(), name())));
        if rows.len() > MOST_OFFERS {
            return wrong(format!("has {} offers, {MOST_OFFERS} at most: is that column the customer's identifier?", rows.len()));
        }
        self.customer += 1;
        let mut first: Option<CheckedRow> = None;
        for row in rows {
            let (customer, before) = self.seen[row.promotion as usize];
            if customer == self.customer {
                let name = &self.promotions[row.promotion as usize];
                return wrong(format!("is offered {name:?} in row {before} and in row {}: keep one of them", row.number));
            }
            self.seen[row.promotion as usize] = (self.customer, row.number);
            let first = first.get_or_insert(row);
            if first.segment != row.segment {
                let (one, two) = (&self.segments[first.segment as usize], &self.segments[row.segment as usize]);
                return wrong(format!("is in segment {one:?} in row {} and in {two:?} in row {}: give it one", first.number, row.number));
            }
        }
        Ok(())
    }
}
