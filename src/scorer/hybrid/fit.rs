//! ALS with the items drawn to what their attributes say.

use ndarray::{Array2, Axis};

use super::map::{Map, add, read};
use super::model::Hybrid;
use super::params::HybridParams;
use crate::dataset::Csr;
use crate::ids::ItemIdx;
use crate::params::Checked;
use crate::run::Run;
use crate::scorer::als::learn;
use crate::scorer::attributes::{CODED, Features};
use crate::scorer::catalogued::Catalogued;
use crate::scorer::{Fit, FitError, FitRecipe, TrainingSet};

impl Fit for Checked<HybridParams> {
    type Model = Hybrid;

    fn recipe(&self) -> Option<FitRecipe> {
        FitRecipe::of("hybrid", self)
    }

    /// Learns factors and attributes in turn. Without a catalogue, and with no attribute named, it is ALS.
    fn fit(&self, train: &TrainingSet<'_>, run: &Run<'_>) -> Result<Hybrid, FitError> {
        let (data, dim) = (train.data, self.als.factors as usize);
        let features = Features::learn(&self.attributes, CODED, self.spans, train.shelf)?;
        let places = Catalogued::new(train);
        let rows = rows(train, &features, &places, run);
        let n_values = features.len() + 1;
        let of_dataset = head(&rows, data.n_items());
        let mut map = Map::new(dim, self.passes, self.attribute_regularization, &of_dataset, n_values);
        let learned = learn(&self.als, data, run, Some(&mut map))?;
        let values = map.values;
        let is_new = |item: usize| data.by_item().row(item).is_empty();
        let als = learned.model_with(run, |items| with_new(items, &rows, &values, is_new));
        if values.iter().any(|v| !v.is_finite()) {
            return Err(FitError::NotFinite { model: "hybrid", step: 2 * u64::from(self.als.iterations) });
        }
        Ok(Hybrid { params: (**self).clone(), als, places, features, values })
    }
}

/// The values of each place of the fit.
fn rows(train: &TrainingSet<'_>, features: &Features, places: &Catalogued, run: &Run<'_>) -> Csr {
    let row = |(word, row): &mut (String, Vec<(u32, f32)>), place: usize| {
        row.clear();
        if let Some(shelf) = train.shelf {
            read(features, shelf, ItemIdx::new(place as u32), word, row);
        }
        row.clone()
    };
    let mut csr = Csr::with_capacity(places.len(), 0);
    for row in run.threads.map_with(places.len(), Default::default, row) {
        row.iter().for_each(|&(value, weight)| csr.push(value, weight));
        csr.end_row();
    }
    csr
}

fn head(rows: &Csr, n: usize) -> Csr {
    let mut head = Csr::with_capacity(n, 0);
    for row in 0..n {
        rows.row(row).iter().for_each(|(value, weight)| head.push(value, weight));
        head.end_row();
    }
    head
}

/// The learned items, those without events by their attributes, then those that only the catalogue knows.
fn with_new(mut items: Array2<f32>, rows: &Csr, values: &[f32], is_new: impl Fn(usize) -> bool) -> Array2<f32> {
    let dim = items.ncols();
    let n_known = items.nrows();
    let mut new = Array2::zeros((rows.rows().saturating_sub(n_known), dim));
    let known = items.rows_mut().into_iter().enumerate().filter(|&(item, _)| is_new(item));
    let beyond = new.rows_mut().into_iter().enumerate().map(|(n, row)| (n_known + n, row));
    for (place, mut y) in known.chain(beyond) {
        if let Some(y) = y.as_slice_mut() {
            add(values, dim, rows.row(place).iter(), y);
        }
    }
    // Same number of columns, so it fits.
    let _ = items.append(Axis(0), new.view());
    items
}
