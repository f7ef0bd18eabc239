//! One batch over several processes: each answers its share, and the shares merge into the whole.

use super::batch::{Answer, BatchError, BatchReport};
use super::request::Request;
use super::snapshot::Snapshot;
use crate::params::ParamError;
use crate::run::Run;
use crate::source::Flow;

/// Share `index` of `of`: every `of`-th request, from number `index` on. Shares differ by at most one request.
///
/// # Example
/// ```
/// use likewise::{Shard, merge_shards};
/// let shares = (0..3).map(|index| Shard::new(index, 3)).collect::<Result<Vec<_>, _>>()?;
/// let parts: Vec<Vec<u64>> = shares.iter().map(|share| (0..10).filter(|&n| share.has(n)).collect()).collect();
/// assert_eq!(parts[1], [1, 4, 7]);
/// let whole: Result<Vec<u64>, _> = merge_shards(parts).collect();
/// assert_eq!(whole?, (0..10).collect::<Vec<u64>>());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    index: u32,
    of: u32,
}

impl Shard {
    /// The whole.
    pub const WHOLE: Self = Self { index: 0, of: 1 };

    /// Share `index`, from 0, of `of`.
    ///
    /// # Errors
    /// [`ParamError`] when `index` is not below `of`.
    pub fn new(index: u32, of: u32) -> Result<Self, ParamError> {
        if index < of {
            return Ok(Self { index, of });
        }
        Err(ParamError::new("shard", format!("{index} of {of}"), "a number below that of the shards, from 0"))
    }

    /// Whether request `number` is in this share.
    #[must_use]
    pub const fn has(self, number: u64) -> bool {
        number % self.of as u64 == self.index as u64
    }

    /// The number in the whole of the share's request number `own`.
    const fn whole(self, own: u64) -> u64 {
        own * self.of as u64 + self.index as u64
    }
}

impl Snapshot {
    /// [`recommend_batch`](Snapshot::recommend_batch) for one share of the requests: every process is given all requests,
    /// in the same order, and answers its own. Answers carry their number in the whole, and equal those of the whole bit for
    /// bit; [`merge_shards`] puts them together again. The other shares' requests are made and dropped.
    ///
    /// # Errors
    /// As [`recommend_batch`](Snapshot::recommend_batch).
    pub fn recommend_shard<'r>(
        &self,
        shard: Shard,
        requests: impl IntoIterator<Item = Request<'r>>,
        run: &Run<'_>,
        mut sink: impl FnMut(Answer<'_, 'r>) -> Flow + Send,
    ) -> Result<BatchReport, BatchError> {
        let own = requests.into_iter().skip(shard.index as usize).step_by(shard.of as usize);
        self.recommend_batch(own, run, |answer| sink(Answer { number: shard.whole(answer.number), ..answer }))
    }
}

/// A share that ends before the others: a process that was cut off, or shares of different batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("shard {shard} of {of} ends before number {number}, and shard {later} goes on; run it again")]
pub struct ShardError {
    /// The share that ended.
    pub shard: usize,
    /// How many shares there are.
    pub of: usize,
    /// The first number that is missing.
    pub number: u64,
    /// A share that has more.
    pub later: usize,
}

/// What the shares gave, in the order of the whole. `parts[i]` is all of share `i`, in its order: lines of the files the
/// processes wrote, say. Holds one of each at a time. Ends with a [`ShardError`] where one is missing.
pub fn merge_shards<T, P: IntoIterator<Item = T>>(
    parts: impl IntoIterator<Item = P>,
) -> impl Iterator<Item = Result<T, ShardError>> {
    let mut parts: Vec<P::IntoIter> = parts.into_iter().map(IntoIterator::into_iter).collect();
    let mut number = 0u64;
    let mut done = parts.is_empty();
    std::iter::from_fn(move || {
        if done {
            return None;
        }
        let of = parts.len();
        let shard = (number % of as u64) as usize;
        if let Some(next) = parts[shard].next() {
            number += 1;
            return Some(Ok(next));
        }
        // The end of the whole, if all others have ended too.
        done = true;
        let later = (0..of).filter(|&other| other != shard).find(|&other| parts[other].next().is_some())?;
        Some(Err(ShardError { shard, of, number, later }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        #[test]
        fn shares_merge_into_the_whole_or_say_what_is_missing(n in 0u64..60, of in 1u32..9, cut in 0usize..20) {
            let share = |index| {
                let shard = Shard::new(index, of).unwrap();
                (0..n).filter(move |&number| shard.has(number)).collect::<Vec<u64>>()
            };
            let mut parts: Vec<Vec<u64>> = (0..of).map(share).collect();
            let whole: Result<Vec<u64>, _> = merge_shards(parts.clone()).collect();
            prop_assert_eq!(whole, Ok((0..n).collect::<Vec<_>>()));
            // One of them loses its end.
            let shard = cut % of as usize;
            let lost = parts[shard].pop();
            let merged: Vec<Result<u64, ShardError>> = merge_shards(parts).collect();
            let until = lost.unwrap_or(n);
            for (number, got) in merged.iter().enumerate().take(until as usize) {
                prop_assert_eq!(got, &Ok(number as u64));
            }
            let is_last = lost.is_none_or(|lost| lost + 1 == n);
            prop_assert_eq!(merged.len() as u64, until + u64::from(!is_last));
            if let Some(Err(error)) = merged.last() {
                prop_assert_eq!((error.shard, error.number), (shard, until));
            }
        }
    }

    #[test]
    fn a_share_beyond_the_last_is_refused() {
        assert!(Shard::new(3, 3).is_err() && Shard::new(0, 0).is_err());
        assert_eq!(Shard::new(0, 1), Ok(Shard::WHOLE));
        assert_eq!(merge_shards(Vec::<Vec<u8>>::new()).count(), 0);
    }
}
