//! Files of a build: made in a folder of their own, deleted with it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use bytemuck::{Pod, Zeroable};

use super::SpillError;

/// A folder that nobody else had, inside the one the caller named; deleted, with all that is in it, when this is dropped.
#[derive(Debug)]
pub(super) struct Scratch {
    folder: PathBuf,
    made: u64,
}

/// Folders of builds that run at the same time, or that were killed.
const MOST: u32 = 100_000;

/// Bytes that wait to be written: few, as what is written are long columns.
const BUFFER: usize = 512;

impl Scratch {
    pub(super) fn within(folder: &Path) -> Result<Self, SpillError> {
        for n in 0..MOST {
            let own = folder.join(format!("likewise-spill-{n}"));
            match fs::create_dir(&own) {
                Ok(()) => {
                    let scratch = Self { folder: own, made: 0 };
                    // A folder that nothing can be written into is found now and not after an hour of events.
                    scratch.file("try").and_then(|file| file.finish())?.delete();
                    return Ok(scratch);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(SpillError::folder(folder, error)),
            }
        }
        let full = format!("it holds {MOST} folders likewise-spill-* of builds that run or were killed");
        Err(SpillError::folder(folder, io::Error::other(full)))
    }

    /// A new file to be written.
    pub(super) fn file(&self, name: &str) -> Result<Writing, SpillError> {
        let path = self.folder.join(name);
        let file = OpenOptions::new().write(true).create_new(true).open(&path);
        let file = file.map_err(|error| SpillError::folder(&self.folder, error))?;
        Ok(Writing { out: BufWriter::with_capacity(BUFFER, file), kept: Kept { path, bytes: 0 } })
    }

    /// A new file with a number for its name.
    pub(super) fn numbered(&mut self) -> Result<Writing, SpillError> {
        self.made += 1;
        self.file(&format!("run-{}", self.made))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder); // nothing to be done about it here
    }
}

/// A file being written.
#[derive(Debug)]
pub(super) struct Writing {
    out: BufWriter<File>,
    kept: Kept,
}

impl Writing {
    pub(super) fn append<T: Pod>(&mut self, numbers: &[T]) -> Result<(), SpillError> {
        let bytes: &[u8] = bytemuck::cast_slice(numbers);
        self.kept.bytes += bytes.len() as u64;
        self.out.write_all(bytes).map_err(|error| SpillError::write(&self.kept.path, error))
    }

    pub(super) fn finish(self) -> Result<Kept, SpillError> {
        let Self { out, kept } = self;
        match out.into_inner() {
            Ok(_) => Ok(kept),
            Err(error) => Err(SpillError::write(&kept.path, error.into_error())),
        }
    }

    /// Closes and deletes it.
    pub(super) fn discard(self) {
        let (path, _) = (self.kept.path, self.out.into_parts());
        let _ = fs::remove_file(path);
    }
}

/// A file that was written.
#[derive(Debug)]
pub(super) struct Kept {
    path: PathBuf,
    bytes: u64,
}

impl Kept {
    pub(super) fn len<T>(&self) -> usize {
        (self.bytes / size_of::<T>() as u64) as usize
    }

    pub(super) fn open(&self) -> Result<Reading<'_>, SpillError> {
        let file = File::open(&self.path).map_err(|error| SpillError::read(&self.path, self.bytes, error))?;
        Ok(Reading { file, kept: self })
    }

    /// All of it as numbers. The file is deleted.
    pub(super) fn into_numbers<T: Pod>(self) -> Result<Vec<T>, SpillError> {
        let mut numbers = vec![T::zeroed(); self.len::<T>()];
        self.open()?.read(0, &mut numbers)?;
        self.delete();
        Ok(numbers)
    }

    /// All of it as numbers that stay in the file, which has no name any more and goes with the last who reads them.
    #[cfg(all(feature = "mmap", unix))]
    pub(super) fn into_mapped<T: Pod>(self) -> Result<crate::kernel::column::Column<T>, SpillError> {
        use crate::kernel::column::{Bytes, Shared};
        if self.bytes == 0 {
            self.delete();
            return Ok(crate::kernel::column::Column::default());
        }
        let file = self.open()?.file;
        let failed = |error| SpillError::read(&self.path, self.bytes, error);
        if file.metadata().map_err(failed)?.len() < self.bytes {
            return Err(SpillError::Short { path: self.path, expected: self.bytes });
        }
        let bytes = std::sync::Arc::new(Bytes::map(&file).map_err(failed)?);
        let shared = Shared::new(&bytes, 0..self.bytes as usize);
        let shared = shared.ok_or_else(|| failed(io::ErrorKind::InvalidData.into()))?;
        self.delete();
        Ok(shared.into())
    }

    pub(super) fn delete(self) {
        let _ = fs::remove_file(self.path);
    }
}

/// A file being read.
pub(super) struct Reading<'k> {
    file: File,
    kept: &'k Kept,
}

impl Reading<'_> {
    /// Fills `numbers` with those from number `first` on.
    pub(super) fn read<T: Pod>(&mut self, first: usize, numbers: &mut [T]) -> Result<(), SpillError> {
        let failed = |error| SpillError::read(&self.kept.path, self.kept.bytes, error);
        self.file.seek(SeekFrom::Start((first * size_of::<T>()) as u64)).map_err(failed)?;
        self.file.read_exact(bytemuck::cast_slice_mut(numbers)).map_err(failed)
    }

    /// Number `at`.
    pub(super) fn one<T: Pod + Zeroable>(&mut self, at: usize) -> Result<T, SpillError> {
        let mut one = [T::zeroed()];
        self.read(at, &mut one)?;
        Ok(one[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Linux keeps a device that is always full.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_said_to_be_full() {
        for (numbers, late) in [(10_000, false), (10, true)] {
            let file = OpenOptions::new().write(true).open("/dev/full").unwrap();
            let kept = Kept { path: "/dev/full".into(), bytes: 0 };
            let mut writing = Writing { out: BufWriter::with_capacity(BUFFER, file), kept };
            let appended = writing.append(&vec![7u64; numbers]);
            let error = if late { writing.finish().unwrap_err() } else { appended.unwrap_err() };
            assert!(matches!(&error, SpillError::Full { .. }), "{error}");
        }
    }

    #[test]
    fn a_discarded_file_is_gone_and_so_is_the_folder() {
        let scratch = Scratch::within(&std::env::temp_dir()).unwrap();
        let mut writing = scratch.file("some").unwrap();
        writing.append(&[1u32, 2, 3]).unwrap();
        assert!(scratch.folder.join("some").exists());
        writing.discard();
        assert!(!scratch.folder.join("some").exists());
        let mut writing = scratch.file("some").unwrap();
        writing.append(&[1u32, 2, 3]).unwrap();
        let kept = writing.finish().unwrap();
        assert_eq!((kept.len::<u32>(), kept.open().unwrap().one::<u32>(2).unwrap()), (3, 3));
        assert!(matches!(kept.open().unwrap().one::<u32>(3), Err(SpillError::Short { expected: 12, .. })));
        assert_eq!(kept.into_numbers::<u32>().unwrap(), [1, 2, 3]);
        let folder = scratch.folder.clone();
        drop(scratch);
        assert!(!folder.exists());
    }
}
