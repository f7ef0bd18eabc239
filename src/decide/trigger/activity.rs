//! The best moment to send: how active a shopper is in each hour of their own week.
//!
//! One shopper's week is thin, so it is drawn towards that of their segment, and that towards everybody's (hierarchical
//! additive smoothing, each level the prior of the one below: MacKay & Peto, "A hierarchical Dirichlet language model",
//! Natural Language Engineering 1995):
//!
//! ```text
//! own(h) = (n_own(h) + to_group · group(h)) / (n_own + to_group),   group(h) likewise towards all(h), all(h) towards 1/168
//! ```
//!
//! An hour in which anything was done counts once, however much; each count spreads to the hours beside it.

use serde::{Deserialize, Serialize};

use super::quiet::QuietHours;
use super::zone::{HOURS, Zone};
use crate::dataset::EventRef;
use crate::decide::Histories;
use crate::event::KindSet;
use crate::ids::UserIdx;
use crate::params::{Checked, ParamError, ParamSpec, Validate, check_range};
use crate::run::{Cancelled, Run};
use crate::time::{Span, Timestamp};

/// How activity is counted and smoothed.
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `kinds` | [`KindSet::INTEREST`] | at least one | the events that count |
/// | `half_life` | none | 1 ms to 100 years | after how long an hour counts half; none for never |
/// | `spread` | 0.5 | 0 to 1 | the share of a count that goes to the two hours beside it |
/// | `to_group` | 6 | 0 to 10^6 | how many hours of their own the segment's week counts for a shopper |
/// | `to_all` | 100 | 0 to 10^6 | how many hours everybody's week counts for a segment |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ActivityParams {
    /// The events that count.
    pub kinds: KindSet,
    /// After how long an hour counts half; `None` for never.
    pub half_life: Option<Span>,
    /// The share of a count that goes to the hours beside it.
    pub spread: f64,
    /// How many hours the segment's week counts for a shopper.
    pub to_group: f64,
    /// How many hours everybody's week counts for a segment.
    pub to_all: f64,
}

impl Default for ActivityParams {
    fn default() -> Self {
        Self { kinds: KindSet::INTEREST, half_life: None, spread: 0.5, to_group: 6.0, to_all: 100.0 }
    }
}

impl Validate for ActivityParams {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            ParamSpec::typed("kinds", "at least one kind", "the events that count"),
            ParamSpec::int("half_life", 1, super::params::CENTURY, "milliseconds after which an hour counts half"),
            ParamSpec::real("spread", 0.0, 1.0, "share of a count that goes to the hours beside it"),
            ParamSpec::real("to_group", 0.0, 1e6, "hours the segment's week counts for a shopper"),
            ParamSpec::real("to_all", 0.0, 1e6, "hours everybody's week counts for a segment"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        if self.kinds.is_empty() {
            return Err(ParamError::new("kinds", "[]", "at least one kind"));
        }
        if let Some(half_life) = self.half_life {
            check_range::<Self>("half_life", half_life.as_millis() as f64)?;
        }
        check_range::<Self>("spread", self.spread)?;
        check_range::<Self>("to_group", self.to_group)?;
        check_range::<Self>("to_all", self.to_all)
    }
}

/// Weights of the 168 hours of a week, Monday from midnight first.
pub type Week = [f64; HOURS];

/// The weeks of segments and of everybody.
#[derive(Clone, Debug, PartialEq)]
pub struct Activity {
    params: ActivityParams,
    now: Timestamp,
    /// Smoothed; they sum to 1.
    all: Week,
    groups: Vec<Week>,
    group_of: Vec<u32>,
}

const HOUR: Span = Span::hours(1);
const NO_GROUP: u32 = u32::MAX;
/// Rows summed as one, so that the order of additions does not depend on threads.
const CHUNK: usize = 1024;

impl Activity {
    /// Counts the events up to `now` of all profiled shoppers, of a log's those it
    /// [permits](crate::decide::Permissions::histories), each in their own zone; `group_of` names a shopper's segment by
    /// a number, the smaller the better, and is not asked about others. `O(events)`.
    ///
    /// # Errors
    /// [`Cancelled`].
    pub fn fit<'d>(
        params: &Checked<ActivityParams>,
        data: impl Into<Histories<'d>>,
        zone_of: &(dyn Fn(&str) -> Zone + Sync),
        group_of: &(dyn Fn(UserIdx) -> Option<u16> + Sync),
        now: Timestamp,
        run: &Run<'_>,
    ) -> Result<Self, Cancelled> {
        let data = data.into();
        let rows = data.dataset().n_rows();
        let group = |row| Some(row).filter(|&row| data.holds(row)).and_then(group_of).map_or(NO_GROUP, u32::from);
        let mut fit = Self {
            params: (**params).clone(),
            now,
            all: [0.0; HOURS],
            groups: Vec::new(),
            group_of: (0..rows as u32).map(|row| group(UserIdx::new(row))).collect(),
        };
        let groups = fit.group_of.iter().filter(|&&group| group != NO_GROUP).max().map_or(0, |&most| most as usize + 1);
        let chunk = |chunk: usize| {
            run.step((chunk * CHUNK) as u64, rows as u64, None)?;
            let mut weeks = vec![[0.0; HOURS]; groups + 1]; // the last is that of nobody's group
            for row in chunk * CHUNK..rows.min((chunk + 1) * CHUNK) {
                let user = UserIdx::new(row as u32);
                if !data.holds(user) {
                    continue;
                }
                let zone = zone_of(data.dataset().user_key(user));
                let group = fit.group_of[row].min(groups as u32) as usize;
                fit.count(data.until(user, now).iter(), &zone, &mut weeks[group]);
            }
            Ok(weeks)
        };
        let chunks = run.threads.map(rows.div_ceil(CHUNK), chunk);
        let mut sums = vec![[0.0; HOURS]; groups + 1];
        for weeks in chunks.into_iter().collect::<Result<Vec<_>, Cancelled>>()? {
            for (sum, week) in sums.iter_mut().zip(&weeks) {
                sum.iter_mut().zip(week).for_each(|(sum, x)| *sum += x);
            }
        }
        let mut all = [0.0; HOURS];
        sums.iter().for_each(|week| all.iter_mut().zip(week).for_each(|(all, x)| *all += x));
        fit.all = smoothed(&all, fit.params.spread, &[1.0 / HOURS as f64; HOURS], 1.0);
        sums.truncate(groups);
        let (spread, to_all) = (fit.params.spread, fit.params.to_all);
        fit.groups = sums.iter().map(|week| smoothed(week, spread, &fit.all, to_all)).collect();
        Ok(fit)
    }

    /// Adds the hours in which something was done, each once.
    fn count(&self, events: impl Iterator<Item = EventRef>, zone: &Zone, week: &mut Week) {
        let mut last = None;
        for e in events.filter(|e| self.params.kinds.contains(e.kind)) {
            let hour = e.at.millis().div_euclid(HOUR.as_millis());
            if last == Some(hour) {
                continue;
            }
            last = Some(hour);
            let weight = self.params.half_life.map_or(1.0, |half_life| self.now.since(e.at).decay(half_life));
            if let Some(slot) = week.get_mut(zone.hour_of_week(e.at)) {
                *slot += weight;
            }
        }
    }

    /// Everybody's week; sums to 1.
    #[must_use]
    pub const fn everybody(&self) -> &Week {
        &self.all
    }

    /// The week of a shopper with these events, drawn towards that of their segment; sums to 1.
    #[must_use]
    pub fn week(&self, events: &[EventRef], user: Option<UserIdx>, zone: &Zone) -> Week {
        let mut own = [0.0; HOURS];
        self.count(events.iter().copied(), zone, &mut own);
        let group = user.and_then(|user| self.group_of.get(user.as_usize()));
        let prior = group.and_then(|&group| self.groups.get(group as usize)).unwrap_or(&self.all);
        smoothed(&own, self.params.spread, prior, self.params.to_group)
    }

    /// The start of the most active hour that begins in `from..=until`, or `from` itself, outside quiet hours; of equals
    /// the earliest.
    #[must_use]
    pub fn best_moment(
        &self,
        events: &[EventRef],
        user: Option<UserIdx>,
        zone: &Zone,
        quiet: Option<&QuietHours>,
        from: Timestamp,
        until: Timestamp,
    ) -> Timestamp {
        let week = self.week(events, user, zone);
        let mut best = (week[zone.hour_of_week(from)], from);
        let mut at = from.plus(Span::millis(HOUR.as_millis() - zone.past_hour(from)));
        while at <= until {
            let share = week[zone.hour_of_week(at)];
            if share > best.0 && quiet.is_none_or(|quiet| !quiet.covers(zone, at)) {
                best = (share, at);
            }
            at = at.plus(Span::millis(HOUR.as_millis() - zone.past_hour(at)));
        }
        best.1
    }
}

/// Counts spread to their neighbours and drawn towards `prior`, which sums to 1.
fn smoothed(counts: &Week, spread: f64, prior: &Week, strength: f64) -> Week {
    let n: f64 = counts.iter().sum();
    if n + strength <= 0.0 {
        return *prior;
    }
    std::array::from_fn(|h| {
        let beside = counts[(h + HOURS - 1) % HOURS] + counts[(h + 1) % HOURS];
        let count = (1.0 - spread) * counts[h] + spread / 2.0 * beside;
        (count + strength * prior[h]) / (n + strength)
    })
}
