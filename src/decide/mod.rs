//! What should happen next: for this shopper, on this page, at this moment?
//!
//! | folder | question |
//! |---|---|
//! | [`content`] | which banner, layout or message goes into a slot? |
//! | [`predict`] | who buys again, what, when, for how much? |
//! | [`segment`] | to which groups does a shopper belong? |
//! | [`trigger`] | what calls for a message, and when is it sent? |

pub mod content;
pub mod predict;
pub mod segment;
pub mod trigger;
