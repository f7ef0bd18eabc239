//! Searches against a full scan and a full sort.

use proptest::prelude::*;

use super::seek::{Admission, Seeking};
use super::*;
use crate::ids::ItemIdx;
use crate::kernel::panel_products::product;
use crate::kernel::rng::SplitMix64;
use crate::run::{Parallelism, Run};
use crate::scorer::Scored;

/// Rows are items in reverse order, some are nobody's; shoppers are refused some.
struct Crowd {
    rows: u32,
    asked: usize,
}

impl Admission for Crowd {
    fn item(&self, u: usize, row: u32) -> Option<ItemIdx> {
        (row as usize % 11 != u % 11).then(|| ItemIdx::new(self.rows - row))
    }

    fn admits(&mut self, u: usize, item: ItemIdx) -> bool {
        self.asked += 1;
        !(item.as_usize() + u).is_multiple_of(5)
    }
}

fn by_hand(flat: &[f32], dim: usize, rows: &[u32], x: &[f32], u: usize, k: usize) -> Vec<(u32, u32)> {
    let mut all: Vec<Scored> = Vec::new();
    let mut crowd = Crowd { rows: (flat.len() / dim) as u32, asked: 0 };
    for &row in rows {
        let score = product(x, &flat[row as usize * dim..(row as usize + 1) * dim]) + 0.0;
        if let Some(item) = crowd.item(u, row).filter(|&item| score.is_finite() && crowd.admits(u, item)) {
            all.push(Scored { item, score });
        }
    }
    all.sort_by(Scored::order);
    all.truncate(k);
    all.iter().map(|s| (s.item.get(), s.score.to_bits())).collect()
}

fn found(seeking: &mut Seeking, u: usize) -> Vec<(u32, u32)> {
    seeking.best(u).map(|s| (s.item.get(), s.score.to_bits())).collect()
}

/// Together and alone, the search finds what the full sort finds.
fn check(flat: &[f32], dim: usize, users: &[f32], k: usize, retrieval: Retrieval) {
    let rows: Vec<u32> = (0..(flat.len() / dim) as u32).filter(|row| row % 13 != 5).collect();
    let n = users.len() / dim;
    let index = Index::new(retrieval, flat, dim, rows.clone(), &Run::new(1)).unwrap();
    let mut crowd = Crowd { rows: (flat.len() / dim) as u32, asked: 0 };
    let mut seeking = Seeking::default();
    seeking.start(n, k);
    index.search(&mut seeking, n, users, flat, &mut crowd);
    for (u, x) in users.chunks_exact(dim).enumerate() {
        assert_eq!(found(&mut seeking, u), by_hand(flat, dim, &rows, x, u, k), "shopper {u}, {k} of {}", rows.len());
    }
    for (u, x) in users.chunks_exact(dim).enumerate().take(2) {
        let mut alone = Seeking::default();
        alone.start(u + 1, k);
        let mut xs = vec![f32::NAN; u * dim]; // shoppers with vectors that are not finite find nothing
        xs.extend_from_slice(x);
        index.search(&mut alone, u + 1, &xs, flat, &mut crowd);
        assert_eq!(found(&mut alone, u), found(&mut seeking, u));
        assert!((0..u).all(|u| found(&mut alone, u).is_empty()));
    }
}

fn vectors(n: usize, dim: usize, seed: u64, whole: f32) -> Vec<f32> {
    let mut rng = SplitMix64::new(seed);
    // Coarse numbers make equal scores.
    (0..n * dim).map(|i| (rng.normal() * whole).round() / whole * (1 + i / dim % 3) as f32).collect()
}

const ALL: [Retrieval; 2] = [Retrieval::Exact, Retrieval::Ivf { lists: 9, probes: 9 }];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]
    #[test]
    fn a_search_is_a_full_scan(
        items in 1usize..300, users in 1usize..28, dim in 1usize..24, k in 0usize..320, seed in 0u64..1000,
        whole in prop::sample::select(vec![0.5f32, 2.0, 1e4]),
    ) {
        let (flat, users) = (vectors(items, dim, seed, whole), vectors(users, dim, !seed, whole));
        for retrieval in ALL {
            check(&flat, dim, &users, k, retrieval);
        }
    }
}

#[test]
fn extremes() {
    let odd = [0.0, -0.0, 1e-45, -1e-40, f32::MIN_POSITIVE, 1.0, 3e38, -3e38, f32::INFINITY, f32::NAN, 1e19];
    let flat: Vec<f32> = (0..3 * 200).map(|i| odd[(i * 7 + i / 11) % odd.len()]).collect();
    let users: Vec<f32> = (0..3 * 15).map(|i| odd[(i * 5 + i / 7) % odd.len()]).collect();
    for k in [1, 20, 1000] {
        check(&flat, 3, &users, k, Retrieval::Exact);
        check(&flat, 3, &users, k, Retrieval::Ivf { lists: 200, probes: 200 });
    }
    check(&[2.0], 1, &[-1.0], 20, Retrieval::Auto); // one item
}

#[test]
fn numbers_that_say_nothing() {
    let index = Index::new(Retrieval::Auto, &[], 0, vec![0, 1, 2], &Run::new(1)).unwrap();
    let mut seeking = Seeking::default();
    for n in [1, 2] {
        seeking.start(n, 2);
        index.search(&mut seeking, n, &[], &[], &mut super::lists::Anybody);
        for u in 0..n {
            assert_eq!(found(&mut seeking, u), [(0, 0), (1, 0)]); // without numbers all score 0
        }
    }
}

#[test]
fn a_million_equal_scores_stand_by_number() {
    let flat = vec![1.0f32; 1_000_000];
    let index = Index::new(Retrieval::Exact, &flat, 1, (0..1_000_000).collect(), &Run::new(1)).unwrap();
    let mut seeking = Seeking::default();
    for (n, k) in [(1, 20), (13, 20), (1, 300_000)] {
        seeking.start(n, k);
        index.search(&mut seeking, n, &vec![2.0; n], &flat, &mut super::lists::Anybody);
        for u in 0..n {
            assert!(seeking.best(u).map(|s| s.item.get()).eq(0..k as u32));
        }
    }
}

/// 2,000 items in 40 groups far apart: looking through a tenth of the lists finds nearly all, and the lists are the same for
/// any number of threads.
#[test]
fn lists_find_what_is_near() {
    let (dim, n) = (16, 2000);
    let mut rng = SplitMix64::new(8);
    let centres: Vec<f32> = (0..40 * dim).map(|_| rng.normal()).collect();
    let near = |i: usize, rng: &mut SplitMix64| centres[(i / dim) % 40 * dim + i % dim] + 0.3 * rng.normal();
    let flat: Vec<f32> = (0..n * dim).map(|i| near(i, &mut rng)).collect();
    let users: Vec<f32> = (0..40 * dim).map(|i| near(i, &mut rng)).collect();
    let lists = Retrieval::Ivf { lists: 40, probes: 8 };
    let find = |retrieval, run: &Run<'_>| {
        let index = Index::new(retrieval, &flat, dim, (0..n as u32).collect(), run).unwrap();
        let mut seeking = Seeking::default();
        seeking.start(40, 20);
        index.search(&mut seeking, 40, &users, &flat, &mut super::lists::Anybody);
        (0..40).map(|u| found(&mut seeking, u)).collect::<Vec<_>>()
    };
    let serial = find(lists, &Run::new(1).threads(Parallelism::Serial));
    for threads in [1, 2, 4, 8] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert_eq!(pool.install(|| find(lists, &Run::new(1))), serial);
    }
    let exact = find(Retrieval::Exact, &Run::new(1));
    let hits: usize =
        serial.iter().zip(&exact).map(|(some, all)| all.iter().filter(|item| some.contains(item)).count()).sum();
    assert!((720..=800).contains(&hits), "{hits} of 800");
}

/// A search ends early where long vectors are few, and not where all are as long.
#[test]
fn reach_is_short_where_long_vectors_are_few() {
    let (dim, n) = (8, 20_000);
    let mut flat = vectors(n, dim, 5, 1e4);
    let index = |flat: &[f32]| Index::new(Retrieval::Exact, flat, dim, (0..n as u32).collect(), &Run::new(1)).unwrap();
    let rows: Vec<u32> = (0..n as u32).collect();
    for (i, y) in flat.chunks_exact_mut(dim).enumerate() {
        let length = y.iter().map(|v| v * v).sum::<f32>().sqrt();
        y.iter_mut().for_each(|v| *v *= 1.0 / length / (1.0 + i as f32 / 100.0));
    }
    let skewed = index(&flat).reach(&flat, &rows);
    assert!((100.0..2000.0).contains(&skewed), "{skewed}");
    for (i, y) in flat.chunks_exact_mut(dim).enumerate() {
        y.iter_mut().for_each(|v| *v *= 1.0 + i as f32 / 100.0);
    }
    assert_eq!(index(&flat).reach(&flat, &rows), n as f64);
}

/// Lists whose items are all refused take nobody's place: the search goes on through the others.
#[test]
fn a_filter_that_leaves_few_is_searched_through() {
    struct Few;
    impl Admission for Few {
        fn item(&self, _: usize, row: u32) -> Option<ItemIdx> {
            Some(ItemIdx::new(row))
        }
        fn admits(&mut self, _: usize, item: ItemIdx) -> bool {
            item.get().is_multiple_of(97)
        }
    }
    let flat = vectors(3000, 4, 5, 1e4);
    let users = vectors(1, 4, 6, 1e4);
    let find = |retrieval| {
        let index = Index::new(retrieval, &flat, 4, (0..3000).collect(), &Run::new(1)).unwrap();
        let mut seeking = Seeking::default();
        seeking.start(1, index.wanted(10));
        index.search(&mut seeking, 1, &users, &flat, &mut Few);
        found(&mut seeking, 0).into_iter().take(10).collect::<Vec<_>>()
    };
    assert_eq!(find(Retrieval::Ivf { lists: 60, probes: 1 }), find(Retrieval::Exact));
}

#[test]
fn parameters_are_read_and_checked() {
    let read = |text: &str| serde_json::from_str::<Retrieval>(text).ok();
    assert_eq!(read("\"exact\""), Some(Retrieval::Exact));
    assert_eq!(read(r#"{"ivf":{"lists":9,"probes":2}}"#), Some(Retrieval::Ivf { lists: 9, probes: 2 }));
    assert_eq!(read(r#"{"ivf":{"lists":9}}"#), None);
    for (lists, probes, wrong) in [(0, 1, "retrieval.ivf.lists"), (1, 65_537, "retrieval.ivf.probes")] {
        assert_eq!(Retrieval::Ivf { lists, probes }.validate("retrieval").unwrap_err().param, wrong);
    }
    assert!(Retrieval::Ivf { lists: 65_536, probes: 1 }.validate("retrieval").is_ok());
}

#[test]
fn auto_changes_where_a_scan_takes_a_millisecond() {
    assert!(matches!(Retrieval::Auto.plan(375_000, 64), Plan::All));
    assert!(matches!(Retrieval::Auto.plan(1_000_000, 64), Plan::Unless { lists: 2000, probes: 125 }));
    assert!(matches!(Retrieval::Ivf { lists: 9, probes: 7 }.plan(5, 64), Plan::Lists { lists: 5, probes: 5 }));
    assert!(matches!(Retrieval::Ivf { lists: 9, probes: 7 }.plan(0, 64), Plan::All));
}
