//! What should happen next: for this shopper, on this page, at this moment?
//!
//! | folder | question |
//! |---|---|
//! | [`content`] | which banner, layout or message goes into a slot? |
//! | [`predict`] | who buys again, what, when, for how much? |
//! | [`segment`] | to which groups does a shopper belong? |
//! | [`trigger`] | what calls for a message, and when is it sent? |
//!
//! Nobody is looked at who may not be: [`Permissions`] says who may, as the log of events knows it now; sweeps ask it, and
//! what is fitted on histories takes them through it, as [`Histories`].

pub mod content;
mod histories;
mod permission;
pub mod predict;
pub mod segment;
pub mod trigger;

pub use histories::Histories;
pub use permission::Permissions;
