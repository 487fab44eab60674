//! Gradients of every layer, and of the whole network with its loss, against finite differences.

use youhui_commerce::Draw;

use super::NextItemConfig;
use super::attention::{Attention, Scratch};
use super::block::Packed;
use super::feed_forward::FeedForward;
use super::input::Token;
use super::linear::Linear;
use super::matmul::Into;
use super::network::{Network, Pass};
use super::norm::Norm;
use super::parameters::Parameters;
use super::sampled_softmax::{Candidates, Sampler};

fn random(count: usize, draw: &mut Draw) -> Vec<f32> {
    (0..count).map(|_| draw.normal() as f32).collect()
}

fn dot(one: &[f32], two: &[f32]) -> f64 {
    one.iter().zip(two).map(|(&one, &two)| f64::from(one) * f64::from(two)).sum()
}

/// Compares `exact` with the slopes of `of` at some places of `values`: the largest gradient, which 32
/// bits resolve best, and twenty at random.
fn compare(name: &str, values: &[f32], exact: &[f32], draw: &mut Draw, mut of: impl FnMut(&[f32]) -> f64) {
    const NUDGE: f32 = 1e-3;
    assert_eq!(values.len(), exact.len(), "{name}");
    let largest = (0..exact.len()).max_by(|&one, &two| exact[one].abs().total_cmp(&exact[two].abs())).unwrap();
    assert!(exact[largest] != 0.0, "{name}: no gradient at all");
    let mut moved = values.to_vec();
    for place in std::iter::once(largest).chain((0..20).map(|_| draw.below(values.len()))) {
        let mut at = |by: f32| {
            moved[place] = values[place] + by;
            let value = of(&moved);
            moved[place] = values[place];
            value
        };
        let (before, here, after) = (at(-NUDGE), at(0.0), at(NUDGE));
        // Both ways and each way alone: where a ReLU has its kink within the nudge, one way holds.
        let numeric = [(after - before) / 2.0, after - here, here - before].map(|rise| rise / f64::from(NUDGE));
        let exact = f64::from(exact[place]);
        let agrees = numeric.iter().any(|numeric| (numeric - exact).abs() < 4e-3 + 0.02 * exact.abs());
        assert!(agrees, "{name}, number {place}: {numeric:?} by differences, {exact} by hand");
    }
}

/// Parameters away from their starting values, where many gradients are special.
fn shaken(mut parameters: Parameters, draw: &mut Draw) -> Parameters {
    parameters.values.iter_mut().for_each(|value| *value += 0.2 * draw.normal() as f32);
    parameters.refresh();
    parameters
}

fn with(parameters: &Parameters, values: &[f32]) -> Parameters {
    let mut parameters = parameters.clone();
    parameters.values.copy_from_slice(values);
    parameters.refresh();
    parameters
}

#[test]
fn linear() {
    let mut draw = Draw::seeded(1);
    let mut parameters = Parameters::default();
    let layer = Linear::new(16, 48, &mut parameters, &mut draw);
    let parameters = shaken(parameters, &mut draw);
    let (x, dy) = (random(5 * 16, &mut draw), random(5 * 48, &mut draw));
    let (mut dx, mut gradient) = (vec![0.0; x.len()], vec![0.0; parameters.values.len()]);
    layer.backward(&parameters, &x, &dy, Into::Replace, &mut dx, &mut gradient);
    let value = |parameters: &Parameters, x: &[f32]| {
        let mut y = vec![0.0; dy.len()];
        layer.forward(parameters, x, &mut y);
        dot(&y, &dy)
    };
    compare("x", &x, &dx, &mut draw, |x| value(&parameters, x));
    compare("weights", &parameters.values, &gradient, &mut draw, |values| value(&with(&parameters, values), &x));
}

#[test]
fn layer_normalisation() {
    let mut draw = Draw::seeded(2);
    let mut parameters = Parameters::default();
    let layer = Norm::new(48, &mut parameters);
    let parameters = shaken(parameters, &mut draw);
    let (x, dy) = (random(5 * 48, &mut draw), random(5 * 48, &mut draw));
    let (mut dx, mut gradient) = (vec![0.0; x.len()], vec![0.0; parameters.values.len()]);
    layer.backward(&parameters, &x, &dy, &mut dx, &mut gradient);
    let value = |parameters: &Parameters, x: &[f32]| {
        let mut y = vec![0.0; dy.len()];
        layer.forward(parameters, x, &mut y);
        dot(&y, &dy)
    };
    compare("x", &x, &dx, &mut draw, |x| value(&parameters, x));
    compare("scale and shift", &parameters.values, &gradient, &mut draw, |values| value(&with(&parameters, values), &x));
}

#[test]
fn dense_network() {
    let mut draw = Draw::seeded(3);
    let mut parameters = Parameters::default();
    let layer = FeedForward::new(16, 32, &mut parameters, &mut draw);
    let parameters = shaken(parameters, &mut draw);
    let (x, dy) = (random(7 * 16, &mut draw), random(7 * 16, &mut draw));
    let (mut hidden, mut y, mut slopes) = (vec![0.0; 7 * 32], vec![0.0; 7 * 16], vec![0.0; 7 * 32]);
    let (mut dx, mut gradient) = (vec![0.0; x.len()], vec![0.0; parameters.values.len()]);
    layer.forward(&parameters, &x, &mut hidden, &mut y);
    layer.backward(&parameters, &x, &hidden, &dy, &mut slopes, &mut dx, &mut gradient);
    let value = |parameters: &Parameters, x: &[f32]| {
        let (mut hidden, mut y) = (vec![0.0; 7 * 32], vec![0.0; dy.len()]);
        layer.forward(parameters, x, &mut hidden, &mut y);
        dot(&y, &dy)
    };
    compare("x", &x, &dx, &mut draw, |x| value(&parameters, x));
    compare("weights", &parameters.values, &gradient, &mut draw, |values| value(&with(&parameters, values), &x));
}

#[test]
fn attention() {
    let mut draw = Draw::seeded(4);
    let layer = Attention { heads: 2, width: 32 };
    // Below, at and above one band of queries.
    let lengths = [1, 5, 16, 37];
    let tokens: usize = lengths.iter().sum();
    let (x, dy) = (random(tokens * 96, &mut draw), random(tokens * 32, &mut draw));
    let mut scratch = Scratch::default();
    let (mut weights, mut y, mut dx) = (vec![f32::NAN; layer.weights(&lengths)], vec![f32::NAN; dy.len()], vec![f32::NAN; x.len()]);
    layer.forward(&lengths, &x, &mut weights, &mut y, &mut scratch);
    layer.backward(&lengths, &x, &weights, &dy, &mut dx, &mut scratch);
    compare("queries, keys and values", &x, &dx, &mut draw, |x| {
        let (mut weights, mut y) = (vec![0.0; layer.weights(&lengths)], vec![0.0; dy.len()]);
        layer.forward(&lengths, x, &mut weights, &mut y, &mut Scratch::default());
        dot(&y, &dy)
    });
    // The definition, for the last token's first head.
    let last = tokens - 1;
    let part = |token: usize, part: usize| &x[token * 96 + part * 32..][..16];
    let scores: Vec<f64> = (tokens - 37..tokens).map(|token| (dot(part(last, 0), part(token, 1)) / 4.0).exp()).collect();
    let total: f64 = scores.iter().sum();
    let expected: f64 = scores.iter().zip(tokens - 37..).map(|(score, token)| score / total * f64::from(part(token, 2)[3])).sum();
    assert!((expected - f64::from(y[last * 32 + 3])).abs() < 1e-5, "{expected} {}", y[last * 32 + 3]);
}

/// The whole network and its loss, for a sample of the items and for all.
#[test]
fn network_with_its_loss() {
    let items = 23;
    for (negatives, power) in [(9, 0.7), (0, 0.0)] {
        let config = NextItemConfig { width: 32, inner: 32, window: 20, ..NextItemConfig::default() };
        let mut draw = Draw::seeded(5);
        let mut network = Network::new(items, &config);
        network.parameters = shaken(network.parameters, &mut draw);
        let lengths = [1, 4, 18];
        let packed = Packed { lengths: &lengths, dropout: 0.1, key: 99 };
        let mut tokens = Vec::new();
        for length in lengths {
            tokens.extend((0..length).map(|place| Token {
                item: draw.below(items) as u32,
                position: place as u16,
                gap: draw.below(22) as u8,
            }));
        }
        let targets: Vec<u32> = tokens.iter().map(|_| draw.below(items) as u32).collect();
        let mut candidates = Candidates::new(items);
        candidates.choose(negatives, &Sampler::new(&[7; 23], power), &mut draw);
        let total = tokens.len() as f32;
        let mut value = |network: &Network| {
            let mut pass = Pass::default();
            candidates.gather(&network.items, 32);
            network.forward(packed, &tokens, &mut pass);
            pass.slope.resize(pass.states.len(), 0.0);
            let (mut scores, mut target_slopes, mut gradient) = (Vec::new(), Vec::new(), vec![0.0; candidates.items.len() * 32]);
            let loss = candidates.loss(
                &pass.states,
                &targets,
                &network.items,
                total,
                &mut scores,
                &mut pass.slope,
                &mut target_slopes,
                &mut gradient,
            );
            // Gradients by the items: on their way in, as targets and as candidates.
            let (mut weights, mut inputs) = (vec![0.0; network.parameters.values.len()], Vec::new());
            network.backward(packed, &tokens, &mut pass, &mut weights, &mut inputs);
            let mut vectors = vec![0.0; network.items.len()];
            let mut add = |item: u32, factor: f32, row: &[f32]| {
                for (sum, value) in vectors[item as usize * 32..].iter_mut().zip(row) {
                    *sum += factor * value;
                }
            };
            for (token, row) in tokens.iter().zip(inputs.chunks(32)) {
                add(token.item, 1.0, row);
            }
            for ((&target, &slope), state) in targets.iter().zip(&target_slopes).zip(pass.states.chunks(32)) {
                add(target, slope, state);
            }
            for (&item, row) in candidates.items.iter().zip(gradient.chunks(32)) {
                add(item, 1.0, row);
            }
            (loss, weights, vectors)
        };
        let (_, weights, vectors) = value(&network);
        let mut moved = network.clone();
        compare("items", &network.items, &vectors, &mut draw, |items| {
            moved.items.copy_from_slice(items);
            value(&moved).0
        });
        moved = network.clone();
        compare("weights", &network.parameters.values, &weights, &mut draw, |values| {
            moved.parameters = with(&network.parameters, values);
            value(&moved).0
        });
    }
}

/// A sampled loss estimates the one over all items.
#[test]
fn sampled_softmax_has_the_level_of_the_full_one() {
    let (items, width, tokens) = (400, 16, 60);
    let mut draw = Draw::seeded(6);
    let vectors: Vec<f32> = random(items * width, &mut draw).iter().map(|value| 0.3 * value).collect();
    let states = random(tokens * width, &mut draw);
    let targets: Vec<u32> = (0..tokens).map(|_| draw.below(items) as u32).collect();
    let counts: Vec<u32> = (0..items).map(|_| draw.below(50) as u32).collect();
    let mut loss = |negatives: usize, power: f64, draws: usize| {
        let mut sum = 0.0;
        for _ in 0..draws {
            let mut candidates = Candidates::new(items);
            candidates.choose(negatives, &Sampler::new(&counts, power), &mut draw);
            candidates.gather(&vectors, width);
            let (mut slope, mut gradient) = (vec![0.0; states.len()], vec![0.0; candidates.items.len() * width]);
            sum += candidates.loss(&states, &targets, &vectors, tokens as f32, &mut Vec::new(), &mut slope, &mut Vec::new(), &mut gradient);
        }
        sum / draws as f64
    };
    let full = loss(0, 0.0, 1);
    let expected = states.chunks(width).zip(&targets).map(|(state, &target)| {
        let scores: Vec<f64> = vectors.chunks(width).map(|vector| dot(state, vector)).collect();
        scores.iter().map(|score| score.exp()).sum::<f64>().ln() - scores[target as usize]
    });
    assert!((full - expected.sum::<f64>() / tokens as f64).abs() < 1e-4);
    for power in [0.0, 0.5, 1.0] {
        let sampled = loss(128, power, 40);
        assert!((sampled - full).abs() < 0.03, "power {power}: {sampled}, all items {full}");
    }
}
