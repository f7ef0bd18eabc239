//! The public tables: each protocol as a task for tuning and a task for the figure to report.

mod baskets;
mod collaborative;
mod files;
mod invoices;
mod leave_one_out;
pub(crate) mod new_items;
mod sessions;
mod shop;

use std::path::Path;

use likewise::evaluate::metric::{HitRate, Mrr, Ndcg, Recall};
use likewise::evaluate::{Metric, Task};
use outcome::Result;

pub(crate) mod outcome {
    /// Anything that can go wrong while a data set is read.
    pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;
}

/// Which cut of a protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The cut of the training part on which parameters are chosen.
    Validation,
    /// The last rows of each shopper's training part, where they differ from `Validation` (A only): its test part lies
    /// behind the training part in time, though the split is called random.
    Latest,
    /// The part whose figure is reported.
    Test,
}

/// A task with the metrics its table prints, the headline ones first.
pub(crate) struct Protocol {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) task: Task,
    pub(crate) metrics: Vec<Box<dyn Metric>>,
    /// How long the lists are.
    pub(crate) k: usize,
}

/// Name, data folder and what it is.
pub(crate) const ALL: [(&str, &str, &str); 10] = [
    ("A", "gowalla", "check-ins, random split, seen excluded"),
    ("B", "amazon-beauty", "reviews in order, leave one out, fitted on train only"),
    ("B-all", "amazon-beauty", "the same, fitted on train and validation item"),
    ("C1", "online-retail", "invoices, new items of the next 30 days"),
    ("C2", "online-retail", "invoices, all items of the next 30 days"),
    ("D", "retailrocket", "views, carts and buys; the buy to come"),
    ("E100k", "yoochoose-100k", "click sessions, next item"),
    ("E64", "yoochoose-1_64", "click sessions, next item"),
    ("Eserenade", "serenade-example", "click sessions, next item"),
    ("F", "tafeng", "grocery baskets, next basket"),
];

/// Loads one protocol from the folder that holds the data sets.
pub(crate) fn load(name: &str, data: &Path, part: Part) -> Result<Protocol> {
    let Some(&(name, folder, what)) = ALL.iter().find(|(n, _, _)| n.eq_ignore_ascii_case(name)) else {
        let names: Vec<&str> = ALL.iter().map(|(n, _, _)| *n).collect();
        return Err(format!("there is no protocol {name:?}; there are {}", names.join(", ")).into());
    };
    let dir = data.join(folder);
    let task = match name {
        "A" => collaborative::gowalla(&dir, part)?,
        "B" => leave_one_out::beauty(&dir, part, leave_one_out::FitOn::Train)?,
        "B-all" => leave_one_out::beauty(&dir, part, leave_one_out::FitOn::TrainAndValidation)?,
        "C1" => invoices::retail(&dir, part, invoices::Targets::New)?,
        "C2" => invoices::retail(&dir, part, invoices::Targets::All)?,
        "D" => shop::retailrocket(&dir, part)?,
        "E64" => sessions::sequences(&dir, part)?,
        "F" => baskets::tafeng(&dir, part)?,
        _ => sessions::clicks(&dir, part)?,
    };
    Ok(Protocol { name, what, task, metrics: metrics(name), k: 20 })
}

fn metrics(name: &str) -> Vec<Box<dyn Metric>> {
    match name {
        "A" => vec![Box::new(Recall(20)), Box::new(Ndcg(20))],
        "B" | "B-all" => vec![
            Box::new(HitRate(10)),
            Box::new(Ndcg(10)),
            Box::new(HitRate(5)),
            Box::new(Ndcg(5)),
            Box::new(HitRate(20)),
            Box::new(Ndcg(20)),
        ],
        "C1" | "C2" => vec![Box::new(Recall(20)), Box::new(Ndcg(20)), Box::new(Recall(10)), Box::new(Ndcg(10))],
        "D" => vec![Box::new(HitRate(20)), Box::new(Ndcg(20)), Box::new(HitRate(10)), Box::new(Mrr(20))],
        "F" => vec![Box::new(Recall(10)), Box::new(Ndcg(10)), Box::new(Recall(20)), Box::new(Ndcg(20))],
        _ => vec![Box::new(HitRate(20)), Box::new(Mrr(20))],
    }
}
