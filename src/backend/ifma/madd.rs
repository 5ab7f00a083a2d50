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
    in_each_lane(t, a, b, |product| product as u64 & MASK)
}

#[cfg(miri)]
pub(super) fn high(t: __m512i, a: __m512i, b: __m512i) -> __m512i {
    in_each_lane(t, a, b, |product| (product >> BITS) as u64)
}

#[cfg(miri)]
fn in_each_lane(t: __m512i, a: __m512i, b: __m512i, part: fn(u128) -> u64) -> __m512i {
    // SAFETY: both are 64 octets without invalid values.
    let [t, a, b] = [t, a, b].map(|register| unsafe { core::mem::transmute::<__m512i, [u64; LANES]>(register) });
    let product = |lane: usize| u128::from(a[lane] & MASK) * u128::from(b[lane] & MASK);
    let sums: [u64; LANES] = core::array::from_fn(|lane| t[lane].wrapping_add(part(product(lane))));
    // SAFETY: both are 64 octets without invalid values.
    unsafe { core::mem::transmute::<[u64; LANES], __m512i>(sums) }
}
