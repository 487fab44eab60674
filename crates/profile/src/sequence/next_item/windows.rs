//! From customers' items to packed batches.

use std::ops::Range;

use youhui_commerce::Draw;

use super::ItemSequence;
use super::input::{Token, gap_kind};
use super::step::Batch;

/// A stretch of one sequence whose every item is to foretell the next one.
#[derive(Debug, Clone)]
pub(super) struct Window {
    pub(super) sequence: usize,
    pub(super) items: Range<usize>,
}

/// Stretches of at most `window` items, the last one as long as can be, so that every item but each
/// customer's first is foretold once an epoch.
pub(super) fn windows(sequences: &[ItemSequence], window: usize) -> Vec<Window> {
    let mut all = Vec::new();
    for (sequence, ItemSequence { items, .. }) in sequences.iter().enumerate() {
        let mut end = items.len().saturating_sub(1);
        while end > 0 {
            let start = end.saturating_sub(window);
            all.push(Window { sequence, items: start..end });
            end = start;
        }
    }
    all
}

/// The tokens of a stretch, whose first one is at position 0.
pub(super) fn tokens(sequence: &ItemSequence, items: Range<usize>) -> impl Iterator<Item = Token> {
    items.clone().map(move |place| {
        let time = sequence.times.get(place);
        let before = place.checked_sub(1).and_then(|before| sequence.times.get(before));
        let gap = time.map_or(0, |&time| gap_kind(before.copied(), time));
        // Windows have at most 65,536 items.
        Token { item: sequence.items[place], position: u16::try_from(place - items.start).unwrap_or(u16::MAX), gap }
    })
}

/// One pass over the stretches in random order, about `size` predictions to a batch.
pub(super) fn batches(sequences: &[ItemSequence], windows: &[Window], size: usize, draw: &mut Draw) -> Vec<Batch> {
    let mut order: Vec<usize> = (0..windows.len()).collect();
    draw.shuffle(&mut order);
    let mut batches = vec![Batch::default()];
    for place in order {
        let Window { sequence, items } = &windows[place];
        let sequence = &sequences[*sequence];
        if batches.last().is_some_and(|batch| batch.tokens.len() >= size) {
            batches.push(Batch::default());
        }
        let Some(batch) = batches.last_mut() else { continue };
        batch.tokens.extend(tokens(sequence, items.clone()));
        batch.targets.extend_from_slice(&sequence.items[items.start + 1..=items.end]);
        batch.lengths.push(items.len());
    }
    batches
}
