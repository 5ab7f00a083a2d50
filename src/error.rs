//! Errors, arranged by who is at fault.
//!
//! A failed cryptographic check is one opaque value, [`Rejected`]: which check failed, and on what, would be
//! an oracle for whoever sent the octets.

use core::fmt;

/// Anything that can go wrong in this crate.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The octets are not a well-formed message: the sender is at fault.
    Decode(DecodeError),
    /// Key material failed its checks: whoever delivered it is at fault.
    KeyMaterial(KeyMaterialError),
    /// The message is well formed, and this client does not accept it.
    Refused(Refusal),
    /// A cryptographic check failed.
    Rejected,
    /// The caller asked for something that cannot be done.
    Usage(UsageError),
    /// The random source failed.
    Random,
    /// A computation on secrets was disturbed, and its result, which could give them away, is withheld.
    Fault,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decode(error) => error.fmt(f),
            Self::KeyMaterial(error) => error.fmt(f),
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Rejected => Rejected.fmt(f),
            Self::Usage(error) => error.fmt(f),
            Self::Random => f.write_str("the random source failed"),
            Self::Fault => f.write_str("a computation was disturbed, and its result is withheld"),
        }
    }
}

impl core::error::Error for Error {}

macro_rules! error_from {
    ($($kind:ident => $variant:ident),*) => {$(
        impl core::error::Error for $kind {}
        impl From<$kind> for Error {
            fn from(error: $kind) -> Self {
                Self::$variant(error)
            }
        }
    )*};
}

error_from!(DecodeError => Decode, KeyMaterialError => KeyMaterial, Refusal => Refused, UsageError => Usage);

/// A cryptographic check failed: a signature, or SAKKE's TEST. Nothing more is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejected;

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("rejected: a cryptographic check failed")
    }
}

impl core::error::Error for Rejected {}

impl From<Rejected> for Error {
    fn from(_: Rejected) -> Self {
        Self::Rejected
    }
}

/// Octets that are not a well-formed MIKEY message, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// What is wrong.
    pub kind: DecodeErrorKind,
    /// Octets from the start of the message to the field that is wrong.
    pub offset: usize,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "malformed at octet {}: {}", self.offset, self.kind)
    }
}

/// The ways in which octets fail to be a MIKEY message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// A field reaches beyond the end of what holds it.
    Truncated,
    /// Octets are left over after the last payload, or inside a payload.
    TrailingOctets,
    /// The version is not 1.
    Version(u8),
    /// The CS ID map type is not known, so its length is not either.
    CsIdMapType(u8),
    /// The timestamp type is not known, so its length is not either; or the message may not use it.
    TimestampType(u8),
    /// The payload type is not known, so its length is not either.
    PayloadType(u8),
    /// A payload of a type that may stand once stands twice.
    Duplicate(u8),
    /// Two identities stand in a role that one may have.
    DuplicateRole(u8),
    /// Two security policies stand under one policy number.
    DuplicatePolicy(u8),
    /// Two General Extensions are of a type that may stand once.
    DuplicateExtension(u8),
    /// A payload that the message needs is not there.
    Missing(u8),
    /// The data type of the header is not the one expected.
    DataType(u8),
    /// RAND is shorter than 16 octets.
    RandLength,
    /// The MAC algorithm is not known, so the length of the MAC is not either.
    MacAlg(u8),
    /// The hash function is not known, so the length of the hash is not either.
    HashFunc(u8),
    /// The Diffie-Hellman group is not known, so the length of the public value is not either.
    DhGroup(u8),
    /// The kind of key in a Key data sub-payload is not known.
    KeyDataType(u8),
    /// The way in which the validity of a key is stated is not known.
    Kv(u8),
    /// Text is not UTF-8, or has control characters.
    Text,
    /// SP stands beside the empty map (RFC 4563).
    SpWithEmptyMap,
    /// A map of type GENERIC-ID has #CS 0.
    NoCryptoSessions,
    /// The map announces crypto sessions and holds none.
    MissingCsBlocks,
    /// A message in SDP is not base64, or is empty.
    Base64,
    /// A message is longer than any message is.
    TooLong,
}

impl fmt::Display for DecodeErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("a field reaches beyond the end"),
            Self::TrailingOctets => f.write_str("octets are left over"),
            Self::Version(version) => write!(f, "MIKEY version {version}, expected 1"),
            Self::CsIdMapType(value) => write!(f, "unknown CS ID map type {value}"),
            Self::TimestampType(value) => write!(f, "timestamp type {value} cannot be used here"),
            Self::PayloadType(value) => write!(f, "unknown payload type {value}"),
            Self::Duplicate(value) => write!(f, "payload type {value} stands twice"),
            Self::DuplicateRole(value) => write!(f, "two identities have role {value}"),
            Self::DuplicatePolicy(value) => write!(f, "two security policies have number {value}"),
            Self::DuplicateExtension(value) => write!(f, "two General Extensions have type {value}"),
            Self::Missing(value) => write!(f, "payload type {value} is missing"),
            Self::DataType(value) => write!(f, "data type {value} is not expected here"),
            Self::RandLength => f.write_str("RAND is shorter than 16 octets"),
            Self::MacAlg(value) => write!(f, "unknown MAC algorithm {value}"),
            Self::HashFunc(value) => write!(f, "unknown hash function {value}"),
            Self::DhGroup(value) => write!(f, "unknown Diffie-Hellman group {value}"),
            Self::KeyDataType(value) => write!(f, "unknown type of Key data {value}"),
            Self::Kv(value) => write!(f, "unknown type of key validity {value}"),
            Self::Text => f.write_str("text is not UTF-8, or has control characters"),
            Self::SpWithEmptyMap => f.write_str("SP stands beside the empty map"),
            Self::NoCryptoSessions => f.write_str("the GENERIC-ID map has no crypto session"),
            Self::MissingCsBlocks => f.write_str("the CS ID map lacks the crypto sessions that it announces"),
            Self::Base64 => f.write_str("no message in base64"),
            Self::TooLong => f.write_str("longer than a message can be"),
        }
    }
}

/// Key material that failed its checks, by the element that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyMaterialError {
    /// KSAK is not 32 octets with a value in 1..q-1 (RFC 6507, section 4.2).
    Ksak,
    /// The SAKKE master secret z is not 128 octets with a value in 2..q-1 (RFC 6508, section 6.1.1).
    MasterSecret,
    /// KPAK is not the 65-octet encoding of a point of P-256 (RFC 6507, section 5.1.2).
    Kpak,
    /// PVT is not the 65-octet encoding of a point of P-256 (RFC 6507, section 5.1.2).
    Pvt,
    /// SSK is not 32 octets with a value in 1..q-1, or does not belong to KPAK, PVT and identity (RFC 6507, section
    /// 5.1.2).
    Ssk,
    /// The KMS Public Key Z is not the 257-octet encoding of a point of order q (RFC 6508, section 6.1.1).
    PublicKey,
    /// The RSK is not the 257-octet encoding of a point of order q, or does not belong to Z and identity (RFC 6508,
    /// section 6.1.2).
    Rsk,
    /// The UserID of a key set is not the UID of its user, KMS and key period (TS 33.180, D.3.3).
    UserId,
    /// The keys are revoked.
    Revoked,
}

impl fmt::Display for KeyMaterialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ksak => "KSAK is not a secret in 1..q-1",
            Self::MasterSecret => "the SAKKE master secret is not in 2..q-1",
            Self::Kpak => "KPAK is not a point of P-256",
            Self::Pvt => "PVT is not a point of P-256",
            Self::Ssk => "SSK does not belong to this KPAK, PVT and identity",
            Self::PublicKey => "the KMS Public Key Z is not a point of order q",
            Self::Rsk => "the RSK does not belong to this KMS Public Key and identity",
            Self::UserId => "the UserID is not that of this user, KMS and key period",
            Self::Revoked => "the keys are revoked",
        })
    }
}

/// Why a well-formed message is not accepted, in the order of the checks.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The timestamp is outside the window around the local time.
    Stale,
    /// The message was accepted before.
    Replay,
    /// The replay cache is full, or lost its entries too recently to tell.
    ReplayUnknown,
    /// An identity that the message needs is neither in it nor known from signalling.
    UnnamedParty,
    /// The message is for somebody else.
    NotForUs,
    /// The initiator's KMS is not among the trusted ones, or the responder's KMS is not ours.
    UntrustedKms,
    /// Local policy does not accept keys from this initiator.
    Initiator,
    /// The signature is of a type other than ECCSI, or the SAKKE payload of another parameter set or identifier scheme.
    Unsupported,
    /// No keys are held for the key period of the timestamp, or that period is over or too far ahead.
    KeyPeriod,
    /// The purpose in the SK-ID is not one that is expected.
    Purpose,
    /// The key parameters cannot be read.
    KeyParameters,
    /// The PRF is not implemented.
    Prf,
    /// A security policy is for a security protocol that is not supported.
    PolicyProtocol,
    /// A security policy has a parameter that is not supported.
    PolicyParameter,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stale => "refused: the timestamp is outside the accepted window",
            Self::Replay => "refused: the message was accepted before",
            Self::ReplayUnknown => "refused: the replay cache cannot tell whether the message was accepted before",
            Self::UnnamedParty => "refused: a party is not named",
            Self::NotForUs => "refused: the message is for another responder",
            Self::UntrustedKms => "refused: the KMS is not among the trusted ones",
            Self::Initiator => "refused: no keys are accepted from this initiator",
            Self::Unsupported => {
                "refused: the signature type, SAKKE parameter set or identifier scheme is not supported"
            }
            Self::KeyPeriod => "refused: no usable keys for the key period of the timestamp",
            Self::Purpose => "refused: the purpose of the key is not an expected one",
            Self::KeyParameters => "refused: the key parameters cannot be read",
            Self::Prf => "refused: the PRF is not implemented",
            Self::PolicyProtocol => "refused: the security policy is for a security protocol that is not supported",
            Self::PolicyParameter => "refused: the security policy has a parameter that is not supported",
        })
    }
}

/// A call that cannot be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UsageError {
    /// An identity is empty or longer than 65,536 octets.
    IdentityLength,
    /// A URI is empty, too long, or not in its one canonical spelling.
    Uri,
    /// The identity cannot have keys under this KMS: identity + z = 0 mod q (RFC 6508, section 6.1.2).
    IdentityWithoutKey,
    /// A value does not fit its field in the message.
    FieldLength,
    /// A payload that cannot be taken apart is not the last of its message.
    NotLast,
    /// A message has a form that is tolerated in what others send, and not made.
    OnlyTolerated,
    /// The time is outside the years that the format can express.
    Time,
    /// The key period has length 0, or the identifier format does not fit the URI.
    UidFormat,
    /// No keys are held for the key period of this time.
    KeyPeriod,
    /// A modulus or an output length is outside the range of the function.
    Range,
    /// The certificate of a KMS is revoked, or not valid at this time.
    Certificate,
    /// Two certificates of a KMS are valid at the same time.
    CertificateOverlap,
    /// The SK-ID is for another purpose than the profile.
    Purpose,
    /// A key is wrapped, and there is no transport key to unwrap it.
    TransportKey,
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::IdentityLength => "an identity has 1 to 65536 octets",
            Self::Uri => "the URI is not in its canonical spelling",
            Self::IdentityWithoutKey => "no key exists for this identity under this KMS",
            Self::FieldLength => "a value does not fit its field",
            Self::NotLast => "a payload that cannot be taken apart is not the last one",
            Self::OnlyTolerated => "the standards do not allow a message of this form",
            Self::Time => "the time cannot be expressed",
            Self::UidFormat => "the identifier format does not fit",
            Self::KeyPeriod => "no keys are held for the key period of this time",
            Self::Range => "a length or modulus is out of range",
            Self::Certificate => "the KMS certificate is revoked or not valid at this time",
            Self::Purpose => "the identifier is for a key of another purpose",
            Self::CertificateOverlap => "another certificate of this KMS is valid at the same time",
            Self::TransportKey => "a transport key is needed",
        })
    }
}
