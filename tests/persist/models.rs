//! Every model there is, over random shops.

use std::sync::Arc;

use likewise::persist::{Container, Loader, PersistError, Saver, Verify};
use likewise::recipe::models;
use likewise::serve::{Codecs, Persist};
use likewise::*;
use proptest::prelude::*;
use serde_json::Map;

use super::{Scratch, read, small_shop, written};
use crate::common::{Asked, ask, recipe, world};

fn config() -> ProptestConfig {
    ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() }
}

/// The requests a model is compared by: known and unknown shoppers, sessions, pages.
fn same(a: &Snapshot, b: &Snapshot, what: &str) {
    let data = a.dataset();
    let now = data.as_of();
    let users: Vec<&str> = data.users().map(|user| data.user_key(user)).take(6).chain(["nobody"]).collect();
    let items: Vec<&str> = data.item_keys().take(5).collect();
    for user in users {
        let who = Consented::new(user, LawfulBasis::Contract);
        let request = Request::profiled(who, now).k(10);
        assert_eq!(a.recommend(&request).unwrap(), b.recommend(&request).unwrap(), "{what} to {user}");
    }
    for item in &items {
        let clicks = [SessionEvent::new(item, EventKind::View, now)];
        let basket = [*item];
        for request in [
            Request::anonymous(now).k(10).session(&clicks),
            Request::anonymous(now).k(10).basket(&basket),
            Request::anonymous(now).k(10).on_page_of(item),
        ] {
            assert_eq!(a.recommend(&request).unwrap(), b.recommend(&request).unwrap(), "{what} from {item}");
        }
    }
}

fn served(data: &Arc<Dataset>, catalog: &Arc<Catalog>, scorer: Arc<dyn Scorer>) -> Snapshot {
    let ranker = Ranker::builder().scorer(scorer, 1.0).build().unwrap();
    Snapshot::new(Arc::clone(data), Arc::clone(catalog), Arc::new(ranker)).unwrap()
}

/// Models that learn for long learn less here.
fn quick(name: &str) -> Map<String, serde_json::Value> {
    let mut params = Map::new();
    match name {
        "als" => params.extend([("factors".into(), 8.into()), ("iterations".into(), 2.into())]),
        "bpr" => params.extend([("factors".into(), 8.into()), ("epochs".into(), 2.into())]),
        "hybrid" => params.extend([("als".into(), serde_json::json!({"factors": 8, "iterations": 2}))]),
        _ => {}
    }
    params
}

pub(super) fn fit(name: &str, data: &Dataset, shelf: &Shelf) -> Arc<dyn Scorer> {
    let kind = models().iter().find(|kind| kind.name() == name).unwrap();
    let fit = kind.build(&quick(name)).unwrap();
    fit.fit_dyn(&TrainingSet::with_shelf(data, shelf), &Run::new(5).threads(Parallelism::Serial)).unwrap()
}

#[test]
fn every_model_comes_back_as_it_was() {
    let (data, catalog) = small_shop(3, 1_500);
    let (data, catalog) = (Arc::new(data), Arc::new(catalog));
    let shelf = Shelf::new(&data, Arc::clone(&catalog));
    let folder = Scratch::new();
    for kind in models() {
        let model = fit(kind.name(), &data, &shelf);
        let report = model.memory_report();
        let before = served(&data, &catalog, model);
        let file = written(&before);
        assert_eq!(file, written(&before), "{} is not written the same twice", kind.name());
        let after = read(&file, |ranker| ranker).unwrap_or_else(|e| panic!("{}: {e}", kind.name()));
        same(&before, &after, kind.name());
        assert_eq!(file, written(&after), "{} is not written the same again", kind.name());
        assert!(report.total() == 0 || file.len() > 1_000);
        let path = folder.path().join(kind.name());
        std::fs::write(&path, &file).unwrap();
        for verify in [Verify::Now, Verify::Later] {
            for open in [Container::read(&path, verify).unwrap(), Container::map(&path, verify).unwrap()] {
                let mapped = Snapshot::read_from(&open, &Codecs::default(), |ranker| ranker).unwrap();
                drop(open);
                same(&before, &mapped, kind.name());
            }
        }
    }
}

#[test]
fn the_shops_own_vectors_come_back() {
    let (data, catalog) = small_shop(3, 500);
    let mut vectors = Vectors::new(5).unwrap();
    for (n, key) in data.item_keys().enumerate() {
        let vector: Vec<f32> = (0..5).map(|d| ((n * 7 + d * 3) % 11) as f32 - 5.0).collect();
        vectors.push(key, &vector).unwrap();
    }
    vectors.push("of no item", &[1.0; 5]).unwrap();
    let recipe = EmbeddingRecipe::new(EmbeddingParams::default().check().unwrap(), Arc::new(vectors));
    let model = recipe.fit(&(&data).into(), &Run::new(1)).unwrap();
    let before = served(&Arc::new(data), &Arc::new(catalog), Arc::new(model));
    same(&before, &read(&written(&before), |ranker| ranker).unwrap(), "embedding");
}

#[test]
fn a_blend_of_blends_comes_back() {
    let (data, catalog) = small_shop(4, 800);
    let (data, catalog) = (Arc::new(data), Arc::new(catalog));
    let shelf = Shelf::new(&data, Arc::clone(&catalog));
    let session = Focus::on(HistoryView::Session, fit("vsknn", &data, &shelf)).latest(3);
    let ever = Focus::on(HistoryView::Profile, fit("als", &data, &shelf)).kinds(KindSet::of(&[EventKind::Purchase]));
    let inner = Blended::new(
        "inner",
        [
            BlendPart::new(Arc::new(session), 1.0).scale(PartScale::Log { floor: 0.01 }),
            BlendPart::new(Arc::new(ever), 0.3).share(PartShare::Fades { half_life: 2.0 }),
        ],
    );
    let outer = Blended::new(
        "outer",
        [
            BlendPart::new(Arc::new(inner.unwrap().pool(17).unwrap()), 0.1),
            BlendPart::new(fit("popularity", &data, &shelf), 0.7).scale(PartScale::Rank { c: 3.0 }),
        ],
    );
    let before = served(&data, &catalog, Arc::new(outer.unwrap()));
    let after = read(&written(&before), |ranker| ranker).unwrap();
    same(&before, &after, "blend");
    assert_eq!(written(&before), written(&after));
}

#[test]
fn trees_come_back() {
    let (data, catalog) = small_shop(4, 800);
    let (data, catalog) = (Arc::new(data), Arc::new(catalog));
    let shelf = Shelf::new(&data, Arc::clone(&catalog));
    const LEAF: u32 = u32::MAX;
    let forest = serde_json::json!({
        "weights": [1.0, 0.1], "roots": [0, 3], "features": [0, LEAF, LEAF, 1, LEAF, LEAF],
        "thresholds": [0.4, 0.0, 0.0, 2.0, 0.0, 0.0], "silent": [1, 0, 0, 0, 0, 0], "left": [1, 0, 0, 4, 0, 0],
        "values": [0.01, -0.2, 0.6, 0.0, -0.07, 0.31],
    });
    let forest: Forest = serde_json::from_value(forest).unwrap();
    let parts = vec![fit("vsknn", &data, &shelf), fit("popularity", &data, &shelf)];
    let blend = TreeBlend::new("trees", parts, forest).unwrap().pool(31).unwrap();
    let before = served(&data, &catalog, Arc::new(blend));
    let after = read(&written(&before), |ranker| ranker).unwrap();
    same(&before, &after, "trees");
    assert_eq!(written(&before), written(&after));
}

proptest! {
    #![proptest_config(config())]

    /// Law 10 over random shops, rankers and requests: the same lists, the same bytes.
    #[test]
    fn a_read_snapshot_recommends_the_same(world in world(), recipe in recipe(), asks in prop::collection::vec(ask(), 1..4)) {
        let before = world.snapshot(&recipe);
        let file = written(&before);
        let after = read(&file, |ranker| recipe.code(ranker)).unwrap();
        for asked in asks.iter().map(|ask| ask.own()) {
            let _: &Asked = &asked;
            let told = asked.with(|request| before.recommend(&request)).unwrap();
            prop_assert_eq!(told, asked.with(|request| after.recommend(&request)).unwrap());
        }
        prop_assert_eq!(file, written(&after));
    }

    /// The same for every kind of model, one a case.
    #[test]
    fn a_read_model_recommends_the_same(world in world(), model in 0usize..100, ask in ask()) {
        let kind = &models()[model % models().len()];
        let (data, catalog) = (Arc::new(world.dataset()), Arc::new(world.catalog()));
        let shelf = Shelf::new(&data, Arc::clone(&catalog));
        let before = served(&data, &catalog, fit(kind.name(), &data, &shelf));
        let file = written(&before);
        let after = read(&file, |ranker| ranker).unwrap_or_else(|e| panic!("{}: {e}", kind.name()));
        let asked = ask.own();
        let told = asked.with(|request| before.recommend(&request)).unwrap();
        prop_assert_eq!(told, asked.with(|request| after.recommend(&request)).unwrap(), "{}", kind.name());
        prop_assert_eq!(file, written(&after));
    }
}

/// A scorer of a shop's own.
#[derive(Debug)]
struct Margin {
    extent: (Lineage, usize, usize),
    margins: Vec<f32>,
}

impl Scorer for Margin {
    fn name(&self) -> &str {
        "margin"
    }
    fn extent(&self) -> Extent {
        let (lineage, n_items, n_rows) = self.extent;
        Extent { lineage, n_items, n_rows }
    }
    fn score(&self, _: &Context<'_>, out: &mut Scores<'_>, _: &mut Workspace) {
        for (slot, item) in out.items().iter().enumerate() {
            self.margins.get(item.as_usize()).into_iter().for_each(|&margin| out.set(slot, margin));
        }
    }
    fn propose(&self, _: &Context<'_>, limit: usize, out: &mut Candidates<'_>, _: &mut Workspace) {
        out.extend((0..self.margins.len() as u32).map(ItemIdx::new), limit);
    }
}

impl Persist for Margin {
    const CODEC: &'static str = "example.com/margin";
    fn save(&self, out: &mut Saver<'_>, _: &Codecs) -> Result<(), PersistError> {
        out.value("extent", &self.extent)?;
        out.column("margins", &self.margins)
    }
    fn load(from: &Loader<'_>, _: &Codecs) -> Result<Self, PersistError> {
        Ok(Self { extent: from.value("extent")?, margins: from.column("margins")? })
    }
}

#[test]
fn a_scorer_of_ones_own_is_kept_under_its_codec() {
    let (data, catalog) = small_shop(1, 300);
    let extent = data.extent();
    let margins = (0..data.n_items()).map(|i| 1.0 / (i + 1) as f32).collect();
    let margin = Margin { extent: (extent.lineage, extent.n_items, extent.n_rows), margins };
    let before = served(&Arc::new(data), &Arc::new(catalog), Arc::new(margin));
    let mut file = Vec::new();
    let error = before.write_to(&mut file, &Codecs::default()).unwrap_err();
    assert!(matches!(&error, PersistError::NoCodec { scorer } if scorer == "margin"), "{error}");
    file.clear();
    let codecs = Codecs::default().with::<Margin>();
    before.write_to(&mut file, &codecs).unwrap();
    let open = Container::from_bytes(&file, Verify::Now).unwrap();
    let error = Snapshot::read_from(&open, &Codecs::default(), |ranker| ranker).unwrap_err();
    assert!(error.to_string().contains("register it"), "{error}");
    match error {
        PersistError::UnknownCodec { scorer, codec } => {
            assert_eq!((scorer.as_str(), codec.as_str()), ("margin", "example.com/margin"));
        }
        other => panic!("{other}"),
    }
    same(&before, &Snapshot::read_from(&open, &codecs, |ranker| ranker).unwrap(), "margin");
}

/// What a request reserves room by must be what the file's columns say, not a number of its own.
#[test]
fn a_made_up_length_is_refused() {
    let (data, catalog) = small_shop(5, 400);
    let (data, catalog) = (Arc::new(data), Arc::new(catalog));
    let shelf = Shelf::new(&data, Arc::clone(&catalog));
    let file = written(&served(&data, &catalog, fit("vsknn", &data, &shelf)));
    let mut changed = 0;
    let made_up = super::fuzz::edited(&file, |table| {
        let values = table["values"].as_object_mut().unwrap().iter_mut();
        values.filter(|(name, _)| name.ends_with("/longest_row")).for_each(|(_, value)| {
            changed += 1;
            *value = u64::MAX.into();
        });
    });
    assert_eq!(changed, 1);
    let error = read(&made_up, |ranker| ranker).unwrap_err();
    assert!(matches!(error, PersistError::Unsound { .. }), "{error}");
}

/// A limit that somebody made up, as long as a number can be, is no limit, and no overflow.
#[test]
fn a_made_up_history_is_a_long_one() {
    let (data, catalog) = small_shop(5, 400);
    let (data, catalog) = (Arc::new(data), Arc::new(catalog));
    let shelf = Shelf::new(&data, Arc::clone(&catalog));
    let mut asked = 0;
    for kind in models() {
        let file = written(&served(&data, &catalog, fit(kind.name(), &data, &shelf)));
        let made_up = super::fuzz::edited(&file, |table| {
            let values = table["values"].as_object_mut().unwrap().iter_mut();
            values
                .filter(|(name, _)| name.ends_with("/history") && *name != "ranker/history") // which is refused
                .for_each(|(_, value)| *value = u64::MAX.into());
        });
        let Ok(snapshot) = read(&made_up, |ranker| ranker) else { continue };
        for user in ["u1", "u2"] {
            let who = Consented::new(user, LawfulBasis::Consent);
            snapshot.recommend(&Request::profiled(who, snapshot.dataset().as_of()).k(5)).unwrap();
        }
        asked += 1;
    }
    assert!(asked > 20, "{asked}");
}

#[test]
fn filters_left_out_are_noticed() {
    let (data, catalog) = small_shop(1, 300);
    let ranker = Ranker::builder().filter(Available).filter(NotInBasket).build().unwrap();
    let file = written(&Snapshot::new(Arc::new(data), Arc::new(catalog), Arc::new(ranker)).unwrap());
    read(&file, |ranker| ranker.filter(Available).filter(NotInBasket)).unwrap();
    for error in [read(&file, |ranker| ranker), read(&file, |ranker| ranker.filter(Available))] {
        let error = error.unwrap_err();
        assert!(matches!(error, PersistError::Recipe { what: "the filters", .. }), "{error}");
    }
    let rerank = DiversityParams::default().check().unwrap();
    let error = read(&file, |ranker| ranker.filter(Available).filter(NotInBasket).rerank(rerank)).unwrap_err();
    assert!(matches!(error, PersistError::Recipe { what: "the re-ranks", .. }), "{error}");
}
