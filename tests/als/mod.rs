//! ALS against a dense `f64` twin, hand-computed cases, planted structure and hostile input.

mod behaviour;
mod exact;
mod hostile;
mod twin;

use likewise::*;

const DAY: i64 = 86_400;

/// (shopper, item, units): a purchase each; the number of units is the pair's weight.
pub(crate) fn dataset(pairs: &[(usize, usize, f32)]) -> Dataset {
    let by_units = KindWeight { weight: 1.0, quantity: Transform::Linear { cap: 1e6 }, ..KindWeight::default() };
    let weights = EventWeights::default().with(EventKind::Purchase, by_units).check().unwrap();
    let mut builder = DatasetBuilder::new(Lineage::new(1)).weights(weights);
    for &(user, item, units) in pairs {
        let user = format!("u{user}");
        let who = Shopper::Profiled(Consented::new(&user, LawfulBasis::Contract));
        let item = format!("i{item}");
        let event = Event::new(who, &item, EventKind::Purchase, Timestamp::from_secs(DAY)).quantity(units);
        builder.push(&event).unwrap();
    }
    builder.finish().unwrap()
}

pub(crate) fn fit(params: &AlsParams, data: &Dataset, run: &Run<'_>) -> Als {
    params.clone().check().unwrap().fit(&data.into(), run).unwrap()
}

pub(crate) fn touch(item: u32, weight: f32) -> Touch {
    Touch { item: ItemIdx::new(item), kind: EventKind::Purchase, at: Timestamp::from_secs(DAY), weight }
}

pub(crate) fn history(data: &Dataset, user: UserIdx) -> Vec<Touch> {
    data.items_of(user).iter().map(|(item, weight)| touch(item, weight)).collect()
}

pub(crate) fn product(x: &[f32], y: &[f32]) -> f32 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}

/// The score of each item for a shopper with this history; `None` for no opinion.
pub(crate) fn scores(als: &Als, data: &Dataset, history: &[Touch], session_len: usize) -> Vec<Option<f32>> {
    let shelf = Shelf::bare(data);
    let mut cx = Context::new(data, &shelf, Timestamp::from_secs(2 * DAY));
    (cx.history, cx.session_len) = (history, session_len);
    let ws = &mut Workspace::default();
    (0..data.n_items() as u32).map(|i| als.explain(&cx, ItemIdx::new(i), ws).value).collect()
}

/// A small block structure with noise: every shopper and item occurs.
pub(crate) fn some_pairs() -> Vec<(usize, usize, f32)> {
    (0..12)
        .flat_map(|u| (0..9).map(move |i| (u, i)))
        .filter(|(u, i)| u % 3 == i % 3 || (u * i) % 7 == 3)
        .map(|(u, i)| (u, i, (1 + (u + i) % 4) as f32))
        .collect()
}

/// Shoppers of `blocks` tastes; each misses a few items of their own block.
pub(crate) fn blocks(blocks: usize, users: usize, items: usize) -> Vec<(usize, usize, f32)> {
    (0..blocks * users)
        .flat_map(|u| (0..blocks * items).map(move |i| (u, i)))
        .filter(|(u, i)| u / users == i / items && (u * 7 + i * 3) % 10 < 7)
        .map(|(u, i)| (u, i, 1.0))
        .collect()
}
