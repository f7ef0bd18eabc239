//! The file itself: every flip and every cut is noticed.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::sync::Arc;

use likewise::persist::{Container, PersistError, Verify};
use likewise::serve::Codecs;
use likewise::*;
use xxhash_rust::xxh3::xxh3_64;

use super::{Scratch, read, small_shop, written};
use crate::common::day;

fn tiny() -> Snapshot {
    let mut builder = DatasetBuilder::new(Lineage::new(1));
    for (user, item, d) in [("ann", "mug", 1), ("ann", "tea", 2), ("bob", "mug", 3)] {
        let who = Shopper::Profiled(Consented::new(user, LawfulBasis::Contract));
        builder.push(&Event::new(who, item, EventKind::Purchase, day(d)).quantity(2.0).value(3.5)).unwrap();
    }
    let data = Arc::new(builder.finish().unwrap());
    let popular = PopularityParams::default().check().unwrap().fit(&(&*data).into(), &Run::new(1)).unwrap();
    let ranker = Ranker::builder().scorer(Arc::new(popular), 1.0).build().unwrap();
    Snapshot::new(data, Arc::default(), Arc::new(ranker)).unwrap()
}

fn open(bytes: &[u8]) -> Result<Container, PersistError> {
    Container::from_bytes(bytes, Verify::Now)
}

#[test]
fn every_flipped_byte_is_noticed() {
    let file = written(&tiny());
    let mut bytes = file.clone();
    for at in 0..file.len() {
        for flip in [1u8 << (at % 8), 0xff] {
            bytes[at] ^= flip;
            let error = open(&bytes).err();
            assert!(error.is_some(), "a flip of {flip:#x} at {at} of {} went unnoticed", file.len());
            bytes[at] ^= flip;
        }
    }
    assert_eq!(bytes, file);
    open(&bytes).unwrap();
}

#[test]
fn every_cut_is_noticed() {
    let file = written(&tiny());
    for len in 0..file.len() {
        let error = open(&file[..len]).unwrap_err();
        let foreign = len == 0 && matches!(error, PersistError::Foreign);
        let typed = matches!(error, PersistError::Length { .. } | PersistError::Damaged { .. });
        assert!(foreign || typed, "{len}: {error}");
        assert!(error.to_string().len() < 200);
    }
    for more in [1, 8, 63, 64, 65, 4096] {
        let mut longer = file.clone();
        longer.resize(file.len() + more, 0);
        open(&longer).unwrap_err();
    }
}

#[test]
fn what_is_wrong_is_said() {
    assert!(matches!(open(b"PNG").unwrap_err(), PersistError::Foreign));
    assert!(matches!(open(&[0; 500]).unwrap_err(), PersistError::Foreign));
    let file = written(&tiny());
    let mut newer = file.clone();
    newer[8] = 9;
    let sum = xxh3_64(&newer[..56]);
    newer[56..64].copy_from_slice(&sum.to_le_bytes());
    let error = open(&newer).unwrap_err();
    assert!(matches!(error, PersistError::Newer { found: 9, known: 1 }), "{error}");
    let good = open(&file).unwrap();
    let item = good.sections().find(|section| section.name == "dataset/table/item").unwrap();
    assert_eq!((item.dtype, item.shape), ("u32", &[3u64][..]));
    let mut damaged = file.clone();
    let at = file.windows(item.bytes.len()).position(|w| std::ptr::eq(w, w) && w == item.bytes).unwrap();
    damaged[at] ^= 1;
    let lazily = Container::from_bytes(&damaged, Verify::Later).unwrap();
    assert!(matches!(lazily.verify().unwrap_err(), PersistError::Damaged { .. }));
    let error = open(&damaged).unwrap_err();
    assert!(error.to_string().contains("the generation before"), "{error}");
    assert!(good.values().any(|(name, value)| name == "kind" && value == "\"snapshot\""));
}

#[test]
fn sections_are_aligned_and_little_endian() {
    let file = written(&tiny());
    let open = open(&file).unwrap();
    assert!(open.len() == file.len() && !open.is_empty());
    let base = open.sections().next().unwrap().bytes.as_ptr() as usize;
    for section in open.sections() {
        assert_eq!((section.bytes.as_ptr() as usize).wrapping_sub(base) % 64, 0, "{}", section.name);
    }
    let at = open.sections().find(|section| section.name == "dataset/table/at").unwrap();
    let times: Vec<i64> = at.bytes.chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().unwrap())).collect();
    assert_eq!(times, [day(1).millis(), day(2).millis(), day(3).millis()]);
}

/// Takes a few bytes at a time, and no more than so many.
struct Limited {
    taken: Vec<u8>,
    at_once: usize,
    room: usize,
}

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = bytes.len().min(self.at_once).min(self.room - self.taken.len());
        if n == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.taken.extend_from_slice(&bytes[..n]);
        Ok(n)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn short_writes_are_completed_and_a_full_disk_is_said() {
    let snapshot = tiny();
    let file = written(&snapshot);
    for at_once in [1, 7, 64, 1000] {
        let mut out = Limited { taken: Vec::new(), at_once, room: usize::MAX };
        snapshot.write_to(&mut out, &Codecs::default()).unwrap();
        assert_eq!(out.taken, file);
    }
    for room in (0..file.len()).step_by(13) {
        let mut out = Limited { taken: Vec::new(), at_once: 100, room };
        let error = snapshot.write_to(&mut out, &Codecs::default()).unwrap_err();
        let PersistError::Io { source, .. } = &error else { panic!("{error}") };
        assert_eq!(source.kind(), io::ErrorKind::StorageFull);
        open(&out.taken).unwrap_err();
    }
}

#[test]
fn no_file_is_as_large_as_it_claims() {
    // The table says a section is as long as memory: refused before anything is reserved.
    let (data, catalog) = small_shop(1, 200);
    let ranker = Arc::new(Ranker::builder().build().unwrap());
    let file = written(&Snapshot::new(Arc::new(data), Arc::new(catalog), ranker).unwrap());
    let huge = super::fuzz::edited(&file, |table| {
        for section in table["sections"].as_array_mut().unwrap() {
            section["bytes"] = u64::MAX.into();
            section["shape"] = serde_json::json!([u64::MAX]);
        }
    });
    assert!(matches!(open(&huge).unwrap_err(), PersistError::Unsound { .. }));
    let many = super::fuzz::edited(&file, |table| table["values"]["ranker/scorers"] = (u64::MAX / 2).into());
    let error = read(&many, |ranker| ranker).unwrap_err();
    assert!(matches!(error, PersistError::Missing { .. }), "{error}");
}

/// A file is looked at from both ends before its length decides what is allocated: eight tebibytes of nothing would end the
/// process.
#[test]
fn a_file_longer_than_memory_is_refused_before_anything_is_allocated() {
    let good = written(&tiny());
    let folder = Scratch::new();
    let path = folder.path().join("huge");
    const HUGE: u64 = 1 << 43;
    let huge = |begin: &[u8]| {
        let mut file = File::create(&path).unwrap();
        file.write_all(begin).unwrap();
        file.set_len(HUGE).unwrap();
        file
    };
    let read = || Container::read(&path, Verify::Now).unwrap_err();
    huge(b"LIKE");
    assert!(matches!(read(), PersistError::Foreign));
    huge(&good);
    assert!(matches!(read(), PersistError::Damaged { part } if part == "the end"));
    // An end that is sealed, and of another file: one that was written over by a shorter one.
    let mut file = huge(&good);
    file.seek(SeekFrom::Start(HUGE - 64)).unwrap();
    file.write_all(&good[good.len() - 64..]).unwrap();
    let error = read();
    let PersistError::Length { expected, got } = error else { panic!("{error}") };
    assert_eq!((expected, got), (good.len() as u64, HUGE));
    // One that says the right length, and a table that is not before it.
    let mut end = good[good.len() - 64..].to_vec();
    end[24..32].copy_from_slice(&HUGE.to_le_bytes());
    let sum = xxh3_64(&end[..56]);
    end[56..].copy_from_slice(&sum.to_le_bytes());
    file.seek(SeekFrom::Start(HUGE - 64)).unwrap();
    file.write_all(&end).unwrap();
    assert!(matches!(read(), PersistError::Unsound { part, .. } if part == "the table"));
}

/// Read from a file, every cut and every flip at either end says what it says of the same bytes in memory.
#[test]
fn a_file_is_refused_as_its_bytes_are() {
    let good = written(&tiny());
    let folder = Scratch::new();
    let path = folder.path().join("file");
    let same = |bytes: &[u8], what: &str| {
        std::fs::write(&path, bytes).unwrap();
        let told = |opened: Result<Container, PersistError>| opened.map(|file| file.len()).map_err(|e| e.to_string());
        let read = told(Container::read(&path, Verify::Now));
        assert_eq!(read, told(open(bytes)), "{what}");
        assert_eq!(read.is_ok(), bytes == good, "{what}");
    };
    same(&good, "as it was");
    (0..good.len()).for_each(|len| same(&good[..len], &format!("{len} bytes of {}", good.len())));
    for at in (0..64).chain(good.len() - 64..good.len()) {
        let mut bytes = good.clone();
        bytes[at] ^= 1 << (at % 8);
        same(&bytes, &format!("a flip at {at}"));
    }
}
