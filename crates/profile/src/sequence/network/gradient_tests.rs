//! Gradients of every layer against finite differences: a framework that stops a gradient
//! silently trains anyway, only worse.

use burn::module::{ModuleMapper, ModuleVisitor};

use super::*;
use crate::sequence::batch::Span;
use crate::sequence::{BasketStep, Sequence};
use youhui_commerce::SubjectId;

/// Adds `by` to one number of all parameters, counted through.
struct Nudge {
    place: usize,
    by: f32,
    seen: usize,
}

impl ModuleMapper for Nudge {
    fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, tensor, mapper) = parameter.consume();
        let device = tensor.device();
        let shape = tensor.dims();
        let mut values: Vec<f32> = tensor.into_data().iter::<f32>().collect();
        if let Some(value) = self.place.checked_sub(self.seen).and_then(|place| values.get_mut(place)) {
            *value += self.by;
        }
        self.seen += values.len();
        let moved = Tensor::<D>::from_data(TensorData::new(values, shape), &device).require_grad();
        Param::from_mapped_value(id, moved, mapper)
    }
}

/// Collects the gradient of every parameter; the start of each in the list.
struct Collect<'a> {
    gradients: &'a burn::tensor::Gradients,
    values: Vec<f32>,
    starts: Vec<usize>,
}

impl ModuleVisitor for Collect<'_> {
    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
        let tensor = parameter.val();
        self.starts.push(self.values.len());
        let gradient = tensor.grad(self.gradients).expect("every parameter has a gradient");
        self.values.extend(gradient.into_data().iter::<f32>());
    }
}

fn sequences() -> Vec<Sequence> {
    let mut draw = Draw::seeded(3);
    (0..3_u8)
        .map(|number| {
            let steps = (0..4 + i64::from(number))
                .map(|day| {
                    let first = u32::try_from(draw.below(3)).unwrap();
                    let items = vec![(first, 0.6), (first + 3, 0.4)];
                    BasketStep { time: day * day * 86_400_000_000, amount: 10.0 + day as f64, items }
                })
                .collect();
            Sequence { subject: SubjectId::from_bytes([number; 16]), steps }
        })
        .collect()
}

#[test]
fn gradients_are_those_of_finite_differences() {
    let config = EncoderConfig { width: 8, heads: 2, layers: 2, window: 4, targets: 3, ..EncoderConfig::default() };
    let sequences = sequences();
    let popularity = Popularity::of(sequences.iter().flat_map(|sequence| &sequence.steps), 6);
    let device = Device::flex().autodiff();
    let spans: Vec<Span<'_>> = sequences
        .iter()
        .map(|sequence| {
            let last = sequence.steps.len() - 1;
            Span { sequence, first: last - 2, last, at: 0 }
        })
        .collect();
    let batch = Batch::new(&spans, &popularity, &config, &device);
    // Away from the start's zeros, where many gradients vanish.
    let mut network = Network::new(&config, &popularity, &device);
    let mut draw = Draw::seeded(8);
    let count = network.num_params();
    for place in 0..count {
        let by = 0.2 * draw.normal() as f32;
        if place % 3 == 0 {
            network = network.map(&mut Nudge { place, by, seen: 0 });
        }
    }
    let _alone = crate::sequence::training::alone();
    let gradients = network.loss(&batch).backward();
    let mut found = Collect { gradients: &gradients, values: Vec::new(), starts: Vec::new() };
    network.visit(&mut found);
    assert_eq!(found.values.len(), count);
    let at = |place: usize, by: f32| {
        let moved = network.clone().map(&mut Nudge { place, by, seen: 0 });
        f64::from(moved.loss(&batch).into_scalar::<f32>())
    };
    // The largest gradient of every parameter, which 32 bits resolve best, and one at random.
    for (index, &start) in found.starts.iter().enumerate() {
        let end = found.starts.get(index + 1).copied().unwrap_or(count);
        let largest = (start..end).max_by(|&one, &two| found.values[one].abs().total_cmp(&found.values[two].abs())).unwrap();
        for place in [largest, start + draw.below(end - start)] {
            let numeric = (at(place, 4e-3) - at(place, -4e-3)) / 8e-3;
            let exact = f64::from(found.values[place]);
            assert!(
                (numeric - exact).abs() < 2e-4 + 0.02 * exact.abs(),
                "parameter {index}, number {}: {numeric} by differences, {exact} by autodiff",
                place - start
            );
        }
    }
}
