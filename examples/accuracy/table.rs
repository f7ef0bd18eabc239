//! How a measured system is printed.

use serde_json::{Value, json};

use super::protocols::{Part, Protocol};
use super::systems::Entry;

/// What was measured of one system.
pub(crate) struct Line {
    pub(crate) entry: Entry,
    pub(crate) fit_s: f64,
    pub(crate) recommend_s: f64,
    /// One request after the other, ascending.
    pub(crate) single_us: Vec<f64>,
    pub(crate) metrics: Vec<(String, f64)>,
}

impl Line {
    fn percentile(&self, p: f64) -> f64 {
        let last = self.single_us.len().saturating_sub(1);
        self.single_us.get((last as f64 * p).round() as usize).copied().unwrap_or(f64::NAN)
    }

    fn params(&self) -> String {
        match &self.entry.system.parts[..] {
            [alone] => alone.recipe().to_string(),
            _ => self.entry.system.to_string(),
        }
    }
}

/// Lines of one protocol, aligned or as JSON.
pub(crate) struct Table<'a> {
    protocol: &'a Protocol,
    json: bool,
}

impl<'a> Table<'a> {
    pub(crate) fn new(protocol: &'a Protocol, part: Part, json: bool) -> Self {
        if !json {
            let task = &protocol.task;
            println!(
                "\n{} ({}), {part:?}: {} cases, {} events",
                protocol.name,
                protocol.what,
                task.cases().len(),
                task.fit_on().n_events()
            );
            print!("{:<34}", "system");
            protocol.metrics.iter().for_each(|m| print!(" {:>10}", m.name()));
            println!(" {:>8} {:>8} {:>8} {:>8} {:>7}", "fit s", "all s", "p50 us", "p99 us", "MB");
        }
        Self { protocol, json }
    }

    pub(crate) fn print(&mut self, line: &Line) {
        let megabytes = peak_memory_mb();
        if self.json {
            let task = &self.protocol.task;
            let round = |x: f64| (x * 1000.0).round() / 1000.0;
            let metrics: serde_json::Map<String, Value> =
                line.metrics.iter().map(|(name, value)| (name.clone(), json!((value * 1e4).round() / 1e4))).collect();
            let line = json!({
                "protocol": self.protocol.name,
                "model": line.entry.name,
                "params": line.params(),
                "fit_s": round(line.fit_s),
                "recommend_s": round(line.recommend_s),
                "single_us_p50": round(line.percentile(0.5)),
                "single_us_p90": round(line.percentile(0.9)),
                "single_us_p99": round(line.percentile(0.99)),
                "peak_rss_mb": megabytes,
                "users": task.cases().len(),
                "items": task.fit_on().n_items(),
                "interactions": task.fit_on().n_events(),
                "metrics": metrics,
            });
            println!("{line}");
            return;
        }
        print!("{:<34}", line.entry.name.chars().take(34).collect::<String>());
        line.metrics.iter().for_each(|(_, value)| print!(" {value:>10.4}"));
        let (p50, p99) = (line.percentile(0.5), line.percentile(0.99));
        println!(
            " {:>8.2} {:>8.2} {p50:>8.0} {p99:>8.0} {:>7}",
            line.fit_s,
            line.recommend_s,
            megabytes.map_or_else(String::new, |mb| mb.to_string())
        );
        let compare = |title: &str, known: &std::collections::BTreeMap<String, f64>| {
            if !known.is_empty() {
                print!("{:<34}", format!("  {title}"));
                for (name, _) in &line.metrics {
                    match known.get(name) {
                        Some(value) => print!(" {value:>10.4}"),
                        None => print!(" {:>10}", ""),
                    }
                }
                println!();
            }
        };
        compare("the peer", &line.entry.peer);
        if !line.entry.validation.is_empty() {
            compare(&format!("on validation, {} trials", line.entry.trials), &line.entry.validation);
        }
        if !line.entry.note.is_empty() {
            println!("  {}", line.entry.note);
        }
    }

    pub(crate) fn end(self) {}
}

/// Starts the count of peak memory anew, where the system can.
pub(crate) fn reset_peak_memory() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

fn peak_memory_mb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kb| kb / 1024)
}
