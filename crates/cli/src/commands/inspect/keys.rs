//! Opening a message: its signature is verified, and the key taken out.

use std::path::PathBuf;
use std::sync::Arc;

use mikey_sakke::Error;
use mikey_sakke::error::Refusal;
use mikey_sakke::identity::Uri;
use mikey_sakke::imessage::{Acceptance, DistributedKey, Initiators, KeyProperties, Policy, Purpose, Responder, SkId};
use mikey_sakke::kms::UserKeys;
use mikey_sakke::mikey::payload::{Payload, Ts};
use mikey_sakke::mikey::prf::Prf;
use mikey_sakke::mikey::registry::{IdRole, PayloadType};
use mikey_sakke::mikey::{Content, Message, Tolerances};
use mikey_sakke::sakke::Ssv;
use mikey_sakke::time::Timestamp;
use mikey_sakke_files as files;

use super::srtp::{self, Session};

#[derive(clap::Args)]
pub(super) struct KeyArguments {
    /// File with your keys: verify the signature and take the key out, at the time of the message and without a replay
    /// cache
    #[arg(long, requires = "certificate")]
    keys: Option<PathBuf>,
    /// File with the certificate of your KMS; messages of its users are verified
    #[arg(long, requires = "keys")]
    certificate: Option<PathBuf>,
    /// File with the certificate of another KMS whose users' messages are verified; may be given several times
    #[arg(long, requires = "keys")]
    trust: Vec<PathBuf>,
    /// Take group master keys with end-point diversity, as TS 33.180 has them
    #[arg(long, requires = "keys")]
    ts33180: bool,
    /// Print the key and the SRTP keys that follow from it
    #[arg(long, requires = "keys")]
    show_keys: bool,
    /// Crypto session to print SRTP keys for [default: those of the message]
    #[arg(long, value_name = "N", requires = "show_keys")]
    cs_id: Option<u8>,
    /// Sender of the media to print SRTP keys for, where each has keys of his own [default: you]
    #[arg(long, value_name = "URI", requires = "show_keys")]
    sender: Option<Uri>,
}

/// What came of it.
pub(super) struct Opening {
    /// The time of the message, at which it was opened.
    pub(super) at: Timestamp,
    /// Who the message says has signed it: a URI, or a UID.
    pub(super) signer: Option<String>,
    /// Whether the signature verifies; `None` if it was not come to.
    pub(super) verifies: Option<bool>,
    /// Why the message is not accepted.
    pub(super) fault: Option<Fault>,
    pub(super) key: Option<Key>,
    /// What is shown of the key; `None` if it is to stay secret.
    pub(super) shown: Option<Vec<Result<Session, String>>>,
}

/// Why a message is not accepted.
pub(super) struct Fault {
    /// The offset of the payload in the message, and its number after HDR.
    pub(super) offset: usize,
    pub(super) payload: Option<usize>,
    pub(super) what: String,
}

/// The key, whoever it is from.
pub(super) struct Key {
    pub(super) key: Ssv,
    pub(super) id: SkId,
    pub(super) csb_id: SkId,
    pub(super) is_diversified: bool,
    pub(super) rand: Vec<u8>,
    pub(super) prf: Prf,
    pub(super) properties: Option<KeyProperties>,
}

impl<I> From<DistributedKey<I>> for Key {
    fn from(key: DistributedKey<I>) -> Self {
        let DistributedKey { key, id, csb_id, is_diversified, rand, prf, properties, .. } = key;
        Self { key, id, csb_id, is_diversified, rand, prf, properties }
    }
}

impl KeyArguments {
    pub(super) fn are_given(&self) -> bool {
        self.keys.is_some()
    }

    /// Opens a message; `None` if no keys are given.
    pub(super) fn open(
        &self,
        octets: &[u8],
        message: &Message,
        tolerances: Tolerances,
    ) -> anyhow::Result<Option<Opening>> {
        let (Some(keys), Some(certificate)) = (&self.keys, &self.certificate) else { return Ok(None) };
        let certificate = files::read_certificate(certificate)?;
        let keys = Arc::new(files::read_user_keys(keys, &certificate)?);
        let mut trusted = vec![certificate];
        for path in &self.trust {
            trusted.push(files::read_certificate(path)?);
        }
        let at = time(message, Timestamp::now()?);
        let signer = Signer::of(message);
        // A new responder each time: nothing is remembered.
        let extract = |policy: Policy| -> Result<Key, Error> {
            let mut responder = Responder::new(keys.clone(), Policy { tolerances, ..policy });
            trusted.iter().try_for_each(|certificate| responder.trust(certificate.clone()))?;
            match signer {
                Some(Signer::Uid(_)) => responder.extract_hidden(octets, at).map(Key::from),
                _ => responder.extract(octets, at).map(Key::from),
            }
        };
        // One who takes keys for no purpose comes as far as the signature, and no farther.
        let (verifies, fault) = match extract(Policy::for_purposes([])) {
            Ok(_) | Err(Error::Refused(Refusal::Purpose)) => (Some(true), None),
            Err(Error::Rejected) => {
                (Some(false), Some(fault(message, Some(PayloadType::SIGN), "the signature does not verify".into())))
            }
            Err(error) => (None, Some(fault(message, None, error.to_string()))),
        };
        let (key, fault) =
            match fault.map_or_else(|| extract(self.policy()).map_err(|error| sealed(message, &error)), Err) {
                Ok(key) => (Some(key), None),
                Err(fault) => (None, Some(fault)),
            };
        let shown = key.as_ref().filter(|_| self.show_keys).map(|key| self.sessions(message, key, &keys));
        Ok(Some(Opening { at, signer: signer.map(Signer::into_text), verifies, fault, key, shown }))
    }

    /// Keys for all purposes, from anybody.
    fn policy(&self) -> Policy {
        let mut policy = Policy::default();
        if self.ts33180 {
            let acceptance = Acceptance { initiators: Initiators::Any, kms: None, is_diversified: true };
            policy.purposes.insert(Purpose::GMK, acceptance);
        }
        policy
    }

    fn sessions(&self, message: &Message, key: &Key, keys: &UserKeys) -> Vec<Result<Session, String>> {
        let sender = self.sender.as_ref().unwrap_or_else(|| keys.user());
        srtp::sessions(message, key, self.cs_id, sender)
    }
}

/// Who a message says has signed it.
enum Signer {
    Uri(String),
    Uid(String),
}

impl Signer {
    fn of(message: &Message) -> Option<Self> {
        let identity = |role| {
            message.payloads.iter().find_map(|payload| match payload {
                Payload::Idr(idr) if idr.role == role => Some(&idr.data),
                _ => None,
            })
        };
        let uri = identity(IdRole::INITIATOR).map(|data| Self::Uri(data.escape_ascii().to_string()));
        uri.or_else(|| identity(IdRole::INITIATOR_UID).map(|data| Self::Uid(hex::encode(data))))
    }

    fn into_text(self) -> String {
        match self {
            Self::Uri(text) | Self::Uid(text) => text,
        }
    }
}

/// The time that the message states, or else the present one.
fn time(message: &Message, now: Timestamp) -> Timestamp {
    let stated = message.payloads.iter().find_map(|payload| match payload {
        Payload::T(Ts::NtpUtc(bits) | Ts::Ntp(bits)) => Some(Timestamp::from_ntp(*bits, now)),
        _ => None,
    });
    stated.unwrap_or(now)
}

/// Why the key of a message does not come out whose signature verifies.
fn sealed(message: &Message, error: &Error) -> Fault {
    match error {
        Error::Rejected => {
            let what = "a cryptographic check of SAKKE or of the key parameters failed";
            fault(message, Some(PayloadType::SAKKE), what.into())
        }
        error => fault(message, None, error.to_string()),
    }
}

fn fault(message: &Message, place: Option<PayloadType>, what: String) -> Fault {
    let found = message.layout().enumerate().find(|(_, part)| match part.content {
        Content::Header(_) => false,
        Content::Payload(payload) => Some(payload.payload_type()) == place,
        Content::Sign(_) => Some(PayloadType::SIGN) == place,
    });
    match found {
        Some((position, part)) => Fault { offset: part.offset, payload: position.checked_sub(1), what },
        None => Fault { offset: 0, payload: None, what },
    }
}
