//! The recipe of a [`Bandit`](super::Bandit).

use serde::{Deserialize, Serialize};

use super::context::Features;
use crate::{ParamError, ParamSpec, Span, Validate, check_range};

/// How arms are weighed.
///
/// Which one: where arms stay as they are, all but epsilon-greedy lose about the same in the first ten thousand visits; where
/// they drift, or the context matters, [`Policy::LinUcb`] loses least, with features that matter and with ones that do not. Its
/// choices are certain, so leave [`BanditParams::explore`] above 0 if the log is to be evaluated. Thompson sampling gives every
/// arm a chance and needs no such share. Both learn what is usual in the slot ([`Pool`]); epsilon-greedy takes the prior as it
/// is. `cargo run --release --example content` prints them all.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Policy {
    /// The arm with the best mean so far, or any arm with probability `epsilon` (0 to 1): the baseline to beat.
    EpsilonGreedy {
        /// How often any arm is shown.
        epsilon: f64,
    },
    /// Rewards from 0 to 1 (clicked or not): an arm is shown with the probability that its share of successes is the
    /// highest, by Beta posteriors.
    ThompsonBeta,
    /// Rewards of any size (revenue, margin, dwell time): the same by normal posteriors of the mean.
    ThompsonNormal {
        /// The standard deviation of a reward as far as is known beforehand; it weighs as much as the prior. Above 0.
        deviation: f64,
    },
    /// The arm with the highest upper bound of a linear model of the context (Li, Chu, Langford & Schapire 2010, "A
    /// contextual-bandit approach to personalized news article recommendation", WWW; disjoint models, which [`Pool`] ties
    /// together). Without features it is an upper bound of the mean.
    LinUcb {
        /// Standard errors above the expectation, 0 to 100. 1.5 is a good one where arms are pooled; 1 loses as little on average, but now
        /// and then leaves a good arm for long.
        width: f64,
        /// The standard deviation of a reward around the model as far as is known beforehand, above 0; half for clicks.
        noise: f64,
    },
    /// An arm with the probability that its linear model promises most here (Agrawal & Goyal 2013, "Thompson sampling for
    /// contextual bandits with linear payoffs", ICML; disjoint models).
    LinThompson {
        /// The standard deviation of a reward around the model, above 0: as far as is known beforehand where arms are
        /// pooled, else what it is taken for; larger explores more.
        noise: f64,
    },
}

impl Policy {
    /// Whether it looks at the context.
    pub(super) const fn is_linear(self) -> bool {
        matches!(self, Self::LinUcb { .. } | Self::LinThompson { .. })
    }
}

/// Whether arms learn from each other what is usual.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pool {
    /// Each arm by itself: the prior is all an arm knows before it is shown.
    Apart,
    /// An arm is held to the mean of its slot, as strongly as arms turn out to be alike; for the linear policies the
    /// context is held to saying nothing, as far as it turns out to, and the noise is learned. The prior is then what is
    /// believed of the *slot*, worth its weight in choices. An arm with a prior of its own stands apart.
    #[default]
    Slot,
}

/// What is believed of an arm before it was shown.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prior {
    /// The reward expected. Between 0 and 1, both left out, for [`Policy::ThompsonBeta`].
    pub mean: f64,
    /// How many choices that expectation is worth; 0.001 to 1e9. For linear policies whose arms stand apart it is the ridge.
    pub weight: f64,
}

impl Default for Prior {
    /// Half, worth two choices: the uniform law for shares.
    fn default() -> Self {
        Self { mean: 0.5, weight: 2.0 }
    }
}

/// How a slot's content is chosen.
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `policy` | Thompson for shares | see [`Policy`] | how arms are weighed |
/// | `prior` | half, worth two choices | see [`Prior`] | of arms without a prior of their own |
/// | `pool` | slot | apart, slot | whether arms learn from each other what is usual |
/// | `spread` | 0.5 | 0.01 to 10 | the standard errors Thompson sampling draws with, over those of its beliefs: 1 is Thompson's own, less explores less |
/// | `features` | only the one | see [`Features`] | what the linear policies see |
/// | `half_life` | never fades | 1 ms to 100 years | age at which a choice counts half: about the time the world stays the same |
/// | `explore` | 0.02 | 0 to 1 | share of choices made evenly among eligible arms, so that any later policy can be evaluated from the log |
/// | `cold_shows` | 0 | 0 to 1,000,000,000 | an arm shown less often is cold |
/// | `cold_share` | 0.1 | 0 to 1 | while there are cold arms, share of choices made evenly among them |
/// | `wait` | 1 day | 1 ms to 100 years | how long after a choice its reward may come |
///
/// Why half the errors: Thompson sampling looks as far ahead as there is time. In ten thousand visits to arms that differ by
/// a percent there is not enough, and it loses a third to drawing what is hardly likely; in a world that fades there never
/// is (table on top of `pooled.rs`; below .3 it settles on wrong arms). With 1 its regret grows no faster than any can in the long run.
///
/// # Example
/// ```
/// use likewise::Validate;
/// use likewise::decide::content::{BanditParams, Policy};
/// let params = BanditParams { policy: Policy::LinUcb { width: -1.0, noise: 0.5 }, ..BanditParams::default() };
/// assert_eq!(params.check().unwrap_err().param, "policy.width");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BanditParams {
    /// How arms are weighed.
    pub policy: Policy,
    /// Of arms without a prior of their own.
    pub prior: Prior,
    /// Whether arms learn from each other what is usual.
    pub pool: Pool,
    /// The standard errors Thompson sampling draws with, over those of its beliefs.
    pub spread: f64,
    /// What the linear policies see.
    pub features: Features,
    /// Age at which a choice counts half.
    pub half_life: Option<Span>,
    /// Share of pure exploration.
    pub explore: f64,
    /// An arm shown less often is cold.
    pub cold_shows: u32,
    /// Share of choices among cold arms.
    pub cold_share: f64,
    /// How long after a choice its reward may come.
    pub wait: Span,
}

impl Default for BanditParams {
    fn default() -> Self {
        Self {
            policy: Policy::ThompsonBeta,
            prior: Prior::default(),
            pool: Pool::default(),
            spread: 0.5,
            features: Features::default(),
            half_life: None,
            explore: 0.02,
            cold_shows: 0,
            cold_share: 0.1,
            wait: Span::days(1),
        }
    }
}

const CENTURY: u64 = 36_525 * 86_400_000;

impl Validate for BanditParams {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            ParamSpec::typed("policy", "a policy with its numbers in range", "how arms are weighed"),
            ParamSpec::typed("prior", "a finite mean worth 0.001 to 1e9 choices", "of arms without one"),
            ParamSpec::typed("pool", "apart or slot", "whether arms learn from each other what is usual"),
            ParamSpec::real("spread", 0.01, 10.0, "the errors Thompson sampling draws with"),
            ParamSpec::typed("features", "see Features", "what the linear policies see"),
            ParamSpec::typed("half_life", "1 ms to 100 years, or none", "age at which a choice counts half"),
            ParamSpec::real("explore", 0.0, 1.0, "share of pure exploration"),
            ParamSpec::int("cold_shows", 0, 1_000_000_000, "an arm shown less often is cold"),
            ParamSpec::real("cold_share", 0.0, 1.0, "share of choices among cold arms"),
            ParamSpec::int("wait", 1, CENTURY, "milliseconds a reward may take"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        let number = |name: &str, got: f64, lo: f64, hi: f64| {
            let fine = (lo..=hi).contains(&got);
            if fine { Ok(()) } else { Err(ParamError::new(name, got, format!("a finite number from {lo} to {hi}"))) }
        };
        match self.policy {
            Policy::EpsilonGreedy { epsilon } => number("policy.epsilon", epsilon, 0.0, 1.0)?,
            Policy::ThompsonBeta => {}
            Policy::ThompsonNormal { deviation } => number("policy.deviation", deviation, 1e-12, 1e12)?,
            Policy::LinUcb { width, noise } => {
                number("policy.width", width, 0.0, 100.0)?;
                number("policy.noise", noise, 1e-12, 1e12)?;
            }
            Policy::LinThompson { noise } => number("policy.noise", noise, 1e-12, 1e12)?,
        }
        self.check_prior("prior", self.prior)?;
        check_range::<Self>("spread", self.spread)?;
        self.features.validate()?;
        if let Some(half) = self.half_life {
            number("half_life", half.as_millis() as f64, 1.0, CENTURY as f64)?;
        }
        check_range::<Self>("explore", self.explore)?;
        check_range::<Self>("cold_shows", self.cold_shows.into())?;
        check_range::<Self>("cold_share", self.cold_share)?;
        check_range::<Self>("wait", self.wait.as_millis() as f64)
    }
}

impl BanditParams {
    /// Whether the policy can start from this prior.
    pub(super) fn check_prior(&self, name: &str, prior: Prior) -> Result<(), ParamError> {
        if !(0.001..=1e9).contains(&prior.weight) {
            return Err(ParamError::new(format!("{name}.weight"), prior.weight, "0.001 to 1e9"));
        }
        let share = self.policy == Policy::ThompsonBeta;
        if share && !(prior.mean > 0.0 && prior.mean < 1.0) {
            return Err(ParamError::new(format!("{name}.mean"), prior.mean, "above 0 and below 1 for shares"));
        }
        if !(-1e12..=1e12).contains(&prior.mean) {
            return Err(ParamError::new(format!("{name}.mean"), prior.mean, "a finite number up to 1e12 in size"));
        }
        Ok(())
    }
}
