//! Did it work, offline? Questions with known answers, asked through the serving path, and judged.
//!
//! ```text
//! split ─▶ Task { events to fit on, events to serve from, cases } ─▶ lists (scorer or snapshot) ─▶ metrics ─▶ report
//! ```
//!
//! | to | use |
//! |---|---|
//! | cut a log of events into tasks without a leak | [`Split`] with [`Questions`] |
//! | make a task of data that is cut already | [`Split::given`], or [`Task::new`] with [`Case`]s of your own |
//! | fit a recipe and judge it | [`Evaluation::fit_and_judge`] |
//! | judge a model, a blend, or all a shop would serve | [`Evaluation::judge`] with a [`System`] |
//! | say how sure the figures are, and for whom | [`Judgement::report`], [`Segments`] |
//! | say whether one system is better than another | [`Judgement::compare`] |
//! | time single requests, by a clock of yours | [`Task::asker`] |
//!
//! A [`Task`] keeps two datasets apart: what a model may be fitted on, and what is known when the question is asked. Every
//! list is made by the same code that answers a shopper's request, over the full catalogue. Everything is a function of
//! data, parameters and the run's seed, whatever the number of threads.

mod case;
mod judge;
mod lists;
pub mod metric;
mod report;
mod resample;
mod segment;
pub mod split;
mod task;

pub use case::{Case, Target};
pub use judge::{Evaluation, Judgement};
pub use lists::Lists;
#[doc(inline)]
pub use metric::{Aggregate, Judged, Metric};
pub use report::{Aggregated, CompareError, Comparison, Estimate, Report, SegmentReport};
pub use segment::Segments;
#[doc(inline)]
pub use split::{Ask, FitOn, LeftOut, NewItems, NewShoppers, Questions, RepeatTargets, Split, SplitError};
pub use task::{Asker, Exclusion, System, Task, TaskError};
