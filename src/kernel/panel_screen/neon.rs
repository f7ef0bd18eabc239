//! [Screening](super::screen) on AArch64.
//!
//! A register holds four items of four numbers. Products of these are below 2^15 (255 x 127), so they are taken in
//! sixteen bits, eight at a time, and added in pairs to sums of thirty-two; the two halves of an item's sum meet at the
//! end. The dot product instructions of newer machines multiply signed with signed or need `i8mm`, and are not in stable
//! Rust.

use std::arch::aarch64::*;

use super::*;

/// Shoppers whose sums are in registers together: sixteen of thirty-two.
const TOGETHER: usize = 2;

/// Registers of a panel's step.
const PARTS: usize = CODE / 16;

/// As [`portable`](super::portable).
#[inline(always)]
pub(super) fn tile<const U: usize, const P: usize>(
    panels: [&[[u8; CODE]]; P],
    x: &[[i32; U]],
    thresholds: &[[i32; U]; P],
) -> Tile<U, P> {
    let mut masks = [[0u16; U]; P];
    let mut any = 0;
    for p in 0..P {
        for first in (0..U).step_by(TOGETHER) {
            // Sums `2 i` and `2 i + 1` of a shopper are of items `4 i` to `4 i + 3`, two halves each.
            let mut sums = [[zero(); 2 * PARTS]; TOGETHER];
            for (codes, x) in panels[p].iter().zip(x) {
                let x: [int16x8_t; TOGETHER] = std::array::from_fn(|u| twice(x[(first + u).min(U - 1)]));
                for part in 0..PARTS {
                    let (low, high) = wide(codes, part);
                    for u in 0..TOGETHER {
                        sums[u][2 * part] = add_products(sums[u][2 * part], low, x[u]);
                        sums[u][2 * part + 1] = add_products(sums[u][2 * part + 1], high, x[u]);
                    }
                }
            }
            for u in 0..TOGETHER.min(U - first) {
                let mask = reached(&sums[u], thresholds[p][first + u]);
                masks[p][first + u] = mask;
                any |= mask;
            }
        }
    }
    (masks, any != 0)
}

// SAFETY of every block: NEON is part of every AArch64; the one load is of 16 bytes inside an array of 64.

#[inline(always)]
fn zero() -> int32x4_t {
    unsafe { vdupq_n_s32(0) }
}

/// A shopper's four numbers, twice, in sixteen bits each.
#[inline(always)]
fn twice(x: i32) -> int16x8_t {
    unsafe { vmovl_s8(vreinterpret_s8_s32(vdup_n_s32(x))) }
}

/// Two items, and the next two, in sixteen bits a number.
#[inline(always)]
fn wide(codes: &[u8; CODE], part: usize) -> (int16x8_t, int16x8_t) {
    let at = &codes[16 * part..16 * part + 16];
    unsafe {
        let codes = vld1q_u8(at.as_ptr());
        let (low, high) = (vmovl_u8(vget_low_u8(codes)), vmovl_high_u8(codes));
        (vreinterpretq_s16_u16(low), vreinterpretq_s16_u16(high))
    }
}

#[inline(always)]
fn add_products(sums: int32x4_t, codes: int16x8_t, x: int16x8_t) -> int32x4_t {
    unsafe { vpadalq_s16(sums, vmulq_s16(codes, x)) }
}

/// A bit for each item whose sum is at least `threshold`.
#[inline(always)]
fn reached(sums: &[int32x4_t; 2 * PARTS], threshold: i32) -> u16 {
    let mut mask = 0;
    for part in 0..PARTS {
        unsafe {
            let four = vpaddq_s32(sums[2 * part], sums[2 * part + 1]);
            let bits =
                vshlq_u32(vshrq_n_u32::<31>(vcgeq_s32(four, vdupq_n_s32(threshold))), vld1q_s32([0, 1, 2, 3].as_ptr()));
            mask |= (vaddvq_u32(bits) as u16) << (4 * part);
        }
    }
    mask
}
