//! Blend weights learned from what was shown and clicked, or from held-out history.
//!
//! ```text
//! lists shown, with the parts of their scores ─┐                     coordinate ascent on NDCG ─┐
//!                                              ├─▶ JudgedLists ──▶   pointwise logistic         ├─▶ weights, adding up to 1
//! held-out history (Columns of a Task) ────────┘                     pairwise logistic ─────────┘
//! ```
//!
//! People click what stands on top. Each click is therefore weighed by one over the chance that its place was looked at
//! (inverse propensity weights: Joachims, Swaminathan & Schnabel, "Unbiased learning-to-rank with biased feedback", WSDM
//! 2017). [`Propensities`] are given, or estimated from lists that were shuffled or whose first place was swapped at random.
//!
//! **When:** when there are some thousand lists with clicks, or a validation cut. **When not:** to learn from lists whose
//! parts nobody logged, and not on the test cut.
//!
//! It lives beside the search over weights and not in `rank/`, as it learns from evaluation tasks: `rank` knows nothing of
//! `evaluate`. Weights are at least 0, as a ranker wants them: a part that only harms gets 0 and should be left out.
//!
//! **Trees.** Where a weight each is not enough, [`learn_trees`] grows gradient-boosted trees over the same lists, for a
//! [`TreeBlend`](crate::TreeBlend).

mod fit;
mod gradient;
mod grow;
mod lists;
mod params;
mod propensity;
mod trees;
mod trees_params;

pub use fit::{Learned, learn};
pub use lists::{JudgedLists, LoggedItem, LoggedList};
pub use params::{LearnParams, Method};
pub use propensity::{Propensities, PropensityError, Swapped};
pub use trees::{LearnedTrees, TreesError, learn_trees};
pub use trees_params::{Shape, TreesParams};
