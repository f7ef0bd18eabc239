//! Batches: the order and sameness of answers, how they end early, and how much is held.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::common::*;
use likewise::*;

const BOTH: [Parallelism; 2] = [Parallelism::Serial, Parallelism::Pool];

fn shop() -> (Snapshot, Arc<Scripted>) {
    let ids: Vec<String> = (0..40).map(|i| format!("i{i}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let seen: Vec<(String, usize)> = (0..30).map(|u| (format!("u{u:02}"), u % 7)).collect();
    let seen: Vec<_> = seen.iter().map(|(u, i)| (u.as_str(), ids[*i], EventKind::View, 50)).collect();
    let data = stocked(&ids, &seen);
    let script: Vec<(&str, f32)> = ids.iter().enumerate().map(|(i, id)| (*id, (i * 17 % 40) as f32)).collect();
    let one = Arc::new(Scripted::new("one", &data, &script));
    let seen = Seen { kinds: KindSet::of(&[EventKind::View]), again_after: None };
    let ranker = as_is().scorer(one.clone(), 1.0).filter(seen);
    (serve(&data, &catalog_of(&[]), ranker), one)
}

fn users() -> Vec<String> {
    (0..5000).map(|u| format!("u{:02}", u % 40)).collect()
}

fn requests(users: &[String]) -> impl Iterator<Item = Request<'_>> {
    users.iter().map(|user| Request::profiled(consented(user), day(100)).k(5))
}

#[test]
fn every_answer_comes_once_in_order_and_as_if_asked_alone() {
    let (snapshot, _) = shop();
    let users = users();
    for threads in BOTH {
        let mut next = 0;
        let report = snapshot.recommend_batch(requests(&users), &Run::new(0).threads(threads), |answer| {
            assert_eq!(answer.number, next);
            next += 1;
            let alone = Request::profiled(consented(&users[answer.number as usize]), day(100)).k(5);
            assert_eq!(*answer.request, alone);
            assert_eq!(answer.list.unwrap(), snapshot.recommend(&alone).unwrap());
            Flow::Continue
        });
        let report = report.unwrap();
        assert_eq!((report.answered, report.failed, next), (5000, 0, 5000));
    }
}

#[test]
fn no_request_at_all() {
    for threads in BOTH {
        let report = shop().0.recommend_batch([], &Run::new(0).threads(threads), |_| Flow::Continue).unwrap();
        assert_eq!(report, BatchReport::default());
    }
}

#[test]
fn a_request_that_cannot_be_answered_fails_alone() {
    let (snapshot, _) = shop();
    let wrong = Select::within("colour", ["red"]);
    let requests = [anybody().k(1), anybody().only(&wrong), anybody().k(2)];
    let mut answers = Vec::new();
    let report = snapshot.recommend_batch(requests, &Run::new(0), |answer| {
        answers.push(answer.list.map(|list| list.len()).map_err(|error| error.to_string()));
        Flow::Continue
    });
    let report = report.unwrap();
    assert_eq!((report.answered, report.failed), (3, 1));
    assert_eq!((&answers[0], &answers[2]), (&Ok(1), &Ok(2)));
    let error = answers[1].clone().unwrap_err();
    assert!(error.contains("`only`") && error.contains("`colour`") && error.contains("declare it"), "{error}");
}

#[test]
fn the_sink_ends_it() {
    let (snapshot, _) = shop();
    let users = users();
    for threads in BOTH {
        for last in [1, 16, 1024, 1025, 3000] {
            let mut taken = 0;
            let report = snapshot.recommend_batch(requests(&users), &Run::new(0).threads(threads), |_| {
                taken += 1;
                if taken == last { Flow::Stop } else { Flow::Continue }
            });
            assert_eq!((report.unwrap().answered, taken), (last, last));
        }
    }
}

#[test]
fn cancellation_says_what_was_handed_over() {
    let (snapshot, _) = shop();
    let users = users();
    for threads in BOTH {
        let flag = AtomicBool::new(true);
        let run = Run::new(0).threads(threads).cancel(&flag);
        let error = snapshot.recommend_batch(requests(&users), &run, |_| Flow::Continue).unwrap_err();
        assert_eq!(error.to_string(), "batch cancelled after 0 answers");

        let flag = AtomicBool::new(false);
        let run = Run::new(0).threads(threads).cancel(&flag);
        let mut taken = 0;
        let outcome = snapshot.recommend_batch(requests(&users), &run, |_| {
            taken += 1;
            flag.store(taken >= 100, Ordering::Relaxed);
            Flow::Continue
        });
        let BatchError::Cancelled { report } = outcome.unwrap_err() else { panic!("another error") };
        assert_eq!(report.answered, taken);
        assert_eq!(taken, 1024, "what was answered is handed over to the end of its block");
    }
}

#[test]
fn progress_counts_requests() {
    let (snapshot, _) = shop();
    let users = users();
    let steps = std::sync::Mutex::new(Vec::new());
    let note = |progress: Progress| steps.lock().unwrap().push((progress.step, progress.of));
    let run = Run::new(0).progress(&note);
    snapshot.recommend_batch(requests(&users), &run, |_| Flow::Continue).unwrap();
    let steps = steps.into_inner().unwrap();
    assert!(steps.is_sorted() && steps.iter().all(|&(_, of)| of == 5000), "{steps:?}");
    assert_eq!((steps.first(), steps.last()), (Some(&(0, 5000)), Some(&(5000, 5000))));
    assert!(steps.len() > 4);
}

/// Whatever the number of requests, two blocks of answers are alive at most, and three of requests.
#[test]
fn nothing_of_the_size_of_the_batch_is_held() {
    let (snapshot, scorer) = shop();
    let users: Vec<String> = (0..20_000).map(|u| format!("u{}", u % 40)).collect();
    for threads in BOTH {
        scorer.asked.store(0, Ordering::SeqCst);
        let pulled = std::sync::atomic::AtomicUsize::new(0);
        let counted = requests(&users).inspect(|_| {
            let _ = pulled.fetch_add(1, Ordering::SeqCst);
        });
        let (mut taken, mut most, mut ahead) = (0, 0, 0);
        let run = Run::new(0).threads(threads);
        snapshot
            .recommend_batch(counted, &run, |_| {
                most = most.max(scorer.asked.load(Ordering::SeqCst) - taken);
                ahead = ahead.max(pulled.load(Ordering::SeqCst) - taken);
                taken += 1;
                Flow::Continue
            })
            .unwrap();
        assert_eq!((taken, scorer.asked.load(Ordering::SeqCst)), (20_000, 20_000));
        assert!(most <= 2 * 1024, "{most} answers alive");
        assert!(ahead <= 3 * 1024, "{ahead} requests pulled ahead");
    }
}

#[test]
fn all_shoppers_with_a_profile() {
    let mut builder = DatasetBuilder::new(Lineage::new(7));
    for (i, who) in
        [Shopper::Profiled(consented("ann")), Shopper::Anonymous { session: "v1" }, Shopper::Profiled(consented("bob"))]
            .into_iter()
            .enumerate()
    {
        builder.push(&Event::new(who, ["a", "b", "c"][i], EventKind::View, day(1))).unwrap();
    }
    let data = Arc::new(builder.finish().unwrap());
    let snapshot = serve(&data, &catalog_of(&[]), Ranker::builder());
    let mut met = Vec::new();
    let request = |user| Request::profiled(consented(user), day(2));
    let report = snapshot.recommend_all(request, &Run::new(0), |answer| {
        met.push((answer.list.unwrap().ignored().unknown_user, answer.number));
        Flow::Continue
    });
    assert_eq!((report.unwrap().answered, met), (2, vec![(false, 0), (false, 1)]));
}

/// Processes that each answer their share give, merged, what one process gives.
#[test]
fn shards_merge_into_the_whole_batch() {
    let (snapshot, _) = shop();
    let users = users();
    let mut whole = Vec::new();
    let collect = |answers: &mut Vec<_>, answer: Answer<'_, '_>| {
        answers.push((answer.number, answer.list.unwrap()));
        Flow::Continue
    };
    snapshot.recommend_batch(requests(&users), &Run::new(0), |answer| collect(&mut whole, answer)).unwrap();
    for of in [1, 2, 3, 7] {
        let share = |index| {
            let mut part = Vec::new();
            let shard = Shard::new(index, of).unwrap();
            let run = Run::new(0);
            let report = snapshot.recommend_shard(shard, requests(&users), &run, |answer| collect(&mut part, answer));
            assert_eq!(report.unwrap().answered, part.len() as u64);
            part
        };
        let merged: Result<Vec<_>, _> = merge_shards((0..of).map(share)).collect();
        assert!(merged.unwrap() == whole);
    }
}
