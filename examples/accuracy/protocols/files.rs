//! Reading the data sets' files.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::outcome::Result;
use likewise::{Consented, LawfulBasis, Shopper};

/// The whole text of a `.gz` file.
pub(crate) fn text(path: &Path) -> Result<String> {
    let file = File::open(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(file)
        .read_to_string(&mut text)
        .map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(text)
}

/// The lines after the header, cut at `separator`.
pub(crate) fn rows<'t, const N: usize>(
    text: &'t str,
    separator: char,
) -> impl Iterator<Item = Result<[&'t str; N]>> + 't {
    text.lines().enumerate().skip(1).map(move |(line, row)| {
        let fields: Vec<&str> = row.split(separator).collect();
        <[&str; N]>::try_from(fields).map_err(|f| format!("line {}: {} columns, not {N}", line + 1, f.len()).into())
    })
}

pub(crate) fn customer(id: &str) -> Shopper<'_> {
    Shopper::Profiled(Consented::new(id, LawfulBasis::Contract))
}

/// A number between 0 and 1 from a row number: a fixed draw.
pub(crate) fn draw(row: usize) -> f64 {
    let mut z = (row as u64).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}
