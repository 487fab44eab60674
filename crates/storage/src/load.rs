//! The store's tables to and from memory.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{Int64Builder, ListBuilder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type, TimestampMicrosecondType, UInt32Type};
use arrow_array::{
    Array, ArrayRef, DictionaryArray, FixedSizeBinaryArray, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
    UInt32Array,
};
use arrow_schema::{DataType, Field, Schema};
use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};
use youhui_commerce::schema::Table;
use youhui_commerce::{Campaign, Catalogue, EventKind, EventTable, Exposure, Micros, Offer, Product, SubjectId, TimeWindow};
use youhui_privacy::{ConsentLedger, IdentityRow, Purpose, Said, Status};

use crate::error::StoreError;
use crate::events::{Interner, NO_TEXT, StoredRow};
use crate::import::{BucketRows, Names};
use crate::manifest::Manifest;
use crate::parquet_io;
use crate::store::Store;

/// What the shop knows of customers: (subject, attribute) → value.
pub type CustomerAttributes = BTreeMap<(SubjectId, String), String>;

/// An offer with its product as text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct OfferText {
    pub(crate) campaign_id: String,
    pub(crate) coupon: String,
    pub(crate) product: String,
}

impl Store {
    /// The catalogue: products that were imported, and those that only events or offers name, with
    /// nothing but their identifier.
    ///
    /// # Errors
    /// `Io` or `Format`.
    pub fn load_catalogue(&self) -> Result<Catalogue, StoreError> {
        let mut products = self.load_products()?;
        let known: FxHashSet<&str> = products.iter().map(|product| product.product_id.as_str()).collect();
        let named: Vec<BTreeSet<String>> = self
            .bucket_files()
            .par_iter()
            .map(|path| {
                let mut unknown = BTreeSet::new();
                for batch in parquet_io::read(path, Some(&["product"]))? {
                    let dictionary = dictionary(&batch, 0, path)?;
                    for text in dictionary.values().as_string::<i32>().iter().flatten().filter(|text| !known.contains(text)) {
                        unknown.insert(text.to_owned());
                    }
                }
                Ok(unknown)
            })
            .collect::<Result<_, StoreError>>()?;
        let bare = |product_id: String| Product {
            name: product_id.clone(),
            product_id,
            category: vec![],
            brand: String::new(),
            price: None,
            cost: None,
            stock: None,
        };
        let unlisted: BTreeSet<String> = named.into_iter().flatten().collect();
        products.extend(unlisted.into_iter().map(bare));
        Ok(Catalogue::new(products))
    }

    /// All events by bucket, each sorted by subject and time.
    ///
    /// # Errors
    /// `Io` or `Format`.
    pub fn load_events(&self, catalogue: &Catalogue) -> Result<Vec<EventTable>, StoreError> {
        (0..SubjectId::BUCKETS)
            .into_par_iter()
            .map(|bucket| {
                let mut table = EventTable::default();
                let mut orders = FxHashMap::default();
                let mut sorted = true;
                for segment in &self.manifest.events {
                    let path = self.root.join(&segment.name).join(format!("bucket-{bucket:02}.parquet"));
                    if path.exists() {
                        sorted &= table.is_empty();
                        append(&mut table, &path, catalogue, &mut orders)?;
                    }
                }
                Ok(if sorted { table } else { resorted(&table) })
            })
            .collect()
    }

    pub(crate) fn load_products(&self) -> Result<Vec<Product>, StoreError> {
        self.rows(Table::Products, |batch, row| {
            let text = |column: usize| batch.column(column).as_string::<i32>().value(row).to_owned();
            let list = batch.column(2).as_list::<i32>().value(row);
            Product {
                product_id: text(0),
                name: text(1),
                category: list.as_string::<i32>().iter().flatten().map(str::to_owned).collect(),
                brand: text(3),
                price: optional(batch, 4, row),
                cost: optional(batch, 5, row),
                stock: optional(batch, 6, row),
            }
        })
    }

    /// What the shop knows of customers.
    ///
    /// # Errors
    /// `Io` or `Format`.
    pub fn load_customers(&self) -> Result<CustomerAttributes, StoreError> {
        let rows = self.rows(Table::Customers, |batch, row| {
            let value = batch.column(2).as_string::<i32>().value(row).to_owned();
            ((subject(batch, 0, row), dictionary_text(batch, 1, row)), value)
        })?;
        Ok(rows.into_iter().collect())
    }

    /// Who consented to what: the default of the manifest, and what customers said.
    ///
    /// # Errors
    /// `Io` or `Format`.
    pub fn load_consent(&self) -> Result<ConsentLedger, StoreError> {
        let status = |text: &str| if text.eq_ignore_ascii_case("granted") { Status::Granted } else { Status::Denied };
        let shop = &self.manifest.shop;
        let mut ledger = ConsentLedger::new(status(&shop.consent_default), shop.consent_basis.clone());
        for ((subject, attribute), value) in self.load_customers()? {
            if attribute == "consent_personalisation" {
                // When it was said is not known: whatever is said from now on counts more.
                let said = Said { time: Micros::MIN, status: status(&value), notice: None };
                ledger.record(subject, Purpose::Personalisation, said);
            }
        }
        Ok(ledger)
    }

    /// Campaigns that were run, by identifier.
    ///
    /// # Errors
    /// `Io` or `Format`.
    pub fn load_campaigns(&self) -> Result<Vec<Campaign>, StoreError> {
        self.rows(Table::Campaigns, |batch, row| {
            let text = |column: usize| batch.column(column).as_string::<i32>().value(row).to_owned();
            let time = |column: usize| batch.column(column).as_primitive::<TimestampMicrosecondType>().value(row);
            Campaign { campaign_id: text(0), kind: text(1), window: TimeWindow { start: time(2), end: time(3) } }
        })
    }

    /// Who received which campaign.
    ///
    /// # Errors
    /// `Io` or `Format`.
    pub fn load_exposures(&self) -> Result<Vec<Exposure>, StoreError> {
        self.rows(Table::Exposures, |batch, row| Exposure { subject: subject(batch, 0, row), campaign_id: dictionary_text(batch, 1, row) })
    }

    /// Which coupon is good for which product; products that no catalogue knows are left out.
    ///
    /// # Errors
    /// `Io` or `Format`.
    pub fn load_offers(&self, catalogue: &Catalogue) -> Result<Vec<Offer>, StoreError> {
        let known = |text: OfferText| {
            catalogue.find(&text.product).map(|product| Offer { campaign_id: text.campaign_id, coupon: text.coupon, product })
        };
        Ok(self.load_offer_texts()?.into_iter().filter_map(known).collect())
    }

    pub(crate) fn load_offer_texts(&self) -> Result<Vec<OfferText>, StoreError> {
        self.rows(Table::Offers, |batch, row| OfferText {
            campaign_id: dictionary_text(batch, 0, row),
            coupon: dictionary_text(batch, 1, row),
            product: dictionary_text(batch, 2, row),
        })
    }

    fn rows<T>(&self, table: Table, of: impl Fn(&RecordBatch, usize) -> T) -> Result<Vec<T>, StoreError> {
        let Some(segment) = self.manifest.tables.get(table.name()) else { return Ok(vec![]) };
        let path = self.root.join(&segment.name);
        let mut rows = Vec::new();
        for batch in parquet_io::read(&path, None)? {
            let same = |(ours, theirs): (&Arc<Field>, &Arc<Field>)| ours.name() == theirs.name() && ours.data_type() == theirs.data_type();
            if batch.num_columns() != table.schema().fields().len()
                || !table.schema().fields().iter().zip(batch.schema().fields()).all(same)
            {
                return Err(StoreError::format(&path, "has other columns than this version writes: import the table again"));
            }
            rows.extend((0..batch.num_rows()).map(|row| of(&batch, row)));
        }
        Ok(rows)
    }

    fn bucket_files(&self) -> Vec<std::path::PathBuf> {
        let of = |segment: &crate::manifest::Segment| {
            let folder = self.root.join(&segment.name);
            (0..SubjectId::BUCKETS).map(move |bucket| folder.join(format!("bucket-{bucket:02}.parquet")))
        };
        self.manifest.events.iter().flat_map(of).filter(|path| path.exists()).collect()
    }
}

/// The ids of all stored events, each with content 0: "unknown".
pub(crate) fn event_ids(store: &Store) -> Result<FxHashMap<[u8; 16], u64>, StoreError> {
    let mut ids = FxHashMap::default();
    ids.reserve(usize::try_from(store.manifest.event_rows()).unwrap_or(0));
    let parts: Vec<Vec<[u8; 16]>> = store
        .bucket_files()
        .par_iter()
        .map(|path| {
            let mut ids = Vec::new();
            for batch in parquet_io::read(path, Some(&["event_id"]))? {
                ids.extend(batch.column(0).as_fixed_size_binary().iter().flatten().map(bytes16));
            }
            Ok(ids)
        })
        .collect::<Result<_, StoreError>>()?;
    parts.into_iter().flatten().for_each(|id| {
        ids.insert(id, 0);
    });
    Ok(ids)
}

pub(crate) fn bytes16(bytes: &[u8]) -> [u8; 16] {
    bytes.try_into().unwrap_or_default()
}

fn subject(batch: &RecordBatch, column: usize, row: usize) -> SubjectId {
    SubjectId::from_bytes(bytes16(batch.column(column).as_fixed_size_binary().value(row)))
}

fn optional(batch: &RecordBatch, column: usize, row: usize) -> Option<i64> {
    let array = batch.column(column).as_primitive::<Int64Type>();
    array.is_valid(row).then(|| array.value(row))
}

fn dictionary<'a>(batch: &'a RecordBatch, column: usize, path: &Path) -> Result<&'a DictionaryArray<Int32Type>, StoreError> {
    batch
        .column(column)
        .as_dictionary_opt::<Int32Type>()
        .ok_or_else(|| StoreError::format(path, "has other columns than this version writes: import again"))
}

fn dictionary_text(batch: &RecordBatch, column: usize, row: usize) -> String {
    let array = batch.column(column).as_dictionary::<Int32Type>();
    array.key(row).map_or(String::new(), |key| array.values().as_string::<i32>().value(key).to_owned())
}

/// The columns that stages read; the others stay on disk.
const READ: [&str; 10] = ["subject", "time", "kind", "product", "order_id", "quantity", "amount", "discount", "vendor_discount", "cost"];

fn append(table: &mut EventTable, path: &Path, catalogue: &Catalogue, orders: &mut FxHashMap<String, u32>) -> Result<(), StoreError> {
    for batch in parquet_io::read(path, Some(&READ))? {
        let column =
            |name: &str| batch.schema().index_of(name).map_err(|_| StoreError::format(path, format!("has no column {name}: import again")));
        let numbers = |name: &str| Ok::<_, StoreError>(batch.column(column(name)?).as_primitive::<Int64Type>().clone());
        let subjects = batch.column(column("subject")?).as_fixed_size_binary();
        table.subject.extend(subjects.iter().flatten().map(|bytes| SubjectId::from_bytes(bytes16(bytes))));
        table.time.extend(batch.column(column("time")?).as_primitive::<TimestampMicrosecondType>().values());
        table.kind.extend(by_text(dictionary(&batch, column("kind")?, path)?, EventKind::Message, |text| {
            EventKind::from_name(text).unwrap_or(EventKind::Message)
        }));
        table.product.extend(by_text(dictionary(&batch, column("product")?, path)?, EventTable::NO_PRODUCT, |text| {
            catalogue.find(text).unwrap_or(EventTable::NO_PRODUCT)
        }));
        table.order.extend(by_text(dictionary(&batch, column("order_id")?, path)?, EventTable::NO_ORDER, |text| {
            let next = u32::try_from(orders.len()).unwrap_or(EventTable::NO_ORDER);
            *orders.entry(text.to_owned()).or_insert(next)
        }));
        table.quantity.extend(numbers("quantity")?.values());
        table.amount.extend(numbers("amount")?.values());
        table.discount.extend(numbers("discount")?.values());
        table.vendor_discount.extend(numbers("vendor_discount")?.values());
        table.cost.extend(numbers("cost")?.iter().map(|cost| cost.unwrap_or(EventTable::NO_COST)));
    }
    Ok(())
}

/// Looks each text of the dictionary up once, however often it stands in the column.
fn by_text<'a, T: Copy + 'a>(
    array: &'a DictionaryArray<Int32Type>,
    absent: T,
    mut of: impl FnMut(&str) -> T,
) -> impl Iterator<Item = T> + 'a {
    let values: Vec<T> = array.values().as_string::<i32>().iter().map(|text| text.map_or(absent, &mut of)).collect();
    (0..array.len()).map(move |row| array.key(row).map_or(absent, |key| values[key]))
}

/// Several segments of one bucket, in one order.
fn resorted(table: &EventTable) -> EventTable {
    let mut order: Vec<usize> = (0..table.len()).collect();
    // Stable: within one moment the older segment comes first.
    order.sort_by_key(|&row| (table.subject[row], table.time[row]));
    fn pick<T: Copy>(column: &[T], order: &[usize]) -> Vec<T> {
        order.iter().map(|&row| column[row]).collect()
    }
    EventTable {
        subject: pick(&table.subject, &order),
        time: pick(&table.time, &order),
        kind: pick(&table.kind, &order),
        product: pick(&table.product, &order),
        order: pick(&table.order, &order),
        quantity: pick(&table.quantity, &order),
        amount: pick(&table.amount, &order),
        discount: pick(&table.discount, &order),
        vendor_discount: pick(&table.vendor_discount, &order),
        cost: pick(&table.cost, &order),
    }
}

/// Writes the rows of one bucket, sorted by subject, time and id.
pub(crate) fn write_bucket(path: &Path, bucket: &BucketRows, names: &Names) -> Result<(), StoreError> {
    let rows = &sorted(&bucket.rows, names);
    let numbers = |of: fn(&StoredRow) -> i64| Arc::new(Int64Array::from_iter_values(rows.iter().map(of))) as ArrayRef;
    let kinds = Int32Array::from_iter_values(rows.iter().map(|row| i32::from(row.kind as u8)));
    let kind_names = StringArray::from_iter_values(EventKind::ALL.iter().map(|kind| kind.name()));
    let columns: Vec<ArrayRef> = vec![
        fixed(rows.iter().map(|row| row.id), rows.len()),
        fixed(rows.iter().map(|row| *names.subjects[row.subject as usize].as_bytes()), rows.len()),
        Arc::new(TimestampMicrosecondArray::from_iter_values(rows.iter().map(|row| row.time)).with_timezone("UTC")),
        Arc::new(DictionaryArray::new(kinds, Arc::new(kind_names))),
        encoded(rows.iter().map(|row| row.product), &names.products),
        encoded(rows.iter().map(|row| row.order), &names.orders),
        numbers(|row| row.quantity.into()),
        numbers(|row| row.amount),
        numbers(|row| row.discount),
        numbers(|row| row.vendor_discount),
        Arc::new(rows.iter().map(|row| (row.cost != EventTable::NO_COST).then_some(row.cost)).collect::<Int64Array>()),
        encoded(rows.iter().map(|row| row.promotion), &names.promotions),
    ];
    parquet_io::write_new(path, &batch(Table::Events.schema(), columns))
}

/// Sorts short keys, for rows are long, and subjects by their rank, for they are compared often.
fn sorted(rows: &[StoredRow], names: &Names) -> Vec<StoredRow> {
    let mut ranks: FxHashMap<u32, u32> = rows.iter().map(|row| (row.subject, 0)).collect();
    let mut subjects: Vec<u32> = ranks.keys().copied().collect();
    subjects.sort_unstable_by_key(|&subject| names.subjects[subject as usize]);
    for (rank, subject) in (0..).zip(subjects) {
        ranks.insert(subject, rank);
    }
    let [mut last, mut rank] = [NO_TEXT, 0];
    let key = |(place, row): (usize, &StoredRow)| {
        if row.subject != last {
            (last, rank) = (row.subject, ranks[&row.subject]);
        }
        // Accepted times are after 1970, so their bits are in their order.
        let time = row.time.cast_unsigned();
        let id = u32::from_be_bytes([row.id[0], row.id[1], row.id[2], row.id[3]]);
        (u128::from(rank) << 96 | u128::from(time) << 32 | u128::from(id), place)
    };
    let mut keys: Vec<(u128, usize)> = rows.iter().enumerate().map(key).collect();
    keys.sort_unstable_by(|(first, place), (second, other)| first.cmp(second).then_with(|| rows[*place].id.cmp(&rows[*other].id)));
    keys.into_iter().map(|(_, place)| rows[place]).collect()
}

/// A dictionary column of those texts that occur, numbered as they first do.
fn encoded(numbers: impl Iterator<Item = u32>, texts: &Interner) -> ArrayRef {
    let mut local: FxHashMap<u32, i32> = FxHashMap::default();
    let mut values: Vec<&str> = Vec::new();
    let keys: Int32Array = numbers
        .map(|number| {
            (number != NO_TEXT).then(|| {
                *local.entry(number).or_insert_with(|| {
                    values.push(texts.get(number).unwrap_or(""));
                    i32::try_from(values.len() - 1).unwrap_or(i32::MAX)
                })
            })
        })
        .collect();
    Arc::new(DictionaryArray::new(keys, Arc::new(StringArray::from(values))))
}

fn fixed(rows: impl Iterator<Item = [u8; 16]>, size: usize) -> ArrayRef {
    let mut bytes = Vec::with_capacity(16 * size);
    rows.for_each(|row| bytes.extend_from_slice(&row));
    Arc::new(FixedSizeBinaryArray::new(16, bytes.into(), None))
}

/// The columns are built from the schema's own types, so this can't fail; an empty batch would be
/// refused when it is read.
fn batch(schema: arrow_schema::SchemaRef, columns: Vec<ArrayRef>) -> RecordBatch {
    RecordBatch::try_new(schema.clone(), columns).unwrap_or_else(|_| RecordBatch::new_empty(schema))
}

fn texts<'a>(texts: impl Iterator<Item = &'a str>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(texts))
}

fn dictionary_of<'a>(texts: impl Iterator<Item = &'a str>) -> ArrayRef {
    Arc::new(texts.map(Some).collect::<DictionaryArray<Int32Type>>())
}

pub(crate) fn products_batch<'a>(products: impl Iterator<Item = &'a Product> + Clone) -> RecordBatch {
    let mut categories = ListBuilder::new(StringBuilder::new()).with_field(Field::new("item", DataType::Utf8, false));
    let (mut prices, mut costs, mut stocks) = (Int64Builder::new(), Int64Builder::new(), Int64Builder::new());
    for product in products.clone() {
        product.category.iter().for_each(|name| categories.values().append_value(name));
        categories.append(true);
        prices.append_option(product.price);
        costs.append_option(product.cost);
        stocks.append_option(product.stock);
    }
    let columns: Vec<ArrayRef> = vec![
        texts(products.clone().map(|product| product.product_id.as_str())),
        texts(products.clone().map(|product| product.name.as_str())),
        Arc::new(categories.finish()),
        texts(products.map(|product| product.brand.as_str())),
        Arc::new(prices.finish()),
        Arc::new(costs.finish()),
        Arc::new(stocks.finish()),
    ];
    batch(Table::Products.schema(), columns)
}

pub(crate) fn customers_batch(customers: &CustomerAttributes) -> RecordBatch {
    let columns = vec![
        fixed(customers.keys().map(|(subject, _)| *subject.as_bytes()), customers.len()),
        dictionary_of(customers.keys().map(|(_, attribute)| attribute.as_str())),
        texts(customers.values().map(String::as_str)),
    ];
    batch(Table::Customers.schema(), columns)
}

pub(crate) fn campaigns_batch<'a>(campaigns: impl Iterator<Item = &'a Campaign> + Clone) -> RecordBatch {
    let time = |of: fn(&Campaign) -> i64| {
        Arc::new(TimestampMicrosecondArray::from_iter_values(campaigns.clone().map(of)).with_timezone("UTC")) as ArrayRef
    };
    let columns = vec![
        texts(campaigns.clone().map(|campaign| campaign.campaign_id.as_str())),
        texts(campaigns.clone().map(|campaign| campaign.kind.as_str())),
        time(|campaign| campaign.window.start),
        time(|campaign| campaign.window.end),
    ];
    batch(Table::Campaigns.schema(), columns)
}

pub(crate) fn exposures_batch(exposures: &BTreeSet<Exposure>) -> RecordBatch {
    let columns = vec![
        fixed(exposures.iter().map(|exposure| *exposure.subject.as_bytes()), exposures.len()),
        dictionary_of(exposures.iter().map(|exposure| exposure.campaign_id.as_str())),
    ];
    batch(Table::Exposures.schema(), columns)
}

pub(crate) fn offers_batch(offers: &BTreeSet<OfferText>) -> RecordBatch {
    let columns = vec![
        dictionary_of(offers.iter().map(|offer| offer.campaign_id.as_str())),
        dictionary_of(offers.iter().map(|offer| offer.coupon.as_str())),
        dictionary_of(offers.iter().map(|offer| offer.product.as_str())),
    ];
    batch(Table::Offers.schema(), columns)
}

pub(crate) fn identity_batch(rows: &[IdentityRow]) -> RecordBatch {
    let binary = |of: fn(&IdentityRow) -> &[u8]| Arc::new(arrow_array::BinaryArray::from_iter_values(rows.iter().map(of))) as ArrayRef;
    let schema = Schema::new(vec![
        Field::new("key_version", DataType::UInt32, false),
        Field::new("lookup", DataType::Binary, false),
        Field::new("subject", DataType::FixedSizeBinary(16), false),
        Field::new("sealed", DataType::Binary, false),
    ]);
    let columns = vec![
        Arc::new(UInt32Array::from_iter_values(rows.iter().map(|row| row.key_version))) as ArrayRef,
        binary(|row| &row.lookup),
        fixed(rows.iter().map(|row| *row.subject.as_bytes()), rows.len()),
        binary(|row| &row.sealed),
    ];
    batch(Arc::new(schema), columns)
}

pub(crate) fn identity_rows(root: &Path, manifest: &Manifest) -> Result<Vec<IdentityRow>, StoreError> {
    let Some(segment) = &manifest.identity else { return Ok(vec![]) };
    let path = root.join(&segment.name);
    let mut rows = Vec::new();
    for batch in parquet_io::read(&path, None)? {
        let damaged = || StoreError::format(&path, "is not an identity table: restore it from a backup");
        let column = |name: &str| batch.column_by_name(name).ok_or_else(damaged);
        let versions = column("key_version")?.as_primitive_opt::<UInt32Type>().ok_or_else(damaged)?;
        let lookups = column("lookup")?.as_binary_opt::<i32>().ok_or_else(damaged)?;
        let subjects = column("subject")?.as_fixed_size_binary_opt().ok_or_else(damaged)?;
        let sealed = column("sealed")?.as_binary_opt::<i32>().ok_or_else(damaged)?;
        for row in 0..batch.num_rows() {
            rows.push(IdentityRow {
                key_version: versions.value(row),
                lookup: lookups.value(row).try_into().map_err(|_| damaged())?,
                subject: SubjectId::from_bytes(bytes16(subjects.value(row))),
                sealed: sealed.value(row).to_vec(),
            });
        }
    }
    Ok(rows)
}
