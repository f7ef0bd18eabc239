//! Text sources: every format, and every kind of bad input.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use likewise::{
    Channel, Columns, DatasetBuilder, Delimited, Dialect, EventKind, EventSource, Flow, IngestError, JsonLines,
    LawfulBasis, NegativeQuantity, OnReject, RejectReason, Shopper, SourceError, TimeFormat, Timestamp, Validate,
};
use proptest::prelude::*;

mod file;
mod format;

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
