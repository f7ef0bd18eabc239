//! Asking, judging and keeping what every case was worth.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::case::Case;
use super::lists::Lists;
use super::metric::{self, Aggregate, Judged, Metric};
use super::report::{Aggregated, CompareError, Comparison, Estimate, Report, SegmentReport};
use super::resample::{Values, sign_flip};
use super::segment::{By, Segments};
use super::task::{Asker, System, Task};
use crate::ids::ItemIdx;
use crate::run::{Cancelled, Run};
use crate::scorer::{DynFit, FitError, Scorer};

/// What is measured, and how it is reported.
///
/// # Example
/// ```
/// use likewise::evaluate::{Ask, Evaluation, Questions, Segments, Split};
/// use likewise::testing::{ShopParams, SyntheticShop};
/// use likewise::{DatasetBuilder, PopularityParams, Run, TransitionParams, Validate};
/// # let shop = SyntheticShop::new(ShopParams { items: 200, events: 20_000, ..ShopParams::default() }.check()?);
/// # let mut log = DatasetBuilder::default();
/// # log.ingest(&shop)?;
/// let task = Split::fraction(0.8).task(&log, &Questions::default().ask(Ask::NextItem))?;
/// let evaluation = Evaluation::at(10).segments(Segments::by_history(&[0, 5, 20]));
/// let run = Run::new(42);
/// let popular = evaluation.fit_and_judge(&task, &PopularityParams::default().check()?, &run)?;
/// let next = evaluation.fit_and_judge(&task, &TransitionParams::next_item().check()?, &run)?;
/// let report = next.report(&run);
/// let ndcg = report.metric("ndcg@10").unwrap();
/// assert!(ndcg.low <= ndcg.mean && ndcg.mean <= ndcg.high);
/// let better = &next.compare(&popular, &run)?[1]; // items are viewed after their partners in this shop
/// assert!(better.metric == "ndcg@10" && better.low > Some(0.0) && better.p_value < 0.01, "{better:?}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Evaluation {
    metrics: Vec<Arc<dyn Metric>>,
    aggregates: Vec<Arc<dyn Aggregate>>,
    segments: Vec<Segments>,
    resamples: usize,
    permutations: usize,
    level: f64,
}

impl Default for Evaluation {
    fn default() -> Self {
        let (metrics, aggregates, segments) = (Vec::new(), Vec::new(), Vec::new());
        Self { metrics, aggregates, segments, resamples: 1000, permutations: 4999, level: 0.95 }
    }
}

impl Evaluation {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What is usually asked for at `k`: recall, NDCG, hit rate, MRR, MAP, precision; coverage, user coverage and Gini.
    #[must_use]
    pub fn at(k: usize) -> Self {
        Self::new()
            .metric(metric::Recall(k))
            .metric(metric::Ndcg(k))
            .metric(metric::HitRate(k))
            .metric(metric::Mrr(k))
            .metric(metric::Map(k))
            .metric(metric::Precision(k))
            .aggregate(metric::Coverage(k))
            .aggregate(metric::UserCoverage(k))
            .aggregate(metric::Gini(k))
    }

    /// With another metric.
    #[must_use]
    pub fn metric(mut self, metric: impl Metric + 'static) -> Self {
        self.metrics.push(Arc::new(metric));
        self
    }

    /// With another number over all lists.
    #[must_use]
    pub fn aggregate(mut self, aggregate: impl Aggregate + 'static) -> Self {
        self.aggregates.push(Arc::new(aggregate));
        self
    }

    /// With every metric also by these segments.
    #[must_use]
    pub fn segments(mut self, segments: Segments) -> Self {
        self.segments.push(segments);
        self
    }

    /// With this many bootstrap samples (default 1,000); 0 gives no intervals.
    #[must_use]
    pub const fn resamples(mut self, resamples: usize) -> Self {
        self.resamples = resamples;
        self
    }

    /// With this many random sign flips in a comparison (default 4,999).
    #[must_use]
    pub const fn permutations(mut self, permutations: usize) -> Self {
        self.permutations = permutations;
        self
    }

    /// With intervals that hold the true mean with this probability (default 0.95).
    #[must_use]
    pub const fn level(mut self, level: f64) -> Self {
        self.level = level.clamp(0.0, 1.0);
        self
    }

    /// Asks `system` every case, as deep as the metrics look, and judges the lists. The same for any number of threads.
    ///
    /// # Errors
    /// [`Cancelled`].
    pub fn judge(&self, task: &Task, system: System<'_>, run: &Run<'_>) -> Result<Judgement, Cancelled> {
        let kept = self.kept();
        let judge = |asker: &mut Asker<'_>, cases: &[Case]| {
            let mut part = Part::default();
            for case in cases {
                let deepest = self.metrics.iter().map(|metric| metric.depth(case)).max().unwrap_or(0).max(kept);
                let list = asker.ask(case, deepest.min(task.shelf().n_items()));
                self.judge_case(&Judged { task, case, list }, &mut part);
                part.lists.push(&list[..kept.min(list.len())]);
            }
            part
        };
        Ok(self.collect(task, task.ask_all(system, run, judge)?))
    }

    /// Judges lists that were made before. They must reach as deep as the metrics look.
    #[must_use]
    pub fn judge_lists(&self, task: &Task, lists: &Lists, run: &Run<'_>) -> Judgement {
        const CHUNK: usize = 256;
        let n = task.cases().len();
        let judge = |chunk: usize| {
            let mut part = Part::default();
            for number in chunk * CHUNK..n.min((chunk + 1) * CHUNK) {
                let (case, list) = (&task.cases()[number], lists.of(number));
                self.judge_case(&Judged { task, case, list }, &mut part);
                part.lists.push(&list[..self.kept().min(list.len())]);
            }
            part
        };
        self.collect(task, run.threads.map(n.div_ceil(CHUNK), judge))
    }

    /// Fits `recipe` on what the task allows and judges it by itself.
    ///
    /// # Errors
    /// [`FitError`].
    pub fn fit_and_judge(&self, task: &Task, recipe: &dyn DynFit, run: &Run<'_>) -> Result<Judgement, FitError> {
        let model: Arc<dyn Scorer> = recipe.fit_dyn(&task.training_set(), run)?;
        Ok(self.judge(task, System::Scorer(&*model), run)?)
    }

    /// How deep the lists are kept for the aggregates.
    fn kept(&self) -> usize {
        self.aggregates.iter().map(|aggregate| aggregate.depth()).max().unwrap_or(0)
    }

    fn judge_case(&self, judged: &Judged<'_>, part: &mut Part) {
        let value = |metric: &Arc<dyn Metric>, judged: &Judged<'_>| {
            metric.of(judged).filter(|value| value.is_finite()).unwrap_or(f64::NAN)
        };
        part.values.extend(self.metrics.iter().map(|metric| value(metric, judged)));
        for segments in &self.segments {
            match &segments.by {
                By::Case(of) => part.segment.push(of(judged.task, judged.case).unwrap_or(usize::MAX)),
                By::Target(of) => {
                    for label in 0..segments.labels().len() {
                        let own = |target: &&super::case::Target| of(judged.task, target) == Some(label);
                        let targets: Vec<_> = judged.case.targets().iter().filter(own).copied().collect();
                        if targets.is_empty() {
                            part.by_target.extend(self.metrics.iter().map(|_| f64::NAN));
                            continue;
                        }
                        let case = judged.case.with_targets(targets);
                        let judged = Judged { case: &case, ..*judged };
                        part.by_target.extend(self.metrics.iter().map(|metric| value(metric, &judged)));
                    }
                }
            }
        }
    }

    fn collect(&self, task: &Task, parts: Vec<Part>) -> Judgement {
        let mut all = Part::default();
        for part in parts {
            all.values.extend(part.values);
            all.segment.extend(part.segment);
            all.by_target.extend(part.by_target);
            all.lists.append(&part.lists);
        }
        let aggregates = self.aggregates.iter().map(|a| (a.name(), a.of(task, &all.lists))).collect();
        let segments = self.segmented(&all);
        let columns = self.metrics.len();
        Judgement {
            evaluation: self.clone(),
            names: self.metrics.iter().map(|metric| metric.name()).collect(),
            cases: task.cases().len(),
            asked: fingerprint(task),
            values: Values { columns, of: all.values },
            aggregates,
            segments,
        }
    }

    /// The rows of each segment.
    fn segmented(&self, all: &Part) -> Vec<Segmented> {
        let columns = self.metrics.len();
        let by_case = self.segments.iter().filter(|s| matches!(s.by, By::Case(_))).count();
        let labels = |s: &Segments| s.labels().len();
        let by_target: usize = self.segments.iter().filter(|s| matches!(s.by, By::Target(_))).map(labels).sum();
        let (mut case_column, mut target_column) = (0, 0);
        let mut out = Vec::new();
        for segments in &self.segments {
            for (number, label) in segments.labels().iter().enumerate() {
                let of: Vec<f64> = match segments.by {
                    By::Case(_) => {
                        let numbers = all.segment.chunks_exact(by_case).map(|numbers| numbers[case_column]);
                        let rows = all.values.chunks_exact(columns.max(1)).zip(numbers);
                        rows.filter(|(_, of)| *of == number).flat_map(|(row, _)| row).copied().collect()
                    }
                    By::Target(_) => {
                        let rows = all.by_target.chunks_exact((columns * by_target).max(1));
                        let from = (target_column + number) * columns;
                        let rows = rows.map(|row| &row[from..from + columns]);
                        rows.filter(|row| row.iter().any(|v| !v.is_nan())).flatten().copied().collect()
                    }
                };
                out.push(Segmented {
                    by: segments.name().to_owned(),
                    label: label.clone(),
                    values: Values { columns, of },
                });
            }
            match segments.by {
                By::Case(_) => case_column += 1,
                By::Target(_) => target_column += segments.labels().len(),
            }
        }
        out
    }
}

/// What one chunk of cases gave; NaN for undefined.
#[derive(Default)]
struct Part {
    values: Vec<f64>,
    /// Per case and division of cases.
    segment: Vec<usize>,
    /// Per case, label of a division of targets, and metric.
    by_target: Vec<f64>,
    lists: Lists,
}

#[derive(Clone, Debug)]
struct Segmented {
    by: String,
    label: String,
    values: Values,
}

/// What a system was worth in every case: 8 bytes a case and metric.
#[derive(Clone, Debug)]
pub struct Judgement {
    evaluation: Evaluation,
    names: Vec<String>,
    cases: usize,
    /// Of which questions.
    asked: u64,
    values: Values,
    aggregates: Vec<(String, Option<f64>)>,
    segments: Vec<Segmented>,
}

impl Judgement {
    /// The metrics, in the order they were added.
    #[must_use]
    pub fn metrics(&self) -> &[String] {
        &self.names
    }

    /// The mean of a metric over the cases where it is defined; `None` where there is none, or no such metric.
    #[must_use]
    pub fn mean(&self, metric: &str) -> Option<f64> {
        let column = self.names.iter().position(|name| name == metric)?;
        self.values.mean(column).0
    }

    /// A metric's value for every case, in the order of the cases; empty when there is no such metric.
    pub fn values(&self, metric: &str) -> impl Iterator<Item = Option<f64>> + '_ {
        let column = self.names.iter().position(|name| name == metric);
        let values = column.into_iter().flat_map(|column| self.values.column(column));
        values.map(|value| (!value.is_nan()).then_some(value))
    }

    /// Means with their intervals, the numbers over all lists, and the segments. The draws depend on the run's seed.
    #[must_use]
    pub fn report(&self, run: &Run<'_>) -> Report {
        let aggregates =
            self.aggregates.iter().map(|(metric, value)| Aggregated { metric: metric.clone(), value: *value });
        let segments = self.segments.iter().map(|segment| SegmentReport {
            by: segment.by.clone(),
            segment: segment.label.clone(),
            cases: segment.values.rows(),
            metrics: self.estimates(&segment.values, run),
        });
        Report {
            cases: self.cases,
            level: self.evaluation.level,
            metrics: self.estimates(&self.values, run),
            aggregates: aggregates.collect(),
            segments: segments.collect(),
        }
    }

    fn estimates(&self, values: &Values, run: &Run<'_>) -> Vec<Estimate> {
        let intervals = values.intervals(self.evaluation.resamples, self.evaluation.level, run);
        let estimate = |(column, interval): (usize, Option<(f64, f64)>)| {
            let (mean, cases) = values.mean(column);
            let (low, high) = interval.unzip();
            Estimate { metric: self.names[column].clone(), mean, low, high, cases }
        };
        intervals.into_iter().enumerate().map(estimate).collect()
    }

    /// This system against `other`, case by case, metric by metric: the mean difference (this minus other), its interval,
    /// and the chance of one at least as large if the two were the same.
    ///
    /// With many comparisons some are small by chance: divide the significance level by their number (Bonferroni).
    ///
    /// # Errors
    /// [`CompareError`] when the two answered different questions or were judged by different metrics.
    pub fn compare(&self, other: &Self, run: &Run<'_>) -> Result<Vec<Comparison>, CompareError> {
        if self.asked != other.asked || self.cases != other.cases {
            return Err(CompareError::Cases { first: self.cases, second: other.cases });
        }
        if self.names != other.names {
            return Err(CompareError::Metrics { first: self.names.clone(), second: other.names.clone() });
        }
        let of = self.values.of.iter().zip(&other.values.of).map(|(a, b)| a - b).collect(); // NaN when either is
        let differences = Values { columns: self.values.columns, of };
        let intervals = differences.intervals(self.evaluation.resamples, self.evaluation.level, run);
        let compare = |(column, interval): (usize, Option<(f64, f64)>)| {
            let defined: Vec<f64> = differences.column(column).filter(|d| !d.is_nan()).collect();
            let (low, high) = interval.unzip();
            Comparison {
                metric: self.names[column].clone(),
                difference: differences.mean(column).0,
                low,
                high,
                p_value: sign_flip(&defined, self.evaluation.permutations, run),
                cases: defined.len(),
            }
        };
        Ok(intervals.into_iter().enumerate().map(compare).collect())
    }
}

/// Tells different questions apart.
fn fingerprint(task: &Task) -> u64 {
    let mut hasher = rustc_hash::FxHasher::default();
    for case in task.cases() {
        (case.user.map(|user| user.get()), case.now.millis(), case.session.len()).hash(&mut hasher);
        case.targets().iter().for_each(|target| target.item.map(ItemIdx::get).hash(&mut hasher));
    }
    hasher.finish()
}
