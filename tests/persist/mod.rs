//! Law 10: what was written and read again recommends the same; damage is an error, never a panic or a wrong answer.

mod container;
mod fixture;
mod fuzz;
mod live;
mod models;
mod recipe;
mod store;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use likewise::persist::{Container, PersistError, Verify};
use likewise::serve::Codecs;
use likewise::*;

/// The file of a snapshot.
fn written(snapshot: &Snapshot) -> Vec<u8> {
    let mut file = Vec::new();
    let bytes = snapshot.write_to(&mut file, &Codecs::default()).unwrap();
    assert_eq!(bytes, file.len() as u64);
    file
}

fn read(file: &[u8], code: impl FnOnce(RankerBuilder) -> RankerBuilder) -> Result<Snapshot, PersistError> {
    Snapshot::read_from(&Container::from_bytes(file, Verify::Now)?, &Codecs::default(), code)
}

/// A folder that goes with the test.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        // In memory where that is: a thousand syncs of a disk are no part of these tests.
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let path = parent.join(format!("likewise-persist-{}-{number}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A small shop with a catalogue.
fn small_shop(seed: u64, events: u64) -> (Dataset, Catalog) {
    use likewise::testing::{ShopParams, SyntheticShop};
    let params = ShopParams { seed, items: 40, users: 30, events, categories: 6, departments: 2, ..Default::default() };
    let shop = SyntheticShop::new(params.check().unwrap());
    let mut builder = DatasetBuilder::new(Lineage::new(seed));
    builder.ingest(&shop).unwrap();
    (builder.finish().unwrap(), shop.catalog().unwrap())
}
