//! Next basket: fit and query on a shop of 20,000 shoppers and 500,000 events with Zipf popularity.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use likewise::testing::{ShopParams, SyntheticShop, Trial};
use likewise::*;

fn basket(c: &mut Criterion) {
    let params = ShopParams { items: 10_000, users: 20_000, events: 500_000, ..ShopParams::default() };
    let shop = SyntheticShop::new(params.check().unwrap());
    let mut builder = DatasetBuilder::default();
    builder.ingest(&shop).unwrap_or_else(|e| panic!("{e}"));
    let data = builder.finish().unwrap();
    let shelf = Shelf::bare(&data);
    let users: Vec<UserIdx> = data.users().step_by(37).collect();
    let kinds = KindSet::INTEREST;
    let recipes: [Box<dyn DynFit>; 4] = [
        Box::new(Checked::<PersonalFrequencyParams>::default()),
        Box::new(BuyAgainParams { kinds, ..BuyAgainParams::default() }.check().unwrap()),
        Box::new(Checked::<TifuKnnParams>::default()),
        Box::new(Checked::<UpCfParams>::default()),
    ];
    let mut group = c.benchmark_group("basket");
    group.sample_size(10);
    for recipe in recipes {
        let model = recipe.fit_dyn(&(&data).into(), &Run::default()).unwrap();
        let name = model.name().to_owned();
        group.bench_function(format!("fit/{name}"), |b| {
            b.iter(|| recipe.fit_dyn(&(&data).into(), &Run::default()).unwrap());
        });
        let (mut trial, mut next) = (Trial::default(), 0);
        group.bench_function(format!("query/{name}, 100 candidates"), |b| {
            b.iter(|| {
                next = (next + 1) % users.len();
                let mut cx = Context::new(&data, &shelf, data.as_of());
                cx.user = Some(users[next]);
                trial.ask(&*model, black_box(&cx), 100).len()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, basket);
criterion_main!(benches);
