//! From offers and limits to a plan: prices on a sample, one pass that settles most customers, prices
//! on the rest, repair.

use rayon::prelude::*;

use crate::candidates::{Candidates, Settled};
use crate::hull;
use crate::moves::Current;
use crate::offers::{Offers, View};
use crate::program::{Pricing, Program};
use crate::repair::{Repaired, Task};
use crate::screen::{NOTHING, OPEN, Prices, Screened, screen};
use crate::smooth::{Cooling, Dual, Found};
use crate::spread::spread;

/// Customers that prices are learnt on without a sample of them: few where larger samples follow, more
/// where all customers do at once.
const DIRECT: usize = 256;
const DIRECT_OF_FEW: usize = 1024;
/// Customers that prices are learnt on first where one may get several promotions.
const WARM: usize = 8_192;
/// A sample has this share of the customers it is drawn from.
const SHARE: usize = 8;
/// Customers next to one another in a sample, and in a large one: memory is read best in long runs.
const RUN: usize = 64;
const LONG_RUN: usize = 8192;
/// Runs of a sample at least.
const MANY_RUNS: usize = 64;
/// Customers of one block of an in-memory pass.
const BLOCK: usize = 1 << 15;
/// Standard deviations of a sample's prices that the box of possible prices reaches.
const SIGMAS: f64 = 3.0;
/// Prices of a sample needn't be found at the coldest temperature: chance moves them farther than smoothing does.
const SAMPLED: f64 = 2.0;
/// Times that the box is widened before every customer is kept open.
const WIDER: usize = 5;

/// Offers that are read block by block: in memory, or from a file larger than it.
pub trait Source: Sync {
    /// Why a block could not be read.
    type Error: Send;
    /// How many blocks.
    fn blocks(&self) -> usize;
    /// Number of the first customer of a block.
    fn first(&self, block: usize) -> usize;
    /// How many customers in all.
    fn customers(&self) -> usize;
    /// Reads a block and hands it over.
    ///
    /// # Errors
    /// What kept it from being read.
    fn read<T>(&self, block: usize, look: impl FnOnce(View<'_>) -> T) -> Result<T, Self::Error>;
}

impl Source for Offers {
    type Error = std::convert::Infallible;

    fn blocks(&self) -> usize {
        self.customers().div_ceil(BLOCK)
    }

    fn first(&self, block: usize) -> usize {
        block * BLOCK
    }

    fn customers(&self) -> usize {
        self.customers()
    }

    fn read<T>(&self, block: usize, look: impl FnOnce(View<'_>) -> T) -> Result<T, Self::Error> {
        Ok(look(self.view(block * BLOCK..((block + 1) * BLOCK).min(self.customers()))))
    }
}

/// Who gets what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Chosen {
    /// The place of each customer's offer, or [`NOTHING`].
    One(Vec<u32>),
    /// The places of each customer's offers.
    Many(Vec<Vec<u32>>),
}

/// A plan in the offers' units.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) value: i64,
    pub(crate) cost: i64,
    /// Customers that get something.
    pub(crate) reached: usize,
    pub(crate) taken: Vec<i64>,
    /// No plan is worth more.
    pub(crate) bound: f64,
    pub(crate) prices: Vec<f64>,
    pub(crate) is_feasible: bool,
    /// Passes over all offers.
    pub(crate) passes: usize,
    pub(crate) open: Candidates,
    pub(crate) current: Current,
}

/// Prices and what they leave open.
struct Priced {
    prices: Vec<f64>,
    bound: f64,
    temperature: f64,
    screened: Screened,
    start: Option<Current>,
    passes: usize,
    /// The box that the pass used.
    used: Option<Prices>,
}

/// Some customers of many in memory: runs of neighbours, evenly spread.
pub(crate) struct Runs<'a> {
    offers: &'a Offers,
    runs: usize,
    length: usize,
}

impl<'a> Runs<'a> {
    pub(crate) fn new(offers: &'a Offers, size: usize) -> Self {
        let length = (size / MANY_RUNS / RUN * RUN).clamp(RUN, LONG_RUN);
        Self { offers, runs: (size / length).max(1), length: length.min(offers.customers()) }
    }
}

impl Source for Runs<'_> {
    type Error = std::convert::Infallible;

    fn blocks(&self) -> usize {
        self.runs
    }

    fn first(&self, block: usize) -> usize {
        block * self.length
    }

    fn customers(&self) -> usize {
        self.runs * self.length
    }

    fn read<T>(&self, block: usize, look: impl FnOnce(View<'_>) -> T) -> Result<T, Self::Error> {
        let from = block * (self.offers.customers() - self.length) / (self.runs - 1).max(1);
        Ok(look(self.offers.view(from..from + self.length)))
    }
}

/// Solves; `places` gets each settled customer's place, for whoever holds them in memory.
pub(crate) fn solve<S: Source>(
    program: &Program,
    source: &S,
    sample: &Offers,
    mut places: Option<&mut [u32]>,
) -> Result<(Outcome, Option<Prices>), S::Error> {
    let limits = program.scaled(1.0);
    let priced = if program.is_one_each() {
        let customers = source.customers();
        let is_few = customers / SHARE < 2 * DIRECT_OF_FEW;
        let direct = if is_few { DIRECT_OF_FEW } else { DIRECT };
        let size = if is_few { direct } else { (customers / SHARE).min(sample.customers().max(direct)) };
        let start = (customers > 2 * direct).then(|| learn(program, sample, size, customers, direct));
        pass(program, source, &limits, start, coldest(source.customers()), places.as_deref_mut())?
    } else {
        whole(program, source, &limits, sample)?
    };
    let task = Task {
        program,
        open: &priced.screened.open,
        settled: &priced.screened.settled,
        prices: &priced.prices,
        temperature: priced.temperature,
        bound: priced.bound,
        customers: source.customers(),
    };
    let Repaired { current, value, taken, is_feasible } = task.run(priced.start);
    if let Some(places) = places {
        for (at, &customer) in priced.screened.open.customer.iter().enumerate() {
            let theirs = priced.screened.open.places(at);
            places[customer as usize] = current.places[at].first().map_or(NOTHING, |&place| theirs[place as usize]);
        }
    }
    let (bound, prices, passes) = (priced.bound, priced.prices, priced.passes);
    let open = &priced.screened.open;
    let of_rows = |(at, places): (usize, &Vec<u32>)| places.iter().map(|&place| i64::from(open.rows(at)[place as usize].cost)).sum::<i64>();
    let cost = priced.screened.settled.cost + current.places.iter().enumerate().map(of_rows).sum::<i64>();
    let settled = usize::try_from(priced.screened.settled.given).unwrap_or(0);
    let reached = settled + current.places.iter().filter(|places| !places.is_empty()).count();
    let outcome = Outcome { cost, reached, value, taken, bound, prices, is_feasible, passes, open: priced.screened.open, current };
    Ok((outcome, priced.used))
}

/// Prices, and how far they may be off for so many customers.
struct Learnt {
    prices: Vec<f64>,
    /// Standard deviations, as prices of offers.
    deviation: Pricing,
    customers: usize,
}

/// Learns prices on `size` of the offers, which stand for `customers`; on fewer of them first, down to `direct`.
fn learn(program: &Program, offers: &Offers, size: usize, customers: usize, direct: usize) -> Learnt {
    let some = Runs::new(offers, size);
    let size = some.customers();
    let limits = program.scaled(size as f64 / customers as f64);
    if size <= direct {
        let screened = Screened { settled: Settled::nothing(limits.len()), open: all_open(&some).unwrap_or_else(|never| match never {}) };
        let Priced { prices, screened, .. } = finish(program, screened, &limits, None, SAMPLED * coldest(size), 0);
        let deviation = spread(program, &screened.open, &screened.settled, &limits, &prices);
        return Learnt { prices, deviation, customers: size };
    }
    let start = learn(program, offers, (size / SHARE).max(direct), customers, direct);
    let (deviation, from) = (start.deviation.clone(), start.customers);
    let Ok(priced) = pass(program, &some, &limits, Some(start), SAMPLED * coldest(size), None);
    let shrunk = (from as f64 / size as f64).sqrt();
    let scaled = |values: &[f64]| values.iter().map(|value| value * shrunk).collect();
    let deviation = Pricing { scale: deviation.scale * shrunk, price: scaled(&deviation.price), fee: scaled(&deviation.fee) };
    Learnt { prices: priced.prices, deviation, customers: size }
}

/// Every customer, nothing settled.
pub(crate) fn all_open<S: Source>(source: &S) -> Result<Candidates, S::Error> {
    let mut open = Candidates::default();
    for block in 0..source.blocks() {
        let from = source.first(block);
        open.append(&source.read(block, |view| Candidates::whole(view, from))?);
    }
    Ok(open)
}

/// One pass at the learnt prices, then prices on what it leaves open; wider, where they end outside.
fn pass<S: Source>(
    program: &Program,
    source: &S,
    limits: &[f64],
    start: Option<Learnt>,
    coldest: f64,
    mut places: Option<&mut [u32]>,
) -> Result<Priced, S::Error> {
    let mut passes = 0;
    let mut prices = start.as_ref().map(|start| start.prices.clone());
    let mut sigmas = SIGMAS;
    for _ in 0..WIDER {
        let (Some(start), Some(at)) = (&start, &prices) else { break };
        let used = around(&program.pricing(at), &start.deviation, sigmas);
        let screened = screen_all(program, source, &used, places.as_deref_mut())?;
        passes += 1;
        let priced = finish(program, screened, limits, Some(at), coldest, passes);
        if used.hold(&program.pricing(&priced.prices)) {
            return Ok(Priced { used: Some(used), ..priced });
        }
        (prices, sigmas) = (Some(priced.prices), sigmas * 2.0);
    }
    let screened = Screened { settled: Settled::nothing(limits.len()), open: all_open(source)? };
    if let Some(places) = places {
        places.fill(OPEN);
    }
    // Prices that were led astray, as by a floor that a sample can't meet, are no start.
    Ok(finish(program, screened, limits, None, coldest, passes + 1))
}

/// Prices around which the best ones are to be found.
fn around(at: &Pricing, deviation: &Pricing, sigmas: f64) -> Prices {
    let end = |sign: f64| {
        // Prices that a sample says nothing of still move a little.
        let moved = |at: &[f64], by: &[f64]| at.iter().zip(by).map(|(at, by)| at + sign * (sigmas * by + 1e-9 * at.abs())).collect();
        Pricing {
            scale: if deviation.scale > 0.0 { (at.scale + sign * sigmas * deviation.scale).max(1.0) } else { at.scale },
            price: moved(&at.price, &deviation.price),
            fee: moved(&at.fee, &deviation.fee),
        }
    };
    Prices { low: end(-1.0), high: end(1.0) }
}

fn screen_all<S: Source>(program: &Program, source: &S, prices: &Prices, places: Option<&mut [u32]>) -> Result<Screened, S::Error> {
    // Each block writes its own part of the places.
    let mut parts: Vec<Option<&mut [u32]>> = Vec::with_capacity(source.blocks());
    let mut rest = places;
    for block in 0..source.blocks() {
        let end = if block + 1 < source.blocks() { source.first(block + 1) } else { source.customers() };
        let length = end - source.first(block);
        parts.push(rest.take().map(|all| {
            let (one, more) = all.split_at_mut(length);
            rest = Some(more);
            one
        }));
    }
    let found: Vec<Screened> = parts
        .into_par_iter()
        .enumerate()
        .map(|(block, part)| source.read(block, |view| screen(program, prices, view, source.first(block), part)))
        .collect::<Result<_, _>>()?;
    let mut all = Screened::nothing(program);
    found.iter().for_each(|one| all.merge(one));
    Ok(all)
}

/// Prices of what is open: by selection for one budget, by Newton's method for more.
fn finish(program: &Program, screened: Screened, limits: &[f64], start: Option<&[f64]>, coldest: f64, passes: usize) -> Priced {
    if program.is_one_budget() {
        #[allow(clippy::cast_possible_truncation, reason = "a limit in whole units, or a part of one")]
        let left = limits[0] as i64 - screened.settled.taken[0];
        let hull::Priced { price, current } = hull::price(&screened.open, left);
        let (mut value, mut cost) = (screened.settled.value, screened.settled.taken[0]);
        for (at, places) in current.places.iter().enumerate() {
            let row = places.first().map(|&place| screened.open.rows(at)[place as usize]);
            value += row.map_or(0, |row| i64::from(row.value));
            cost += row.map_or(0, |row| i64::from(row.cost));
        }
        // Each customer's choice is best at this price.
        let bound = value as f64 + price * (limits[0] - cost as f64);
        let temperature = scale_of(&screened.open) * coldest;
        return Priced { prices: vec![price], bound, temperature, screened, start: Some(current), passes, used: None };
    }
    let found = newton(program, &screened.open, &screened.settled, limits, start, coldest);
    let (bound, temperature) = (found.bound, found.temperature);
    Priced { prices: found.prices, bound, temperature, screened, start: None, passes, used: None }
}

/// Problems where customers may get more than one: nobody is settled by a pass.
fn whole<S: Source>(program: &Program, source: &S, limits: &[f64], sample: &Offers) -> Result<Priced, S::Error> {
    let settled = Settled::nothing(limits.len());
    let start = (source.customers() > 2 * WARM).then(|| {
        let some = Runs::new(sample, WARM.min(sample.customers()));
        let open = all_open(&some).unwrap_or_else(|never| match never {});
        let limits = program.scaled(some.customers() as f64 / source.customers() as f64);
        newton(program, &open, &settled, &limits, None, coldest(some.customers())).prices
    });
    let screened = Screened { settled: Settled::nothing(limits.len()), open: all_open(source)? };
    Ok(finish(program, screened, limits, start.as_deref(), coldest(source.customers()), 1))
}

/// The mean of the largest amount of value among a customer's offers: what a temperature is measured in.
pub(crate) fn scale_of(open: &Candidates) -> f64 {
    let step = open.len().div_ceil(4096).max(1);
    let largest = |at: usize| open.rows(at).iter().map(|row| f64::from(row.value).abs()).fold(0.0, f64::max);
    let of: Vec<f64> = (0..open.len()).step_by(step).map(largest).collect();
    if of.is_empty() { 1.0 } else { (of.iter().sum::<f64>() / of.len() as f64).max(1e-6) }
}

/// The temperature at which some twenty customers are undecided, as a share of the scale.
pub(crate) fn coldest(customers: usize) -> f64 {
    (20.0 / customers.max(1) as f64).clamp(1e-6, 1e-3)
}

pub(crate) fn newton(
    program: &Program,
    open: &Candidates,
    settled: &Settled,
    limits: &[f64],
    start: Option<&[f64]>,
    coldest: f64,
) -> Found {
    let scale = scale_of(open);
    let to = scale * coldest;
    let most = vec![f64::INFINITY; limits.len()];
    let dual = Dual { program, open, settled, limits, most: &most };
    // Below the least that any plan can be worth nothing has to be found: there is no plan.
    let least: f64 = settled.value as f64
        + (0..open.len()).map(|at| open.rows(at).iter().map(|row| f64::from(row.value.min(0))).sum::<f64>()).sum::<f64>();
    let from = if start.is_some() { to * 4.0 } else { scale * 0.3 };
    let zeros = vec![0.0; limits.len()];
    dual.minimise(start.unwrap_or(&zeros), Cooling { from, to, enough: least - 1e-3 * scale })
}
