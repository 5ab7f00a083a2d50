//! Products of four words and their reduction modulo the field prime of P-256, with the instructions MULX, ADCX and
//! ADOX of x86-64.
//!
//! A compiler keeps one run of carries at a time, and spends as many instructions on moving words and carries as on
//! adding them. Here the low and the high halves of a row of products are added in two runs at once, one carry in CF
//! and the other in OF.
//!
//! No instruction branches, and none reads memory but the words of the factors: time does not depend on them.
//!
//! # Safety
//!
//! Only the methods of [`Adx`] contain these instructions: a value is the proof that the processor has them.

use core::arch::asm;

use super::adx::Adx;
use super::select;

type Words = [u64; 4];
type Product = [u64; 8];

/// The proof that the processor has the instructions, unless the portable backend is in use.
#[inline(always)]
pub(crate) fn in_use() -> Option<Adx> {
    select::adx()
}

/// Adds a times the word of b at an offset to t0..t3, and leaves the top word in t4. With `xor`, CF = OF = 0. Neither
/// of the two last carries is lost: the sum fits five words.
macro_rules! add_row {
    ($offset:literal, $t0:literal, $t1:literal, $t2:literal, $t3:literal, $t4:literal) => {
        concat!(
            "mov rdx, [{b} + ",
            $offset,
            "]\n",
            "xor {",
            $t4,
            ":e}, {",
            $t4,
            ":e}\n",
            "mulx {high}, {low}, [{a}]\n",
            "adcx {",
            $t0,
            "}, {low}\n",
            "adox {",
            $t1,
            "}, {high}\n",
            "mulx {high}, {low}, [{a} + 8]\n",
            "adcx {",
            $t1,
            "}, {low}\n",
            "adox {",
            $t2,
            "}, {high}\n",
            "mulx {high}, {low}, [{a} + 16]\n",
            "adcx {",
            $t2,
            "}, {low}\n",
            "adox {",
            $t3,
            "}, {high}\n",
            "mulx {high}, {low}, [{a} + 24]\n",
            "adcx {",
            $t3,
            "}, {low}\n",
            "adox {",
            $t4,
            "}, {high}\n",
            "mov {low:e}, 0\n",
            "adcx {",
            $t4,
            "}, {low}\n",
        )
    };
}

/// Adds the square of the word of a at an offset, and the double of the two words it belongs to.
macro_rules! double_and_add_square {
    ($offset:literal, $t0:literal, $t1:literal) => {
        concat!(
            "mov rdx, [{a} + ",
            $offset,
            "]\n",
            "mulx {high}, {low}, rdx\n",
            "adcx {",
            $t0,
            "}, {",
            $t0,
            "}\n",
            "adox {",
            $t0,
            "}, {low}\n",
            "adcx {",
            $t1,
            "}, {",
            $t1,
            "}\n",
            "adox {",
            $t1,
            "}, {high}\n",
        )
    };
}

/// Clears the lowest word k = t0 by adding kp and drops it: adds 2^32 k + 2^128 (2^64 - 2^32 + 1) k to the others, the
/// top word in t0. The carry out of that is never lost, for t0 to t3 stay below 2^256.
macro_rules! clear_lowest {
    ($t0:literal, $t1:literal, $t2:literal, $t3:literal) => {
        concat!(
            "mov rdx, {",
            $t0,
            "}\n",
            "shlx {high}, rdx, {shift}\n",
            "mulx {",
            $t0,
            "}, {low}, {top_of_p}\n",
            "shr rdx, 32\n",
            "add {",
            $t1,
            "}, {high}\n",
            "adc {",
            $t2,
            "}, rdx\n",
            "adc {",
            $t3,
            "}, {low}\n",
            "adc {",
            $t0,
            "}, 0\n",
        )
    };
}

impl Adx {
    /// a * b.
    #[inline(always)]
    pub(crate) fn p256_product(self, a: &Words, b: &Words) -> Product {
        let (t0, t1, t2, t3, t4, t5, t6, t7): (u64, u64, u64, u64, u64, u64, u64, u64);
        // SAFETY: self proves the instructions. It reads the words of a and b, and writes to registers it declares.
        unsafe {
            asm!(
                "mov rdx, [{b}]",
                "mulx {t1}, {t0}, [{a}]",
                "mulx {t2}, {low}, [{a} + 8]",
                "add {t1}, {low}",
                "mulx {t3}, {low}, [{a} + 16]",
                "adc {t2}, {low}",
                "mulx {t4}, {low}, [{a} + 24]",
                "adc {t3}, {low}",
                "adc {t4}, 0",
                add_row!("8", "t1", "t2", "t3", "t4", "t5"),
                add_row!("16", "t2", "t3", "t4", "t5", "t6"),
                add_row!("24", "t3", "t4", "t5", "t6", "t7"),
                a = in(reg) a.as_ptr(), b = in(reg) b.as_ptr(),
                low = out(reg) _, high = out(reg) _, out("rdx") _,
                t0 = out(reg) t0, t1 = out(reg) t1, t2 = out(reg) t2, t3 = out(reg) t3,
                t4 = out(reg) t4, t5 = out(reg) t5, t6 = out(reg) t6, t7 = out(reg) t7,
                options(pure, readonly, nostack),
            );
        }
        [t0, t1, t2, t3, t4, t5, t6, t7]
    }

    /// a^2: the products of different words once, doubled, and the squares of words.
    #[inline(always)]
    pub(crate) fn p256_square(self, a: &Words) -> Product {
        let (t0, t1, t2, t3, t4, t5, t6, t7): (u64, u64, u64, u64, u64, u64, u64, u64);
        // SAFETY: self proves the instructions. It reads the words of a, and writes to registers it declares.
        unsafe {
            asm!(
                "mov rdx, [{a}]",
                "mulx {t2}, {t1}, [{a} + 8]",
                "mulx {t3}, {low}, [{a} + 16]",
                "add {t2}, {low}",
                "mulx {t4}, {low}, [{a} + 24]",
                "adc {t3}, {low}",
                "mov rdx, [{a} + 24]",
                "mulx {t5}, {low}, [{a} + 8]",
                "adc {t4}, {low}",
                "mulx {t6}, {low}, [{a} + 16]",
                "adc {t5}, {low}",
                "adc {t6}, 0",
                "mov rdx, [{a} + 8]",
                "mulx {high}, {low}, [{a} + 16]",
                "add {t3}, {low}",
                "adc {t4}, {high}",
                "adc {t5}, 0",
                "adc {t6}, 0",
                "xor {t7:e}, {t7:e}",
                "mov rdx, [{a}]",
                "mulx {high}, {t0}, rdx",
                "adcx {t1}, {t1}",
                "adox {t1}, {high}",
                double_and_add_square!("8", "t2", "t3"),
                double_and_add_square!("16", "t4", "t5"),
                double_and_add_square!("24", "t6", "t7"),
                a = in(reg) a.as_ptr(),
                low = out(reg) _, high = out(reg) _, out("rdx") _,
                t0 = out(reg) t0, t1 = out(reg) t1, t2 = out(reg) t2, t3 = out(reg) t3,
                t4 = out(reg) t4, t5 = out(reg) t5, t6 = out(reg) t6, t7 = out(reg) t7,
                options(pure, readonly, nostack),
            );
        }
        [t0, t1, t2, t3, t4, t5, t6, t7]
    }

    /// t / 2^256 mod p for the field prime p of P-256 and t < 2^256 p, in 0..p-1.
    ///
    /// The lower half of t ends below p + 1, and the sum with the upper half below 2p.
    #[inline(always)]
    pub(crate) fn p256_reduce(self, t: Product) -> Words {
        let [t0, t1, t2, t3, mut t4, mut t5, mut t6, mut t7] = t;
        // SAFETY: self proves the instructions. It has no memory operand, and writes to registers it declares.
        unsafe {
            asm!(
                clear_lowest!("t0", "t1", "t2", "t3"),
                clear_lowest!("t1", "t2", "t3", "t0"),
                clear_lowest!("t2", "t3", "t0", "t1"),
                clear_lowest!("t3", "t0", "t1", "t2"),
                "xor edx, edx",
                "add {t4}, {t0}",
                "adc {t5}, {t1}",
                "adc {t6}, {t2}",
                "adc {t7}, {t3}",
                "adc edx, 0",
                // The sum is kept where it is below p.
                "mov {t0}, {t4}",
                "mov {t1}, {t5}",
                "mov {t2}, {t6}",
                "mov {t3}, {t7}",
                "mov {low:e}, 0xffffffff",
                "sub {t4}, -1",
                "sbb {t5}, {low}",
                "sbb {t6}, 0",
                "sbb {t7}, {top_of_p}",
                "sbb edx, 0",
                "cmovc {t4}, {t0}",
                "cmovc {t5}, {t1}",
                "cmovc {t6}, {t2}",
                "cmovc {t7}, {t3}",
                shift = in(reg) 32u64, top_of_p = in(reg) 0xffff_ffff_0000_0001u64,
                low = out(reg) _, high = out(reg) _, out("rdx") _,
                t0 = inout(reg) t0 => _, t1 = inout(reg) t1 => _, t2 = inout(reg) t2 => _, t3 = inout(reg) t3 => _,
                t4 = inout(reg) t4, t5 = inout(reg) t5, t6 = inout(reg) t6, t7 = inout(reg) t7,
                options(pure, nomem, nostack),
            );
        }
        [t4, t5, t6, t7]
    }
}
