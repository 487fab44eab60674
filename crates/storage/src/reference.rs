//! The small tables: products, customers, campaigns, exposures, offers. Each is read whole, merged
//! with what the store has, and written anew: the same file twice changes nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;

use arrow_array::RecordBatch;
use youhui_commerce::schema::Table;
use youhui_commerce::{Campaign, Product};

use crate::columns::{Column, LONGEST, TextColumns, TimeColumn, normalised};
use crate::error::StoreError;
use crate::import::Run;
use crate::load::{self, CustomerAttributes, OfferText};
use crate::manifest::Segment;
use crate::mapping::{Exclude, Mapping, Source};
use crate::parquet_io;
use crate::quarantine::{BadRow, Rule};
use crate::source::{self, Chunk};
use crate::store::Store;

type Problem = (&'static str, String, Rule);

/// Imports one of the small tables; whether the store changed.
pub(crate) fn import(run: &mut Run, files: &[PathBuf], mapping: &Mapping, progress: &(dyn Fn(u64) + Sync)) -> Result<bool, StoreError> {
    let table = run.options.table;
    let missing =
        || StoreError::Mapping { name: run.options.mapping_name.clone(), message: format!("it has no [{}] section", table.name()) };
    let store = Store { root: run.root.clone(), manifest: run.manifest.clone() };
    match table {
        Table::Products => {
            let section = mapping.products.as_ref().ok_or_else(missing)?;
            let mut columns = vec![section.product.clone()];
            columns.extend(section.category.clone());
            columns.extend([&section.name, &section.brand].into_iter().flatten().flat_map(Source::columns));
            columns.extend([&section.price, &section.cost, &section.stock].into_iter().flatten().cloned());
            columns.extend(section.exclude.iter().map(|exclude| exclude.column.clone()));
            let decimals = run.manifest.shop.currency.decimals();
            let mut all: BTreeMap<String, Product> =
                store.load_products()?.into_iter().map(|product| (product.product_id.clone(), product)).collect();
            let before = all.clone();
            each_row(run, files, columns, section.exclude.as_ref(), progress, &mut |_, batch, row| {
                let product_id = required(batch, &section.product, row, "product")?;
                let text = |source: &Option<Source>| source.as_ref().map_or(Some(String::new()), |source| text(batch, source, row));
                let number = |field: &'static str, name: &Option<String>| match name.as_ref().and_then(|name| Column::of(batch, name)) {
                    Some(column) if !column.is_null(row) => {
                        let amount =
                            column.money(row, decimals).and_then(|amount| if amount < 0 { Err(Rule::NegativeAmount) } else { Ok(amount) });
                        amount.map(Some).map_err(|rule| (field, column.text(row, str::to_owned), rule))
                    }
                    _ => Ok(None),
                };
                let stock = match section.stock.as_ref().and_then(|name| Column::of(batch, name)) {
                    Some(column) if !column.is_null(row) => {
                        Some(column.units(row).map_err(|rule| ("stock", column.text(row, str::to_owned), rule))?)
                    }
                    _ => None,
                };
                let name = text(&section.name).filter(|name| !name.is_empty()).unwrap_or_else(|| product_id.clone());
                let mut category: Vec<String> = section.category.iter().filter_map(|column| cell(batch, column, row)).collect();
                category.dedup();
                let product = Product {
                    name,
                    category,
                    brand: text(&section.brand).unwrap_or_default(),
                    price: number("price", &section.price)?,
                    cost: number("cost", &section.cost)?,
                    stock,
                    product_id,
                };
                Ok(all.insert(product.product_id.clone(), product).is_none())
            })?;
            finish(run, all != before, all.len(), || load::products_batch(all.values()))
        }
        Table::Customers => {
            let section = mapping.customers.as_ref().ok_or_else(missing)?;
            let columns = [vec![section.customer.clone()], section.attributes.clone()].concat();
            let mut all: CustomerAttributes = store.load_customers()?;
            let before = all.clone();
            each_row(run, files, columns, None, progress, &mut |run, batch, row| {
                let customer =
                    required(batch, &section.customer, row, "customer").map_err(|(field, _, rule)| (field, String::new(), rule))?;
                let Some(subject) = run.resolve_timeless(&customer) else { return Ok(false) };
                let mut new = false;
                for name in &section.attributes {
                    if let Some(value) = cell(batch, name, row) {
                        new |= all.insert((subject, name.clone()), value).is_none();
                    }
                }
                Ok(new)
            })?;
            finish(run, all != before, all.len(), || load::customers_batch(&all))
        }
        Table::Campaigns => {
            let section = mapping.campaigns.as_ref().ok_or_else(missing)?;
            let (start, end) = (section.start.details(), section.end.details());
            let columns = vec![section.campaign.clone(), section.kind.clone(), start.column.clone(), end.column.clone()];
            let mut all: BTreeMap<String, Campaign> =
                store.load_campaigns()?.into_iter().map(|campaign| (campaign.campaign_id.clone(), campaign)).collect();
            let before = all.clone();
            each_row(run, files, columns, None, progress, &mut |_, batch, row| {
                let campaign_id = required(batch, &section.campaign, row, "campaign")?;
                // A campaign may well end in the future.
                let time = |field: &'static str, details: &crate::mapping::TimeDetails| {
                    let column = TimeColumn::of(batch, details).ok_or((field, String::new(), Rule::UnreadableTime))?;
                    column.at(row, i64::MAX).map_err(|rule| (field, column.raw(row), rule))?.ok_or((field, String::new(), Rule::Missing))
                };
                let window = youhui_commerce::TimeWindow { start: time("start", &start)?, end: time("end", &end)? };
                if window.end <= window.start {
                    return Err(("end", String::new(), Rule::UnreadableTime));
                }
                let kind = cell(batch, &section.kind, row).unwrap_or_default();
                Ok(all.insert(campaign_id.clone(), Campaign { campaign_id, kind, window }).is_none())
            })?;
            finish(run, all != before, all.len(), || load::campaigns_batch(all.values()))
        }
        Table::Exposures => {
            let section = mapping.exposures.as_ref().ok_or_else(missing)?;
            let columns = vec![section.customer.clone(), section.campaign.clone()];
            let mut all: std::collections::BTreeSet<_> = store.load_exposures()?.into_iter().collect();
            let before = all.len();
            each_row(run, files, columns, None, progress, &mut |run, batch, row| {
                let customer =
                    required(batch, &section.customer, row, "customer").map_err(|(field, _, rule)| (field, String::new(), rule))?;
                let campaign_id = required(batch, &section.campaign, row, "campaign")?;
                let Some(subject) = run.resolve_timeless(&customer) else { return Ok(false) };
                Ok(all.insert(youhui_commerce::Exposure { subject, campaign_id }))
            })?;
            finish(run, all.len() != before, all.len(), || load::exposures_batch(&all))
        }
        Table::Offers => {
            let section = mapping.offers.as_ref().ok_or_else(missing)?;
            let columns = vec![section.campaign.clone(), section.coupon.clone(), section.product.clone()];
            let mut all: std::collections::BTreeSet<OfferText> = store.load_offer_texts()?.into_iter().collect();
            let before = all.len();
            each_row(run, files, columns, None, progress, &mut |_, batch, row| {
                let offer = OfferText {
                    campaign_id: required(batch, &section.campaign, row, "campaign")?,
                    coupon: required(batch, &section.coupon, row, "coupon")?,
                    product: required(batch, &section.product, row, "product")?,
                };
                Ok(all.insert(offer))
            })?;
            finish(run, all.len() != before, all.len(), || load::offers_batch(&all))
        }
        Table::Events | Table::Profiles | Table::Assignments => Err(StoreError::Mapping {
            name: run.options.mapping_name.clone(),
            message: format!("{} can't be imported this way", table.name()),
        }),
    }
}

/// Calls `take` for every row; what it refuses goes to quarantine.
fn each_row(
    run: &mut Run,
    files: &[PathBuf],
    mut columns: Vec<String>,
    exclude: Option<&Exclude>,
    progress: &(dyn Fn(u64) + Sync),
    take: &mut dyn FnMut(&mut Run, &RecordBatch, usize) -> Result<bool, Problem>,
) -> Result<(), StoreError> {
    columns.sort();
    columns.dedup();
    for file in files {
        let name = file.file_name().map_or_else(|| file.display().to_string(), |name| name.to_string_lossy().into_owned());
        source::read(file, &columns, &mut |Chunk { batch, numbers, broken }| {
            run.summary.rows += (numbers.len() + broken.len()) as u64;
            for bad in broken {
                run.quarantine.add(&name, bad)?;
            }
            let batch = normalised(&batch);
            for (row, &number) in numbers.iter().enumerate() {
                let passed_over =
                    exclude.is_some_and(|exclude| cell(&batch, &exclude.column, row).is_some_and(|value| exclude.values.contains(&value)));
                if passed_over {
                    run.summary.excluded += 1;
                    continue;
                }
                match take(run, &batch, row) {
                    Ok(true) => run.summary.added += 1,
                    Ok(false) => run.summary.known += 1,
                    Err((field, value, rule)) => run.quarantine.add(&name, BadRow::new(number, field, &value, rule))?,
                }
            }
            progress(run.summary.rows);
            Ok(())
        })?;
    }
    Ok(())
}

fn finish(run: &mut Run, changed: bool, rows: usize, batch: impl FnOnce() -> RecordBatch) -> Result<bool, StoreError> {
    if changed && !run.options.dry_run {
        let table = run.options.table.name();
        let name = format!("{table}-{:06}.parquet", run.manifest.take_number());
        parquet_io::write_new(&run.root.join(&name), &batch())?;
        run.manifest.tables.insert(table.to_owned(), Segment { name, rows: rows as u64 });
    }
    Ok(changed)
}

fn cell(batch: &RecordBatch, column: &str, row: usize) -> Option<String> {
    let column = Column::of(batch, column)?;
    (!column.is_null(row)).then(|| column.text(row, str::to_owned))
}

fn text(batch: &RecordBatch, source: &Source, row: usize) -> Option<String> {
    let mut buffer = String::new();
    TextColumns::of(batch, source)?.at(row, &mut buffer);
    Some(buffer)
}

fn required(batch: &RecordBatch, column: &str, row: usize, field: &'static str) -> Result<String, Problem> {
    match cell(batch, column, row) {
        None => Err((field, String::new(), Rule::Missing)),
        Some(value) if value.len() > LONGEST => Err((field, String::new(), Rule::TooLong)),
        Some(value) => Ok(value),
    }
}
