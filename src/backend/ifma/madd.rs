//! The two multiply-adds. Miri does not know these instructions: it takes the same in words, and so sees all the rest.

use super::*;

/// The low 52 bits of ab, plus t; only the low 52 bits of a and b count.
#[cfg(not(miri))]
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn low(t: __m512i, a: __m512i, b: __m512i) -> __m512i {
    _mm512_madd52lo_epu64(t, a, b)
}

/// The high 52 bits of ab, plus t.
#[cfg(not(miri))]
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn high(t: __m512i, a: __m512i, b: __m512i) -> __m512i {
    _mm512_madd52hi_epu64(t, a, b)
}

#[cfg(miri)]
pub(super) fn low(t: __m512i, a: __m512i, b: __m512i) -> __m512i {
    in_each_lane(t, a, b, 0)
}

#[cfg(miri)]
pub(super) fn high(t: __m512i, a: __m512i, b: __m512i) -> __m512i {
    in_each_lane(t, a, b, BITS)
}

/// 52 bits of the products from bit `shift` on, plus t. A plain loop, as Miri takes its time for each call.
#[cfg(miri)]
fn in_each_lane(t: __m512i, a: __m512i, b: __m512i, shift: usize) -> __m512i {
    // SAFETY: all are 64 octets without invalid values.
    let [mut t, a, b] = unsafe { core::mem::transmute::<[__m512i; 3], [[u64; LANES]; 3]>([t, a, b]) };
    let mut lane = 0;
    while lane < LANES {
        let product = (a[lane] & MASK) as u128 * (b[lane] & MASK) as u128;
        t[lane] += (product >> shift) as u64 & MASK;
        lane += 1;
    }
    // SAFETY: both are 64 octets without invalid values.
    unsafe { core::mem::transmute::<[u64; LANES], __m512i>(t) }
}
