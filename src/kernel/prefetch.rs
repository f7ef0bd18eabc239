//! Asking for memory before it is needed.
//!
//! A loop over short lists that lie scattered waits for each of them: the processor does not look beyond a list whose end
//! it has not read. Told some rounds ahead, the lists are there when they are walked. It changes nothing but time, so any
//! place may be named, also none.

/// Asks for the line of `slice[at]`; nothing where there is none.
#[inline(always)]
pub(crate) fn prefetch<T>(slice: &[T], at: usize) {
    #[cfg(target_arch = "x86_64")]
    if let Some(wanted) = slice.get(at) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint that reads nothing the program sees and cannot fault; SSE is part of every x86-64.
        #[allow(unsafe_code)]
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(wanted).cast());
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (slice, at);
}

#[cfg(test)]
mod tests {
    #[test]
    fn any_place_may_be_asked_for() {
        let numbers = [1u32, 2, 3];
        for at in [0, 2, 3, usize::MAX] {
            super::prefetch(&numbers, at);
            super::prefetch::<u64>(&[], at);
        }
        assert_eq!(numbers, [1, 2, 3]);
    }
}
