//! What a long computation gets besides its data: seed, threads, cancellation, progress.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;

/// Where parallel work runs. The result never depends on it.
///
/// `Pool` is the rayon pool of the calling thread: rayon's global one, or the one you are inside of.
///
/// ```
/// # use likewise::Parallelism;
/// let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build()?;
/// pool.install(|| { /* fit or batch here with */ Parallelism::Pool; });
/// # Ok::<(), rayon::ThreadPoolBuildError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Parallelism {
    /// On the calling thread only.
    Serial,
    /// On the rayon pool the caller is in.
    #[default]
    Pool,
}

impl Parallelism {
    /// `f(0), f(1), ..., f(n - 1)` in order.
    pub(crate) fn map<T: Send>(self, n: usize, f: impl Fn(usize) -> T + Sync + Send) -> Vec<T> {
        match self {
            Self::Serial => (0..n).map(f).collect(),
            Self::Pool => (0..n).into_par_iter().map(f).collect(),
        }
    }

    /// `f(state, i)` for each `i`, each thread (or block of work) with a scratch of its own from `init`.
    pub(crate) fn map_with<S, T: Send>(
        self,
        n: usize,
        init: impl Fn() -> S + Sync + Send,
        f: impl Fn(&mut S, usize) -> T + Sync + Send,
    ) -> Vec<T> {
        match self {
            Self::Serial => {
                let mut scratch = init();
                (0..n).map(|i| f(&mut scratch, i)).collect()
            }
            Self::Pool => (0..n).into_par_iter().map_init(init, f).collect(),
        }
    }

    /// Sorts; the same for any number of threads where no two compare equal.
    pub(crate) fn sort_unstable_by<T: Send>(
        self,
        data: &mut [T],
        order: impl Fn(&T, &T) -> std::cmp::Ordering + Sync + Send,
    ) {
        match self {
            Self::Serial => data.sort_unstable_by(order),
            Self::Pool => data.par_sort_unstable_by(order),
        }
    }

    /// Threads that work at a time.
    pub(crate) fn count(self) -> usize {
        match self {
            Self::Serial => 1,
            Self::Pool => rayon::current_num_threads(),
        }
    }

    /// Runs `f(state, chunk number, chunk)` over `data` cut into chunks of `size` elements.
    pub(crate) fn for_chunks<S, T: Send>(
        self,
        data: &mut [T],
        size: usize,
        init: impl Fn() -> S + Sync + Send,
        f: impl Fn(&mut S, usize, &mut [T]) + Sync + Send,
    ) {
        match self {
            Self::Serial => {
                let mut scratch = init();
                data.chunks_mut(size).enumerate().for_each(|(i, chunk)| f(&mut scratch, i, chunk));
            }
            Self::Pool => {
                data.par_chunks_mut(size).enumerate().for_each_init(init, |s, (i, chunk)| f(s, i, chunk));
            }
        }
    }
}

/// How far a long computation has come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Steps done.
    pub step: u64,
    /// Steps in all.
    pub of: u64,
    /// The loss after this step, where there is one.
    pub loss: Option<f64>,
}

/// The caller asked for the computation to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cancelled by the caller; nothing was changed")]
pub struct Cancelled;

static NEVER: AtomicBool = AtomicBool::new(false);

/// Seed, threads, cancellation and progress of one fit or batch.
///
/// # Example
/// ```
/// use likewise::{Parallelism, Run};
/// let run = Run::new(42).threads(Parallelism::Serial);
/// assert_eq!(run.seed, 42);
/// ```
#[derive(Clone, Copy)]
pub struct Run<'a> {
    /// The only source of randomness.
    pub seed: u64,
    /// Where parallel work runs.
    pub threads: Parallelism,
    /// Set it from anywhere to end the computation early.
    pub cancel: &'a AtomicBool,
    /// Called now and then, from any thread.
    pub progress: Option<&'a (dyn Fn(Progress) + Sync)>,
    /// Bytes a fit may take beyond the data, where it can tell beforehand; `None` for as many as there are.
    pub memory: Option<u64>,
}

impl Default for Run<'_> {
    fn default() -> Self {
        Self::new(0)
    }
}

impl<'a> Run<'a> {
    /// On the caller's pool, without cancellation or progress.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { seed, threads: Parallelism::Pool, cancel: &NEVER, progress: None, memory: None }
    }

    /// With this parallelism.
    #[must_use]
    pub const fn threads(mut self, threads: Parallelism) -> Self {
        self.threads = threads;
        self
    }

    /// With a flag that ends the computation when it becomes true.
    #[must_use]
    pub const fn cancel(mut self, flag: &'a AtomicBool) -> Self {
        self.cancel = flag;
        self
    }

    /// With a progress callback.
    #[must_use]
    pub const fn progress(mut self, callback: &'a (dyn Fn(Progress) + Sync)) -> Self {
        self.progress = Some(callback);
        self
    }

    /// With so many bytes for a fit. One that knows beforehand that it needs more (ALS and what builds on it does) is
    /// refused before it allocates anything.
    #[must_use]
    pub const fn memory(mut self, bytes: u64) -> Self {
        self.memory = Some(bytes);
        self
    }

    /// Reports a step, and ends the computation if that was asked for. Scorers call it in their fit loops.
    ///
    /// # Errors
    /// [`Cancelled`] once the flag is set.
    pub fn step(&self, step: u64, of: u64, loss: Option<f64>) -> Result<(), Cancelled> {
        if self.cancel.load(Ordering::Relaxed) {
            return Err(Cancelled);
        }
        if let Some(report) = self.progress {
            report(Progress { step, of, loss });
        }
        Ok(())
    }
}

impl fmt::Debug for Run<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("seed", &self.seed).field("threads", &self.threads).finish_non_exhaustive()
    }
}
