//! The handle an application keeps: generations, readers while publishing, snapshots made from others.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::common::*;
use likewise::*;

fn snapshot_of(scores: &[(&str, f32)]) -> Snapshot {
    let data = wares(&["a", "b", "c"]);
    let one = Scripted::new("one", &data, scores).share();
    serve(&data, &catalog_of(&[]), as_is().scorer(one, 1.0))
}

#[test]
fn every_publication_has_the_next_number() {
    let fresh = snapshot_of(&[("a", 1.0)]);
    assert_eq!(fresh.generation(), 0);
    let recommender = Recommender::new(fresh);
    assert_eq!(recommender.recommend(&anybody()).unwrap().generation(), 1);
    let held = recommender.snapshot();
    assert_eq!(recommender.clone().publish(snapshot_of(&[("b", 1.0)])), 2, "a clone is the same handle");
    let list = recommender.recommend(&anybody()).unwrap();
    assert_eq!((list.generation(), list.get(0).unwrap().id()), (2, "b"));
    assert_eq!(told(&held, &anybody().k(1)), "a", "who holds a snapshot keeps it");
    assert_eq!(recommender.publish(held), 3, "an old one may come back");
    assert_eq!(told(&recommender.snapshot(), &anybody().k(1)), "a");
}

/// A published number names one state only: what is derived from it has none until it is published itself.
#[test]
fn another_catalogue_or_ranker_refits_nothing() {
    let recommender = Recommender::new(snapshot_of(&[("a", 2.0), ("b", 1.0)]));
    let published = recommender.snapshot();
    let sold_out = catalog_of(&[ItemRecord::new("a").stock(0), ItemRecord::new("z").stock(1)]);
    let one = Arc::clone(&published.ranker().scorers()[0]);
    let careful = as_is().scorer(Arc::clone(&one), 3.0).filter(Available).build().unwrap();
    let next = published.with_catalog(sold_out).unwrap();
    assert_eq!(told(&next, &anybody()), "a b c z", "nothing filters yet, and the catalogue's own item is there");
    let next = next.with_ranker(Arc::new(careful)).unwrap();
    assert_eq!(told(&next, &anybody()), "b c z");
    assert!(Arc::ptr_eq(&next.ranker().scorers()[0], &one) && Arc::ptr_eq(next.dataset(), published.dataset()));
    assert_eq!((published.generation(), next.generation()), (1, 0));
    assert_eq!(told(&published, &anybody()), "a b c", "the old one stays as it was");
    assert_eq!(recommender.publish(next), 2);
    assert_eq!(scores_of(&recommender.recommend(&anybody()).unwrap()), [3.0, 0.0, 0.0]);
}

#[test]
fn readers_see_whole_states_while_others_publish() {
    let states = [snapshot_of(&[("a", 1.0)]), snapshot_of(&[("b", 1.0)])];
    let recommender = Recommender::new(states[0].clone()); // odd generations show a, even ones b
    let done = AtomicBool::new(false);
    let turn = std::sync::Mutex::new(1);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let (mut ws, mut last, mut lists) = (Workspace::default(), 0, 0u64);
                    while !done.load(Ordering::Relaxed) || lists < 50 {
                        let list = recommender.recommend_with(&anybody().k(1), &mut ws).unwrap();
                        let expected = if list.generation() % 2 == 1 { "a" } else { "b" };
                        assert_eq!(list.get(0).unwrap().id(), expected);
                        assert!(list.generation() >= last, "time does not go back");
                        last = list.generation();
                        lists += 1;
                    }
                })
            })
            .collect();
        let publishers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let mut turn = turn.lock().unwrap();
                        assert_eq!(recommender.publish(states[*turn % 2].clone()), *turn as u64 + 1);
                        *turn += 1;
                    }
                })
            })
            .collect();
        publishers.into_iter().for_each(|p| p.join().unwrap());
        done.store(true, Ordering::Relaxed);
        readers.into_iter().for_each(|r| r.join().unwrap());
    });
    assert_eq!(recommender.snapshot().generation(), 401);
}

#[test]
fn publishers_at_once_never_share_a_number() {
    let recommender = Recommender::new(snapshot_of(&[("a", 1.0)]));
    let mut numbers: Vec<u64> = std::thread::scope(|scope| {
        let publish = || (0..100).map(|_| recommender.publish(snapshot_of(&[("b", 1.0)]))).collect::<Vec<_>>();
        let all: Vec<_> = (0..4).map(|_| scope.spawn(publish)).collect();
        all.into_iter().flat_map(|one| one.join().unwrap()).collect()
    });
    numbers.sort_unstable();
    assert_eq!(numbers, (2..=401).collect::<Vec<_>>());
}
