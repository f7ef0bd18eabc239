//! Item files: what each column reads, and what becomes of bad rows and bad files.

#![cfg(all(feature = "csv", feature = "json", feature = "gzip"))]

use std::io::Write;
use std::sync::Arc;

use likewise::{
    AttributeKind, Catalog, CatalogBuilder, CatalogColumns, CatalogError, CatalogLoadError, CatalogReport,
    DatasetBuilder, Dialect, RejectReason, Shelf, SourceError, TimeFormat, Timestamp, Validate,
};

fn columns() -> CatalogColumns {
    CatalogColumns::new("sku")
        .category("category", "type", '/')
        .tag("brand", "brand")
        .tags("colour", "colours", '|')
        .text("title", "name")
        .number("weight", "weight")
        .price("price")
        .stock("stock")
        .released("from")
        .expires("until")
}

const HEADER: &str = "sku,type,brand,colours,name,weight,price,stock,from,until,ignored\n";

fn csv(text: impl AsRef<[u8]>) -> (Catalog, CatalogReport) {
    let mut builder = CatalogBuilder::default();
    let report = builder.read_csv(text.as_ref(), Dialect::CSV, &columns()).unwrap();
    (builder.build(), report)
}

fn json(text: impl AsRef<[u8]>) -> (Catalog, CatalogReport) {
    let mut builder = CatalogBuilder::default();
    let report = builder.read_json_lines(text.as_ref(), &columns()).unwrap();
    (builder.build(), report)
}

/// What the catalogue says of one item: attributes in order of declaration, price, stock, release, and whether it is
/// for sale on a day of 2011.
fn told(catalog: &Catalog, id: &str) -> String {
    let data = DatasetBuilder::default().build().unwrap();
    let shelf = Shelf::new(&data, Arc::new(catalog.clone()));
    let item = shelf.item(&data, id).unwrap();
    let mut told = String::new();
    for (name, kind) in catalog.attributes() {
        let attribute = shelf.attribute(name).unwrap();
        told += &match kind {
            AttributeKind::Text => shelf.text(item, attribute).unwrap_or_default().to_owned(),
            AttributeKind::Number => format!("{:?}", shelf.number(item, attribute)),
            _ => shelf
                .codes(item, attribute)
                .iter()
                .map(|&c| shelf.value(attribute, c).unwrap())
                .collect::<Vec<_>>()
                .join("; "),
        };
        told += " / ";
    }
    let in_2011 = Timestamp::from_secs(1_300_000_000);
    let sold = shelf.available(item, in_2011);
    let released = shelf.released(item).map(Timestamp::millis);
    told + &format!("{:?} {:?} {released:?} {sold}", shelf.price(item), shelf.stock(item))
}

#[test]
fn a_csv_row_reads_as_the_mapping_says() {
    let (catalog, report) = csv(format!(
        "\u{feff}{HEADER}m1,Home / Kitchen//Mugs,\"Ben, Jerry\",red| blue |,\"Mug \"\"Big\"\"\",310.5,7.50,12,2010-12-01,2012-01-01 00:00:00,x\n\
         m2,,,,,,,,,,\n"
    ));
    assert_eq!((report.rows.offered, report.rows.accepted, report.replaced), (2, 2, 0));
    assert_eq!(
        told(&catalog, "m1"),
        "Home; Home > Kitchen; Home > Kitchen > Mugs / Ben, Jerry / red; blue / Mug \"Big\" / Some(310.5) / \
         Some(7.5) Some(12) Some(1291161600000) true"
    );
    assert_eq!(told(&catalog, "m2"), " /  /  /  / None / None None None true");
}

#[test]
fn a_json_line_says_the_same() {
    let (catalog, report) = json(
        r#"{"sku":"m1","type":[["Home","Kitchen","Mugs"],"Sale/Week"],"brand":["Ben, Jerry"],"colours":["red|blue"],
"#
        .trim_end()
        .to_owned()
            + r#""name":["Big","mug"],"weight":310.5,"price":"7.50","stock":12.0,"from":1291161600,"until":null,"x":{}}"#
            + "\n\n{\"sku\": 17.0}\n{\"sku\": 18}",
    );
    assert_eq!((report.rows.offered, report.rows.accepted), (3, 3), "{report}");
    assert_eq!(
        told(&catalog, "m1"),
        "Home; Home > Kitchen; Home > Kitchen > Mugs; Sale; Sale > Week / Ben, Jerry / red; blue / Big mug / \
         Some(310.5) / Some(7.5) Some(12) Some(1291161600000) true"
    );
    assert_eq!(catalog.keys().collect::<Vec<_>>(), ["m1", "17", "18"]);
}

#[test]
fn stock_is_a_number_or_a_word() {
    for (text, stock) in [
        ("3", Some(3)),
        ("0", Some(0)),
        ("-2", Some(0)),
        ("0.4", Some(1)),
        ("1e12", Some(u32::MAX - 1)),
        ("in stock", None),
        ("TRUE", None),
        ("out-of-stock", Some(0)),
        ("false", Some(0)),
    ] {
        let (catalog, report) = json(format!(r#"{{"sku":"a","stock":"{text}"}}"#));
        assert_eq!((report.rows.accepted, catalog.stock_of("a")), (1, stock), "{text}");
    }
}

#[test]
fn bad_rows_are_counted_by_reason_and_never_end_the_load() {
    let long = "x".repeat(5000);
    let mut text = HEADER.as_bytes().to_vec();
    let rows = [
        "a,,,,,,1,,,,",
        ",,,,,,1,,,,",
        "b,,,,,,-1,,,,",
        "c,,,,,,nan,,,,",
        "d,,,,,,,few,,,",
        "e,,,,,heavy,,,,,",
        "f,,,,,,,,yesterday,,",
        "g,,,,,,,,2011-01-02,2011-01-01,",
        "h,,,,,,,,,",
        "a,,,,,,2,,,,",
    ];
    rows.iter().for_each(|row| writeln!(text, "{row}").unwrap());
    writeln!(text, "{long},,,,,,,,,,\ni,,{long},,,,,,,,").unwrap();
    text.extend_from_slice(b"j,,,,\xff,,,,,,\nk,,,,,,,,,,\xff\nz,,,,,,3,,,,");
    let (catalog, report) = csv(text);
    assert_eq!((report.rows.offered, report.rows.accepted, report.replaced), (15, 4, 1), "{report}");
    let lines = |reason: RejectReason| {
        report.rows.reasons().find(|(r, _)| **r == reason).map_or(vec![], |(_, rejected)| rejected.lines.clone())
    };
    let attribute = |name: &str| RejectReason::BadAttribute { attribute: name.into() };
    assert_eq!(lines(RejectReason::Missing { field: "item" }), [3]);
    assert_eq!(lines(RejectReason::BadPrice), [4, 5]);
    assert_eq!(lines(RejectReason::BadNumber { field: "stock" }), [6]);
    assert_eq!(lines(attribute("weight")), [7]);
    assert_eq!(lines(RejectReason::BadTime), [8]);
    assert_eq!(lines(RejectReason::ExpiresBeforeRelease), [9]);
    assert_eq!(lines(RejectReason::Ragged), [10]);
    assert_eq!(lines(RejectReason::IdTooLong { field: "item" }), [12]);
    assert_eq!(lines(attribute("brand")), [13]);
    assert_eq!(lines(RejectReason::NotUtf8 { field: "attributes" }), [14]);
    assert_eq!(catalog.keys().collect::<Vec<_>>(), ["a", "k", "z"]);
    assert_eq!(catalog.price_of("a"), Some(2.0), "the later row counts");
    assert!(report.to_string().ends_with("1 replaced an earlier row of the same item"));
}

#[test]
fn bad_json_lines_are_counted_too() {
    let mut text =
        b"\xEF\xBB\xBF{\"sku\":\"a\"}\nnot json\n[1]\n{\"sku\":{\"id\":1}}\n{\"sku\":[\"a\",\"b\"]}\n".to_vec();
    text.extend_from_slice(
        b"{\"sku\":1e300}\n{\"sku\":\"\xff\"}\n{}\n{\"sku\":\"b\",\"brand\":[[\"x\"]]}\n{\"sku\":\"c\"",
    );
    let (catalog, report) = json(text);
    assert_eq!((report.rows.offered, report.rows.accepted), (10, 1), "{report}");
    for (reason, count) in [
        (RejectReason::Malformed, 6),
        (RejectReason::BadNumber { field: "item" }, 1),
        (RejectReason::NotUtf8 { field: "the line" }, 1),
        (RejectReason::Missing { field: "item" }, 1),
    ] {
        assert_eq!(report.rows.rejected_for(&reason), count, "{report}");
    }
    assert_eq!(catalog.keys().collect::<Vec<_>>(), ["a"]);
}

#[test]
fn fields_below_others_are_found_nested_or_flat() {
    let columns = CatalogColumns::new("offer.sku").price("offer.price.amount");
    let mut builder = CatalogBuilder::default();
    let text = "{\"offer\":{\"sku\":\"a\",\"price\":{\"amount\":1}}}\n{\"offer.sku\":\"b\",\"offer.price.amount\":2}\n";
    builder.read_json_lines(text.as_bytes(), &columns).unwrap();
    let catalog = builder.build();
    assert_eq!((catalog.price_of("a"), catalog.price_of("b")), (Some(1.0), Some(2.0)));
}

#[test]
fn two_columns_may_feed_one_attribute() {
    let columns = CatalogColumns::new("sku").tag("brand", "brand").tags("brand", "makers", '|');
    let mut builder = CatalogBuilder::default();
    builder.read_csv("sku,brand,makers\na,Acme,Bolt|Core\n".as_bytes(), Dialect::CSV, &columns).unwrap();
    assert!(told(&builder.build(), "a").starts_with("Acme; Bolt; Core / "));
}

#[test]
fn a_file_is_read_by_its_name_compressed_or_not() {
    let folder = std::env::temp_dir().join(format!("likewise-catalog-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let columns = CatalogColumns::new("sku").price("price");
    let tsv = folder.join("items.tsv.gz");
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(b"sku\tprice\n").unwrap();
    (0..5_000).for_each(|i| writeln!(gz, "i{i}\t{i}").unwrap());
    let bytes = gz.finish().unwrap();
    std::fs::write(&tsv, &bytes).unwrap();
    let mut builder = CatalogBuilder::default();
    assert_eq!(builder.read_csv_file(&tsv, &columns).unwrap().rows.accepted, 5_000);

    std::fs::write(&tsv, &bytes[..bytes.len() / 2]).unwrap();
    let mut builder = CatalogBuilder::default();
    let Err(CatalogLoadError::Source { source: SourceError::Truncated { .. }, report }) =
        builder.read_csv_file(&tsv, &columns)
    else {
        panic!("half a file was taken for a whole one");
    };
    assert_eq!(report.rows.accepted, builder.len() as u64, "what was read stays");

    let lines = folder.join("items.jsonl");
    std::fs::write(&lines, "{\"sku\":\"a\",\"price\":1}\n").unwrap();
    let mut builder = CatalogBuilder::default();
    assert_eq!(builder.read_json_lines_file(&lines, &columns).unwrap().rows.accepted, 1);
    std::fs::remove_dir_all(&folder).unwrap();
    let error = builder.read_csv_file(&lines, &columns).unwrap_err();
    assert!(matches!(error, CatalogLoadError::Source { source: SourceError::NotFound { .. }, .. }));
}

#[test]
fn lines_are_counted_as_an_editor_shows_them() {
    let columns = CatalogColumns::new("sku").price("price");
    for end in ["\n", "\r\n"] {
        let text = ["sku,price", "a,1", "", "b,x", "\"c", "d\",x", "", "e,x"].join(end);
        let report = CatalogBuilder::default().read_csv(text.as_bytes(), Dialect::CSV, &columns).unwrap();
        let lines: Vec<_> = report.rows.reasons().flat_map(|(_, rejected)| rejected.lines.clone()).collect();
        assert_eq!(lines, [4, 5, 8], "{end:?}");
    }
}

#[test]
fn a_missing_column_is_named_with_those_there_are() {
    let mut builder = CatalogBuilder::default();
    let error =
        builder.read_csv("sku,prise\na,1\n".as_bytes(), Dialect::CSV, &CatalogColumns::new("sku").price("price"));
    let text = error.unwrap_err().to_string();
    assert!(text.contains("\"price\"") && text.contains("did you mean \"prise\""), "{text}");
}

#[test]
fn nothing_is_an_empty_catalogue() {
    for text in ["", HEADER] {
        let (catalog, report) = csv(text);
        assert_eq!((catalog.len(), report.rows.offered), (0, 0));
        assert_eq!(catalog.attributes().len(), 5);
    }
    assert_eq!(json("\n \n").1.rows.offered, 0);
}

#[test]
fn attributes_must_agree_with_those_declared_before() {
    let mut builder = CatalogBuilder::default().attribute("brand", AttributeKind::Text).unwrap();
    let error =
        builder.read_csv("".as_bytes(), Dialect::CSV, &CatalogColumns::new("sku").tag("brand", "b")).unwrap_err();
    assert!(matches!(error, CatalogLoadError::Catalog { source: CatalogError::DeclaredTwice { .. }, .. }));
}

#[test]
fn contradictory_mappings_are_refused() {
    assert_eq!(columns().validate(), Ok(()));
    let base = || CatalogColumns::new("sku");
    for (bad, param) in [
        (CatalogColumns::new(" "), "id"),
        (base().price(""), "price"),
        (base().tag("brand", ""), "attributes"),
        (base().tag("", "b"), "attributes"),
        (base().tag("brand", "b").text("brand", "c"), "attributes"),
        (base().text("title", "b").text("title", "c"), "attributes"),
        (base().released("from").time(TimeFormat::Custom("%H".into())), "time.format"),
    ] {
        assert_eq!(bad.validate().unwrap_err().param, param);
        let error = CatalogBuilder::default().read_csv("sku\n".as_bytes(), Dialect::CSV, &bad).unwrap_err();
        assert!(matches!(error, CatalogLoadError::Source { source: SourceError::Mapping(_), .. }));
    }
    let separated = r#"{"id":"sku","attributes":[{"attribute":"t","column":"t","kind":"text","separator":","}]}"#;
    assert!(serde_json::from_str::<CatalogColumns>(separated).unwrap().validate().is_err());
    assert!(serde_json::from_str::<CatalogColumns>(r#"{"id":"sku","prize":"p"}"#).is_err());
}
