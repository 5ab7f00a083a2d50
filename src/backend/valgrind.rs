//! What tells valgrind which memory is secret, in builds with `--cfg mikey_sakke_ct`, which only the check of constant
//! time makes.
//!
//! To memcheck a secret is memory without a value: it follows it through all that is computed, and reports each branch
//! and each address that depends on it. A request to valgrind is a sequence of instructions that does nothing outside
//! of it (valgrind manual, section 3.1).

use core::arch::asm;

/// Whether valgrind runs this program.
const RUNNING_ON_VALGRIND: u64 = 0x1001;
/// How many errors it has found.
const COUNT_ERRORS: u64 = 0x1201;
/// Memory without a value, from memcheck, whose requests begin with `MC`.
const MAKE_MEM_UNDEFINED: u64 = 0x4d43_0001;
/// Memory with one.
const MAKE_MEM_DEFINED: u64 = 0x4d43_0002;

/// Makes octets secret.
pub fn make_secret(octets: &[u8]) {
    request(MAKE_MEM_UNDEFINED, octets.as_ptr() as u64, octets.len() as u64);
}

/// Makes octets public.
pub fn make_public(octets: &[u8]) {
    request(MAKE_MEM_DEFINED, octets.as_ptr() as u64, octets.len() as u64);
}

/// The branches and addresses that depended on secrets so far.
pub fn findings() -> u64 {
    request(COUNT_ERRORS, 0, 0)
}

/// Whether anybody watches.
pub fn is_watching() -> bool {
    request(RUNNING_ON_VALGRIND, 0, 0) != 0
}

fn request(number: u64, first: u64, second: u64) -> u64 {
    let arguments = [number, first, second, 0, 0, 0];
    let mut answer = 0;
    // SAFETY: the rotations of rdi add up to 128, and the exchange of rbx with itself is none: outside of valgrind the
    // instructions change flags alone. Valgrind reads the arguments, changes what it knows of the memory that they name
    // and not the memory, and leaves its answer in rdx.
    unsafe {
        asm!(
            "rol rdi, 3",
            "rol rdi, 13",
            "rol rdi, 61",
            "rol rdi, 51",
            "xchg rbx, rbx",
            in("rax") arguments.as_ptr(),
            inout("rdx") answer,
            out("rdi") _,
            options(nostack),
        );
    }
    answer
}
