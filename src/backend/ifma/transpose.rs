//! Exchange of lanes between eight values.

use super::*;

impl Fp8 {
    /// Lane i of value j changes places with lane j of value i.
    pub(crate) fn transpose(values: &mut [Self; LANES]) {
        // SAFETY: a value exists.
        unsafe { transpose(values) }
    }
}

#[inline(never)]
#[target_feature(enable = "avx512f")]
fn transpose(values: &mut [Fp8; LANES]) {
    for limb in 0..LIMBS {
        let columns = transpose_limb(values.each_ref().map(|value| value.0.0[limb]));
        for (value, column) in values.iter_mut().zip(columns) {
            value.0.0[limb] = column;
        }
    }
}

/// Words, then pairs of words, then pairs of pairs.
#[inline]
#[target_feature(enable = "avx512f")]
fn transpose_limb(rows: [__m512i; LANES]) -> [__m512i; LANES] {
    let [r0, r1, r2, r3, r4, r5, r6, r7] = rows;
    // Blocks of the even columns of two rows, and of the odd ones.
    let even = [(r0, r1), (r2, r3), (r4, r5), (r6, r7)].map(|(a, b)| _mm512_unpacklo_epi64(a, b));
    let odd = [(r0, r1), (r2, r3), (r4, r5), (r6, r7)].map(|(a, b)| _mm512_unpackhi_epi64(a, b));
    let [c0, c2, c4, c6] = transpose_blocks(even);
    let [c1, c3, c5, c7] = transpose_blocks(odd);
    [c0, c1, c2, c3, c4, c5, c6, c7]
}

/// Four rows of four blocks of two words.
#[inline]
#[target_feature(enable = "avx512f")]
fn transpose_blocks([r0, r1, r2, r3]: [__m512i; 4]) -> [__m512i; 4] {
    // Blocks 0 and 2 of both rows, or 1 and 3.
    const EVEN: i32 = 0b10_00_10_00;
    const ODD: i32 = 0b11_01_11_01;
    let (even_01, odd_01) = (_mm512_shuffle_i64x2::<EVEN>(r0, r1), _mm512_shuffle_i64x2::<ODD>(r0, r1));
    let (even_23, odd_23) = (_mm512_shuffle_i64x2::<EVEN>(r2, r3), _mm512_shuffle_i64x2::<ODD>(r2, r3));
    [
        _mm512_shuffle_i64x2::<EVEN>(even_01, even_23),
        _mm512_shuffle_i64x2::<EVEN>(odd_01, odd_23),
        _mm512_shuffle_i64x2::<ODD>(even_01, even_23),
        _mm512_shuffle_i64x2::<ODD>(odd_01, odd_23),
    ]
}
