//! What should happen next?

pub mod predict;
