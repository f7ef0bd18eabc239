//! Pair supports and lifts of the groceries set (9,835 baskets, one a line), recounted by hand-written loops.
#![cfg(feature = "gzip")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use approx::assert_relative_eq;
use likewise::*;

fn baskets() -> Option<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/groceries/groceries.csv.gz");
    let Ok(file) = std::fs::File::open(path) else {
        println!("SKIPPED: {path} is not there");
        return None;
    };
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    Some(text)
}

#[test]
fn supports_and_lifts_are_those_of_the_file() {
    let Some(text) = baskets() else { return };
    let mut builder = DatasetBuilder::default();
    let (mut single, mut pairs, mut n) = (BTreeMap::new(), BTreeMap::new(), 0u32);
    for (line, basket) in text.lines().enumerate() {
        let items: BTreeSet<&str> = basket.split(',').map(str::trim).filter(|item| !item.is_empty()).collect();
        let session = line.to_string();
        for item in &items {
            let who = Shopper::Anonymous { session: &session };
            builder.push(&Event::new(who, item, EventKind::Purchase, Timestamp::from_secs(line as i64))).unwrap();
            *single.entry(*item).or_insert(0u32) += 1;
            for other in items.iter().filter(|other| *other != item) {
                *pairs.entry((*item, *other)).or_insert(0u32) += 1;
            }
        }
        n += u32::from(!items.is_empty());
    }
    let data = builder.finish().unwrap();
    let params = CoOccurrenceParams {
        unit: PairUnit::Session,
        weight: PairWeight::Lift,
        shrinkage: 0.0,
        min_support: 1,
        neighbours: 10_000,
        ..CoOccurrenceParams::co_purchase()
    };
    let model = params.check().unwrap().fit(&(&data).into(), &Run::default()).unwrap();
    let counts = model.counts().unwrap();
    assert_eq!((counts.n_units(), counts.n_pairs(), data.n_items()), (n, pairs.len(), single.len()));
    for (item, &count) in &single {
        let item = data.item(item).unwrap();
        assert_eq!((counts.n_from(item), counts.n_to(item)), (count, count));
        let lifts: BTreeMap<_, _> = model.similar_items(item, usize::MAX).iter().map(|s| (s.item, s.score)).collect();
        for (&(_, b), &both) in pairs.range((data.item_key(item), "")..).take_while(|(k, _)| k.0 == data.item_key(item))
        {
            let other = data.item(b).unwrap();
            assert_eq!(model.support(item, other), Some(both));
            let lift = f64::from(both) * f64::from(n) / (f64::from(count) * f64::from(single[b]));
            assert_relative_eq!(f64::from(lifts[&other]), lift, max_relative = 1e-6);
        }
    }
    // The pair everybody quotes of this set: support 736 of 9,835, lift 1.5136.
    let milk = data.item("whole milk").unwrap();
    let vegetables = data.item("other vegetables").unwrap();
    assert_eq!((n, model.support(milk, vegetables)), (9_835, Some(736)));
    let lift = model.similar_items(milk, usize::MAX).into_iter().find(|s| s.item == vegetables).unwrap().score;
    assert_relative_eq!(lift, 1.5136, epsilon = 1e-4);
    println!("{} pairs of {} items in {n} baskets agree", pairs.len(), single.len());
}
