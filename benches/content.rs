//! Content, attribute-aware factors and pairwise ranking on a shop of 10,000 items: a query with 20 items of history, and
//! the fits.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use likewise::testing::{ShopParams, SyntheticShop, Trial};
use likewise::*;

fn content(c: &mut Criterion) {
    let params = ShopParams { items: 10_000, users: 5_000, events: 100_000, ..ShopParams::default() };
    let shop = SyntheticShop::new(params.check().unwrap());
    let mut builder = DatasetBuilder::default();
    builder.ingest(&shop).unwrap_or_else(|e| panic!("{e}"));
    let data = builder.build().unwrap();
    let shelf = Shelf::new(&data, Arc::new(shop.catalog().unwrap()));
    let train = TrainingSet::with_shelf(&data, &shelf);
    let mut vectors = Vectors::new(128).unwrap();
    for item in 0..10_000u32 {
        let vector: Vec<f32> = (0..128).map(|n| ((item * 31 + n * n) % 97) as f32 - 48.0).collect();
        vectors.push(&SyntheticShop::item_key(item), &vector).unwrap();
    }
    let vectors = Arc::new(vectors);
    let near = |profile| {
        let params = EmbeddingParams { profile, ..EmbeddingParams::default() };
        EmbeddingRecipe::new(params.check().unwrap(), Arc::clone(&vectors))
    };
    let recipes: [(&str, Box<dyn DynFit>); 6] = [
        ("content", Box::new(ContentSimilarityParams::default().check().unwrap())),
        ("affinity", Box::new(AffinityParams::default().check().unwrap())),
        ("embedding, mean", Box::new(near(ProfileBy::Mean))),
        ("embedding, max", Box::new(near(ProfileBy::Max))),
        ("hybrid", Box::new(HybridParams::default().check().unwrap())),
        ("bpr", Box::new(BprParams { epochs: 5, ..BprParams::default() }.check().unwrap())),
    ];
    let now = data.as_of();
    let history: Vec<Touch> = (0..20u32)
        .map(|n| Touch { item: ItemIdx::new(n * 479), kind: EventKind::View, at: now, weight: 1.0 })
        .collect();
    let mut cx = Context::new(&data, &shelf, now);
    (cx.history, cx.session_len) = (&history, history.len());
    let mut trial = Trial::default();
    for (name, recipe) in &recipes {
        let model = recipe.fit_dyn(&train, &Run::default()).unwrap();
        c.bench_function(&format!("content/query/{name}, 20 items, 200 candidates"), |b| {
            b.iter(|| trial.ask(&*model, black_box(&cx), 200).len());
        });
    }
    let mut group = c.benchmark_group("content/fit 100k events");
    group.sample_size(10);
    for (name, recipe) in recipes.iter().filter(|(name, _)| !name.starts_with("embedding")) {
        group.bench_function(*name, |b| b.iter(|| recipe.fit_dyn(&train, &Run::default()).unwrap()));
    }
}

criterion_group!(benches, content);
criterion_main!(benches);
