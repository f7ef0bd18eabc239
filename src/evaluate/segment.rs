//! Groups of cases or targets that are reported apart.

use std::fmt;
use std::sync::Arc;

use super::case::{Case, Target};
use super::task::Task;

type OfCase = dyn Fn(&Task, &Case) -> Option<usize> + Send + Sync;
type OfTarget = dyn Fn(&Task, &Target) -> Option<usize> + Send + Sync;

#[derive(Clone)]
pub(super) enum By {
    Case(Arc<OfCase>),
    Target(Arc<OfTarget>),
}

/// A division of the cases, or of the targets within the cases, into named segments.
///
/// Where targets are divided, a case is judged once for each segment, by its targets of that segment alone: the recall of
/// the long tail is the share of the long-tail targets that were found. Its other targets then count as any other item.
///
/// # Example
/// ```
/// use likewise::evaluate::Segments;
/// let by_history = Segments::by_history(&[0, 1, 5, 20]);
/// assert_eq!(by_history.labels(), ["0", "1-4", "5-19", "20+"]);
/// let night = Segments::cases("hour", ["night", "day"], |_, case| {
///     let hour = case.now.millis().rem_euclid(86_400_000) / 3_600_000;
///     Some(usize::from((6..22).contains(&hour)))
/// });
/// assert_eq!(night.name(), "hour");
/// ```
#[derive(Clone)]
pub struct Segments {
    name: String,
    labels: Vec<String>,
    pub(super) by: By,
}

impl Segments {
    /// Divides cases: `segment` gives the number of a label, or `None` for a case that belongs to none.
    pub fn cases<L: Into<String>>(
        name: &str,
        labels: impl IntoIterator<Item = L>,
        segment: impl Fn(&Task, &Case) -> Option<usize> + Send + Sync + 'static,
    ) -> Self {
        let labels = labels.into_iter().map(Into::into).collect();
        Self { name: name.to_owned(), labels, by: By::Case(Arc::new(segment)) }
    }

    /// Divides targets: `segment` gives the number of a label, or `None` for a target that belongs to none.
    pub fn targets<L: Into<String>>(
        name: &str,
        labels: impl IntoIterator<Item = L>,
        segment: impl Fn(&Task, &Target) -> Option<usize> + Send + Sync + 'static,
    ) -> Self {
        let labels = labels.into_iter().map(Into::into).collect();
        Self { name: name.to_owned(), labels, by: By::Target(Arc::new(segment)) }
    }

    /// By how many touches of the shopper are known when the question is asked, the running session's included. Each of
    /// `from` (ascending) begins a segment: `[0, 1, 5]` makes "0", "1-4" and "5+".
    #[must_use]
    pub fn by_history(from: &[usize]) -> Self {
        let label = |i: usize| match from.get(i + 1) {
            Some(next) if *next == from[i] + 1 => from[i].to_string(),
            Some(next) => format!("{}-{}", from[i], next.saturating_sub(1)),
            None => format!("{}+", from[i]),
        };
        let labels: Vec<String> = (0..from.len()).map(label).collect();
        let from = from.to_vec();
        Self::cases("history", labels, move |task, case| {
            let touches = task.touched(case).count();
            from.partition_point(|&start| start <= touches).checked_sub(1)
        })
    }

    /// By the popularity of the target: the "head" are the fewest most popular items that together have this share of
    /// all (shopper, item) pairs of the data to fit on, the "tail" are the other items, "new" has no such pair.
    /// `O(items log)`. For this task and others fitted on the same data.
    #[must_use]
    pub fn by_popularity(task: &Task, head: f64) -> Self {
        let data = task.fit_on();
        let shoppers = |item: u32| data.users_of(crate::ids::ItemIdx::new(item)).len();
        let mut items: Vec<u32> = (0..data.n_items() as u32).collect();
        items.sort_by_key(|&item| std::cmp::Reverse(shoppers(item)));
        let wanted = head * data.n_pairs() as f64;
        let mut segment = vec![2; items.len()];
        let mut had = 0;
        for item in items {
            if shoppers(item) > 0 {
                segment[item as usize] = usize::from(had as f64 >= wanted);
            }
            had += shoppers(item);
        }
        Self::targets("popularity", ["head", "tail", "new"], move |_, target| {
            Some(target.item.and_then(|item| segment.get(item.as_usize())).copied().unwrap_or(2))
        })
    }

    /// What divides them.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The names of the segments.
    #[must_use]
    pub fn labels(&self) -> &[String] {
        &self.labels
    }
}

impl fmt::Debug for Segments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Segments").field("name", &self.name).field("labels", &self.labels).finish_non_exhaustive()
    }
}
