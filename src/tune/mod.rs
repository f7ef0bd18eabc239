//! Which parameters? Search spaces, and seeded searches over them on a validation cut.

#[cfg(feature = "json")]
mod domain;
mod space;

#[cfg(feature = "json")]
pub use domain::Space;
pub use space::{Axis, Over, Tunable};

/// A day in milliseconds, for axes over spans of time.
pub(crate) const DAY: u64 = 86_400_000;
