//! Any bytes as a snapshot's file: an error or an answer. Seed the corpus with `tests/persist/fixture/`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use likewise::persist::{Container, Verify};
use likewise::serve::Codecs;
use likewise::{Available, DiversityParams, Request, Snapshot, Timestamp, Validate};

fuzz_target!(|bytes: &[u8]| {
    let Ok(file) = Container::from_bytes(bytes, Verify::Now) else { return };
    let Ok(diverse) = DiversityParams::default().check() else { return };
    let code = |ranker: likewise::RankerBuilder| ranker.filter(Available).rerank(diverse);
    if let Ok(snapshot) = Snapshot::read_from(&file, &Codecs::default(), code) {
        let _ = snapshot.recommend(&Request::anonymous(Timestamp::from_secs(0)).k(20));
    }
});
