//! Products and Montgomery's reduction of 1024 bits for x86-64 with BMI2 and ADX: `mulx` leaves the flags alone, and
//! `adcx` and `adox` carry in a flag each, so that the low and the high halves of a row of products are added side by
//! side.
//!
//! # Rows
//!
//! All work is done in rows: one word times 8 words in memory, added to a window of 8 registers. The sum has 9 words,
//! of which the lowest is complete. It leaves the window, its register takes the highest, and the next row follows, one
//! word higher. After 8 rows each register is back in its place.
//!
//! # Safety
//!
//! A value of [`Adx`] is the proof that the processor has the instructions.

use core::arch::asm;
use core::mem::MaybeUninit;

use super::portable::{DoubleWords, Words};

cpufeatures::new!(detected, "bmi2", "adx");

/// The proof that the processor has BMI2 and ADX.
#[derive(Clone, Copy)]
pub(crate) struct Adx(());

/// What the reduction modulo m reads.
#[repr(C)]
pub(crate) struct Constants {
    m: Words,
    /// -1/m mod 2^64.
    negative_inverse: u64,
}

impl Constants {
    pub(crate) const fn new(m: &Words, negative_inverse: u64) -> Self {
        Self { m: *m, negative_inverse }
    }
}

/// `rdx` times the 8 words at `$x`, added to the registers `$a` to `$h`: 9 words, the highest in `$a`, where the lowest
/// was until `$retire`. Clobbers `rax` and `rcx`, clears `rbp`.
macro_rules! row {
    (
        $x:literal, $retire:expr,
        $a:literal $b:literal $c:literal $d:literal $e:literal $f:literal $g:literal $h:literal
    ) => {
        concat!(
            "xor ebp, ebp\n",
            row!(@ $x, 0, $a, $b), $retire, row!(@ $x, 8, $b, $c), row!(@ $x, 16, $c, $d), row!(@ $x, 24, $d, $e),
            row!(@ $x, 32, $e, $f), row!(@ $x, 40, $f, $g), row!(@ $x, 48, $g, $h),
            "mulx ", $a, ", rax, [", $x, " + 56]\n",
            "adcx ", $h, ", rax\n",
            "adox ", $a, ", rbp\n",
            "adcx ", $a, ", rbp\n",
        )
    };
    (@ $x:literal, $offset:literal, $low:literal, $high:literal) => {
        concat!(
            "mulx rcx, rax, [", $x, " + ", $offset, "]\n",
            "adcx ", $low, ", rax\n",
            "adox ", $high, ", rcx\n",
        )
    };
}

/// The 8 words at `$x` times the 8 words at `$y`, added to the window: the low half goes to `$low`, the high half stays
/// in the window.
macro_rules! multiply {
    ($x:literal, $y:literal, $low:literal) => {
        multiply!($x, $y, $low, [0 8 16 24 32 40 48 56] "r8" "r9" "r10" "r11" "r12" "r13" "r14" "r15")
    };
    ($x:literal, $y:literal, $low:literal, [] $($r:literal)*) => { "" };
    ($x:literal, $y:literal, $low:literal, [$offset:literal $($offsets:literal)*] $a:literal $($r:literal)*) => {
        concat!(
            "mov rdx, [", $y, " + ", $offset, "]\n",
            row!($x, concat!("mov [", $low, " + ", $offset, "], ", $a, "\n"), $a $($r)*),
            multiply!($x, $y, $low, [$($offsets)*] $($r)* $a),
        )
    };
}

/// Makes the 8 words of the window 0, the lowest first, by adding multiples of the low half of m, which is at `$m`. The
/// factors go to `$factors`, and the 8 words above those that became 0 are left in the window.
macro_rules! eliminate {
    ($m:literal, $negative_inverse:literal, $factors:literal) => {
        eliminate!(
            $m, $negative_inverse, $factors, [0 8 16 24 32 40 48 56]
            "r8" "r9" "r10" "r11" "r12" "r13" "r14" "r15"
        )
    };
    ($m:literal, $negative_inverse:literal, $factors:literal, [] $($r:literal)*) => { "" };
    (
        $m:literal, $negative_inverse:literal, $factors:literal, [$offset:literal $($offsets:literal)*]
        $a:literal $($r:literal)*
    ) => {
        concat!(
            "mov rdx, ", $a, "\n",
            "imul rdx, ", $negative_inverse, "\n",
            row!($m, concat!("mov [", $factors, " + ", $offset, "], rdx\n"), $a $($r)*),
            eliminate!($m, $negative_inverse, $factors, [$($offsets)*] $($r)* $a),
        )
    };
}

/// An instruction for each register of the window and its word at `$y`.
macro_rules! each {
    ($instruction:literal, $y:literal) => {
        each!($instruction, $y, "r8" 0, "r9" 8, "r10" 16, "r11" 24, "r12" 32, "r13" 40, "r14" 48, "r15" 56)
    };
    ($instruction:literal, $y:literal, $($r:literal $offset:literal),*) => {
        concat!($($instruction, " ", $r, ", [", $y, " + ", $offset, "]\n"),*)
    };
}

/// Stores the window to `$y`.
macro_rules! store {
    ($y:literal) => {
        store!($y, "r8" 0, "r9" 8, "r10" 16, "r11" 24, "r12" 32, "r13" 40, "r14" 48, "r15" 56)
    };
    ($y:literal, $($r:literal $offset:literal),*) => {
        concat!($("mov [", $y, " + ", $offset, "], ", $r, "\n"),*)
    };
}

/// The same instructions for the offsets of 8 words.
macro_rules! words {
    ($($before:literal, $y:literal, $after:literal);*) => {
        concat!(
            words!(@ 0 $($before, $y, $after);*), words!(@ 8 $($before, $y, $after);*),
            words!(@ 16 $($before, $y, $after);*), words!(@ 24 $($before, $y, $after);*),
            words!(@ 32 $($before, $y, $after);*), words!(@ 40 $($before, $y, $after);*),
            words!(@ 48 $($before, $y, $after);*), words!(@ 56 $($before, $y, $after);*),
        )
    };
    (@ $offset:literal $($before:literal, $y:literal, $after:literal);*) => {
        concat!($($before, "[", $y, " + ", $offset, "]", $after, "\n"),*)
    };
}

impl Adx {
    /// The proof, where the processor has the instructions. Miri has not; valgrind has, and says that it has not.
    pub(crate) fn new() -> Option<Self> {
        (!cfg!(miri) && (cfg!(mikey_sakke_ct) || detected::get())).then_some(Self(()))
    }

    /// a * b.
    #[inline(never)]
    pub(crate) fn product(self, a: &Words, b: &Words) -> DoubleWords {
        let mut product = MaybeUninit::<DoubleWords>::uninit();
        // SAFETY: `self` proves that the processor has the instructions. They read 16 words each at `a` and `b`, write
        // all 32 words of `product`, and give back `rbx`, `rbp` and the stack as they were.
        unsafe {
            asm!(
                "push rbx",
                "push rbp",
                "mov rbx, rcx",
                "xor r8d, r8d", "xor r9d, r9d", "xor r10d, r10d", "xor r11d, r11d",
                "xor r12d, r12d", "xor r13d, r13d", "xor r14d, r14d", "xor r15d, r15d",
                // The low half of a, words 0..24 of the product.
                multiply!("rsi", "rbx", "rdi"),
                multiply!("rsi", "rbx + 64", "rdi + 64"),
                store!("rdi + 128"),
                // The high half of a, words 8..32 of the product.
                each!("mov", "rdi + 64"),
                multiply!("rsi + 64", "rbx", "rdi + 64"),
                "xor eax, eax",
                each!("adc", "rdi + 128"),
                "setc al",
                "push rax",
                multiply!("rsi + 64", "rbx + 64", "rdi + 128"),
                "pop rax",
                "add r8, rax",
                "adc r9, 0", "adc r10, 0", "adc r11, 0", "adc r12, 0", "adc r13, 0", "adc r14, 0", "adc r15, 0",
                store!("rdi + 192"),
                "pop rbp",
                "pop rbx",
                in("rsi") a, inout("rcx") b => _, in("rdi") product.as_mut_ptr(), out("rax") _, out("rdx") _,
                out("r8") _, out("r9") _, out("r10") _, out("r11") _,
                out("r12") _, out("r13") _, out("r14") _, out("r15") _,
            );
            product.assume_init()
        }
    }

    /// t / R mod m, for t < mR. What is added is below mR too, so that the quotient is below 2m. Leaves `t` undefined.
    #[inline(never)]
    pub(crate) fn reduce(self, t: &mut DoubleWords, m: &Constants) -> Words {
        let mut reduced = MaybeUninit::<Words>::uninit();
        // SAFETY: `self` proves that the processor has the instructions. They read `m`, which is laid out in the order
        // of its fields, read and write 32 words at `t`, write all 16 words of `reduced`, and give back `rbx`, `rbp`
        // and the stack as they were.
        unsafe {
            asm!(
                "push rbx",
                "push rbp",
                "push rdx",
                // Multiples of m that make words 0..8 zero: of its low half, and then of its high half.
                each!("mov", "rdi"),
                eliminate!("rsi", "[rsi + 128]", "rdi"),
                "xor ebx, ebx",
                each!("adc", "rdi + 64"),
                "setc bl",
                multiply!("rsi + 64", "rdi", "rdi + 64"),
                "add rbx, -1",
                each!("adc", "rdi + 128"),
                "setc al",
                "movzx eax, al",
                "push rax",
                store!("rdi + 128"),
                // The same for words 8..16.
                each!("mov", "rdi + 64"),
                eliminate!("rsi", "[rsi + 128]", "rdi + 64"),
                "xor ebx, ebx",
                each!("adc", "rdi + 128"),
                "setc bl",
                multiply!("rsi + 64", "rdi + 64", "rdi + 128"),
                "add rbx, -1",
                each!("adc", "rdi + 192"),
                "setc al",
                "movzx eax, al",
                "pop rcx",
                "add r8, rcx",
                "adc r9, 0", "adc r10, 0", "adc r11, 0", "adc r12, 0", "adc r13, 0", "adc r14, 0", "adc r15, 0",
                "adc rax, 0",
                store!("rdi + 192"),
                // m is subtracted, and the difference taken unless it is negative.
                "pop rdx",
                "clc",
                words!("mov rcx, ", "rdi + 128", ""; "sbb rcx, ", "rsi", ""; "mov ", "rdi", ", rcx"),
                each!("sbb", "rsi + 64"),
                "sbb rax, 0",
                words!("mov rcx, ", "rdi", ""; "cmovc rcx, ", "rdi + 128", ""; "mov ", "rdx", ", rcx"),
                each!("cmovc", "rdi + 192"),
                store!("rdx + 64"),
                "pop rbp",
                "pop rbx",
                in("rsi") m, out("rcx") _, in("rdi") t, out("rax") _, inout("rdx") reduced.as_mut_ptr() => _,
                out("r8") _, out("r9") _, out("r10") _, out("r11") _,
                out("r12") _, out("r13") _, out("r14") _, out("r15") _,
            );
            reduced.assume_init()
        }
    }
}
