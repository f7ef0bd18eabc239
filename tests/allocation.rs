//! After the first requests, a request allocates its result and nothing else.

#[path = "../benches/common/mod.rs"]
mod common;

use common::Counter;
use likewise::Workspace;

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
