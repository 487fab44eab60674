//! All weights but the items' in one list of numbers, so that optimiser, gradients and tests walk
//! over one slice.

use youhui_commerce::Draw;

use super::matmul::{rows, transpose};

/// Where one matrix lies: `rows` × `columns` numbers from `start` on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Slot {
    start: usize,
    rows: usize,
    columns: usize,
}

impl Slot {
    pub(super) fn of<'a>(&self, numbers: &'a [f32]) -> &'a [f32] {
        &numbers[self.start..self.start + self.rows * self.columns]
    }

    pub(super) fn of_mut<'a>(&self, numbers: &'a mut [f32]) -> &'a mut [f32] {
        &mut numbers[self.start..self.start + self.rows * self.columns]
    }

    pub(super) const fn rows(&self) -> usize {
        self.rows
    }

    pub(super) const fn columns(&self) -> usize {
        self.columns
    }
}

/// The numbers, and every matrix of them transposed, at the same places.
#[derive(Debug, Clone, Default)]
pub(super) struct Parameters {
    pub(super) values: Vec<f32>,
    pub(super) transposed: Vec<f32>,
    slots: Vec<Slot>,
}

impl Parameters {
    /// Adds a matrix of normal numbers.
    pub(super) fn normal(&mut self, rows: usize, columns: usize, deviation: f64, draw: &mut Draw) -> Slot {
        let slot = self.constant(rows, columns, 0.0);
        slot.of_mut(&mut self.values).fill_with(|| (deviation * draw.normal()) as f32);
        slot
    }

    /// Adds a matrix of equal numbers.
    pub(super) fn constant(&mut self, rows: usize, columns: usize, value: f32) -> Slot {
        let start = self.values.len();
        self.values.resize(start + rows * columns, value);
        let slot = Slot { start, rows, columns };
        self.slots.push(slot);
        slot
    }

    /// Transposes again what has changed.
    pub(super) fn refresh(&mut self) {
        self.transposed.resize(self.values.len(), 0.0);
        for slot in self.slots.iter().filter(|slot| slot.rows > 1) {
            let source = rows(slot.of(&self.values), slot.columns);
            transpose(source, slot.rows, slot.columns, slot.of_mut(&mut self.transposed), slot.rows);
        }
    }
}
