//! Any bytes as delimited events: every record is accepted or rejected.
#![no_main]

use libfuzzer_sys::fuzz_target;
use likewise::{Columns, DatasetBuilder, Delimited, LawfulBasis, NegativeQuantity, TimeFormat};

fuzz_target!(|bytes: &[u8]| {
    let columns = Columns::new("who", "what", LawfulBasis::Contract)
        .kind_column("kind")
        .session("visit")
        .quantity("n", NegativeQuantity::Return)
        .value("price")
        .time("when", TimeFormat::Auto);
    let Ok(source) = Delimited::from_reader(bytes, columns) else { return };
    let mut builder = DatasetBuilder::default();
    if let Ok(report) = builder.ingest(source) {
        assert_eq!(report.accepted + report.rejected(), report.offered);
    }
    builder.finish().expect("few events make a dataset");
});
