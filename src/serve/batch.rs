//! The same answers for many requests, on all cores, streamed to a sink.
//!
//! Requests are pulled and answered in blocks; while one block is handed to the sink in order, the next is computed.
//! At most two blocks of answers exist at a time, whatever the number of requests. Within a block, threads take groups of
//! requests as they become free; a group is resolved together, so that scorers that propose for many at once can (see
//! [`Together`](crate::Together)).

use std::sync::atomic::Ordering;

use rayon::prelude::*;

use super::request::{Request, RequestError};
use super::resolve::Resolved;
use super::result::Recommendations;
use super::snapshot::Snapshot;
use crate::rank::{Proposals, Query, RankScratch, rank};
use crate::run::{Cancelled, Parallelism, Run};
use crate::scorer::Workspace;
use crate::source::Flow;

/// One answer of a batch.
#[derive(Debug)]
pub struct Answer<'a, 'r> {
    /// The number of the request, from 0.
    pub number: u64,
    /// The request.
    pub request: &'a Request<'r>,
    /// What [`Snapshot::recommend`] gives for it.
    pub list: Result<Recommendations, RequestError>,
}

/// What a batch did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BatchReport {
    /// Answers handed to the sink.
    pub answered: u64,
    /// Of these, requests that could not be answered.
    pub failed: u64,
}

/// Why a batch ended early.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    /// The caller cancelled it.
    #[error("batch cancelled after {} answers", report.answered)]
    Cancelled {
        /// What had been handed over.
        report: BatchReport,
    },
}

/// Requests a thread takes at a time.
const CHUNK: usize = 4;
/// Requests answered between two hand-overs to the sink, on a few threads.
const BLOCK: usize = 1024;

/// The buffers of one group of requests.
#[derive(Default)]
struct Group {
    resolved: Vec<Resolved>,
    proposals: Proposals,
    ranking: RankScratch,
}

impl Snapshot {
    /// Answers many requests on the caller's rayon pool (see [`Parallelism::Pool`]) and hands the answers to `sink` in
    /// order. Each equals [`Snapshot::recommend`] bit for bit, for any number of threads.
    ///
    /// Nothing of size requests x k is held: the sink takes each list as it comes, and ends the batch with
    /// [`Flow::Stop`]. With [`Parallelism::Pool`] it runs on a thread of the pool: it must not wait for other work of that
    /// pool. `run` carries parallelism, cancellation and progress (steps are requests; `of` is the iterator's
    /// upper size hint, or 0 when it has none).
    ///
    /// # Errors
    /// [`BatchError::Cancelled`]. A request that cannot be answered is an `Err` in its [`Answer`], not of the batch.
    ///
    /// # Example
    /// ```
    /// # use std::sync::Arc;
    /// # use likewise::{Catalog, DatasetBuilder, Flow, Ranker, Request, Run, Snapshot, Timestamp};
    /// # let data = Arc::new(DatasetBuilder::default().finish()?);
    /// # let snapshot = Snapshot::new(data, Arc::new(Catalog::default()), Arc::new(Ranker::builder().build()?))?;
    /// let now = Timestamp::from_secs(0);
    /// let mut items = 0;
    /// let report = snapshot.recommend_batch((0..100).map(|_| Request::anonymous(now)), &Run::new(0), |answer| {
    ///     items += answer.list.map_or(0, |list| list.len());
    ///     Flow::Continue
    /// })?;
    /// assert_eq!(report.answered, 100);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn recommend_batch<'r>(
        &self,
        requests: impl IntoIterator<Item = Request<'r>>,
        run: &Run<'_>,
        mut sink: impl FnMut(Answer<'_, 'r>) -> Flow + Send,
    ) -> Result<BatchReport, BatchError> {
        let mut requests = requests.into_iter();
        let block = match run.threads {
            Parallelism::Serial => BLOCK,
            Parallelism::Pool => BLOCK.max(4 * self.chunk() * rayon::current_num_threads()),
        };
        let of = requests.size_hint().1.unwrap_or(0) as u64;
        let mut report = BatchReport::default();
        let mut next: Vec<Request<'r>> = requests.by_ref().take(block).collect();
        let mut done: Vec<Request<'r>> = Vec::new();
        let mut lists: Vec<List> = Vec::new();
        while !(next.is_empty() && done.is_empty()) {
            let finished = std::mem::take(&mut lists);
            let (report, sink, done_requests) = (&mut report, &mut sink, &done);
            let hand_over = || {
                for (request, list) in done_requests.iter().zip(finished) {
                    let number = report.answered;
                    report.answered += 1;
                    report.failed += u64::from(list.is_err());
                    if sink(Answer { number, request, list }) == Flow::Stop {
                        return Flow::Stop;
                    }
                }
                Flow::Continue
            };
            let (flow, answered) = match run.threads {
                Parallelism::Serial => (hand_over(), self.answer_block(&next, run)),
                Parallelism::Pool => rayon::join(hand_over, || self.answer_block(&next, run)),
            };
            if flow == Flow::Stop {
                return Ok(*report);
            }
            match (answered, run.step(report.answered, of, None)) {
                (Ok(answered), Ok(())) => lists = answered,
                (Err(Cancelled), _) | (_, Err(Cancelled)) => return Err(BatchError::Cancelled { report: *report }),
            }
            done = std::mem::replace(&mut next, requests.by_ref().take(block).collect());
        }
        Ok(report)
    }

    /// Recommends to every profiled shopper of the dataset: `request` makes the request for an id. See
    /// [`recommend_batch`](Snapshot::recommend_batch).
    ///
    /// # Errors
    /// As [`recommend_batch`](Snapshot::recommend_batch).
    pub fn recommend_all<'s>(
        &'s self,
        request: impl Fn(&'s str) -> Request<'s>,
        run: &Run<'_>,
        sink: impl FnMut(Answer<'_, 's>) -> Flow + Send,
    ) -> Result<BatchReport, BatchError> {
        let data = self.dataset();
        // Anonymous rows are not asked for: only the count tells a progress bar the true end.
        let users = data.users().take(data.users().count());
        self.recommend_batch(users.map(|user| request(data.user_key(user))), run, sink)
    }

    /// Requests a thread takes at a time: more where a scorer proposes for many at once.
    fn chunk(&self) -> usize {
        let together = self.inner().ranker.scorers().iter().any(|scorer| scorer.together().is_some());
        if together { Proposals::MOST } else { CHUNK }
    }

    fn answer_block(&self, block: &[Request<'_>], run: &Run<'_>) -> Result<Vec<List>, Cancelled> {
        let size = self.chunk();
        let chunk = |ws: &mut Workspace, requests: &[Request<'_>]| -> Result<Vec<List>, Cancelled> {
            if run.cancel.load(Ordering::Relaxed) {
                return Err(Cancelled);
            }
            if size == CHUNK {
                return Ok(requests.iter().map(|request| self.recommend_with(request, ws)).collect());
            }
            let mut group = ws.take::<Group>();
            let lists = self.answer_group(requests, &mut group, ws);
            ws.give(group);
            Ok(lists)
        };
        let answered: Result<Vec<Vec<List>>, Cancelled> = match run.threads {
            Parallelism::Serial => {
                let mut ws = self.borrow_workspace();
                block.chunks(size).map(|requests| chunk(&mut ws, requests)).collect()
            }
            Parallelism::Pool => {
                let borrow = || self.borrow_workspace();
                block.par_chunks(size).map_init(borrow, |ws, requests| chunk(ws, requests)).collect()
            }
        };
        Ok(answered?.into_iter().flatten().collect())
    }

    /// The answers to at most [`Proposals::MOST`] requests: resolved one by one, proposed to together, ranked one by one.
    fn answer_group(&self, requests: &[Request<'_>], group: &mut Group, ws: &mut Workspace) -> Vec<List> {
        let inner = self.inner();
        let Group { resolved, proposals, ranking } = group;
        resolved.resize_with(resolved.len().max(requests.len()), Resolved::default);
        let fill = |(resolved, request): (&mut Resolved, &Request<'_>)| resolved.fill(inner, request, ws);
        let understood: Vec<Result<(), RequestError>> = resolved.iter_mut().zip(requests).map(fill).collect();
        let query = |(resolved, request)| Resolved::query(resolved, inner, request);
        let queries: Vec<Query<'_>> = resolved.iter().zip(requests).map(query).collect();
        // Requests that give their candidates, or ask for no places, or are not understood, are not proposed to.
        let open = |u: usize| understood[u].is_ok() && queries[u].candidates.is_none();
        let asking: Vec<usize> = (0..queries.len()).filter(|&u| open(u)).collect();
        let asked: Vec<Query<'_>> = asking.iter().map(|&u| queries[u]).collect();
        proposals.gather(&inner.ranker, &inner.bound, &asked, ws);
        let mut number = 0;
        let answer = |(u, understood): (usize, Result<(), RequestError>)| {
            understood?;
            let mut query = queries[u];
            if query.candidates.is_none() {
                query.proposed = Some(proposals.to(number));
                number += 1;
            }
            rank(&inner.ranker, &inner.bound, &query, ranking, ws);
            Ok(self.answer(ranking, resolved[u].ignored, requests[u].offset))
        };
        understood.into_iter().enumerate().map(answer).collect()
    }
}

type List = Result<Recommendations, RequestError>;
