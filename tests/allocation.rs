//! After the first requests, a request allocates its result and nothing else.

#[path = "../benches/common/mod.rs"]
mod common;

use common::Counter;
use likewise::testing::{ShopParams, SyntheticShop};
use likewise::*;

#[test]
fn a_warm_request_allocates_only_its_result() {
    let counter = Counter::open(3_000, 60_000, 50).unwrap();
    let mut ws = Workspace::default();
    counter.with_request(|request| {
        for _ in 0..3 {
            counter.snapshot.recommend_with(request, &mut ws).unwrap();
        }
        let list = counter.snapshot.recommend_with(request, &mut ws).unwrap();
        assert_eq!(list.len(), 20);
        let mut kept = None;
        let asked = allocation_counter::measure(|| kept = counter.snapshot.recommend_with(request, &mut ws).ok());
        // The result's own vectors: items, contributions, stages, and the rule log only when a rule acted.
        let copied = allocation_counter::measure(|| drop(std::hint::black_box(list.clone())));
        assert_eq!(
            asked.count_total, copied.count_total,
            "{asked:?} for a request, {copied:?} for a copy of its result"
        );
        assert!(asked.count_total <= 4);
        assert_eq!(kept.as_ref(), Some(&list));
    });
}

#[test]
fn a_fit_of_sessions_takes_no_more_than_it_says() {
    let shop = ShopParams { items: 9_000, users: 9_000, events: 100_000, ..ShopParams::default() };
    let mut builder = DatasetBuilder::default();
    builder.ingest(&SyntheticShop::new(shop.check().unwrap())).unwrap_or_else(|e| panic!("{e}"));
    let data = builder.finish().unwrap();
    for params in [SessionKnnParams::vmis(), SessionKnnParams::next_click()] {
        let recipe = params.check().unwrap();
        let run = Run::new(1).threads(Parallelism::Serial);
        let fit = |run: &Run<'_>| recipe.fit(&(&data).into(), run);
        let needed = match fit(&run.memory(1)) {
            Err(FitError::Memory { model: "session_knn", needed, allowed: 1 }) => needed,
            other => panic!("{other:?}"),
        };
        assert!(fit(&run.memory(needed - 1)).is_err());
        let mut kept = None;
        let asked = allocation_counter::measure(|| kept = Some(fit(&run.memory(needed))));
        assert_eq!(kept.unwrap().unwrap(), fit(&run).unwrap());
        assert!((needed / 2..=needed).contains(&asked.bytes_max), "{} of {needed} bytes", asked.bytes_max);
    }
}
