//! One chunk of a foreign file to event rows, columns at a time.

use std::hash::BuildHasher;

use arrow_array::RecordBatch;
use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;
use youhui_commerce::{EventKind, EventTable, Micros};

use crate::columns::{Column, LONGEST, MoneyColumns, TextColumns, TimeColumn};
use crate::mapping::{EventsMapping, Source};
use crate::quarantine::{BadRow, Rule};
use crate::source::Chunk;

/// What every row of an import shares.
pub(crate) struct EventContext<'a> {
    pub(crate) mapping: &'a EventsMapping,
    pub(crate) currency: &'a str,
    pub(crate) decimals: u32,
    /// Key of event ids: without it, an id made from an identifier could be guessed back.
    pub(crate) key: [u8; 32],
    pub(crate) now: Micros,
}

/// Texts, numbered in order of appearance and kept one after the other: most are short, and there
/// are many.
#[derive(Default)]
pub(crate) struct Interner {
    numbers: HashTable<u32>,
    all: String,
    /// Where each text ends in `all`.
    ends: Vec<usize>,
    last: u32,
}

impl Interner {
    pub(crate) fn number(&mut self, text: &str) -> u32 {
        // Neighbours are often equal: the lines of one order.
        if self.get(self.last) == Some(text) {
            return self.last;
        }
        let hash = |text: &str| FxBuildHasher.hash_one(text);
        let found = self.numbers.find(hash(text), |&number| slice(&self.all, &self.ends, number) == Some(text));
        self.last = match found {
            Some(&number) => number,
            None => {
                // Fewer than there are rows in memory.
                let number = u32::try_from(self.ends.len()).unwrap_or(NO_TEXT);
                self.all.push_str(text);
                self.ends.push(self.all.len());
                let rehash = |&number: &u32| hash(slice(&self.all, &self.ends, number).unwrap_or(""));
                self.numbers.insert_unique(hash(text), number, rehash);
                number
            }
        };
        self.last
    }

    /// The text of a number; `None` for [`NO_TEXT`].
    pub(crate) fn get(&self, number: u32) -> Option<&str> {
        slice(&self.all, &self.ends, number)
    }

    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        let starts = std::iter::once(&0).chain(&self.ends);
        starts.zip(&self.ends).map(|(&start, &end)| &self.all[start..end])
    }

    pub(crate) const fn len(&self) -> usize {
        self.ends.len()
    }

    /// Length of all texts.
    pub(crate) const fn bytes(&self) -> usize {
        self.all.len()
    }
}

fn slice<'a>(all: &'a str, ends: &[usize], number: u32) -> Option<&'a str> {
    let number = number as usize;
    let end = *ends.get(number)?;
    let start = if number == 0 { 0 } else { ends[number - 1] };
    Some(&all[start..end])
}

/// Marks a text that the event doesn't have.
pub(crate) const NO_TEXT: u32 = u32::MAX;

/// One good row.
pub(crate) struct EventRow {
    pub(crate) number: u64,
    /// A keyed hash of all its fields, to tell a repeat from a conflict.
    pub(crate) content: u64,
    /// Its texts are still those of the chunk, and its subject the number of its customer there.
    pub(crate) event: StoredRow,
}

/// One event on its way into a bucket's file. Its texts are numbers in an [`Interner`].
#[derive(Clone, Copy)]
pub(crate) struct StoredRow {
    pub(crate) time: Micros,
    /// The first half of a keyed hash of what names the event.
    pub(crate) id: [u8; 16],
    /// Place in [`crate::import::Names::subjects`].
    pub(crate) subject: u32,
    pub(crate) product: u32,
    pub(crate) order: u32,
    pub(crate) promotion: u32,
    pub(crate) kind: EventKind,
    pub(crate) quantity: i32,
    pub(crate) amount: i64,
    pub(crate) discount: i64,
    pub(crate) vendor_discount: i64,
    pub(crate) cost: i64,
}

/// A chunk's rows, the texts they point at, and what was wrong.
#[derive(Default)]
pub(crate) struct Converted {
    pub(crate) rows: Vec<EventRow>,
    pub(crate) customers: Interner,
    pub(crate) products: Interner,
    pub(crate) orders: Interner,
    pub(crate) promotions: Interner,
    pub(crate) bad: Vec<BadRow>,
    pub(crate) excluded: u64,
}

/// The columns that a mapping reads.
pub(crate) fn columns(mapping: &EventsMapping) -> Vec<String> {
    let mut columns = vec![mapping.customer.clone(), mapping.time.details().column];
    let sources = [&mapping.kind, &mapping.order, &mapping.amount, &mapping.discount, &mapping.vendor_discount, &mapping.cost];
    columns.extend(sources.into_iter().flatten().flat_map(Source::columns));
    columns.extend([&mapping.product, &mapping.quantity, &mapping.promotion, &mapping.currency].into_iter().flatten().cloned());
    columns.extend(mapping.event_id.iter().flatten().cloned());
    columns.extend(mapping.exclude.iter().map(|exclude| exclude.column.clone()));
    columns.sort();
    columns.dedup();
    columns
}

/// Turns a chunk into rows. Pure: the same chunk gives the same rows on any thread.
pub(crate) fn convert(chunk: Chunk, context: &EventContext<'_>) -> Converted {
    let Chunk { batch, numbers, broken } = chunk;
    let mut made = Converted { bad: broken, ..Converted::default() };
    let Some(reader) = Reader::new(&batch, context) else {
        let bad = numbers.iter().map(|&number| BadRow::new(number, "row", "a column of a type that can't be read", Rule::NotANumber));
        made.bad.extend(bad);
        return made;
    };
    made.rows.reserve(numbers.len());
    let (mut buffer, mut content) = (String::new(), Vec::new());
    for (row, &number) in numbers.iter().enumerate() {
        if reader.excluded(row) {
            made.excluded += 1;
            continue;
        }
        match reader.row(row, number, &mut made, &mut buffer, &mut content) {
            Ok(event) => made.rows.push(event),
            Err((field, value, rule)) => made.bad.push(BadRow::new(number, field, &value, rule)),
        }
    }
    made
}

type Problem = (&'static str, String, Rule);

struct Reader<'a> {
    context: &'a EventContext<'a>,
    kind: Option<TextColumns>,
    customer: Column,
    time: TimeColumn,
    product: Option<Column>,
    order: Option<TextColumns>,
    promotion: Option<Column>,
    quantity: Option<Column>,
    amount: Option<MoneyColumns>,
    discount: Option<MoneyColumns>,
    vendor_discount: Option<MoneyColumns>,
    cost: Option<MoneyColumns>,
    currency: Option<Column>,
    event_id: Option<Vec<Column>>,
    exclude: Option<Column>,
    decimals: u32,
}

impl<'a> Reader<'a> {
    fn new(batch: &RecordBatch, context: &'a EventContext<'a>) -> Option<Self> {
        let mapping = context.mapping;
        let decimals = if mapping.minor_units { 0 } else { context.decimals };
        let column = |name: &Option<String>| name.as_ref().map(|name| Column::of(batch, name));
        let money = |source: &Option<Source>| source.as_ref().map(|source| MoneyColumns::of(batch, source, decimals));
        let text = |source: &Option<Source>| source.as_ref().map(|source| TextColumns::of(batch, source));
        // `None` here is a column that can't be read at all; an absent mapping key is fine.
        fn whole<T>(part: Option<Option<T>>) -> Option<Option<T>> {
            match part {
                Some(None) => None,
                Some(some) => Some(some),
                None => Some(None),
            }
        }
        Some(Self {
            context,
            kind: whole(text(&mapping.kind))?,
            customer: Column::of(batch, &mapping.customer)?,
            time: TimeColumn::of(batch, &mapping.time.details())?,
            product: whole(column(&mapping.product))?,
            order: whole(text(&mapping.order))?,
            promotion: whole(column(&mapping.promotion))?,
            quantity: whole(column(&mapping.quantity))?,
            amount: whole(money(&mapping.amount))?,
            discount: whole(money(&mapping.discount))?,
            vendor_discount: whole(money(&mapping.vendor_discount))?,
            cost: whole(money(&mapping.cost))?,
            currency: whole(column(&mapping.currency))?,
            event_id: match &mapping.event_id {
                None => None,
                Some(names) => Some(names.iter().map(|name| Column::of(batch, name)).collect::<Option<_>>()?),
            },
            exclude: whole(mapping.exclude.as_ref().map(|exclude| Column::of(batch, &exclude.column)))?,
            decimals,
        })
    }

    fn excluded(&self, row: usize) -> bool {
        match (&self.exclude, &self.context.mapping.exclude) {
            (Some(column), Some(exclude)) if !column.is_null(row) => column.text(row, |text| exclude.values.contains(text)),
            _ => false,
        }
    }

    fn row(&self, row: usize, number: u64, made: &mut Converted, buffer: &mut String, content: &mut Vec<u8>) -> Result<EventRow, Problem> {
        let kind = self.kind(row, buffer)?;
        if self.customer.is_null(row) {
            return Err(("customer", String::new(), Rule::Missing));
        }
        if self.event_id.as_ref().is_some_and(|columns| columns.iter().all(|column| column.is_null(row))) {
            // All such rows would be one event.
            return Err(("event_id", String::new(), Rule::Missing));
        }
        let time = match self.time.at(row, self.context.now) {
            Ok(Some(time)) => time,
            Ok(None) => return Err(("time", String::new(), Rule::Missing)),
            Err(rule) => return Err(("time", self.time.raw(row), rule)),
        };
        if let Some(column) = self.currency.as_ref().filter(|column| !column.is_null(row))
            && let Some(other) = column.text(row, |text| (!text.eq_ignore_ascii_case(self.context.currency)).then(|| text.to_owned()))
        {
            return Err(("currency", other, Rule::OtherCurrency));
        }
        let money = |field: &'static str, columns: &Option<MoneyColumns>| match columns {
            None => Ok(None),
            Some(columns) => columns.at(row, self.decimals).map_err(|rule| (field, columns.raw(row), rule)),
        };
        let bought = matches!(kind, EventKind::Order | EventKind::Refund);
        let (mut quantity, mut kind) = (self.quantity(row)?, kind);
        let mut amount = money("amount", &self.amount)?;
        if bought && self.amount.is_some() && amount.is_none() {
            return Err(("amount", String::new(), Rule::Missing));
        }
        // Of a return, every amount has the sign of its quantity.
        let returned = quantity < 0 && self.context.mapping.negative_is_refund && kind == EventKind::Order;
        let signed = |amount: i64| if returned { amount.abs() } else { amount };
        if returned {
            (kind, quantity, amount) = (EventKind::Refund, -quantity, amount.map(signed));
        }
        let amount = amount.unwrap_or(0);
        if quantity < 0 {
            return Err(("quantity", quantity.to_string(), Rule::NegativeQuantity));
        }
        if amount < 0 {
            return Err(("amount", amount.to_string(), Rule::NegativeAmount));
        }
        if bought && quantity == 0 && amount == 0 {
            return Err(("quantity", "0".into(), Rule::NothingBought));
        }
        let given = |field: &'static str, columns: &Option<MoneyColumns>| match money(field, columns)?.map(signed) {
            Some(given) if given < 0 => Err((field, given.to_string(), Rule::NegativeAmount)),
            given => Ok(given),
        };
        let discount = given("discount", &self.discount)?.unwrap_or(0);
        let vendor_discount = given("vendor_discount", &self.vendor_discount)?.unwrap_or(0);
        let cost = given("cost", &self.cost)?.unwrap_or(EventTable::NO_COST);
        let customer = short("customer", &self.customer, row, &mut made.customers)?;
        let product = optional("product", self.product.as_ref(), row, &mut made.products)?;
        let promotion = optional("promotion", self.promotion.as_ref(), row, &mut made.promotions)?;
        let order = match &self.order {
            None => NO_TEXT,
            Some(columns) => {
                columns.at(row, buffer);
                match buffer.len() {
                    0 => NO_TEXT,
                    length if length > LONGEST => return Err(("order", buffer.clone(), Rule::TooLong)),
                    _ => made.orders.number(buffer),
                }
            }
        };
        let mut event = StoredRow {
            time,
            id: [0; 16],
            subject: customer,
            product,
            order,
            promotion,
            kind,
            // Money without units, such as a weighed good rounded down, is one unit.
            quantity: if bought { quantity.max(1) } else { quantity },
            amount,
            discount,
            vendor_discount,
            cost,
        };
        let hash;
        (event.id, hash) = self.name(row, &event, made, content);
        Ok(EventRow { number, content: hash, event })
    }

    /// Hashes what names the event, and all of it.
    fn name(&self, row: usize, event: &StoredRow, made: &Converted, content: &mut Vec<u8>) -> ([u8; 16], u64) {
        content.clear();
        for (interner, number) in [
            (&made.customers, event.subject),
            (&made.products, event.product),
            (&made.orders, event.order),
            (&made.promotions, event.promotion),
        ] {
            push_text(interner.get(number).unwrap_or(""), content);
        }
        content.push(event.kind as u8);
        // Most fields are small: what a hash takes in one block is hashed in half the time.
        for number in [event.time, event.quantity.into(), event.amount, event.discount, event.vendor_discount] {
            push_number(number, content);
        }
        if event.cost != EventTable::NO_COST {
            push_number(event.cost, content);
        }
        let hash = *blake3::keyed_hash(&self.context.key, content).as_bytes();
        let named = match &self.event_id {
            None => hash,
            Some(columns) => {
                content.clear();
                content.push(event.kind as u8);
                for column in columns {
                    match column.is_null(row) {
                        true => content.push(0),
                        false => column.text(row, |text| push_text(text, content)),
                    }
                }
                *blake3::keyed_hash(&self.context.key, content).as_bytes()
            }
        };
        (halves(named).0, u64::from_be_bytes(halves(hash).1))
    }

    fn kind(&self, row: usize, buffer: &mut String) -> Result<EventKind, Problem> {
        let Some(kind) = &self.kind else { return Ok(EventKind::Order) };
        kind.at(row, buffer);
        if buffer.is_empty() {
            return Err(("kind", String::new(), Rule::Missing));
        }
        EventKind::from_name(buffer).ok_or_else(|| ("kind", buffer.clone(), Rule::UnknownKind))
    }

    fn quantity(&self, row: usize) -> Result<i32, Problem> {
        match &self.quantity {
            None => Ok(1),
            Some(column) if column.is_null(row) => Err(("quantity", String::new(), Rule::Missing)),
            Some(column) => column
                .units(row)
                .and_then(|units| i32::try_from(units).map_err(|_| Rule::TooLarge))
                .map_err(|rule| ("quantity", column.text(row, str::to_owned), rule)),
        }
    }
}

/// The first 16 bytes, and the next 8.
fn halves(hash: [u8; 32]) -> ([u8; 16], [u8; 8]) {
    (std::array::from_fn(|place| hash[place]), std::array::from_fn(|place| hash[16 + place]))
}

/// Appends a text and its end: a 0 byte within it must not look like one.
fn push_text(text: &str, to: &mut Vec<u8>) {
    let start = to.len();
    to.extend_from_slice(text.as_bytes());
    // No text has the byte 255.
    to[start..].iter_mut().filter(|byte| **byte == 0).for_each(|byte| *byte = 0xff);
    to.push(0);
}

/// Appends a number in as many bytes as it needs, with its end: seven bits a byte, lowest first,
/// the highest bit where more follow (LEB128), the sign in the lowest bit.
fn push_number(number: i64, to: &mut Vec<u8>) {
    let mut rest = ((number << 1) ^ (number >> 63)).cast_unsigned();
    loop {
        let [low, ..] = rest.to_le_bytes();
        rest >>= 7;
        if rest == 0 {
            return to.push(low);
        }
        to.push(low | 0x80);
    }
}

fn short(field: &'static str, column: &Column, row: usize, interner: &mut Interner) -> Result<u32, Problem> {
    column.text(row, |text| {
        if text.len() > LONGEST {
            // Whatever it is, it doesn't go into a file of problems.
            Err((field, String::new(), Rule::TooLong))
        } else {
            Ok(interner.number(text))
        }
    })
}

fn optional(field: &'static str, column: Option<&Column>, row: usize, interner: &mut Interner) -> Result<u32, Problem> {
    match column {
        Some(column) if !column.is_null(row) => short(field, column, row, interner),
        _ => Ok(NO_TEXT),
    }
}
