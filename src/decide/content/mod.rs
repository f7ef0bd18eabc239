//! What to put into a slot of a page: banners, layouts, messages, modules, chosen by bandits that learn from clicks.
//!
//! | question | here |
//! |---|---|
//! | which banner for this shopper, now? | [`Bandit::choose`] |
//! | with which probability was it chosen? | [`Choice::propensity`]; for somebody else's log [`Bandit::propensities`] |
//! | it was clicked, later, maybe twice | [`Bandit::reward`], [`Rewarded`] |
//! | several servers learn at once | [`Evidence::merge`] |
//! | who may see it? | [`Eligible`] |
//! | what does the shopper no longer want to see? | [`Fatigue`] |
//! | several slots together | [`plan_page`] |
//!
//! **When:** some five to fifty alternatives, and a reward within hours. **When not:** for ranking thousands of items,
//! which is what [`Ranker`](crate::Ranker)s do; or when one answer is needed with a stated error, which is an
//! [experiment](crate::experiment).

mod apart;
mod bandit;
mod context;
mod evidence;
mod fatigue;
mod page;
mod params;
mod pooled;
mod standing;

pub use bandit::{Arm, Bandit, BanditError, Choice, ChoiceId, ContentRequest, Rewarded};
pub use context::{ContentContext, Eligible, Features, HourFeature};
pub use evidence::{ArmEvidence, Evidence};
pub use fatigue::{Fatigue, FatigueParams};
pub use page::{Body, Filled, Module, Page, PageError, PageParams, Slot, plan_page};
pub use params::{BanditParams, Policy, Pool, Prior};
