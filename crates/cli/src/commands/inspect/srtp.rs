//! SRTP keys, in the forms in which programs take them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mikey_sakke::identity::Uri;
use mikey_sakke::imessage::diversify;
use mikey_sakke::mikey::payload::{Payload, Sp, SrtpValue};
use mikey_sakke::mikey::prf::{self, KeyUse};
use mikey_sakke::mikey::registry::{ProtType, SrtpAuthentication, SrtpEncryption, SrtpParam};
use mikey_sakke::mikey::{CsIdMap, Message, SrtpId};
use zeroize::Zeroizing;

use super::keys::Key;

/// A protection of SRTP that these programs have.
pub(super) struct Suite {
    /// The name in SDP (RFC 4568, RFC 7714).
    pub(super) name: &'static str,
    key_octets: usize,
    salt_octets: usize,
    /// GStreamer's names of the cipher, and of the authentication of SRTP and of SRTCP.
    gstreamer: [&'static str; 3],
    /// Whether FFmpeg has it.
    is_in_ffmpeg: bool,
}

static GCM: Suite = Suite {
    name: "AEAD_AES_128_GCM",
    key_octets: 16,
    salt_octets: 12,
    gstreamer: ["aes-128-gcm", "null", "null"],
    is_in_ffmpeg: false,
};

static SHA1_80: Suite = Suite {
    name: "AES_CM_128_HMAC_SHA1_80",
    key_octets: 16,
    salt_octets: 14,
    gstreamer: ["aes-128-icm", "hmac-sha1-80", "hmac-sha1-80"],
    is_in_ffmpeg: true,
};

/// SRTCP has the longer tag all the same (RFC 4568, section 6.2.2).
static SHA1_32: Suite = Suite {
    name: "AES_CM_128_HMAC_SHA1_32",
    key_octets: 16,
    salt_octets: 14,
    gstreamer: ["aes-128-icm", "hmac-sha1-32", "hmac-sha1-80"],
    is_in_ffmpeg: true,
};

impl Suite {
    /// The suite of a policy, with SRTP's defaults for what it leaves out; without policy, that of TS 33.180.
    fn of(policy: Option<&Sp>) -> Option<(&'static Self, bool)> {
        let Some(policy) = policy else { return Some((&GCM, false)) };
        let mut encryption = SrtpEncryption::AES_CM;
        let mut authentication = SrtpAuthentication::HMAC_SHA_1;
        let mut tag = 10;
        for (param, value) in policy.srtp_params().ok()? {
            match (param, value) {
                (_, SrtpValue::Encryption(stated)) => encryption = stated,
                (_, SrtpValue::Authentication(stated)) => authentication = stated,
                (SrtpParam::AUTHENTICATION_TAG_LENGTH, SrtpValue::Number(octets)) => tag = octets,
                (SrtpParam::ENCRYPTION_KEY_LENGTH | SrtpParam::AEAD_TAG_LENGTH, SrtpValue::Number(16)) => {}
                (SrtpParam::ENCRYPTION_KEY_LENGTH | SrtpParam::AEAD_TAG_LENGTH, _) => return None,
                (SrtpParam::KEY_DERIVATION_RATE | SrtpParam::PREFIX_LENGTH, SrtpValue::Number(1..)) => return None,
                (_, SrtpValue::Switch(false)) => return None,
                _ => {}
            }
        }
        let sends_roc = matches!(
            authentication,
            SrtpAuthentication::RCC_M1 | SrtpAuthentication::RCC_M2 | SrtpAuthentication::RCC_M3
        );
        match (encryption, authentication, tag) {
            (SrtpEncryption::AES_GCM, _, _) => Some((&GCM, sends_roc)),
            (SrtpEncryption::AES_CM, SrtpAuthentication::HMAC_SHA_1, 10) => Some((&SHA1_80, false)),
            (SrtpEncryption::AES_CM, SrtpAuthentication::HMAC_SHA_1, 4) => Some((&SHA1_32, false)),
            _ => None,
        }
    }
}

/// The SRTP keys of a crypto session, or of one sender in it.
pub(super) struct Session {
    pub(super) cs_id: u8,
    /// The sender, where each has keys of his own.
    pub(super) sender: Option<String>,
    pub(super) suite: &'static Suite,
    /// The number of the policy that the suite follows from; none if the message states none.
    pub(super) policy: Option<u8>,
    /// Master key and master salt, one after the other.
    key_and_salt: Zeroizing<Vec<u8>>,
    pub(super) mki: Vec<u8>,
    /// Whether packets carry the rollover counter as well (RFC 4771).
    pub(super) sends_roc: bool,
}

/// The SRTP keys for the crypto sessions of a message, or for the one that was asked for; for each, why there are none.
pub(super) fn sessions(message: &Message, key: &Key, wanted: Option<u8>, sender: &Uri) -> Vec<Result<Session, String>> {
    let mut stated = stated(message);
    if let Some(cs_id) = wanted {
        stated.retain(|session| session.cs_id == cs_id);
        if stated.is_empty() {
            stated.push(Stated { cs_id, policy: only_policy(message), mki: Mki::OfKey });
        }
    }
    if stated.is_empty() {
        return vec![Err("the message states no crypto session; pass --cs-id N".to_owned())];
    }
    stated.into_iter().map(|session| session.keys(key, sender)).collect()
}

/// A crypto session as the message states it.
struct Stated<'a> {
    cs_id: u8,
    policy: Option<&'a Sp>,
    mki: Mki<'a>,
}

/// Which MKI packets carry.
enum Mki<'a> {
    None,
    /// The one that the map states, unless each sender has his own.
    Stated(&'a [u8]),
    /// The identifier of the key, and with end-point diversity that of the sender behind it.
    OfKey,
}

fn stated(message: &Message) -> Vec<Stated<'_>> {
    match &message.header.cs_id_map {
        CsIdMap::SrtpId(sessions) => {
            let stated = |(cs_id, session): (u8, &SrtpId)| Stated {
                cs_id,
                policy: policy(message, session.policy),
                mki: Mki::None,
            };
            (1..).zip(sessions).map(stated).collect()
        }
        CsIdMap::GenericId(sessions) => {
            let for_srtp = sessions.iter().filter(|session| session.prot_type == ProtType::SRTP);
            let stated = for_srtp.map(|session| Stated {
                cs_id: session.cs_id,
                policy: session.policies.iter().find_map(|number| policy(message, *number)),
                mki: if session.spi.is_empty() { Mki::None } else { Mki::Stated(&session.spi) },
            });
            stated.collect()
        }
        CsIdMap::Empty(_) | CsIdMap::Missing { .. } => Vec::new(),
    }
}

fn policies(message: &Message) -> impl Iterator<Item = &Sp> {
    message.payloads.iter().filter_map(|payload| match payload {
        Payload::Sp(sp) => Some(sp),
        _ => None,
    })
}

fn policy(message: &Message, number: u8) -> Option<&Sp> {
    policies(message).find(|sp| sp.policy == number)
}

/// The policy of a message that has one and does not say what for.
fn only_policy(message: &Message) -> Option<&Sp> {
    let mut policies = policies(message);
    policies.next().filter(|_| policies.next().is_none())
}

impl Stated<'_> {
    fn keys(&self, key: &Key, sender: &Uri) -> Result<Session, String> {
        let Some((suite, sends_roc)) = Suite::of(self.policy) else {
            return Err(format!("CS ID {}: no program takes keys for this policy", self.cs_id));
        };
        let id = match key.is_diversified {
            true => diversify(&key.key, key.id, sender.as_str().as_bytes()).map_err(|error| error.to_string())?,
            false => key.id,
        };
        let mut key_and_salt = Zeroizing::new(vec![0; suite.key_octets + suite.salt_octets]);
        let (master_key, salt) = key_and_salt.split_at_mut(suite.key_octets);
        for (key_use, out) in [(KeyUse::Tek, master_key), (KeyUse::Salt, salt)] {
            prf::derive(key.prf, key.key.expose(), key_use, self.cs_id, id.to_octets(), &key.rand, out)
                .map_err(|error| error.to_string())?;
        }
        let mki = match self.mki {
            Mki::None => Vec::new(),
            _ if key.is_diversified => [key.id.to_octets(), id.to_octets()].concat(),
            Mki::Stated(spi) => spi.to_vec(),
            Mki::OfKey => id.to_octets().to_vec(),
        };
        let sender = key.is_diversified.then(|| sender.to_string());
        let policy = self.policy.map(|sp| sp.policy);
        Ok(Session { cs_id: self.cs_id, sender, suite, policy, key_and_salt, mki, sends_roc })
    }
}

impl Session {
    pub(super) fn master_key(&self) -> Zeroizing<String> {
        hex::encode(&self.key_and_salt[..self.suite.key_octets]).into()
    }

    pub(super) fn master_salt(&self) -> Zeroizing<String> {
        hex::encode(&self.key_and_salt[self.suite.key_octets..]).into()
    }

    /// For libsrtp: master key and salt in hexadecimal.
    pub(super) fn libsrtp(&self) -> Zeroizing<String> {
        hex::encode(&*self.key_and_salt).into()
    }

    /// For SDP: the key parameter of a `crypto` attribute (RFC 4568), with an MKI as a number, where it has at most 8
    /// octets.
    pub(super) fn inline(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(format!("inline:{}", &*self.base64()));
        if (1..=8).contains(&self.mki.len()) {
            let number = self.mki.iter().fold(0, |number, octet| number << 8 | u64::from(*octet));
            text.push_str(&format!("|{number}:{}", self.mki.len()));
        }
        text
    }

    /// For GStreamer: caps for srtpdec.
    pub(super) fn gstreamer(&self) -> Zeroizing<String> {
        let [cipher, srtp, srtcp] = self.suite.gstreamer;
        let mut text = Zeroizing::new(format!(
            "application/x-srtp, srtp-key=(buffer){}, srtp-cipher=(string){cipher}, srtp-auth=(string){srtp}, \
             srtcp-cipher=(string){cipher}, srtcp-auth=(string){srtcp}",
            &*self.libsrtp()
        ));
        if !self.mki.is_empty() {
            text.push_str(&format!(", mki=(buffer){}", hex::encode(&self.mki)));
        }
        text
    }

    /// For FFmpeg: options of its input.
    ///
    /// # Errors
    ///
    /// Why FFmpeg cannot read it.
    pub(super) fn ffmpeg(&self) -> Result<Zeroizing<String>, &'static str> {
        if !self.suite.is_in_ffmpeg {
            return Err("takes AES_CM_128_HMAC_SHA1_80 and AES_CM_128_HMAC_SHA1_32 alone");
        }
        if !self.mki.is_empty() {
            return Err("reads no packets with MKI");
        }
        Ok(Zeroizing::new(format!("-srtp_in_suite {} -srtp_in_params {}", self.suite.name, &*self.base64())))
    }

    fn base64(&self) -> Zeroizing<String> {
        STANDARD.encode(&*self.key_and_salt).into()
    }
}
