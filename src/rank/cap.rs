//! At most so many of one kind: caps per attribute value.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::rerank::{BindError, Binding, Memo, NextPlace, Rerank, RerankRecipe, WhenShort};
use crate::catalog::{AttributeId, AttributeKind};
use crate::params::{Checked, ParamError, ParamSpec, Validate, check_range};
use crate::scorer::Context;

/// At most `max` items of a list share one value of an attribute.
///
/// A category counts by its most specific level; with tags, every single value is capped. Items without a value are
/// not. Places pinned by rules count. When nothing else is left, [`WhenShort`] decides between a full page and the cap.
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `attribute` | `category` | a category or tag attribute | whose values are capped |
/// | `max` | 3 | 1 to 1000 | how many may share one |
/// | `when_short` | relax | | what a full page is worth |
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CapParams {
    /// Whose values are capped.
    pub attribute: String,
    /// How many items may share a value.
    pub max: usize,
    /// What happens when only capped items are left.
    pub when_short: WhenShort,
}

impl Default for CapParams {
    fn default() -> Self {
        Self { attribute: "category".to_owned(), max: 3, when_short: WhenShort::Relax }
    }
}

impl Validate for CapParams {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            ParamSpec::typed("attribute", "a category or tag attribute of the catalogue", "whose values are capped"),
            ParamSpec::int("max", 1, 1000, "how many items may share a value"),
            ParamSpec::typed("when_short", "relax or strict", "what happens when only capped items are left"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        check_range::<Self>("max", self.max as f64)
    }
}

impl RerankRecipe for Checked<CapParams> {
    fn bind(&self, to: Binding<'_>) -> Result<Arc<dyn Rerank>, BindError> {
        let attribute = to.coded("cap", &self.attribute)?;
        let single = to.shelf.kind(attribute) == Some(AttributeKind::Category);
        Ok(Arc::new(Cap { attribute, single, max: self.max, when_short: self.when_short }))
    }
}

#[derive(Debug)]
struct Cap {
    attribute: AttributeId,
    single: bool,
    max: usize,
    when_short: WhenShort,
}

impl Cap {
    /// One value an item: count on from the memo.
    fn leaf_is_full(&self, cx: &Context<'_>, next: NextPlace<'_>, memo: &mut Memo) -> bool {
        let leaf = |item| cx.shelf.leaf(item, self.attribute).map_or(NO_VALUE, |code| code + 1);
        if memo.key == 0 {
            memo.key = leaf(next.item);
        }
        if memo.key == NO_VALUE {
            return false;
        }
        for &chosen in &next.chosen[memo.accounted as usize..] {
            memo.value += f32::from(u8::from(leaf(chosen) == memo.key));
        }
        memo.accounted = next.chosen.len() as u32;
        memo.value as usize >= self.max
    }

    fn any_value_is_full(&self, cx: &Context<'_>, next: NextPlace<'_>) -> bool {
        let holders = |code| next.chosen.iter().filter(|&&c| cx.shelf.codes(c, self.attribute).contains(code)).count();
        cx.shelf.codes(next.item, self.attribute).iter().any(|code| holders(code) >= self.max)
    }
}

/// The key of an item without a value; codes stay far below.
const NO_VALUE: u32 = u32::MAX;

impl Rerank for Cap {
    fn name(&self) -> &'static str {
        "cap"
    }

    fn value(&self, cx: &Context<'_>, next: NextPlace<'_>, memo: &mut Memo) -> Option<f32> {
        if next.chosen.is_empty() {
            return Some(next.value); // most candidates are never asked again: look nothing up for them
        }
        let full = if self.single { self.leaf_is_full(cx, next, memo) } else { self.any_value_is_full(cx, next) };
        (!full).then_some(next.value)
    }

    fn when_short(&self) -> WhenShort {
        self.when_short
    }
}
