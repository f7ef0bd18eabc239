//! Item neighbours, shopper neighbours and graph walks: fit and query.
//!
//! A synthetic shop of 10,000 items, 20,000 shoppers and 500,000 events with Zipf popularity. Queries ask for 20 of the
//! whole catalogue, for the shopper with the median number of items and for the one with most: the latter is the worst
//! case of a walk, which then crosses most of the graph twice.

use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

use criterion::{Criterion, criterion_group};
use likewise::testing::{ShopParams, SyntheticShop, Trial};
use likewise::*;

fn shop() -> Dataset {
    let params = ShopParams { items: 10_000, users: 20_000, events: 500_000, ..ShopParams::default() };
    let shop = SyntheticShop::new(params.check().unwrap());
    let mut builder = DatasetBuilder::default();
    builder.ingest(&shop).unwrap_or_else(|e| panic!("{e}"));
    builder.finish().unwrap()
}

fn bench<P: Validate>(c: &mut Criterion, data: &Dataset, name: &str, params: P)
where
    Checked<P>: Fit,
{
    let recipe = params.check().unwrap();
    let mut group = c.benchmark_group(format!("knn/{name}"));
    group.sample_size(10);
    group.bench_function("fit", |b| b.iter(|| recipe.fit(&data.into(), &Run::default()).unwrap()));
    let model = recipe.fit(&data.into(), &Run::default()).unwrap();
    let shelf = Shelf::bare(data);
    let mut users: Vec<UserIdx> = data.users().collect();
    users.sort_by_key(|&user| data.items_of(user).len());
    let mut trial = Trial::default();
    for (who, user) in [("median shopper", users[users.len() / 2]), ("heaviest shopper", users[users.len() - 1])] {
        let touch = |e: EventRef| Touch { item: e.item, kind: e.kind, at: e.at, weight: 1.0 };
        let history: Vec<Touch> = data.events_of(user).iter().rev().map(touch).collect();
        let mut cx = Context::new(data, &shelf, data.as_of());
        cx.history = &history;
        let title = format!("query, {who} of {} items", data.items_of(user).len());
        group.bench_function(title, |b| b.iter(|| trial.ask(&model, black_box(&cx), 20).len()));
    }
    group.finish();
}

fn all(c: &mut Criterion) {
    let data = shop();
    bench(c, &data, "item_knn", ItemKnnParams::default());
    bench(c, &data, "user_knn", UserKnnParams::default());
    bench(c, &data, "graph_walk", GraphWalkParams::default());
    bench(c, &data, "graph_walk, lists", GraphWalkParams { neighbours: Some(200), ..GraphWalkParams::default() });
}

/// Prints how long the 100 nearest neighbours by cosine of every item take on a file of `user,item` pairs, five times.
fn lists(path: &str) -> Result<(), Box<dyn Error>> {
    let mut builder = DatasetBuilder::default();
    builder.ingest(Delimited::open(path, Columns::new("user", "item", LawfulBasis::Contract))?)?;
    let data = builder.finish()?;
    let params = ItemKnnParams { similarity: Similarity::Cosine, neighbours: 100, ..ItemKnnParams::default() };
    let recipe = ItemKnnParams { shrinkage: 0.0, kinds: KindSet::ALL, ..params }.check()?;
    for _ in 0..5 {
        let start = Instant::now();
        let model = black_box(recipe.fit(&(&data).into(), &Run::default())?);
        println!("cosine, 100 neighbours: {:.3} s, {}", start.elapsed().as_secs_f64(), model.name());
    }
    Ok(())
}

criterion_group!(benches, all);

/// `-- --lists FILE` measures neighbour lists on a file instead, to be read beside another program's.
fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip_while(|arg| arg != "--lists").skip(1);
    if let Some(path) = args.next() {
        return lists(&path);
    }
    benches();
    Criterion::default().configure_from_args().final_summary();
    Ok(())
}
