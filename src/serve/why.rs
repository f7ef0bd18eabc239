//! Which things a shopper did made a result.

use serde::Serialize;

use super::request::{Request, RequestError};
use super::result::Source;
use super::snapshot::{Scratch, Snapshot};
use crate::event::EventKind;
use crate::ids::ItemIdx;
use crate::scorer::{Explanation, Reason, ReasonCode, Workspace};
use crate::time::Timestamp;

/// Why one item was recommended, in terms of what the shopper did. Serialises to what a shopper may be told
/// (GDPR Art. 15(1)(h)).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Why {
    /// The item's id.
    pub item: String,
    /// The score it was ranked with.
    pub score: f32,
    /// What the shopper did that speaks for it, the weightiest first.
    pub because: Vec<Because>,
    /// What speaks for it (or against: below 0) beside the shopper's own doing, or cannot be traced to single events: what
    /// is popular, what a rule says, what factors of the whole history say. The weightiest first.
    pub otherwise: Vec<Otherwise>,
}

/// One item of the shopper's own that speaks for a recommendation.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Because {
    /// The item's id.
    pub item: String,
    /// How much of the score it makes.
    pub value: f32,
    /// What the shopper did with it, newest first; empty for what only lies in the basket or is the page at hand.
    pub events: Vec<(EventKind, Timestamp)>,
    /// What that means, by its weightiest scorer.
    pub code: ReasonCode,
}

/// One other part of a score.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Otherwise {
    /// The scorer, preference or rule.
    pub source: String,
    /// How much of the score it makes.
    pub value: f32,
    /// What that means to a shopper.
    pub code: ReasonCode,
}

impl Why {
    /// In plain English, one sentence. `name` gives an item's name for its id; dates are days in UTC.
    #[must_use]
    pub fn text(&self, name: &dyn Fn(&str) -> String) -> String {
        let mut parts: Vec<String> = Vec::new();
        for because in self.because.iter().take(3) {
            let what = name(&because.item);
            parts.push(match because.events.first() {
                None => format!("{what} is at hand"),
                Some((kind, at)) => {
                    let more = match because.events.len() {
                        1 => String::new(),
                        n => format!(" (and {} more times)", n - 1),
                    };
                    format!("you {} {what} on {}{more}", did(*kind), day(*at))
                }
            });
        }
        if self.because.len() > 3 {
            parts.push(format!("{} more items of yours", self.because.len() - 3));
        }
        if let Some(other) = self.otherwise.iter().find(|other| other.value > 0.0) {
            parts.push(in_general(other).to_owned());
        }
        if parts.is_empty() {
            parts.push("it is part of our range".to_owned());
        }
        format!("{}: because {}.", name(&self.item), parts.join("; "))
    }
}

fn did(kind: EventKind) -> &'static str {
    match kind {
        EventKind::View | EventKind::Click | EventKind::Impression => "looked at",
        EventKind::AddToCart => "put into your basket",
        EventKind::Purchase => "bought",
        EventKind::Like => "liked",
        EventKind::Rating => "rated",
        EventKind::Search => "searched for",
        _ => "had to do with",
    }
}

fn in_general(other: &Otherwise) -> &str {
    match other.code {
        ReasonCode::Popular => "many want it",
        ReasonCode::PopularInCategory => "it is popular in this category",
        ReasonCode::Trending => "it is wanted more than before",
        ReasonCode::SimilarTaste => "shoppers whose history is like yours want it",
        ReasonCode::FavouriteKind => "it is of a kind you come back to",
        ReasonCode::BoughtBefore => "you buy it again and again",
        ReasonCode::New => "it is new",
        ReasonCode::PriceMatch => "its price is what you usually pay",
        ReasonCode::Curated => "the shop recommends it",
        _ => &other.source,
    }
}

/// A day in UTC, as `2026-01-31` (Hinnant's civil-from-days).
fn day(at: Timestamp) -> String {
    let days = at.millis().div_euclid(86_400_000) + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let (day, month) = (of_year - (153 * shifted + 2) / 5 + 1, if shifted < 10 { shifted + 3 } else { shifted - 9 });
    format!("{:04}-{month:02}-{day:02}", year_of_era + era * 400 + i64::from(month <= 2))
}

impl Snapshot {
    /// For each item of the list that answers `request`, which things the shopper did made it. Values are those of the
    /// list: an item's parts sum to its score, up to rounding.
    ///
    /// What a scorer's [explanation](crate::Scorer::explain) traces to items of the shopper is shared out among these in
    /// proportion; the rest is [`Why::otherwise`]. Slow compared with a request, as [`explain`](Snapshot::explain).
    ///
    /// # Errors
    /// As [`Snapshot::recommend`].
    pub fn why(&self, request: &Request<'_>) -> Result<Vec<Why>, RequestError> {
        let (mut ws, mut scratch) = (Workspace::default(), Scratch::default());
        self.run(request, &mut scratch, &mut ws, None)?;
        let cx = scratch.resolved.query(self.inner(), request).cx;
        let mut whys = Vec::new();
        for placed in scratch.ranking.placed.iter().skip(request.offset).take(request.k) {
            let mut own: Vec<(ItemIdx, f32, ReasonCode, f32)> = Vec::new();
            let mut otherwise = Vec::new();
            for part in self.contributions(&scratch.ranking, placed) {
                let scorer = match part.source {
                    Source::Scorer(i) => Some(&self.ranker().scorers()[i]),
                    Source::Fallback(i) => Some(&self.ranker().fallbacks()[i]),
                    Source::Rule(_) | Source::Preference(_) => None,
                };
                let mut votes = Vec::new();
                if let Some(scorer) = scorer {
                    traced(&scorer.explain(&cx, placed.item, &mut ws), &mut votes);
                }
                let total: f32 = votes.iter().map(|vote| vote.1).sum();
                if votes.is_empty() || !(total.abs() > 0.0 && total.is_finite()) {
                    let source = self.source_name(part.source).to_owned();
                    otherwise.push(Otherwise { source, value: part.value, code: part.code });
                    continue;
                }
                for (item, vote, code) in votes {
                    let value = part.value * vote / total;
                    match own.iter_mut().find(|entry| entry.0 == item) {
                        Some(entry) => {
                            entry.1 += value;
                            if value > entry.3 {
                                (entry.2, entry.3) = (code, value);
                            }
                        }
                        None => own.push((item, value, code, value)),
                    }
                }
            }
            own.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()).then(a.0.cmp(&b.0)));
            otherwise.sort_by(|a, b| b.value.abs().total_cmp(&a.value.abs()));
            let because = own.into_iter().map(|(item, value, code, _)| {
                let events = cx.history.iter().filter(|touch| touch.item == item);
                let events = events.map(|touch| (touch.kind, touch.at)).collect();
                Because { item: self.item_id(item).to_owned(), value, events, code }
            });
            let because = because.collect();
            whys.push(Why { item: self.item_id(placed.item).to_owned(), score: placed.score, because, otherwise });
        }
        Ok(whys)
    }
}

/// The items of the shopper an explanation names, with their values.
fn traced(explanation: &Explanation, votes: &mut Vec<(ItemIdx, f32, ReasonCode)>) {
    if let (Reason::Because { item, code }, Some(value)) = (&explanation.reason, explanation.value) {
        votes.push((*item, value, *code));
        return; // what is below says how, not who
    }
    explanation.details.iter().for_each(|part| traced(part, votes));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_their_dates() {
        for (secs, date) in [
            (0, "1970-01-01"),
            (951_782_400, "2000-02-29"),
            (1_322_697_600, "2011-12-01"),
            (-1, "1969-12-31"),
            (4_107_542_400, "2100-03-01"),
        ] {
            assert_eq!(day(Timestamp::from_secs(secs)), date);
        }
    }
}
