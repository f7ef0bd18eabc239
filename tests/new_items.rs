//! A tenth of amazon-beauty's items, hidden from the interactions, ranked for the shoppers who took them.
#![cfg(feature = "gzip")]

#[allow(dead_code)]
#[path = "../examples/accuracy/protocols/mod.rs"]
mod protocols;

use likewise::*;
use protocols::new_items::{Figures, NewItems};

/// How much better than a list by the popularity of the items' kinds, and than chance, in HR@10 and in NDCG@10.
const THAN_KIND: f64 = 3.0;
const THAN_CHANCE: f64 = 10.0;

#[test]
fn attributes_beat_the_popularity_of_the_kind_and_chance() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/amazon-beauty");
    if !dir.is_dir() {
        eprintln!("SKIPPED: there is no {}", dir.display());
        return;
    }
    let task = NewItems::load(&dir).unwrap();
    let (train, run) = (task.training_set(), Run::new(1));
    // Every twelfth taker says as much, in a twelfth of the time.
    let task_of = |t: &NewItems| t.takers.iter().step_by(12).cloned().collect();
    let als = AlsParams { factors: 32, iterations: 5, ..AlsParams::default() };
    let hybrid = HybridParams { als, ..HybridParams::default() }.check().unwrap().fit(&train, &run).unwrap();
    let content = ContentSimilarityParams::default().check().unwrap().fit(&train, &run).unwrap();
    let affinity = AffinityParams::default().check().unwrap().fit(&train, &run).unwrap();
    let takers = task_of(&task);
    let task = NewItems { takers, ..task };
    let (kind, chance) = (task.judge_popularity_of_kind(), task.judge_random());
    let show = |name: &str, f: Figures| eprintln!("{name:20} HR@10 {:.4}  NDCG@10 {:.4}", f.hr10, f.ndcg10);
    eprintln!("{} of {} items hidden, {} shoppers", task.hidden.len(), task.shelf.n_items(), task.takers.len());
    show("chance", chance);
    show("popularity of kind", kind);
    for model in [&hybrid as &dyn Scorer, &content, &affinity] {
        let figures = task.judge(model);
        show(model.name(), figures);
        for (own, kind, chance) in
            [(figures.hr10, kind.hr10, chance.hr10), (figures.ndcg10, kind.ndcg10, chance.ndcg10)]
        {
            assert!(own > THAN_KIND * kind, "{}: {own} to {kind}", model.name());
            assert!(own > THAN_CHANCE * chance, "{}: {own} to {chance}", model.name());
        }
    }
}
