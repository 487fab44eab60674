//! The plan: what each candidate would bring from each customer, who gets what for the budget, and
//! what of it is shipped.

use serde::Serialize;
use youhui_allocation::{CurvePoint, Offer, Solution, budget_curve, solve};
use youhui_commerce::SubjectId;
use youhui_design::menu::{Menu, MenuTerms};
use youhui_design::{Candidate, Proposal, Replayed};
use youhui_evaluation::{Comparison, Estimate};
use youhui_privacy::PermittedProfile;
use youhui_response::descriptor::{Descriptor, Moderators, basis};
use youhui_response::effect::RestsOn;
use youhui_response::{Effect, EffectModel};

use super::customers::{Customers, Loaded, Profile};
use super::judge::Judged;

/// Share of customers drawn by lot who get nothing, so that the next effect can be measured.
pub(crate) const HOLDOUT_SHARE: f64 = 0.10;

/// One promotion for one customer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Offering {
    pub(crate) candidate: usize,
    replayed: Replayed,
    /// Expected change of contribution before the promotion's own cost, major units in 28 days.
    pub(crate) effect: Effect,
    /// What the promotion costs with nobody changing anything, and the contact, in major units.
    pub(crate) cost: f64,
}

impl Offering {
    /// Expected incremental profit.
    pub(crate) fn profit(&self) -> f64 {
        self.effect.mean - self.cost
    }
}

/// What a customer gets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Assignment {
    /// A place in the customer's offerings.
    pub(crate) offering: Option<usize>,
    pub(crate) mode: Mode,
    /// Probability of what the customer gets, given everything but the lot.
    pub(crate) propensity: f64,
}

/// Why a customer gets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mode {
    Personalised,
    Fallback,
    Holdout,
}

impl Mode {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Personalised => "personalised",
            Self::Fallback => "fallback",
            Self::Holdout => "holdout",
        }
    }
}

/// What is shipped: invariant 9.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Shipped {
    Personalised,
    BestSingle,
    Nobody,
}

impl Shipped {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Personalised => "personalised",
            Self::BestSingle => "best_single",
            Self::Nobody => "nobody",
        }
    }
}

/// A policy as it would run from the data's end on, by prediction only.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Forecast {
    pub(crate) customers: usize,
    pub(crate) spent: f64,
    #[serde(flatten)]
    pub(crate) profit: Estimate,
}

/// A point of the budget curve, major units.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct BudgetPoint {
    pub(crate) budget: f64,
    /// Of the best plan with it, up to a fraction of one customer.
    pub(crate) profit: f64,
    /// Profit that one more unit of money would bring.
    pub(crate) next_unit_brings: f64,
}

/// What budgets are worth, from nothing to everything worthwhile.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Curve {
    pub(crate) points: Vec<BudgetPoint>,
    /// From here on a unit of money brings less than a unit of profit.
    pub(crate) worth_spending: BudgetPoint,
}

/// Points of the curve.
const BUDGETS: usize = 50;

/// The plan and everything that led to it.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Minor units.
    pub(crate) budget: i64,
    /// What is offered at all.
    pub(crate) menu: Menu,
    /// By customer, in the order of the profiles; of what is on the menu.
    pub(crate) offerings: Vec<Vec<Offering>>,
    pub(crate) solution: Solution,
    pub(crate) curve: Curve,
    pub(crate) shipped: Shipped,
    pub(crate) why: String,
    /// What is shipped, by customer.
    pub(crate) assignments: Vec<Assignment>,
    /// What personalisation would do, shipped or not.
    pub(crate) proposed: Forecast,
    pub(crate) forecast: Forecast,
    /// Policies from the data's end on, by prediction.
    pub(crate) predicted: Vec<Comparison>,
    pub(crate) trial: Option<Trial>,
}

/// The randomised trial that would settle the question.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Trial {
    /// Incremental profit a customer that the plan expects and the trial should be able to see.
    pub(crate) effect: f64,
    /// Standard deviation of a customer's 28-day contribution beyond what is foreseen.
    pub(crate) deviation: f64,
    /// Customers in each of two arms for 80 % power at 5 %.
    pub(crate) customers_per_arm: f64,
}

/// What the plan is asked to do. Money in minor units.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    /// `None`: 1 % of the last 28 days' revenue.
    pub(crate) budget: Option<i64>,
    pub(crate) contact_cost: i64,
    pub(crate) seed: u64,
}

/// What each candidate would bring from each customer of its audience.
pub(crate) fn predict(
    loaded: &Loaded,
    customers: &Customers,
    proposal: &Proposal,
    model: Option<&EffectModel>,
    contact: i64,
) -> Vec<Vec<Offering>> {
    let mut offerings = vec![Vec::new(); customers.profiles.len()];
    let Some(model) = model else { return offerings };
    let minor = loaded.shop.currency.minor_units() as f64;
    for (number, candidate) in proposal.candidates.iter().enumerate() {
        for (place, replayed) in &candidate.audience {
            let x = basis_of(model, candidate, &customers.profiles[*place], replayed, minor);
            let cost = (replayed.cost + contact as f64) / minor;
            offerings[*place].push(Offering { candidate: number, replayed: *replayed, effect: model.predict(&x), cost });
        }
    }
    offerings
}

fn basis_of(model: &EffectModel, candidate: &Candidate, profile: &PermittedProfile<Profile>, replayed: &Replayed, minor: f64) -> Vec<f64> {
    let saving = replayed.saving / minor;
    match model.rests_on {
        RestsOn::Prices(_) => EffectModel::price_basis(saving, candidate.figures.margin),
        RestsOn::Campaigns { .. } => {
            let profile = profile.profile();
            let moderators = Moderators::of(&profile.features, minor, profile.coordinates);
            basis(Descriptor { saving, affinity: replayed.affinity }, &moderators).to_vec()
        }
    }
}

/// Spends the budget, and decides what is shipped.
pub(crate) fn plan(
    loaded: &Loaded,
    customers: &Customers,
    proposal: &Proposal,
    model: Option<&EffectModel>,
    judged: Option<&Judged>,
    terms: Terms,
) -> Plan {
    let mut offerings = predict(loaded, customers, proposal, model, terms.contact_cost);
    let minor = loaded.shop.currency.minor_units() as f64;
    let budget = budget_of(customers, terms.budget);
    let held_out: Vec<bool> = customers.profiles.iter().map(|profile| is_held_out(profile.subject(), terms.seed)).collect();
    let menu = super::menu::choose(&mut offerings, &held_out, proposal, budget as f64 / minor, MenuTerms::default().most);
    let priced: Vec<Vec<Offer>> = offerings
        .iter()
        .zip(&held_out)
        .map(|(theirs, held_out)| if *held_out { vec![] } else { theirs.iter().map(|offering| priced(offering, minor)).collect() })
        .collect();
    let solution = solve(&priced, budget);
    // Beyond `worth` a unit of money brings less than a unit of profit.
    let (points, worth) = budget_curve(&priced, BUDGETS, 1.0 / minor);
    let of_point =
        |point: &CurvePoint| BudgetPoint { budget: point.budget / minor, profit: point.value, next_unit_brings: point.price * minor };
    let curve = Curve { points: points.iter().map(of_point).collect(), worth_spending: of_point(&worth) };
    let policies =
        Policies { loaded, customers, proposal, model, offerings: &offerings, held_out: &held_out, budget: budget as f64 / minor };
    let personalised: Vec<Option<(usize, f64)>> = solution.choices.iter().map(|choice| choice.map(|offering| (offering, 1.0))).collect();
    let proposed = policies.forecast(&personalised);
    let best_single = policies.best_single();
    let predicted = policies.comparisons(&personalised, best_single);
    let single = best_single.map(|candidate| policies.give_to_a_lot(candidate, terms.seed));
    let single_forecast = single.as_ref().map(|given| policies.forecast(given));
    let (shipped, why) = ship(judged, &proposed, single_forecast.as_ref(), model);
    let given = match (shipped, single) {
        (Shipped::Personalised, _) => personalised,
        (Shipped::BestSingle, Some(single)) => single,
        _ => vec![None; offerings.len()],
    };
    let share = given.iter().flatten().count() as f64 / held_out.iter().filter(|held_out| !**held_out).count().max(1) as f64;
    let assignments = given
        .iter()
        .zip(&held_out)
        .map(|(given, &held_out)| assignment(shipped, given.map(|(offering, _)| offering), held_out, share))
        .collect();
    let forecast = policies.forecast(&given);
    let trial = judged.and_then(|judged| trial(&proposed, judged));
    Plan { budget, menu, curve, shipped, why, assignments, proposed, forecast, predicted, trial, solution, offerings }
}

/// The budget in minor units: 1 % of the last 28 days' revenue where none is given.
pub(crate) fn budget_of(customers: &Customers, budget: Option<i64>) -> i64 {
    let revenue: i64 = customers.profiles.iter().map(|profile| profile.profile().features.recent_amount[0]).sum();
    budget.unwrap_or_else(|| youhui_profile::shop::to_minor(revenue as f64 / 100.0)).max(0)
}

fn priced(offering: &Offering, minor: f64) -> Offer {
    // Rounded up: the sum of roundings never exceeds the budget.
    Offer { value: offering.profit(), cost: youhui_profile::shop::to_minor((offering.cost * minor - 1e-6).ceil()) }
}

/// Drawn by lot from the identifier, so that a customer stays in or out from run to run.
fn is_held_out(subject: SubjectId, seed: u64) -> bool {
    subject.unit_interval(seed ^ 0x401D) < HOLDOUT_SHARE
}

fn assignment(shipped: Shipped, offering: Option<usize>, held_out: bool, share: f64) -> Assignment {
    if held_out {
        return Assignment { offering: None, mode: Mode::Holdout, propensity: HOLDOUT_SHARE };
    }
    let (mode, chance) = match shipped {
        Shipped::Personalised => (Mode::Personalised, 1.0),
        Shipped::Nobody => (Mode::Fallback, 1.0),
        Shipped::BestSingle if offering.is_some() => (Mode::Fallback, share),
        Shipped::BestSingle => (Mode::Fallback, 1.0 - share),
    };
    Assignment { offering, mode, propensity: (1.0 - HOLDOUT_SHARE) * chance }
}

/// Personalised only where it was measured to be better than the best single promotion and than
/// nothing; the best single only where that was measured to be better than nothing.
fn ship(judged: Option<&Judged>, proposed: &Forecast, single: Option<&Forecast>, model: Option<&EffectModel>) -> (Shipped, String) {
    let Some(judged) = judged else {
        let what = match model.map(|model| model.rests_on) {
            None => "There is nothing to learn an effect from: no campaign was recorded and prices hardly moved",
            Some(RestsOn::Prices(_)) => {
                "No campaign was recorded, so nothing could be judged: effects are predicted from how sales followed prices"
            }
            Some(RestsOn::Campaigns { .. }) => "Too few campaigns were recorded to learn from some and judge others",
        };
        return (Shipped::Nobody, format!("{what}. The plan falls back to giving nobody anything until a randomised trial says otherwise"));
    };
    let row = |name: &str| judged.comparisons.iter().find(|row| row.policy == name).map(|row| row.estimate);
    let credible = |estimate: Option<Estimate>| estimate.is_some_and(|estimate| estimate.is_credibly_positive());
    let expects = |forecast: Option<&Forecast>| forecast.is_some_and(|forecast| forecast.profit.is_credibly_positive());
    if judged.over_best_single.is_credibly_positive() && credible(row("personalised")) && expects(Some(proposed)) {
        return (Shipped::Personalised, "Choosing for each customer was credibly better than the best single promotion".to_owned());
    }
    let unproven = "Choosing for each customer was not credibly better than the best single promotion on campaigns it had not seen";
    if credible(row("best_single")) && expects(single) {
        return (
            Shipped::BestSingle,
            format!("{unproven}. The plan falls back to the best single promotion, which was credibly better than nothing"),
        );
    }
    (Shipped::Nobody, format!("{unproven}, and neither is credibly better than nothing. The plan falls back to giving nobody anything"))
}

/// Customers an arm for 80 % power at 5 %: 2 (1.96 + 0.84)² σ² / δ².
fn trial(proposed: &Forecast, judged: &Judged) -> Option<Trial> {
    let effect = proposed.profit.value / proposed.customers.max(1) as f64;
    let deviation = judged.residual_deviation;
    (effect > 0.0).then(|| Trial {
        effect,
        deviation,
        customers_per_arm: (2.0 * (1.96_f64 + 0.84).powi(2) * (deviation / effect).powi(2)).ceil(),
    })
}

/// Ways to spend the budget from the data's end on.
struct Policies<'a> {
    loaded: &'a Loaded,
    customers: &'a Customers,
    proposal: &'a Proposal,
    model: Option<&'a EffectModel>,
    offerings: &'a [Vec<Offering>],
    held_out: &'a [bool],
    /// Major units.
    budget: f64,
}

impl Policies<'_> {
    /// Expected profit of giving each customer at most one offering with a probability.
    fn forecast(&self, given: &[Option<(usize, f64)>]) -> Forecast {
        let all: Vec<Vec<(usize, f64)>> = given.iter().map(|given| given.iter().copied().collect()).collect();
        self.forecast_mixed(&all)
    }

    /// The same with several offerings a customer, each with its probability.
    fn forecast_mixed(&self, given: &[Vec<(usize, f64)>]) -> Forecast {
        let minor = self.loaded.shop.currency.minor_units() as f64;
        let mut points: Vec<(Vec<f64>, f64, usize)> = Vec::new();
        let mut spent = 0.0;
        for (place, given) in given.iter().enumerate() {
            for &(offering, probability) in given {
                let offering = &self.offerings[place][offering];
                let candidate = &self.proposal.candidates[offering.candidate];
                spent += probability * offering.cost;
                if let Some(model) = self.model {
                    let x = basis_of(model, candidate, &self.customers.profiles[place], &offering.replayed, minor);
                    points.push((x, probability, offering.candidate));
                }
            }
        }
        let customers = given.iter().filter(|given| !given.is_empty()).count();
        let effect = self.model.map_or(Effect { mean: 0.0, std_error: 0.0 }, |model| {
            model.predict_sum(points.iter().map(|(x, weight, promotion)| (x.as_slice(), *weight, *promotion)))
        });
        Forecast { customers, spent, profit: Estimate::normal(effect.mean - spent, effect.std_error, customers) }
    }

    /// Places of everybody outside the holdout to whom `candidate` could be given, with the place
    /// of the offering.
    fn audience(&self, candidate: usize) -> Vec<(usize, usize)> {
        let of = |place: usize| self.offerings[place].iter().position(|offering| offering.candidate == candidate);
        (0..self.offerings.len())
            .filter(|&place| !self.held_out[place])
            .filter_map(|place| of(place).map(|offering| (place, offering)))
            .collect()
    }

    /// The share of the audience that the budget can pay for.
    fn affordable(&self, audience: &[(usize, usize)]) -> f64 {
        let cost: f64 = audience.iter().map(|&(place, offering)| self.offerings[place][offering].cost).sum();
        if cost > self.budget { self.budget / cost } else { 1.0 }
    }

    /// The candidate that is worth most when its audience gets it by lot as far as the budget goes.
    fn best_single(&self) -> Option<usize> {
        let mut worth = vec![(0.0, 0.0, 0_usize); self.proposal.candidates.len()];
        for (theirs, held_out) in self.offerings.iter().zip(self.held_out) {
            for offering in theirs.iter().filter(|_| !held_out) {
                let (profit, cost, customers) = &mut worth[offering.candidate];
                *profit += offering.profit();
                *cost += offering.cost;
                *customers += 1;
            }
        }
        let value = |&(profit, cost, _): &(f64, f64, usize)| if cost > self.budget { profit * self.budget / cost } else { profit };
        (0..worth.len())
            .filter(|&candidate| worth[candidate].2 > 0)
            .max_by(|&one, &two| value(&worth[one]).total_cmp(&value(&worth[two])).then(two.cmp(&one)))
    }

    /// The candidate given to its audience in the order of a lot, as far as the budget goes.
    fn give_to_a_lot(&self, candidate: usize, seed: u64) -> Vec<Option<(usize, f64)>> {
        let mut audience = self.audience(candidate);
        let lot = |place: usize| self.customers.profiles[place].subject().unit_interval(seed ^ 0x107);
        audience.sort_by(|one, two| lot(one.0).total_cmp(&lot(two.0)).then(one.0.cmp(&two.0)));
        let mut given = vec![None; self.offerings.len()];
        let mut left = self.budget;
        for (place, offering) in audience {
            left -= self.offerings[place][offering].cost;
            if left < 0.0 {
                break;
            }
            given[place] = Some((offering, 1.0));
        }
        given
    }

    fn comparisons(&self, personalised: &[Option<(usize, f64)>], best_single: Option<usize>) -> Vec<Comparison> {
        let nobody = vec![None; self.offerings.len()];
        let mut single = vec![None; self.offerings.len()];
        if let Some(candidate) = best_single {
            let audience = self.audience(candidate);
            let share = self.affordable(&audience);
            audience.iter().for_each(|&(place, offering)| single[place] = Some((offering, share)));
        }
        let rows = [
            ("nobody", self.forecast(&nobody)),
            ("best_single", self.forecast(&single)),
            ("random", self.forecast_mixed(&self.random())),
            ("twin", self.forecast_mixed(&self.twin(personalised))),
            ("personalised", self.forecast(personalised)),
        ];
        let unit = format!("{} of contribution in 28 days, all customers together, predicted", self.loaded.shop.currency.code());
        rows.map(|(policy, forecast)| Comparison {
            policy: policy.to_owned(),
            estimate: forecast.profit,
            spent: forecast.spent,
            given: forecast.customers as f64,
            unit: unit.clone(),
        })
        .to_vec()
    }

    /// Any of the customer's offerings, as far as the budget goes.
    fn random(&self) -> Vec<Vec<(usize, f64)>> {
        let even: Vec<Vec<(usize, f64)>> = self
            .offerings
            .iter()
            .zip(self.held_out)
            .map(
                |(theirs, held_out)| {
                    if *held_out { vec![] } else { (0..theirs.len()).map(|place| (place, 1.0 / theirs.len() as f64)).collect() }
                },
            )
            .collect();
        self.scaled(even)
    }

    /// The personalised plan's promotions to as many customers of each one's audience, by lot.
    fn twin(&self, personalised: &[Option<(usize, f64)>]) -> Vec<Vec<(usize, f64)>> {
        let candidates = self.proposal.candidates.len();
        let (mut given, mut audience) = (vec![0.0; candidates], vec![0.0_f64; candidates]);
        for (place, theirs) in self.offerings.iter().enumerate().filter(|(place, _)| !self.held_out[*place]) {
            theirs.iter().for_each(|offering| audience[offering.candidate] += 1.0);
            if let Some((offering, _)) = personalised[place] {
                given[theirs[offering].candidate] += 1.0;
            }
        }
        let by_lot: Vec<Vec<(usize, f64)>> = self
            .offerings
            .iter()
            .zip(self.held_out)
            .map(|(theirs, held_out)| {
                let share = |candidate: usize| given[candidate] / audience[candidate].max(1.0);
                let offered = theirs.iter().enumerate().map(|(place, offering)| (place, share(offering.candidate)));
                if *held_out { vec![] } else { offered.filter(|(_, share)| *share > 0.0).collect() }
            })
            .collect();
        self.scaled(by_lot)
    }

    /// Scales probabilities down so that their cost is within the budget.
    fn scaled(&self, mut given: Vec<Vec<(usize, f64)>>) -> Vec<Vec<(usize, f64)>> {
        let cost: f64 = given
            .iter()
            .enumerate()
            .flat_map(|(place, given)| given.iter().map(move |(offering, probability)| (place, offering, probability)))
            .map(|(place, offering, probability)| probability * self.offerings[place][*offering].cost)
            .sum();
        if cost > self.budget {
            given.iter_mut().flatten().for_each(|(_, probability)| *probability *= self.budget / cost);
        }
        given
    }
}
