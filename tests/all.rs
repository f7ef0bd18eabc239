//! The tests of the public surface, one file a concept. They are one binary, because it is linked once: apart they took
//! over three minutes to build on two cores. `cargo test --test all laws` runs one file.

mod als;
mod bad_input;
mod batch;
mod blended;
mod bpr;
mod catalog;
mod catalog_load;
mod common;
mod content;
mod cooccur;
mod dataset;
mod evaluate_cli;
mod evaluate_split;
mod explain;
mod groceries;
mod hybrid;
mod laws;
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
mod source;
mod testing;
mod trending;
mod tune;
mod variants;
