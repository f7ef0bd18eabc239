//! What should happen next? Segments, triggers and the moment to send.

pub mod segment;
pub mod trigger;
