//! The loop closed on a shop whose truth is known: decide, see what comes of it, learn, decide better.
//!
//! The same customers in the same order for every policy, all of which begin with the same predictions of a small trial.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]
#![allow(clippy::print_stdout, reason = "the table of docs/serving.md")]
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_possible_wrap, reason = "small numbers")]

mod shop;

use nalgebra::{DMatrix, DVector};
use shop::{ARMS, COST, Customer, VISIT, WIDTH};
use youhui_commerce::{Draw, SubjectId};
use youhui_decision::{
    Belief, Candidate, Decision, DecisionId, Exploration, Facts, Learner, Offer, Outcome, Place, Policy, Request, Snapshot, View, decide,
};
use youhui_privacy::{ConsentLedger, Purpose, Status};

/// Customers of the trial that predictions are made from.
const TRIAL: usize = 1_500;
/// Customers who are decided for, and how many between two updates.
const CUSTOMERS: usize = 20_000;
const BATCH: usize = 500;
const SEEDS: u64 = 24;

/// How offers are chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    /// By the predictions of the trial, for ever.
    Static,
    /// By what was learnt, and one in so many by lot.
    EpsilonGreedy(f64),
    Youhui(Policy),
}

/// What there is to show.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Scene {
    /// Two promotions that were tried.
    Known,
    /// One that was tried, and from a fifth of the way on another of which nothing is known: it is thought to change nothing, give or take
    /// what promotions change.
    NewOne,
}

/// When the new one enters.
const ENTERS: usize = CUSTOMERS / 5;
/// How far from nothing promotions are, in cents a customer.
const USUAL: f64 = 10.0;
/// It is the men's.
const NEW: usize = 1;

/// What the response model says of each promotion, and how well it knows.
struct Predictions {
    /// What a promotion adds, by context; of nothing, nothing.
    adds: [DVector<f64>; ARMS],
    std_error: [f64; ARMS],
}

impl Predictions {
    /// A least-squares regression an arm, of a randomised trial.
    fn of_trial(draw: &mut Draw) -> Self {
        let mut squares = vec![DMatrix::<f64>::identity(WIDTH, WIDTH); ARMS];
        let mut sums = vec![DVector::<f64>::zeros(WIDTH); ARMS];
        let mut spread = [0.0; ARMS];
        for number in 0..TRIAL {
            let (customer, arm) = (Customer::draw(draw), number % ARMS);
            let profit = if customer.comes(arm, draw) { VISIT - COST[arm] as f64 } else { 0.0 };
            let context = DVector::from_column_slice(&customer.context);
            squares[arm] += &context * context.transpose();
            sums[arm] += &context * profit;
            spread[arm] += profit * profit;
        }
        let per_arm = (TRIAL / ARMS) as f64;
        let fits: Vec<DVector<f64>> =
            squares.iter().zip(&sums).map(|(square, sum)| square.clone().cholesky().unwrap().solve(sum)).collect();
        let error = |arm: usize| ((spread[arm] + spread[0]) / per_arm / per_arm * WIDTH as f64).sqrt();
        Self { adds: [0, 1, 2].map(|arm| &fits[arm] - &fits[0]), std_error: [0, 1, 2].map(error) }
    }

    /// As if this one had never been tried.
    fn without(mut self, arm: usize) -> Self {
        self.adds[arm].fill(0.0);
        self.std_error[arm] = USUAL;
        self
    }

    fn of(&self, arm: usize, customer: &Customer) -> f64 {
        self.adds[arm].iter().zip(customer.context).map(|(weight, number)| weight * number).sum()
    }
}

/// What one policy came to.
#[derive(Debug, Clone, Default)]
struct Came {
    /// Expected profit over showing nothing to anybody.
    incremental: f64,
    oracle: f64,
    /// Spent on each promotion.
    spent: [i64; ARMS],
    /// (observed, expected, variance) of options by how likely they were said to be.
    calibration: [(f64, f64, f64); 10],
}

/// A limit that is reserved when something is shown, and used or given back when it is known what came of it.
#[derive(Debug, Clone, Copy)]
struct Budget {
    most: i64,
    reserved: i64,
    committed: i64,
}

impl Budget {
    fn has_room(&self, amount: i64) -> bool {
        self.reserved.saturating_add(self.committed).saturating_add(amount) <= self.most
    }

    fn reserve(&mut self, amount: i64) -> bool {
        let has_room = self.has_room(amount);
        self.reserved += if has_room { amount } else { 0 };
        has_room
    }

    fn settle(&mut self, amount: i64, is_used: bool) {
        self.reserved -= amount;
        self.committed += if is_used { amount } else { 0 };
        assert!(self.reserved >= 0 && self.reserved + self.committed <= self.most, "{self:?}");
    }
}

fn run(way: Way, scene: Scene, seed: u64, budget: Option<i64>) -> Came {
    let mut draw = Draw::seeded(seed);
    let predictions = Predictions::of_trial(&mut draw);
    let predictions = if scene == Scene::NewOne { predictions.without(NEW) } else { predictions };
    let mut lots = Draw::seeded(seed ^ 0x5eed);
    let std_errors = [predictions.std_error[1], predictions.std_error[2]];
    let mut learner = Learner::new(WIDTH, &std_errors);
    let exploration = match way {
        Way::Youhui(policy) => Exploration { policy, ..Exploration::default() },
        _ => Exploration { policy: Policy::Greedy, floor: 0.0 },
    };
    let mut snapshot = snapshot(exploration, std_errors);
    let mut budgets = [1, 2].map(|_| Budget { most: budget.unwrap_or(i64::MAX), reserved: 0, committed: 0 });
    let mut came = Came::default();
    let mut waiting: Vec<(usize, Outcome)> = vec![];
    for number in 0..CUSTOMERS {
        // One stream for customers and what they do, whatever is shown.
        let customer = Customer::draw(&mut draw);
        let chance = draw.uniform();
        let is_open = |arm: usize| scene == Scene::Known || arm != NEW || number >= ENTERS;
        let open = [1, 2].map(|arm| is_open(arm) && budgets[arm - 1].has_room(COST[arm]));
        let facts = facts(&snapshot, &customer, &predictions, number, &mut lots, open);
        let decision = decide(&snapshot, &facts);
        let arm = match way {
            Way::EpsilonGreedy(epsilon) if lots.uniform() < epsilon => {
                let open: Vec<usize> = [0].into_iter().chain(facts.places[0].candidates.iter().map(|one| one.offer as usize + 1)).collect();
                open[(lots.uniform() * open.len() as f64) as usize % open.len()]
            }
            _ => decision.places[0].offer.map_or(0, |offer| offer as usize + 1),
        };
        calibrate(&mut came, &decision, number);
        if arm > 0 {
            assert!(budgets[arm - 1].reserve(COST[arm]), "what can't be paid is not shown");
        }
        let is_there = chance < customer.visits(arm);
        came.incremental += customer.worth(arm) - customer.worth(0);
        came.oracle += customer.best(is_open) - customer.worth(0);
        came.spent[arm] += if is_there { COST[arm] } else { 0 };
        let profit = if is_there { VISIT - COST[arm] as f64 } else { 0.0 };
        let predicted = predictions.of(arm, &customer);
        let outcome = Outcome { context: customer.context.to_vec(), shown: arm.checked_sub(1), predicted, profit };
        waiting.push((arm, outcome));
        if waiting.len() == BATCH {
            for (arm, outcome) in waiting.drain(..) {
                if arm > 0 {
                    budgets[arm - 1].settle(COST[arm], outcome.profit > 0.0);
                }
                learner.see(&outcome).unwrap();
            }
            if way != Way::Static {
                let beliefs = learner.posterior().beliefs;
                snapshot.offers.iter_mut().zip(beliefs).for_each(|(offer, belief)| offer.belief = belief);
                snapshot.version += 1;
            }
        }
    }
    for (budget, spent) in budgets.iter().zip(&came.spent[1..]) {
        assert_eq!((budget.reserved, budget.committed), (0, *spent), "every cent is accounted for");
    }
    came
}

fn snapshot(exploration: Exploration, std_errors: [f64; 2]) -> Snapshot {
    let offer = |(name, std_error): (&str, f64)| Offer {
        promotion_id: name.to_owned(),
        campaign_id: "spring".to_owned(),
        campaign_version: 1,
        placements: vec![],
        channels: vec![],
        twin: false,
        predicted: 0.0,
        belief: Belief::prior(WIDTH, std_error),
    };
    let offers = ["mens", "womens"].into_iter().zip(std_errors).map(offer).collect();
    Snapshot { version: 1, width: WIDTH, holdout_share: 0.0, salt: 1, exploration, offers }
}

fn facts(snapshot: &Snapshot, customer: &Customer, predictions: &Predictions, number: usize, lots: &mut Draw, open: [bool; 2]) -> Facts {
    let candidate =
        |offer: u32| Candidate { offer, predicted: Some(predictions.of(offer as usize + 1, customer) as f32), budget_price: 0.0 };
    let place = Place { placement: "home".to_owned(), candidates: (0..2).filter(|offer| open[*offer as usize]).map(candidate).collect() };
    let decision = DecisionId::new(number as i64, lots.bytes16());
    let request = Request { decision, time: number as i64, channel: "web".to_owned(), snapshot: snapshot.version, places: vec![place] };
    let everybody = ConsentLedger::new(Status::Granted, "a simulation");
    let view = View { context: customer.context.to_vec(), kept: vec![] };
    let subject = SubjectId::from_bytes(lots.bytes16());
    Facts::personal(request, everybody.permit(subject, Purpose::Personalisation, view).unwrap())
}

/// Of each decision one option: those of one decision hang together.
fn calibrate(came: &mut Came, decision: &Decision, number: usize) {
    let filled = &decision.places[0];
    if let Some(option) = filled.options.get(number % ARMS) {
        let bin = &mut came.calibration[((option.probability * 10.0) as usize).min(9)];
        bin.0 += f64::from(u8::from(option.offer == filled.offer));
        bin.1 += option.probability;
        bin.2 += option.probability * (1.0 - option.probability);
    }
}

/// Mean and half a 95 % interval over seeds, by Student's t with 23 degrees of freedom.
fn interval(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
    (mean, 2.069 * (variance / count).sqrt())
}

fn runs(way: Way, scene: Scene, budget: Option<i64>) -> Vec<Came> {
    std::thread::scope(|scope| {
        let half = |from: u64| (from..SEEDS).step_by(2).map(|seed| (seed, run(way, scene, seed, budget))).collect::<Vec<_>>();
        let other = scope.spawn(move || half(1));
        let mut all = half(0);
        all.extend(other.join().unwrap());
        all.sort_by_key(|(seed, _)| *seed);
        all.into_iter().map(|(_, came)| came).collect()
    })
}

/// How much of what there was to be had Thompson sampling brings, and how much more than others, in percent of it, over seeds: `least` of the
/// first, with its interval, and more than each of the others, paired intervals above 0, but for those of whom nothing is claimed.
fn brings_more(scene: Scene, least: f64, others: &[(&str, Way)], unclaimed: &[&str]) {
    let youhui = runs(Way::Youhui(Policy::Thompson), scene, None);
    let share = |came: &Came| 100.0 * came.incremental / came.oracle;
    let (mean, half) = interval(&youhui.iter().map(share).collect::<Vec<_>>());
    println!("{scene:?}: Thompson {mean:.1} +- {half:.1} % of the oracle's incremental profit");
    assert!(mean - half > least, "{mean} +- {half}");
    for &(name, way) in others {
        let other = runs(way, scene, None);
        let (level, _) = interval(&other.iter().map(share).collect::<Vec<_>>());
        let more: Vec<f64> = youhui.iter().zip(&other).map(|(one, two)| share(one) - share(two)).collect();
        let (mean, half) = interval(&more);
        println!("{scene:?}: {name} {level:.1} %: Thompson {mean:+.1} +- {half:.1}");
        if !unclaimed.contains(&name) {
            assert!(mean - half > 0.0, "{name}: {mean} +- {half}");
        }
    }
}

const OTHERS: [(&str, Way); 4] = [
    ("the static plan", Way::Static),
    ("epsilon-greedy 0.1", Way::EpsilonGreedy(0.1)),
    ("epsilon-greedy 0.05", Way::EpsilonGreedy(0.05)),
    ("greedy", Way::EpsilonGreedy(0.0)),
];

/// Two promotions of which a trial said something: more than the plan that was made once, and than ε-greedy. The less one explores the better it goes
/// there, for customers differ enough to show what is what (Bastani, Bayati and Khosravi 2021).
#[test]
fn slow_learning_while_serving_brings_more() {
    brings_more(Scene::Known, 70.0, &OTHERS, &["epsilon-greedy 0.05", "greedy"]);
}

/// A promotion of which nothing is known: whoever doesn't explore doesn't find out.
#[test]
fn slow_a_new_promotion_is_found_out() {
    brings_more(Scene::NewOne, 65.0, &OTHERS, &["epsilon-greedy 0.05"]);
}

/// The probabilities that are written down are those that offers are drawn with.
#[test]
fn slow_propensities_are_what_they_say() {
    for policy in [Policy::Thompson, Policy::InverseGap { gamma: 0.5 }] {
        let mut bins = [(0.0, 0.0, 0.0); 10];
        for came in runs(Way::Youhui(policy), Scene::NewOne, None) {
            for (sum, bin) in bins.iter_mut().zip(came.calibration) {
                *sum = (sum.0 + bin.0, sum.1 + bin.1, sum.2 + bin.2);
            }
        }
        let used: Vec<f64> =
            bins.iter().filter(|bin| bin.2 > 5.0).map(|(seen, expected, variance)| (seen - expected).powi(2) / variance).collect();
        let chi: f64 = used.iter().sum();
        println!("{policy:?}: chi-squared {chi:.1} of {} bins", used.len());
        // One in a thousand of a chi-squared of ten degrees of freedom is above that.
        assert!(used.len() >= 3 && chi < 29.6, "{policy:?}: {chi} {bins:?}");
    }
}

/// Budgets that run out are held to the cent, whatever is learnt meanwhile.
#[test]
fn slow_budgets_are_held() {
    for way in [Way::Youhui(Policy::Thompson), Way::EpsilonGreedy(0.1), Way::Static] {
        for came in runs(way, Scene::Known, Some(30_000)) {
            assert!(came.spent[1..].iter().all(|spent| *spent <= 30_000), "{:?}", came.spent);
            assert!(came.spent[1..].iter().any(|spent| *spent > 29_000), "one of them runs out: {:?}", came.spent);
        }
    }
}
