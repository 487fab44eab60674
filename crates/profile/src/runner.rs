//! Applies a pure function to every customer, on threads, in an order that doesn't depend on them.

use rayon::prelude::*;
use youhui_commerce::{CustomerEvents, EventTable};

/// `stage` of every customer, in order of subject: buckets go to threads, and their results are
/// joined in the order of the buckets (invariant 12).
pub fn map_customers<T: Send>(buckets: &[EventTable], stage: impl Fn(&CustomerEvents<'_>) -> T + Sync) -> Vec<T> {
    let parts: Vec<Vec<T>> = buckets.par_iter().map(|bucket| bucket.customers().map(|customer| stage(&customer)).collect()).collect();
    parts.into_iter().flatten().collect()
}

/// Folds every customer into one value: each bucket is folded alone and the parts are merged in
/// the order of the buckets.
pub fn fold_customers<A: Send>(
    buckets: &[EventTable],
    start: impl Fn() -> A + Sync,
    step: impl Fn(&mut A, &CustomerEvents<'_>) + Sync,
    mut merge: impl FnMut(&mut A, A),
) -> A {
    let parts: Vec<A> = buckets
        .par_iter()
        .map(|bucket| {
            let mut part = start();
            bucket.customers().for_each(|customer| step(&mut part, &customer));
            part
        })
        .collect();
    let mut whole = start();
    parts.into_iter().for_each(|part| merge(&mut whole, part));
    whole
}
