//! The ephemeral values v and j.
//!
//! Whoever knows one knows KSAK or SSK, as does whoever sees two results made with the same one. So a value is not what
//! the random source gives, but HMAC-SHA-256 of that and of what it is drawn for, under the secret that it protects: a
//! source that repeats itself repeats no value for another message, and one that others know tells them none.

use hmac::{Hmac, KeyInit, Mac};
use rand_core::TryCryptoRng;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::group::p256::{INTEGER_OCTETS, Integer};
use crate::secret::{Secret, declassify};

/// What a value is drawn for.
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    /// v, for a pair.
    Pair,
    /// j, for a signature.
    Signature,
}

/// A value in 1..q-1 for what the context says; none if another attempt has to be made.
pub(super) fn draw<R: TryCryptoRng + ?Sized>(
    secret: &Integer,
    purpose: Purpose,
    context: [&[u8]; 2],
    attempt: u32,
    rng: &mut R,
) -> Result<Option<Secret<Integer>>, Error> {
    let mut random = Zeroizing::new([0; INTEGER_OCTETS]);
    rng.try_fill_bytes(random.as_mut_slice()).map_err(|_| Error::Random)?;
    let secret = Zeroizing::new(secret.to_octets());
    // HMAC takes a key of any length.
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_slice()).map_err(|_| Error::Random)?;
    mac.update(match purpose {
        Purpose::Pair => b"ECCSI v",
        Purpose::Signature => b"ECCSI j",
    });
    mac.update(&attempt.to_be_bytes());
    mac.update(random.as_slice());
    for part in context {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    let octets: Zeroizing<[u8; INTEGER_OCTETS]> = Zeroizing::new(mac.finalize().into_bytes().into());
    let value = Integer::from_octets(&octets);
    let in_range = value.is_some() & !value.unwrap_or(Integer::ZERO).is_zero();
    let is_usable = declassify(in_range, "a discarded draw is not used");
    Ok(is_usable.then(|| Secret::new(value.unwrap_or(Integer::ZERO))))
}

#[cfg(test)]
mod tests {
    use core::convert::Infallible;

    use rand_core::TryRng;

    use super::*;

    /// A source that gives the same octets again and again.
    struct Stuck;

    impl TryRng for Stuck {
        type Error = Infallible;

        fn try_next_u32(&mut self) -> Result<u32, Infallible> {
            Ok(7)
        }

        fn try_next_u64(&mut self) -> Result<u64, Infallible> {
            Ok(7)
        }

        fn try_fill_bytes(&mut self, octets: &mut [u8]) -> Result<(), Infallible> {
            octets.fill(7);
            Ok(())
        }
    }

    impl TryCryptoRng for Stuck {}

    fn drawn(secret: u8, purpose: Purpose, context: [&[u8]; 2], attempt: u32) -> [u8; 32] {
        let secret = Integer::from_octets_reduced(&[secret; 32]);
        draw(&secret, purpose, context, attempt, &mut Stuck).unwrap().unwrap().expose().to_octets()
    }

    #[test]
    fn a_source_that_is_stuck_repeats_no_value_for_anything_else() {
        use Purpose::{Pair, Signature};
        let all = [
            drawn(1, Signature, [b"hs", b"message"], 0),
            drawn(2, Signature, [b"hs", b"message"], 0),
            drawn(1, Pair, [b"hs", b"message"], 0),
            drawn(1, Signature, [b"other", b"message"], 0),
            drawn(1, Signature, [b"hs", b"other"], 0),
            // The same octets, cut elsewhere.
            drawn(1, Signature, [b"hsm", b"essage"], 0),
            drawn(1, Signature, [b"hs", b"message"], 1),
        ];
        for (index, value) in all.iter().enumerate() {
            assert!(!all[..index].contains(value), "{index}");
        }
        assert_eq!(all[0], drawn(1, Signature, [b"hs", b"message"], 0));
    }
}
