//! Constraints as resources: what each offer takes of each, and what is there of it.
//!
//! Every constraint has the form Σ taken ≤ limit in whole numbers; a floor takes negative amounts. The
//! dual prices λ ≥ 0 of resources turn an offer's value v into its reduced value v − Σ λ·taken.

use nalgebra::DMatrix;

use crate::constraints::Constraints;
use crate::offers::Row;

/// What names and amounts of [`Constraints`] mean in the offers' numbers.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// Names of promotions, in the order of their numbers.
    pub promotions: &'a [String],
    /// Names of segments, in the order of their numbers; empty where offers have none.
    pub segments: &'a [String],
    /// A unit of value in the file's.
    pub value_unit: f64,
    /// A unit of cost in the file's.
    pub cost_unit: f64,
    /// Money to spend at most, in the file's unit; `None`: no limit.
    pub budget: Option<f64>,
    /// Whether values are whole units, none rounded.
    pub exact_values: bool,
    /// Whether costs are whole units, none rounded up.
    pub exact_costs: bool,
}

/// Why constraints can't be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct ConstraintError(pub String);

/// What a resource is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measure {
    /// Units of cost.
    Money,
    /// Promotions given.
    Count,
    /// Units of value that are missing for the return on spend.
    Return,
}

/// One constraint: Σ taken ≤ limit, or with `floor` −Σ taken ≤ −limit.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Resource {
    /// `budget`, `promotion a: budget` …
    pub(crate) name: String,
    /// Of what: a promotion, a segment, or all.
    pub(crate) of: Of,
    pub(crate) measure: Measure,
    pub(crate) floor: bool,
    /// As written; with `floor` the least.
    pub(crate) limit: i64,
}

impl Resource {
    /// What one unit of it is in the file's numbers.
    pub(crate) const fn unit(&self, terms: Terms<'_>) -> f64 {
        match self.measure {
            Measure::Money => terms.cost_unit,
            Measure::Count => 1.0,
            Measure::Return => terms.value_unit,
        }
    }

    /// Whether one is a floor and the other a cap of the same amounts.
    fn is_opposite(&self, other: &Self) -> bool {
        (self.of, self.measure) == (other.of, other.measure) && self.floor != other.floor
    }

    /// Of opposites: whether the floor is above the cap.
    const fn contradicts(&self, other: &Self) -> bool {
        let (floor, cap) = if self.floor { (self, other) } else { (other, self) };
        floor.limit > cap.limit
    }
}

/// Whole units as the file's amount. Of a hundredth 19,998 are 199.98, which times 0.01 are not.
pub(crate) fn in_file_units(units: f64, unit: f64) -> f64 {
    let per_one = (1.0 / unit).round();
    if 1.0 / per_one == unit { units / per_one } else { units * unit }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    Everything,
    Promotion(u32),
    Segment(u32),
}

/// The whole problem beside its offers.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub(crate) resources: Vec<Resource>,
    pub(crate) promotions: usize,
    pub(crate) segments: usize,
    /// Return on spend in units of value over units of cost.
    return_on_spend: f64,
    /// Resources of each (segment, promotion), at segment * promotions + promotion.
    touches: Vec<Vec<u32>>,
    pub(crate) per_customer: usize,
    /// (promotions, how many of them a customer may get).
    pub(crate) groups: Vec<(Vec<u32>, usize)>,
    /// Whether only limits count, not what offers are worth.
    pub(crate) is_blind: bool,
}

impl Program {
    /// Looks names up and turns money into units: caps rounded down, floors up.
    ///
    /// # Errors
    /// A name that no offer has, an amount that is no amount.
    pub(crate) fn new(constraints: &Constraints, terms: Terms<'_>) -> Result<Self, ConstraintError> {
        let mut program = Self {
            resources: Vec::new(),
            promotions: terms.promotions.len(),
            segments: terms.segments.len().max(1),
            return_on_spend: 0.0,
            touches: Vec::new(),
            per_customer: constraints.per_customer.unwrap_or(1) as usize,
            groups: Vec::new(),
            is_blind: false,
        };
        if program.per_customer == 0 {
            return Err(ConstraintError("per_customer is 0: give at least 1, or nobody gets anything".to_owned()));
        }
        if let Some(budget) = terms.budget {
            program.add("budget".to_owned(), Of::Everything, Measure::Money, false, money("budget", budget, terms, false)?);
        }
        program.add_promotions(constraints, terms)?;
        program.add_segments(constraints, terms)?;
        program.add_return(constraints, terms)?;
        program.add_groups(constraints, terms)?;
        program.index();
        Ok(program)
    }

    fn add(&mut self, name: String, of: Of, measure: Measure, floor: bool, limit: i64) {
        self.resources.push(Resource { name, of, measure, floor, limit });
    }

    fn add_promotions(&mut self, constraints: &Constraints, terms: Terms<'_>) -> Result<(), ConstraintError> {
        let mut seen = Vec::new();
        for limit in &constraints.promotion {
            let promotion = place("promotion", &limit.name, terms.promotions)?;
            once("promotion", &limit.name, &mut seen)?;
            if limit.budget.is_none() && limit.count.is_none() {
                return Err(ConstraintError(format!("promotion {:?} has no limit: give it a budget or a count", limit.name)));
            }
            let of = Of::Promotion(promotion);
            if let Some(budget) = limit.budget {
                let name = format!("promotion {}: budget", limit.name);
                let limit = money(&name, budget, terms, false)?;
                self.add(name, of, Measure::Money, false, limit);
            }
            if let Some(count) = limit.count {
                self.add(format!("promotion {}: count", limit.name), of, Measure::Count, false, number(count));
            }
        }
        Ok(())
    }

    fn add_segments(&mut self, constraints: &Constraints, terms: Terms<'_>) -> Result<(), ConstraintError> {
        let mut seen = Vec::new();
        for limit in &constraints.segment {
            if terms.segments.is_empty() {
                let message = format!("segment {:?} is limited, but the offers have no column segment: add it", limit.name);
                return Err(ConstraintError(message));
            }
            let segment = place("segment", &limit.name, terms.segments)?;
            once("segment", &limit.name, &mut seen)?;
            let of = Of::Segment(segment);
            for (word, amount, floor) in [("floor", limit.floor, true), ("budget", limit.budget, false)] {
                if let Some(amount) = amount {
                    let name = format!("segment {}: {word}", limit.name);
                    let limit = money(&name, amount, terms, floor)?;
                    self.add(name, of, Measure::Money, floor, limit);
                }
            }
            for (word, count, floor) in [("at_least", limit.at_least, true), ("count", limit.count, false)] {
                if let Some(count) = count {
                    self.add(format!("segment {}: {word}", limit.name), of, Measure::Count, floor, number(count));
                }
            }
        }
        Ok(())
    }

    fn add_return(&mut self, constraints: &Constraints, terms: Terms<'_>) -> Result<(), ConstraintError> {
        let Some(least) = constraints.return_on_spend else { return Ok(()) };
        if !least.is_finite() || least < 0.0 {
            return Err(ConstraintError(format!("return_on_spend is {least}: give a number from 0 up, as 1.5")));
        }
        self.return_on_spend = least * terms.cost_unit / terms.value_unit;
        self.add("return_on_spend".to_owned(), Of::Everything, Measure::Return, false, 0);
        Ok(())
    }

    fn add_groups(&mut self, constraints: &Constraints, terms: Terms<'_>) -> Result<(), ConstraintError> {
        let rules = constraints.incompatible.iter().map(|names| ("incompatible", names, 1));
        let rules = rules.chain(constraints.contact.iter().map(|limit| ("contact", &limit.promotions, limit.most as usize)));
        for (rule, names, most) in rules {
            let mut members = Vec::new();
            for name in names {
                members.push(place(rule, name, terms.promotions)?);
            }
            members.sort_unstable();
            members.dedup();
            if most < members.len() && (most < self.per_customer) {
                self.groups.push((members, most));
            }
        }
        Ok(())
    }

    fn index(&mut self) {
        let of_all = |wanted: Of| (0_u32..).zip(&self.resources).filter(move |(_, one)| one.of == wanted).map(|(place, _)| place);
        let of_segment: Vec<Vec<u32>> = (0..self.segments).map(|segment| of_all(Of::Segment(index(segment))).collect()).collect();
        let of_promotion: Vec<Vec<u32>> = (0..self.promotions).map(|one| of_all(Of::Promotion(index(one))).collect()).collect();
        let everything: Vec<u32> = of_all(Of::Everything).collect();
        let mut touches = Vec::with_capacity(self.segments * self.promotions);
        for segment in &of_segment {
            touches.extend(of_promotion.iter().map(|promotion| [&everything[..], promotion, segment].concat()));
        }
        self.touches = touches;
    }

    /// (resource, what this offer takes of it), for a customer of a segment.
    pub(crate) fn taken(&self, segment: u32, row: Row) -> impl Iterator<Item = (u32, i64)> + '_ {
        let touched = &self.touches[segment as usize * self.promotions + row.promotion as usize];
        touched.iter().map(move |&place| (place, self.of_one(&self.resources[place as usize], row)))
    }

    fn of_one(&self, resource: &Resource, row: Row) -> i64 {
        let amount = match resource.measure {
            Measure::Money => i64::from(row.cost),
            Measure::Count => 1,
            // Rounded up: what the plan is held to is never less than what was asked.
            #[allow(clippy::cast_possible_truncation, reason = "a 32-bit cost times a ratio; saturates")]
            Measure::Return => (self.return_on_spend * f64::from(row.cost)).ceil() as i64 - i64::from(row.value),
        };
        if resource.floor { -amount } else { amount }
    }

    /// (resource, what an offer takes of it as weights of its cost, of one, and of its value).
    pub(crate) fn combinations(&self, segment: usize, promotion: usize) -> impl Iterator<Item = (u32, [f64; 3])> + '_ {
        self.touches[segment * self.promotions + promotion].iter().map(move |&place| {
            let resource = &self.resources[place as usize];
            let sign = if resource.floor { -1.0 } else { 1.0 };
            let weights = match resource.measure {
                Measure::Money => [sign, 0.0, 0.0],
                Measure::Count => [0.0, sign, 0.0],
                Measure::Return => [self.return_on_spend, 0.0, -1.0],
            };
            (place, weights)
        })
    }

    /// What `count` customers without segment take who got a promotion for `cost` together. Not for a
    /// return on spend, which sums don't tell.
    pub(crate) fn taken_by_many(&self, promotion: u32, cost: i64, count: i64) -> impl Iterator<Item = (u32, i64)> + '_ {
        self.touches[promotion as usize].iter().map(move |&place| {
            let resource = &self.resources[place as usize];
            let amount = if resource.measure == Measure::Count { count } else { cost };
            (place, if resource.floor { -amount } else { amount })
        })
    }

    /// Of a floor the cap of the same amounts, of a cap the floor; not where they contradict one another.
    pub(crate) fn opposite(&self, place: usize) -> Option<usize> {
        let one = &self.resources[place];
        self.resources.iter().position(|two| one.is_opposite(two) && !one.contradicts(two))
    }

    /// Whether a floor is above the cap of the same amounts.
    pub(crate) fn contradicts_itself(&self) -> bool {
        let resources = &self.resources;
        resources
            .iter()
            .enumerate()
            .any(|(place, one)| resources[place + 1..].iter().any(|two| one.is_opposite(two) && one.contradicts(two)))
    }

    /// Some of the resources, and no care for values.
    pub(crate) fn blind(&self, resources: &[usize]) -> Self {
        let kept = resources.iter().map(|&place| self.resources[place].clone()).collect();
        let mut part = Self { resources: kept, is_blind: true, ..self.clone() };
        part.index();
        part
    }

    /// Limits in the form Σ taken ≤ limit.
    pub(crate) fn limits(&self) -> Vec<i64> {
        self.resources.iter().map(|resource| if resource.floor { -resource.limit } else { resource.limit }).collect()
    }

    /// The same problem with `part` of each limit, for a sample of customers.
    pub(crate) fn scaled(&self, part: f64) -> Vec<f64> {
        self.limits().iter().map(|&limit| limit as f64 * part).collect()
    }

    /// What a customer may get: one promotion, and no group says none.
    pub(crate) fn is_one_each(&self) -> bool {
        self.per_customer == 1 && self.groups.is_empty()
    }

    /// The return on spend that is asked for, in the file's units.
    pub(crate) fn return_on_spend(&self, terms: Terms<'_>) -> f64 {
        self.return_on_spend * terms.value_unit / terms.cost_unit
    }

    /// Whether a return on spend is asked for.
    pub(crate) fn has_return(&self) -> bool {
        self.resources.iter().any(|resource| resource.measure == Measure::Return)
    }

    /// Whether money is all that is limited.
    pub(crate) fn is_one_budget(&self) -> bool {
        self.is_one_each() && matches!(self.resources.as_slice(), [one] if one.of == Of::Everything && one.measure == Measure::Money)
    }

    /// The reduced value of an offer as scale × value − price × cost − fee, by segment and promotion.
    pub(crate) fn pricing(&self, prices: &[f64]) -> Pricing {
        let mut pricing = Pricing { scale: 1.0, price: vec![0.0; self.touches.len()], fee: vec![0.0; self.touches.len()] };
        for (place, touched) in self.touches.iter().enumerate() {
            for &resource in touched {
                let (resource, price) = (&self.resources[resource as usize], prices[resource as usize]);
                let signed = if resource.floor { -price } else { price };
                match resource.measure {
                    Measure::Money => pricing.price[place] += signed,
                    Measure::Count => pricing.fee[place] += signed,
                    Measure::Return => pricing.price[place] += price * self.return_on_spend,
                }
            }
        }
        pricing.scale +=
            self.resources.iter().zip(prices).filter(|(one, _)| one.measure == Measure::Return).map(|(_, price)| price).sum::<f64>();
        pricing
    }
}

impl Program {
    /// Standard deviations of [`Program::pricing`], where prices have this covariance.
    pub(crate) fn deviation(&self, covariance: &DMatrix<f64>) -> Pricing {
        let of = |weights: &[(usize, f64)]| {
            let sum =
                |&(one, weight): &(usize, f64)| weights.iter().map(|(two, other)| weight * other * covariance[(one, *two)]).sum::<f64>();
            weights.iter().map(sum).sum::<f64>().max(0.0).sqrt()
        };
        let weight = |resource: usize, count: bool| {
            let one = &self.resources[resource];
            let sign = if one.floor { -1.0 } else { 1.0 };
            match one.measure {
                Measure::Money if !count => Some((resource, sign)),
                Measure::Count if count => Some((resource, sign)),
                Measure::Return if !count => Some((resource, self.return_on_spend)),
                _ => None,
            }
        };
        let all = |count: bool| {
            let of_touched = |touched: &Vec<u32>| of(&touched.iter().filter_map(|&one| weight(one as usize, count)).collect::<Vec<_>>());
            self.touches.iter().map(of_touched).collect::<Vec<f64>>()
        };
        let returns = (0..self.resources.len()).filter(|&one| self.resources[one].measure == Measure::Return);
        Pricing { scale: of(&returns.map(|one| (one, 1.0)).collect::<Vec<_>>()), price: all(false), fee: all(true) }
    }
}

/// See [`Program::pricing`].
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pricing {
    pub(crate) scale: f64,
    pub(crate) price: Vec<f64>,
    pub(crate) fee: Vec<f64>,
}

fn place(rule: &str, name: &str, names: &[String]) -> Result<u32, ConstraintError> {
    let found = names.iter().position(|other| other == name).and_then(|place| u32::try_from(place).ok());
    found.ok_or_else(|| {
        let some: Vec<&str> = names.iter().take(8).map(String::as_str).collect();
        let kind = if rule == "segment" { "segment" } else { "promotion" };
        ConstraintError(format!("{rule} names {name:?}, of which there is no offer; each {kind} of the offers: {}", some.join(", ")))
    })
}

fn once<'a>(kind: &str, name: &'a str, seen: &mut Vec<&'a str>) -> Result<(), ConstraintError> {
    if seen.contains(&name) {
        return Err(ConstraintError(format!("{kind} {name:?} is limited twice: write its limits in one place")));
    }
    seen.push(name);
    Ok(())
}

fn money(name: &str, amount: f64, terms: Terms<'_>, up: bool) -> Result<i64, ConstraintError> {
    let units = amount / terms.cost_unit;
    // A hair of slack, for 0.3 is a little less than three units of 0.1.
    let hair = 4.0 * f64::EPSILON * units.abs();
    let units = if up { (units - hair).ceil() } else { (units + hair).floor() };
    if !units.is_finite() || units.abs() > 9e18 || amount < 0.0 {
        return Err(ConstraintError(format!("{name} is {amount}: give an amount of money from 0 up")));
    }
    #[allow(clippy::cast_possible_truncation, reason = "looked at above")]
    Ok(units as i64)
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn index(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}
