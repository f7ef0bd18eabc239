//! Published reference lists and data sets, where they are at hand.
#![cfg(feature = "gzip")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use super::serenade::Serenade;
use likewise::testing::Trial;
use likewise::*;

fn text(path: &str) -> Option<String> {
    let path = format!("{}/../shared/data/{path}", env!("CARGO_MANIFEST_DIR"));
    let Ok(file) = std::fs::File::open(&path) else {
        println!("SKIPPED: {path} is not there");
        return None;
    };
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(file).read_to_string(&mut text).unwrap();
    Some(text)
}

type Sessions = BTreeMap<u64, Vec<(i64, String)>>;

/// Sessions by id, their clicks in the order of time.
fn sessions(text: &str) -> Sessions {
    let mut all = Sessions::new();
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        let at = (fields[2].trim().parse::<f64>().unwrap() * 1000.0).round() as i64;
        all.entry(fields[0].parse().unwrap()).or_default().push((at, fields[1].to_owned()));
    }
    all.values_mut().for_each(|clicks| clicks.sort_by_key(|c| c.0));
    all
}

fn dataset(train: &Sessions) -> Dataset {
    let mut builder = DatasetBuilder::default();
    for (id, clicks) in train {
        let session = id.to_string();
        for (at, item) in clicks {
            let who = Shopper::Anonymous { session: &session };
            let event = Event::new(who, item, EventKind::View, Timestamp::from_millis(*at)).session(&session);
            builder.push(&event).unwrap();
        }
    }
    builder.finish().unwrap()
}

/// Calls `check(session, clicks, list)` for each prefix of each session whose items are all known.
fn each_prefix(data: &Dataset, model: &SessionKnn, test: &Sessions, mut check: impl FnMut(u64, &[u32], &[Scored])) {
    let shelf = Shelf::bare(data);
    let mut trial = Trial::default();
    for (id, clicks) in test {
        let known: Option<Vec<ItemIdx>> = clicks.iter().map(|(_, item)| data.item(item)).collect();
        let Some(items) = known else { continue };
        let touch = |&item: &ItemIdx| Touch { item, kind: EventKind::View, at: data.as_of(), weight: 1.0 };
        let newest_first: Vec<Touch> = items.iter().rev().map(touch).collect();
        for len in 1..=items.len() {
            let mut cx = Context::new(data, &shelf, data.as_of());
            (cx.history, cx.session_len) = (&newest_first[items.len() - len..], len);
            let prefix: Vec<u32> = items[..len].iter().map(|item| item.get()).collect();
            check(*id, &prefix, trial.ask(model, &cx, 50));
        }
    }
}

#[test]
fn vsknn_is_that_of_the_reference_lists() {
    let (Some(train), Some(test), Some(reference)) = (
        text("yoochoose-100k/train.tsv.gz"),
        text("yoochoose-100k/test.tsv.gz"),
        text("yoochoose-100k/reference_vsknn.csv.gz"),
    ) else {
        return;
    };
    let mut lists: BTreeMap<(u64, usize), Vec<f64>> = BTreeMap::new();
    for line in reference.lines().skip(1) {
        let fields: Vec<&str> = line.split(';').collect();
        let scores = fields[3].split(',').map(|s| s.trim().parse().unwrap()).collect();
        lists.insert((fields[0].parse().unwrap(), fields[1].parse::<usize>().unwrap() + 1), scores);
    }
    let train = sessions(&train);
    let holders = |item: &str, of: &Sessions| -> BTreeSet<u64> {
        of.iter().filter(|(_, clicks)| clicks.iter().any(|c| c.1 == item)).map(|(id, _)| *id).collect()
    };
    let data = dataset(&train);
    let model = SessionKnnParams::vsknn().check().unwrap().fit(&(&data).into(), &Run::default()).unwrap();
    let asked: Sessions = sessions(&test).into_iter().filter(|(id, _)| lists.contains_key(&(*id, 1))).collect();
    let mut candidates: BTreeMap<u32, BTreeSet<u64>> = BTreeMap::new();
    let mut compared = 0;
    each_prefix(&data, &model, &asked, |id, prefix, list| {
        let Some(want) = lists.get(&(id, prefix.len())) else { return };
        for &item in prefix {
            candidates.entry(item).or_insert_with(|| holders(data.item_key(ItemIdx::new(item)), &train));
        }
        // Beyond 500 candidates the last neighbour is a tie, and the reference order arbitrary.
        if prefix.iter().flat_map(|item| &candidates[item]).collect::<BTreeSet<_>>().len() > 500 {
            return;
        }
        compared += 1;
        for (place, (got, want)) in list.iter().zip(want).take(20).enumerate() {
            let got = f64::from(got.score) / f64::from(list[0].score);
            assert!(
                (got - want).abs() < 1e-6,
                "session {id}, {} clicks, place {place}: {got}, not {want}",
                prefix.len()
            );
        }
    });
    assert!(compared > 100, "only {compared} lists were compared");
}

#[test]
fn vmis_is_serenade_on_its_example() {
    let (Some(train), Some(test)) = (text("serenade-example/train.tsv.gz"), text("serenade-example/test.tsv.gz"))
    else {
        return;
    };
    let train = sessions(&train);
    let data = dataset(&train);
    let model = SessionKnnParams::vmis().check().unwrap().fit(&(&data).into(), &Run::default()).unwrap();
    let mut newest_first: Vec<(i64, u64)> = train.iter().map(|(id, c)| (c.last().map_or(0, |c| c.0), *id)).collect();
    newest_first.sort_unstable_by(|a, b| b.cmp(a));
    let items = |id: u64| train[&id].iter().map(|(_, item)| data.item(item).unwrap().get()).collect();
    let sessions_newest_first = newest_first.iter().map(|&(_, id)| items(id)).collect();
    let twin = Serenade { sessions: sessions_newest_first, m: 1_502, k: 288, latest: 4 };
    let asked: Sessions = sessions(&test).into_iter().take(40).collect();
    let mut compared = 0;
    each_prefix(&data, &model, &asked, |id, prefix, list| {
        // Serenade divides by the number of distinct clicks, this crate multiplies by the places: the scale is free.
        let want = twin.recommend(prefix);
        let mut scores: Vec<f64> = want.values().copied().collect();
        scores.sort_by(|a, b| b.total_cmp(a));
        assert_eq!(list.len(), want.len().min(50));
        for (place, (got, want_here)) in list.iter().zip(&scores).enumerate() {
            let (best, best_here) = (f64::from(list[0].score), scores[0]);
            let (got_here, mine) = (f64::from(got.score) / best, want[&got.item.get()] / best_here);
            let close = |a: f64, b: f64| (a - b).abs() < 1e-5;
            assert!(close(got_here, want_here / best_here) && close(got_here, mine), "session {id}, place {place}");
        }
        compared += 1;
    });
    assert!(compared > 50, "only {compared} lists were compared");
}
