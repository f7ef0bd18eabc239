//! How many bytes something may hold.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Bytes that a build, or a live recommender, may hold in memory, at least [`MemoryBudget::LEAST`].
///
/// # Example
/// ```
/// use likewise::MemoryBudget;
/// assert_eq!(MemoryBudget::mib(512)?, "512 MiB".parse()?);
/// assert_eq!(MemoryBudget::gib(2)?.bytes(), 2 << 30);
/// assert!("a lot".parse::<MemoryBudget>().is_err());
/// # Ok::<(), likewise::NoBudget>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct MemoryBudget(u64);

/// No number of bytes, or too few of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{got} is no budget; give at least {least} bytes, as a number with B, KiB, MiB, GiB or TiB", least = MemoryBudget::LEAST)]
pub struct NoBudget {
    /// What was given.
    pub got: String,
}

impl MemoryBudget {
    /// The smallest budget: below it the buffers of files alone would not fit.
    pub const LEAST: u64 = 16 << 10;

    /// So many bytes.
    ///
    /// # Errors
    /// [`NoBudget`] for fewer than [`LEAST`](Self::LEAST).
    pub fn new(bytes: u64) -> Result<Self, NoBudget> {
        if bytes < Self::LEAST { Err(NoBudget { got: format!("{bytes} bytes") }) } else { Ok(Self(bytes)) }
    }

    /// So many times 2²⁰ bytes.
    ///
    /// # Errors
    /// [`NoBudget`] for none.
    pub fn mib(n: u32) -> Result<Self, NoBudget> {
        Self::new(u64::from(n) << 20)
    }

    /// So many times 2³⁰ bytes.
    ///
    /// # Errors
    /// [`NoBudget`] for none.
    pub fn gib(n: u32) -> Result<Self, NoBudget> {
        Self::new(u64::from(n) << 30)
    }

    /// As a number.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl From<MemoryBudget> for u64 {
    fn from(budget: MemoryBudget) -> Self {
        budget.0
    }
}

impl TryFrom<u64> for MemoryBudget {
    type Error = NoBudget;
    fn try_from(bytes: u64) -> Result<Self, NoBudget> {
        Self::new(bytes)
    }
}

const UNITS: [(&str, u32); 5] = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40), ("B", 0)];

impl FromStr for MemoryBudget {
    type Err = NoBudget;

    /// A whole number and one of the units B, KiB, MiB, GiB and TiB; without one, of bytes.
    fn from_str(text: &str) -> Result<Self, NoBudget> {
        let text = text.trim();
        let with_unit = UNITS.iter().find_map(|&(unit, shift)| Some((text.strip_suffix(unit)?.trim_end(), shift)));
        let (number, shift) = with_unit.unwrap_or((text, 0));
        let bytes = number.parse().ok().and_then(|number: u64| number.checked_mul(1 << shift));
        bytes.and_then(|bytes| Self::new(bytes).ok()).ok_or_else(|| NoBudget { got: format!("{text:?}") })
    }
}

impl fmt::Display for MemoryBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = |&&(_, shift): &&(&str, u32)| shift > 0 && self.0.trailing_zeros() >= shift;
        let (unit, shift) = UNITS.iter().rev().find(whole).copied().unwrap_or(("B", 0));
        write!(f, "{} {unit}", self.0 >> shift)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_are_read_and_written() {
        for (text, bytes, shown) in [
            ("16384B", 1 << 14, "16 KiB"),
            ("16385 B", (1 << 14) + 1, "16385 B"),
            (" 3MiB ", 3 << 20, "3 MiB"),
            ("1024 GiB", 1 << 40, "1 TiB"),
            ("2 TiB", 2 << 40, "2 TiB"),
            ("65536", 1 << 16, "64 KiB"),
        ] {
            let budget: MemoryBudget = text.parse().unwrap();
            assert_eq!((budget.bytes(), budget.to_string().as_str()), (bytes, shown), "{text}");
            assert_eq!(shown.parse(), Ok(budget));
        }
        for text in ["", "GiB", "-1 GiB", "1.5 GiB", "15 KiB", "7", "2 GB", "99999999999 TiB", "20000000 TiB"] {
            let error = text.parse::<MemoryBudget>().unwrap_err().to_string();
            assert!(error.contains(&format!("{:?}", text.trim())) && error.contains("at least 16384"), "{error}");
        }
        let budget = MemoryBudget::mib(1).unwrap();
        assert_eq!(serde_json::to_string(&budget).unwrap(), "1048576");
        assert_eq!(serde_json::from_str::<MemoryBudget>("1048576").unwrap(), budget);
        assert!(serde_json::from_str::<MemoryBudget>("12").is_err());
        assert!(MemoryBudget::new(16_383).is_err() && MemoryBudget::gib(0).is_err() && MemoryBudget::mib(0).is_err());
    }
}
