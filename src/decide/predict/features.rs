//! What a shopper looks like at a moment: a row of numbers for a propensity model, from the past alone.
//!
//! | column | what, as of the moment |
//! |---|---|
//! | `since_purchase` | ln(1 + days since the last purchase; since the first event where there is none) |
//! | `since_event` | ln(1 + days since the last event of any kind) |
//! | `purchase_days` | ln(1 + days with a purchase) |
//! | `known_for` | ln(1 + days since the first event) |
//! | `spent` | ln(1 + money spent) |
//! | `spent_a_day` | ln(1 + money spent a purchase day) |
//! | `items` | ln(1 + distinct items bought) |
//! | `purchase_days_30`, `purchase_days_90` | ln(1 + days with a purchase in the last so many days) |
//! | `interest_30` | ln(1 + events that are no purchase in the last 30 days) |
//! | `interval` | ln(1 + mean days between purchase days; `known_for` below two) |
//! | `overdue` | ln((1 + days since the last purchase) / (1 + mean interval)) |
//! | `came_back` | 1 with two purchase days, else 0 |
//! | `rebought` | the share of purchases that were of an item bought on an earlier day |
//!
//! Logarithms, since all of them are counts, money or time with long tails; a negative sum of money (bad data) counts
//! as 0.

use rustc_hash::FxHashSet;
use serde::{Deserialize, Serialize};

use crate::decide::Histories;
use crate::{Checked, EventKind, Events, KindSet, ParamError, ParamSpec, Span, Timestamp, UserIdx, Validate};

/// Which events are purchases.
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `kinds` | purchase | at least one | the events that are purchases, in features and labels |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProfileParams {
    /// The events that are purchases, in features and labels.
    pub kinds: KindSet,
}

impl Default for ProfileParams {
    fn default() -> Self {
        Self { kinds: KindSet::of(&[EventKind::Purchase]) }
    }
}

impl Validate for ProfileParams {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] =
            &[ParamSpec::typed("kinds", "at least one event kind", "the events that are purchases")];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        if self.kinds.is_empty() {
            return Err(ParamError::new("kinds", "no kind", "at least one event kind"));
        }
        Ok(())
    }
}

const NAMES: [&str; 14] = [
    "since_purchase",
    "since_event",
    "purchase_days",
    "known_for",
    "spent",
    "spent_a_day",
    "items",
    "purchase_days_30",
    "purchase_days_90",
    "interest_30",
    "interval",
    "overdue",
    "came_back",
    "rebought",
];

/// The profiled shoppers known at a moment, a row of features each.
#[derive(Clone, Debug, PartialEq)]
pub struct Profiles {
    users: Vec<UserIdx>,
    values: Vec<f64>,
}

impl Profiles {
    /// The names of the columns.
    #[must_use]
    pub const fn names() -> &'static [&'static str] {
        &NAMES
    }

    /// Everybody with an event at or before `now`, of a log's shoppers those it
    /// [permits](crate::decide::Permissions::histories), by number. Events after `now` are not looked at; that purchases
    /// returned after `now` count is up to the dataset (build it with `as_of(now)`). `O(events)`.
    #[must_use]
    pub fn at<'d>(data: impl Into<Histories<'d>>, now: Timestamp, params: &Checked<ProfileParams>) -> Self {
        Self::among(data.into(), |_| true, now, params)
    }

    fn among(
        data: Histories<'_>,
        which: impl Fn(UserIdx) -> bool,
        now: Timestamp,
        params: &Checked<ProfileParams>,
    ) -> Self {
        let mut out = Self { users: Vec::new(), values: Vec::new() };
        for user in data.users().filter(|&user| which(user)) {
            let known = data.until(user, now);
            if !known.is_empty() {
                out.users.push(user);
                out.values.extend(row(known, now, params.kinds));
            }
        }
        out
    }

    /// One shopper's row; `None` for one without an event at or before `now`, and for one who may not be looked at.
    #[must_use]
    pub fn of<'d>(
        data: impl Into<Histories<'d>>,
        user: UserIdx,
        now: Timestamp,
        params: &Checked<ProfileParams>,
    ) -> Option<Vec<f64>> {
        let known = data.into().until(user, now);
        (!known.is_empty()).then(|| row(known, now, params.kinds).to_vec())
    }

    /// Whose rows they are.
    #[must_use]
    pub fn users(&self) -> &[UserIdx] {
        &self.users
    }

    /// The rows.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f64]> {
        self.values.chunks_exact(NAMES.len())
    }

    /// How many rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.users.len()
    }

    /// Whether nobody is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }
}

/// Profiles at a moment, and whether each bought within a horizon after it.
#[derive(Clone, Debug, PartialEq)]
pub struct Labelled {
    /// The rows.
    pub profiles: Profiles,
    /// 1 for who bought within the horizon, 0 for who stayed away: the complement is the label of churn.
    pub labels: Vec<u8>,
}

impl Labelled {
    /// Features from `past` up to `now`, labels from what `future` holds after `now` up to and including `now +
    /// horizon`. Two datasets, so that returns and all that came later cannot reach the features: build `past` with
    /// `as_of(now)`. Shoppers are joined by id; who may not be looked at in either of the two has no row, as nobody knows
    /// their label.
    #[must_use]
    pub fn new<'d>(
        past: impl Into<Histories<'d>>,
        future: impl Into<Histories<'d>>,
        now: Timestamp,
        horizon: Span,
        params: &Checked<ProfileParams>,
    ) -> Self {
        let (past, future) = (past.into(), future.into());
        let key = |user: UserIdx| past.dataset().user_key(user);
        let profiles = Profiles::among(past, |user| future.permits(key(user)), now, params);
        let end = now.plus(horizon);
        let bought = |user: &UserIdx| {
            let row = future.dataset().user(key(*user)).map(|same| future.until(same, end));
            let mut later = row.into_iter().flat_map(|events| events.iter().rev()).take_while(|e| e.at > now);
            u8::from(later.any(|e| params.kinds.contains(e.kind)))
        };
        let labels = profiles.users.iter().map(bought).collect();
        Self { profiles, labels }
    }
}

const DAY: i64 = 86_400_000;

fn row(known: Events<'_>, now: Timestamp, kinds: KindSet) -> [f64; NAMES.len()] {
    let days_since = |at: Timestamp| now.since(at).as_days();
    let (mut first, mut last_event, mut last_purchase) = (None, now, None);
    let (mut spent, mut interest, mut again, mut lines) = (0.0, 0.0, 0.0, 0.0_f64);
    let mut days: Vec<i64> = Vec::new();
    let (mut before, mut today): (FxHashSet<u32>, Vec<u32>) = (FxHashSet::default(), Vec::new());
    for event in known.iter() {
        first = first.or(Some(event.at));
        last_event = event.at;
        if !kinds.contains(event.kind) {
            interest += f64::from(u8::from(days_since(event.at) <= 30.0));
            continue;
        }
        last_purchase = Some(event.at);
        spent += f64::from(event.value.unwrap_or(0.0)) * f64::from(event.quantity);
        let day = event.at.millis().div_euclid(DAY);
        if days.last() != Some(&day) {
            days.push(day);
            before.extend(today.drain(..));
        }
        lines += 1.0;
        again += f64::from(u8::from(before.contains(&event.item.get())));
        today.push(event.item.get());
    }
    before.extend(today);
    let n = days.len() as f64;
    let known_for = first.map_or(0.0, days_since);
    let since_purchase = last_purchase.map_or(known_for, days_since);
    let interval = match (days.first(), days.last()) {
        (Some(first), Some(last)) if days.len() > 1 => (last - first) as f64 / (n - 1.0),
        _ => known_for,
    };
    let today = now.millis().div_euclid(DAY);
    let within = |span: i64| days.iter().rev().take_while(|day| today - **day < span).count() as f64;
    let money = |x: f64| x.max(0.0).ln_1p();
    [
        since_purchase.ln_1p(),
        days_since(last_event).ln_1p(),
        n.ln_1p(),
        known_for.ln_1p(),
        money(spent),
        money(spent / n.max(1.0)),
        (before.len() as f64).ln_1p(),
        within(30).ln_1p(),
        within(90).ln_1p(),
        interest.ln_1p(),
        interval.ln_1p(),
        ((1.0 + since_purchase) / (1.0 + interval)).ln(),
        f64::from(u8::from(days.len() > 1)),
        again / lines.max(1.0),
    ]
}
