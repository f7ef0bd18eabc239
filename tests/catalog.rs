//! What is sold? Building, updating and reading the catalogue.

use std::sync::Arc;

use likewise::{
    AttributeKind, AttributeValue, Catalog, CatalogBuilder, CatalogChange, CatalogError, Consented, Dataset,
    DatasetBuilder, Event, EventKind, ItemIdx, ItemRecord, LawfulBasis, Lineage, MAX_ID_BYTES, Shelf, Shopper,
    Timestamp,
};
use proptest::prelude::*;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

fn dataset(items: &[&str]) -> Dataset {
    let mut builder = DatasetBuilder::new(Lineage::new(1));
    let ann = Shopper::Profiled(Consented::new("ann", LawfulBasis::Contract));
    for item in items {
        builder.push(&Event::new(ann, item, EventKind::View, at(1))).unwrap();
    }
    builder.build().unwrap()
}

fn builder() -> CatalogBuilder {
    [
        ("category", AttributeKind::Category),
        ("brand", AttributeKind::Tags),
        ("title", AttributeKind::Text),
        ("weight", AttributeKind::Number),
    ]
    .into_iter()
    .fold(CatalogBuilder::default(), |builder, (name, kind)| builder.attribute(name, kind).unwrap())
}

fn catalog(items: &[ItemRecord<'_>]) -> Catalog {
    let mut builder = builder();
    items.iter().for_each(|item| builder.add(item).unwrap());
    builder.build()
}

fn mug() -> ItemRecord<'static> {
    ItemRecord::new("mug")
        .category("category", "Home> Kitchen >> Mugs")
        .tag("brand", " Acme ")
        .tag("brand", "Bolt")
        .tag("brand", "Acme")
        .text("title", "Blue mug")
        .number("weight", 310.0)
        .price(7.5)
        .stock(3)
        .released(at(10))
        .expires(at(20))
}

/// Everything a shelf says of an item, in words.
fn told(shelf: &Shelf, data: &Dataset, id: &str) -> Vec<String> {
    let Some(item) = shelf.item(data, id) else { return Vec::new() };
    let mut told = vec![format!("{:?} {:?} {:?}", shelf.price(item), shelf.stock(item), shelf.released(item))];
    for name in ["category", "brand"] {
        let attribute = shelf.attribute(name).unwrap();
        let mut values: Vec<_> =
            shelf.codes(item, attribute).iter().map(|&code| shelf.value(attribute, code).unwrap()).collect();
        values.sort_unstable();
        told.push(values.join(", "));
    }
    told.push(format!("{:?}", shelf.text(item, shelf.attribute("title").unwrap())));
    told.push(format!("{:?}", shelf.number(item, shelf.attribute("weight").unwrap())));
    told.push((0..30).map(|ms| if shelf.available(item, at(ms)) { '+' } else { '-' }).collect());
    told
}

#[test]
fn an_item_reads_as_it_was_given() {
    let data = dataset(&["mug"]);
    let shelf = Shelf::new(&data, Arc::new(catalog(&[mug()])));
    let golden = [
        "Some(7.5) Some(3) Some(Timestamp(10))",
        "Home, Home > Kitchen, Home > Kitchen > Mugs",
        "Acme, Bolt",
        "Some(\"Blue mug\")",
        "Some(310.0)",
        "----------++++++++++----------",
    ];
    assert_eq!(told(&shelf, &data, "mug"), golden);
    let (item, category) = (ItemIdx::new(0), shelf.attribute("category").unwrap());
    assert_eq!(shelf.value(category, shelf.leaf(item, category).unwrap()), Some("Home > Kitchen > Mugs"));
    assert_eq!(shelf.n_codes(category), 3);
    assert_eq!(shelf.code(category, "Home > Kitchen"), Some(1));
}

#[test]
fn a_shallower_path_has_its_own_leaf() {
    let data = dataset(&[]);
    let deep = ItemRecord::new("deep").category("category", "a > b > c");
    let shallow = ItemRecord::new("shallow").category("category", "a > b");
    let shelf = Shelf::new(&data, Arc::new(catalog(&[deep, shallow])));
    let category = shelf.attribute("category").unwrap();
    let leaf = |id| shelf.leaf(shelf.item(&data, id).unwrap(), category).and_then(|code| shelf.value(category, code));
    assert_eq!((leaf("deep"), leaf("shallow")), (Some("a > b > c"), Some("a > b")));
}

#[test]
fn every_nonsense_has_its_error() {
    type Expected = fn(&CatalogError) -> bool;
    let long = "x".repeat(MAX_ID_BYTES + 1);
    let lid = || ItemRecord::new("lid");
    let is_price: Expected = |e| matches!(e, CatalogError::Price { item, .. } if item == "lid");
    let cases: [(ItemRecord<'_>, Expected); 10] = [
        (ItemRecord::new(""), |e| *e == CatalogError::EmptyId),
        (ItemRecord::new(&long), |e| *e == CatalogError::IdTooLong { bytes: MAX_ID_BYTES + 1 }),
        (lid().price(f64::NAN), is_price),
        (lid().price(f64::INFINITY), is_price),
        (lid().price(-0.01), is_price),
        (lid().released(at(2)).expires(at(1)), |e| {
            *e == CatalogError::Dates { item: "lid".into(), released: at(2), expires: at(1) }
        }),
        (
            lid().tag("colour", "red"),
            |e| matches!(e, CatalogError::UnknownAttribute { attribute, .. } if attribute == "colour"),
        ),
        (lid().tag("category", "Home"), |e| {
            let (kind, got) = (AttributeKind::Category, AttributeKind::Tags);
            *e == CatalogError::WrongKind { item: "lid".into(), attribute: "category".into(), kind, got }
        }),
        (lid().number("weight", f64::NAN), |e| matches!(e, CatalogError::Number { .. })),
        (lid().tag("brand", &long), |e| matches!(e, CatalogError::ValueTooLong { .. })),
    ];
    let catalog = catalog(&[mug()]);
    for (record, expected) in cases {
        let mut builder = CatalogBuilder::from(catalog.clone());
        let error = builder.add(&record).unwrap_err();
        assert!(expected(&error), "{error:?}");
        assert_eq!((builder.len(), builder.replaced()), (1, 0), "a refused record leaves no trace");
        let error = catalog.update([CatalogChange::Put(record)]).unwrap_err();
        assert!(expected(&error), "{error:?}");
    }
}

#[test]
fn attributes_are_declared_once_and_within_reason() {
    let error = builder().attribute("brand", AttributeKind::Text).unwrap_err();
    let (first, second) = (AttributeKind::Tags, AttributeKind::Text);
    assert_eq!(error, CatalogError::DeclaredTwice { attribute: "brand".into(), first, second });
    assert!(builder().attribute("brand", AttributeKind::Tags).is_ok());
    assert_eq!(builder().attribute("", AttributeKind::Tags).unwrap_err(), CatalogError::AttributeName { bytes: 0 });
}

#[test]
fn a_later_record_replaces_an_earlier_one_whole() {
    let mut builder = builder();
    builder.add(&mug()).unwrap();
    builder.add(&ItemRecord::new("mug").price(1.0)).unwrap();
    assert_eq!((builder.len(), builder.replaced()), (1, 1));
    let data = dataset(&[]);
    let shelf = Shelf::new(&data, Arc::new(builder.build()));
    let golden = ["Some(1.0) None None", "", "", "None", "None", "++++++++++++++++++++++++++++++"];
    assert_eq!(told(&shelf, &data, "mug"), golden);
}

#[test]
fn items_of_the_dataset_come_first_then_the_catalogues_own() {
    let data = dataset(&["x", "mug", "y"]);
    let named = |id: &'static str| ItemRecord::new(id);
    let before = catalog(&[named("new 1"), named("mug"), named("new 2")]);
    let shelf = Shelf::new(&data, Arc::new(before.clone()));
    let keys = |shelf: &Shelf| -> Vec<String> {
        (0..shelf.n_items() as u32).map(|i| shelf.key(&data, ItemIdx::new(i)).to_owned()).collect()
    };
    assert_eq!(keys(&shelf), ["x", "mug", "y", "new 1", "new 2"]);
    for (i, id) in keys(&shelf).iter().enumerate() {
        assert_eq!(shelf.item(&data, id), Some(ItemIdx::new(i as u32)));
    }
    assert_eq!(shelf.item(&data, "who"), None);
    assert_eq!(shelf.key(&data, ItemIdx::new(5)), "");
    assert_eq!((shelf.row(ItemIdx::new(0)), shelf.row(ItemIdx::new(1))), (None, Some(1)));

    let (after, _) = before.update([CatalogChange::remove("new 1"), CatalogChange::Put(named("new 3"))]).unwrap();
    let after = Arc::new(after);
    for shelf in [Shelf::new(&data, after.clone()), shelf.renewed(&data, after)] {
        assert_eq!(keys(&shelf), ["x", "mug", "y", "new 1", "new 2", "new 3"], "an update moves nobody");
    }
    assert_eq!(keys(&Shelf::bare(&data)), ["x", "mug", "y"]);
}

#[test]
fn a_shelf_is_joined_anew_for_another_dataset() {
    let catalog = Arc::new(catalog(&[ItemRecord::new("mug")]));
    let (one, other) = (dataset(&["lid"]), dataset(&["mug", "lid"]));
    let shelf = Shelf::new(&one, catalog.clone()).renewed(&other, catalog);
    assert_eq!((shelf.n_items(), shelf.row(ItemIdx::new(0))), (2, Some(0)));
}

#[test]
fn availability_follows_stock_dates_and_removal() {
    let data = dataset(&["lid"]);
    let none = ItemRecord::new("mug");
    let season = |record: ItemRecord<'static>, ms: i64| {
        let shelf = Shelf::new(&data, Arc::new(catalog(&[record])));
        shelf.available(shelf.item(&data, "mug").unwrap(), at(ms))
    };
    for ms in [i64::MIN, -1, 0, i64::MAX] {
        assert!(season(none.clone(), ms), "nothing says otherwise");
        assert!(season(none.clone().stock(1), ms));
        assert!(season(none.clone().stock(u32::MAX), ms));
        assert!(!season(none.clone().stock(0), ms));
        assert!(!season(none.clone().expires(at(i64::MIN)), ms), "expired before time began");
    }
    let dated = none.released(at(10)).expires(at(20));
    assert_eq!([9, 10, 19, 20].map(|ms| season(dated.clone(), ms)), [false, true, true, false]);
    assert!(!season(dated.clone().stock(0), 15));

    let (after, _) = catalog(&[dated]).update([CatalogChange::remove("mug")]).unwrap();
    let shelf = Shelf::new(&data, Arc::new(after));
    assert!(!shelf.available(shelf.item(&data, "mug").unwrap(), at(15)));
    assert!(shelf.available(shelf.item(&data, "lid").unwrap(), at(15)), "not in the catalogue");
    assert!(!shelf.available(ItemIdx::new(99), at(15)), "no item at all");
}

#[test]
fn an_update_leaves_the_old_catalogue_as_it_was() {
    let data = dataset(&[]);
    let before = catalog(&[mug(), ItemRecord::new("tea")]);
    let old = Shelf::new(&data, Arc::new(before.clone()));
    let was = told(&old, &data, "mug");
    let news = [
        CatalogChange::price("mug", 6.0),
        CatalogChange::stock("mug", 0),
        CatalogChange::Dates { item: "mug".into(), released: None, expires: Some(at(25)) },
        CatalogChange::value("mug", "category", AttributeValue::category("Sale")),
        CatalogChange::value("mug", "brand", AttributeValue::tags(["Core"])),
        CatalogChange::Value { item: "mug".into(), attribute: "title".into(), value: None },
        CatalogChange::value("mug", "weight", AttributeValue::Number(300.0)),
        CatalogChange::Put(ItemRecord::new("cup").tag("brand", "Bolt")),
        CatalogChange::remove("tea"),
        CatalogChange::remove("tea"),
        CatalogChange::stock("who", 1),
    ];
    let (after, report) = before.update(news).unwrap();
    assert_eq!((report.changed, report.added, report.removed, report.unchanged, report.unknown), (7, 1, 1, 1, 1));
    assert_eq!(report.unknown_items, ["who"]);
    assert_eq!(told(&old, &data, "mug"), was);
    assert!(!before.is_removed("tea") && after.is_removed("tea"));
    let new = Shelf::new(&data, Arc::new(after.clone()));
    let golden = ["Some(6.0) Some(0) None", "Sale", "Core", "None", "Some(300.0)", "------------------------------"];
    assert_eq!(told(&new, &data, "mug"), golden);
    let (back, _) = after.update([CatalogChange::Put(ItemRecord::new("tea"))]).unwrap();
    assert!(!back.is_removed("tea"));
}

#[test]
fn an_update_names_a_few_unknown_items_and_counts_all() {
    let ids: Vec<String> = (0..9).map(|i| format!("u{i}")).collect();
    let changes = ids.iter().map(|id| CatalogChange::price(id.as_str(), 1.0));
    let (_, report) = catalog(&[]).update(changes).unwrap();
    assert_eq!((report.unknown, report.unknown_items.len()), (9, 5));
}

/// A change to one of three items, every value valid.
fn change() -> impl Strategy<Value = CatalogChange<'static>> {
    let id = || prop::sample::select(vec!["a", "b", "c"]);
    let number = || (0..3i32).prop_map(f64::from);
    let word = || prop::sample::select(vec!["x", "y", "x > y"]);
    prop_oneof![
        (id(), number()).prop_map(|(i, price)| CatalogChange::price(i, price)),
        (id(), 0..3u32).prop_map(|(i, units)| CatalogChange::stock(i, units)),
        (id(), prop::option::of(0..9i64), prop::option::of(9..20i64)).prop_map(|(i, from, until)| {
            CatalogChange::Dates { item: i.into(), released: from.map(at), expires: until.map(at) }
        }),
        (id(), word()).prop_map(|(i, w)| CatalogChange::value(i, "category", AttributeValue::category(w))),
        (id(), word()).prop_map(|(i, w)| CatalogChange::value(i, "brand", AttributeValue::tags([w]))),
        (id(), word()).prop_map(|(i, w)| CatalogChange::value(i, "title", AttributeValue::Text(w.into()))),
        (id(), number()).prop_map(|(i, n)| CatalogChange::value(i, "weight", AttributeValue::Number(n))),
        (id(), word()).prop_map(|(i, w)| CatalogChange::Put(ItemRecord::new(i).tag("brand", w).stock(2))),
        id().prop_map(CatalogChange::remove),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn one_update_is_many_updates(changes in prop::collection::vec(change(), 0..20)) {
        let data = dataset(&["b"]);
        let start = catalog(&[ItemRecord::new("a").price(1.0), ItemRecord::new("b")]);
        let old = Shelf::new(&data, Arc::new(start.clone()));
        let (at_once, report) = start.update(changes.clone()).unwrap();
        let counted = report.changed + report.added + report.removed + report.unchanged + report.unknown;
        prop_assert_eq!(counted, changes.len() as u64);
        let mut one_by_one = start;
        for change in changes {
            one_by_one = one_by_one.update([change]).unwrap().0;
        }
        let (x, y) = (Shelf::new(&data, Arc::new(at_once)), Shelf::new(&data, Arc::new(one_by_one)));
        let renewed = old.renewed(&data, x.catalog().clone());
        for id in ["a", "b", "c"] {
            prop_assert_eq!(told(&x, &data, id), told(&y, &data, id));
            prop_assert_eq!(told(&x, &data, id), told(&renewed, &data, id));
            prop_assert_eq!(x.item(&data, id), renewed.item(&data, id));
            prop_assert_eq!(x.item(&data, id), y.item(&data, id));
        }
    }
}

#[test]
fn the_memory_is_reported_by_part() {
    let data = dataset(&["mug"]);
    let shelf = Shelf::new(&data, Arc::new(catalog(&[mug()])));
    let report = shelf.memory_report();
    for part in ["joins", "seasons", "catalogue/item keys", "catalogue/attribute title"] {
        assert!(report.parts().any(|(name, bytes)| name == part && bytes > 0), "{part}\n{report}");
    }
    assert_eq!(report.total(), report.parts().map(|(_, bytes)| bytes).sum::<usize>());
}
