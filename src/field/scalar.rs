//! Integers modulo q, the order of SAKKE's group in parameter set 1.

use crate::backend::portable::{Modulus, ModulusOf, OCTETS, Residue};

/// The prime q of parameter set 1 (RFC 6509, appendix A), of 1022 bits; q = (p + 1) / 4.
#[derive(Clone, Copy)]
pub(crate) struct Q;

impl ModulusOf for Q {
    const HEX: &'static str = concat!(
        "265eaec7c2958ff69971846636b4195e905b0338672d20986fa6b8d62cf8068b",
        "bd02aac9f8bf03c6c8a1cc354c69672c39e46ce7fdf222864d5b49fd2999a9b4",
        "389b1921cc9ad335144ab173595a07386dabfd2a0c614aa0a9f3cf14870f026a",
        "a7e535abd5a5c7c7ff38fa08e2615f6c203177c42b1eb3a1d99b601ebfaa17fb",
    );
    const MODULUS: Modulus = Modulus::from_hex(Self::HEX);
}

/// An integer modulo q: encoded in 128 octets, big-endian.
pub(crate) type Scalar = Residue<Q>;

impl Scalar {
    /// The octets of an identity, read as one big-endian integer of any size and reduced modulo q
    /// (RFC 6508, sections 3.1 and 6.1.2). The identity is public.
    pub(crate) fn from_identity(identity: &[u8]) -> Self {
        let mut sum = Self::ZERO;
        let (head, blocks) = identity.split_at(identity.len() % OCTETS);
        for block in core::iter::once(head).chain(blocks.chunks_exact(OCTETS)) {
            let mut octets = [0; OCTETS];
            octets[OCTETS - block.len()..].copy_from_slice(block);
            sum = sum.multiply(&Self::TWO_TO_THE_1024).add(&Self::from_octets_reduced(&octets));
        }
        sum
    }
}
