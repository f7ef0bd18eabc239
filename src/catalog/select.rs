//! Which items? An expression over attributes, as data, compiled into a flat program.
//!
//! Use it wherever a set of items has to be named without listing them: filters of a ranker or of one request, the reach
//! of a rule, the audience of a campaign. It is serde data, so it can live in a configuration file or come over the wire.
//! For conditions on the shopper, or ones that need code, write a filter instead.
//!
//! Compiling resolves names to numbers once, `O(values)` lookups; matching is then a walk over at most as many tests as
//! the expression has, decided at the first that settles it (short-circuit code after Aho, Lam, Sethi & Ullman,
//! *Compilers*, 2nd ed., §6.6), without stack or heap.

use serde::{Deserialize, Serialize};

use super::column::{AttributeKind, Column, canonical_path};
use super::{AttributeId, Shelf};
use crate::dataset::Dataset;
use crate::ids::ItemIdx;
use crate::time::{Span, Timestamp};

/// A set of items by what the catalogue says of them.
///
/// An item that is not in the catalogue is in none of the sets but [`Select::All`] and [`Select::Items`] — and so in the
/// [`Select::Not`] of the others: logic is two-valued, "not known" is "no".
///
/// # Example
/// ```
/// use likewise::Select;
/// let select: Select = serde_json::from_str(
///     r#"{"and": [{"in": {"attribute": "category", "values": ["Home > Kitchen"]}},
///                 {"price": {"max": 20.0}},
///                 {"not": {"in": {"attribute": "brand", "values": ["Acme", "Bolt"]}}}]}"#,
/// )?;
/// select.validate()?;
/// assert_eq!(select, Select::within("category", ["Home > Kitchen"])
///     .and(Select::Price { min: None, max: Some(20.0) })
///     .and(Select::within("brand", ["Acme", "Bolt"]).negate()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Select {
    /// Every item.
    #[default]
    All,
    /// Items in every one of these; all items when there is none.
    And(Vec<Select>),
    /// Items in at least one of these; no item when there is none.
    Or(Vec<Select>),
    /// Items that are not in this.
    Not(Box<Select>),
    /// Items with at least one of these values. A category value such as `Home > Kitchen` stands for everything below
    /// it too. A value the catalogue does not know matches nothing: it may come with the next update.
    In {
        /// A category or tag attribute.
        attribute: String,
        /// The values, at least one.
        values: Vec<String>,
    },
    /// Items with any value of an attribute of any kind.
    Has {
        /// The attribute.
        attribute: String,
    },
    /// Items whose number lies between two bounds, both included. Items without a number are never in.
    Range {
        /// A numeric attribute.
        attribute: String,
        /// The smallest number; none for no lower bound.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min: Option<f64>,
        /// The largest number; none for no upper bound.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max: Option<f64>,
    },
    /// Items whose price lies between two bounds, both included. Items without a price are never in.
    Price {
        /// The lowest price; none for no lower bound.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min: Option<f64>,
        /// The highest price; none for no upper bound.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max: Option<f64>,
    },
    /// Items released at most this long before the request; not those still to come.
    Released {
        /// How long ago at most.
        within: Span,
    },
    /// These items, by id. An unknown id matches nothing.
    Items(Vec<String>),
}

/// Why an expression cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SelectError {
    /// Nested too deeply.
    #[error("the expression is nested more than {limit} deep; flatten it")]
    TooDeep {
        /// The deepest that is allowed, [`Select::MAX_DEPTH`].
        limit: usize,
    },
    /// A bound that is not a number.
    #[error("a bound of `{of}` is NaN; give a number, or leave it out for no bound")]
    NanBound {
        /// The attribute, or `price`.
        of: String,
    },
    /// A lower bound above the upper one.
    #[error("the bounds of `{of}` exclude each other: min {min} > max {max}; swap them")]
    Bounds {
        /// The attribute, or `price`.
        of: String,
        /// The lower bound.
        min: f64,
        /// The upper bound.
        max: f64,
    },
    /// A list without values.
    #[error("`{of}` lists no values; list at least one, or leave the condition out")]
    NoValues {
        /// The attribute, or `items`.
        of: String,
    },
    /// An attribute the catalogue does not have.
    #[error("the catalogue has no attribute `{attribute}`; check the spelling, or declare it in the catalogue")]
    NoAttribute {
        /// Its name.
        attribute: String,
    },
    /// A condition that does not fit the attribute's kind.
    #[error("`{attribute}` is a {kind} attribute; this condition needs {expected}")]
    WrongKind {
        /// The attribute.
        attribute: String,
        /// What it is.
        kind: AttributeKind,
        /// What the condition is for.
        expected: &'static str,
    },
}

impl Select {
    /// The deepest nesting that is allowed. (As JSON, `serde_json` gives up at about the same depth.)
    pub const MAX_DEPTH: usize = 64;

    /// Items with one of `values` for the category or tag attribute `attribute`.
    #[must_use]
    pub fn within<V: Into<String>>(attribute: impl Into<String>, values: impl IntoIterator<Item = V>) -> Self {
        Self::In { attribute: attribute.into(), values: values.into_iter().map(Into::into).collect() }
    }

    /// The items of `ids`.
    #[must_use]
    pub fn items<V: Into<String>>(ids: impl IntoIterator<Item = V>) -> Self {
        Self::Items(ids.into_iter().map(Into::into).collect())
    }

    /// Items in both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match self {
            Self::And(mut all) => {
                all.push(other);
                Self::And(all)
            }
            first => Self::And(vec![first, other]),
        }
    }

    /// Items in either.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match self {
            Self::Or(mut any) => {
                any.push(other);
                Self::Or(any)
            }
            first => Self::Or(vec![first, other]),
        }
    }

    /// Items not in it.
    #[must_use]
    pub fn negate(self) -> Self {
        Self::Not(Box::new(self))
    }

    /// Whether it makes sense by itself, whatever the catalogue. [`compile`](Self::compile) checks it too.
    ///
    /// # Errors
    /// Any [`SelectError`] but those about attributes.
    pub fn validate(&self) -> Result<(), SelectError> {
        self.validate_at(1)
    }

    fn validate_at(&self, depth: usize) -> Result<(), SelectError> {
        if depth > Self::MAX_DEPTH {
            return Err(SelectError::TooDeep { limit: Self::MAX_DEPTH });
        }
        match self {
            Self::All | Self::Has { .. } | Self::Released { .. } => Ok(()),
            Self::And(parts) | Self::Or(parts) => parts.iter().try_for_each(|part| part.validate_at(depth + 1)),
            Self::Not(part) => part.validate_at(depth + 1),
            Self::In { attribute, values } if values.is_empty() => Err(SelectError::NoValues { of: attribute.clone() }),
            Self::Items(ids) if ids.is_empty() => Err(SelectError::NoValues { of: "items".to_owned() }),
            Self::In { .. } | Self::Items(_) => Ok(()),
            Self::Range { attribute, min, max } => check_bounds(attribute, *min, *max),
            Self::Price { min, max } => check_bounds("price", *min, *max),
        }
    }

    /// Resolves it against a shelf.
    ///
    /// # Errors
    /// As [`CompiledSelect::compile_into`].
    pub fn compile(&self, data: &Dataset, shelf: &Shelf) -> Result<CompiledSelect, SelectError> {
        let mut compiled = CompiledSelect::default();
        compiled.compile_into(self, data, shelf)?;
        Ok(compiled)
    }
}

fn check_bounds(of: &str, min: Option<f64>, max: Option<f64>) -> Result<(), SelectError> {
    if min.is_some_and(f64::is_nan) || max.is_some_and(f64::is_nan) {
        return Err(SelectError::NanBound { of: of.to_owned() });
    }
    match (min, max) {
        (Some(min), Some(max)) if min > max => Err(SelectError::Bounds { of: of.to_owned(), min, max }),
        _ => Ok(()),
    }
}

/// A [`Select`] resolved against one [`Shelf`]: a flat list of tests, each saying where to go on.
///
/// It is meant for the shelf it was compiled against. With a shelf of a later update of the same catalogue it stays
/// correct for what was known before; with any other, its answers mean nothing (but nothing panics).
#[derive(Clone, Debug)]
pub struct CompiledSelect {
    /// Emitted last test first: both targets of a step are below its own place, so a walk always ends.
    steps: Vec<Step>,
    entry: Target,
    /// Codes and item numbers the steps refer to; each step's own are ascending and distinct.
    numbers: Vec<u32>,
    /// Scratch for the canonical spelling of a path.
    path: String,
}

/// A step's place, or one of the two ends.
type Target = u32;
const ACCEPT: Target = u32::MAX;
const REJECT: Target = u32::MAX - 1;

#[derive(Clone, Copy, Debug)]
struct Step {
    test: Test,
    yes: Target,
    no: Target,
}

#[derive(Clone, Copy, Debug)]
enum Test {
    In { attribute: AttributeId, from: u32, to: u32 },
    Has { attribute: AttributeId },
    Range { attribute: AttributeId, min: f64, max: f64 },
    Price { min: f64, max: f64 },
    Released { within: Span },
    Items { from: u32, to: u32 },
}

impl Default for CompiledSelect {
    /// Every item.
    fn default() -> Self {
        Self { steps: Vec::new(), entry: ACCEPT, numbers: Vec::new(), path: String::new() }
    }
}

impl CompiledSelect {
    /// Compiles `select` in place of what was compiled before. Allocates only while its buffers still grow. After an
    /// error it matches nothing.
    ///
    /// # Errors
    /// What [`Select::validate`] says; [`SelectError::NoAttribute`] and [`SelectError::WrongKind`] when an attribute is
    /// not what the expression takes it for.
    pub fn compile_into(&mut self, select: &Select, data: &Dataset, shelf: &Shelf) -> Result<(), SelectError> {
        self.steps.clear();
        self.numbers.clear();
        self.entry = REJECT;
        select.validate()?;
        self.entry = self.emit(select, ACCEPT, REJECT, data, shelf)?;
        Ok(())
    }

    /// Whether every item matches, whatever it is.
    #[must_use]
    pub const fn is_all(&self) -> bool {
        self.entry == ACCEPT
    }

    /// Whether `item` matches, on the shelf it was compiled against, at the time of a request. Allocates nothing.
    #[inline]
    #[must_use]
    pub fn matches(&self, shelf: &Shelf, item: ItemIdx, now: Timestamp) -> bool {
        let row = shelf.row(item);
        let mut at = self.entry;
        while let Some(step) = self.steps.get(at as usize) {
            let holds = match step.test {
                Test::Items { from, to } => self.numbers(from, to).binary_search(&item.get()).is_ok(),
                test => row.is_some_and(|row| self.holds(test, shelf, row, now)),
            };
            at = if holds { step.yes } else { step.no };
        }
        at == ACCEPT
    }

    /// A test on an item of the catalogue.
    #[inline]
    fn holds(&self, test: Test, shelf: &Shelf, row: u32, now: Timestamp) -> bool {
        let catalog = shelf.catalog();
        match test {
            Test::In { attribute, from, to } => match catalog.column(attribute) {
                Some(Column::Coded(_, column)) => {
                    let wanted = self.numbers(from, to);
                    column.codes(row as usize).iter().any(|code| wanted.binary_search(code).is_ok())
                }
                _ => false,
            },
            Test::Has { attribute } => catalog.column(attribute).is_some_and(|column| column.has(row as usize)),
            Test::Range { attribute, min, max } => match catalog.column(attribute) {
                Some(Column::Number(column)) => column.get(row as usize).is_some_and(|v| (min..=max).contains(v)),
                _ => false,
            },
            Test::Price { min, max } => catalog.price(row).is_some_and(|price| (min..=max).contains(&price)),
            Test::Released { within } => catalog.released(row).is_some_and(|at| at <= now && now.since(at) <= within),
            Test::Items { .. } => false,
        }
    }

    #[inline]
    fn numbers(&self, from: u32, to: u32) -> &[u32] {
        &self.numbers[from as usize..to as usize]
    }

    /// Emits the tests of `select`, to go on at `yes` or `no`; returns where to enter. As deep as `select` is nested.
    fn emit(
        &mut self,
        select: &Select,
        yes: Target,
        no: Target,
        data: &Dataset,
        shelf: &Shelf,
    ) -> Result<Target, SelectError> {
        let test = match select {
            Select::All => return Ok(yes),
            Select::And(parts) => {
                return parts.iter().rev().try_fold(yes, |next, part| self.emit(part, next, no, data, shelf));
            }
            Select::Or(parts) => {
                return parts.iter().rev().try_fold(no, |next, part| self.emit(part, yes, next, data, shelf));
            }
            Select::Not(part) => return self.emit(part, no, yes, data, shelf),
            Select::In { attribute, values } => {
                let id = resolve(shelf, attribute, "a category or tags attribute", |kind| {
                    matches!(kind, AttributeKind::Category | AttributeKind::Tags)
                })?;
                let from = self.numbers.len();
                if let Some(Column::Coded(kind, column)) = shelf.catalog().column(id) {
                    for value in values {
                        let value = match kind {
                            AttributeKind::Category => {
                                canonical_path(value, &mut self.path);
                                &self.path
                            }
                            _ => value.trim(),
                        };
                        self.numbers.extend(column.dictionary.get(value));
                    }
                }
                let (from, to) = self.settle(from);
                Test::In { attribute: id, from, to }
            }
            Select::Has { attribute } => Test::Has { attribute: resolve(shelf, attribute, "any kind", |_| true)? },
            Select::Range { attribute, min, max } => {
                let id = resolve(shelf, attribute, "a number attribute", |kind| matches!(kind, AttributeKind::Number))?;
                Test::Range { attribute: id, min: min.unwrap_or(f64::NEG_INFINITY), max: max.unwrap_or(f64::INFINITY) }
            }
            Select::Price { min, max } => {
                Test::Price { min: min.unwrap_or(f64::NEG_INFINITY), max: max.unwrap_or(f64::INFINITY) }
            }
            Select::Released { within } => Test::Released { within: *within },
            Select::Items(ids) => {
                let from = self.numbers.len();
                self.numbers.extend(ids.iter().filter_map(|id| shelf.item(data, id)).map(ItemIdx::get));
                let (from, to) = self.settle(from);
                Test::Items { from, to }
            }
        };
        self.steps.push(Step { test, yes, no });
        Ok(self.steps.len() as Target - 1)
    }

    /// Orders the numbers from `from` on, each once; where they lie.
    fn settle(&mut self, from: usize) -> (u32, u32) {
        let tail = &mut self.numbers[from..];
        tail.sort_unstable();
        let mut kept = 0;
        for i in 0..tail.len() {
            if i == 0 || tail[i] != tail[kept - 1] {
                tail[kept] = tail[i];
                kept += 1;
            }
        }
        self.numbers.truncate(from + kept);
        (from as u32, self.numbers.len() as u32)
    }
}

fn resolve(
    shelf: &Shelf,
    name: &str,
    expected: &'static str,
    fits: impl Fn(AttributeKind) -> bool,
) -> Result<AttributeId, SelectError> {
    let id = shelf.attribute(name).ok_or_else(|| SelectError::NoAttribute { attribute: name.to_owned() })?;
    match shelf.catalog().column(id).map(Column::kind) {
        Some(kind) if !fits(kind) => Err(SelectError::WrongKind { attribute: name.to_owned(), kind, expected }),
        _ => Ok(id),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::catalog::{CatalogBuilder, ItemRecord};
    use crate::dataset::DatasetBuilder;

    #[test]
    fn a_warm_program_is_compiled_in_place() {
        let mut builder = CatalogBuilder::default().attribute("category", AttributeKind::Category).unwrap();
        builder.add(&ItemRecord::new("mug").category("category", "Home > Kitchen")).unwrap();
        let data = DatasetBuilder::default().build().unwrap();
        let shelf = Shelf::new(&data, Arc::new(builder.build()));
        let select = Select::within("category", ["Home>Kitchen", "Home"]).and(Select::items(["mug", "lid"]).negate());
        let mut compiled = select.compile(&data, &shelf).unwrap();
        let buffers = |c: &CompiledSelect| {
            ((c.steps.as_ptr(), c.steps.capacity()), (c.numbers.as_ptr(), c.numbers.capacity()), c.path.as_ptr())
        };
        let warm = buffers(&compiled);
        compiled.compile_into(&Select::All, &data, &shelf).unwrap();
        compiled.compile_into(&select, &data, &shelf).unwrap();
        assert_eq!(buffers(&compiled), warm);
        assert_eq!(
            (compiled.steps.len(), &*compiled.numbers),
            (2, &[0, 0, 1][..]),
            "items first: emitted last to first"
        );
    }
}
