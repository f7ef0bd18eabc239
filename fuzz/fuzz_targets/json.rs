//! Any bytes as JSON lines: every record is accepted or rejected.
#![no_main]

use libfuzzer_sys::fuzz_target;
use likewise::{Columns, DatasetBuilder, JsonLines, LawfulBasis, TimeFormat};

fuzz_target!(|bytes: &[u8]| {
    let columns =
        Columns::new("user.id", "sku", LawfulBasis::Consent).kind_column("event").time("ts", TimeFormat::UnixSeconds);
    let Ok(source) = JsonLines::from_reader(bytes, columns) else { return };
    let mut builder = DatasetBuilder::default();
    if let Ok(report) = builder.ingest(source) {
        assert_eq!(report.accepted + report.rejected(), report.offered);
    }
    builder.finish().expect("few events make a dataset");
});
