//! The hyper-parameters of attribute-aware factors.

use serde::{Deserialize, Serialize};

use crate::params::{ParamError, ParamSpec, Validate, check_range};
use crate::scorer::als::AlsParams;
use crate::scorer::attributes::{AttributeWeight, check_attributes};
use crate::scorer::bucket::NAME;
use crate::tune::{Axis, Over, Tunable};

/// What [`Hybrid`](super::Hybrid) minimises and how.
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `name` | `hybrid` | not empty | the scorer's name |
/// | `als` | defaults | see [`AlsParams`] | the factors, and how `propose` looks for items |
/// | `attributes` | all categories and tags | in the catalogue, weights above 0 | what an item is a sum of |
/// | `spans` | 8 | 1 to 1000 | spans of equally many items a number is cut into |
/// | `attribute_regularization` | 1 | 2^-20 to 1e6 | what the length of a value's vector costs, in items |
/// | `passes` | 3 | 1 to 100 | sweeps over the values in each sweep of ALS |
///
/// The objective is that of [`AlsParams`] with `λ_i |y_i - Σ_v w_v a_iv|²` in place of `λ_i |y_i|²` for the items, plus
/// `attribute_regularization x mean λ_i x |w_v|²` for each value `v`. The weights `a_i` of an item's values have length 1
/// (an attribute's share of it by its weight), and one more value, of weight 1, is shared by all items with attributes.
///
/// # Example
/// ```
/// use likewise::{AlsParams, HybridParams, Validate};
/// let params = HybridParams { als: AlsParams { factors: 0, ..AlsParams::default() }, ..HybridParams::default() };
/// assert_eq!(params.check().unwrap_err().param, "als.factors");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HybridParams {
    /// The scorer's name.
    pub name: String,
    /// The factors.
    pub als: AlsParams,
    /// What an item is a sum of; none for every category and tag attribute, each counting 1.
    pub attributes: Vec<AttributeWeight>,
    /// Spans of equally many items a number is cut into, `1..=1000`.
    pub spans: u32,
    /// What the length of a value's vector costs: a value of so many items (of average weight) has half its say.
    pub attribute_regularization: f32,
    /// Sweeps over the values in each sweep of ALS, `1..=100`.
    pub passes: u32,
}

impl Default for HybridParams {
    fn default() -> Self {
        Self {
            name: "hybrid".to_owned(),
            als: AlsParams::default(),
            attributes: Vec::new(),
            spans: 8,
            attribute_regularization: 1.0,
            passes: 3,
        }
    }
}

impl Validate for HybridParams {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            NAME,
            ParamSpec::typed("als", "valid parameters of ALS", "the factors"),
            ParamSpec::typed(
                "attributes",
                "named once each, weights above 0, at most 1000000",
                "what an item is a sum of",
            ),
            ParamSpec::int("spans", 1, 1000, "spans a number is cut into"),
            ParamSpec::real("attribute_regularization", 1.0 / (1 << 20) as f64, 1e6, "what a value's vector costs"),
            ParamSpec::int("passes", 1, 100, "sweeps over the values in each sweep of ALS"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        if self.name.trim().is_empty() {
            return Err(ParamError::new("name", format_args!("{:?}", self.name), "a text that is not empty"));
        }
        let inside = |error: ParamError| ParamError { param: format!("als.{}", error.param), ..error };
        self.als.validate().map_err(inside)?;
        check_attributes(&self.attributes)?;
        check_range::<Self>("spans", self.spans.into())?;
        check_range::<Self>("attribute_regularization", self.attribute_regularization.into())?;
        check_range::<Self>("passes", self.passes.into())
    }
}

impl Tunable for HybridParams {
    fn space() -> &'static [Axis] {
        const SPACE: &[Axis] = &[
            Axis::new("als.factors", Over::LogInt { lo: 16, hi: 256 }),
            Axis::new("als.alpha0", Over::Log { lo: 0.001, hi: 1.0 }),
            Axis::new("als.regularization", Over::Log { lo: 0.0003, hi: 0.1 }),
            Axis::new("als.iterations", Over::LogInt { lo: 5, hi: 25 }),
            Axis::new("attribute_regularization", Over::Log { lo: 0.3, hi: 300.0 }),
        ];
        SPACE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_kept() {
        crate::testing::check_params::<HybridParams>().unwrap();
        assert_eq!(
            HybridParams { name: String::new(), ..HybridParams::default() }.validate().unwrap_err().param,
            "name"
        );
    }
}
