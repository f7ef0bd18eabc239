//! From cut rows to datasets and cases, under one numbering in which the past comes first.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::ask::{Draft, drafts};
use super::cut::{Row, RowCut};
use super::{LeftOut, NewItems, NewShoppers, Questions, RepeatTargets, SplitError};
use crate::catalog::Shelf;
use crate::dataset::{Dataset, DatasetBuilder, KindWeight, Log, Rewriter, weigh};
use crate::evaluate::case::{Case, Target};
use crate::evaluate::task::Task;
use crate::event::{EventKind, KindSet};
use crate::ids::{ItemIdx, UserIdx};
use crate::scorer::Touch;
use crate::time::Timestamp;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Fit,
    Known,
    Nothing,
}

/// The task of one cut. `ahead` is the log that is asked about where it is another one.
pub(super) fn task(
    log: &DatasetBuilder,
    past: &Log<'_>,
    cut: &RowCut,
    ahead: Option<&Log<'_>>,
    questions: &Questions,
) -> Result<Task, SplitError> {
    let drafts = match ahead {
        None => drafts(past, &cut.rows.iter().map(|r| r.known..r.end).collect::<Vec<_>>(), cut.now, questions),
        Some(ahead) => drafts(ahead, &ahead.rows().map(|(_, e)| 0..e.len()).collect::<Vec<_>>(), cut.now, questions),
    };
    let mut part = parts(past, &cut.rows);
    if questions.repeats == RepeatTargets::Forget {
        forget(past, &cut.rows, ahead, &drafts, &mut part);
    }
    let ahead = ahead.unwrap_or(past);

    let mut out = Rewriter::new(log);
    let bound = |of: fn(&Row) -> Timestamp| move |row: UserIdx, at: Timestamp| at < of(&cut.rows[row.as_usize()]);
    let (fit_on, known) = (bound(|row| row.fit_until), bound(|row| row.known_until));
    out.add(|event| part[event] == Part::Fit, fit_on)?;
    if out.len() == 0 {
        return Err(SplitError::NoPast { events: past.len() });
    }
    out.name_lineage();
    let fit = Arc::new(out.build(cut.fit_at)?);
    out.add(|event| part[event] == Part::Known, |row, at| known(row, at) && !fit_on(row, at))?;
    for draft in &drafts {
        // What the running sessions hold is known when it is asked about, learned or not.
        draft.session.iter().try_for_each(|&event| out.mention(ahead.item_key(ahead.item(event))))?;
    }
    let serve = if out.holds_more_than(&fit) || cut.fit_at != cut.now {
        Arc::new(out.build(cut.now)?)
    } else {
        Arc::clone(&fit)
    };
    let shelf = Shelf::new(&serve, Arc::clone(&questions.catalog));
    let mut writer = Writer::new(ahead, &fit, &serve, &shelf, questions);
    let cases: Vec<Case> = drafts.iter().filter_map(|draft| writer.case(draft)).collect();
    let left_out = writer.left_out;
    if cases.is_empty() {
        return Err(SplitError::NoQuestions { left_out });
    }
    let task = Task::new(fit, serve, shelf, cases)?.with_left_out(left_out);
    Ok(questions.exclude.iter().fold(task, |task, &exclusion| task.exclude(exclusion)))
}

fn parts(log: &Log<'_>, rows: &[Row]) -> Vec<Part> {
    let mut part = vec![Part::Nothing; log.len()];
    for ((_, events), row) in log.rows().zip(rows) {
        events[..row.fit].iter().for_each(|&event| part[event as usize] = Part::Fit);
        events[row.fit..row.known].iter().for_each(|&event| part[event as usize] = Part::Known);
    }
    part
}

/// Takes out of the past what a shopper did with the targets of their own questions.
fn forget(past: &Log<'_>, rows: &[Row], ahead: Option<&Log<'_>>, drafts: &[Draft], part: &mut [Part]) {
    let mut wanted: FxHashMap<UserIdx, Vec<ItemIdx>> = FxHashMap::default();
    for draft in drafts {
        let (row, items) = match ahead {
            None => (Some(draft.row), draft.targets.iter().map(|&event| past.item(event)).collect::<Vec<_>>()),
            Some(log) => {
                let key = |&event: &u32| log.item_key(log.item(event));
                let items = draft.targets.iter().filter_map(|event| past.find_item(key(event))).collect();
                (past.find_profile(log.row_key(draft.row)).filter(|_| log.is_profiled(draft.row)), items)
            }
        };
        if let Some(row) = row {
            wanted.entry(row).or_default().extend(items);
        }
    }
    for ((row, events), cut) in past.rows().zip(rows) {
        let Some(items) = wanted.get_mut(&row) else { continue };
        items.sort_unstable();
        for &event in &events[..cut.known] {
            if items.binary_search(&past.item(event)).is_ok() {
                part[event as usize] = Part::Nothing;
            }
        }
    }
}

/// Writes drafts as cases.
struct Writer<'a> {
    ahead: &'a Log<'a>,
    fit: &'a Dataset,
    serve: &'a Dataset,
    shelf: &'a Shelf,
    questions: &'a Questions,
    weights: Vec<KindWeight>,
    /// By number in the log ahead.
    numbers: FxHashMap<ItemIdx, Option<ItemIdx>>,
    left_out: LeftOut,
}

impl<'a> Writer<'a> {
    fn new(
        ahead: &'a Log<'a>,
        fit: &'a Dataset,
        serve: &'a Dataset,
        shelf: &'a Shelf,
        questions: &'a Questions,
    ) -> Self {
        Self {
            ahead,
            fit,
            serve,
            shelf,
            questions,
            weights: serve.weights().by_code(),
            numbers: FxHashMap::default(),
            left_out: LeftOut::default(),
        }
    }

    fn number(&mut self, item: ItemIdx) -> Option<ItemIdx> {
        let Self { ahead, serve, shelf, numbers, .. } = self;
        *numbers.entry(item).or_insert_with(|| shelf.item(serve, ahead.item_key(item)))
    }

    fn case(&mut self, draft: &Draft) -> Option<Case> {
        let profiled = self.ahead.is_profiled(draft.row);
        let user = if profiled { self.serve.user(self.ahead.row_key(draft.row)) } else { None };
        let user = user.filter(|&user| !self.serve.events_of(user).is_empty());
        let stranger = user.is_none() && draft.session.is_empty();
        if stranger && self.questions.new_shoppers == NewShoppers::Skip {
            self.left_out.new_shoppers += 1;
            return None;
        }
        let mut session = Vec::with_capacity(draft.session.len());
        for &event in &draft.session {
            let (log, kind) = (self.ahead, self.ahead.kind(event));
            let Some(item) = self.number(log.item(event)) else { continue };
            let at = log.at(event);
            let weight = &self.weights[kind.code() as usize];
            let weight = weigh(weight, kind, log.quantity(event), log.value(event), at, draft.now);
            session.push(Touch { item, kind, at, weight });
        }
        let targets = self.targets(draft, user, &session);
        if targets.is_empty() {
            self.left_out.without_target += 1;
            return None;
        }
        let case = Case::new(draft.now, targets).in_session(session);
        Some(match user {
            Some(user) => case.of(user),
            None => case,
        })
    }

    fn targets(&mut self, draft: &Draft, user: Option<UserIdx>, session: &[Touch]) -> Vec<Target> {
        let log = self.ahead;
        let mut wanted: Vec<(ItemIdx, f32)> = draft.targets.iter().map(|&e| (log.item(e), worth(log, e))).collect();
        wanted.sort_by_key(|&(item, _)| item); // stable: values are added in the order of time
        wanted.dedup_by(|later, first| {
            let same = later.0 == first.0;
            if same {
                first.1 += later.1;
            }
            same
        });
        let mut targets = Vec::with_capacity(wanted.len());
        for (item, value) in wanted {
            let item = self.number(item);
            let learned = item.is_some_and(|item| item.as_usize() < self.fit.n_items());
            if self.questions.new_items == NewItems::Drop && !learned {
                self.left_out.unknown_targets += 1;
            } else if let (RepeatTargets::NewTo(kinds), Some(item)) = (self.questions.repeats, item)
                && self.knows(user, session, draft.now, item, kinds)
            {
                self.left_out.known_targets += 1;
            } else {
                targets.push(Target { item, value });
            }
        }
        targets
    }

    /// Whether the shopper had touched `item` in one of these ways: what [`Seen`](crate::Seen) would exclude.
    fn knows(&self, user: Option<UserIdx>, session: &[Touch], now: Timestamp, item: ItemIdx, kinds: KindSet) -> bool {
        let past = user.into_iter().flat_map(|user| self.serve.events_of(user).until(now).iter());
        session.iter().any(|t| t.item == item && kinds.contains(t.kind))
            || past.into_iter().any(|e| e.item == item && kinds.contains(e.kind))
    }
}

/// Units times price.
fn worth(log: &Log<'_>, event: u32) -> f32 {
    let price = log.value(event).filter(|_| log.kind(event) != EventKind::Rating);
    let worth = f64::from(log.quantity(event)) * f64::from(price.unwrap_or(1.0).max(0.0));
    worth.min(f64::from(f32::MAX)) as f32
}
