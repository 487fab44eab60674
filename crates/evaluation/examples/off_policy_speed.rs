//! Off-policy evaluation of many rounds × 80 actions with 1,000 bootstrap draws: nine estimators, as
//! `benches/peers/evaluation/speed_off_policy.py` times obp on the same numbers.
//!
//! `cargo run --release -p youhui-evaluation --example off_policy_speed -- [rounds] [block]`. Without `block` the matrices
//! rounds × actions of target policy and reward model lie in memory, as obp needs them; with it they are made for a
//! block of so many rounds at a time, and memory doesn't grow with the rounds.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "prints what it measures")]

use std::ops::Range;
use std::time::{Duration, Instant};

use rayon::prelude::*;
use youhui_evaluation::off_policy::estimators::{
    DirectMethod, DoublyRobust, DoublyRobustShrinkage, InverseProbabilityWeighting, SelfNormalisedDoublyRobust, SelfNormalisedIpw,
    SubGaussianDoublyRobust, SubGaussianIpw, SwitchDoublyRobust,
};
use youhui_evaluation::off_policy::{Bootstrap, Estimator, Evaluation, Expected, Log, Options, Report, Shape, Target, weigh};

const ACTIONS: usize = 80;

/// A number in [0, 1) from a stream and a place in it: SplitMix64's finaliser.
fn uniform(stream: u64, place: u64) -> f64 {
    let z = ((stream << 48) ^ place).wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

struct Block {
    first_row: u64,
    action: Vec<u32>,
    reward: Vec<f64>,
    propensity: Vec<f64>,
    target: Vec<f64>,
    expected: Vec<f64>,
}

/// Rounds whose target policy and reward model differ from round to round; a logging policy that doesn't.
fn block(rounds: Range<u64>) -> Block {
    let habit: Vec<f64> = (0..ACTIONS as u64).map(|action| 0.5 + uniform(1, action)).collect();
    let all: f64 = habit.iter().sum();
    let count = usize::try_from(rounds.end - rounds.start).unwrap();
    let (mut target, mut expected) = (vec![0.0; count * ACTIONS], vec![0.0; count * ACTIONS]);
    let fill = |(place, (target, expected)): (usize, (&mut [f64], &mut [f64]))| {
        let first = (rounds.start + place as u64) * ACTIONS as u64;
        for (entry, (target, expected)) in (first..).zip(target.iter_mut().zip(expected)) {
            let wish = uniform(2, entry);
            (*target, *expected) = (0.05 + wish * wish, 0.05 + 0.1 * uniform(3, entry));
        }
        let sum: f64 = target.iter().sum();
        target.iter_mut().for_each(|value| *value /= sum);
    };
    target.par_chunks_mut(ACTIONS).zip(expected.par_chunks_mut(ACTIONS)).enumerate().for_each(fill);
    let (mut action, mut reward, mut propensity) = (vec![], vec![], vec![]);
    for round in rounds.clone() {
        let (mut rest, mut drawn) = (uniform(4, round) * all, 0);
        while drawn + 1 < ACTIONS && rest >= habit[drawn] {
            rest -= habit[drawn];
            drawn += 1;
        }
        let chance = 0.5 * uniform(3, round * ACTIONS as u64 + drawn as u64) * 0.2 + 0.05;
        action.push(u32::try_from(drawn).unwrap());
        reward.push(f64::from(u8::from(uniform(5, round) < chance)));
        propensity.push(habit[drawn] / all);
    }
    Block { first_row: rounds.start, action, reward, propensity, target, expected }
}

fn estimators() -> Vec<Box<dyn Estimator>> {
    vec![
        Box::new(InverseProbabilityWeighting::plain()),
        Box::new(SelfNormalisedIpw),
        Box::new(DirectMethod),
        Box::new(DoublyRobust::plain()),
        Box::new(SelfNormalisedDoublyRobust),
        Box::new(SwitchDoublyRobust::new(2.0).unwrap()),
        Box::new(DoublyRobustShrinkage::new(10.0).unwrap()),
        Box::new(SubGaussianIpw::new(0.1).unwrap()),
        Box::new(SubGaussianDoublyRobust::new(0.1).unwrap()),
    ]
}

/// Checks, weighs and takes in a block.
fn take_in(evaluation: &mut Evaluation, block: &Block) {
    let log = Log {
        action: &block.action,
        position: None,
        reward: &block.reward,
        propensity: &block.propensity,
        customer: None,
        first_row: block.first_row,
    };
    let weighed = weigh(Shape::of_actions(ACTIONS), &log, Target::Dense(&block.target), Expected::Dense(&block.expected)).unwrap();
    evaluation.add(&weighed).unwrap();
}

/// With or without bootstrap, and how long it took.
fn evaluate(rounds: u64, block_rounds: u64, blocks: Option<&[Block]>, draws: Option<usize>) -> (Report, Duration) {
    let bootstrap = draws.map(|draws| Bootstrap { draws, seed: 1 });
    let mut evaluation = Evaluation::new(estimators(), Options { bootstrap, ..Options::default() }).unwrap();
    let mut taken = Duration::ZERO;
    let mut timed = |block: &Block| {
        let start = Instant::now();
        take_in(&mut evaluation, block);
        taken += start.elapsed();
    };
    match blocks {
        Some(blocks) => blocks.iter().for_each(&mut timed),
        None => (0..rounds.div_ceil(block_rounds))
            .for_each(|number| timed(&block(number * block_rounds..((number + 1) * block_rounds).min(rounds)))),
    }
    let start = Instant::now();
    let report = evaluation.finish().unwrap();
    (report, taken + start.elapsed())
}

/// Peak memory of this process, where the system tells.
fn peak_megabytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? / 1_024.0)
}

fn main() {
    let mut numbers = std::env::args().skip(1).map(|number| number.parse::<u64>().unwrap());
    let (rounds, block_rounds) = (numbers.next().unwrap_or(1_000_000), numbers.next());
    let whole = if block_rounds.is_none() { vec![block(0..rounds)] } else { Vec::new() };
    let blocks = block_rounds.is_none().then_some(whole.as_slice());
    let size = block_rounds.unwrap_or(rounds);
    let (_, plain) = evaluate(rounds, size, blocks, None);
    let (report, bootstrapped) = evaluate(rounds, size, blocks, Some(1_000));
    for value in &report.values {
        let (normal, bootstrap) = (value.normal.unwrap(), value.bootstrap.unwrap());
        println!(
            "{:16} {:.12} normal [{:.6}, {:.6}] bootstrap [{:.6}, {:.6}]",
            value.estimator,
            value.value.unwrap(),
            normal.low,
            normal.high,
            bootstrap.low,
            bootstrap.high
        );
    }
    let threads = rayon::current_num_threads();
    println!("{rounds} rounds x {ACTIONS} actions, {threads} threads: values and normal intervals {:.3} s", plain.as_secs_f64());
    println!("with 1,000 bootstrap draws {:.3} s", bootstrapped.as_secs_f64());
    if let Some(peak) = peak_megabytes() {
        println!("peak memory {peak:.0} MB");
    }
}
