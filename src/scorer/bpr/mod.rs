//! Matrix factorisation learned from orders: what a shopper touched should stand above what they did not.
//!
//! Every shopper and item gets a vector and every item an offset. Where ALS fits a number to every pair, this draws a pair
//! the shopper touched and an item they did not, and moves the three vectors so that the first gains on the second.
//!
//! *When to use it:* as a second opinion beside [`Als`](crate::Als) in a blend, since it errs elsewhere: it learns the order
//! of the top, not the size of a liking. [Adaptive](Sampling::Adaptive) sampling reaches the long tail. *When not:* as the
//! only factor model (ALS is better and faster on most data), for items without events (no opinion), for sessions of two
//! clicks, and where order and time matter.
//!
//! *Cost:* fit `epochs x pairs x factors`, on one thread: the steps depend on each other, and a fixed order of steps is what
//! makes the result the same for any number of threads. Blocks of gradients, summed and then applied, would use more threads
//! but copy every vector they touch, and a step is little more than the reading of three vectors. Adaptive sampling
//! sorts the items by every factor now and then; that is done in parallel. Memory and queries as in ALS; a
//! [fold-in](Bpr::fold_in) is `fold_in x history` steps.
//!
//! # References
//! * S. Rendle, C. Freudenthaler, Z. Gantner & L. Schmidt-Thieme (2009): BPR: Bayesian personalized ranking from implicit
//!   feedback. UAI.
//! * S. Rendle & C. Freudenthaler (2014): Improving pairwise learning for item recommendation from implicit feedback. WSDM.

mod draw;
mod fit;
mod model;
mod params;

pub use model::Bpr;
pub use params::{BprParams, Sampling};
