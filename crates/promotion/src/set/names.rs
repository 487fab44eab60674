//! Names as numbers: what promotions name is looked up once a basket, and compared as numbers.

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

use super::lines::LineSet;
use crate::document::Scope;
use crate::prelude::*;
use crate::{Basket, Line};

/// The number of a name that no promotion names.
pub(crate) const UNKNOWN: u32 = u32::MAX;

/// Names of one kind, numbered from 0.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names(HashMap<Box<str>, u32, FxBuildHasher>);

impl Names {
    pub(crate) fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.0.get(name) {
            return *number;
        }
        // A set of promotions has far fewer names.
        let number = u32::try_from(self.0.len()).unwrap_or(UNKNOWN);
        self.0.insert(name.into(), number);
        number
    }

    pub(crate) fn find(&self, name: &str) -> u32 {
        // Most sets name no brands or shops at all.
        if self.0.is_empty() { UNKNOWN } else { self.0.get(name).copied().unwrap_or(UNKNOWN) }
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// All names of a set of promotions.
#[derive(Debug, Clone, Default)]
pub(crate) struct Dictionary {
    pub(crate) products: Names,
    pub(crate) categories: Names,
    pub(crate) brands: Names,
    pub(crate) shops: Names,
    pub(crate) groups: Names,
    pub(crate) codes: Names,
}

/// Numbers, sorted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Numbers(Box<[u32]>);

impl Numbers {
    pub(crate) fn of<T: AsRef<str>>(names: &mut Names, list: &[T]) -> Self {
        let mut numbers: Vec<u32> = list.iter().map(|name| names.number(name.as_ref())).collect();
        numbers.sort_unstable();
        numbers.dedup();
        Self(numbers.into())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().copied()
    }

    pub(crate) fn contains(&self, number: u32) -> bool {
        if self.0.len() <= 8 { self.0.contains(&number) } else { self.0.binary_search(&number).is_ok() }
    }
}

/// A [`Scope`] in numbers.
#[derive(Debug, Clone, Default)]
pub(crate) struct CompiledScope {
    pub(crate) everything: bool,
    pub(crate) products: Numbers,
    pub(crate) categories: Numbers,
    pub(crate) brands: Numbers,
    pub(crate) shops: Numbers,
    attributes: Vec<(String, Vec<String>)>,
    unit_price_min: i64,
    unit_price_max: i64,
    any: Vec<CompiledScope>,
    except: Option<Box<CompiledScope>>,
}

impl CompiledScope {
    pub(crate) fn new(scope: &Scope, names: &mut Dictionary) -> Self {
        Self {
            everything: scope.is_everything(),
            products: Numbers::of(&mut names.products, &scope.products),
            categories: Numbers::of(&mut names.categories, &scope.categories),
            brands: Numbers::of(&mut names.brands, &scope.brands),
            shops: Numbers::of(&mut names.shops, &scope.shops),
            attributes: scope.attributes.iter().map(|(name, values)| (name.clone(), values.clone())).collect(),
            unit_price_min: scope.unit_price_min.unwrap_or(i64::MIN),
            unit_price_max: scope.unit_price_max.unwrap_or(i64::MAX),
            any: scope.any.iter().map(|any| Self::new(any, names)).collect(),
            except: scope.except.as_ref().map(|except| Box::new(Self::new(except, names))),
        }
    }

    fn covers(&self, facts: &Facts, line: usize, source: &Line) -> bool {
        if self.everything {
            return true;
        }
        let of = &facts.lines[line];
        (self.products.is_empty() || self.products.contains(of.product))
            && (self.categories.is_empty() || facts.categories_of(line).iter().any(|category| self.categories.contains(*category)))
            && (self.brands.is_empty() || self.brands.contains(of.brand))
            && (self.shops.is_empty() || self.shops.contains(of.shop))
            && (self.unit_price_min..=self.unit_price_max).contains(&source.unit_price)
            && self.attributes.iter().all(|(name, values)| source.attributes.get(name).is_some_and(|value| values.contains(value)))
            && (self.any.is_empty() || self.any.iter().any(|any| any.covers(facts, line, source)))
            && !self.except.as_ref().is_some_and(|except| except.covers(facts, line, source))
    }

    /// The lines of the basket that are in scope, of those that promotions may work on.
    pub(crate) fn lines(&self, facts: &Facts, basket: &Basket) -> LineSet {
        if self.everything && facts.all_discountable {
            return LineSet::All;
        }
        let lines = &basket.lines;
        LineSet::of(lines.len(), |line| lines[line].discountable && self.covers(facts, line, &lines[line]))
    }

    /// The lines of the basket that are in scope, whatever may be done to them.
    pub(crate) fn all_lines(&self, facts: &Facts, basket: &Basket) -> LineSet {
        LineSet::of(basket.lines.len(), |line| self.covers(facts, line, &basket.lines[line]))
    }
}

/// A basket's names in numbers.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) lines: Vec<LineFacts>,
    categories: Vec<u32>,
    pub(crate) groups: Vec<u32>,
    /// (number of the code or [`UNKNOWN`], place among the basket's codes).
    pub(crate) codes: Vec<u32>,
    all_discountable: bool,
}

#[derive(Debug)]
pub(crate) struct LineFacts {
    pub(crate) product: u32,
    pub(crate) brand: u32,
    pub(crate) shop: u32,
    first_category: u32,
    last_category: u32,
}

impl Facts {
    pub(crate) fn new(names: &Dictionary, basket: &Basket) -> Self {
        let mut categories = Vec::with_capacity(basket.lines.len() * 2);
        let line = |line: &Line| {
            let first = categories.len();
            categories.extend(line.categories.iter().map(|name| names.categories.find(name)).filter(|number| *number != UNKNOWN));
            let place = |place: usize| u32::try_from(place).unwrap_or(u32::MAX);
            LineFacts {
                product: names.products.find(&line.product_id),
                brand: line.brand.as_deref().map_or(UNKNOWN, |name| names.brands.find(name)),
                shop: line.shop.as_deref().map_or(UNKNOWN, |name| names.shops.find(name)),
                first_category: place(first),
                last_category: place(categories.len()),
            }
        };
        let lines = basket.lines.iter().map(line).collect();
        let codes = basket.codes.iter().map(|code| names.codes.find(&crate::document::normalise_code(code))).collect();
        let groups = basket.customer.groups.iter().map(|group| names.groups.find(group)).collect();
        Self { lines, categories, groups, codes, all_discountable: basket.lines.iter().all(|line| line.discountable) }
    }

    pub(crate) fn categories_of(&self, line: usize) -> &[u32] {
        let of = &self.lines[line];
        &self.categories[of.first_category as usize..of.last_category as usize]
    }
}
