//! Rows of one treatment and control, best score first, and ways to look at them.

/// What one row contributes: how often it counts, and what is known of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) times: f64,
    pub(super) outcome: f64,
    pub(super) cost: f64,
    pub(super) treated: bool,
}

/// Rows in the order of a score, best first. Rows of one score stand in the reverse order of the file,
/// as scikit-uplift has them (a stable ascending sort, turned round).
#[derive(Debug, Clone)]
pub struct Ranked {
    outcomes: Vec<f64>,
    costs: Option<Vec<f64>>,
    treated: Vec<bool>,
    /// Number of rows up to and with the last of each distinct score.
    ends: Vec<usize>,
}

impl Ranked {
    /// Ranks rows; all slices have a row's values in the same place. Values are finite.
    pub fn new(scores: &[f64], outcomes: &[f64], treated: &[bool], costs: Option<&[f64]>) -> Self {
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|&one, &two| scores[two].partial_cmp(&scores[one]).unwrap_or(std::cmp::Ordering::Equal).then(two.cmp(&one)));
        let differs = |place: usize| place == order.len() || scores[order[place]] != scores[order[place - 1]];
        let ends = (1..=order.len()).filter(|&place| differs(place)).collect();
        let in_order = |values: &[f64]| order.iter().map(|&row| values[row]).collect::<Vec<f64>>();
        Self { outcomes: in_order(outcomes), costs: costs.map(in_order), treated: order.iter().map(|&row| treated[row]).collect(), ends }
    }

    /// How many rows there are.
    pub const fn rows(&self) -> usize {
        self.outcomes.len()
    }

    /// How many different scores there are.
    pub const fn distinct_scores(&self) -> usize {
        self.ends.len()
    }

    /// Whether each outcome is 0 or 1.
    pub fn is_binary(&self) -> bool {
        self.outcomes.iter().all(|&outcome| outcome == 0.0 || outcome == 1.0)
    }

    /// Whether rows have costs.
    pub const fn has_costs(&self) -> bool {
        self.costs.is_some()
    }

    /// The rows as they are.
    pub const fn whole(&self) -> View<'_> {
        View { ranked: self, sampling: Sampling::Whole }
    }

    pub(super) const fn view<'a>(&'a self, sampling: Sampling<'a>) -> View<'a> {
        View { ranked: self, sampling }
    }
}

/// Which rows stand at which place of the ranking.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sampling<'a> {
    /// Each once, at its own.
    Whole,
    /// Each so many times, at its own: a bootstrap sample.
    Times(&'a [u32]),
    /// At each place the row that is named: scores dealt out by lot.
    Dealt(&'a [u32]),
}

/// A ranking as it is, or a sample of it.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    ranked: &'a Ranked,
    sampling: Sampling<'a>,
}

/// Sums over the rows from the best down to a place.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Totals {
    pub(super) all: f64,
    pub(super) treated: f64,
    pub(super) treated_outcome: f64,
    pub(super) control_outcome: f64,
    pub(super) treated_cost: f64,
    pub(super) control_cost: f64,
}

impl Totals {
    pub(super) fn add(&mut self, row: Row) {
        self.all += row.times;
        if row.treated {
            self.treated += row.times;
            self.treated_outcome += row.times * row.outcome;
            self.treated_cost += row.times * row.cost;
        } else {
            self.control_outcome += row.times * row.outcome;
            self.control_cost += row.times * row.cost;
        }
    }

    pub(super) fn control(&self) -> f64 {
        self.all - self.treated
    }

    /// (mean of treated − mean of control) × rows; the mean of nobody is 0.
    pub(super) fn gain(&self, treated_sum: f64, control_sum: f64) -> f64 {
        (mean(treated_sum, self.treated) - mean(control_sum, self.control())) * self.all
    }
}

fn mean(sum: f64, count: f64) -> f64 {
    if count == 0.0 { 0.0 } else { sum / count }
}

impl View<'_> {
    pub(super) const fn places(&self) -> usize {
        self.ranked.rows()
    }

    pub(super) fn row(&self, place: usize) -> Row {
        let (row, times) = match self.sampling {
            Sampling::Whole => (place, 1.0),
            Sampling::Times(times) => (place, f64::from(times[place])),
            Sampling::Dealt(rows) => (rows[place] as usize, 1.0),
        };
        let ranked = self.ranked;
        let cost = ranked.costs.as_ref().map_or(0.0, |costs| costs[row]);
        Row { times, outcome: ranked.outcomes[row], cost, treated: ranked.treated[row] }
    }

    /// Sums down to each distinct score.
    pub(super) fn thresholds(&self) -> impl Iterator<Item = Totals> + '_ {
        let mut totals = Totals::default();
        let mut start = 0;
        self.ranked.ends.iter().map(move |&end| {
            (start..end).for_each(|place| totals.add(self.row(place)));
            start = end;
            totals
        })
    }

    /// Sums over all rows.
    pub(super) fn total(&self) -> Totals {
        let mut totals = Totals::default();
        (0..self.places()).for_each(|place| totals.add(self.row(place)));
        totals
    }
}

/// The area under straight lines from (0, 0) through points.
pub(super) fn area(points: impl Iterator<Item = (f64, f64)>) -> f64 {
    let mut last = (0.0, 0.0);
    let mut area = 0.0;
    for point in points {
        area += (point.0 - last.0) * (point.1 + last.1) / 2.0;
        last = point;
    }
    area
}

/// (actual − baseline) / (perfect − baseline), where the baseline is the straight line to the perfect
/// curve's end; `None` where even the perfect ranking is no better.
pub(super) fn share_of_perfect(actual: f64, perfect: f64, end: (f64, f64)) -> Option<f64> {
    let baseline = area(std::iter::once(end));
    let share = (actual - baseline) / (perfect - baseline);
    share.is_finite().then_some(share)
}
