//! Why this item, and why not that one.

use crate::common::*;
use likewise::*;

fn fate(snapshot: &Snapshot, request: &Request<'_>, item: &str) -> Fate {
    snapshot.explain(request, item).unwrap().fate
}

fn by(names: &[&str]) -> Fate {
    Fate::Filtered { by: names.iter().map(|name| (*name).to_owned()).collect() }
}

#[test]
fn every_fate_has_its_name() {
    let bought = ("ann", "f", EventKind::Purchase, 50);
    let data = stocked(&["a", "b", "c", "d", "e", "f", "g"], &[bought]);
    let toy = |id| ItemRecord::new(id).category("category", "Toys").stock(3);
    let records = [toy("a"), toy("b"), toy("c"), toy("d"), toy("e").stock(0), toy("f"), toy("g")];
    let catalog = catalog_of(&records);
    let (gone, _) = catalog.update([CatalogChange::remove("g")]).unwrap();
    let one = Scripted::new("one", &data, &[("a", 3.0), ("b", 2.0), ("c", 1.0)]);
    let one = one.proposing([0, 1]).share();
    let seen = Seen { kinds: KindSet::of(&[EventKind::Purchase]), again_after: None };
    let ranker = as_is().scorer(one, 2.0).filter(Available).filter(seen).filter(NotInBasket);
    let snapshot = serve(&data, &std::sync::Arc::new(gone), ranker);
    let ann = Request::profiled(consented("ann"), day(100)).k(1);

    let listed = snapshot.explain(&ann, "a").unwrap();
    assert_eq!(listed.fate, Fate::Listed { position: 0, placement: Placement::Ranked });
    assert_eq!((listed.score.value, listed.score.reason), (Some(6.0), Reason::Blend));
    assert_eq!((listed.score.details.len(), listed.score.details[0].value), (1, Some(6.0)));
    assert_eq!(listed.score.details[0].details[0].value, Some(3.0), "below, the scorer's own opinion");

    let outranked = snapshot.explain(&ann, "b").unwrap();
    assert_eq!((outranked.fate, outranked.score.value), (Fate::Outranked, Some(4.0)));
    let unasked = snapshot.explain(&ann, "c").unwrap();
    assert_eq!((unasked.fate, unasked.score.value), (Fate::NotProposed, Some(2.0)), "what it would have had");
    assert_eq!(fate(&snapshot, &ann, "ghost"), Fate::Unknown);
    assert_eq!(fate(&snapshot, &ann, ""), Fate::Unknown);

    assert_eq!(fate(&snapshot, &ann, "e"), by(&["available"]));
    assert_eq!(fate(&snapshot, &ann, "f"), by(&["seen"]));
    assert_eq!(fate(&snapshot, &ann, "g"), by(&["removed", "available"]));
    let basket = ["a", "f"];
    let home = Select::within("category", ["Home"]);
    let picky = ann.basket(&basket).exclude(&["b", "f"]).only(&home).candidates(&["a", "b"]).on_page_of("d");
    assert_eq!(fate(&snapshot, &picky, "a"), by(&["only", "in basket"]));
    assert_eq!(fate(&snapshot, &picky, "b"), by(&["exclude", "only"]));
    assert_eq!(fate(&snapshot, &picky, "d"), by(&["exclude", "candidates", "only"]));
    assert_eq!(fate(&snapshot, &picky, "f"), by(&["exclude", "candidates", "only", "seen", "in basket"]));
    assert_eq!(fate(&snapshot, &ann.k(0), "a"), Fate::Outranked, "nothing is listed");
}

#[test]
fn a_place_that_no_score_gave_is_explained_too() {
    let data = wares(&["a", "b", "c", "d"]);
    let one = Scripted::new("one", &data, &[("a", 3.0)]).share();
    let more = Scripted::new("more", &data, &[("b", 5.0)]).share();
    let pin = Action::Pin { item: "d".into(), position: 0, filters: PinFilters::Override };
    let boost = Action::Boost { items: Select::items(["a"]), by: 0.5 };
    let ranker = as_is().scorer(one, 1.0).fallback(more).rule(Rule::new("sale", pin)).rule(Rule::new("lift", boost));
    let snapshot = serve(&data, &catalog_of(&[]), ranker);
    let listed = |position, placement| Fate::Listed { position, placement };
    let request = anybody().exclude(&["d"]);
    assert_eq!(told(&snapshot, &request), "d a b c");
    assert_eq!(fate(&snapshot, &request, "d"), listed(0, Placement::Pinned(0)));
    let lifted = snapshot.explain(&request, "a").unwrap();
    assert_eq!(lifted.score.value, Some(3.5));
    assert_eq!(lifted.score.details[1].reason, Reason::Rule { id: "lift".into() });
    let fallen = snapshot.explain(&request, "b").unwrap();
    assert_eq!((fallen.fate, fallen.score.value), (listed(2, Placement::Fallback(0)), Some(5.0)));
    assert_eq!(fallen.score.details[0].value, Some(5.0));
    let last = snapshot.explain(&request, "c").unwrap();
    assert_eq!(
        (last.fate, last.score.value, last.score.details.len()),
        (listed(3, Placement::Catalogue), Some(0.0), 0)
    );
    // The place is that of the whole list, whichever page is asked for.
    assert_eq!(fate(&snapshot, &request.offset(2).k(2), "b"), listed(2, Placement::Fallback(0)));
}

#[test]
fn reasons_in_words() {
    let data = wares(&["a", "b", "c"]);
    let one = Scripted::new("one", &data, &[("a", 3.0)]).share();
    let pin = Action::Pin { item: "c".into(), position: 0, filters: PinFilters::Respect };
    let snapshot = serve(&data, &catalog_of(&[]), as_is().scorer(one, 1.0).rule(Rule::new("sale", pin)));
    let list = snapshot.recommend(&anybody()).unwrap();
    let words: Vec<String> = list.iter().map(|item| English.reason(&item, &list, &str::to_uppercase)).collect();
    assert_eq!(words, ["chosen for you (sale)", "for you", "from our range"]);
}
