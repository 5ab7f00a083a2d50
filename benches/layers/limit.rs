//! Eight multiplications in AVX-512 IFMA against the bare multiply-adds that they consist of.

use core::arch::x86_64::*;
use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::backend::ifma::{Fp8, is_available};
use crate::field::{Fp, Lanes};

/// Multiply-adds in a multiplication: 20 steps of 20 limbs, low and high, for the product and again for its reduction,
/// and one for the last quotient digit.
const PER_MULTIPLICATION: u32 = 20 * 20 * 2 * 2 + 1;

/// Independent sums: twice a latency of 4 cycles and a throughput of 2 in each, and some more.
const CHAINS: usize = 12;

/// Multiply-adds in each chain, in one measurement.
const LENGTH: u32 = 2_048;

/// Multiplications in one measurement.
const COUNT: u32 = 16;

/// Measurements of each kind, in turns; the shortest counts, as what else the machine does only adds to it.
const ROUNDS: usize = 20_000;

/// Prints how long a multiplication takes, how long its multiply-adds take alone, and the ratio.
pub(crate) fn compare() {
    if !is_available() {
        return;
    }
    let element = |seed: u8| Fp8::gather(|lane| Fp::from_octets_reduced(&[seed + lane as u8; 128]));
    let mut values: [Fp8; COUNT as usize] = core::array::from_fn(|i| element(8 * i as u8));
    let factor = element(0xa5);
    let (mut multiplication, mut limit) = (Duration::MAX, Duration::MAX);
    for _ in 0..ROUNDS {
        multiplication = multiplication.min(time(|| {
            for value in &mut values {
                *value = value.as_sum().multiply(black_box(factor.as_sum()));
            }
            black_box(&values);
        }));
        // SAFETY: the processor has the features.
        limit = limit.min(time(|| unsafe { multiply_adds() }));
    }
    let multiplication = multiplication.as_secs_f64() / f64::from(COUNT);
    let multiply_add = limit.as_secs_f64() / (CHAINS as f64 * f64::from(LENGTH));
    let limit = multiply_add * f64::from(PER_MULTIPLICATION);
    println!(
        "field, ifma/eight products: {:.0} ns; its {PER_MULTIPLICATION} multiply-adds alone: {:.0} ns; ratio {:.2}",
        1e9 * multiplication,
        1e9 * limit,
        multiplication / limit
    );
}

fn time(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

/// Chains of different values: the compiler would make one of equal ones.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512ifma")]
fn multiply_adds() {
    let start: [u64; CHAINS] =
        black_box(core::array::from_fn(|i| 0x000f_1234_5678_9abc ^ (i as u64 * 0x0101_0101_0101)));
    let factors = start.map(|value| _mm512_set1_epi64(value as i64));
    let common = _mm512_set1_epi64(black_box(0x0009_8765_4321_fedc));
    let mut sums = factors;
    for _ in 0..LENGTH / 2 {
        for (sum, factor) in sums.iter_mut().zip(factors) {
            *sum = _mm512_madd52lo_epu64(*sum, factor, common);
        }
        for (sum, factor) in sums.iter_mut().zip(factors) {
            *sum = _mm512_madd52hi_epu64(*sum, factor, common);
        }
    }
    black_box(sums);
}
