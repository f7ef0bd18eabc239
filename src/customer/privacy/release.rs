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
    /// Counts, pays, adds noise. `O(events + items)`.
    ///
    /// `bits` gives 64 uniform random bits a call, and all privacy hangs on them: who knows or guesses them subtracts the
    /// noise and has the exact counts. For anything that is published they come from the operating system's generator
    /// (`getrandom`, `rand::rngs::OsRng`), are used once and kept nowhere. A [`Run`](crate::Run)'s seed, the time, a number
    /// in a configuration are no source: whoever sees the release could try them all. This library draws no entropy by
    /// itself; it takes the caller's, also so that tests can repeat a release. Bits that are not random (all zero, say) may
    /// keep this from ever returning.
    ///
    /// How many bits are drawn depends on the noise, so that the time a release takes says something about it: publish the
    /// result, not how long it took.
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
                // Upwards also where the division rounded down onto a whole number.
                let parts = (bound as f64 / (2.0 * rho) * VARIANCE_PARTS as f64).next_up();
                let num = parts.ceil() as u64;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consent::{Consented, LawfulBasis, Shopper};
    use crate::dataset::DatasetBuilder;
    use crate::event::{Event, EventKind};
    use crate::kernel::rng::SplitMix64;
    use crate::time::Timestamp;
    use proptest::prelude::*;

    const ITEMS: [&str; 5] = ["mug", "tea", "saw", "hat", "pen"];

    fn data(events: &[(u8, u8, bool)]) -> Dataset {
        let mut shop = DatasetBuilder::default();
        for (second, &(user, item, bought)) in events.iter().enumerate() {
            let id = format!("u{user}");
            let who = Shopper::Profiled(Consented::new(&id, LawfulBasis::Contract));
            let kind = if bought { EventKind::Purchase } else { EventKind::Impression };
            let item = ITEMS[item as usize % ITEMS.len()];
            shop.push(&Event::new(who, item, kind, Timestamp::from_secs(second as i64))).unwrap();
        }
        shop.finish().unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        /// What the noise is made for: one shopper more or less changes at most `max_items` counts, each by one.
        #[test]
        fn one_shopper_changes_no_more_than_the_bound(
            events in prop::collection::vec((0u8..6, 0u8..5, any::<bool>()), 0..60),
            gone in 0u8..6,
            max_items in 1u32..4,
        ) {
            let recipe = CountRelease { max_items, ..CountRelease::default() }.check().unwrap();
            let without: Vec<_> = events.iter().copied().filter(|e| e.0 != gone).collect();
            let (with, without) = (recipe.count(&data(&events), &ITEMS), recipe.count(&data(&without), &ITEMS));
            let changed: Vec<i64> = with.iter().zip(&without).map(|(a, b)| a - b).filter(|d| *d != 0).collect();
            prop_assert!(changed.iter().all(|&d| d == 1) && changed.len() <= max_items as usize, "{changed:?}");
            // And nobody is left out without need.
            if max_items >= 3 {
                let all: std::collections::BTreeSet<_> = events.iter().filter(|e| e.2).map(|e| (e.0, e.1)).collect();
                let of_few = (0..6).all(|user| all.iter().filter(|pair| pair.0 == user).count() <= 3);
                prop_assert!(!of_few || with.iter().sum::<i64>() == all.len() as i64);
            }
        }
    }

    #[test]
    fn what_is_said_of_the_noise_is_so() {
        for mechanism in [Mechanism::Laplace { epsilon: 0.7 }, Mechanism::Gaussian { rho: 0.05 }] {
            let recipe = CountRelease { mechanism, max_items: 2, ..CountRelease::default() }.check().unwrap();
            let names: Vec<String> = (0..4000).map(|n| format!("i{n}")).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let mut ledger = Ledger::new(50.0, 1e-6).unwrap();
            let mut rng = SplitMix64::new(5);
            let release = recipe.release(&data(&[]), &names, &mut ledger, &mut || rng.next()).unwrap();
            let n = release.counts.len() as f64;
            let mean = release.counts.iter().map(|c| c.1 as f64).sum::<f64>() / n;
            let std = (release.counts.iter().map(|c| (c.1 as f64).powi(2)).sum::<f64>() / n).sqrt();
            assert!(mean.abs() < 4.0 * release.noise_std / n.sqrt(), "{mechanism:?}: mean {mean}");
            assert!((std / release.noise_std - 1.0).abs() < 0.08, "{mechanism:?}: {std} {}", release.noise_std);
            let off = release.counts.iter().filter(|c| c.1.unsigned_abs() > release.within_95).count();
            assert!(off as f64 / n <= 0.06, "{mechanism:?}: {off} beyond {}", release.within_95);
            assert!(off as f64 / n >= 0.02, "{mechanism:?}: {off} beyond {}", release.within_95);
        }
    }

    #[test]
    fn nothing_is_paid_or_drawn_for_what_is_refused() {
        let recipe = CountRelease::default().check().unwrap();
        let mut ledger = Ledger::new(0.6, 0.0).unwrap();
        let mut never = || -> u64 { unreachable!("no bit is drawn") };
        let twice = recipe.release(&data(&[]), &["mug", "tea", "mug"], &mut ledger, &mut never);
        assert_eq!(twice.unwrap_err(), PrivacyError::Twice { item: "mug".to_owned() });
        ledger.pay(Loss::Pure { epsilon: 0.5 }).unwrap();
        let broke = recipe.release(&data(&[]), &["mug"], &mut ledger, &mut never);
        assert!(matches!(broke, Err(PrivacyError::Ledger(LedgerError::Exhausted { .. }))));
        assert_eq!(ledger.spent(), 0.5);
        let bad = |recipe: CountRelease| recipe.check().unwrap_err().to_string();
        let laplace = Mechanism::Laplace { epsilon: 0.0 };
        assert!(
            bad(CountRelease { mechanism: laplace, ..CountRelease::default() }).contains("mechanism.laplace.epsilon")
        );
        assert!(bad(CountRelease { max_items: 0, ..CountRelease::default() }).contains("max_items"));
    }
}
