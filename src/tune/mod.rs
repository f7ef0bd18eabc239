//! Which parameters? Search spaces, and seeded searches over them on a validation cut.

mod space;

pub use space::{Axis, Over, Tunable};
