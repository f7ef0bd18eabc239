//! The same loop with fused multiply-add for each width of vector unit, chosen when the program runs.
//!
//! `fused!` compiles a body that is generic over [`Lanes`](super::lanes::Lanes) for AVX-512, for AVX2 with FMA, for NEON
//! (part of every AArch64), and for any machine. The order of operations is fixed in the body and every path
//! fuses, so all give the same bits. [`vectorised!`](super::dispatch) does the same for loops without multiply-add.

/// Defines `fn $name` as `$body::<L>`, an `#[inline(always)]` function with the same arguments.
macro_rules! fused {
    ($(#[$doc:meta])* fn $name:ident = $body:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)?) => {
        $(#[$doc])*
        #[allow(clippy::too_many_arguments)]
        pub(crate) fn $name($($arg: $ty),*) $(-> $ret)? {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f")]
                #[allow(clippy::too_many_arguments)]
                fn avx512($($arg: $ty),*) $(-> $ret)? {
                    $body::<crate::kernel::lanes::Avx512>($($arg),*)
                }
                #[target_feature(enable = "avx2,fma")]
                #[allow(clippy::too_many_arguments)]
                fn avx2($($arg: $ty),*) $(-> $ret)? {
                    $body::<crate::kernel::lanes::Avx2>($($arg),*)
                }
                if std::arch::is_x86_feature_detected!("avx512f") {
                    // SAFETY: a safe function but for the instructions it is compiled to, which the machine was just
                    // found to have.
                    #[allow(unsafe_code)]
                    return unsafe { avx512($($arg),*) };
                }
                if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
                    // SAFETY: as above.
                    #[allow(unsafe_code)]
                    return unsafe { avx2($($arg),*) };
                }
            }
            #[cfg(target_arch = "aarch64")]
            return $body::<crate::kernel::lanes::Neon>($($arg),*);
            #[cfg(not(target_arch = "aarch64"))]
            $body::<crate::kernel::lanes::Portable>($($arg),*)
        }
    };
}

pub(crate) use fused;
