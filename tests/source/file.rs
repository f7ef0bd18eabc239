//! Files: compressed ones, readers that drip and fail, the bundled shop.

use super::*;

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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

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
