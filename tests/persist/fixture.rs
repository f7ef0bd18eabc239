//! Files of every format there was must load for ever, and recommend what they did.
//!
//! `fixture/format-1.likewise` is of a synthetic shop, `fixture/format-1.txt` what it recommends. Neither is ever written
//! again; a new format gets files of its own: `LIKEWISE_FIXTURE=2 cargo test --all-features --test all fixture`.
//!
//! `fixture/live-1.likewise` and `live-2.likewise` are generations of a live recommender: the first tells the recipes of its
//! models, and the event it ends with, as debug text, the second as data (`LIKEWISE_LIVE_FIXTURE=3` for the next).

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use likewise::log::{Durability, MemoryLog};
use likewise::persist::Store;
use likewise::serve::Codecs;
use likewise::*;

use super::{Scratch, read, small_shop, written};

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/persist/fixture").join(name)
}

fn code(ranker: RankerBuilder) -> RankerBuilder {
    ranker.filter(Available).rerank(DiversityParams::default().check().unwrap())
}

fn shop() -> Snapshot {
    let (data, catalog) = small_shop(10, 250);
    let (data, catalog) = (Arc::new(data), Arc::new(catalog));
    let shelf = Shelf::new(&data, Arc::clone(&catalog));
    let train = TrainingSet::with_shelf(&data, &shelf);
    let run = Run::new(2).threads(Parallelism::Serial);
    let als = AlsParams { factors: 4, iterations: 2, ..AlsParams::default() };
    let fits: [(Box<dyn DynFit>, f32); 7] = [
        (Box::new(CoOccurrenceParams { min_support: 1, ..CoOccurrenceParams::co_view() }.check().unwrap()), 1.0),
        (Box::new(SessionKnnParams::vstan().check().unwrap()), 0.5),
        (Box::new(als.check().unwrap()), 0.8),
        (Box::new(TransitionParams::default().check().unwrap()), 0.3),
        (Box::new(ContentSimilarityParams::default().check().unwrap()), 0.2),
        (Box::new(PopularInParams::default().check().unwrap()), 0.1),
        (Box::new(PersonalFrequencyParams::default().check().unwrap()), 0.4),
    ];
    let ranker = fits
        .iter()
        .fold(Ranker::builder(), |ranker, (fit, weight)| ranker.scorer(fit.fit_dyn(&train, &run).unwrap(), *weight));
    let popular = PopularityParams::default().check().unwrap().fit(&train, &run).unwrap();
    let rule = Rule::new("new", Action::Boost { items: Select::within("category", [first_category(&shelf)]), by: 0.3 });
    let ranker =
        code(ranker.fallback(Arc::new(popular)).prefer(Preference::Fresh { half_life: Span::days(9) }, 0.1).rule(rule));
    let ranker = Arc::new(ranker.build().unwrap());
    Snapshot::new(Arc::clone(&data), Arc::clone(&catalog), ranker).unwrap()
}

fn first_category(shelf: &Shelf) -> String {
    let category = shelf.attribute("category").unwrap();
    shelf.value(category, 0).unwrap().to_owned()
}

/// Lists with their scores as text: four digits, since another machine's logarithm may differ in the last.
fn told(snapshot: &Snapshot) -> String {
    let now = snapshot.dataset().as_of();
    let mut text = String::new();
    let mut tell = |name: &str, request: &Request<'_>| {
        write!(text, "{name}:").unwrap();
        for item in snapshot.recommend(request).unwrap().iter() {
            write!(text, " {} {:.4}", item.id(), item.score()).unwrap();
        }
        text.push('\n');
    };
    let data = snapshot.dataset();
    for user in data.users().map(|user| data.user_key(user)).take(8).chain(["nobody"]) {
        tell(user, &Request::profiled(Consented::new(user, LawfulBasis::Contract), now).k(8));
    }
    let clicks = [SessionEvent::new("i3", EventKind::View, now), SessionEvent::new("i5", EventKind::View, now)];
    tell("session", &Request::anonymous(now).k(8).session(&clicks));
    tell("page", &Request::anonymous(now).k(8).on_page_of("i1"));
    text
}

#[test]
fn every_format_loads_for_ever() {
    if let Ok(format) = std::env::var("LIKEWISE_FIXTURE") {
        let snapshot = shop();
        let (file, text) = (path(&format!("format-{format}.likewise")), path(&format!("format-{format}.txt")));
        assert!(!file.exists(), "{} is there: it is never written again", file.display());
        std::fs::write(file, written(&snapshot)).unwrap();
        std::fs::write(text, told(&snapshot)).unwrap();
    }
    const FORMATS: &[u32] = &[1];
    for format in FORMATS {
        let file = std::fs::read(path(&format!("format-{format}.likewise"))).unwrap();
        let expected = std::fs::read_to_string(path(&format!("format-{format}.txt"))).unwrap();
        let snapshot = read(&file, code).unwrap_or_else(|e| panic!("format {format}: {e}"));
        assert_eq!(told(&snapshot), expected, "format {format}");
    }
}

fn lineup() -> Lineup {
    let together = CoOccurrenceParams { min_support: 1, ..CoOccurrenceParams::co_view() };
    let als = AlsParams { factors: 4, iterations: 2, ..AlsParams::default() };
    Lineup::new()
        .model(together.check().unwrap(), 1.0, Refit::EveryRefresh)
        .model_scaled(als.check().unwrap(), 0.7, Normalise::MinMax, Refit::After { events: 50 })
        .fallback(PopularityParams::default().check().unwrap(), Refit::EveryRefresh)
        .arranged(|ranker| ranker.filter(Available))
}

fn live(log: &Arc<MemoryLog>, store: &Store) -> Live<Arc<MemoryLog>> {
    let config = LiveConfig::new(lineup()).store(store.clone(), Codecs::default());
    Live::open(Arc::clone(log), config, Timestamp::from_secs(0), &Run::new(3).threads(Parallelism::Serial)).unwrap()
}

fn record(live: &Live<Arc<MemoryLog>>, range: std::ops::Range<i64>) {
    for n in range {
        let (user, item) = (format!("u{}", n * n % 11), format!("i{}", n * 7 % 13 + n % 3));
        let who = Shopper::Profiled(Consented::new(&user, LawfulBasis::Contract));
        let event = Event::new(who, &item, EventKind::View, Timestamp::from_secs(n * 60));
        live.record(&[event], event.at, Durability::Memory).unwrap();
    }
}

/// A generation of every form there was is served, and goes on with the log, without a fit.
#[test]
fn every_live_generation_opens_for_ever() {
    const FORMS: &[u32] = &[1, 2];
    let make: Option<u32> = std::env::var("LIKEWISE_LIVE_FIXTURE").ok().and_then(|form| form.parse().ok());
    for form in FORMS.iter().copied().chain(make.filter(|form| !FORMS.contains(form))) {
        let (file, text) = (path(&format!("live-{form}.likewise")), path(&format!("live-{form}.txt")));
        let folder = Scratch::new();
        let store = Store::open(folder.path(), 2).unwrap();
        let log = Arc::new(MemoryLog::default());
        let first = live(&log, &store);
        record(&first, 0..150);
        first.refresh(Timestamp::from_secs(10_000), &Run::new(3).threads(Parallelism::Serial)).unwrap();
        let generation = first.save().unwrap();
        if make == Some(form) {
            assert!(!file.exists(), "{} is there: it is never written again", file.display());
            std::fs::copy(store.path(generation), &file).unwrap();
            std::fs::write(&text, told(&first.recommender().snapshot())).unwrap();
        }
        std::fs::copy(&file, store.path(generation)).unwrap();
        record(&first, 150..160);
        let again = live(&log, &store);
        assert_eq!(
            (again.origin().generation, again.origin().replayed),
            (Some(generation), 10),
            "{:?}",
            again.origin()
        );
        assert_eq!(told(&again.recommender().snapshot()), std::fs::read_to_string(text).unwrap(), "form {form}");
    }
}
