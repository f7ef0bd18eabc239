//! The hot loops and nothing else. Plain slices in, plain slices out; uses no other folder.

pub(crate) mod accumulate;
pub(crate) mod dot;
pub(crate) mod top_k;
