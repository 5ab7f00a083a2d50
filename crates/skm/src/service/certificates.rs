//! The certificates of this domain for the servers of others (KM-E).
//!
//! There is no access token: the issuer of the other domain is none of this one, and what is published is no secret.
//! Who asks is known by its certificate, and what it gets is signed for it alone.

use getrandom::SysRng;
use mikey_sakke::identity::KeyPeriod;
use mikey_sakke::km::exchange::{NONCE_OCTETS, announce};
use mikey_sakke::km::{BodyError, Failure};

use super::caller::malformed;
use super::session::{Refused, Session, internal};
use super::{Caller, Problem, Service};

impl Service {
    /// GET `/seal-km/v1/certificates`, with what stands behind the `?`: the certificates of this domain, signed for the
    /// peer that asks.
    ///
    /// # Errors
    ///
    /// [`Problem`].
    pub async fn certificates(&self, caller: &Caller<'_>, query: Option<&str>) -> Result<String, Problem> {
        let session = self.admit(caller, self.clock.now(), Ok(None))?;
        let result = self.announcement(&session, query).await;
        Ok(self.conclude(&session, result).await?)
    }

    async fn announcement(&self, session: &Session<'_>, query: Option<&str>) -> Result<String, Refused> {
        let certificate = session.channel().certificate().ok_or(Failure::NotPermitted)?;
        let peer = self.peers.iter().find(|peer| peer.san == *certificate.san()).ok_or(Failure::NotPermitted)?;
        let nonce = nonce(query).ok_or(malformed(BodyError::Text("nonce")))?;
        let domain = self.domain().await?.ok_or(Failure::NoRecord)?;
        let now = session.moment.time;
        let Ok(KeyPeriod::Number(period)) = domain.uid_format().period_at(now) else {
            return Err(Failure::NoRecord.into());
        };
        let (_, kms) = domain.at(period).ok_or(Failure::NoRecord)?;
        let announcement = announce(kms, domain.document(), &peer.skms_uri, &nonce, now, &mut SysRng);
        announcement.map_err(|error| internal(&error))
    }
}

/// The nonce, in 32 hexadecimal digits, which is all that there is to ask with.
fn nonce(query: Option<&str>) -> Option<[u8; NONCE_OCTETS]> {
    let mut nonce = [0; NONCE_OCTETS];
    hex::decode_to_slice(query?.strip_prefix("nonce=")?, &mut nonce).ok()?;
    Some(nonce)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries() {
        let digits = "00112233445566778899aAbBcCdDeEfF";
        let octets = [0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff];
        assert_eq!(nonce(Some(&format!("nonce={digits}"))), Some(octets));
        assert_eq!(nonce(None), None);
        for query in ["", "nonce", "nonce=", "Nonce=00112233445566778899aabbccddeeff", "x=1", digits] {
            assert_eq!(nonce(Some(query)), None, "{query}");
        }
        for query in [format!("nonce={digits}0"), format!("nonce={digits}&x=1"), format!("nonce={}g", &digits[1..])] {
            assert_eq!(nonce(Some(&query)), None, "{query}");
        }
    }
}
