//! Did it work, live? Who sees what, what came of it, and how sure that is.
//!
//! | question | here |
//! |---|---|
//! | who sees which variant? | [`Plan`]: salted hashes, layers, holdouts, ramps |
//! | did the shares come out as planned? | [`Exposure`], [`Exposed`], [`sample_ratio`] |
//! | how do the variants do? | [`measure`] over [`Outcome`]s ([`collect`]ed from events), with CUPED |
//! | is it a difference, read once at the end? | [`welch`], [`two_proportions`], [`units_needed`] |
//! | is it a difference, read whenever anybody looks? | [`Sequential`] |
//! | which of two rankings is clicked, in few visits? | [`team_draft`], [`Preference`] |
//! | what would another policy have earned? | [`off_policy`] |
//!
//! Everything is a pure function of what was logged; nothing here keeps a store of its own.

mod assign;
mod exposure;
mod fixed;
mod interleave;
mod kpi;
pub mod off_policy;
mod sequential;

pub use assign::{Assigned, EVERYBODY, ExperimentRecipe, LayerRecipe, Plan, PlanError, PlanRecipe, VariantRecipe};
pub use exposure::{Exposed, Exposure, SampleRatio, SampleRatioError, sample_ratio};
pub use fixed::{Compared, Counted, Sample, TestError, two_proportions, units_needed, welch};
pub use interleave::{Credit, Interleaved, Preference, Team, prefer, team_draft};
pub use kpi::{Adjust, Kpi, KpiError, Measured, Outcome, Totals, collect, measure};
pub use sequential::{Look, Metric, Mixture, Moments, Sequential, SequentialError, SequentialParams, Side, Verdict};
