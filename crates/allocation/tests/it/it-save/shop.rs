//! A problem in whole numbers, and the recount of a plan: nothing of it is shared with the solver.

use youhui_allocation::{AllocationError, Constraints, Offers, Plan, Row, Terms, allocate};

/// Customers with their offers, and what a plan must keep to. Units of value and cost are 1.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shop {
    pub(crate) promotions: Vec<String>,
    pub(crate) segments: Vec<String>,
    /// (segment, offers) of each.
    pub(crate) customers: Vec<(u32, Vec<Row>)>,
    pub(crate) constraints: Constraints,
    pub(crate) budget: Option<f64>,
}

pub(crate) fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

impl Shop {
    pub(crate) fn offers(&self) -> Offers {
        let mut offers = Offers::new(self.promotions.len());
        for (segment, rows) in &self.customers {
            offers.push(*segment, rows.iter().copied());
        }
        offers
    }

    pub(crate) fn terms(&self) -> Terms<'_> {
        Terms {
            promotions: &self.promotions,
            segments: &self.segments,
            value_unit: 1.0,
            cost_unit: 1.0,
            budget: self.budget,
            exact_values: true,
            exact_costs: true,
        }
    }

    pub(crate) fn allocate(&self) -> Result<Plan, AllocationError> {
        allocate(&self.offers(), &self.constraints, self.terms())
    }

    /// Places of everybody's offers.
    pub(crate) fn places(&self, plan: &Plan) -> Vec<Vec<u32>> {
        (0..self.customers.len()).map(|customer| plan.of(customer)).collect()
    }

    /// Whether a customer may get these.
    pub(crate) fn allows(&self, customer: usize, places: &[u32]) -> bool {
        let got: Vec<&String> = places.iter().map(|&place| &self.promotions[self.row(customer, place).promotion as usize]).collect();
        let of = |names: &[String]| got.iter().filter(|name| names.contains(name)).count();
        let said = &self.constraints;
        got.len() <= said.per_customer.unwrap_or(1) as usize
            && said.incompatible.iter().all(|names| of(names) <= 1)
            && said.contact.iter().all(|limit| of(&limit.promotions) <= limit.most as usize)
    }

    pub(crate) fn row(&self, customer: usize, place: u32) -> Row {
        self.customers[customer].1[place as usize]
    }

    /// (customer, row) of everything that is given.
    fn given(&self, places: &[Vec<u32>]) -> Vec<(usize, Row)> {
        let of = |(customer, places): (usize, &Vec<u32>)| places.iter().map(move |&place| (customer, self.row(customer, place))).collect();
        places.iter().enumerate().flat_map::<Vec<_>, _>(of).collect()
    }

    pub(crate) fn value(&self, places: &[Vec<u32>]) -> i64 {
        self.given(places).iter().map(|(_, row)| i64::from(row.value)).sum()
    }

    pub(crate) fn cost(&self, places: &[Vec<u32>]) -> i64 {
        self.given(places).iter().map(|(_, row)| i64::from(row.cost)).sum()
    }

    /// Words for each limit that a plan breaks.
    pub(crate) fn broken(&self, places: &[Vec<u32>]) -> Vec<String> {
        let given = self.given(places);
        let mut broken = Vec::new();
        let mut at_most = |name: String, used: f64, limit: Option<f64>| {
            if limit.is_some_and(|limit| used > limit) {
                broken.push(format!("{name}: {used} of {limit:?}"));
            }
        };
        // (money, promotions given) of some.
        let of = |inside: &dyn Fn(usize, Row) -> bool| {
            let some = given.iter().filter(|(customer, row)| inside(*customer, *row));
            some.fold((0.0, 0.0), |(money, count), (_, row)| (money + f64::from(row.cost), count + 1.0))
        };
        let said = &self.constraints;
        at_most("budget".to_owned(), of(&|_, _| true).0, self.budget);
        for limit in &said.promotion {
            let (money, count) = of(&|_, row| self.promotions[row.promotion as usize] == limit.name);
            at_most(format!("promotion {}: budget", limit.name), money, limit.budget);
            at_most(format!("promotion {}: count", limit.name), count, limit.count.map(|count| count as f64));
        }
        for limit in &said.segment {
            let (money, count) = of(&|customer, _| self.segments[self.customers[customer].0 as usize] == limit.name);
            at_most(format!("segment {}: budget", limit.name), money, limit.budget);
            at_most(format!("segment {}: floor", limit.name), -money, limit.floor.map(|floor| -floor));
            at_most(format!("segment {}: count", limit.name), count, limit.count.map(|count| count as f64));
            at_most(format!("segment {}: at_least", limit.name), -count, limit.at_least.map(|count| -(count as f64)));
        }
        if let Some(ratio) = said.return_on_spend {
            at_most("return_on_spend".to_owned(), ratio * self.cost(places) as f64, Some(self.value(places) as f64));
        }
        for (customer, places) in places.iter().enumerate() {
            if !self.allows(customer, places) {
                broken.push(format!("customer {customer} gets {places:?}"));
            }
        }
        broken
    }

    /// The same with only these limits, named as errors name them; what one customer may get stays.
    pub(crate) fn with_only(&self, limits: &[&str]) -> Self {
        let has = |name: String| limits.contains(&name.as_str());
        let mut shop = self.clone();
        shop.budget = shop.budget.filter(|_| has("budget".to_owned()));
        let said = &mut shop.constraints;
        said.return_on_spend = said.return_on_spend.filter(|_| has("return_on_spend".to_owned()));
        for limit in &mut said.promotion {
            limit.budget = limit.budget.filter(|_| has(format!("promotion {}: budget", limit.name)));
            limit.count = limit.count.filter(|_| has(format!("promotion {}: count", limit.name)));
        }
        said.promotion.retain(|limit| limit.budget.is_some() || limit.count.is_some());
        for limit in &mut said.segment {
            limit.floor = limit.floor.filter(|_| has(format!("segment {}: floor", limit.name)));
            limit.budget = limit.budget.filter(|_| has(format!("segment {}: budget", limit.name)));
            limit.at_least = limit.at_least.filter(|_| has(format!("segment {}: at_least", limit.name)));
            limit.count = limit.count.filter(|_| has(format!("segment {}: count", limit.name)));
        }
        shop
    }
}
