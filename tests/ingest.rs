//! Parallel ingest is ingest: the same numbers, events, reports and errors, for any number of threads.
#![cfg(all(feature = "csv", feature = "json"))]

use std::fmt::Write;
use std::io::{self, Read};

use likewise::*;

/// SplitMix64.
struct Rng(u64);

impl Rng {
    fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn below(&mut self, n: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ mixed >> 31) % u64::from(n)) as u32
    }
}

fn columns() -> Columns {
    Columns::new("user", "item", LawfulBasis::Contract)
        .kind_column("kind")
        .time("time", TimeFormat::Auto)
        .session("session")
        .id("id")
        .query("query")
        .quantity("quantity", NegativeQuantity::Return)
}

fn pool(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
}

/// Everything there is to know about a builder, in the order of its numbers.
fn all(builder: DatasetBuilder) -> String {
    let data = builder.finish().unwrap();
    let mut text = format!("{:?}\n{:?}\n", data.summary(), data.item_keys().collect::<Vec<_>>());
    for row in (0..data.n_rows() as u32).map(UserIdx::new) {
        let (events, searches) = (data.events_of(row), data.searches_of(row).collect::<Vec<_>>());
        writeln!(text, "{} {:?} {searches:?}", data.user_key(row), data.user(data.user_key(row))).unwrap();
        for (event, session) in events.iter().zip(events.sessions()) {
            writeln!(text, " {event:?} {session}").unwrap();
        }
    }
    text
}

/// Lines of six columns, some of them bad, some quoted over several lines, some said twice; a few blocks of them.
fn csv(line_end: &str) -> String {
    let mut rng = Rng::new(5);
    let mut text = format!("\u{feff}user,item,kind,time,session,id,query,quantity,note{line_end}");
    for n in 0..45_000u32 {
        let (user, item) = (rng.below(3_000), rng.below(900));
        let kind = ["view", "purchase", "search", "no such kind"][rng.below(300).min(203) as usize / 68];
        let bare = kind == "search" && rng.below(3) == 0;
        let item = if bare { String::new() } else { format!("i{item}") };
        let time = if rng.below(500) == 0 { "last week".to_owned() } else { (1_600_000_000 + n).to_string() };
        let session = if rng.below(3) == 0 { String::new() } else { format!("s{}", n / 9) };
        let id = if rng.below(2) == 0 { String::new() } else { format!("e{}", rng.below(30_000)) };
        let query = if kind == "search" { format!("q{}", rng.below(50)) } else { String::new() };
        let quantity = i64::from(rng.below(4)) - 1;
        let note = match rng.below(40) {
            0 => format!("\"two{line_end}lines, \"\"quoted\"\"\""),
            1 => "6\" wide".to_owned(),
            2 => ",ragged".to_owned(),
            _ => "long enough to fill more than one block of text and then some more of it".to_owned(),
        };
        let user = if rng.below(50) == 0 { String::new() } else { format!("u{user}") };
        write!(text, "{user},{item},{kind},{time},{session},{id},{query},{quantity},{note}{line_end}").unwrap();
        if rng.below(200) == 0 {
            text.push_str(line_end);
        }
    }
    text
}

#[test]
fn csv_is_the_same_for_any_number_of_threads() {
    for line_end in ["\n", "\r\n"] {
        let text = csv(line_end);
        assert!(text.len() > 4 << 20, "only {} bytes", text.len());
        let source = || Delimited::from_reader(text.as_bytes(), columns()).unwrap();
        let mut serial = DatasetBuilder::default();
        let report = serial.ingest(source()).unwrap();
        assert!(report.rejected_for(&RejectReason::Duplicate) > 1_000 && report.rejected() > 2_000, "{report}");
        let want = all(serial);
        for threads in [1, 2, 4, 8] {
            let mut builder = DatasetBuilder::default();
            let got = pool(threads).install(|| builder.ingest_parallel(source(), &Run::default())).unwrap();
            assert_eq!(got, report, "{threads} threads");
            assert!(all(builder) == want, "{threads} threads");
        }
        let mut builder = DatasetBuilder::default();
        builder.ingest_parallel(source(), &Run::default().threads(Parallelism::Serial)).unwrap();
        assert!(all(builder) == want);
    }
}

#[test]
fn json_lines_are_the_same() {
    let (mut text, mut rng) = (String::from("\u{feff}"), Rng::new(9));
    for n in 0..60_000 {
        match rng.below(100) {
            0 => text.push_str("not json\n"),
            1 => text.push('\n'),
            2 => text.push_str("{\"user\":\"u1\",\"item\":[1]}\n"),
            _ => {
                let (user, item) = (rng.below(2_000), rng.below(500));
                let line = r#""kind":"view","note":"long enough to fill more than one block","time""#;
                writeln!(text, r#"{{"user":{user},"item":"i{item}",{line}:{}}}"#, 1_600_000_000 + n).unwrap();
            }
        }
    }
    text.push_str(r#"{"user":7,"item":"last","kind":"view","time":1600000000}"#); // without a line break
    let columns = || {
        Columns::new("user", "item", LawfulBasis::Contract).kind_column("kind").time("time", TimeFormat::UnixSeconds)
    };
    let source = || JsonLines::from_reader(text.as_bytes(), columns()).unwrap();
    let mut serial = DatasetBuilder::default();
    let report = serial.ingest(source()).unwrap();
    let want = all(serial);
    for threads in [1, 3] {
        let mut builder = DatasetBuilder::default();
        assert_eq!(pool(threads).install(|| builder.ingest_parallel(source(), &Run::default())).unwrap(), report);
        assert!(all(builder) == want, "{threads} threads");
    }
}

#[test]
fn a_line_beyond_all_measure_is_one_bad_record() {
    let mut text = String::from("{\"user\":1,\"item\":\"a\"}\n");
    text.extend(std::iter::repeat_n('x', (1 << 24) + 5));
    text.push_str("\n{\"user\":1,\"item\":\"b\"}\n");
    let source = || JsonLines::from_reader(text.as_bytes(), Columns::new("user", "item", LawfulBasis::Contract));
    let (mut one, mut many) = (DatasetBuilder::default(), DatasetBuilder::default());
    let (one, many) =
        (one.ingest(source().unwrap()).unwrap(), many.ingest_parallel(source().unwrap(), &Run::default()).unwrap());
    assert_eq!(one, many);
}

#[test]
fn stopping_at_the_first_bad_record_keeps_what_came_before() {
    let text = csv("\n");
    let source = || Delimited::from_reader(text.as_bytes(), columns()).unwrap();
    let stopping = || DatasetBuilder::default().on_reject(OnReject::Stop);
    let (mut one, mut many) = (stopping(), stopping());
    let show = |error: IngestError<SourceError>| match error {
        IngestError::Rejected { line, reason, report } => (line, reason, report),
        other => panic!("{other}"),
    };
    let serial = show(one.ingest(source()).unwrap_err());
    assert_eq!(show(many.ingest_parallel(source(), &Run::default()).unwrap_err()), serial);
    assert!(all(one) == all(many));
}

#[test]
fn stopping_deep_in_the_text_keeps_what_came_before() {
    let show = |error: IngestError<SourceError>| match error {
        IngestError::Rejected { line, reason, report } => (line, reason, report),
        other => panic!("{other}"),
    };
    for (named, bad_at) in [(false, 9_999), (true, 10_000), (false, 15_000), (true, 19_999)] {
        let mut text = String::from("user,item,kind,time,session,id,query,quantity\n");
        for n in 0..20_000 {
            let id = if named { format!("e{}", if n == bad_at { 7 } else { n }) } else { String::new() };
            let time = if n == bad_at && !named { "soon".to_owned() } else { (1_600_000_000 + n).to_string() };
            let (kind, item) = if n % 7 == 0 { ("search", String::new()) } else { ("view", format!("i{}", n % 501)) };
            let query = format!("q{}", n % 13);
            writeln!(text, "a shopper of a long name {},{item},{kind},{time},s{},{id},{query},1", n % 1_007, n / 5)
                .unwrap();
        }
        let source = || Delimited::from_reader(text.as_bytes(), columns()).unwrap();
        let stopping = || DatasetBuilder::default().on_reject(OnReject::Stop);
        let (mut one, mut many) = (stopping(), stopping());
        let serial = show(one.ingest(source()).unwrap_err());
        assert_eq!(serial.0, bad_at as u64 + 2);
        assert_eq!(show(many.ingest_parallel(source(), &Run::default()).unwrap_err()), serial);
        assert!(all(one) == all(many), "{named} {bad_at}");
    }
}

/// Fails after so many bytes.
struct Failing<'a>(&'a [u8], usize);

impl Read for Failing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.1.min(buffer.len()).min(self.0.len());
        if n == 0 {
            return Err(io::Error::other("the disk"));
        }
        buffer[..n].copy_from_slice(&self.0[..n]);
        (self.0, self.1) = (&self.0[n..], self.1 - n);
        Ok(n)
    }
}

#[test]
fn a_failing_disk_loses_nothing_that_was_read() {
    let text = csv("\n");
    for bytes in [0, 30, 2_000, 3_000_000] {
        let source = || Delimited::from_reader(Failing(text.as_bytes(), bytes), columns()).unwrap();
        let (mut one, mut many) = (DatasetBuilder::default(), DatasetBuilder::default());
        let serial = one.ingest(source()).unwrap_err().to_string();
        assert_eq!(many.ingest_parallel(source(), &Run::default()).unwrap_err().to_string(), serial);
        assert!(all(one) == all(many), "{bytes} bytes");
    }
}

#[test]
fn what_has_to_be_taken_in_order_is() {
    let text = "user,item,time\nu1,a,1\nu2,b,2\n";
    let timed = || Columns::new("user", "item", LawfulBasis::Contract).time("time", TimeFormat::UnixSeconds);
    let source = || Delimited::from_reader(text.as_bytes(), timed()).unwrap();
    let mut builder = DatasetBuilder::default();
    let ruled = source().leave_out("first", |row| row.item() == "a");
    assert_eq!(builder.ingest_parallel(ruled, &Run::default()).unwrap().accepted, 1);
    let mut begun = source();
    assert!(begun.for_each(&mut |_| Flow::Stop).is_ok());
    assert_eq!(DatasetBuilder::default().ingest_parallel(begun, &Run::default()).unwrap().accepted, 1);
    let mut cut = source();
    assert!(cut.parser().unwrap().is_some());
    assert_eq!(DatasetBuilder::default().ingest(cut).unwrap().accepted, 2);
    let arrival = Columns::new("user", "item", LawfulBasis::Contract);
    let arrival = Delimited::from_reader(text.as_bytes(), arrival).unwrap();
    assert_eq!(DatasetBuilder::default().ingest_parallel(arrival, &Run::default()).unwrap().accepted, 2);
    let missing = Columns::new("nobody", "item", LawfulBasis::Contract);
    let missing = Delimited::from_reader(text.as_bytes(), missing).unwrap();
    let error = DatasetBuilder::default().ingest_parallel(missing, &Run::default()).unwrap_err().to_string();
    assert!(error.contains("nobody"), "{error}");
    for empty in ["", "user,item,time\n"] {
        let source = Delimited::from_reader(empty.as_bytes(), timed()).unwrap();
        assert_eq!(DatasetBuilder::default().ingest_parallel(source, &Run::default()).unwrap().offered, 0);
    }
}
