//! Did it work, offline? Questions with known answers, asked through the serving path, and judged.
//!
//! ```text
//! split ─▶ Task { events to fit on, events to serve from, cases } ─▶ lists (scorer or snapshot) ─▶ metrics ─▶ report
//! ```
//!
//! A [`Task`] keeps two datasets apart: what a model may be fitted on, and what is known when the question is asked. Every
//! list is made by the same code that answers a shopper's request, over the full catalogue.

mod case;
mod lists;
pub mod metric;
pub mod split;
mod task;

pub use case::{Case, Target};
pub use lists::Lists;
#[doc(inline)]
pub use metric::{Judged, Metric};
#[doc(inline)]
pub use split::{Ask, FitOn, LeftOut, NewItems, NewShoppers, Questions, Repeats, Split, SplitError};
pub use task::{Asker, Exclusion, System, Task, TaskError};
