//! Blends and focus: worked examples, additivity, the laws.

use std::sync::Arc;

use likewise::evaluate::{Case, Exclusion, System, Task};
use likewise::testing::{ShopParams, SyntheticShop, check_scorer, opinions, proposals};
use likewise::*;

/// Says what it is told, and proposes it.
#[derive(Debug)]
struct Fixed {
    name: &'static str,
    extent: Extent,
    says: Vec<Option<f32>>,
}

impl Scorer for Fixed {
    fn name(&self) -> &str {
        self.name
    }

    fn extent(&self) -> Extent {
        self.extent
    }

    fn score(&self, _: &Context<'_>, out: &mut Scores<'_>, _: &mut Workspace) {
        for (slot, item) in out.items().iter().enumerate() {
            if let Some(score) = self.says.get(item.as_usize()).copied().flatten() {
                out.set(slot, score);
            }
        }
    }

    fn propose(&self, _: &Context<'_>, limit: usize, out: &mut Candidates<'_>, _: &mut Workspace) {
        let scored = self.says.iter().enumerate().filter_map(|(i, s)| s.map(|score| (i, score)));
        let mut scored: Vec<Scored> = scored.map(|(i, score)| Scored { item: ItemIdx::new(i as u32), score }).collect();
        out.extend_top(&mut scored, limit);
    }
}

fn items(n: u32) -> Dataset {
    let keys: Vec<String> = (0..n).map(|i| format!("i{i}")).collect();
    let mut builder = DatasetBuilder::new(Lineage::new(u64::from(n)));
    builder.items(keys.iter().map(String::as_str)).unwrap();
    builder.finish().unwrap()
}

fn fixed(data: &Dataset, name: &'static str, says: &[Option<f32>]) -> Arc<dyn Scorer> {
    Arc::new(Fixed { name, extent: data.extent(), says: says.to_vec() })
}

fn close(got: &[Option<f32>], want: &[Option<f32>]) {
    assert_eq!(got.len(), want.len());
    for (g, w) in got.iter().zip(want) {
        match (g, w) {
            (Some(g), Some(w)) => assert!((g - w).abs() < 1e-6, "{got:?} is not {want:?}"),
            _ => assert_eq!(g, w, "{got:?} is not {want:?}"),
        }
    }
}

fn all(data: &Dataset) -> Vec<ItemIdx> {
    (0..data.n_items() as u32).map(ItemIdx::new).collect()
}

fn says(blend: &Blended, data: &Dataset) -> Vec<Option<f32>> {
    let shelf = Shelf::bare(data);
    opinions(blend, &Context::new(data, &shelf, data.as_of()), &all(data))
}

#[test]
fn scales_by_hand() {
    let data = items(5);
    let a = fixed(&data, "a", &[Some(8.0), Some(4.0), Some(-2.0), None, None]);
    let b = fixed(&data, "b", &[None, Some(1.0), None, Some(1.0), None]);
    let blend = |scale| {
        let a = BlendPart::new(Arc::clone(&a), 2.0).scale(scale);
        Blended::new("blend", [a, BlendPart::new(Arc::clone(&b), 0.5)]).unwrap()
    };
    let best = blend(PartScale::Best);
    close(&says(&best, &data), &[Some(2.0), Some(1.5), Some(0.0), Some(0.5), None]);
    close(&says(&blend(PartScale::AsIs), &data), &[Some(16.0), Some(8.5), Some(0.0), Some(0.5), None]);
    let ranks = blend(PartScale::Rank { c: 1.0 });
    close(&says(&ranks, &data), &[Some(2.0), Some(2.0 * 2.0 / 3.0 + 0.5), Some(1.0), Some(0.5), None]);
    let deviation =
        (((8f32 - 10.0 / 3.0).powi(2) + (4f32 - 10.0 / 3.0).powi(2) + (2f32 + 10.0 / 3.0).powi(2)) / 3.0).sqrt();
    let z = blend(PartScale::Deviations);
    close(&says(&z, &data), &[Some(20.0 / deviation), Some(12.0 / deviation + 0.5), Some(0.0), Some(0.5), None]);
    // Sums of logarithms rank as products do.
    let log = says(&blend(PartScale::Log { floor: 0.25 }), &data);
    let ln = |x: f32| (1.0 + x / 0.25).ln() / 5f32.ln();
    close(&log, &[Some(2.0), Some(2.0 * ln(0.5) + 0.5), Some(0.0), Some(0.5), None]);

    let shelf = Shelf::bare(&data);
    let cx = Context::new(&data, &shelf, data.as_of());
    assert_eq!(proposals(&best, &cx, 3).iter().map(|i| i.get()).collect::<Vec<_>>(), [0, 1, 3]);
    let explanation = best.explain(&cx, ItemIdx::new(1), &mut Workspace::default());
    assert_eq!(explanation.value, Some(1.5));
    assert_eq!(explanation.details.iter().map(|d| d.value).collect::<Vec<_>>(), [Some(1.0), Some(0.5)]);
    assert_eq!(explanation.details[0].details[0].value, Some(4.0));
}

#[test]
fn a_part_is_scaled_by_its_own_pool_whatever_is_asked_or_refused() {
    let data = items(4);
    let a = fixed(&data, "a", &[Some(8.0), Some(4.0), Some(2.0), Some(1.0)]);
    let blend = Blended::new("blend", [BlendPart::new(a, 1.0)]).unwrap().pool(2).unwrap();
    let shelf = Shelf::bare(&data);
    close(&opinions(&blend, &Context::new(&data, &shelf, data.as_of()), &[ItemIdx::new(2)]), &[Some(0.25)]);
    // The pool holds the best two; a refused one makes room for the next.
    let data = Arc::new(data);
    let touch = Touch { item: ItemIdx::new(0), kind: EventKind::View, at: data.as_of(), weight: 1.0 };
    let case = Case::new(data.as_of(), []).in_session(vec![touch]);
    let task = Task::new(Arc::clone(&data), data, shelf, vec![case]).unwrap().exclude(Exclusion::Current);
    let lists = task.lists(System::Scorer(&blend), 4, &Run::default()).unwrap();
    assert_eq!(lists.of(0).iter().map(|i| i.get()).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn shares_follow_the_session() {
    let data = items(2);
    let now = fixed(&data, "now", &[Some(1.0), None]);
    let ever = fixed(&data, "ever", &[None, Some(1.0)]);
    let blend = Blended::new(
        "blend",
        [
            BlendPart::new(now, 1.0).share(PartShare::Grows { half_life: 1.0 }),
            BlendPart::new(ever, 1.0).share(PartShare::Fades { half_life: 1.0 }),
        ],
    )
    .unwrap();
    let shelf = Shelf::bare(&data);
    let touch = Touch { item: ItemIdx::new(0), kind: EventKind::View, at: data.as_of(), weight: 1.0 };
    let history = [touch; 3];
    for (n, want) in [[None, Some(1.0)], [Some(0.5), Some(0.5)], [Some(0.75), Some(0.25)]].into_iter().enumerate() {
        let mut cx = Context::new(&data, &shelf, data.as_of());
        (cx.history, cx.session_len) = (&history, n);
        close(&opinions(&blend, &cx, &all(&data)), &want);
    }
}

#[test]
fn focus_shows_what_it_says() {
    let data = items(6);
    let recent = Checked::<RecentParams>::default().fit(&(&data).into(), &Run::default()).unwrap();
    let recent: Arc<dyn Scorer> = Arc::new(recent);
    let shelf = Shelf::bare(&data);
    let touch = |item, kind| Touch { item: ItemIdx::new(item), kind, at: data.as_of(), weight: 1.0 };
    let history = [
        touch(3, EventKind::View),
        touch(1, EventKind::Click),
        touch(4, EventKind::View),
        touch(0, EventKind::Click),
        touch(5, EventKind::View),
    ];
    let mut cx = Context::new(&data, &shelf, data.as_of());
    (cx.history, cx.session_len) = (&history, 2);
    let seen = |focus: Focus| proposals(&focus, &cx, 10).iter().map(|i| i.get()).collect::<Vec<_>>();
    let on = |view| Focus::on(view, Arc::clone(&recent));
    let views = KindSet::of(&[EventKind::View]);
    assert_eq!(seen(on(HistoryView::Whole)), [3, 1, 4, 0, 5]);
    assert_eq!(seen(on(HistoryView::Session)), [3, 1]);
    assert_eq!(seen(on(HistoryView::Profile)), [4, 0, 5]);
    assert_eq!(seen(on(HistoryView::Whole).kinds(views)), [3, 4, 5]);
    assert_eq!(seen(on(HistoryView::Session).kinds(views)), [3]);
    assert_eq!(seen(on(HistoryView::Profile).kinds(views).latest(1)), [4]);
    assert_eq!(seen(on(HistoryView::Whole).kinds(views).latest(1)), [3]);
    assert_eq!(seen(on(HistoryView::Whole).latest(3)), [3, 1, 4]);
}

#[test]
fn refuses_what_makes_no_blend() {
    let (data, other) = (items(2), items(3));
    let a = || BlendPart::new(fixed(&data, "a", &[Some(1.0)]), 1.0);
    assert_eq!(Blended::new("blend", []).unwrap_err(), BlendedError::Empty);
    let param = |result: Result<Blended, BlendedError>| match result.unwrap_err() {
        BlendedError::Param(error) => error.param,
        error => panic!("{error}"),
    };
    assert_eq!(param(Blended::new(" ", [a()])), "name");
    assert_eq!(param(Blended::new("b", [a(), BlendPart { weight: f32::NAN, ..a() }])), "parts.1.weight");
    assert_eq!(param(Blended::new("b", [a().scale(PartScale::Log { floor: 0.0 })])), "parts.0.scale.log.floor");
    assert_eq!(param(Blended::new("b", [a().scale(PartScale::Rank { c: -1.0 })])), "parts.0.scale.rank.c");
    assert_eq!(param(Blended::new("b", [a().share(PartShare::Fades { half_life: 0.0 })])), "parts.0.share.half_life");
    assert_eq!(Blended::new("b", [a()]).unwrap().pool(0).unwrap_err().param, "pool");
    let stranger = BlendPart::new(fixed(&other, "stranger", &[]), 1.0);
    let error = Blended::new("b", [a(), stranger]).unwrap_err();
    assert!(matches!(error, BlendedError::Lineage { ref part, .. } if part == "stranger"), "{error}");
}

#[test]
fn keeps_the_laws() {
    let shop = SyntheticShop::new(
        ShopParams { users: 150, items: 60, events: 1_500, ..ShopParams::default() }.check().unwrap(),
    );
    let mut builder = DatasetBuilder::default();
    builder.ingest(&shop).unwrap();
    let data = builder.finish().unwrap();
    let shelf = Shelf::bare(&data);
    let run = Run::default();
    let together: Arc<dyn Scorer> =
        Arc::new(Checked::<CoOccurrenceParams>::default().fit(&(&data).into(), &run).unwrap());
    let popular: Arc<dyn Scorer> = Arc::new(Checked::<PopularityParams>::default().fit(&(&data).into(), &run).unwrap());
    let scales = [
        PartScale::AsIs,
        PartScale::Best,
        PartScale::Deviations,
        PartScale::Rank { c: 5.0 },
        PartScale::Log { floor: 0.01 },
    ];
    for scale in scales {
        let now = Arc::new(Focus::on(HistoryView::Session, Arc::clone(&together)).latest(2));
        let bought = KindSet::of(&[EventKind::Purchase]);
        let ever = Arc::new(Focus::on(HistoryView::Profile, Arc::clone(&together)).kinds(bought));
        check_scorer(&*now, &data, &shelf).unwrap_or_else(|e| panic!("{e}"));
        check_scorer(&*ever, &data, &shelf).unwrap_or_else(|e| panic!("{e}"));
        let parts = [
            BlendPart::new(now, 1.0).scale(scale).share(PartShare::Grows { half_life: 2.0 }),
            BlendPart::new(ever, 0.5).scale(scale),
            BlendPart::new(Arc::clone(&popular), 0.1).scale(scale),
        ];
        let blend = Blended::new("blend", parts).unwrap().pool(7).unwrap();
        check_scorer(&blend, &data, &shelf).unwrap_or_else(|e| panic!("{scale:?}: {e}"));
        let outer = Blended::new("outer", [BlendPart::new(Arc::new(blend), 1.0).scale(scale)]).unwrap();
        check_scorer(&outer, &data, &shelf).unwrap_or_else(|e| panic!("{scale:?}: {e}"));
    }
}
