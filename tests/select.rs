//! Which items? The compiled program against a slow twin that reads strings, and every refusal.

use std::collections::BTreeSet;
use std::sync::Arc;

use likewise::{
    AttributeKind, Catalog, CatalogBuilder, CompiledSelect, Consented, Dataset, DatasetBuilder, Event, EventKind,
    ItemIdx, ItemRecord, LawfulBasis, Lineage, Select, SelectError, Shelf, Shopper, Span, Timestamp,
};
use proptest::prelude::*;

const NOW: i64 = 1_000;

/// An item as the twin sees it.
#[derive(Clone, Debug, Default)]
struct Plain {
    id: String,
    listed: bool,
    paths: Vec<Vec<&'static str>>,
    brands: Vec<&'static str>,
    title: &'static str,
    weight: Option<f64>,
    price: Option<f64>,
    released: Option<i64>,
}

impl Plain {
    fn record(&self) -> ItemRecord<'_> {
        let mut record = ItemRecord::new(self.id.as_str());
        for path in &self.paths {
            record = record.category("category", path.join(">"));
        }
        for brand in &self.brands {
            record = record.tag("brand", *brand);
        }
        record = record.text("title", self.title);
        if let Some(weight) = self.weight {
            record = record.number("weight", weight);
        }
        if let Some(price) = self.price {
            record = record.price(price);
        }
        match self.released {
            Some(at) => record.released(Timestamp::from_millis(at)),
            None => record,
        }
    }

    /// The meaning of an expression, read off its definition.
    fn is_in(&self, select: &Select) -> bool {
        let between = |value: Option<f64>, min: &Option<f64>, max: &Option<f64>| {
            value.is_some_and(|v| min.is_none_or(|min| v >= min) && max.is_none_or(|max| v <= max))
        };
        match select {
            Select::All => true,
            Select::And(parts) => parts.iter().all(|part| self.is_in(part)),
            Select::Or(parts) => parts.iter().any(|part| self.is_in(part)),
            Select::Not(part) => !self.is_in(part),
            Select::Items(ids) => ids.contains(&self.id),
            _ if !self.listed => false,
            Select::In { attribute, values } if attribute == "brand" => {
                values.iter().any(|v| self.brands.contains(&v.as_str()))
            }
            Select::In { values, .. } => values.iter().any(|value| {
                let wanted: Vec<&str> = value.split('>').map(str::trim).collect();
                self.paths.iter().any(|path| path.starts_with(&wanted))
            }),
            Select::Has { attribute } => match attribute.as_str() {
                "category" => !self.paths.is_empty(),
                "brand" => !self.brands.is_empty(),
                "title" => !self.title.is_empty(),
                _ => self.weight.is_some(),
            },
            Select::Range { min, max, .. } => between(self.weight, min, max),
            Select::Price { min, max } => between(self.price, min, max),
            Select::Released { within } => self.released.is_some_and(|at| at <= NOW && NOW - at <= within.as_millis()),
            _ => unreachable!("a variant the twin does not know"),
        }
    }
}

fn dataset(items: &[&str]) -> Dataset {
    let mut builder = DatasetBuilder::new(Lineage::new(1));
    let ann = Shopper::Profiled(Consented::new("ann", LawfulBasis::Contract));
    for item in items {
        builder.push(&Event::new(ann, item, EventKind::View, Timestamp::from_millis(1))).unwrap();
    }
    builder.build().unwrap()
}

fn catalog(items: &[Plain]) -> Catalog {
    let mut builder = CatalogBuilder::default()
        .attribute("category", AttributeKind::Category)
        .unwrap()
        .attribute("brand", AttributeKind::Tags)
        .unwrap()
        .attribute("title", AttributeKind::Text)
        .unwrap()
        .attribute("weight", AttributeKind::Number)
        .unwrap();
    for item in items.iter().filter(|item| item.listed) {
        builder.add(&item.record()).unwrap();
    }
    builder.build()
}

/// Whom the compiled program and the twin let in.
fn both(items: &[Plain], seen: usize, select: &Select) -> (BTreeSet<String>, BTreeSet<String>) {
    let known: Vec<&str> = items[..seen].iter().map(|item| item.id.as_str()).collect();
    let data = dataset(&known);
    let shelf = Shelf::new(&data, Arc::new(catalog(items)));
    let mut compiled = Select::within("brand", ["Acme"]).compile(&data, &shelf).unwrap();
    compiled.compile_into(select, &data, &shelf).unwrap();
    let now = Timestamp::from_millis(NOW);
    let fast = (0..shelf.n_items() as u32)
        .map(ItemIdx::new)
        .filter(|&item| compiled.matches(&shelf, item, now))
        .map(|item| shelf.key(&data, item).to_owned())
        .collect();
    let there = |item: &&Plain| shelf.item(&data, &item.id).is_some();
    let slow = items.iter().filter(there).filter(|item| item.is_in(select)).map(|item| item.id.clone()).collect();
    (fast, slow)
}

fn path() -> impl Strategy<Value = Vec<&'static str>> {
    prop::collection::vec(prop::sample::select(vec!["a", "b", "c d"]), 1..4)
}

fn brand() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["Acme", "Bolt", "Core", "a"])
}

fn number() -> impl Strategy<Value = f64> {
    (0..5i32).prop_map(f64::from)
}

prop_compose! {
    fn plain()(
        listed in prop::bool::weighted(0.8),
        paths in prop::collection::vec(path(), 0..3),
        brands in prop::collection::vec(brand(), 0..3),
        title in prop::sample::select(vec!["", "mug"]),
        weight in prop::option::of(number()),
        price in prop::option::of(number()),
        released in prop::option::of(NOW - 5..NOW + 3),
    ) -> Plain {
        Plain { id: String::new(), listed, paths, brands, title, weight, price, released }
    }
}

fn items() -> impl Strategy<Value = Vec<Plain>> {
    prop::collection::vec(plain(), 1..12).prop_map(|mut items| {
        items.iter_mut().enumerate().for_each(|(i, item)| item.id = format!("i{i}"));
        items
    })
}

fn bounds() -> impl Strategy<Value = (Option<f64>, Option<f64>)> {
    (prop::option::of(number()), prop::option::of(number())).prop_map(|(a, b)| match (a, b) {
        (Some(a), Some(b)) if a > b => (Some(b), Some(a)),
        both => both,
    })
}

fn select() -> impl Strategy<Value = Select> {
    let spelled = (path(), prop::sample::select(vec![">", " > ", ">  "])).prop_map(|(path, sep)| path.join(sep));
    let leaf = prop_oneof![
        Just(Select::All),
        prop::collection::vec(spelled, 1..4).prop_map(|values| Select::within("category", values)),
        prop::collection::vec(brand(), 1..4).prop_map(|values| Select::within("brand", values)),
        Just(Select::within("brand", ["nobody"])),
        prop::sample::select(vec!["category", "brand", "title", "weight"])
            .prop_map(|attribute| Select::Has { attribute: attribute.to_owned() }),
        bounds().prop_map(|(min, max)| Select::Range { attribute: "weight".to_owned(), min, max }),
        bounds().prop_map(|(min, max)| Select::Price { min, max }),
        (0..6i64).prop_map(|ms| Select::Released { within: Span::millis(ms) }),
        prop::collection::vec(0..14u32, 1..5).prop_map(|ids| Select::items(ids.iter().map(|i| format!("i{i}")))),
    ];
    leaf.prop_recursive(5, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Select::And),
            prop::collection::vec(inner.clone(), 0..4).prop_map(Select::Or),
            inner.prop_map(Select::negate),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn the_program_matches_what_the_expression_says(items in items(), seen in 0..12usize, select in select()) {
        let (fast, slow) = both(&items, seen.min(items.len()), &select);
        prop_assert_eq!(fast, slow);
    }

    #[test]
    fn an_expression_survives_json(select in select()) {
        let text = serde_json::to_string(&select).unwrap();
        prop_assert_eq!(serde_json::from_str::<Select>(&text).unwrap(), select);
    }
}

/// mug: Home > Kitchen > Mugs, Acme; tea: Food; lid: in the events only.
fn shop() -> (Dataset, Shelf) {
    let plain = Plain { listed: true, ..Plain::default() };
    let mug = Plain {
        id: "mug".into(),
        paths: vec![vec!["Home", "Kitchen", "Mugs"]],
        brands: vec!["Acme"],
        weight: Some(310.0),
        price: Some(7.5),
        released: Some(400),
        ..plain.clone()
    };
    let tea = Plain { id: "tea".into(), paths: vec![vec!["Food"]], ..plain };
    let data = dataset(&["lid", "mug"]);
    let shelf = Shelf::new(&data, Arc::new(catalog(&[mug, tea])));
    (data, shelf)
}

fn matching(select: &Select) -> Vec<String> {
    let (data, shelf) = shop();
    let compiled = select.compile(&data, &shelf).unwrap();
    let items = (0..shelf.n_items() as u32).map(ItemIdx::new);
    items
        .filter(|&item| compiled.matches(&shelf, item, Timestamp::from_millis(NOW)))
        .map(|item| shelf.key(&data, item).to_owned())
        .collect()
}

#[test]
fn a_category_stands_for_everything_below_it() {
    assert_eq!(matching(&Select::within("category", ["Home"])), ["mug"]);
    assert_eq!(matching(&Select::within("category", ["Home>Kitchen"])), ["mug"]);
    assert_eq!(matching(&Select::within("category", ["Kitchen"])), [""; 0], "a level is no path");
    assert_eq!(matching(&Select::within("category", ["Home > Kit"])), [""; 0], "half a level is none");
    assert_eq!(matching(&Select::within("category", ["Food", "Home > Kitchen > Mugs"])), ["mug", "tea"]);
}

#[test]
fn what_is_not_known_is_not_in() {
    assert_eq!(matching(&Select::Price { min: None, max: None }), ["mug"]);
    assert_eq!(matching(&Select::Price { min: Some(7.5), max: Some(7.5) }), ["mug"], "both ends belong");
    assert_eq!(matching(&Select::Price { min: None, max: None }.negate()), ["lid", "tea"]);
    assert_eq!(matching(&Select::within("brand", ["comes next week"])), [""; 0]);
    assert_eq!(matching(&Select::items(["lid", "tea", "who"])), ["lid", "tea"]);
    assert_eq!(matching(&Select::Released { within: Span::millis(600) }), ["mug"]);
    assert_eq!(matching(&Select::Released { within: Span::millis(599) }), [""; 0]);
}

#[test]
fn the_empty_connectives_mean_what_logic_says() {
    assert_eq!(matching(&Select::And(vec![])).len(), 3);
    assert_eq!(matching(&Select::Or(vec![])).len(), 0);
    assert!(CompiledSelect::default().is_all());
}

#[test]
fn json_reads_as_one_would_write_it() {
    let select = Select::within("brand", ["Acme"])
        .and(Select::Range { attribute: "weight".into(), min: Some(1.5), max: None })
        .and(Select::Released { within: Span::days(1) })
        .or(Select::items(["mug"]).negate());
    let text = concat!(
        r#"{"or":[{"and":[{"in":{"attribute":"brand","values":["Acme"]}},"#,
        r#"{"range":{"attribute":"weight","min":1.5}},{"released":{"within":86400000}}]},"#,
        r#"{"not":{"items":["mug"]}}]}"#
    );
    assert_eq!(serde_json::to_string(&select).unwrap(), text);
    assert_eq!(serde_json::from_str::<Select>(r#""all""#).unwrap(), Select::All);
    for typo in [r#"{"price":{"mni":1}}"#, r#"{"xor":[]}"#, r#"{"in":{"attribute":"brand"}}"#] {
        assert!(serde_json::from_str::<Select>(typo).is_err(), "{typo}");
    }
}

#[test]
fn nonsense_is_refused_with_its_place() {
    let of = || "weight".to_owned();
    let range = |min, max| Select::Range { attribute: of(), min, max };
    for (select, error) in [
        (range(Some(f64::NAN), None), SelectError::NanBound { of: of() }),
        (range(Some(2.0), Some(1.0)), SelectError::Bounds { of: of(), min: 2.0, max: 1.0 }),
        (Select::Price { min: None, max: Some(f64::NAN) }, SelectError::NanBound { of: "price".into() }),
        (Select::within("brand", [""; 0]), SelectError::NoValues { of: "brand".into() }),
        (Select::Items(vec![]), SelectError::NoValues { of: "items".into() }),
    ] {
        // NaN does not equal itself; the text says it all.
        let nested = Select::Or(vec![Select::All, select.negate()]);
        assert_eq!(nested.validate().unwrap_err().to_string(), error.to_string());
        let (data, shelf) = shop();
        assert_eq!(nested.compile(&data, &shelf).unwrap_err().to_string(), error.to_string());
    }
}

#[test]
fn nesting_has_a_limit() {
    let nested = |depth| (1..depth).fold(Select::All, |inner, _| inner.negate());
    assert_eq!(nested(Select::MAX_DEPTH).validate(), Ok(()));
    let error = SelectError::TooDeep { limit: Select::MAX_DEPTH };
    assert_eq!(nested(Select::MAX_DEPTH + 1).validate(), Err(error));
    assert!(nested(10_000).validate().is_err());
}

#[test]
fn attributes_must_exist_and_fit() {
    let (data, shelf) = shop();
    let refused = |select: Select| select.compile(&data, &shelf).unwrap_err();
    let attribute = || "colour".to_owned();
    assert_eq!(refused(Select::within("colour", ["red"])), SelectError::NoAttribute { attribute: attribute() });
    assert_eq!(refused(Select::Has { attribute: attribute() }), SelectError::NoAttribute { attribute: attribute() });
    for (select, kind) in [
        (Select::within("title", ["Mug"]), AttributeKind::Text),
        (Select::within("weight", ["1"]), AttributeKind::Number),
        (Select::Range { attribute: "brand".into(), min: None, max: None }, AttributeKind::Tags),
    ] {
        assert!(matches!(refused(select), SelectError::WrongKind { kind: got, .. } if got == kind));
    }
}

#[test]
fn after_an_error_nothing_matches() {
    let (data, shelf) = shop();
    let mut compiled = Select::All.compile(&data, &shelf).unwrap();
    let half_wrong = Select::All.or(Select::within("colour", ["red"]));
    assert!(compiled.compile_into(&half_wrong, &data, &shelf).is_err());
    assert!(!compiled.matches(&shelf, ItemIdx::new(0), Timestamp::from_millis(NOW)));
    compiled.compile_into(&Select::All, &data, &shelf).unwrap();
    assert!(compiled.matches(&shelf, ItemIdx::new(0), Timestamp::from_millis(NOW)));
}

#[test]
fn a_number_beyond_the_shelf_is_in_no_set_of_the_catalogue() {
    let (data, shelf) = shop();
    let beyond = ItemIdx::new(u32::MAX);
    let now = Timestamp::from_millis(NOW);
    let compiled = Select::Has { attribute: "brand".into() }.or(Select::items(["mug"])).compile(&data, &shelf);
    assert!(!compiled.unwrap().matches(&shelf, beyond, now));
}
