//! Text sources: every format, and every kind of bad input.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use likewise::{
    Channel, Columns, DatasetBuilder, Delimited, Dialect, EventKind, EventSource, Flow, IngestError, JsonLines,
    LawfulBasis, NegativeQuantity, OnReject, RejectReason, Shopper, SourceError, TimeFormat, Timestamp, Validate,
};
use proptest::prelude::*;

/// An offered record, owned.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    line: u64,
    event: Result<Row, RejectReason>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Row {
    user: Option<String>,
    session: Option<String>,
    item: String,
    kind: String,
    at: i64,
    quantity: f32,
    value: Option<f32>,
    channel: Channel,
    id: Option<String>,
    query: Option<String>,
}

fn seen<S: EventSource>(source: &mut S) -> (Vec<Seen>, Result<(), S::Error>) {
    let mut all = Vec::new();
    let outcome = source.for_each(&mut |offered| {
        let event = offered.event.map(|e| Row {
            user: match e.shopper {
                Shopper::Profiled(who) => Some(who.user().to_owned()),
                Shopper::Anonymous { .. } => None,
            },
            session: e.session.map(str::to_owned),
            item: e.item.to_owned(),
            kind: e.kind.to_string(),
            at: e.at.millis(),
            quantity: e.quantity,
            value: e.value,
            channel: e.channel,
            id: e.id.map(str::to_owned),
            query: e.query.map(str::to_owned),
        });
        all.push(Seen { line: offered.line.expect("text has lines"), event });
        Flow::Continue
    });
    (all, outcome)
}

fn basic() -> Columns {
    Columns::new("user", "item", LawfulBasis::Contract)
}

fn csv(text: impl AsRef<[u8]>, columns: Columns) -> Vec<Seen> {
    let (all, outcome) = seen(&mut Delimited::from_reader(text.as_ref(), columns).unwrap());
    outcome.unwrap();
    all
}

fn json(text: impl AsRef<[u8]>, columns: Columns) -> Vec<Seen> {
    let (all, outcome) = seen(&mut JsonLines::from_reader(text.as_ref(), columns).unwrap());
    outcome.unwrap();
    all
}

fn rows(seen: &[Seen]) -> Vec<(u64, &str, &str)> {
    let good = seen.iter().filter_map(|s| Some((s.line, s.event.as_ref().ok()?)));
    good.map(|(line, row)| (line, row.user.as_deref().unwrap_or("-"), row.item.as_str())).collect()
}

fn reasons(seen: &[Seen]) -> Vec<(u64, RejectReason)> {
    seen.iter().filter_map(|s| Some((s.line, s.event.clone().err()?))).collect()
}

fn everything() -> Columns {
    basic()
        .kind_column("kind")
        .kind_named("pv", EventKind::View)
        .time("time", TimeFormat::Auto)
        .quantity("quantity", NegativeQuantity::Reject)
        .value("value")
        .session("session")
        .channel("channel")
        .id("id")
        .query("query")
}

fn expected_row() -> Row {
    Row {
        user: Some("ann".into()),
        session: Some("s1".into()),
        item: "mug, large".into(),
        kind: "add_to_cart".into(),
        at: 1_291_191_960_000,
        quantity: 2.5,
        value: Some(9.75),
        channel: Channel::Email,
        id: Some("e1".into()),
        query: Some("big \"mug\"".into()),
    }
}

#[test]
fn every_part_of_an_event_is_read_from_delimited_text() {
    let text = "\
id,user,item,ignored,kind,time,quantity,value,session,channel,query
e1,ann,\"mug, large\",x,cart,2010-12-01 08:26:00,2.5,9.75,s1,Email,\"big \"\"mug\"\"\"
,bob,tea,,pv, 1291191960 ,,,,,
";
    let all = csv(text, everything());
    assert_eq!(all[0], Seen { line: 2, event: Ok(expected_row()) });
    let plain = Row {
        user: Some("bob".into()),
        item: "tea".into(),
        kind: "view".into(),
        at: 1_291_191_960_000,
        quantity: 1.0,
        ..Row::default()
    };
    assert_eq!(all[1], Seen { line: 3, event: Ok(plain) });
    assert_eq!(all.len(), 2);
}

#[test]
fn every_part_of_an_event_is_read_from_json() {
    let text = r#"{"id":"e1","user":"ann","item":"mug, large","x":{"user":"no"},"kind":"cart","time":"2010-12-01T09:26:00+01:00","quantity":2.5,"value":"9.75","session":"s1","channel":"email","query":"big \"mug\""}
{"user":17850,"item":17850.0,"kind":"pv","time":1291191960.0,"session":null,"id":""}
{"user":18446744073709551615,"item":-3,"kind":"view","time":1291191960250,"nested":[[[{"user":1}]]]}"#;
    let all = json(text, everything());
    assert_eq!(all[0], Seen { line: 1, event: Ok(expected_row()) });
    assert_eq!(rows(&all)[1..], [(2, "17850", "17850"), (3, "18446744073709551615", "-3")]);
    let second = all[1].event.as_ref().unwrap();
    assert_eq!((second.at, second.session.clone(), second.id.clone()), (1_291_191_960_000, None, None));
    assert_eq!(all[2].event.as_ref().unwrap().at, 1_291_191_960_250);
}

#[test]
fn dialects() {
    let tab = "user\titem\n\"ann\"\tmug, \"large\n";
    let read = |dialect, text: &str| {
        let source = Delimited::from_reader(text.as_bytes(), basic()).unwrap().dialect(dialect);
        let (all, outcome) = seen(&mut source.unwrap());
        outcome.unwrap();
        rows(&all).iter().map(|&(_, user, item)| format!("{user}|{item}")).collect::<Vec<_>>()
    };
    assert_eq!(read(Dialect::TSV, tab), ["ann|mug, \"large"]);
    assert_eq!(read(Dialect::TSV.unquoted(), tab), ["\"ann\"|mug, \"large"]);
    assert_eq!(read(Dialect::SEMICOLON, "user;item\nann;\"a;b\"\n"), ["ann|a;b"]);
    assert_eq!(read(Dialect { separator: '|', quote: Some('\'') }, "user|item\nann|'a|b'\n"), ["ann|a|b"]);
    assert_eq!(Dialect::of_path(Path::new("x/Log.TSV.gz")), Dialect::TSV);
    assert_eq!(Dialect::of_path(Path::new("tsv/log.csv")), Dialect::CSV);

    for bad in [
        Dialect { separator: '\n', quote: None },
        Dialect { separator: 'é', quote: None },
        Dialect { separator: ',', quote: Some(',') },
        Dialect { separator: ',', quote: Some('»') },
    ] {
        let error = Delimited::from_reader(&b""[..], basic()).unwrap().dialect(bad).unwrap_err();
        assert!(matches!(error, SourceError::Mapping(_)), "{error}");
    }
}

#[test]
fn text_without_a_header_is_given_one() {
    let source = Delimited::from_reader(&b"ann,1,mug\nbob,2,tea\n"[..], basic()).unwrap();
    let (all, outcome) = seen(&mut source.header(["user", "n", "item"]));
    outcome.unwrap();
    assert_eq!(rows(&all), [(1, "ann", "mug"), (2, "bob", "tea")]);
}

#[test]
fn marks_line_ends_and_empty_lines() {
    let expected = [(2, "ann", "mug"), (4, "bob", "tea"), (5, "eve", "cup")];
    for text in [
        "user,item\nann,mug\n\nbob,tea\neve,cup\n",
        "user,item\nann,mug\n\nbob,tea\neve,cup",
        "\u{feff}user,item\nann,mug\n\nbob,tea\neve,cup\n",
        "user,item\r\nann,mug\r\n\r\nbob,tea\r\neve,cup\r\n",
        "user,item\r\nann,mug\r\n\r\nbob,tea\r\neve,cup",
        " user , item \nann,mug\n\nbob,tea\neve,cup",
    ] {
        assert_eq!(rows(&csv(text, basic())), expected, "{text:?}");
        let (all, outcome) = seen(&mut Delimited::from_reader(Dripping(text.as_bytes()), basic()).unwrap());
        outcome.unwrap();
        assert_eq!(rows(&all), expected, "byte by byte: {text:?}");
    }
    let lines = "{\"user\":\"ann\",\"item\":\"mug\"}\n \n{\"user\":\"bob\",\"item\":\"tea\"}";
    for text in [lines.to_owned(), format!("\u{feff}{lines}\n"), lines.replace('\n', "\r\n")] {
        assert_eq!(rows(&json(&text, basic())), [(1, "ann", "mug"), (3, "bob", "tea")], "{text:?}");
    }
}

#[test]
fn a_record_over_several_lines_is_named_by_its_first() {
    let text = "user,item\nann,\"two\nlines\"\nbob,tea\nragged\n";
    let all = csv(text, basic());
    assert_eq!(rows(&all), [(2, "ann", "two\nlines"), (4, "bob", "tea")]);
    assert_eq!(reasons(&all), [(5, RejectReason::Ragged)]);
}

#[test]
fn nothing_to_read() {
    for text in ["", "\n\n", "user,item", "user,item\n", "\u{feff}user,item\r\n"] {
        assert_eq!(csv(text, basic()), [], "{text:?}");
        let mut builder = DatasetBuilder::default();
        let report = builder.ingest(Delimited::from_reader(text.as_bytes(), basic()).unwrap()).unwrap();
        assert_eq!((report.offered, builder.build().unwrap().n_events()), (0, 0));
    }
    for text in ["", "\n", "\u{feff}", "  \r\n\n"] {
        assert_eq!(json(text, basic()), [], "{text:?}");
    }
}

#[test]
fn a_missing_column_is_named_with_what_there_is() {
    let mut source = Delimited::from_reader(&b"CustomerID,Item,Time\n1,2,3\n"[..], basic()).unwrap();
    let (all, outcome) = seen(&mut source);
    let error = outcome.unwrap_err();
    assert_eq!(all, []);
    let SourceError::MissingColumn { column, available, nearest } = &error else { panic!("{error}") };
    assert_eq!((column.as_str(), nearest.as_deref()), ("user", None));
    assert_eq!(available, &["CustomerID", "Item", "Time"]);

    let columns = Columns::new("CustomerId", "Item", LawfulBasis::Contract);
    let mut source = Delimited::from_reader(&b"CustomerID,Item,Time\n1,2,3\n"[..], columns).unwrap();
    let message = seen(&mut source).1.unwrap_err().to_string();
    assert_eq!(
        message,
        "there is no column \"CustomerId\" (did you mean \"CustomerID\"?); the header has CustomerID, Item, Time"
    );
    assert!(seen(&mut source).0.is_empty(), "asked again, it offers nothing");
    assert!(csv("user,item\n", basic()).is_empty());
    let (_, outcome) = seen(&mut Delimited::from_reader(&b"user,item\n"[..], basic().also("Country")).unwrap());
    assert!(matches!(outcome, Err(SourceError::MissingColumn { .. })));
}

#[test]
fn ragged_and_truncated_lines() {
    let text = "user,item,kind\nann,mug,view\nann,mug\nann,mug,view,more\n,\nbob,tea,view\nbob,te";
    let all = csv(text, basic());
    assert_eq!(rows(&all), [(2, "ann", "mug"), (6, "bob", "tea")]);
    let ragged: Vec<_> = [3, 4, 5, 7].map(|line| (line, RejectReason::Ragged)).into();
    assert_eq!(reasons(&all), ragged);

    let good = r#"{"user":"bob","item":"tea"}"#;
    for cut in 1..good.len() {
        let all = json(format!("{}\n{good}\n", &good[..cut]), basic());
        assert_eq!(reasons(&all), [(1, RejectReason::Malformed)]);
        assert_eq!(rows(&all), [(2, "bob", "tea")]);
    }
}

#[test]
fn json_that_is_no_event() {
    for (line, reason) in [
        ("null", RejectReason::Malformed),
        ("[1]", RejectReason::Malformed),
        ("\"text\"", RejectReason::Malformed),
        ("{} {}", RejectReason::Malformed),
        (r#"{"user":"a","item":"b"} x"#, RejectReason::Malformed),
        (r#"{"user":["a"],"item":"b"}"#, RejectReason::Malformed),
        (r#"{"user":{"a":1,"b":{}},"item":"b"}"#, RejectReason::Malformed),
        (r#"{"user":{},"item":"b"}"#, RejectReason::Malformed),
        (r#"{"user":"\ud800","item":"b"}"#, RejectReason::Malformed),
        (r#"{"user":NaN,"item":"b"}"#, RejectReason::Malformed),
        (r#"{"user":1e300,"item":"b"}"#, RejectReason::BadNumber { field: "user" }),
        (r#"{"user":"a","item":18446744073709551616}"#, RejectReason::BadNumber { field: "item" }),
        (r#"{"item":"b"}"#, RejectReason::NoShopper),
        (r#"{"user":null,"item":"b"}"#, RejectReason::NoShopper),
    ] {
        let all = json(format!("{line}\n{{\"user\":\"ann\",\"item\":\"mug\"}}"), basic());
        assert_eq!(reasons(&all), [(1, reason)], "{line}");
        assert_eq!(rows(&all), [(2, "ann", "mug")]);
    }
    let deep = format!(r#"{{"user":"ann","item":"mug","x":{}1{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(json(&deep, basic()).len(), 1);
    let deep = format!(r#"{{"user":{}1{},"item":"mug"}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(reasons(&json(&deep, basic())), [(1, RejectReason::Malformed)]);
    assert_eq!(rows(&json(r#"{"user":"a","user":"b","item":"c"}"#, basic())), [(1, "b", "c")]);
}

/// With serde_json's `arbitrary_precision` on, numbers reach a visitor as such objects.
#[test]
fn json_numbers_of_arbitrary_precision() {
    let number = |text: &str| format!(r#"{{"$serde_json::private::Number":"{text}"}}"#);
    let line = |user: &str| format!("{{\"user\":{},\"item\":\"mug\"}}\n", number(user));
    let all = json(line("17850") + &line("17850.0") + &line("123456789012345678901234567890"), basic());
    assert_eq!(rows(&all), [(1, "17850", "mug"), (2, "17850", "mug"), (3, "123456789012345678901234567890", "mug")]);
}

#[test]
fn json_paths() {
    let columns = Columns::new("who.id", "what.sku.code", LawfulBasis::Consent).session("who.session");
    let text = r#"{"who":{"id":1,"session":"s"},"what":{"sku":{"code":"mug","n":3}}}
{"who.id":"flat","what.sku.code":"tea"}
{"who":"scalar","what":{"sku":{"code":"mug"}}}"#;
    let all = json(text, columns);
    assert_eq!(rows(&all), [(1, "1", "mug"), (2, "flat", "tea")]);
    assert_eq!(reasons(&all), [(3, RejectReason::NoShopper)]);
}

#[test]
fn a_line_beyond_all_bounds_is_skipped_whole() {
    let mut text = br#"{"user":"ann","item":""#.to_vec();
    text.resize((1 << 24) + 5_000, b'x');
    text.extend_from_slice(b"\"}\n{\"user\":\"bob\",\"item\":\"tea\"}");
    let all = json(&text, basic());
    assert_eq!(reasons(&all), [(1, RejectReason::Malformed)]);
    assert_eq!(rows(&all), [(2, "bob", "tea")]);
}

#[test]
fn bytes_that_are_not_utf8() {
    let text =
        b"user,item,note\nann,mug,fine\nann,m\xFFg,x\n\xFF,tea,x\nbob,tea,\xFF\nbob,\xC3,\xA9\neve,cup,\xC3\xA9\n";
    let all = csv(text, basic());
    assert_eq!(rows(&all), [(2, "ann", "mug"), (5, "bob", "tea"), (7, "eve", "cup")]);
    assert_eq!(
        reasons(&all),
        [
            (3, RejectReason::NotUtf8 { field: "item" }),
            (4, RejectReason::NotUtf8 { field: "user" }),
            (6, RejectReason::NotUtf8 { field: "item" }),
        ]
    );
    let text = b"{\"user\":\"ann\",\"item\":\"m\xFFg\"}\n{\"user\":\"bob\",\"item\":\"tea\",\"note\":\"\xFF\"}\n";
    let all = json(text, basic());
    assert_eq!(reasons(&all)[0], (1, RejectReason::NotUtf8 { field: "item" }));
    assert_eq!(rows(&all), [(2, "bob", "tea")]);
    // A header that is not UTF-8 harms only the columns it names.
    assert_eq!(rows(&csv(b"user,item,n\xFF\nann,mug,1\n", basic())), [(2, "ann", "mug")]);
}

#[test]
fn ids_of_no_and_of_ten_thousand_bytes() {
    let long = "x".repeat(10_000);
    let fits = "y".repeat(4096);
    let text = format!(
        "user,item,session,id\n{long},mug,,\nann,{long},,\nann,mug,{long},\nann,mug,,{long}\n,mug,,\nann,,,\n\
         ann, ,,\n,mug,s,\n{fits},{fits},{fits},{fits}\n"
    );
    let columns = || basic().session("session").id("id");
    let lines = text.lines().skip(1).map(|line| {
        let f: Vec<_> = line.split(',').collect();
        format!(r#"{{"user":"{}","item":"{}","session":"{}","id":"{}"}}"#, f[0], f[1], f[2], f[3])
    });
    let json = lines.collect::<Vec<_>>().join("\n");
    let mut builder = DatasetBuilder::default();
    let csv = builder.ingest(Delimited::from_reader(text.as_bytes(), columns()).unwrap()).unwrap();
    let mut builder = DatasetBuilder::default();
    let json = builder.ingest(JsonLines::from_reader(json.as_bytes(), columns()).unwrap()).unwrap();
    for report in [csv, json] {
        assert_eq!((report.offered, report.accepted, report.rejected()), (9, 2, 7));
        for field in ["user", "item", "session", "id"] {
            assert_eq!(report.rejected_for(&RejectReason::IdTooLong { field }), 1, "{field}");
        }
        assert_eq!(report.rejected_for(&RejectReason::NoShopper), 1);
        assert_eq!(report.rejected_for(&RejectReason::Missing { field: "item" }), 2);
    }
}

#[test]
fn times_at_the_limits_and_numbers_that_are_none() {
    let columns =
        || basic().time("time", TimeFormat::Auto).quantity("quantity", NegativeQuantity::Reject).value("value");
    let bad_quantity = RejectReason::BadNumber { field: "quantity" };
    let bad_value = RejectReason::BadNumber { field: "value" };
    let table = [
        ("9223372036854775807", "1", "1", Some(RejectReason::TimeOutOfRange)),
        ("-9223372036854775808", "1", "1", Some(RejectReason::TimeOutOfRange)),
        ("9223372036854775808", "1", "1", Some(RejectReason::BadTime)),
        ("0000-01-01", "1", "1", Some(RejectReason::TimeOutOfRange)),
        ("10000-01-01", "1", "1", Some(RejectReason::BadTime)),
        ("2011-02-29", "1", "1", Some(RejectReason::BadTime)),
        ("", "1", "1", Some(RejectReason::Missing { field: "time" })),
        ("5", "NaN", "1", Some(bad_quantity.clone())),
        ("5", "inf", "1", Some(bad_quantity.clone())),
        ("5", "1e39", "1", Some(bad_quantity.clone())),
        ("5", "two", "1", Some(bad_quantity)),
        ("5", "0", "1", Some(RejectReason::BadQuantity)),
        ("5", "-1", "1", Some(RejectReason::BadQuantity)),
        ("5", "1", "NaN", Some(bad_value.clone())),
        ("5", "1", "-inf", Some(bad_value.clone())),
        ("5", "1", "2,50", Some(bad_value)),
        ("5", " 2 ", " -2.5 ", None),
    ];
    for (time, quantity, value, reason) in table {
        let text = format!("user,item,time,quantity,value\nann,mug,{time},{quantity},\"{value}\"\n");
        let line =
            format!(r#"{{"user":"ann","item":"mug","time":"{time}","quantity":"{quantity}","value":"{value}"}}"#);
        let csv = DatasetBuilder::default().ingest(Delimited::from_reader(text.as_bytes(), columns()).unwrap());
        let json = DatasetBuilder::default().ingest(JsonLines::from_reader(line.as_bytes(), columns()).unwrap());
        for report in [csv.unwrap(), json.unwrap()] {
            assert_eq!(report.offered, 1);
            assert_eq!(report.reasons().map(|(reason, _)| reason.clone()).next(), reason, "{text}");
        }
    }
}

#[test]
fn consent_and_shoppers() {
    let columns = basic().session("session").consent("agreed");
    let text = "user,item,session,agreed\nann,mug,s1,yes\nann,mug,s1,no\nann,mug,s1,\nann,mug,,no\n,mug,s2, TRUE \n,mug,,1\nann,mug,, Y\n";
    let all = csv(text, columns.clone());
    assert_eq!(rows(&all), [(2, "ann", "mug"), (3, "-", "mug"), (4, "-", "mug"), (6, "-", "mug"), (8, "ann", "mug")]);
    assert_eq!(reasons(&all), [(5, RejectReason::NoShopper), (7, RejectReason::NoShopper)]);
    let text =
        "{\"user\":1,\"item\":1,\"session\":1,\"agreed\":true}\n{\"user\":1,\"item\":1,\"session\":1,\"agreed\":false}";
    assert_eq!(rows(&json(text, columns)), [(1, "1", "1"), (2, "-", "1")]);
    let text = "session,item\ns1,mug\n,tea\n";
    let all = csv(text, Columns::anonymous("session", "item"));
    assert_eq!(rows(&all), [(2, "-", "mug")]);
    assert_eq!(reasons(&all), [(3, RejectReason::NoShopper)]);
}

#[test]
fn negative_quantities_kinds_and_rules() {
    let text = "user,item,kind,quantity,value,country\nann,mug,buy,-2,3,UK\nann,mug,view,-2,3,UK\nann,POST,buy,1,3,UK\n\
                ann,tea,buy,1,0,UK\nann,tea,buy,1,2,FR\nann,tea,teleport,1,2,UK\nann,tea,,1,2,UK\n";
    let columns =
        basic().kind_column("kind").quantity("quantity", NegativeQuantity::Return).value("value").also("country");
    let mut source = Delimited::from_reader(text.as_bytes(), columns)
        .unwrap()
        .leave_out("junk code", |row| matches!(row.item(), "POST" | "M"))
        .leave_out("no price", |row| row.value().is_none_or(|price| price <= 0.0))
        .leave_out("abroad", |row| row.get("country") != Some("UK"));
    let (all, outcome) = seen(&mut source);
    outcome.unwrap();
    let returned = all[0].event.as_ref().unwrap();
    assert_eq!((returned.kind.as_str(), returned.quantity), ("return", 2.0));
    let viewed = all[1].event.as_ref().unwrap();
    assert_eq!((viewed.kind.as_str(), viewed.quantity), ("view", -2.0), "the builder refuses it");
    assert_eq!(
        reasons(&all),
        [
            (4, RejectReason::LeftOut("junk code")),
            (5, RejectReason::LeftOut("no price")),
            (6, RejectReason::LeftOut("abroad")),
            (7, RejectReason::UnknownKind),
            (8, RejectReason::Missing { field: "kind" }),
        ]
    );
}

#[test]
fn without_a_time_the_order_of_arrival_is_the_time() {
    let text = "user,item\nann,mug\nragged\nann,tea\n";
    let at = |columns| csv(text, columns).iter().filter_map(|s| Some(s.event.as_ref().ok()?.at)).collect::<Vec<_>>();
    assert_eq!(at(basic()), [0, 2]);
    assert_eq!(at(basic().arrival(Timestamp::from_millis(100))), [100, 102]);
    assert_eq!(at(basic().arrival(Timestamp::MAX)), [i64::MAX, i64::MAX]);
}

#[test]
fn a_mapping_is_data_and_is_checked() {
    let columns = everything().consent("agreed").also("country");
    let text = serde_json::to_string(&columns).unwrap();
    assert_eq!(serde_json::from_str::<Columns>(&text).unwrap(), columns);
    let short = r#"{"user":{"column":"CustomerID","basis":"contract"},"item":"StockCode","kind":{"constant":"purchase"},
        "time":{"column":{"column":"InvoiceDate"}},"session":"InvoiceNo"}"#;
    let written = Columns::new("CustomerID", "StockCode", LawfulBasis::Contract)
        .kind(EventKind::Purchase)
        .time("InvoiceDate", TimeFormat::Auto)
        .session("InvoiceNo");
    assert_eq!(serde_json::from_str::<Columns>(short).unwrap(), written);
    assert!(serde_json::from_str::<Columns>(r#"{"item":"x","itme":"y"}"#).is_err());

    for (columns, param) in [
        (Columns::new("", "item", LawfulBasis::Consent), "user"),
        (Columns::new("user", " ", LawfulBasis::Consent), "item"),
        (Columns::new("user", "user", LawfulBasis::Consent), "item"),
        (Columns::anonymous("", "item"), "session"),
        (Columns::anonymous("s", "item").consent("c"), "consent"),
        (basic().also(""), "also"),
        (basic().kind_named("", EventKind::View), "kind_names"),
        (basic().kind_named("a", EventKind::View).kind_named("a", EventKind::Click), "kind_names"),
        (basic().time("time", TimeFormat::Custom("%H:%M".into())), "time.format"),
        (serde_json::from_str(r#"{"item":"x"}"#).unwrap(), "user"),
    ] {
        assert_eq!(columns.validate().unwrap_err().param, param);
        let error = Delimited::from_reader(&b""[..], columns.clone()).unwrap_err();
        assert!(matches!(error, SourceError::Mapping(e) if e.param == param));
        assert!(JsonLines::from_reader(&b""[..], columns).is_err());
    }
}

#[test]
fn a_stopped_source_goes_on_where_it_was() {
    let mut source = Delimited::from_reader(&b"user,item\nann,mug\nann,tea\n"[..], basic()).unwrap();
    let mut first = Vec::new();
    source
        .for_each(&mut |offered| {
            first.push(offered.line);
            Flow::Stop
        })
        .unwrap();
    assert_eq!(first, [Some(2)]);
    assert_eq!(rows(&seen(&mut source).0), [(3, "ann", "tea")]);
}

#[test]
fn asked_to_stop_at_the_first_bad_line() {
    let mut builder = DatasetBuilder::default().on_reject(OnReject::Stop);
    let source = Delimited::from_reader(&b"user,item\nann,mug\nragged\nann,tea\n"[..], basic()).unwrap();
    let error = builder.ingest(source).unwrap_err();
    assert_eq!(error.to_string(), "record 3 was rejected: the line has another number of fields than the header");
    assert_eq!(builder.len(), 1);
}

/// A file of its own for one test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str, bytes: &[u8]) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("source-{}-{name}", std::process::id()));
        std::fs::write(&path, bytes).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn small_csv(lines: u32) -> String {
    (0..lines).fold("user,item\n".to_owned(), |text, i| text + &format!("u{},item{}\n", i % 7, i * i % 1000))
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn files_plain_and_compressed() {
    let text = small_csv(100);
    let mut members = gzip(&text.as_bytes()[..500]);
    members.extend(gzip(&text.as_bytes()[500..]));
    let expected = csv(&text, basic());
    for (name, bytes) in
        [("plain.csv", text.as_bytes().to_vec()), ("one.csv.gz", gzip(text.as_bytes())), ("two.CSV.GZ", members)]
    {
        let file = Scratch::new(name, &bytes);
        let (all, outcome) = seen(&mut Delimited::open(&file.0, basic()).unwrap());
        outcome.unwrap();
        assert_eq!(all, expected, "{name}");
    }
    let file = Scratch::new("tabs.tsv", text.replace(',', "\t").as_bytes());
    assert_eq!(seen(&mut Delimited::open(&file.0, basic()).unwrap()).0, expected);
    let file = Scratch::new("lines.jsonl.gz", &gzip(b"{\"user\":1,\"item\":2}"));
    assert_eq!(rows(&seen(&mut JsonLines::open(&file.0, basic()).unwrap()).0), [(1, "1", "2")]);

    let missing = Delimited::open("no/such/file.csv", basic()).unwrap_err();
    assert_eq!(missing.to_string(), "no/such/file.csv does not exist");
    assert!(matches!(missing, SourceError::NotFound { .. }));
    assert!(matches!(JsonLines::open("no/such/file.csv.gz", basic()), Err(SourceError::NotFound { .. })));
}

#[test]
fn a_compressed_file_cut_anywhere_keeps_what_came_before() {
    let text = small_csv(60);
    let all = csv(&text, basic());
    let whole = gzip(text.as_bytes());
    let mut most = 0;
    for cut in 0..whole.len() {
        let file = Scratch::new("cut.csv.gz", &whole[..cut]);
        let mut builder = DatasetBuilder::default();
        let error = builder.ingest(Delimited::open(&file.0, basic()).unwrap()).unwrap_err();
        let IngestError::Source { source: SourceError::Truncated { .. }, report } = &error else { panic!("{error}") };
        assert_eq!(report.offered, report.accepted, "half a line is no event (cut at {cut})");
        assert_eq!(report.accepted, builder.len() as u64);
        most = most.max(report.accepted);
        let (before, _) = seen(&mut Delimited::open(&file.0, basic()).unwrap());
        assert_eq!(before, all[..before.len()]);
    }
    assert_eq!(most, 60, "without its checksum the file is cut, yet all its events are there");
    let damaged: Vec<u8> = whole.iter().enumerate().map(|(i, b)| if i + 6 == whole.len() { !b } else { *b }).collect();
    let file = Scratch::new("damaged.csv.gz", &damaged);
    let (_, outcome) = seen(&mut Delimited::open(&file.0, basic()).unwrap());
    assert!(matches!(outcome, Err(SourceError::Read { .. })), "{outcome:?}");
}

/// One byte at a time, and an interruption before each.
struct Dripping<'a>(&'a [u8]);

impl Read for Dripping<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        static TURN: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);
        if TURN.fetch_not(std::sync::atomic::Ordering::Relaxed) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let n = buffer.len().min(1);
        self.0.read(&mut buffer[..n])
    }
}

/// Fails for good once `left` bytes were read.
struct Failing<'a> {
    text: &'a [u8],
    left: usize,
}

impl Read for Failing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::Error::other("the disk is on fire"));
        }
        let n = buffer.len().min(self.left).min(self.text.len());
        self.left -= n;
        self.text.read(&mut buffer[..n])
    }
}

#[test]
fn a_failing_reader_keeps_what_came_before() {
    let text = small_csv(20);
    let all = csv(&text, basic());
    let jsonl: String = text
        .lines()
        .skip(1)
        .map(|l| l.split_once(',').unwrap())
        .map(|(user, item)| format!("{{\"user\":\"{user}\",\"item\":\"{item}\"}}\n"))
        .collect();
    let all_json = json(&jsonl, basic());
    for left in 0..text.len() {
        let reader = Failing { text: text.as_bytes(), left };
        let (before, outcome) = seen(&mut Delimited::from_reader(reader, basic()).unwrap());
        let error = outcome.unwrap_err();
        assert!(error.to_string().ends_with("the disk is on fire"), "{error}");
        assert_eq!(before, all[..before.len()]);
        let lines = text[..left].matches('\n').count();
        assert_eq!(before.len(), lines.saturating_sub(1));
    }
    for left in 0..jsonl.len() {
        let reader = BufReader::new(Failing { text: jsonl.as_bytes(), left });
        let (before, outcome) = seen(&mut JsonLines::from_reader(reader, basic()).unwrap());
        assert!(matches!(outcome, Err(SourceError::Read { line, .. }) if line == before.len() as u64));
        assert_eq!(before, all_json[..before.len()]);
        assert_eq!(before.len(), jsonl[..left].matches('\n').count());
    }
}

/// Bytes that look enough like events to get past the first check.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop::sample::select(vec![
        &b"user,item,kind,time,quantity\n"[..],
        b"ann,mug,view,1291191960,1\n",
        b"ann",
        b",",
        b"\n",
        b"\r\n",
        b"\"",
        b"\xFF",
        b"\xC3",
        b"\xEF\xBB\xBF",
        b"2010-12-01 08:26:00",
        b"-9223372036854775808",
        b"NaN",
        b"{\"user\":1,\"item\":\"a\",\"kind\":\"view\",\"time\":0,\"quantity\":1}\n",
        b"{",
        b"}",
        b"\"user\":",
        b"\"item\":\"a\"",
        b"[[",
        b"null",
        b"\\u",
        b"1e999",
    ]);
    prop_oneof![
        3 => prop::collection::vec(pieces, 0..40).prop_map(|pieces| pieces.concat()),
        1 => prop::collection::vec(any::<u8>(), 0..300),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn arbitrary_bytes_are_counted_and_never_panic(noise in noise(), header in any::<bool>()) {
        let columns = || basic()
            .kind_column("kind")
            .time("time", TimeFormat::Auto)
            .quantity("quantity", NegativeQuantity::Return);
        let mut text = if header { b"user,item,kind,time,quantity\n".to_vec() } else { Vec::new() };
        text.extend_from_slice(&noise);
        let mut builder = DatasetBuilder::default();
        match builder.ingest(Delimited::from_reader(text.as_slice(), columns()).unwrap()) {
            Ok(report) => prop_assert_eq!(report.offered, report.accepted + report.rejected()),
            Err(IngestError::Source { source: SourceError::MissingColumn { .. }, .. }) => prop_assert!(!header),
            Err(error) => prop_assert!(false, "{}", error),
        }
        let report = builder.ingest(JsonLines::from_reader(noise.as_slice(), columns()).unwrap()).unwrap();
        let lines = noise.split(|b| *b == b'\n').enumerate().filter(|(i, line)| {
            let line = line.strip_prefix(if *i == 0 { &b"\xEF\xBB\xBF"[..] } else { b"" }).unwrap_or(line);
            !line.trim_ascii().is_empty()
        });
        prop_assert_eq!(report.offered, lines.count() as u64);
        prop_assert_eq!(report.offered, report.accepted + report.rejected());
        prop_assert_eq!(builder.build().unwrap().summary().events, builder.len());
    }

    #[test]
    fn arbitrary_gzip_never_panics(noise in prop::collection::vec(any::<u8>(), 0..200), keep in any::<prop::sample::Index>()) {
        let mut bytes = gzip(small_csv(10).as_bytes());
        bytes.truncate(keep.index(bytes.len() + 1));
        bytes.extend_from_slice(&noise);
        let reader = flate2::read::MultiGzDecoder::new(bytes.as_slice());
        let (before, _) = seen(&mut Delimited::from_reader(reader, basic()).unwrap());
        let mut lines = 0;
        let _ = BufReader::new(flate2::read::MultiGzDecoder::new(bytes.as_slice())).split(b'\n').try_for_each(|line| {
            line.map(|_| lines += 1)
        });
        prop_assert!(before.len() <= lines);
    }

    #[test]
    fn any_text_is_read_as_a_time_or_not(text in "\\PC{0,30}|[0-9TZ:. +-]{0,30}") {
        for format in [TimeFormat::Auto, TimeFormat::UnixSeconds, TimeFormat::UnixMillis, TimeFormat::Rfc3339,
            TimeFormat::Date, TimeFormat::Custom("%Y-%m-%d %H:%M".into())] {
            let _ = format.read(&text);
        }
        let _ = TimeFormat::Custom(text.clone());
        let _ = basic().time("time", TimeFormat::Custom(text)).validate();
    }

    /// What is written is read back, in every shape a time has.
    #[test]
    fn every_instant_is_read_back(ms in -62_135_596_800_000i64..=253_402_200_000_000) {
        let at = jiff::Timestamp::from_millisecond(ms).unwrap();
        let civil = jiff::tz::Offset::UTC.to_datetime(at);
        let read = |text: String| TimeFormat::Auto.read(&text).map(Timestamp::millis);
        prop_assert_eq!(read(at.to_string()), Some(ms));
        prop_assert_eq!(read(civil.to_string()), Some(ms));
        prop_assert_eq!(read(civil.to_string().replace('T', " ")), Some(ms));
        prop_assert_eq!(read(civil.date().to_string()), Some(ms.div_euclid(86_400_000) * 86_400_000));
        prop_assert_eq!(TimeFormat::UnixMillis.read(&ms.to_string()), Some(Timestamp::from_millis(ms)));
        let seconds = format!("{}{}.{:03}", if ms < 0 { "-" } else { "" }, ms.abs() / 1000, ms.abs() % 1000);
        prop_assert_eq!(TimeFormat::UnixSeconds.read(&seconds), Some(Timestamp::from_millis(ms)));
    }
}

/// The real shop: dirt and all, against what a plain split of its lines says.
#[test]
fn online_retail() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = root.join("../shared/data/online-retail/online_retail.csv.gz");
    if !path.exists() {
        println!("skipped: {} is not there", path.display());
        return;
    }
    let columns = Columns::new("CustomerID", "StockCode", LawfulBasis::Contract)
        .kind(EventKind::Purchase)
        .time("InvoiceDate", TimeFormat::Auto)
        .quantity("Quantity", NegativeQuantity::Return)
        .value("UnitPrice")
        .session("InvoiceNo");
    let mut builder = DatasetBuilder::default();
    let source = Delimited::open(&path, columns)
        .unwrap()
        .leave_out("no price", |row| row.value().is_none_or(|price| price <= 0.0));
    let report = builder.ingest(source).unwrap();
    println!("{report}");
    assert_eq!(report.offered, 541_909);
    assert_eq!(report.accepted + report.rejected(), report.offered);
    let data = builder.finish().unwrap();
    let summary = data.summary();
    println!("{summary}");
    assert_eq!(summary.events as u64 + summary.cancelled, report.accepted);
    assert_eq!(summary.span.unwrap().0, Timestamp::from_secs(1_291_191_960));
    let each = data.memory_report().total() as f64 / data.n_events() as f64;
    assert!(each <= 60.0, "{each} bytes an event");
}
