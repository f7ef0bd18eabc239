//! What should happen next: for this shopper, on this page, at this moment.

pub mod content;
