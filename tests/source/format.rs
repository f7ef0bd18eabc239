//! What a text may look like: delimited, JSON, dialects, marks.

use super::*;

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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

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
