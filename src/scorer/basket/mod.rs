//! What will be in the next basket? Mostly what was in the last ones: repeat purchase, with and without neighbours.
//!
//! A basket is what one session of a shopper holds, each item once; the sessions' order is the baskets' order. Tables of
//! next-basket research are won by a shopper's own frequencies; neighbours add the items not bought yet.
//!
//! * [`PersonalFrequency`]: how many of the shopper's baskets hold it. The baseline that is hard to beat.
//! * [`BuyAgain`]: whether it is due again, by how often and at which intervals it is bought again.
//! * [`TifuKnn`]: own frequencies by groups of baskets, mixed with those of the nearest shoppers.
//! * [`UpCf`]: the recent baskets of all shoppers with items in common, by how alike they are.
//!
//! Use them where people buy the same things again: groceries, pet food, office supplies, wholesale. Do not use them with a
//! filter on bought items, or where a purchase ends the interest (furniture): there [`CoOccurrence`](super::CoOccurrence)
//! and factors see more. In a shop that records views set `kinds` to purchases: by default whatever shows interest counts.
//! The running session, as far as it has such events, is the newest basket.
//!
//! | | fit | query | memory |
//! |---|---|---|---|
//! | [`PersonalFrequency`] | events; update exact | the shopper's events | 16 bytes an item |
//! | [`BuyAgain`] | events; update exact | the shopper's events | 44 bytes an item |
//! | [`TifuKnn`], [`UpCf`] | events | shoppers of the shopper's items, items of the neighbours | 16 bytes a (shopper, item) pair |

pub mod again;
mod again_params;
mod baskets;
pub mod frequency;
mod renewal;
mod rows;
mod sums;
pub mod tifu;
pub mod upcf;

pub use again::BuyAgain;
pub use again_params::{BuyAgainParams, Clock};
pub use frequency::{BasketDecay, Others, PersonalFrequency, PersonalFrequencyParams};
pub use tifu::{TifuKnn, TifuKnnParams};
pub use upcf::{Compare, UpCf, UpCfParams};
