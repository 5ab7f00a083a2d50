//! Draws from a random source that may be broken.

use rand_core::TryCryptoRng;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::secret::declassify;

/// How often something is tried that fails for two values in five at most. With a good source all of it fails less than
/// once in 2^165 times; with one that is stuck the end must come too.
const ATTEMPTS: u32 = 128;

/// The first result of some attempts, which are numbered.
///
/// # Errors
///
/// That of an attempt; [`Error::Random`] if none has a result.
pub(crate) fn retry<T>(mut attempt: impl FnMut(u32) -> Result<Option<T>, Error>) -> Result<T, Error> {
    for number in 0..ATTEMPTS {
        if let Some(result) = attempt(number)? {
            return Ok(result);
        }
    }
    Err(Error::Random)
}

/// A secret from octets of the source, drawn until `accept` takes them.
///
/// # Errors
///
/// [`Error::Random`] if the source fails, gives the same octets twice in a row, or nothing that is taken.
pub(crate) fn draw<const N: usize, T, R: TryCryptoRng + ?Sized>(
    rng: &mut R,
    accept: impl Fn(&[u8; N]) -> Option<T>,
) -> Result<T, Error> {
    let mut before = octets::<N, _>(rng)?;
    retry(|_| {
        let octets = octets(rng)?;
        refuse_repetition(&before, &octets)?;
        let accepted = accept(&octets);
        before = octets;
        Ok(accepted)
    })
}

/// # Errors
///
/// [`Error::Random`] if two draws of one source are the same.
pub(crate) fn refuse_repetition<const N: usize>(one: &[u8; N], other: &[u8; N]) -> Result<(), Error> {
    let is_repeated = one.as_slice().ct_eq(other.as_slice());
    if declassify(is_repeated, "what a source gives twice is not used") { Err(Error::Random) } else { Ok(()) }
}

fn octets<const N: usize, R: TryCryptoRng + ?Sized>(rng: &mut R) -> Result<Zeroizing<[u8; N]>, Error> {
    let mut octets = Zeroizing::new([0; N]);
    rng.try_fill_bytes(octets.as_mut_slice()).map_err(|_| Error::Random)?;
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_end_with_a_result_an_error_or_their_number() {
        let third = retry(|number| Ok((number == 2).then_some(number)));
        assert_eq!(third, Ok(2));
        assert_eq!(retry(|number| Ok((number + 1 == ATTEMPTS).then_some(number))), Ok(ATTEMPTS - 1));
        let mut attempts = 0;
        let none: Result<(), Error> = retry(|_| {
            attempts += 1;
            Ok(None)
        });
        assert_eq!((none, attempts), (Err(Error::Random), ATTEMPTS));
        let failed: Result<(), Error> = retry(|number| if number == 1 { Err(Error::Fault) } else { Ok(None) });
        assert_eq!(failed, Err(Error::Fault));
    }
}
