//! What a thing is made of: named parts that go into a file and come out of it again.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::writer::Sink;
use super::{Container, ContainerWriter, Element, PersistError};
use crate::kernel::column::Column;

/// Takes the parts of something that is written to a file. Names are paths: `scorers/0/neighbours`.
pub struct Saver<'s> {
    file: &'s mut (dyn Sink + 's),
    path: String,
}

/// Gives the parts of something back, under the names they were written with.
#[derive(Clone)]
pub struct Loader<'f> {
    file: &'f Container,
    path: String,
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") }
}

impl<'s> Saver<'s> {
    pub(crate) fn new(file: &'s mut ContainerWriter<'_>) -> Self {
        Self { file, path: String::new() }
    }

    /// The place `name` below this one.
    #[must_use]
    pub fn at(&mut self, name: impl fmt::Display) -> Saver<'_> {
        let path = join(&self.path, &name.to_string());
        Saver { file: &mut *self.file, path }
    }

    /// Writes a small value under `name`: a name, a count, parameters. It goes into the file's table as JSON, which has no
    /// non-finite numbers; arrays of numbers belong into [`column`](Self::column).
    ///
    /// # Errors
    /// [`PersistError`] when the value has no JSON, when `name` was used, or when the file cannot be written.
    pub fn value<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), PersistError> {
        self.at(name).put(value)
    }

    /// Writes a column of numbers under `name`.
    ///
    /// # Errors
    /// [`PersistError`] when `name` was used, or when the file cannot be written.
    pub fn column<T: Element>(&mut self, name: &str, numbers: &[T]) -> Result<(), PersistError> {
        self.at(name).put_column(numbers)
    }

    fn put<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), PersistError> {
        let value = serde_json::to_value(value).map_err(|e| PersistError::unsound(&self.path, e.to_string()))?;
        self.file.value(&self.path, value)
    }

    fn put_column<T: Element>(&mut self, numbers: &[T]) -> Result<(), PersistError> {
        let shape = [numbers.len() as u64];
        if cfg!(target_endian = "big") {
            let swapped: Vec<T> = numbers.iter().map(|&number| number.swapped()).collect();
            return self.file.column(&self.path, T::DTYPE, &shape, bytemuck::cast_slice(&swapped));
        }
        self.file.column(&self.path, T::DTYPE, &shape, bytemuck::cast_slice(numbers))
    }

    pub(crate) fn part<T: Portable>(&mut self, name: impl fmt::Display, part: &T) -> Result<(), PersistError> {
        part.save(&mut self.at(name))
    }
}

impl<'f> Loader<'f> {
    pub(crate) fn new(file: &'f Container) -> Self {
        Self { file, path: String::new() }
    }

    /// The place `name` below this one.
    #[must_use]
    pub fn at(&self, name: impl fmt::Display) -> Loader<'f> {
        Loader { file: self.file, path: join(&self.path, &name.to_string()) }
    }

    /// The name of this place.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The small value of that name.
    ///
    /// # Errors
    /// [`PersistError::Missing`], and [`PersistError::Unsound`] when it is no `T`.
    pub fn value<T: DeserializeOwned>(&self, name: &str) -> Result<T, PersistError> {
        self.at(name).get()
    }

    /// A copy of the column of that name.
    ///
    /// # Errors
    /// [`PersistError::Missing`], and [`PersistError::Unsound`] when it holds other numbers.
    pub fn column<T: Element>(&self, name: &str) -> Result<Vec<T>, PersistError> {
        Vec::load(&self.at(name))
    }

    /// That what was loaded is not as it must be. For scorers of your own that check what they loaded.
    #[must_use]
    pub fn unsound(&self, reason: impl Into<String>) -> PersistError {
        PersistError::unsound(self.path.as_str(), reason)
    }

    fn get<T: DeserializeOwned>(&self) -> Result<T, PersistError> {
        let value = self.file.value(&self.path).ok_or_else(|| PersistError::Missing { part: self.path.clone() })?;
        T::deserialize(value).map_err(|e| self.unsound(format!("cannot be read: {e}")))
    }

    pub(crate) fn part<T: Portable>(&self, name: impl fmt::Display) -> Result<T, PersistError> {
        T::load(&self.at(name))
    }

    /// The part of that name; in a file that has none, which is of a version before there was one, what `absent` gives.
    #[cfg_attr(not(test), expect(dead_code, reason = "for the first part that is added to a published format"))]
    pub(crate) fn part_or<T: Portable>(&self, name: &str, absent: impl FnOnce() -> T) -> Result<T, PersistError> {
        let there = self.at(name);
        if self.file.has(&there.path) { T::load(&there) } else { Ok(absent()) }
    }

    /// Whether there is anything of that name, or below it.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.file.has(&join(&self.path, name))
    }

    /// Whether numbers used as indices are to be checked.
    pub(crate) fn checks(&self) -> bool {
        self.file.checks()
    }

    /// An error unless `sound`, which is only asked for when numbers are to be checked.
    pub(crate) fn check(&self, what: &str, sound: impl FnOnce() -> bool) -> Result<(), PersistError> {
        if !self.checks() || sound() { Ok(()) } else { Err(self.unsound(format!("has {what}"))) }
    }
}

impl fmt::Debug for Saver<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Saver").field("path", &self.path).finish_non_exhaustive()
    }
}

impl fmt::Debug for Loader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loader").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Something that can be written to a file and read again, the same to the last bit.
pub(crate) trait Portable: Sized {
    fn save(&self, out: &mut Saver<'_>) -> Result<(), PersistError>;
    fn load(from: &Loader<'_>) -> Result<Self, PersistError>;
}

/// A struct is its fields; `check` says what must hold of them, and is asked when a file is verified. A field that a later
/// version adds says what it is in files of before: `portable!(Thing { old, new = 7 })`. See the rules in the documentation of
/// this folder.
macro_rules! portable {
    (
        $(<$($g:ident),*>)? $type:ty { $($field:ident $(= $absent:expr)?),* $(,)? }
        $($what:literal => |$x:ident| $sound:expr),*
    ) => {
        impl $(<$($g: $crate::persist::Portable),*>)? $crate::persist::Portable for $type {
            fn save(&self, out: &mut $crate::persist::Saver<'_>) -> Result<(), $crate::persist::PersistError> {
                $(out.part(stringify!($field), &self.$field)?;)*
                Ok(())
            }

            fn load(from: &$crate::persist::Loader<'_>) -> Result<Self, $crate::persist::PersistError> {
                let loaded = Self { $($field: $crate::persist::portable!(@load from $field $($absent)?)),* };
                $({
                    let $x = &loaded;
                    from.check($what, || $sound)?;
                })*
                Ok(loaded)
            }
        }
    };
    (@load $from:ident $field:ident) => {
        $from.part(stringify!($field))?
    };
    (@load $from:ident $field:ident $absent:expr) => {
        $from.part_or(stringify!($field), || $absent)?
    };
}
pub(crate) use portable;

/// What serde knows is a value of the table.
macro_rules! portable_value {
    ($($type:ty),* $(,)?) => {$(
        impl $crate::persist::Portable for $type {
            fn save(&self, out: &mut $crate::persist::Saver<'_>) -> Result<(), $crate::persist::PersistError> {
                out.put_value(self)
            }

            fn load(from: &$crate::persist::Loader<'_>) -> Result<Self, $crate::persist::PersistError> {
                from.get_value()
            }
        }
    )*};
}
pub(crate) use portable_value;

impl Saver<'_> {
    pub(crate) fn put_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), PersistError> {
        self.put(value)
    }
}

impl Loader<'_> {
    pub(crate) fn get_value<T: DeserializeOwned>(&self) -> Result<T, PersistError> {
        self.get()
    }
}

portable_value!(bool, u8, u32, u64, i64, usize, String, Box<str>, Vec<String>);
portable_value!(crate::time::Timestamp, crate::time::Span, crate::event::KindSet, crate::ids::Lineage);

/// Parameters are checked when they are read, as everywhere.
macro_rules! portable_params {
    ($($type:ty),* $(,)?) => {$(
        impl $crate::persist::Portable for $type {
            fn save(&self, out: &mut $crate::persist::Saver<'_>) -> Result<(), $crate::persist::PersistError> {
                out.put_value(self)
            }

            fn load(from: &$crate::persist::Loader<'_>) -> Result<Self, $crate::persist::PersistError> {
                from.get_value::<$crate::params::Checked<$type>>().map($crate::params::Checked::into_inner)
            }
        }
    )*};
}
pub(crate) use portable_params;

/// Floats by their bits: JSON has no NaN, and need not keep the last digit.
macro_rules! portable_float {
    ($($type:ty as $bits:ty),*) => {$(
        impl Portable for $type {
            fn save(&self, out: &mut Saver<'_>) -> Result<(), PersistError> {
                out.put(&self.to_bits())
            }

            fn load(from: &Loader<'_>) -> Result<Self, PersistError> {
                from.get::<$bits>().map(<$type>::from_bits)
            }
        }
    )*};
}
portable_float!(f32 as u32, f64 as u64);

impl<T: Element> Portable for Column<T> {
    fn save(&self, out: &mut Saver<'_>) -> Result<(), PersistError> {
        out.put_column(self)
    }

    fn load(from: &Loader<'_>) -> Result<Self, PersistError> {
        from.file.column(&from.path).map(|(column, _)| column)
    }
}

impl<T: Element> Portable for Vec<T> {
    fn save(&self, out: &mut Saver<'_>) -> Result<(), PersistError> {
        out.put_column(self)
    }

    fn load(from: &Loader<'_>) -> Result<Self, PersistError> {
        Column::<T>::load(from).map(|column| column.to_vec())
    }
}

impl Portable for Vec<bool> {
    fn save(&self, out: &mut Saver<'_>) -> Result<(), PersistError> {
        out.put_column(&self.iter().map(|&b| u8::from(b)).collect::<Vec<u8>>())
    }

    fn load(from: &Loader<'_>) -> Result<Self, PersistError> {
        Ok(Column::<u8>::load(from)?.iter().map(|&b| b != 0).collect())
    }
}

impl Portable for Vec<usize> {
    fn save(&self, out: &mut Saver<'_>) -> Result<(), PersistError> {
        out.put_column(&self.iter().map(|&n| n as u64).collect::<Vec<u64>>())
    }

    fn load(from: &Loader<'_>) -> Result<Self, PersistError> {
        let numbers = Column::<u64>::load(from)?;
        let number = |&n: &u64| usize::try_from(n).map_err(|_| from.unsound("holds a number this machine cannot"));
        numbers.iter().map(number).collect()
    }
}

/// Pairs: the firsts, then the seconds.
impl<A: Element, B: Element> Portable for Vec<(A, B)> {
    fn save(&self, out: &mut Saver<'_>) -> Result<(), PersistError> {
        out.column("0", &self.iter().map(|pair| pair.0).collect::<Vec<A>>())?;
        out.column("1", &self.iter().map(|pair| pair.1).collect::<Vec<B>>())
    }

    fn load(from: &Loader<'_>) -> Result<Self, PersistError> {
        let (a, b): (Column<A>, Column<B>) = (from.part("0")?, from.part("1")?);
        if a.len() != b.len() {
            return Err(from.unsound("has columns of several lengths"));
        }
        Ok(a.iter().copied().zip(b.iter().copied()).collect())
    }
}

/// Texts: their bytes and where each ends.
impl Portable for Vec<Box<str>> {
    fn save(&self, out: &mut Saver<'_>) -> Result<(), PersistError> {
        let mut end = 0;
        let ends: Vec<u64> = self
            .iter()
            .map(|text| {
                end += text.len() as u64;
                end
            })
            .collect();
        out.column("bytes", self.concat().as_bytes())?;
        out.column("ends", &ends)
    }

    fn load(from: &Loader<'_>) -> Result<Self, PersistError> {
        let (bytes, ends): (Column<u8>, Column<u64>) = (from.part("bytes")?, from.part("ends")?);
        let text = std::str::from_utf8(&bytes).map_err(|_| from.unsound("is no UTF-8"))?;
        let mut start = 0;
        let cut = |&end: &u64| {
            let piece = usize::try_from(end).ok().and_then(|end| text.get(start..end));
            start = end as usize;
            piece.map(Box::from).ok_or_else(|| from.unsound("ends within a letter or outside"))
        };
        ends.iter().map(cut).collect()
    }
}

impl<T: Portable> Portable for Option<T> {
    fn save(&self, out: &mut Saver<'_>) -> Result<(), PersistError> {
        out.value("some", &self.is_some())?;
        self.as_ref().map_or(Ok(()), |some| some.save(out))
    }

    fn load(from: &Loader<'_>) -> Result<Self, PersistError> {
        from.value::<bool>("some")?.then(|| T::load(from)).transpose()
    }
}

impl<T: Portable> Portable for std::sync::Arc<T> {
    fn save(&self, out: &mut Saver<'_>) -> Result<(), PersistError> {
        (**self).save(out)
    }

    fn load(from: &Loader<'_>) -> Result<Self, PersistError> {
        T::load(from).map(Self::new)
    }
}

/// Lists of things that are no plain numbers: how many, then each under its number.
pub(crate) mod list {
    use super::{Loader, PersistError, Portable, Saver};

    pub(crate) fn save<T: Portable>(out: &mut Saver<'_>, parts: &[T]) -> Result<(), PersistError> {
        out.value("n", &parts.len())?;
        parts.iter().enumerate().try_for_each(|(place, part)| out.part(place, part))
    }

    pub(crate) fn load<T: Portable>(from: &Loader<'_>) -> Result<Vec<T>, PersistError> {
        let n: usize = from.value("n")?;
        // One by one: a number somebody wrote into a file reserves nothing.
        (0..n).map(|place| from.part(place)).collect()
    }
}

/// Whether `offsets` cut `0..n` into consecutive pieces.
pub(crate) fn cuts(offsets: &[u64], n: usize) -> bool {
    offsets.first() == Some(&0) && offsets.last() == Some(&(n as u64)) && offsets.windows(2).all(|w| w[0] <= w[1])
}

/// The same of an empty list of offsets, which stands for no piece.
pub(crate) fn cuts_or_none(offsets: &[u64], n: usize) -> bool {
    offsets.is_empty() && n == 0 || cuts(offsets, n)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::persist::Verify;

    #[derive(Clone, Debug, PartialEq)]
    struct Before {
        name: String,
    }
    portable!(Before { name });

    #[derive(Clone, Debug, PartialEq)]
    struct Inner {
        weights: Column<f32>,
    }
    portable!(Inner { weights });

    /// The same some versions later.
    #[derive(Clone, Debug, PartialEq)]
    struct After {
        name: String,
        limit: u32,
        more: Option<u64>,
        inner: Inner,
    }
    portable!(After { name, limit = 7, more = None, inner = Inner { weights: vec![1.0].into() } }
        "a limit of nothing" => |a| a.limit > 0);

    fn file<T: Portable>(part: &T) -> Container {
        let mut bytes = Vec::new();
        let mut file = ContainerWriter::new(&mut bytes).unwrap();
        // A name that begins alike is another.
        Saver::new(&mut file).value("part/limits", &1).unwrap();
        Saver::new(&mut file).part("part", part).unwrap();
        file.finish().unwrap();
        Container::from_bytes(&bytes, Verify::Now).unwrap()
    }

    #[test]
    fn a_field_that_came_later_is_what_was_said_in_a_file_from_before() {
        let before = Before { name: "x".to_owned() };
        let old = file(&before);
        let read: After = Loader::new(&old).part("part").unwrap();
        let inner = Inner { weights: vec![1.0].into() };
        assert_eq!(read, After { name: "x".to_owned(), limit: 7, more: None, inner });
        // What is there is read, and not what was said for what is not.
        let after = After { limit: 3, more: Some(u64::MAX), inner: Inner { weights: vec![].into() }, ..read };
        let new = file(&after);
        assert_eq!(Loader::new(&new).part::<After>("part").unwrap(), after);
        // An older version reads what it knows of a later file.
        assert_eq!(Loader::new(&new).part::<Before>("part").unwrap(), before);
        // A field without a word for it must be there; one that is there must be sound.
        let error = Loader::new(&old).part::<Inner>("part").unwrap_err();
        assert!(matches!(&error, PersistError::Missing { part } if part == "part/weights"), "{error}");
        let broken = file(&After { limit: 0, ..after });
        assert!(matches!(Loader::new(&broken).part::<After>("part"), Err(PersistError::Unsound { .. })));
    }
}
