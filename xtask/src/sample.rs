//! Makes the bundled sample: a few hundred households of the Complete Journey, drawn by a hash of
//! their number and nothing else, with all their rows, and the products and coupons of these.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs::File;
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

/// One household in this many is in the sample.
const ONE_IN: u64 = 8;

type Done<T> = Result<T, Box<dyn Error>>;

pub(crate) fn make(folder: &Path) -> Done<()> {
    let out = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/youhui/sample");
    std::fs::create_dir_all(&out)?;
    let mut products = BTreeSet::new();
    for name in ["transactions", "campaigns", "coupon_redemptions", "demographics"] {
        copy(folder, &out, name, |batch| {
            let households = batch.column_by_name("household_id").ok_or("no household_id")?.as_primitive::<Int64Type>();
            let keep = BooleanArray::from_iter(households.iter().map(|id| id.map(in_sample)));
            let kept = filter_record_batch(batch, &keep)?;
            if name == "transactions" {
                let ids = kept.column_by_name("product_id").ok_or("no product_id")?.as_primitive::<Int64Type>();
                products.extend(ids.iter().flatten());
            }
            Ok(kept)
        })?;
    }
    for name in ["products", "coupons"] {
        copy(folder, &out, name, |batch| {
            let ids = batch.column_by_name("product_id").ok_or("no product_id")?.as_primitive::<Int64Type>();
            let keep = BooleanArray::from_iter(ids.iter().map(|id| id.map(|id| products.contains(&id))));
            Ok(filter_record_batch(batch, &keep)?)
        })?;
    }
    copy(folder, &out, "campaign_descriptions", |batch| Ok(batch.clone()))
}

/// SplitMix64's finaliser: whether a household is in depends on nothing but its number.
fn in_sample(household: i64) -> bool {
    let mut z = household.unsigned_abs().wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)).is_multiple_of(ONE_IN)
}

fn copy(folder: &Path, out: &Path, name: &str, mut filter: impl FnMut(&RecordBatch) -> Done<RecordBatch>) -> Done<()> {
    let file = format!("{name}.parquet");
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(folder.join(&file))?)?;
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::try_new(19)?)).build();
    let mut writer = ArrowWriter::try_new(File::create(out.join(&file))?, reader.schema().clone(), Some(properties))?;
    let mut rows = 0;
    for batch in reader.build()? {
        let kept = filter(&batch?)?;
        rows += kept.num_rows();
        writer.write(&kept)?;
    }
    writer.close()?;
    eprintln!("{file}: {rows} rows");
    Ok(())
}
