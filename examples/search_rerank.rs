//! Search results in each customer's own order, with the engine's best kept in sight.
//!
//! ```sh
//! cargo run --release --example search_rerank                    # "christmas decoration" for two customers
//! cargo run --release --example search_rerank -- 17850 red mug
//! ```
//!
//! The engine here is forty lines of BM25 over titles; in a shop it is the one the shop has. Its scores come with the
//! request, as one more voice in the blend; a guard keeps its first result first and the next four near the top.

mod online_retail;

use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;

use likewise::*;
use online_retail::{customer, title};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let shop = online_retail::load()?;
    let now = shop.data.as_of();
    let personal = online_retail::fit_personal(&shop)?;
    let mut builder = Ranker::builder()
        .scorer(Arc::new(SearchScore::new(&shop.data)), 2.0)
        .filter(Available)
        .guard(SearchGuard { exact: 1, top: 5, displacement: 4 }.check()?);
    for (scorer, weight) in personal {
        builder = builder.scorer(scorer, weight);
    }
    let snapshot = Snapshot::new(shop.data, shop.catalog, Arc::new(builder.build()?))?;
    let engine = Engine::new(&snapshot);
    let (customers, query) = match &args[..] {
        [] => (vec!["15573", "17850"], "christmas decoration".to_owned()),
        [who, words @ ..] if !words.is_empty() => (vec![who.as_str()], words.join(" ")),
        _ => return Err("usage: search_rerank [CUSTOMER WORD...]".into()),
    };
    let found = engine.search(&query, 50);
    let ids: Vec<&str> = found.iter().map(|(id, _)| id.as_str()).collect();
    let scores: Vec<f32> = found.iter().map(|(_, score)| *score).collect();
    println!("{query:?}: {} found; the engine's first ten:", found.len());
    for (place, (id, score)) in found.iter().take(10).enumerate() {
        println!("  {:>2}. {:<38} {score:.2}", place + 1, title(&snapshot, id).to_lowercase());
    }
    for who in customers {
        let request = Request::profiled(customer(who), now).candidates(&ids).relevance(&scores).k(10);
        let list = snapshot.recommend(&request)?;
        println!("\nfor customer {who}:");
        for (place, item) in list.iter().enumerate() {
            let was = ids.iter().position(|id| *id == item.id()).map_or(0, |was| was + 1);
            let parts =
                item.contributions().iter().map(|c| format!("{} {:.2}", snapshot.source_name(c.source), c.value));
            let kept = if let Placement::Guarded(_) = item.placement() { " (kept here)" } else { "" };
            let (name, score) = (title(&snapshot, item.id()).to_lowercase(), item.score());
            println!(
                "  {:>2}. {name:<38} was {was:>2}  {score:.2} = {}{kept}",
                place + 1,
                parts.collect::<Vec<_>>().join(" + ")
            );
        }
        let explained = snapshot.explain(&request, list.get(0).ok_or("nothing found")?.id())?;
        assert_eq!(explained.score.value, list.get(0).map(|first| first.score()));
    }
    Ok(())
}

/// BM25 over the words of titles.
struct Engine {
    postings: HashMap<String, Vec<(usize, f32)>>,
    docs: Vec<(String, f32)>,
    mean: f32,
}

impl Engine {
    fn new(snapshot: &Snapshot) -> Self {
        let mut engine = Self { postings: HashMap::new(), docs: Vec::new(), mean: 0.0 };
        for id in snapshot.shelf().catalog().keys() {
            let title = title(snapshot, id).to_lowercase();
            let words: Vec<&str> = title.split(|c: char| !c.is_alphanumeric()).filter(|w| w.len() > 1).collect();
            for word in &words {
                let posting = engine.postings.entry(stem(word)).or_default();
                match posting.last_mut().filter(|(doc, _)| *doc == engine.docs.len()) {
                    Some((_, n)) => *n += 1.0,
                    None => posting.push((engine.docs.len(), 1.0)),
                }
            }
            engine.docs.push((id.to_owned(), words.len() as f32));
        }
        engine.mean = engine.docs.iter().map(|(_, len)| len).sum::<f32>() / engine.docs.len().max(1) as f32;
        engine
    }

    fn search(&self, query: &str, most: usize) -> Vec<(String, f32)> {
        let mut scores = vec![0.0f32; self.docs.len()];
        for word in query.to_lowercase().split_whitespace() {
            let Some(posting) = self.postings.get(&stem(word)) else { continue };
            let idf = (1.0 + (self.docs.len() as f32 - posting.len() as f32 + 0.5) / (posting.len() as f32 + 0.5)).ln();
            for &(doc, n) in posting {
                scores[doc] += idf * n * 2.2 / (n + 1.2 * (0.25 + 0.75 * self.docs[doc].1 / self.mean));
            }
        }
        let mut found: Vec<(String, f32)> =
            self.docs.iter().zip(scores).filter(|(_, s)| *s > 0.0).map(|((id, _), s)| (id.clone(), s)).collect();
        found.sort_by(|a, b| b.1.total_cmp(&a.1));
        found.truncate(most);
        found
    }
}

fn stem(word: &str) -> String {
    word.trim_end_matches('s').to_owned()
}
