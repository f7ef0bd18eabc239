//! What became of the records that were offered.

use std::collections::BTreeMap;
use std::fmt;

use crate::source::RejectReason;

/// How many offending lines an [`IngestReport`] remembers a reason.
pub const SAMPLED_LINES: usize = 5;

/// What one [`ingest`](crate::DatasetBuilder::ingest) took and what it refused, with reasons.
///
/// `accepted + rejected() == offered`, always.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IngestReport {
    /// Records the source offered.
    pub offered: u64,
    /// Events taken in.
    pub accepted: u64,
    reasons: BTreeMap<RejectReason, Rejections>,
}

/// The records that were rejected for one reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rejections {
    /// How many.
    pub count: u64,
    /// The first [`SAMPLED_LINES`] of their lines (1-based; the ordinal for sources without lines).
    pub lines: Vec<u64>,
}

impl IngestReport {
    /// Records refused, for whatever reason.
    #[must_use]
    pub fn rejected(&self) -> u64 {
        self.reasons.values().map(|r| r.count).sum()
    }

    /// The refused records by reason.
    pub fn reasons(&self) -> impl Iterator<Item = (&RejectReason, &Rejections)> {
        self.reasons.iter()
    }

    /// The records refused for `reason`.
    #[must_use]
    pub fn rejected_for(&self, reason: &RejectReason) -> u64 {
        self.reasons.get(reason).map_or(0, |r| r.count)
    }

    pub(crate) fn reject(&mut self, line: u64, reason: RejectReason) {
        let entry = self.reasons.entry(reason).or_default();
        entry.count += 1;
        if entry.lines.len() < SAMPLED_LINES {
            entry.lines.push(line);
        }
    }
}

impl fmt::Display for IngestReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} offered, {} accepted, {} rejected", self.offered, self.accepted, self.rejected())?;
        for (reason, r) in &self.reasons {
            write!(f, "\n  {} x {reason} (lines", r.count)?;
            for line in &r.lines {
                write!(f, " {line}")?;
            }
            f.write_str(if r.count > r.lines.len() as u64 { " ...)" } else { ")" })?;
        }
        Ok(())
    }
}

/// Why an ingest ended early. The events accepted until then are in the builder and counted in the report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IngestError<E: std::error::Error + 'static> {
    /// The source could not be read on.
    #[error("the event source failed after {} records: {source}", report.offered)]
    Source {
        /// What the source said.
        #[source]
        source: E,
        /// What had been taken until then.
        report: Box<IngestReport>,
    },
    /// A bad record, and the builder was told to stop at the first.
    #[error("record {line} was rejected: {reason}")]
    Rejected {
        /// Its line.
        line: u64,
        /// Why.
        reason: RejectReason,
        /// What had been taken until then.
        report: Box<IngestReport>,
    },
    /// A numbering is full.
    #[error(transparent)]
    Full(#[from] crate::ids::TooManyIds),
}
