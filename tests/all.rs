//! The tests of the public surface, one file a concept. They are one binary, because it is linked once: apart they took
//! over three minutes to build on two cores. `cargo test --test all laws` runs one file.

mod als;
mod bad_input;
mod basket;
mod batch;
mod blended;
mod bpr;
mod catalog;
mod catalog_load;
mod common;
mod content;
mod cooccur;
#[cfg(feature = "sqlite")]
mod crash;
mod dataset;
mod evaluate_cli;
mod evaluate_metric;
mod evaluate_report;
mod evaluate_split;
mod explain;
mod groceries;
mod hybrid;
mod knn;
mod laws;
mod linear;
mod log;
mod new_items;
mod params;
mod popular_in;
mod popularity;
mod rank;
mod recent;
mod recommender;
mod registry;
mod rules;
mod select;
mod session;
mod session_rules;
mod source;
mod spectral;
mod testing;
mod transition;
mod trending;
mod tune;
mod tune_blend;
mod variants;
