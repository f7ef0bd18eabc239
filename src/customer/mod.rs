//! Who is this shopper, and what may be known of them?
//!
//! | question | answer |
//! |---|---|
//! | whose device is this? | [`EventLog::merge`](crate::log::EventLog::merge) and `unmerge`, both exact: events keep the identity they came under |
//! | may I profile them? | [`Consented`](crate::Consented) is the only key to a profile, and it names the lawful basis |
//! | they withdraw | [`Live::withdraw`](crate::Live::withdraw): a stranger from the next result on; [`Live::forget`](crate::Live::forget) erases |
//! | what do you hold about me? | [`Live::export`](crate::Live::export), [`Live::why`](crate::Live::why) |
//! | for how long? | [`Retention`](crate::log::Retention) by kind of event |
//! | can a list give somebody away? | `min_shoppers` of the co-occurrence family: k-anonymous evidence |
//! | may I publish counts? | [`privacy`]: differentially private counts with an accountant |
//! | must ids be ids? | [`Pseudonyms`] (feature `pseudonym`): keyed hashes, before anything is stored |
//!
//! # Devices, households, shared screens
//!
//! A merge says that two identities are one person. A family tablet or a shop's terminal is not: merge it into an account
//! and everybody's views become that account's taste, and its purchases theirs to see. Record such a device as
//! [`Shopper::Anonymous`](crate::Shopper::Anonymous) by visit: it still teaches what goes with what, and each visit serves
//! itself through the [session](crate::Request::session) the request carries. If somebody logs in on it, record under the account from there on, without
//! merging what came before, unless the login happened within that very visit. A merge made by mistake is taken back
//! exactly by `unmerge`, at any time.

pub mod privacy;
#[cfg(feature = "pseudonym")]
#[cfg_attr(docsrs, doc(cfg(feature = "pseudonym")))]
mod pseudonym;

#[cfg(feature = "pseudonym")]
pub use pseudonym::{KeyError, Pseudonyms};
