//! Against a slow twin that keeps everything in lists and maps.

use super::*;

#[derive(Clone, Debug)]
struct Given {
    user: Option<u8>,
    session: Option<u8>,
    item: u8,
    kind: EventKind,
    at: i64,
    quantity: f32,
    value: Option<f32>,
    channel: Channel,
    id: Option<u8>,
}

impl Given {
    fn event(&self) -> Event<'static> {
        let session = self.session.map(|s| KEYS[s as usize]);
        let shopper = match self.user {
            Some(user) => Shopper::Profiled(Consented::new(KEYS[user as usize], LawfulBasis::Contract)),
            None => Shopper::Anonymous { session: session.unwrap_or_default() },
        };
        let mut event = Event::new(shopper, KEYS[self.item as usize], self.kind, Timestamp::from_millis(self.at))
            .quantity(self.quantity)
            .channel(self.channel);
        event.value = self.value;
        event.session = session;
        event.id = self.id.map(|id| KEYS[id as usize]);
        event
    }
}

fn given() -> impl Strategy<Value = Given> {
    let kind = prop_oneof![
        4 => Just(EventKind::Purchase),
        3 => Just(EventKind::Return),
        2 => Just(EventKind::AddToCart),
        2 => Just(EventKind::RemoveFromCart),
        2 => Just(EventKind::View),
        1 => Just(EventKind::Rating),
        1 => Just(EventKind::Like),
        1 => Just(EventKind::Dislike),
        1 => Just(EventKind::Impression),
    ];
    let quantity = prop_oneof![
        12 => (1u8..=6).prop_map(|halves| f32::from(halves) / 2.0),
        1 => Just(0.0),
        1 => Just(-1.0),
        1 => Just(f32::NAN),
    ];
    let value = prop::option::of(prop_oneof![9 => (0u8..=10).prop_map(f32::from), 1 => Just(f32::INFINITY)]);
    let channel = prop_oneof![Just(Channel::Unknown), Just(Channel::Web), Just(Channel::Email)];
    let who = (prop::option::weighted(0.8, 0u8..3), prop::option::of(0u8..3));
    let what = (0u8..4, kind, (0i64..90).prop_map(|t| t * 5 * MINUTE), quantity, value);
    (who, what, channel, prop::option::weighted(0.2, 0u8..10)).prop_map(
        |((user, session), (item, kind, at, quantity, value), channel, id)| Given {
            user,
            session,
            item,
            kind,
            at,
            quantity,
            value,
            channel,
            id,
        },
    )
}

fn weights() -> impl Strategy<Value = EventWeights> {
    let transform = prop_oneof![
        Just(Transform::Ignore),
        Just(Transform::Linear { cap: 2.0 }),
        Just(Transform::Sqrt),
        Just(Transform::Log1p),
    ];
    let weight = (0u8..4, prop::option::of(1u32..200), transform.clone(), transform).prop_map(
        |(weight, half_life, quantity, value)| KindWeight {
            weight: weight.into(),
            half_life: half_life.map(Span::minutes),
            quantity,
            value,
        },
    );
    let more = prop_oneof![
        Just(EventWeights::default().cancels().to_vec()),
        Just(Vec::new()),
        Just(vec![
            Cancel { by: EventKind::Return, of: EventKind::Purchase },
            Cancel { by: EventKind::Return, of: EventKind::AddToCart },
            Cancel { by: EventKind::Dislike, of: EventKind::Return },
        ]),
    ];
    (weight.clone(), weight, more).prop_map(|(purchase, view, cancels)| {
        EventWeights::default().with(EventKind::Purchase, purchase).with(EventKind::View, view).with_cancels(cancels)
    })
}

/// What the builder should do, said slowly.
struct Twin {
    weights: EventWeights,
    rows: Vec<(Shopper<'static>, Vec<Given>)>,
    items: Vec<&'static str>,
    ids: BTreeSet<u8>,
}

#[derive(Clone, Debug, PartialEq)]
struct Kept {
    item: usize,
    kind: EventKind,
    at: i64,
    quantity: f32,
    value: Option<f32>,
    channel: Channel,
    session: u32,
    weight: f32,
}

impl Twin {
    fn new(weights: &EventWeights) -> Self {
        Self { weights: weights.clone(), rows: Vec::new(), items: Vec::new(), ids: BTreeSet::new() }
    }

    fn take(&mut self, given: &Given) -> Option<RejectReason> {
        let shopper = given.event().shopper;
        if shopper == (Shopper::Anonymous { session: "" }) {
            return Some(RejectReason::NoShopper);
        }
        if given.at > AS_OF {
            return Some(RejectReason::InFuture);
        }
        if given.quantity.is_nan() {
            return Some(RejectReason::BadNumber { field: "quantity" });
        }
        if given.quantity <= 0.0 {
            return Some(RejectReason::BadQuantity);
        }
        if given.value.is_some_and(f32::is_infinite) {
            return Some(RejectReason::BadNumber { field: "value" });
        }
        if given.id.is_some_and(|id| !self.ids.insert(id)) {
            return Some(RejectReason::Duplicate);
        }
        let item = KEYS[given.item as usize];
        if !self.items.contains(&item) {
            self.items.push(item);
        }
        match self.rows.iter_mut().find(|(who, _)| *who == shopper) {
            Some((_, events)) => events.push(given.clone()),
            None => self.rows.push((shopper, vec![given.clone()])),
        }
        None
    }

    fn factor(transform: Transform, x: f32) -> f64 {
        let x = f64::from(x);
        match transform {
            Transform::Linear { cap } => x.min(cap.into()),
            Transform::Sqrt => x.sqrt(),
            Transform::Log1p => (1.0 + x).ln(),
            Transform::Above { neutral } => x - f64::from(neutral),
            _ => 1.0,
        }
    }

    fn weight(&self, given: &Given, left: f32) -> f32 {
        let w = self.weights.kind(given.kind);
        let age = (AS_OF - given.at) as f64;
        let fresh = w.half_life.map_or(1.0, |half| 0.5f64.powf(age / half.as_millis() as f64));
        let sign = if given.kind == EventKind::Dislike { -1.0 } else { 1.0 };
        let value = given.value.map_or(1.0, |v| Self::factor(w.value, v));
        (sign * f64::from(w.weight) * Self::factor(w.quantity, left) * value * fresh) as f32
    }

    /// The rows as they should be stored.
    fn rows(&self) -> Vec<Vec<Kept>> {
        let mut sessions = 0;
        self.rows.iter().map(|(_, events)| self.row(events, &mut sessions)).collect()
    }

    fn row(&self, events: &[Given], sessions: &mut u32) -> Vec<Kept> {
        let mut events = events.to_vec();
        events.sort_by_key(|e| e.at);
        let mut left: Vec<f32> = events.iter().map(|e| e.quantity).collect();
        for i in 0..events.len() {
            for cancel in self.weights.cancels().iter().filter(|c| c.by == events[i].kind) {
                for j in (0..i).rev() {
                    if events[j].kind == cancel.of && events[j].item == events[i].item {
                        let units = left[i].min(left[j]);
                        left[i] -= units;
                        left[j] -= units;
                    }
                }
            }
        }
        let (mut named, mut unnamed) = (BTreeMap::new(), None::<(u32, i64)>);
        let mut kept = Vec::new();
        for (e, &left) in events.iter().zip(&left).filter(|(_, left)| **left > 0.0) {
            let mut next = || {
                *sessions += 1;
                *sessions - 1
            };
            let session = match (e.session, unnamed) {
                (Some(key), _) => *named.entry(key).or_insert_with(next),
                (None, Some((session, last))) if e.at - last <= 30 * MINUTE => session,
                (None, _) => next(),
            };
            if e.session.is_none() {
                unnamed = Some((session, e.at));
            }
            kept.push(Kept {
                item: self.items.iter().position(|key| *key == KEYS[e.item as usize]).unwrap(),
                kind: e.kind,
                at: e.at,
                quantity: left,
                value: e.value,
                channel: e.channel,
                session,
                weight: self.weight(e, left),
            });
        }
        kept
    }
}

fn near(a: f32, b: f32) -> bool {
    (a - b).abs() <= 1e-5 * a.abs().max(b.abs()).max(1.0)
}

fn builder(weights: &EventWeights) -> DatasetBuilder {
    let weights = weights.clone().check().unwrap();
    DatasetBuilder::new(Lineage::new(7)).weights(weights).as_of(Timestamp::from_millis(AS_OF))
}

fn stored(data: &Dataset, row: usize) -> Vec<Kept> {
    let user = UserIdx::new(row as u32);
    let events = data.events_of(user);
    let more = events.sessions().iter().zip(data.event_weights_of(user));
    let kept = events.iter().zip(more).map(|(e, (&session, &weight))| Kept {
        item: e.item.as_usize(),
        kind: e.kind,
        at: e.at.millis(),
        quantity: e.quantity,
        value: e.value,
        channel: e.channel,
        session,
        weight,
    });
    kept.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn the_dataset_is_what_its_slow_twin_says(
        events in prop::collection::vec(given(), 0..60), weights in weights()
    ) {
        let (mut twin, mut builder) = (Twin::new(&weights), builder(&weights));
        let mut reasons: BTreeMap<RejectReason, u64> = BTreeMap::new();
        for reason in events.iter().filter_map(|e| twin.take(e)) {
            *reasons.entry(reason).or_default() += 1;
        }
        let report = builder.ingest(events.iter().map(Given::event).collect::<Vec<_>>()).unwrap();
        prop_assert_eq!(report.offered, events.len() as u64);
        prop_assert_eq!(report.accepted + report.rejected(), report.offered);
        let counted: BTreeMap<_, _> = report.reasons().map(|(reason, r)| (reason.clone(), r.count)).collect();
        prop_assert_eq!(counted, reasons);

        let data = builder.build().unwrap();
        let expected = twin.rows();
        prop_assert_eq!(data.n_rows(), expected.len());
        prop_assert_eq!(data.item_keys().collect::<Vec<_>>(), twin.items.clone());
        let mut on_item: Vec<Vec<(EventKind, i64)>> = vec![Vec::new(); twin.items.len()];
        let mut pairs: BTreeMap<(usize, usize), f32> = BTreeMap::new();
        for (row, kept) in expected.iter().enumerate() {
            let stored = stored(&data, row);
            prop_assert_eq!(stored.len(), kept.len());
            for (got, want) in stored.iter().zip(kept) {
                prop_assert!(near(got.weight, want.weight), "{} is not {}", got.weight, want.weight);
                prop_assert_eq!(&Kept { weight: want.weight, ..got.clone() }, want);
                on_item[want.item].push((want.kind, want.at));
                *pairs.entry((row, want.item)).or_default() += want.weight;
            }
            let (key, found) = match twin.rows[row].0 {
                Shopper::Profiled(who) => (who.user(), data.user(who.user())),
                Shopper::Anonymous { .. } => ("", Some(UserIdx::new(row as u32))),
            };
            prop_assert_eq!(data.user_key(UserIdx::new(row as u32)), key);
            prop_assert_eq!(found, Some(UserIdx::new(row as u32)));
        }
        pairs.retain(|_, weight| *weight > 1e-6);
        for (item, key) in twin.items.iter().enumerate() {
            let item_idx = data.item(key).unwrap();
            prop_assert_eq!(item_idx.as_usize(), item);
            let got: Vec<_> = data.events_on(item_idx).map(|e| (e.kind, e.at.millis())).collect();
            prop_assert_eq!(&got, &on_item[item]);
            for row in 0..expected.len() {
                let user = UserIdx::new(row as u32);
                let by_user = data.items_of(user).get(item as u32);
                prop_assert_eq!(by_user, data.users_of(item_idx).get(user.get()));
                let want = pairs.get(&(row, item)).copied().unwrap_or(0.0);
                prop_assert!(near(by_user.unwrap_or(0.0), want), "{:?} is not {}", by_user, want);
            }
        }
        let n_pairs: usize = (0..data.n_rows()).map(|r| data.items_of(UserIdx::new(r as u32)).len()).sum();
        prop_assert_eq!(data.n_pairs(), n_pairs);

        let kept: Vec<&Kept> = expected.iter().flatten().collect();
        let summary = data.summary();
        prop_assert_eq!(summary.events, kept.len());
        prop_assert_eq!(summary.events as u64 + summary.cancelled, report.accepted);
        prop_assert_eq!(summary.users + summary.anonymous_sessions, expected.len());
        prop_assert_eq!(summary.sessions, kept.iter().map(|k| k.session).collect::<BTreeSet<_>>().len());
        prop_assert_eq!(summary.items_with_events, on_item.iter().filter(|events| !events.is_empty()).count());
        let mut by_kind: BTreeMap<EventKind, u64> = BTreeMap::new();
        kept.iter().for_each(|k| *by_kind.entry(k.kind).or_default() += 1);
        prop_assert_eq!(summary.by_kind.into_iter().collect::<BTreeMap<_, _>>(), by_kind);
        let span = kept.iter().map(|k| k.at).min().zip(kept.iter().map(|k| k.at).max());
        prop_assert_eq!(summary.span.map(|(a, b)| (a.millis(), b.millis())), span);
    }

    /// What differs between two states is what differs between the twin's.
    #[test]
    fn a_delta_names_exactly_the_rows_that_changed(
        events in prop::collection::vec(given(), 0..40), more in prop::collection::vec(given(), 0..6)
    ) {
        let weights = EventWeights::default();
        let (mut twin, mut builder) = (Twin::new(&weights), builder(&weights));
        builder.ingest(events.iter().map(Given::event).collect::<Vec<_>>()).unwrap();
        for e in &events {
            twin.take(e);
        }
        let (base, old) = (builder.build().unwrap(), twin.rows());
        builder.ingest(more.iter().map(Given::event).collect::<Vec<_>>()).unwrap();
        for e in &more {
            twin.take(e);
        }
        let (data, new) = (builder.build().unwrap(), twin.rows());
        // Session numbers run through the whole dataset; what counts is how they divide the row.
        let relative = |rows: &[Vec<Kept>], row: usize| {
            let mut kept = rows.get(row).cloned().unwrap_or_default();
            let first = kept.first().map_or(0, |k| k.session);
            kept.iter_mut().for_each(|k| k.session -= first);
            kept
        };
        let changed: Vec<UserIdx> = (0..new.len())
            .filter(|&row| relative(&old, row) != relative(&new, row))
            .map(|row| UserIdx::new(row as u32))
            .collect();
        let delta = Delta::between(&base, &data).unwrap();
        prop_assert_eq!(delta.rows(), changed);
        prop_assert!(Delta::between(&data, &data).unwrap().rows().is_empty());
    }

    /// Events of distinct times may arrive in any order.
    #[test]
    fn the_order_of_arrival_does_not_matter(
        events in prop::collection::vec(given(), 0..40).prop_shuffle(),
        order in any::<prop::sample::Index>(),
    ) {
        let events: Vec<Given> = events
            .into_iter()
            .enumerate()
            .map(|(i, e)| Given { at: e.at + i as i64, id: None, ..e })
            .collect();
        let mut turned = events.clone();
        if !turned.is_empty() {
            turned.rotate_left(order.index(events.len()));
            turned[..events.len() / 2].reverse();
        }
        let by_keys = |events: &[Given]| {
            let mut builder = builder(&EventWeights::default());
            builder.ingest(events.iter().map(Given::event).collect::<Vec<_>>()).unwrap();
            let data = builder.finish().unwrap();
            let rows = (0..data.n_rows()).map(|row| {
                let kept = stored(&data, row);
                let first = kept.first().map_or(0, |k| k.session);
                let events: Vec<_> = kept
                    .iter()
                    .map(|k| {
                        let key = data.item_key(likewise::ItemIdx::new(k.item as u32)).to_owned();
                        format!("{key} {} {} {:?} {} {}", k.kind, k.at, k.value, k.session - first, k.weight.to_bits())
                    })
                    .collect();
                let user = UserIdx::new(row as u32);
                let items: BTreeMap<_, _> = data
                    .items_of(user)
                    .iter()
                    .map(|(item, w)| (data.item_key(likewise::ItemIdx::new(item)).to_owned(), w.to_bits()))
                    .collect();
                (data.user_key(user).to_owned(), events, items)
            });
            rows.collect::<BTreeSet<_>>()
        };
        prop_assert_eq!(by_keys(&events), by_keys(&turned));
    }
}
