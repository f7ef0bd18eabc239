//! The numbers a column may hold.

use bytemuck::Pod;

pub(crate) mod sealed {
    pub trait Sealed {}
}

/// A plain number that a column of a file can hold: `u8`, `u32`, `u64`, `i32`, `i64`, `f32`, `f64`. Little-endian in the
/// file, whatever the machine.
pub trait Element: sealed::Sealed + Pod + PartialEq + std::fmt::Debug + Send + Sync {
    /// Its name in the table.
    const DTYPE: &'static str;

    /// The same with its bytes in the other order.
    #[doc(hidden)]
    #[must_use]
    fn swapped(self) -> Self;
}

/// A type with the layout of numbers may be in columns.
macro_rules! element {
    ($type:ty, $name:literal, |$x:ident| $swap:expr) => {
        impl $crate::persist::sealed::Sealed for $type {}
        impl $crate::persist::Element for $type {
            const DTYPE: &'static str = $name;
            fn swapped(self) -> Self {
                let $x = self;
                $swap
            }
        }
    };
}
pub(crate) use element;

element!(u8, "u8", |x| x);
element!(u32, "u32", |x| x.swap_bytes());
element!(u64, "u64", |x| x.swap_bytes());
element!(i32, "i32", |x| x.swap_bytes());
element!(i64, "i64", |x| x.swap_bytes());
element!(f32, "f32", |x| Self::from_bits(x.to_bits().swap_bytes()));
element!(f64, "f64", |x| Self::from_bits(x.to_bits().swap_bytes()));
element!(crate::ids::ItemIdx, "u32", |x| Self::new(x.get().swap_bytes()));
element!(crate::ids::UserIdx, "u32", |x| Self::new(x.get().swap_bytes()));
