//! Sufficient statistics: stable, mergeable, the same from rows and from aggregates, on any number of threads.

use youhui_commerce::Draw;

use super::super::*;
use super::moments_of;

/// Columns around `mean`, of which the second follows the first.
fn columns(count: usize, rows: usize, mean: f64, seed: u64) -> (Vec<Vec<f64>>, Vec<u32>) {
    let mut draw = Draw::seeded(seed);
    let mut columns = vec![vec![]; count];
    let mut group = vec![];
    for _ in 0..rows {
        let common = draw.normal();
        columns.iter_mut().for_each(|column| column.push(mean + common + draw.normal()));
        group.push(u32::from(draw.uniform() < 0.3));
    }
    (columns, group)
}

fn slices(columns: &[Vec<f64>]) -> Vec<&[f64]> {
    columns.iter().map(Vec::as_slice).collect()
}

fn close(one: &Moments, two: &Moments, tolerance: f64) {
    assert_eq!(one.units(), two.units());
    for row in 0..one.columns() {
        assert!((one.mean(row) - two.mean(row)).abs() <= tolerance * one.mean(row).abs().max(1.0));
        for column in 0..=row {
            let (one, two) = (one.covariance(row, column), two.covariance(row, column));
            assert!((one - two).abs() <= tolerance * one.abs().max(1.0), "{one} {two}");
        }
    }
}

#[test]
fn a_mean_of_a_billion_keeps_its_variance() {
    // 1e9 + 0, 1, 2 …: the variance is known exactly. Its squares need 60 bits and a double has 53.
    let rows: Vec<f64> = (0..30_000).map(|row| 1e9 + f64::from(row % 3)).collect();
    let group = vec![0; rows.len()];
    let truth = 2.0 / 3.0 * 30_000.0 / 29_999.0;
    let streamed = accumulate(Rows { columns: &[&rows], names: &[], group: &group }, 1).unwrap();
    assert!((streamed[0].variance(0) / truth - 1.0).abs() < 1e-12 && (streamed[0].mean(0) - 1e9 - 1.0).abs() < 1e-6);
    // Row by row the mean itself is rounded at every step: still 8 digits, of which Σx² − (Σx)²/n has none.
    let pushed = moments_of(rows.iter().map(|&value| [value]));
    assert!((pushed.variance(0) / truth - 1.0).abs() < 1e-6);
    let naive = rows.iter().map(|value| value * value).sum::<f64>() - rows.iter().sum::<f64>().powi(2) / 30_000.0;
    assert!((naive / 29_999.0 / truth - 1.0).abs() > 0.01, "the naive sum is no check here: {naive}");
    let merged = moments_of(rows[..7].iter().map(|&value| [value])).merged(&moments_of(rows[7..].iter().map(|&value| [value])));
    close(&merged, &pushed, 1e-6);
}

#[test]
fn rows_batches_and_parts_give_the_same() {
    for count in 1..=6 {
        let (columns, group) = columns(count, 30_000, 5.0, 7);
        let columns = slices(&columns);
        let whole = accumulate(Rows { columns: &columns, names: &[], group: &group }, 2).unwrap();
        let mut batches = Accumulator::new(2, count);
        for (start, end) in [(0, 1), (1, 9000), (9000, 30_000)] {
            let part: Vec<&[f64]> = columns.iter().map(|column| &column[start..end]).collect();
            batches.add(Rows { columns: &part, names: &[], group: &group[start..end] }).unwrap();
        }
        for (arm, (whole, batches)) in whole.iter().zip(batches.groups()).enumerate() {
            close(whole, batches, 1e-12);
            let mut pushed = Moments::empty(count);
            for row in (0..group.len()).filter(|&row| group[row] as usize == arm) {
                pushed.push(&columns.iter().map(|column| column[row]).collect::<Vec<f64>>());
            }
            close(whole, &pushed, 1e-11);
        }
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let (columns, group) = columns(3, 200_000, 100.0, 11);
    let columns = slices(&columns);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| accumulate(Rows { columns: &columns, names: &[], group: &group }, 2).unwrap())
    };
    let one = run(1);
    assert_eq!(one, run(2));
    assert_eq!(one, run(7));
}

#[test]
fn aggregates_give_the_figures_of_rows() {
    let (columns, group) = columns(2, 5000, 3.0, 3);
    let columns = slices(&columns);
    let from_rows = accumulate(Rows { columns: &columns, names: &[], group: &group }, 2).unwrap();
    let from_sums: Vec<Moments> = (0..2)
        .map(|arm| {
            let rows: Vec<usize> = (0..group.len()).filter(|&row| group[row] == arm).collect();
            let sum = |of: &dyn Fn(usize) -> f64| rows.iter().map(|&row| of(row)).sum::<f64>();
            let (x, y) = (columns[0], columns[1]);
            let sums = [sum(&|row| x[row]), sum(&|row| y[row])];
            let products = [sum(&|row| x[row] * x[row]), sum(&|row| y[row] * x[row]), sum(&|row| y[row] * y[row])];
            Moments::from_sums(rows.len() as u64, &sums, &products).unwrap()
        })
        .collect();
    let effect = |arms: &[Moments]| {
        let adjusted = cuped(Metric::mean(0), &[Metric::mean(1)], &arms[0], &arms[1]).unwrap();
        frequentist(&adjusted.contrast, Scale::Relative, Frequentist::default()).unwrap()
    };
    let (one, two) = (effect(&from_rows), effect(&from_sums));
    assert!((one.value - two.value).abs() < 1e-12 && (one.p_value - two.p_value).abs() < 1e-10 && (one.low - two.low).abs() < 1e-12);
}

#[test]
fn moments_can_be_kept_and_read_again() {
    let moments = moments_of((0..10).map(|row| [f64::from(row), f64::from(row * row)]));
    let text = serde_json::to_string(&moments).unwrap();
    assert_eq!(serde_json::from_str::<Moments>(&text).unwrap(), moments);
    let turned = moments.select(&[1, 0]).unwrap();
    assert_eq!((turned.variance(0), turned.covariance(0, 1)), (moments.variance(1), moments.covariance(0, 1)));
    assert!(moments.select(&[2]).is_err());
}

#[test]
fn impossible_sums_are_refused() {
    let error = Moments::from_sums(10, &[10.0], &[5.0]).unwrap_err().to_string();
    assert!(error.contains("which no data has"), "{error}");
    assert!(Moments::from_sums(10, &[10.0], &[5.0, 1.0]).is_err());
    assert!(Moments::from_sums(10, &[f64::NAN], &[5.0]).is_err());
    assert!(Moments::from_covariances(10, &[1.0], &[-1.0]).is_err());
    // A constant, whose variance is rounding.
    let constant = Moments::from_sums(3, &[0.3], &[0.1 * 0.1 + 0.1 * 0.1 + 0.1 * 0.1]).unwrap();
    assert_eq!(constant.variance(0), 0.0);
}

#[test]
fn a_bad_row_is_named_and_nothing_is_added() {
    let mut values = vec![1.0; 20_000];
    let mut group = vec![0; 20_000];
    let mut accumulator = Accumulator::new(2, 1);
    let names = ["revenue"];
    accumulator.add(Rows { columns: &[&values], names: &names, group: &group }).unwrap();
    for bad in [f64::INFINITY, f64::NEG_INFINITY, f64::NAN] {
        values[12_345] = bad;
        let error = accumulator.add(Rows { columns: &[&values], names: &names, group: &group }).unwrap_err();
        assert!(matches!(&error, ExperimentError::NotFinite { row: 32_345, column, .. } if column == "revenue"), "{error}");
        assert!(error.to_string().contains("every mean, variance and interval"), "{error}");
    }
    values[12_345] = 1.0;
    group[9] = 2;
    let error = accumulator.add(Rows { columns: &[&values], names: &names, group: &group }).unwrap_err();
    assert!(matches!(error, ExperimentError::UnknownGroup { row: 20_009, group: 2, groups: 2 }), "{error}");
    let error = accumulator.add(Rows { columns: &[&values[1..]], names: &names, group: &group }).unwrap_err();
    assert!(matches!(error, ExperimentError::Length { .. }), "{error}");
    let huge = vec![1e200, -1e200];
    let error = accumulator.add(Rows { columns: &[&huge], names: &names, group: &[0, 0] }).unwrap_err();
    assert!(error.to_string().contains("sum of squares"), "{error}");
    assert_eq!(accumulator.groups()[0].units(), 20_000);
}

#[test]
fn many_groups_and_wide_rows_name_bad_rows_too() {
    let columns: Vec<Vec<f64>> = (0..6).map(|column| (0..1000).map(|row| f64::from(row * column)).collect()).collect();
    let group: Vec<u32> = (0..1000).collect();
    let moments = accumulate(Rows { columns: &slices(&columns), names: &[], group: &group }, 1000).unwrap();
    assert!(moments.iter().all(|moments| moments.units() == 1));
    let mut bad = columns;
    bad[5][7] = f64::NAN;
    let error = accumulate(Rows { columns: &slices(&bad), names: &[], group: &group }, 1000).unwrap_err();
    assert!(matches!(&error, ExperimentError::NotFinite { row: 7, column, .. } if column == "column 5"), "{error}");
}
