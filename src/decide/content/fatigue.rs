//! What a shopper has seen too often in a slot.
//!
//! Every showing without a click tires; tiredness halves with time; a click ends it. It belongs to one shopper: keep it
//! where the shopper's profile is kept (under the same consent), or with their session.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Checked, ParamError, ParamSpec, Span, Timestamp, Validate, check_range};

/// How shoppers tire.
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `factor` | 0.8 | 0.01 to 1 | what one fresh showing without a click leaves of an arm's chance or a module's value |
/// | `recovery` | 3 days | 1 ms to 100 years | time in which tiredness halves |
/// | `floor` | 0.05 | 0.001 to 1 | the least that is left |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FatigueParams {
    /// What one fresh showing without a click leaves.
    pub factor: f64,
    /// Time in which tiredness halves.
    pub recovery: Span,
    /// The least that is left.
    pub floor: f64,
}

impl Default for FatigueParams {
    fn default() -> Self {
        Self { factor: 0.8, recovery: Span::days(3), floor: 0.05 }
    }
}

impl Validate for FatigueParams {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            ParamSpec::real("factor", 0.01, 1.0, "what one fresh showing without a click leaves"),
            ParamSpec::int("recovery", 1, 36_525 * 86_400_000, "milliseconds in which tiredness halves"),
            ParamSpec::real("floor", 0.001, 1.0, "the least that is left"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        check_range::<Self>("factor", self.factor)?;
        check_range::<Self>("recovery", self.recovery.as_millis() as f64)?;
        check_range::<Self>("floor", self.floor)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Tired {
    showings: f64,
    at: Timestamp,
}

/// One shopper's tiredness, by slot and by what was shown in it. 8 bytes and the names for each.
///
/// # Example
/// ```
/// use likewise::{Timestamp, Validate};
/// use likewise::decide::content::{Fatigue, FatigueParams};
/// let day = |d: i64| Timestamp::from_secs(d * 86_400);
/// let mut tired = Fatigue::new(FatigueParams::default().check()?);
/// tired.shown("hero", "sale", day(0));
/// assert_eq!(tired.factor("hero", "sale", day(0)), 0.8);
/// assert!(tired.factor("hero", "sale", day(3)) > 0.89);
/// tired.clicked("hero", "sale");
/// assert_eq!(tired.factor("hero", "sale", day(3)), 1.0);
/// # Ok::<(), likewise::ParamError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fatigue {
    params: Checked<FatigueParams>,
    slots: BTreeMap<String, BTreeMap<String, Tired>>,
}

impl Fatigue {
    /// Of a shopper who saw nothing.
    #[must_use]
    pub const fn new(params: Checked<FatigueParams>) -> Self {
        Self { params, slots: BTreeMap::new() }
    }

    fn tiredness(&self, tired: &Tired, now: Timestamp) -> f64 {
        tired.showings * now.since(tired.at).decay(self.params.recovery)
    }

    /// `what` was shown in `slot`, and not clicked yet.
    pub fn shown(&mut self, slot: &str, what: &str, now: Timestamp) {
        let before = self.slots.get(slot).and_then(|slot| slot.get(what)).copied();
        let showings = before.map_or(0.0, |tired| self.tiredness(&tired, now)) + 1.0;
        let at = before.map_or(now, |tired| tired.at.max(now));
        self.slots.entry(slot.to_owned()).or_default().insert(what.to_owned(), Tired { showings, at });
    }

    /// `what` was clicked in `slot`: it is as fresh as on the first day.
    pub fn clicked(&mut self, slot: &str, what: &str) {
        if let Some(slot) = self.slots.get_mut(slot) {
            slot.remove(what);
        }
    }

    /// What is left of `what` in `slot`: `factor ^ tiredness`, from the floor to 1.
    #[must_use]
    pub fn factor(&self, slot: &str, what: &str, now: Timestamp) -> f64 {
        let tired = self.slots.get(slot).and_then(|slot| slot.get(what));
        tired.map_or(1.0, |tired| self.params.factor.powf(self.tiredness(tired, now)).max(self.params.floor))
    }

    /// Drops what is left of showings below `below`, so that the state stays small.
    pub fn forget(&mut self, below: f64, now: Timestamp) {
        let recovery = self.params.recovery;
        for slot in self.slots.values_mut() {
            slot.retain(|_, tired| tired.showings * now.since(tired.at).decay(recovery) >= below);
        }
        self.slots.retain(|_, slot| !slot.is_empty());
    }
}
