//! One model on one task: quality, time and memory.

use std::error::Error;
use std::time::Instant;

use likewise::evaluate::metric::{HitRate, Mrr, Ndcg, Recall};
use likewise::evaluate::{Case, Metric, System, Task};
use likewise::tune::Goal;
use likewise::{DynFit, Run};
use serde::Serialize;
use serde_json::{Map, Value};

/// A line of the output.
#[derive(Debug, Serialize)]
pub(crate) struct Line {
    pub(crate) model: String,
    pub(crate) params: Value,
    pub(crate) fit_s: f64,
    pub(crate) recommend_s: f64,
    pub(crate) single_us_p50: f64,
    pub(crate) single_us_p90: f64,
    pub(crate) single_us_p99: f64,
    pub(crate) peak_rss_mb: Option<f64>,
    pub(crate) users: usize,
    pub(crate) items: usize,
    pub(crate) interactions: usize,
    pub(crate) metrics: Map<String, Value>,
}

/// Single requests timed a model.
const SINGLES: usize = 1000;

pub(crate) fn measure(
    (model, params): (String, Value),
    fit: &dyn DynFit,
    task: &Task,
    ks: &[usize],
    run: &Run<'_>,
) -> Result<Line, Box<dyn Error>> {
    forget_peak();
    let started = Instant::now();
    let fitted = fit.fit_dyn(&task.training_set(), run)?;
    let fit_s = started.elapsed().as_secs_f64();
    let system = System::Scorer(&*fitted);
    let k = ks.iter().copied().max().unwrap_or(20);

    let started = Instant::now();
    let lists = task.lists(system, k, run)?;
    let recommend_s = started.elapsed().as_secs_f64();

    let mut micros: Vec<f64> = Vec::new();
    let mut asker = task.asker(system);
    for case in sample(task.cases(), SINGLES) {
        let started = Instant::now();
        asker.ask(case, k);
        micros.push(started.elapsed().as_secs_f64() * 1e6);
    }
    micros.sort_by(f64::total_cmp);
    let at = |share: f64| micros.get((share * micros.len().saturating_sub(1) as f64) as usize).copied();
    let [p50, p90, p99] = [0.5, 0.9, 0.99].map(|share| rounded(at(share).unwrap_or(0.0), 1));

    let mut metrics = Map::new();
    for metric in ks.iter().flat_map(|&k| all(k)) {
        let name = metric.name();
        let mean = Goal::score(&[Goal { metric, weight: 1.0 }], task, &lists);
        metrics.insert(name, rounded(mean, 5).into());
    }
    let data = task.fit_on();
    Ok(Line {
        model,
        params,
        fit_s: rounded(fit_s, 4),
        recommend_s: rounded(recommend_s, 4),
        single_us_p50: p50,
        single_us_p90: p90,
        single_us_p99: p99,
        peak_rss_mb: peak().map(|mb| rounded(mb, 1)),
        users: data.n_rows(),
        items: data.n_items(),
        interactions: data.n_events(),
        metrics,
    })
}

fn all(k: usize) -> [Box<dyn Metric>; 4] {
    [Box::new(Recall(k)), Box::new(Ndcg(k)), Box::new(HitRate(k)), Box::new(Mrr(k))]
}

/// At most `n` cases, evenly from all of them.
pub(crate) fn sample(cases: &[Case], n: usize) -> Vec<&Case> {
    let n = n.min(cases.len());
    (0..n).map(|i| &cases[i * cases.len() / n]).collect()
}

fn rounded(x: f64, digits: i32) -> f64 {
    let unit = 10f64.powi(digits);
    (x * unit).round() / unit
}

/// The largest resident memory since [`forget_peak`], in megabytes, where the system says.
fn peak() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok()? / 1024.0)
}

/// Lets the peak begin anew, so that each model has its own; where that is not possible it is that of the process so far.
fn forget_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// Prints lines as a table, best by the last cut-off's NDCG first.
pub(crate) fn table(lines: &mut [Line], ks: &[usize]) {
    let k = ks.iter().copied().max().unwrap_or(20);
    let by = format!("ndcg@{k}");
    let value = |line: &Line, name: &str| line.metrics.get(name).and_then(Value::as_f64).unwrap_or(0.0);
    lines.sort_by(|a, b| value(b, &by).total_cmp(&value(a, &by)));
    let names: Vec<String> = ks.iter().flat_map(|&k| all(k)).map(|metric| metric.name()).collect();
    let mut rows = vec![["model".to_owned()].into_iter().chain(names.clone()).collect::<Vec<_>>()];
    rows[0].extend(["fit s", "all s", "p50 us", "p99 us", "MB", "parameters"].map(str::to_owned));
    for line in lines.iter() {
        let mut row = vec![line.model.clone()];
        row.extend(names.iter().map(|name| format!("{:.4}", value(line, name))));
        row.extend([format!("{:.2}", line.fit_s), format!("{:.2}", line.recommend_s)]);
        row.extend([format!("{:.0}", line.single_us_p50), format!("{:.0}", line.single_us_p99)]);
        row.push(line.peak_rss_mb.map_or("-".to_owned(), |mb| format!("{mb:.0}")));
        row.push(line.params.to_string());
        rows.push(row);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
    for row in &rows {
        let last = row.len() - 1;
        let cells = row.iter().enumerate().map(|(column, cell)| match column {
            0 => format!("{cell:<w$}", w = widths[0]),
            _ if column == last => cell.clone(),
            _ => format!("{cell:>w$}", w = widths[column]),
        });
        println!("{}", cells.collect::<Vec<_>>().join("  "));
    }
}
