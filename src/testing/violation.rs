//! What a scorer did that it must not do.

use std::fmt;

use crate::ids::ItemIdx;

/// A law of [`Scorer`](crate::Scorer).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Law {
    /// The name is not empty.
    Named,
    /// The extent belongs to the dataset's lineage and is no larger than it.
    Extent,
    /// Scores are finite, or unset.
    Finite,
    /// The same context gives the same opinions, whatever was asked before and whatever the workspace holds.
    Pure,
    /// An item's opinion does not depend on which other items are candidates, nor on their order.
    Independent,
    /// Items at or beyond the extent get no opinion, unless the catalogue knows them.
    Beyond,
    /// Proposals name existing items.
    ProposesKnown,
    /// There are at most as many proposals as were asked for.
    ProposesAtMost,
    /// A proposed item gets an opinion.
    ProposesScored,
    /// Proposals come best first by the scorer's own score.
    ProposesBestFirst,
    /// Fewer proposals are the head of more.
    ProposesPrefix,
    /// The explanation's value is the score, bit for bit, and all values in it are finite.
    Explains,
}

impl fmt::Display for Law {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Named => "a scorer has a name",
            Self::Extent => "the extent lies within the dataset's",
            Self::Finite => "a score is finite or unset",
            Self::Pure => "the same question has the same answer",
            Self::Independent => "an opinion does not depend on the other candidates",
            Self::Beyond => "no opinion on an item that neither the fit nor the catalogue knows",
            Self::ProposesKnown => "proposals exist",
            Self::ProposesAtMost => "at most as many proposals as asked for",
            Self::ProposesScored => "a proposed item gets an opinion",
            Self::ProposesBestFirst => "proposals come best first",
            Self::ProposesPrefix => "fewer proposals are the head of more",
            Self::Explains => "an explanation has the value of the score, and only finite parts",
        })
    }
}

/// A law broken by a scorer: which, in which context, on which item, and the values that show it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{scorer:?} breaks \"{law}\" in context \"{context}\"{}: expected {expected}, got {got}", on(*item))]
pub struct Violation {
    /// The law.
    pub law: Law,
    /// The scorer's name.
    pub scorer: String,
    /// The context, in words.
    pub context: String,
    /// The item, where one item shows it.
    pub item: Option<ItemIdx>,
    /// What the law demands.
    pub expected: String,
    /// What was found.
    pub got: String,
}

fn on(item: Option<ItemIdx>) -> String {
    item.map_or_else(String::new, |item| format!(" on item {}", item.get()))
}
