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
//! **Trees.** A blend of weights explains itself; gradient-boosted trees (LambdaMART) do not, and their parts do not sum to
//! the score (law 6). Looked at on 2026-11-22, none fits as an optional feature: `gbdt` 0.1.3 (Apache-2.0; squared,
//! logistic and absolute loss, no ranking objective), `forust-ml` 0.8.0 (squared and logistic loss), `perpetual` 3.0.0-rc.2
//! (Apache-2.0, a release candidate), `lightgbm3` 1.0.11 (MIT, has LambdaRank, but builds LightGBM's C++ with CMake).

mod fit;
mod lists;
mod params;
mod propensity;

pub use fit::{Learned, learn};
pub use lists::{JudgedLists, LoggedItem, LoggedList};
pub use params::{LearnParams, Method};
pub use propensity::{Propensities, PropensityError, Swapped};
