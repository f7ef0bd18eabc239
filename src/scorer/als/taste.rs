//! The vector of the shopper of a request: stored, or folded in from their history.

use super::model::Als;
use super::row::Scratch;
use crate::ids::ItemIdx;
use crate::kernel::cholesky;
use crate::kernel::dot::dot;
use crate::kernel::panel_products::product;
use crate::scorer::factors::Stored;
use crate::scorer::{Context, Explanation, Reason, ReasonCode, Scorer, Touch, Workspace};

/// Conjugate-gradient steps of a fold-in. On the gowalla check-ins (64 to 256 factors) eight of them from nothing give
/// 999 of 1,000 of the top-20 places that the fitted vectors give.
const FOLD_IN: usize = 8;

impl Als {
    /// The vector that a half-step gives a shopper with this history: the one thing needed to serve somebody the fit
    /// has not seen. `None` when no item known to the model is liked (has weights that sum above zero).
    ///
    /// Eight conjugate-gradient steps from zero, `O(factors² + history x factors)` each; no allocation but the result.
    ///
    /// # Example
    /// ```
    /// use likewise::{AlsParams, Consented, DatasetBuilder, Event, EventKind, Fit, LawfulBasis, Run, Shopper, Timestamp};
    /// use likewise::{Touch, Validate, Workspace};
    /// let mut builder = DatasetBuilder::default();
    /// for (user, item) in [("ann", "mug"), ("ann", "tea"), ("bob", "tea"), ("bob", "mug"), ("eve", "saw")] {
    ///     let who = Shopper::Profiled(Consented::new(user, LawfulBasis::Contract));
    ///     builder.push(&Event::new(who, item, EventKind::Purchase, Timestamp::from_secs(1)))?;
    /// }
    /// let data = builder.finish()?;
    /// let params = AlsParams { factors: 4, ..AlsParams::default() };
    /// let als = params.check()?.fit(&(&data).into(), &Run::new(1))?;
    ///
    /// let item = |key| data.item(key).unwrap();
    /// let history = [Touch { item: item("mug"), kind: EventKind::View, at: Timestamp::from_secs(2), weight: 1.0 }];
    /// let stranger = als.fold_in(&history, &mut Workspace::default()).unwrap();
    /// let score = |key| stranger.iter().zip(als.item_factors(item(key)).unwrap()).map(|(x, y)| x * y).sum::<f32>();
    /// assert!(score("tea") > score("saw"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn fold_in(&self, history: &[Touch], ws: &mut Workspace) -> Option<Vec<f32>> {
        self.folded(history, None, ws)
    }

    /// The vector of the request's shopper; the caller gives it back to `ws`.
    ///
    /// A profile's stored vector is used as long as the request knows nothing newer than the fit; otherwise the history is
    /// folded in, starting from it.
    pub(in crate::scorer) fn taste(&self, cx: &Context<'_>, ws: &mut Workspace) -> Option<Vec<f32>> {
        match Stored::of(&self.users, self.as_of, cx) {
            Stored::Current(stored) => {
                let mut x = ws.take_floats(stored.len());
                x.copy_from_slice(stored);
                Some(x)
            }
            Stored::Stale(stored) => self.folded(cx.history, Some(stored), ws),
            Stored::Nothing => self.folded(cx.history, None, ws),
        }
    }

    fn folded(&self, history: &[Touch], stored: Option<&[f32]>, ws: &mut Workspace) -> Option<Vec<f32>> {
        let dim = self.params.factors as usize;
        let mut scratch = Scratch::take(ws, dim);
        self.set_likings(history, &mut scratch, ws);
        let mut x = ws.take_floats(dim);
        if let Some(stored) = stored {
            x.copy_from_slice(stored);
        }
        if !scratch.index.is_empty() {
            self.fixed_items().improve(FOLD_IN, &mut scratch, &mut x);
        }
        let liked = !scratch.index.is_empty() && x.iter().all(|v| v.is_finite());
        scratch.give(ws);
        if liked {
            return Some(x);
        }
        ws.give_floats(x);
        None
    }

    /// Makes the items of the history with weights that sum above zero the terms of `scratch`, as a fit would.
    fn set_likings(&self, history: &[Touch], scratch: &mut Scratch, ws: &mut Workspace) {
        scratch.clear();
        self.items.liked(history, ws, |row, weight| scratch.push(&self.params, row, weight));
    }

    pub(in crate::scorer) fn explained(
        &self,
        name: &str,
        cx: &Context<'_>,
        item: ItemIdx,
        ws: &mut Workspace,
    ) -> Explanation {
        let mut explanation = Explanation::leaf(None, Reason::Abstained);
        let Some(y) = self.items.known(item.as_usize()) else { return explanation };
        let Some(x) = self.taste(cx, ws) else { return explanation };
        let score = product(&x, y) + 0.0;
        ws.give_floats(x);
        if !score.is_finite() {
            return explanation;
        }
        let code = self.reason();
        explanation.value = Some(score);
        explanation.reason = Reason::Scorer { name: name.to_owned(), code };
        let parts = self.parts(cx.history, y, ws);
        let because = |&(item, part)| Explanation::leaf(Some(part), Reason::Because { item, code });
        explanation.details.extend(parts.iter().map(because));
        let rest = score - parts.iter().map(|&(_, part)| part).sum::<f32>();
        if rest != 0.0 {
            let reason = Reason::Scorer { name: name.to_owned(), code: ReasonCode::Other };
            explanation.details.push(Explanation::leaf(Some(rest), reason));
        }
        explanation
    }

    /// `c_j yᵀ W y_j` for each liked item `j`, largest first. None when the equations cannot be solved exactly.
    fn parts(&self, history: &[Touch], y: &[f32], ws: &mut Workspace) -> Vec<(ItemIdx, f32)> {
        let dim = self.params.factors as usize;
        let mut scratch = Scratch::take(ws, dim);
        self.set_likings(history, &mut scratch, ws);
        let mut parts = Vec::with_capacity(scratch.index.len());
        let fixed = self.fixed_items();
        let system = fixed.equations(&scratch.index, &scratch.excess);
        let mut matrix = ws.take_floats(dim * dim);
        system.form(&mut matrix);
        if cholesky::factor(&mut matrix, dim).is_ok() {
            let mut seen = ws.take_floats(dim); // W y: the item as this shopper sees it
            seen.copy_from_slice(y);
            cholesky::solve(&matrix, dim, &mut seen);
            for (&j, &excess) in scratch.index.iter().zip(&scratch.excess) {
                let part = (system.base + excess) * dot(&seen, system.row(j));
                parts.push((ItemIdx::new(j), part));
            }
            ws.give_floats(seen);
        }
        ws.give_floats(matrix);
        scratch.give(ws);
        if parts.iter().any(|(_, part)| !part.is_finite()) {
            parts.clear();
        }
        parts.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        parts
    }
}
