//! Stochastic gradient ascent, one pair after the other.

use ndarray::Array2;

use super::draw::{Others, Pairs};
use super::model::Bpr;
use super::params::BprParams;
use crate::dataset::Csr;
use crate::kernel::pairwise::{Pace, learn_order};
use crate::kernel::rng::SplitMix64;
use crate::params::Checked;
use crate::run::Run;
use crate::scorer::factors::Factors;
use crate::scorer::{Fit, FitError, FitRecipe, TrainingSet};

/// Steps between two looks at the clock of the run.
const STRIDE: usize = 1 << 16;

/// The length of a starting vector.
const START: f32 = 0.1;

impl Fit for Checked<BprParams> {
    type Model = Bpr;

    fn recipe(&self) -> Option<FitRecipe> {
        FitRecipe::of("bpr", self)
    }

    /// Learns the vectors, from anonymous sessions too. An update is this fit anew; until then a fold-in serves new shoppers
    /// and new events.
    fn fit(&self, train: &TrainingSet<'_>, run: &Run<'_>) -> Result<Bpr, FitError> {
        let (data, dim) = (train.data, self.factors as usize + 1);
        let pairs = Pairs::new(data.by_user(), data.by_item());
        let mut users = start(data.by_user(), data.n_rows(), dim, 1.0, run.seed);
        // Streams of items follow those of shoppers.
        let mut items = start(data.by_item(), data.n_items(), dim, 0.0, run.seed ^ u64::MAX);
        if pairs.active.len() > 1 {
            self.learn(&pairs, &mut users, &mut items, dim, run)?;
        }
        let shaped = |rows: usize, of: Vec<f32>| Array2::from_shape_vec((rows, dim), of).unwrap_or_default();
        Ok(Bpr {
            params: (**self).clone(),
            extent: data.extent(),
            as_of: data.as_of(),
            seed: run.seed,
            users: Factors::with_offset(shaped(data.n_rows(), users)),
            items: Factors::with_offset(shaped(data.n_items(), items)).indexed(self.retrieval, run),
            active: pairs.active,
        })
    }
}

impl Checked<BprParams> {
    fn learn(
        &self,
        pairs: &Pairs<'_>,
        users: &mut [f32],
        items: &mut [f32],
        dim: usize,
        run: &Run<'_>,
    ) -> Result<(), FitError> {
        let steps = pairs.len() * self.epochs as usize;
        let mut rng = SplitMix64::stream(run.seed, u64::MAX);
        let mut others = Others::new(self.sampling);
        for step in 0..steps {
            if step % STRIDE == 0 {
                run.step(step as u64, steps as u64, None)?;
            }
            others.refresh(items, dim, pairs, run);
            let (user, liked) = pairs.draw(&mut rng);
            let x = &mut users[user * dim..(user + 1) * dim];
            let other = others.draw(user, x, pairs, &mut rng);
            let range = |item: u32| item as usize * dim..(item as usize + 1) * dim;
            // One item only where a shopper touched all that came up.
            if let Ok([i, j]) = items.get_disjoint_mut([range(liked), range(other)]) {
                learn_order(x, i, j, self.pace(step, steps));
            }
        }
        run.step(steps as u64, steps as u64, None)?;
        if users.iter().chain(&*items).any(|v| !v.is_finite()) {
            return Err(FitError::NotFinite { model: "bpr", step: steps as u64 });
        }
        Ok(())
    }
}

impl BprParams {
    /// The rate falls evenly from the first step to a tenth at the last.
    pub(super) fn pace(&self, step: usize, of: usize) -> Pace {
        let rate = self.learning_rate * (1.0 - 0.9 * step as f32 / of as f32);
        let length = self.regularization;
        Pace { rate, shopper: length, item: length, offset: self.offset_regularization }
    }
}

/// Random vectors for the rows that have a pair, each with `last` at its end; zeros for the others.
fn start(pairs: &Csr, rows: usize, dim: usize, last: f32, seed: u64) -> Vec<f32> {
    let scale = START / (dim as f32).sqrt();
    let mut flat = vec![0.0; rows * dim];
    for (row, x) in flat.chunks_exact_mut(dim).enumerate() {
        if !pairs.row(row).is_empty() {
            let mut rng = SplitMix64::stream(seed, row as u64);
            x.iter_mut().for_each(|v| *v = scale * rng.normal());
            x[dim - 1] = last;
        }
    }
    flat
}
