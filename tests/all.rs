//! The tests of the public surface, one file a concept. They are one binary, because it is linked once: apart they took
//! over three minutes to build on two cores. `cargo test --test all laws` runs one file.

mod als;
mod bad_input;
mod batch;
mod blended;
mod catalog;
mod catalog_load;
mod common;
mod cooccur;
mod dataset;
mod explain;
mod groceries;
mod laws;
mod params;
mod popular_in;
mod popularity;
mod rank;
mod recent;
mod recommender;
mod rules;
mod select;
mod session;
mod source;
mod testing;
mod trending;
mod variants;
