//! The same loop for wider vector units, chosen when the program runs. The only home of `unsafe` in the crate.
//!
//! `vectorised!` compiles a function's body twice: for the baseline of the target, and with AVX2 for x86-64 machines
//! that have it. The body is ordinary safe code that the compiler vectorises. Fused multiply-add is left off on purpose:
//! lanes and their order are fixed in the source, so both versions, and every machine, give the same bits.

/// Defines `fn $name` as `$body` (an `#[inline(always)]` function with the same arguments), compiled for the baseline
/// and for AVX2.
macro_rules! vectorised {
    ($(#[$doc:meta])* fn $name:ident = $body:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)?) => {
        $(#[$doc])*
        pub(crate) fn $name($($arg: $ty),*) $(-> $ret)? {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2")]
                fn wide($($arg: $ty),*) $(-> $ret)? {
                    $body($($arg),*)
                }
                if std::arch::is_x86_feature_detected!("avx2") {
                    // SAFETY: `wide` is a safe function but for the instructions it is compiled to, and the machine was
                    // just found to have them.
                    #[allow(unsafe_code)]
                    return unsafe { wide($($arg),*) };
                }
            }
            $body($($arg),*)
        }
    };
}

pub(crate) use vectorised;
