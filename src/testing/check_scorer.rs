//! The conformance suite of scorers.

use super::ask::{Answer, ask, propose};
use super::cases::{Case, cases};
use super::violation::{Law, Violation};
use crate::catalog::Shelf;
use crate::dataset::Dataset;
use crate::event::EventKind;
use crate::ids::ItemIdx;
use crate::scorer::{Context, Explanation, ItemSet, Scorer, Touch, Workspace};
use crate::time::Timestamp;

/// Items in the shelf that neither the dataset nor the catalogue knows.
const STRANGERS: usize = 3;
/// Up to this many items, all are scored; beyond, about as many, spread evenly.
const SCORED: usize = 300;
/// How many items with an opinion, and without, are also scored alone and explained, a context.
const CLOSELY: usize = 24;
/// How many proposals are asked for.
const LIMITS: [usize; 5] = [0, 1, 4, 17, 150];

/// Checks a scorer against the [laws](Law), over contexts made up from `data`: anonymous, known and unknown shoppers,
/// sessions, baskets, context items, items it cannot know, clocks at both ends of time.
///
/// `shelf` must be a shelf of `data`. `O(contexts × (score of 300 items + 48 scores of one item))`, about 30 contexts.
///
/// # Errors
/// The first [`Violation`] found.
///
/// # Example
/// ```
/// use likewise::testing::{ShopParams, SyntheticShop, check_scorer};
/// use likewise::{Context, Dataset, DatasetBuilder, Extent, Scorer, Scores, Shelf, Validate, Workspace};
///
/// #[derive(Debug)]
/// struct EvenNumbers(Extent);
/// impl Scorer for EvenNumbers {
///     fn name(&self) -> &str {
///         "even numbers"
///     }
///     fn extent(&self) -> Extent {
///         self.0
///     }
///     fn score(&self, _: &Context<'_>, out: &mut Scores<'_>, _: &mut Workspace) {
///         for (slot, item) in out.items().iter().enumerate() {
///             if item.get() % 2 == 0 && item.as_usize() < self.0.n_items {
///                 out.set(slot, 1.0);
///             }
///         }
///     }
/// }
///
/// let shop = SyntheticShop::new(ShopParams { events: 1_000, ..ShopParams::default() }.check()?);
/// let mut builder = DatasetBuilder::default();
/// builder.ingest(&shop)?;
/// let data = builder.finish()?;
/// check_scorer(&EvenNumbers(data.extent()), &data, &Shelf::bare(&data))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn check_scorer(scorer: &dyn Scorer, data: &Dataset, shelf: &Shelf) -> Result<(), Violation> {
    let stranger = shelf.n_items();
    let shelf = shelf.padded(STRANGERS);
    let mut exam = Exam { scorer, data, shelf: &shelf, stranger, ws: Workspace::default() };
    exam.identity()?;
    let cases = cases(data, stranger, shelf.n_items());
    let mut answers = Vec::with_capacity(cases.len());
    for case in &cases {
        let answer = exam.scores(case)?;
        exam.proposals(case)?;
        exam.explanations(case, &answer)?;
        answers.push(answer);
    }
    // Again, after all the others and in another order: nothing may have stuck.
    for (case, before) in cases.iter().zip(&answers).rev() {
        let items: Vec<ItemIdx> = before.iter().map(|a| a.0).collect();
        let again = exam.ask(case, &items);
        exam.same(Law::Pure, case, before, &again)?;
    }
    Ok(())
}

struct Exam<'a> {
    scorer: &'a dyn Scorer,
    data: &'a Dataset,
    shelf: &'a Shelf,
    /// Items from here on are known to nobody.
    stranger: usize,
    ws: Workspace,
}

impl<'a> Exam<'a> {
    fn broken(
        &self,
        law: Law,
        case: &str,
        item: Option<ItemIdx>,
        expected: impl Into<String>,
        got: impl Into<String>,
    ) -> Violation {
        let scorer = self.scorer.name().to_owned();
        Violation { law, scorer, context: case.to_owned(), item, expected: expected.into(), got: got.into() }
    }

    fn identity(&self) -> Result<(), Violation> {
        if self.scorer.name().trim().is_empty() {
            return Err(self.broken(Law::Named, "none", None, "a name", format!("{:?}", self.scorer.name())));
        }
        let (fitted, all) = (self.scorer.extent(), self.data.extent());
        if fitted.lineage != all.lineage || fitted.n_items > all.n_items || fitted.n_rows > all.n_rows {
            let expected = format!("at most {all:?}, same lineage");
            return Err(self.broken(Law::Extent, "none", None, expected, format!("{fitted:?}")));
        }
        Ok(())
    }

    /// The candidates of a case: a spread over all items, those the case names, what is proposed, and strangers.
    fn items(&self, case: &Case) -> Result<Vec<ItemIdx>, Violation> {
        let proposed = self.propose(case, CLOSELY, &|_| true)?;
        let step = self.stranger.div_ceil(SCORED).max(1);
        let spread = (0..self.stranger).step_by(step).map(|i| ItemIdx::new(i as u32));
        let strangers = (self.stranger..self.shelf.n_items()).map(|i| ItemIdx::new(i as u32));
        let mut set = ItemSet::default();
        set.reset(self.shelf.n_items());
        case.items().chain(proposed).chain(spread).chain(strangers).for_each(|item| _ = set.insert(item));
        Ok(set.items().to_vec())
    }

    fn cx<'c>(&self, case: &'c Case) -> Context<'c>
    where
        'a: 'c,
    {
        case.context(self.data, self.shelf)
    }

    fn ask(&self, case: &Case, items: &[ItemIdx]) -> Vec<Answer> {
        self.ask_with(case, items, &mut Workspace::default())
    }

    fn ask_with(&self, case: &Case, items: &[ItemIdx], ws: &mut Workspace) -> Vec<Answer> {
        ask(self.scorer, &self.cx(case), items, ws)
    }

    fn same(&self, law: Law, case: &Case, before: &[Answer], after: &[Answer]) -> Result<(), Violation> {
        let bits = |a: &Answer| (a.1.map(f32::to_bits), a.2);
        match before.iter().zip(after).find(|(a, b)| bits(a) != bits(b)) {
            Some((a, b)) => {
                let show = |a: &Answer| format!("{:?} because of {:?}", a.1, a.2.map(ItemIdx::get));
                Err(self.broken(law, &case.name, Some(a.0), show(a), show(b)))
            }
            None => Ok(()),
        }
    }

    fn scores(&mut self, case: &Case) -> Result<Vec<Answer>, Violation> {
        let items = self.items(case)?;
        let answers = self.ask(case, &items);
        for &(item, score, _) in &answers {
            if score.is_some_and(|s| !s.is_finite()) {
                return Err(self.broken(Law::Finite, &case.name, Some(item), "a finite score", format!("{score:?}")));
            }
            let known = item.as_usize() < self.scorer.extent().n_items || self.shelf.row(item).is_some();
            if score.is_some() && !known {
                return Err(self.broken(Law::Beyond, &case.name, Some(item), "no opinion", format!("{score:?}")));
            }
        }
        self.same(Law::Pure, case, &answers, &self.ask(case, &items))?;
        let mut ws = std::mem::take(&mut self.ws);
        soil(&mut ws, items.len(), self.shelf.n_items());
        let dirty = self.ask_with(case, &items, &mut ws);
        self.ws = ws;
        self.same(Law::Pure, case, &answers, &dirty)?;
        let reversed: Vec<ItemIdx> = items.iter().rev().copied().collect();
        let mut back = self.ask(case, &reversed);
        back.reverse();
        self.same(Law::Independent, case, &answers, &back)?;
        for answer in closely(&answers) {
            self.same(Law::Independent, case, &[answer], &self.ask(case, &[answer.0]))?;
        }
        Ok(answers)
    }

    fn propose(&self, case: &Case, limit: usize, admit: &dyn Fn(ItemIdx) -> bool) -> Result<Vec<ItemIdx>, Violation> {
        let (items, unknown) = propose(self.scorer, &self.cx(case), limit, admit, &mut Workspace::default());
        if unknown > 0 {
            let got = format!("{unknown} proposals that name no item");
            return Err(self.broken(Law::ProposesKnown, &case.name, None, "existing items", got));
        }
        if let Some(item) = items.iter().find(|item| item.as_usize() >= self.stranger) {
            return Err(self.broken(Law::ProposesKnown, &case.name, Some(*item), "an existing item", "an unknown one"));
        }
        if items.len() > limit {
            let (expected, got) = (format!("at most {limit}"), items.len().to_string());
            return Err(self.broken(Law::ProposesAtMost, &case.name, None, expected, got));
        }
        Ok(items)
    }

    fn proposals(&self, case: &Case) -> Result<(), Violation> {
        for admit in [&|_| true, &|item: ItemIdx| item.get() % 2 == 1] as [&dyn Fn(ItemIdx) -> bool; 2] {
            let mut fewer: Vec<ItemIdx> = Vec::new();
            for limit in LIMITS {
                let more = self.propose(case, limit, admit)?;
                if !more.starts_with(&fewer) {
                    let show = |items: &[ItemIdx]| format!("{:?}", items.iter().map(|i| i.get()).collect::<Vec<_>>());
                    let expected = format!("{} at the head for limit {limit}", show(&fewer));
                    return Err(self.broken(Law::ProposesPrefix, &case.name, None, expected, show(&more)));
                }
                fewer = more;
            }
            let scored = self.ask(case, &fewer);
            if let Some((item, ..)) = scored.iter().find(|a| a.1.is_none()) {
                return Err(self.broken(Law::ProposesScored, &case.name, Some(*item), "an opinion", "none"));
            }
            if let Some(pair) = scored.windows(2).find(|pair| pair[0].1 < pair[1].1) {
                let (expected, got) = (format!("at most {:?}", pair[0].1), format!("{:?}", pair[1].1));
                return Err(self.broken(Law::ProposesBestFirst, &case.name, Some(pair[1].0), expected, got));
            }
        }
        Ok(())
    }

    fn explanations(&mut self, case: &Case, answers: &[Answer]) -> Result<(), Violation> {
        for (item, score, _) in closely(answers) {
            let mut ws = std::mem::take(&mut self.ws);
            let explanation = self.scorer.explain(&self.cx(case), item, &mut ws);
            self.ws = ws;
            if explanation.value.map(f32::to_bits) != score.map(f32::to_bits) {
                let (expected, got) = (format!("{score:?}"), format!("{:?}", explanation.value));
                return Err(self.broken(Law::Explains, &case.name, Some(item), expected, got));
            }
            if let Some(value) = not_finite(&explanation) {
                return Err(self.broken(Law::Explains, &case.name, Some(item), "finite parts", value.to_string()));
            }
        }
        Ok(())
    }
}

/// Some of the answers, spread evenly: those with an opinion and those without apart, so that none escapes by its number.
fn closely(answers: &[Answer]) -> Vec<Answer> {
    let (with, without): (Vec<Answer>, Vec<Answer>) = answers.iter().partition(|a| a.1.is_some());
    let spread = |all: Vec<Answer>| {
        let step = all.len().div_ceil(CLOSELY).max(1);
        all.into_iter().step_by(step)
    };
    spread(with).chain(spread(without)).collect()
}

fn not_finite(explanation: &Explanation) -> Option<f32> {
    explanation.value.filter(|v| !v.is_finite()).or_else(|| explanation.details.iter().find_map(not_finite))
}

/// Leaves used buffers of every type in the workspace.
fn soil(ws: &mut Workspace, len: usize, n_items: usize) {
    for _ in 0..3 {
        let mut floats = ws.take_floats(len);
        floats.fill(f32::NAN);
        ws.give_floats(floats);
        let mut indices = ws.take_indices(len);
        indices.fill(u32::MAX);
        ws.give_indices(indices);
        let mut touches = ws.take_touches();
        let item = ItemIdx::new(0);
        touches.push(Touch { item, kind: EventKind::View, at: Timestamp::MAX, weight: f32::NAN });
        ws.give_touches(touches);
        let mut scored = ws.take_scored();
        scored.push(crate::scorer::Scored { item, score: f32::NAN });
        ws.give_scored(scored);
        let mut set = ws.take_set(n_items);
        (0..n_items as u32).for_each(|i| _ = set.insert(ItemIdx::new(i)));
        ws.give_set(set);
        let mut sums = ws.take_accumulator(n_items);
        (0..n_items as u32).for_each(|i| sums.add(i, 1.0));
        ws.give_accumulator(sums);
    }
}
