//! The hyper-parameters of BPR.

use serde::{Deserialize, Serialize};

use crate::params::{ParamError, ParamSpec, Validate, check_range};
use crate::scorer::bucket::NAME;
use crate::scorer::retrieval::Retrieval;
use crate::tune::{Axis, Over, Tunable};

/// Which items are taken for not touched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Sampling {
    /// Any item as often as any other: fast, but most are soon told apart and teach nothing more.
    #[default]
    Uniform,
    /// Items as often as shoppers touch them: tells more, and takes some popularity out of the ranking.
    Popularity,
    /// Items the model ranks high for the shopper, by one factor at a time (Rendle & Freudenthaler 2014): every step teaches.
    Adaptive {
        /// The mean rank drawn, in items; 1 to a million. The paper's λ.
        rank: f32,
    },
}

/// How [`Bpr`](super::Bpr) learns.
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `name` | `bpr` | not empty | the scorer's name |
/// | `factors` | 64 | 1 to 1024 | numbers a shopper and an item |
/// | `epochs` | 60 | 1 to 10000 | steps a pair |
/// | `learning_rate` | 0.05 | 2^-20 to 1 | of the first step; it falls evenly to a tenth |
/// | `regularization` | 0.01 | 0 to 16 | how much long vectors cost |
/// | `offset_regularization` | 0.01 | 0 to 16 | how much item offsets cost |
/// | `sampling` | uniform | rank 1 to 1e6 | which items are taken for not touched |
/// | `fold_in` | 20 | 1 to 1000 | steps an item of the history, for shoppers the fit does not know |
/// | `retrieval` | auto | see [`Retrieval`] | how `propose` looks for items |
///
/// Every pair of positive weight counts the same.
///
/// To tune: `learning_rate` and `epochs` together, then `regularization`, then `sampling`.
///
/// # Example
/// ```
/// use likewise::{BprParams, Sampling, Validate};
/// assert!(BprParams { sampling: Sampling::Adaptive { rank: 200.0 }, ..BprParams::default() }.check().is_ok());
/// let wrong = BprParams { sampling: Sampling::Adaptive { rank: 0.0 }, ..BprParams::default() };
/// assert_eq!(wrong.check().unwrap_err().param, "sampling.adaptive.rank");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BprParams {
    /// The scorer's name.
    pub name: String,
    /// Numbers a shopper and an item, `1..=1024`.
    pub factors: u32,
    /// Steps a pair, `1..=10_000`.
    pub epochs: u32,
    /// How far the first step goes; the last goes a tenth of it.
    pub learning_rate: f32,
    /// What length costs a vector at each step that moves it.
    pub regularization: f32,
    /// What it costs an item's offset.
    pub offset_regularization: f32,
    /// Which items are taken for not touched.
    pub sampling: Sampling,
    /// Steps an item of the history in a fold-in, `1..=1000`.
    pub fold_in: u32,
    /// How [`propose`](crate::Scorer::propose) looks for items.
    pub retrieval: Retrieval,
}

impl Default for BprParams {
    fn default() -> Self {
        Self {
            name: "bpr".to_owned(),
            factors: 64,
            epochs: 60,
            learning_rate: 0.05,
            regularization: 0.01,
            offset_regularization: 0.01,
            sampling: Sampling::default(),
            fold_in: 20,
            retrieval: Retrieval::Auto,
        }
    }
}

impl Validate for BprParams {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            NAME,
            ParamSpec::int("factors", 1, 1024, "numbers a shopper and an item"),
            ParamSpec::int("epochs", 1, 10_000, "steps a pair"),
            ParamSpec::real("learning_rate", 1.0 / (1 << 20) as f64, 1.0, "how far the first step goes"),
            ParamSpec::real("regularization", 0.0, 16.0, "how much long vectors cost"),
            ParamSpec::real("offset_regularization", 0.0, 16.0, "how much item offsets cost"),
            ParamSpec::typed(
                "sampling",
                "uniform, popularity, or adaptive with a rank from 1 to 1000000",
                "other items",
            ),
            ParamSpec::int("fold_in", 1, 1000, "steps an item of the history in a fold-in"),
            ParamSpec::typed("retrieval", Retrieval::ALLOWED, "how items are looked for"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        if self.name.trim().is_empty() {
            return Err(ParamError::new("name", format_args!("{:?}", self.name), "a text that is not empty"));
        }
        check_range::<Self>("factors", self.factors.into())?;
        check_range::<Self>("epochs", self.epochs.into())?;
        check_range::<Self>("learning_rate", self.learning_rate.into())?;
        check_range::<Self>("regularization", self.regularization.into())?;
        check_range::<Self>("offset_regularization", self.offset_regularization.into())?;
        check_range::<Self>("fold_in", self.fold_in.into())?;
        self.retrieval.validate("retrieval")?;
        match self.sampling {
            Sampling::Adaptive { rank } if !(1.0..=1e6).contains(&rank) => {
                Err(ParamError::new("sampling.adaptive.rank", rank, "a number from 1 to 1000000"))
            }
            _ => Ok(()),
        }
    }
}

impl Tunable for BprParams {
    fn space() -> &'static [Axis] {
        const SPACE: &[Axis] = &[
            Axis::new("factors", Over::LogInt { lo: 16, hi: 128 }),
            Axis::new("epochs", Over::LogInt { lo: 20, hi: 150 }),
            Axis::new("learning_rate", Over::Log { lo: 0.01, hi: 0.2 }),
            Axis::new("regularization", Over::Log { lo: 0.001, hi: 0.1 }),
            Axis::new("offset_regularization", Over::Log { lo: 0.001, hi: 0.3 }),
            Axis::new("sampling", Over::OneOf(&["\"uniform\"", "\"popularity\"", "{\"adaptive\":{\"rank\":500}}"])),
            Axis::new("sampling.adaptive.rank", Over::Log { lo: 50.0, hi: 5000.0 }),
        ];
        SPACE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_kept() {
        crate::testing::check_params::<BprParams>().unwrap();
        for rank in [0.0, 2e6, f32::NAN] {
            let params = BprParams { sampling: Sampling::Adaptive { rank }, ..BprParams::default() };
            assert_eq!(params.validate().unwrap_err().param, "sampling.adaptive.rank");
        }
        assert_eq!(BprParams { name: " ".to_owned(), ..BprParams::default() }.validate().unwrap_err().param, "name");
    }
}
