//! Promotions, made ready for pricing: put in their total order, names turned into numbers, indexed.

mod index;
mod lines;
mod names;

use core::cmp::Reverse;

use jiff::tz::TimeZone;
use youhui_commerce::{Currency, Micros};

use crate::Name;
use crate::answer::{Reason, Wrong};
use crate::document::{Choice, Condition, Group, Layer, Limits, Problem, Promotion, Scope, Trigger, Within, normalise_code};
use crate::prelude::*;
use index::{Gate, Index};
pub(crate) use lines::LineSet;
pub(crate) use names::{CompiledScope, Dictionary, Facts, Numbers, UNKNOWN};

/// A set of promotions that baskets are priced under. Making it costs, pricing does not: make it
/// once, share it between threads.
#[derive(Debug, Clone, Default)]
pub struct Promotions {
    pub(crate) rules: Vec<Rule>,
    /// Of each rule what says most often why it does not apply, side by side in memory.
    pub(crate) briefs: Vec<Brief>,
    pub(crate) names: Dictionary,
    pub(crate) zones: Vec<TimeZone>,
    pub(crate) groups: Vec<Group>,
    index: Index,
}

/// One promotion, made ready. Its number is its place in the order.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) promotion: Arc<Promotion>,
    pub(crate) layer: Layer,
    pub(crate) starts: Micros,
    pub(crate) ends: Micros,
    /// Which of the set's zones its clocks show.
    pub(crate) zone: usize,
    pub(crate) codes: Numbers,
    /// Groups of the audience.
    pub(crate) audience: Numbers,
    pub(crate) group: Option<usize>,
    pub(crate) category: u32,
    pub(crate) beside: Numbers,
    pub(crate) excludes: Numbers,
    /// The scopes of conditions, and whether they look at lines that promotions may not work on too.
    pub(crate) condition_scopes: Vec<(CompiledScope, bool)>,
    pub(crate) effect_scopes: Vec<CompiledScope>,
    /// How many of these each effect has.
    pub(crate) scopes_of_effects: Vec<usize>,
    /// Groups that one of the conditions asks for.
    condition_groups: Numbers,
}

/// Why a basket that has nothing of a rule's goods does not get it, without a look at the rule.
#[derive(Debug, Clone)]
pub(crate) struct Brief {
    pub(crate) promotion_id: Name,
    currency: Currency,
    starts: Micros,
    ends: Micros,
    /// Nothing but currency, start, end and goods decides.
    plain: bool,
}

impl Promotions {
    /// Makes promotions ready. Their order in the list says nothing.
    ///
    /// # Errors
    /// Everything that is wrong with them, with pointers that begin with the place in the list:
    /// `/3/effects/0/amount`.
    pub fn new(promotions: impl IntoIterator<Item = Promotion>) -> Result<Self, Wrong> {
        let mut listed: Vec<(usize, Promotion)> = promotions.into_iter().enumerate().collect();
        let mut problems = Vec::new();
        for (place, promotion) in &listed {
            let at = |problem: Problem| Problem { pointer: format!("/{place}{}", problem.pointer), ..problem };
            problems.extend(promotion.problems().into_iter().map(at));
        }
        listed.sort_by(|(_, one), (_, other)| order(one, other));
        for pair in listed.windows(2) {
            if pair[0].1.promotion_id == pair[1].1.promotion_id {
                let message = format!("{:?} stands twice: give each promotion an identifier of its own", pair[1].1.promotion_id);
                problems.push(Problem { pointer: format!("/{}/promotion_id", pair[0].0.max(pair[1].0)), message });
            }
        }
        let groups = groups(&listed, &mut problems);
        if !problems.is_empty() {
            return Err(Wrong(problems));
        }
        let mut set = Self { groups, ..Self::default() };
        let mut categories = names::Names::default();
        for (_, promotion) in listed {
            let rule = set.rule(promotion, &mut categories);
            set.rules.push(rule);
        }
        set.briefs = set.rules.iter().map(Brief::new).collect();
        set.index = Index::new(&set.rules, &set.names);
        Ok(set)
    }

    /// The promotions in the order in which they apply.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Promotion> {
        self.rules.iter().map(|rule| &*rule.promotion)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    pub(crate) fn candidates(&self, facts: &Facts, at: Micros) -> Vec<u32> {
        self.index.candidates(facts, at)
    }

    fn rule(&mut self, promotion: Promotion, categories: &mut names::Names) -> Rule {
        let names = &mut self.names;
        let codes: Vec<String> = match &promotion.trigger {
            Trigger::Automatic {} => vec![],
            Trigger::Code { codes } => codes.iter().map(|code| normalise_code(code)).collect(),
        };
        let mut condition_scopes = Vec::new();
        promotion
            .conditions
            .iter()
            .for_each(|of| of.scopes(&mut |scope, all| condition_scopes.push((CompiledScope::new(scope, names), all))));
        let (mut effect_scopes, mut scopes_of_effects) = (Vec::new(), Vec::new());
        for effect in &promotion.effects {
            let before = effect_scopes.len();
            effect.mechanic().scopes(&mut |scope: &Scope| effect_scopes.push(CompiledScope::new(scope, names)));
            scopes_of_effects.push(effect_scopes.len() - before);
        }
        let asked = promotion.conditions.iter().find_map(|condition| match condition {
            Condition::CustomerIn { groups } => Some(groups.as_slice()),
            _ => None,
        });
        // A validated schedule has a zone.
        let zone = promotion.schedule.zone().unwrap_or(TimeZone::UTC);
        let stacking = &promotion.stacking;
        Rule {
            starts: promotion.schedule.starts.map_or(Micros::MIN, |starts| starts.micros(&zone)),
            ends: promotion.schedule.ends.map_or(Micros::MAX, |ends| ends.micros(&zone)),
            codes: Numbers::of(&mut names.codes, &codes),
            audience: Numbers::of(&mut names.groups, &promotion.audience.groups),
            condition_groups: Numbers::of(&mut names.groups, asked.unwrap_or_default()),
            group: stacking.group.as_ref().and_then(|group| self.groups.iter().position(|other| other.name == group.name)),
            category: stacking.category.as_deref().map_or(UNKNOWN, |name| categories.number(name)),
            beside: Numbers::of(categories, &stacking.beside),
            excludes: Numbers::of(categories, &stacking.excludes),
            condition_scopes,
            effect_scopes,
            scopes_of_effects,
            zone: self.zones.iter().position(|other| *other == zone).unwrap_or_else(|| {
                self.zones.push(zone);
                self.zones.len() - 1
            }),
            layer: promotion.layer(),
            promotion: Arc::new(promotion),
        }
    }
}

/// The total order: layer, priority (higher first), identifier.
fn order(one: &Promotion, other: &Promotion) -> core::cmp::Ordering {
    let key = |promotion: &Promotion| (promotion.layer(), Reverse(promotion.stacking.priority));
    key(one).cmp(&key(other)).then_with(|| one.promotion_id.cmp(&other.promotion_id))
}

/// Every group once. Members must agree on what it is.
fn groups(listed: &[(usize, Promotion)], problems: &mut Vec<Problem>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (place, promotion) in listed {
        let Some(group) = &promotion.stacking.group else { continue };
        match groups.iter().find(|other| other.name == group.name) {
            None => groups.push(group.clone()),
            Some(other) if other != group => {
                let message = format!("group {:?} has another policy or place in another promotion: write the same in all", group.name);
                problems.push(Problem { pointer: format!("/{place}/stacking/group"), message });
            }
            Some(_) => {}
        }
    }
    groups
}

impl Brief {
    fn new(rule: &Rule) -> Self {
        let promotion = &*rule.promotion;
        let always = promotion.schedule.recurring.is_empty() && promotion.schedule.except_dates.is_empty();
        let free = promotion.limits == Limits::default() && promotion.channels.is_empty() && promotion.conditions.is_empty();
        Self {
            promotion_id: promotion.promotion_id.clone(),
            currency: promotion.currency,
            starts: rule.starts,
            ends: rule.ends,
            plain: always && free && rule.codes.is_empty() && rule.audience.is_empty(),
        }
    }

    /// Why it does not apply to a basket in which it found nothing; `None` where the rule has to be asked.
    pub(crate) fn lacks(&self, currency: Currency, at: Micros) -> Option<Reason> {
        self.plain.then(|| {
            if self.currency != currency {
                Reason::OtherCurrency
            } else if at < self.starts {
                Reason::NotStarted
            } else if at >= self.ends {
                Reason::Ended
            } else {
                Reason::NothingInScope
            }
        })
    }
}

impl Rule {
    /// What a basket must have for the rule to have a chance.
    fn gate(&self) -> Gate<'_> {
        if !self.codes.is_empty() {
            return Gate::Codes(&self.codes);
        }
        // One effect on these goods can't work without them; of several, another may.
        let effects = match self.promotion.effects.as_slice() {
            [effect] => &self.effect_scopes[..self.effect_scopes.len().min(effect.mechanic().needed_scopes())],
            _ => &[],
        };
        let needed = self.promotion.conditions.iter().zip(self.first_condition_scopes());
        let needs_goods = |condition: &Condition| match condition {
            Condition::Contains { .. } | Condition::QuantityAtLeast { .. } | Condition::DistinctAtLeast { .. } => true,
            Condition::SpendAtLeast { amount, .. } => *amount > 0,
            _ => false,
        };
        let conditions = needed.filter(|(condition, _)| needs_goods(condition)).filter_map(|(_, scope)| scope);
        let mut scopes: Vec<&CompiledScope> = effects.iter().chain(conditions).filter(|scope| !scope.everything).collect();
        // The most special first.
        scopes.sort_by_key(|scope| scope.products.is_empty());
        for scope in scopes {
            if !scope.products.is_empty() {
                return Gate::Products(&scope.products);
            }
            if !scope.brands.is_empty() {
                return Gate::Brands(&scope.brands);
            }
            if !scope.shops.is_empty() {
                return Gate::Shops(&scope.shops);
            }
            if !scope.categories.is_empty() {
                return Gate::Categories(&scope.categories);
            }
        }
        if !self.audience.is_empty() {
            return Gate::Groups(&self.audience);
        }
        if self.condition_groups.is_empty() { Gate::Open } else { Gate::Groups(&self.condition_groups) }
    }

    /// For each condition the first of its scopes, where it has one of its own.
    fn first_condition_scopes(&self) -> Vec<Option<&CompiledScope>> {
        let mut next = 0;
        let mut of = |condition: &Condition| {
            let first = next;
            condition.scopes(&mut |_, _| next += 1);
            (next > first).then(|| &self.condition_scopes[first].0)
        };
        self.promotion.conditions.iter().map(&mut of).collect()
    }

    /// Whether only some of its group apply to a basket, found by search.
    pub(crate) fn is_chosen(&self, groups: &[Group], within: Within) -> bool {
        self.group.is_some_and(|group| groups[group].policy == Choice::Largest && groups[group].within == within)
    }
}
