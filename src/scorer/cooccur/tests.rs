//! The query side against its slow twin: nested loops over voters and lists.

use crate::scorer::VoteDecay;
use proptest::prelude::*;
use std::collections::BTreeMap;

use super::*;
use crate::catalog::Shelf;
use crate::consent::Shopper;
use crate::dataset::{Dataset, DatasetBuilder};
use crate::event::{Event, EventKind, KindSet};
use crate::params::Validate;
use crate::scorer::{ItemSet, Touch};
use crate::time::{Span, Timestamp};

const ITEMS: u32 = 12;

fn shop(events: &[(u8, u8, bool)]) -> Dataset {
    let mut builder = DatasetBuilder::default();
    builder.items((0..ITEMS).map(|i| format!("i{i}")).collect::<Vec<_>>().iter().map(String::as_str)).unwrap();
    for (second, &(session, item, bought)) in events.iter().enumerate() {
        let (session, item) = (format!("s{}", session % 8), format!("i{}", u32::from(item) % ITEMS));
        let kind = if bought { EventKind::Purchase } else { EventKind::View };
        let who = Shopper::Anonymous { session: &session };
        builder.push(&Event::new(who, &item, kind, Timestamp::from_secs(second as i64))).unwrap();
    }
    builder.finish().unwrap()
}

/// Score and evidence of each item asked for, in order.
fn scores(
    scorer: &dyn Scorer,
    cx: &Context<'_>,
    items: &[ItemIdx],
    ws: &mut Workspace,
) -> Vec<(Option<f32>, Option<ItemIdx>)> {
    let mut set = ItemSet::default();
    set.reset(cx.shelf.n_items());
    items.iter().for_each(|&item| assert!(set.insert(item)));
    let (mut values, mut because) = (vec![0.0; items.len()], vec![0; items.len()]);
    let mut out = Scores::new(&set, &mut values, &mut because);
    scorer.score(cx, &mut out, ws);
    (0..items.len()).map(|slot| (out.get(slot), out.because(slot))).collect()
}

fn proposals(scorer: &dyn Scorer, cx: &Context<'_>, limit: usize, ws: &mut Workspace) -> Vec<ItemIdx> {
    let (mut admitted, mut refused) = (ItemSet::default(), ItemSet::default());
    admitted.reset(cx.shelf.n_items());
    refused.reset(cx.shelf.n_items());
    let all = |_: ItemIdx| true;
    let mut out = Candidates::new(&mut admitted, &mut refused, cx.shelf.n_items(), &all);
    scorer.propose(cx, limit, &mut out, ws);
    out.items().to_vec()
}

/// What the votes `(item, vote)` come to, and whose part is largest.
fn twin(votes: &[(ItemIdx, f32, &[Scored])]) -> BTreeMap<ItemIdx, (f32, ItemIdx)> {
    let mut parts: BTreeMap<ItemIdx, Vec<(f32, ItemIdx)>> = BTreeMap::new();
    for &(evidence, vote, list) in votes {
        for near in list {
            parts.entry(near.item).or_default().push((vote * near.score, evidence));
        }
    }
    let total = |parts: Vec<(f32, ItemIdx)>| {
        let largest = parts.iter().map(|p| p.0).fold(f32::MIN, f32::max);
        let loudest = parts.iter().find(|p| p.0 == largest).map(|p| p.1);
        (parts.iter().fold(0.0, |sum, p| sum + p.0), loudest.unwrap())
    };
    parts.into_iter().map(|(item, parts)| (item, total(parts))).collect()
}

fn agree(scorer: &dyn Scorer, cx: &Context<'_>, expected: &BTreeMap<ItemIdx, (f32, ItemIdx)>) {
    let ws = &mut Workspace::default();
    let items: Vec<ItemIdx> = (0..cx.shelf.n_items() as u32).rev().map(ItemIdx::new).collect();
    for ((score, because), &item) in scores(scorer, cx, &items, ws).into_iter().zip(&items) {
        assert_eq!(score, expected.get(&item).map(|e| e.0));
        assert_eq!(because, expected.get(&item).map(|e| e.1));
        let why = scorer.explain(cx, item, ws);
        assert_eq!(why.value, score);
        let sum = why.details.iter().filter_map(|d| d.value).fold(0.0, |sum, part| sum + part);
        assert_eq!(sum, score.unwrap_or(0.0), "the parts sum to the whole, to the last bit");
    }
    let mut best: Vec<Scored> = expected.iter().map(|(&item, e)| Scored { item, score: e.0 }).collect();
    best.sort_by(Scored::order);
    for limit in [0, 1, 3, 100] {
        let head: Vec<ItemIdx> = best.iter().take(limit).map(|s| s.item).collect();
        assert_eq!(proposals(scorer, cx, limit, ws), head);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]
    #[test]
    fn votes_like_the_twin(
        events in prop::collection::vec(any::<(u8, u8, bool)>(), 0..80),
        history in prop::collection::vec((0..ITEMS + 3, any::<bool>()), 0..15),
        page in prop::option::of(0..ITEMS + 3),
        basket in prop::collection::btree_set(0..ITEMS + 3, 0..4),
        (limit, decay) in (1usize..6, 0u8..3),
    ) {
        let data = shop(&events);
        // Three items more than the models were fitted on.
        let mut more = DatasetBuilder::default();
        more.items((0..ITEMS + 3).map(|i| format!("i{i}")).collect::<Vec<_>>().iter().map(String::as_str)).unwrap();
        let shelf = Shelf::bare(&more.finish().unwrap());
        let now = Timestamp::from_secs(1000);
        let history: Vec<Touch> = history.iter().zip(0..).map(|(&(item, bought), age)| Touch {
            item: ItemIdx::new(item),
            kind: if bought { EventKind::Purchase } else { EventKind::View },
            at: now.minus(Span::secs(10 * age)),
            weight: 1.0,
        }).collect();
        let basket: Vec<ItemIdx> = basket.into_iter().map(ItemIdx::new).collect();
        let mut cx = Context::new(&data, &shelf, now);
        cx.history = &history;
        cx.context_item = page.map(ItemIdx::new);
        cx.basket = &basket;

        let recency = [
            None,
            Some(VoteDecay::Positions { half_life: 2.0 }),
            Some(VoteDecay::Time { half_life: Span::secs(15) }),
        ][usize::from(decay)];
        let voters = |kind: EventKind, page: Option<ItemIdx>| {
            let mut voters: Vec<(ItemIdx, f32)> = page.map(|item| (item, 1.0)).into_iter().collect();
            for touch in history.iter().filter(|t| t.kind == kind) {
                if voters.len() < limit && voters.iter().all(|v| v.0 != touch.item) {
                    let vote = match decay {
                        0 => 1.0,
                        1 => 0.5f32.powf(voters.len() as f32 / 2.0),
                        _ => 0.5f64.powf(now.since(touch.at).as_millis() as f64 / 15_000.0) as f32,
                    };
                    voters.push((touch.item, vote));
                }
            }
            voters
        };
        let run = Run::default();

        let params = CoOccurrenceParams { history: limit, recency, min_support: 1, neighbours: 4, ..Default::default() };
        let viewed = params.check().unwrap().fit(&(&data).into(), &run).unwrap();
        let votes: Vec<_> = voters(EventKind::View, cx.context_item)
            .into_iter().map(|(item, vote)| (item, vote, viewed.link.lists().of(item))).collect();
        agree_roughly_then(&viewed, &cx, &votes);

        let indicators = vec![
            Indicator { min_support: 1, ..Indicator::default() },
            Indicator { kinds: KindSet::of(&[EventKind::View]), weight: 0.25, min_support: 1, ..Indicator::default() },
        ];
        let params = CrossOccurrenceParams { history: limit, recency, indicators, unit: PairUnit::Session, ..Default::default() };
        let cross = params.check().unwrap().fit(&(&data).into(), &run).unwrap();
        let lists: Vec<[Vec<Scored>; 2]> = (0..ITEMS + 3).map(ItemIdx::new)
            .map(|item| [cross.similar_items(0, item, 99), cross.similar_items(1, item, 99)]).collect();
        let bought = voters(EventKind::Purchase, None).into_iter().map(|(item, vote)| (item, vote, 0));
        let seen = voters(EventKind::View, cx.context_item).into_iter().map(|(item, vote)| (item, vote * 0.25, 1));
        let votes: Vec<_> = bought.chain(seen).map(|(item, vote, i)| (item, vote, &lists[item.as_usize()][i][..])).collect();
        agree_roughly_then(&cross, &cx, &votes);

        let params = FrequentlyBoughtTogetherParams { min_support: 1, min_lift: 0.5, ..Default::default() };
        let together = params.check().unwrap().fit(&(&data).into(), &run).unwrap();
        let speakers: Vec<ItemIdx> = if basket.is_empty() { cx.context_item.into_iter().collect() } else { basket.clone() };
        let lists: Vec<_> = speakers.iter().map(|&item| together.companions(item, 99)).collect();
        let votes: Vec<_> = speakers.iter().zip(&lists)
            .map(|(&item, list)| (item, 1.0 / speakers.len() as f32, &list[..])).collect();
        let mut expected = twin(&votes);
        expected.retain(|item, _| !basket.contains(item));
        agree(&together, &cx, &expected);
    }
}

/// The twin takes `powf` where the model takes `exp2`: its votes are within an ulp or two, so first the votes are
/// compared, then the twin goes on with the model's own.
fn agree_roughly_then<E: Electorate>(scorer: &E, cx: &Context<'_>, votes: &[(ItemIdx, f32, &[Scored])]) {
    let mut own = Vec::new();
    scorer.each_vote(cx, &mut Workspace::default(), |vote| own.push((vote.evidence, vote.weight, vote.list)));
    assert_eq!(own.len(), votes.len());
    for (ours, theirs) in own.iter().zip(votes) {
        assert_eq!((ours.0, ours.2), (theirs.0, theirs.2));
        approx::assert_relative_eq!(ours.1, theirs.1, max_relative = 1e-5);
    }
    agree(scorer, cx, &twin(&own));
}

#[test]
fn faded_votes_are_no_votes() {
    let data = shop(&[(0, 0, false), (0, 1, false), (1, 0, false), (1, 1, false)]);
    let recency = Some(VoteDecay::Time { half_life: Span::ZERO });
    let params = CoOccurrenceParams { recency, ..Default::default() };
    let model = params.check().unwrap().fit(&(&data).into(), &Run::default()).unwrap();
    let shelf = Shelf::bare(&data);
    let touch =
        |at| [Touch { item: ItemIdx::new(0), kind: EventKind::View, at: Timestamp::from_secs(at), weight: 1.0 }];
    let mut cx = Context::new(&data, &shelf, Timestamp::from_secs(100));
    let (long_ago, just_now) = (touch(99), touch(100));
    cx.history = &long_ago;
    let ws = &mut Workspace::default();
    assert_eq!(scores(&model, &cx, &[ItemIdx::new(1)], ws), [(None, None)]);
    cx.history = &just_now;
    assert_eq!(scores(&model, &cx, &[ItemIdx::new(1)], ws)[0].1, Some(ItemIdx::new(0)));
}
