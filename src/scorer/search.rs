//! What does the search engine say? Its scores for the candidates of a request, as a voice in the blend.
//!
//! **When:** to re-rank search results for a shopper: the engine finds and says how well each item matches, the other
//! scorers say what this shopper likes, the blend weighs them, [`SearchGuard`](crate::SearchGuard) keeps the engine's best
//! where they can be seen. Everything else — filters, rules, pages, explanations — is as for any list. **When not:** without
//! [`Request::relevance`](crate::Request::relevance): it has no opinion then.
//!
//! It is not among the [recipes](crate::recipe): nothing is learned, there is nothing to set, and what it says comes with
//! the request. A tuner or an evaluation that made it from a recipe would measure a voice that is silent in every task. A
//! ranker that re-ranks searches adds it beside the models its recipes make. A query costs a bisection a candidate.

use super::{Context, ReasonCode, Scorer, Scores, Workspace};
use crate::dataset::{Dataset, Extent};
use crate::params::ParamError;

/// The engine's voice. See the [module](self).
///
/// # Example
/// ```
/// use std::sync::Arc;
/// use likewise::*;
/// let mut builder = DatasetBuilder::default();
/// for (user, item) in [("ann", "red mug"), ("bob", "red mug"), ("bob", "mug rack")] {
///     let who = Shopper::Profiled(Consented::new(user, LawfulBasis::Contract));
///     builder.push(&Event::new(who, item, EventKind::Purchase, Timestamp::from_secs(1)))?;
/// }
/// builder.items(["blue mug"])?;
/// let data = Arc::new(builder.build()?);
/// let popular = PopularityParams::default().check()?.fit(&(&*data).into(), &Run::new(1))?;
/// let ranker = Ranker::builder()
///     .scorer(Arc::new(SearchScore::new(&data)), 1.0)
///     .scorer(Arc::new(popular), 0.8)
///     .guard(SearchGuard { exact: 1, top: 3, displacement: 1 }.check()?)
///     .build()?;
/// let snapshot = Snapshot::new(data, Arc::new(Catalog::default()), Arc::new(ranker))?;
///
/// // What the engine found for "mug", with its scores.
/// let found = ["blue mug", "mug rack", "red mug"];
/// let request = Request::anonymous(Timestamp::from_secs(2)).candidates(&found).relevance(&[9.0, 7.0, 6.5]);
/// let list = snapshot.recommend(&request)?;
/// assert_eq!(list.ids().collect::<Vec<_>>(), ["blue mug", "red mug", "mug rack"]);
/// for item in list.iter() {
///     assert_eq!(item.contributions().iter().map(|c| c.value).sum::<f32>(), item.score());
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchScore {
    name: String,
    extent: Extent,
}

impl SearchScore {
    /// For requests on `data`, or on later datasets of its lineage. It is called `search`.
    #[must_use]
    pub fn new(data: &Dataset) -> Self {
        Self { name: "search".to_owned(), extent: data.extent() }
    }

    /// Under another name.
    ///
    /// # Errors
    /// [`ParamError`] for an empty one.
    pub fn named(self, name: &str) -> Result<Self, ParamError> {
        if name.trim().is_empty() {
            return Err(ParamError::new("name", format_args!("{name:?}"), "a text that is not empty"));
        }
        Ok(Self { name: name.to_owned(), ..self })
    }
}

impl Scorer for SearchScore {
    fn name(&self) -> &str {
        &self.name
    }

    fn extent(&self) -> Extent {
        self.extent
    }

    fn score(&self, cx: &Context<'_>, out: &mut Scores<'_>, _: &mut Workspace) {
        for (slot, &item) in out.items().iter().enumerate() {
            if let Ok(at) = cx.relevance.binary_search_by_key(&item, |scored| scored.item) {
                out.set(slot, cx.relevance[at].score);
            }
        }
    }

    fn reason(&self) -> ReasonCode {
        ReasonCode::MatchesSearch
    }
}
