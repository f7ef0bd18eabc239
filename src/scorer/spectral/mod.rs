//! What do the strongest patterns of the shopper × item matrix say? Models from its leading singular vectors.
//!
//! * [`GfCf`]: the shopper's items spread over the graph of shoppers and items (a linear filter), plus what the leading
//!   patterns make of them (a low-pass filter). Closed form, no training loop; strong on sparse, wide catalogues.
//! * [`PureSvd`]: the leading patterns alone: the plainest factorisation.
//!
//! Both are computed from a randomised truncated singular value decomposition: seeded, the same for any number of
//! threads. Nothing about a shopper is stored, so anybody with a history is served without refitting.
//!
//! Use [`GfCf`] where histories are short and the catalogue is wide; [`crate::Als`] or a [linear model](super::linear)
//! where histories are dense. Order and recency play no part unless [`VoteDecay`](crate::VoteDecay) brings recency in.
//!
//! # References
//! * Y. Shen, Y. Wu, Y. Zhang, C. Shan, J. Zhang, K. Letaief & D. Li (2021): How powerful is graph convolution for
//!   recommendation? CIKM.
//! * P. Cremonesi, Y. Koren & R. Turrin (2010): Performance of recommender algorithms on top-N recommendation tasks.
//!   RecSys.
//! * N. Halko, P.-G. Martinsson & J. Tropp (2011): Finding structure with randomness: probabilistic algorithms for
//!   constructing approximate matrix decompositions. SIAM Review 53.

mod basis;
mod gf_cf;
mod gf_cf_params;
mod pure_svd;

pub use gf_cf::GfCf;
pub use gf_cf_params::GfCfParams;
pub use pure_svd::{PureSvd, PureSvdParams};

use super::vote::Voting;
use super::{Context, Scored, Workspace};
use crate::event::KindSet;
use crate::params::ParamError;
use basis::Basis;

fn check_name(name: &str) -> Result<(), ParamError> {
    if name.is_empty() { Err(ParamError::new("name", "\"\"", "not empty")) } else { Ok(()) }
}

fn check_kinds(kinds: KindSet) -> Result<(), ParamError> {
    if kinds.is_empty() { Err(ParamError::new("kinds", "[]", "at least one kind")) } else { Ok(()) }
}

/// The voters of a request that satisfy `known`.
fn voters(voting: &Voting, cx: &Context<'_>, ws: &mut Workspace, known: impl Fn(usize) -> bool) -> Vec<Scored> {
    let mut voters = ws.take_scored();
    voting.voters(cx, None, ws, &mut voters);
    voters.retain(|voter| known(voter.item.as_usize()));
    voters
}
