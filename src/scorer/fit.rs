//! Learning a scorer from data.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use super::{FitRecipe, Scorer};
use crate::catalog::Shelf;
use crate::dataset::{Dataset, Delta};
use crate::params::ParamError;
use crate::run::{Cancelled, Run};

/// What a fit may look at: the events, and the catalogue if there is one.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct TrainingSet<'a> {
    /// The events.
    pub data: &'a Dataset,
    /// The items with their attributes.
    pub shelf: Option<&'a Shelf>,
}

impl<'a> TrainingSet<'a> {
    /// Events with a catalogue.
    #[must_use]
    pub const fn with_shelf(data: &'a Dataset, shelf: &'a Shelf) -> Self {
        Self { data, shelf: Some(shelf) }
    }
}

impl<'a> From<&'a Dataset> for TrainingSet<'a> {
    fn from(data: &'a Dataset) -> Self {
        Self { data, shelf: None }
    }
}

/// Why nothing was fitted.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FitError {
    /// A parameter that the data rules out.
    #[error(transparent)]
    Param(#[from] ParamError),
    /// The run was cancelled.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// The recipe needs an attribute the catalogue does not have (or there is no catalogue).
    #[error("the catalogue has no attribute {name:?}; fit with TrainingSet::with_shelf and load that column")]
    NoAttribute {
        /// Its name.
        name: String,
    },
    /// It would take more memory than the [`Run`] allows; nothing was allocated.
    #[error(
        "{model} needs {needed} bytes at least and the run allows {allowed}; allow more, or ask for less (factors, counts kept)"
    )]
    Memory {
        /// What was to be fitted.
        model: &'static str,
        /// Bytes it needs beyond the data.
        needed: u64,
        /// Bytes allowed.
        allowed: u64,
    },
    /// A computation left the finite numbers.
    #[error("{model} became non-finite at step {step}; raise the regularisation or lower the weights")]
    NotFinite {
        /// What was being fitted.
        model: &'static str,
        /// The step it happened in.
        step: u64,
    },
}

/// Hyper-parameters that can learn a scorer. Implemented by [`Checked`](crate::Checked) recipes: a fit returns a *new*
/// model, there is no half-trained state.
pub trait Fit: fmt::Debug + Send + Sync + 'static {
    /// What is learned.
    type Model: Scorer;

    /// Learns a model. The result depends on data, parameters and seed only, never on threads. An empty dataset gives
    /// a model without opinions, not an error.
    ///
    /// # Errors
    /// [`FitError`].
    fn fit(&self, train: &TrainingSet<'_>, run: &Run<'_>) -> Result<Self::Model, FitError>;

    /// The model for `delta.data()`, given the one fitted on `delta.base()` with the same parameters. It equals
    /// [`fit`](Fit::fit) on the new data, bit for bit; the provided method *is* that fit. Count-based recipes override
    /// it to touch only the rows that changed.
    ///
    /// # Errors
    /// As [`fit`](Fit::fit).
    fn update(
        &self,
        model: &Self::Model,
        delta: &Delta<'_>,
        shelf: Option<&Shelf>,
        run: &Run<'_>,
    ) -> Result<Self::Model, FitError> {
        let _ = model;
        self.fit(&TrainingSet { data: delta.data(), shelf }, run)
    }

    /// What it learns with, as data: whether a model that was kept in a file is the one that would be fitted now. Say it, in
    /// one line: `FitRecipe::of("example.com/margin", self)`. The provided one says nothing; then what `Debug` prints is
    /// compared, which a compiler or a renamed field may change (the model is fitted anew, once), and which must not leave
    /// out anything that a fit depends on.
    fn recipe(&self) -> Option<FitRecipe> {
        None
    }
}

/// [`Fit`] with the model's type erased; implemented for every `Fit`, never by hand.
pub trait DynFit: fmt::Debug + Send + Sync + 'static {
    /// Learns a model. See [`Fit::fit`].
    ///
    /// # Errors
    /// As [`Fit::fit`].
    fn fit_dyn(&self, train: &TrainingSet<'_>, run: &Run<'_>) -> Result<Arc<dyn Scorer>, FitError>;

    /// The model for `delta.data()`, given the one fitted on `delta.base()`; a model of another kind is fitted anew. See
    /// [`Fit::update`].
    ///
    /// # Errors
    /// As [`Fit::fit`].
    fn update_dyn(
        &self,
        model: &dyn Scorer,
        delta: &Delta<'_>,
        shelf: Option<&Shelf>,
        run: &Run<'_>,
    ) -> Result<Arc<dyn Scorer>, FitError>;

    /// What it learns with, as data, if it says so. See [`Fit::recipe`].
    fn recipe_dyn(&self) -> Option<FitRecipe>;
}

impl<F: Fit> DynFit for F {
    fn fit_dyn(&self, train: &TrainingSet<'_>, run: &Run<'_>) -> Result<Arc<dyn Scorer>, FitError> {
        Ok(Arc::new(self.fit(train, run)?))
    }

    fn update_dyn(
        &self,
        model: &dyn Scorer,
        delta: &Delta<'_>,
        shelf: Option<&Shelf>,
        run: &Run<'_>,
    ) -> Result<Arc<dyn Scorer>, FitError> {
        let model: &dyn Any = model;
        Ok(match model.downcast_ref::<F::Model>() {
            Some(model) => Arc::new(self.update(model, delta, shelf, run)?),
            None => Arc::new(self.fit(&TrainingSet { data: delta.data(), shelf }, run)?),
        })
    }

    fn recipe_dyn(&self) -> Option<FitRecipe> {
        self.recipe()
    }
}
