//! A holdout over many campaigns: a lot draws customers who get no campaign at all (the global holdout), and each campaign draws,
//! among the others whom it may reach, who gets it.
//!
//! - The programme's effect: mean outcome of the programme's customers less that of the holdout's.
//! - A campaign's effect: among the programme's customers whom it may reach, treated less held out, so the effect of adding it to the
//!   others as they ran. P-values are adjusted for the number of campaigns.
//! - Interaction: the programme's effect less Σ (share treated by a campaign × its effect). 0 where campaigns add up; below 0 where
//!   they take from each other what each, added last, doesn't show; above 0 where what one would have brought another brings anyway.
//!
//! Everything is a smooth function of means of columns of one set of customers, so that covariances between figures, which rest on
//! the same customers, come by the delta method. Outcomes may be adjusted by one amount from before (CUPED).
//!
//! A campaign's effect is right also where whom it may reach depends on earlier campaigns; the sum and the interaction then compare
//! different things and aren't to be read as interaction.

use serde::Serialize;
use youhui_commerce::Currency;

use super::error::or_why;
use super::figure::{Causal, Figure, adjusted};
use super::joint::{Weights, covariance, mean};
use super::{MoneyError, MoneySettings};
use crate::experiment::{ALARM, ExperimentError, Moments, Warning, sample_ratio};

/// What a campaign's lot said of a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lot {
    /// Gets it.
    Treated,
    /// Might have got it.
    HeldOut,
    /// Couldn't be reached by it.
    NotEligible,
}

/// One customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Participant<'a> {
    /// Whether the programme may reach the customer; else the customer is in the global holdout.
    pub in_programme: bool,
    /// The outcome before the programme, in minor units.
    pub before: i64,
    /// The outcome, revenue or profit, over the whole programme, in minor units.
    pub outcome: i64,
    /// What each campaign's lot said; empty or all [`Lot::NotEligible`] in the holdout.
    pub lots: &'a [Lot],
}

/// Columns: outcome, before, and of each campaign: 1 for treated, 1 for held out, outcome of both, before of both.
const FIRST: usize = 2;
const OF_CAMPAIGN: usize = 6;

/// Statistics of a programme's customers.
#[derive(Debug, Clone, PartialEq)]
pub struct Programme {
    currency: Currency,
    campaigns: Vec<String>,
    share_in_programme: f64,
    holdout: Moments,
    programme: Moments,
}

/// One campaign's effect.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CampaignEffect {
    /// The campaign.
    pub campaign: String,
    /// Effect per treated customer.
    pub effect: Figure,
    /// Share of the programme's customers whom it treated.
    pub share_treated: f64,
}

/// What a programme brought.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProgrammeEffects {
    /// Of the whole programme.
    pub programme: Figure,
    /// The same for all the programme's customers together.
    pub total: Figure,
    /// Campaign by campaign.
    pub campaigns: Vec<CampaignEffect>,
    /// Campaigns of which nothing can be said, with the reason.
    pub not_judged: Vec<(String, String)>,
    /// Σ share × effect, per customer of the programme; `None` where a campaign isn't judged.
    pub sum_of_campaigns: Option<Figure>,
    /// The programme's effect less that sum.
    pub interaction: Option<Figure>,
    /// What is wrong with the lots.
    pub warnings: Vec<Warning>,
}

impl Programme {
    /// For these campaigns; a customer was in the programme with a chance of `share_in_programme`.
    ///
    /// # Errors
    /// Where the share isn't inside (0, 1).
    pub fn new(currency: Currency, campaigns: Vec<String>, share_in_programme: f64) -> Result<Self, MoneyError> {
        if !(share_in_programme > 0.0 && share_in_programme < 1.0) {
            return Err(MoneyError::Setting {
                name: "share in programme",
                value: share_in_programme,
                needed: "a number above 0 and below 1 is needed",
                consequence: "without a holdout there is nobody to compare the programme with",
            });
        }
        let programme = Moments::empty(FIRST + OF_CAMPAIGN * campaigns.len());
        Ok(Self { currency, campaigns, share_in_programme, holdout: Moments::empty(FIRST), programme })
    }

    /// Adds customers, each once. Nothing is added where one is wrong.
    ///
    /// # Errors
    /// Where somebody in the holdout was treated, lots aren't as many as campaigns, or an amount is beyond 2⁵³.
    pub fn add(&mut self, participants: &[Participant<'_>]) -> Result<(), MoneyError> {
        let first = self.holdout.units() + self.programme.units();
        for (place, participant) in participants.iter().enumerate() {
            self.check(participant, first + place as u64)?;
        }
        let mut row = vec![0.0; self.programme.columns()];
        for participant in participants {
            let (outcome, before) = (participant.outcome as f64, participant.before as f64);
            (row[0], row[1]) = (outcome, before);
            if !participant.in_programme {
                self.holdout.push(&row[..FIRST]);
                continue;
            }
            for (cells, lot) in row[FIRST..].chunks_mut(OF_CAMPAIGN).zip(participant.lots) {
                let (treated, held) = (f64::from(u8::from(*lot == Lot::Treated)), f64::from(u8::from(*lot == Lot::HeldOut)));
                cells.copy_from_slice(&[treated, held, treated * outcome, held * outcome, treated * before, held * before]);
            }
            self.programme.push(&row);
        }
        Ok(())
    }

    fn check(&self, participant: &Participant<'_>, row: u64) -> Result<(), MoneyError> {
        for (field, value) in [("outcome", participant.outcome), ("before", participant.before)] {
            super::ledger::exact(value, row, || field.to_owned())?;
        }
        if participant.in_programme && participant.lots.len() != self.campaigns.len() {
            return Err(MoneyError::Length {
                field: format!("lots of row {row}"),
                found: participant.lots.len(),
                expected: self.campaigns.len(),
            });
        }
        if participant.in_programme {
            return Ok(());
        }
        participant.lots.iter().position(|lot| *lot == Lot::Treated).map_or(Ok(()), |place| {
            let campaign = self.campaigns.get(place).cloned().unwrap_or_else(|| format!("campaign {place}"));
            Err(MoneyError::HoldoutTreated { row, campaign })
        })
    }

    /// Adds the customers of another part of the same programme.
    ///
    /// # Errors
    /// Where currency, share or campaigns differ.
    pub fn merge(&mut self, other: &Self) -> Result<(), MoneyError> {
        let different = [
            (self.currency != other.currency, "currency"),
            (self.share_in_programme.to_bits() != other.share_in_programme.to_bits(), "shares in the programme"),
            (self.campaigns != other.campaigns, "campaigns"),
        ];
        if let Some((_, what)) = different.into_iter().find(|(differs, _)| *differs) {
            return Err(MoneyError::Mismatch { what });
        }
        self.holdout.merge(&other.holdout);
        self.programme.merge(&other.programme);
        Ok(())
    }

    /// All effects.
    ///
    /// # Errors
    /// Where the holdout or the programme has fewer than 2 customers, or the outcome doesn't vary in one.
    pub fn effects(&self, settings: MoneySettings) -> Result<ProgrammeEffects, MoneyError> {
        settings.check()?;
        self.check_arms()?;
        let parts = Parts { programme: self.programme.clone(), theta: if settings.cuped { self.theta() } else { 0.0 } };
        let minor = self.currency.minor_units() as f64;
        let level = settings.level;
        let n = (self.holdout.units(), self.programme.units());
        let per_customer = format!("{} per customer of the programme", self.currency);
        let outcome = parts.outcome();
        let (base, base_variance) = estimate(&self.holdout, &outcome, mean(&self.holdout, &outcome));
        let (above, above_variance) = estimate(&self.programme, &outcome, mean(&self.programme, &outcome));
        let figure = |name: &str, value: f64, (held, rest): (f64, f64), arms: &[(f64, u64)]| {
            // Arms of campaigns are part of the programme's variance: the fewer customers they have the less is known of it.
            let of_arms = arms.iter().map(|arm| arm.0).sum::<f64>();
            let sources: Vec<(f64, u64)> =
                [(held, n.0), ((rest - of_arms).max(0.0), n.1)].into_iter().chain(arms.iter().copied()).collect();
            let of = (value / minor, (held + rest).sqrt() / minor, welch(&sources));
            Figure::with(name, of, level, per_customer.clone(), n, Causal::Randomised)
        };
        let programme = figure("effect of the programme", above - base, (base_variance, above_variance), &[]);
        let (mut campaigns, mut not_judged) = (vec![], vec![]);
        // Variances of arms whose customers are as few as they are.
        let mut arms: Vec<(f64, u64)> = vec![];
        let mut small = 0.0;
        for (place, name) in self.campaigns.iter().enumerate() {
            let found = self.check_campaign(place).and_then(|()| self.arms(&parts, place));
            let Some(found) = or_why(name, found.map_err(MoneyError::from), &mut not_judged) else { continue };
            let effect = self.campaign(&parts, place, found, level);
            let share = effect.share_treated.powi(2);
            small += share * found.iter().map(|arm| arm.variance - arm.of_all).sum::<f64>();
            arms.extend(found.iter().map(|arm| (share * arm.variance, arm.n)));
            campaigns.push(effect);
        }
        adjusted(&mut campaigns.iter_mut().map(|campaign| &mut campaign.effect).collect::<Vec<&mut Figure>>(), settings.adjust);
        let (sum, gradient) = parts.sum(self.campaigns.len());
        let sum_of_campaigns = figure("sum of campaigns' effects", sum, (0.0, estimate(&self.programme, &gradient, sum).1 + small), &arms);
        let apart: Weights = outcome.iter().copied().chain(gradient.iter().map(|&(column, weight)| (column, -weight))).collect();
        let variance = estimate(&self.programme, &apart, 0.0).1;
        let interaction = figure("programme less sum of campaigns", above - base - sum, (base_variance, variance + small), &arms);
        let all_judged = not_judged.is_empty() && !campaigns.is_empty();
        let (sum_of_campaigns, interaction) = (all_judged.then_some(sum_of_campaigns), all_judged.then_some(interaction));
        let unit = format!("{}, {} customers of the programme", self.currency, n.1);
        let total = programme.times(n.1 as f64, "effect of the programme, total", unit);
        Ok(ProgrammeEffects { programme, total, campaigns, not_judged, sum_of_campaigns, interaction, warnings: self.warnings()? })
    }

    fn check_arms(&self) -> Result<(), ExperimentError> {
        for (moments, arm) in [(&self.holdout, "global holdout"), (&self.programme, "programme")] {
            if moments.units() < 2 {
                return Err(ExperimentError::TooFewUnits { arm: arm.to_owned(), units: moments.units() });
            }
            if !moments.varies(0) {
                return Err(ExperimentError::Constant { metric: "outcome".to_owned(), arm: arm.to_owned() });
            }
        }
        Ok(())
    }

    fn check_campaign(&self, place: usize) -> Result<(), ExperimentError> {
        for (column, arm) in [(0, "treated"), (1, "held out")] {
            let units = self.count(FIRST + place * OF_CAMPAIGN + column);
            if units < 2 {
                return Err(ExperimentError::TooFewUnits { arm: format!("{}, {arm}", self.campaigns[place]), units });
            }
        }
        Ok(())
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count that is a mean times its units")]
    fn count(&self, column: usize) -> u64 {
        (self.programme.mean(column) * self.programme.units() as f64).round() as u64
    }

    /// CUPED's θ over everybody; 0 where nobody differed before.
    fn theta(&self) -> f64 {
        let total = self.holdout.merged(&self.programme);
        if total.varies(1) { total.covariance(0, 1) / total.variance(1) } else { 0.0 }
    }

    /// Variances of the means of those treated and held out by a campaign, refused where an arm doesn't vary.
    fn arms(&self, parts: &Parts, place: usize) -> Result<[CampaignArm; 2], ExperimentError> {
        let first = FIRST + place * OF_CAMPAIGN;
        let all = self.programme.units() as f64;
        let (means, _) = parts.arms(place);
        let mut found = [CampaignArm { variance: 0.0, of_all: 0.0, n: 0 }; 2];
        for (arm, name) in ["treated", "held out"].into_iter().enumerate() {
            let n = self.count(first + arm);
            let of_all = estimate(&self.programme, &parts.of_arm(place, arm), 0.0).1;
            // The programme's customers give n below, over all of them n − 1.
            let variance = of_all * (all - 1.0) / all * n as f64 / (n as f64 - 1.0);
            // What cancels leaves rounding.
            if variance * n as f64 <= (1e-7 * means[arm]).powi(2) {
                let (metric, arm) = ("outcome".to_owned(), format!("{}, {name}", self.campaigns[place]));
                return Err(ExperimentError::Constant { metric, arm });
            }
            found[arm] = CampaignArm { variance, of_all, n };
        }
        Ok(found)
    }

    fn campaign(&self, parts: &Parts, place: usize, [treated, held_out]: [CampaignArm; 2], level: f64) -> CampaignEffect {
        let (value, _) = parts.difference(place);
        let first = FIRST + place * OF_CAMPAIGN;
        let n = (held_out.n, treated.n);
        let minor = self.currency.minor_units() as f64;
        let variance = treated.variance + held_out.variance;
        let of = (value / minor, variance.sqrt() / minor, welch(&[(treated.variance, treated.n), (held_out.variance, held_out.n)]));
        let unit = format!("{} per treated customer", self.currency);
        let name = format!("effect of {}", self.campaigns[place]);
        let effect = Figure::with(name, of, level, unit, n, Causal::Randomised);
        CampaignEffect { campaign: self.campaigns[place].clone(), effect, share_treated: self.programme.mean(first) }
    }

    fn warnings(&self) -> Result<Vec<Warning>, MoneyError> {
        let sizes = [self.holdout.units(), self.programme.units()];
        let check = sample_ratio(&sizes, &[1.0 - self.share_in_programme, self.share_in_programme])?;
        Ok(check.warning(ALARM).into_iter().collect())
    }
}

/// A value with the variance of what its gradient gives.
fn estimate(moments: &Moments, gradient: &Weights, value: f64) -> (f64, f64) {
    (value, covariance(moments, gradient, gradient).max(0.0) / moments.units() as f64)
}

/// Degrees of freedom of a sum of variances of means of so many customers each (Satterthwaite).
fn welch(sources: &[(f64, u64)]) -> f64 {
    let whole = sources.iter().map(|source| source.0).sum::<f64>();
    whole.powi(2) / sources.iter().map(|&(variance, n)| variance * variance / (n as f64 - 1.0)).sum::<f64>()
}

/// Those treated, or held out, by a campaign.
#[derive(Debug, Clone, Copy)]
struct CampaignArm {
    /// Of their mean.
    variance: f64,
    /// The same as all the programme's customers give it, with their number below.
    of_all: f64,
    n: u64,
}

/// Functions of the programme's means with their gradients.
struct Parts {
    programme: Moments,
    theta: f64,
}

impl Parts {
    fn outcome(&self) -> Weights {
        vec![(0, 1.0), (1, -self.theta)]
    }

    /// Adjusted means of those treated and held out by a campaign, and the shares of both.
    fn arms(&self, place: usize) -> ([f64; 2], [f64; 2]) {
        let first = FIRST + place * OF_CAMPAIGN;
        let mean = |column: usize| self.programme.mean(first + column);
        let shares = [mean(0), mean(1)];
        let centre = self.theta * self.programme.mean(1);
        ([0, 1].map(|arm| (mean(2 + arm) - self.theta * mean(4 + arm)) / shares[arm] + centre), shares)
    }

    /// Mean of the treated less mean of the held out.
    fn difference(&self, place: usize) -> (f64, Weights) {
        let (means, _) = self.arms(place);
        let held_out = self.of_arm(place, 1).into_iter().map(|(column, weight)| (column, -weight));
        (means[0] - means[1], self.of_arm(place, 0).into_iter().chain(held_out).collect())
    }

    /// The gradient of one arm's mean; nobody is in both.
    fn of_arm(&self, place: usize, arm: usize) -> Weights {
        let (means, shares) = self.arms(place);
        let first = FIRST + place * OF_CAMPAIGN;
        let (weight, centre) = (1.0 / shares[arm], self.theta * self.programme.mean(1));
        vec![(first + 2 + arm, weight), (first + 4 + arm, -weight * self.theta), (first + arm, -weight * (means[arm] - centre))]
    }

    /// Σ share treated × difference.
    fn sum(&self, campaigns: usize) -> (f64, Weights) {
        let (mut sum, mut whole) = (0.0, vec![]);
        for place in 0..campaigns {
            let (difference, gradient) = self.difference(place);
            let share = self.arms(place).1[0];
            sum += share * difference;
            whole.extend(gradient.into_iter().map(|(column, weight)| (column, share * weight)));
            whole.push((FIRST + place * OF_CAMPAIGN, difference));
        }
        (sum, whole)
    }
}
