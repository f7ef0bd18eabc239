//! The family against its formulas, written out without an index: the same to the last bit.

use std::collections::{BTreeMap, BTreeSet};

use likewise::testing::{Trial, opinions};
use likewise::*;
use proptest::prelude::*;

#[derive(Clone, Debug)]
struct Visit {
    /// 0 for an anonymous session, else a shopper with several.
    shopper: u8,
    at: i64,
    items: Vec<u8>,
}

fn data(visits: &[Visit]) -> DatasetBuilder {
    let mut builder = DatasetBuilder::new(Lineage::new(3));
    for (n, visit) in visits.iter().enumerate() {
        let (session, shopper) = (format!("s{n}"), format!("u{}", visit.shopper));
        let who = match visit.shopper {
            0 => Shopper::Anonymous { session: &session },
            _ => Shopper::Profiled(Consented::new(&shopper, LawfulBasis::Consent)),
        };
        for (place, item) in visit.items.iter().enumerate() {
            let at = Timestamp::from_secs((visit.at + place as i64) * 3_600);
            let kind = if item % 7 == 6 { EventKind::Impression } else { EventKind::View };
            builder.push(&Event::new(who, &format!("i{item}"), kind, at).session(&session)).unwrap();
        }
    }
    builder
}

/// The dataset's sessions, the newest first: time and clicks, oldest first.
fn sessions(data: &Dataset, params: &SessionKnnParams) -> Vec<(Timestamp, Vec<u32>)> {
    let mut all = Vec::new();
    for row in 0..data.n_rows() as u32 {
        let events = data.events_of(UserIdx::new(row));
        let mut by_session: BTreeMap<u32, (Timestamp, Vec<u32>)> = BTreeMap::new();
        for (session, event) in events.sessions().iter().zip(events.iter()) {
            if params.kinds.contains(event.kind) {
                let entry = by_session.entry(*session).or_insert((event.at, Vec::new()));
                entry.0 = entry.0.max(event.at);
                entry.1.push(event.item.get());
            }
        }
        all.extend(by_session.into_values());
    }
    all.retain(|(_, clicks)| BTreeSet::from_iter(clicks).len() <= params.longest);
    all.reverse();
    all.sort_by_key(|(at, _)| std::cmp::Reverse(*at)); // stable
    all
}

fn place(weight: PlaceWeight, c: usize, len: usize) -> f32 {
    let (share, back) = (c as f32 / len as f32, (len - c) as f32);
    match weight {
        PlaceWeight::Linear => share,
        PlaceWeight::Quadratic => share * share,
        PlaceWeight::Log => 1.0 / (back + 1.7).log10(),
        PlaceWeight::Exponential { scale } => (-back / scale).exp(),
        _ => 1.0,
    }
}

fn step(decay: StepDecay, back: usize) -> f32 {
    let steps = back as f32 + 1.0;
    match decay {
        StepDecay::Linear => (1.0 - steps / 10.0).max(0.0),
        StepDecay::Reciprocal => 1.0 / steps,
        StepDecay::Quadratic => 1.0 / (steps * steps),
        StepDecay::Exponential { scale } => (-(back as f32) / scale).exp(),
        _ => 1.0,
    }
}

/// The scores of all items for a running session, oldest click first. Precision and order of additions are the model's:
/// neighbours speak by newest shared item, then newest first.
fn scores(params: &SessionKnnParams, all: &[(Timestamp, Vec<u32>)], running: &[u32]) -> BTreeMap<u32, f32> {
    let running = &running[running.len().saturating_sub(params.latest)..];
    let len = running.len();
    let last_place = |clicks: &[u32], item: u32| clicks.iter().rposition(|&c| c == item);
    let mut candidates: Vec<(usize, f32)> = Vec::new();
    for (n, (at, clicks)) in all.iter().enumerate() {
        let mut like = None;
        for c in (0..len).rev().filter(|&c| last_place(running, running[c]) == Some(c)) {
            if clicks.contains(&running[c]) {
                like = Some(like.unwrap_or(0.0) + place(params.place, c + 1, len));
            }
        }
        let Some(like) = like else { continue };
        let distinct = BTreeSet::from_iter(clicks).len() as f64;
        let age = params.age.map_or(0.0, |age| all[0].0.since(*at).as_days() / age.as_days());
        candidates.push((n, like * (distinct.powf(-f64::from(params.norm)) * (-age).exp()) as f32));
    }
    candidates.truncate(params.recent);
    candidates.sort_by(|a, b| b.1.total_cmp(&a.1)); // stable: the newer first
    candidates.truncate(params.neighbours);
    let newest = |n: usize| (0..len).rev().find(|&c| all[n].1.contains(&running[c])).unwrap();
    candidates.sort_by_key(|&(n, _)| (std::cmp::Reverse(newest(n)), n));

    let pairs: usize = all.iter().map(|(_, clicks)| BTreeSet::from_iter(clicks).len()).sum();
    let rarity = |item: u32| {
        let clicks: usize = all.iter().map(|(_, c)| c.iter().filter(|&&c| c == item).count()).sum();
        let holders = all.iter().filter(|(_, c)| c.contains(&item)).count();
        let rarity = match params.rarity {
            Rarity::Plus { weight } => (1.0 + f64::from(weight) * (all.len() as f64 / clicks as f64).ln()).max(0.0),
            Rarity::Times => (pairs as f64 / holders as f64).ln(),
            _ => 1.0,
        };
        f64::from(rarity as f32)
    };
    let (mut sum, mut next): (BTreeMap<u32, f64>, BTreeMap<u32, f32>) = Default::default();
    let mut total = 0.0;
    for &(n, like) in &candidates {
        let clicks = &all[n].1;
        let anchor = clicks.iter().rposition(|c| running.contains(c)).unwrap();
        let voice = like * step(params.step, len - 1 - newest(n));
        for &item in BTreeSet::from_iter(clicks) {
            let away = last_place(clicks, item).unwrap().abs_diff(anchor) as f32;
            let near = params.nearness.map_or(1.0, |scale| (-away / scale).exp());
            let at_hand = params.current == CurrentItem::Excluded && item == running[len - 1];
            if voice > 0.0 && !at_hand {
                *sum.entry(item).or_default() += f64::from(voice * near);
            }
        }
        for here in (0..clicks.len()).filter(|&here| clicks[here] == running[len - 1]) {
            let same =
                (1..=4).take_while(|&b| here >= b && len > b && clicks[here - b] == running[len - 1 - b]).count();
            for ahead in 1..=10.min(clicks.len() - 1 - here) {
                let fade = (ahead as f32).powf(-params.next.fade);
                let weight = like * params.next.suffix.powi(same as i32);
                *next.entry(clicks[here + ahead]).or_default() += weight * fade;
                total += weight * fade;
            }
        }
    }
    let factor = |item: u32| {
        let again = match last_place(running, item) {
            None => 1.0,
            Some(c) if running[c] == running[len - 1] => params.repeat,
            Some(_) => params.returning,
        };
        match next.get(&item) {
            Some(next) if params.next.boost > 0.0 => {
                again * (1.0 + params.next.boost * (next / total)).powf(params.next.power)
            }
            _ => again,
        }
    };
    sum.into_iter().map(|(item, sum)| (item, (sum * (rarity(item) * f64::from(factor(item)))) as f32)).collect()
}

fn recipes() -> impl Strategy<Value = SessionKnnParams> {
    let scale = || 0.3f32..5.0;
    let place = prop_oneof![
        Just(PlaceWeight::Same),
        Just(PlaceWeight::Linear),
        Just(PlaceWeight::Quadratic),
        Just(PlaceWeight::Log),
        scale().prop_map(|scale| PlaceWeight::Exponential { scale }),
    ];
    let step = prop_oneof![
        Just(StepDecay::Same),
        Just(StepDecay::Linear),
        Just(StepDecay::Reciprocal),
        Just(StepDecay::Quadratic),
        scale().prop_map(|scale| StepDecay::Exponential { scale }),
    ];
    let rarity =
        prop_oneof![Just(Rarity::Same), (0f32..5.0).prop_map(|weight| Rarity::Plus { weight }), Just(Rarity::Times)];
    let next = (prop_oneof![Just(0f32), 1f32..100.0], 0f32..2.0, 0f32..3.0, 1f32..5.0)
        .prop_map(|(boost, power, fade, suffix)| NextClick { boost, power, fade, suffix });
    let limits = (1usize..11, 2usize..7, 1usize..12, 1usize..9);
    let age = prop::option::of((1u32..100).prop_map(Span::hours));
    let current = prop::sample::select(vec![CurrentItem::Allowed, CurrentItem::Excluded]);
    (
        (limits, place, step, rarity, next),
        (prop::sample::select(vec![0f32, 0.3, 0.5]), age, prop::option::of(scale()), current, 0.1f32..3.0, 0.1f32..3.0),
    )
        .prop_map(|((limits, place, step, rarity, next), (norm, age, nearness, current, repeat, returning))| {
            let (latest, longest, recent, neighbours) = limits;
            SessionKnnParams {
                latest,
                longest,
                recent,
                neighbours,
                place,
                step,
                rarity,
                next,
                norm,
                age,
                nearness,
                current,
                repeat,
                returning,
                ..SessionKnnParams::vstan()
            }
        })
}

/// A recipe no formula of which asks for places, and every session is worth the same.
fn distinct(params: SessionKnnParams) -> SessionKnnParams {
    SessionKnnParams { next: NextClick::OFF, nearness: None, norm: 0.0, age: None, ..params }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn scores_and_proposals_are_those_of_the_formulas(
        visits in prop::collection::vec(
            (0u8..3, 0i64..60, prop::collection::vec(0u8..9, 1..9)).prop_map(|(shopper, at, items)| Visit { shopper, at, items }),
            0..14,
        ),
        params in prop_oneof![recipes(), recipes().prop_map(distinct)],
        running in prop::collection::vec(0u8..11, 1..14), // at times more than eight distinct items
    ) {
        let mut builder = data(&visits);
        let fitted = builder.build().unwrap();
        builder.items((0..11).map(|i| format!("i{i}")).collect::<Vec<_>>().iter().map(String::as_str)).unwrap();
        let served = builder.finish().unwrap();
        let model = params.clone().check().unwrap().fit(&(&fitted).into(), &Run::default()).unwrap();
        let running: Vec<u32> = running.iter().map(|i| served.item(&format!("i{i}")).unwrap().get()).collect();
        let at = served.as_of();
        let touch = |&item: &u32| Touch { item: ItemIdx::new(item), kind: EventKind::View, at, weight: 1.0 };
        let history: Vec<Touch> = running.iter().rev().map(touch).collect();
        let shelf = Shelf::bare(&served);
        let mut cx = Context::new(&served, &shelf, at);
        (cx.history, cx.session_len) = (&history, history.len());

        let want = scores(&params, &sessions(&fitted, &params), &running);
        let all: Vec<ItemIdx> = (0..served.n_items() as u32).map(ItemIdx::new).collect();
        for (item, got) in all.iter().zip(opinions(&model, &cx, &all)) {
            let want = want.get(&item.get()).copied();
            let bits = |score: Option<f32>| score.map(f32::to_bits);
            prop_assert_eq!(bits(got), bits(want), "item {} {:?} {:?}", item.get(), got, want);
        }
        let listed = Trial::default().ask(&model, &cx, 100).to_vec();
        prop_assert_eq!(listed.len(), want.len());
        let mut sorted = listed.clone();
        sorted.sort_by(Scored::order);
        prop_assert_eq!(listed, sorted);
    }
}
