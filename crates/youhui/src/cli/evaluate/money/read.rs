//! Customers of a campaign, or several rows of each, as a ledger.

use youhui_evaluation::experiment::{Exposure, cluster_sums, exposure};
use youhui_evaluation::fairness::{FairnessError, GroupLedger, GroupPlan, Person};
use youhui_evaluation::money::{Amounts, Arm, Customer, Lacking, Ledger, Part, Window};
use youhui_storage::{Table, columns_of, read_table_in_blocks};

use super::super::super::CliError;
use super::super::customers::{Arms, located, minor, whole};
use super::super::units::{MOST_VALUES, Order, codes, firsts, same_by_unit, whose};
use super::Args;

const FIELDS: [&str; 5] = ["revenue", "goods", "promotion", "contact", "orders"];
const ORDERS: usize = 4;
const WINDOWS: [&str; 3] = ["before_", "", "after_"];

/// Customers, summed.
pub(super) struct Read {
    pub(super) ledger: Ledger,
    pub(super) groups: Option<Result<GroupLedger, FairnessError>>,
    pub(super) rows: u64,
    /// Whose rows were summed, customer by customer, where rows say so.
    names: Option<Vec<String>>,
    /// Who stood there how often, where rows say whose they are.
    pub(super) exposure: Option<Exposure>,
    pub(super) has_after: bool,
    /// Columns without which figures of the times that are there can't be told.
    pub(super) missing: Vec<String>,
    pub(super) has_counts: bool,
    pub(super) has_parts: bool,
}

/// Which columns of numbers there are, and where.
struct Names {
    all: Vec<String>,
    /// By window: before, during, after.
    amounts: [[Option<usize>; 5]; 3],
    counts: [Option<usize>; 2],
    parts: Vec<(usize, Part)>,
}

impl Names {
    fn of(args: &Args) -> Result<Self, CliError> {
        check_different(args)?;
        let present = columns_of(&args.lot.data)?;
        let mut all: Vec<String> = vec![];
        let mut known = |name: String| {
            present.contains(&name).then(|| {
                all.push(name);
                all.len() - 1
            })
        };
        let amounts = WINDOWS.map(|window| FIELDS.map(|field| known(format!("{window}{field}"))));
        let counts = ["last_touched", "redeemed"].map(|name| known(name.to_owned()));
        for (field, name) in amounts[1].iter().zip(FIELDS).filter(|(_, name)| ["revenue", "orders"].contains(name)) {
            if field.is_none() {
                let path = args.lot.data.display();
                return Err(CliError::usage(format!("{path}: there is no column {name}: its columns are {}", present.join(", "))));
            }
        }
        let mut parts = vec![];
        for name in present.iter().filter(|name| name.starts_with("part:")) {
            let (category, which) = name["part:".len()..].rsplit_once(':').unwrap_or_default();
            let promoted = match which {
                "promoted" => true,
                "rest" => false,
                _ => {
                    return Err(CliError::usage(format!(
                        "{}: column {name}: write part:CATEGORY:promoted or part:CATEGORY:rest",
                        args.lot.data.display()
                    )));
                }
            };
            parts.push((all.len(), Part { category: category.to_owned(), promoted }));
            all.push(name.clone());
        }
        Ok(Self { all, amounts, counts, parts })
    }

    fn has_after(&self) -> bool {
        self.amounts[2].iter().any(Option::is_some)
    }

    /// What no column says, with the column's name: it isn't 0. Promotion and contact may have cost nothing.
    fn lacking(&self) -> Vec<(Lacking, String)> {
        let windows = [Window::Before, Window::During, Window::After].into_iter().zip(WINDOWS).zip(&self.amounts);
        let taken = |window| [(0, Lacking::Revenue(window)), (1, Lacking::Goods(window)), (ORDERS, Lacking::Orders(window))];
        let of_window = windows.flat_map(|((window, prefix), amounts)| {
            let absent = taken(window).into_iter().filter(|(field, _)| amounts[*field].is_none());
            absent.map(move |(field, lacking)| (lacking, format!("{prefix}{}", FIELDS[field])))
        });
        let counts = [(Lacking::LastTouched, "last_touched"), (Lacking::Redeemed, "redeemed")];
        let absent = counts.into_iter().zip(self.counts).filter(|(_, place)| place.is_none());
        of_window.chain(absent.map(|((lacking, name), _)| (lacking, name.to_owned()))).collect()
    }

    /// Columns that figures of the campaign, and of the time after it where anything is known of that, need.
    fn missing(&self) -> Vec<String> {
        let needed = |lacking: &Lacking| match lacking {
            Lacking::Revenue(window) | Lacking::Goods(window) | Lacking::Orders(window) => {
                *window == Window::During || *window == Window::After && self.has_after()
            }
            Lacking::LastTouched | Lacking::Redeemed => false,
        };
        self.lacking().into_iter().filter(|(lacking, _)| needed(lacking)).map(|(_, name)| name).collect()
    }

    fn wanted(&self, args: &Args) -> Vec<String> {
        let own = [Some(&args.lot.assignment), args.unit.as_ref(), args.group.as_ref(), args.offered.as_ref()];
        let mut wanted: Vec<String> = vec![];
        for name in own.into_iter().flatten().chain(&self.all) {
            if !wanted.contains(name) {
                wanted.push(name.clone());
            }
        }
        wanted
    }
}

/// The customer's column is neither their arm nor their group.
fn check_different(args: &Args) -> Result<(), CliError> {
    let others = [Some(("--assignment", &args.lot.assignment)), args.group.as_ref().map(|column| ("--group", column))];
    match others.into_iter().flatten().find(|(_, column)| Some(*column) == args.unit.as_ref()) {
        Some((flag, column)) => {
            Err(CliError::usage(format!("--unit {column}: it is the column of {flag} too: name the one that says whose a row is")))
        }
        None => Ok(()),
    }
}

/// Rows, or customers: columns side by side.
#[derive(Default)]
struct Rows {
    unit: Vec<u64>,
    /// 1 for who was treated.
    arm: Vec<u32>,
    group: Option<Vec<u32>>,
    offered: Option<Vec<f64>>,
    /// As in [`Names`].
    columns: Vec<Vec<f64>>,
}

impl Rows {
    fn append(&mut self, block: Self) {
        if self.columns.is_empty() {
            *self = block;
            return;
        }
        self.unit.extend(block.unit);
        self.arm.extend(block.arm);
        self.group.iter_mut().zip(block.group).for_each(|(all, block)| all.extend(block));
        self.offered.iter_mut().zip(block.offered).for_each(|(all, block)| all.extend(block));
        self.columns.iter_mut().zip(block.columns).for_each(|(all, block)| all.extend(block));
    }

    /// A row a unit, of sums; without whoever was in two arms.
    fn by_unit(self, args: &Args) -> Result<(Self, Exposure), CliError> {
        let found = exposure(&self.unit, &self.arm)?;
        if found.kept.is_empty() && found.units > 0 {
            return Err(CliError::usage(format!(
                "{}: all {} customers stand in both arms by column {}, and are left out, as what they did is caused by both: nobody is left to compare: is --unit the right column?",
                args.lot.data.display(),
                found.units,
                args.lot.assignment
            )));
        }
        let of_kept = |of: &[f64]| found.kept.iter().map(|&row| of[row]).collect::<Vec<f64>>();
        let codes_of_kept = |of: &[u32]| found.kept.iter().map(|&row| of[row]).collect::<Vec<u32>>();
        let unit: Vec<u64> = found.kept.iter().map(|&row| self.unit[row]).collect();
        let arm = codes_of_kept(&self.arm);
        let group = self.group.as_deref().map(codes_of_kept);
        if let (Some(column), Some(group)) = (&args.group, &group) {
            same_by_unit(&args.lot.data, column, "unit", &unit, group)?;
        }
        let columns: Vec<Vec<f64>> = self.columns.iter().chain(&self.offered).map(|column| of_kept(column)).collect();
        let borrowed: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
        let mut sums = cluster_sums(&borrowed, &unit, &arm)?;
        let first = firsts(&unit, &sums.cluster);
        // The last one counts rows.
        sums.columns.truncate(columns.len());
        let offered = self.offered.is_some().then(|| sums.columns.pop()).flatten();
        let group = group.map(|group| first.iter().map(|&row| group[row]).collect());
        Ok((Self { unit: sums.cluster, arm: sums.arm, group, offered, columns: sums.columns }, found))
    }

    const fn len(&self) -> usize {
        self.arm.len()
    }

    fn customer(&self, names: &Names, row: usize) -> Customer {
        let cell = |place: Option<usize>| place.map_or(0, |place| minor(self.columns[place][row]));
        let amounts = |window: usize| {
            let of = |field: usize| cell(names.amounts[window][field]);
            Amounts {
                revenue: of(0),
                goods: of(1),
                promotion: of(2),
                contact: of(3),
                orders: u32::try_from(of(ORDERS)).unwrap_or(u32::MAX),
            }
        };
        Customer {
            arm: if self.arm[row] == 1 { Arm::Treated } else { Arm::HeldOut },
            before: amounts(0),
            during: amounts(1),
            after: amounts(2),
            last_touched: cell(names.counts[0]),
            redeemed: cell(names.counts[1]),
        }
    }
}

/// Reads blocks, and adds customers up.
struct Reader<'a> {
    args: &'a Args,
    names: Names,
    arms: Arms<'a>,
    units: Order,
    groups: Order,
    rows: u64,
    ledger: Ledger,
    people: Vec<Person>,
}

impl Reader<'_> {
    fn block(&mut self, mut table: Table) -> Result<Rows, CliError> {
        let (args, first) = (self.args, self.rows);
        let path = args.lot.data.as_path();
        let unit = match &args.unit {
            Some(column) => {
                let (codes, texts) = whose(path, table.take(column)?.values, column, first)?;
                let places: Vec<u64> = texts.iter().map(|text| u64::from(self.units.place(text))).collect();
                codes.into_iter().map(|code| places[code as usize]).collect()
            }
            None => vec![],
        };
        let group = match &args.group {
            Some(column) => Some(codes(path, table.column(column)?.values.clone(), column, &mut self.groups, MOST_VALUES, first)?),
            None => None,
        };
        let offered = match &args.offered {
            Some(column) => {
                let cells = whole(path, table.column(column)?, first)?;
                if let Some(row) = cells.iter().position(|cell| *cell != 0.0 && *cell != 1.0) {
                    let (path, place, cell) = (path.display(), first + row as u64 + 1, cells[row]);
                    return Err(CliError::usage(format!(
                        "{path}: row {place}: column {column} is {cell}: write 1 for who was offered something and 0 for who wasn't"
                    )));
                }
                Some(cells.iter().map(|cell| f64::from(u8::from(*cell != 0.0))).collect())
            }
            None => None,
        };
        let mut columns = vec![];
        for name in &self.names.all {
            columns.push(whole(path, table.column(name)?, first)?.to_vec());
        }
        self.check_orders(&columns, |row| format!("row {}", first + row + 1))?;
        let arms = self.arms.read(table.take(&args.lot.assignment)?.values, first)?;
        let arm: Vec<u32> = arms.into_iter().map(|arm| u32::from(arm == Arm::Treated)).collect();
        self.rows += arm.len() as u64;
        Ok(Rows { unit, arm, group, offered, columns })
    }

    fn check_orders(&self, columns: &[Vec<f64>], place: impl Fn(u64) -> String) -> Result<(), CliError> {
        for column in self.names.amounts.iter().filter_map(|window| window[ORDERS]) {
            if let Some(row) = columns[column].iter().position(|orders| !(0.0..=f64::from(u32::MAX)).contains(orders)) {
                return Err(CliError::usage(format!(
                    "{}: {}: column {} is {}: orders are counted from 0, up to {} (cancellations beside them): fewer than none would turn every figure by order around",
                    self.args.lot.data.display(),
                    place(row as u64),
                    self.names.all[column],
                    columns[column][row],
                    u32::MAX
                )));
            }
        }
        Ok(())
    }

    /// Adds customers; `place` says which one is meant, as people count.
    fn add(&mut self, customers: &Rows, place: impl Fn(u64) -> String) -> Result<(), CliError> {
        self.check_orders(&customers.columns, &place)?;
        let all: Vec<Customer> = (0..customers.len()).map(|row| customers.customer(&self.names, row)).collect();
        let parts = &self.names.parts;
        let cells: Vec<i64> =
            (0..customers.len()).flat_map(|row| parts.iter().map(move |(part, _)| minor(customers.columns[*part][row]))).collect();
        self.ledger.add(&all, &cells).map_err(|error| located(&error, &place))?;
        if let Some(group) = &customers.group {
            let major = |minor: i64| minor as f64 / self.args.currency.minor_units() as f64;
            self.people.extend(all.iter().enumerate().map(|(row, customer)| Person {
                group: Some(group[row]),
                arm: customer.arm,
                offered: customers.offered.as_ref().map_or(customer.arm == Arm::Treated, |offered| offered[row] != 0.0),
                list: customer.during.revenue,
                discount: customer.during.promotion,
                units: customer.during.orders,
                cost: customer.during.promotion + customer.during.contact,
                benefit: major(customer.during.revenue),
                before: major(customer.before.revenue),
            }));
        }
        Ok(())
    }

    /// Two of each arm, or nothing can be said.
    fn check_arms(&self, exposure: Option<&Exposure>) -> Result<(), CliError> {
        let lot = &self.args.lot;
        let left_out = exposure.filter(|exposure| exposure.in_several_arms > 0).map_or_else(String::new, |exposure| {
            format!("; {} of {} customers stand in both arms and are left out", exposure.in_several_arms, exposure.units)
        });
        for (arm, name) in [(Arm::HeldOut, lot.held_out.as_str()), (Arm::Treated, self.arms.treated().unwrap_or("who was treated"))] {
            let customers = self.ledger.customers(arm);
            if customers < 2 {
                return Err(CliError::usage(format!(
                    "{}: column {}: {customers} customer(s) of {name}: an interval needs two of each arm{left_out}",
                    lot.data.display(),
                    lot.assignment
                )));
            }
        }
        Ok(())
    }

    fn groups(&mut self) -> Result<GroupLedger, FairnessError> {
        let args = self.args;
        let plan = GroupPlan {
            currency: args.currency,
            groups: std::mem::take(&mut self.groups.names),
            benefit_unit: format!("{} of revenue", args.currency.code()),
            bought: "order".to_owned(),
            share_treated: 1.0 - args.lot.holdout_share,
            minimum: args.group_minimum,
        };
        let mut ledger = GroupLedger::new(plan)?;
        ledger.add(&self.people)?;
        Ok(ledger)
    }
}

fn summed(names: &[String], row: u64) -> String {
    format!("customer {}, rows summed", usize::try_from(row).ok().and_then(|row| names.get(row)).map_or("", String::as_str))
}

impl Read {
    /// Which customer is meant, as people count.
    pub(super) fn place(&self, args: &Args, row: u64) -> String {
        self.names.as_ref().map_or_else(|| format!("{}: row {}", args.lot.data.display(), row + 1), |names| summed(names, row))
    }

    pub(super) fn of(args: &Args) -> Result<Self, CliError> {
        let names = Names::of(args)?;
        let parts = names.parts.iter().map(|(_, part)| part.clone()).collect();
        let lacking = names.lacking().into_iter().map(|(lacking, _)| lacking).collect();
        let wanted = names.wanted(args);
        let texts: Vec<&str> = args.unit.iter().map(String::as_str).collect();
        let mut reader = Reader {
            args,
            arms: args.lot.arms(),
            units: Order::default(),
            groups: Order::default(),
            rows: 0,
            ledger: Ledger::new(args.currency, 1.0 - args.lot.holdout_share, parts)?.lacking(lacking),
            people: vec![],
            names,
        };
        let mut kept = Rows::default();
        read_table_in_blocks(&args.lot.data, &wanted, &texts, |table| -> Result<(), CliError> {
            let rows = reader.block(table)?;
            if args.unit.is_some() {
                kept.append(rows);
                return Ok(());
            }
            reader.add(&rows, |row| format!("row {}", row + 1))
        })?;
        let (mut exposure, mut of_customers) = (None, None);
        if args.unit.is_some() {
            let (customers, found) = kept.by_unit(args)?;
            let units = std::mem::take(&mut reader.units.names);
            let names: Vec<String> = customers.unit.iter().filter_map(|&unit| units.get(usize::try_from(unit).ok()?).cloned()).collect();
            reader.add(&customers, |row| summed(&names, row))?;
            (exposure, of_customers) = (Some(found), Some(names));
        }
        reader.check_arms(exposure.as_ref())?;
        let names = &reader.names;
        let (has_after, missing) = (names.has_after(), names.missing());
        let (has_counts, has_parts) = (names.counts.iter().any(Option::is_some), !names.parts.is_empty());
        let groups = args.group.is_some().then(|| reader.groups());
        Ok(Self {
            ledger: reader.ledger,
            groups,
            rows: reader.rows,
            names: of_customers,
            exposure,
            has_after,
            missing,
            has_counts,
            has_parts,
        })
    }
}
