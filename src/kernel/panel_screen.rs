//! Which items of the [panels](super::panel) may score above a floor: the hot loop of every scan over factors.
//!
//! One tile is `U` shoppers x `P` panels of 16 items with the sums in registers: 12 x 2 for a batch, 1 x 4 for one shopper.
//! Sums are whole numbers, so every path finds the same; what survives is scored in full elsewhere.
//!
//! * x86-64 with AVX-512 VNNI: 64 multiply-adds an instruction;
//! * x86-64 with AVX2: 32 in three, shoppers rounded to 63 instead of 127 steps so that no pair of products overflows;
//! * AArch64: 16 in two and a half, with NEON;
//! * elsewhere: loops that the compiler vectorises.

use std::ops::Range;

use super::panel::{Bounds, Looking, Panels, STEP, WIDE};

/// Bytes of a panel that are multiplied together: four numbers of each item.
pub(super) const CODE: usize = WIDE * STEP;

/// Told that shopper `u` may like the items of a panel whose bits are set; answers with the shopper's floor from now on.
pub(crate) type Hit<'a> = &'a mut dyn FnMut(usize, usize, u16) -> f64;

#[cfg(target_arch = "aarch64")]
#[allow(unsafe_code)]
#[allow(clippy::needless_range_loop)] // arrays of registers, several at a time
mod neon;
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
#[allow(clippy::needless_range_loop)] // as above
mod x86;

/// What this machine screens with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Path {
    #[cfg(target_arch = "x86_64")]
    Vnni,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "aarch64")]
    Neon,
    #[cfg_attr(target_arch = "aarch64", allow(dead_code))] // the twin, in tests
    Portable,
}

impl Path {
    fn here() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::is_x86_feature_detected as has;
            if has!("avx512f") && has!("avx512bw") && has!("avx512vnni") {
                return Self::Vnni;
            }
            if has!("avx2") && has!("fma") {
                return Self::Avx2;
            }
        }
        #[cfg(target_arch = "aarch64")]
        return Self::Neon;
        #[cfg(not(target_arch = "aarch64"))]
        Self::Portable
    }
}

/// The largest whole number of a shopper. An item's are stored as 1 to 255: with AVX2 two products of these must stay
/// below 2^15.
pub(super) fn levels() -> f64 {
    match Path::here() {
        #[cfg(target_arch = "x86_64")]
        Path::Avx2 => 63.0,
        _ => 127.0,
    }
}

/// Goes over the panels `of`, longest vectors first, and hits for all items that may reach a shopper's floor; ends when no
/// further one can.
pub(crate) fn screen<const U: usize, const P: usize>(
    panels: &Panels,
    of: Range<usize>,
    looking: &mut Looking<U>,
    hit: Hit<'_>,
) {
    match Path::here() {
        // SAFETY: both are safe functions but for the instructions they are compiled to, and the machine was just found to
        // have them.
        #[cfg(target_arch = "x86_64")]
        #[allow(unsafe_code)]
        Path::Vnni => unsafe { x86::vnni::<U, P>(panels, of, looking, hit) },
        #[cfg(target_arch = "x86_64")]
        #[allow(unsafe_code)]
        Path::Avx2 => unsafe { x86::avx2::<U, P>(panels, of, looking, hit) },
        #[cfg(target_arch = "aarch64")]
        Path::Neon => walk::<U, P>(panels, of, looking, hit, neon::tile),
        Path::Portable => walk::<U, P>(panels, of, looking, hit, portable),
    }
}

/// A bit for each item that reaches a shopper's threshold, and whether there is any.
type Tile<const U: usize, const P: usize> = ([[u16; U]; P], bool);

#[inline(always)]
fn walk<const U: usize, const P: usize>(
    panels: &Panels,
    of: Range<usize>,
    looking: &mut Looking<U>,
    hit: Hit<'_>,
    tile: impl Fn([&[[u8; CODE]]; P], &[[i32; U]], &[[i32; U]; P]) -> Tile<U, P>,
) {
    let mut at = of.start;
    while at < of.end {
        let first: &Bounds = panels.bounds(at);
        if !looking.hopes(first.norm) {
            return;
        }
        // The last tile looks at its last panel more than once, and hits for it only once.
        let mut thresholds = [[i32::MAX; U]; P];
        let mut here: [&[[u8; CODE]]; P] = [&[]; P];
        for p in 0..P {
            here[p] = &panels.codes((at + p).min(of.end - 1))[..looking.codes.len()];
            if at + p < of.end {
                thresholds[p] = looking.thresholds(panels.bounds(at + p));
            }
        }
        let (masks, any) = tile(here, &looking.codes, &thresholds);
        if any {
            for (p, masks) in masks.iter().enumerate() {
                for (u, &mask) in masks.iter().enumerate().filter(|(_, mask)| **mask != 0) {
                    looking.floor[u] = hit(u, at + p, mask);
                }
            }
        }
        at += P;
    }
}

#[inline(always)]
fn portable<const U: usize, const P: usize>(
    panels: [&[[u8; CODE]]; P],
    x: &[[i32; U]],
    thresholds: &[[i32; U]; P],
) -> Tile<U, P> {
    let mut masks = [[0u16; U]; P];
    let mut any = false;
    for (p, panel) in panels.iter().enumerate() {
        for u in 0..U {
            let mut sums = [0i32; WIDE];
            for (codes, x) in panel.iter().zip(x) {
                let x = x[u].to_le_bytes().map(|byte| i32::from(byte as i8));
                for (sum, four) in sums.iter_mut().zip(codes.as_chunks::<STEP>().0) {
                    *sum += (i32::from(four[0]) * x[0] + i32::from(four[1]) * x[1])
                        + (i32::from(four[2]) * x[2] + i32::from(four[3]) * x[3]);
                }
            }
            for (lane, sum) in sums.iter().enumerate() {
                masks[p][u] |= u16::from(*sum >= thresholds[p][u]) << lane;
            }
            any |= masks[p][u] != 0;
        }
    }
    (masks, any)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::panel::NO_ROW;
    use crate::kernel::panel_products::product;
    use crate::kernel::rng::SplitMix64;
    use proptest::prelude::*;

    fn vectors(n: usize, dim: usize, seed: u64, scale: f32) -> Vec<f32> {
        let mut rng = SplitMix64::new(seed);
        (0..n * dim).map(|i| scale * rng.normal() * (1.0 + (i / dim % 7) as f32)).collect()
    }

    /// The rows that each path hits, by shopper, with floors that stay.
    fn hits<const U: usize, const P: usize>(panels: &Panels, looking: &Looking<U>, path: Path) -> Vec<Vec<u32>> {
        let mut found = vec![Vec::new(); U];
        let floor = looking.floor;
        let mut hit = |u: usize, panel: usize, mask: u16| {
            let rows = panels.rows(panel).iter().enumerate().filter(|(lane, _)| mask >> lane & 1 == 1);
            found[u].extend(rows.map(|(_, row)| *row).filter(|row| *row != NO_ROW));
            floor[u]
        };
        let mut looking = looking.clone();
        match path {
            #[cfg(target_arch = "aarch64")]
            Path::Neon => walk::<U, P>(panels, 0..panels.len(), &mut looking, &mut hit, neon::tile),
            Path::Portable => walk::<U, P>(panels, 0..panels.len(), &mut looking, &mut hit, portable),
            // SAFETY: only called with the paths this machine has.
            #[cfg(target_arch = "x86_64")]
            #[allow(unsafe_code)]
            Path::Vnni => unsafe { x86::vnni::<U, P>(panels, 0..panels.len(), &mut looking, &mut hit) },
            #[cfg(target_arch = "x86_64")]
            #[allow(unsafe_code)]
            Path::Avx2 => unsafe { x86::avx2::<U, P>(panels, 0..panels.len(), &mut looking, &mut hit) },
        }
        found.iter_mut().for_each(|rows| rows.sort_unstable());
        found
    }

    fn paths() -> Vec<Path> {
        #[allow(unused_mut)]
        let mut paths = vec![Path::Portable, Path::here()];
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            paths.push(Path::Avx2);
        }
        paths
    }

    /// Packs `n` rows, looks for those that reach the floor, and checks that none that does is missed, by any path.
    fn check<const U: usize, const P: usize>(flat: &[f32], dim: usize, users: &[f32], floor: f32) {
        let n = flat.len() / dim;
        let mut rows: Vec<u32> = (0..n as u32).collect();
        let mut panels = Panels::new(dim);
        panels.pack(flat, dim, &mut rows);
        for levels in [63.0, 127.0] {
            let mut looking = Looking::<U>::default();
            looking.reset(dim);
            for u in 0..U - usize::from(U > 1) {
                looking.set_with(u, &users[u * dim..(u + 1) * dim], levels);
                looking.set_floor(u, f64::from(floor));
            }
            let mut first: Option<Vec<Vec<u32>>> = None;
            for path in paths() {
                #[cfg(target_arch = "x86_64")]
                if path == Path::Avx2 && levels > 63.0 {
                    continue;
                }
                let found = hits::<U, P>(&panels, &looking, path);
                for (u, found) in found.iter().enumerate().take(U - usize::from(U > 1)) {
                    for row in 0..n {
                        let score = product(&users[u * dim..(u + 1) * dim], &flat[row * dim..(row + 1) * dim]);
                        if score >= floor {
                            assert!(found.binary_search(&(row as u32)).is_ok(), "{path:?} missed {row}: {score}");
                        }
                    }
                }
                assert!(U == 1 || found[U - 1].is_empty(), "nobody finds nothing");
                assert_eq!(first.get_or_insert_with(|| found.clone()), &found, "{path:?}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        #[test]
        fn nothing_that_reaches_the_floor_is_missed(
            n in 1usize..200, dim in 1usize..40, seed in 0u64..1000, floor in -5.0f32..60.0, scale in -30i32..10,
        ) {
            let scale = 2f32.powi(scale);
            let (flat, users) = (vectors(n, dim, seed, scale), vectors(12, dim, seed + 1000, 1.0));
            check::<1, 4>(&flat, dim, &users, floor * scale);
            check::<12, 2>(&flat, dim, &users, floor * scale);
        }
    }

    #[test]
    fn extremes_are_not_missed() {
        for value in [f32::MIN_POSITIVE, 1e-45, 1e-30, 1.0, 1e18, f32::MAX] {
            for floor in [f32::MIN, -1.0, 0.0, 1e-45, value, f32::MAX] {
                let flat: Vec<f32> = (0..40).flat_map(|i| [value / (1 + i) as f32, -value, 0.0]).collect();
                let users: Vec<f32> = (0..36).map(|i| if i % 4 == 0 { value } else { 1.0 - i as f32 }).collect();
                check::<1, 4>(&flat, 3, &users, floor);
                check::<12, 2>(&flat, 3, &users, floor);
            }
        }
    }

    #[test]
    fn little_more_is_hit_than_needed() {
        let (dim, n) = (64, 16_000);
        let (flat, users) = (vectors(n, dim, 3, 1.0), vectors(1, dim, 4, 1.0));
        let mut scores: Vec<f32> = flat.chunks_exact(dim).map(|y| product(&users, y)).collect();
        scores.sort_by(|a, b| b.total_cmp(a));
        let mut panels = Panels::new(dim);
        panels.pack(&flat, dim, &mut (0..n as u32).collect::<Vec<_>>());
        let mut looking = Looking::<1>::default();
        looking.reset(dim);
        looking.set(0, &users);
        looking.set_floor(0, f64::from(scores[100]));
        let found = hits::<1, 4>(&panels, &looking, Path::here())[0].len();
        assert!((101..400).contains(&found), "{found}");
    }
}
