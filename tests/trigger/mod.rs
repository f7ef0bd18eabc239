//! Triggers: a table of timelines, full against incremental sweeps, zones, and bad input.

mod laws;
mod refill;
mod script;
mod timelines;
