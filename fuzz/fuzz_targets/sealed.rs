//! Any bytes as a snapshot's file, given right checksums first: what lies behind them is reached too. An error or an answer.
#![no_main]

use libfuzzer_sys::fuzz_target;
use likewise::persist::{Container, Verify};
use likewise::serve::Codecs;
use likewise::{
    Available, Consented, DiversityParams, EventKind, LawfulBasis, Request, SessionEvent, Snapshot, Validate,
};
use serde_json::Value;
use xxhash_rust::xxh3::xxh3_64;

fn word(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u64::from_le_bytes(bytes.get(at..at.checked_add(8)?)?.try_into().ok()?)).ok()
}

/// The file with checksums of what it holds; `None` when it has no table.
fn sealed(file: &[u8]) -> Option<Vec<u8>> {
    let end = file.len().checked_sub(64)?;
    let (at, len) = (word(file, end)?, word(file, end + 8)?);
    let mut table: Value = serde_json::from_slice(file.get(at..at.checked_add(len)?)?).ok()?;
    let mut bytes = file.get(..at)?.to_vec();
    for section in table.get_mut("sections").and_then(Value::as_array_mut).into_iter().flatten() {
        let number = |name| section.get(name).and_then(Value::as_u64).and_then(|n: u64| usize::try_from(n).ok());
        if let (Some(at), Some(len)) = (number("at"), number("bytes"))
            && let Some(of) = at.checked_add(len).and_then(|end| bytes.get(at..end))
        {
            let sum = xxh3_64(of);
            section.as_object_mut()?.insert("xxh3".to_owned(), sum.into());
        }
    }
    let text = serde_json::to_vec(&table).ok()?;
    bytes.extend_from_slice(&text);
    bytes.resize(bytes.len().next_multiple_of(64), 0);
    let mut trailer = [0u8; 64];
    let words = [at as u64, text.len() as u64, xxh3_64(&text), bytes.len() as u64 + 64];
    for (place, number) in words.into_iter().enumerate() {
        trailer[8 * place..8 * place + 8].copy_from_slice(&number.to_le_bytes());
    }
    trailer[48..56].copy_from_slice(b"ESIWEKIL");
    let sum = xxh3_64(&trailer[..56]);
    trailer[56..].copy_from_slice(&sum.to_le_bytes());
    bytes.extend_from_slice(&trailer);
    if bytes.len() >= 128 {
        let sum = xxh3_64(&bytes[..56]);
        bytes[56..64].copy_from_slice(&sum.to_le_bytes());
    }
    Some(bytes)
}

fuzz_target!(|bytes: &[u8]| {
    let Some(file) = sealed(bytes) else { return };
    let Ok(file) = Container::from_bytes(&file, Verify::Now) else { return };
    let Ok(diverse) = DiversityParams::default().check() else { return };
    let code = |ranker: likewise::RankerBuilder| ranker.filter(Available).rerank(diverse);
    let Ok(snapshot) = Snapshot::read_from(&file, &Codecs::default(), code) else { return };
    let now = snapshot.dataset().as_of();
    let clicks = [SessionEvent::new("i1", EventKind::View, now), SessionEvent::new("i2", EventKind::View, now)];
    let _ = snapshot.recommend(&Request::profiled(Consented::new("u1", LawfulBasis::Consent), now).k(20));
    let _ = snapshot.recommend(&Request::anonymous(now).k(20).session(&clicks).basket(&["i3"]));
    let _ = snapshot.dataset().summary();
});
