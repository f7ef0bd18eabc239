//! The bandit of one slot: it chooses, logs why, and learns from rewards that come later.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::apart;
use super::context::{ContentContext, Eligible};
use super::evidence::{Add, ArmEvidence, Evidence, Open};
use super::fatigue::Fatigue;
use super::params::{BanditParams, Policy, Pool, Prior};
use super::pooled;
use super::standing::{Law, best_chances, greedy};
use crate::kernel::rng::SplitMix64;
use crate::{Checked, ParamError, Span, Timestamp};

/// One thing a slot can show.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arm {
    /// What it is called; unique in the slot.
    pub id: String,
    /// Who may see it.
    #[serde(default)]
    pub eligible: Eligible,
    /// What is believed of it beforehand, if not what the recipe says.
    #[serde(default)]
    pub prior: Option<Prior>,
}

impl Arm {
    /// An arm anybody may see.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), ..Self::default() }
    }
}

/// Names a choice, for its reward: the process that made it and its number there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChoiceId {
    /// The process that chose; its rewards go there.
    pub process: String,
    /// The number of the choice in that process.
    pub number: u64,
}

/// A choice as it should be logged: everything off-policy evaluation needs but the reward.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// For the reward.
    pub id: ChoiceId,
    /// The request.
    pub request: String,
    /// When.
    pub at: Timestamp,
    /// What was chosen.
    pub arm: String,
    /// The probability with which it was.
    pub propensity: f64,
    /// All eligible arms with theirs, in the order of the arms; they sum to 1.
    pub among: Vec<(String, f64)>,
}

/// What is asked of a slot.
#[derive(Clone, Copy, Debug)]
pub struct ContentRequest<'a> {
    /// The request's id: the same id, seed and evidence give the same choice.
    pub id: &'a str,
    /// Who asks, and where.
    pub context: &'a ContentContext,
    /// Now.
    pub now: Timestamp,
    /// The only source of randomness.
    pub seed: u64,
    /// What this shopper is tired of, with the slot's name, where that is known.
    pub fatigue: Option<(&'a Fatigue, &'a str)>,
}

/// What became of a reward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub enum Rewarded {
    /// It counts.
    Counted,
    /// The choice had its reward; this one changes nothing.
    Duplicate,
    /// The choice is older than [`BanditParams::wait`]; it counts as unrewarded.
    TooLate,
    /// Another process made the choice: send the reward there.
    Elsewhere,
    /// Nobody made such a choice.
    Unknown,
}

/// A bandit that cannot be made, asked or told.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BanditError {
    /// No arm may be shown here.
    #[error("none of {arms} arms may be shown to this context; keep one that everybody may see")]
    NoneEligible {
        /// Arms there are.
        arms: usize,
    },
    /// Two arms of one name.
    #[error("arm `{id}` is named twice (or has no name); names must be unique")]
    ArmName {
        /// The name.
        id: String,
    },
    /// A prior the policy cannot start from.
    #[error("arm `{arm}`: {source}")]
    Prior {
        /// The arm.
        arm: String,
        /// What is wrong.
        source: ParamError,
    },
    /// A reward the policy cannot learn from.
    #[error("the reward {got} is not {expected}; it was not counted")]
    Reward {
        /// The reward.
        got: f64,
        /// What it should be.
        expected: &'static str,
    },
    /// Evidence of other features.
    #[error(
        "the evidence of arm `{arm}` has {got} sums and the features need {expected}; features cannot change midway"
    )]
    Features {
        /// The arm.
        arm: String,
        /// Sums it has.
        got: usize,
        /// Sums the features need.
        expected: usize,
    },
    /// A process without a name.
    #[error("the process needs a name of its own; choices could not be told apart")]
    Process,
}

/// A slot that learns what to show.
///
/// Choosing and rewarding change the [`Evidence`], which is plain data: keep it over restarts, exchange and
/// [merge](Bandit::merge) it between processes. A choice counts as shown and unrewarded at once, and its reward is added
/// when it comes, with the age of the choice.
///
/// Cost of a choice: the arms' sums over processes, and what the policy needs: `O(arms)` for epsilon-greedy,
/// `O(arms² × 60)` for Thompson, and `O(arms × features³ / 6)` on top for the linear ones, nine times that where arms are
/// [pooled](Pool).
///
/// # Example
/// ```
/// use likewise::{Timestamp, Validate};
/// use likewise::decide::content::{Arm, Bandit, BanditParams, ContentContext, ContentRequest, Evidence, Rewarded};
///
/// let arms = vec![Arm::new("spring"), Arm::new("sale")];
/// let mut banner = Bandit::new(BanditParams::default().check()?, arms, "server-1", Evidence::default())?;
/// let context = ContentContext::default();
/// let mut shown = [0, 0];
/// for visit in 0..600 {
///     let now = Timestamp::from_secs(visit);
///     let id = visit.to_string();
///     let choice = banner.choose(&ContentRequest { id: &id, context: &context, now, seed: 42, fatigue: None })?;
///     let sale = choice.arm == "sale";
///     shown[usize::from(sale)] += 1;
///     if sale && visit % 5 == 0 {
///         assert_eq!(banner.reward(&choice.id, 1.0, now)?, Rewarded::Counted);
///     }
/// }
/// assert!(shown[1] > 5 * shown[0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Bandit {
    params: Checked<BanditParams>,
    arms: Vec<Arm>,
    process: String,
    evidence: Evidence,
}

impl Bandit {
    /// A bandit that goes on from `evidence` and writes as `process`.
    ///
    /// # Errors
    /// [`BanditError`]: arms of one name, a prior the policy cannot use, evidence of other features, a nameless process.
    pub fn new(
        params: Checked<BanditParams>,
        arms: Vec<Arm>,
        process: impl Into<String>,
        evidence: Evidence,
    ) -> Result<Self, BanditError> {
        let mut made = Self { params, arms: Vec::new(), process: process.into(), evidence: Evidence::default() };
        if made.process.is_empty() {
            return Err(BanditError::Process);
        }
        made.set_arms(arms)?;
        made.merge(&evidence)?;
        Ok(made)
    }

    /// Replaces the arms. What was seen of arms that left is kept (their rewards still count, and they may come back);
    /// new ones start from their prior.
    ///
    /// # Errors
    /// [`BanditError::ArmName`], [`BanditError::Prior`]; the arms are then as before.
    pub fn set_arms(&mut self, arms: Vec<Arm>) -> Result<(), BanditError> {
        for (n, arm) in arms.iter().enumerate() {
            if arm.id.is_empty() || arms.iter().take(n).any(|other| other.id == arm.id) {
                return Err(BanditError::ArmName { id: arm.id.clone() });
            }
            if let Some(prior) = arm.prior {
                let arm = || arm.id.clone();
                self.params.check_prior("prior", prior).map_err(|source| BanditError::Prior { arm: arm(), source })?;
            }
        }
        self.arms = arms;
        Ok(())
    }

    /// The arms.
    #[must_use]
    pub fn arms(&self) -> &[Arm] {
        &self.arms
    }

    /// Everything seen, to store or send.
    #[must_use]
    pub const fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// Takes in what another process saw; see [`Evidence::merge`].
    ///
    /// # Errors
    /// [`BanditError::Features`]; nothing is taken in then.
    pub fn merge(&mut self, other: &Evidence) -> Result<(), BanditError> {
        let dim = self.dimension();
        let expected = dim * (dim + 1) / 2;
        for (arm, seen) in other.parts.values().flat_map(|part| &part.arms) {
            let fits = (seen.gram.is_empty() || seen.gram.len() == expected)
                && (seen.moment.is_empty() || seen.moment.len() == dim);
            if !fits {
                return Err(BanditError::Features { arm: arm.clone(), got: seen.gram.len(), expected });
            }
        }
        self.evidence.merge(other);
        Ok(())
    }

    fn dimension(&self) -> usize {
        if self.params.policy.is_linear() { self.params.features.dimension() } else { 0 }
    }

    /// The eligible arms' places and the probability of each, before anything is drawn. A pure function: use it to
    /// evaluate this policy on somebody else's log.
    ///
    /// # Errors
    /// [`BanditError::NoneEligible`].
    pub fn propensities(
        &self,
        context: &ContentContext,
        now: Timestamp,
        fatigue: Option<(&Fatigue, &str)>,
    ) -> Result<Vec<(usize, f64)>, BanditError> {
        let admitted = self.arms.iter().enumerate().filter(|(_, arm)| arm.eligible.admits(context, now));
        let among: Vec<(usize, &Arm)> = admitted.collect();
        if among.is_empty() {
            return Err(BanditError::NoneEligible { arms: self.arms.len() });
        }
        let (seen, laws) = self.laws(context, now);
        let seen: Vec<&ArmEvidence> = among.iter().filter_map(|(place, _)| seen.get(*place)).collect();
        let laws: Vec<Law> = among.iter().filter_map(|(place, _)| laws.get(*place).copied()).collect();
        let n = among.len() as f64;
        let mut chances = match self.params.policy {
            Policy::ThompsonBeta | Policy::ThompsonNormal { .. } | Policy::LinThompson { .. } => {
                best_chances(&laws.iter().map(|law| law.spread(self.params.spread)).collect::<Vec<_>>())
            }
            Policy::EpsilonGreedy { epsilon } => {
                let best = greedy(&laws.iter().map(|law| law.mean()).collect::<Vec<_>>());
                best.into_iter().map(|chance| epsilon / n + (1.0 - epsilon) * chance).collect()
            }
            Policy::LinUcb { width, .. } => {
                let bound = |law: &Law| law.mean() + width * law.error();
                greedy(&laws.iter().map(bound).collect::<Vec<_>>())
            }
        };
        let is_cold = |seen: &ArmEvidence| seen.shown < u64::from(self.params.cold_shows);
        let cold = seen.iter().filter(|seen| is_cold(seen)).count();
        let share = if cold > 0 { self.params.cold_share } else { 0.0 };
        let mut total = 0.0;
        for ((chance, seen), (_, arm)) in chances.iter_mut().zip(&seen).zip(&among) {
            let to_cold = if is_cold(seen) { share / cold as f64 } else { 0.0 };
            let learned = to_cold + (1.0 - share) * *chance;
            *chance = self.params.explore / n + (1.0 - self.params.explore) * learned;
            *chance *= fatigue.map_or(1.0, |(fatigue, slot)| fatigue.factor(slot, &arm.id, now));
            total += *chance;
        }
        Ok(among.iter().zip(chances).map(|((place, _), chance)| (*place, chance / total)).collect())
    }

    /// Chooses, and counts the choice as shown.
    ///
    /// The same evidence, context, fatigue, seed and request id give the same choice. Asking twice counts twice.
    ///
    /// # Errors
    /// [`BanditError::NoneEligible`]; nothing is counted then.
    pub fn choose(&mut self, request: &ContentRequest<'_>) -> Result<Choice, BanditError> {
        let among = self.propensities(request.context, request.now, request.fatigue)?;
        let hash = xxh3_64_with_seed(request.id.as_bytes(), 0);
        let draw = (SplitMix64::stream(request.seed, hash).next() >> 11) as f64 / (1u64 << 53) as f64;
        let mut left = draw;
        let taken = among.iter().find(|(_, chance)| {
            left -= chance;
            left < 0.0
        });
        // Rounding may leave a last sliver: it belongs to the last arm with a chance.
        let taken = taken.or_else(|| among.iter().rev().find(|(_, chance)| *chance > 0.0));
        let none = BanditError::NoneEligible { arms: self.arms.len() };
        let &(place, propensity) = taken.ok_or_else(|| none.clone())?;
        let arm = self.arms.get(place).ok_or(none)?.id.clone();
        let linear = self.params.policy.is_linear();
        let features = if linear { self.params.features.of(request.context) } else { Vec::new() };
        let add = Add { at: request.now, shown: 1, reward: 0.0, features: &features };
        settle(&mut self.evidence, &self.process, request.now, self.params.wait);
        let part = self.evidence.parts.entry(self.process.clone()).or_default();
        part.arms.entry(arm.clone()).or_default().add(&add, self.params.half_life);
        let number = part.next;
        part.next += 1;
        part.version += 1;
        part.open.insert(number, Open { arm: arm.clone(), at: request.now, features, rewarded: false });
        let id = ChoiceId { process: self.process.clone(), number };
        let name = |(place, chance): &(usize, f64)| Some((self.arms.get(*place)?.id.clone(), *chance));
        let among = among.iter().filter_map(name).collect();
        Ok(Choice { id, request: request.id.to_owned(), at: request.now, arm, propensity, among })
    }

    /// Tells what a choice earned. At most one reward a choice counts, whatever arrives twice.
    ///
    /// # Errors
    /// [`BanditError::Reward`] for a number the policy cannot learn from: not finite, above 1e12 in size, or outside 0
    /// to 1 for [`Policy::ThompsonBeta`].
    pub fn reward(&mut self, choice: &ChoiceId, reward: f64, now: Timestamp) -> Result<Rewarded, BanditError> {
        let share = self.params.policy == Policy::ThompsonBeta;
        if share && !(0.0..=1.0).contains(&reward) {
            return Err(BanditError::Reward { got: reward, expected: "from 0 to 1" });
        }
        if !(-1e12..=1e12).contains(&reward) {
            return Err(BanditError::Reward { got: reward, expected: "a finite number up to 1e12 in size" });
        }
        if choice.process != self.process {
            let known = self.evidence.parts.get(&choice.process).is_some_and(|part| choice.number < part.next);
            return Ok(if known { Rewarded::Elsewhere } else { Rewarded::Unknown });
        }
        let Some(part) = self.evidence.parts.get_mut(&self.process).filter(|part| choice.number < part.next) else {
            return Ok(Rewarded::Unknown);
        };
        let wait = self.params.wait;
        let Some(open) = part.open.get_mut(&choice.number).filter(|open| now.since(open.at) <= wait) else {
            return Ok(Rewarded::TooLate);
        };
        if open.rewarded {
            return Ok(Rewarded::Duplicate);
        }
        open.rewarded = true;
        part.version += 1;
        let add = Add { at: open.at, shown: 0, reward, features: &open.features };
        part.arms.entry(open.arm.clone()).or_default().add(&add, self.params.half_life);
        Ok(Rewarded::Counted)
    }

    /// What is believed of each arm in this context: its expected reward and the standard error of it.
    #[must_use]
    pub fn beliefs(&self, context: &ContentContext, now: Timestamp) -> Vec<(f64, f64)> {
        self.laws(context, now).1.iter().map(|law| (law.mean(), law.error())).collect()
    }

    /// What was seen of each arm, and what is believed of it here.
    fn laws(&self, context: &ContentContext, now: Timestamp) -> (Vec<ArmEvidence>, Vec<Law>) {
        let BanditParams { policy, pool, half_life, prior, .. } = *self.params;
        let x = if policy.is_linear() { self.params.features.of(context) } else { Vec::new() };
        let seen: Vec<ArmEvidence> = self.arms.iter().map(|arm| self.evidence.of(&arm.id, now, half_life)).collect();
        let alone = |(arm, seen): (&Arm, &ArmEvidence)| apart::law(policy, arm.prior.unwrap_or(prior), seen, &x);
        let mut laws: Vec<Law> = self.arms.iter().zip(&seen).map(alone).collect();
        if pool == Pool::Apart || matches!(policy, Policy::EpsilonGreedy { .. }) {
            return (seen, laws);
        }
        // An arm with a prior of its own is no arm like the others: it neither gives nor takes.
        let together = |arm: &Arm| arm.prior.is_none();
        let common: Vec<&ArmEvidence> =
            self.arms.iter().zip(&seen).filter_map(|(arm, seen)| together(arm).then_some(seen)).collect();
        let believed = match policy {
            Policy::EpsilonGreedy { .. } | Policy::ThompsonBeta => pooled::shares_of(prior, &common),
            Policy::ThompsonNormal { deviation } => pooled::rewards_of(prior, deviation, &common, &[1.0]),
            Policy::LinUcb { noise, .. } | Policy::LinThompson { noise } => {
                pooled::rewards_of(prior, noise, &common, &x)
            }
        };
        let own = self.arms.iter().zip(&mut laws).filter_map(|(arm, law)| together(arm).then_some(law));
        own.zip(believed).for_each(|(law, believed)| *law = believed);
        (seen, laws)
    }
}

/// Forgets the oldest choices that can no longer be rewarded.
fn settle(evidence: &mut Evidence, process: &str, now: Timestamp, wait: Span) {
    let Some(part) = evidence.parts.get_mut(process) else { return };
    while part.open.first_key_value().is_some_and(|(_, open)| now.since(open.at) > wait) {
        part.open.pop_first();
    }
}
