//! Who sees which variant: a salted hash of the shopper's id, in layers.
//!
//! **When:** every comparison of two ways to do something, and every release that should reach few shoppers first.
//! **When not:** when the id must not be guessable by the shopper (they could choose their variant by choosing an id).
//!
//! Nothing is stored: the variant is a function of the plan and the id, for ever (`tests/experiment.rs` holds numbers that
//! may not change). Every question has a hash of its own, `xxh3_64(id, seed = xxh3_64(role ‖ 0x1f ‖ salt))`:
//!
//! 1. *plan holdout*: is the shopper kept out of everything?
//! 2. *layer holdout*, then *layer place*, 0 to 9,999: which of the layer's experiments owns the place? Experiments own
//!    disjoint ranges, so nobody is in two of one layer; layers have salts of their own, so they cross evenly
//!    (Tang, Agarwal, O'Brien & Meyer 2010, "Overlapping experiment infrastructure", KDD).
//! 3. *ramp*: is the shopper among the `share` the experiment is open to?
//! 4. *variant*: by weight, whatever the share.
//!
//! As 3 and 4 are different hashes, a growing `share` (or a growing range of places) adds shoppers and moves nobody.
//! Weights are part of what an experiment *is*: change them only with the salt, as a new experiment.
//!
//! Cost: one hash of the id for each question that is reached.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::Timestamp;

/// Places of a layer, and the unit of shares: 10,000 is everybody.
pub const EVERYBODY: u32 = 10_000;

/// One way of doing it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VariantRecipe {
    /// What it is called; unique in the experiment. The first variant is the control.
    pub name: String,
    /// Its part of the experiment's shoppers, relative to the other weights; above 0.
    pub weight: u32,
}

/// One experiment: its variants, and which part of its layer it owns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExperimentRecipe {
    /// What it is called; unique in the plan.
    pub name: String,
    /// Part of the hash of ramp and variant; the name if empty. A new salt reshuffles.
    #[serde(default)]
    pub salt: String,
    /// The places of the layer it owns, of [`EVERYBODY`].
    pub places: Range<u32>,
    /// How many of 10,000 of its shoppers take part. Raise it to ramp up: nobody changes variant.
    pub share: u32,
    /// At least one; the first is the control.
    pub variants: Vec<VariantRecipe>,
    /// The first instant it runs; always if absent.
    #[serde(default)]
    pub starts: Option<Timestamp>,
    /// The first instant it no longer runs; never if absent. Outside its time its places are free for others.
    #[serde(default)]
    pub ends: Option<Timestamp>,
}

/// Experiments that exclude each other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerRecipe {
    /// What it is called; unique in the plan.
    pub name: String,
    /// Part of the hash of places and holdout; the name if empty.
    #[serde(default)]
    pub salt: String,
    /// How many of 10,000 shoppers are in no experiment of this layer.
    #[serde(default)]
    pub holdout: u32,
    /// Experiments on disjoint places, as far as they run at the same time.
    #[serde(default)]
    pub experiments: Vec<ExperimentRecipe>,
}

/// All experiments of a shop, as data. [`Plan::new`] makes it a [`Plan`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PlanRecipe {
    /// Part of the hash of the plan's holdout.
    pub salt: String,
    /// How many of 10,000 shoppers are in no experiment at all, to measure all of them together.
    pub holdout: u32,
    /// Layers cross: a shopper is in at most one experiment of each.
    pub layers: Vec<LayerRecipe>,
}

/// A plan that contradicts itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// Two experiments of one layer want the same places at the same time.
    #[error(
        "experiments `{first}` and `{second}` of layer `{layer}` overlap on places {from}..{to}; give them disjoint \
         places or times, or a layer each"
    )]
    Overlap {
        /// The layer.
        layer: String,
        /// The one that stands first in it.
        first: String,
        /// The other.
        second: String,
        /// First place both want.
        from: u32,
        /// First place beyond.
        to: u32,
    },
    /// A name twice.
    #[error("the {what} `{name}` is named twice; names must be unique")]
    Twice {
        /// Layer, experiment or variant.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// A layer, experiment or variant without a name.
    #[error("a {what} has no name; exposures could not be told apart")]
    Nameless {
        /// Layer, experiment or variant.
        what: &'static str,
    },
    /// A share or holdout above everybody.
    #[error("{field} of `{name}` is {got} of 10000; expected 0 to 10000")]
    Share {
        /// The layer or experiment, `plan` for the plan.
        name: String,
        /// `share` or `holdout`.
        field: &'static str,
        /// What was given.
        got: u32,
    },
    /// Places that are empty or end beyond the layer.
    #[error("places {from}..{to} of `{experiment}` are not a range within 0..10000")]
    Places {
        /// The experiment.
        experiment: String,
        /// First place.
        from: u32,
        /// First place beyond.
        to: u32,
    },
    /// No variants.
    #[error("experiment `{experiment}` has no variants; give it at least a control")]
    NoVariants {
        /// The experiment.
        experiment: String,
    },
    /// A variant that nobody could get.
    #[error("variant `{variant}` of `{experiment}` has weight 0; leave it out or give it a weight")]
    Weight {
        /// The experiment.
        experiment: String,
        /// The variant.
        variant: String,
    },
    /// An experiment that ends before it starts.
    #[error("experiment `{experiment}` ends before it starts")]
    Time {
        /// The experiment.
        experiment: String,
    },
}

/// Where a shopper stands in one layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Assigned<'a> {
    /// Kept out of all experiments of the plan.
    PlanHoldout,
    /// Kept out of the experiments of this layer.
    LayerHoldout,
    /// No running experiment owns the shopper's place, or its share has not reached them.
    Outside,
    /// In an experiment.
    In {
        /// Its name.
        experiment: &'a str,
        /// The variant's name.
        variant: &'a str,
        /// The variant's place in the recipe; 0 is the control.
        number: usize,
    },
}

impl<'a> Assigned<'a> {
    /// The variant's name, where there is one.
    #[must_use]
    pub const fn variant(self) -> Option<&'a str> {
        match self {
            Self::In { variant, .. } => Some(variant),
            _ => None,
        }
    }
}

/// A valid plan, ready to assign: the only way to one is through the checks, serde included.
///
/// # Example
/// ```
/// use likewise::Timestamp;
/// use likewise::experiment::{EVERYBODY, ExperimentRecipe, LayerRecipe, Plan, PlanError, PlanRecipe, VariantRecipe};
///
/// let variant = |name: &str| VariantRecipe { name: name.to_owned(), weight: 1 };
/// let ranker = ExperimentRecipe {
///     name: "ranker".to_owned(),
///     salt: String::new(),
///     places: 0..5_000,
///     share: EVERYBODY,
///     variants: vec![variant("as-is"), variant("blended")],
///     starts: None,
///     ends: None,
/// };
/// let home = LayerRecipe { name: "home".to_owned(), experiments: vec![ranker.clone()], ..LayerRecipe::default() };
/// let plan = Plan::new(PlanRecipe { layers: vec![home.clone()], ..PlanRecipe::default() })?;
/// let ann = plan.assign("home", "ann", Timestamp::from_secs(0)).unwrap();
/// assert_eq!(ann, plan.assign("home", "ann", Timestamp::from_secs(1)).unwrap());
///
/// let other = ExperimentRecipe { name: "other".to_owned(), places: 4_000..6_000, ..ranker };
/// let mut both = home;
/// both.experiments.push(other);
/// let refused = Plan::new(PlanRecipe { layers: vec![both], ..PlanRecipe::default() });
/// assert!(matches!(refused, Err(PlanError::Overlap { from: 4_000, to: 5_000, .. })));
/// # Ok::<(), PlanError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "PlanRecipe", into = "PlanRecipe")]
pub struct Plan {
    recipe: PlanRecipe,
    holdout: u64,
    layers: Vec<LayerSeeds>,
}

#[derive(Clone, Debug, PartialEq)]
struct LayerSeeds {
    holdout: u64,
    place: u64,
    /// Ramp and variant of each experiment.
    experiments: Vec<(u64, u64)>,
}

impl TryFrom<PlanRecipe> for Plan {
    type Error = PlanError;
    fn try_from(recipe: PlanRecipe) -> Result<Self, PlanError> {
        Self::new(recipe)
    }
}

impl From<Plan> for PlanRecipe {
    fn from(plan: Plan) -> Self {
        plan.recipe
    }
}

/// The seed of one question about one salt.
fn seed(role: &str, salt: &str, name: &str) -> u64 {
    let salt = if salt.is_empty() { name } else { salt };
    let mut text = Vec::with_capacity(role.len() + 1 + salt.len());
    text.extend_from_slice(role.as_bytes());
    text.push(0x1f);
    text.extend_from_slice(salt.as_bytes());
    xxh3_64(&text)
}

/// A number below `n`, evenly but for one part in 2^64 / n.
const fn below(hash: u64, n: u64) -> u64 {
    ((hash as u128 * n as u128) >> 64) as u64
}

fn place(unit: &str, seed: u64) -> u32 {
    below(xxh3_64_with_seed(unit.as_bytes(), seed), u64::from(EVERYBODY)) as u32
}

impl Plan {
    /// Checks `recipe`. `O(experiments²)` within a layer.
    ///
    /// # Errors
    /// [`PlanError`] names the first contradiction.
    pub fn new(recipe: PlanRecipe) -> Result<Self, PlanError> {
        check(&recipe)?;
        let layers = recipe.layers.iter().map(|layer| LayerSeeds {
            holdout: seed("layer-holdout", &layer.salt, &layer.name),
            place: seed("place", &layer.salt, &layer.name),
            experiments: (layer.experiments.iter())
                .map(|e| (seed("ramp", &e.salt, &e.name), seed("variant", &e.salt, &e.name)))
                .collect(),
        });
        Ok(Self { holdout: seed("plan-holdout", &recipe.salt, ""), layers: layers.collect(), recipe })
    }

    /// What it was made of.
    #[must_use]
    pub const fn recipe(&self) -> &PlanRecipe {
        &self.recipe
    }

    /// Where `unit` stands in the layer of this name at `now`; `None` for a layer the plan does not have.
    ///
    /// `unit` is whatever stays the same for as long as the experiment runs: a user id, a visitor id. It is hashed and
    /// forgotten. `O(layers + experiments)` comparisons and up to five hashes.
    #[must_use]
    pub fn assign(&self, layer: &str, unit: &str, now: Timestamp) -> Option<Assigned<'_>> {
        let number = self.recipe.layers.iter().position(|l| l.name == layer)?;
        Some(self.in_layer(self.recipe.layers.get(number)?, self.layers.get(number)?, unit, now))
    }

    /// Where `unit` stands in every layer, in the order of the recipe.
    pub fn assign_all<'a>(&'a self, unit: &'a str, now: Timestamp) -> impl Iterator<Item = (&'a str, Assigned<'a>)> {
        let layers = self.recipe.layers.iter().zip(&self.layers);
        layers.map(move |(layer, seeds)| (layer.name.as_str(), self.in_layer(layer, seeds, unit, now)))
    }

    fn in_layer<'a>(&'a self, layer: &'a LayerRecipe, seeds: &LayerSeeds, unit: &str, now: Timestamp) -> Assigned<'a> {
        if self.recipe.holdout > 0 && place(unit, self.holdout) < self.recipe.holdout {
            return Assigned::PlanHoldout;
        }
        if layer.holdout > 0 && place(unit, seeds.holdout) < layer.holdout {
            return Assigned::LayerHoldout;
        }
        let here = place(unit, seeds.place);
        let owner = layer.experiments.iter().zip(&seeds.experiments);
        let Some((experiment, &(ramp, variant))) =
            owner.into_iter().find(|(e, _)| e.places.contains(&here) && runs(e, now))
        else {
            return Assigned::Outside;
        };
        if place(unit, ramp) >= experiment.share {
            return Assigned::Outside;
        }
        let total: u64 = experiment.variants.iter().map(|v| u64::from(v.weight)).sum();
        let mut left = below(xxh3_64_with_seed(unit.as_bytes(), variant), total);
        for (number, variant) in experiment.variants.iter().enumerate() {
            let weight = u64::from(variant.weight);
            if left < weight {
                return Assigned::In { experiment: &experiment.name, variant: &variant.name, number };
            }
            left -= weight;
        }
        Assigned::Outside // not reached: `left` is below the sum of the weights
    }
}

fn runs(experiment: &ExperimentRecipe, now: Timestamp) -> bool {
    experiment.starts.is_none_or(|start| start <= now) && experiment.ends.is_none_or(|end| now < end)
}

fn check(plan: &PlanRecipe) -> Result<(), PlanError> {
    share("plan", "holdout", plan.holdout)?;
    unique("layer", plan.layers.iter().map(|l| &l.name))?;
    unique("experiment", plan.layers.iter().flat_map(|l| &l.experiments).map(|e| &e.name))?;
    for layer in &plan.layers {
        share(&layer.name, "holdout", layer.holdout)?;
        for (n, one) in layer.experiments.iter().enumerate() {
            check_experiment(one)?;
            for other in layer.experiments.iter().take(n) {
                let from = one.places.start.max(other.places.start);
                let to = one.places.end.min(other.places.end);
                let starts = one.starts.max(other.starts).unwrap_or(Timestamp::MIN);
                let ends = |e: &ExperimentRecipe| e.ends.unwrap_or(Timestamp::MAX);
                if from < to && starts < ends(one).min(ends(other)) {
                    let (layer, first, second) = (layer.name.clone(), other.name.clone(), one.name.clone());
                    return Err(PlanError::Overlap { layer, first, second, from, to });
                }
            }
        }
    }
    Ok(())
}

fn check_experiment(experiment: &ExperimentRecipe) -> Result<(), PlanError> {
    let name = || experiment.name.clone();
    share(&experiment.name, "share", experiment.share)?;
    let Range { start, end } = experiment.places;
    if start >= end || end > EVERYBODY {
        return Err(PlanError::Places { experiment: name(), from: start, to: end });
    }
    if experiment.variants.is_empty() {
        return Err(PlanError::NoVariants { experiment: name() });
    }
    unique("variant", experiment.variants.iter().map(|v| &v.name))?;
    if let Some(variant) = experiment.variants.iter().find(|v| v.weight == 0) {
        return Err(PlanError::Weight { experiment: name(), variant: variant.name.clone() });
    }
    let empty = experiment.starts.zip(experiment.ends).is_some_and(|(start, end)| start >= end);
    if empty { Err(PlanError::Time { experiment: name() }) } else { Ok(()) }
}

fn share(name: &str, field: &'static str, got: u32) -> Result<(), PlanError> {
    if got > EVERYBODY { Err(PlanError::Share { name: name.to_owned(), field, got }) } else { Ok(()) }
}

fn unique<'a>(what: &'static str, names: impl Iterator<Item = &'a String>) -> Result<(), PlanError> {
    let mut met = std::collections::BTreeSet::new();
    for name in names {
        if name.is_empty() {
            return Err(PlanError::Nameless { what });
        }
        if !met.insert(name) {
            return Err(PlanError::Twice { what, name: name.clone() });
        }
    }
    Ok(())
}
