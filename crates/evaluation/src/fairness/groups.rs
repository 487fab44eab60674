//! Customers of a randomised holdout by group: age band, region, new or known.
//!
//! One [`Moments`] for each group and arm is kept, so that memory follows the number of groups, and ledgers of disjoint customers
//! merge. Groups with fewer customers than a minimum in an arm are suppressed: their intervals wouldn't cover, and figures of a few
//! people are figures of people.

use serde::Serialize;
use youhui_commerce::Currency;

use super::FairnessError;
use crate::experiment::{ALARM, Accumulator, ExperimentError, Moments, Rows, Warning, cell, sample_ratio};
use crate::money::Arm;

/// One customer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Person {
    /// Place of the group among those declared. `None` is an error: "unknown" is a group.
    pub group: Option<u32>,
    /// What the lot said.
    pub arm: Arm,
    /// Whether the policy offered something.
    pub offered: bool,
    /// List price of what was bought, in minor units.
    pub list: i64,
    /// Discount on it, in minor units.
    pub discount: i64,
    /// Units bought, or orders: what [`GroupPlan::bought`] says.
    pub units: u32,
    /// What the promotion and telling of it cost, in minor units.
    pub cost: i64,
    /// What the customer, or the shop by the customer, has of it, in any unit: savings, visits, profit.
    pub benefit: f64,
    /// The same from before the campaign, for precision; the same value for everybody where it isn't known.
    pub before: f64,
}

/// Settings.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupPlan {
    /// Currency of amounts.
    pub currency: Currency,
    /// Names of groups.
    pub groups: Vec<String>,
    /// Unit of the benefit.
    pub benefit_unit: String,
    /// What a price is paid for: "unit", "order".
    pub bought: String,
    /// Chance of being treated.
    pub share_treated: f64,
    /// Customers that a group needs in each arm, such as 30.
    pub minimum: u64,
}

pub(super) const OFFERED: usize = 0;
pub(super) const LIST: usize = 1;
pub(super) const DISCOUNT: usize = 2;
pub(super) const PAID: usize = 3;
pub(super) const UNITS: usize = 4;
pub(super) const COST: usize = 5;
pub(super) const BENEFIT: usize = 6;
pub(super) const BEFORE: usize = 7;
const COLUMNS: usize = 8;

/// Statistics by group and arm.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupLedger {
    plan: GroupPlan,
    cells: Vec<Moments>,
    rows: u64,
    /// The first amount below 0 of each kind: where it stands, and what.
    negative: Vec<Negative>,
}

/// Row, kind of amount, and value.
type Negative = (u64, &'static str, i64);

/// A group that isn't judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Suppressed {
    /// The group.
    pub group: String,
    /// Why.
    pub reason: String,
}

/// A group that is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kept<'a> {
    pub(super) name: &'a str,
    pub(super) held_out: &'a Moments,
    pub(super) treated: &'a Moments,
}

impl GroupLedger {
    /// For these groups.
    ///
    /// # Errors
    /// Where there are fewer than two groups, one is declared twice, the share isn't inside (0, 1), or the minimum is below 2.
    pub fn new(plan: GroupPlan) -> Result<Self, FairnessError> {
        let declared = plan.groups.len();
        if declared < 2 {
            return Err(FairnessError::TooFewGroups {
                groups: declared,
                declared,
                remedy: "Declare the group that it is to be compared with",
            });
        }
        if let Some((_, name)) = plan.groups.iter().enumerate().find(|(place, name)| plan.groups[..*place].contains(name)) {
            return Err(FairnessError::Twice { name: name.clone() });
        }
        if !(plan.share_treated > 0.0 && plan.share_treated < 1.0) {
            return Err(FairnessError::Setting {
                name: "share treated",
                value: plan.share_treated,
                needed: "a number above 0 and below 1 is needed",
                consequence: "with one arm only no group has an effect",
            });
        }
        if plan.minimum < 2 {
            return Err(FairnessError::Setting {
                name: "minimum",
                value: plan.minimum as f64,
                needed: "at least 2 are needed",
                consequence: "a group of one has no variance, and its figure is a person's",
            });
        }
        let cells = vec![Moments::empty(COLUMNS); 2 * declared];
        Ok(Self { plan, cells, rows: 0, negative: vec![] })
    }

    /// Adds customers. The same batches in the same order give the same bytes with any number of threads.
    ///
    /// # Errors
    /// Where a group is missing or unknown, a value isn't finite, or an amount is beyond 2⁵³; nothing of the batch is added then. Amounts
    /// below 0 (returns, gifts) leave those comparisons without a figure that would offset them, see [`super::parity()`].
    pub fn add(&mut self, people: &[Person]) -> Result<(), FairnessError> {
        let mut columns = (0..COLUMNS).map(|_| Vec::with_capacity(people.len())).collect::<Vec<Vec<f64>>>();
        let (mut group, mut negative) = (Vec::with_capacity(people.len()), self.negative.clone());
        for (place, person) in people.iter().enumerate() {
            group.push(self.write(&mut columns, self.rows + place as u64, person, &mut negative)?);
        }
        let columns: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
        let mut batch = Accumulator::new(self.cells.len(), COLUMNS);
        batch.add(Rows { columns: &columns, names: &[], group: &group })?;
        self.cells.iter_mut().zip(batch.groups()).for_each(|(cell, batch)| cell.merge(batch));
        self.rows += people.len() as u64;
        self.negative = negative;
        Ok(())
    }

    fn write(&self, columns: &mut [Vec<f64>], row: u64, person: &Person, negative: &mut Vec<Negative>) -> Result<u32, FairnessError> {
        let groups = self.plan.groups.len();
        let group = person.group.ok_or(FairnessError::MissingGroup { row })?;
        if group as usize >= groups {
            return Err(FairnessError::UnknownGroup { row, group, groups });
        }
        for (field, value) in [("benefit", person.benefit), ("before", person.before)] {
            if !value.is_finite() {
                return Err(FairnessError::NotFinite { row, field, value });
            }
        }
        let paid = person.list.saturating_sub(person.discount);
        let amounts = [("list price", person.list), ("discount", person.discount), ("price paid", paid), ("cost", person.cost)];
        for (field, value) in amounts {
            if value.unsigned_abs() > 1 << 53 {
                return Err(FairnessError::TooLarge { row, field, value });
            }
            if value < 0 && !negative.iter().any(|(_, known, _)| *known == field) {
                negative.push((row, field, value));
            }
        }
        let money = amounts.map(|(_, value)| value as f64 / self.plan.currency.minor_units() as f64);
        let offered = f64::from(u8::from(person.offered));
        let values = [offered, money[0], money[1], money[2], f64::from(person.units), money[3], person.benefit, person.before];
        columns.iter_mut().zip(values).for_each(|(column, value)| column.push(value));
        Ok(cell(u32::from(person.arm == Arm::Treated), group, u32::try_from(groups).unwrap_or(u32::MAX)))
    }

    /// Adds the customers of another ledger of the same groups.
    ///
    /// # Errors
    /// Where plans differ.
    pub fn merge(&mut self, other: &Self) -> Result<(), FairnessError> {
        if self.plan != other.plan {
            return Err(FairnessError::Mismatch { what: "plans" });
        }
        self.cells.iter_mut().zip(&other.cells).for_each(|(cell, other)| cell.merge(other));
        for &(row, field, value) in &other.negative {
            if !self.negative.iter().any(|(_, known, _)| *known == field) {
                self.negative.push((self.rows + row, field, value));
            }
        }
        self.rows += other.rows;
        Ok(())
    }

    /// The plan.
    pub const fn plan(&self) -> &GroupPlan {
        &self.plan
    }

    /// Sizes of arms against the lot, over all groups and in each that isn't suppressed: a lot that goes wrong in one group makes a
    /// gap that nobody caused.
    ///
    /// # Errors
    /// As [`sample_ratio()`].
    pub fn warnings(&self) -> Result<Vec<Warning>, FairnessError> {
        let weights = [1.0 - self.plan.share_treated, self.plan.share_treated];
        let (held, treated) = self.cells.split_at(self.plan.groups.len());
        let units = |cells: &[Moments]| cells.iter().map(Moments::units).sum::<u64>();
        let mut found: Vec<Warning> = sample_ratio(&[units(held), units(treated)], &weights)?.warning(ALARM).into_iter().collect();
        let (kept, _) = self.kept();
        for group in &kept {
            let check = sample_ratio(&[group.held_out.units(), group.treated.units()], &weights)?;
            if let Some(warning) = check.warning(ALARM / kept.len() as f64) {
                found.push(Warning { message: format!("{}: {}", group.name, warning.message), ..warning });
            }
        }
        Ok(found)
    }

    /// Groups that are too small to be judged.
    pub fn suppressed(&self) -> Vec<Suppressed> {
        self.kept().1
    }

    /// Refuses what would offset others' amounts.
    pub(super) fn at_least_0(&self, fields: &[&str]) -> Result<(), FairnessError> {
        let found = self.negative.iter().find(|(_, field, _)| fields.contains(field));
        found.map_or(Ok(()), |&(row, field, value)| Err(FairnessError::Negative { row, field, value }))
    }

    /// Groups with enough customers, and the others.
    pub(super) fn kept(&self) -> (Vec<Kept<'_>>, Vec<Suppressed>) {
        let groups = self.plan.groups.len();
        let (mut kept, mut suppressed) = (vec![], vec![]);
        for (place, name) in self.plan.groups.iter().enumerate() {
            let (held_out, treated) = (&self.cells[place], &self.cells[groups + place]);
            if held_out.units().min(treated.units()) < self.plan.minimum {
                let reason = format!(
                    "fewer than {} customers in an arm: an interval would cover less than it says, and the figure would be that of a few people. It is in no gap below. Merge it with a neighbour",
                    self.plan.minimum
                );
                suppressed.push(Suppressed { group: name.clone(), reason });
            } else {
                kept.push(Kept { name, held_out, treated });
            }
        }
        (kept, suppressed)
    }

    /// The same, refused where there is nothing to compare.
    pub(super) fn comparable(&self) -> Result<(Vec<Kept<'_>>, Vec<Suppressed>), FairnessError> {
        let groups = self.plan.groups.len();
        for (cells, arm) in [(&self.cells[..groups], "held out"), (&self.cells[groups..], "treated")] {
            let units: u64 = cells.iter().map(Moments::units).sum();
            if units < 2 {
                return Err(ExperimentError::TooFewUnits { arm: arm.to_owned(), units }.into());
            }
        }
        let (kept, suppressed) = self.kept();
        if kept.len() < 2 {
            let remedy = "Merge groups until each has the minimum in both arms, or wait";
            return Err(FairnessError::TooFewGroups { groups: kept.len(), declared: groups, remedy });
        }
        Ok((kept, suppressed))
    }
}
