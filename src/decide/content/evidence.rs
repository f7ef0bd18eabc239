//! What was seen of the arms: sums that fade with time, kept by process, merged without counting anything twice.
//!
//! Each process writes only its own part; a merge takes for every process the part with the higher version. That is
//! commutative, associative and idempotent to the last bit (a state-based CRDT; Shapiro, Preguiça, Baquero & Zawirski 2011,
//! SSS), which adding up sums could never be: a state that arrives twice, late, or by a detour changes nothing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Span, Timestamp};

/// The sums of one arm, as they stand at `at`. A choice of age `t` weighs `2^(-t / half-life)`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ArmEvidence {
    /// The latest choice in it.
    pub at: Timestamp,
    /// Choices ever, not faded.
    pub shown: u64,
    /// Weight of the choices.
    pub weight: f64,
    /// Weighted rewards.
    pub reward: f64,
    /// Weighted squared rewards.
    pub square: f64,
    /// Weighted `x xᵀ`, the upper triangle row by row; empty without features.
    pub gram: Vec<f64>,
    /// Weighted `reward x`; empty without features.
    pub moment: Vec<f64>,
}

/// What a choice or its reward adds.
pub(super) struct Add<'a> {
    pub(super) at: Timestamp,
    pub(super) shown: u64,
    pub(super) reward: f64,
    pub(super) features: &'a [f64],
}

fn fade(from: Timestamp, to: Timestamp, half_life: Option<Span>) -> f64 {
    half_life.map_or(1.0, |half| to.since(from).decay(half))
}

impl ArmEvidence {
    /// Multiplies all sums by what is left of them at `now`, if that is later.
    fn fade_to(&mut self, now: Timestamp, half_life: Option<Span>) {
        if now > self.at {
            let left = fade(self.at, now, half_life);
            self.at = now;
            let sums = [&mut self.weight, &mut self.reward, &mut self.square].into_iter();
            sums.chain(&mut self.gram).chain(&mut self.moment).for_each(|sum| *sum *= left);
        }
    }

    pub(super) fn add(&mut self, add: &Add<'_>, half_life: Option<Span>) {
        self.fade_to(add.at, half_life);
        let left = fade(add.at, self.at, half_life);
        self.shown += add.shown;
        self.weight += left * add.shown as f64;
        self.reward += left * add.reward;
        self.square += left * add.reward * add.reward;
        let x = add.features;
        if add.shown > 0 {
            self.gram.resize(x.len() * (x.len() + 1) / 2, 0.0);
            let pairs = x.iter().enumerate().flat_map(|(i, a)| x.iter().skip(i).map(move |b| a * b));
            self.gram.iter_mut().zip(pairs).for_each(|(sum, product)| *sum += left * product * add.shown as f64);
        }
        self.moment.resize(x.len(), 0.0);
        self.moment.iter_mut().zip(x).for_each(|(sum, x)| *sum += left * add.reward * x);
    }

    /// Adds the sums of another process as they stand at `self.at`, which is at least as late.
    fn take_in(&mut self, other: &Self, half_life: Option<Span>) {
        let left = fade(other.at, self.at, half_life);
        self.shown += other.shown;
        self.weight += left * other.weight;
        self.reward += left * other.reward;
        self.square += left * other.square;
        self.gram.resize(self.gram.len().max(other.gram.len()), 0.0);
        self.moment.resize(self.moment.len().max(other.moment.len()), 0.0);
        self.gram.iter_mut().zip(&other.gram).for_each(|(sum, more)| *sum += left * more);
        self.moment.iter_mut().zip(&other.moment).for_each(|(sum, more)| *sum += left * more);
    }
}

/// A choice whose reward may still come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Open {
    pub(super) arm: String,
    pub(super) at: Timestamp,
    pub(super) features: Vec<f64>,
    pub(super) rewarded: bool,
}

/// What one process saw.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Part {
    /// Changes so far; grows by one with each.
    pub(super) version: u64,
    /// The number of the next choice.
    pub(super) next: u64,
    pub(super) arms: BTreeMap<String, ArmEvidence>,
    /// Choices that may still be rewarded, by number.
    pub(super) open: BTreeMap<u64, Open>,
}

/// Everything seen by all processes, as far as merged. Plain data: store it, send it, [merge](Evidence::merge) it.
///
/// As JSON, use a reader that keeps the last bit of a float (`serde_json` with `float_roundtrip`).
///
/// **One writer a name:** a process must write under a name no other process uses at the same time, and after a restart
/// from an older copy under a new name (or take its newest part back from a peer first).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Evidence {
    pub(super) parts: BTreeMap<String, Part>,
}

impl Evidence {
    /// Takes in what another process knows. Commutative, associative, idempotent. `O(size)`.
    pub fn merge(&mut self, other: &Self) {
        for (process, part) in &other.parts {
            match self.parts.get_mut(process) {
                Some(mine) if mine.version >= part.version => {}
                Some(mine) => mine.clone_from(part),
                None => {
                    self.parts.insert(process.clone(), part.clone());
                }
            }
        }
    }

    /// What all processes saw of `arm`, as it stands at `now` (or at its latest choice, if that is later); parts are
    /// added in the order of their names. `O(processes × features²)`.
    #[must_use]
    pub fn of(&self, arm: &str, now: Timestamp, half_life: Option<Span>) -> ArmEvidence {
        let seen = || self.parts.values().filter_map(|part| part.arms.get(arm));
        let at = seen().map(|arm| arm.at).max().unwrap_or(now).max(now);
        let mut all = ArmEvidence { at, ..ArmEvidence::default() };
        seen().for_each(|part| all.take_in(part, half_life));
        all
    }

    /// The names of the processes that wrote.
    pub fn processes(&self) -> impl Iterator<Item = &str> {
        self.parts.keys().map(String::as_str)
    }

    /// Choices that may still be rewarded.
    #[must_use]
    pub fn open(&self) -> usize {
        self.parts.values().map(|part| part.open.len()).sum()
    }
}
