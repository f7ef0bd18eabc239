//! What to show beside what a trigger is about.

use super::when::When;
use crate::catalog::Select;
use crate::consent::Consented;
use crate::event::EventKind;
use crate::scorer::Workspace;
use crate::serve::{Request, SessionEvent, Snapshot};
use crate::time::Timestamp;

/// What kind of suggestion a trigger wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Intent {
    /// Something instead: the shopper looks and does not decide.
    Alternatives,
    /// Something that goes with it: the shopper has decided, or nearly.
    Complements,
    /// What they like: there is nothing at hand.
    Personal,
}

impl When {
    /// What to suggest in this situation. Who hesitates, lingers or left without a choice gets alternatives; who has chosen
    /// gets what goes with it.
    #[must_use]
    pub const fn intent(&self) -> Intent {
        match self {
            Self::BrowseAbandoned(_) | Self::Lingering(_) | Self::Hesitation(_) => Intent::Alternatives,
            Self::CartAbandoned(_)
            | Self::PriceDropped(_)
            | Self::BackInStock(_)
            | Self::ReplenishmentDue(_)
            | Self::PostPurchase(_) => Intent::Complements,
            Self::WinBack(_) | Self::NewArrival(_) => Intent::Personal,
        }
    }
}

/// What is asked of a [`Suggest`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Asked<'a> {
    /// For whom.
    pub who: Consented<'a>,
    /// When.
    pub now: Timestamp,
    /// What kind.
    pub intent: Intent,
    /// What it is about; not to be suggested itself.
    pub about: &'a [&'a str],
    /// Only these, if said: of a hesitation, the category.
    pub only: Option<&'a Select>,
    /// How many.
    pub k: usize,
}

/// Who suggests: a snapshot, or one for each [`Intent`] through [`Suggesters`], or a shop's own.
pub trait Suggest: Sync {
    /// At most `asked.k` item ids, best first. Pure: the same question has the same answer.
    fn suggest(&self, asked: &Asked<'_>, ws: &mut Workspace) -> Vec<String>;
}

/// Asks the ranker as a page would: alternatives as on the page of the first item, after views of all; complements with the
/// items in the basket; favourites for the profile alone.
impl Suggest for Snapshot {
    fn suggest(&self, asked: &Asked<'_>, ws: &mut Workspace) -> Vec<String> {
        let session: Vec<SessionEvent<'_>> = match asked.intent {
            Intent::Alternatives => {
                asked.about.iter().rev().map(|item| SessionEvent::new(item, EventKind::View, asked.now)).collect()
            }
            _ => Vec::new(),
        };
        let mut request = Request::profiled(asked.who, asked.now).exclude(asked.about).k(asked.k).session(&session);
        match (asked.intent, asked.about.first()) {
            (Intent::Alternatives, Some(first)) => request = request.on_page_of(first),
            (Intent::Complements, _) => request = request.basket(asked.about),
            _ => {}
        }
        if let Some(only) = asked.only {
            request = request.only(only);
        }
        let list = self.recommend_with(&request, ws);
        list.map(|list| list.ids().map(str::to_owned).collect()).unwrap_or_default()
    }
}

/// A ranker for each intent: "instead" and "with it" are different blends.
#[derive(Clone, Debug)]
pub struct Suggesters {
    /// For [`Intent::Alternatives`].
    pub alternatives: Snapshot,
    /// For [`Intent::Complements`].
    pub complements: Snapshot,
    /// For [`Intent::Personal`].
    pub personal: Snapshot,
}

impl Suggest for Suggesters {
    fn suggest(&self, asked: &Asked<'_>, ws: &mut Workspace) -> Vec<String> {
        match asked.intent {
            Intent::Alternatives => self.alternatives.suggest(asked, ws),
            Intent::Complements => self.complements.suggest(asked, ws),
            Intent::Personal => self.personal.suggest(asked, ws),
        }
    }
}
