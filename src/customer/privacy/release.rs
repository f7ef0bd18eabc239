//! Counts of shoppers with noise.

use serde::{Deserialize, Serialize};

use super::ledger::{Ledger, LedgerError, Loss};
use super::noise::{Bits, gaussian, laplace};
use crate::dataset::Dataset;
use crate::event::KindSet;
use crate::ids::UserIdx;
use crate::params::{Checked, ParamError, ParamSpec, Validate};

/// Which noise, and how much.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Mechanism {
    /// Discrete Laplace noise of scale `max_items / epsilon`. Best for few items a shopper.
    Laplace {
        /// ε of the release; 1e-4 to 20.
        epsilon: f64,
    },
    /// Discrete Gaussian noise of variance `max_items / (2 rho)`. Best for many items a shopper, or many releases; the
    /// [`Ledger`] needs a δ.
    Gaussian {
        /// ρ of the release; 1e-6 to 100.
        rho: f64,
    },
}

/// Recipe of a release: how many shoppers touched each item.
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `kinds` | interest | at least one kind | touches that count |
/// | `max_items` | 5 | 1 to 1000 | items a shopper counts for: the latest; more items, more noise |
/// | `mechanism` | Laplace, ε 0.5 | ε 1e-4 to 20, ρ 1e-6 to 100 | the noise |
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CountRelease {
    /// Touches that count.
    pub kinds: KindSet,
    /// Of the named items, a shopper counts for the latest so many; `1..=1000`. This bounds what one shopper can change.
    pub max_items: u32,
    /// The noise.
    pub mechanism: Mechanism,
}

impl Default for CountRelease {
    fn default() -> Self {
        Self { kinds: KindSet::INTEREST, max_items: 5, mechanism: Mechanism::Laplace { epsilon: 0.5 } }
    }
}

impl Validate for CountRelease {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            ParamSpec::typed("kinds", "at least one kind", "touches that count"),
            ParamSpec::int("max_items", 1, 1000, "latest items a shopper counts for"),
            ParamSpec::typed(
                "mechanism",
                "laplace with epsilon 1e-4 to 20, gaussian with rho 1e-6 to 100",
                "the noise",
            ),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        if self.kinds.is_empty() {
            return Err(ParamError::new("kinds", "no kind", "at least one kind"));
        }
        crate::params::check_range::<Self>("max_items", self.max_items.into())?;
        match self.mechanism {
            Mechanism::Laplace { epsilon } if !(1e-4..=20.0).contains(&epsilon) => {
                Err(ParamError::new("mechanism.laplace.epsilon", epsilon, "1e-4 to 20"))
            }
            Mechanism::Gaussian { rho } if !(1e-6..=100.0).contains(&rho) => {
                Err(ParamError::new("mechanism.gaussian.rho", rho, "1e-6 to 100"))
            }
            _ => Ok(()),
        }
    }
}

/// Why nothing was released.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PrivacyError {
    /// The budget does not allow it.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// An item is named twice: its two counts would cost twice.
    #[error("item {item:?} is named twice; name each item once")]
    Twice {
        /// The item.
        item: String,
    },
}

/// What may be published.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Release {
    /// Each named item, in the order named, with its noisy number of shoppers; it may be below zero, and rounding such
    /// counts up biases their sum.
    pub counts: Vec<(String, i64)>,
    /// Standard deviation of the noise on each count.
    pub noise_std: f64,
    /// 95 of 100 counts are off by at most this much because of the noise (and by what `max_items` left out).
    pub within_95: u64,
    /// What was paid.
    pub loss: Loss,
}

/// ε is rounded down to this many parts of one, ρ's variance up: noise is never less than paid for.
const PARTS: u64 = 1 << 20;
const VARIANCE_PARTS: u64 = 1 << 10;

impl Checked<CountRelease> {
    /// Counts, pays, adds noise. `bits` gives 64 uniform random bits a call: from the operating system's generator for
    /// anything that is published. `O(events + items)`.
    ///
    /// # Errors
    /// [`PrivacyError`]; then nothing was paid and no bit drawn.
    pub fn release(
        &self,
        data: &Dataset,
        items: &[&str],
        ledger: &mut Ledger,
        bits: &mut dyn FnMut() -> u64,
    ) -> Result<Release, PrivacyError> {
        let mut named: Vec<&str> = items.to_vec();
        named.sort_unstable();
        if let Some(pair) = named.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(PrivacyError::Twice { item: pair[0].to_owned() });
        }
        let (noise, loss) = self.noise();
        ledger.pay(loss)?;
        let exact = self.count(data, items);
        let counts = items.iter().zip(exact);
        let counts = counts.map(|(item, exact)| ((*item).to_owned(), exact.saturating_add(noise.draw(bits)))).collect();
        Ok(Release { counts, noise_std: noise.std(), within_95: noise.within_95(), loss })
    }

    fn noise(&self) -> (Noise, Loss) {
        let bound = u64::from(self.max_items);
        match self.mechanism {
            Mechanism::Laplace { epsilon } => {
                let s = ((epsilon * PARTS as f64).floor() as u64).max(1);
                (Noise::Laplace { s, t: bound * PARTS }, Loss::Pure { epsilon })
            }
            Mechanism::Gaussian { rho } => {
                let num = (bound as f64 / (2.0 * rho) * VARIANCE_PARTS as f64).ceil() as u64;
                (Noise::Gaussian { num: num.max(1) }, Loss::Concentrated { rho })
            }
        }
    }

    /// Each item's number of rows, where a row counts for its latest `max_items` of the named items.
    fn count(&self, data: &Dataset, items: &[&str]) -> Vec<i64> {
        let mut place = vec![usize::MAX; data.n_items()];
        for (at, id) in items.iter().enumerate() {
            if let Some(item) = data.item(id) {
                place[item.as_usize()] = at;
            }
        }
        let mut counts = vec![0i64; items.len()];
        let mut met: Vec<usize> = Vec::new();
        for row in 0..data.n_rows() as u32 {
            met.clear();
            for event in data.events_of(UserIdx::new(row)).iter().rev() {
                let at = place[event.item.as_usize()];
                if at != usize::MAX && self.kinds.contains(event.kind) && !met.contains(&at) {
                    met.push(at);
                    counts[at] += 1;
                    if met.len() == self.max_items as usize {
                        break;
                    }
                }
            }
        }
        counts
    }
}

/// Noise of whole-numbered parameters.
enum Noise {
    Laplace { s: u64, t: u64 },
    Gaussian { num: u64 },
}

impl Noise {
    fn draw(&self, bits: &mut Bits<'_>) -> i64 {
        match *self {
            Self::Laplace { s, t } => laplace(s, t, bits),
            Self::Gaussian { num } => gaussian(num, VARIANCE_PARTS, bits),
        }
    }

    /// Exactly for Laplace: `√(2 q) / (1 - q)` with `q = exp(-s/t)`; at most this for Gaussian.
    fn std(&self) -> f64 {
        match *self {
            Self::Laplace { s, t } => {
                let rate = s as f64 / t as f64;
                (2.0 * (-rate).exp()).sqrt() / -(-rate).exp_m1()
            }
            Self::Gaussian { num } => (num as f64 / VARIANCE_PARTS as f64).sqrt(),
        }
    }

    fn within_95(&self) -> u64 {
        match *self {
            // P(|x| > k) = 2 q^(k+1) / (1 + q)
            Self::Laplace { s, t } => {
                let rate = s as f64 / t as f64;
                let tail = 0.05 * (1.0 + (-rate).exp()) / 2.0;
                (-tail.ln() / rate - 1.0).max(0.0).ceil() as u64
            }
            Self::Gaussian { .. } => (1.96 * self.std()).ceil() as u64,
        }
    }
}
