//! Does a scorer keep the laws, and do parameters keep their table? Checks every built-in runs, for your own too.
//!
//! Behind the feature `testing`; meant for a `[dev-dependencies]` entry.
//!
//! | tool | for |
//! |---|---|
//! | [`check_scorer`] | the laws of [`Scorer`](crate::Scorer), over contexts it makes up itself |
//! | [`check_params`] | parameters against their own [`table`](crate::Validate::table) |
//! | [`SyntheticShop`] | any number of seeded events with planted structure, and the catalogue to them |
//! | [`Trial`] | asking one scorer for proposals and scores, without a ranker |

mod cases;
mod check_params;
mod check_scorer;
mod patch;
mod rng;
mod shop;
mod shop_params;
mod shop_stream;
mod trial;
mod violation;

pub use check_params::{ParamViolation, check_params};
pub use check_scorer::check_scorer;
pub use shop::{ShopItem, SyntheticShop, Taste};
pub use shop_params::ShopParams;
pub use trial::Trial;
pub use violation::{Law, Violation};
