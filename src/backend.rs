//! What differs by processor: multiplication of big integers modulo p and q, and of coordinates of P-256.
//!
//! Everything above works on these types through `field`. This is the only module in which `unsafe` may stand.

#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
#[allow(unsafe_code)]
pub(crate) mod adx;
#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
#[allow(unsafe_code)]
pub(crate) mod ifma;
#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
#[allow(unsafe_code)]
pub(crate) mod p256_adx;
pub(crate) mod portable;
pub(crate) mod product;
#[cfg_attr(not(feature = "hazmat"), allow(dead_code, unreachable_pub, reason = "hazmat alone lets a caller choose"))]
mod select;
#[cfg(all(mikey_sakke_ct, target_arch = "x86_64"))]
#[allow(unsafe_code)]
pub(crate) mod valgrind;

pub(crate) use select::current;
#[cfg_attr(
    not(feature = "hazmat"),
    allow(unreachable_pub, unused_imports, reason = "hazmat alone lets a caller choose")
)]
pub use select::{Backend, Unavailable, select};

/// The prime p of parameter set 1 (RFC 6509, appendix A), in 256 hexadecimal digits.
pub(crate) const P: &str = concat!(
    "997abb1f0a563fda65c61198dad0657a416c0ce19cb48261be9ae358b3e01a2e",
    "f40aab27e2fc0f1b228730d531a59cb0e791b39ff7c88a19356d27f4a666a6d0",
    "e26c6487326b4cd4512ac5cd65681ce1b6aff4a831852a82a7cf3c521c3c09aa",
    "9f94d6af56971f1ffce3e82389857db080c5df10ac7ace87666d807afea85feb",
);
